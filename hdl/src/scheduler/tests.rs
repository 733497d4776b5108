//! The scheduler against sixteen heads and tails.

use super::QueueScheduler;
use crate::sizes::{Full, Sizes, Small};
use crate::testing::{Result, chance, configure, reset, seeded, set_all};
use pinring_protocol::limits::CONTEXTS;
use pinring_protocol::{Direction, QueueContext};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};

/// What a queue is known to hold.
#[derive(Clone, Default)]
struct Queue {
    context: QueueContext,
    enabled: bool,
    head: u16,
    tail: u16,
    reaped: u16,
}

impl Queue {
    fn random(random: &mut StdRng) -> Self {
        let context = QueueContext::new()
            .with_sq_address(random.random::<u64>() >> 8 << 6)
            .with_sq_entries_log2(random.random_range(1..=4))
            .with_cq_entries_log2(random.random_range(1..=4))
            .with_direction(if random.random() {
                Direction::C2h
            } else {
                Direction::H2c
            });
        Self {
            context,
            ..Self::default()
        }
    }

    fn entries(&self) -> u16 {
        1 << self.context.sq_entries_log2()
    }

    fn completions(&self) -> u16 {
        1 << self.context.cq_entries_log2()
    }

    /// Whether an entry waits and its completion has room.
    fn servable(&self) -> bool {
        let waiting = self.tail.wrapping_sub(self.head);
        self.enabled
            && (1..=self.entries()).contains(&waiting)
            && self.head.wrapping_sub(self.reaped) < self.completions()
    }

    /// Whose memory the entry of queue `id` goes to.
    fn target(&self, id: usize) -> u64 {
        if id == 0 {
            2
        } else {
            self.context.direction().expect("a direction") as u64
        }
    }
}

struct Bench<S: Sizes = Full> {
    dut: Pair<QueueScheduler<S>>,
    queues: Vec<Queue>,
    served: Vec<(usize, u16)>,
    /// Of each direction: whether a free context is offered.
    offers: [bool; 2],
    /// Queues that the taken contexts of each direction serve.
    held: [Vec<usize>; 2],
    /// How often one is given back, in percent.
    giving: u32,
    /// One was given back in the last cycle.
    gave: [bool; 2],
    /// What a slot names: queue, index, and whether all of it is there.
    hint: Option<(usize, u16, bool)>,
    /// How many entries were taken from slots.
    hints: usize,
    random: StdRng,
}

impl<S: Sizes> Bench<S> {
    fn new(seed: u64) -> Result<(Self, StdRng)> {
        let mut random = seeded(seed);
        let mut dut = Pair::new(
            QueueScheduler::default(),
            ports!(QueueScheduler<S> {
                clock: clock;
                in reset, db_valid, db_queue, db_tail, db_head, cfg_write, cfg_queue, cfg_word, cfg_data, switch_on,
                    switch_off, switch_queue, c2h_free, c2h_ctx, c2h_back, c2h_back_queue, h2c_free, h2c_ctx, h2c_back,
                    h2c_back_queue, admin_free, fetch_ready, hint_valid, hint_queue, hint_index, hint_whole;
                out switch_ready, enabled_queues, c2h_alloc, h2c_alloc, admin_alloc, alloc_queue, alloc_index, fetch_valid, fetch_addr,
                    fetch_target, fetch_id, fetch_word, waiting_entries, hint_ready, hint_take
            }),
        )?;
        reset(&mut dut)?;
        let queues: Vec<_> = (0..S::QUEUES).map(|_| Queue::random(&mut random)).collect();
        for (id, queue) in (0..).zip(&queues) {
            configure(&mut dut, id, &queue.context)?;
        }
        Ok((
            Self {
                dut,
                queues,
                served: Vec::new(),
                offers: [false; 2],
                held: [Vec::new(), Vec::new()],
                giving: 100,
                gave: [false; 2],
                hint: None,
                hints: 0,
                random: seeded(seed + 1000),
            },
            random,
        ))
    }

    /// All contexts free, and reads taken at once.
    fn free(&mut self) -> Result {
        self.offers = [true; 2];
        set_all(&mut self.dut, &[("admin_free", 1), ("fetch_ready", 1)])
    }

    fn ring(&mut self, id: usize, tail: u16, head: u16) -> Result {
        set_all(
            &mut self.dut,
            &[
                ("db_valid", 1),
                ("db_queue", id as u64),
                ("db_tail", tail.into()),
                ("db_head", head.into()),
            ],
        )
    }

    /// A slot is written; nothing else may be named before the scheduler has looked.
    fn name(&mut self, id: usize, index: u16, whole: bool) -> Result {
        assert_eq!(self.hint, None);
        self.hint = Some((id, index, whole));
        set_all(
            &mut self.dut,
            &[
                ("hint_valid", 1),
                ("hint_queue", id as u64),
                ("hint_index", index.into()),
                ("hint_whole", whole.into()),
            ],
        )
    }

    fn switch(&mut self, id: usize, on: bool) -> Result {
        self.dut.set("switch_queue", id as u64)?;
        self.dut
            .set(if on { "switch_on" } else { "switch_off" }, true)?;
        let from = self.dut.steps();
        while !self.dut.is("switch_ready")? {
            assert!(self.dut.steps() < from + 4, "the switch waits");
            self.step()?;
        }
        self.step()?;
        set_all(&mut self.dut, &[("switch_on", 0), ("switch_off", 0)])
    }

    /// A queue gives a context back.
    fn give_back_of(&mut self, id: usize, direction: usize) -> Result {
        let at = self.held[direction].iter().position(|by| *by == id);
        self.give_back(direction, at.expect("it holds one"))?;
        self.run(100)
    }

    /// A context of a direction is given back in this cycle.
    fn give_back(&mut self, direction: usize, at: usize) -> Result {
        let queue = self.held[direction].swap_remove(at);
        let name = ["c2h_back", "h2c_back"][direction];
        self.gave[direction] = true;
        self.dut.set(name, true)?;
        self.dut.set(&format!("{name}_queue"), queue as u64)
    }

    /// Whether a queue may take a context: it holds none, or leaves one for each that works and holds none, and one for a
    /// queue to come.
    fn may_take(&self, id: usize, direction: usize) -> bool {
        let held = &self.held[direction];
        let lacking = (1..).zip(&self.queues[1..]).filter(|(other, queue)| {
            queue.enabled && queue.target(*other) == direction as u64 && !held.contains(other)
        });
        let more = self.queues[1..].iter().any(|queue| !queue.enabled);
        !held.contains(&id) || held.len() + lacking.count() + usize::from(more) < S::CONTEXTS
    }

    /// One cycle: what is asked for must be due, and doorbells and switches reach the model.
    fn step(&mut self) -> Result {
        for direction in 0..2 {
            let free = self.offers[direction] && self.held[direction].len() < S::CONTEXTS;
            self.dut.set(["c2h_free", "h2c_free"][direction], free)?;
            let held = self.held[direction].len();
            if held > 0 && !self.gave[direction] && chance(&mut self.random, self.giving) {
                let at = self.random.random_range(0..held);
                self.give_back(direction, at)?;
            }
        }
        let taken_by = self.check()?;
        for direction in 0..2 {
            self.gave[direction] = self.dut.is(["c2h_back", "h2c_back"][direction])?;
            self.held[direction].extend(
                taken_by
                    .filter(|(at, _)| *at == direction)
                    .map(|(_, id)| id),
            );
        }
        if self.dut.is("hint_ready")? {
            self.hint = None;
        }
        self.dut.step()?;
        set_all(
            &mut self.dut,
            &[
                ("db_valid", 0),
                ("c2h_back", 0),
                ("h2c_back", 0),
                ("hint_valid", self.hint.is_some().into()),
            ],
        )
    }

    /// What a cycle asks for; gives the direction and the queue of a context that is taken in it.
    fn check(&mut self) -> Result<Option<(usize, usize)>> {
        let mut taken_by = None;
        let id = self.dut.get("alloc_queue")? as usize;
        let may_take = [0, 1].map(|direction| self.may_take(id, direction));
        let dut = &mut self.dut;
        let allocs = [
            dut.is("c2h_alloc")?,
            dut.is("h2c_alloc")?,
            dut.is("admin_alloc")?,
        ];
        let mut expected = [false; 3];
        let taken = dut.is("hint_take")?;
        let looked = dut.is("hint_ready")?;
        assert!(!taken || looked);
        if looked {
            let (named, index, whole) = self.hint.expect("a hint");
            assert_eq!(id, named);
            assert!(!dut.is("db_valid")? && !dut.is("fetch_valid")?);
            let queue = &mut self.queues[id];
            let waiting = queue.tail.wrapping_sub(queue.head);
            let beyond = index.wrapping_add(1).wrapping_sub(queue.head);
            if taken {
                assert!(whole && beyond == 1 && id != 0, "not the next entry");
                assert!(waiting <= queue.entries(), "an insane tail");
            }
            if queue.enabled && waiting < beyond && beyond <= queue.entries() {
                queue.tail = index.wrapping_add(1);
            }
        }
        if dut.is("fetch_valid")? | taken {
            let queue = &self.queues[id];
            let target = queue.target(id);
            assert!(
                queue.servable(),
                "queue {id}: {:?} {} {} {}",
                queue.enabled,
                queue.head,
                queue.tail,
                queue.reaped
            );
            let (free, ctx) = [
                ("c2h_free", "c2h_ctx"),
                ("h2c_free", "h2c_ctx"),
                ("admin_free", "c2h_ctx"),
            ][target as usize];
            assert!(dut.is(free)?, "no context for queue {id}");
            assert!(
                id == 0 || may_take[target as usize],
                "queue {id} takes what is kept for others: {:?}",
                self.held
            );
            let ctx = if id == 0 { 0 } else { dut.get(ctx)? };
            let slot = u64::from(queue.head % queue.entries());
            if !taken {
                assert_eq!(
                    dut.get("fetch_addr")?,
                    queue.context.sq_address().wrapping_add(slot * 64)
                );
            }
            assert_eq!(dut.get("fetch_target")?, target);
            assert_eq!(
                (dut.get("fetch_id")?, dut.get("fetch_word")?),
                (ctx, ctx * 8)
            );
            assert_eq!(dut.get("alloc_index")?, u64::from(queue.head));
            self.hints += usize::from(taken);
            expected[target as usize] = taken || dut.is("fetch_ready")?;
            if expected[target as usize] && id != 0 {
                taken_by = Some((target as usize, id));
            }
        }
        assert_eq!(allocs, expected);
        if expected.contains(&true) {
            self.served.push((id, self.queues[id].head));
            self.queues[id].head = self.queues[id].head.wrapping_add(1);
        }
        if dut.is("db_valid")? {
            let queue = &mut self.queues[dut.get("db_queue")? as usize];
            (queue.tail, queue.reaped) = (dut.get("db_tail")? as u16, dut.get("db_head")? as u16);
        }
        if dut.is("switch_ready")? {
            let queue = &mut self.queues[dut.get("switch_queue")? as usize];
            let context = queue.context;
            *queue = Queue {
                context,
                enabled: dut.is("switch_on")?,
                ..Queue::default()
            };
        }
        Ok(taken_by)
    }

    fn run(&mut self, cycles: usize) -> Result {
        (0..cycles).try_for_each(|_| self.step())
    }
}

#[test]
fn queues_take_turns() -> Result {
    let (mut bench, _) = <Bench>::new(1)?;
    for id in 0..16 {
        bench.switch(id, true)?;
    }
    for id in 0..16 {
        bench.ring(id, 2, 0)?;
        bench.step()?;
    }
    bench.free()?;
    bench.run(150)?;
    assert_eq!(bench.served.len(), 32);
    for h2c in [false, true] {
        let mut queues: Vec<_> = (0..16)
            .filter(|id| (bench.queues[*id].target(*id) == 1) == h2c)
            .collect();
        let order: Vec<_> = bench
            .served
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| queues.contains(id))
            .collect();
        let first = queues.iter().position(|id| *id == order[0]);
        queues.rotate_left(first.expect("a queue of this direction"));
        assert_eq!(order, queues.repeat(2), "in turn, H2C: {h2c}");
    }
    let half = &bench.served[..8];
    let downward = half
        .iter()
        .filter(|(id, _)| bench.queues[*id].target(*id) == 1);
    assert_eq!(downward.count(), 4, "the directions in turn: {half:?}");
    Ok(())
}

/// Contexts that come back one by one go round all queues that wait, at whatever pace; queues of the other direction, and what slots
/// name without being taken, make no difference.
#[test]
fn contexts_go_round_at_any_pace() -> Result {
    let mut bench = of_one_direction(Direction::H2c, 9)?;
    for id in 9..12 {
        let queue = &mut bench.queues[id];
        queue.context = queue.context.with_direction(Direction::C2h);
        configure(&mut bench.dut, id as u64, &queue.context)?;
    }
    for id in 1..12 {
        bench.switch(id, true)?;
    }
    let mut named = 0;
    for pace in (5..40).step_by(2) {
        // Entries without end; the first ones take what contexts there are.
        let refill = |bench: &mut Bench| -> Result {
            for id in 1..12 {
                let head = bench.queues[id].head;
                bench.ring(id, head.wrapping_add(16), head)?;
                bench.step()?;
            }
            Ok(())
        };
        refill(&mut bench)?;
        bench.run(100)?;
        bench.served.clear();
        for turn in 0..32 {
            // Old ones first, as transfers end.
            for direction in 0..2 {
                bench.held[direction].rotate_left(1);
                bench.give_back(direction, bench.held[direction].len() - 1)?;
            }
            // An entry that was read long ago, or one that waits already; both whole, and neither the next.
            let id = 1 + turn % 11;
            let ahead = [u16::MAX, 1][turn % 2];
            if bench.hint.is_none() {
                let index = bench.queues[id].head.wrapping_add(ahead);
                bench.name(id, index, true)?;
                named += 1;
            }
            bench.run(pace)?;
            if turn % 4 == 3 {
                refill(&mut bench)?;
            }
        }
        bench.run(100)?;
        let order: Vec<_> = bench.served.iter().map(|(id, _)| *id).collect();
        let downward: Vec<_> = order.iter().copied().filter(|id| *id < 9).collect();
        let upward: Vec<_> = order.iter().copied().filter(|id| *id >= 9).collect();
        for (order, queues) in [(downward, 8), (upward, 3)] {
            assert!(order.len() >= 32, "{} at {pace}", order.len());
            for round in order.windows(queues + 1) {
                assert_eq!(round[0], round[queues], "not in turn at {pace}: {order:?}");
            }
        }
    }
    assert!(named > 100 && bench.hints == 0, "{named} {}", bench.hints);
    Ok(())
}

#[test]
fn random_doorbells_and_switches() -> Result {
    random_run::<Full>(2)
}

#[test]
fn random_doorbells_and_switches_of_few_queues() -> Result {
    random_run::<Small>(8)
}

fn random_run<S: Sizes>(seed: u64) -> Result {
    let (mut bench, mut random) = Bench::<S>::new(seed)?;
    for cycle in 0..6000 {
        let id = random.random_range(0..S::QUEUES);
        let queue = bench.queues[id].clone();
        if chance(&mut random, 20) {
            // Entries that were read may have completed and been reaped.
            let ahead = random.random_range(0..=queue.entries());
            let unreaped = queue.head.wrapping_sub(queue.reaped);
            let reaped = queue.reaped.wrapping_add(random.random_range(0..=unreaped));
            let tail = queue.head.wrapping_add(ahead);
            match random.random_range(0..20) {
                0 => bench.ring(id, queue.head.wrapping_sub(ahead), reaped)?,
                1 => bench.ring(id, queue.head.wrapping_add(queue.entries() + 1), reaped)?,
                2 => bench.ring(id, tail, queue.head.wrapping_sub(100))?,
                _ => bench.ring(id, tail, reaped)?,
            }
        }
        if bench.hint.is_none() && chance(&mut random, 20) {
            let id = random.random_range(0..S::QUEUES);
            let queue = &bench.queues[id];
            let index = match random.random_range(0..8) {
                0..4 => queue.head,
                4 => queue.tail,
                5 => queue.head.wrapping_sub(random.random_range(1..20)),
                6 => queue
                    .head
                    .wrapping_add(random.random_range(0..=queue.entries())),
                _ => random.random(),
            };
            bench.name(id, index, chance(&mut random, 60))?;
        }
        if cycle < S::QUEUES || chance(&mut random, 1) {
            let id = if cycle < S::QUEUES { cycle } else { id };
            bench.switch(id, cycle < S::QUEUES || chance(&mut random, 70))?;
        }
        bench.offers = [(); 2].map(|()| chance(&mut random, 70));
        for input in ["admin_free", "fetch_ready"] {
            bench.dut.set(input, chance(&mut random, 50))?;
        }
        if cycle % 500 == 0 {
            bench.giving = random.random_range(1..30);
        }
        // A context that was offered stays until it is taken.
        set_all(
            &mut bench.dut,
            &[
                ("c2h_ctx", random.random_range(0..16)),
                ("h2c_ctx", random.random_range(0..16)),
            ],
        )?;
        bench.step()?;
    }
    assert!(
        bench.served.len() > 20 * S::CONTEXTS + 180,
        "only {} entries",
        bench.served.len()
    );

    assert!(bench.hints > 50, "only {} from slots", bench.hints);
    bench.giving = 30;

    // Sane doorbells at the end: nothing that waits is forgotten.
    bench.free()?;
    bench.run(20)?;
    assert_eq!(bench.hint, None);
    for id in 0..S::QUEUES {
        let queue = &bench.queues[id];
        let tail = queue
            .head
            .wrapping_add(queue.entries().min(queue.completions()));
        bench.ring(id, tail, queue.head)?;
        bench.step()?;
    }
    bench.run(800)?;
    for (id, queue) in bench.queues.iter().enumerate() {
        assert!(
            !queue.servable(),
            "queue {id} was left with entries {} to {}",
            queue.head,
            queue.tail
        );
    }
    assert!(!bench.dut.is("waiting_entries")?);
    Ok(())
}

/// A second doorbell at each distance from the first, also in the cycle in which the queue is found empty.
#[test]
fn no_doorbell_is_lost() -> Result {
    let (mut bench, _) = <Bench>::new(3)?;
    bench.switch(5, true)?;
    bench.free()?;
    for distance in 0..14 {
        let head = bench.queues[5].head;
        bench.ring(5, head.wrapping_add(1), head)?;
        bench.run(1 + distance)?;
        bench.ring(5, head.wrapping_add(2), head)?;
        bench.run(20)?;
        assert_eq!(
            bench.queues[5].head,
            head.wrapping_add(2),
            "the doorbell {distance} cycles later was lost"
        );
    }
    Ok(())
}

/// A slot's write at each distance from a doorbell, whole or in parts, and a doorbell behind it.
#[test]
fn no_hint_is_lost() -> Result {
    let (mut bench, _) = <Bench>::new(6)?;
    bench.switch(5, true)?;
    bench.free()?;
    for whole in [false, true] {
        for distance in 0..10 {
            let head = bench.queues[5].head;
            bench.ring(5, head.wrapping_add(1), head)?;
            for _ in 0..distance {
                bench.step()?;
            }
            bench.name(5, head.wrapping_add(1), whole)?;
            bench.run(20)?;
            assert_eq!(
                bench.queues[5].head,
                head.wrapping_add(2),
                "{whole} {distance}"
            );
            let head = head.wrapping_add(2);
            bench.name(5, head, whole)?;
            bench.run(distance)?;
            bench.ring(5, head.wrapping_add(2), head)?;
            bench.run(20)?;
            assert_eq!(
                bench.queues[5].head,
                head.wrapping_add(2),
                "{whole} {distance}"
            );
        }
    }
    assert!(bench.hints > 5);
    Ok(())
}

/// A queue that is off takes no hint, and one that is switched on again begins anew.
#[test]
fn a_queue_that_is_off_takes_no_hint() -> Result {
    let (mut bench, _) = <Bench>::new(7)?;
    bench.free()?;
    for on in [false, true, false] {
        if bench.queues[3].enabled != on {
            bench.switch(3, on)?;
        }
        bench.name(3, 0, true)?;
        bench.run(10)?;
        assert_eq!(bench.hint, None);
        assert_eq!(bench.queues[3].head, u16::from(on));
        assert!(!bench.dut.is("waiting_entries")?);
    }
    Ok(())
}

/// While no read is taken, what slots name is looked at all the same, and a whole one is served.
#[test]
fn hints_pass_a_read_that_waits() -> Result {
    let mut bench = of_one_direction(Direction::C2h, 8)?;
    bench.switch(1, true)?;
    bench.switch(2, true)?;
    bench.dut.set("fetch_ready", false)?;
    bench.ring(1, 1, 0)?;
    bench.run(5)?;
    for index in 0..3 {
        bench.name(2, index, true)?;
        bench.run(6)?;
        assert_eq!((bench.hint, bench.queues[2].head), (None, index + 1));
    }
    bench.dut.set("fetch_ready", true)?;
    bench.run(5)?;
    assert_eq!(bench.queues[1].head, 1);
    Ok(())
}

/// While no read is taken, queues are stopped and started all the same; a queue that is stopped withdraws its read.
#[test]
fn switches_pass_a_read_that_waits() -> Result {
    let mut bench = of_one_direction(Direction::C2h, 10)?;
    bench.switch(1, true)?;
    bench.dut.set("fetch_ready", false)?;
    bench.ring(1, 2, 0)?;
    bench.run(5)?;
    assert!(bench.dut.is("fetch_valid")?);
    bench.switch(3, true)?;
    bench.ring(3, 1, 0)?;
    bench.run(5)?;
    bench.switch(1, false)?;
    bench.run(5)?;
    bench.dut.set("fetch_ready", true)?;
    bench.run(20)?;
    assert_eq!(bench.served, [(3, 0)]);
    bench.switch(1, true)?;
    bench.ring(1, 1, 0)?;
    bench.run(20)?;
    assert_eq!(bench.served, [(3, 0), (1, 0)]);
    Ok(())
}

/// Queues of one direction with sixteen entries each; none works yet.
fn of_one_direction(direction: Direction, seed: u64) -> Result<Bench> {
    let (mut bench, _) = <Bench>::new(seed)?;
    for (id, queue) in (0..).zip(&mut bench.queues) {
        queue.context = queue
            .context
            .with_sq_entries_log2(4)
            .with_cq_entries_log2(4)
            .with_direction(direction);
        configure(&mut bench.dut, id, &queue.context)?;
    }
    bench.free()?;
    bench.giving = 0;
    Ok(bench)
}

fn leaves_contexts_to_others(direction: Direction) -> Result {
    let mut bench = of_one_direction(direction, 4)?;
    let way = direction as usize;
    bench.switch(1, true)?;
    bench.switch(2, true)?;
    bench.ring(1, 16, 0)?;
    bench.run(100)?;
    let held = |bench: &Bench, id| bench.held[way].iter().filter(|by| **by == id).count();
    assert_eq!(held(&bench, 1), 14, "one is for queue 2, one for a new one");
    for id in [2, 7] {
        if id == 7 {
            bench.switch(7, true)?;
        }
        bench.ring(id, 1, 0)?;
        bench.run(100)?;
        assert_eq!(held(&bench, id), 1, "queue {id}");
    }
    assert_eq!(bench.held[way].len(), CONTEXTS);

    // The first that comes back is kept for a queue to come; the second may go to anybody.
    for _ in 0..2 {
        bench.give_back_of(1, way)?;
        assert_eq!(bench.held[way].len(), 15);
    }
    // What a queue gives back as its last is kept for it while it works.
    bench.give_back_of(7, way)?;
    assert_eq!((bench.held[way].len(), held(&bench, 7)), (14, 0));
    bench.switch(7, false)?;
    bench.run(100)?;
    assert_eq!(bench.held[way].len(), 15, "the queue is gone");
    Ok(())
}

#[test]
fn a_c2h_queue_leaves_contexts_to_others() -> Result {
    leaves_contexts_to_others(Direction::C2h)
}

#[test]
fn an_h2c_queue_leaves_contexts_to_others() -> Result {
    leaves_contexts_to_others(Direction::H2c)
}

/// With all fifteen queues in one direction each finds a context, whoever came first.
#[test]
fn fifteen_queues_share_sixteen_contexts() -> Result {
    let mut bench = of_one_direction(Direction::C2h, 5)?;
    for id in 1..16 {
        bench.switch(id, true)?;
    }
    for id in 1..16 {
        bench.ring(id, 16, 0)?;
        bench.run(100)?;
        assert_eq!(bench.held[0].last(), Some(&id));
    }
    let first = bench.held[0].iter().filter(|by| **by == 1).count();
    assert_eq!((first, bench.held[0].len()), (2, CONTEXTS));
    Ok(())
}
