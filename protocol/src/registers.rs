//! BAR0: registers, and the apertures beside them.

use crate::declare::*;
use crate::{Direction, FirmwareState, Status};

registers! {
    /// Identity: "PRNG" in little-endian ASCII, [`crate::MAGIC`].
    MAGIC: u32 @ 0x000 Ro,
    /// Version of the binary interface and of the gateware.
    VERSION: u32 @ 0x004 Ro as Version {
        /// Build of the gateware.
        patch: u16 [15:0],
        /// Minor version: additions behind feature bits.
        minor: u8 [23:16],
        /// Major version: must equal the driver's.
        major: u8 [31:24],
    },
    /// Hash of every layout, [`crate::LAYOUT_HASH`]: driver and firmware refuse a device whose hash differs.
    LAYOUT_HASH: u64 @ 0x008 Ro,
    /// What this device can do beyond the base.
    FEATURES: u64 @ 0x010 Ro as Features {
        /// The inline slot of the doorbell page is looked at.
        inline_doorbell: bool [0:0],
        /// Regions may be of the uniform format.
        uniform_sg: bool [1:1],
        /// SG blocks stay on chip between transfers.
        resident_hits: bool [2:2],
        /// RAMs are protected by parity.
        parity: bool [3:3],
    },
    /// Numbers of queues and vectors.
    LIMITS0: u32 @ 0x018 Ro as Limits0 {
        /// Queues, the admin queue included.
        queues: u16 [15:0],
        /// MSI-X vectors.
        vectors: u16 [31:16],
    },
    /// Logarithms of sizes.
    LIMITS1: u32 @ 0x01c Ro as Limits1 {
        /// log2 of the data path's bits.
        data_width_log2: u8 [7:0],
        /// log2 of the bytes between two doorbell pages.
        doorbell_stride_log2: u8 [15:8],
        /// log2 of the smallest page.
        page_shift: u8 [23:16],
        /// log2 of the contexts per direction.
        contexts_log2: u8 [31:24],
    },
    /// Frequency of the device clock in Hz.
    CLOCK_HZ: u32 @ 0x020 Ro,
    /// H2C reads that may be in flight.
    READ_TAGS: u32 @ 0x024 Ro,
    /// Largest region count that the device takes.
    MAX_REGIONS: u32 @ 0x028 Ro,
    /// What the host wants.
    CONTROL: u32 @ 0x040 Rw as Control {
        /// The device may master the bus.
        enable: bool [0:0],
        /// Resets queues, engines and firmware; reads as 1 until it is done.
        reset: bool [1:1],
    },
    /// What the device is doing.
    STATUS: u32 @ 0x044 Ro as DeviceStatus {
        /// Enabled, and the admin queue is served.
        ready: bool [0:0],
        /// The firmware reports that it serves misses.
        firmware_running: bool [1:1],
        /// The firmware's heartbeat stayed away, and its watchdog has given up: reset the device.
        firmware_stalled: bool [2:2],
        /// The firmware panicked.
        firmware_panicked: bool [3:3],
        /// The device stopped for good: reset it.
        fatal: bool [4:4],
        /// Bytes of the firmware's log were lost.
        log_dropped: bool [5:5],
    },
    /// What the firmware said last about itself.
    FIRMWARE_STATE: u32 @ 0x048 Ro as FirmwareReport {
        /// State.
        state: u8 [7:0] as FirmwareState,
        /// Detail; its meaning depends on the state.
        detail: u32 [31:8],
    },
    /// Restarts of the firmware by its watchdog since reset.
    FIRMWARE_RESTARTS: u32 @ 0x04c Ro,
    /// Bus address of the admin submission ring, page-aligned.
    ADMIN_SQ: u64 @ 0x050 Rw,
    /// Bus address of the admin completion ring, page-aligned.
    ADMIN_CQ: u64 @ 0x058 Rw,
    /// Sizes of the admin rings.
    ADMIN_SIZE: u32 @ 0x060 Rw as AdminSize {
        /// log2 of the submission ring's entries.
        sq_log2: u8 [7:0],
        /// log2 of the completion ring's entries.
        cq_log2: u8 [15:8],
        /// MSI-X vector of the admin queue.
        vector: u16 [31:16],
    },
    /// Bus address of the region table, page-aligned.
    REGION_TABLE: u64 @ 0x068 Rw,
    /// Entries of the region table.
    REGION_COUNT: u32 @ 0x070 Rw,
    /// Device clock cycles since reset. Reading the low half holds the high half for the next read.
    TIMESTAMP: u64 @ 0x080 Ro,
    /// Next byte of the firmware's defmt log.
    LOG_DATA: u32 @ 0x0a0 Pop as LogData {
        /// The byte.
        byte: u8 [7:0],
        /// There was one.
        valid: bool [8:8],
    },
    /// Transfers and commands that ended in an error, and restarts of the firmware, since reset or since this register was last written. Any write clears the count
    /// and the record in the next two registers.
    ERROR_COUNT: u32 @ 0x0c0 Rw,
    /// The first error of those counted.
    ERROR_INFO: u32 @ 0x0c4 Ro as ErrorInfo {
        /// How it ended.
        status: u16 [15:0] as Status,
        /// Queue id.
        queue: u16 [27:16],
        /// Direction.
        direction: u8 [28:28] as Direction,
    },
    /// Where in its region the transfer of that error began, in bytes; zero for admin commands.
    ERROR_ADDRESS: u64 @ 0x0c8 Ro,
    /// Payload bytes written to host memory.
    C2H_BYTES: u64 @ 0x100 Ro,
    /// Payload bytes read from host memory.
    H2C_BYTES: u64 @ 0x108 Ro,
    /// C2H transfers completed.
    C2H_TRANSFERS: u64 @ 0x110 Ro,
    /// H2C transfers completed.
    H2C_TRANSFERS: u64 @ 0x118 Ro,
    /// Cycles in which the C2H engine waited for an SG block, within a transfer or between queued ones.
    C2H_LIST_WAIT: u64 @ 0x120 Ro,
    /// Cycles in which the H2C engine waited for an SG block, within a transfer or between queued ones.
    H2C_LIST_WAIT: u64 @ 0x128 Ro,
    /// Cycles in which the link could take a TLP and was offered none, while C2H kept a beat of the user stream waiting that a running transfer or the next one in turn could use, or held all the data of a write; waiting for SG blocks not included.
    C2H_IDLE: u64 @ 0x130 Ro,
    /// Cycles in which the link could take a TLP and was offered none, while a running H2C transfer, or the next one in turn, had bytes to ask for, with a read slot and completion space free; waiting for SG blocks not included.
    H2C_IDLE: u64 @ 0x138 Ro,
    /// Completion entries written.
    COMPLETIONS: u64 @ 0x140 Ro,
    /// Interrupts sent.
    INTERRUPTS: u64 @ 0x148 Ro,
    /// Completion entries written with a status other than OK, and restarts of the firmware.
    ERRORS: u64 @ 0x150 Ro,
}

/// Apertures of BAR0, in bytes.
pub mod aperture {
    use crate::declare::constants;

    constants! { "bar0";
        /// Size of BAR0.
        BAR0_BYTES: u32 = 0x2_0000,
        /// MSI-X table.
        MSIX_TABLE: u32 = 0x4000,
        /// MSI-X pending bit array.
        MSIX_PBA: u32 = 0x5000,
        /// Doorbell page of queue 0.
        DOORBELLS: u32 = 0x1_0000,
        /// From one queue's doorbell page to the next.
        DOORBELL_STRIDE: u32 = 0x1000,
        /// The doorbell within its page.
        DOORBELL: u32 = 0x00,
        /// The inline slot within its page: 64 bytes for a copy of a submission entry that is in the ring already. A write that begins here names
        /// the entry by its first 4 bytes; one of all 64 may spare the device the read of it.
        INLINE_SLOT: u32 = 0x40,
    }

    const _: () = assert!(DOORBELLS + crate::limits::QUEUES as u32 * DOORBELL_STRIDE == BAR0_BYTES);
}
