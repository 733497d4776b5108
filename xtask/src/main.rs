//! Pinring's tasks, run as `cargo xtask <command>`.

mod bench;
mod bitstream;
mod cargo_tool;
mod cocotb;
mod cosim;
mod count;
mod debian;
mod doctor;
mod driver;
mod firmware;
mod formal;
mod fuzz;
mod generate;
mod image;
mod mutants;
mod native;
mod process;
mod python;
mod riscv;
mod test;
mod verilog;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Pinring's tasks. What a command needs is provisioned into the target folder first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show which tools are there, which would be provisioned, and what to install by hand.
    Doctor,
    /// Write the files that are generated from `protocol`: C header, wire-format document, gateware blocks.
    Generate(generate::Arguments),
    /// Build the soft core's firmware: ELF and the words of its memory.
    Firmware(firmware::Arguments),
    /// Run a workload through driver core, firmware and gateware; print the table, write the report.
    Cosim(cosim::Arguments),
    /// Measure what the running chain reaches, each figure beside the limit of the link.
    Bench(cosim::Arguments),
    /// Random bytes into decoders, rings, driver core and control codes, random transfers and faults through the chain.
    Fuzz(fuzz::Arguments),
    /// Run the command-line tool `pinring` on a co-simulated card: `cargo xtask pinring bench`.
    Pinring(cosim::Arguments),
    /// Capture which physical pages this machine gives to buffers, as layout files (root).
    CapturePages(cosim::Arguments),
    /// Count the driver's instructions per transfer for the co-simulation (needs valgrind).
    Count(count::Arguments),
    /// Emit the device's Verilog, soft core included.
    Verilog(verilog::Arguments),
    /// Synthesise, place and route the device for a board with an ECP5; the bitstream, its timing and its area.
    Bitstream(bitstream::Arguments),
    /// Prove rules of the emitted Verilog, each beside a mutant that breaks it (needs ABC).
    Formal(formal::Arguments),
    /// Check the Windows driver as far as that goes here; on Windows, build its package.
    #[command(subcommand)]
    Driver(driver::Command),
    /// Put faults of one line into a copy of the sources and see whether the tests catch them.
    Mutants(mutants::Arguments),
    /// Provision everything, then run all tests.
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let Err(error) = work(Arguments::parse().command) else {
        return ExitCode::SUCCESS;
    };
    match error.downcast_ref() {
        Some(process::Failed(code)) => ExitCode::from(*code),
        None => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(command: Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Doctor => doctor::run(&workspace),
        Command::Generate(arguments) => generate::run(&workspace, &arguments),
        Command::Firmware(arguments) => firmware::run(&workspace, &arguments),
        Command::Cosim(arguments) => cosim::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::run(&workspace, &arguments),
        Command::Pinring(arguments) => cosim::pinring(&workspace, &arguments),
        Command::CapturePages(arguments) => cosim::capture_pages(&workspace, &arguments),
        Command::Count(arguments) => count::run(&workspace, &arguments),
        Command::Verilog(arguments) => verilog::run(&workspace, &arguments),
        Command::Bitstream(arguments) => bitstream::run(&workspace, &arguments),
        Command::Formal(arguments) => formal::run(&workspace, &arguments),
        Command::Driver(command) => driver::run(&workspace, &command),
        Command::Mutants(arguments) => mutants::run(&workspace, &arguments),
        Command::Test(arguments) => test::run(&workspace, &arguments),
    }
}
