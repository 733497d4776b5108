//! The memory-mapped window.

use pinring_firmware::Registers;
use pinring_protocol::mmio;

/// The window. It has no state of its own, so that everybody may have one.
#[derive(Clone, Copy)]
pub struct Window;

/// Address of a register. Offsets beyond the window would alias within it, and reach nothing else.
const fn address(offset: u32) -> *mut u32 {
    core::ptr::without_provenance_mut((mmio::BASE + (offset & 0xfc)) as usize)
}

impl Registers for Window {
    #[inline(always)]
    fn read(&self, offset: u32) -> u32 {
        // SAFETY: an aligned address in the window, where the gateware answers every read and nothing else lives.
        unsafe { address(offset).read_volatile() }
    }

    #[inline(always)]
    fn write(&mut self, offset: u32, value: u32) {
        // SAFETY: as for reads; no register changes memory.
        unsafe { address(offset).write_volatile(value) }
    }
}
