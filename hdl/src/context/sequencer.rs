//! The sequencer over up to sixteen contexts.

use super::checks::{RegionCheck, SubmissionCheck};
use super::choice::Choice;
use super::directory::Directory;
use super::extent::Extent;
use super::turns::Turns;
use super::windows::Windows;
use super::words::Words;
use crate::generated::commands::{
    CommandAbortQueueDecode, CommandAbortRegionDecode, CommandFillDecode, CommandRejectDecode,
};
use crate::generated::messages::{MessageMissEncode, MessageQuiescedEncode};
use crate::generated::structures::{
    QueueContextDecode1, RegionEntryDecode1, SubmissionEntryDecode0, SubmissionEntryDecode1,
    SubmissionEntryDecode2,
};
use crate::sizes::{
    self, Contexts, Full, Last, Ones, PLACE_BITS, SLOT_BITS, Sets, Sizes, WORD_BITS,
};
use crate::widgets::{Const, Flags, LutRam, Param, PickFirst, Size};
use pinring_protocol::Status;
use pinring_protocol::mailbox::{CommandKind, Quiesce};
use rust_hdl::prelude::*;

/// Contexts of direction `D` (0 C2H, 1 H2C) and the state machine that takes each through its life.
///
/// A context is allocated with a submission entry's read. Words 0..=3 of its eight in the context RAM are the entry, words 4..=7
/// the region entry: read from host memory on a miss, words 4 and 5 copied from the region's place on a hit. The sequencer serves
/// one event at a time: a block left behind, retire, close, a command of the firmware, a block to read, a region entry to read,
/// dispatch, an arrived submission, an arrived region entry. One that waits for the fetch unit lets all others go first. Dispatch
/// starves nobody behind it: without checks there is soon nothing left to dispatch. A context
/// whose checks fail becomes ready with a status and goes through the engine in its turn, so that the completions of a queue stay
/// in order.
///
/// A set has one MISS under way. Until that region and its first block are here, or will not come, a transfer that misses in
/// the same set, or hits a region without its block, waits; then it is looked at again. While it waits it is bound to nothing.
/// Those that were woken together all have had their way before any that came later, whatever contexts and sets they are in.
#[derive(LogicBlock, Default)]
pub struct ContextTable<const D: usize, S: Sizes = Full> {
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
    ctx: DFF<Bits<4>>,
    begun: DFF<Bit>,
    // What came last needs a read that the fetch unit has not taken, and has made room for something else.
    parked: DFF<Bit>,
    ended_status: DFF<Bits<8>>,
    ended_bytes: DFF<Bits<48>>,
    ended_eop: DFF<Bit>,
    quiesce_wanted: DFF<Bit>,
    quiesce_queue: DFF<Bit>,
    quiesce_id: DFF<Bits<32>>,
    quiesce_ticket: DFF<Bits<8>>,
    // Block at hand; the region's place, whether it has one, and whether it has been put there just now.
    block: DFF<Bits<32>>,
    place: DFF<Bits<PLACE_BITS>>,
    resident: DFF<Bit>,
    fresh: DFF<Bit>,

    // One bit per context: what has happened to it so far.
    taken: Flags<Contexts<S>>,
    awaiting: Flags<Contexts<S>>,
    // Its region counts: it was found, or asked for.
    bound: Flags<Contexts<S>>,
    opening: Flags<Contexts<S>>,
    ready: Flags<Contexts<S>>,
    failed: Flags<Contexts<S>>,
    touching: Flags<Contexts<S>>,
    empty: Flags<Contexts<S>>,
    dispatched: Flags<Contexts<S>>,
    closing: Flags<Contexts<S>>,
    aborting: Flags<Contexts<S>>,
    awaited: Flags<Contexts<S>>,
    muted: Flags<Contexts<S>>,
    submission_here: Flags<Contexts<S>>,
    // Its MISS is under way, the first block included.
    leading: Flags<Contexts<S>>,
    // It waits for another one's.
    waiting: Flags<Contexts<S>>,
    // It was woken, and has its look before those that come, or begin to wait, after it.
    elders: Flags<Contexts<S>>,
    // Its region entry is to be read; the firmware has chosen a place.
    asks: Flags<Contexts<S>>,
    answered: Flags<Contexts<S>>,
    region_reads: Flags<Contexts<S>>,
    region_here: Flags<Contexts<S>>,
    // It has a block to read and a window for it; its first is not asked for.
    wants: Flags<Contexts<S>>,
    first: Flags<Contexts<S>>,
    // It looks at the block of a place.
    pinning: Flags<Contexts<S>>,

    // By set: a MISS is under way.
    missing: Flags<Sets<S>>,
    // Set of a context with a MISS under way, for the sequencer and for blocks that come.
    sets: LutRam<Bits<4>, 4>,
    sets_back: LutRam<Bits<4>, 4>,

    origin: LutRam<Bits<20>, 4>,
    statuses: LutRam<Bits<8>, 4>,
    read_status: LutRam<Bits<8>, 4>,
    sequences: LutRam<Bits<3>, 4>,
    // Way that the firmware has chosen, and bit 2: none.
    fill_ways: LutRam<Bits<3>, 4>,
    // Place whose block the context looks at.
    pin_places: LutRam<Bits<PLACE_BITS>, 4>,
    next_blocks: LutRam<Bits<32>, 4>,
    end_blocks: LutRam<Bits<32>, 4>,
    tdests: LutRam<Bits<16>, 4>,
    domains: LutRam<Bits<64>, 4>,

    words: Words<S>,
    choice: Choice,
    directory: Directory<S>,
    windows: Windows<S>,
    extent: Extent,
    submission_check: SubmissionCheck<D>,
    region_check: RegionCheck<D>,
    turns: Turns<S>,
    pick_free: PickFirst,

    sub0: SubmissionEntryDecode0,
    sub1: SubmissionEntryDecode1,
    sub2: SubmissionEntryDecode2,
    fill_sub2: SubmissionEntryDecode2,
    reg1: RegionEntryDecode1,
    queue_context: QueueContextDecode1,
    cmd_fill: CommandFillDecode,
    cmd_reject: CommandRejectDecode,
    cmd_abort_region: CommandAbortRegionDecode,
    cmd_abort_queue: CommandAbortQueueDecode,
    miss: MessageMissEncode,
    quiesced: MessageQuiescedEncode,

    all: Size<16, Ones<Contexts<S>>>,
    last_ctx: Size<4, Last<Contexts<S>>>,
    last_set: Size<4, Last<Sets<S>>>,
    first_place_slot: Size<SLOT_BITS, sizes::Windows<S>>,
    direction: Param<1, D>,
    kind_fill: Const<8, { CommandKind::Fill as u64 }>,
    kind_reject: Const<8, { CommandKind::Reject as u64 }>,
    kind_abort_region: Const<8, { CommandKind::AbortRegion as u64 }>,
    kind_abort_queue: Const<8, { CommandKind::AbortQueue as u64 }>,
    status_aborted: Const<8, { Status::Aborted as u64 }>,
    quiesce_region: Const<16, { Quiesce::Region as u64 }>,
    quiesce_of_queue: Const<16, { Quiesce::Queue as u64 }>,

    one: Signal<Local, Bits<16>>,
    mark: Signal<Local, Bits<16>>,
    done_ctx: Signal<Local, Bits<4>>,
    done_bit: Signal<Local, Bits<16>>,
    retire_bit: Signal<Local, Bits<16>>,
    quiet_bit: Signal<Local, Bits<16>>,
    reads: Signal<Local, Bits<16>>,
    untaken: Signal<Local, Bits<16>>,
    set_bit: Signal<Local, Bits<16>>,
    left_set: Signal<Local, Bits<16>>,
    filled_set: Signal<Local, Bits<16>>,
    ends_miss: Signal<Local, Bit>,
    landed: Signal<Local, Bits<16>>,
    let_go: Signal<Local, Bits<16>>,
    came: Signal<Local, Bits<16>>,
    woken: Signal<Local, Bits<16>>,
    closed: Signal<Local, Bits<16>>,
    is_bound: Signal<Local, Bit>,
    is_failed: Signal<Local, Bit>,
    is_empty: Signal<Local, Bit>,
    is_first: Signal<Local, Bit>,
    is_pinning: Signal<Local, Bit>,
    queue: Signal<Local, Bits<4>>,
    index: Signal<Local, Bits<16>>,
    status: Signal<Local, Bits<8>>,
    set: Signal<Local, Bits<4>>,
    command_set: Signal<Local, Bits<4>>,
    set_place: Signal<Local, Bits<PLACE_BITS>>,
    known_place: Signal<Local, Bits<PLACE_BITS>>,
    chosen_place: Signal<Local, Bits<PLACE_BITS>>,
    known_pinned: Signal<Local, Bit>,
    chosen_pinned: Signal<Local, Bit>,
    place_pinned: Signal<Local, Bit>,
    may_keep: Signal<Local, Bit>,
    keeps: Signal<Local, Bit>,
    block_here: Signal<Local, Bit>,
    next_block: Signal<Local, Bits<32>>,
    next_window: Signal<Local, Bits<16>>,
    goes_on: Signal<Local, Bit>,
    own_slot: Signal<Local, Bits<SLOT_BITS>>,
    place_slot: Signal<Local, Bits<SLOT_BITS>>,
    read_slot: Signal<Local, Bits<SLOT_BITS>>,
    first_slot: Signal<Local, Bits<SLOT_BITS>>,
    own_window: Signal<Local, Bits<5>>,
    first_window: Signal<Local, Bits<5>>,
    consumed_window: Signal<Local, Bits<5>>,
    cmd_kind: Signal<Local, Bits<8>>,
    cmd_ctx: Signal<Local, Bits<8>>,
    cmd_current: Signal<Local, Bit>,
    handle: Signal<Local, Bits<8>>,
    concerned: Signal<Local, Bit>,
    eligible: Signal<Local, Bit>,
    not_waiting: Signal<Local, Bits<16>>,
    ready_done: Signal<Local, Bits<16>>,
    ready_now: Signal<Local, Bits<16>>,
    gone_quiet: Signal<Local, Bits<16>>,
    retired: Signal<Local, Bits<16>>,
    opened_done: Signal<Local, Bits<16>>,
    opened_now: Signal<Local, Bits<16>>,
    is_abort: Signal<Local, Bit>,
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
    /// Reading the wanted words of the context; `after` says what for.
    Load,
    /// Checks of an arrived submission entry; is its region here?
    CheckSubmission,
    /// Words of the region's place become the context's own.
    Copy,
    /// MISS.
    SendMiss,
    /// Read of the region entry, while the firmware chooses a place.
    ReadRegion,
    /// FILL or REJECT.
    Answer,
    /// Checks of a region entry.
    CheckRegion,
    /// Has the region a place, or does it get one?
    Settle,
    /// The region goes to its place.
    Install,
    /// Is the first block there?
    Begin,
    /// Read of an SG block.
    ReadBlock,
    /// A block was left behind: is there a further one to read?
    Consumed,
    /// A ready transfer goes to the walker, if it is its queue's turn.
    Dispatch,
    /// Completion record.
    Retire,
    /// The context is free.
    Close,
    /// Where is the region that is taken away?
    Find,
    /// It is on chip no more.
    Forget,
    /// Does the abort concern this context?
    Abort,
    /// On to the next context.
    AbortNext,
    /// QUIESCED.
    SendQuiesced,
}

mod service;

#[cfg(test)]
mod tests;
