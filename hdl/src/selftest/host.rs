//! The processor that plays the host: VexRiscv with a memory of its own, a UART, and a bus to the engine's clock.

use super::{HostWindow, UartTransmitter};
use crate::soft_core::{CoreMemory, Cpu, FetchPort, MEMORY_WORDS_LOG2, ResetCrossing};
use crate::widgets::AsyncFifo;
use rust_hdl::prelude::*;

/// The processor with what is in its clock; `HZ` is the frequency of `core_clock`, and a bit on the UART takes `BIT` cycles of it.
#[derive(LogicBlock, Default)]
pub struct HostProcessor<const HZ: usize, const BIT: usize> {
    /// Engine's clock.
    pub clock: Signal<In, Clock>,
    /// Restarts the program.
    pub reset: Signal<In, Bit>,
    /// Processor's clock, unrelated to the engine's.
    pub core_clock: Signal<In, Clock>,
    /// An access to the bus is on offer.
    pub access_valid: Signal<Out, Bit>,
    /// It is taken.
    pub access_ready: Signal<In, Bit>,
    /// The access, as [`HostBus`](super::HostBus) takes it.
    pub access: Signal<Out, Bits<67>>,
    /// Its answer, in this cycle.
    pub answer_valid: Signal<In, Bit>,
    /// The answer.
    pub answer: Signal<In, Bits<32>>,
    /// What is in the engine's clock is in reset together with the bus.
    pub held: Signal<Out, Bit>,
    /// UART, in the processor's clock.
    pub uart_tx: Signal<Out, Bit>,
    /// LEDs, in the processor's clock.
    pub leds: Signal<Out, Bits<8>>,
    cpu: Cpu,
    memory: CoreMemory<MEMORY_WORDS_LOG2, 1>,
    fetch: FetchPort<MEMORY_WORDS_LOG2>,
    window: HostWindow<MEMORY_WORDS_LOG2, HZ>,
    uart: UartTransmitter<BIT>,
    // One access is under way at a time.
    accesses: AsyncFifo<Bits<67>, 2, 3>,
    answers: AsyncFifo<Bits<32>, 2, 3>,
    crossing: ResetCrossing,
    stopped: Signal<Local, Bit>,
    offered: Signal<Local, Bit>,
}

impl<const HZ: usize, const BIT: usize> Logic for HostProcessor<HZ, BIT> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, crossing);
        clock!(self, core_clock, cpu, memory, fetch, window, uart);
        self.crossing.core_clock.next = self.core_clock.val();
        self.crossing.reset.next = self.reset.val();
        self.stopped.next = self.crossing.engine_reset.val();
        self.held.next = self.stopped.val();
        self.cpu.reset.next = self.crossing.core_reset.val();
        self.fetch.reset.next = self.crossing.core_reset.val();
        self.window.reset.next = self.crossing.core_reset.val();
        self.uart.reset.next = self.crossing.core_reset.val();

        self.fetch.cycle.next = self.cpu.fetch_cycle.val();
        self.fetch.strobe.next = self.cpu.fetch_strobe.val();
        self.fetch.address.next = self.cpu.fetch_address.val();
        self.fetch.cycle_type.next = self.cpu.fetch_type.val();
        self.cpu.fetch_acknowledge.next = self.fetch.acknowledge.val();
        self.memory.fetch_address.next = self.fetch.memory_address.val();
        self.cpu.fetch_data.next = self.memory.fetch_data.val();

        self.window.cycle.next = self.cpu.cycle.val();
        self.window.strobe.next = self.cpu.strobe.val();
        self.window.write.next = self.cpu.write.val();
        self.window.address.next = self.cpu.address.val();
        self.window.select.next = self.cpu.select.val();
        self.window.write_data.next = self.cpu.write_data.val();
        self.cpu.acknowledge.next = self.window.acknowledge.val();
        self.cpu.read_data.next = self.window.read_data.val();
        self.memory.address.next = self.window.memory_address.val();
        self.memory.write_bytes.next = self.window.memory_write.val();
        self.memory.write_data.next = self.cpu.write_data.val();
        self.window.memory_data.next = self.memory.read_data.val();

        self.uart.data.next = bit_cast::<8, 32>(self.cpu.write_data.val());
        self.uart.write.next = self.window.uart_write.val();
        self.window.uart_busy.next = self.uart.busy.val();
        self.uart_tx.next = self.uart.tx.val();
        self.leds.next = self.window.leds.val();

        self.accesses.write_clock.next = self.core_clock.val();
        self.accesses.write_reset.next = self.crossing.core_reset.val();
        self.accesses.data_in.next = self.window.access.val();
        self.accesses.write.next = self.window.access_push.val();
        self.window.access_room.next = !self.accesses.full.val();
        self.accesses.read_clock.next = self.clock.val();
        self.accesses.read_reset.next = self.stopped.val();
        self.offered.next = !self.accesses.empty.val() & !self.stopped.val();
        self.access_valid.next = self.offered.val();
        self.access.next = self.accesses.data_out.val();
        self.accesses.read.next = self.offered.val() & self.access_ready.val();

        self.answers.write_clock.next = self.clock.val();
        self.answers.write_reset.next = self.stopped.val();
        self.answers.data_in.next = self.answer.val();
        self.answers.write.next = self.answer_valid.val() & !self.answers.full.val();
        self.answers.read_clock.next = self.core_clock.val();
        self.answers.read_reset.next = self.crossing.core_reset.val();
        self.window.answer_valid.next = !self.answers.empty.val();
        self.window.answer.next = self.answers.data_out.val();
        self.answers.read.next = self.window.answer_pop.val();
    }
}
