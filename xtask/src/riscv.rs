//! The Rust toolchain for the soft core (RV32IM, no operating system).

use crate::debian;
use crate::process::{output, run_long, say, version};
use crate::workspace::{cargo, rustc};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Target of the firmware.
pub const TARGET: &str = "riscv32im-unknown-none-elf";

/// Debian's own Rust, which brings core's source, and LLVM's linker. rustup cannot always download.
pub const DEBIAN_PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "lld-19",
    "llvm-19",
];

const DEBIAN_LINKER: &str = "ld.lld-19";

/// What can build the firmware.
pub enum Toolchain {
    /// The toolchain in use has the target.
    Native,
    /// Debian's packages.
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
                let version = version(Command::new(rustc).arg("--version")).unwrap_or_default();
                format!("Debian's {version}, {DEBIAN_LINKER}")
            }
        }
    }

    /// A `cargo build` for the target.
    pub fn build(&self) -> Command {
        let mut command = self.cargo_build();
        // The core's instruction cache is 2 KiB: one unit, optimised as a whole, saves a third of a pass.
        command
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2");
        command
    }

    fn cargo_build(&self) -> Command {
        match self {
            Self::Native => {
                let mut command = cargo();
                command.args(["build", "--target", TARGET]);
                command
            }
            Self::Debian { cargo, rustc } => {
                let mut command = Command::new(cargo);
                command.args(["build", "-Z", "build-std=core", "--target", TARGET]);
                use_debian_rustc(&mut command, rustc);
                command.env(
                    "CARGO_TARGET_RISCV32IM_UNKNOWN_NONE_ELF_LINKER",
                    DEBIAN_LINKER,
                );
                command
            }
        }
    }
}

/// Finds a toolchain that is there already.
pub fn find() -> Option<Toolchain> {
    if has_native() {
        Some(Toolchain::Native)
    } else {
        find_debian()
    }
}

/// Finds a toolchain, or gets one: rustup's target, else Debian's packages.
pub fn provision() -> Result<Toolchain> {
    if let Some(toolchain) = find() {
        return Ok(toolchain);
    }
    let add = format!("the RISC-V target is missing: running `rustup target add {TARGET}`");
    match run_long(&add, Command::new("rustup").args(["target", "add", TARGET])) {
        Ok(()) if has_native() => return Ok(Toolchain::Native),
        Ok(()) => {
            say("rustup's target is not one of the toolchain in use; trying Debian's packages")
        }
        Err(error) => say(&format!("{error:#}; trying Debian's packages")),
    }
    debian::install(
        &format!("no Rust toolchain has the target {TARGET}, and rustup cannot add it"),
        DEBIAN_PACKAGES,
    )?;
    match find_debian() {
        Some(toolchain) => Ok(toolchain),
        None => bail!(
            "Debian's packages `{}` lack rustc, cargo or {DEBIAN_LINKER}",
            DEBIAN_PACKAGES.join(" ")
        ),
    }
}

fn has_native() -> bool {
    has_target(TARGET)
}

/// Whether the toolchain in use has a target's libraries.
pub fn has_target(target: &str) -> bool {
    output(rustc().args(["--print", "target-libdir", "--target", target]))
        .is_ok_and(|folder| PathBuf::from(folder.trim()).is_dir())
}

/// A program of one of Debian's packages, if that is installed.
pub fn debian_program(package: &str, name: &str) -> Option<PathBuf> {
    let files = output(Command::new("dpkg").args(["-L", package])).ok()?;
    files
        .lines()
        .find(|file| file.ends_with(&format!("/usr/bin/{name}")))
        .map(PathBuf::from)
}

/// Makes a cargo command use Debian's compiler, with the flags of an unstable one.
pub fn use_debian_rustc(command: &mut Command, rustc: &Path) {
    command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    // Set by the cargo and rustup that run us, for another compiler.
    for name in [
        "LD_LIBRARY_PATH",
        "RUSTUP_TOOLCHAIN",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "CARGO",
    ] {
        command.env_remove(name);
    }
}

fn find_debian() -> Option<Toolchain> {
    let (cargo, rustc) = (
        debian_program("cargo-web", "cargo")?,
        debian_program("rustc-web", "rustc")?,
    );
    let has_source = output(Command::new("dpkg").args(["-L", "rust-web-src"])).is_ok();
    let has_linker = output(Command::new(DEBIAN_LINKER).arg("--version")).is_ok();
    (has_source && has_linker).then_some(Toolchain::Debian { cargo, rustc })
}

/// Whether rustup is there to be asked.
pub fn has_rustup() -> bool {
    version(Command::new("rustup").arg("--version")).is_some()
}
