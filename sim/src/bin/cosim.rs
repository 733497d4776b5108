//! The main job: runs a scenario, prints its table, writes the report. Started by `cargo xtask cosim`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use pinring_sim::device::Tools;
use pinring_sim::report::{Report, html, table, timelines_svg, unmet};
use pinring_sim::run::{self, Options, Progress};
use pinring_sim::scenario::Scenario;

/// Run a workload through driver core, firmware and gateware, and say what every strategy takes.
#[derive(Parser)]
#[command(name = "cargo xtask cosim", bin_name = "cargo xtask cosim")]
struct Arguments {
    /// Scenario file, or the name of one in sim/scenarios [default: default]
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write the results as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Write the report page
    #[arg(long, value_name = "OUT", default_value = "report.html")]
    report: PathBuf,
    /// Write the timelines as one SVG picture
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
    /// Leave out the ranges of times: a third of the run
    #[arg(long)]
    quick: bool,
    /// Write the device's signals (VCD), one file per strategy: slow and large, for short scenarios
    #[arg(long, value_name = "OUT")]
    vcd: Option<PathBuf>,
    /// Instead of a scenario: this many random transfers, every byte checked
    #[arg(long, value_name = "N", conflicts_with_all = ["scenario", "json", "svg", "vcd"])]
    stress: Option<u64>,
    /// Seed of the random transfers
    #[arg(long, default_value_t = 1, requires = "stress")]
    seed: u64,
    /// Run only this one of the random scenarios, as a failure names it
    #[arg(long, value_name = "K", requires = "stress")]
    only: Option<u64>,
    /// List the scenarios that ship
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match work(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the run met what its scenario expects.
fn work(arguments: &Arguments) -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    if arguments.list {
        return list(&folder).map(|()| true);
    }
    if let Some(transfers) = arguments.stress {
        return stress(arguments, transfers).map(|()| true);
    }
    let scenario = load(
        arguments
            .scenario
            .as_deref()
            .unwrap_or(Path::new("default")),
        &folder,
    )?;
    let cancel = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&cancel);
    ctrlc::set_handler(move || signal.store(true, Ordering::Relaxed))
        .context("cannot catch Ctrl-C")?;

    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {percent:>3} % {msg}, {eta} left",
    )?);
    eprintln!("preparing the gateware (the first time takes minutes, then it is kept)");
    let show = |now: Progress| {
        bar.set_length(now.total);
        bar.set_position(now.done);
        bar.set_message(format!(
            "{}, {:.0} k cycles/s",
            now.strategy,
            now.rate / 1000.0
        ));
    };
    let options = Options {
        tools: Tools {
            processor: variable("PINRING_VEXRISCV")?,
            firmware: variable("PINRING_FIRMWARE_HEX")?,
        },
        trace: arguments.vcd.clone(),
        ranges: !arguments.quick && arguments.vcd.is_none(),
        cancel: &cancel,
        progress: &show,
    };
    let mut report = Report::new(&scenario, run::ceiling_ns(&scenario));
    let mut timelines = Vec::new();
    let outcome = run::run(&scenario, &options, &mut report, &mut timelines);
    report.partial |= outcome.is_err();
    bar.finish_and_clear();

    print!("{}", table(&report));
    write(&arguments.report, &html(&report, &timelines))?;
    println!("report: {}", arguments.report.display());
    if let Some(path) = &arguments.svg {
        write(
            path,
            &timelines_svg(&report, &timelines.iter().collect::<Vec<_>>()),
        )?;
    }
    if let Some(path) = &arguments.json {
        write(path, &report.to_json()?)?;
    }
    outcome?;
    if cancel.load(Ordering::Relaxed) {
        bail!("interrupted: the report holds what was complete by then");
    }
    let mismatches: u64 = report
        .strategies
        .iter()
        .map(|strategy| strategy.mismatches)
        .sum();
    if mismatches > 0 {
        bail!("{mismatches} payload bytes arrived wrong");
    }
    let missed = unmet(&report, &scenario);
    for miss in &missed {
        eprintln!("not met: {miss}");
    }
    Ok(missed.is_empty())
}

/// Random scenarios of 16 transfers until `transfers` have been checked.
fn stress(arguments: &Arguments, transfers: u64) -> Result<()> {
    const EACH: u32 = 16;
    let scenarios = transfers.div_ceil(EACH.into());
    let cancel = AtomicBool::new(false);
    let options = Options {
        tools: Tools {
            processor: variable("PINRING_VEXRISCV")?,
            firmware: variable("PINRING_FIRMWARE_HEX")?,
        },
        trace: None,
        ranges: false,
        cancel: &cancel,
        progress: &|_| {},
    };
    let bar = ProgressBar::new(scenarios);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {percent:>3} % {msg}, {eta} left",
    )?);
    let (mut done, mut bytes, mut cycles, mut seconds) = (0, 0, 0, 0.0);
    let indices = match arguments.only {
        Some(index) => index..index + 1,
        None => 0..scenarios,
    };
    for index in indices {
        let scenario = pinring_sim::stress::scenario(arguments.seed, index, EACH);
        let mut report = Report::new(&scenario, run::ceiling_ns(&scenario));
        let outcome = run::run(&scenario, &options, &mut report, &mut Vec::new());
        let wrong: u64 = report
            .strategies
            .iter()
            .map(|strategy| strategy.mismatches)
            .sum();
        let again = format!(
            "random scenario {index}; again with: cargo xtask cosim --stress {transfers} --seed {} --only {index}",
            arguments.seed
        );
        outcome.with_context(|| again.clone())?;
        if wrong > 0 {
            bail!("{wrong} payload bytes arrived wrong in {again}");
        }
        for strategy in &report.strategies {
            done += strategy.completions;
            bytes += strategy.bytes;
        }
        cycles += report.sim.cycles;
        seconds += report.sim.cpu_seconds;
        bar.inc(1);
        bar.set_message(format!(
            "{done} transfers, {:.0} k cycles/s",
            cycles as f64 / seconds / 1000.0
        ));
    }
    bar.finish_and_clear();
    println!(
        "{done} random transfers, {bytes} bytes, 0 mismatches; {cycles} device cycles in {seconds:.1} CPU seconds"
    );
    Ok(())
}

/// A scenario by file, or by name from those that ship.
fn load(name: &Path, folder: &Path) -> Result<Scenario> {
    let shipped = folder.join(name).with_extension("toml");
    let path = if name.exists() || !shipped.exists() {
        name
    } else {
        &shipped
    };
    Ok(Scenario::load(path)?)
}

fn list(folder: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
    {
        let scenario = Scenario::load(file)?;
        println!("{:14} {}", scenario.name, scenario.description);
    }
    Ok(())
}

fn variable(name: &str) -> Result<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).with_context(|| {
        format!("{name} is not set: start the co-simulation with `cargo xtask cosim`")
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
