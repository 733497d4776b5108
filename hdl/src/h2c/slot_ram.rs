//! The memory in which completions are put in order.

use rust_hdl::prelude::*;

/// Block RAM of 2^`I` slots of 512 bytes in words of `W` bits, addressed by slot and byte position; `L` = log2(`W` / 8).
///
/// The low `L` bits of a position are ignored. Nobody may use what a read of a word brings that is written in the same cycle, as
/// with [`Ram`](crate::widgets::Ram).
#[derive(LogicBlock)]
pub struct SlotRam<const W: usize, const L: usize, const I: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Slot to read.
    pub read_slot: Signal<In, Bits<I>>,
    /// Byte position in the slot to read; the word is on `read_data` in the next cycle.
    pub read_position: Signal<In, Bits<9>>,
    /// The word addressed in the cycle before.
    pub read_data: Signal<Out, Bits<W>>,
    /// Slot to write.
    pub write_slot: Signal<In, Bits<I>>,
    /// Byte position in the slot to write.
    pub write_position: Signal<In, Bits<9>>,
    /// Word to write.
    pub write_data: Signal<In, Bits<W>>,
    /// Write in this cycle.
    pub write_enable: Signal<In, Bit>,
    _words: Vec<Bits<W>>,
}

impl<const W: usize, const L: usize, const I: usize> SlotRam<W, L, I> {
    fn index(slot: Bits<I>, position: Bits<9>) -> usize {
        (slot.index() << 9 | position.index()) >> L
    }
}

impl<const W: usize, const L: usize, const I: usize> Default for SlotRam<W, L, I> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_slot: Default::default(),
            read_position: Default::default(),
            read_data: Default::default(),
            write_slot: Default::default(),
            write_position: Default::default(),
            write_data: Default::default(),
            write_enable: Default::default(),
            _words: vec![Bits::default(); 1 << (9 + I - L)],
        }
    }
}

impl<const W: usize, const L: usize, const I: usize> Logic for SlotRam<W, L, I> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let read = Self::index(self.read_slot.val(), self.read_position.val());
            self.read_data.next = self._words[read];
            if self.write_enable.val() {
                let index = Self::index(self.write_slot.val(), self.write_position.val());
                self._words[index] = self.write_data.val();
                if index == read {
                    self.read_data.next = Bits::default();
                }
            }
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "(* no_rw_check *)
reg [{d}:0] mem [0:{n}];
integer i;
initial begin
   for (i = 0; i <= {n}; i = i + 1) mem[i] = 0;
   read_data = 0;
end
always @(posedge clock) begin
   read_data <= mem[{{read_slot, read_position[8:{L}]}}];
`ifndef SYNTHESIS
   if (write_enable && {{write_slot, write_position[8:{L}]}} == {{read_slot, read_position[8:{L}]}}) read_data <= 0;
`endif
   if (write_enable) mem[{{write_slot, write_position[8:{L}]}}] <= write_data;
end
",
            d = W - 1,
            n = (1 << (9 + I - L)) - 1
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
    fn holds_words_of_every_slot() -> Result<(), Error> {
        exercise::<6>(6400)?;
        exercise::<8>(5000)
    }

    fn exercise<const I: usize>(cycles: usize) -> Result<(), Error> {
        let mut dut = Pair::new(
            SlotRam::<128, 4, I>::default(),
            ports!(SlotRam<128, 4, I> {
                clock: clock;
                in read_slot, read_position, write_slot, write_position, write_data, write_enable;
                out read_data
            }),
        )?;
        let mut random = StdRng::seed_from_u64(1);
        let mut model = vec![vec![0; 16]; 32 << I];
        for _ in 0..cycles {
            let (write, read) = (
                random.random_range(0u64..512 << I),
                random.random_range(0u64..512 << I),
            );
            let data: Vec<u8> = (0..16).map(|_| random.random()).collect();
            let enable = random.random_bool(0.7);
            dut.set("write_slot", write >> 9)?;
            dut.set("write_position", write & 511)?;
            dut.set_wide("write_data", &words(&data))?;
            dut.set("write_enable", enable)?;
            dut.set("read_slot", read >> 9)?;
            dut.set("read_position", read & 511)?;
            dut.step()?;
            let collides = enable && read >> 4 == write >> 4;
            let expected: &[u8] = if collides {
                &[0; 16]
            } else {
                &model[read as usize >> 4]
            };
            assert_eq!(dut.get_wide("read_data")?, words(expected));
            if enable {
                model[write as usize >> 4] = data;
            }
        }
        Ok(())
    }
}
