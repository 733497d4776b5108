//! The sequencer over sixteen contexts.

use super::turns::Turns;
use crate::generated::commands::{
    CommandAbortQueueDecode, CommandAbortRegionDecode, CommandFillDecode, CommandPrefetchDecode,
    CommandRejectDecode,
};
use crate::generated::messages::{
    MessageClosedEncode, MessageConsumedEncode, MessageMissEncode, MessageOpenedEncode,
    MessageQuiescedEncode,
};
use crate::generated::structures::{
    QueueContextDecode1, RegionEntryDecode0, RegionEntryDecode1, RegionEntryDecode2,
    RegionEntryDecode3, SubmissionEntryDecode0, SubmissionEntryDecode1, SubmissionEntryDecode2,
    SubmissionEntryDecode3,
};
use crate::sizes::{SLOT_BITS, WORD_BITS};
use crate::widgets::{Const, Flags, LutRam, Param, PickFirst, Ram};
use pinring_protocol::mailbox::{CommandKind, Quiesce};
use pinring_protocol::{Opcode, SgFormat, Status, limits};
use rust_hdl::prelude::*;

/// Sixteen contexts of direction `D` (0 C2H, 1 H2C) and the state machine that takes each through its life.
///
/// A context is allocated with a submission entry's read; the entry and the region entry land in the context RAM (words
/// 0..=3 and 4..=7 of the context). The sequencer serves one event at a time: retire, close, a command of the firmware,
/// an arrived submission, an arrived region entry, dispatch. One that waits for the fetch unit lets all others go first. A
/// context whose checks fail becomes ready with a status
/// and goes through the engine in its turn, so that the completions of a queue stay in order.
#[derive(LogicBlock, Default)]
pub struct ContextTable<const D: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,

    /// Bus address of the region table.
    pub region_table: Signal<In, Bits<64>>,
    /// Entries in the region table.
    pub region_count: Signal<In, Bits<32>>,
    /// A 64-bit word of a queue context is written.
    pub cfg_write: Signal<In, Bit>,
    /// Queue.
    pub cfg_queue: Signal<In, Bits<4>>,
    /// Word, 0..=5.
    pub cfg_word: Signal<In, Bits<3>>,
    /// Data.
    pub cfg_data: Signal<In, Bits<64>>,

    /// A context is free.
    pub free_valid: Signal<Out, Bit>,
    /// Which one.
    pub free_ctx: Signal<Out, Bits<4>>,
    /// Take it for entry `alloc_index` of `alloc_queue`, whose read is under way.
    pub alloc: Signal<In, Bit>,
    /// Queue.
    pub alloc_queue: Signal<In, Bits<4>>,
    /// Ring index.
    pub alloc_index: Signal<In, Bits<16>>,
    /// A context is given back.
    pub back: Signal<Out, Bit>,
    /// By this queue.
    pub back_queue: Signal<Out, Bits<4>>,

    /// A word of a read for the context RAM.
    pub fill_write: Signal<In, Bit>,
    /// Context and word.
    pub fill_address: Signal<In, Bits<7>>,
    /// Data.
    pub fill_data: Signal<In, Bits<128>>,
    /// A read of this direction is complete.
    pub done_valid: Signal<In, Bit>,
    /// 0 submission entry, 1 region entry, 2 SG block.
    pub done_kind: Signal<In, Bits<2>>,
    /// Context, or window of an SG block.
    pub done_id: Signal<In, Bits<5>>,
    /// How it ended.
    pub done_status: Signal<In, Bits<8>>,

    /// Ask for a read.
    pub fetch_valid: Signal<Out, Bit>,
    /// The request is taken.
    pub fetch_ready: Signal<In, Bit>,
    /// Bus address.
    pub fetch_addr: Signal<Out, Bits<64>>,
    /// Bytes, at most 512.
    pub fetch_bytes: Signal<Out, Bits<10>>,
    /// 1 region entry, 2 SG block.
    pub fetch_kind: Signal<Out, Bits<2>>,
    /// Context, or window of an SG block.
    pub fetch_id: Signal<Out, Bits<5>>,
    /// First word in the context RAM or the SG RAM.
    pub fetch_word: Signal<Out, Bits<WORD_BITS>>,

    /// A command of the firmware.
    pub cmd_valid: Signal<In, Bit>,
    /// The command is carried out.
    pub cmd_ready: Signal<Out, Bit>,
    /// The command.
    pub cmd_data: Signal<In, Bits<128>>,
    /// A message to the firmware.
    pub msg_valid: Signal<Out, Bit>,
    /// The message is taken.
    pub msg_ready: Signal<In, Bit>,
    /// The message.
    pub msg_data: Signal<Out, Bits<128>>,

    /// The engine can take the next transfer.
    pub engine_ready: Signal<In, Bit>,
    /// Dispatch only transfers for the TDEST on offer (C2H).
    pub match_stream: Signal<In, Bit>,
    /// A beat is on offer.
    pub stream_valid: Signal<In, Bit>,
    /// Its TDEST.
    pub stream_tdest: Signal<In, Bits<16>>,
    /// A transfer for the walker.
    pub job_valid: Signal<Out, Bit>,
    /// The walker takes it.
    pub job_ready: Signal<In, Bit>,
    /// Context.
    pub job_ctx: Signal<Out, Bits<4>>,
    /// Position of the first byte in the region's pages.
    pub job_position: Signal<Out, Bits<64>>,
    /// Bytes.
    pub job_length: Signal<Out, Bits<48>>,
    /// First element.
    pub job_element: Signal<Out, Bits<32>>,
    /// Last element of the table.
    pub job_last_element: Signal<Out, Bits<32>>,
    /// Uniform pages.
    pub job_uniform: Signal<Out, Bit>,
    /// log2 of the uniform page size.
    pub job_shift: Signal<Out, Bits<5>>,
    /// Not 0: failed already.
    pub job_status: Signal<Out, Bits<8>>,
    /// TDEST.
    pub job_tdest: Signal<Out, Bits<16>>,

    /// Window that the walker looks at.
    pub window: Signal<In, Bits<5>>,
    /// Its block is on chip.
    pub window_valid: Signal<Out, Bit>,
    /// Its SG slot.
    pub window_slot: Signal<Out, Bits<SLOT_BITS>>,
    /// How its read ended.
    pub window_status: Signal<Out, Bits<8>>,
    /// The walker leaves a block behind.
    pub consumed_valid: Signal<In, Bit>,
    /// Noted.
    pub consumed_ready: Signal<Out, Bit>,
    /// Index of the block.
    pub consumed_block: Signal<In, Bits<32>>,
    /// Context of the walker.
    pub consumed_ctx: Signal<In, Bits<4>>,
    /// Contexts that must stop touching memory.
    pub aborts: Signal<Out, Bits<16>>,
    /// An aborted context has no read in flight any more (H2C).
    pub quiet_valid: Signal<In, Bit>,
    /// Which one.
    pub quiet_ctx: Signal<In, Bits<4>>,

    /// A transfer has ended.
    pub retire_valid: Signal<In, Bit>,
    /// Noted.
    pub retire_ready: Signal<Out, Bit>,
    /// Context.
    pub retire_ctx: Signal<In, Bits<4>>,
    /// Status.
    pub retire_status: Signal<In, Bits<8>>,
    /// Bytes moved.
    pub retire_bytes: Signal<In, Bits<48>>,
    /// Ended with a packet.
    pub retire_eop: Signal<In, Bit>,
    /// A completion record for the completion unit.
    pub rec_valid: Signal<Out, Bit>,
    /// The record is taken.
    pub rec_ready: Signal<In, Bit>,
    /// Queue.
    pub rec_queue: Signal<Out, Bits<4>>,
    /// Ring index of the submission.
    pub rec_index: Signal<Out, Bits<16>>,
    /// Cookie.
    pub rec_cookie: Signal<Out, Bits<64>>,
    /// User metadata.
    pub rec_user: Signal<Out, Bits<32>>,
    /// Status.
    pub rec_status: Signal<Out, Bits<8>>,
    /// Bytes moved.
    pub rec_bytes: Signal<Out, Bits<48>>,
    /// Ended with a packet.
    pub rec_eop: Signal<Out, Bit>,
    /// Offset in its region.
    pub rec_offset: Signal<Out, Bits<64>>,
    /// A context is taken.
    pub busy: Signal<Out, Bit>,
    /// After a first one, no transfer is ready to run although some wait: for their lists.
    pub list_wait: Signal<Out, Bit>,
    /// It is the turn of a transfer with bytes, which has not begun to run.
    pub in_turn: Signal<Out, Bit>,
    state: DFF<ContextState>,
    after: DFF<ContextState>,
    step: DFF<Bits<3>>,
    ctx: DFF<Bits<4>>,
    by_command: DFF<Bit>,
    begun: DFF<Bit>,
    // What came last needs a read that the fetch unit has not taken, and has made room for something else.
    parked: DFF<Bit>,
    block: DFF<Bits<32>>,
    slot: DFF<Bits<SLOT_BITS>>,
    ended_status: DFF<Bits<8>>,
    ended_bytes: DFF<Bits<48>>,
    ended_eop: DFF<Bit>,
    left_block: DFF<Bits<32>>,
    quiesce_wanted: DFF<Bit>,
    quiesce_queue: DFF<Bit>,
    quiesce_id: DFF<Bits<32>>,
    // The words of the context at hand.
    s0: DFF<Bits<128>>,
    s1: DFF<Bits<128>>,
    s2: DFF<Bits<128>>,
    s3_used: DFF<Bit>,
    r2_used: DFF<Bit>,
    r0: DFF<Bits<128>>,
    r1: DFF<Bits<128>>,

    // One bit per context: what has happened to it so far.
    taken: Flags,
    awaiting: Flags,
    announced: Flags,
    opening: Flags,
    ready: Flags,
    failed: Flags,
    touching: Flags,
    empty: Flags,
    dispatched: Flags,
    closing: Flags,
    aborting: Flags,
    awaited: Flags,
    muted: Flags,
    submission_here: Flags,
    region_reads: Flags,
    region_here: Flags,
    // Windows 0 and 1 of each context.
    even_reads: Flags,
    odd_reads: Flags,
    even_here: Flags,
    odd_here: Flags,

    memory: Ram<Bits<128>, 7>,
    origin: LutRam<Bits<20>, 4>,
    statuses: LutRam<Bits<8>, 4>,
    read_status: LutRam<Bits<8>, 4>,
    sequences: LutRam<Bits<3>, 4>,
    fill_slots: LutRam<Bits<SLOT_BITS>, 4>,
    tdests: LutRam<Bits<16>, 4>,
    domains: LutRam<Bits<64>, 4>,
    slots: LutRam<Bits<SLOT_BITS>, 5>,
    block_status: LutRam<Bits<8>, 5>,

    pick_free: PickFirst,
    pick_close: PickFirst,
    pick_submission: PickFirst,
    pick_region: PickFirst,
    turns: Turns,

    sub0: SubmissionEntryDecode0,
    sub1: SubmissionEntryDecode1,
    sub2: SubmissionEntryDecode2,
    sub3: SubmissionEntryDecode3,
    fill_sub2: SubmissionEntryDecode2,
    reg0: RegionEntryDecode0,
    reg1: RegionEntryDecode1,
    reg2: RegionEntryDecode2,
    reg3: RegionEntryDecode3,
    queue_context: QueueContextDecode1,
    cmd_fill: CommandFillDecode,
    cmd_reject: CommandRejectDecode,
    cmd_prefetch: CommandPrefetchDecode,
    cmd_abort_region: CommandAbortRegionDecode,
    cmd_abort_queue: CommandAbortQueueDecode,
    miss: MessageMissEncode,
    opened: MessageOpenedEncode,
    consumed: MessageConsumedEncode,
    closed: MessageClosedEncode,
    quiesced: MessageQuiescedEncode,

    direction: Param<1, D>,
    opcode_nop: Const<8, { Opcode::Nop as u64 }>,
    opcode_fence: Const<8, { Opcode::Fence as u64 }>,
    opcode_c2h: Const<8, { Opcode::C2h as u64 }>,
    opcode_h2c: Const<8, { Opcode::H2c as u64 }>,
    format_granular: Const<8, { SgFormat::PageGranular as u64 }>,
    format_uniform: Const<8, { SgFormat::Uniform as u64 }>,
    shift_min: Const<8, { limits::PAGE_SHIFT as u64 }>,
    shift_max: Const<8, { limits::MAX_UNIFORM_SHIFT as u64 }>,
    kind_fill: Const<8, { CommandKind::Fill as u64 }>,
    kind_reject: Const<8, { CommandKind::Reject as u64 }>,
    kind_prefetch: Const<8, { CommandKind::Prefetch as u64 }>,
    kind_abort_region: Const<8, { CommandKind::AbortRegion as u64 }>,
    kind_abort_queue: Const<8, { CommandKind::AbortQueue as u64 }>,
    status_aborted: Const<8, { Status::Aborted as u64 }>,
    status_bad_opcode: Const<8, { Status::BadOpcode as u64 }>,
    status_bad_index: Const<8, { Status::BadIndex as u64 }>,
    status_bad_region: Const<8, { Status::BadRegion as u64 }>,
    status_stale: Const<8, { Status::StaleGeneration as u64 }>,
    status_domain: Const<8, { Status::WrongDomain as u64 }>,
    status_permission: Const<8, { Status::NoPermission as u64 }>,
    status_bounds: Const<8, { Status::OutOfBounds as u64 }>,
    status_hint: Const<8, { Status::BadHint as u64 }>,
    status_entry: Const<8, { Status::BadRegionEntry as u64 }>,
    status_reserved: Const<8, { Status::ReservedNotZero as u64 }>,
    status_tdest: Const<8, { Status::BadTdest as u64 }>,
    quiesce_region: Const<16, { Quiesce::Region as u64 }>,
    quiesce_of_queue: Const<16, { Quiesce::Queue as u64 }>,

    one: Signal<Local, Bits<16>>,
    mark: Signal<Local, Bits<16>>,
    done_ctx: Signal<Local, Bits<4>>,
    done_bit: Signal<Local, Bits<16>>,
    retire_bit: Signal<Local, Bits<16>>,
    quiet_bit: Signal<Local, Bits<16>>,
    reads: Signal<Local, Bits<16>>,
    no_reads: Signal<Local, Bits<16>>,
    untaken: Signal<Local, Bits<16>>,
    active: Signal<Local, Bits<16>>,
    window_bit: Signal<Local, Bits<16>>,
    consumed_bit: Signal<Local, Bits<16>>,
    is_open: Signal<Local, Bit>,
    is_failed: Signal<Local, Bit>,
    queue: Signal<Local, Bits<4>>,
    index: Signal<Local, Bits<16>>,
    moves_nothing: Signal<Local, Bit>,
    wrong_way: Signal<Local, Bit>,
    status: Signal<Local, Bits<8>>,
    permitted: Signal<Local, Bit>,
    after_offset: Signal<Local, Bits<64>>,
    uniform: Signal<Local, Bit>,
    last_element: Signal<Local, Bits<32>>,
    last_block: Signal<Local, Bits<32>>,
    hint_block: Signal<Local, Bits<32>>,
    table_bytes: Signal<Local, Bits<48>>,
    block_offset: Signal<Local, Bits<48>>,
    table_left: Signal<Local, Bits<48>>,
    cmd_kind: Signal<Local, Bits<8>>,
    cmd_ctx: Signal<Local, Bits<8>>,
    cmd_index: Signal<Local, Bits<4>>,
    cmd_current: Signal<Local, Bit>,
    handle: Signal<Local, Bits<8>>,
    concerned: Signal<Local, Bit>,
    first_tdest: Signal<Local, Bits<16>>,
    last_tdest: Signal<Local, Bits<16>>,
    eligible: Signal<Local, Bit>,
    quiet: Signal<Local, Bit>,
    not_waiting: Signal<Local, Bits<16>>,
    ready_done: Signal<Local, Bits<16>>,
    ready_now: Signal<Local, Bits<16>>,
    gone_quiet: Signal<Local, Bits<16>>,
    retired: Signal<Local, Bits<16>>,
    opened_done: Signal<Local, Bits<16>>,
    opened_now: Signal<Local, Bits<16>>,
    stale: Signal<Local, Bit>,
    unclosed: Signal<Local, Bits<16>>,
    is_abort: Signal<Local, Bit>,
    reads_list: Signal<Local, Bit>,
    may_command: Signal<Local, Bit>,
    urgent: Signal<Local, Bit>,
    empty_job: Signal<Local, Bit>,
    is_muted: Signal<Local, Bit>,
    in_engine: Signal<Local, Bit>,
    no_bytes: Signal<Local, Bits<16>>,
}

/// What the sequencer is at.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ContextState {
    /// Choosing the next event.
    Idle,
    /// Reading the context's words; `after` says what for.
    Load,
    /// Checks of an arrived submission entry.
    CheckSubmission,
    /// MISS.
    SendMiss,
    /// Read of the region entry.
    FetchRegion,
    /// Reading the third quarter of a region entry.
    LoadRest,
    /// Checks of an arrived region entry, whose last quarter is being read.
    CheckRegion,
    /// Read of an SG block.
    FetchBlock,
    /// OPENED.
    SendOpened,
    /// A ready transfer goes to the walker, if it is its queue's turn.
    Dispatch,
    /// CONSUMED.
    SendConsumed,
    /// Completion record.
    Retire,
    /// CLOSED, and the context is free.
    Close,
    /// Does the abort concern this context?
    Abort,
    /// On to the next context.
    AbortNext,
    /// QUIESCED.
    SendQuiesced,
}

impl<const D: usize> Logic for ContextTable<D> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            after,
            step,
            ctx,
            by_command,
            begun,
            parked,
            block,
            slot,
            ended_status,
            ended_bytes,
            ended_eop,
            left_block,
            quiesce_wanted,
            quiesce_queue,
            quiesce_id,
            s0,
            s1,
            s2,
            s3_used,
            r2_used,
            r0,
            r1
        );
        clock!(
            self,
            clock,
            taken,
            awaiting,
            announced,
            opening,
            ready,
            failed,
            touching,
            empty,
            dispatched,
            closing,
            aborting,
            awaited,
            muted,
            submission_here,
            region_reads,
            region_here,
            even_reads,
            odd_reads,
            even_here,
            odd_here,
            memory,
            origin,
            statuses,
            read_status,
            sequences,
            fill_slots,
            tdests,
            domains,
            slots,
            block_status,
            turns
        );
        self.taken.reset.next = self.reset.val();
        self.awaiting.reset.next = self.reset.val();
        self.announced.reset.next = self.reset.val();
        self.opening.reset.next = self.reset.val();
        self.ready.reset.next = self.reset.val();
        self.failed.reset.next = self.reset.val();
        self.touching.reset.next = self.reset.val();
        self.empty.reset.next = self.reset.val();
        self.dispatched.reset.next = self.reset.val();
        self.closing.reset.next = self.reset.val();
        self.aborting.reset.next = self.reset.val();
        self.awaited.reset.next = self.reset.val();
        self.muted.reset.next = self.reset.val();
        self.submission_here.reset.next = self.reset.val();
        self.region_reads.reset.next = self.reset.val();
        self.region_here.reset.next = self.reset.val();
        self.even_reads.reset.next = self.reset.val();
        self.odd_reads.reset.next = self.reset.val();
        self.even_here.reset.next = self.reset.val();
        self.odd_here.reset.next = self.reset.val();

        self.one.next = 1.into();
        self.mark.next = self.one.val() << self.ctx.q.val();

        // Flags: nothing changes unless said below.
        self.taken.set.next = 0.into();
        self.taken.clear.next = 0.into();
        self.awaiting.set.next = 0.into();
        self.awaiting.clear.next = 0.into();
        self.announced.set.next = 0.into();
        self.announced.clear.next = 0.into();
        self.opening.set.next = 0.into();
        self.opened_done.next = 0.into();
        self.opened_now.next = 0.into();
        self.ready_done.next = 0.into();
        self.ready_now.next = 0.into();
        self.ready.clear.next = 0.into();
        self.failed.set.next = 0.into();
        self.failed.clear.next = 0.into();
        self.touching.set.next = 0.into();
        self.gone_quiet.next = 0.into();
        self.retired.next = 0.into();
        self.empty.set.next = 0.into();
        self.empty.clear.next = 0.into();
        self.dispatched.set.next = 0.into();
        self.dispatched.clear.next = 0.into();
        self.closing.set.next = 0.into();
        self.closing.clear.next = 0.into();
        self.aborting.set.next = 0.into();
        self.aborting.clear.next = 0.into();
        self.awaited.set.next = 0.into();
        self.awaited.clear.next = 0.into();
        self.muted.set.next = 0.into();
        self.muted.clear.next = 0.into();
        self.submission_here.set.next = 0.into();
        self.submission_here.clear.next = 0.into();
        self.region_reads.set.next = 0.into();
        self.region_reads.clear.next = 0.into();
        self.region_here.set.next = 0.into();
        self.region_here.clear.next = 0.into();
        self.even_reads.set.next = 0.into();
        self.even_reads.clear.next = 0.into();
        self.odd_reads.set.next = 0.into();
        self.odd_reads.clear.next = 0.into();
        self.even_here.set.next = 0.into();
        self.even_here.clear.next = 0.into();
        self.odd_here.set.next = 0.into();
        self.odd_here.clear.next = 0.into();

        // Allocation.
        self.untaken.next = !self.taken.q.val();
        self.pick_free.among.next = self.untaken.val();
        self.free_valid.next = self.pick_free.found.val();
        self.free_ctx.next = self.pick_free.index.val();
        self.origin.write_address.next = self.pick_free.index.val();
        self.origin.write_data.next = bit_cast::<20, 16>(self.alloc_index.val())
            | (bit_cast::<20, 4>(self.alloc_queue.val()) << 16);
        self.origin.write_enable.next = self.alloc.val();
        if self.alloc.val() {
            self.taken.set.next = self.one.val() << self.pick_free.index.val();
            self.awaiting.set.next = self.one.val() << self.pick_free.index.val();
        }
        self.busy.next = self.taken.q.val().any();
        self.not_waiting.next =
            (self.ready.q.val() | self.dispatched.q.val()) | self.closing.q.val();
        self.list_wait.next = (self.begun.q.val() & !self.ready.q.val().any())
            & (self.announced.q.val() & (self.not_waiting.val() ^ 0xffff)).any();
        if !self.taken.q.val().any() {
            self.begun.d.next = false;
        }

        // Reads come back.
        self.memory.write_enable.next = self.fill_write.val();
        self.memory.write_address.next = self.fill_address.val();
        self.memory.write_data.next = self.fill_data.val();
        self.done_ctx.next = self.done_id.val().get_bits::<4>(0);
        self.read_status.write_address.next = self.done_id.val().get_bits::<4>(0);
        self.read_status.write_data.next = self.done_status.val();
        self.read_status.write_enable.next = false;
        self.block_status.write_address.next = self.done_id.val();
        self.block_status.write_data.next = self.done_status.val();
        self.block_status.write_enable.next = false;
        if self.done_kind.val() == 2 {
            self.done_ctx.next = self.done_id.val().get_bits::<4>(1);
        }
        self.done_bit.next = self.one.val() << self.done_ctx.val();
        if self.done_valid.val() {
            if self.done_kind.val() == 0 {
                self.read_status.write_enable.next = true;
                self.submission_here.set.next = self.done_bit.val();
                self.awaiting.clear.next = self.done_bit.val();
            }
            if self.done_kind.val() == 1 {
                self.read_status.write_enable.next = true;
                self.region_here.set.next = self.done_bit.val();
                self.region_reads.clear.next = self.done_bit.val();
            }
            if self.done_kind.val() == 2 {
                self.block_status.write_enable.next = true;
                if self.done_id.val().get_bit(0) {
                    self.odd_reads.clear.next = self.done_bit.val();
                    self.odd_here.set.next = self.done_bit.val();
                } else {
                    self.even_reads.clear.next = self.done_bit.val();
                    self.even_here.set.next = self.done_bit.val();
                }
                // The first block makes the transfer ready to run.
                self.opened_done.next = self.done_bit.val();
                self.ready_done.next = self.opening.q.val() & self.done_bit.val();
            }
        }

        // What the walker sees.
        self.window_bit.next = self.even_here.q.val() >> self.window.val().get_bits::<4>(1);
        if self.window.val().get_bit(0) {
            self.window_bit.next = self.odd_here.q.val() >> self.window.val().get_bits::<4>(1);
        }
        self.window_valid.next = self.window_bit.val().get_bit(0);
        self.slots.read_address.next = self.window.val();
        self.window_slot.next = self.slots.read_data.val();
        self.block_status.read_address.next = self.window.val();
        self.window_status.next = self.block_status.read_data.val();
        self.aborts.next = self.aborting.q.val();
        self.quiet_bit.next = self.one.val() << self.quiet_ctx.val();
        if self.quiet_valid.val() {
            self.gone_quiet.next = self.quiet_bit.val();
        }

        // Queue contexts: word 3 holds the protection domain and the TDEST range.
        self.domains.write_address.next = self.cfg_queue.val();
        self.domains.write_data.next = self.cfg_data.val();
        self.domains.write_enable.next = self.cfg_write.val() & (self.cfg_word.val() == 3);

        // The context at hand.
        self.origin.read_address.next = self.ctx.q.val();
        self.queue.next = self.origin.read_data.val().get_bits::<4>(16);
        self.index.next = self.origin.read_data.val().get_bits::<16>(0);
        self.read_status.read_address.next = self.ctx.q.val();
        self.statuses.read_address.next = self.ctx.q.val();
        self.statuses.write_address.next = self.ctx.q.val();
        self.statuses.write_enable.next = false;
        self.fill_slots.read_address.next = self.ctx.q.val();
        self.fill_slots.write_enable.next = false;
        self.domains.read_address.next = self.queue.val();
        self.sequences.read_address.next = self.ctx.q.val();
        self.sequences.write_address.next = self.ctx.q.val();
        self.sequences.write_data.next = self.sequences.read_data.val() + 1;
        self.sequences.write_enable.next = false;
        self.handle.next = bit_cast::<8, 4>(self.ctx.q.val())
            | ((bit_cast::<8, 1>(self.direction.val()) << 4)
                | (bit_cast::<8, 3>(self.sequences.read_data.val()) << 5));
        self.is_open.next = (self.announced.q.val() & self.mark.val()).any();
        self.is_failed.next = (self.failed.q.val() & self.mark.val()).any();
        self.sub0.raw.next = self.s0.q.val();
        self.sub1.raw.next = self.s1.q.val();
        self.sub2.raw.next = self.s2.q.val();
        self.sub3.raw.next = self.memory.read_data.val();
        self.reg0.raw.next = self.r0.q.val();
        self.reg1.raw.next = self.r1.q.val();
        self.reg2.raw.next = self.memory.read_data.val();
        self.reg3.raw.next = self.memory.read_data.val();
        self.moves_nothing.next = (self.sub0.opcode.val() == self.opcode_nop.val())
            | (self.sub0.opcode.val() == self.opcode_fence.val());
        self.wrong_way.next = self.sub0.opcode.val() != self.opcode_c2h.val();
        self.permitted.next = self.reg1.allow_c2h.val();
        if self.direction.val() == 1 {
            self.wrong_way.next = self.sub0.opcode.val() != self.opcode_h2c.val();
            self.permitted.next = self.reg1.allow_h2c.val();
        }
        self.uniform.next = self.reg1.format.val() == self.format_uniform.val();
        self.last_element.next = self.reg1.element_count.val() - 1;
        self.hint_block.next = self.sub2.sg_hint.val() >> 5;
        self.last_block.next = self.last_element.val() >> 5;
        self.table_bytes.next = bit_cast::<48, 32>(self.reg1.element_count.val()) << 4;
        if self.uniform.val() {
            self.hint_block.next = self.sub2.sg_hint.val() >> 6;
            self.last_block.next = self.last_element.val() >> 6;
            self.table_bytes.next = bit_cast::<48, 32>(self.reg1.element_count.val()) << 3;
        }
        self.block_offset.next = bit_cast::<48, 32>(self.block.q.val()) << 9;
        self.table_left.next = self.table_bytes.val() - self.block_offset.val();
        self.after_offset.next = self.reg0.length.val() - self.sub1.offset.val();
        // The queue's protection domain and TDEST range, as bytes 0x10 to 0x1f of the queue context have them.
        self.queue_context.raw.next = bit_cast::<128, 64>(self.domains.read_data.val()) << 64;
        self.first_tdest.next = self.queue_context.tdest_first.val();
        self.last_tdest.next = self.queue_context.tdest_last.val();

        // Whose turn it is: that of a transfer without bytes, or of one whose stream is on offer.
        self.turns.reset.next = self.reset.val();
        self.turns.alloc.next = self.alloc.val();
        self.turns.alloc_ctx.next = self.pick_free.index.val();
        self.turns.alloc_queue.next = self.alloc_queue.val();
        self.turns.alloc_index.next = self.alloc_index.val();
        // A new queue starts at index 0.
        self.turns.restart.next = self.cfg_write.val() & (self.cfg_word.val() == 0);
        self.turns.restart_queue.next = self.cfg_queue.val();
        self.turns.ready.next = self.ready.q.val();
        self.turns.served.next = false;
        self.turns.hold.next = (self.state.q.val() == ContextState::Dispatch)
            | ((self.state.q.val() == ContextState::Load)
                & (self.after.q.val() == ContextState::Dispatch));
        self.fill_sub2.raw.next = self.fill_data.val();
        self.tdests.write_address.next = self.fill_address.val().get_bits::<4>(3);
        self.tdests.write_data.next = self.fill_sub2.tdest.val();
        self.tdests.write_enable.next =
            self.fill_write.val() & (self.fill_address.val().get_bits::<3>(0) == 2);
        self.tdests.read_address.next = self.turns.ctx.val();
        self.no_bytes.next = self.failed.q.val() | self.empty.q.val();
        self.turns.suits.next = self.no_bytes.val().get_bit(self.turns.ctx.val().index())
            | (!self.match_stream.val()
                | (self.stream_valid.val()
                    & (self.stream_tdest.val() == self.tdests.read_data.val())));

        self.in_turn.next =
            self.turns.found.val() & !self.no_bytes.val().get_bit(self.turns.ctx.val().index());

        // Reads of the context RAM.
        self.memory.read_address.next =
            (bit_cast::<7, 4>(self.ctx.q.val()) << 3) | bit_cast::<7, 3>(self.step.q.val());

        // Outputs that most states leave alone.
        self.fetch_valid.next = false;
        self.fetch_addr.next =
            self.region_table.val() + (bit_cast::<64, 32>(self.sub0.region.val()) << 6);
        self.fetch_bytes.next = 64.into();
        self.fetch_kind.next = 1.into();
        self.fetch_id.next = bit_cast::<5, 4>(self.ctx.q.val());
        self.fetch_word.next = (bit_cast::<WORD_BITS, 4>(self.ctx.q.val()) << 3) | 4;
        self.slots.write_address.next = (bit_cast::<5, 4>(self.ctx.q.val()) << 1)
            | bit_cast::<5, 1>(self.block.q.val().get_bits::<1>(0));
        self.slots.write_data.next = self.slot.q.val();
        self.slots.write_enable.next = false;
        self.cmd_ready.next = false;
        self.msg_valid.next = false;
        self.back.next = false;
        self.back_queue.next = self.queue.val();
        self.job_valid.next = false;
        self.job_ctx.next = self.ctx.q.val();
        self.job_position.next =
            self.sub1.offset.val() + bit_cast::<64, 16>(self.reg1.first_byte_offset.val());
        self.job_length.next = bit_cast::<48, 64>(self.sub1.length.val());
        self.job_element.next = self.sub2.sg_hint.val();
        self.job_last_element.next = self.last_element.val();
        self.job_uniform.next = self.uniform.val();
        self.job_shift.next = bit_cast::<5, 8>(self.reg1.page_shift.val());
        self.job_status.next = 0.into();
        self.job_tdest.next = self.sub2.tdest.val();
        self.consumed_ready.next = false;
        self.consumed_bit.next = self.one.val() << self.consumed_ctx.val();
        self.retire_ready.next = false;
        self.retire_bit.next = self.one.val() << self.retire_ctx.val();
        self.rec_valid.next = false;
        self.rec_queue.next = self.queue.val();
        self.rec_index.next = self.index.val();
        self.rec_cookie.next = self.sub0.cookie.val();
        self.rec_user.next = self.sub2.user.val();
        self.rec_status.next = self.ended_status.q.val();
        self.rec_bytes.next = self.ended_bytes.q.val();
        self.rec_eop.next = self.ended_eop.q.val();
        self.rec_offset.next = self.sub1.offset.val();
        self.status.next = 0.into();
        self.eligible.next = false;
        self.concerned.next = false;
        self.stale.next = false;
        self.empty_job.next = false;
        self.is_muted.next = false;
        self.in_engine.next = false;
        self.statuses.write_data.next = self.status.val();

        // Messages.
        self.miss.ctx.next = self.handle.val();
        self.miss.generation.next = self.sub2.generation.val();
        self.miss.region.next = self.sub0.region.val();
        self.miss.sg_hint.next = self.sub2.sg_hint.val();
        self.opened.ctx.next = self.handle.val();
        self.opened.last_block.next = self.last_block.val();
        self.opened.first_block.next = self.block.q.val();
        self.consumed.ctx.next = self.handle.val();
        self.consumed.block.next = self.left_block.q.val();
        self.closed.ctx.next = self.handle.val();
        self.quiesced.direction.next = bit_cast::<8, 1>(self.direction.val());
        self.quiesced.what.next = self.quiesce_region.val();
        if self.quiesce_queue.q.val() {
            self.quiesced.what.next = self.quiesce_of_queue.val();
        }
        self.quiesced.id.next = self.quiesce_id.q.val();
        self.msg_data.next = self.miss.raw.val();

        // Commands.
        self.cmd_fill.raw.next = self.cmd_data.val();
        self.cmd_reject.raw.next = self.cmd_data.val();
        self.cmd_prefetch.raw.next = self.cmd_data.val();
        self.cmd_abort_region.raw.next = self.cmd_data.val();
        self.cmd_abort_queue.raw.next = self.cmd_data.val();
        self.cmd_kind.next = self.cmd_fill.kind.val();
        self.cmd_ctx.next = self.cmd_fill.ctx.val();
        self.cmd_index.next = bit_cast::<4, 8>(self.cmd_ctx.val());
        self.fill_slots.write_address.next = self.ctx.q.val();
        self.fill_slots.write_data.next = bit_cast::<SLOT_BITS, 16>(self.cmd_fill.slot.val());
        // Is the command for what the context serves now? An aborted transfer reads no more of its list.
        self.cmd_current.next = (self.cmd_ctx.val() == self.handle.val())
            & (self.is_open.val()
                & (!self.is_failed.val()
                    & !((self.closing.q.val() | self.aborting.q.val()) & self.mark.val()).any()));

        // Who can be served. One that closes is not served any more: it waits for its last read, and what that brought
        // is dropped.
        self.reads.next = (self.even_reads.q.val() | self.odd_reads.q.val())
            | (self.region_reads.q.val() | self.awaiting.q.val());
        self.no_reads.next = !self.reads.val();
        self.unclosed.next = !self.closing.q.val();
        self.pick_close.among.next = self.closing.q.val() & self.no_reads.val();
        self.pick_submission.among.next = self.submission_here.q.val() & self.unclosed.val();
        self.pick_region.among.next = self.region_here.q.val() & self.unclosed.val();
        // Quiet is who touches no memory: neither the engine nor a read is at it. The user's streams have no say in it.
        self.active.next = self.touching.q.val() | self.reads.val();
        self.quiet.next = !(self.active.val() & self.awaited.q.val()).any();
        self.is_abort.next = (self.cmd_kind.val() == self.kind_abort_region.val())
            | (self.cmd_kind.val() == self.kind_abort_queue.val());
        // One abort at a time; all other commands pass, as what is awaited may need them.
        self.may_command.next =
            self.cmd_valid.val() & !(self.quiesce_wanted.q.val() & self.is_abort.val());
        self.reads_list.next = (self.cmd_kind.val() == self.kind_fill.val())
            | (self.cmd_kind.val() == self.kind_prefetch.val());
        // Something can be served without the fetch unit, whose tags may all be lost.
        self.urgent.next = ((self.consumed_valid.val() | self.retire_valid.val())
            | (self.pick_close.found.val() | (self.quiesce_wanted.q.val() & self.quiet.val())))
            | ((self.pick_submission.found.val()
                | (self.turns.found.val() & self.engine_ready.val()))
                | (self.may_command.val() & !self.reads_list.val()));

        match self.state.q.val() {
            ContextState::Idle => {
                self.step.d.next = 0.into();
                self.by_command.d.next = false;
                if self.consumed_valid.val() {
                    self.consumed_ready.next = true;
                    self.ctx.d.next = self.consumed_ctx.val();
                    self.left_block.d.next = self.consumed_block.val();
                    if self.consumed_block.val().get_bit(0) {
                        self.odd_here.clear.next = self.consumed_bit.val();
                    } else {
                        self.even_here.clear.next = self.consumed_bit.val();
                    }
                    self.state.d.next = ContextState::SendConsumed;
                } else if self.retire_valid.val() {
                    self.retire_ready.next = true;
                    self.ctx.d.next = self.retire_ctx.val();
                    self.ended_status.d.next = self.retire_status.val();
                    self.ended_bytes.d.next = self.retire_bytes.val();
                    self.ended_eop.d.next = self.retire_eop.val();
                    self.retired.next = self.retire_bit.val();
                    self.after.d.next = ContextState::Retire;
                    self.state.d.next = ContextState::Load;
                } else if self.pick_close.found.val() {
                    self.ctx.d.next = self.pick_close.index.val();
                    self.state.d.next = ContextState::Close;
                } else if self.quiesce_wanted.q.val() & self.quiet.val() {
                    self.state.d.next = ContextState::SendQuiesced;
                } else if self.may_command.val() & !(self.parked.q.val() & self.reads_list.val()) {
                    self.ctx.d.next = self.cmd_index.val();
                    self.by_command.d.next = true;
                    self.state.d.next = ContextState::Load;
                    self.after.d.next = ContextState::FetchRegion;
                    if self.cmd_kind.val() == self.kind_prefetch.val() {
                        self.block.d.next = self.cmd_prefetch.block.val();
                        self.slot.d.next = bit_cast::<SLOT_BITS, 16>(self.cmd_prefetch.slot.val());
                        self.after.d.next = ContextState::FetchBlock;
                    }
                    if self.is_abort.val() {
                        self.ctx.d.next = 0.into();
                        self.quiesce_queue.d.next =
                            self.cmd_kind.val() == self.kind_abort_queue.val();
                        self.quiesce_id.d.next = self.cmd_abort_region.region.val();
                        if self.cmd_kind.val() == self.kind_abort_queue.val() {
                            self.quiesce_id.d.next =
                                bit_cast::<32, 8>(self.cmd_abort_queue.queue_id.val());
                        }
                        self.awaited.clear.next = 0xffff.into();
                        self.after.d.next = ContextState::Abort;
                    }
                } else if self.pick_submission.found.val() {
                    self.ctx.d.next = self.pick_submission.index.val();
                    self.after.d.next = ContextState::CheckSubmission;
                    self.state.d.next = ContextState::Load;
                } else if self.pick_region.found.val() & !self.parked.q.val() {
                    self.ctx.d.next = self.pick_region.index.val();
                    self.after.d.next = ContextState::LoadRest;
                    self.state.d.next = ContextState::Load;
                } else if self.turns.found.val() & self.engine_ready.val() {
                    self.ctx.d.next = self.turns.ctx.val();
                    self.after.d.next = ContextState::Dispatch;
                    self.state.d.next = ContextState::Load;
                } else {
                    self.parked.d.next = false;
                }
            }
            ContextState::Load => {
                self.step.d.next = self.step.q.val() + 1;
                if self.step.q.val() == 1 {
                    self.s0.d.next = self.memory.read_data.val();
                }
                if self.step.q.val() == 2 {
                    self.s1.d.next = self.memory.read_data.val();
                }
                if self.step.q.val() == 3 {
                    self.s2.d.next = self.memory.read_data.val();
                }
                if self.step.q.val() == 4 {
                    self.s3_used.d.next = self.sub3.reserved.val();
                }
                if self.step.q.val() == 5 {
                    self.r0.d.next = self.memory.read_data.val();
                }
                if self.step.q.val() == 6 {
                    self.r1.d.next = self.memory.read_data.val();
                    self.state.d.next = self.after.q.val();
                }
            }
            ContextState::CheckSubmission => {
                self.submission_here.clear.next = self.mark.val();
                if self.read_status.read_data.val().any() {
                    self.status.next = self.read_status.read_data.val();
                } else if self.sub0.index.val() != self.index.val() {
                    self.status.next = self.status_bad_index.val();
                } else if self.s3_used.q.val()
                    | (self.sub0.reserved.val() | self.sub2.reserved.val())
                {
                    self.status.next = self.status_reserved.val();
                } else if !self.moves_nothing.val() {
                    if self.wrong_way.val() {
                        self.status.next = self.status_bad_opcode.val();
                    } else if !self.sub1.length.val().any() {
                        self.status.next = self.status_bounds.val();
                    } else if self.sub0.region.val() >= self.region_count.val() {
                        self.status.next = self.status_bad_region.val();
                    } else if (self.sub2.tdest.val() < self.first_tdest.val())
                        | (self.sub2.tdest.val() > self.last_tdest.val())
                    {
                        self.status.next = self.status_tdest.val();
                    }
                }
                self.statuses.write_data.next = self.status.val();
                self.state.d.next = ContextState::SendMiss;
                if self.status.val().any() {
                    self.statuses.write_enable.next = true;
                    self.failed.set.next = self.mark.val();
                }
                if self.moves_nothing.val() {
                    self.empty.set.next = self.mark.val();
                }
                if self.status.val().any() | self.moves_nothing.val() {
                    self.ready_now.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::SendMiss => {
                self.msg_valid.next = true;
                self.msg_data.next = self.miss.raw.val();
                if self.msg_ready.val() {
                    self.announced.set.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::FetchRegion => {
                // FILL or REJECT; one for an earlier transfer of the context is dropped.
                if self.cmd_current.val() & (self.cmd_kind.val() == self.kind_fill.val()) {
                    self.fetch_valid.next = true;
                    if self.fetch_ready.val() {
                        self.fill_slots.write_enable.next = true;
                        self.region_reads.set.next = self.mark.val();
                        self.cmd_ready.next = true;
                        self.state.d.next = ContextState::Idle;
                    } else if self.urgent.val() {
                        self.parked.d.next = true;
                        self.state.d.next = ContextState::Idle;
                    }
                } else {
                    self.cmd_ready.next = true;
                    self.state.d.next = ContextState::Idle;
                    self.status.next = bit_cast::<8, 16>(self.cmd_reject.status.val());
                    if self.cmd_current.val() & (self.cmd_kind.val() == self.kind_reject.val()) {
                        self.statuses.write_data.next = self.status.val();
                        self.statuses.write_enable.next = true;
                        self.failed.set.next = self.mark.val();
                        self.ready_now.next = self.mark.val();
                    }
                }
            }
            ContextState::LoadRest => {
                self.r2_used.d.next = self.reg2.reserved.val();
                self.state.d.next = ContextState::CheckRegion;
            }
            ContextState::CheckRegion => {
                self.region_here.clear.next = self.mark.val();
                self.block.d.next = self.hint_block.val();
                self.slot.d.next = self.fill_slots.read_data.val();
                if self.read_status.read_data.val().any() {
                    self.status.next = self.read_status.read_data.val();
                } else if ((self.reg1.format.val() != self.format_granular.val())
                    & !self.uniform.val())
                    | (self.reg1.element_count.val() == 0)
                {
                    self.status.next = self.status_entry.val();
                } else if (self.reg1.reserved.val()
                    | (self.r2_used.q.val() | self.reg3.reserved.val()))
                    | (self.reg1.first_byte_offset.val().get_bits::<4>(12).any()
                        | self.reg0.sg_table.val().get_bits::<12>(0).any())
                {
                    self.status.next = self.status_entry.val();
                } else if !self.uniform.val() & (self.reg1.page_shift.val() != self.shift_min.val())
                {
                    self.status.next = self.status_entry.val();
                } else if self.uniform.val()
                    & ((self.reg1.page_shift.val() < self.shift_min.val())
                        | (self.reg1.page_shift.val() > self.shift_max.val()))
                {
                    self.status.next = self.status_entry.val();
                } else if self.reg1.generation.val() != self.sub2.generation.val() {
                    self.status.next = self.status_stale.val();
                } else if self.reg1.protection_domain.val()
                    != self.queue_context.protection_domain.val()
                {
                    self.status.next = self.status_domain.val();
                } else if !self.permitted.val() {
                    self.status.next = self.status_permission.val();
                } else if (self.sub1.offset.val() > self.reg0.length.val())
                    | ((self.sub1.length.val() > self.after_offset.val())
                        | self.sub1.length.val().get_bits::<16>(48).any())
                {
                    self.status.next = self.status_bounds.val();
                } else if self.sub2.sg_hint.val() > self.last_element.val() {
                    self.status.next = self.status_hint.val();
                }
                self.statuses.write_data.next = self.status.val();
                self.state.d.next = ContextState::FetchBlock;
                // An abort may have failed the context while its region entry was on the way.
                if self.is_failed.val() {
                    self.state.d.next = ContextState::Idle;
                } else if self.status.val().any() {
                    self.statuses.write_enable.next = true;
                    self.failed.set.next = self.mark.val();
                    self.ready_now.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::FetchBlock => {
                self.fetch_kind.next = 2.into();
                self.fetch_addr.next =
                    self.reg0.sg_table.val() + bit_cast::<64, 48>(self.block_offset.val());
                self.fetch_id.next = self.slots.write_address.val();
                self.fetch_word.next = bit_cast::<WORD_BITS, SLOT_BITS>(self.slot.q.val()) << 5;
                self.fetch_bytes.next = 512.into();
                if self.table_left.val() < 512 {
                    self.fetch_bytes.next = bit_cast::<10, 48>(self.table_left.val());
                }
                // A block that the context cannot use is not read.
                self.stale.next = self.by_command.q.val()
                    & (!self.cmd_current.val() | (self.block.q.val() > self.last_block.val()));
                if self.stale.val() {
                    self.cmd_ready.next = true;
                    self.state.d.next = ContextState::Idle;
                } else {
                    self.fetch_valid.next = true;
                    if self.fetch_ready.val() {
                        self.slots.write_enable.next = true;
                        if self.block.q.val().get_bit(0) {
                            self.odd_reads.set.next = self.mark.val();
                        } else {
                            self.even_reads.set.next = self.mark.val();
                        }
                        if self.by_command.q.val() {
                            self.cmd_ready.next = true;
                            self.state.d.next = ContextState::Idle;
                        } else {
                            self.opening.set.next = self.mark.val();
                            self.state.d.next = ContextState::SendOpened;
                        }
                    } else if self.urgent.val() {
                        // The command stays, and a region entry is looked at again.
                        if !self.by_command.q.val() {
                            self.region_here.set.next = self.mark.val();
                        }
                        self.parked.d.next = true;
                        self.state.d.next = ContextState::Idle;
                    }
                }
            }
            ContextState::SendOpened => {
                self.msg_valid.next = true;
                self.msg_data.next = self.opened.raw.val();
                if self.msg_ready.val() {
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Dispatch => {
                if self.is_failed.val() {
                    self.job_status.next = self.statuses.read_data.val();
                }
                self.empty_job.next = self.is_failed.val() | self.moves_nothing.val();
                if self.empty_job.val() {
                    self.job_length.next = 0.into();
                }
                // The beat on offer may be another one by now.
                self.eligible.next = self.empty_job.val()
                    | (!self.match_stream.val()
                        | (self.stream_valid.val()
                            & (self.stream_tdest.val() == self.sub2.tdest.val())));
                if self.eligible.val() {
                    // The queue's next index has one write port: while a queue is being configured, dispatch waits.
                    self.job_valid.next = !self.cfg_write.val();
                    if self.job_ready.val() & !self.cfg_write.val() {
                        self.turns.served.next = true;
                        self.ready.clear.next = self.mark.val();
                        // A job without bytes touches no memory.
                        if !self.empty_job.val() {
                            self.touching.set.next = self.mark.val();
                        }
                        self.dispatched.set.next = self.mark.val();
                        self.begun.d.next = true;
                        self.state.d.next = ContextState::Idle;
                    }
                } else {
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::SendConsumed => {
                self.msg_valid.next = true;
                self.msg_data.next = self.consumed.raw.val();
                if self.msg_ready.val() {
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Retire => {
                self.is_muted.next = (self.muted.q.val() & self.mark.val()).any();
                self.rec_valid.next = !self.is_muted.val();
                if self.rec_ready.val() | self.is_muted.val() {
                    self.closing.set.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Close => {
                self.msg_valid.next = self.is_open.val();
                self.msg_data.next = self.closed.raw.val();
                if self.msg_ready.val() | !self.is_open.val() {
                    self.back.next = true;
                    self.taken.clear.next = self.mark.val();
                    self.announced.clear.next = self.mark.val();
                    self.opened_now.next = self.mark.val();
                    self.ready.clear.next = self.mark.val();
                    self.failed.clear.next = self.mark.val();
                    self.empty.clear.next = self.mark.val();
                    self.dispatched.clear.next = self.mark.val();
                    self.closing.clear.next = self.mark.val();
                    self.aborting.clear.next = self.mark.val();
                    self.awaited.clear.next = self.mark.val();
                    self.muted.clear.next = self.mark.val();
                    self.submission_here.clear.next = self.mark.val();
                    self.region_here.clear.next = self.mark.val();
                    self.even_here.clear.next = self.mark.val();
                    self.odd_here.clear.next = self.mark.val();
                    self.sequences.write_enable.next = true;
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Abort => {
                self.concerned.next =
                    self.is_open.val() & (self.sub0.region.val() == self.quiesce_id.q.val());
                if self.quiesce_queue.q.val() {
                    self.concerned.next = (self.taken.q.val() & self.mark.val()).any()
                        & (bit_cast::<32, 4>(self.queue.val()) == self.quiesce_id.q.val());
                }
                if self.concerned.val() {
                    self.aborting.set.next = self.mark.val();
                    self.awaited.set.next = self.mark.val();
                    // The engine ends what it was given, at once or, where only a user stream is left to serve, when
                    // that lets it.
                    self.in_engine.next =
                        ((self.dispatched.q.val() | self.closing.q.val()) & self.mark.val()).any();
                    if !self.in_engine.val() {
                        self.opened_now.next = self.mark.val();
                        if self.quiesce_queue.q.val() {
                            // Nobody waits for its completion: the driver takes what a queue has not completed when it
                            // ends for aborted.
                            self.closing.set.next = self.mark.val();
                            self.ready.clear.next = self.mark.val();
                        } else if !self.is_failed.val() {
                            // It completes in its turn.
                            self.status.next = self.status_aborted.val();
                            self.statuses.write_data.next = self.status.val();
                            self.statuses.write_enable.next = true;
                            self.failed.set.next = self.mark.val();
                            self.ready_now.next = self.mark.val();
                        }
                    }
                }
                self.state.d.next = ContextState::AbortNext;
            }
            ContextState::AbortNext => {
                self.step.d.next = 0.into();
                self.ctx.d.next = self.ctx.q.val() + 1;
                self.state.d.next = ContextState::Load;
                if self.ctx.q.val() == 15 {
                    self.cmd_ready.next = true;
                    self.quiesce_wanted.d.next = true;
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::SendQuiesced => {
                self.msg_valid.next = true;
                self.msg_data.next = self.quiesced.raw.val();
                if self.msg_ready.val() {
                    // From here on the queue's rings belong to the driver again: what still ends leaves no completion.
                    if self.quiesce_queue.q.val() {
                        self.muted.set.next = self.awaited.q.val();
                    }
                    self.quiesce_wanted.d.next = false;
                    self.state.d.next = ContextState::Idle;
                }
            }
        }

        self.ready.set.next = self.ready_done.val() | self.ready_now.val();
        self.touching.clear.next = self.gone_quiet.val() | self.retired.val();
        self.opening.clear.next = self.opened_done.val() | self.opened_now.val();

        if self.reset.val() {
            self.state.d.next = ContextState::Idle;
            self.quiesce_wanted.d.next = false;
            self.parked.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
