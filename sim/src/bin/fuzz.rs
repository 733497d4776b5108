//! Random transfers and faults through the whole chain, until the time is over. Started by `cargo xtask fuzz`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, value_parser};
use cpu_time::ProcessTime;
use indicatif::{ProgressBar, ProgressStyle};
use pinring_sim::device::Tools;
use pinring_sim::fuzz::{self, Figures, Finding};
use pinring_sim::run::{Driver, Options};
use pinring_sim::scenario::Scenario;
use serde::Serialize;

/// Cases that are run to make a failing one smaller.
const SHRINKING: usize = 150;

/// Findings after which there is enough to do.
const FINDINGS: usize = 5;

/// Random transfers and faults through driver core, firmware and gateware. Every byte, every report and every status is checked.
#[derive(Parser)]
#[command(
    name = "cargo xtask fuzz --target cosim --",
    bin_name = "cargo xtask fuzz --target cosim --"
)]
struct Arguments {
    /// Seconds after which no further case begins
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// At most this many cases
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// Seed: the same one gives the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only this one of the seed's cases
    #[arg(long, value_name = "K")]
    only: Option<u64>,
    /// Run this scenario file and judge it, as one that a failure has left
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "cases", "seconds", "seed"])]
    replay: Option<PathBuf>,
    /// Widths of the data path, in bits: each case takes one
    #[arg(long, value_name = "BITS", value_delimiter = ',', default_values_t = [64, 128, 256, 512])]
    #[arg(value_parser = value_parser!(u32))]
    widths: Vec<u32>,
    /// Folder for scenario files of failures
    #[arg(long, value_name = "DIR", default_value = "target/fuzz/findings")]
    findings: PathBuf,
    /// Write the closing figures as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

/// What is printed at the end.
#[derive(Serialize)]
struct Closing {
    seed: u64,
    #[serde(flatten)]
    figures: Figures,
    findings: Vec<String>,
    cpu_seconds: f64,
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

/// Whether nothing was found.
fn work(arguments: &Arguments) -> Result<bool> {
    for width in &arguments.widths {
        if ![64, 128, 256, 512].contains(width) {
            bail!("--widths {width}: a data path has 64, 128, 256 or 512 bits");
        }
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&cancel);
    ctrlc::set_handler(move || signal.store(true, Ordering::Relaxed))
        .context("cannot catch Ctrl-C")?;
    let options = Options {
        tools: tools()?,
        driver: Driver::Core,
        preempt: false,
        trace: None,
        ranges: false,
        cancel: &cancel,
        progress: &|_| {},
    };
    if let Some(file) = &arguments.replay {
        return replay(file, &options);
    }
    // What panics is caught and told by its finding; this says where it was.
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("panic at {place}");
        }
    }));
    let bar = ProgressBar::new(arguments.seconds);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} s  {msg}",
    )?);
    let begun = Instant::now();
    let limit = Duration::from_secs(arguments.seconds);
    let indices = match arguments.only {
        Some(index) => index..index.saturating_add(1),
        None => 0..arguments.cases.unwrap_or(u64::MAX),
    };
    let (mut figures, mut findings) = (Figures::default(), Vec::new());
    for index in indices {
        if cancel.load(Ordering::Relaxed) || begun.elapsed() >= limit || findings.len() >= FINDINGS
        {
            break;
        }
        let case = fuzz::case(arguments.seed, index, &arguments.widths);
        match fuzz::check(&case, &options) {
            Ok(Some(found)) => figures.add(&found),
            Ok(None) => break,
            Err(finding) => {
                bar.suspend(|| eprintln!("case {index}: {finding}\nmaking it smaller"));
                let (text, file) = keep(arguments, index, &case, &finding, &options)?;
                bar.suspend(|| {
                    eprintln!(
                        "{text}\nagain with: cargo xtask fuzz --replay {}",
                        file.display()
                    );
                });
                findings.push(format!("{}: {text}", file.display()));
            }
        }
        bar.set_position(begun.elapsed().as_secs().min(arguments.seconds));
        bar.set_message(format!(
            "case {index}: {} transfers, {} faults, {} findings",
            figures.transfers_checked,
            figures.faults_injected,
            findings.len()
        ));
    }
    bar.finish_and_clear();
    let closing = Closing {
        seed: arguments.seed,
        figures,
        findings,
        cpu_seconds: ProcessTime::now().as_duration().as_secs_f64(),
    };
    println!(
        "co-simulation: {} cases from seed {}, {} faults injected ({} without an occasion), {} transfers checked ({} failed as they should), \
         {} findings; {:.0} CPU seconds",
        figures.cases,
        arguments.seed,
        figures.faults_injected,
        figures.faults_without_occasion,
        figures.transfers_checked,
        figures.transfers_failed,
        closing.findings.len(),
        closing.cpu_seconds
    );
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&closing).context("cannot write JSON")?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(closing.findings.is_empty())
}

/// Runs one file.
fn replay(file: &Path, options: &Options<'_>) -> Result<bool> {
    let scenario = Scenario::load(file)?;
    match fuzz::check(&scenario, options) {
        Ok(Some(figures)) => {
            println!(
                "nothing found: {} faults injected, {} transfers checked, {} failed as they should",
                figures.faults_injected, figures.transfers_checked, figures.transfers_failed
            );
            Ok(true)
        }
        Ok(None) => bail!("interrupted"),
        Err(finding) => {
            eprintln!("{finding}");
            Ok(false)
        }
    }
}

/// Makes a failing case smaller and writes it to a file.
fn keep(
    arguments: &Arguments,
    index: u64,
    case: &Scenario,
    finding: &Finding,
    options: &Options<'_>,
) -> Result<(String, PathBuf)> {
    let mut last = finding.clone();
    let mut small = fuzz::shrink(case, SHRINKING, |simpler| {
        match fuzz::check(simpler, options) {
            Err(found) if found.kind == finding.kind => {
                last = found;
                true
            }
            _ => false,
        }
    });
    let text = last.to_string();
    small.description = text.lines().next().unwrap_or_default().to_string();
    fs::create_dir_all(&arguments.findings)
        .with_context(|| format!("cannot make {}", arguments.findings.display()))?;
    let file = arguments
        .findings
        .join(format!("cosim-{}-{index}.toml", arguments.seed));
    let toml = toml::to_string(&small).context("cannot write the scenario")?;
    fs::write(&file, toml).with_context(|| format!("cannot write {}", file.display()))?;
    Ok((text, file))
}

fn variable(name: &str) -> Result<PathBuf> {
    std::env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set: start this with `cargo xtask fuzz`"))
}

fn tools() -> Result<Tools> {
    Ok(Tools {
        processor: variable("PINRING_VEXRISCV")?,
        firmware: variable("PINRING_FIRMWARE_HEX")?,
        elf: std::env::var_os("PINRING_FIRMWARE_ELF").map(PathBuf::from),
    })
}
