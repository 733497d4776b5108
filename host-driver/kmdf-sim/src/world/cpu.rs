//! A CPU: its clock, level, thread, and what waits to interrupt it.

use std::collections::VecDeque;

use super::spin::LockId;
use super::thread::ThreadId;

/// A deferred procedure call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dpc {
    /// EvtInterruptDpc of an interrupt object.
    Interrupt(u64),
    /// EvtDpcFunc of a DPC object.
    Object(u64),
    /// EvtTimerFunc of a timer.
    Timer(u64),
    /// Map registers have come free that somebody waits for.
    MapRegisters,
}

/// One CPU.
#[derive(Default)]
pub(crate) struct Cpu {
    pub(crate) clock_ps: u64,
    pub(crate) irql: u8,
    /// The thread on this CPU; the idle thread only while it has something to do.
    pub(crate) current: Option<ThreadId>,
    pub(crate) idle: ThreadId,
    pub(crate) quantum_end_ps: u64,
    pub(crate) dpcs: VecDeque<Dpc>,
    /// Messages that have come, with the time.
    pub(crate) messages: VecDeque<(u64, u32)>,
    /// The spin lock for which this CPU waits.
    pub(crate) spinning: Option<LockId>,
    /// Spin locks held, in order of acquisition.
    pub(crate) held: Vec<LockId>,
}

impl Cpu {
    pub(crate) fn on_idle_stack(&self) -> bool {
        self.current == Some(self.idle)
    }

    /// True if there is something that an idle CPU would do.
    pub(crate) fn has_work(&self) -> bool {
        !self.dpcs.is_empty() || !self.messages.is_empty()
    }

    /// True if the CPU can go on.
    pub(crate) fn runnable(&self) -> bool {
        match self.current {
            None => self.has_work(),
            Some(_) => {
                self.spinning.is_none() || (self.irql < super::DIRQL && !self.messages.is_empty())
            }
        }
    }
}
