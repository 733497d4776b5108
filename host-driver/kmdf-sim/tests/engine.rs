//! The toy driver on the double: what should go well does, at many seeds.

mod toy;

use std::cell::RefCell;
use std::rc::Rc;

use kmdf_sim::user::{self, Output, Status};
use kmdf_sim::*;
use toy::*;

const BOTH: u32 = FILE_READ_DATA | FILE_WRITE_DATA;

fn machine(config: Config) -> Machine {
    let mut machine = Machine::new(config, Toy::default());
    assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
    assert_eq!(
        machine.add_device(),
        Ok(STATUS_SUCCESS),
        "{}",
        machine.report()
    );
    machine
}

fn end(mut machine: Machine) {
    let removed = machine.remove();
    assert_eq!(removed, Ok(STATUS_SUCCESS), "{}", machine.report());
    let _ = machine.unload();
    machine.report().assert_clean();
}

#[test]
fn a_driver_loads_starts_and_unloads_without_a_trace() {
    end(machine(Config::default()));
}

#[test]
fn calls_return_what_the_driver_says() {
    let mut machine = machine(Config::default());
    let process = machine.process().unwrap();
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, false).unwrap();
            let mut output = [0; 8];
            assert_eq!(
                user::device_io_control(handle, ECHO, b"abcd", &mut output),
                Ok(4)
            );
            assert_eq!(&output, b"abcd\0\0\0\0");
            assert_eq!(
                user::device_io_control(handle, ECHO, b"", &mut output),
                Err(Status(STATUS_BUFFER_TOO_SMALL))
            );
            assert_eq!(
                user::device_io_control(handle, code(99, 0), b"", &mut output),
                Err(Status(STATUS_INVALID_DEVICE_REQUEST))
            );
            assert_eq!(user::device_io_control(handle, GO, b"", &mut []), Ok(0));
            assert_eq!(user::device_io_control(handle, LATER, b"", &mut []), Ok(0));
            user::close(handle).unwrap();
            let reader = user::open(FILE_READ_DATA, false).unwrap();
            assert_eq!(
                user::device_io_control(reader, ECHO, b"abcd", &mut output),
                Err(Status(STATUS_ACCESS_DENIED))
            );
            user::close(reader).unwrap();
        })
        .unwrap_or_else(|_| panic!("{}", machine.report()));
    assert!(machine.now_ps() > 5_000_000);
    end(machine);
}

#[test]
fn the_same_seed_gives_the_same_times() {
    let time = |seed| {
        let mut machine = machine(Config::seeded(seed));
        let process = machine.process().unwrap();
        for _ in 0..3 {
            machine
                .run(Some(process), || {
                    let handle = user::open(BOTH, false).unwrap();
                    user::device_io_control(handle, GO, b"", &mut []).unwrap();
                    user::close(handle).unwrap();
                })
                .unwrap();
        }
        let time = machine.now_ps();
        end(machine);
        time
    };
    assert_eq!(time(1), time(1));
    assert_ne!(time(1), time(2));
}

#[test]
fn a_pended_request_is_completed_or_cancelled() {
    for seed in 0..50 {
        let mut machine = machine(Config::seeded(seed));
        let process = machine.process().unwrap();
        let outcome = machine.run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            let event = user::create_event(true, false);
            let first = user::start(handle, PEND, b"", Output::None, Some(event)).unwrap();
            let second = user::start(handle, PEND, b"", Output::None, None).unwrap();
            assert!(!user::wait_event(event, Some(1_000_000)));
            user::device_io_control(handle, RELEASE, b"", &mut []).unwrap();
            assert!(user::wait_event(event, None));
            assert_eq!(user::result(first, None).unwrap().status, STATUS_SUCCESS);
            assert!(user::cancel_io_ex(handle, Some(second)));
            assert_eq!(user::result(second, None).unwrap().status, STATUS_CANCELLED);
            let third = user::start(handle, PEND, b"", Output::None, None).unwrap();
            // The cleanup completes what is left.
            user::close(handle).unwrap();
            assert_eq!(user::result(third, None).unwrap().status, STATUS_CANCELLED);
        });
        assert!(outcome.is_ok(), "seed {seed}: {}", machine.report());
        end(machine);
    }
}

#[test]
fn completion_and_cancellation_race() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let mut machine = machine(Config::seeded(seed));
        let process = machine.process().unwrap();
        let status = machine.run(Some(process), move || {
            let handle = user::open(BOTH, true).unwrap();
            let kept = user::start(handle, KEEP, b"", Output::None, None).unwrap();
            user::spawn(process, move || {
                user::sleep_ps(user::random(3_000_000));
                user::cancel_io_ex(handle, Some(kept));
            });
            user::sleep_ps(user::random(3_000_000));
            user::device_io_control(handle, FINISH, b"", &mut []).unwrap();
            let status = user::result(kept, None).unwrap().status;
            user::sleep_ps(10_000_000);
            user::close(handle).unwrap();
            status
        });
        assert!(status.is_ok(), "seed {seed}: {}", machine.report());
        seen.extend(status);
        end(machine);
    }
    assert_eq!(seen.len(), 2, "both ways are seen: {seen:?}");
}

#[test]
fn completions_come_through_a_port() {
    let mut machine = machine(Config::seeded(3));
    let process = machine.process().unwrap();
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            let port = user::create_port();
            user::associate(port, handle, 77).unwrap();
            let pending =
                user::start(handle, ECHO, b"xyz", Output::Owned(vec![0; 4]), None).unwrap();
            let packet = user::dequeue(port, None).unwrap();
            assert_eq!((packet.key, packet.pending), (77, pending));
            assert_eq!(packet.completion.output, b"xyz\0");
            assert_eq!(user::dequeue(port, Some(1_000_000)), None);
            user::close(handle).unwrap();
        })
        .unwrap();
    end(machine);
}

#[test]
fn sleep_rebalance_and_surprise_removal_at_any_time() {
    for seed in 0..300 {
        let mut machine = machine(Config::seeded(seed));
        let process = machine.process().unwrap();
        let what = [
            Background::SurpriseRemove,
            Background::SleepAndWake,
            Background::Rebalance(None),
        ][(seed % 3) as usize];
        let statuses = Rc::new(RefCell::new(Vec::new()));
        let place = statuses.clone();
        user_thread(&mut machine, process, move || {
            let Ok(handle) = user::open(BOTH, true) else {
                return;
            };
            let pended = user::start(handle, PEND, b"", Output::None, None);
            for _ in 0..5 {
                if let Ok(pending) = user::start(handle, GO, b"", Output::None, None) {
                    // Lost interrupts of a device that slept are nobody's fault here: the wait is bounded.
                    let completion = user::result(pending, Some(1_000_000_000));
                    place
                        .borrow_mut()
                        .push(completion.map(|completion| completion.status));
                }
            }
            user::cancel_io_ex(handle, None);
            if let Ok(pended) = pended {
                assert_eq!(user::result(pended, None).unwrap().status, STATUS_CANCELLED);
            }
            user::sleep_ps(1_000_000_000);
            let _ = user::device_io_control(handle, FINISH, b"", &mut []);
            user::close(handle).unwrap();
        });
        let outcome = machine.run(None, || user::sleep_ps(user::random(60_000_000)));
        assert!(outcome.is_ok());
        machine.start(what);
        assert!(
            machine.settle().is_ok(),
            "seed {seed}: {}",
            machine.report()
        );
        let lost = statuses.borrow().contains(&None);
        if what == Background::SurpriseRemove {
            let _ = machine.unload();
        }
        let report = machine.report();
        assert!(lost || report.is_clean(), "seed {seed}: {report}");
    }
}

/// Windows stops no request at a device that is gone: until the bus driver notices everything goes on, and behind the removal an open handle
/// still reaches the driver, whose power-managed queues then refuse.
#[test]
fn an_open_handle_reaches_the_driver_of_a_device_that_is_gone() {
    let mut machine = machine(Config::default());
    let process = machine.process().unwrap();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let place = asked.clone();
    user_thread(&mut machine, process, move || {
        let handle = user::open(BOTH, true).unwrap();
        let pended = user::start(handle, PEND, b"", Output::None, None).unwrap();
        let mut output = [0; 4];
        for _ in 0..20 {
            let ended = user::device_io_control(handle, ECHO, b"abcd", &mut output);
            place.borrow_mut().push(ended);
            user::sleep_ps(300_000);
        }
        // What waits in a queue without power management is the driver's own business until the last handle is closed.
        assert_eq!(user::result(pended, Some(0)), None);
        user::close(handle).unwrap();
        assert_eq!(user::result(pended, None).unwrap().status, STATUS_CANCELLED);
    });
    machine.start(Background::SurpriseRemove);
    machine.settle().unwrap();
    machine.unload().unwrap();
    machine.report().assert_clean();
    let asked = asked.borrow();
    let served = asked.iter().take_while(|ended| **ended == Ok(4)).count();
    assert!((1..20).contains(&served), "{asked:?}");
    let refused = Err(Status(STATUS_INVALID_DEVICE_STATE));
    assert_eq!(asked.last(), Some(&refused));
    assert!(
        asked[served..]
            .iter()
            .all(|ended| *ended == refused || *ended == Err(Status(STATUS_CANCELLED))),
        "{asked:?}"
    );
}

/// Takes the callbacks so far.
fn calls() -> Vec<&'static str> {
    CALLS.take()
}

#[test]
fn a_start_that_fails_is_undone_from_where_it_failed() {
    for (prepare, entry, expected) in [
        (
            STATUS_INSUFFICIENT_RESOURCES,
            STATUS_SUCCESS,
            &["PrepareHardware", "ReleaseHardware"][..],
        ),
        (
            STATUS_SUCCESS,
            STATUS_DEVICE_HARDWARE_ERROR,
            &["PrepareHardware", "D0Entry", "ReleaseHardware"],
        ),
    ] {
        let mut machine = Machine::new(Config::default(), Toy::default());
        assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
        PREPARE.set(prepare);
        D0_ENTRY.set(entry);
        assert!(machine.add_device().unwrap() < 0);
        PREPARE.set(STATUS_SUCCESS);
        D0_ENTRY.set(STATUS_SUCCESS);
        assert_eq!(calls(), expected);
        // The next device is a good one.
        assert_eq!(machine.add_device(), Ok(STATUS_SUCCESS));
        end(machine);
        calls();
    }
}

/// A device that does not come back to D0, or does not start with its new resources, is removed like one that was pulled out.
#[test]
fn a_device_that_fails_to_return_is_removed() {
    for rebalance in [false, true] {
        let mut machine = machine(Config::default());
        let process = machine.process().unwrap();
        let open = machine.run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            let pended = user::start(handle, PEND, b"", Output::None, None).unwrap();
            (handle, pended)
        });
        let (handle, pended) = open.unwrap();
        calls();
        D0_ENTRY.set(STATUS_DEVICE_HARDWARE_ERROR);
        let status = if rebalance {
            machine.rebalance(None)
        } else {
            machine.sleep().unwrap();
            machine.wake()
        };
        D0_ENTRY.set(STATUS_SUCCESS);
        assert_eq!(status, Ok(STATUS_DEVICE_HARDWARE_ERROR));
        let mut expected = vec!["D0Exit", "D0Entry", "ReleaseHardware", "SurpriseRemoval"];
        if rebalance {
            expected.splice(1..1, ["ReleaseHardware", "PrepareHardware"]);
        }
        assert_eq!(calls(), expected);
        assert!(machine.device_failed());
        machine
            .run(Some(process), move || {
                assert_eq!(
                    user::device_io_control(handle, ECHO, b"", &mut []),
                    Err(Status(STATUS_INVALID_DEVICE_STATE))
                );
                assert_eq!(user::open(BOTH, true), Err(Status(STATUS_NO_SUCH_DEVICE)));
                user::close(handle).unwrap();
                assert_eq!(user::result(pended, None).unwrap().status, STATUS_CANCELLED);
            })
            .unwrap();
        machine.settle().unwrap();
        assert_eq!(machine.remove(), Ok(STATUS_NO_SUCH_DEVICE));
        assert_eq!(machine.add_device(), Ok(STATUS_SUCCESS));
        assert!(!machine.device_failed());
        end(machine);
    }
}

/// A work item may wait for another one; only for itself it would wait for ever.
#[test]
fn a_work_item_may_flush_another() {
    thread_local! {
        static OTHER: core::cell::Cell<WDFWORKITEM> = const { core::cell::Cell::new(core::ptr::null_mut()) };
        static DONE: core::cell::Cell<u32> = const { core::cell::Cell::new(0) };
    }
    unsafe extern "C" fn other(_item: WDFWORKITEM) {
        DONE.set(DONE.get() + 1);
    }
    unsafe extern "C" fn flushes(_item: WDFWORKITEM) {
        unsafe {
            call_unsafe_wdf_function_binding!(WdfWorkItemEnqueue, OTHER.get());
            call_unsafe_wdf_function_binding!(WdfWorkItemFlush, OTHER.get());
        }
        assert_eq!(DONE.get(), 1);
        DONE.set(2);
    }
    unsafe extern "C" fn flushes_itself(item: WDFWORKITEM) {
        unsafe { call_unsafe_wdf_function_binding!(WdfWorkItemFlush, item) };
    }
    let make = |function| unsafe {
        let mut parent = core::ptr::null_mut();
        let mut item = core::ptr::null_mut();
        let mut config = WDF_WORKITEM_CONFIG {
            Size: size_of::<WDF_WORKITEM_CONFIG>() as u32,
            EvtWorkItemFunc: Some(function),
            ..Default::default()
        };
        let none = WDF_NO_OBJECT_ATTRIBUTES;
        let made = call_unsafe_wdf_function_binding!(WdfObjectCreate, none, &mut parent);
        assert_eq!(made, STATUS_SUCCESS);
        let mut below = attributes(None, parent);
        let made = call_unsafe_wdf_function_binding!(
            WdfWorkItemCreate,
            &mut config,
            &mut below,
            &mut item
        );
        assert_eq!(made, STATUS_SUCCESS);
        item
    };
    let mut machine = machine(Config::default());
    machine
        .run(None, || unsafe {
            OTHER.set(make(other));
            call_unsafe_wdf_function_binding!(WdfWorkItemEnqueue, make(flushes));
        })
        .unwrap();
    machine.settle().unwrap();
    assert_eq!(DONE.get(), 2);
    machine.report().assert_clean();
    let outcome = machine.run(None, || unsafe {
        call_unsafe_wdf_function_binding!(WdfWorkItemEnqueue, make(flushes_itself));
        user::sleep_ps(1_000_000_000);
    });
    assert_eq!(outcome, Err(Stopped));
    assert!(machine.report().has(Rule::Deadlock));
}

#[test]
fn resources_are_redistributed_under_open_handles() {
    let mut machine = machine(Config::default());
    let process = machine.process().unwrap();
    let serve = |handle| {
        move || {
            user::device_io_control(handle, GO, b"", &mut []).unwrap();
        }
    };
    let handle = machine
        .run(Some(process), || user::open(BOTH, true).unwrap())
        .unwrap();
    machine.run(Some(process), serve(handle)).unwrap();
    calls();
    for messages in [None, Some(1)] {
        assert_eq!(machine.rebalance(messages), Ok(STATUS_SUCCESS));
        let expected = ["D0Exit", "ReleaseHardware", "PrepareHardware", "D0Entry"];
        assert_eq!(calls(), expected);
        machine.run(Some(process), serve(handle)).unwrap();
    }
    // Asleep, it is woken first.
    machine.sleep().unwrap();
    assert_eq!(machine.rebalance(None), Ok(STATUS_SUCCESS));
    machine.run(Some(process), serve(handle)).unwrap();
    machine
        .run(Some(process), move || user::close(handle).unwrap())
        .unwrap();
    end(machine);
}

#[test]
fn a_mapping_from_before_a_rebalance_is_of_no_use() {
    let mut machine = machine(Config::default());
    let registers = machine
        .run(None, || unsafe {
            let bar = PHYSICAL_ADDRESS {
                QuadPart: 0x40_0000_0000,
            };
            ntddk::MmMapIoSpaceEx(bar, 64, PAGE_READWRITE | PAGE_NOCACHE).expose_provenance()
        })
        .unwrap();
    let read =
        move || unsafe { mmio::read_u32(core::ptr::with_exposed_provenance::<u32>(registers)) };
    machine.run(None, read).unwrap();
    machine.report().assert_clean();
    assert_eq!(machine.rebalance(None), Ok(STATUS_SUCCESS));
    assert_eq!(machine.run(None, read), Ok(u32::MAX));
    let report = machine.report();
    assert!(report.has(Rule::Mmio), "{report}");
    assert!(
        report.violations[0]
            .detail
            .contains("EvtDeviceReleaseHardware")
    );
}

#[test]
fn a_context_that_is_written_after_its_object_is_gone_is_found() {
    let mut machine = machine(Config::default());
    machine
        .run(None, || unsafe {
            let mut object = core::ptr::null_mut();
            let mut attributes = attributes(Some(&OTHER_INFO), core::ptr::null_mut());
            let status =
                call_unsafe_wdf_function_binding!(WdfObjectCreate, &mut attributes, &mut object);
            assert_eq!(status, STATUS_SUCCESS);
            let context: *mut u64 = call_unsafe_wdf_function_binding!(
                WdfObjectGetTypedContextWorker,
                object,
                &OTHER_INFO.0
            )
            .cast();
            call_unsafe_wdf_function_binding!(WdfObjectDelete, object);
            context.write_volatile(1);
        })
        .unwrap();
    let report = machine.report();
    assert!(report.has(Rule::WriteAfterFree), "{report}");
    assert!(report.violations[0].detail.contains("WDFOBJECT"));
}

#[test]
fn a_plug_and_play_operation_that_never_ends_is_found() {
    for what in [
        Background::SleepAndWake,
        Background::Remove,
        Background::SurpriseRemove,
    ] {
        let mut machine = machine(Config::default());
        HANGS.set(true);
        machine.start(what);
        assert_eq!(machine.settle(), Err(Stopped), "{what:?}");
        HANGS.set(false);
        let report = machine.report();
        assert!(report.has(Rule::Deadlock), "{report}");
        assert!(report.violations[0].detail.contains("EvtDeviceD0Exit"));
    }
}

fn user_thread(machine: &mut Machine, process: user::Process, body: impl FnOnce() + 'static) {
    machine.run(None, || user::spawn(process, body)).unwrap();
}

#[test]
fn a_process_that_exits_has_its_requests_cancelled() {
    for seed in 0..50 {
        let mut machine = machine(Config::seeded(seed));
        let process = machine.process().unwrap();
        user_thread(&mut machine, process, || {
            let handle = user::open(BOTH, true).unwrap();
            for _ in 0..3 {
                user::start(handle, PEND, b"", Output::None, None).unwrap();
            }
            user::start(handle, KEEP, b"", Output::None, None).unwrap();
            user::exit_process();
        });
        assert!(
            machine.settle().is_ok(),
            "seed {seed}: {}",
            machine.report()
        );
        end(machine);
    }
}

#[test]
fn every_failure_is_survived() {
    let mut first = machine(Config::default());
    let candidates = first.fallible();
    assert_eq!(first.remove(), Ok(STATUS_SUCCESS));
    drop(first);
    assert!(candidates.len() > 8, "{candidates:?}");
    for (name, calls) in candidates {
        for call in 0..calls {
            let config = Config {
                fail: Some((name.into(), call)),
                ..Config::default()
            };
            let mut machine = Machine::new(config, Toy::default());
            let loaded = machine.load(driver_entry).unwrap();
            if loaded == STATUS_SUCCESS {
                let added = machine.add_device();
                assert_ne!(added, Ok(STATUS_SUCCESS), "{name} {call}");
                machine
                    .unload()
                    .unwrap_or_else(|_| panic!("{name} {call}: {}", machine.report()));
            }
            let report = machine.report();
            assert!(report.is_clean(), "{name} {call}: {report}");
        }
    }
}

#[test]
fn fewer_messages_than_the_device_has() {
    let config = Config {
        messages_granted: Some(0),
        ..Config::default()
    };
    end(machine(config));
}
