//! The shim as a whole.

use super::{
    CompleterCompletion, CompleterRequest, DeviceControl, HeldReads, NonPosted,
    RequesterCompletion, RequesterRequest, TransmitSplit, WriteOrder,
};
use crate::widgets::Const;
use rust_hdl::prelude::*;

/// Completion headers that the IP's receive buffer holds (PG213, "Completion Space", table "Receiver-Buffer Completion Space", performance
/// level Extreme: CPH).
pub const CPL_HEADERS: u64 = 128;

/// Completion data that it holds, in units of 16 bytes (CPD: 32,768 bytes).
pub const CPL_DATA: u64 = 32_768 / 16;

/// Between the IP's ports, which keep their names, and the device's.
///
/// `D` = `W` / 32, `K` = log2(`D`); `RQ`, `RC`, `CQ` and `CC`: widths of `tuser`.
#[derive(LogicBlock, Default)]
pub struct Link<
    const W: usize,
    const D: usize,
    const K: usize,
    const RQ: usize,
    const RC: usize,
    const CQ: usize,
    const CC: usize,
> {
    /// user_clk.
    pub clock: Signal<In, Clock>,
    /// user_reset.
    pub reset: Signal<In, Bit>,
    /// Requester request interface.
    pub s_axis_rq_tvalid: Signal<Out, Bit>,
    /// Four equal bits.
    pub s_axis_rq_tready: Signal<In, Bits<4>>,
    /// Data.
    pub s_axis_rq_tdata: Signal<Out, Bits<W>>,
    /// Valid DWs.
    pub s_axis_rq_tkeep: Signal<Out, Bits<D>>,
    /// Last beat.
    pub s_axis_rq_tlast: Signal<Out, Bit>,
    /// Sideband.
    pub s_axis_rq_tuser: Signal<Out, Bits<RQ>>,
    /// Sequence number of a request that no completion can pass any more.
    pub pcie_rq_seq_num0: Signal<In, Bits<6>>,
    /// It is there.
    pub pcie_rq_seq_num_vld0: Signal<In, Bit>,
    /// Another one.
    pub pcie_rq_seq_num1: Signal<In, Bits<6>>,
    /// It is there.
    pub pcie_rq_seq_num_vld1: Signal<In, Bit>,
    /// The link partner's credits for headers of non-posted requests, 15 or more.
    pub pcie_tfc_nph_av: Signal<In, Bits<4>>,
    /// Requester completion interface.
    pub m_axis_rc_tvalid: Signal<In, Bit>,
    /// Beat taken.
    pub m_axis_rc_tready: Signal<Out, Bit>,
    /// Data.
    pub m_axis_rc_tdata: Signal<In, Bits<W>>,
    /// Last beat.
    pub m_axis_rc_tlast: Signal<In, Bit>,
    /// Sideband.
    pub m_axis_rc_tuser: Signal<In, Bits<RC>>,
    /// Completer request interface.
    pub m_axis_cq_tvalid: Signal<In, Bit>,
    /// Beat taken.
    pub m_axis_cq_tready: Signal<Out, Bit>,
    /// Data.
    pub m_axis_cq_tdata: Signal<In, Bits<W>>,
    /// Last beat.
    pub m_axis_cq_tlast: Signal<In, Bit>,
    /// Sideband.
    pub m_axis_cq_tuser: Signal<In, Bits<CQ>>,
    /// Credits for non-posted requests.
    pub pcie_cq_np_req: Signal<Out, Bits<2>>,
    /// Completer completion interface.
    pub s_axis_cc_tvalid: Signal<Out, Bit>,
    /// Four equal bits.
    pub s_axis_cc_tready: Signal<In, Bits<4>>,
    /// Data.
    pub s_axis_cc_tdata: Signal<Out, Bits<W>>,
    /// Valid DWs.
    pub s_axis_cc_tkeep: Signal<Out, Bits<D>>,
    /// Last beat.
    pub s_axis_cc_tlast: Signal<Out, Bit>,
    /// Sideband.
    pub s_axis_cc_tuser: Signal<Out, Bits<CC>>,
    /// Max_Payload_Size, 128 << n bytes.
    pub cfg_max_payload: Signal<In, Bits<2>>,
    /// Max_Read_Request_Size, 128 << n bytes.
    pub cfg_max_read_req: Signal<In, Bits<3>>,
    /// Read completion boundary, a bit a function.
    pub cfg_rcb_status: Signal<In, Bits<4>>,
    /// I/O, memory, bus master, INTx disable: four bits a function.
    pub cfg_function_status: Signal<In, Bits<16>>,
    /// MSI-X Enable, a bit a function.
    pub cfg_interrupt_msix_enable: Signal<In, Bits<4>>,
    /// MSI-X Function Mask, a bit a function.
    pub cfg_interrupt_msix_mask: Signal<In, Bits<4>>,
    /// Configuration management interface, in DWs.
    pub cfg_mgmt_addr: Signal<Out, Bits<10>>,
    /// A read.
    pub cfg_mgmt_read: Signal<Out, Bit>,
    /// Its data.
    pub cfg_mgmt_read_data: Signal<In, Bits<32>>,
    /// It is there.
    pub cfg_mgmt_read_write_done: Signal<In, Bit>,
    /// Since reset the IP has said that it could not read its memory: what it has delivered is wrong. It reports an uncorrectable internal
    /// error to the host, too.
    pub discontinued: Signal<Out, Bit>,

    /// As in [`Device`](crate::device::Device), from here on.
    pub cfg_mps: Signal<Out, Bits<3>>,
    /// As in the device.
    pub cfg_mrrs: Signal<Out, Bits<3>>,
    /// As in the device.
    pub cfg_rcb: Signal<Out, Bit>,
    /// As in the device.
    pub cfg_extended_tag: Signal<Out, Bit>,
    /// As in the device.
    pub cfg_bus_master: Signal<Out, Bit>,
    /// As in the device.
    pub cfg_msix_enable: Signal<Out, Bit>,
    /// As in the device.
    pub cfg_msix_mask: Signal<Out, Bit>,
    /// As in the device.
    pub cfg_cpl_headers: Signal<Out, Bits<12>>,
    /// As in the device.
    pub cfg_cpl_data: Signal<Out, Bits<16>>,
    /// As in the device.
    pub tx_valid: Signal<In, Bit>,
    /// As in the device.
    pub tx_ready: Signal<Out, Bit>,
    /// As in the device.
    pub tx_sop: Signal<In, Bit>,
    /// As in the device.
    pub tx_eop: Signal<In, Bit>,
    /// As in the device.
    pub tx_data: Signal<In, Bits<W>>,
    /// As in the device.
    pub tx_kind: Signal<In, Bits<2>>,
    /// As in the device.
    pub tx_addr: Signal<In, Bits<64>>,
    /// As in the device.
    pub tx_len: Signal<In, Bits<11>>,
    /// As in the device.
    pub tx_first_be: Signal<In, Bits<4>>,
    /// As in the device.
    pub tx_last_be: Signal<In, Bits<4>>,
    /// As in the device.
    pub tx_tag: Signal<In, Bits<10>>,
    /// As in the device.
    pub tx_id: Signal<In, Bits<16>>,
    /// As in the device.
    pub tx_byte_count: Signal<In, Bits<13>>,
    /// As in the device.
    pub tx_status: Signal<In, Bits<3>>,
    /// As in the device.
    pub cpl_valid: Signal<Out, Bit>,
    /// As in the device.
    pub cpl_sop: Signal<Out, Bit>,
    /// As in the device.
    pub cpl_eop: Signal<Out, Bit>,
    /// As in the device.
    pub cpl_data: Signal<Out, Bits<W>>,
    /// As in the device.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// As in the device.
    pub cpl_len: Signal<Out, Bits<11>>,
    /// As in the device.
    pub cpl_byte_count: Signal<Out, Bits<13>>,
    /// As in the device.
    pub cpl_lower_addr: Signal<Out, Bits<7>>,
    /// As in the device.
    pub cpl_status: Signal<Out, Bits<3>>,
    /// As in the device.
    pub cpl_poisoned: Signal<Out, Bit>,
    /// As in the device.
    pub req_valid: Signal<Out, Bit>,
    /// As in the device.
    pub req_ready: Signal<In, Bit>,
    /// As in the device.
    pub req_sop: Signal<Out, Bit>,
    /// As in the device.
    pub req_eop: Signal<Out, Bit>,
    /// As in the device.
    pub req_data: Signal<Out, Bits<W>>,
    /// As in the device.
    pub req_write: Signal<Out, Bit>,
    /// As in the device.
    pub req_addr: Signal<Out, Bits<24>>,
    /// As in the device.
    pub req_len: Signal<Out, Bits<11>>,
    /// As in the device.
    pub req_first_be: Signal<Out, Bits<4>>,
    /// As in the device.
    pub req_last_be: Signal<Out, Bits<4>>,
    /// As in the device.
    pub req_tag: Signal<Out, Bits<10>>,
    /// As in the device.
    pub req_id: Signal<Out, Bits<16>>,

    split: TransmitSplit,
    order: WriteOrder,
    held: HeldReads,
    rq: RequesterRequest<W, D, K, RQ>,
    rc: RequesterCompletion<W, D, K, RC>,
    cq: CompleterRequest<W, D, K, CQ>,
    cc: CompleterCompletion<W, D, K, CC>,
    non_posted: NonPosted,
    device_control: DeviceControl,
    bad: DFF<Bit>,
    headers: Const<12, CPL_HEADERS>,
    data: Const<16, CPL_DATA>,
    bus_master: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
}

impl<
    const W: usize,
    const D: usize,
    const K: usize,
    const RQ: usize,
    const RC: usize,
    const CQ: usize,
    const CC: usize,
> Logic for Link<W, D, K, RQ, RC, CQ, CC>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, bad);
        clock!(
            self,
            clock,
            order,
            held,
            rq,
            rc,
            cq,
            cc,
            non_posted,
            device_control
        );
        self.order.reset.next = self.reset.val();
        self.held.reset.next = self.reset.val();
        self.rq.reset.next = self.reset.val();
        self.rc.reset.next = self.reset.val();
        self.cq.reset.next = self.reset.val();
        self.cc.reset.next = self.reset.val();
        self.non_posted.reset.next = self.reset.val();
        self.device_control.reset.next = self.reset.val();

        // What the device sends.
        self.split.tx_valid.next = self.tx_valid.val();
        self.split.tx_kind.next = self.tx_kind.val();
        self.tx_ready.next = self.split.tx_ready.val();
        self.split.flushed.next = self.order.flushed.val();
        self.split.request_ready.next = self.held.in_ready.val();
        self.split.completion_ready.next = self.cc.tx_ready.val();
        self.bus_master.next = self.cfg_function_status.val().get_bit(2);
        self.held.bus_master.next = self.bus_master.val();
        self.held.nph_av.next = self.pcie_tfc_nph_av.val();
        self.held.in_valid.next = self.split.request_valid.val();
        self.held.in_eop.next = self.tx_eop.val();
        self.held.in_read.next = self.split.bare.val();
        self.held.in_room.next = self.order.room.val();
        self.held.in_addr.next = self.tx_addr.val();
        self.held.in_len.next = self.tx_len.val();
        self.held.in_first_be.next = self.tx_first_be.val();
        self.held.in_last_be.next = self.tx_last_be.val();
        self.held.in_tag.next = self.tx_tag.val();
        self.held.out_ready.next = self.rq.tx_ready.val();
        self.held.sent.next = self.rq.read_sent.val();
        self.reads.next = self.held.out_held.val() | self.split.bare.val();
        self.rq.tx_valid.next = self.held.out_valid.val();
        self.rq.tx_sop.next = self.held.out_held.val() | self.tx_sop.val();
        self.rq.tx_eop.next = self.held.out_held.val() | self.tx_eop.val();
        self.rq.tx_data.next = self.tx_data.val();
        self.rq.tx_read.next = self.reads.val();
        self.rq.tx_addr.next = self.held.out_addr.val();
        self.rq.tx_len.next = self.held.out_len.val();
        self.rq.tx_first_be.next = self.held.out_first_be.val();
        self.rq.tx_last_be.next = self.held.out_last_be.val();
        self.rq.tx_tag.next = self.held.out_tag.val();
        self.rq.tx_number.next = self.order.number.val();
        self.order.bus_master.next = self.bus_master.val();
        self.order.begins.next = (self.held.out_valid.val() & self.rq.tx_ready.val())
            & (self.tx_sop.val() & !self.reads.val());
        self.order.num0.next = self.pcie_rq_seq_num0.val();
        self.order.vld0.next = self.pcie_rq_seq_num_vld0.val();
        self.order.num1.next = self.pcie_rq_seq_num1.val();
        self.order.vld1.next = self.pcie_rq_seq_num_vld1.val();
        self.s_axis_rq_tvalid.next = self.rq.tvalid.val();
        self.rq.tready.next = self.s_axis_rq_tready.val().get_bit(0);
        self.s_axis_rq_tdata.next = self.rq.tdata.val();
        self.s_axis_rq_tkeep.next = self.rq.tkeep.val();
        self.s_axis_rq_tlast.next = self.rq.tlast.val();
        self.s_axis_rq_tuser.next = self.rq.tuser.val();
        self.cc.tx_valid.next = self.split.completion_valid.val();
        self.cc.tx_sop.next = self.tx_sop.val();
        self.cc.tx_eop.next = self.tx_eop.val();
        self.cc.tx_data.next = self.tx_data.val();
        self.cc.tx_bare.next = self.split.bare.val();
        self.cc.tx_addr.next = self.tx_addr.val();
        self.cc.tx_len.next = self.tx_len.val();
        self.cc.tx_tag.next = self.tx_tag.val();
        self.cc.tx_id.next = self.tx_id.val();
        self.cc.tx_byte_count.next = self.tx_byte_count.val();
        self.cc.tx_status.next = self.tx_status.val();
        self.s_axis_cc_tvalid.next = self.cc.tvalid.val();
        self.cc.tready.next = self.s_axis_cc_tready.val().get_bit(0);
        self.s_axis_cc_tdata.next = self.cc.tdata.val();
        self.s_axis_cc_tkeep.next = self.cc.tkeep.val();
        self.s_axis_cc_tlast.next = self.cc.tlast.val();
        self.s_axis_cc_tuser.next = self.cc.tuser.val();

        // What it gets.
        self.rc.tvalid.next = self.m_axis_rc_tvalid.val();
        self.m_axis_rc_tready.next = self.rc.tready.val();
        self.rc.tdata.next = self.m_axis_rc_tdata.val();
        self.rc.tlast.next = self.m_axis_rc_tlast.val();
        self.rc.tuser.next = self.m_axis_rc_tuser.val();
        self.cpl_valid.next = self.rc.cpl_valid.val();
        self.cpl_sop.next = self.rc.cpl_sop.val();
        self.cpl_eop.next = self.rc.cpl_eop.val();
        self.cpl_data.next = self.rc.cpl_data.val();
        self.cpl_tag.next = self.rc.cpl_tag.val();
        self.cpl_len.next = self.rc.cpl_len.val();
        self.cpl_byte_count.next = self.rc.cpl_byte_count.val();
        self.cpl_lower_addr.next = self.rc.cpl_lower_addr.val();
        self.cpl_status.next = self.rc.cpl_status.val();
        self.cpl_poisoned.next = self.rc.cpl_poisoned.val();
        self.cq.tvalid.next = self.m_axis_cq_tvalid.val();
        self.m_axis_cq_tready.next = self.cq.tready.val();
        self.cq.tdata.next = self.m_axis_cq_tdata.val();
        self.cq.tlast.next = self.m_axis_cq_tlast.val();
        self.cq.tuser.next = self.m_axis_cq_tuser.val();
        self.req_valid.next = self.cq.req_valid.val();
        self.cq.req_ready.next = self.req_ready.val();
        self.req_sop.next = self.cq.req_sop.val();
        self.req_eop.next = self.cq.req_eop.val();
        self.req_data.next = self.cq.req_data.val();
        self.req_write.next = self.cq.req_write.val();
        self.req_addr.next = self.cq.req_addr.val();
        self.req_len.next = self.cq.req_len.val();
        self.req_first_be.next = self.cq.req_first_be.val();
        self.req_last_be.next = self.cq.req_last_be.val();
        self.req_tag.next = self.cq.req_tag.val();
        self.req_id.next = self.cq.req_id.val();

        // Between requests and their completions.
        self.cq.room.next = self.non_posted.room.val();
        self.non_posted.read.next = self.cq.read.val();
        self.non_posted.request.next = self.cq.request.val();
        self.non_posted.refuse.next = self.cq.refuse.val();
        self.non_posted.refuse_head.next = self.cq.refuse_head.val();
        self.cc.request.next = self.non_posted.read_request.val();
        self.non_posted.answered.next = self.cc.answered.val();
        self.cc.refusal_valid.next = self.non_posted.refusal_valid.val();
        self.cc.refusal_head.next = self.non_posted.refusal_head.val();
        self.cc.refusal_request.next = self.non_posted.refusal_request.val();
        self.non_posted.refused.next = self.cc.refused.val();
        self.pcie_cq_np_req.next = bit_cast::<2, 1>(self.non_posted.np_req.val().into());

        // Configuration of function 0.
        self.cfg_mps.next = bit_cast::<3, 2>(self.cfg_max_payload.val());
        self.cfg_mrrs.next = self.cfg_max_read_req.val();
        self.cfg_rcb.next = self.cfg_rcb_status.val().get_bit(0);
        self.cfg_bus_master.next = self.bus_master.val();
        self.cfg_msix_enable.next = self.cfg_interrupt_msix_enable.val().get_bit(0);
        self.cfg_msix_mask.next = self.cfg_interrupt_msix_mask.val().get_bit(0);
        self.cfg_mgmt_addr.next = self.device_control.cfg_mgmt_addr.val();
        self.cfg_mgmt_read.next = self.device_control.cfg_mgmt_read.val();
        self.device_control.cfg_mgmt_read_data.next = self.cfg_mgmt_read_data.val();
        self.device_control.cfg_mgmt_read_write_done.next = self.cfg_mgmt_read_write_done.val();
        self.cfg_extended_tag.next = self.device_control.extended_tag.val();
        self.cfg_cpl_headers.next = self.headers.val();
        self.cfg_cpl_data.next = self.data.val();

        self.discontinued.next = self.bad.q.val();
        if self.cq.discontinue.val() | self.rc.discontinue.val() {
            self.bad.d.next = true;
        }
        if self.reset.val() {
            self.bad.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
