//! The Windows driver of Pinring: a thin shell of KMDF around the portable core.
//!
//! The core ([`pinring_core`]) knows regions, rings and admin commands; this crate brings requests, interrupts and memory to it:
//!
//! | step | where | IRQL |
//! |---|---|---|
//! | DriverEntry, EvtDriverDeviceAdd | `entry`, `device` | PASSIVE |
//! | resources, power, removal | `device` | PASSIVE |
//! | a request comes | `ioctl`: parsed once, checked, handed on | PASSIVE |
//! | REGISTER, UNREGISTER, teardown | `region`; the long parts in `work` | PASSIVE |
//! | SUBMIT | `transfer`: entries into the ring, one doorbell, under the device's lock | <= DISPATCH |
//! | interrupt, completions | `interrupt`, `transfer`, `wait` | DIRQL, DISPATCH |
//! | admin events, lists, resets | `work`: one work item per device | PASSIVE |
//!
//! **Locks.** One spin lock per device guards the core's `Device` and every table of the shell (`state::State`). The interrupt
//! service routine takes none: it queues its deferred procedure call. Nothing allocates or frees under the lock.
//!
//! **Memory that the device reaches** goes back to its owner only after the device has acknowledged that it let go, or after Bus
//! Master Enable has read back as 0, or when the device is gone; a time-out alone never unmaps anything.
//!
//! On Linux the same source is built against a test double of KMDF that has `wdk_sys`' names.
#![cfg_attr(windows, no_std)]

extern crate alloc;
#[cfg(not(windows))]
extern crate kmdf_sim as wdk_sys;
#[cfg(all(windows, not(test)))]
extern crate wdk_panic;

mod cause;
mod context;
mod device;
mod dma;
mod entry;
mod file;
mod init;
mod interrupt;
mod ioctl;
mod lock;
mod memory;
mod mmio;
mod platform;
mod region;
mod registry;
mod state;
mod status;
mod time;
mod trace;
mod transfer;
mod wait;
mod work;

pub use entry::driver_entry;

/// Rust's allocations come from nonpaged pool.
#[cfg(all(windows, not(test)))]
#[global_allocator]
static ALLOCATOR: wdk_alloc::WdkAllocator = wdk_alloc::WdkAllocator;
