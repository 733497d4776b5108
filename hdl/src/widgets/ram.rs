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
