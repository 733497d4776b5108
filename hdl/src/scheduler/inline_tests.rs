//! Submissions through inline slots and doorbells, from request TLPs to the words in a context's memory: BAR0, scheduler and
//! fetch unit, joined as in the device, at 512 bits.

use super::QueueScheduler;
use crate::fetch::FetchUnit;
use crate::mmio::Bar0;
use crate::sizes::WORD_BITS;
use crate::testing::{Result, chance, configure, get128, reset, seeded, set_all, set128};
use pinring_protocol::limits::QUEUES;
use pinring_protocol::registers::aperture::{DOORBELL, DOORBELL_STRIDE, DOORBELLS, INLINE_SLOT};
use pinring_protocol::{Direction, Doorbell, Opcode, QueueContext, SubmissionEntry};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::seq::SliceRandom;
use rand::{RngExt, rngs::StdRng};
use rust_hdl::prelude::*;
use std::collections::VecDeque;

/// The bench plays link, firmware and context tables.
#[derive(LogicBlock, Default)]
struct Rig {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub req_valid: Signal<In, Bit>,
    pub req_ready: Signal<Out, Bit>,
    pub req_sop: Signal<In, Bit>,
    pub req_eop: Signal<In, Bit>,
    pub req_data: Signal<In, Bits<512>>,
    pub req_addr: Signal<In, Bits<24>>,
    pub req_len: Signal<In, Bits<11>>,
    pub req_first_be: Signal<In, Bits<4>>,
    pub req_last_be: Signal<In, Bits<4>>,
    pub cfg_write: Signal<In, Bit>,
    pub cfg_queue: Signal<In, Bits<4>>,
    pub cfg_word: Signal<In, Bits<3>>,
    pub cfg_data: Signal<In, Bits<64>>,
    pub switch_on: Signal<In, Bit>,
    pub switch_off: Signal<In, Bit>,
    pub switch_queue: Signal<In, Bits<4>>,
    pub switch_ready: Signal<Out, Bit>,
    pub c2h_free: Signal<In, Bit>,
    pub c2h_ctx: Signal<In, Bits<4>>,
    pub c2h_back: Signal<In, Bit>,
    pub c2h_back_queue: Signal<In, Bits<4>>,
    pub c2h_alloc: Signal<Out, Bit>,
    pub h2c_free: Signal<In, Bit>,
    pub h2c_ctx: Signal<In, Bits<4>>,
    pub h2c_back: Signal<In, Bit>,
    pub h2c_back_queue: Signal<In, Bits<4>>,
    pub h2c_alloc: Signal<Out, Bit>,
    pub admin_free: Signal<In, Bit>,
    pub admin_alloc: Signal<Out, Bit>,
    pub alloc_queue: Signal<Out, Bits<4>>,
    pub alloc_index: Signal<Out, Bits<16>>,
    pub hint_take: Signal<Out, Bit>,
    pub waiting_entries: Signal<Out, Bit>,
    pub rd_valid: Signal<Out, Bit>,
    pub rd_ready: Signal<In, Bit>,
    pub rd_addr: Signal<Out, Bits<64>>,
    pub rd_tag: Signal<Out, Bits<10>>,
    pub cpl_valid: Signal<In, Bit>,
    pub cpl_sop: Signal<In, Bit>,
    pub cpl_eop: Signal<In, Bit>,
    pub cpl_data: Signal<In, Bits<128>>,
    pub cpl_tag: Signal<In, Bits<10>>,
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    pub fill_write: Signal<Out, Bit>,
    pub fill_target: Signal<Out, Bits<2>>,
    pub fill_word: Signal<Out, Bits<WORD_BITS>>,
    pub fill_data: Signal<Out, Bits<128>>,
    pub done_valid: Signal<Out, Bit>,
    pub done_target: Signal<Out, Bits<2>>,
    pub done_id: Signal<Out, Bits<5>>,
    pub done_status: Signal<Out, Bits<8>>,
    bar0: Bar0<512, 64, 6>,
    scheduler: QueueScheduler,
    fetch: FetchUnit,
}

impl Logic for Rig {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, bar0, scheduler, fetch);
        self.bar0.reset.next = self.reset.val();
        self.scheduler.reset.next = self.reset.val();
        self.fetch.reset.next = self.reset.val();
        self.bar0.restart.next = false;
        self.bar0.read_tags.next = 0.into();
        self.fetch.usable.next = 255.into();
        self.bar0.req_valid.next = self.req_valid.val();
        self.req_ready.next = self.bar0.req_ready.val();
        self.bar0.req_sop.next = self.req_sop.val();
        self.bar0.req_eop.next = self.req_eop.val();
        self.bar0.req_data.next = self.req_data.val();
        self.bar0.req_write.next = true;
        self.bar0.req_addr.next = self.req_addr.val();
        self.bar0.req_len.next = self.req_len.val();
        self.bar0.req_first_be.next = self.req_first_be.val();
        self.bar0.req_last_be.next = self.req_last_be.val();
        self.bar0.req_tag.next = 0.into();
        self.bar0.req_id.next = 0.into();
        self.bar0.cpl_ready.next = true;
        self.bar0.fw_state_valid.next = false;
        self.bar0.fw_state.next = 0.into();
        self.bar0.fw_detail.next = 0.into();
        self.bar0.fw_restarts.next = 0.into();
        self.bar0.log_valid.next = false;
        self.bar0.log_data.next = 0.into();
        self.bar0.log_count.next = 0.into();
        self.bar0.error_valid.next = false;
        self.bar0.error_status.next = 0.into();
        self.bar0.error_queue.next = 0.into();
        self.bar0.error_direction.next = false;
        self.bar0.error_address.next = 0.into();
        self.bar0.c2h_bytes_inc.next = 0.into();
        self.bar0.h2c_bytes_inc.next = 0.into();
        self.bar0.c2h_done.next = false;
        self.bar0.h2c_done.next = false;
        self.bar0.c2h_list_wait.next = false;
        self.bar0.h2c_list_wait.next = false;
        self.bar0.c2h_idle.next = false;
        self.bar0.h2c_idle.next = false;
        self.bar0.completion.next = false;
        self.bar0.cfg_msix_enable.next = false;
        self.bar0.cfg_msix_mask.next = false;
        self.bar0.irq_valid.next = false;
        self.bar0.irq_vector.next = 0.into();
        self.bar0.msg_ready.next = true;
        self.scheduler.db_valid.next = self.bar0.db_valid.val();
        self.scheduler.db_queue.next = self.bar0.db_queue.val();
        self.scheduler.db_tail.next = self.bar0.db_tail.val();
        self.scheduler.db_head.next = self.bar0.db_head.val();
        self.scheduler.cfg_write.next = self.cfg_write.val();
        self.scheduler.cfg_queue.next = self.cfg_queue.val();
        self.scheduler.cfg_word.next = self.cfg_word.val();
        self.scheduler.cfg_data.next = self.cfg_data.val();
        self.scheduler.switch_on.next = self.switch_on.val();
        self.scheduler.switch_off.next = self.switch_off.val();
        self.scheduler.switch_queue.next = self.switch_queue.val();
        self.switch_ready.next = self.scheduler.switch_ready.val();
        self.scheduler.c2h_free.next = self.c2h_free.val();
        self.scheduler.c2h_ctx.next = self.c2h_ctx.val();
        self.scheduler.c2h_back.next = self.c2h_back.val();
        self.scheduler.c2h_back_queue.next = self.c2h_back_queue.val();
        self.c2h_alloc.next = self.scheduler.c2h_alloc.val();
        self.scheduler.h2c_free.next = self.h2c_free.val();
        self.scheduler.h2c_ctx.next = self.h2c_ctx.val();
        self.scheduler.h2c_back.next = self.h2c_back.val();
        self.scheduler.h2c_back_queue.next = self.h2c_back_queue.val();
        self.h2c_alloc.next = self.scheduler.h2c_alloc.val();
        self.scheduler.admin_free.next = self.admin_free.val();
        self.admin_alloc.next = self.scheduler.admin_alloc.val();
        self.alloc_queue.next = self.scheduler.alloc_queue.val();
        self.alloc_index.next = self.scheduler.alloc_index.val();
        self.waiting_entries.next = self.scheduler.waiting_entries.val();
        self.scheduler.hint_valid.next = self.bar0.hint_valid.val();
        self.scheduler.hint_queue.next = self.bar0.hint_queue.val();
        self.scheduler.hint_index.next = self.bar0.hint_index.val();
        self.scheduler.hint_whole.next = self.bar0.hint_whole.val();
        self.bar0.hint_ready.next = self.scheduler.hint_ready.val();
        self.bar0.hint_take.next = self.scheduler.hint_take.val();
        self.hint_take.next = self.scheduler.hint_take.val();
        self.bar0.take_target.next = self.scheduler.fetch_target.val();
        self.bar0.take_id.next = self.scheduler.fetch_id.val();
        self.bar0.take_word.next = self.scheduler.fetch_word.val();
        self.fetch.hint_valid.next = self.bar0.fill_valid.val();
        self.bar0.fill_ready.next = self.fetch.hint_ready.val();
        self.fetch.hint_last.next = self.bar0.fill_last.val();
        self.fetch.hint_target.next = self.bar0.fill_target.val();
        self.fetch.hint_id.next = self.bar0.fill_id.val();
        self.fetch.hint_word.next = self.bar0.fill_word.val();
        self.fetch.hint_data.next = self.bar0.fill_data.val();
        self.fetch.max_read.next = 512.into();
        self.fetch.timeout.next = 0.into();
        self.fetch.req_valid.next = self.scheduler.fetch_valid.val();
        self.scheduler.fetch_ready.next = self.fetch.req_ready.val();
        self.fetch.req_addr.next = self.scheduler.fetch_addr.val();
        self.fetch.req_bytes.next = 64.into();
        self.fetch.req_target.next = self.scheduler.fetch_target.val();
        self.fetch.req_kind.next = 0.into();
        self.fetch.req_id.next = self.scheduler.fetch_id.val();
        self.fetch.req_word.next = self.scheduler.fetch_word.val();
        self.rd_valid.next = self.fetch.rd_valid.val();
        self.fetch.rd_ready.next = self.rd_ready.val();
        self.rd_addr.next = self.fetch.rd_addr.val();
        self.rd_tag.next = self.fetch.rd_tag.val();
        self.fetch.cpl_valid.next = self.cpl_valid.val();
        self.fetch.cpl_sop.next = self.cpl_sop.val();
        self.fetch.cpl_eop.next = self.cpl_eop.val();
        self.fetch.cpl_data.next = self.cpl_data.val();
        self.fetch.cpl_tag.next = self.cpl_tag.val();
        self.fetch.cpl_len.next = 16.into();
        self.fetch.cpl_byte_count.next = 64.into();
        self.fetch.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.fetch.cpl_status.next = 0.into();
        self.fetch.cpl_poisoned.next = false;
        self.fill_write.next = self.fetch.fill_write.val();
        self.fill_target.next = self.fetch.fill_target.val();
        self.fill_word.next = self.fetch.fill_word.val();
        self.fill_data.next = self.fetch.fill_data.val();
        self.done_valid.next = self.fetch.done_valid.val();
        self.done_target.next = self.fetch.done_target.val();
        self.done_id.next = self.fetch.done_id.val();
        self.done_status.next = self.fetch.done_status.val();
    }
}

/// A memory write: byte offset in BAR0, and its bytes. Both are multiples of 4.
#[derive(Clone, Debug)]
struct Write {
    addr: u32,
    bytes: Vec<u8>,
}

/// A queue as the host has it. The bench takes the ring for as large as it is, so `tail - reaped` stays within it.
#[derive(Clone, Default)]
struct Queue {
    context: QueueContext,
    on: bool,
    /// The device has taken so many entries.
    head: u16,
    /// The host has written so many.
    tail: u16,
    /// Completed and reaped.
    reaped: u16,
    /// What a doorbell has told of that.
    told: u16,
}

impl Queue {
    fn entries(&self) -> u16 {
        1 << self.context.sq_entries_log2()
    }
}

/// A context that is being filled.
#[derive(Clone, Debug)]
struct Filling {
    queue: usize,
    index: u16,
    by_hint: bool,
    words: [Option<u128>; 4],
    since: u64,
}

/// What the host's ring holds at an index, and what goes into the slot.
fn entry(queue: usize, index: u16) -> [u8; 64] {
    SubmissionEntry::new()
        .with_opcode(Opcode::C2h)
        .with_index(index)
        .with_region(queue as u32)
        .with_cookie(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .with_length(u64::from(index) << 20 | 1)
        .with_offset(queue as u64 * 0x1234_5678_9abc)
        .with_user(!u32::from(index))
        .encode()
}

struct Bench {
    dut: Pair<Rig>,
    random: StdRng,
    queues: Vec<Queue>,
    /// TLPs on their way to the device, and beats of the one at hand: first, last, words.
    writes: VecDeque<Write>,
    beats: VecDeque<(bool, bool, Vec<u32>)>,
    offered: bool,
    /// Of each direction: contexts that are filled, by queue, and those being filled.
    held: [Vec<Option<usize>>; 2],
    filling: [Vec<Option<Filling>>; 3],
    gave: [bool; 2],
    /// Reads: address, tag, cycle in which the answer may begin.
    reads: VecDeque<(u64, u64, u64)>,
    /// Words of the answer at hand.
    answer: VecDeque<(bool, bool, u128, u64)>,
    delay: u64,
    ready: u32,
    cycle: u64,
    hints: usize,
    served: usize,
    /// Cycles from the last beat of a slot's write to the entry's last word, for those that were taken from it.
    latencies: Vec<u64>,
    last_beat: u64,
}

impl Bench {
    fn new(seed: u64) -> Result<Self> {
        let mut random = seeded(seed);
        let mut dut = Pair::new(
            Rig::default(),
            ports!(Rig {
                clock: clock;
                in reset, req_valid, req_sop, req_eop, req_data, req_addr, req_len, req_first_be, req_last_be, cfg_write, cfg_queue,
                    cfg_word, cfg_data, switch_on, switch_off, switch_queue, c2h_free, c2h_ctx, c2h_back, c2h_back_queue, h2c_free,
                    h2c_ctx, h2c_back, h2c_back_queue, admin_free, rd_ready, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag,
                    cpl_lower_addr;
                out req_ready, switch_ready, c2h_alloc, h2c_alloc, admin_alloc, alloc_queue, alloc_index, hint_take,
                    waiting_entries, rd_valid, rd_addr, rd_tag, fill_write, fill_target, fill_word, fill_data, done_valid,
                    done_target, done_id, done_status
            }),
        )?;
        reset(&mut dut)?;
        let mut queues = Vec::new();
        for id in 0..QUEUES {
            let context = QueueContext::new()
                .with_sq_address((id as u64 + 1) << 32)
                .with_sq_entries_log2(random.random_range(1..=4))
                .with_cq_entries_log2(4)
                .with_direction(if id % 2 == 0 {
                    Direction::C2h
                } else {
                    Direction::H2c
                });
            let context = context.with_cq_entries_log2(context.sq_entries_log2());
            configure(&mut dut, id as u64, &context)?;
            queues.push(Queue {
                context,
                ..Queue::default()
            });
        }
        Ok(Self {
            dut,
            random,
            queues,
            writes: VecDeque::new(),
            beats: VecDeque::new(),
            offered: false,
            held: [vec![None; 16], vec![None; 16]],
            filling: [vec![None; 16], vec![None; 16], vec![None; 1]],
            gave: [false; 2],
            reads: VecDeque::new(),
            answer: VecDeque::new(),
            delay: 40,
            ready: 100,
            cycle: 0,
            hints: 0,
            served: 0,
            latencies: Vec::new(),
            last_beat: 0,
        })
    }

    fn switch(&mut self, id: usize, on: bool) -> Result {
        self.dut.set("switch_queue", id as u64)?;
        let name = if on { "switch_on" } else { "switch_off" };
        self.dut.set(name, true)?;
        for waited in 0.. {
            assert!(waited < 1000, "the switch is not carried out");
            let done = self.dut.is("switch_ready")?;
            self.step()?;
            if done {
                break;
            }
        }
        self.dut.set(name, false)?;
        let context = self.queues[id].context;
        self.queues[id] = Queue {
            context,
            on,
            ..Queue::default()
        };
        Ok(())
    }

    fn page(id: usize) -> u32 {
        DOORBELLS + DOORBELL_STRIDE * id as u32
    }

    /// The write of a whole slot.
    fn line(id: usize, index: u16) -> Write {
        Write {
            addr: Self::page(id) + INLINE_SLOT,
            bytes: entry(id, index).to_vec(),
        }
    }

    fn doorbell(&mut self, id: usize) {
        let queue = &mut self.queues[id];
        queue.told = queue.reaped;
        let doorbell = Doorbell::new()
            .with_sq_tail(queue.tail)
            .with_cq_head(queue.reaped);
        self.writes.push_back(Write {
            addr: Self::page(id) + DOORBELL,
            bytes: doorbell.encode().to_vec(),
        });
    }

    /// The pieces of a slot's write in any order, cut between aligned 8 bytes, as a processor's write-combining buffer may send them.
    fn pieces(&mut self, write: &Write) -> Vec<Write> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < 64 {
            let len = 8 * self.random.random_range(1..=(64 - at) / 8);
            pieces.push(Write {
                addr: write.addr + at as u32,
                bytes: write.bytes[at..at + len].to_vec(),
            });
            at += len;
        }
        pieces.shuffle(&mut self.random);
        pieces
    }

    /// One cycle.
    fn step(&mut self) -> Result {
        self.contexts()?;
        self.link()?;
        self.memory()?;
        self.look()?;
        self.dut.step()?;
        set_all(&mut self.dut, &[("c2h_back", 0), ("h2c_back", 0)])?;
        self.cycle += 1;
        Ok(())
    }

    /// Free contexts are offered, and filled ones given back.
    fn contexts(&mut self) -> Result {
        for (way, [free, ctx, back, by]) in [
            ["c2h_free", "c2h_ctx", "c2h_back", "c2h_back_queue"],
            ["h2c_free", "h2c_ctx", "h2c_back", "h2c_back_queue"],
        ]
        .into_iter()
        .enumerate()
        {
            let first = self.held[way].iter().position(Option::is_none);
            self.dut.set(free, first.is_some())?;
            self.dut.set(ctx, first.unwrap_or(0) as u64)?;
            let at = self.random.random_range(0..16);
            if !self.gave[way]
                && chance(&mut self.random, 30)
                && self.filling[way][at].is_none()
                && let Some(queue) = self.held[way][at].take()
            {
                self.dut.set(back, true)?;
                self.dut.set(by, queue as u64)?;
                self.gave[way] = true;
            } else {
                self.gave[way] = false;
            }
        }
        self.dut.set("admin_free", self.filling[2][0].is_none())
    }

    fn link(&mut self) -> Result {
        if self.beats.is_empty()
            && let Some(write) = self.writes.pop_front()
        {
            let first = write.addr as usize / 4 % 16;
            let mut words: Vec<u32> = (0..first).map(|_| self.random.random()).collect();
            words.extend(
                write
                    .bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|dw| u32::from_le_bytes(*dw)),
            );
            let beats = words.len().div_ceil(16);
            words.resize_with(16 * beats, || self.random.random());
            for (index, beat) in words.chunks(16).enumerate() {
                self.beats
                    .push_back((index == 0, index + 1 == beats, beat.to_vec()));
            }
            let len = write.bytes.len() as u64 / 4;
            set_all(
                &mut self.dut,
                &[
                    ("req_addr", write.addr.into()),
                    ("req_len", len),
                    ("req_first_be", 15),
                    ("req_last_be", if len > 1 { 15 } else { 0 }),
                ],
            )?;
        }
        if !self.offered
            && chance(&mut self.random, self.ready)
            && let Some((sop, eop, words)) = self.beats.front()
        {
            self.dut.set("req_sop", *sop)?;
            self.dut.set("req_eop", *eop)?;
            self.dut.set_wide("req_data", words)?;
            self.offered = true;
        }
        self.dut.set("req_valid", self.offered)?;
        if self.offered && self.dut.is("req_ready")? {
            self.offered = false;
            self.beats.pop_front();
            self.last_beat = self.cycle;
        }
        Ok(())
    }

    /// Reads of rings are answered, in order.
    fn memory(&mut self) -> Result {
        let ready = chance(&mut self.random, self.ready);
        self.dut.set("rd_ready", ready)?;
        if self.answer.is_empty()
            && self
                .reads
                .front()
                .is_some_and(|(_, _, due)| *due <= self.cycle)
            && let Some((addr, tag, _)) = self.reads.pop_front()
        {
            let id = (addr >> 32) as usize - 1;
            let queue = &self.queues[id];
            let slot = (addr as u32 / 64) as u16;
            // The host has written it: the newest index that has this slot.
            let behind = queue.tail.wrapping_sub(1).wrapping_sub(slot) % queue.entries();
            let bytes = entry(id, queue.tail.wrapping_sub(1).wrapping_sub(behind));
            for (word, part) in bytes.as_chunks::<16>().0.iter().enumerate() {
                self.answer
                    .push_back((word == 0, word == 3, u128::from_le_bytes(*part), tag));
            }
            self.dut.set("cpl_lower_addr", addr & 0x7f)?;
        }
        let goes = chance(&mut self.random, self.ready);
        let word = if goes { self.answer.pop_front() } else { None };
        self.dut.set("cpl_valid", word.is_some())?;
        if let Some((sop, eop, word, tag)) = word {
            set_all(
                &mut self.dut,
                &[
                    ("cpl_sop", sop.into()),
                    ("cpl_eop", eop.into()),
                    ("cpl_tag", tag),
                ],
            )?;
            set128(&mut self.dut, "cpl_data", word)?;
        }
        if ready && self.dut.is("rd_valid")? {
            let read = (self.dut.get("rd_addr")?, self.dut.get("rd_tag")?);
            self.reads
                .push_back((read.0, read.1, self.cycle + self.delay));
        }
        Ok(())
    }

    /// Entries are taken in order and once, and each arrives as the host wrote it.
    fn look(&mut self) -> Result {
        for (target, alloc) in ["c2h_alloc", "h2c_alloc", "admin_alloc"]
            .into_iter()
            .enumerate()
        {
            if !self.dut.is(alloc)? {
                continue;
            }
            let id = self.dut.get("alloc_queue")? as usize;
            let index = self.dut.get("alloc_index")? as u16;
            let by_hint = self.dut.is("hint_take")?;
            let queue = &mut self.queues[id];
            assert!(queue.on, "queue {id} is off");
            assert_eq!(index, queue.head, "queue {id}");
            let waiting = queue.tail.wrapping_sub(queue.head);
            assert!(
                (1..=queue.entries()).contains(&waiting),
                "queue {id}: entry {index} was never written"
            );
            assert!(
                queue.head.wrapping_sub(queue.told) < queue.entries(),
                "queue {id}: no room for the completion of {index}"
            );
            assert!(!by_hint || id != 0, "an admin entry from a slot");
            queue.head = queue.head.wrapping_add(1);
            self.served += 1;
            self.hints += usize::from(by_hint);
            let ctx = match target {
                2 => 0,
                way => self.dut.get(["c2h_ctx", "h2c_ctx"][way])? as usize,
            };
            if target < 2 {
                assert_eq!(self.held[target][ctx], None);
                self.held[target][ctx] = Some(id);
            }
            assert!(self.filling[target][ctx].is_none());
            self.filling[target][ctx] = Some(Filling {
                queue: id,
                index,
                by_hint,
                words: [None; 4],
                since: self.last_beat,
            });
        }
        if self.dut.is("fill_write")? {
            let target = self.dut.get("fill_target")? as usize;
            let word = self.dut.get("fill_word")? as usize;
            let data = get128(&mut self.dut, "fill_data")?;
            let filling = self.filling[target][word / 8].as_mut();
            filling.expect("a context that waits").words[word % 8] = Some(data);
        }
        if self.dut.is("done_valid")? {
            let target = self.dut.get("done_target")? as usize;
            let id = self.dut.get("done_id")? as usize;
            assert_eq!(self.dut.get("done_status")?, 0);
            let filling = self.filling[target][id]
                .take()
                .expect("a context that waits");
            let bytes = entry(filling.queue, filling.index);
            let words: Vec<_> = bytes
                .as_chunks::<16>()
                .0
                .iter()
                .map(|word| Some(u128::from_le_bytes(*word)))
                .collect();
            assert_eq!(filling.words[..], words, "{filling:?}");
            // In the next cycle the entry is in the memory.
            if filling.by_hint {
                self.latencies.push(self.cycle + 1 - filling.since);
            }
        }
        Ok(())
    }

    /// The host submits one entry, and tells the device as `how` says.
    fn submit(&mut self, id: usize) -> bool {
        let queue = &mut self.queues[id];
        if !queue.on {
            return false;
        }
        // What has come completes, and is reaped, at any time; only a doorbell tells.
        let coming = self.filling.iter().flatten().flatten();
        let ended = coming
            .filter(|filling| filling.queue == id)
            .map(|filling| filling.index.wrapping_sub(queue.reaped))
            .fold(queue.head.wrapping_sub(queue.reaped), u16::min);
        queue.reaped = queue
            .reaped
            .wrapping_add(self.random.random_range(0..=ended));
        if queue.tail.wrapping_sub(queue.reaped) >= queue.entries() {
            return false;
        }
        queue.tail = queue.tail.wrapping_add(1);
        true
    }

    fn run(&mut self, cycles: usize) -> Result {
        (0..cycles).try_for_each(|_| self.step())
    }
}

#[test]
fn each_entry_is_taken_once_and_in_order() -> Result {
    let mut bench = Bench::new(1)?;
    for id in 0..QUEUES {
        bench.switch(id, id != 9)?;
    }
    // Pieces that have not left the processor yet.
    let mut late: Vec<Write> = Vec::new();
    for round in 0..1400 {
        if round % 100 == 0 {
            bench.ready = [30, 100, 100][bench.random.random_range(0..3)];
            bench.delay = [3, 30, 300][bench.random.random_range(0..3)];
        }
        let id = bench.random.random_range(0..QUEUES);
        if bench.submit(id) {
            let queue = &bench.queues[id];
            let index = queue.tail.wrapping_sub(1);
            let line = Bench::line(id, index);
            match bench.random.random_range(0..10) {
                // The host knows that the device sees no room.
                _ if index.wrapping_sub(queue.told) >= queue.entries() => bench.doorbell(id),
                0..4 => bench.writes.push_back(line),
                4 | 5 => {
                    let pieces = bench.pieces(&line);
                    bench.writes.extend(pieces);
                }
                6 => {
                    let pieces = bench.pieces(&line);
                    late.extend(pieces);
                    late.shuffle(&mut bench.random);
                }
                7 => late.push(line),
                _ => bench.doorbell(id),
            }
        }
        // Old ones, foreign ones, copies; and those that were late.
        match bench.random.random_range(0..12) {
            0 => {
                let queue = &bench.queues[id];
                let old = queue.head.wrapping_sub(1);
                let line = Bench::line(id, old);
                if queue.head > 0 {
                    bench.writes.push_back(line);
                }
            }
            1 => {
                // A queue that is off, and one that the device has not.
                let id = [9, QUEUES - 1][usize::from(chance(&mut bench.random, 20))];
                let mut line = Bench::line(id, 0);
                if id != 9 {
                    line.addr += DOORBELL_STRIDE - INLINE_SLOT;
                }
                bench.writes.push_back(line);
            }
            2 => {
                if let Some(write) = bench.writes.back().cloned()
                    && write.addr % DOORBELL_STRIDE == INLINE_SLOT
                {
                    bench.writes.push_back(write);
                }
            }
            3..6 => bench.writes.extend(late.pop()),
            _ => {}
        }
        let steps = bench.random.random_range(0..12);
        bench.run(steps)?;
    }
    // Everything arrives in the end, and nothing is left then.
    bench.writes.extend(late);
    bench.ready = 100;
    bench.delay = 10;
    bench.run(1000)?;
    for id in 0..QUEUES {
        if bench.queues[id].head != bench.queues[id].tail {
            // Only what found no room may wait; a doorbell tells of it.
            let queue = &bench.queues[id];
            assert!(
                queue.head.wrapping_sub(queue.told) >= queue.entries(),
                "queue {id}"
            );
            bench.queues[id].reaped = bench.queues[id].head;
            bench.doorbell(id);
        }
    }
    bench.run(1000)?;
    for (id, queue) in bench.queues.iter().enumerate() {
        assert_eq!(queue.head, queue.tail, "queue {id} was forgotten");
    }
    assert!(!bench.dut.is("waiting_entries")?);
    assert!(
        bench.hints > 30 && bench.served > 500,
        "{} of {} by hint",
        bench.hints,
        bench.served
    );
    Ok(())
}

/// Posted writes go on while all reads of the fetch unit are out, and what they name is not lost.
#[test]
fn slots_are_looked_at_while_reads_are_out() -> Result {
    let mut bench = Bench::new(2)?;
    bench.delay = 900;
    for id in 0..QUEUES {
        bench.switch(id, true)?;
    }
    for id in 0..QUEUES {
        bench.queues[id].tail = 2;
        bench.doorbell(id);
    }
    bench.run(300)?;
    assert!(bench.writes.is_empty());
    let served = bench.served;
    assert_eq!(served, 8, "as many as there are tags");
    // The fetch unit is full, so the next queue's read waits; and now comes a slot's write, twice in a row.
    for _ in 0..2 {
        for id in 1..QUEUES {
            let line = Bench::line(id, 1);
            bench.writes.push_back(line);
        }
    }
    bench.run(300)?;
    assert!(
        bench.writes.is_empty() && bench.beats.is_empty(),
        "the link is stopped"
    );
    bench.delay = 1;
    bench.run(1500)?;
    assert!(bench.queues.iter().all(|queue| queue.head == 2));
    Ok(())
}

/// The goal is ten cycles from the last beat.
#[test]
fn an_entry_is_there_within_ten_cycles() -> Result {
    let mut bench = Bench::new(3)?;
    bench.switch(4, true)?;
    let mut by_doorbell = Vec::new();
    for index in 0..40u16 {
        bench.run(30)?;
        let queue = &mut bench.queues[4];
        queue.tail += 1;
        queue.reaped = queue.head;
        if index.wrapping_sub(queue.told) >= queue.entries() {
            bench.doorbell(4);
            let begin = bench.cycle;
            while bench.queues[4].head != bench.queues[4].tail
                || bench.filling.iter().flatten().any(Option::is_some)
            {
                bench.step()?;
            }
            by_doorbell.push(bench.cycle - begin);
        } else {
            bench.writes.push_back(Bench::line(4, index));
        }
    }
    bench.run(300)?;
    assert_eq!(bench.queues[4].head, 40);
    println!(
        "last beat to entry in memory: {:?} cycles from the slot; by doorbell {by_doorbell:?}, {} of them the read's",
        bench.latencies, bench.delay
    );
    assert!(bench.latencies.len() > 10);
    assert!(bench.latencies.iter().all(|cycles| *cycles <= 10));
    Ok(())
}
