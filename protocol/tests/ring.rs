//! Ring arithmetic against a `VecDeque`.

use std::collections::VecDeque;

use pinring_protocol::ring::{
    Consumer, HostRing, PhaseConsumer, Producer, RingError, RingIndex, RingSize,
};
use proptest::prelude::*;

fn size(log2: u8) -> RingSize {
    RingSize::new(log2).expect("a possible size")
}

/// A producer whose ring has seen `start` entries go by.
fn aged(size: RingSize, start: u32) -> (Producer, Consumer) {
    let (mut producer, mut consumer) = (Producer::new(size), Consumer::new(size));
    for _ in 0..start {
        producer.push().expect("room");
        consumer.follow_tail(producer.tail()).expect("in range");
        consumer.pop().expect("an entry");
        producer.follow_head(consumer.head()).expect("in range");
    }
    (producer, consumer)
}

#[test]
fn sizes() {
    for log2 in [0, 16, 255] {
        assert_eq!(RingSize::new(log2), Err(RingError::Size { log2 }));
    }
    assert_eq!((size(1).entries(), size(15).entries()), (2, 32768));
}

#[test]
fn phase_is_one_on_the_first_lap_and_alternates() {
    for log2 in 1..=15 {
        let (size, entries) = (size(log2), 1u32 << log2);
        for index in 0..=u16::MAX {
            let lap = u32::from(index) / entries;
            assert_eq!(size.phase(RingIndex(index)), lap % 2 == 0);
            assert_eq!(
                u32::from(size.slot(RingIndex(index))),
                u32::from(index) % entries
            );
        }
        // The index wraps after an even number of laps, so the phase goes on alternating.
        assert_ne!(
            size.phase(RingIndex(u16::MAX)),
            size.phase(RingIndex(u16::MAX).plus(1))
        );
    }
}

#[test]
fn largest_ring_fills_to_its_last_entry_across_the_wrap() {
    let (mut producer, mut consumer) = aged(size(15), 65530);
    for i in 0..32768u16 {
        assert_eq!(producer.push(), Some(RingIndex(65530u16.wrapping_add(i))));
    }
    assert!(producer.is_full());
    assert_eq!(
        (producer.push(), producer.occupancy(), producer.free()),
        (None, 32768, 0)
    );
    assert_eq!(consumer.follow_tail(producer.tail()), Ok(32768));
    for _ in 0..32768 {
        assert!(consumer.pop().is_some());
    }
    assert_eq!((consumer.pop(), consumer.is_empty()), (None, true));
    assert_eq!(producer.follow_head(consumer.head()), Ok(32768));
    assert_eq!(producer.occupancy(), 0);
}

#[test]
fn an_index_out_of_range_is_refused_and_changes_nothing() {
    let (mut producer, mut consumer) = aged(size(2), 65535);
    producer.push();
    producer.push();
    for head in [65534, 2, 30000] {
        assert_eq!(
            producer.follow_head(RingIndex(head)),
            Err(RingError::Index {
                index: head,
                head: 65535,
                limit: 2
            })
        );
    }
    assert_eq!(producer.occupancy(), 2);
    assert_eq!(consumer.follow_tail(producer.tail()), Ok(2));
    for tail in [65535, 0, 4, 65000] {
        assert_eq!(
            consumer.follow_tail(RingIndex(tail)),
            Err(RingError::Index {
                index: tail,
                head: 65535,
                limit: 4
            })
        );
    }
    assert_eq!(
        (consumer.occupancy(), consumer.follow_tail(RingIndex(3))),
        (2, Ok(2))
    );
}

proptest! {
    #[test]
    fn producer_and_consumer_match_a_deque(log2 in 1u8..6, start in 0u32..70_000, steps in proptest::collection::vec((0u8..4, 1u16..40), 1..200)) {
        let size = size(log2);
        let (mut producer, mut consumer) = aged(size, start);
        let (mut written, mut told): (VecDeque<RingIndex>, usize) = (VecDeque::new(), 0);
        let mut freed = 0;
        for (step, count) in steps {
            match step {
                0 => for _ in 0..count {
                    let room = written.len() + freed < usize::from(size.entries());
                    let pushed = producer.push();
                    prop_assert_eq!(pushed.is_some(), room);
                    written.extend(pushed);
                },
                1 => {
                    prop_assert_eq!(consumer.follow_tail(producer.tail()), Ok((written.len() - told) as u16));
                    told = written.len();
                }
                2 => for _ in 0..count {
                    let expected = if told > 0 { written.pop_front() } else { None };
                    prop_assert_eq!(consumer.pop(), expected);
                    told -= usize::from(expected.is_some());
                    freed += usize::from(expected.is_some());
                },
                _ => {
                    prop_assert_eq!(producer.follow_head(consumer.head()), Ok(freed as u16));
                    freed = 0;
                }
            }
            prop_assert_eq!(usize::from(producer.occupancy()), written.len() + freed);
            prop_assert_eq!(usize::from(consumer.occupancy()), told);
            prop_assert_eq!(producer.is_full(), producer.free() == 0);
        }
    }

    /// The device writes entries with their phase, the host finds exactly those, in a ring that starts zeroed.
    #[test]
    fn phase_consumer_matches_a_deque(log2 in 1u8..6, steps in proptest::collection::vec(any::<bool>(), 1..2000)) {
        let size = size(log2);
        let mut memory = vec![(false, RingIndex(0)); size.entries().into()];
        let (mut consumer, mut waiting, mut tail) = (PhaseConsumer::new(size), VecDeque::new(), RingIndex(0));
        for write in steps {
            if write && waiting.len() < memory.len() {
                memory[usize::from(size.slot(tail))] = (size.phase(tail), tail);
                waiting.push_back(tail);
                tail = tail.plus(1);
            } else if !write {
                let (phase, index) = memory[usize::from(consumer.slot())];
                let expected = waiting.pop_front();
                prop_assert_eq!(consumer.pop(phase), expected);
                prop_assert!(expected.is_none_or(|expected| expected == index));
            }
        }
    }

    #[test]
    fn host_ring_matches_a_deque(log2 in 1u8..6, start in 0u32..70_000, steps in proptest::collection::vec((any::<bool>(), 0u16..40), 1..200)) {
        let ring = HostRing::new(size(log2));
        for _ in 0..start {
            ring.publish(1)?;
            ring.reap(1)?;
        }
        let (mut model, mut next) = (VecDeque::new(), RingIndex(start as u16));
        let entries = usize::from(ring.size().entries());
        for (submit, count) in steps {
            let n = usize::from(count);
            if submit {
                let fits = model.len() + n <= entries;
                for ahead in 0..count {
                    let expected = (model.len() + usize::from(ahead) < entries).then(|| next.plus(ahead));
                    prop_assert_eq!(ring.reserve(ahead), expected);
                }
                let doorbell = ring.publish(count);
                prop_assert_eq!(doorbell.is_ok(), fits);
                if let Ok(doorbell) = doorbell {
                    model.extend((0..count).map(|ahead| next.plus(ahead)));
                    next = next.plus(count);
                    prop_assert_eq!(doorbell.sq_tail(), next.0);
                }
            } else {
                let doorbell = ring.reap(count);
                prop_assert_eq!(doorbell.is_ok(), n <= model.len());
                if let Ok(doorbell) = doorbell {
                    model.drain(..n);
                    prop_assert_eq!(doorbell.cq_head(), model.front().copied().unwrap_or(next).0);
                }
            }
            prop_assert_eq!(ring.oldest(), model.front().copied());
            prop_assert_eq!(usize::from(ring.occupancy()), model.len());
        }
    }
}
