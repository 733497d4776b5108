//! What a scenario asks of its strategies, against what was found.

use std::fmt;

use super::format::number;
use super::{Report, StrategyReport};
use crate::scenario::{Scenario, Strategy};

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    /// Of which strategy.
    pub strategy: Strategy,
    /// Key in the scenario's `[expect.STRATEGY]`.
    pub key: &'static str,
    /// The limit that the scenario gives.
    pub limit: f64,
    /// What was found; `None` if nothing was.
    pub found: Option<f64>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expect.{}.{} = {} was not met: ",
            self.strategy, self.key, self.limit
        )?;
        match self.found {
            Some(found) => write!(f, "the run found {}", number(found)),
            None => f.write_str("the run has no such result"),
        }
    }
}

/// Every expectation of `scenario` that `report` does not meet, in the order of the strategies' names.
pub fn unmet(report: &Report, scenario: &Scenario) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for (&strategy, expect) in &scenario.expect {
        let found = report.strategy(strategy).filter(|found| found.complete);
        let get = |value: fn(&StrategyReport) -> Option<f64>| found.and_then(value);
        let old_setup = report
            .strategy(Strategy::PerTransfer)
            .and_then(|found| found.setup_ns);
        let setup = get(|s| s.setup_ns);
        let share = setup.zip(old_setup).map(|(new, old)| new / old);
        let missed = get(|s| {
            s.deadlines
                .as_ref()
                .map(|deadlines| deadlines.missed as f64)
        });
        let most = [
            ("max_setup_ns", expect.max_setup_ns, setup),
            ("max_setup_share", expect.max_setup_share, share),
            ("max_burst_ns", expect.max_burst_ns, get(|s| s.burst_ns)),
            (
                "max_hidden_setup",
                expect.max_hidden_setup,
                get(|s| s.hidden_setup),
            ),
            (
                "max_mmio_writes",
                expect.max_mmio_writes,
                get(|s| s.mmio_writes),
            ),
            (
                "max_mmio_reads",
                expect.max_mmio_reads,
                get(|s| s.mmio_reads),
            ),
            (
                "max_interrupts",
                expect.max_interrupts,
                get(|s| s.interrupts),
            ),
            (
                "max_list_wait_cycles",
                expect.max_list_wait_cycles.map(|cycles| cycles as f64),
                get(|s| Some(s.list_wait_cycles as f64)),
            ),
            (
                "max_missed_deadlines",
                expect.max_missed_deadlines.map(|bursts| bursts as f64),
                missed,
            ),
        ];
        let least = [
            (
                "min_efficiency",
                expect.min_efficiency,
                get(|s| s.efficiency),
            ),
            (
                "min_hidden_setup",
                expect.min_hidden_setup,
                get(|s| s.hidden_setup),
            ),
        ];
        // What was not found meets nothing.
        let mut judge = |key, limit: Option<f64>, found: Option<f64>, met: fn(f64, f64) -> bool| {
            if let Some(limit) = limit
                && !found.is_some_and(|found| met(found, limit))
            {
                unmet.push(Unmet {
                    strategy,
                    key,
                    limit,
                    found,
                });
            }
        };
        for (key, limit, found) in most {
            judge(key, limit, found, |found, limit| found <= limit);
        }
        for (key, limit, found) in least {
            judge(key, limit, found, |found, limit| found >= limit);
        }
    }
    unmet
}
