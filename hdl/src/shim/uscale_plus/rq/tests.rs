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

/// A request as the IP must get it.
struct Expected {
    dwords: Vec<u32>,
    /// First and last.
    enables: [u64; 2],
    number: u64,
}

/// A request in beats of the device's, and as the IP must get it.
fn request(lanes: usize, random: &mut StdRng) -> (Vec<Beat>, Expected) {
    let read = chance(random, 30);
    let len = length(random);
    let addr = random.random::<u64>() >> [0, 32][random.random_range(0..2)] & !3;
    let tag: u64 = random.random_range(0..256);
    let number: u64 = random.random_range(0..64);
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
            // Other beats have the number of a later write.
            (
                "tx_number",
                vec![number as u32 ^ if index == 0 { 0 } else { 33 }],
            ),
        ],
    };
    (
        words.into_iter().enumerate().map(beat).collect(),
        Expected {
            dwords,
            enables,
            number: if read { 0 } else { number },
        },
    )
}

fn run<const W: usize, const N: usize, const K: usize, const U: usize>() -> Result {
    let mut dut = Pair::new(
        RequesterRequest::default(),
        ports!(RequesterRequest<W, N, K, U> {
            clock: clock;
            in reset, tx_valid, tx_sop, tx_eop, tx_data, tx_read, tx_addr, tx_len, tx_first_be, tx_last_be, tx_tag, tx_number, tready;
            out tx_ready, read_sent, tvalid, tdata, tkeep, tlast, tuser
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
    let mut expected: VecDeque<Expected> = VecDeque::new();
    let (mut packet, mut done) = (Packet::new(N), 0);
    for cycle in 0..6000 {
        if cycle % 64 == 0 {
            source.rate = [100, 40][random.random_range(0..2)];
            sink.rate = [100, 60, 10][random.random_range(0..3)];
        }
        if source.beats.len() < 4 {
            let (beats, request) = request(N, &mut random);
            source.beats.extend(beats);
            expected.push_back(request);
        }
        source.offer(&mut dut, &mut random)?;
        sink.accept(&mut dut, &mut random)?;
        source.taken(&mut dut)?;
        let read_sent = dut.is("read_sent")?;
        let beat = sink.taken(&mut dut)?;
        assert!(beat.is_some() || !read_sent);
        if let Some(beat) = beat {
            let first = packet.is_empty();
            let last = packet.push(&beat);
            let Expected {
                dwords,
                enables: [first_be, last_be],
                number,
            } = expected.front().expect("a request that was sent");
            assert_eq!(read_sent, dwords.len() == 4, "read_sent");
            let number = *number;
            let mut fields = Fields::new(U);
            fields = match W {
                256 => fields
                    .with(3, 0, *first_be)
                    .with(7, 4, *last_be)
                    .with(27, 24, number & 15)
                    .with(61, 60, number >> 4),
                _ => sideband(
                    fields,
                    [20, 22, 26, 28],
                    first,
                    last.then(|| (dwords.len() - 1) % N),
                )
                .with(3, 0, *first_be)
                .with(11, 8, *last_be)
                .with(66, 61, number),
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
