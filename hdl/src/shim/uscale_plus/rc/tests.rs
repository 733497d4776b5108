//! Completions, from descriptors packed from PG213's table by hand.

use super::RequesterCompletion;
use crate::shim::testing::{Beat, Source, length, noise, place};
use crate::shim::uscale_plus::testing::Fields;
use crate::testing::{Result, chance, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

#[test]
fn completions_reach_their_lanes_256() -> Result {
    run::<256, 8, 3, 75>(42)
}

#[test]
fn completions_reach_their_lanes_512() -> Result {
    run::<512, 16, 4, 161>(96)
}

/// What the device must get.
#[derive(Debug, PartialEq)]
struct Completion {
    /// Tag, DWs, byte count, lower address, status, poisoned.
    header: [u64; 6],
    payload: Vec<u32>,
}

/// A packet of the IP, and what becomes of it.
fn packet(lanes: usize, random: &mut StdRng) -> (Vec<Beat>, Option<Completion>) {
    let code = match random.random_range(0..3) {
        0 => random.random_range(0..16),
        _ => 0,
    };
    let status = if code == 2 {
        [1, 2, 4][random.random_range(0..3)]
    } else {
        0
    };
    let len = if code == 2 || code == 9 {
        0
    } else {
        length(random)
    };
    let [lower, tag, noise16] = [1 << 12, 256, 1 << 16].map(|below| random.random_range(0..below));
    let count = random.random_range(1..4097);
    let completed = chance(random, 50);
    let poisoned = code == 1 || chance(random, 5);
    let mut dwords = Fields::new(96)
        .with(11, 0, lower)
        .with(15, 12, code)
        .with(28, 16, count)
        .with(30, 30, completed.into())
        .with(42, 32, len as u64)
        .with(45, 43, status)
        .with(46, 46, poisoned.into())
        .with(63, 48, noise16)
        .with(71, 64, tag)
        .with(87, 72, noise16)
        .with(94, 89, noise16 & 0x3f)
        .dwords();
    let payload = noise(len, random);
    dwords.extend(&payload);
    let words = place(lanes, 0, &dwords, random);
    let last = words.len() - 1;
    let beats = words.into_iter().enumerate().map(|(index, data)| Beat {
        first: index == 0,
        ports: vec![("tlast", vec![u32::from(index == last)]), ("tdata", data)],
    });
    let header = |len: usize, count, status, poisoned: bool| {
        [tag, len as u64, count, lower & 127, status, poisoned.into()]
    };
    let completion = match code {
        0..=2 => Some((header(len, count, status, poisoned), payload)),
        // CA.
        3..=5 | 9 if completed => Some((header(0, 8188, 0b100, false), vec![])),
        3..=5 => Some((header(len, 8188, 0, poisoned), payload)),
        _ => None,
    };
    let completion = completion.map(|(header, payload)| Completion { header, payload });
    (beats.collect(), completion)
}

fn run<const W: usize, const N: usize, const K: usize, const U: usize>(
    discontinue: usize,
) -> Result {
    let mut dut = Pair::new(
        RequesterCompletion::default(),
        ports!(RequesterCompletion<W, N, K, U> {
            clock: clock;
            in reset, tvalid, tdata, tlast, tuser;
            out tready, discontinue, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count,
                cpl_lower_addr, cpl_status, cpl_poisoned
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(W as u64);
    let mut source = Source::new("tvalid", "tready", false);
    let mut expected: VecDeque<Completion> = VecDeque::new();
    let mut got: Option<Completion> = None;
    let (mut done, mut vanished, mut cut) = (0, 0, 0);
    for cycle in 0..6000 {
        if cycle % 64 == 0 {
            source.rate = [100, 100, 30][random.random_range(0..3)];
        }
        if source.beats.len() < 4 {
            let (beats, completion) = packet(N, &mut random);
            source.beats.extend(beats);
            vanished += u32::from(completion.is_none());
            expected.extend(completion);
        }
        source.offer(&mut dut, &mut random)?;
        // Everything but the one bit is noise.
        let bad = chance(&mut random, 2);
        let mut sideband = noise(U.div_ceil(32), &mut random);
        let above = 32 * sideband.len() - U;
        *sideband.last_mut().expect("a word") >>= above;
        sideband[discontinue / 32] &= !(1 << (discontinue % 32));
        sideband[discontinue / 32] |= u32::from(bad) << (discontinue % 32);
        dut.set_wide("tuser", &sideband)?;
        let taken = source.taken(&mut dut)?.is_some();
        assert_eq!(dut.is("discontinue")?, taken && bad);
        cut += u32::from(taken && bad);
        if dut.is("cpl_valid")? {
            let names = [
                "cpl_tag",
                "cpl_len",
                "cpl_byte_count",
                "cpl_lower_addr",
                "cpl_status",
                "cpl_poisoned",
            ];
            let mut header = [0; 6];
            for (value, name) in header.iter_mut().zip(names) {
                *value = dut.get(name)?;
            }
            assert_eq!(dut.is("cpl_sop")?, got.is_none());
            // The first DW is in its address' lane.
            let lane = if got.is_none() && header[1] > 0 {
                header[3] as usize / 4 % N
            } else {
                0
            };
            let data = dut.get_wide("cpl_data")?[lane..].to_vec();
            let completion = got.get_or_insert(Completion {
                header,
                payload: vec![],
            });
            assert_eq!(completion.header, header, "the header changed");
            let left = header[1] as usize - completion.payload.len();
            completion.payload.extend(&data[..left.min(data.len())]);
            if dut.is("cpl_eop")? {
                assert_eq!(got.take(), expected.pop_front());
                done += 1;
            } else {
                assert!(left > data.len(), "a beat too many");
            }
        }
        dut.step()?;
    }
    assert!(
        done > 300 && vanished > 30 && cut > 20,
        "{done} {vanished} {cut}"
    );
    Ok(())
}
