//! The tool `pinring` with the co-simulated card. Started by `cargo xtask pinring`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use pinring_sim::device::Tools;
use pinring_sim::run::{self, Driver, Options};
use pinring_sim::scenario::Scenario;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let (Some(processor), Some(firmware)) =
        (file("PINRING_VEXRISCV"), file("PINRING_FIRMWARE_HEX"))
    else {
        eprintln!(
            "error: processor and firmware are not set: start this with `cargo xtask pinring`"
        );
        return ExitCode::FAILURE;
    };
    let options = Options {
        tools: Tools {
            processor,
            firmware,
            elf: file("PINRING_FIRMWARE_ELF"),
        },
        driver: Driver::Kmdf,
        preempt: false,
        trace: None,
        ranges: false,
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    };
    match run::pinring(&Scenario::default(), &options, &arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
