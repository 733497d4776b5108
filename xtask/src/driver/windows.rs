//! A Rust toolchain that can type-check for Windows: nothing is linked, so that no library of Windows is needed.

use crate::debian;
use crate::process::{output, run_long, say, version};
use crate::riscv;
use crate::workspace::cargo;
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The target that is checked.
pub const TARGET: &str = "x86_64-pc-windows-msvc";

/// Debian's own Rust, which brings the standard library's source. rustup cannot always download.
pub const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// What can type-check for Windows.
pub enum Toolchain {
    /// The toolchain in use has the target.
    Native,
    /// Debian's packages, which compile the standard library too.
    Debian {
        /// Debian's cargo.
        cargo: PathBuf,
        /// Debian's rustc.
        rustc: PathBuf,
    },
}

impl Toolchain {
    /// One line for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Native => format!("the Rust toolchain in use, target {TARGET}"),
            Self::Debian { rustc, .. } => {
                version(Command::new(rustc).arg("--version")).unwrap_or_default()
            }
        }
    }

    /// A `cargo check` for Windows.
    pub fn check(&self) -> Command {
        match self {
            Self::Native => {
                let mut command = cargo();
                command.args(["check", "--target", TARGET]);
                command
            }
            Self::Debian { cargo, rustc } => {
                let mut command = Command::new(cargo);
                command.args(["check", "-Z", "build-std=std,panic_abort"]);
                command.args(["--target", TARGET]);
                riscv::use_debian_rustc(&mut command, rustc);
                command
            }
        }
    }
}

/// Finds a toolchain that is there already.
pub fn find() -> Option<Toolchain> {
    if riscv::has_target(TARGET) {
        return Some(Toolchain::Native);
    }
    let cargo = riscv::debian_program("cargo-web", "cargo")?;
    let rustc = riscv::debian_program("rustc-web", "rustc")?;
    output(Command::new("dpkg").args(["-L", "rust-web-src"])).ok()?;
    Some(Toolchain::Debian { cargo, rustc })
}

/// Finds a toolchain, or gets one: rustup's target, else Debian's packages.
pub fn provision() -> Result<Toolchain> {
    if let Some(toolchain) = find() {
        return Ok(toolchain);
    }
    let add = format!("the Windows target is missing: running `rustup target add {TARGET}`");
    match run_long(&add, Command::new("rustup").args(["target", "add", TARGET])) {
        Ok(()) if riscv::has_target(TARGET) => return Ok(Toolchain::Native),
        Ok(()) => {
            say("rustup's target is not one of the toolchain in use; trying Debian's packages")
        }
        Err(error) => say(&format!("{error:#}; trying Debian's packages")),
    }
    debian::install(
        &format!("no Rust toolchain has the target {TARGET}, and rustup cannot add it"),
        DEBIAN_PACKAGES,
    )?;
    match find() {
        Some(toolchain) => Ok(toolchain),
        None => bail!(
            "Debian's packages `{}` lack rustc or cargo",
            DEBIAN_PACKAGES.join(" ")
        ),
    }
}
