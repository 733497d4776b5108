//! The posted path: what goes in comes out whole, in the order in which it was taken.

use super::PostedMux;
use crate::testing::{Result, chance, reset, seeded, set_all, set128};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};

const PARTIES: [&str; 4] = ["data", "entry", "msg", "cpl"];

/// A beat as it must come out: sop, eop, kind, address, DWs, byte enables, data, and the bytes of it that count.
#[derive(Clone, Debug, PartialEq)]
struct Beat {
    header: [u64; 7],
    data: Vec<u32>,
    mask: Vec<u32>,
}

/// A TLP of `bytes` from byte `addr` on, in beats of `width` bytes; `header` is its kind, address, DWs and byte enables.
fn beats(width: u64, addr: u64, bytes: &[u8], header: [u64; 5]) -> Vec<Beat> {
    let lane = (addr % width) as usize;
    let count = (lane + bytes.len()).div_ceil(width as usize).max(1);
    let mut lanes = vec![(0, 0); count * width as usize];
    for (place, byte) in lanes[lane..].iter_mut().zip(bytes) {
        *place = (*byte, 0xff);
    }
    let words = |beat: &[(u8, u8)], part: fn(&(u8, u8)) -> u8| {
        let words = beat.chunks(4).map(|word| {
            let bytes: Vec<u8> = word.iter().map(part).collect();
            u32::from_le_bytes(bytes.try_into().expect("four bytes"))
        });
        words.collect::<Vec<u32>>()
    };
    let [kind, addr, dws, first, last] = header;
    let beat = |(index, beat): (usize, &[(u8, u8)])| Beat {
        header: [
            (index == 0).into(),
            (index + 1 == count).into(),
            kind,
            addr,
            dws,
            first,
            last,
        ],
        data: words(beat, |lane| lane.0),
        mask: words(beat, |lane| lane.1),
    };
    lanes.chunks(width as usize).enumerate().map(beat).collect()
}

/// Bytes of a data write that fills whole beats.
fn whole_beats(random: &mut StdRng, width: u64) -> Vec<u8> {
    let bytes = random.random_range(1..6) * width;
    (0..bytes).map(|_| random.random()).collect()
}

#[test]
fn tlps_pass_whole_64() -> Result {
    run::<64, 3>(false)
}

#[test]
fn tlps_pass_whole() -> Result {
    run::<128, 4>(false)
}

#[test]
fn tlps_pass_whole_256() -> Result {
    run::<256, 5>(false)
}

#[test]
fn tlps_pass_whole_512() -> Result {
    run::<512, 6>(false)
}

/// Writes are forbidden for long, whatever is on its way: completions go on, and nothing is lost or sent twice.
#[test]
fn completions_pass_writes_that_may_not_go() -> Result {
    run::<128, 4>(true)
}

/// The same with entries of four beats.
#[test]
fn completions_pass_writes_that_may_not_go_64() -> Result {
    run::<64, 3>(true)
}

fn run<const W: usize, const L: usize>(pauses: bool) -> Result {
    let width = W as u64 / 8;
    let mut dut = Pair::new(
        PostedMux::default(),
        ports!(PostedMux<W, L> {
            clock: clock;
            in reset, may_write, data_valid, data_sop, data_eop, data_data, data_addr, data_len, data_first_be, data_last_be, entry_valid,
                entry_addr, entry_low, entry_high, msg_valid, msg_addr, msg_data, cpl_valid, cpl_status, cpl_tag, cpl_id,
                cpl_byte_count, cpl_lower_addr, cpl_len, cpl_data, out_ready;
            out data_ready, entry_ready, msg_ready, cpl_ready, out_valid, out_sop, out_eop, out_data, out_kind, out_addr,
                out_len, out_first_be, out_last_be
        }),
    )?;
    reset(&mut dut)?;
    let mut random = seeded(1);
    // Beats that each party has on offer, the first one next.
    let mut offers: [Vec<Beat>; 4] = Default::default();
    let mut now: Option<usize> = None;
    let mut held = None;
    let mut counts = [0; 4];
    let mut waits = [0; 4];
    let (mut stands, mut unanswered, mut withdrawn) = (false, 0, 0);
    let mut offered = false;
    for cycle in 0..4000 {
        for party in 0..4 {
            if !offers[party].is_empty() || !chance(&mut random, [80, 10, 10, 10][party]) {
                continue;
            }
            let addr = random.random::<u64>() >> 5 << 5;
            offers[party] = match party {
                0 => {
                    let addr = addr / width * width;
                    let (len, first) = (random.random_range(1..64), random.random_range(1..16));
                    let last = random.random_range(0..16);
                    let fields = [
                        ("data_addr", addr),
                        ("data_len", len),
                        ("data_first_be", first),
                        ("data_last_be", last),
                    ];
                    set_all(&mut dut, &fields)?;
                    let bytes = whole_beats(&mut random, width);
                    beats(width, addr, &bytes, [0, addr, len, first, last])
                }
                1 => {
                    let bytes: [u8; 32] = random.random();
                    dut.set("entry_addr", addr)?;
                    let (low, high) = bytes.split_at(16);
                    for (half, bytes) in [("entry_low", low), ("entry_high", high)] {
                        let bytes = bytes.try_into().expect("16 bytes");
                        set128(&mut dut, half, u128::from_le_bytes(bytes))?;
                    }
                    beats(width, addr, &bytes, [0, addr, 8, 15, 15])
                }
                2 => {
                    let (addr, data) = (
                        addr + 4 * random.random_range(0..16),
                        random.random::<u32>(),
                    );
                    set_all(&mut dut, &[("msg_addr", addr), ("msg_data", data.into())])?;
                    beats(width, addr, &data.to_le_bytes(), [0, addr, 1, 15, 0])
                }
                _ => {
                    // 0 DWs: Cpl without data. Two DWs from the last lane take a second beat.
                    let (len, lower) = (random.random_range(0..3), random.random_range(0..32) * 4);
                    let data: u64 = random.random();
                    let fields = [
                        ("cpl_len", len),
                        ("cpl_lower_addr", lower),
                        ("cpl_data", data),
                    ];
                    set_all(&mut dut, &fields)?;
                    let kind = if len == 0 { 3 } else { 2 };
                    let bytes = &data.to_le_bytes()[..4 * len as usize];
                    beats(width, lower, bytes, [kind, lower, len, 0, 0])
                }
            };
        }
        for (party, name) in PARTIES.into_iter().enumerate() {
            dut.set(&format!("{name}_valid"), !offers[party].is_empty())?;
        }
        if let Some(beat) = offers[0].first() {
            set_all(
                &mut dut,
                &[("data_sop", beat.header[0]), ("data_eop", beat.header[1])],
            )?;
            dut.set_wide("data_data", &beat.data)?;
        }
        // At times the link sends something else, and has not looked at the beat.
        let looks = !pauses || stands || chance(&mut random, 80);
        let ready = looks && chance(&mut random, 70);
        dut.set("out_ready", ready)?;
        let allowed = !pauses || cycle / 40 % 2 == 0;
        let may_write = allowed || stands || now.is_some();
        dut.set("may_write", may_write)?;

        let valid = dut.is("out_valid")?;
        let mut header = [0; 7];
        for (value, name) in header
            .iter_mut()
            .zip(["sop", "eop", "kind", "addr", "len", "first_be", "last_be"])
        {
            *value = dut.get(&format!("out_{name}"))?;
        }
        let data = dut.get_wide("out_data")?.to_vec();
        assert!(
            !valid || header[2] >= 2 || may_write,
            "a write that may not go"
        );
        withdrawn += u32::from(offered && !valid);
        offered = valid && !ready;
        stands = offered && looks;
        unanswered = if offers[3].is_empty() {
            0
        } else {
            unanswered + 1
        };
        assert!(unanswered < 100, "a completion waits for ever");
        if let Some(held) = held.take() {
            assert_eq!(
                (valid, header, data.clone()),
                held,
                "a beat changed before it was taken"
            );
        }
        let mut taken = Vec::new();
        for (party, name) in PARTIES.into_iter().enumerate() {
            if !offers[party].is_empty() && dut.is(&format!("{name}_ready"))? {
                taken.push(party);
            }
        }
        if !(valid && ready) {
            assert!(
                taken.is_empty(),
                "{taken:?} taken although nothing goes out"
            );
            held = stands.then_some((valid, header, data));
        } else {
            let fits = |party: &usize| {
                offers[*party].first().is_some_and(|beat| {
                    let lanes = data.iter().zip(&beat.data).zip(&beat.mask);
                    let wrong = |((a, b), mask): ((&u32, &u32), &u32)| (a ^ b) & mask != 0;
                    beat.header == header && !lanes.into_iter().any(wrong)
                })
            };
            let party = match now {
                Some(party) => party,
                None => (0..4).find(fits).expect("a beat that nobody offers"),
            };
            assert!(
                fits(&party),
                "{} expected {:?}",
                PARTIES[party],
                offers[party].first()
            );
            offers[party].remove(0);
            now = (header[1] == 0).then_some(party);
            counts[party] += 1;
            // Data is taken beat by beat, the others whole.
            let whole = party == 0 || offers[party].is_empty();
            assert_eq!(taken, if whole { vec![party] } else { Vec::new() });
            // Whatever is offered behind a data write goes before the next one.
            for (other, wait) in waits.iter_mut().enumerate() {
                let waiting = other != party && !offers[other].is_empty();
                *wait = if waiting && other != 0 { *wait + 1 } else { 0 };
                assert!(*wait < 40, "{} starves", PARTIES[other]);
            }
        }
        dut.step()?;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
    assert_eq!(withdrawn > 0, pauses);
    Ok(())
}
