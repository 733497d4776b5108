//! The device of the mock: registers, rings, region checks and data, straight from the protocol's documents and without timing.

use std::collections::{BTreeMap, VecDeque};

use pinring_protocol::describe::Register;
use pinring_protocol::limits::{MAX_REGIONS, PAGE_SHIFT, QUEUES, VECTORS};
use pinring_protocol::registers::{
    self, AdminSize, Control, DeviceStatus, Features, FirmwareReport, Limits0, Limits1, Version,
    aperture,
};
use pinring_protocol::ring::{RingIndex, RingSize};
use pinring_protocol::{
    ABI_MAJOR, AdminEntry, AdminOpcode, CompletionEntry, Direction, Doorbell, FirmwareState,
    LAYOUT_HASH, MAGIC, Opcode, QueueContext, RegionEntry, SgElement, SgFormat, SgUniformElement,
    Status, SubmissionEntry,
};

/// Memory as the device reaches it.
pub trait MockBus {
    /// Reads at a bus address; false if a page is not mapped for the device.
    fn bus_read(&mut self, address: u64, bytes: &mut [u8]) -> bool;
    /// Writes at a bus address; false if a page is not mapped for the device.
    fn bus_write(&mut self, address: u64, bytes: &[u8]) -> bool;
}

/// How the device breaks the protocol with its next completion of a data queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// Completes the slot behind the right one.
    WrongSlot,
    /// Completes the entry twice.
    Twice,
    /// Claims one byte more than the transfer has.
    TooManyBytes,
    /// An unknown status code.
    UnknownStatus,
    /// Another queue's id.
    WrongQueue,
    /// A cookie that nobody submitted.
    WrongCookie,
    /// Success after one byte less than the transfer has.
    TooFewBytes,
    /// Leaves a slot of the completion ring out.
    SkipsSlot,
    /// A reserved bit.
    ReservedBit,
}

/// A transfer that is being moved.
#[derive(Debug)]
struct Active {
    index: RingIndex,
    entry: SubmissionEntry,
    region: RegionEntry,
    direction: Direction,
    /// Bytes to move: those of the transfer, or of the packet if that is shorter.
    length: u64,
    packet: Option<u64>,
    hint: u32,
    done: u64,
    /// H2C: what the stream has taken.
    out: Vec<u8>,
}

#[derive(Debug)]
struct DeviceQueue {
    context: QueueContext,
    size: RingSize,
    fetched: RingIndex,
    tail: RingIndex,
    head: RingIndex,
    completed: RingIndex,
    /// The head of the arming doorbell, while armed.
    armed: Option<RingIndex>,
    active: Option<Active>,
}

/// The device's side of the mock.
#[derive(Debug)]
pub struct MockDevice {
    /// Size of BAR0.
    pub bar0_bytes: u64,
    /// What registers read, by byte offset.
    registers: BTreeMap<u32, u32>,
    /// Reads of CONTROL for which a reset lasts.
    pub reset_polls: u32,
    /// Reads of STATUS until it is ready.
    pub start_polls: u32,
    polls_left: u32,
    /// What the firmware says about itself once it is up: it serves if it is running.
    pub firmware: FirmwareReport,
    /// Every register reads as ones.
    pub gone: bool,
    queues: BTreeMap<u16, DeviceQueue>,
    /// Vectors of the interrupts sent.
    pub interrupts: Vec<u16>,
    /// The next completion of a data queue breaks the protocol.
    pub hostile: Option<Hostile>,
    /// Admin commands are refused with this.
    pub refuse_admin: Option<Status>,
    /// Admin commands are not answered.
    pub silent: bool,
    /// Resets do not end.
    pub reset_stuck: bool,
    /// Bytes that one step moves at most.
    pub step_bytes: u64,
    /// C2H data is that of the transfer's cookie ([`cookie_byte`]) and not of one endless stream.
    pub by_cookie: bool,
    /// Lengths of the next C2H packets; unbounded when empty.
    pub packets: VecDeque<u64>,
    /// Bytes that the C2H stream has given.
    pub streamed: u64,
    /// H2C packets that the stream took: TDEST and bytes.
    pub packets_out: Vec<(u16, Vec<u8>)>,
    /// Doorbell writes.
    pub doorbells: u64,
    /// An entry that came through an inline slot: queue, index, bytes.
    slot: Option<(u16, RingIndex, [u8; SubmissionEntry::BYTES])>,
    /// Entries that were taken from inline slots and not from their rings.
    pub inline_taken: u64,
    /// SG hints of the transfers, in order.
    pub hints: Vec<u32>,
    /// Queue whose turn it is.
    turn: u16,
}

/// The byte at a position of the C2H stream.
pub fn stream_byte(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// The byte at a position of a C2H transfer with this cookie, if [`MockDevice::by_cookie`] is set.
pub fn cookie_byte(cookie: u64, position: u64) -> u8 {
    stream_byte(cookie.wrapping_shl(32).wrapping_add(position))
}

impl Default for MockDevice {
    fn default() -> Self {
        Self::new()
    }
}

impl MockDevice {
    /// A device that serves once it is enabled.
    pub fn new() -> Self {
        let mut device = Self {
            bar0_bytes: aperture::BAR0_BYTES.into(),
            registers: BTreeMap::new(),
            reset_polls: 1,
            start_polls: 1,
            polls_left: 0,
            firmware: FirmwareReport::new().with_state(FirmwareState::Running),
            gone: false,
            queues: BTreeMap::new(),
            interrupts: Vec::new(),
            hostile: None,
            refuse_admin: None,
            silent: false,
            reset_stuck: false,
            step_bytes: u64::MAX,
            by_cookie: false,
            packets: VecDeque::new(),
            streamed: 0,
            packets_out: Vec::new(),
            doorbells: 0,
            slot: None,
            inline_taken: 0,
            hints: Vec::new(),
            turn: 0,
        };
        let features = Features::new()
            .with_uniform_sg(true)
            .with_inline_doorbell(true);
        device.set(&registers::MAGIC, MAGIC.into());
        device.set(
            &registers::VERSION,
            Version::new().with_major(ABI_MAJOR).raw().into(),
        );
        device.set(&registers::LAYOUT_HASH, LAYOUT_HASH);
        device.set(&registers::FEATURES, features.raw());
        let counts = Limits0::new()
            .with_queues(QUEUES as u16)
            .with_vectors(VECTORS as u16);
        device.set(&registers::LIMITS0, counts.raw().into());
        let sizes = Limits1::new()
            .with_data_width_log2(7)
            .with_doorbell_stride_log2(aperture::DOORBELL_STRIDE.ilog2() as u8)
            .with_page_shift(PAGE_SHIFT)
            .with_contexts_log2(4);
        device.set(&registers::LIMITS1, sizes.raw().into());
        device.set(&registers::CLOCK_HZ, 250_000_000);
        device.set(&registers::READ_TAGS, 32);
        device.set(&registers::MAX_REGIONS, MAX_REGIONS.into());
        device
    }

    /// Sets what a register reads.
    pub fn set(&mut self, register: &Register, value: u64) {
        self.registers.insert(register.offset, value as u32);
        if register.width == 64 {
            self.registers
                .insert(register.offset + 4, (value >> 32) as u32);
        }
    }

    /// What a register holds.
    pub fn get(&self, register: &Register) -> u64 {
        let half = |offset| u64::from(self.registers.get(&offset).copied().unwrap_or(0));
        let high = if register.width == 64 {
            half(register.offset + 4)
        } else {
            0
        };
        half(register.offset) | high << 32
    }

    /// Bus address of a queue's completion ring; 0 if there is no such queue.
    pub fn completion_ring(&self, queue: u16) -> u64 {
        self.queues
            .get(&queue)
            .map_or(0, |queue| queue.context.cq_address())
    }

    /// What the driver said about a queue; `None` if there is no such queue.
    pub fn context(&self, queue: u16) -> Option<QueueContext> {
        self.queues.get(&queue).map(|queue| queue.context)
    }

    /// Forgets its queues, as without power or bus mastering.
    pub fn power_off(&mut self) {
        self.queues.clear();
    }

    /// Reads 32 bits of BAR0.
    pub fn read(&mut self, offset: u32) -> u32 {
        if self.gone {
            return u32::MAX;
        }
        let control = Control::from_raw(self.get(&registers::CONTROL) as u32);
        if offset == registers::CONTROL.offset && control.reset() && !self.reset_stuck {
            match self.polls_left.checked_sub(1) {
                Some(left) => self.polls_left = left,
                None => {
                    self.set(&registers::CONTROL, 0);
                    self.polls_left = self.start_polls;
                }
            }
        }
        if offset == registers::STATUS.offset && control.enable() {
            match self.polls_left.checked_sub(1) {
                Some(left) => self.polls_left = left,
                None => {
                    let report = self.firmware;
                    self.set(&registers::FIRMWARE_STATE, report.raw().into());
                    if report.state() == Ok(FirmwareState::Running) {
                        let raw = self.get(&registers::STATUS) as u32;
                        let status = DeviceStatus::from_raw(raw)
                            .with_ready(true)
                            .with_firmware_running(true);
                        self.set(&registers::STATUS, status.raw().into());
                    }
                }
            }
        }
        self.registers.get(&offset).copied().unwrap_or(0)
    }

    /// Writes 4 or 8 bytes of BAR0.
    pub fn write(&mut self, offset: u32, value: u64, bytes: u32) {
        if offset >= aperture::DOORBELLS {
            let queue = (offset - aperture::DOORBELLS) / aperture::DOORBELL_STRIDE;
            return self.doorbell(
                queue as u16,
                Doorbell::decode(&value.to_le_bytes()).unwrap_or_default(),
            );
        }
        self.registers.insert(offset, value as u32);
        if bytes == 8 {
            self.registers.insert(offset + 4, (value >> 32) as u32);
        }
        if offset == registers::CONTROL.offset {
            let control = Control::from_raw(value as u32);
            if control.reset() {
                self.queues.clear();
                self.slot = None;
                self.set(&registers::STATUS, 0);
                self.set(&registers::FIRMWARE_STATE, 0);
                self.polls_left = self.reset_polls;
            } else if control.enable() {
                let size = AdminSize::from_raw(self.get(&registers::ADMIN_SIZE) as u32);
                let context = QueueContext::new()
                    .with_sq_address(self.get(&registers::ADMIN_SQ))
                    .with_cq_address(self.get(&registers::ADMIN_CQ))
                    .with_sq_entries_log2(size.sq_log2())
                    .with_cq_entries_log2(size.cq_log2())
                    .with_vector(size.vector());
                self.create(0, context);
            }
        }
    }

    /// Takes a piece of a write to an inline slot.
    ///
    /// # Panics
    /// The offset is not in a doorbell page.
    pub fn write_slot(&mut self, offset: u32, bytes: &[u8]) {
        let page = offset - aperture::DOORBELLS;
        let id = (page / aperture::DOORBELL_STRIDE) as u16;
        let first = page % aperture::DOORBELL_STRIDE == aperture::INLINE_SLOT;
        let (true, &[_, _, low, high, ..]) = (first, bytes) else {
            return;
        };
        let index = RingIndex(u16::from_le_bytes([low, high]));
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let beyond = index.plus(1).since(queue.fetched);
        let waiting = queue.tail.since(queue.fetched);
        if waiting < beyond && beyond <= queue.size.entries() {
            queue.tail = index.plus(1);
        }
        if let Ok(entry) = bytes.try_into()
            && index == queue.fetched
            && id != 0
        {
            self.slot = Some((id, index, entry));
        }
    }

    fn create(&mut self, id: u16, context: QueueContext) -> Status {
        let (Ok(()), Ok(size)) = (context.check(), RingSize::new(context.sq_entries_log2())) else {
            return Status::BadQueueContext;
        };
        if self.queues.contains_key(&id) {
            return Status::QueueExists;
        }
        let start = RingIndex(0);
        let queue = DeviceQueue {
            context,
            size,
            fetched: start,
            tail: start,
            head: start,
            completed: start,
            armed: None,
            active: None,
        };
        self.queues.insert(id, queue);
        Status::Ok
    }

    fn doorbell(&mut self, id: u16, doorbell: Doorbell) {
        self.doorbells += 1;
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        queue.tail = RingIndex(doorbell.sq_tail());
        queue.head = RingIndex(doorbell.cq_head());
        if doorbell.arm() {
            queue.armed = Some(queue.head);
        }
        let count = queue.context.moderation_count().max(1);
        self.interrupt(id, count);
    }

    /// Fires if armed and behind by this many entries.
    fn interrupt(&mut self, id: u16, count: u16) {
        if let Some(queue) = self.queues.get_mut(&id)
            && let Some(head) = queue.armed
            && queue.completed.since(head) >= count
        {
            queue.armed = None;
            self.interrupts.push(queue.context.vector());
        }
    }

    /// The moderation time of every queue has passed.
    pub fn moderation_time_passes(&mut self) {
        for id in 0..QUEUES as u16 {
            self.interrupt(id, 1);
        }
    }
}

/// What the device does by itself.
impl MockDevice {
    /// Works until there is nothing to do, or `most` entries have ended; returns how many have.
    pub(super) fn run(&mut self, bus: &mut dyn MockBus, most: usize) -> usize {
        let mut done = 0;
        while done < most {
            match self.step(bus) {
                Some(ended) => done += usize::from(ended),
                None => break,
            }
        }
        done
    }

    /// Does one thing, for each queue in turn: takes an entry, moves a piece of a transfer, or ends one (`Some(true)`). `None` if there is nothing to
    /// do.
    pub fn step(&mut self, bus: &mut dyn MockBus) -> Option<bool> {
        let ids: Vec<u16> = self.queues.keys().copied().collect();
        let turn = ids.iter().position(|&id| id >= self.turn).unwrap_or(0);
        let (before, after) = ids.split_at(turn);
        for &id in after.iter().chain(before) {
            if let Some(ended) = self.serve(bus, id) {
                self.turn = id + 1;
                return Some(ended);
            }
        }
        None
    }

    fn serve(&mut self, bus: &mut dyn MockBus, id: u16) -> Option<bool> {
        let queue = self.queues.get_mut(&id)?;
        if let Some(active) = queue.active.take() {
            return Some(self.proceed(bus, id, active));
        }
        let index = queue.fetched;
        let full = index.since(queue.head) >= queue.size.entries();
        if index == queue.tail || full || (id == 0 && self.silent) {
            return None;
        }
        queue.fetched = index.plus(1);
        let slot = u64::from(queue.size.slot(index)) * SubmissionEntry::BYTES as u64;
        let address = queue.context.sq_address() + slot;
        let mut bytes = [0; SubmissionEntry::BYTES];
        bus.bus_read(address, &mut bytes);
        if let Some((_, _, entry)) = self.slot.take_if(|slot| (slot.0, slot.1) == (id, index)) {
            assert_eq!(entry, bytes, "slot and ring differ");
            bytes = entry;
            self.inline_taken += 1;
        }
        if id == 0 {
            let completion = self.admin(bus, index, &bytes);
            self.complete(bus, id, index, completion);
            return Some(true);
        }
        let begun = SubmissionEntry::decode(&bytes)
            .map_err(|_| (CompletionEntry::new(), Status::ReservedNotZero))
            .and_then(|entry| {
                self.begin(bus, id, index, entry)
                    .map_err(|status| (describe(&entry), status))
            });
        match begun {
            Ok(active) => Some(self.proceed(bus, id, active)),
            Err((completion, status)) => {
                self.complete(bus, id, index, completion.with_status(status));
                Some(true)
            }
        }
    }

    fn admin(&mut self, bus: &mut dyn MockBus, index: RingIndex, bytes: &[u8]) -> CompletionEntry {
        let completion = CompletionEntry::new();
        let Ok(entry) = AdminEntry::decode(bytes) else {
            return completion.with_status(Status::ReservedNotZero);
        };
        let status = match (self.refuse_admin, entry.opcode()) {
            (Some(status), _) => status,
            _ if entry.index() != index.0 => Status::BadIndex,
            (_, Ok(AdminOpcode::CreateQueue)) => self.create(entry.target() as u16, entry.body()),
            (_, Ok(AdminOpcode::DestroyQueue)) => {
                self.slot = None;
                match self.queues.remove(&(entry.target() as u16)) {
                    Some(_) => Status::Ok,
                    None => Status::BadQueue,
                }
            }
            (_, Ok(AdminOpcode::InvalidateRegion)) => {
                self.abort(bus, entry.target());
                Status::Ok
            }
            (_, Ok(_)) => Status::Ok,
            (_, Err(_)) => Status::BadOpcode,
        };
        completion.with_status(status).with_cookie(entry.cookie())
    }

    /// Ends what is being moved to or from a region.
    fn abort(&mut self, bus: &mut dyn MockBus, region: u32) {
        let ids: Vec<u16> = self.queues.keys().copied().collect();
        for id in ids {
            let Some(queue) = self.queues.get_mut(&id) else {
                continue;
            };
            if let Some(active) = queue
                .active
                .take_if(|active| active.entry.region() == region)
            {
                let completion = describe(&active.entry)
                    .with_status(Status::Aborted)
                    .with_bytes_moved(active.done);
                self.complete(bus, id, active.index, completion);
            }
        }
    }

    /// Checks an entry, as the device does before the first byte.
    fn begin(
        &mut self,
        bus: &mut dyn MockBus,
        id: u16,
        index: RingIndex,
        entry: SubmissionEntry,
    ) -> Result<Active, Status> {
        if entry.index() != index.0 {
            return Err(Status::BadIndex);
        }
        let context = self.queues.get(&id).ok_or(Status::BadQueue)?.context;
        let direction = context.direction().map_err(|_| Status::BadQueueContext)?;
        let expected = if direction == Direction::C2h {
            Opcode::C2h
        } else {
            Opcode::H2c
        };
        if entry.opcode() != Ok(expected) {
            return Err(Status::BadOpcode);
        }
        if u64::from(entry.region()) >= self.get(&registers::REGION_COUNT) {
            return Err(Status::BadRegion);
        }
        let mut bytes = [0; RegionEntry::BYTES];
        let table = self.get(&registers::REGION_TABLE);
        bus.bus_read(
            table + u64::from(entry.region()) * RegionEntry::BYTES as u64,
            &mut bytes,
        );
        let region = RegionEntry::decode(&bytes).map_err(|_| Status::BadRegionEntry)?;
        if region.format() == Ok(SgFormat::Invalid) {
            return Err(Status::BadRegionEntry);
        }
        if region.generation() != entry.generation() {
            return Err(Status::StaleGeneration);
        }
        if region.protection_domain() != context.protection_domain() {
            return Err(Status::WrongDomain);
        }
        if !(if direction == Direction::C2h {
            region.allow_c2h()
        } else {
            region.allow_h2c()
        }) {
            return Err(Status::NoPermission);
        }
        if entry
            .offset()
            .checked_add(entry.length())
            .is_none_or(|end| end > region.length())
        {
            return Err(Status::OutOfBounds);
        }
        if !(context.tdest_first()..=context.tdest_last()).contains(&entry.tdest()) {
            return Err(Status::BadTdest);
        }
        self.hints.push(entry.sg_hint());
        let packet = match direction {
            Direction::C2h => self.packets.front().copied(),
            Direction::H2c => None,
        };
        Ok(Active {
            index,
            entry,
            region,
            direction,
            length: packet.map_or(entry.length(), |packet| packet.min(entry.length())),
            packet,
            hint: entry.sg_hint(),
            done: 0,
            out: Vec::new(),
        })
    }

    /// Moves a piece; true if that was the last.
    fn proceed(&mut self, bus: &mut dyn MockBus, id: u16, mut active: Active) -> bool {
        let moved = self.piece(bus, &mut active);
        if moved.is_ok() && active.done < active.length {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.active = Some(active);
            }
            return false;
        }
        let completion = describe(&active.entry);
        let completion = match moved {
            Ok(()) => completion
                .with_bytes_moved(active.length)
                .with_eop(active.packet == Some(active.length)),
            Err(status) => completion.with_status(status),
        };
        let index = active.index;
        if moved.is_ok() {
            self.settle(active);
        }
        self.complete(bus, id, index, completion);
        true
    }

    /// Moves bytes up to the end of an element, or as many as one step moves.
    fn piece(&mut self, bus: &mut dyn MockBus, active: &mut Active) -> Result<(), Status> {
        let position =
            u64::from(active.region.first_byte_offset()) + active.entry.offset() + active.done;
        let (address, room, last) = locate(bus, &active.region, active.hint, position)?;
        let piece = room.min(active.length - active.done).min(self.step_bytes);
        let mut data = vec![0; piece as usize];
        let reached = match active.direction {
            Direction::C2h => {
                let (cookie, done) = (active.entry.cookie(), active.done);
                for (byte, at) in data.iter_mut().zip(0..) {
                    *byte = if self.by_cookie {
                        cookie_byte(cookie, done + at)
                    } else {
                        stream_byte(self.streamed + at)
                    };
                }
                self.streamed += piece;
                bus.bus_write(address, &data)
            }
            Direction::H2c => {
                let reached = bus.bus_read(address, &mut data);
                active.out.extend_from_slice(&data);
                reached
            }
        };
        if !reached {
            return Err(Status::ReadUnsupported);
        }
        active.done += piece;
        active.hint += u32::from(position + piece >= last);
        Ok(())
    }

    /// The books over a transfer that was moved whole.
    fn settle(&mut self, active: Active) {
        match active.packet {
            Some(rest) if rest > active.length => self.packets[0] = rest - active.length,
            Some(_) => drop(self.packets.pop_front()),
            None => {}
        }
        if active.direction == Direction::H2c {
            self.packets_out.push((active.entry.tdest(), active.out));
        }
    }

    fn complete(
        &mut self,
        bus: &mut dyn MockBus,
        id: u16,
        index: RingIndex,
        completion: CompletionEntry,
    ) {
        let mut completion = completion.with_slot(index.0).with_queue(id);
        let mut times = 1;
        let mut unknown_status = false;
        if id != 0 {
            match self.hostile.take() {
                Some(Hostile::WrongSlot) => completion.set_slot(index.plus(1).0),
                Some(Hostile::Twice) => times = 2,
                Some(Hostile::TooManyBytes) => {
                    completion.set_bytes_moved(completion.bytes_moved() + 1)
                }
                Some(Hostile::WrongQueue) => completion.set_queue(id + 1),
                Some(Hostile::WrongCookie) => completion.set_cookie(!completion.cookie()),
                Some(Hostile::TooFewBytes) => {
                    completion.set_bytes_moved(completion.bytes_moved() - 1)
                }
                Some(Hostile::SkipsSlot) => {
                    if let Some(queue) = self.queues.get_mut(&id) {
                        queue.completed = queue.completed.plus(1);
                    }
                }
                Some(Hostile::UnknownStatus) => unknown_status = true,
                Some(Hostile::ReservedBit) => {
                    let mut bytes = completion.encode();
                    bytes[31] |= 0x40;
                    return self.write_completion(bus, id, bytes);
                }
                None => {}
            }
        }
        for _ in 0..times {
            let mut bytes = completion.encode();
            if unknown_status {
                bytes[0x16..0x18].copy_from_slice(&0xfffe_u16.to_le_bytes());
            }
            self.write_completion(bus, id, bytes);
        }
    }

    fn write_completion(
        &mut self,
        bus: &mut dyn MockBus,
        id: u16,
        mut bytes: [u8; CompletionEntry::BYTES],
    ) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let at = queue.completed;
        queue.completed = at.plus(1);
        if queue.size.phase(at) {
            bytes[31] |= 0x80;
        }
        let address = queue.context.cq_address()
            + u64::from(queue.size.slot(at)) * CompletionEntry::BYTES as u64;
        let count = queue.context.moderation_count().max(1);
        bus.bus_write(address, &bytes);
        self.interrupt(id, count);
    }
}

/// What a completion repeats of its entry.
fn describe(entry: &SubmissionEntry) -> CompletionEntry {
    CompletionEntry::new()
        .with_cookie(entry.cookie())
        .with_user(entry.user())
        .with_timestamp(1)
}

/// Bus address of a position, which element `hint` must hold, the bytes from there to the element's end, and the position of that end.
fn locate(
    bus: &mut dyn MockBus,
    region: &RegionEntry,
    hint: u32,
    position: u64,
) -> Result<(u64, u64, u64), Status> {
    if hint >= region.element_count() {
        return Err(Status::BadHint);
    }
    if region.format() == Ok(SgFormat::Uniform) {
        let shift = region.page_shift();
        if position >> shift != u64::from(hint) {
            return Err(Status::BadHint);
        }
        let mut bytes = [0; SgUniformElement::BYTES];
        bus.bus_read(
            region.sg_table() + u64::from(hint) * SgUniformElement::BYTES as u64,
            &mut bytes,
        );
        let element = SgUniformElement::decode(&bytes).map_err(|_| Status::BadSgElement)?;
        let within = position & ((1 << shift) - 1);
        let room = (1 << shift) - within;
        return Ok((
            (element.page_frame() << PAGE_SHIFT) + within,
            room,
            position + room,
        ));
    }
    let mut bytes = [0; SgElement::BYTES];
    bus.bus_read(
        region.sg_table() + u64::from(hint) * SgElement::BYTES as u64,
        &mut bytes,
    );
    let element = SgElement::decode(&bytes).map_err(|_| Status::BadSgElement)?;
    let start = u64::from(element.start_page()) << PAGE_SHIFT;
    let end = start + (u64::from(element.pages()) << PAGE_SHIFT);
    if !(start..end).contains(&position) {
        return Err(Status::BadHint);
    }
    Ok((
        (element.page_frame() << PAGE_SHIFT) + (position - start),
        end - position,
        end,
    ))
}
