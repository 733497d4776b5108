//! The host's CPUs in virtual time: who runs when, and who has to wait.
//!
//! The runner says what is to run and for how long ([`Cpus::request`]); the scheduler says when that begins and ends
//! ([`Cpus::next`]). Times are picoseconds from the run's beginning. The result depends on the requests and the seed alone.
//!
//! Rules, from the highest level to the lowest (Windows' IRQLs):
//!
//! - an **ISR** interrupts everything else on its CPU, at once;
//! - a **DPC** interrupts threads on its CPU, but not an activity that runs at [`Level::Dispatch`];
//! - **threads** (application, worker) take turns: first come, first served, on any CPU they may use; at points drawn from
//!   the seed a running thread goes to the back of the queue when another one is ready. What was interrupted goes on where
//!   it was, on the same CPU; a thread that gave way may go on elsewhere.
//!
//! An interrupted activity loses no work: its spans add up to the duration that was asked for.

mod scheduler;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use scheduler::Cpus;

/// Picoseconds of virtual time.
pub type Picoseconds = u64;

/// On whose behalf a CPU works. Decides when an activity may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The application's thread, in user mode or inside a call into the driver.
    Application,
    /// The driver's worker thread.
    Worker,
    /// A deferred procedure call.
    Dpc,
    /// An interrupt service routine.
    Isr,
}

/// What an activity cannot be interrupted by, once it runs: anything of its own level or below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Threads: DPCs and ISRs interrupt it, and other threads take turns with it.
    Passive,
    /// DPCs, and threads that hold a spin lock: only ISRs interrupt it.
    Dispatch,
    /// ISRs: nothing interrupts it.
    Device,
}

impl Context {
    /// Level at which activities of this context run unless told otherwise.
    pub const fn level(self) -> Level {
        match self {
            Self::Application | Self::Worker => Level::Passive,
            Self::Dpc => Level::Dispatch,
            Self::Isr => Level::Device,
        }
    }

    /// Whether activities of this context take turns.
    pub const fn is_thread(self) -> bool {
        matches!(self, Self::Application | Self::Worker)
    }
}

/// Where an activity may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// On whichever CPU is free first.
    Any,
    /// On this CPU, counted from 0.
    Cpu(usize),
}

/// A piece of work whose duration is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// On whose behalf.
    pub context: Context,
    /// Level at which it runs; at least [`Context::level`].
    pub level: Level,
    /// What the timeline calls it.
    pub name: &'static str,
    /// Transfer it works for, counted from 0.
    pub transfer: Option<u32>,
    /// Where it may run.
    pub affinity: Affinity,
    /// Earliest beginning. A time in the past means now.
    pub ready_ps: Picoseconds,
    /// How long it takes when nothing interrupts it.
    pub work_ps: Picoseconds,
}

impl Activity {
    /// Work for `context` on any CPU, for no transfer in particular, from now on.
    pub fn new(context: Context, name: &'static str, work_ps: Picoseconds) -> Self {
        let level = context.level();
        Self {
            context,
            level,
            name,
            transfer: None,
            affinity: Affinity::Any,
            ready_ps: 0,
            work_ps,
        }
    }

    /// The same, for transfer `index`.
    #[must_use]
    pub fn transfer(self, index: u32) -> Self {
        Self {
            transfer: Some(index),
            ..self
        }
    }

    /// The same, on `cpu` alone.
    #[must_use]
    pub fn on(self, cpu: usize) -> Self {
        Self {
            affinity: Affinity::Cpu(cpu),
            ..self
        }
    }

    /// The same, not before `at_ps`.
    #[must_use]
    pub fn ready_at(self, at_ps: Picoseconds) -> Self {
        Self {
            ready_ps: at_ps,
            ..self
        }
    }

    /// The same, uninterrupted by DPCs and other threads once it runs (as under a spin lock).
    #[must_use]
    pub fn at_dispatch(self) -> Self {
        Self {
            level: self.level.max(Level::Dispatch),
            ..self
        }
    }
}

/// An activity that was asked for. Ids count up from 0 in the order of the requests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActivityId(pub(crate) usize);

/// Something that happened to an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// To which.
    pub id: ActivityId,
    /// What.
    pub what: Happened,
    /// On which CPU.
    pub cpu: usize,
    /// When.
    pub at_ps: Picoseconds,
}

/// What happened to an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It runs for the first time.
    Begun,
    /// All its work is done.
    Finished,
}

/// A stretch of time that one CPU gave to one activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The activity. One that was interrupted has several spans.
    pub id: ActivityId,
    /// CPU, counted from 0.
    pub cpu: usize,
    /// On whose behalf.
    pub context: Context,
    /// The activity's name.
    pub name: &'static str,
    /// Transfer it worked for.
    pub transfer: Option<u32>,
    /// Beginning.
    pub start_ps: Picoseconds,
    /// End.
    pub end_ps: Picoseconds,
}

/// Why something cannot be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpuError {
    /// A host without CPUs.
    #[error("a host needs at least one CPU; set host.cpus to 1 or more")]
    NoCpus,
    /// An activity wants a CPU that is not there.
    #[error("{name} wants CPU {cpu}, but the host has {cpus}; use one from 0 to {}", cpus - 1)]
    NoSuchCpu {
        /// The activity.
        name: &'static str,
        /// The CPU it wants.
        cpu: usize,
        /// CPUs of the host.
        cpus: usize,
    },
    /// The times no longer fit.
    #[error(
        "{name} would end past 2^64 ps of virtual time (213 days); ask for less work or split the run"
    )]
    Overflow {
        /// The activity.
        name: &'static str,
    },
}
