//! Whole lives of contexts: the bench plays queue scheduler, fetch unit, firmware, engine and completion unit.

use super::{ContextState, ContextTable};
use crate::sizes::{Full, Sizes, Small};
use crate::testing::{Result, chance, configure, get128, reset, seeded, set_all, set128};
use pinring_protocol::mailbox::{Command, ContextId, Message, NOT_KEPT, Quiesce};
use pinring_protocol::{
    Direction, Opcode, QueueContext, RegionEntry, SgFormat, Status, SubmissionEntry, limits,
};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::{BTreeMap, VecDeque};

mod bench;
mod transfer;

use bench::{BRISK, Bench, FASTEST, Pace, Switch};
use transfer::Transfer;

const REGION_TABLE: u64 = 0xabc_0000_0000;
const REGIONS: u32 = 208;
/// Ids below are those of transfers that bring a region entry of their own.
const OWN_REGIONS: u32 = 8;
const QUEUES: usize = 4;
const TDESTS: [u16; 3] = [8, 9, 11];
/// Kinds of defects that `Transfer::random` knows.
const DEFECTS: u32 = 36;
/// In the place of a defect: a sound transfer of a region that stays.
const LASTING: u32 = 98;

/// Transfers of all kinds and with every defect, aborts at random moments, everybody slow at times.
fn lives<const D: usize, S: Sizes>(seed: u64) -> Result {
    let mut bench = Bench::<D, S>::new(seed)?;
    // Fewer at a time take longer.
    let patience = 16_000 * if S::CONTEXTS < 16 { 3 } else { 1 };
    let all = 0..DEFECTS;
    // Each defect, and more transfers without one.
    let mut defects: Vec<u32> = all
        .clone()
        .flat_map(|defect| [defect, LASTING, LASTING])
        .collect();
    let mut aborts = 0;
    while !defects.is_empty() || bench.dut.steps() < 2_500 {
        assert!(
            bench.dut.steps() < patience,
            "transfers hang, {} have not begun",
            defects.len()
        );
        if bench.dut.steps() % 150 == 0 {
            let mut slow = |brisk| {
                if chance(&mut bench.random, 25) {
                    3
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
            && bench.random.random_range(0..120) == 0
        {
            aborts += 1;
            let command = if bench.random.random() {
                let lasting: Vec<u32> = bench.regions.keys().copied().collect();
                let region = if chance(&mut bench.random, 30) {
                    bench.random.random_range(0..OWN_REGIONS)
                } else {
                    lasting[bench.random.random_range(0..lasting.len())]
                };
                Command::AbortRegion { region, ticket: 0 }
            } else {
                Command::AbortQueue {
                    queue: bench.random.random_range(0..Bench::<D, S>::QUEUES as u8),
                    ticket: 0,
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
    // Few contexts have few transfers for an abort to hit.
    if !bench.ends.contains(&Status::Aborted) {
        bench.pace.held_kind = Some(1);
        let ctx = bench.start(1)?;
        bench.until(1000, "region entry read", |bench| {
            bench.reads.iter().any(|read| read.kind == 1)
        })?;
        let region = bench.transfer(ctx).submission.region();
        bench.abort(Command::AbortRegion { region, ticket: 0 });
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
    assert!(
        bench.hits[0] > 10 && bench.hits[1] > 0,
        "{:?} hits beside {} misses",
        bench.hits,
        bench.misses
    );
    Ok(())
}

#[test]
fn lives_of_c2h_contexts() -> Result {
    lives::<0, Full>(1)
}

#[test]
fn lives_of_h2c_contexts() -> Result {
    lives::<1, Full>(2)
}

#[test]
fn lives_of_few_c2h_contexts() -> Result {
    lives::<0, Small>(3)
}

#[test]
fn lives_of_few_h2c_contexts() -> Result {
    lives::<1, Small>(4)
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
    bench.abort(Command::AbortRegion { region, ticket: 0 });
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
            Command::AbortQueue {
                queue: 1,
                ticket: 0,
            }
        } else {
            Command::AbortRegion { region, ticket: 0 }
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
        assert_eq!(bench.transfer(ctx).last_read, None);
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
    bench.abort(Command::AbortQueue {
        queue: 1,
        ticket: 0,
    });
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
    bench.abort(Command::AbortQueue {
        queue: 2,
        ticket: 0,
    });
    bench.until(800, "QUIESCED", |bench| bench.quiesced == 1)?;
    for ctx in waiting {
        assert!(!bench.transfer(ctx).dispatched);
    }
    // The queue of the transfer that the engine has: it lands, and its packet waits for the stream.
    bench.abort(Command::AbortQueue {
        queue: 1,
        ticket: 0,
    });
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
    bench.abort(Command::AbortQueue {
        queue: 1,
        ticket: 0,
    });
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
    (bench.pace.sink, bench.refusals) = (0, 0);
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
    assert!(bench.dut.is("fetch_valid")? && bench.transfer(opening).last_read.is_none());
    bench.pace.sink = 30;
    bench.until(500, "the transfer that runs ends", |bench| {
        bench.transfer(running).is_over()
    })?;
    let region = bench.transfer(opening).submission.region();
    bench.abort(Command::AbortRegion { region, ticket: 0 });
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

/// A region of queue `queue`, in set 8 or 9.
fn region_of<const D: usize>(bench: &Bench<D>, queue: usize, number: usize) -> u32 {
    let own = bench
        .regions
        .iter()
        .filter(|(_, (owner, _))| *owner == queue);
    *own.map(|(id, _)| id).nth(number).expect("three regions")
}

/// Runs a transfer of the region from its first byte on; returns how many MISSes and reads of blocks that took.
fn run_one<const D: usize>(
    bench: &mut Bench<D>,
    queue: usize,
    region: u32,
) -> Result<(usize, bool)> {
    bench.only_region = Some(region);
    let misses = bench.misses;
    let ctx = bench.start(queue)?;
    bench.only_region = None;
    bench.until(4000, "over", |bench| bench.transfer(ctx).is_over())?;
    let read = bench.transfer(ctx).last_read.is_some();
    Ok((bench.misses - misses, read))
}

/// Makes the region's list one block, so that every transfer of it begins there.
fn one_block<const D: usize>(bench: &mut Bench<D>, region: u32) {
    let entry = &mut bench.regions.get_mut(&region).expect("a region").1;
    entry.set_element_count(20);
}

/// Keeps a transfer of the region once, so that it is on chip.
fn settle<const D: usize>(bench: &mut Bench<D>, queue: usize, region: u32) -> Result {
    one_block(bench, region);
    for _ in 0..40 {
        if run_one(bench, queue, region)? == (0, false) {
            return Ok(());
        }
    }
    panic!("region {region} never stays");
}

/// The id of a resident region is used again straight after the acknowledgement, with the same generation and another table.
#[test]
fn after_an_invalidation_the_new_table_is_read() -> Result {
    let mut bench = Bench::<0>::new(11)?;
    bench.refusals = 0;
    let region = region_of(&bench, 1, 0);
    for _ in 0..4 {
        settle(&mut bench, 1, region)?;
        take_away(&mut bench, region)?;
        let (misses, read) = run_one(&mut bench, 1, region)?;
        assert!(misses == 1 && read, "an old table is used");
    }
    bench.drain(2000)
}

/// An entry, or a block, is on its way when its region is taken away; what it brings does not stay.
#[test]
fn what_comes_after_an_invalidation_does_not_stay() -> Result {
    let mut bench = Bench::<1>::new(12)?;
    bench.refusals = 0;
    let region = region_of(&bench, 2, 0);
    one_block(&mut bench, region);
    let mut caught = [0; 2];
    for round in 0..14 {
        let kind = 1 + round % 2;
        // In one context after the other: NOPs before it do not end while the stream stands still.
        (bench.pace.sink, bench.pace.held_kind) = (0, Some(kind));
        bench.only_queue = Some(0);
        for _ in 0..round / 2 {
            assert!(bench.step(Some(0))?);
        }
        bench.only_region = Some(region);
        let misses = bench.misses;
        let ctx = bench.start(2)?;
        bench.only_region = None;
        assert_eq!(ctx as u64, round / 2);
        for _ in 0..300 {
            bench.step(None)?;
        }
        assert_eq!(bench.misses, misses + 1);
        let held = bench.reads.iter().any(|read| read.kind == kind);
        caught[kind as usize - 1] += u32::from(held);
        let quiesced = bench.quiesced;
        bench.abort(Command::AbortRegion { region, ticket: 0 });
        for _ in 0..100 {
            bench.step(None)?;
        }
        assert!(!held || bench.quiesced == quiesced, "a read is on its way");
        bench.pace.held_kind = None;
        bench.until(1000, "QUIESCED", |bench| bench.quiesced > quiesced)?;
        // What has come is looked at, and dropped, while its transfer has no end yet.
        for _ in 0..40 {
            bench.step(None)?;
        }
        bench.pace = BRISK;
        let (misses, read) = run_one(&mut bench, 2, region)?;
        assert!(
            misses == 1 && read,
            "round {round}: an old entry or block stays"
        );
        // It is on chip again for the next round, or not; then taken away, so that the round begins with a MISS.
        take_away(&mut bench, region)?;
    }
    assert!(
        caught.iter().all(|caught| *caught > 6),
        "{caught:?} entries and blocks on their way"
    );
    bench.drain(2000)
}

/// Takes a region away; its id and pages are used again from the acknowledgement on.
fn take_away<const D: usize>(bench: &mut Bench<D>, region: u32) -> Result {
    let quiesced = bench.quiesced;
    bench.abort(Command::AbortRegion { region, ticket: 0 });
    bench.until(1000, "QUIESCED", |bench| bench.quiesced > quiesced)
}

/// Regions of one set: while transfers run from the blocks of two, a third is taken away.
#[test]
fn an_invalidation_disturbs_no_neighbour() -> Result {
    let mut bench = Bench::<0>::new(13)?;
    bench.refusals = 0;
    // All three in set 9, which has room for them all.
    let regions = [0, 1, 2].map(|queue| region_of(&bench, queue, 1));
    for region in regions {
        one_block(&mut bench, region);
    }
    // Each way is given at random, so that they drive each other out until all have one of their own.
    let mut here = 0;
    for round in 0..200 {
        let queue = round % 3;
        let served = run_one(&mut bench, queue, regions[queue])? == (0, false);
        here = if served { here + 1 } else { 0 };
        if here == 3 {
            break;
        }
    }
    assert_eq!(here, 3, "all three are on chip");
    (bench.pace.walker, bench.pace.sink) = (0, 0);
    let misses = bench.misses;
    let mut waiting = Vec::new();
    for queue in [0, 1] {
        for _ in 0..2 {
            bench.only_region = Some(regions[queue]);
            waiting.push(bench.start(queue)?);
        }
    }
    bench.only_region = None;
    for _ in 0..300 {
        bench.step(None)?;
    }
    assert_eq!(bench.misses, misses, "the neighbours are on chip");
    bench.abort(Command::AbortRegion {
        region: regions[2],
        ticket: 0,
    });
    bench.until(1000, "QUIESCED", |bench| bench.quiesced == 1)?;
    bench.pace = BRISK;
    for ctx in waiting {
        bench.until(4000, "over", |bench| bench.transfer(ctx).is_over())?;
        assert_eq!(bench.transfer(ctx).expected, Status::Ok);
    }
    for queue in [0, 1] {
        assert_eq!(run_one(&mut bench, queue, regions[queue])?, (0, false));
    }
    assert_eq!(run_one(&mut bench, 2, regions[2])?.0, 1, "it is taken away");
    bench.drain(2000)
}

/// Transfers of a region that is not on chip, and of one in another set, before anything comes back: the sets miss once each, entry and
/// block are read once each, and the entries while the firmware says nothing yet.
#[test]
fn transfers_wait_for_the_first_miss_of_their_region() -> Result {
    let mut bench = Bench::<1>::new(15)?;
    (bench.refusals, bench.kept, bench.silent) = (0, 100, true);
    let regions = [region_of(&bench, 1, 0), region_of(&bench, 1, 1)];
    let mut waiting = Vec::new();
    for region in regions {
        one_block(&mut bench, region);
        bench.only_region = Some(region);
        for _ in 0..5 {
            waiting.push(bench.start(1)?);
        }
    }
    bench.only_region = None;
    for _ in 0..1000 {
        bench.step(None)?;
    }
    assert_eq!((bench.misses, bench.entries), (2, 2), "one of each set");
    assert!(bench.reads.is_empty(), "the entries are here");
    bench.silent = false;
    bench.pace.held_kind = Some(2);
    for _ in 0..1000 {
        bench.step(None)?;
    }
    for region in regions {
        bench.only_region = Some(region);
        waiting.push(bench.start(1)?);
    }
    bench.only_region = None;
    for _ in 0..300 {
        bench.step(None)?;
    }
    assert_eq!(bench.reads.len(), 2, "their blocks are on their way, once");
    bench.drain(8000)?;
    assert_eq!(bench.ends, [Status::Ok; 12]);
    assert_eq!((bench.misses, bench.entries), (2, 2));
    let read = |ctx: &&usize| bench.transfer(**ctx).last_read.is_some();
    assert_eq!(waiting.iter().filter(read).count(), 2);
    Ok(())
}

/// The block that ends a MISS comes at each distance from the look at a transfer that would wait for it.
#[test]
fn nobody_waits_for_a_block_that_is_here() -> Result {
    let mut bench = Bench::<0>::new(17)?;
    (bench.refusals, bench.kept) = (0, 100);
    let region = region_of(&bench, 1, 0);
    one_block(&mut bench, region);
    for distance in 5..14 {
        bench.pace.held_kind = Some(2);
        bench.pace.reads = 100;
        bench.only_region = Some(region);
        bench.start(1)?;
        bench.until(2000, "block asked for", |bench| {
            bench.reads.iter().any(|read| read.kind == 2)
        })?;
        let second = bench.start(1)?;
        bench.only_region = None;
        for _ in 0..distance {
            bench.step(None)?;
        }
        bench.pace.held_kind = None;
        bench.until(2000, "over", |bench| bench.transfer(second).is_over())?;
        bench.drain(1000)?;
        take_away(&mut bench, region)?;
    }
    assert!(bench.looked_again > 0, "no block came with the look");
    Ok(())
}

/// What a MISS's transfer is denied is not denied to those that wait for it: a refusal, an abort of its region or its queue, or a
/// region that does not stay; one after the other they miss for themselves.
#[test]
fn those_that_wait_outlive_the_first() -> Result {
    let mut bench = Bench::<0>::new(16)?;
    (bench.refusals, bench.kept) = (0, 100);
    let region = region_of(&bench, 1, 0);
    let neighbour = region_of(&bench, 2, 0);
    one_block(&mut bench, region);
    assert_eq!(region % 16, neighbour % 16, "the same set");
    for end in 0..4 {
        // The engine stands still, so that no end of a transfer helps.
        bench.pace.walker = 0;
        let running = bench.start(1)?;
        bench.until(2000, "the engine is at work", |bench| {
            bench.transfer(running).dispatched
        })?;
        bench.silent = true;
        let misses = bench.misses;
        bench.only_region = Some(region);
        bench.start(1)?;
        bench.until(1000, "MISS", |bench| bench.misses > misses)?;
        bench.only_region = Some(neighbour);
        let waiting = [bench.start(2)?, bench.start(2)?];
        bench.only_region = None;
        for _ in 0..300 {
            bench.step(None)?;
        }
        assert_eq!(bench.misses, misses + 1, "the neighbours wait");
        match end {
            0 => {
                let Some(Command::Fill { ctx, .. }) = bench.commands.pop_back() else {
                    panic!("no answer");
                };
                let status = Status::Rejected;
                bench.commands.push_back(Command::Reject { ctx, status });
                bench.silent = false;
            }
            1 => bench.abort(Command::AbortRegion { region, ticket: 0 }),
            2 => bench.abort(Command::AbortQueue {
                queue: 1,
                ticket: 0,
            }),
            _ => (bench.kept, bench.silent) = (0, false),
        }
        bench.until(2000, "the next MISS", |bench| bench.misses == misses + 2)?;
        (bench.silent, bench.pace) = (false, BRISK);
        for ctx in waiting {
            bench.until(4000, "over", |bench| bench.transfer(ctx).is_over())?;
            // A block may fail, as anybody's.
            let status = bench.transfer(ctx).expected;
            assert!(
                matches!(status, Status::Ok | Status::ReadUnsupported),
                "end {end}: {status:?}"
            );
        }
        bench.drain(4000)?;
        // So that the next round begins with a MISS.
        for region in [region, neighbour] {
            take_away(&mut bench, region)?;
        }
    }
    Ok(())
}

/// Two busy queues, each with a further transfer whenever one ends, and a third whose regions are in the same set: nothing stays, and each
/// MISS ends when all wait for it. The third has its turn; also with two more in another set, which end theirs in between.
#[test]
fn queues_that_miss_in_one_set_take_turns() -> Result {
    for others in [0, 2] {
        let mut bench = Bench::<1>::new(18)?;
        (bench.refusals, bench.kept) = (0, 0);
        bench.pace.held_kind = Some(1);
        let mut busy = vec![(1, region_of(&bench, 1, 0)), (2, region_of(&bench, 2, 0))];
        let region = region_of(&bench, 3, 0);
        busy.extend(vec![(0, region_of(&bench, 0, 1)); others]);
        for (_, id) in busy.iter().chain([&(3, region)]) {
            one_block(&mut bench, *id);
        }
        let mut running = Vec::new();
        for (queue, id) in &busy {
            bench.only_region = Some(*id);
            running.push(bench.start(*queue)?);
        }
        for _ in 0..200 {
            bench.step(None)?;
        }
        bench.only_region = Some(region);
        let third = bench.start(3)?;
        let mut turns = 0;
        while !bench.transfer(third).announced {
            assert!(turns < 4, "the third queue starves beside {others} others");
            for _ in 0..250 {
                for (number, (queue, id)) in busy.iter().enumerate() {
                    // In the same context again, before that of the third.
                    if bench.transfer(running[number]).is_over()
                        && bench.dut.get("free_ctx")? as usize == running[number]
                    {
                        bench.only_region = Some(*id);
                        running[number] = bench.start(*queue)?;
                    }
                }
                bench.step(None)?;
            }
            // The entries that were asked for come, the other set's first.
            let misses = bench.misses;
            bench.pace.held_kind = None;
            let sets = if others > 0 { 2 } else { 1 };
            bench.until(1000, "the next MISSes", |bench| {
                bench.misses == misses + sets
            })?;
            bench.pace.held_kind = Some(1);
            turns += 1;
        }
        bench.only_region = None;
        bench.drain(4000)?;
    }
    Ok(())
}

/// All other contexts wait for a region's first block; with it they are looked at again, behind the transfer that was first.
#[test]
fn those_that_are_woken_do_not_hold_up_the_first() -> Result {
    let mut bench = Bench::<1>::new(19)?;
    (bench.refusals, bench.kept) = (0, 100);
    let region = region_of(&bench, 1, 0);
    one_block(&mut bench, region);
    bench.pace = FASTEST;
    bench.pace.held_kind = Some(2);
    bench.only_region = Some(region);
    let first = bench.start(1)?;
    for _ in 1..16 {
        bench.start(1)?;
    }
    bench.only_region = None;
    for _ in 0..400 {
        bench.step(None)?;
    }
    assert_eq!((bench.misses, bench.reads.len()), (1, 1));
    bench.pace.held_kind = None;
    bench.until(100, "the block", |bench| bench.reads.is_empty())?;
    let from = bench.dut.steps();
    bench.until(400, "job", |bench| bench.transfer(first).dispatched)?;
    let cycles = bench.dut.steps() - from;
    println!("{cycles} cycles from the block to the walker's job");
    assert!(cycles <= 36, "{cycles}");
    bench.drain(4000)
}

/// Those that wait for a region that does not stay do not wait for its block: whether the firmware keeps nothing or the region is one-shot.
#[test]
fn what_does_not_stay_is_waited_for_until_its_entry() -> Result {
    for one_shot in [false, true] {
        let mut bench = Bench::<0>::new(20)?;
        (bench.refusals, bench.kept) = (0, if one_shot { 100 } else { 0 });
        let regions = [1, 2].map(|queue| region_of(&bench, queue, 0));
        for region in regions {
            one_block(&mut bench, region);
            let entry = &mut bench.regions.get_mut(&region).expect("a region").1;
            entry.set_one_shot(one_shot);
        }
        // The first one's block never comes.
        bench.pace.held_kind = Some(2);
        for (queue, region) in [1, 2].into_iter().zip(regions) {
            bench.only_region = Some(region);
            bench.start(queue)?;
        }
        bench.only_region = None;
        bench.until(500, "both blocks asked for", |bench| {
            bench.reads.iter().filter(|read| read.kind == 2).count() == 2
        })?;
        assert_eq!(bench.misses, 2);
        bench.drain(2000)?;
    }
    Ok(())
}

/// A queue ends while its transfers wait for another queue's MISS: at once, for they have no read in flight; the MISS goes on, and the
/// queue waits for it again when it works again.
#[test]
fn a_queue_that_waits_can_end() -> Result {
    let mut bench = Bench::<0>::new(21)?;
    (bench.refusals, bench.kept) = (0, 100);
    let regions = [1, 2].map(|queue| region_of(&bench, queue, 0));
    bench.pace.held_kind = Some(1);
    bench.only_region = Some(regions[0]);
    let first = bench.start(1)?;
    bench.until(1000, "region entry read", |bench| bench.entries == 1)?;
    bench.only_region = Some(regions[1]);
    let waiting = [bench.start(2)?, bench.start(2)?];
    bench.only_region = None;
    for _ in 0..200 {
        bench.step(None)?;
    }
    bench.abort(Command::AbortQueue {
        queue: 2,
        ticket: 0,
    });
    bench.until(800, "QUIESCED", |bench| bench.quiesced == 1)?;
    bench.until(400, "it serves again", |bench| {
        bench.switches == [Switch::On; QUEUES]
    })?;
    assert!(waiting.iter().all(|ctx| bench.transfer(*ctx).dropped));
    assert_eq!((bench.taken[2], bench.misses), (0, 1));
    bench.only_region = Some(regions[1]);
    let again = bench.start(2)?;
    bench.only_region = None;
    for _ in 0..200 {
        bench.step(None)?;
    }
    assert_eq!((again, bench.misses), (waiting[0], 1), "it waits");
    assert!(!bench.transfer(first).aborted);
    bench.drain(4000)?;
    assert_eq!((bench.misses, bench.recorded[2]), (2, 1));
    Ok(())
}

/// A region is taken away while a transfer that has landed still pins its block. The region's next life gets no place there, even if the
/// firmware names it, until the pin is gone.
#[test]
fn a_pinned_place_that_was_emptied_is_not_given_away() -> Result {
    let mut bench = Bench::<1>::new(22)?;
    bench.refusals = 0;
    let region = region_of(&bench, 1, 0);
    settle(&mut bench, 1, region)?;
    bench.pace.sink = 0;
    bench.only_region = Some(region);
    let old = bench.start(1)?;
    bench.until(2000, "landed", |bench| {
        bench.draining.front().is_some_and(|run| run.landed)
    })?;
    take_away(&mut bench, region)?;
    (bench.silent, bench.pace.held_kind) = (true, Some(2));
    let misses = bench.misses;
    let new = bench.start(1)?;
    bench.only_region = None;
    bench.until(1000, "MISS", |bench| bench.misses > misses)?;
    assert_eq!(bench.pinned.count_ones(), 1, "the old transfer's place");
    let way = bench.pinned.trailing_zeros() as u16;
    let ctx = bench.handle(new);
    let answer = bench.commands.pop_back();
    assert!(matches!(answer, Some(Command::Fill { ctx: asked, .. }) if asked == ctx));
    bench.commands.push_back(Command::Fill { ctx, way });
    bench.silent = false;
    bench.until(1000, "block read", |bench| {
        bench.reads.iter().any(|read| read.kind == 2)
    })?;
    let block = bench.reads.iter().find_map(|read| read.block);
    let (slot, _) = block.expect("a block");
    assert!(slot < 32, "the place is pinned, slot {slot}");
    assert!(!bench.transfer(old).is_over());
    bench.drain(2000)?;
    // The pin is gone, and the place can be given away again.
    let misses = bench.misses;
    settle(&mut bench, 1, region)?;
    assert!(bench.misses > misses, "it had no place");
    assert_eq!(bench.pinned, 0);
    bench.drain(2000)
}

/// Transfers of one resident block in a row, with everybody around at their fastest: what the sequencer takes for one.
#[test]
fn a_resident_transfer_takes_few_cycles() -> Result {
    let mut bench = Bench::<1>::new(14)?;
    bench.refusals = 0;
    let region = region_of(&bench, 1, 0);
    settle(&mut bench, 1, region)?;
    bench.pace = FASTEST;
    bench.only_region = Some(region);
    let ctx = bench.start(1)?;
    let entry_here = |bench: &Bench<1>| bench.transfer(ctx).in_flight == 0;
    bench.until(100, "entry here", entry_here)?;
    let from = bench.dut.steps();
    bench.until(100, "job", |bench| bench.transfer(ctx).dispatched)?;
    let cycles = bench.dut.steps() - from;
    println!("{cycles} cycles from the entry's last word to the walker's job");
    assert!(cycles <= 24, "{cycles}");
    bench.drain(2000)
}
