//! The books over the bursts of a strategy, and the report that they come to.

use std::ops::Range;

use super::ceiling_ns;
use crate::cpu::Span as CpuSpan;
use crate::host::PAGE_BYTES;
use crate::report::{
    Deadlines, FailedTransfer, Faults, Label, Origin, Span, StrategyReport, Times,
};
use crate::scenario::{Costs, IommuMode, Scenario, Strategy};

/// Counters of the device that grow while data could move and does not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waits {
    /// Cycles in which data waited for a list.
    pub list: u64,
    /// Cycles in which link, credits and stream could have gone on and the engine offered nothing.
    pub idle: u64,
}

/// Sums and samples.
#[derive(Clone, Default)]
pub(super) struct Books {
    pub setup_work_ps: u64,
    /// From submission to visible completion, of each transfer of the burst at hand.
    pub in_flight: Vec<(u64, u64)>,
    pub burst_ns: Vec<f64>,
    pub first_byte_ns: Vec<f64>,
    pub first_data_ns: Vec<f64>,
    pub window_ns: f64,
    pub mmio: (u64, u64),
    pub waits: Waits,
    pub instructions: u64,
    pub interrupts: u64,
    /// CPU time of service routines, DPCs and looks for completions, where it is known.
    pub completion_work_ps: Option<u64>,
    /// When the driver learned of the first and of the last completion, of each burst.
    pub reaped_ns: Vec<(f64, f64)>,
    pub bytes: u64,
    pub completions: u64,
    pub mismatches: u64,
    pub done_ns: Vec<f64>,
    pub deadlines: Option<Deadlines>,
    /// Transfers that ended in an error.
    pub failed: Vec<FailedTransfer>,
    /// Faults injected, and those that found no occasion.
    pub faults: (u64, u64),
    /// Reads of the device that have no answer at the end.
    pub reads_out: u64,
    pub spans: Vec<Span>,
    /// Set-up after each burst's first transfer: hidden, and all of it, in picoseconds.
    hidden: (f64, f64),
    /// Transfers that this set-up was for.
    hideable: u64,
}

impl Books {
    /// Whether a burst that should have begun at `due_ps` and has ended at `end_ps` kept its deadline.
    pub fn deadline(&mut self, due_ps: u64, end_ps: u64, rate_hz: f64) {
        let took_ns = (end_ps - due_ps) as f64 / 1000.0;
        let deadlines = self.deadlines.get_or_insert(Deadlines {
            met: 0,
            missed: 0,
            worst_ns: 0.0,
        });
        deadlines.worst_ns = deadlines.worst_ns.max(took_ns);
        if took_ns <= 1e9 / rate_hz {
            deadlines.met += 1;
        } else {
            deadlines.missed += 1;
        }
    }

    /// How much of the set-up of all transfers but `first` passed while a transfer was in flight.
    pub fn hide<'a>(
        &mut self,
        scenario: &Scenario,
        first: Option<u32>,
        spans: impl Iterator<Item = &'a CpuSpan>,
    ) {
        self.hideable += u64::from(scenario.burst.transfers.saturating_sub(1));
        let mut busy = std::mem::take(&mut self.in_flight);
        busy.sort_unstable();
        let mut joined: Vec<Range<u64>> = Vec::new();
        for (start, end) in busy {
            match joined.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => joined.push(start..end),
            }
        }
        for span in spans {
            let Some(number) = span.transfer.filter(|_| span.transfer != first) else {
                continue;
            };
            let is_setup = match span.name {
                "map" => true,
                // A copy after a card-to-host transfer is no set-up.
                "copy" => !scenario.burst.is_c2h(number),
                _ => false,
            };
            if !is_setup {
                continue;
            }
            self.hidden.1 += (span.end_ps - span.start_ps) as f64;
            for stretch in &joined {
                let from = span.start_ps.max(stretch.start);
                let to = span.end_ps.min(stretch.end);
                self.hidden.0 += to.saturating_sub(from) as f64;
            }
        }
    }

    /// What they come to.
    pub fn report(
        self,
        scenario: &Scenario,
        strategy: Strategy,
        costs: &Costs,
        complete: bool,
    ) -> StrategyReport {
        let transfers = self.completions.max(1) as f64;
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let label = |label| Origin {
            label,
            ..Origin::default()
        };
        let ceiling = ceiling_ns(scenario) * self.burst_ns.len() as f64;
        StrategyReport {
            complete,
            setup_ns: (self.completions > 0)
                .then_some(self.setup_work_ps as f64 / 1000.0 / transfers),
            first_byte_ns: mean(&self.first_byte_ns),
            first_data_ns: mean(&self.first_data_ns),
            burst_ns: mean(&self.burst_ns),
            efficiency: (self.window_ns > 0.0).then(|| ceiling / self.window_ns),
            mmio_writes: (self.completions > 0).then(|| self.mmio.0 as f64 / transfers),
            mmio_reads: (self.completions > 0).then(|| self.mmio.1 as f64 / transfers),
            bytes: self.bytes,
            mismatches: self.mismatches,
            completions: self.completions,
            times: Times {
                setup: label(Label::Both),
                first_byte: label(Label::Counted),
                burst: label(Label::Both),
            },
            hidden_setup: (self.hidden.1 > 0.0).then(|| self.hidden.0 / self.hidden.1),
            not_hidden_ns: (self.hidden.1 > 0.0)
                .then(|| (self.hidden.1 - self.hidden.0) / 1000.0 / self.hideable.max(1) as f64),
            list_wait_cycles: self.waits.list,
            idle_data_cycles: self.waits.idle,
            instructions: Some(self.instructions as f64 / transfers),
            interrupts: (self.completions > 0).then(|| self.interrupts as f64 / transfers),
            completion_ns: self
                .completion_work_ps
                .filter(|_| self.completions > 0)
                .map(|ps| ps as f64 / 1000.0 / transfers),
            first_reaped_ns: mean(&self.reaped_ns.iter().map(|ns| ns.0).collect::<Vec<_>>()),
            last_reaped_ns: mean(&self.reaped_ns.iter().map(|ns| ns.1).collect::<Vec<_>>()),
            registration_ns: Some(registration_ns(scenario, strategy, costs)),
            transfer_done_ns: self.done_ns,
            deadlines: self.deadlines,
            faults: (!scenario.faults.is_empty()).then_some(Faults {
                injected: self.faults.0,
                without_occasion: self.faults.1,
                failed: self.failed,
                reads_out: self.reads_out,
            }),
            ..StrategyReport::new(strategy)
        }
    }
}

/// What registering costs, once: locking the buffers and, where the mapping lasts, mapping and listing them.
fn registration_ns(scenario: &Scenario, strategy: Strategy, costs: &Costs) -> f64 {
    let buffers = &scenario.buffers;
    let pages = (u64::from(buffers.first_byte_offset_bytes) + buffers.bytes).div_ceil(PAGE_BYTES);
    let mut each = costs.lock_per_page_ns.value * pages as f64;
    if strategy == Strategy::Registered {
        each += costs.map_ns(pages);
        if scenario.host.iommu == IommuMode::Remap {
            each += costs.iommu_map_per_page_ns.value * pages as f64;
        }
    }
    each * f64::from(buffers.count)
}
