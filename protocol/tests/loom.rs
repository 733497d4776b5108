//! The host-side ring under every interleaving of a submitting thread and a reaping interrupt.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p pinring-protocol --test loom --release`
#![cfg(loom)]

use std::sync::atomic::{AtomicUsize, Ordering};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use pinring_protocol::ring::{HostRing, RingIndex, RingSize};

/// A ring with the driver's state per slot: loom fails the run if two threads touch a slot without an order between them.
struct Queue {
    ring: HostRing,
    slots: Vec<UnsafeCell<u16>>,
}

impl Queue {
    fn new() -> Arc<Self> {
        let size = RingSize::new(1).expect("two entries");
        let slots = (0..size.entries())
            .map(|_| UnsafeCell::new(u16::MAX))
            .collect();
        Arc::new(Self {
            ring: HostRing::new(size),
            slots,
        })
    }

    fn slot(&self, index: RingIndex) -> &UnsafeCell<u16> {
        &self.slots[usize::from(self.ring.size().slot(index))]
    }

    /// Submits the next entry if there is room.
    fn submit(&self) -> bool {
        let Some(index) = self.ring.reserve(0) else {
            return false;
        };
        // SAFETY: the reserved slot is the submitter's alone until it is published; loom checks just that.
        self.slot(index)
            .with_mut(|state| unsafe { *state = index.0 });
        let doorbell = self.ring.publish(1).expect("reserved room");
        assert_eq!(doorbell.sq_tail(), index.plus(1).0);
        true
    }

    /// Reaps the oldest entry if there is one.
    fn reap(&self) -> Option<u16> {
        let index = self.ring.oldest()?;
        // SAFETY: a published slot is the reaper's alone until it is reaped; loom checks just that.
        let state = self
            .slot(index)
            .with_mut(|state| unsafe { core::mem::replace(&mut *state, u16::MAX) });
        assert_eq!(state, index.0, "the slot holds what was submitted");
        let doorbell = self.ring.reap(1).expect("published");
        assert_eq!(doorbell.cq_head(), index.plus(1).0);
        Some(index.0)
    }
}

/// Three submissions through a ring of two, so that a slot is used again. Each side waits for the other by yielding, which is
/// where loom switches: without a wait its search ends after one interleaving, as it looks only at the last access of an atomic.
#[test]
fn submitter_and_reaper_never_share_a_slot() {
    static INTERLEAVINGS: AtomicUsize = AtomicUsize::new(0);
    loom::model(|| {
        INTERLEAVINGS.fetch_add(1, Ordering::Relaxed);
        let queue = Queue::new();
        let submitter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for _ in 0..3 {
                    while !queue.submit() {
                        thread::yield_now();
                    }
                }
            })
        };
        for expected in 0..3 {
            let reaped = loop {
                match queue.reap() {
                    Some(index) => break index,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(reaped, expected, "each entry once, in order");
        }
        submitter.join().expect("the submitter ends");
        assert_eq!(queue.ring.occupancy(), 0);
    });
    let interleavings = INTERLEAVINGS.load(Ordering::Relaxed);
    assert!(
        interleavings > 10,
        "loom tried only {interleavings} interleavings"
    );
}

/// Both sides move their index at once: neither update is lost, and each doorbell tells a state that has been.
#[test]
fn no_update_is_lost() {
    loom::model(|| {
        let queue = Queue::new();
        assert!(queue.submit());
        let submitter = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.ring.publish(1).expect("room for one more"))
        };
        let reaped = queue.ring.reap(1).expect("one is published");
        let submitted = submitter.join().expect("the submitter ends");
        assert_eq!((submitted.sq_tail(), reaped.cq_head()), (2, 1));
        // Whoever came second saw the other's index.
        assert!(submitted.cq_head() == 1 || reaped.sq_tail() == 2);
        assert_eq!(queue.ring.occupancy(), 1);
    });
}
