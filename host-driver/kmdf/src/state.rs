//! What the device's lock guards.

use pinring_core::{AdminError, Device, Moderation, Retired, StartError, StateError, Ticket};
use pinring_ioctl::Error;
use wdk_sys::WDFDEVICE;

use crate::cause::{Cause, Why};
use crate::file::File;
use crate::platform::KmdfPlatform;
use crate::time::{ms, now_ns};
use crate::trace::{Event, event, operator};

/// An admin command has this long; then the device is reset.
pub(crate) const ADMIN_LIMIT_NS: u64 = ms(1000);
/// A reset or start has this long; then the device is given up.
pub(crate) const START_LIMIT_NS: u64 = ms(5000);

/// Resets behind each other, for want of an acknowledgement, without one in between; then the device is given up.
pub(crate) const SILENT_RESETS: u32 = 3;

/// Whether the device serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// There is no hardware: nothing is mapped.
    Off,
    /// It serves.
    Running,
    /// A reset after a fault is under way; the work item looks after it.
    Resetting {
        /// When it must be over.
        deadline: u64,
    },
    /// D0Exit has begun; D0Entry starts it again. Regions stay.
    Asleep,
    /// It is given up: Bus Master Enable must read back as 0 before anything is unmapped.
    Closing,
    /// It can reach nothing any more: what is left is unmapped.
    Unmapping,
    /// Everything was unmapped.
    Closed,
}

/// An admin command that waits for its acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    /// When it was sent.
    pub(crate) since: u64,
}

impl Waiting {
    pub(crate) fn new(ticket: Ticket) -> Self {
        Self {
            ticket,
            since: now_ns(),
        }
    }
}

/// Counters since the driver was loaded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) regions: u64,
    pub(crate) locked_bytes: u64,
    pub(crate) batches: u64,
    pub(crate) transfers: u64,
    pub(crate) completed: u64,
    pub(crate) aborted: u64,
    pub(crate) failed: u64,
    pub(crate) c2h_bytes: u64,
    pub(crate) h2c_bytes: u64,
    pub(crate) lists: u64,
    pub(crate) list_ns: u64,
    pub(crate) shortages: u64,
    pub(crate) registrations: u64,
    pub(crate) registration_ns: u64,
    pub(crate) resets: u64,
}

/// Everything of one device that changes.
pub(crate) struct State {
    pub(crate) wdf: WDFDEVICE,
    pub(crate) power: Power,
    /// From the first D0Entry to EvtDeviceReleaseHardware.
    pub(crate) device: Option<Device<KmdfPlatform>>,
    /// Open files, a list.
    pub(crate) files: *mut File,
    /// Data queues that the device has, and that are given to files.
    pub(crate) queues: u16,
    pub(crate) queues_taken: u16,
    /// MSI-X messages that are used.
    pub(crate) messages: u16,
    /// When data queues interrupt.
    pub(crate) moderation: Moderation,
    /// Lists of tier PerTransfer that exist, how many may, and how many may at most.
    pub(crate) lists: u32,
    pub(crate) depth: u32,
    pub(crate) full_depth: u32,
    /// Map registers ran out: no list is made before this time, unless one is released.
    pub(crate) short_until: u64,
    /// Lists made since map registers ran out.
    pub(crate) since_shortage: u32,
    /// Longest transfer of tier PerTransfer in bytes.
    pub(crate) max_transfer: u64,
    /// Regions and lists that the device was opened with.
    pub(crate) max_regions: u32,
    pub(crate) next_domain: u32,
    pub(crate) totals: Totals,
    /// The work item runs.
    pub(crate) working: bool,
    /// When the timer expires, in ns; 0 if it does not run.
    pub(crate) due: u64,
    /// The timer has expired.
    pub(crate) tick: bool,
    /// The framework is to be told that the device failed.
    pub(crate) tell_failed: bool,
    /// It was said that Bus Master Enable is stuck.
    pub(crate) said_stuck: bool,
    /// A flush of the firmware's log waits.
    pub(crate) log: Option<Waiting>,
    /// Resets for want of an acknowledgement since the device last gave one.
    pub(crate) silent_resets: u32,
    /// Since when admin commands are in flight of which none has ended; 0 if there are none. Among them are queues that are made again behind
    /// a reset, for which nobody else waits.
    pub(crate) admin_since: u64,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self {
            wdf: core::ptr::null_mut(),
            power: Power::Off,
            device: None,
            files: core::ptr::null_mut(),
            queues: 0,
            queues_taken: 0,
            messages: 1,
            moderation: Moderation::NONE,
            lists: 0,
            depth: 1,
            full_depth: 1,
            short_until: 0,
            since_shortage: 0,
            max_transfer: 0,
            max_regions: 0,
            next_domain: 1,
            totals: Totals {
                regions: 0,
                locked_bytes: 0,
                batches: 0,
                transfers: 0,
                completed: 0,
                aborted: 0,
                failed: 0,
                c2h_bytes: 0,
                h2c_bytes: 0,
                lists: 0,
                list_ns: 0,
                shortages: 0,
                registrations: 0,
                registration_ns: 0,
                resets: 0,
            },
            working: false,
            due: 0,
            tick: false,
            tell_failed: false,
            said_stuck: false,
            log: None,
            silent_resets: 0,
            admin_since: 0,
        }
    }

    /// The device, while it takes requests.
    pub(crate) fn serving(&mut self) -> Result<&mut Device<KmdfPlatform>, Error> {
        match (self.power, &mut self.device) {
            (Power::Running, Some(device)) => Ok(device),
            (Power::Closing | Power::Unmapping | Power::Closed, _) => Err(Error::Gone),
            _ => Err(Error::NotRunning),
        }
    }

    /// A hand on the hardware, for the long work outside the lock.
    pub(crate) fn platform(&self) -> Option<KmdfPlatform> {
        self.device.as_ref().map(|device| *device.platform())
    }

    /// The open files.
    pub(crate) fn files(&self) -> Files {
        Files { next: self.files }
    }

    /// The device did what it must not, or stopped: resets it. Regions stay; what is in flight ends as aborted.
    pub(crate) fn fault(&mut self, cause: Cause) {
        let (Power::Running, Some(device)) = (self.power, &mut self.device) else {
            return;
        };
        self.totals.resets += 1;
        operator(self.wdf, Event::Reset, &[cause as u64, self.totals.resets]);
        match device.reset() {
            Ok(()) => {
                self.power = Power::Resetting {
                    deadline: now_ns() + START_LIMIT_NS,
                };
            }
            Err(_) => self.give_up(cause),
        }
    }

    /// Whether admin commands are in flight.
    pub(crate) fn admin_waits(&mut self) -> bool {
        let waits = self
            .serving()
            .is_ok_and(|device| device.admin_waiting() != 0);
        if !waits {
            self.admin_since = 0;
        }
        waits
    }

    /// A command was not acknowledged in time: resets the device, unless that has not helped.
    pub(crate) fn fault_silent(&mut self) {
        if self.power != Power::Running {
            return;
        }
        self.silent_resets += 1;
        match self.silent_resets > SILENT_RESETS {
            true => self.give_up(Cause::AdminTimeout),
            false => self.fault(Cause::AdminTimeout),
        }
    }

    /// The device serves, or serves again: what it has not acknowledged it was sent anew just now.
    pub(crate) fn run(&mut self) {
        self.power = Power::Running;
        self.admin_since = 0;
        let now = now_ns();
        if let Some(waiting) = &mut self.log {
            waiting.since = now;
        }
        for file in self.files() {
            // SAFETY: files on the list are alive, and the lock is held.
            let (lanes, regions) = unsafe { &mut *file }.parts();
            for lane in lanes {
                lane.renew_waits(now);
            }
            for place in regions.places() {
                if let Some(region) = regions.at(place) {
                    let waits = region.leaving.iter_mut().chain(&mut region.cancelling);
                    waits.for_each(|waiting| waiting.since = now);
                }
            }
        }
    }

    /// Gives the device up: what follows unmaps everything, once it can reach nothing.
    pub(crate) fn give_up(&mut self, why: impl Into<Why>) {
        if matches!(
            self.power,
            Power::Running | Power::Resetting { .. } | Power::Asleep
        ) {
            operator(self.wdf, Event::Failed, &why.into().numbers());
            self.tell_failed = true;
            self.power = Power::Closing;
        }
    }

    /// The device is going, or gone: everything is unmapped, once it can reach nothing. No failure.
    pub(crate) fn close(&mut self) {
        if matches!(
            self.power,
            Power::Running | Power::Resetting { .. } | Power::Asleep
        ) {
            self.power = Power::Closing;
        }
    }

    /// Something is open that the timer must bring to its end: not in a device that serves and has nothing to do.
    pub(crate) fn has_something_open(&self) -> bool {
        self.power != Power::Running
            || self.log.is_some()
            || self
                .device
                .as_ref()
                .is_some_and(|device| device.admin_waiting() != 0)
            || self.files().any(|file| {
                // SAFETY: files on the list are alive, and the lock is held.
                let file = unsafe { &*file };
                (file.closing && !file.is_empty())
                    || file.lanes.iter().any(|lane| lane.unfinished() != 0)
                    || !file.regions.are_live()
            })
    }

    /// Whether the timer is to be started to expire in `delay_ns`; not if it expires before that anyway: whoever looks again and again must not
    /// put it off for ever.
    pub(crate) fn take_timer(&mut self, delay_ns: u64) -> bool {
        let due = now_ns() + delay_ns;
        let starts = self.due == 0 || due < self.due;
        if starts {
            self.due = due;
        }
        starts
    }

    /// A copy into or out of a common buffer is under way.
    pub(crate) fn copying(&self) -> bool {
        self.files().any(|file| {
            // SAFETY: files on the list are alive, and the lock is held.
            let regions = unsafe { &(*file).regions };
            regions.all().any(|region| region.copies != 0)
        })
    }

    /// Every region of the files for which `which` holds is gone, and its request completed, or left to its cancellation.
    pub(crate) fn is_settled(&self, which: impl Fn(&File) -> bool) -> bool {
        self.files().all(|file| {
            // SAFETY: files on the list are alive, and the lock is held.
            let file = unsafe { &*file };
            !which(file) || file.regions.is_empty() && file.finishing == 0
        })
    }

    /// Goes on with what [`Power`] says; true if something happened, so that it is worth looking again.
    pub(crate) fn advance_power(&mut self) -> bool {
        let Some(device) = &mut self.device else {
            return false;
        };
        match self.power {
            Power::Resetting { deadline } => match device.poll_start(deadline) {
                Ok(true) => {
                    self.run();
                    true
                }
                Ok(false) => false,
                Err(error) => {
                    self.give_up(error);
                    true
                }
            },
            Power::Closing => match device.shut() {
                Ok(()) | Err(StateError::Closed | StateError::NotRunning) => {
                    self.power = Power::Unmapping;
                    true
                }
                Err(StateError::BusMasterStuck) => {
                    if !core::mem::replace(&mut self.said_stuck, true) {
                        operator(self.wdf, Event::Stuck, &[]);
                    }
                    false
                }
            },
            _ => false,
        }
    }

    /// Asks a running device whether it still serves; for the timer.
    pub(crate) fn check_health(&mut self) {
        if let (Power::Running, Some(device)) = (self.power, &mut self.device) {
            match device.check_health() {
                Ok(()) => {}
                Err(error @ StartError::Gone) => self.give_up(error),
                Err(_) => self.fault(Cause::Health),
            }
        }
    }

    /// An admin command was not taken: if that is the device's fault it is reset or given up. Whoever asked asks again later.
    pub(crate) fn not_taken(&mut self, error: AdminError) {
        match error {
            AdminError::Fault(_) => self.fault(Cause::Protocol),
            AdminError::Refused(_) => self.give_up(Cause::Refused),
            _ => {}
        }
    }

    /// A list was made, or map registers ran out.
    pub(crate) fn list_outcome(&mut self, short: bool) {
        if short {
            self.totals.shortages += 1;
            self.depth = self.lists.max(1);
            self.since_shortage = 0;
            self.short_until = now_ns() + ms(5);
            event(Event::Shortage, &[u64::from(self.lists)]);
        } else {
            self.since_shortage = self.since_shortage.saturating_add(1);
            // Others may have given map registers back: try one more now and then.
            if self.since_shortage >= 32 && self.depth < self.full_depth {
                self.depth += 1;
                self.since_shortage = 0;
            }
        }
    }

    /// A list was released.
    pub(crate) fn list_released(&mut self) {
        self.lists = self.lists.saturating_sub(1);
        self.short_until = 0;
    }

    /// Puts back what was released outside the lock.
    pub(crate) fn put_back(&mut self, retired: Retired) {
        if let Some(device) = &mut self.device {
            device.put_back(retired);
        }
    }
}

/// Walks the open files. They stay while the lock is held.
pub(crate) struct Files {
    next: *mut File,
}

impl Iterator for Files {
    type Item = *mut File;

    fn next(&mut self) -> Option<*mut File> {
        let file = self.next;
        if file.is_null() {
            return None;
        }
        // SAFETY: files leave the list before they are freed, both under the lock that whoever walks holds.
        self.next = unsafe { (*file).next };
        Some(file)
    }
}
