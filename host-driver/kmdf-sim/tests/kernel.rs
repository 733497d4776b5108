//! Kernel functions by themselves: waits, threads, locks, pool, traces, the error log.

use core::ptr::null_mut;
use std::cell::RefCell;

use kmdf_sim::ntddk::*;
use kmdf_sim::*;

fn in_kernel<R: 'static>(
    config: Config,
    body: impl FnOnce() -> R,
) -> (Result<R, Stopped>, Machine) {
    let mut machine = Machine::new(config, NoHardware);
    let result = machine.run(None, body);
    (result, machine)
}

#[repr(C)]
struct Shared {
    event: KEVENT,
    lock: KSPIN_LOCK,
    count: u32,
}

unsafe extern "C" fn counts(context: PVOID) {
    let shared: *mut Shared = context.cast();
    unsafe {
        for _ in 0..100 {
            let mut handle = KLOCK_QUEUE_HANDLE::default();
            KeAcquireInStackQueuedSpinLock(&raw mut (*shared).lock, &mut handle);
            let count = (*shared).count;
            // Time passes: without the lock another CPU would get in between.
            KeStallExecutionProcessor(1);
            (*shared).count = count + 1;
            KeReleaseInStackQueuedSpinLock(&mut handle);
        }
        KeSetEvent(&raw mut (*shared).event, 0, 0);
        let _ = PsTerminateSystemThread(STATUS_SUCCESS);
    }
}

#[test]
fn threads_exclude_each_other_and_are_waited_for() {
    for seed in 0..20 {
        let (count, machine) = in_kernel(Config::seeded(seed), || unsafe {
            let mut shared = Shared {
                event: KEVENT::default(),
                lock: 0,
                count: 0,
            };
            let place = &raw mut shared;
            KeInitializeEvent(&raw mut (*place).event, _EVENT_TYPE::NotificationEvent, 0);
            KeInitializeSpinLock(&raw mut (*place).lock);
            let mut objects = Vec::new();
            for _ in 0..2 {
                let mut handle = null_mut();
                let all = THREAD_ALL_ACCESS;
                assert_eq!(
                    PsCreateSystemThread(
                        &mut handle,
                        all,
                        null_mut(),
                        null_mut(),
                        null_mut(),
                        Some(counts),
                        place.cast()
                    ),
                    STATUS_SUCCESS
                );
                let mut object = null_mut();
                assert_eq!(
                    ObReferenceObjectByHandle(handle, all, null_mut(), 0, &mut object, null_mut()),
                    STATUS_SUCCESS
                );
                assert_eq!(ZwClose(handle), STATUS_SUCCESS);
                objects.push(object);
            }
            let mut short = LARGE_INTEGER { QuadPart: -10 };
            let first = KeWaitForSingleObject(
                (&raw mut (*place).event).cast(),
                _KWAIT_REASON::Executive,
                0,
                0,
                &mut short,
            );
            assert_eq!(first, STATUS_TIMEOUT);
            for object in objects {
                assert_eq!(
                    KeWaitForSingleObject(object, _KWAIT_REASON::Executive, 0, 0, null_mut()),
                    STATUS_SUCCESS
                );
                ObfDereferenceObject(object);
            }
            (*place).count
        });
        assert_eq!(count, Ok(200), "seed {seed}: {}", machine.report());
        machine.report().assert_clean();
    }
}

#[test]
fn a_lost_release_is_a_deadlock() {
    unsafe extern "C" fn takes(context: PVOID) {
        let mut handle = KLOCK_QUEUE_HANDLE::default();
        unsafe { KeAcquireInStackQueuedSpinLock(context.cast(), &mut handle) };
        let mut forever = KLOCK_QUEUE_HANDLE::default();
        unsafe { KeAcquireInStackQueuedSpinLock(context.cast(), &mut forever) };
    }
    let (result, machine) = in_kernel(Config::default(), || unsafe {
        let mut lock: KSPIN_LOCK = 0;
        let place = &raw mut lock;
        let mut handle = null_mut();
        let status = PsCreateSystemThread(
            &mut handle,
            0,
            null_mut(),
            null_mut(),
            null_mut(),
            Some(takes),
            place.cast(),
        );
        assert_eq!(status, STATUS_SUCCESS);
        let mut time = LARGE_INTEGER { QuadPart: -1000 };
        KeDelayExecutionThread(0, 0, &mut time);
    });
    assert_eq!(result, Err(Stopped));
    assert!(
        machine.report().has(Rule::LockRecursion),
        "{}",
        machine.report()
    );
}

#[test]
fn opposite_orders_end_in_a_deadlock_at_some_seed() {
    static LOCKS: [core::sync::atomic::AtomicU64; 2] = [
        core::sync::atomic::AtomicU64::new(0),
        core::sync::atomic::AtomicU64::new(0),
    ];
    unsafe extern "C" fn takes(context: PVOID) {
        let first = context.addr();
        let mut handles = [KLOCK_QUEUE_HANDLE::default(); 2];
        unsafe {
            KeAcquireInStackQueuedSpinLock(LOCKS[first].as_ptr(), &mut handles[0]);
            KeAcquireInStackQueuedSpinLock(LOCKS[1 - first].as_ptr(), &mut handles[1]);
            KeReleaseInStackQueuedSpinLock(&mut handles[1]);
            KeReleaseInStackQueuedSpinLock(&mut handles[0]);
        }
    }
    let mut deadlocks = 0;
    for seed in 0..30 {
        let (_, mut machine) = in_kernel(Config::seeded(seed), || unsafe {
            for first in 0..2 {
                let mut handle = null_mut();
                let _ = PsCreateSystemThread(
                    &mut handle,
                    0,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    Some(takes),
                    core::ptr::without_provenance_mut(first),
                );
            }
        });
        let _ = machine.settle();
        assert!(machine.report().has(Rule::LockOrder), "seed {seed}");
        deadlocks += u32::from(machine.report().has(Rule::Deadlock));
    }
    assert!(deadlocks > 0);
}

/// However it ends: by returning, or by PsTerminateSystemThread.
#[test]
fn a_thread_that_ends_with_a_lock_is_found() {
    unsafe extern "C" fn leaves(lock: PVOID) {
        let mut handle = KLOCK_QUEUE_HANDLE::default();
        unsafe {
            KeAcquireInStackQueuedSpinLock(lock.cast(), &mut handle);
            let _ = PsTerminateSystemThread(STATUS_SUCCESS);
        }
    }
    let mut lock: KSPIN_LOCK = 0;
    let place = (&raw mut lock).expose_provenance();
    let (_, mut machine) = in_kernel(Config::default(), move || unsafe {
        let mut handle = null_mut();
        let _ = PsCreateSystemThread(
            &mut handle,
            0,
            null_mut(),
            null_mut(),
            null_mut(),
            Some(leaves),
            core::ptr::with_exposed_provenance_mut(place),
        );
    });
    let _ = machine.settle();
    assert!(
        machine.report().has(Rule::LockHeldAtReturn),
        "{}",
        machine.report()
    );
}

#[test]
fn pool_that_is_written_after_it_was_freed_is_found() {
    let (result, machine) = in_kernel(Config::default(), || unsafe {
        let block: *mut u8 = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, 0x6C6F_6F50).cast();
        ExFreePoolWithTag(block.cast(), 0x6C6F_6F50);
        block.add(40).write_volatile(1);
    });
    assert_eq!(result, Ok(()));
    let report = machine.report();
    assert_eq!(report.violations.len(), 1, "{report}");
    let violation = &report.violations[0];
    assert_eq!(
        (violation.rule, violation.ddi),
        (Rule::WriteAfterFree, "ExFreePoolWithTag")
    );
    assert!(violation.detail.contains("0x6c6f6f50"), "{violation}");
    // Each is told once.
    assert_eq!(machine.report().violations.len(), 1);
}

/// Another CPU makes a hundred calls within one call of this one: rarely, but it does.
#[test]
fn a_race_with_a_wide_window_is_met() {
    thread_local! {
        static CALLS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
        static WIDEST: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    }
    unsafe extern "C" fn calls(watches: PVOID) {
        for _ in 0..4000 {
            let before = CALLS.get();
            let _ = unsafe { KeQueryPerformanceCounter(null_mut()) };
            if watches.is_null() {
                CALLS.set(before + 1);
            } else {
                WIDEST.set(WIDEST.get().max(CALLS.get() - before));
            }
        }
    }
    let widest = |preempt| {
        CALLS.set(0);
        WIDEST.set(0);
        let config = Config {
            preempt,
            ..Config::seeded(1)
        };
        let (_, mut machine) = in_kernel(config, || unsafe {
            for watches in 0..2 {
                let mut handle = null_mut();
                let _ = PsCreateSystemThread(
                    &mut handle,
                    0,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    Some(calls),
                    core::ptr::without_provenance_mut(watches),
                );
            }
        });
        machine.settle().unwrap();
        WIDEST.get()
    };
    assert!(widest(false) < 10);
    assert!(widest(true) > 100);
}

#[test]
fn traces_and_error_log_are_kept() {
    let (result, machine) = in_kernel(Config::default(), || unsafe {
        let provider = GUID {
            Data1: 7,
            ..Default::default()
        };
        let mut handle = 0;
        assert_eq!(
            EtwRegister(&provider, None, null_mut(), &mut handle),
            STATUS_SUCCESS
        );
        let value = 0x0102_u16;
        let mut data = EVENT_DATA_DESCRIPTOR {
            Ptr: (&raw const value).expose_provenance() as u64,
            Size: 2,
            ..Default::default()
        };
        let event = EVENT_DESCRIPTOR {
            Id: 5,
            Level: 4,
            ..Default::default()
        };
        assert_eq!(
            EtwWrite(handle, &event, core::ptr::null(), 1, &mut data),
            STATUS_SUCCESS
        );
        assert_eq!(EtwUnregister(handle), STATUS_SUCCESS);
        let mut object = 0_u8;
        let entry: PIO_ERROR_LOG_PACKET = IoAllocateErrorLogEntry(
            (&raw mut object).cast(),
            size_of::<IO_ERROR_LOG_PACKET>() as u8,
        )
        .cast();
        (*entry).ErrorCode = 3;
        IoWriteErrorLogEntry(entry.cast());
    });
    assert_eq!(result, Ok(()));
    assert_eq!(machine.error_log(), [(3, 0)]);
    let trace = machine.trace();
    assert_eq!(
        (trace.len(), trace[0].id, trace[0].data.as_slice()),
        (1, 5, [2, 1].as_slice())
    );
    machine.report().assert_clean();
}

thread_local! {
    static NOTED: RefCell<Vec<(usize, bool)>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn note(_parent: HANDLE, process: HANDLE, create: BOOLEAN) {
    NOTED.with_borrow_mut(|noted| noted.push((process.addr(), create != 0)));
}

#[test]
fn processes_are_announced() {
    let (result, mut machine) = in_kernel(Config::default(), || unsafe {
        PsSetCreateProcessNotifyRoutine(Some(note), 0)
    });
    assert_eq!(result, Ok(STATUS_SUCCESS));
    let process = machine.process().unwrap();
    machine
        .run(None, || {
            user::spawn(process, || {
                user::exit_process();
            });
        })
        .unwrap();
    machine.settle().unwrap();
    assert_eq!(
        machine.run(None, || unsafe {
            PsSetCreateProcessNotifyRoutine(Some(note), 1)
        }),
        Ok(STATUS_SUCCESS)
    );
    let noted = NOTED.with_borrow(Clone::clone);
    assert_eq!(
        noted.iter().map(|(_, create)| *create).collect::<Vec<_>>(),
        [true, false]
    );
    machine.report().assert_clean();
}

#[test]
fn the_counter_never_goes_back() {
    let (result, _machine) = in_kernel(Config::seeded(9), || unsafe {
        let mut last = 0;
        for _ in 0..1000 {
            let now = KeQueryPerformanceCounter(null_mut()).QuadPart;
            assert!(now >= last);
            last = now;
        }
        last
    });
    assert!(result.unwrap() > 500);
}

#[test]
#[ignore = "a measurement: cargo test -p kmdf-sim --release --test kernel -- --ignored --nocapture"]
fn points_per_second() {
    for cpus in [1, 2] {
        let start = std::time::Instant::now();
        let mut machine = Machine::new(
            Config {
                cpus,
                ..Config::default()
            },
            NoHardware,
        );
        machine
            .run(None, || {
                let process = user::current_process();
                for _ in 0..2 {
                    user::spawn(process, || {
                        for _ in 0..1_000_000 {
                            let _ = unsafe { KeQueryPerformanceCounter(null_mut()) };
                        }
                    });
                }
            })
            .unwrap();
        machine.settle().unwrap();
        println!(
            "{cpus} CPUs: {:.0} points per second",
            2e6 / start.elapsed().as_secs_f64()
        );
    }
}
