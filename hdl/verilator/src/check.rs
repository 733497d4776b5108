//! Checks that all emitted Verilog must pass: Verilator's lint and a pass of yosys.

use crate::cache;
use crate::error::{Error, Result};
use crate::ports::Layout;
use crate::tools::{self, Verilator};
use std::path::Path;

/// What generated code cannot help: widths follow rust-hdl's rules, not Verilog's; one text holds all modules; decoders
/// leave reserved bits unused, enums states unnamed.
const LINT_FLAGS: &[&str] = &[
    "--lint-only",
    "-Wall",
    "-Wno-WIDTH",
    "-Wno-DECLFILENAME",
    "-Wno-UNUSED",
];

/// Verilator's lint over `verilog` with top module `top`. Undeclared names are fatal.
///
/// # Errors
/// [`Error::Refused`] with Verilator's own words; [`Error::VerilatorNotFound`]; [`Error::Ports`] for an impossible name.
pub fn lint(verilog: &str, top: &str) -> Result<()> {
    Layout::new(top, &[])?;
    let verilator = Verilator::find()?;
    once(
        verilog,
        &["lint", top, &LINT_FLAGS.join(" "), &verilator.versions()?],
        |folder| {
            let mut command = verilator.command();
            command
                .current_dir(folder)
                .args(LINT_FLAGS)
                .args(["--top-module", top, "design.v"]);
            crate::build::run(&mut command, "Verilator's lint", top, Error::io(folder))
        },
    )
}

/// yosys: `hierarchy -check -top TOP; proc; check -assert`. Undeclared names, unknown modules, wires without a driver or
/// with two, and combinational loops are fatal.
///
/// # Errors
/// [`Error::Refused`] with yosys' own words; [`Error::YosysNotFound`]; [`Error::Ports`] for an impossible name.
pub fn yosys_check(verilog: &str, top: &str) -> Result<()> {
    Layout::new(top, &[])?;
    let yosys = tools::yosys()?;
    let script = format!("read_verilog design.v; hierarchy -check -top {top}; proc; check -assert");
    once(
        verilog,
        &["yosys", &script, &yosys.to_string_lossy()],
        |folder| {
            let mut command = std::process::Command::new(&yosys);
            // WebAssembly is compiled at the first call; the code is kept beside the other tools.
            if std::env::var_os("YOWASP_CACHE_DIR").is_none() {
                command.env("YOWASP_CACHE_DIR", tools::target_dir().join("tools/yowasp"));
            }
            command
                .current_dir(folder)
                .args(["-q", "-e", "implicitly declared", "-p", &script]);
            crate::build::run(&mut command, "yosys", top, Error::io(&yosys))
        },
    )
}

/// Runs `check` in a folder that holds the text as `design.v`, unless it has passed this check (named by `parts`) before.
fn once(verilog: &str, parts: &[&str], check: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let key = cache::key(&[&[verilog], parts].concat());
    cache::folder(&cache::root(), &format!("checked-{key}"), |folder| {
        let design = folder.join("design.v");
        std::fs::write(&design, verilog).map_err(Error::io(&design))?;
        check(folder)
    })
    .map(drop)
}
