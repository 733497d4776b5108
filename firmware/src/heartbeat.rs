//! When heartbeats are due.

use pinring_protocol::limits;

/// Time since the last heartbeat, in core cycles.
pub(crate) struct Heartbeat {
    last: u32,
    period: u32,
}

impl Heartbeat {
    /// The first heartbeat is sent at cycle `now`.
    pub(crate) fn new(core_hz: u32, now: u32) -> Self {
        Self {
            last: now,
            period: core_hz / 1_000_000 * limits::HEARTBEAT_US,
        }
    }

    /// Whether the next one is due at cycle `now`, which then counts as sent.
    #[inline]
    pub(crate) fn is_due(&mut self, now: u32) -> bool {
        let due = now.wrapping_sub(self.last) >= self.period;
        if due {
            self.last = now;
        }
        due
    }
}
