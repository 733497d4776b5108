//! BAR0: the register accessors of `wdm.h`, which are inline there. Any IRQL.

use core::ffi::c_void;

/// BAR0, mapped uncached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    base: *mut c_void,
    bytes: u64,
}

impl Bar {
    /// What MmMapIoSpaceEx returned for `bytes` bytes.
    pub(crate) const fn new(base: *mut c_void, bytes: u64) -> Self {
        Self { base, bytes }
    }

    /// Its address.
    pub(crate) const fn base(self) -> *mut c_void {
        self.base
    }

    /// Its size in bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.bytes
    }

    /// The address of `size` bytes at `offset`, which a wrong offset does not get out of the mapping.
    #[inline]
    fn at(self, offset: u32, size: u64) -> Option<*mut u8> {
        let end = u64::from(offset) + size;
        if end > self.bytes || !u64::from(offset).is_multiple_of(size) {
            return None;
        }
        Some(self.base.cast::<u8>().wrapping_add(offset as usize))
    }

    /// READ_REGISTER_ULONG. What is outside reads as ones, like a device that is gone.
    #[inline]
    pub(crate) fn read32(self, offset: u32) -> u32 {
        match self.at(offset, 4) {
            // SAFETY: aligned, and within the mapping, which lives as long as whoever holds this value.
            Some(address) => unsafe { access::read_u32(address.cast()) },
            None => u32::MAX,
        }
    }

    /// READ_REGISTER_ULONG64.
    #[inline]
    pub(crate) fn read64(self, offset: u32) -> u64 {
        match self.at(offset, 8) {
            // SAFETY: as in `read32`.
            Some(address) => unsafe { access::read_u64(address.cast()) },
            None => u64::MAX,
        }
    }

    /// WRITE_REGISTER_ULONG.
    #[inline]
    pub(crate) fn write32(self, offset: u32, value: u32) {
        if let Some(address) = self.at(offset, 4) {
            // SAFETY: as in `read32`.
            unsafe { access::write_u32(address.cast(), value) }
        }
    }

    /// WRITE_REGISTER_ULONG64: one store.
    #[inline]
    pub(crate) fn write64(self, offset: u32, value: u64) {
        if let Some(address) = self.at(offset, 8) {
            // SAFETY: as in `read32`.
            unsafe { access::write_u64(address.cast(), value) }
        }
    }
}

#[cfg(windows)]
mod access {
    //! On x64 and ARM64 these are single volatile accesses to uncached memory.
    pub(super) unsafe fn read_u32(address: *const u32) -> u32 {
        // SAFETY: the caller's pointer is valid and aligned.
        unsafe { address.read_volatile() }
    }
    pub(super) unsafe fn read_u64(address: *const u64) -> u64 {
        // SAFETY: the caller's pointer is valid and aligned.
        unsafe { address.read_volatile() }
    }
    pub(super) unsafe fn write_u32(address: *mut u32, value: u32) {
        // SAFETY: the caller's pointer is valid and aligned.
        unsafe { address.write_volatile(value) }
    }
    pub(super) unsafe fn write_u64(address: *mut u64, value: u64) {
        // SAFETY: the caller's pointer is valid and aligned.
        unsafe { address.write_volatile(value) }
    }
}

#[cfg(not(windows))]
use wdk_sys::mmio as access;
