//! Requests of the host, from the completer request (CQ) interface.

use crate::shim::{ReadSpan, Reframe};
use crate::widgets::{Const, Param};
use pinring_protocol::registers::aperture::BAR0_BYTES;
use rust_hdl::prelude::*;

// The kernel takes this many bits of an address for the offset in BAR0.
const _: () = assert!(BAR0_BYTES == 1 << 17);

/// Memory reads and writes of BAR0 go to the device; what else the IP hands in does not reach it.
///
/// The descriptor is that of PG213, "Completer Request Descriptor Formats", table "Completer Request Descriptor Fields"; `tuser` that of "Sideband
/// Signals in m_axis_cq_tuser", 88 bits at 256 bits of data, 183 at 512. Other non-posted requests (another BAR, I/O, atomics, locked reads) are
/// refused with status UR (PCIe Base Spec 5.0, 2.3.1); other posted ones (another BAR, messages) vanish.
///
/// `N` = `W` / 32, `K` = log2(`N`), `U`: width of `tuser`.
#[derive(LogicBlock, Default)]
pub struct CompleterRequest<const W: usize, const N: usize, const K: usize, const U: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// m_axis_cq_tvalid.
    pub tvalid: Signal<In, Bit>,
    /// m_axis_cq_tready.
    pub tready: Signal<Out, Bit>,
    /// m_axis_cq_tdata.
    pub tdata: Signal<In, Bits<W>>,
    /// m_axis_cq_tlast.
    pub tlast: Signal<In, Bit>,
    /// m_axis_cq_tuser.
    pub tuser: Signal<In, Bits<U>>,
    /// The IP could not read its memory: what this beat's packet has brought is wrong.
    pub discontinue: Signal<Out, Bit>,
    /// A further non-posted request has room.
    pub room: Signal<In, Bit>,
    /// A read goes to the device, with `request`.
    pub read: Signal<Out, Bit>,
    /// What a completion with an error status brings of its request (PG213, "Completions with Error Status (UR and CA)"): byte enables and TPH
    /// signals in a DW, and the descriptor.
    pub request: Signal<Out, Bits<160>>,
    /// A request is refused, with `refuse_head` and `request`.
    pub refuse: Signal<Out, Bit>,
    /// Descriptor of its completion.
    pub refuse_head: Signal<Out, Bits<96>>,
    /// A beat of a request to BAR0.
    pub req_valid: Signal<Out, Bit>,
    /// It is taken.
    pub req_ready: Signal<In, Bit>,
    /// First beat.
    pub req_sop: Signal<Out, Bit>,
    /// Last beat.
    pub req_eop: Signal<Out, Bit>,
    /// Address-aligned data.
    pub req_data: Signal<Out, Bits<W>>,
    /// Write, otherwise read.
    pub req_write: Signal<Out, Bit>,
    /// Byte offset.
    pub req_addr: Signal<Out, Bits<24>>,
    /// DWs.
    pub req_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub req_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub req_last_be: Signal<Out, Bits<4>>,
    /// Tag.
    pub req_tag: Signal<Out, Bits<10>>,
    /// Requester id.
    pub req_id: Signal<Out, Bits<16>>,

    // A packet's first beat was before; it goes to the device.
    midway: DFF<Bit>,
    passes: DFF<Bit>,
    // Descriptor and byte enables of the packet that comes in, and of the beat on offer.
    descriptor: DFF<Bits<128>>,
    enables: DFF<Bits<8>>,
    o_descriptor: DFF<Bits<128>>,
    o_enables: DFF<Bits<8>>,

    span: ReadSpan,
    reframe: Reframe<W, N, K, 0>,
    behind: Const<K, 4>,
    width: Param<10, W>,
    sideband: Signal<Local, Bits<183>>,
    sop: Signal<Local, Bit>,
    now: Signal<Local, Bits<128>>,
    enables_now: Signal<Local, Bits<8>>,
    kind: Signal<Local, Bits<4>>,
    writes: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
    posted: Signal<Local, Bit>,
    hint: Signal<Local, Bits<3>>,
    steering: Signal<Local, Bits<8>>,
    bar0: Signal<Local, Bit>,
    goes: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    lane: Signal<Local, Bits<K>>,
    lower: Signal<Local, Bits<7>>,
    count: Signal<Local, Bits<13>>,
    bytes: Signal<Local, Bits<13>>,
    out: Signal<Local, Bits<128>>,
}

impl<const W: usize, const N: usize, const K: usize, const U: usize> Logic
    for CompleterRequest<W, N, K, U>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            midway,
            passes,
            descriptor,
            enables,
            o_descriptor,
            o_enables
        );
        clock!(self, clock, reframe);
        self.reframe.reset.next = self.reset.val();
        self.sideband.next = bit_cast::<183, U>(self.tuser.val());
        self.sop.next = !self.midway.q.val();

        // Address, DW count, request type, requester id, tag, target function, BAR id, BAR aperture, TC, attributes.
        self.now.next = self.descriptor.q.val();
        self.enables_now.next = self.enables.q.val();
        if self.sop.val() {
            self.now.next = bit_cast::<128, W>(self.tdata.val());
            self.enables_now.next = bit_cast::<8, 183>(self.sideband.val());
            if self.width.val().get_bit(9) {
                // first_be[7:4] is the second request's, which only straddling brings.
                self.enables_now.next = bit_cast::<8, 4>(self.sideband.val().get_bits::<4>(0))
                    | (bit_cast::<8, 4>(self.sideband.val().get_bits::<4>(8)) << 4);
            }
        }
        self.descriptor.d.next = self.now.val();
        self.enables.d.next = self.enables_now.val();
        self.kind.next = self.now.val().get_bits::<4>(75);
        self.bar0.next = self.now.val().get_bits::<3>(112) == 0;
        self.writes.next = (self.kind.val() == 1) & self.bar0.val();
        self.reads.next = (self.kind.val() == 0) & self.bar0.val();
        // Memory writes, and 12 to 15, messages.
        self.posted.next =
            (self.kind.val() == 1) | (self.kind.val().get_bit(3) & self.kind.val().get_bit(2));

        self.goes.next = self.passes.q.val();
        if self.sop.val() {
            self.goes.next = self.writes.val() | (self.reads.val() & self.room.val());
        }
        self.ready.next = self.reframe.in_ready.val();
        if !self.goes.val() {
            self.ready.next = (self.midway.q.val() | self.posted.val()) | self.room.val();
        }
        self.tready.next = self.ready.val();
        self.begins.next = (self.tvalid.val() & self.ready.val()) & self.sop.val();
        if self.tvalid.val() & self.ready.val() {
            self.midway.d.next = !self.tlast.val();
            self.passes.d.next = self.goes.val();
        }
        self.discontinue.next =
            (self.tvalid.val() & self.ready.val()) & self.sideband.val().get_bit(41);
        if self.width.val().get_bit(9) {
            self.discontinue.next =
                (self.tvalid.val() & self.ready.val()) & self.sideband.val().get_bit(96);
        }

        // To the device.
        self.lane.next = bit_cast::<K, 128>(self.now.val() >> 2);
        self.reframe.in_valid.next = self.tvalid.val() & self.goes.val();
        self.reframe.in_sop.next = self.sop.val();
        self.reframe.in_eop.next = self.tlast.val();
        self.reframe.in_data.next = self.tdata.val();
        self.reframe.from.next = self.behind.val();
        self.reframe.to.next = self.behind.val();
        self.reframe.len.next = 0.into();
        if self.writes.val() {
            self.reframe.to.next = self.lane.val();
            self.reframe.len.next = self.now.val().get_bits::<11>(64);
        }
        self.reframe.head.next = 0.into();
        self.read.next = self.begins.val() & self.reads.val();
        // tph_present with tph_type, and tph_st_tag.
        self.hint.next = self.sideband.val().get_bits::<3>(42);
        self.steering.next = self.sideband.val().get_bits::<8>(45);
        if self.width.val().get_bit(9) {
            self.hint.next = bit_cast::<3, 1>(self.sideband.val().get_bits::<1>(97))
                | (bit_cast::<3, 2>(self.sideband.val().get_bits::<2>(99)) << 1);
            self.steering.next = self.sideband.val().get_bits::<8>(103);
        }
        self.request.next = ((bit_cast::<160, 8>(self.enables_now.val())
            | (bit_cast::<160, 3>(self.hint.val()) << 8))
            | (bit_cast::<160, 8>(self.steering.val()) << 16))
            | (bit_cast::<160, 128>(self.now.val()) << 32);
        if self.reframe.load.val() {
            self.o_descriptor.d.next = self.now.val();
            self.o_enables.d.next = self.enables_now.val();
        }
        self.out.next = self.o_descriptor.q.val();
        self.req_valid.next = self.reframe.out_valid.val();
        self.reframe.out_ready.next = self.req_ready.val();
        self.req_sop.next = self.reframe.out_sop.val();
        self.req_eop.next = self.reframe.out_eop.val();
        self.req_data.next = self.reframe.out_data.val();
        self.req_write.next = self.out.val().get_bit(75);
        self.req_addr.next = bit_cast::<24, 15>(self.out.val().get_bits::<15>(2)) << 2;
        self.req_len.next = self.out.val().get_bits::<11>(64);
        self.req_first_be.next = self.o_enables.q.val().get_bits::<4>(0);
        self.req_last_be.next = self.o_enables.q.val().get_bits::<4>(4);
        self.req_tag.next = bit_cast::<10, 8>(self.out.val().get_bits::<8>(96));
        self.req_id.next = self.out.val().get_bits::<16>(80);

        // Refusals. Lower address and byte count are those of a memory read; of an atomic request the count is the operand's size, of
        // which a compare and swap brings two; of others it is 4 (PCIe Base Spec 5.0, 2.2.9).
        self.span.len.next = self.now.val().get_bits::<11>(64);
        self.span.first_be.next = self.enables_now.val().get_bits::<4>(0);
        self.span.last_be.next = self.enables_now.val().get_bits::<4>(4);
        self.bytes.next = bit_cast::<13, 11>(self.now.val().get_bits::<11>(64)) << 2;
        self.lower.next = 0.into();
        self.count.next = 4.into();
        if (self.kind.val() == 0) | (self.kind.val() == 7) {
            self.lower.next = (bit_cast::<7, 5>(self.now.val().get_bits::<5>(2)) << 2)
                | bit_cast::<7, 2>(self.span.offset.val());
            self.count.next = self.span.byte_count.val();
        }
        if (self.kind.val() == 4) | (self.kind.val() == 5) {
            self.count.next = self.bytes.val();
        }
        if self.kind.val() == 6 {
            self.count.next = self.bytes.val() >> 1;
        }
        self.refuse.next = (self.begins.val() & !self.posted.val()) & !self.reads.val();
        // Lower address, byte count, locked read completion, no DWs, status UR, requester id, tag, TC, attributes.
        self.refuse_head.next = ((bit_cast::<96, 7>(self.lower.val())
            | (bit_cast::<96, 13>(self.count.val()) << 16))
            | ((bit_cast::<96, 1>((self.kind.val() == 7).into()) << 29)
                | (bit_cast::<96, 1>(true.into()) << 43)))
            | (((bit_cast::<96, 16>(self.now.val().get_bits::<16>(80)) << 48)
                | (bit_cast::<96, 8>(self.now.val().get_bits::<8>(96)) << 64))
                | (bit_cast::<96, 6>(self.now.val().get_bits::<6>(121)) << 89));
        if self.reset.val() {
            self.midway.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
