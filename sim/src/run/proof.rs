//! The proof that every byte arrived, and none anywhere else.
//!
//! Before a burst the target of every card-to-host transfer holds the complement of what is to come, so that a byte that
//! does not arrive differs; the bytes around it hold a guard, which has to be there still when the burst is over.

use std::ops::Range;

use crate::host::{BusFault, Layout, PhysicalMemory};
use crate::scenario::Scenario;

/// Bytes of guard before and behind a target.
const MARGIN: u64 = 4096;

/// What a guard's bytes are.
pub(super) const GUARD: u8 = 0x5a;

/// Parts of buffers that one burst leaves alone, next to those that it writes.
#[derive(Debug, Default)]
pub(super) struct Guards {
    /// Buffer, and range of its bytes.
    ranges: Vec<(usize, Range<u64>)>,
}

impl Guards {
    /// Guards of a burst whose transfer `i` uses buffer `buffers(i)`.
    pub(super) fn new(scenario: &Scenario, buffer: impl Fn(u32) -> usize) -> Self {
        let burst = &scenario.burst;
        let mut used: Vec<(usize, Range<u64>, bool)> = (0..burst.transfers)
            .map(|index| {
                let start = burst.offset_bytes(index);
                let range = start..start + burst.length_of(index);
                (buffer(index), range, burst.is_c2h(index))
            })
            .collect();
        used.sort_unstable_by_key(|(buffer, range, _)| (*buffer, range.start));
        let mut ranges = Vec::new();
        for (place, (buffer, range, written)) in used.iter().enumerate() {
            if !written {
                continue;
            }
            let same = |(other, range, _): &&(usize, Range<u64>, bool)| {
                (other == buffer).then(|| range.clone())
            };
            let before = place
                .checked_sub(1)
                .and_then(|before| used.get(before))
                .as_ref()
                .and_then(same)
                .map_or(0, |range| range.end);
            let after = used
                .get(place + 1)
                .as_ref()
                .and_then(same)
                .map_or(scenario.buffers.bytes, |range| range.start);
            ranges.push((
                *buffer,
                before.max(range.start.saturating_sub(MARGIN))..range.start,
            ));
            ranges.push((*buffer, range.end..after.min(range.end + MARGIN)));
        }
        ranges.retain(|(_, range)| !range.is_empty());
        Self { ranges }
    }

    /// Buffer and bytes of each.
    pub(super) fn ranges(&self) -> &[(usize, Range<u64>)] {
        &self.ranges
    }

    /// Writes them. `buffer` gives a buffer's layout and where it begins in it.
    pub(super) fn set<'a>(
        &self,
        memory: &mut PhysicalMemory,
        buffer: impl Fn(usize) -> Option<(&'a Layout, u64)>,
    ) -> Result<(), BusFault> {
        for (address, bytes) in self.pieces(buffer) {
            memory.write(address, &vec![GUARD; bytes as usize])?;
        }
        Ok(())
    }

    /// How many of their bytes are not what they were.
    pub(super) fn broken<'a>(
        &self,
        memory: &PhysicalMemory,
        buffer: impl Fn(usize) -> Option<(&'a Layout, u64)>,
    ) -> u64 {
        self.pieces(buffer)
            .map(|(address, bytes)| {
                let mut found = vec![0; bytes as usize];
                match memory.read(address, &mut found) {
                    Ok(()) => found.iter().filter(|byte| **byte != GUARD).count() as u64,
                    Err(_) => bytes,
                }
            })
            .sum()
    }

    /// Physical addresses and lengths.
    fn pieces<'a>(
        &self,
        buffer: impl Fn(usize) -> Option<(&'a Layout, u64)>,
    ) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().flat_map(move |(index, range)| {
            let pieces: Vec<_> = buffer(*index)
                .map(|(layout, first)| {
                    layout
                        .pieces(first + range.start, range.end - range.start)
                        .collect()
                })
                .unwrap_or_default();
            pieces
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Direction;

    fn scenario(offsets: &[u64], lengths: &[u64]) -> Scenario {
        let mut scenario = Scenario::default();
        scenario.buffers.count = 1;
        scenario.buffers.bytes = 100_000;
        scenario.burst.transfers = offsets.len() as u32;
        scenario.burst.offsets_bytes = offsets.to_vec();
        scenario.burst.lengths_bytes = lengths.to_vec();
        scenario
    }

    #[test]
    fn guards_lie_between_neighbours_and_inside_the_buffer() {
        let guards = Guards::new(
            &scenario(&[10_000, 100, 99_000], &[50, 9_900, 1_000]),
            |_| 0,
        );
        let ranges: Vec<_> = guards
            .ranges
            .iter()
            .map(|(_, range)| range.clone())
            .collect();
        assert_eq!(ranges, [0..100, 10_050..14_146, 94_904..99_000]);
    }

    #[test]
    fn sources_have_no_guards() {
        let mut both = scenario(&[0, 5_000], &[4_000, 100]);
        both.burst.direction = Direction::Both;
        let guards = Guards::new(&both, |_| 0);
        assert_eq!(guards.ranges, [(0, 4_000..5_000)]);
    }

    #[test]
    fn one_changed_byte_is_found() {
        let layout = Layout::shuffled(1 << 20, 25, 3).unwrap();
        let mut memory = PhysicalMemory::new(46);
        let guards = Guards::new(&scenario(&[4_095], &[2]), |_| 0);
        let buffer = |_| Some((&layout, 7));
        guards.set(&mut memory, buffer).unwrap();
        assert_eq!(guards.broken(&memory, buffer), 0);
        let address = layout.physical(7 + 4_097).unwrap();
        memory.write(address, &[0]).unwrap();
        assert_eq!(guards.broken(&memory, buffer), 1);
    }
}
