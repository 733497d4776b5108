//! The machine as its user sees it.

use core::cell::Cell;
use core::marker::PhantomData;
use std::rc::Rc;

use crate::hardware::Hardware;
use crate::types::*;
use crate::user::{self, Process};
use crate::verifier::{Report, Rule};
use crate::world::{self, Outcome, call_at, thread, with};
use crate::{Config, pnp};

/// The machine stopped: see [`Machine::report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine stopped at a fatal violation: see its report")]
pub struct Stopped;

/// A simulated machine. There is at most one per host thread; dropping it frees everything but what lives on its threads' stacks.
pub struct Machine {
    // Tied to the host thread.
    local: PhantomData<*mut ()>,
}

impl Machine {
    /// Switches a machine on, with a device in its slot.
    ///
    /// # Panics
    /// If this host thread has one.
    #[must_use]
    pub fn new(config: Config, hardware: impl Hardware + 'static) -> Self {
        world::install(config, Box::new(hardware));
        pnp::spawn_workers();
        Self { local: PhantomData }
    }

    /// Runs a closure as a thread of a process (`None`: the system), and the machine until it ends.
    ///
    /// # Errors
    /// The machine stopped, or cannot go on: then the thread never ends, and a deadlock is reported.
    pub fn run<R: 'static>(
        &mut self,
        process: Option<Process>,
        body: impl FnOnce() -> R,
    ) -> Result<R, Stopped> {
        let result = Rc::new(Cell::new(None));
        let place = result.clone();
        let boxed: Box<dyn FnOnce()> = {
            let body: Box<dyn FnOnce() + '_> = Box::new(move || place.set(Some(body())));
            // SAFETY: what the closure borrows outlives this call, and the closure runs only within it: either it has ended when the call
            // returns, or its thread is taken off the machine below and never runs again, not even to be dropped.
            unsafe { core::mem::transmute::<Box<dyn FnOnce() + '_>, Box<dyn FnOnce()>>(body) }
        };
        let id = thread::spawn("main", process.map_or(4, |process| process.0), false, boxed);
        let ended = |w: &mut world::World| w.threads[id].state == thread::State::Ended;
        match world::run_until(ended) {
            Outcome::Done => result.take().ok_or(Stopped),
            Outcome::Stopped => Err(Stopped),
            Outcome::Idle => {
                with(|w| {
                    let who = w.who_waits();
                    w.violation(
                        Rule::Deadlock,
                        "machine",
                        format!("nothing can go on: {who}"),
                    );
                    w.report.stopped = true;
                });
                Err(Stopped)
            }
        }
    }

    /// Runs the machine until nothing happens any more without outside help.
    ///
    /// # Errors
    /// The machine stopped, or an operation of [`Machine::start`] has not ended: no outside help is to be had for one, so that a deadlock is
    /// reported.
    pub fn settle(&mut self) -> Result<(), Stopped> {
        if world::run_until(|_| false) == Outcome::Stopped {
            return Err(Stopped);
        }
        with(|w| {
            let started = core::mem::take(&mut w.pnp.started);
            let left = |id: &thread::ThreadId| w.threads[*id].state != thread::State::Ended;
            if !started.iter().any(left) {
                return Ok(());
            }
            let who = w.who_waits();
            let detail = format!("a Plug and Play operation never ends: {who}");
            w.violation(Rule::Deadlock, "machine", detail);
            w.report.stopped = true;
            Err(Stopped)
        })
    }

    /// Loads a driver: calls DriverEntry.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn load(
        &mut self,
        entry: impl FnOnce(PDRIVER_OBJECT, PUNICODE_STRING) -> NTSTATUS,
    ) -> Result<NTSTATUS, Stopped> {
        self.run(None, || {
            let object: PDRIVER_OBJECT = with(|w| {
                *w.pnp.driver_object = DRIVER_OBJECT {
                    Type: 4,
                    Size: size_of::<DRIVER_OBJECT>() as i16,
                    ..Default::default()
                };
                core::ptr::from_mut(w.pnp.driver_object.as_mut())
            });
            let mut path: Vec<u16> =
                "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\driver"
                    .encode_utf16()
                    .collect();
            let mut path = UNICODE_STRING {
                Length: 2 * path.len() as u16,
                MaximumLength: 2 * path.len() as u16,
                Buffer: path.as_mut_ptr(),
            };
            let status = call_at("DriverEntry", 0, || entry(object, &mut path));
            if status < 0 {
                // A driver that fails to load is not asked to unload, and may leave nothing.
                pnp::abandon_driver();
            }
            status
        })
    }

    /// Finds the device: EvtDriverDeviceAdd up to D0.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn add_device(&mut self) -> Result<NTSTATUS, Stopped> {
        self.run(None, pnp::add_device)
    }

    /// Takes the device to a low-power state and leaves it there.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn sleep(&mut self) -> Result<(), Stopped> {
        self.run(None, pnp::sleep)
    }

    /// Brings the device back to D0. One that fails to come is removed, as soon as no handle is open.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn wake(&mut self) -> Result<NTSTATUS, Stopped> {
        self.run(None, pnp::wake)
    }

    /// Stops the device and starts it with other resources: BARs and vectors elsewhere, and at most so many messages.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn rebalance(&mut self, messages: Option<u32>) -> Result<NTSTATUS, Stopped> {
        self.run(None, move || pnp::rebalance(messages))
    }

    /// Pulls the device out.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn surprise_remove(&mut self) -> Result<(), Stopped> {
        self.run(None, pnp::surprise_remove)
    }

    /// Removes the device in order; STATUS_DEVICE_BUSY while a handle is open.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn remove(&mut self) -> Result<NTSTATUS, Stopped> {
        self.run(None, pnp::remove)
    }

    /// Unloads the driver, and reports what it leaves behind.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn unload(&mut self) -> Result<(), Stopped> {
        self.run(None, pnp::unload)
    }

    /// Makes a process.
    ///
    /// # Errors
    /// The machine stopped.
    pub fn process(&mut self) -> Result<Process, Stopped> {
        self.run(None, user::new_process)
    }

    /// Starts a PnP operation in the background, to race with applications: see [`Background`].
    pub fn start(&mut self, what: Background) {
        let id = thread::spawn("PnP", 4, false, move || match what {
            Background::Remove => {
                pnp::remove();
            }
            Background::SurpriseRemove => pnp::surprise_remove(),
            Background::SleepAndWake => {
                pnp::sleep();
                pnp::wake();
            }
            Background::Rebalance(messages) => {
                pnp::rebalance(messages);
            }
        });
        with(|w| w.pnp.started.push(id));
    }

    /// What was found so far. Freed memory is looked at first.
    #[must_use]
    pub fn report(&self) -> Report {
        with(|w| {
            // Nobody has written since, if nothing has run.
            if core::mem::take(&mut w.ran) {
                w.check_freed();
            }
            w.report.clone()
        })
    }

    /// The latest time of any CPU, in ps.
    #[must_use]
    pub fn now_ps(&self) -> u64 {
        with(|w| w.now_ps())
    }

    /// The functions that were called and can be made to fail, with the number of calls: each is a [`Config::fail`] to try.
    #[must_use]
    pub fn fallible(&self) -> Vec<(&'static str, u64)> {
        with(|w| {
            w.fallible
                .iter()
                .map(|(name, count)| (*name, *count))
                .collect()
        })
    }

    /// What applications have started, and what has ended of it.
    #[must_use]
    pub fn operations(&self) -> user::Operations {
        with(|w| w.io.operations)
    }

    /// The functions that were called.
    #[must_use]
    pub fn called(&self) -> Vec<&'static str> {
        with(|w| w.called.iter().copied().collect())
    }

    /// Error log entries that the driver wrote, as (error code, final status).
    #[must_use]
    pub fn error_log(&self) -> Vec<(NTSTATUS, NTSTATUS)> {
        with(|w| w.kernel.error_log().to_vec())
    }

    /// Events that the driver traced.
    #[must_use]
    pub fn trace(&self) -> Vec<crate::TraceEvent> {
        with(|w| w.kernel.trace().to_vec())
    }

    /// True if the driver said that the device failed (WdfDeviceSetFailed), which the double leaves at that, or the device could not be started
    /// again, upon which it is removed.
    #[must_use]
    pub fn device_failed(&self) -> bool {
        with(|w| w.pnp.failed)
    }
}

/// What [`Machine::start`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// The device is removed in order.
    Remove,
    /// The device is pulled out.
    SurpriseRemove,
    /// The device leaves D0 and comes back.
    SleepAndWake,
    /// The device is stopped and started with other resources: see [`Machine::rebalance`].
    Rebalance(Option<u32>),
}

impl Drop for Machine {
    fn drop(&mut self) {
        world::uninstall();
    }
}
