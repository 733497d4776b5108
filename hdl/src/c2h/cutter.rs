//! Cuts a transfer's address-aligned beats into memory writes.

use crate::byte_enables::ByteEnables;
use crate::widgets::{Const, Param, SmallFifo};
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// Sends one memory write per chunk, once all of its payload is in the data FIFO, and reports the end of each transfer.
///
/// A write once begun never waits for the user stream. When the stream ended the transfer early (an end record with
/// fewer bytes than asked for), the rest of the chunks is dropped. A terminal chunk with a status cancels the
/// realigner's job, drops what is left of its beats and reports the status. `retire` follows the last write of its
/// transfer.
#[derive(LogicBlock, Default)]
pub struct Cutter<const W: usize, const B: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A chunk is offered.
    pub chunk_valid: Signal<In, Bit>,
    /// The chunk is taken.
    pub chunk_ready: Signal<Out, Bit>,
    /// Bus address of the first byte.
    pub chunk_addr: Signal<In, Bits<64>>,
    /// Bytes, at most 512; 0 on a terminal chunk.
    pub chunk_len: Signal<In, Bits<10>>,
    /// First chunk of its transfer.
    pub chunk_first: Signal<In, Bit>,
    /// Last chunk of its transfer.
    pub chunk_last: Signal<In, Bit>,
    /// Context.
    pub chunk_ctx: Signal<In, Bits<4>>,
    /// Why a terminal chunk ends its transfer; 0 on all others.
    pub chunk_status: Signal<In, Bits<8>>,
    /// Contexts whose transfers must stop.
    pub aborts: Signal<In, Bits<16>>,
    /// Oldest beat of the data FIFO.
    pub data: Signal<In, Bits<W>>,
    /// Beats in the data FIFO.
    pub data_count: Signal<In, Bits<9>>,
    /// Drop the oldest beat.
    pub data_read: Signal<Out, Bit>,
    /// An end record is there.
    pub end_valid: Signal<In, Bit>,
    /// Bytes the transfer took from the stream.
    pub end_bytes: Signal<In, Bits<48>>,
    /// It ended with a packet.
    pub end_eop: Signal<In, Bit>,
    /// Drop the end record.
    pub end_read: Signal<Out, Bit>,
    /// End the realigner's job of `cancel_ctx`.
    pub cancel: Signal<Out, Bit>,
    /// Context to cancel.
    pub cancel_ctx: Signal<Out, Bits<4>>,
    /// The stream has ended context `cancel_ctx`: no more chunks are of use.
    pub stop: Signal<Out, Bit>,
    /// A beat of a memory write.
    pub tlp_valid: Signal<Out, Bit>,
    /// The beat is taken.
    pub tlp_ready: Signal<In, Bit>,
    /// First beat.
    pub tlp_sop: Signal<Out, Bit>,
    /// Last beat.
    pub tlp_eop: Signal<Out, Bit>,
    /// Address-aligned data.
    pub tlp_data: Signal<Out, Bits<W>>,
    /// Byte address, multiple of 4.
    pub tlp_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub tlp_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub tlp_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub tlp_last_be: Signal<Out, Bits<4>>,
    /// A transfer has ended and all of its writes have been sent.
    pub retire_valid: Signal<Out, Bit>,
    /// The report is taken.
    pub retire_ready: Signal<In, Bit>,
    /// Context.
    pub retire_ctx: Signal<Out, Bits<4>>,
    /// Status code.
    pub retire_status: Signal<Out, Bits<8>>,
    /// Bytes written.
    pub retire_bytes: Signal<Out, Bits<48>>,
    /// Ended with a packet.
    pub retire_eop: Signal<Out, Bit>,
    /// Bytes sent in the write that ends in this cycle.
    pub sent_bytes: Signal<Out, Bits<10>>,
    /// All the payload of a write is here, and it has not been sent yet.
    pub holds: Signal<Out, Bit>,

    state: DFF<CutterState>,
    in_transfer: DFF<Bit>,
    sent: DFF<Bits<48>>,
    beats_used: DFF<Bits<48>>,
    first_lane: DFF<Bits<L>>,
    status: DFF<Bits<8>>,
    ctx: DFF<Bits<4>>,

    // The write to send next.
    h_valid: DFF<Bit>,
    h_beats: DFF<Bits<9>>,
    h_addr: DFF<Bits<64>>,
    h_len: DFF<Bits<11>>,
    h_first: DFF<Bits<4>>,
    h_last: DFF<Bits<4>>,
    h_bytes: DFF<Bits<10>>,
    // The write on its way.
    t_beats: DFF<Bits<9>>,
    t_sop: DFF<Bit>,
    t_addr: DFF<Bits<64>>,
    t_len: DFF<Bits<11>>,
    t_first: DFF<Bits<4>>,
    t_last: DFF<Bits<4>>,
    t_bytes: DFF<Bits<10>>,
    // Writes handed over and writes done, modulo 256: a report waits for the writes before it.
    handed: DFF<Bits<8>>,
    done: DFF<Bits<8>>,
    reports: SmallFifo<Bits<69>, 3, 4>,
    enables: ByteEnables,
    aborted: Const<8, { Status::Aborted as u64 }>,
    lanes: Param<10, B>,
    lane_bits: Param<4, L>,

    left: Signal<Local, Bits<48>>,
    len48: Signal<Local, Bits<48>>,
    clip: Signal<Local, Bit>,
    bytes: Signal<Local, Bits<10>>,
    lane: Signal<Local, Bits<L>>,
    span: Signal<Local, Bits<10>>,
    span_beats: Signal<Local, Bits<10>>,
    beats: Signal<Local, Bits<9>>,
    reserved: Signal<Local, Bits<9>>,
    wanted: Signal<Local, Bits<9>>,
    take_h: Signal<Local, Bit>,
    h_free: Signal<Local, Bit>,
    sending: Signal<Local, Bit>,
    last_beat: Signal<Local, Bit>,
    beat_sent: Signal<Local, Bit>,
    terminal: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    write: Signal<Local, Bit>,
    report: Signal<Local, Bit>,
    report_ctx: Signal<Local, Bits<4>>,
    report_status: Signal<Local, Bits<8>>,
    report_bytes: Signal<Local, Bits<48>>,
    report_eop: Signal<Local, Bit>,
    report_word: Signal<Local, Bits<69>>,
    behind: Signal<Local, Bits<8>>,
    reached: Signal<Local, Bit>,
    held_up: Signal<Local, Bit>,
    report_seq: Signal<Local, Bits<8>>,
    early: Signal<Local, Bit>,
    end_span: Signal<Local, Bits<48>>,
    end_beats: Signal<Local, Bits<48>>,
    drop_beat: Signal<Local, Bit>,
}

impl<const W: usize, const B: usize, const L: usize> Logic for Cutter<W, B, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            in_transfer,
            sent,
            beats_used,
            first_lane,
            status,
            ctx,
            h_valid,
            h_beats,
            h_addr,
            h_len,
            h_first,
            h_last,
            h_bytes,
            t_beats,
            t_sop,
            t_addr,
            t_len,
            t_first,
            t_last,
            t_bytes,
            handed,
            done
        );
        self.reports.clock.next = self.clock.val();
        self.reports.reset.next = self.reset.val();

        // The write on its way.
        self.sending.next = self.t_beats.q.val().any();
        self.last_beat.next = self.t_beats.q.val() == 1;
        self.beat_sent.next = self.sending.val() & self.tlp_ready.val();
        self.take_h.next = self.h_valid.q.val()
            & (!self.sending.val() | (self.beat_sent.val() & self.last_beat.val()));
        self.h_free.next = !self.h_valid.q.val() | self.take_h.val();
        self.tlp_valid.next = self.sending.val();
        self.tlp_sop.next = self.t_sop.q.val();
        self.tlp_eop.next = self.last_beat.val();
        self.tlp_data.next = self.data.val();
        self.tlp_addr.next = self.t_addr.q.val();
        self.tlp_len.next = self.t_len.q.val();
        self.tlp_first_be.next = self.t_first.q.val();
        self.tlp_last_be.next = self.t_last.q.val();
        self.sent_bytes.next = 0.into();
        if self.beat_sent.val() {
            self.t_beats.d.next = self.t_beats.q.val() - 1;
            self.t_sop.d.next = false;
            if self.last_beat.val() {
                self.done.d.next = self.done.q.val() + 1;
                self.sent_bytes.next = self.t_bytes.q.val();
            }
        }
        if self.take_h.val() {
            self.h_valid.d.next = false;
            self.t_beats.d.next = self.h_beats.q.val();
            self.t_sop.d.next = true;
            self.t_addr.d.next = self.h_addr.q.val();
            self.t_len.d.next = self.h_len.q.val();
            self.t_first.d.next = self.h_first.q.val();
            self.t_last.d.next = self.h_last.q.val();
            self.t_bytes.d.next = self.h_bytes.q.val();
        }

        // The chunk at hand, clipped to what the stream has delivered if it ended early.
        self.left.next = self.end_bytes.val() - self.sent.q.val();
        self.len48.next = bit_cast::<48, 10>(self.chunk_len.val());
        self.clip.next = self.end_valid.val() & (self.left.val() < self.len48.val());
        self.bytes.next = self.chunk_len.val();
        if self.clip.val() {
            self.bytes.next = bit_cast::<10, 48>(self.left.val());
        }
        self.lane.next = self.chunk_addr.val().get_bits::<L>(0);
        self.span.next =
            ((bit_cast::<10, L>(self.lane.val()) + self.bytes.val()) + self.lanes.val()) - 1;
        self.span_beats.next = self.span.val() >> self.lane_bits.val();
        self.beats.next = bit_cast::<9, 10>(self.span_beats.val());
        self.enables.offset.next = self.chunk_addr.val().get_bits::<2>(0);
        self.enables.bytes.next = self.bytes.val();

        // Beats in the FIFO that earlier writes will take.
        self.reserved.next = self.t_beats.q.val();
        if self.h_valid.q.val() {
            self.reserved.next = self.t_beats.q.val() + self.h_beats.q.val();
        }
        self.wanted.next = self.reserved.val() + self.beats.val();

        // The oldest report: have its writes been sent? Writes must not lap a report that nobody takes.
        self.report_word.next = self.reports.data_out.val();
        self.report_seq.next = self.report_word.val().get_bits::<8>(61);
        self.behind.next = self.done.q.val() - self.report_seq.val();
        self.reached.next = !self.behind.val().get_bit(7);
        self.held_up.next =
            !self.reports.empty.val() & (self.reached.val() & self.behind.val().get_bit(6));

        self.terminal.next = self.chunk_status.val().any() | !self.chunk_len.val().any();
        self.early.next =
            self.in_transfer.q.val() & (self.end_valid.val() & !self.left.val().any());
        self.stop.next = self.early.val();
        self.cancel.next = false;
        self.cancel_ctx.next = self.ctx.q.val();
        self.accept.next = false;
        self.write.next = false;
        self.report.next = false;
        self.report_ctx.next = self.ctx.q.val();
        self.report_status.next = 0.into();
        self.report_bytes.next = self.sent.q.val();
        self.report_eop.next = false;
        self.end_read.next = false;
        self.drop_beat.next = false;
        self.holds.next = self.sending.val() | self.h_valid.q.val();
        self.end_span.next = ((self.end_bytes.val() + bit_cast::<48, L>(self.first_lane.q.val()))
            + bit_cast::<48, 10>(self.lanes.val()))
            - 1;
        self.end_beats.next = self.end_span.val() >> self.lane_bits.val();
        if !self.end_bytes.val().any() {
            self.end_beats.next = 0.into();
        }

        match self.state.q.val() {
            CutterState::Cut => {
                if self.chunk_valid.val() {
                    if self.terminal.val() {
                        if self.chunk_first.val() {
                            if !self.reports.full.val() {
                                self.accept.next = true;
                                self.report.next = true;
                                self.report_ctx.next = self.chunk_ctx.val();
                                self.report_status.next = self.chunk_status.val();
                                self.report_bytes.next = 0.into();
                            }
                        } else {
                            self.accept.next = true;
                            self.status.d.next = self.chunk_status.val();
                            self.state.d.next = CutterState::Finish;
                            if self.chunk_status.val().any() {
                                self.state.d.next = CutterState::Cancel;
                            }
                        }
                    } else if self.aborts.val().get_bit(self.chunk_ctx.val().index()) {
                        // Chunks that were cut before the abort came are dropped.
                        self.accept.next = true;
                        if self.chunk_last.val() {
                            self.status.d.next = self.aborted.val();
                            self.state.d.next = CutterState::Cancel;
                        }
                    } else {
                        if self.bytes.val().any() {
                            if self.data_count.val() >= self.wanted.val() {
                                self.holds.next = true;
                            }
                            self.accept.next = (self.h_free.val() & !self.held_up.val())
                                & (self.data_count.val() >= self.wanted.val());
                            self.write.next = self.accept.val();
                        } else {
                            self.accept.next = true;
                        }
                        if self.accept.val() & self.chunk_last.val() {
                            self.state.d.next = CutterState::Finish;
                        }
                    }
                }
            }
            CutterState::Finish => {
                if self.end_valid.val() & !self.reports.full.val() {
                    self.end_read.next = true;
                    self.report.next = true;
                    self.report_eop.next = self.end_eop.val();
                    self.state.d.next = CutterState::Cut;
                }
            }
            CutterState::Cancel => {
                self.cancel.next = true;
                if self.end_valid.val() {
                    self.state.d.next = CutterState::Drop;
                }
            }
            CutterState::Drop => {
                if !self.h_valid.q.val() & !self.sending.val() {
                    if self.beats_used.q.val() == self.end_beats.val() {
                        if !self.reports.full.val() {
                            self.end_read.next = true;
                            self.report.next = true;
                            self.report_status.next = self.status.q.val();
                            self.state.d.next = CutterState::Cut;
                        }
                    } else {
                        if self.data_count.val().any() {
                            self.drop_beat.next = true;
                            self.beats_used.d.next = self.beats_used.q.val() + 1;
                        }
                    }
                }
            }
        }
        self.data_read.next = self.beat_sent.val() | self.drop_beat.val();
        self.chunk_ready.next = self.accept.val();

        if self.accept.val() {
            self.ctx.d.next = self.chunk_ctx.val();
            self.in_transfer.d.next = !self.chunk_last.val();
            if self.chunk_first.val() {
                self.first_lane.d.next = self.lane.val();
            }
        }
        if self.write.val() {
            self.h_valid.d.next = true;
            self.h_beats.d.next = self.beats.val();
            self.h_addr.d.next = (self.chunk_addr.val() >> 2) << 2;
            self.h_len.d.next = self.enables.dwords.val();
            self.h_first.d.next = self.enables.first.val();
            self.h_last.d.next = self.enables.last.val();
            self.h_bytes.d.next = self.bytes.val();
            self.handed.d.next = self.handed.q.val() + 1;
            self.sent.d.next = self.sent.q.val() + bit_cast::<48, 10>(self.bytes.val());
            self.beats_used.d.next = self.beats_used.q.val() + bit_cast::<48, 9>(self.beats.val());
        }
        if self.report.val() {
            self.sent.d.next = 0.into();
            self.beats_used.d.next = 0.into();
        }

        self.reports.write.next = self.report.val();
        self.reports.data_in.next = bit_cast::<69, 48>(self.report_bytes.val())
            | (bit_cast::<69, 8>(self.report_status.val()) << 48)
            | (bit_cast::<69, 4>(self.report_ctx.val()) << 56)
            | (bit_cast::<69, 1>(self.report_eop.val().into()) << 60)
            | (bit_cast::<69, 8>(self.handed.q.val()) << 61);
        self.retire_valid.next = !self.reports.empty.val() & self.reached.val();
        self.retire_bytes.next = self.report_word.val().get_bits::<48>(0);
        self.retire_status.next = self.report_word.val().get_bits::<8>(48);
        self.retire_ctx.next = self.report_word.val().get_bits::<4>(56);
        self.retire_eop.next = self.report_word.val().get_bit(60);
        self.reports.read.next = self.retire_valid.val() & self.retire_ready.val();

        if self.reset.val() {
            self.state.d.next = CutterState::Cut;
            self.in_transfer.d.next = false;
            self.sent.d.next = 0.into();
            self.beats_used.d.next = 0.into();
            self.h_valid.d.next = false;
            self.t_beats.d.next = 0.into();
            self.handed.d.next = 0.into();
            self.done.d.next = 0.into();
        }
    }
}

/// What the cutter does with the chunk at hand.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum CutterState {
    /// Chunks become writes.
    Cut,
    /// All chunks are cut; waiting for the end record.
    Finish,
    /// The transfer failed: waiting for the realigner to let go.
    Cancel,
    /// Dropping the beats that no write will carry.
    Drop,
}
