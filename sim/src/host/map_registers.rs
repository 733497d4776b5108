//! Map registers: bounce pages for a device that cannot address all of memory.
//!
//! This is what Windows' HAL does for a 32-bit device, or for any device when kernel DMA protection falls back to
//! bouncing: a transfer needs one map register a page, takes them while it runs, and its data is copied.

use super::PAGE_SHIFT;

/// A pool of bounce pages, each one map register.
pub struct MapRegisters {
    /// Highest address that the device reaches without a register.
    highest: u64,
    first_pfn: u64,
    free: Vec<u32>,
    total: u32,
}

/// Too few map registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{needed} map registers needed, {free} of {total} are free; split the transfer, wait for one to end, or use a common buffer"
)]
pub struct MapRegistersError {
    /// Registers that the transfer needs.
    pub needed: u64,
    /// Registers that are free.
    pub free: u64,
    /// Registers of the pool.
    pub total: u64,
}

impl MapRegisters {
    /// A pool of `registers` bounce pages at physical address `pool` (a multiple of 4 KiB), for a device that reaches
    /// addresses up to and including `highest`. The pool must lie below it.
    pub fn new(pool: u64, registers: u32, highest: u64) -> Self {
        Self {
            highest,
            first_pfn: pool >> PAGE_SHIFT,
            free: (0..registers).rev().collect(),
            total: registers,
        }
    }

    /// Highest bus address that the device reaches.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Number of free registers.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Whether the device reaches a page without a register.
    pub fn reaches(&self, pfn: u64) -> bool {
        pfn <= self.highest >> PAGE_SHIFT
    }

    /// Takes `count` registers, or none.
    pub fn take(&mut self, count: usize) -> Result<Vec<u64>, MapRegistersError> {
        let Some(rest) = self.free.len().checked_sub(count) else {
            let (needed, free) = (count as u64, self.free.len() as u64);
            return Err(MapRegistersError {
                needed,
                free,
                total: self.total.into(),
            });
        };
        Ok(self
            .free
            .split_off(rest)
            .into_iter()
            .rev()
            .map(|index| self.first_pfn + u64::from(index))
            .collect())
    }

    /// Gives bounce pages back that [`take`](Self::take) has returned.
    pub fn give_back(&mut self, frames: impl DoubleEndedIterator<Item = u64>) {
        self.free
            .extend(frames.rev().map(|frame| (frame - self.first_pfn) as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_run_out_and_come_back() {
        let mut registers = MapRegisters::new(0x10_0000, 3, u32::MAX.into());
        assert!(registers.reaches(0xf_ffff) && !registers.reaches(0x10_0000));
        let taken = registers.take(2).unwrap();
        assert_eq!(taken, [0x100, 0x101]);
        assert_eq!(
            registers.take(2),
            Err(MapRegistersError {
                needed: 2,
                free: 1,
                total: 3
            })
        );
        assert_eq!(registers.free(), 1);
        registers.give_back(taken.into_iter());
        assert_eq!(registers.take(3).unwrap(), [0x100, 0x101, 0x102]);
    }
}
