//! The processor: VexRiscv_Lite, taken as Verilog text when the design is emitted.

use rust_hdl::core::prelude::Wrapper;
use rust_hdl::prelude::*;

/// VexRiscv with Wishbone buses (classic cycles on the data bus, incrementing bursts of eight words on the
/// instruction bus). Byte address 0 is the first instruction after reset.
///
/// There is no native model: in the native simulation the processor stands still. The module itself comes from the Verilog
/// text that [`emit`](super::emit) appends; SpinalHDL generated it, so its port names are given.
#[derive(LogicBlock, Default)]
pub struct Cpu {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset; the processor needs it once after power-up.
    pub reset: Signal<In, Bit>,
    /// Instruction bus: a cycle is on.
    pub fetch_cycle: Signal<Out, Bit>,
    /// Instruction bus: a word is wanted.
    pub fetch_strobe: Signal<Out, Bit>,
    /// Instruction bus: word address.
    pub fetch_address: Signal<Out, Bits<30>>,
    /// Instruction bus: cycle type identifier (2: more of the burst follow, 7: its end; Wishbone B4, table 4-2).
    pub fetch_type: Signal<Out, Bits<3>>,
    /// Instruction bus: the word is on `fetch_data`.
    pub fetch_acknowledge: Signal<In, Bit>,
    /// Instruction bus: the word.
    pub fetch_data: Signal<In, Bits<32>>,
    /// Data bus: a cycle is on.
    pub cycle: Signal<Out, Bit>,
    /// Data bus: an access is wanted.
    pub strobe: Signal<Out, Bit>,
    /// Data bus: the access writes.
    pub write: Signal<Out, Bit>,
    /// Data bus: word address.
    pub address: Signal<Out, Bits<30>>,
    /// Data bus: bytes that are written.
    pub select: Signal<Out, Bits<4>>,
    /// Data bus: word to write.
    pub write_data: Signal<Out, Bits<32>>,
    /// Data bus: the access is done; a read's word is on `read_data`.
    pub acknowledge: Signal<In, Bit>,
    /// Data bus: word that was read.
    pub read_data: Signal<In, Bits<32>>,
}

impl Logic for Cpu {
    fn update(&mut self) {}
    fn connect(&mut self) {
        self.fetch_cycle.connect();
        self.fetch_strobe.connect();
        self.fetch_address.connect();
        self.fetch_type.connect();
        self.cycle.connect();
        self.strobe.connect();
        self.write.connect();
        self.address.connect();
        self.select.connect();
        self.write_data.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(Wrapper {
            code: INSTANCE.into(),
            cores: String::new(),
        })
    }
}

const INSTANCE: &str = "VexRiscv core(
   .clk(clock),
   .reset(reset),
   .externalResetVector(32'h0),
   .timerInterrupt(1'b0),
   .softwareInterrupt(1'b0),
   .externalInterruptArray(32'h0),
   .iBusWishbone_CYC(fetch_cycle),
   .iBusWishbone_STB(fetch_strobe),
   .iBusWishbone_ACK(fetch_acknowledge),
   .iBusWishbone_WE(),
   .iBusWishbone_ADR(fetch_address),
   .iBusWishbone_DAT_MISO(fetch_data),
   .iBusWishbone_DAT_MOSI(),
   .iBusWishbone_SEL(),
   .iBusWishbone_ERR(1'b0),
   .iBusWishbone_CTI(fetch_type),
   .iBusWishbone_BTE(),
   .dBusWishbone_CYC(cycle),
   .dBusWishbone_STB(strobe),
   .dBusWishbone_ACK(acknowledge),
   .dBusWishbone_WE(write),
   .dBusWishbone_ADR(address),
   .dBusWishbone_DAT_MISO(read_data),
   .dBusWishbone_DAT_MOSI(write_data),
   .dBusWishbone_SEL(select),
   .dBusWishbone_ERR(1'b0),
   .dBusWishbone_CTI(),
   .dBusWishbone_BTE()
);
";
