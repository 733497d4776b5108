//! The self-test image: a device, user logic, and a host on the same chip.

use super::receiver::{MPS, MRRS};
use super::{HostProcessor, RootComplex};
use crate::demo::{CheckingSink, PatternSource};
use crate::device::Device;
use crate::sizes::Small;
use crate::soft_core::{EmitError, emit_new};
use crate::widgets::Const;
use pinring_protocol::selftest::UART_BAUD;
use rust_hdl::prelude::*;

/// Bits of the image's bus.
pub const WIDTH: usize = 64;

/// Frequency of `core_clock`, which the firmware and the host are told, in Hz.
pub const CORE_HZ: usize = 62_500_000;

/// Cycles of `core_clock` for a bit on the UART.
pub const UART_BIT: usize = (CORE_HZ + UART_BAUD as usize / 2) / UART_BAUD as usize;

/// What a board needs: two clocks, a reset, switches, LEDs and a UART.
#[derive(LogicBlock, Default)]
pub struct SelfTest {
    /// Engine's clock.
    pub clock: Signal<In, Clock>,
    /// Clock of the soft core and of the host's processor, unrelated to the engine's.
    pub core_clock: Signal<In, Clock>,
    /// Synchronous reset: the test begins anew.
    pub reset: Signal<In, Bit>,
    /// Faults to inject, from any clock: bit 0 spoils a write to host memory, bit 1 the data of a read.
    pub fault: Signal<In, Bits<2>>,
    /// The report, in `core_clock`.
    pub uart_tx: Signal<Out, Bit>,
    /// In `core_clock`: LEDs 6:0 are the host's, LED 7 blinks while the device's firmware serves.
    pub leds: Signal<Out, Bits<8>>,
    device: Device<64, 8, 3, 4, CORE_HZ, 32, 5, 6, 40, Small>,
    source: PatternSource<64, 8, 3>,
    sink: CheckingSink<64, 8, 4>,
    root: RootComplex,
    host: HostProcessor<CORE_HZ, UART_BIT>,
    mps: Const<3, MPS>,
    mrrs: Const<3, MRRS>,
    cpl_headers: Const<12, 0x400>,
    cpl_data: Const<16, 0x1000>,
}

impl Logic for SelfTest {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, device, source, sink, root, host);
        self.device.core_clock.next = self.core_clock.val();
        self.host.core_clock.next = self.core_clock.val();
        self.device.reset.next = self.reset.val();
        self.device.core_halt.next = false;
        self.source.reset.next = self.reset.val();
        self.sink.reset.next = self.reset.val();
        self.host.reset.next = self.reset.val();
        self.root.reset.next = self.host.held.val();
        self.root.fault.next = self.fault.val();

        // What configuration software would have set; completions wait nowhere.
        self.device.cfg_mps.next = self.mps.val();
        self.device.cfg_mrrs.next = self.mrrs.val();
        self.device.cfg_rcb.next = false;
        self.device.cfg_extended_tag.next = true;
        self.device.cfg_bus_master.next = true;
        self.device.cfg_msix_enable.next = true;
        self.device.cfg_msix_mask.next = false;
        self.device.cfg_cpl_headers.next = self.cpl_headers.val();
        self.device.cfg_cpl_data.next = self.cpl_data.val();

        // The link.
        self.root.tx_valid.next = self.device.tx_valid.val();
        self.device.tx_ready.next = self.root.tx_ready.val();
        self.root.tx_sop.next = self.device.tx_sop.val();
        self.root.tx_eop.next = self.device.tx_eop.val();
        self.root.tx_data.next = self.device.tx_data.val();
        self.root.tx_kind.next = self.device.tx_kind.val();
        self.root.tx_addr.next = self.device.tx_addr.val();
        self.root.tx_len.next = self.device.tx_len.val();
        self.root.tx_first_be.next = self.device.tx_first_be.val();
        self.root.tx_last_be.next = self.device.tx_last_be.val();
        self.root.tx_tag.next = self.device.tx_tag.val();
        self.root.tx_status.next = self.device.tx_status.val();
        self.device.cpl_valid.next = self.root.cpl_valid.val();
        self.device.cpl_sop.next = self.root.cpl_sop.val();
        self.device.cpl_eop.next = self.root.cpl_eop.val();
        self.device.cpl_data.next = self.root.cpl_data.val();
        self.device.cpl_tag.next = self.root.cpl_tag.val();
        self.device.cpl_len.next = self.root.cpl_len.val();
        self.device.cpl_byte_count.next = self.root.cpl_byte_count.val();
        self.device.cpl_lower_addr.next = self.root.cpl_lower_addr.val();
        self.device.cpl_status.next = self.root.cpl_status.val();
        self.device.cpl_poisoned.next = false;
        self.device.req_valid.next = self.root.req_valid.val();
        self.root.req_ready.next = self.device.req_ready.val();
        self.device.req_sop.next = true;
        self.device.req_eop.next = true;
        self.device.req_data.next = self.root.req_data.val();
        self.device.req_write.next = self.root.req_write.val();
        self.device.req_addr.next = self.root.req_addr.val();
        self.device.req_len.next = self.root.req_len.val();
        self.device.req_first_be.next = self.root.req_first_be.val();
        self.device.req_last_be.next = self.root.req_last_be.val();
        self.device.req_tag.next = self.root.req_tag.val();
        self.device.req_id.next = 0.into();

        // The user logic.
        self.device.s_axis_c2h_tvalid.next = self.source.m_tvalid.val();
        self.source.m_tready.next = self.device.s_axis_c2h_tready.val();
        self.device.s_axis_c2h_tdata.next = self.source.m_tdata.val();
        self.device.s_axis_c2h_tkeep.next = self.source.m_tkeep.val();
        self.device.s_axis_c2h_tlast.next = self.source.m_tlast.val();
        self.device.s_axis_c2h_tdest.next = self.source.m_tdest.val();
        self.sink.s_tvalid.next = self.device.m_axis_h2c_tvalid.val();
        self.device.m_axis_h2c_tready.next = self.sink.s_tready.val();
        self.sink.s_tdata.next = self.device.m_axis_h2c_tdata.val();
        self.sink.s_tkeep.next = self.device.m_axis_h2c_tkeep.val();
        self.sink.s_tlast.next = self.device.m_axis_h2c_tlast.val();
        self.sink.s_tuser.next = self.device.m_axis_h2c_tuser.val();
        self.source.enable.next = self.root.source_enable.val();
        self.source.length.next = bit_cast::<48, 32>(self.root.source_length.val());
        self.source.seed.next = self.root.source_seed.val();
        self.source.dest.next = 0.into();
        self.root.source_packets.next = self.source.packets.val();
        self.sink.clear.next = self.root.sink_clear.val();
        self.sink.seed.next = self.root.sink_seed.val();
        self.root.sink_bytes.next = self.sink.bytes.val().get_bits::<32>(0);
        self.root.sink_packets.next = self.sink.packets.val();
        self.root.sink_wrong.next = bit_cast::<32, 16>(self.sink.mismatches.val())
            | (bit_cast::<32, 16>(self.sink.errors.val()) << 16);
        self.root.stream_malformed.next = self.sink.malformed.val();

        // The host's processor.
        self.root.access.next = self.host.access.val();
        self.root.access_valid.next = self.host.access_valid.val();
        self.host.access_ready.next = self.root.access_ready.val();
        self.host.answer_valid.next = self.root.answer_valid.val();
        self.host.answer.next = self.root.answer.val();
        self.uart_tx.next = self.host.uart_tx.val();
        self.leds.next = (self.host.leds.val() & 0x7f)
            | (bit_cast::<8, 1>(self.device.leds.val().get_bit(0).into()) << 7);
    }
}

/// The Verilog of the image, module `top`, with the processor (the text of VexRiscv_Lite.v) behind it.
///
/// # Errors
/// See [`EmitError`].
// Not generic, so that the gateware is compiled in this crate alone.
pub fn verilog(processor: &str) -> Result<String, EmitError> {
    emit_new::<SelfTest>(processor)
}

#[cfg(test)]
mod tests;
