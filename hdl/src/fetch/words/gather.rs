//! Two beats of 64 bits make a word.

use rust_hdl::prelude::*;

/// Keeps a beat for the lower half of a word until the upper half comes; a word leaves with its last beat.
///
/// A completion that begins in the upper half, or ends in the lower one, has arbitrary bytes in the other.
#[derive(LogicBlock, Default)]
pub struct GatherWords {
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
    pub cpl_data: Signal<In, Bits<64>>,
    /// Lower address.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// A word, in the cycle of its last beat.
    pub word_valid: Signal<Out, Bit>,
    /// First of its completion.
    pub word_sop: Signal<Out, Bit>,
    /// Last of its completion.
    pub word_eop: Signal<Out, Bit>,
    /// The word.
    pub word_data: Signal<Out, Bits<128>>,

    // The next beat fills an upper half; none of the completion's words has left.
    upper: DFF<Bit>,
    fresh: DFF<Bit>,
    low: DFF<Bits<64>>,
    fills_upper: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
}

impl Logic for GatherWords {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, upper, fresh, low);
        self.fills_upper.next = self.upper.q.val();
        self.word_sop.next = self.fresh.q.val();
        if self.cpl_sop.val() {
            self.fills_upper.next = self.cpl_lower_addr.val().get_bit(3);
            self.word_sop.next = true;
        }
        self.leaves.next = self.fills_upper.val() | self.cpl_eop.val();
        self.word_valid.next = self.cpl_valid.val() & self.leaves.val();
        self.word_eop.next = self.cpl_eop.val();
        self.word_data.next = bit_cast::<128, 64>(self.cpl_data.val());
        if self.fills_upper.val() {
            self.word_data.next = bit_cast::<128, 64>(self.low.q.val())
                | (bit_cast::<128, 64>(self.cpl_data.val()) << 64);
        }
        if self.cpl_valid.val() {
            self.low.d.next = self.cpl_data.val();
            self.upper.d.next = !self.leaves.val();
            self.fresh.d.next = self.word_sop.val() & !self.leaves.val();
        }
        if self.reset.val() {
            self.upper.d.next = false;
            self.fresh.d.next = false;
        }
    }
}
