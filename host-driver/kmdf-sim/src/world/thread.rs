//! Threads: coroutines that run, wait and end.

use std::cell::RefCell;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{DISPATCH, World, interrupt, with};
use crate::verifier::Rule;

/// Number of a thread; never reused.
pub(crate) type ThreadId = usize;

/// What a thread can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WaitKey(pub u64);

/// What happens at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimerEvent {
    /// A wait's deadline.
    Wake(ThreadId, u64),
    /// A timer object expires; the second number must still be the timer's.
    Timer(u64, u64),
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Running,
    Waiting,
    Ended,
}

/// One thread.
pub(crate) struct Thread {
    pub(crate) name: String,
    pub(crate) process: u32,
    pub(crate) state: State,
    /// Nobody minds if it waits for ever.
    pub(crate) daemon: bool,
    pub(crate) ready_ps: u64,
    irql: u8,
    yielder: *const Yielder<(), ()>,
    /// What it waits for.
    pub(crate) keys: Vec<WaitKey>,
    /// Counts waits, so that a late deadline does not end the next one.
    wait_number: u64,
    timed_out: bool,
    /// Callbacks of the driver that it is in.
    pub(crate) frames: Vec<&'static str>,
    /// Wait locks it holds.
    pub(crate) wait_locks: Vec<u64>,
}

impl Thread {
    /// The key to wait for the thread's end.
    pub(crate) fn end_key(id: ThreadId) -> WaitKey {
        WaitKey((1 << 61) | id as u64)
    }
}

type Body = Coroutine<(), (), (), DefaultStack>;

thread_local! {
    // Apart from the machine, which must not be borrowed while one of them runs.
    static COROUTINES: RefCell<Vec<Option<Body>>> = const { RefCell::new(Vec::new()) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

fn new_thread(
    name: &str,
    process: u32,
    daemon: bool,
    state: State,
    body: impl FnOnce() + 'static,
) -> ThreadId {
    let (id, stack_bytes) = with(|w| {
        let ready_ps = w.now_ps();
        w.threads.push(Thread {
            name: name.into(),
            process,
            state,
            daemon,
            ready_ps,
            irql: 0,
            yielder: core::ptr::null(),
            keys: Vec::new(),
            wait_number: 0,
            timed_out: false,
            frames: Vec::new(),
            wait_locks: Vec::new(),
        });
        (w.threads.len() - 1, w.config.stack_bytes)
    });
    let stack = STACKS
        .with_borrow_mut(Vec::pop)
        .filter(|stack| corosensei_stack_bytes(stack) >= stack_bytes);
    let stack = stack.unwrap_or_else(|| {
        DefaultStack::new(stack_bytes).expect("host memory for a thread's stack")
    });
    let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        with(|w| w.threads[id].yielder = yielder);
        YIELDER.set(yielder);
        interrupt::deliver();
        body();
    });
    COROUTINES.with_borrow_mut(|all| {
        debug_assert_eq!(all.len(), id);
        all.push(Some(coroutine));
    });
    id
}

fn corosensei_stack_bytes(stack: &DefaultStack) -> usize {
    use corosensei::stack::Stack;
    stack.base().get() - stack.limit().get()
}

/// Makes a thread that is ready to run.
pub(crate) fn spawn(
    name: &str,
    process: u32,
    daemon: bool,
    body: impl FnOnce() + 'static,
) -> ThreadId {
    let id = new_thread(name, process, daemon, State::Ready, body);
    with(|w| {
        w.ready.push(id);
        w.reconsider();
    });
    id
}

/// Makes the thread that an idle CPU runs interrupts and DPCs on.
pub(super) fn spawn_idle(cpu: usize) {
    let id = new_thread("idle", 0, true, State::Running, || {
        loop {
            interrupt::deliver();
            with(|w| {
                let cpu = w.cpu();
                if !cpu.has_work() {
                    cpu.current = None;
                }
            });
            suspend();
        }
    });
    with(|w| w.cpus[cpu].idle = id);
}

/// Runs a thread until it suspends or ends; on the host's stack.
pub(super) fn resume(id: ThreadId) {
    let mut body = COROUTINES
        .with_borrow_mut(|all| all[id].take())
        .expect("a thread that is not running has a body");
    YIELDER.set(with(|w| w.threads[id].yielder));
    crate::quarantine::enter_machine(true);
    let result = body.resume(());
    crate::quarantine::enter_machine(false);
    YIELDER.set(core::ptr::null());
    match result {
        CoroutineResult::Yield(()) => COROUTINES.with_borrow_mut(|all| all[id] = Some(body)),
        CoroutineResult::Return(()) => {
            STACKS.with_borrow_mut(|stacks| stacks.push(body.into_stack()));
            ended(id);
        }
    }
}

fn ended(id: ThreadId) {
    with(|w| end(w, id));
}

/// The running thread is over; what it still holds is reported and taken from it.
fn end(w: &mut World, id: ThreadId) {
    let (irql, held) = (w.cpu().irql, w.cpu().held.len());
    if held > 0 {
        w.violation(
            Rule::LockHeldAtReturn,
            "thread",
            format!("ended with {held} spin locks held"),
        );
    } else if irql != 0 {
        w.violation(Rule::IrqlChanged, "thread", format!("ended at IRQL {irql}"));
    }
    w.cpu().irql = 0;
    w.cpu().held.clear();
    if !w.threads[id].wait_locks.is_empty() {
        w.violation(
            Rule::LockHeldAtReturn,
            "thread",
            "ended with a wait lock held",
        );
    }
    w.threads[id].state = State::Ended;
    w.cpu().current = None;
    w.wake(Thread::end_key(id));
}

/// Ends the thread that runs now: it never goes on.
pub(crate) fn terminate() -> ! {
    with(|w| {
        if let Some(id) = w.thread_id() {
            end(w, id);
        }
    });
    loop {
        suspend();
    }
}

/// Forgets all threads, running none of their code.
pub(super) fn abandon_all() {
    let bodies = COROUTINES.with_borrow_mut(core::mem::take);
    for mut body in bodies.into_iter().flatten() {
        if body.started() && !body.done() {
            // SAFETY: what lives on the stack is leaked, not reused: closures own what they use, and `run` keeps borrowed data from being
            // touched, as no coroutine runs any more.
            unsafe { body.force_reset() };
        }
    }
}

thread_local! {
    // Yielder of the coroutine that runs now; apart from the machine's tables because a thread suspends after it has left its CPU.
    static YIELDER: core::cell::Cell<*const Yielder<(), ()>> = const { core::cell::Cell::new(core::ptr::null()) };
}

/// Gives the host back to the scheduler; the thread stays on its CPU unless its state was changed.
pub(super) fn suspend() {
    let yielder = YIELDER.get();
    assert!(
        !yielder.is_null(),
        "only a thread of the machine can be suspended"
    );
    // SAFETY: the yielder lives on the coroutine's stack, on which this call runs.
    unsafe { (*yielder).suspend(()) };
}

/// Takes the thread that runs now off its CPU; it must suspend next.
fn leave_cpu(w: &mut World, state: State) -> ThreadId {
    let id = w.thread_id().expect("only a thread leaves a CPU");
    let irql = w.cpu().irql;
    w.threads[id].irql = irql;
    w.threads[id].state = state;
    w.cpu().irql = 0;
    w.cpu().current = None;
    id
}

/// Puts the running thread behind the others that are ready.
pub(super) fn preempt() {
    with(|w| {
        let now = w.now_ps();
        let id = leave_cpu(w, State::Ready);
        w.threads[id].ready_ps = now;
        w.ready.push(id);
    });
    suspend();
}

/// Suspends the thread until [`wake`] of the key, or the deadline in ps: false if that came first. Re-check the condition afterwards.
pub(crate) fn block(key: WaitKey, deadline_ps: Option<u64>) -> bool {
    block_any(&[key], deadline_ps)
}

/// As [`block`], until a [`wake`] of any of the keys.
pub(crate) fn block_any(keys: &[WaitKey], deadline_ps: Option<u64>) -> bool {
    let (irql, idle) = with(|w| (w.cpu().irql, w.cpu().on_idle_stack()));
    if irql >= DISPATCH || idle {
        super::fatal(
            Rule::WaitAtDispatch,
            "wait",
            format!("a wait at IRQL {irql}: only threads below DISPATCH_LEVEL can wait"),
        );
    }
    let id = with(|w| {
        let id = leave_cpu(w, State::Waiting);
        w.threads[id].keys = keys.to_vec();
        w.threads[id].timed_out = false;
        w.threads[id].wait_number += 1;
        let number = w.threads[id].wait_number;
        for key in keys {
            w.waiters.entry(*key).or_default().push(id);
        }
        if let Some(deadline) = deadline_ps {
            w.at(deadline, TimerEvent::Wake(id, number));
        }
        id
    });
    suspend();
    interrupt::deliver();
    with(|w| !w.threads[id].timed_out)
}

/// Makes all threads that wait for the key runnable.
pub(crate) fn wake(key: WaitKey) {
    with(|w| w.wake(key));
}

impl World {
    /// Makes all threads that wait for the key runnable.
    pub(crate) fn wake(&mut self, key: WaitKey) {
        let now = self.now_ps();
        for id in self.waiters.remove(&key).unwrap_or_default() {
            self.stop_waiting(id);
            self.make_ready(id, now);
        }
    }

    fn stop_waiting(&mut self, id: ThreadId) {
        for key in core::mem::take(&mut self.threads[id].keys) {
            if let Some(waiters) = self.waiters.get_mut(&key) {
                waiters.retain(|waiter| *waiter != id);
                if waiters.is_empty() {
                    self.waiters.remove(&key);
                }
            }
        }
    }

    fn make_ready(&mut self, id: ThreadId, now_ps: u64) {
        self.threads[id].state = State::Ready;
        self.threads[id].ready_ps = now_ps;
        self.ready.push(id);
        self.reconsider();
    }

    /// Ends a thread's wait early, as if its time were over.
    pub(crate) fn interrupt_wait(&mut self, id: ThreadId) {
        let (now, number) = (self.now_ps(), self.threads[id].wait_number);
        // Inside the driver, or waiting for its own operation, it goes on by itself.
        if self.threads[id].frames.is_empty() {
            self.deadline(id, number, now);
        }
    }

    /// Arranges for something to happen at a time.
    pub(crate) fn at(&mut self, time_ps: u64, event: TimerEvent) {
        self.timer_sequence += 1;
        self.timers.insert((time_ps, self.timer_sequence), event);
        self.reconsider();
    }

    pub(super) fn deadline(&mut self, id: ThreadId, number: u64, now_ps: u64) {
        let thread = &mut self.threads[id];
        if thread.state == State::Waiting && thread.wait_number == number {
            thread.timed_out = true;
            self.stop_waiting(id);
            self.make_ready(id, now_ps);
        }
    }

    /// Puts a ready thread on a CPU.
    pub(super) fn place_thread(&mut self, id: ThreadId, cpu: usize) {
        let quantum = 1_000_000_000
            + if self.config.preempt {
                self.random(1_000_000_000)
            } else {
                0
            };
        let (ready_ps, irql) = (self.threads[id].ready_ps, self.threads[id].irql);
        self.threads[id].state = State::Running;
        let cpu = &mut self.cpus[cpu];
        cpu.clock_ps = cpu.clock_ps.max(ready_ps);
        cpu.quantum_end_ps = cpu.clock_ps + quantum;
        cpu.irql = irql;
        cpu.current = Some(id);
    }
}
