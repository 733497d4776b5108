//! The real firmware on the real processor: emitted Verilog with VexRiscv_Lite under Verilator.
//!
//! `cargo xtask test` builds the firmware, fetches the processor and says where both are.

use defmt_decoder::{DecodeError, Table};
use pinring_hdl::soft_core::{SoftCore, emit};
use pinring_protocol::limits::{HEARTBEAT_US, WATCHDOG_US};
use pinring_protocol::mailbox::{Command, ContextId, Message, Quiesce};
use pinring_protocol::{
    AdminEntry, AdminOpcode, Direction, FirmwareState, LAYOUT_HASH, QueueContext, Status,
};
use pinring_verilator::{Instance, Model, Port, Spec};
use rust_hdl::prelude::Block;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Core clock; the engine's is twice as fast.
const CORE_HZ: usize = 125_000_000;

/// Half a cycle of the engine's clock, in picoseconds.
const HALF_PERIOD: u64 = 2_000;

fn file(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} is not set: run these tests with `cargo xtask test`"))
}

/// A soft core with a mailbox at its engine side.
struct Board {
    instance: Instance,
    cycle: u64,
    /// Entries for the firmware; true: a quarter of an admin entry.
    messages: VecDeque<([u32; 4], bool)>,
    ticket: u8,
    /// Times that the firmware has started anew.
    restarts: u32,
    /// Commands but for LOG, with the engine cycle of each.
    commands: VecDeque<(u64, Command)>,
    log: Vec<u8>,
    ready: bool,
}

const CLOCK: usize = 0;
const RESET: usize = 1;
const CORE_CLOCK: usize = 2;
const MSG_VALID: usize = 3;
const MSG_DATA: usize = 4;
const CMD_READY: usize = 5;
const MSG_READY: usize = 6;
const CMD_VALID: usize = 7;
const CMD_DATA: usize = 8;
const LEDS: usize = 9;
const MSG_RAW: usize = 10;
const RESTART: usize = 11;
const HALT: usize = 12;
const RESTARTING: usize = 13;
const AGAIN: usize = 14;

impl Board {
    fn new() -> Self {
        Self::with_layout(LAYOUT_HASH)
    }

    /// A soft core whose gateware says that it has this layout.
    fn with_layout(hash: u64) -> Self {
        let processor =
            std::fs::read_to_string(file("PINRING_VEXRISCV")).expect("VexRiscv_Lite.v can be read");
        let firmware = file("PINRING_FIRMWARE_HEX");
        let mut core = SoftCore::<CORE_HZ>::default();
        core.connect_all();
        let verilog = emit(&core, &processor).expect("the soft core can be emitted");
        let low = |hash: u64| format!("32'h{:x}", hash as u32);
        let high = |hash: u64| format!("32'h{:x}", hash >> 32);
        for own in [low(LAYOUT_HASH), high(LAYOUT_HASH)] {
            assert_eq!(verilog.matches(&own).count(), 1, "{own} in the Verilog");
        }
        let spec = Spec {
            verilog: verilog
                .replace(&low(LAYOUT_HASH), &low(hash))
                .replace(&high(LAYOUT_HASH), &high(hash)),
            top: "top".into(),
            ports: vec![
                Port::input("clock", 1),
                Port::input("reset", 1),
                Port::input("core_clock", 1),
                Port::input("msg_valid", 1),
                Port::input("msg_data", 128),
                Port::input("cmd_ready", 1),
                Port::output("msg_ready", 1),
                Port::output("cmd_valid", 1),
                Port::output("cmd_data", 128),
                Port::output("leds", 8),
                Port::input("msg_raw", 1),
                Port::input("restart", 1),
                Port::input("halt", 1),
                Port::output("restarting", 1),
                Port::output("again", 1),
            ],
            plusargs: vec![format!("+firmware={}", firmware.display())],
            ..Spec::default()
        };
        let model = Model::build(&spec).expect("the soft core builds");
        Self {
            instance: model.instance().expect("an instance"),
            cycle: 0,
            messages: VecDeque::new(),
            ticket: 0,
            restarts: 0,
            commands: VecDeque::new(),
            log: Vec::new(),
            ready: true,
        }
    }

    /// One cycle of the engine's clock.
    fn step(&mut self) {
        let message = self.messages.front().copied();
        self.instance.set(MSG_VALID, message.is_some().into());
        let (words, raw) = message.unwrap_or_default();
        self.instance.wide_mut(MSG_DATA).copy_from_slice(&words);
        self.instance.set(MSG_RAW, raw.into());
        self.instance.set(CMD_READY, self.ready.into());
        self.instance.eval().expect("it runs");
        if message.is_some() && self.instance.get(MSG_READY) == 1 {
            self.messages.pop_front();
        }
        if self.ready && self.instance.get(CMD_VALID) == 1 {
            let entry = self.instance.wide(CMD_DATA).try_into().expect("four words");
            match Command::decode(entry).expect("the firmware sends valid commands") {
                Command::Log {
                    count,
                    bytes0,
                    bytes1,
                    bytes2,
                } => {
                    let bytes = [bytes0, bytes1, bytes2].map(u32::to_le_bytes).concat();
                    self.log.extend_from_slice(&bytes[..usize::from(count)]);
                }
                command => self.commands.push_back((self.cycle, command)),
            }
        }
        for clock in [1, 0] {
            self.instance.set_time(self.instance.time() + HALF_PERIOD);
            self.instance.set(CLOCK, clock);
            if clock == 1 {
                self.instance.set(CORE_CLOCK, self.cycle & 1);
            }
            self.instance.eval().expect("it runs");
        }
        self.cycle += 1;
    }

    fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| self.step());
    }

    /// The next command but for heartbeats in the state RUNNING.
    fn command(&mut self) -> Command {
        loop {
            let command = self.any_command().1;
            if !matches!(
                command,
                Command::Heartbeat {
                    state: FirmwareState::Running,
                    ..
                }
            ) {
                return command;
            }
        }
    }

    /// The next command, and when it came.
    fn any_command(&mut self) -> (u64, Command) {
        for _ in 0..4_000_000 {
            if let Some(command) = self.commands.pop_front() {
                return command;
            }
            self.step();
        }
        panic!("no command in 16 ms; log: {:?}", self.lines())
    }

    fn send(&mut self, message: Message) {
        self.messages.push_back((message.encode(), false));
    }

    fn admin(&mut self, ticket: u8, exists: bool, entry: &AdminEntry) {
        let exists = exists.into();
        self.send(Message::Admin { exists, ticket });
        for quarter in entry.to_words().chunks_exact(4) {
            let quarter = quarter.try_into().expect("four words");
            self.messages.push_back((quarter, true));
        }
    }

    /// Stops the core, waits for so long, and starts it anew.
    fn restart(&mut self, after: u64) {
        self.instance.set(HALT, 1);
        self.run(after);
        self.instance.set(HALT, 0);
        self.instance.set(RESTART, 1);
        self.step();
        self.instance.set(RESTART, 0);
        while self.instance.get(AGAIN) == 0 {
            assert_eq!(self.instance.get(RESTARTING), 1);
            self.step();
        }
        self.restarts += 1;
    }

    /// Waits until the firmware has run out of messages for long enough to have logged them, and decodes the log.
    fn lines(&mut self) -> Vec<String> {
        let elf = std::fs::read(file("PINRING_FIRMWARE_ELF"))
            .expect("the firmware's ELF file can be read");
        let table = Table::parse(&elf)
            .expect("defmt's section")
            .expect("there is a defmt section");
        let mut decoder = table.new_stream_decoder();
        decoder.received(&self.log);
        let mut lines = Vec::new();
        loop {
            match decoder.decode() {
                Ok(frame) => lines.push(frame.display_message().to_string()),
                Err(DecodeError::UnexpectedEof) => return lines,
                Err(DecodeError::Malformed) => panic!("malformed log: {:x?}", self.log),
            }
        }
    }
}

fn ctx(direction: Direction, index: u8, sequence: u64) -> ContextId {
    let plain = ContextId::new(direction, index).expect("index below 16");
    ContextId::from_code(plain.code() | sequence << 5).expect("sequence below 8")
}

fn create(queue: u32) -> AdminEntry {
    let context = QueueContext::new()
        .with_sq_address(0x1_2345_6000)
        .with_cq_address(0xffff_ffff_0000_7000)
        .with_sq_entries_log2(8)
        .with_cq_entries_log2(9)
        .with_direction(Direction::H2c)
        .with_vector(3)
        .with_tdest_last(2);
    let entry = AdminEntry::new()
        .with_opcode(AdminOpcode::CreateQueue)
        .with_target(queue);
    entry.with_cookie(0x1122_3344_5566_7788).with_body(context)
}

fn done(ticket: u8, status: Status) -> Command {
    Command::AdminDone {
        status,
        cookie_low: 0x5566_7788,
        cookie_high: 0x1122_3344,
        ticket,
    }
}

const RUNNING: Command = Command::Heartbeat {
    state: FirmwareState::Running,
    detail: 0,
};

#[test]
fn firmware_serves_transfers_and_admin_commands() {
    let mut board = Board::new();
    let (booted, first) = board.any_command();
    assert_eq!(first, RUNNING);
    println!("heartbeat {} core cycles after power-up", booted / 2);
    let watchdog = CORE_HZ as u64 / 1_000_000 * u64::from(WATCHDOG_US);
    assert!(
        booted / 2 < watchdog / 4,
        "it is up long before the watchdog barks"
    );

    for (direction, sequence) in [(Direction::H2c, 5), (Direction::C2h, 7)] {
        let ctx = ctx(direction, 9, sequence);
        board.send(Message::Miss {
            ctx,
            generation: 3,
            region: 70_000,
            sg_hint: 12_345,
            valid: 0b1011,
            used: 0b0001,
            pinned: 0b0010,
        });
        assert_eq!(
            board.command(),
            Command::Fill { ctx, way: 2 },
            "the empty way"
        );
    }

    board.admin(17, false, &create(3));
    for word in 0..6 {
        let Command::Queue {
            queue: 3,
            word: at,
            low,
            high,
        } = board.command()
        else {
            panic!("word {word}")
        };
        let expected = create(3).body().to_words();
        assert_eq!(
            (usize::from(at), low, high),
            (word, expected[2 * word], expected[2 * word + 1])
        );
    }
    assert_eq!(board.command(), Command::Enable { queue: 3 });
    assert_eq!(board.command(), done(17, Status::Ok));
    board.admin(18, true, &create(3));
    assert_eq!(board.command(), done(18, Status::QueueExists));
    board.admin(
        19,
        true,
        &AdminEntry::new()
            .with_opcode(AdminOpcode::DestroyQueue)
            .with_target(3),
    );
    assert_eq!(board.command(), Command::Disable { queue: 3 });
    assert_eq!(
        board.command(),
        Command::AbortQueue {
            queue: 3,
            ticket: 19
        }
    );
    for direction in [Direction::H2c, Direction::C2h] {
        board.send(Message::Quiesced {
            direction,
            what: Quiesce::Queue,
            id: 3,
            ticket: 19,
        });
    }
    assert_eq!(
        board.command(),
        Command::AdminDone {
            status: Status::Ok,
            cookie_low: 0,
            cookie_high: 0,
            ticket: 19
        }
    );

    board.messages.push_back(([0x99, 0, 0, 0], false));
    assert_eq!(
        board.command(),
        Command::Heartbeat {
            state: FirmwareState::BadMessage,
            detail: 0x99
        }
    );
    board.run(20_000);
    assert_eq!(
        board.lines(),
        [
            "serving, core clock 125000000 Hz",
            "queue 3 created",
            "admin command for 3 refused with status 33",
            "queue 3 destroyed",
            "message 0x99 does not decode",
        ]
    );
}

#[test]
fn reset_restarts_the_firmware_with_nothing_left_over() {
    let mut board = Board::new();
    assert_eq!(board.any_command().1, RUNNING);
    board.admin(1, false, &create(3));
    while board.command() != done(1, Status::Ok) {}
    board.messages.push_back(([0x99, 0, 0, 0], false));
    // Commands are left standing, so that the mailbox holds some when the reset comes.
    board.run(10_000);
    board.ready = false;
    board.send(Message::Miss {
        ctx: ctx(Direction::C2h, 0, 0),
        generation: 0,
        region: 0,
        sg_hint: 0,
        valid: 0,
        used: 0,
        pinned: 0,
    });
    board.run(10_000);
    board.commands.clear();
    board.log.clear();
    board.instance.set(RESET, 1);
    board.step();
    board.instance.set(RESET, 0);
    board.ready = true;
    assert_eq!(
        board.any_command().1,
        RUNNING,
        "a new start, and nothing of the old one"
    );
    board.admin(2, false, &create(3));
    while board.command() != done(2, Status::Ok) {}
    board.run(20_000);
    assert_eq!(
        board.lines(),
        ["serving, core clock 125000000 Hz", "queue 3 created"]
    );
}

#[test]
fn a_gateware_of_another_layout_is_refused_with_both_hashes() {
    let refused = Command::Heartbeat {
        state: FirmwareState::BadLayout,
        detail: LAYOUT_HASH as u32,
    };
    for other in [LAYOUT_HASH ^ 1 << 20, LAYOUT_HASH ^ 1 << 33] {
        let mut board = Board::with_layout(other);
        board.admin(1, false, &create(3));
        let limit = CORE_HZ as u64 / 1_000_000 * u64::from(2 * HEARTBEAT_US);
        let mut last = None;
        for _ in 0..3 {
            let (at, command) = board.any_command();
            assert_eq!(command, refused);
            if let Some(last) = last.replace(at) {
                assert!((at - last) / 2 <= limit, "heartbeats come in time");
            }
        }
        board.run(20_000);
        assert_eq!(board.commands, [], "nothing else is done");
        assert_eq!(
            board.lines(),
            [format!(
                "the gateware's layout hash is {other:#018x} and the firmware's {LAYOUT_HASH:#018x}: build both from the same version"
            )]
        );
    }
}

#[test]
fn heartbeats_come_in_time_and_blink() {
    let mut board = Board::new();
    let core_cycles = |at: u64| at / 2;
    let limit = CORE_HZ as u64 / 1_000_000 * u64::from(2 * HEARTBEAT_US);
    let mut last = core_cycles(board.any_command().0);
    for _ in 0..3 {
        let (at, command) = board.any_command();
        assert_eq!(command, RUNNING);
        assert!(
            core_cycles(at) - last <= limit,
            "{} core cycles without a heartbeat",
            core_cycles(at) - last
        );
        last = core_cycles(at);
    }
    assert_eq!(
        board.instance.get(LEDS),
        0,
        "the LED changes after a quarter of a second"
    );
}

/// Stopped at any data access and restarted, the core goes on with what it had not finished; nothing in the mailbox is lost.
#[test]
fn a_restart_of_the_core_alone_loses_no_message() {
    let mut board = Board::new();
    assert_eq!(board.any_command().1, RUNNING);
    board.run(20_000);
    let miss = |index: u8, sequence: u64| Message::Miss {
        ctx: ctx(Direction::H2c, index, sequence),
        generation: 0,
        region: 0,
        sg_hint: 0,
        valid: 0xf,
        used: 0xf,
        pinned: 7,
    };
    let mut answers = [0; 2];
    for round in 0..80u64 {
        let sequence = round % 8;
        // An admin command in the midst of messages.
        for index in 0..3 {
            board.send(miss(index, sequence));
        }
        board.ticket = board.ticket.wrapping_add(1);
        board.admin(board.ticket, false, &create(3));
        for index in 3..6 {
            board.send(miss(index, sequence));
        }
        // A pass takes about 200 cycles of the core.
        board.run(37 * round);
        board.restart(1 + round % 5);
        board.ticket = board.ticket.wrapping_add(1);
        board.admin(board.ticket, false, &create(3));
        let (mut filled, mut enabled) = ([0; 6], 0);
        loop {
            match board.command() {
                Command::Fill {
                    ctx: answered,
                    way: 3,
                } => {
                    let index = usize::from(answered.index() as u8);
                    assert_eq!(answered, ctx(Direction::H2c, index as u8, sequence));
                    filled[index] += 1;
                }
                Command::Queue { queue: 3, .. } => {}
                Command::Enable { queue: 3 } => enabled += 1,
                Command::AdminDone {
                    status: Status::Ok,
                    ticket,
                    ..
                } if ticket == board.ticket => break,
                Command::AdminDone {
                    status: Status::Ok, ..
                } => {}
                other => panic!("{other:?} is not due"),
            }
        }
        assert!(
            filled.iter().all(|answers| (1..=2).contains(answers)),
            "{round}: {filled:?}"
        );
        assert!((1..=2).contains(&enabled));
        assert!(filled.iter().sum::<usize>() <= 7, "one message was in hand");
        answers[filled.iter().sum::<usize>() - 6] += 1;
        board.run(10_000);
        assert!(
            board
                .commands
                .iter()
                .all(|(_, command)| *command == RUNNING)
        );
        board.commands.clear();
    }
    println!(
        "{} times a message was answered twice, {} times not",
        answers[1], answers[0]
    );
}

/// Not a check of speed: that a mailbox full of messages is worked off; and what a pass costs, for the record.
#[test]
fn a_full_mailbox_is_worked_off() {
    const ROUNDS: u64 = 8;
    let mut board = Board::new();
    assert_eq!(board.any_command().1, RUNNING);
    board.run(20_000);
    let mut cycles = [0; 2];
    for round in 0..ROUNDS {
        // One alone, then all that a direction can ask at once, with the choice at its hardest.
        for (contexts, cycles) in [1, 16].into_iter().zip(&mut cycles) {
            for index in 0..contexts {
                board.send(Message::Miss {
                    ctx: ctx(Direction::H2c, index, round % 8),
                    generation: 0,
                    region: 0,
                    sg_hint: 0,
                    valid: 0xf,
                    used: 0xf,
                    pinned: 7,
                });
            }
            let start = board.cycle;
            for index in 0..contexts {
                let ctx = ctx(Direction::H2c, index, round % 8);
                assert_eq!(board.command(), Command::Fill { ctx, way: 3 });
            }
            *cycles += (board.cycle - start) / 2 / u64::from(contexts);
            board.run(2_000);
        }
    }
    let [alone, many] = cycles.map(|cycles| cycles / ROUNDS);
    println!("MISS -> FILL: {alone} core cycles alone, {many} for each of 16; mailbox included");
}
