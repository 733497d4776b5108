//! A short run of the co-simulation fuzzer: the same cases every time, through driver core, firmware and gateware.

mod common;

use common::options;
use pinring_sim::fuzz::{self, Figures};
use pinring_sim::scenario::Scenario;

#[test]
fn transfers_and_faults_at_random_leave_nothing_to_be_found() {
    let mut figures = Figures::default();
    for index in 0..11 {
        let case = fuzz::case(1, index, &[128]);
        match fuzz::check(&case, &options()) {
            Ok(found) => figures.add(&found.expect("nobody cuts it short")),
            Err(finding) => panic!("case {index}: {finding}"),
        }
    }
    println!("{figures:?}");
    assert_eq!(figures.cases, 11);
    // Faults found their occasion, and transfers failed by them.
    assert!(figures.faults_injected > 8, "{figures:?}");
    assert!(figures.transfers_failed > 1, "{figures:?}");
    assert!(figures.transfers_checked > 80, "{figures:?}");
}

/// Cases that ended wrongly once, made smaller.
const KEPT: [&str; 2] = [
    // Nobody looked for completions of which no interrupt had told.
    "
        burst = { transfers = 1, length_bytes = 5000, direction = \"c2h\" }
        [[faults]]
        kind = \"lost-interrupt\"
    ",
    // A refusal of a read that began within a DW.
    "
        buffers = { count = 1, bytes = 8192, first_byte_offset_bytes = 1, layout = \"shuffled\" }
        burst = { transfers = 1, length_bytes = 4096, direction = \"h2c\" }
        [[faults]]
        kind = \"completion-ur\"
    ",
];

#[test]
fn what_was_wrong_once_stays_right() {
    for text in KEPT {
        let text = format!(
            "strategies = [\"registered\"]\ndevice.width_bits = 128\n{}",
            text
        );
        let case = Scenario::parse("kept.toml", &text).expect("a scenario");
        match fuzz::check(&case, &options()) {
            Ok(Some(found)) => assert_eq!(found.faults_injected, 1, "{text}"),
            Ok(None) => panic!("nobody cuts it short"),
            Err(finding) => panic!("{finding}{text}"),
        }
    }
}
