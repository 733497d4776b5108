//! An allocator for tests of a driver: what was freed in the machine is kept a while, poisoned, to find those who still use it.
//!
//! In Windows the Rust allocations of a driver are pool, and Driver Verifier's special pool watches them. Here they are the host's, like those
//! of the double and of the test. This allocator stands in front of the host's and keeps what any thread of the machine frees, whoever
//! allocated it: reads find nonsense, and writes are reported by [`Machine::report`](crate::Machine::report) as
//! [`Rule::WriteAfterFree`](crate::Rule::WriteAfterFree). It does not tell the driver's allocations from others, so that it finds no leaks.
//!
//! ```no_run
//! #[global_allocator]
//! static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;
//! ```

use core::cell::{Cell, UnsafeCell};
use std::alloc::{GlobalAlloc, Layout, System};

/// What freed memory is filled with.
pub(crate) const FREED: u8 = 0xDD;
/// Blocks that are kept per host thread, and the bytes in them at most.
const BLOCKS: usize = 1024;
const BYTES: usize = 1 << 20;
/// Larger ones are not kept: those are buffers.
const LARGEST: usize = 16 << 10;

/// The allocator; see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quarantine;

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    layout: Layout,
    freed_in: &'static str,
}

struct Ring {
    blocks: [Option<Block>; BLOCKS],
    next: usize,
    bytes: usize,
    /// A block that was written, out of those that are kept no more: its size, the offset and where it was freed.
    found: Option<(usize, usize, &'static str)>,
}

thread_local! {
    // No destructor and no lazy part: an allocator may use them at any time. What a host thread keeps at its end is lost.
    static RING: UnsafeCell<Ring> = const {
        UnsafeCell::new(Ring {
            blocks: [None; BLOCKS],
            next: 0,
            bytes: 0,
            found: None,
        })
    };
    static IN_MACHINE: Cell<bool> = const { Cell::new(false) };
}

/// The host runs a thread of the machine, or does so no more.
pub(crate) fn enter_machine(inside: bool) {
    IN_MACHINE.set(inside);
}

/// The first byte of freed memory that was written.
pub(crate) fn first_written(bytes: &[u8]) -> Option<usize> {
    // Whole chunks without a branch in them: nearly all memory is as it was.
    let changed = |chunk: &[u8]| chunk.iter().fold(0, |sum, byte| sum | (byte ^ FREED)) != 0;
    let chunk = bytes.chunks(256).position(changed)?;
    let first = bytes[256 * chunk..]
        .iter()
        .position(|byte| *byte != FREED)?;
    Some(256 * chunk + first)
}

impl Block {
    /// The first byte that was written since.
    fn written(&self) -> Option<usize> {
        // SAFETY: the block is kept, hence allocated, and was filled when it was freed.
        first_written(unsafe { core::slice::from_raw_parts(self.start, self.layout.size()) })
    }
}

impl Ring {
    fn keep(&mut self, block: Block) {
        // SAFETY: the caller of `dealloc` gives up a block of this layout.
        unsafe { block.start.write_bytes(FREED, block.layout.size()) };
        self.bytes += block.layout.size();
        self.give_back(self.next);
        self.blocks[self.next] = Some(block);
        self.next = (self.next + 1) % BLOCKS;
        let mut oldest = self.next;
        while self.bytes > BYTES {
            self.give_back(oldest);
            oldest = (oldest + 1) % BLOCKS;
        }
    }

    fn give_back(&mut self, place: usize) {
        let Some(block) = self.blocks[place].take() else {
            return;
        };
        self.bytes -= block.layout.size();
        if let Some(offset) = block.written() {
            self.found = Some((block.layout.size(), offset, block.freed_in));
        }
        // SAFETY: from `dealloc`, and kept once.
        unsafe { System.dealloc(block.start, block.layout) };
    }
}

/// Blocks that were written after they were freed, each once: size, offset, and the callback they were freed in.
pub(crate) fn take_written() -> Vec<(usize, usize, &'static str)> {
    let inside = IN_MACHINE.replace(false);
    // SAFETY: this thread's, and nothing in here frees anything while `IN_MACHINE` is off.
    let written = RING.with(|ring| unsafe {
        let ring = &mut *ring.get();
        let mut written: Vec<_> = ring.found.take().into_iter().collect();
        for block in ring.blocks.iter().flatten() {
            if let Some(offset) = block.written() {
                block.start.write_bytes(FREED, block.layout.size());
                written.push((block.layout.size(), offset, block.freed_in));
            }
        }
        written
    });
    IN_MACHINE.set(inside);
    written
}

// SAFETY: the host's allocator, whose blocks are given back late.
unsafe impl GlobalAlloc for Quarantine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if !IN_MACHINE.get() || layout.size() > LARGEST {
            // SAFETY: the caller's contract.
            return unsafe { System.dealloc(start, layout) };
        }
        let block = Block {
            start,
            layout,
            freed_in: crate::world::innermost_callback(),
        };
        // SAFETY: this thread's, and nothing in `keep` comes back here.
        RING.with(|ring| unsafe { (*ring.get()).keep(block) });
    }
}
