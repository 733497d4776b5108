//! `cargo xtask verilog`.

use crate::workspace::{Workspace, cargo};
use crate::{firmware, process, python};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Width of the data path in bits: 64, 128, 256 or 512
    #[arg(long, default_value_t = 128)]
    width: u32,
    /// Write the demo user logic too: a device that holds it, and its two modules
    #[arg(long)]
    demo: bool,
    /// Write the device behind the shim of a hard IP too (docs/shims.md)
    #[arg(long, value_enum)]
    shim: Option<Shim>,
    /// Folder for the Verilog
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Hard IP for which there is a shim.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Shim {
    /// AMD UltraScale+ integrated block, pcie4_uscale_plus: 256 and 512 bits
    UscalePlus,
}

/// Emits the device's Verilog, with the soft core and the firmware that it reads, and that of the demo user logic.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let tools = python::provision(workspace)?;
    let built = firmware::build(workspace, None)?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let image = arguments.out.join("firmware.hex");
    fs::copy(&built.words, &image).with_context(|| format!("cannot write {}", image.display()))?;
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--package",
        "pinring-hdl",
        "--bin",
        "emit",
    ]);
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"));
    command
        .arg("--")
        .arg(arguments.width.to_string())
        .arg(&arguments.out)
        .arg(&tools.vexriscv)
        .args(arguments.demo.then_some("--demo"))
        .args(arguments.shim.map(|shim| match shim {
            Shim::UscalePlus => "--shim-uscale-plus",
        }));
    process::finish(&mut command)
}
