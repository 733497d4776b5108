//! A device's view of memory: bus addresses, what is mapped there, and what the device may do with it.
//!
//! Rights are kept to the byte, which is stricter than hardware: an IOMMU knows pages only, and without one there is no check at all.
//! What a device reaches outside of them works by accident, and is a fault here.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::config::Translation;
use crate::memory::{
    BusFault, BusFaultReason, MdlPiece, MemoryUse, PAGE_BYTES, PAGE_SHIFT, PageLayout,
    PhysicalMemory, STALE,
};

/// Remapped pages begin here, above all physical addresses, so that one is never taken for the other.
const FIRST_REMAPPED_PAGE: u64 = 0x8000_0000_0000 >> PAGE_SHIFT;
/// As above, for a device of 32 address bits: above low memory.
const FIRST_REMAPPED_PAGE_32: u64 = 0xC000_0000 >> PAGE_SHIFT;
/// Mappings that are remembered after their end, to say in a fault who ended them.
const REMEMBERED: usize = 64;

/// Names a mapping of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MappingId(pub u64);

/// What a device may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// It may read (H2C).
    pub read: bool,
    /// It may write (C2H).
    pub write: bool,
}

impl Rights {
    /// Reading and writing.
    pub const BOTH: Self = Self {
        read: true,
        write: true,
    };

    /// What a transfer in one direction needs.
    pub fn of_transfer(write_to_device: bool) -> Self {
        Self {
            read: write_to_device,
            write: !write_to_device,
        }
    }
}

/// Bytes at consecutive bus addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusRun {
    /// Bus address of the first byte.
    pub address: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Why a mapping cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapRefusal {
    /// Too few map registers are free.
    #[error("{needed} map registers are needed, {free} are free")]
    NoRegisters {
        /// Registers needed.
        needed: usize,
        /// Registers free.
        free: usize,
    },
    /// Consecutive bus addresses have run out.
    #[error("no {0} consecutive pages of bus addresses are free")]
    NoAddresses(usize),
    /// The pages are not at consecutive bus addresses, and nothing remaps them.
    #[error("the pages are not physically contiguous, and nothing remaps them")]
    NotContiguous,
    /// The device has too few address bits for the pages.
    #[error("the device cannot reach the pages")]
    OutOfReach,
}

/// How a mapping is to be made.
#[derive(Clone, Copy, Debug)]
pub struct MapRequest<'a> {
    /// The pages, in order.
    pub pieces: &'a [MdlPiece],
    /// What the device may do.
    pub rights: Rights,
    /// Highest bus address that the device reaches.
    pub highest: u64,
    /// Copying through bounce pages is allowed: for transfers, not for common buffers.
    pub may_bounce: bool,
    /// All bytes must be at consecutive bus addresses.
    pub one_run: bool,
}

/// A page that is copied.
#[derive(Clone, Copy, Debug)]
struct Bounced {
    frame: u64,
    bounce: u64,
    from: u16,
    to: u16,
}

#[derive(Debug)]
struct Mapping {
    runs: Vec<BusRun>,
    bounced: Vec<Bounced>,
    rights: Rights,
    /// Map registers that it holds without a bounce page.
    plain_registers: usize,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    from: u16,
    to: u16,
    rights: Rights,
    mapping: MappingId,
}

#[derive(Debug, Default)]
struct BusPage {
    frame: u64,
    grants: Vec<Grant>,
}

/// Where a byte of the bus is in memory, and how far the same holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Address of the page in the process.
    pub page: *mut u8,
    /// End of the bytes in the page that may be accessed so.
    pub to: u16,
    /// First byte in the page that may be accessed so.
    pub from: u16,
}

/// A device's view of memory.
#[derive(Debug)]
pub struct Domain {
    translation: Translation,
    pages: FxHashMap<u64, BusPage>,
    mappings: FxHashMap<MappingId, Mapping>,
    next_mapping: u64,
    next_page: u64,
    next_page_32: u64,
    bounce_frames: Vec<u64>,
    free_registers: usize,
    registers: usize,
    registers_for_every_page: bool,
    ended: VecDeque<(Vec<BusRun>, &'static str)>,
    epoch: u64,
    /// Bus Master Enable of the device.
    pub bus_master: bool,
    /// The device is gone.
    pub removed: bool,
    /// The driver has been told that physical addresses are bus addresses.
    pub bypass_told: bool,
}

impl Domain {
    /// An empty view with `registers` map registers.
    pub fn new(translation: Translation, registers: usize, registers_for_every_page: bool) -> Self {
        Self {
            translation,
            pages: FxHashMap::default(),
            mappings: FxHashMap::default(),
            next_mapping: 0,
            next_page: FIRST_REMAPPED_PAGE,
            next_page_32: FIRST_REMAPPED_PAGE_32,
            bounce_frames: Vec::new(),
            free_registers: registers,
            registers,
            registers_for_every_page,
            ended: VecDeque::new(),
            epoch: 0,
            bus_master: true,
            removed: false,
            bypass_told: false,
        }
    }

    /// How addresses become others.
    pub fn translation(&self) -> Translation {
        self.translation
    }

    /// Map registers that are free.
    pub fn free_registers(&self) -> usize {
        self.free_registers
    }

    /// Map registers in all.
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// Mappings in force.
    pub fn mappings(&self) -> usize {
        self.mappings.len()
    }

    /// Changes whenever what the device may do changes.
    pub fn epoch(&self) -> u64 {
        self.epoch + u64::from(self.bus_master) + 2 * u64::from(self.removed)
    }

    /// Map registers that a mapping would take.
    pub fn registers_needed(&self, request: &MapRequest<'_>) -> usize {
        // Lasting mappings take none: they are contiguous, or remapped.
        if self.registers_for_every_page && request.may_bounce {
            return request.pieces.len();
        }
        let pieces = request.pieces.iter();
        pieces
            .filter(|piece| self.is_bounced(piece, request))
            .count()
    }

    /// Lets the device reach pages.
    ///
    /// # Errors
    /// Map registers or bus addresses have run out, or the pages are not such that it can be done.
    pub fn map(
        &mut self,
        memory: &mut PhysicalMemory,
        request: &MapRequest<'_>,
    ) -> Result<MappingId, MapRefusal> {
        let needed = self.registers_needed(request);
        if !request.may_bounce && request.pieces.iter().any(|p| self.is_bounced(p, request)) {
            return Err(MapRefusal::OutOfReach);
        }
        if needed > self.free_registers {
            let free = self.free_registers;
            return Err(MapRefusal::NoRegisters { needed, free });
        }
        let id = MappingId(self.next_mapping);
        let mut mapping = Mapping {
            runs: Vec::new(),
            bounced: Vec::new(),
            rights: request.rights,
            plain_registers: 0,
        };
        let mut next = match self.translation {
            Translation::Remapping => Some(self.reserve(request.pieces.len(), request.highest)?),
            _ => None,
        };
        let places: Vec<(u64, u64)> = request
            .pieces
            .iter()
            .map(|piece| {
                if let Some(page) = &mut next {
                    *page += 1;
                    (*page - 1, piece.frame)
                } else if self.is_bounced(piece, request) {
                    let bounce = self.take_bounce_frame(memory);
                    mapping.bounced.push(Bounced {
                        frame: piece.frame,
                        bounce,
                        from: piece.from,
                        to: piece.to,
                    });
                    (bounce, bounce)
                } else {
                    (piece.frame, piece.frame)
                }
            })
            .collect();
        for (&(bus_page, _), piece) in places.iter().zip(request.pieces) {
            let address = (bus_page << PAGE_SHIFT) + u64::from(piece.from);
            push_run(&mut mapping.runs, address, u64::from(piece.to - piece.from));
        }
        if request.one_run && mapping.runs.len() > 1 {
            // Nothing was granted yet, and common buffers are not bounced.
            return Err(MapRefusal::NotContiguous);
        }
        for (&(bus_page, frame), piece) in places.iter().zip(request.pieces) {
            let page = self.pages.entry(bus_page).or_default();
            page.frame = frame;
            page.grants.push(Grant {
                from: piece.from,
                to: piece.to,
                rights: request.rights,
                mapping: id,
            });
        }
        for bounced in &mapping.bounced {
            fill_bounce_page(memory, bounced, request.rights.read);
        }
        mapping.plain_registers = needed - mapping.bounced.len().min(needed);
        self.free_registers -= needed;
        self.next_mapping += 1;
        self.mappings.insert(id, mapping);
        self.epoch += 4;
        Ok(id)
    }

    /// Where the device finds the bytes of a mapping, in order.
    pub fn runs(&self, id: MappingId) -> &[BusRun] {
        self.mappings.get(&id).map_or(&[], |mapping| &mapping.runs)
    }

    /// Whether the device's data are still in bounce pages.
    pub fn is_unflushed(&self, id: MappingId) -> bool {
        self.mappings
            .get(&id)
            .is_some_and(|mapping| mapping.rights.write && !mapping.bounced.is_empty())
    }

    /// Takes a mapping back; what the device wrote to bounce pages is copied. `ddi` is named in faults to come. False if there is no
    /// such mapping.
    pub fn unmap(&mut self, memory: &mut PhysicalMemory, id: MappingId, ddi: &'static str) -> bool {
        let Some(mapping) = self.mappings.remove(&id) else {
            return false;
        };
        for run in &mapping.runs {
            let last = (run.address + run.bytes - 1) >> PAGE_SHIFT;
            for bus_page in run.address >> PAGE_SHIFT..=last {
                if let Some(page) = self.pages.get_mut(&bus_page) {
                    page.grants.retain(|grant| grant.mapping != id);
                    if page.grants.is_empty() {
                        self.pages.remove(&bus_page);
                    }
                }
            }
        }
        for bounced in &mapping.bounced {
            if mapping.rights.write {
                copy(
                    memory,
                    bounced.bounce,
                    bounced.frame,
                    bounced.from,
                    bounced.to,
                );
            }
            self.bounce_frames.push(bounced.bounce);
        }
        self.free_registers += mapping.plain_registers + mapping.bounced.len();
        self.ended.push_back((mapping.runs, ddi));
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        self.epoch += 4;
        true
    }

    /// DDI that ended the last mapping of a bus address, as far as it is remembered.
    pub fn ended_by(&self, address: u64) -> Option<&'static str> {
        let mut ended = self.ended.iter().rev();
        ended
            .find(|(runs, _)| {
                runs.iter()
                    .any(|run| (run.address..run.address + run.bytes).contains(&address))
            })
            .map(|&(_, ddi)| ddi)
    }

    /// Finds the memory at a bus address.
    pub(crate) fn translate(
        &self,
        memory: &PhysicalMemory,
        address: u64,
        is_write: bool,
    ) -> Result<Window, BusFault> {
        let fault = |reason| BusFault {
            address,
            is_write,
            reason,
        };
        if self.removed {
            return Err(fault(BusFaultReason::Removed));
        }
        if !self.bus_master {
            return Err(fault(BusFaultReason::BusMasterOff));
        }
        let bus_page = address >> PAGE_SHIFT;
        let offset = (address % PAGE_BYTES as u64) as u16;
        let allows = |rights: Rights| if is_write { rights.write } else { rights.read };
        let mut denied = false;
        if let Some(page) = self.pages.get(&bus_page) {
            for grant in &page.grants {
                if !(grant.from..grant.to).contains(&offset) {
                    continue;
                }
                if allows(grant.rights) {
                    let memory_page = memory
                        .page(page.frame)
                        .ok_or(fault(BusFaultReason::NotMapped))?;
                    return Ok(Window {
                        page: memory_page,
                        from: grant.from,
                        to: grant.to,
                    });
                }
                denied = true;
            }
        }
        if self.translation == Translation::Direct && self.bypass_told {
            for lock in memory.locks(bus_page) {
                if !(lock.from..lock.to).contains(&offset) {
                    continue;
                }
                if lock.write || !is_write {
                    let memory_page = memory
                        .page(bus_page)
                        .ok_or(fault(BusFaultReason::NotMapped))?;
                    return Ok(Window {
                        page: memory_page,
                        from: lock.from,
                        to: lock.to,
                    });
                }
                denied = true;
            }
        }
        Err(fault(match denied {
            true => BusFaultReason::Denied,
            false => BusFaultReason::NotMapped,
        }))
    }

    fn is_bounced(&self, piece: &MdlPiece, request: &MapRequest<'_>) -> bool {
        match self.translation {
            Translation::Remapping => false,
            Translation::Direct => piece.frame > request.highest >> PAGE_SHIFT,
            Translation::Bounce => {
                request.may_bounce || piece.frame > request.highest >> PAGE_SHIFT
            }
        }
    }

    fn take_bounce_frame(&mut self, memory: &mut PhysicalMemory) -> u64 {
        if self.bounce_frames.is_empty() {
            // One allocation for each register would be slow, one for all would hold much memory that is never used.
            let pages = 64;
            let region = memory
                .allocate(
                    pages * PAGE_BYTES,
                    &PageLayout::ShuffledLow,
                    MemoryUse::Bounce,
                )
                .unwrap_or_else(|error| panic!("bounce pages: {error}"));
            self.bounce_frames.extend(memory.frames(region));
        }
        self.bounce_frames.pop().unwrap_or_default()
    }

    /// Reserves consecutive pages of bus addresses.
    fn reserve(&mut self, pages: usize, highest: u64) -> Result<u64, MapRefusal> {
        let end = (highest >> PAGE_SHIFT) + 1;
        if end > FIRST_REMAPPED_PAGE {
            // A page stays free between mappings, so that running past the end of one faults.
            let start = self.next_page;
            self.next_page += pages as u64 + 1;
            return Ok(start);
        }
        let count = pages as u64;
        for start in [self.next_page_32, FIRST_REMAPPED_PAGE_32] {
            let mut start = start;
            while start + count <= end {
                match (start..start + count).rfind(|page| self.pages.contains_key(page)) {
                    Some(taken) => start = taken + 1,
                    None => {
                        self.next_page_32 = start + count + 1;
                        return Ok(start);
                    }
                }
            }
        }
        Err(MapRefusal::NoAddresses(pages))
    }
}

fn push_run(runs: &mut Vec<BusRun>, address: u64, bytes: u64) {
    match runs.last_mut() {
        Some(last) if last.address + last.bytes == address => last.bytes += bytes,
        _ => runs.push(BusRun { address, bytes }),
    }
}

/// A bounce page holds the remains of some other transfer, and the data if the device is to read them.
fn fill_bounce_page(memory: &mut PhysicalMemory, bounced: &Bounced, with_data: bool) {
    memory.write(bounced.bounce << PAGE_SHIFT, &[STALE; PAGE_BYTES]);
    if with_data {
        copy(
            memory,
            bounced.frame,
            bounced.bounce,
            bounced.from,
            bounced.to,
        );
    }
}

fn copy(memory: &mut PhysicalMemory, source: u64, target: u64, from: u16, to: u16) {
    let mut bytes = [0; PAGE_BYTES];
    let part = &mut bytes[..usize::from(to - from)];
    let offset = u64::from(from);
    if memory.read((source << PAGE_SHIFT) + offset, part) {
        memory.write((target << PAGE_SHIFT) + offset, part);
    }
}
