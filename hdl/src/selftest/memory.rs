//! Host memory: block RAM of the data path's width, whose bytes are written apart.

use rust_hdl::prelude::*;

/// Block RAM of 2^`N` words of 64 bits: one write port with byte enables, one registered read port, one clock.
#[derive(LogicBlock)]
pub struct HostMemory<const N: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Word to read; its data is on `read_data` in the next cycle.
    pub read_address: Signal<In, Bits<N>>,
    /// The word addressed in the cycle before; undefined if that cycle wrote it.
    pub read_data: Signal<Out, Bits<64>>,
    /// Word to write.
    pub write_address: Signal<In, Bits<N>>,
    /// Data to write.
    pub write_data: Signal<In, Bits<64>>,
    /// Bytes to write in this cycle.
    pub write_bytes: Signal<In, Bits<8>>,
    _words: Vec<u64>,
}

impl<const N: usize> Default for HostMemory<N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            write_bytes: Default::default(),
            _words: vec![0; 1 << N],
        }
    }
}

impl<const N: usize> Logic for HostMemory<N> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.read_data.next = self._words[self.read_address.val().index()].to_bits();
            let bytes = self.write_bytes.val().to_u64();
            let mask = (0..8)
                .filter(|byte| bytes >> byte & 1 == 1)
                .fold(0, |mask, byte| mask | 0xff << (8 * byte));
            let word = &mut self._words[self.write_address.val().index()];
            *word = *word & !mask | self.write_data.val().to_u64() & mask;
        }
    }
    fn connect(&mut self) {
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        let lanes = (0..8).map(|byte| {
            let (high, low) = (8 * byte + 7, 8 * byte);
            format!(
                "   if (write_bytes[{byte}]) mem[write_address][{high}:{low}] <= write_data[{high}:{low}];\n"
            )
        });
        // Both simulations give the old word when one cycle reads and writes it; block RAM does not promise it. Who reads what is
        // being written has no right to either word.
        Verilog::Custom(format!(
            "(* ram_style = \"block\", no_rw_check *) reg [63:0] mem [0:{last}];
integer i;
initial begin
   for (i = 0; i <= {last}; i = i + 1) mem[i] = 0;
   read_data = 0;
end
always @(posedge clock) begin
   read_data <= mem[read_address];
{lanes}end
",
            last = (1 << N) - 1,
            lanes = lanes.collect::<String>(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    #[test]
    fn bytes_are_written_apart() -> Result {
        let ports = ports!(HostMemory<3> {
            clock: clock;
            in read_address, write_address, write_data, write_bytes;
            out read_data
        });
        let mut dut = Pair::new(HostMemory::default(), ports)?;
        let mut random = seeded(1);
        let (mut words, mut expected) = ([0u64; 8], 0);
        for cycle in 0..3000 {
            let (read, write) = (
                random.random_range(0..8usize),
                random.random_range(0..8usize),
            );
            let (data, bytes): (u64, u8) = (random.random(), random.random());
            set_all(
                &mut dut,
                &[
                    ("read_address", read as u64),
                    ("write_address", write as u64),
                    ("write_data", data),
                    ("write_bytes", bytes.into()),
                ],
            )?;
            assert_eq!(dut.get("read_data")?, expected, "cycle {cycle}");
            dut.step()?;
            expected = words[read];
            let (mut new, data) = (words[write].to_le_bytes(), data.to_le_bytes());
            for byte in (0..8).filter(|byte| bytes >> byte & 1 == 1) {
                new[byte] = data[byte];
            }
            words[write] = u64::from_le_bytes(new);
        }
        Ok(())
    }
}
