//! The region table: what the host knows of each region, and the 64-byte entry that the device reads.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinring_protocol::{Direction, RegionEntry, SgFormat, Status};

use crate::hint::HintIndex;
use crate::memory::reserve;
use crate::queue::{Record, Transfer};
use crate::request::{Backing, Built, Kind, Request};
use crate::{
    BufferId, DmaError, DmaMemory, Platform, QueueConfig, RegisterError, TableInfo, Tier,
    TransferError,
};

/// What the device may do with a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Card to host: the device may write it.
    pub c2h: bool,
    /// Host to card: the device may read it.
    pub h2c: bool,
}

impl Permissions {
    /// Both directions.
    pub const BOTH: Self = Self {
        c2h: true,
        h2c: true,
    };

    /// One direction.
    pub const fn only(direction: Direction) -> Self {
        Self {
            c2h: matches!(direction, Direction::C2h),
            h2c: matches!(direction, Direction::H2c),
        }
    }

    pub(crate) const fn allow(self, direction: Direction) -> bool {
        match direction {
            Direction::C2h => self.c2h,
            Direction::H2c => self.h2c,
        }
    }
}

/// Names a region, or a list for one transfer; goes stale when it is unregistered or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionHandle {
    /// Tag of the device that gave the handle.
    pub(crate) device: u16,
    pub(crate) generation: u16,
    pub(crate) id: u32,
}

impl RegionHandle {
    /// Region id: the place in the region table.
    pub const fn id(self) -> u32 {
        self.id
    }

    /// Generation of the id.
    pub const fn generation(self) -> u16 {
        self.generation
    }

    /// The handle as a number that an application may hold: device tag, generation and id from the top.
    pub const fn to_bits(self) -> u64 {
        (self.device as u64) << 48 | (self.generation as u64) << 32 | self.id as u64
    }

    /// The handle of a number, which may be any: it is checked when the handle is used.
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            device: (bits >> 48) as u16,
            generation: (bits >> 32) as u16,
            id: bits as u32,
        }
    }
}

/// What a registration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// The buffer.
    pub buffer: BufferId,
    /// Bytes of the region.
    pub length: u64,
    /// The tier that it got.
    pub tier: Tier,
    /// Its table; `None` for tier PerTransfer.
    pub table: Option<TableInfo>,
    /// Transfers submitted and not yet reaped.
    pub in_flight: u32,
}

/// Names a registration under every generation that cancelling gives it: what a list belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    device: u16,
    /// The generation that it began with.
    generation: u16,
    id: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// No region.
    #[default]
    Free,
    /// Serves.
    Live,
    /// Being cancelled: comes back when the device has let go.
    Cancelling,
    /// Being unregistered.
    Leaving,
}

/// What the host knows of a region.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) state: SlotState,
    generation: u16,
    /// The generation that it was registered with; cancelling leaves it.
    first_generation: u16,
    permissions: Permissions,
    domain: u32,
    length: u64,
    first_byte_offset: u16,
    index: HintIndex,
    in_flight: u32,
    pub(crate) tier: Tier,
    /// For a list: its region.
    list_of: Option<Registration>,
    /// A list that was submitted.
    used: bool,
    /// Lists of this region that are being made or were not released: while there are any, the region stays.
    pub(crate) lists: u32,
    pub(crate) buffer: BufferId,
    pub(crate) first_byte: u16,
    table: Option<TableInfo>,
    backing: Backing,
}

impl Slot {
    fn free() -> Self {
        Self {
            state: SlotState::Free,
            generation: 0,
            first_generation: 0,
            permissions: Permissions {
                c2h: false,
                h2c: false,
            },
            domain: 0,
            length: 0,
            first_byte_offset: 0,
            index: HintIndex::First,
            in_flight: 0,
            tier: Tier::PerTransfer,
            list_of: None,
            used: false,
            lists: 0,
            buffer: BufferId(0),
            first_byte: 0,
            table: None,
            backing: Backing::default(),
        }
    }

    pub(crate) fn permissions(&self) -> Permissions {
        self.permissions
    }

    pub(crate) fn domain(&self) -> u32 {
        self.domain
    }

    pub(crate) fn is_list(&self) -> bool {
        self.list_of.is_some()
    }

    pub(crate) fn common(&self) -> Option<DmaMemory> {
        self.backing.common
    }

    /// The range lies within the region.
    #[inline]
    pub(crate) fn check_range(&self, offset: u64, length: u64) -> Result<(), TransferError> {
        if length == 0 {
            return Err(TransferError::ZeroLength);
        }
        let end = offset
            .checked_add(length)
            .ok_or(TransferError::Overflow { offset, length })?;
        if end > self.length {
            return Err(TransferError::OutOfBounds {
                offset,
                length,
                region: self.length,
            });
        }
        Ok(())
    }

    /// Everything that the device would check, and what only the host knows.
    #[inline]
    fn check(&self, transfer: &Transfer, queue: &QueueConfig) -> Result<(), TransferError> {
        if self.state != SlotState::Live {
            return Err(TransferError::RegionBusy);
        }
        self.check_range(transfer.offset, transfer.length)?;
        if !self.permissions.allow(queue.direction) {
            return Err(TransferError::WrongDirection(queue.direction));
        }
        if self.domain != queue.domain {
            return Err(TransferError::ForeignDomain {
                region: self.domain,
                queue: queue.domain,
            });
        }
        let (first, last) = (queue.tdest_first, queue.tdest_last);
        if !(first..=last).contains(&transfer.tdest) {
            return Err(TransferError::BadTdest {
                tdest: transfer.tdest,
                first,
                last,
            });
        }
        if self.table.is_none() {
            return Err(TransferError::NeedsList);
        }
        if self.is_list() {
            if self.used {
                return Err(TransferError::ListUsed);
            }
            if (transfer.offset, transfer.length) != (0, self.length) {
                return Err(TransferError::ListRange {
                    length: self.length,
                });
            }
        }
        Ok(())
    }
}

/// Every region of the device.
#[derive(Debug)]
pub(crate) struct RegionTable {
    memory: DmaMemory,
    slots: Vec<Slot>,
    /// Oldest first, so that an id rests as long as possible.
    free: VecDeque<u32>,
    device: u16,
}

impl RegionTable {
    /// An empty table over zeroed memory of `count` entries.
    pub(crate) fn new(memory: DmaMemory, count: u32, device: u16) -> Result<Self, DmaError> {
        let mut slots = reserve(count as usize)?;
        slots.extend((0..count).map(|_| Slot::free()));
        let mut free = reserve(count as usize)?;
        free.extend(0..count);
        Ok(Self {
            memory,
            slots,
            free: free.into(),
            device,
        })
    }

    pub(crate) fn memory(&self) -> DmaMemory {
        self.memory
    }

    pub(crate) fn count(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(crate) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// The slot that a handle names, in whatever state.
    #[inline]
    pub(crate) fn get(&self, handle: RegionHandle) -> Result<&Slot, TransferError> {
        if handle.device != self.device {
            return Err(TransferError::ForeignRegion(handle));
        }
        match self.slots.get(handle.id as usize) {
            Some(slot) if slot.generation == handle.generation && slot.state != SlotState::Free => {
                Ok(slot)
            }
            _ => Err(TransferError::StaleRegion(handle)),
        }
    }

    pub(crate) fn info(&self, handle: RegionHandle) -> Result<RegionInfo, TransferError> {
        let slot = self.get(handle)?;
        Ok(RegionInfo {
            buffer: slot.buffer,
            length: slot.length,
            tier: slot.tier,
            table: slot.table,
            in_flight: slot.in_flight,
        })
    }

    /// Counts a list in that is going to be made for a live region, which stays until `list_gone`.
    pub(crate) fn list_begun(&mut self, region: RegionHandle) -> Registration {
        let slot = &mut self.slots[region.id as usize];
        slot.lists += 1;
        Registration {
            device: self.device,
            generation: slot.first_generation,
            id: region.id,
        }
    }

    /// Counts a list out, unless its region went before it.
    pub(crate) fn list_gone(&mut self, of: Registration) {
        if of.device == self.device
            && let Some(slot) = self.slots.get_mut(of.id as usize)
            && slot.state != SlotState::Free
            && slot.first_generation == of.generation
        {
            slot.lists = slot.lists.saturating_sub(1);
        }
    }

    /// Gives a built request an id and shows it to the device. The request keeps what it has if there is no id.
    pub(crate) fn insert<P: Platform>(
        &mut self,
        platform: &mut P,
        request: &mut Request,
    ) -> Result<RegionHandle, RegisterError> {
        let list_of = match request.kind {
            Kind::List { parent, of, .. } => match self.get(parent)?.state {
                SlotState::Live => Some(of),
                _ => return Err(TransferError::RegionBusy.into()),
            },
            Kind::Region(_) => None,
        };
        let &id = self
            .free
            .front()
            .ok_or(RegisterError::NoRegion(self.count()))?;
        let Built {
            tier,
            first_byte_offset,
            table,
            index,
        } = request.built.take().ok_or(RegisterError::NotBuilt)?;
        self.free.pop_front();
        let generation = self.slots[id as usize].generation;
        self.slots[id as usize] = Slot {
            state: SlotState::Live,
            generation,
            first_generation: generation,
            permissions: request.permissions,
            domain: request.domain,
            length: request.length,
            first_byte_offset,
            index,
            in_flight: 0,
            tier,
            list_of,
            used: false,
            lists: 0,
            buffer: request.buffer,
            first_byte: request.first_byte,
            table,
            backing: core::mem::take(&mut request.backing),
        };
        self.show(platform, id);
        Ok(RegionHandle {
            device: self.device,
            generation,
            id,
        })
    }

    /// Writes a region's entry so that the device sees none or all of it: the 8 bytes that hold the format come last.
    fn show<P: Platform>(&self, platform: &mut P, id: u32) {
        let slot = &self.slots[id as usize];
        let (Some(info), Some(table)) = (slot.table, slot.backing.table) else {
            return;
        };
        let entry = RegionEntry::new()
            .with_sg_table(table.bus_address)
            .with_length(slot.length)
            .with_element_count(info.elements)
            .with_generation(slot.generation)
            .with_first_byte_offset(slot.first_byte_offset)
            .with_protection_domain(slot.domain)
            .with_allow_c2h(slot.permissions.c2h)
            .with_allow_h2c(slot.permissions.h2c)
            .with_format(info.format)
            .with_page_shift(info.page_shift)
            .with_one_shot(slot.is_list())
            .encode();
        let at = id as usize * RegionEntry::BYTES;
        let (before, format, after) = (
            &entry[..FORMAT_WORD],
            &entry[FORMAT_WORD..FORMAT_WORD + 8],
            &entry[FORMAT_WORD + 8..],
        );
        platform.dma_write(self.memory.handle, at, before);
        platform.dma_write(self.memory.handle, at + FORMAT_WORD + 8, after);
        platform.write_barrier();
        platform.dma_write(self.memory.handle, at + FORMAT_WORD, format);
    }

    /// Marks a region's entry invalid, for the device.
    fn hide<P: Platform>(&self, platform: &mut P, id: u32) {
        let invalid = RegionEntry::new().with_format(SgFormat::Invalid).encode();
        let at = id as usize * RegionEntry::BYTES + FORMAT_WORD;
        platform.dma_write(
            self.memory.handle,
            at,
            &invalid[FORMAT_WORD..FORMAT_WORD + 8],
        );
        platform.write_barrier();
    }

    /// Checks a transfer and counts it in; gives the index of the SG element that holds its first byte. Nothing is counted on an error.
    #[inline]
    pub(crate) fn claim(
        &mut self,
        transfer: &Transfer,
        queue: &QueueConfig,
    ) -> Result<u32, TransferError> {
        self.get(transfer.region)?.check(transfer, queue)?;
        let slot = &mut self.slots[transfer.region.id as usize];
        slot.in_flight += 1;
        slot.used = true;
        let position = u64::from(slot.first_byte_offset) + transfer.offset;
        Ok(slot.index.element(position))
    }

    /// Takes back a claim that was not submitted.
    pub(crate) fn unclaim(&mut self, region: RegionHandle) {
        if let Some(slot) = self.slots.get_mut(region.id as usize) {
            slot.in_flight = slot.in_flight.saturating_sub(1);
            slot.used = false;
        }
    }

    /// Counts a completed transfer out. What the device says of a transfer whose region went away under it is "aborted".
    #[inline]
    pub(crate) fn settle(&mut self, record: &Record, status: Status) -> Status {
        if let Some(slot) = self.slots.get_mut(record.region.id as usize)
            && slot.generation == record.region.generation
            && slot.state != SlotState::Free
        {
            slot.in_flight = slot.in_flight.saturating_sub(1);
            if slot.state == SlotState::Live {
                return status;
            }
        }
        match status {
            Status::StaleGeneration | Status::BadRegion | Status::BadRegionEntry => Status::Aborted,
            other => other,
        }
    }

    /// Hides a live region from the device, before it is told to let go.
    pub(crate) fn leave<P: Platform>(&mut self, platform: &mut P, handle: RegionHandle) {
        self.slots[handle.id as usize].state = SlotState::Leaving;
        self.hide(platform, handle.id);
    }

    /// Hides a live region and gives it its next generation, so that whatever was submitted is refused.
    pub(crate) fn cancel<P: Platform>(
        &mut self,
        platform: &mut P,
        handle: RegionHandle,
    ) -> RegionHandle {
        self.hide(platform, handle.id);
        let slot = &mut self.slots[handle.id as usize];
        slot.state = SlotState::Cancelling;
        slot.generation = slot.generation.wrapping_add(1);
        slot.in_flight = 0;
        RegionHandle {
            generation: slot.generation,
            ..handle
        }
    }

    /// Shows a cancelled region again; the device has let go of its transfers.
    pub(crate) fn revive<P: Platform>(&mut self, platform: &mut P, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize)
            && slot.state == SlotState::Cancelling
        {
            slot.state = SlotState::Live;
            self.show(platform, id);
        }
    }

    /// Takes a region out and frees its id for the next generation; the device has let go of it.
    pub(crate) fn remove(&mut self, id: u32) -> Backing {
        let Some(slot) = self.slots.get_mut(id as usize) else {
            return Backing::default();
        };
        let generation = slot.generation.wrapping_add(1);
        let gone = core::mem::replace(
            slot,
            Slot {
                generation,
                ..Slot::free()
            },
        );
        self.free.push_back(id);
        if let Some(of) = gone.list_of {
            self.list_gone(of);
        }
        gone.backing
    }

    /// Takes a list out that the device has completed or never seen.
    pub(crate) fn release_list<P: Platform>(
        &mut self,
        platform: &mut P,
        handle: RegionHandle,
    ) -> Result<Backing, TransferError> {
        let slot = self.get(handle)?;
        if !slot.is_list() {
            return Err(TransferError::NotAList);
        }
        if slot.state != SlotState::Live {
            return Err(TransferError::RegionBusy);
        }
        if slot.in_flight != 0 {
            return Err(TransferError::ListBusy);
        }
        self.hide(platform, handle.id);
        Ok(self.remove(handle.id))
    }

    /// The first region or list from id `from` on.
    pub(crate) fn first_from(&self, from: u32) -> Option<u32> {
        let slots = self.slots.get(from as usize..)?;
        let at = slots.iter().position(|slot| slot.state != SlotState::Free);
        at.map(|at| from + at as u32)
    }
}

/// Byte offset of the aligned 8 bytes of a region entry that hold its format.
const FORMAT_WORD: usize = {
    let (fields, mut found, mut i) = (RegionEntry::FIELDS, None, 0);
    while i < fields.len() {
        if matches!(fields[i].name.as_bytes(), b"format") {
            found = Some(fields[i].offset / 64 * 8);
        }
        i += 1;
    }
    found.expect("a region entry has a format")
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TierPolicy;
    use crate::mock::Mock;

    const REGION: Kind = Kind::Region(TierPolicy::BEST);

    fn table(mock: &mut Mock) -> RegionTable {
        let memory = mock.dma_alloc(2 * RegionEntry::BYTES, 4096).unwrap();
        RegionTable::new(memory, 2, 7).unwrap()
    }

    fn request(kind: Kind) -> Request {
        Request {
            buffer: BufferId(1),
            first_byte: 0,
            offset: 0,
            length: 4096,
            permissions: Permissions::BOTH,
            domain: 0,
            uniform: false,
            kind,
            backing: Backing::default(),
            built: Some(Built {
                tier: Tier::PerTransfer,
                first_byte_offset: 0,
                table: None,
                index: HintIndex::First,
            }),
        }
    }

    fn list(table: &mut RegionTable, parent: RegionHandle) -> Request {
        request(Kind::List {
            parent,
            of: table.list_begun(parent),
            direction: Direction::C2h,
        })
    }

    /// Whatever else goes wrong, no list begins under a region that is leaving.
    #[test]
    fn a_list_is_inserted_under_a_live_region_only() {
        let mut mock = Mock::new();
        let mut table = table(&mut mock);
        let parent = table.insert(&mut mock, &mut request(REGION)).unwrap();
        let mut late = list(&mut table, parent);
        table.leave(&mut mock, parent);
        assert_eq!(
            table.insert(&mut mock, &mut late),
            Err(RegisterError::Range(TransferError::RegionBusy))
        );
        assert!(late.built.is_some(), "the request keeps what it has");
    }

    /// Whoever has the id now keeps its own count.
    #[test]
    fn a_list_is_counted_out_of_its_own_region_only() {
        let mut mock = Mock::new();
        let mut table = table(&mut mock);
        let first = table.insert(&mut mock, &mut request(REGION)).unwrap();
        let mut early = list(&mut table, first);
        let child = table.insert(&mut mock, &mut early).unwrap();
        table.remove(first.id);
        let next = table.insert(&mut mock, &mut request(REGION)).unwrap();
        assert_eq!(next.id, first.id);
        table.list_begun(next);
        table.remove(child.id);
        assert_eq!(table.get(next).unwrap().lists, 1);

        // Cancelling gives a region its next generation, and it is the same region.
        let of = table.list_begun(next);
        let next = table.cancel(&mut mock, next);
        table.list_gone(of);
        assert_eq!(table.get(next).unwrap().lists, 1);

        // Nor does another device's list count.
        table.list_gone(Registration { device: 8, ..of });
        assert_eq!(table.get(next).unwrap().lists, 1);
    }
}
