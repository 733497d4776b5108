//! Requests of the device, to the requester request (RQ) interface.

use crate::shim::Reframe;
use crate::widgets::{Const, Param};
use rust_hdl::prelude::*;

/// Memory writes and reads, each behind its descriptor (PG213, "Requester Request Descriptor Formats", table "Requester Request
/// Descriptor Fields").
///
/// `tuser` is that of "Sideband Signals in s_axis_rq_tuser": 62 bits at 256 bits of data, 137 at 512. The device manages tags; its tag goes
/// out as it is. A write has the sequence number that it comes with, a read 0. TPH and parity are 0, and so are traffic class and attributes.
///
/// The IP nullifies a request whose `tvalid` falls within the packet. It does not, as `tx` has no gap within a TLP.
///
/// `N` = `W` / 32, `K` = log2(`N`), `U`: width of `tuser`.
#[derive(LogicBlock, Default)]
pub struct RequesterRequest<const W: usize, const N: usize, const K: usize, const U: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A beat of the device's.
    pub tx_valid: Signal<In, Bit>,
    /// It is taken.
    pub tx_ready: Signal<Out, Bit>,
    /// First beat.
    pub tx_sop: Signal<In, Bit>,
    /// Last beat.
    pub tx_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub tx_data: Signal<In, Bits<W>>,
    /// Memory read, otherwise write.
    pub tx_read: Signal<In, Bit>,
    /// Byte address, a multiple of 4.
    pub tx_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub tx_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub tx_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub tx_last_be: Signal<In, Bits<4>>,
    /// Tag of a read, 8 bits of which reach the link.
    pub tx_tag: Signal<In, Bits<10>>,
    /// Sequence number of a write.
    pub tx_number: Signal<In, Bits<6>>,
    /// A read goes to the IP.
    pub read_sent: Signal<Out, Bit>,
    /// s_axis_rq_tvalid.
    pub tvalid: Signal<Out, Bit>,
    /// Any bit of s_axis_rq_tready: they are the same.
    pub tready: Signal<In, Bit>,
    /// s_axis_rq_tdata.
    pub tdata: Signal<Out, Bits<W>>,
    /// s_axis_rq_tkeep.
    pub tkeep: Signal<Out, Bits<N>>,
    /// s_axis_rq_tlast.
    pub tlast: Signal<Out, Bit>,
    /// s_axis_rq_tuser.
    pub tuser: Signal<Out, Bits<U>>,

    first_be: DFF<Bits<4>>,
    last_be: DFF<Bits<4>>,
    number: DFF<Bits<6>>,
    read: DFF<Bit>,
    // That of the TLP that comes in, of which the first beat may give none out.
    latched: DFF<Bits<6>>,
    reframe: Reframe<W, N, K, 4>,
    behind: Const<K, 4>,
    width: Param<10, W>,
    lane: Signal<Local, Bits<K>>,
    tag: Signal<Local, Bits<8>>,
    payload: Signal<Local, Bits<11>>,
    now_number: Signal<Local, Bits<6>>,
    number_low: Signal<Local, Bits<4>>,
    number_high: Signal<Local, Bits<2>>,
    kind: Signal<Local, Bits<4>>,
    end_lane: Signal<Local, Bits<4>>,
    narrow: Signal<Local, Bits<62>>,
    wide: Signal<Local, Bits<137>>,
}

impl<const W: usize, const N: usize, const K: usize, const U: usize> Logic
    for RequesterRequest<W, N, K, U>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, first_be, last_be, number, read, latched);
        clock!(self, clock, reframe);
        self.reframe.reset.next = self.reset.val();
        self.reframe.in_valid.next = self.tx_valid.val();
        self.tx_ready.next = self.reframe.in_ready.val();
        self.reframe.in_sop.next = self.tx_sop.val();
        self.reframe.in_eop.next = self.tx_eop.val();
        self.reframe.in_data.next = self.tx_data.val();
        self.lane.next = bit_cast::<K, 64>(self.tx_addr.val() >> 2);
        // Request types of the table: 0 memory read, 1 memory write.
        self.payload.next = self.tx_len.val();
        self.kind.next = 1.into();
        self.reframe.from.next = self.lane.val();
        if self.tx_read.val() {
            self.payload.next = 0.into();
            self.kind.next = 0.into();
            self.reframe.from.next = self.behind.val();
        }
        self.now_number.next = self.latched.q.val();
        if self.tx_sop.val() {
            self.now_number.next = self.tx_number.val();
            if self.tx_read.val() {
                self.now_number.next = 0.into();
            }
        }
        if self.tx_valid.val() & self.reframe.in_ready.val() {
            self.latched.d.next = self.now_number.val();
        }
        self.reframe.to.next = self.behind.val();
        self.reframe.len.next = self.payload.val();
        self.tag.next = bit_cast::<8, 10>(self.tx_tag.val());
        self.reframe.head.next = (bit_cast::<128, 64>(self.tx_addr.val())
            | (bit_cast::<128, 11>(self.tx_len.val()) << 64))
            | ((bit_cast::<128, 4>(self.kind.val()) << 75)
                | (bit_cast::<128, 8>(self.tag.val()) << 96));
        if self.reframe.load.val() {
            self.first_be.d.next = self.tx_first_be.val();
            self.last_be.d.next = self.tx_last_be.val();
            self.read.d.next = self.tx_read.val();
            self.number.d.next = self.now_number.val();
        }

        self.tvalid.next = self.reframe.out_valid.val();
        self.reframe.out_ready.next = self.tready.val();
        self.tdata.next = self.reframe.out_data.val();
        self.tkeep.next = self.reframe.out_keep.val();
        self.tlast.next = self.reframe.out_eop.val();
        self.read_sent.next =
            (self.reframe.out_valid.val() & self.tready.val()) & self.read.q.val();
        // first_be, last_be, seq_num in two pieces.
        self.number_low.next = self.number.q.val().get_bits::<4>(0);
        self.number_high.next = self.number.q.val().get_bits::<2>(4);
        self.narrow.next = (bit_cast::<62, 4>(self.first_be.q.val())
            | (bit_cast::<62, 4>(self.last_be.q.val()) << 4))
            | ((bit_cast::<62, 4>(self.number_low.val()) << 24)
                | (bit_cast::<62, 2>(self.number_high.val()) << 60));
        // first_be, last_be, is_sop[0] with is_sop0_ptr 0, is_eop[0], is_eop0_ptr, seq_num0.
        self.end_lane.next = 0.into();
        if self.reframe.out_eop.val() {
            self.end_lane.next = bit_cast::<4, K>(self.reframe.out_end.val());
        }
        self.wide.next = ((bit_cast::<137, 4>(self.first_be.q.val())
            | (bit_cast::<137, 4>(self.last_be.q.val()) << 8))
            | (bit_cast::<137, 1>(self.reframe.out_sop.val().into()) << 20))
            | (((bit_cast::<137, 1>(self.reframe.out_eop.val().into()) << 26)
                | (bit_cast::<137, 4>(self.end_lane.val()) << 28))
                | (bit_cast::<137, 6>(self.number.q.val()) << 61));
        self.tuser.next = bit_cast::<U, 62>(self.narrow.val());
        if self.width.val().get_bit(9) {
            self.tuser.next = bit_cast::<U, 137>(self.wide.val());
        }
    }
}

#[cfg(test)]
mod tests;
