//! The simulated machine: CPUs, threads, time, objects. One per host thread.
//!
//! What the rest of the crate uses: [`with`], [`point`], [`require_irql`], [`inject`], [`violation`], [`fatal`], [`call_at`], [`block`],
//! [`wake`] and [`object`]. Never suspend or call back into the driver inside [`with`].

mod config;
pub(crate) mod cpu;
pub(crate) mod interrupt;
pub(crate) mod object;
mod schedule;
pub(crate) mod spin;
pub(crate) mod thread;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rustc_hash::FxHashMap;

pub use config::{Config, Costs, FlatCosts};
pub(crate) use schedule::{Outcome, run_until};
pub(crate) use thread::{WaitKey, block, block_any, wake};

use crate::hardware::Hardware;
use crate::verifier::{Place, Report, Rule, Violation};

/// The highest thread level, where deferred procedure calls run, and where interrupts are serviced.
pub(crate) const DISPATCH: u8 = 2;
/// IRQL of the device's interrupts.
pub(crate) const DIRQL: u8 = 8;

/// The machine.
pub struct World {
    pub(crate) config: Config,
    rng: Xoshiro256PlusPlus,
    pub(crate) cpus: Vec<cpu::Cpu>,
    pub(crate) threads: Vec<thread::Thread>,
    ready: Vec<thread::ThreadId>,
    waiters: BTreeMap<WaitKey, Vec<thread::ThreadId>>,
    /// When a CPU last did something, in ps.
    busy_ps: u64,
    /// The CPU whose code the host runs now.
    running: Option<usize>,
    /// Until when that CPU may run without asking.
    horizon_ps: u64,
    timers: BTreeMap<(u64, u64), thread::TimerEvent>,
    timer_sequence: u64,
    pub(crate) hardware: Option<Box<dyn Hardware>>,
    pub(crate) hardware_ps: u64,
    pub(crate) report: Report,
    pub(crate) objects: object::Objects,
    pub(crate) spin: spin::SpinLocks,
    /// How often each function was called that can be made to fail.
    pub(crate) fallible: BTreeMap<&'static str, u64>,
    pub(crate) called: BTreeSet<&'static str>,
    pub(crate) interrupts: interrupt::Vectors,
    /// State of the other parts, by their own types.
    pub(crate) kernel: crate::kernel::State,
    pub(crate) pnp: crate::pnp::State,
    pub(crate) io: crate::user::State,
    pub(crate) memory: crate::memory::State,
    keys: u64,
    shown_ps: u64,
    /// Threads have run since freed memory was last looked at.
    pub(crate) ran: bool,
}

thread_local! {
    static WORLD: RefCell<Option<Box<World>>> = const { RefCell::new(None) };
}

/// Puts a machine in place. Panics if there is one.
pub(crate) fn install(config: Config, hardware: Box<dyn Hardware>) {
    let cpus = config.cpus.max(1);
    let world = World {
        rng: Xoshiro256PlusPlus::seed_from_u64(config.seed),
        cpus: (0..cpus).map(|_| cpu::Cpu::default()).collect(),
        threads: Vec::new(),
        ready: Vec::new(),
        waiters: BTreeMap::new(),
        busy_ps: 0,
        running: None,
        horizon_ps: 0,
        timers: BTreeMap::new(),
        timer_sequence: 0,
        hardware: Some(hardware),
        hardware_ps: 0,
        report: Report::default(),
        objects: object::Objects::default(),
        spin: spin::SpinLocks::default(),
        fallible: BTreeMap::new(),
        called: BTreeSet::new(),
        interrupts: interrupt::Vectors::default(),
        kernel: crate::kernel::State::default(),
        pnp: crate::pnp::State::default(),
        io: crate::user::State::default(),
        memory: crate::memory::State::new(config.dma, config.seed),
        keys: 1 << 60,
        shown_ps: 0,
        ran: false,
        config,
    };
    WORLD.with_borrow_mut(|slot| {
        assert!(
            slot.is_none(),
            "one machine per host thread: drop the other first"
        );
        *slot = Some(Box::new(world));
    });
    for cpu in 0..cpus {
        thread::spawn_idle(cpu);
    }
}

/// Takes the machine away; its threads are dropped where they stand.
pub(crate) fn uninstall() {
    thread::abandon_all();
    let world = WORLD.with_borrow_mut(Option::take);
    drop(world);
}

/// Whether there is a machine on this host thread.
pub(crate) fn is_installed() -> bool {
    WORLD.with(|slot| slot.try_borrow().is_ok_and(|slot| slot.is_some()))
}

/// The callback of the driver that runs now, if the machine can be asked; for the allocator, and thus without any allocation.
pub(crate) fn innermost_callback() -> &'static str {
    let asked = WORLD.try_with(|slot| {
        let slot = slot.try_borrow().ok()?;
        let world = slot.as_ref()?;
        let thread = world.threads.get(world.thread_id()?)?;
        thread.frames.last().copied()
    });
    asked.ok().flatten().unwrap_or("the machine")
}

/// Gives access to the machine. The closure must neither suspend nor call the driver.
pub(crate) fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|slot| {
        f(slot
            .as_mut()
            .expect("no machine on this host thread: make one first"))
    })
}

impl World {
    /// A random number below `bound`.
    pub(crate) fn random(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// The CPU that runs now; 0 outside the machine.
    pub(crate) fn cpu_number(&self) -> usize {
        self.running.unwrap_or(0)
    }

    /// The CPU that runs now.
    pub(crate) fn cpu(&mut self) -> &mut cpu::Cpu {
        let number = self.cpu_number();
        &mut self.cpus[number]
    }

    /// The thread that runs now.
    pub(crate) fn thread_id(&self) -> Option<thread::ThreadId> {
        self.running.and_then(|cpu| self.cpus[cpu].current)
    }

    /// The thread that runs now.
    pub(crate) fn thread(&mut self) -> Option<&mut thread::Thread> {
        let id = self.thread_id()?;
        self.threads.get_mut(id)
    }

    /// The clock of the CPU that runs now, or the latest of all outside the machine; in ps.
    pub(crate) fn now_ps(&self) -> u64 {
        match self.running {
            Some(cpu) => self.cpus[cpu].clock_ps,
            None => self
                .cpus
                .iter()
                .map(|cpu| cpu.clock_ps)
                .max()
                .unwrap_or(0)
                .max(self.hardware_ps),
        }
    }

    /// The CPU's clock, or the latest that any CPU was shown before; in ps.
    pub(crate) fn monotonic_ps(&mut self) -> u64 {
        self.shown_ps = self.shown_ps.max(self.now_ps());
        self.shown_ps
    }

    /// A number that nothing else has.
    pub(crate) fn unique(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// Lets other CPUs and the hardware be considered at the next point.
    pub(crate) fn reconsider(&mut self) {
        self.horizon_ps = 0;
    }

    fn place(&self) -> Place {
        let cpu = self.cpu_number();
        let thread = self
            .thread_id()
            .and_then(|id| self.threads.get(id).map(|thread| (id, thread)));
        Place {
            cpu,
            thread: thread.map_or_else(
                || "outside the machine".into(),
                |(id, thread)| format!("thread {id} {}", thread.name),
            ),
            irql: self.cpus[cpu].irql,
            time_ps: self.now_ps(),
            callbacks: thread
                .map(|(_, thread)| thread.frames.clone())
                .unwrap_or_default(),
        }
    }

    /// Records a violation.
    pub(crate) fn violation(&mut self, rule: Rule, ddi: &'static str, detail: impl Into<String>) {
        let place = self.place();
        if self.report.violations.len() < 1000 {
            self.report.violations.push(Violation {
                rule,
                ddi,
                detail: detail.into(),
                place,
            });
        }
    }
}

/// A call's cost under random preemption: mostly as it is, one in 8 up to 8 times as long, and one in 512 a thousand times, as if the host of a
/// virtual machine or the system's management mode had taken the CPU away. Races with a wide window are met by that.
fn delayed(cost: u64, random: u64) -> u64 {
    let tail = (random >> 16).is_multiple_of(512);
    match random % 8 {
        _ if tail => cost.saturating_mul(1000),
        0 => cost + cost / 8 * ((random >> 3) % 64),
        _ => cost,
    }
}

/// A place where time passes and other CPUs may get in between: `ddi`'s cost is charged for `units` (pages, bytes, 1), pending
/// interrupts and DPCs are delivered, the thread may be preempted. First thing in every function the driver calls.
pub(crate) fn point(ddi: &'static str, units: u64) {
    enum Next {
        Go,
        Yield,
        Preempt,
    }
    let next = with(|w| {
        assert!(
            w.running.is_some(),
            "{ddi} was called outside the machine: only its threads may call the driver's functions"
        );
        w.called.insert(ddi);
        let mut cost = w.config.costs.of(ddi, units);
        let random = w.config.preempt.then(|| w.random(1 << 32));
        if let Some(random) = random {
            cost = delayed(cost, random);
        }
        let horizon = w.horizon_ps;
        let ready = !w.ready.is_empty();
        let number = w.running.unwrap_or_default();
        let start_ps = w.cpu().clock_ps;
        w.config
            .costs
            .spent(number, start_ps, start_ps + cost, ddi, units);
        let cpu = w.cpu();
        cpu.clock_ps += cost;
        let may_switch = cpu.irql < DISPATCH && !cpu.on_idle_stack();
        let switch = ready
            && may_switch
            && (cpu.clock_ps >= cpu.quantum_end_ps
                || random.is_some_and(|random| random % 16 == 1));
        if switch {
            Next::Preempt
        } else if cpu.clock_ps >= horizon {
            Next::Yield
        } else {
            Next::Go
        }
    });
    match next {
        Next::Go => {}
        Next::Yield => thread::suspend(),
        Next::Preempt => thread::preempt(),
    }
    interrupt::deliver();
}

/// Reports a violation unless the CPU's IRQL is at most `max`; true if it is.
pub(crate) fn require_irql(ddi: &'static str, max: u8) -> bool {
    with(|w| {
        let irql = w.cpu().irql;
        if irql <= max {
            return true;
        }
        let rule = if irql >= DIRQL {
            Rule::CalledFromIsr
        } else {
            Rule::Irql
        };
        w.violation(
            rule,
            ddi,
            format!("IRQL is {irql}, at most {max} is allowed"),
        );
        false
    })
}

/// True if this call is the one that is to fail.
pub(crate) fn inject(ddi: &'static str) -> bool {
    with(|w| {
        let count = w.fallible.entry(ddi).or_insert(0);
        let call = *count;
        *count += 1;
        w.config
            .fail
            .as_ref()
            .is_some_and(|(name, nth)| name == ddi && *nth == call)
    })
}

/// Records a violation; the machine goes on.
pub(crate) fn violation(rule: Rule, ddi: &'static str, detail: impl Into<String>) {
    with(|w| w.violation(rule, ddi, detail));
}

/// Records a violation after which the machine cannot go on: it stops and this call never returns.
pub(crate) fn fatal(rule: Rule, ddi: &'static str, detail: impl Into<String>) -> ! {
    let inside = with(|w| {
        w.violation(rule, ddi, detail);
        w.report.stopped = true;
        w.running.is_some()
    });
    assert!(
        inside,
        "a fatal violation outside the machine: {}",
        with(|w| w.report.to_string())
    );
    loop {
        thread::suspend();
    }
}

/// Calls the driver back at an IRQL (raised, not lowered), and checks afterwards that IRQL and locks are as before.
pub(crate) fn call_at<R>(callback: &'static str, irql: u8, f: impl FnOnce() -> R) -> R {
    let (old, inside, held, wait_locks) = with(|w| {
        if let Some(thread) = w.thread() {
            thread.frames.push(callback);
        }
        let wait_locks = w.thread().map_or(0, |thread| thread.wait_locks.len());
        let cpu = w.cpu();
        let old = cpu.irql;
        cpu.irql = old.max(irql);
        (old, cpu.irql, cpu.held.len(), wait_locks)
    });
    let result = f();
    with(|w| {
        let cpu = w.cpu();
        let (now, held_now) = (cpu.irql, cpu.held.len());
        cpu.irql = old;
        cpu.held.truncate(held);
        if now != inside {
            w.violation(
                Rule::IrqlChanged,
                callback,
                format!("entered at IRQL {inside}, returned at {now}"),
            );
        }
        if held_now > held {
            w.violation(
                Rule::LockHeldAtReturn,
                callback,
                format!("{} spin locks more are held than at entry", held_now - held),
            );
        }
        let wait_locks_now = w.thread().map_or(0, |thread| thread.wait_locks.len());
        if wait_locks_now > wait_locks {
            w.violation(
                Rule::LockHeldAtReturn,
                callback,
                "a wait lock is held that was not at entry",
            );
        }
        if let Some(thread) = w.thread() {
            thread.frames.pop();
        }
    });
    if inside != old {
        interrupt::deliver();
    }
    result
}

/// A map by number, quick and the same on every run.
pub(crate) type Map<K, V> = FxHashMap<K, V>;
