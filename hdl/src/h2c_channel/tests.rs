//! Aborts in the whole channel: the bench plays context table, link, host memory and a user whose stream may stand still.

use super::H2cChannel;
use crate::h2c::test_bench::{content, words};
use crate::testing::{Result, chance, reset, seeded, set_all, set128};
use pinring_protocol::limits::SG_SLOTS;
use pinring_protocol::{SgUniformElement, Status};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

type Dut = Pair<H2cChannel<128, 16, 4, 32, 5, 6, 40>>;

/// Each transfer lies in a page of this size of its own: transfer n in page n.
const PAGE_SHIFT: u32 = 20;
/// An abort is quiet within this many cycles, as the host answers a few cycles after a read.
const BOUND: u64 = 1500;

struct Transfer {
    ctx: u64,
    /// Place in its page.
    at: u64,
    length: u64,
    dispatched: bool,
    retired: Option<(Status, u64)>,
    aborted_at: Option<u64>,
    quiet: bool,
    /// Bytes of its packet, and how that ended: TUSER.
    packet: Vec<u8>,
    packet_end: Option<bool>,
}

#[derive(Clone, Copy)]
struct Read {
    transfer: usize,
    addr: u64,
    len: u64,
    tag: u64,
}

struct Beat {
    sop: bool,
    eop: bool,
    data: Vec<u8>,
    read: Read,
}

struct Bench {
    dut: Dut,
    random: StdRng,
    transfers: Vec<Transfer>,
    cycle: u64,
    /// The read that the link has in its register, and those that have left.
    waiting: Option<Read>,
    flying: Vec<Read>,
    beats: VecDeque<Beat>,
    /// The link takes reads; the stream takes beats.
    link: bool,
    stream: bool,
    full_speed: bool,
    reads: usize,
    offered: Option<usize>,
}

impl Bench {
    fn new(seed: u64) -> Result<Self> {
        let mut dut = Pair::new(
            H2cChannel::default(),
            ports!(H2cChannel<128, 16, 4, 32, 5, 6, 40> {
                clock: clock;
                in reset, max_read, timeout, job_valid, job_ctx, job_position, job_length, job_element, job_last_element,
                    job_uniform, job_shift, job_status, job_tdest, window_valid, window_slot, window_status, fill_write,
                    fill_word, fill_data, consumed_ready, aborts, rd_ready, sent_valid, sent_tag, cpl_valid, cpl_sop,
                    cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned,
                    m_tready, retire_ready, extended, usable;
                out job_ready, ready, window, consumed_valid, consumed_block, consumed_ctx, rd_valid, rd_addr, rd_len,
                    rd_first_be, rd_last_be, rd_tag, m_tvalid, m_tdata, m_tkeep, m_tlast, m_tdest, m_tuser,
                    retire_valid, retire_ctx, retire_status, retire_bytes, quiet_valid, quiet_ctx, list_wait,
                    running, expected, slot_free
            }),
        )?;
        reset(&mut dut)?;
        set_all(
            &mut dut,
            &[
                ("max_read", 512),
                ("timeout", 100_000),
                ("window_valid", 1),
                ("extended", 1),
                ("usable", (1 << 40) - 1),
                ("job_uniform", 1),
                ("job_shift", PAGE_SHIFT.into()),
            ],
        )?;
        Ok(Self {
            dut,
            random: seeded(seed),
            transfers: Vec::new(),
            cycle: 0,
            waiting: None,
            flying: Vec::new(),
            beats: VecDeque::new(),
            link: true,
            stream: true,
            full_speed: true,
            reads: 0,
            offered: None,
        })
    }

    /// Queues a transfer for dispatch and tells its number.
    fn add(&mut self, ctx: u64, at: u64, length: u64) -> Result<usize> {
        let number = self.transfers.len();
        self.transfers.push(Transfer {
            ctx,
            at,
            length,
            dispatched: false,
            retired: None,
            aborted_at: None,
            quiet: false,
            packet: Vec::new(),
            packet_end: None,
        });
        // Its list: one element, in the slot with the context's number.
        let element = SgUniformElement::new()
            .with_valid(true)
            .with_page_frame((number as u64) << (PAGE_SHIFT - 12))
            .to_words();
        let element = u128::from(element[1]) << 32 | u128::from(element[0]);
        self.dut.set("fill_write", true)?;
        self.dut.set("fill_word", (ctx % SG_SLOTS as u64) << 5)?;
        set128(&mut self.dut, "fill_data", element)?;
        self.cycle()?;
        self.dut.set("fill_write", false)?;
        Ok(number)
    }

    fn abort(&mut self, number: usize) {
        self.transfers[number].aborted_at.get_or_insert(self.cycle);
    }

    /// The transfer that a context serves.
    fn current(&self, ctx: u64) -> Option<usize> {
        self.transfers
            .iter()
            .position(|transfer| transfer.ctx == ctx && transfer.retired.is_none())
    }

    fn in_flight(&self, number: usize) -> bool {
        self.flying
            .iter()
            .chain(&self.waiting)
            .chain(self.beats.iter().map(|beat| &beat.read))
            .any(|read| read.transfer == number)
    }

    fn cycles(&mut self, count: u64) -> Result {
        (0..count).try_for_each(|_| self.cycle())
    }

    fn cycle(&mut self) -> Result {
        // Context table.
        let aborts = self
            .transfers
            .iter()
            .filter(|transfer| transfer.aborted_at.is_some() && transfer.retired.is_none())
            .fold(0, |mask, transfer| mask | 1 << transfer.ctx);
        self.dut.set("aborts", aborts)?;
        if self.offered.is_none() {
            self.offered = self
                .transfers
                .iter()
                .position(|transfer| !transfer.dispatched);
        }
        let offered = self.offered;
        self.dut.set("job_valid", offered.is_some())?;
        if let Some(number) = offered {
            let transfer = &self.transfers[number];
            set_all(
                &mut self.dut,
                &[
                    ("job_ctx", transfer.ctx),
                    ("job_position", transfer.at),
                    ("job_length", transfer.length),
                    ("job_tdest", number as u64),
                ],
            )?;
        }
        let window = self.dut.get("window")?;
        self.dut
            .set("window_slot", (window >> 1) % SG_SLOTS as u64)?;
        let retire_ready = self.full_speed || chance(&mut self.random, 50);
        self.dut.set("retire_ready", retire_ready)?;
        self.dut.set("consumed_ready", true)?;

        // Link and host memory.
        let link = self.link && (self.full_speed || chance(&mut self.random, 70));
        let ready = self.link && (self.waiting.is_none() || link);
        self.dut.set("rd_ready", ready)?;
        let leaving = self.waiting.take_if(|_| link);
        self.dut.set("sent_valid", leaving.is_some())?;
        if let Some(read) = leaving {
            self.dut.set("sent_tag", read.tag)?;
        }
        if self.beats.is_empty() && !self.flying.is_empty() {
            let index = self.random.random_range(0..self.flying.len());
            let read = self.flying.swap_remove(index);
            self.answer(read);
        }
        let beat = self.beats.pop_front();
        self.dut.set("cpl_valid", beat.is_some())?;
        if let Some(beat) = &beat {
            let read = beat.read;
            set_all(
                &mut self.dut,
                &[
                    ("cpl_sop", beat.sop.into()),
                    ("cpl_eop", beat.eop.into()),
                    ("cpl_tag", read.tag),
                    ("cpl_len", (read.addr % 4 + read.len).div_ceil(4)),
                    ("cpl_byte_count", read.len),
                    ("cpl_lower_addr", read.addr % 128),
                ],
            )?;
            self.dut.set_wide("cpl_data", &words(&beat.data))?;
        }
        let stream = self.stream && (self.full_speed || chance(&mut self.random, 80));
        self.dut.set("m_tready", stream)?;

        // What comes of it.
        let taken = if self.dut.is("rd_valid")? && ready {
            Some(self.read()?)
        } else {
            None
        };
        if stream && self.dut.is("m_tvalid")? {
            self.beat()?;
        }
        if self.dut.is("quiet_valid")? {
            let ctx = self.dut.get("quiet_ctx")?;
            assert_eq!(aborts >> ctx & 1, 1, "context {ctx} is not aborted");
            let number = self.current(ctx).expect("a transfer of the context");
            let landing = beat
                .as_ref()
                .is_some_and(|beat| beat.read.transfer == number);
            let reading = taken.is_some_and(|read| read.transfer == number);
            assert!(
                !(self.in_flight(number) || landing || reading),
                "transfer {number} reads"
            );
            self.transfers[number].quiet = true;
        }
        for (number, transfer) in self.transfers.iter().enumerate() {
            if let (Some(at), None, true) = (
                transfer.aborted_at,
                transfer.retired,
                !transfer.quiet && self.link,
            ) {
                assert!(self.cycle < at + BOUND, "transfer {number} is never quiet");
            }
        }
        if retire_ready && self.dut.is("retire_valid")? {
            self.retire()?;
        }
        if let (Some(number), true) = (offered, self.dut.is("job_ready")?) {
            self.transfers[number].dispatched = true;
            self.offered = None;
        }
        self.dut.step()?;
        self.flying.extend(leaving);
        if let Some(read) = taken {
            self.waiting = Some(read);
        }
        self.cycle += 1;
        Ok(())
    }

    fn read(&mut self) -> Result<Read> {
        let (addr, dwords) = (self.dut.get("rd_addr")?, self.dut.get("rd_len")?);
        let (first, last) = (self.dut.get("rd_first_be")?, self.dut.get("rd_last_be")?);
        let start = addr + u64::from(first.trailing_zeros());
        let end_be = if dwords == 1 { first } else { last };
        let end = addr + 4 * dwords - u64::from(3 - end_be.ilog2());
        let transfer = (start >> PAGE_SHIFT) as usize;
        assert!(
            !self.transfers[transfer].quiet,
            "transfer {transfer} reads after it was quiet"
        );
        self.reads += 1;
        Ok(Read {
            transfer,
            addr: start,
            len: end - start,
            tag: self.dut.get("rd_tag")?,
        })
    }

    fn answer(&mut self, read: Read) {
        let base = read.addr & !15;
        let beats = (read.addr + read.len - base).div_ceil(16);
        for beat in 0..beats {
            self.beats.push_back(Beat {
                sop: beat == 0,
                eop: beat + 1 == beats,
                data: (0..16)
                    .map(|lane| content(base + 16 * beat + lane))
                    .collect(),
                read,
            });
        }
    }

    fn beat(&mut self) -> Result {
        let number = self.dut.get("m_tdest")? as usize;
        let count = self.dut.get("m_tkeep")?.trailing_ones() as usize;
        let data: Vec<u8> = self
            .dut
            .get_wide("m_tdata")?
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let (last, error) = (self.dut.is("m_tlast")?, self.dut.is("m_tuser")?);
        let transfer = &mut self.transfers[number];
        assert_eq!(transfer.packet_end, None);
        transfer.packet.extend(&data[..count]);
        if last {
            transfer.packet_end = Some(error);
        }
        Ok(())
    }

    fn retire(&mut self) -> Result {
        let number = self
            .transfers
            .iter()
            .position(|transfer| transfer.retired.is_none())
            .expect("a transfer too many");
        let status = self.dut.get("retire_status")?;
        let (ctx, bytes) = (self.dut.get("retire_ctx")?, self.dut.get("retire_bytes")?);
        let transfer = &mut self.transfers[number];
        assert_eq!(ctx, transfer.ctx);
        let start = ((number as u64) << PAGE_SHIFT) + transfer.at;
        let expected: Vec<u8> = (start..start + bytes).map(content).collect();
        assert!(transfer.packet == expected, "bytes of transfer {number}");
        if status == 0 {
            assert_eq!((bytes, transfer.packet_end), (transfer.length, Some(false)));
        } else {
            assert_eq!(status, Status::Aborted as u64);
            assert!(transfer.aborted_at.is_some() && bytes < transfer.length);
            assert_ne!(transfer.packet_end, Some(false));
            assert!(transfer.packet_end.is_some() || bytes == 0);
        }
        let status = if status == 0 {
            Status::Ok
        } else {
            Status::Aborted
        };
        transfer.retired = Some((status, bytes));
        Ok(())
    }

    fn finish(&mut self) -> Result {
        (self.link, self.stream) = (true, true);
        let limit = self.cycle + 100_000;
        while self
            .transfers
            .iter()
            .any(|transfer| transfer.retired.is_none())
        {
            self.cycle()?;
            assert!(self.cycle < limit, "stuck");
        }
        Ok(())
    }

    fn outcome(&self, number: usize) -> (Option<Status>, Option<bool>) {
        let transfer = &self.transfers[number];
        (
            transfer.retired.map(|(status, _)| status),
            transfer.packet_end,
        )
    }
}

/// The terminal chunk of an aborted transfer is far behind data that the stream does not let on.
#[test]
fn aborts_fall_quiet_while_the_stream_stands_still() -> Result {
    let mut bench = Bench::new(1)?;
    bench.stream = false;
    // More than the slots hold, and a second one behind it in the queue of chunks.
    let long = bench.add(2, 0x123, 18_000)?;
    let behind = bench.add(5, 0x40, 2000)?;
    bench.cycles(2000)?;
    assert!(bench.reads > 30 && bench.transfers[behind].dispatched);
    bench.abort(behind);
    bench.cycles(64)?;
    assert!(bench.transfers[behind].quiet && !bench.transfers[long].quiet);
    let reads = bench.reads;
    bench.abort(long);
    bench.cycles(64)?;
    assert!(bench.transfers[long].quiet);
    bench.finish()?;
    assert_eq!(bench.reads, reads);
    assert_eq!(bench.outcome(long), (Some(Status::Aborted), Some(true)));
    assert_eq!(bench.outcome(behind), (Some(Status::Aborted), None));

    // One that the walker has not left yet, and a good one behind it.
    bench.stream = false;
    let endless = bench.add(2, 0x7, 300_000)?;
    let good = bench.add(5, 0, 3000)?;
    bench.cycles(2000)?;
    bench.abort(endless);
    bench.cycles(64)?;
    assert!(bench.transfers[endless].quiet);
    bench.finish()?;
    assert_eq!(bench.outcome(endless), (Some(Status::Aborted), Some(true)));
    assert_eq!(bench.outcome(good), (Some(Status::Ok), Some(false)));
    Ok(())
}

/// A read that the link does not take is withdrawn.
#[test]
fn an_aborted_read_that_has_not_left_never_leaves() -> Result {
    let mut bench = Bench::new(2)?;
    bench.link = false;
    let aborted = bench.add(1, 0, 4096)?;
    bench.cycles(100)?;
    assert!(bench.dut.is("rd_valid")?);
    bench.abort(aborted);
    bench.cycles(64)?;
    assert!(bench.transfers[aborted].quiet && !bench.dut.is("rd_valid")?);
    let good = bench.add(4, 0, 4096)?;
    bench.finish()?;
    assert_eq!(bench.outcome(aborted).0, Some(Status::Aborted));
    assert_eq!(bench.outcome(good), (Some(Status::Ok), Some(false)));
    Ok(())
}

#[test]
fn aborts_at_any_time() -> Result {
    let mut bench = Bench::new(3)?;
    bench.full_speed = false;
    let (mut whole, mut cut, mut empty, mut stalled) = (0, 0, 0, 0);
    for _ in 0..80 {
        let busy: Vec<_> = (bench.transfers.iter())
            .filter(|transfer| transfer.retired.is_none())
            .map(|transfer| transfer.ctx)
            .collect();
        let ctx = bench.random.random_range(0..8);
        if !busy.contains(&ctx) {
            let scale = bench.random.random_range(0..=16);
            let length = bench.random.random_range(1u64..=1 << scale);
            let at = bench.random.random_range(0..8192);
            bench.add(ctx, at, length)?;
        }
        bench.stream = chance(&mut bench.random, 60);
        let count = bench.random.random_range(0..500);
        bench.cycles(count)?;
        if chance(&mut bench.random, 40) {
            let running: Vec<_> = (0..bench.transfers.len())
                .filter(|number| {
                    let transfer = &bench.transfers[*number];
                    transfer.dispatched && transfer.retired.is_none()
                })
                .collect();
            if !running.is_empty() {
                let number = running[bench.random.random_range(0..running.len())];
                bench.abort(number);
                // A stream that stands still does so until the abort is quiet.
                while !(bench.stream
                    || bench.transfers[number].quiet
                    || bench.transfers[number].retired.is_some())
                {
                    bench.cycle()?;
                    stalled += 1;
                }
            }
        }
    }
    bench.finish()?;
    for number in 0..bench.transfers.len() {
        match bench.outcome(number) {
            (Some(Status::Ok), _) => whole += 1,
            (_, Some(true)) => cut += 1,
            _ => empty += 1,
        }
    }
    assert!(
        whole > 10 && cut > 3 && empty > 1 && stalled > 200,
        "{whole} {cut} {empty} {stalled}"
    );
    Ok(())
}
