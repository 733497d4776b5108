//! MDLs: building, locking and mapping them.
//!
//! The structures are real: drivers read `_MDL` and the frame numbers behind it. A record beside each says what it should hold, so that
//! a field that a driver has overwritten does not lead the model astray.

use rustc_hash::FxHashMap;

use super::{MemoryUse, PAGE_BYTES, PageLock, PhysicalMemory};
use crate::types::{
    _MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_SOURCE_IS_NONPAGED_POOL,
    MDL_WRITE_OPERATION, PMDL,
};

/// Words of 8 bytes in an `_MDL` without its frame numbers.
const HEADER_WORDS: usize = size_of::<_MDL>() / 8;
/// An MDL describes at most 4 GiB - 4 KiB (kernel/using-mdls.md).
pub const MAXIMUM_BYTES: u64 = (1 << 32) - PAGE_BYTES as u64;

/// What pages are locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockAccess {
    /// The device or driver reads them.
    Read,
    /// The device or driver writes them, and may read them.
    Write,
}

/// Why an MDL cannot be used so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MdlError {
    /// No MDL is at that address.
    #[error("no MDL is at {0:#x}, or it was freed")]
    Unknown(usize),
    /// The buffer's bytes are not memory of the machine.
    #[error("the buffer at {0:#x} is not memory of the machine")]
    NoMemory(usize),
    /// The buffer is not nonpaged pool.
    #[error("the buffer at {0:#x} is not in nonpaged pool")]
    NotPool(usize),
    /// The MDL's pages are locked already.
    #[error("the MDL's pages are locked, or were built, already")]
    Built,
    /// The MDL's pages are not locked.
    #[error("the MDL's pages are not locked")]
    NotLocked,
    /// The MDL is not mapped.
    #[error("the MDL is not mapped into system space")]
    NotMapped,
    /// The MDL is mapped already.
    #[error("the MDL is mapped into system space already")]
    Mapped,
    /// The range leaves the MDL chain.
    #[error("{length} bytes from offset {offset} leave the MDL")]
    OutOfBounds {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
}

#[derive(Debug)]
struct Record {
    /// The `_MDL` and its frame numbers; drivers have the address.
    words: *mut u64,
    count: usize,
    frames: Vec<u64>,
    access: Option<LockAccess>,
    is_pool: bool,
    mapped: bool,
    /// Device mappings in force that were made from this MDL.
    device_mappings: usize,
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: the pointer and the length are those of the boxed slice that `create` took apart; the record is dropped once.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.words, self.count)) });
    }
}

/// A part of a buffer in one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MdlPiece {
    /// Page frame number.
    pub frame: u64,
    /// First byte in the page.
    pub from: u16,
    /// End of the bytes, at most 4096.
    pub to: u16,
}

/// A part of a buffer, page by page, and what its pages are locked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MdlPieces {
    /// The pages in order.
    pub pieces: Vec<MdlPiece>,
    /// MDLs that have them.
    pub mdls: Vec<usize>,
    /// Every page may be written.
    pub writable: bool,
}

/// All MDLs of the machine.
#[derive(Debug, Default)]
pub struct Mdls {
    records: FxHashMap<usize, Record>,
    /// Freed ones, kept so that a driver that still reads one reads poison.
    retired: Vec<Record>,
}

impl Mdls {
    /// An MDL for `bytes` bytes at an address, without frame numbers; null if it describes too much or nothing (`IoAllocateMdl`).
    pub fn create(&mut self, address: usize, bytes: u64) -> PMDL {
        if bytes == 0 || bytes > MAXIMUM_BYTES {
            return std::ptr::null_mut();
        }
        let offset = address % PAGE_BYTES;
        let pages = (offset + bytes as usize).div_ceil(PAGE_BYTES);
        let count = HEADER_WORDS + pages;
        let words = Box::into_raw(vec![0u64; count].into_boxed_slice()).cast::<u64>();
        let header = _MDL {
            // Windows' field is 16 bits wide and wraps for large MDLs; nobody reads it there either.
            Size: (count * 8) as i16,
            StartVa: (address - offset) as *mut core::ffi::c_void,
            ByteCount: bytes as u32,
            ByteOffset: offset as u32,
            ..Default::default()
        };
        let mdl = words.cast::<_MDL>();
        // SAFETY: the words are 8-byte aligned and as many as an `_MDL` has, and more.
        unsafe { mdl.write(header) };
        let record = Record {
            words,
            count,
            frames: Vec::new(),
            access: None,
            is_pool: false,
            mapped: false,
            device_mappings: 0,
        };
        self.records.insert(mdl as usize, record);
        mdl
    }

    /// Whether an MDL is at that address.
    pub fn is_known(&self, mdl: PMDL) -> bool {
        self.records.contains_key(&(mdl as usize))
    }

    /// Locks the pages of a buffer, as the I/O manager does for direct requests. Host memory that is none of the machine's allocations
    /// gets frames for as long as it is locked.
    ///
    /// # Errors
    /// The buffer leaves an allocation of the machine, or the MDL is locked already.
    pub fn lock(
        &mut self,
        memory: &mut PhysicalMemory,
        mdl: PMDL,
        access: LockAccess,
    ) -> Result<(), MdlError> {
        let address = virtual_address(self.get(mdl)?);
        let bytes = byte_count(self.get(mdl)?);
        if memory.frames_at(address, bytes as usize).is_none() {
            if !self.get(mdl)?.frames.is_empty() {
                return Err(MdlError::Built);
            }
            if memory.locate(address).is_some() || address < PAGE_BYTES {
                return Err(MdlError::NoMemory(address));
            }
            let frames = memory.adopt(address, bytes as usize, MemoryUse::User);
            self.set_frames(mdl, frames)?;
        } else {
            self.fill(memory, mdl)?;
        }
        let frames = self.get(mdl)?.frames.clone();
        let write = access == LockAccess::Write;
        for piece in pieces_of(&frames, address % PAGE_BYTES, 0, bytes) {
            let lock = PageLock {
                mdl: mdl as usize,
                from: piece.from,
                to: piece.to,
                write,
            };
            memory.lock(piece.frame, lock);
        }
        let record = self.get_mut(mdl)?;
        record.access = Some(access);
        let flags = MDL_PAGES_LOCKED | if write { MDL_WRITE_OPERATION } else { 0 };
        set_flags(record, flags, 0);
        Ok(())
    }

    /// Fills in the frame numbers of a buffer in nonpaged pool (`MmBuildMdlForNonPagedPool`). `is_pool` says that the buffer is in pool
    /// which is no allocation of `memory`: it gets frames until the MDL is freed.
    ///
    /// # Errors
    /// The buffer is not nonpaged memory of the machine.
    pub fn build_for_pool(
        &mut self,
        memory: &mut PhysicalMemory,
        mdl: PMDL,
        is_pool: bool,
    ) -> Result<(), MdlError> {
        let address = virtual_address(self.get(mdl)?);
        let bytes = byte_count(self.get(mdl)?);
        if is_pool && self.get(mdl)?.frames.is_empty() {
            let frames = memory.adopt(address, bytes as usize, MemoryUse::Pool);
            for piece in pieces_of(&frames, address % PAGE_BYTES, 0, bytes) {
                let lock = PageLock {
                    mdl: mdl as usize,
                    from: piece.from,
                    to: piece.to,
                    write: true,
                };
                memory.lock(piece.frame, lock);
            }
            self.set_frames(mdl, frames)?;
        } else {
            let (_, kind) = self.fill(memory, mdl)?;
            if kind == MemoryUse::User {
                self.get_mut(mdl)?.frames.clear();
                return Err(MdlError::NotPool(address));
            }
        }
        let record = self.get_mut(mdl)?;
        record.is_pool = true;
        set_flags(record, MDL_SOURCE_IS_NONPAGED_POOL, 0);
        // SAFETY: the record's words begin with an `_MDL`.
        unsafe { (*record.words.cast::<_MDL>()).MappedSystemVa = address as *mut _ };
        Ok(())
    }

    /// Maps a locked MDL into system space and returns the address of its first byte (`MmMapLockedPagesSpecifyCache`).
    ///
    /// # Errors
    /// The pages are not locked, or mapped already.
    pub fn map(&mut self, mdl: PMDL) -> Result<*mut u8, MdlError> {
        let record = self.get_mut(mdl)?;
        if record.is_pool || record.mapped {
            return Err(MdlError::Mapped);
        }
        if record.access.is_none() {
            return Err(MdlError::NotLocked);
        }
        record.mapped = true;
        set_flags(record, MDL_MAPPED_TO_SYSTEM_VA, 0);
        let address = virtual_address(record);
        // SAFETY: the record's words begin with an `_MDL`.
        unsafe { (*record.words.cast::<_MDL>()).MappedSystemVa = address as *mut _ };
        Ok(address as *mut u8)
    }

    /// Takes a mapping back (`MmUnmapLockedPages`).
    ///
    /// # Errors
    /// The MDL is not mapped.
    pub fn unmap(&mut self, mdl: PMDL) -> Result<(), MdlError> {
        let record = self.get_mut(mdl)?;
        if !record.mapped {
            return Err(MdlError::NotMapped);
        }
        record.mapped = false;
        set_flags(record, 0, MDL_MAPPED_TO_SYSTEM_VA);
        Ok(())
    }

    /// Unlocks the pages, and unmaps them if need be; returns how many device mappings were still in force.
    ///
    /// # Errors
    /// The pages are not locked.
    pub fn unlock(
        &mut self,
        memory: &mut PhysicalMemory,
        mdl: PMDL,
        ddi: &'static str,
    ) -> Result<usize, MdlError> {
        let record = self.get_mut(mdl)?;
        if record.access.take().is_none() {
            return Err(MdlError::NotLocked);
        }
        record.mapped = false;
        let cleared = MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_MAPPED_TO_SYSTEM_VA;
        set_flags(record, 0, cleared);
        let frames = std::mem::take(&mut record.frames);
        let device_mappings = record.device_mappings;
        for frame in frames {
            memory.unlock(frame, mdl as usize, ddi);
        }
        Ok(device_mappings)
    }

    /// Frees an MDL (`IoFreeMdl`); returns whether its pages were still locked.
    ///
    /// # Errors
    /// There is no such MDL.
    pub fn free(&mut self, memory: &mut PhysicalMemory, mdl: PMDL) -> Result<bool, MdlError> {
        let address = mdl as usize;
        let record = self
            .records
            .remove(&address)
            .ok_or(MdlError::Unknown(address))?;
        // SAFETY: the words are the record's own; drivers that still have the address read poison, which is what this is for.
        unsafe { record.words.write_bytes(super::FREED, record.count) };
        let locked = record.access.is_some();
        if !locked {
            // Frames of pool, if there are any.
            for &frame in &record.frames {
                memory.unlock(frame, address, "IoFreeMdl");
            }
        }
        self.retired.push(record);
        Ok(locked)
    }

    /// Kernel address of the first byte: the system mapping or the pool buffer.
    pub fn system_address(&self, mdl: PMDL) -> Option<*mut u8> {
        let record = self.get(mdl).ok()?;
        (record.mapped || record.is_pool).then(|| virtual_address(record) as *mut u8)
    }

    /// Frames of an MDL, and whether they are resident: locked or of nonpaged pool.
    pub fn frames(&self, mdl: PMDL) -> &[u64] {
        self.get(mdl).map_or(&[], |record| &record.frames)
    }

    /// The pages of part of an MDL chain.
    ///
    /// # Errors
    /// An MDL is unknown or not locked, or the range leaves the chain.
    pub fn pieces(&self, mdl: PMDL, offset: u64, length: u64) -> Result<MdlPieces, MdlError> {
        let mut found = MdlPieces {
            writable: true,
            ..Default::default()
        };
        let (mut current, mut skip, mut rest) = (mdl, offset, length);
        while rest > 0 {
            if current.is_null() {
                return Err(MdlError::OutOfBounds { offset, length });
            }
            let record = self.get(current)?;
            let bytes = byte_count(record);
            if skip < bytes {
                if record.frames.is_empty() {
                    return Err(MdlError::NotLocked);
                }
                let part = rest.min(bytes - skip);
                let first = virtual_address(record) % PAGE_BYTES;
                let pieces = pieces_of(&record.frames, first, skip, part);
                found.pieces.extend(pieces);
                found.mdls.push(current as usize);
                found.writable &= record.is_pool || record.access == Some(LockAccess::Write);
                rest -= part;
                skip = 0;
            } else {
                skip -= bytes;
            }
            // SAFETY: the record's words begin with an `_MDL`.
            current = unsafe { (*record.words.cast::<_MDL>()).Next };
        }
        Ok(found)
    }

    /// Counts a device mapping made from an MDL, or taken back.
    pub(crate) fn count_device_mapping(&mut self, mdl: usize, made: bool) {
        if let Some(record) = self.records.get_mut(&mdl) {
            record.device_mappings = match made {
                true => record.device_mappings + 1,
                false => record.device_mappings.saturating_sub(1),
            };
        }
    }

    /// Number of MDLs whose pages are locked.
    pub fn locked(&self) -> usize {
        let records = self.records.values();
        records.filter(|record| record.access.is_some()).count()
    }

    fn get(&self, mdl: PMDL) -> Result<&Record, MdlError> {
        let address = mdl as usize;
        self.records.get(&address).ok_or(MdlError::Unknown(address))
    }

    fn get_mut(&mut self, mdl: PMDL) -> Result<&mut Record, MdlError> {
        let address = mdl as usize;
        self.records
            .get_mut(&address)
            .ok_or(MdlError::Unknown(address))
    }

    /// Writes the frame numbers behind an MDL.
    fn fill(
        &mut self,
        memory: &PhysicalMemory,
        mdl: PMDL,
    ) -> Result<(Vec<u64>, MemoryUse), MdlError> {
        let record = self.get_mut(mdl)?;
        if !record.frames.is_empty() {
            return Err(MdlError::Built);
        }
        let address = virtual_address(record);
        let bytes = byte_count(record) as usize;
        let (frames, kind) = memory
            .frames_at(address, bytes)
            .ok_or(MdlError::NoMemory(address))?;
        let frames = frames.to_vec();
        self.set_frames(mdl, frames.clone())?;
        Ok((frames, kind))
    }

    fn set_frames(&mut self, mdl: PMDL, frames: Vec<u64>) -> Result<(), MdlError> {
        let record = self.get_mut(mdl)?;
        assert!(
            HEADER_WORDS + frames.len() <= record.count,
            "more frames than the MDL spans"
        );
        // SAFETY: there is room for as many.
        unsafe {
            let list = record.words.add(HEADER_WORDS);
            std::ptr::copy_nonoverlapping(frames.as_ptr(), list, frames.len());
        }
        record.frames = frames;
        Ok(())
    }
}

/// The pages of `bytes` bytes from `skip` on in a buffer that begins `first` bytes into the first of `frames`.
fn pieces_of(
    frames: &[u64],
    first: usize,
    skip: u64,
    bytes: u64,
) -> impl Iterator<Item = MdlPiece> + '_ {
    let start = first + skip as usize;
    let end = start + bytes as usize;
    (start / PAGE_BYTES..end.div_ceil(PAGE_BYTES)).map(move |page| {
        let base = page * PAGE_BYTES;
        MdlPiece {
            frame: frames[page],
            from: (start.max(base) - base) as u16,
            to: (end.min(base + PAGE_BYTES) - base) as u16,
        }
    })
}

fn virtual_address(record: &Record) -> usize {
    // SAFETY: the record's words begin with an `_MDL`.
    let header = unsafe { &*record.words.cast::<_MDL>() };
    header.StartVa as usize + header.ByteOffset as usize
}

fn byte_count(record: &Record) -> u64 {
    // SAFETY: the record's words begin with an `_MDL`.
    u64::from(unsafe { (*record.words.cast::<_MDL>()).ByteCount })
}

fn set_flags(record: &mut Record, set: u32, cleared: u32) {
    // SAFETY: the record's words begin with an `_MDL`.
    let header = unsafe { &mut *record.words.cast::<_MDL>() };
    header.MdlFlags = ((header.MdlFlags as u16 as u32 | set) & !cleared) as i16;
}
