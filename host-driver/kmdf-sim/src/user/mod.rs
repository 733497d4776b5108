//! What applications see: processes, handles, device I/O control, events, completion ports.
//!
//! The functions are called by threads of the machine ([`crate::Machine::run`], [`spawn`]); each is a system call.

pub(crate) mod io;
mod process;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use crate::constants::STATUS_SUCCESS;
use crate::types::NTSTATUS;
use crate::world::{self, point, with};

pub use io::{
    Completion, Output, Pending, cancel_io, cancel_io_ex, device_io_control, result, start,
    start_at,
};
pub use process::{
    Handle, Process, associate, close, current_process, duplicate, exit_process, exit_thread, open,
    sleep_ps, spawn,
};
pub use wait::{
    Event, Packet, Port, create_event, create_port, dequeue, reset_event, set_event, wait_any,
    wait_event,
};

/// A status that is not success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {0:#010x}")]
pub struct Status(
    /// The code.
    pub NTSTATUS,
);

/// How many operations applications have started, and how many have ended, however they were started and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Started.
    pub started: u64,
    /// Completed, each time that one was.
    pub ended: u64,
    /// When the last was completed, in ps.
    pub last_ended_ps: u64,
}

/// What the I/O manager keeps.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) irps: BTreeMap<u64, io::Irp>,
    /// Requests that were completed lately, to tell a late use from a wild handle.
    pub(crate) completed: BTreeSet<u64>,
    pub(crate) files: BTreeMap<u64, process::File>,
    processes: BTreeMap<u32, process::Entry>,
    pub(crate) operations: Operations,
    events: BTreeMap<u64, wait::EventState>,
    ports: BTreeMap<u64, wait::PortState>,
}

impl State {
    /// Files that stay open only because of operations that were not completed.
    pub(crate) fn files_without_handles(&self) -> usize {
        self.files.values().filter(|file| file.is_pended()).count()
    }

    /// Open handles to the device.
    pub(crate) fn open_files(&self) -> usize {
        // One whose EvtFileClose still runs is open: the close packet holds the device.
        self.files.len()
    }
}

/// The start of every system call: time passes, and a thread of a process that is ending goes no further.
fn enter(call: &'static str) {
    point(call, 1);
    process::leave_if_ending();
}

fn check(status: NTSTATUS) -> Result<(), Status> {
    if status == STATUS_SUCCESS {
        Ok(())
    } else {
        Err(Status(status))
    }
}

/// The machine's time, in ps.
#[must_use]
pub fn now_ps() -> u64 {
    with(|w| w.now_ps())
}

/// A random number below `bound`, from the machine's seed.
#[must_use]
pub fn random(bound: u64) -> u64 {
    with(|w| w.random(bound))
}

fn block(key: world::WaitKey, deadline: Option<u64>) -> bool {
    block_any(&[key], deadline)
}

fn block_any(keys: &[world::WaitKey], deadline: Option<u64>) -> bool {
    let woken = world::block_any(keys, deadline);
    process::leave_if_ending();
    woken
}

pub(crate) use process::{close_if_done, new_process};
