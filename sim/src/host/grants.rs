//! Which bus addresses the host has handed to the device, for the TLP checker.

use std::collections::BTreeMap;

/// Ranges of bus addresses that the device may read or write. Ranges may overlap and nest; each is taken back as it was given.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    read: Coverage,
    write: Coverage,
}

/// Piecewise constant counts: from each key on, so many grants cover an address.
#[derive(Debug, Clone, Default)]
struct Coverage {
    steps: BTreeMap<u64, u32>,
}

impl Grants {
    /// Lets the device read and/or write `len` bytes at `address`.
    pub fn grant(&mut self, address: u64, len: u64, read: bool, write: bool) {
        self.change(address, len, read, write, |count| *count += 1);
    }

    /// Takes back one grant of the same range and rights; what was not given is left alone.
    pub fn revoke(&mut self, address: u64, len: u64, read: bool, write: bool) {
        self.change(address, len, read, write, |count| {
            *count = count.saturating_sub(1)
        });
    }

    /// Whether grants cover all of `len` bytes at `address`.
    pub fn covers(&self, address: u64, len: u64, is_write: bool) -> bool {
        let coverage = if is_write { &self.write } else { &self.read };
        coverage.covers(address, address.saturating_add(len))
    }

    fn change(
        &mut self,
        address: u64,
        len: u64,
        read: bool,
        write: bool,
        change: impl Fn(&mut u32),
    ) {
        let end = address.saturating_add(len);
        for (wanted, coverage) in [(read, &mut self.read), (write, &mut self.write)] {
            if wanted && address < end {
                coverage.change(address, end, &change);
            }
        }
    }
}

impl Coverage {
    fn change(&mut self, start: u64, end: u64, change: impl Fn(&mut u32)) {
        self.cut(start);
        self.cut(end);
        self.steps
            .range_mut(start..end)
            .for_each(|(_, count)| change(count));
        self.join(start);
        self.join(end);
    }

    fn before(&self, at: u64) -> u32 {
        self.steps
            .range(..at)
            .next_back()
            .map_or(0, |(_, &count)| count)
    }

    /// Makes sure that a step begins at `at`.
    fn cut(&mut self, at: u64) {
        let count = self.before(at);
        self.steps.entry(at).or_insert(count);
    }

    /// Removes the step at `at` if the count does not change there, so that the map does not grow for ever.
    fn join(&mut self, at: u64) {
        if self.steps.get(&at) == Some(&self.before(at)) {
            self.steps.remove(&at);
        }
    }

    fn covers(&self, start: u64, end: u64) -> bool {
        let first = self
            .steps
            .range(..=start)
            .next_back()
            .is_some_and(|(_, &count)| count > 0);
        let inner = start.saturating_add(1);
        first && (inner >= end || self.steps.range(inner..end).all(|(_, &count)| count > 0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn directions_are_apart() {
        let mut grants = Grants::default();
        grants.grant(0x1000, 0x1000, true, false);
        assert!(grants.covers(0x1ffc, 4, false));
        assert!(!grants.covers(0x1ffc, 4, true));
        assert!(!grants.covers(0x1ffc, 5, false));
        grants.revoke(0x1000, 0x1000, true, false);
        assert!(!grants.covers(0x1000, 1, false));
        assert!(grants.read.steps.is_empty());
    }

    proptest! {
        /// Grants and their taking back agree with a count per byte.
        #[test]
        fn agrees_with_counts(ranges in prop::collection::vec((0u64..50, 1u64..20), 1..20), kept in 0usize..20) {
            let mut grants = Grants::default();
            let mut counts = [0u32; 80];
            for &(start, len) in &ranges {
                grants.grant(start, len, false, true);
            }
            for (index, &(start, len)) in ranges.iter().enumerate() {
                if index >= kept {
                    grants.revoke(start, len, false, true);
                } else {
                    counts[start as usize..(start + len) as usize].iter_mut().for_each(|count| *count += 1);
                }
            }
            for start in 0..70usize {
                for len in 1..10usize {
                    let expected = counts[start..start + len].iter().all(|&count| count > 0);
                    prop_assert_eq!(grants.covers(start as u64, len as u64, true), expected);
                }
            }
        }
    }
}
