//! Completions of the host's reads, to the completer completion (CC) interface.

use crate::shim::Reframe;
use crate::widgets::{Const, Param};
use rust_hdl::prelude::*;

/// The device's completions, and refusals of what does not reach it, each behind its descriptor (PG213, "Completer Completion Descriptor
/// Format", table "Completer Completion Descriptor Fields").
///
/// Behind that of an error status come the five DWs of the request (PG213, "Completions with Error Status (UR and CA)"), for the IP's
/// log of headers.
///
/// `tuser` is that of "Sideband Signals in s_axis_cc_tuser": 33 bits at 256 bits of data, 81 at 512. The IP fills in the completer id. A refusal
/// goes out when the device has no completion on offer: it has 16 at most.
///
/// `N` = `W` / 32, `K` = log2(`N`), `U`: width of `tuser`.
#[derive(LogicBlock, Default)]
pub struct CompleterCompletion<const W: usize, const N: usize, const K: usize, const U: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A beat of a completion of the device's.
    pub tx_valid: Signal<In, Bit>,
    /// It is taken.
    pub tx_ready: Signal<Out, Bit>,
    /// First beat.
    pub tx_sop: Signal<In, Bit>,
    /// Last beat.
    pub tx_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub tx_data: Signal<In, Bits<W>>,
    /// There is none.
    pub tx_bare: Signal<In, Bit>,
    /// Lower address.
    pub tx_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub tx_len: Signal<In, Bits<11>>,
    /// Tag, of 8 bits.
    pub tx_tag: Signal<In, Bits<10>>,
    /// Requester id.
    pub tx_id: Signal<In, Bits<16>>,
    /// Byte count.
    pub tx_byte_count: Signal<In, Bits<13>>,
    /// Status.
    pub tx_status: Signal<In, Bits<3>>,
    /// The five DWs of its request.
    pub request: Signal<In, Bits<160>>,
    /// The completion's last beat is taken: the next one is another request's.
    pub answered: Signal<Out, Bit>,
    /// A refusal waits.
    pub refusal_valid: Signal<In, Bit>,
    /// Its descriptor.
    pub refusal_head: Signal<In, Bits<96>>,
    /// The five DWs of its request.
    pub refusal_request: Signal<In, Bits<160>>,
    /// It is taken.
    pub refused: Signal<Out, Bit>,
    /// s_axis_cc_tvalid.
    pub tvalid: Signal<Out, Bit>,
    /// Any bit of s_axis_cc_tready: they are the same.
    pub tready: Signal<In, Bit>,
    /// s_axis_cc_tdata.
    pub tdata: Signal<Out, Bits<W>>,
    /// s_axis_cc_tkeep.
    pub tkeep: Signal<Out, Bits<N>>,
    /// s_axis_cc_tlast.
    pub tlast: Signal<Out, Bit>,
    /// s_axis_cc_tuser.
    pub tuser: Signal<Out, Bits<U>>,

    // The device's completion has begun.
    midway: DFF<Bit>,
    reframe: Reframe<W, N, K, 3>,
    behind: Const<K, 3>,
    width: Param<10, W>,
    own: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    tag: Signal<Local, Bits<8>>,
    lower: Signal<Local, Bits<7>>,
    attributes: Signal<Local, Bits<6>>,
    len: Signal<Local, Bits<11>>,
    lane: Signal<Local, Bits<K>>,
    end_lane: Signal<Local, Bits<4>>,
    wide: Signal<Local, Bits<81>>,
}

impl<const W: usize, const N: usize, const K: usize, const U: usize> Logic
    for CompleterCompletion<W, N, K, U>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, midway);
        clock!(self, clock, reframe);
        self.reframe.reset.next = self.reset.val();
        self.own.next = self.tx_valid.val() | self.midway.q.val();
        self.lower.next = bit_cast::<7, 64>(self.tx_addr.val());
        self.lane.next = bit_cast::<K, 64>(self.tx_addr.val() >> 2);
        self.tag.next = bit_cast::<8, 10>(self.tx_tag.val());
        self.len.next = self.tx_len.val();
        if self.tx_bare.val() {
            self.len.next = 0.into();
        }
        // Traffic class and attributes, of the descriptor behind the first DW.
        self.attributes.next = self.request.val().get_bits::<6>(153);
        self.reframe.in_data.next = self.tx_data.val();
        self.reframe.to.next = self.behind.val();
        self.reframe.from.next = self.behind.val();
        if self.own.val() {
            self.reframe.in_valid.next = self.tx_valid.val();
            self.reframe.in_sop.next = self.tx_sop.val();
            self.reframe.in_eop.next = self.tx_eop.val();
            self.reframe.len.next = self.len.val();
            if !self.tx_bare.val() {
                self.reframe.from.next = self.lane.val();
            } else if self.tx_status.val().any() {
                self.reframe.len.next = 5.into();
                self.reframe.in_data.next = bit_cast::<W, 160>(self.request.val()) << 96;
            }
            // Lower address, byte count, DW count, status, requester id, tag, TC, attributes.
            self.reframe.head.next = ((bit_cast::<128, 7>(self.lower.val())
                | (bit_cast::<128, 13>(self.tx_byte_count.val()) << 16))
                | ((bit_cast::<128, 11>(self.len.val()) << 32)
                    | (bit_cast::<128, 3>(self.tx_status.val()) << 43)))
                | (((bit_cast::<128, 16>(self.tx_id.val()) << 48)
                    | (bit_cast::<128, 8>(self.tag.val()) << 64))
                    | (bit_cast::<128, 6>(self.attributes.val()) << 89));
        } else {
            self.reframe.in_valid.next = self.refusal_valid.val();
            self.reframe.in_sop.next = true;
            self.reframe.in_eop.next = true;
            self.reframe.len.next = 5.into();
            self.reframe.in_data.next = bit_cast::<W, 160>(self.refusal_request.val()) << 96;
            self.reframe.head.next = bit_cast::<128, 96>(self.refusal_head.val());
        }
        self.taken.next = self.tx_valid.val() & self.reframe.in_ready.val();
        self.tx_ready.next = self.reframe.in_ready.val();
        self.answered.next = self.taken.val() & self.tx_eop.val();
        self.refused.next =
            (self.refusal_valid.val() & self.reframe.in_ready.val()) & !self.own.val();
        if self.taken.val() {
            self.midway.d.next = !self.tx_eop.val();
        }

        self.tvalid.next = self.reframe.out_valid.val();
        self.reframe.out_ready.next = self.tready.val();
        self.tdata.next = self.reframe.out_data.val();
        self.tkeep.next = self.reframe.out_keep.val();
        self.tlast.next = self.reframe.out_eop.val();
        // is_sop[0] with is_sop0_ptr 0, is_eop[0], is_eop0_ptr.
        self.end_lane.next = 0.into();
        if self.reframe.out_eop.val() {
            self.end_lane.next = bit_cast::<4, K>(self.reframe.out_end.val());
        }
        self.wide.next = (bit_cast::<81, 1>(self.reframe.out_sop.val().into())
            | (bit_cast::<81, 1>(self.reframe.out_eop.val().into()) << 6))
            | (bit_cast::<81, 4>(self.end_lane.val()) << 8);
        self.tuser.next = 0.into();
        if self.width.val().get_bit(9) {
            self.tuser.next = bit_cast::<U, 81>(self.wide.val());
        }
        if self.reset.val() {
            self.midway.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
