//! The bytes of the demo gateware's packets: what its source sends and its sink expects.
//!
//! Word k (32 bits, little-endian) of a packet is `seed + k * STEP`, modulo 2^32: section "Attaching user logic" of docs/gateware.md.

/// What one word adds to the one before it.
pub const STEP: u32 = 0x9e37_79b9;
/// `STEP * STEP_INVERSE` is 1, modulo 2^32.
const STEP_INVERSE: u32 = 0x144c_bc89;
const _: () = assert!(STEP.wrapping_mul(STEP_INVERSE) == 1);

/// The byte at `position` in a packet.
pub const fn byte(position: u64, seed: u32) -> u8 {
    let word = seed.wrapping_add(((position / 4) as u32).wrapping_mul(STEP));
    word.to_le_bytes()[(position % 4) as usize]
}

/// Fills `bytes` with the pattern from `position` on.
pub fn fill(bytes: &mut [u8], position: u64, seed: u32) {
    for (position, byte_) in (position..).zip(bytes) {
        *byte_ = byte(position, seed);
    }
}

/// Index of the first byte that differs from the pattern from `position` on.
pub fn mismatch(bytes: &[u8], position: u64, seed: u32) -> Option<usize> {
    (position..)
        .zip(bytes)
        .position(|(position, found)| *found != byte(position, seed))
}

/// Where in a packet these bytes would stand, modulo 16 GiB: any word stands somewhere, so only what follows proves it. `None` for
/// fewer than four bytes.
pub fn position(bytes: &[u8], seed: u32) -> Option<u64> {
    let word = u32::from_le_bytes(*bytes.first_chunk()?);
    Some(u64::from(word.wrapping_sub(seed).wrapping_mul(STEP_INVERSE)) * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_gateware() {
        let mut bytes = [0; 8];
        fill(&mut bytes, 0, 7);
        // The words that the gateware's documentation names: 0x00000007, 0x9e3779c0.
        assert_eq!(bytes, [0x07, 0x00, 0x00, 0x00, 0xc0, 0x79, 0x37, 0x9e]);
        assert_eq!(mismatch(&bytes, 0, 7), None);
        assert_eq!(mismatch(&bytes, 4, 7), Some(0));
    }

    #[test]
    fn a_word_tells_its_position() {
        for at in [0, 4, 4096, 70_000_000, (1 << 34) - 4] {
            let mut bytes = [0; 4];
            fill(&mut bytes, at, 99);
            assert_eq!(position(&bytes, 99), Some(at));
        }
        assert_eq!(position(&[1, 2, 3], 0), None);
    }
}
