//! What the machine's calls cost in the scenario, and the record of who spent time on what.

use std::cell::RefCell;
use std::rc::Rc;

use crate::scenario::{Costs, IommuMode};

/// A stretch of CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub cpu: usize,
    pub start_ps: u64,
    pub end_ps: u64,
    pub what: What,
    /// Pages, for [`What::Map`].
    pub units: u64,
}

/// What a CPU did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Call,
    Map,
    Unmap,
    Doorbell,
    Isr,
    Dpc,
    Driver,
}

impl What {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Call => "ioctl",
            Self::Map => "map",
            Self::Unmap => "release",
            Self::Doorbell => "doorbell",
            Self::Isr => "isr",
            Self::Dpc => "dpc",
            Self::Driver => "driver",
        }
    }
}

/// The record; clones are the same one.
pub(super) type Record = Rc<RefCell<Vec<Spent>>>;

/// The scenario's costs, by the names of the calls.
pub(super) struct ScenarioCosts {
    costs: Costs,
    remap: bool,
    record: Record,
}

/// A call of the framework that no cost of the scenario names, in nanoseconds: a few dozen instructions.
const CALL_NS: f64 = 20.0;

impl ScenarioCosts {
    pub(super) fn new(costs: Costs, iommu: IommuMode, record: Record) -> Self {
        Self {
            costs,
            remap: iommu == IommuMode::Remap,
            record,
        }
    }

    fn ns(&self, ddi: &str, units: u64) -> f64 {
        let costs = &self.costs;
        let pages = units as f64;
        match ddi {
            "NtDeviceIoControlFile" => costs.ioctl_ns.value,
            "WRITE_REGISTER_ULONG" | "WRITE_REGISTER_ULONG64" => costs.mmio_write_ns.value,
            "WdfDmaTransactionInitializeUsingOffset" => costs.map_fixed_ns.value,
            "WdfDmaTransactionExecute" => {
                let remap = if self.remap {
                    costs.iommu_map_per_page_ns.value
                } else {
                    0.0
                };
                (costs.map_per_page_ns.value + remap) * pages
            }
            "WdfDmaTransactionDmaCompletedFinal" => {
                let remap = if self.remap {
                    costs.iommu_invalidate_ns.value
                } else {
                    0.0
                };
                costs.unmap_fixed_ns.value + costs.unmap_per_page_ns.value * pages + remap
            }
            "MmProbeAndLockPages" => costs.lock_per_page_ns.value * pages,
            "EvtInterruptIsr" => costs.interrupt_ns.value + costs.isr_ns.value,
            "WdfInterruptQueueDpcForIsr" => costs.dpc_latency_ns.value + costs.dpc_ns.value,
            _ => CALL_NS,
        }
    }
}

impl kmdf_sim::Costs for ScenarioCosts {
    fn of(&self, ddi: &'static str, units: u64) -> u64 {
        (self.ns(ddi, units) * 1000.0).round() as u64
    }

    fn spent(&self, cpu: usize, start_ps: u64, end_ps: u64, ddi: &'static str, units: u64) {
        let what = match ddi {
            "NtDeviceIoControlFile" => What::Call,
            "WRITE_REGISTER_ULONG" | "WRITE_REGISTER_ULONG64" => What::Doorbell,
            "WdfDmaTransactionInitializeUsingOffset" | "WdfDmaTransactionExecute" => What::Map,
            "WdfDmaTransactionDmaCompletedFinal" => What::Unmap,
            "EvtInterruptIsr" => What::Isr,
            "WdfInterruptQueueDpcForIsr" => What::Dpc,
            _ => What::Driver,
        };
        let units = if ddi == "WdfDmaTransactionExecute" {
            units
        } else {
            0
        };
        self.record.borrow_mut().push(Spent {
            cpu,
            start_ps,
            end_ps,
            what,
            units,
        });
    }
}
