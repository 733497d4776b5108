//! The bursts of one strategy: driver actions on virtual CPUs, interrupts from the device, and the books over both.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;

use pinring_core::strategy::{Action, Kind};
use pinring_core::{Burst, Completion, Transfer};
use pinring_protocol::registers;
use pinring_protocol::{Direction, Status};

use super::bench::{self, fault_of};
use super::books::{Books, Waits};
use super::proof::Guards;
use super::setup::{self, Bench, Queue};
use super::stop::{RunError, Stop};
use super::{Options, Outcome, instructions};
use crate::board::{Entry, MachineError};
use crate::cpu::{Activity, ActivityId, Context, Cpus, Happened};
use crate::device::Doubt;
use crate::host::PAGE_BYTES;
use crate::link::HostEvent;
use crate::report::{FailedTransfer, Lane, Span, Timeline};
use crate::scenario::{Bound, Costs, Fault, FaultKind, IommuMode, Notify, Scenario, Strategy};

/// Lists that `prepare-ahead` holds ready or in flight.
const DEPTH: u32 = 4;

/// Device cycles without any movement, and CPUs with nothing to do, after which a run counts as stuck.
const STUCK_CYCLES: u64 = 1_250_000;

/// The same where reads may get no answer: the device waits 12.5 million cycles for each.
const STUCK_CYCLES_WITH_FAULTS: u64 = 15_000_000;

/// Behind a run's last transfer: what is still on its way arrives, on any link.
const SETTLE_PS: u64 = 5_000_000_000;

/// From one look of a driver for completions that no interrupt has told of to the next, while transfers are unfinished.
const LOOK_PS: u64 = 50_000_000_000;

/// Transfers of one direction in a burst.
struct Way {
    queue: Queue,
    burst: Burst,
    /// Number in the scenario's burst of each transfer of this way.
    numbers: Vec<u32>,
    finished: bool,
    dpc_pending: bool,
}

/// What an activity does when it ends.
enum Work {
    Call,
    Action {
        way: usize,
        action: Action,
    },
    Isr {
        way: usize,
    },
    Dpc {
        way: usize,
    },
    /// The DPC's or the polling application's time for completions after the first.
    Rest,
    /// A look for completions of all ways.
    Poll,
}

struct Runner<'a> {
    scenario: &'a Scenario,
    strategy: Strategy,
    ready: Bench,
    cpus: Cpus,
    costs: Costs,
    work: HashMap<ActivityId, (Context, Work)>,
    /// Activities that the application and the worker have under way.
    threads: HashMap<Context, u32>,
    /// Actions behind the one at hand: of one way, application, worker and DPC each do one after the other.
    lines: HashMap<(usize, Context), VecDeque<(Activity, Action)>>,
    /// On whose behalf the CPU is that plans what comes next, and since when.
    planner: (Context, u64),
    ways: Vec<Way>,
    guards: Guards,
    books: Books,
    number: u32,
    /// Beginning of the first frame.
    start_ps: Option<u64>,
    /// First host action of the burst.
    begin_ps: u64,
    first_doorbell_ps: Option<u64>,
    last_visible_ps: u64,
    /// When the burst's first completion was reaped, and its last.
    reaped_ps: Option<(u64, u64)>,
    submitted_at: HashMap<u32, u64>,
    /// When the driver has last looked by itself.
    looked_ps: u64,
    /// H2C bytes of all transfers that were reported complete.
    h2c_due: u64,
}

pub(super) fn run(
    scenario: &Scenario,
    strategy: Strategy,
    bound: Bound,
    options: &Options<'_>,
    progress: &dyn Fn(u64, u64, f64),
    log: &mut Vec<String>,
) -> Result<Outcome, RunError> {
    inner(scenario, strategy, bound, options, progress, log).map_err(|stop| stop.of(strategy))
}

fn inner(
    scenario: &Scenario,
    strategy: Strategy,
    bound: Bound,
    options: &Options<'_>,
    progress: &dyn Fn(u64, u64, f64),
    log: &mut Vec<String>,
) -> Result<Outcome, Stop> {
    log.push(format!("{strategy}:"));
    let ready = setup::prepare(scenario, strategy, options, 0, log)?;
    let mut runner = Runner {
        scenario,
        strategy,
        cpus: Cpus::new(
            scenario.host.cpus as usize,
            scenario.seed,
            scenario.host.preempt_ns * 1000,
        )?,
        costs: scenario.host.costs.at(bound),
        work: HashMap::new(),
        threads: HashMap::new(),
        lines: HashMap::new(),
        planner: (Context::Application, 0),
        ways: Vec::new(),
        guards: Guards::default(),
        books: Books::default(),
        number: 0,
        start_ps: None,
        begin_ps: 0,
        first_doorbell_ps: None,
        last_visible_ps: 0,
        reaped_ps: None,
        submitted_at: HashMap::new(),
        looked_ps: 0,
        h2c_due: 0,
        ready,
    };
    // CPU time begins when the driver has started the device.
    let started_ps = runner.machine().now_ps();
    while runner.cpus.next(started_ps).is_some() {}
    let mut ended = Ok(true);
    for number in 0..scenario.burst.bursts {
        runner.number = number;
        ended = runner.burst(options, progress);
        if !matches!(ended, Ok(true)) {
            break;
        }
    }
    if bound == Bound::Stated || ended.is_err() {
        let elf = options.tools.elf.as_deref();
        log.extend(super::log::take(&mut runner.ready.device, elf));
    }
    let complete = ended?;
    let faults = runner.machine().link.faults();
    runner.books.faults = (faults.injected(), faults.pending() as u64);
    if complete && !scenario.faults.is_empty() {
        bench::pass(&mut runner.ready.device, SETTLE_PS)?;
        runner.books.reads_out = runner.machine().link.outstanding_reads() as u64;
    }
    let cycles = runner.machine().cycles();
    let cpu_seconds = runner.machine().cpu_seconds();
    let spans = std::mem::take(&mut runner.books.spans);
    Ok(Outcome {
        report: runner
            .books
            .report(scenario, strategy, &runner.costs, complete),
        timeline: Timeline { strategy, spans },
        cycles,
        cpu_seconds,
    })
}

impl Runner<'_> {
    fn machine(&mut self) -> &mut crate::machine::Machine {
        &mut self.ready.device.platform_mut().machine
    }

    fn length(&self, index: u32) -> u64 {
        self.scenario.burst.length_of(index)
    }

    /// Pages that a transfer touches.
    fn pages(&self, index: u32) -> u64 {
        let first = u64::from(self.scenario.buffers.first_byte_offset_bytes);
        let start = (first + self.scenario.burst.offset_bytes(index)) % PAGE_BYTES;
        (start + self.length(index)).div_ceil(PAGE_BYTES)
    }

    /// Where the payload of a transfer begins in the endless stream of payload bytes.
    fn position(&self, index: u32) -> u64 {
        let burst = &self.scenario.burst;
        u64::from(self.number) * burst.bytes_before(burst.transfers) + burst.bytes_before(index)
    }

    fn buffer_of(&self, index: u32) -> usize {
        let transfer =
            u64::from(self.number) * u64::from(self.scenario.burst.transfers) + u64::from(index);
        (transfer % self.ready.regions.len() as u64) as usize
    }

    /// One burst, from its first host action to the last retirement; false if it was cut short, and not entered.
    fn burst(
        &mut self,
        options: &Options<'_>,
        progress: &dyn Fn(u64, u64, f64),
    ) -> Result<bool, Stop> {
        let scenario = self.scenario;
        let count = scenario.burst.transfers;
        let books = self.books.clone();
        self.ways = self.new_ways();
        self.lines.clear();
        let waits = self.waits();
        self.machine().begin_watch();
        self.machine().entries.clear();
        self.fill_buffers()?;
        self.inject()?;
        let (writes, reads) = (self.machine().mmio_writes, self.machine().mmio_reads);
        let now = self.machine().now_ps();
        let due_ps = match scenario.burst.deadline_hz {
            Some(rate) => {
                *self.start_ps.get_or_insert(now) + (f64::from(self.number) * 1e12 / rate) as u64
            }
            None => now,
        };
        self.begin_ps = due_ps.max(now);
        self.machine().watch.origin_ps = self.begin_ps;
        self.looked_ps = self.begin_ps;
        self.first_doorbell_ps = None;
        self.last_visible_ps = self.begin_ps;
        self.reaped_ps = None;
        self.submitted_at.clear();
        self.books.in_flight.clear();
        let call_ps = ps(self.costs.ioctl_ns.value);
        let call = Activity::new(Context::Application, "ioctl", call_ps).ready_at(self.begin_ps);
        self.books.setup_work_ps += call_ps;
        self.request(call, Work::Call)?;

        while self.ways.iter().any(|way| !way.finished) {
            if options.cancel.load(Ordering::Relaxed) {
                self.books = books;
                return Ok(false);
            }
            let next = self.cpus.next_change();
            let now = self.machine().now_ps();
            let until = next.unwrap_or(now + 50_000_000).max(now);
            let platform = self.ready.device.platform_mut();
            if let Some(failed) = platform.failed.take() {
                return Err(failed.into());
            }
            platform.machine.run(until)?;
            let mut happened = false;
            while let Some(event) = self.machine().pop_event() {
                happened = true;
                self.host_event(event)?;
            }
            let now = self.machine().now_ps();
            while let Some(event) = self.cpus.next(now) {
                happened = true;
                if event.what == Happened::Finished {
                    self.finished(event.id, event.at_ps)?;
                }
            }
            self.look_by_itself(now)?;
            let still = self.machine().still_cycles();
            let patience = match self.scenario.faults.is_empty() {
                true => STUCK_CYCLES,
                false => STUCK_CYCLES_WITH_FAULTS,
            };
            // The device may rest as long as a CPU has something to do: a copy takes milliseconds.
            let waiting = self
                .work
                .values()
                .all(|(_, work)| matches!(work, Work::Poll));
            let idle = !happened && self.cpus.next_change().is_none();
            if still > patience && (idle || (self.polls() && waiting)) {
                let done = self.books.completions - u64::from(self.number) * u64::from(count);
                return Err(MachineError::Stuck {
                    cycles: still,
                    at_ps: now,
                    what: format!(
                        "{} of {count} transfers are not complete; {}",
                        u64::from(count) - done,
                        self.ready.health()
                    ),
                }
                .into());
            }
            let done = self.books.completions;
            let (cycles, seconds) = (self.machine().cycles(), self.machine().cpu_seconds());
            progress(done, cycles, seconds);
        }
        let unfinished = self.machine().streams.unfinished();
        if unfinished > 0 {
            return Err(Stop::Driver(format!(
                "every transfer is reported complete, but {unfinished} packets are not through the streams"
            )));
        }
        self.check_guards();
        let end = self.last_visible_ps;
        self.books
            .burst_ns
            .push((end - self.begin_ps) as f64 / 1000.0);
        let watch = &self.machine().watch;
        if let (Some(data), Some(doorbell)) = (watch.first_data_ps, watch.first_doorbell_ps) {
            let since = |ps: u64| data.saturating_sub(ps) as f64 / 1000.0;
            let begin = self.begin_ps;
            self.books.first_byte_ns.push(since(doorbell));
            self.books.first_data_ns.push(since(begin));
        }
        if let Some(doorbell) = self.first_doorbell_ps {
            self.books.window_ns += (end - doorbell) as f64 / 1000.0;
        }
        self.books.mmio.0 += self.machine().mmio_writes - writes;
        self.books.mmio.1 += self.machine().mmio_reads - reads;
        let now = self.waits();
        self.books.waits.list += now.list.saturating_sub(waits.list);
        self.books.waits.idle += now.idle.saturating_sub(waits.idle);
        if let Some(reaped) = self.reaped_ps {
            let since = |ps: u64| ps.saturating_sub(self.begin_ps) as f64 / 1000.0;
            self.books
                .reaped_ns
                .push((since(reaped.0), since(reaped.1)));
        }
        if let Some(rate) = scenario.burst.deadline_hz {
            self.books.deadline(due_ps, end, rate);
        }
        let first = self
            .ways
            .iter()
            .filter_map(|way| way.numbers.first().copied())
            .min();
        let begin = self.begin_ps;
        let spans = self.cpus.spans().iter();
        self.books
            .hide(scenario, first, spans.filter(|span| span.start_ps >= begin));
        if self.number == 0 {
            self.picture();
        }
        Ok(true)
    }

    fn new_ways(&self) -> Vec<Way> {
        let kind = match self.strategy {
            Strategy::PerTransfer => Kind::PerTransfer,
            Strategy::PrepareAhead => Kind::PrepareAhead { depth: DEPTH },
            Strategy::Registered => Kind::Registered,
            Strategy::CommonBuffer => Kind::CommonBuffer,
        };
        let mut ways = Vec::new();
        for queue in &self.ready.queues {
            let direction = queue.direction;
            let numbers: Vec<u32> = (0..self.scenario.burst.transfers)
                .filter(|&i| self.scenario.burst.is_c2h(i) == (direction == Direction::C2h))
                .collect();
            if numbers.is_empty() {
                continue;
            }
            let transfers = numbers.iter().map(|&index| self.transfer(index)).collect();
            ways.push(Way {
                queue: queue.clone(),
                burst: Burst::new(kind, direction, queue.handle, self.ready.window, transfers),
                numbers,
                finished: false,
                dpc_pending: false,
            });
        }
        ways
    }

    /// What the device has counted so far.
    fn waits(&mut self) -> Waits {
        let device = &mut self.ready.device;
        Waits {
            list: device.read_register(&registers::C2H_LIST_WAIT)
                + device.read_register(&registers::H2C_LIST_WAIT),
            idle: device.read_register(&registers::C2H_IDLE)
                + device.read_register(&registers::H2C_IDLE),
        }
    }

    fn transfer(&self, index: u32) -> Transfer {
        Transfer {
            region: self.ready.regions[self.buffer_of(index)].1,
            offset: self.scenario.burst.offset_bytes(index),
            length: self.length(index),
            tdest: 0,
            user: index,
            cookie: u64::from(self.number) << 32 | u64::from(index),
        }
    }

    /// Guards, targets and sources of the burst, and what the user logic is to send and to expect.
    fn fill_buffers(&mut self) -> Result<(), Stop> {
        self.guards = Guards::new(self.scenario, |index| self.buffer_of(index));
        let (guards, regions) = (&self.guards, &self.ready.regions);
        let (memory, buffers) = self.ready.device.platform_mut().memory_and_buffers();
        guards
            .set(memory, |index| buffers.get(regions.get(index)?.0))
            .map_err(|fault| MachineError::Fault(fault.to_string()))?;
        for index in 0..self.scenario.burst.transfers {
            self.announce(index)?;
        }
        Ok(())
    }

    /// Has the link do wrong what the scenario says of this burst.
    fn inject(&mut self) -> Result<(), Stop> {
        let scenario = self.scenario;
        for fault in &scenario.faults {
            let placed = self.ways.iter().find_map(|way| {
                let mut numbers = way.numbers.iter();
                let place = numbers.position(|number| *number == fault.transfer)?;
                let before = u64::from(self.number) * way.numbers.len() as u64;
                Some((way.queue.direction, before + place as u64))
            });
            let Some((direction, index)) = placed.filter(|_| fault.burst == self.number) else {
                continue;
            };
            let transfer = self.transfer(fault.transfer);
            self.ready
                .inject(fault, direction, &transfer, index)
                .map_err(|error| Stop::Driver(format!("setting a fault up: {error}")))?;
        }
        Ok(())
    }

    /// What a transfer of this burst may come to by what is to go wrong with it.
    fn doubt(&self, number: u32) -> Option<Doubt> {
        let of_it = |fault: &&Fault| (fault.burst, fault.transfer) == (self.number, number);
        let faults = self.scenario.faults.iter().filter(of_it);
        let doubt = |fault: &Fault| match fault.kind {
            FaultKind::WrongTag => Some(Doubt::Bytes),
            kind => kind.fails().then_some(Doubt::End),
        };
        faults.filter_map(doubt).max()
    }

    fn has_failed(&self, number: u32) -> bool {
        let failed = &self.books.failed;
        failed
            .iter()
            .any(|end| (end.burst, end.transfer) == (self.number, number))
    }

    fn check_guards(&mut self) {
        let (guards, regions) = (&self.guards, &self.ready.regions);
        let (memory, buffers) = self.ready.device.platform_mut().memory_and_buffers();
        self.books.mismatches += guards.broken(memory, |index| buffers.get(regions.get(index)?.0));
    }

    /// Tells user logic and memory what a transfer is to carry.
    fn announce(&mut self, index: u32) -> Result<(), Stop> {
        let (position, length) = (self.position(index), self.length(index));
        let offset = self.scenario.burst.offset_bytes(index);
        let (buffer, _) = self.ready.regions[self.buffer_of(index)];
        let payload = self.ready.payload.clone();
        let is_c2h = self.scenario.burst.is_c2h(index);
        let doubt = self.doubt(index);
        let platform = self.ready.device.platform_mut();
        let (memory, buffers) = platform.memory_and_buffers();
        let Some((layout, first)) = buffers.get(buffer) else {
            return Err(Stop::Driver(format!("buffer {} is not locked", buffer.0)));
        };
        let at = first + offset;
        let written = if is_c2h {
            payload.write_complement_to(memory, layout, at, length, position)
        } else {
            payload.write_to(memory, layout, at, length, position)
        };
        written.map_err(|fault| MachineError::Fault(fault.to_string()))?;
        let machine = &mut platform.machine;
        if is_c2h {
            machine.streams.send(position, length, 0);
            machine.watch.expect(Direction::C2h, index, length);
        } else {
            match doubt {
                Some(doubt) => machine.streams.expect_doubtful(position, length, 0, doubt),
                None => machine.streams.expect(position, length, 0),
            }
            machine.watch.expect(Direction::H2c, index, length);
        }
        Ok(())
    }

    fn request(&mut self, activity: Activity, work: Work) -> Result<(), Stop> {
        let context = activity.context;
        if matches!(
            work,
            Work::Isr { .. } | Work::Dpc { .. } | Work::Rest | Work::Poll
        ) {
            *self.books.completion_work_ps.get_or_insert(0) += activity.work_ps;
        }
        let id = self.cpus.request(activity)?;
        self.work.insert(id, (context, work));
        if context.is_thread() {
            *self.threads.entry(context).or_default() += 1;
        }
        Ok(())
    }

    fn host_event(&mut self, event: HostEvent) -> Result<(), Stop> {
        match event {
            HostEvent::Interrupt { at_ps, data, .. } => {
                let Some(way) = self.ways.iter().position(|way| way.queue.vector == data) else {
                    return Ok(());
                };
                self.books.interrupts += 1;
                let isr = Activity::new(Context::Isr, "isr", ps(self.costs.isr_ns.value))
                    .ready_at(at_ps + ps(self.costs.interrupt_ns.value));
                self.request(isr, Work::Isr { way })
            }
            HostEvent::WriteFault { .. } | HostEvent::ReadFault { .. } => {
                fault_of(&event).map_or(Ok(()), |fault| Err(fault.into()))
            }
            HostEvent::MmioRead { .. } | HostEvent::Entry { .. } => Ok(()),
        }
    }

    fn finished(&mut self, id: ActivityId, at_ps: u64) -> Result<(), Stop> {
        let Some((context, work)) = self.work.remove(&id) else {
            return Ok(());
        };
        if let Some(count) = self.threads.get_mut(&context) {
            *count -= 1;
        }
        self.planner = (context, at_ps);
        match work {
            Work::Call => {
                for way in 0..self.ways.len() {
                    self.plan(way)?;
                }
            }
            Work::Action { way, action } => {
                if let Some(line) = self.lines.get_mut(&(way, context)) {
                    line.pop_front();
                }
                self.begin_next(way, context)?;
                self.act(way, action, at_ps)?;
            }
            // A DPC that is queued already will see this completion too.
            Work::Isr { way } if self.ways[way].dpc_pending => {}
            Work::Isr { way } => self.queue_dpc(way, at_ps)?,
            Work::Dpc { way } => self.reap(way)?,
            Work::Rest => {}
            Work::Poll => {
                for way in 0..self.ways.len() {
                    self.reap(way)?;
                }
            }
        }
        self.look_again(at_ps)
    }

    fn queue_dpc(&mut self, way: usize, at_ps: u64) -> Result<(), Stop> {
        self.ways[way].dpc_pending = true;
        let reap = instructions::reap(1);
        self.books.instructions += reap;
        let work = self.costs.dpc_ns.value
            + self.costs.instructions_ns(reap)
            + self.costs.mmio_write_ns.value;
        let dpc = Activity::new(Context::Dpc, "dpc", ps(work))
            .ready_at(at_ps + ps(self.costs.dpc_latency_ns.value));
        self.request(dpc, Work::Dpc { way })
    }

    /// A driver whose interrupts may get lost looks by itself, as the Windows driver does.
    fn look_by_itself(&mut self, now_ps: u64) -> Result<(), Stop> {
        let mut faults = self.scenario.faults.iter();
        let lost = faults.any(|fault| fault.kind == FaultKind::LostInterrupt);
        if !lost || now_ps < self.looked_ps + LOOK_PS {
            return Ok(());
        }
        self.looked_ps = now_ps;
        for way in 0..self.ways.len() {
            if !self.ways[way].finished && !self.ways[way].dpc_pending {
                self.queue_dpc(way, now_ps)?;
            }
        }
        Ok(())
    }

    /// An application that polls looks for completions when it has nothing else to do, until the burst is over.
    fn look_again(&mut self, at_ps: u64) -> Result<(), Stop> {
        let busy = self.threads.get(&Context::Application).copied();
        if !self.polls() || busy != Some(0) || self.ways.iter().all(|way| way.finished) {
            return Ok(());
        }
        let look = self.scenario.host.poll_ns * 1000;
        let look = Activity::new(Context::Application, "poll", look).ready_at(at_ps);
        self.request(look, Work::Poll)
    }

    fn polls(&self) -> bool {
        self.scenario.host.notify == Notify::Poll
    }

    /// Whoever reaps.
    fn reaper(&self) -> Context {
        match self.scenario.host.notify {
            Notify::Interrupt => Context::Dpc,
            Notify::Poll => Context::Application,
        }
    }

    /// Who does an action.
    fn context_of(&self, action: &Action) -> Context {
        match (action, self.strategy) {
            (Action::Retire(_) | Action::Done, _) => self.reaper(),
            // A worker prepares ahead.
            (_, Strategy::PrepareAhead) => Context::Worker,
            // The framework's queue presents the next request where the last one was completed.
            (_, Strategy::PerTransfer) => self.planner.0,
            _ => Context::Application,
        }
    }

    /// Asks for CPU time for whatever the burst wants next.
    fn plan(&mut self, way: usize) -> Result<(), Stop> {
        while let Some(action) = self.ways[way].burst.next_action() {
            let first = match &action {
                Action::Prepare(index)
                | Action::CopyIn(index)
                | Action::CopyOut(index)
                | Action::Retire(index) => *index,
                Action::Submit(range) => range.start,
                Action::Done => {
                    self.ways[way].finished = true;
                    continue;
                }
            };
            let number = self.ways[way].numbers[first as usize];
            let pages = self.pages(number) as f64;
            let remap = self.scenario.host.iommu == IommuMode::Remap;
            let costs = &self.costs;
            let lists = matches!(
                self.strategy,
                Strategy::PerTransfer | Strategy::PrepareAhead
            );
            let (name, ns) = match &action {
                Action::Prepare(_) => {
                    let mut ns = costs.map_ns(self.pages(number));
                    if remap {
                        ns += costs.iommu_map_per_page_ns.value * pages;
                    }
                    ("map", ns)
                }
                Action::Submit(range) => {
                    let steps = instructions::submit((range.end - range.start).into());
                    self.books.instructions += steps;
                    let ns = costs.instructions_ns(steps) + costs.mmio_write_ns.value;
                    ("submit", ns)
                }
                Action::CopyIn(_) | Action::CopyOut(_) => {
                    ("copy", costs.copy_ns(self.length(number)))
                }
                Action::Retire(_) if lists => {
                    let mut ns = costs.unmap_ns(self.pages(number));
                    if remap {
                        ns += costs.iommu_invalidate_ns.value;
                    }
                    ("release", ns)
                }
                Action::Retire(_) | Action::Done => ("release", 0.0),
            };
            if matches!(
                action,
                Action::Prepare(_) | Action::Submit(_) | Action::CopyIn(_)
            ) {
                self.books.setup_work_ps += ps(ns);
            }
            let context = self.context_of(&action);
            let (planner, now) = self.planner;
            // A thread that waits has to be woken first.
            let asleep = context.is_thread()
                && context != planner
                && self.threads.get(&context).is_none_or(|count| *count == 0);
            let wake = if asleep {
                ps(self.costs.thread_wake_ns.value)
            } else {
                0
            };
            let activity = Activity::new(context, name, ps(ns))
                .transfer(number)
                .ready_at(now + wake);
            let line = self.lines.entry((way, context)).or_default();
            line.push_back((activity, action));
            if line.len() == 1 {
                self.begin_next(way, context)?;
            }
        }
        Ok(())
    }

    /// Asks for CPU time for the first action of a line, which stays in it until it is done.
    fn begin_next(&mut self, way: usize, context: Context) -> Result<(), Stop> {
        let line = self.lines.get(&(way, context));
        let Some((activity, action)) = line.and_then(VecDeque::front).cloned() else {
            return Ok(());
        };
        self.request(activity, Work::Action { way, action })
    }

    /// Carries out what CPU time was asked for.
    fn act(&mut self, way: usize, action: Action, at_ps: u64) -> Result<(), Stop> {
        let Way { burst, numbers, .. } = &mut self.ways[way];
        burst.carry_out(&mut self.ready.device, &action)?;
        match action {
            Action::Submit(range) => {
                self.first_doorbell_ps.get_or_insert(at_ps);
                for index in range {
                    self.submitted_at.insert(numbers[index as usize], at_ps);
                }
            }
            Action::Prepare(_) | Action::CopyIn(_) | Action::Done => {}
            Action::CopyOut(index) => {
                let number = numbers[index as usize];
                self.last_visible_ps = self.last_visible_ps.max(at_ps);
                self.done(number, at_ps);
                self.verify(number);
            }
            Action::Retire(index) => {
                // Data is the application's once its list is released.
                let number = numbers[index as usize];
                if self.strategy != Strategy::CommonBuffer
                    && self.scenario.burst.is_c2h(number)
                    && !self.has_failed(number)
                {
                    self.verify(number);
                }
            }
        }
        self.plan(way)
    }

    /// The completion entry that the driver finds next in a queue's ring.
    fn next_entry(&mut self, way: usize) -> Option<Entry> {
        let rings = self.ways[way].queue.rings.clone();
        let entries = &mut self.machine().entries;
        let mine = |entry: &Entry| rings.iter().any(|ring| ring.contains(&entry.address));
        let place = entries.iter().position(mine)?;
        entries.remove(place)
    }

    fn reap(&mut self, way: usize) -> Result<(), Stop> {
        self.ways[way].dpc_pending = false;
        let queue = self.ways[way].queue.handle;
        let mut completions: Vec<Completion> = Vec::new();
        self.ready
            .device
            .reap(queue, |completion| completions.push(completion))?;
        if !self.polls() {
            self.ready.device.arm(queue)?;
        }
        let found = completions.len() as u64;
        if found > 0 {
            let now = self.planner.1;
            let first = self.reaped_ps.map_or(now, |(first, _)| first);
            self.reaped_ps = Some((first, now));
        }
        if found > 1 {
            let more = instructions::reap(found) - instructions::reap(1);
            self.books.instructions += more;
            let name = if self.polls() { "poll" } else { "dpc" };
            let more = ps(self.costs.instructions_ns(more));
            let rest = Activity::new(self.reaper(), name, more);
            self.request(rest, Work::Rest)?;
        }
        for completion in &completions {
            let index = self.ways[way].burst.complete(completion)?;
            let number = self.ways[way].numbers[index as usize];
            let length = self.length(number);
            let whole = completion.status == Status::Ok && completion.bytes == length;
            if !whole && self.scenario.faults.is_empty() {
                return Err(Stop::Failed {
                    burst: self.number,
                    index: number,
                    status: completion.status,
                    bytes: completion.bytes,
                });
            }
            let Some(entry) = self.next_entry(way) else {
                return Err(Stop::Driver(format!(
                    "the driver found transfer {number} complete, but the device has written no entry for it"
                )));
            };
            let visible = entry.at_ps;
            let is_c2h = self.scenario.burst.is_c2h(number);
            if !whole {
                self.books.failed.push(FailedTransfer {
                    burst: self.number,
                    transfer: number,
                    status: format!("{:?}", completion.status),
                });
            } else if !is_c2h {
                self.h2c_due += length;
                if entry.received < self.h2c_due {
                    return Err(Stop::Driver(format!(
                        "transfer {number} was reported complete when its stream had taken {} bytes of {}",
                        entry.received, self.h2c_due
                    )));
                }
            }
            self.books.completions += 1;
            self.books.bytes += completion.bytes;
            if let Some(submitted) = self.submitted_at.get(&number) {
                self.books.in_flight.push((*submitted, visible));
            }
            let copied_later = self.strategy == Strategy::CommonBuffer && is_c2h;
            if !copied_later {
                self.last_visible_ps = self.last_visible_ps.max(visible);
                self.done(number, visible);
            }
        }
        self.plan(way)
    }

    fn done(&mut self, number: u32, at_ps: u64) {
        if self.number == 0 {
            let ns = (at_ps - self.begin_ps) as f64 / 1000.0;
            let place = number as usize;
            if self.books.done_ns.len() <= place {
                self.books.done_ns.resize(place + 1, 0.0);
            }
            self.books.done_ns[place] = ns;
        }
    }

    /// Compares what has arrived in the application's buffer.
    fn verify(&mut self, number: u32) {
        let (position, length) = (self.position(number), self.length(number));
        let offset = self.scenario.burst.offset_bytes(number);
        let (buffer, _) = self.ready.regions[self.buffer_of(number)];
        let payload = self.ready.payload.clone();
        let (memory, buffers) = self.ready.device.platform_mut().memory_and_buffers();
        self.books.mismatches += match buffers.get(buffer) {
            Some((layout, first)) => payload
                .check(memory, layout, first + offset, length, position)
                .err()
                .map_or(0, |mismatch| mismatch.wrong),
            None => length,
        };
    }

    /// Keeps the first burst's picture.
    fn picture(&mut self) {
        let begin = self.begin_ps;
        let ns = |at: u64| at.saturating_sub(begin) as f64 / 1000.0;
        let mut spans: Vec<Span> = self
            .cpus
            .spans()
            .iter()
            .filter(|span| span.start_ps >= begin)
            .map(|span| Span {
                lane: Lane::Cpu(span.cpu as u32),
                transfer: span.transfer,
                start_ns: ns(span.start_ps),
                end_ns: ns(span.end_ps),
                label: span.name.to_string(),
            })
            .collect();
        spans.append(&mut self.machine().watch.spans);
        self.books.spans = spans;
    }
}

/// Nanoseconds to picoseconds.
fn ps(ns: f64) -> u64 {
    (ns * 1000.0).round() as u64
}
