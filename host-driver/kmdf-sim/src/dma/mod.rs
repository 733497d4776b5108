//! DMA of the machine: adapters as Windows gives them out, and what the device may reach.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | system, platform and INF, and how the HAL translates because of them |
//! | `domain.rs` | a device's bus addresses, with rights to the byte; map registers |
//! | `hal.rs` | adapters; `lists.rs`, `lasting.rs` and `access.rs` are its further functions |
//! | `operations.rs` | the routines behind `DMA_ADAPTER::DmaOperations` |
//! | `state.rs` | the HAL's place in the machine |
//!
//! A test picks what the HAL does by [`Config::dma`](crate::Config::dma):
//!
//! ```
//! use kmdf_sim::dma::{DmaConfig, InfPolicy, Iommu, OsVersion, Translation};
//! use kmdf_sim::memory::{PageLayout, UserBuffer};
//! use kmdf_sim::{Config, Machine, NoHardware};
//!
//! // From system, INF and platform ...
//! let dma = DmaConfig {
//!     os: OsVersion::Windows11_24H2,
//!     inf: InfPolicy::supported(1, 1),
//!     iommu: Iommu::On,
//!     external: true,
//!     ..DmaConfig::default()
//! };
//! assert_eq!(dma.translation(), Translation::Remapping);
//! // ... or by name: bounce pages, and few of them.
//! let dma = DmaConfig { map_registers: 65, ..DmaConfig::with_translation(Translation::Bounce) };
//! let machine = Machine::new(Config { dma, ..Config::default() }, NoHardware);
//! let buffer = UserBuffer::new(70 << 20, &PageLayout::Shuffled).unwrap();
//! buffer.write(4095, &[1, 2]);
//! assert_eq!(buffer.frames().len(), 17_920);
//! drop((buffer, machine));
//! ```
//!
//! The device reaches memory by the bus that [`Hardware`](crate::Hardware) gets with each call, or by [`DeviceMemory`] from anywhere else.
//! What is not mapped for it is a [`BusFault`](crate::memory::BusFault) and a violation.

mod access;
mod config;
mod domain;
mod hal;
mod lasting;
mod lists;
mod operations;
mod state;
#[cfg(test)]
mod tests;

pub use config::{DmaConfig, InfPolicy, Iommu, OsVersion, Translation};
pub use domain::{BusRun, Domain, MapRefusal, MapRequest, MappingId, Rights};
pub use hal::{Adapter, AdapterRequest, DeviceId, Finding, Hal};
pub use lists::{ListRefusal, ListRequest, TransferNeeds, list_bytes};
pub use state::DeviceMemory;

pub(crate) use operations::{OPERATIONS, map_or_wait, put, serve_waiting};
pub(crate) use state::{
    DEVICE, MachineBus, State, Waiter, cancel_waits_of, report_leaks, resources_released, with_hal,
};

/// Bus addresses of the common buffers that the driver has allocated, in ascending order; the machine runs on this host thread.
#[must_use]
pub fn common_buffers() -> Vec<std::ops::Range<u64>> {
    with_hal(|hal| hal.common_buffers())
}
