//! Host memory: what lies on which page, and data on pages in any order.

use crate::{Bus, Failure};
use pinring_protocol::limits::PAGE;
use pinring_protocol::pattern;
use pinring_protocol::selftest::{BUS_ADDRESS, HOST_MEMORY, HOST_MEMORY_BYTES};
use pinring_protocol::{RegionEntry, SgElement, SgFormat};

/// Queues, the admin queue included. Their rings take two pages each, from the first one on.
pub const QUEUES: u32 = 3;
/// Page of the region table, with the interrupts' messages behind it.
pub const REGION_TABLE: u32 = 2 * QUEUES;
/// Where the messages are written, in bytes from the start of host memory: a word for each vector.
pub const MESSAGES: u32 = REGION_TABLE * PAGE as u32 + 0x800;
/// Page of the list that the regions share.
pub const SG_TABLE: u32 = REGION_TABLE + 1;

/// The regions' pages in their order, as runs of neighbours: first page, pages.
pub const RUNS: [(u32, u32); 6] = [(11, 1), (8, 2), (15, 1), (13, 2), (10, 1), (12, 1)];
/// Pages of a region.
pub const PAGES: u32 = 8;

const _: () = {
    let (mut run, mut pages) = (0, 0);
    while run < RUNS.len() {
        let (first, count) = RUNS[run];
        assert!(first > SG_TABLE && (first + count) as usize * PAGE <= HOST_MEMORY_BYTES as usize);
        pages += count;
        run += 1;
    }
    assert!(pages == PAGES);
};

/// What memory holds where no data was written.
const BACKGROUND: u32 = 0xa5a5_a5a5;
/// Bytes around a transfer that are looked at too.
const MARGIN: u32 = 64;

/// Bus address of a page of host memory.
pub const fn bus_address(page: u32) -> u64 {
    BUS_ADDRESS + page as u64 * PAGE as u64
}

/// A region: the pages of `RUNS` from a byte of the first one on.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Its id: its place in the region table.
    pub id: u32,
    /// Where it begins in its first page.
    pub first_byte_offset: u32,
    /// Its bytes.
    pub length: u32,
    /// How often its id was registered.
    pub generation: u16,
    /// The device may write it; otherwise it may read it.
    pub is_written: bool,
}

impl Region {
    /// Writes the list that all regions share.
    pub fn write_list(bus: &mut impl Bus) {
        let mut start_page = 0;
        let mut address = HOST_MEMORY + SG_TABLE * PAGE as u32;
        for (first, pages) in RUNS {
            let element = SgElement::new()
                .with_valid(true)
                .with_page_frame(bus_address(first) / PAGE as u64)
                .with_pages(pages)
                .with_start_page(start_page);
            start_page += pages;
            address = store_words(bus, address, &element.to_words());
        }
    }

    /// Writes its entry of the region table.
    pub fn register(&self, bus: &mut impl Bus) {
        let entry = RegionEntry::new()
            .with_sg_table(bus_address(SG_TABLE))
            .with_length(self.length.into())
            .with_element_count(RUNS.len() as u32)
            .with_generation(self.generation)
            .with_first_byte_offset(self.first_byte_offset as u16)
            .with_allow_c2h(self.is_written)
            .with_allow_h2c(!self.is_written)
            .with_format(SgFormat::PageGranular)
            .with_page_shift(PAGE.ilog2() as u8);
        let table = HOST_MEMORY + REGION_TABLE * PAGE as u32;
        store_words(
            bus,
            table + self.id * RegionEntry::BYTES as u32,
            &entry.to_words(),
        );
    }

    /// Index of the element that holds the byte at `offset`.
    pub fn hint(&self, offset: u32) -> u32 {
        let mut page = (self.first_byte_offset + offset) / PAGE as u32;
        for (element, (_, pages)) in (0..).zip(RUNS) {
            if page < pages {
                return element;
            }
            page -= pages;
        }
        // Of an offset beyond the end; the device refuses those.
        RUNS.len() as u32 - 1
    }

    /// Address of the word that holds byte `position`, counted from the start of the first page.
    fn word(position: u32) -> u32 {
        let mut page = position / PAGE as u32 % PAGES;
        for (first, pages) in RUNS {
            if page < pages {
                return HOST_MEMORY + (first + page) * PAGE as u32 + position % PAGE as u32 / 4 * 4;
            }
            page -= pages;
        }
        HOST_MEMORY
    }

    /// First and last word's position of a transfer with its margins, within the region's pages.
    fn with_margin(&self, offset: u32, length: u32) -> core::ops::Range<u32> {
        let first = self.first_byte_offset + offset;
        let end = (first + length)
            .saturating_add(MARGIN)
            .min(PAGES * PAGE as u32);
        first.saturating_sub(MARGIN) / 4 * 4..end
    }

    /// Writes a packet with this seed, or none at all, into `length` bytes from `offset` on, and the background around it.
    pub fn fill(&self, bus: &mut impl Bus, offset: u32, length: u32, seed: Option<u32>) {
        let first = self.first_byte_offset + offset;
        for position in self.with_margin(offset, length).step_by(4) {
            let word = expected(position, first, length, seed);
            bus.store(Self::word(position), word);
        }
    }

    /// Compares `length` bytes from `offset` on with a packet from byte `skip` on (a multiple of 4), and what is around them with
    /// the background.
    ///
    /// # Errors
    /// The first byte that differs.
    pub fn compare(
        &self,
        bus: &impl Bus,
        offset: u32,
        length: u32,
        seed: u32,
        skip: u32,
    ) -> Result<(), Failure> {
        let first = self.first_byte_offset + offset;
        let seed = pattern::word(skip / 4, seed);
        for position in self.with_margin(offset, length).step_by(4) {
            let found = bus.load(Self::word(position));
            let expected = expected(position, first, length, Some(seed));
            if found != expected {
                let byte = (found ^ expected).trailing_zeros() / 8;
                return Err(Failure::Byte {
                    position: (position + byte).wrapping_sub(first) as i32,
                    found: found.to_le_bytes()[byte as usize],
                    expected: expected.to_le_bytes()[byte as usize],
                });
            }
        }
        Ok(())
    }
}

/// The word at `position`, a multiple of 4, where a packet of `length` bytes begins at `first`.
fn expected(position: u32, first: u32, length: u32, seed: Option<u32>) -> u32 {
    let Some(seed) = seed else {
        return BACKGROUND;
    };
    let at = position.wrapping_sub(first);
    if position >= first && at < length && length - at >= 4 {
        // Inside: the bytes of two neighbouring words of the pattern.
        let (index, shift) = (at / 4, at % 4 * 8);
        let low = pattern::word(index, seed);
        return match shift {
            0 => low,
            _ => low >> shift | pattern::word(index + 1, seed) << (32 - shift),
        };
    }
    let byte = |index: u32| {
        let at = at.wrapping_add(index);
        if at < length {
            pattern::byte(at.into(), seed)
        } else {
            BACKGROUND as u8
        }
    };
    u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
}

/// Writes words from `address` on; the address behind them.
pub fn store_words(bus: &mut impl Bus, address: u32, words: &[u32]) -> u32 {
    words.iter().fold(address, |address, word| {
        bus.store(address, *word);
        address + 4
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[derive(Default)]
    struct Memory(HashMap<u32, u32>);

    impl Bus for Memory {
        fn load(&self, address: u32) -> u32 {
            self.0.get(&address).copied().unwrap_or(0)
        }
        fn store(&mut self, address: u32, word: u32) {
            assert!((HOST_MEMORY..HOST_MEMORY + HOST_MEMORY_BYTES).contains(&address));
            assert!(address.is_multiple_of(4));
            self.0.insert(address, word);
        }
    }

    impl Memory {
        /// The byte that the device finds at a position, by the list in memory.
        fn by_list(&self, position: u32) -> u8 {
            let words = |element: u32| {
                let at = HOST_MEMORY + SG_TABLE * 4096 + element * 16;
                SgElement::from_words(std::array::from_fn(|word| self.load(at + 4 * word as u32)))
            };
            let elements = (0..RUNS.len() as u32).map(words);
            let page = position / 4096;
            let element = elements
                .inspect(|element| element.check().expect("a valid element"))
                .find(|element| {
                    (element.start_page()..element.start_page() + element.pages()).contains(&page)
                })
                .expect("the list is complete");
            let address =
                element.page_frame() * 4096 + u64::from(position - element.start_page() * 4096);
            let at = HOST_MEMORY + (address - BUS_ADDRESS) as u32;
            self.load(at & !3).to_le_bytes()[(at % 4) as usize]
        }
    }

    const REGION: Region = Region {
        id: 1,
        first_byte_offset: 0x123,
        length: 30_000,
        generation: 1,
        is_written: true,
    };

    #[test]
    fn data_lies_where_the_list_says() {
        let mut memory = Memory::default();
        Region::write_list(&mut memory);
        for (offset, length) in [
            (0, 1),
            (1, 2),
            (2, 9),
            (3700, 500),
            (5, 20_011),
            (29_990, 10),
        ] {
            REGION.fill(&mut memory, offset, length, Some(77));
            let first = 0x123 + offset;
            for position in first - MARGIN..first + length + MARGIN {
                let at = position.wrapping_sub(first);
                let expected = if at < length {
                    pattern::byte(at.into(), 77)
                } else {
                    BACKGROUND as u8
                };
                assert_eq!(
                    memory.by_list(position),
                    expected,
                    "{offset} {length} {position}"
                );
            }
            assert_eq!(REGION.compare(&memory, offset, length, 77, 0), Ok(()));
            let element = REGION.hint(offset);
            let start: u32 = RUNS[..element as usize]
                .iter()
                .map(|(_, pages)| pages)
                .sum();
            let pages = RUNS[element as usize].1;
            assert!((start..start + pages).contains(&(first / 4096)));
        }
    }

    #[test]
    fn every_wrong_byte_is_found() {
        let mut memory = Memory::default();
        REGION.fill(&mut memory, 3, 50, Some(7));
        for position in -64i32..114 {
            let at = (0x123 + 3 + position) as u32;
            let (address, bit) = (Region::word(at), 1u32 << (8 * (at % 4)));
            let good = memory.load(address);
            memory.store(address, good ^ bit);
            let found = good.to_le_bytes()[(at % 4) as usize] ^ 1;
            assert_eq!(
                REGION.compare(&memory, 3, 50, 7, 0),
                Err(Failure::Byte {
                    position,
                    found,
                    expected: found ^ 1
                })
            );
            memory.store(address, good);
        }
    }

    #[test]
    fn a_packet_goes_on_in_the_next_transfer() {
        let mut memory = Memory::default();
        REGION.fill(&mut memory, 8, 24, Some(pattern::word(3, 9)));
        assert_eq!(REGION.compare(&memory, 8, 24, 9, 12), Ok(()));
        assert!(REGION.compare(&memory, 8, 24, 9, 16).is_err());
    }

    #[test]
    fn region_entries_are_valid() {
        let mut memory = Memory::default();
        REGION.register(&mut memory);
        let at = HOST_MEMORY + REGION_TABLE * 4096 + 64;
        let entry = RegionEntry::from_words(std::array::from_fn(|word| {
            memory.load(at + 4 * word as u32)
        }));
        entry.check().expect("a valid entry");
        assert_eq!((entry.length(), entry.generation()), (30_000, 1));
        assert!(entry.allow_c2h() && !entry.allow_h2c());
    }
}
