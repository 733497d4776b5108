//! Whole lives of contexts: the bench plays queue scheduler, fetch unit, firmware, engine and completion unit.

use super::ContextTable;
use crate::testing::{Result, chance, configure, get128, reset, seeded, set_all, set128};
use pinring_protocol::mailbox::{Command, ContextId, Message, Quiesce};
use pinring_protocol::{
    Direction, Opcode, QueueContext, RegionEntry, SgFormat, Status, SubmissionEntry, limits,
};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

mod bench;
mod transfer;

use bench::{BRISK, Bench, Pace, Switch};
use transfer::Transfer;

const REGION_TABLE: u64 = 0xabc_0000_0000;
const REGIONS: u32 = 8;
const QUEUES: usize = 4;
const TDESTS: [u16; 3] = [8, 9, 11];
/// Kinds of defects that `Transfer::random` knows.
const DEFECTS: u32 = 36;

/// Transfers of all kinds and with every defect, aborts at random moments, everybody slow at times.
fn lives<const D: usize>(seed: u64) -> Result {
    let mut bench = Bench::<D>::new(seed)?;
    let all = 0..DEFECTS;
    // Each defect, and as many transfers without one.
    let mut defects: Vec<u32> = all.clone().flat_map(|defect| [defect, 99]).collect();
    let mut aborts = 0;
    while !defects.is_empty() || bench.dut.steps() < 4_000 {
        assert!(
            bench.dut.steps() < 12_000,
            "transfers hang, {} have not begun",
            defects.len()
        );
        if bench.dut.steps() % 150 == 0 {
            let mut slow = |brisk| {
                if chance(&mut bench.random, 25) {
                    1
                } else {
                    brisk
                }
            };
            bench.pace = Pace {
                reads: slow(BRISK.reads),
                walker: slow(BRISK.walker),
                sink: slow(BRISK.sink),
                ..BRISK
            };
        }
        let next = (!defects.is_empty() && chance(&mut bench.random, 6))
            .then(|| bench.random.random_range(0..defects.len()));
        if bench.step(next.map(|next| defects[next]))? {
            defects.swap_remove(next.expect("it was started"));
        }
        let waits = |command: &Command| {
            matches!(
                command,
                Command::AbortRegion { .. } | Command::AbortQueue { .. }
            )
        };
        if bench.abort.is_none()
            && !bench.commands.iter().any(waits)
            && bench.switches == [Switch::On; QUEUES]
            && bench.random.random_range(0..200) == 0
        {
            aborts += 1;
            let command = if bench.random.random() {
                Command::AbortRegion {
                    region: bench.random.random_range(0..REGIONS),
                }
            } else {
                Command::AbortQueue {
                    queue: bench.random.random_range(0..QUEUES as u8),
                }
            };
            bench.abort(command);
        }
    }
    bench.drain(10_000)?;
    assert_eq!(bench.quiesced, aborts);
    // Defects that an abort or a refusal hid every time show now.
    for _ in 0..5 {
        for defect in all.clone() {
            while !bench.shown.contains(&defect) && !bench.step(Some(defect))? {}
        }
        bench.drain(10_000)?;
    }
    // A refusal is a matter of luck.
    for _ in 0..100 {
        if bench.ends.contains(&Status::Rejected) {
            break;
        }
        bench.start(0)?;
        bench.drain(10_000)?;
    }
    for code in 0..=Status::ReadPoisoned.code() {
        let status = Status::from_code(code).expect("a status");
        // An SG element is the walker's business.
        assert!(
            bench.ends.contains(&status) || status == Status::BadSgElement,
            "nothing ended with {status:?}"
        );
    }
    assert!(all.clone().all(|defect| bench.shown.contains(&defect)));
    assert!(bench.ends.contains(&Status::Rejected));
    assert!(
        aborts > 5 && bench.stale > 5 && bench.consumed > 10,
        "{aborts} {} {}",
        bench.stale,
        bench.consumed
    );
    Ok(())
}

#[test]
fn lives_of_c2h_contexts() -> Result {
    lives::<0>(1)
}

#[test]
fn lives_of_h2c_contexts() -> Result {
    lives::<1>(2)
}

/// An abort finds a transfer whose reads have all landed and whose packet waits for the stream. It must not run again, nor may
/// the next transfer of its context run before its entry is there.
#[test]
fn a_landed_transfer_is_not_run_again_by_an_abort() -> Result {
    let mut bench = Bench::<1>::new(3)?;
    bench.pace.sink = 0;
    let ctx = bench.start(1)?;
    bench.until(2000, "landed", |bench| {
        bench.draining.front().is_some_and(|run| run.landed)
    })?;
    let region = bench.transfer(ctx).submission.region();
    bench.abort(Command::AbortRegion { region });
    bench.until(400, "QUIESCED", |bench| bench.quiesced == 1)?;
    bench.drain(2000)?;
    assert_eq!(bench.ends, [Status::Ok]);
    bench.pace.held_kind = Some(0);
    let next = bench.start(1)?;
    assert_eq!(next, ctx);
    for _ in 0..100 {
        bench.step(None)?;
    }
    assert!(!bench.transfer(ctx).dispatched, "before its entry came");
    bench.drain(2000)
}

/// A region entry comes when its transfer has been aborted and has completed: it is dropped, and no list is read.
#[test]
fn a_region_entry_that_comes_after_an_abort_is_dropped() -> Result {
    let mut bench = Bench::<0>::new(4)?;
    for queue in [false, true] {
        bench.pace.held_kind = Some(1);
        let ctx = bench.start(1)?;
        bench.until(1000, "region entry read", |bench| {
            bench.reads.iter().any(|read| read.kind == 1)
        })?;
        let region = bench.transfer(ctx).submission.region();
        bench.abort(if queue {
            Command::AbortQueue { queue: 1 }
        } else {
            Command::AbortRegion { region }
        });
        let quiesced = bench.quiesced;
        for _ in 0..500 {
            bench.step(None)?;
        }
        assert_eq!(bench.quiesced, quiesced, "a read is on its way");
        assert_eq!(bench.transfer(ctx).recorded, !queue);
        bench.drain(1000)?;
        assert_eq!(bench.quiesced, quiesced + 1);
        for _ in 0..100 {
            bench.step(None)?;
        }
        assert!(!bench.transfer(ctx).opened);
    }
    Ok(())
}

/// While an abort waits for a read, the commands behind it are carried out.
#[test]
fn commands_pass_a_pending_abort() -> Result {
    let mut bench = Bench::<0>::new(5)?;
    bench.pace.held_kind = Some(1);
    let ctx = bench.start(1)?;
    bench.until(1000, "region entry read", |bench| {
        !bench.reads.is_empty() && bench.reads[0].kind == 1
    })?;
    bench.abort(Command::AbortQueue { queue: 1 });
    bench.until(1000, "abort", |bench| bench.abort.is_some())?;
    let other = bench.start(2)?;
    bench.until(1000, "another FILL", |bench| {
        bench
            .reads
            .iter()
            .any(|read| read.ctx == other && read.kind == 1)
    })?;
    assert!(bench.abort.is_some() && bench.transfer(ctx).in_flight == 1);
    bench.drain(2000)?;
    assert_eq!(bench.ends, [Status::Ok]);
    Ok(())
}

/// The stream stands still in the middle of a transfer of queue 1. Queue 2 ends within a bounded time nevertheless, its transfers
/// leave no completion, and it serves again.
fn a_queue_ends_whatever_the_stream_does<const D: usize>() -> Result {
    let mut bench = Bench::<D>::new(6)?;
    (bench.pace.walker, bench.pace.sink) = (0, 0);
    let first = bench.start(1)?;
    bench.until(2000, "the engine is at work", |bench| {
        bench.transfer(first).dispatched
    })?;
    let waiting = [bench.start(2)?, bench.start(2)?, bench.start(2)?];
    for _ in 0..600 {
        bench.step(None)?;
    }
    bench.abort(Command::AbortQueue { queue: 2 });
    bench.until(800, "QUIESCED", |bench| bench.quiesced == 1)?;
    for ctx in waiting {
        assert!(!bench.transfer(ctx).dispatched);
    }
    // The queue of the transfer that the engine has: it lands, and its packet waits for the stream.
    bench.abort(Command::AbortQueue { queue: 1 });
    bench.until(800, "QUIESCED", |bench| bench.quiesced == 2)?;
    assert!(D == 0 || bench.transfer(first).muted);
    bench.until(400, "both queues serve again", |bench| {
        bench.switches == [Switch::On; QUEUES]
    })?;
    bench.start(1)?;
    bench.start(2)?;
    for _ in 0..600 {
        bench.step(None)?;
    }
    // With the stalled packet still there: the same queue once more.
    bench.abort(Command::AbortQueue { queue: 1 });
    bench.until(800, "QUIESCED", |bench| bench.quiesced == 3)?;
    bench.drain(3000)
}

#[test]
fn a_c2h_queue_ends_whatever_the_stream_does() -> Result {
    a_queue_ends_whatever_the_stream_does::<0>()
}

#[test]
fn an_h2c_queue_ends_whatever_the_stream_does() -> Result {
    a_queue_ends_whatever_the_stream_does::<1>()
}

/// A queue with many transfers is served as often as those with few.
#[test]
fn queues_take_turns() -> Result {
    let mut bench = Bench::<1>::new(7)?;
    bench.pace.walker = 0;
    let first = bench.start(0)?;
    bench.until(2000, "the engine is at work", |bench| {
        bench.transfer(first).dispatched
    })?;
    for queue in [1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3] {
        bench.start(queue)?;
    }
    // All of them are ready then.
    for _ in 0..1500 {
        bench.step(None)?;
    }
    bench.drain(6000)?;
    assert_eq!(bench.order, [0, 1, 2, 3, 1, 2, 3, 1, 3, 1, 1, 1, 1]);
    Ok(())
}

/// No fetch tag is free, for good: whatever needs none goes on.
fn without_tags<const D: usize>(seed: u64) -> Result {
    let mut bench = Bench::<D>::new(seed)?;
    bench.pace.sink = 0;
    let running = bench.start(0)?;
    bench.until(4000, "behind the walker", |bench| {
        !bench.draining.is_empty()
    })?;
    // A region entry is here and its first block cannot be read.
    bench.pace.held_kind = Some(1);
    let opening = bench.start(1)?;
    bench.until(1000, "region entry read", |bench| {
        bench.reads.iter().any(|read| read.kind == 1)
    })?;
    (bench.pace.fetch, bench.pace.held_kind) = (0, None);
    bench.until(1000, "region entry here", |bench| bench.reads.is_empty())?;
    for _ in 0..50 {
        bench.step(None)?;
    }
    assert!(bench.dut.is("fetch_valid")? && !bench.transfer(opening).opened);
    bench.pace.sink = 30;
    bench.until(500, "the transfer that runs ends", |bench| {
        bench.transfer(running).is_over()
    })?;
    let region = bench.transfer(opening).submission.region();
    bench.abort(Command::AbortRegion { region });
    bench.until(500, "QUIESCED", |bench| bench.quiesced == 1)?;
    bench.until(1000, "the aborted transfer ends", |bench| {
        bench.transfer(opening).is_over()
    })?;
    assert_eq!(bench.ends, [Status::Ok, Status::Aborted]);
    // Its answer to a MISS stands there, and NOPs pass.
    let missing = bench.start(1)?;
    bench.until(1000, "FILL", |bench| {
        bench.transfer(missing).announced && !bench.commands.is_empty()
    })?;
    for _ in 0..50 {
        bench.step(None)?;
    }
    bench.only_queue = Some(2);
    for _ in 0..3 {
        assert!(bench.step(Some(0))?);
    }
    bench.only_queue = None;
    bench.until(1000, "three NOPs", |bench| bench.recorded[2] == 3)?;
    assert!(!bench.transfer(missing).dispatched);
    bench.drain(4000)
}

#[test]
fn c2h_goes_on_without_fetch_tags() -> Result {
    without_tags::<0>(9)
}

#[test]
fn h2c_goes_on_without_fetch_tags() -> Result {
    without_tags::<1>(8)
}
