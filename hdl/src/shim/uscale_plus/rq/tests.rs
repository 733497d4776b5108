//! Requests, against descriptors and sideband packed from PG213's tables by hand.

use super::RequesterRequest;
use crate::shim::testing::{Beat, Sink, Source, length, noise, place};
use crate::shim::uscale_plus::testing::{Fields, Packet, sideband};
use crate::testing::{Result, chance, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

#[test]
fn requests_follow_their_descriptors_256() -> Result {
    run::<256, 8, 3, 62>()
}

#[test]
fn requests_follow_their_descriptors_512() -> Result {
    run::<512, 16, 4, 137>()
}

/// A request in beats of the device's, and as the IP must get it: its DWs, and its byte enables.
fn request(lanes: usize, random: &mut StdRng) -> (Vec<Beat>, Vec<u32>, [u64; 2]) {
    let read = chance(random, 30);
    let len = length(random);
    let addr = random.random::<u64>() >> [0, 32][random.random_range(0..2)] & !3;
    let tag: u64 = random.random_range(0..256);
    let enables = [random.random_range(0..16), random.random_range(0..16)];
    let payload = noise(if read { 0 } else { len }, random);
    let lane = if read { 0 } else { (addr / 4) as usize % lanes };
    let mut dwords = Fields::new(128)
        .with(63, 2, addr >> 2)
        .with(74, 64, len as u64)
        .with(78, 75, if read { 0b0000 } else { 0b0001 })
        .with(103, 96, tag)
        .dwords();
    dwords.extend(&payload);
    let words = place(lanes, lane, &payload, random);
    let last = words.len() - 1;
    let beat = |(index, data): (usize, Vec<u32>)| Beat {
        first: index == 0,
        ports: vec![
            ("tx_sop", vec![u32::from(index == 0)]),
            ("tx_eop", vec![u32::from(index == last)]),
            ("tx_data", data),
            ("tx_read", vec![read.into()]),
            ("tx_addr", vec![addr as u32, (addr >> 32) as u32]),
            ("tx_len", vec![len as u32]),
            ("tx_first_be", vec![enables[0] as u32]),
            ("tx_last_be", vec![enables[1] as u32]),
            ("tx_tag", vec![tag as u32]),
        ],
    };
    (
        words.into_iter().enumerate().map(beat).collect(),
        dwords,
        enables,
    )
}

fn run<const W: usize, const N: usize, const K: usize, const U: usize>() -> Result {
    let mut dut = Pair::new(
        RequesterRequest::default(),
        ports!(RequesterRequest<W, N, K, U> {
            clock: clock;
            in reset, tx_valid, tx_sop, tx_eop, tx_data, tx_read, tx_addr, tx_len, tx_first_be, tx_last_be, tx_tag, tready;
            out tx_ready, tvalid, tdata, tkeep, tlast, tuser
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(W as u64);
    let mut source = Source::new("tx_valid", "tx_ready", true);
    let mut sink = Sink::new(
        "tvalid",
        "tready",
        &["tlast", "tkeep", "tdata", "tuser"],
        Some("tlast"),
    );
    let mut expected: VecDeque<(Vec<u32>, [u64; 2])> = VecDeque::new();
    let (mut packet, mut done) = (Packet::new(N), 0);
    for cycle in 0..6000 {
        if cycle % 64 == 0 {
            source.rate = [100, 40][random.random_range(0..2)];
            sink.rate = [100, 60, 10][random.random_range(0..3)];
        }
        if source.beats.len() < 4 {
            let (beats, dwords, enables) = request(N, &mut random);
            source.beats.extend(beats);
            expected.push_back((dwords, enables));
        }
        source.offer(&mut dut, &mut random)?;
        sink.accept(&mut dut, &mut random)?;
        source.taken(&mut dut)?;
        if let Some(beat) = sink.taken(&mut dut)? {
            let first = packet.is_empty();
            let last = packet.push(&beat);
            let (dwords, [first_be, last_be]) = expected.front().expect("a request that was sent");
            let mut fields = Fields::new(U);
            fields = match W {
                256 => fields.with(3, 0, *first_be).with(7, 4, *last_be),
                _ => sideband(
                    fields,
                    [20, 22, 26, 28],
                    first,
                    last.then(|| (dwords.len() - 1) % N),
                )
                .with(3, 0, *first_be)
                .with(11, 8, *last_be),
            };
            assert_eq!(beat[3], fields.dwords(), "tuser");
            if last {
                assert_eq!(&packet.take(), dwords);
                expected.pop_front();
                done += 1;
            }
        }
        dut.step()?;
    }
    assert!(done > 300, "{done}");
    Ok(())
}
