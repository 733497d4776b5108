//! The two windows of each context: which blocks of its list it holds, and where.

use crate::sizes::{self, Contexts, Full, PLACE_BITS, SLOT_BITS, Sizes};
use crate::widgets::{Flags, LutRam};
use rust_hdl::prelude::*;

/// Block b of context c is in window 2 c + b mod 2: asked for, then here with a status, then left behind.
///
/// A window's block lies in the SG slot that was named when it was asked for or shown.
#[derive(LogicBlock, Default)]
pub struct Windows<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,

    /// A transfer begins, with a first block.
    pub start: Signal<In, Bit>,
    /// Its context.
    pub start_ctx: Signal<In, Bits<4>>,
    /// The block's number is odd.
    pub start_odd: Signal<In, Bit>,
    /// Place that the first block is for, if it is one's.
    pub start_place: Signal<In, Bits<PLACE_BITS>>,
    /// The read of a window's block is under way.
    pub ask: Signal<In, Bit>,
    /// It is the first, and for its place.
    pub ask_home: Signal<In, Bit>,
    /// A window's block is on chip already.
    pub show: Signal<In, Bit>,
    /// Not while another one comes.
    pub show_ready: Signal<Out, Bit>,
    /// Window of `ask` and `show`.
    pub at: Signal<In, Bits<5>>,
    /// Its slot.
    pub slot: Signal<In, Bits<SLOT_BITS>>,
    /// A read has ended.
    pub done: Signal<In, Bit>,
    /// Window.
    pub done_at: Signal<In, Bits<5>>,
    /// How.
    pub done_status: Signal<In, Bits<8>>,
    /// Contexts whose first block comes.
    pub first_done: Signal<Out, Bits<16>>,
    /// It is for a place.
    pub home_done: Signal<Out, Bit>,
    /// Which.
    pub home_place: Signal<Out, Bits<PLACE_BITS>>,
    /// A window's block is left behind.
    pub leave: Signal<In, Bit>,
    /// Which window.
    pub leave_at: Signal<In, Bits<5>>,
    /// A context is free: nothing is left of it.
    pub close: Signal<In, Bits<16>>,

    /// Window that the walker looks at.
    pub window: Signal<In, Bits<5>>,
    /// Its block is on chip.
    pub window_valid: Signal<Out, Bit>,
    /// Its SG slot.
    pub window_slot: Signal<Out, Bits<SLOT_BITS>>,
    /// How its read ended.
    pub window_status: Signal<Out, Bits<8>>,
    /// Contexts with a read in flight.
    pub reading: Signal<Out, Bits<16>>,
    /// Contexts whose window 0 is taken.
    pub even_taken: Signal<Out, Bits<16>>,
    /// Contexts whose window 1 is taken.
    pub odd_taken: Signal<Out, Bits<16>>,

    even_reads: Flags<Contexts<S>>,
    odd_reads: Flags<Contexts<S>>,
    even_here: Flags<Contexts<S>>,
    odd_here: Flags<Contexts<S>>,
    /// The read of the first block is for a place.
    homing: Flags<Contexts<S>>,
    /// Place, and bit 6: the first block is odd.
    homes: LutRam<Bits<7>, 4>,
    slots: LutRam<Bits<SLOT_BITS>, 5, sizes::Windows<S>>,
    statuses: LutRam<Bits<8>, 5, sizes::Windows<S>>,

    one: Signal<Local, Bits<16>>,
    at_bit: Signal<Local, Bits<16>>,
    done_bit: Signal<Local, Bits<16>>,
    leave_bit: Signal<Local, Bits<16>>,
    window_bit: Signal<Local, Bits<16>>,
    is_first: Signal<Local, Bit>,
    left_even: Signal<Local, Bits<16>>,
    left_odd: Signal<Local, Bits<16>>,
    shows: Signal<Local, Bit>,
    came_even: Signal<Local, Bits<16>>,
    came_odd: Signal<Local, Bits<16>>,
}

impl<S: Sizes> Logic for Windows<S> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self, clock, even_reads, odd_reads, even_here, odd_here, homing, homes, slots, statuses
        );
        self.even_reads.reset.next = self.reset.val();
        self.odd_reads.reset.next = self.reset.val();
        self.even_here.reset.next = self.reset.val();
        self.odd_here.reset.next = self.reset.val();
        self.homing.reset.next = self.reset.val();
        self.even_reads.set.next = 0.into();
        self.even_reads.clear.next = 0.into();
        self.odd_reads.set.next = 0.into();
        self.odd_reads.clear.next = 0.into();
        self.even_here.set.next = 0.into();
        self.odd_here.set.next = 0.into();
        self.homing.set.next = 0.into();
        self.homing.clear.next = 0.into();
        self.one.next = 1.into();
        self.at_bit.next = self.one.val() << self.at.val().get_bits::<4>(1);
        self.done_bit.next = self.one.val() << self.done_at.val().get_bits::<4>(1);
        self.leave_bit.next = self.one.val() << self.leave_at.val().get_bits::<4>(1);

        self.homes.write_address.next = self.start_ctx.val();
        self.homes.write_data.next = bit_cast::<7, PLACE_BITS>(self.start_place.val());
        if self.start_odd.val() {
            self.homes.write_data.next =
                bit_cast::<7, PLACE_BITS>(self.start_place.val()) | bits::<7>(0x40);
        }
        self.homes.write_enable.next = self.start.val();

        // A read is under way.
        self.shows.next = self.show.val() & !self.done.val();
        self.show_ready.next = !self.done.val();
        self.slots.write_address.next = self.at.val();
        self.slots.write_data.next = self.slot.val();
        self.slots.write_enable.next = self.ask.val() | self.shows.val();
        if self.ask.val() {
            if self.at.val().get_bit(0) {
                self.odd_reads.set.next = self.at_bit.val();
            } else {
                self.even_reads.set.next = self.at_bit.val();
            }
            if self.ask_home.val() {
                self.homing.set.next = self.at_bit.val();
            }
        }

        // A block is here. Its status has one write port.
        self.statuses.write_address.next = self.done_at.val();
        self.statuses.write_data.next = self.done_status.val();
        self.statuses.write_enable.next = self.done.val();
        self.homes.read_address.next = self.done_at.val().get_bits::<4>(1);
        self.is_first.next = self.done.val()
            & (self.homes.read_data.val().get_bit(6) == self.done_at.val().get_bit(0));
        self.home_place.next = self.homes.read_data.val().get_bits::<PLACE_BITS>(0);
        self.first_done.next = 0.into();
        self.home_done.next = false;
        self.came_even.next = 0.into();
        self.came_odd.next = 0.into();
        if self.shows.val() {
            self.statuses.write_address.next = self.at.val();
            self.statuses.write_data.next = 0.into();
            self.statuses.write_enable.next = true;
            if self.at.val().get_bit(0) {
                self.came_odd.next = self.at_bit.val();
            } else {
                self.came_even.next = self.at_bit.val();
            }
        }
        if self.done.val() {
            if self.done_at.val().get_bit(0) {
                self.odd_reads.clear.next = self.done_bit.val();
                self.came_odd.next = self.done_bit.val();
            } else {
                self.even_reads.clear.next = self.done_bit.val();
                self.came_even.next = self.done_bit.val();
            }
            if self.is_first.val() {
                self.first_done.next = self.done_bit.val();
                self.home_done.next = (self.homing.q.val() & self.done_bit.val()).any();
                self.homing.clear.next = self.done_bit.val();
            }
        }
        self.even_here.set.next = self.came_even.val();
        self.odd_here.set.next = self.came_odd.val();

        // It is left behind.
        self.left_even.next = 0.into();
        self.left_odd.next = 0.into();
        if self.leave.val() {
            if self.leave_at.val().get_bit(0) {
                self.left_odd.next = self.leave_bit.val();
            } else {
                self.left_even.next = self.leave_bit.val();
            }
        }
        self.even_here.clear.next = self.left_even.val() | self.close.val();
        self.odd_here.clear.next = self.left_odd.val() | self.close.val();

        // What the walker sees.
        self.window_bit.next = self.even_here.q.val() >> self.window.val().get_bits::<4>(1);
        if self.window.val().get_bit(0) {
            self.window_bit.next = self.odd_here.q.val() >> self.window.val().get_bits::<4>(1);
        }
        self.window_valid.next = self.window_bit.val().get_bit(0);
        self.slots.read_address.next = self.window.val();
        self.window_slot.next = self.slots.read_data.val();
        self.statuses.read_address.next = self.window.val();
        self.window_status.next = self.statuses.read_data.val();
        self.reading.next = self.even_reads.q.val() | self.odd_reads.q.val();
        self.even_taken.next = self.even_reads.q.val() | self.even_here.q.val();
        self.odd_taken.next = self.odd_reads.q.val() | self.odd_here.q.val();
    }
}
