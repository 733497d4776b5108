//! The two memories everything else is built on: block RAM and look-up-table RAM.

use std::marker::PhantomData;

use crate::sizes::{Count, PowerOfTwo};
use rust_hdl::prelude::*;

/// Bits of an address of `available` bits that tell the words of a memory of `C` words apart.
fn address_bits<C: Count>(available: usize) -> usize {
    let needed = C::N.next_power_of_two().ilog2() as usize;
    needed.clamp(1, available)
}

/// Those bits, in Verilog.
fn slice<C: Count>(available: usize) -> String {
    match address_bits::<C>(available) {
        all if all == available => String::new(),
        some => format!("[{}:0]", some - 1),
    }
}

/// Block RAM of 2^`N` words, or of `C`: one write port, one registered read port, one clock.
///
/// Of a memory with fewer words the low bits of the address count, as many as tell them apart. Nobody may use what a read of a
/// word brings that is written in the same cycle: parts differ in that, and to promise one answer costs logic around the
/// memory. In simulations it is zero, so that whoever used it would show.
#[derive(LogicBlock)]
pub struct Ram<D: Synth, const N: usize, C: Count = PowerOfTwo<N>> {
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
    _count: PhantomData<C>,
}

impl<D: Synth, const N: usize, C: Count> Default for Ram<D, N, C> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            write_enable: Default::default(),
            _words: vec![D::default(); 1 << address_bits::<C>(N)],
            _count: PhantomData,
        }
    }
}

impl<D: Synth, const N: usize, C: Count> Logic for Ram<D, N, C> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let read = self.read_address.val().index() % self._words.len();
            self.read_data.next = self._words[read];
            if self.write_enable.val() {
                let word = self.write_address.val().index() % self._words.len();
                self._words[word] = self.write_data.val();
                if word == read {
                    self.read_data.next = D::default();
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
   read_data <= mem[read_address{slice}];
`ifndef SYNTHESIS
   if (write_enable && write_address{slice} == read_address{slice}) read_data <= 0;
`endif
   if (write_enable) mem[write_address{slice}] <= write_data;
end
",
            d = D::BITS - 1,
            n = self._words.len() - 1,
            slice = slice::<C>(N)
        ))
    }
}

/// Look-up-table RAM of 2^`N` words, or of `C`, as [`Ram`]: one write port, one read port without a register.
#[derive(LogicBlock)]
pub struct LutRam<D: Synth, const N: usize, C: Count = PowerOfTwo<N>> {
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
    _count: PhantomData<C>,
}

impl<D: Synth, const N: usize, C: Count> Default for LutRam<D, N, C> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            write_enable: Default::default(),
            _words: vec![D::default(); 1 << address_bits::<C>(N)],
            _count: PhantomData,
        }
    }
}

impl<D: Synth, const N: usize, C: Count> Logic for LutRam<D, N, C> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.write_enable.val() {
            let word = self.write_address.val().index() % self._words.len();
            self._words[word] = self.write_data.val();
        }
        self.read_data.next = self._words[self.read_address.val().index() % self._words.len()];
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "reg [{d}:0] mem [0:{n}];
integer i;
initial for (i = 0; i <= {n}; i = i + 1) mem[i] = 0;
always @(*) read_data = mem[read_address{slice}];
always @(posedge clock) begin
   if (write_enable) mem[write_address{slice}] <= write_data;
end
",
            d = D::BITS - 1,
            n = self._words.len() - 1,
            slice = slice::<C>(N)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Exactly;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Random reads and writes of 8 words, often of the same one, by addresses below `range`; `registered`: data comes a
    /// cycle after the address.
    fn exercise<U: Block>(mut dut: Pair<U>, range: u64, registered: bool) -> Result<(), Error> {
        let mut random = StdRng::seed_from_u64(1);
        let (mut words, mut read_data) = ([0; 8], 0);
        for cycle in 0..2000 {
            let (read, write) = (random.random_range(0..range), random.random_range(0..range));
            let (enable, word) = (random.random_bool(0.7), random.random_range(0..1 << 40));
            dut.set("read_address", read)?;
            dut.set("write_address", write)?;
            dut.set("write_data", word)?;
            dut.set("write_enable", enable)?;
            let (read, write) = (read as usize % 8, write as usize % 8);
            let expected = if registered { read_data } else { words[read] };
            assert_eq!(dut.get("read_data")?, expected, "cycle {cycle}");
            dut.step()?;
            // A word read while it is written.
            let collides = enable && read == write;
            read_data = if collides { 0 } else { words[read] };
            if enable {
                words[write] = word;
            }
        }
        Ok(())
    }

    fn block_ram<const N: usize, C: Count>() -> Result<(), Error> {
        let ports = ports!(Ram<Bits<40>, N, C> {
            clock: clock;
            in read_address, write_address, write_data, write_enable;
            out read_data
        });
        exercise(Pair::new(Ram::default(), ports)?, 1 << N, true)
    }

    fn lut_ram<const N: usize, C: Count>() -> Result<(), Error> {
        let ports = ports!(LutRam<Bits<40>, N, C> {
            clock: clock;
            in read_address, write_address, write_data, write_enable;
            out read_data
        });
        exercise(Pair::new(LutRam::default(), ports)?, 1 << N, false)
    }

    #[test]
    fn block_ram_answers_in_the_next_cycle() -> Result<(), Error> {
        block_ram::<3, PowerOfTwo<3>>()
    }

    #[test]
    fn lut_ram_answers_at_once() -> Result<(), Error> {
        lut_ram::<3, PowerOfTwo<3>>()
    }

    #[test]
    fn fewer_words_than_addresses() -> Result<(), Error> {
        block_ram::<6, Exactly<7>>()?;
        lut_ram::<5, Exactly<5>>()
    }
}
