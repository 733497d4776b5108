//! `cargo xtask mutants`.

use crate::process::{self, say};
use crate::workspace::Workspace;
use crate::{cargo_tool, workspace};
use anyhow::{Context, Result, bail};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Version of cargo-mutants, which finds the places where a fault can be put.
const CARGO_MUTANTS: &str = "27.1.0";

/// One of the parts that faults are put into.
struct Area {
    name: &'static str,
    package: &'static str,
    /// Of every 20 faults, so many.
    of_twenty: usize,
    /// Tests that may see the fault, quickest first: arguments of `cargo test`.
    tests: &'static [&'static [&'static str]],
}

const CHAIN: &[&str] = &[
    "-p",
    "pinring-sim",
    "--test",
    "chain",
    "--test",
    "teardown",
    "--test",
    "faults",
    "--test",
    "hostile",
    "--test",
    "reset",
    "--test",
    "inline",
];

const AREAS: &[Area] = &[
    Area {
        name: "driver",
        package: "pinring-core",
        of_twenty: 6,
        tests: &[&["-p", "pinring-core"], &["-p", "pinring-kmdf"], CHAIN],
    },
    Area {
        name: "firmware",
        package: "pinring-firmware",
        of_twenty: 4,
        tests: &[
            &["-p", "pinring-firmware"],
            &["-p", "pinring-hdl", "--test", "soft_core"],
            CHAIN,
        ],
    },
    Area {
        name: "gateware",
        package: "pinring-hdl",
        of_twenty: 10,
        // Those of the module come first: see `stages`.
        tests: &[CHAIN, &["-p", "pinring-hdl"]],
    },
];

#[derive(clap::Args)]
pub struct Arguments {
    /// Faults to try
    #[arg(long, value_name = "N", default_value_t = 20)]
    count: usize,
    /// Seed that draws them
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only these parts: driver, firmware, gateware
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    area: Vec<String>,
    /// Say which faults would be tried, in which order, and try none
    #[arg(long)]
    list: bool,
    /// Minutes after which a test program that does not end counts as a fault that was caught
    #[arg(long, value_name = "N", default_value_t = 30)]
    patience: u64,
    /// Faults that may survive: one of twenty unless given
    #[arg(long, value_name = "N")]
    allow: Option<usize>,
    /// Write what came of each as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

/// A fault, as cargo-mutants lists it.
#[derive(Clone, Deserialize, Serialize)]
struct Mutant {
    file: PathBuf,
    name: String,
    span: Span,
    replacement: String,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Line and column in characters, from 1.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Place {
    line: usize,
    column: usize,
}

/// What came of a fault.
#[derive(Serialize)]
struct Row {
    area: &'static str,
    mutant: Mutant,
    /// The tests that failed, or nothing.
    caught_by: Option<String>,
    seconds: u64,
}

/// How a run of tests ended.
enum End {
    Passed,
    Failed,
    /// The fault does not compile.
    NotRust,
}

/// Puts faults of one line into a copy of the sources, one at a time, and sees whether the tests fail.
///
/// # Errors
/// What cannot be built or started; tests that fail without any fault; more survivors than allowed.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let areas = choose(&arguments.area)?;
    let tool = cargo_tool::provision(workspace, "cargo-mutants", CARGO_MUTANTS)?;
    let mut plan = Vec::new();
    for (area, count) in areas.iter().zip(shares(&areas, arguments.count)) {
        let mut mutants = list(workspace, &tool, area)?;
        mutants.shuffle(&mut StdRng::seed_from_u64(arguments.seed));
        plan.push((*area, count, mutants));
    }
    if arguments.list {
        for (area, count, mutants) in &plan {
            println!("{}: {count} of {}", area.name, mutants.len());
            mutants
                .iter()
                .take(*count)
                .for_each(|mutant| println!("  {}", mutant.name));
        }
        return Ok(());
    }
    let copy = Copy::new(workspace, arguments.patience)?;
    for area in &areas {
        for tests in area.tests {
            say(&format!("without a fault: {}", tests.join(" ")));
            if !matches!(copy.test(tests)?, End::Passed) {
                bail!(
                    "tests fail without any fault: see {}",
                    workspace.show(&copy.log)
                );
            }
        }
    }
    let mut rows = Vec::new();
    for (area, count, mutants) in &plan {
        let wanted = rows.len() + count;
        for mutant in mutants {
            if rows.len() == wanted {
                break;
            }
            say(&mutant.name);
            let start = Instant::now();
            let Some(caught_by) = copy.attempt(area, mutant)? else {
                say("  does not compile: another one is taken");
                continue;
            };
            say(&format!(
                "  {}",
                caught_by
                    .as_deref()
                    .map_or("SURVIVES".into(), |by| format!("caught by {by}"))
            ));
            rows.push(Row {
                area: area.name,
                mutant: mutant.clone(),
                caught_by,
                seconds: start.elapsed().as_secs(),
            });
            // After each, as the whole takes hours.
            if let Some(path) = &arguments.json {
                let text = serde_json::to_string_pretty(&rows)?;
                fs::write(path, text)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    report(&rows, arguments.allow.unwrap_or(rows.len() / 20))
}

fn choose(names: &[String]) -> Result<Vec<&'static Area>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !AREAS.iter().any(|area| area.name == **name))
    {
        bail!("--area {unknown}: there are driver, firmware and gateware");
    }
    let wanted = |area: &&Area| names.is_empty() || names.iter().any(|name| name == area.name);
    Ok(AREAS.iter().filter(wanted).collect())
}

/// Faults of each part, in the proportions of [`Area::of_twenty`]; what is over goes to the last.
fn shares(areas: &[&Area], count: usize) -> Vec<usize> {
    let all: usize = areas.iter().map(|area| area.of_twenty).sum();
    let mut shares: Vec<_> = areas
        .iter()
        .map(|area| count * area.of_twenty / all)
        .collect();
    let given: usize = shares.iter().sum();
    if let Some(last) = shares.last_mut() {
        *last += count - given;
    }
    shares
}

/// Faults of one line that the tool finds in a part, in the order of their places.
fn list(workspace: &Workspace, tool: &Path, area: &Area) -> Result<Vec<Mutant>> {
    let mut command = Command::new(tool);
    command
        .current_dir(&workspace.root)
        .args(["mutants", "--list", "--json", "--package", area.package])
        // Fields of a word are put together by `|`: with `^` the word is the same.
        .args([
            "--exclude-re",
            r"replace \| with \^",
            "--exclude",
            "**/generated/**",
        ]);
    let text = process::output_long(
        &format!("looking for places in {}", area.package),
        &mut command,
    )?;
    let all: Vec<Mutant> = serde_json::from_str(&text).context("cargo-mutants' list")?;
    Ok(all
        .into_iter()
        .filter(|mutant| mutant.span.start.line == mutant.span.end.line)
        .collect())
}

/// A copy of the sources with a target folder of its own.
struct Copy {
    root: PathBuf,
    target: PathBuf,
    log: PathBuf,
    /// Minutes.
    patience: u64,
}

impl Copy {
    fn new(workspace: &Workspace, patience: u64) -> Result<Self> {
        let folder = workspace.target.join("mutants");
        let copy = Self {
            root: folder.join("tree"),
            target: folder.join("target"),
            log: folder.join("test.log"),
            patience,
        };
        fs::create_dir_all(&copy.target)
            .with_context(|| format!("cannot make {}", copy.target.display()))?;
        let mut git = Command::new("git");
        git.current_dir(&workspace.root).args(["ls-files", "-z"]);
        let files = process::output(&mut git)?;
        for file in files.split_terminator('\0') {
            let (from, to) = (workspace.root.join(file), copy.root.join(file));
            let text =
                fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
            // What has not changed keeps its time, so that it is not built again.
            if fs::read(&to).is_ok_and(|old| old == text) {
                continue;
            }
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
        }
        // cargo finds tests by their files: those of an earlier copy that are gone must go.
        let names = folder.join("files");
        let earlier = fs::read_to_string(&names).unwrap_or_default();
        for file in earlier
            .split_terminator('\0')
            .filter(|file| !files.split('\0').any(|now| now == *file))
        {
            fs::remove_file(copy.root.join(file))
                .with_context(|| format!("cannot remove {file}"))?;
        }
        fs::write(&names, &files).with_context(|| format!("cannot write {}", names.display()))?;
        // Tools are provisioned once.
        let tools = copy.target.join("tools");
        if !tools.exists() {
            fs::create_dir_all(workspace.tools())?;
            link(&workspace.tools(), &tools)?;
        }
        Ok(copy)
    }

    /// Nothing if the fault does not compile; else the tests that fail with it, if any do.
    fn attempt(&self, area: &Area, mutant: &Mutant) -> Result<Option<Option<String>>> {
        let file = self.root.join(&mutant.file);
        let sound =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let broken = apply(&sound, mutant)
            .with_context(|| format!("{} is not where it was found", mutant.name))?;
        fs::write(&file, broken)?;
        let result = self.first_to_fail(area, mutant);
        fs::write(&file, sound)?;
        result
    }

    fn first_to_fail(&self, area: &Area, mutant: &Mutant) -> Result<Option<Option<String>>> {
        for tests in stages(area, mutant) {
            let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
            match self.test(&tests)? {
                End::Passed => {}
                End::Failed => return Ok(Some(Some(tests.join(" ")))),
                End::NotRust => return Ok(None),
            }
        }
        Ok(Some(None))
    }

    fn test(&self, tests: &[&str]) -> Result<End> {
        let file = File::create(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        // A fault may make a loop endless; timeout (coreutils) ends the test program with what it started.
        let mut command = Command::new("timeout");
        let status = command
            .arg(format!("{}m", self.patience))
            .arg(workspace::cargo().get_program())
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            .args(["xtask", "test", "--"])
            .args(tests)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()
            .context("cannot start timeout")?;
        if status.success() {
            return Ok(End::Passed);
        }
        let said = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        Ok(if said.contains("error: could not compile") {
            End::NotRust
        } else {
            End::Failed
        })
    }
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> Result<()> {
    std::os::unix::fs::symlink(from, to).with_context(|| format!("cannot make {}", to.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    Ok(())
}

/// The tests of an area, for gateware those of the module and of its neighbours first.
fn stages(area: &Area, mutant: &Mutant) -> Vec<Vec<String>> {
    let own =
        |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.to_owned()).collect() };
    let mut stages = Vec::new();
    let module = mutant.file.strip_prefix("hdl/src").ok();
    if let Some(module) = module.and_then(Path::to_str) {
        let path = module
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        let parent = path.split("::").next().unwrap_or(&path);
        stages.push(own(&["-p", "pinring-hdl", "--lib", &path]));
        if parent != path {
            stages.push(own(&["-p", "pinring-hdl", "--lib", parent]));
        }
    }
    stages.extend(area.tests.iter().map(|tests| own(tests)));
    stages
}

/// The text with the fault in it.
fn apply(text: &str, mutant: &Mutant) -> Option<String> {
    let Span { start, end } = mutant.span;
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let line = lines.get_mut(start.line.checked_sub(1)?)?;
    let place = |column: usize| Some(line.char_indices().nth(column.checked_sub(1)?)?.0);
    let (from, to) = (place(start.column)?, place(end.column)?);
    if from > to {
        return None;
    }
    line.replace_range(from..to, &mutant.replacement);
    Some(lines.concat())
}

/// Prints the table.
///
/// # Errors
/// More survivors than allowed.
fn report(rows: &[Row], allowed: usize) -> Result<()> {
    for row in rows {
        let by = row.caught_by.as_deref().unwrap_or("SURVIVES");
        println!(
            "{:<8}  {:>5} s  {}  ->  {by}",
            row.area, row.seconds, row.mutant.name
        );
    }
    let survivors = rows.iter().filter(|row| row.caught_by.is_none()).count();
    println!("{} of {} caught", rows.len() - survivors, rows.len());
    if survivors > allowed {
        bail!("{survivors} faults survive, {allowed} may");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_put_where_it_was_found() {
        let mutant = |line, from, to, replacement: &str| Mutant {
            file: "a.rs".into(),
            name: String::new(),
            span: Span {
                start: Place { line, column: from },
                end: Place { line, column: to },
            },
            replacement: replacement.into(),
        };
        let text = "let a = 1;\nlet é = b + c;\n";
        assert_eq!(
            apply(text, &mutant(2, 11, 12, "-")).unwrap(),
            "let a = 1;\nlet é = b - c;\n"
        );
        assert!(apply(text, &mutant(3, 1, 2, "-")).is_none());
        assert!(apply(text, &mutant(1, 50, 51, "-")).is_none());
        assert!(apply(text, &mutant(1, 0, 1, "-")).is_none());
    }

    #[test]
    fn all_faults_are_given_out() {
        let all: Vec<_> = AREAS.iter().collect();
        assert_eq!(shares(&all, 20), [6, 4, 10]);
        assert_eq!(shares(&all, 7).iter().sum::<usize>(), 7);
        assert_eq!(shares(&all[..1], 3), [3]);
    }
}
