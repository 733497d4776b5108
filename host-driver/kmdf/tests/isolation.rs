//! Two processes with a handle each: neither names, cancels or reads what is the other's.
//!
//! What they do share is stated in docs/windows.md, "What handles share", and seen here to be all: counters of the device, the
//! firmware's log, and what there is only so much of.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::*;
use kmdf_sim::dma::{OsVersion, Translation};
use kmdf_sim::user::{self, Handle, Output, Pending, Process};
use kmdf_sim::{Config, STATUS_INVALID_HANDLE};
use pinring_core::mock::cookie_byte;
use pinring_ioctl::{self as ioctl, Error, direction, permissions, scope, tier};
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);
/// Bytes of each region.
const BYTES: usize = 1 << 15;
/// Rounds of each process's own work.
const ROUNDS: u64 = 6;

fn hosts(seed: u64) -> [Config; 3] {
    [
        (Translation::Direct, OsVersion::Windows11),
        (Translation::Remapping, OsVersion::Windows11),
        (Translation::Bounce, OsVersion::Windows10),
    ]
    .map(|(translation, os)| {
        let mut config = host(translation);
        config.dma.os = os;
        config.seed = seed;
        config.preempt = true;
        config
    })
}

/// What the other process would have to know: its spy knows all of it.
#[derive(Clone, Default)]
struct Secrets {
    /// Regions: a registered buffer, and an allocation.
    regions: Vec<u64>,
    token: u64,
    cookies: Vec<u64>,
    pended: Vec<Pending>,
    handles: Vec<Handle>,
}

#[derive(Default)]
struct Shared {
    secrets: [RefCell<Secrets>; 2],
    /// Threads that have not ended.
    left: Cell<u32>,
    /// Workers that have not ended.
    working: Cell<u32>,
    /// Requests of the spies.
    tries: Cell<u64>,
}

/// Work in order: what it is told must be its own, and right.
fn work(shared: &Shared, me: usize) {
    let handle = open();
    let memory = buffer(BYTES);
    let allocate = |length| -> ioctl::RegionInfo {
        let asked = ioctl::Allocate {
            length,
            permissions: permissions::BOTH,
            reserved: 0,
        };
        ask(handle, ioctl::ALLOCATE, asked.as_bytes()).expect("an allocation")
    };
    // Numbers of handles differ between the two: the other's name nothing here.
    let spare = me as u64;
    for _ in 0..spare {
        allocate(100);
    }
    for _ in 0..3 * me + 1 {
        let (pending, info) = register(handle, &memory, 900, ANY).expect("a region");
        unregister(handle, pending, info.handle);
    }
    let token = 100 + me as u64;
    let (pending, info) = register(handle, &memory, token, ANY).expect("a region");
    let common = allocate(5000);
    let secrets = &shared.secrets[me];
    *secrets.borrow_mut() = Secrets {
        regions: vec![info.handle, common.handle],
        token,
        cookies: Vec::new(),
        pended: vec![pending],
        handles: vec![handle],
    };
    for round in 0..ROUNDS {
        let way = [direction::C2H, direction::H2C][(round % 2) as usize];
        let batch: Vec<_> = (0..4u64)
            .map(|at| {
                let cookie = (me as u64 + 1) << 40 | round << 8 | at;
                match at {
                    3 => transfer(common.handle, 0, 5000, cookie),
                    _ => transfer(info.handle, at * 10_000, 9_999, cookie),
                }
            })
            .collect();
        memory.fill(0x40 + me as u8);
        secrets.borrow_mut().cookies = batch.iter().map(|transfer| transfer.cookie).collect();
        submit(handle, way, &batch).expect("its own");
        let mut ended = wait(handle, 2).expect("its own");
        ended.extend(wait(handle, 2).expect("its own"));
        for (asked, ended) in batch.iter().zip(&ended) {
            assert_eq!(
                (
                    ended.status,
                    ended.cookie,
                    ended.handle,
                    ended.bytes,
                    ended.direction
                ),
                (0, asked.cookie, asked.handle, asked.length, way)
            );
        }
        if way == direction::C2H {
            for asked in &batch[..3] {
                let mut bytes = vec![0; asked.length as usize];
                memory.read(asked.offset as usize, &mut bytes);
                for (position, byte) in (0..).zip(bytes) {
                    assert_eq!(byte, cookie_byte(asked.cookie, position));
                }
            }
        }
        let told = statistics(handle);
        assert_eq!((told.handle_regions, told.handle_in_flight), (2 + spare, 0));
        assert_eq!(told.handle_locked_bytes, BYTES as u64 + 5000 + 100 * spare);
    }
    shared.working.set(shared.working.get() - 1);
    // Until the spies have gone.
    while shared.left.get() > 2 {
        user::sleep_ps(10_000_000);
    }
    assert!(user::result(pending, Some(0)).is_none(), "it is registered");
    unregister(handle, pending, info.handle);
    user::close(handle).expect("open");
}

/// Tries everything that it knows of the other process, on handles of its own.
fn spy(shared: &Shared, me: usize) {
    let own = open();
    let memory = buffer(8192);
    memory.fill(0x77);
    // One handle has nothing, the other a region.
    let second = open();
    let (pending, info) = register(second, &memory, 1, ANY).expect("a region");
    let none = Err(error(Error::NoRegion));
    while shared.working.get() != 0 {
        let theirs = shared.secrets[1 - me].borrow().clone();
        let mine = shared.secrets[me].borrow().handles.clone();
        for handle in [own, second].into_iter().chain(mine) {
            let is_mine = handle != own && handle != second;
            let token = ioctl::Token {
                token: theirs.token,
            };
            let found: Result<ioctl::RegionInfo, _> =
                ask(handle, ioctl::QUERY_REGION, token.as_bytes());
            assert_eq!(found.map(|info| info.handle), none.map(|()| 0));
            for &region in &theirs.regions {
                let named = ioctl::Handle { handle: region };
                assert_eq!(tell(handle, ioctl::UNREGISTER, named.as_bytes()), none);
                let cancel = ioctl::Cancel {
                    handle: region,
                    scope: scope::REGION,
                    reserved: 0,
                };
                assert_eq!(tell(handle, ioctl::CANCEL, cancel.as_bytes()), none);
                for way in [direction::C2H, direction::H2C] {
                    let cookie = theirs.cookies.first().copied().unwrap_or(0);
                    let one = [transfer(region, 0, 64, cookie)];
                    assert_eq!(submit(handle, way, &one), none);
                    let two = [transfer(info.handle, 0, 64, cookie), one[0]];
                    assert_eq!(submit(handle, way, &two), none);
                }
                for code in [ioctl::COPY_OUT, ioctl::COPY_IN] {
                    let range = ioctl::CopyRange {
                        handle: region,
                        offset: 0,
                    };
                    // SAFETY: the memory stays until the end.
                    let copied = unsafe {
                        user::start_at(
                            handle,
                            code.value(),
                            range.as_bytes(),
                            memory.as_mut_ptr(),
                            4096,
                            None,
                        )
                    };
                    let ended = user::result(copied.expect("it starts"), None).expect("it ends");
                    assert_eq!(ended.status, Error::NoRegion.status());
                }
            }
            // Others' operations and handles are the system's matter, and stay so.
            for &pended in &theirs.pended {
                assert!(!user::cancel_io_ex(handle, Some(pended)));
            }
            for &stolen in &theirs.handles {
                let code = ioctl::STATISTICS.value();
                let asked = user::start(stolen, code, &[], Output::None, None);
                assert_eq!(asked.unwrap_err().0, STATUS_INVALID_HANDLE);
            }
            if is_mine {
                continue;
            }
            // Everything of this handle is nothing of the other's.
            let all = ioctl::Cancel {
                handle: 0,
                scope: scope::ALL,
                reserved: 0,
            };
            tell(handle, ioctl::CANCEL, all.as_bytes()).expect("its own");
            assert_eq!(wait(handle, 0).expect("nothing"), []);
            let told = statistics(handle);
            assert_eq!(told.handle_in_flight, 0);
            assert_eq!(told.handle_regions, u64::from(handle == second));
            let log = start(handle, ioctl::READ_LOG, &[], 64);
            assert_eq!(user::result(log, None).expect("at once").status, 0);
            shared.tries.set(shared.tries.get() + 1);
        }
    }
    let bytes = memory.to_vec();
    assert!(
        bytes.iter().all(|byte| *byte == 0x77),
        "it has read something"
    );
    unregister(second, pending, info.handle);
    user::close(own).expect("open");
    user::close(second).expect("open");
}

#[test]
fn neither_process_reaches_what_is_the_other_s() {
    let mut tries = 0;
    for seed in 0..64 {
        for config in hosts(seed) {
            let mut bench = Bench::new(config);
            bench.device.borrow_mut().step_bytes = 512 << (seed % 4);
            let shared = Rc::new(Shared::default());
            shared.left.set(4);
            shared.working.set(2);
            for me in 0..2 {
                let process = bench.machine.process().expect("a process");
                for body in [work, spy] {
                    let shared = shared.clone();
                    let started = bench.machine.run(Some(process), || {
                        user::spawn(process, move || {
                            body(&shared, me);
                            shared.left.set(shared.left.get() - 1);
                        });
                    });
                    assert!(started.is_ok());
                }
            }
            bench
                .machine
                .settle()
                .unwrap_or_else(|_| panic!("{}", bench.machine.report()));
            assert_eq!(
                shared.left.get(),
                0,
                "seed {seed}: {}",
                bench.machine.report()
            );
            tries += shared.tries.get();
            bench.end();
        }
    }
    println!("{tries} rounds of the spies");
    assert!(tries > 3000, "{tries}");
}

/// What a process is told of its own regions and transfers, times apart.
fn session(handle: Handle, disturb: &dyn Fn()) -> Vec<(ioctl::RegionInfo, ioctl::Completion)> {
    let memory = buffer(BYTES);
    let mut told = Vec::new();
    for round in 0..5 {
        disturb();
        let (pending, info) = register(handle, &memory, round, ANY).expect("a region");
        disturb();
        let one = [transfer(info.handle, 100, 5000, round)];
        submit(handle, direction::C2H, &one).expect("its own");
        let ended = wait(handle, 1).expect("its own")[0];
        let still: ioctl::RegionInfo = ask(
            handle,
            ioctl::QUERY_REGION,
            ioctl::Token { token: round }.as_bytes(),
        )
        .expect("live");
        disturb();
        if round % 2 == 0 {
            unregister(handle, pending, info.handle);
        }
        told.push((
            ioctl::RegionInfo {
                setup_ns: 0,
                ..still
            },
            ioctl::Completion {
                setup_ns: 0,
                timestamp: 0,
                ..ended
            },
        ));
    }
    user::cancel_io_ex(handle, None);
    told
}

/// Numbers of handles, and all else that is told of regions and transfers, are the same whatever others do.
#[test]
fn numbers_say_nothing_of_others() {
    for disturbed in [false, true] {
        let mut bench = Bench::new(Config::default());
        let other = bench.machine.process().expect("a process");
        let process = bench.machine.process().expect("a process");
        let goes_on = Rc::new(Cell::new(disturbed));
        let on = goes_on.clone();
        if disturbed {
            let started = bench.machine.run(Some(other), || {
                user::spawn(other, move || {
                    let memory = buffer(BYTES);
                    while on.get() {
                        let handle = open();
                        for token in 0..4 {
                            let (pending, info) =
                                register(handle, &memory, token, ANY).expect("a region");
                            let one = [transfer(info.handle, 0, 64, u64::MAX)];
                            submit(handle, direction::C2H, &one).expect("its own");
                            wait(handle, 1).expect("its own");
                            if token % 2 == 0 {
                                unregister(handle, pending, info.handle);
                            }
                        }
                        user::close(handle).expect("open");
                    }
                });
            });
            assert!(started.is_ok());
        }
        let (told, counters) = bench
            .machine
            .run(Some(process), || {
                let handle = open();
                let told = session(handle, &|| {
                    if disturbed {
                        user::sleep_ps(50_000_000);
                    }
                });
                let counters = statistics(handle);
                user::close(handle).expect("open");
                goes_on.set(false);
                (told, counters)
            })
            .unwrap_or_else(|_| panic!("{}", bench.machine.report()));
        // Generation in the upper half, place in the lower: its own, from one on.
        let numbers: Vec<u64> = told.iter().map(|(info, _)| info.handle).collect();
        let named = |generation: u64, place: u64| generation << 32 | place;
        assert_eq!(
            numbers,
            [
                named(1, 1),
                named(2, 1),
                named(1, 2),
                named(2, 2),
                named(1, 3)
            ]
        );
        for (place, (info, ended)) in (0..).zip(&told) {
            let wanted = ioctl::RegionInfo {
                handle: info.handle,
                length: BYTES as u64,
                tier: tier::BYPASS,
                reason: 0,
                elements: 8,
                ..ioctl::RegionInfo::default()
            };
            assert_eq!(*info, wanted);
            let wanted = ioctl::Completion {
                cookie: place,
                handle: info.handle,
                bytes: 5000,
                ..ioctl::Completion::default()
            };
            assert_eq!(*ended, wanted);
        }
        // The device's counters are for everybody.
        assert_eq!(counters.transfers > 5, disturbed);
        bench.machine.settle().expect("it goes on");
        bench.end();
    }
}

/// A duplicate of a handle is the same file: whoever is given one may use what is registered, but not lend memory to it.
#[test]
fn a_duplicate_serves_but_registers_nothing() {
    let mut bench = Bench::new(Config::default());
    let process = |bench: &mut Bench| bench.machine.process().expect("a process");
    let (first, second): (Process, Process) = (process(&mut bench), process(&mut bench));
    fn run<R: 'static>(bench: &mut Bench, process: Process, body: impl FnOnce() -> R) -> R {
        let ended = bench.machine.run(Some(process), body);
        ended.unwrap_or_else(|_| panic!("{}", bench.machine.report()))
    }
    let (handle, duplicate, memory, pending, info) = run(&mut bench, first, || {
        let handle = open();
        let duplicate = user::duplicate(handle, second).expect("open");
        let memory = buffer(BYTES);
        let (pending, info) = register(handle, &memory, 1, ANY).expect("a region");
        (handle, duplicate, memory, pending, info)
    });
    run(&mut bench, second, || {
        // Another process's handle is a number here.
        let asked = user::start(handle, ioctl::STATISTICS.value(), &[], Output::None, None);
        assert_eq!(asked.unwrap_err().0, STATUS_INVALID_HANDLE);
        let own = buffer(4096);
        let refused = register(duplicate, &own, 2, ANY).map(|_| ());
        assert_eq!(refused, Err(error(Error::NotOwner)));
        // What it was given the handle for.
        let one = [transfer(info.handle, 0, 4096, 5)];
        submit(duplicate, direction::C2H, &one).expect("shared");
        assert_eq!(wait(duplicate, 1).expect("shared")[0].cookie, 5);
        // A file of its own sees nothing of it.
        let apart = open();
        assert_eq!(
            submit(apart, direction::C2H, &one),
            Err(error(Error::NoRegion))
        );
        assert_eq!(statistics(apart).handle_regions, 0);
        user::close(apart).expect("open");
        user::close(duplicate).expect("open");
    });
    // The duplicate's end is no end of the file.
    run(&mut bench, first, || {
        let mut byte = [0];
        memory.read(4095, &mut byte);
        assert_eq!(byte[0], cookie_byte(5, 4095));
        submit(handle, direction::H2C, &[transfer(info.handle, 0, 64, 6)]).expect("its own");
        assert_eq!(wait(handle, 1).expect("its own")[0].status, 0);
        unregister(handle, pending, info.handle);
        user::close(handle).expect("open");
        drop(memory);
    });
    bench.end();
}
