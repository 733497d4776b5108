//! The link itself: queues, wires and root complex, driven by events in the order of their times.

use std::collections::VecDeque;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::SeedableRng;

use super::assemble::Assembler;
use super::checker::{Checker, Violation, is_interrupt};
use super::config::{ConfigError, Direction, LinkConfig};
use super::deliver::Receiver;
use super::faults::{Fault, FaultKind, FaultPlan, Kinship, Occasion};
use super::pins::{RxPorts, TxPorts};
use super::root_complex::{Next, RootComplex};
use super::statistics::{Statistics, TlpRecord};
use super::tlp::{Pool, Status, Tlp, TlpHeader, TlpKind};
use super::transmit::TransmitQueue;
use super::wire::Wire;
use crate::host::{BusFault, HostBus};

/// Offsets in BAR0 have 24 bits (`req_addr`).
const BAR_BYTES: u64 = 1 << 24;

/// Tags of the host's MMIO reads: 8 bits, as without extended tags in the requester.
const HOST_TAGS: u16 = 256;

/// A host's read of BAR0 that is under way; given back with [`HostEvent::MmioRead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MmioHandle(u64);

/// What the link has to tell the host, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEvent {
    /// An interrupt message has arrived, behind everything that the device has written before it.
    Interrupt {
        /// Time of arrival.
        at_ps: u64,
        /// Message address, 0xfee0_0000 to 0xfeef_ffff.
        address: u64,
        /// Message data: the vector in its low byte.
        data: u32,
    },
    /// A write into the driver's own structures ([`Link::own`]) has arrived.
    Entry {
        /// Time of arrival.
        at_ps: u64,
        /// Bus address.
        address: u64,
    },
    /// An MMIO read is answered.
    MmioRead {
        /// Time of arrival at the CPU.
        at_ps: u64,
        /// Which read.
        handle: MmioHandle,
        /// The bytes asked for, or the completion's status.
        result: Result<Vec<u8>, Status>,
    },
    /// A write of the device met no memory; the device does not learn of it.
    WriteFault {
        /// Time of arrival.
        at_ps: u64,
        /// The write.
        header: TlpHeader,
        /// What the platform says.
        fault: BusFault,
    },
    /// A read of the device met no memory; it is answered with Unsupported Request.
    ReadFault {
        /// Time of arrival.
        at_ps: u64,
        /// The read.
        header: TlpHeader,
        /// What the platform says.
        fault: BusFault,
    },
}

/// Why an MMIO access could not be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MmioError {
    /// The access is empty or leaves BAR0.
    #[error(
        "MMIO access of {len} bytes at BAR0 offset {address:#x} is empty or leaves its {BAR_BYTES} bytes"
    )]
    OutOfRange {
        /// Offset in BAR0.
        address: u64,
        /// Bytes.
        len: u64,
    },
    /// A read that one request cannot carry.
    #[error(
        "MMIO read of {len} bytes at BAR0 offset {address:#x} crosses a 4 KiB boundary; split it there"
    )]
    Crosses4K {
        /// Offset in BAR0.
        address: u64,
        /// Bytes.
        len: u64,
    },
    /// All tags are in use.
    #[error("{HOST_TAGS} MMIO reads are unanswered; wait for one, or report the device as gone")]
    NoTags,
}

/// A host's read that is not answered.
struct MmioRead {
    handle: MmioHandle,
    request: TlpHeader,
    data: Vec<u8>,
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Event {
    ArriveUpstream,
    ReturnCredits,
    SendUpstream(usize),
    SendDownstream(Next),
    ArriveDownstream,
}

/// A PCIe link between the device's pins and the host.
pub struct Link {
    config: LinkConfig,
    checker: Checker,
    pool: Pool,
    rng: SplitMix64,
    ports: RxPorts,
    assembler: Assembler,
    transmit: TransmitQueue,
    upstream: Wire,
    upstream_flight: VecDeque<(u64, Tlp)>,
    credit_flight: VecDeque<(u64, TlpHeader)>,
    root: RootComplex,
    downstream: Wire,
    downstream_flight: VecDeque<(u64, Tlp)>,
    receiver: Receiver,
    /// Host requests sent and not yet taken by the device.
    requests_held: usize,
    faults: FaultPlan,
    /// Credits that come back before this time wait until then.
    starved_until_ps: u64,
    mmio: Vec<Option<MmioRead>>,
    mmio_issued: u64,
    /// Bus addresses of the driver's own structures. Writes there are told to the host as [`HostEvent::Entry`].
    pub own: Vec<std::ops::Range<u64>>,
    events: VecDeque<HostEvent>,
    statistics: Statistics,
    records: Option<Vec<TlpRecord>>,
    /// Nothing happens on the link before this time.
    next_ps: u64,
    now_ps: u64,
}

impl Link {
    /// An idle link at time 0, bus mastering off.
    pub fn new(config: LinkConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::idle(config))
    }

    fn idle(config: LinkConfig) -> Self {
        let rate = config.tlp_bytes_per_second();
        let wire = || Wire::new(rate, config.one_way_ps, config.one_way_jitter_ps);
        Self {
            checker: Checker::new(&config),
            pool: Pool::default(),
            rng: SplitMix64::seed_from_u64(config.seed),
            ports: RxPorts::default(),
            assembler: Assembler::default(),
            transmit: TransmitQueue::new(&config),
            upstream: wire(),
            upstream_flight: VecDeque::new(),
            credit_flight: VecDeque::new(),
            root: RootComplex::new(&config),
            downstream: wire(),
            downstream_flight: VecDeque::new(),
            receiver: Receiver::new(config.width_bytes),
            requests_held: 0,
            faults: FaultPlan::default(),
            starved_until_ps: 0,
            mmio: (0..HOST_TAGS).map(|_| None).collect(),
            mmio_issued: 0,
            own: Vec::new(),
            events: VecDeque::new(),
            statistics: Statistics::default(),
            records: None,
            next_ps: u64::MAX,
            now_ps: 0,
            config,
        }
    }

    /// The link goes down and comes up again: what is on it is gone, both ways, and the host's reads that were not answered have failed. Bus
    /// mastering is off.
    pub fn retrain(&mut self) {
        let fresh = Self::idle(self.config.clone());
        let old = std::mem::replace(self, fresh);
        self.now_ps = old.now_ps;
        self.mmio_issued = old.mmio_issued;
        self.rng = old.rng;
        self.own = old.own;
        self.faults = old.faults;
        self.statistics = old.statistics;
        self.records = old.records;
        self.events = old.events;
        let failed = old.mmio.into_iter().flatten();
        self.events.extend(failed.map(|read| HostEvent::MmioRead {
            at_ps: old.now_ps,
            handle: read.handle,
            result: Err(Status::UnsupportedRequest),
        }));
    }

    /// The configuration.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Begins a device cycle whose clock edge comes after `now_ps` (which never goes back): what the device's inputs show.
    pub fn begin_cycle<B: HostBus + ?Sized>(
        &mut self,
        now_ps: u64,
        bus: &mut B,
    ) -> Result<&RxPorts, Box<Violation>> {
        self.advance(now_ps, bus)?;
        self.ports.tx_ready = self.transmit.has_room();
        if self.receiver.is_empty() {
            self.ports.cpl.valid = false;
            self.ports.req.valid = false;
            return Ok(&self.ports);
        }
        if let Some(tlp) = self.receiver.next_completion()
            && tlp.kinship == Kinship::Unexpected
        {
            let spare = self.checker.spare_tag(tlp.header.tag);
            tlp.header.tag = spare.unwrap_or(tlp.header.tag);
            tlp.kinship = Kinship::Stray;
        }
        if let Some(tlp) = self.receiver.show_completion(&mut self.ports) {
            self.checker.completion(now_ps, &tlp)?;
            self.pool.give(tlp);
        }
        self.statistics.completion_beats += u64::from(self.ports.cpl.valid);
        if let Some(header) = self.receiver.show_request(&mut self.ports) {
            self.checker.downstream(now_ps, &header)?;
        }
        Ok(&self.ports)
    }

    /// Whether a beat on the transmit pins is taken in this cycle.
    pub fn transmit_ready(&self) -> bool {
        self.ports.tx_ready
    }

    /// Ends the device cycle: what the device's outputs show just before the clock edge.
    pub fn end_cycle(
        &mut self,
        now_ps: u64,
        tx: &TxPorts,
        req_ready: bool,
    ) -> Result<(), Box<Violation>> {
        let ready = self.ports.tx_ready;
        self.checker.transmit(now_ps, tx, ready)?;
        if req_ready && let Some(tlp) = self.receiver.take_request(&mut self.ports) {
            self.pool.give(tlp);
            self.requests_held -= 1;
            self.schedule();
        }
        match (tx.valid, ready) {
            (true, true) => {
                self.statistics.tx_beats += 1;
                if let Some(tlp) = self
                    .assembler
                    .push(tx, self.config.width_bytes, &mut self.pool)
                {
                    self.transmit.push(now_ps, tlp);
                    self.schedule();
                }
            }
            (true, false) => self.statistics.tx_stalled += 1,
            (false, true) => self.statistics.tx_idle += 1,
            (false, false) => {}
        }
        Ok(())
    }

    /// Lets everything happen that happens up to `now_ps`, without a device cycle.
    pub fn advance<B: HostBus + ?Sized>(
        &mut self,
        now_ps: u64,
        bus: &mut B,
    ) -> Result<(), Box<Violation>> {
        while self.next_ps <= now_ps {
            let Some((at_ps, event)) = self.next_event() else {
                break;
            };
            self.now_ps = at_ps;
            self.handle(at_ps, event, bus)?;
            self.schedule();
        }
        self.now_ps = self.now_ps.max(now_ps);
        Ok(())
    }

    /// When something next happens on the link; nothing if it is idle. While [`device_busy`](Self::device_busy), the device
    /// needs every cycle.
    pub fn next_event_ps(&self) -> Option<u64> {
        (self.next_ps != u64::MAX).then_some(self.next_ps)
    }

    /// Whether the device has something on its receive pins or is in the middle of a TLP.
    pub fn device_busy(&self) -> bool {
        !self.receiver.is_empty() || self.assembler.busy()
    }

    /// Whether nothing is anywhere on the link, and no MMIO read is unanswered.
    pub fn is_idle(&self) -> bool {
        self.next_ps == u64::MAX
            && !self.device_busy()
            && self.transmit.is_empty()
            && self.root.is_idle()
            && self.mmio.iter().all(Option::is_none)
    }

    /// Something is to go wrong.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// What is to go wrong, and what has.
    pub fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    /// Reads of the device that are not answered, as the checker knows them.
    pub fn outstanding_reads(&self) -> usize {
        self.checker.outstanding_reads()
    }

    /// Bus mastering, as the host has set it in the device's Command register.
    pub fn set_bus_master(&mut self, on: bool) {
        self.checker.set_bus_master(on);
    }

    /// A CPU writes `bytes` at an offset in BAR0, leaving the CPU at `at_ps`. One TLP, unless the bytes exceed MPS or cross
    /// 4 KiB: a write-combined line of 64 bytes is one.
    pub fn mmio_write(&mut self, at_ps: u64, address: u64, bytes: &[u8]) -> Result<(), MmioError> {
        check_bar(address, bytes.len() as u64)?;
        let struck = self.faults.strike(Occasion::Bar(address));
        let at_ps = match struck.map(|fault| fault.kind) {
            Some(FaultKind::DelayedWrite { by_ps }) => at_ps.max(self.now_ps).saturating_add(by_ps),
            _ => at_ps,
        };
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = u64::from(self.config.mps) - at % 4;
            let len = most.min(4096 - at % 4096).min(rest.len() as u64) as usize;
            let (part, tail) = rest.split_at(len);
            let header = self.host_request(TlpKind::MemoryWrite, at, len as u64, 0);
            let mut data = self.pool.take();
            let start = header.lane() + (at % 4) as usize;
            data[start..start + len].copy_from_slice(part);
            self.root
                .push_request(at_ps.max(self.now_ps), Tlp::new(header, Some(data)));
            at += len as u64;
            rest = tail;
        }
        self.schedule();
        Ok(())
    }

    /// A CPU reads `len` bytes at an offset in BAR0, leaving the CPU at `at_ps`; the answer is a [`HostEvent::MmioRead`].
    pub fn mmio_read(
        &mut self,
        at_ps: u64,
        address: u64,
        len: u64,
    ) -> Result<MmioHandle, MmioError> {
        check_bar(address, len)?;
        if address % 4096 + len > 4096 {
            return Err(MmioError::Crosses4K { address, len });
        }
        let first = self.mmio_issued as usize % self.mmio.len();
        let tags = (first..self.mmio.len()).chain(0..first);
        let tag = tags
            .into_iter()
            .find(|&tag| self.mmio[tag].is_none())
            .ok_or(MmioError::NoTags)?;
        let request = self.host_request(TlpKind::MemoryRead, address, len, tag as u16);
        let handle = MmioHandle(self.mmio_issued);
        self.mmio_issued += 1;
        self.mmio[tag] = Some(MmioRead {
            handle,
            request,
            data: Vec::new(),
        });
        self.root
            .push_request(at_ps.max(self.now_ps), Tlp::new(request, None));
        self.schedule();
        Ok(handle)
    }

    /// The next thing the host has to know.
    pub fn pop_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    /// Totals so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Begins (or ends) to keep a record of each TLP.
    pub fn record(&mut self, on: bool) {
        self.records = on.then(|| self.records.take().unwrap_or_default());
    }

    /// Takes the records kept so far, in the order in which TLPs went onto the wires.
    pub fn take_records(&mut self) -> Vec<TlpRecord> {
        self.records
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Header of a host's request for `len` bytes (at least 1) at any address.
    fn host_request(&self, kind: TlpKind, address: u64, len: u64, tag: u16) -> TlpHeader {
        let end = address + len;
        let len_dw = (end.div_ceil(4) - address / 4) as u16;
        let head = 0xf << (address % 4) & 0xf;
        let tail = 0xf >> (end.next_multiple_of(4) - end);
        let (first_be, last_be) = if len_dw == 1 {
            (head & tail, 0)
        } else {
            (head, tail)
        };
        let id = self.config.host_id;
        TlpHeader {
            kind,
            address: address & !3,
            len_dw,
            first_be,
            last_be,
            tag,
            id,
            ..TlpHeader::default()
        }
    }

    fn schedule(&mut self) {
        self.next_ps = self.next_event().map_or(u64::MAX, |(at_ps, _)| at_ps);
    }

    /// The earliest event; of those at the same time, what arrives comes before what leaves.
    fn next_event(&self) -> Option<(u64, Event)> {
        let mut earliest: Option<(u64, Event)> = None;
        let mut consider = |at_ps: u64, event: Event| {
            if earliest.is_none_or(|(other, _)| at_ps < other) {
                earliest = Some((at_ps, event));
            }
        };
        if let Some(&(at_ps, _)) = self.upstream_flight.front() {
            consider(at_ps, Event::ArriveUpstream);
        }
        if let Some(&(at_ps, _)) = self.credit_flight.front() {
            consider(at_ps, Event::ReturnCredits);
        }
        if let Some(&(at_ps, _)) = self.downstream_flight.front() {
            consider(at_ps, Event::ArriveDownstream);
        }
        if let Some((index, from_ps)) = self.transmit.next() {
            consider(
                from_ps.max(self.upstream.free_ps()),
                Event::SendUpstream(index),
            );
        }
        if let Some((next, from_ps)) = self
            .root
            .next(self.requests_held < self.config.device_request_tlps)
        {
            consider(
                from_ps.max(self.downstream.free_ps()),
                Event::SendDownstream(next),
            );
        }
        earliest
    }

    fn handle<B: HostBus + ?Sized>(
        &mut self,
        at_ps: u64,
        event: Event,
        bus: &mut B,
    ) -> Result<(), Box<Violation>> {
        match event {
            Event::SendUpstream(index) => {
                if let Some(tlp) = self.transmit.take(index) {
                    let arrival_ps = self.send(Direction::Upstream, at_ps, at_ps, &tlp);
                    self.upstream_flight.push_back((arrival_ps, tlp));
                }
            }
            Event::SendDownstream(next) => {
                let tlp = match next {
                    Next::Request => self.root.take_request(),
                    Next::Completion => {
                        self.root
                            .take_completion(at_ps, &mut self.pool, &mut self.rng)
                    }
                };
                if let Some((ready_ps, tlp)) = tlp {
                    self.requests_held += usize::from(next == Next::Request);
                    let arrival_ps = self.send(Direction::Downstream, ready_ps, at_ps, &tlp);
                    self.downstream_flight.push_back((arrival_ps, tlp));
                }
            }
            Event::ReturnCredits => {
                if let Some((_, header)) = self.credit_flight.pop_front() {
                    self.transmit.give_back(at_ps, &header);
                }
            }
            Event::ArriveDownstream => {
                if let Some((_, tlp)) = self.downstream_flight.pop_front() {
                    self.receiver.push(tlp);
                }
            }
            Event::ArriveUpstream => {
                if let Some((_, tlp)) = self.upstream_flight.pop_front() {
                    self.arrive(at_ps, &tlp, bus)?;
                    let leave_ps = at_ps.max(self.starved_until_ps);
                    self.credit_flight
                        .push_back((leave_ps.saturating_add(self.config.one_way_ps), tlp.header));
                    self.pool.give(tlp);
                }
            }
        }
        Ok(())
    }

    /// Puts a TLP on a wire and returns when it arrives.
    fn send(&mut self, direction: Direction, ready_ps: u64, at_ps: u64, tlp: &Tlp) -> u64 {
        let wire = match direction {
            Direction::Upstream => &mut self.upstream,
            Direction::Downstream => &mut self.downstream,
        };
        let header = tlp.header;
        let sent = wire.send(at_ps, header.wire_bytes(), &mut self.rng);
        self.statistics.of_mut(direction).add(&header, &sent);
        if let Some(records) = &mut self.records {
            let (start_ps, end_ps, arrival_ps) = (sent.start_ps, sent.end_ps, sent.arrival_ps);
            records.push(TlpRecord {
                direction,
                header,
                ready_ps,
                start_ps,
                end_ps,
                arrival_ps,
            });
        }
        sent.arrival_ps
    }

    /// Whether an address lies in the driver's own structures.
    pub fn is_own(&self, address: u64) -> bool {
        self.own.iter().any(|range| range.contains(&address))
    }

    /// A TLP of the device takes effect.
    fn arrive<B: HostBus + ?Sized>(
        &mut self,
        at_ps: u64,
        tlp: &Tlp,
        bus: &mut B,
    ) -> Result<(), Box<Violation>> {
        let header = tlp.header;
        let enabled = header.enabled_range();
        let address = header.address.wrapping_add(enabled.start);
        let len = enabled.end.saturating_sub(enabled.start);
        let is_write = header.kind == TlpKind::MemoryWrite;
        let interrupt = is_write && is_interrupt(header.address);
        let permitted = interrupt
            || header.kind.is_completion()
            || len == 0
            || bus.permits(address, len, is_write);
        self.checker.arrival(at_ps, &header, permitted)?;
        let payload = tlp.payload().first_chunk().copied();
        let message = payload.map_or(0, u32::from_le_bytes);
        let end = address.saturating_add(len);
        let struck = match header.kind {
            TlpKind::MemoryWrite if interrupt => self.faults.strike(Occasion::Message(message)),
            TlpKind::MemoryWrite => self.faults.strike(Occasion::Write(address, end)),
            TlpKind::MemoryRead => self.faults.strike(Occasion::Read(address, end)),
            TlpKind::CompletionData | TlpKind::Completion => None,
        };
        let fault = struck.as_ref().map(|fault| fault.kind);
        if let Some(FaultKind::CreditStarvation { for_ps }) = fault {
            self.starved_until_ps = self.starved_until_ps.max(at_ps.saturating_add(for_ps));
        }
        match header.kind {
            TlpKind::MemoryWrite if interrupt => {
                let times = match fault {
                    Some(FaultKind::LostInterrupt) => 0,
                    Some(FaultKind::SpuriousInterrupt) => 2,
                    _ => 1,
                };
                for _ in 0..times {
                    self.statistics.interrupts += 1;
                    self.events.push_back(HostEvent::Interrupt {
                        at_ps,
                        address: header.address,
                        data: message,
                    });
                }
            }
            TlpKind::MemoryWrite => {
                if let Err(fault) = write_enabled(tlp, bus) {
                    self.events.push_back(HostEvent::WriteFault {
                        at_ps,
                        header,
                        fault,
                    });
                } else if self.is_own(header.address) {
                    self.events.push_back(HostEvent::Entry {
                        at_ps,
                        address: header.address,
                    });
                }
            }
            TlpKind::MemoryRead => {
                let mut request = TlpHeader {
                    id: self.config.device_id,
                    ..header
                };
                if fault == Some(FaultKind::WrongTag) {
                    let among = struck.map_or(Vec::new(), |fault| fault.among);
                    let other = self.checker.other_read(header.tag, &among);
                    let spare = || self.checker.spare_tag(header.tag);
                    request.tag = other.or_else(spare).unwrap_or(header.tag);
                }
                let (pool, rng) = (&mut self.pool, &mut self.rng);
                let answer = self.root.accept_read(at_ps, request, bus, pool, rng, fault);
                if let Err(fault) = answer {
                    self.events.push_back(HostEvent::ReadFault {
                        at_ps,
                        header,
                        fault,
                    });
                }
            }
            TlpKind::CompletionData | TlpKind::Completion => self.answer_mmio(at_ps, tlp),
        }
        Ok(())
    }

    /// A completion of the device answers an MMIO read, or a part of it.
    fn answer_mmio(&mut self, at_ps: u64, tlp: &Tlp) {
        let header = tlp.header;
        let Some(slot) = self.mmio.get_mut(usize::from(header.tag)) else {
            return;
        };
        let Some(mut read) = slot.take() else { return };
        let result = match header.status {
            Status::Success => {
                read.data.extend_from_slice(tlp.payload());
                if read.data.len() < usize::from(read.request.len_dw) * 4 {
                    *slot = Some(read);
                    return;
                }
                let enabled = read.request.enabled_range();
                Ok(read
                    .data
                    .get(enabled.start as usize..enabled.end as usize)
                    .unwrap_or_default()
                    .to_vec())
            }
            status => Err(status),
        };
        self.events.push_back(HostEvent::MmioRead {
            at_ps,
            handle: read.handle,
            result,
        });
    }
}

fn check_bar(address: u64, len: u64) -> Result<(), MmioError> {
    match address.checked_add(len) {
        Some(end) if end <= BAR_BYTES && len > 0 => Ok(()),
        _ => Err(MmioError::OutOfRange { address, len }),
    }
}

/// Writes the enabled bytes of a memory write.
fn write_enabled<B: HostBus + ?Sized>(tlp: &Tlp, bus: &mut B) -> Result<(), BusFault> {
    let header = tlp.header;
    let payload = tlp.payload();
    if header.len_dw > 2 {
        let enabled = header.enabled_range();
        return match payload.get(enabled.start as usize..enabled.end as usize) {
            Some(bytes) if !bytes.is_empty() => bus.write(header.address + enabled.start, bytes),
            _ => Ok(()),
        };
    }
    // One or two DW may have holes (PCIe Base Spec 2.2.5): byte by byte.
    for (offset, byte) in payload.iter().enumerate() {
        let be = if offset < 4 {
            header.first_be
        } else {
            header.last_be
        };
        if be >> (offset % 4) & 1 != 0 {
            bus.write(header.address + offset as u64, std::slice::from_ref(byte))?;
        }
    }
    Ok(())
}
