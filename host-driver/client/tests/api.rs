//! The library's promises, over the driver double.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use pinring_client::loopback::{Config, Loopback};
use pinring_client::{
    AlignedBuffer, Burst, Device, Direction, Error, Pending, Permissions, Region, RegionHandle,
    Status, Strategy, Tier, TierChoice, Transfer, Transport, ioctl, pattern,
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
        let refused = region.peek(0).unwrap_err();
        assert!(
            matches!(refused, Error::Viewed { changing: true }),
            "{refused}"
        );
    }
    assert_eq!(region.peek(0).unwrap()[0], 7);
    {
        let _view = region.view().unwrap();
        region.peek(MB - 8).unwrap();
        let refused = region.peek(MB - 7).unwrap_err();
        assert!(matches!(refused, Error::OutOfBounds { .. }), "{refused}");
    }
    device.submit(Direction::C2h, &one).unwrap();
    region.peek(0).unwrap();
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
fn a_look_never_meets_a_change() {
    let (device, _) = open(Config::default());
    let region = register(&device, 4096);
    let (begun, enough) = (AtomicBool::new(false), AtomicBool::new(false));
    let halves = std::thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = (0..=255).cycle();
            for byte in bytes.take_while(|_| !enough.load(Ordering::Relaxed)) {
                let mut view = region.view_mut().unwrap();
                view[..4].fill(byte);
                begun.store(true, Ordering::Relaxed);
                std::thread::yield_now();
                view[4..8].fill(byte);
            }
        });
        while !begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let looks = std::iter::repeat_with(|| region.peek(0)).flatten();
        let halves = looks
            .take(50_000)
            .filter(|bytes| *bytes != [bytes[0]; 8])
            .count();
        enough.store(true, Ordering::Relaxed);
        halves
    });
    assert_eq!(halves, 0, "looks at half a change");
}

#[test]
fn transfers_of_regions_that_are_not_the_device_s_are_refused() {
    let (device, _) = open(Config::default());
    let (other, _) = open(Config::default());
    let refused_of = |handle: RegionHandle| {
        let transfers = [Transfer::new(handle, 0..64)];
        let refused = device.submit(Direction::C2h, &transfers).unwrap_err();
        assert!(
            matches!(refused, Error::UnknownRegion { handle: named } if named == handle.0),
            "{refused}"
        );
        assert_eq!(refused.driver(), Some(ioctl::Error::NoRegion));
        assert_eq!(device.in_flight(), 0);
    };
    // Two drivers' handles give the same numbers: this one is further on.
    let _earlier = register(&other, MB);
    let foreign = register(&other, MB);
    refused_of(foreign.handle());
    refused_of(RegionHandle(0));
    let region = register(&device, MB);
    let common = device.allocate(4096, Permissions::Both).unwrap();
    let both = [region.transfer(0..64), common.transfer(0..64)];
    device.submit(Direction::C2h, &both).unwrap();
    device.wait(2, None).unwrap();
    // A batch of which one is wrong counts as nothing.
    let mixed = [region.transfer(0..64), foreign.transfer(0..64)];
    device.submit(Direction::C2h, &mixed).unwrap_err();
    region.view_mut().unwrap();
    let handles = [region.handle(), common.handle()];
    region.unregister();
    drop(common);
    handles.into_iter().for_each(refused_of);
}

/// A driver to whose devices somebody submits as soon as a registration is made, before its owner has the handle.
struct Hasty {
    loopback: Loopback,
    device: RefCell<Option<Device<Rc<Self>>>>,
    submitted: Cell<usize>,
}

impl Transport for Hasty {
    unsafe fn start(
        &self,
        code: ioctl::Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status> {
        // SAFETY: the caller's promise is the same.
        let pending = unsafe { self.loopback.start(code, input, buffer, len)? };
        if code == ioctl::QUERY_REGION
            && let Some(device) = &*self.device.borrow()
        {
            // SAFETY: the answer is there, and it is this request's alone.
            let answer = unsafe { std::slice::from_raw_parts(buffer, len) };
            let handle = ioctl::RegionInfo::parse(answer).unwrap().handle;
            let transfers = [Transfer::new(RegionHandle(handle), 0..4096)];
            let taken = device.submit(Direction::C2h, &transfers).is_ok();
            self.submitted
                .set(self.submitted.get() + usize::from(taken));
        }
        Ok(pending)
    }

    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        self.loopback.wait(pending, timeout_ns)
    }

    fn cancel(&self, pending: &Pending) {
        self.loopback.cancel(pending);
    }

    fn now_ns(&self) -> u64 {
        self.loopback.now_ns()
    }

    fn relax(&self) {
        self.loopback.relax();
    }
}

#[test]
fn nothing_is_in_flight_on_a_region_uncounted() {
    let hasty = Rc::new(Hasty {
        loopback: Loopback::new(),
        device: RefCell::new(None),
        submitted: Cell::new(0),
    });
    let device = Device::new(Rc::clone(&hasty)).unwrap();
    *hasty.device.borrow_mut() = Some(device.clone());
    let region = device
        .register(vec![0; 4096], Permissions::Both, TierChoice::best())
        .unwrap();
    assert_eq!(hasty.submitted.get(), 0, "the device writes what is viewed");
    assert_eq!(hasty.loopback.statistics().transfers, 0);
    region.view().unwrap();
    hasty.device.take();
}

#[test]
fn two_devices_of_one_handle_do_not_take_each_other_s_registrations() {
    let loopback = Loopback::new();
    let devices = [(); 2].map(|()| Device::new(loopback.clone()).unwrap());
    let [one, two] = devices.each_ref().map(|device| register(device, MB));
    assert_ne!(one.handle(), two.handle());
    let [first, second] = &devices;
    assert!(
        first
            .submit(Direction::C2h, &[two.transfer(0..64)])
            .is_err()
    );
    assert!(
        second
            .submit(Direction::C2h, &[two.transfer(0..64)])
            .is_ok()
    );
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
fn a_region_that_is_being_unregistered_is_waited_for_again() {
    for give_up in [false, true] {
        let (device, loopback) = open(Config {
            teardown_ns: 5 * SECOND,
            ..Config::default()
        });
        let region = register(&device, MB);
        let begun_ns = loopback.now_ns();
        let region = region.unregister_within(SECOND).unwrap_err();
        assert_eq!(loopback.left(), (1, 1));
        // The driver knows the handle no more: the request is cancelled, which ends it no sooner.
        let refused = region.cancel().unwrap_err();
        assert_eq!(refused.driver(), Some(ioctl::Error::NoRegion));
        let transfers = [region.transfer(0..64)];
        let refused = device.submit(Direction::H2c, &transfers).unwrap_err();
        assert_eq!(refused.driver(), Some(ioctl::Error::NoRegion));
        match give_up {
            true => drop(region),
            false => assert_eq!(region.unregister().len(), MB),
        }
        let took_ns = loopback.now_ns() - begun_ns;
        assert!((5 * SECOND..6 * SECOND).contains(&took_ns), "{took_ns} ns");
        assert_eq!(loopback.left(), (0, 0));
    }
}

#[test]
fn cancelled_regions_are_given_back_at_once() {
    let (device, loopback) = open(Config {
        stalled: true,
        cancel_ns: 60 * SECOND,
        ..Config::default()
    });
    let region = register(&device, MB);
    let common = device.allocate(4096, Permissions::Both).unwrap();
    let both = [region.transfer(0..64), common.transfer(0..64)];
    device.submit(Direction::C2h, &both).unwrap();
    region.cancel().unwrap();
    common.cancel().unwrap();
    for busy in [region.cancel(), common.cancel()] {
        assert_eq!(busy.unwrap_err().driver(), Some(ioctl::Error::RegionBusy));
    }
    common.copy_out(0, &mut [0; 64]).unwrap();
    common.free().unwrap();
    assert_eq!(region.unregister().len(), MB);
    assert!(loopback.now_ns() < SECOND);
    assert_eq!(device.wait(2, Some(0)).unwrap().len(), 2);
    assert_eq!(loopback.left(), (0, 0));
}

#[test]
fn driver_memory_is_freed_when_the_device_has_let_go() {
    let (device, loopback) = open(Config {
        teardown_ns: SECOND,
        ..Config::default()
    });
    let make = || device.allocate(4096, Permissions::Both).unwrap();
    make().free().unwrap();
    assert_eq!(device.statistics().unwrap().handle_regions, 1);
    loopback.sleep(SECOND);
    assert_eq!(device.statistics().unwrap().handle_regions, 0);
    // A refusal is told, and is the end of it, too.
    let common = make();
    let transfers = [common.transfer(0..64)];
    loopback.configure(|config| config.fail = Some((ioctl::UNREGISTER, Status::NO_SUCH_DEVICE)));
    let refused = common.free().unwrap_err();
    assert_eq!(refused.status(), Some(Status::NO_SUCH_DEVICE));
    let refused = device.submit(Direction::C2h, &transfers).unwrap_err();
    assert!(matches!(refused, Error::UnknownRegion { .. }), "{refused}");
    assert_eq!(loopback.left(), (1, 0), "it goes with the handle");
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
