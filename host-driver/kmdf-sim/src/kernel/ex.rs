//! Ex: pool memory, with fences around each block.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, VecDeque};

use super::enter;
use crate::constants::*;
use crate::quarantine::{FREED, first_written};
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, DISPATCH, World, with};

const FENCE: usize = 64;
const FENCE_BYTE: u8 = 0xFD;
/// Bytes of freed blocks that are kept, to find writes.
const KEPT_BYTES: usize = 4 << 20;

struct Block {
    layout: Layout,
    bytes: usize,
    tag: u32,
    paged: bool,
}

/// A freed block, filled with [`FREED`].
struct Freed {
    start: *mut u8,
    block: Block,
    ddi: &'static str,
}

impl Freed {
    /// The first byte that was written since; it is filled again.
    fn written(&self) -> Option<usize> {
        // SAFETY: the block is freed when this value is dropped.
        unsafe {
            let bytes = core::slice::from_raw_parts(self.start, self.block.bytes);
            let written = first_written(bytes)?;
            self.start.write_bytes(FREED, self.block.bytes);
            Some(written)
        }
    }
}

impl Drop for Freed {
    fn drop(&mut self) {
        let layout = self.block.layout;
        // SAFETY: allocated with this layout, in front of the block by its alignment; freed here only.
        unsafe { dealloc(self.start.sub(layout.align()), layout) };
    }
}

/// Blocks in use, by address, and blocks that were freed.
#[derive(Default)]
pub(super) struct Pools {
    blocks: BTreeMap<usize, Block>,
    freed: VecDeque<Freed>,
    freed_bytes: usize,
    /// Who freed it, and what was found.
    pub(super) written_after_free: Vec<(&'static str, String)>,
}

impl Pools {
    /// Looks for freed blocks that were written.
    pub(super) fn check_freed(&mut self) {
        for freed in &self.freed {
            note(freed, &mut self.written_after_free);
        }
    }

    fn keep(&mut self, freed: Freed) {
        self.freed_bytes += freed.block.bytes;
        self.freed.push_back(freed);
        while self.freed_bytes > KEPT_BYTES
            && let Some(oldest) = self.freed.pop_front()
        {
            self.freed_bytes -= oldest.block.bytes;
            note(&oldest, &mut self.written_after_free);
        }
    }

    /// Whether an address range lies in one block of nonpaged pool.
    pub(super) fn is_nonpaged(&self, address: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=address).next_back();
        before.is_some_and(|(&start, block)| !block.paged && address + bytes <= start + block.bytes)
    }
}

/// Allocates zeroed pool memory; null if there is none.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn ExAllocatePool2(Flags: POOL_FLAGS, NumberOfBytes: SIZE_T, Tag: ULONG) -> PVOID {
    let ddi = "ExAllocatePool2";
    let paged = Flags & POOL_FLAG_PAGED != 0;
    enter(ddi, if paged { 1 } else { DISPATCH });
    if Tag == 0 {
        world::fatal(Rule::InvalidArgument, ddi, "a tag of 0");
    }
    if NumberOfBytes == 0 {
        world::fatal(Rule::InvalidArgument, ddi, "0 bytes");
    }
    let bytes = NumberOfBytes as usize;
    let align = if bytes >= PAGE_SIZE as usize {
        PAGE_SIZE as usize
    } else {
        FENCE
    };
    let Ok(layout) = Layout::from_size_align(bytes.saturating_add(2 * align), align) else {
        return core::ptr::null_mut();
    };
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    // SAFETY: the layout's size is not 0; the fences lie inside it.
    let block = unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            return core::ptr::null_mut();
        }
        let block = start.add(align);
        block.sub(FENCE).write_bytes(FENCE_BYTE, FENCE);
        block.add(bytes).write_bytes(FENCE_BYTE, FENCE);
        block
    };
    with(|w| {
        w.kernel.ex.blocks.insert(
            block.addr(),
            Block {
                layout,
                bytes,
                tag: Tag,
                paged,
            },
        )
    });
    block.cast()
}

fn free(ddi: &'static str, pointer: PVOID, tag: Option<u32>) {
    world::point(ddi, 1);
    let Some(block) = with(|w| w.kernel.ex.blocks.remove(&pointer.addr())) else {
        world::fatal(
            Rule::PoolFree,
            ddi,
            format!("{pointer:?} is no block of pool in use"),
        );
    };
    world::require_irql(ddi, if block.paged { 1 } else { DISPATCH });
    if let Some(tag) = tag
        && tag != 0
        && tag != block.tag
    {
        world::violation(
            Rule::PoolFree,
            ddi,
            format!("allocated with tag {:#x}, freed with {tag:#x}", block.tag),
        );
    }
    let memory: *mut u8 = pointer.cast();
    // SAFETY: the block was in the table, so it was allocated with this layout and is freed once.
    unsafe {
        let before = core::slice::from_raw_parts(memory.sub(FENCE), FENCE);
        let after = core::slice::from_raw_parts(memory.add(block.bytes), FENCE);
        if before.iter().chain(after).any(|byte| *byte != FENCE_BYTE) {
            world::violation(
                Rule::PoolOverrun,
                ddi,
                format!(
                    "memory around the block of {} bytes at {pointer:?} was written",
                    block.bytes
                ),
            );
        }
        memory.write_bytes(FREED, block.bytes);
    }
    with(|w| {
        w.kernel.ex.keep(Freed {
            start: memory,
            block,
            ddi,
        })
    });
}

fn note(freed: &Freed, written: &mut Vec<(&'static str, String)>) {
    if let Some(offset) = freed.written() {
        let (bytes, tag, start) = (freed.block.bytes, freed.block.tag, freed.start);
        written.push((
            freed.ddi,
            format!("{bytes} bytes of tag {tag:#x} at {start:?} were written at offset {offset} after they were freed"),
        ));
    }
}

/// Frees pool memory.
///
/// # Safety
/// The pointer is from [`ExAllocatePool2`].
pub unsafe fn ExFreePoolWithTag(P: PVOID, Tag: ULONG) {
    free("ExFreePoolWithTag", P, Some(Tag));
}

/// Frees pool memory.
///
/// # Safety
/// The pointer is from [`ExAllocatePool2`].
pub unsafe fn ExFreePool(P: PVOID) {
    free("ExFreePool", P, None);
}

pub(super) fn report_leaks(w: &mut World) {
    w.check_freed();
    let left: Vec<_> = w
        .kernel
        .ex
        .blocks
        .values()
        .map(|block| (block.bytes, block.tag))
        .collect();
    for (bytes, tag) in left.into_iter().take(10) {
        w.violation(
            Rule::Leak,
            "ExAllocatePool2",
            format!("{bytes} bytes of tag {tag:#x} are still allocated"),
        );
    }
}
