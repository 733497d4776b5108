//! What the tests share.

/// Bytes as 32-bit words, least significant first.
pub fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks(4)
        .map(|chunk| {
            chunk
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        })
        .collect()
}

/// What host memory holds at a bus address.
pub fn content(addr: u64) -> u8 {
    let mixed = (addr ^ addr >> 17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}
