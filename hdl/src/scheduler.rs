//! Gets submission entries: round robin over the queues of a direction that have some.

use crate::generated::structures::QueueContextDecode1;
use crate::sizes::{DataQueues, Full, Queues, Sizes, WORD_BITS};
use crate::widgets::{Flags, LutRam, PickNext, Size};
use rust_hdl::prelude::*;

mod shares;

use shares::Shares;

/// Heads and tails of the queues, queue 0 being the admin queue.
///
/// A queue is served when entries wait in it, its direction has a free context (the admin queue: no admin command is
/// being carried out), and its completion ring has room for what was read already and one more. The last contexts are
/// for queues that hold none; see `Shares`.
///
/// The directions take turns, and in each of them the queues that could get a context, from the one behind the queue that was
/// served last. So each context that comes free goes to the next queue, whenever that is. The admin queue has its turn
/// among the C2H queues.
///
/// What an inline slot names is looked at between two queues, and even while a read waits for the fetch unit: behind it
/// waits the link's posted traffic, and behind that the completions which may free the fetch unit. It moves the queue's tail forward,
/// never back, and never further than the ring reaches. An entry that is whole and the very next of a queue that
/// could be served now is taken from the slot; else it is read like any other.
#[derive(LogicBlock, Default)]
pub struct QueueScheduler<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A doorbell was written.
    pub db_valid: Signal<In, Bit>,
    /// Queue.
    pub db_queue: Signal<In, Bits<4>>,
    /// Submission tail, free-running.
    pub db_tail: Signal<In, Bits<16>>,
    /// Completion head, free-running.
    pub db_head: Signal<In, Bits<16>>,
    /// A 64-bit word of a queue context is written.
    pub cfg_write: Signal<In, Bit>,
    /// Queue.
    pub cfg_queue: Signal<In, Bits<4>>,
    /// Word, 0..=5.
    pub cfg_word: Signal<In, Bits<3>>,
    /// Data.
    pub cfg_data: Signal<In, Bits<64>>,
    /// Start a queue at index 0.
    pub switch_on: Signal<In, Bit>,
    /// Stop a queue.
    pub switch_off: Signal<In, Bit>,
    /// The queue to start or stop.
    pub switch_queue: Signal<In, Bits<4>>,
    /// The switch is carried out.
    pub switch_ready: Signal<Out, Bit>,
    /// Queues that are on, the admin queue included.
    pub enabled_queues: Signal<Out, Bits<16>>,
    /// A C2H context is free.
    pub c2h_free: Signal<In, Bit>,
    /// Which one.
    pub c2h_ctx: Signal<In, Bits<4>>,
    /// It is taken.
    pub c2h_alloc: Signal<Out, Bit>,
    /// A C2H context is given back.
    pub c2h_back: Signal<In, Bit>,
    /// By this queue.
    pub c2h_back_queue: Signal<In, Bits<4>>,
    /// An H2C context is free.
    pub h2c_free: Signal<In, Bit>,
    /// Which one.
    pub h2c_ctx: Signal<In, Bits<4>>,
    /// It is taken.
    pub h2c_alloc: Signal<Out, Bit>,
    /// An H2C context is given back.
    pub h2c_back: Signal<In, Bit>,
    /// By this queue.
    pub h2c_back_queue: Signal<In, Bits<4>>,
    /// No admin command is being carried out.
    pub admin_free: Signal<In, Bit>,
    /// One is being read.
    pub admin_alloc: Signal<Out, Bit>,
    /// Queue of the entry being read.
    pub alloc_queue: Signal<Out, Bits<4>>,
    /// Its ring index.
    pub alloc_index: Signal<Out, Bits<16>>,
    /// An entry is named in an inline slot.
    pub hint_valid: Signal<In, Bit>,
    /// Its queue.
    pub hint_queue: Signal<In, Bits<4>>,
    /// Its ring index.
    pub hint_index: Signal<In, Bits<16>>,
    /// And all of it is there.
    pub hint_whole: Signal<In, Bit>,
    /// It was looked at, in this cycle.
    pub hint_ready: Signal<Out, Bit>,
    /// It is taken from there, into the context that `fetch_target`, `fetch_id` and `fetch_word` name.
    pub hint_take: Signal<Out, Bit>,
    /// Ask for a read of an entry.
    pub fetch_valid: Signal<Out, Bit>,
    /// The request is taken.
    pub fetch_ready: Signal<In, Bit>,
    /// Bus address.
    pub fetch_addr: Signal<Out, Bits<64>>,
    /// Whose memory: 0 C2H contexts, 1 H2C contexts, 2 admin.
    pub fetch_target: Signal<Out, Bits<2>>,
    /// Context.
    pub fetch_id: Signal<Out, Bits<5>>,
    /// First word.
    pub fetch_word: Signal<Out, Bits<WORD_BITS>>,

    /// An entry may wait in some queue.
    pub waiting_entries: Signal<Out, Bit>,

    state: DFF<SchedulerState>,
    queue: DFF<Bits<4>>,
    // A hint was looked at last: now it is a queue's turn.
    looked: DFF<Bit>,
    // Queue of each direction that had its turn last, and the direction.
    c2h_last: DFF<Bits<4>>,
    h2c_last: DFF<Bits<4>>,
    was_h2c: DFF<Bit>,
    enabled: Flags<Queues<S>>,
    pending: Flags<Queues<S>>,
    /// Queues whose direction is H2C.
    downward: Flags<Queues<S>>,
    c2h_shares: Shares<S>,
    h2c_shares: Shares<S>,
    all_data_queues: Size<16, DataQueues<S>>,
    c2h_pick: PickNext,
    h2c_pick: PickNext,
    rings: LutRam<Bits<64>, 4>,
    shapes: LutRam<Bits<64>, 4>,
    heads: LutRam<Bits<16>, 4>,
    tails: LutRam<Bits<16>, 4>,
    reaped: LutRam<Bits<16>, 4>,
    shape: QueueContextDecode1,
    new_shape: QueueContextDecode1,

    one: Signal<Local, Bits<16>>,
    mark: Signal<Local, Bits<16>>,
    to_switch: Signal<Local, Bit>,
    switching: Signal<Local, Bit>,
    switch_bit: Signal<Local, Bits<16>>,
    head: Signal<Local, Bits<16>>,
    waiting: Signal<Local, Bits<16>>,
    unreaped: Signal<Local, Bits<16>>,
    entries: Signal<Local, Bits<16>>,
    completions: Signal<Local, Bits<16>>,
    mask: Signal<Local, Bits<16>>,
    slot: Signal<Local, Bits<16>>,
    admin: Signal<Local, Bit>,
    cfg_bit: Signal<Local, Bits<16>>,
    upward: Signal<Local, Bits<16>>,
    data_queues: Signal<Local, Bits<16>>,
    more_queues: Signal<Local, Bit>,
    holds: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    ctx: Signal<Local, Bits<4>>,
    has_ctx: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    may_take: Signal<Local, Bit>,
    sane: Signal<Local, Bit>,
    beyond: Signal<Local, Bits<16>>,
    hint_tail: Signal<Local, Bits<16>>,
    takes: Signal<Local, Bit>,
    next_head: Signal<Local, Bit>,
    nothing: Signal<Local, Bit>,
    had_turn: Signal<Local, Bit>,
    candidates: Signal<Local, Bits<16>>,
    c2h_open: Signal<Local, Bits<16>>,
    h2c_open: Signal<Local, Bits<16>>,
    found: Signal<Local, Bit>,
    picks_h2c: Signal<Local, Bit>,
}

/// What the scheduler does.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum SchedulerState {
    /// Choosing a queue.
    Choose,
    /// Reading its next entry.
    Serve,
    /// Looking at a hint.
    Look,
}

impl<S: Sizes> Logic for QueueScheduler<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, queue, looked, c2h_last, h2c_last, was_h2c
        );
        clock!(
            self, clock, enabled, pending, downward, c2h_shares, h2c_shares, rings, shapes, heads,
            tails, reaped
        );
        self.downward.reset.next = self.reset.val();
        self.c2h_shares.reset.next = self.reset.val();
        self.h2c_shares.reset.next = self.reset.val();
        self.enabled.reset.next = self.reset.val();
        self.pending.reset.next = self.reset.val();
        self.one.next = 1.into();
        self.mark.next = self.one.val() << self.queue.q.val();

        // Queue contexts: word 0 holds the ring's address, word 2 its shape.
        self.rings.write_address.next = self.cfg_queue.val();
        self.rings.write_data.next = self.cfg_data.val();
        self.rings.write_enable.next = self.cfg_write.val() & (self.cfg_word.val() == 0);
        self.shapes.write_address.next = self.cfg_queue.val();
        self.shapes.write_data.next = self.cfg_data.val();
        self.shapes.write_enable.next = self.cfg_write.val() & (self.cfg_word.val() == 2);

        // Queues by direction.
        self.new_shape.raw.next = bit_cast::<128, 64>(self.cfg_data.val());
        self.cfg_bit.next = self.one.val() << self.cfg_queue.val();
        self.downward.set.next = 0.into();
        self.downward.clear.next = 0.into();
        if self.shapes.write_enable.val() {
            if self.new_shape.direction.val().get_bit(0) {
                self.downward.set.next = self.cfg_bit.val();
            } else {
                self.downward.clear.next = self.cfg_bit.val();
            }
        }
        self.upward.next = !self.downward.q.val();
        self.data_queues.next = self.enabled.q.val() & 0xfffe;
        self.enabled_queues.next = self.enabled.q.val();
        self.more_queues.next = self.data_queues.val() != self.all_data_queues.val();
        self.c2h_shares.queues.next = self.data_queues.val() & self.upward.val();
        self.c2h_shares.more_queues.next = self.more_queues.val();
        self.c2h_shares.alloc_queue.next = self.queue.q.val();
        self.c2h_shares.back.next = self.c2h_back.val();
        self.c2h_shares.back_queue.next = self.c2h_back_queue.val();
        self.h2c_shares.queues.next = self.data_queues.val() & self.downward.q.val();
        self.h2c_shares.more_queues.next = self.more_queues.val();
        self.h2c_shares.alloc_queue.next = self.queue.q.val();
        self.h2c_shares.back.next = self.h2c_back.val();
        self.h2c_shares.back_queue.next = self.h2c_back_queue.val();

        // A switch waits for a cycle in which no doorbell and no entry use the write ports, but not for a read's tag.
        self.to_switch.next = self.switch_on.val() | self.switch_off.val();
        self.switching.next = (self.to_switch.val() & !self.db_valid.val())
            & (self.state.q.val() == SchedulerState::Choose);
        self.switch_ready.next = self.switching.val();
        self.switch_bit.next = self.one.val() << self.switch_queue.val();
        self.enabled.set.next = 0.into();
        self.enabled.clear.next = 0.into();
        self.pending.set.next = 0.into();
        self.pending.clear.next = 0.into();
        self.tails.write_address.next = self.db_queue.val();
        self.tails.write_data.next = self.db_tail.val();
        self.tails.write_enable.next = self.db_valid.val();
        self.reaped.write_address.next = self.db_queue.val();
        self.reaped.write_data.next = self.db_head.val();
        self.reaped.write_enable.next = self.db_valid.val();
        if self.db_valid.val() {
            self.pending.set.next = (self.one.val() << self.db_queue.val()) & self.enabled.q.val();
        }
        if self.switching.val() {
            self.tails.write_address.next = self.switch_queue.val();
            self.tails.write_data.next = 0.into();
            self.tails.write_enable.next = true;
            self.reaped.write_address.next = self.switch_queue.val();
            self.reaped.write_data.next = 0.into();
            self.reaped.write_enable.next = true;
            if self.switch_on.val() {
                self.enabled.set.next = self.switch_bit.val();
            } else {
                self.enabled.clear.next = self.switch_bit.val();
                self.pending.clear.next = self.switch_bit.val();
            }
        }

        // The queue at hand.
        self.rings.read_address.next = self.queue.q.val();
        self.shapes.read_address.next = self.queue.q.val();
        self.heads.read_address.next = self.queue.q.val();
        self.tails.read_address.next = self.queue.q.val();
        self.reaped.read_address.next = self.queue.q.val();
        self.shape.raw.next = bit_cast::<128, 64>(self.shapes.read_data.val());
        self.head.next = self.heads.read_data.val();
        self.waiting.next = self.tails.read_data.val() - self.head.val();
        self.unreaped.next = self.head.val() - self.reaped.read_data.val();
        self.entries.next = self.one.val() << bit_cast::<4, 8>(self.shape.sq_entries_log2.val());
        self.completions.next =
            self.one.val() << bit_cast::<4, 8>(self.shape.cq_entries_log2.val());
        self.mask.next = self.entries.val() - 1;
        self.slot.next = self.head.val() & self.mask.val();
        self.admin.next = self.queue.q.val() == 0;
        self.ctx.next = self.c2h_ctx.val();
        self.holds.next = self
            .c2h_shares
            .holders
            .val()
            .get_bit(self.queue.q.val().index());
        self.room.next = self.c2h_shares.room.val();
        self.has_ctx.next = self.c2h_free.val() & (self.room.val() | !self.holds.val());
        self.fetch_target.next = 0.into();
        if self.shape.direction.val().get_bit(0) {
            self.ctx.next = self.h2c_ctx.val();
            self.holds.next = self
                .h2c_shares
                .holders
                .val()
                .get_bit(self.queue.q.val().index());
            self.room.next = self.h2c_shares.room.val();
            self.has_ctx.next = self.h2c_free.val() & (self.room.val() | !self.holds.val());
            self.fetch_target.next = 1.into();
        }
        self.fetch_id.next = bit_cast::<5, 4>(self.ctx.val());
        self.fetch_word.next = bit_cast::<WORD_BITS, 4>(self.ctx.val()) << 3;
        if self.admin.val() {
            self.has_ctx.next = self.admin_free.val();
            self.fetch_target.next = 2.into();
            self.fetch_id.next = 0.into();
            self.fetch_word.next = 0.into();
        }
        // A tail further ahead than the ring is long is not a tail: the queue rests until a sane one comes.
        self.nothing.next = !self.waiting.val().any() | (self.waiting.val() > self.entries.val());
        self.may_take.next = self.has_ctx.val() & (self.unreaped.val() < self.completions.val());
        self.go.next = self.may_take.val() & !self.nothing.val();
        // A hint: how far its tail lies beyond the head, against how far the queue's does.
        self.sane.next = (self.enabled.q.val() & self.mark.val()).any()
            & (self.waiting.val() <= self.entries.val());
        self.hint_tail.next = self.hint_index.val() + 1;
        self.beyond.next = self.hint_tail.val() - self.head.val();
        self.takes.next = ((self.hint_whole.val() & (self.beyond.val() == 1))
            & (self.sane.val() & self.may_take.val()))
            & !self.admin.val();
        self.hint_ready.next = false;
        self.hint_take.next = false;
        self.fetch_addr.next =
            self.rings.read_data.val() + (bit_cast::<64, 16>(self.slot.val()) << 6);
        self.fetch_valid.next = false;
        self.alloc_queue.next = self.queue.q.val();
        self.alloc_index.next = self.head.val();
        self.c2h_alloc.next = false;
        self.h2c_alloc.next = false;
        self.admin_alloc.next = false;
        self.next_head.next = false;
        self.had_turn.next = false;

        // Who could get a context: nobody loses his turn because there is none just now.
        self.candidates.next = self.pending.q.val() & self.enabled.q.val();
        self.waiting_entries.next = self.candidates.val().any() | self.hint_valid.val();
        self.c2h_open.next = 0.into();
        if self.c2h_free.val() {
            self.c2h_open.next = !self.c2h_shares.holders.val();
            if self.c2h_shares.room.val() {
                self.c2h_open.next = 0xffff.into();
            }
        }
        self.h2c_open.next = 0.into();
        if self.h2c_free.val() {
            self.h2c_open.next = !self.h2c_shares.holders.val();
            if self.h2c_shares.room.val() {
                self.h2c_open.next = 0xffff.into();
            }
        }
        self.c2h_pick.among.next = self.candidates.val()
            & ((self.c2h_open.val() & (self.upward.val() & 0xfffe))
                | bit_cast::<16, 1>(self.admin_free.val().into()));
        self.c2h_pick.start.next = self.c2h_last.q.val() + 1;
        self.h2c_pick.among.next =
            self.candidates.val() & (self.h2c_open.val() & (self.downward.q.val() & 0xfffe));
        self.h2c_pick.start.next = self.h2c_last.q.val() + 1;
        self.found.next = self.c2h_pick.found.val() | self.h2c_pick.found.val();
        self.picks_h2c.next =
            self.h2c_pick.found.val() & !(self.was_h2c.q.val() & self.c2h_pick.found.val());
        match self.state.q.val() {
            SchedulerState::Choose => {
                if self.to_switch.val() {
                    self.state.d.next = SchedulerState::Choose;
                } else if self.hint_valid.val() & !(self.looked.q.val() & self.found.val()) {
                    self.queue.d.next = self.hint_queue.val();
                    self.state.d.next = SchedulerState::Look;
                } else if self.found.val() {
                    self.queue.d.next = self.c2h_pick.index.val();
                    if self.picks_h2c.val() {
                        self.queue.d.next = self.h2c_pick.index.val();
                    }
                    self.state.d.next = SchedulerState::Serve;
                }
            }
            SchedulerState::Serve => {
                self.looked.d.next = false;
                if self.go.val() {
                    self.fetch_valid.next = true;
                    if self.fetch_ready.val() {
                        self.next_head.next = true;
                        self.had_turn.next = true;
                        if self.admin.val() {
                            self.admin_alloc.next = true;
                        } else if self.shape.direction.val().get_bit(0) {
                            self.h2c_alloc.next = true;
                        } else {
                            self.c2h_alloc.next = true;
                        }
                        self.state.d.next = SchedulerState::Choose;
                    } else if self.hint_valid.val() | self.to_switch.val() {
                        self.state.d.next = SchedulerState::Choose;
                    }
                } else {
                    // The context that it was to get may have gone to an inline slot's entry: then it is next again.
                    self.had_turn.next = self.has_ctx.val();
                    // A doorbell in this very cycle may bring more.
                    if self.nothing.val() & !self.db_valid.val() {
                        self.pending.clear.next = self.mark.val();
                    }
                    self.state.d.next = SchedulerState::Choose;
                }
            }
            SchedulerState::Look => {
                // A doorbell in this very cycle has the write port.
                if !self.db_valid.val() {
                    self.hint_ready.next = true;
                    self.looked.d.next = true;
                    self.state.d.next = SchedulerState::Choose;
                    if self.sane.val()
                        & ((self.beyond.val() > self.waiting.val())
                            & (self.beyond.val() <= self.entries.val()))
                    {
                        self.tails.write_address.next = self.queue.q.val();
                        self.tails.write_data.next = self.hint_tail.val();
                        self.tails.write_enable.next = true;
                        if !self.takes.val() {
                            self.pending.set.next = self.mark.val();
                        }
                    }
                    if self.takes.val() {
                        self.hint_take.next = true;
                        self.next_head.next = true;
                        if self.shape.direction.val().get_bit(0) {
                            self.h2c_alloc.next = true;
                        } else {
                            self.c2h_alloc.next = true;
                        }
                    }
                }
            }
        }
        if self.had_turn.val() {
            self.was_h2c.d.next = self.fetch_target.val() == 1;
            if self.fetch_target.val() == 1 {
                self.h2c_last.d.next = self.queue.q.val();
            } else {
                self.c2h_last.d.next = self.queue.q.val();
            }
        }
        self.c2h_shares.alloc.next = self.c2h_alloc.val();
        self.h2c_shares.alloc.next = self.h2c_alloc.val();
        self.heads.write_address.next = self.queue.q.val();
        self.heads.write_data.next = self.head.val() + 1;
        self.heads.write_enable.next = self.next_head.val();
        if self.switching.val() {
            self.heads.write_address.next = self.switch_queue.val();
            self.heads.write_data.next = 0.into();
            self.heads.write_enable.next = true;
        }
        if self.reset.val() {
            self.state.d.next = SchedulerState::Choose;
            self.looked.d.next = false;
        }
    }
}

#[cfg(test)]
mod inline_tests;
#[cfg(test)]
mod tests;
