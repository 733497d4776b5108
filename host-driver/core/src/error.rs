//! Every way in which a call can fail, with the cause and the way out.

use pinring_protocol::{DecodeError, Direction, FirmwareState, Status};

use crate::{DmaError, MapError, NotAvailable, QueueHandle, RegionHandle, Tier};

/// Why a device cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Every register reads as ones.
    #[error(
        "the device does not answer (registers read as ones): check the slot, power and memory decoding"
    )]
    Gone,
    /// Another device.
    #[error(
        "register MAGIC reads {found:#010x} instead of {expected:#010x}: this is no Pinring device; check which BAR is mapped"
    )]
    NotPinring {
        /// What was read.
        found: u32,
        /// What a Pinring device shows.
        expected: u32,
    },
    /// Another version of the interface.
    #[error(
        "the device speaks ABI version {device} and this driver {driver}: load the bitstream that was built with this driver, or the \
         driver that came with the bitstream"
    )]
    AbiVersion {
        /// The device's major version.
        device: u8,
        /// The driver's.
        driver: u8,
    },
    /// The same version, but other layouts.
    #[error(
        "the device's layout hash is {device:#018x} and this driver's {driver:#018x}: both must be built from the same protocol; load the \
         bitstream that was built with this driver, or the driver that came with the bitstream"
    )]
    LayoutHash {
        /// The device's hash.
        device: u64,
        /// The driver's.
        driver: u64,
    },
    /// A capability makes no sense.
    #[error(
        "register {register} reads {value:#x}, but {rule}: the bitstream is damaged or was built with impossible parameters"
    )]
    Limits {
        /// Name of the register.
        register: &'static str,
        /// What it reads.
        value: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// BAR0 is smaller than the registers and doorbells need.
    #[error(
        "BAR0 has {found:#x} bytes and {needed:#x} are needed: check the resource that was mapped"
    )]
    BarTooSmall {
        /// Bytes mapped.
        found: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The configuration asks for what cannot be.
    #[error("configuration: {0}")]
    Config(&'static str),
    /// No memory for rings and tables.
    #[error(transparent)]
    Memory(#[from] DmaError),
}

/// Why a device does not come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Not while it is closed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The deadline has passed.
    #[error(
        "{waiting_for} did not happen before the deadline (STATUS reads {status:#010x}): reset the device; if that does not help, reload its bitstream"
    )]
    TimedOut {
        /// What was waited for.
        waiting_for: &'static str,
        /// Register STATUS.
        status: u32,
    },
    /// Every register reads as ones.
    #[error("the device is gone (registers read as ones): close it")]
    Gone,
    /// The firmware stopped by itself.
    #[error(
        "the firmware stopped ({state:?}, detail {detail:#x}): read its log, then reset the device"
    )]
    Firmware {
        /// What it says about itself, if it is a known state.
        state: Option<FirmwareState>,
        /// Depends on the state; see register FIRMWARE_STATE.
        detail: u32,
    },
    /// The firmware was built with another layout than the gateware that it runs on, and does not serve.
    #[error(
        "the device's layout hash is {device:#018x}, and that of its firmware ends in {firmware:06x}: build firmware and bitstream from the \
         same version and load them together"
    )]
    FirmwareLayout {
        /// Register LAYOUT_HASH.
        device: u64,
        /// Bits 23:0 of the firmware's hash, as register FIRMWARE_STATE shows them.
        firmware: u32,
    },
    /// The firmware's heartbeat stayed away.
    #[error("the firmware's heartbeat stayed away: reset the device")]
    FirmwareStalled,
    /// The device stopped for good.
    #[error("the device stopped with a fatal error (ERROR_INFO reads {info:#010x}): reset it")]
    Fatal {
        /// Register ERROR_INFO.
        info: u32,
    },
}

/// The device is in no state for this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not yet, or no longer.
    #[error("the device is not running: call poll_start until it returns true")]
    NotRunning,
    /// Closed.
    #[error("the device is closed: open it again")]
    Closed,
    /// The device may still reach host memory.
    #[error(
        "Bus Master Enable does not read back as 0: memory stays mapped, as the device may still write; try again or reset the slot"
    )]
    BusMasterStuck,
}

/// Why an admin command was not accepted, or how it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// The device is in no state for it.
    #[error(transparent)]
    State(#[from] StateError),
    /// Too many commands wait.
    #[error("{waiting} admin commands wait already: call poll_admin and try again")]
    Full {
        /// Commands in flight.
        waiting: u16,
    },
    /// The device refused the command.
    #[error("the device refused the command with {0:?}: see the status in docs/wire-format.md")]
    Refused(Status),
    /// The device broke the protocol.
    #[error(transparent)]
    Fault(#[from] DeviceFault),
    /// All queues are in use.
    #[error("all {0} data queues exist: destroy one, and reap what it left")]
    NoQueue(usize),
    /// A queue's configuration is out of range.
    #[error("queue configuration: {0}")]
    QueueConfig(DecodeError),
    /// A ring's size is no power of two from 2 to 32768.
    #[error("a ring of {0} entries is not possible: choose a power of two from 2 to 32768")]
    RingSize(u32),
    /// The queue's moderation is not possible.
    #[error(
        "a moderation of {count} completions and {time_us} us is not possible: the time must be at most {longest_us} us, and at least 1 us with a \
         count above 1, or nothing tells of the last completions of a burst"
    )]
    Moderation {
        /// The count that was asked for.
        count: u16,
        /// The time that was asked for, in microseconds.
        time_us: u32,
        /// The longest that the device can, in microseconds.
        longest_us: u32,
    },
    /// Not a queue in a state for this command.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Not a region of this device.
    #[error(transparent)]
    Region(#[from] TransferError),
    /// Lists of the region exist or are being made.
    #[error(
        "{0} lists of the region exist or are being made: install what was requested, then release or unregister each of them first"
    )]
    ListsOutstanding(u32),
    /// The queue was installed before it was built.
    #[error("the queue was not built: call build before install_queue")]
    NotBuilt,
    /// No memory for the rings.
    #[error(transparent)]
    Memory(#[from] DmaError),
}

/// Why a queue does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The handle's queue was destroyed, or never was.
    #[error(
        "{0:?} names no queue of this device: use a handle that create_queue returned and that was not destroyed"
    )]
    Stale(QueueHandle),
    /// Created, cancelled or destroyed, and not yet acknowledged.
    #[error("the queue waits for an admin command: call poll_admin until its ticket is redeemed")]
    NotReady,
    /// Draining.
    #[error("the queue is draining: call resume to submit again")]
    Draining,
    /// The device broke the protocol on this queue.
    #[error("{0}; the queue is stopped: reset the device")]
    Faulted(DeviceFault),
}

/// The device did what the protocol forbids. Nothing that it wrote is believed from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFault {
    /// A completion although nothing is in flight.
    #[error("device fault: queue {queue} completed slot {slot} while nothing was in flight")]
    NothingInFlight {
        /// Queue id.
        queue: u16,
        /// Slot that the entry names.
        slot: u16,
    },
    /// Completions come in submission order; this one does not.
    #[error("device fault: queue {queue} completed slot {found} instead of {expected}")]
    WrongSlot {
        /// Queue id.
        queue: u16,
        /// Oldest slot in flight.
        expected: u16,
        /// Slot that the entry names.
        found: u16,
    },
    /// An entry of another queue in this queue's ring.
    #[error("device fault: the completion ring of queue {queue} holds an entry of queue {found}")]
    WrongQueue {
        /// Queue id.
        queue: u16,
        /// Queue id in the entry.
        found: u16,
    },
    /// More bytes than the transfer has.
    #[error(
        "device fault: queue {queue}, slot {slot}: {moved} bytes moved by a transfer of {length}"
    )]
    TooManyBytes {
        /// Queue id.
        queue: u16,
        /// Slot.
        slot: u16,
        /// Bytes moved, as the device says.
        moved: u64,
        /// Bytes of the transfer.
        length: u64,
    },
    /// Success with fewer bytes than the transfer has, without the end of a packet to explain it.
    #[error(
        "device fault: queue {queue}, slot {slot}: success after {moved} bytes of a transfer of {length}"
    )]
    TooFewBytes {
        /// Queue id.
        queue: u16,
        /// Slot.
        slot: u16,
        /// Bytes moved, as the device says.
        moved: u64,
        /// Bytes of the transfer.
        length: u64,
    },
    /// Success of something that was not submitted there.
    #[error(
        "device fault: queue {queue}, slot {slot}: completed with cookie {found:#x}, and {expected:#x} was submitted there"
    )]
    WrongCookie {
        /// Queue id.
        queue: u16,
        /// Slot.
        slot: u16,
        /// Cookie of the submission.
        expected: u64,
        /// Cookie in the entry.
        found: u64,
    },
    /// An entry is there while the one before it is not, or has gone again: the device writes them in order, and each once.
    #[error("device fault: queue {queue}: phases out of order at slot {slot}")]
    PhaseOrder {
        /// Queue id.
        queue: u16,
        /// Slot of the entry that is missing.
        slot: u16,
    },
    /// Reserved bits or an unknown status.
    #[error("device fault: queue {queue}: {cause}")]
    BadEntry {
        /// Queue id.
        queue: u16,
        /// What is wrong.
        cause: DecodeError,
    },
}

/// Why a batch was not submitted. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The device is in no state for it.
    #[error(transparent)]
    State(#[from] StateError),
    /// The queue is in no state for it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Not enough free slots.
    #[error(
        "{asked} transfers do not fit into the {free} free slots of the ring: reap, or submit fewer"
    )]
    RingFull {
        /// Transfers in the batch.
        asked: usize,
        /// Free slots.
        free: u16,
    },
    /// One transfer is wrong.
    #[error("transfer {index} of the batch: {cause}")]
    Transfer {
        /// Index in the batch.
        index: usize,
        /// What is wrong.
        cause: TransferError,
    },
}

/// What is wrong with a transfer or its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The handle is not of this device.
    #[error("{0:?} was not given by this device: use a handle of the device that is called")]
    ForeignRegion(RegionHandle),
    /// The region was unregistered.
    #[error(
        "{0:?} is stale, its region was unregistered or cancelled since: register again or use the new handle"
    )]
    StaleRegion(RegionHandle),
    /// The region is being cancelled or unregistered.
    #[error("the region waits for an invalidation: call poll_admin until its ticket is redeemed")]
    RegionBusy,
    /// The region has no table of its own.
    #[error("the region's tier is PerTransfer: prepare a list for the transfer and submit that")]
    NeedsList,
    /// A list serves one transfer.
    #[error("the list was submitted already: prepare another for each transfer")]
    ListUsed,
    /// A list is submitted as a whole.
    #[error("a list serves the {length} bytes that it was prepared for, from offset 0")]
    ListRange {
        /// Bytes of the list.
        length: u64,
    },
    /// Nothing to do.
    #[error("the length is zero: a transfer moves at least one byte")]
    ZeroLength,
    /// Past the end of numbers.
    #[error("offset {offset:#x} plus length {length:#x} passes 2^64: stay within the region")]
    Overflow {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// Past the end of the region.
    #[error(
        "{length} bytes from offset {offset} leave the region of {region} bytes: stay within it"
    )]
    OutOfBounds {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Bytes of the region.
        region: u64,
    },
    /// The region does not permit the queue's direction.
    #[error(
        "the region does not permit {0:?}: register it with the permission, or use a queue of the other direction"
    )]
    WrongDirection(Direction),
    /// Region and queue belong to different protection domains.
    #[error(
        "the region belongs to protection domain {region} and the queue to {queue}: use a queue of the region's domain"
    )]
    ForeignDomain {
        /// The region's domain.
        region: u32,
        /// The queue's.
        queue: u32,
    },
    /// The TDEST is outside the queue's range.
    #[error("TDEST {tdest} is outside the queue's {first} to {last}: use one of these")]
    BadTdest {
        /// What the transfer names.
        tdest: u16,
        /// Lowest of the queue.
        first: u16,
        /// Highest of the queue.
        last: u16,
    },
    /// Lists are of regions.
    #[error("the handle names a list and not a region: prepare the list of the list's region")]
    ListOfList,
    /// The list is still the device's.
    #[error("the list is in flight: reap its completion first, or unregister it")]
    ListBusy,
    /// Only lists are released.
    #[error("the handle names a region and not a list: unregister it")]
    NotAList,
}

/// Why a table could not be built from the pages that the platform gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SgError {
    /// The mapping's ends make no sense.
    #[error(
        "a mapping of {length} bytes from byte {first_byte_offset} of its page does not join its neighbours on a page: the platform is at fault"
    )]
    Shape {
        /// Offset in the first page.
        first_byte_offset: u16,
        /// Bytes mapped.
        length: u64,
    },
    /// More pages than a table can count.
    #[error("{pages} pages are more than one region can have (2^32 - 1): register several")]
    TooLarge {
        /// Pages.
        pages: u64,
    },
    /// The platform gave fewer pages than the mapping has.
    #[error("the mapping lacks {missing} of its pages: the platform is at fault")]
    PagesMissing {
        /// Pages that did not come.
        missing: u64,
    },
    /// The platform gave more pages than the mapping has.
    #[error("the mapping gave more pages than it has: the platform is at fault")]
    PagesTooMany,
    /// Another answer the second time.
    #[error(
        "the mapping's pages changed while the table was written: lock the buffer for as long as it is mapped"
    )]
    PagesChanged,
    /// A run that is empty or leaves the address space.
    #[error("{pages} pages from frame {frame:#x} are no bus addresses: the platform is at fault")]
    BadRun {
        /// First frame.
        frame: u64,
        /// Pages.
        pages: u32,
    },
    /// No memory for the table or its index.
    #[error(transparent)]
    Memory(#[from] DmaError),
}

/// Why a buffer could not be registered, or a list not prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The device is in no state for it.
    #[error(transparent)]
    State(#[from] StateError),
    /// No such buffer is locked.
    #[error("the buffer is not locked: lock it before registering")]
    UnknownBuffer,
    /// The buffer is empty, or no direction is permitted.
    #[error("a region has at least one byte and permits at least one direction")]
    Empty,
    /// None of the tiers asked for can be had.
    #[error(
        "tier {tier:?} is not to be had here ({reason}): allow a weaker one, down to PerTransfer or CommonBuffer"
    )]
    Tier {
        /// The last tier that was tried.
        tier: Tier,
        /// Why it cannot be had.
        reason: NotAvailable,
    },
    /// Every region id is in use.
    #[error("all {0} region ids are in use: unregister a region, or open the device with more")]
    NoRegion(u32),
    /// Every list is in use.
    #[error(
        "no table for a list of {0} bytes is free: release one, or open the device with more or larger lists"
    )]
    NoList(u64),
    /// The region's handle or the range is wrong.
    #[error(transparent)]
    Range(#[from] TransferError),
    /// The mapping failed.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The table could not be built.
    #[error(transparent)]
    Table(#[from] SgError),
    /// No common-buffer memory.
    #[error(transparent)]
    Memory(#[from] DmaError),
    /// The request was installed before it was built.
    #[error("the request was not built: call build before install")]
    NotBuilt,
}

impl RegisterError {
    /// Whether the same call may succeed once a transfer has been released.
    pub fn is_shortage(&self) -> bool {
        matches!(
            self,
            Self::Map(MapError::NoMapRegisters) | Self::NoList(_) | Self::NoRegion(_)
        )
    }
}

/// Why a copy was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The region's handle or the range is wrong.
    #[error(transparent)]
    Range(#[from] TransferError),
    /// Another tier needs no copy.
    #[error(
        "the region's tier is {0:?}, whose data is in the user's buffer already: leave the copy out"
    )]
    NotCommonBuffer(Tier),
    /// No such buffer is locked.
    #[error("the buffer is no longer locked: register it again")]
    UnknownBuffer,
}
