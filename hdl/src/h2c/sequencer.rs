//! From complete slots, in ring order, to steps of the aligner and reports of ended transfers.

use crate::widgets::{LutRam, Param, SmallFifo};
use rust_hdl::prelude::*;

/// What the drain keeps of a slot.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Slot {
    position: Bits<9>,
    len: Bits<10>,
    last: Bit,
    ctx: Bits<4>,
    status: Bits<16>,
    tdest: Bits<16>,
}

/// How a transfer ended.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Report {
    /// A beat with TLAST goes with it.
    streamed: Bit,
    ctx: Bits<4>,
    status: Bits<16>,
    bytes: Bits<48>,
}

/// Walks over complete slots, one word of `B` bytes a cycle, without a gap between slots; `L` = log2(`B`).
/// The ring has 2^`I` slots; `P` = `I` + 1.
///
/// A transfer's first lane turns all of its words. A slot with an error, or a terminal chunk inside a transfer, ends
/// the packet; the transfer's other slots are passed over. `done` follows when the packet's last beat has been
/// accepted and no slot of the transfer is left.
#[derive(LogicBlock, Default)]
pub struct DrainSequencer<const B: usize, const L: usize, const I: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A slot is allocated in this cycle.
    pub slot_valid: Signal<In, Bit>,
    /// Which slot.
    pub slot_index: Signal<In, Bits<I>>,
    /// Place of its first byte.
    pub slot_position: Signal<In, Bits<9>>,
    /// Its bytes.
    pub slot_len: Signal<In, Bits<10>>,
    /// It ends its transfer.
    pub slot_last: Signal<In, Bit>,
    /// Context.
    pub slot_ctx: Signal<In, Bits<4>>,
    /// Status of a terminal chunk.
    pub slot_status: Signal<In, Bits<16>>,
    /// TDEST.
    pub slot_tdest: Signal<In, Bits<16>>,
    /// First slot that is not complete, counted modulo 2^`P`.
    pub frontier: Signal<In, Bits<P>>,
    /// Bits of a count that are the slot's number.
    pub mask: Signal<In, Bits<I>>,
    /// First slot that is still needed, counted modulo 2^`P`.
    pub head: Signal<Out, Bits<P>>,
    /// Slot whose outcome is wanted.
    pub look_slot: Signal<Out, Bits<I>>,
    /// Its status code.
    pub look_status: Signal<In, Bits<16>>,
    /// Slot to read; the aligner takes the word in the next cycle.
    pub read_slot: Signal<Out, Bits<I>>,
    /// Byte position to read.
    pub read_position: Signal<Out, Bits<9>>,
    /// The aligner has room for a beat.
    pub room: Signal<In, Bit>,
    /// The word read in this cycle is the next of the packet.
    pub op_word: Signal<Out, Bit>,
    /// A beat of the stream comes out of this step.
    pub op_beat: Signal<Out, Bit>,
    /// It is the packet's last.
    pub op_last: Signal<Out, Bit>,
    /// TUSER of the beat.
    pub op_error: Signal<Out, Bit>,
    /// The beat has no bytes.
    pub op_empty: Signal<Out, Bit>,
    /// Bytes of the last beat; 0: all lanes.
    pub op_bytes: Signal<Out, Bits<L>>,
    /// Lane of the packet's first byte.
    pub op_turn: Signal<Out, Bits<L>>,
    /// TDEST of the packet.
    pub op_tdest: Signal<Out, Bits<16>>,
    /// The stream accepts a beat with TLAST in this cycle.
    pub last_accepted: Signal<In, Bit>,
    /// A transfer has ended.
    pub done_valid: Signal<Out, Bit>,
    /// The report is taken.
    pub done_ready: Signal<In, Bit>,
    /// Context.
    pub done_ctx: Signal<Out, Bits<4>>,
    /// Status code.
    pub done_status: Signal<Out, Bits<16>>,
    /// Bytes that the stream got, in order and without error.
    pub done_bytes: Signal<Out, Bits<48>>,

    slots: LutRam<Slot, I>,
    next: DFF<Bits<P>>,
    first_needed: DFF<Bits<P>>,
    // The slot at hand.
    full: DFF<Bit>,
    slot: DFF<Bits<I>>,
    position: DFF<Bits<9>>,
    last_position: DFF<Bits<9>>,
    len: DFF<Bits<10>>,
    last: DFF<Bit>,
    ctx: DFF<Bits<4>>,
    status: DFF<Bits<16>>,
    tdest: DFF<Bits<16>>,
    // The transfer at hand.
    in_transfer: DFF<Bit>,
    began: DFF<Bit>,
    turn: DFF<Bits<L>>,
    bytes: DFF<Bits<48>>,
    broken: DFF<Bit>,
    error: DFF<Bits<16>>,
    // The rest of a packet, still in the aligner.
    rest: DFF<Bit>,
    rest_bytes: DFF<Bits<L>>,
    rest_tdest: DFF<Bits<16>>,
    reports: SmallFifo<Report, 4, 5>,
    accepted: DFF<Bits<6>>,
    lanes: Param<9, B>,

    next_slot: Signal<Local, Bits<I>>,
    zero: Signal<Local, Bits<L>>,
    first_lane: Signal<Local, Bits<L>>,
    lane: Signal<Local, Bits<L>>,
    last_lane: Signal<Local, Bits<L>>,
    low_ones: Signal<Local, Bits<L>>,
    last_word: Signal<Local, Bit>,
    span: Signal<Local, Bits<L>>,
    unturned: Signal<Local, Bits<L>>,
    total: Signal<Local, Bits<48>>,
    terminal: Signal<Local, Bit>,
    erroneous: Signal<Local, Bit>,
    report_room: Signal<Local, Bit>,
    consume: Signal<Local, Bit>,
    report: Signal<Local, Bit>,
    reported: Signal<Local, Report>,
    cut: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    give: Signal<Local, Bit>,
    give_streamed: Signal<Local, Bit>,
}

impl<const B: usize, const L: usize, const I: usize, const P: usize> Logic
    for DrainSequencer<B, L, I, P>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            next,
            first_needed,
            full,
            slot,
            position,
            last_position,
            len,
            last,
            ctx,
            status,
            tdest,
            in_transfer,
            began,
            turn,
            bytes,
            broken,
            error,
            rest,
            rest_bytes,
            rest_tdest,
            accepted
        );
        self.slots.clock.next = self.clock.val();
        self.slots.write_enable.next = self.slot_valid.val();
        self.slots.write_address.next = self.slot_index.val();
        self.slots.write_data.next.position = self.slot_position.val();
        self.slots.write_data.next.len = self.slot_len.val();
        self.slots.write_data.next.last = self.slot_last.val();
        self.slots.write_data.next.ctx = self.slot_ctx.val();
        self.slots.write_data.next.status = self.slot_status.val();
        self.slots.write_data.next.tdest = self.slot_tdest.val();
        self.reports.clock.next = self.clock.val();
        self.reports.reset.next = self.reset.val();

        // The word at hand. Only a transfer's first word begins behind lane 0, only its last ends before the last lane.
        self.zero.next = 0.into();
        self.low_ones.next = !self.zero.val();
        self.first_lane.next = bit_cast::<L, 9>(self.position.q.val());
        self.lane.next = self.turn.q.val();
        if !self.began.q.val() {
            self.lane.next = self.first_lane.val();
        }
        self.last_lane.next = bit_cast::<L, 9>(self.last_position.q.val());
        self.last_word.next = (self.position.q.val() | bit_cast::<9, L>(self.low_ones.val()))
            == (self.last_position.q.val() | bit_cast::<9, L>(self.low_ones.val()));
        self.span.next = (self.last_lane.val() - self.lane.val()) + 1;
        self.unturned.next = self.zero.val() - self.turn.q.val();
        self.total.next = self.bytes.q.val() + bit_cast::<48, 10>(self.len.q.val());
        self.terminal.next = !self.len.q.val().any();
        self.erroneous.next = self.status.q.val().any();
        self.report_room.next = !self.reports.full.val() | !self.last.q.val();

        self.read_slot.next = self.slot.q.val();
        self.read_position.next = self.position.q.val();
        self.op_word.next = false;
        self.op_beat.next = false;
        self.op_last.next = false;
        self.op_error.next = false;
        self.op_empty.next = false;
        self.op_bytes.next = 0.into();
        self.op_turn.next = self.lane.val();
        self.op_tdest.next = self.tdest.q.val();
        self.consume.next = false;
        self.cut.next = false;
        self.report.next = false;
        self.reported.next.streamed = true;
        self.reported.next.ctx = self.ctx.q.val();
        self.reported.next.status = self.status.q.val();
        self.reported.next.bytes = self.bytes.q.val();

        if self.rest.q.val() {
            self.op_turn.next = self.turn.q.val();
            self.op_bytes.next = self.rest_bytes.q.val();
            self.op_tdest.next = self.rest_tdest.q.val();
            self.op_last.next = true;
            if self.room.val() {
                self.op_beat.next = true;
                self.rest.d.next = false;
            }
        } else {
            if self.full.q.val() & self.report_room.val() {
                if self.terminal.val() & !self.last.q.val() {
                    // Passed over: its tag may not be used.
                    self.consume.next = true;
                } else {
                    if self.broken.q.val() {
                        self.consume.next = true;
                        self.report.next = self.last.q.val();
                        self.reported.next.status = self.error.q.val();
                    } else {
                        if self.terminal.val() & !self.in_transfer.q.val() {
                            self.consume.next = true;
                            self.report.next = true;
                            self.reported.next.streamed = false;
                        } else {
                            if self.terminal.val() | self.erroneous.val() {
                                self.cut.next = self.room.val();
                                self.consume.next = self.room.val();
                                self.report.next = self.room.val() & self.last.q.val();
                            } else {
                                if self.room.val() {
                                    self.op_word.next = true;
                                    self.op_beat.next = self.began.q.val() | !self.lane.val().any();
                                    self.began.d.next = true;
                                    self.turn.d.next = self.lane.val();
                                    self.position.d.next = self.position.q.val() + self.lanes.val();
                                    if self.last_word.val() {
                                        self.consume.next = true;
                                        self.bytes.d.next = self.total.val();
                                        self.reported.next.bytes = self.total.val();
                                        self.report.next = self.last.q.val();
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }

        if self.op_word.val() & (self.last_word.val() & self.last.q.val()) {
            // Bytes at or behind the first lane end up in one more beat.
            if self.lane.val().any() & (self.last_lane.val() >= self.lane.val()) {
                self.rest.d.next = true;
                self.rest_bytes.d.next = self.span.val();
                self.rest_tdest.d.next = self.tdest.q.val();
            } else {
                self.op_last.next = true;
                self.op_bytes.next = self.span.val();
            }
        }
        if self.cut.val() {
            // The aligner still holds the bytes of the last good word from the turn on.
            self.op_turn.next = self.turn.q.val();
            self.op_beat.next = true;
            self.op_last.next = true;
            self.op_error.next = self.erroneous.val();
            self.op_bytes.next = self.unturned.val();
            self.op_empty.next = !self.began.q.val() | !self.turn.q.val().any();
            self.broken.d.next = true;
            self.error.d.next = self.status.q.val();
        }
        if self.consume.val() {
            self.first_needed.d.next = self.first_needed.q.val() + 1;
            self.full.d.next = false;
            if !self.terminal.val() {
                self.in_transfer.d.next = true;
            }
        }
        if self.report.val() {
            self.in_transfer.d.next = false;
            self.began.d.next = false;
            self.broken.d.next = false;
            self.bytes.d.next = 0.into();
        }

        // The next slot.
        self.next_slot.next = bit_cast::<I, P>(self.next.q.val()) & self.mask.val();
        self.slots.read_address.next = bit_cast::<I, P>(self.next.q.val()) & self.mask.val();
        self.look_slot.next = bit_cast::<I, P>(self.next.q.val()) & self.mask.val();
        self.load.next =
            (self.next.q.val() != self.frontier.val()) & (!self.full.q.val() | self.consume.val());
        if self.load.val() {
            self.next.d.next = self.next.q.val() + 1;
            self.full.d.next = true;
            self.slot.d.next = self.next_slot.val();
            self.position.d.next = self.slots.read_data.val().position;
            self.last_position.d.next = (self.slots.read_data.val().position
                + bit_cast::<9, 10>(self.slots.read_data.val().len))
                - 1;
            self.len.d.next = self.slots.read_data.val().len;
            self.last.d.next = self.slots.read_data.val().last;
            self.ctx.d.next = self.slots.read_data.val().ctx;
            self.status.d.next = self.slots.read_data.val().status | self.look_status.val();
            self.tdest.d.next = self.slots.read_data.val().tdest;
        }
        self.head.next = self.first_needed.q.val();

        // A report waits for its packet's last beat.
        self.reports.data_in.next = self.reported.val();
        self.reports.write.next = self.report.val();
        self.give_streamed.next = self.reports.data_out.val().streamed;
        self.done_valid.next =
            !self.reports.empty.val() & (!self.give_streamed.val() | self.accepted.q.val().any());
        self.done_ctx.next = self.reports.data_out.val().ctx;
        self.done_status.next = self.reports.data_out.val().status;
        self.done_bytes.next = self.reports.data_out.val().bytes;
        self.give.next = (!self.reports.empty.val() & self.done_ready.val())
            & (!self.give_streamed.val() | self.accepted.q.val().any());
        self.reports.read.next = self.give.val();
        if self.last_accepted.val() & !(self.give.val() & self.give_streamed.val()) {
            self.accepted.d.next = self.accepted.q.val() + 1;
        }
        if !self.last_accepted.val() & (self.give.val() & self.give_streamed.val()) {
            self.accepted.d.next = self.accepted.q.val() - 1;
        }

        if self.reset.val() {
            self.next.d.next = 0.into();
            self.first_needed.d.next = 0.into();
            self.full.d.next = false;
            self.in_transfer.d.next = false;
            self.began.d.next = false;
            self.broken.d.next = false;
            self.bytes.d.next = 0.into();
            self.rest.d.next = false;
            self.accepted.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    const B: u64 = 16;

    #[derive(Clone, Copy, Debug)]
    struct Piece {
        position: u64,
        len: u64,
        last: bool,
        chunk_status: u64,
        read_status: u64,
    }

    /// A step: slot and word for one that reads, then beat, last, error, empty, bytes, turn.
    type Op = (Option<(u64, u64)>, bool, bool, bool, bool, u64, u64);

    /// Slots of one transfer: some good ones, then an end of any kind.
    fn transfer(random: &mut StdRng) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut position = random.random_range(0u64..512);
        for _ in 0..random.random_range(0..4) {
            pieces.push(Piece {
                position,
                len: 512 - position,
                last: false,
                chunk_status: 0,
                read_status: 0,
            });
            position = 0;
        }
        match random.random_range(0..5) {
            0 => pieces.push(Piece {
                position: 7,
                len: 0,
                last: true,
                chunk_status: random.random_range(0..2),
                read_status: 0,
            }),
            1 if !pieces.is_empty() => {
                let bad = random.random_range(0..pieces.len());
                pieces[bad].read_status = 15;
                pieces.push(Piece {
                    position: 0,
                    len: 3,
                    last: true,
                    chunk_status: 0,
                    read_status: 16,
                });
            }
            _ => pieces.push(Piece {
                position,
                len: random.random_range(1..=512 - position),
                last: true,
                chunk_status: 0,
                read_status: 0,
            }),
        }
        pieces
    }

    /// Steps and report (status, bytes, with a packet) of a transfer in these slots.
    fn expected(pieces: &[Piece], first_slot: u64, size: u64) -> (Vec<Op>, (u64, u64, bool)) {
        let turn = pieces[0].position % B;
        let mut ops: Vec<Op> = Vec::new();
        let mut bytes = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let status = piece.chunk_status + piece.read_status;
            if piece.len == 0 || status != 0 {
                if index > 0 || piece.len != 0 {
                    let empty = ops.is_empty() || turn == 0;
                    let turn = if ops.is_empty() { 0 } else { turn };
                    ops.push((
                        None,
                        true,
                        true,
                        status != 0,
                        empty,
                        if empty { 0 } else { B - turn },
                        turn,
                    ));
                }
                return (ops, (status, bytes, index > 0 || piece.len != 0));
            }
            let slot = (first_slot + index as u64) % size;
            for word in piece.position / B..(piece.position + piece.len).div_ceil(B) {
                ops.push((
                    Some((slot, word)),
                    !ops.is_empty() || turn == 0,
                    false,
                    false,
                    false,
                    0,
                    turn,
                ));
            }
            bytes += piece.len;
        }
        let beats = ops.iter().filter(|op| op.1).count() as u64;
        let end = ops.len() - 1;
        if beats == bytes.div_ceil(B) {
            (ops[end].2, ops[end].5) = (true, bytes % B);
        } else {
            ops.push((None, true, true, false, false, bytes % B, turn));
        }
        (ops, (0, bytes, true))
    }

    #[test]
    fn steps_and_reports_of_every_kind_of_end() -> Result<(), Error> {
        exercise::<5, 6>(false)?;
        exercise::<6, 7>(false)?;
        exercise::<8, 9>(false)?;
        exercise::<8, 9>(true)
    }

    fn exercise<const I: usize, const P: usize>(narrow: bool) -> Result<(), Error> {
        let size = if narrow { 32 } else { 1u64 << I };
        let mut dut = Pair::new(
            DrainSequencer::<16, 4, I, P>::default(),
            ports!(DrainSequencer<16, 4, I, P> {
                clock: clock;
                in reset, slot_valid, slot_index, slot_position, slot_len, slot_last, slot_ctx, slot_status, slot_tdest, frontier, mask,
                    look_status, room, last_accepted, done_ready;
                out head, look_slot, read_slot, read_position, op_word, op_beat, op_last, op_error, op_empty, op_bytes, op_turn,
                    op_tdest, done_valid, done_ctx, done_status, done_bytes
            }),
        )?;
        dut.set("mask", size - 1)?;
        let mut random = StdRng::seed_from_u64(6);
        let (mut pieces, mut ops, mut reports) =
            (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let mut slots = 0;
        for number in 0..200u64 {
            // Now and then a slot with a quarantined tag lies between two transfers.
            if number % 7 == 0 {
                pieces.push_back((
                    number,
                    Piece {
                        position: 9,
                        len: 0,
                        last: false,
                        chunk_status: 0,
                        read_status: 0,
                    },
                ));
                slots += 1;
            }
            let transfer = transfer(&mut random);
            let (steps, report) = expected(&transfer, slots, size);
            slots += transfer.len() as u64;
            pieces.extend(transfer.into_iter().map(|piece| (number, piece)));
            ops.extend(steps.into_iter().map(|op| (number, op)));
            reports.push_back((number, report));
        }
        let (mut tail, mut frontier, mut statuses) = (0u64, 0, vec![0; 1 << I]);
        let mut in_aligner = VecDeque::new();
        let mut packets = 0;
        for _ in 0..60_000 {
            let head = dut.get("head")?;
            let allocate = tail.wrapping_sub(head) % (1 << P) < size && random.random_bool(0.5);
            let piece = if allocate { pieces.pop_front() } else { None };
            dut.set("slot_valid", piece.is_some())?;
            if let Some((number, piece)) = piece {
                statuses[(tail % size) as usize] = piece.read_status;
                dut.set("slot_index", tail % size)?;
                dut.set("slot_position", piece.position)?;
                dut.set("slot_len", piece.len)?;
                dut.set("slot_last", piece.last)?;
                dut.set("slot_ctx", number % 16)?;
                dut.set("slot_status", piece.chunk_status)?;
                dut.set("slot_tdest", number)?;
            }
            dut.set("frontier", frontier % (1 << P))?;
            let look = dut.get("look_slot")?;
            dut.set("look_status", statuses[look as usize])?;
            dut.set("room", random.random_bool(0.9))?;
            let done_ready = random.random_bool(0.3);
            dut.set("done_ready", done_ready)?;
            // The stream takes last beats some time after their step.
            let accepted = !in_aligner.is_empty() && random.random_bool(0.1);
            dut.set("last_accepted", accepted)?;

            if dut.is("op_word")? || dut.is("op_beat")? {
                let (number, op) = ops.pop_front().expect("a step too many");
                let word = match dut.is("op_word")? {
                    true => Some((dut.get("read_slot")?, dut.get("read_position")? / B)),
                    false => None,
                };
                let (beat, last) = (dut.is("op_beat")?, dut.is("op_last")?);
                // Nothing is turned by a step without bytes.
                let empty = dut.is("op_empty")?;
                let (bytes, turn) = if empty {
                    (0, op.6)
                } else {
                    (dut.get("op_bytes")?, dut.get("op_turn")?)
                };
                assert_eq!(
                    (word, beat, last, dut.is("op_error")?, empty, bytes, turn),
                    op,
                    "transfer {number}"
                );
                assert_eq!(dut.get("op_tdest")?, number);
                if last {
                    in_aligner.push_back(number);
                }
            }
            if done_ready && dut.is("done_valid")? {
                let (number, (status, bytes, packet)) =
                    reports.pop_front().expect("a report too many");
                assert_eq!(dut.get("done_ctx")?, number % 16);
                assert_eq!(
                    (dut.get("done_status")?, dut.get("done_bytes")?),
                    (status, bytes),
                    "transfer {number}"
                );
                if packet {
                    assert!(
                        packets > 0,
                        "transfer {number} reported before its packet was taken"
                    );
                    packets -= 1;
                }
            }
            if accepted {
                in_aligner.pop_front();
                packets += 1;
            }
            dut.step()?;
            if frontier != tail && random.random_bool(0.7) {
                frontier += 1;
            }
            tail += u64::from(piece.is_some());
            if reports.is_empty() {
                break;
            }
        }
        assert_eq!((reports.len(), ops.len(), pieces.len()), (0, 0, 0));
        Ok(())
    }
}
