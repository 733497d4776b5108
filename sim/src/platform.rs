//! The driver core's [`Platform`] on the simulated host.

use std::collections::HashMap;
use std::ops::Range;

use pinring_core::{
    BufferId, BufferSpan, CopyDirection, CopySpan, DmaError, DmaHandle, DmaMemory, MapError,
    Mapping, MappingId, NotAvailable, PageRun, Platform, Tier,
};
use pinring_protocol::Direction;
use pinring_protocol::registers::aperture;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::board::MachineError;
use crate::host::{
    self, BusRun, CommonBuffer, Layout, Mapped, PAGE_BYTES, PAGE_SHIFT, PhysicalMemory, Transfer,
};
use crate::machine::Machine;
use crate::scenario::WriteCombining;

/// Largest mapping of one transfer: what KMDF grants with enough map registers.
const MAX_TRANSFER: u64 = 1 << 31;

/// A buffer that an application has locked.
struct Buffer {
    layout: Layout,
    first_byte: u16,
    bytes: u64,
}

/// The buffers that applications have locked.
#[derive(Default)]
pub struct Buffers(Vec<Buffer>);

impl Buffers {
    /// Layout of a buffer, and where the buffer begins in it.
    pub fn get(&self, buffer: BufferId) -> Option<(&Layout, u64)> {
        let buffer = self.locked(buffer)?;
        Some((&buffer.layout, u64::from(buffer.first_byte)))
    }

    fn locked(&self, buffer: BufferId) -> Option<&Buffer> {
        self.0.get(usize::try_from(buffer.0).ok()?)
    }
}

struct InForce {
    mapped: Mapped,
}

/// The simulated host, as the driver sees it. Owns the machine; an access that ends the run is kept in `failed`, and
/// later ones do nothing.
pub struct SimPlatform {
    /// Device, link and memory.
    pub machine: Machine,
    /// What ended the run.
    pub failed: Option<MachineError>,
    buffers: Buffers,
    common: HashMap<u64, (CommonBuffer, u64)>,
    allocated: Vec<Range<u64>>,
    mappings: HashMap<u64, InForce>,
    os_calls: u64,
    next: u64,
    write_combining: WriteCombining,
    rng: SplitMix64,
}

impl SimPlatform {
    /// The host of this machine.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            failed: None,
            buffers: Buffers::default(),
            common: HashMap::new(),
            allocated: Vec::new(),
            mappings: HashMap::new(),
            os_calls: 0,
            next: 1,
            write_combining: WriteCombining::Off,
            rng: SplitMix64::seed_from_u64(0),
        }
    }

    /// Doorbell pages are mapped as this says; `seed` draws the pieces.
    pub fn set_write_combining(&mut self, write_combining: WriteCombining, seed: u64) {
        self.write_combining = write_combining;
        self.rng = SplitMix64::seed_from_u64(seed);
    }

    /// A line as it leaves the processor: where each piece begins, and its bytes.
    fn pieces(&mut self, line: &[u8; 64]) -> Vec<(u32, Vec<u8>)> {
        let mut pieces = vec![(0, Vec::new())];
        for (at, bytes) in (0..).step_by(8).zip(line.as_chunks::<8>().0) {
            let cut = self.write_combining == WriteCombining::Split && self.rng.next_u64() & 1 == 1;
            match pieces.last_mut() {
                Some((_, piece)) if !cut || piece.is_empty() => piece.extend(bytes),
                _ => pieces.push((at, bytes.to_vec())),
            }
        }
        for at in (1..pieces.len()).rev() {
            let other = self.rng.next_u64() % (at as u64 + 1);
            pieces.swap(at, other as usize);
        }
        pieces
    }

    /// Locks a buffer of `bytes` bytes that begins `first_byte` bytes into its layout.
    pub fn lock(&mut self, layout: Layout, first_byte: u16, bytes: u64) -> BufferId {
        self.buffers.0.push(Buffer {
            layout,
            first_byte,
            bytes,
        });
        BufferId(self.buffers.0.len() as u64 - 1)
    }

    /// Physical memory, and the locked buffers in it.
    pub fn memory_and_buffers(&mut self) -> (&mut PhysicalMemory, &Buffers) {
        (&mut self.machine.host.memory, &self.buffers)
    }

    /// Bus addresses of all common buffers that the driver has allocated so far, in that order.
    pub fn allocated(&self) -> &[Range<u64>] {
        &self.allocated
    }

    /// Calls of the operating system's memory manager so far: allocations, mappings, their ends, and copies.
    pub fn os_calls(&self) -> u64 {
        self.os_calls
    }

    fn keep(&mut self, result: Result<(), MachineError>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    fn read(&mut self, offset: u32, bytes: u64) -> u64 {
        if self.failed.is_some() {
            return u64::MAX;
        }
        match self.machine.mmio_read(offset, bytes) {
            Ok(value) => value,
            Err(error) => {
                self.failed = Some(error);
                u64::MAX
            }
        }
    }

    fn physical(&self, handle: DmaHandle, offset: usize) -> Option<u64> {
        let (buffer, _) = self.common.get(&handle.0)?;
        Some(buffer.physical + offset as u64)
    }

    fn hold(&mut self, mapped: Mapped, first_byte_offset: u16, length: u64) -> Mapping {
        let id = self.next;
        self.next += 1;
        self.mappings.insert(id, InForce { mapped });
        Mapping {
            id: MappingId(id),
            first_byte_offset,
            length,
        }
    }

    fn release(&mut self, mapping: MappingId) {
        if let Some(InForce { mapped }) = self.mappings.remove(&mapping.0)
            && let Err(error) = self.machine.host.unmap(mapped)
        {
            self.failed
                .get_or_insert(MachineError::Fault(error.to_string()));
        }
    }
}

impl Platform for SimPlatform {
    fn bar0_bytes(&self) -> u64 {
        aperture::BAR0_BYTES.into()
    }

    fn mmio_read32(&mut self, offset: u32) -> u32 {
        self.read(offset, 4) as u32
    }

    fn mmio_read64(&mut self, offset: u32) -> u64 {
        self.read(offset, 8)
    }

    fn mmio_write32(&mut self, offset: u32, value: u32) {
        let written = self.machine.mmio_write(offset, &value.to_le_bytes());
        self.keep(written);
    }

    fn mmio_write64(&mut self, offset: u32, value: u64) {
        let written = self.machine.mmio_write(offset, &value.to_le_bytes());
        self.keep(written);
    }

    fn mmio_write_line(&mut self, offset: u32, line: &[u8; 64]) -> bool {
        if self.write_combining == WriteCombining::Off {
            return false;
        }
        for (at, piece) in self.pieces(line) {
            let written = self.machine.mmio_write(offset + at, &piece);
            self.keep(written);
        }
        true
    }

    fn write_barrier(&mut self) {}

    fn read_barrier(&mut self) {}

    fn now_ns(&mut self) -> u64 {
        self.machine.now_ps() / 1000
    }

    fn disable_bus_master(&mut self) -> bool {
        self.machine.set_bus_master(false);
        true
    }

    fn dma_alloc(&mut self, bytes: usize, _align: usize) -> Result<DmaMemory, DmaError> {
        self.os_calls += 1;
        // Pages satisfy every alignment that the core asks for.
        let error = DmaError { bytes };
        // Above 4 GiB, as most of a host's memory is, unless the device's reach ends there.
        let reach = match &self.machine.host.mapping {
            host::Mapping::Bounce(registers) => 0..registers.highest() + 1,
            _ => 1 << 32..u64::MAX,
        };
        let buffer = self
            .machine
            .pages
            .common_buffer(bytes as u64, reach)
            .map_err(|_| error)?;
        let layout = Layout::contiguous(
            buffer.physical >> PAGE_SHIFT,
            (bytes as u64).div_ceil(PAGE_BYTES),
        )
        .map_err(|_| error)?;
        let physical = buffer.physical;
        let zeros = [0; PAGE_BYTES as usize];
        for page in 0..layout.pages() {
            if self
                .machine
                .host
                .memory
                .write(physical + page * PAGE_BYTES, &zeros)
                .is_err()
            {
                return Err(error);
            }
        }
        let mapped = self
            .machine
            .host
            .map(&layout, 0, layout.bytes(), Transfer::Both)
            .map_err(|_| error)?;
        let Some(&BusRun { address, .. }) = mapped.runs().first() else {
            return Err(error);
        };
        let mapping = self.hold(mapped, 0, layout.bytes());
        self.common.insert(physical, (buffer, mapping.id.0));
        self.allocated.push(address..address + bytes as u64);
        Ok(DmaMemory {
            handle: DmaHandle(physical),
            bus_address: address,
            bytes,
        })
    }

    fn dma_free(&mut self, memory: DmaMemory) {
        self.os_calls += 1;
        if let Some((buffer, mapping)) = self.common.remove(&memory.handle.0) {
            self.release(MappingId(mapping));
            self.machine.pages.free(buffer);
        }
    }

    fn dma_write(&mut self, handle: DmaHandle, offset: usize, bytes: &[u8]) {
        let written = match self.physical(handle, offset) {
            Some(physical) => self
                .machine
                .host
                .memory
                .write(physical, bytes)
                .map_err(|fault| fault.to_string()),
            None => Err(format!(
                "the driver wrote to common buffer {:#x}, which it does not own",
                handle.0
            )),
        };
        self.keep(written.map_err(MachineError::Fault));
    }

    fn dma_read(&mut self, handle: DmaHandle, offset: usize, bytes: &mut [u8]) {
        let read = match self.physical(handle, offset) {
            Some(physical) => self
                .machine
                .host
                .memory
                .read(physical, bytes)
                .map_err(|fault| fault.to_string()),
            None => Err(format!(
                "the driver read common buffer {:#x}, which it does not own",
                handle.0
            )),
        };
        self.keep(read.map_err(MachineError::Fault));
    }

    fn buffer_span(&mut self, buffer: BufferId) -> Option<BufferSpan> {
        let buffer = self.buffers.locked(buffer)?;
        Some(BufferSpan {
            first_byte_offset: buffer.first_byte,
            length: buffer.bytes,
        })
    }

    fn map_persistent(&mut self, buffer: BufferId, tier: Tier) -> Result<Mapping, NotAvailable> {
        self.os_calls += 1;
        let buffer = self
            .buffers
            .locked(buffer)
            .ok_or(NotAvailable::UnknownBuffer)?;
        match (tier, &self.machine.host.mapping) {
            (Tier::Bypass, host::Mapping::Identity)
            | (Tier::MappedOnce, host::Mapping::Remapping(_)) => {}
            (Tier::Bypass, _) => return Err(NotAvailable::Translated),
            _ => return Err(NotAvailable::Unsupported),
        }
        let (first, bytes) = (buffer.first_byte, buffer.bytes);
        let mapped = self
            .machine
            .host
            .map(&buffer.layout, first.into(), bytes, Transfer::Both)
            .map_err(|_| NotAvailable::Exhausted)?;
        Ok(self.hold(mapped, first, bytes))
    }

    fn unmap_persistent(&mut self, mapping: MappingId) {
        self.os_calls += 1;
        self.release(mapping);
    }

    fn max_transfer_mapping(&self) -> u64 {
        MAX_TRANSFER
    }

    fn map_transfer(
        &mut self,
        buffer: BufferId,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Mapping, MapError> {
        self.os_calls += 1;
        let buffer = self.buffers.locked(buffer).ok_or(MapError::UnknownBuffer)?;
        if offset
            .checked_add(length)
            .is_none_or(|end| end > buffer.bytes)
        {
            return Err(MapError::OutOfBounds { offset, length });
        }
        let start = u64::from(buffer.first_byte) + offset;
        let transfer = match direction {
            Direction::C2h => Transfer::C2h,
            Direction::H2c => Transfer::H2c,
        };
        let mapped = self
            .machine
            .host
            .map(&buffer.layout, start, length, transfer)
            .map_err(|_| MapError::NoMapRegisters)?;
        Ok(self.hold(mapped, (start % PAGE_BYTES) as u16, length))
    }

    fn unmap_transfer(&mut self, mapping: MappingId) {
        self.os_calls += 1;
        self.release(mapping);
    }

    fn pages(&mut self, mapping: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        let Some(InForce { mapped }) = self.mappings.get(&mapping.0) else {
            return 0;
        };
        let rest = mapped.runs().iter().skip(*cursor as usize);
        let mut filled = 0;
        for (run, place) in rest.zip(runs.iter_mut()) {
            let frame = run.address >> PAGE_SHIFT;
            let end = (run.address + run.bytes).div_ceil(PAGE_BYTES);
            *place = PageRun {
                frame,
                pages: (end - frame) as u32,
            };
            filled += 1;
        }
        *cursor += filled as u64;
        filled
    }

    fn copy(&mut self, span: CopySpan) -> bool {
        self.os_calls += 1;
        let Some(buffer) = self.buffers.locked(span.buffer) else {
            return false;
        };
        let Some((common, _)) = self.common.get(&span.memory.0) else {
            return false;
        };
        let memory = &mut self.machine.host.memory;
        let mut at = common.physical + span.offset;
        let mut block = [0; PAGE_BYTES as usize];
        for (address, bytes) in buffer
            .layout
            .pieces(u64::from(buffer.first_byte) + span.offset, span.length)
        {
            let mut done = 0;
            while done < bytes {
                let part = &mut block[..(bytes - done).min(PAGE_BYTES) as usize];
                let (from, to) = match span.direction {
                    CopyDirection::In => (address + done, at),
                    CopyDirection::Out => (at, address + done),
                };
                if memory.read(from, part).is_err() || memory.write(to, part).is_err() {
                    return false;
                }
                done += part.len() as u64;
                at += part.len() as u64;
            }
        }
        true
    }
}
