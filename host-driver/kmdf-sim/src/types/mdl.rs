//! Memory descriptor lists: `_MDL`, its flags, and what the Mm routines take.
//!
//! Sources: wdm.h of the WDK; `tests/wdm_oracle.rs` compares sizes and offsets with windows-sys.

use super::*;

/// A memory descriptor list: which physical pages a buffer has. The page frame numbers, 64 bits each, follow the structure at once
/// (`MmGetMdlPfnArray` of wdm.h is MDL + 1).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct _MDL {
    /// Next MDL of a chain, or null.
    pub Next: *mut _MDL,
    /// Bytes of the structure and its page frame numbers.
    pub Size: i16,
    /// `MDL_` flags.
    pub MdlFlags: i16,
    /// Process whose pages they are, or null.
    pub Process: PEPROCESS,
    /// Kernel address of the first byte; valid if [`MDL_MAPPED_TO_SYSTEM_VA`] or [`MDL_SOURCE_IS_NONPAGED_POOL`] is set.
    pub MappedSystemVa: *mut core::ffi::c_void,
    /// Virtual address of the first page.
    pub StartVa: *mut core::ffi::c_void,
    /// Bytes of the buffer.
    pub ByteCount: u32,
    /// First byte's place in the first page, 0 to 4095.
    pub ByteOffset: u32,
}
zeroed_default!(_MDL);
/// A memory descriptor list.
pub type MDL = _MDL;
/// Pointer to a memory descriptor list.
pub type PMDL = *mut _MDL;

/// A page frame number: physical address / 4096.
pub type PFN_NUMBER = u64;
/// Pointer to page frame numbers.
pub type PPFN_NUMBER = *mut PFN_NUMBER;

/// `MappedSystemVa` is valid and must be unmapped.
pub const MDL_MAPPED_TO_SYSTEM_VA: u32 = 0x0001;
/// The pages are locked.
pub const MDL_PAGES_LOCKED: u32 = 0x0002;
/// The buffer is in nonpaged pool; `MappedSystemVa` is valid.
pub const MDL_SOURCE_IS_NONPAGED_POOL: u32 = 0x0004;
/// The MDL was allocated with room for a fixed number of pages.
pub const MDL_ALLOCATED_FIXED_SIZE: u32 = 0x0008;
/// The MDL describes a part of another.
pub const MDL_PARTIAL: u32 = 0x0010;
/// A partial MDL that was mapped.
pub const MDL_PARTIAL_HAS_BEEN_MAPPED: u32 = 0x0020;
/// Paging input.
pub const MDL_IO_PAGE_READ: u32 = 0x0040;
/// The pages were locked for write access.
pub const MDL_WRITE_OPERATION: u32 = 0x0080;
/// The MDL's page tables are locked.
pub const MDL_LOCKED_PAGE_TABLES: u32 = 0x0100;
/// The MDL describes memory of a device.
pub const MDL_IO_SPACE: u32 = 0x0800;

c_enum! { _MM_PAGE_PRIORITY as MM_PAGE_PRIORITY { LowPagePriority = 0, NormalPagePriority = 16, HighPagePriority = 32 } }

/// The mapping is not executable.
pub const MdlMappingNoExecute: u32 = 0x4000_0000;
/// The mapping is read-only.
pub const MdlMappingNoWrite: u32 = 0x8000_0000;

c_enum! { _LOCK_OPERATION as LOCK_OPERATION { IoReadAccess = 0, IoWriteAccess = 1, IoModifyAccess = 2 } }
