//! Runs a scenario: for each strategy a fresh machine, its bursts, and what they took.

mod bursts;
mod instructions;
mod setup;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

pub use bursts::RunError;
pub use setup::{SetupError, link_config};

use crate::device::Tools;
use crate::link::Direction as Wire;
use crate::report::{Report, SimReport, StrategyReport, Timeline};
use crate::scenario::{Direction, Scenario, Strategy};

/// What a run needs beside its scenario.
pub struct Options<'a> {
    /// Where processor and firmware are.
    pub tools: Tools,
    /// Write the device's signals here (VCD). Slow, and large.
    pub trace: Option<PathBuf>,
    /// Set: stop soon, with what there is.
    pub cancel: &'a AtomicBool,
    /// Called now and then.
    pub progress: &'a dyn Fn(Progress),
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Strategy that runs.
    pub strategy: Strategy,
    /// Transfers completed, over all strategies.
    pub done: u64,
    /// Transfers in all.
    pub total: u64,
    /// Device cycles simulated.
    pub cycles: u64,
    /// Cycles per CPU second so far.
    pub rate: f64,
}

/// Time of one burst's payload at the link's ceiling, in nanoseconds. With both directions at once, the longer of the two.
pub fn ceiling_ns(scenario: &Scenario) -> f64 {
    let link = link_config(scenario);
    let burst = &scenario.burst;
    let bytes = |c2h| {
        (0..burst.transfers)
            .filter(|&i| burst.is_c2h(i) == c2h)
            .count() as f64
            * burst.length_bytes as f64
    };
    let up = bytes(true) / link.ceiling_bytes_per_second(Wire::Upstream);
    let down = bytes(false) / link.ceiling_bytes_per_second(Wire::Downstream);
    1e9 * match burst.direction {
        Direction::C2h => up,
        Direction::H2c => down,
        Direction::Both => up.max(down),
    }
}

/// Runs every strategy of the scenario. Ends early, with a partial report, when `cancel` is set.
///
/// # Errors
/// A machine that could not be set up, a protocol violation or a wrong byte on a stream; what had been measured before
/// is lost only for the strategy at hand, and `report` holds the rest.
pub fn run(
    scenario: &Scenario,
    options: &Options<'_>,
    report: &mut Report,
    timelines: &mut Vec<Timeline>,
) -> Result<(), RunError> {
    let mut cycles = 0;
    let mut seconds = 0.0;
    let per_strategy = u64::from(scenario.burst.transfers) * u64::from(scenario.burst.bursts);
    let total = per_strategy * scenario.strategies.len() as u64;
    for (index, &strategy) in (0u64..).zip(&scenario.strategies) {
        if options.cancel.load(Ordering::Relaxed) {
            report.partial = true;
            break;
        }
        let outcome = bursts::run(
            scenario,
            strategy,
            options,
            &|done, now_cycles, now_seconds| {
                let (all, spent) = (cycles + now_cycles, seconds + now_seconds);
                (options.progress)(Progress {
                    strategy,
                    done: index * per_strategy + done,
                    total,
                    cycles: all,
                    rate: if spent > 0.0 { all as f64 / spent } else { 0.0 },
                });
            },
        )?;
        cycles += outcome.cycles;
        seconds += outcome.cpu_seconds;
        report.sim = SimReport::new(cycles, seconds);
        report.add(outcome.report);
        timelines.push(outcome.timeline);
    }
    Ok(())
}

/// What one strategy came to.
pub(crate) struct Outcome {
    report: StrategyReport,
    timeline: Timeline,
    cycles: u64,
    cpu_seconds: f64,
}
