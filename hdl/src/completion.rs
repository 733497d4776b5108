//! Writes completion entries and decides when a vector is due.

use crate::generated::structures::{
    CompletionEntryEncode0, CompletionEntryEncode1, QueueContextDecode1, QueueContextDecode2,
};
use crate::sizes::{Full, Queues, Sizes};
use crate::widgets::{Flags, LutRam, PickNext};
use pinring_protocol::limits;
use rust_hdl::prelude::*;

// The scan visits one queue per cycle, and a visit counts one unit.
const _: () = assert!(limits::QUEUES == 16 && limits::MODERATION_CYCLES == 16);

/// From completion records to completion entries (two 128-bit words, one TLP) and interrupt requests.
///
/// A queue is armed by a doorbell write with the head that the driver has seen. Its vector is requested, and it is disarmed,
/// once as many entries as its moderation count lie behind that head: by an entry, or at once by the arming write itself. If
/// fewer do, the vector is requested when they have lain there for the moderation time. A queue that is set up is not armed
/// nor moderated, whatever its number was before; word 5 of its context, which comes later, moderates it.
#[derive(LogicBlock, Default)]
pub struct CompletionUnit<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Cycle counter, for the entries' timestamps.
    pub timestamp: Signal<In, Bits<64>>,
    /// A 64-bit word of a queue context is written.
    pub cfg_write: Signal<In, Bit>,
    /// Queue.
    pub cfg_queue: Signal<In, Bits<4>>,
    /// Word, 0..=5.
    pub cfg_word: Signal<In, Bits<3>>,
    /// Data.
    pub cfg_data: Signal<In, Bits<64>>,
    /// A doorbell was written.
    pub db_valid: Signal<In, Bit>,
    /// Queue.
    pub db_queue: Signal<In, Bits<4>>,
    /// Completion head.
    pub db_head: Signal<In, Bits<16>>,
    /// Arm the queue.
    pub db_arm: Signal<In, Bit>,
    /// A record: one party's completion.
    pub rec_valid: Signal<In, Bit>,
    /// It is taken.
    pub rec_ready: Signal<Out, Bit>,
    /// Queue.
    pub rec_queue: Signal<In, Bits<4>>,
    /// Ring index of the submission.
    pub rec_index: Signal<In, Bits<16>>,
    /// Cookie.
    pub rec_cookie: Signal<In, Bits<64>>,
    /// User metadata.
    pub rec_user: Signal<In, Bits<32>>,
    /// Status.
    pub rec_status: Signal<In, Bits<8>>,
    /// Bytes moved.
    pub rec_bytes: Signal<In, Bits<48>>,
    /// Ended with a packet.
    pub rec_eop: Signal<In, Bit>,
    /// A completion entry.
    pub entry_valid: Signal<Out, Bit>,
    /// It has entered the posted path.
    pub entry_ready: Signal<In, Bit>,
    /// Bus address.
    pub entry_addr: Signal<Out, Bits<64>>,
    /// Bytes 0 to 15.
    pub entry_low: Signal<Out, Bits<128>>,
    /// Bytes 16 to 31.
    pub entry_high: Signal<Out, Bits<128>>,
    /// A vector is due.
    pub irq_valid: Signal<Out, Bit>,
    /// It is noted.
    pub irq_ready: Signal<In, Bit>,
    /// The vector.
    pub irq_vector: Signal<Out, Bits<4>>,

    state: DFF<CompletionState>,
    queue: DFF<Bits<4>>,
    index: DFF<Bits<16>>,
    cookie: DFF<Bits<64>>,
    user: DFF<Bits<32>>,
    status: DFF<Bits<8>>,
    bytes: DFF<Bits<48>>,
    eop: DFF<Bit>,
    when: DFF<Bits<64>>,
    rings: LutRam<Bits<64>, 4>,
    shapes: LutRam<Bits<64>, 4>,
    vectors: LutRam<Bits<64>, 4>,
    tails: LutRam<Bits<16>, 4>,
    tails_back: LutRam<Bits<16>, 4>,
    tails_scan: LutRam<Bits<16>, 4>,
    heads: LutRam<Bits<16>, 4>,
    heads_scan: LutRam<Bits<16>, 4>,
    rules: LutRam<Bits<64>, 4>,
    rules_back: LutRam<Bits<64>, 4>,
    rules_scan: LutRam<Bits<64>, 4>,
    waited: LutRam<Bits<16>, 4>,
    scan: DFF<Bits<4>>,
    armed: Flags<Queues<S>>,
    due: Flags<Queues<S>>,
    pick: PickNext,
    shape: QueueContextDecode1,
    due_shape: QueueContextDecode1,
    entry_rule: QueueContextDecode2,
    db_rule: QueueContextDecode2,
    scan_rule: QueueContextDecode2,
    low: CompletionEntryEncode0,
    high: CompletionEntryEncode1,

    one: Signal<Local, Bits<16>>,
    mark: Signal<Local, Bits<16>>,
    db_bit: Signal<Local, Bits<16>>,
    db_due: Signal<Local, Bits<16>>,
    entry_due: Signal<Local, Bits<16>>,
    tail: Signal<Local, Bits<16>>,
    entries: Signal<Local, Bits<17>>,
    one17: Signal<Local, Bits<17>>,
    mask: Signal<Local, Bits<17>>,
    slot: Signal<Local, Bits<17>>,
    lap: Signal<Local, Bits<17>>,
    written: Signal<Local, Bit>,
    fresh: Signal<Local, Bit>,
    fresh_bit: Signal<Local, Bits<16>>,
    db_armed: Signal<Local, Bits<16>>,
    arming: Signal<Local, Bit>,
    unseen: Signal<Local, Bits<16>>,
    db_unseen: Signal<Local, Bits<16>>,
    rule_write: Signal<Local, Bit>,
    rule_data: Signal<Local, Bits<64>>,
    scan_bit: Signal<Local, Bits<16>>,
    scan_waits: Signal<Local, Bit>,
    waited_next: Signal<Local, Bits<16>>,
    scan_due: Signal<Local, Bits<16>>,
}

/// What the completion unit does.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum CompletionState {
    /// Waiting for a record.
    Idle,
    /// Its entry goes out.
    Write,
    /// It has gone out; the tail could not move yet.
    Note,
    /// Is the queue armed?
    Check,
}

impl<S: Sizes> Logic for CompletionUnit<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, queue, index, cookie, user, status, bytes, eop, when, scan
        );
        clock!(
            self, clock, rings, shapes, vectors, tails, tails_back, tails_scan, heads, heads_scan,
            rules, rules_back, rules_scan, waited, armed, due
        );
        self.armed.reset.next = self.reset.val();
        self.due.reset.next = self.reset.val();
        self.one.next = 1.into();
        self.one17.next = 1.into();
        self.mark.next = self.one.val() << self.queue.q.val();

        // Queue contexts: word 1 holds the completion ring, word 2 its size and the vector, word 5 the moderation.
        self.rings.write_address.next = self.cfg_queue.val();
        self.rings.write_data.next = self.cfg_data.val();
        self.rings.write_enable.next = self.cfg_write.val() & (self.cfg_word.val() == 1);
        self.shapes.write_address.next = self.cfg_queue.val();
        self.shapes.write_data.next = self.cfg_data.val();
        self.shapes.write_enable.next = self.cfg_write.val() & (self.cfg_word.val() == 2);
        self.vectors.write_address.next = self.cfg_queue.val();
        self.vectors.write_data.next = self.cfg_data.val();
        self.vectors.write_enable.next = self.shapes.write_enable.val();
        self.fresh.next = self.cfg_write.val() & (self.cfg_word.val() == 1);
        self.rule_write.next =
            self.fresh.val() | (self.cfg_write.val() & (self.cfg_word.val() == 5));
        self.rule_data.next = self.cfg_data.val();
        if self.fresh.val() {
            self.rule_data.next = 0.into();
        }
        self.rules.write_address.next = self.cfg_queue.val();
        self.rules.write_data.next = self.rule_data.val();
        self.rules.write_enable.next = self.rule_write.val();
        self.rules_back.write_address.next = self.cfg_queue.val();
        self.rules_back.write_data.next = self.rule_data.val();
        self.rules_back.write_enable.next = self.rule_write.val();
        self.rules_scan.write_address.next = self.cfg_queue.val();
        self.rules_scan.write_data.next = self.rule_data.val();
        self.rules_scan.write_enable.next = self.rule_write.val();

        // The entry of the record at hand; its phase is 1 on the first lap.
        self.rings.read_address.next = self.queue.q.val();
        self.shapes.read_address.next = self.queue.q.val();
        self.shape.raw.next = bit_cast::<128, 64>(self.shapes.read_data.val());
        self.tails.read_address.next = self.queue.q.val();
        self.tail.next = self.tails.read_data.val();
        self.entries.next = self.one17.val() << bit_cast::<5, 8>(self.shape.cq_entries_log2.val());
        self.mask.next = self.entries.val() - 1;
        self.slot.next = bit_cast::<17, 16>(self.tail.val()) & self.mask.val();
        self.lap.next = bit_cast::<17, 16>(self.tail.val()) & self.entries.val();
        self.entry_addr.next =
            self.rings.read_data.val() + (bit_cast::<64, 17>(self.slot.val()) << 5);
        self.low.cookie.next = self.cookie.q.val();
        self.low.timestamp.next = self.when.q.val();
        self.entry_low.next = self.low.raw.val();
        self.high.bytes_moved.next = self.bytes.q.val();
        self.high.status.next = bit_cast::<16, 8>(self.status.q.val());
        self.high.user.next = self.user.q.val();
        self.high.slot.next = self.index.q.val();
        self.high.queue_id.next = bit_cast::<12, 4>(self.queue.q.val());
        self.high.eop.next = self.eop.q.val();
        self.high.phase.next = !self.lap.val().any();
        self.entry_high.next = self.high.raw.val();
        self.entry_valid.next = false;
        self.rec_ready.next = false;
        self.written.next = false;
        self.entry_due.next = 0.into();
        self.rules.read_address.next = self.queue.q.val();
        self.entry_rule.raw.next = bit_cast::<128, 64>(self.rules.read_data.val()) << 64;
        self.heads.read_address.next = self.queue.q.val();
        self.unseen.next = self.tail.val() - self.heads.read_data.val();
        match self.state.q.val() {
            CompletionState::Idle => {
                self.rec_ready.next = true;
                if self.rec_valid.val() {
                    self.queue.d.next = self.rec_queue.val();
                    self.index.d.next = self.rec_index.val();
                    self.cookie.d.next = self.rec_cookie.val();
                    self.user.d.next = self.rec_user.val();
                    self.status.d.next = self.rec_status.val();
                    self.bytes.d.next = self.rec_bytes.val();
                    self.eop.d.next = self.rec_eop.val();
                    self.when.d.next = self.timestamp.val();
                    self.state.d.next = CompletionState::Write;
                }
            }
            CompletionState::Write => {
                // The tail RAM has one write port, and a queue that is being set up may need it: another queue, as
                // this one has a completion.
                self.entry_valid.next = true;
                if self.entry_ready.val() {
                    self.written.next = !self.fresh.val();
                    self.state.d.next = CompletionState::Check;
                    if self.fresh.val() {
                        self.state.d.next = CompletionState::Note;
                    }
                }
            }
            CompletionState::Note => {
                if !self.fresh.val() {
                    self.written.next = true;
                    self.state.d.next = CompletionState::Check;
                }
            }
            CompletionState::Check => {
                // Armed, so at least this entry is unseen: counts of 0 and 1 are reached.
                if self.unseen.val() >= self.entry_rule.moderation_count.val() {
                    self.entry_due.next = self.armed.q.val() & self.mark.val();
                }
                self.state.d.next = CompletionState::Idle;
            }
        }

        self.tails.write_enable.next = self.written.val() | self.fresh.val();
        self.tails.write_address.next = self.queue.q.val();
        self.tails.write_data.next = self.tail.val() + 1;
        if self.fresh.val() {
            self.tails.write_address.next = self.cfg_queue.val();
            self.tails.write_data.next = 0.into();
        }
        self.tails_back.write_enable.next = self.tails.write_enable.val();
        self.tails_back.write_address.next = self.tails.write_address.val();
        self.tails_back.write_data.next = self.tails.write_data.val();
        self.tails_scan.write_enable.next = self.tails.write_enable.val();
        self.tails_scan.write_address.next = self.tails.write_address.val();
        self.tails_scan.write_data.next = self.tails.write_data.val();

        // Arming. A write that has not seen the moderation count of entries waits for more, or for the scan; others fire at
        // once. The tail has moved one cycle before Check looks, so no order of the two loses the wake-up.
        self.arming.next = self.db_valid.val() & self.db_arm.val();
        self.tails_back.read_address.next = self.db_queue.val();
        self.rules_back.read_address.next = self.db_queue.val();
        self.db_rule.raw.next = bit_cast::<128, 64>(self.rules_back.read_data.val()) << 64;
        self.db_unseen.next = self.tails_back.read_data.val() - self.db_head.val();
        self.db_bit.next = self.one.val() << self.db_queue.val();
        self.db_due.next = 0.into();
        self.db_armed.next = 0.into();
        if self.arming.val() {
            if self.db_unseen.val().any()
                & (self.db_unseen.val() >= self.db_rule.moderation_count.val())
            {
                self.db_due.next = self.db_bit.val();
            } else {
                self.db_armed.next = self.db_bit.val();
            }
        }
        self.heads.write_enable.next = self.arming.val();
        self.heads.write_address.next = self.db_queue.val();
        self.heads.write_data.next = self.db_head.val();
        self.heads_scan.write_enable.next = self.arming.val();
        self.heads_scan.write_address.next = self.db_queue.val();
        self.heads_scan.write_data.next = self.db_head.val();

        // The moderation time: one queue per cycle. It counts the visits that find the queue armed with unseen entries, and
        // holds no other state, so that no order of entries and arming writes can stop it.
        self.scan.d.next = self.scan.q.val() + 1;
        self.scan_bit.next = self.one.val() << self.scan.q.val();
        self.tails_scan.read_address.next = self.scan.q.val();
        self.heads_scan.read_address.next = self.scan.q.val();
        self.rules_scan.read_address.next = self.scan.q.val();
        self.scan_rule.raw.next = bit_cast::<128, 64>(self.rules_scan.read_data.val()) << 64;
        self.waited.read_address.next = self.scan.q.val();
        self.waited.write_address.next = self.scan.q.val();
        self.waited.write_enable.next = true;
        self.waited.write_data.next = 0.into();
        self.waited_next.next = self.waited.read_data.val() + 1;
        self.scan_waits.next = (self.armed.q.val() & self.scan_bit.val()).any()
            & (self.tails_scan.read_data.val() != self.heads_scan.read_data.val());
        self.scan_due.next = 0.into();
        if self.scan_waits.val() {
            if self.waited.read_data.val() >= self.scan_rule.moderation_time.val() {
                self.scan_due.next = self.scan_bit.val();
            } else {
                self.waited.write_data.next = self.waited_next.val();
            }
        }
        self.fresh_bit.next = 0.into();
        if self.fresh.val() {
            self.fresh_bit.next = self.one.val() << self.cfg_queue.val();
        }
        self.due.set.next = self.entry_due.val() | (self.db_due.val() | self.scan_due.val());
        self.armed.set.next = self.db_armed.val();
        self.armed.clear.next =
            self.fresh_bit.val() | (self.due.set.val() & (self.db_armed.val() ^ 0xffff));
        self.due.clear.next = self.fresh_bit.val();
        self.pick.among.next = self.due.q.val();
        self.pick.start.next = 0.into();
        self.vectors.read_address.next = self.pick.index.val();
        self.due_shape.raw.next = bit_cast::<128, 64>(self.vectors.read_data.val());
        self.irq_valid.next = self.pick.found.val();
        self.irq_vector.next = bit_cast::<4, 16>(self.due_shape.vector.val());
        if self.pick.found.val() & self.irq_ready.val() {
            self.due.clear.next = self.fresh_bit.val()
                | ((self.one.val() << self.pick.index.val()) & (self.due.set.val() ^ 0xffff));
        }
        if self.reset.val() {
            self.state.d.next = CompletionState::Idle;
            self.scan.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests;
