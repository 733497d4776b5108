//! Pages by VirtualAlloc.

use std::ptr::{NonNull, null};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
};

/// Maps zeroed pages; `bytes` is a multiple of the page size and not 0.
pub(crate) fn map(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: a new allocation touches nothing that exists.
    let start = unsafe { VirtualAlloc(null(), bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
    NonNull::new(start.cast())
}

/// Gives pages of [`map`] back.
///
/// # Safety
/// They came from `map`, and nothing uses them any more.
pub(crate) unsafe fn unmap(start: NonNull<u8>, _bytes: usize) {
    // SAFETY: the caller's promise; MEM_RELEASE wants size 0.
    let result = unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
    debug_assert_ne!(result, 0);
}
