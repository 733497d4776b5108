//! Takes the firmware's commands apart and brings each to whom it concerns.

use crate::generated::commands::{
    CommandAdminDoneDecode, CommandEnableDecode, CommandFillDecode, CommandHeartbeatDecode, CommandLogDecode,
    CommandQueueDecode,
};
use crate::generated::structures::QueueContextEncode1;
use crate::widgets::Const;
use pinring_protocol::mailbox::CommandKind;
use rust_hdl::prelude::*;

/// Routes commands, and sets the admin queue up from BAR0's registers when the device is enabled.
#[derive(LogicBlock, Default)]
pub struct CommandRouter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// The driver has enabled the device.
    pub enabled: Signal<In, Bit>,
    /// Bus address of the admin submission ring.
    pub admin_sq: Signal<In, Bits<64>>,
    /// Bus address of the admin completion ring.
    pub admin_cq: Signal<In, Bits<64>>,
    /// log2 of its entries.
    pub admin_sq_log2: Signal<In, Bits<4>>,
    /// log2 of its entries.
    pub admin_cq_log2: Signal<In, Bits<4>>,
    /// MSI-X vector.
    pub admin_vector: Signal<In, Bits<4>>,
    /// A command.
    pub cmd_valid: Signal<In, Bit>,
    /// It is taken.
    pub cmd_ready: Signal<Out, Bit>,
    /// The command.
    pub cmd_data: Signal<In, Bits<128>>,
    /// The command, for the C2H contexts.
    pub c2h_valid: Signal<Out, Bit>,
    /// Carried out.
    pub c2h_ready: Signal<In, Bit>,
    /// The command, for the H2C contexts.
    pub h2c_valid: Signal<Out, Bit>,
    /// Carried out.
    pub h2c_ready: Signal<In, Bit>,
    /// A 64-bit word of a queue context.
    pub cfg_write: Signal<Out, Bit>,
    /// Queue.
    pub cfg_queue: Signal<Out, Bits<4>>,
    /// Word, 0..=5.
    pub cfg_word: Signal<Out, Bits<3>>,
    /// Data.
    pub cfg_data: Signal<Out, Bits<64>>,
    /// Start a queue.
    pub switch_on: Signal<Out, Bit>,
    /// Stop a queue.
    pub switch_off: Signal<Out, Bit>,
    /// Which one.
    pub switch_queue: Signal<Out, Bits<4>>,
    /// Done.
    pub switch_ready: Signal<In, Bit>,
    /// ADMIN_DONE.
    pub answer_valid: Signal<Out, Bit>,
    /// It is taken.
    pub answer_ready: Signal<In, Bit>,
    /// Status.
    pub answer_status: Signal<Out, Bits<8>>,
    /// Cookie.
    pub answer_cookie: Signal<Out, Bits<64>>,
    /// The firmware's heartbeat.
    pub fw_valid: Signal<Out, Bit>,
    /// Its state.
    pub fw_state: Signal<Out, Bits<32>>,
    /// Detail.
    pub fw_detail: Signal<Out, Bits<32>>,
    /// Bytes of the log.
    pub log_valid: Signal<Out, Bit>,
    /// They are taken.
    pub log_ready: Signal<In, Bit>,
    /// Up to twelve, the first one lowest.
    pub log_data: Signal<Out, Bits<96>>,
    /// How many.
    pub log_count: Signal<Out, Bits<4>>,
    /// A command of a kind that does not exist: dropped.
    pub unknown: Signal<Out, Bit>,

    state: DFF<RouterState>,
    c2h_done: DFF<Bit>,
    h2c_done: DFF<Bit>,
    fill: CommandFillDecode,
    queue: CommandQueueDecode,
    enable: CommandEnableDecode,
    admin: CommandAdminDoneDecode,
    heartbeat: CommandHeartbeatDecode,
    log: CommandLogDecode,
    shape: QueueContextEncode1,
    shape_word: Signal<Local, Bits<128>>,
    kind: Signal<Local, Bits<8>>,
    both: Signal<Local, Bit>,
    one_context: Signal<Local, Bit>,
    kind_fill: Const<8, { CommandKind::Fill as u64 }>,
    kind_reject: Const<8, { CommandKind::Reject as u64 }>,
    kind_prefetch: Const<8, { CommandKind::Prefetch as u64 }>,
    kind_queue: Const<8, { CommandKind::Queue as u64 }>,
    kind_enable: Const<8, { CommandKind::Enable as u64 }>,
    kind_disable: Const<8, { CommandKind::Disable as u64 }>,
    kind_abort_region: Const<8, { CommandKind::AbortRegion as u64 }>,
    kind_abort_queue: Const<8, { CommandKind::AbortQueue as u64 }>,
    kind_admin_done: Const<8, { CommandKind::AdminDone as u64 }>,
    kind_heartbeat: Const<8, { CommandKind::Heartbeat as u64 }>,
    kind_log: Const<8, { CommandKind::Log as u64 }>,
}

/// What the router does.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum RouterState {
    /// The device is disabled; commands pass all the same.
    Disabled,
    /// Word 0 of the admin queue's context: the submission ring.
    AdminSubmission,
    /// Word 1: the completion ring.
    AdminCompletion,
    /// Word 2: the shape.
    AdminShape,
    /// Starting the admin queue.
    AdminStart,
    /// Enabled: routing.
    Enabled,
}

impl Logic for CommandRouter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, c2h_done, h2c_done);
        self.fill.raw.next = self.cmd_data.val();
        self.queue.raw.next = self.cmd_data.val();
        self.enable.raw.next = self.cmd_data.val();
        self.admin.raw.next = self.cmd_data.val();
        self.heartbeat.raw.next = self.cmd_data.val();
        self.log.raw.next = self.cmd_data.val();
        self.kind.next = self.fill.kind.val();

        self.cmd_ready.next = false;
        self.c2h_valid.next = false;
        self.h2c_valid.next = false;
        self.cfg_write.next = false;
        self.cfg_queue.next = bit_cast::<4, 8>(self.queue.queue_id.val());
        self.cfg_word.next = bit_cast::<3, 16>(self.queue.word.val());
        self.cfg_data.next =
            bit_cast::<64, 32>(self.queue.low.val()) | (bit_cast::<64, 32>(self.queue.high.val()) << 32);
        self.switch_on.next = false;
        self.switch_off.next = false;
        self.switch_queue.next = bit_cast::<4, 8>(self.enable.queue_id.val());
        self.answer_valid.next = false;
        self.answer_status.next = bit_cast::<8, 16>(self.admin.status.val());
        self.answer_cookie.next = bit_cast::<64, 32>(self.admin.cookie_low.val())
            | (bit_cast::<64, 32>(self.admin.cookie_high.val()) << 32);
        self.fw_valid.next = false;
        self.fw_state.next = self.heartbeat.state.val();
        self.fw_detail.next = self.heartbeat.detail.val();
        self.log_valid.next = false;
        self.log_data.next = bit_cast::<96, 32>(self.log.bytes0.val())
            | (bit_cast::<96, 32>(self.log.bytes1.val()) << 32)
            | (bit_cast::<96, 32>(self.log.bytes2.val()) << 64);
        self.log_count.next = bit_cast::<4, 16>(self.log.count.val());
        self.unknown.next = false;

        self.shape.sq_entries_log2.next = bit_cast::<8, 4>(self.admin_sq_log2.val());
        self.shape.cq_entries_log2.next = bit_cast::<8, 4>(self.admin_cq_log2.val());
        self.shape.direction.next = 0.into();
        self.shape.vector.next = bit_cast::<16, 4>(self.admin_vector.val());
        self.shape.protection_domain.next = 0.into();
        self.shape.tdest_first.next = 0.into();
        self.shape.tdest_last.next = 0.into();
        self.shape_word.next = self.shape.raw.val();

        self.one_context.next = (self.kind.val() == self.kind_fill.val())
            | ((self.kind.val() == self.kind_reject.val()) | (self.kind.val() == self.kind_prefetch.val()));
        self.both.next =
            (self.kind.val() == self.kind_abort_region.val()) | (self.kind.val() == self.kind_abort_queue.val());
        match self.state.q.val() {
            RouterState::AdminSubmission => {
                self.cfg_write.next = true;
                self.cfg_queue.next = 0.into();
                self.cfg_word.next = 0.into();
                self.cfg_data.next = self.admin_sq.val();
                self.state.d.next = RouterState::AdminCompletion;
            }
            RouterState::AdminCompletion => {
                self.cfg_write.next = true;
                self.cfg_queue.next = 0.into();
                self.cfg_word.next = 1.into();
                self.cfg_data.next = self.admin_cq.val();
                self.state.d.next = RouterState::AdminShape;
            }
            RouterState::AdminShape => {
                self.cfg_write.next = true;
                self.cfg_queue.next = 0.into();
                self.cfg_word.next = 2.into();
                self.cfg_data.next = self.shape_word.val().get_bits::<64>(0);
                self.state.d.next = RouterState::AdminStart;
            }
            RouterState::AdminStart => {
                self.switch_queue.next = 0.into();
                self.switch_on.next = true;
                if self.switch_ready.val() {
                    self.state.d.next = RouterState::Enabled;
                }
            }
            _ => {
                if self.state.q.val() == RouterState::Disabled {
                    if self.enabled.val() {
                        self.state.d.next = RouterState::AdminSubmission;
                    }
                }
                if self.cmd_valid.val() {
                    if self.one_context.val() {
                        if self.fill.ctx.val().get_bit(4) {
                            self.h2c_valid.next = true;
                            self.cmd_ready.next = self.h2c_ready.val();
                        } else {
                            self.c2h_valid.next = true;
                            self.cmd_ready.next = self.c2h_ready.val();
                        }
                    } else if self.both.val() {
                        self.c2h_valid.next = !self.c2h_done.q.val();
                        self.h2c_valid.next = !self.h2c_done.q.val();
                        if self.c2h_ready.val() {
                            self.c2h_done.d.next = true;
                        }
                        if self.h2c_ready.val() {
                            self.h2c_done.d.next = true;
                        }
                        if self.c2h_done.q.val() & self.h2c_done.q.val() {
                            self.cmd_ready.next = true;
                            self.c2h_done.d.next = false;
                            self.h2c_done.d.next = false;
                        }
                    } else if self.kind.val() == self.kind_queue.val() {
                        self.cfg_write.next = true;
                        self.cmd_ready.next = true;
                    } else if self.kind.val() == self.kind_enable.val() {
                        self.switch_on.next = true;
                        self.cmd_ready.next = self.switch_ready.val();
                    } else if self.kind.val() == self.kind_disable.val() {
                        self.switch_off.next = true;
                        self.cmd_ready.next = self.switch_ready.val();
                    } else if self.kind.val() == self.kind_admin_done.val() {
                        self.answer_valid.next = true;
                        self.cmd_ready.next = self.answer_ready.val();
                    } else if self.kind.val() == self.kind_heartbeat.val() {
                        self.fw_valid.next = true;
                        self.cmd_ready.next = true;
                    } else if self.kind.val() == self.kind_log.val() {
                        self.log_valid.next = true;
                        self.cmd_ready.next = self.log_ready.val();
                    } else {
                        self.unknown.next = true;
                        self.cmd_ready.next = true;
                    }
                }
            }
        }
        if !self.enabled.val() {
            self.state.d.next = RouterState::Disabled;
        }
        if self.reset.val() {
            self.state.d.next = RouterState::Disabled;
            self.c2h_done.d.next = false;
            self.h2c_done.d.next = false;
        }
    }
}
