//! Drives the engine like walker, link and user do, and checks all that comes out.

use super::completer::{Completer, Fault, Read};
use crate::h2c::H2cEngine;
use crate::h2c::test_bench::{content, words};
use pinring_protocol::Status;
use pinring_verilator::equivalence::{Error, Pair};
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use rust_hdl::prelude::Block;
use std::collections::VecDeque;

pub type Result<T> = std::result::Result<T, Error>;
pub type Dut<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
> = Pair<H2cEngine<W, B, L, N, I, P, T>>;

/// An engine whose tags may all be used.
pub fn dut<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
>() -> Result<Dut<W, B, L, N, I, P, T>> {
    let mut dut = Pair::new(
        H2cEngine::default(),
        ports!(H2cEngine<W, B, L, N, I, P, T> {
            clock: clock;
            in reset, timeout, chunk_valid, chunk_addr, chunk_len, chunk_last, chunk_ctx, chunk_status, chunk_tdest, rd_ready,
                cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status,
                cpl_poisoned, tready, done_ready, aborts, sent_valid, sent_tag, extended, usable;
            out chunk_ready, rd_valid, rd_addr, rd_len, rd_first_be, rd_last_be, rd_tag, tvalid, tdata, tkeep, tlast, tdest,
                tuser, done_valid, done_ctx, done_status, done_bytes, quiet_valid, quiet_ctx, expected, slot_free
        }),
    )?;
    set_tags(&mut dut, T)?;
    Ok(dut)
}

/// Extended tags are enabled, or there are 32.
pub fn set_tags<U: Block>(dut: &mut Pair<U>, tags: usize) -> Result<()> {
    dut.set("extended", tags > 32)?;
    let words = (0..tags.div_ceil(32)).map(|word| u32::MAX >> (32 - (tags - 32 * word).min(32)));
    dut.set_wide("usable", &words.collect::<Vec<_>>())
}

#[derive(Clone, Debug)]
pub struct Chunk {
    pub addr: u64,
    pub len: u64,
    pub last: bool,
    pub status: Status,
    pub fault: Fault,
}

#[derive(Clone, Debug)]
pub struct Transfer {
    pub ctx: u64,
    pub tdest: u64,
    pub chunks: Vec<Chunk>,
}

impl Transfer {
    /// `len` bytes from byte `addr` of a region of scattered 4 KiB pages, in chunks of at most `max` bytes.
    pub fn new(random: &mut StdRng, addr: u64, len: u64, max: u64) -> Self {
        let mut chunks = Vec::new();
        let (mut at, end) = (addr, addr + len);
        let mut page = random.random::<u64>() & !4095;
        while at < end {
            let next = end.min((at / max + 1) * max);
            let chunk = page + at % 4096;
            chunks.push(Chunk {
                addr: chunk,
                len: next - at,
                last: next == end,
                status: Status::Ok,
                fault: Fault::None,
            });
            at = next;
            if at % 4096 == 0 {
                page = random.random::<u64>() & !4095;
            }
        }
        Self {
            ctx: random.random_range(0..16),
            tdest: random.random_range(0..1 << 16),
            chunks,
        }
    }

    /// Keeps the first `count` chunks, not all; a terminal chunk with `status` follows.
    pub fn end_early(&mut self, count: usize, status: Status) {
        self.chunks.truncate(count);
        self.chunks.iter_mut().for_each(|chunk| chunk.last = false);
        self.chunks.push(Chunk {
            addr: 0xdead,
            len: 0,
            last: true,
            status,
            fault: Fault::None,
        });
    }

    /// Status, bytes, and whether there is a packet at all.
    fn outcome(&self) -> (Status, Vec<u8>, bool) {
        let mut bytes = Vec::new();
        for chunk in &self.chunks {
            let status = if chunk.len == 0 {
                chunk.status
            } else {
                chunk.fault.status()
            };
            if status != Status::Ok {
                return (status, bytes, self.chunks[0].len != 0);
            }
            bytes.extend((chunk.addr..chunk.addr + chunk.len).map(content));
        }
        (Status::Ok, bytes, self.chunks[0].len != 0)
    }
}

/// How often each side does something, per cycle.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    chunk: f64,
    read: f64,
    completion: f64,
    stream: f64,
    done: f64,
}

impl Rates {
    pub const FULL: Self = Self {
        chunk: 1.0,
        read: 1.0,
        completion: 1.0,
        stream: 1.0,
        done: 1.0,
    };
    pub const SLOW_STREAM: Self = Self {
        chunk: 0.9,
        read: 0.9,
        completion: 0.9,
        stream: 0.4,
        done: 0.05,
    };
    pub const SLOW_HOST: Self = Self {
        chunk: 0.3,
        read: 0.3,
        completion: 0.5,
        stream: 0.9,
        done: 0.5,
    };
    pub const SILENT_HOST: Self = Self {
        completion: 0.0,
        ..Self::FULL
    };
    pub const STUCK_LINK: Self = Self {
        read: 0.0,
        ..Self::FULL
    };
}

pub struct Bench<
    'a,
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
> {
    dut: &'a mut Dut<W, B, L, N, I, P, T>,
    /// Tags of reads are below; and the most reads that were in flight.
    pub tags: u64,
    pub most: usize,
    random: &'a mut StdRng,
    transfers: &'a [Transfer],
    pub rates: Rates,
    pub completer: Completer,
    /// Next chunk to offer, by transfer and place in it; whether it is on offer.
    next: (usize, usize),
    offered: bool,
    /// Chunks whose read has not been seen.
    to_read: VecDeque<(usize, Chunk)>,
    packet: Vec<u8>,
    /// Next transfer whose packet may come.
    streaming: usize,
    dones: usize,
    cycles: u64,
    first_beat: Option<u64>,
    last_beat: u64,
    /// Beats that the stream has taken.
    pub beats: u64,
}

impl<
    'a,
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
> Bench<'a, W, B, L, N, I, P, T>
{
    /// Resets the device.
    pub fn new(
        dut: &'a mut Dut<W, B, L, N, I, P, T>,
        random: &'a mut StdRng,
        transfers: &'a [Transfer],
        rates: Rates,
        rcb: u64,
    ) -> Result<Self> {
        for input in [
            "chunk_valid",
            "rd_ready",
            "cpl_valid",
            "tready",
            "done_ready",
        ] {
            dut.set(input, false)?;
        }
        dut.set("timeout", 0)?;
        dut.set("reset", true)?;
        dut.step()?;
        dut.set("reset", false)?;
        let mut bench = Self {
            dut,
            tags: T as u64,
            most: 0,
            random,
            transfers,
            rates,
            completer: Completer::new(B as u64, rcb),
            next: (0, 0),
            offered: false,
            to_read: VecDeque::new(),
            packet: Vec::new(),
            streaming: 0,
            dones: 0,
            cycles: 0,
            first_beat: None,
            last_beat: 0,
            beats: 0,
        };
        bench.skip_silent();
        Ok(bench)
    }

    pub fn set_timeout(&mut self, cycles: u64) -> Result<()> {
        self.dut.set("timeout", cycles)
    }

    /// Until all transfers have ended and all completions have come.
    pub fn run(&mut self, limit: u64) -> Result<()> {
        while self.dones < self.transfers.len() || !self.completer.is_idle() {
            self.cycle()?;
            assert!(
                self.cycles < limit,
                "stuck: {} of {} transfers done, {} packets, reads {:?}, late {:?}",
                self.dones,
                self.transfers.len(),
                self.streaming,
                self.completer.reads,
                self.completer.late
            );
        }
        self.completer.orderly = true;
        for _ in 0..20 {
            self.cycle()?;
        }
        assert_eq!(self.streaming, self.transfers.len(), "packets missing");
        Ok(())
    }

    /// Cycles from the first beat taken to the last, both included.
    pub fn window(&self) -> u64 {
        self.first_beat
            .map_or(0, |first| self.last_beat - first + 1)
    }

    pub fn cycle(&mut self) -> Result<()> {
        let chunk = self.offer_chunk()?;
        let read_ready = self.random.random_bool(self.rates.read);
        self.dut.set("rd_ready", read_ready)?;
        self.offer_completion()?;
        let stream_ready = self.random.random_bool(self.rates.stream);
        self.dut.set("tready", stream_ready)?;
        let done_ready = self.random.random_bool(self.rates.done);
        self.dut.set("done_ready", done_ready)?;

        let read_leaves = read_ready && self.dut.is("rd_valid")?;
        self.dut.set("sent_valid", read_leaves)?;
        if read_leaves {
            self.check_read()?;
        }
        if let Some(chunk) = chunk {
            self.chunk_taken(chunk)?;
        }
        if stream_ready && self.dut.is("tvalid")? {
            self.check_beat()?;
        }
        if done_ready && self.dut.is("done_valid")? {
            self.check_done()?;
        }
        assert!(!self.dut.is("quiet_valid")?, "nothing is aborted");
        self.dut.step()?;
        self.cycles += 1;
        Ok(())
    }

    fn offer_chunk(&mut self) -> Result<Option<Chunk>> {
        if !self.offered
            && self.next.0 < self.transfers.len()
            && self.random.random_bool(self.rates.chunk)
        {
            self.offered = true;
        }
        self.dut.set("chunk_valid", self.offered)?;
        if !self.offered {
            return Ok(None);
        }
        let transfer = &self.transfers[self.next.0];
        let chunk = transfer.chunks[self.next.1].clone();
        self.dut.set("chunk_addr", chunk.addr)?;
        self.dut.set("chunk_len", chunk.len)?;
        self.dut.set("chunk_last", chunk.last)?;
        self.dut.set("chunk_ctx", transfer.ctx)?;
        self.dut.set("chunk_status", chunk.status as u64)?;
        self.dut.set("chunk_tdest", transfer.tdest)?;
        Ok(Some(chunk))
    }

    fn chunk_taken(&mut self, chunk: Chunk) -> Result<()> {
        if !self.dut.is("chunk_ready")? {
            return Ok(());
        }
        self.offered = false;
        if chunk.len != 0 {
            self.to_read.push_back((self.next.0, chunk));
        }
        self.next.1 += 1;
        if self.next.1 == self.transfers[self.next.0].chunks.len() {
            self.next = (self.next.0 + 1, 0);
        }
        Ok(())
    }

    fn check_read(&mut self) -> Result<()> {
        let (transfer, chunk) = self
            .to_read
            .pop_front()
            .expect("a read that no chunk asked for");
        let tag = self.dut.get("rd_tag")?;
        self.dut.set("sent_tag", tag)?;
        let tags = 8..self.tags;
        assert!(
            tags.contains(&tag) && !self.completer.late.contains(&tag),
            "tag {tag}"
        );
        assert!(
            self.completer.reads.iter().all(|read| read.tag != tag),
            "tag {tag} is in use"
        );
        let first = chunk.addr & !3;
        let dwords = (chunk.addr + chunk.len - first).div_ceil(4);
        assert_eq!(self.dut.get("rd_addr")?, first);
        assert_eq!(self.dut.get("rd_len")?, dwords);
        let enables = |dword: u64| {
            (0..4)
                .filter(|byte| {
                    (chunk.addr..chunk.addr + chunk.len).contains(&(first + 4 * dword + byte))
                })
                .fold(0, |be, byte| be | 1 << byte)
        };
        assert_eq!(self.dut.get("rd_first_be")?, enables(0));
        assert_eq!(
            self.dut.get("rd_last_be")?,
            if dwords == 1 { 0 } else { enables(dwords - 1) }
        );
        self.completer.accept(Read {
            tag,
            addr: chunk.addr,
            left: chunk.len,
            fault: chunk.fault,
            transfer,
        });
        self.most = self.most.max(self.completer.reads.len());
        Ok(())
    }

    fn offer_completion(&mut self) -> Result<()> {
        let urgent = self.completer.beats.front().is_some_and(|beat| beat.urgent);
        let beat = match urgent || self.random.random_bool(self.rates.completion) {
            true => self.completer.next(self.random),
            false => None,
        };
        self.dut.set("cpl_valid", beat.is_some())?;
        let Some(beat) = beat else { return Ok(()) };
        self.dut.set("cpl_sop", beat.sop)?;
        self.dut.set("cpl_eop", beat.eop)?;
        self.dut.set_wide("cpl_data", &words(&beat.data))?;
        self.dut.set("cpl_tag", beat.tag)?;
        self.dut.set("cpl_len", beat.len)?;
        self.dut.set("cpl_byte_count", beat.byte_count)?;
        self.dut.set("cpl_lower_addr", beat.lower)?;
        self.dut.set("cpl_status", beat.status)?;
        self.dut.set("cpl_poisoned", beat.poisoned)?;
        if let Some(transfer) = beat.ends {
            let in_flight = self
                .completer
                .in_flight
                .get_mut(&transfer)
                .expect("a read of the transfer");
            *in_flight -= 1;
            if *in_flight == 0 {
                self.completer.in_flight.remove(&transfer);
            }
        }
        Ok(())
    }

    fn check_beat(&mut self) -> Result<()> {
        self.beats += 1;
        self.first_beat.get_or_insert(self.cycles);
        self.last_beat = self.cycles;
        let transfer = &self.transfers[self.streaming];
        let (status, expected, _) = transfer.outcome();
        let keep = self.dut.get("tkeep")?;
        let count = keep.trailing_ones() as usize;
        let last = self.dut.is("tlast")?;
        assert_eq!(keep.count_ones() as usize, count, "gap in TKEEP {keep:#x}");
        assert!(last || count == B, "TKEEP {keep:#x} without TLAST");
        assert_eq!(self.dut.get("tdest")?, transfer.tdest);
        let data: Vec<u8> = self
            .dut
            .get_wide("tdata")?
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        assert!(
            data[count..].iter().all(|byte| *byte == 0),
            "data in lanes without TKEEP"
        );
        self.packet.extend(&data[..count]);
        let at = self.packet.len() - count;
        assert_eq!(
            self.packet.get(at..),
            expected.get(at..at + count),
            "transfer {} {transfer:?} byte {at}",
            self.streaming
        );
        assert!(count > 0 || status != Status::Ok, "empty beat");
        assert_eq!(self.dut.is("tuser")?, last && status != Status::Ok);
        if last {
            assert_eq!(
                self.packet.len(),
                expected.len(),
                "transfer {} {transfer:?}",
                self.streaming
            );
            self.packet.clear();
            self.streaming += 1;
            self.skip_silent();
        }
        Ok(())
    }

    /// Passes transfers without a packet.
    fn skip_silent(&mut self) {
        while self
            .transfers
            .get(self.streaming)
            .is_some_and(|transfer| !transfer.outcome().2)
        {
            self.streaming += 1;
        }
    }

    fn check_done(&mut self) -> Result<()> {
        assert!(self.dones < self.transfers.len(), "a report too many");
        let transfer = &self.transfers[self.dones];
        let (status, bytes, _) = transfer.outcome();
        let context = format!("transfer {} {transfer:?}", self.dones);
        assert!(
            self.streaming > self.dones,
            "done before its packet: {context}"
        );
        assert_eq!(
            self.completer.in_flight.get(&self.dones),
            None,
            "done with reads in flight: {context}"
        );
        assert_eq!(self.dut.get("done_ctx")?, transfer.ctx, "{context}");
        assert_eq!(self.dut.get("done_status")?, status as u64, "{context}");
        assert_eq!(self.dut.get("done_bytes")?, bytes.len() as u64, "{context}");
        self.completer.wake(self.dones);
        self.dones += 1;
        Ok(())
    }
}
