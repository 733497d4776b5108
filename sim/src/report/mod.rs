//! What a run found out, and how it is shown: JSON, a printed table, a self-contained HTML page, SVG pictures.
//!
//! The runner builds a [`Report`] with [`Report::new`] and adds one [`StrategyReport`] per strategy; times carry a label that says
//! whether they were *modelled* (a stated cost enters), *counted* (cycles, instructions) or both. A report that was cut
//! short says so in every output.

mod bars;
mod expect;
mod format;
mod html;
#[cfg(test)]
mod sample;
mod table;
#[cfg(test)]
mod tests;
mod timeline;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scenario::{Direction, Scenario, Strategy};

pub use expect::{Unmet, unmet};
pub use html::html;
pub use table::table;
pub use timeline::{Lane, Span, Timeline, timelines_svg};

/// Version of the JSON form. Fields may be added under the same number, never renamed or removed.
pub const SCHEMA: u32 = 1;

/// Everything that a run found out. Its JSON form is stable; see [`SCHEMA`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The scenario's description.
    pub description: String,
    /// Width of the data path in bits.
    pub width: u32,
    /// Clock of the data path in MHz.
    pub clock_mhz: u32,
    /// The scenario's seed.
    pub seed: u64,
    /// Whether the run was cut short: strategies are missing, or the last one is incomplete.
    pub partial: bool,
    /// The link.
    pub link: LinkReport,
    /// The workload.
    pub workload: Workload,
    /// One entry per strategy that was run, in that order.
    pub strategies: Vec<StrategyReport>,
    /// How fast the simulation ran.
    pub sim: SimReport,
    /// The stated costs that the modelled times are made of.
    pub costs: Vec<CostReport>,
    /// What the firmware logged, strategy by strategy.
    pub firmware_log: Vec<String>,
}

/// The PCIe link of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// PCIe generation.
    pub generation: u32,
    /// Lanes.
    pub lanes: u32,
    /// Max_Payload_Size in bytes.
    pub mps_bytes: u32,
    /// Max_Read_Request_Size in bytes.
    pub mrrs_bytes: u32,
    /// Time of one burst's payload at the link's ceiling, in nanoseconds: what an efficiency of 1 would take.
    pub ceiling_ns: f64,
}

/// The workload of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Number of buffers.
    pub buffers: u32,
    /// Size of each buffer in bytes.
    pub buffer_bytes: u64,
    /// Transfers of a burst.
    pub transfers: u32,
    /// Length of the longest in bytes.
    pub length_bytes: u64,
    /// Lengths that they take in turn, in bytes; empty: all are equally long.
    pub lengths_bytes: Vec<u64>,
    /// Which way they go.
    pub direction: Direction,
    /// Bursts.
    pub bursts: u32,
    /// Frame rates to compare with, in Hz.
    pub frame_rate_hz: Vec<f64>,
    /// Rate at which bursts begin and by which they must end, in Hz.
    pub deadline_hz: Option<f64>,
    /// CPUs of the host.
    pub cpus: u32,
}

/// What one strategy took. Times and rates are `null` in JSON where a run that was cut short has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyReport {
    /// Which strategy.
    pub name: Strategy,
    /// Whether every transfer of the scenario was run.
    pub complete: bool,
    /// CPU time that a transfer needs before its doorbell, mean over all transfers, in nanoseconds. Registration is not in it.
    pub setup_ns: Option<f64>,
    /// From the first doorbell's arrival at the device to the first data TLP, mean over the bursts, in nanoseconds. Cold: the
    /// first transfer of a burst finds nothing of its region on chip.
    pub first_byte_ns: Option<f64>,
    /// From the first host action of a burst to its first data TLP, mean over the bursts, in nanoseconds.
    pub first_data_ns: Option<f64>,
    /// From the first host action of a burst to its last completion visible, mean over the bursts, in nanoseconds.
    pub burst_ns: Option<f64>,
    /// Payload over (time x link ceiling), from the first doorbell to the last completion visible; 1 is the ceiling.
    pub efficiency: Option<f64>,
    /// MMIO writes per transfer (TLPs), counted.
    pub mmio_writes: Option<f64>,
    /// MMIO reads per transfer, counted.
    pub mmio_reads: Option<f64>,
    /// Payload bytes moved, all bursts.
    pub bytes: u64,
    /// Payload bytes that differ from what was sent, all bursts.
    pub mismatches: u64,
    /// Completion entries seen, all bursts.
    pub completions: u64,
    /// Where the three times come from, and their ranges.
    pub times: Times,
    /// Burst time over the frame period, for each frame rate of the scenario. Filled by [`Report::add`].
    pub frames: Vec<FrameShare>,
    /// Part of the set-up of all transfers but the first that passed behind running transfers, 0 to 1.
    pub hidden_setup: Option<f64>,
    /// Set-up after the first transfer that did not pass behind running transfers, in nanoseconds per transfer.
    pub not_hidden_ns: Option<f64>,
    /// Device cycles in which data waited for a list, between queued transfers or within one.
    pub list_wait_cycles: u64,
    /// Device cycles in which link, credits and stream could have gone on and an engine at work offered nothing.
    pub idle_data_cycles: u64,
    /// Driver instructions per transfer, submission and reaping, counted.
    pub instructions: Option<f64>,
    /// Interrupts per transfer, counted.
    #[serde(default)]
    pub interrupts: Option<f64>,
    /// CPU time per transfer that noticing completions takes (service routine, DPC, or polling), in nanoseconds, modelled.
    #[serde(default)]
    pub completion_ns: Option<f64>,
    /// From the first host action of a burst to the driver's learning of its first completion, mean over the bursts, in nanoseconds.
    #[serde(default)]
    pub first_reaped_ns: Option<f64>,
    /// The same of its last completion.
    #[serde(default)]
    pub last_reaped_ns: Option<f64>,
    /// One-off time of registering all buffers, in nanoseconds, modelled.
    pub registration_ns: Option<f64>,
    /// When each transfer of the first burst was complete, from its first host action, in nanoseconds.
    pub transfer_done_ns: Vec<f64>,
    /// How the deadlines were kept, if the scenario has any.
    pub deadlines: Option<Deadlines>,
    /// What came of the scenario's faults, if it has any.
    #[serde(default)]
    pub faults: Option<Faults>,
}

/// What came of a scenario's faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Faults that were injected.
    pub injected: u64,
    /// Faults that found no occasion.
    pub without_occasion: u64,
    /// Transfers that ended in an error.
    pub failed: Vec<FailedTransfer>,
    /// Reads of the device that have no answer at the end.
    pub reads_out: u64,
}

/// A transfer that ended in an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTransfer {
    /// Burst, counted from 0.
    pub burst: u32,
    /// Transfer, counted from 0.
    pub transfer: u32,
    /// How it ended.
    pub status: String,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            injected,
            without_occasion,
            failed,
            reads_out: _,
        } = self;
        write!(
            f,
            "faults: {injected} injected, {without_occasion} without an occasion; {} transfers failed",
            failed.len()
        )?;
        let mut lead = ": ";
        for FailedTransfer {
            burst,
            transfer,
            status,
        } in failed
        {
            write!(f, "{lead}{transfer} of burst {burst} {status}")?;
            lead = ", ";
        }
        Ok(())
    }
}

/// Origins of a strategy's three times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Of `setup_ns`.
    pub setup: Origin,
    /// Of `first_byte_ns`.
    pub first_byte: Origin,
    /// Of `burst_ns`.
    pub burst: Origin,
}

/// Where a time comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// How it was found.
    pub label: Label,
    /// With every stated cost at its cheapest, in nanoseconds.
    pub low_ns: Option<f64>,
    /// With every stated cost at its dearest, in nanoseconds.
    pub high_ns: Option<f64>,
}

/// How a time was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Label {
    /// Computed from stated costs alone.
    #[serde(rename = "modelled")]
    Modelled,
    /// From device cycles or instructions alone.
    #[serde(rename = "counted")]
    Counted,
    /// Counted cycles or instructions, and stated costs.
    #[default]
    #[serde(rename = "modelled + counted")]
    Both,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modelled => "modelled",
            Self::Counted => "counted",
            Self::Both => "modelled + counted",
        })
    }
}

/// A burst time as a part of a frame period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameShare {
    /// Frame rate in Hz.
    pub rate_hz: f64,
    /// Burst time over frame period; above 1 the burst does not fit.
    pub share: f64,
}

/// How the deadlines of a strategy's bursts were kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Bursts that were complete one frame period after their beginning.
    pub met: u64,
    /// Bursts that were not.
    pub missed: u64,
    /// The longest burst, from its frame's beginning, in nanoseconds.
    pub worst_ns: f64,
}

/// How fast the simulation ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SimReport {
    /// Device cycles that were simulated; skipped idle ones are not counted.
    pub cycles: u64,
    /// CPU seconds that the simulating machine took for them.
    pub cpu_seconds: f64,
    /// Their quotient; 0 before anything was simulated.
    pub cycles_per_cpu_second: f64,
}

impl SimReport {
    /// Result of `cycles` device cycles in `cpu_seconds` CPU seconds.
    pub fn new(cycles: u64, cpu_seconds: f64) -> Self {
        let rate = if cpu_seconds > 0.0 {
            cycles as f64 / cpu_seconds
        } else {
            0.0
        };
        Self {
            cycles,
            cpu_seconds,
            cycles_per_cpu_second: rate,
        }
    }
}

/// A stated cost, as the scenario gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostReport {
    /// Key in the scenario file, with its unit.
    pub key: String,
    /// The value that was used.
    pub value: f64,
    /// Lower end of its range.
    pub low: f64,
    /// Upper end of its range.
    pub high: f64,
    /// Where it comes from.
    pub source: String,
}

impl StrategyReport {
    /// What `registration_ns` is the time of.
    fn registration(&self) -> &'static str {
        match self.name {
            Strategy::Registered => "locking and listing all buffers",
            _ => "locking all buffers",
        }
    }

    /// A report of `name` with nothing measured yet.
    pub fn new(name: Strategy) -> Self {
        Self {
            name,
            complete: false,
            setup_ns: None,
            first_byte_ns: None,
            first_data_ns: None,
            burst_ns: None,
            efficiency: None,
            mmio_writes: None,
            mmio_reads: None,
            bytes: 0,
            mismatches: 0,
            completions: 0,
            times: Times::default(),
            frames: Vec::new(),
            hidden_setup: None,
            not_hidden_ns: None,
            list_wait_cycles: 0,
            idle_data_cycles: 0,
            instructions: None,
            interrupts: None,
            completion_ns: None,
            first_reaped_ns: None,
            last_reaped_ns: None,
            registration_ns: None,
            transfer_done_ns: Vec::new(),
            deadlines: None,
            faults: None,
        }
    }
}

impl Report {
    /// A report on `scenario` without results. `ceiling_ns` is the time of one burst's payload at the link's ceiling.
    pub fn new(scenario: &Scenario, ceiling_ns: f64) -> Self {
        let (link, burst) = (&scenario.link, &scenario.burst);
        let costs = scenario
            .host
            .costs
            .entries()
            .into_iter()
            .map(|(key, cost)| CostReport {
                key: key.to_string(),
                value: cost.value,
                low: cost.low,
                high: cost.high,
                source: cost.source.clone(),
            });
        Self {
            schema: SCHEMA,
            scenario: scenario.name.clone(),
            description: scenario.description.clone(),
            width: scenario.device.width_bits,
            clock_mhz: scenario.device.clock_mhz,
            seed: scenario.seed,
            partial: false,
            link: LinkReport {
                generation: link.generation,
                lanes: link.lanes,
                mps_bytes: link.mps_bytes,
                mrrs_bytes: link.mrrs_bytes,
                ceiling_ns,
            },
            workload: Workload {
                buffers: scenario.buffers.count,
                buffer_bytes: scenario.buffers.bytes,
                transfers: burst.transfers,
                length_bytes: burst.longest_bytes(),
                lengths_bytes: burst.lengths_bytes.clone(),
                direction: burst.direction,
                bursts: burst.bursts,
                frame_rate_hz: burst.frame_rate_hz.clone(),
                deadline_hz: burst.deadline_hz,
                cpus: scenario.host.cpus,
            },
            strategies: Vec::new(),
            sim: SimReport::default(),
            costs: costs.collect(),
            firmware_log: Vec::new(),
        }
    }

    /// Adds a strategy's results, with its shares of the frame periods. An incomplete one makes the report partial.
    pub fn add(&mut self, mut strategy: StrategyReport) {
        strategy.frames = match strategy.burst_ns {
            Some(burst_ns) => self
                .workload
                .frame_rate_hz
                .iter()
                .map(|&rate_hz| FrameShare {
                    rate_hz,
                    share: burst_ns * rate_hz / 1e9,
                })
                .collect(),
            None => Vec::new(),
        };
        self.partial |= !strategy.complete;
        self.strategies.push(strategy);
    }

    /// The results of one strategy, if it was run.
    pub fn strategy(&self, name: Strategy) -> Option<&StrategyReport> {
        self.strategies
            .iter()
            .find(|strategy| strategy.name == name)
    }

    /// The stable JSON form, indented.
    ///
    /// # Errors
    /// Only if memory runs out: every field has a JSON form.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// One sentence that answers the question behind the project: what does set-up cost, and what is left of it?
    pub fn summary(&self) -> String {
        let found = |name| {
            let strategy = self.strategy(name).filter(|strategy| strategy.complete)?;
            Some((strategy.setup_ns?, strategy.burst_ns?))
        };
        let (Some((old_setup, old_burst)), Some((new_setup, new_burst))) =
            (found(Strategy::PerTransfer), found(Strategy::Registered))
        else {
            return "A comparison needs complete runs of per-transfer and registered.".to_string();
        };
        let less = if new_setup > 0.0 {
            format!(" ({} times less)", format::number(old_setup / new_setup))
        } else {
            String::new()
        };
        format!(
            "Set-up per transfer: {} per-transfer → {} registered{less}. Last completion of the burst: {} → {}; the link's \
             ceiling is {}.",
            format::time(old_setup),
            format::time(new_setup),
            format::time(old_burst),
            format::time(new_burst),
            format::time(self.link.ceiling_ns),
        )
    }

    /// What was moved, in words: "8 transfers of 4,400,000 bytes, card to host".
    fn workload_in_words(&self) -> String {
        let work = &self.workload;
        let direction = match work.direction {
            Direction::C2h => "card to host",
            Direction::H2c => "host to card",
            Direction::Both => "both ways in turn",
        };
        let plural = |count: u32, word: &str| {
            let ending = if count == 1 { "" } else { "s" };
            format!("{} {word}{ending}", format::count(count.into()))
        };
        let up_to = if work.lengths_bytes.is_empty() {
            ""
        } else {
            "up to "
        };
        format!(
            "{} of {} of {up_to}{} bytes, {direction}",
            plural(work.bursts, "burst"),
            plural(work.transfers, "transfer"),
            format::count(work.length_bytes),
        )
    }
}
