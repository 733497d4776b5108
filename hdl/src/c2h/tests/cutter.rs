//! The cutter between a model of the walker and the realigner, and a memory that takes the writes.

use super::{Result, bytes, words};
use crate::c2h::Cutter;
use pinring_protocol::Status;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::{BTreeMap, VecDeque};

const B: u64 = 16;

/// A transfer as the walker and the stream see it.
#[derive(Clone, Debug, Default)]
struct Transfer {
    addr: u64,
    length: u64,
    /// What the stream gives: less than `length` when a packet ends early.
    given: u64,
    eop: bool,
    /// The walker fails before the chunk of this number.
    fail_at: Option<usize>,
    /// The context is aborted once this many chunks were cut.
    abort_at: Option<usize>,
}

#[derive(Clone, Debug)]
struct Chunk {
    ctx: u64,
    addr: u64,
    len: u64,
    first: bool,
    last: bool,
    status: u64,
}

/// Content of byte `index` of transfer `number`.
fn content(number: usize, index: u64) -> u8 {
    (number as u64 * 41 + index * 7 + index / 256) as u8
}

/// A write on its way.
#[derive(Default)]
struct Write {
    addr: u64,
    beats: Vec<u8>,
}

#[derive(Debug, Default)]
struct Seen {
    done: u32,
    early: u32,
    empty: u32,
    failed: u32,
    aborted: u32,
    writes: u32,
    clipped_writes: u32,
}

/// Runs the transfers; nobody takes reports before cycle `deaf`.
fn run(seed: u64, max: u64, transfers: &[Transfer], deaf: u32) -> Result<Seen> {
    let mut dut = Pair::new(
        Cutter::default(),
        ports!(Cutter<128, 16, 4> {
            clock: clock;
            in reset, chunk_valid, chunk_addr, chunk_len, chunk_first, chunk_last, chunk_ctx, chunk_status, aborts, data,
                data_count, end_valid, end_bytes, end_eop, tlp_ready, retire_ready;
            out chunk_ready, data_read, end_read, cancel, cancel_ctx, stop, tlp_valid, tlp_sop, tlp_eop, tlp_data, tlp_addr,
                tlp_len, tlp_first_be, tlp_last_be, retire_valid, retire_ctx, retire_status, retire_bytes, retire_eop,
                sent_bytes, holds
        }),
    )?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut seen = Seen::default();
    let (mut chunks, mut data, mut ends) = (
        VecDeque::<Chunk>::new(),
        VecDeque::<Vec<u8>>::new(),
        VecDeque::new(),
    );
    // The walker's transfer, chunks cut and bytes covered; the realigner's transfer and bytes taken.
    let (mut walked, mut cut, mut covered) = (0, 0, 0);
    let mut aligning: Option<(usize, u64)> = None;
    let mut abort = 0u64;
    let mut memory: BTreeMap<u64, u8> = BTreeMap::new();
    let mut write: Option<Write> = None;
    let (mut retired, mut sent, mut counted) = (0, 0, 0);
    let (mut waiting_tlp, mut waiting_report) = (None, None);
    for cycle in 0.. {
        assert!(cycle < 40_000, "only {retired} transfers end");
        // Inputs.
        if let Some(chunk) = chunks.front() {
            dut.set("chunk_addr", chunk.addr)?;
            dut.set("chunk_len", chunk.len)?;
            dut.set("chunk_first", chunk.first)?;
            dut.set("chunk_last", chunk.last)?;
            dut.set("chunk_ctx", chunk.ctx)?;
            dut.set("chunk_status", chunk.status)?;
        }
        dut.set("chunk_valid", !chunks.is_empty())?;
        dut.set_wide("data", &words(data.front().unwrap_or(&vec![0xee; 16])))?;
        dut.set("data_count", data.len() as u64)?;
        let (end_bytes, end_eop) = ends.front().copied().unwrap_or((0, false));
        dut.set("end_valid", !ends.is_empty())?;
        dut.set("end_bytes", end_bytes)?;
        dut.set("end_eop", end_eop)?;
        dut.set("aborts", abort)?;
        let tlp_ready = cycle / 150 % 5 != 0 && random.random_bool(0.85);
        let retire_ready = cycle > deaf && cycle / 400 % 4 != 1 && random.random_bool(0.5);
        dut.set("tlp_ready", tlp_ready)?;
        dut.set("retire_ready", retire_ready)?;

        // The link: an offer stands until it is taken.
        let tlp = match dut.is("tlp_valid")? {
            false => None,
            true => Some((
                [
                    dut.get("tlp_sop")?,
                    dut.get("tlp_eop")?,
                    dut.get("tlp_addr")?,
                    dut.get("tlp_len")?,
                ],
                [dut.get("tlp_first_be")?, dut.get("tlp_last_be")?],
                bytes(dut.get_wide("tlp_data")?),
            )),
        };
        if waiting_tlp.is_some() {
            assert_eq!(tlp, waiting_tlp, "cycle {cycle}: the offer changed");
        }
        waiting_tlp = tlp.clone().filter(|_| !tlp_ready);
        let mut ended = 0;
        if let Some(([sop, eop, addr, len], [first_be, last_be], beat)) = tlp.filter(|_| tlp_ready)
        {
            assert_eq!(sop == 1, write.is_none(), "cycle {cycle}");
            let mut now = write.take().unwrap_or(Write {
                addr,
                beats: Vec::new(),
            });
            assert_eq!(addr, now.addr);
            now.beats.extend(beat);
            let beats = (addr % B + 4 * len).div_ceil(B);
            assert_eq!(
                eop == 1,
                now.beats.len() as u64 == beats * B,
                "cycle {cycle}"
            );
            if eop == 1 {
                assert_eq!(
                    (addr % 4, addr / max),
                    (0, (addr + 4 * len - 1) / max),
                    "a write of {len} DW at {addr:#x}"
                );
                assert!(len > 1 || last_be == 0);
                for at in 0..4 * len {
                    let enables = match at / 4 {
                        0 => first_be,
                        dw if dw == len - 1 => last_be,
                        _ => 15,
                    };
                    if enables >> (at % 4) & 1 == 1 {
                        let byte = now.beats[(addr % B + at) as usize];
                        assert_eq!(
                            memory.insert(addr + at, byte),
                            None,
                            "written twice: {:#x}",
                            addr + at
                        );
                        ended += 1;
                    }
                }
                seen.writes += 1;
                seen.clipped_writes += u32::from((addr + 4 * len) % max != 0);
            } else {
                write = Some(now);
            }
        }
        assert_eq!(dut.get("sent_bytes")?, ended, "cycle {cycle}");
        sent += ended;

        // Reports: all that was written before, and nothing else.
        let report = match dut.is("retire_valid")? {
            false => None,
            true => Some((
                [
                    dut.get("retire_ctx")?,
                    dut.get("retire_status")?,
                    dut.get("retire_bytes")?,
                ],
                dut.is("retire_eop")?,
            )),
        };
        if waiting_report.is_some() {
            assert_eq!(report, waiting_report, "cycle {cycle}: the report changed");
        }
        waiting_report = report.filter(|_| !retire_ready);
        if let Some(([ctx, status, moved], eop)) = report.filter(|_| retire_ready) {
            let transfer = &transfers[retired];
            assert_eq!(ctx, retired as u64 % 16);
            let boundary = |bytes: u64| (transfer.addr + bytes).is_multiple_of(max) || bytes == 0;
            let ok = status == 0
                && moved == transfer.given
                && (eop == transfer.eop || transfer.length == 0);
            match (transfer.fail_at, transfer.abort_at) {
                (_, Some(_)) if !ok => {
                    let failed =
                        transfer.fail_at.is_some() && status == Status::BadSgElement as u64;
                    assert!(
                        (failed || status == Status::Aborted as u64) && !eop,
                        "transfer {retired}: {status:#x}"
                    );
                    assert!(
                        boundary(moved) || moved == transfer.given,
                        "transfer {retired}: {moved} bytes"
                    );
                    seen.aborted += 1;
                }
                (Some(chunk), _) => {
                    let start = transfer.addr / max;
                    let expected = if chunk == 0 {
                        0
                    } else {
                        (start + chunk as u64) * max - transfer.addr
                    };
                    assert_eq!(
                        (status, moved, eop),
                        (Status::BadSgElement as u64, expected, false),
                        "{transfer:?}"
                    );
                    seen.failed += 1;
                }
                _ => {
                    assert!(
                        ok,
                        "transfer {retired}: status {status:#x}, {moved} bytes, {eop}; {transfer:?}"
                    );
                    seen.done += 1;
                    seen.early += u32::from(moved < transfer.length);
                    seen.empty += u32::from(moved == 0);
                }
            }
            let range = transfer.addr..=transfer.addr | 0xf_ffff;
            let written: Vec<(u64, u8)> = memory.extract_if(range, |_, _| true).collect();
            let expected: Vec<_> = (0..moved)
                .map(|at| (transfer.addr + at, content(retired, at)))
                .collect();
            assert!(
                written == expected,
                "transfer {retired}: {} of {moved} bytes are written",
                written.len()
            );
            abort &= !(1 << ctx);
            counted += moved;
            retired += 1;
        }

        // The FIFOs.
        let (stop, cancel, owner) = (dut.is("stop")?, dut.is("cancel")?, dut.get("cancel_ctx")?);
        assert!(!dut.is("tlp_valid")? || dut.is("holds")?);
        if dut.is("chunk_ready")? {
            chunks.pop_front().expect("a chunk to take");
        }
        if dut.is("data_read")? {
            data.pop_front().expect("a beat to take");
        }
        if dut.is("end_read")? {
            ends.pop_front().expect("an end record to take");
        }

        // The realigner.
        if let Some((number, taken)) = aligning
            && data.len() < 240
            && ends.len() < 3
        {
            let transfer = &transfers[number];
            let lane = (transfer.addr + taken) % B;
            let rest = transfer.given - taken;
            let cancelled = cancel && owner == number as u64 % 16;
            // A cancelled job has part of a beat at hand.
            let step = if cancelled {
                random.random_range(0..16)
            } else {
                B
            };
            if cancelled || random.random_bool(0.8) {
                let more = rest.min(step.min(B - lane));
                if more > 0 {
                    let mut beat = vec![0xdd; 16];
                    for at in 0..more {
                        beat[(lane + at) as usize] = content(number, taken + at);
                    }
                    data.push_back(beat);
                }
                aligning = Some((number, taken + more));
                if cancelled || more == rest {
                    ends.push_back((taken + more, more == rest && transfer.eop));
                    aligning = None;
                }
            }
        }

        // The walker.
        if walked < transfers.len() && chunks.len() < 16 && random.random_bool(0.6) {
            let transfer = &transfers[walked];
            let ctx = walked as u64 % 16;
            let first = cut == 0;
            let free = walked - retired < 12 && aligning.is_none();
            if !first || free {
                let stopped = stop && owner == ctx && !first;
                if transfer.abort_at.is_some_and(|at| cut >= at) {
                    abort |= 1 << ctx;
                }
                let status = match transfer.fail_at {
                    _ if abort >> ctx & 1 == 1 && random.random_bool(0.5) => {
                        Some(Status::Aborted as u64)
                    }
                    _ if stopped || transfer.length == 0 => Some(0),
                    Some(at) if cut == at => Some(Status::BadSgElement as u64),
                    _ => None,
                };
                let addr = transfer.addr + covered;
                let len = (max - addr % max).min(transfer.length - covered);
                let (len, last) = match status {
                    Some(_) => (0, true),
                    None => (len, covered + len == transfer.length),
                };
                chunks.push_back(Chunk {
                    ctx,
                    addr,
                    len,
                    first,
                    last,
                    status: status.unwrap_or(0),
                });
                if first && status.is_none() {
                    aligning = Some((walked, 0));
                }
                (cut, covered) = (cut + 1, covered + len);
                if last {
                    (walked, cut, covered) = (walked + 1, 0, 0);
                }
            }
        }
        dut.step()?;
        if retired == transfers.len() {
            break;
        }
    }
    assert!(
        memory.is_empty() && data.is_empty() && ends.is_empty(),
        "{} beats, {} records",
        data.len(),
        ends.len()
    );
    assert_eq!(sent, counted);
    Ok(seen)
}

fn transfers(seed: u64, max: u64, count: u64) -> Vec<Transfer> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut list = Vec::new();
    for number in 0..count {
        let length = match random.random_range(0..4) {
            0 => random.random_range(1..40),
            1 => random.random_range(1..600),
            _ => random.random_range(1..4 * max + 100),
        };
        let mut transfer = Transfer {
            addr: (number + 1) << 20 | random.random_range(0..4096),
            length,
            given: length,
            eop: random.random_bool(0.5),
            ..Transfer::default()
        };
        let chunks = ((transfer.addr % max + length).div_ceil(max)) as usize;
        match random.random_range(0..10) {
            0..3 => {
                // A packet that ends anywhere, at a chunk's end, or without a byte.
                let end = max - transfer.addr % max;
                transfer.given = match random.random_range(0..4) {
                    0 => 0,
                    1 if end < length => end,
                    _ => random.random_range(0..length),
                };
                transfer.eop = true;
            }
            3 | 4 => transfer.fail_at = Some(random.random_range(0..chunks)),
            5 | 6 => transfer.abort_at = Some(random.random_range(0..chunks)),
            7 if random.random_bool(0.3) => (transfer.length, transfer.given) = (0, 0),
            _ => {}
        }
        list.push(transfer);
    }
    list
}

#[test]
fn cuts_transfers_into_writes() -> Result {
    for (seed, max) in [(1, 128), (2, 256), (3, 512)] {
        let seen = run(seed, max, &transfers(seed, max, 100), 0)?;
        let Seen {
            done,
            early,
            empty,
            failed,
            aborted,
            writes,
            clipped_writes,
        } = seen;
        let counts = [done, early, empty, failed, aborted, writes, clipped_writes];
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
    Ok(())
}

/// A report that nobody takes stands, however many writes follow it.
#[test]
fn reports_wait_for_their_reader() -> Result {
    let transfer = |number: u64, length| Transfer {
        addr: number << 20 | 0x45,
        length,
        given: length,
        ..Transfer::default()
    };
    let seen = run(
        4,
        128,
        &[transfer(1, 100), transfer(2, 40_000), transfer(3, 1)],
        4000,
    )?;
    assert_eq!(seen.done, 3);
    Ok(())
}
