//! Runs a scenario: for each strategy a fresh machine, its bursts, and what they took.

mod bench;
mod books;
mod bursts;
mod faults;
mod instructions;
mod kmdf;
mod log;
mod proof;
mod setup;
mod stop;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

pub use bench::ReapError;
pub use faults::FaultError;
pub(crate) use instructions::submit as submit_instructions;
pub use kmdf::pinring;
pub use setup::{Bench, DOMAIN, Queue, SetupError, link_config};
pub use stop::RunError;

use crate::device::Tools;
use crate::link::Direction as Wire;
use crate::report::{Origin, Report, SimReport, StrategyReport, Timeline};
use crate::scenario::{Bound, Direction, Scenario, Strategy};

/// Which driver is between the workload and the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Driver {
    /// The portable core, on a modelled host.
    #[default]
    Core,
    /// The Windows driver's own code and the client library, on a modelled Windows.
    Kmdf,
}

/// What a run needs beside its scenario.
pub struct Options<'a> {
    /// Where processor and firmware are.
    pub tools: Tools,
    /// Who drives the device.
    pub driver: Driver,
    /// With [`Driver::Kmdf`]: random delays and thread switches wherever the driver calls the system or touches the device, from the
    /// scenario's seed. Times are then those of an unlucky machine.
    pub preempt: bool,
    /// Write the device's signals here (VCD). Slow, and large.
    pub trace: Option<PathBuf>,
    /// Run each strategy twice more, with the stated costs at their cheapest and at their dearest: the ranges of its times.
    pub ranges: bool,
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
            .map(|i| burst.length_of(i) as f64)
            .sum::<f64>()
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
    let bounds: &[Bound] = if options.ranges {
        &[Bound::Stated, Bound::Cheapest, Bound::Dearest]
    } else {
        &[Bound::Stated]
    };
    let mut cycles = 0;
    let mut seconds = 0.0;
    let each = u64::from(scenario.burst.transfers) * u64::from(scenario.burst.bursts);
    let total = each * (scenario.strategies.len() * bounds.len()) as u64;
    let mut begun = 0;
    for &strategy in &scenario.strategies {
        let mut found: Option<StrategyReport> = None;
        let mut ends = Vec::new();
        for &bound in bounds {
            if options.cancel.load(Ordering::Relaxed) {
                report.partial = true;
                break;
            }
            let show = |done, now_cycles, now_seconds| {
                let (all, spent) = (cycles + now_cycles, seconds + now_seconds);
                (options.progress)(Progress {
                    strategy,
                    done: begun + done,
                    total,
                    cycles: all,
                    rate: if spent > 0.0 { all as f64 / spent } else { 0.0 },
                });
            };
            let log = &mut report.firmware_log;
            let outcome = match options.driver {
                Driver::Core => bursts::run(scenario, strategy, bound, options, &show, log)?,
                Driver::Kmdf => kmdf::run(scenario, strategy, bound, options, &show, log)?,
            };
            begun += each;
            cycles += outcome.cycles;
            seconds += outcome.cpu_seconds;
            report.sim = SimReport::new(cycles, seconds);
            match &mut found {
                None => {
                    timelines.push(outcome.timeline);
                    found = Some(outcome.report);
                }
                // A wrong byte counts wherever it turns up.
                Some(stated) => {
                    stated.mismatches += outcome.report.mismatches;
                    ends.push(outcome.report);
                }
            }
        }
        let Some(mut strategy) = found else {
            break;
        };
        if let [cheap, dear] = ends.as_slice()
            && cheap.complete
            && dear.complete
        {
            set_ranges(&mut strategy, cheap, dear);
        }
        report.add(strategy);
    }
    report.partial |= options.cancel.load(Ordering::Relaxed);
    Ok(())
}

/// Enters what the runs at both ends of the stated costs came to.
fn set_ranges(stated: &mut StrategyReport, cheap: &StrategyReport, dear: &StrategyReport) {
    let enter = |origin: &mut Origin, times: [Option<f64>; 3]| {
        let found = || times.iter().copied().flatten();
        origin.low_ns = found().reduce(f64::min);
        origin.high_ns = found().reduce(f64::max);
    };
    let times = &mut stated.times;
    enter(
        &mut times.setup,
        [stated.setup_ns, cheap.setup_ns, dear.setup_ns],
    );
    enter(
        &mut times.first_byte,
        [
            stated.first_byte_ns,
            cheap.first_byte_ns,
            dear.first_byte_ns,
        ],
    );
    enter(
        &mut times.burst,
        [stated.burst_ns, cheap.burst_ns, dear.burst_ns],
    );
}

/// What one strategy came to.
pub(crate) struct Outcome {
    report: StrategyReport,
    timeline: Timeline,
    cycles: u64,
    cpu_seconds: f64,
}
