//! Requests of a host, from descriptors and sideband packed from PG213's tables by hand.

use super::CompleterRequest;
use crate::shim::testing::{Beat, Sink, Source, length, noise, place};
use crate::shim::uscale_plus::testing::Fields;
use crate::testing::{Result, chance, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

#[test]
fn requests_reach_their_lanes_256() -> Result {
    run::<256, 8, 3, 88>(41)
}

#[test]
fn requests_reach_their_lanes_512() -> Result {
    run::<512, 16, 4, 183>(96)
}

/// What the device must get.
#[derive(Debug, PartialEq)]
struct Request {
    /// Write, byte offset, DWs, byte enables, tag, requester id.
    header: [u64; 7],
    payload: Vec<u32>,
}

/// What becomes of a packet.
#[derive(Debug)]
enum Fate {
    /// It goes to the device, a read with what an error completion brings of it.
    Passes(Request, Option<Vec<u32>>),
    /// It is refused with this descriptor, and with that.
    Refused(Vec<u32>, Vec<u32>),
    Vanishes,
}

/// Bytes from the first enabled one to the last, and the number of the first (PCIe Base Spec 5.0, table 2-37).
fn span(len: usize, first: u64, last: u64) -> (u64, u64) {
    let enabled: Vec<u64> = (0..4 * len as u64)
        .filter(|byte| match *byte as usize / 4 {
            0 => first >> (byte % 4) & 1 == 1,
            dword if dword == len - 1 => last >> (byte % 4) & 1 == 1,
            _ => true,
        })
        .collect();
    match (enabled.first(), enabled.last()) {
        (Some(low), Some(high)) => (high - low + 1, *low),
        _ => (1, 0),
    }
}

/// A packet of the IP with `sideband` bits of tuser, and its fate.
fn packet(lanes: usize, sideband: usize, random: &mut StdRng) -> (Vec<Beat>, Fate) {
    let kind: u64 = match random.random_range(0..4) {
        0 => [2, 3, 4, 5, 6, 7, 12, 13, 14][random.random_range(0..9)],
        _ => random.random_range(0..2),
    };
    let bar = if chance(random, 10) {
        random.random_range(1..7)
    } else {
        0
    };
    let len = match kind {
        2 | 3 => 1,
        4 | 5 => [1, 2][random.random_range(0..2)],
        6 => [2, 4][random.random_range(0..2)],
        _ => length(random),
    };
    let addr = random.random::<u64>() & !3;
    let first: u64 = if len == 1 {
        random.random_range(0..16)
    } else {
        random.random_range(1..16)
    };
    let last: u64 = if len == 1 {
        0
    } else {
        random.random_range(1..16)
    };
    let [tag, id, attributes] = [256, 1 << 16, 64].map(|below| random.random_range(0..below));
    let mut dwords = Fields::new(128)
        .with(63, 2, addr >> 2)
        .with(74, 64, len as u64)
        .with(78, 75, kind)
        .with(95, 80, id)
        .with(103, 96, tag)
        .with(114, 112, bar)
        .with(120, 115, 17)
        .with(123, 121, attributes & 7)
        .with(126, 124, attributes >> 3)
        .dwords();
    let [present, hint, steering] = [2, 4, 256].map(|below| random.random_range(0..below));
    let mut request = Fields::new(32)
        .with(3, 0, first)
        .with(7, 4, last)
        .with(8, 8, present)
        .with(10, 9, hint)
        .with(23, 16, steering)
        .dwords();
    request.extend(&dwords);
    let payload = noise(if [0, 2, 7].contains(&kind) { 0 } else { len }, random);
    dwords.extend(&payload);
    let words = place(lanes, 0, &dwords, random);
    let end = words.len() - 1;
    let beats = words.into_iter().enumerate().map(|(index, data)| {
        // Sideband but for what is looked at is noise; byte enables are there in the first beat only.
        let mut fields = Fields::new(sideband);
        for low in (0..sideband).step_by(32) {
            let high = (low + 31).min(sideband - 1);
            let value = u64::from(random.random::<u32>()) & ((1 << (high - low + 1)) - 1);
            fields = fields.with(high, low, value);
        }
        fields = match (index, lanes) {
            (0, 8) => fields
                .with(3, 0, first)
                .with(7, 4, last)
                .with(41, 41, 0)
                .with(42, 42, present)
                .with(44, 43, hint)
                .with(52, 45, steering),
            (_, 8) => fields.with(41, 41, 0),
            (0, _) => fields
                .with(3, 0, first)
                .with(11, 8, last)
                .with(96, 96, 0)
                .with(97, 97, present)
                .with(100, 99, hint)
                .with(110, 103, steering),
            _ => fields.with(96, 96, 0),
        };
        Beat {
            first: index == 0,
            ports: vec![
                ("tlast", vec![u32::from(index == end)]),
                ("tdata", data),
                ("tuser", fields.dwords()),
            ],
        }
    });
    let beats = beats.collect();
    let refusal = |lower: u64, count: u64| {
        let descriptor = Fields::new(96)
            .with(6, 0, lower)
            .with(28, 16, count)
            .with(29, 29, u64::from(kind == 7))
            .with(45, 43, 0b001)
            .with(63, 48, id)
            .with(71, 64, tag)
            .with(91, 89, attributes & 7)
            .with(94, 92, attributes >> 3);
        Fate::Refused(descriptor.dwords(), request.clone())
    };
    let fate = match kind {
        0 | 1 if bar == 0 => {
            let header = [kind, addr % 0x2_0000, len as u64, first, last, tag, id];
            Fate::Passes(
                Request { header, payload },
                (kind == 0).then(|| request.clone()),
            )
        }
        1 | 12.. => Fate::Vanishes,
        0 | 7 => {
            let (count, offset) = span(len, first, last);
            refusal((addr + offset) % 128, count)
        }
        4 | 5 => refusal(0, 4 * len as u64),
        6 => refusal(0, 2 * len as u64),
        _ => refusal(0, 4),
    };
    (beats, fate)
}

fn run<const W: usize, const N: usize, const K: usize, const U: usize>(
    discontinue: usize,
) -> Result {
    let mut dut = Pair::new(
        CompleterRequest::default(),
        ports!(CompleterRequest<W, N, K, U> {
            clock: clock;
            in reset, tvalid, tdata, tlast, tuser, room, req_ready;
            out tready, discontinue, read, request, refuse, refuse_head, req_valid, req_sop, req_eop, req_data, req_write,
                req_addr, req_len, req_first_be, req_last_be, req_tag, req_id
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(W as u64);
    let mut source = Source::new("tvalid", "tready", false);
    let mut sink = Sink::new(
        "req_valid",
        "req_ready",
        &[
            "req_sop",
            "req_eop",
            "req_data",
            "req_write",
            "req_addr",
            "req_len",
            "req_first_be",
            "req_last_be",
            "req_tag",
            "req_id",
        ],
        None,
    );
    // Fates of packets that come in, and requests that must come out.
    let mut fates: VecDeque<Fate> = VecDeque::new();
    let mut expected: VecDeque<Request> = VecDeque::new();
    let mut got: Option<Request> = None;
    let mut counts = [0; 4];
    for cycle in 0..8000 {
        if cycle % 64 == 0 {
            source.rate = [100, 30][random.random_range(0..2)];
            sink.rate = [100, 60, 10][random.random_range(0..3)];
        }
        if source.beats.len() < 4 {
            let (beats, fate) = packet(N, U, &mut random);
            source.beats.extend(beats);
            fates.push_back(fate);
        }
        let room = chance(&mut random, 80);
        dut.set("room", room)?;
        source.offer(&mut dut, &mut random)?;
        sink.accept(&mut dut, &mut random)?;
        let taken = source.taken(&mut dut)?;
        assert!(!dut.is("discontinue")?);
        let (read, refuse) = (dut.is("read")?, dut.is("refuse")?);
        let mut owed = [false; 2];
        if taken.is_some_and(|beat| beat.first) {
            match fates.pop_front().expect("a packet that was sent") {
                Fate::Passes(request, repeated) => {
                    if let Some(repeated) = repeated {
                        assert_eq!(dut.get_wide("request")?, repeated);
                        owed[0] = true;
                        counts[0] += 1;
                    } else {
                        counts[1] += 1;
                    }
                    expected.push_back(request);
                }
                Fate::Refused(head, repeated) => {
                    assert_eq!(dut.get_wide("refuse_head")?, head);
                    assert_eq!(dut.get_wide("request")?, repeated);
                    owed[1] = true;
                    counts[2] += 1;
                }
                Fate::Vanishes => counts[3] += 1,
            }
        }
        assert_eq!([read, refuse], owed);
        assert!(
            room || owed == [false; 2],
            "a request without room for its completion"
        );
        if let Some(beat) = sink.taken(&mut dut)? {
            let value = |port: usize| u64::from(beat[port][0]);
            let header = std::array::from_fn(|field| value(field + 3));
            assert_eq!(value(0) == 1, got.is_none());
            let write = header[0] == 1;
            let lane = if got.is_none() && write {
                header[1] as usize / 4 % N
            } else {
                0
            };
            let request = got.get_or_insert(Request {
                header,
                payload: vec![],
            });
            assert_eq!(request.header, header, "the header changed");
            let left = if write {
                header[2] as usize - request.payload.len()
            } else {
                0
            };
            request
                .payload
                .extend(&beat[2][lane..][..left.min(N - lane)]);
            if value(1) == 1 {
                assert_eq!(got.take(), expected.pop_front());
            } else {
                assert!(left > N - lane, "a beat too many");
            }
        }
        dut.step()?;
    }
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");

    // Data that the IP could not read shows in any beat that is taken.
    let fields = Fields::new(U).with(discontinue, discontinue, 1);
    dut.set_wide("tuser", &fields.dwords())?;
    dut.set("room", true)?;
    dut.set("req_ready", true)?;
    dut.set("tlast", true)?;
    for valid in [false, true] {
        dut.set("tvalid", valid)?;
        while valid && !dut.is("tready")? {
            dut.step()?;
        }
        assert_eq!(dut.is("discontinue")?, valid);
    }
    Ok(())
}
