//! The data paths, the fetch unit and the link's transmit side, joined as in [`Device`](crate::device::Device): for tests of
//! what none of them can show alone.

use crate::c2h::C2hEngine;
use crate::fetch::FetchUnit;
use crate::h2c_channel::H2cChannel;
use crate::idle::IdleCycles;
use crate::lost_tags::LostTags;
use crate::soft_reset::SoftReset;
use crate::testing::{Result, reset, set_all};
use crate::tlp::{PostedMux, TransmitMux};
use crate::widgets::Const;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rust_hdl::prelude::*;

/// Tags of the rig's reads.
pub const TAGS: usize = 72;

/// Cycles for which lost tags rest: longer than any other test takes after a reset.
pub const PATIENCE: u64 = 5000;

/// The bench plays context tables, host and user. Completion entries, messages and register reads there are none.
#[derive(LogicBlock, Default)]
pub struct Rig {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Bus mastering is allowed.
    pub bus_master: Signal<In, Bit>,
    /// The link takes beats.
    pub tx_ready: Signal<In, Bit>,
    /// Cycles that a read may take.
    pub timeout: Signal<In, Bits<32>>,
    /// Completion headers the receiver holds.
    pub cpl_headers: Signal<In, Bits<12>>,
    /// A C2H job is offered.
    pub c2h_job: Signal<In, Bit>,
    /// An H2C job is offered.
    pub h2c_job: Signal<In, Bit>,
    /// A C2H transfer waits for its turn.
    pub c2h_in_turn: Signal<In, Bit>,
    /// An H2C transfer waits for its turn.
    pub h2c_in_turn: Signal<In, Bit>,
    /// Where it begins.
    pub job_position: Signal<In, Bits<64>>,
    /// Its bytes.
    pub job_length: Signal<In, Bits<48>>,
    /// Its list is here.
    pub window_valid: Signal<In, Bit>,
    /// A word of both lists.
    pub fill_write: Signal<In, Bit>,
    /// The word.
    pub fill_data: Signal<In, Bits<128>>,
    /// The C2H stream offers a full beat.
    pub s_tvalid: Signal<In, Bit>,
    /// It ends its packet.
    pub s_tlast: Signal<In, Bit>,
    /// The H2C stream takes beats.
    pub m_tready: Signal<In, Bit>,
    /// A fetch of 64 bytes is asked for.
    pub fetch_valid: Signal<In, Bit>,
    /// The driver asks for a reset.
    pub soft_reset: Signal<In, Bit>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// Its first.
    pub cpl_sop: Signal<In, Bit>,
    /// Its last.
    pub cpl_eop: Signal<In, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// Its DWs.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Its lower address.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// The C2H job is taken.
    pub c2h_job_ready: Signal<Out, Bit>,
    /// The H2C job is taken.
    pub h2c_job_ready: Signal<Out, Bit>,
    /// The beat is taken.
    pub s_tready: Signal<Out, Bit>,
    /// A beat of the H2C stream.
    pub m_tvalid: Signal<Out, Bit>,
    /// The fetch is taken.
    pub fetch_ready: Signal<Out, Bit>,
    /// A C2H transfer ends.
    pub c2h_done: Signal<Out, Bit>,
    /// An H2C transfer ends.
    pub h2c_done: Signal<Out, Bit>,
    /// A beat for the link.
    pub tx_valid: Signal<Out, Bit>,
    /// Its kind.
    pub tx_kind: Signal<Out, Bits<2>>,
    /// Its tag.
    pub tx_tag: Signal<Out, Bits<10>>,
    /// Its address.
    pub tx_addr: Signal<Out, Bits<64>>,
    /// Its DWs.
    pub tx_len: Signal<Out, Bits<11>>,
    /// C2H waits for its list.
    pub c2h_list_wait: Signal<Out, Bit>,
    /// H2C waits for its list.
    pub h2c_list_wait: Signal<Out, Bit>,
    /// C2H was idle.
    pub c2h_idle: Signal<Out, Bit>,
    /// H2C was idle.
    pub h2c_idle: Signal<Out, Bit>,
    /// The soft reset strikes.
    pub restart: Signal<Out, Bit>,
    /// Tags that may be used.
    pub usable: Signal<Out, Bits<TAGS>>,

    c2h: C2hEngine<128, 16, 4, 5>,
    h2c: H2cChannel<128, 16, 4, 64, 6, 7, TAGS>,
    fetch: FetchUnit,
    posted: PostedMux<128, 4>,
    transmit: TransmitMux<128, TAGS, 7>,
    restarter: SoftReset,
    lost_tags: LostTags<TAGS, 7>,
    idle: IdleCycles,
    restarts: Signal<Local, Bit>,
    may_begin: Signal<Local, Bit>,
    cpl_ours: Signal<Local, Bit>,
    patience: Const<34, PATIENCE>,
}

impl Logic for Rig {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self, clock, c2h, h2c, fetch, posted, transmit, restarter, lost_tags, idle
        );
        self.restarts.next = self.restarter.restart.val();
        self.restart.next = self.restarts.val();
        self.lost_tags.reset.next = self.reset.val();
        self.lost_tags.gives_up.next = self.restarter.gives_up.val();
        self.lost_tags.reads_out.next = self.transmit.reads_out.val();
        self.lost_tags.extended.next = true;
        self.lost_tags.patience.next = self.patience.val();
        self.lost_tags.cpl_valid.next = self.cpl_valid.val();
        self.lost_tags.cpl_eop.next = self.cpl_eop.val();
        self.lost_tags.cpl_tag.next = self.cpl_tag.val();
        self.lost_tags.cpl_final.next = self.transmit.cpl_final.val();
        self.cpl_ours.next = self.lost_tags.ours.val();
        self.usable.next = self.lost_tags.usable.val();
        self.h2c.extended.next = true;
        self.h2c.usable.next = self.lost_tags.usable.val();
        self.fetch.usable.next = bit_cast::<8, TAGS>(self.lost_tags.usable.val());
        self.c2h.reset.next = self.restarts.val();
        self.h2c.reset.next = self.restarts.val();
        self.fetch.reset.next = self.restarts.val();
        self.posted.reset.next = self.reset.val();
        self.transmit.reset.next = self.reset.val();
        self.restarter.reset.next = self.reset.val();
        self.idle.reset.next = self.reset.val();
        self.transmit.forget.next = self.restarts.val();
        self.transmit.expected.next = (bit_cast::<TAGS, 64>(self.h2c.expected.val()) << 8)
            | bit_cast::<TAGS, 8>(self.fetch.outstanding.val());
        self.restarter.request.next = self.soft_reset.val();
        self.restarter.settled.next = self.transmit.settled.val();
        self.restarter.reads_out.next = self.transmit.reads_out.val().any();
        self.restarter.cpl_valid.next = self.cpl_valid.val();
        self.restarter.cpl_eop.next = self.cpl_eop.val();
        self.restarter.timeout.next = self.timeout.val();
        self.may_begin.next = self.bus_master.val() & !self.restarter.hold.val();
        self.c2h.max_write.next = 256.into();
        self.h2c.max_read.next = 512.into();
        self.fetch.max_read.next = 512.into();
        self.fetch.timeout.next = self.timeout.val();
        self.h2c.timeout.next = self.timeout.val();
        self.c2h.job_valid.next = self.c2h_job.val();
        self.h2c.job_valid.next = self.h2c_job.val();
        self.c2h_job_ready.next = self.c2h.job_ready.val();
        self.c2h.job_position.next = self.job_position.val();
        self.c2h.job_length.next = self.job_length.val();
        self.c2h.job_ctx.next = 0.into();
        self.c2h.job_element.next = 0.into();
        self.c2h.job_last_element.next = 0.into();
        self.c2h.job_uniform.next = true;
        self.c2h.job_shift.next = 20.into();
        self.c2h.job_status.next = 0.into();
        self.c2h.job_tdest.next = 0.into();
        self.c2h.window_valid.next = self.window_valid.val();
        self.c2h.window_slot.next = 0.into();
        self.c2h.window_status.next = 0.into();
        self.c2h.fill_write.next = self.fill_write.val();
        self.c2h.fill_word.next = 0.into();
        self.c2h.fill_data.next = self.fill_data.val();
        self.c2h.consumed_ready.next = true;
        self.c2h.aborts.next = 0.into();
        self.c2h.retire_ready.next = true;
        self.c2h_done.next = self.c2h.retire_valid.val();
        self.c2h_list_wait.next = self.c2h.list_wait.val();
        self.h2c_job_ready.next = self.h2c.job_ready.val();
        self.h2c.job_position.next = self.job_position.val();
        self.h2c.job_length.next = self.job_length.val();
        self.h2c.job_ctx.next = 0.into();
        self.h2c.job_element.next = 0.into();
        self.h2c.job_last_element.next = 0.into();
        self.h2c.job_uniform.next = true;
        self.h2c.job_shift.next = 20.into();
        self.h2c.job_status.next = 0.into();
        self.h2c.job_tdest.next = 0.into();
        self.h2c.window_valid.next = self.window_valid.val();
        self.h2c.window_slot.next = 0.into();
        self.h2c.window_status.next = 0.into();
        self.h2c.fill_write.next = self.fill_write.val();
        self.h2c.fill_word.next = 0.into();
        self.h2c.fill_data.next = self.fill_data.val();
        self.h2c.consumed_ready.next = true;
        self.h2c.aborts.next = 0.into();
        self.h2c.retire_ready.next = true;
        self.h2c_done.next = self.h2c.retire_valid.val();
        self.h2c_list_wait.next = self.h2c.list_wait.val();
        self.c2h.s_tvalid.next = self.s_tvalid.val();
        self.s_tready.next = self.c2h.s_tready.val();
        self.c2h.s_tdata.next = 0.into();
        self.c2h.s_tkeep.next = 0xffff.into();
        self.c2h.s_tlast.next = self.s_tlast.val();
        self.h2c.m_tready.next = self.m_tready.val();
        self.m_tvalid.next = self.h2c.m_tvalid.val();
        self.h2c.cpl_valid.next = self.cpl_ours.val();
        self.h2c.cpl_sop.next = self.cpl_sop.val();
        self.h2c.cpl_eop.next = self.cpl_eop.val();
        self.h2c.cpl_tag.next = self.cpl_tag.val();
        self.h2c.cpl_len.next = self.cpl_len.val();
        self.h2c.cpl_byte_count.next = self.cpl_byte_count.val();
        self.h2c.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.h2c.cpl_data.next = 0.into();
        self.h2c.cpl_status.next = 0.into();
        self.h2c.cpl_poisoned.next = false;
        self.fetch.cpl_valid.next = self.cpl_ours.val();
        self.fetch.cpl_sop.next = self.cpl_sop.val();
        self.fetch.cpl_eop.next = self.cpl_eop.val();
        self.fetch.cpl_tag.next = self.cpl_tag.val();
        self.fetch.cpl_len.next = self.cpl_len.val();
        self.fetch.cpl_byte_count.next = self.cpl_byte_count.val();
        self.fetch.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.fetch.cpl_data.next = 0.into();
        self.fetch.cpl_status.next = 0.into();
        self.fetch.cpl_poisoned.next = false;
        self.fetch.req_valid.next = self.fetch_valid.val();
        self.fetch_ready.next = self.fetch.req_ready.val();
        self.fetch.req_addr.next = 0x1000.into();
        self.fetch.req_bytes.next = 64.into();
        self.fetch.req_target.next = 0.into();
        self.fetch.req_kind.next = 0.into();
        self.fetch.req_id.next = 0.into();
        self.fetch.req_word.next = 0.into();
        self.fetch.hint_valid.next = false;
        self.fetch.hint_last.next = false;
        self.fetch.hint_target.next = 0.into();
        self.fetch.hint_id.next = 0.into();
        self.fetch.hint_word.next = 0.into();
        self.fetch.hint_data.next = 0.into();
        self.posted.data_valid.next = self.c2h.tlp_valid.val();
        self.posted.data_sop.next = self.c2h.tlp_sop.val();
        self.posted.data_eop.next = self.c2h.tlp_eop.val();
        self.posted.data_data.next = self.c2h.tlp_data.val();
        self.posted.data_addr.next = self.c2h.tlp_addr.val();
        self.posted.data_len.next = self.c2h.tlp_len.val();
        self.posted.data_first_be.next = self.c2h.tlp_first_be.val();
        self.posted.data_last_be.next = self.c2h.tlp_last_be.val();
        self.c2h.tlp_ready.next = self.posted.data_ready.val();
        self.posted.entry_valid.next = false;
        self.posted.entry_addr.next = 0.into();
        self.posted.entry_low.next = 0.into();
        self.posted.entry_high.next = 0.into();
        self.posted.msg_valid.next = false;
        self.posted.msg_addr.next = 0.into();
        self.posted.msg_data.next = 0.into();
        self.posted.cpl_valid.next = false;
        self.posted.cpl_status.next = 0.into();
        self.posted.cpl_tag.next = 0.into();
        self.posted.cpl_id.next = 0.into();
        self.posted.cpl_byte_count.next = 0.into();
        self.posted.cpl_lower_addr.next = 0.into();
        self.posted.cpl_len.next = 0.into();
        self.posted.cpl_data.next = 0.into();
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
        self.posted.may_write.next = self.transmit.may_write.val();
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
        self.transmit.bus_master.next = self.may_begin.val();
        self.transmit.rcb.next = false;
        self.transmit.cpl_headers.next = self.cpl_headers.val();
        self.transmit.cpl_data.next = 4000.into();
        self.transmit.cpl_sop.next = self.cpl_ours.val() & self.cpl_sop.val();
        self.transmit.cpl_tag.next = self.cpl_tag.val();
        self.transmit.cpl_len.next = self.cpl_len.val();
        self.transmit.cpl_byte_count.next = self.cpl_byte_count.val();
        self.transmit.cpl_lower_addr.next = self.cpl_lower_addr.val();
        self.transmit.cpl_status.next = 0.into();
        self.transmit.tx_ready.next = self.tx_ready.val();
        self.tx_valid.next = self.transmit.tx_valid.val();
        self.tx_kind.next = self.transmit.tx_kind.val();
        self.tx_tag.next = self.transmit.tx_tag.val();
        self.tx_addr.next = self.transmit.tx_addr.val();
        self.tx_len.next = self.transmit.tx_len.val();
        self.h2c.sent_valid.next = (self.transmit.tx_valid.val() & self.tx_ready.val())
            & (self.transmit.tx_kind.val() == 1);
        self.h2c.sent_tag.next = self.transmit.tx_tag.val();
        self.idle.link_free.next =
            (self.tx_ready.val() & !self.transmit.tx_valid.val()) & self.may_begin.val();
        self.idle.c2h_work.next = self.c2h.running.val() | self.c2h_in_turn.val();
        self.idle.c2h_refuses.next = self.s_tvalid.val() & !self.c2h.s_tready.val();
        self.idle.c2h_holds.next = self.c2h.holds.val();
        self.idle.c2h_list_wait.next = self.c2h.list_wait.val();
        self.idle.h2c_work.next = self.h2c.running.val() | self.h2c_in_turn.val();
        self.idle.h2c_room.next = self.h2c.slot_free.val() & self.transmit.room.val();
        self.idle.h2c_list_wait.next = self.h2c.list_wait.val();
        self.c2h_idle.next = self.idle.c2h_idle.val();
        self.h2c_idle.next = self.idle.h2c_idle.val();
    }
}

/// The rig with link and streams open, out of reset, with one page of 1 MiB in both lists.
fn rig() -> Result<Pair<Rig>> {
    let mut rig = Pair::new(
        Rig::default(),
        ports!(Rig {
            clock: clock;
            in reset, bus_master, tx_ready, timeout, cpl_headers, c2h_job, h2c_job, c2h_in_turn, h2c_in_turn, job_position, job_length, window_valid, fill_write, fill_data, s_tvalid, s_tlast, m_tready, fetch_valid, soft_reset, cpl_valid, cpl_sop, cpl_eop, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr;
            out c2h_job_ready, h2c_job_ready, s_tready, m_tvalid, fetch_ready, c2h_done, h2c_done, tx_valid, tx_kind, tx_tag, tx_addr, tx_len, c2h_list_wait, h2c_list_wait, c2h_idle, h2c_idle, restart, usable
        }),
    )?;
    reset(&mut rig)?;
    let element = pinring_protocol::SgUniformElement::new()
        .with_valid(true)
        .with_page_frame(0x100)
        .to_words();
    rig.set_wide("fill_data", &[element[0], element[1], 0, 0])?;
    let inputs = [
        "bus_master",
        "tx_ready",
        "window_valid",
        "m_tready",
        "fill_write",
    ];
    set_all(&mut rig, &inputs.map(|input| (input, 1)))?;
    set_all(&mut rig, &[("timeout", 5000), ("cpl_headers", 255)])?;
    rig.step()?;
    rig.set("fill_write", false)?;
    rig.step()?;
    Ok(rig)
}

/// Runs a test with the rig, which is too large for the stack that tests have.
pub fn with_rig(test: fn(&mut Pair<Rig>) -> Result) {
    let run = move || test(&mut rig().expect("a rig")).expect("equal simulations");
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(run);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}
