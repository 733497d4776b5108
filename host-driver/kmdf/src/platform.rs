//! The core's [`Platform`] on Windows.

use core::sync::atomic::{Ordering, compiler_fence, fence};

use pinring_core::{
    BufferId, BufferSpan, CopySpan, DmaError, DmaHandle, DmaMemory, MapError, Mapping, MappingId,
    NotAvailable, PageRun, Platform, Tier,
};
use pinring_protocol::Direction;

use crate::dma::Hardware;
use crate::time::now_ns;

/// A copy is another hand on the same hardware: one is the core's, others do the long work outside the device's lock.
///
/// What they share is constant, or guarded by itself (the list of free transactions), or memory that the core has one owner for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KmdfPlatform {
    hardware: *const Hardware,
}

// SAFETY: see above; the pointer is to what every processor may use.
unsafe impl Send for KmdfPlatform {}

impl KmdfPlatform {
    /// A hand on `hardware`.
    ///
    /// # Safety
    /// The hardware lives for as long as this value and its copies are used.
    pub(crate) unsafe fn new(hardware: *const Hardware) -> Self {
        Self { hardware }
    }

    /// The hardware.
    #[inline]
    pub(crate) fn hardware(&self) -> &Hardware {
        // SAFETY: `new`'s caller says that it lives.
        unsafe { &*self.hardware }
    }
}

impl Platform for KmdfPlatform {
    fn bar0_bytes(&self) -> u64 {
        self.hardware().bar.bytes()
    }

    fn mmio_read32(&mut self, offset: u32) -> u32 {
        self.hardware().count_read();
        self.hardware().bar.read32(offset)
    }

    fn mmio_read64(&mut self, offset: u32) -> u64 {
        self.hardware().count_read();
        self.hardware().bar.read64(offset)
    }

    fn mmio_write32(&mut self, offset: u32, value: u32) {
        self.hardware().bar.write32(offset, value);
    }

    #[inline]
    fn mmio_write64(&mut self, offset: u32, value: u64) {
        self.hardware().count_doorbell(offset);
        self.hardware().bar.write64(offset, value);
    }

    #[inline]
    fn write_barrier(&mut self) {
        // x64 keeps the order of stores to write-back and uncached memory (Intel SDM volume 3, section 8.2).
        if cfg!(target_arch = "x86_64") {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    #[inline]
    fn read_barrier(&mut self) {
        if cfg!(target_arch = "x86_64") {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    fn now_ns(&mut self) -> u64 {
        now_ns()
    }

    fn disable_bus_master(&mut self) -> bool {
        self.hardware().disable_bus_master()
    }

    fn dma_alloc(&mut self, bytes: usize, align: usize) -> Result<DmaMemory, DmaError> {
        self.hardware().allocate(bytes, align)
    }

    fn dma_free(&mut self, memory: DmaMemory) {
        self.hardware().free(memory);
    }

    #[inline]
    fn dma_write(&mut self, handle: DmaHandle, offset: usize, bytes: &[u8]) {
        let (base, size) = self.hardware().common(handle);
        let whole = bytes.len() / 8 * 8;
        if offset.checked_add(whole).is_none_or(|end| end > size) {
            return;
        }
        for (index, word) in bytes.chunks_exact(8).enumerate() {
            let mut value = [0; 8];
            value.copy_from_slice(word);
            // SAFETY: within the buffer, as seen above, and aligned, as buffers are and as the trait has it for offsets. The device reads
            // the same memory, hence volatile.
            unsafe {
                base.add(offset + 8 * index)
                    .cast::<u64>()
                    .write_volatile(u64::from_ne_bytes(value));
            }
        }
    }

    #[inline]
    fn dma_read(&mut self, handle: DmaHandle, offset: usize, bytes: &mut [u8]) {
        let (base, size) = self.hardware().common(handle);
        let whole = bytes.len() / 4 * 4;
        if offset.checked_add(whole).is_none_or(|end| end > size) {
            return;
        }
        for (index, word) in bytes.chunks_exact_mut(4).enumerate() {
            // SAFETY: as in `dma_write`; the device writes the same memory.
            let value = unsafe { base.add(offset + 4 * index).cast::<u32>().read_volatile() };
            word.copy_from_slice(&value.to_ne_bytes());
        }
    }

    fn buffer_span(&mut self, buffer: BufferId) -> Option<BufferSpan> {
        Some(self.hardware().span(buffer))
    }

    fn map_persistent(&mut self, buffer: BufferId, tier: Tier) -> Result<Mapping, NotAvailable> {
        self.hardware().map_lasting(buffer, tier)
    }

    fn unmap_persistent(&mut self, mapping: MappingId) {
        self.hardware().unmap_lasting(mapping);
    }

    fn max_transfer_mapping(&self) -> u64 {
        self.hardware().max_mapping()
    }

    fn map_transfer(
        &mut self,
        buffer: BufferId,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Mapping, MapError> {
        self.hardware()
            .map_transfer(buffer, offset, length, direction)
    }

    fn unmap_transfer(&mut self, mapping: MappingId) {
        self.hardware().unmap_transfer(mapping);
    }

    fn pages(&mut self, mapping: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        self.hardware().pages(mapping, cursor, runs)
    }

    fn copy(&mut self, _span: CopySpan) -> bool {
        // Regions of tier CommonBuffer have no user buffer here: COPY_IN and COPY_OUT bring one of their own (see `ioctl`).
        false
    }
}
