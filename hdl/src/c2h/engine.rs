//! The C2H data path: walker, realigner, data FIFO and cutter.

use super::keep::KeepCount;
use super::{Cutter, Realigner};
use crate::sizes::{Full, SLOT_BITS, SgWords, Sizes, WORD_BITS};
use crate::walker::Walker;
use crate::widgets::{BlockFifo, Ram, SmallFifo};
use rust_hdl::prelude::*;

/// Takes transfers of one context table and a user stream, gives memory writes and retired transfers.
///
/// `L1` must be `L + 1`.
#[derive(LogicBlock, Default)]
pub struct C2hEngine<
    const W: usize,
    const B: usize,
    const L: usize,
    const L1: usize,
    S: Sizes = Full,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Bytes of one write at most: 128, 256 or 512.
    pub max_write: Signal<In, Bits<10>>,

    /// A transfer is offered; see [`Walker`] for its fields.
    pub job_valid: Signal<In, Bit>,
    /// It is taken.
    pub job_ready: Signal<Out, Bit>,
    /// Context.
    pub job_ctx: Signal<In, Bits<4>>,
    /// Position in the region's pages.
    pub job_position: Signal<In, Bits<64>>,
    /// Bytes.
    pub job_length: Signal<In, Bits<48>>,
    /// First element.
    pub job_element: Signal<In, Bits<32>>,
    /// Last element.
    pub job_last_element: Signal<In, Bits<32>>,
    /// Uniform pages.
    pub job_uniform: Signal<In, Bit>,
    /// log2 of the page size.
    pub job_shift: Signal<In, Bits<5>>,
    /// Failed already.
    pub job_status: Signal<In, Bits<8>>,
    /// TDEST.
    pub job_tdest: Signal<In, Bits<16>>,
    /// The next transfer can be dispatched.
    pub ready: Signal<Out, Bit>,

    /// Window looked at.
    pub window: Signal<Out, Bits<5>>,
    /// Its block is here.
    pub window_valid: Signal<In, Bit>,
    /// Its slot.
    pub window_slot: Signal<In, Bits<SLOT_BITS>>,
    /// How its read ended.
    pub window_status: Signal<In, Bits<8>>,
    /// A word of an SG block arrives.
    pub fill_write: Signal<In, Bit>,
    /// Slot and word.
    pub fill_word: Signal<In, Bits<WORD_BITS>>,
    /// The word.
    pub fill_data: Signal<In, Bits<128>>,
    /// A block is left behind.
    pub consumed_valid: Signal<Out, Bit>,
    /// Noted.
    pub consumed_ready: Signal<In, Bit>,
    /// Index of the block.
    pub consumed_block: Signal<Out, Bits<32>>,
    /// Context of the walker.
    pub consumed_ctx: Signal<Out, Bits<4>>,
    /// Contexts to abort.
    pub aborts: Signal<In, Bits<16>>,

    /// User stream.
    pub s_tvalid: Signal<In, Bit>,
    /// The beat is used up.
    pub s_tready: Signal<Out, Bit>,
    /// Bytes.
    pub s_tdata: Signal<In, Bits<W>>,
    /// Valid lanes, contiguous from lane 0.
    pub s_tkeep: Signal<In, Bits<B>>,
    /// End of a packet.
    pub s_tlast: Signal<In, Bit>,

    /// A beat of a memory write.
    pub tlp_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tlp_ready: Signal<In, Bit>,
    /// First beat.
    pub tlp_sop: Signal<Out, Bit>,
    /// Last beat.
    pub tlp_eop: Signal<Out, Bit>,
    /// Data.
    pub tlp_data: Signal<Out, Bits<W>>,
    /// Byte address.
    pub tlp_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub tlp_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub tlp_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub tlp_last_be: Signal<Out, Bits<4>>,

    /// A transfer has ended.
    pub retire_valid: Signal<Out, Bit>,
    /// Noted.
    pub retire_ready: Signal<In, Bit>,
    /// Context.
    pub retire_ctx: Signal<Out, Bits<4>>,
    /// Status.
    pub retire_status: Signal<Out, Bits<8>>,
    /// Bytes moved.
    pub retire_bytes: Signal<Out, Bits<48>>,
    /// Ended with a packet.
    pub retire_eop: Signal<Out, Bit>,

    /// Bytes of the write that ends in this cycle.
    pub sent_bytes: Signal<Out, Bits<10>>,
    /// The data path waits for a block of the list.
    pub list_wait: Signal<Out, Bit>,
    /// A transfer is running that has not taken all of its bytes from the stream.
    pub running: Signal<Out, Bit>,
    /// All the payload of a write is here, and it has not been sent yet.
    pub holds: Signal<Out, Bit>,

    walker: Walker,
    realigner: Realigner<W, B, L, L1>,
    cutter: Cutter<W, B, L>,
    valid_lanes: KeepCount<B, L1>,
    lists: Ram<Bits<128>, WORD_BITS, SgWords<S>>,
    chunks: SmallFifo<Bits<88>, 4, 5>,
    beats: BlockFifo<Bits<W>, 8, 9>,
    ends: SmallFifo<Bits<49>, 2, 3>,
    chunk_in: Signal<Local, Bits<88>>,
    chunk: Signal<Local, Bits<88>>,
    ending: Signal<Local, Bits<49>>,
    begins: Signal<Local, Bit>,
}

impl<const W: usize, const B: usize, const L: usize, const L1: usize, S: Sizes> Logic
    for C2hEngine<W, B, L, L1, S>
{
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self, clock, walker, realigner, cutter, lists, chunks, beats, ends
        );
        self.walker.reset.next = self.reset.val();
        self.realigner.reset.next = self.reset.val();
        self.cutter.reset.next = self.reset.val();
        self.chunks.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.ends.reset.next = self.reset.val();

        // Transfer -> walker.
        self.walker.job_valid.next = self.job_valid.val();
        self.job_ready.next = self.walker.job_ready.val();
        self.walker.job_ctx.next = self.job_ctx.val();
        self.walker.job_position.next = self.job_position.val();
        self.walker.job_length.next = self.job_length.val();
        self.walker.job_element.next = self.job_element.val();
        self.walker.job_last_element.next = self.job_last_element.val();
        self.walker.job_uniform.next = self.job_uniform.val();
        self.walker.job_shift.next = self.job_shift.val();
        self.walker.job_status.next = self.job_status.val();
        self.walker.job_tdest.next = self.job_tdest.val();
        self.walker.chunk_max.next = self.max_write.val();
        self.ready.next = self.walker.idle.val() & self.realigner.idle.val();

        // The list.
        self.window.next = self.walker.window.val();
        self.walker.window_valid.next = self.window_valid.val();
        self.walker.window_slot.next = self.window_slot.val();
        self.walker.window_status.next = self.window_status.val();
        self.lists.write_enable.next = self.fill_write.val();
        self.lists.write_address.next = self.fill_word.val();
        self.lists.write_data.next = self.fill_data.val();
        self.lists.read_address.next = self.walker.sg_address.val();
        self.walker.sg_data.next = self.lists.read_data.val();
        self.consumed_valid.next = self.walker.consumed_valid.val();
        self.walker.consumed_ready.next = self.consumed_ready.val();
        self.consumed_block.next = self.walker.consumed_block.val();
        self.consumed_ctx.next = self.walker.ctx.val();
        self.walker.aborts.next = self.aborts.val();
        self.walker.stop.next = self.cutter.stop.val();
        self.walker.stop_ctx.next = self.cutter.cancel_ctx.val();

        // Walker -> chunks; the first real chunk of a transfer starts the realigner, which is idle by then.
        self.chunk_in.next = bit_cast::<88, 64>(self.walker.chunk_addr.val())
            | (bit_cast::<88, 10>(self.walker.chunk_len.val()) << 64)
            | (bit_cast::<88, 1>(self.walker.chunk_first.val().into()) << 74)
            | (bit_cast::<88, 1>(self.walker.chunk_last.val().into()) << 75)
            | (bit_cast::<88, 4>(self.walker.ctx.val()) << 76)
            | (bit_cast::<88, 8>(self.walker.chunk_status.val()) << 80);
        self.chunks.data_in.next = self.chunk_in.val();
        self.chunks.write.next = self.walker.chunk_valid.val() & !self.chunks.full.val();
        self.walker.chunk_ready.next = !self.chunks.full.val();
        self.begins.next = (self.chunks.write.val() & self.walker.chunk_first.val())
            & self.walker.chunk_len.val().any();
        self.realigner.job_valid.next = self.begins.val();
        self.realigner.job_lane.next = self.walker.chunk_addr.val().get_bits::<L>(0);
        self.realigner.job_length.next = self.walker.length.val();
        self.realigner.job_ctx.next = self.walker.ctx.val();

        // Stream -> realigner -> data FIFO.
        self.valid_lanes.keep.next = self.s_tkeep.val();
        self.realigner.s_tvalid.next = self.s_tvalid.val();
        self.s_tready.next = self.realigner.s_tready.val();
        self.realigner.s_tdata.next = self.s_tdata.val();
        self.realigner.s_count.next = self.valid_lanes.count.val();
        self.realigner.s_tlast.next = self.s_tlast.val();
        self.realigner.cancel.next = self.cutter.cancel.val();
        self.realigner.cancel_ctx.next = self.cutter.cancel_ctx.val();
        // A count shows a beat two cycles after its write, and that comes three cycles after the stream gave its bytes: five
        // beats may be on their way, one more leaves without asking. Of the end records, one may be on its way.
        self.realigner.out_room.next = (self.beats.count.val() < 240) & (self.ends.count.val() < 3);
        self.beats.data_in.next = self.realigner.out_data.val();
        self.beats.write.next = self.realigner.out_write.val();
        self.ends.data_in.next = bit_cast::<49, 48>(self.realigner.end_bytes.val())
            | (bit_cast::<49, 1>(self.realigner.end_eop.val().into()) << 48);
        self.ends.write.next = self.realigner.end_write.val();

        // Chunks and data -> cutter -> memory writes.
        self.chunk.next = self.chunks.data_out.val();
        self.cutter.chunk_valid.next = !self.chunks.empty.val();
        self.chunks.read.next = self.cutter.chunk_ready.val();
        self.cutter.chunk_addr.next = self.chunk.val().get_bits::<64>(0);
        self.cutter.chunk_len.next = self.chunk.val().get_bits::<10>(64);
        self.cutter.chunk_first.next = self.chunk.val().get_bit(74);
        self.cutter.chunk_last.next = self.chunk.val().get_bit(75);
        self.cutter.chunk_ctx.next = self.chunk.val().get_bits::<4>(76);
        self.cutter.chunk_status.next = self.chunk.val().get_bits::<8>(80);
        self.cutter.aborts.next = self.aborts.val();
        self.cutter.data.next = self.beats.data_out.val();
        self.cutter.data_count.next = self.beats.count.val();
        self.beats.read.next = self.cutter.data_read.val();
        self.ending.next = self.ends.data_out.val();
        self.cutter.end_valid.next = !self.ends.empty.val();
        self.cutter.end_bytes.next = self.ending.val().get_bits::<48>(0);
        self.cutter.end_eop.next = self.ending.val().get_bit(48);
        self.ends.read.next = self.cutter.end_read.val();
        self.tlp_valid.next = self.cutter.tlp_valid.val();
        self.cutter.tlp_ready.next = self.tlp_ready.val();
        self.tlp_sop.next = self.cutter.tlp_sop.val();
        self.tlp_eop.next = self.cutter.tlp_eop.val();
        self.tlp_data.next = self.cutter.tlp_data.val();
        self.tlp_addr.next = self.cutter.tlp_addr.val();
        self.tlp_len.next = self.cutter.tlp_len.val();
        self.tlp_first_be.next = self.cutter.tlp_first_be.val();
        self.tlp_last_be.next = self.cutter.tlp_last_be.val();

        self.retire_valid.next = self.cutter.retire_valid.val();
        self.cutter.retire_ready.next = self.retire_ready.val();
        self.retire_ctx.next = self.cutter.retire_ctx.val();
        self.retire_status.next = self.cutter.retire_status.val();
        self.retire_bytes.next = self.cutter.retire_bytes.val();
        self.retire_eop.next = self.cutter.retire_eop.val();
        self.sent_bytes.next = self.cutter.sent_bytes.val();

        // Waiting for the list counts only while nothing else keeps the link busy.
        self.list_wait.next =
            self.walker.list_wait.val() & (self.chunks.empty.val() & !self.cutter.tlp_valid.val());
        self.running.next = self.walker.cutting.val() | !self.realigner.idle.val();
        self.holds.next = self.cutter.holds.val();
    }
}
