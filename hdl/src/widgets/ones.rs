//! Counts set bits.

use rust_hdl::prelude::*;

/// Number of set bits of a mask.
#[derive(LogicBlock, Default)]
pub struct CountOnes<const B: usize, const L1: usize> {
    /// The mask.
    pub mask: Signal<In, Bits<B>>,
    /// Set bits.
    pub count: Signal<Out, Bits<L1>>,
}

// rust-hdl kernels have no accumulating loop, so the sum is written in both languages.
impl<const B: usize, const L1: usize> Logic for CountOnes<B, L1> {
    fn update(&mut self) {
        let mask = self.mask.val();
        self.count.next = bits((0..B).filter(|&bit| mask.get_bit(bit)).count() as u64);
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "integer i;
always @(*) begin
   count = 0;
   for (i = 0; i < {B}; i = i + 1) count = count + mask[i];
end
"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    #[test]
    fn counts_bits() -> Result {
        let mut dut = Pair::new(
            CountOnes::<16, 5>::default(),
            ports!(CountOnes<16, 5> { in mask; out count }),
        )?;
        let mut random = seeded(1);
        for mask in [0, 0xffff]
            .into_iter()
            .chain((0..500).map(|_| random.random_range(0..1u64 << 16)))
        {
            dut.set("mask", mask)?;
            assert_eq!(dut.get("count")?, u64::from(mask.count_ones()), "{mask:#x}");
        }
        Ok(())
    }
}
