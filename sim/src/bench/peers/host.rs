//! What the host does for LitePCIe's DMA, in both of its ways, and the proof that every byte arrived.
//!
//! By MMIO: a descriptor a page, three register writes each, one every 50 ns, as long as the table has room. The host is
//! told the table's level for nothing; a driver would read it or wait for interrupts.
//!
//! Resident table: it goes round over a ring of the driver's own buffers, filled once; the host copies between ring and application, each
//! buffer as soon as it can. Card to host it starts the DMA and copies behind it; host to card it copies some buffers, starts, and copies
//! ahead of it. The end of a transfer is seen at once.

use std::sync::atomic::Ordering;

use super::super::probe::Context;
use super::super::{Error, Setting};
use super::litepcie::{LitePcie, User, register};
use crate::host::{BusFault, HostBus, Layout, Payload, PhysicalMemory};
use crate::scenario::Direction;

/// Time between two register writes.
pub(super) const MMIO_PS: u64 = 50_000;

/// Descriptors of the table.
const TABLE: u64 = 256;

/// Bytes of a buffer of the ring: LitePCIe's driver has 256 of 8 KiB.
const BUFFER: u64 = 8192;

/// Buffers that are filled before the reader is started.
const AHEAD: u64 = 32;

/// Address of the ring, above 4 GiB and below the application's buffers.
const RING: u64 = 1 << 32;

/// Cycles without a byte after which a run is given up.
const PATIENCE: u64 = 100_000;

/// How descriptors get to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Written for every transfer.
    Mmio,
    /// Resident, with a copy.
    Ring,
}

/// What a transfer took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// From the first host action to the last byte in its place.
    pub time_ns: f64,
    /// Register writes.
    pub mmio_writes: u64,
    /// CPU time for register writes and copies.
    pub cpu_ns: f64,
    /// Bytes that were overwritten in the ring before they were copied: nothing stops a device that goes round it faster than the host.
    pub lost: u64,
}

/// Memory that counts what the device moves.
struct Memory {
    memory: PhysicalMemory,
    written: u64,
    read: u64,
}

impl HostBus for Memory {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
        self.read += data.len() as u64;
        self.memory.read(address, data)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
        self.written += data.len() as u64;
        self.memory.write(address, data)
    }
}

/// Source and sink.
struct Streams {
    payload: Payload,
    /// Bytes to send.
    to_send: u64,
    sent: u64,
    /// Bytes to receive: what comes behind them is the ring's next round.
    to_receive: u64,
    received: u64,
    pending: Option<Vec<u8>>,
}

impl User for Streams {
    fn offer(&mut self, beat: &mut [u8]) -> bool {
        if self.sent >= self.to_send {
            return false;
        }
        let (payload, sent) = (&self.payload, self.sent);
        let pending = self.pending.get_or_insert_with(|| {
            let mut data = vec![0; beat.len()];
            payload.fill(sent, &mut data);
            data
        });
        beat.copy_from_slice(pending);
        true
    }

    fn taken(&mut self) {
        self.sent += self.pending.take().map_or(0, |data| data.len() as u64);
    }

    fn receive(&mut self, beat: &[u8]) -> Result<(), Error> {
        if self.received < self.to_receive {
            self.payload
                .compare(self.received, beat)
                .map_err(|mismatch| Error::Peer(format!("H2C stream: {mismatch}")))?;
            self.received += beat.len() as u64;
        }
        Ok(())
    }
}

/// The host.
pub(super) struct Host<'a> {
    device: LitePcie,
    memory: Memory,
    streams: Streams,
    plan: Plan,
    reader: usize,
    layout: &'a Layout,
    bytes: u64,
    /// Nanoseconds of a copied byte, from the scenario's costs.
    copy_ps_per_buffer: u64,
    /// The CPU is busy until then.
    busy_ps: u64,
    mmio_writes: u64,
    cpu_ps: u64,
    /// Descriptors that are in the table for good or have been written.
    issued: u64,
    /// Buffers copied; the next is being copied until `busy_ps` if `copying`.
    copied: u64,
    copying: bool,
    /// The device has written again what was not copied yet.
    lapped: bool,
}

impl<'a> Host<'a> {
    /// The application's buffer lies in `layout`.
    pub fn new(
        device: LitePcie,
        setting: &Setting,
        plan: Plan,
        layout: &'a Layout,
        bytes: u64,
    ) -> Self {
        let scenario = setting.scenario();
        let h2c = setting.direction == Direction::H2c;
        let copy_ns = scenario.host.costs.copy_ns(BUFFER);
        Self {
            device,
            memory: Memory {
                memory: PhysicalMemory::new(46),
                written: 0,
                read: 0,
            },
            streams: Streams {
                payload: Payload::Pattern { seed: 5 },
                to_send: if h2c { 0 } else { bytes },
                sent: 0,
                to_receive: if h2c { bytes } else { 0 },
                received: 0,
                pending: None,
            },
            plan,
            reader: usize::from(h2c),
            layout,
            bytes,
            copy_ps_per_buffer: (copy_ns * 1000.0) as u64,
            busy_ps: 0,
            mmio_writes: 0,
            cpu_ps: 0,
            issued: 0,
            copied: 0,
            copying: false,
            lapped: false,
        }
    }

    fn register(&self, which: u32) -> u32 {
        which + [register::WRITER, register::READER][self.reader]
    }

    /// Writes a register and lets it arrive; not part of what is measured.
    fn prepare(&mut self, which: u32, value: u32) -> Result<(), Error> {
        self.device.write(self.register(which), value)?;
        for _ in 0..4 {
            self.cycle()?;
        }
        Ok(())
    }

    fn cycle(&mut self) -> Result<(), Error> {
        self.device.cycle(&mut self.memory, &mut self.streams)
    }

    fn push(&mut self, address: u64, bytes: u64) -> [(u32, u32); 3] {
        self.issued += 1;
        // Bit 24 of the high half would turn off the interrupt, bit 25 the end at a packet's last beat.
        [
            (self.register(register::VALUE_HIGH), bytes as u32 | 1 << 25),
            (self.register(register::VALUE_LOW), address as u32),
            (self.register(register::PUSH), (address >> 32) as u32),
        ]
    }

    /// Runs the transfer.
    pub fn run(mut self, context: &Context<'_>) -> Result<Done, Error> {
        let h2c = self.reader == 1;
        let fill = if h2c {
            Payload::write_to
        } else {
            Payload::write_complement_to
        };
        let payload = self.streams.payload.clone();
        fill(
            &payload,
            &mut self.memory.memory,
            self.layout,
            0,
            self.bytes,
            0,
        )
        .map_err(|fault| Error::Peer(fault.to_string()))?;
        let pages: Vec<(u64, u64)> = self
            .layout
            .pieces(0, self.bytes)
            .flat_map(|(address, bytes)| {
                (0..bytes.div_ceil(4096)).map(move |page| {
                    let at = page * 4096;
                    (address + at, (bytes - at).min(4096))
                })
            })
            .collect();
        if self.plan == Plan::Ring {
            for index in 0..TABLE {
                for (register, value) in self.push(RING + index * BUFFER, BUFFER) {
                    self.device.write(register, value)?;
                    for _ in 0..4 {
                        self.cycle()?;
                    }
                }
            }
            self.prepare(register::LOOP, 1)?;
        } else {
            self.prepare(register::ENABLE, 1)?;
        }
        for _ in 0..2000 {
            self.cycle()?;
        }

        let begin_ps = self.device.now_ps;
        self.busy_ps = begin_ps;
        let mut running = self.plan == Plan::Mmio;
        let mut waiting: std::collections::VecDeque<(u32, u32)> = std::collections::VecDeque::new();
        let mut next_page = 0;
        let (mut still, mut moved) = (0, 0);
        loop {
            if context.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let now = self.device.now_ps;
            if now >= self.busy_ps {
                if std::mem::take(&mut self.copying) {
                    self.copy()?;
                }
                match self.plan {
                    Plan::Mmio => {
                        if waiting.is_empty() && next_page < pages.len() && self.room() {
                            let (address, bytes) = pages[next_page];
                            next_page += 1;
                            waiting.extend(self.push(address, bytes));
                        }
                    }
                    Plan::Ring => {
                        let enough = !h2c || self.copied >= AHEAD.min(self.bytes / BUFFER);
                        if !running && enough {
                            running = true;
                            waiting.push_back((self.register(register::ENABLE), 1));
                        }
                    }
                }
                if let Some((register, value)) = waiting.pop_front() {
                    self.device.write(register, value)?;
                    self.mmio_writes += 1;
                    self.busy(MMIO_PS);
                } else if self.plan == Plan::Ring && self.may_copy() {
                    self.copying = true;
                    self.busy(self.copy_ps_per_buffer);
                }
            }
            self.cycle()?;
            if self.is_done() {
                break;
            }
            let sum = self.memory.written + self.memory.read + self.streams.received + self.copied;
            still = if sum == moved { still + 1 } else { 0 };
            moved = sum;
            if still > PATIENCE {
                return Err(Error::Peer(format!(
                    "LitePCIe stands still: {} bytes written, {} read, {} received, {} buffers copied, level {}",
                    self.memory.written,
                    self.memory.read,
                    self.streams.received,
                    self.copied,
                    self.device.level(self.reader)
                )));
            }
        }
        let mut lost = 0;
        if !h2c
            && let Err(mismatch) = payload.check(&self.memory.memory, self.layout, 0, self.bytes, 0)
        {
            if !self.lapped {
                return Err(Error::Peer(mismatch.to_string()));
            }
            lost = mismatch.wrong;
        }
        Ok(Done {
            time_ns: (self.device.now_ps - begin_ps) as f64 / 1000.0,
            mmio_writes: self.mmio_writes,
            cpu_ns: self.cpu_ps as f64 / 1000.0,
            lost,
        })
    }

    fn busy(&mut self, ps: u64) {
        self.busy_ps = self.device.now_ps + ps;
        self.cpu_ps += ps;
    }

    /// Whether the table takes one descriptor more, those on their way included.
    fn room(&self) -> bool {
        let on_the_way = self.issued - self.device.pushed[self.reader];
        self.device.level(self.reader) + on_the_way < TABLE - 1
    }

    /// Whether the next buffer of the ring can be copied.
    fn may_copy(&self) -> bool {
        if (self.copied + 1) * BUFFER > self.bytes {
            return false;
        }
        if self.reader == 1 {
            // A place is free when the device has read what was in it.
            self.copied < TABLE || self.memory.read >= (self.copied - TABLE + 1) * BUFFER
        } else {
            self.memory.written >= (self.copied + 1) * BUFFER
        }
    }

    /// Copies the next buffer between ring and application.
    fn copy(&mut self) -> Result<(), Error> {
        self.lapped |= self.reader == 0 && self.memory.written > (self.copied + TABLE) * BUFFER;
        let mut ring = RING + self.copied % TABLE * BUFFER;
        let fault = |fault: BusFault| Error::Peer(fault.to_string());
        for (address, bytes) in self.layout.pieces(self.copied * BUFFER, BUFFER) {
            let mut data = vec![0; bytes as usize];
            let memory = &mut self.memory.memory;
            let (from, to) = if self.reader == 1 {
                (address, ring)
            } else {
                (ring, address)
            };
            memory.read(from, &mut data).map_err(fault)?;
            memory.write(to, &data).map_err(fault)?;
            ring += bytes;
        }
        self.copied += 1;
        Ok(())
    }

    fn is_done(&self) -> bool {
        match (self.reader, self.plan) {
            (1, _) => self.streams.received >= self.bytes,
            (_, Plan::Mmio) => self.memory.written >= self.bytes,
            (_, Plan::Ring) => self.copied * BUFFER >= self.bytes,
        }
    }
}
