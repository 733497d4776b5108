//! Sizes that gateware, firmware and driver are built for.

use crate::declare::constants;

constants! { "limit";
    /// Queues, the admin queue included.
    QUEUES: usize = 16,
    /// Id of the admin queue.
    ADMIN_QUEUE: u16 = 0,
    /// Transfer contexts per direction.
    CONTEXTS: usize = 16,
    /// Bytes of the SG table that are fetched and held together.
    SG_BLOCK_BYTES: usize = 512,
    /// Page-granular elements in an SG block.
    SG_BLOCK_ELEMENTS: usize = 32,
    /// Uniform elements in an SG block.
    SG_BLOCK_UNIFORM_ELEMENTS: usize = 64,
    /// On-chip slots for SG blocks, per direction: two for each context, then one for each way.
    SG_SLOTS: usize = 96,
    /// SG blocks that one context may hold at a time.
    SG_WINDOWS: usize = 2,
    /// Sets of resident regions, per direction; the set is the low bits of the region id.
    RESIDENT_SETS: usize = 16,
    /// Regions that stay on chip in one set.
    RESIDENT_WAYS: usize = 4,
    /// H2C read slots that a device may have (tags 8 on); register READ_TAGS holds its own number.
    READ_SLOTS: usize = 256,
    /// Bytes of one H2C data read at most.
    READ_SLOT_BYTES: usize = 512,
    /// Reads of rings, region entries and SG blocks in flight (tags 0 to 7).
    FETCH_TAGS: usize = 8,
    /// MSI-X vectors.
    VECTORS: usize = 16,
    /// Device clock cycles in one unit of a queue's moderation time.
    MODERATION_CYCLES: u32 = 16,
    /// log2 of a ring's largest number of entries; one bit of the 16-bit index is left for the phase.
    MAX_RING_LOG2: u8 = 15,
    /// log2 of the page size.
    PAGE_SHIFT: u8 = 12,
    /// Bytes of a page.
    PAGE: usize = 4096,
    /// log2 of the largest uniform page.
    MAX_UNIFORM_SHIFT: u8 = 30,
    /// Regions that a region table may have.
    MAX_REGIONS: u32 = 65536,
    /// Microseconds from one heartbeat of the firmware (STATUS command) to the next.
    HEARTBEAT_US: u32 = 125,
    /// Microseconds without a heartbeat after which the watchdog restarts the soft core.
    WATCHDOG_US: u32 = 500,
    /// Restarts in a row, with less than [`HEARTBEATS_OF_HEALTH`] heartbeats between them, after which the watchdog gives up.
    WATCHDOG_RESTARTS: u32 = 4,
    /// Heartbeats after which a restart counts as a success.
    HEARTBEATS_OF_HEALTH: u32 = 4,
    /// Milliseconds without a heartbeat after which STATUS.FIRMWARE_STALLED is up: the watchdog has given up by then.
    STALL_MS: u32 = 10,
}

const _: () = {
    assert!(SG_BLOCK_ELEMENTS * crate::SgElement::BYTES == SG_BLOCK_BYTES);
    assert!(SG_BLOCK_UNIFORM_ELEMENTS * crate::SgUniformElement::BYTES == SG_BLOCK_BYTES);
    assert!(1 << PAGE_SHIFT == PAGE);
    // The firmware may be late by a line of its log, and the restarts are over before the host is told.
    assert!(2 * HEARTBEAT_US < WATCHDOG_US);
    assert!((WATCHDOG_RESTARTS + 1) * WATCHDOG_US < STALL_MS * 1000);
    assert!(SG_SLOTS == CONTEXTS * SG_WINDOWS + RESIDENT_SETS * RESIDENT_WAYS);
};
