//! Table memory that is kept for the next list, so that preparing one allocates nothing.

use alloc::vec::Vec;

use pinring_protocol::limits::PAGE;

use crate::{DmaError, DmaMemory, Platform, memory};

/// Tables of one size, allocated at the start.
#[derive(Debug, Default)]
pub(crate) struct TablePool {
    free: Vec<DmaMemory>,
    bytes: usize,
}

impl TablePool {
    /// A pool of `count` tables of `bytes` each.
    pub(crate) fn new<P: Platform>(
        platform: &mut P,
        count: usize,
        bytes: usize,
    ) -> Result<Self, DmaError> {
        let mut pool = Self {
            free: memory::reserve(count)?,
            bytes,
        };
        for _ in 0..count {
            match platform.dma_alloc(bytes, PAGE) {
                Ok(memory) => pool.free.push(memory),
                Err(error) => {
                    pool.release(platform);
                    return Err(error);
                }
            }
        }
        Ok(pool)
    }

    /// A table of at least `bytes`, if one is free.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<DmaMemory> {
        if bytes > self.bytes {
            None
        } else {
            self.free.pop()
        }
    }

    /// Takes back what `take` gave.
    pub(crate) fn put(&mut self, memory: DmaMemory) {
        self.free.push(memory);
    }

    /// A table, whatever its size, for the end.
    pub(crate) fn take_any(&mut self) -> Option<DmaMemory> {
        self.free.pop()
    }

    /// Frees every table that is in the pool.
    pub(crate) fn release<P: Platform>(&mut self, platform: &mut P) {
        for memory in self.free.drain(..) {
            platform.dma_free(memory);
        }
    }
}
