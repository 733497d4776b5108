//! The soft core: VexRiscv_Lite with its memory, a memory-mapped window, and the two mailbox FIFOs to the engine's clock.
//!
//! ```text
//!              core_clock                                        clock
//!   Cpu --fetch--> FetchPort --> CoreMemory
//!       --data---> Window -----> CoreMemory
//!                        <------ AsyncFifo <------ messages  msg_*
//!                        ------> AsyncFifo ------> commands  cmd_*
//!                                ResetCrossing <-- reset: of core and mailbox
//!                                ResetCrossing <-- restart: of the core alone
//! ```
//!
//! A restart leaves the mailbox as it is: what the firmware has not taken is still there, and a command is sent whole, by the write of its last
//! word, or not at all. `again` tells the engine when the old firmware is gone and the new one has not begun.
//!
//! The processor itself is third-party Verilog that the build fetches; [`emit`] appends it. In the native simulation it stands
//! still, everything around it is modelled.

mod cpu;
mod emit;
mod fetch;
mod memory;
mod reset;
mod watchdog;
mod window;

#[cfg(test)]
mod tests;

pub use cpu::Cpu;
pub(crate) use emit::emit_new;
pub use emit::{EmitError, FIRMWARE_IMAGE, Program, emit, memory_verilog};
pub use fetch::FetchPort;
pub use memory::CoreMemory;
pub use reset::ResetCrossing;
pub use watchdog::Watchdog;
pub use window::Window;

use crate::sizes::{Full, Sizes};
use crate::widgets::{AsyncFifo, Synchroniser};
use rust_hdl::prelude::*;

/// log2 of the words in the core's memory.
pub const MEMORY_WORDS_LOG2: usize = 13;

/// Bytes of the core's memory: a firmware image, with its data and stack, must fit.
pub const MEMORY_BYTES: usize = 4 << MEMORY_WORDS_LOG2;

/// Soft core with mailbox; `HZ` is the frequency of `core_clock`, which the firmware reads.
///
/// Streams are of 128-bit mailbox entries, as in [`pinring_protocol::mailbox`]. `reset` may be of any length; until the core
/// is through its own reset, `msg_ready` and `cmd_valid` are low.
#[derive(LogicBlock, Default)]
pub struct SoftCore<const HZ: usize, S: Sizes = Full> {
    /// Engine's clock.
    pub clock: Signal<In, Clock>,
    /// Engine's reset: restarts the firmware and empties the mailbox.
    pub reset: Signal<In, Bit>,
    /// Core's clock, unrelated to the engine's.
    pub core_clock: Signal<In, Clock>,
    /// A message to the firmware is on offer.
    pub msg_valid: Signal<In, Bit>,
    /// It is taken.
    pub msg_ready: Signal<Out, Bit>,
    /// The message.
    pub msg_data: Signal<In, Bits<128>>,
    /// It is a quarter of an admin entry.
    pub msg_raw: Signal<In, Bit>,
    /// A command of the firmware is on offer.
    pub cmd_valid: Signal<Out, Bit>,
    /// It is taken.
    pub cmd_ready: Signal<In, Bit>,
    /// The command.
    pub cmd_data: Signal<Out, Bits<128>>,
    /// Restart the core alone: for one cycle.
    pub restart: Signal<In, Bit>,
    /// From the cycle behind `restart` on, until the core is about to run again.
    pub restarting: Signal<Out, Bit>,
    /// For one cycle, in a restart: the old firmware does nothing any more, the new one nothing yet.
    pub again: Signal<Out, Bit>,
    /// For tests, from a flip-flop of any clock: the core stops at its next data access, which is not made. Tie low.
    pub halt: Signal<In, Bit>,
    /// LEDs, in the core's clock.
    pub leds: Signal<Out, Bits<8>>,
    cpu: Cpu,
    memory: CoreMemory<MEMORY_WORDS_LOG2, 0>,
    fetch: FetchPort<MEMORY_WORDS_LOG2>,
    window: Window<MEMORY_WORDS_LOG2, HZ, S>,
    // Room for a MISS of every context, so that a table that sends one never waits for the firmware.
    messages: AsyncFifo<Bits<129>, 6, 7>,
    commands: AsyncFifo<Bits<128>, 4, 5>,
    crossing: ResetCrossing,
    core_crossing: ResetCrossing,
    halted: Synchroniser<Bit>,
    was_down: DFF<Bit>,
    held: Signal<Local, Bit>,
    down: Signal<Local, Bit>,
    core_reset: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    offered: Signal<Local, Bit>,
}

impl<const HZ: usize, S: Sizes> Logic for SoftCore<HZ, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, was_down);
        clock!(self, clock, crossing, core_crossing);
        clock!(self, core_clock, cpu, memory, fetch, window, halted);
        self.crossing.core_clock.next = self.core_clock.val();
        self.core_crossing.core_clock.next = self.core_clock.val();
        self.core_crossing.reset.next = self.restart.val();
        self.down.next = self.core_crossing.engine_reset.val();
        self.was_down.d.next = self.down.val();
        // From a flip-flop: the watchdog's request depends on it.
        self.restarting.next = self.was_down.q.val();
        self.again.next = self.was_down.q.val() & !self.down.val();
        self.core_reset.next = self.crossing.core_reset.val() | self.core_crossing.core_reset.val();
        self.halted.d.next = self.halt.val();
        self.window.halt.next = self.halted.q.val();
        self.crossing.reset.next = self.reset.val();
        self.held.next = self.crossing.engine_reset.val();
        self.cpu.reset.next = self.core_reset.val();
        self.fetch.reset.next = self.core_reset.val();
        self.window.reset.next = self.core_reset.val();

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
        self.leds.next = self.window.leds.val();

        self.messages.write_clock.next = self.clock.val();
        self.messages.write_reset.next = self.held.val();
        self.room.next = !self.messages.full.val() & !self.held.val();
        self.msg_ready.next = self.room.val();
        self.messages.data_in.next = bit_cast::<129, 128>(self.msg_data.val())
            | (bit_cast::<129, 1>(self.msg_raw.val().into()) << 128);
        self.messages.write.next = self.msg_valid.val() & self.room.val();
        self.messages.read_clock.next = self.core_clock.val();
        self.messages.read_reset.next = self.crossing.core_reset.val();
        self.window.message_valid.next = !self.messages.empty.val();
        self.window.message.next = self.messages.data_out.val().get_bits::<128>(0);
        self.window.message_raw.next = self.messages.data_out.val().get_bits::<1>(128).any();
        self.messages.read.next = self.window.message_pop.val();

        self.commands.write_clock.next = self.core_clock.val();
        self.commands.write_reset.next = self.crossing.core_reset.val();
        self.window.command_room.next = !self.commands.full.val();
        self.commands.data_in.next = self.window.command.val();
        self.commands.write.next = self.window.command_push.val();
        self.commands.read_clock.next = self.clock.val();
        self.commands.read_reset.next = self.held.val();
        self.offered.next = !self.commands.empty.val() & !self.held.val();
        self.cmd_valid.next = self.offered.val();
        self.cmd_data.next = self.commands.data_out.val();
        self.commands.read.next = self.offered.val() & self.cmd_ready.val();
    }
}
