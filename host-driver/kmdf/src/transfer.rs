//! Transfers of one handle in one direction: accepted, prepared if need be, submitted, reaped, waited for, all in one order.
//!
//! A [`Lane`] is a ring of [`Record`]s with five cursors, each behind the next:
//!
//! ```text
//! taken   <=   done   <=   reaped   <=   sent   <=   accepted
//!    | WAIT took    | to be seen    | ended, its       | the device's    | waits for its list,
//!    | it           | by WAIT       | list is mapped   |                 | its queue or its turn
//! ```
//!
//! As a record keeps its place until WAIT has taken it, nothing ever overflows: SUBMIT is refused instead.

use alloc::vec::Vec;

use pinring_core::{
    Completion, Device, Permissions, QueueError, QueueHandle, RegionHandle, SubmitError, Transfer,
    TransferError,
};
use pinring_ioctl::{self as ioctl, Error, completion_flags};
use pinring_protocol::{Direction, Status};

use crate::cause::Cause;
use crate::device::Card;
use crate::file::File;
use crate::memory::filled;
use crate::platform::KmdfPlatform;
use crate::state::{State, Totals, Waiting};
use crate::status::of_submit;

/// Where a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Of a region with a lasting mapping; waits for its turn.
    Plain,
    /// Needs a list.
    Unprepared,
    /// Its list is being made, outside the lock.
    Building,
    /// Has its list; waits for its turn.
    Listed,
    /// The device's.
    Flying,
    /// Over.
    #[default]
    Ended,
}

/// One transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    pub(crate) stage: Stage,
    /// The application's.
    pub(crate) cookie: u64,
    pub(crate) handle: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) user: u32,
    pub(crate) tdest: u16,
    /// The core's region.
    pub(crate) region: Option<RegionHandle>,
    /// Its list, until that was released.
    pub(crate) list: Option<RegionHandle>,
    /// It is to end: its list is taken from the device.
    pub(crate) doomed: bool,
    /// The command that takes it.
    pub(crate) taking: Option<Waiting>,
    /// Making its list has failed since.
    pub(crate) short_since: u64,
    setup_ns: u64,
    bytes: u64,
    timestamp: u64,
    status: u16,
    flags: u16,
}

/// The core's queue of a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum LaneQueue {
    /// None; no transfer needs one.
    #[default]
    None,
    /// One is to be made; the place among the device's queues is taken.
    Wanted,
    /// Its rings are being allocated, outside the lock.
    Building,
    /// The device is being told.
    Creating(QueueHandle, Waiting),
    /// Serves, or is being cancelled.
    Ready(QueueHandle, Option<Waiting>),
    /// Is being destroyed.
    Leaving(QueueHandle, Waiting),
}

/// See the [module](self).
pub(crate) struct Lane {
    pub(crate) direction: Direction,
    pub(crate) queue: LaneQueue,
    /// MSI-X message of the queue.
    pub(crate) vector: u16,
    /// A power of two, or none before the first SUBMIT.
    records: Vec<Record>,
    taken: u64,
    done: u64,
    reaped: u64,
    sent: u64,
    accepted: u64,
    /// Transfers that need, are given or have a list.
    pub(crate) special: u32,
    /// Lists of this lane.
    pub(crate) lists: u32,
}

/// The memory of a lane.
fn lane_memory(entries: u32) -> Result<Vec<Record>, Error> {
    filled(entries as usize, Record::default)
}

impl Lane {
    pub(crate) const fn new(direction: Direction) -> Self {
        Self {
            direction,
            queue: LaneQueue::None,
            vector: 0,
            records: Vec::new(),
            taken: 0,
            done: 0,
            reaped: 0,
            sent: 0,
            accepted: 0,
            special: 0,
            lists: 0,
        }
    }

    /// Whether it has its memory.
    pub(crate) fn has_memory(&self) -> bool {
        !self.records.is_empty()
    }

    /// Gives it its memory, whose length is a power of two; gives back what is not needed.
    pub(crate) fn give_memory(&mut self, records: Vec<Record>) -> Option<Vec<Record>> {
        if self.has_memory() {
            return Some(records);
        }
        self.records = records;
        None
    }

    #[inline]
    pub(crate) fn at(&mut self, index: u64) -> &mut Record {
        let mask = self.records.len() - 1;
        &mut self.records[index as usize & mask]
    }

    /// Transfers that SUBMIT may take.
    pub(crate) fn room(&self) -> usize {
        self.records.len() - (self.accepted - self.taken) as usize
    }

    /// Transfers accepted and not taken by WAIT.
    pub(crate) fn outstanding(&self) -> u64 {
        self.accepted - self.taken
    }

    /// Transfers that have not ended.
    pub(crate) fn unfinished(&self) -> u64 {
        self.accepted - self.done
    }

    /// Completions for WAIT.
    pub(crate) fn available(&self) -> u64 {
        self.done - self.taken
    }

    /// Nothing is in front of the next SUBMIT.
    pub(crate) fn is_clear(&self) -> bool {
        self.sent == self.accepted
    }

    /// Index of the next that is accepted.
    pub(crate) fn next(&self) -> u64 {
        self.accepted
    }

    /// Takes `count` records in that were written from [`next`](Self::next) on; `special` of them need lists.
    pub(crate) fn accept(&mut self, count: u64, special: u32, sent: bool) {
        self.accepted += count;
        self.special += special;
        if sent {
            self.sent = self.accepted;
        }
    }

    /// Submits a whole batch that was written from [`next`](Self::next) on and not yet accepted.
    pub(crate) fn submit_written(
        &mut self,
        device: &mut Device<KmdfPlatform>,
        queue: QueueHandle,
        count: u64,
    ) -> Result<(), SubmitError> {
        let from = self.accepted;
        self.submit_range(device, queue, from, count)
    }

    fn submit_range(
        &mut self,
        device: &mut Device<KmdfPlatform>,
        queue: QueueHandle,
        from: u64,
        count: u64,
    ) -> Result<(), SubmitError> {
        let (records, mask) = (&self.records, self.records.len() - 1);
        // The count fits: a ring has at most 32768 entries.
        let transfers = (0..count as u16).map(|ahead| {
            let record = &records[(from + u64::from(ahead)) as usize & mask];
            record.transfer()
        });
        device.submit_iter(queue, transfers)?;
        for index in from..from + count {
            self.at(index).stage = Stage::Flying;
        }
        Ok(())
    }

    /// Submits what has its turn. Whoever calls this settles the lane afterwards. O(what is submitted).
    pub(crate) fn pump(&mut self, device: &mut Device<KmdfPlatform>) -> Result<(), Cause> {
        loop {
            while self.sent < self.accepted && self.at(self.sent).stage == Stage::Ended {
                self.sent += 1;
            }
            let LaneQueue::Ready(queue, None) = self.queue else {
                return Ok(());
            };
            let Ok(room) = device.room(queue) else {
                return Ok(());
            };
            let (from, mut count) = (self.sent, 0);
            while from + count < self.accepted
                && count < u64::from(room)
                && matches!(self.at(from + count).stage, Stage::Plain | Stage::Listed)
            {
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            match self.submit_range(device, queue, from, count) {
                Ok(()) => self.sent += count,
                Err(SubmitError::Transfer { index, cause }) => {
                    if matches!(cause, TransferError::RegionBusy) && index == 0 {
                        // Its region is being cancelled, and serves again behind that.
                        return Ok(());
                    }
                    let wrong = from + index as u64;
                    if !matches!(cause, TransferError::RegionBusy) {
                        self.end(wrong);
                    } else {
                        // What is before it can go.
                        self.submit_range(device, queue, from, index as u64)
                            .map_err(|_| Cause::Protocol)?;
                        self.sent += index as u64;
                    }
                }
                Err(SubmitError::Queue(QueueError::Faulted(_))) => return Err(Cause::Protocol),
                Err(_) => return Ok(()),
            }
        }
    }

    /// Ends a transfer that the device does not have, as aborted.
    pub(crate) fn end(&mut self, index: u64) {
        let record = self.at(index);
        let special = matches!(record.stage, Stage::Unprepared | Stage::Building);
        record.stage = Stage::Ended;
        record.status = Status::Aborted as u16;
        record.bytes = 0;
        record.timestamp = 0;
        record.flags = 0;
        if special && record.list.is_none() {
            self.special = self.special.saturating_sub(1);
        }
    }

    /// Ends every transfer for which `which` holds: at once if the device does not have it, else by taking its list (one with a lasting
    /// mapping ends with its region or queue).
    pub(crate) fn abort(&mut self, which: impl Fn(&Record) -> bool) {
        if !self.has_memory() {
            return;
        }
        for index in self.done..self.accepted {
            let record = self.at(index);
            if !which(record) {
                continue;
            }
            match record.stage {
                Stage::Plain | Stage::Unprepared | Stage::Listed => self.end(index),
                Stage::Building => record.doomed = true,
                Stage::Flying => record.doomed = record.list.is_some(),
                Stage::Ended => {}
            }
        }
    }

    /// Reaps what the device has completed.
    pub(crate) fn reap(
        &mut self,
        device: &mut Device<KmdfPlatform>,
        totals: &mut Totals,
        arm: bool,
    ) -> Result<(), Cause> {
        let queue = match self.queue {
            LaneQueue::Creating(queue, _)
            | LaneQueue::Ready(queue, _)
            | LaneQueue::Leaving(queue, _) => queue,
            _ => return Ok(()),
        };
        let reaped = device.reap(queue, |completion| self.completed(&completion, totals));
        let armed = match reaped {
            Ok(count) if arm || count != 0 => device.arm(queue).map(|_| ()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        match armed {
            Err(QueueError::Faulted(_)) => Err(Cause::Protocol),
            _ => Ok(()),
        }
    }

    /// The core gives completions in submission order.
    fn completed(&mut self, completion: &Completion, totals: &mut Totals) {
        while self.reaped < self.sent && self.at(self.reaped).stage != Stage::Flying {
            self.reaped += 1;
        }
        if self.reaped == self.sent {
            return;
        }
        let index = self.reaped;
        let (direction, record) = (self.direction, self.at(index));
        record.stage = Stage::Ended;
        record.bytes = completion.bytes;
        record.timestamp = completion.timestamp;
        record.status = completion.status as u16;
        record.flags = if completion.end_of_packet {
            completion_flags::END_OF_PACKET
        } else {
            0
        };
        match completion.status {
            Status::Ok => totals.completed += 1,
            Status::Aborted => totals.aborted += 1,
            _ => totals.failed += 1,
        }
        match direction {
            Direction::C2h => totals.c2h_bytes += completion.bytes,
            Direction::H2c => totals.h2c_bytes += completion.bytes,
        }
        self.reaped += 1;
    }

    /// Moves the cursors behind which everything is over.
    pub(crate) fn settle(&mut self) {
        while self.sent < self.accepted && self.at(self.sent).stage == Stage::Ended {
            self.sent += 1;
        }
        while self.reaped < self.sent && self.at(self.reaped).stage == Stage::Ended {
            self.reaped += 1;
        }
        while self.done < self.reaped && self.at(self.done).list.is_none() {
            self.done += 1;
        }
    }

    /// The completion for WAIT; there is one.
    pub(crate) fn take(&mut self) -> ioctl::Completion {
        let direction = match self.direction {
            Direction::C2h => ioctl::direction::C2H,
            Direction::H2c => ioctl::direction::H2C,
        };
        let record = self.at(self.taken);
        let completion = ioctl::Completion {
            cookie: record.cookie,
            handle: record.handle,
            bytes: record.bytes,
            timestamp: record.timestamp,
            setup_ns: record.setup_ns,
            user: record.user,
            status: record.status,
            flags: record.flags,
            direction,
            reserved: 0,
        };
        self.taken += 1;
        completion
    }

    /// The first transfer that needs a list.
    pub(crate) fn first_unprepared(&mut self) -> Option<u64> {
        if self.special == 0 {
            return None;
        }
        (self.sent..self.accepted).find(|&index| self.at(index).stage == Stage::Unprepared)
    }

    /// The first list that nobody needs any more and that no command takes.
    pub(crate) fn first_spent_list(&mut self) -> Option<u64> {
        if self.lists == 0 {
            return None;
        }
        (self.done..self.accepted).find(|&index| {
            let record = self.at(index);
            record.stage == Stage::Ended && record.list.is_some() && record.taking.is_none()
        })
    }

    /// The first list that is to be taken from the device.
    pub(crate) fn first_doomed_list(&mut self) -> Option<(u64, RegionHandle)> {
        if self.lists == 0 {
            return None;
        }
        (self.reaped..self.sent).find_map(|index| {
            let record = self.at(index);
            let wanted = record.stage == Stage::Flying && record.doomed && record.taking.is_none();
            record.list.filter(|_| wanted).map(|list| (index, list))
        })
    }

    /// Whether a list of the region that `handle` names is made, or exists.
    pub(crate) fn has_list_of(&mut self, handle: u64) -> bool {
        self.special != 0
            && (self.done..self.accepted).any(|index| {
                let record = self.at(index);
                record.handle == handle
                    && (record.list.is_some() || record.stage == Stage::Building)
            })
    }

    /// The record whose list the command of `ticket` takes.
    pub(crate) fn find_taking(&mut self, ticket: pinring_core::Ticket) -> Option<u64> {
        if self.lists == 0 {
            return None;
        }
        (self.done..self.accepted).find(|&index| {
            self.at(index)
                .taking
                .is_some_and(|waiting| waiting.ticket == ticket)
        })
    }

    /// A list was made for a transfer.
    pub(crate) fn listed(&mut self, index: u64, list: RegionHandle, setup_ns: u64) {
        let record = self.at(index);
        record.list = Some(list);
        record.setup_ns = setup_ns;
        let doomed = record.doomed;
        self.lists += 1;
        if doomed {
            self.end(index);
        } else {
            self.at(index).stage = Stage::Listed;
        }
    }

    /// A transfer's list is gone.
    pub(crate) fn list_gone(&mut self, index: u64) {
        let record = self.at(index);
        record.list = None;
        record.taking = None;
        self.special = self.special.saturating_sub(1);
        self.lists = self.lists.saturating_sub(1);
    }

    /// The oldest of the commands that this lane waits for.
    pub(crate) fn oldest_wait(&mut self) -> Option<u64> {
        let queue = match self.queue {
            LaneQueue::Creating(_, waiting)
            | LaneQueue::Ready(_, Some(waiting))
            | LaneQueue::Leaving(_, waiting) => Some(waiting.since),
            _ => None,
        };
        if self.lists == 0 {
            return queue;
        }
        let lists = (self.done..self.accepted)
            .filter_map(|index| self.at(index).taking.map(|waiting| waiting.since))
            .min();
        queue.into_iter().chain(lists).min()
    }

    /// The commands that this lane waits for were sent at `now`, as far as the limit goes.
    pub(crate) fn renew_waits(&mut self, now: u64) {
        if let LaneQueue::Creating(_, waiting)
        | LaneQueue::Ready(_, Some(waiting))
        | LaneQueue::Leaving(_, waiting) = &mut self.queue
        {
            waiting.since = now;
        }
        if self.lists == 0 {
            return;
        }
        for index in self.done..self.accepted {
            if let Some(waiting) = &mut self.at(index).taking {
                waiting.since = now;
            }
        }
    }

    /// The device can reach nothing any more, and all lists are unmapped: ends everything.
    pub(crate) fn close(&mut self) {
        if !self.has_memory() {
            return;
        }
        for index in self.done..self.accepted {
            if self.at(index).stage != Stage::Ended {
                self.end(index);
            }
            let record = self.at(index);
            record.list = None;
            record.taking = None;
        }
        self.special = 0;
        self.lists = 0;
        self.queue = LaneQueue::None;
        self.settle();
    }
}

impl Record {
    fn transfer(&self) -> Transfer {
        // A list serves its transfer from its first byte.
        let (region, offset) = match (self.list, self.region) {
            (Some(list), _) => (list, 0),
            (None, Some(region)) => (region, self.offset),
            // Refused by the core as no region of its own.
            (None, None) => (RegionHandle::from_bits(0), self.offset),
        };
        Transfer {
            region,
            offset,
            length: self.length,
            tdest: self.tdest,
            user: self.user,
            cookie: self.cookie,
        }
    }
}

/// Takes one of the device's queues for a lane that has none; false if it has one, or none is left. Under the lock.
pub(crate) fn take_queue(state: &mut State, lane: &mut Lane) -> bool {
    let takes = matches!(lane.queue, LaneQueue::None) && state.queues_taken < state.queues;
    if takes {
        lane.queue = LaneQueue::Wanted;
        state.queues_taken += 1;
    }
    takes
}

/// Gives a direction's lane its memory, outside the lock; none for a file without regions, or while others have all queues. PASSIVE_LEVEL.
///
/// # Safety
/// The caller has a request of the file in hand, which keeps it.
pub(crate) unsafe fn give_lane_memory(
    card: &Card,
    file: *mut File,
    direction: Direction,
) -> Result<(), Error> {
    // SAFETY: the caller says so, and the lock is held.
    let lane = |file: *mut File| unsafe { &mut (&mut (*file).lanes)[direction as usize] };
    let worthwhile = card.state.with(|state| {
        let wanted = !lane(file).has_memory();
        let queue =
            !matches!(lane(file).queue, LaneQueue::None) || state.queues_taken < state.queues;
        // SAFETY: as above.
        wanted && queue && !unsafe { &(*file).regions }.is_empty()
    });
    if worthwhile {
        let memory = lane_memory(card.settings.ring_entries)?;
        // Another thread may have been faster.
        let spare = card.state.with(|_| lane(file).give_memory(memory));
        drop(spare);
    }
    Ok(())
}

/// A handle that has registered memory will transfer: its queues are made now, so that the first transfer need not wait for them. Without
/// memory, or when others have all queues, SUBMIT says so. PASSIVE_LEVEL.
///
/// # Safety
/// The caller has a request of the file in hand, which keeps it.
pub(crate) unsafe fn take_queues(card: &Card, file: *mut File, permissions: Permissions) {
    let mut work = false;
    for (direction, wanted) in [
        (Direction::C2h, permissions.c2h),
        (Direction::H2c, permissions.h2c),
    ] {
        // SAFETY: the caller says so.
        if wanted && unsafe { give_lane_memory(card, file, direction) }.is_ok() {
            work |= card.state.with(|state| {
                // SAFETY: as above, and the lock is held.
                let file = unsafe { &mut *file };
                !file.closing && take_queue(state, &mut file.lanes[direction as usize])
            });
        }
    }
    if work {
        card.wake();
    }
}

/// SUBMIT, under the device's lock: all of the batch, or nothing. `input` is the structure and its transfers, checked for their length.
/// Returns whether the work item has something to do.
pub(crate) fn submit(
    state: &mut State,
    file: &mut File,
    direction: Direction,
    transfers: &[u8],
) -> Result<bool, Error> {
    let max_transfer = state.max_transfer;
    let (taken, queues) = (state.queues_taken, state.queues);
    let device = state.serving()?;
    if file.closing {
        return Err(Error::Gone);
    }
    let count = transfers.len() / ioctl::Transfer::BYTES;
    let (lanes, regions) = file.parts();
    let lane = &mut lanes[direction as usize];
    if matches!(lane.queue, LaneQueue::None) && taken >= queues {
        return Err(Error::QueuesExhausted);
    }
    if !lane.has_memory() {
        // It had no region a moment ago.
        return Err(Error::NoRegion);
    }
    if count > lane.room() {
        return Err(Error::RingFull);
    }
    let (from, mut special) = (lane.next(), 0);
    for (index, bytes) in transfers.chunks_exact(ioctl::Transfer::BYTES).enumerate() {
        let asked = ioctl::Transfer::parse(bytes).ok_or(Error::Malformed)?;
        let region = regions.live(asked.handle)?;
        region.check(asked.offset, asked.length, direction)?;
        let stage = if region.needs_lists() {
            if asked.length > max_transfer {
                return Err(Error::TooLong);
            }
            special += 1;
            Stage::Unprepared
        } else {
            Stage::Plain
        };
        *lane.at(from + index as u64) = Record {
            stage,
            cookie: asked.cookie,
            handle: asked.handle,
            offset: asked.offset,
            length: asked.length,
            user: asked.user,
            tdest: asked.tdest,
            region: region.core,
            ..Record::default()
        };
    }
    let mut sent = false;
    if special == 0
        && lane.is_clear()
        && let LaneQueue::Ready(queue, None) = lane.queue
    {
        match lane.submit_written(device, queue, count as u64) {
            Ok(()) => sent = true,
            // The queue is being made again behind a reset: the batch waits for it.
            Err(SubmitError::Queue(QueueError::NotReady)) => {}
            Err(error) => return Err(of_submit(error)),
        }
    }
    lane.accept(count as u64, special, sent);
    take_queue(state, lane);
    state.totals.batches += 1;
    state.totals.transfers += count as u64;
    Ok(!sent)
}

/// Reaps, submits and settles a file's lanes, and sees whether a WAIT may end. Under the device's lock; no MMIO read, no allocation.
/// Behind an interrupt of `message`, its lanes alone, and their interrupt is armed again.
pub(crate) fn turn(state: &mut State, file: &mut File, message: Option<u16>) {
    let mut fault = None;
    let running = state.serving().is_ok();
    if let Some(device) = &mut state.device {
        for lane in &mut file.lanes {
            if message.is_some_and(|message| lane.vector != message) {
                continue;
            }
            let went = lane.reap(device, &mut state.totals, message.is_some());
            let went = match running {
                true => went.and_then(|()| lane.pump(device)),
                false => went,
            };
            if let Err(cause) = went {
                fault = Some(cause);
            }
            lane.settle();
        }
    } else {
        for lane in &mut file.lanes {
            lane.settle();
        }
    }
    file.look_at_waits();
    if let Some(cause) = fault {
        state.fault(cause);
    }
}

impl Lane {
    /// Entries of its ring, and of its queue's.
    pub(crate) fn entries(&self) -> u32 {
        self.records.len() as u32
    }

    /// Transfers that the device has.
    pub(crate) fn flying(&self) -> u64 {
        self.sent - self.reaped
    }
}
