//! `cargo xtask driver`: what can be known about the Windows driver on a machine without Windows, and its package on one with it.

mod check;
#[cfg(test)]
mod inf;
mod names;
mod package;
pub mod windows;

use crate::workspace::Workspace;
use anyhow::Result;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Type-check what runs on Windows for Windows: client, tool, control codes, core; and the driver, against the double
    Check,
    /// List the names of wdk-sys that the driver uses, each with where it is known from
    Names(names::Arguments),
    /// On Windows: build, sign and verify the driver package; elsewhere: say how
    Package(package::Arguments),
}

/// Runs the command.
pub fn run(workspace: &Workspace, command: &Command) -> Result<()> {
    match command {
        Command::Check => check(workspace),
        Command::Names(arguments) => names::run(workspace, arguments),
        Command::Package(arguments) => package::run(workspace, arguments),
    }
}

/// `cargo xtask driver check`, which compares the list of names too.
pub fn check(workspace: &Workspace) -> Result<()> {
    names::check(workspace)?;
    check::run(workspace)
}
