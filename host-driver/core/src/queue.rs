//! Data queues: a submission ring, a completion ring, and what is in flight between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinring_protocol::limits::PAGE;
use pinring_protocol::ring::{HostRing, PhaseConsumer, RingIndex, RingSize};
use pinring_protocol::{
    CompletionEntry, Direction, Doorbell, Opcode, QueueContext, Status, SubmissionEntry,
};
use zerocopy::FromBytes;

use crate::memory;
use crate::region::RegionTable;
use crate::{DeviceFault, DmaError, DmaMemory, Platform, QueueError, RegionHandle};

/// How completions of a queue are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// The host calls `reap` by itself.
    Poll,
    /// A submission arms the queue's interrupt, unless it is armed; after reaping, [`Device::arm`](crate::Device::arm) arms it again.
    Interrupt,
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
    indices: HostRing,
    phase: PhaseConsumer,
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
            indices: HostRing::new(size),
            phase: PhaseConsumer::new(size),
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

    pub(crate) fn size(&self) -> RingSize {
        self.indices.size()
    }

    pub(crate) fn addresses(&self) -> (u64, u64) {
        (self.submission.bus_address, self.completion.bus_address)
    }

    pub(crate) fn in_flight(&self) -> u16 {
        self.indices.occupancy()
    }

    pub(crate) fn free_slots(&self) -> u16 {
        self.size().entries() - self.in_flight()
    }

    /// Index of the entry `ahead` behind the tail, if there is room.
    #[inline]
    pub(crate) fn reserve(&self, ahead: u16) -> Option<RingIndex> {
        self.indices.reserve(ahead)
    }

    #[inline]
    pub(crate) fn write<P: Platform>(
        &self,
        platform: &mut P,
        index: RingIndex,
        entry: &[u8; SubmissionEntry::BYTES],
    ) {
        let at = usize::from(self.size().slot(index)) * SubmissionEntry::BYTES;
        platform.dma_write(self.submission.handle, at, entry);
    }

    /// Hands `count` written entries to the device, with one MMIO write: through the inline slot if `alone` is the only one.
    ///
    /// The slot's write tells no head and arms nothing. So it is for entries whose completion has room in the ring as the device
    /// sees it, by the last doorbell, and for queues whose interrupt is not asked for or is still to come.
    #[inline]
    pub(crate) fn publish<P: Platform>(
        &mut self,
        platform: &mut P,
        count: u16,
        arm: bool,
        alone: Option<&[u8; SubmissionEntry::BYTES]>,
    ) {
        // Room was there when the entries were reserved, and only this side takes it.
        if let Ok(doorbell) = self.indices.publish(count) {
            let ahead = RingIndex(doorbell.sq_tail()).since(self.told);
            if let (Some(entry), Some(slot)) = (alone, self.slot)
                && ahead <= self.size().entries()
                && (self.armed || !arm)
                && platform.mmio_write_line(slot, entry)
            {
                return;
            }
            platform.write_barrier();
            self.ring_doorbell(platform, doorbell.with_arm(arm));
        }
    }

    /// Arms the interrupt with the last head reaped.
    pub(crate) fn arm<P: Platform>(&mut self, platform: &mut P) {
        if let Ok(doorbell) = self.indices.reap(0) {
            self.ring_doorbell(platform, doorbell.with_arm(true));
        }
    }

    #[inline]
    fn ring_doorbell<P: Platform>(&mut self, platform: &mut P, doorbell: Doorbell) {
        self.told = RingIndex(doorbell.cq_head());
        self.armed |= doorbell.arm();
        platform.mmio_write64(self.doorbell, u64::from_le_bytes(doorbell.encode()));
    }

    /// The next completion entry, if the device has written one, with the index of the submission that it ends. The entry is checked
    /// but not taken yet.
    #[inline]
    pub(crate) fn peek<P: Platform>(
        &self,
        platform: &mut P,
    ) -> Result<Option<(CompletionEntry, RingIndex)>, DeviceFault> {
        const TAG: usize = CompletionEntry::BYTES - 4;
        let at = usize::from(self.phase.slot()) * CompletionEntry::BYTES;
        let mut bytes = [0; CompletionEntry::BYTES];
        platform.dma_read(self.completion.handle, at + TAG, &mut bytes[TAG..]);
        if view(&bytes).phase() != self.size().phase(self.phase.head()) {
            return Ok(None);
        }
        // The phase is in the last dword: behind it the rest is there too.
        platform.read_barrier();
        platform.dma_read(self.completion.handle, at, &mut bytes);
        let entry = view(&bytes);
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
        match self.indices.oldest() {
            None => Err(DeviceFault::NothingInFlight {
                queue: self.id,
                slot,
            }),
            Some(oldest) if oldest.0 != slot => Err(DeviceFault::WrongSlot {
                queue: self.id,
                expected: oldest.0,
                found: slot,
            }),
            Some(oldest) => Ok(Some((entry, oldest))),
        }
    }

    /// Takes the entry that `peek` showed.
    #[inline]
    pub(crate) fn take(&mut self) {
        let phase = self.size().phase(self.phase.head());
        self.armed = false;
        if self.phase.pop(phase).is_some() {
            // It was in flight: `peek` has looked.
            let _ = self.indices.reap(1);
        }
    }

    /// Index of the oldest submission in flight, which is then no longer.
    pub(crate) fn drop_oldest(&mut self) -> Option<RingIndex> {
        let oldest = self.indices.oldest()?;
        self.indices.reap(1).ok().map(|_| oldest)
    }

    /// Empties the rings, which the device has let go of.
    pub(crate) fn restart<P: Platform>(&mut self, platform: &mut P) {
        let size = self.size();
        self.indices = HostRing::new(size);
        self.phase = PhaseConsumer::new(size);
        self.told = RingIndex(0);
        self.armed = false;
        let zeros = [0; CompletionEntry::BYTES];
        for slot in 0..usize::from(size.entries()) {
            platform.dma_write(self.completion.handle, slot * zeros.len(), &zeros);
        }
        platform.write_barrier();
    }
}

fn view(bytes: &[u8; CompletionEntry::BYTES]) -> CompletionEntry {
    match CompletionEntry::read_from_bytes(bytes) {
        Ok(entry) => entry,
        // The length is the type's.
        Err(_) => CompletionEntry::new(),
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
    /// The device broke the protocol.
    Faulted(DeviceFault),
}

/// A data queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) handle: QueueHandle,
    pub(crate) config: QueueConfig,
    pub(crate) state: QueueState,
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
    pub(crate) fn context(&self) -> QueueContext {
        let mut context = QueueContext::new()
            .with_direction(self.config.direction)
            .with_vector(self.config.vector)
            .with_protection_domain(self.config.domain)
            .with_tdest_first(self.config.tdest_first)
            .with_tdest_last(self.config.tdest_last);
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
        match (self.state, &mut self.rings) {
            (QueueState::Live, Some(rings)) => Ok(rings),
            (QueueState::Faulted(fault), _) => Err(QueueError::Faulted(fault)),
            (QueueState::Draining, _) => Err(QueueError::Draining),
            (QueueState::Gone, _) => Err(QueueError::Stale(self.handle)),
            _ => Err(QueueError::NotReady),
        }
    }

    /// Submissions that may follow: what is parked keeps its place until it is reaped, so that parking never has to grow.
    #[inline]
    pub(crate) fn room(&mut self) -> Result<u16, QueueError> {
        let parked = self.parked.len().min(usize::from(u16::MAX)) as u16;
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

    /// Writes one entry, `ahead` behind the tail, and gives its bytes; the caller has seen that there is room.
    #[inline]
    pub(crate) fn write<P: Platform>(
        &mut self,
        platform: &mut P,
        ahead: u16,
        transfer: &Transfer,
        hint: u32,
    ) -> Option<[u8; SubmissionEntry::BYTES]> {
        let rings = self.rings.as_ref()?;
        let index = rings.reserve(ahead)?;
        let opcode = match self.config.direction {
            Direction::C2h => Opcode::C2h,
            Direction::H2c => Opcode::H2c,
        };
        let entry = SubmissionEntry::new()
            .with_opcode(opcode)
            .with_index(index.0)
            .with_region(transfer.region.id)
            .with_cookie(transfer.cookie)
            .with_offset(transfer.offset)
            .with_length(transfer.length)
            .with_generation(transfer.region.generation)
            .with_tdest(transfer.tdest)
            .with_sg_hint(hint)
            .with_user(transfer.user)
            .encode();
        rings.write(platform, index, &entry);
        if let Some(record) = self.records.get_mut(usize::from(rings.size().slot(index))) {
            *record = Record {
                region: transfer.region,
                length: transfer.length,
                cookie: transfer.cookie,
                user: transfer.user,
            };
        }
        Some(entry)
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
        if let QueueState::Faulted(fault) = self.state {
            return Err(QueueError::Faulted(fault));
        }
        match self.read(platform, regions) {
            Ok(completion) => Ok(completion),
            Err(fault) => {
                self.state = QueueState::Faulted(fault);
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
