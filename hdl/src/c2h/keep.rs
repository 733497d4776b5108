//! Counts the valid lanes of a stream beat.

use rust_hdl::prelude::*;

/// Number of set bits of an AXI4-Stream TKEEP.
#[derive(LogicBlock, Default)]
pub struct KeepCount<const B: usize, const L1: usize> {
    /// TKEEP.
    pub keep: Signal<In, Bits<B>>,
    /// Set bits.
    pub count: Signal<Out, Bits<L1>>,
}

// rust-hdl kernels have no accumulating loop, so the sum is written in both languages.
impl<const B: usize, const L1: usize> Logic for KeepCount<B, L1> {
    fn update(&mut self) {
        let keep = self.keep.val();
        self.count.next = bits((0..B).filter(|&lane| keep.get_bit(lane)).count() as u64);
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "integer i;
always @(*) begin
   count = 0;
   for (i = 0; i < {B}; i = i + 1) count = count + keep[i];
end
"
        ))
    }
}
