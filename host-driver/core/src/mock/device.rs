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

use super::MockHost;

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
    /// A reserved bit.
    ReservedBit,
}

#[derive(Debug)]
struct DeviceQueue {
    context: QueueContext,
    size: RingSize,
    fetched: RingIndex,
    tail: RingIndex,
    head: RingIndex,
    completed: RingIndex,
    armed: bool,
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
    /// Lengths of the next C2H packets; unbounded when empty.
    pub packets: VecDeque<u64>,
    /// Bytes that the C2H stream has given.
    pub streamed: u64,
    /// H2C packets that the stream took: TDEST and bytes.
    pub packets_out: Vec<(u16, Vec<u8>)>,
    /// Doorbell writes.
    pub doorbells: u64,
    /// SG hints of the transfers, in order.
    pub hints: Vec<u32>,
}

/// The byte at a position of the C2H stream.
pub fn stream_byte(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl MockDevice {
    pub(super) fn new() -> Self {
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
            packets: VecDeque::new(),
            streamed: 0,
            packets_out: Vec::new(),
            doorbells: 0,
            hints: Vec::new(),
        };
        let features = Features::new().with_uniform_sg(true);
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

    pub(super) fn power_off(&mut self) {
        self.queues.clear();
    }

    pub(super) fn read(&mut self, offset: u32) -> u32 {
        if self.gone {
            return u32::MAX;
        }
        let control = Control::from_raw(self.get(&registers::CONTROL) as u32);
        if offset == registers::CONTROL.offset && control.reset() {
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

    pub(super) fn write(&mut self, offset: u32, value: u64, bytes: u32) {
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
            armed: false,
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
        queue.armed |= doorbell.arm();
        self.interrupt(id);
    }

    /// Fires if armed and behind.
    fn interrupt(&mut self, id: u16) {
        if let Some(queue) = self.queues.get_mut(&id)
            && queue.armed
            && queue.completed != queue.head
        {
            queue.armed = false;
            self.interrupts.push(queue.context.vector());
        }
    }
}

impl MockHost {
    pub(super) fn run_device(&mut self, most: usize) -> usize {
        let mut done = 0;
        loop {
            let before = done;
            let ids: Vec<u16> = self.device.queues.keys().copied().collect();
            for id in ids {
                if done < most && self.serve(id) {
                    done += 1;
                }
            }
            if done == before {
                return done;
            }
        }
    }

    /// Fetches and ends one entry of a queue, if there is one and room for its completion.
    fn serve(&mut self, id: u16) -> bool {
        let Some(queue) = self.device.queues.get_mut(&id) else {
            return false;
        };
        let index = queue.fetched;
        if index == queue.tail || index.since(queue.head) >= queue.size.entries() {
            return false;
        }
        queue.fetched = index.plus(1);
        let slot = u64::from(queue.size.slot(index)) * SubmissionEntry::BYTES as u64;
        let address = queue.context.sq_address() + slot;
        let mut bytes = [0; SubmissionEntry::BYTES];
        self.bus_read(address, &mut bytes);
        let completion = if id == 0 {
            self.admin(index, &bytes)
        } else {
            self.transfer(id, index, &bytes)
        };
        self.complete(id, index, completion);
        true
    }

    fn admin(&mut self, index: RingIndex, bytes: &[u8]) -> CompletionEntry {
        let completion = CompletionEntry::new();
        let Ok(entry) = AdminEntry::decode(bytes) else {
            return completion.with_status(Status::ReservedNotZero);
        };
        let status = match (self.device.refuse_admin, entry.opcode()) {
            (Some(status), _) => status,
            _ if entry.index() != index.0 => Status::BadIndex,
            (_, Ok(AdminOpcode::CreateQueue)) => {
                self.device.create(entry.target() as u16, entry.body())
            }
            (_, Ok(AdminOpcode::DestroyQueue)) => {
                match self.device.queues.remove(&(entry.target() as u16)) {
                    Some(_) => Status::Ok,
                    None => Status::BadQueue,
                }
            }
            (_, Ok(_)) => Status::Ok,
            (_, Err(_)) => Status::BadOpcode,
        };
        completion.with_status(status).with_cookie(entry.cookie())
    }

    fn transfer(&mut self, id: u16, index: RingIndex, bytes: &[u8]) -> CompletionEntry {
        let completion = CompletionEntry::new();
        let Ok(entry) = SubmissionEntry::decode(bytes) else {
            return completion.with_status(Status::ReservedNotZero);
        };
        let completion = completion
            .with_cookie(entry.cookie())
            .with_user(entry.user())
            .with_timestamp(1);
        if entry.index() != index.0 {
            return completion.with_status(Status::BadIndex);
        }
        match self.move_data(id, &entry) {
            Ok((moved, eop)) => completion.with_bytes_moved(moved).with_eop(eop),
            Err(status) => completion.with_status(status),
        }
    }

    fn move_data(&mut self, id: u16, entry: &SubmissionEntry) -> Result<(u64, bool), Status> {
        let context = self.device.queues[&id].context;
        let direction = context.direction().map_err(|_| Status::BadQueueContext)?;
        let expected = if direction == Direction::C2h {
            Opcode::C2h
        } else {
            Opcode::H2c
        };
        if entry.opcode() != Ok(expected) {
            return Err(Status::BadOpcode);
        }
        if u64::from(entry.region()) >= self.device.get(&registers::REGION_COUNT) {
            return Err(Status::BadRegion);
        }
        let mut bytes = [0; RegionEntry::BYTES];
        let table = self.device.get(&registers::REGION_TABLE);
        self.bus_read(
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
        self.device.hints.push(entry.sg_hint());
        let packet = match direction {
            Direction::C2h => self.device.packets.front().copied(),
            Direction::H2c => None,
        };
        let length = packet.map_or(entry.length(), |packet| packet.min(entry.length()));
        let mut out = Vec::new();
        let mut hint = entry.sg_hint();
        let mut done = 0;
        while done < length {
            let position = u64::from(region.first_byte_offset()) + entry.offset() + done;
            let (address, room) = self.locate(&region, hint, position)?;
            let piece = room.min(length - done);
            let mut data = vec![0; piece as usize];
            let reached = match direction {
                Direction::C2h => {
                    let start = self.device.streamed;
                    data.iter_mut()
                        .zip(start..)
                        .for_each(|(byte, at)| *byte = stream_byte(at));
                    self.device.streamed += piece;
                    self.bus_write(address, &data)
                }
                Direction::H2c => {
                    let reached = self.bus_read(address, &mut data);
                    out.extend_from_slice(&data);
                    reached
                }
            };
            if !reached {
                return Err(Status::ReadUnsupported);
            }
            done += piece;
            hint += 1;
        }
        let eop = packet == Some(length);
        match packet {
            Some(rest) if rest > length => self.device.packets[0] = rest - length,
            Some(_) => drop(self.device.packets.pop_front()),
            None => {}
        }
        if direction == Direction::H2c {
            self.device.packets_out.push((entry.tdest(), out));
        }
        Ok((length, eop))
    }

    /// Bus address of a position, which element `hint` must hold, and the bytes from there to the element's end.
    pub(crate) fn locate(
        &mut self,
        region: &RegionEntry,
        hint: u32,
        position: u64,
    ) -> Result<(u64, u64), Status> {
        if hint >= region.element_count() {
            return Err(Status::BadHint);
        }
        if region.format() == Ok(SgFormat::Uniform) {
            let shift = region.page_shift();
            if position >> shift != u64::from(hint) {
                return Err(Status::BadHint);
            }
            let mut bytes = [0; SgUniformElement::BYTES];
            self.bus_read(
                region.sg_table() + u64::from(hint) * SgUniformElement::BYTES as u64,
                &mut bytes,
            );
            let element = SgUniformElement::decode(&bytes).map_err(|_| Status::BadSgElement)?;
            let within = position & ((1 << shift) - 1);
            return Ok((
                (element.page_frame() << PAGE_SHIFT) + within,
                (1 << shift) - within,
            ));
        }
        let mut bytes = [0; SgElement::BYTES];
        self.bus_read(
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
        ))
    }

    fn complete(&mut self, id: u16, index: RingIndex, completion: CompletionEntry) {
        let mut completion = completion.with_slot(index.0).with_queue(id);
        let mut times = 1;
        let mut unknown_status = false;
        if id != 0 {
            match self.device.hostile.take() {
                Some(Hostile::WrongSlot) => completion.set_slot(index.plus(1).0),
                Some(Hostile::Twice) => times = 2,
                Some(Hostile::TooManyBytes) => {
                    completion.set_bytes_moved(completion.bytes_moved() + 1)
                }
                Some(Hostile::WrongQueue) => completion.set_queue(id + 1),
                Some(Hostile::UnknownStatus) => unknown_status = true,
                Some(Hostile::ReservedBit) => {
                    let mut bytes = completion.encode();
                    bytes[31] |= 0x40;
                    return self.write_completion(id, bytes);
                }
                None => {}
            }
        }
        for _ in 0..times {
            let mut bytes = completion.encode();
            if unknown_status {
                bytes[0x16..0x18].copy_from_slice(&0xfffe_u16.to_le_bytes());
            }
            self.write_completion(id, bytes);
        }
    }

    fn write_completion(&mut self, id: u16, mut bytes: [u8; CompletionEntry::BYTES]) {
        let Some(queue) = self.device.queues.get_mut(&id) else {
            return;
        };
        let at = queue.completed;
        queue.completed = at.plus(1);
        if queue.size.phase(at) {
            bytes[31] |= 0x80;
        }
        let address = queue.context.cq_address()
            + u64::from(queue.size.slot(at)) * CompletionEntry::BYTES as u64;
        self.bus_write(address, &bytes);
        self.device.interrupt(id);
    }
}
