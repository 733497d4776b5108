//! Widths that follow from the protocol's limits.

use pinring_protocol::limits::{
    CONTEXTS, RESIDENT_SETS, RESIDENT_WAYS, SG_BLOCK_BYTES, SG_SLOTS, SG_WINDOWS,
};

/// Bits of an SG slot's number.
pub const SLOT_BITS: usize = SG_SLOTS.next_power_of_two().ilog2() as usize;

/// Bits of the number of a 128-bit word in a direction's SG RAM: slot, and word of the block. The context RAM is smaller.
pub const WORD_BITS: usize = SLOT_BITS + (SG_BLOCK_BYTES / 16).ilog2() as usize;

/// Bits of a set's number.
pub const SET_BITS: usize = RESIDENT_SETS.ilog2() as usize;

/// Bits of the place of a resident region: set, and way of the set.
pub const PLACE_BITS: usize = SET_BITS + RESIDENT_WAYS.ilog2() as usize;

/// Places of resident regions.
pub const PLACES: usize = RESIDENT_SETS * RESIDENT_WAYS;

/// Bits of the number of a 128-bit word in a direction's context RAM: eight words of each context, then two of each place.
pub const TABLE_BITS: usize = (8 * CONTEXTS + 2 * PLACES).next_power_of_two().ilog2() as usize;

// Kernels take literals. They shift a slot to its block's first word by five, find the slots of places from 32 on and their
// words from 128 on, and hold four ways of sixteen sets.
const _: () = {
    assert!(SG_BLOCK_BYTES / 16 == 1 << 5);
    assert!(SG_WINDOWS * CONTEXTS == 32 && 8 * CONTEXTS == 128);
    assert!(RESIDENT_WAYS == 4 && RESIDENT_SETS == 16);
};
