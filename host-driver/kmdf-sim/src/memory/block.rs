//! Pages of the process that runs the model, page aligned.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::PAGE_BYTES;

/// Whole pages at consecutive addresses, zeroed at first. They are given back when the value is dropped.
///
/// Access is by raw pointer only: the driver, the application and the device all hold the address.
#[derive(Debug)]
pub struct PageBlock {
    base: NonNull<u8>,
    layout: Layout,
}

impl PageBlock {
    /// `pages` zeroed pages; at least one is allocated.
    pub fn new(pages: usize) -> Self {
        let bytes = pages.max(1).saturating_mul(PAGE_BYTES);
        let layout = Layout::from_size_align(bytes, PAGE_BYTES)
            .unwrap_or_else(|_| panic!("{pages} pages are more than an address space has"));
        // SAFETY: the layout's size is at least one page.
        let base = unsafe { alloc_zeroed(layout) };
        let base = NonNull::new(base).unwrap_or_else(|| handle_alloc_error(layout));
        Self { base, layout }
    }

    /// Address of the first byte.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Address of page `index`.
    pub fn page(&self, index: usize) -> *mut u8 {
        assert!(index < self.pages(), "page {index} of {}", self.pages());
        // SAFETY: the page lies within the allocation.
        unsafe { self.base().add(index * PAGE_BYTES) }
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.layout.size() / PAGE_BYTES
    }

    /// Fills every byte.
    pub fn fill(&mut self, byte: u8) {
        // SAFETY: the allocation has that many bytes, and no reference to them exists: all access is by raw pointer.
        unsafe { self.base().write_bytes(byte, self.layout.size()) };
    }

    /// Offset of the first byte that is not `byte`.
    pub fn first_other_than(&self, byte: u8) -> Option<usize> {
        // SAFETY: the allocation has that many initialised bytes; the reference ends here, and nothing else runs meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(self.base(), self.layout.size()) };
        bytes.iter().position(|&found| found != byte)
    }
}

impl Drop for PageBlock {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { dealloc(self.base(), self.layout) };
    }
}
