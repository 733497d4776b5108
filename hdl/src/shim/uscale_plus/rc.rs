//! Completions of the device's reads, from the requester completion (RC) interface.

use crate::shim::Reframe;
use crate::widgets::{Const, Param};
use rust_hdl::prelude::*;

/// Turns completions into the device's `cpl` stream.
///
/// The descriptor is that of PG213, "Requester Completion Descriptor Format", table "Requester Completion Descriptor Fields"; `tuser` that of "Sideband
/// Signals in m_axis_rc_tuser", 75 bits at 256 bits of data, 161 at 512. Its error codes ("Handling of Completion Errors"):
///
/// | code | the device sees |
/// |---|---|
/// | 0 no error, 2 UR, CA or CRS | header and data as they are |
/// | 1 poisoned | `cpl_poisoned` |
/// | 3 byte count, 4 requester id, TC or attributes, 5 start address | a byte count of 8188, which no read waits for: malformed. With the lower address' two bits added it stays below 8192 |
/// | 3, 4, 5 and 9 time-out with Request Completed, which the IP has given up | a completion without data and with status CA, which ends the read at once |
/// | 6 unknown tag, 8 FLR, 9 otherwise, and reserved ones | nothing: they answer nothing that is waited for |
///
/// `N` = `W` / 32, `K` = log2(`N`), `U`: width of `tuser`.
#[derive(LogicBlock, Default)]
pub struct RequesterCompletion<const W: usize, const N: usize, const K: usize, const U: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// m_axis_rc_tvalid.
    pub tvalid: Signal<In, Bit>,
    /// m_axis_rc_tready. The device takes every beat, but some take two cycles here.
    pub tready: Signal<Out, Bit>,
    /// m_axis_rc_tdata.
    pub tdata: Signal<In, Bits<W>>,
    /// m_axis_rc_tlast.
    pub tlast: Signal<In, Bit>,
    /// m_axis_rc_tuser.
    pub tuser: Signal<In, Bits<U>>,
    /// The IP could not read its memory: what this beat's packet has brought is wrong.
    pub discontinue: Signal<Out, Bit>,
    /// A beat of a read completion.
    pub cpl_valid: Signal<Out, Bit>,
    /// First beat.
    pub cpl_sop: Signal<Out, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<Out, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<Out, Bits<W>>,
    /// Tag.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// DWs.
    pub cpl_len: Signal<Out, Bits<11>>,
    /// Bytes still to come.
    pub cpl_byte_count: Signal<Out, Bits<13>>,
    /// Lower address.
    pub cpl_lower_addr: Signal<Out, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<Out, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<Out, Bit>,

    // A packet's first beat was before.
    midway: DFF<Bit>,
    // Descriptor of the packet that comes in, and of the beat on offer.
    descriptor: DFF<Bits<96>>,
    out: DFF<Bits<96>>,

    reframe: Reframe<W, N, K, 0>,
    behind: Const<K, 3>,
    width: Param<10, W>,
    never: Const<13, 8188>,
    sideband: Signal<Local, Bits<161>>,
    sop: Signal<Local, Bit>,
    now: Signal<Local, Bits<96>>,
    now_code: Signal<Local, Bits<4>>,
    now_len: Signal<Local, Bits<11>>,
    lane: Signal<Local, Bits<K>>,
    given_up: Signal<Local, Bit>,
    vanishes: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    code: Signal<Local, Bits<4>>,
}

impl<const W: usize, const N: usize, const K: usize, const U: usize> Logic
    for RequesterCompletion<W, N, K, U>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, midway, descriptor, out);
        clock!(self, clock, reframe);
        self.reframe.reset.next = self.reset.val();
        self.sideband.next = bit_cast::<161, U>(self.tuser.val());
        self.sop.next = !self.midway.q.val();

        // Lower address, error code, byte count, DW count, status, poisoned, requester id, tag.
        self.now.next = self.descriptor.q.val();
        if self.sop.val() {
            self.now.next = bit_cast::<96, W>(self.tdata.val());
        }
        self.descriptor.d.next = self.now.val();
        self.now_code.next = self.now.val().get_bits::<4>(12);
        self.now_len.next = self.now.val().get_bits::<11>(32);
        self.lane.next = bit_cast::<K, 96>(self.now.val() >> 2);
        self.given_up.next = self.now.val().get_bit(30)
            & (((self.now_code.val() > 2) & (self.now_code.val() < 6))
                | (self.now_code.val() == 9));
        // Of what is given up, all beats but the first.
        self.vanishes.next = (self.now_code.val() > 5) & !self.given_up.val();
        if self.given_up.val() & self.midway.q.val() {
            self.vanishes.next = true;
        }
        self.ready.next = self.reframe.in_ready.val() | self.vanishes.val();
        self.tready.next = self.ready.val();
        if self.tvalid.val() & self.ready.val() {
            self.midway.d.next = !self.tlast.val();
        }
        self.discontinue.next =
            (self.tvalid.val() & self.ready.val()) & self.sideband.val().get_bit(42);
        if self.width.val().get_bit(9) {
            self.discontinue.next =
                (self.tvalid.val() & self.ready.val()) & self.sideband.val().get_bit(96);
        }

        self.reframe.in_valid.next = self.tvalid.val() & !self.vanishes.val();
        self.reframe.in_sop.next = self.sop.val();
        self.reframe.in_eop.next = self.tlast.val() | self.given_up.val();
        self.reframe.in_data.next = self.tdata.val();
        self.reframe.from.next = self.behind.val();
        self.reframe.to.next = self.behind.val();
        self.reframe.len.next = 0.into();
        if self.now_len.val().any() & !self.given_up.val() {
            self.reframe.to.next = self.lane.val();
            self.reframe.len.next = self.now_len.val();
        }
        self.reframe.head.next = 0.into();
        self.reframe.out_ready.next = true;
        if self.reframe.load.val() {
            self.out.d.next = self.now.val();
        }

        self.cpl_valid.next = self.reframe.out_valid.val();
        self.cpl_sop.next = self.reframe.out_sop.val();
        self.cpl_eop.next = self.reframe.out_eop.val();
        self.cpl_data.next = self.reframe.out_data.val();
        self.code.next = self.out.q.val().get_bits::<4>(12);
        self.cpl_lower_addr.next = self.out.q.val().get_bits::<7>(0);
        self.cpl_byte_count.next = self.out.q.val().get_bits::<13>(16);
        self.cpl_len.next = self.out.q.val().get_bits::<11>(32);
        self.cpl_status.next = self.out.q.val().get_bits::<3>(43);
        self.cpl_poisoned.next = (self.code.val() == 1) | self.out.q.val().get_bit(46);
        self.cpl_tag.next = bit_cast::<10, 8>(self.out.q.val().get_bits::<8>(64));
        if self.code.val() > 2 {
            self.cpl_byte_count.next = self.never.val();
            self.cpl_status.next = 0.into();
            if self.out.q.val().get_bit(30) {
                self.cpl_status.next = 4.into();
                self.cpl_len.next = 0.into();
                self.cpl_poisoned.next = false;
            }
        }
        if self.reset.val() {
            self.midway.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
