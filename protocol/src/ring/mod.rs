//! Ring arithmetic on free-running 16-bit indices.
//!
//! An index counts entries for ever, modulo 2^16. In a ring of 2^n entries its low n bits are the slot and bit n is the lap's
//! parity. Head and tail differ by the occupancy, so a ring can be filled to its last entry.

// The soft core has no atomic instructions, and no need of the host's side.
#[cfg(target_has_atomic = "32")]
mod host;

#[cfg(target_has_atomic = "32")]
pub use host::HostRing;

use crate::limits::MAX_RING_LOG2;

/// A ring that cannot be, or an index that cannot belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The size is out of range.
    #[error("a ring of 2^{log2} entries is not possible: choose 2^1 to 2^15")]
    Size {
        /// The size asked for, as log2.
        log2: u8,
    },
    /// The other side's index is not between head and tail.
    #[error(
        "index {index} lies outside the ring's head {head} and what it may hold ({limit} entries from there): the other \
         side is broken or its memory was overwritten; reset the queue"
    )]
    Index {
        /// The index that was given.
        index: u16,
        /// Head of the ring.
        head: u16,
        /// How far from the head the index may be.
        limit: u16,
    },
}

/// Free-running index of a ring entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RingIndex(pub u16);

impl RingIndex {
    /// The index `count` entries further on.
    #[must_use]
    pub const fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// Entries from `earlier` to here.
    pub const fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// Size of a ring: 2^1 to 2^15 entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize {
    log2: u8,
}

impl RingSize {
    /// A ring of 2^`log2` entries.
    ///
    /// # Errors
    /// [`RingError::Size`] if `log2` is not 1 to 15.
    pub const fn new(log2: u8) -> Result<Self, RingError> {
        if log2 >= 1 && log2 <= MAX_RING_LOG2 {
            Ok(Self { log2 })
        } else {
            Err(RingError::Size { log2 })
        }
    }

    /// log2 of the number of entries.
    pub const fn log2(self) -> u8 {
        self.log2
    }

    /// Number of entries.
    pub const fn entries(self) -> u16 {
        1 << self.log2
    }

    /// Place of the entry in the ring, 0 to entries - 1.
    pub const fn slot(self, index: RingIndex) -> u16 {
        index.0 & (self.entries() - 1)
    }

    /// Phase bit of the entry: 1 on the first lap, as the ring starts zeroed, and the inverse on each further lap.
    pub const fn phase(self, index: RingIndex) -> bool {
        (index.0 >> self.log2) & 1 == 0
    }
}

/// The filling side: owns the tail and follows the head.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    size: RingSize,
    head: RingIndex,
    tail: RingIndex,
}

impl Producer {
    /// An empty ring.
    pub const fn new(size: RingSize) -> Self {
        Self {
            size,
            head: RingIndex(0),
            tail: RingIndex(0),
        }
    }

    /// Size of the ring.
    pub const fn size(&self) -> RingSize {
        self.size
    }

    /// Index behind the last entry written.
    pub const fn tail(&self) -> RingIndex {
        self.tail
    }

    /// Entries written and not yet taken.
    pub const fn occupancy(&self) -> u16 {
        self.tail.since(self.head)
    }

    /// Entries that may still be written.
    pub const fn free(&self) -> u16 {
        self.size.entries() - self.occupancy()
    }

    /// Whether no entry may be written.
    pub const fn is_full(&self) -> bool {
        self.free() == 0
    }

    /// Takes the next entry to write, or `None` if the ring is full.
    pub const fn push(&mut self) -> Option<RingIndex> {
        if self.is_full() {
            return None;
        }
        let index = self.tail;
        self.tail = index.plus(1);
        Some(index)
    }

    /// Notes how far the consumer has come; returns the number of entries that this frees.
    ///
    /// # Errors
    /// [`RingError::Index`] if the head would pass the tail or step back.
    pub const fn follow_head(&mut self, head: RingIndex) -> Result<u16, RingError> {
        let taken = head.since(self.head);
        if taken > self.occupancy() {
            return Err(RingError::Index {
                index: head.0,
                head: self.head.0,
                limit: self.occupancy(),
            });
        }
        self.head = head;
        Ok(taken)
    }
}

/// The emptying side of a ring whose tail is told: owns the head and follows the tail.
#[derive(Clone, Copy, Debug)]
pub struct Consumer {
    size: RingSize,
    head: RingIndex,
    tail: RingIndex,
}

impl Consumer {
    /// An empty ring.
    pub const fn new(size: RingSize) -> Self {
        Self {
            size,
            head: RingIndex(0),
            tail: RingIndex(0),
        }
    }

    /// Size of the ring.
    pub const fn size(&self) -> RingSize {
        self.size
    }

    /// Index of the next entry to take.
    pub const fn head(&self) -> RingIndex {
        self.head
    }

    /// Entries that wait.
    pub const fn occupancy(&self) -> u16 {
        self.tail.since(self.head)
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.occupancy() == 0
    }

    /// Takes the next entry, or `None` if the ring is empty.
    pub const fn pop(&mut self) -> Option<RingIndex> {
        if self.is_empty() {
            return None;
        }
        let index = self.head;
        self.head = index.plus(1);
        Some(index)
    }

    /// Notes how far the producer has come; returns the number of new entries.
    ///
    /// # Errors
    /// [`RingError::Index`] if the tail would step back or be more than a ring ahead of the head.
    pub const fn follow_tail(&mut self, tail: RingIndex) -> Result<u16, RingError> {
        let occupancy = tail.since(self.head);
        if occupancy > self.size.entries() || occupancy < self.occupancy() {
            return Err(RingError::Index {
                index: tail.0,
                head: self.head.0,
                limit: self.size.entries(),
            });
        }
        let new = occupancy - self.occupancy();
        self.tail = tail;
        Ok(new)
    }
}

/// The emptying side of a ring whose entries tell by their phase that they are new, as completion entries do.
#[derive(Clone, Copy, Debug)]
pub struct PhaseConsumer {
    size: RingSize,
    head: RingIndex,
}

impl PhaseConsumer {
    /// A zeroed ring.
    pub const fn new(size: RingSize) -> Self {
        Self {
            size,
            head: RingIndex(0),
        }
    }

    /// Index of the next entry to take.
    pub const fn head(&self) -> RingIndex {
        self.head
    }

    /// Where the next entry will be.
    pub const fn slot(&self) -> u16 {
        self.size.slot(self.head)
    }

    /// Takes the entry at [`slot`](Self::slot) if its phase bit says that it is new. Read the entry's other words after its phase.
    pub const fn pop(&mut self, phase: bool) -> Option<RingIndex> {
        if phase != self.size.phase(self.head) {
            return None;
        }
        let index = self.head;
        self.head = index.plus(1);
        Some(index)
    }
}
