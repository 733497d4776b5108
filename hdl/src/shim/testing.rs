//! What the tests of the shims share: streams with valid and ready, and frames of DWs.

use crate::testing::{Result, chance};
use pinring_verilator::equivalence::Pair;
use rand::{RngExt, rngs::StdRng};
use rust_hdl::prelude::Block;
use std::collections::VecDeque;

/// A beat: values of ports, least significant word first.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Begins a frame.
    pub first: bool,
    /// The ports.
    pub ports: Vec<(&'static str, Vec<u32>)>,
}

/// Offers beats.
pub struct Source {
    valid: &'static str,
    ready: &'static str,
    /// Whether a frame once begun comes without a gap.
    steady: bool,
    /// Percentage of cycles in which a beat that may come comes.
    pub rate: u32,
    /// What is still to come.
    pub beats: VecDeque<Beat>,
    offers: bool,
}

impl Source {
    pub fn new(valid: &'static str, ready: &'static str, steady: bool) -> Self {
        Self {
            valid,
            ready,
            steady,
            rate: 100,
            beats: VecDeque::new(),
            offers: false,
        }
    }

    /// Sets this cycle's inputs.
    pub fn offer<U: Block>(&mut self, dut: &mut Pair<U>, random: &mut StdRng) -> Result {
        if self.offers {
            return Ok(());
        }
        let Some(beat) = self.beats.front() else {
            return dut.set(self.valid, false);
        };
        self.offers = (self.steady && !beat.first) || chance(random, self.rate);
        if self.offers {
            for (port, words) in &beat.ports {
                dut.set_wide(port, words)?;
            }
        }
        dut.set(self.valid, self.offers)
    }

    /// The beat that is taken in this cycle; after all inputs are set, before the clock.
    pub fn taken<U: Block>(&mut self, dut: &mut Pair<U>) -> Result<Option<Beat>> {
        if !self.offers || !dut.is(self.ready)? {
            return Ok(None);
        }
        self.offers = false;
        Ok(self.beats.pop_front())
    }
}

/// Takes beats, and checks that an offer stands until it is taken.
pub struct Sink {
    valid: &'static str,
    ready: &'static str,
    ports: &'static [&'static str],
    /// Port of a frame's last beat, if beats must come without a gap.
    steady: Option<&'static str>,
    /// Percentage of cycles in which a beat would be taken.
    pub rate: u32,
    ready_now: bool,
    midway: bool,
    stands: Option<Vec<Vec<u32>>>,
}

impl Sink {
    pub fn new(
        valid: &'static str,
        ready: &'static str,
        ports: &'static [&'static str],
        steady: Option<&'static str>,
    ) -> Self {
        Self {
            valid,
            ready,
            ports,
            steady,
            rate: 100,
            ready_now: false,
            midway: false,
            stands: None,
        }
    }

    /// Sets this cycle's inputs.
    pub fn accept<U: Block>(&mut self, dut: &mut Pair<U>, random: &mut StdRng) -> Result {
        self.ready_now = chance(random, self.rate);
        dut.set(self.ready, self.ready_now)
    }

    /// The beat that is taken in this cycle, its ports in order; after all inputs are set, before the clock.
    pub fn taken<U: Block>(&mut self, dut: &mut Pair<U>) -> Result<Option<Vec<Vec<u32>>>> {
        if !dut.is(self.valid)? {
            assert!(self.stands.is_none(), "{} fell without ready", self.valid);
            assert!(!self.midway, "a gap in a frame of {}", self.valid);
            return Ok(None);
        }
        let mut beat = Vec::new();
        for port in self.ports {
            beat.push(dut.get_wide(port)?.to_vec());
        }
        if let Some(before) = &self.stands {
            assert_eq!(before, &beat, "an offer of {} changed", self.valid);
        }
        if let Some(last) = self.steady {
            self.midway = !dut.is(last)?;
        }
        self.stands = (!self.ready_now).then(|| beat.clone());
        Ok(self.ready_now.then_some(beat))
    }
}

/// Beats of `lanes` DWs that hold `dwords` from lane `from` of the first on; at least one. Other lanes hold noise.
pub fn place(lanes: usize, from: usize, dwords: &[u32], random: &mut StdRng) -> Vec<Vec<u32>> {
    let beats = (from + dwords.len()).div_ceil(lanes).max(1);
    let mut all: Vec<u32> = (0..beats * lanes).map(|_| random.random()).collect();
    all[from..from + dwords.len()].copy_from_slice(dwords);
    all.chunks(lanes).map(<[u32]>::to_vec).collect()
}

/// `count` random DWs.
pub fn noise(count: usize, random: &mut StdRng) -> Vec<u32> {
    (0..count).map(|_| random.random()).collect()
}

/// Lengths of payload that reach into every corner: few DWs as a rule, now and then many.
pub fn length(random: &mut StdRng) -> usize {
    match random.random_range(0..10) {
        0 => random.random_range(1..=256),
        1 => 1,
        2..=4 => 16 * random.random_range(1..=4),
        _ => random.random_range(1..=40),
    }
}
