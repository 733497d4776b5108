//! What the tests of this folder share.

mod cutter;
mod engine;
mod realigner;

use pinring_verilator::equivalence::Error;
use rand::{RngExt, rngs::StdRng};

/// A test ends with the first difference between the two simulations.
type Result<T = ()> = std::result::Result<T, Error>;

/// Bytes as 32-bit words, least significant first.
fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    };
    bytes.chunks(4).map(word).collect()
}

/// The bytes of 32-bit words.
fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A user stream of beats: their bytes, and whether they end a packet.
struct Stream {
    lanes: usize,
    beats: Vec<(Vec<u8>, bool)>,
}

impl Stream {
    fn new(lanes: usize) -> Self {
        Self {
            lanes,
            beats: Vec::new(),
        }
    }

    /// Appends a packet; with `empty_end`, its last beat has no bytes.
    fn push(&mut self, random: &mut StdRng, len: usize, empty_end: bool) {
        let packet: Vec<u8> = (0..len).map(|_| random.random()).collect();
        let count = len.div_ceil(self.lanes);
        let beats = packet.chunks(self.lanes).enumerate();
        self.beats
            .extend(beats.map(|(index, beat)| (beat.to_vec(), index + 1 == count && !empty_end)));
        if empty_end {
            self.beats.push((Vec::new(), true));
        }
    }
}

/// Where the transfers have come to in the stream.
#[derive(Clone, Copy, Default)]
struct Cursor {
    beat: usize,
    used: usize,
}

impl Cursor {
    /// The bytes of a transfer of `length`, and whether it ended with a packet. None: the stream is too short for it.
    fn take(&mut self, stream: &Stream, length: usize) -> Option<(Vec<u8>, bool)> {
        let mut taken = Vec::new();
        while taken.len() < length {
            let (beat, last) = stream.beats.get(self.beat)?;
            let end = beat.len().min(self.used + length - taken.len());
            taken.extend(&beat[self.used..end]);
            self.used = end;
            if end == beat.len() {
                *self = Self {
                    beat: self.beat + 1,
                    used: 0,
                };
                if *last {
                    return Some((taken, true));
                }
            }
        }
        Some((taken, false))
    }
}
