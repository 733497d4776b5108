//! The inline slots of the doorbell pages: submission entries that come as hints.

use crate::sizes::{Full, Queues, Sizes, WORD_BITS};
use crate::widgets::{Const, Param, Size};
use pinring_protocol::SubmissionEntry;
use pinring_protocol::limits;
use pinring_protocol::registers::aperture::{DOORBELL_STRIDE, DOORBELLS, INLINE_SLOT};
use rust_hdl::prelude::*;

// The entry fills the slot in 16 DW, with its ring index in the upper half of the first one; the queue id has four bits here.
const _: () = assert!(
    SubmissionEntry::BYTES == 64
        && super::layout::bit(SubmissionEntry::FIELDS, "index") == 16
        && limits::QUEUES == 16
);

/// Collects what is written to the inline slots.
///
/// A write that begins at a slot with all four bytes of the first DW names an entry of the slot's queue; what begins
/// elsewhere, or brings a part of that DW, names nothing. A write of the whole slot with every byte enabled also *is* the
/// entry: it stays here until the scheduler has looked, and goes on to the context's memory in four words if the scheduler takes it.
/// One entry is held: a second one that comes while the first is on its way to the memory only names itself, as the ring
/// holds it too.
///
/// Requests that follow must wait while `hint_valid` is set: what a write names is never lost.
#[derive(LogicBlock, Default)]
pub struct InlineSlots<const W: usize, S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A beat of a write is taken.
    pub beat: Signal<In, Bit>,
    /// Its first.
    pub beat_sop: Signal<In, Bit>,
    /// Its last.
    pub beat_eop: Signal<In, Bit>,
    /// Payload, address-aligned.
    pub beat_data: Signal<In, Bits<W>>,
    /// Byte offset of the write in BAR0, a multiple of 4.
    pub beat_addr: Signal<In, Bits<24>>,
    /// Length of the write in DW; those of 1 and 2 DW come again below.
    pub beat_len: Signal<In, Bits<11>>,
    /// Byte enables of its first DW.
    pub beat_first_be: Signal<In, Bits<4>>,
    /// Byte enables of its last DW.
    pub beat_last_be: Signal<In, Bits<4>>,
    /// A DW of a write of 1 or 2 DW.
    pub write_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub write_addr: Signal<In, Bits<24>>,
    /// The DW.
    pub write_data: Signal<In, Bits<32>>,
    /// Its byte enables.
    pub write_be: Signal<In, Bits<4>>,
    /// An entry is named.
    pub hint_valid: Signal<Out, Bit>,
    /// Its queue.
    pub hint_queue: Signal<Out, Bits<4>>,
    /// Its ring index.
    pub hint_index: Signal<Out, Bits<16>>,
    /// And all of it is here.
    pub hint_whole: Signal<Out, Bit>,
    /// The scheduler has looked.
    pub hint_ready: Signal<In, Bit>,
    /// It takes the entry.
    pub hint_take: Signal<In, Bit>,
    /// For a context of this direction: 0 C2H, 1 H2C.
    pub take_target: Signal<In, Bits<2>>,
    /// Which one.
    pub take_id: Signal<In, Bits<5>>,
    /// First word in its memory.
    pub take_word: Signal<In, Bits<WORD_BITS>>,
    /// A word for the memory.
    pub fill_valid: Signal<Out, Bit>,
    /// It is written.
    pub fill_ready: Signal<In, Bit>,
    /// The entry's last.
    pub fill_last: Signal<Out, Bit>,
    /// Whose memory.
    pub fill_target: Signal<Out, Bits<2>>,
    /// Context.
    pub fill_id: Signal<Out, Bits<5>>,
    /// Where.
    pub fill_word: Signal<Out, Bits<WORD_BITS>>,
    /// The word.
    pub fill_data: Signal<Out, Bits<128>>,
    // A write to a slot has beats to come.
    open: DFF<Bit>,
    named: DFF<Bit>,
    queue: DFF<Bits<4>>,
    index: DFF<Bits<16>>,
    whole: DFF<Bit>,
    // The entry; beats come in from above, words leave below.
    line: DFF<Bits<512>>,
    filling: DFF<Bit>,
    target: DFF<Bits<2>>,
    id: DFF<Bits<5>>,
    word: DFF<Bits<WORD_BITS>>,
    step: DFF<Bits<2>>,
    at: Signal<Local, Bits<24>>,
    offset: Signal<Local, Bits<24>>,
    page: Signal<Local, Bits<24>>,
    in_page: Signal<Local, Bits<24>>,
    in_slot: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    goes_on: Signal<Local, Bit>,
    names: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    longer: Signal<Local, Bits<1024>>,
    shifted: Signal<Local, Bits<1024>>,
    width: Param<11, W>,
    base: Const<24, { DOORBELLS as u64 }>,
    stride_log2: Const<5, { DOORBELL_STRIDE.ilog2() as u64 }>,
    stride_mask: Const<24, { DOORBELL_STRIDE as u64 - 1 }>,
    queues: Size<24, Queues<S>>,
    slot: Const<24, { INLINE_SLOT as u64 }>,
}

impl<const W: usize, S: Sizes> Logic for InlineSlots<W, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, open, named, queue, index, whole, line, filling, target, id, word, step
        );
        self.at.next = self.beat_addr.val();
        if self.write_valid.val() {
            self.at.next = self.write_addr.val();
        }
        // Below the pages the difference wraps, and lies beyond the last page as well.
        self.offset.next = self.at.val() - self.base.val();
        self.page.next = self.offset.val() >> self.stride_log2.val();
        self.in_page.next = self.offset.val() & self.stride_mask.val();
        self.in_slot.next =
            (self.page.val() < self.queues.val()) & (self.in_page.val() == self.slot.val());

        // Writes of more than 2 DW. What they name counts with their last beat, whole or not.
        self.begins.next = ((self.beat.val() & self.beat_sop.val()) & self.in_slot.val())
            & ((self.beat_len.val() > 2) & (self.beat_first_be.val() == 15));
        self.goes_on.next = (self.beat.val() & !self.beat_sop.val()) & self.open.q.val();
        self.names.next = (self.begins.val() | self.goes_on.val()) & self.beat_eop.val();
        if self.beat.val() {
            self.open.d.next = (self.begins.val() | self.goes_on.val()) & !self.beat_eop.val();
        }
        if self.begins.val() {
            self.queue.d.next = bit_cast::<4, 24>(self.page.val());
            self.index.d.next = self.beat_data.val().get_bits::<16>(16);
            self.whole.d.next = ((self.beat_len.val() == 16) & (self.beat_last_be.val() == 15))
                & !self.filling.q.val();
        }
        self.longer.next = (bit_cast::<1024, W>(self.beat_data.val()) << 512)
            | bit_cast::<1024, 512>(self.line.q.val());
        self.shifted.next = self.longer.val() >> self.width.val();
        if (self.begins.val() | self.goes_on.val()) & !self.filling.q.val() {
            self.line.d.next = bit_cast::<512, 1024>(self.shifted.val());
        }
        // Shorter ones.
        if (self.write_valid.val() & self.in_slot.val()) & (self.write_be.val() == 15) {
            self.names.next = true;
            self.queue.d.next = bit_cast::<4, 24>(self.page.val());
            self.index.d.next = self.write_data.val().get_bits::<16>(16);
            self.whole.d.next = false;
        }

        // For the scheduler.
        self.hint_valid.next = self.named.q.val();
        self.hint_queue.next = self.queue.q.val();
        self.hint_index.next = self.index.q.val();
        self.hint_whole.next = self.whole.q.val();
        self.named.d.next = self.names.val() | (self.named.q.val() & !self.hint_ready.val());

        // To the context's memory.
        self.last.next = self.step.q.val() == 3;
        self.fill_valid.next = self.filling.q.val();
        self.fill_last.next = self.last.val();
        self.fill_target.next = self.target.q.val();
        self.fill_id.next = self.id.q.val();
        self.fill_word.next = self.word.q.val();
        self.fill_data.next = bit_cast::<128, 512>(self.line.q.val());
        if self.filling.q.val() & self.fill_ready.val() {
            self.line.d.next = self.line.q.val() >> 128;
            self.word.d.next = self.word.q.val() + 1;
            self.step.d.next = self.step.q.val() + 1;
            self.filling.d.next = !self.last.val();
        }
        if (self.named.q.val() & self.hint_ready.val()) & self.hint_take.val() {
            self.filling.d.next = true;
            self.target.d.next = self.take_target.val();
            self.id.d.next = self.take_id.val();
            self.word.d.next = self.take_word.val();
            self.step.d.next = 0.into();
        }
        if self.reset.val() {
            self.open.d.next = false;
            self.named.d.next = false;
            self.filling.d.next = false;
        }
    }
}
