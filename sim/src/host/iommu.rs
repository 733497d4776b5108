//! The IOMMU: a four-level page table from bus addresses to physical pages.
//!
//! Shaped like VT-d's second-level translation (VT-d specification 3.7: 512 entries of 64 bits a level, bit 0 read, bit 1
//! write, the page address from bit 12 on). It faults exactly where the real one does; it has no IOTLB, so an unmapped page is gone at once.

use super::intervals::Intervals;
use super::{BusFault, PAGE_BYTES, PAGE_SHIFT};

const LEVELS: u32 = 4;
const LEVEL_BITS: u32 = 9;
const ENTRIES: usize = 1 << LEVEL_BITS;
/// Four levels of 9 bits and 12 bits of offset.
const ADDRESS_BITS: u32 = PAGE_SHIFT + LEVELS * LEVEL_BITS;
const READ: u64 = 1;
const WRITE: u64 = 2;

/// Bus pages are given out from here, so that they look like no physical address of the host's buffers.
const FIRST_PAGE: u64 = 0x8000_0000_0000 >> PAGE_SHIFT;

/// What the device may do with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The device may read it (H2C).
    pub read: bool,
    /// The device may write it (C2H).
    pub write: bool,
}

/// Why pages could not be mapped or unmapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IommuError {
    /// No consecutive bus addresses are left.
    #[error(
        "no {pages} consecutive bus pages are free in the IOMMU's aperture; unmap something first"
    )]
    NoRoom {
        /// Pages asked for.
        pages: u64,
    },
    /// No mapping of that size begins there.
    #[error(
        "bus address {address:#x} begins no mapping of {pages} pages; unmap what map returned, once"
    )]
    NotMapped {
        /// Bus address given.
        address: u64,
        /// Pages given.
        pages: u64,
    },
}

/// A domain of the IOMMU.
pub struct Iommu {
    /// Tables of all levels; the first is the root. An entry of an inner level holds the index of the next table.
    tables: Vec<Box<[u64; ENTRIES]>>,
    used: Intervals,
    /// Bus pages that may be given out.
    aperture: u64,
}

impl Default for Iommu {
    /// A domain with all of the upper half of the 48-bit space.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl Iommu {
    /// A domain that gives out at most `aperture` pages of bus addresses.
    pub fn new(aperture: u64) -> Self {
        let aperture = aperture.min((1 << (ADDRESS_BITS - PAGE_SHIFT)) - FIRST_PAGE);
        Self {
            tables: vec![Box::new([0; ENTRIES])],
            used: Intervals::default(),
            aperture,
        }
    }

    /// Maps physical pages (by frame number, in order) at consecutive bus addresses and returns the first.
    pub fn map(&mut self, frames: &[u64], access: Access) -> Result<u64, IommuError> {
        let pages = frames.len() as u64;
        let end = FIRST_PAGE + self.aperture;
        let start = self
            .used
            .first_fit(FIRST_PAGE, end, pages)
            .ok_or(IommuError::NoRoom { pages })?;
        self.used
            .insert(start, pages)
            .map_err(|_| IommuError::NoRoom { pages })?;
        let rights = if access.read { READ } else { 0 } | if access.write { WRITE } else { 0 };
        for (page, frame) in frames.iter().enumerate() {
            *self.entry(start + page as u64) = frame << PAGE_SHIFT | rights;
        }
        Ok(start << PAGE_SHIFT)
    }

    /// Takes back a mapping of `pages` pages at bus address `address`; accesses fault from now on.
    pub fn unmap(&mut self, address: u64, pages: u64) -> Result<(), IommuError> {
        let start = address >> PAGE_SHIFT;
        match self.used.remove(start) {
            Some(found) if found == pages => {}
            other => {
                if let Some(found) = other {
                    // It was there a line ago, so it fits again.
                    let _ = self.used.insert(start, found);
                }
                return Err(IommuError::NotMapped { address, pages });
            }
        }
        for page in start..start + pages {
            *self.entry(page) = 0;
        }
        Ok(())
    }

    /// Physical address of bus address `address`, or the fault that the IOMMU reports.
    pub fn translate(&self, address: u64, is_write: bool) -> Result<u64, BusFault> {
        let entry = self.walk(address);
        if entry & (READ | WRITE) == 0 {
            return Err(BusFault::NotMapped { address, is_write });
        }
        if entry & if is_write { WRITE } else { READ } == 0 {
            return Err(BusFault::Denied { address, is_write });
        }
        Ok((entry & !(PAGE_BYTES - 1)) | (address & (PAGE_BYTES - 1)))
    }

    fn walk(&self, address: u64) -> u64 {
        if address >> ADDRESS_BITS != 0 {
            return 0;
        }
        let page = address >> PAGE_SHIFT;
        let mut table = 0;
        for level in (1..LEVELS).rev() {
            match self.tables[table][index(page, level)] {
                0 => return 0,
                next => table = next as usize,
            }
        }
        self.tables[table][index(page, 0)]
    }

    /// The leaf entry of a bus page, with the tables above it made if need be.
    fn entry(&mut self, page: u64) -> &mut u64 {
        let mut table = 0;
        for level in (1..LEVELS).rev() {
            let at = index(page, level);
            if self.tables[table][at] == 0 {
                self.tables[table][at] = self.tables.len() as u64;
                self.tables.push(Box::new([0; ENTRIES]));
            }
            table = self.tables[table][at] as usize;
        }
        &mut self.tables[table][index(page, 0)]
    }
}

fn index(page: u64, level: u32) -> usize {
    (page >> (level * LEVEL_BITS)) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Access = Access {
        read: true,
        write: true,
    };

    #[test]
    fn scattered_pages_become_consecutive() {
        let mut iommu = Iommu::default();
        let frames = [0x10_0007u64, 0x9, 0xff_ffff_ffff];
        let bus = iommu.map(&frames, BOTH).unwrap();
        for (page, frame) in frames.iter().enumerate() {
            let address = bus + page as u64 * PAGE_BYTES + 0xabc;
            assert_eq!(iommu.translate(address, true), Ok((frame << 12) | 0xabc));
        }
    }

    #[test]
    fn faults_name_the_address() {
        let mut iommu = Iommu::default();
        let bus = iommu
            .map(
                &[5],
                Access {
                    read: true,
                    write: false,
                },
            )
            .unwrap();
        assert_eq!(
            iommu.translate(bus + 4, true),
            Err(BusFault::Denied {
                address: bus + 4,
                is_write: true
            })
        );
        let past = bus + PAGE_BYTES;
        assert_eq!(
            iommu.translate(past, false),
            Err(BusFault::NotMapped {
                address: past,
                is_write: false
            })
        );
        assert!(iommu.translate(u64::MAX, false).is_err());
        iommu.unmap(bus, 1).unwrap();
        assert!(iommu.translate(bus, false).is_err());
    }

    #[test]
    fn only_whole_mappings_are_unmapped_and_once() {
        let mut iommu = Iommu::default();
        let bus = iommu.map(&[1, 2, 3, 4], BOTH).unwrap();
        assert!(iommu.unmap(bus, 3).is_err());
        assert!(iommu.unmap(bus + PAGE_BYTES, 3).is_err());
        assert!(iommu.translate(bus, true).is_ok());
        iommu.unmap(bus, 4).unwrap();
        assert_eq!(
            iommu.unmap(bus, 4),
            Err(IommuError::NotMapped {
                address: bus,
                pages: 4
            })
        );
    }

    #[test]
    fn bus_space_is_used_again_and_can_run_out() {
        let mut iommu = Iommu::new(650);
        let frames: Vec<u64> = (1..=300).collect();
        let first = iommu.map(&frames, BOTH).unwrap();
        let second = iommu.map(&frames, BOTH).unwrap();
        assert_eq!(second, first + 300 * PAGE_BYTES);
        iommu.unmap(first, 300).unwrap();
        assert_eq!(iommu.map(&frames[..100], BOTH).unwrap(), first);
        assert_eq!(
            iommu.map(&frames[..201], BOTH),
            Err(IommuError::NoRoom { pages: 201 })
        );
        assert!(iommu.map(&frames[..200], BOTH).is_ok());
    }
}
