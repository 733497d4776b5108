//! Mappings that last: common buffers, and MDLs made into them.

use super::config::Translation;
use super::domain::{MapRefusal, MapRequest, MappingId, Rights};
use super::hal::{DeviceId, Hal};
use super::lists::{ListRefusal, ListRequest};
use crate::memory::{FRESH, MdlPiece, MemoryUse, PAGE_BYTES, PAGE_SHIFT, PageLayout, RegionId};
use crate::types::{PDMA_ADAPTER, PMDL};
use crate::verifier::Rule;

pub(super) struct CommonBuffer {
    pub(super) device: DeviceId,
    pub(super) mapping: MappingId,
    pub(super) address: usize,
    pub(super) length: u32,
    /// Memory that goes with it, or the MDL that it was made from.
    pub(super) backing: Backing,
}

pub(super) enum Backing {
    Memory(RegionId),
    Mdl(usize),
}

impl<W> Hal<W> {
    /// Memory that CPU and device both reach, at consecutive bus addresses: its address and its bus address.
    pub fn allocate_common_buffer(
        &mut self,
        adapter: PDMA_ADAPTER,
        length: u32,
        highest: u64,
        ddi: &'static str,
    ) -> Option<(*mut u8, u64)> {
        let found = self.adapter(adapter, ddi)?;
        let (device, highest) = (found.device, highest.min(found.highest()));
        let domain = self.domain(device);
        let low = highest < u64::MAX >> 12 && domain.translation() != Translation::Remapping;
        let layout = match (low, domain.translation()) {
            (true, _) | (_, Translation::Bounce) => PageLayout::ContiguousLow,
            _ => PageLayout::Contiguous,
        };
        let region = self
            .memory
            .allocate(length as usize, &layout, MemoryUse::CommonBuffer)
            .ok()?;
        self.memory.fill(region, FRESH);
        let pieces: Vec<MdlPiece> = whole_pages(self.memory.frames(region));
        let request = MapRequest {
            pieces: &pieces,
            rights: Rights::BOTH,
            highest,
            may_bounce: false,
            one_run: true,
        };
        let domain = self.domains.get_mut(&device)?;
        let Ok(mapping) = domain.map(&mut self.memory, &request) else {
            self.memory.free(region);
            return None;
        };
        let logical = domain.runs(mapping).first()?.address;
        let address = self.memory.base(region);
        let buffer = CommonBuffer {
            device,
            mapping,
            address: address as usize,
            length,
            backing: Backing::Memory(region),
        };
        self.common_buffers
            .insert((adapter as usize, logical), buffer);
        Some((address, logical))
    }

    /// Makes a lasting mapping of a locked MDL at consecutive bus addresses.
    ///
    /// # Errors
    /// The pages are not such that it can be done.
    pub fn common_buffer_from_mdl(
        &mut self,
        adapter: PDMA_ADAPTER,
        mdl: PMDL,
        (offset, length): (u64, u64),
        rights: Rights,
        ddi: &'static str,
    ) -> Result<u64, ListRefusal> {
        let found = self.adapter(adapter, ddi).ok_or(ListRefusal::Invalid)?;
        let (device, highest) = (found.device, found.highest());
        let list = ListRequest {
            adapter,
            mdl,
            offset,
            length,
            write_to_device: !rights.write,
            buffer: None,
        };
        let (pieces, mdls) = self.pieces(&list, ddi)?;
        let whole = pieces
            .iter()
            .all(|piece| piece.from == 0 && usize::from(piece.to) == PAGE_BYTES);
        let [owner] = mdls[..] else {
            return Err(ListRefusal::Invalid);
        };
        let Some(address) = self.mdls.system_address(owner as PMDL) else {
            return Err(ListRefusal::Invalid);
        };
        if !whole || self.domain(device).translation() == Translation::Bounce {
            return Err(ListRefusal::Invalid);
        }
        let request = MapRequest {
            pieces: &pieces,
            rights,
            highest,
            may_bounce: false,
            one_run: true,
        };
        let domain = self.domains.get_mut(&device).ok_or(ListRefusal::Invalid)?;
        let mapping = domain
            .map(&mut self.memory, &request)
            .map_err(|refusal| match refusal {
                MapRefusal::NoRegisters { .. } | MapRefusal::NoAddresses(_) => ListRefusal::Short,
                MapRefusal::NotContiguous | MapRefusal::OutOfReach => ListRefusal::Invalid,
            })?;
        let logical = domain.runs(mapping).first().map_or(0, |run| run.address);
        self.mdls.count_device_mapping(owner, true);
        let buffer = CommonBuffer {
            device,
            mapping,
            address: address as usize,
            length: length as u32,
            backing: Backing::Mdl(owner),
        };
        self.common_buffers
            .insert((adapter as usize, logical), buffer);
        Ok(logical)
    }

    /// Bus addresses of the common buffers that are memory of their own, in ascending order.
    pub fn common_buffers(&self) -> Vec<std::ops::Range<u64>> {
        let own = |buffer: &&CommonBuffer| matches!(buffer.backing, Backing::Memory(_));
        let mut ranges: Vec<_> = self
            .common_buffers
            .values()
            .filter(own)
            .filter_map(|buffer| {
                let domain = self.domains.get(&buffer.device)?;
                let address = domain.runs(buffer.mapping).first()?.address;
                Some(address..address + u64::from(buffer.length))
            })
            .collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges
    }

    /// Frees a common buffer, or ends the mapping of an MDL.
    pub fn free_common_buffer(
        &mut self,
        adapter: PDMA_ADAPTER,
        length: u32,
        logical: u64,
        address: *mut u8,
        ddi: &'static str,
    ) {
        let key = (adapter as usize, logical);
        let Some(buffer) = self.common_buffers.remove(&key) else {
            let other = self.common_buffers.keys().any(|key| key.1 == logical);
            let detail = match other {
                true => format!(
                    "the common buffer at bus address {logical:#x} belongs to another adapter"
                ),
                false => format!("no common buffer is at bus address {logical:#x}"),
            };
            return self.find(Rule::DmaCommonBuffer, ddi, detail);
        };
        // The address of a mapped MDL is the caller's own, and the documentation does not say what to pass.
        let is_memory = matches!(buffer.backing, Backing::Memory(_));
        if buffer.length != length || (is_memory && buffer.address != address as usize) {
            let detail = format!(
                "{length} bytes at {address:?} are freed, {} at {:#x} were allocated",
                buffer.length, buffer.address
            );
            self.find(Rule::DmaCommonBuffer, ddi, detail);
        }
        if let Some(domain) = self.domains.get_mut(&buffer.device) {
            domain.unmap(&mut self.memory, buffer.mapping, ddi);
        }
        match buffer.backing {
            Backing::Memory(region) => {
                self.memory.free(region);
            }
            Backing::Mdl(mdl) => self.mdls.count_device_mapping(mdl, false),
        }
    }
}

fn whole_pages(frames: &[u64]) -> Vec<MdlPiece> {
    let frames = frames.iter();
    frames
        .map(|&frame| MdlPiece {
            frame,
            from: 0,
            to: 1 << PAGE_SHIFT,
        })
        .collect()
}
