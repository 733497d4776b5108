//! The pattern, a beat at a time.

use super::pattern::STEP;
use rust_hdl::prelude::*;

/// A beat of the pattern from its first word; `W` is a multiple of 32.
#[derive(LogicBlock, Default)]
pub struct PatternWords<const W: usize> {
    /// First word of the beat.
    pub first: Signal<In, Bits<32>>,
    /// The beat.
    pub beat: Signal<Out, Bits<W>>,
    /// First word of the beat behind it.
    pub after: Signal<Out, Bits<32>>,
}

impl<const W: usize> PatternWords<W> {
    /// What the word at `index` of the beat adds to the first.
    fn step(index: usize) -> u32 {
        (index as u32).wrapping_mul(STEP)
    }
}

// rust-hdl kernels cannot assign a slice whose place is computed, so the beat is written in both languages.
impl<const W: usize> Logic for PatternWords<W> {
    fn update(&mut self) {
        let first = self.first.val().to_u64() as u32;
        let word = |index: usize| first.wrapping_add(Self::step(index));
        let beat = std::array::from_fn(|bit| word(bit / 32) >> (bit % 32) & 1 == 1);
        self.beat.next = Bits::Long(beat.into());
        self.after.next = bits(word(W / 32).into());
    }
    fn connect(&mut self) {
        self.beat.connect();
        self.after.connect();
    }
    fn hdl(&self) -> Verilog {
        let words: String = (0..W / 32)
            .map(|index| {
                let (low, step) = (index * 32, Self::step(index));
                format!("   beat[{low} +: 32] = first + 32'h{step:x};\n")
            })
            .collect();
        let after = Self::step(W / 32);
        Verilog::Custom(format!(
            "always @(*) begin\n{words}   after = first + 32'h{after:x};\nend\n"
        ))
    }
}

/// Which byte lanes of two beats differ; `B` = `W` / 8.
#[derive(LogicBlock, Default)]
pub struct DifferingLanes<const W: usize, const B: usize> {
    /// One beat.
    pub a: Signal<In, Bits<W>>,
    /// The other.
    pub b: Signal<In, Bits<W>>,
    /// A bit for each lane.
    pub lanes: Signal<Out, Bits<B>>,
}

impl<const W: usize, const B: usize> Logic for DifferingLanes<W, B> {
    fn update(&mut self) {
        let (a, b) = (self.a.val(), self.b.val());
        let differs = |lane| (8 * lane..8 * lane + 8).any(|bit| a.get_bit(bit) != b.get_bit(bit));
        self.lanes.next = lanes(std::array::from_fn(differs));
    }
    fn connect(&mut self) {
        self.lanes.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "integer i;
always @(*) begin
   for (i = 0; i < {B}; i = i + 1) lanes[i] = a[8*i +: 8] != b[8*i +: 8];
end
"
        ))
    }
}

/// Bits from an array; up to 32 of them have a short form.
fn lanes<const B: usize>(set: [bool; B]) -> Bits<B> {
    if B > 32 {
        return Bits::Long(set.into());
    }
    bits((0..B).fold(0, |all, lane| all | u64::from(set[lane]) << lane))
}

#[cfg(test)]
mod tests {
    use super::super::pattern;
    use super::super::testing::words;
    use super::*;
    use crate::testing::{Result, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    fn beats<const W: usize>() -> Result {
        let mut dut = Pair::new(
            PatternWords::<W>::default(),
            ports!(PatternWords<W> { in first; out beat, after }),
        )?;
        let mut random = seeded(W as u64);
        for round in 0..200 {
            // The first sums do not overflow, the last ones do.
            let first = [0, 1, u32::MAX].get(round).copied();
            let first = first.unwrap_or_else(|| random.random());
            dut.set("first", u64::from(first))?;
            let mut expected = vec![0; W / 8 + 4];
            pattern::fill(&mut expected, 0, first);
            let expected = words(&expected);
            assert_eq!(dut.get_wide("beat")?, &expected[..W / 32]);
            assert_eq!(dut.get("after")?, u64::from(expected[W / 32]));
        }
        Ok(())
    }

    #[test]
    fn beats_64() -> Result {
        beats::<64>()
    }

    #[test]
    fn beats_128() -> Result {
        beats::<128>()
    }

    #[test]
    fn beats_512() -> Result {
        beats::<512>()
    }

    fn differences<const W: usize, const B: usize>() -> Result {
        let mut dut = Pair::new(
            DifferingLanes::<W, B>::default(),
            ports!(DifferingLanes<W, B> { in a, b; out lanes }),
        )?;
        let mut random = seeded(B as u64);
        for round in 0..300 {
            let a: Vec<u8> = (0..B).map(|_| random.random()).collect();
            let mut b = a.clone();
            let mut expected = 0;
            for _ in 0..round % 6 {
                let lane = random.random_range(0..B);
                // A single wrong bit counts as much as any other difference.
                b[lane] = a[lane] ^ 1 << random.random_range(0..8);
                expected |= 1u64 << lane;
            }
            dut.set_wide("a", &words(&a))?;
            dut.set_wide("b", &words(&b))?;
            assert_eq!(dut.get("lanes")?, expected, "round {round}");
        }
        Ok(())
    }

    #[test]
    fn differences_64() -> Result {
        differences::<64, 8>()
    }

    #[test]
    fn differences_128() -> Result {
        differences::<128, 16>()
    }

    #[test]
    fn differences_512() -> Result {
        differences::<512, 64>()
    }
}
