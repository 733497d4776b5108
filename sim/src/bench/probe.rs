//! The chain under load: transfers are submitted in batches through the driver, every byte is checked, and what passed is
//! written down. No CPU time is modelled here, so that what is measured is device, firmware and link.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pinring_core::{Completion, Notify, QueueConfig, QueueError, SubmitError, Transfer};
use pinring_protocol::{Direction, Status, registers};

use super::conditions::Setting;
use crate::board::MachineError;
use crate::device::Tools;
use crate::run::{Bench, DOMAIN, Driver, Options, Queue, ReapError, SetupError};
use crate::scenario::{Scenario, Strategy};

/// Device cycles without movement after which a measurement is given up.
const STUCK_CYCLES: u64 = 1_000_000;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The chain could not be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The machine stopped.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The driver refused a submission.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The driver refused something else.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The driver refused, or the machine stopped.
    #[error(transparent)]
    Reap(#[from] ReapError),
    /// A region could not be registered.
    #[error("region {index}: {cause}")]
    Register {
        /// The region, counted from 0.
        index: usize,
        /// Why.
        cause: pinring_core::RegisterError,
    },
    /// A transfer did not end well.
    #[error("a transfer ended with status {status:?} after {bytes} bytes")]
    Failed {
        /// Its status.
        status: Status,
        /// Bytes moved.
        bytes: u64,
    },
    /// A wrong byte in memory.
    #[error("memory: {0}")]
    Wrong(String),
    /// Nothing moves.
    #[error("nothing moves, and {left} transfers are not complete: {health}")]
    Stuck {
        /// Transfers left.
        left: usize,
        /// What the device says.
        health: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// One transfer.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Index of the region.
    pub region: usize,
    /// First byte in it.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Transfers of one queue.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The queue.
    pub queue: Queue,
    /// TDEST of all of them.
    pub tdest: u16,
    /// Entries per doorbell.
    pub batch: usize,
    /// Entries in flight at most.
    pub depth: usize,
    /// The transfers, in order. One that is in flight shares no byte with another.
    pub steps: Vec<Step>,
}

/// What passed, from the first submission to the last completion.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Host's first doorbell write, in picoseconds.
    pub begin_ps: u64,
    /// Its arrival at the device.
    pub doorbell_ps: Option<u64>,
    /// First read of data (H2C).
    pub first_request_ps: Option<u64>,
    /// First data TLP, either way.
    pub first_data_ps: Option<u64>,
    /// The last completion entry is visible.
    pub end_ps: u64,
    /// Payload bytes, all checked.
    pub bytes: u64,
    /// Transfers.
    pub transfers: u64,
    /// MMIO writes.
    pub mmio_writes: u64,
    /// MMIO reads.
    pub mmio_reads: u64,
    /// Cycles in which data waited for a list.
    pub list_wait: u64,
    /// Cycles in which link, credits and stream could have gone on and the engine offered nothing.
    pub idle: u64,
    /// Messages to the firmware.
    pub messages: u64,
    /// Device cycles that were simulated.
    pub cycles: u64,
    /// CPU seconds that they took.
    pub cpu_seconds: f64,
    /// Lane of each completion, in order.
    pub ends: Vec<usize>,
}

impl Measured {
    /// Nanoseconds from the first doorbell to the last completion.
    pub fn window_ns(&self) -> f64 {
        (self.end_ps - self.begin_ps) as f64 / 1000.0
    }

    /// Payload over time x ceiling.
    pub fn efficiency(&self, setting: &Setting) -> f64 {
        let each_way = match setting.direction {
            crate::scenario::Direction::Both => self.bytes / 2,
            _ => self.bytes,
        };
        each_way as f64 * setting.ceiling_ns_per_byte() / self.window_ns()
    }

    /// A figure per transfer.
    pub fn per_transfer(&self, count: u64) -> f64 {
        count as f64 / self.transfers.max(1) as f64
    }
}

/// A machine to measure on.
pub struct Probe<'a> {
    /// The chain.
    pub bench: Bench,
    cancel: &'a AtomicBool,
    /// C2H payload that the stream was given so far.
    sent: u64,
    /// C2H payload that was found in memory.
    checked: u64,
    /// H2C payload that the stream was told of.
    expected: u64,
}

/// What a measurement is given.
pub struct Context<'a> {
    /// Where processor and firmware are.
    pub tools: &'a Tools,
    /// Set: stop soon.
    pub cancel: &'a AtomicBool,
    /// Shorter runs.
    pub quick: bool,
    /// Folder of the Verilog of other projects' engines.
    pub peers: Option<&'a Path>,
}

impl Context<'_> {
    /// Options of a run of the scenario.
    pub fn options(&self) -> Options<'_> {
        Options {
            tools: self.tools.clone(),
            driver: Driver::Core,
            preempt: false,
            trace: None,
            ranges: false,
            cancel: self.cancel,
            progress: &|_| {},
        }
    }
}

impl<'a> Probe<'a> {
    /// A started device with the scenario's queues and buffers, and room for `regions` regions more.
    ///
    /// # Errors
    /// It could not be set up.
    pub fn new(
        context: &Context<'a>,
        scenario: &Scenario,
        regions: u32,
    ) -> Result<Self, ProbeError> {
        let bench =
            Bench::with_regions(scenario, Strategy::Registered, &context.options(), regions)?;
        Ok(Self {
            bench,
            cancel: context.cancel,
            sent: 0,
            checked: 0,
            expected: 0,
        })
    }

    /// The scenario's queue of a direction as a lane, all transfers of it at once.
    pub fn lane(&self, direction: Direction, steps: Vec<Step>) -> Option<Lane> {
        let queue = self.bench.queue(direction)?.clone();
        let window = self.bench.window as usize - 1;
        Some(Lane {
            queue,
            tdest: 0,
            batch: steps.len().min(window),
            depth: window,
            steps,
        })
    }

    /// One queue more, for this TDEST.
    ///
    /// # Errors
    /// The driver or the device refuse it.
    pub fn add_queue(
        &mut self,
        direction: Direction,
        vector: u16,
        tdest: u16,
        entries: u32,
    ) -> Result<Queue, ProbeError> {
        let device = &mut self.bench.device;
        let before = device.platform_mut().allocated().len();
        let (handle, ticket) = device
            .create_queue(QueueConfig {
                direction,
                domain: DOMAIN,
                entries,
                vector,
                tdest_first: tdest,
                tdest_last: tdest,
                notify: Notify::Poll,
            })
            .map_err(SetupError::from)?;
        let platform = self.bench.device.platform_mut();
        let rings = platform.allocated()[before..].to_vec();
        platform.machine.link.own.extend(rings.iter().cloned());
        self.bench.redeem(ticket)?;
        Ok(Queue {
            handle,
            direction,
            vector: vector.into(),
            rings,
        })
    }

    /// Cycles that data waited for lists, and that the engine idled, so far.
    fn waits(&mut self) -> (u64, u64) {
        let mut read = |register| self.bench.device.read_register(register);
        (
            read(&registers::C2H_LIST_WAIT) + read(&registers::H2C_LIST_WAIT),
            read(&registers::C2H_IDLE) + read(&registers::H2C_IDLE),
        )
    }

    /// Runs all lanes to their ends. Completions are looked for every `pace_ns`.
    ///
    /// # Errors
    /// Anything went wrong, a wrong byte included.
    pub fn run(&mut self, lanes: &[Lane], pace_ns: u64) -> Result<Measured, ProbeError> {
        let (list_wait, idle) = self.waits();
        let machine = self.bench.machine();
        machine.begin_watch();
        machine.entries.clear();
        let mut measured = Measured {
            begin_ps: machine.now_ps(),
            ..Measured::default()
        };
        let (writes, reads) = (machine.mmio_writes, machine.mmio_reads);
        let (cycles, seconds) = (machine.cycles(), machine.cpu_seconds());

        let mut states: Vec<State> = lanes.iter().map(|_| State::default()).collect();
        let mut left: usize = lanes.iter().map(|lane| lane.steps.len()).sum();
        while left > 0 {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(ProbeError::Interrupted);
            }
            for (lane, state) in lanes.iter().zip(&mut states) {
                self.submit(lane, state)?;
            }
            self.bench.pass(pace_ns)?;
            left -= self.collect(lanes, &mut states, &mut measured)?;
            if self.bench.machine().still_cycles() > STUCK_CYCLES {
                let health = match self.bench.device.check_health() {
                    Ok(()) => "the firmware serves".to_string(),
                    Err(error) => error.to_string(),
                };
                return Err(ProbeError::Stuck { left, health });
            }
        }

        let machine = self.bench.machine();
        measured.mmio_writes = machine.mmio_writes - writes;
        measured.mmio_reads = machine.mmio_reads - reads;
        measured.cycles = machine.cycles() - cycles;
        measured.cpu_seconds = machine.cpu_seconds() - seconds;
        let watch = &machine.watch;
        measured.doorbell_ps = watch.first_doorbell_ps;
        measured.first_request_ps = watch.first_request_ps;
        measured.first_data_ps = watch.first_data_ps;
        measured.messages = watch.messages;
        let now = self.waits();
        measured.list_wait = now.0 - list_wait;
        measured.idle = now.1 - idle;
        Ok(measured)
    }

    /// Submits what there is room for.
    fn submit(&mut self, lane: &Lane, state: &mut State) -> Result<(), ProbeError> {
        while state.submitted < lane.steps.len() {
            let count = lane.batch.min(lane.steps.len() - state.submitted);
            if state.in_flight.len() + count > lane.depth {
                break;
            }
            let mut transfers = Vec::with_capacity(count);
            for step in &lane.steps[state.submitted..state.submitted + count] {
                self.announce(lane, step)?;
                state.in_flight.push_back(*step);
                transfers.push(Transfer {
                    region: self.bench.regions[step.region].1,
                    offset: step.offset,
                    length: step.length,
                    tdest: lane.tdest,
                    user: 0,
                    cookie: 0,
                });
            }
            self.bench.device.submit(lane.queue.handle, &transfers)?;
            state.submitted += count;
        }
        Ok(())
    }

    /// Tells memory and user logic what a transfer will carry.
    fn announce(&mut self, lane: &Lane, step: &Step) -> Result<(), ProbeError> {
        let payload = self.bench.payload.clone();
        let buffer = self.bench.regions[step.region].0;
        let c2h = lane.queue.direction == Direction::C2h;
        let position = if c2h {
            &mut self.sent
        } else {
            &mut self.expected
        };
        let at = *position;
        *position += step.length;
        let platform = self.bench.device.platform_mut();
        let (memory, buffers) = platform.memory_and_buffers();
        let Some((layout, first)) = buffers.get(buffer) else {
            return Err(ProbeError::Wrong("a buffer is not locked".into()));
        };
        let start = first + step.offset;
        let written = if c2h {
            payload.write_complement_to(memory, layout, start, step.length, at)
        } else {
            payload.write_to(memory, layout, start, step.length, at)
        };
        written.map_err(|fault| ProbeError::Wrong(fault.to_string()))?;
        let streams = &mut platform.machine.streams;
        if c2h {
            streams.send(at, step.length, lane.tdest);
        } else {
            streams.expect(at, step.length, lane.tdest);
        }
        Ok(())
    }

    /// Takes the completions that are visible and checks their bytes; how many.
    fn collect(
        &mut self,
        lanes: &[Lane],
        states: &mut [State],
        measured: &mut Measured,
    ) -> Result<usize, ProbeError> {
        for (lane, state) in lanes.iter().zip(states.iter_mut()) {
            let found = &mut state.found;
            self.bench
                .device
                .reap(lane.queue.handle, |completion| found.push_back(completion))?;
        }
        let mut taken = 0;
        while let Some(entry) = self.bench.machine().entries.pop_front() {
            let mine = |lane: &Lane| {
                lane.queue
                    .rings
                    .iter()
                    .any(|ring| ring.contains(&entry.address))
            };
            let Some(index) = lanes.iter().position(mine) else {
                continue;
            };
            measured.end_ps = measured.end_ps.max(entry.at_ps);
            // Several completions may share one write.
            let Some(completion) = states[index].found.pop_front() else {
                continue;
            };
            self.check(&lanes[index], &mut states[index], &completion, measured)?;
            measured.ends.push(index);
            taken += 1;
        }
        Ok(taken)
    }

    /// One transfer has ended: its bytes are where they belong.
    fn check(
        &mut self,
        lane: &Lane,
        state: &mut State,
        completion: &Completion,
        measured: &mut Measured,
    ) -> Result<(), ProbeError> {
        let Some(step) = state.in_flight.pop_front() else {
            return Err(ProbeError::Wrong("a completion too many".into()));
        };
        if completion.status != Status::Ok || completion.bytes != step.length {
            return Err(ProbeError::Failed {
                status: completion.status,
                bytes: completion.bytes,
            });
        }
        measured.bytes += step.length;
        measured.transfers += 1;
        if lane.queue.direction == Direction::C2h {
            // The stream's packets are cut in the order in which transfers complete, whichever queue they are from.
            let position = self.checked;
            self.checked += step.length;
            let buffer = self.bench.regions[step.region].0;
            let payload = self.bench.payload.clone();
            let (memory, buffers) = self.bench.device.platform_mut().memory_and_buffers();
            if let Some((layout, first)) = buffers.get(buffer) {
                payload
                    .check(memory, layout, first + step.offset, step.length, position)
                    .map_err(|mismatch| ProbeError::Wrong(mismatch.to_string()))?;
            }
        }
        Ok(())
    }
}

/// How far a lane is.
#[derive(Default)]
struct State {
    submitted: usize,
    in_flight: VecDeque<Step>,
    found: VecDeque<Completion>,
}
