//! `cargo xtask bench`.

use crate::process::say;
use crate::test::environment;
use crate::workspace::Workspace;
use crate::{cosim, count, firmware, native, process, python};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Name of the measurement that counts instructions.
const COUNTED: &str = "host-cost";

/// Name of the measurement of other projects' engines.
const PEERS: &str = "peers";

/// Widths of the links that are measured.
const WIDTHS: [&str; 3] = ["64", "256", "512"];

/// Counts instructions if they are asked for, provisions what the co-simulation needs, and starts the bench.
pub fn run(workspace: &Workspace, arguments: &cosim::Arguments) -> Result<()> {
    let words = &arguments.program;
    let mut command = cosim::program(workspace, "bench");
    command.args(words);
    if words
        .iter()
        .any(|word| ["-h", "--help", "--list"].contains(&word.as_str()))
    {
        return process::finish(&mut command);
    }
    native::provision()?;
    let tools = python::provision(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    if is_counted(words) {
        let file = workspace.target.join("submit-cost.json");
        match count::to_file(workspace, &file) {
            Ok(()) => {
                command.arg("--instructions").arg(&file);
            }
            // Everything else can be measured without.
            Err(error) => say(&format!("instructions are left out: {error:#}")),
        }
    }
    if words.iter().any(|word| word == "--peers") || names(words, PEERS) {
        command.arg("--peers-verilog").arg(peers(workspace)?);
    }
    process::finish(environment(&mut command, &tools, &firmware))
}

/// Generates LitePCIe's DMA at every width that is measured; the folder.
fn peers(workspace: &Workspace) -> Result<PathBuf> {
    let python = python::provision_peers(workspace)?;
    let folder = workspace.target.join("peers");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for width in WIDTHS {
        let mut command = Command::new(&python);
        command
            .arg(workspace.root.join("sim/peers/litepcie_dma.py"))
            .arg(width)
            .arg(folder.join(format!("litepcie_dma_{width}.v")));
        process::output(&mut command)?;
    }
    Ok(folder)
}

/// Whether the arguments ask for the measurement that counts instructions.
fn is_counted(words: &[String]) -> bool {
    let is_part = |word: &String| {
        let option = word.split('=').next();
        option == Some("--only") || option == Some("--from")
    };
    !words.iter().any(is_part) || names(words, COUNTED)
}

/// Whether the arguments name a measurement.
fn names(words: &[String], name: &str) -> bool {
    words
        .iter()
        .any(|word| word.strip_prefix("--only=").unwrap_or(word) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_only_where_they_are_shown() {
        let asked = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            is_counted(&words)
        };
        assert!(asked("") && asked("--quick --json out.json"));
        assert!(asked("--only host-cost") && asked("--only=host-cost --only speed"));
        assert!(!asked("--only speed") && !asked("--only=burst"));
        assert!(!asked("--from out.json") && !asked("--from=out.json --only speed"));
        assert!(asked("--from out.json --only host-cost"));
    }
}
