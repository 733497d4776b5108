//! Portable driver logic: regions, rings, admin commands and the four transfer strategies, with no operating system in it.
//!
//! Everything goes through the [`Platform`] trait, which the Windows driver, a Linux driver and the simulation implement. The
//! core never blocks, waits or spawns: whoever holds the [`Device`] calls it, and calls it again when an interrupt, a timer or
//! a request gives the reason to.
//!
//! | step | call | cost |
//! |---|---|---|
//! | start | [`Device::open`], then [`Device::poll_start`] until true | allocates |
//! | admin | [`Device::create_queue`], [`Device::unregister`], ... give a [`Ticket`]; [`Device::poll_admin`] redeems it | may allocate |
//! | register | [`Device::register`] | allocates; walks the pages once |
//! | submit | [`Device::submit`] | one doorbell per batch, no allocation, no MMIO read, O(1) in pages |
//! | reap | [`Device::reap`] | no MMIO, no allocation |
//!
//! A shell serialises calls with one lock around the `Device`. What takes long (mapping, building a table, unmapping) can be
//! done outside it: see [`Request`] and [`Retired`].
#![cfg_attr(not(any(test, feature = "mock")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod admin;
mod burst;
mod device;
mod error;
mod hint;
#[cfg(feature = "mock")]
pub mod mock;
mod platform;
mod pool;
mod queue;
mod region;
mod request;
mod sg;
mod start;
pub mod strategy;
mod tier;

pub use admin::{AdminEvent, Ticket};
pub use burst::{Burst, BurstError};
pub use device::{Config, Device};
pub use error::{
    AdminError, CopyError, DeviceFault, OpenError, QueueError, RegisterError, SgError, StartError,
    StateError, SubmitError, TransferError,
};
pub use platform::{
    BufferId, BufferSpan, CopyDirection, CopySpan, DmaError, DmaHandle, DmaMemory, MapError,
    Mapping, MappingId, NotAvailable, PageRun, Platform,
};
pub use queue::{Completion, Notify, QueueConfig, QueueHandle, Transfer};
pub use region::{Permissions, RegionHandle, RegionInfo};
pub use request::{Request, Retired};
pub use sg::TableInfo;
pub use start::Capabilities;
pub use tier::{Tier, TierPolicy};
