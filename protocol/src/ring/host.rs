//! The index pair that a submitting thread and a reaping interrupt share.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

use super::{RingError, RingIndex, RingSize};
use crate::Doorbell;

/// Head and tail of a queue on the host, without a lock.
///
/// One thread at a time submits, one at a time reaps; the two run against each other freely. As one submission gives one completion,
/// in order, the head counts both the completions reaped and the submission slots freed. Both indices live in one word (the low
/// half of a [`Doorbell`]), so that every doorbell tells a state that has been. Two CPUs must not ring at the same time: the device takes
/// what the last doorbell says.
///
/// Memory that belongs to a slot passes from submitter to reaper by [`publish`](Self::publish), and back by
/// [`reap`](Self::reap).
#[derive(Debug)]
pub struct HostRing {
    size: RingSize,
    indices: AtomicU32,
}

impl HostRing {
    /// An empty ring.
    pub fn new(size: RingSize) -> Self {
        Self {
            size,
            indices: AtomicU32::new(0),
        }
    }

    /// Size of the ring.
    pub fn size(&self) -> RingSize {
        self.size
    }

    /// Submitter: the next entry to write, `ahead` entries behind those reserved but not yet published; `None` if the ring is full.
    pub fn reserve(&self, ahead: u16) -> Option<RingIndex> {
        let (head, tail) = self.load();
        let occupancy = tail.since(head).checked_add(ahead)?;
        (occupancy < self.size.entries()).then(|| tail.plus(ahead))
    }

    /// Submitter: hands `count` written entries over; returns the doorbell to ring.
    ///
    /// # Errors
    /// [`RingError::Index`] if the ring has no room for `count` entries.
    pub fn publish(&self, count: u16) -> Result<Doorbell, RingError> {
        self.advance(|head, tail| {
            let occupancy = tail
                .since(head)
                .checked_add(count)
                .filter(|&n| n <= self.size.entries());
            occupancy
                .map(|_| (head, tail.plus(count)))
                .ok_or(RingError::Index {
                    index: tail.plus(count).0,
                    head: head.0,
                    limit: self.size.entries(),
                })
        })
    }

    /// Reaper: the oldest entry not yet reaped; `None` if the ring is empty.
    pub fn oldest(&self) -> Option<RingIndex> {
        let (head, tail) = self.load();
        (head != tail).then_some(head)
    }

    /// Reaper: gives the slots of the `count` oldest entries back; returns the doorbell that tells the device.
    ///
    /// # Errors
    /// [`RingError::Index`] if fewer entries were published: the device completed what was never submitted.
    pub fn reap(&self, count: u16) -> Result<Doorbell, RingError> {
        self.advance(|head, tail| {
            let occupancy = tail.since(head);
            if count > occupancy {
                return Err(RingError::Index {
                    index: head.plus(count).0,
                    head: head.0,
                    limit: occupancy,
                });
            }
            Ok((head.plus(count), tail))
        })
    }

    /// Entries published and not yet reaped.
    pub fn occupancy(&self) -> u16 {
        let (head, tail) = self.load();
        tail.since(head)
    }

    fn load(&self) -> (RingIndex, RingIndex) {
        unpack(self.indices.load(Ordering::Acquire))
    }

    fn advance(
        &self,
        step: impl Fn(RingIndex, RingIndex) -> Result<(RingIndex, RingIndex), RingError>,
    ) -> Result<Doorbell, RingError> {
        let mut seen = self.indices.load(Ordering::Acquire);
        loop {
            let (head, tail) = unpack(seen);
            let (head, tail) = step(head, tail)?;
            let next = u32::from(head.0) << 16 | u32::from(tail.0);
            match self.indices.compare_exchange_weak(
                seen,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(Doorbell::new().with_sq_tail(tail.0).with_cq_head(head.0)),
                Err(now) => seen = now,
            }
        }
    }
}

fn unpack(indices: u32) -> (RingIndex, RingIndex) {
    (RingIndex((indices >> 16) as u16), RingIndex(indices as u16))
}
