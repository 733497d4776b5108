//! The work item: everything that is done at PASSIVE_LEVEL behind a request, an interrupt or the timer.
//!
//! It takes one [`Step`] after the other: what to do is decided under the device's lock, the long part is done outside it. One processor
//! at a time does this, so that a step never meets another.

use pinring_core::{AdminError, QueueError, StateError, TransferError};
use pinring_core::{
    AdminEvent, Notify, QueueConfig, QueueRequest, RegisterError, Request, Retired,
};
use pinring_protocol::Direction;
use wdk_sys::{_WDF_DEVICE_FAILED_ACTION, WDFTIMER, WDFWORKITEM, call_unsafe_wdf_function_binding};

use crate::cause::Cause;
use crate::device::{Card, card_of};
use crate::file::{self, File};
use crate::platform::KmdfPlatform;
use crate::region::{self, Next, Phase, Region};
use crate::state::{ADMIN_LIMIT_NS, Power, START_LIMIT_NS, State, Waiting};
use crate::time::{ms, now_ns, relative};
use crate::trace::{Event, event};
use crate::transfer::{LaneQueue, Stage, turn};
use crate::wait;

/// A list that could not be made for want of map registers is given up after this, if none of ours holds any.
const SHORTAGE_LIMIT_NS: u64 = ms(1000);

/// What follows when something has been released.
enum After {
    Nothing,
    /// The list of a transfer.
    List(*mut File, Direction, u64),
    /// A region.
    Region(*mut Region),
}

/// One thing to do outside the lock.
enum Step {
    /// Nothing is left; look again after this time.
    Idle(Option<u64>),
    /// Release what the device has let go of.
    Release(Retired, After),
    /// Allocate a queue's rings.
    Queue(QueueRequest, *mut File, Direction),
    /// Map a transfer and make its list.
    List(Request, *mut File, Direction, u64),
    /// Complete the request of a file's region.
    Finish(*mut File, *mut Region),
    /// Free a file.
    Free(*mut File),
    /// Tell the framework.
    TellFailed,
}

/// EvtWorkItem. PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn item(work: WDFWORKITEM) {
    // SAFETY: the work item's parent is the device.
    let device = unsafe { call_unsafe_wdf_function_binding!(WdfWorkItemGetParentObject, work) };
    run(card_of(device.cast()));
}

/// EvtTimer. DISPATCH_LEVEL.
pub(crate) unsafe extern "C" fn timer(timer: WDFTIMER) {
    // SAFETY: the timer's parent is the device.
    let device = unsafe { call_unsafe_wdf_function_binding!(WdfTimerGetParentObject, timer) };
    let card = card_of(device.cast());
    let due = card.state.with(|state| {
        state.due = 0;
        state.tick = state.has_something_open();
        state.tick
    });
    if due {
        card.wake();
    }
}

/// Does what there is to do. PASSIVE_LEVEL.
fn run(card: &'static Card) {
    let busy = card
        .state
        .with(|state| core::mem::replace(&mut state.working, true));
    if busy {
        // Whoever works looks once more, under the lock, before it stops.
        return;
    }
    loop {
        let (step, platform) = card.state.with(|state| {
            let mut step = next(state);
            if let Step::Idle(delay) = &mut step {
                state.working = false;
                *delay = delay.filter(|&delay| state.take_timer(delay));
            }
            (step, state.platform())
        });
        wait::serve(card);
        match (step, platform) {
            (Step::Idle(delay), _) => {
                if let Some(delay) = delay {
                    card.start_timer(relative(delay));
                }
                return;
            }
            (Step::Release(mut retired, after), Some(mut platform)) => {
                retired.release(&mut platform);
                card.state.with(|state| {
                    state.put_back(retired);
                    released(state, after);
                });
            }
            (Step::Queue(request, file, direction), Some(platform)) => {
                make_queue(card, platform, request, file, direction);
            }
            (Step::List(request, file, direction, index), Some(platform)) => {
                make_list(card, platform, request, (file, direction, index));
            }
            (Step::Finish(file, region), _) => {
                // SAFETY: `region::advance` has just taken it out of its table.
                unsafe { region::finish(card, region) };
                card.state.with(|_| {
                    // SAFETY: files are freed by this work item alone, and the lock is held.
                    unsafe { (*file).finishing -= 1 }
                });
            }
            // SAFETY: `next` has just taken it off the list; it is closed and empty.
            (Step::Free(file), _) => unsafe { file::free(file) },
            (Step::TellFailed, _) => {
                // SAFETY: the device's handle is valid.
                unsafe {
                    call_unsafe_wdf_function_binding!(
                        WdfDeviceSetFailed,
                        card.wdf,
                        _WDF_DEVICE_FAILED_ACTION::WdfDeviceFailedNoRestart
                    );
                }
            }
            // These steps come of a device, and a device has a platform.
            (Step::Release(..) | Step::Queue(..) | Step::List(..), None) => {}
        }
    }
}

/// Decides on the next step, under the lock.
fn next(state: &mut State) -> Step {
    if core::mem::take(&mut state.tick) {
        tick(state);
    }
    loop {
        if state.advance_power() {
            turn_all(state);
        }
        match next_event(state) {
            Found::Step(step) => return step,
            Found::Again => continue,
            Found::Nothing => {}
        }
        turn_all(state);
        if state.power == Power::Unmapping && !state.copying() {
            if let Some(retired) = state
                .device
                .as_mut()
                .and_then(|device| device.next_remains())
            {
                return Step::Release(retired, After::Nothing);
            }
            close_all(state);
        }
        if state.tell_failed
            && (matches!(state.power, Power::Closed | Power::Off) || state.said_stuck)
        {
            state.tell_failed = false;
            return Step::TellFailed;
        }
        let mut again = false;
        for file in state.files() {
            match next_of_file(state, file) {
                Found::Step(step) => return step,
                Found::Again => again = true,
                Found::Nothing => {}
            }
        }
        match next_list(state) {
            Found::Step(step) => return step,
            Found::Again => again = true,
            Found::Nothing => {}
        }
        if !again {
            return Step::Idle(pause(state));
        }
    }
}

/// What was found to do.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would have to be allocated under the lock"
)]
enum Found {
    Step(Step),
    /// Something has changed.
    Again,
    Nothing,
}

/// Reaps, submits and settles everything.
fn turn_all(state: &mut State) {
    for file in state.files() {
        // SAFETY: files on the list are alive, and the lock is held.
        turn(state, unsafe { &mut *file }, None);
    }
}

/// The timer has expired.
fn tick(state: &mut State) {
    let now = now_ns();
    let mut oldest = state.log.map(|waiting| waiting.since);
    if state.admin_waits() {
        if state.admin_since == 0 {
            state.admin_since = now;
        }
        oldest = oldest.into_iter().chain([state.admin_since]).min();
    }
    let mut flying = false;
    for file in state.files() {
        // SAFETY: as in `turn_all`.
        let file = unsafe { &mut *file };
        for lane in &mut file.lanes {
            oldest = oldest.into_iter().chain(lane.oldest_wait()).min();
            flying |= lane.unfinished() != 0;
        }
        for region in file.regions.all() {
            let waits = [region.leaving, region.cancelling];
            let waits = waits.into_iter().flatten().map(|waiting| waiting.since);
            oldest = oldest.into_iter().chain(waits).min();
        }
    }
    if oldest.is_some_and(|since| now.saturating_sub(since) > ADMIN_LIMIT_NS) {
        state.fault_silent();
    } else if flying || oldest.is_some() {
        state.check_health();
    }
}

/// How long the work item may rest, if there is something that no interrupt brings back.
fn pause(state: &mut State) -> Option<u64> {
    match state.power {
        Power::Off | Power::Asleep | Power::Closed => return None,
        // One that takes long is not asked as often.
        Power::Resetting { deadline } => {
            let early = deadline.saturating_sub(now_ns()) > START_LIMIT_NS - ms(50);
            return Some(if early { ms(1) } else { ms(10) });
        }
        Power::Closing | Power::Unmapping => return Some(ms(10)),
        Power::Running => {}
    }
    if state.short_until > now_ns() {
        return Some(ms(5));
    }
    if let Some(device) = &mut state.device {
        device.arm_admin();
    }
    let mut waits = state.log.is_some() || state.admin_waits();
    for file in state.files() {
        // SAFETY: as in `turn_all`.
        let file = unsafe { &mut *file };
        waits |= (file.closing && !file.is_empty())
            || file
                .lanes
                .iter_mut()
                .any(|lane| lane.unfinished() != 0 || lane.oldest_wait().is_some());
        waits |= !file.regions.are_live();
    }
    waits.then_some(ms(50))
}

/// Takes an admin event.
fn next_event(state: &mut State) -> Found {
    let Some(device) = &mut state.device else {
        return Found::Nothing;
    };
    match device.poll_admin() {
        Ok(Some(event)) => match redeem(state, event) {
            Some(step) => Found::Step(step),
            None => Found::Again,
        },
        Ok(None) => Found::Nothing,
        Err(_) => {
            state.fault(Cause::Protocol);
            Found::Nothing
        }
    }
}

/// What an admin command was for.
fn redeem(state: &mut State, event: AdminEvent) -> Option<Step> {
    let AdminEvent {
        ticket,
        result,
        retired,
    } = event;
    if result.is_ok() {
        state.silent_resets = 0;
    }
    state.admin_since = 0;
    let is = |waiting: Waiting| waiting.ticket == ticket;
    let mut after = After::Nothing;
    let mut known = false;
    if state.log.is_some_and(is) {
        state.log = None;
        known = true;
    }
    for file in state.files() {
        // SAFETY: files on the list are alive, and the lock is held.
        let open = unsafe { &mut *file };
        for lane in &mut open.lanes {
            match lane.queue {
                LaneQueue::Creating(queue, waiting) if is(waiting) => {
                    known = true;
                    if result.is_ok() {
                        lane.queue = LaneQueue::Ready(queue, None);
                    } else {
                        lane.queue = LaneQueue::None;
                        state.queues_taken = state.queues_taken.saturating_sub(1);
                        lane.abort(|_| true);
                    }
                }
                LaneQueue::Ready(queue, Some(waiting)) if is(waiting) => {
                    known = true;
                    lane.queue = LaneQueue::Ready(queue, None);
                    if let Err(error) = result {
                        state.not_taken(error);
                    }
                }
                LaneQueue::Leaving(_, waiting) if is(waiting) => {
                    known = true;
                    match result {
                        Ok(()) => {
                            // What was in flight is reaped as aborted, before the handle is forgotten.
                            if let Some(device) = &mut state.device {
                                let _ = lane.reap(device, &mut state.totals, false);
                            }
                            lane.settle();
                            lane.queue = LaneQueue::None;
                            state.queues_taken = state.queues_taken.saturating_sub(1);
                        }
                        Err(error) => {
                            state.not_taken(error);
                        }
                    }
                }
                _ => {}
            }
            if let Some(index) = lane.find_taking(ticket) {
                known = true;
                match result {
                    Ok(()) => after = After::List(file, lane.direction, index),
                    Err(error) => {
                        state.not_taken(error);
                    }
                }
            }
        }
        for place in open.regions.places() {
            let Some(region) = open.regions.at(place) else {
                continue;
            };
            if region.leaving.is_some_and(is) {
                known = true;
                match result {
                    Ok(()) => after = After::Region(region),
                    Err(error) => {
                        state.not_taken(error);
                    }
                }
            }
            if region.cancelling.is_some_and(is) {
                known = true;
                region.cancelling = None;
                if let Err(error) = result {
                    state.not_taken(error);
                }
            }
        }
    }
    if !known && let Err(error) = result {
        // A queue that was to be made again behind a reset.
        state.not_taken(error);
        state.give_up(Cause::Refused);
    }
    match retired {
        Some(retired) => Some(Step::Release(retired, after)),
        None => {
            released(state, after);
            None
        }
    }
}

/// Under the lock, behind a release.
fn released(state: &mut State, after: After) {
    match after {
        After::Nothing => {}
        After::List(file, direction, index) => {
            state.list_released();
            // SAFETY: a file with a list is not freed, and this is the only place that frees.
            let file = unsafe { &mut *file };
            let lane = &mut file.lanes[direction as usize];
            lane.list_gone(index);
            turn(state, file, None);
        }
        After::Region(region) => {
            // SAFETY: it is in its slot until it is finished, which this work item alone does.
            unsafe { (*region).phase = Phase::Released }
        }
    }
}

/// Everything was unmapped.
fn close_all(state: &mut State) {
    state.power = Power::Closed;
    state.queues_taken = 0;
    state.lists = 0;
    state.log = None;
    event(Event::Stopped, &[state.totals.regions]);
    for file in state.files() {
        // SAFETY: files on the list are alive, and the lock is held.
        let file = unsafe { &mut *file };
        if let Some(device) = &mut state.device {
            for lane in &mut file.lanes {
                let _ = lane.reap(device, &mut state.totals, false);
            }
        }
        for lane in &mut file.lanes {
            lane.close();
        }
        file.wanted = true;
    }
}

/// The next step for one file: its queues, its lists that are spent, its regions, its end.
fn next_of_file(state: &mut State, file: *mut File) -> Found {
    let mut again = false;
    for direction in [Direction::C2h, Direction::H2c] {
        let at = direction as usize;
        // SAFETY: files on the list are alive, and the lock is held. Made anew each time, as `released` makes one of its own.
        let open = unsafe { &mut *file };
        let closing = open.closing;
        let lane = &mut open.lanes[at];
        if let Some(index) = lane.first_spent_list()
            && let (Some(list), Some(device)) = (lane.at(index).list, &mut state.device)
        {
            match device.detach_list(list) {
                Ok(retired) => {
                    return Found::Step(Step::Release(
                        retired,
                        After::List(file, direction, index),
                    ));
                }
                Err(TransferError::StaleRegion(_) | TransferError::ForeignRegion(_)) => {
                    released(state, After::List(file, direction, index));
                    again = true;
                    continue;
                }
                Err(_) => {}
            }
        }
        while let (Ok(device), Some((index, list))) = (state.serving(), lane.first_doomed_list()) {
            match device.unregister(list) {
                Ok(ticket) => lane.at(index).taking = Some(Waiting::new(ticket)),
                Err(error) => {
                    state.not_taken(error);
                    break;
                }
            }
        }
        match (lane.queue, closing) {
            (LaneQueue::Wanted, true) => {
                lane.queue = LaneQueue::None;
                state.queues_taken = state.queues_taken.saturating_sub(1);
            }
            (LaneQueue::Wanted, false) => {
                let (domain, entries) = (open.domain, open.lanes[at].entries());
                if let Some(step) = want_queue(state, file, at, domain, entries) {
                    return Found::Step(step);
                }
            }
            (LaneQueue::Ready(queue, _), true) => {
                if let Ok(device) = state.serving() {
                    match device.destroy_queue(queue) {
                        Ok(ticket) => lane.queue = LaneQueue::Leaving(queue, Waiting::new(ticket)),
                        Err(AdminError::Queue(QueueError::Stale(_))) => {
                            lane.queue = LaneQueue::None;
                            state.queues_taken = state.queues_taken.saturating_sub(1);
                        }
                        Err(error) => {
                            state.not_taken(error);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    // SAFETY: as above.
    let open = unsafe { &mut *file };
    for place in open.regions.places() {
        match region::advance(state, open, place) {
            Next::Wait => {}
            Next::Again => again = true,
            Next::Finish(region) => return Found::Step(Step::Finish(file, region)),
        }
    }
    if open.closed && open.is_empty() {
        file::unlink(state, file);
        return Found::Step(Step::Free(file));
    }
    if again { Found::Again } else { Found::Nothing }
}

/// Asks for a lane's queue.
fn want_queue(
    state: &mut State,
    file: *mut File,
    at: usize,
    domain: u32,
    entries: u32,
) -> Option<Step> {
    let messages = state.messages.max(1);
    let moderation = state.moderation;
    let device = state.serving().ok()?;
    // SAFETY: files on the list are alive, and the lock is held.
    let lane = unsafe { &mut (&mut (*file).lanes)[at] };
    let request = device.next_queue_id().and_then(|id| {
        lane.vector = id % messages;
        device.request_queue(QueueConfig {
            direction: lane.direction,
            domain,
            entries,
            vector: lane.vector,
            tdest_first: 0,
            tdest_last: u16::MAX,
            notify: Notify::Interrupt(moderation),
        })
    });
    match request {
        Ok(request) => {
            lane.queue = LaneQueue::Building;
            Some(Step::Queue(request, file, lane.direction))
        }
        Err(AdminError::State(_) | AdminError::Full { .. }) => None,
        // A queue that was destroyed still has completions to give, or the device is lost.
        Err(AdminError::NoQueue(_)) => None,
        Err(_) => {
            queue_failed(state, file, at);
            None
        }
    }
}

/// There is no queue for a lane: what waits for it ends as aborted.
fn queue_failed(state: &mut State, file: *mut File, at: usize) {
    state.queues_taken = state.queues_taken.saturating_sub(1);
    // SAFETY: files on the list are alive, and the lock is held.
    let file = unsafe { &mut *file };
    file.lanes[at].queue = LaneQueue::None;
    file.lanes[at].abort(|_| true);
    file.lanes[at].settle();
    file.look_at_waits();
}

/// Allocates a queue's rings and has the device told.
fn make_queue(
    card: &'static Card,
    mut platform: KmdfPlatform,
    mut request: QueueRequest,
    file: *mut File,
    direction: Direction,
) {
    let built = request.build(&mut platform).map_err(AdminError::from);
    card.state.with(|state| {
        let at = direction as usize;
        let installed = match &mut state.device {
            Some(device) => built.and_then(|()| device.install_queue(&mut request)),
            None => Err(StateError::NotRunning.into()),
        };
        // SAFETY: files are freed by this work item alone, and the lock is held.
        let lane = unsafe { &mut (&mut (*file).lanes)[at] };
        match installed {
            Ok((queue, ticket)) => {
                lane.queue = LaneQueue::Creating(queue, Waiting::new(ticket));
            }
            // After the reset.
            Err(AdminError::State(StateError::NotRunning) | AdminError::Full { .. }) => {
                lane.queue = LaneQueue::Wanted;
            }
            Err(_) => queue_failed(state, file, at),
        }
    });
    // Empty if it was installed.
    request.retire().release(&mut platform);
}

/// The next list to make: of the lane that has the fewest.
fn next_list(state: &mut State) -> Found {
    if state.lists >= state.depth || state.short_until > now_ns() || state.serving().is_err() {
        return Found::Nothing;
    }
    let mut best: Option<(u32, *mut File, usize, u64)> = None;
    for file in state.files() {
        // SAFETY: files on the list are alive, and the lock is held.
        let open = unsafe { &mut *file };
        for (at, lane) in open.lanes.iter_mut().enumerate() {
            if let Some(index) = lane.first_unprepared()
                && best.is_none_or(|(lists, ..)| lane.lists < lists)
            {
                best = Some((lane.lists, file, at, index));
            }
        }
    }
    let Some((_, file, at, index)) = best else {
        return Found::Nothing;
    };
    // SAFETY: as above.
    let open = unsafe { &mut *file };
    let lane = &mut open.lanes[at];
    let direction = lane.direction;
    let record = *lane.at(index);
    let Ok(device) = state.serving() else {
        return Found::Nothing;
    };
    let requested = match record.region {
        Some(region) => device.request_list(region, record.offset, record.length, direction),
        None => Err(RegisterError::Empty),
    };
    match requested {
        Ok(request) => {
            lane.at(index).stage = Stage::Building;
            state.lists += 1;
            Found::Step(Step::List(request, file, direction, index))
        }
        Err(error) if error.is_shortage() => {
            state.list_outcome(true);
            Found::Nothing
        }
        Err(RegisterError::State(_)) => Found::Nothing,
        Err(_) => {
            lane.end(index);
            lane.settle();
            open.look_at_waits();
            Found::Again
        }
    }
}

/// Maps a transfer and makes its list.
fn make_list(
    card: &'static Card,
    mut platform: KmdfPlatform,
    mut request: Request,
    (file, direction, index): (*mut File, Direction, u64),
) {
    let begun = now_ns();
    let built = request.build(&mut platform);
    let setup_ns = now_ns().saturating_sub(begun);
    let made = card.state.with(|state| {
        let installed = match &mut state.device {
            Some(device) => device.try_install(&mut request),
            None => Err(StateError::NotRunning.into()),
        };
        // SAFETY: files are freed by this work item alone, and the lock is held.
        let open = unsafe { &mut *file };
        let lane = &mut open.lanes[direction as usize];
        let made = match built.and(installed) {
            Ok(list) => {
                lane.listed(index, list, setup_ns);
                state.totals.lists += 1;
                state.totals.list_ns += setup_ns;
                state.list_outcome(false);
                true
            }
            Err(error) => {
                state.lists = state.lists.saturating_sub(1);
                let (now, others) = (now_ns(), state.lists);
                let record = lane.at(index);
                let short = error.is_shortage();
                if short && record.short_since == 0 {
                    record.short_since = now.max(1);
                }
                let waited = now.saturating_sub(record.short_since);
                let later = match error {
                    RegisterError::State(StateError::NotRunning) => true,
                    _ => short && (others != 0 || waited < SHORTAGE_LIMIT_NS),
                };
                if later && !record.doomed {
                    record.stage = Stage::Unprepared;
                } else {
                    lane.end(index);
                }
                if short {
                    state.list_outcome(true);
                }
                false
            }
        };
        turn(state, open, None);
        made
    });
    if !made {
        let mut retired = request.retire();
        retired.release(&mut platform);
        card.state.with(|state| state.put_back(retired));
    }
}
