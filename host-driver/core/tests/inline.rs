//! Single submissions through the inline slot: one write, no doorbell, and nothing that is ever waited for in vain.

mod common;

use common::*;
use pinring_core::mock::{Mock, WriteCombining};
use pinring_core::{Device, Moderation, Notify, QueueConfig, QueueHandle, RegionHandle, Tier};
use pinring_protocol::registers::{self, Features};
use pinring_protocol::{Direction, Status};

/// Entries of a ring in these tests.
const ENTRIES: u64 = 8;

fn setup(
    combining: WriteCombining,
    notify: Notify,
) -> (Mock, Device<Mock>, QueueHandle, RegionHandle) {
    let mock = Mock::new();
    mock.host_mut().write_combining = combining;
    let mut device = start(&mock);
    let queue = queue_of(
        &mock,
        &mut device,
        QueueConfig {
            notify,
            ..queue_config(Direction::C2h)
        },
    );
    let buffer = mock.lock_scattered(100, 300_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    (mock, device, queue, region)
}

/// MMIO writes, lines among them, doorbells, entries that the device took from a slot.
fn counts(mock: &Mock) -> [u64; 4] {
    let host = mock.host();
    [
        host.counts.mmio_writes,
        host.counts.lines,
        host.device.doorbells,
        host.device.inline_taken,
    ]
}

fn since(mock: &Mock, before: [u64; 4]) -> [u64; 4] {
    let now = counts(mock);
    std::array::from_fn(|at| now[at] - before[at])
}

/// One write for each, and a doorbell only where the device would see no room: once a ring.
#[test]
fn a_poller_rings_once_a_lap() {
    let (mock, mut device, queue, region) = setup(WriteCombining::Whole, Notify::Poll);
    let before = counts(&mock);
    for index in 0..100 {
        device.submit(queue, &[transfer(region, index, 1)]).unwrap();
        mock.run();
        let ended = reap(&mut device, queue);
        assert_eq!(ended.len(), 1, "transfer {index} waits");
        assert_eq!(ended[0].status, Status::Ok);
    }
    let doorbells = 99 / ENTRIES;
    assert_eq!(
        since(&mock, before),
        [100, 100 - doorbells, doorbells, 100 - doorbells]
    );
    close(&mock, device);
}

/// With the ring full to the last entry the device has room for all of them, whatever it was told and when.
#[test]
fn nothing_waits_for_room_that_is_there() {
    for ahead in 1..=ENTRIES {
        let (mock, mut device, queue, region) = setup(WriteCombining::Whole, Notify::Poll);
        let mut ended = 0;
        for index in 0..200 {
            device.submit(queue, &[transfer(region, index, 1)]).unwrap();
            if index - ended + 1 == ahead {
                mock.run();
                ended += reap(&mut device, queue).len() as u64;
                assert_eq!(ended, index + 1, "{ahead} ahead");
            }
        }
        drop(reap(&mut device, queue));
    }
}

#[test]
fn batches_and_devices_without_slots_use_doorbells() {
    let (mock, mut device, queue, region) = setup(WriteCombining::Whole, Notify::Poll);
    let before = counts(&mock);
    device
        .submit(queue, &[transfer(region, 0, 1), transfer(region, 1, 1)])
        .unwrap();
    assert_eq!(since(&mock, before), [1, 0, 1, 0]);
    mock.run();
    assert_eq!(reap(&mut device, queue).len(), 2);
    close(&mock, device);

    let (mock, mut device, queue, region) = setup(WriteCombining::None, Notify::Poll);
    let before = counts(&mock);
    device.submit(queue, &[transfer(region, 0, 1)]).unwrap();
    assert_eq!(since(&mock, before), [1, 0, 1, 0]);
    mock.run();
    assert_eq!(reap(&mut device, queue).len(), 1);
    close(&mock, device);

    let mock = Mock::new();
    let features = Features::new().with_uniform_sg(true);
    mock.host_mut()
        .device
        .set(&registers::FEATURES, features.raw());
    mock.host_mut().write_combining = WriteCombining::Whole;
    let mut device = start(&mock);
    let queue = queue_of(&mock, &mut device, queue_config(Direction::C2h));
    let buffer = mock.lock_scattered(100, 300_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    let before = counts(&mock);
    device.submit(queue, &[transfer(region, 0, 1)]).unwrap();
    assert_eq!(since(&mock, before), [1, 0, 1, 0]);
}

/// However a line arrives, each transfer ends once and in order; only whole ones are taken from the slot.
#[test]
fn pieces_in_any_order_lose_nothing() {
    let (mut taken, mut lines) = (0, 0);
    for seed in 0..50 {
        let (mock, mut device, queue, region) = setup(WriteCombining::Pieces(seed), Notify::Poll);
        let before = counts(&mock);
        let (mut submitted, mut ended) = (0, 0);
        for step in 0.. {
            if ended >= 60 {
                break;
            }
            // A batch now and then, and the device behind by up to a ring.
            let draw = (seed + step * 7 + ended * 3) % 11;
            let count = if draw == 5 { 2 } else { 1 };
            let room = u64::from(device.room(queue).unwrap());
            if submitted < 60 && room >= count && draw != 0 {
                let batch: Vec<_> = (submitted..submitted + count)
                    .map(|index| transfer(region, index, 1))
                    .collect();
                device.submit(queue, &batch).unwrap();
                submitted += count;
            }
            if draw.is_multiple_of(3) || submitted >= 60 || room < 2 {
                mock.run();
                for completion in reap(&mut device, queue) {
                    assert_eq!(completion.cookie, 0xc00c_1e00 + ended);
                    assert_eq!(completion.status, Status::Ok);
                    ended += 1;
                }
                assert_eq!(ended, submitted, "seed {seed}: something waits");
            }
        }
        let [_, some, _, inline] = since(&mock, before);
        lines += some;
        taken += inline;
        close(&mock, device);
    }
    assert!(taken > 200 && taken < lines, "{taken} of {lines}");
}

/// A host that reaps only when the interrupt calls sees every completion, and a submission behind an armed one needs no doorbell.
#[test]
fn an_armed_queue_wakes_its_host() {
    let (mock, mut device, queue, region) = setup(
        WriteCombining::Pieces(1),
        Notify::Interrupt(Moderation::NONE),
    );
    let before = counts(&mock);
    let (mut submitted, mut ended, mut seen) = (0, 0, 0);
    while ended < 300 {
        for _ in 0..=(submitted % 4) {
            if device.room(queue).unwrap() > 0 {
                device
                    .submit(queue, &[transfer(region, submitted, 1)])
                    .unwrap();
                submitted += 1;
            }
        }
        // The device ends some of what it has, and the host comes only if called.
        mock.run_at_most(1 + submitted as usize % 3);
        let calls = mock.host().device.interrupts.len();
        if calls > seen {
            seen = calls;
            ended += reap(&mut device, queue).len();
            // A submission between reaping and arming.
            if submitted % 5 == 0 && device.room(queue).unwrap() > 0 {
                device
                    .submit(queue, &[transfer(region, submitted, 1)])
                    .unwrap();
                submitted += 1;
            }
            device.arm(queue).unwrap();
        } else {
            mock.run();
            let called = mock.host().device.interrupts.len() > seen;
            assert!(
                called || device.in_flight(queue).unwrap() == 0,
                "{} wait for an interrupt that does not come",
                device.in_flight(queue).unwrap()
            );
        }
    }
    let [_, lines, doorbells, _] = since(&mock, before);
    assert!(lines > 50, "{lines} lines, {doorbells} doorbells");
}

/// A queue that is created again, after a reset or a cancel, begins with all of its room.
#[test]
fn a_reset_begins_anew() {
    let (mock, mut device, queue, region) = setup(WriteCombining::Whole, Notify::Poll);
    for round in 0..3 {
        for index in 0..ENTRIES - 1 - round {
            device.submit(queue, &[transfer(region, index, 1)]).unwrap();
        }
        device.reset().unwrap();
        wait(&mut device);
        mock.run();
        while device.poll_admin().unwrap().is_some() {}
        drop(reap(&mut device, queue));
        let before = counts(&mock);
        for index in 0..ENTRIES {
            device.submit(queue, &[transfer(region, index, 1)]).unwrap();
            mock.run();
            assert_eq!(reap(&mut device, queue).len(), 1);
        }
        assert_eq!(since(&mock, before), [ENTRIES, ENTRIES, 0, ENTRIES]);
    }
    close(&mock, device);
}
