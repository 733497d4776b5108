//! Completions and refusals, against descriptors and sideband packed from PG213's tables by hand.

use super::CompleterCompletion;
use crate::shim::testing::{Beat, Sink, Source, noise, place};
use crate::shim::uscale_plus::testing::{Fields, Packet, sideband};
use crate::testing::{Result, chance, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

#[test]
fn completions_follow_their_descriptors_256() -> Result {
    run::<256, 8, 3, 33>()
}

#[test]
fn completions_follow_their_descriptors_512() -> Result {
    run::<512, 16, 4, 81>()
}

/// A completion in beats of the device's, and what the IP must get; `request` are the five DWs of its request.
fn completion(lanes: usize, request: &[u32], random: &mut StdRng) -> (Vec<Beat>, Vec<u32>) {
    // Bits 126:121 of the descriptor, which is behind the first DW.
    let attributes = u64::from(request[4] >> 25 & 63);
    let bare = chance(random, 20);
    let len = if bare { 0 } else { random.random_range(1..=40) };
    let [lower, tag, id] = [128, 256, 1 << 16].map(|below| random.random_range(0..below));
    let [count, status] = [4097, 8].map(|below| random.random_range(0..below));
    let mut dwords = Fields::new(96)
        .with(6, 0, lower)
        .with(28, 16, count)
        .with(42, 32, len)
        .with(45, 43, status)
        .with(63, 48, id)
        .with(71, 64, tag)
        .with(91, 89, attributes & 7)
        .with(94, 92, attributes >> 3)
        .dwords();
    let payload = noise(len as usize, random);
    dwords.extend(&payload);
    if bare && status != 0 {
        dwords.extend(request);
    }
    let lane = if bare {
        0
    } else {
        (lower / 4) as usize % lanes
    };
    let words = place(lanes, lane, &payload, random);
    let last = words.len() - 1;
    let beat = |(index, data): (usize, Vec<u32>)| Beat {
        first: index == 0,
        ports: vec![
            ("tx_sop", vec![u32::from(index == 0)]),
            ("tx_eop", vec![u32::from(index == last)]),
            ("tx_data", data),
            ("tx_bare", vec![bare.into()]),
            ("tx_addr", vec![lower as u32]),
            ("tx_len", vec![len as u32]),
            ("tx_tag", vec![tag as u32]),
            ("tx_id", vec![id as u32]),
            ("tx_byte_count", vec![count as u32]),
            ("tx_status", vec![status as u32]),
        ],
    };
    (words.into_iter().enumerate().map(beat).collect(), dwords)
}

fn run<const W: usize, const N: usize, const K: usize, const U: usize>() -> Result {
    let mut dut = Pair::new(
        CompleterCompletion::default(),
        ports!(CompleterCompletion<W, N, K, U> {
            clock: clock;
            in reset, tx_valid, tx_sop, tx_eop, tx_data, tx_bare, tx_addr, tx_len, tx_tag, tx_id, tx_byte_count, tx_status,
                request, refusal_valid, refusal_head, refusal_request, tready;
            out tx_ready, answered, refused, tvalid, tdata, tkeep, tlast, tuser
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
    // Five DWs of each of the reads, the oldest first; completions and refusals that have been taken, in that order.
    let mut requests: VecDeque<Vec<u32>> = VecDeque::new();
    let mut completions: VecDeque<Vec<u32>> = VecDeque::new();
    let mut expected: VecDeque<Vec<u32>> = VecDeque::new();
    let mut refusal: Option<Vec<u32>> = None;
    let (mut packet, mut answered, mut refused, mut done) = (Packet::new(N), 0, 0, 0);
    for cycle in 0..6000 {
        if cycle % 64 == 0 {
            source.rate = [100, 40, 5][random.random_range(0..3)];
            sink.rate = [100, 60, 10][random.random_range(0..3)];
        }
        if source.beats.len() < 4 {
            let request = noise(5, &mut random);
            let (beats, dwords) = completion(N, &request, &mut random);
            requests.push_back(request);
            source.beats.extend(beats);
            completions.push_back(dwords);
        }
        if refusal.is_none() && chance(&mut random, 20) {
            let dwords = noise(8, &mut random);
            dut.set_wide("refusal_head", &dwords[..3])?;
            dut.set_wide("refusal_request", &dwords[3..])?;
            refusal = Some(dwords);
        }
        dut.set("refusal_valid", refusal.is_some())?;
        if let Some(request) = requests.front() {
            dut.set_wide("request", request)?;
        }
        source.offer(&mut dut, &mut random)?;
        sink.accept(&mut dut, &mut random)?;
        let ended = source
            .taken(&mut dut)?
            .is_some_and(|beat| beat.ports[1].1[0] == 1);
        assert_eq!(dut.is("answered")?, ended);
        let gone = dut.is("refused")?;
        if let Some(beat) = sink.taken(&mut dut)? {
            let first = packet.is_empty();
            let last = packet.push(&beat);
            // A completion of several beats may begin to go out before its last beat is taken.
            let dwords = expected
                .front()
                .or(completions.front())
                .expect("a completion that was sent");
            let end = last.then(|| (dwords.len() - 1) % N);
            let fields = match W {
                256 => Fields::new(U),
                _ => sideband(Fields::new(U), [0, 2, 6, 8], first, end),
            };
            assert_eq!(beat[3], fields.dwords(), "tuser");
            if last {
                assert_eq!(&packet.take(), dwords);
                expected.pop_front();
                done += 1;
            }
        }
        dut.step()?;
        if ended {
            requests.pop_front();
            expected.extend(completions.pop_front());
            answered += 1;
        }
        if gone {
            expected.extend(refusal.take());
            refused += 1;
        }
        assert!(!(ended && gone));
    }
    assert!(
        answered > 200 && refused > 100 && done > 300,
        "{answered} {refused} {done}"
    );
    Ok(())
}
