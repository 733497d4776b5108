//! Disjoint intervals of page numbers: who overlaps, and where is room.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of disjoint, non-empty intervals of page numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Intervals {
    /// First page to first page past the end.
    ends: BTreeMap<u64, u64>,
    /// Pages without a gap between them, from where the last room was looked for: the next search need not walk over them.
    full: Range<u64>,
}

impl Intervals {
    /// Adds `start..start + pages`, or returns the first page that is taken already. The sum must not overflow.
    pub fn insert(&mut self, start: u64, pages: u64) -> Result<(), u64> {
        let end = start + pages;
        if let Some((&other, &other_end)) = self.ends.range(..end).next_back()
            && other_end > start
        {
            return Err(other.max(start));
        }
        self.ends.insert(start, end);
        Ok(())
    }

    /// Takes out the interval that begins at `start` and returns its pages, if there is one.
    pub fn remove(&mut self, start: u64) -> Option<u64> {
        if start < self.full.end {
            self.full.end = start.max(self.full.start);
        }
        self.ends.remove(&start).map(|end| end - start)
    }

    /// Lowest start of `pages` free pages within `from..to`.
    pub fn first_fit(&mut self, from: u64, to: u64, pages: u64) -> Option<u64> {
        let skipped = if self.full.contains(&from) {
            self.full.end
        } else {
            from
        };
        let mut full = from..skipped;
        let from = skipped;
        let mut start = match self.ends.range(..=from).next_back() {
            Some((_, &end)) => end.max(from),
            None => from,
        };
        let mut is_full = true;
        full.end = start;
        for (&other, &other_end) in self.ends.range(start..) {
            is_full &= other == start;
            if is_full {
                full.end = other_end;
            }
            if other - start >= pages {
                break;
            }
            start = other_end;
        }
        self.full = full;
        (start.checked_add(pages)? <= to).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Insertion, removal and fitting agree with a plain array of flags.
        #[test]
        fn agrees_with_flags(steps in prop::collection::vec((0u64..3, 0u64..60, 1u64..12), 1..80)) {
            let mut intervals = Intervals::default();
            let mut flags = [false; 100];
            let mut starts = Vec::new();
            for (kind, at, pages) in steps {
                let range = at as usize..(at + pages) as usize;
                match kind {
                    0 => match intervals.insert(at, pages) {
                        Ok(()) => {
                            prop_assert!(!flags[range.clone()].iter().any(|&f| f));
                            flags[range].fill(true);
                            starts.push(at);
                        }
                        Err(page) => prop_assert!(range.contains(&(page as usize)) && flags[page as usize]),
                    },
                    1 => if let Some(start) = starts.pop() {
                        let pages = intervals.remove(start).unwrap();
                        flags[start as usize..(start + pages) as usize].fill(false);
                    },
                    _ => {
                        let free = |s: u64| !flags[s as usize..(s + pages) as usize].iter().any(|&f| f);
                        let expected = (at..=80 - pages).find(|&s| free(s));
                        prop_assert_eq!(intervals.first_fit(at, 80, pages), expected);
                    }
                }
            }
        }
    }
}
