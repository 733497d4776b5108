//! Ke: levels, locks, events, waits, time.

use super::enter;
use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, DISPATCH, WaitKey, point, spin, with};

const ANY: u8 = 15;
const PS_PER_TICK: u64 = 100_000;

/// The CPU's IRQL.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn KeGetCurrentIrql() -> KIRQL {
    with(|w| w.cpu().irql)
}

/// Makes a spin lock.
///
/// # Safety
/// The pointer is to storage for a lock that is not in use.
pub unsafe fn KeInitializeSpinLock(SpinLock: PKSPIN_LOCK) {
    enter("KeInitializeSpinLock", ANY);
    // SAFETY: the caller's contract.
    unsafe { *SpinLock = 0 };
    with(|w| w.spin.forget(SpinLock.addr() as u64));
}

/// Acquires a queued spin lock; IRQL becomes DISPATCH_LEVEL.
///
/// # Safety
/// Both pointers are valid; the handle lives until the release.
pub unsafe fn KeAcquireInStackQueuedSpinLock(
    SpinLock: PKSPIN_LOCK,
    LockHandle: PKLOCK_QUEUE_HANDLE,
) {
    let ddi = "KeAcquireInStackQueuedSpinLock";
    enter(ddi, DISPATCH);
    let old = spin::acquire(ddi, SpinLock.addr() as u64, DISPATCH);
    // SAFETY: the caller's contract.
    unsafe {
        *LockHandle = KLOCK_QUEUE_HANDLE {
            LockQueue: KSPIN_LOCK_QUEUE {
                Next: core::ptr::null_mut(),
                Lock: SpinLock,
            },
            OldIrql: old,
        };
    }
    point(ddi, 0);
}

/// Releases a queued spin lock; IRQL is as before.
///
/// # Safety
/// The handle is that of the acquisition.
pub unsafe fn KeReleaseInStackQueuedSpinLock(LockHandle: PKLOCK_QUEUE_HANDLE) {
    let ddi = "KeReleaseInStackQueuedSpinLock";
    point(ddi, 1);
    // SAFETY: the caller's contract.
    let handle = unsafe { *LockHandle };
    spin::release(ddi, handle.LockQueue.Lock.addr() as u64, handle.OldIrql);
}

/// Makes an event.
///
/// # Safety
/// The pointer is to storage for an event that nobody waits for.
pub unsafe fn KeInitializeEvent(Event: PRKEVENT, Type: EVENT_TYPE, State: BOOLEAN) {
    enter("KeInitializeEvent", ANY);
    // SAFETY: the caller's contract.
    unsafe {
        *Event = KEVENT::default();
        (*Event).Header.Type = Type as u8;
        (*Event).Header.Size = 6;
        (*Event).Header.SignalState = i32::from(State != 0);
    }
}

fn key(object: PVOID) -> WaitKey {
    WaitKey(object.addr() as u64)
}

/// Sets an event; gives its state before.
///
/// # Safety
/// The event was initialised.
pub unsafe fn KeSetEvent(Event: PRKEVENT, _Increment: KPRIORITY, Wait: BOOLEAN) -> LONG {
    let ddi = "KeSetEvent";
    enter(ddi, if Wait == 0 { DISPATCH } else { 1 });
    // SAFETY: the caller's contract.
    let old = unsafe { core::mem::replace(&mut (*Event).Header.SignalState, 1) };
    world::wake(key(Event.cast()));
    old
}

/// Clears an event.
///
/// # Safety
/// The event was initialised.
pub unsafe fn KeClearEvent(Event: PRKEVENT) {
    enter("KeClearEvent", DISPATCH);
    // SAFETY: the caller's contract.
    unsafe { (*Event).Header.SignalState = 0 };
}

/// Clears an event; gives its state before.
///
/// # Safety
/// The event was initialised.
pub unsafe fn KeResetEvent(Event: PRKEVENT) -> LONG {
    enter("KeResetEvent", DISPATCH);
    // SAFETY: the caller's contract.
    unsafe { core::mem::replace(&mut (*Event).Header.SignalState, 0) }
}

/// When a time-out given as kernel functions take it ends, in ps.
///
/// # Safety
/// The pointer is null or valid.
pub(crate) unsafe fn deadline(timeout: PLARGE_INTEGER) -> Option<u64> {
    if timeout.is_null() {
        return None;
    }
    // SAFETY: the caller's contract; every bit pattern is an integer.
    let ticks = unsafe { (*timeout).QuadPart };
    Some(with(|w| {
        if ticks <= 0 {
            w.now_ps()
                .saturating_add(ticks.unsigned_abs().saturating_mul(PS_PER_TICK))
        } else {
            (ticks as u64).saturating_mul(PS_PER_TICK)
        }
    }))
}

/// Waits for an event or a thread.
///
/// # Safety
/// The object is an initialised event or a referenced thread; the time-out is null or valid.
pub unsafe fn KeWaitForSingleObject(
    Object: PVOID,
    _WaitReason: KWAIT_REASON,
    _WaitMode: KPROCESSOR_MODE,
    _Alertable: BOOLEAN,
    Timeout: PLARGE_INTEGER,
) -> NTSTATUS {
    let ddi = "KeWaitForSingleObject";
    point(ddi, 1);
    // SAFETY: the caller's contract.
    let deadline = unsafe { deadline(Timeout) };
    let poll = deadline.is_some_and(|deadline| with(|w| deadline <= w.now_ps()));
    let irql = with(|w| w.cpu().irql);
    if irql > if poll { DISPATCH } else { 1 } {
        world::fatal(Rule::WaitAtDispatch, ddi, format!("a wait at IRQL {irql}"));
    }
    let thread = with(|w| w.kernel.ps.thread_of_object(Object));
    loop {
        let signalled = match thread {
            Some(thread) => with(|w| w.threads[thread].state == world::thread::State::Ended),
            None => {
                let event: PRKEVENT = Object.cast();
                // SAFETY: the caller's contract: not a thread, so an event.
                unsafe {
                    let set = (*event).Header.SignalState > 0;
                    if set && i32::from((*event).Header.Type) == _EVENT_TYPE::SynchronizationEvent {
                        (*event).Header.SignalState = 0;
                    }
                    set
                }
            }
        };
        if signalled {
            return STATUS_SUCCESS;
        }
        if poll || deadline.is_some_and(|deadline| with(|w| deadline <= w.now_ps())) {
            return STATUS_TIMEOUT;
        }
        let key = thread.map_or_else(|| key(Object), world::thread::Thread::end_key);
        world::block(key, deadline);
    }
}

/// The CPU's clock, in ticks of 100 ns.
///
/// # Safety
/// The pointer is null or valid.
#[must_use]
pub unsafe fn KeQueryPerformanceCounter(PerformanceFrequency: PLARGE_INTEGER) -> LARGE_INTEGER {
    point("KeQueryPerformanceCounter", 1);
    if !PerformanceFrequency.is_null() {
        // SAFETY: the caller's contract.
        unsafe { (*PerformanceFrequency).QuadPart = 10_000_000 };
    }
    // The latest clock any CPU has shown: the counter never goes back, whichever CPU reads it.
    LARGE_INTEGER {
        QuadPart: with(|w| w.monotonic_ps() / PS_PER_TICK) as i64,
    }
}

/// Waits for a time.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn KeDelayExecutionThread(
    _WaitMode: KPROCESSOR_MODE,
    _Alertable: BOOLEAN,
    Interval: PLARGE_INTEGER,
) -> NTSTATUS {
    let ddi = "KeDelayExecutionThread";
    enter(ddi, 1);
    // SAFETY: the caller's contract.
    let deadline = unsafe { deadline(Interval) }.unwrap_or(0);
    sleep_until(deadline);
    STATUS_SUCCESS
}

/// Waits until a time in ps.
pub(crate) fn sleep_until(deadline: u64) {
    let key = WaitKey(with(world::World::unique));
    while with(|w| w.now_ps()) < deadline {
        world::block(key, Some(deadline));
    }
}

/// The number of the CPU.
///
/// # Safety
/// The pointer is null or valid.
pub unsafe fn KeGetCurrentProcessorNumberEx(ProcNumber: PPROCESSOR_NUMBER) -> ULONG {
    point("KeGetCurrentProcessorNumberEx", 1);
    let number = with(|w| w.cpu_number());
    if !ProcNumber.is_null() {
        // SAFETY: the caller's contract.
        unsafe {
            *ProcNumber = PROCESSOR_NUMBER {
                Group: 0,
                Number: number as u8,
                Reserved: 0,
            }
        };
    }
    number as u32
}

/// Keeps the CPU busy for a time.
///
/// # Safety
/// None needed.
pub unsafe fn KeStallExecutionProcessor(MicroSeconds: ULONG) {
    if MicroSeconds > 50 {
        world::violation(
            Rule::InvalidArgument,
            "KeStallExecutionProcessor",
            format!("{MicroSeconds} us: at most 50 are allowed"),
        );
    }
    with(|w| w.cpu().clock_ps += u64::from(MicroSeconds) * 1_000_000);
    point("KeStallExecutionProcessor", 1);
}

/// Stops the machine.
///
/// # Safety
/// None needed.
pub unsafe fn KeBugCheckEx(
    BugCheckCode: ULONG,
    BugCheckParameter1: ULONG_PTR,
    BugCheckParameter2: ULONG_PTR,
    BugCheckParameter3: ULONG_PTR,
    BugCheckParameter4: ULONG_PTR,
) {
    world::fatal(
        Rule::BugCheck,
        "KeBugCheckEx",
        format!(
            "{BugCheckCode:#x} ({BugCheckParameter1:#x}, {BugCheckParameter2:#x}, {BugCheckParameter3:#x}, {BugCheckParameter4:#x})"
        ),
    )
}
