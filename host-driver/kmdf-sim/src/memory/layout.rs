//! Which page frames a buffer gets.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::RngCore;

/// Which page frames a buffer gets, in the buffer's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PageLayout {
    /// Frames above 4 GiB in random order: what a process's pages look like.
    #[default]
    Shuffled,
    /// Frames below 4 GiB in random order.
    ShuffledLow,
    /// Consecutive frames above 4 GiB.
    Contiguous,
    /// Consecutive frames below 4 GiB.
    ContiguousLow,
    /// These frames; a layout captured from a machine, for instance.
    Frames(Vec<u64>),
}

impl PageLayout {
    /// Whether the frames lie below 4 GiB.
    pub(super) fn is_low(&self) -> bool {
        matches!(self, Self::ShuffledLow | Self::ContiguousLow)
    }

    /// Whether the frames come in random order.
    pub(super) fn is_shuffled(&self) -> bool {
        matches!(self, Self::Shuffled | Self::ShuffledLow)
    }
}

/// Puts `frames` into random order (Fisher-Yates).
pub(super) fn shuffle(frames: &mut [u64], rng: &mut SplitMix64) {
    for last in (1..frames.len()).rev() {
        frames.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
}
