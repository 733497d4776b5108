//! The read path put together.

use super::{CompletionSink, DrainAligner, DrainSequencer, Frontier, ReadRequester, SlotRam};
use rust_hdl::prelude::*;

/// Chunks in, reads out, completions in, user stream and reports out.
///
/// `W`: bus width in bits (64 to 512), `B` = `W` / 8, `L` = log2(`B`); `N` slots (a power of two from 32 to 256), `I` =
/// log2(`N`), `P` = `I` + 1; `T` tags: `N` + 8, 256 at most. Slot n has tag n + 8, as the fetch unit has the first eight.
#[derive(LogicBlock, Default)]
pub struct H2cEngine<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Cycles that the oldest read may take from its departure; 0: any number.
    pub timeout: Signal<In, Bits<32>>,
    /// A chunk is offered; before it is taken it may be exchanged for another.
    pub chunk_valid: Signal<In, Bit>,
    /// The chunk is taken.
    pub chunk_ready: Signal<Out, Bit>,
    /// Bus address of the first byte.
    pub chunk_addr: Signal<In, Bits<64>>,
    /// Bytes, 1..=512 within a naturally aligned block of 512; 0 on a terminal chunk.
    pub chunk_len: Signal<In, Bits<10>>,
    /// Last chunk of its transfer. A terminal chunk is always the last.
    pub chunk_last: Signal<In, Bit>,
    /// Context.
    pub chunk_ctx: Signal<In, Bits<4>>,
    /// Why a terminal chunk ends its transfer; 0 on all others.
    pub chunk_status: Signal<In, Bits<16>>,
    /// TDEST of the transfer.
    pub chunk_tdest: Signal<In, Bits<16>>,
    /// Contexts that must stop reading; a context stays here until the report of its transfer has been taken.
    pub aborts: Signal<In, Bits<16>>,
    /// A read is offered; one that is not taken may be withdrawn.
    pub rd_valid: Signal<Out, Bit>,
    /// The read is taken.
    pub rd_ready: Signal<In, Bit>,
    /// Byte address, multiple of 4.
    pub rd_addr: Signal<Out, Bits<64>>,
    /// DWs, 1..=128.
    pub rd_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub rd_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub rd_last_be: Signal<Out, Bits<4>>,
    /// Tag, 8..`T`.
    pub rd_tag: Signal<Out, Bits<10>>,
    /// A read leaves for the link in this cycle.
    pub sent_valid: Signal<In, Bit>,
    /// Its tag; below 8: not one of this engine's.
    pub sent_tag: Signal<In, Bits<10>>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat; the header counts in this beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag; below 8: not for this engine.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs; 0: no data.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still missing, these included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits of the first byte.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// PCIe completion status: 0 SC, 1 UR, 2 CRS, 4 CA.
    pub cpl_status: Signal<In, Bits<3>>,
    /// The data is poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// AXI4-Stream: a beat is offered.
    pub tvalid: Signal<Out, Bit>,
    /// The beat is taken.
    pub tready: Signal<In, Bit>,
    /// Data, first byte in lane 0; lanes without a byte are 0.
    pub tdata: Signal<Out, Bits<W>>,
    /// Lanes with a byte, contiguous from lane 0.
    pub tkeep: Signal<Out, Bits<B>>,
    /// Last beat of the packet.
    pub tlast: Signal<Out, Bit>,
    /// Destination.
    pub tdest: Signal<Out, Bits<16>>,
    /// The packet ends early.
    pub tuser: Signal<Out, Bit>,
    /// A transfer has ended: its packet has been accepted and none of its reads is in flight.
    pub done_valid: Signal<Out, Bit>,
    /// The report is taken.
    pub done_ready: Signal<In, Bit>,
    /// Context.
    pub done_ctx: Signal<Out, Bits<4>>,
    /// Status code of the protocol.
    pub done_status: Signal<Out, Bits<16>>,
    /// Bytes that the stream got, in order and without error.
    pub done_bytes: Signal<Out, Bits<48>>,
    /// Context `quiet_ctx` of `aborts` has no read in flight and gets none any more, whatever the stream does. Told again
    /// every 16 cycles.
    pub quiet_valid: Signal<Out, Bit>,
    /// Which context.
    pub quiet_ctx: Signal<Out, Bits<4>>,
    /// Extended tags are enabled.
    pub extended: Signal<In, Bit>,
    /// Tags that may be used.
    pub usable: Signal<In, Bits<T>>,
    /// Slots whose reads have left and whose last completion has not been seen, whatever has become of the slot.
    pub expected: Signal<Out, Bits<N>>,
    /// A slot is free for a read, and its tag too.
    pub slot_free: Signal<Out, Bit>,

    requester: ReadRequester<N, I, P>,
    sink: CompletionSink<W, B, N, I>,
    frontier: Frontier<N, I, P>,
    ram: SlotRam<W, L, I>,
    sequencer: DrainSequencer<B, L, I, P>,
    aligner: DrainAligner<W, B, L>,
    data_tags: Signal<Local, Bits<T>>,
    unowed: Signal<Local, Bits<N>>,
}

impl<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
> Logic for H2cEngine<W, B, L, N, I, P, T>
{
    #[hdl_gen]
    fn update(&mut self) {
        self.requester.clock.next = self.clock.val();
        self.sink.clock.next = self.clock.val();
        self.frontier.clock.next = self.clock.val();
        self.ram.clock.next = self.clock.val();
        self.sequencer.clock.next = self.clock.val();
        self.aligner.clock.next = self.clock.val();
        self.requester.reset.next = self.reset.val();
        self.sink.reset.next = self.reset.val();
        self.frontier.reset.next = self.reset.val();
        self.sequencer.reset.next = self.reset.val();
        self.aligner.reset.next = self.reset.val();

        // Chunks to reads.
        self.requester.chunk_valid.next = self.chunk_valid.val();
        self.requester.chunk_addr.next = self.chunk_addr.val();
        self.requester.chunk_len.next = self.chunk_len.val();
        self.requester.chunk_last.next = self.chunk_last.val();
        self.requester.chunk_ctx.next = self.chunk_ctx.val();
        self.requester.chunk_status.next = self.chunk_status.val();
        self.requester.chunk_tdest.next = self.chunk_tdest.val();
        self.requester.aborts.next = self.aborts.val();
        self.chunk_ready.next = self.requester.chunk_ready.val();
        self.rd_valid.next = self.requester.rd_valid.val();
        self.requester.rd_ready.next = self.rd_ready.val();
        self.rd_addr.next = self.requester.rd_addr.val();
        self.rd_len.next = self.requester.rd_len.val();
        self.rd_first_be.next = self.requester.rd_first_be.val();
        self.rd_last_be.next = self.requester.rd_last_be.val();
        self.rd_tag.next = self.requester.rd_tag.val() + 8;
        self.requester.head.next = self.sequencer.head.val();
        self.requester.extended.next = self.extended.val();
        self.data_tags.next = self.usable.val() >> 8;
        self.unowed.next = !self.sink.quarantined.val();
        self.requester.usable.next = bit_cast::<N, T>(self.data_tags.val()) & self.unowed.val();
        self.expected.next =
            (self.sink.open.val() & self.sink.sent.val()) | self.sink.quarantined.val();
        self.slot_free.next = self.requester.slot_free.val();

        // Completions to the RAM.
        self.sink.cpl_valid.next = self.cpl_valid.val();
        self.sink.cpl_sop.next = self.cpl_sop.val();
        self.sink.cpl_eop.next = self.cpl_eop.val();
        self.sink.cpl_data.next = self.cpl_data.val();
        self.sink.cpl_tag.next = self.cpl_tag.val() - 8;
        self.sink.cpl_len.next = self.cpl_len.val();
        self.sink.cpl_byte_count.next = self.cpl_byte_count.val();
        self.sink.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.sink.cpl_status.next = self.cpl_status.val();
        self.sink.cpl_poisoned.next = self.cpl_poisoned.val();
        self.sink.slot_valid.next = self.requester.slot_valid.val();
        self.sink.slot_index.next = self.requester.slot_index.val();
        self.sink.slot_position.next = self.requester.slot_position.val();
        self.sink.slot_len.next = self.requester.slot_len.val();
        self.sink.sent_valid.next = self.sent_valid.val();
        self.sink.sent_tag.next = self.sent_tag.val() - 8;
        self.sink.withdrawn.next = self.requester.withdrawn.val();
        self.sink.withdrawn_slot.next = self.requester.withdrawn_slot.val();
        self.sink.expire.next = self.frontier.expire.val();
        self.sink.expire_slot.next = self.frontier.expire_slot.val();
        self.sink.look_slot.next = self.sequencer.look_slot.val();
        self.ram.write_enable.next = self.sink.write_enable.val();
        self.ram.write_slot.next = self.sink.write_slot.val();
        self.ram.write_position.next = self.sink.write_position.val();
        self.ram.write_data.next = self.sink.write_data.val();

        // Ring order.
        self.frontier.slot_valid.next = self.requester.slot_valid.val();
        self.frontier.slot_len.next = self.requester.slot_len.val();
        self.frontier.slot_ctx.next = self.requester.slot_ctx.val();
        self.frontier.tail.next = self.requester.tail.val();
        self.frontier.mask.next = self.requester.mask.val();
        self.sequencer.mask.next = self.requester.mask.val();
        self.frontier.open.next = self.sink.open.val();
        self.frontier.sent.next = self.sink.sent.val();
        self.frontier.aborts.next = self.aborts.val();
        self.frontier.timeout.next = self.timeout.val();
        self.quiet_valid.next = self.frontier.quiet_valid.val();
        self.quiet_ctx.next = self.frontier.quiet_ctx.val();

        // The RAM to the stream.
        self.sequencer.slot_valid.next = self.requester.slot_valid.val();
        self.sequencer.slot_index.next = self.requester.slot_index.val();
        self.sequencer.slot_position.next = self.requester.slot_position.val();
        self.sequencer.slot_len.next = self.requester.slot_len.val();
        self.sequencer.slot_last.next = self.requester.slot_last.val();
        self.sequencer.slot_ctx.next = self.requester.slot_ctx.val();
        self.sequencer.slot_status.next = self.requester.slot_status.val();
        self.sequencer.slot_tdest.next = self.requester.slot_tdest.val();
        self.sequencer.frontier.next = self.frontier.reached.val();
        self.sequencer.look_status.next = self.sink.look_status.val();
        self.sequencer.room.next = self.aligner.room.val();
        self.sequencer.last_accepted.next = self.aligner.last_accepted.val();
        self.ram.read_slot.next = self.sequencer.read_slot.val();
        self.ram.read_position.next = self.sequencer.read_position.val();
        self.aligner.op_word.next = self.sequencer.op_word.val();
        self.aligner.op_beat.next = self.sequencer.op_beat.val();
        self.aligner.op_last.next = self.sequencer.op_last.val();
        self.aligner.op_error.next = self.sequencer.op_error.val();
        self.aligner.op_empty.next = self.sequencer.op_empty.val();
        self.aligner.op_bytes.next = self.sequencer.op_bytes.val();
        self.aligner.op_turn.next = self.sequencer.op_turn.val();
        self.aligner.op_tdest.next = self.sequencer.op_tdest.val();
        self.aligner.read_data.next = self.ram.read_data.val();
        self.aligner.tready.next = self.tready.val();
        self.tvalid.next = self.aligner.tvalid.val();
        self.tdata.next = self.aligner.tdata.val();
        self.tkeep.next = self.aligner.tkeep.val();
        self.tlast.next = self.aligner.tlast.val();
        self.tdest.next = self.aligner.tdest.val();
        self.tuser.next = self.aligner.tuser.val();
        self.sequencer.done_ready.next = self.done_ready.val();
        self.done_valid.next = self.sequencer.done_valid.val();
        self.done_ctx.next = self.sequencer.done_ctx.val();
        self.done_status.next = self.sequencer.done_status.val();
        self.done_bytes.next = self.sequencer.done_bytes.val();
    }
}

#[cfg(test)]
mod tests;
