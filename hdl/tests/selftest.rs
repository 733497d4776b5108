//! The self-test image under Verilator, both programs and all: what a terminal at the UART shows.
//!
//! `cargo xtask test` builds the programs, fetches the processor and says where they are.

use pinring_hdl::selftest::{UART_BIT, verilog};
use pinring_verilator::{Model, Port, Spec};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Half a cycle of the engine's clock, in picoseconds; a cycle of the core's is four of it.
const HALF_PERIOD: u64 = 4_000;

/// Engine cycles after which no report is expected any more: three times what one takes.
const LIMIT: u64 = 60_000_000;

fn file(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} is not set: run these tests with `cargo xtask test`"))
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let processor = std::fs::read_to_string(file("PINRING_VEXRISCV")).expect("VexRiscv_Lite.v");
        let verilog = verilog(&processor).expect("the image can be emitted");
        let spec = Spec {
            ports: vec![
                Port::input("clock", 1),
                Port::input("core_clock", 1),
                Port::input("reset", 1),
                Port::input("fault", 2),
                Port::output("uart_tx", 1),
                Port::output("leds", 8),
            ],
            verilog,
            top: "top".into(),
            plusargs: vec![
                format!("+firmware={}", file("PINRING_FIRMWARE_HEX").display()),
                format!("+selftest={}", file("PINRING_SELFTEST_HEX").display()),
            ],
            ..Spec::default()
        };
        Model::build(&spec).expect("the image builds")
    })
}

/// Takes the UART's line apart: one sample a cycle of the core's clock.
#[derive(Default)]
struct Terminal {
    /// Cycles since the start bit began.
    since_start: Option<usize>,
    bits: u8,
    text: Vec<u8>,
}

impl Terminal {
    fn sample(&mut self, line: bool) {
        let Some(cycles) = &mut self.since_start else {
            self.since_start = (!line).then_some(1);
            return;
        };
        // In the middle of each bit: start, eight of data, stop.
        if *cycles % UART_BIT == UART_BIT / 2 {
            match *cycles / UART_BIT {
                0 => assert!(!line, "the start bit lasts"),
                9 => {
                    assert!(line, "the stop bit follows the data");
                    self.text.push(self.bits);
                    self.since_start = None;
                    return;
                }
                _ => self.bits = self.bits >> 1 | u8::from(line) << 7,
            }
        }
        *cycles += 1;
    }

    /// The last line, if it is the report's.
    fn is_complete(&self) -> bool {
        let Some(text) = self.text.strip_suffix(b"\r\n") else {
            return false;
        };
        let last = text
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        last.starts_with(b"PASS") || last.starts_with(b"FAIL")
    }
}

/// The lines of a report, the LEDs during it and after it, and the engine cycles that it took; `fault`: the switches.
fn report(fault: u64) -> (Vec<String>, [u64; 2], u64) {
    let model = model();
    let mut image = model.instance().expect("an instance");
    let [clock, core_clock, reset, switches, uart_tx, leds] =
        ["clock", "core_clock", "reset", "fault", "uart_tx", "leds"]
            .map(|port| model.port(port).unwrap_or_else(|| panic!("no port {port}")));
    let mut terminal = Terminal::default();
    let (mut during, mut complete) = (0, None);
    image.set(switches, fault);
    image.set(reset, 1);
    for cycle in 0..LIMIT {
        if cycle == 32 {
            image.set(reset, 0);
        }
        for level in [1, 0] {
            image.set_time(image.time() + HALF_PERIOD);
            image.set(clock, level);
            if level == 1 {
                image.set(core_clock, cycle & 1);
            }
            image.eval().expect("it runs");
        }
        if cycle & 1 == 1 && cycle > 32 {
            terminal.sample(image.get(uart_tx) == 1);
        }
        if terminal.text.len() == 10 {
            during = image.get(leds);
        }
        if complete.is_none() && terminal.is_complete() {
            complete = Some(cycle);
        }
        // Some more, for the LEDs.
        if complete.is_some_and(|end| cycle > end + 2000) {
            let text = String::from_utf8(terminal.text).expect("plain text");
            let lines: Vec<_> = text.split_terminator("\r\n").map(String::from).collect();
            println!("{}\n[{cycle} engine cycles]", lines.join("\n"));
            return (lines, [during, image.get(leds)], cycle);
        }
    }
    let text = String::from_utf8_lossy(&terminal.text);
    panic!("no report after {LIMIT} cycles; so far:\n{text}");
}

const RUNNING: u64 = 1;
const PASSED: u64 = 2;
const FAILED: u64 = 4;

#[test]
fn the_image_passes() {
    let (lines, [during, after], _) = report(0);
    let (last, checks) = lines.split_last().expect("lines");
    assert!(checks[0].starts_with("Pinring self-test"), "{}", checks[0]);
    let checks = &checks[1..];
    for direction in ["C2H", "H2C"] {
        let transfers = checks.iter().filter(|line| line.starts_with(direction));
        assert!(transfers.count() >= 8, "{direction}");
    }
    for line in checks {
        assert!(line.ends_with(": ok"), "{line}");
    }
    assert_eq!(*last, format!("PASS: {} checks", checks.len()));
    assert_eq!((during & 0x7f, after & 0x7f), (RUNNING, PASSED));
}

/// One line has failed, it begins so, and the rest of the report goes on.
fn one_failure(fault: u64, start: &str) {
    let (lines, [during, after], _) = report(fault);
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("FAILED"))
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].starts_with(start), "{}", failed[0]);
    let last = lines.last().expect("a line");
    assert_eq!(*last, format!("FAIL: 1 of {} checks", lines.len() - 2));
    assert_eq!((during & 0x7f, after & 0x7f), (RUNNING, FAILED));
}

#[test]
fn one_wrong_bit_in_a_write_fails() {
    one_failure(1, "C2H 64 bytes at 61: FAILED: byte ");
}

#[test]
fn one_wrong_bit_in_a_read_fails() {
    one_failure(
        2,
        "H2C 64 bytes at 61: FAILED: the sink took 64 bytes in 1 packets, 1 wrong",
    );
}
