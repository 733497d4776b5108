//! Frames keep their payload, whatever lanes they move between.

use super::Reframe;
use crate::shim::testing::{Beat, Sink, Source, length, noise, place};
use crate::testing::{Result, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::RngExt;
use std::collections::VecDeque;

#[derive(Debug)]
struct Frame {
    head: Vec<u32>,
    to: usize,
    payload: Vec<u32>,
}

#[test]
fn payload_moves_behind_a_header_256() -> Result {
    run::<256, 8, 3, 4>(true)
}

#[test]
fn payload_moves_behind_a_header_512() -> Result {
    run::<512, 16, 4, 3>(true)
}

#[test]
fn payload_moves_without_a_header_256() -> Result {
    run::<256, 8, 3, 0>(false)
}

#[test]
fn payload_moves_without_a_header_512() -> Result {
    run::<512, 16, 4, 0>(false)
}

fn run<const W: usize, const N: usize, const K: usize, const H: usize>(steady: bool) -> Result {
    let mut dut = Pair::new(
        Reframe::default(),
        ports!(Reframe<W, N, K, H> {
            clock: clock;
            in reset, in_valid, in_sop, in_eop, in_data, from, to, len, head, out_ready;
            out in_ready, load, out_valid, out_sop, out_eop, out_data, out_keep, out_end
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(W as u64 + H as u64);
    let mut source = Source::new("in_valid", "in_ready", steady);
    let mut sink = Sink::new(
        "out_valid",
        "out_ready",
        &["out_sop", "out_eop", "out_keep", "out_end", "out_data"],
        steady.then_some("out_eop"),
    );
    let mut frames = VecDeque::new();
    let (mut got, mut done, mut taken, mut second, mut loads, mut beats) = (vec![], 0, 0, 0, 0, 0);
    for cycle in 0..6000 {
        if cycle % 64 == 0 {
            source.rate = [100, 40][random.random_range(0..2)];
            sink.rate = [100, 100, 60, 10][random.random_range(0..4)];
        }
        // A tenth have no payload.
        if source.beats.len() < 4 {
            let to = if H > 0 { H } else { random.random_range(0..N) };
            let count = if random.random_range(0..10) == 0 {
                0
            } else {
                length(&mut random)
            };
            let (from, to) = match count {
                0 => (to.max(1), to.max(1)),
                _ => (random.random_range(0..N), to),
            };
            let payload = noise(count, &mut random);
            let head = noise(4, &mut random);
            let words = place(N, from, &payload, &mut random);
            let last = words.len() - 1;
            second += u32::from((to + count).div_ceil(N) > words.len());
            for (index, data) in words.into_iter().enumerate() {
                source.beats.push_back(Beat {
                    first: index == 0,
                    ports: vec![
                        ("in_sop", vec![u32::from(index == 0)]),
                        ("in_eop", vec![u32::from(index == last)]),
                        ("in_data", data),
                        ("from", vec![from as u32]),
                        ("to", vec![to as u32]),
                        ("len", vec![count as u32]),
                        ("head", head.clone()),
                    ],
                });
            }
            frames.push_back(Frame { head, to, payload });
        }
        source.offer(&mut dut, &mut random)?;
        sink.accept(&mut dut, &mut random)?;
        taken += u32::from(source.taken(&mut dut)?.is_some());
        loads += u32::from(dut.is("load")?);
        if let Some(beat) = sink.taken(&mut dut)? {
            beats += 1;
            let [sop, eop, keep, end, data] = &beat[..] else {
                unreachable!("five ports")
            };
            assert_eq!(sop[0] == 1, got.is_empty());
            got.extend_from_slice(data);
            let lanes = if eop[0] == 1 { end[0] as usize + 1 } else { N };
            assert_eq!(keep[0], (1u32 << lanes) - 1);
            assert_eq!(end[0] as usize, lanes - 1);
            got.truncate(got.len() - N + lanes);
            if eop[0] == 1 {
                let frame: Frame = frames.pop_front().expect("a frame that was sent");
                assert_eq!(got[..H], frame.head[..H], "{frame:?}");
                assert_eq!(got[frame.to..], frame.payload, "{frame:?}");
                done += 1;
                got.clear();
            }
        }
        dut.step()?;
    }
    assert!(done > 300 && second > 20 && taken > done, "{done} {second}");
    assert!((beats..=beats + 1).contains(&loads), "{loads} {beats}");
    Ok(())
}
