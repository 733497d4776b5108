//! A frame's payload, moved from one DW lane to another.

use super::{MergeDwords, RotateDwords};
use crate::widgets::Param;
use rust_hdl::prelude::*;

/// Moves payload that begins in lane `from` of a frame's first beat to lane `to` of its first beat, and puts the `H` DWs of
/// `head` before it.
///
/// The way to a hard IP is from the lane of the address to the one behind the descriptor, the way back the reverse. A lane is a
/// DW; a beat has `N` of them, `W` = 32 `N`, `K` = log2(`N`). What lies before `to` in the first beat, and behind the payload in the
/// last, is no payload and has no meaning but for the header.
///
/// Input beats are merged with the one before, turned. Where the payload moves down, the first beat gives none
/// out yet; where more comes out than goes in, the last beat stays for a second output. So a frame whose beats come without
/// a gap goes out without one once its first beat is out, which hard IP demands.
#[derive(LogicBlock, Default)]
pub struct Reframe<const W: usize, const N: usize, const K: usize, const H: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops the frame that is on its way.
    pub reset: Signal<In, Bit>,
    /// A beat is on offer.
    pub in_valid: Signal<In, Bit>,
    /// It is taken.
    pub in_ready: Signal<Out, Bit>,
    /// First beat.
    pub in_sop: Signal<In, Bit>,
    /// Last beat.
    pub in_eop: Signal<In, Bit>,
    /// DWs.
    pub in_data: Signal<In, Bits<W>>,
    /// Lane in which the payload begins; constant for the frame, like `to`, `len` and `head`.
    pub from: Signal<In, Bits<K>>,
    /// Lane in which it shall begin.
    pub to: Signal<In, Bits<K>>,
    /// DWs of payload. Without any, `to` must not be 0, so that there is a beat.
    pub len: Signal<In, Bits<11>>,
    /// What comes before the payload.
    pub head: Signal<In, Bits<128>>,
    /// The beat that is on offer next cycle is made in this one: for those who register what goes with it.
    pub load: Signal<Out, Bit>,
    /// A beat is on offer.
    pub out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub out_ready: Signal<In, Bit>,
    /// First beat.
    pub out_sop: Signal<Out, Bit>,
    /// Last beat.
    pub out_eop: Signal<Out, Bit>,
    /// DWs.
    pub out_data: Signal<Out, Bits<W>>,
    /// Lanes up to the payload's last.
    pub out_keep: Signal<Out, Bits<N>>,
    /// Number of the last such lane.
    pub out_end: Signal<Out, Bits<K>>,

    o_valid: DFF<Bit>,
    o_sop: DFF<Bit>,
    o_eop: DFF<Bit>,
    o_data: DFF<Bits<W>>,
    o_keep: DFF<Bits<N>>,
    o_end: DFF<Bits<K>>,
    // The beat before, turned.
    held: DFF<Bits<W>>,
    // A frame has begun to come in; its first beat is out; its last beat stays for a second output.
    begun: DFF<Bit>,
    started: DFF<Bit>,
    second: DFF<Bit>,
    // DWs that are still to go out, those before the payload included.
    left: DFF<Bits<12>>,

    rotate: RotateDwords<W, N, K>,
    merge: MergeDwords<W, N, H>,
    lanes: Param<12, N>,
    none: Signal<Local, Bits<N>>,
    all: Signal<Local, Bits<N>>,
    turn: Signal<Local, Bits<K>>,
    room: Signal<Local, Bit>,
    here: Signal<Local, Bit>,
    waits: Signal<Local, Bit>,
    emits: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    stays: Signal<Local, Bit>,
    span: Signal<Local, Bits<12>>,
    due: Signal<Local, Bits<12>>,
    used: Signal<Local, Bits<K>>,
    final_lane: Signal<Local, Bits<K>>,
    unused: Signal<Local, Bits<K>>,
}

impl<const W: usize, const N: usize, const K: usize, const H: usize> Logic for Reframe<W, N, K, H> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, o_valid, o_sop, o_eop, o_data, o_keep, o_end, held, begun, started,
            second, left
        );
        self.none.next = 0.into();
        self.all.next = !self.none.val();
        self.turn.next = self.to.val() - self.from.val();
        self.rotate.data_in.next = self.in_data.val();
        self.rotate.turn.next = self.turn.val();

        self.room.next = !self.o_valid.q.val() | self.out_ready.val();
        // Beats behind a frame that is through are nobody's.
        self.here.next = self.in_valid.val() & (self.in_sop.val() | self.begun.q.val());
        self.waits.next =
            (self.in_sop.val() & !self.second.q.val()) & (self.to.val() < self.from.val());
        self.emits.next = (self.here.val() & self.room.val()) & !self.waits.val();
        self.span.next = bit_cast::<12, K>(self.to.val()) + bit_cast::<12, 11>(self.len.val());
        self.due.next = self.span.val();
        if self.started.q.val() {
            self.due.next = self.left.q.val();
        }
        self.last.next = self.due.val() <= self.lanes.val();
        self.ends.next = self.emits.val() & self.last.val();
        self.stays.next = (self.here.val() & self.in_eop.val()) & !self.ends.val();
        self.in_ready.next = (self.room.val() | !self.here.val()) & !self.stays.val();
        self.load.next = self.emits.val();

        // Of the lanes below `turn`, what has been turned past the beat's end, one beat later.
        self.merge.chosen.next = self.rotate.data_out.val();
        self.merge.other.next = self.held.q.val();
        self.merge.select.next = self.all.val() << self.turn.val();
        self.merge.head.next = self.head.val();
        self.merge.with_head.next = !self.started.q.val();
        self.used.next = bit_cast::<K, 12>(self.due.val());
        self.final_lane.next = self.used.val() - 1;
        self.unused.next = !self.final_lane.val();

        if self.room.val() {
            self.o_valid.d.next = self.emits.val();
        }
        if self.here.val() & self.room.val() {
            self.begun.d.next = true;
            self.second.d.next = self.stays.val();
            self.held.d.next = self.rotate.data_out.val();
        }
        if self.emits.val() {
            self.o_sop.d.next = !self.started.q.val();
            self.o_eop.d.next = self.last.val();
            self.o_data.d.next = self.merge.data_out.val();
            self.o_keep.d.next = self.all.val();
            self.o_end.d.next = bit_cast::<K, N>(self.all.val());
            self.started.d.next = true;
            self.left.d.next = self.due.val() - self.lanes.val();
            if self.last.val() {
                self.o_keep.d.next = self.all.val() >> self.unused.val();
                self.o_end.d.next = self.final_lane.val();
                self.started.d.next = false;
                self.begun.d.next = false;
            }
        }
        self.out_valid.next = self.o_valid.q.val();
        self.out_sop.next = self.o_sop.q.val();
        self.out_eop.next = self.o_eop.q.val();
        self.out_data.next = self.o_data.q.val();
        self.out_keep.next = self.o_keep.q.val();
        self.out_end.next = self.o_end.q.val();
        if self.reset.val() {
            self.o_valid.d.next = false;
            self.begun.d.next = false;
            self.started.d.next = false;
            self.second.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
