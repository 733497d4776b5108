//! The four ways to run a burst, as state machines: events in, actions out. Nothing here touches a device.
//!
//! Transfers of a burst are numbered from 0 and go through one queue in this order. The host carries actions out, on whichever
//! CPU it likes, and reports what came of them.

use core::ops::Range;

use pinring_protocol::Direction;

/// Which way a burst is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A list per transfer, one transfer at a time: the set-up of the next begins when the running one has completed.
    PerTransfer,
    /// A list per transfer, made while earlier transfers run.
    PrepareAhead {
        /// Lists that may be ready or in flight at a time, at least 1.
        depth: u32,
    },
    /// The list was made at registration: the whole burst is submitted at once.
    Registered,
    /// Contiguous driver memory: a copy after each C2H transfer, or before each H2C transfer.
    CommonBuffer,
}

/// What the host is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prepare the list of a transfer; report `prepared` or `deferred`.
    Prepare(u32),
    /// Submit transfers, with one doorbell; report `completed` for each in its turn.
    Submit(Range<u32>),
    /// Copy a transfer's data from the user's buffer; report `copied`.
    CopyIn(u32),
    /// Copy a transfer's data to the user's buffer; report `copied`.
    CopyOut(u32),
    /// The transfer is over: release its list, if it has one, and tell the application; report `retired`.
    Retire(u32),
    /// Every transfer has been retired.
    Done,
}

/// A report that does not fit the burst's state: the host is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "transfer {index} was reported as {report}, but the burst waits for that of {expected:?}: report each action once, in order"
)]
pub struct Unexpected {
    /// What was reported.
    pub report: &'static str,
    /// For which transfer.
    pub index: u32,
    /// The transfer for which it would have fitted, if any.
    pub expected: Option<u32>,
}

/// A burst in progress. Transfers pass the stages in order, so that a counter per stage is the whole state.
#[derive(Clone, Debug)]
pub struct Strategy {
    kind: Kind,
    direction: Direction,
    /// Transfers that may be in the ring at a time.
    window: u32,
    /// Transfers of the burst; fewer after `abort`.
    count: u32,
    /// Transfers whose list or copy in was asked for, then made.
    asked: u32,
    ready: u32,
    submitted: u32,
    completed: u32,
    /// Transfers whose copy out was asked for, then made.
    copy_asked: u32,
    copied: u32,
    /// Transfers whose retirement was asked for, then made.
    retire_asked: u32,
    retired: u32,
    /// A shortage of map registers: nothing is asked for until a list has been given back.
    short: bool,
    aborted: bool,
    done: bool,
}

impl Strategy {
    /// A burst of `count` transfers of one direction, on a ring of `window` entries.
    pub fn new(kind: Kind, direction: Direction, count: u32, window: u32) -> Self {
        Self {
            kind,
            direction,
            window: window.max(1),
            count,
            asked: 0,
            ready: 0,
            submitted: 0,
            completed: 0,
            copy_asked: 0,
            copied: 0,
            retire_asked: 0,
            retired: 0,
            short: false,
            aborted: false,
            done: false,
        }
    }

    /// Which way it is run.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The next thing to do now, or `None` until something is reported.
    ///
    /// What keeps the device busy comes first, then what the application waits for, then work ahead.
    pub fn next_action(&mut self) -> Option<Action> {
        let submittable = self.submittable();
        if self.submitted < submittable {
            let range = self.submitted..submittable;
            self.submitted = submittable;
            return Some(Action::Submit(range));
        }
        if self.retire_asked < self.retirable() {
            self.retire_asked += 1;
            return Some(Action::Retire(self.retire_asked - 1));
        }
        if self.copies_out() && self.copy_asked == self.copied && self.copied < self.completed {
            self.copy_asked += 1;
            return Some(Action::CopyOut(self.copied));
        }
        if self.asked == self.ready && self.ready < self.count && self.may_ask() {
            self.asked += 1;
            return Some(if self.copies_in() {
                Action::CopyIn(self.ready)
            } else {
                Action::Prepare(self.ready)
            });
        }
        if self.retired == self.count && self.asked == self.ready && !self.done {
            self.done = true;
            return Some(Action::Done);
        }
        None
    }

    /// The list of a transfer is ready.
    ///
    /// # Errors
    /// It was not being prepared.
    pub fn prepared(&mut self, index: u32) -> Result<(), Unexpected> {
        expect("prepared", index, self.ready, self.asked, !self.copies_in())?;
        self.ready += 1;
        Ok(())
    }

    /// The list of a transfer could not be made for want of map registers or lists: it is asked for again when one has been given back, and fewer are made
    /// ahead from now on. False if nothing is held that could be given back: the burst cannot go on.
    ///
    /// # Errors
    /// It was not being prepared.
    pub fn deferred(&mut self, index: u32) -> Result<bool, Unexpected> {
        expect("deferred", index, self.ready, self.asked, !self.copies_in())?;
        self.asked -= 1;
        if self.aborted {
            self.count = self.asked;
        }
        let held = self.ready - self.retired;
        if let Kind::PrepareAhead { depth } = &mut self.kind {
            *depth = held.clamp(1, (*depth).max(1));
        }
        self.short = held != 0;
        Ok(self.short)
    }

    /// A transfer has completed, well or not.
    ///
    /// # Errors
    /// It is not the oldest in flight.
    pub fn completed(&mut self, index: u32) -> Result<(), Unexpected> {
        expect("completed", index, self.completed, self.submitted, true)?;
        self.completed += 1;
        Ok(())
    }

    /// A copy has been made.
    ///
    /// # Errors
    /// It was not being made.
    pub fn copied(&mut self, index: u32) -> Result<(), Unexpected> {
        if self.copies_in() {
            expect("copied", index, self.ready, self.asked, true)?;
            self.ready += 1;
        } else {
            expect(
                "copied",
                index,
                self.copied,
                self.copy_asked,
                self.copies_out(),
            )?;
            self.copied += 1;
        }
        Ok(())
    }

    /// A transfer has been retired, and its list given back.
    ///
    /// # Errors
    /// It was not being retired.
    pub fn retired(&mut self, index: u32) -> Result<(), Unexpected> {
        expect("retired", index, self.retired, self.retire_asked, true)?;
        self.retired += 1;
        self.short = false;
        Ok(())
    }

    /// Ends the burst early: nothing more is asked for or submitted; what is ready or in flight is retired. Transfers from the returned number on
    /// have not been touched.
    pub fn abort(&mut self) -> u32 {
        self.aborted = true;
        self.count = if self.makes_ready() {
            self.asked
        } else {
            self.submitted
        };
        self.count
    }

    /// A submission was refused: the burst ends early, and transfers from `first` on are not in flight. They are the host's to clean up.
    pub fn refused(&mut self, first: u32) {
        self.aborted = true;
        self.submitted = self.submitted.min(first);
        self.count = self.submitted;
        self.ready = self.count;
        self.asked = self.count;
    }

    /// First transfer that may not be submitted yet.
    fn submittable(&self) -> u32 {
        let ready = if self.makes_ready() {
            self.ready
        } else {
            self.count
        };
        ready.min(self.completed.saturating_add(self.window))
    }

    /// First transfer that may not be retired yet.
    fn retirable(&self) -> u32 {
        if self.copies_out() {
            self.copied
        } else {
            self.completed
        }
    }

    /// There is work to do before a transfer is submitted.
    fn makes_ready(&self) -> bool {
        self.copies_in() || matches!(self.kind, Kind::PerTransfer | Kind::PrepareAhead { .. })
    }

    fn copies_in(&self) -> bool {
        self.kind == Kind::CommonBuffer && self.direction == Direction::H2c
    }

    fn copies_out(&self) -> bool {
        self.kind == Kind::CommonBuffer && self.direction == Direction::C2h
    }

    /// The next transfer may be made ready.
    fn may_ask(&self) -> bool {
        match self.kind {
            _ if self.short => false,
            Kind::PerTransfer => self.retired == self.ready,
            Kind::PrepareAhead { depth } => self.ready - self.retired < depth.max(1),
            Kind::CommonBuffer => self.copies_in(),
            Kind::Registered => false,
        }
    }
}

fn expect(
    report: &'static str,
    index: u32,
    next: u32,
    end: u32,
    fits: bool,
) -> Result<(), Unexpected> {
    let expected = (fits && next < end).then_some(next);
    if expected == Some(index) {
        Ok(())
    } else {
        Err(Unexpected {
            report,
            index,
            expected,
        })
    }
}
