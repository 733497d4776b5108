//! Widths that follow from the protocol's limits.

use pinring_protocol::limits::{
    CONTEXTS, FETCH_TAGS, READ_SLOT_BYTES, READ_SLOTS, RESIDENT_SETS, RESIDENT_WAYS,
    SG_BLOCK_BYTES, SG_SLOTS, SG_WINDOWS,
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

/// H2C read slots of a device with a bus of `width` bits: enough for 2 us at the link that the width is made for, with as many
/// again at Gen3 x16 for completions that overtake each other.
pub const fn read_slots(width: usize) -> usize {
    if width == 512 { 128 } else { 64 }
}

/// Tags of such a device's reads: eight of the fetch unit, and one for each slot, as far as 8 bits name them.
pub const fn read_tags(width: usize) -> usize {
    let tags = read_slots(width) + FETCH_TAGS;
    if tags > 256 { 256 } else { tags }
}

// Kernels take literals. They shift a slot to its block's first word by five, find the slots of places from 32 on and their
// words from 128 on, and hold four ways of sixteen sets.
const _: () = {
    assert!(SG_BLOCK_BYTES / 16 == 1 << 5);
    assert!(SG_WINDOWS * CONTEXTS == 32 && 8 * CONTEXTS == 128);
    assert!(RESIDENT_WAYS == 4 && RESIDENT_SETS == 16);
    // Slot n of 512 bytes has tag n + 8.
    assert!(FETCH_TAGS == 8 && READ_SLOT_BYTES == 512 && READ_SLOTS == 256);
};
