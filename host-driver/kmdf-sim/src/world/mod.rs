//! The simulated machine: CPUs, threads, time, objects. One per host thread.
//!
//! What the rest of the crate uses: [`with`], [`point`], [`require_irql`], [`inject`], [`violation`], [`fatal`], [`call_at`], [`block`],
//! [`wake`] and [`object`]. Never suspend or call back into the driver inside [`with`].

pub(crate) mod object;

use crate::verifier::Rule;

/// The machine of this host thread.
pub struct World {}

/// Gives access to the machine. The closure must neither suspend nor call the driver.
pub(crate) fn with<R>(_f: impl FnOnce(&mut World) -> R) -> R {
    todo!()
}

/// A place where time passes and other CPUs may get in between: `ddi`'s cost is charged for `units` (pages, bytes, 1), pending
/// interrupts and DPCs are delivered, the thread may be preempted. First thing in every function the driver calls.
pub(crate) fn point(_ddi: &'static str, _units: u64) {
    todo!()
}

/// Reports a violation unless the CPU's IRQL is at most `max`; true if it is.
pub(crate) fn require_irql(_ddi: &'static str, _max: u8) -> bool {
    todo!()
}

/// True if this call is the one that is to fail.
pub(crate) fn inject(_ddi: &'static str) -> bool {
    todo!()
}

/// Records a violation; the machine goes on.
pub(crate) fn violation(_rule: Rule, _ddi: &'static str, _detail: impl Into<String>) {
    todo!()
}

/// Records a violation after which the machine cannot go on: it stops and this call never returns.
pub(crate) fn fatal(_rule: Rule, _ddi: &'static str, _detail: impl Into<String>) -> ! {
    todo!()
}

/// Calls the driver back at an IRQL (raised, not lowered), and checks afterwards that IRQL and locks are as before.
pub(crate) fn call_at<R>(_callback: &'static str, _irql: u8, _f: impl FnOnce() -> R) -> R {
    todo!()
}

/// What a thread can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WaitKey(pub u64);

/// Suspends the thread until [`wake`] of the key, or the deadline in ps: false if that came first. Re-check the condition afterwards.
pub(crate) fn block(_key: WaitKey, _deadline_ps: Option<u64>) -> bool {
    todo!()
}

/// Makes all threads that wait for the key runnable.
pub(crate) fn wake(_key: WaitKey) {
    todo!()
}
