//! `cargo xtask verilog`.

use crate::python::Tools;
use crate::workspace::{Workspace, cargo};
use crate::{firmware, process, python};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Width of the data path in bits: 64, 128, 256 or 512
    #[arg(long, default_value_t = 128)]
    width: u32,
    /// How much the device has beside its width: full, or small, which is for 64 bits
    #[arg(long, default_value = "full")]
    config: String,
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
    let mut options: Vec<_> = arguments.demo.then_some("--demo").into_iter().collect();
    options.extend(arguments.shim.map(|shim| match shim {
        Shim::UscalePlus => "--shim-uscale-plus",
    }));
    emit(
        workspace,
        &tools,
        (&arguments.config, arguments.width),
        &arguments.out,
        &options,
    )
}

/// Runs the program that emits Verilog, for a configuration and a width, with options of its own.
pub fn emit(
    workspace: &Workspace,
    tools: &Tools,
    (config, width): (&str, u32),
    out: &Path,
    options: &[&str],
) -> Result<()> {
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "pinring-hdl",
            "--bin",
            "emit",
        ])
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--")
        .arg(config)
        .arg(width.to_string())
        .arg(out)
        .arg(&tools.vexriscv)
        .args(options);
    process::run(&mut command)
}
