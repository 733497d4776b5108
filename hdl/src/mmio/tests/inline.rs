//! Random writes to the doorbell pages, in beats as the link brings them, against what each of them names.

use super::super::InlineSlots;
use super::super::testing::{Result, chance, reset, seeded};
use crate::sizes::{Full, Sizes, Small};
use pinring_protocol::registers::aperture::{BAR0_BYTES, DOORBELL_STRIDE, DOORBELLS, INLINE_SLOT};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

/// A write TLP.
struct Write {
    addr: u32,
    first_be: u64,
    last_be: u64,
    payload: Vec<u32>,
}

/// What a write names: queue, index, and whether it is the whole slot.
type Named = (u64, u64, bool);

impl Write {
    fn random<S: Sizes>(random: &mut StdRng) -> Self {
        // One page past the last queue is among them.
        let page = DOORBELLS + DOORBELL_STRIDE * random.random_range(0..=S::QUEUES as u32);
        let (addr, len) = match random.random_range(0..10) {
            0..4 => (page + INLINE_SLOT, 16),
            // A part of a slot, at either end or within.
            4..6 => {
                let len = random.random_range(1..=16);
                let skip = [0, random.random_range(0..=16 - len)][random.random_range(0..2)];
                (page + INLINE_SLOT + 4 * skip, len)
            }
            6 => (page + INLINE_SLOT - 4, random.random_range(1..=17)),
            7 => (page + INLINE_SLOT, random.random_range(17..80)),
            8 => (page, random.random_range(1..=16)),
            _ => (random.random_range(0..BAR0_BYTES / 4) * 4, 16),
        };
        let be = |random: &mut StdRng| {
            if chance(random, 85) {
                15
            } else {
                random.random_range(1..16)
            }
        };
        Self {
            addr,
            first_be: be(random),
            last_be: if len == 1 { 0 } else { be(random) },
            payload: (0..len).map(|_| random.random()).collect(),
        }
    }

    fn slot<S: Sizes>(addr: u32) -> Option<u64> {
        let queue = addr.checked_sub(DOORBELLS)? / DOORBELL_STRIDE;
        (addr % DOORBELL_STRIDE == INLINE_SLOT && queue < S::QUEUES as u32).then_some(queue.into())
    }

    fn names<S: Sizes>(&self) -> Option<Named> {
        let index = |dw: u32| u64::from(dw >> 16);
        match (
            &*self.payload,
            Self::slot::<S>(self.addr),
            Self::slot::<S>(self.addr + 4),
        ) {
            (&[_, dw], _, Some(queue)) => (self.last_be == 15).then(|| (queue, index(dw), false)),
            (payload, Some(queue), _) => (self.first_be == 15).then(|| {
                let whole = payload.len() == 16 && self.last_be == 15;
                (queue, index(payload[0]), whole)
            }),
            _ => None,
        }
    }
}

/// Writes on a bus of `W` bits, looked at and taken at random.
fn sweep<const W: usize, S: Sizes>(seed: u64) -> Result {
    let mut dut = Pair::new(
        InlineSlots::<W, S>::default(),
        ports!(InlineSlots<W, S> {
            clock: clock;
            in reset, beat, beat_sop, beat_eop, beat_data, beat_addr, beat_len, beat_first_be, beat_last_be, write_valid,
                write_addr, write_data, write_be, hint_ready, hint_take, take_target, take_id, take_word, fill_ready;
            out hint_valid, hint_queue, hint_index, hint_whole, fill_valid, fill_last, fill_target, fill_id, fill_word, fill_data
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(seed);
    let lanes = W / 32;
    let mut left = 600;
    let mut beats: VecDeque<(bool, bool, Vec<u32>)> = VecDeque::new();
    let mut singles: VecDeque<(u32, u32, u64)> = VecDeque::new();
    let mut write = Write::random::<S>(&mut random);
    // Due in the next cycle; on show; words on their way to the memory.
    let mut due: Option<(Named, Vec<u32>)> = None;
    let mut shown: Option<(Named, Vec<u32>)> = None;
    let mut words: VecDeque<(u64, u64, u64, Vec<u32>)> = VecDeque::new();
    let (mut taken, mut dropped) = (0, 0);
    let mut busy_at_start = false;
    let mut cycles = 0;
    while left > 0 || !beats.is_empty() || shown.is_some() || !words.is_empty() || due.is_some() {
        cycles += 1;
        assert!(cycles < 100_000, "stuck");
        if shown.is_none() {
            shown = due.take();
        }
        assert!(due.is_none(), "a request came although one waits");
        // The target hands on nothing while a hint waits, and DWs of short writes in the cycles after.
        for input in ["beat", "write_valid"] {
            dut.set(input, false)?;
        }
        let mut named = None;
        if let Some((addr, data, be)) = singles.pop_front() {
            dut.set("write_valid", true)?;
            dut.set("write_addr", u64::from(addr))?;
            dut.set("write_data", u64::from(data))?;
            dut.set("write_be", be)?;
            if Write::slot::<S>(addr).is_some() {
                named = write.names::<S>();
            }
        } else {
            if beats.is_empty() && left > 0 && shown.is_none() && chance(&mut random, 70) {
                left -= 1;
                write = Write::random::<S>(&mut random);
                let first = write.addr as usize / 4 % lanes;
                let mut data: Vec<u32> = (0..first).map(|_| random.random()).collect();
                data.extend(&write.payload);
                let count = data.len().div_ceil(lanes);
                data.resize_with(count * lanes, || random.random());
                for (index, beat) in data.chunks(lanes).enumerate() {
                    beats.push_back((index == 0, index + 1 == count, beat.to_vec()));
                }
                dut.set("beat_addr", u64::from(write.addr))?;
                dut.set("beat_len", write.payload.len() as u64)?;
                dut.set("beat_first_be", write.first_be)?;
                dut.set("beat_last_be", write.last_be)?;
            }
            if chance(&mut random, 80)
                && let Some((sop, eop, data)) = beats.pop_front()
            {
                dut.set("beat", true)?;
                dut.set("beat_sop", sop)?;
                dut.set("beat_eop", eop)?;
                dut.set_wide("beat_data", &data)?;
                if sop {
                    busy_at_start = !words.is_empty();
                }
                let short = write.payload.len() <= 2;
                if eop && short {
                    for (index, data) in write.payload.iter().enumerate() {
                        let be = if index == 0 {
                            write.first_be
                        } else {
                            write.last_be
                        };
                        singles.push_back((write.addr + 4 * index as u32, *data, be));
                    }
                }
                if eop && !short {
                    named = write.names::<S>();
                }
            }
        }
        // One that comes while another goes to the memory names itself only.
        if let Some((queue, index, whole)) = named {
            let kept = whole && !busy_at_start;
            dropped += usize::from(whole && busy_at_start);
            due = Some(((queue, index, kept), write.payload.clone()));
        }
        assert_eq!(dut.is("hint_valid")?, shown.is_some());
        let ready = chance(&mut random, 60);
        let take = chance(&mut random, 70);
        dut.set("hint_ready", ready && shown.is_some())?;
        dut.set("hint_take", false)?;
        let fill_ready = chance(&mut random, 40);
        dut.set("fill_ready", fill_ready)?;
        assert_eq!(dut.is("fill_valid")?, !words.is_empty());
        if let Some((target, id, word, data)) = words.front() {
            assert_eq!(
                [
                    dut.get("fill_target")?,
                    dut.get("fill_id")?,
                    dut.get("fill_word")?
                ],
                [*target, *id, *word]
            );
            assert_eq!(dut.get_wide("fill_data")?, *data);
            assert_eq!(dut.is("fill_last")?, words.len() == 1);
            if fill_ready {
                words.pop_front();
            }
        }
        if let Some(((queue, index, whole), payload)) = &shown {
            assert_eq!(
                (
                    dut.get("hint_queue")?,
                    dut.get("hint_index")?,
                    dut.is("hint_whole")?
                ),
                (*queue, *index, *whole)
            );
            if ready {
                if *whole && take {
                    taken += 1;
                    dut.set("hint_take", true)?;
                    let target = random.random_range(0..2);
                    let id = random.random_range(0..16);
                    dut.set("take_target", target)?;
                    dut.set("take_id", id)?;
                    dut.set("take_word", id * 8)?;
                    for (word, data) in payload.chunks(4).enumerate() {
                        words.push_back((target, id, id * 8 + word as u64, data.to_vec()));
                    }
                }
                shown = None;
            }
        }
        dut.step()?;
    }
    assert!(
        taken > 60 && dropped > 5,
        "{taken} taken, {dropped} dropped"
    );
    Ok(())
}

#[test]
fn slots_64() -> Result {
    sweep::<64, Full>(1)
}

#[test]
fn slots_of_few_queues_64_bits_wide() -> Result {
    sweep::<64, Small>(5)
}

#[test]
fn slots_128() -> Result {
    sweep::<128, Full>(2)
}

#[test]
fn slots_256() -> Result {
    sweep::<256, Full>(3)
}

#[test]
fn slots_512() -> Result {
    sweep::<512, Full>(4)
}
