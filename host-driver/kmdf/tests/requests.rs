//! What applications may ask, and what they are told when they may not.

mod common;

use common::card::Card;
use common::*;
use kmdf_sim::dma::{OsVersion, Translation};
use kmdf_sim::{Config, STATUS_TOO_MANY_OPENED_FILES, user};
use pinring_core::mock::{Hostile, cookie_byte};
use pinring_ioctl::{self as ioctl, Error, direction, permissions, tier, tier_reason};
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);

#[test]
fn wrong_requests_are_refused_and_change_nothing() {
    let mut config = Config::default();
    config.registry.push(("MaxLockedMiBPerHandle".into(), 3));
    config.registry.push(("MaxLockedMiB".into(), 4));
    config.registry.push(("RingEntries".into(), 16));
    let mut bench = Bench::new(config);
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 20);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        let one = |region, offset, length| {
            submit(
                handle,
                direction::C2H,
                &[transfer(region, offset, length, 0)],
            )
        };
        // Handles: of nobody, stale, of another file.
        let stranger = open();
        assert_eq!(one(0, 0, 1), Err(error(Error::NoRegion)));
        assert_eq!(
            one(info.handle + (1 << 32), 0, 1),
            Err(error(Error::NoRegion))
        );
        assert_eq!(one(u64::MAX, 0, 1), Err(error(Error::NoRegion)));
        assert_eq!(
            submit(stranger, direction::C2H, &[transfer(info.handle, 0, 1, 0)]),
            Err(error(Error::NoRegion))
        );
        assert_eq!(
            tell(
                stranger,
                ioctl::UNREGISTER,
                ioctl::Handle {
                    handle: info.handle
                }
                .as_bytes()
            ),
            Err(error(Error::NoRegion))
        );
        // Ranges.
        assert_eq!(one(info.handle, 0, 0), Err(error(Error::Empty)));
        assert_eq!(one(info.handle, 1 << 20, 1), Err(error(Error::OutOfBounds)));
        assert_eq!(
            one(info.handle, u64::MAX, 2),
            Err(error(Error::OutOfBounds))
        );
        // All or nothing, and the ring's room.
        let many = [transfer(info.handle, 0, 64, 5); 17];
        assert_eq!(
            submit(handle, direction::C2H, &many),
            Err(error(Error::RingFull))
        );
        let mut half = [transfer(info.handle, 0, 64, 5); 4];
        half[3].length = 0;
        assert_eq!(
            submit(handle, direction::C2H, &half),
            Err(error(Error::Empty))
        );
        assert_eq!(statistics(handle).handle_in_flight, 0);
        // Structures.
        assert_eq!(submit(handle, 2, &half), Err(error(Error::Malformed)));
        assert_eq!(
            submit(handle, direction::C2H, &[]),
            Err(error(Error::Malformed))
        );
        assert_eq!(
            tell(handle, ioctl::SUBMIT, &[0; 12]),
            Err(error(Error::Malformed))
        );
        assert!(user::device_io_control(handle, 0x0022_7ffc, &[], &mut []).is_err());
        // Tokens and caps.
        let again = register(handle, &memory, 1, ANY);
        assert_eq!(again.unwrap_err(), error(Error::TokenInUse));
        let big = buffer(3 << 20);
        let refused = register(handle, &big, 2, ANY);
        assert_eq!(refused.unwrap_err(), error(Error::HandleCap));
        let third = register(stranger, &big, 2, ANY).unwrap();
        let another = open();
        let fourth = register(another, &memory, 2, ANY);
        assert_eq!(fourth.unwrap_err(), error(Error::DeviceCap));
        unregister(stranger, third.0, third.1.handle);
        // Tiers.
        let mut asked = ioctl::Register {
            token: 5,
            permissions: permissions::BOTH,
            first_tier: tier::COMMON_BUFFER,
            last_tier: tier::COMMON_BUFFER,
            reserved: 0,
        };
        let refuse = |asked: &ioctl::Register, wanted: Error| {
            // SAFETY: the operation ends at once.
            let pending = unsafe {
                user::start_at(
                    handle,
                    ioctl::REGISTER.value(),
                    asked.as_bytes(),
                    memory.as_mut_ptr(),
                    4096,
                    None,
                )
            }
            .unwrap();
            let ended = user::result(pending, Some(0)).expect("refused at once");
            assert_eq!(ended.status, wanted.status());
        };
        refuse(&asked, Error::WrongTier);
        asked.last_tier = tier::BYPASS;
        asked.first_tier = tier::PER_TRANSFER;
        refuse(&asked, Error::Malformed);
        asked.first_tier = 9;
        refuse(&asked, Error::Malformed);
        asked.first_tier = tier::BYPASS;
        asked.permissions = 0;
        refuse(&asked, Error::Malformed);
        unregister(handle, pending, info.handle);
        for handle in [handle, stranger, another] {
            user::close(handle).unwrap();
        }
    });
    bench.end();
}

#[test]
fn a_handle_for_synchronous_io_is_told_so() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let handle = user::open(3, false).unwrap();
        let memory = buffer(4096);
        let asked = ioctl::Register {
            token: 1,
            permissions: permissions::BOTH,
            ..ioctl::Register::default()
        };
        // SAFETY: the operation ends at once.
        let pending = unsafe {
            user::start_at(
                handle,
                ioctl::REGISTER.value(),
                asked.as_bytes(),
                memory.as_mut_ptr(),
                4096,
                None,
            )
        }
        .unwrap();
        assert_eq!(
            user::result(pending, None).unwrap().status,
            Error::Synchronous.status()
        );
        user::close(handle).unwrap();
    });
    bench.end();
}

#[test]
fn tiers_that_are_not_to_be_had_are_named() {
    let mut config = host(Translation::Bounce);
    config.dma.os = OsVersion::Windows10;
    let mut bench = Bench::new(config);
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 16);
        let only = |tier| register(handle, &memory, 1, (tier, tier)).map(|_| ());
        assert_eq!(only(tier::BYPASS), Err(error(Error::NoBypass)));
        assert_eq!(only(tier::MAPPED_ONCE), Err(error(Error::NoMappedOnce)));
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        assert_eq!(info.tier, tier::PER_TRANSFER);
        assert_eq!(info.reason, tier_reason::UNSUPPORTED);
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

/// One queue per direction and handle: the device has 15.
#[test]
fn queues_run_out_and_come_back() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let memory = buffer(4096);
        let mut handles = Vec::new();
        for token in 0..8 {
            let handle = open();
            let (pending, info) = register(handle, &memory, token, ANY).unwrap();
            let one = [transfer(info.handle, 0, 64, token)];
            submit(handle, direction::C2H, &one).unwrap();
            assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
            let second = submit(handle, direction::H2C, &one);
            if token == 7 {
                assert_eq!(second, Err(error(Error::QueuesExhausted)));
            } else {
                assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
            }
            handles.push((handle, pending, info));
        }
        let (last, pending, info) = handles.remove(0);
        unregister(last, pending, info.handle);
        user::close(last).unwrap();
        let (handle, _, info) = handles[6];
        let one = [transfer(info.handle, 0, 64, 9)];
        while submit(handle, direction::H2C, &one).is_err() {
            user::sleep_ps(1_000_000_000);
        }
        assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
        for (handle, pending, info) in handles {
            unregister(handle, pending, info.handle);
            user::close(handle).unwrap();
        }
    });
    bench.end();
}

/// Few map registers: lists wait for each other, and every transfer ends well, in order, over both kinds of regions.
#[test]
fn lists_share_few_map_registers() {
    for registers in [130, 200, 1000] {
        let mut config = host(Translation::Bounce);
        config.dma.map_registers = registers;
        config.dma.os = OsVersion::Windows10;
        config.registry.push(("PrepareDepth".into(), 8));
        let mut bench = Bench::new(config);
        bench.app(|| {
            let handle = open();
            let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
            let held = u64::from(registers) - 1;
            assert_eq!(info.max_transfer_bytes, (held - 1) * 4096);
            let memory = buffer(4 << 20);
            let (pending, region) = register(handle, &memory, 1, ANY).unwrap();
            let most = info.max_transfer_bytes.min(1 << 18);
            assert_eq!(
                submit(
                    handle,
                    direction::C2H,
                    &[transfer(region.handle, 0, info.max_transfer_bytes + 1, 0)]
                ),
                Err(error(if info.max_transfer_bytes < 4 << 20 {
                    Error::TooLong
                } else {
                    Error::OutOfBounds
                }))
            );
            let asked: Vec<_> = (0..16)
                .map(|at| transfer(region.handle, at << 18, most, at))
                .collect();
            submit(handle, direction::C2H, &asked).unwrap();
            let ended = wait(handle, 16).unwrap();
            for (end, asked) in ended.iter().zip(&asked) {
                assert_eq!((end.status, end.cookie, end.bytes), (0, asked.cookie, most));
                assert!(end.setup_ns != 0);
            }
            let counted = statistics(handle);
            assert_eq!(counted.lists, 16);
            println!(
                "{registers} map registers: transfers of {most} bytes, {} lists, {} shortages",
                counted.lists, counted.shortages
            );
            unregister(handle, pending, region.handle);
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

#[test]
fn one_message_is_enough() {
    let config = Config {
        messages_granted: Some(1),
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 16);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        for direction in [direction::C2H, direction::H2C] {
            submit(handle, direction, &[transfer(info.handle, 0, 1 << 16, 1)]).unwrap();
        }
        assert_eq!(wait(handle, 2).unwrap().len(), 2);
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

/// A WAIT for nothing takes what there is, whoever waits for more.
#[test]
fn a_wait_for_nothing_does_not_wait() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 16);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        assert_eq!(wait(handle, 0).unwrap(), []);
        let three = ioctl::Wait {
            least: 3,
            reserved: 0,
        };
        let longer = start(
            handle,
            ioctl::WAIT,
            three.as_bytes(),
            3 * ioctl::Completion::BYTES,
        );
        submit(
            handle,
            direction::C2H,
            &[transfer(info.handle, 0, 1 << 16, 1)],
        )
        .unwrap();
        user::sleep_ps(10_000_000_000);
        let taken = wait(handle, 0).unwrap();
        assert_eq!((taken.len(), taken[0].cookie), (1, 1));
        assert!(user::result(longer, Some(0)).is_none());
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
        let ended = user::result(longer, None).unwrap();
        assert_eq!(ended.status, kmdf_sim::STATUS_CANCELLED);
    });
    bench.end();
}

/// The hot path: one doorbell per batch and no MMIO read.
#[test]
fn a_batch_costs_one_doorbell() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 20);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        let batch: Vec<_> = (0..24)
            .map(|at| transfer(info.handle, at << 12, 4096, at))
            .collect();
        submit(handle, direction::C2H, &batch).unwrap();
        wait(handle, 24).unwrap();
        let before = statistics(handle);
        submit(handle, direction::C2H, &batch).unwrap();
        let after = statistics(handle);
        assert_eq!(after.doorbells, before.doorbells + 1);
        assert_eq!(after.mmio_reads, before.mmio_reads);
        wait(handle, 24).unwrap();
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

fn start_wait(handle: user::Handle, least: u32) -> user::Pending {
    let input = ioctl::Wait { least, reserved: 0 };
    start(
        handle,
        ioctl::WAIT,
        input.as_bytes(),
        least as usize * ioctl::Completion::BYTES,
    )
}

/// The oldest WAIT asks for more than the one behind it. When it is cancelled, the other ends with what there is, and with what comes.
#[test]
fn a_cancelled_wait_makes_way_for_the_next() {
    for late in [false, true] {
        let mut bench = Bench::new(Config::default());
        bench.app(move || {
            let handle = open();
            let memory = buffer(1 << 20);
            let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
            let first = start_wait(handle, 4);
            let second = start_wait(handle, 1);
            let one = [transfer(info.handle, 0, 4096, 7)];
            if !late {
                submit(handle, direction::C2H, &one).unwrap();
                user::sleep_ps(1_000_000_000);
            }
            assert!(user::cancel_io_ex(handle, Some(first)));
            if late {
                submit(handle, direction::C2H, &one).unwrap();
            }
            let ended = user::result(second, Some(100_000_000_000)).expect("it ends");
            assert_eq!(
                (ended.status, ended.information),
                (0, ioctl::Completion::BYTES as u64)
            );
            unregister(handle, pending, info.handle);
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

/// More WAITs end at once than the deferred procedure call looks at: none is forgotten.
#[test]
fn many_waits_end_behind_one_interrupt() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 20);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        let waits: Vec<_> = (0..200).map(|_| start_wait(handle, 1)).collect();
        let batch: Vec<_> = (0..200)
            .map(|at| transfer(info.handle, at * 64, 64, at))
            .collect();
        submit(handle, direction::C2H, &batch).unwrap();
        for wait in waits {
            let ended = user::result(wait, Some(100_000_000_000)).expect("it ends");
            assert_eq!(
                (ended.status, ended.information),
                (0, ioctl::Completion::BYTES as u64)
            );
        }
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

#[test]
fn files_are_limited_and_places_come_back() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        for _ in 0..2 {
            let files: Vec<_> = (0..64).map(|_| open()).collect();
            assert_eq!(
                user::open(3, true).unwrap_err(),
                user::Status(STATUS_TOO_MANY_OPENED_FILES)
            );
            for file in files {
                user::close(file).unwrap();
            }
            user::sleep_ps(1_000_000_000);
        }
        let handle = open();
        let memory = buffer(1 << 20);
        // Nothing is registered.
        assert_eq!(
            submit(handle, direction::C2H, &[transfer(1 << 32 | 1, 0, 64, 0)]),
            Err(error(Error::NoRegion))
        );
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        submit(handle, direction::C2H, &[transfer(info.handle, 0, 64, 0)]).unwrap();
        assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

/// With one place left for commands, a CANCEL of both directions is refused whole.
#[test]
fn a_cancel_that_is_refused_cancels_nothing() {
    // Commands that the device takes before it answers: found in a first session, all but one used in a second.
    let mut places = u64::MAX;
    for second in [false, true] {
        let mut bench = Bench::new(Config::default());
        bench.device.borrow_mut().step_bytes = 512;
        let device = bench.device.clone();
        places = bench.app(|| {
            let (handle, other) = (open(), open());
            let memory = buffer(1 << 16);
            let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
            for way in [direction::C2H, direction::H2C] {
                submit(handle, way, &[transfer(info.handle, 0, 64, 0)]).unwrap();
            }
            while wait(handle, 0).unwrap().len() != 1 || wait(handle, 1).unwrap().len() != 1 {
                user::sleep_ps(1_000_000);
            }
            let allocate = || {
                let asked = ioctl::Allocate {
                    length: 64,
                    permissions: permissions::BOTH,
                    reserved: 0,
                };
                let info: ioctl::RegionInfo =
                    ask(other, ioctl::ALLOCATE, asked.as_bytes()).unwrap();
                info.handle
            };
            let regions: Vec<u64> = (0..70).map(|_| allocate()).collect();
            user::sleep_ps(1_000_000_000);
            device.borrow_mut().silent = true;
            let cancel = |handle, region, scope| {
                let asked = ioctl::Cancel {
                    handle: region,
                    scope,
                    reserved: 0,
                };
                tell(handle, ioctl::CANCEL, asked.as_bytes())
            };
            let busy = Err(error(Error::RegionBusy));
            let mut taken = 0;
            for &region in &regions {
                if second && taken + 1 == places {
                    break;
                }
                match cancel(other, region, ioctl::scope::REGION) {
                    Ok(()) => taken += 1,
                    refused => {
                        assert_eq!(refused, busy);
                        break;
                    }
                }
            }
            if second {
                let batch = [0, 1, 2].map(|at| transfer(info.handle, at << 14, 1 << 14, at));
                for way in [direction::C2H, direction::H2C] {
                    submit(handle, way, &batch).unwrap();
                }
                assert_eq!(cancel(handle, 0, ioctl::scope::ALL), busy);
            }
            device.borrow_mut().silent = false;
            if second {
                let ended = wait(handle, 6).unwrap();
                assert!(ended.iter().all(|end| end.status == 0), "{ended:?}");
            }
            user::cancel_io_ex(handle, Some(pending));
            user::result(pending, None).unwrap();
            user::close(handle).unwrap();
            user::close(other).unwrap();
            taken
        });
        assert!(places > 8, "{places}");
        bench.end();
    }
}

/// Frames of 70 MiB without a lasting mapping: the next list is made while the first transfer runs, and every byte arrives.
#[test]
fn long_transfers_are_prepared_ahead() {
    const BYTES: usize = 70 << 20;
    let mut config = host(Translation::Remapping);
    config.dma.os = OsVersion::Windows10;
    let card = Card::new(256 << 10, 10_000_000);
    let mut bench = Bench::with_card(config, card);
    let device = bench.device.clone();
    bench.app(move || {
        let handle = open();
        let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
        assert_eq!(info.max_transfer_bytes, 128 << 20);
        // Not whole pages.
        let length = BYTES as u64 - 777;
        let frames = [buffer(BYTES), buffer(BYTES)];
        let mut regions = Vec::new();
        for (token, frame) in (0..).zip(&frames) {
            let (pending, info) = register(handle, frame, token, ANY).unwrap();
            assert_eq!(info.tier, tier::PER_TRANSFER);
            submit(
                handle,
                direction::C2H,
                &[transfer(info.handle, 123, length, token)],
            )
            .unwrap();
            regions.push((pending, info.handle));
        }
        while statistics(handle).lists < 2 {
            assert_eq!(statistics(handle).completed, 0, "not prepared ahead");
            user::sleep_ps(50_000_000);
        }
        assert_eq!(statistics(handle).completed, 0);
        let ended = wait(handle, 2).unwrap();
        for ((end, frame), cookie) in ended.iter().zip(&frames).zip(0..) {
            assert_eq!((end.status, end.cookie, end.bytes), (0, cookie, length));
            let found = frame.to_vec();
            let wrong = (0..length).find(|&at| found[123 + at as usize] != cookie_byte(cookie, at));
            assert_eq!(wrong, None);
        }
        let one = [transfer(regions[0].1, 123, length, 9)];
        submit(handle, direction::H2C, &one).unwrap();
        assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
        let sent = device.borrow_mut().packets_out.pop().unwrap().1;
        assert!(sent == frames[0].to_vec()[123..][..length as usize]);
        for (pending, region) in regions {
            unregister(handle, pending, region);
        }
        user::close(handle).unwrap();
    });
    bench.end();
}

fn allocate(handle: user::Handle) -> Result<ioctl::RegionInfo, user::Status> {
    let asked = ioctl::Allocate {
        length: 64,
        permissions: permissions::BOTH,
        reserved: 0,
    };
    ask(handle, ioctl::ALLOCATE, asked.as_bytes())
}

#[test]
fn regions_run_out_and_come_back() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        let (handle, other) = (open(), open());
        let first = allocate(handle).unwrap();
        for _ in 1..1024 {
            allocate(handle).unwrap();
        }
        let exhausted = Err(error(Error::RegionsExhausted));
        let counts = statistics(handle);
        assert_eq!(allocate(handle), exhausted);
        // The device's, too.
        assert_eq!(allocate(other), exhausted);
        let memory = buffer(4096);
        let refused = register(other, &memory, 1, ANY).map(|_| ());
        assert_eq!(refused, Err(error(Error::RegionsExhausted)));
        assert_eq!(statistics(handle).regions, counts.regions);
        let named = ioctl::Handle {
            handle: first.handle,
        };
        tell(handle, ioctl::UNREGISTER, named.as_bytes()).unwrap();
        user::sleep_ps(10_000_000_000);
        allocate(handle).unwrap();
        assert_eq!(allocate(handle), exhausted);
        user::close(handle).unwrap();
        user::close(other).unwrap();
    });
    bench.end();
}

#[test]
fn a_host_without_room_for_a_mapping_is_named() {
    let mut config = host(Translation::Remapping);
    config.fail = Some(("CreateCommonBufferFromMdl".into(), 0));
    let mut bench = Bench::new(config);
    bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 16);
        let once = (tier::MAPPED_ONCE, tier::MAPPED_ONCE);
        let refused = register(handle, &memory, 1, once).map(|_| ());
        assert_eq!(refused, Err(error(Error::MappingsExhausted)));
        assert_eq!(statistics(handle).regions, 0);
        let (pending, info) = register(handle, &memory, 1, once).unwrap();
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

#[test]
fn memory_that_runs_out_is_named() {
    const NAME: &str = "WdfCommonBufferCreateWithConfig";
    let started = Bench::new(Config::default()).machine.fallible();
    let calls = started.iter().find(|(name, _)| *name == NAME).unwrap().1;
    // The buffer, and its list.
    for more in [0, 1] {
        let mut bench = Bench::new(Config {
            fail: Some((NAME.into(), calls + more)),
            ..Config::default()
        });
        bench.app(|| {
            let handle = open();
            assert_eq!(allocate(handle), Err(error(Error::NoMemory)));
            assert_eq!(statistics(handle).regions, 0);
            allocate(handle).unwrap();
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

/// A device that has stopped does not run while it is reset, and is gone when that does not end.
#[test]
fn a_device_that_does_not_come_back_says_so() {
    let mut bench = Bench::new(Config::default());
    let device = bench.device.clone();
    bench.app(move || {
        let handle = open();
        let memory = buffer(1 << 20);
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        let one = [transfer(info.handle, 0, 4096, 1)];
        submit(handle, direction::C2H, &one).unwrap();
        wait(handle, 1).unwrap();
        let more = buffer(4096);
        let asks = |wanted: Error| {
            let wanted = Err(error(wanted));
            assert_eq!(submit(handle, direction::C2H, &one), wanted);
            assert_eq!(register(handle, &more, 2, ANY).map(|_| ()), wanted);
            assert_eq!(allocate(handle).map(|_| ()), wanted);
        };
        device.borrow_mut().reset_stuck = true;
        device.borrow_mut().hostile = Some(Hostile::WrongSlot);
        submit(handle, direction::C2H, &one).unwrap();
        while statistics(handle).resets == 0 {
            user::sleep_ps(1_000_000_000);
        }
        asks(Error::NotRunning);
        let ended = user::result(pending, Some(10_000_000_000_000)).expect("it ends");
        assert_eq!(ended.status, Error::Gone.status());
        // What was in flight is told all the same.
        assert_eq!(wait(handle, 1).unwrap()[0].cookie, 1);
        // The region is not there any more; whatever is, is of a device that is gone.
        asks(Error::Gone);
        let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
        assert_eq!(info.running, 0);
        user::close(handle).unwrap();
    });
    bench.machine.settle().unwrap();
    assert!(bench.machine.device_failed());
    bench.end();
}

#[test]
fn the_driver_says_its_version() {
    let mut bench = Bench::new(Config::default());
    let info: ioctl::DeviceInfo = bench.app(|| {
        let handle = open();
        let info = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
        user::close(handle).unwrap();
        info
    });
    let version = [info.driver_version >> 16, info.driver_version & 0xffff];
    let wanted: Vec<u32> = env!("CARGO_PKG_VERSION")
        .split('.')
        .take(2)
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(version[..], wanted);
    bench.end();
}
