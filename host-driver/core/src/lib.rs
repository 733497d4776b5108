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
//! | submit | [`Device::submit`] | one MMIO write per batch, no allocation, no MMIO read, O(1) in pages |
//! | reap | [`Device::reap`] | no MMIO, no allocation |
//!
//! A shell serialises calls with one lock around the `Device`. What takes long, or allocates or frees memory, can be done outside it:
//!
//! | in one | under the lock | outside it |
//! |---|---|---|
//! | [`Device::create_queue`] | [`Device::request_queue`], [`Device::install_queue`] | [`QueueRequest::build`] |
//! | [`Device::register`] | [`Device::request_region`], [`Device::try_install`] | [`Request::build`] |
//! | [`Device::prepare`] | [`Device::request_list`], [`Device::try_install`] | [`Request::build`] |
//! | [`Device::settle`] | [`Device::put_back`] | [`Retired::release`] |
//! | [`Device::close`] | [`Device::shut`], then [`Device::next_remains`] until `None` | [`Retired::release`] |
//!
//! What remains for the lock allocates nothing: after [`Device::open`] a full heap is an error and never a panic.
#![cfg_attr(not(any(test, feature = "mock")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod admin;
mod burst;
mod device;
mod error;
mod hint;
mod memory;
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
pub use queue::{Completion, Moderation, Notify, QueueConfig, QueueHandle, Transfer};
pub use region::{Permissions, RegionHandle, RegionInfo};
pub use request::{QueueRequest, Request, Retired};
pub use sg::TableInfo;
pub use start::Capabilities;
pub use tier::{Tier, TierPolicy};
