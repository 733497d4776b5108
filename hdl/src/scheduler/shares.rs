//! Who holds how many contexts of one direction.

use crate::sizes::{Contexts, Full, Queues, Sizes};
use crate::widgets::{Flags, LutRam, Size};
use rust_hdl::prelude::*;

/// Keeps contexts back for queues that hold none, so that no queue waits for another one's user stream.
///
/// A queue that holds a context may take a further one only while every working queue without one, and a queue that may
/// yet be created, would still find one. A context that is given back counts as taken for up to three cycles more.
#[derive(LogicBlock, Default)]
pub struct Shares<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Nobody holds any.
    pub reset: Signal<In, Bit>,
    /// A context is taken; not in two cycles in a row.
    pub alloc: Signal<In, Bit>,
    /// For this queue.
    pub alloc_queue: Signal<In, Bits<4>>,
    /// A context is given back; not in two cycles in a row.
    pub back: Signal<In, Bit>,
    /// By this queue.
    pub back_queue: Signal<In, Bits<4>>,
    /// Queues of this direction that work.
    pub queues: Signal<In, Bits<16>>,
    /// One more queue may be created.
    pub more_queues: Signal<In, Bit>,
    /// Queues that hold contexts.
    pub holders: Signal<Out, Bits<16>>,
    /// These may take more.
    pub room: Signal<Out, Bit>,

    returning: DFF<Bit>,
    returned_by: DFF<Bits<4>>,
    taken: DFF<Bits<5>>,
    has_room: DFF<Bit>,
    holding: Flags<Queues<S>>,
    /// Contexts of each queue in `holding`, once for taking and once for giving back.
    counts: LutRam<Bits<5>, 4>,
    counts_back: LutRam<Bits<5>, 4>,

    contexts: Size<16, Contexts<S>>,
    one: Signal<Local, Bits<16>>,
    taking_bit: Signal<Local, Bits<16>>,
    returning_bit: Signal<Local, Bits<16>>,
    returns: Signal<Local, Bit>,
    held: Signal<Local, Bits<5>>,
    held_back: Signal<Local, Bits<5>>,
    without: Signal<Local, Bits<16>>,
    lacking: Signal<Local, Bits<16>>,
    pairs: Signal<Local, Bits<16>>,
    fours: Signal<Local, Bits<16>>,
    eights: Signal<Local, Bits<16>>,
    kept: Signal<Local, Bits<16>>,
    spare: Signal<Local, Bits<16>>,
    spoken_for: Signal<Local, Bits<16>>,
}

impl<S: Sizes> Logic for Shares<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, returning, returned_by, taken, has_room);
        clock!(self, clock, holding, counts, counts_back);
        self.holding.reset.next = self.reset.val();
        self.one.next = 1.into();

        // What is given back waits for a cycle in which nothing is taken.
        self.returns.next = self.returning.q.val() & !self.alloc.val();
        self.returning.d.next = self.back.val() | (self.returning.q.val() & self.alloc.val());
        if self.back.val() {
            self.returned_by.d.next = self.back_queue.val();
        }
        self.taking_bit.next = self.one.val() << self.alloc_queue.val();
        self.returning_bit.next = self.one.val() << self.returned_by.q.val();
        self.counts.read_address.next = self.alloc_queue.val();
        self.held.next = self.counts.read_data.val();
        if !(self.holding.q.val() & self.taking_bit.val()).any() {
            self.held.next = 0.into();
        }
        self.counts_back.read_address.next = self.returned_by.q.val();
        self.held_back.next = self.counts_back.read_data.val();
        self.counts.write_address.next = self.returned_by.q.val();
        self.counts.write_data.next = self.held_back.val() - 1;
        self.counts.write_enable.next = self.alloc.val() | self.returns.val();
        self.holding.set.next = 0.into();
        self.holding.clear.next = 0.into();
        if self.alloc.val() {
            self.counts.write_address.next = self.alloc_queue.val();
            self.counts.write_data.next = self.held.val() + 1;
            self.holding.set.next = self.taking_bit.val();
            self.taken.d.next = self.taken.q.val() + 1;
        }
        if self.returns.val() {
            self.taken.d.next = self.taken.q.val() - 1;
            if self.held_back.val() == 1 {
                self.holding.clear.next = self.returning_bit.val();
            }
        }
        self.counts_back.write_address.next = self.counts.write_address.val();
        self.counts_back.write_data.next = self.counts.write_data.val();
        self.counts_back.write_enable.next = self.counts.write_enable.val();
        self.holders.next = self.holding.q.val();

        // How many are kept back: the number of bits in `lacking`, and one.
        self.without.next = !self.holding.q.val();
        self.lacking.next = self.queues.val() & self.without.val();
        self.pairs.next = (self.lacking.val() & 0x5555) + ((self.lacking.val() >> 1) & 0x5555);
        self.fours.next = (self.pairs.val() & 0x3333) + ((self.pairs.val() >> 2) & 0x3333);
        self.eights.next = (self.fours.val() & 0x0f0f) + ((self.fours.val() >> 4) & 0x0f0f);
        self.kept.next = (self.eights.val() & 0x00ff) + (self.eights.val() >> 8);
        self.spare.next = bit_cast::<16, 1>(self.more_queues.val().into());
        self.spoken_for.next =
            bit_cast::<16, 5>(self.taken.q.val()) + (self.kept.val() + self.spare.val());
        self.has_room.d.next = self.spoken_for.val() < self.contexts.val();
        self.room.next = self.has_room.q.val();

        if self.reset.val() {
            self.returning.d.next = false;
            self.taken.d.next = 0.into();
        }
    }
}
