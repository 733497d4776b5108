//! Memory of the modelled machine: page frames behind real pointers, and MDLs.
//!
//! Drivers and applications dereference real addresses; devices go by page frame numbers. [`PhysicalMemory`] knows both names of every
//! page. A kernel mapping of a user page is the user's own address: the double has one address space.

mod block;
mod bus;
mod io;
mod layout;
mod mdl;
mod physical;
#[cfg(test)]
mod tests;
mod user;

pub use block::PageBlock;
pub use bus::{BusFault, BusFaultReason, DeviceBus};
pub use layout::PageLayout;
pub use mdl::{LockAccess, MdlError, MdlPiece, MdlPieces, Mdls};
pub use physical::{
    Freed, MemoryError, MemoryUse, PageLock, PhysicalMemory, RegionId, WriteAfterFree,
};

pub use user::UserBuffer;

pub(crate) use crate::dma::{MachineBus, State};
pub(crate) use io::{lock_user_buffer, system_address, unlock_user_buffer};

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Binary logarithm of [`PAGE_BYTES`].
pub const PAGE_SHIFT: u32 = 12;
/// First page frame above 4 GiB.
pub const FIRST_FRAME_ABOVE_4G: u64 = 1 << (32 - PAGE_SHIFT);
/// What freed memory is filled with.
pub const FREED: u8 = 0xDD;
/// What a bounce page holds before data come: the remains of some other transfer.
pub const STALE: u8 = 0xB5;
/// What a new common buffer holds: Windows does not promise zeroes.
pub const FRESH: u8 = 0xCB;
