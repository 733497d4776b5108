//! A beat of 256 or 512 bits is two or four words.

use crate::widgets::BlockFifo;
use rust_hdl::prelude::*;

/// Keeps the beats of the fetch unit's completions and gives their words one a cycle.
///
/// There is room for twice what the eight reads of 512 bytes bring, however fast they come. A completion that may not fit
/// is dropped whole, as if it had been lost: that takes answers that nobody asked for. One that claims more DWs than a read
/// has is cut to its first word: it fits no read. `W`: 256 or 512, `L` = log2(`W` / 8).
#[derive(LogicBlock, Default)]
pub struct SplitWords<const W: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A beat of a read completion; its header is the same from the first beat to the last.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag; those but 0 to 7 are not looked at.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs in this completion.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come, this completion included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// A word.
    pub word_valid: Signal<Out, Bit>,
    /// First of its completion.
    pub word_sop: Signal<Out, Bit>,
    /// Last of its completion.
    pub word_eop: Signal<Out, Bit>,
    /// The word.
    pub word_data: Signal<Out, Bits<128>>,
    /// Tag.
    pub word_tag: Signal<Out, Bits<10>>,
    /// DWs in this completion.
    pub word_len: Signal<Out, Bits<11>>,
    /// Bytes still to come, this completion included.
    pub word_byte_count: Signal<Out, Bits<13>>,
    /// Low address bits.
    pub word_lower_addr: Signal<Out, Bits<7>>,
    /// Completion status.
    pub word_status: Signal<Out, Bits<3>>,
    /// Poisoned.
    pub word_poisoned: Signal<Out, Bit>,

    // Beats, and beside each its header and which of its words count.
    beats: BlockFifo<Bits<W>, 8, 9>,
    heads: BlockFifo<Bits<59>, 8, 9>,
    held: DFF<Bits<9>>,
    // The rest of the completion at hand is not kept.
    dropping: DFF<Bit>,
    // The word of the oldest beat, if one has gone already.
    midway: DFF<Bit>,
    at: DFF<Bits<L>>,
    // The word that goes.
    out_valid: DFF<Bit>,
    out_sop: DFF<Bit>,
    out_eop: DFF<Bit>,
    out_data: DFF<Bits<128>>,
    out_head: DFF<Bits<45>>,

    mine: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    whole: Signal<Local, Bit>,
    bare: Signal<Local, Bit>,
    keep: Signal<Local, Bit>,
    header: Signal<Local, Bits<45>>,
    lane: Signal<Local, Bits<L>>,
    past: Signal<Local, Bits<13>>,
    end_lane: Signal<Local, Bits<L>>,
    zero: Signal<Local, Bits<L>>,
    ones: Signal<Local, Bits<L>>,
    first: Signal<Local, Bits<L>>,
    last: Signal<Local, Bits<L>>,
    ends: Signal<Local, Bit>,
    head: Signal<Local, Bits<59>>,
    first_out: Signal<Local, Bits<L>>,
    last_out: Signal<Local, Bits<L>>,
    word: Signal<Local, Bits<L>>,
    shift: Signal<Local, Bits<10>>,
    turned: Signal<Local, Bits<W>>,
    have: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
}

impl<const W: usize, const L: usize> Logic for SplitWords<W, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, held, dropping, midway, at, out_valid, out_sop, out_eop, out_data,
            out_head
        );
        clock!(self, clock, beats, heads);
        self.beats.reset.next = self.reset.val();
        self.heads.reset.next = self.reset.val();

        // What is kept of a completion is decided at its first beat. It has 17 beats at most, if it is not cut.
        self.mine.next = self.cpl_valid.val() & (self.cpl_tag.val().get_bits::<7>(3) == 0);
        self.room.next = self.held.q.val() < 239;
        self.whole.next = self.cpl_len.val() <= 128;
        self.keep.next = self.mine.val() & !self.dropping.q.val();
        if self.cpl_sop.val() {
            self.keep.next = self.mine.val() & self.room.val();
            if self.mine.val() {
                self.dropping.d.next = !self.room.val() | !self.whole.val();
            }
        }

        // Its words: the first beat begins with that of the lower address, the last ends with that of the last DW.
        self.zero.next = 0.into();
        self.ones.next = !self.zero.val();
        self.bare.next = !self.cpl_len.val().any() | !self.whole.val();
        self.lane.next = bit_cast::<L, 7>(self.cpl_lower_addr.val());
        self.first.next = 0.into();
        if self.cpl_sop.val() {
            self.first.next = self.lane.val() >> 4;
        }
        self.past.next = (bit_cast::<13, 7>((self.cpl_lower_addr.val() >> 2) << 2)
            + (bit_cast::<13, 11>(self.cpl_len.val()) << 2))
            - 1;
        self.end_lane.next = bit_cast::<L, 13>(self.past.val());
        self.last.next = self.ones.val() >> 4;
        if self.cpl_eop.val() {
            self.last.next = self.end_lane.val() >> 4;
        }
        if self.bare.val() {
            self.last.next = self.first.val();
        }
        self.ends.next = self.cpl_eop.val() | !self.whole.val();
        self.header.next = (bit_cast::<45, 10>(self.cpl_tag.val())
            | (bit_cast::<45, 11>(self.cpl_len.val()) << 10))
            | ((bit_cast::<45, 13>(self.cpl_byte_count.val()) << 21)
                | (bit_cast::<45, 7>(self.cpl_lower_addr.val()) << 34))
            | ((bit_cast::<45, 3>(self.cpl_status.val()) << 41)
                | (bit_cast::<45, 1>(self.cpl_poisoned.val().into()) << 44));
        self.beats.write.next = self.keep.val();
        self.beats.data_in.next = self.cpl_data.val();
        self.heads.write.next = self.keep.val();
        self.heads.data_in.next = (bit_cast::<59, 45>(self.header.val())
            | (bit_cast::<59, L>(self.first.val()) << 45))
            | ((bit_cast::<59, L>(self.last.val()) << 51)
                | ((bit_cast::<59, 1>(self.cpl_sop.val().into()) << 57)
                    | (bit_cast::<59, 1>(self.ends.val().into()) << 58)));

        // The oldest beat gives a word a cycle.
        self.head.next = self.heads.data_out.val();
        self.have.next = !self.beats.empty.val();
        self.first_out.next = bit_cast::<L, 6>(self.head.val().get_bits::<6>(45));
        self.last_out.next = bit_cast::<L, 6>(self.head.val().get_bits::<6>(51));
        self.word.next = self.first_out.val();
        if self.midway.q.val() {
            self.word.next = self.at.q.val();
        }
        self.shift.next = bit_cast::<10, L>(self.word.val()) << 7;
        self.turned.next = self.beats.data_out.val() >> self.shift.val();
        self.leaves.next = self.have.val() & (self.word.val() == self.last_out.val());
        self.beats.read.next = self.leaves.val();
        self.heads.read.next = self.leaves.val();
        self.out_valid.d.next = self.have.val();
        self.out_sop.d.next = self.head.val().get_bit(57) & !self.midway.q.val();
        self.out_eop.d.next = self.head.val().get_bit(58) & self.leaves.val();
        self.out_data.d.next = bit_cast::<128, W>(self.turned.val());
        self.out_head.d.next = self.head.val().get_bits::<45>(0);
        if self.have.val() {
            self.midway.d.next = !self.leaves.val();
            self.at.d.next = self.word.val() + 1;
        }
        if self.keep.val() & !self.leaves.val() {
            self.held.d.next = self.held.q.val() + 1;
        }
        if !self.keep.val() & self.leaves.val() {
            self.held.d.next = self.held.q.val() - 1;
        }

        self.word_valid.next = self.out_valid.q.val();
        self.word_sop.next = self.out_sop.q.val();
        self.word_eop.next = self.out_eop.q.val();
        self.word_data.next = self.out_data.q.val();
        self.word_tag.next = self.out_head.q.val().get_bits::<10>(0);
        self.word_len.next = self.out_head.q.val().get_bits::<11>(10);
        self.word_byte_count.next = self.out_head.q.val().get_bits::<13>(21);
        self.word_lower_addr.next = self.out_head.q.val().get_bits::<7>(34);
        self.word_status.next = self.out_head.q.val().get_bits::<3>(41);
        self.word_poisoned.next = self.out_head.q.val().get_bit(44);
        if self.reset.val() {
            self.held.d.next = 0.into();
            self.dropping.d.next = true;
            self.midway.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}
