//! Beats, and the words that they must become.

use super::CompletionWords;
use crate::testing::{Result, chance, reset, seeded, set_all};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

/// The header's fields, behind `cpl_` and `word_`.
const HEADER: [&str; 6] = [
    "tag",
    "len",
    "byte_count",
    "lower_addr",
    "status",
    "poisoned",
];

/// A completion: its header, and its bytes from the lower address on.
#[derive(Clone, Debug)]
struct Completion {
    header: [u64; 6],
    bytes: Vec<u8>,
}

impl Completion {
    fn new(random: &mut StdRng, tag: u64, lower: u64, bytes: usize) -> Self {
        let mut header = [tag, bytes as u64 / 4, 0, lower, 0, 0];
        for (place, end) in [(2, 1 << 13), (4, 8), (5, 2)] {
            header[place] = random.random_range(0..end);
        }
        let bytes = (0..bytes).map(|_| random.random()).collect();
        Self { header, bytes }
    }

    /// One for the fetch unit, with data or without, or one for somebody else.
    fn any(random: &mut StdRng) -> Self {
        let (lower, bytes) = match random.random_range(0..6) {
            // The end of a table of uniform elements, at any multiple of 8.
            0 => {
                let lower = random.random_range(0..16) * 8;
                (lower, 8 * random.random_range(1..=2 - lower / 8 % 2))
            }
            1 => (random.random_range(0..32) * 4, 0),
            2 => (0, 512),
            _ => (
                64 * random.random_range(0..2),
                8 * random.random_range(1..=56),
            ),
        };
        let tag = match random.random_range(0..10) {
            0 => random.random_range(8..40),
            1 => random.random_range(40..1024),
            _ => random.random_range(0..8),
        };
        Self::new(random, tag, lower, bytes as usize)
    }

    fn is_fetch(&self) -> bool {
        (0..8).contains(&self.header[0])
    }

    /// Beats of `width` bytes: data, and a mask of the bytes that count.
    fn beats(&self, width: usize) -> VecDeque<(Vec<u32>, Vec<u32>)> {
        let lane = self.header[3] as usize / 4 * 4 % width;
        let count = (lane + self.bytes.len()).div_ceil(width).max(1);
        let mut lanes = vec![[0, 0]; count * width];
        for (place, byte) in lanes[lane..].iter_mut().zip(&self.bytes) {
            *place = [*byte, 0xff];
        }
        let words = |beat: &[[u8; 2]], part: usize| {
            let word =
                |word: &[[u8; 2]]| u32::from_le_bytes(std::array::from_fn(|byte| word[byte][part]));
            beat.chunks(4).map(word).collect()
        };
        lanes
            .chunks(width)
            .map(|beat| (words(beat, 0), words(beat, 1)))
            .collect()
    }
}

struct Bench<const W: usize, const L: usize> {
    dut: Pair<CompletionWords<W, L>>,
    random: StdRng,
    /// Completions whose words are still to come, with how many have come.
    expected: VecDeque<(Completion, usize)>,
    /// Completions that may be missing.
    may_drop: bool,
    dropped: usize,
    words: usize,
}

impl<const W: usize, const L: usize> Bench<W, L> {
    fn new() -> Result<Self> {
        let mut dut = Pair::new(
            CompletionWords::<W, L>::default(),
            ports!(CompletionWords<W, L> {
                clock: clock;
                in reset, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status,
                    cpl_poisoned;
                out word_valid, word_sop, word_eop, word_data, word_tag, word_len, word_byte_count, word_lower_addr, word_status,
                    word_poisoned
            }),
        )?;
        reset(&mut dut)?;
        Ok(Self {
            dut,
            random: seeded(W as u64),
            expected: VecDeque::new(),
            may_drop: false,
            dropped: 0,
            words: 0,
        })
    }

    /// Shows a beat.
    fn drive(&mut self, completion: &Completion, data: &[u32], [sop, eop]: [bool; 2]) -> Result {
        for (name, value) in HEADER.iter().zip(completion.header) {
            self.dut.set(&format!("cpl_{name}"), value)?;
        }
        set_all(
            &mut self.dut,
            &[
                ("cpl_valid", 1),
                ("cpl_sop", sop.into()),
                ("cpl_eop", eop.into()),
            ],
        )?;
        self.dut.set_wide("cpl_data", data)
    }

    /// One cycle with what is shown.
    fn step(&mut self) -> Result {
        self.check()?;
        self.dut.step()?;
        self.dut.set("cpl_valid", false)
    }

    fn check(&mut self) -> Result {
        let dut = &mut self.dut;
        let tag = dut.get("word_tag")?;
        if !dut.is("word_valid")? || !(0..8).contains(&tag) {
            return Ok(());
        }
        let mut header = [0; 6];
        for (value, name) in header.iter_mut().zip(HEADER) {
            *value = dut.get(&format!("word_{name}"))?;
        }
        if self.may_drop && dut.is("word_sop")? {
            while self
                .expected
                .front()
                .is_some_and(|(next, _)| next.header != header)
            {
                self.expected.pop_front();
                self.dropped += 1;
            }
        }
        let (completion, at) = self.expected.front_mut().expect("a word of nobody");
        assert_eq!(completion.header, header, "word {at}");
        let words = completion.beats(16);
        let (data, mask) = &words[*at];
        let cut = completion.header[1] > 128;
        let last = cut || *at + 1 == words.len();
        assert_eq!(
            (dut.is("word_sop")?, dut.is("word_eop")?),
            (*at == 0, last),
            "{header:?}"
        );
        let found = dut.get_wide("word_data")?;
        let differs = found
            .iter()
            .zip(data)
            .zip(mask)
            .any(|((a, b), mask)| (a ^ b) & mask != 0);
        assert!(
            cut || !differs,
            "word {at} of {header:?}: {found:x?}, not {data:x?}"
        );
        *at += 1;
        self.words += 1;
        if last {
            self.expected.pop_front();
        }
        Ok(())
    }

    /// Sends completions, with a beat in so many of a hundred cycles.
    fn send(&mut self, completions: &[Completion], percent: u32) -> Result {
        for completion in completions {
            let mut beats = completion.beats(W / 8);
            if completion.is_fetch() {
                self.expected.push_back((completion.clone(), 0));
            }
            let mut sop = true;
            while let Some((data, _)) = beats.front() {
                let shown = chance(&mut self.random, percent);
                if shown {
                    self.drive(completion, data, [sop, beats.len() == 1])?;
                    sop = false;
                    beats.pop_front();
                }
                self.step()?;
            }
        }
        Ok(())
    }

    /// Waits for the words that are still to come.
    fn settle(&mut self) -> Result {
        for _ in 0..1100 {
            if self.expected.is_empty() {
                break;
            }
            self.step()?;
        }
        if self.may_drop {
            self.dropped += self.expected.len();
            self.expected.clear();
        }
        assert!(self.expected.is_empty(), "no more words");
        for _ in 0..4 {
            self.step()?;
        }
        Ok(())
    }
}

/// All that eight reads bring, at the link's speed or more slowly, word for word.
fn words<const W: usize, const L: usize>() -> Result {
    let mut bench = Bench::<W, L>::new()?;
    for percent in [100, 100, 60] {
        let blocks: Vec<_> = (0..8)
            .map(|tag| Completion::new(&mut bench.random, tag, 0, 512))
            .collect();
        bench.send(&blocks, percent)?;
        bench.settle()?;
        for _ in 0..40 {
            let some: Vec<_> = (0..6).map(|_| Completion::any(&mut bench.random)).collect();
            bench.send(&some, percent)?;
            if chance(&mut bench.random, 30) {
                bench.settle()?;
            }
        }
        bench.settle()?;
    }
    assert!(bench.words > 5000, "{} words", bench.words);

    // A reset in the middle of a completion: what is left of it is no completion, and does not harm the next.
    let block = Completion::new(&mut bench.random, 1, 0, 256);
    let beats = block.beats(W / 8);
    bench.drive(&block, &beats[0].0, [true, false])?;
    bench.dut.step()?;
    bench.dut.set("cpl_valid", false)?;
    reset(&mut bench.dut)?;
    for (number, (data, _)) in beats.iter().enumerate().skip(1) {
        bench.drive(&block, data, [false, number + 1 == beats.len()])?;
        let begins = bench.dut.is("word_valid")? && bench.dut.is("word_sop")?;
        assert!(!begins, "a completion begins");
        bench.dut.step()?;
    }
    bench.dut.set("cpl_valid", false)?;
    bench.send(std::slice::from_ref(&block), 100)?;
    bench.settle()
}

#[test]
fn words_64() -> Result {
    words::<64, 3>()
}

#[test]
fn words_128() -> Result {
    words::<128, 4>()
}

#[test]
fn words_256() -> Result {
    words::<256, 5>()
}

#[test]
fn words_512() -> Result {
    words::<512, 6>()
}

/// More than anybody asked for: whole completions are lost, and the others come through. One too long for a read counts
/// as one word.
fn too_many<const W: usize, const L: usize>() -> Result {
    let mut bench = Bench::<W, L>::new()?;
    bench.may_drop = true;
    for _ in 0..2 {
        let many: Vec<_> = (0..150)
            .map(|number| {
                let bytes = if number % 10 == 0 { 1024 } else { 512 };
                Completion::new(&mut bench.random, number as u64 % 8, 0, bytes)
            })
            .collect();
        bench.send(&many, 100)?;
        bench.settle()?;
    }
    assert!(bench.dropped > 30, "{} dropped", bench.dropped);
    bench.may_drop = false;
    let block = Completion::new(&mut bench.random, 7, 0, 512);
    bench.send(&[block], 100)?;
    bench.settle()
}

#[test]
fn too_many_256() -> Result {
    too_many::<256, 5>()
}

#[test]
fn too_many_512() -> Result {
    too_many::<512, 6>()
}
