//! The processor's memory: code and data in one block RAM, two ports.

use super::emit::Program;
use rust_hdl::prelude::*;

/// Block RAM of 2^`N` 32-bit words: one port reads instructions, the other reads and writes data, bytes apart.
///
/// Initial contents: the [`Program`] of number `P`. In a simulation the file of the plus argument `+firmware=FILE` (or its other
/// name), else zeros; in synthesis the file that the macro `PINRING_FIRMWARE_IMAGE` names, which [`emit`](super::emit) defines.
/// Both are in `$readmemh` form, a word a line.
#[derive(LogicBlock)]
pub struct CoreMemory<const N: usize, const P: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Instruction port: word address; the word is on `fetch_data` in the next cycle.
    pub fetch_address: Signal<In, Bits<N>>,
    /// Instruction port: the word addressed in the cycle before; undefined if that cycle wrote it.
    pub fetch_data: Signal<Out, Bits<32>>,
    /// Data port: word address; the word is on `read_data` in the next cycle.
    pub address: Signal<In, Bits<N>>,
    /// Data port: the word addressed in the cycle before; undefined if that cycle wrote it.
    pub read_data: Signal<Out, Bits<32>>,
    /// Data port: bytes to write in this cycle.
    pub write_bytes: Signal<In, Bits<4>>,
    /// Data port: word to write.
    pub write_data: Signal<In, Bits<32>>,
    _words: Vec<u32>,
}

impl<const N: usize, const P: usize> Default for CoreMemory<N, P> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            fetch_address: Default::default(),
            fetch_data: Default::default(),
            address: Default::default(),
            read_data: Default::default(),
            write_bytes: Default::default(),
            write_data: Default::default(),
            _words: vec![0; 1 << N],
        }
    }
}

impl<const N: usize, const P: usize> Logic for CoreMemory<N, P> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let address = self.address.val().index();
            self.fetch_data.next = self._words[self.fetch_address.val().index()].to_bits();
            self.read_data.next = self._words[address].to_bits();
            let (bytes, data) = (
                self.write_bytes.val().to_u64(),
                self.write_data.val().to_u64() as u32,
            );
            let mask = (0..4)
                .filter(|byte| bytes >> byte & 1 == 1)
                .fold(0, |mask, byte| mask | 0xff << (byte * 8));
            self._words[address] = self._words[address] & !mask | data & mask;
        }
    }
    fn connect(&mut self) {
        self.fetch_data.connect();
        self.read_data.connect();
    }
    fn hdl(&self) -> Verilog {
        // Both simulations give the old word when one cycle reads and writes it. Block RAM does not, unless synthesis doubles it and
        // adds a bypass: the attribute says not to. Nobody needs it: the core ignores what it reads while it writes, and the firmware
        // writes no instructions.
        Verilog::Custom(format!(
            "(* ram_style = \"block\", no_rw_check *) reg [31:0] mem [0:{last}];
`ifdef SYNTHESIS
`ifdef {image}
initial $readmemh(`{image}, mem);
`endif
`else
reg [8191:0] image;
integer i;
initial begin
   for (i = 0; i <= {last}; i = i + 1) mem[i] = 0;
   if ($value$plusargs(\"{name}=%s\", image)) $readmemh(image, mem);
end
`endif
initial begin
   fetch_data = 0;
   read_data = 0;
end
always @(posedge clock) begin
   fetch_data <= mem[fetch_address];
end
always @(posedge clock) begin
   read_data <= mem[address];
   if (write_bytes[0]) mem[address][7:0] <= write_data[7:0];
   if (write_bytes[1]) mem[address][15:8] <= write_data[15:8];
   if (write_bytes[2]) mem[address][23:16] <= write_data[23:16];
   if (write_bytes[3]) mem[address][31:24] <= write_data[31:24];
end
",
            last = (1 << N) - 1,
            image = Program::ALL[P].image_macro(),
            name = Program::ALL[P].name,
        ))
    }
}
