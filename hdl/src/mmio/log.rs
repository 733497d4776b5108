//! The firmware's log on its way to register LOG_DATA.

use crate::widgets::{BlockFifo, SmallFifo};
use rust_hdl::prelude::*;

/// FIFO of 1024 bytes that takes words of up to 12 bytes and gives single bytes.
///
/// Words wait in a FIFO of 8 while one byte per cycle is appended. Bytes that find no room are dropped, which `dropped`
/// remembers until reset: defmt's framing lets the decoder find the next whole message.
#[derive(LogicBlock, Default)]
pub struct FirmwareLog {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: forgets all bytes.
    pub reset: Signal<In, Bit>,
    /// Append a word.
    pub log_valid: Signal<In, Bit>,
    /// Its bytes, the first one lowest.
    pub log_data: Signal<In, Bits<96>>,
    /// How many bytes, 1 to 12.
    pub log_count: Signal<In, Bits<4>>,
    /// Oldest byte, valid while not `empty`.
    pub next_byte: Signal<Out, Bits<8>>,
    /// No byte.
    pub empty: Signal<Out, Bit>,
    /// Drop the oldest byte; must not be set while `empty`.
    pub pop: Signal<In, Bit>,
    /// Bytes were lost since reset.
    pub dropped: Signal<Out, Bit>,
    words: SmallFifo<Bits<100>, 3, 4>,
    bytes: BlockFifo<Bits<8>, 10, 11>,
    index: DFF<Bits<4>>,
    lost: DFF<Bit>,
    word: Signal<Local, Bits<96>>,
    count: Signal<Local, Bits<4>>,
    shift: Signal<Local, Bits<7>>,
    next_index: Signal<Local, Bits<4>>,
    last: Signal<Local, Bit>,
}

impl Logic for FirmwareLog {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, index, lost);
        self.words.clock.next = self.clock.val();
        self.words.reset.next = self.reset.val();
        self.bytes.clock.next = self.clock.val();
        self.bytes.reset.next = self.reset.val();
        // Words in.
        self.words.data_in.next = (bit_cast::<100, 4>(self.log_count.val()) << 96)
            | bit_cast::<100, 96>(self.log_data.val());
        self.words.write.next = self.log_valid.val() & !self.words.full.val();
        if self.log_valid.val() & self.words.full.val() {
            self.lost.d.next = true;
        }
        // One byte of the oldest word per cycle.
        self.word.next = self.words.data_out.val().get_bits::<96>(0);
        self.count.next = self.words.data_out.val().get_bits::<4>(96);
        self.shift.next = bit_cast::<7, 4>(self.index.q.val()) << 3;
        self.next_index.next = self.index.q.val() + 1;
        self.last.next =
            (self.next_index.val() >= self.count.val()) | (self.next_index.val() == 12);
        self.bytes.data_in.next = bit_cast::<8, 96>(self.word.val() >> self.shift.val());
        self.bytes.write.next = !self.words.empty.val() & !self.bytes.full.val();
        self.words.read.next = !self.words.empty.val() & self.last.val();
        if !self.words.empty.val() {
            self.index.d.next = self.next_index.val();
            if self.last.val() {
                self.index.d.next = 0.into();
            }
            if self.bytes.full.val() {
                self.lost.d.next = true;
            }
        }
        // Bytes out.
        self.next_byte.next = self.bytes.data_out.val();
        self.empty.next = self.bytes.empty.val();
        self.bytes.read.next = self.pop.val();
        self.dropped.next = self.lost.q.val();
        if self.reset.val() {
            self.index.d.next = 0.into();
            self.lost.d.next = false;
        }
    }
}
