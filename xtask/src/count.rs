//! `cargo xtask count`: the driver's instructions per transfer, which the co-simulation takes from a checked-in file.
//!
//! The example `submit_cost` of `pinring-core` runs the driver's hot path on plain memory; callgrind counts what it executes. Counts
//! depend on the compiler, so that `--check` allows a tenth.

use crate::debian;
use crate::process::{self, output, output_long, say, version};
use crate::workspace::{Workspace, cargo, rustc};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's package of valgrind.
pub const DEBIAN_PACKAGES: &[&str] = &["valgrind"];

/// The file, below the workspace's root.
const FILE: &str = "sim/src/run/instructions.toml";

/// Its first lines.
const HEAD: &str = "\
# Instructions that the driver core executes per call, counted by callgrind: do not edit. Made by: cargo xtask count
# A list holds the counts for as many transfers as `transfers` says; the table is page-granular, the buffer's size the one
# that takes most.
";

/// Transfers per call that are counted.
const TRANSFERS: [u64; 2] = [1, 8];

#[derive(clap::Args)]
pub struct Arguments {
    /// Only compare: fail when a count differs from the file by more than 10 %
    #[arg(long)]
    check: bool,
}

/// What the file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// Version of the compiler.
    rustc: String,
    /// Target that it compiled for.
    target: String,
    /// Version of the counter.
    valgrind: String,
    /// Transfers of a call, for the lists below.
    transfers: [u64; 2],
    /// Instructions of one `Device::submit`.
    submit: [u64; 2],
    /// Instructions of one `Device::reap`.
    reap: [u64; 2],
}

/// What the example prints.
#[derive(Deserialize)]
struct Measured {
    cases: Vec<Case>,
}

/// One row of the example's table.
#[derive(Deserialize)]
struct Case {
    format: String,
    batch: u64,
    submit: u64,
    reap: u64,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let valgrind = provision()?;
    let printed = counted(workspace)?;
    let compiler = output(rustc().arg("-vV"))?;
    let counts = Counts::new(&printed, &compiler, valgrind)?;
    print!("{}", counts.table());

    let path = workspace.root.join(FILE);
    if arguments.check {
        return Counts::read(&path)?.check(&counts);
    }
    fs::write(&path, counts.to_file()?).with_context(|| format!("cannot write {FILE}"))?;
    say(&format!("wrote {FILE}"));
    Ok(())
}

/// Runs the example under callgrind: the JSON that it prints.
fn counted(workspace: &Workspace) -> Result<String> {
    process::run(example(workspace, "build").arg("--quiet"))?;
    let mut count = example(workspace, "run");
    count.args(["--quiet", "--", "json"]);
    output_long("counting (about a quarter of a minute)", &mut count)
}

/// Counts, and puts what the example prints into a file.
pub fn to_file(workspace: &Workspace, file: &Path) -> Result<()> {
    provision()?;
    let printed = counted(workspace)?;
    fs::write(file, printed).with_context(|| format!("cannot write {}", file.display()))
}

/// Version of valgrind, if it is there.
pub fn valgrind() -> Option<String> {
    version(Command::new("valgrind").arg("--version"))
}

fn provision() -> Result<String> {
    if let Some(version) = valgrind() {
        return Ok(version);
    }
    debian::install("valgrind is missing", DEBIAN_PACKAGES)?;
    valgrind().context("Debian's package `valgrind` lacks the program")
}

/// A cargo command for the example, optimised.
fn example(workspace: &Workspace, what: &str) -> Command {
    let mut command = cargo();
    command
        .current_dir(&workspace.root)
        .args([what, "--release", "--package", "pinring-core"])
        .args(["--example", "submit_cost"]);
    command
}

impl Counts {
    /// Takes them from what the example and `rustc -vV` print.
    fn new(measured: &str, compiler: &str, valgrind: String) -> Result<Self> {
        let measured: Measured =
            serde_json::from_str(measured).context("the example submit_cost printed no JSON")?;
        let most = |count: fn(&Case) -> u64| -> Result<[u64; 2]> {
            let mut counts = [0; 2];
            for (transfers, highest) in TRANSFERS.into_iter().zip(&mut counts) {
                let of_all = || {
                    let cases = measured.cases.iter();
                    cases
                        .filter(|case| case.format == "granular" && case.batch == transfers)
                        .map(count)
                };
                let (Some(lowest), Some(most)) = (of_all().min(), of_all().max()) else {
                    bail!("the example submit_cost has no case of {transfers} transfers");
                };
                // Finding the SG element takes a few instructions more where there are several: they count in a batch.
                let percent = if transfers == 1 { 5 } else { 10 };
                ensure!(
                    (most - lowest) * 100 <= most * percent,
                    "a call with {transfers} transfers takes from {lowest} to {most} instructions, and more than {percent} % \
                     is by their size: the hot path is no longer O(1)"
                );
                *highest = most;
            }
            ensure!(
                0 < counts[0] && counts[0] < counts[1],
                "the counts {counts:?} do not grow with the transfers {TRANSFERS:?}"
            );
            Ok(counts)
        };
        let mut lines = compiler.lines();
        Ok(Self {
            rustc: lines.next().unwrap_or_default().into(),
            target: lines
                .find_map(|line| line.strip_prefix("host: "))
                .context("rustc does not say its host")?
                .into(),
            valgrind,
            transfers: TRANSFERS,
            submit: most(|case| case.submit)?,
            reap: most(|case| case.reap)?,
        })
    }

    fn read(path: &PathBuf) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {FILE}"))?;
        toml::from_str(&text).with_context(|| format!("{FILE}; `cargo xtask count` writes it anew"))
    }

    fn to_file(&self) -> Result<String> {
        Ok(format!("{HEAD}{}", toml::to_string(self)?))
    }

    /// Rows of the table: call, counts.
    fn rows(&self) -> [(&'static str, [u64; 2]); 2] {
        [("submit", self.submit), ("reap", self.reap)]
    }

    fn table(&self) -> String {
        let [few, many] = self.transfers;
        let mut text = format!("transfers {few:>6} {many:>6}   instructions per call\n");
        for (call, [few, many]) in self.rows() {
            text += &format!("{call:9} {few:>6} {many:>6}\n");
        }
        text
    }

    /// Fails, naming them, when counts differ by more than a tenth of these.
    fn check(&self, now: &Self) -> Result<()> {
        ensure!(
            self.transfers == now.transfers,
            "{FILE} counts {:?} transfers, and not {:?}; run `cargo xtask count`",
            self.transfers,
            now.transfers
        );
        let mut differ = Vec::new();
        for ((call, then), (_, now)) in self.rows().into_iter().zip(now.rows()) {
            for ((transfers, then), now) in self.transfers.into_iter().zip(then).zip(now) {
                if then.abs_diff(now) * 10 > then {
                    differ.push(format!("{call} of {transfers}: {now}, and not {then}"));
                }
            }
        }
        if !differ.is_empty() {
            bail!(
                "counts differ from {FILE} by more than 10 %: {}; run `cargo xtask count`",
                differ.join(", ")
            );
        }
        say(&format!("{FILE} agrees within 10 %"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPILER: &str = "rustc 1.95.0 (abc 2026-04-14)\nbinary: rustc\nhost: x86_64-linux\n";

    fn counts(submit: u64) -> Result<Counts> {
        let case = |format: &str, batch: u64, submit: u64, reap: u64| {
            format!(
                r#"{{"format":"{format}","length":4096,"batch":{batch},"submit":{submit},"reap":{reap}}}"#
            )
        };
        let cases = [
            case("granular", 1, 95, 50),
            case("granular", 1, 100, 50),
            case("granular", 8, submit, 300),
            case("uniform", 8, 9999, 9999),
        ];
        let printed = format!(r#"{{"schema":1,"cases":[{}]}}"#, cases.join(","));
        Counts::new(&printed, COMPILER, "valgrind-3.19.0".into())
    }

    #[test]
    fn counts_are_the_most_of_the_page_granular_cases() {
        let counts = counts(450).unwrap();
        assert_eq!(counts.submit, [100, 450]);
        assert_eq!(counts.reap, [50, 300]);
        assert_eq!(counts.rustc, "rustc 1.95.0 (abc 2026-04-14)");
        assert_eq!(counts.target, "x86_64-linux");
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        let error = counts(100).unwrap_err().to_string();
        assert!(error.contains("do not grow"), "{error}");
        let error = Counts::new(r#"{"cases":[]}"#, COMPILER, String::new()).unwrap_err();
        assert!(error.to_string().contains("no case of 1"), "{error}");
        let grown = r#"{"cases":[{"format":"granular","batch":1,"submit":94,"reap":50},
            {"format":"granular","batch":1,"submit":100,"reap":50}]}"#;
        let error = Counts::new(grown, COMPILER, String::new()).unwrap_err();
        assert!(error.to_string().contains("from 94 to 100"), "{error}");
        assert!(Counts::new("valgrind: no", COMPILER, String::new()).is_err());
    }

    #[test]
    fn file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instructions.toml");
        fs::write(&path, counts(450).unwrap().to_file().unwrap()).unwrap();
        assert_eq!(Counts::read(&path).unwrap(), counts(450).unwrap());
        fs::write(&path, "submit = 1").unwrap();
        let error = Counts::read(&path).unwrap_err();
        assert!(error.to_string().contains("cargo xtask count"), "{error}");
    }

    #[test]
    fn checked_in_file_is_one_of_ours() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(FILE);
        assert!(fs::read_to_string(&path).unwrap().starts_with(HEAD));
        assert_eq!(Counts::read(&path).unwrap().transfers, TRANSFERS);
    }

    #[test]
    fn a_tenth_is_allowed_and_no_more() {
        let file = counts(450).unwrap();
        file.check(&counts(495).unwrap()).unwrap();
        file.check(&counts(405).unwrap()).unwrap();
        let error = file.check(&counts(496).unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("submit of 8: 496, and not 450") && !error.contains("reap"),
            "{error}"
        );
    }
}
