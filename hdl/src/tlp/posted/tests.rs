//! The posted path: what goes in comes out whole, in the order in which it was taken.

use super::PostedMux;
use crate::testing::{Result, chance, get128, reset, seeded, set_all, set128};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::RngExt;

const PARTIES: [&str; 4] = ["data", "entry", "msg", "cpl"];

/// A beat as it must come out: sop, eop, kind, address, DWs, byte enables, data, and the bytes of it that count.
#[derive(Clone, Debug, PartialEq)]
struct Beat {
    header: [u64; 7],
    data: u128,
    mask: u128,
}

#[test]
fn tlps_pass_whole() -> Result {
    run(false)
}

/// Writes are forbidden for long, whatever is on its way: completions go on, and nothing is lost or sent twice.
#[test]
fn completions_pass_writes_that_may_not_go() -> Result {
    run(true)
}

fn run(pauses: bool) -> Result {
    let mut dut = Pair::new(
        PostedMux::default(),
        ports!(PostedMux {
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
                    let (beats, len) = (random.random_range(1..6), random.random_range(1..64));
                    let (first, last) = (random.random_range(1..16), random.random_range(0..16));
                    set_all(
                        &mut dut,
                        &[
                            ("data_addr", addr),
                            ("data_len", len),
                            ("data_first_be", first),
                            ("data_last_be", last),
                        ],
                    )?;
                    let beat = |index: u64| Beat {
                        header: [
                            (index == 0).into(),
                            (index + 1 == beats).into(),
                            0,
                            addr,
                            len,
                            first,
                            last,
                        ],
                        data: u128::from(addr ^ index) << 3 ^ u128::from(index) << 100,
                        mask: u128::MAX,
                    };
                    (0..beats).map(beat).collect()
                }
                1 => {
                    let words: [u128; 2] = random.random();
                    dut.set("entry_addr", addr)?;
                    set128(&mut dut, "entry_low", words[0])?;
                    set128(&mut dut, "entry_high", words[1])?;
                    let beat = |half: usize| Beat {
                        header: [(half == 0).into(), (half == 1).into(), 0, addr, 8, 15, 15],
                        data: words[half],
                        mask: u128::MAX,
                    };
                    vec![beat(0), beat(1)]
                }
                2 => {
                    let (addr, data) =
                        (addr + 4 * random.random_range(0..8), random.random::<u32>());
                    set_all(&mut dut, &[("msg_addr", addr), ("msg_data", data.into())])?;
                    let shift = addr % 16 * 8;
                    let mask = 0xffff_ffff << shift;
                    vec![Beat {
                        header: [1, 1, 0, addr, 1, 15, 0],
                        data: u128::from(data) << shift,
                        mask,
                    }]
                }
                _ => {
                    // 0 DWs: Cpl without data. Two DWs from the last lane take a second beat.
                    let (len, lower) = (random.random_range(0..3), random.random_range(0..32) * 4);
                    let data = random.random();
                    set_all(
                        &mut dut,
                        &[
                            ("cpl_len", len),
                            ("cpl_lower_addr", lower),
                            ("cpl_data", data),
                        ],
                    )?;
                    let shift = (lower % 16 * 8) as u32;
                    let mask = [0, 0xffff_ffff, u64::MAX][len as usize];
                    let (kind, wide) = (if len == 0 { 3 } else { 2 }, len == 2 && shift == 96);
                    let low = Beat {
                        header: [1, (!wide).into(), kind, lower, len, 0, 0],
                        data: u128::from(data) << shift,
                        mask: u128::from(mask) << shift,
                    };
                    let high = Beat {
                        header: [0, 1, kind, lower, len, 0, 0],
                        data: (data >> 32).into(),
                        mask: 0xffff_ffff,
                    };
                    if wide { vec![low, high] } else { vec![low] }
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
            set128(&mut dut, "data_data", beat.data)?;
        }
        // At times the link sends something else, and has not looked at the beat.
        let looks = !pauses || stands || chance(&mut random, 80);
        let ready = looks && chance(&mut random, 70);
        dut.set("out_ready", ready)?;
        let allowed = !pauses || cycle / 200 % 2 == 0;
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
        let data = get128(&mut dut, "out_data")?;
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
                (valid, header, data),
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
                    beat.header == header && (data ^ beat.data) & beat.mask == 0
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
