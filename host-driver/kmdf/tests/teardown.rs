//! Every way in which a registration ends: whoever begins it, the device lets go first, and the request completes once.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::card::Card;
use common::*;
use kmdf_sim::dma::{OsVersion, Translation};
use kmdf_sim::memory::UserBuffer;
use kmdf_sim::user::{self, Handle, Pending};
use kmdf_sim::{Background, Config, STATUS_CANCELLED};
use pinring_core::mock::Hostile;
use pinring_ioctl::{self as ioctl, Error, direction, tier};
use pinring_protocol::registers::{self, DeviceStatus};
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);
/// The protocol's status code of what was aborted.
const ABORTED: u16 = 1;

/// A host for each tier that REGISTER gives.
fn hosts(seed: u64) -> [Config; 3] {
    let with = |translation, os| {
        let mut config = host(translation);
        config.dma.os = os;
        config.seed = seed;
        config.preempt = seed != 0;
        config
    };
    [
        with(Translation::Direct, OsVersion::Windows11),
        with(Translation::Remapping, OsVersion::Windows11),
        with(Translation::Bounce, OsVersion::Windows10),
    ]
}

/// A device that moves 4 KiB a step, so that a transfer of 1 MiB takes a while.
fn slow(config: Config) -> Bench {
    let bench = Bench::new(config);
    bench.device.borrow_mut().step_bytes = 4096;
    bench
}

/// An open handle with a buffer registered for both directions.
fn registered() -> (Handle, UserBuffer, Pending, ioctl::RegionInfo) {
    let handle = open();
    let memory = buffer(1 << 20);
    let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
    (handle, memory, pending, info)
}

fn batch(region: u64) -> [ioctl::Transfer; 4] {
    [0, 1, 2, 3].map(|at| transfer(region, at << 18, 1 << 18, at))
}

fn status_of(pending: Pending) -> i32 {
    user::result(pending, None).expect("it ends").status
}

#[test]
fn a_closed_handle_ends_its_registrations() {
    for config in hosts(0) {
        let mut bench = slow(config);
        bench.app(|| {
            let (handle, _memory, pending, info) = registered();
            submit(handle, direction::C2H, &batch(info.handle)).unwrap();
            user::sleep_ps(50_000_000);
            user::close(handle).unwrap();
            assert_eq!(status_of(pending), STATUS_CANCELLED);
        });
        bench.end();
    }
}

#[test]
fn a_cancelled_registration_ends() {
    for config in hosts(0) {
        let mut bench = slow(config);
        bench.app(|| {
            let (handle, _memory, pending, info) = registered();
            submit(handle, direction::H2C, &batch(info.handle)).unwrap();
            assert!(user::cancel_io_ex(handle, Some(pending)));
            assert_eq!(status_of(pending), STATUS_CANCELLED);
            let completions = wait(handle, 4).unwrap();
            assert_eq!(completions.len(), 4);
            assert!(completions.iter().all(|end| end.status <= ABORTED));
            assert_eq!(
                submit(handle, direction::H2C, &batch(info.handle)),
                Err(error(Error::NoRegion))
            );
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

#[test]
fn unregistering_under_transfers_aborts_them() {
    for config in hosts(0) {
        let mut bench = slow(config);
        bench.app(|| {
            let (handle, _memory, pending, info) = registered();
            submit(handle, direction::C2H, &batch(info.handle)).unwrap();
            unregister(handle, pending, info.handle);
            let completions = wait(handle, 4).unwrap();
            assert_eq!(
                completions.iter().map(|end| end.cookie).collect::<Vec<_>>(),
                [0, 1, 2, 3]
            );
            assert_eq!(completions[3].status, ABORTED);
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

#[test]
fn cancelled_transfers_end_as_aborted_and_the_region_serves_on() {
    for config in hosts(0) {
        for scope in [ioctl::scope::REGION, ioctl::scope::ALL] {
            let mut bench = slow(config_like(&config));
            bench.app(move || {
                let (handle, _memory, pending, info) = registered();
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                let region = match scope {
                    ioctl::scope::REGION => info.handle,
                    _ => 0,
                };
                let asked = ioctl::Cancel {
                    handle: region,
                    scope,
                    reserved: 0,
                };
                user::sleep_ps(30_000_000);
                tell(handle, ioctl::CANCEL, asked.as_bytes()).unwrap();
                let completions = wait(handle, 4).unwrap();
                assert_eq!(completions[3].status, ABORTED);
                // Until the device has acknowledged it, the region is busy.
                let again = [transfer(info.handle, 0, 4096, 9)];
                while submit(handle, direction::C2H, &again).is_err() {
                    user::sleep_ps(1_000_000);
                }
                assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
                unregister(handle, pending, info.handle);
                user::close(handle).unwrap();
            });
            bench.end();
        }
    }
}

fn config_like(config: &Config) -> Config {
    Config {
        seed: config.seed,
        preempt: config.preempt,
        dma: config.dma,
        ..Config::default()
    }
}

/// The process ends while its registration is pended, on a handle with a completion port of which another process has a duplicate: nothing
/// but the notification of its end tells the driver.
#[test]
fn the_end_of_a_process_unlocks_its_memory() {
    for seed in 0..6 {
        for config in hosts(seed) {
            let mut bench = slow(config);
            let other = bench.machine.process().unwrap();
            let process = bench.machine.process().unwrap();
            let _ = bench.machine.run(Some(process), move || {
                user::spawn(process, move || {
                    let handle = open();
                    let port = user::create_port();
                    user::associate(port, handle, 0).unwrap();
                    let _elsewhere = user::duplicate(handle, other).unwrap();
                    let memory = buffer(1 << 20);
                    let (_, info) = register(handle, &memory, 1, ANY).unwrap();
                    submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                    core::mem::forget(memory);
                    user::exit_process();
                });
                user::sleep_ps(1_000_000_000_000);
            });
            bench.machine.settle().unwrap();
            bench.machine.report().assert_clean();
        }
    }
}

#[test]
fn a_device_that_is_pulled_out_leaves_nothing_behind() {
    for seed in 0..4 {
        for config in hosts(seed) {
            let mut bench = slow(config);
            bench.machine.start(Background::SurpriseRemove);
            let _ = bench.machine.process().map(|process| {
                bench.machine.run(Some(process), || {
                    let Ok(handle) = user::open(3, true) else {
                        return;
                    };
                    let memory = buffer(1 << 20);
                    if let Ok((pending, info)) = register(handle, &memory, 1, ANY) {
                        let _ = submit(handle, direction::C2H, &batch(info.handle));
                        while user::result(pending, Some(1_000_000_000)).is_none() {}
                    }
                    user::close(handle).unwrap();
                })
            });
            bench.machine.settle().unwrap();
            bench.machine.unload().unwrap();
            bench.machine.report().assert_clean();
        }
    }
}

#[test]
fn a_device_that_is_pulled_out_ends_what_is_registered() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let process = bench.machine.process().unwrap();
        let device = bench.device.clone();
        bench
            .machine
            .run(Some(process), || {
                let (handle, memory, pending, info) = registered();
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                user::spawn(process, move || {
                    assert!(status_of(pending) < 0);
                    user::close(handle).unwrap();
                    drop(memory);
                });
            })
            .unwrap();
        bench.machine.surprise_remove().unwrap();
        bench.machine.settle().unwrap();
        bench.machine.unload().unwrap();
        assert!(device.borrow().gone);
        bench.machine.report().assert_clean();
    }
}

#[test]
fn registrations_outlive_sleep() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let process = bench.machine.process().unwrap();
        let (handle, memory, pending, info) = bench
            .machine
            .run(Some(process), || {
                let (handle, memory, pending, info) = registered();
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                (handle, memory, pending, info)
            })
            .unwrap();
        bench.machine.sleep().unwrap();
        assert_eq!(bench.machine.wake(), Ok(0));
        bench
            .machine
            .run(Some(process), move || {
                let ended = wait(handle, 4).unwrap();
                assert!(ended.iter().all(|end| end.status <= ABORTED));
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                let ended = wait(handle, 4).unwrap();
                assert!(ended.iter().all(|end| end.status == 0));
                unregister(handle, pending, info.handle);
                user::close(handle).unwrap();
                drop(memory);
            })
            .unwrap_or_else(|_| panic!("{:#?}", bench.machine.report()));
        bench.end();
    }
}

/// Requests wait for the device to have power again, but for those whose buffers would be locked meanwhile.
#[test]
fn requests_wait_for_power() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let process = bench.machine.process().unwrap();
        let (handle, memory, pending, info) = bench.machine.run(Some(process), registered).unwrap();
        bench.machine.sleep().unwrap();
        let submitted = Rc::new(Cell::new(false));
        let place = submitted.clone();
        let region = info.handle;
        bench
            .machine
            .run(Some(process), move || {
                let more = buffer(4096);
                let refused = register(handle, &more, 2, ANY).map(|_| ());
                assert_eq!(refused, Err(error(Error::NotRunning)));
                let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
                assert_eq!(info.running, 0);
                user::spawn(process, move || {
                    submit(handle, direction::C2H, &batch(region)).unwrap();
                    place.set(true);
                });
                user::sleep_ps(1_000_000_000_000);
            })
            .unwrap();
        assert!(!submitted.get());
        assert_eq!(bench.machine.wake(), Ok(0));
        bench
            .machine
            .run(Some(process), move || {
                let ended = wait(handle, 4).unwrap();
                assert!(ended.iter().all(|end| end.status == 0));
                unregister(handle, pending, info.handle);
                user::close(handle).unwrap();
                drop(memory);
            })
            .unwrap_or_else(|_| panic!("{:#?}", bench.machine.report()));
        assert!(submitted.get());
        bench.end();
    }
}

/// The process ends behind a REGISTER that came while the device slept, on a handle with a completion port of which another process has a
/// duplicate: no page may stay locked until the device wakes.
#[test]
fn the_end_of_a_process_does_not_wait_for_power() {
    for seed in 0..6 {
        for config in hosts(seed) {
            let mut bench = slow(config);
            let other = bench.machine.process().unwrap();
            let process = bench.machine.process().unwrap();
            let handle = bench.machine.run(Some(process), move || {
                let handle = open();
                let port = user::create_port();
                user::associate(port, handle, 0).unwrap();
                let _elsewhere = user::duplicate(handle, other).unwrap();
                handle
            });
            let handle = handle.unwrap();
            bench.machine.sleep().unwrap();
            let _ = bench.machine.run(Some(process), move || {
                user::spawn(process, move || {
                    let memory = buffer(1 << 20);
                    let _ = register_later(handle, &memory, 1, ANY);
                    core::mem::forget(memory);
                    user::exit_process();
                });
                user::sleep_ps(1_000_000_000_000);
            });
            assert_eq!(bench.machine.wake(), Ok(0));
            bench.machine.settle().unwrap();
            bench.machine.report().assert_clean();
        }
    }
}

/// BAR and messages are elsewhere, and fewer: the registrations end, and the open handle registers anew.
#[test]
fn a_rebalance_ends_registrations_and_leaves_handles() {
    for seed in 0..4 {
        for config in hosts(seed) {
            for messages in [None, Some(1)] {
                let mut bench = slow(config_like(&config));
                let process = bench.machine.process().unwrap();
                let (handle, pending) = bench
                    .machine
                    .run(Some(process), || {
                        let (handle, memory, pending, info) = registered();
                        submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                        core::mem::forget(memory);
                        (handle, pending)
                    })
                    .unwrap();
                let rebalanced = bench.machine.rebalance(messages);
                assert_eq!(rebalanced, Ok(0), "{:#?}", bench.machine.report());
                let served = bench.machine.run(Some(process), move || {
                    assert!(status_of(pending) < 0);
                    let memory = buffer(1 << 20);
                    let (pending, info) = register(handle, &memory, 2, ANY).unwrap();
                    submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                    // What was in flight before has ended, too, as aborted or whole.
                    let mut ended = Vec::new();
                    while ended
                        .iter()
                        .filter(|end: &&ioctl::Completion| end.handle == info.handle)
                        .count()
                        < 4
                    {
                        ended.extend(wait(handle, 1).unwrap());
                    }
                    assert!(
                        ended
                            .iter()
                            .all(|end| end.handle != info.handle || end.status == 0)
                    );
                    unregister(handle, pending, info.handle);
                    user::close(handle).unwrap();
                });
                assert!(served.is_ok(), "{:#?}", bench.machine.report());
                bench.end();
            }
        }
    }
}

/// An admin command that is never answered: the device is reset, and the region goes then.
#[test]
fn a_silent_device_is_reset() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let device = bench.device.clone();
        bench.app(move || {
            let (handle, _memory, pending, info) = registered();
            submit(handle, direction::C2H, &[transfer(info.handle, 0, 4096, 1)]).unwrap();
            assert_eq!(wait(handle, 1).unwrap()[0].status, 0);
            device.borrow_mut().silent = true;
            tell(
                handle,
                ioctl::UNREGISTER,
                ioctl::Handle {
                    handle: info.handle,
                }
                .as_bytes(),
            )
            .unwrap();
            assert!(user::result(pending, Some(100_000_000_000)).is_none());
            let device = device.clone();
            user::spawn(user::current_process(), move || {
                user::sleep_ps(1_200_000_000_000);
                device.borrow_mut().silent = false;
            });
            assert_eq!(status_of(pending), 0);
            assert_eq!(statistics(handle).resets, 1);
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

/// Nor does the reset end: bus mastering is taken from the device, and only then everything is unmapped.
#[test]
fn a_dead_device_loses_the_bus_before_memory_is_unmapped() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let device = bench.device.clone();
        let process = bench.machine.process().unwrap();
        bench
            .machine
            .run(Some(process), move || {
                let (handle, _memory, pending, info) = registered();
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                device.borrow_mut().silent = true;
                device.borrow_mut().reset_stuck = true;
                tell(
                    handle,
                    ioctl::UNREGISTER,
                    ioctl::Handle {
                        handle: info.handle,
                    }
                    .as_bytes(),
                )
                .unwrap();
                let _ = status_of(pending);
                assert!(submit(handle, direction::C2H, &batch(info.handle)).is_err());
                user::close(handle).unwrap();
            })
            .unwrap_or_else(|_| panic!("{:#?}", bench.machine.report()));
        bench.machine.settle().unwrap();
        assert!(bench.machine.device_failed());
        let _ = bench.machine.remove();
        bench.machine.unload().unwrap();
        bench.machine.report().assert_clean();
    }
}

/// It stops in the middle of a transfer and sends no interrupt: the timer notices.
#[test]
fn a_device_that_stops_is_reset() {
    for config in hosts(0) {
        let mut bench = slow(config);
        let device = bench.device.clone();
        bench.app(move || {
            let (handle, _memory, pending, info) = registered();
            submit(handle, direction::C2H, &batch(info.handle)).unwrap();
            user::sleep_ps(100_000_000);
            device.borrow_mut().set(
                &registers::STATUS,
                DeviceStatus::new().with_fatal(true).raw().into(),
            );
            device.borrow_mut().power_off();
            let ended = wait(handle, 4).unwrap();
            assert_eq!(ended[3].status, ABORTED);
            assert_eq!(statistics(handle).resets, 1);
            unregister(handle, pending, info.handle);
            user::close(handle).unwrap();
        });
        bench.end();
    }
}

#[test]
fn a_device_that_breaks_the_protocol_is_reset() {
    for hostile in [
        Hostile::WrongSlot,
        Hostile::Twice,
        Hostile::TooManyBytes,
        Hostile::UnknownStatus,
        Hostile::WrongQueue,
        Hostile::ReservedBit,
    ] {
        for config in hosts(0) {
            let mut bench = Bench::new(config);
            let device = bench.device.clone();
            bench.app(move || {
                let (handle, _memory, pending, info) = registered();
                device.borrow_mut().hostile = Some(hostile);
                submit(handle, direction::C2H, &batch(info.handle)).unwrap();
                let ended = wait(handle, 4).unwrap();
                assert_eq!(ended.len(), 4);
                while statistics(handle).resets == 0
                    || submit(handle, direction::C2H, &batch(info.handle)).is_err()
                {
                    user::sleep_ps(1_000_000_000);
                }
                assert!(wait(handle, 4).unwrap().iter().all(|end| end.status == 0));
                unregister(handle, pending, info.handle);
                user::close(handle).unwrap();
            });
            bench.end();
        }
    }
}

/// Processes end at the very moment at which the device goes: none of them gets hold of a card that is being freed.
#[test]
fn a_process_that_ends_meets_no_dying_device() {
    // When the device is gone, as it is when nothing ends meanwhile.
    let end_ps = {
        let mut bench = Bench::new(many_cpus());
        bench.machine.remove().unwrap();
        bench.machine.now_ps()
    };
    for early in 0..24u64 {
        let mut bench = Bench::new(many_cpus());
        for nth in 0..24 {
            let process = bench.machine.process().unwrap();
            let exit_ps = end_ps + 2_000_000 - (24 * early + nth) * 10_000;
            let spawned = bench.machine.run(Some(process), move || {
                user::spawn(process, move || {
                    user::sleep_ps(exit_ps.saturating_sub(user::now_ps()));
                    user::exit_process();
                });
            });
            spawned.unwrap();
        }
        bench.machine.start(Background::Remove);
        let settled = bench.machine.settle();
        assert!(settled.is_ok(), "{:#?}", bench.machine.report());
        bench.machine.unload().unwrap();
        bench.machine.report().assert_clean();
    }
}

fn many_cpus() -> Config {
    Config {
        cpus: 26,
        ..Config::default()
    }
}

/// A handle that another process has a duplicate of is of no use once the process that opened it has ended, even if nothing was registered.
#[test]
fn nothing_is_registered_for_a_process_that_has_ended() {
    for seed in 0..6 {
        let mut bench = Bench::new(Config {
            seed,
            ..Config::default()
        });
        let other = bench.machine.process().unwrap();
        let process = bench.machine.process().unwrap();
        let shared = Rc::new(Cell::new(None));
        let place = shared.clone();
        let spawned = bench.machine.run(Some(process), move || {
            user::spawn(process, move || {
                let handle = open();
                place.set(Some(user::duplicate(handle, other).unwrap()));
                user::exit_process();
            });
        });
        spawned.unwrap();
        bench.machine.settle().unwrap();
        bench
            .machine
            .run(Some(other), move || {
                let handle = shared.take().expect("a duplicate");
                let asked = ioctl::Allocate {
                    length: 4096,
                    permissions: ioctl::permissions::BOTH,
                    ..ioctl::Allocate::default()
                };
                let refused = ask::<ioctl::RegionInfo>(handle, ioctl::ALLOCATE, asked.as_bytes());
                assert_eq!(refused.unwrap_err(), error(Error::Gone));
                user::close(handle).unwrap();
            })
            .unwrap();
        bench.end();
    }
}

/// A device that was given up does not get the bus back when the machine wakes.
#[test]
fn a_device_that_was_given_up_stays_without_the_bus() {
    let mut bench = Bench::new(Config::default());
    bench.device.borrow_mut().reset_stuck = true;
    bench.machine.sleep().unwrap();
    bench.machine.settle().unwrap();
    bench.device.borrow_mut().reset_stuck = false;
    assert!(bench.machine.wake().unwrap() < 0);
    // What the bus driver gave it the driver has taken, before the power went again.
    let values = bench.bus_master.values.borrow().clone();
    assert!(!values[values.len() - 2], "{values:?}");
    // The system removes a device that does not come back.
    bench.machine.unload().unwrap();
    bench.machine.report().assert_clean();
}

/// Has Bus Master Enable work again after 20 s; what comes of it is true from then on.
fn free_the_bus_later(bench: &mut Bench) -> Rc<Cell<bool>> {
    let (bus_master, freed) = (bench.bus_master.clone(), Rc::new(Cell::new(false)));
    bus_master.stuck.set(true);
    let (process, done) = (bench.machine.process().unwrap(), freed.clone());
    let spawned = bench.machine.run(Some(process), move || {
        user::spawn(process, move || {
            user::sleep_ps(20_000_000_000_000);
            done.set(true);
            bus_master.stuck.set(false);
        });
    });
    spawned.unwrap();
    freed
}

/// A device that keeps the bus keeps its memory: the removal waits for it.
#[test]
fn a_removal_waits_until_the_device_has_lost_the_bus() {
    for config in hosts(0) {
        let mut bench = Bench::new(config);
        let freed = free_the_bus_later(&mut bench);
        assert_eq!(bench.machine.remove(), Ok(0));
        assert!(freed.get());
        bench.machine.unload().unwrap();
        bench.machine.report().assert_clean();
    }
}

/// Nor does a start that failed free what the device may write.
#[test]
fn a_start_that_fails_waits_until_the_device_has_lost_the_bus() {
    let mut bench = Bench::loaded(Config::default());
    bench.device.borrow_mut().reset_stuck = true;
    let freed = free_the_bus_later(&mut bench);
    assert!(bench.machine.add_device().unwrap() < 0);
    assert!(freed.get());
    bench.machine.unload().unwrap();
    bench.machine.report().assert_clean();
}

/// A queue is not acknowledged, and is made again behind the reset: it has its time anew.
#[test]
fn a_command_that_is_sent_again_has_its_time_anew() {
    let mut bench = Bench::new(Config::default());
    let device = bench.device.clone();
    bench.app(move || {
        let handle = open();
        let memory = buffer(1 << 20);
        device.borrow_mut().silent = true;
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        submit(handle, direction::C2H, &[transfer(info.handle, 0, 4096, 1)]).unwrap();
        user::sleep_ps(1_500_000_000_000);
        device.borrow_mut().silent = false;
        assert_eq!(wait(handle, 1).unwrap().len(), 1);
        assert_eq!(statistics(handle).resets, 1);
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
    });
    bench.end();
}

/// Resets do not help for ever.
#[test]
fn a_device_that_stays_silent_is_given_up() {
    let mut bench = Bench::new(Config::default());
    let device = bench.device.clone();
    bench.app(move || {
        let handle = open();
        let memory = buffer(1 << 20);
        device.borrow_mut().silent = true;
        let (pending, info) = register(handle, &memory, 1, ANY).unwrap();
        submit(handle, direction::C2H, &[transfer(info.handle, 0, 4096, 1)]).unwrap();
        let ended = user::result(pending, Some(10_000_000_000_000)).expect("it ends");
        assert_eq!(ended.status, Error::Gone.status());
        assert_eq!(statistics(handle).resets, 3);
        user::close(handle).unwrap();
    });
    bench.machine.settle().unwrap();
    assert!(bench.machine.device_failed());
    bench.end();
}

/// More regions than a device takes commands at a time, three resets that are nearly as long as they may be, and no acknowledgement behind
/// any: the end of the process waits for what comes of it.
#[test]
fn the_end_of_a_process_waits_for_slow_resets() {
    let mut bench = Bench::new(Config::default());
    let process = bench.machine.process().unwrap();
    let device = bench.device.clone();
    let registered = bench.machine.run(Some(process), move || {
        let handle = open();
        let memory = buffer(1 << 12);
        for token in 0..256 {
            register(handle, &memory, token, ANY).unwrap();
        }
        user::sleep_ps(1_000_000_000);
        device.borrow_mut().silent = true;
        device.borrow_mut().reset_stuck = true;
        memory
    });
    let memory = registered.unwrap();
    let (begun, device, driver) = (
        bench.machine.now_ps(),
        bench.device.clone(),
        bench.machine.process().unwrap(),
    );
    let spawned = bench.machine.run(Some(driver), move || {
        user::spawn(driver, move || {
            // A command has 1 s, a reset 5 s.
            for _ in 0..3 {
                user::sleep_ps(5_500_000_000_000);
                device.borrow_mut().reset_stuck = false;
                user::sleep_ps(200_000_000_000);
                device.borrow_mut().reset_stuck = true;
            }
        });
    });
    spawned.unwrap();
    let ended = bench
        .machine
        .run(Some(process), || -> () { user::exit_process() });
    assert!(ended.is_err(), "the thread has ended");
    assert!(
        bench.machine.report().is_clean(),
        "{}",
        bench.machine.report()
    );
    bench.machine.settle().unwrap();
    assert!(bench.machine.device_failed());
    let waited = bench.machine.operations().last_ended_ps - begun;
    assert!(waited > 16_000_000_000_000, "{waited}");
    drop(memory);
    bench.end();
}

/// A read of configuration space that fails once is no device that is gone: its memory stays until the bus is seen to be lost.
#[test]
fn a_failed_read_is_no_lost_bus() {
    const NAME: &str = "GetBusData";
    let started = Bench::new(Config::default()).machine.fallible();
    let calls = started.iter().find(|(name, _)| *name == NAME).unwrap().1;
    // The read before Bus Master Enable is cleared, and the one behind it.
    for more in [0, 1] {
        let config = Config {
            fail: Some((NAME.into(), calls + more)),
            ..Config::default()
        };
        // A transfer takes longer than it takes to give the device up.
        let mut bench = Bench::with_card(config, Card::new(64, 1_000_000_000));
        let device = bench.device.clone();
        bench.app(move || {
            let (handle, _memory, pending, info) = registered();
            user::sleep_ps(1_000_000_000_000);
            submit(
                handle,
                direction::C2H,
                &[transfer(info.handle, 0, 1 << 20, 1)],
            )
            .unwrap();
            device.borrow_mut().silent = true;
            device.borrow_mut().reset_stuck = true;
            let named = ioctl::Handle {
                handle: info.handle,
            };
            tell(handle, ioctl::UNREGISTER, named.as_bytes()).unwrap();
            user::result(pending, None).expect("it ends");
            user::close(handle).unwrap();
        });
        bench.machine.settle().unwrap();
        let log = bench.machine.error_log();
        let stuck = log.iter().any(|(code, _)| *code as u32 == 0xe0a1_1007);
        assert!(stuck, "{log:x?}");
        bench.end();
    }
}
