//! The bytes of the demo gateware's packets: what its source sends and its sink expects.
//!
//! Word k (32 bits, little-endian) of a packet is `seed + k * STEP`, modulo 2^32: section "Attaching user logic" of docs/gateware.md.

pub use pinring_protocol::pattern::{STEP, byte, fill, mismatch};

/// `STEP * STEP_INVERSE` is 1, modulo 2^32.
const STEP_INVERSE: u32 = 0x144c_bc89;
const _: () = assert!(STEP.wrapping_mul(STEP_INVERSE) == 1);

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
    fn a_word_tells_its_position() {
        for at in [0, 4, 4096, 70_000_000, (1 << 34) - 4] {
            let mut bytes = [0; 4];
            fill(&mut bytes, at, 99);
            assert_eq!(position(&bytes, 99), Some(at));
        }
        assert_eq!(position(&[1, 2, 3], 0), None);
    }
}
