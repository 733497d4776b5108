//! The simulated host's memory side: pages, mappings, payloads.
//!
//! What is here, in the order in which a byte from the device meets it:
//!
//! 1. [`HostBus`]: what the root complex calls with a bus address.
//! 2. [`Host`]: the platform, which turns bus addresses into physical ones by its [`Mapping`] (identity, IOMMU, map
//!    registers), and keeps the [`Grants`]: the ranges that a driver has handed to the device.
//! 3. [`PhysicalMemory`]: sparse pages of 4 KiB.
//!
//! Buffers are [`Layout`]s (runs of physical pages, captured from a real process or synthetic), claimed from a
//! [`PageAllocator`] so that no page has two owners; [`Payload`] fills and checks them.

mod allocator;
mod bus;
mod capture;
mod grants;
mod intervals;
mod iommu;
mod layout;
mod map_registers;
mod memory;
mod payload;
mod platform;

pub use allocator::{AllocError, CommonBuffer, PageAllocator};
pub use bus::{BusFault, HostBus};
pub use capture::{CaptureError, capture_buffers, capture_pages, captured_text};
pub use grants::Grants;
pub use iommu::{Access, Iommu, IommuError};
pub use layout::{HUGE_PAGE_PAGES, Layout, LayoutError, LayoutProblem, Run};
pub use map_registers::{MapRegisters, MapRegistersError};
pub use memory::PhysicalMemory;
pub use payload::{Mismatch, Payload, PayloadError};
pub use platform::{BusRun, Host, MapError, Mapped, Mapping, Transfer};

/// Bytes of a page. Every address in this module is split at this size.
pub const PAGE_BYTES: u64 = 4096;

/// log2 of [`PAGE_BYTES`].
pub const PAGE_SHIFT: u32 = 12;
