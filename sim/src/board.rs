//! Device, link and user logic in one virtual time: everything but CPUs and memory.

use std::collections::VecDeque;

use cpu_time::ThreadTime;
use pinring_protocol::Direction;
use pinring_protocol::limits::FETCH_TAGS;
use pinring_protocol::mailbox::CommandKind;
use pinring_protocol::registers::aperture;

use crate::device::{Gateware, GatewareError, StreamFault, Streams};
use crate::host::HostBus;
use crate::link::checker::{Violation, is_interrupt};
use crate::link::{HostEvent, Link, MmioError, MmioHandle};
use crate::watch::Watch;

/// Cycles without movement and without work in the device after which it counts as idle: longer than the firmware takes
/// over a message and over a line of its log (5,000 and more), of which the device knows nothing. Stopped in the middle of a line, it would
/// write the rest while the next transfer waits. The link's own events are known and never skipped.
const QUIET_CYCLES: u64 = 20_000;

/// Cycles of a function-level reset: longer than a round trip.
pub const FLR_CYCLES: u64 = 10_000;

/// Why the machine stopped.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// An illegal TLP, an ordering violation or an access outside what the driver handed out.
    #[error("{0}")]
    Violation(#[from] Box<Violation>),
    /// A wrong byte or beat on the user stream.
    #[error("at {at_ps} ps: {fault}")]
    Stream {
        /// When.
        at_ps: u64,
        /// What.
        fault: StreamFault,
    },
    /// The model failed.
    #[error(transparent)]
    Gateware(#[from] GatewareError),
    /// A register access that cannot be.
    #[error(transparent)]
    Mmio(#[from] MmioError),
    /// The device did not answer a register read.
    #[error("the device did not answer a read of BAR0 offset {offset:#x} within {cycles} cycles")]
    NoAnswer {
        /// The register.
        offset: u32,
        /// How long was waited.
        cycles: u64,
    },
    /// The platform saw a write of the device meet no memory, or a read.
    #[error("{0}")]
    Fault(String),
    /// Nothing moves although work is left.
    #[error("nothing has moved for {cycles} cycles at {at_ps} ps although {what}")]
    Stuck {
        /// Cycles without movement.
        cycles: u64,
        /// When.
        at_ps: u64,
        /// What is left.
        what: String,
    },
}

/// An entry that the device has written into one of the driver's rings.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// When the driver could see it.
    pub at_ps: u64,
    /// Bus address.
    pub address: u64,
    /// Bytes that the H2C stream had taken when the device sent it.
    pub received: u64,
}

/// The card in its slot: gateware, link and user logic. Memory is whatever bus a call is given.
pub struct Board {
    /// The link.
    pub link: Link,
    /// The user logic.
    pub streams: Streams,
    /// What a run wants to know.
    pub watch: Watch,
    gateware: Gateware,
    now_ps: u64,
    period_ps: u64,
    cycles: u64,
    quiet: u64,
    still: u64,
    /// Entries on their way: bus address, and what the H2C stream had taken.
    sent: VecDeque<(u64, u64)>,
    /// Entries that have arrived, until the driver's interrupt routine looks for them.
    pub entries: VecDeque<Entry>,
    cpu: std::time::Duration,
    /// Register writes and reads that CPUs have issued.
    pub mmio_writes: u64,
    /// Register reads.
    pub mmio_reads: u64,
    answers: Vec<(MmioHandle, u64)>,
    events: VecDeque<HostEvent>,
}

impl Board {
    /// A board at time 0, its device just out of reset.
    pub fn new(gateware: Gateware, link: Link, streams: Streams, period_ps: u64) -> Self {
        let mut link = link;
        link.set_bus_master(true);
        Self {
            link,
            streams,
            watch: Watch::default(),
            gateware,
            now_ps: 0,
            period_ps,
            cycles: 0,
            quiet: 0,
            still: 0,
            sent: VecDeque::new(),
            entries: VecDeque::new(),
            cpu: std::time::Duration::ZERO,
            mmio_writes: 0,
            mmio_reads: 0,
            answers: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Virtual time.
    pub fn now_ps(&self) -> u64 {
        self.now_ps
    }

    /// Device cycles that were simulated; skipped ones are not counted.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Time that this board took for them.
    pub fn cpu_seconds(&self) -> f64 {
        self.cpu.as_secs_f64()
    }

    /// The next thing that the host has to know.
    pub fn pop_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    /// Whether the device has nothing to do.
    pub fn is_quiet(&self) -> bool {
        self.quiet >= QUIET_CYCLES
    }

    /// Cycles since anything moved on the link, on a stream or in the mailbox, whatever the device says of itself.
    pub fn still_cycles(&self) -> u64 {
        self.still
    }

    /// Runs up to `until_ps`, or to the first event for the host. Idle time is skipped.
    ///
    /// # Errors
    /// The run is over: see [`MachineError`].
    pub fn run(&mut self, bus: &mut dyn HostBus, until_ps: u64) -> Result<(), MachineError> {
        let begin = ThreadTime::now();
        let result = self.run_inner(bus, until_ps);
        self.cpu += begin.elapsed();
        result
    }

    fn run_inner(&mut self, bus: &mut dyn HostBus, until_ps: u64) -> Result<(), MachineError> {
        while self.now_ps < until_ps && self.events.is_empty() {
            if self.quiet >= QUIET_CYCLES && !self.link.device_busy() {
                // Nothing happens before the link's next event: go there in one step, on the clock's grid.
                let next = self.link.next_event_ps().unwrap_or(u64::MAX).min(until_ps);
                let ahead = next.saturating_sub(self.now_ps) / self.period_ps;
                if ahead > 1 {
                    self.now_ps += ahead * self.period_ps;
                    self.still += ahead;
                    if next == until_ps && self.now_ps + self.period_ps > until_ps {
                        self.now_ps = until_ps;
                        break;
                    }
                }
            }
            self.cycle(bus)?;
        }
        Ok(())
    }

    fn cycle(&mut self, bus: &mut dyn HostBus) -> Result<(), MachineError> {
        let now = self.now_ps;
        let rx = self.link.begin_cycle(now, bus)?;
        let mut moved = rx.cpl.valid | rx.req.valid;
        self.gateware.show_link(rx);
        if rx.req.valid && rx.req.sop && rx.req.write && is_doorbell(rx.req.address) {
            self.watch.doorbell(now);
        }
        // A read that is refused brings no data.
        let brings = rx.cpl.valid && rx.cpl.sop && rx.cpl.len_dw > 0;
        if self.watch.is_on() && brings && is_data(rx.cpl.tag) {
            let bytes = (u64::from(rx.cpl.len_dw) * 4 - u64::from(rx.cpl.lower_address & 3))
                .min(u64::from(rx.cpl.byte_count));
            let end = now + self.period_ps;
            self.watch.data(Direction::H2c, now, end, bytes);
        }
        self.gateware.show_c2h(self.streams.offer());
        let ready = self.streams.ready();
        self.gateware.show_h2c_ready(ready);
        let seen = self.gateware.settle()?;
        let tx = self.gateware.tx();
        moved |= tx.valid;
        let begins = tx.valid && tx.sop && self.link.transmit_ready();
        let write = begins && tx.kind == 0;
        if begins && tx.kind == 1 && is_data(tx.tag) {
            self.watch.request(now);
        }
        if write && self.link.is_own(tx.address) {
            let received = self.streams.received();
            self.sent.push_back((tx.address, received));
        } else if write && self.watch.is_on() && !is_interrupt(tx.address) {
            let bytes = payload_bytes(tx.len_dw, tx.first_be, tx.last_be);
            let end = now + self.period_ps;
            self.watch.data(Direction::C2h, now, end, bytes);
        }
        self.link.end_cycle(now, tx, seen.req_ready)?;
        if seen.c2h_ready {
            self.streams.taken();
            moved = true;
        }
        if ready && let Some(beat) = self.gateware.h2c() {
            self.streams
                .receive(&beat)
                .map_err(|fault| MachineError::Stream { at_ps: now, fault })?;
            moved = true;
        }
        let heartbeat = CommandKind::Heartbeat.code() as u8;
        moved |= seen.mail_in | seen.mail_out.is_some_and(|[kind, _]| kind != heartbeat);
        if self.watch.is_on() {
            self.watch.observe(now, &seen);
        }
        self.gateware.edge()?;
        self.cycles += 1;
        self.still = if moved { 0 } else { self.still + 1 };
        self.quiet = if moved | seen.busy { 0 } else { self.quiet + 1 };
        self.now_ps += self.period_ps;
        self.take_events();
        Ok(())
    }

    /// What the link tells the host.
    fn take_events(&mut self) {
        while let Some(event) = self.link.pop_event() {
            match event {
                HostEvent::MmioRead { handle, result, .. } => {
                    let value = result.ok().map_or(u64::MAX, |bytes| {
                        bytes
                            .iter()
                            .rev()
                            .fold(0, |value, &byte| (value << 8) | u64::from(byte))
                    });
                    self.answers.push((handle, value));
                }
                HostEvent::Entry { at_ps, address } => {
                    // Writes arrive in their order.
                    let (_, received) = self.sent.pop_front().unwrap_or_default();
                    self.entries.push_back(Entry {
                        at_ps,
                        address,
                        received,
                    });
                }
                event => self.events.push_back(event),
            }
        }
    }

    /// A posted register write that leaves the CPU now.
    ///
    /// # Errors
    /// The offset is not in BAR0.
    pub fn mmio_write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MachineError> {
        self.mmio_writes += 1;
        self.quiet = 0;
        Ok(self.link.mmio_write(self.now_ps, offset.into(), bytes)?)
    }

    /// A register read: virtual time passes until the answer is there.
    ///
    /// # Errors
    /// The offset is not in BAR0, or no answer comes.
    pub fn mmio_read(
        &mut self,
        bus: &mut dyn HostBus,
        offset: u32,
        bytes: u64,
    ) -> Result<u64, MachineError> {
        const PATIENCE: u64 = 1_000_000;
        self.mmio_reads += 1;
        self.quiet = 0;
        let handle = self.link.mmio_read(self.now_ps, offset.into(), bytes)?;
        let begin = ThreadTime::now();
        for _ in 0..PATIENCE {
            self.cycle(bus)?;
            if let Some(index) = self
                .answers
                .iter()
                .position(|(answered, _)| *answered == handle)
            {
                self.cpu += begin.elapsed();
                return Ok(self.answers.swap_remove(index).1);
            }
        }
        Err(MachineError::NoAnswer {
            offset,
            cycles: PATIENCE,
        })
    }

    /// Bus Master Enable of the device's command register.
    pub fn set_bus_master(&mut self, on: bool) {
        self.link.set_bus_master(on);
        self.gateware.set_bus_master(on);
    }

    /// Kills the firmware: the soft core stops at its next data access. A restarted one runs when this is taken back.
    pub fn set_core_halt(&mut self, on: bool) {
        self.gateware.set_core_halt(on);
    }

    /// The link goes down and comes up again, or is reset (hot reset): what is on it is lost, and the device is reset with it. Configuration space is
    /// restored by then, and bus mastering on.
    ///
    /// # Errors
    /// The model failed.
    pub fn link_down(&mut self) -> Result<(), MachineError> {
        self.link.retrain();
        self.link.set_bus_master(true);
        self.sent.clear();
        self.take_events();
        self.quiet = 0;
        Ok(self.gateware.reset()?)
    }

    /// A function-level reset: what the device has sent arrives, and what comes for it until the reset is over is nobody's (PCIe Base Spec 5.0, 6.6.2: 100 ms
    /// at most; here [`FLR_CYCLES`]).
    ///
    /// # Errors
    /// The model failed, or the device had sent something illegal.
    pub fn function_reset(&mut self, bus: &mut dyn HostBus) -> Result<(), MachineError> {
        self.now_ps += FLR_CYCLES * self.period_ps;
        self.link.advance(self.now_ps, bus)?;
        self.take_events();
        self.link_down()
    }

    /// Begins a fresh watch; spans count from now.
    pub fn begin_watch(&mut self) {
        self.watch = Watch::new(self.now_ps);
    }
}

/// Whether a tag is one of the H2C engine's; the fetch unit has those below.
fn is_data(tag: u16) -> bool {
    usize::from(tag) >= FETCH_TAGS
}

fn is_doorbell(offset: u32) -> bool {
    offset >= aperture::DOORBELLS
}

/// Bytes that a write's enables name.
fn payload_bytes(len_dw: u16, first: u8, last: u8) -> u64 {
    let whole = u64::from(len_dw) * 4;
    if len_dw == 1 {
        return u64::from(first.count_ones());
    }
    whole - u64::from(4 - first.count_ones().min(4)) - u64::from(4 - last.count_ones().min(4))
}
