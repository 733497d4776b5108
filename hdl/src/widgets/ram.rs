//! The two memories everything else is built on: block RAM and look-up-table RAM.

use rust_hdl::prelude::*;

/// Block RAM of 2^`N` words: one write port, one registered read port, one clock.
///
/// A read of the word that is written in the same cycle returns the old word.
#[derive(LogicBlock)]
pub struct Ram<D: Synth, const N: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Word to read; its data is on `read_data` in the next cycle.
    pub read_address: Signal<In, Bits<N>>,
    /// The word addressed in the cycle before.
    pub read_data: Signal<Out, D>,
    /// Word to write.
    pub write_address: Signal<In, Bits<N>>,
    /// Data to write.
    pub write_data: Signal<In, D>,
    /// Write in this cycle.
    pub write_enable: Signal<In, Bit>,
    _words: Vec<D>,
}

impl<D: Synth, const N: usize> Default for Ram<D, N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            write_enable: Default::default(),
            _words: vec![D::default(); 1 << N],
        }
    }
}

impl<D: Synth, const N: usize> Logic for Ram<D, N> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.read_data.next = self._words[self.read_address.val().index()];
            if self.write_enable.val() {
                self._words[self.write_address.val().index()] = self.write_data.val();
            }
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "reg [{d}:0] mem [0:{n}];
integer i;
initial begin
   for (i = 0; i <= {n}; i = i + 1) mem[i] = 0;
   read_data = 0;
end
always @(posedge clock) begin
   read_data <= mem[read_address];
   if (write_enable) mem[write_address] <= write_data;
end
",
            d = D::BITS - 1,
            n = (1 << N) - 1
        ))
    }
}

/// Look-up-table RAM of 2^`N` words: one write port, one read port without a register.
#[derive(LogicBlock)]
pub struct LutRam<D: Synth, const N: usize> {
    /// Clock of the write port.
    pub clock: Signal<In, Clock>,
    /// Word on `read_data` in this very cycle.
    pub read_address: Signal<In, Bits<N>>,
    /// The addressed word.
    pub read_data: Signal<Out, D>,
    /// Word to write.
    pub write_address: Signal<In, Bits<N>>,
    /// Data to write.
    pub write_data: Signal<In, D>,
    /// Write in this cycle.
    pub write_enable: Signal<In, Bit>,
    _words: Vec<D>,
}

impl<D: Synth, const N: usize> Default for LutRam<D, N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            write_enable: Default::default(),
            _words: vec![D::default(); 1 << N],
        }
    }
}

impl<D: Synth, const N: usize> Logic for LutRam<D, N> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.write_enable.val() {
            self._words[self.write_address.val().index()] = self.write_data.val();
        }
        self.read_data.next = self._words[self.read_address.val().index()];
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "reg [{d}:0] mem [0:{n}];
integer i;
initial for (i = 0; i <= {n}; i = i + 1) mem[i] = 0;
always @(*) read_data = mem[read_address];
always @(posedge clock) begin
   if (write_enable) mem[write_address] <= write_data;
end
",
            d = D::BITS - 1,
            n = (1 << N) - 1
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Random reads and writes of 8 words, often of the same one; `registered`: data comes a cycle after the address.
    fn exercise<U: Block>(mut dut: Pair<U>, registered: bool) -> Result<(), Error> {
        let mut random = StdRng::seed_from_u64(1);
        let (mut words, mut read_data) = ([0; 8], 0);
        for cycle in 0..2000 {
            let (read, write) = (random.random_range(0..8), random.random_range(0..8));
            let (enable, word) = (random.random_bool(0.7), random.random_range(0..1 << 40));
            dut.set("read_address", read)?;
            dut.set("write_address", write)?;
            dut.set("write_data", word)?;
            dut.set("write_enable", enable)?;
            let expected = if registered {
                read_data
            } else {
                words[read as usize]
            };
            assert_eq!(dut.get("read_data")?, expected, "cycle {cycle}");
            dut.step()?;
            // A word read while it is written: the old one.
            read_data = words[read as usize];
            if enable {
                words[write as usize] = word;
            }
        }
        Ok(())
    }

    #[test]
    fn block_ram_answers_in_the_next_cycle() -> Result<(), Error> {
        let ports = ports!(Ram<Bits<40>, 3> {
            clock: clock;
            in read_address, write_address, write_data, write_enable;
            out read_data
        });
        exercise(Pair::new(Ram::default(), ports)?, true)
    }

    #[test]
    fn lut_ram_answers_at_once() -> Result<(), Error> {
        let ports = ports!(LutRam<Bits<40>, 3> {
            clock: clock;
            in read_address, write_address, write_data, write_enable;
            out read_data
        });
        exercise(Pair::new(LutRam::default(), ports)?, false)
    }
}
