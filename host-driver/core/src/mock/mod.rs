//! A host and a device in memory, for tests: the device consumes rings and produces completions as the protocol says, or, on
//! demand, as it forbids.
//!
//! The device does nothing by itself: doorbells are noted, and [`Mock::run`] lets it work. Every access of the device to memory that is
//! not mapped for it at that moment is noted as a violation.

mod device;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use pinring_protocol::Direction;
use pinring_protocol::limits::PAGE;

use crate::{
    BufferId, BufferSpan, CopyDirection, CopySpan, DmaError, DmaHandle, DmaMemory, MapError,
    Mapping, MappingId, NotAvailable, PageRun, Platform, Tier,
};

pub use device::{Hostile, MockBus, MockDevice, cookie_byte, stream_byte};

const PAGE64: u64 = PAGE as u64;

/// A user buffer: bytes in pages.
#[derive(Clone, Debug)]
struct Buffer {
    first_byte: u64,
    length: u64,
    frames: Vec<u64>,
}

#[derive(Clone, Debug)]
struct MapRecord {
    runs: Vec<PageRun>,
    /// (user frame, bounce frame).
    bounced: Vec<(u64, u64)>,
    direction: Option<Direction>,
    first_byte: u64,
    length: u64,
}

/// How the host writes 64 bytes to BAR0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteCombining {
    /// Not at all.
    None,
    /// At once.
    Whole,
    /// As the number says, which changes with each write: at once, in pieces of 8 bytes and more in any order, or more than once.
    Pieces(u64),
}

/// Counts of what the core did to the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// MMIO reads.
    pub mmio_reads: u64,
    /// MMIO writes.
    pub mmio_writes: u64,
    /// Those of 64 bytes among them.
    pub lines: u64,
    /// Common-buffer allocations in force.
    pub dma_memory: usize,
    /// Mappings in force.
    pub mappings: usize,
    /// Bytes copied by the CPU.
    pub copied: u64,
}

/// The host, with the device in it.
#[derive(Debug)]
pub struct MockHost {
    /// 4 KiB pages by physical frame.
    memory: BTreeMap<u64, Box<[u8; PAGE]>>,
    /// Bus frame to physical frame, for every page that the device may reach now, with a count of its mappings.
    reach: BTreeMap<u64, (u64, u32)>,
    buffers: BTreeMap<BufferId, Buffer>,
    allocations: BTreeMap<DmaHandle, DmaMemory>,
    mappings: BTreeMap<MappingId, MapRecord>,
    next_frame: u64,
    next_bus_frame: u64,
    next_mapping: u64,
    /// Tier Bypass can be had.
    pub bypass: bool,
    /// Tier MappedOnce can be had.
    pub mapped_once: bool,
    /// Transfers bounce through other pages.
    pub bounce: bool,
    /// Pages that may be mapped for transfers at a time.
    pub map_registers: usize,
    /// What `max_transfer_mapping` says.
    pub max_mapping: u64,
    /// Allocations that still succeed.
    pub allocations_left: usize,
    /// Bus Master Enable cannot be cleared.
    pub bus_master_stuck: bool,
    /// How the host writes 64 bytes to BAR0.
    pub write_combining: WriteCombining,
    /// The clock.
    pub now_ns: u64,
    /// What the core did.
    pub counts: Counts,
    /// What the device should not have done.
    pub violations: Vec<String>,
    /// The device.
    pub device: MockDevice,
}

/// A handle on the host; clones share it, so that a test may look at what a `Device` owns.
#[derive(Clone, Debug)]
pub struct Mock(Rc<RefCell<MockHost>>);

impl Default for Mock {
    fn default() -> Self {
        Self::new()
    }
}

impl Mock {
    /// A host on which every tier can be had, with a device that serves.
    pub fn new() -> Self {
        Self(Rc::new(RefCell::new(MockHost {
            memory: BTreeMap::new(),
            reach: BTreeMap::new(),
            buffers: BTreeMap::new(),
            allocations: BTreeMap::new(),
            mappings: BTreeMap::new(),
            // Above 4 GiB, so that a dropped high half is seen.
            next_frame: 0x1_2345_6000,
            next_bus_frame: 0x5_0000_0000,
            next_mapping: 1,
            bypass: true,
            mapped_once: true,
            bounce: false,
            map_registers: usize::MAX,
            max_mapping: 1 << 30,
            allocations_left: usize::MAX,
            bus_master_stuck: false,
            write_combining: WriteCombining::None,
            now_ns: 0,
            counts: Counts::default(),
            violations: Vec::new(),
            device: MockDevice::new(),
        })))
    }

    /// The host.
    pub fn host(&self) -> Ref<'_, MockHost> {
        self.0.borrow()
    }

    /// The host, to change it.
    pub fn host_mut(&self) -> RefMut<'_, MockHost> {
        self.0.borrow_mut()
    }

    /// Locks a buffer of `length` bytes that starts at byte `first_byte` of its first page; its pages are at `frames`, one each.
    pub fn lock_buffer(&self, first_byte: u16, length: u64, frames: &[u64]) -> BufferId {
        let mut host = self.host_mut();
        let id = BufferId(0x1000 + host.buffers.len() as u64);
        for &frame in frames {
            host.memory
                .entry(frame)
                .or_insert_with(|| Box::new([0; PAGE]));
        }
        host.buffers.insert(
            id,
            Buffer {
                first_byte: first_byte.into(),
                length,
                frames: frames.to_vec(),
            },
        );
        id
    }

    /// Locks a buffer in scattered pages.
    pub fn lock_scattered(&self, first_byte: u16, length: u64) -> BufferId {
        let pages = (u64::from(first_byte) + length).div_ceil(PAGE64);
        let base = {
            let mut host = self.host_mut();
            let base = host.next_frame;
            host.next_frame += pages * 4 + 16;
            base
        };
        // Runs of three neighbours now and then, the rest apart.
        let frames: Vec<u64> = (0..pages)
            .map(|page| {
                base + page * 2
                    - if page % 7 == 1 || page % 7 == 2 {
                        page % 7
                    } else {
                        0
                    }
            })
            .collect();
        self.lock_buffer(first_byte, length, &frames)
    }

    /// Fills a buffer.
    pub fn fill(&self, buffer: BufferId, offset: u64, bytes: &[u8]) {
        let mut host = self.host_mut();
        let Some(buffer) = host.buffers.get(&buffer).cloned() else {
            return;
        };
        for (at, byte) in (offset..).zip(bytes) {
            let position = buffer.first_byte + at;
            let frame = buffer.frames[(position / PAGE64) as usize];
            if let Some(page) = host.memory.get_mut(&frame) {
                page[(position % PAGE64) as usize] = *byte;
            }
        }
    }

    /// Reads a buffer.
    pub fn bytes(&self, buffer: BufferId, offset: u64, length: u64) -> Vec<u8> {
        let host = self.host();
        let buffer = &host.buffers[&buffer];
        (offset..offset + length)
            .map(|at| {
                let position = buffer.first_byte + at;
                host.memory[&buffer.frames[(position / PAGE64) as usize]]
                    [(position % PAGE64) as usize]
            })
            .collect()
    }

    /// Lets the device work until it has nothing to do; returns the number of completions it wrote.
    pub fn run(&self) -> usize {
        self.run_at_most(usize::MAX)
    }

    /// Lets the device end at most `most` entries.
    pub fn run_at_most(&self, most: usize) -> usize {
        self.host_mut().run_device(most)
    }

    /// Takes the vectors of the interrupts sent since the last call.
    pub fn take_interrupts(&self) -> Vec<u16> {
        core::mem::take(&mut self.host_mut().device.interrupts)
    }
}

impl MockBus for MockHost {
    fn bus_read(&mut self, address: u64, bytes: &mut [u8]) -> bool {
        for (at, byte) in (address..).zip(bytes) {
            let Some(page) = self.reached(at) else {
                return false;
            };
            *byte = page[(at % PAGE64) as usize];
        }
        true
    }

    fn bus_write(&mut self, address: u64, bytes: &[u8]) -> bool {
        for (at, byte) in (address..).zip(bytes) {
            let Some(page) = self.reached(at) else {
                return false;
            };
            page[(at % PAGE64) as usize] = *byte;
        }
        true
    }
}

impl MockHost {
    fn run_device(&mut self, most: usize) -> usize {
        // The device is in the host that it reaches into.
        let mut device = core::mem::take(&mut self.device);
        let done = device.run(self, most);
        self.device = device;
        done
    }

    fn reached(&mut self, address: u64) -> Option<&mut Box<[u8; PAGE]>> {
        let page = self
            .reach
            .get(&(address / PAGE64))
            .and_then(|(frame, _)| self.memory.get_mut(frame));
        if page.is_none() {
            self.violations.push(format!(
                "the device touched {address:#x}, which is not mapped for it"
            ));
        }
        page
    }

    fn grant(&mut self, bus_frame: u64, frame: u64) {
        self.reach.entry(bus_frame).or_insert((frame, 0)).1 += 1;
    }

    fn revoke(&mut self, bus_frame: u64) {
        if let Some((_, count)) = self.reach.get_mut(&bus_frame) {
            *count -= 1;
            if *count == 0 {
                self.reach.remove(&bus_frame);
            }
        }
    }

    fn map(&mut self, frames: &[u64], length: u64, first_byte: u64, way: MapRecord) -> Mapping {
        let bus_frames = way
            .runs
            .iter()
            .flat_map(|run| run.frame..run.frame + u64::from(run.pages));
        for (bus_frame, &frame) in bus_frames.zip(frames) {
            self.grant(bus_frame, frame);
        }
        let id = MappingId(self.next_mapping);
        self.next_mapping += 1;
        self.mappings.insert(id, way);
        self.counts.mappings = self.mappings.len();
        Mapping {
            id,
            first_byte_offset: first_byte as u16,
            length,
        }
    }

    fn unmap(&mut self, id: MappingId) {
        let Some(record) = self.mappings.remove(&id) else {
            self.violations.push(format!("{id:?} was unmapped twice"));
            return;
        };
        for run in &record.runs {
            for page in 0..u64::from(run.pages) {
                self.revoke(run.frame + page);
            }
        }
        self.map_registers = self.map_registers.saturating_add(record.bounced.len());
        if record.direction == Some(Direction::C2h) {
            // What lies in the same pages beside the transfer is not this mapping's.
            let mut rest = record.first_byte..record.first_byte + record.length;
            for (user, bounce) in record.bounced {
                let within = rest.start as usize..rest.end.min(PAGE64) as usize;
                let bytes = self.memory[&bounce][within.clone()].to_vec();
                if let Some(page) = self.memory.get_mut(&user) {
                    page[within].copy_from_slice(&bytes);
                }
                rest = 0..rest.end.saturating_sub(PAGE64);
            }
        }
        self.counts.mappings = self.mappings.len();
    }

    fn new_frames(&mut self, pages: u64) -> u64 {
        let frame = self.next_frame;
        self.next_frame += pages + 1;
        for page in frame..frame + pages {
            self.memory.insert(page, Box::new([0; PAGE]));
        }
        frame
    }
}

fn single_pages(frames: &[u64]) -> Vec<PageRun> {
    frames
        .iter()
        .map(|&frame| PageRun { frame, pages: 1 })
        .collect()
}

impl Platform for Mock {
    fn bar0_bytes(&self) -> u64 {
        self.host().device.bar0_bytes
    }

    fn mmio_read32(&mut self, offset: u32) -> u32 {
        self.host_mut().counts.mmio_reads += 1;
        self.host_mut().device.read(offset)
    }

    fn mmio_read64(&mut self, offset: u32) -> u64 {
        self.host_mut().counts.mmio_reads += 1;
        let mut host = self.host_mut();
        u64::from(host.device.read(offset)) | u64::from(host.device.read(offset + 4)) << 32
    }

    fn mmio_write32(&mut self, offset: u32, value: u32) {
        self.host_mut().counts.mmio_writes += 1;
        self.host_mut().device.write(offset, value.into(), 4);
    }

    fn mmio_write64(&mut self, offset: u32, value: u64) {
        self.host_mut().counts.mmio_writes += 1;
        self.host_mut().device.write(offset, value, 8);
    }

    fn mmio_write_line(&mut self, offset: u32, line: &[u8; 64]) -> bool {
        let mut host = self.host_mut();
        let (split, mut random) = match host.write_combining {
            WriteCombining::None => return false,
            WriteCombining::Whole => (false, 0),
            WriteCombining::Pieces(state) => {
                // SplitMix64.
                let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                host.write_combining = WriteCombining::Pieces(state);
                let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                (mixed & 3 != 0, mixed)
            }
        };
        host.counts.mmio_writes += 1;
        host.counts.lines += 1;
        if split {
            // Each of the next seven bits cuts behind 8 bytes, or does not; the rest says which piece comes next.
            let mut pieces = vec![(0, 8)];
            for at in (8..64).step_by(8) {
                random >>= 1;
                match pieces.last_mut() {
                    Some((_, end)) if random & 2 == 0 => *end = at + 8,
                    _ => pieces.push((at, at + 8)),
                }
            }
            while !pieces.is_empty() {
                random >>= 3;
                let (start, end) = pieces.swap_remove(random as usize % pieces.len());
                host.device
                    .write_slot(offset + start as u32, &line[start..end]);
            }
        }
        if !split || random & 8 == 0 {
            host.device.write_slot(offset, line);
        }
        true
    }

    fn write_barrier(&mut self) {}

    fn read_barrier(&mut self) {}

    fn now_ns(&mut self) -> u64 {
        self.host().now_ns
    }

    fn disable_bus_master(&mut self) -> bool {
        let mut host = self.host_mut();
        if !host.bus_master_stuck {
            host.device.power_off();
        }
        !host.bus_master_stuck
    }

    fn dma_alloc(&mut self, bytes: usize, align: usize) -> Result<DmaMemory, DmaError> {
        let mut host = self.host_mut();
        if host.allocations_left == 0 || align > PAGE {
            return Err(DmaError { bytes });
        }
        host.allocations_left -= 1;
        let pages = (bytes as u64).div_ceil(PAGE64);
        let frame = host.new_frames(pages);
        for page in frame..frame + pages {
            host.grant(page, page);
        }
        let memory = DmaMemory {
            handle: DmaHandle(frame * PAGE64),
            bus_address: frame * PAGE64,
            bytes,
        };
        host.allocations.insert(memory.handle, memory);
        host.counts.dma_memory = host.allocations.len();
        Ok(memory)
    }

    fn dma_free(&mut self, memory: DmaMemory) {
        let mut host = self.host_mut();
        if host.allocations.remove(&memory.handle).is_none() {
            host.violations.push(format!("{memory:?} was freed twice"));
            return;
        }
        let frame = memory.bus_address / PAGE64;
        for page in frame..frame + (memory.bytes as u64).div_ceil(PAGE64) {
            host.revoke(page);
        }
        host.counts.dma_memory = host.allocations.len();
    }

    fn dma_write(&mut self, handle: DmaHandle, offset: usize, bytes: &[u8]) {
        let mut host = self.host_mut();
        let inside = host
            .allocations
            .get(&handle)
            .is_some_and(|memory| offset + bytes.len() <= memory.bytes);
        if !inside || !offset.is_multiple_of(8) || !bytes.len().is_multiple_of(8) {
            host.violations.push(format!(
                "the core wrote {} bytes at {offset} of {handle:?}",
                bytes.len()
            ));
            return;
        }
        host.bus_write(handle.0 + offset as u64, bytes);
    }

    fn dma_read(&mut self, handle: DmaHandle, offset: usize, bytes: &mut [u8]) {
        let mut host = self.host_mut();
        let inside = host
            .allocations
            .get(&handle)
            .is_some_and(|memory| offset + bytes.len() <= memory.bytes);
        if !inside || !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            host.violations.push(format!(
                "the core read {} bytes at {offset} of {handle:?}",
                bytes.len()
            ));
            return;
        }
        host.bus_read(handle.0 + offset as u64, bytes);
    }

    fn buffer_span(&mut self, buffer: BufferId) -> Option<BufferSpan> {
        let host = self.host();
        let buffer = host.buffers.get(&buffer)?;
        Some(BufferSpan {
            first_byte_offset: buffer.first_byte as u16,
            length: buffer.length,
        })
    }

    fn map_persistent(&mut self, buffer: BufferId, tier: Tier) -> Result<Mapping, NotAvailable> {
        let mut host = self.host_mut();
        let Buffer {
            first_byte,
            length,
            frames,
        } = host
            .buffers
            .get(&buffer)
            .cloned()
            .ok_or(NotAvailable::UnknownBuffer)?;
        let mut record = MapRecord {
            runs: single_pages(&frames),
            bounced: Vec::new(),
            direction: None,
            first_byte,
            length,
        };
        match tier {
            Tier::Bypass if host.bypass => {}
            Tier::Bypass => return Err(NotAvailable::Translated),
            Tier::MappedOnce if host.mapped_once => {
                let frame = host.next_bus_frame;
                host.next_bus_frame += frames.len() as u64 + 1;
                record.runs = vec![PageRun {
                    frame,
                    pages: frames.len() as u32,
                }];
            }
            _ => return Err(NotAvailable::Unsupported),
        }
        Ok(host.map(&frames, length, first_byte, record))
    }

    fn unmap_persistent(&mut self, mapping: MappingId) {
        self.host_mut().unmap(mapping);
    }

    fn max_transfer_mapping(&self) -> u64 {
        self.host().max_mapping
    }

    fn map_transfer(
        &mut self,
        buffer: BufferId,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Mapping, MapError> {
        let mut host = self.host_mut();
        let buffer = host
            .buffers
            .get(&buffer)
            .cloned()
            .ok_or(MapError::UnknownBuffer)?;
        let outside = MapError::OutOfBounds { offset, length };
        if length == 0
            || offset
                .checked_add(length)
                .is_none_or(|end| end > buffer.length)
        {
            return Err(outside);
        }
        let start = buffer.first_byte + offset;
        let frames = buffer.frames
            [(start / PAGE64) as usize..(start + length).div_ceil(PAGE64) as usize]
            .to_vec();
        let mut record = MapRecord {
            runs: single_pages(&frames),
            bounced: Vec::new(),
            direction: Some(direction),
            first_byte: start % PAGE64,
            length,
        };
        let mut reached = frames.clone();
        if host.bounce {
            host.map_registers = host
                .map_registers
                .checked_sub(frames.len())
                .ok_or(MapError::NoMapRegisters)?;
            reached = frames.iter().map(|_| host.new_frames(1)).collect();
            for (&user, &bounce) in frames.iter().zip(&reached) {
                // For C2H too, as the transfer may end within a page.
                let page = host.memory[&user].clone();
                host.memory.insert(bounce, page);
                record.bounced.push((user, bounce));
            }
            record.runs = single_pages(&reached);
        }
        Ok(host.map(&reached, length, start % PAGE64, record))
    }

    fn unmap_transfer(&mut self, mapping: MappingId) {
        self.host_mut().unmap(mapping);
    }

    fn pages(&mut self, mapping: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        let host = self.host();
        let Some(record) = host.mappings.get(&mapping) else {
            return 0;
        };
        let rest = record.runs.iter().skip(*cursor as usize);
        let mut count = 0;
        for (place, run) in runs.iter_mut().zip(rest) {
            *place = *run;
            count += 1;
        }
        *cursor += count as u64;
        count
    }

    fn copy(&mut self, span: CopySpan) -> bool {
        if self.buffer_span(span.buffer).is_none() {
            return false;
        }
        let mut bytes = vec![0; span.length as usize];
        let address = span.memory.0 + span.offset;
        match span.direction {
            CopyDirection::In => {
                bytes = self.bytes(span.buffer, span.offset, span.length);
                self.host_mut().bus_write(address, &bytes);
            }
            CopyDirection::Out => {
                self.host_mut().bus_read(address, &mut bytes);
                self.fill(span.buffer, span.offset, &bytes);
            }
        }
        self.host_mut().counts.copied += span.length;
        true
    }
}
