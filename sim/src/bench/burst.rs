//! Bursts of 24 transfers from the application's call on, with modelled CPUs; and the calibration with the thread's own figures.

use super::conditions::{Setting, X16, direction_name};
use super::probe::Context;
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::report::{Report, StrategyReport};
use crate::run;
use crate::scenario::{Direction, Scenario, Strategy};

/// Transfers of a burst.
const TRANSFERS: u32 = 24;

/// Lengths: 360 us at Gen3 x16, and a UHD frame of 4 bytes a pixel.
const LENGTHS: [u64; 2] = [4_400_000, 33_177_600];

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for length in LENGTHS {
        for direction in [Direction::C2h, Direction::H2c] {
            if quick && (length != LENGTHS[0] || direction != Direction::C2h) {
                continue;
            }
            let label = format!("{TRANSFERS} x {:.1} MB {direction:?}", length as f64 / 1e6);
            let weight = length as f64 / 1e6 * if quick { 0.3 } else { 1.2 };
            jobs.push(Job::new("burst", label, weight, move |context| {
                burst(context, length, direction)
            }));
        }
    }
    jobs
}

/// Runs one strategy of a scenario.
pub(super) fn run_one(
    context: &Context<'_>,
    scenario: &Scenario,
    strategy: Strategy,
) -> Result<StrategyReport, Error> {
    let mut scenario = scenario.clone();
    scenario.strategies = vec![strategy];
    let mut report = Report::new(&scenario, run::ceiling_ns(&scenario));
    run::run(&scenario, &context.options(), &mut report, &mut Vec::new())?;
    let found = report.strategy(strategy).filter(|found| found.complete);
    let found = found.cloned().ok_or(Error::Interrupted)?;
    match found.mismatches {
        0 => Ok(found),
        wrong => Err(Error::Wrong(wrong)),
    }
}

fn burst(context: &Context<'_>, length: u64, direction: Direction) -> Result<Vec<Row>, Error> {
    let transfers = if context.quick { 8 } else { TRANSFERS };
    let setting = Setting::reference(X16, direction);
    let limit = setting.limit();
    let mut scenario = setting.scenario();
    scenario.buffers.count = transfers;
    scenario.buffers.bytes = length;
    scenario.burst.transfers = transfers;
    scenario.burst.length_bytes = length;
    let report = run_one(context, &scenario, Strategy::Registered)?;
    let ceiling = run::ceiling_ns(&scenario);
    let conditions = Conditions::default()
        .with("link", X16.name)
        .with("direction", direction_name(direction))
        .with("round_trip_ns", 1000)
        .with("transfers", transfers)
        .with("transfer_bytes", length)
        .with("limit_by", limit.by);
    Ok(Point::new("burst", conditions)
        .maybe(
            "over_ceiling",
            report.burst_ns.map(|ns| ns / ceiling),
            "of ceiling time",
        )
        .figure("limit", 1.0 / limit.efficiency, "of ceiling time")
        .maybe("time", report.burst_ns.map(|ns| ns / 1e6), "ms")
        .figure("ceiling_time", ceiling / 1e6, "ms")
        .figure("idle_cycles", report.idle_data_cycles as f64, "cycles")
        .figure("list_wait_cycles", report.list_wait_cycles as f64, "cycles")
        .maybe("mmio_writes", report.mmio_writes, "per transfer")
        .maybe("mmio_reads", report.mmio_reads, "per transfer")
        .rows())
}

/// The scenario whose costs are those that the thread measured.
const CALIBRATION: &str = include_str!("../../scenarios/calibration.toml");

pub(super) fn calibration_jobs(_quick: bool) -> Vec<Job> {
    vec![Job::new(
        "calibration",
        "today's way".into(),
        6.0,
        calibrate,
    )]
}

/// What the thread's user measured, in the simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Set-up of a transfer, in microseconds.
    pub setup_us: f64,
    /// A transfer without its set-up, in microseconds.
    pub transfer_us: f64,
    /// Set-up over transfer.
    pub overhead: f64,
    /// What set-up alone has delayed the eighth transfer by, in milliseconds.
    pub eighth_late_ms: f64,
}

/// Runs the calibration scenario.
///
/// # Errors
/// It could not be run to its end.
pub fn calibration(context: &Context<'_>) -> Result<Calibration, Error> {
    let scenario = Scenario::parse("calibration.toml", CALIBRATION)?;
    let today = run_one(context, &scenario, Strategy::PerTransfer)?;
    let setup_us = today.setup_ns.ok_or(Error::Interrupted)? / 1000.0;
    let done: Vec<f64> = today
        .transfer_done_ns
        .iter()
        .map(|ns| ns / 1000.0)
        .collect();
    let (Some(&first), Some(&eighth)) = (done.first(), done.get(7)) else {
        return Err(Error::Interrupted);
    };
    // Between two completions lie one set-up and one transfer.
    let transfer_us = (eighth - first) / 7.0 - setup_us;
    Ok(Calibration {
        setup_us,
        transfer_us,
        overhead: setup_us / transfer_us,
        eighth_late_ms: (eighth - 8.0 * transfer_us) / 1000.0,
    })
}

fn calibrate(context: &Context<'_>) -> Result<Vec<Row>, Error> {
    let found = calibration(context)?;
    let conditions = Conditions::default()
        .with("link", X16.name)
        .with("strategy", Strategy::PerTransfer.name())
        .with("scenario", "calibration");
    Ok(Point::new("calibration", conditions)
        .figure("setup", found.setup_us, "us")
        .figure("transfer", found.transfer_us, "us")
        .figure("overhead", found.overhead * 100.0, "%")
        .figure("eighth_late", found.eighth_late_ms, "ms")
        .rows())
}
