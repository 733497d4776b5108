//! What the tests of this folder share.

/// Bytes as 32-bit words, least significant first.
pub fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    };
    bytes.chunks(4).map(word).collect()
}

/// The bytes of 32-bit words.
pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
