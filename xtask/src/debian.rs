//! Installing Debian packages, where that is possible.

use crate::process::{output, run_long};
use anyhow::{Result, bail};
use std::process::Command;

/// Installs packages with apt-get when this is Debian (or a relative) and we are root; else fails naming them.
pub fn install(why: &str, packages: &[&str]) -> Result<()> {
    let packages_line = packages.join(" ");
    if !can_install() {
        bail!(
            "{why}: install the Debian packages `{packages_line}` (as root: `apt-get install {packages_line}`)"
        );
    }
    run_long(
        &format!("{why}: running `apt-get update`"),
        apt().arg("update"),
    )?;
    let mut install = apt();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    run_long(
        &format!("running `apt-get install {packages_line}`"),
        &mut install,
    )
}

/// Whether [`install`] would try.
pub fn can_install() -> bool {
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && apt()
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
