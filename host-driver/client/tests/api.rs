//! The library's promises, over the driver double.

use pinring_client::loopback::{Config, Loopback};
use pinring_client::{
    AlignedBuffer, Burst, Device, Direction, Error, Permissions, Region, Status, Strategy, Tier,
    TierChoice, Transport, ioctl, pattern,
};

const MB: usize = 1 << 20;
const SECOND: u64 = 1_000_000_000;

fn open(config: Config) -> (Device<Loopback>, Loopback) {
    let loopback = Loopback::with(config);
    (Device::new(loopback.clone()).unwrap(), loopback)
}

fn register(device: &Device<Loopback>, bytes: usize) -> Region<Loopback, AlignedBuffer> {
    let buffer = AlignedBuffer::new(bytes).unwrap();
    device
        .register(buffer, Permissions::Both, TierChoice::best())
        .unwrap()
}

#[test]
fn data_arrives_and_the_buffer_comes_back() {
    let (device, loopback) = open(Config::default());
    let region = register(&device, MB);
    let transfers = [
        region.transfer(0..5000).cookie(1),
        region.transfer(5000..MB as u64).cookie(2),
    ];
    device.submit(Direction::C2h, &transfers).unwrap();
    assert_eq!(device.in_flight(), 2);
    let ended = device.wait(2, None).unwrap();
    assert_eq!(ended.iter().map(|e| e.cookie).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(device.in_flight(), 0);
    assert_eq!(pattern::mismatch(&region.view().unwrap(), 0, 0), None);
    let buffer = region.unregister();
    assert_eq!(pattern::mismatch(&buffer, 0, 0), None);
    assert_eq!(loopback.left(), (0, 0));
}

#[test]
fn views_and_transfers_exclude_each_other() {
    let (device, _) = open(Config::default());
    let region = register(&device, MB);
    let one = [region.transfer(0..4096)];
    {
        let _view = region.view().unwrap();
        let _another = region.view().unwrap();
        let refused = device.submit(Direction::C2h, &one).unwrap_err();
        assert!(matches!(refused, Error::Viewed { .. }), "{refused}");
        // The device may read what the program reads.
        device.submit(Direction::H2c, &one).unwrap();
        assert!(matches!(region.view_mut(), Err(Error::Viewed { .. })));
    }
    assert!(matches!(
        region.view_mut(),
        Err(Error::InFlight { transfers: 1 })
    ));
    region.view().unwrap();
    device.wait(1, None).unwrap();
    {
        let mut view = region.view_mut().unwrap();
        view[0] = 7;
        for direction in [Direction::C2h, Direction::H2c] {
            assert!(device.submit(direction, &one).is_err());
        }
        assert!(region.view().is_err());
    }
    device.submit(Direction::C2h, &one).unwrap();
    assert!(matches!(
        region.view(),
        Err(Error::InFlight { transfers: 1 })
    ));
    device.wait(1, None).unwrap();
    region.view().unwrap();
    // A batch that was refused counts as nothing.
    let bad = [region.transfer(0..4096), region.transfer(1..1)];
    let refused = device.submit(Direction::C2h, &bad).unwrap_err();
    assert_eq!(refused.driver(), Some(ioctl::Error::Empty));
    assert_eq!(device.in_flight(), 0);
    region.view_mut().unwrap();
}

#[test]
fn a_wait_that_is_late_loses_nothing() {
    let (device, loopback) = open(Config {
        stalled: true,
        ..Config::default()
    });
    let region = register(&device, MB);
    device
        .submit(Direction::C2h, &[region.transfer(0..4096).cookie(5)])
        .unwrap();
    for timeout in [0, 1, 1_000_000] {
        assert_eq!(device.wait(1, Some(timeout)).unwrap(), []);
    }
    loopback.configure(|config| config.stalled = false);
    let ended = device.wait(1, Some(SECOND)).unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].cookie, 5);
    // Nothing is in flight: nothing to wait for.
    assert_eq!(device.wait(3, None).unwrap(), []);
}

#[test]
fn a_wait_that_is_late_gives_what_is_there() {
    let (device, loopback) = open(Config::default());
    let region = register(&device, MB);
    let five: Vec<_> = (0..5)
        .map(|i| region.transfer(0..MB as u64).cookie(i))
        .collect();
    device.submit(Direction::C2h, &five).unwrap();
    let ended = device.wait(5, Some(300_000)).unwrap();
    assert_eq!(ended.len(), 3, "81 us each");
    loopback.configure(|config| config.stalled = true);
    assert_eq!(device.poll().unwrap(), []);
    loopback.configure(|config| config.stalled = false);
    assert_eq!(device.wait(1, None).unwrap().len(), 1);
    assert_eq!(device.wait(1, None).unwrap().len(), 1);
}

#[test]
fn more_completions_than_one_answer_holds_all_arrive() {
    let mut config = Config::default();
    config.info.ring_entries = 1024;
    let (device, _) = open(config);
    let region = register(&device, MB);
    let transfers: Vec<_> = (0..1024)
        .map(|i| region.transfer(i * 1024..(i + 1) * 1024).cookie(i))
        .collect();
    device.submit(Direction::C2h, &transfers).unwrap();
    let too_many = device.submit(Direction::C2h, &transfers[..1]).unwrap_err();
    assert_eq!(too_many.driver(), Some(ioctl::Error::RingFull));
    let ended = device.wait(1024, None).unwrap();
    assert!(ended.iter().map(|ended| ended.cookie).eq(0..1024));
    let batch = vec![transfers[0]; 1025];
    assert!(matches!(
        device.submit(Direction::C2h, &batch),
        Err(Error::BatchTooLong { count: 1025 })
    ));
}

#[test]
fn a_transfer_that_is_too_long_names_the_limit() {
    let mut config = Config::default();
    config.info.max_transfer_bytes = 16 << 20;
    let (device, _) = open(config);
    let buffer = || AlignedBuffer::new(17 * MB).unwrap();
    let make = |tier| {
        let tiers = TierChoice::exactly(tier);
        device.register(buffer(), Permissions::C2h, tiers).unwrap()
    };
    let (listed, bypassed) = (make(Tier::PerTransfer), make(Tier::Bypass));
    let limit = 16 * MB as u64;
    let refused = device
        .submit(Direction::C2h, &[listed.transfer(0..limit + 1)])
        .unwrap_err();
    assert_eq!(refused.driver(), Some(ioctl::Error::TooLong));
    let text = refused.to_string();
    assert!(
        text.contains("16777216 bytes") && text.contains("split it"),
        "{text}"
    );
    assert_eq!(device.in_flight(), 0);
    // What is as long as the limit is taken, and a lasting mapping has none.
    for transfer in [
        listed.transfer(1..limit + 1),
        bypassed.transfer(0..limit + 1),
    ] {
        device.submit(Direction::C2h, &[transfer]).unwrap();
        assert_eq!(device.wait(1, None).unwrap()[0].result, Ok(()));
    }
}

#[test]
fn unregistering_aborts_what_is_in_flight_and_reports_it() {
    let (device, loopback) = open(Config {
        stalled: true,
        ..Config::default()
    });
    let (region, other) = (register(&device, MB), register(&device, MB));
    let both = [
        region.transfer(0..4096).cookie(1),
        other.transfer(0..4096).cookie(2),
    ];
    device.submit(Direction::C2h, &both).unwrap();
    drop(region);
    assert_eq!(loopback.left(), (1, 1));
    let ended = device.wait(1, Some(SECOND)).unwrap();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].result.unwrap_err().is_aborted());
    other.cancel().unwrap();
    let ended = device.wait(1, Some(SECOND)).unwrap();
    assert_eq!((ended[0].cookie, ended[0].bytes), (2, 0));
    assert!(ended[0].result.is_err());
    other.view_mut().unwrap();
}

#[test]
fn a_device_that_does_not_let_go_keeps_the_memory() {
    let (device, loopback) = open(Config {
        teardown_ns: 60 * SECOND,
        ..Config::default()
    });
    let region = register(&device, MB);
    let start = region.as_ptr();
    let region = region.unregister_within(SECOND).unwrap_err();
    // The drop gives up; the memory must still be there, for the device.
    drop(region);
    assert_eq!(loopback.left(), (1, 1));
    // SAFETY: it was leaked, not unmapped.
    assert_eq!(unsafe { start.read() }, 0);
}

#[test]
fn a_forgotten_region_stays_registered() {
    let (device, loopback) = open(Config::default());
    std::mem::forget(register(&device, MB));
    drop(device);
    assert_eq!(loopback.left(), (1, 1));
}

#[test]
fn tiers_are_chosen_and_refused_with_the_reason() {
    let mut config = Config::default();
    config.info.bypass_missing = ioctl::tier_reason::TRANSLATED;
    config.info.mapped_once_missing = ioctl::tier_reason::UNSUPPORTED;
    let (device, _) = open(config);
    let region = register(&device, MB);
    assert_eq!(region.info().tier, Tier::PerTransfer);
    assert!(!region.info().reason.text().is_empty());
    let buffer = region.unregister();
    let exactly = TierChoice::exactly(Tier::Bypass);
    let refused = device
        .register(buffer, Permissions::C2h, exactly)
        .unwrap_err();
    assert_eq!(refused.error.driver(), Some(ioctl::Error::NoBypass));
    assert_eq!(refused.buffer.len(), MB, "the buffer comes back");
    let refused = device
        .register(
            refused.buffer,
            Permissions::C2h,
            TierChoice::down_to(Tier::MappedOnce),
        )
        .unwrap_err();
    assert_eq!(refused.error.driver(), Some(ioctl::Error::NoMappedOnce));
    // A vector is not page-aligned, as a rule: only some tiers take it.
    let region = device
        .register(vec![0; 5001], Permissions::C2h, TierChoice::best())
        .unwrap();
    assert_eq!(region.len(), 5001);
    assert_eq!(region.unregister(), vec![0; 5001]);
}

#[test]
fn registrations_that_take_their_time_are_waited_for() {
    let (device, loopback) = open(Config {
        registration_ns: 3_000_000,
        ..Config::default()
    });
    drop(register(&device, MB));
    loopback.configure(|config| config.late_failure = Some(Status::WORKING_SET_QUOTA));
    let refused = device
        .register(vec![1; 8192], Permissions::C2h, TierChoice::best())
        .unwrap_err();
    assert_eq!(refused.error.status(), Some(Status::WORKING_SET_QUOTA));
    assert_eq!(refused.buffer, vec![1; 8192]);
    assert_eq!(loopback.left(), (0, 0));
    // The question fails, though the registration goes on: it is taken back.
    loopback.configure(|config| {
        config.late_failure = None;
        config.fail = Some((ioctl::QUERY_REGION, Status::INSUFFICIENT_RESOURCES));
    });
    let refused = device
        .register(vec![2; 8192], Permissions::C2h, TierChoice::best())
        .unwrap_err();
    assert_eq!(refused.error.status(), Some(Status::INSUFFICIENT_RESOURCES));
    assert_eq!(loopback.left(), (0, 0));
}

#[test]
fn unregister_that_fails_falls_back_on_cancelling() {
    let (device, loopback) = open(Config::default());
    let region = register(&device, MB);
    loopback.configure(|config| config.fail = Some((ioctl::UNREGISTER, Status::NO_SUCH_DEVICE)));
    drop(region);
    assert_eq!(loopback.left(), (0, 0));
}

#[test]
fn versions_must_agree() {
    let mut config = Config::default();
    config.info.interface_version += 1;
    let refused = Device::new(Loopback::with(config)).unwrap_err();
    assert!(matches!(
        refused,
        Error::Version {
            driver: 2,
            library: 1
        }
    ));
}

#[test]
fn common_buffers_are_copied_and_cancelled() {
    let (device, loopback) = open(Config::default());
    let common = device.allocate(MB as u64, Permissions::Both).unwrap();
    assert_eq!(common.info().tier, Tier::CommonBuffer);
    let mut sent = vec![0; MB];
    pattern::fill(&mut sent, 0, 0);
    common.copy_in(0, &sent).unwrap();
    device
        .submit(Direction::H2c, &[common.transfer(0..MB as u64)])
        .unwrap();
    device.wait(1, None).unwrap();
    assert_eq!(loopback.sink(), (MB as u64, 0));
    let mut found = vec![0; 100];
    common.copy_out(4, &mut found).unwrap();
    assert_eq!(found, sent[4..104]);
    let refused = common.copy_out(MB as u64 - 1, &mut found).unwrap_err();
    assert_eq!(refused.driver(), Some(ioctl::Error::OutOfBounds));
    device
        .submit(Direction::C2h, &[common.transfer(0..4096)])
        .unwrap();
    drop(common);
    assert!(device.wait(1, None).unwrap()[0].result.is_err());
    loopback.sleep(SECOND);
    assert_eq!(loopback.left(), (0, 0));
}

#[test]
fn bursts_of_every_strategy_end_and_differ_as_they_should() {
    let (device, _) = open(Config::default());
    let bytes = 4_400_000;
    let mut ends = Vec::new();
    for strategy in Strategy::ALL {
        let Some(tiers) = strategy.tiers() else {
            let common = device.allocate(bytes * 4, Permissions::C2h).unwrap();
            let transfers: Vec<_> = (0..4)
                .map(|i| common.transfer(i * bytes..(i + 1) * bytes))
                .collect();
            let mut copied = Vec::new();
            let mut copy = |index: usize| {
                copied.push(index);
                Ok(())
            };
            let burst = Burst::new(strategy, Direction::C2h, &transfers).copy(&mut copy);
            assert_eq!(burst.run(&device).unwrap().ends_ns.len(), 4);
            assert_eq!(copied, [0, 1, 2, 3]);
            continue;
        };
        let buffer = AlignedBuffer::new(4 * bytes as usize).unwrap();
        let region = device.register(buffer, Permissions::C2h, tiers).unwrap();
        let transfers: Vec<_> = (0..4)
            .map(|i| region.transfer(i * bytes..(i + 1) * bytes))
            .collect();
        let times = Burst::new(strategy, Direction::C2h, &transfers)
            .run(&device)
            .unwrap();
        assert_eq!(times.bytes(), 4 * bytes);
        assert_eq!(times.ends_ns.len(), 4);
        assert!(times.ends_ns.is_sorted());
        ends.push(times.last_ns());
    }
    assert!(ends.is_sorted_by(|a, b| a > b), "{ends:?}");
}

#[test]
fn a_burst_that_stalls_is_cancelled() {
    let (device, loopback) = open(Config {
        stalled: true,
        ..Config::default()
    });
    let region = register(&device, MB);
    let transfers = [region.transfer(0..4096), region.transfer(4096..8192)];
    let late = Burst::new(Strategy::Registered, Direction::C2h, &transfers)
        .timeout_ns(2 * SECOND)
        .run(&device)
        .unwrap_err();
    assert!(matches!(
        late,
        Error::BurstTimeout {
            left: 2,
            seconds: 2
        }
    ));
    assert_eq!(device.in_flight(), 0);
    loopback.configure(|config| config.stalled = false);
    // The burst cancelled everything, behind which the next one waits.
    let burst = || Burst::new(Strategy::Registered, Direction::C2h, &transfers);
    let begun_ns = loopback.now_ns();
    loopback.configure(|config| config.cancel_ns = SECOND);
    device.cancel().unwrap();
    assert_eq!(burst().run(&device).unwrap().ends_ns.len(), 2);
    assert!(loopback.now_ns() - begun_ns > SECOND);
    // While a region is cancelled, it takes nothing.
    region.cancel().unwrap();
    let busy = burst().run(&device).unwrap_err();
    assert_eq!(busy.driver(), Some(ioctl::Error::RegionBusy));
    device.transport().sleep(2 * SECOND);
    assert_eq!(burst().run(&device).unwrap().ends_ns.len(), 2);
    let common = Burst::new(Strategy::CommonBuffer, Direction::C2h, &transfers);
    assert!(matches!(common.run(&device), Err(Error::Burst(_))));
}

#[test]
fn raw_memory_can_be_registered() {
    let (device, _) = open(Config::default());
    let mut memory = AlignedBuffer::new(MB).unwrap();
    let start = std::ptr::NonNull::new(memory.as_mut_ptr()).unwrap();
    // SAFETY: the memory outlives the region, and nothing refers to it meanwhile.
    let region = unsafe {
        device
            .register_raw(start, 8192, Permissions::C2h, TierChoice::best())
            .unwrap()
    };
    device
        .submit(Direction::C2h, &[region.transfer(0..8192)])
        .unwrap();
    device.wait(1, None).unwrap();
    region.unregister();
    assert_eq!(pattern::mismatch(&memory[..8192], 0, 0), None);
    assert!(memory[8192..].iter().all(|byte| *byte == 0));
}

#[test]
fn devices_and_regions_move_between_threads() {
    fn assert_send<T: Send + Sync>(_: &T) {}
    let (device, _) = open(Config::default());
    let region = register(&device, MB);
    assert_send(&device);
    assert_send(&region);
    std::thread::scope(|scope| {
        scope.spawn(move || drop(region));
    });
}
