//! Taking regions, queues and the device away while transfers run and the user streams stall, with the real firmware and
//! the emitted gateware. The link's checker ends a test at the first access outside what the driver still grants.

mod common;

use common::options;
use pinring_core::{Completion, QueueHandle, Transfer};
use pinring_protocol::{Direction, Status};
use pinring_sim::run::Bench;
use pinring_sim::scenario::{self, LayoutKind, Scenario, Strategy};

const BUFFER: u64 = 1 << 20;

/// Longest time that taking something away may need, whatever the user streams do, in nanoseconds.
const BOUND_NS: u64 = 200_000;

/// Four buffers of 1 MiB in scattered pages, a queue per direction.
fn bench() -> Bench {
    let mut scenario = Scenario::gen3_x4();
    scenario.buffers.count = 4;
    scenario.buffers.bytes = BUFFER;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = 4;
    scenario.burst.length_bytes = BUFFER;
    scenario.burst.direction = scenario::Direction::Both;
    Bench::new(&scenario, Strategy::Registered, &options()).expect("the device starts")
}

fn transfer(bench: &Bench, buffer: usize, length: u64, cookie: u64) -> Transfer {
    Transfer {
        region: bench.regions[buffer].1,
        offset: 0,
        length,
        tdest: 0,
        user: 0,
        cookie,
    }
}

fn queue(bench: &Bench, direction: Direction) -> QueueHandle {
    bench.queue(direction).expect("both ways are used").handle
}

/// A buffer holds `length` bytes of the payload from `position` on.
fn fill(bench: &mut Bench, buffer: usize, length: u64, position: u64) {
    let payload = bench.payload.clone();
    let id = bench.regions[buffer].0;
    let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
    let (layout, first) = buffers.get(id).expect("it is locked");
    payload
        .write_to(memory, layout, first, length, position)
        .expect("it is in memory");
}

/// Position in the payload at which the buffer's first bytes are found, below `limit`.
fn position_of(bench: &mut Bench, buffer: usize, length: u64, limit: u64) -> Option<u64> {
    let payload = bench.payload.clone();
    let id = bench.regions[buffer].0;
    let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
    let (layout, first) = buffers.get(id)?;
    (0..limit).find(|&position| {
        payload.check(memory, layout, first, 16, position).is_ok()
            && payload
                .check(memory, layout, first, length, position)
                .is_ok()
    })
}

fn statuses(completions: &[Completion]) -> Vec<(u64, Status)> {
    completions
        .iter()
        .map(|completion| (completion.cookie, completion.status))
        .collect()
}

/// Two transfers of `direction`, the first one under way and stuck: the user stream has stopped.
fn stuck(direction: Direction) -> Bench {
    let mut bench = bench();
    let queue = queue(&bench, direction);
    match direction {
        Direction::C2h => bench.machine().streams.send(0, 8 * BUFFER, 0),
        Direction::H2c => {
            for buffer in 0..2 {
                let position = buffer * BUFFER;
                fill(&mut bench, buffer as usize, BUFFER, position);
                bench.machine().streams.expect(position, BUFFER, 0);
            }
            bench.machine().streams.allow_cuts();
        }
    }
    let transfers = [
        transfer(&bench, 0, BUFFER, 10),
        transfer(&bench, 1, BUFFER, 11),
    ];
    bench
        .device
        .submit(queue, &transfers)
        .expect("there is room");
    bench.pass(60_000).expect("data moves");
    bench.machine().streams.set_rates(0, 0);
    bench.pass(40_000).expect("everything stands still");
    bench
}

/// Another region's transfer in the other direction arrives whole, while `direction` is stuck.
fn other_way_serves(bench: &mut Bench, direction: Direction) {
    let position = 1 << 40;
    let (other, buffer, length) = match direction {
        Direction::C2h => (Direction::H2c, 2, 100_001),
        Direction::H2c => (Direction::C2h, 2, 100_001),
    };
    let queue = queue(bench, other);
    match other {
        Direction::C2h => {
            bench.machine().streams.send(position, length, 0);
            bench.machine().streams.set_rates(100, 0);
        }
        Direction::H2c => {
            fill(bench, buffer, length, position);
            bench.machine().streams.expect(position, length, 0);
            bench.machine().streams.set_rates(0, 100);
        }
    }
    let transfer = transfer(bench, buffer, length, 77);
    bench
        .device
        .submit(queue, &[transfer])
        .expect("there is room");
    let ended = bench.reap(queue, 1, 500_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(77, Status::Ok)]);
    if other == Direction::C2h {
        let payload = bench.payload.clone();
        let id = bench.regions[buffer].0;
        let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        assert_eq!(
            payload.check(memory, layout, first, length, position),
            Ok(())
        );
    }
}

/// Time that a command takes, with what it has ended.
fn bounded(bench: &mut Bench, command: impl FnOnce(&mut Bench) -> pinring_core::Ticket) {
    let begin = bench.machine().now_ps();
    let ticket = command(bench);
    let event = bench.redeem(ticket).expect("the command ends");
    let took = (bench.machine().now_ps() - begin) / 1000;
    println!("ended after {took} ns");
    assert!(took < BOUND_NS, "{took} ns");
    if let Some(retired) = event.retired {
        bench.device.settle(retired);
    }
}

fn unregister(direction: Direction) {
    let mut bench = stuck(direction);
    let queue = queue(&bench, direction);
    let region = bench.regions[0].1;
    // From here on the checker refuses every access to the buffer.
    bounded(&mut bench, |bench| {
        bench.device.unregister(region).expect("it is registered")
    });
    other_way_serves(&mut bench, direction);
    bench.machine().streams.set_rates(100, 100);
    let ended = bench.reap(queue, 2, 3_000_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(10, Status::Aborted), (11, Status::Ok)]);
    match direction {
        // The second transfer goes on where the first one left the stream.
        Direction::C2h => {
            let position = position_of(&mut bench, 1, BUFFER, BUFFER);
            assert!(position.is_some(), "not a stretch of the stream");
        }
        Direction::H2c => assert_eq!(bench.machine().streams.cuts(), 1),
    }
    bench.pass(1_000_000).expect("and stays quiet");
}

#[test]
fn a_region_goes_while_a_c2h_transfer_waits_for_its_stream() {
    unregister(Direction::C2h);
}

#[test]
fn a_region_goes_while_an_h2c_transfer_waits_for_its_stream() {
    unregister(Direction::H2c);
}

/// A region whose transfer waits behind another one's.
fn unregister_second(direction: Direction) {
    let mut bench = stuck(direction);
    let queue = queue(&bench, direction);
    let region = bench.regions[1].1;
    bounded(&mut bench, |bench| {
        bench.device.unregister(region).expect("it is registered")
    });
    bench.machine().streams.set_rates(100, 100);
    let ended = bench.reap(queue, 2, 3_000_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(10, Status::Ok), (11, Status::Aborted)]);
    bench.pass(1_000_000).expect("and stays quiet");
}

#[test]
fn a_region_goes_while_its_c2h_transfer_waits_behind_another() {
    unregister_second(Direction::C2h);
}

#[test]
fn a_region_goes_while_its_h2c_transfer_waits_behind_another() {
    unregister_second(Direction::H2c);
}

fn destroy(direction: Direction) {
    let mut bench = stuck(direction);
    let queue = queue(&bench, direction);
    // Its rings are freed: an entry written later would end the run.
    bounded(&mut bench, |bench| {
        bench.device.destroy_queue(queue).expect("it exists")
    });
    let ended = bench.reap(queue, 2, 1000).expect("the run goes on");
    assert_eq!(
        statuses(&ended),
        [(10, Status::Aborted), (11, Status::Aborted)]
    );
    other_way_serves(&mut bench, direction);
    bench.machine().streams.set_rates(100, 100);
    bench.pass(2_000_000).expect("and stays quiet");
    for region in 0..4 {
        let region = bench.regions[region].1;
        bounded(&mut bench, |bench| {
            bench.device.unregister(region).expect("it is registered")
        });
    }
}

#[test]
fn a_queue_goes_while_its_c2h_transfers_wait_for_their_stream() {
    destroy(Direction::C2h);
}

#[test]
fn a_queue_goes_while_its_h2c_transfers_wait_for_their_stream() {
    destroy(Direction::H2c);
}

fn cancel(direction: Direction) {
    let mut bench = stuck(direction);
    let queue = queue(&bench, direction);
    bounded(&mut bench, |bench| {
        bench.device.cancel_queue(queue).expect("it exists")
    });
    let ended = bench.reap(queue, 2, 1000).expect("the run goes on");
    assert_eq!(
        statuses(&ended),
        [(10, Status::Aborted), (11, Status::Aborted)]
    );
    if direction == Direction::H2c {
        fill(&mut bench, 3, 5000, 1 << 41);
        // The first packet had begun, and ends early; for the second nothing was read, and it never shows.
        bench.machine().streams.forget_h2c(1);
        bench.machine().streams.expect(1 << 41, 5000, 0);
    }
    bench.machine().streams.set_rates(100, 100);
    let again = transfer(&bench, 3, 5000, 12);
    bench
        .device
        .submit(queue, &[again])
        .expect("it serves again");
    let ended = bench.reap(queue, 1, 2_000_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(12, Status::Ok)]);
    let cuts = u64::from(direction == Direction::H2c);
    assert_eq!(bench.machine().streams.cuts(), cuts);
    if direction == Direction::C2h {
        assert!(position_of(&mut bench, 3, 5000, BUFFER).is_some());
    }
}

#[test]
fn a_c2h_queue_serves_again_after_a_cancellation() {
    cancel(Direction::C2h);
}

#[test]
fn an_h2c_queue_serves_again_after_a_cancellation() {
    cancel(Direction::H2c);
}

#[test]
fn after_a_reset_the_driver_gives_back_what_was_in_flight_and_goes_on() {
    let mut bench = bench();
    let (up, down) = (queue(&bench, Direction::C2h), queue(&bench, Direction::H2c));
    bench.machine().streams.send(0, 64 * BUFFER, 0);
    fill(&mut bench, 1, BUFFER, 1 << 40);
    bench.machine().streams.expect(1 << 40, BUFFER, 0);
    bench.machine().streams.allow_cuts();
    let one = transfer(&bench, 0, BUFFER, 1);
    let two = transfer(&bench, 1, BUFFER, 2);
    bench.device.submit(up, &[one]).expect("there is room");
    bench.device.submit(down, &[two]).expect("there is room");
    bench.pass(60_000).expect("data moves both ways");
    bench.device.reset().expect("it runs");
    for _ in 0..1000 {
        if bench.device.poll_start(50_000_000).expect("it starts") {
            break;
        }
        bench.pass(20_000).expect("no TLP is broken off");
    }
    let mut ended = bench.reap(up, 1, 1000).expect("the run goes on");
    ended.extend(bench.reap(down, 1, 1000).expect("the run goes on"));
    assert_eq!(
        statuses(&ended),
        [(1, Status::Aborted), (2, Status::Aborted)]
    );
    // The queues are created again.
    bench.pass(1_000_000).expect("the firmware works");
    while bench
        .device
        .poll_admin()
        .expect("the admin queue works")
        .is_some()
    {}
    bench.machine().streams.forget_h2c(0);
    fill(&mut bench, 2, 70_000, 1 << 41);
    bench.machine().streams.expect(1 << 41, 70_000, 0);
    let (three, four) = (
        transfer(&bench, 3, 70_000, 3),
        transfer(&bench, 2, 70_000, 4),
    );
    bench.device.submit(up, &[three]).expect("it serves again");
    bench.device.submit(down, &[four]).expect("it serves again");
    let ended = bench.reap(up, 1, 1_000_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(3, Status::Ok)]);
    assert!(position_of(&mut bench, 3, 70_000, BUFFER).is_some());
    let ended = bench.reap(down, 1, 1_000_000).expect("the run goes on");
    assert_eq!(statuses(&ended), [(4, Status::Ok)]);
}

#[test]
fn nothing_leaves_the_device_once_it_is_closed() {
    for direction in [Direction::C2h, Direction::H2c] {
        let mut bench = stuck(direction);
        bench.machine().streams.set_rates(100, 100);
        bench.device.close().expect("bus mastering goes off");
        bench.pass(1_000_000).expect("no request leaves the device");
        let queue = queue(&bench, direction);
        let ended = bench.reap(queue, 2, 1000).expect("the run goes on");
        assert_eq!(
            statuses(&ended),
            [(10, Status::Aborted), (11, Status::Aborted)]
        );
    }
}
