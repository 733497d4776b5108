//! Clocks and pauses.

use wdk_sys::ntddk::{KeDelayExecutionThread, KeQueryPerformanceCounter};
use wdk_sys::{_MODE, LARGE_INTEGER};

/// A clock that never goes back, in nanoseconds. Any IRQL.
pub(crate) fn now_ns() -> u64 {
    let mut frequency = LARGE_INTEGER::default();
    // SAFETY: the frequency's address is valid.
    let counter = unsafe { KeQueryPerformanceCounter(&raw mut frequency) };
    // SAFETY: every member of the union is plain integers.
    let (counter, frequency) = unsafe { (counter.QuadPart, frequency.QuadPart) };
    let (counter, frequency) = (counter.max(0) as u128, frequency.max(1) as u128);
    (counter * 1_000_000_000 / frequency) as u64
}

/// Milliseconds in nanoseconds.
pub(crate) const fn ms(count: u64) -> u64 {
    count * 1_000_000
}

/// The framework's and the kernel's unit of relative time: negative 100 ns.
pub(crate) const fn relative(ns: u64) -> i64 {
    -((ns / 100) as i64)
}

/// Waits a millisecond. IRQL <= APC_LEVEL.
pub(crate) fn pause() {
    sleep(ms(1));
}

fn sleep(ns: u64) {
    let mut interval = LARGE_INTEGER {
        QuadPart: relative(ns),
    };
    // SAFETY: the interval is valid. Whether the pause was cut short does not matter: the caller looks again.
    let _ = unsafe { KeDelayExecutionThread(_MODE::KernelMode as i8, 0, &raw mut interval) };
}

/// Asks `done` every millisecond, after 50 of them every ten, until it is true or `limit_ns` have passed; whether it was true. IRQL <= APC_LEVEL.
pub(crate) fn wait_until(limit_ns: u64, mut done: impl FnMut() -> bool) -> bool {
    let begun = now_ns();
    loop {
        if done() {
            return true;
        }
        let passed = now_ns().saturating_sub(begun);
        if passed >= limit_ns {
            return false;
        }
        sleep(if passed < ms(50) { ms(1) } else { ms(10) });
    }
}
