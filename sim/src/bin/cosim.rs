//! The main job: runs a scenario, prints its table, writes the report. Started by `cargo xtask cosim`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use clap::{Parser, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use pinring_sim::device::Tools;
use pinring_sim::report::{Report, Timeline, html, table, timelines_svg, unmet};
use pinring_sim::run::{self, Driver, Options, Progress};
use pinring_sim::scenario::Scenario;

/// Transfers of one random scenario.
const STRESS_TRANSFERS: u32 = 16;

/// Behind a failure: what the firmware had to say.
fn show_log<E>(report: &Report, outcome: &Result<(), E>) {
    if outcome.is_err() {
        eprintln!("firmware log:");
        for line in &report.firmware_log {
            eprintln!("  {line}");
        }
    }
}

/// Random scenarios that the largest `--stress` has.
const STRESS_SCENARIOS: u64 = u64::MAX.div_ceil(STRESS_TRANSFERS as u64);

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
    /// Who drives the device: the portable core, or (bursts of one direction) the Windows driver's own code behind the client library
    #[arg(long, value_enum, default_value_t, conflicts_with = "stress")]
    driver: Driver,
    /// With --driver kmdf: random delays and thread switches wherever the driver calls the system or touches the device, from the
    /// scenario's seed; expectations of the scenario that are times may not be met
    #[arg(long)]
    preempt: bool,
    /// Leave out the ranges of times: a third of the run
    #[arg(long)]
    quick: bool,
    /// Write the device's signals (VCD), one file per strategy: slow and large, for short scenarios
    #[arg(long, value_name = "OUT")]
    vcd: Option<PathBuf>,
    /// Instead of a scenario: this many random transfers, every byte checked
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    #[arg(conflicts_with_all = ["scenario", "json", "report", "svg", "quick", "vcd"])]
    stress: Option<u64>,
    /// Seed of the random transfers
    #[arg(long, default_value_t = 1, requires = "stress")]
    seed: u64,
    /// Run only this one of the random scenarios, as a failure names it
    #[arg(long, value_name = "K", requires = "stress")]
    #[arg(value_parser = value_parser!(u64).range(..STRESS_SCENARIOS))]
    only: Option<u64>,
    /// List the scenarios that ship
    #[arg(long, exclusive = true)]
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
    if arguments.preempt && arguments.driver != Driver::Kmdf {
        bail!(
            "--preempt is for --driver kmdf: threads of the portable core's host are preempted every host.preempt_ns"
        );
    }
    let scenario = load(
        arguments
            .scenario
            .as_deref()
            .unwrap_or(Path::new("default")),
        &folder,
    )?;
    let tools = tools()?;
    let outputs = Outputs::open(arguments)?;
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
        tools,
        driver: arguments.driver,
        preempt: arguments.preempt,
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
    let written = outputs.write(&report, &timelines);
    show_log(&report, &outcome);
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
    Ok(missed.is_empty() && written)
}

/// Random scenarios until `transfers` have been checked.
fn stress(arguments: &Arguments, transfers: u64) -> Result<()> {
    let indices = match arguments.only {
        Some(index) => index..index + 1,
        None => 0..transfers.div_ceil(STRESS_TRANSFERS.into()),
    };
    let cancel = AtomicBool::new(false);
    let options = Options {
        tools: tools()?,
        driver: Driver::Core,
        preempt: false,
        trace: None,
        ranges: false,
        cancel: &cancel,
        progress: &|_| {},
    };
    let bar = ProgressBar::new(indices.end - indices.start);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {percent:>3} % {msg}, {eta} left",
    )?);
    let (mut done, mut bytes, mut cycles, mut seconds) = (0, 0, 0, 0.0);
    for index in indices {
        let scenario = pinring_sim::stress::scenario(arguments.seed, index, STRESS_TRANSFERS);
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
        show_log(&report, &outcome);
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

fn tools() -> Result<Tools> {
    Ok(Tools {
        processor: variable("PINRING_VEXRISCV")?,
        firmware: variable("PINRING_FIRMWARE_HEX")?,
        elf: std::env::var_os("PINRING_FIRMWARE_ELF").map(PathBuf::from),
    })
}

/// The files that a run writes at its end, opened at its beginning: a path that cannot be written does not cost a run.
struct Outputs<'a> {
    report: Output<'a>,
    svg: Option<Output<'a>>,
    json: Option<Output<'a>>,
}

impl<'a> Outputs<'a> {
    fn open(arguments: &'a Arguments) -> Result<Self> {
        let open = |option, path: &'a Option<PathBuf>| {
            path.as_deref()
                .map(|path| Output::open(option, path))
                .transpose()
        };
        // The signals' files are opened by the device, after a long build: here only the attempt.
        let vcd = open("--vcd", &arguments.vcd)?;
        let outputs = Self {
            report: Output::open("--report", &arguments.report)?,
            svg: open("--svg", &arguments.svg)?,
            json: open("--json", &arguments.json)?,
        };
        let mut earlier: Vec<&Output> = Vec::new();
        let others = [&vcd, &outputs.svg, &outputs.json].into_iter().flatten();
        for output in others.chain([&outputs.report]) {
            if let Some(same) = earlier.iter().find(|earlier| earlier.is_file_of(output)) {
                bail!(
                    "{} and {} are the same file: {}",
                    same.option,
                    output.option,
                    output.path.display()
                );
            }
            earlier.push(output);
        }
        Ok(outputs)
    }

    /// Writes each, whatever happens to the others. Whether all could be written; what could not is reported.
    fn write(self, report: &Report, timelines: &[Timeline]) -> bool {
        let mut written = true;
        let mut write = |output: Output, text: Result<String>| {
            let (option, path) = (output.option, output.path.display());
            match text.and_then(|text| output.write(&text)) {
                Ok(()) if option == "--report" => println!("report: {path}"),
                Ok(()) => {}
                Err(error) => {
                    written = false;
                    eprintln!("error: {error:#}");
                }
            }
        };
        write(self.report, Ok(html(report, timelines)));
        if let Some(svg) = self.svg {
            let timelines: Vec<_> = timelines.iter().collect();
            write(svg, Ok(timelines_svg(report, &timelines)));
        }
        if let Some(json) = self.json {
            write(json, report.to_json().context("cannot write JSON"));
        }
        written
    }
}

/// One file that can be written. What was in it stays until then; a new one goes again if nothing is written.
struct Output<'a> {
    option: &'static str,
    path: &'a Path,
    new: bool,
    /// Kept open, as the reader of a pipe would take a close for the end.
    _file: File,
}

impl<'a> Output<'a> {
    fn open(option: &'static str, path: &'a Path) -> Result<Self> {
        let mut options = File::options();
        options.write(true);
        let (file, new) = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (options.create(true).truncate(false).open(path), false)
            }
            result => (result, true),
        };
        Ok(Self {
            option,
            path,
            new,
            _file: file.with_context(|| format!("cannot write {option} {}", path.display()))?,
        })
    }

    fn is_file_of(&self, other: &Self) -> bool {
        let place = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
        place(self.path).is_some_and(|path| place(other.path) == Some(path))
    }

    fn write(mut self, text: &str) -> Result<()> {
        self.new = false;
        std::fs::write(self.path, text)
            .with_context(|| format!("cannot write {} {}", self.option, self.path.display()))
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if self.new {
            // Nothing is lost if it stays: it is empty.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind::{ArgumentConflict, ValueValidation};
    use std::fs;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["cosim"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn arguments_that_would_be_ignored_or_overflow_are_refused() {
        Arguments::command().debug_assert();
        for (line, kind) in [
            ("--stress 0", ValueValidation),
            ("--stress 16 --only 18446744073709551615", ValueValidation),
            ("--stress 16 --report out.html", ArgumentConflict),
            ("--stress 16 --quick", ArgumentConflict),
            ("--stress 16 --scenario small", ArgumentConflict),
            ("--list --scenario small", ArgumentConflict),
        ] {
            let error = parse(line).err().map(|error| error.kind());
            assert_eq!(error, Some(kind), "{line}");
        }
        for line in [
            "",
            "--list",
            "--quick --report out.html",
            "--stress 18446744073709551615 --seed 3",
            "--stress 16 --only 1152921504606846975",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    fn arguments(folder: &Path, report: &str, json: &str, svg: &str) -> Arguments {
        Arguments {
            report: folder.join(report),
            json: Some(folder.join(json)),
            svg: Some(folder.join(svg)),
            ..parse("").unwrap()
        }
    }

    #[test]
    fn unwritable_output_is_named_before_the_run_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let refuse = |arguments: Arguments| match Outputs::open(&arguments) {
            Ok(_) => panic!("these outputs can be written"),
            Err(error) => format!("{error:#}"),
        };
        fs::write(folder.path().join("old.html"), "old").unwrap();
        let error = refuse(arguments(folder.path(), "old.html", "a.json", "no/b.svg"));
        let path = folder.path().join("no/b.svg");
        let start = format!("cannot write --svg {}: ", path.display());
        assert!(error.starts_with(&start), "{error}");
        let error = refuse(arguments(folder.path(), "new.html", ".", "b.svg"));
        assert!(error.starts_with("cannot write --json "), "{error}");
        let error = refuse(arguments(folder.path(), "old.html", "a", "./a"));
        assert!(error.contains("--svg and --json are the same"), "{error}");
        let mut traced = arguments(folder.path(), "new.html", "a.json", "b.svg");
        traced.vcd = Some(folder.path().join("no/c.vcd"));
        assert!(refuse(traced).starts_with("cannot write --vcd "));

        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(fs::read(left[0].path()).unwrap(), b"old");
    }

    #[test]
    fn one_output_that_fails_does_not_cost_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments(folder.path(), "a/a.html", "a.json", "a.svg");
        fs::create_dir(folder.path().join("a")).unwrap();
        let outputs = Outputs::open(&arguments).unwrap();
        fs::remove_dir_all(folder.path().join("a")).unwrap();
        let scenario = Scenario::default();
        let report = Report::new(&scenario, run::ceiling_ns(&scenario));
        assert!(!outputs.write(&report, &[]));
        let json = fs::read_to_string(folder.path().join("a.json")).unwrap();
        assert!(json.starts_with('{'), "{json}");
        let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
        assert!(svg.starts_with("<svg"), "{svg}");
    }
}
