// Generated from the declarations in protocol/src: do not edit.
// Made by: cargo xtask generate

//! Numbers of the wire format, for `Constant::new(NAME.into())`.

/// Hash over every layout.
pub const LAYOUT_HASH: u64 = 0x2be27f1783c1cd0d;
/// "PRNG" in little-endian ASCII.
pub const MAGIC: u64 = 0x474e5250;
/// Major version of the binary interface.
pub const ABI_MAJOR: u64 = 1;
/// Minor version of the binary interface.
pub const ABI_MINOR: u64 = 0;

/// Offset in BAR0 (32 bits). Identity: "PRNG" in little-endian ASCII, `MAGIC`.
pub const REG_MAGIC: u64 = 0x000;

/// Offset in BAR0 (32 bits). Version of the binary interface and of the gateware.
pub const REG_VERSION: u64 = 0x004;

/// Offset in BAR0 (64 bits). Hash of every layout, `LAYOUT_HASH`: driver and firmware refuse a device whose hash differs.
pub const REG_LAYOUT_HASH: u64 = 0x008;

/// Offset in BAR0 (64 bits). What this device can do beyond the base.
pub const REG_FEATURES: u64 = 0x010;

/// Offset in BAR0 (32 bits). Numbers of queues and vectors.
pub const REG_LIMITS0: u64 = 0x018;

/// Offset in BAR0 (32 bits). Logarithms of sizes.
pub const REG_LIMITS1: u64 = 0x01c;

/// Offset in BAR0 (32 bits). Frequency of the device clock in Hz.
pub const REG_CLOCK_HZ: u64 = 0x020;

/// Offset in BAR0 (32 bits). H2C reads that may be in flight.
pub const REG_READ_TAGS: u64 = 0x024;

/// Offset in BAR0 (32 bits). Largest region count that the device takes.
pub const REG_MAX_REGIONS: u64 = 0x028;

/// Offset in BAR0 (32 bits). What the host wants.
pub const REG_CONTROL: u64 = 0x040;

/// Offset in BAR0 (32 bits). What the device is doing.
pub const REG_STATUS: u64 = 0x044;

/// Offset in BAR0 (32 bits). What the firmware said last about itself.
pub const REG_FIRMWARE_STATE: u64 = 0x048;

/// Offset in BAR0 (32 bits). Restarts of the firmware by its watchdog since reset.
pub const REG_FIRMWARE_RESTARTS: u64 = 0x04c;

/// Offset in BAR0 (64 bits). Bus address of the admin submission ring, page-aligned.
pub const REG_ADMIN_SQ: u64 = 0x050;

/// Offset in BAR0 (64 bits). Bus address of the admin completion ring, page-aligned.
pub const REG_ADMIN_CQ: u64 = 0x058;

/// Offset in BAR0 (32 bits). Sizes of the admin rings.
pub const REG_ADMIN_SIZE: u64 = 0x060;

/// Offset in BAR0 (64 bits). Bus address of the region table, page-aligned.
pub const REG_REGION_TABLE: u64 = 0x068;

/// Offset in BAR0 (32 bits). Entries of the region table.
pub const REG_REGION_COUNT: u64 = 0x070;

/// Offset in BAR0 (64 bits). Device clock cycles since reset. Reading the low half holds the high half for the next read.
pub const REG_TIMESTAMP: u64 = 0x080;

/// Offset in BAR0 (32 bits). Next byte of the firmware's defmt log.
pub const REG_LOG_DATA: u64 = 0x0a0;

/// Offset in BAR0 (32 bits). Transfers and commands that ended in an error, and restarts of the firmware, since reset or since this register was last written. Any write clears the count and the record in the next two registers.
pub const REG_ERROR_COUNT: u64 = 0x0c0;

/// Offset in BAR0 (32 bits). The first error of those counted.
pub const REG_ERROR_INFO: u64 = 0x0c4;

/// Offset in BAR0 (64 bits). Where in its region the transfer of that error began, in bytes; zero for admin commands.
pub const REG_ERROR_ADDRESS: u64 = 0x0c8;

/// Offset in BAR0 (64 bits). Payload bytes written to host memory.
pub const REG_C2H_BYTES: u64 = 0x100;

/// Offset in BAR0 (64 bits). Payload bytes read from host memory.
pub const REG_H2C_BYTES: u64 = 0x108;

/// Offset in BAR0 (64 bits). C2H transfers completed.
pub const REG_C2H_TRANSFERS: u64 = 0x110;

/// Offset in BAR0 (64 bits). H2C transfers completed.
pub const REG_H2C_TRANSFERS: u64 = 0x118;

/// Offset in BAR0 (64 bits). Cycles in which the C2H engine waited for an SG block, within a transfer or between queued ones.
pub const REG_C2H_LIST_WAIT: u64 = 0x120;

/// Offset in BAR0 (64 bits). Cycles in which the H2C engine waited for an SG block, within a transfer or between queued ones.
pub const REG_H2C_LIST_WAIT: u64 = 0x128;

/// Offset in BAR0 (64 bits). Cycles in which the link could take a TLP and was offered none, while C2H kept a beat of the user stream waiting that a running transfer or the next one in turn could use, or held all the data of a write; waiting for SG blocks not included.
pub const REG_C2H_IDLE: u64 = 0x130;

/// Offset in BAR0 (64 bits). Cycles in which the link could take a TLP and was offered none, while a running H2C transfer, or the next one in turn, had bytes to ask for, with a read slot and completion space free; waiting for SG blocks not included.
pub const REG_H2C_IDLE: u64 = 0x138;

/// Offset in BAR0 (64 bits). Completion entries written.
pub const REG_COMPLETIONS: u64 = 0x140;

/// Offset in BAR0 (64 bits). Interrupts sent.
pub const REG_INTERRUPTS: u64 = 0x148;

/// Offset in BAR0 (64 bits). Completion entries written with a status other than OK, and restarts of the firmware.
pub const REG_ERRORS: u64 = 0x150;

/// Does nothing; completes in its turn with zero bytes.
pub const OPCODE_NOP: u64 = 0x0;
/// Card to host: bytes from the user stream are written to the region.
pub const OPCODE_C2H: u64 = 0x1;
/// Host to card: bytes of the region are read and sent on the user stream.
pub const OPCODE_H2C: u64 = 0x2;
/// Completes when every earlier entry of the queue has completed; later entries wait for it.
pub const OPCODE_FENCE: u64 = 0x3;

/// Creates queue `target` from the queue context in the body.
pub const ADMIN_OPCODE_CREATE_QUEUE: u64 = 0x81;
/// Stops queue `target`, aborts its transfers and forgets its context.
pub const ADMIN_OPCODE_DESTROY_QUEUE: u64 = 0x82;
/// Aborts the transfers of region `target`; completes when the device no longer touches its memory.
pub const ADMIN_OPCODE_INVALIDATE_REGION: u64 = 0x83;
/// Flushes the firmware's log to register LOG_DATA.
pub const ADMIN_OPCODE_READ_LOG: u64 = 0x84;

/// Card to host: the device writes host memory.
pub const DIRECTION_C2H: u64 = 0x0;
/// Host to card: the device reads host memory.
pub const DIRECTION_H2C: u64 = 0x1;

/// No region lives here.
pub const SG_FORMAT_INVALID: u64 = 0x0;
/// 16-byte elements, each a run of neighbouring 4 KiB pages.
pub const SG_FORMAT_PAGE_GRANULAR: u64 = 0x1;
/// 8-byte elements, one per page of 2^`page_shift` bytes.
pub const SG_FORMAT_UNIFORM: u64 = 0x2;

/// Done. A short C2H packet also ends so, with fewer bytes moved and EOP set.
pub const STATUS_OK: u64 = 0x0;
/// The region was invalidated or the queue destroyed while the transfer waited or ran: submit again on a live one.
pub const STATUS_ABORTED: u64 = 0x1;
/// Unknown opcode, or one that runs against the queue's direction: a driver error.
pub const STATUS_BAD_OPCODE: u64 = 0x2;
/// The entry's ring index is not the index that the device fetched: the ring was overwritten or the doorbell ran ahead.
pub const STATUS_BAD_INDEX: u64 = 0x3;
/// The region id is not below REGION_COUNT: use a registered region.
pub const STATUS_BAD_REGION: u64 = 0x4;
/// The region has been registered anew since: use the handle's present generation.
pub const STATUS_STALE_GENERATION: u64 = 0x5;
/// Region and queue belong to different protection domains: submit on a queue of the region's domain.
pub const STATUS_WRONG_DOMAIN: u64 = 0x6;
/// The region does not permit this direction: register it with the permission.
pub const STATUS_NO_PERMISSION: u64 = 0x7;
/// The transfer leaves the region: zero length, or offset plus length past the region's length or past 2^64.
pub const STATUS_OUT_OF_BOUNDS: u64 = 0x8;
/// The element that sg_hint names does not hold the first byte: compute the hint from the region's table.
pub const STATUS_BAD_HINT: u64 = 0x9;
/// An SG element is not valid, or does not follow the one before it: the table in host memory is damaged.
pub const STATUS_BAD_SG_ELEMENT: u64 = 0xa;
/// The region entry's format, page size or length makes no sense: the region table in host memory is damaged.
pub const STATUS_BAD_REGION_ENTRY: u64 = 0xb;
/// A reserved bit of the submission entry is set: write zeros, or check the ABI version.
pub const STATUS_RESERVED_NOT_ZERO: u64 = 0xc;
/// The entry's TDEST is outside the queue's range: use one that the queue was created for.
pub const STATUS_BAD_TDEST: u64 = 0xd;
/// A read was answered with Unsupported Request: the address is not mapped (IOMMU fault or released memory).
pub const STATUS_READ_UNSUPPORTED: u64 = 0xe;
/// A read was answered with Completer Abort: the memory's owner refused it.
pub const STATUS_READ_ABORTED: u64 = 0xf;
/// A read brought poisoned data: host memory reports an uncorrectable error.
pub const STATUS_READ_POISONED: u64 = 0x10;
/// A read was not answered in time; its tag stays out of use until the answer comes or the function is reset.
pub const STATUS_READ_TIMEOUT: u64 = 0x11;
/// A read was answered with more bytes than asked for or with a wrong tag or address: a fault of the link or root complex.
pub const STATUS_READ_MALFORMED: u64 = 0x12;
/// The queue was disabled with the entry still in it: enable or create it again.
pub const STATUS_QUEUE_DISABLED: u64 = 0x13;
/// The firmware refused the transfer without a closer reason: read its log.
pub const STATUS_REJECTED: u64 = 0x14;
/// Admin: no such queue, or the admin queue itself: use a created queue's id.
pub const STATUS_BAD_QUEUE: u64 = 0x20;
/// Admin: the queue exists already: destroy it first.
pub const STATUS_QUEUE_EXISTS: u64 = 0x21;
/// Admin: the queue context is out of range (ring size, vector, TDEST range, alignment): see its table.
pub const STATUS_BAD_QUEUE_CONTEXT: u64 = 0x22;
/// Error log only: the watchdog restarted the firmware, no transfer was lost; count in FIRMWARE_RESTARTS, cause in the firmware's log.
pub const STATUS_FIRMWARE_RESTARTED: u64 = 0x30;

/// Out of reset, not yet serving.
pub const FIRMWARE_STATE_BOOTING: u64 = 0x0;
/// Serving misses.
pub const FIRMWARE_STATE_RUNNING: u64 = 0x1;
/// Stopped by a panic, with the source line as detail, or by a trap of the processor, with the program counter. Reset the device.
pub const FIRMWARE_STATE_PANICKED: u64 = 0x2;
/// The mailbox brought a message that does not decode; the detail is its first word. Reset the device.
pub const FIRMWARE_STATE_BAD_MESSAGE: u64 = 0x3;
/// The gateware was built with another layout, so that the firmware does not serve; the detail is the low half of the firmware's own layout hash. Build firmware and bitstream from the same version.
pub const FIRMWARE_STATE_BAD_LAYOUT: u64 = 0x4;

/// A transfer's region is not on chip: answer with FILL or REJECT.
pub const MESSAGE_KIND_MISS: u64 = 0x1;
/// An admin entry: the next four raw entries are its 64 bytes. Comes again, with another ticket, for firmware that starts anew.
pub const MESSAGE_KIND_ADMIN: u64 = 0x5;
/// An abort has finished: no read is in flight and the last write has entered the posted FIFO.
pub const MESSAGE_KIND_QUIESCED: u64 = 0x6;

/// Answers MISS: where the region stays, if it stays; its entry is being read meanwhile, and its SG block follows.
pub const COMMAND_KIND_FILL: u64 = 0x1;
/// Answers MISS: end the transfer with the status.
pub const COMMAND_KIND_REJECT: u64 = 0x2;
/// Writes 64 bits of a queue context.
pub const COMMAND_KIND_QUEUE: u64 = 0x4;
/// Starts a queue.
pub const COMMAND_KIND_ENABLE: u64 = 0x5;
/// Stops a queue: no further entry of it is read.
pub const COMMAND_KIND_DISABLE: u64 = 0x6;
/// Aborts the transfers of a region; QUIESCED follows.
pub const COMMAND_KIND_ABORT_REGION: u64 = 0x7;
/// Writes the completion of an admin entry; dropped unless it answers the last ADMIN.
pub const COMMAND_KIND_ADMIN_DONE: u64 = 0x8;
/// STATUS: the firmware's heartbeat and state, for register FIRMWARE_STATE.
pub const COMMAND_KIND_HEARTBEAT: u64 = 0x9;
/// Bytes of the firmware's log.
pub const COMMAND_KIND_LOG: u64 = 0xa;
/// Aborts the transfers of a queue; QUIESCED follows.
pub const COMMAND_KIND_ABORT_QUEUE: u64 = 0xb;

/// A region: nothing reads or writes through it any more.
pub const QUIESCE_REGION: u64 = 0x0;
/// A queue: none of its transfers is left.
pub const QUIESCE_QUEUE: u64 = 0x1;

/// Size of BAR0.
pub const BAR0_BAR0_BYTES: u64 = 0x20000;
/// MSI-X table.
pub const BAR0_MSIX_TABLE: u64 = 0x4000;
/// MSI-X pending bit array.
pub const BAR0_MSIX_PBA: u64 = 0x5000;
/// Doorbell page of queue 0.
pub const BAR0_DOORBELLS: u64 = 0x10000;
/// From one queue's doorbell page to the next.
pub const BAR0_DOORBELL_STRIDE: u64 = 0x1000;
/// The doorbell within its page.
pub const BAR0_DOORBELL: u64 = 0x0;
/// The inline slot within its page: 64 bytes for a copy of a submission entry that is in the ring already. A write that begins here names the entry by its first 4 bytes; one of all 64 may spare the device the read of it.
pub const BAR0_INLINE_SLOT: u64 = 0x40;

/// Start of the window in the core's address space.
pub const MMIO_BASE: u64 = 0x80000000;
/// Bit 0: a message is available; bit 1: there is room for a command; bit 2: the message is a raw entry.
pub const MMIO_MAILBOX_STATUS: u64 = 0x0;
/// Word 0 of the message at the head.
pub const MMIO_RX_WORD0: u64 = 0x10;
/// Word 1 of the message at the head.
pub const MMIO_RX_WORD1: u64 = 0x14;
/// Word 2 of the message at the head.
pub const MMIO_RX_WORD2: u64 = 0x18;
/// Word 3 of the message at the head.
pub const MMIO_RX_WORD3: u64 = 0x1c;
/// A write takes the message off the head.
pub const MMIO_RX_POP: u64 = 0x20;
/// Word 0 of the next command.
pub const MMIO_TX_WORD0: u64 = 0x30;
/// Word 1 of the next command.
pub const MMIO_TX_WORD1: u64 = 0x34;
/// Word 2 of the next command.
pub const MMIO_TX_WORD2: u64 = 0x38;
/// Word 3 of the next command; the write sends it.
pub const MMIO_TX_WORD3: u64 = 0x3c;
/// Core cycles since reset, low half; reading it holds the high half.
pub const MMIO_CYCLES_LO: u64 = 0x40;
/// Core cycles since reset, high half.
pub const MMIO_CYCLES_HI: u64 = 0x44;
/// Core clock in Hz.
pub const MMIO_CORE_HZ: u64 = 0x48;
/// Queues and vectors of the device, as BAR0's register LIMITS0 has them.
pub const MMIO_LIMITS: u64 = 0x4c;
/// LEDs, one per bit.
pub const MMIO_LEDS: u64 = 0x50;
/// Layout hash of the gateware, low half, at this offset in every version: firmware with another hash does not serve.
pub const MMIO_LAYOUT_HASH_LO: u64 = 0x58;
/// Layout hash of the gateware, high half, at this offset in every version.
pub const MMIO_LAYOUT_HASH_HI: u64 = 0x5c;
/// `MAILBOX_STATUS`: a message is available.
pub const MMIO_STATUS_MESSAGE: u64 = 0x1;
/// `MAILBOX_STATUS`: there is room for a command.
pub const MMIO_STATUS_ROOM: u64 = 0x2;
/// `MAILBOX_STATUS`: the message at the head is a quarter of an admin entry.
pub const MMIO_STATUS_RAW: u64 = 0x4;

/// Queues, the admin queue included.
pub const LIMIT_QUEUES: u64 = 0x10;
/// Id of the admin queue.
pub const LIMIT_ADMIN_QUEUE: u64 = 0x0;
/// Transfer contexts per direction.
pub const LIMIT_CONTEXTS: u64 = 0x10;
/// Bytes of the SG table that are fetched and held together.
pub const LIMIT_SG_BLOCK_BYTES: u64 = 0x200;
/// Page-granular elements in an SG block.
pub const LIMIT_SG_BLOCK_ELEMENTS: u64 = 0x20;
/// Uniform elements in an SG block.
pub const LIMIT_SG_BLOCK_UNIFORM_ELEMENTS: u64 = 0x40;
/// On-chip slots for SG blocks, per direction: two for each context, then one for each way.
pub const LIMIT_SG_SLOTS: u64 = 0x60;
/// SG blocks that one context may hold at a time.
pub const LIMIT_SG_WINDOWS: u64 = 0x2;
/// Sets of resident regions, per direction; the set is the low bits of the region id.
pub const LIMIT_RESIDENT_SETS: u64 = 0x10;
/// Regions that stay on chip in one set.
pub const LIMIT_RESIDENT_WAYS: u64 = 0x4;
/// H2C read slots that a device may have (tags 8 on); register READ_TAGS holds its own number.
pub const LIMIT_READ_SLOTS: u64 = 0x100;
/// Bytes of one H2C data read at most.
pub const LIMIT_READ_SLOT_BYTES: u64 = 0x200;
/// Reads of rings, region entries and SG blocks in flight (tags 0 to 7).
pub const LIMIT_FETCH_TAGS: u64 = 0x8;
/// MSI-X vectors.
pub const LIMIT_VECTORS: u64 = 0x10;
/// Device clock cycles in one unit of a queue's moderation time.
pub const LIMIT_MODERATION_CYCLES: u64 = 0x10;
/// log2 of a ring's largest number of entries; one bit of the 16-bit index is left for the phase.
pub const LIMIT_MAX_RING_LOG2: u64 = 0xf;
/// log2 of the page size.
pub const LIMIT_PAGE_SHIFT: u64 = 0xc;
/// Bytes of a page.
pub const LIMIT_PAGE: u64 = 0x1000;
/// log2 of the largest uniform page.
pub const LIMIT_MAX_UNIFORM_SHIFT: u64 = 0x1e;
/// Regions that a region table may have.
pub const LIMIT_MAX_REGIONS: u64 = 0x10000;
/// Microseconds from one heartbeat of the firmware (STATUS command) to the next.
pub const LIMIT_HEARTBEAT_US: u64 = 0x7d;
/// Microseconds without a heartbeat after which the watchdog restarts the soft core.
pub const LIMIT_WATCHDOG_US: u64 = 0x1f4;
/// Restarts in a row, with less than `HEARTBEATS_OF_HEALTH` heartbeats between them, after which the watchdog gives up.
pub const LIMIT_WATCHDOG_RESTARTS: u64 = 0x4;
/// Heartbeats after which a restart counts as a success.
pub const LIMIT_HEARTBEATS_OF_HEALTH: u64 = 0x4;
/// Milliseconds without a heartbeat after which STATUS.FIRMWARE_STALLED is up: the watchdog has given up by then.
pub const LIMIT_STALL_MS: u64 = 0xa;
