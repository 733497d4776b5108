//! The driver core's [`Platform`] on the simulated host.

use std::collections::HashMap;

use pinring_core::{
    BufferId, BufferSpan, CopyDirection, CopySpan, DmaError, DmaHandle, DmaMemory, MapError,
    Mapping, MappingId, NotAvailable, PageRun, Platform, Tier,
};
use pinring_protocol::Direction;

use crate::host::{self, BusRun, CommonBuffer, Layout, Mapped, PAGE_BYTES, PAGE_SHIFT, Transfer};
use crate::machine::{Machine, MachineError};

/// Rings, tables and common buffers lie below this address.
pub const RINGS_BELOW: u64 = 1 << 32;

/// Largest mapping of one transfer: what KMDF grants with enough map registers.
const MAX_TRANSFER: u64 = 1 << 31;

/// A buffer that an application has locked.
struct Buffer {
    layout: Layout,
    first_byte: u16,
    bytes: u64,
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
    buffers: Vec<Buffer>,
    common: HashMap<u64, (CommonBuffer, u64)>,
    mappings: HashMap<u64, InForce>,
    next: u64,
}

impl SimPlatform {
    /// The host of this machine.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            failed: None,
            buffers: Vec::new(),
            common: HashMap::new(),
            mappings: HashMap::new(),
            next: 1,
        }
    }

    /// Locks a buffer of `bytes` bytes that begins `first_byte` bytes into its layout.
    pub fn lock(&mut self, layout: Layout, first_byte: u16, bytes: u64) -> BufferId {
        self.buffers.push(Buffer {
            layout,
            first_byte,
            bytes,
        });
        BufferId(self.buffers.len() as u64 - 1)
    }

    /// Layout of a locked buffer, and where the buffer begins in it.
    pub fn buffer(&self, buffer: BufferId) -> Option<(&Layout, u64)> {
        let buffer = self.buffers.get(usize::try_from(buffer.0).ok()?)?;
        Some((&buffer.layout, u64::from(buffer.first_byte)))
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

/// Whole pages that hold `length` bytes from `offset` of a buffer.
fn whole_pages(first_byte: u64, offset: u64, length: u64) -> (u64, u64, u16) {
    let begin = first_byte + offset;
    let start = begin & !(PAGE_BYTES - 1);
    let end = (begin + length).next_multiple_of(PAGE_BYTES);
    (start, end - start, (begin - start) as u16)
}

impl Platform for SimPlatform {
    fn bar0_bytes(&self) -> u64 {
        0x20000
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
        // Pages satisfy every alignment that the core asks for.
        let error = DmaError { bytes };
        let buffer = self
            .machine
            .pages
            .common_buffer(bytes as u64, RINGS_BELOW)
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
        Ok(DmaMemory {
            handle: DmaHandle(physical),
            bus_address: address,
            bytes,
        })
    }

    fn dma_free(&mut self, memory: DmaMemory) {
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
        let buffer = self.buffers.get(usize::try_from(buffer.0).ok()?)?;
        Some(BufferSpan {
            first_byte_offset: buffer.first_byte,
            length: buffer.bytes,
        })
    }

    fn map_persistent(&mut self, buffer: BufferId, tier: Tier) -> Result<Mapping, NotAvailable> {
        let index = usize::try_from(buffer.0).map_err(|_| NotAvailable::UnknownBuffer)?;
        let buffer = self.buffers.get(index).ok_or(NotAvailable::UnknownBuffer)?;
        match (tier, &self.machine.host.mapping) {
            (Tier::Bypass, host::Mapping::Identity)
            | (Tier::MappedOnce, host::Mapping::Remapping(_)) => {}
            (Tier::Bypass, _) => return Err(NotAvailable::Translated),
            _ => return Err(NotAvailable::Unsupported),
        }
        let (start, length, first) = whole_pages(buffer.first_byte.into(), 0, buffer.bytes);
        let mapped = self
            .machine
            .host
            .map(&buffer.layout, start, length, Transfer::Both)
            .map_err(|_| NotAvailable::Exhausted)?;
        let bytes = buffer.bytes;
        Ok(self.hold(mapped, first, bytes))
    }

    fn unmap_persistent(&mut self, mapping: MappingId) {
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
        let index = usize::try_from(buffer.0).map_err(|_| MapError::UnknownBuffer)?;
        let buffer = self.buffers.get(index).ok_or(MapError::UnknownBuffer)?;
        if offset
            .checked_add(length)
            .is_none_or(|end| end > buffer.bytes)
        {
            return Err(MapError::OutOfBounds { offset, length });
        }
        let (start, pages, first) = whole_pages(buffer.first_byte.into(), offset, length);
        let transfer = match direction {
            Direction::C2h => Transfer::C2h,
            Direction::H2c => Transfer::H2c,
        };
        let mapped = self
            .machine
            .host
            .map(&buffer.layout, start, pages, transfer)
            .map_err(|_| MapError::NoMapRegisters)?;
        Ok(self.hold(mapped, first, length))
    }

    fn unmap_transfer(&mut self, mapping: MappingId) {
        self.release(mapping);
    }

    fn pages(&mut self, mapping: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        let Some(InForce { mapped }) = self.mappings.get(&mapping.0) else {
            return 0;
        };
        let rest = mapped.runs().iter().skip(*cursor as usize);
        let mut filled = 0;
        for (run, place) in rest.zip(runs.iter_mut()) {
            *place = PageRun {
                frame: run.address >> PAGE_SHIFT,
                pages: (run.bytes >> PAGE_SHIFT) as u32,
            };
            filled += 1;
        }
        *cursor += filled as u64;
        filled
    }

    fn copy(&mut self, span: CopySpan) -> bool {
        let Some(buffer) = usize::try_from(span.buffer.0)
            .ok()
            .and_then(|index| self.buffers.get(index))
        else {
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
