//! Physical memory: page frame numbers, their pages, and who has them.
//!
//! Memory that is freed is filled with [`FREED`] and kept, so that writes after it are found at the end. Frames are never used
//! twice: a stale address is seen as such.

use std::collections::{BTreeMap, VecDeque};

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::SeedableRng;
use rustc_hash::FxHashMap;

use super::layout::shuffle;
use super::{FIRST_FRAME_ABOVE_4G, FREED, PAGE_BYTES, PAGE_SHIFT, PageBlock, PageLayout};

/// First frame that low memory is taken from: below it are firmware's and the system's.
const FIRST_LOW_FRAME: u64 = 0x1000;
/// End of low memory: above it are devices.
const END_OF_LOW_FRAMES: u64 = 0xC_0000;
/// Frames end where 52 address bits do.
const END_OF_FRAMES: u64 = 1 << 40;
/// Pages that the quarantine holds before the oldest are checked and let go: 256 MiB.
const QUARANTINE_PAGES: usize = 65_536;

/// Names an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(u64);

/// What an allocation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUse {
    /// A buffer of a process.
    User,
    /// Nonpaged pool.
    Pool,
    /// A common buffer of a device.
    CommonBuffer,
    /// Bounce pages of the HAL.
    Bounce,
}

/// Why memory could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Nothing was asked for.
    #[error("an allocation of 0 bytes; ask for at least 1")]
    Empty,
    /// The list of frames has another length than the buffer.
    #[error("{given} frames for a buffer of {needed} pages; give one frame for each page")]
    FrameCount {
        /// Frames given.
        given: usize,
        /// Pages of the buffer.
        needed: usize,
    },
    /// A frame is taken, or listed twice.
    #[error("frame {0:#x} is in use; give frames that no other buffer has")]
    FrameTaken(u64),
    /// A frame past what 52 address bits reach.
    #[error("frame {0:#x} is past 52 address bits; was an address given for a frame number?")]
    FrameTooHigh(u64),
    /// No frames are left in low memory.
    #[error("no {0} frames below 4 GiB are left; free some or use fewer")]
    NoLowMemory(usize),
}

/// What freeing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// The memory is gone.
    Gone,
    /// Pages were locked: the frames live on without an owner until they are unlocked.
    Orphaned,
    /// There is no such memory.
    Unknown,
}

/// A lock that an MDL has on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLock {
    /// Address of the MDL.
    pub mdl: usize,
    /// First byte of the page that the MDL describes.
    pub from: u16,
    /// End of the bytes that the MDL describes, at most 4096.
    pub to: u16,
    /// Locked for write access.
    pub write: bool,
}

/// Memory was written after it was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteAfterFree {
    /// Address of the first byte that was written.
    pub address: usize,
    /// Frame that it lies in.
    pub frame: u64,
    /// What the memory had been for.
    pub kind: MemoryUse,
}

#[derive(Debug)]
struct Frame {
    page: *mut u8,
    region: RegionId,
    locks: Vec<PageLock>,
    unlocked_by: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Orphaned,
    Quarantined,
}

#[derive(Debug)]
struct Region {
    /// Nothing for a page of the host's own memory that was only adopted.
    block: Option<PageBlock>,
    base: *mut u8,
    frames: Vec<u64>,
    kind: MemoryUse,
    state: State,
    locks: usize,
}

impl Region {
    fn pages(&self) -> usize {
        self.frames.len()
    }

    fn fill(&mut self, byte: u8) {
        if let Some(block) = &mut self.block {
            block.fill(byte);
        }
    }
}

/// The memory of the machine.
#[derive(Debug)]
pub struct PhysicalMemory {
    frames: FxHashMap<u64, Frame>,
    regions: FxHashMap<RegionId, Region>,
    by_address: BTreeMap<usize, RegionId>,
    quarantine: VecDeque<RegionId>,
    quarantined_pages: usize,
    written_after_free: Vec<WriteAfterFree>,
    next_low: u64,
    next_high: u64,
    next_region: u64,
    epoch: u64,
    rng: SplitMix64,
}

impl PhysicalMemory {
    /// Memory whose page layouts follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            frames: FxHashMap::default(),
            regions: FxHashMap::default(),
            by_address: BTreeMap::new(),
            quarantine: VecDeque::new(),
            quarantined_pages: 0,
            written_after_free: Vec::new(),
            next_low: FIRST_LOW_FRAME,
            next_high: FIRST_FRAME_ABOVE_4G,
            next_region: 0,
            epoch: 0,
            rng: SplitMix64::seed_from_u64(seed),
        }
    }

    /// Allocates zeroed memory of at least `bytes` bytes in whole pages.
    ///
    /// # Errors
    /// The layout cannot be had.
    pub fn allocate(
        &mut self,
        bytes: usize,
        layout: &PageLayout,
        kind: MemoryUse,
    ) -> Result<RegionId, MemoryError> {
        if bytes == 0 {
            return Err(MemoryError::Empty);
        }
        let pages = bytes.div_ceil(PAGE_BYTES);
        let frames = self.choose(pages, layout)?;
        let block = PageBlock::new(pages);
        Ok(self.insert(block, frames, kind, State::Live))
    }

    /// Address of an allocation's first byte. Null if there is no such memory.
    pub fn base(&self, id: RegionId) -> *mut u8 {
        self.regions
            .get(&id)
            .map_or(std::ptr::null_mut(), |region| region.base)
    }

    /// Frames of an allocation, in its order.
    pub fn frames(&self, id: RegionId) -> &[u64] {
        self.regions.get(&id).map_or(&[], |region| &region.frames)
    }

    /// Allocation that has an address, and the offset in it; freed memory has none.
    pub fn locate(&self, address: usize) -> Option<(RegionId, usize)> {
        let (&base, &id) = self.by_address.range(..=address).next_back()?;
        let region = self.regions.get(&id)?;
        let offset = address - base;
        (offset < region.pages() * PAGE_BYTES).then_some((id, offset))
    }

    /// Frames of the pages that hold `bytes` bytes from an address on, and what the memory is for; nothing if they are not all of one
    /// allocation.
    pub fn frames_at(&self, address: usize, bytes: usize) -> Option<(&[u64], MemoryUse)> {
        let (id, offset) = self.locate(address)?;
        let region = self.regions.get(&id)?;
        let end = offset.checked_add(bytes.max(1))?;
        let frames = region
            .frames
            .get(offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES))?;
        Some((frames, region.kind))
    }

    /// Frames for host memory that is none of the machine's allocations, such as a vector that an application passes: page by page, for as
    /// long as they are locked.
    pub(super) fn adopt(&mut self, address: usize, bytes: usize, kind: MemoryUse) -> Vec<u64> {
        let first = address / PAGE_BYTES;
        let end = (address + bytes.max(1)).div_ceil(PAGE_BYTES);
        (first..end)
            .map(|page| self.adopt_page(page * PAGE_BYTES, kind))
            .collect()
    }

    fn adopt_page(&mut self, base: usize, kind: MemoryUse) -> u64 {
        if let Some((&[frame, ..], _)) = self.frames_at(base, 1) {
            return frame;
        }
        let frame = self.next_high;
        self.next_high += 2;
        let id = RegionId(self.next_region);
        self.next_region += 1;
        let base = std::ptr::with_exposed_provenance_mut(base);
        self.add_frame(frame, base, 0, id);
        self.by_address.insert(base as usize, id);
        let region = Region {
            block: None,
            base,
            frames: vec![frame],
            kind,
            state: State::Live,
            locks: 0,
        };
        self.regions.insert(id, region);
        frame
    }

    /// Frees an allocation. Locked pages stay, without an owner, until they are unlocked.
    pub fn free(&mut self, id: RegionId) -> Freed {
        let Some(region) = self.regions.get_mut(&id) else {
            return Freed::Unknown;
        };
        if region.state != State::Live {
            return Freed::Unknown;
        }
        self.by_address.remove(&(region.base as usize));
        self.epoch += 1;
        if region.locks > 0 {
            region.state = State::Orphaned;
            return Freed::Orphaned;
        }
        self.quarantine(id);
        Freed::Gone
    }

    /// Gives the allocation's addresses fresh, zeroed frames, as freeing and committing it again does. What has the old frames locked
    /// keeps them and their contents.
    ///
    /// # Errors
    /// No frames are left.
    pub fn recommit(&mut self, id: RegionId, layout: &PageLayout) -> Result<Freed, MemoryError> {
        let Some(region) = self.regions.get(&id) else {
            return Ok(Freed::Unknown);
        };
        let (pages, kind, locks) = (region.pages(), region.kind, region.locks);
        let base = region.base;
        let fresh = self.choose(pages, layout)?;
        let old = PageBlock::new(pages);
        // SAFETY: both blocks have that many pages and are different allocations.
        unsafe { std::ptr::copy_nonoverlapping(base, old.base(), pages * PAGE_BYTES) };
        let Some(region) = self.regions.get_mut(&id) else {
            return Ok(Freed::Unknown);
        };
        region.fill(0);
        let frames = std::mem::replace(&mut region.frames, fresh.clone());
        region.locks = 0;
        for (index, frame) in fresh.into_iter().enumerate() {
            self.add_frame(frame, base, index, id);
        }
        let orphan = self.insert_orphan(old, frames, kind, locks);
        if locks == 0 {
            self.quarantine(orphan);
            return Ok(Freed::Gone);
        }
        Ok(Freed::Orphaned)
    }

    /// Address of a frame's page; nothing if no memory is there or it was freed.
    pub fn page(&self, frame: u64) -> Option<*mut u8> {
        let found = self.frames.get(&frame)?;
        let region = self.regions.get(&found.region)?;
        (region.state != State::Quarantined).then_some(found.page)
    }

    /// Locks that MDLs have on a frame.
    pub fn locks(&self, frame: u64) -> &[PageLock] {
        self.frames.get(&frame).map_or(&[], |found| &found.locks)
    }

    /// DDI that last unlocked a frame, or freed it.
    pub fn unlocked_by(&self, frame: u64) -> Option<&'static str> {
        self.frames.get(&frame).and_then(|found| found.unlocked_by)
    }

    /// Locks a frame for an MDL. False if there is no such frame.
    pub(super) fn lock(&mut self, frame: u64, lock: PageLock) -> bool {
        let Some(found) = self.frames.get_mut(&frame) else {
            return false;
        };
        found.locks.push(lock);
        let region = found.region;
        self.epoch += 1;
        if let Some(region) = self.regions.get_mut(&region) {
            region.locks += 1;
        }
        true
    }

    /// Takes an MDL's lock on a frame back; `ddi` names the routine for later messages.
    pub(super) fn unlock(&mut self, frame: u64, mdl: usize, ddi: &'static str) {
        let Some(found) = self.frames.get_mut(&frame) else {
            return;
        };
        let Some(at) = found.locks.iter().position(|lock| lock.mdl == mdl) else {
            return;
        };
        found.locks.swap_remove(at);
        found.unlocked_by = Some(ddi);
        let id = found.region;
        self.epoch += 1;
        let Some(region) = self.regions.get_mut(&id) else {
            return;
        };
        region.locks -= 1;
        if region.locks > 0 {
            return;
        }
        if region.block.is_none() {
            self.by_address.remove(&(region.base as usize));
            self.regions.remove(&id);
            self.frames.remove(&frame);
        } else if region.state == State::Orphaned {
            self.quarantine(id);
        }
    }

    /// Changes whenever a page's address or locks may have: what was looked up before is then to be looked up again.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes in live allocations of one kind.
    pub fn live_bytes(&self, kind: MemoryUse) -> usize {
        let live = self.regions.values();
        live.filter(|region| region.kind == kind && region.state != State::Quarantined)
            .map(|region| region.pages() * PAGE_BYTES)
            .sum()
    }

    /// Pages locked by MDLs; a page that two MDLs have locked counts twice.
    pub fn locked_pages(&self) -> usize {
        self.regions.values().map(|region| region.locks).sum()
    }

    /// Fills an allocation.
    pub fn fill(&mut self, id: RegionId, byte: u8) {
        if let Some(region) = self.regions.get_mut(&id) {
            region.fill(byte);
        }
    }

    /// Memory that was written after it was freed, as far as it is known; each is told once.
    pub fn take_writes_after_free(&mut self) -> Vec<WriteAfterFree> {
        let ids: Vec<RegionId> = self.quarantine.iter().copied().collect();
        for id in ids {
            self.check(id);
        }
        std::mem::take(&mut self.written_after_free)
    }

    fn choose(&mut self, pages: usize, layout: &PageLayout) -> Result<Vec<u64>, MemoryError> {
        if let PageLayout::Frames(frames) = layout {
            return self.given(pages, frames);
        }
        let low = layout.is_low();
        let mut start = if low { self.next_low } else { self.next_high };
        let end = if low {
            END_OF_LOW_FRAMES
        } else {
            END_OF_FRAMES
        };
        // Frames of captured layouts may lie in the way.
        while let Some(taken) =
            (start..start + pages as u64).rfind(|frame| self.frames.contains_key(frame))
        {
            start = taken + 1;
        }
        if start + pages as u64 > end {
            return Err(MemoryError::NoLowMemory(pages));
        }
        let next = if low {
            &mut self.next_low
        } else {
            &mut self.next_high
        };
        // A gap keeps allocations that follow each other from being consecutive by accident.
        *next = start + pages as u64 + 1;
        let mut frames: Vec<u64> = (start..start + pages as u64).collect();
        if layout.is_shuffled() {
            shuffle(&mut frames, &mut self.rng);
        }
        Ok(frames)
    }

    fn given(&self, pages: usize, frames: &[u64]) -> Result<Vec<u64>, MemoryError> {
        if frames.len() != pages {
            return Err(MemoryError::FrameCount {
                given: frames.len(),
                needed: pages,
            });
        }
        let mut seen = rustc_hash::FxHashSet::default();
        for &frame in frames {
            if frame >= END_OF_FRAMES {
                return Err(MemoryError::FrameTooHigh(frame));
            }
            if self.frames.contains_key(&frame) || !seen.insert(frame) {
                return Err(MemoryError::FrameTaken(frame));
            }
        }
        Ok(frames.to_vec())
    }

    fn insert(
        &mut self,
        block: PageBlock,
        frames: Vec<u64>,
        kind: MemoryUse,
        state: State,
    ) -> RegionId {
        let id = RegionId(self.next_region);
        self.next_region += 1;
        self.epoch += 1;
        let base = block.base();
        for (index, &frame) in frames.iter().enumerate() {
            self.add_frame(frame, base, index, id);
        }
        self.by_address.insert(base as usize, id);
        let region = Region {
            block: Some(block),
            base,
            frames,
            kind,
            state,
            locks: 0,
        };
        self.regions.insert(id, region);
        id
    }

    /// Moves frames that have been replaced to a block of their own, with their locks.
    fn insert_orphan(
        &mut self,
        block: PageBlock,
        frames: Vec<u64>,
        kind: MemoryUse,
        locks: usize,
    ) -> RegionId {
        let id = RegionId(self.next_region);
        self.next_region += 1;
        self.epoch += 1;
        for (index, frame) in frames.iter().enumerate() {
            if let Some(found) = self.frames.get_mut(frame) {
                found.page = block.page(index);
                found.region = id;
            }
        }
        let region = Region {
            base: block.base(),
            block: Some(block),
            frames,
            kind,
            state: State::Orphaned,
            locks,
        };
        self.regions.insert(id, region);
        id
    }

    fn add_frame(&mut self, frame: u64, base: *mut u8, index: usize, region: RegionId) {
        // SAFETY: the block at `base` has a page for each of the region's frames.
        let page = unsafe { base.add(index * PAGE_BYTES) };
        let frame_of_region = Frame {
            page,
            region,
            locks: Vec::new(),
            unlocked_by: None,
        };
        self.frames.insert(frame, frame_of_region);
    }

    fn quarantine(&mut self, id: RegionId) {
        let Some(region) = self.regions.get_mut(&id) else {
            return;
        };
        region.state = State::Quarantined;
        region.fill(FREED);
        self.quarantined_pages += region.pages();
        self.quarantine.push_back(id);
        self.epoch += 1;
        while self.quarantined_pages > QUARANTINE_PAGES && self.quarantine.len() > 1 {
            let Some(oldest) = self.quarantine.pop_front() else {
                break;
            };
            self.check(oldest);
            if let Some(region) = self.regions.remove(&oldest) {
                self.quarantined_pages -= region.pages();
                for frame in &region.frames {
                    self.frames.remove(frame);
                }
            }
        }
    }

    fn check(&mut self, id: RegionId) {
        let Some(region) = self.regions.get_mut(&id) else {
            return;
        };
        let offset = region
            .block
            .as_ref()
            .and_then(|block| block.first_other_than(FREED));
        let Some(offset) = offset else {
            return;
        };
        self.written_after_free.push(WriteAfterFree {
            address: region.base as usize + offset,
            frame: region.frames[offset / PAGE_BYTES],
            kind: region.kind,
        });
        region.fill(FREED);
    }

    /// Copies bytes out of physical memory, as a CPU or device that goes by physical addresses sees them. False if some are not there.
    pub fn read(&self, address: u64, data: &mut [u8]) -> bool {
        let mut done = 0;
        while done < data.len() {
            let at = address + done as u64;
            let offset = at as usize % PAGE_BYTES;
            let part = (PAGE_BYTES - offset).min(data.len() - done);
            let Some(page) = self.page(at >> PAGE_SHIFT) else {
                return false;
            };
            // SAFETY: the page has 4096 bytes, of which `part` follow the offset; `data` is memory of the caller.
            unsafe {
                std::ptr::copy_nonoverlapping(page.add(offset), data[done..].as_mut_ptr(), part);
            }
            done += part;
        }
        true
    }

    /// Copies bytes into physical memory. False if some of it is not there.
    pub fn write(&mut self, address: u64, data: &[u8]) -> bool {
        let mut done = 0;
        while done < data.len() {
            let at = address + done as u64;
            let offset = at as usize % PAGE_BYTES;
            let part = (PAGE_BYTES - offset).min(data.len() - done);
            let Some(page) = self.page(at >> PAGE_SHIFT) else {
                return false;
            };
            // SAFETY: as in `read`, the other way round.
            unsafe {
                std::ptr::copy_nonoverlapping(data[done..].as_ptr(), page.add(offset), part);
            }
            done += part;
        }
        true
    }
}
