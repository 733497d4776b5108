//! Sixteen flags that several parties set and clear.

use rust_hdl::prelude::*;

/// A register of sixteen bits; a bit that is set and cleared in the same cycle ends up clear.
#[derive(LogicBlock, Default)]
pub struct Flags {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Clears all.
    pub reset: Signal<In, Bit>,
    /// Bits to set.
    pub set: Signal<In, Bits<16>>,
    /// Bits to clear.
    pub clear: Signal<In, Bits<16>>,
    /// The flags.
    pub q: Signal<Out, Bits<16>>,
    state: DFF<Bits<16>>,
    keep: Signal<Local, Bits<16>>,
}

impl Logic for Flags {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state);
        self.keep.next = !self.clear.val();
        self.q.next = self.state.q.val();
        self.state.d.next = (self.state.q.val() | self.set.val()) & self.keep.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
        }
    }
}
