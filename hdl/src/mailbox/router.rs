//! Takes the firmware's commands apart and brings each to whom it concerns.

use crate::generated::commands::{
    CommandAdminDoneDecode, CommandEnableDecode, CommandFillDecode, CommandHeartbeatDecode,
    CommandLogDecode, CommandQueueDecode,
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
    /// Ticket of the ADMIN that is answered.
    pub answer_ticket: Signal<Out, Bits<8>>,
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
        self.cfg_data.next = bit_cast::<64, 32>(self.queue.low.val())
            | (bit_cast::<64, 32>(self.queue.high.val()) << 32);
        self.switch_on.next = false;
        self.switch_off.next = false;
        self.switch_queue.next = bit_cast::<4, 8>(self.enable.queue_id.val());
        self.answer_valid.next = false;
        self.answer_status.next = bit_cast::<8, 16>(self.admin.status.val());
        self.answer_cookie.next = bit_cast::<64, 32>(self.admin.cookie_low.val())
            | (bit_cast::<64, 32>(self.admin.cookie_high.val()) << 32);
        self.answer_ticket.next = self.admin.ticket.val();
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

        self.one_context.next =
            (self.kind.val() == self.kind_fill.val()) | (self.kind.val() == self.kind_reject.val());
        self.both.next = (self.kind.val() == self.kind_abort_region.val())
            | (self.kind.val() == self.kind_abort_queue.val());
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

#[cfg(test)]
mod tests {
    use super::CommandRouter;
    use crate::testing::{Result, chance, reset, seeded, set_all, set128};
    use pinring_protocol::mailbox::{Command, ContextId};
    use pinring_protocol::{Direction, FirmwareState, QueueContext, Status};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};

    fn bench() -> Result<Pair<CommandRouter>> {
        let mut dut = Pair::new(
            CommandRouter::default(),
            ports!(CommandRouter {
                clock: clock;
                in reset, enabled, admin_sq, admin_cq, admin_sq_log2, admin_cq_log2, admin_vector, cmd_valid, cmd_data, c2h_ready,
                    h2c_ready, switch_ready, answer_ready, log_ready;
                out cmd_ready, c2h_valid, h2c_valid, cfg_write, cfg_queue, cfg_word, cfg_data, switch_on, switch_off,
                    switch_queue, answer_valid, answer_status, answer_cookie, answer_ticket, fw_valid, fw_state, fw_detail, log_valid,
                    log_data, log_count, unknown
            }),
        )?;
        reset(&mut dut)?;
        Ok(dut)
    }

    fn command(random: &mut StdRng, kind: u32) -> Command {
        let direction = if random.random() {
            Direction::C2h
        } else {
            Direction::H2c
        };
        let ctx = ContextId::new(direction, random.random_range(0..16)).expect("a context");
        let (way, queue) = (random.random_range(0..4), random.random_range(0..16));
        let [low, high, more, id]: [u32; 4] = random.random();
        match kind {
            0 => Command::Fill { ctx, way },
            1 => Command::Reject {
                ctx,
                status: Status::Rejected,
            },
            2 => Command::Queue {
                queue,
                word: random.random_range(0..6),
                low,
                high,
            },
            3 => Command::Enable { queue },
            4 => Command::Disable { queue },
            5 => Command::AbortRegion {
                region: low,
                ticket: id as u8,
            },
            6 => Command::AbortQueue {
                queue,
                ticket: id as u8,
            },
            7 => Command::AdminDone {
                status: Status::BadQueue,
                cookie_low: low,
                cookie_high: high,
                ticket: id as u8,
            },
            8 => Command::Heartbeat {
                state: FirmwareState::Running,
                detail: low,
            },
            _ => Command::Log {
                count: random.random_range(1..=12),
                bytes0: low,
                bytes1: high,
                bytes2: more,
            },
        }
    }

    /// Which parties a command is offered to, in the order of `VALIDS`.
    const VALIDS: [&str; 9] = [
        "c2h_valid",
        "h2c_valid",
        "cfg_write",
        "switch_on",
        "switch_off",
        "answer_valid",
        "fw_valid",
        "log_valid",
        "unknown",
    ];

    #[test]
    fn every_kind_finds_its_way() -> Result {
        let mut dut = bench()?;
        let mut random = seeded(1);
        for round in 0..600 {
            let command = command(&mut random, round % 11);
            let mut words = command.encode();
            let mut parties: &[usize] = match command {
                Command::Fill { ctx, .. } | Command::Reject { ctx, .. } => {
                    if ctx.direction() == Direction::C2h {
                        &[0]
                    } else {
                        &[1]
                    }
                }
                Command::AbortRegion { .. } | Command::AbortQueue { .. } => &[0, 1],
                Command::Queue { .. } => &[2],
                Command::Enable { .. } => &[3],
                Command::Disable { .. } => &[4],
                Command::AdminDone { .. } => &[5],
                Command::Heartbeat { .. } => &[6],
                Command::Log { .. } => &[7],
            };
            if round % 11 == 10 {
                words[0] |= 0xff;
                parties = &[8];
            }
            dut.set_wide("cmd_data", &words)?;
            set_all(&mut dut, &[("cmd_valid", 1)])?;
            // Each party takes the command once; then it is gone.
            let mut taken = Vec::new();
            for cycle in 0.. {
                assert!(cycle < 200, "{command:?} hangs");
                let mut readies = [true; 9];
                for (party, input) in [
                    (0, "c2h_ready"),
                    (1, "h2c_ready"),
                    (5, "answer_ready"),
                    (7, "log_ready"),
                ] {
                    readies[party] = chance(&mut random, 30);
                    dut.set(input, readies[party])?;
                }
                let switch = chance(&mut random, 30);
                dut.set("switch_ready", switch)?;
                (readies[3], readies[4]) = (switch, switch);
                for (party, valid) in VALIDS.into_iter().enumerate() {
                    let offered = dut.is(valid)?;
                    assert_eq!(
                        offered,
                        parties.contains(&party) && !taken.contains(&party),
                        "{valid} for {command:?}"
                    );
                    if offered && readies[party] {
                        taken.push(party);
                    }
                }
                if parties != [8] {
                    fields(&mut dut, command)?;
                }
                let gone = dut.is("cmd_ready")?;
                assert!(
                    !gone || taken.len() == parties.len(),
                    "{command:?} is gone too early"
                );
                dut.step()?;
                if gone {
                    break;
                }
            }
            dut.set("cmd_valid", false)?;
            for _ in 0..random.random_range(0..3) {
                for valid in VALIDS {
                    assert!(!dut.is(valid)?, "{valid} without a command");
                }
                dut.step()?;
            }
        }
        Ok(())
    }

    /// What a party sees of a command.
    fn fields(dut: &mut Pair<CommandRouter>, command: Command) -> Result {
        let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        match command {
            Command::Queue {
                queue,
                word,
                low,
                high,
            } => {
                assert_eq!(
                    [dut.get("cfg_queue")?, dut.get("cfg_word")?],
                    [u64::from(queue), u64::from(word)]
                );
                assert_eq!(dut.get("cfg_data")?, wide(low, high));
            }
            Command::Enable { queue } | Command::Disable { queue } => {
                assert_eq!(dut.get("switch_queue")?, u64::from(queue))
            }
            Command::AdminDone {
                status,
                cookie_low,
                cookie_high,
                ticket,
            } => {
                assert_eq!(dut.get("answer_ticket")?, u64::from(ticket));
                assert_eq!(dut.get("answer_status")?, status.code());
                assert_eq!(dut.get("answer_cookie")?, wide(cookie_low, cookie_high));
            }
            Command::Heartbeat { state, detail } => {
                assert_eq!(
                    [dut.get("fw_state")?, dut.get("fw_detail")?],
                    [state.code(), u64::from(detail)]
                );
            }
            Command::Log {
                count,
                bytes0,
                bytes1,
                bytes2,
            } => {
                assert_eq!(dut.get("log_count")?, u64::from(count));
                assert_eq!(dut.get_wide("log_data")?, [bytes0, bytes1, bytes2]);
            }
            _ => {}
        }
        Ok(())
    }

    /// Enabling the device writes the admin queue's context and starts it, while a command waits.
    #[test]
    fn the_admin_queue_starts_with_the_device() -> Result {
        let mut dut = bench()?;
        let context = QueueContext::new()
            .with_sq_address(0x1234_5678_9abc_d000)
            .with_cq_address(0xfedc_ba98_7654_3000)
            .with_sq_entries_log2(6)
            .with_cq_entries_log2(7)
            .with_vector(9);
        let inputs = [
            ("admin_sq", context.sq_address()),
            ("admin_cq", context.cq_address()),
            ("admin_sq_log2", 6),
            ("admin_cq_log2", 7),
            ("admin_vector", 9),
        ];
        set_all(&mut dut, &inputs)?;
        set128(
            &mut dut,
            "cmd_data",
            u128::from(Command::Enable { queue: 3 }.encode()[0]),
        )?;
        for _ in 0..2 {
            set_all(&mut dut, &[("enabled", 1), ("cmd_valid", 0)])?;
            dut.step()?;
            dut.set("cmd_valid", true)?;
            for (number, word) in (0..3).zip(context.to_words().chunks(2)) {
                assert!(dut.is("cfg_write")? && !dut.is("cmd_ready")?);
                assert_eq!(
                    [dut.get("cfg_queue")?, dut.get("cfg_word")?],
                    [0u64, number]
                );
                assert_eq!(
                    dut.get("cfg_data")?,
                    u64::from(word[1]) << 32 | u64::from(word[0])
                );
                dut.step()?;
            }
            for _ in 0..3 {
                assert!(dut.is("switch_on")? && !dut.is("cmd_ready")? && !dut.is("cfg_write")?);
                assert_eq!(dut.get("switch_queue")?, 0);
                dut.step()?;
            }
            dut.set("switch_ready", true)?;
            dut.step()?;
            assert_eq!(
                (dut.is("switch_on")?, dut.get("switch_queue")?),
                (true, 3),
                "now the command"
            );
            dut.step()?;
            set_all(
                &mut dut,
                &[("enabled", 0), ("switch_ready", 0), ("cmd_valid", 0)],
            )?;
            dut.step()?;
        }
        Ok(())
    }
}
