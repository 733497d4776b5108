//! Transfers and faults at random: a seed and a number make a scenario, the whole chain runs it, and what came of it is judged.

mod cases;
mod judge;
mod shrink;

pub use cases::case;
pub use judge::{Finding, Kind};
pub use shrink::shrink;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::report::Report;
use crate::run::{self, Options};
use crate::scenario::{Scenario, Strategy};

/// What cases came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Cases.
    pub cases: u64,
    /// Faults that were injected.
    pub faults_injected: u64,
    /// Faults that found no occasion.
    pub faults_without_occasion: u64,
    /// Transfers whose report and bytes were checked.
    pub transfers_checked: u64,
    /// Of those, transfers that failed, as their faults allow.
    pub transfers_failed: u64,
    /// Bytes of the others.
    pub payload_bytes: u64,
    /// Device cycles that were simulated.
    pub device_cycles: u64,
}

impl Figures {
    /// Adds what another case came to.
    pub fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.faults_injected += other.faults_injected;
        self.faults_without_occasion += other.faults_without_occasion;
        self.transfers_checked += other.transfers_checked;
        self.transfers_failed += other.transfers_failed;
        self.payload_bytes += other.payload_bytes;
        self.device_cycles += other.device_cycles;
    }
}

/// Runs a case and judges it; `None` if `options` cut it short.
///
/// # Errors
/// What is wrong with what came of it.
pub fn check(scenario: &Scenario, options: &Options<'_>) -> Result<Option<Figures>, Finding> {
    let mut report = Report::new(scenario, run::ceiling_ns(scenario));
    // A panic of driver or model is a finding as any other; the machine that it left is dropped.
    let run = AssertUnwindSafe(|| run::run(scenario, options, &mut report, &mut Vec::new()));
    match catch_unwind(run) {
        Ok(ended) => ended.map_err(|error| Finding::new(Kind::Ended, error))?,
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or(panic.downcast_ref::<&str>().copied());
            return Err(Finding::new(Kind::Panicked, said.unwrap_or("no message")));
        }
    }
    if report.partial {
        return Ok(None);
    }
    let found = report
        .strategy(Strategy::Registered)
        .ok_or_else(|| Finding::new(Kind::Ended, "the strategy was not run"))?;
    judge::judge(scenario, found)?;
    let faults = found.faults.as_ref();
    Ok(Some(Figures {
        cases: 1,
        faults_injected: faults.map_or(0, |faults| faults.injected),
        faults_without_occasion: faults.map_or(0, |faults| faults.without_occasion),
        transfers_checked: found.completions,
        transfers_failed: faults.map_or(0, |faults| faults.failed.len() as u64),
        payload_bytes: found.bytes,
        device_cycles: report.sim.cycles,
    }))
}
