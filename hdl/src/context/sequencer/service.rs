//! How the sequencer serves contexts: what happens in each of its states.

use super::{ContextState, ContextTable};
use crate::sizes::{PLACE_BITS, SLOT_BITS, Sizes, WORD_BITS};
use rust_hdl::prelude::*;

impl<const D: usize, S: Sizes> Logic for ContextTable<D, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            after,
            ctx,
            begun,
            parked,
            ended_status,
            ended_bytes,
            ended_eop,
            quiesce_wanted,
            quiesce_queue,
            quiesce_id,
            quiesce_ticket,
            block,
            place,
            resident,
            fresh
        );
        clock!(
            self,
            clock,
            taken,
            awaiting,
            bound,
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
            leading,
            waiting,
            elders,
            asks,
            answered,
            region_reads,
            region_here,
            wants,
            first,
            pinning,
            missing,
            sets,
            sets_back,
            words,
            origin,
            statuses,
            read_status,
            sequences,
            fill_ways,
            pin_places,
            next_blocks,
            end_blocks,
            tdests,
            domains,
            windows,
            directory,
            extent,
            turns
        );
        self.taken.reset.next = self.reset.val();
        self.awaiting.reset.next = self.reset.val();
        self.bound.reset.next = self.reset.val();
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
        self.leading.reset.next = self.reset.val();
        self.waiting.reset.next = self.reset.val();
        self.elders.reset.next = self.reset.val();
        self.asks.reset.next = self.reset.val();
        self.answered.reset.next = self.reset.val();
        self.missing.reset.next = self.reset.val();
        self.region_reads.reset.next = self.reset.val();
        self.region_here.reset.next = self.reset.val();
        self.wants.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();
        self.pinning.reset.next = self.reset.val();
        self.words.reset.next = self.reset.val();
        self.windows.reset.next = self.reset.val();
        self.directory.reset.next = self.reset.val();
        self.turns.reset.next = self.reset.val();

        self.one.next = 1.into();
        self.mark.next = self.one.val() << self.ctx.q.val();

        // Flags: nothing changes unless said below.
        self.taken.set.next = 0.into();
        self.taken.clear.next = 0.into();
        self.awaiting.set.next = 0.into();
        self.awaiting.clear.next = 0.into();
        self.bound.set.next = 0.into();
        self.bound.clear.next = 0.into();
        self.opening.set.next = 0.into();
        self.ready.clear.next = 0.into();
        self.failed.set.next = 0.into();
        self.failed.clear.next = 0.into();
        self.touching.set.next = 0.into();
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
        self.leading.set.next = 0.into();
        self.waiting.set.next = 0.into();
        self.elders.set.next = 0.into();
        self.elders.clear.next = 0.into();
        self.asks.set.next = 0.into();
        self.asks.clear.next = 0.into();
        self.answered.set.next = 0.into();
        self.answered.clear.next = 0.into();
        self.missing.set.next = 0.into();
        self.ends_miss.next = false;
        self.closed.next = 0.into();
        self.submission_here.clear.next = 0.into();
        self.region_reads.set.next = 0.into();
        self.region_reads.clear.next = 0.into();
        self.region_here.set.next = 0.into();
        self.region_here.clear.next = 0.into();
        self.wants.set.next = 0.into();
        self.wants.clear.next = 0.into();
        self.first.set.next = 0.into();
        self.first.clear.next = 0.into();
        self.pinning.set.next = 0.into();
        self.pinning.clear.next = 0.into();
        self.opened_now.next = 0.into();
        self.ready_now.next = 0.into();
        self.gone_quiet.next = 0.into();
        self.retired.next = 0.into();

        // Allocation.
        self.untaken.next = !self.taken.q.val() & self.all.val();
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
            & (self.bound.q.val() & (self.not_waiting.val() ^ 0xffff)).any();
        if !self.taken.q.val().any() {
            self.begun.d.next = false;
        }

        // Reads come back.
        self.done_ctx.next = self.done_id.val().get_bits::<4>(0);
        self.read_status.write_address.next = self.done_id.val().get_bits::<4>(0);
        self.read_status.write_data.next = self.done_status.val();
        self.read_status.write_enable.next = false;
        self.done_bit.next = self.one.val() << self.done_ctx.val();
        self.windows.done.next = self.done_valid.val() & (self.done_kind.val() == 2);
        self.windows.done_at.next = self.done_id.val();
        self.windows.done_status.next = self.done_status.val();
        // The first block makes the transfer ready to run, and may be the region's resident one.
        self.opened_done.next = self.windows.first_done.val();
        self.ready_done.next = self.opening.q.val() & self.windows.first_done.val();
        self.directory.filled.next = self.windows.home_done.val();
        self.directory.filled_place.next = self.windows.home_place.val();
        self.directory.filled_well.next = !self.done_status.val().any();
        self.came.next = 0.into();
        if self.done_valid.val() {
            if self.done_kind.val() == 0 {
                self.read_status.write_enable.next = true;
                self.came.next = self.done_bit.val();
                self.awaiting.clear.next = self.done_bit.val();
            }
            if self.done_kind.val() == 1 {
                self.read_status.write_enable.next = true;
                self.region_here.set.next = self.done_bit.val();
                self.region_reads.clear.next = self.done_bit.val();
            }
        }

        // A missed region's first block is here.
        self.landed.next = self.windows.first_done.val() & self.leading.q.val();
        self.sets_back.read_address.next = self.done_id.val().get_bits::<4>(1);
        self.filled_set.next = 0.into();
        if self.landed.val().any() {
            self.filled_set.next = self.one.val() << self.sets_back.read_data.val();
        }

        // What the walker sees.
        self.windows.window.next = self.window.val();
        self.window_valid.next = self.windows.window_valid.val();
        self.window_slot.next = self.windows.window_slot.val();
        self.window_status.next = self.windows.window_status.val();
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
        self.fill_ways.read_address.next = self.ctx.q.val();
        self.fill_ways.write_address.next = self.ctx.q.val();
        self.fill_ways.write_data.next = bit_cast::<3, 2>(self.cmd_fill.way.val().get_bits::<2>(0))
            | (bit_cast::<3, 1>(self.cmd_fill.way.val().get_bits::<1>(15)) << 2);
        self.fill_ways.write_enable.next = false;
        self.next_block.next = self.block.q.val() + 1;
        self.next_window.next = self.windows.even_taken.val();
        if !self.block.q.val().get_bit(0) {
            self.next_window.next = self.windows.odd_taken.val();
        }
        self.pin_places.read_address.next = self.ctx.q.val();
        self.pin_places.write_address.next = self.ctx.q.val();
        self.pin_places.write_data.next = self.place.q.val();
        self.pin_places.write_enable.next = false;
        self.next_blocks.read_address.next = self.ctx.q.val();
        self.next_blocks.write_address.next = self.ctx.q.val();
        self.next_blocks.write_data.next = self.next_block.val();
        self.next_blocks.write_enable.next = false;
        self.end_blocks.read_address.next = self.ctx.q.val();
        self.end_blocks.write_address.next = self.ctx.q.val();
        self.end_blocks.write_data.next = self.extent.end_block.val();
        self.end_blocks.write_enable.next = false;
        self.domains.read_address.next = self.queue.val();
        self.sequences.read_address.next = self.ctx.q.val();
        self.sequences.write_address.next = self.ctx.q.val();
        self.sequences.write_data.next = self.sequences.read_data.val() + 1;
        self.sequences.write_enable.next = false;
        self.handle.next = bit_cast::<8, 4>(self.ctx.q.val())
            | ((bit_cast::<8, 1>(self.direction.val()) << 4)
                | (bit_cast::<8, 3>(self.sequences.read_data.val()) << 5));
        self.is_bound.next = (self.bound.q.val() & self.mark.val()).any();
        self.is_failed.next = (self.failed.q.val() & self.mark.val()).any();
        self.is_empty.next = (self.empty.q.val() & self.mark.val()).any();
        self.is_first.next = (self.first.q.val() & self.mark.val()).any();
        self.is_pinning.next = (self.pinning.q.val() & self.mark.val()).any();
        self.sub0.raw.next = self.words.s0.val();
        self.sub1.raw.next = self.words.s1.val();
        self.sub2.raw.next = self.words.s2.val();
        self.reg1.raw.next = self.words.r1.val();
        // The queue's protection domain and TDEST range, as bytes 0x10 to 0x1f of the queue context have them.
        self.queue_context.raw.next = bit_cast::<128, 64>(self.domains.read_data.val()) << 64;
        self.submission_check.read_status.next = self.read_status.read_data.val();
        self.submission_check.s0.next = self.words.s0.val();
        self.submission_check.s1.next = self.words.s1.val();
        self.submission_check.s2.next = self.words.s2.val();
        self.submission_check.s3_reserved.next = self.words.s3_reserved.val();
        self.submission_check.index.next = self.index.val();
        self.submission_check.region_count.next = self.region_count.val();
        self.submission_check.first_tdest.next = self.queue_context.tdest_first.val();
        self.submission_check.last_tdest.next = self.queue_context.tdest_last.val();
        self.region_check.read_status.next = self.read_status.read_data.val();
        self.region_check.s1.next = self.words.s1.val();
        self.region_check.s2.next = self.words.s2.val();
        self.region_check.r0.next = self.words.r0.val();
        self.region_check.r1.next = self.words.r1.val();
        self.region_check.rest_reserved.next = self.words.rest_reserved.val();
        self.region_check.domain.next = self.queue_context.protection_domain.val();
        self.extent.s1.next = self.words.s1.val();
        self.extent.s2.next = self.words.s2.val();
        self.extent.r0.next = self.words.r0.val();
        self.extent.r1.next = self.words.r1.val();
        self.extent.block.next = self.block.q.val();

        // Where its region is on chip, or may be.
        self.directory.region.next = self.sub0.region.val();
        if self.state.q.val() == ContextState::Find {
            self.directory.region.next = self.quiesce_id.q.val();
        }
        self.directory.generation.next = self.sub2.generation.val();
        self.set.next = self.sub0.region.val().get_bits::<4>(0) & self.last_set.val();
        self.set_place.next = bit_cast::<PLACE_BITS, 4>(self.set.val()) << 2;
        self.set_bit.next = self.one.val() << self.set.val();
        self.sets.read_address.next = self.ctx.q.val();
        self.sets.write_address.next = self.ctx.q.val();
        self.sets.write_data.next = self.set.val();
        self.sets.write_enable.next = false;
        self.known_place.next =
            self.set_place.val() | bit_cast::<PLACE_BITS, 2>(self.directory.way.val());
        self.chosen_place.next = self.set_place.val()
            | bit_cast::<PLACE_BITS, 2>(self.fill_ways.read_data.val().get_bits::<2>(0));
        self.known_pinned.next = self
            .directory
            .pinned
            .val()
            .get_bit(self.directory.way.val().index());
        self.chosen_pinned.next = self
            .directory
            .pinned
            .val()
            .get_bit(self.fill_ways.read_data.val().get_bits::<2>(0).index());
        self.may_keep.next = !self.fill_ways.read_data.val().get_bit(2);
        self.place_pinned.next = self.known_pinned.val() & !self.fresh.q.val();
        self.directory.place.next = self.place.q.val();
        self.directory.install.next = false;
        self.directory.forget.next = false;
        self.directory.touch.next = false;
        self.directory.pin.next = false;
        self.directory.unpin.next = false;
        self.directory.claim.next = false;
        self.directory.claim_block.next = self.extent.first_block.val();
        self.directory.fill.next = false;
        self.command_set.next = self.quiesce_id.q.val().get_bits::<4>(0) & self.last_set.val();

        // Whose turn it is: that of a transfer without bytes, or of one whose stream is on offer.
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

        self.words.fill_write.next = self.fill_write.val();
        self.words.fill_address.next = self.fill_address.val();
        self.words.fill_data.next = self.fill_data.val();
        self.words.load.next = false;
        self.words.wanted.next = 0.into();
        self.words.ctx.next = self.ctx.q.val();
        self.words.place.next = self.place.q.val();
        self.words.copy.next = self.state.q.val() == ContextState::Copy;
        self.words.keep.next = self.state.q.val() == ContextState::Install;

        // Outputs that most states leave alone.
        self.fetch_valid.next = false;
        self.fetch_addr.next =
            self.region_table.val() + (bit_cast::<64, 32>(self.sub0.region.val()) << 6);
        self.fetch_bytes.next = 64.into();
        self.fetch_kind.next = 1.into();
        self.fetch_id.next = bit_cast::<5, 4>(self.ctx.q.val());
        self.fetch_word.next = (bit_cast::<WORD_BITS, 4>(self.ctx.q.val()) << 3) | 4;
        self.own_window.next = (bit_cast::<5, 4>(self.ctx.q.val()) << 1)
            | bit_cast::<5, 1>(self.block.q.val().get_bits::<1>(0));
        self.own_slot.next = bit_cast::<SLOT_BITS, 5>(self.own_window.val());
        // Slots of places come after those of contexts.
        self.place_slot.next = bit_cast::<SLOT_BITS, PLACE_BITS>(self.pin_places.read_data.val())
            + self.first_place_slot.val();
        self.read_slot.next = self.own_slot.val();
        if self.is_first.val() & self.is_pinning.val() {
            self.read_slot.next = self.place_slot.val();
        }
        self.first_slot.next =
            bit_cast::<SLOT_BITS, PLACE_BITS>(self.place.q.val()) + self.first_place_slot.val();
        self.first_window.next = (bit_cast::<5, 4>(self.ctx.q.val()) << 1)
            | bit_cast::<5, 1>(self.extent.first_block.val().get_bits::<1>(0));
        self.consumed_window.next = (bit_cast::<5, 4>(self.consumed_ctx.val()) << 1)
            | bit_cast::<5, 1>(self.consumed_block.val().get_bits::<1>(0));
        self.windows.start.next = false;
        self.windows.start_ctx.next = self.ctx.q.val();
        self.windows.start_odd.next = self.extent.first_block.val().get_bit(0);
        self.windows.start_place.next = self.place.q.val();
        self.windows.ask.next = false;
        self.windows.ask_home.next = self.is_first.val() & self.is_pinning.val();
        self.windows.show.next = false;
        self.windows.at.next = self.own_window.val();
        self.windows.slot.next = self.read_slot.val();
        self.windows.leave.next = false;
        self.windows.leave_at.next = self.consumed_window.val();
        self.windows.close.next = 0.into();
        self.cmd_ready.next = false;
        self.msg_valid.next = false;
        self.back.next = false;
        self.back_queue.next = self.queue.val();
        self.job_valid.next = false;
        self.job_ctx.next = self.ctx.q.val();
        self.job_position.next = self.extent.position.val();
        self.job_length.next = bit_cast::<48, 64>(self.sub1.length.val());
        self.job_element.next = self.sub2.sg_hint.val();
        self.job_last_element.next = self.extent.last_element.val();
        self.job_uniform.next = self.extent.uniform.val();
        self.job_shift.next = bit_cast::<5, 8>(self.reg1.page_shift.val());
        self.job_status.next = 0.into();
        self.job_tdest.next = self.sub2.tdest.val();
        self.consumed_ready.next = false;
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
        self.empty_job.next = false;
        self.is_muted.next = false;
        self.in_engine.next = false;
        self.block_here.next = false;
        self.goes_on.next = false;
        self.keeps.next = false;

        // Messages.
        self.miss.ctx.next = self.handle.val();
        self.miss.generation.next = self.sub2.generation.val();
        self.miss.region.next = self.sub0.region.val();
        self.miss.sg_hint.next = self.sub2.sg_hint.val();
        self.miss.valid.next = bit_cast::<8, 4>(self.directory.valid.val());
        self.miss.used.next = bit_cast::<8, 4>(self.directory.used.val());
        self.miss.pinned.next = bit_cast::<8, 4>(self.directory.pinned.val());
        self.quiesced.direction.next = bit_cast::<8, 1>(self.direction.val());
        self.quiesced.what.next = self.quiesce_region.val();
        if self.quiesce_queue.q.val() {
            self.quiesced.what.next = self.quiesce_of_queue.val();
        }
        self.quiesced.id.next = self.quiesce_id.q.val();
        self.quiesced.ticket.next = self.quiesce_ticket.q.val();
        self.msg_data.next = self.miss.raw.val();

        // Commands.
        self.cmd_fill.raw.next = self.cmd_data.val();
        self.cmd_reject.raw.next = self.cmd_data.val();
        self.cmd_abort_region.raw.next = self.cmd_data.val();
        self.cmd_abort_queue.raw.next = self.cmd_data.val();
        self.cmd_kind.next = self.cmd_fill.kind.val();
        self.cmd_ctx.next = self.cmd_fill.ctx.val();
        // Is the command for what the context serves now? An aborted transfer reads no more of its list.
        self.cmd_current.next = (self.cmd_ctx.val() == self.handle.val())
            & (self.is_bound.val()
                & (!self.is_failed.val()
                    & !((self.closing.q.val() | self.aborting.q.val()) & self.mark.val()).any()));

        // Who can be served.
        self.reads.next =
            self.windows.reading.val() | (self.region_reads.q.val() | self.awaiting.q.val());
        self.choice.submission_here.next = self.submission_here.q.val();
        self.choice.elders.next = self.elders.q.val();
        self.choice.asks.next = self.asks.q.val();
        self.choice.region_here.next = self.region_here.q.val();
        self.choice.answered.next = self.answered.q.val();
        self.choice.wants.next = self.wants.q.val();
        self.choice.dispatched.next = self.dispatched.q.val();
        self.choice.failed.next = self.failed.q.val();
        self.choice.aborting.next = self.aborting.q.val();
        self.choice.closing.next = self.closing.q.val();
        self.choice.reading.next = self.reads.val();
        self.choice.touching.next = self.touching.q.val();
        self.choice.awaited.next = self.awaited.q.val();
        self.is_abort.next = (self.cmd_kind.val() == self.kind_abort_region.val())
            | (self.cmd_kind.val() == self.kind_abort_queue.val());
        // One abort at a time; all other commands pass, as what is awaited may need them.
        self.may_command.next =
            self.cmd_valid.val() & !(self.quiesce_wanted.q.val() & self.is_abort.val());
        // Something can be served without the fetch unit, whose tags may all be lost.
        self.urgent.next = ((self.consumed_valid.val() | self.retire_valid.val())
            | (self.choice.close.val() | (self.quiesce_wanted.q.val() & self.choice.quiet.val())))
            | ((self.choice.submission.val() | self.choice.region.val())
                | ((self.turns.found.val() & self.engine_ready.val()) | self.may_command.val()));

        match self.state.q.val() {
            ContextState::Idle => {
                if self.consumed_valid.val() {
                    self.consumed_ready.next = true;
                    self.ctx.d.next = self.consumed_ctx.val();
                    self.windows.leave.next = true;
                    self.state.d.next = ContextState::Consumed;
                } else if self.retire_valid.val() {
                    self.retire_ready.next = true;
                    self.ctx.d.next = self.retire_ctx.val();
                    self.ended_status.d.next = self.retire_status.val();
                    self.ended_bytes.d.next = self.retire_bytes.val();
                    self.ended_eop.d.next = self.retire_eop.val();
                    self.retired.next = self.retire_bit.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0x07.into();
                    self.after.d.next = ContextState::Retire;
                    self.state.d.next = ContextState::Load;
                } else if self.choice.close.val() {
                    self.ctx.d.next = self.choice.close_ctx.val();
                    self.state.d.next = ContextState::Close;
                } else if self.quiesce_wanted.q.val() & self.choice.quiet.val() {
                    self.state.d.next = ContextState::SendQuiesced;
                } else if self.may_command.val() {
                    // A context that is not there: an answer that is dropped.
                    self.ctx.d.next = bit_cast::<4, 8>(self.cmd_ctx.val()) & self.last_ctx.val();
                    self.state.d.next = ContextState::Answer;
                    if self.is_abort.val() {
                        self.state.d.next = ContextState::Load;
                        self.ctx.d.next = 0.into();
                        self.quiesce_queue.d.next =
                            self.cmd_kind.val() == self.kind_abort_queue.val();
                        self.quiesce_id.d.next = self.cmd_abort_region.region.val();
                        // In its place in both aborts.
                        self.quiesce_ticket.d.next = self.cmd_abort_region.ticket.val();
                        self.awaited.clear.next = 0xffff.into();
                        self.words.load.next = true;
                        self.words.wanted.next = 0x01.into();
                        self.after.d.next = ContextState::Abort;
                        if self.cmd_kind.val() == self.kind_abort_queue.val() {
                            self.quiesce_id.d.next =
                                bit_cast::<32, 8>(self.cmd_abort_queue.queue_id.val());
                        } else {
                            self.state.d.next = ContextState::Find;
                        }
                    }
                } else if self.choice.block.val() & !self.parked.q.val() {
                    self.ctx.d.next = self.choice.block_ctx.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0x30.into();
                    self.after.d.next = ContextState::ReadBlock;
                    self.state.d.next = ContextState::Load;
                } else if self.choice.ask.val() & !self.parked.q.val() {
                    self.ctx.d.next = self.choice.ask_ctx.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0x01.into();
                    self.after.d.next = ContextState::ReadRegion;
                    self.state.d.next = ContextState::Load;
                } else if self.turns.found.val() & self.engine_ready.val() {
                    self.ctx.d.next = self.turns.ctx.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0x26.into();
                    self.after.d.next = ContextState::Dispatch;
                    self.state.d.next = ContextState::Load;
                } else if self.choice.submission.val() {
                    self.ctx.d.next = self.choice.submission_ctx.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0x0f.into();
                    self.after.d.next = ContextState::CheckSubmission;
                    self.state.d.next = ContextState::Load;
                } else if self.choice.region.val() {
                    self.ctx.d.next = self.choice.region_ctx.val();
                    self.words.load.next = true;
                    self.words.wanted.next = 0xf7.into();
                    self.after.d.next = ContextState::CheckRegion;
                    self.state.d.next = ContextState::Load;
                } else {
                    self.parked.d.next = false;
                }
            }
            ContextState::Load => {
                if self.words.loaded.val() {
                    self.block.d.next = self.next_blocks.read_data.val();
                    self.state.d.next = self.after.q.val();
                }
            }
            ContextState::CheckSubmission => {
                self.submission_here.clear.next = self.mark.val();
                self.elders.clear.next = self.mark.val();
                self.place.d.next = self.known_place.val();
                self.status.next = self.submission_check.status.val();
                if self.submission_check.moves_nothing.val() {
                    self.empty.set.next = self.mark.val();
                }
                if self.status.val().any() {
                    self.statuses.write_enable.next = true;
                    self.failed.set.next = self.mark.val();
                }
                if self.status.val().any() | self.submission_check.moves_nothing.val() {
                    self.ready_now.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                } else if (self.missing.q.val() & self.set_bit.val()).any()
                    & !(self.directory.hit.val() & self.directory.here.val())
                {
                    self.elders.clear.next = 0.into();
                    // A MISS that ends in this very cycle wakes nobody who begins to wait in it: look again.
                    self.waiting.set.next = self.mark.val();
                    if self.landed.val().any() {
                        self.waiting.set.next = 0.into();
                        self.submission_here.clear.next = 0.into();
                    }
                    self.state.d.next = ContextState::Idle;
                } else if self.directory.hit.val() {
                    self.bound.set.next = self.mark.val();
                    self.state.d.next = ContextState::Copy;
                } else {
                    self.state.d.next = ContextState::SendMiss;
                }
            }
            ContextState::Copy => {
                if self.words.copied.val() {
                    self.state.d.next = ContextState::CheckRegion;
                }
            }
            ContextState::SendMiss => {
                self.msg_valid.next = true;
                self.msg_data.next = self.miss.raw.val();
                if self.msg_ready.val() {
                    self.bound.set.next = self.mark.val();
                    self.leading.set.next = self.mark.val();
                    self.missing.set.next = self.set_bit.val();
                    self.sets.write_enable.next = true;
                    self.asks.set.next = self.mark.val();
                    self.state.d.next = ContextState::ReadRegion;
                }
            }
            ContextState::ReadRegion => {
                self.fetch_valid.next = true;
                if self.fetch_ready.val() {
                    self.asks.clear.next = self.mark.val();
                    self.region_reads.set.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                } else if self.urgent.val() {
                    self.parked.d.next = true;
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Answer => {
                self.cmd_ready.next = true;
                self.state.d.next = ContextState::Idle;
                self.status.next = bit_cast::<8, 16>(self.cmd_reject.status.val());
                // One for an earlier transfer of the context is dropped.
                if self.cmd_current.val() {
                    if self.cmd_kind.val() == self.kind_fill.val() {
                        self.fill_ways.write_enable.next = true;
                        self.answered.set.next = self.mark.val();
                    }
                    if self.cmd_kind.val() == self.kind_reject.val() {
                        self.statuses.write_enable.next = true;
                        self.failed.set.next = self.mark.val();
                        self.ready_now.next = self.mark.val();
                        self.ends_miss.next = true;
                    }
                }
            }
            ContextState::CheckRegion => {
                self.region_here.clear.next = self.mark.val();
                self.status.next = self.region_check.status.val();
                self.state.d.next = ContextState::Settle;
                // An abort may have failed the context while its region entry was on the way: nothing of it stays.
                if self.is_failed.val() {
                    self.state.d.next = ContextState::Idle;
                } else if self.status.val().any() {
                    self.statuses.write_enable.next = true;
                    self.failed.set.next = self.mark.val();
                    self.ready_now.next = self.mark.val();
                    self.ends_miss.next = true;
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Settle => {
                self.fresh.d.next = false;
                self.resident.d.next = false;
                self.state.d.next = ContextState::Begin;
                // What does not stay helps nobody who waits, so its block is not waited for.
                self.ends_miss.next = true;
                if !self.reg1.one_shot.val() {
                    if self.directory.hit.val() {
                        self.place.d.next = self.known_place.val();
                        self.resident.d.next = true;
                        self.ends_miss.next = false;
                    } else if self.may_keep.val() {
                        // A region has one place: that of an earlier generation is taken over.
                        self.place.d.next = self.chosen_place.val();
                        self.keeps.next = !self.chosen_pinned.val();
                        if self.directory.known.val() {
                            self.place.d.next = self.known_place.val();
                            self.keeps.next = !self.known_pinned.val();
                        }
                        if self.keeps.val() {
                            self.resident.d.next = true;
                            self.fresh.d.next = true;
                            self.ends_miss.next = false;
                            self.state.d.next = ContextState::Install;
                        }
                    }
                }
            }
            ContextState::Install => {
                if self.words.kept.val() {
                    self.directory.install.next = true;
                    self.state.d.next = ContextState::Begin;
                }
            }
            ContextState::Begin => {
                self.block_here.next = (self.resident.q.val() & !self.fresh.q.val())
                    & (self.directory.here.val()
                        & (self.directory.block.val() == self.extent.first_block.val()));
                self.goes_on.next = self.extent.first_block.val() < self.extent.end_block.val();
                self.end_blocks.write_enable.next = true;
                self.windows.start.next = true;
                self.next_blocks.write_enable.next = true;
                self.next_blocks.write_data.next = self.extent.first_block.val();
                self.block.d.next = self.extent.first_block.val();
                self.directory.touch.next = self.resident.q.val() & !self.fresh.q.val();
                if self.block_here.val() {
                    self.next_blocks.write_data.next = self.extent.first_block.val() + 1;
                    self.block.d.next = self.extent.first_block.val() + 1;
                    self.windows.at.next = self.first_window.val();
                    self.windows.slot.next = self.first_slot.val();
                    self.windows.show.next = true;
                    if self.windows.show_ready.val() {
                        self.ends_miss.next = true;
                        self.directory.pin.next = true;
                        self.pinning.set.next = self.mark.val();
                        self.pin_places.write_enable.next = true;
                        self.ready_now.next = self.mark.val();
                        self.state.d.next = ContextState::Idle;
                        if self.goes_on.val() {
                            self.wants.set.next = self.mark.val();
                            self.state.d.next = ContextState::ReadBlock;
                        }
                    }
                } else {
                    if self.resident.q.val() & !self.place_pinned.val() {
                        self.directory.claim.next = true;
                        self.directory.pin.next = true;
                        self.pinning.set.next = self.mark.val();
                        self.pin_places.write_enable.next = true;
                    }
                    self.opening.set.next = self.mark.val();
                    self.first.set.next = self.mark.val();
                    self.wants.set.next = self.mark.val();
                    self.state.d.next = ContextState::ReadBlock;
                }
            }
            ContextState::ReadBlock => {
                self.fetch_kind.next = 2.into();
                self.fetch_addr.next = self.extent.block_addr.val();
                self.fetch_bytes.next = self.extent.block_bytes.val();
                self.fetch_id.next = self.own_window.val();
                self.fetch_word.next = bit_cast::<WORD_BITS, SLOT_BITS>(self.read_slot.val()) << 5;
                self.fetch_valid.next = true;
                self.directory.place.next = self.pin_places.read_data.val();
                if self.fetch_ready.val() {
                    self.windows.ask.next = true;
                    self.directory.fill.next = self.is_first.val() & self.is_pinning.val();
                    self.first.clear.next = self.mark.val();
                    self.next_blocks.write_enable.next = true;
                    self.block.d.next = self.next_block.val();
                    // And the one behind it, if its window is free.
                    self.goes_on.next = (self.block.q.val() < self.end_blocks.read_data.val())
                        & !(self.next_window.val() & self.mark.val()).any();
                    if !self.goes_on.val() {
                        self.wants.clear.next = self.mark.val();
                        self.state.d.next = ContextState::Idle;
                    }
                } else if self.urgent.val() {
                    self.parked.d.next = true;
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Consumed => {
                // The first block that a transfer leaves behind is the one that it may have shared.
                self.directory.place.next = self.pin_places.read_data.val();
                self.directory.unpin.next = self.is_pinning.val();
                self.pinning.clear.next = self.mark.val();
                if self.next_blocks.read_data.val() <= self.end_blocks.read_data.val() {
                    self.wants.set.next = self.mark.val();
                }
                self.state.d.next = ContextState::Idle;
            }
            ContextState::Dispatch => {
                if self.is_failed.val() {
                    self.job_status.next = self.statuses.read_data.val();
                }
                self.empty_job.next = self.is_failed.val() | self.is_empty.val();
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
            ContextState::Retire => {
                self.is_muted.next = (self.muted.q.val() & self.mark.val()).any();
                self.rec_valid.next = !self.is_muted.val();
                if self.rec_ready.val() | self.is_muted.val() {
                    self.closing.set.next = self.mark.val();
                    self.state.d.next = ContextState::Idle;
                }
            }
            ContextState::Close => {
                self.ends_miss.next = true;
                self.closed.next = self.mark.val();
                self.asks.clear.next = self.mark.val();
                self.answered.clear.next = self.mark.val();
                self.directory.place.next = self.pin_places.read_data.val();
                self.directory.unpin.next = self.is_pinning.val();
                self.windows.close.next = self.mark.val();
                self.back.next = true;
                self.opened_now.next = self.mark.val();
                self.sequences.write_enable.next = true;
                self.taken.clear.next = self.mark.val();
                self.bound.clear.next = self.mark.val();
                self.ready.clear.next = self.mark.val();
                self.failed.clear.next = self.mark.val();
                self.empty.clear.next = self.mark.val();
                self.dispatched.clear.next = self.mark.val();
                self.closing.clear.next = self.mark.val();
                self.aborting.clear.next = self.mark.val();
                self.awaited.clear.next = self.mark.val();
                self.muted.clear.next = self.mark.val();
                self.submission_here.clear.next = self.mark.val();
                self.elders.clear.next = self.mark.val();
                self.region_here.clear.next = self.mark.val();
                self.wants.clear.next = self.mark.val();
                self.first.clear.next = self.mark.val();
                self.pinning.clear.next = self.mark.val();
                self.state.d.next = ContextState::Idle;
            }
            ContextState::Find => {
                self.state.d.next = ContextState::Forget;
            }
            ContextState::Forget => {
                self.directory.place.next = (bit_cast::<PLACE_BITS, 4>(self.command_set.val())
                    << 2)
                    | bit_cast::<PLACE_BITS, 2>(self.directory.way.val());
                self.directory.forget.next = self.directory.known.val();
                self.state.d.next = ContextState::Load;
            }
            ContextState::Abort => {
                self.concerned.next =
                    self.is_bound.val() & (self.sub0.region.val() == self.quiesce_id.q.val());
                if self.quiesce_queue.q.val() {
                    self.concerned.next = (self.taken.q.val() & self.mark.val()).any()
                        & (bit_cast::<32, 4>(self.queue.val()) == self.quiesce_id.q.val());
                }
                if self.concerned.val() {
                    self.aborting.set.next = self.mark.val();
                    self.awaited.set.next = self.mark.val();
                    self.ends_miss.next = true;
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
                            self.statuses.write_enable.next = true;
                            self.failed.set.next = self.mark.val();
                            self.ready_now.next = self.mark.val();
                        }
                    }
                }
                self.state.d.next = ContextState::AbortNext;
            }
            ContextState::AbortNext => {
                self.words.load.next = true;
                self.words.wanted.next = 0x01.into();
                self.ctx.d.next = self.ctx.q.val() + 1;
                self.state.d.next = ContextState::Load;
                if self.ctx.q.val() == self.last_ctx.val() {
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

        // A MISS is over: all that wait are looked at again.
        self.left_set.next = 0.into();
        self.let_go.next = self.landed.val();
        if self.ends_miss.val() & (self.leading.q.val() & self.mark.val()).any() {
            self.let_go.next = self.landed.val() | self.mark.val();
            self.left_set.next = self.one.val() << self.sets.read_data.val();
        }
        self.sets_back.write_address.next = self.sets.write_address.val();
        self.sets_back.write_data.next = self.sets.write_data.val();
        self.sets_back.write_enable.next = self.sets.write_enable.val();
        self.leading.clear.next = self.let_go.val();
        self.missing.clear.next = self.left_set.val() | self.filled_set.val();
        self.woken.next = 0.into();
        if self.let_go.val().any() {
            self.woken.next = self.waiting.q.val();
            if !self.elders.q.val().any() {
                self.elders.set.next = self.woken.val();
            }
        }
        self.waiting.clear.next = self.woken.val() | self.closed.val();
        self.submission_here.set.next = self.came.val() | self.woken.val();

        self.statuses.write_data.next = self.status.val();
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
