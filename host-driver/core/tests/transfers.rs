//! Submitting, reaping, arming, cancelling and draining; and devices that break the protocol.

mod common;

use common::*;
use pinring_core::mock::{Hostile, Mock, MockBus as _, stream_byte};
use pinring_core::{
    AdminError, Device, DeviceFault, Moderation, Notify, Permissions, QueueConfig, QueueError,
    QueueHandle, SubmitError, Tier, TierPolicy, Transfer, TransferError,
};
use pinring_protocol::{Direction, Status};
use proptest::prelude::*;

struct Setup {
    mock: Mock,
    device: Device<Mock>,
    queue: QueueHandle,
}

fn setup(direction: Direction) -> Setup {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, direction);
    Setup {
        mock,
        device,
        queue,
    }
}

#[test]
fn bytes_arrive_where_the_transfer_says() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(1234, 60_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    device
        .submit(
            queue,
            &[
                transfer(region, 3, 40_000),
                transfer(region, 50_000, 10_000),
            ],
        )
        .unwrap();
    assert_eq!(mock.run(), 2);
    let ended = reap(&mut device, queue);
    assert_eq!(
        ended
            .iter()
            .map(|c| (c.status, c.bytes))
            .collect::<Vec<_>>(),
        [(Status::Ok, 40_000), (Status::Ok, 10_000)]
    );
    assert_eq!(
        (ended[0].region, ended[0].cookie, ended[0].user),
        (region, transfer(region, 3, 1).cookie, 99)
    );
    let mut expected = vec![0; 60_000];
    expected[3..40_003]
        .iter_mut()
        .zip(0..)
        .for_each(|(byte, at)| *byte = stream_byte(at));
    expected[50_000..]
        .iter_mut()
        .zip(40_000..)
        .for_each(|(byte, at)| *byte = stream_byte(at));
    assert_eq!(mock.bytes(buffer, 0, 60_000), expected);
    close(&mock, device);
}

#[test]
fn short_packets_end_transfers_early() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 10_000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    mock.host_mut().device.packets.extend([300, 1500]);
    device
        .submit(
            queue,
            &[
                transfer(region, 0, 1000),
                transfer(region, 1000, 1000),
                transfer(region, 2000, 1000),
            ],
        )
        .unwrap();
    mock.run();
    let ended: Vec<_> = reap(&mut device, queue)
        .iter()
        .map(|c| (c.bytes, c.end_of_packet))
        .collect();
    assert_eq!(ended, [(300, true), (1000, false), (500, true)]);
    close(&mock, device);
}

#[test]
fn a_batch_is_one_doorbell_and_no_read() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::H2c);
    let buffer = mock.lock_scattered(0, 80_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    let before = mock.host().counts;
    let batch: Vec<_> = (0..8)
        .map(|i| transfer(region, i * 10_000, 10_000))
        .collect();
    device.submit(queue, &batch).unwrap();
    mock.run();
    assert_eq!(reap(&mut device, queue).len(), 8);
    device.submit(queue, &[]).unwrap();
    let after = mock.host().counts;
    assert_eq!(
        (
            after.mmio_writes - before.mmio_writes,
            after.mmio_reads - before.mmio_reads
        ),
        (1, 0)
    );
    close(&mock, device);
}

#[test]
fn wrong_transfers_are_named_and_nothing_of_the_batch_is_submitted() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 10_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    let policy = TierPolicy::BEST;
    let read_only = device
        .register(buffer, Permissions::only(Direction::H2c), DOMAIN, policy)
        .unwrap();
    let foreign = device
        .register(buffer, Permissions::BOTH, DOMAIN + 1, policy)
        .unwrap();
    let good = transfer(region, 0, 100);
    let before = mock.host().counts.mmio_writes;
    let cases = [
        (transfer(region, 5, 0), TransferError::ZeroLength),
        (
            transfer(region, 9999, 2),
            TransferError::OutOfBounds {
                offset: 9999,
                length: 2,
                region: 10_000,
            },
        ),
        (
            transfer(region, 10_001, 1),
            TransferError::OutOfBounds {
                offset: 10_001,
                length: 1,
                region: 10_000,
            },
        ),
        (
            transfer(region, 1 << 63, 1 << 63),
            TransferError::Overflow {
                offset: 1 << 63,
                length: 1 << 63,
            },
        ),
        (
            transfer(region, 2, u64::MAX),
            TransferError::Overflow {
                offset: 2,
                length: u64::MAX,
            },
        ),
        (
            transfer(read_only, 0, 1),
            TransferError::WrongDirection(Direction::C2h),
        ),
        (
            transfer(foreign, 0, 1),
            TransferError::ForeignDomain {
                region: DOMAIN + 1,
                queue: DOMAIN,
            },
        ),
        (
            Transfer { tdest: 21, ..good },
            TransferError::BadTdest {
                tdest: 21,
                first: 10,
                last: 20,
            },
        ),
        (
            Transfer { tdest: 9, ..good },
            TransferError::BadTdest {
                tdest: 9,
                first: 10,
                last: 20,
            },
        ),
    ];
    for (bad, cause) in cases {
        let refused = device.submit(queue, &[good, bad, good]).unwrap_err();
        assert_eq!(refused, SubmitError::Transfer { index: 1, cause });
        assert!(refused.to_string().starts_with("transfer 1 of the batch: "));
    }
    assert_eq!(mock.host().counts.mmio_writes, before);
    assert_eq!(device.region_info(region).unwrap().in_flight, 0);
    device.submit(queue, &[good]).unwrap();
    assert_eq!(mock.run(), 1);
    assert_eq!(reap(&mut device, queue).len(), 1);
    close(&mock, device);
}

#[test]
fn a_refused_batch_leaves_what_is_queued_alone() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 10_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    device
        .submit(queue, &[transfer(region, 0, 100); 5])
        .unwrap();
    assert_eq!(
        device.submit(queue, &[transfer(region, 0, 1); 4]),
        Err(SubmitError::RingFull { asked: 4, free: 3 })
    );
    let too_many = vec![transfer(region, 0, 1); 70_000];
    assert_eq!(
        device.submit(queue, &too_many),
        Err(SubmitError::RingFull {
            asked: 70_000,
            free: 3
        })
    );
    assert!(device.submit(queue, &[transfer(region, 0, 0)]).is_err());
    device
        .submit(queue, &[transfer(region, 0, 100); 3])
        .unwrap();
    assert_eq!(device.region_info(region).unwrap().in_flight, 8);
    assert_eq!(mock.run(), 8);
    // The device is done, but nothing is reaped.
    assert_eq!(
        device.submit(queue, &[transfer(region, 0, 1)]),
        Err(SubmitError::RingFull { asked: 1, free: 0 })
    );
    assert_eq!(reap(&mut device, queue).len(), 8);
    assert_eq!(device.region_info(region).unwrap().in_flight, 0);
    close(&mock, device);
}

/// Each claim of a refused batch is taken back from its own region, and the entries that were written for it are nothing.
#[test]
fn a_batch_refused_at_its_end_leaves_each_region_alone() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffers = [mock.lock_scattered(0, 10_000), mock.lock_scattered(5, 300)];
    let [first, second] = buffers.map(|buffer| register(&mut device, buffer, Tier::Bypass));
    let queued = [transfer(first, 0, 100), transfer(second, 0, 200)];
    device.submit(queue, &queued).unwrap();
    let batch = [
        transfer(second, 7, 11),
        transfer(first, 3, 13),
        transfer(second, 0, 301),
    ];
    let Err(SubmitError::Transfer { index: 2, .. }) = device.submit(queue, &batch) else {
        panic!("the third transfer leaves its region");
    };
    let in_flight = |device: &Device<Mock>, region| device.region_info(region).unwrap().in_flight;
    assert_eq!(
        (in_flight(&device, first), in_flight(&device, second)),
        (1, 1)
    );
    device.submit(queue, &[transfer(first, 0, 300)]).unwrap();
    assert_eq!(mock.run(), 3);
    let moved: Vec<_> = reap(&mut device, queue)
        .iter()
        .map(|completion| (completion.region, completion.bytes))
        .collect();
    assert_eq!(moved, [(first, 100), (second, 200), (first, 300)]);
    assert_eq!(
        (in_flight(&device, first), in_flight(&device, second)),
        (0, 0)
    );
    close(&mock, device);
}

/// An iterator whose length is not true: what it gives counts, up to the length that was checked.
#[test]
fn an_iterator_that_misstates_its_length_gets_no_more_than_its_room() {
    struct Misstated(u16, usize, Transfer);
    impl Iterator for Misstated {
        type Item = Transfer;
        fn next(&mut self) -> Option<Transfer> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.2)
        }
    }
    impl ExactSizeIterator for Misstated {
        fn len(&self) -> usize {
            self.1
        }
    }
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 10_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    for (given, stated, taken) in [(100, 8, 8), (3, 8, 3), (0, 5, 0)] {
        let transfers = Misstated(given, stated, transfer(region, 0, 10));
        device.submit_iter(queue, transfers).unwrap();
        assert_eq!(mock.run(), taken);
        assert_eq!(reap(&mut device, queue).len(), taken);
        assert_eq!(device.region_info(region).unwrap().in_flight, 0);
    }
    close(&mock, device);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// Over several laps of the 16-bit index: each submission ends once, in order, with its own cookie.
    #[test]
    fn every_transfer_ends_once_and_in_order(steps in prop::collection::vec((0usize..9, 0usize..9, any::<bool>()), 2000)) {
        let Setup { mock, mut device, queue } = setup(Direction::C2h);
        let buffer = mock.lock_scattered(0, 4096);
        let region = register(&mut device, buffer, Tier::Bypass);
        let (mut submitted, mut ended) = (0u64, 0u64);
        for (asked, run, reaps) in steps {
            let batch: Vec<_> =
                (0..asked as u64).map(|i| Transfer { cookie: submitted + i, ..transfer(region, 0, 1) }).collect();
            let fits = asked as u64 <= 8 - (submitted - ended);
            prop_assert_eq!(device.submit(queue, &batch).is_ok(), fits);
            submitted += if fits { asked as u64 } else { 0 };
            mock.run_at_most(run);
            if reaps {
                for completion in reap(&mut device, queue) {
                    prop_assert_eq!((completion.cookie, completion.status), (ended, Status::Ok));
                    ended += 1;
                }
            }
            prop_assert_eq!(device.in_flight(queue).unwrap() as u64, submitted - ended);
        }
        mock.run();
        ended += reap(&mut device, queue).len() as u64;
        prop_assert_eq!(ended, submitted);
        close(&mock, device);
    }
}

#[test]
fn the_index_wraps() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 4096);
    let region = register(&mut device, buffer, Tier::Bypass);
    for lap in 0..40_000u64 {
        let batch: [_; 5] = core::array::from_fn(|i| Transfer {
            cookie: lap * 5 + i as u64,
            ..transfer(region, 0, 1)
        });
        device.submit(queue, &batch).unwrap();
        mock.run();
        let cookies: Vec<_> = reap(&mut device, queue)
            .iter()
            .map(|completion| completion.cookie)
            .collect();
        assert_eq!(cookies, batch.map(|transfer| transfer.cookie));
    }
    assert_eq!(mock.host().device.streamed, 200_000);
    close(&mock, device);
}

#[test]
fn no_wake_up_is_lost() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let config = QueueConfig {
        notify: Notify::Interrupt(Moderation::NONE),
        ..queue_config(Direction::C2h)
    };
    let queue = queue_of(&mock, &mut device, config);
    let buffer = mock.lock_scattered(0, 4096);
    let region = register(&mut device, buffer, Tier::Bypass);
    mock.take_interrupts();
    assert_eq!(device.arm(queue), Ok(false));
    device.submit(queue, &[transfer(region, 0, 1); 4]).unwrap();
    mock.run_at_most(2);
    // One interrupt for two completions: it is disarmed by the first.
    assert_eq!(mock.take_interrupts(), [3]);
    assert_eq!(reap(&mut device, queue).len(), 2);
    // A completion that comes between the last look and the arming fires at once.
    mock.run_at_most(1);
    assert_eq!(mock.take_interrupts(), []);
    assert_eq!(device.arm(queue), Ok(true));
    assert_eq!(mock.take_interrupts(), [3]);
    assert_eq!(reap(&mut device, queue).len(), 1);
    // Armed in time: the next one fires.
    assert_eq!(device.arm(queue), Ok(true));
    mock.run();
    assert_eq!(mock.take_interrupts(), [3]);
    assert_eq!(reap(&mut device, queue).len(), 1);
    // Nothing in flight: the next submission arms.
    assert_eq!(device.arm(queue), Ok(false));
    device.submit(queue, &[transfer(region, 0, 1)]).unwrap();
    mock.run();
    assert_eq!(mock.take_interrupts(), [3]);
    close(&mock, device);
}

#[test]
fn a_moderated_queue_interrupts_by_count_or_time() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let config = QueueConfig {
        notify: Notify::Interrupt(Moderation {
            count: 3,
            time_us: 20,
        }),
        ..queue_config(Direction::C2h)
    };
    let queue = queue_of(&mock, &mut device, config);
    let context = mock.host().device.context(queue.id()).unwrap();
    // 20 us at 250 MHz are 312.5 units of 16 cycles, and not to be exceeded.
    assert_eq!(
        (context.moderation_count(), context.moderation_time()),
        (3, 312)
    );
    let buffer = mock.lock_scattered(0, 4096);
    let region = register(&mut device, buffer, Tier::Bypass);
    mock.take_interrupts();
    device.submit(queue, &[transfer(region, 0, 1); 7]).unwrap();
    mock.run_at_most(2);
    assert_eq!(mock.take_interrupts(), []);
    mock.run_at_most(1);
    assert_eq!(mock.take_interrupts(), [3]);
    // Three more came before the driver looked: one wake-up takes all that are there.
    mock.run_at_most(1);
    assert_eq!(reap(&mut device, queue).len(), 4);
    // Two come between the look and the arming: no interrupt at once, and none lost.
    mock.run_at_most(2);
    assert_eq!(device.arm(queue), Ok(true));
    assert_eq!(mock.take_interrupts(), []);
    mock.host_mut().device.moderation_time_passes();
    assert_eq!(mock.take_interrupts(), [3]);
    assert_eq!(reap(&mut device, queue).len(), 2);
    // The burst's last one alone.
    assert_eq!(device.arm(queue), Ok(true));
    mock.host_mut().device.moderation_time_passes();
    assert_eq!(mock.take_interrupts(), [], "nothing is unseen");
    mock.run();
    assert_eq!(mock.take_interrupts(), []);
    mock.host_mut().device.moderation_time_passes();
    assert_eq!(mock.take_interrupts(), [3]);
    assert_eq!(reap(&mut device, queue).len(), 1);
    close(&mock, device);
}

#[test]
fn impossible_moderations_are_refused() {
    let mock = Mock::new();
    let device = start(&mock);
    let create = |count, time_us| {
        let notify = Notify::Interrupt(Moderation { count, time_us });
        device
            .request_queue(QueueConfig {
                notify,
                ..queue_config(Direction::C2h)
            })
            .map(drop)
    };
    for (count, time_us) in [(2, 0), (u16::MAX, 0), (8, 4195), (0, 4195), (8, u32::MAX)] {
        let refused = AdminError::Moderation {
            count,
            time_us,
            longest_us: 4194,
        };
        assert_eq!(create(count, time_us), Err(refused), "{count}, {time_us}");
    }
    for (count, time_us) in [(0, 0), (1, 0), (1, 20), (2, 1), (u16::MAX, 4194)] {
        assert_eq!(create(count, time_us), Ok(()), "{count}, {time_us}");
    }
    close(&mock, device);
}

#[test]
fn a_polled_queue_sends_no_interrupts() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 4096);
    let region = register(&mut device, buffer, Tier::Bypass);
    mock.take_interrupts();
    device.submit(queue, &[transfer(region, 0, 1); 4]).unwrap();
    mock.run();
    assert_eq!(
        (mock.take_interrupts(), reap(&mut device, queue).len()),
        (vec![], 4)
    );
    close(&mock, device);
}

#[test]
fn a_device_that_breaks_the_protocol_stops_its_queue_only() {
    let faults = [
        (
            Hostile::WrongSlot,
            DeviceFault::WrongSlot {
                queue: 1,
                expected: 1,
                found: 2,
            },
        ),
        (
            Hostile::TooManyBytes,
            DeviceFault::TooManyBytes {
                queue: 1,
                slot: 1,
                moved: 101,
                length: 100,
            },
        ),
        (
            Hostile::WrongQueue,
            DeviceFault::WrongQueue { queue: 1, found: 2 },
        ),
        (
            Hostile::WrongCookie,
            DeviceFault::WrongCookie {
                queue: 1,
                slot: 1,
                expected: 0xc00c_1e00,
                found: !0xc00c_1e00,
            },
        ),
        (
            Hostile::TooFewBytes,
            DeviceFault::TooFewBytes {
                queue: 1,
                slot: 1,
                moved: 99,
                length: 100,
            },
        ),
        (
            Hostile::SkipsSlot,
            DeviceFault::PhaseOrder { queue: 1, slot: 1 },
        ),
    ];
    let check = |hostile, expected: &dyn Fn(DeviceFault) -> bool| {
        let Setup {
            mock,
            mut device,
            queue,
        } = setup(Direction::C2h);
        let other = common::queue(&mock, &mut device, Direction::C2h);
        let buffer = mock.lock_scattered(0, 4096);
        let region = register(&mut device, buffer, Tier::Bypass);
        device
            .submit(queue, &[transfer(region, 0, 100); 2])
            .unwrap();
        mock.run_at_most(1);
        mock.host_mut().device.hostile = Some(hostile);
        mock.run();
        let mut given = 0;
        let fault = match device.reap(queue, |_| given += 1) {
            Err(QueueError::Faulted(fault)) => fault,
            other => panic!("{hostile:?}: {other:?}"),
        };
        assert!(expected(fault), "{hostile:?}: {fault}");
        assert!(fault.to_string().starts_with("device fault: "));
        assert_eq!(
            device.reap(queue, |_| given += 1),
            Err(QueueError::Faulted(fault))
        );
        assert_eq!(
            device.submit(queue, &[transfer(region, 0, 1)]),
            Err(SubmitError::Queue(QueueError::Faulted(fault)))
        );
        assert_eq!(device.arm(queue), Err(QueueError::Faulted(fault)));
        let good = if hostile == Hostile::Twice { 2 } else { 1 };
        assert_eq!(given, good);
        device.submit(other, &[transfer(region, 0, 1)]).unwrap();
        mock.run();
        assert_eq!(reap(&mut device, other).len(), 1);
        // A reset reports the rest and makes the queue anew.
        device.reset().unwrap();
        wait(&mut device);
        let rest = reap(&mut device, queue);
        assert_eq!(
            rest.iter().map(|c| c.status).collect::<Vec<_>>(),
            vec![Status::Aborted; 2 - good]
        );
        mock.run();
        while device.poll_admin().unwrap().is_some() {}
        device.submit(queue, &[transfer(region, 0, 100)]).unwrap();
        mock.run();
        assert_eq!(reap(&mut device, queue)[0].status, Status::Ok);
        close(&mock, device);
    };
    for (hostile, fault) in faults {
        check(hostile, &|found| found == fault);
    }
    check(Hostile::Twice, &|found| {
        found == DeviceFault::NothingInFlight { queue: 1, slot: 1 }
    });
    check(Hostile::UnknownStatus, &|found| {
        matches!(found, DeviceFault::BadEntry { queue: 1, .. })
    });
    check(Hostile::ReservedBit, &|found| {
        matches!(found, DeviceFault::BadEntry { queue: 1, .. })
    });
}

/// A second command would be for whoever has the queue's id by then.
#[test]
fn a_queue_that_is_being_cancelled_or_destroyed_is_so_once_whatever_its_ring_says() {
    for destroys in [false, true] {
        let Setup {
            mock,
            mut device,
            queue,
        } = setup(Direction::C2h);
        let buffer = mock.lock_scattered(0, 4096);
        let region = register(&mut device, buffer, Tier::Bypass);
        device.submit(queue, &[transfer(region, 0, 100)]).unwrap();
        mock.host_mut().device.hostile = Some(Hostile::WrongSlot);
        mock.run();
        let ticket = match destroys {
            true => device.destroy_queue(queue),
            false => device.cancel_queue(queue),
        }
        .unwrap();
        assert!(matches!(
            device.reap(queue, |_| ()),
            Err(QueueError::Faulted(_))
        ));
        for again in [device.destroy_queue(queue), device.cancel_queue(queue)] {
            assert_eq!(again, Err(AdminError::Queue(QueueError::NotReady)));
        }
        let event = common::redeem(&mock, &mut device, ticket);
        assert!(event.result.is_ok());
        if let Some(retired) = event.retired {
            device.settle(retired);
        }
        let rest = reap(&mut device, queue);
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].status, Status::Aborted);
        close(&mock, device);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_the_completion_ring_panic(junk in prop::collection::vec(any::<[u8; 32]>(), 8), in_flight in 0usize..8) {
        let Setup { mock, mut device, queue } = setup(Direction::C2h);
        let buffer = mock.lock_scattered(0, 4096);
        let region = register(&mut device, buffer, Tier::Bypass);
        device.submit(queue, &vec![transfer(region, 0, 4096); in_flight]).unwrap();
        let ring = mock.host().device.completion_ring(queue.id());
        for (slot, bytes) in (0u64..).zip(&junk) {
            mock.host_mut().bus_write(ring + slot * 32, bytes);
        }
        let mut given = 0;
        let reaped = device.reap(queue, |_| given += 1);
        prop_assert!(given <= in_flight);
        if junk[0][31] & 0x80 == 0 {
            // An entry behind one that is missing is a lie, if there can be any.
            let skipped = in_flight > 0 && junk[1][31] & 0x80 != 0;
            let fault = QueueError::Faulted(DeviceFault::PhaseOrder { queue: queue.id(), slot: 0 });
            prop_assert_eq!(reaped, if skipped { Err(fault) } else { Ok(0) });
        }
        device.reset().unwrap();
        wait(&mut device);
        prop_assert_eq!(reap(&mut device, queue).len(), in_flight - given);
        close(&mock, device);
    }
}

#[test]
fn queues_are_cancelled_drained_and_destroyed() {
    let Setup {
        mock,
        mut device,
        queue,
    } = setup(Direction::C2h);
    let buffer = mock.lock_scattered(0, 4096);
    let region = register(&mut device, buffer, Tier::Bypass);
    let statuses = |device: &mut Device<Mock>| {
        reap(device, queue)
            .iter()
            .map(|c| c.status)
            .collect::<Vec<_>>()
    };

    device
        .submit(queue, &[transfer(region, 0, 100); 5])
        .unwrap();
    mock.run_at_most(2);
    let ticket = device.cancel_queue(queue).unwrap();
    assert_eq!(
        device.submit(queue, &[transfer(region, 0, 1)]),
        Err(SubmitError::Queue(QueueError::NotReady))
    );
    assert!(matches!(
        device.cancel_queue(queue),
        Err(AdminError::Queue(QueueError::NotReady))
    ));
    // Round by round: the admin queue is first, so that two more transfers at most slip through.
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    let ended = statuses(&mut device);
    assert_eq!(
        (ended.len(), &ended[..2], ended[4]),
        (5, &[Status::Ok; 2][..], Status::Aborted)
    );
    assert_eq!(device.region_info(region).unwrap().in_flight, 0);

    device
        .submit(queue, &[transfer(region, 0, 100); 3])
        .unwrap();
    device.drain(queue).unwrap();
    assert_eq!(
        device.submit(queue, &[transfer(region, 0, 1)]),
        Err(SubmitError::Queue(QueueError::Draining))
    );
    assert_eq!(device.in_flight(queue), Ok(3));
    mock.run();
    assert_eq!(statuses(&mut device), [Status::Ok; 3]);
    assert_eq!(device.in_flight(queue), Ok(0));
    device.resume(queue).unwrap();

    device.submit(queue, &[transfer(region, 0, 100)]).unwrap();
    let ticket = device.destroy_queue(queue).unwrap();
    let retired = redeem(&mock, &mut device, ticket).retired.unwrap();
    device.settle(retired);
    assert_eq!(statuses(&mut device), [Status::Aborted]);
    assert_eq!(
        device.submit(queue, &[transfer(region, 0, 1)]),
        Err(SubmitError::Queue(QueueError::Stale(queue)))
    );
    let again = common::queue(&mock, &mut device, Direction::C2h);
    assert_eq!(again.id(), queue.id());
    assert_eq!(device.reap(queue, |_| ()), Err(QueueError::Stale(queue)));
    close(&mock, device);
}

#[test]
fn queue_ids_and_admin_slots_run_out() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let all: Vec<_> = (1..16)
        .map(|_| queue(&mock, &mut device, Direction::C2h))
        .collect();
    assert_eq!(
        device
            .create_queue(queue_config(Direction::C2h))
            .unwrap_err(),
        AdminError::NoQueue(15)
    );
    let buffer = mock.lock_scattered(0, 100);
    let region = register(&mut device, buffer, Tier::Bypass);
    for _ in 0..32 {
        device.flush_log().unwrap();
    }
    assert_eq!(
        device.unregister(region),
        Err(AdminError::Full { waiting: 32 })
    );
    assert_eq!(
        device.destroy_queue(all[0]),
        Err(AdminError::Full { waiting: 32 })
    );
    mock.run();
    while device.poll_admin().unwrap().is_some() {}
    // The refused command changed nothing.
    assert!(device.submit(all[0], &[transfer(region, 0, 1)]).is_ok());
    close(&mock, device);
}

#[test]
fn impossible_queues_are_refused() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let good = queue_config(Direction::C2h);
    let before = mock.host().counts.dma_memory;
    for entries in [0, 1, 3, 65536] {
        assert_eq!(
            device
                .create_queue(QueueConfig { entries, ..good })
                .unwrap_err(),
            AdminError::RingSize(entries)
        );
    }
    let refused = device
        .create_queue(QueueConfig {
            tdest_first: 21,
            ..good
        })
        .unwrap_err();
    assert!(matches!(refused, AdminError::QueueConfig(_)));
    assert!(
        device
            .create_queue(QueueConfig { vector: 16, ..good })
            .is_err()
    );
    assert_eq!(mock.host().counts.dma_memory, before);
    mock.host_mut().device.refuse_admin = Some(Status::BadQueueContext);
    let (queue, ticket) = device.create_queue(good).unwrap();
    let event = redeem(&mock, &mut device, ticket);
    assert_eq!(
        event.result,
        Err(AdminError::Refused(Status::BadQueueContext))
    );
    device.settle(event.retired.unwrap());
    assert_eq!(
        device.submit(queue, &[]),
        Err(SubmitError::Queue(QueueError::Stale(queue)))
    );
    assert_eq!(mock.host().counts.dma_memory, before);
    close(&mock, device);
}
