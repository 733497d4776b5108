//! The instruction bus: Wishbone bursts out of the core's memory, a word a cycle.

use rust_hdl::prelude::*;

/// Answers the instruction bus from the memory's instruction port.
///
/// Acknowledges come from a flip-flop. Within a burst the memory already reads the next word while one is acknowledged, so
/// a cache line of eight words takes nine cycles.
#[derive(LogicBlock, Default)]
pub struct FetchPort<const N: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reset.
    pub reset: Signal<In, Bit>,
    /// A cycle is on.
    pub cycle: Signal<In, Bit>,
    /// A word is wanted.
    pub strobe: Signal<In, Bit>,
    /// Word address.
    pub address: Signal<In, Bits<30>>,
    /// Cycle type identifier: 2 if the next word follows (Wishbone B4, table 4-2).
    pub cycle_type: Signal<In, Bits<3>>,
    /// The word is on the memory's output.
    pub acknowledge: Signal<Out, Bit>,
    /// Memory's word address.
    pub memory_address: Signal<Out, Bits<N>>,
    acknowledged: DFF<Bit>,
    word: Signal<Local, Bits<N>>,
    wanted: Signal<Local, Bit>,
    more: Signal<Local, Bit>,
}

impl<const N: usize> Logic for FetchPort<N> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, acknowledged);
        self.word.next = bit_cast::<N, 30>(self.address.val());
        self.wanted.next = self.cycle.val() & self.strobe.val();
        self.more.next = self.cycle_type.val() == 2;
        self.memory_address.next = self.word.val();
        self.acknowledged.d.next = self.wanted.val();
        if self.acknowledged.q.val() {
            self.memory_address.next = self.word.val() + 1;
            self.acknowledged.d.next = self.wanted.val() & self.more.val();
        }
        self.acknowledge.next = self.acknowledged.q.val() & self.wanted.val();
        if self.reset.val() {
            self.acknowledged.d.next = false;
        }
    }
}
