//! Widths that follow from the protocol's limits.

use pinring_protocol::limits::{SG_BLOCK_BYTES, SG_SLOTS};

/// Bits of an SG slot's number.
pub const SLOT_BITS: usize = SG_SLOTS.ilog2() as usize;

/// Bits of the number of a 128-bit word in a direction's SG RAM: slot, and word of the block. The context RAM is smaller.
pub const WORD_BITS: usize = SLOT_BITS + (SG_BLOCK_BYTES / 16).ilog2() as usize;

// Kernels take literals: they shift a slot to its block's first word by five.
const _: () = assert!(SG_SLOTS.is_power_of_two() && SG_BLOCK_BYTES / 16 == 1 << 5);
