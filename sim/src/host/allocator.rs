//! Who owns which physical page.

use super::intervals::Intervals;
use super::{Layout, PAGE_BYTES, PAGE_SHIFT};

/// Lowest page that the allocator gives away: the first MiB is the firmware's and legacy devices'.
const FIRST_PAGE: u64 = 0x10_0000 >> PAGE_SHIFT;
/// Pages from 3 GiB to 4 GiB belong to device BARs, APICs and interrupt messages on a PC, not to memory.
const HOLE: (u64, u64) = (0xC000_0000 >> PAGE_SHIFT, 0x1_0000_0000 >> PAGE_SHIFT);

/// Gives out physical pages and refuses to give one twice.
#[derive(Debug, Clone)]
pub struct PageAllocator {
    used: Intervals,
    limit: u64,
}

/// Physically contiguous memory, as a driver gets it for rings and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommonBuffer {
    /// Physical address, a multiple of 4 KiB.
    pub physical: u64,
    /// Size as asked for.
    pub bytes: u64,
}

/// Why pages could not be given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocError {
    /// A layout names a page that has an owner.
    #[error(
        "layout {layout}: page {pfn:#x} already belongs to another buffer, to the host, or to no memory; use each layout file once"
    )]
    Taken {
        /// Name of the layout.
        layout: String,
        /// Page frame number of the first such page.
        pfn: u64,
    },
    /// A layout names a page past the end of memory.
    #[error(
        "layout {layout}: page {pfn:#x} is past the end of memory ({limit:#x} pages); give the host more address bits"
    )]
    PastEnd {
        /// Name of the layout.
        layout: String,
        /// Page frame number of the first such page.
        pfn: u64,
        /// Number of pages of the host.
        limit: u64,
    },
    /// No contiguous room is left.
    #[error("no {bytes} contiguous bytes below {below:#x}; ask for less, or load fewer layouts")]
    NoRoom {
        /// Size asked for.
        bytes: u64,
        /// Upper limit asked for.
        below: u64,
    },
    /// A common buffer of no bytes.
    #[error("a common buffer of 0 bytes was asked for; ask for at least 1")]
    Empty,
}

impl PageAllocator {
    /// Allocator for a host whose memory ends at address `limit`.
    pub fn new(limit: u64) -> Self {
        let mut used = Intervals::default();
        // Both are disjoint and the set is empty, so neither can be taken.
        let _ = used.insert(0, FIRST_PAGE);
        let _ = used.insert(HOLE.0, HOLE.1 - HOLE.0);
        Self {
            used,
            limit: limit >> PAGE_SHIFT,
        }
    }

    /// Makes `layout` the owner of its pages. On an error, nothing is taken.
    pub fn claim(&mut self, layout: &Layout) -> Result<(), AllocError> {
        for (done, run) in layout.runs().iter().enumerate() {
            let problem = if run.pfn + run.pages > self.limit {
                let pfn = run.pfn.max(self.limit);
                AllocError::PastEnd {
                    layout: layout.name().to_string(),
                    pfn,
                    limit: self.limit,
                }
            } else if let Err(pfn) = self.used.insert(run.pfn, run.pages) {
                AllocError::Taken {
                    layout: layout.name().to_string(),
                    pfn,
                }
            } else {
                continue;
            };
            for run in &layout.runs()[..done] {
                self.used.remove(run.pfn);
            }
            return Err(problem);
        }
        Ok(())
    }

    /// Gives back the pages of a layout that [`claim`](Self::claim) has taken.
    pub fn release(&mut self, layout: &Layout) {
        for run in layout.runs() {
            self.used.remove(run.pfn);
        }
    }

    /// Physically contiguous, page-aligned memory of `bytes` bytes within the addresses of `reach`.
    pub fn common_buffer(
        &mut self,
        bytes: u64,
        reach: std::ops::Range<u64>,
    ) -> Result<CommonBuffer, AllocError> {
        let below = reach.end;
        if bytes == 0 {
            return Err(AllocError::Empty);
        }
        let pages = bytes.div_ceil(PAGE_BYTES);
        let to = (below >> PAGE_SHIFT).min(self.limit);
        let start = self
            .used
            .first_fit(FIRST_PAGE.max(reach.start.div_ceil(PAGE_BYTES)), to, pages)
            .ok_or(AllocError::NoRoom { bytes, below })?;
        let taken = self.used.insert(start, pages);
        debug_assert!(taken.is_ok(), "first_fit returned a taken page");
        Ok(CommonBuffer {
            physical: start << PAGE_SHIFT,
            bytes,
        })
    }

    /// Gives a common buffer back.
    pub fn free(&mut self, buffer: CommonBuffer) {
        self.used.remove(buffer.physical >> PAGE_SHIFT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_owner() {
        let mut pages = PageAllocator::new(1 << 40);
        let first = Layout::contiguous(0x20_0000, 100).unwrap();
        let second = Layout::contiguous(0x20_0063, 2).unwrap();
        pages.claim(&first).unwrap();
        let error = pages.claim(&second).unwrap_err();
        assert!(
            matches!(error, AllocError::Taken { pfn: 0x20_0063, .. }),
            "{error}"
        );
        pages.release(&first);
        pages.claim(&second).unwrap();
    }

    #[test]
    fn a_refused_layout_takes_nothing() {
        let mut pages = PageAllocator::new(1 << 40);
        pages
            .claim(&Layout::contiguous(0x30_0000, 1).unwrap())
            .unwrap();
        let text = "0x200000 1\n0x300000 1\n";
        assert!(pages.claim(&Layout::parse("b", text).unwrap()).is_err());
        pages
            .claim(&Layout::contiguous(0x20_0000, 1).unwrap())
            .unwrap();
    }

    #[test]
    fn layouts_past_the_end_or_in_the_hole_are_refused() {
        let mut pages = PageAllocator::new(0x2_0000_0000);
        let past = Layout::contiguous(0x1f_ffff, 2).unwrap();
        assert!(matches!(
            pages.claim(&past),
            Err(AllocError::PastEnd { pfn: 0x20_0000, .. })
        ));
        let hole = Layout::contiguous(0xfee00, 1).unwrap();
        assert!(matches!(
            pages.claim(&hole),
            Err(AllocError::Taken { pfn: 0xfee00, .. })
        ));
    }

    #[test]
    fn common_buffers_are_contiguous_disjoint_and_below_the_limit() {
        let mut pages = PageAllocator::new(1 << 40);
        pages.claim(&Layout::contiguous(0x200, 8).unwrap()).unwrap();
        let first = pages.common_buffer(0xf_f001, 0..1 << 32).unwrap();
        let second = pages.common_buffer(1, 0..1 << 32).unwrap();
        assert_eq!(first.physical, 0x10_0000);
        assert_eq!(second.physical, 0x20_8000, "first page after the layout");
        assert!(matches!(
            pages.common_buffer(0xC000_0000, 0..1 << 32),
            Err(AllocError::NoRoom { .. })
        ));
        assert_eq!(
            pages
                .common_buffer(0xC000_0000, 0..u64::MAX)
                .unwrap()
                .physical,
            1 << 32
        );
        let high = pages.common_buffer(1, 0x10_0000_0000..u64::MAX).unwrap();
        assert_eq!(high.physical, 0x10_0000_0000);
        assert_eq!(pages.common_buffer(0, 0..u64::MAX), Err(AllocError::Empty));
        pages.free(second);
        assert_eq!(
            pages.common_buffer(4096, 0..1 << 32).unwrap().physical,
            0x20_8000
        );
    }
}
