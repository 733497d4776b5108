//! Bytes to move, and the proof that they arrived.

use std::path::Path;
use std::sync::Arc;

use super::{BusFault, Layout, PhysicalMemory};

/// An endless, deterministic stream of bytes that is addressed by position.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Pseudo-random words: bytes 8 n to 8 n + 7 are the SplitMix64 finaliser of n and the seed, little-endian.
    Pattern {
        /// Streams of different seeds differ.
        seed: u64,
    },
    /// The bytes of a file, again and again; never empty.
    File(Arc<[u8]>),
    /// What the demo gateware's source sends, with seed 0.
    Demo,
}

/// A payload file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It cannot be read.
    #[error("cannot read payload file {file}: {error}; check the path")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// It has no bytes to send.
    #[error("payload file {0} is empty; give one with at least one byte")]
    Empty(String),
}

/// The first byte that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "byte {position} of the transfer (physical address {physical:#x}) is {found:#04x}, not {expected:#04x}; {wrong} of {checked} bytes are wrong"
)]
pub struct Mismatch {
    /// Position of the first wrong byte, counted from the first byte compared.
    pub position: u64,
    /// Its physical address; 0 when plain bytes were compared.
    pub physical: u64,
    /// What it should be.
    pub expected: u8,
    /// What it is.
    pub found: u8,
    /// Number of wrong bytes.
    pub wrong: u64,
    /// Number of bytes compared.
    pub checked: u64,
}

/// Bytes made, copied or compared at a time.
const BLOCK: usize = 4096;

impl Payload {
    /// Reads a file as payload.
    pub fn from_file(path: &Path) -> Result<Self, PayloadError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| PayloadError::Unreadable {
            file: file.clone(),
            error,
        })?;
        Self::from_bytes(&bytes).ok_or(PayloadError::Empty(file))
    }

    /// Uses `bytes` as payload, again and again; nothing if there are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self::File(bytes.into()))
    }

    /// Fills `data` with the stream's bytes from `position` on.
    pub fn fill(&self, position: u64, data: &mut [u8]) {
        match self {
            Self::Pattern { seed } => fill_pattern(*seed, position, data),
            Self::Demo => pinring_client::pattern::fill(data, position, 0),
            Self::File(bytes) => {
                let mut at = (position % bytes.len() as u64) as usize;
                let mut rest = data;
                while !rest.is_empty() {
                    let len = rest.len().min(bytes.len() - at);
                    let (part, tail) = rest.split_at_mut(len);
                    part.copy_from_slice(&bytes[at..at + len]);
                    rest = tail;
                    at = 0;
                }
            }
        }
    }

    /// Compares `data` with the stream's bytes from `position` on.
    pub fn compare(&self, position: u64, data: &[u8]) -> Result<(), Box<Mismatch>> {
        let mut comparison = Comparison::default();
        for (index, block) in data.chunks(BLOCK).enumerate() {
            let at = (index * BLOCK) as u64;
            comparison.add(self, position.wrapping_add(at), block, 0);
        }
        comparison.result()
    }

    /// Writes `len` bytes of the stream, from `position` on, into a buffer at `offset`.
    pub fn write_to(
        &self,
        memory: &mut PhysicalMemory,
        buffer: &Layout,
        offset: u64,
        len: u64,
        position: u64,
    ) -> Result<(), BusFault> {
        self.write(memory, buffer, offset, len, position, |_| ())
    }

    /// Writes what differs from the stream in every byte, where `len` bytes of it are still to come.
    pub fn write_complement_to(
        &self,
        memory: &mut PhysicalMemory,
        buffer: &Layout,
        offset: u64,
        len: u64,
        position: u64,
    ) -> Result<(), BusFault> {
        self.write(memory, buffer, offset, len, position, |block| {
            block.iter_mut().for_each(|byte| *byte = !*byte);
        })
    }

    fn write(
        &self,
        memory: &mut PhysicalMemory,
        buffer: &Layout,
        offset: u64,
        len: u64,
        position: u64,
        change: impl Fn(&mut [u8]),
    ) -> Result<(), BusFault> {
        let mut block = [0; BLOCK];
        let mut at = position;
        for (address, bytes) in blocks(buffer, offset, len) {
            self.fill(at, &mut block[..bytes]);
            change(&mut block[..bytes]);
            memory.write(address, &block[..bytes])?;
            at = at.wrapping_add(bytes as u64);
        }
        Ok(())
    }

    /// Compares `len` bytes of a buffer at `offset` with the stream from `position` on. Bytes past the buffer's end are not
    /// compared; memory that cannot be read counts as the zeros that it would hold.
    pub fn check(
        &self,
        memory: &PhysicalMemory,
        buffer: &Layout,
        offset: u64,
        len: u64,
        position: u64,
    ) -> Result<(), Box<Mismatch>> {
        let mut block = [0; BLOCK];
        let mut comparison = Comparison::default();
        for (address, bytes) in blocks(buffer, offset, len) {
            let found = &mut block[..bytes];
            if memory.read(address, found).is_err() {
                found.fill(0);
            }
            let at = position.wrapping_add(comparison.checked);
            comparison.add(self, at, found, address);
        }
        comparison.result()
    }
}

/// The buffer's pieces, cut into blocks.
fn blocks(buffer: &Layout, offset: u64, len: u64) -> impl Iterator<Item = (u64, usize)> + '_ {
    buffer.pieces(offset, len).flat_map(|(address, bytes)| {
        (0..bytes)
            .step_by(BLOCK)
            .map(move |done| (address + done, (bytes - done).min(BLOCK as u64) as usize))
    })
}

#[derive(Default)]
struct Comparison {
    checked: u64,
    wrong: u64,
    first: Option<Mismatch>,
}

impl Comparison {
    /// Compares one block of at most [`BLOCK`] bytes.
    fn add(&mut self, payload: &Payload, position: u64, found: &[u8], address: u64) {
        let mut buffer = [0; BLOCK];
        let expected = &mut buffer[..found.len()];
        payload.fill(position, expected);
        if expected != found {
            for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
                if expected != found {
                    self.wrong += 1;
                    let position = self.checked + index as u64;
                    let physical = if address == 0 {
                        0
                    } else {
                        address + index as u64
                    };
                    let mismatch = Mismatch {
                        position,
                        physical,
                        expected,
                        found,
                        wrong: 0,
                        checked: 0,
                    };
                    self.first.get_or_insert(mismatch);
                }
            }
        }
        self.checked += found.len() as u64;
    }

    fn result(self) -> Result<(), Box<Mismatch>> {
        match self.first {
            None => Ok(()),
            Some(first) => Err(Box::new(Mismatch {
                wrong: self.wrong,
                checked: self.checked,
                ..first
            })),
        }
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014).
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn fill_pattern(seed: u64, position: u64, data: &mut [u8]) {
    let key = mix(seed);
    let word = |index: u64| mix(key ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
    let skip = (position % 8) as usize;
    let mut index = position / 8;
    let (head, body) = data.split_at_mut(if skip == 0 {
        0
    } else {
        data.len().min(8 - skip)
    });
    if !head.is_empty() {
        head.copy_from_slice(&word(index)[skip..skip + head.len()]);
        index += 1;
    }
    for part in body.chunks_mut(8) {
        part.copy_from_slice(&word(index)[..part.len()]);
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_wrong_byte_is_named() {
        let payload = Payload::Pattern { seed: 3 };
        let buffer = Layout::shuffled(0x10_0000, 8, 5).unwrap();
        let mut memory = PhysicalMemory::new(46);
        payload
            .write_to(&mut memory, &buffer, 100, 20_000, 7)
            .unwrap();
        assert_eq!(payload.check(&memory, &buffer, 100, 20_000, 7), Ok(()));

        let address = buffer.physical(100 + 9_000).unwrap();
        let mut byte = [0];
        memory.read(address, &mut byte).unwrap();
        let expected = byte[0];
        memory.write(address, &[!expected]).unwrap();
        let later = buffer.physical(100 + 19_999).unwrap();
        memory.read(later, &mut byte).unwrap();
        memory.write(later, &[!byte[0]]).unwrap();
        let mismatch = *payload.check(&memory, &buffer, 100, 20_000, 7).unwrap_err();
        assert_eq!(
            mismatch,
            Mismatch {
                position: 9_000,
                physical: address,
                expected,
                found: !expected,
                wrong: 2,
                checked: 20_000
            }
        );
        assert!(payload.check(&memory, &buffer, 100, 20_000, 8).is_err());
    }

    #[test]
    fn files_repeat_and_empty_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payload");
        std::fs::write(&path, b"abc").unwrap();
        let mut data = [0; 8];
        Payload::from_file(&path).unwrap().fill(2, &mut data);
        assert_eq!(&data, b"cabcabca");
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(
            Payload::from_file(&path),
            Err(PayloadError::Empty(_))
        ));
        assert!(matches!(
            Payload::from_file(folder.path()),
            Err(PayloadError::Unreadable { .. })
        ));
    }

    proptest! {
        /// A byte depends on its position alone, not on how the stream is cut.
        #[test]
        fn cuts_do_not_matter(seed: u64, position in 0u64..1 << 60, cuts in prop::collection::vec(0usize..40, 1..20)) {
            let payload = Payload::Pattern { seed };
            let mut whole = vec![0; cuts.iter().sum()];
            payload.fill(position, &mut whole);
            let mut done = 0;
            for cut in cuts {
                let mut part = vec![0; cut];
                payload.fill(position + done as u64, &mut part);
                prop_assert_eq!(&part[..], &whole[done..done + cut]);
                done += cut;
            }
            prop_assert!(payload.compare(position, &whole).is_ok());
        }
    }
}
