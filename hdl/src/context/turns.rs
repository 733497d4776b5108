//! Whose turn it is to run.

use crate::sizes::{Contexts, Full, Last, Log2, QueueContexts, Queues, Sizes};
use crate::widgets::{Flags, LutRam, PickNext, Size};
use rust_hdl::prelude::*;

/// Round robin over queues: finds the queue's next transfer, if it is ready to run.
///
/// A look at a queue takes two cycles; queues without a transfer in the table are passed over. What was found stays found
/// until it is served, or is not eligible any more.
#[derive(LogicBlock, Default)]
pub struct Turns<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A context is taken for a queue's entry.
    pub alloc: Signal<In, Bit>,
    /// Which one.
    pub alloc_ctx: Signal<In, Bits<4>>,
    /// Queue.
    pub alloc_queue: Signal<In, Bits<4>>,
    /// Ring index.
    pub alloc_index: Signal<In, Bits<16>>,
    /// A queue starts at index 0.
    pub restart: Signal<In, Bit>,
    /// Which one.
    pub restart_queue: Signal<In, Bits<4>>,
    /// Contexts that are ready.
    pub ready: Signal<In, Bits<16>>,
    /// Context looked at.
    pub ctx: Signal<Out, Bits<4>>,
    /// The engine could run it now, if it is ready.
    pub suits: Signal<In, Bit>,
    /// It is its queue's next, is ready, and suits.
    pub found: Signal<Out, Bit>,
    /// Look nowhere else.
    pub hold: Signal<In, Bit>,
    /// The context has got its turn.
    pub served: Signal<In, Bit>,

    turn: DFF<Bits<4>>,
    looking: DFF<Bit>,
    at: DFF<Bits<4>>,
    head: DFF<Bits<16>>,
    allocated: DFF<Bit>,
    /// Queues that may have a transfer that has not run.
    waiting: Flags<Queues<S>>,
    /// Each queue's next index to run.
    heads: LutRam<Bits<16>, 4>,
    /// Context by queue and index modulo the number of contexts.
    places: LutRam<Bits<4>, 8, QueueContexts<S>>,
    /// Queue and index by context.
    origins: LutRam<Bits<20>, 4>,
    pick: PickNext,
    context_bits: Size<4, Log2<Contexts<S>>>,
    last_ctx: Size<4, Last<Contexts<S>>>,

    one: Signal<Local, Bits<16>>,
    turn_bit: Signal<Local, Bits<16>>,
    wanted: Signal<Local, Bits<20>>,
    is_head: Signal<Local, Bit>,
    is_ready: Signal<Local, Bit>,
    eligible: Signal<Local, Bit>,
    is_waiting: Signal<Local, Bit>,
    move_on: Signal<Local, Bit>,
}

impl<S: Sizes> Logic for Turns<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, turn, looking, at, head, allocated);
        clock!(self, clock, waiting, heads, places, origins);
        self.waiting.reset.next = self.reset.val();
        self.one.next = 1.into();
        self.turn_bit.next = self.one.val() << self.turn.q.val();

        // Where each transfer is.
        self.places.write_address.next = (bit_cast::<8, 4>(self.alloc_queue.val())
            << self.context_bits.val())
            | bit_cast::<8, 4>(self.alloc_index.val().get_bits::<4>(0) & self.last_ctx.val());
        self.places.write_data.next = self.alloc_ctx.val();
        self.places.write_enable.next = self.alloc.val();
        self.origins.write_address.next = self.alloc_ctx.val();
        self.origins.write_data.next = bit_cast::<20, 16>(self.alloc_index.val())
            | (bit_cast::<20, 4>(self.alloc_queue.val()) << 16);
        self.origins.write_enable.next = self.alloc.val();
        self.waiting.set.next = 0.into();
        self.waiting.clear.next = 0.into();
        self.allocated.d.next = self.alloc.val();
        if self.alloc.val() {
            self.waiting.set.next = self.one.val() << self.alloc_queue.val();
        }

        // The queue at hand: its next transfer, and then whether that is here and ready.
        self.heads.read_address.next = self.turn.q.val();
        self.places.read_address.next = (bit_cast::<8, 4>(self.turn.q.val())
            << self.context_bits.val())
            | bit_cast::<8, 4>(self.heads.read_data.val().get_bits::<4>(0) & self.last_ctx.val());
        self.origins.read_address.next = self.at.q.val();
        self.wanted.next =
            bit_cast::<20, 16>(self.head.q.val()) | (bit_cast::<20, 4>(self.turn.q.val()) << 16);
        self.is_head.next = self.origins.read_data.val() == self.wanted.val();
        self.is_ready.next = self.ready.val().get_bit(self.at.q.val().index());
        self.eligible.next = self.is_head.val() & (self.is_ready.val() & self.suits.val());
        self.ctx.next = self.at.q.val();
        self.found.next = self.looking.q.val() & self.eligible.val();
        self.is_waiting.next = self.waiting.q.val().get_bit(self.turn.q.val().index());
        self.move_on.next = self.served.val();
        if !self.hold.val() {
            if self.looking.q.val() {
                self.move_on.next = self.served.val() | !self.eligible.val();
                // No transfer of this queue waits, unless one has come since the look began.
                if !self.is_head.val() & !(self.alloc.val() | self.allocated.q.val()) {
                    self.waiting.clear.next = self.turn_bit.val();
                }
            } else {
                self.at.d.next = self.places.read_data.val();
                self.head.d.next = self.heads.read_data.val();
                self.looking.d.next = self.is_waiting.val();
                self.move_on.next = !self.is_waiting.val();
            }
        }
        self.pick.among.next = self.waiting.q.val();
        self.pick.start.next = self.turn.q.val() + 1;
        if self.move_on.val() {
            self.looking.d.next = false;
            if self.pick.found.val() {
                self.turn.d.next = self.pick.index.val();
            }
        }

        self.heads.write_address.next = self.turn.q.val();
        self.heads.write_data.next = self.head.q.val() + 1;
        self.heads.write_enable.next = self.served.val() | self.restart.val();
        if self.restart.val() {
            self.heads.write_address.next = self.restart_queue.val();
            self.heads.write_data.next = 0.into();
        }
        if self.reset.val() {
            self.looking.d.next = false;
            self.allocated.d.next = false;
        }
    }
}
