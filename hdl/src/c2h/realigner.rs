//! Turns the packed user stream into address-aligned beats.

use crate::widgets::{RotateLanes, SelectLanes};
use rust_hdl::prelude::*;

/// Rotates a transfer's stream bytes to the lanes of their bus addresses and packs them into full beats.
///
/// One job is one transfer: its first lane, its length and its context. The job ends when `length` bytes were taken or
/// with a beat that carries `s_tlast`; what is left of an input beat belongs to the next job. A beat leaves when its
/// last lane is filled, or at the end of the job, so each job starts on a fresh beat. Four pipeline stages (control,
/// rotate coarsely, rotate finely, merge) take one input beat a cycle; `out_room` must leave space for the beats that may be on their way.
///
/// Only the stream waits for `out_room`. What a job holds when it is cancelled, or behind its last input beat, leaves at
/// once: a cancel may come because nobody reads the FIFO any more. That is one beat beyond those on their way, as a job
/// that has taken nothing holds nothing.
///
/// `B` must be `W / 8`, `L1` must be `L + 1`.
#[derive(LogicBlock, Default)]
pub struct Realigner<const W: usize, const B: usize, const L: usize, const L1: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A transfer is offered.
    pub job_valid: Signal<In, Bit>,
    /// The transfer is taken.
    pub job_ready: Signal<Out, Bit>,
    /// Lane of the first byte.
    pub job_lane: Signal<In, Bits<L>>,
    /// Bytes, at least 1.
    pub job_length: Signal<In, Bits<48>>,
    /// Context, handed back with the end record.
    pub job_ctx: Signal<In, Bits<4>>,
    /// User stream beat.
    pub s_tvalid: Signal<In, Bit>,
    /// The beat is used up.
    pub s_tready: Signal<Out, Bit>,
    /// Bytes, lane 0 first.
    pub s_tdata: Signal<In, Bits<W>>,
    /// Number of valid lanes, 0..=B.
    pub s_count: Signal<In, Bits<L1>>,
    /// Last beat of a packet.
    pub s_tlast: Signal<In, Bit>,
    /// End the job of context `cancel_ctx` at once.
    pub cancel: Signal<In, Bit>,
    /// Context of the job to end.
    pub cancel_ctx: Signal<In, Bits<4>>,
    /// The receiving FIFO has room for at least eight more beats, and for an end record beyond those on their way.
    pub out_room: Signal<In, Bit>,
    /// A beat leaves.
    pub out_write: Signal<Out, Bit>,
    /// The beat, address-aligned.
    pub out_data: Signal<Out, Bits<W>>,
    /// The job has ended with this beat (or without one, when it moved nothing).
    pub end_write: Signal<Out, Bit>,
    /// Context of the ended job.
    pub end_ctx: Signal<Out, Bits<4>>,
    /// Bytes taken from the stream.
    pub end_bytes: Signal<Out, Bits<48>>,
    /// The job ended with the last byte of a packet.
    pub end_eop: Signal<Out, Bit>,
    /// No job in hand.
    pub idle: Signal<Out, Bit>,

    active: DFF<Bit>,
    flushing: DFF<Bit>,
    ctx: DFF<Bits<4>>,
    remaining: DFF<Bits<48>>,
    total: DFF<Bits<48>>,
    lane: DFF<Bits<L>>,
    consumed: DFF<Bits<L>>,
    eop: DFF<Bit>,

    avail: Signal<Local, Bits<L1>>,
    avail48: Signal<Local, Bits<48>>,
    take: Signal<Local, Bits<L1>>,
    take48: Signal<Local, Bits<48>>,
    sum: Signal<Local, Bits<L1>>,
    sum_over: Signal<Local, Bit>,
    sum_low: Signal<Local, Bits<L>>,
    ends_by_length: Signal<Local, Bit>,
    uses_beat: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    holds: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    cancelled: Signal<Local, Bit>,

    // Stage 1 -> 2: the beat and what to do with it.
    r_take: DFF<Bit>,
    r_emit: DFF<Bit>,
    r_end: DFF<Bit>,
    r_data: DFF<Bits<W>>,
    r_turn: DFF<Bits<L>>,
    r_lane: DFF<Bits<L>>,
    r_ctx: DFF<Bits<4>>,
    r_eop: DFF<Bit>,
    r_bytes: DFF<Bits<48>>,
    // Stage 2 -> 3: turned by a multiple of eight lanes.
    coarse: RotateLanes<W, 3>,
    q_take: DFF<Bit>,
    q_emit: DFF<Bit>,
    q_end: DFF<Bit>,
    q_turn: DFF<Bits<3>>,
    q_lane: DFF<Bits<L>>,
    q_ctx: DFF<Bits<4>>,
    q_eop: DFF<Bit>,
    q_bytes: DFF<Bits<48>>,
    // Stage 3 -> 4: the rotated beat, and its lanes from the first one on.
    fine: RotateLanes<W, 0>,
    m_take: DFF<Bit>,
    m_emit: DFF<Bit>,
    m_end: DFF<Bit>,
    m_lanes: DFF<Bits<B>>,
    m_ctx: DFF<Bits<4>>,
    m_eop: DFF<Bit>,
    m_bytes: DFF<Bits<48>>,
    // Stage 4: lanes that wait for the rest of their beat.
    held: DFF<Bits<W>>,

    merge: SelectLanes<W, B>,
    zeros: Signal<Local, Bits<B>>,
    ones: Signal<Local, Bits<B>>,
    turn_coarse: Signal<Local, Bits<L>>,
}

impl<const W: usize, const B: usize, const L: usize, const L1: usize> Logic
    for Realigner<W, B, L, L1>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, active, flushing, ctx, remaining, total, lane, consumed, eop, r_take,
            r_emit, r_end, r_data, r_turn, r_lane, r_ctx, r_eop, r_bytes, q_take, q_emit, q_end,
            q_turn, q_lane, q_ctx, q_eop, q_bytes, m_take, m_emit, m_end, m_lanes, m_ctx, m_eop,
            m_bytes, held
        );
        clock!(self, clock, coarse, fine);

        // Stage 1: how many bytes of this beat, and where they go.
        self.avail.next = self.s_count.val() - bit_cast::<L1, L>(self.consumed.q.val());
        self.avail48.next = bit_cast::<48, L1>(self.avail.val());
        self.ends_by_length.next = self.remaining.q.val() <= self.avail48.val();
        self.take.next = self.avail.val();
        if self.ends_by_length.val() {
            self.take.next = bit_cast::<L1, 48>(self.remaining.q.val());
        }
        self.take48.next = bit_cast::<48, L1>(self.take.val());
        self.uses_beat.next = self.take.val() == self.avail.val();
        self.ends.next = self.ends_by_length.val() | (self.s_tlast.val() & self.uses_beat.val());
        self.sum.next = bit_cast::<L1, L>(self.lane.q.val()) + self.take.val();
        self.sum_low.next = bit_cast::<L, L1>(self.sum.val());
        self.sum_over.next = bit_cast::<L1, L>(self.sum_low.val()) != self.sum.val();

        // Bytes of the beat at hand; a packet may end with a beat of none.
        self.holds.next =
            self.take.val().any() | (self.total.q.val().any() & self.lane.q.val().any());
        self.cancelled.next = self.cancel.val()
            & (self.active.q.val()
                & (!self.flushing.q.val() & (self.ctx.q.val() == self.cancel_ctx.val())));
        self.go.next = (self.active.q.val() & !self.flushing.q.val())
            & ((self.s_tvalid.val() & self.out_room.val()) & !self.cancelled.val());

        self.s_tready.next = self.go.val() & self.uses_beat.val();
        self.job_ready.next = !self.active.q.val();
        self.idle.next = !self.active.q.val();
        self.r_take.d.next = false;
        self.r_emit.d.next = false;
        self.r_end.d.next = false;
        self.r_data.d.next = self.s_tdata.val();
        self.r_turn.d.next = self.consumed.q.val() - self.lane.q.val();
        self.r_lane.d.next = self.lane.q.val();
        self.r_ctx.d.next = self.ctx.q.val();
        self.r_eop.d.next = self.eop.q.val();
        self.r_bytes.d.next = self.total.q.val();

        if self.go.val() {
            self.r_take.d.next = true;
            self.r_emit.d.next = self.sum_over.val() | (self.ends.val() & self.holds.val());
            self.r_bytes.d.next = self.total.q.val() + self.take48.val();
            self.total.d.next = self.total.q.val() + self.take48.val();
            self.remaining.d.next = self.remaining.q.val() - self.take48.val();
            self.lane.d.next = self.sum_low.val();
            self.consumed.d.next = self.consumed.q.val() + bit_cast::<L, L1>(self.take.val());
            if self.uses_beat.val() {
                self.consumed.d.next = 0.into();
            }
            if self.ends.val() {
                self.eop.d.next = self.s_tlast.val() & self.uses_beat.val();
                self.r_eop.d.next = self.s_tlast.val() & self.uses_beat.val();
                // Bytes past the end of this beat need one more.
                if self.sum_over.val() & self.sum_low.val().any() {
                    self.flushing.d.next = true;
                } else {
                    self.r_end.d.next = true;
                    self.active.d.next = false;
                }
            }
        }
        if self.flushing.q.val() {
            self.flushing.d.next = false;
            self.active.d.next = false;
            self.r_emit.d.next = true;
            self.r_end.d.next = true;
        }
        if self.cancelled.val() {
            self.active.d.next = false;
            self.r_end.d.next = true;
            self.r_emit.d.next = self.total.q.val().any() & self.lane.q.val().any();
            self.r_eop.d.next = false;
        }
        if self.job_valid.val() & !self.active.q.val() {
            self.active.d.next = true;
            self.ctx.d.next = self.job_ctx.val();
            self.remaining.d.next = self.job_length.val();
            self.total.d.next = 0.into();
            self.lane.d.next = self.job_lane.val();
            self.eop.d.next = false;
        }

        // Stages 2 and 3: rotate right by r_turn lanes.
        self.turn_coarse.next = self.r_turn.q.val() >> 3;
        self.coarse.data_in.next = self.r_data.q.val();
        self.coarse.turn.next = bit_cast::<3, L>(self.turn_coarse.val());
        self.q_turn.d.next = bit_cast::<3, L>(self.r_turn.q.val());
        self.q_take.d.next = self.r_take.q.val();
        self.q_emit.d.next = self.r_emit.q.val();
        self.q_end.d.next = self.r_end.q.val();
        self.q_lane.d.next = self.r_lane.q.val();
        self.q_ctx.d.next = self.r_ctx.q.val();
        self.q_eop.d.next = self.r_eop.q.val();
        self.q_bytes.d.next = self.r_bytes.q.val();
        self.fine.data_in.next = self.coarse.data_out.val();
        self.fine.turn.next = self.q_turn.q.val();
        self.zeros.next = 0.into();
        self.ones.next = !self.zeros.val();
        self.m_lanes.d.next = self.ones.val() << self.q_lane.q.val();
        self.m_take.d.next = self.q_take.q.val();
        self.m_emit.d.next = self.q_emit.q.val();
        self.m_end.d.next = self.q_end.q.val();
        self.m_ctx.d.next = self.q_ctx.q.val();
        self.m_eop.d.next = self.q_eop.q.val();
        self.m_bytes.d.next = self.q_bytes.q.val();

        // Stage 4: lanes below the first come from the beat before.
        self.merge.chosen.next = self.fine.data_out.val();
        self.merge.other.next = self.held.q.val();
        self.merge.select.next = self.zeros.val();
        self.merge.keep.next = self.ones.val();
        if self.m_take.q.val() {
            self.merge.select.next = self.m_lanes.q.val();
            self.held.d.next = self.merge.data_out.val();
            if self.m_emit.q.val() {
                self.held.d.next = self.fine.data_out.val();
            }
        }
        self.out_write.next = self.m_emit.q.val();
        self.out_data.next = self.merge.data_out.val();
        self.end_write.next = self.m_end.q.val();
        self.end_ctx.next = self.m_ctx.q.val();
        self.end_bytes.next = self.m_bytes.q.val();
        self.end_eop.next = self.m_eop.q.val();

        if self.reset.val() {
            self.active.d.next = false;
            self.flushing.d.next = false;
            self.consumed.d.next = 0.into();
            self.r_emit.d.next = false;
            self.r_end.d.next = false;
            self.q_emit.d.next = false;
            self.q_end.d.next = false;
            self.m_emit.d.next = false;
            self.m_end.d.next = false;
        }
    }
}
