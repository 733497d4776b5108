//! Moderated wake-ups: by count, by time, and none of them lost.

use super::Bench;
use crate::testing::{Result, chance, seeded, set_all};
use pinring_protocol::QueueContext;
use pinring_protocol::limits::MODERATION_CYCLES;
use rand::RngExt;
use std::collections::VecDeque;

/// Cycles from an entry's acceptance, or an arming write, to its interrupt request, if no other queue's is before it.
const OWN: usize = 4;

/// The same if every other queue's is.
const ALL: usize = OWN + 15;

fn context(queue: u16, count: u16, time: u16) -> QueueContext {
    QueueContext::new()
        .with_cq_address(u64::from(queue) << 20)
        .with_cq_entries_log2(6)
        .with_vector(15 - queue)
        .with_moderation_count(count)
        .with_moderation_time(time)
}

/// All queues with the same moderation, and nothing in the way of entries and interrupts.
fn bench(count: u16, time: u16) -> Result<Bench> {
    let mut bench = Bench::with((0..16).map(|queue| context(queue, count, time)).collect())?;
    set_all(&mut bench.dut, &[("entry_ready", 1), ("irq_ready", 1)])?;
    Ok(bench)
}

impl Bench {
    /// A record of the queue, up to the cycle in which its entry is taken.
    fn entry(&mut self, queue: usize) -> Result {
        let before = self.entries;
        self.offer(queue, &mut seeded(9))?;
        while self.entries == before {
            self.step()?;
        }
        Ok(())
    }

    /// Cycles until one more interrupt is requested; `None` if there is none in this many.
    fn wait(&mut self, most: usize) -> Result<Option<usize>> {
        let before = self.vectors.len();
        for cycle in 0..most {
            self.step()?;
            if self.vectors.len() > before {
                return Ok(Some(cycle));
            }
        }
        Ok(None)
    }
}

/// The moderation time of 5 units has passed, and at most one unit more.
fn in_time(waited: Option<usize>) -> bool {
    let unit = MODERATION_CYCLES as usize;
    waited.is_some_and(|cycles| (5 * unit..=6 * unit + OWN).contains(&cycles))
}

#[test]
fn fires_at_the_count() -> Result {
    let mut bench = bench(3, 5)?;
    bench.ring(4, 0, true)?;
    bench.step()?;
    for _ in 0..2 {
        bench.entry(4)?;
        assert_eq!(bench.wait(OWN)?, None, "below the count");
    }
    bench.entry(4)?;
    assert!(bench.wait(OWN)?.is_some(), "the third");
    // Fired once, and disarmed: nothing follows, whatever the time.
    bench.entry(4)?;
    assert_eq!(bench.wait(300)?, None);
    // An arming write that is behind by the count or more fires at once.
    for head in [0, 1] {
        bench.ring(4, head, true)?;
        assert!(bench.wait(OWN)?.is_some(), "head {head}, tail 4");
    }
    assert_eq!(bench.wait(300)?, None);
    Ok(())
}

#[test]
fn fires_at_the_time() -> Result {
    let mut bench = bench(3, 5)?;
    // From the first entry that the head has not seen: queue 6 gets a second one, which changes nothing.
    for (queue, entries) in [(2, 1), (6, 2)] {
        bench.ring(queue, 0, true)?;
        assert_eq!(bench.wait(300)?, None, "armed and not behind");
        bench.entry(queue)?;
        let between = if entries == 2 {
            assert_eq!(bench.wait(40)?, None);
            let before = bench.now;
            bench.entry(queue)?;
            40 + ((bench.now - before) / 3) as usize
        } else {
            0
        };
        let waited = bench.wait(200)?.map(|cycles| cycles + between);
        assert!(in_time(waited), "{entries} entries: {waited:?}");
        assert_eq!(bench.wait(300)?, None, "once");
        // From the arming write, if that is behind already.
        bench.ring(queue, entries - 1, true)?;
        let waited = bench.wait(200)?;
        assert!(in_time(waited), "behind: {waited:?}");
        // With a head that has seen everything, not at all.
        bench.ring(queue, entries, true)?;
        assert_eq!(bench.wait(300)?, None, "nothing is unseen");
    }
    Ok(())
}

/// Submissions of a driver that has not reaped arm again with the same head. That must not put the wake-up off.
#[test]
fn arming_again_does_not_postpone() -> Result {
    let mut bench = bench(100, 5)?;
    bench.ring(1, 0, true)?;
    bench.step()?;
    bench.entry(1)?;
    let mut waited = 0;
    while bench.vectors.is_empty() {
        assert!(waited < 200, "put off");
        if waited % 7 == 0 {
            bench.ring(1, 0, true)?;
        }
        bench.step()?;
        waited += 1;
    }
    assert!(in_time(Some(waited - 1)), "{waited}");
    Ok(())
}

/// A set-up that brings no moderation, as the admin queue's, leaves none of the number's last one.
#[test]
fn a_new_queue_is_not_moderated() -> Result {
    let mut bench = bench(3, 5)?;
    let words = context(5, 0, 0).to_words();
    for word in 0..3 {
        let data = u64::from(words[2 * word + 1]) << 32 | u64::from(words[2 * word]);
        set_all(
            &mut bench.dut,
            &[
                ("cfg_write", 1),
                ("cfg_queue", 5),
                ("cfg_word", word as u64),
                ("cfg_data", data),
            ],
        )?;
        bench.step()?;
    }
    bench.dut.set("cfg_write", false)?;
    bench.ring(5, 0, true)?;
    bench.step()?;
    bench.entry(5)?;
    assert!(bench.wait(OWN)?.is_some());
    Ok(())
}

/// What the model of a queue's driver does.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Host {
    /// Looks at its ring in this cycle.
    Awake(usize),
    /// Has looked; its arming write is under way.
    Arming,
    /// Sleeps since its arming write arrived.
    Asleep,
}

/// Drivers of sixteen queues that reap what they see, arm with it a moment later, and sleep until an interrupt. One that sleeps
/// with unseen entries is woken within the stated time, however arming writes and entries meet.
#[test]
fn no_wake_up_is_lost() -> Result {
    const CYCLES: usize = 16_000;
    let mut random = seeded(6);
    let counts = [0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 8, 16, 16, 100, u16::MAX];
    let times = [0, 0, 1, 9, 2, 30, 3, 20, 40, 1, 5, 60, 10, 90, 15, 25];
    let contexts =
        (0..16).map(|queue| context(queue, counts[queue as usize], times[queue as usize]));
    let mut bench = Bench::with(contexts.collect())?;
    bench.dut.set("irq_ready", true)?;
    let mut hosts = [Host::Awake(0); 16];
    let mut seen = [0u16; 16];
    let mut offered = [0u16; 16];
    // Interrupts that came while the driver was awake: it looks again before it sleeps.
    let mut again = [false; 16];
    // Since when a sleeping driver has unseen entries, and since when as many as its count.
    let mut behind = [None; 16];
    let mut reached = [None; 16];
    let (mut arms, mut wakes) = ([0usize; 16], [0usize; 16]);
    let mut races = 0;
    let mut writes: VecDeque<(usize, usize)> = VecDeque::new();
    let mut taken = 0;
    for cycle in 0..CYCLES {
        bench.dut.set("entry_ready", chance(&mut random, 70))?;
        // The last part brings no records: what was written must have been seen at the end.
        let busy = cycle % 2000 < 1500;
        // Mostly a queue whose arming write is under way, so that the two meet.
        let arming = hosts.iter().position(|host| *host == Host::Arming);
        let queue = arming
            .filter(|_| chance(&mut random, 70))
            .unwrap_or_else(|| random.random_range(0..16));
        if cycle < CYCLES - 2000
            && !bench.dut.is("rec_valid")?
            && chance(&mut random, if busy { 60 } else { 2 })
            && offered[queue].wrapping_sub(seen[queue]) < 64
        {
            offered[queue] = offered[queue].wrapping_add(1);
            bench.offer(queue, &mut random)?;
        }
        for (queue, host) in hosts.iter_mut().enumerate() {
            if *host == Host::Awake(cycle) {
                seen[queue] = bench.tails[queue];
                *host = Host::Arming;
                writes.push_back((cycle + random.random_range(0..12), queue));
            }
        }
        // A sleeping driver submits now and then, which arms again with the same head.
        let queue = random.random_range(0..16);
        if hosts[queue] == Host::Asleep && chance(&mut random, 5) {
            writes.push_back((cycle, queue));
        }
        let due = writes.iter().position(|(at, _)| *at <= cycle);
        let rung = due
            .and_then(|place| writes.remove(place))
            .map(|(_, queue)| queue);
        if let Some(queue) = rung {
            bench.ring(queue, seen[queue], true)?;
            arms[queue] += 1;
            races += usize::from(hosts[queue] == Host::Arming && bench.tails[queue] != seen[queue]);
        }
        bench.step()?;
        if let Some(queue) = rung
            && hosts[queue] == Host::Arming
        {
            hosts[queue] = if std::mem::take(&mut again[queue]) {
                Host::Awake(cycle + 1 + random.random_range(0..16))
            } else {
                Host::Asleep
            };
        }
        while let Some(vector) = bench.vectors.get(taken) {
            let queue = 15 - *vector as usize;
            taken += 1;
            wakes[queue] += 1;
            if hosts[queue] == Host::Asleep {
                hosts[queue] = Host::Awake(cycle + 1 + random.random_range(0..16));
            } else {
                again[queue] = true;
            }
        }
        for queue in 0..16 {
            let unseen = bench.tails[queue].wrapping_sub(seen[queue]);
            let asleep = hosts[queue] == Host::Asleep;
            let track = |since: &mut Option<usize>, holds: bool, limit: usize, why: &str| {
                *since = (asleep && holds).then(|| since.unwrap_or(cycle));
                let waited = since.map_or(0, |since| cycle - since);
                assert!(
                    waited <= limit,
                    "queue {queue} sleeps for {waited} cycles with {unseen} unseen entries: {why}"
                );
            };
            let time = (usize::from(times[queue]) + 1) * MODERATION_CYCLES as usize;
            track(&mut behind[queue], unseen > 0, time + ALL, "the time");
            let enough = unseen >= counts[queue].max(1);
            track(&mut reached[queue], enough, ALL, "the count");
        }
    }
    assert_eq!(bench.tails, offered, "every record gives one entry");
    assert_eq!(seen, offered, "every entry is seen");
    for queue in 0..16 {
        // Each interrupt answers an arming write of its own.
        assert!(wakes[queue] <= arms[queue], "{wakes:?} {arms:?}");
        assert!(
            wakes[queue] >= 5,
            "queue {queue}: {} wake-ups",
            wakes[queue]
        );
    }
    let (arms, wakes) = (arms.iter().sum::<usize>(), wakes.iter().sum::<usize>());
    println!(
        "{arms} arming writes, {races} behind already, {wakes} wake-ups, {} entries",
        bench.entries
    );
    assert!(
        arms > 1000 && races > 80,
        "{arms} arming writes, {races} behind"
    );
    Ok(())
}
