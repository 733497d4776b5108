//! Data queues: a submission ring, a completion ring, and what is in flight between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinring_protocol::limits::{MODERATION_CYCLES, PAGE};
use pinring_protocol::ring::{RingIndex, RingSize};
use pinring_protocol::{
    CompletionEntry, Direction, Doorbell, Opcode, QueueContext, Status, SubmissionEntry,
};
use zerocopy::IntoBytes;

use crate::memory;
use crate::region::RegionTable;
use crate::{DeviceFault, DmaError, DmaMemory, Platform, QueueError, RegionHandle, SubmitError};

/// How completions of a queue are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// The host calls `reap` by itself.
    Poll,
    /// A submission arms the queue's interrupt, unless it is armed; after reaping, [`Device::arm`](crate::Device::arm) arms it again.
    Interrupt(Moderation),
}

/// When the interrupt of an armed queue fires: with `count` completions that were not reaped when it was armed, or `time_us` after the
/// first of them, whichever comes first (as RDMA's CQ moderation; NVMe 2.0, section 5.27.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moderation {
    /// Completions; 0 and 1: each interrupts.
    pub count: u16,
    /// Microseconds, at least 1 with a count above 1: nobody else wakes up for the last completions of a burst. At most what
    /// 65,535 units of 16 device clock cycles come to: 4,194 at 250 MHz.
    pub time_us: u32,
}

impl Moderation {
    /// Each completion interrupts.
    pub const NONE: Self = Self {
        count: 0,
        time_us: 0,
    };

    /// The longest time at this device clock, in microseconds.
    pub const fn longest_us(clock_hz: u32) -> u32 {
        match (u16::MAX as u64 * MODERATION_CYCLES as u64 * 1_000_000).checked_div(clock_hz as u64)
        {
            Some(us) if us < u32::MAX as u64 => us as u32,
            _ => u32::MAX,
        }
    }

    /// The time in the device's units, rounded down, so that it is kept; at least one unit. `None` if the moderation is not possible.
    pub(crate) fn units(self, clock_hz: u32) -> Option<u16> {
        let cycles = u64::from(self.time_us) * u64::from(clock_hz) / 1_000_000;
        let units = u16::try_from(cycles / u64::from(MODERATION_CYCLES)).ok()?;
        match (self.count, self.time_us) {
            (0 | 1, 0) => Some(0),
            (_, 0) => None,
            _ => Some(units.max(1)),
        }
    }
}

/// What a queue is created with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Direction of every transfer.
    pub direction: Direction,
    /// Protection domain: only regions of the same are reached.
    pub domain: u32,
    /// Entries of each ring: a power of two from 2 to 32768.
    pub entries: u32,
    /// MSI-X vector.
    pub vector: u16,
    /// Lowest TDEST that transfers may name.
    pub tdest_first: u16,
    /// Highest TDEST that transfers may name.
    pub tdest_last: u16,
    /// How completions are noticed.
    pub notify: Notify,
}

/// Names a queue; goes stale when it is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueHandle {
    pub(crate) id: u16,
    pub(crate) generation: u16,
}

impl QueueHandle {
    /// Queue id: which doorbell page, and what completion entries name.
    pub const fn id(self) -> u16 {
        self.id
    }
}

/// One transfer between a region and the user stream, in the direction of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The region or list.
    pub region: RegionHandle,
    /// First byte, counted from the region's start.
    pub offset: u64,
    /// Bytes to move, at least 1.
    pub length: u64,
    /// TDEST of the user stream.
    pub tdest: u16,
    /// User metadata, given back in the completion.
    pub user: u32,
    /// The caller's, given back in the completion; of no meaning to the core.
    pub cookie: u64,
}

/// How a transfer ended: exactly one for each that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The queue.
    pub queue: QueueHandle,
    /// The transfer's region, which may have been unregistered since.
    pub region: RegionHandle,
    /// The transfer's cookie.
    pub cookie: u64,
    /// The transfer's user metadata.
    pub user: u32,
    /// How it ended. `Aborted` also for what a reset or the end of its queue or region took away.
    pub status: Status,
    /// Bytes moved; at most the transfer's length.
    pub bytes: u64,
    /// C2H: the transfer ended with the packet's TLAST.
    pub end_of_packet: bool,
    /// Device clock cycles when the entry was made; 0 if the device made none.
    pub timestamp: u64,
}

/// What the driver knows of a submission in flight, keyed by its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) region: RegionHandle,
    length: u64,
    cookie: u64,
    user: u32,
}

const NO_RECORD: Record = Record {
    region: RegionHandle {
        device: 0,
        generation: 0,
        id: 0,
    },
    length: 0,
    cookie: 0,
    user: 0,
};

/// A pair of rings in host memory with their indices; the admin queue is one too.
#[derive(Debug)]
pub(crate) struct RingPair {
    id: u16,
    doorbell: u32,
    /// The inline slot, if the device looks at it.
    slot: Option<u32>,
    /// The head that the last doorbell told: what the device judges the room for completions by.
    told: RingIndex,
    /// A doorbell has armed the interrupt, and no completion was reaped since: it has not fired, or whoever it calls has not
    /// reaped yet.
    armed: bool,
    size: RingSize,
    /// The oldest submission in flight. Its completion is the next, at the same place of the other ring.
    head: RingIndex,
    /// The next submission.
    tail: RingIndex,
    submission: DmaMemory,
    completion: DmaMemory,
}

impl RingPair {
    /// Allocates the rings of queue `id`, zeroed.
    pub(crate) fn new<P: Platform>(
        platform: &mut P,
        id: u16,
        doorbell: u32,
        size: RingSize,
    ) -> Result<Self, DmaError> {
        let entries = usize::from(size.entries());
        let submission = platform.dma_alloc(entries * SubmissionEntry::BYTES, PAGE)?;
        let completion = match platform.dma_alloc(entries * CompletionEntry::BYTES, PAGE) {
            Ok(memory) => memory,
            Err(error) => {
                platform.dma_free(submission);
                return Err(error);
            }
        };
        Ok(Self {
            id,
            doorbell,
            slot: None,
            told: RingIndex(0),
            armed: false,
            size,
            head: RingIndex(0),
            tail: RingIndex(0),
            submission,
            completion,
        })
    }

    pub(crate) fn free<P: Platform>(self, platform: &mut P) {
        for memory in self.memory() {
            platform.dma_free(memory);
        }
    }

    pub(crate) fn memory(&self) -> [DmaMemory; 2] {
        [self.submission, self.completion]
    }

    #[inline]
    pub(crate) fn size(&self) -> RingSize {
        self.size
    }

    pub(crate) fn addresses(&self) -> (u64, u64) {
        (self.submission.bus_address, self.completion.bus_address)
    }

    #[inline]
    pub(crate) fn in_flight(&self) -> u16 {
        self.tail.since(self.head)
    }

    #[inline]
    pub(crate) fn free_slots(&self) -> u16 {
        self.size.entries() - self.in_flight()
    }

    /// Index of the next entry to write.
    #[inline]
    pub(crate) fn tail(&self) -> RingIndex {
        self.tail
    }

    /// Writes the entry of an index into its slot; gives the slot.
    #[inline]
    pub(crate) fn write<P: Platform>(
        &self,
        platform: &mut P,
        index: RingIndex,
        entry: &[u8; SubmissionEntry::BYTES],
    ) -> usize {
        let slot = usize::from(self.size().slot(index));
        platform.dma_write(self.submission.handle, slot * SubmissionEntry::BYTES, entry);
        slot
    }

    /// Hands the entries before `tail` to the device, with one MMIO write: through the inline slot if `alone` is the only one. They
    /// are written, and there was room.
    ///
    /// The slot's write tells no head and arms nothing. So it is for entries whose completion has room in the ring as the device
    /// sees it, by the last doorbell, and for queues whose interrupt is not asked for or is still to come.
    #[inline]
    pub(crate) fn publish<P: Platform>(
        &mut self,
        platform: &mut P,
        tail: RingIndex,
        arm: bool,
        alone: Option<&[u8; SubmissionEntry::BYTES]>,
    ) {
        debug_assert!(tail.since(self.head) <= self.size.entries());
        self.tail = tail;
        if let (Some(entry), Some(slot)) = (alone, self.slot)
            && tail.since(self.told) <= self.size.entries()
            && (self.armed || !arm)
            && platform.mmio_write_line(slot, entry)
        {
            return;
        }
        platform.write_barrier();
        self.ring_doorbell(platform, arm);
    }

    /// Tells the device tail and head, and arms the interrupt if asked to.
    #[inline]
    pub(crate) fn ring_doorbell<P: Platform>(&mut self, platform: &mut P, arm: bool) {
        self.told = self.head;
        self.armed |= arm;
        let doorbell = Doorbell::new()
            .with_sq_tail(self.tail.0)
            .with_cq_head(self.head.0)
            .with_arm(arm);
        platform.mmio_write64(self.doorbell, u64::from_le_bytes(doorbell.encode()));
    }

    /// The next completion entry, if the device has written one, with the index of the submission that it ends. The entry is checked
    /// but not taken yet.
    #[inline]
    pub(crate) fn peek<P: Platform>(
        &self,
        platform: &mut P,
    ) -> Result<Option<(CompletionEntry, RingIndex)>, DeviceFault> {
        if !self.is_there(platform, self.head) && !self.came_meanwhile(platform)? {
            return Ok(None);
        }
        // The phase is in the last dword: behind it the rest is there too.
        platform.read_barrier();
        let at = usize::from(self.size.slot(self.head)) * CompletionEntry::BYTES;
        let mut entry = CompletionEntry::new();
        platform.dma_read(self.completion.handle, at, entry.as_mut_bytes());
        if entry.phase() != self.size.phase(self.head) {
            return Err(self.phase_order());
        }
        entry.check().map_err(|cause| DeviceFault::BadEntry {
            queue: self.id,
            cause,
        })?;
        if entry.queue() != self.id {
            return Err(DeviceFault::WrongQueue {
                queue: self.id,
                found: entry.queue(),
            });
        }
        let slot = entry.slot();
        if self.head == self.tail {
            return Err(DeviceFault::NothingInFlight {
                queue: self.id,
                slot,
            });
        }
        if self.head.0 != slot {
            return Err(DeviceFault::WrongSlot {
                queue: self.id,
                expected: self.head.0,
                found: slot,
            });
        }
        Ok(Some((entry, self.head)))
    }

    /// Whether the completion ring holds the entry of this index, as its phase says.
    #[inline]
    fn is_there<P: Platform>(&self, platform: &mut P, index: RingIndex) -> bool {
        const TAG: usize = CompletionEntry::BYTES - 4;
        let at = usize::from(self.size.slot(index)) * CompletionEntry::BYTES;
        let mut entry = CompletionEntry::new();
        let tag = &mut entry.as_mut_bytes()[TAG..];
        platform.dma_read(self.completion.handle, at + TAG, tag);
        entry.phase() == self.size.phase(index)
    }

    /// Whether the next entry, which was not there yet, is there by now: known only if the one behind it is, as it was written later.
    fn came_meanwhile<P: Platform>(&self, platform: &mut P) -> Result<bool, DeviceFault> {
        if self.head == self.tail || !self.is_there(platform, self.head.plus(1)) {
            return Ok(false);
        }
        platform.read_barrier();
        match self.is_there(platform, self.head) {
            true => Ok(true),
            false => Err(self.phase_order()),
        }
    }

    #[cold]
    fn phase_order(&self) -> DeviceFault {
        DeviceFault::PhaseOrder {
            queue: self.id,
            slot: self.head.0,
        }
    }

    /// Takes the entry that `peek` showed.
    #[inline]
    pub(crate) fn take(&mut self) {
        self.armed = false;
        self.head = self.head.plus(1);
    }

    /// Index of the oldest submission in flight, which is then no longer.
    pub(crate) fn drop_oldest(&mut self) -> Option<RingIndex> {
        let oldest = self.head;
        (oldest != self.tail).then(|| {
            self.head = oldest.plus(1);
            oldest
        })
    }

    /// Empties the rings, which the device has let go of.
    pub(crate) fn restart<P: Platform>(&mut self, platform: &mut P) {
        self.head = RingIndex(0);
        self.tail = RingIndex(0);
        self.told = RingIndex(0);
        self.armed = false;
        let zeros = [0; CompletionEntry::BYTES];
        for slot in 0..usize::from(self.size.entries()) {
            platform.dma_write(self.completion.handle, slot * zeros.len(), &zeros);
        }
        platform.write_barrier();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueState {
    /// The device has not yet acknowledged it.
    Creating,
    Live,
    /// Takes no more submissions; what is in flight goes on.
    Draining,
    /// Being destroyed, to be created again.
    Cancelling,
    /// Being destroyed.
    Leaving,
    /// Destroyed; may still have completions to give.
    Gone,
}

impl QueueState {
    /// Why a queue in this state takes no submissions.
    #[cold]
    fn refusal(&self, queue: QueueHandle) -> QueueError {
        match *self {
            Self::Draining => QueueError::Draining,
            Self::Gone => QueueError::Stale(queue),
            _ => QueueError::NotReady,
        }
    }
}

/// A data queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) handle: QueueHandle,
    pub(crate) config: QueueConfig,
    pub(crate) state: QueueState,
    /// The device broke the protocol: nothing that it writes is believed until it has let go of the queue. Apart from the state, as a
    /// command for the queue may be under way, which ends all the same.
    pub(crate) fault: Option<DeviceFault>,
    /// `None` once the device has let go of them for good.
    pub(crate) rings: Option<RingPair>,
    records: Vec<Record>,
    /// Completions that were settled while the queue was stopped.
    parked: VecDeque<Completion>,
}

impl Queue {
    /// A queue that has no id yet; [`place`](Self::place) gives it one.
    pub(crate) fn new<P: Platform>(
        platform: &mut P,
        size: RingSize,
        config: QueueConfig,
    ) -> Result<Self, DmaError> {
        let entries = usize::from(size.entries());
        let mut records = memory::reserve(entries)?;
        records.resize(entries, NO_RECORD);
        let parked = memory::reserve(entries)?.into();
        Ok(Self {
            handle: QueueHandle {
                id: 0,
                generation: 0,
            },
            config,
            state: QueueState::Creating,
            fault: None,
            rings: Some(RingPair::new(platform, 0, 0, size)?),
            records,
            parked,
        })
    }

    /// Gives the queue its id, doorbell and inline slot.
    pub(crate) fn place(&mut self, handle: QueueHandle, doorbell: u32, slot: Option<u32>) {
        self.handle = handle;
        if let Some(rings) = &mut self.rings {
            rings.id = handle.id;
            rings.doorbell = doorbell;
            rings.slot = slot;
        }
    }

    /// The queue as the device is told of it.
    pub(crate) fn context(&self, clock_hz: u32) -> QueueContext {
        let mut context = QueueContext::new()
            .with_direction(self.config.direction)
            .with_vector(self.config.vector)
            .with_protection_domain(self.config.domain)
            .with_tdest_first(self.config.tdest_first)
            .with_tdest_last(self.config.tdest_last);
        if let Notify::Interrupt(moderation) = self.config.notify {
            context.set_moderation_count(moderation.count);
            // Checked when the queue was asked for.
            context.set_moderation_time(moderation.units(clock_hz).unwrap_or(0));
        }
        if let Some(rings) = &self.rings {
            let (submission, completion) = rings.addresses();
            context.set_sq_address(submission);
            context.set_cq_address(completion);
            context.set_sq_entries_log2(rings.size().log2());
            context.set_cq_entries_log2(rings.size().log2());
        }
        context
    }

    /// The rings, if the queue takes submissions.
    #[inline]
    pub(crate) fn open_rings(&mut self) -> Result<&mut RingPair, QueueError> {
        match (&self.state, self.fault, &mut self.rings) {
            (QueueState::Live, None, Some(rings)) => Ok(rings),
            (QueueState::Live | QueueState::Draining, Some(fault), _) => {
                Err(QueueError::Faulted(fault))
            }
            (state, ..) => Err(state.refusal(self.handle)),
        }
    }

    /// Submissions that may follow: what is parked keeps its place until it is reaped, so that parking never has to grow.
    #[inline]
    pub(crate) fn room(&mut self) -> Result<u16, QueueError> {
        // Never more than the ring has entries.
        let parked = self.parked.len() as u16;
        Ok(self.open_rings()?.free_slots().saturating_sub(parked))
    }

    /// Submissions that have not been reaped.
    pub(crate) fn in_flight(&self) -> usize {
        self.parked.len()
            + self
                .rings
                .as_ref()
                .map_or(0, |rings| usize::from(rings.in_flight()))
    }

    /// Claims and writes each transfer, then hands all of them to the device with one MMIO write; on any error, none.
    ///
    /// Entries are written as they are checked: behind the tail they are nothing to the device, and the next batch writes over them.
    #[inline]
    pub(crate) fn submit<P: Platform>(
        &mut self,
        platform: &mut P,
        regions: &mut RegionTable,
        transfers: impl ExactSizeIterator<Item = Transfer>,
    ) -> Result<(), SubmitError> {
        let (asked, free) = (transfers.len(), self.room()?);
        if asked > usize::from(free) {
            return Err(SubmitError::RingFull { asked, free });
        }
        let (config, records) = (&self.config, &mut self.records);
        let Some(rings) = &mut self.rings else {
            return Err(QueueError::NotReady.into());
        };
        let opcode = match config.direction {
            Direction::C2h => Opcode::C2h,
            Direction::H2c => Opcode::H2c,
        };
        let first = rings.tail();
        let (mut next, mut line) = (first, [0; SubmissionEntry::BYTES]);
        // Whatever the iterator says of its length, no more than there is room for.
        for transfer in transfers.take(asked) {
            let hint = match regions.claim(&transfer, config) {
                Ok(hint) => hint,
                Err(cause) => {
                    let index = usize::from(next.since(first));
                    for ahead in 0..next.since(first) {
                        let slot = usize::from(rings.size().slot(first.plus(ahead)));
                        regions.unclaim(records[slot].region);
                    }
                    return Err(SubmitError::Transfer { index, cause });
                }
            };
            line = SubmissionEntry::new()
                .with_opcode(opcode)
                .with_index(next.0)
                .with_region(transfer.region.id)
                .with_cookie(transfer.cookie)
                .with_offset(transfer.offset)
                .with_length(transfer.length)
                .with_generation(transfer.region.generation)
                .with_tdest(transfer.tdest)
                .with_sg_hint(hint)
                .with_user(transfer.user)
                .encode();
            let slot = rings.write(platform, next, &line);
            records[slot] = Record {
                region: transfer.region,
                length: transfer.length,
                cookie: transfer.cookie,
                user: transfer.user,
            };
            next = next.plus(1);
        }
        if next != first {
            let alone = (next.since(first) == 1).then_some(&line);
            let arm = matches!(config.notify, Notify::Interrupt(_));
            rings.publish(platform, next, arm, alone);
        }
        Ok(())
    }

    /// Gives every completion that is there to `each`, oldest first; stops the queue at the first that cannot be believed.
    #[inline]
    pub(crate) fn reap<P: Platform>(
        &mut self,
        platform: &mut P,
        regions: &mut RegionTable,
        mut each: impl FnMut(Completion),
    ) -> Result<usize, QueueError> {
        let mut count = 0;
        while let Some(completion) = self.parked.pop_front() {
            each(completion);
            count += 1;
        }
        while let Some(completion) = self.next(platform, regions)? {
            each(completion);
            count += 1;
        }
        Ok(count)
    }

    #[inline]
    fn next<P: Platform>(
        &mut self,
        platform: &mut P,
        regions: &mut RegionTable,
    ) -> Result<Option<Completion>, QueueError> {
        if let Some(fault) = self.fault {
            return Err(QueueError::Faulted(fault));
        }
        match self.read(platform, regions) {
            Ok(completion) => Ok(completion),
            Err(fault) => {
                self.fault = Some(fault);
                Err(QueueError::Faulted(fault))
            }
        }
    }

    #[inline]
    fn read<P: Platform>(
        &mut self,
        platform: &mut P,
        regions: &mut RegionTable,
    ) -> Result<Option<Completion>, DeviceFault> {
        let Some(rings) = &mut self.rings else {
            return Ok(None);
        };
        let Some((entry, index)) = rings.peek(platform)? else {
            return Ok(None);
        };
        let (queue, slot) = (self.handle.id, index.0);
        let status = entry
            .status()
            .map_err(|cause| DeviceFault::BadEntry { queue, cause })?;
        let record = &self.records[usize::from(rings.size().slot(index))];
        let moved = entry.bytes_moved();
        if moved > record.length {
            return Err(DeviceFault::TooManyBytes {
                queue,
                slot,
                moved,
                length: record.length,
            });
        }
        // What has failed may not even have been read: nothing but the status is believed then.
        if status == Status::Ok {
            let ended = self.config.direction == Direction::C2h && entry.eop();
            if moved < record.length && !ended {
                return Err(DeviceFault::TooFewBytes {
                    queue,
                    slot,
                    moved,
                    length: record.length,
                });
            }
            if entry.cookie() != record.cookie {
                return Err(DeviceFault::WrongCookie {
                    queue,
                    slot,
                    expected: record.cookie,
                    found: entry.cookie(),
                });
            }
        }
        rings.take();
        Ok(Some(Completion {
            queue: self.handle,
            region: record.region,
            cookie: record.cookie,
            user: record.user,
            status: regions.settle(record, status),
            bytes: moved,
            end_of_packet: entry.eop(),
            timestamp: entry.timestamp(),
        }))
    }

    /// Settles everything in flight, as the device has let go of the queue: what it completed as it says, the rest as aborted.
    pub(crate) fn park<P: Platform>(&mut self, platform: &mut P, regions: &mut RegionTable) {
        while let Ok(Some(completion)) = self.next(platform, regions) {
            self.parked.push_back(completion);
        }
        self.fault = None;
        let Some(rings) = &mut self.rings else { return };
        while let Some(index) = rings.drop_oldest() {
            let record = &self.records[usize::from(rings.size().slot(index))];
            self.parked.push_back(Completion {
                queue: self.handle,
                region: record.region,
                cookie: record.cookie,
                user: record.user,
                status: regions.settle(record, Status::Aborted),
                bytes: 0,
                end_of_packet: false,
                timestamp: 0,
            });
        }
    }

    /// Destroyed, with nothing left to give.
    pub(crate) fn is_spent(&self) -> bool {
        self.state == QueueState::Gone && self.parked.is_empty()
    }
}
