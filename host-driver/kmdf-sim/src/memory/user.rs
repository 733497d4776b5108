//! Buffers of a process: what an application gets from VirtualAlloc.

use super::{Freed, MemoryError, MemoryUse, PAGE_BYTES, PageLayout, RegionId};
use crate::dma::with_hal;

/// Memory of a process, in whole pages, zeroed at first. Dropping it is VirtualFree.
///
/// The application's bytes are reached by address: the driver's MDL and the device name the same memory meanwhile.
#[derive(Debug)]
pub struct UserBuffer {
    region: RegionId,
    base: *mut u8,
    bytes: usize,
    freed: bool,
}

impl UserBuffer {
    /// Allocates `bytes` bytes, rounded up to pages, in the machine of this host thread.
    ///
    /// # Errors
    /// The layout cannot be had.
    pub fn new(bytes: usize, layout: &PageLayout) -> Result<Self, MemoryError> {
        with_hal(|hal| {
            let region = hal.memory.allocate(bytes, layout, MemoryUse::User)?;
            Ok(Self {
                region,
                base: hal.memory.base(region),
                bytes: bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES,
                freed: false,
            })
        })
    }

    /// Address of the first byte.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.base
    }

    /// Bytes, a multiple of 4096.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Never: a buffer has at least one page.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Page frame numbers, in order.
    pub fn frames(&self) -> Vec<u64> {
        with_hal(|hal| hal.memory.frames(self.region).to_vec())
    }

    /// The application reads bytes.
    ///
    /// # Panics
    /// The range leaves the buffer.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        self.check(offset, data.len());
        // SAFETY: the range is within the allocation, which lives as long as this value; `data` is memory of the caller.
        unsafe {
            let source = self.base.add(offset);
            source.copy_to_nonoverlapping(data.as_mut_ptr(), data.len());
        }
    }

    /// The application reads everything.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut data = vec![0; self.bytes];
        self.read(0, &mut data);
        data
    }

    /// The application writes bytes.
    ///
    /// # Panics
    /// The range leaves the buffer.
    pub fn write(&self, offset: usize, data: &[u8]) {
        self.check(offset, data.len());
        // SAFETY: as in `read`, the other way round.
        unsafe {
            let target = self.base.add(offset);
            target.copy_from_nonoverlapping(data.as_ptr(), data.len());
        }
    }

    /// The application sets every byte.
    pub fn fill(&self, byte: u8) {
        // SAFETY: the allocation has that many bytes.
        unsafe { self.base.write_bytes(byte, self.bytes) };
    }

    /// Frees the buffer's pages and gets fresh, zeroed ones at the same addresses (MEM_DECOMMIT, then MEM_COMMIT). What was locked
    /// stays with who locked it, and is not seen here any more.
    ///
    /// # Errors
    /// No frames are left.
    pub fn recommit(&self, layout: &PageLayout) -> Result<Freed, MemoryError> {
        with_hal(|hal| hal.memory.recommit(self.region, layout))
    }

    /// Frees the buffer (VirtualFree) and says what became of its pages.
    pub fn free(mut self) -> Freed {
        self.freed = true;
        with_hal(|hal| hal.memory.free(self.region))
    }

    fn check(&self, offset: usize, bytes: usize) {
        let fits = offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.bytes);
        let len = self.bytes;
        assert!(
            fits,
            "{bytes} bytes from offset {offset} leave a buffer of {len}"
        );
    }
}

impl Drop for UserBuffer {
    fn drop(&mut self) {
        // The machine may be gone already, and its memory with it.
        if !self.freed && crate::world::is_installed() {
            with_hal(|hal| hal.memory.free(self.region));
        }
    }
}
