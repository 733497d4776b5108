//! The H2C data path: walker and read engine.

use crate::h2c::H2cEngine;
use crate::sizes::{Full, SLOT_BITS, SgWords, Sizes, WORD_BITS};
use crate::walker::Walker;
use crate::widgets::{Ram, SmallFifo};
use rust_hdl::prelude::*;

/// Takes transfers of one context table and read completions, gives reads, the user stream and retired transfers.
///
/// Widths are those of [`H2cEngine`].
#[derive(LogicBlock, Default)]
pub struct H2cChannel<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
    S: Sizes = Full,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Bytes of one read at most: 128, 256 or 512.
    pub max_read: Signal<In, Bits<10>>,
    /// Completion time-out in cycles, from a read's departure.
    pub timeout: Signal<In, Bits<32>>,

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
    /// Contexts to abort, until their transfers have retired: nothing more is read for them.
    pub aborts: Signal<In, Bits<16>>,

    /// A read; one that is not taken may be withdrawn.
    pub rd_valid: Signal<Out, Bit>,
    /// It is taken.
    pub rd_ready: Signal<In, Bit>,
    /// Byte address, multiple of 4.
    pub rd_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub rd_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub rd_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub rd_last_be: Signal<Out, Bits<4>>,
    /// Tag, 8 and more.
    pub rd_tag: Signal<Out, Bits<10>>,
    /// A read leaves for the link in this cycle.
    pub sent_valid: Signal<In, Bit>,
    /// Its tag; below 8: not one of this channel's.
    pub sent_tag: Signal<In, Bits<10>>,
    /// A beat of a read completion.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<In, Bit>,

    /// A beat for the user.
    pub m_tvalid: Signal<Out, Bit>,
    /// It is taken.
    pub m_tready: Signal<In, Bit>,
    /// Bytes.
    pub m_tdata: Signal<Out, Bits<W>>,
    /// Valid lanes.
    pub m_tkeep: Signal<Out, Bits<B>>,
    /// End of a packet.
    pub m_tlast: Signal<Out, Bit>,
    /// TDEST.
    pub m_tdest: Signal<Out, Bits<16>>,
    /// The packet is cut short by an error.
    pub m_tuser: Signal<Out, Bit>,

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
    /// Context `quiet_ctx`, one of `aborts`, has no read in flight and gets none any more, whatever the stream does. Told
    /// again every 16 cycles, also of a context that has nothing here.
    pub quiet_valid: Signal<Out, Bit>,
    /// Which context.
    pub quiet_ctx: Signal<Out, Bits<4>>,
    /// The data path waits for a block of the list.
    pub list_wait: Signal<Out, Bit>,
    /// A transfer is running that has not asked for all of its bytes.
    pub running: Signal<Out, Bit>,
    /// Extended tags are enabled.
    pub extended: Signal<In, Bit>,
    /// Tags that may be used.
    pub usable: Signal<In, Bits<T>>,
    /// Slots whose reads have left and whose last completion has not been seen.
    pub expected: Signal<Out, Bits<N>>,
    /// A slot is free for a read, and its tag too.
    pub slot_free: Signal<Out, Bit>,

    walker: Walker,
    lists: Ram<Bits<128>, WORD_BITS, SgWords<S>>,
    chunks: SmallFifo<Bits<103>, 4, 5>,
    engine: H2cEngine<W, B, L, N, I, P, T>,
    chunk: Signal<Local, Bits<103>>,
    no_stop: Signal<Local, Bit>,
}

impl<
    const W: usize,
    const B: usize,
    const L: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
    S: Sizes,
> Logic for H2cChannel<W, B, L, N, I, P, T, S>
{
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, walker, lists, chunks, engine);
        self.walker.reset.next = self.reset.val();
        self.chunks.reset.next = self.reset.val();
        self.engine.reset.next = self.reset.val();
        self.engine.timeout.next = self.timeout.val();

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
        self.walker.chunk_max.next = self.max_read.val();
        self.ready.next = self.walker.idle.val();

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
        self.engine.aborts.next = self.aborts.val();
        // The card's side of an H2C stream never ends a transfer early.
        self.no_stop.next = false;
        self.walker.stop.next = self.no_stop.val();
        self.walker.stop_ctx.next = 0.into();

        self.chunks.data_in.next = bit_cast::<103, 64>(self.walker.chunk_addr.val())
            | (bit_cast::<103, 10>(self.walker.chunk_len.val()) << 64)
            | (bit_cast::<103, 1>(self.walker.chunk_last.val().into()) << 74)
            | (bit_cast::<103, 4>(self.walker.ctx.val()) << 75)
            | (bit_cast::<103, 8>(self.walker.chunk_status.val()) << 79)
            | (bit_cast::<103, 16>(self.walker.tdest.val()) << 87);
        self.chunks.write.next = self.walker.chunk_valid.val() & !self.chunks.full.val();
        self.walker.chunk_ready.next = !self.chunks.full.val();
        self.chunk.next = self.chunks.data_out.val();
        self.engine.chunk_valid.next = !self.chunks.empty.val();
        self.chunks.read.next = !self.chunks.empty.val() & self.engine.chunk_ready.val();
        self.engine.chunk_addr.next = self.chunk.val().get_bits::<64>(0);
        self.engine.chunk_len.next = self.chunk.val().get_bits::<10>(64);
        self.engine.chunk_last.next = self.chunk.val().get_bit(74);
        self.engine.chunk_ctx.next = self.chunk.val().get_bits::<4>(75);
        self.engine.chunk_status.next = bit_cast::<16, 8>(self.chunk.val().get_bits::<8>(79));
        self.engine.chunk_tdest.next = self.chunk.val().get_bits::<16>(87);

        self.rd_valid.next = self.engine.rd_valid.val();
        self.engine.rd_ready.next = self.rd_ready.val();
        self.rd_addr.next = self.engine.rd_addr.val();
        self.rd_len.next = self.engine.rd_len.val();
        self.rd_first_be.next = self.engine.rd_first_be.val();
        self.rd_last_be.next = self.engine.rd_last_be.val();
        self.rd_tag.next = self.engine.rd_tag.val();
        self.engine.sent_valid.next = self.sent_valid.val();
        self.engine.sent_tag.next = self.sent_tag.val();
        self.engine.cpl_valid.next = self.cpl_valid.val();
        self.engine.cpl_sop.next = self.cpl_sop.val();
        self.engine.cpl_eop.next = self.cpl_eop.val();
        self.engine.cpl_data.next = self.cpl_data.val();
        self.engine.cpl_tag.next = self.cpl_tag.val();
        self.engine.cpl_len.next = self.cpl_len.val();
        self.engine.cpl_byte_count.next = self.cpl_byte_count.val();
        self.engine.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.engine.cpl_status.next = self.cpl_status.val();
        self.engine.cpl_poisoned.next = self.cpl_poisoned.val();

        self.m_tvalid.next = self.engine.tvalid.val();
        self.engine.tready.next = self.m_tready.val();
        self.m_tdata.next = self.engine.tdata.val();
        self.m_tkeep.next = self.engine.tkeep.val();
        self.m_tlast.next = self.engine.tlast.val();
        self.m_tdest.next = self.engine.tdest.val();
        self.m_tuser.next = self.engine.tuser.val();

        self.retire_valid.next = self.engine.done_valid.val();
        self.engine.done_ready.next = self.retire_ready.val();
        self.retire_ctx.next = self.engine.done_ctx.val();
        self.retire_status.next = bit_cast::<8, 16>(self.engine.done_status.val());
        self.retire_bytes.next = self.engine.done_bytes.val();
        self.quiet_valid.next = self.engine.quiet_valid.val();
        self.quiet_ctx.next = self.engine.quiet_ctx.val();
        self.list_wait.next =
            self.walker.list_wait.val() & (self.chunks.empty.val() & !self.engine.rd_valid.val());
        self.running.next = (self.walker.cutting.val() | self.engine.rd_valid.val())
            | (!self.chunks.empty.val() & self.engine.chunk_len.val().any());
        self.engine.extended.next = self.extended.val();
        self.engine.usable.next = self.usable.val();
        self.expected.next = self.engine.expected.val();
        self.slot_free.next = self.engine.slot_free.val();
    }
}

#[cfg(test)]
mod tests;
