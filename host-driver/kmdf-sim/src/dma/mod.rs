//! DMA of the machine: adapters as Windows gives them out, and what the device may reach.
//!
//! - [`config`](DmaConfig): system, platform and INF, and what follows from them
//! - [`domain`](Domain): a device's bus addresses, with rights to the byte
//! - `hal`: adapters, lists, common buffers, map registers

mod config;
mod domain;
mod hal;
mod operations;
mod state;
#[cfg(test)]
mod tests;

pub use config::{DmaConfig, InfPolicy, Iommu, OsVersion, Translation};
pub use domain::{BusRun, Domain, MapRefusal, MapRequest, MappingId, Rights};
pub use hal::{
    Adapter, AdapterRequest, DeviceId, Finding, Hal, ListRefusal, ListRequest, TransferNeeds,
    list_bytes,
};
pub use state::DeviceMemory;

pub(crate) use operations::{OPERATIONS, map_or_wait, put, serve_waiting};
pub(crate) use state::{
    DEVICE, MachineBus, State, Waiter, cancel_waits_of, report_leaks, with_hal,
};

/// Bus addresses of the common buffers that the driver has allocated, in ascending order; the machine runs on this host thread.
#[must_use]
pub fn common_buffers() -> Vec<std::ops::Range<u64>> {
    with_hal(|hal| hal.common_buffers())
}
