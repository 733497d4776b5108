//! Programs that cargo installs.

use crate::process;
use crate::workspace::{Workspace, cargo};
use anyhow::Result;
use std::path::PathBuf;

/// The program of a crate at this version, installed into the target folder if it is not there.
///
/// # Errors
/// What cargo says.
pub fn provision(workspace: &Workspace, name: &str, version: &str) -> Result<PathBuf> {
    let root = workspace.tools().join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.exists() {
        let mut install = cargo();
        install
            .args(["install", "--locked", "--version"])
            .arg(format!("={version}"))
            .arg("--root")
            .arg(&root)
            .arg(name);
        process::run_long(&format!("installing {name} {version}"), &mut install)?;
    }
    Ok(program)
}
