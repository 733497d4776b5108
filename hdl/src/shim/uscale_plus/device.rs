//! The device behind the shim: what stands beside the IP in a design.

use super::Link;
use crate::device::{CORE_HZ, Device};
use crate::sizes::{read_slots, read_tags};
use crate::soft_core::{EmitError, emit_new};
use rust_hdl::prelude::*;

// The kernel is put together here because the ports that go straight through need naming but once.
macro_rules! uscale_plus_device {
    (
        $(#[$doc:meta])*
        ip in { $($ip_in:ident: $ip_in_type:ty),+ $(,)? }
        ip out { $($ip_out:ident: $ip_out_type:ty),+ $(,)? }
        user in { $($user_in:ident: $user_in_type:ty),+ $(,)? }
        user out { $($user_out:ident: $user_out_type:ty),+ $(,)? }
        to device { $($to_device:ident),+ $(,)? }
        to link { $($to_link:ident),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(LogicBlock, Default)]
        pub struct UscalePlusDevice<
            const W: usize,
            const B: usize,
            const L: usize,
            const L1: usize,
            const HZ: usize,
            const N: usize,
            const I: usize,
            const P: usize,
            const T: usize,
            const D: usize,
            const K: usize,
            const RQ: usize,
            const RC: usize,
            const CQ: usize,
            const CC: usize,
        > {
            /// user_clk of the IP.
            pub clock: Signal<In, Clock>,
            /// Soft core's clock, unrelated to the engine's.
            pub core_clock: Signal<In, Clock>,
            /// user_reset of the IP.
            pub reset: Signal<In, Bit>,
            $(
                /// As in [`Link`].
                pub $ip_in: Signal<In, $ip_in_type>,
            )+
            $(
                /// As in [`Link`].
                pub $ip_out: Signal<Out, $ip_out_type>,
            )+
            $(
                /// As in [`Device`].
                pub $user_in: Signal<In, $user_in_type>,
            )+
            $(
                /// As in [`Device`].
                pub $user_out: Signal<Out, $user_out_type>,
            )+
            link: Link<W, D, K, RQ, RC, CQ, CC>,
            device: Device<W, B, L, L1, HZ, N, I, P, T>,
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
            const D: usize,
            const K: usize,
            const RQ: usize,
            const RC: usize,
            const CQ: usize,
            const CC: usize,
        > Logic for UscalePlusDevice<W, B, L, L1, HZ, N, I, P, T, D, K, RQ, RC, CQ, CC>
        {
            #[hdl_gen]
            fn update(&mut self) {
                clock!(self, clock, link, device);
                self.device.core_clock.next = self.core_clock.val();
                self.device.reset.next = self.reset.val();
                self.device.core_halt.next = false;
                self.link.reset.next = self.reset.val();
                $( self.link.$ip_in.next = self.$ip_in.val(); )+
                $( self.$ip_out.next = self.link.$ip_out.val(); )+
                $( self.device.$user_in.next = self.$user_in.val(); )+
                $( self.$user_out.next = self.device.$user_out.val(); )+
                $( self.device.$to_device.next = self.link.$to_device.val(); )+
                $( self.link.$to_link.next = self.device.$to_link.val(); )+
            }
        }
    };
}

uscale_plus_device! {
    /// The [`Device`] with the ports of the IP that its [`Link`] needs, under the IP's names, and the user's streams.
    ip in {
        s_axis_rq_tready: Bits<4>,
        pcie_rq_seq_num0: Bits<6>, pcie_rq_seq_num_vld0: Bit, pcie_rq_seq_num1: Bits<6>, pcie_rq_seq_num_vld1: Bit,
        pcie_tfc_nph_av: Bits<4>,
        m_axis_rc_tvalid: Bit, m_axis_rc_tdata: Bits<W>, m_axis_rc_tlast: Bit, m_axis_rc_tuser: Bits<RC>,
        m_axis_cq_tvalid: Bit, m_axis_cq_tdata: Bits<W>, m_axis_cq_tlast: Bit, m_axis_cq_tuser: Bits<CQ>,
        s_axis_cc_tready: Bits<4>,
        cfg_max_payload: Bits<2>, cfg_max_read_req: Bits<3>, cfg_rcb_status: Bits<4>, cfg_function_status: Bits<16>,
        cfg_interrupt_msix_enable: Bits<4>, cfg_interrupt_msix_mask: Bits<4>,
        cfg_mgmt_read_data: Bits<32>, cfg_mgmt_read_write_done: Bit,
    }
    ip out {
        s_axis_rq_tvalid: Bit, s_axis_rq_tdata: Bits<W>, s_axis_rq_tkeep: Bits<D>, s_axis_rq_tlast: Bit,
        s_axis_rq_tuser: Bits<RQ>,
        m_axis_rc_tready: Bit, m_axis_cq_tready: Bit, pcie_cq_np_req: Bits<2>,
        s_axis_cc_tvalid: Bit, s_axis_cc_tdata: Bits<W>, s_axis_cc_tkeep: Bits<D>, s_axis_cc_tlast: Bit,
        s_axis_cc_tuser: Bits<CC>,
        cfg_mgmt_addr: Bits<10>, cfg_mgmt_read: Bit, discontinued: Bit,
    }
    user in {
        s_axis_c2h_tvalid: Bit, s_axis_c2h_tdata: Bits<W>, s_axis_c2h_tkeep: Bits<B>, s_axis_c2h_tlast: Bit,
        s_axis_c2h_tdest: Bits<16>,
        m_axis_h2c_tready: Bit,
    }
    user out {
        s_axis_c2h_tready: Bit,
        m_axis_h2c_tvalid: Bit, m_axis_h2c_tdata: Bits<W>, m_axis_h2c_tkeep: Bits<B>, m_axis_h2c_tlast: Bit,
        m_axis_h2c_tdest: Bits<16>, m_axis_h2c_tuser: Bit,
        leds: Bits<8>, busy: Bit,
    }
    to device {
        cfg_mps, cfg_mrrs, cfg_rcb, cfg_extended_tag, cfg_bus_master, cfg_msix_enable, cfg_msix_mask, cfg_cpl_headers,
        cfg_cpl_data,
        tx_ready,
        cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned,
        req_valid, req_sop, req_eop, req_data, req_write, req_addr, req_len, req_first_be, req_last_be, req_tag, req_id,
    }
    to link {
        tx_valid, tx_sop, tx_eop, tx_data, tx_kind, tx_addr, tx_len, tx_first_be, tx_last_be, tx_tag, tx_id,
        tx_byte_count, tx_status,
        req_ready,
    }
}

/// Widths of the data path that the shim has.
pub const WIDTHS: [usize; 2] = [256, 512];

/// The Verilog of the device behind the shim with a bus of `width` bits, module `top`, with the processor (the text of
/// VexRiscv_Lite.v) behind it.
///
/// # Errors
/// See [`EmitError`].
// Not generic, so that the gateware is compiled in this crate alone.
pub fn verilog(width: usize, processor: &str) -> Result<String, EmitError> {
    const {
        assert!(read_slots(256) == 64 && read_tags(256) == 72);
        assert!(read_slots(512) == 128 && read_tags(512) == 136);
        // The IP's tags have 8 bits.
        assert!(read_tags(512) <= 256);
    };
    match width {
        256 => emit_new::<
            UscalePlusDevice<256, 32, 5, 6, CORE_HZ, 64, 6, 7, 72, 8, 3, 62, 75, 88, 33>,
        >(processor),
        512 => emit_new::<
            UscalePlusDevice<512, 64, 6, 7, CORE_HZ, 128, 7, 8, 136, 16, 4, 137, 161, 183, 81>,
        >(processor),
        _ => Err(EmitError::Width {
            width,
            widths: &WIDTHS,
        }),
    }
}
