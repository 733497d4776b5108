//! `cargo xtask driver package`: the driver package, which only Windows can build.

use crate::process::{self, say, version};
use crate::workspace::{Workspace, cargo};
use anyhow::{Result, bail};
use std::process::Command;

/// The version of cargo-wdk whose options these are.
const CARGO_WDK: &str = "0.2.0";

#[derive(clap::Args)]
pub struct Arguments {
    /// Only build, sign and check the INF: the certificate need not be trusted here
    #[arg(long)]
    no_verify: bool,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !cfg!(windows) {
        bail!("{}", explain());
    }
    if version(cargo().args(["wdk", "--version"])).is_none() {
        bail!("cargo-wdk is missing: cargo install --locked --version {CARGO_WDK} cargo-wdk");
    }
    let mut build = build(workspace, arguments);
    process::run(&mut build)?;
    let package = workspace.target.join("release/pinring_kmdf_package");
    say(&format!(
        "the package is in {}; docs/windows.md says how to install it",
        workspace.show(&package)
    ));
    Ok(())
}

fn build(workspace: &Workspace, arguments: &Arguments) -> Command {
    let mut command = cargo();
    command
        .current_dir(workspace.root.join("host-driver/kmdf"))
        // A kernel has nothing to unwind with; the workspace's other crates do.
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .args(["wdk", "build", "--profile", "release", "--locked"])
        .args(["--target-platform", "windows"]);
    if !arguments.no_verify {
        command.arg("--verify-signature");
    }
    command
}

fn explain() -> String {
    format!(
        "the driver package is built on Windows, with the WDK (docs/windows.md has the whole way):
  winget install LLVM.LLVM --version 17.0.6
  winget install Microsoft.WindowsWDK.10.0.26100
  cargo install --locked --version {CARGO_WDK} cargo-wdk
  cargo xtask driver package --no-verify    (then trust the certificate, and once more without)
Here, `cargo xtask driver check` has the driver's source checked by the compiler for Windows, without the WDK."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn kernel_code_is_built_to_abort_and_the_signature_is_verified_unless_told() {
        let workspace = Workspace {
            root: PathBuf::from("root"),
            target: PathBuf::from("root/target"),
        };
        let line = |no_verify| {
            let command = build(&workspace, &Arguments { no_verify });
            assert!(
                command
                    .get_envs()
                    .any(|(name, value)| name == "CARGO_PROFILE_RELEASE_PANIC"
                        && value.is_some_and(|value| value == "abort"))
            );
            let words = command.get_args().map(|word| word.to_string_lossy());
            words.collect::<Vec<_>>().join(" ")
        };
        assert!(line(false).ends_with("--verify-signature"));
        assert!(!line(true).contains("--verify-signature"));
    }
}
