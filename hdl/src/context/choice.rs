//! Who can be served.

use crate::widgets::PickFirst;
use rust_hdl::prelude::*;

/// The contexts that wait for the sequencer, from what has happened to each so far.
#[derive(LogicBlock, Default)]
pub struct Choice {
    /// Its submission entry is here.
    pub submission_here: Signal<In, Bits<16>>,
    /// It has waited for longer than those that are not among these.
    pub elders: Signal<In, Bits<16>>,
    /// Its region entry is to be read.
    pub asks: Signal<In, Bits<16>>,
    /// Its region entry is here.
    pub region_here: Signal<In, Bits<16>>,
    /// The firmware has answered its MISS.
    pub answered: Signal<In, Bits<16>>,
    /// It has a block to read.
    pub wants: Signal<In, Bits<16>>,
    /// It runs.
    pub dispatched: Signal<In, Bits<16>>,
    /// Its transfer fails.
    pub failed: Signal<In, Bits<16>>,
    /// It is being aborted.
    pub aborting: Signal<In, Bits<16>>,
    /// It ends.
    pub closing: Signal<In, Bits<16>>,
    /// It has a read in flight.
    pub reading: Signal<In, Bits<16>>,
    /// The engine may touch memory for it.
    pub touching: Signal<In, Bits<16>>,
    /// Contexts that must go quiet.
    pub awaited: Signal<In, Bits<16>>,

    /// A context can be closed.
    pub close: Signal<Out, Bit>,
    /// Which one.
    pub close_ctx: Signal<Out, Bits<4>>,
    /// A submission entry can be checked.
    pub submission: Signal<Out, Bit>,
    /// Whose.
    pub submission_ctx: Signal<Out, Bits<4>>,
    /// A region entry can be read.
    pub ask: Signal<Out, Bit>,
    /// For whom.
    pub ask_ctx: Signal<Out, Bits<4>>,
    /// A region entry can be checked.
    pub region: Signal<Out, Bit>,
    /// Whose.
    pub region_ctx: Signal<Out, Bits<4>>,
    /// A block can be read.
    pub block: Signal<Out, Bit>,
    /// For whom.
    pub block_ctx: Signal<Out, Bits<4>>,
    /// All that are awaited are quiet.
    pub quiet: Signal<Out, Bit>,

    pick_close: PickFirst,
    pick_submission: PickFirst,
    pick_ask: PickFirst,
    pick_region: PickFirst,
    pick_block: PickFirst,
    open: Signal<Local, Bits<16>>,
    submissions: Signal<Local, Bits<16>>,
    elder_submissions: Signal<Local, Bits<16>>,
    no_reads: Signal<Local, Bits<16>>,
    ended: Signal<Local, Bits<16>>,
    going: Signal<Local, Bits<16>>,
    all_blocks: Signal<Local, Bits<16>>,
    running_blocks: Signal<Local, Bits<16>>,
    active: Signal<Local, Bits<16>>,
}

impl Logic for Choice {
    #[hdl_gen]
    fn update(&mut self) {
        // One that closes is not served any more: it waits for its last read, and what that brought is dropped.
        self.open.next = !self.closing.val();
        self.no_reads.next = !self.reading.val();
        self.pick_close.among.next = self.closing.val() & self.no_reads.val();
        self.submissions.next = self.submission_here.val() & self.open.val();
        self.elder_submissions.next = self.submissions.val() & self.elders.val();
        self.pick_submission.among.next = self.submissions.val();
        if self.elder_submissions.val().any() {
            self.pick_submission.among.next = self.elder_submissions.val();
        }
        self.pick_region.among.next =
            self.region_here.val() & (self.answered.val() & self.open.val());
        // The transfer that runs reads before those that wait.
        self.ended.next = self.closing.val() | (self.failed.val() | self.aborting.val());
        self.going.next = !self.ended.val();
        self.pick_ask.among.next = self.asks.val() & self.going.val();
        self.all_blocks.next = self.wants.val() & self.going.val();
        self.running_blocks.next = self.all_blocks.val() & self.dispatched.val();
        self.pick_block.among.next = self.all_blocks.val();
        if self.running_blocks.val().any() {
            self.pick_block.among.next = self.running_blocks.val();
        }
        // Quiet is who touches no memory: neither the engine nor a read is at it. The user's streams have no say in it.
        self.active.next = self.touching.val() | self.reading.val();
        self.quiet.next = !(self.active.val() & self.awaited.val()).any();
        self.close.next = self.pick_close.found.val();
        self.close_ctx.next = self.pick_close.index.val();
        self.submission.next = self.pick_submission.found.val();
        self.submission_ctx.next = self.pick_submission.index.val();
        self.ask.next = self.pick_ask.found.val();
        self.ask_ctx.next = self.pick_ask.index.val();
        self.region.next = self.pick_region.found.val();
        self.region_ctx.next = self.pick_region.index.val();
        self.block.next = self.pick_block.found.val();
        self.block_ctx.next = self.pick_block.index.val();
    }
}
