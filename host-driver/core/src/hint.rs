//! From an offset of a region to the index of the SG element that holds it, in constant time.

use alloc::vec::Vec;

use crate::DmaError;

/// Finds the element that holds a byte position (first-byte offset plus offset).
///
/// It has a tag of its own, as one out of a niche of the vectors takes longer to read than the index.
#[derive(Clone, Debug, Default)]
#[repr(u8)]
pub(crate) enum HintIndex {
    /// Transfers begin in the first element: lists, and contiguous memory.
    #[default]
    First,
    /// Uniform pages of 2^`shift` bytes.
    Uniform {
        /// log2 of the page size.
        shift: u8,
    },
    /// Page-granular elements of any length.
    Ranked(Ranked),
}

/// The element of each page, as a byte beyond that of its group's first page: an element is found with two loads, whatever the size
/// of the region, for a byte per page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranked {
    /// Element of the first page of each group.
    groups: Vec<u32>,
    /// Elements from there to each page's; at most one starts per page, so that it fits.
    steps: Vec<u8>,
}

/// Pages of a group.
const GROUP: u64 = 256;

impl HintIndex {
    /// Index of the element that holds byte `position`, which lies within the table.
    #[inline]
    pub(crate) fn element(&self, position: u64) -> u32 {
        match self {
            Self::First => 0,
            Self::Uniform { shift } => (position >> shift) as u32,
            Self::Ranked(ranked) => ranked.element(position >> 12),
        }
    }
}

impl Ranked {
    /// An empty index with room for `pages` pages.
    pub(crate) fn new(pages: u32) -> Result<Self, DmaError> {
        let (mut index, pages) = (Self::default(), pages as usize);
        let groups = index
            .groups
            .try_reserve_exact(pages.div_ceil(GROUP as usize));
        groups
            .and(index.steps.try_reserve_exact(pages))
            .map_err(|_| DmaError { bytes: pages })?;
        Ok(index)
    }

    /// Appends the pages of an element, which follows the one before.
    pub(crate) fn push(&mut self, element: u32, pages: u32) {
        for _ in 0..pages {
            if (self.steps.len() as u64).is_multiple_of(GROUP) {
                self.groups.push(element);
            }
            let first = self.groups.last().copied().unwrap_or_default();
            self.steps.push((element - first) as u8);
        }
    }

    #[inline]
    fn element(&self, page: u64) -> u32 {
        match (
            self.groups.get((page / GROUP) as usize),
            self.steps.get(page as usize),
        ) {
            (Some(first), Some(step)) => first + u32::from(*step),
            _ => 0,
        }
    }
}
