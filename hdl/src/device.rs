//! The device: everything between the PCIe hard IP's shim and the user's streams.

use crate::c2h::{C2hEngine, KeepCount};
use crate::completion::CompletionUnit;
use crate::context::ContextTable;
use crate::fetch::{CompletionWords, FetchUnit};
use crate::fetch_arbiter::FetchArbiter;
use crate::h2c_channel::H2cChannel;
use crate::idle::IdleCycles;
use crate::lost_tags::LostTags;
use crate::mailbox::{AdminUnit, CommandRouter, MessageArbiter};
use crate::mmio::Bar0;
use crate::scheduler::QueueScheduler;
use crate::sizes::{Full, Sizes, Small, WORD_BITS, read_slots, read_tags};
use crate::soft_core::{EmitError, SoftCore, Watchdog, emit_new};
use crate::soft_reset::SoftReset;
use crate::tlp::{PostedMux, RecordArbiter, TransmitMux};
use crate::widgets::{Const, Param};
use pinring_protocol::limits::WATCHDOG_US;
use pinring_protocol::{FirmwareState, Status};
use rust_hdl::prelude::*;
use std::str::FromStr;

/// The whole device with flat ports, as docs/gateware.md lists them.
///
/// `W`: bus width in bits (64 to 512), `B` = `W` / 8, `L` = log2(`B`), `L1` = `L` + 1; `HZ` is the frequency of
/// `core_clock`; `N` H2C read slots (a power of two from 32 to 256), `I` = log2(`N`), `P` = `I` + 1; `T` tags: `N` + 8, 256 at
/// most; `S` what else it has.
#[derive(LogicBlock, Default)]
pub struct Device<
    const W: usize,
    const B: usize,
    const L: usize,
    const L1: usize,
    const HZ: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
    S: Sizes = Full,
> {
    /// Engine clock.
    pub clock: Signal<In, Clock>,
    /// Soft core's clock, unrelated to the engine's.
    pub core_clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Max_Payload_Size, 128 << n bytes.
    pub cfg_mps: Signal<In, Bits<3>>,
    /// Max_Read_Request_Size, 128 << n bytes.
    pub cfg_mrrs: Signal<In, Bits<3>>,
    /// Read completion boundary: 0 for 64, 1 for 128 bytes.
    pub cfg_rcb: Signal<In, Bit>,
    /// Extended Tag Field Enable.
    pub cfg_extended_tag: Signal<In, Bit>,
    /// Bus Master Enable.
    pub cfg_bus_master: Signal<In, Bit>,
    /// MSI-X Enable.
    pub cfg_msix_enable: Signal<In, Bit>,
    /// MSI-X Function Mask.
    pub cfg_msix_mask: Signal<In, Bit>,
    /// Completion headers the hard IP holds.
    pub cfg_cpl_headers: Signal<In, Bits<12>>,
    /// Completion data it holds, in units of 16 bytes.
    pub cfg_cpl_data: Signal<In, Bits<16>>,
    /// A beat for the link.
    pub tx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tx_ready: Signal<In, Bit>,
    /// First beat.
    pub tx_sop: Signal<Out, Bit>,
    /// Last beat.
    pub tx_eop: Signal<Out, Bit>,
    /// Address-aligned data.
    pub tx_data: Signal<Out, Bits<W>>,
    /// 0 MWr, 1 MRd, 2 CplD, 3 Cpl.
    pub tx_kind: Signal<Out, Bits<2>>,
    /// Byte address, or lower address.
    pub tx_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub tx_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub tx_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub tx_last_be: Signal<Out, Bits<4>>,
    /// Tag.
    pub tx_tag: Signal<Out, Bits<10>>,
    /// Requester id of a completion.
    pub tx_id: Signal<Out, Bits<16>>,
    /// Byte count of a completion.
    pub tx_byte_count: Signal<Out, Bits<13>>,
    /// Status of a completion.
    pub tx_status: Signal<Out, Bits<3>>,
    /// A beat of a read completion.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Lower address.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// A beat of a request to BAR0.
    pub req_valid: Signal<In, Bit>,
    /// It is taken.
    pub req_ready: Signal<Out, Bit>,
    /// First beat.
    pub req_sop: Signal<In, Bit>,
    /// Last beat.
    pub req_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub req_data: Signal<In, Bits<W>>,
    /// Write, otherwise read.
    pub req_write: Signal<In, Bit>,
    /// Byte offset.
    pub req_addr: Signal<In, Bits<24>>,
    /// DWs.
    pub req_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub req_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub req_last_be: Signal<In, Bits<4>>,
    /// Tag.
    pub req_tag: Signal<In, Bits<10>>,
    /// Requester id.
    pub req_id: Signal<In, Bits<16>>,
    /// C2H stream.
    pub s_axis_c2h_tvalid: Signal<In, Bit>,
    /// Beat taken.
    pub s_axis_c2h_tready: Signal<Out, Bit>,
    /// Bytes.
    pub s_axis_c2h_tdata: Signal<In, Bits<W>>,
    /// Valid lanes.
    pub s_axis_c2h_tkeep: Signal<In, Bits<B>>,
    /// End of a packet.
    pub s_axis_c2h_tlast: Signal<In, Bit>,
    /// TDEST.
    pub s_axis_c2h_tdest: Signal<In, Bits<16>>,
    /// H2C stream.
    pub m_axis_h2c_tvalid: Signal<Out, Bit>,
    /// Beat taken.
    pub m_axis_h2c_tready: Signal<In, Bit>,
    /// Bytes.
    pub m_axis_h2c_tdata: Signal<Out, Bits<W>>,
    /// Valid lanes.
    pub m_axis_h2c_tkeep: Signal<Out, Bits<B>>,
    /// End of a packet.
    pub m_axis_h2c_tlast: Signal<Out, Bit>,
    /// TDEST.
    pub m_axis_h2c_tdest: Signal<Out, Bits<16>>,
    /// Cut short by an error.
    pub m_axis_h2c_tuser: Signal<Out, Bit>,
    /// For tests, from a flip-flop: the soft core stops where it is. Tie low.
    pub core_halt: Signal<In, Bit>,
    /// LEDs of the firmware.
    pub leds: Signal<Out, Bits<8>>,
    /// A submission entry gets a context in this cycle.
    pub entry_taken: Signal<Out, Bit>,
    /// Which: direction in bit 4, index in bits 3:0.
    pub entry_ctx: Signal<Out, Bits<5>>,
    /// A message to the firmware passes in this cycle.
    pub mail_in: Signal<Out, Bit>,
    /// A command of the firmware passes in this cycle.
    pub mail_out: Signal<Out, Bit>,
    /// Its kind and context id.
    pub mail_out_head: Signal<Out, Bits<16>>,
    /// A list block is asked for in this cycle.
    pub list_asked: Signal<Out, Bit>,
    /// For which context, as in `entry_ctx`.
    pub list_asked_ctx: Signal<Out, Bits<5>>,
    /// A list block has come in this cycle.
    pub list_here: Signal<Out, Bit>,
    /// For which context.
    pub list_here_ctx: Signal<Out, Bits<5>>,
    /// Work is left: a transfer, an admin command, an unread entry or a reset, or the firmware has not begun yet.
    pub busy: Signal<Out, Bit>,

    bar0: Bar0<W, B, L, CLOCK_HZ, S>,
    core: SoftCore<HZ, S>,
    watchdog: Watchdog<WATCHDOG_CYCLES>,
    router: CommandRouter,
    messages: MessageArbiter,
    admin: AdminUnit,
    scheduler: QueueScheduler<S>,
    fetches: FetchArbiter,
    words: CompletionWords<W, L>,
    fetch: FetchUnit,
    c2h_table: ContextTable<0, S>,
    h2c_table: ContextTable<1, S>,
    c2h: C2hEngine<W, B, L, L1, S>,
    h2c: H2cChannel<W, B, L, N, I, P, T, S>,
    records: RecordArbiter,
    completion: CompletionUnit<S>,
    posted: PostedMux<W, L>,
    transmit: TransmitMux<W, T, P>,
    drained: KeepCount<B, L1>,
    soft_reset: SoftReset,
    lost_tags: LostTags<T, P>,
    idle: IdleCycles,
    alive: DFF<Bit>,
    timeout_cycles: Const<32, 12_500_000>,
    tag_patience: Const<34, TAG_PATIENCE>,
    read_slots: Param<32, N>,
    panicked: Const<32, { FirmwareState::Panicked as u64 }>,
    firmware_restarted: Const<16, { Status::FirmwareRestarted as u64 }>,

    restart: Signal<Local, Bit>,
    cpl_ours: Signal<Local, Bit>,
    max_write: Signal<Local, Bits<10>>,
    max_read: Signal<Local, Bits<10>>,
    accepted: Signal<Local, Bit>,
    table_fill: Signal<Local, Bit>,
    block_fill: Signal<Local, Bit>,
    from_h2c: Signal<Local, Bit>,
    from_admin: Signal<Local, Bit>,
    failed: Signal<Local, Bit>,
}

impl<
    const W: usize,
    const B: usize,
    const L: usize,
    const L1: usize,
    const HZ: usize,
    const N: usize,
    const I: usize,
    const P: usize,
    const T: usize,
    S: Sizes,
> Logic for Device<W, B, L, L1, HZ, N, I, P, T, S>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, alive);
        clock!(
            self, clock, bar0, core, router, messages, admin, scheduler, words, fetch, c2h_table,
            h2c_table, c2h, h2c, records, completion, posted, transmit, soft_reset, lost_tags,
            idle, watchdog
        );
        self.core.core_clock.next = self.core_clock.val();
        // The registers and what stands on the link survive a reset that the driver asks for.
        self.bar0.reset.next = self.reset.val();
        self.posted.reset.next = self.reset.val();
        self.transmit.reset.next = self.reset.val();
        self.soft_reset.reset.next = self.reset.val();
        self.soft_reset.request.next = self.bar0.soft_reset.val();
        self.soft_reset.settled.next = self.transmit.settled.val();
        self.soft_reset.reads_out.next = self.transmit.reads_out.val().any();
        self.soft_reset.cpl_valid.next = self.cpl_valid.val();
        self.soft_reset.cpl_eop.next = self.cpl_eop.val();
        self.soft_reset.timeout.next = self.timeout_cycles.val();
        self.restart.next = self.soft_reset.restart.val();
        self.bar0.restart.next = self.restart.val();
        self.transmit.forget.next = self.restart.val();
        self.transmit.expected.next = (bit_cast::<T, N>(self.h2c.expected.val()) << 8)
            | bit_cast::<T, 8>(self.fetch.outstanding.val());
        self.lost_tags.reset.next = self.reset.val();
        self.lost_tags.gives_up.next = self.soft_reset.gives_up.val();
        self.lost_tags.reads_out.next = self.transmit.reads_out.val();
        self.lost_tags.extended.next = self.cfg_extended_tag.val();
        self.lost_tags.patience.next = self.tag_patience.val();
        self.h2c.extended.next = self.cfg_extended_tag.val();
        self.h2c.usable.next = self.lost_tags.usable.val();
        self.fetch.usable.next = bit_cast::<8, T>(self.lost_tags.usable.val());
        self.bar0.read_tags.next = self.read_slots.val();
        self.core.reset.next = self.restart.val();
        self.router.reset.next = self.restart.val();
        self.messages.reset.next = self.restart.val();
        self.admin.reset.next = self.restart.val();
        self.scheduler.reset.next = self.restart.val();
        self.words.reset.next = self.restart.val();
        self.fetch.reset.next = self.restart.val();
        self.c2h_table.reset.next = self.restart.val();
        self.h2c_table.reset.next = self.restart.val();
        self.c2h.reset.next = self.restart.val();
        self.h2c.reset.next = self.restart.val();
        self.completion.reset.next = self.restart.val();

        // Sizes. Writes and reads of the engine are 512 bytes at most.
        self.max_write.next = 512.into();
        if self.cfg_mps.val() == 0 {
            self.max_write.next = 128.into();
        }
        if self.cfg_mps.val() == 1 {
            self.max_write.next = 256.into();
        }
        self.max_read.next = 512.into();
        if self.cfg_mrrs.val() == 0 {
            self.max_read.next = 128.into();
        }
        if self.cfg_mrrs.val() == 1 {
            self.max_read.next = 256.into();
        }
        self.c2h.max_write.next = self.max_write.val();
        self.h2c.max_read.next = self.max_read.val();
        self.fetch.max_read.next = self.max_read.val();
        self.fetch.timeout.next = self.timeout_cycles.val();
        self.h2c.timeout.next = self.timeout_cycles.val();

        // BAR0.
        self.bar0.req_valid.next = self.req_valid.val();
        self.bar0.req_sop.next = self.req_sop.val();
        self.bar0.req_eop.next = self.req_eop.val();
        self.bar0.req_data.next = self.req_data.val();
        self.bar0.req_write.next = self.req_write.val();
        self.bar0.req_addr.next = self.req_addr.val();
        self.bar0.req_len.next = self.req_len.val();
        self.bar0.req_first_be.next = self.req_first_be.val();
        self.bar0.req_last_be.next = self.req_last_be.val();
        self.bar0.req_tag.next = self.req_tag.val();
        self.bar0.req_id.next = self.req_id.val();
        self.req_ready.next = self.bar0.req_ready.val();
        self.bar0.cfg_msix_enable.next = self.cfg_msix_enable.val();
        self.bar0.cfg_msix_mask.next = self.cfg_msix_mask.val();

        // Firmware.
        self.core.msg_valid.next = self.messages.msg_valid.val();
        self.core.msg_data.next = self.messages.msg_data.val();
        self.messages.msg_ready.next = self.core.msg_ready.val();
        self.messages.c2h_valid.next = self.c2h_table.msg_valid.val();
        self.messages.c2h_data.next = self.c2h_table.msg_data.val();
        self.c2h_table.msg_ready.next = self.messages.c2h_ready.val();
        self.messages.h2c_valid.next = self.h2c_table.msg_valid.val();
        self.messages.h2c_data.next = self.h2c_table.msg_data.val();
        self.h2c_table.msg_ready.next = self.messages.h2c_ready.val();
        self.messages.admin_valid.next = self.admin.msg_valid.val();
        self.messages.admin_data.next = self.admin.msg_data.val();
        self.messages.admin_more.next = self.admin.msg_more.val();
        self.admin.msg_ready.next = self.messages.admin_ready.val();
        self.router.cmd_valid.next = self.core.cmd_valid.val();
        self.router.cmd_data.next = self.core.cmd_data.val();
        self.core.cmd_ready.next = self.router.cmd_ready.val();
        self.router.enabled.next = self.bar0.enable.val();
        self.router.admin_sq.next = self.bar0.admin_sq.val();
        self.router.admin_cq.next = self.bar0.admin_cq.val();
        self.router.admin_sq_log2.next = self.bar0.admin_sq_log2.val();
        self.router.admin_cq_log2.next = self.bar0.admin_cq_log2.val();
        self.router.admin_vector.next = self.bar0.admin_vector.val();
        self.c2h_table.cmd_valid.next = self.router.c2h_valid.val();
        self.c2h_table.cmd_data.next = self.core.cmd_data.val();
        self.router.c2h_ready.next = self.c2h_table.cmd_ready.val();
        self.h2c_table.cmd_valid.next = self.router.h2c_valid.val();
        self.h2c_table.cmd_data.next = self.core.cmd_data.val();
        self.router.h2c_ready.next = self.h2c_table.cmd_ready.val();
        self.scheduler.cfg_write.next = self.router.cfg_write.val();
        self.scheduler.cfg_queue.next = self.router.cfg_queue.val();
        self.scheduler.cfg_word.next = self.router.cfg_word.val();
        self.scheduler.cfg_data.next = self.router.cfg_data.val();
        self.c2h_table.cfg_write.next = self.router.cfg_write.val();
        self.c2h_table.cfg_queue.next = self.router.cfg_queue.val();
        self.c2h_table.cfg_word.next = self.router.cfg_word.val();
        self.c2h_table.cfg_data.next = self.router.cfg_data.val();
        self.h2c_table.cfg_write.next = self.router.cfg_write.val();
        self.h2c_table.cfg_queue.next = self.router.cfg_queue.val();
        self.h2c_table.cfg_word.next = self.router.cfg_word.val();
        self.h2c_table.cfg_data.next = self.router.cfg_data.val();
        self.completion.cfg_write.next = self.router.cfg_write.val();
        self.completion.cfg_queue.next = self.router.cfg_queue.val();
        self.completion.cfg_word.next = self.router.cfg_word.val();
        self.completion.cfg_data.next = self.router.cfg_data.val();
        self.scheduler.switch_on.next = self.router.switch_on.val();
        self.scheduler.switch_off.next = self.router.switch_off.val();
        self.scheduler.switch_queue.next = self.router.switch_queue.val();
        self.router.switch_ready.next = self.scheduler.switch_ready.val();
        self.admin.answer_valid.next = self.router.answer_valid.val();
        self.admin.answer_status.next = self.router.answer_status.val();
        self.admin.answer_cookie.next = self.router.answer_cookie.val();
        self.router.answer_ready.next = self.admin.answer_ready.val();
        self.bar0.fw_state_valid.next = self.router.fw_valid.val();
        self.bar0.fw_state.next = self.router.fw_state.val();
        self.bar0.fw_detail.next = self.router.fw_detail.val();
        self.bar0.log_valid.next = self.router.log_valid.val();
        self.bar0.log_data.next = self.router.log_data.val();
        self.bar0.log_count.next = self.router.log_count.val();
        self.router.log_ready.next = true;
        self.leds.next = self.core.leds.val();

        // Firmware that has panicked says so, and is restarted all the same.
        self.watchdog.reset.next = self.restart.val();
        self.watchdog.beat.next =
            self.router.fw_valid.val() & (self.router.fw_state.val() != self.panicked.val());
        self.watchdog.waits.next = self.core.cmd_valid.val() & !self.router.cmd_ready.val();
        self.watchdog.restarting.next = self.core.restarting.val();
        self.core.restart.next = self.watchdog.restart.val();
        self.core.halt.next = self.core_halt.val();
        self.bar0.fw_restarts.next = self.watchdog.restarts.val();
        self.core.msg_raw.next = self.messages.msg_raw.val();
        self.messages.admin_raw.next = self.admin.msg_raw.val();
        self.admin.queues.next = self.scheduler.enabled_queues.val();
        self.admin.again.next = self.core.again.val();
        self.admin.answer_ticket.next = self.router.answer_ticket.val();

        // Doorbells and entries.
        self.scheduler.db_valid.next = self.bar0.db_valid.val();
        self.scheduler.db_queue.next = self.bar0.db_queue.val();
        self.scheduler.db_tail.next = self.bar0.db_tail.val();
        self.scheduler.db_head.next = self.bar0.db_head.val();
        self.completion.db_valid.next = self.bar0.db_valid.val();
        self.completion.db_queue.next = self.bar0.db_queue.val();
        self.completion.db_head.next = self.bar0.db_head.val();
        self.completion.db_arm.next = self.bar0.db_arm.val();
        self.scheduler.c2h_free.next = self.c2h_table.free_valid.val();
        self.scheduler.c2h_ctx.next = self.c2h_table.free_ctx.val();
        self.c2h_table.alloc.next = self.scheduler.c2h_alloc.val();
        self.c2h_table.alloc_queue.next = self.scheduler.alloc_queue.val();
        self.c2h_table.alloc_index.next = self.scheduler.alloc_index.val();
        self.scheduler.h2c_free.next = self.h2c_table.free_valid.val();
        self.scheduler.h2c_ctx.next = self.h2c_table.free_ctx.val();
        self.h2c_table.alloc.next = self.scheduler.h2c_alloc.val();
        self.h2c_table.alloc_queue.next = self.scheduler.alloc_queue.val();
        self.h2c_table.alloc_index.next = self.scheduler.alloc_index.val();
        self.scheduler.c2h_back.next = self.c2h_table.back.val();
        self.scheduler.c2h_back_queue.next = self.c2h_table.back_queue.val();
        self.scheduler.h2c_back.next = self.h2c_table.back.val();
        self.scheduler.h2c_back_queue.next = self.h2c_table.back_queue.val();
        self.scheduler.admin_free.next = self.admin.free.val();
        self.admin.alloc.next = self.scheduler.admin_alloc.val();
        self.admin.alloc_index.next = self.scheduler.alloc_index.val();

        // Entries from the inline slots.
        self.scheduler.hint_valid.next = self.bar0.hint_valid.val();
        self.scheduler.hint_queue.next = self.bar0.hint_queue.val();
        self.scheduler.hint_index.next = self.bar0.hint_index.val();
        self.scheduler.hint_whole.next = self.bar0.hint_whole.val();
        self.bar0.hint_ready.next = self.scheduler.hint_ready.val();
        self.bar0.hint_take.next = self.scheduler.hint_take.val();
        self.bar0.take_target.next = self.scheduler.fetch_target.val();
        self.bar0.take_id.next = self.scheduler.fetch_id.val();
        self.bar0.take_word.next = self.scheduler.fetch_word.val();
        self.fetch.hint_valid.next = self.bar0.fill_valid.val();
        self.bar0.fill_ready.next = self.fetch.hint_ready.val();
        self.fetch.hint_last.next = self.bar0.fill_last.val();
        self.fetch.hint_target.next = self.bar0.fill_target.val();
        self.fetch.hint_id.next = self.bar0.fill_id.val();
        self.fetch.hint_word.next = self.bar0.fill_word.val();
        self.fetch.hint_data.next = self.bar0.fill_data.val();

        // Completions. Answers to reads that a soft reset gave up are nobody's.
        self.lost_tags.cpl_valid.next = self.cpl_valid.val();
        self.lost_tags.cpl_eop.next = self.cpl_eop.val();
        self.lost_tags.cpl_tag.next = self.cpl_tag.val();
        self.lost_tags.cpl_final.next = self.transmit.cpl_final.val();
        self.cpl_ours.next = self.lost_tags.ours.val();

        // Fetches and where their words go.
        self.fetches.c2h_valid.next = self.c2h_table.fetch_valid.val();
        self.fetches.c2h_addr.next = self.c2h_table.fetch_addr.val();
        self.fetches.c2h_bytes.next = self.c2h_table.fetch_bytes.val();
        self.fetches.c2h_kind.next = self.c2h_table.fetch_kind.val();
        self.fetches.c2h_id.next = self.c2h_table.fetch_id.val();
        self.fetches.c2h_word.next = self.c2h_table.fetch_word.val();
        self.c2h_table.fetch_ready.next = self.fetches.c2h_ready.val();
        self.fetches.h2c_valid.next = self.h2c_table.fetch_valid.val();
        self.fetches.h2c_addr.next = self.h2c_table.fetch_addr.val();
        self.fetches.h2c_bytes.next = self.h2c_table.fetch_bytes.val();
        self.fetches.h2c_kind.next = self.h2c_table.fetch_kind.val();
        self.fetches.h2c_id.next = self.h2c_table.fetch_id.val();
        self.fetches.h2c_word.next = self.h2c_table.fetch_word.val();
        self.h2c_table.fetch_ready.next = self.fetches.h2c_ready.val();
        self.fetches.entry_valid.next = self.scheduler.fetch_valid.val();
        self.fetches.entry_addr.next = self.scheduler.fetch_addr.val();
        self.fetches.entry_target.next = self.scheduler.fetch_target.val();
        self.fetches.entry_id.next = self.scheduler.fetch_id.val();
        self.fetches.entry_word.next = self.scheduler.fetch_word.val();
        self.scheduler.fetch_ready.next = self.fetches.entry_ready.val();
        self.fetch.req_valid.next = self.fetches.req_valid.val();
        self.fetch.req_addr.next = self.fetches.req_addr.val();
        self.fetch.req_bytes.next = self.fetches.req_bytes.val();
        self.fetch.req_target.next = self.fetches.req_target.val();
        self.fetch.req_kind.next = self.fetches.req_kind.val();
        self.fetch.req_id.next = self.fetches.req_id.val();
        self.fetch.req_word.next = self.fetches.req_word.val();
        self.fetches.req_ready.next = self.fetch.req_ready.val();
        self.words.cpl_valid.next = self.cpl_ours.val();
        self.words.cpl_sop.next = self.cpl_sop.val();
        self.words.cpl_eop.next = self.cpl_eop.val();
        self.words.cpl_data.next = self.cpl_data.val();
        self.words.cpl_tag.next = self.cpl_tag.val();
        self.words.cpl_len.next = self.cpl_len.val();
        self.words.cpl_byte_count.next = self.cpl_byte_count.val();
        self.words.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.words.cpl_status.next = self.cpl_status.val();
        self.words.cpl_poisoned.next = self.cpl_poisoned.val();
        self.fetch.cpl_valid.next = self.words.word_valid.val();
        self.fetch.cpl_sop.next = self.words.word_sop.val();
        self.fetch.cpl_eop.next = self.words.word_eop.val();
        self.fetch.cpl_data.next = self.words.word_data.val();
        self.fetch.cpl_tag.next = self.words.word_tag.val();
        self.fetch.cpl_len.next = self.words.word_len.val();
        self.fetch.cpl_byte_count.next = self.words.word_byte_count.val();
        self.fetch.cpl_lower_addr.next = self.words.word_lower_addr.val();
        self.fetch.cpl_status.next = self.words.word_status.val();
        self.fetch.cpl_poisoned.next = self.words.word_poisoned.val();
        self.table_fill.next = self.fetch.fill_write.val() & !self.fetch.fill_kind.val().get_bit(1);
        self.block_fill.next = self.fetch.fill_write.val() & self.fetch.fill_kind.val().get_bit(1);
        self.admin.fill_write.next =
            self.fetch.fill_write.val() & (self.fetch.fill_target.val() == 2);
        self.admin.fill_word.next = bit_cast::<2, WORD_BITS>(self.fetch.fill_word.val());
        self.admin.fill_data.next = self.fetch.fill_data.val();
        self.admin.done_valid.next =
            self.fetch.done_valid.val() & (self.fetch.done_target.val() == 2);
        self.admin.done_status.next = self.fetch.done_status.val();
        self.c2h_table.fill_write.next =
            self.table_fill.val() & (self.fetch.fill_target.val() == 0);
        self.c2h_table.fill_address.next = bit_cast::<7, WORD_BITS>(self.fetch.fill_word.val());
        self.c2h_table.fill_data.next = self.fetch.fill_data.val();
        self.c2h_table.done_valid.next =
            self.fetch.done_valid.val() & (self.fetch.done_target.val() == 0);
        self.c2h_table.done_kind.next = self.fetch.done_kind.val();
        self.c2h_table.done_id.next = self.fetch.done_id.val();
        self.c2h_table.done_status.next = self.fetch.done_status.val();
        self.c2h.fill_write.next = self.block_fill.val() & (self.fetch.fill_target.val() == 0);
        self.c2h.fill_word.next = self.fetch.fill_word.val();
        self.c2h.fill_data.next = self.fetch.fill_data.val();
        self.h2c_table.fill_write.next =
            self.table_fill.val() & (self.fetch.fill_target.val() == 1);
        self.h2c_table.fill_address.next = bit_cast::<7, WORD_BITS>(self.fetch.fill_word.val());
        self.h2c_table.fill_data.next = self.fetch.fill_data.val();
        self.h2c_table.done_valid.next =
            self.fetch.done_valid.val() & (self.fetch.done_target.val() == 1);
        self.h2c_table.done_kind.next = self.fetch.done_kind.val();
        self.h2c_table.done_id.next = self.fetch.done_id.val();
        self.h2c_table.done_status.next = self.fetch.done_status.val();
        self.h2c.fill_write.next = self.block_fill.val() & (self.fetch.fill_target.val() == 1);
        self.h2c.fill_word.next = self.fetch.fill_word.val();
        self.h2c.fill_data.next = self.fetch.fill_data.val();

        // Contexts and data paths.
        self.c2h_table.region_table.next = self.bar0.region_table.val();
        self.c2h_table.region_count.next = self.bar0.region_count.val();
        self.c2h_table.engine_ready.next = self.c2h.ready.val();
        self.c2h.job_valid.next = self.c2h_table.job_valid.val();
        self.c2h.job_ctx.next = self.c2h_table.job_ctx.val();
        self.c2h.job_position.next = self.c2h_table.job_position.val();
        self.c2h.job_length.next = self.c2h_table.job_length.val();
        self.c2h.job_element.next = self.c2h_table.job_element.val();
        self.c2h.job_last_element.next = self.c2h_table.job_last_element.val();
        self.c2h.job_uniform.next = self.c2h_table.job_uniform.val();
        self.c2h.job_shift.next = self.c2h_table.job_shift.val();
        self.c2h.job_status.next = self.c2h_table.job_status.val();
        self.c2h.job_tdest.next = self.c2h_table.job_tdest.val();
        self.c2h_table.job_ready.next = self.c2h.job_ready.val();
        self.c2h_table.window.next = self.c2h.window.val();
        self.c2h.window_valid.next = self.c2h_table.window_valid.val();
        self.c2h.window_slot.next = self.c2h_table.window_slot.val();
        self.c2h.window_status.next = self.c2h_table.window_status.val();
        self.c2h.aborts.next = self.c2h_table.aborts.val();
        self.c2h_table.consumed_valid.next = self.c2h.consumed_valid.val();
        self.c2h_table.consumed_block.next = self.c2h.consumed_block.val();
        self.c2h_table.consumed_ctx.next = self.c2h.consumed_ctx.val();
        self.c2h.consumed_ready.next = self.c2h_table.consumed_ready.val();
        self.c2h_table.retire_valid.next = self.c2h.retire_valid.val();
        self.c2h_table.retire_ctx.next = self.c2h.retire_ctx.val();
        self.c2h_table.retire_status.next = self.c2h.retire_status.val();
        self.c2h_table.retire_bytes.next = self.c2h.retire_bytes.val();
        self.c2h.retire_ready.next = self.c2h_table.retire_ready.val();
        self.h2c_table.region_table.next = self.bar0.region_table.val();
        self.h2c_table.region_count.next = self.bar0.region_count.val();
        self.h2c_table.engine_ready.next = self.h2c.ready.val();
        self.h2c.job_valid.next = self.h2c_table.job_valid.val();
        self.h2c.job_ctx.next = self.h2c_table.job_ctx.val();
        self.h2c.job_position.next = self.h2c_table.job_position.val();
        self.h2c.job_length.next = self.h2c_table.job_length.val();
        self.h2c.job_element.next = self.h2c_table.job_element.val();
        self.h2c.job_last_element.next = self.h2c_table.job_last_element.val();
        self.h2c.job_uniform.next = self.h2c_table.job_uniform.val();
        self.h2c.job_shift.next = self.h2c_table.job_shift.val();
        self.h2c.job_status.next = self.h2c_table.job_status.val();
        self.h2c.job_tdest.next = self.h2c_table.job_tdest.val();
        self.h2c_table.job_ready.next = self.h2c.job_ready.val();
        self.h2c_table.window.next = self.h2c.window.val();
        self.h2c.window_valid.next = self.h2c_table.window_valid.val();
        self.h2c.window_slot.next = self.h2c_table.window_slot.val();
        self.h2c.window_status.next = self.h2c_table.window_status.val();
        self.h2c.aborts.next = self.h2c_table.aborts.val();
        self.h2c_table.consumed_valid.next = self.h2c.consumed_valid.val();
        self.h2c_table.consumed_block.next = self.h2c.consumed_block.val();
        self.h2c_table.consumed_ctx.next = self.h2c.consumed_ctx.val();
        self.h2c.consumed_ready.next = self.h2c_table.consumed_ready.val();
        self.h2c_table.retire_valid.next = self.h2c.retire_valid.val();
        self.h2c_table.retire_ctx.next = self.h2c.retire_ctx.val();
        self.h2c_table.retire_status.next = self.h2c.retire_status.val();
        self.h2c_table.retire_bytes.next = self.h2c.retire_bytes.val();
        self.h2c.retire_ready.next = self.h2c_table.retire_ready.val();
        self.c2h_table.retire_eop.next = self.c2h.retire_eop.val();
        self.c2h_table.match_stream.next = true;
        self.c2h_table.stream_valid.next = self.s_axis_c2h_tvalid.val();
        self.c2h_table.stream_tdest.next = self.s_axis_c2h_tdest.val();
        self.c2h_table.quiet_valid.next = false;
        self.c2h_table.quiet_ctx.next = 0.into();
        self.h2c_table.retire_eop.next = false;
        self.h2c_table.match_stream.next = false;
        self.h2c_table.stream_valid.next = false;
        self.h2c_table.stream_tdest.next = 0.into();
        self.h2c_table.quiet_valid.next = self.h2c.quiet_valid.val();
        self.h2c_table.quiet_ctx.next = self.h2c.quiet_ctx.val();
        self.c2h.s_tvalid.next = self.s_axis_c2h_tvalid.val();
        self.s_axis_c2h_tready.next = self.c2h.s_tready.val();
        self.c2h.s_tdata.next = self.s_axis_c2h_tdata.val();
        self.c2h.s_tkeep.next = self.s_axis_c2h_tkeep.val();
        self.c2h.s_tlast.next = self.s_axis_c2h_tlast.val();
        self.h2c.cpl_valid.next = self.cpl_ours.val();
        self.h2c.cpl_sop.next = self.cpl_sop.val();
        self.h2c.cpl_eop.next = self.cpl_eop.val();
        self.h2c.cpl_data.next = self.cpl_data.val();
        self.h2c.cpl_tag.next = self.cpl_tag.val();
        self.h2c.cpl_len.next = self.cpl_len.val();
        self.h2c.cpl_byte_count.next = self.cpl_byte_count.val();
        self.h2c.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.h2c.cpl_status.next = self.cpl_status.val();
        self.h2c.cpl_poisoned.next = self.cpl_poisoned.val();
        self.m_axis_h2c_tvalid.next = self.h2c.m_tvalid.val();
        self.m_axis_h2c_tdata.next = self.h2c.m_tdata.val();
        self.m_axis_h2c_tkeep.next = self.h2c.m_tkeep.val();
        self.m_axis_h2c_tlast.next = self.h2c.m_tlast.val();
        self.m_axis_h2c_tdest.next = self.h2c.m_tdest.val();
        self.m_axis_h2c_tuser.next = self.h2c.m_tuser.val();
        self.h2c.m_tready.next = self.m_axis_h2c_tready.val();

        // Completions and interrupts.
        self.records.c2h_valid.next = self.c2h_table.rec_valid.val();
        self.c2h_table.rec_ready.next = self.records.c2h_ready.val();
        self.records.h2c_valid.next = self.h2c_table.rec_valid.val();
        self.h2c_table.rec_ready.next = self.records.h2c_ready.val();
        self.records.admin_valid.next = self.admin.rec_valid.val();
        self.admin.rec_ready.next = self.records.admin_ready.val();
        self.records.rec_ready.next = self.completion.rec_ready.val();
        self.completion.rec_valid.next = self.records.rec_valid.val();
        self.from_h2c.next = self.records.from_h2c.val();
        self.from_admin.next = self.records.from_admin.val();
        self.bar0.error_direction.next = self.from_h2c.val();
        self.bar0.error_address.next = self.c2h_table.rec_offset.val();
        self.completion.rec_queue.next = self.c2h_table.rec_queue.val();
        self.completion.rec_index.next = self.c2h_table.rec_index.val();
        self.completion.rec_cookie.next = self.c2h_table.rec_cookie.val();
        self.completion.rec_user.next = self.c2h_table.rec_user.val();
        self.completion.rec_status.next = self.c2h_table.rec_status.val();
        self.completion.rec_bytes.next = self.c2h_table.rec_bytes.val();
        self.completion.rec_eop.next = self.c2h_table.rec_eop.val();
        if self.from_h2c.val() {
            self.bar0.error_address.next = self.h2c_table.rec_offset.val();
            self.completion.rec_queue.next = self.h2c_table.rec_queue.val();
            self.completion.rec_index.next = self.h2c_table.rec_index.val();
            self.completion.rec_cookie.next = self.h2c_table.rec_cookie.val();
            self.completion.rec_user.next = self.h2c_table.rec_user.val();
            self.completion.rec_status.next = self.h2c_table.rec_status.val();
            self.completion.rec_bytes.next = self.h2c_table.rec_bytes.val();
            self.completion.rec_eop.next = self.h2c_table.rec_eop.val();
        }
        if self.from_admin.val() {
            self.bar0.error_address.next = 0.into();
            self.completion.rec_index.next = self.admin.rec_index.val();
            self.completion.rec_cookie.next = self.admin.rec_cookie.val();
            self.completion.rec_status.next = self.admin.rec_status.val();
            self.completion.rec_queue.next = 0.into();
            self.completion.rec_user.next = 0.into();
            self.completion.rec_bytes.next = 0.into();
            self.completion.rec_eop.next = false;
        }
        self.accepted.next = self.records.rec_valid.val() & self.completion.rec_ready.val();
        self.failed.next = self.accepted.val() & self.completion.rec_status.val().any();
        self.bar0.error_valid.next = self.failed.val() | self.watchdog.note.val();
        self.bar0.error_status.next = bit_cast::<16, 8>(self.completion.rec_status.val());
        self.bar0.error_queue.next = self.completion.rec_queue.val();
        self.watchdog.noted.next = !self.failed.val();
        if !self.failed.val() {
            self.bar0.error_status.next = self.firmware_restarted.val();
            self.bar0.error_queue.next = 0.into();
            self.bar0.error_direction.next = false;
            self.bar0.error_address.next = 0.into();
        }
        self.completion.timestamp.next = self.bar0.timestamp.val();
        self.bar0.irq_valid.next = self.completion.irq_valid.val();
        self.bar0.irq_vector.next = self.completion.irq_vector.val();
        self.completion.irq_ready.next = self.bar0.irq_ready.val();

        // The posted path and the link.
        self.posted.data_valid.next = self.c2h.tlp_valid.val();
        self.posted.data_sop.next = self.c2h.tlp_sop.val();
        self.posted.data_eop.next = self.c2h.tlp_eop.val();
        self.posted.data_data.next = self.c2h.tlp_data.val();
        self.posted.data_addr.next = self.c2h.tlp_addr.val();
        self.posted.data_len.next = self.c2h.tlp_len.val();
        self.posted.data_first_be.next = self.c2h.tlp_first_be.val();
        self.posted.data_last_be.next = self.c2h.tlp_last_be.val();
        self.c2h.tlp_ready.next = self.posted.data_ready.val();
        self.posted.entry_valid.next = self.completion.entry_valid.val();
        self.posted.entry_addr.next = self.completion.entry_addr.val();
        self.posted.entry_low.next = self.completion.entry_low.val();
        self.posted.entry_high.next = self.completion.entry_high.val();
        self.completion.entry_ready.next = self.posted.entry_ready.val();
        self.posted.msg_valid.next = self.bar0.msg_valid.val();
        self.posted.msg_addr.next = self.bar0.msg_addr.val();
        self.posted.msg_data.next = self.bar0.msg_data.val();
        self.bar0.msg_ready.next = self.posted.msg_ready.val();
        self.posted.cpl_valid.next = self.bar0.cpl_valid.val();
        self.posted.cpl_status.next = self.bar0.cpl_status.val();
        self.posted.cpl_tag.next = self.bar0.cpl_tag.val();
        self.posted.cpl_id.next = self.bar0.cpl_id.val();
        self.posted.cpl_byte_count.next = self.bar0.cpl_byte_count.val();
        self.posted.cpl_lower_addr.next = self.bar0.cpl_lower_addr.val();
        self.posted.cpl_len.next = self.bar0.cpl_len.val();
        self.posted.cpl_data.next = self.bar0.cpl_data.val();
        self.bar0.cpl_ready.next = self.posted.cpl_ready.val();
        self.transmit.posted_valid.next = self.posted.out_valid.val();
        self.transmit.posted_sop.next = self.posted.out_sop.val();
        self.transmit.posted_eop.next = self.posted.out_eop.val();
        self.transmit.posted_data.next = self.posted.out_data.val();
        self.transmit.posted_kind.next = self.posted.out_kind.val();
        self.transmit.posted_addr.next = self.posted.out_addr.val();
        self.transmit.posted_len.next = self.posted.out_len.val();
        self.transmit.posted_first_be.next = self.posted.out_first_be.val();
        self.transmit.posted_last_be.next = self.posted.out_last_be.val();
        self.posted.out_ready.next = self.transmit.posted_ready.val();
        self.transmit.fetch_valid.next = self.fetch.rd_valid.val();
        self.transmit.fetch_addr.next = self.fetch.rd_addr.val();
        self.transmit.fetch_bytes.next = self.fetch.rd_bytes.val();
        self.transmit.fetch_tag.next = self.fetch.rd_tag.val();
        self.fetch.rd_ready.next = self.transmit.fetch_ready.val();
        self.transmit.read_valid.next = self.h2c.rd_valid.val();
        self.transmit.read_addr.next = self.h2c.rd_addr.val();
        self.transmit.read_len.next = self.h2c.rd_len.val();
        self.transmit.read_first_be.next = self.h2c.rd_first_be.val();
        self.transmit.read_last_be.next = self.h2c.rd_last_be.val();
        self.transmit.read_tag.next = self.h2c.rd_tag.val();
        self.h2c.rd_ready.next = self.transmit.read_ready.val();
        self.transmit.bus_master.next = self.cfg_bus_master.val() & !self.soft_reset.hold.val();
        self.posted.may_write.next = self.transmit.may_write.val();
        self.transmit.rcb.next = self.cfg_rcb.val();
        self.transmit.cpl_headers.next = self.cfg_cpl_headers.val();
        self.transmit.cpl_data.next = self.cfg_cpl_data.val();
        self.transmit.cpl_sop.next = self.cpl_ours.val() & self.cpl_sop.val();
        self.transmit.cpl_tag.next = self.cpl_tag.val();
        self.transmit.cpl_len.next = self.cpl_len.val();
        self.transmit.cpl_byte_count.next = self.cpl_byte_count.val();
        self.transmit.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.transmit.cpl_status.next = self.cpl_status.val();
        self.tx_valid.next = self.transmit.tx_valid.val();
        self.tx_sop.next = self.transmit.tx_sop.val();
        self.tx_eop.next = self.transmit.tx_eop.val();
        self.tx_data.next = self.transmit.tx_data.val();
        self.tx_kind.next = self.transmit.tx_kind.val();
        self.tx_addr.next = self.transmit.tx_addr.val();
        self.tx_len.next = self.transmit.tx_len.val();
        self.tx_first_be.next = self.transmit.tx_first_be.val();
        self.tx_last_be.next = self.transmit.tx_last_be.val();
        self.tx_tag.next = self.transmit.tx_tag.val();
        self.h2c.sent_valid.next = (self.transmit.tx_valid.val() & self.tx_ready.val())
            & (self.transmit.tx_kind.val() == 1);
        self.h2c.sent_tag.next = self.transmit.tx_tag.val();
        self.transmit.tx_ready.next = self.tx_ready.val();
        // Completions of register reads carry what the request's requester needs.
        self.tx_id.next = 0.into();
        self.tx_byte_count.next = 0.into();
        self.tx_status.next = 0.into();
        if self.transmit.tx_kind.val().get_bit(1) {
            self.tx_tag.next = self.bar0.cpl_tag.val();
            self.tx_id.next = self.bar0.cpl_id.val();
            self.tx_byte_count.next = self.bar0.cpl_byte_count.val();
            self.tx_status.next = self.bar0.cpl_status.val();
        }

        // Counters.
        self.drained.keep.next = self.h2c.m_tkeep.val();
        self.bar0.h2c_bytes_inc.next = 0.into();
        if self.h2c.m_tvalid.val() & self.m_axis_h2c_tready.val() {
            self.bar0.h2c_bytes_inc.next = bit_cast::<13, L1>(self.drained.count.val());
        }
        self.bar0.c2h_bytes_inc.next = bit_cast::<13, 10>(self.c2h.sent_bytes.val());
        self.bar0.c2h_done.next = self.records.c2h_ready.val() & self.records.c2h_valid.val();
        self.bar0.h2c_done.next = self.records.h2c_ready.val() & self.records.h2c_valid.val();
        self.bar0.c2h_list_wait.next =
            self.c2h.list_wait.val() | (self.c2h_table.list_wait.val() & self.c2h.ready.val());
        self.bar0.h2c_list_wait.next =
            self.h2c.list_wait.val() | (self.h2c_table.list_wait.val() & self.h2c.ready.val());
        self.idle.reset.next = self.reset.val();
        self.idle.link_free.next = (self.tx_ready.val() & !self.transmit.tx_valid.val())
            & (self.cfg_bus_master.val() & !self.soft_reset.hold.val());
        self.idle.c2h_work.next = self.c2h.running.val() | self.c2h_table.in_turn.val();
        self.idle.c2h_refuses.next = self.s_axis_c2h_tvalid.val() & !self.c2h.s_tready.val();
        self.idle.c2h_holds.next = self.c2h.holds.val();
        self.idle.c2h_list_wait.next = self.bar0.c2h_list_wait.val();
        self.idle.h2c_work.next = self.h2c.running.val() | self.h2c_table.in_turn.val();
        self.idle.h2c_room.next = self.h2c.slot_free.val() & self.transmit.room.val();
        self.idle.h2c_list_wait.next = self.bar0.h2c_list_wait.val();
        self.bar0.c2h_idle.next = self.idle.c2h_idle.val();
        self.bar0.h2c_idle.next = self.idle.h2c_idle.val();
        self.bar0.completion.next = self.accepted.val();

        // For observers.
        self.entry_taken.next = self.scheduler.c2h_alloc.val() | self.scheduler.h2c_alloc.val();
        self.entry_ctx.next = bit_cast::<5, 4>(self.c2h_table.free_ctx.val());
        if self.scheduler.h2c_alloc.val() {
            self.entry_ctx.next = bit_cast::<5, 4>(self.h2c_table.free_ctx.val()) | bits::<5>(0x10);
        }
        self.mail_in.next = self.core.msg_valid.val() & self.core.msg_ready.val();
        self.mail_out.next = self.core.cmd_valid.val() & self.core.cmd_ready.val();
        self.mail_out_head.next = self.core.cmd_data.val().get_bits::<16>(0);
        self.list_asked.next = (self.fetch.req_valid.val() & self.fetch.req_ready.val())
            & self.fetches.req_kind.val().get_bit(1);
        // Windows 2 n and 2 n + 1 are those of context n.
        self.list_asked_ctx.next = bit_cast::<5, 4>(self.fetches.req_id.val().get_bits::<4>(1));
        if self.fetches.req_target.val() == 1 {
            self.list_asked_ctx.next =
                bit_cast::<5, 4>(self.fetches.req_id.val().get_bits::<4>(1)) | bits::<5>(0x10);
        }
        self.list_here_ctx.next = bit_cast::<5, 4>(self.fetch.done_id.val().get_bits::<4>(1));
        if self.fetch.done_target.val() == 1 {
            self.list_here_ctx.next =
                bit_cast::<5, 4>(self.fetch.done_id.val().get_bits::<4>(1)) | bits::<5>(0x10);
        }
        if self.router.fw_valid.val() {
            self.alive.d.next = true;
        }
        if self.restart.val() {
            self.alive.d.next = false;
        }
        self.busy.next = (self.c2h_table.busy.val() | self.h2c_table.busy.val())
            | ((!self.admin.free.val() | self.scheduler.waiting_entries.val())
                | (!self.alive.q.val() | self.bar0.soft_reset.val()));
        self.list_here.next = self.fetch.done_valid.val() & self.fetch.done_kind.val().get_bit(1);
    }
}

/// Frequency of the engine's clock that the driver is told, in Hz.
pub const CLOCK_HZ: u64 = 250_000_000;

/// Frequency of the soft core's clock that the firmware is told, in Hz.
pub const CORE_HZ: usize = 125_000_000;

/// Cycles for which the tags of reads that a soft reset gave up stay out of use if no answer comes: 64 s, the longest
/// Completion Timeout that a function can be set to (PCIe Base Spec 5.0, 7.5.3.16).
const TAG_PATIENCE: u64 = 64 * CLOCK_HZ;

/// Cycles without a heartbeat of the firmware after which the core is restarted.
const WATCHDOG_CYCLES: u64 = CLOCK_HZ / 1_000_000 * WATCHDOG_US as u64;

/// Bus widths in bits that the device can have.
pub const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// How much a device has beside its bus width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Config {
    /// All that the protocol allows ([`Full`]).
    #[default]
    Full,
    /// [`Small`], with 32 read slots; 64 bits only.
    Small,
}

impl Config {
    /// Its name in commands and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Small => "small",
        }
    }

    /// Bus widths in bits that a device of this size can have.
    pub fn widths(self) -> &'static [usize] {
        match self {
            Self::Full => &WIDTHS,
            Self::Small => &[64],
        }
    }
}

impl FromStr for Config {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Full, Self::Small]
            .into_iter()
            .find(|config| config.name() == name)
            .ok_or_else(|| format!("no configuration `{name}`: there are full and small"))
    }
}

/// The Verilog of the device with a bus of `width` bits, module `top`, with the processor (the text of VexRiscv_Lite.v)
/// behind it.
///
/// # Errors
/// See [`EmitError`].
// Not generic, so that the gateware is compiled in this crate alone.
pub fn verilog(config: Config, width: usize, processor: &str) -> Result<String, EmitError> {
    const { assert!(read_slots(64) == 64 && read_tags(64) == 72) };
    const { assert!(read_slots(512) == 128 && read_tags(512) == 136) };
    match (config, width) {
        (Config::Small, 64) => {
            emit_new::<Device<64, 8, 3, 4, CORE_HZ, 32, 5, 6, 40, Small>>(processor)
        }
        (Config::Full, 64) => emit_new::<Device<64, 8, 3, 4, CORE_HZ, 64, 6, 7, 72>>(processor),
        (Config::Full, 128) => emit_new::<Device<128, 16, 4, 5, CORE_HZ, 64, 6, 7, 72>>(processor),
        (Config::Full, 256) => emit_new::<Device<256, 32, 5, 6, CORE_HZ, 64, 6, 7, 72>>(processor),
        (Config::Full, 512) => {
            emit_new::<Device<512, 64, 6, 7, CORE_HZ, 128, 7, 8, 136>>(processor)
        }
        _ => Err(EmitError::Width {
            width,
            widths: config.widths(),
        }),
    }
}
