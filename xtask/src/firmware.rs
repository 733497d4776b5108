//! `cargo xtask firmware`.

use crate::image::{Image, MEMORY_BYTES};
use crate::process::{self, say};
use crate::riscv::{self, TARGET};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The package of the device's firmware.
pub const PACKAGE: &str = "pinring-firmware-rv32";

/// The package of the self-test's host.
pub const SELFTEST_PACKAGE: &str = "pinring-selftest";

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for firmware.elf, firmware.hex and selftest.hex [default: firmware in the target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The files that were built.
pub struct Firmware {
    /// ELF file, with what defmt-decoder needs.
    pub elf: PathBuf,
    /// Words of the soft core's memory, for `$readmemh`.
    pub words: PathBuf,
    /// Words of the memory of the self-test's host, for `$readmemh`.
    pub selftest: PathBuf,
}

/// Builds the firmware and the self-test, and checks that they fit the memories that they run from.
pub fn build(workspace: &Workspace, out: Option<&PathBuf>) -> Result<Firmware> {
    let toolchain = riscv::provision()?;
    say(&format!(
        "building the firmware with {}",
        toolchain.describe()
    ));
    // A folder of its own: another compiler's output must not displace the workspace's.
    let target = workspace.target.join("rv32");
    let out = out
        .cloned()
        .unwrap_or_else(|| workspace.target.join("firmware"));
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let image = |package, words: &Path| -> Result<Vec<u8>> {
        let mut command = toolchain.build();
        command
            .current_dir(&workspace.root)
            .args(["--quiet", "--release", "--package", package]);
        command.arg("--target-dir").arg(&target);
        if std::env::var_os("DEFMT_LOG").is_none() {
            command.env("DEFMT_LOG", "info");
        }
        process::run(&mut command)?;
        let built = target.join(TARGET).join("release").join(package);
        let elf = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
        let image = Image::from_elf(&elf).with_context(|| workspace.show(&built))?;
        write(words, image.words().as_bytes())?;
        say(&format!(
            "{}: {} bytes loaded, {} of {MEMORY_BYTES} bytes of memory used",
            workspace.show(words),
            image.loaded,
            image.occupied
        ));
        Ok(elf)
    };
    let firmware = Firmware {
        elf: out.join("firmware.elf"),
        words: out.join("firmware.hex"),
        selftest: out.join("selftest.hex"),
    };
    let elf = image(PACKAGE, &firmware.words)?;
    write(&firmware.elf, &elf)?;
    image(SELFTEST_PACKAGE, &firmware.selftest)?;
    Ok(firmware)
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    build(workspace, arguments.out.as_ref()).map(drop)
}
