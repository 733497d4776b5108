//! The bursts of one strategy with the Windows driver's own code between the client and the gateware.
//!
//! The application is a thread of a modelled Windows machine that uses the client library; the machine's KMDF is the double, its
//! device is the [board](crate::board::Board). Times are the machine's: stated costs of calls, counted cycles of the device.

mod card;
mod costs;
mod tool;
mod transport;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use kmdf_sim::dma::{DmaConfig, Iommu, OsVersion, Translation};
use kmdf_sim::memory::{PageLayout, UserBuffer};
use pinring_client::{
    Buffer, Burst, CommonBuffer, Completion, Device, Direction as Way, Permissions, Region,
    Strategy as Kind, Transfer, Transport,
};
use pinring_protocol::Direction;

use super::books::{Books, Waits};
use super::proof::Guards;
use super::setup;
use super::stop::{RunError, Stop};
use super::{Options, Outcome};
use crate::cpu::{ActivityId, Context, Span as CpuSpan};
use crate::host::{Layout, Payload};
use crate::report::{Lane, Span, Timeline};
use crate::scenario::{self, Bound, Costs, IommuMode, Notify, Scenario, Strategy, WriteCombining};
use card::{Arrival, Card};
use costs::{Record, ScenarioCosts, Spent, What};
pub use tool::pinring;
use transport::SystemCalls;

/// How long the driver may take to be ready between registration and the first burst, in nanoseconds.
const SETTLE_NS: u64 = 2_000_000;

pub(super) fn run(
    scenario: &Scenario,
    strategy: Strategy,
    bound: Bound,
    options: &Options<'_>,
    progress: &dyn Fn(u64, u64, f64),
    log: &mut Vec<String>,
) -> Result<Outcome, RunError> {
    log.push(format!("{strategy}:"));
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
    let direction = match scenario.burst.direction {
        scenario::Direction::C2h => Direction::C2h,
        scenario::Direction::H2c => Direction::H2c,
        scenario::Direction::Both => {
            return Err(Stop::Driver(
                "the client's bursts have one direction: run a scenario of one direction with --driver kmdf"
                    .to_string(),
            ));
        }
    };
    if scenario.host.write_combining != WriteCombining::Off {
        return Err(Stop::Driver(
            "the Windows driver maps BAR0 uncached: set host.write_combining to off for --driver kmdf"
                .to_string(),
        ));
    }
    if scenario.host.notify != Notify::Interrupt {
        return Err(Stop::Driver(
            "the Windows driver learns of completions by interrupts: set host.notify to interrupt for --driver kmdf"
                .to_string(),
        ));
    }
    if !scenario.faults.is_empty() {
        return Err(Stop::Driver(
            "faults are for the driver's core: leave them out of scenarios for --driver kmdf"
                .to_string(),
        ));
    }
    let (board, payload) = setup::board(scenario, strategy, options)?;
    let layouts = setup::layouts(scenario)?;
    let card = Card::new(board);
    let record = Record::default();
    let costs = scenario.host.costs.at(bound);
    let config = config(scenario, &costs, &record, options.preempt);
    let mut machine = kmdf_sim::Machine::new(config, card.clone());
    // Before the driver takes memory of its own, which goes where there is room.
    let buffers = layouts
        .iter()
        .map(|layout| UserBuffer::new(layout.bytes() as usize, &PageLayout::Frames(frames(layout))))
        .collect::<Result<VecDeque<_>, _>>()
        .map_err(client)?;
    let application = Application {
        scenario,
        strategy,
        direction,
        payload,
        buffers,
        card: card.clone(),
        record,
        costs: costs.clone(),
        options,
        progress,
        books: Books::default(),
        number: 0,
        h2c_due: 0,
        origin_ps: None,
    };
    let ran = drive(&mut machine, move || application.run());
    let found = machine.report();
    drop(machine);
    if let Some(failed) = card.with(|inner| inner.failed.take()) {
        return Err(failed.into());
    }
    let Ended {
        books,
        complete,
        firmware_log,
    } = match ran {
        Ok(ended) => ended,
        Err(stop) if found.violations.is_empty() => return Err(stop),
        Err(stop) => {
            let cause = RunError::to_string(&stop.of(strategy));
            return Err(Stop::Driver(format!(
                "{cause}; the verifier found:\n{found}"
            )));
        }
    };
    if !found.violations.is_empty() {
        return Err(Stop::Driver(format!(
            "the driver's verifier found:\n{found}"
        )));
    }
    if bound == Bound::Stated {
        log.extend(super::log::show(
            &firmware_log,
            options.tools.elf.as_deref(),
        ));
    }
    let (cycles, cpu_seconds) =
        card.with(|inner| (inner.board.cycles(), inner.board.cpu_seconds()));
    let spans = books.spans.clone();
    let mut report = books.report(scenario, strategy, &costs, complete);
    // Time between calls is not counted.
    report.instructions = None;
    Ok(Outcome {
        report,
        timeline: Timeline { strategy, spans },
        cycles,
        cpu_seconds,
    })
}

/// The scenario's host.
fn config(scenario: &Scenario, costs: &Costs, record: &Record, preempt: bool) -> kmdf_sim::Config {
    kmdf_sim::Config {
        cpus: scenario.host.cpus.max(1) as usize,
        seed: scenario.seed,
        preempt,
        costs: Box::new(ScenarioCosts::new(
            costs.clone(),
            scenario.host.iommu,
            Rc::clone(record),
        )),
        dma: dma(scenario),
        registry: vec![
            ("ModerationCount".into(), scenario.host.moderation_count),
            ("ModerationTimeUs".into(), scenario.host.moderation_us),
        ],
        ..kmdf_sim::Config::default()
    }
}

/// The scenario's host, as Windows would set its DMA up.
fn dma(scenario: &Scenario) -> DmaConfig {
    DmaConfig {
        os: OsVersion::Windows11,
        iommu: match scenario.host.iommu {
            IommuMode::Remap => Iommu::On,
            IommuMode::Off | IommuMode::Bounce => Iommu::Off,
        },
        translation: Some(match scenario.host.iommu {
            IommuMode::Off => Translation::Direct,
            IommuMode::Remap => Translation::Remapping,
            IommuMode::Bounce => Translation::Bounce,
        }),
        map_registers: 1 << 16,
        ..DmaConfig::default()
    }
}

/// What the application brought back.
struct Ended {
    books: Books,
    complete: bool,
    firmware_log: Vec<u8>,
}

/// The machine's life: driver, device, application, and the end of all three.
fn drive<R: 'static>(
    machine: &mut kmdf_sim::Machine,
    application: impl FnOnce() -> Result<R, Stop>,
) -> Result<R, Stop> {
    let stopped = |_: kmdf_sim::Stopped| Stop::Driver("the machine stopped".to_string());
    let check = |what: &str, status: i32| match status {
        0.. => Ok(()),
        _ => Err(Stop::Driver(format!("{what}: status {status:#010x}"))),
    };
    let loaded = machine.load(|driver, path| {
        // SAFETY: what DriverEntry is called with.
        unsafe { pinring_kmdf::driver_entry(driver, path) }
    });
    check("DriverEntry", loaded.map_err(stopped)?)?;
    check(
        "starting the device",
        machine.add_device().map_err(stopped)?,
    )?;
    let process = machine.process().map_err(stopped)?;
    let ended = machine.run(Some(process), application).map_err(stopped)??;
    let mut removed = machine.remove().map_err(stopped)?;
    // A file that was closed a moment ago may still be on its way.
    for _ in 0..100 {
        if removed != kmdf_sim::STATUS_DEVICE_BUSY {
            break;
        }
        let slept = machine.run(None, || kmdf_sim::user::sleep_ps(1_000_000_000));
        slept.map_err(stopped)?;
        removed = machine.remove().map_err(stopped)?;
    }
    check("removing the device", removed)?;
    machine.unload().map_err(stopped)?;
    Ok(ended)
}

/// The program that uses the card.
struct Application<'a> {
    scenario: &'a Scenario,
    strategy: Strategy,
    direction: Direction,
    payload: Payload,
    /// The memory that is to be registered.
    buffers: VecDeque<UserBuffer>,
    card: Card,
    record: Record,
    costs: Costs,
    options: &'a Options<'a>,
    progress: &'a dyn Fn(u64, u64, f64),
    books: Books,
    number: u32,
    h2c_due: u64,
    /// Beginning of the first frame.
    origin_ps: Option<u64>,
}

/// A buffer of the application, and what it is registered as.
struct Target {
    /// Freed last.
    memory: Buffer,
    region: Registered,
}

enum Registered {
    User(Region<SystemCalls, pinring_client::Unowned>),
    Common(CommonBuffer<SystemCalls>),
}

impl Target {
    fn transfer(&self, offset: u64, length: u64) -> Transfer {
        match &self.region {
            Registered::User(region) => region.transfer(offset..offset + length),
            Registered::Common(region) => region.transfer(offset..offset + length),
        }
    }
}

fn client(error: impl std::fmt::Display) -> Stop {
    Stop::Driver(error.to_string())
}

impl Application<'_> {
    fn run(mut self) -> Result<Ended, Stop> {
        let buffers = std::mem::take(&mut self.buffers);
        let calls = SystemCalls::open(buffers, self.costs.clone()).map_err(client)?;
        let device = Device::new(calls).map_err(client)?;
        let targets = self.register(&device)?;
        device.transport().sleep(SETTLE_NS);
        let sizes: Vec<u64> = targets
            .iter()
            .map(|target| target.memory.len() as u64)
            .collect();
        let rings = kmdf_sim::dma::common_buffers();
        let is_ring = |range: &std::ops::Range<u64>| !sizes.contains(&(range.end - range.start));
        self.card
            .set_rings(rings.into_iter().filter(is_ring).collect());
        let mut complete = true;
        for number in 0..self.scenario.burst.bursts {
            self.number = number;
            if self.options.cancel.load(Ordering::Relaxed) {
                complete = false;
                break;
            }
            self.burst(&device, &targets)?;
            let done = self.books.completions;
            let (cycles, seconds) = self
                .card
                .with(|inner| (inner.board.cycles(), inner.board.cpu_seconds()));
            (self.progress)(done, cycles, seconds);
        }
        let mut firmware_log = vec![0; super::log::MOST];
        let taken = device.read_log(&mut firmware_log).map_err(client)?;
        firmware_log.truncate(taken);
        for Target { memory, region } in targets {
            // The device has let go before the memory is freed.
            drop(region);
            drop(memory);
        }
        Ok(Ended {
            books: self.books,
            complete,
            firmware_log,
        })
    }

    fn way(&self) -> Way {
        match self.direction {
            Direction::C2h => Way::C2h,
            Direction::H2c => Way::H2c,
        }
    }

    fn kind(&self) -> Kind {
        match self.strategy {
            Strategy::PerTransfer => Kind::PerTransfer,
            Strategy::PrepareAhead => Kind::PrepareAhead,
            Strategy::Registered => Kind::Registered,
            Strategy::CommonBuffer => Kind::CommonBuffer,
        }
    }

    /// Allocates and registers the scenario's buffers.
    fn register(&self, device: &Device<SystemCalls>) -> Result<Vec<Target>, Stop> {
        let buffers = &self.scenario.buffers;
        let first = buffers.first_byte_offset_bytes as usize;
        let bytes = buffers.bytes as usize;
        let each = self
            .scenario
            .burst
            .transfers
            .saturating_mul(self.scenario.burst.bursts);
        // Driver memory only for buffers that a transfer uses.
        let used = match self.strategy {
            Strategy::CommonBuffer => buffers.count.min(each),
            _ => buffers.count,
        };
        (0..used)
            .map(|_| {
                let memory = device.buffer(first + bytes).map_err(client)?;
                let region = match self.kind().tiers() {
                    Some(tiers) => {
                        let start = NonNull::from(&memory[first..]).cast();
                        // SAFETY: the region is dropped before its memory, which is reached through pointers alone meanwhile.
                        let region =
                            unsafe { device.register_raw(start, bytes, Permissions::Both, tiers) };
                        Registered::User(region.map_err(client)?)
                    }
                    None => {
                        let region = device.allocate(bytes as u64, Permissions::Both);
                        Registered::Common(region.map_err(client)?)
                    }
                };
                Ok(Target { memory, region })
            })
            .collect()
    }

    fn buffer_of(&self, index: u32, buffers: usize) -> usize {
        let burst = &self.scenario.burst;
        let transfer = u64::from(self.number) * u64::from(burst.transfers) + u64::from(index);
        (transfer % buffers as u64) as usize
    }

    /// Where the payload of a transfer begins in the endless stream of payload bytes.
    fn position(&self, index: u32) -> u64 {
        let burst = &self.scenario.burst;
        u64::from(self.number) * burst.bytes_before(burst.transfers) + burst.bytes_before(index)
    }

    /// The bytes of a buffer, as the application reads and writes them.
    fn bytes(&self, target: &Target, range: std::ops::Range<u64>) -> *mut [u8] {
        let first = u64::from(self.scenario.buffers.first_byte_offset_bytes);
        let start = target.memory.as_ptr().cast_mut();
        let at = start.wrapping_add((first + range.start) as usize);
        std::ptr::slice_from_raw_parts_mut(at, (range.end - range.start) as usize)
    }

    /// One burst, from its first call to its last data.
    fn burst(&mut self, device: &Device<SystemCalls>, targets: &[Target]) -> Result<(), Stop> {
        let scenario = self.scenario;
        let count = scenario.burst.transfers;
        let guards = Guards::new(scenario, |index| self.buffer_of(index, targets.len()));
        for (buffer, range) in guards.ranges() {
            // SAFETY: within the buffer, which nothing else uses between bursts.
            unsafe { (*self.bytes(&targets[*buffer], range.clone())).fill(super::proof::GUARD) };
        }
        let before = self.counters(device);
        let due_ps = match scenario.burst.deadline_hz {
            Some(rate) => {
                let origin = *self.origin_ps.get_or_insert(before.now_ps);
                let due = origin + (f64::from(self.number) * 1e12 / rate) as u64;
                device
                    .transport()
                    .sleep(due.saturating_sub(before.now_ps) / 1000);
                due
            }
            None => before.now_ps,
        };
        let begin_ps = kmdf_sim::user::now_ps();
        self.card.with(|inner| {
            inner.board.begin_watch();
            inner.board.watch.origin_ps = begin_ps;
            inner.arrivals.clear();
        });
        let mut transfers = Vec::with_capacity(count as usize);
        for index in 0..count {
            transfers.push(self.announce(index, targets));
        }
        self.record.borrow_mut().clear();

        let ends = RefCell::new(Vec::new());
        let mut copy = |index: usize| {
            let copied = self.copy(index as u32, targets);
            ends.borrow_mut().push(kmdf_sim::user::now_ps());
            copied
        };
        let mut burst = Burst::new(self.kind(), self.way(), &transfers);
        if self.strategy == Strategy::CommonBuffer {
            burst = burst.copy(&mut copy);
        }
        let times = burst.run(device).map_err(|error| {
            let health = match device.query() {
                Ok(info) if info.running != 0 => "the device serves",
                Ok(_) => "the device does not serve",
                Err(_) => "the driver does not answer",
            };
            Stop::Driver(format!("{error}; {health}"))
        })?;
        let copies = ends.take();
        let after = self.counters(device);
        for index in 0..count {
            self.verify(index, targets);
        }
        for (buffer, range) in guards.ranges() {
            // SAFETY: as above.
            let bytes = unsafe { &*self.bytes(&targets[*buffer], range.clone()) };
            let broken = bytes
                .iter()
                .filter(|byte| **byte != super::proof::GUARD)
                .count();
            self.books.mismatches += broken as u64;
        }
        self.enter(&times, &copies, begin_ps, due_ps, &before, &after)
    }

    /// Tells user logic and memory what a transfer is to carry.
    fn announce(&mut self, index: u32, targets: &[Target]) -> Transfer {
        let (position, length) = (self.position(index), self.scenario.burst.length_of(index));
        let offset = self.scenario.burst.offset_bytes(index);
        let target = &targets[self.buffer_of(index, targets.len())];
        // SAFETY: within the buffer, and nothing is in flight.
        let bytes = unsafe { &mut *self.bytes(target, offset..offset + length) };
        self.payload.fill(position, bytes);
        let direction = self.direction;
        if direction == Direction::C2h {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        self.card.with(|inner| {
            match direction {
                Direction::C2h => inner.board.streams.send(position, length, 0),
                Direction::H2c => inner.board.streams.expect(position, length, 0),
            }
            inner.board.watch.expect(direction, index, length);
        });
        let cookie = u64::from(self.number) << 32 | u64::from(index);
        target.transfer(offset, length).user(index).cookie(cookie)
    }

    /// Copies between a transfer's common buffer and the application's memory.
    fn copy(&self, index: u32, targets: &[Target]) -> Result<(), pinring_client::Error> {
        let offset = self.scenario.burst.offset_bytes(index);
        let length = self.scenario.burst.length_of(index);
        let target = &targets[self.buffer_of(index, targets.len())];
        let Registered::Common(common) = &target.region else {
            return Ok(());
        };
        // SAFETY: within the buffer, which the transfer at hand does not reach.
        let bytes = unsafe { &mut *self.bytes(target, offset..offset + length) };
        match self.direction {
            Direction::C2h => common.copy_out(offset, bytes),
            Direction::H2c => common.copy_in(offset, bytes),
        }
    }

    /// Compares what has arrived.
    fn verify(&mut self, index: u32, targets: &[Target]) {
        if self.direction == Direction::H2c {
            return;
        }
        let (position, length) = (self.position(index), self.scenario.burst.length_of(index));
        let offset = self.scenario.burst.offset_bytes(index);
        let target = &targets[self.buffer_of(index, targets.len())];
        // SAFETY: within the buffer, and nothing is in flight.
        let bytes = unsafe { &*self.bytes(target, offset..offset + length) };
        if let Err(mismatch) = self.payload.compare(position, bytes) {
            self.books.mismatches += mismatch.wrong;
        }
    }

    fn counters(&self, device: &Device<SystemCalls>) -> Counters {
        self.card.with(|inner| inner.ask());
        let waits = loop {
            if let Some(waits) = self.card.with(|inner| inner.waits.take()) {
                break waits;
            }
            device.transport().relax();
        };
        let (writes, reads, interrupts) = self.card.with(|inner| {
            let board = &inner.board;
            (board.mmio_writes, board.mmio_reads, inner.interrupts)
        });
        Counters {
            now_ps: kmdf_sim::user::now_ps(),
            writes,
            reads,
            interrupts,
            waits,
        }
    }

    /// Enters a burst into the books.
    fn enter(
        &mut self,
        times: &pinring_client::BurstTimes,
        copies: &[u64],
        begin_ps: u64,
        due_ps: u64,
        before: &Counters,
        after: &Counters,
    ) -> Result<(), Stop> {
        let scenario = self.scenario;
        let count = scenario.burst.transfers;
        let arrivals = self.card.with(|inner| std::mem::take(&mut inner.arrivals));
        if let Some(fault) = self.card.with(|inner| inner.failed.take()) {
            return Err(fault.into());
        }
        let unfinished = self.card.with(|inner| inner.board.streams.unfinished());
        if unfinished > 0 {
            return Err(Stop::Driver(format!(
                "every transfer is reported complete, but {unfinished} packets are not through the streams"
            )));
        }
        let mut setup_ps = times.submit_ns * 1000;
        if self.direction == Direction::H2c {
            setup_ps += times.copy_ns * 1000;
        }
        let copied_later =
            self.strategy == Strategy::CommonBuffer && self.direction == Direction::C2h;
        let spans = self
            .card
            .with(|inner| std::mem::take(&mut inner.board.watch.spans));
        let mut last_ps = begin_ps;
        for (index, completion) in (0..count).zip(&times.completions) {
            let arrival = self.arrival(&arrivals, index, completion)?;
            setup_ps += completion.setup_ns * 1000;
            self.books.completions += 1;
            self.books.bytes += completion.bytes;
            let moved = spans.iter().find(|span| {
                matches!(span.lane, Lane::C2hData | Lane::H2cData) && span.transfer == Some(index)
            });
            if let Some(moved) = moved {
                let start_ps = begin_ps + (moved.start_ns * 1000.0) as u64;
                self.books.in_flight.push((start_ps, arrival.at_ps));
            }
            let done_ps = match copies.get(index as usize) {
                Some(copied) if copied_later => *copied,
                _ => arrival.at_ps,
            };
            last_ps = last_ps.max(done_ps);
            if self.number == 0 {
                let ns = done_ps.saturating_sub(begin_ps) as f64 / 1000.0;
                self.books.done_ns.push(ns);
            }
        }
        self.books.setup_work_ps += setup_ps;
        self.books
            .burst_ns
            .push((last_ps - begin_ps) as f64 / 1000.0);
        let (data, doorbell) = self.card.with(|inner| {
            let watch = &inner.board.watch;
            (watch.first_data_ps, watch.first_doorbell_ps)
        });
        if let (Some(data), Some(doorbell)) = (data, doorbell) {
            let since = |ps: u64| data.saturating_sub(ps) as f64 / 1000.0;
            self.books.first_byte_ns.push(since(doorbell));
            self.books.first_data_ns.push(since(begin_ps));
            self.books.window_ns += last_ps.saturating_sub(doorbell) as f64 / 1000.0;
        }
        self.books.mmio.0 += after.writes - before.writes;
        self.books.mmio.1 += after.reads - before.reads;
        self.books.interrupts += after.interrupts - before.interrupts;
        self.books.waits.list += after.waits.list.saturating_sub(before.waits.list);
        self.books.waits.idle += after.waits.idle.saturating_sub(before.waits.idle);
        if let Some(rate) = scenario.burst.deadline_hz {
            self.books.deadline(due_ps, last_ps, rate);
        }
        let spent = std::mem::take(&mut *self.record.borrow_mut());
        let cpus = self.cpu_spans(&spent);
        self.books.hide(scenario, Some(0), cpus.iter());
        if self.number == 0 {
            self.picture(&cpus, spans, begin_ps, last_ps);
        }
        Ok(())
    }

    /// When a transfer's completion entry was visible, which must be as the application was told.
    fn arrival(
        &mut self,
        arrivals: &[Arrival],
        index: u32,
        completion: &Completion,
    ) -> Result<Arrival, Stop> {
        let length = self.scenario.burst.length_of(index);
        if completion.user != index || completion.bytes != length {
            return Err(Stop::Driver(format!(
                "transfer {index} of {length} bytes was reported as number {} with {} bytes",
                completion.user, completion.bytes
            )));
        }
        let found = arrivals
            .iter()
            .find(|arrival| arrival.user == index)
            .copied();
        let arrival = found.ok_or_else(|| {
            Stop::Driver(format!(
                "transfer {index} was reported complete, but the device has written no entry for it"
            ))
        })?;
        if self.direction == Direction::H2c {
            self.h2c_due += length;
            if arrival.received < self.h2c_due {
                return Err(Stop::Driver(format!(
                    "transfer {index} was reported complete when its stream had taken {} bytes of {}",
                    arrival.received, self.h2c_due
                )));
            }
        }
        Ok(arrival)
    }

    /// The CPUs' record as spans, neighbours of one kind joined. Lists are made in the transfers' order.
    fn cpu_spans(&self, spent: &[Spent]) -> Vec<CpuSpan> {
        let burst = &self.scenario.burst;
        let first = u64::from(self.scenario.buffers.first_byte_offset_bytes);
        let pages = |index: u32| {
            let start = (first + burst.offset_bytes(index)) % crate::host::PAGE_BYTES;
            (start + burst.length_of(index)).div_ceil(crate::host::PAGE_BYTES)
        };
        let (mut transfer, mut mapped) = (0, 0);
        let mut spans: Vec<CpuSpan> = Vec::new();
        for stretch in spent {
            let number =
                (stretch.what == What::Map && transfer < burst.transfers).then_some(transfer);
            if number.is_some() {
                mapped += stretch.units;
                if mapped >= pages(transfer) {
                    (transfer, mapped) = (transfer + 1, 0);
                }
            }
            match spans.iter_mut().rfind(|span| span.cpu == stretch.cpu) {
                Some(last)
                    if last.end_ps >= stretch.start_ps
                        && last.name == stretch.what.name()
                        && last.transfer == number =>
                {
                    last.end_ps = last.end_ps.max(stretch.end_ps);
                }
                _ => spans.push(CpuSpan {
                    id: ActivityId::default(),
                    cpu: stretch.cpu,
                    context: Context::Worker,
                    name: stretch.what.name(),
                    transfer: number,
                    start_ps: stretch.start_ps,
                    end_ps: stretch.end_ps,
                }),
            }
        }
        spans
    }

    /// Keeps the first burst's picture.
    fn picture(&mut self, cpus: &[CpuSpan], mut device: Vec<Span>, begin_ps: u64, last_ps: u64) {
        let ns = |at: u64| at.saturating_sub(begin_ps) as f64 / 1000.0;
        let shown = cpus
            .iter()
            .filter(|span| span.start_ps <= last_ps && span.name != "driver");
        self.books.spans = shown
            .map(|span| Span {
                lane: Lane::Cpu(span.cpu as u32),
                transfer: span.transfer,
                start_ns: ns(span.start_ps),
                end_ns: ns(span.end_ps),
                label: span.name.to_string(),
            })
            .collect();
        self.books.spans.append(&mut device);
    }
}

/// What the device and the link have counted by now.
struct Counters {
    now_ps: u64,
    writes: u64,
    reads: u64,
    interrupts: u64,
    waits: Waits,
}

/// Page frames of a layout, in its order.
fn frames(layout: &Layout) -> Vec<u64> {
    let mut frames = Vec::with_capacity(layout.pages() as usize);
    for (address, bytes) in layout.pieces(0, layout.bytes()) {
        let first = address >> crate::host::PAGE_SHIFT;
        frames.extend(first..first + bytes.div_ceil(crate::host::PAGE_BYTES));
    }
    frames
}
