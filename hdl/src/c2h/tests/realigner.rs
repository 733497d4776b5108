//! The realigner against a cursor that walks the stream.

use super::{Cursor, Result, Stream, bytes, words};
use crate::c2h::Realigner;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::VecDeque;

#[derive(Clone, Copy)]
struct Job {
    lane: usize,
    length: usize,
    ctx: u64,
    /// Cancel once this many beats have left.
    cancel_after: Option<usize>,
    cancelled: bool,
}

/// How often the interesting ends were seen.
#[derive(Debug, Default)]
struct Seen {
    ended_early: u32,
    empty: u32,
    inside_beat: u32,
    on_packet_end: u32,
    cancelled: u32,
    cancelled_at_once: u32,
}

fn run<const W: usize, const B: usize, const L: usize, const L1: usize>(seed: u64) -> Result {
    let lanes = B;
    let mut dut = Pair::new(
        Realigner::default(),
        ports!(Realigner<W, B, L, L1> {
            clock: clock;
            in reset, job_valid, job_lane, job_length, job_ctx, s_tvalid, s_tdata, s_count, s_tlast, cancel, cancel_ctx,
                out_room;
            out job_ready, s_tready, out_write, out_data, end_write, end_ctx, end_bytes, end_eop, idle
        }),
    )?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut stream = Stream::new(lanes);
    for _ in 0..500 {
        let len = match random.random_range(0..8) {
            0..4 => random.random_range(1..40),
            4 => lanes * random.random_range(1..5),
            5 | 6 => random.random_range(1..400),
            _ => random.random_range(1..2000),
        };
        let empty_end = random.random_bool(0.2);
        let len = if empty_end {
            len.next_multiple_of(lanes)
        } else {
            len
        };
        stream.push(&mut random, len, empty_end);
    }

    let mut model = Cursor::default();
    let mut seen = Seen::default();
    let mut offered: Option<Job> = None;
    // A job may begin while the end of the one before is still in the pipeline.
    let mut running: VecDeque<Job> = VecDeque::new();
    let mut ctx = 0;
    let mut left: Vec<Vec<u8>> = Vec::new();
    let (mut next_beat, mut beat_valid) = (0, false);
    let (mut room, mut without_room, mut cancelling) = (true, 0, 0);
    for cycle in 0.. {
        assert!(cycle < 40_000, "the stream does not end");
        // The FIFO stands full at times.
        room = random.random_bool(if room { 0.97 } else { 0.2 });
        dut.set("out_room", room)?;
        if offered.is_none() && running.len() < 2 && random.random_bool(0.7) {
            let length = match random.random_range(0..6) {
                0 | 1 => random.random_range(1..=2 * lanes),
                2 | 3 => random.random_range(1..=200),
                4 => lanes * random.random_range(1..=3),
                _ => random.random_range(1..=4096),
            };
            ctx = (ctx + random.random_range(1..8)) % 16;
            offered = Some(Job {
                lane: random.random_range(0..lanes),
                length,
                ctx,
                cancel_after: random.random_bool(0.3).then(|| random.random_range(0..8)),
                cancelled: false,
            });
        }
        dut.set("job_valid", offered.is_some())?;
        if let Some(job) = offered {
            dut.set("job_lane", job.lane as u64)?;
            dut.set("job_length", job.length as u64)?;
            dut.set("job_ctx", job.ctx)?;
        }
        beat_valid |= next_beat < stream.beats.len() && random.random_bool(0.85);
        dut.set("s_tvalid", beat_valid)?;
        if beat_valid {
            let (beat, last) = &stream.beats[next_beat];
            dut.set_wide("s_tdata", &words(beat))?;
            dut.set("s_count", beat.len() as u64)?;
            dut.set("s_tlast", *last)?;
        }
        // A cancel that names another context does nothing.
        let newest = running.len() == 1;
        let cancel = running
            .front()
            .is_some_and(|job| newest && job.cancel_after.is_some_and(|after| left.len() >= after));
        let other = !cancel && random.random_bool(0.3);
        dut.set("cancel", cancel || other)?;
        if let Some(job) = running.back_mut() {
            dut.set(
                "cancel_ctx",
                if other { (job.ctx + 9) % 16 } else { job.ctx },
            )?;
            job.cancelled |= cancel;
        }
        assert_eq!(dut.is("idle")?, dut.is("job_ready")?);

        without_room = if room {
            0
        } else {
            without_room + u32::from(dut.is("out_write")?)
        };
        assert!(
            without_room <= 4,
            "cycle {cycle}: {without_room} beats without room"
        );
        if dut.is("out_write")? {
            let beat = bytes(dut.get_wide("out_data")?);
            left.push(beat);
        }
        cancelling += u32::from(cancel);
        assert!(cancelling < 6, "cycle {cycle}: the cancelled job goes on");
        if dut.is("end_write")? {
            let job = running.pop_front().expect("a job in hand");
            let moved = dut.get("end_bytes")? as usize;
            let end_eop = dut.is("end_eop")?;
            let mut whole = model;
            let natural = whole.take(&stream, job.length);
            let ended = |(data, eop): &(Vec<u8>, bool)| moved == data.len() && *eop == end_eop;
            let cut = job.cancelled && !natural.as_ref().is_some_and(ended);
            let (data, eop) = if cut {
                seen.cancelled += 1;
                seen.cancelled_at_once += u32::from(moved == 0);
                model.take(&stream, moved).map(|(data, _)| (data, false))
            } else {
                model = whole;
                natural
            }
            .expect("bytes of the stream");
            assert_eq!(moved, data.len(), "cycle {cycle}");
            assert_eq!(
                (dut.get("end_ctx")?, end_eop),
                (job.ctx, eop),
                "cycle {cycle}"
            );
            let beats = if data.is_empty() {
                0
            } else {
                (job.lane + data.len()).div_ceil(lanes)
            };
            assert_eq!(
                left.len(),
                beats,
                "cycle {cycle}: {} bytes from lane {}",
                data.len(),
                job.lane
            );
            let flat = left.concat();
            if beats > 0 {
                assert_eq!(flat[job.lane..job.lane + data.len()], data, "cycle {cycle}");
            }
            left.clear();
            cancelling = 0;
            seen.ended_early += u32::from(eop && moved < job.length);
            seen.empty += u32::from(eop && moved == 0);
            seen.on_packet_end += u32::from(eop && moved == job.length);
            seen.inside_beat += u32::from(!eop && !cut && model.used != 0);
        }
        if dut.is("job_ready")?
            && let Some(job) = offered.take()
        {
            running.push_back(job);
        }
        if beat_valid && dut.is("s_tready")? {
            next_beat += 1;
            beat_valid = false;
        }
        let done = model.beat == stream.beats.len();
        dut.step()?;
        if done {
            break;
        }
    }
    let Seen {
        ended_early,
        empty,
        inside_beat,
        on_packet_end,
        cancelled,
        cancelled_at_once,
    } = seen;
    let counts = [
        ended_early,
        empty,
        inside_beat,
        on_packet_end,
        cancelled,
        cancelled_at_once,
    ];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    Ok(())
}

#[test]
fn packs_transfers_at_16_lanes() -> Result {
    run::<128, 16, 4, 5>(1)
}

#[test]
fn packs_transfers_at_8_lanes() -> Result {
    run::<64, 8, 3, 4>(2)
}

#[test]
fn packs_transfers_at_32_lanes() -> Result {
    run::<256, 32, 5, 6>(3)
}

#[test]
fn packs_transfers_at_64_lanes() -> Result {
    run::<512, 64, 6, 7>(4)
}

#[test]
fn reset_forgets_the_job() -> Result {
    let mut dut = Pair::new(
        Realigner::default(),
        ports!(Realigner<128, 16, 4, 5> {
            clock: clock;
            in reset, job_valid, job_lane, job_length, job_ctx, s_tvalid, s_tdata, s_count, s_tlast, cancel, cancel_ctx,
                out_room;
            out job_ready, s_tready, out_write, out_data, end_write, end_ctx, end_bytes, end_eop, idle
        }),
    )?;
    for (name, value) in [
        ("job_valid", 1),
        ("job_lane", 7),
        ("job_length", 5),
        ("s_count", 16),
        ("out_room", 1),
    ] {
        dut.set(name, value)?;
    }
    dut.step()?;
    dut.set("job_valid", false)?;
    dut.set("s_tvalid", true)?;
    assert!(!dut.is("idle")? && !dut.is("s_tready")?);
    // The job ends inside the beat in this cycle; after the reset neither its beat nor its end comes out, and the next
    // job starts at lane 0 of the beat on offer.
    dut.step()?;
    dut.set("reset", true)?;
    dut.step()?;
    dut.set("reset", false)?;
    for _ in 0..4 {
        assert!(dut.is("idle")? && !dut.is("out_write")? && !dut.is("end_write")?);
        dut.step()?;
    }
    dut.set("job_valid", true)?;
    dut.set("job_length", 12)?;
    dut.step()?;
    assert!(!dut.is("s_tready")?, "bytes of the beat are missing");
    Ok(())
}
