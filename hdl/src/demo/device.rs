//! A device with user logic: source and sink on its streams.

use super::{CheckingSink, PatternSource};
use crate::device::{CORE_HZ, Device, WIDTHS};
use crate::sizes::{read_slots, read_tags};
use crate::soft_core::{EmitError, emit_new};
use rust_hdl::prelude::*;

// The kernel is put together here because the ports of the device that go straight through need naming but once.
macro_rules! demo_device {
    (
        $(#[$doc:meta])*
        in { $($input:ident: $input_type:ty),+ $(,)? }
        out { $($output:ident: $output_type:ty),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(LogicBlock, Default)]
        pub struct DemoDevice<
            const W: usize,
            const B: usize,
            const L: usize,
            const L1: usize,
            const HZ: usize,
            const N: usize,
            const I: usize,
            const P: usize,
            const T: usize,
        > {
            /// Engine clock, and that of the user logic.
            pub clock: Signal<In, Clock>,
            /// Soft core's clock, unrelated to the engine's.
            pub core_clock: Signal<In, Clock>,
            /// Synchronous reset of device and user logic.
            pub reset: Signal<In, Bit>,
            $(
                /// As in [`Device`].
                pub $input: Signal<In, $input_type>,
            )+
            $(
                /// As in [`Device`].
                pub $output: Signal<Out, $output_type>,
            )+
            /// `enable` of the [`PatternSource`].
            pub source_enable: Signal<In, Bit>,
            /// Its `length`, in bytes.
            pub source_length: Signal<In, Bits<48>>,
            /// Its `seed`.
            pub source_seed: Signal<In, Bits<32>>,
            /// Its `dest`.
            pub source_dest: Signal<In, Bits<16>>,
            /// Its `packets`.
            pub source_packets: Signal<Out, Bits<32>>,
            /// `clear` of the [`CheckingSink`].
            pub sink_clear: Signal<In, Bit>,
            /// Its `seed`.
            pub sink_seed: Signal<In, Bits<32>>,
            /// Its `bytes`.
            pub sink_bytes: Signal<Out, Bits<64>>,
            /// Its `packets`.
            pub sink_packets: Signal<Out, Bits<32>>,
            /// Its `mismatches`, in bytes.
            pub sink_mismatches: Signal<Out, Bits<16>>,
            /// Its `errors`, in beats.
            pub sink_errors: Signal<Out, Bits<16>>,
            /// Its `malformed`.
            pub sink_malformed: Signal<Out, Bit>,
            /// Its `wrong_packet`.
            pub sink_wrong_packet: Signal<Out, Bits<32>>,
            /// Its `wrong_position`, in bytes.
            pub sink_wrong_position: Signal<Out, Bits<48>>,
            device: Device<W, B, L, L1, HZ, N, I, P, T>,
            source: PatternSource<W, B, L>,
            sink: CheckingSink<W, B, L1>,
        }

        impl<
            const W: usize,
            const B: usize,
            const L: usize,
            const L1: usize,
            const HZ: usize,
            const N: usize,
            const I: usize,
            const P: usize,
            const T: usize,
        > Logic for DemoDevice<W, B, L, L1, HZ, N, I, P, T>
        {
            #[hdl_gen]
            fn update(&mut self) {
                clock!(self, clock, device, source, sink);
                self.device.core_clock.next = self.core_clock.val();
                self.device.reset.next = self.reset.val();
                self.device.core_halt.next = false;
                self.source.reset.next = self.reset.val();
                self.sink.reset.next = self.reset.val();
                $( self.device.$input.next = self.$input.val(); )+
                $( self.$output.next = self.device.$output.val(); )+

                // The worked example: an AXI4-Stream master on C2H, a slave on H2C.
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

                self.source.enable.next = self.source_enable.val();
                self.source.length.next = self.source_length.val();
                self.source.seed.next = self.source_seed.val();
                self.source.dest.next = self.source_dest.val();
                self.source_packets.next = self.source.packets.val();
                self.sink.clear.next = self.sink_clear.val();
                self.sink.seed.next = self.sink_seed.val();
                self.sink_bytes.next = self.sink.bytes.val();
                self.sink_packets.next = self.sink.packets.val();
                self.sink_mismatches.next = self.sink.mismatches.val();
                self.sink_errors.next = self.sink.errors.val();
                self.sink_malformed.next = self.sink.malformed.val();
                self.sink_wrong_packet.next = self.sink.wrong_packet.val();
                self.sink_wrong_position.next = self.sink.wrong_position.val();
            }
        }
    };
}

demo_device! {
    /// The [`Device`] with a [`PatternSource`] on C2H and a [`CheckingSink`] on H2C, their controls and counts at the top.
    ///
    /// Who drives those is the board's business: buttons, a logic analyser's virtual inputs, a register block. A reset through
    /// BAR0 may end an H2C packet without TLAST; it reaches the device only, so `reset` must follow before the sink counts again.
    in {
        cfg_mps: Bits<3>, cfg_mrrs: Bits<3>, cfg_rcb: Bit, cfg_extended_tag: Bit, cfg_bus_master: Bit, cfg_msix_enable: Bit,
        cfg_msix_mask: Bit, cfg_cpl_headers: Bits<12>, cfg_cpl_data: Bits<16>,
        tx_ready: Bit,
        cpl_valid: Bit, cpl_sop: Bit, cpl_eop: Bit, cpl_data: Bits<W>, cpl_tag: Bits<10>, cpl_len: Bits<11>,
        cpl_byte_count: Bits<13>, cpl_lower_addr: Bits<7>, cpl_status: Bits<3>, cpl_poisoned: Bit,
        req_valid: Bit, req_sop: Bit, req_eop: Bit, req_data: Bits<W>, req_write: Bit, req_addr: Bits<24>,
        req_len: Bits<11>, req_first_be: Bits<4>, req_last_be: Bits<4>, req_tag: Bits<10>, req_id: Bits<16>,
    }
    out {
        tx_valid: Bit, tx_sop: Bit, tx_eop: Bit, tx_data: Bits<W>, tx_kind: Bits<2>, tx_addr: Bits<64>,
        tx_len: Bits<11>, tx_first_be: Bits<4>, tx_last_be: Bits<4>, tx_tag: Bits<10>, tx_id: Bits<16>,
        tx_byte_count: Bits<13>, tx_status: Bits<3>,
        req_ready: Bit,
        leds: Bits<8>, busy: Bit,
    }
}

/// The Verilog of the demo device with a bus of `width` bits, module `top`, with the processor (the text of VexRiscv_Lite.v)
/// behind it.
///
/// # Errors
/// See [`EmitError`].
// Not generic, so that the gateware is compiled in this crate alone.
pub fn verilog(width: usize, processor: &str) -> Result<String, EmitError> {
    match width {
        64 => device::<64, 8, 3, 4, 64, 6, 7, 72>(processor),
        128 => device::<128, 16, 4, 5, 64, 6, 7, 72>(processor),
        256 => device::<256, 32, 5, 6, 64, 6, 7, 72>(processor),
        512 => device::<512, 64, 6, 7, 128, 7, 8, 136>(processor),
        _ => Err(EmitError::Width {
            width,
            widths: &WIDTHS,
        }),
    }
}

fn device<
    const W: usize,
    const B: usize,
    const L: usize,
    const L1: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
>(
    processor: &str,
) -> Result<String, EmitError> {
    const { assert!(N == read_slots(W) && T == read_tags(W)) };
    emit_new::<DemoDevice<W, B, L, L1, CORE_HZ, N, I, P, T>>(processor)
}

#[cfg(test)]
mod tests;
