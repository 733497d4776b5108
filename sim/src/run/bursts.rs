//! The bursts of one strategy: driver actions on virtual CPUs, interrupts from the device, and the books over both.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use pinring_core::strategy::{Action, Kind};
use pinring_core::{Burst, BurstError, Completion, QueueError, QueueHandle, Transfer};
use pinring_protocol::registers;
use pinring_protocol::{Direction, Status};

use super::setup::{self, Ready, SetupError};
use super::{Options, Outcome, instructions};
use crate::cpu::{Activity, ActivityId, Context, CpuError, Cpus, Happened};
use crate::host::PAGE_BYTES;
use crate::link::HostEvent;
use crate::machine::MachineError;
use crate::report::{Deadlines, Label, Lane, Origin, Span, StrategyReport, Timeline};
use crate::scenario::{Bound, Costs, IommuMode, Scenario, Strategy};

/// Lists that `prepare-ahead` holds ready or in flight.
const DEPTH: u32 = 4;

/// Virtual time without any event after which a run counts as stuck.
const STUCK_PS: u64 = 5_000_000_000;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not begin.
    #[error("{strategy}: {cause}")]
    Setup {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: SetupError,
    },
    /// The machine stopped.
    #[error("{strategy}: {cause}")]
    Machine {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: MachineError,
    },
    /// The driver stopped.
    #[error("{strategy}: {cause}")]
    Driver {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: String,
    },
    /// A transfer ended with an error.
    #[error(
        "{strategy}: transfer {index} of burst {burst} ended with status {status:?} after {bytes} bytes"
    )]
    Failed {
        /// Strategy.
        strategy: Strategy,
        /// Burst, counted from 0.
        burst: u32,
        /// Transfer, counted from 0.
        index: u32,
        /// Status.
        status: Status,
        /// Bytes moved.
        bytes: u64,
    },
}

/// What stops a strategy, before it is given its name.
pub(super) enum Stop {
    Setup(SetupError),
    Machine(MachineError),
    Driver(String),
    Failed {
        burst: u32,
        index: u32,
        status: Status,
        bytes: u64,
    },
}

macro_rules! stops {
    ($($type:ty => $variant:ident $(, $convert:expr)?);+ $(;)?) => {
        $(impl From<$type> for Stop {
            fn from(cause: $type) -> Self {
                Self::$variant($($convert)?(cause))
            }
        })+
    };
}

impl From<SetupError> for Stop {
    fn from(cause: SetupError) -> Self {
        Self::Setup(cause)
    }
}

impl From<MachineError> for Stop {
    fn from(cause: MachineError) -> Self {
        Self::Machine(cause)
    }
}

stops! {
    BurstError => Driver, (|cause: BurstError| cause.to_string());
    QueueError => Driver, (|cause: QueueError| cause.to_string());
    CpuError => Driver, (|cause: CpuError| cause.to_string());
}

impl Stop {
    fn of(self, strategy: Strategy) -> RunError {
        match self {
            Self::Setup(cause) => RunError::Setup { strategy, cause },
            Self::Machine(cause) => RunError::Machine { strategy, cause },
            Self::Driver(cause) => RunError::Driver { strategy, cause },
            Self::Failed {
                burst,
                index,
                status,
                bytes,
            } => RunError::Failed {
                strategy,
                burst,
                index,
                status,
                bytes,
            },
        }
    }
}

/// Transfers of one direction in a burst.
struct Way {
    direction: Direction,
    queue: QueueHandle,
    vector: u32,
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
    /// The DPC's time for completions after the first.
    Rest,
}

/// Books over the bursts of a strategy.
#[derive(Default)]
struct Books {
    setup_work_ps: u64,
    in_flight: Vec<(u64, u64)>,
    burst_ns: Vec<f64>,
    first_byte_ns: Vec<f64>,
    window_ns: f64,
    mmio: (u64, u64),
    list_wait: u64,
    instructions: u64,
    bytes: u64,
    completions: u64,
    mismatches: u64,
    done_ns: Vec<f64>,
    deadlines: Option<Deadlines>,
    spans: Vec<Span>,
    hidden: (f64, f64),
}

struct Runner<'a> {
    scenario: &'a Scenario,
    strategy: Strategy,
    ready: Ready,
    cpus: Cpus,
    costs: Costs,
    work: HashMap<ActivityId, Work>,
    ways: Vec<Way>,
    books: Books,
    number: u32,
    begin_ps: u64,
    first_doorbell_ps: Option<u64>,
    last_visible_ps: u64,
    last_interrupt_ps: u64,
    submitted_at: HashMap<u32, u64>,
}

pub(super) fn run(
    scenario: &Scenario,
    strategy: Strategy,
    bound: Bound,
    options: &Options<'_>,
    progress: &dyn Fn(u64, u64, f64),
) -> Result<Outcome, RunError> {
    inner(scenario, strategy, bound, options, progress).map_err(|stop| stop.of(strategy))
}

fn inner(
    scenario: &Scenario,
    strategy: Strategy,
    bound: Bound,
    options: &Options<'_>,
    progress: &dyn Fn(u64, u64, f64),
) -> Result<Outcome, Stop> {
    let ready = setup::prepare(scenario, strategy, options)?;
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
        ways: Vec::new(),
        books: Books::default(),
        number: 0,
        begin_ps: 0,
        first_doorbell_ps: None,
        last_visible_ps: 0,
        last_interrupt_ps: 0,
        submitted_at: HashMap::new(),
        ready,
    };
    // CPU time begins when the driver has started the device.
    let start_ps = runner.machine().now_ps();
    while runner.cpus.next(start_ps).is_some() {}
    let mut complete = true;
    for number in 0..scenario.burst.bursts {
        if options.cancel.load(Ordering::Relaxed) {
            complete = false;
            break;
        }
        runner.number = number;
        runner.burst(start_ps, options, progress)?;
    }
    let cycles = runner.machine().cycles();
    let cpu_seconds = runner.machine().cpu_seconds();
    let spans = std::mem::take(&mut runner.books.spans);
    Ok(Outcome {
        report: runner.report(complete),
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

    /// One burst, from its first host action to the last retirement.
    fn burst(
        &mut self,
        start_ps: u64,
        options: &Options<'_>,
        progress: &dyn Fn(u64, u64, f64),
    ) -> Result<(), Stop> {
        let scenario = self.scenario;
        let count = scenario.burst.transfers;
        self.ways.clear();
        for direction in [Direction::C2h, Direction::H2c] {
            let queue = match direction {
                Direction::C2h => self.ready.c2h,
                Direction::H2c => self.ready.h2c,
            };
            let numbers: Vec<u32> = (0..count)
                .filter(|&i| scenario.burst.is_c2h(i) == (direction == Direction::C2h))
                .collect();
            let Some(queue) = queue.filter(|_| !numbers.is_empty()) else {
                continue;
            };
            let transfers = numbers.iter().map(|&index| self.transfer(index)).collect();
            let kind = match self.strategy {
                Strategy::PerTransfer => Kind::PerTransfer,
                Strategy::PrepareAhead => Kind::PrepareAhead { depth: DEPTH },
                Strategy::Registered => Kind::Registered,
                Strategy::CommonBuffer => Kind::CommonBuffer,
            };
            self.ways.push(Way {
                direction,
                queue,
                vector: if direction == Direction::C2h { 1 } else { 2 },
                burst: Burst::new(kind, direction, queue, self.ready.window, transfers),
                numbers,
                finished: false,
                dpc_pending: false,
            });
        }
        let waits = self.list_waits();
        self.machine().begin_watch();
        for index in 0..count {
            self.announce(index)?;
        }
        let (writes, reads) = (self.machine().mmio_writes, self.machine().mmio_reads);
        let now = self.machine().now_ps();
        self.begin_ps = match scenario.burst.deadline_hz {
            Some(rate) => (start_ps + (f64::from(self.number) * 1e12 / rate) as u64).max(now),
            None => now,
        };
        self.machine().watch.origin_ps = self.begin_ps;
        self.first_doorbell_ps = None;
        self.submitted_at.clear();
        self.books.in_flight.clear();
        let call = Activity::new(Context::Application, "ioctl", ps(self.costs.ioctl_ns.value))
            .ready_at(self.begin_ps);
        self.books.setup_work_ps += ps(self.costs.ioctl_ns.value);
        self.request(call, Work::Call)?;

        let mut idle_since = self.begin_ps;
        while self.ways.iter().any(|way| !way.finished) {
            if options.cancel.load(Ordering::Relaxed) {
                break;
            }
            let next = self.cpus.next_change();
            let now = self.machine().now_ps();
            let until = next.unwrap_or(now + 50_000_000).max(now);
            let platform = self.ready.device.platform_mut();
            if let Some(failed) = platform.failed.take() {
                return Err(failed.into());
            }
            platform.machine.run(until)?;
            while let Some(event) = self.machine().pop_event() {
                idle_since = self.machine().now_ps();
                self.host_event(event)?;
            }
            let now = self.machine().now_ps();
            while let Some(event) = self.cpus.next(now) {
                idle_since = now;
                if event.what == Happened::Finished {
                    self.finished(event.id, event.at_ps)?;
                }
            }
            if now > idle_since + STUCK_PS && self.machine().is_quiet() {
                let what = format!(
                    "{} of {count} transfers are not complete",
                    count as usize - self.books.done_of_burst(self.number, count)
                );
                return Err(MachineError::Stuck {
                    cycles: STUCK_PS / 4000,
                    at_ps: now,
                    what,
                }
                .into());
            }
            let done = self.books.completions;
            let (cycles, seconds) = (self.machine().cycles(), self.machine().cpu_seconds());
            progress(done, cycles, seconds);
        }
        let end = self.last_visible_ps;
        let burst_ns = (end - self.begin_ps) as f64 / 1000.0;
        self.books.burst_ns.push(burst_ns);
        if let Some(first) = self.machine().watch.first_data_ps {
            let first = (first.saturating_sub(self.begin_ps)) as f64 / 1000.0;
            self.books.first_byte_ns.push(first);
        }
        if let Some(doorbell) = self.first_doorbell_ps {
            self.books.window_ns += (end - doorbell) as f64 / 1000.0;
        }
        let (writes, reads) = (
            self.machine().mmio_writes - writes,
            self.machine().mmio_reads - reads,
        );
        self.books.mmio.0 += writes;
        self.books.mmio.1 += reads;
        self.books.list_wait += self.list_waits().saturating_sub(waits);
        if let Some(rate) = scenario.burst.deadline_hz {
            let deadlines = self.books.deadlines.get_or_insert(Deadlines {
                met: 0,
                missed: 0,
                worst_ns: 0.0,
            });
            deadlines.worst_ns = deadlines.worst_ns.max(burst_ns);
            if burst_ns <= 1e9 / rate {
                deadlines.met += 1;
            } else {
                deadlines.missed += 1;
            }
        }
        self.hide();
        if self.number == 0 {
            self.picture();
        }
        Ok(())
    }

    /// Cycles that the device has spent waiting for lists between transfers.
    fn list_waits(&mut self) -> u64 {
        self.ready.device.read_register(&registers::C2H_LIST_WAIT)
            + self.ready.device.read_register(&registers::H2C_LIST_WAIT)
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

    /// Tells user logic and memory what a transfer is to carry.
    fn announce(&mut self, index: u32) -> Result<(), Stop> {
        let (position, length) = (self.position(index), self.length(index));
        let offset = self.scenario.burst.offset_bytes(index);
        let (buffer, _) = self.ready.regions[self.buffer_of(index)];
        let payload = self.ready.payload.clone();
        let platform = self.ready.device.platform_mut();
        if self.scenario.burst.is_c2h(index) {
            platform.machine.streams.send(position, length, 0);
            platform.machine.watch.expect(Direction::C2h, index, length);
            return Ok(());
        }
        let Some((layout, first)) = platform.buffer(buffer) else {
            return Err(Stop::Driver(format!("buffer {} is not locked", buffer.0)));
        };
        let layout = layout.clone();
        payload
            .write_to(
                &mut platform.machine.host.memory,
                &layout,
                first + offset,
                length,
                position,
            )
            .map_err(|fault| MachineError::Fault(fault.to_string()))?;
        platform.machine.streams.expect(position, length, 0);
        platform.machine.watch.expect(Direction::H2c, index, length);
        Ok(())
    }

    fn request(&mut self, activity: Activity, work: Work) -> Result<(), Stop> {
        let id = self.cpus.request(activity)?;
        self.work.insert(id, work);
        Ok(())
    }

    fn host_event(&mut self, event: HostEvent) -> Result<(), Stop> {
        match event {
            HostEvent::Interrupt { at_ps, data, .. } => {
                let Some(way) = self.ways.iter().position(|way| way.vector == data) else {
                    return Ok(());
                };
                self.last_interrupt_ps = at_ps;
                let isr = Activity::new(Context::Isr, "isr", ps(self.costs.isr_ns.value))
                    .ready_at(at_ps + ps(self.costs.interrupt_ns.value));
                self.request(isr, Work::Isr { way })
            }
            HostEvent::WriteFault {
                at_ps,
                header,
                fault,
            } => Err(MachineError::Fault(format!(
                "at {at_ps} ps the device wrote to {:#x}: {fault}",
                header.address
            ))
            .into()),
            HostEvent::ReadFault {
                at_ps,
                header,
                fault,
            } => Err(MachineError::Fault(format!(
                "at {at_ps} ps the device read {:#x}: {fault}",
                header.address
            ))
            .into()),
            HostEvent::MmioRead { .. } => Ok(()),
        }
    }

    fn finished(&mut self, id: ActivityId, at_ps: u64) -> Result<(), Stop> {
        match self.work.remove(&id) {
            Some(Work::Call) => {
                for way in 0..self.ways.len() {
                    self.plan(way)?;
                }
            }
            Some(Work::Action { way, action }) => self.act(way, action, at_ps)?,
            // A DPC that is queued already will see this completion too.
            Some(Work::Isr { way }) if self.ways[way].dpc_pending => {}
            Some(Work::Isr { way }) => {
                self.ways[way].dpc_pending = true;
                let reap = instructions::reap(1);
                self.books.instructions += reap;
                let work = self.costs.dpc_ns.value
                    + self.costs.instructions_ns(reap)
                    + self.costs.mmio_write_ns.value;
                let dpc = Activity::new(Context::Dpc, "dpc", ps(work))
                    .ready_at(at_ps + ps(self.costs.dpc_latency_ns.value));
                self.request(dpc, Work::Dpc { way })?;
            }
            Some(Work::Dpc { way }) => self.reap(way)?,
            Some(Work::Rest) | None => {}
        }
        Ok(())
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
            let (length, pages) = (self.length(number), self.pages(number));
            let remap = self.scenario.host.iommu == IommuMode::Remap;
            // The worker prepares ahead; today's way runs in the application's call.
            let context = match self.strategy {
                Strategy::PrepareAhead => Context::Worker,
                _ => Context::Application,
            };
            let costs = &self.costs;
            let lists = matches!(
                self.strategy,
                Strategy::PerTransfer | Strategy::PrepareAhead
            );
            let (context, name, ns) = match &action {
                Action::Prepare(_) => {
                    let mut ns = costs.map_ns(pages);
                    if remap {
                        ns += costs.iommu_map_per_page_ns.value * pages as f64;
                    }
                    (context, "map", ns)
                }
                Action::Submit(range) => {
                    let steps = instructions::submit((range.end - range.start).into());
                    self.books.instructions += steps;
                    let ns = costs.instructions_ns(steps) + costs.mmio_write_ns.value;
                    (context, "submit", ns)
                }
                Action::CopyIn(_) | Action::CopyOut(_) => {
                    (Context::Application, "copy", costs.copy_ns(length))
                }
                Action::Retire(_) if lists => {
                    let mut ns = costs.unmap_ns(pages);
                    if remap {
                        ns += costs.iommu_invalidate_ns.value;
                    }
                    (Context::Dpc, "release", ns)
                }
                Action::Retire(_) | Action::Done => (Context::Dpc, "release", 0.0),
            };
            if matches!(
                action,
                Action::Prepare(_) | Action::Submit(_) | Action::CopyIn(_)
            ) {
                self.books.setup_work_ps += ps(ns);
            }
            let activity = Activity::new(context, name, ps(ns)).transfer(number);
            self.request(activity, Work::Action { way, action })?;
        }
        Ok(())
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
                if self.strategy != Strategy::CommonBuffer && self.scenario.burst.is_c2h(number) {
                    self.verify(number);
                }
            }
        }
        self.plan(way)
    }

    fn reap(&mut self, way: usize) -> Result<(), Stop> {
        self.ways[way].dpc_pending = false;
        let queue = self.ways[way].queue;
        let mut completions: Vec<Completion> = Vec::new();
        self.ready
            .device
            .reap(queue, |completion| completions.push(completion))?;
        self.ready.device.arm(queue)?;
        let found = completions.len() as u64;
        if found > 1 {
            let more = instructions::reap(found) - instructions::reap(1);
            self.books.instructions += more;
            let rest = Activity::new(Context::Dpc, "dpc", ps(self.costs.instructions_ns(more)));
            self.request(rest, Work::Rest)?;
        }
        for completion in &completions {
            let index = self.ways[way].burst.complete(completion)?;
            let number = self.ways[way].numbers[index as usize];
            if completion.status != Status::Ok || completion.bytes != self.length(number) {
                return Err(Stop::Failed {
                    burst: self.number,
                    index: number,
                    status: completion.status,
                    bytes: completion.bytes,
                });
            }
            let visible = self.last_interrupt_ps;
            self.books.completions += 1;
            self.books.bytes += completion.bytes;
            if let Some(submitted) = self.submitted_at.get(&number) {
                self.books.in_flight.push((*submitted, visible));
            }
            let copied_later = self.strategy == Strategy::CommonBuffer
                && self.ways[way].direction == Direction::C2h;
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
        let platform = self.ready.device.platform_mut();
        let wrong = match platform.buffer(buffer) {
            Some((layout, first)) => payload
                .check(
                    &platform.machine.host.memory,
                    layout,
                    first + offset,
                    length,
                    position,
                )
                .err()
                .map_or(0, |mismatch| mismatch.wrong),
            None => length,
        };
        self.books.mismatches += wrong;
    }

    /// How much of the set-up of all transfers but the first passed while a transfer was in flight.
    fn hide(&mut self) {
        let first = self
            .ways
            .iter()
            .filter_map(|way| way.numbers.first().copied())
            .min();
        let mut busy = std::mem::take(&mut self.books.in_flight);
        busy.sort_unstable();
        let mut joined: Vec<Range<u64>> = Vec::new();
        for (start, end) in busy {
            match joined.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => joined.push(start..end),
            }
        }
        let begin = self.begin_ps;
        let setups = self.cpus.spans().iter().filter(|span| {
            span.start_ps >= begin
                && matches!(span.name, "map" | "copy")
                && span.transfer.is_some()
                && span.transfer != first
        });
        for span in setups {
            if span.name == "copy"
                && span
                    .transfer
                    .is_some_and(|number| self.scenario.burst.is_c2h(number))
            {
                continue;
            }
            self.books.hidden.1 += (span.end_ps - span.start_ps) as f64;
            for stretch in &joined {
                let from = span.start_ps.max(stretch.start);
                let to = span.end_ps.min(stretch.end);
                self.books.hidden.0 += to.saturating_sub(from) as f64;
            }
        }
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

    fn report(self, complete: bool) -> StrategyReport {
        let books = self.books;
        let scenario = self.scenario;
        let transfers = books.completions.max(1) as f64;
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let ceiling = super::ceiling_ns(scenario) * books.burst_ns.len() as f64;
        let pages =
            scenario.buffers.bytes.div_ceil(PAGE_BYTES) as f64 * f64::from(scenario.buffers.count);
        StrategyReport {
            complete,
            setup_ns: (books.completions > 0)
                .then_some(books.setup_work_ps as f64 / 1000.0 / transfers),
            first_byte_ns: mean(&books.first_byte_ns),
            burst_ns: mean(&books.burst_ns),
            efficiency: (books.window_ns > 0.0).then(|| ceiling / books.window_ns),
            mmio_writes: Some(books.mmio.0 as f64 / transfers),
            mmio_reads: Some(books.mmio.1 as f64 / transfers),
            bytes: books.bytes,
            mismatches: books.mismatches,
            completions: books.completions,
            times: crate::report::Times {
                setup: Origin {
                    label: if self.strategy == Strategy::Registered {
                        Label::Both
                    } else {
                        Label::Modelled
                    },
                    ..Origin::default()
                },
                ..crate::report::Times::default()
            },
            hidden_setup: (books.hidden.1 > 0.0).then(|| books.hidden.0 / books.hidden.1),
            list_wait_cycles: books.list_wait,
            instructions: Some(books.instructions as f64 / transfers),
            registration_ns: Some(pages * scenario.host.costs.lock_per_page_ns.value),
            transfer_done_ns: books.done_ns,
            deadlines: books.deadlines,
            ..StrategyReport::new(self.strategy)
        }
    }
}

impl Books {
    fn done_of_burst(&self, number: u32, count: u32) -> usize {
        (self.completions as usize).saturating_sub(number as usize * count as usize)
    }
}

/// Nanoseconds to picoseconds.
fn ps(ns: f64) -> u64 {
    (ns * 1000.0).round() as u64
}
