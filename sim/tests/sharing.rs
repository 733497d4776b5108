//! Queues of one direction share its contexts and its stream: one that waits for data holds up no other, with the real
//! firmware and the emitted gateware.

mod common;

use common::options;
use pinring_core::{Completion, Notify, QueueConfig, QueueHandle, Transfer};
use pinring_protocol::{Direction, Status};
use pinring_sim::run::{Bench, DOMAIN};
use pinring_sim::scenario::{self, LayoutKind, Scenario, Strategy};

/// Bytes of a transfer: 41 scattered pages, so that its list takes a second block.
const LENGTH: u64 = 41 * 4096;

/// Transfers of the queue that waits.
const WAITING: usize = 16;

/// One queue of the stream's way to memory, for TDEST 0, and a buffer for each transfer.
fn bench() -> Bench {
    let mut scenario = Scenario::gen3_x4();
    scenario.buffers.count = WAITING as u32 + 1;
    scenario.buffers.bytes = LENGTH;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = WAITING as u32;
    scenario.burst.length_bytes = LENGTH;
    scenario.burst.direction = scenario::Direction::C2h;
    Bench::new(&scenario, Strategy::Registered, &options()).expect("the device starts")
}

/// A second queue, for TDEST 1.
fn second_queue(bench: &mut Bench) -> QueueHandle {
    let (queue, ticket) = bench
        .device
        .create_queue(QueueConfig {
            direction: Direction::C2h,
            domain: DOMAIN,
            entries: 16,
            vector: 3,
            tdest_first: 1,
            tdest_last: 1,
            notify: Notify::Poll,
        })
        .expect("there is room for a queue");
    bench.redeem(ticket).expect("it is created");
    queue
}

fn submit(bench: &mut Bench, queue: QueueHandle, buffers: std::ops::Range<usize>, tdest: u16) {
    let transfers: Vec<_> = buffers
        .map(|buffer| Transfer {
            region: bench.regions[buffer].1,
            offset: 0,
            length: LENGTH,
            tdest,
            user: 0,
            cookie: buffer as u64,
        })
        .collect();
    bench
        .device
        .submit(queue, &transfers)
        .expect("there is room");
}

/// Where a transfer's bytes begin in the payload.
fn position(buffer: usize) -> u64 {
    buffer as u64 * LENGTH
}

/// The transfers came in this order, whole and right.
fn arrived(bench: &mut Bench, completions: &[Completion], buffers: std::ops::Range<usize>) {
    let ended: Vec<_> = completions
        .iter()
        .map(|completion| (completion.cookie, completion.status))
        .collect();
    let expected: Vec<_> = buffers
        .clone()
        .map(|buffer| (buffer as u64, Status::Ok))
        .collect();
    assert_eq!(ended, expected);
    let payload = bench.payload.clone();
    for buffer in buffers {
        let id = bench.regions[buffer].0;
        let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        assert_eq!(
            payload.check(memory, layout, first, LENGTH, position(buffer)),
            Ok(()),
            "buffer {buffer}"
        );
    }
}

/// The first queue's transfers wait for data; the second one's gets its packet, and then they get theirs.
fn one_waits_and_the_other_is_served(created_later: bool) {
    let mut bench = bench();
    let first = bench
        .queue(Direction::C2h)
        .expect("the scenario uses it")
        .handle;
    let early = (!created_later).then(|| second_queue(&mut bench));
    submit(&mut bench, first, 0..WAITING, 0);
    bench.pass(100_000).expect("entries and lists are read");
    let second = early.unwrap_or_else(|| second_queue(&mut bench));
    submit(&mut bench, second, WAITING..WAITING + 1, 1);
    bench.machine().streams.send(position(WAITING), LENGTH, 1);
    let ended = bench.reap(second, 1, 500_000).expect("the run goes on");
    arrived(&mut bench, &ended, WAITING..WAITING + 1);
    for buffer in 0..WAITING {
        bench.machine().streams.send(position(buffer), LENGTH, 0);
    }
    let ended = bench
        .reap(first, WAITING, 3_000_000)
        .expect("the run goes on");
    arrived(&mut bench, &ended, 0..WAITING);
}

#[test]
fn a_queue_that_waits_for_data_holds_up_no_other() {
    one_waits_and_the_other_is_served(false);
}

#[test]
fn a_queue_that_waits_for_data_leaves_room_for_one_that_is_created_later() {
    one_waits_and_the_other_is_served(true);
}
