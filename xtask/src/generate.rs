//! `cargo xtask generate`.

use crate::process::say;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use pinring_protocol::generate::{COMMAND, stale, write};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only compare: fail when a file is not current
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.check {
        return check(workspace);
    }
    let written = write(&workspace.root)?;
    for path in &written {
        say(&format!("wrote {path}"));
    }
    if written.is_empty() {
        say("all generated files are current");
    }
    Ok(())
}

/// Fails, naming them, when generated files are not current.
pub fn check(workspace: &Workspace) -> Result<()> {
    let stale = stale(&workspace.root)?;
    if !stale.is_empty() {
        bail!("not current: {}; run `{COMMAND}`", stale.join(", "));
    }
    Ok(())
}
