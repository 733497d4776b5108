//! Completion entries and wake-ups against sixteen tails.

use super::CompletionUnit;
use crate::testing::{Result, chance, configure, get128, reset, seeded, set_all};
use pinring_protocol::{CompletionEntry, QueueContext, Status};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};

mod moderation;

struct Bench {
    dut: Pair<CompletionUnit>,
    contexts: Vec<QueueContext>,
    tails: [u16; 16],
    /// The record that was taken last, as its entry must look, and its queue.
    record: Option<(usize, CompletionEntry)>,
    vectors: Vec<u64>,
    entries: usize,
    now: u64,
}

impl Bench {
    /// Queues that are not moderated.
    fn new(random: &mut StdRng) -> Result<Self> {
        let contexts = (0..16).map(|id| {
            QueueContext::new()
                .with_cq_address(random.random::<u64>() >> 8 << 6)
                .with_cq_entries_log2(random.random_range(1..=4))
                .with_vector(15 - id)
        });
        Self::with(contexts.collect())
    }

    /// Queue q has context q and vector 15 - q.
    fn with(contexts: Vec<QueueContext>) -> Result<Self> {
        let mut dut = Pair::new(
            CompletionUnit::default(),
            ports!(CompletionUnit {
                clock: clock;
                in reset, timestamp, cfg_write, cfg_queue, cfg_word, cfg_data, db_valid, db_queue, db_head, db_arm, rec_valid,
                    rec_queue, rec_index, rec_cookie, rec_user, rec_status, rec_bytes, rec_eop, entry_ready, irq_ready;
                out rec_ready, entry_valid, entry_addr, entry_low, entry_high, irq_valid, irq_vector
            }),
        )?;
        reset(&mut dut)?;
        for (id, context) in (0..).zip(&contexts) {
            configure(&mut dut, id, context)?;
        }
        Ok(Self {
            dut,
            contexts,
            tails: [0; 16],
            record: None,
            vectors: Vec::new(),
            entries: 0,
            now: 0,
        })
    }

    fn offer(&mut self, queue: usize, random: &mut StdRng) -> Result {
        let fields = [
            ("rec_valid", 1),
            ("rec_queue", queue as u64),
            ("rec_index", random.random::<u16>().into()),
            ("rec_cookie", random.random()),
            ("rec_user", random.random::<u32>().into()),
            (
                "rec_status",
                random.random_range(0..=Status::Rejected.code()),
            ),
            ("rec_bytes", random.random::<u64>() >> 16),
            ("rec_eop", random.random_range(0..2)),
        ];
        set_all(&mut self.dut, &fields)
    }

    fn ring(&mut self, queue: usize, head: u16, arm: bool) -> Result {
        set_all(
            &mut self.dut,
            &[
                ("db_valid", 1),
                ("db_queue", queue as u64),
                ("db_head", head.into()),
                ("db_arm", arm.into()),
            ],
        )
    }

    fn step(&mut self) -> Result {
        let dut = &mut self.dut;
        self.now += 3;
        dut.set("timestamp", self.now)?;
        if dut.is("entry_valid")? {
            let (queue, mut entry) = self.record.expect("an entry follows a record");
            let (tail, context) = (self.tails[queue], &self.contexts[queue]);
            let size = 1 << context.cq_entries_log2();
            // Phase 1 on the first lap, 0 on the second.
            entry.set_phase(tail / size % 2 == 0);
            let raw = entry
                .to_words()
                .iter()
                .rev()
                .map(|word| u128::from(*word))
                .collect::<Vec<_>>();
            let join = |words: &[u128]| words.iter().fold(0, |value, word| value << 32 | word);
            assert_eq!(
                get128(dut, "entry_high")?,
                join(&raw[..4]),
                "queue {queue}, tail {tail}"
            );
            assert_eq!(
                get128(dut, "entry_low")?,
                join(&raw[4..]),
                "queue {queue}, tail {tail}"
            );
            assert_eq!(
                dut.get("entry_addr")?,
                context
                    .cq_address()
                    .wrapping_add(u64::from(tail % size) * 32)
            );
            if dut.is("entry_ready")? {
                self.tails[queue] = tail.wrapping_add(1);
                self.record = None;
                self.entries += 1;
            }
        }
        if dut.is("irq_valid")? && dut.is("irq_ready")? {
            self.vectors.push(dut.get("irq_vector")?);
        }
        let taken = dut.is("rec_valid")? && dut.is("rec_ready")?;
        if taken {
            let queue = dut.get("rec_queue")? as usize;
            let entry = CompletionEntry::new()
                .with_cookie(dut.get("rec_cookie")?)
                .with_timestamp(self.now)
                .with_bytes_moved(dut.get("rec_bytes")?)
                .with_status(Status::from_code(dut.get("rec_status")?).expect("a status"))
                .with_user(dut.get("rec_user")? as u32)
                .with_slot(dut.get("rec_index")? as u16)
                .with_queue(queue as u16)
                .with_eop(dut.is("rec_eop")?);
            assert!(
                self.record.replace((queue, entry)).is_none(),
                "one record at a time"
            );
        }
        dut.step()?;
        if taken {
            dut.set("rec_valid", false)?;
        }
        dut.set("db_valid", false)
    }

    fn run(&mut self, cycles: usize) -> Result {
        (0..cycles).try_for_each(|_| self.step())
    }
}

/// Entries over several laps, with a driver that follows them by its interrupts alone: if one were lost, it would stop.
#[test]
fn entries_and_wake_ups() -> Result {
    let mut random = seeded(1);
    let mut bench = Bench::new(&mut random)?;
    let mut offered = [0u16; 16];
    let mut heads = [0u16; 16];
    for queue in 0..16 {
        bench.ring(queue, 0, true)?;
        bench.step()?;
    }
    let mut seen = 0;
    let mut interrupts = 0;
    for cycle in 0..8000 {
        bench.dut.set("entry_ready", chance(&mut random, 60))?;
        bench.dut.set("irq_ready", chance(&mut random, 60))?;
        // The last thousand cycles bring no records: everything written must have been seen at the end.
        let queue = random.random_range(0..16);
        if cycle < 7000 && !bench.dut.is("rec_valid")? && chance(&mut random, 30) {
            let size = 1 << bench.contexts[queue].cq_entries_log2();
            if offered[queue].wrapping_sub(heads[queue]) < size {
                offered[queue] += 1;
                bench.offer(queue, &mut random)?;
            }
        }
        if seen < bench.vectors.len() {
            // The driver wakes up, looks at its ring up to a moment ago, and arms with what it saw.
            let queue = 15 - bench.vectors[seen] as usize;
            interrupts += 1;
            let written = bench.tails[queue].wrapping_sub(heads[queue]);
            heads[queue] = heads[queue].wrapping_add(random.random_range(0..=written));
            bench.ring(queue, heads[queue], true)?;
            seen += 1;
        }
        bench.step()?;
    }
    assert_eq!(bench.tails, offered, "every record gives one entry");
    assert_eq!(heads, offered, "every entry is seen");
    assert!(
        heads.iter().all(|head| *head > 16),
        "all rings go round: {heads:?}"
    );
    assert!(interrupts > 300, "only {interrupts} interrupts");
    Ok(())
}

/// A queue that is not armed stays silent, one that is armed fires once.
#[test]
fn interrupts_are_for_the_armed() -> Result {
    let mut random = seeded(2);
    let mut bench = Bench::new(&mut random)?;
    set_all(&mut bench.dut, &[("entry_ready", 1), ("irq_ready", 1)])?;
    bench.ring(4, 0, true)?;
    bench.step()?;
    for queue in [3, 4, 4] {
        bench.offer(queue, &mut random)?;
        bench.run(12)?;
    }
    assert_eq!((bench.entries, &*bench.vectors), (3, &[15 - 4][..]));
    // A doorbell that does not arm changes nothing, one with a head behind fires at once and leaves the queue disarmed.
    bench.ring(4, 0, false)?;
    bench.run(5)?;
    assert_eq!(bench.vectors.len(), 1);
    bench.ring(4, 1, true)?;
    bench.run(5)?;
    assert_eq!(bench.vectors.len(), 2);
    bench.offer(4, &mut random)?;
    bench.run(12)?;
    assert_eq!(bench.vectors.len(), 2);
    Ok(())
}

/// An arming write in each cycle around an entry's. The driver has seen all earlier entries, but not this one, so it must be
/// woken in every order, and once.
#[test]
fn arm_and_entry_race() -> Result {
    let mut random = seeded(3);
    let mut bench = Bench::new(&mut random)?;
    set_all(&mut bench.dut, &[("entry_ready", 1), ("irq_ready", 1)])?;
    for armed in [false, true] {
        for distance in 0..10 {
            let seen = bench.tails[7];
            if armed {
                bench.ring(7, seen, true)?;
                bench.step()?;
            }
            let before = bench.vectors.len();
            bench.offer(7, &mut random)?;
            for cycle in 0..20 {
                if cycle == distance {
                    bench.ring(7, seen, true)?;
                }
                bench.step()?;
            }
            let woken = bench.vectors.len() - before;
            // Armed before, the entry may fire and the late arming once more, as it has not seen the entry.
            let most = if armed { 2 } else { 1 };
            assert!(
                (1..=most).contains(&woken),
                "{woken} interrupts, arming {distance} cycles after the record"
            );
            // Nothing is left over for the next round.
            let left = bench.tails[7].wrapping_sub(1);
            bench.ring(7, left, true)?;
            bench.run(10)?;
        }
    }
    Ok(())
}

/// Another queue is set up in each cycle around an entry's: every entry goes out once, and stands until it is taken.
#[test]
fn entries_while_queues_are_set_up() -> Result {
    let mut random = seeded(4);
    let mut bench = Bench::new(&mut random)?;
    bench.dut.set("irq_ready", true)?;
    for ready_at in 1..5 {
        for distance in 0..8 {
            let (before, wakes) = (bench.tails[7], bench.vectors.len());
            bench.ring(7, before, true)?;
            bench.step()?;
            bench.offer(7, &mut random)?;
            let mut offered = false;
            for cycle in 0..14 {
                let word = (cycle >= distance)
                    .then(|| [0, 1, 2, 1].get(cycle - distance).copied())
                    .flatten();
                set_all(
                    &mut bench.dut,
                    &[
                        ("cfg_write", word.is_some().into()),
                        ("cfg_queue", 3),
                        ("cfg_word", word.unwrap_or(0)),
                        ("cfg_data", 0),
                        ("entry_ready", (cycle >= ready_at && offered).into()),
                    ],
                )?;
                let valid = bench.dut.is("entry_valid")?;
                assert!(
                    valid || !offered || bench.tails[7] != before,
                    "the entry is taken back"
                );
                offered = valid;
                bench.step()?;
            }
            assert_eq!(bench.tails[7], before.wrapping_add(1), "one entry");
            assert_eq!(bench.vectors.len(), wakes + 1, "one interrupt");
        }
    }
    Ok(())
}

/// What armed a queue, or made its vector due, is gone when its number is used again.
#[test]
fn a_new_queue_is_not_armed() -> Result {
    let mut random = seeded(5);
    let mut bench = Bench::new(&mut random)?;
    set_all(&mut bench.dut, &[("entry_ready", 1), ("irq_ready", 1)])?;
    bench.ring(5, 0, true)?;
    bench.step()?;
    let context = bench.contexts[5];
    configure(&mut bench.dut, 5, &context)?;
    bench.offer(5, &mut random)?;
    bench.run(12)?;
    assert_eq!((bench.entries, bench.vectors.len()), (1, 0));
    // Its vector is due, and cannot go.
    bench.dut.set("irq_ready", false)?;
    bench.ring(5, 0, true)?;
    bench.run(3)?;
    assert!(bench.dut.is("irq_valid")?);
    configure(&mut bench.dut, 5, &context)?;
    bench.tails[5] = 0;
    assert!(!bench.dut.is("irq_valid")?);
    bench.dut.set("irq_ready", true)?;
    bench.ring(5, 0, true)?;
    bench.offer(5, &mut random)?;
    bench.run(12)?;
    assert_eq!((bench.entries, bench.vectors.len()), (2, 1));
    Ok(())
}
