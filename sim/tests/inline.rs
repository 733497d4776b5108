//! Lone submissions of a polling host through the inline slot, whole and in pieces, with the real firmware and the emitted
//! gateware.

mod common;

use common::options;
use pinring_core::{Notify, QueueConfig, QueueHandle, Transfer};
use pinring_protocol::{Direction, Status};
use pinring_sim::report::Lane;
use pinring_sim::run::{Bench, DOMAIN};
use pinring_sim::scenario::{self, LayoutKind, Scenario, Strategy, WriteCombining};

const LENGTH: u64 = 10_007;
const ENTRIES: u64 = 8;
const TRANSFERS: u64 = 40;

/// A queue that is polled, with TDEST 1.
fn polled(bench: &mut Bench, direction: Direction) -> QueueHandle {
    let (queue, ticket) = bench
        .device
        .create_queue(QueueConfig {
            direction,
            domain: DOMAIN,
            entries: ENTRIES as u32,
            vector: 3,
            tdest_first: 1,
            tdest_last: 1,
            notify: Notify::Poll,
        })
        .expect("there is room for a queue");
    bench.redeem(ticket).expect("it is created");
    let own = bench.device.platform_mut().allocated().to_vec();
    bench.machine().link.own = own;
    queue
}

/// Nanoseconds from the submission's arrival to the first message to the firmware, which follows the entry's check, for
/// each transfer; with how many MMIO writes each was submitted.
fn run(write_combining: WriteCombining, width_bits: u32) -> (Vec<f64>, f64) {
    let mut scenario = Scenario::gen3_x4();
    scenario.device.width_bits = width_bits;
    if width_bits == 512 {
        scenario.link.lanes = 16;
    }
    scenario.host.write_combining = write_combining;
    scenario.buffers.count = 4;
    scenario.buffers.bytes = 1 << 18;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = 4;
    scenario.burst.length_bytes = LENGTH;
    scenario.burst.direction = scenario::Direction::C2h;
    let mut bench =
        Bench::new(&scenario, Strategy::Registered, &options()).expect("the device starts");
    let queue = polled(&mut bench, Direction::C2h);
    let writes = bench.machine().mmio_writes;
    let mut checked = Vec::new();
    for index in 0..TRANSFERS {
        let place = index as usize % 4;
        bench.machine().streams.send(index * LENGTH, LENGTH, 1);
        bench.pass(30_000).expect("the run goes on");
        bench.machine().begin_watch();
        let transfer = Transfer {
            region: bench.regions[place].1,
            offset: 3 * index,
            length: LENGTH,
            tdest: 1,
            user: 0,
            cookie: index,
        };
        bench
            .device
            .submit(queue, &[transfer])
            .expect("there is room");
        let ended = bench.reap(queue, 1, 100_000).expect("the run goes on");
        let found: Vec<_> = ended
            .iter()
            .map(|completion| (completion.cookie, completion.status, completion.bytes))
            .collect();
        assert_eq!(found, [(index, Status::Ok, LENGTH)]);
        let watch = &bench.machine().watch;
        let begin = watch.origin_ps;
        let arrival = watch.first_doorbell_ps.expect("it arrives") - begin;
        let message = watch.spans.iter().find(|span| span.lane == Lane::Firmware);
        if let Some(message) = message {
            checked.push(message.start_ns - arrival as f64 / 1000.0);
        }
        let payload = bench.payload.clone();
        let id = bench.regions[place].0;
        let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        let same = payload.check(memory, layout, first + 3 * index, LENGTH, index * LENGTH);
        assert_eq!(same, Ok(()));
    }
    let writes = bench.machine().mmio_writes - writes;
    (checked, writes as f64 / TRANSFERS as f64)
}

#[test]
fn a_whole_slot_saves_the_read_of_the_entry() {
    let (by_doorbell, rung) = run(WriteCombining::Off, 512);
    let (by_slot, written) = run(WriteCombining::Whole, 512);
    assert_eq!((rung, written), (1.0, 1.0));
    println!(
        "ns from arrival to the entry's check: by doorbell {by_doorbell:?}, by slot {by_slot:?}"
    );
    let mut slow = 0;
    for (doorbell, slot) in by_doorbell.iter().zip(&by_slot) {
        // 600 ns is the link's round trip; once a lap of the ring a doorbell tells the head.
        slow += u64::from(doorbell - slot < 500.0);
    }
    assert!(slow <= TRANSFERS.div_ceil(ENTRIES), "{slow} are slow");
}

#[test]
fn pieces_of_a_slot_arrive_as_well() {
    for width in [64, 128, 256] {
        let (_, written) = run(WriteCombining::Split, width);
        assert!(written > 2.0, "{written}");
        let (_, written) = run(WriteCombining::Whole, width);
        assert_eq!(written, 1.0);
    }
}

/// Device cycles from the arrival of a slot's write to the first data write or data read, transfer after transfer of the same bytes.
fn first_tlps(direction: Direction) -> Vec<f64> {
    let mut scenario = Scenario::gen3_x4();
    scenario.device.width_bits = 512;
    scenario.link.lanes = 16;
    scenario.host.write_combining = WriteCombining::Whole;
    scenario.buffers.count = 1;
    scenario.buffers.bytes = 1 << 16;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = 1;
    scenario.burst.length_bytes = LENGTH;
    scenario.burst.direction = match direction {
        Direction::C2h => scenario::Direction::C2h,
        Direction::H2c => scenario::Direction::H2c,
    };
    let mut bench =
        Bench::new(&scenario, Strategy::Registered, &options()).expect("the device starts");
    let queue = polled(&mut bench, direction);
    let region = bench.regions[0].1;
    let cycle_ps = 1e6 / f64::from(scenario.device.clock_mhz);
    let mut cycles = Vec::new();
    for index in 0..ENTRIES {
        let at = index * LENGTH;
        match direction {
            Direction::C2h => bench.machine().streams.send(at, LENGTH, 1),
            Direction::H2c => bench.machine().streams.expect(at, LENGTH, 1),
        }
        let payload = bench.payload.clone();
        let id = bench.regions[0].0;
        let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        if direction == Direction::H2c {
            let written = payload.write_to(memory, layout, first, LENGTH, at);
            written.expect("the buffer is there");
        }
        bench.pass(30_000).expect("the run goes on");
        bench.machine().begin_watch();
        let transfer = Transfer {
            region,
            offset: 0,
            length: LENGTH,
            tdest: 1,
            user: 0,
            cookie: index,
        };
        bench
            .device
            .submit(queue, &[transfer])
            .expect("there is room");
        let ended = bench.reap(queue, 1, 100_000).expect("the run goes on");
        assert_eq!((ended[0].status, ended[0].bytes), (Status::Ok, LENGTH));
        let watch = &bench.machine().watch;
        assert_eq!(watch.messages, u64::from(index == 0), "it is resident");
        let begin = watch.first_doorbell_ps.expect("it arrives");
        let first = match direction {
            Direction::C2h => watch.first_data_ps,
            Direction::H2c => watch.first_request_ps,
        };
        cycles.push((first.expect("data") - begin) as f64 / cycle_ps);
    }
    cycles
}

/// The goal is 60 cycles from the submission's arrival, whatever the round trip is. A cold one has two round trips of 150 cycles for the
/// region entry and the list, and 800 cycles for all the rest; the firmware has had time to write its log.
#[test]
fn a_resident_transfer_by_slot_begins_within_sixty_cycles() {
    for direction in [Direction::C2h, Direction::H2c] {
        let cycles = first_tlps(direction);
        println!("{direction:?}: cycles to the first TLP {cycles:?}");
        assert!(cycles[0] <= 2.0 * 150.0 + 800.0, "{cycles:?}");
        assert!(
            cycles[1..].iter().all(|cycles| *cycles <= 60.0),
            "{cycles:?}"
        );
    }
}
