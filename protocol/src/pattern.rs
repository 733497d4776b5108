//! The bytes of the demo gateware's packets, for software: what its source sends and its sink expects.
//!
//! A packet is a row of little-endian 32-bit words: word k is `seed + k * STEP`, modulo 2^32. So every byte follows from its
//! position in the packet and the seed, the words repeat only after 16 GiB, and hardware needs one constant adder a word.
//! A packet of any length is a prefix of that row.

/// What one word adds to the one before it: odd, so that all 2^32 words come up; 2^32 over the golden ratio, so that no byte
/// of neighbouring words is likely to be the same.
pub const STEP: u32 = 0x9e37_79b9;

/// Word `index` of a packet with this seed.
pub const fn word(index: u32, seed: u32) -> u32 {
    seed.wrapping_add(index.wrapping_mul(STEP))
}

/// Byte at `position`, counted from the packet's first byte, of a packet with this seed.
///
/// ```
/// use pinring_protocol::pattern;
///
/// // Words 0x00000007, 0x9e3779c0, ...
/// let bytes: Vec<u8> = (0..8).map(|position| pattern::byte(position, 7)).collect();
/// assert_eq!(bytes, [0x07, 0x00, 0x00, 0x00, 0xc0, 0x79, 0x37, 0x9e]);
/// ```
pub const fn byte(position: u64, seed: u32) -> u8 {
    word((position / 4) as u32, seed).to_le_bytes()[(position % 4) as usize]
}

/// Fills `bytes` with the pattern from `position` on.
pub const fn fill(bytes: &mut [u8], position: u64, seed: u32) {
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = byte(position + index as u64, seed);
        index += 1;
    }
}

/// Index of the first byte that differs from the pattern from `position` on.
pub fn mismatch(bytes: &[u8], position: u64, seed: u32) -> Option<usize> {
    (position..)
        .zip(bytes)
        .position(|(position, found)| *found != byte(position, seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_from_position_and_seed() {
        let mut bytes = [0; 11];
        fill(&mut bytes, 6, 0xffff_fff0);
        // Words 1 to 4: the seed is -16.
        let words: Vec<u8> = (1..5u64)
            .map(|word| (word * 0x9e37_79b9 + 0xffff_fff0) as u32)
            .flat_map(u32::to_le_bytes)
            .collect();
        assert_eq!(bytes, words[2..13]);
        assert_eq!(mismatch(&bytes, 6, 0xffff_fff0), None);
        bytes[9] ^= 0x80;
        assert_eq!(mismatch(&bytes, 6, 0xffff_fff0), Some(9));
    }

    #[test]
    fn repeats_after_16_gib_and_not_before() {
        let period = 1 << 34;
        for position in [0, 1, 77, 1 << 20] {
            assert_eq!(byte(position, 5), byte(position + period, 5));
        }
        // An odd step meets every word once.
        assert_eq!(STEP % 2, 1);
        let word =
            |index: u64| std::array::from_fn::<u8, 4, _>(|at| byte(index * 4 + at as u64, 5));
        assert_ne!(word(0), word(1 << 31));
    }
}
