//! `cargo xtask test`.

use crate::firmware::{self, Firmware};
use crate::python::{self, Tools};
use crate::workspace::{Workspace, cargo};
use crate::{bitstream, cocotb, cosim, driver, formal, fuzz, generate, native, process};
use anyhow::Result;
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// Also check the Windows driver (`cargo xtask driver check`) and the fuzz targets, run the proofs that
    /// take seconds (`cargo xtask formal --quick`), put the device behind its shim before cocotbext-pcie's model of the
    /// UltraScale+ IP, replace a program in a placed design, and run the default scenario with the driver's own code (`cargo
    /// xtask cosim --driver kmdf`)
    #[arg(long)]
    all: bool,
    /// Only put the device behind its shim before cocotbext-pcie's model of the UltraScale+ IP
    #[arg(long, conflicts_with_all = ["all", "cargo"])]
    shim: bool,
    /// Only replace a program in a placed and routed design, and see that nothing else has changed
    #[arg(long, conflicts_with_all = ["all", "shim", "cargo"])]
    repack: bool,
    /// Further arguments for `cargo test`, such as `-p pinring-hdl`
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.all {
        driver::check(workspace)?;
        for folder in fuzz::crates() {
            process::run(&mut fuzz_targets(workspace, folder))?;
        }
    }
    native::provision()?;
    let tools = python::provision(workspace)?;
    generate::check(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    if arguments.shim {
        return cocotb::run(workspace, &tools, &firmware);
    }
    if arguments.repack {
        return bitstream::check::run(workspace, &firmware);
    }
    let mut test = cargo();
    test.current_dir(&workspace.root).arg("test");
    if arguments.cargo.is_empty() {
        // The binary for the soft core does not run here; its logic is tested in pinring-firmware.
        test.args(["--workspace", "--exclude", firmware::PACKAGE]);
    }
    test.args(&arguments.cargo);
    environment(&mut test, &tools, &firmware);
    if !arguments.cargo.is_empty() {
        return process::finish(&mut test);
    }
    process::run(&mut test)?;
    process::run(&mut loom(workspace))?;
    if arguments.all {
        formal::quick(workspace)?;
        cocotb::run(workspace, &tools, &firmware)?;
        bitstream::check::run(workspace, &firmware)?;
        cosim::run(workspace, &default_with_driver(workspace))?;
    }
    Ok(())
}

/// The default scenario with the Windows driver's own code: fails if a byte is wrong, the verifier has something to say or an expectation is
/// not met.
fn default_with_driver(workspace: &Workspace) -> cosim::Arguments {
    let report = workspace.target.join("kmdf.html");
    let program = ["--driver", "kmdf", "--report"].map(String::from);
    cosim::Arguments {
        program: program
            .into_iter()
            .chain([report.display().to_string()])
            .collect(),
    }
}

/// Fuzz targets are workspaces of their own, so that nothing else compiles them. Without the address sanitizer stable Rust will do.
fn fuzz_targets(workspace: &Workspace, folder: &str) -> Command {
    let mut check = cargo();
    check
        .current_dir(&workspace.root)
        .args(["check", "--locked", "--no-default-features"])
        .arg("--manifest-path")
        .arg(workspace.root.join(folder).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(workspace.target.join("fuzz-check"));
    check
}

/// The host-side ring under loom, which needs the crate compiled with `--cfg loom`: in a folder of its own, so that the
/// flag does not rebuild everything else.
fn loom(workspace: &Workspace) -> Command {
    let mut test = cargo();
    test.current_dir(&workspace.root)
        .env("RUSTFLAGS", "--cfg loom")
        .args(["test", "--release", "--package", "pinring-protocol"])
        .args(["--test", "loom", "--target-dir"])
        .arg(workspace.target.join("loom"));
    test
}

/// Tells a program where the tools and the firmware are.
pub fn environment<'a>(
    command: &'a mut Command,
    tools: &Tools,
    firmware: &Firmware,
) -> &'a mut Command {
    command
        .env("PINRING_VERILATOR_ROOT", &tools.verilator)
        .env("PINRING_YOSYS", &tools.yosys)
        .env("YOWASP_CACHE_DIR", &tools.yosys_cache)
        .env("PINRING_VEXRISCV", &tools.vexriscv)
        .env("PINRING_FIRMWARE_ELF", &firmware.elf)
        .env("PINRING_FIRMWARE_HEX", &firmware.words)
        .env("PINRING_SELFTEST_HEX", &firmware.selftest)
}
