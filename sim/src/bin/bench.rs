//! The bench: measures the running chain and prints, writes or documents the figures. Started by `cargo xtask bench`.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use pinring_sim::bench::{self, ALL, Job, Measurement, PEERS, Progress, Row};
use pinring_sim::device::Tools;

/// Measure what driver core, firmware and gateware reach, each figure beside the limit of the link.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Write the figures as JSON: rows of metric, conditions, value, unit
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Only the conditions that matter most, with shorter transfers
    #[arg(long)]
    quick: bool,
    /// Only this measurement, as --list names it; may be given again
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(ALL.iter().map(|m| m.name)))]
    only: Vec<String>,
    /// List the measurements
    #[arg(long, exclusive = true)]
    list: bool,
    /// Also the same transfer with LitePCIe's DMA, in the same link and host
    #[arg(long)]
    peers: bool,
    /// Folder of LitePCIe's Verilog; `cargo xtask bench` gives it
    #[arg(long, value_name = "DIR", hide = true)]
    peers_verilog: Option<PathBuf>,
    /// Measure only what --only names; take all other figures from this file, which an earlier run wrote as --json
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write docs/benchmarks.md and its plots; needs figures of everything but --peers
    #[arg(long)]
    write_docs: bool,
    /// File with the driver's counted instructions; `cargo xtask bench` gives it
    #[arg(long, value_name = "FILE", hide = true)]
    instructions: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for measurement in ALL {
            let when = if measurement.name == PEERS {
                " (with --peers)"
            } else {
                ""
            };
            println!("{:12} {}{when}", measurement.name, measurement.title);
        }
        return Ok(());
    }
    let begin = Instant::now();
    let chosen = choose(arguments);
    let earlier = match &arguments.from {
        Some(path) => earlier(path, &chosen)?,
        None => Vec::new(),
    };
    if arguments.write_docs {
        whole(&chosen, &earlier)?;
    }
    let tools = tools()?;
    if let Some(path) = &arguments.json {
        // A path that cannot be written does not cost a run.
        fs::write(path, "[]\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&cancel);
    ctrlc::set_handler(move || signal.store(true, Ordering::Relaxed))
        .context("cannot catch Ctrl-C")?;

    let context = bench::Context {
        tools: &tools,
        cancel: &cancel,
        quick: arguments.quick,
        peers: arguments.peers_verilog.as_deref(),
    };
    let jobs: Vec<Job> = chosen
        .iter()
        .flat_map(|one| (one.jobs)(arguments.quick))
        .collect();
    let (mut rows, mut errors) = measure(&jobs, &context)?;
    match &arguments.instructions {
        Some(file) => match bench::instructions(file) {
            Ok(counted) => rows.extend(counted),
            Err(error) => errors.push(format!("instructions: {error}")),
        },
        None if chosen.iter().any(|one| one.name == "host-cost") => {
            eprintln!("instructions were not counted: that needs valgrind");
        }
        None => {}
    }

    let is_cancelled = cancel.load(Ordering::Relaxed);
    if errors.is_empty() && !is_cancelled && !jobs.is_empty() {
        let minutes = begin.elapsed().as_secs_f64() / 60.0;
        rows.extend(bench::ended(minutes, &processor(), arguments.quick));
    }
    rows.extend(earlier);

    for measurement in &chosen {
        if let Some(table) = bench::table(measurement, &rows) {
            print!("{table}");
        }
    }
    println!();
    for verdict in bench::verdicts(&rows)
        .iter()
        .filter(|verdict| verdict.worst.is_some())
    {
        println!(
            "{:9} {} ({})",
            verdict.word(),
            verdict.promise,
            verdict.figure()
        );
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&rows)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    for error in &errors {
        eprintln!("error: {error}");
    }
    if is_cancelled {
        bail!("interrupted: the tables hold what was complete by then");
    }
    if !errors.is_empty() {
        bail!("{} of {} runs failed", errors.len(), jobs.len());
    }
    if arguments.write_docs {
        write_docs(&rows)?;
    }
    Ok(())
}

/// What is measured.
fn choose(arguments: &Arguments) -> Vec<&'static Measurement> {
    let is_all = arguments.only.is_empty() && arguments.from.is_none();
    ALL.iter()
        .filter(|one| {
            let named = arguments.only.iter().any(|name| name == one.name);
            match one.name {
                PEERS => arguments.peers || named,
                _ => named || is_all,
            }
        })
        .collect()
}

/// Figures of an earlier run, without those that are measured anew.
fn earlier(path: &Path, anew: &[&Measurement]) -> Result<Vec<Row>> {
    let show = || format!("cannot take figures from {}", path.display());
    let text = fs::read_to_string(path).with_context(show)?;
    bench::earlier(&text, anew)
        .map_err(anyhow::Error::msg)
        .with_context(show)
}

/// Refuses to document a part as if it were everything.
fn whole(chosen: &[&Measurement], earlier: &[Row]) -> Result<()> {
    let is_there = |name| {
        chosen.iter().any(|one| one.name == name)
            || earlier.iter().any(|row| row.measurement() == name)
    };
    let missing: Vec<&str> = ALL
        .iter()
        .map(|one| one.name)
        .filter(|&name| name != PEERS && !is_there(name))
        .collect();
    if !missing.is_empty() {
        bail!(
            "--write-docs needs figures of everything: {} would be missing (--from gives those of an earlier run)",
            missing.join(", ")
        );
    }
    Ok(())
}

fn measure(jobs: &[Job], context: &bench::Context<'_>) -> Result<(Vec<Row>, Vec<String>)> {
    const STEPS: f64 = 10_000.0;
    let bar = ProgressBar::new(STEPS as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {percent:>3} % {msg}, {eta} left",
    )?);
    if jobs.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    eprintln!("preparing the gateware (the first time takes minutes, then it is kept)");
    let is_terminal = std::io::stderr().is_terminal();
    let show = |now: Progress<'_>| {
        bar.set_position((now.share * STEPS) as u64);
        bar.set_message(now.job.to_string());
        if now.is_end && !is_terminal {
            eprintln!("{:>3.0} % {}", now.share * 100.0, now.job);
        }
    };
    let result = bench::work(jobs, context, &show);
    bar.finish_and_clear();
    Ok(result)
}

/// Writes the document and its pictures.
fn write_docs(rows: &[Row]) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let plots = bench::plots(rows).map_err(anyhow::Error::msg)?;
    for (name, text) in &plots {
        let path = docs.join(format!("images/bench-{name}.svg"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let names: Vec<_> = plots.iter().map(|(name, _)| *name).collect();
    let path = docs.join("benchmarks.md");
    fs::write(&path, bench::document(rows, &names))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote docs/benchmarks.md and {} plots", plots.len());
    Ok(())
}

/// What simulated: cores and their model.
fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model.trim());
    format!("{cores} cores of {model}")
}

fn tools() -> Result<Tools> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .with_context(|| format!("{name} is not set: start the bench with `cargo xtask bench`"))
    };
    Ok(Tools {
        processor: variable("PINRING_VEXRISCV")?,
        firmware: variable("PINRING_FIRMWARE_HEX")?,
        elf: std::env::var_os("PINRING_FIRMWARE_ELF").map(PathBuf::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["bench"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
        assert!(parse("--only speed --only burst --quick --json a.json").is_ok());
        for refused in ["--only nothing", "--list --quick", "--from"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn documents_are_written_of_whole_runs_only() {
        let chosen = |line| choose(&parse(line).expect("arguments"));
        let ended = bench::ended(1.0, "a processor", false);
        assert!(whole(&chosen("--quick"), &[]).is_ok(), "without peers");
        let refused = whole(&chosen("--only speed --peers"), &ended).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("efficiency, first-byte") && !text.contains("speed, "),
            "{text}"
        );

        let mut rows = ended;
        for one in ALL.iter().filter(|one| one.name != PEERS) {
            rows.push(Row {
                metric: format!("{}.rate", one.name),
                ..rows[0].clone()
            });
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.json");
        fs::write(&file, serde_json::to_string(&rows).expect("JSON")).expect("it is written");
        let speed = chosen("--from all.json --only speed");
        let rest = earlier(&file, &speed).expect("figures");
        assert_eq!((speed.len(), rest.len()), (1, rows.len() - 1));
        assert!(whole(&speed, &rest).is_ok());
        assert!(whole(&[], &rest).is_err(), "speed is missing");
        assert!(chosen("--from all.json").is_empty());
        assert!(earlier(&folder.path().join("none"), &[]).is_err());
    }
}
