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

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn counts_lanes() -> Result<(), Error> {
        let mut dut = Pair::new(
            KeepCount::<16, 5>::default(),
            ports!(KeepCount<16, 5> { in keep; out count }),
        )?;
        let mut random = StdRng::seed_from_u64(1);
        let contiguous = (0..=16).map(|lanes| (1u64 << lanes) - 1);
        for keep in contiguous.chain((0..500).map(|_| random.random_range(0..1 << 16))) {
            dut.set("keep", keep)?;
            assert_eq!(dut.get("count")?, u64::from(keep.count_ones()), "{keep:#x}");
        }
        Ok(())
    }
}
