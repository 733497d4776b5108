//! The root complex: reads in progress, their completions, and the host's own requests.

use std::collections::VecDeque;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::RngCore;

use super::config::{CompletionOrder, LinkConfig};
use super::faults::{self, FaultKind};
use super::tlp::{Buffer, Pool, Status, Tlp, TlpHeader, TlpKind};
use super::wire::jitter;
use crate::host::{BusFault, HostBus};

/// Disabled bytes of a read come back as this, so that no device can rely on them.
const DISABLED_BYTE: u8 = 0xdb;

/// A read whose completions are not all sent.
struct Read {
    request: TlpHeader,
    /// Next byte to return, and the end: addresses.
    next: u64,
    end: u64,
    ready_ps: u64,
    /// What memory held when the request arrived, placed as in the request's lanes; nothing after a fault.
    data: Option<Buffer>,
    /// Status of the answer without data.
    refusal: Status,
    /// What its completions are to have wrong.
    fault: Option<FaultKind>,
    /// None of them has been made.
    fresh: bool,
}

/// Reads in progress and requests of the host, all waiting for the downstream wire.
pub struct RootComplex {
    reads: VecDeque<Read>,
    /// The chosen read goes on to its end (its place is the front).
    in_progress: bool,
    /// Reads that are kept back beyond their turn, until they are ready.
    late: Vec<Read>,
    /// A completion that comes right behind the one that was made last.
    stray: Option<(u64, Tlp)>,
    host: VecDeque<(u64, Tlp)>,
    order: CompletionOrder,
    rcb: u64,
    max_payload: u64,
    random_split: bool,
    turnaround_ps: u64,
    turnaround_jitter_ps: u64,
}

/// What to send downstream next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The host's first request.
    Request,
    /// A completion.
    Completion,
}

impl RootComplex {
    /// An idle root complex.
    pub fn new(config: &LinkConfig) -> Self {
        Self {
            reads: VecDeque::new(),
            in_progress: false,
            late: Vec::new(),
            stray: None,
            host: VecDeque::new(),
            order: config.completion_order,
            rcb: config.rcb.into(),
            max_payload: config.max_completion_payload.into(),
            random_split: config.random_split,
            turnaround_ps: config.turnaround_ps,
            turnaround_jitter_ps: config.turnaround_jitter_ps,
        }
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.reads.is_empty()
            && self.late.is_empty()
            && self.stray.is_none()
            && self.host.is_empty()
    }

    /// A read request arrives: memory is read now, the answer is ready after the turn-around, and has wrong what `fault` says.
    pub fn accept_read<B: HostBus + ?Sized>(
        &mut self,
        now_ps: u64,
        request: TlpHeader,
        bus: &mut B,
        pool: &mut Pool,
        rng: &mut SplitMix64,
        fault: Option<FaultKind>,
    ) -> Result<(), BusFault> {
        let mut data = pool.take();
        let enabled = request.enabled_range();
        let lane = request.lane();
        let last = lane + (usize::from(request.len_dw) * 4).saturating_sub(4);
        data[lane..lane + 4].fill(DISABLED_BYTE);
        data[last..last + 4].fill(DISABLED_BYTE);
        let range = lane + enabled.start as usize..lane + enabled.end as usize;
        let result = match range.is_empty() {
            true => Ok(()),
            false => bus.read(request.address + enabled.start, &mut data[range]),
        };
        let delay = self
            .turnaround_ps
            .saturating_add(jitter(self.turnaround_jitter_ps, rng));
        let refusal = match fault {
            Some(FaultKind::Refused(status)) => status,
            _ => Status::UnsupportedRequest,
        };
        let tlp = Tlp::new(request, Some(data));
        let data = match (result, fault) {
            (Err(_), _) | (_, Some(FaultKind::Refused(_) | FaultKind::Lost)) => {
                pool.give(tlp);
                None
            }
            _ => tlp.data,
        };
        let next = request.address + enabled.start;
        let end = (request.address + enabled.end).max(next + 1);
        let mut read = Read {
            request,
            next,
            end,
            ready_ps: now_ps.saturating_add(delay),
            data,
            refusal,
            fault,
            fresh: true,
        };
        match fault {
            Some(FaultKind::Lost) => {}
            Some(FaultKind::Late { by_ps }) => {
                read.ready_ps = read.ready_ps.saturating_add(by_ps);
                self.late.push(read);
            }
            _ => self.reads.push_back(read),
        }
        result
    }

    /// The host issues a request. Issue times never go back.
    pub fn push_request(&mut self, issue_ps: u64, tlp: Tlp) {
        let earliest = self.host.back().map_or(0, |&(issue, _)| issue);
        self.host.push_back((issue_ps.max(earliest), tlp));
    }

    /// What can be sent next, and from when on; `room` says whether the device takes another request.
    ///
    /// Requests go first when both wait: writes may pass completions. While the device takes no request, only completions
    /// older than the first waiting write go on (PCIe Base Spec 2.4.1, table 2-39, D2a).
    pub fn next(&self, room: bool) -> Option<(Next, u64)> {
        let late = self.late.iter().filter(|_| !self.in_progress);
        let completion = self
            .window()
            .chain(late)
            .map(|read| read.ready_ps)
            .chain(self.stray.iter().map(|&(ready_ps, _)| ready_ps))
            .min();
        let request = self.host.front().map(|&(issue_ps, _)| issue_ps);
        if room {
            return match (request, completion) {
                (Some(issue), Some(ready)) if ready < issue => Some((Next::Completion, ready)),
                (Some(issue), _) => Some((Next::Request, issue)),
                (None, ready) => ready.map(|ready| (Next::Completion, ready)),
            };
        }
        let is_write = |tlp: &Tlp| tlp.header.kind == TlpKind::MemoryWrite;
        let write_ps = self
            .host
            .iter()
            .find(|(_, tlp)| is_write(tlp))
            .map_or(u64::MAX, |&(issue, _)| issue);
        completion
            .filter(|&ready| ready < write_ps)
            .map(|ready| (Next::Completion, ready))
    }

    /// Takes the host's first request.
    pub fn take_request(&mut self) -> Option<(u64, Tlp)> {
        self.host.pop_front()
    }

    /// Makes the next completion of a read that is ready at `now_ps`.
    pub fn take_completion(
        &mut self,
        now_ps: u64,
        pool: &mut Pool,
        rng: &mut SplitMix64,
    ) -> Option<(u64, Tlp)> {
        if let Some(stray) = self.stray.take() {
            return Some(stray);
        }
        let ripe = |read: &Read| read.ready_ps <= now_ps;
        if !self.in_progress
            && let Some(place) = self.late.iter().position(ripe)
        {
            self.reads.push_front(self.late.remove(place));
        }
        self.choose(now_ps, rng);
        let read = self.reads.front_mut()?;
        let (fault, first) = (read.fault, std::mem::take(&mut read.fresh));
        let (ready_ps, mut tlp, last) = self.make_completion(pool, rng)?;
        if let Some(fault) = fault {
            faults::spoil(&mut tlp, fault, first, last);
            self.stray = faults::stray(&tlp, fault, first, last).map(|stray| (ready_ps, stray));
        }
        Some((ready_ps, tlp))
    }

    /// Makes the next completion of the first read; tells when that was ready, and whether the completion is its last.
    fn make_completion(
        &mut self,
        pool: &mut Pool,
        rng: &mut SplitMix64,
    ) -> Option<(u64, Tlp, bool)> {
        let (rcb, max_payload, random_split) = (self.rcb, self.max_payload, self.random_split);
        let interleave = matches!(self.order, CompletionOrder::Interleaved { .. });
        let read = self.reads.front_mut()?;
        let (ready_ps, request) = (read.ready_ps, read.request);
        let mut header = TlpHeader {
            kind: TlpKind::Completion,
            address: read.next & 0x7f,
            tag: request.tag,
            id: request.id,
            byte_count: (read.end - read.next) as u16,
            status: read.refusal,
            ..TlpHeader::default()
        };
        let Some(source) = &read.data else {
            self.reads.pop_front();
            self.in_progress = false;
            return Some((ready_ps, Tlp::new(header, None), true));
        };
        // PCIe Base Spec 2.3.1.1: all but the last completion end at a read completion boundary.
        let first = read.next & !3;
        let mut end = read.end;
        if end - first > max_payload {
            end = (first + max_payload) / rcb * rcb;
        }
        let first_cut = (first / rcb + 1) * rcb;
        if random_split && first_cut < end {
            let cuts = (end - first_cut).div_ceil(rcb);
            let cut = first_cut + rng.next_u64() % (cuts + 1) * rcb;
            end = cut.min(end);
        }
        header.kind = TlpKind::CompletionData;
        header.status = Status::Success;
        header.len_dw = ((end - first).div_ceil(4)) as u16;
        let mut data = pool.take();
        let from = request.lane() + (first - (request.address & !3)) as usize;
        let (to, bytes) = (header.lane(), header.payload_bytes());
        data[to..to + bytes].copy_from_slice(&source[from..from + bytes]);
        read.next = end;
        self.in_progress = !interleave;
        let last = end == read.end;
        if last {
            self.in_progress = false;
            if let Some(read) = self.reads.pop_front() {
                pool.give(Tlp::new(request, read.data));
            }
        }
        Some((ready_ps, Tlp::new(header, Some(data)), last))
    }

    /// The reads that may go next.
    fn window(&self) -> impl Iterator<Item = &Read> {
        let window = match self.order {
            _ if self.in_progress => 1,
            CompletionOrder::InOrder => 1,
            CompletionOrder::Reordered { window } | CompletionOrder::Interleaved { window } => {
                window
            }
        };
        self.reads.iter().take(window.into())
    }

    /// Brings the read to go on with to the front.
    fn choose(&mut self, now_ps: u64, rng: &mut SplitMix64) {
        let ready = |read: &&Read| read.ready_ps <= now_ps;
        let count = self.window().filter(ready).count() as u64;
        if self.in_progress || count <= 1 && self.reads.front().as_ref().is_some_and(ready) {
            return;
        }
        let Some(choice) = rng.next_u64().checked_rem(count) else {
            return;
        };
        let index = self
            .window()
            .enumerate()
            .filter(|(_, read)| ready(read))
            .nth(choice as usize)
            .map(|(i, _)| i);
        if let Some(read) = index.and_then(|index| self.reads.remove(index)) {
            self.reads.push_front(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::host::{Payload, PhysicalMemory};

    struct Memory(PhysicalMemory);

    impl HostBus for Memory {
        fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault> {
            self.0.read(address, data)
        }
        fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault> {
            self.0.write(address, data)
        }
    }

    /// A read of `bytes` bytes at any address.
    fn read_request(tag: u16, address: u64, bytes: u64) -> TlpHeader {
        let len_dw = (((address & 3) + bytes).div_ceil(4)) as u16;
        let head = 0xf << (address & 3) & 0xf;
        let tail = 0xf >> ((4 - ((address + bytes) & 3)) & 3);
        let (first_be, last_be) = if len_dw == 1 {
            (head & tail, 0)
        } else {
            (head, tail)
        };
        let kind = TlpKind::MemoryRead;
        TlpHeader {
            kind,
            address: address & !3,
            len_dw,
            first_be,
            last_be,
            tag,
            ..TlpHeader::default()
        }
    }

    proptest! {
        /// However reads are cut and reordered, each gets its bytes in order, every inner cut at a boundary, none too long.
        #[test]
        fn completions_obey_the_rules(
            reads in prop::collection::vec((0u64..4096, 1u64..4096), 1..12),
            seed: u64,
            rcb in prop::sample::select(vec![64u16, 128]),
            max in prop::sample::select(vec![128u16, 256, 192, 512]),
            random_split: bool,
            order in prop::sample::select(vec![
                CompletionOrder::InOrder,
                CompletionOrder::Reordered { window: 4 },
                CompletionOrder::Interleaved { window: 8 },
            ]),
        ) {
            let base = 0x12_0000_0000u64;
            let pattern = Payload::Pattern { seed };
            let mut bytes = vec![0; 65_536];
            pattern.fill(0, &mut bytes);
            let mut bus = Memory(PhysicalMemory::new(46));
            bus.0.write(base, &bytes).unwrap();
            let config = LinkConfig {
                rcb, max_completion_payload: max, random_split, completion_order: order, turnaround_jitter_ps: 1000,
                ..LinkConfig::default()
            };
            let mut root = RootComplex::new(&config);
            let (mut pool, mut rng) = (Pool::default(), SplitMix64::seed_from_u64(seed));
            let mut state = Vec::new();
            for (tag, (start, len)) in reads.into_iter().enumerate() {
                let start = base + tag as u64 * 4096 + start;
                let end = (start + len).min(base + (tag as u64 + 1) * 4096);
                let request = read_request(tag as u16, start, end - start);
                root.accept_read(0, request, &mut bus, &mut pool, &mut rng, None).unwrap();
                state.push((start, end));
            }
            let mut tags = Vec::new();
            while let Some((next, ready_ps)) = root.next(true) {
                prop_assert_eq!(next, Next::Completion);
                let (_, tlp) = root.take_completion(ready_ps, &mut pool, &mut rng).unwrap();
                let header = tlp.header;
                tags.push(header.tag);
                let (next, end) = &mut state[usize::from(header.tag)];
                prop_assert_eq!(u64::from(header.byte_count), *end - *next);
                prop_assert_eq!(header.address, *next & 0x7f);
                prop_assert!(tlp.payload().len() <= usize::from(max));
                let stop = ((*next & !3) + tlp.payload().len() as u64).min(*end);
                prop_assert!(stop == *end || stop % u64::from(rcb) == 0);
                let data = &tlp.payload()[(*next & 3) as usize..][..(stop - *next) as usize];
                prop_assert!(pattern.compare(*next - base, data).is_ok());
                *next = stop;
                pool.give(tlp);
            }
            prop_assert!(state.iter().all(|(next, end)| next == end));
            match order {
                CompletionOrder::InOrder => prop_assert!(tags.is_sorted()),
                CompletionOrder::Reordered { .. } => {
                    tags.dedup();
                    prop_assert_eq!(tags.len(), state.len(), "each read is completed whole");
                }
                CompletionOrder::Interleaved { .. } => {}
            }
        }
    }

    #[test]
    fn zero_length_and_sub_dword_reads_return_one_dword() {
        let mut bus = Memory(PhysicalMemory::new(46));
        bus.0.write(0x1000, &[1, 2, 3, 4]).unwrap();
        let mut root = RootComplex::new(&LinkConfig::default());
        let (mut pool, mut rng) = (Pool::default(), SplitMix64::seed_from_u64(0));
        for (first_be, byte_count, lower, data) in [
            (0, 1, 0, [DISABLED_BYTE; 4]),
            (0b0110, 2, 1, [DISABLED_BYTE, 2, 3, DISABLED_BYTE]),
        ] {
            let request = TlpHeader {
                first_be,
                ..read_request(0, 0x1000, 4)
            };
            root.accept_read(0, request, &mut bus, &mut pool, &mut rng, None)
                .unwrap();
            let (_, tlp) = root.take_completion(u64::MAX, &mut pool, &mut rng).unwrap();
            assert_eq!(
                (tlp.header.len_dw, tlp.header.byte_count, tlp.header.address),
                (1, byte_count, lower)
            );
            assert_eq!(tlp.payload(), data);
        }
    }

    #[test]
    fn a_fault_is_answered_with_unsupported_request() {
        let mut bus = Memory(PhysicalMemory::new(40));
        let mut root = RootComplex::new(&LinkConfig::default());
        let (mut pool, mut rng) = (Pool::default(), SplitMix64::seed_from_u64(0));
        let request = read_request(9, 1 << 40, 512);
        assert!(
            root.accept_read(0, request, &mut bus, &mut pool, &mut rng, None)
                .is_err()
        );
        let (_, tlp) = root.take_completion(u64::MAX, &mut pool, &mut rng).unwrap();
        assert_eq!(
            (tlp.header.kind, tlp.header.status),
            (TlpKind::Completion, Status::UnsupportedRequest)
        );
        assert_eq!((tlp.header.tag, tlp.header.byte_count), (9, 512));
        assert!(root.is_idle());
    }

    #[test]
    fn completions_never_pass_a_waiting_write() {
        let mut bus = Memory(PhysicalMemory::new(40));
        let config = LinkConfig {
            turnaround_ps: 100,
            ..LinkConfig::default()
        };
        let mut root = RootComplex::new(&config);
        let (mut pool, mut rng) = (Pool::default(), SplitMix64::seed_from_u64(0));
        root.accept_read(
            0,
            read_request(1, 0, 4),
            &mut bus,
            &mut pool,
            &mut rng,
            None,
        )
        .unwrap();
        root.accept_read(
            500,
            read_request(2, 0, 4),
            &mut bus,
            &mut pool,
            &mut rng,
            None,
        )
        .unwrap();
        root.push_request(
            300,
            Tlp::new(
                TlpHeader {
                    len_dw: 1,
                    ..TlpHeader::default()
                },
                None,
            ),
        );
        assert_eq!(root.next(true), Some((Next::Completion, 100)));
        assert_eq!(root.next(false), Some((Next::Completion, 100)));
        root.take_completion(100, &mut pool, &mut rng);
        assert_eq!(
            root.next(false),
            None,
            "the second completion is younger than the write"
        );
        assert_eq!(root.next(true), Some((Next::Request, 300)));
    }
}
