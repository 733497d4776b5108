//! The codes that fields hold.

use crate::declare::codes;

codes! {
    /// What a submission entry asks for.
    pub enum Opcode {
        /// Does nothing; completes in its turn with zero bytes.
        Nop = 0,
        /// Card to host: bytes from the user stream are written to the region.
        C2h = 1,
        /// Host to card: bytes of the region are read and sent on the user stream.
        H2c = 2,
        /// Completes when every earlier entry of the queue has completed; later entries wait for it.
        Fence = 3,
    }
}

codes! {
    /// What an entry of the admin queue asks for.
    pub enum AdminOpcode {
        /// Creates queue `target` from the queue context in the body.
        CreateQueue = 0x81,
        /// Stops queue `target`, aborts its transfers and forgets its context.
        DestroyQueue = 0x82,
        /// Aborts the transfers of region `target`; completes when the device no longer touches its memory.
        InvalidateRegion = 0x83,
        /// Flushes the firmware's log to register LOG_DATA.
        ReadLog = 0x84,
    }
}

codes! {
    /// Which way data goes.
    pub enum Direction {
        /// Card to host: the device writes host memory.
        C2h = 0,
        /// Host to card: the device reads host memory.
        H2c = 1,
    }
}

codes! {
    /// How the scatter/gather table of a region is written.
    pub enum SgFormat {
        /// No region lives here.
        Invalid = 0,
        /// 16-byte elements, each a run of neighbouring 4 KiB pages.
        PageGranular = 1,
        /// 8-byte elements, one per page of 2^`page_shift` bytes.
        Uniform = 2,
    }
}

codes! {
    /// How a transfer or an admin command ended.
    pub enum Status {
        /// Done. A short C2H packet also ends so, with fewer bytes moved and EOP set.
        Ok = 0,
        /// The region was invalidated or the queue destroyed while the transfer waited or ran: submit again on a live one.
        Aborted = 1,
        /// Unknown opcode, or one that runs against the queue's direction: a driver error.
        BadOpcode = 2,
        /// The entry's ring index is not the index that the device fetched: the ring was overwritten or the doorbell ran ahead.
        BadIndex = 3,
        /// The region id is not below REGION_COUNT: use a registered region.
        BadRegion = 4,
        /// The region has been registered anew since: use the handle's present generation.
        StaleGeneration = 5,
        /// Region and queue belong to different protection domains: submit on a queue of the region's domain.
        WrongDomain = 6,
        /// The region does not permit this direction: register it with the permission.
        NoPermission = 7,
        /// The transfer leaves the region: zero length, or offset plus length past the region's length or past 2^64.
        OutOfBounds = 8,
        /// The element that sg_hint names does not hold the first byte: compute the hint from the region's table.
        BadHint = 9,
        /// An SG element is not valid, or does not follow the one before it: the table in host memory is damaged.
        BadSgElement = 10,
        /// The region entry's format, page size or length makes no sense: the region table in host memory is damaged.
        BadRegionEntry = 11,
        /// A reserved bit of the submission entry is set: write zeros, or check the ABI version.
        ReservedNotZero = 12,
        /// The entry's TDEST is outside the queue's range: use one that the queue was created for.
        BadTdest = 13,
        /// A read was answered with Unsupported Request: the address is not mapped (IOMMU fault or released memory).
        ReadUnsupported = 14,
        /// A read was answered with Completer Abort: the memory's owner refused it.
        ReadAborted = 15,
        /// A read brought poisoned data: host memory reports an uncorrectable error.
        ReadPoisoned = 16,
        /// A read was not answered in time; its tag stays out of use until the answer comes or the function is reset.
        ReadTimeout = 17,
        /// A read was answered with more bytes than asked for or with a wrong tag or address: a fault of the link or root complex.
        ReadMalformed = 18,
        /// The queue was disabled with the entry still in it: enable or create it again.
        QueueDisabled = 19,
        /// The firmware refused the transfer without a closer reason: read its log.
        Rejected = 20,
        /// Admin: no such queue, or the admin queue itself: use a created queue's id.
        BadQueue = 32,
        /// Admin: the queue exists already: destroy it first.
        QueueExists = 33,
        /// Admin: the queue context is out of range (ring size, vector, TDEST range, alignment): see its table.
        BadQueueContext = 34,
        /// Error log only: the watchdog restarted the firmware, no transfer was lost; count in FIRMWARE_RESTARTS, cause in the firmware's log.
        FirmwareRestarted = 48,
    }
}

codes! {
    /// State of the firmware, as register FIRMWARE_STATE shows it with bits 23:0 of the detail.
    pub enum FirmwareState {
        /// Out of reset, not yet serving.
        Booting = 0,
        /// Serving misses.
        Running = 1,
        /// Stopped by a panic, with the source line as detail, or by a trap of the processor, with the program counter. Reset the device.
        Panicked = 2,
        /// The mailbox brought a message that does not decode; the detail is its first word. Reset the device.
        BadMessage = 3,
        /// The gateware was built with another layout, so that the firmware does not serve; the detail is the low half of the firmware's
        /// own layout hash. Build firmware and bitstream from the same version.
        BadLayout = 4,
    }
}
