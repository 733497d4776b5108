//! Who goes next: always the one that is furthest behind.

use super::thread::{self, State, TimerEvent};
use super::{World, with};
use crate::verifier::Rule;

/// Why [`run_until`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The condition holds.
    Done,
    /// A fatal violation.
    Stopped,
    /// Nothing can happen any more.
    Idle,
}

enum Step {
    Resume(usize),
    Again,
    Idle,
    Stopped,
}

/// Runs the machine until the condition holds; on the host's stack.
pub(crate) fn run_until(mut condition: impl FnMut(&mut World) -> bool) -> Outcome {
    let limit_ps = with(|w| w.now_ps().saturating_add(w.config.limit_ps));
    assert!(
        with(|w| w.running.is_none()),
        "the machine runs already: call from outside its threads"
    );
    with(|w| w.ran = true);
    loop {
        if with(&mut condition) {
            return Outcome::Done;
        }
        if with(|w| w.busy_ps > limit_ps) {
            return Outcome::Idle;
        }
        match with(step) {
            Step::Resume(id) => {
                thread::resume(id);
                with(|w| w.running = None);
            }
            Step::Again => {}
            Step::Idle => return Outcome::Idle,
            Step::Stopped => return Outcome::Stopped,
        }
    }
}

fn step(w: &mut World) -> Step {
    if w.report.stopped {
        return Step::Stopped;
    }
    dispatch(w);
    let cpu = (0..w.cpus.len())
        .filter(|cpu| w.cpus[*cpu].runnable())
        .min_by_key(|cpu| wakes_at(w, *cpu));
    let cpu_ps = cpu.map(|cpu| wakes_at(w, cpu));
    let timer_ps = w.timers.keys().next().map(|(time, _)| *time);
    let event_ps = w
        .hardware
        .as_ref()
        .and_then(|hardware| hardware.next_event_ps())
        .map(|time| time.max(w.hardware_ps));
    if let Some(time) = cpu_ps {
        w.busy_ps = w.busy_ps.max(time);
    }
    let first = [cpu_ps, timer_ps].into_iter().flatten().min();
    if first.is_none() && w.hardware_ps > w.busy_ps + w.config.patience_ps {
        return nothing_to_do(w);
    }
    if let Some(event) = event_ps
        && first.is_none_or(|first| event < first)
    {
        run_hardware(w, first.unwrap_or(event + 1_000_000));
        return Step::Again;
    }
    if let Some(timer) = timer_ps
        && cpu_ps.is_none_or(|cpu| timer <= cpu)
    {
        w.busy_ps = w.busy_ps.max(timer);
        fire(w);
        return Step::Again;
    }
    let Some(cpu) = cpu else {
        return nothing_to_do(w);
    };
    let others = (0..w.cpus.len())
        .filter(|other| *other != cpu && w.cpus[*other].runnable())
        .map(|other| wakes_at(w, other))
        .min();
    w.horizon_ps = [others, timer_ps, event_ps]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(u64::MAX);
    w.running = Some(cpu);
    let idle = w.cpus[cpu].idle;
    let time = wakes_at(w, cpu);
    w.cpus[cpu].clock_ps = time;
    Step::Resume(*w.cpus[cpu].current.get_or_insert(idle))
}

/// When a runnable CPU goes on: an idle one at its first message.
fn wakes_at(w: &World, cpu: usize) -> u64 {
    let cpu = &w.cpus[cpu];
    let waiting = cpu.current.is_none() || cpu.spinning.is_some();
    match cpu.messages.front() {
        Some((time, _)) if waiting && cpu.dpcs.is_empty() => cpu.clock_ps.max(*time),
        _ => cpu.clock_ps,
    }
}

/// Puts ready threads on free CPUs.
fn dispatch(w: &mut World) {
    while !w.ready.is_empty() {
        let mut free: Vec<usize> = (0..w.cpus.len())
            .filter(|cpu| w.cpus[*cpu].current.is_none())
            .collect();
        if free.is_empty() {
            return;
        }
        free.sort_by_key(|cpu| w.cpus[*cpu].clock_ps);
        let choice = if w.config.preempt {
            w.random(free.len() as u64) as usize
        } else {
            0
        };
        let which = if w.config.preempt {
            w.random(w.ready.len() as u64) as usize
        } else {
            0
        };
        let id = w.ready.remove(which);
        w.place_thread(id, free[choice]);
    }
}

fn run_hardware(w: &mut World, until_ps: u64) {
    let before = w.hardware_ps;
    let reached = w
        .with_hardware(|hardware, bus| hardware.run(bus, until_ps))
        .unwrap_or(until_ps);
    w.hardware_ps = reached.max(before);
    let time = w.hardware_ps;
    w.collect_messages(time);
    if reached <= before && w.cpus.iter().all(|cpu| cpu.messages.is_empty()) {
        // An event that does not pass by running to it: go beyond, so that nothing hangs.
        w.hardware_ps = until_ps.max(before + 1000);
    }
}

fn fire(w: &mut World) {
    let Some(((time, _), event)) = w.timers.pop_first() else {
        return;
    };
    match event {
        TimerEvent::Wake(id, number) => w.deadline(id, number, time),
        TimerEvent::Timer(handle, number) => crate::ddi::work::timer_due(w, handle, number, time),
    }
}

fn nothing_to_do(w: &mut World) -> Step {
    let spinning: Vec<String> = w
        .cpus
        .iter()
        .enumerate()
        .filter_map(|(number, cpu)| {
            cpu.spinning
                .map(|lock| format!("CPU {number} waits for spin lock {lock:#x}"))
        })
        .collect();
    if spinning.is_empty() {
        return Step::Idle;
    }
    w.violation(Rule::Deadlock, "spin lock", spinning.join(", "));
    w.report.stopped = true;
    Step::Stopped
}

impl World {
    /// What every thread waits for, for a report.
    pub(crate) fn who_waits(&self) -> String {
        let waiting = self
            .threads
            .iter()
            .enumerate()
            .filter(|(_, thread)| !thread.daemon);
        let waiting = waiting
            .filter(|(_, thread)| thread.state == State::Waiting)
            .map(|(id, thread)| {
                let keys: Vec<String> = thread
                    .keys
                    .iter()
                    .map(|key| format!("{:#x}", key.0))
                    .collect();
                format!(
                    "thread {id} {} in {:?} waits for {}",
                    thread.name,
                    thread.frames,
                    keys.join(" or ")
                )
            });
        waiting.collect::<Vec<_>>().join("; ")
    }
}
