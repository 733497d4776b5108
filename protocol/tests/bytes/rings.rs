//! Ring indices against a peer that says anything: neither side ever holds more than the ring has, nothing is given out twice, and an index
//! that cannot be is refused without a trace.

use pinring_protocol::ring::{
    Consumer, HostRing, PhaseConsumer, Producer, RingError, RingIndex, RingSize,
};

/// Decodes the bytes into a ring size and a sequence of steps of both sides.
///
/// # Panics
/// A ring did what it must not.
pub fn run(bytes: &[u8]) {
    let Some((&head, steps)) = bytes.split_first() else {
        return;
    };
    let size = match RingSize::new(head) {
        Ok(size) => size,
        Err(error) => {
            assert!(!(1..=15).contains(&head), "{error}");
            return;
        }
    };
    let mut sides = Sides {
        size,
        producer: Producer::new(size),
        consumer: Consumer::new(size),
        phases: PhaseConsumer::new(size),
        host: HostRing::new(size),
        pushed: 0,
        freed: 0,
        told: 0,
        taken: 0,
        published: 0,
        reaped: 0,
        phased: 0,
    };
    for step in steps.chunks_exact(3) {
        let number = u16::from_le_bytes([step[1], step[2]]);
        sides.step(step[0], number);
        sides.hold();
    }
}

/// Both sides of rings of one size, and what has gone through them in all.
struct Sides {
    size: RingSize,
    producer: Producer,
    consumer: Consumer,
    phases: PhaseConsumer,
    host: HostRing,
    pushed: u64,
    freed: u64,
    told: u64,
    taken: u64,
    published: u64,
    reaped: u64,
    phased: u64,
}

impl Sides {
    fn step(&mut self, what: u8, number: u16) {
        let entries = u64::from(self.size.entries());
        match what % 7 {
            0 => {
                let full = self.pushed - self.freed == entries;
                let given = self.producer.push();
                assert_eq!(given, (!full).then_some(RingIndex(self.pushed as u16)));
                self.pushed += u64::from(!full);
            }
            1 => {
                let taken = number.wrapping_sub(self.freed as u16);
                let possible = u64::from(taken) <= self.pushed - self.freed;
                let said = self.producer.follow_head(RingIndex(number));
                assert_eq!(said.ok(), possible.then_some(taken));
                self.freed += u64::from(said.unwrap_or(0));
            }
            2 => {
                let waiting = self.told - self.taken;
                let claimed = u64::from(number.wrapping_sub(self.taken as u16));
                let possible = (waiting..=entries).contains(&claimed);
                let said = self.consumer.follow_tail(RingIndex(number));
                assert_eq!(said.is_ok(), possible, "{said:?}");
                assert_eq!(
                    u64::from(said.unwrap_or(0)),
                    if possible { claimed - waiting } else { 0 }
                );
                self.told += u64::from(said.unwrap_or(0));
            }
            3 => {
                let some = self.told > self.taken;
                let given = self.consumer.pop();
                assert_eq!(given, some.then_some(RingIndex(self.taken as u16)));
                self.taken += u64::from(some);
            }
            4 => {
                let phase = number & 1 != 0;
                let expected = (self.phased / entries).is_multiple_of(2);
                let given = self.phases.pop(phase);
                assert_eq!(given.is_some(), phase == expected);
                self.phased += u64::from(given.is_some());
            }
            5 => {
                let room = entries - (self.published - self.reaped);
                let said = self.host.publish(number);
                let possible = u64::from(number) <= room;
                self.published += if possible { u64::from(number) } else { 0 };
                self.judge(said.map(drop), possible);
            }
            _ => {
                let said = self.host.reap(number);
                let possible = u64::from(number) <= self.published - self.reaped;
                self.reaped += if possible { u64::from(number) } else { 0 };
                self.judge(said.map(drop), possible);
            }
        }
    }

    fn judge(&self, said: Result<(), RingError>, possible: bool) {
        match said {
            Ok(()) => assert!(possible),
            Err(error) => assert!(!possible && error.to_string().contains("index"), "{error}"),
        }
    }

    /// What holds after every step.
    fn hold(&self) {
        let entries = self.size.entries();
        assert_eq!(
            u64::from(self.producer.occupancy()),
            self.pushed - self.freed
        );
        assert_eq!(self.producer.free(), entries - self.producer.occupancy());
        assert_eq!(u64::from(self.consumer.occupancy()), self.told - self.taken);
        assert_eq!(
            u64::from(self.host.occupancy()),
            self.published - self.reaped
        );
        let oldest = self.host.oldest();
        let some = self.published > self.reaped;
        assert_eq!(oldest, some.then_some(RingIndex(self.reaped as u16)));
        assert!(self.phases.slot() < entries);
        assert_eq!(
            u64::from(self.phases.slot()),
            self.phased % u64::from(entries)
        );
        let full = self.host.occupancy() == entries;
        assert_eq!(self.host.reserve(0).is_none(), full);
    }
}
