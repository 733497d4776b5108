//! `cargo xtask fuzz`.

use crate::process::{self, run_logged, say};
use crate::test::environment;
use crate::workspace::{Workspace, cargo};
use crate::{cargo_tool, cosim, firmware, native, python};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Version of cargo-fuzz.
pub const CARGO_FUZZ: &str = "0.13.2";

/// The co-simulation's name among the targets.
const COSIM: &str = "cosim";

/// A target of libFuzzer.
struct Target {
    name: &'static str,
    /// Its crate, from the root: a workspace of its own.
    folder: &'static str,
    /// Longest input: what one sequence can make use of.
    max_len: u32,
    what: &'static str,
}

const TARGETS: &[Target] = &[
    Target {
        name: "decode",
        folder: "protocol/fuzz",
        max_len: 160,
        what: "protocol's decoders",
    },
    Target {
        name: "rings",
        folder: "protocol/fuzz",
        max_len: 1024,
        what: "ring indices from a hostile peer",
    },
    Target {
        name: "lying",
        folder: "host-driver/core/fuzz",
        max_len: 1024,
        what: "driver core against a device that lies",
    },
    Target {
        name: "scenario",
        folder: "sim/fuzz",
        max_len: 4096,
        what: "scenario files",
    },
    Target {
        name: "ioctls",
        folder: "host-driver/kmdf/fuzz",
        max_len: 1540,
        what: "control codes of the Windows driver",
    },
];

/// Crates with targets of libFuzzer, each once.
pub fn crates() -> Vec<&'static str> {
    let mut folders: Vec<_> = TARGETS.iter().map(|target| target.folder).collect();
    folders.dedup();
    folders
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Seconds in all, builds not counted: half of them for the co-simulation, the rest in equal parts
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Seed: the same one gives the same cases of the co-simulation
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only these targets: decode, rings, lying, scenario, ioctls (libFuzzer), cosim; all the time is theirs
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    target: Vec<String>,
    /// Write the closing figures as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Run one input again: a scenario file (.toml) of the co-simulation, or with --target an input of that
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Further arguments for the co-simulation's part, such as `--only 17` or `--widths 128`
    #[arg(last = true)]
    cosim: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// What cannot be built or started; findings.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let (targets, with_cosim) = choose(&arguments.target)?;
    if let Some(file) = &arguments.replay {
        return replay(workspace, file, &targets);
    }
    let folder = workspace.target.join("fuzz");
    let findings = folder.join("findings");
    fs::create_dir_all(&findings).with_context(|| format!("cannot make {}", findings.display()))?;
    // Everything is built before the time begins.
    let tool = match targets.is_empty() {
        true => None,
        false => Some(cargo_tool::provision(workspace, "cargo-fuzz", CARGO_FUZZ)?),
    };
    for target in &targets {
        build(workspace, tool.as_deref(), target)?;
    }
    let mut chain = match with_cosim {
        true => Some(chain(workspace)?),
        false => None,
    };
    let (each, of_cosim) = shares(arguments.seconds, targets.len(), with_cosim);
    let (mut rows, mut found) = (Vec::new(), 0);
    for target in &targets {
        let row = fuzz(workspace, tool.as_deref(), target, each, arguments.seed)?;
        found += u64::from(!row["finding"].is_null());
        rows.push(row);
    }
    let mut cosim = Value::Null;
    if let Some(command) = &mut chain {
        let figures = folder.join("cosim.json");
        command
            .args(["--seconds", &of_cosim.to_string()])
            .args(["--seed", &arguments.seed.to_string()])
            .arg("--findings")
            .arg(&findings)
            .arg("--json")
            .arg(&figures)
            .args(&arguments.cosim);
        // Of an earlier run.
        let _ = fs::remove_file(&figures);
        let ended = process::run(command);
        let text = match (fs::read_to_string(&figures), ended) {
            (Ok(text), _) => text,
            (Err(_), Err(error)) => return Err(error),
            (Err(error), Ok(())) => {
                return Err(error).with_context(|| format!("no {}", figures.display()));
            }
        };
        cosim = serde_json::from_str(&text).context("the co-simulation's figures")?;
        found += cosim["findings"].as_array().map_or(0, Vec::len) as u64;
    }
    for row in &rows {
        println!(
            "{:<9} {:>12} executions in {} s: {}",
            row["target"].as_str().unwrap_or_default(),
            row["executions"].to_string(),
            row["seconds"],
            row["finding"].as_str().unwrap_or("nothing found")
        );
    }
    if let Some(path) = &arguments.json {
        let closing = json!({
            "seconds": arguments.seconds, "seed": arguments.seed, "targets": rows, "cosim": cosim, "findings": found,
        });
        let text = serde_json::to_string_pretty(&closing)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if found > 0 {
        bail!("{found} findings: see {}", workspace.show(&findings));
    }
    println!("nothing found");
    Ok(())
}

/// The targets of libFuzzer that were asked for, and whether the co-simulation was.
fn choose(names: &[String]) -> Result<(Vec<&'static Target>, bool)> {
    let known = |name: &str| name == COSIM || TARGETS.iter().any(|target| target.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!(
            "--target {unknown}: there are {} and {COSIM}",
            all.join(", ")
        );
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let targets = TARGETS.iter().filter(|target| wanted(target.name));
    Ok((targets.collect(), wanted(COSIM)))
}

/// Seconds of each target of libFuzzer, and of the co-simulation.
fn shares(seconds: u64, targets: usize, cosim: bool) -> (u64, u64) {
    let targets = targets as u64;
    let of_cosim = match (targets, cosim) {
        (_, false) => 0,
        (0, true) => seconds,
        (_, true) => seconds.div_ceil(2),
    };
    let each = (seconds - of_cosim).checked_div(targets).unwrap_or(0);
    (each.max(1), of_cosim)
}

/// A command of cargo-fuzz for a target. Without a sanitizer stable Rust will do, if it is told that its unstable flags are wanted.
fn cargo_fuzz(
    workspace: &Workspace,
    tool: Option<&Path>,
    command: &str,
    target: &Target,
) -> Result<Command> {
    let mut fuzz = Command::new(tool.context("cargo-fuzz is provisioned with its targets")?);
    fuzz.current_dir(&workspace.root)
        .env("RUSTC_BOOTSTRAP", "1")
        .args([command, "--no-default-features", "--sanitizer", "none"])
        .arg("--fuzz-dir")
        .arg(workspace.root.join(target.folder))
        .arg("--target-dir")
        .arg(workspace.target.join("fuzz/build"))
        .arg(target.name);
    Ok(fuzz)
}

fn build(workspace: &Workspace, tool: Option<&Path>, target: &Target) -> Result<()> {
    let name = format!("building {}", target.name);
    let log = workspace.target.join("fuzz").join("build.log");
    run_logged(
        &name,
        &mut cargo_fuzz(workspace, tool, "build", target)?,
        &log,
    )
}

/// Runs a target for so long.
fn fuzz(
    workspace: &Workspace,
    tool: Option<&Path>,
    target: &Target,
    seconds: u64,
    seed: u64,
) -> Result<Value> {
    let folder = workspace.target.join("fuzz");
    let corpus = folder.join("corpus").join(target.name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let findings = folder.join("findings").join(format!("{}-", target.name));
    let log = folder.join(format!("{}.log", target.name));
    let mut command = cargo_fuzz(workspace, tool, "run", target)?;
    // libFuzzer takes 32 bits and draws a seed itself for 0.
    let seed = (seed % u64::from(u32::MAX)).max(1);
    command
        .arg(&corpus)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={seed}"))
        .arg(format!("-max_len={}", target.max_len))
        .arg(format!("-artifact_prefix={}", findings.display()))
        .arg("-print_final_stats=1");
    let name = format!("{}: {}, {seconds} s", target.name, target.what);
    let ended = run_logged(&name, &mut command, &log);
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let finding = ended.err().map(|error| format!("{error:#}"));
    if let Some(finding) = &finding {
        say(finding);
    }
    Ok(json!({
        "target": target.name,
        "seconds": seconds,
        "executions": statistic(&text, "number_of_executed_units"),
        "coverage": coverage(&text),
        "finding": finding,
    }))
}

/// One of the closing statistics of libFuzzer.
fn statistic(log: &str, name: &str) -> Option<u64> {
    let head = format!("stat::{name}:");
    let line = log.lines().rev().find_map(|line| line.strip_prefix(&head));
    line?.trim().parse().ok()
}

/// Edges that were reached in the end, as libFuzzer's progress says.
fn coverage(log: &str) -> Option<u64> {
    let mut lines = log.lines().rev();
    let rest = lines.find_map(|line| line.split_once(" cov: "))?.1;
    rest.split_whitespace().next()?.parse().ok()
}

/// The co-simulation's part, with all that it needs.
fn chain(workspace: &Workspace) -> Result<Command> {
    native::provision()?;
    let tools = python::provision(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    let mut build = cargo();
    build.current_dir(&workspace.root).args([
        "build",
        "--quiet",
        "--package",
        "pinring-sim",
        "--bin",
        "fuzz",
    ]);
    process::run_long("building the co-simulation", &mut build)?;
    let mut command = cosim::program(workspace, "fuzz");
    environment(&mut command, &tools, &firmware);
    Ok(command)
}

fn replay(workspace: &Workspace, file: &Path, targets: &[&Target]) -> Result<()> {
    if file.extension().is_some_and(|ending| ending == "toml") {
        return process::finish(chain(workspace)?.arg("--replay").arg(file));
    }
    let [target] = targets else {
        bail!("--replay of an input needs the --target that it is of");
    };
    let file = fs::canonicalize(file).with_context(|| format!("no {}", file.display()))?;
    let tool = cargo_tool::provision(workspace, "cargo-fuzz", CARGO_FUZZ)?;
    process::finish(cargo_fuzz(workspace, Some(&tool), "run", target)?.arg(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_split_over_what_was_asked_for() {
        assert_eq!(shares(60, 5, true), (6, 30));
        assert_eq!(shares(60, 0, true), (1, 60));
        assert_eq!(shares(60, 5, false), (12, 0));
        // No target is left out, however short the time.
        assert_eq!(shares(1, 5, true), (1, 1));
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
            choose(&names).map(|(targets, cosim)| (targets.len(), cosim))
        };
        assert_eq!(names(&[]).unwrap(), (TARGETS.len(), true));
        assert_eq!(names(&["rings", "cosim"]).unwrap(), (1, true));
        assert_eq!(names(&["rings"]).unwrap(), (1, false));
        let error = names(&["ring"]).unwrap_err().to_string();
        assert!(
            error.contains("--target ring: there are decode, rings,"),
            "{error}"
        );
    }

    #[test]
    fn closing_figures_are_read_from_the_log() {
        let log = "#2\tINITED cov: 12 ft: 13\n#65536\tpulse  cov: 340 ft: 900 corp: 20\nDone 9 runs in 6 second(s)\n\
                   stat::number_of_executed_units: 1234567\nstat::average_exec_per_sec:     9\n";
        assert_eq!(statistic(log, "number_of_executed_units"), Some(1_234_567));
        assert_eq!(coverage(log), Some(340));
        assert_eq!((statistic("", "x"), coverage("")), (None, None));
    }

    /// Each crate is there and has the target.
    #[test]
    fn every_target_is_in_its_crate() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for target in TARGETS {
            let file = format!("{}/fuzz_targets/{}.rs", target.folder, target.name);
            assert!(root.join(&file).exists(), "{file}");
        }
        assert_eq!(crates().len(), 4);
    }
}
