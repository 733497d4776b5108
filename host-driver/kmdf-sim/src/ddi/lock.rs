//! Spin locks and wait locks.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, DISPATCH, WaitKey, spin, with};

/// A WDFSPINLOCK, with the IRQL to go back to.
#[derive(Default)]
pub(crate) struct SpinLock {
    old_irql: u8,
}

impl Payload for SpinLock {
    const TYPE: &'static str = "WDFSPINLOCK";
    fn cleanup(handle: HANDLE) {
        let lock = object::number(handle);
        if with(|w| w.spin.is_held(lock)) {
            world::violation(
                Rule::LockHeldAtReturn,
                "WdfObjectDelete",
                "a spin lock is deleted while it is held",
            );
        }
        with(|w| w.spin.forget(lock));
    }
}

/// A WDFWAITLOCK, with the thread that holds it.
#[derive(Default)]
pub(crate) struct WaitLock {
    owner: Option<world::thread::ThreadId>,
}

impl Payload for WaitLock {
    const TYPE: &'static str = "WDFWAITLOCK";
}

/// Creates a spin lock.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfSpinLockCreate(
    SpinLockAttributes: PWDF_OBJECT_ATTRIBUTES,
    SpinLock: *mut WDFSPINLOCK,
) -> NTSTATUS {
    let ddi = "WdfSpinLockCreate";
    enter(ddi, DISPATCH);
    let driver = super::driver::current();
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(
                ddi,
                SpinLockAttributes,
                driver.cast(),
                self::SpinLock::default(),
            ),
            SpinLock,
        )
    }
}

/// Acquires a spin lock; IRQL becomes DISPATCH_LEVEL.
///
/// # Safety
/// None needed.
pub unsafe fn WdfSpinLockAcquire(SpinLock: WDFSPINLOCK) {
    let ddi = "WdfSpinLockAcquire";
    enter(ddi, DISPATCH);
    object::check(ddi, SpinLock.cast());
    let old_irql = spin::acquire(ddi, object::number(SpinLock), DISPATCH);
    object::get(ddi, SpinLock.cast(), |lock: &mut self::SpinLock| {
        lock.old_irql = old_irql
    });
    world::point(ddi, 0);
}

/// Releases a spin lock; IRQL is as before.
///
/// # Safety
/// None needed.
pub unsafe fn WdfSpinLockRelease(SpinLock: WDFSPINLOCK) {
    let ddi = "WdfSpinLockRelease";
    enter(ddi, DISPATCH);
    let old_irql = object::get(ddi, SpinLock.cast(), |lock: &mut self::SpinLock| {
        lock.old_irql
    });
    spin::release(ddi, object::number(SpinLock), old_irql);
}

/// Creates a wait lock.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfWaitLockCreate(
    LockAttributes: PWDF_OBJECT_ATTRIBUTES,
    Lock: *mut WDFWAITLOCK,
) -> NTSTATUS {
    let ddi = "WdfWaitLockCreate";
    enter(ddi, DISPATCH);
    let driver = super::driver::current();
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, LockAttributes, driver.cast(), WaitLock::default()),
            Lock,
        )
    }
}

/// Acquires a wait lock, waiting at most the time-out if one is given.
///
/// # Safety
/// The time-out is null or valid.
pub unsafe fn WdfWaitLockAcquire(Lock: WDFWAITLOCK, Timeout: PLONGLONG) -> NTSTATUS {
    let ddi = "WdfWaitLockAcquire";
    world::point(ddi, 1);
    // SAFETY: the caller's contract; a LARGE_INTEGER has the layout of a LONGLONG.
    let deadline = unsafe { crate::kernel::deadline(Timeout.cast()) };
    let poll = deadline.is_some_and(|deadline| with(|w| deadline <= w.now_ps()));
    let irql = with(|w| w.cpu().irql);
    if irql > if poll { DISPATCH } else { 0 } {
        world::fatal(Rule::WaitAtDispatch, ddi, format!("a wait at IRQL {irql}"));
    }
    let me = with(|w| w.thread_id());
    loop {
        let owner = object::get(ddi, Lock.cast(), |lock: &mut WaitLock| {
            let owner = lock.owner;
            lock.owner = owner.or(me);
            owner
        });
        if owner.is_none() {
            with(|w| {
                if let Some(thread) = w.thread() {
                    thread.wait_locks.push(object::number(Lock));
                }
            });
            return STATUS_SUCCESS;
        }
        if owner == me {
            world::fatal(
                Rule::LockRecursion,
                ddi,
                "the thread holds this wait lock already",
            );
        }
        if poll || deadline.is_some_and(|deadline| with(|w| deadline <= w.now_ps())) {
            return STATUS_TIMEOUT;
        }
        world::block(WaitKey(object::number(Lock)), deadline);
    }
}

/// Releases a wait lock.
///
/// # Safety
/// None needed.
pub unsafe fn WdfWaitLockRelease(Lock: WDFWAITLOCK) {
    let ddi = "WdfWaitLockRelease";
    enter(ddi, DISPATCH);
    let me = with(|w| w.thread_id());
    let released = object::get(ddi, Lock.cast(), |lock: &mut WaitLock| {
        let mine = lock.owner == me;
        if mine {
            lock.owner = None;
        }
        mine
    });
    if !released {
        world::fatal(
            Rule::LockNotHeld,
            ddi,
            "the thread does not hold this wait lock",
        );
    }
    let number = object::number(Lock);
    with(|w| {
        if let Some(thread) = w.thread() {
            thread.wait_locks.retain(|held| *held != number);
        }
    });
    world::wake(WaitKey(number));
}
