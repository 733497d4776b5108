//! Events and completion ports.

use std::collections::VecDeque;

use super::{block, enter};
use crate::world::{WaitKey, World, with};

/// An event of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(pub(super) u64);

pub(super) struct EventState {
    set: bool,
    manual: bool,
}

/// A completion port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub(super) u64);

#[derive(Default)]
pub(super) struct PortState {
    packets: VecDeque<Packet>,
}

/// What a completion port gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The key with which the handle was associated.
    pub key: u64,
    /// Which operation.
    pub pending: super::Pending,
    /// Its result.
    pub completion: super::Completion,
}

/// Makes an event; a manual one stays set until it is reset.
#[must_use]
pub fn create_event(manual: bool, set: bool) -> Event {
    enter("CreateEvent");
    with(|w| {
        let number = w.unique();
        w.io.events.insert(number, EventState { set, manual });
        Event(number)
    })
}

/// Sets an event.
pub fn set_event(event: Event) {
    enter("SetEvent");
    with(|w| signal(w, event.0));
}

/// Clears an event.
pub fn reset_event(event: Event) {
    enter("ResetEvent");
    with(|w| {
        if let Some(state) = w.io.events.get_mut(&event.0) {
            state.set = false;
        }
    });
}

/// Sets an event.
pub(super) fn signal(w: &mut World, event: u64) {
    if let Some(state) = w.io.events.get_mut(&event) {
        state.set = true;
    }
    w.wake(WaitKey(event));
}

/// Waits for an event, at most `timeout_ps` if given; true if it was set.
#[must_use]
pub fn wait_event(event: Event, timeout_ps: Option<u64>) -> bool {
    wait_any(&[event], timeout_ps).is_some()
}

/// Waits for any of the events, at most `timeout_ps` if given; gives the first that was set.
#[must_use]
pub fn wait_any(events: &[Event], timeout_ps: Option<u64>) -> Option<usize> {
    enter("WaitForMultipleObjects");
    let deadline = deadline(timeout_ps);
    let keys: Vec<WaitKey> = events.iter().map(|event| WaitKey(event.0)).collect();
    loop {
        let set = with(|w| events.iter().position(|event| take_if_set(w, event.0)));
        if set.is_some() {
            return set;
        }
        if deadline.is_some_and(|deadline| with(|w| w.now_ps()) >= deadline) {
            return None;
        }
        super::block_any(&keys, deadline);
    }
}

fn take_if_set(w: &mut World, event: u64) -> bool {
    let Some(state) = w.io.events.get_mut(&event) else {
        return false;
    };
    let set = state.set;
    state.set = set && state.manual;
    set
}

/// When a time-out ends.
pub(super) fn deadline(timeout_ps: Option<u64>) -> Option<u64> {
    timeout_ps.map(|timeout| with(|w| w.now_ps()).saturating_add(timeout))
}

/// Makes a completion port.
#[must_use]
pub fn create_port() -> Port {
    enter("CreateIoCompletionPort");
    with(|w| {
        let number = w.unique();
        w.io.ports.insert(number, PortState::default());
        Port(number)
    })
}

pub(super) fn post(w: &mut World, port: u64, packet: Packet) {
    if let Some(state) = w.io.ports.get_mut(&port) {
        state.packets.push_back(packet);
    }
    w.wake(WaitKey(port));
}

/// Takes the next packet of a port, waiting at most `timeout_ps` if given.
#[must_use]
pub fn dequeue(port: Port, timeout_ps: Option<u64>) -> Option<Packet> {
    enter("GetQueuedCompletionStatus");
    let deadline = deadline(timeout_ps);
    loop {
        let packet = with(|w| {
            w.io.ports
                .get_mut(&port.0)
                .and_then(|state| state.packets.pop_front())
        });
        if packet.is_some() {
            return packet;
        }
        if deadline.is_some_and(|deadline| with(|w| w.now_ps()) >= deadline) {
            return None;
        }
        block(WaitKey(port.0), deadline);
    }
}

/// The state with the event not set.
pub(super) fn cleared(state: &EventState) -> EventState {
    EventState {
        set: false,
        manual: state.manual,
    }
}
