//! `cargo xtask cosim`.

use crate::test::environment;
use crate::workspace::{Workspace, cargo};
use crate::{firmware, native, process, python};
use anyhow::Result;
use std::process::Command;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// Arguments of the program; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cosim: Vec<String>,
}

/// Starts the program that captures page layouts; it needs nothing provisioned.
pub fn capture_pages(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    process::run(program(workspace, "capture-pages").args(&arguments.cosim))
}

/// One of the co-simulation's programs.
fn program(workspace: &Workspace, name: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "pinring-sim", "--bin", name]);
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--");
    command
}

/// Provisions what the co-simulation needs and starts it.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut command = program(workspace, "cosim");
    command.args(&arguments.cosim);
    if arguments
        .cosim
        .iter()
        .any(|argument| ["-h", "--help", "--list"].contains(&argument.as_str()))
    {
        return process::run(&mut command);
    }
    native::provision()?;
    let tools = python::provision(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    process::run(environment(&mut command, &tools, &firmware))
}
