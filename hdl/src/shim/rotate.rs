//! DWs of a beat, turned.

use rust_hdl::prelude::*;

/// Moves DW i of a beat of `N` DWs to place (i + `turn`) mod `N`, in the same cycle; `W` = 32 `N`, `K` = log2(`N`).
#[derive(LogicBlock, Default)]
pub struct RotateDwords<const W: usize, const N: usize, const K: usize> {
    /// Beat to turn.
    pub data_in: Signal<In, Bits<W>>,
    /// Places that each DW moves up.
    pub turn: Signal<In, Bits<K>>,
    /// The turned beat.
    pub data_out: Signal<Out, Bits<W>>,
}

impl<const W: usize, const N: usize, const K: usize> Logic for RotateDwords<W, N, K> {
    fn update(&mut self) {
        let (data, shift) = (self.data_in.val(), 32 * self.turn.val().index());
        self.data_out.next =
            Bits::Long(std::array::from_fn(|bit| data.get_bit((bit + W - shift) % W)).into());
    }
    fn connect(&mut self) {
        self.data_out.connect();
    }
    fn hdl(&self) -> Verilog {
        let arms: String = (1..N)
            .map(|turn| {
                let split = W - 32 * turn;
                format!(
                    "   {K}'d{turn}: data_out = {{data_in[{}:0], data_in[{}:{split}]}};\n",
                    split - 1,
                    W - 1
                )
            })
            .collect();
        Verilog::Custom(format!(
            "always @(*) case (turn)\n{arms}   default: data_out = data_in;\nendcase\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Result;
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;

    fn run<const W: usize, const N: usize, const K: usize>() -> Result {
        let mut dut = Pair::new(
            RotateDwords::default(),
            ports!(RotateDwords<W, N, K> { in data_in, turn; out data_out }),
        )?;
        let beat: Vec<u32> = (1..=N as u32).map(|dword| dword * 0x0101_0101).collect();
        dut.set_wide("data_in", &beat)?;
        for turn in 0..N {
            dut.set("turn", turn as u64)?;
            let mut expected = beat.clone();
            expected.rotate_right(turn);
            assert_eq!(dut.get_wide("data_out")?, expected);
        }
        Ok(())
    }

    #[test]
    fn turns_by_any_amount_256() -> Result {
        run::<256, 8, 3>()
    }

    #[test]
    fn turns_by_any_amount_512() -> Result {
        run::<512, 16, 4>()
    }
}
