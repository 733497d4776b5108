//! Counts the valid lanes of a stream beat.

use rust_hdl::prelude::*;

/// Valid lanes of an AXI4-Stream TKEEP, which is contiguous from lane 0. A TKEEP with holes, which the stream's rules forbid, counts as any number
/// of lanes from 0 to `B`.
///
/// The first empty lane is searched by halves: bit by bit of the count, one lane is looked at among those that the bits above leave. At 64 lanes
/// that is a chain of multiplexers, where a sum of 64 bits would be one of adders.
#[derive(LogicBlock, Default)]
pub struct KeepCount<const B: usize, const L1: usize> {
    /// TKEEP.
    pub keep: Signal<In, Bits<B>>,
    /// Valid lanes.
    pub count: Signal<Out, Bits<L1>>,
}
// rust-hdl kernels have no loop over powers of two, so the search is written in both languages.
impl<const B: usize, const L1: usize> Logic for KeepCount<B, L1> {
    fn update(&mut self) {
        let keep = self.keep.val();
        let mut count = 0;
        for half in (0..B.ilog2()).rev().map(|bit| 1 << bit) {
            if keep.get_bit(count | (half - 1)) {
                count |= half;
            }
        }
        if keep.get_bit(B - 1) {
            count = B;
        }
        self.count.next = bits(count as u64);
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "integer half;
always @(*) begin
   count = 0;
   for (half = {}; half > 0; half = half / 2)
      if (keep[count | (half - 1)]) count = count | half;
   if (keep[{}]) count = {B};
end
",
            B / 2,
            B - 1
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::RngExt;

    #[test]
    fn counts_lanes() -> Result<(), Error> {
        let mut dut = Pair::new(
            KeepCount::<64, 7>::default(),
            ports!(KeepCount<64, 7> { in keep; out count }),
        )?;
        for lanes in 0..=64u32 {
            let keep = u64::MAX.checked_shr(64 - lanes).unwrap_or(0);
            dut.set("keep", keep)?;
            assert_eq!(dut.get("count")?, u64::from(lanes), "{keep:#x}");
        }
        let mut random = seeded(1);
        for _ in 0..500 {
            dut.set("keep", random.random::<u64>())?;
            assert!(dut.get("count")? <= 64);
        }
        Ok(())
    }
}
