//! The discrete-event scheduler.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::{
    Activity, ActivityId, Affinity, Context, CpuError, Event, Happened, Picoseconds, Span,
};

/// Virtual CPUs.
#[derive(Debug)]
pub struct Cpus {
    now: Picoseconds,
    /// End of all accepted work if it ran one after another: keeps every sum below 2^64.
    horizon: Picoseconds,
    cpus: Vec<Cpu>,
    tasks: Vec<Task>,
    /// Requests that are not yet ready, earliest first, then in the order of the requests.
    arrivals: BinaryHeap<Reverse<(Picoseconds, ActivityId)>>,
    /// Ready threads, in turn.
    threads: VecDeque<ActivityId>,
    events: VecDeque<Event>,
    spans: Vec<Span>,
    quantum_ps: Picoseconds,
    random: Xoshiro256PlusPlus,
}

#[derive(Debug)]
struct Task {
    activity: Activity,
    left_ps: Picoseconds,
    begun: bool,
}

#[derive(Debug, Default)]
struct Cpu {
    /// What runs (last) and what it interrupted.
    stack: Vec<ActivityId>,
    /// When the present stretch of the last one began.
    since: Picoseconds,
    /// Ready ISRs and DPCs, in the order of their arrival.
    isrs: VecDeque<ActivityId>,
    dpcs: VecDeque<ActivityId>,
    /// How long the thread at the bottom may still run before it gives way, counted from `since`.
    turn_left_ps: Picoseconds,
}

impl Cpus {
    /// `count` idle CPUs at time 0. A thread gives way after half to one and a half times `quantum_ps` of running, drawn
    /// from `seed`; 0: threads run to their end.
    ///
    /// # Errors
    /// [`CpuError::NoCpus`] if `count` is 0.
    pub fn new(count: usize, seed: u64, quantum_ps: Picoseconds) -> Result<Self, CpuError> {
        if count == 0 {
            return Err(CpuError::NoCpus);
        }
        Ok(Self {
            now: 0,
            horizon: 0,
            cpus: (0..count).map(|_| Cpu::default()).collect(),
            tasks: Vec::new(),
            arrivals: BinaryHeap::new(),
            threads: VecDeque::new(),
            events: VecDeque::new(),
            spans: Vec::new(),
            quantum_ps,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        })
    }

    /// Asks for `activity` as soon as its time and the rules allow.
    ///
    /// # Errors
    /// [`CpuError::NoSuchCpu`], or [`CpuError::Overflow`] if the times do not fit; nothing is scheduled then.
    pub fn request(&mut self, mut activity: Activity) -> Result<ActivityId, CpuError> {
        activity.level = activity.level.max(activity.context.level());
        let cpus = self.cpus.len();
        if let Affinity::Cpu(cpu) = activity.affinity
            && cpu >= cpus
        {
            return Err(CpuError::NoSuchCpu {
                name: activity.name,
                cpu,
                cpus,
            });
        }
        let ready = activity.ready_ps.max(self.now);
        self.horizon = (self.horizon.max(ready))
            .checked_add(activity.work_ps)
            .ok_or(CpuError::Overflow {
                name: activity.name,
            })?;
        let id = ActivityId(self.tasks.len());
        self.tasks.push(Task {
            left_ps: activity.work_ps,
            begun: false,
            activity,
        });
        self.arrivals.push(Reverse((ready, id)));
        Ok(id)
    }

    /// The next thing that happens, if it happens at `until_ps` or before. Virtual time moves to it; with `None`, to
    /// `until_ps`. Requests made in answer to an event are taken into account from the event's time on.
    pub fn next(&mut self, until_ps: Picoseconds) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.next_change() {
                Some(at) if at <= until_ps => self.step(at),
                _ => {
                    self.now = self.now.max(until_ps);
                    return None;
                }
            }
        }
    }

    /// When something happens next if nothing else is asked for; `None` if there is nothing to do.
    ///
    /// The time is a lower bound on the next event of [`Self::next`]: a change of threads gives no event.
    pub fn next_change(&self) -> Option<Picoseconds> {
        if !self.events.is_empty() {
            return Some(self.now);
        }
        let arrival = self
            .arrivals
            .peek()
            .map(|Reverse((at, _))| (*at).max(self.now));
        let running = (0..self.cpus.len()).filter_map(|cpu| self.next_on(cpu));
        running.chain(arrival).min()
    }

    /// Present virtual time.
    pub fn now_ps(&self) -> Picoseconds {
        self.now
    }

    /// Number of CPUs.
    pub fn count(&self) -> usize {
        self.cpus.len()
    }

    /// An activity that was asked for.
    pub fn activity(&self, id: ActivityId) -> &Activity {
        &self.tasks[id.0].activity
    }

    /// What the CPUs have done, in the order in which the stretches ended. What runs now is not yet among it.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// When `cpu` next finishes something, or its thread's turn is over.
    fn next_on(&self, cpu: usize) -> Option<Picoseconds> {
        let state = &self.cpus[cpu];
        let task = &self.tasks[state.stack.last()?.0];
        let mut run = task.left_ps;
        if self.may_give_way(cpu) {
            run = run.min(state.turn_left_ps);
        }
        // A turn may have ended before anybody waited for the CPU.
        Some((state.since + run).max(self.now))
    }

    /// Whether `cpu` runs a thread that another thread waits for.
    fn may_give_way(&self, cpu: usize) -> bool {
        let [only] = self.cpus[cpu].stack[..] else {
            return false;
        };
        let activity = &self.tasks[only.0].activity;
        self.quantum_ps > 0
            && activity.context.is_thread()
            && activity.level == Context::Application.level()
            && self.threads.iter().any(|&id| self.may_run_on(id, cpu))
    }

    fn may_run_on(&self, id: ActivityId, cpu: usize) -> bool {
        match self.tasks[id.0].activity.affinity {
            Affinity::Any => true,
            Affinity::Cpu(wanted) => wanted == cpu,
        }
    }

    /// Does everything that is due at `at`.
    fn step(&mut self, at: Picoseconds) {
        self.now = at;
        for cpu in 0..self.cpus.len() {
            self.account(cpu);
        }
        while let Some(&Reverse((ready, id))) = self.arrivals.peek()
            && ready <= at
        {
            self.arrivals.pop();
            self.arrive(id);
        }
        for cpu in 0..self.cpus.len() {
            self.dispatch(cpu);
        }
    }

    /// Books the time since the last change on what runs on `cpu`, and retires it if its work is done.
    fn account(&mut self, cpu: usize) {
        let Some(&id) = self.cpus[cpu].stack.last() else {
            return;
        };
        let ran = self.now - self.cpus[cpu].since;
        let gives_way = self.may_give_way(cpu);
        let task = &mut self.tasks[id.0];
        let state = &mut self.cpus[cpu];
        if task.left_ps == ran {
            task.left_ps = 0;
            self.record(cpu, id);
            self.cpus[cpu].stack.pop();
            self.events.push_back(Event {
                id,
                what: Happened::Finished,
                cpu,
                at_ps: self.now,
            });
        } else if gives_way && ran >= state.turn_left_ps {
            task.left_ps -= ran;
            state.turn_left_ps = 0;
            self.record(cpu, id);
            self.cpus[cpu].stack.pop();
            self.threads.push_back(id);
        }
    }

    /// Writes down the stretch that ends now.
    fn record(&mut self, cpu: usize, id: ActivityId) {
        let start_ps = self.cpus[cpu].since;
        self.cpus[cpu].since = self.now;
        let Activity {
            context,
            name,
            transfer,
            ..
        } = self.tasks[id.0].activity;
        if start_ps < self.now {
            self.spans.push(Span {
                id,
                cpu,
                context,
                name,
                transfer,
                start_ps,
                end_ps: self.now,
            });
        }
    }

    fn arrive(&mut self, id: ActivityId) {
        let activity = &self.tasks[id.0].activity;
        let cpu = match activity.affinity {
            Affinity::Cpu(cpu) => cpu,
            Affinity::Any => self.least_busy(),
        };
        match activity.context {
            Context::Isr => self.cpus[cpu].isrs.push_back(id),
            Context::Dpc => self.cpus[cpu].dpcs.push_back(id),
            Context::Application | Context::Worker => self.threads.push_back(id),
        }
    }

    /// The first CPU with the fewest activities of any kind.
    fn least_busy(&self) -> usize {
        let load = |cpu: &Cpu| cpu.stack.len() + cpu.isrs.len() + cpu.dpcs.len();
        (0..self.cpus.len())
            .min_by_key(|&cpu| load(&self.cpus[cpu]))
            .unwrap_or(0)
    }

    /// Gives `cpu` to whoever may have it now.
    fn dispatch(&mut self, cpu: usize) {
        let level = self.cpus[cpu]
            .stack
            .last()
            .map(|id| self.tasks[id.0].activity.level);
        let above = |context: Context| level.is_none_or(|level| level < context.level());
        let next = if above(Context::Isr) && !self.cpus[cpu].isrs.is_empty() {
            self.cpus[cpu].isrs.pop_front()
        } else if above(Context::Dpc) && !self.cpus[cpu].dpcs.is_empty() {
            self.cpus[cpu].dpcs.pop_front()
        } else if level.is_none() {
            let place = self.threads.iter().position(|&id| self.may_run_on(id, cpu));
            place.and_then(|place| self.threads.remove(place))
        } else {
            None
        };
        // Without anybody, what was interrupted goes on.
        if let Some(id) = next {
            self.run(cpu, id);
        }
    }

    fn run(&mut self, cpu: usize, id: ActivityId) {
        if let Some(&interrupted) = self.cpus[cpu].stack.last() {
            let ran = self.now - self.cpus[cpu].since;
            self.tasks[interrupted.0].left_ps -= ran;
            let turn = &mut self.cpus[cpu].turn_left_ps;
            *turn = turn.saturating_sub(ran);
            self.record(cpu, interrupted);
        } else {
            self.cpus[cpu].turn_left_ps = self.draw_turn();
        }
        self.cpus[cpu].stack.push(id);
        self.cpus[cpu].since = self.now;
        let task = &mut self.tasks[id.0];
        if !std::mem::replace(&mut task.begun, true) {
            self.events.push_back(Event {
                id,
                what: Happened::Begun,
                cpu,
                at_ps: self.now,
            });
        }
    }

    /// Half to one and a half quanta, and never nothing: two threads would give way to each other for ever.
    fn draw_turn(&mut self) -> Picoseconds {
        let spread = u128::from(self.random.next_u64()) * u128::from(self.quantum_ps);
        (self.quantum_ps / 2)
            .saturating_add((spread >> 64) as u64)
            .max(1)
    }
}
