//! The context RAM, and the words of the context at hand.

use crate::generated::structures::{
    RegionEntryDecode2, RegionEntryDecode3, SubmissionEntryDecode3,
};
use crate::sizes::{ContextWords, Full, PLACE_BITS, Sizes, TABLE_BITS, TableWords};
use crate::widgets::{PickFirst, Ram, Size};
use rust_hdl::prelude::*;

/// Eight words for each context, then two for each place of a resident region; and registers for those that are worked with.
///
/// Words of reads go first: a copy that meets one is a cycle later.
#[derive(LogicBlock, Default)]
pub struct Words<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A load under way ends.
    pub reset: Signal<In, Bit>,
    /// A word of a read.
    pub fill_write: Signal<In, Bit>,
    /// Context and word.
    pub fill_address: Signal<In, Bits<7>>,
    /// Data.
    pub fill_data: Signal<In, Bits<128>>,

    /// Load words into the registers, from the next cycle on.
    pub load: Signal<In, Bit>,
    /// Which of the eight.
    pub wanted: Signal<In, Bits<8>>,
    /// They are in the registers from the next cycle on.
    pub loaded: Signal<Out, Bit>,
    /// Context at hand, in the cycles after `load`.
    pub ctx: Signal<In, Bits<4>>,
    /// Place at hand.
    pub place: Signal<In, Bits<PLACE_BITS>>,
    /// Copy the place's words to the context's words 4 and 5, and to the registers: until `copied`.
    pub copy: Signal<In, Bit>,
    /// The last one goes.
    pub copied: Signal<Out, Bit>,
    /// Copy words 4 and 5 from the registers to the place: until `kept`.
    pub keep: Signal<In, Bit>,
    /// The last one goes.
    pub kept: Signal<Out, Bit>,

    /// Submission entry, word 0.
    pub s0: Signal<Out, Bits<128>>,
    /// Word 1.
    pub s1: Signal<Out, Bits<128>>,
    /// Word 2.
    pub s2: Signal<Out, Bits<128>>,
    /// Word 3 has a bit set that must be zero.
    pub s3_reserved: Signal<Out, Bit>,
    /// Region entry, word 0.
    pub r0: Signal<Out, Bits<128>>,
    /// Word 1.
    pub r1: Signal<Out, Bits<128>>,
    /// Word 2 or 3 has a bit set that must be zero.
    pub rest_reserved: Signal<Out, Bit>,

    memory: Ram<Bits<128>, TABLE_BITS, TableWords<S>>,
    first_place: Size<TABLE_BITS, ContextWords<S>>,
    // Words still to be loaded, and the one that comes.
    waiting: DFF<Bits<16>>,
    coming: DFF<Bit>,
    coming_word: DFF<Bits<3>>,
    step: DFF<Bits<2>>,
    word0: DFF<Bits<128>>,
    word1: DFF<Bits<128>>,
    word2: DFF<Bits<128>>,
    word3_used: DFF<Bit>,
    word4: DFF<Bits<128>>,
    word5: DFF<Bits<128>>,
    word6_used: DFF<Bit>,
    word7_used: DFF<Bit>,
    pick: PickFirst,
    sub3: SubmissionEntryDecode3,
    reg2: RegionEntryDecode2,
    reg3: RegionEntryDecode3,

    one: Signal<Local, Bits<16>>,
    word_bit: Signal<Local, Bits<16>>,
    previous: Signal<Local, Bits<2>>,
    copy_word: Signal<Local, Bits<2>>,
    place_word: Signal<Local, Bits<TABLE_BITS>>,
    own_word: Signal<Local, Bits<TABLE_BITS>>,
}

impl<S: Sizes> Logic for Words<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            waiting,
            coming,
            coming_word,
            step,
            word0,
            word1,
            word2,
            word3_used,
            word4,
            word5,
            word6_used,
            word7_used
        );
        clock!(self, clock, memory);
        self.one.next = 1.into();
        self.s0.next = self.word0.q.val();
        self.s1.next = self.word1.q.val();
        self.s2.next = self.word2.q.val();
        self.s3_reserved.next = self.word3_used.q.val();
        self.r0.next = self.word4.q.val();
        self.r1.next = self.word5.q.val();
        self.rest_reserved.next = self.word6_used.q.val() | self.word7_used.q.val();

        // One word a cycle, the wanted ones only.
        self.pick.among.next = self.waiting.q.val();
        self.loaded.next = !self.pick.found.val();
        self.word_bit.next = self.one.val() << self.pick.index.val();
        self.coming.d.next = self.pick.found.val();
        self.coming_word.d.next = self.pick.index.val().get_bits::<3>(0);
        if self.pick.found.val() {
            self.waiting.d.next = self.waiting.q.val() ^ self.word_bit.val();
        }
        if self.load.val() {
            self.waiting.d.next = bit_cast::<16, 8>(self.wanted.val());
        }
        self.sub3.raw.next = self.memory.read_data.val();
        self.reg2.raw.next = self.memory.read_data.val();
        self.reg3.raw.next = self.memory.read_data.val();
        if self.coming.q.val() {
            if self.coming_word.q.val() == 0 {
                self.word0.d.next = self.memory.read_data.val();
            }
            if self.coming_word.q.val() == 1 {
                self.word1.d.next = self.memory.read_data.val();
            }
            if self.coming_word.q.val() == 2 {
                self.word2.d.next = self.memory.read_data.val();
            }
            if self.coming_word.q.val() == 3 {
                self.word3_used.d.next = self.sub3.reserved.val();
            }
            if self.coming_word.q.val() == 4 {
                self.word4.d.next = self.memory.read_data.val();
            }
            if self.coming_word.q.val() == 5 {
                self.word5.d.next = self.memory.read_data.val();
            }
            if self.coming_word.q.val() == 6 {
                self.word6_used.d.next = self.reg2.reserved.val();
            }
            if self.coming_word.q.val() == 7 {
                self.word7_used.d.next = self.reg3.reserved.val();
            }
        }

        self.memory.write_enable.next = self.fill_write.val();
        self.memory.write_address.next = bit_cast::<TABLE_BITS, 7>(self.fill_address.val());
        self.memory.write_data.next = self.fill_data.val();
        self.place_word.next =
            (bit_cast::<TABLE_BITS, PLACE_BITS>(self.place.val()) << 1) + self.first_place.val();
        self.own_word.next = bit_cast::<TABLE_BITS, 4>(self.ctx.val()) << 3;
        self.memory.read_address.next =
            self.own_word.val() | bit_cast::<TABLE_BITS, 3>(self.pick.index.val().get_bits::<3>(0));
        self.copied.next = false;
        self.kept.next = false;
        self.previous.next = self.step.q.val() - 1;
        self.copy_word.next = self.step.q.val();
        if self.copy.val() {
            // The two words that a transfer needs; the rest of the entry was checked when it was put there.
            self.word6_used.d.next = false;
            self.word7_used.d.next = false;
            if self.step.q.val() == 1 {
                self.word4.d.next = self.memory.read_data.val();
            }
            if self.step.q.val() == 2 {
                self.word5.d.next = self.memory.read_data.val();
            }
            if self.step.q.val() == 0 {
                self.step.d.next = 1.into();
            } else if self.fill_write.val() {
                // The same word again.
                self.copy_word.next = self.previous.val();
            } else {
                self.memory.write_enable.next = true;
                self.memory.write_address.next = self.own_word.val()
                    | (bit_cast::<TABLE_BITS, 2>(self.previous.val()) | bits::<TABLE_BITS>(4));
                self.memory.write_data.next = self.memory.read_data.val();
                self.step.d.next = self.step.q.val() + 1;
                self.copied.next = self.step.q.val() == 2;
            }
            self.memory.read_address.next =
                self.place_word.val() | bit_cast::<TABLE_BITS, 2>(self.copy_word.val());
        } else if self.keep.val() {
            if !self.fill_write.val() {
                self.memory.write_enable.next = true;
                self.memory.write_address.next = self.place_word.val();
                self.memory.write_data.next = self.word4.q.val();
                self.step.d.next = 1.into();
                if self.step.q.val() == 1 {
                    self.memory.write_address.next = self.place_word.val() | bits::<TABLE_BITS>(1);
                    self.memory.write_data.next = self.word5.q.val();
                    self.kept.next = true;
                }
            }
        } else {
            self.step.d.next = 0.into();
        }
        if self.reset.val() {
            self.waiting.d.next = 0.into();
            self.coming.d.next = false;
        }
    }
}
