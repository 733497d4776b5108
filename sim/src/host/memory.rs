//! Sparse physical memory: pages of 4 KiB that exist from their first write.

use std::cell::Cell;

use rustc_hash::FxHashMap;

use super::{BusFault, PAGE_BYTES, PAGE_SHIFT};

type Page = [u8; PAGE_BYTES as usize];

/// Physical memory of the host. Pages never written read as zeros and take no space.
pub struct PhysicalMemory {
    /// Page frame number to index in `pages`.
    index: FxHashMap<u64, u32>,
    pages: Vec<Box<Page>>,
    /// The page of the last access: a TLP rarely changes page.
    last: Cell<(u64, u32)>,
    /// First address past the end.
    limit: u64,
}

/// No page frame number: addresses have at most 52 bits, frames 40.
const NO_PAGE: u64 = u64::MAX;

impl PhysicalMemory {
    /// Memory of 2^`address_bits` addresses, 12 to 52 (the widest that x86-64 defines); other values are clamped.
    pub fn new(address_bits: u32) -> Self {
        Self {
            index: FxHashMap::default(),
            pages: Vec::new(),
            last: Cell::new((NO_PAGE, 0)),
            limit: 1 << address_bits.clamp(PAGE_SHIFT, 52),
        }
    }

    /// First address past the end of memory.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Number of pages that have been written.
    pub fn resident_pages(&self) -> usize {
        self.pages.len()
    }

    /// Reads `data.len()` bytes at physical address `address`.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        self.check(address, data.len())?;
        for (frame, start, part) in split_mut(address, data) {
            match self.find(frame) {
                Some(page) => part.copy_from_slice(&self.pages[page][start..start + part.len()]),
                None => part.fill(0),
            }
        }
        Ok(())
    }

    /// Writes `data` at physical address `address`.
    pub fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        self.check(address, data.len())?;
        for (frame, start, part) in split(address, data) {
            let page = match self.find(frame) {
                Some(page) => page,
                None => self.add(frame),
            };
            self.pages[page][start..start + part.len()].copy_from_slice(part);
        }
        Ok(())
    }

    fn check(&self, address: u64, len: usize) -> Result<(), BusFault> {
        match address.checked_add(len as u64) {
            Some(end) if end <= self.limit => Ok(()),
            _ => Err(BusFault::Unclaimed {
                address,
                limit: self.limit,
            }),
        }
    }

    #[inline]
    fn find(&self, frame: u64) -> Option<usize> {
        let (last_frame, last_page) = self.last.get();
        if last_frame == frame {
            return Some(last_page as usize);
        }
        let page = *self.index.get(&frame)?;
        self.last.set((frame, page));
        Some(page as usize)
    }

    fn add(&mut self, frame: u64) -> usize {
        let page = self.pages.len();
        self.pages.push(Box::new([0; PAGE_BYTES as usize]));
        self.index.insert(frame, page as u32);
        self.last.set((frame, page as u32));
        page
    }
}

/// Splits an access at page boundaries into (frame, offset in the page, bytes).
fn split(address: u64, data: &[u8]) -> impl Iterator<Item = (u64, usize, &[u8])> {
    let mut rest = data;
    let mut at = address;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = (at % PAGE_BYTES) as usize;
        let (part, tail) = rest.split_at(rest.len().min(PAGE_BYTES as usize - start));
        let frame = at >> PAGE_SHIFT;
        rest = tail;
        at += part.len() as u64;
        Some((frame, start, part))
    })
}

/// As [`split`], for reads.
fn split_mut(address: u64, data: &mut [u8]) -> impl Iterator<Item = (u64, usize, &mut [u8])> {
    let mut rest = data;
    let mut at = address;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = (at % PAGE_BYTES) as usize;
        let len = rest.len().min(PAGE_BYTES as usize - start);
        let (part, tail) = std::mem::take(&mut rest).split_at_mut(len);
        let frame = at >> PAGE_SHIFT;
        rest = tail;
        at += len as u64;
        Some((frame, start, part))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unwritten_memory_is_zero_and_takes_no_space() {
        let memory = PhysicalMemory::new(46);
        let mut data = [1; 10_000];
        memory.read(0x1_0000_0ffe, &mut data).unwrap();
        assert!(data.iter().all(|&byte| byte == 0));
        assert_eq!(memory.resident_pages(), 0);
    }

    #[test]
    fn addresses_past_the_end_fault_and_name_themselves() {
        let mut memory = PhysicalMemory::new(40);
        let fault = BusFault::Unclaimed {
            address: (1 << 40) - 4,
            limit: 1 << 40,
        };
        assert_eq!(memory.write((1 << 40) - 4, &[0; 8]), Err(fault));
        assert!(memory.write((1 << 40) - 4, &[0; 4]).is_ok());
        assert!(memory.read(u64::MAX, &mut [0; 2]).is_err());
    }

    proptest! {
        /// Sparse memory behaves as one flat array, whatever pages the accesses touch.
        #[test]
        fn behaves_as_a_flat_array(writes in prop::collection::vec((0u64..20_000, 1usize..9000, any::<u8>()), 1..40)) {
            const BASE: u64 = 0x12_3456_7000;
            let mut flat = vec![0u8; 32_768];
            let mut memory = PhysicalMemory::new(46);
            for (offset, len, value) in writes {
                let data: Vec<u8> = (0..len).map(|i| value.wrapping_add(i as u8)).collect();
                flat[offset as usize..offset as usize + len].copy_from_slice(&data);
                memory.write(BASE + offset, &data).unwrap();
                let mut back = vec![0; len + 100];
                memory.read(BASE + offset, &mut back).unwrap();
                prop_assert_eq!(&back[..], &flat[offset as usize..offset as usize + len + 100]);
            }
        }
    }
}
