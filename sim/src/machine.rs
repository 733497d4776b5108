//! The board and the simulated host.

use std::ops::{Deref, DerefMut};

use crate::board::{Board, MachineError};
use crate::host::{Host, PageAllocator};

/// Everything but the CPUs.
pub struct Machine {
    board: Board,
    /// Memory and mappings.
    pub host: Host,
    /// Physical pages.
    pub pages: PageAllocator,
}

impl Machine {
    /// A board in this host.
    pub fn new(board: Board, host: Host, pages: PageAllocator) -> Self {
        Self { board, host, pages }
    }

    /// See [`Board::run`].
    ///
    /// # Errors
    /// The run is over.
    pub fn run(&mut self, until_ps: u64) -> Result<(), MachineError> {
        self.board.run(&mut self.host, until_ps)
    }

    /// See [`Board::function_reset`].
    ///
    /// # Errors
    /// The run is over.
    pub fn function_reset(&mut self) -> Result<(), MachineError> {
        self.board.function_reset(&mut self.host)
    }

    /// See [`Board::mmio_read`].
    ///
    /// # Errors
    /// The offset is not in BAR0, or no answer comes.
    pub fn mmio_read(&mut self, offset: u32, bytes: u64) -> Result<u64, MachineError> {
        self.board.mmio_read(&mut self.host, offset, bytes)
    }
}

impl Deref for Machine {
    type Target = Board;

    fn deref(&self) -> &Board {
        &self.board
    }
}

impl DerefMut for Machine {
    fn deref_mut(&mut self) -> &mut Board {
        &mut self.board
    }
}
