//! What the whole-chain tests share.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use pinring_sim::device::Tools;
use pinring_sim::run::Options;

static NEVER: AtomicBool = AtomicBool::new(false);

fn file(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} is not set: run these tests with `cargo xtask test`"))
}

/// A run without ranges, trace or progress, with the firmware that `cargo xtask test` has built.
pub fn options() -> Options<'static> {
    Options {
        driver: pinring_sim::run::Driver::Core,
        preempt: false,
        tools: Tools {
            processor: file("PINRING_VEXRISCV"),
            firmware: file("PINRING_FIRMWARE_HEX"),
            elf: Some(file("PINRING_FIRMWARE_ELF")),
        },
        trace: None,
        ranges: false,
        cancel: &NEVER,
        progress: &|_| {},
    }
}
