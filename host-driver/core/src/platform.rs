//! What the core needs of an operating system.

use pinring_protocol::Direction;

use crate::Tier;

/// Names a piece of common-buffer memory; opaque to the core (KMDF: the kernel address of the common buffer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DmaHandle(pub u64);

/// Memory that CPU and device both reach, at a fixed bus address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaMemory {
    /// Names the memory in later calls.
    pub handle: DmaHandle,
    /// Where the device finds it.
    pub bus_address: u64,
    /// Size in bytes.
    pub bytes: usize,
}

/// Names a locked user buffer (KMDF: the locked MDL of a pended request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub u64);

/// Extent of a locked user buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSpan {
    /// Where the first byte lies in the first page, 0 to 4095.
    pub first_byte_offset: u16,
    /// Bytes of the buffer.
    pub length: u64,
}

/// Names a mapping that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingId(pub u64);

/// A buffer, or a part of one, that the device may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Names the mapping in later calls.
    pub id: MappingId,
    /// Where the first byte lies in the first page, 0 to 4095.
    pub first_byte_offset: u16,
    /// Bytes mapped.
    pub length: u64,
}

/// Consecutive 4 KiB pages in the device's address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageRun {
    /// Bits 63:12 of the first page's bus address.
    pub frame: u64,
    /// Number of pages, at least 1.
    pub pages: u32,
}

/// Which way [`Platform::copy`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDirection {
    /// From the user's buffer to the common buffer, before an H2C transfer.
    In,
    /// From the common buffer to the user's buffer, after a C2H transfer.
    Out,
}

/// One copy between a user buffer and a common buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySpan {
    /// The user's buffer.
    pub buffer: BufferId,
    /// The common buffer.
    pub memory: DmaHandle,
    /// First byte, the same in both.
    pub offset: u64,
    /// Bytes to copy; offset plus length lies within the buffer.
    pub length: u64,
    /// Which way.
    pub direction: CopyDirection,
}

/// Why common-buffer memory could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bytes} bytes of common-buffer memory are not to be had: allocate at start-up, when memory is not yet fragmented, or ask for less"
)]
pub struct DmaError {
    /// Bytes asked for.
    pub bytes: usize,
}

/// Why a lasting mapping cannot be had: a tier is missing, which is no failure where a weaker one is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAvailable {
    /// The host remaps or bounces for this device.
    #[error(
        "the host remaps or bounces DMA of this device, so that physical addresses are no bus addresses"
    )]
    Translated,
    /// The operating system has no such call.
    #[error("this operating system cannot map user pages for longer than a transfer")]
    Unsupported,
    /// The pages are not contiguous, and nothing remaps them.
    #[error("a lasting mapping without remapping needs physically contiguous pages")]
    NotContiguous,
    /// The buffer does not start and end on a page.
    #[error("a lasting mapping needs a buffer of whole pages")]
    NotWholePages,
    /// Mappings or bus addresses have run out.
    #[error("the host has no room for another lasting mapping")]
    Exhausted,
    /// Whoever administers the host does not allow it.
    #[error("the host's administrator does not allow this tier")]
    Forbidden,
    /// No such buffer is locked.
    #[error("the buffer is not locked: lock it before registering")]
    UnknownBuffer,
}

/// Why a transfer's mapping could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Too many mappings are in force.
    #[error(
        "map registers have run out: try again when a transfer has been released, and prepare fewer ahead"
    )]
    NoMapRegisters,
    /// The host refuses for another reason: trying again does not help.
    #[error("the host refuses to map the transfer: trying again does not help")]
    Refused,
    /// No such buffer is locked.
    #[error("the buffer is not locked: register it again")]
    UnknownBuffer,
    /// The range leaves the buffer.
    #[error("{length} bytes from offset {offset} leave the buffer: stay within what was locked")]
    OutOfBounds {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
}

/// What the core needs of an operating system. The Windows driver, a Linux driver and the simulation implement it.
///
/// Every call is synchronous and short unless its documentation says otherwise. IRQLs are the highest at which the Windows implementation may
/// be called; the core calls nothing from an interrupt service routine by itself.
pub trait Platform {
    /// Size of BAR0 in bytes (KMDF: length of the translated memory resource; any IRQL).
    fn bar0_bytes(&self) -> u64;

    /// Reads a 32-bit register at a byte offset of BAR0 (KMDF: READ_REGISTER_ULONG; any IRQL). A device that is gone reads as ones.
    fn mmio_read32(&mut self, offset: u32) -> u32;

    /// Reads a 64-bit register, low half first if the bus splits it (KMDF: READ_REGISTER_ULONG64; any IRQL).
    fn mmio_read64(&mut self, offset: u32) -> u64;

    /// Writes a 32-bit register (KMDF: WRITE_REGISTER_ULONG; any IRQL). The write is posted.
    fn mmio_write32(&mut self, offset: u32, value: u32);

    /// Writes 64 bits with one store (KMDF: WRITE_REGISTER_ULONG64; any IRQL). The write is posted.
    fn mmio_write64(&mut self, offset: u32, value: u64);

    /// Writes 64 bytes at a multiple of 64 in one go, if BAR0's doorbell pages are mapped write-combined; false, with nothing written,
    /// if they are not, which is what the default says (KMDF: not offered, as BAR0 is mapped uncached).
    ///
    /// The device counts on no more than this: the bytes arrive in whole aligned pieces of 8 bytes, in any order, before the call
    /// returns or soon after it, and before what any CPU writes to the device later. On x64 that is: SFENCE, so that earlier `dma_write`s
    /// are visible (stores to write-combining memory are weakly ordered), eight aligned stores of 8 bytes or one of 64 (a buffer that
    /// is not full leaves in chunks of 8 bytes: Intel SDM volume 3, "Buffering of Write Combining Memory Locations"), and SFENCE, so
    /// that nothing stays in the processor.
    fn mmio_write_line(&mut self, offset: u32, line: &[u8; 64]) -> bool {
        let _ = (offset, line);
        false
    }

    /// Orders earlier `dma_write`s before later ones and before MMIO writes, as the device sees them (KMDF on x64 with uncached BAR0: a
    /// compiler fence; KeMemoryBarrier elsewhere; any IRQL).
    fn write_barrier(&mut self);

    /// Orders earlier `dma_read`s before later ones (KMDF on x64: a compiler fence; any IRQL).
    fn read_barrier(&mut self);

    /// A clock that never goes back, in nanoseconds (KMDF: KeQueryPerformanceCounter; any IRQL).
    fn now_ns(&mut self) -> u64;

    /// Clears Bus Master Enable in the command register (PCIe 5.0, section 7.5.1.1.3) and reads it back: true if it reads as 0 or the device is gone, so that
    /// no further request can come (KMDF: BUS_INTERFACE_STANDARD SetBusData and GetBusData; DISPATCH_LEVEL).
    fn disable_bus_master(&mut self) -> bool;

    /// Allocates zeroed memory that CPU and device reach, at a bus address that is a multiple of `align`, a power of two up to 4096 (KMDF:
    /// WdfCommonBufferCreateWithConfig; PASSIVE_LEVEL).
    ///
    /// # Errors
    /// There is no such memory.
    fn dma_alloc(&mut self, bytes: usize, align: usize) -> Result<DmaMemory, DmaError>;

    /// Frees what `dma_alloc` gave (KMDF: WdfObjectDelete of the common buffer; PASSIVE_LEVEL).
    fn dma_free(&mut self, memory: DmaMemory);

    /// The CPU writes into common-buffer memory; `offset` and the length are multiples of 8 and within the memory, and each aligned 8 bytes
    /// become visible at once (KMDF: stores through the kernel address; any IRQL).
    fn dma_write(&mut self, handle: DmaHandle, offset: usize, bytes: &[u8]);

    /// The CPU reads common-buffer memory, under the same rules but for multiples of 4 (KMDF: loads through the kernel address; any IRQL).
    fn dma_read(&mut self, handle: DmaHandle, offset: usize, bytes: &mut [u8]);

    /// Where a locked user buffer's bytes are, or `None` if there is no such buffer (KMDF: MmGetMdlByteOffset and MmGetMdlByteCount; any IRQL).
    fn buffer_span(&mut self, buffer: BufferId) -> Option<BufferSpan>;

    /// Makes a lasting mapping of a whole buffer for [`Tier::Bypass`] or [`Tier::MappedOnce`]; other tiers are never asked for. Long: once per
    /// page (KMDF: Bypass checks ADAPTER_INFO_API_BYPASS and takes the MDL's page frame numbers; MappedOnce calls
    /// CreateCommonBufferFromMdl; PASSIVE_LEVEL).
    ///
    /// # Errors
    /// The tier cannot be had, with the reason.
    fn map_persistent(&mut self, buffer: BufferId, tier: Tier) -> Result<Mapping, NotAvailable>;

    /// Takes a lasting mapping back, once the device has let go of it (KMDF: nothing for Bypass, FreeCommonBuffer for MappedOnce;
    /// PASSIVE_LEVEL).
    fn unmap_persistent(&mut self, mapping: MappingId);

    /// Largest length that `map_transfer` takes, a positive multiple of 4096 (KMDF: WdfDmaEnablerGetFragmentLength rounded down, at most 4 MiB;
    /// any IRQL).
    fn max_transfer_mapping(&self) -> u64;

    /// Maps part of a buffer for one transfer. Long: once per page; for H2C a bouncing host copies here (KMDF: WdfDmaTransactionCreate,
    /// SetSingleTransferRequirement, SetImmediateExecution, InitializeUsingOffset and Execute, whose EvtProgramDma runs before it
    /// returns; DISPATCH_LEVEL).
    ///
    /// # Errors
    /// The mapping cannot be made; `NoMapRegisters` is STATUS_INSUFFICIENT_RESOURCES and means "fewer at a time".
    fn map_transfer(
        &mut self,
        buffer: BufferId,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Mapping, MapError>;

    /// Ends a transfer's mapping, before the application looks at the data. For C2H a bouncing host copies here (KMDF:
    /// WdfDmaTransactionDmaCompletedFinal and Release, which flush and put the list; DISPATCH_LEVEL).
    fn unmap_transfer(&mut self, mapping: MappingId);

    /// Gives the next pages of a mapping, in order: fills `runs` from the front and returns how many it filled, 0 at the end. `cursor` is 0 on
    /// the first call and the platform's to keep between calls (KMDF: MmGetMdlPfnArray or the SCATTER_GATHER_LIST;
    /// DISPATCH_LEVEL).
    fn pages(&mut self, mapping: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize;

    /// Copies between a user buffer and a common buffer with the CPU. Long: once per byte (KMDF: RtlCopyMemory through
    /// MmGetSystemAddressForMdlSafe; DISPATCH_LEVEL, as the pages are locked). Returns false, and copies nothing, if the buffer is not locked.
    fn copy(&mut self, span: CopySpan) -> bool;
}
