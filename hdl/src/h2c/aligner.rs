//! From address-aligned words to the user stream.

use crate::widgets::SmallFifo;
use crate::widgets::{RotateLanes, SelectLanes};
use rust_hdl::prelude::*;

/// A step on its way through the pipeline.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Step {
    word: Bit,
    beat: Bit,
    last: Bit,
    error: Bit,
    empty: Bit,
    turn: Bits<6>,
    bytes: Bits<6>,
    tdest: Bits<16>,
}

/// What goes beside a beat.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Mark {
    last: Bit,
    error: Bit,
    tdest: Bits<16>,
}

/// Turns words so that the packet's first byte lies in lane 0, and queues the beats for the stream.
///
/// The pipeline never stops: a step that makes a beat comes only with `room`. A word is registered as it leaves the RAM,
/// turned in two stages, merged with the one before, and queued: 6 cycles from the step to the stream.
#[derive(LogicBlock, Default)]
pub struct DrainAligner<const W: usize, const B: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// There is room for a beat.
    pub room: Signal<Out, Bit>,
    /// A word comes with this step, on `read_data` in the next cycle.
    pub op_word: Signal<In, Bit>,
    /// A beat comes out of this step.
    pub op_beat: Signal<In, Bit>,
    /// It is the packet's last.
    pub op_last: Signal<In, Bit>,
    /// TUSER of the beat.
    pub op_error: Signal<In, Bit>,
    /// The beat has no bytes.
    pub op_empty: Signal<In, Bit>,
    /// Bytes of the beat; 0: all lanes.
    pub op_bytes: Signal<In, Bits<L>>,
    /// Lane of the packet's first byte.
    pub op_turn: Signal<In, Bits<L>>,
    /// TDEST of the packet.
    pub op_tdest: Signal<In, Bits<16>>,
    /// The word of the step in the cycle before.
    pub read_data: Signal<In, Bits<W>>,
    /// AXI4-Stream: a beat is offered.
    pub tvalid: Signal<Out, Bit>,
    /// The beat is taken.
    pub tready: Signal<In, Bit>,
    /// Data, first byte in lane 0; lanes without a byte are 0.
    pub tdata: Signal<Out, Bits<W>>,
    /// Lanes with a byte.
    pub tkeep: Signal<Out, Bits<B>>,
    /// Last beat of the packet.
    pub tlast: Signal<Out, Bit>,
    /// Destination.
    pub tdest: Signal<Out, Bits<16>>,
    /// The packet ends early.
    pub tuser: Signal<Out, Bit>,
    /// A beat with TLAST is taken in this cycle.
    pub last_accepted: Signal<Out, Bit>,

    // Beats promised and not yet taken, 0..=32.
    pending: DFF<Bits<6>>,
    read_step: DFF<Step>,
    word_step: DFF<Step>,
    coarse_step: DFF<Step>,
    fine_step: DFF<Step>,
    word: DFF<Bits<W>>,
    coarse: RotateLanes<W, 3>,
    fine: RotateLanes<W, 0>,
    from_word: DFF<Bits<B>>,
    keep: DFF<Bits<B>>,
    merge: SelectLanes<W, B>,
    held: DFF<Bits<W>>,
    out_valid: DFF<Bit>,
    out_data: DFF<Bits<W>>,
    out_keep: DFF<Bits<B>>,
    out_mark: DFF<Mark>,
    beats: SmallFifo<Bits<W>, 5, 6>,
    keeps: SmallFifo<Bits<B>, 5, 6>,
    marks: SmallFifo<Mark, 5, 6>,

    step: Signal<Local, Step>,
    word_turn: Signal<Local, Bits<6>>,
    coarse_turn: Signal<Local, Bits<6>>,
    zero: Signal<Local, Bits<L>>,
    turn_back: Signal<Local, Bits<L>>,
    bytes_back: Signal<Local, Bits<L>>,
    none: Signal<Local, Bits<B>>,
    all: Signal<Local, Bits<B>>,
    taken: Signal<Local, Bit>,
}

impl<const W: usize, const B: usize, const L: usize> Logic for DrainAligner<W, B, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            pending,
            read_step,
            word_step,
            coarse_step,
            fine_step,
            word,
            from_word,
            keep,
            held,
            out_valid,
            out_data,
            out_keep,
            out_mark
        );
        self.coarse.clock.next = self.clock.val();
        self.fine.clock.next = self.clock.val();
        self.beats.clock.next = self.clock.val();
        self.keeps.clock.next = self.clock.val();
        self.marks.clock.next = self.clock.val();
        self.beats.reset.next = self.reset.val();
        self.keeps.reset.next = self.reset.val();
        self.marks.reset.next = self.reset.val();

        // The RAM reads, then its word is registered.
        self.step.next.word = self.op_word.val();
        self.step.next.beat = self.op_beat.val();
        self.step.next.last = self.op_last.val();
        self.step.next.error = self.op_error.val();
        self.step.next.empty = self.op_empty.val();
        self.step.next.turn = bit_cast::<6, L>(self.op_turn.val());
        self.step.next.bytes = bit_cast::<6, L>(self.op_bytes.val());
        self.step.next.tdest = self.op_tdest.val();
        self.read_step.d.next = self.step.val();
        self.word_step.d.next = self.read_step.q.val();
        self.word.d.next = self.read_data.val();

        // Two turns.
        self.coarse_step.d.next = self.word_step.q.val();
        self.word_turn.next = self.word_step.q.val().turn;
        self.coarse.data_in.next = self.word.q.val();
        self.coarse.turn.next = self.word_turn.val().get_bits::<3>(3);
        self.fine_step.d.next = self.coarse_step.q.val();
        self.coarse_turn.next = self.coarse_step.q.val().turn;
        self.fine.data_in.next = self.coarse.data_out.val();
        self.fine.turn.next = self.coarse_turn.val().get_bits::<3>(0);

        // A word turned by t lanes fills the lanes from B - t on (all lanes when t is 0), the word before it the others.
        self.zero.next = 0.into();
        self.none.next = 0.into();
        self.all.next = !self.none.val();
        self.turn_back.next = self.zero.val() - bit_cast::<L, 6>(self.coarse_step.q.val().turn);
        self.bytes_back.next = self.zero.val() - bit_cast::<L, 6>(self.coarse_step.q.val().bytes);
        self.from_word.d.next = self.all.val() << self.turn_back.val();
        self.keep.d.next = self.all.val() >> self.bytes_back.val();
        if self.coarse_step.q.val().empty {
            self.keep.d.next = 0.into();
        }
        self.merge.chosen.next = self.fine.data_out.val();
        self.merge.other.next = self.held.q.val();
        self.merge.select.next = self.from_word.q.val();
        self.merge.keep.next = self.keep.q.val();
        if self.fine_step.q.val().word {
            self.held.d.next = self.fine.data_out.val();
        }
        self.out_valid.d.next = self.fine_step.q.val().beat;
        self.out_data.d.next = self.merge.data_out.val();
        self.out_keep.d.next = self.keep.q.val();
        self.out_mark.d.next.last = self.fine_step.q.val().last;
        self.out_mark.d.next.error = self.fine_step.q.val().error;
        self.out_mark.d.next.tdest = self.fine_step.q.val().tdest;

        self.beats.write.next = self.out_valid.q.val();
        self.beats.data_in.next = self.out_data.q.val();
        self.keeps.write.next = self.out_valid.q.val();
        self.keeps.data_in.next = self.out_keep.q.val();
        self.marks.write.next = self.out_valid.q.val();
        self.marks.data_in.next = self.out_mark.q.val();
        self.taken.next = !self.marks.empty.val() & self.tready.val();
        self.beats.read.next = self.taken.val();
        self.keeps.read.next = self.taken.val();
        self.marks.read.next = self.taken.val();
        self.tvalid.next = !self.marks.empty.val();
        self.tdata.next = self.beats.data_out.val();
        self.tkeep.next = self.keeps.data_out.val();
        self.tlast.next = self.marks.data_out.val().last;
        self.tdest.next = self.marks.data_out.val().tdest;
        self.tuser.next = self.marks.data_out.val().error;
        self.last_accepted.next = self.taken.val() & self.marks.data_out.val().last;

        self.room.next = self.pending.q.val() < 32;
        if self.op_beat.val() & !self.taken.val() {
            self.pending.d.next = self.pending.q.val() + 1;
        }
        if !self.op_beat.val() & self.taken.val() {
            self.pending.d.next = self.pending.q.val() - 1;
        }

        if self.reset.val() {
            self.pending.d.next = 0.into();
            self.read_step.d.next.beat = false;
            self.word_step.d.next.beat = false;
            self.coarse_step.d.next.beat = false;
            self.fine_step.d.next.beat = false;
            self.out_valid.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2c::test_bench::words;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    const B: usize = 16;

    /// A step, and the word that comes with it in the next cycle.
    #[derive(Clone, Default)]
    struct Op {
        word: Option<Vec<u8>>,
        beat: bool,
        last: bool,
        bytes: usize,
        turn: usize,
    }

    /// The steps of a packet whose first byte lies in lane `turn`.
    fn steps(packet: &[u8], turn: usize) -> Vec<Op> {
        let mut bytes = vec![0xaa; turn];
        bytes.extend(packet);
        let count = bytes.len().div_ceil(B);
        bytes.resize(count * B, 0xbb);
        let beats = packet.len().div_ceil(B);
        let mut left = beats;
        let mut ops = Vec::new();
        for (index, word) in bytes.chunks(B).enumerate() {
            let beat = index > 0 || turn == 0;
            left -= usize::from(beat);
            ops.push(Op {
                word: Some(word.to_vec()),
                beat,
                last: beat && left == 0,
                bytes: packet.len() % B,
                turn,
            });
        }
        if left == 1 {
            ops.push(Op {
                word: None,
                beat: true,
                last: true,
                bytes: packet.len() % B,
                turn,
            });
        }
        ops
    }

    #[test]
    fn packets_begin_in_lane_0() -> Result<(), Error> {
        let mut dut = Pair::new(
            DrainAligner::<128, 16, 4>::default(),
            ports!(DrainAligner<128, 16, 4> {
                clock: clock;
                in reset, op_word, op_beat, op_last, op_error, op_empty, op_bytes, op_turn, op_tdest, read_data, tready;
                out room, tvalid, tdata, tkeep, tlast, tdest, tuser, last_accepted
            }),
        )?;
        let mut random = StdRng::seed_from_u64(5);
        let packets: Vec<Vec<u8>> = (0..300)
            .map(|_| {
                let len = random.random_range(1..150);
                (0..len).map(|_| random.random()).collect()
            })
            .collect();
        let mut ops: VecDeque<_> = packets
            .iter()
            .enumerate()
            .flat_map(|(index, packet)| {
                steps(packet, index % B)
                    .into_iter()
                    .map(move |op| (index as u64, op))
            })
            .collect();
        let mut word = vec![0; B];
        let (mut received, mut at, mut full) = (0, Vec::new(), 0);
        for cycle in 0..20_000 {
            // At times the stream stands still, so that the queue fills up.
            let ready = cycle / 100 % 4 != 0 && random.random_bool(0.8);
            dut.set("tready", ready)?;
            dut.set_wide("read_data", &words(&word))?;
            full += u32::from(!dut.is("room")?);
            let op = match dut.is("room")? && random.random_bool(0.9) {
                true => ops.pop_front(),
                false => None,
            };
            let (tdest, op) = op.unwrap_or_default();
            dut.set("op_word", op.word.is_some())?;
            dut.set("op_beat", op.beat)?;
            dut.set("op_last", op.last)?;
            dut.set("op_error", op.last && tdest % 3 == 0)?;
            dut.set("op_bytes", if op.last { op.bytes as u64 } else { 0 })?;
            dut.set("op_turn", op.turn as u64)?;
            dut.set("op_tdest", tdest)?;
            if ready && dut.is("tvalid")? {
                let count = dut.get("tkeep")?.trailing_ones() as usize;
                assert_eq!(dut.get("tkeep")?, (1u64 << count) - 1);
                let data: Vec<u8> = dut
                    .get_wide("tdata")?
                    .iter()
                    .flat_map(|word| word.to_le_bytes())
                    .collect();
                at.extend(&data[..count]);
                assert!(data[count..].iter().all(|byte| *byte == 0));
                let last = at.len() == packets[received].len();
                assert!(packets[received].starts_with(&at), "packet {received}");
                assert_eq!((dut.is("tlast")?, dut.is("last_accepted")?), (last, last));
                assert_eq!(
                    (dut.get("tdest")?, dut.is("tuser")?),
                    (received as u64, last && received % 3 == 0)
                );
                if last {
                    at.clear();
                    received += 1;
                }
            } else {
                assert!(!dut.is("last_accepted")?);
            }
            word = op.word.unwrap_or_else(|| vec![0xcc; B]);
            dut.step()?;
            if received == packets.len() {
                break;
            }
        }
        assert_eq!(received, packets.len());
        assert!(full > 10, "the queue was never full");
        Ok(())
    }
}
