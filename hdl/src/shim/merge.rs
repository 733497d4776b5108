//! DWs of a beat, chosen.

use rust_hdl::prelude::*;

/// Chooses each DW of a beat of `N` DWs from one of two beats, and the first `H` (four at most) from a header while there is one.
#[derive(LogicBlock, Default)]
pub struct MergeDwords<const W: usize, const N: usize, const H: usize> {
    /// Beat of the DWs with `select` set.
    pub chosen: Signal<In, Bits<W>>,
    /// Beat of the others.
    pub other: Signal<In, Bits<W>>,
    /// Which beat, by DW.
    pub select: Signal<In, Bits<N>>,
    /// The header's DWs.
    pub head: Signal<In, Bits<128>>,
    /// The beat begins with it.
    pub with_head: Signal<In, Bit>,
    /// The merged beat, in the same cycle.
    pub data_out: Signal<Out, Bits<W>>,
}

impl<const W: usize, const N: usize, const H: usize> Logic for MergeDwords<W, N, H> {
    fn update(&mut self) {
        let (chosen, other, head) = (self.chosen.val(), self.other.val(), self.head.val());
        let (select, with_head) = (self.select.val(), self.with_head.val());
        let merged = std::array::from_fn(|bit| {
            let dword = bit / 32;
            if with_head && dword < H {
                head.get_bit(bit)
            } else if select.get_bit(dword) {
                chosen.get_bit(bit)
            } else {
                other.get_bit(bit)
            }
        });
        self.data_out.next = Bits::Long(merged.into());
    }
    fn connect(&mut self) {
        self.data_out.connect();
    }
    fn hdl(&self) -> Verilog {
        let header = match H {
            0 => String::new(),
            _ => format!(
                "   if (with_head) data_out[{0}:0] = head[{0}:0];\n",
                32 * H - 1
            ),
        };
        Verilog::Custom(format!(
            "integer i;
always @(*) begin
   for (i = 0; i < {N}; i = i + 1)
      data_out[32*i +: 32] = select[i] ? chosen[32*i +: 32] : other[32*i +: 32];
{header}end
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

    fn run<const H: usize>() -> Result {
        let mut dut = Pair::new(
            MergeDwords::default(),
            ports!(MergeDwords<256, 8, H> { in chosen, other, select, head, with_head; out data_out }),
        )?;
        let mut random = seeded(3);
        for _ in 0..200 {
            let [chosen, other]: [[u32; 8]; 2] = random.random();
            let head: [u32; 4] = random.random();
            let (select, with_head) = (random.random_range(0..256), random.random());
            dut.set_wide("chosen", &chosen)?;
            dut.set_wide("other", &other)?;
            dut.set_wide("head", &head)?;
            dut.set("select", select)?;
            dut.set("with_head", with_head)?;
            let expected: Vec<u32> = (0..8)
                .map(|dword| match select >> dword & 1 {
                    _ if with_head && dword < H => head[dword],
                    0 => other[dword],
                    _ => chosen[dword],
                })
                .collect();
            assert_eq!(dut.get_wide("data_out")?, expected);
        }
        Ok(())
    }

    #[test]
    fn merges_behind_a_header_of_four() -> Result {
        run::<4>()
    }

    #[test]
    fn merges_behind_a_header_of_three() -> Result {
        run::<3>()
    }

    #[test]
    fn merges_without_a_header() -> Result {
        run::<0>()
    }
}
