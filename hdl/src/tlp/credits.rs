//! Completion space: a read goes out only when its completions have room.

use crate::widgets::LutRam;
use rust_hdl::prelude::*;

/// Counts the completion headers and data units that outstanding reads may bring, at the worst split.
///
/// A read of n bytes can come back in one completion per read completion boundary it touches (PCIe Base Spec 5.0,
/// 2.3.1.1), each with one header, and in n / 16 data units, both rounded up for an unaligned start.
///
/// A read holds its space until its last completion, even if nobody waits for that any more. Its tag must not go out
/// again before: the new read's space would take the old one's place, and one of the two would never come back.
///
/// There are `T` tags, whose numbers take `P` bits.
#[derive(LogicBlock, Default)]
pub struct ReadCredits<const T: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Read completion boundary: 0 for 64, 1 for 128 bytes.
    pub rcb: Signal<In, Bit>,
    /// Completion headers the receiver holds.
    pub headers: Signal<In, Bits<12>>,
    /// Completion data it holds, in units of 16 bytes.
    pub data: Signal<In, Bits<16>>,
    /// DWs of the read that wants to go out.
    pub want_len: Signal<In, Bits<11>>,
    /// There is room for its completions.
    pub room: Signal<Out, Bit>,
    /// It goes out.
    pub issue: Signal<In, Bit>,
    /// Its tag.
    pub issue_tag: Signal<In, Bits<P>>,
    /// A completion begins.
    pub cpl_sop: Signal<In, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<In, Bits<P>>,
    /// It is the last of its read.
    pub cpl_final: Signal<In, Bit>,
    /// Tags with a read outstanding.
    pub tags: Signal<Out, Bits<T>>,

    used_headers: DFF<Bits<12>>,
    used_data: DFF<Bits<16>>,
    held: LutRam<Bits<18>, P>,
    // Tags with a read outstanding: a completion that nobody waits for gives nothing back.
    outstanding: DFF<Bits<T>>,
    one: Signal<Local, Bits<T>>,
    issued: Signal<Local, Bits<T>>,
    ended: Signal<Local, Bits<T>>,
    kept: Signal<Local, Bits<T>>,
    blocks: Signal<Local, Bits<11>>,
    units: Signal<Local, Bits<11>>,
    need_headers: Signal<Local, Bits<12>>,
    need_data: Signal<Local, Bits<16>>,
    after_headers: Signal<Local, Bits<12>>,
    after_data: Signal<Local, Bits<16>>,
    back: Signal<Local, Bits<18>>,
    back_headers: Signal<Local, Bits<12>>,
    back_data: Signal<Local, Bits<16>>,
    plus_headers: Signal<Local, Bits<12>>,
    plus_data: Signal<Local, Bits<16>>,
    minus_headers: Signal<Local, Bits<12>>,
    minus_data: Signal<Local, Bits<16>>,
}

impl<const T: usize, const P: usize> Logic for ReadCredits<T, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, used_headers, used_data, outstanding);
        self.tags.next = self.outstanding.q.val();
        self.one.next = 1.into();
        self.issued.next = 0.into();
        self.ended.next = 0.into();
        clock!(self, clock, held);
        self.blocks.next = (self.want_len.val() + 15) >> 4;
        if self.rcb.val() {
            self.blocks.next = (self.want_len.val() + 31) >> 5;
        }
        self.units.next = (self.want_len.val() + 3) >> 2;
        self.need_headers.next = bit_cast::<12, 11>(self.blocks.val()) + 1;
        self.need_data.next = bit_cast::<16, 11>(self.units.val()) + 1;
        self.after_headers.next = self.used_headers.q.val() + self.need_headers.val();
        self.after_data.next = self.used_data.q.val() + self.need_data.val();
        self.room.next = (self.after_headers.val() <= self.headers.val())
            & (self.after_data.val() <= self.data.val());

        self.held.write_enable.next = self.issue.val();
        self.held.write_address.next = self.issue_tag.val();
        self.held.write_data.next = bit_cast::<18, 12>(self.need_headers.val())
            | (bit_cast::<18, 16>(self.need_data.val()) << 8);
        self.held.read_address.next = self.cpl_tag.val();
        self.back.next = self.held.read_data.val();
        self.back_headers.next = bit_cast::<12, 8>(self.back.val().get_bits::<8>(0));
        self.back_data.next = bit_cast::<16, 10>(self.back.val().get_bits::<10>(8));
        self.plus_headers.next = 0.into();
        self.plus_data.next = 0.into();
        self.minus_headers.next = 0.into();
        self.minus_data.next = 0.into();
        if self.issue.val() {
            self.issued.next = self.one.val() << self.issue_tag.val();
            self.plus_headers.next = self.need_headers.val();
            self.plus_data.next = self.need_data.val();
        }
        if (self.cpl_sop.val() & self.cpl_final.val())
            & self.outstanding.q.val().get_bit(self.cpl_tag.val().index())
        {
            self.ended.next = self.one.val() << self.cpl_tag.val();
            self.minus_headers.next = self.back_headers.val();
            self.minus_data.next = self.back_data.val();
        }
        self.kept.next = !self.ended.val();
        self.outstanding.d.next = (self.outstanding.q.val() & self.kept.val()) | self.issued.val();
        self.used_headers.d.next =
            (self.used_headers.q.val() + self.plus_headers.val()) - self.minus_headers.val();
        self.used_data.d.next =
            (self.used_data.q.val() + self.plus_data.val()) - self.minus_data.val();
        if self.reset.val() {
            self.used_headers.d.next = 0.into();
            self.used_data.d.next = 0.into();
            self.outstanding.d.next = 0.into();
        }
    }
}
