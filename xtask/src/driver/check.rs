//! `cargo xtask driver check`: the compiler for Windows reads every line that it will read there, short of the WDK.
//!
//! The client and what it is made of are checked as they are. The driver is checked as Windows builds it (no standard library, no
//! `cfg` of the double), with the crates that need the WDK replaced by ones that give out the double's names: in a workspace of its own
//! below the target folder, so that the repository's lock file keeps the real ones.

use crate::driver::windows::{self, Toolchain};
use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that Windows runs and that need no WDK.
const PACKAGES: &[&str] = &[
    "pinring-protocol",
    "pinring-core",
    "pinring-ioctl",
    "pinring-client",
    "kmdf-sim",
];

/// Crates that need the WDK, with the versions that the driver asks for, and what stands for them.
const REPLACED: &[(&str, &str, &str)] = &[
    ("wdk-sys", "0.5.2", "pub use kmdf_sim::*;"),
    ("wdk-panic", "0.5.0", ""),
    (
        "wdk-alloc",
        "0.4.2",
        "use std::alloc::{GlobalAlloc, Layout, System};\n\
         pub struct WdkAllocator;\n\
         // SAFETY: hands on.\n\
         unsafe impl GlobalAlloc for WdkAllocator {\n\
             unsafe fn alloc(&self, layout: Layout) -> *mut u8 { unsafe { System.alloc(layout) } }\n\
             unsafe fn dealloc(&self, at: *mut u8, layout: Layout) { unsafe { System.dealloc(at, layout) } }\n\
         }",
    ),
];

/// Runs the command.
pub fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = windows::provision()?;
    say(&format!("checking with {}", toolchain.describe()));
    clients(workspace, &toolchain)?;
    driver(workspace, &toolchain)
}

fn clients(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let mut check = toolchain.check();
    check.current_dir(&workspace.root).arg("--examples");
    check.args(["--lib", "--bins", "--target-dir"]);
    check.arg(workspace.target.join("windows"));
    for package in PACKAGES {
        check.args(["--package", package]);
    }
    process::run(&mut check)
}

fn driver(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let folder = write(workspace)?;
    let mut check = toolchain.check();
    check.current_dir(&folder);
    check.args(["--package", "pinring-kmdf", "--target-dir"]);
    check.arg(workspace.target.join("windows"));
    process::run(&mut check)
}

/// Writes the workspace in which the driver is checked.
fn write(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("windows-driver");
    let host_driver = workspace.root.join("host-driver");
    put(&folder.join("src/lib.rs"), "")?;
    put(&folder.join("Cargo.toml"), &manifest(&host_driver))?;
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace.root.join("Cargo.lock"), &lock)
        .with_context(|| format!("cannot write {}", lock.display()))?;
    for (name, version, source) in REPLACED {
        let replaced = folder.join(name);
        put(&replaced.join("src/lib.rs"), source)?;
        let double = host_driver.join("kmdf-sim");
        put(
            &replaced.join("Cargo.toml"),
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n\n\
                 [dependencies]\nkmdf-sim = {{ path = {double:?} }}\n"
            ),
        )?;
    }
    Ok(folder)
}

fn manifest(host_driver: &Path) -> String {
    let driver = host_driver.join("kmdf");
    let mut text = format!(
        "# Made by: cargo xtask driver check\n\
         [package]\nname = \"windows-driver\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\npinring-kmdf = {{ path = {driver:?} }}\n\n[patch.crates-io]\n"
    );
    for (name, ..) in REPLACED {
        text += &format!("{name} = {{ path = \"{name}\" }}\n");
    }
    text
}

/// Writes a file that differs: one that is as it was keeps its time, and cargo its result.
fn put(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|now| now == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
