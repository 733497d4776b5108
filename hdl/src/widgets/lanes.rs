//! Byte lanes of a beat, turned and chosen.

use rust_hdl::prelude::*;

/// Rotates a beat right by `turn` << `S` lanes of a byte, modulo the beat; the result is registered.
///
/// Two of these in a row, with `S` = 3 and 0, turn beats of up to 64 lanes by any number, with an 8:1 multiplexer each.
#[derive(LogicBlock, Default)]
pub struct RotateLanes<const W: usize, const S: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Beat to turn.
    pub data_in: Signal<In, Bits<W>>,
    /// Amount.
    pub turn: Signal<In, Bits<3>>,
    /// The turned beat, one cycle later.
    pub data_out: Signal<Out, Bits<W>>,
}

impl<const W: usize, const S: usize> RotateLanes<W, S> {
    fn shift(turn: usize) -> usize {
        (turn << (S + 3)) % W
    }
}

impl<const W: usize, const S: usize> Logic for RotateLanes<W, S> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (data, shift) = (self.data_in.val(), Self::shift(self.turn.val().index()));
            self.data_out.next =
                Bits::Long(std::array::from_fn(|bit| data.get_bit((bit + shift) % W)).into());
        }
    }
    fn connect(&mut self) {
        self.data_out.connect();
    }
    fn hdl(&self) -> Verilog {
        let arms: String = (0..8)
            .map(|turn| {
                let turned = match Self::shift(turn) {
                    0 => "data_in".into(),
                    shift => format!("{{data_in[{}:0], data_in[{}:{shift}]}}", shift - 1, W - 1),
                };
                format!("   3'd{turn}: data_out <= {turned};\n")
            })
            .collect();
        Verilog::Custom(format!(
            "initial data_out = 0;\nalways @(posedge clock) case (turn)\n{arms}endcase\n"
        ))
    }
}

/// Chooses each byte lane from one of two beats, or zero; `B` = `W` / 8.
#[derive(LogicBlock, Default)]
pub struct SelectLanes<const W: usize, const B: usize> {
    /// Beat of the lanes with `select` set.
    pub chosen: Signal<In, Bits<W>>,
    /// Beat of the other lanes.
    pub other: Signal<In, Bits<W>>,
    /// Which beat, by lane.
    pub select: Signal<In, Bits<B>>,
    /// Lanes that are not zero.
    pub keep: Signal<In, Bits<B>>,
    /// The merged beat, in the same cycle.
    pub data_out: Signal<Out, Bits<W>>,
}

impl<const W: usize, const B: usize> Logic for SelectLanes<W, B> {
    fn update(&mut self) {
        let (chosen, other) = (self.chosen.val(), self.other.val());
        let (select, keep) = (self.select.val(), self.keep.val());
        let merged = std::array::from_fn(|bit| {
            let source = if select.get_bit(bit / 8) {
                &chosen
            } else {
                &other
            };
            keep.get_bit(bit / 8) && source.get_bit(bit)
        });
        self.data_out.next = Bits::Long(merged.into());
    }
    fn connect(&mut self) {
        self.data_out.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "integer i;
always @(*) begin
   for (i = 0; i < {B}; i = i + 1)
      data_out[8*i +: 8] = keep[i] ? (select[i] ? chosen[8*i +: 8] : other[8*i +: 8]) : 8'h00;
end
"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2c::test_bench::words;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn turns_by_any_amount() -> Result<(), Error> {
        let mut dut = Pair::new(
            RotateLanes::<128, 0>::default(),
            ports!(RotateLanes<128, 0> { clock: clock; in data_in, turn; out data_out }),
        )?;
        let mut coarse = Pair::new(
            RotateLanes::<128, 3>::default(),
            ports!(RotateLanes<128, 3> { clock: clock; in data_in, turn; out data_out }),
        )?;
        let beat: Vec<u8> = (1..=16).collect();
        for turn in 0..8 {
            for (dut, amount) in [
                (&mut dut as &mut dyn Stepped, turn),
                (&mut coarse, turn << 3),
            ] {
                let mut expected = beat.clone();
                expected.rotate_left(amount as usize % 16);
                assert_eq!(dut.turned(&words(&beat), turn)?, words(&expected));
            }
        }
        Ok(())
    }

    trait Stepped {
        fn turned(&mut self, beat: &[u32], turn: u64) -> Result<Vec<u32>, Error>;
    }

    impl<const S: usize> Stepped for Pair<RotateLanes<128, S>> {
        fn turned(&mut self, beat: &[u32], turn: u64) -> Result<Vec<u32>, Error> {
            self.set_wide("data_in", beat)?;
            self.set("turn", turn)?;
            self.step()?;
            Ok(self.get_wide("data_out")?.to_vec())
        }
    }

    #[test]
    fn merges_lane_by_lane() -> Result<(), Error> {
        let mut dut = Pair::new(
            SelectLanes::<128, 16>::default(),
            ports!(SelectLanes<128, 16> { in chosen, other, select, keep; out data_out }),
        )?;
        let mut random = StdRng::seed_from_u64(2);
        for _ in 0..100 {
            let [chosen, other] =
                [(); 2].map(|()| (0..16).map(|_| random.random()).collect::<Vec<_>>());
            let (select, keep) = (
                random.random_range(0u64..1 << 16),
                random.random_range(0u64..1 << 16),
            );
            dut.set_wide("chosen", &words(&chosen))?;
            dut.set_wide("other", &words(&other))?;
            dut.set("select", select)?;
            dut.set("keep", keep)?;
            let expected: Vec<u8> = (0..16)
                .map(|lane| match (keep >> lane & 1, select >> lane & 1) {
                    (0, _) => 0,
                    (_, 0) => other[lane],
                    _ => chosen[lane],
                })
                .collect();
            assert_eq!(dut.get_wide("data_out")?, words(&expected));
        }
        Ok(())
    }
}
