//! What an operating system's calls cost: stated numbers, each with a range and a source.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A stated cost or rate, in the unit of its key.
///
/// In a scenario file either a number, or a table `{ value, low, high, source }`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cost {
    /// The value that a run uses.
    pub value: f64,
    /// Lower end of what is plausible. Left out: the value.
    pub low: f64,
    /// Upper end of what is plausible. Left out: the value.
    pub high: f64,
    /// Where the number comes from. Left out: "the scenario file".
    pub source: String,
}

impl Cost {
    fn new(value: f64, low: f64, high: f64, source: &str) -> Self {
        Self {
            value,
            low,
            high,
            source: source.to_string(),
        }
    }

    fn given(value: f64) -> Self {
        Self::new(value, value, value, "the scenario file")
    }
}

/// The table form of [`Cost`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CostTable {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    source: Option<String>,
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrTable;

        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = Cost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or { value, low, high, source }")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Cost, E> {
                Ok(Cost::given(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Cost, E> {
                Ok(Cost::given(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Cost, E> {
                Ok(Cost::given(value as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cost, A::Error> {
                let table = CostTable::deserialize(MapAccessDeserializer::new(map))?;
                let given = Cost::given(table.value);
                Ok(Cost {
                    low: table.low.unwrap_or(given.low),
                    high: table.high.unwrap_or(given.high),
                    source: table.source.unwrap_or(given.source),
                    ..given
                })
            }
        }

        deserializer.deserialize_any(NumberOrTable)
    }
}

/// Which end of every range a calculation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The end at which the host is fastest.
    Cheapest,
    /// The stated values.
    Stated,
    /// The end at which the host is slowest.
    Dearest,
}

/// Declares [`Costs`], its defaults and a walk over its fields from one list.
macro_rules! costs {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ident($value:literal, $low:literal, $high:literal, $source:literal);)+) => {
        /// What the host's operating system and CPU cost: numbers that the simulation states, not counts.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, default)]
        pub struct Costs {
            $($(#[doc = $doc])+ pub $field: Cost,)+
        }

        impl Default for Costs {
            fn default() -> Self {
                Self { $($field: Cost::new($value, $low, $high, $source),)+ }
            }
        }

        impl Costs {
            /// Key and cost of every entry, in the order of the documentation.
            pub fn entries(&self) -> Vec<(&'static str, &Cost)> {
                vec![$((stringify!($field), &self.$field),)+]
            }

            /// The same costs with every `value` replaced by one end of its range.
            #[must_use]
            pub fn at(&self, bound: Bound) -> Self {
                let mut costs = self.clone();
                $(costs.$field.value = pick(&self.$field, bound, Kind::$kind);)+
                costs
            }
        }
    };
}

enum Kind {
    /// More is slower.
    Price,
    /// More is faster.
    Rate,
}

fn pick(cost: &Cost, bound: Bound, kind: Kind) -> f64 {
    match (bound, kind) {
        (Bound::Stated, _) => cost.value,
        (Bound::Cheapest, Kind::Price) | (Bound::Dearest, Kind::Rate) => cost.low,
        (Bound::Dearest, Kind::Price) | (Bound::Cheapest, Kind::Rate) => cost.high,
    }
}

costs! {
    /// Set-up of one mapping, whatever its size (WdfDmaTransactionInitialize and the fixed part of Execute).
    map_fixed_ns: Price(8000.0, 6000.0, 10000.0,
        "user's measurement: WdfDmaTransactionInitialize takes about 8 us");
    /// Mapping and listing one 4 KiB page (WdfDmaTransactionExecute).
    map_per_page_ns: Price(142.0, 110.0, 175.0,
        "user's measurement: Execute takes 152 us for a transfer of 360 us at Gen3 x16, about 4.4 MB or 1,070 pages");
    /// Release of one mapping, whatever its size (WdfDmaTransactionDmaCompleted, PutScatterGatherList).
    unmap_fixed_ns: Price(2000.0, 500.0, 4000.0,
        "estimate: frees one list");
    /// Release of one 4 KiB page of a mapping.
    unmap_per_page_ns: Price(2.0, 0.0, 10.0,
        "estimate: without remapping or bouncing nothing is done per page");
    /// Locking one page at registration, once per buffer (MmProbeAndLockPages).
    lock_per_page_ns: Price(940.0, 100.0, 1500.0,
        "measured elsewhere: pinning takes about 0.94 us a 4 KiB page, most of it zeroing");
    /// Entering one page into the IOMMU's tables; paid only with `iommu = "remap"`.
    iommu_map_per_page_ns: Price(100.0, 50.0, 300.0,
        "estimate: one table entry and its flush");
    /// Invalidating the IOMMU's cache after an unmapping; paid only with `iommu = "remap"`.
    iommu_invalidate_ns: Price(2000.0, 500.0, 10000.0,
        "estimate: one queued invalidation and its wait");
    /// Rate of a CPU's copy between two buffers in memory.
    copy_bytes_per_ns: Rate(12.0, 10.0, 15.0,
        "user's measurement: 2 to 3 ms for 30 MB with AVX-512");
    /// One call from the application into the driver and back (DeviceIoControl).
    ioctl_ns: Price(1500.0, 500.0, 4000.0,
        "estimate: system call, request object, queue dispatch");
    /// From the MSI-X write's arrival to the first instruction of the ISR.
    interrupt_ns: Price(1000.0, 500.0, 3000.0,
        "estimate: vector delivery and kernel entry on an awake core");
    /// The ISR's own time.
    isr_ns: Price(500.0, 200.0, 2000.0,
        "estimate: queues the DPC, no MMIO read");
    /// From the ISR's end to the first instruction of the DPC.
    dpc_latency_ns: Price(1000.0, 300.0, 10000.0,
        "estimate: DPC queue of an otherwise idle core");
    /// The DPC's fixed time; the driver's counted instructions come on top.
    dpc_ns: Price(1500.0, 500.0, 5000.0,
        "estimate: completes one request");
    /// From a thread's being made ready to its first instruction.
    thread_wake_ns: Price(3000.0, 1000.0, 20000.0,
        "estimate: wake-up and context switch");
    /// One posted MMIO write, as the CPU sees it.
    mmio_write_ns: Price(100.0, 50.0, 300.0,
        "measured elsewhere: uncached writes follow each other by 50 to 300 ns");
    /// Rate at which the driver's counted instructions are executed.
    instructions_per_ns: Rate(3.0, 1.0, 9.0,
        "estimate: 3 GHz at 1 instruction a cycle, between 1/3 and 3");
}

impl Costs {
    /// Mapping `pages` pages for one transfer, without what the IOMMU adds, in nanoseconds.
    pub fn map_ns(&self, pages: u64) -> f64 {
        self.map_fixed_ns.value + self.map_per_page_ns.value * pages as f64
    }

    /// Undoing [`Self::map_ns`], in nanoseconds.
    pub fn unmap_ns(&self, pages: u64) -> f64 {
        self.unmap_fixed_ns.value + self.unmap_per_page_ns.value * pages as f64
    }

    /// Copying `bytes` bytes, in nanoseconds.
    pub fn copy_ns(&self, bytes: u64) -> f64 {
        bytes as f64 / self.copy_bytes_per_ns.value
    }

    /// Executing `count` counted instructions, in nanoseconds.
    pub fn instructions_ns(&self, count: u64) -> f64 {
        count as f64 / self.instructions_per_ns.value
    }
}
