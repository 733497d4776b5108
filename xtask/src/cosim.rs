//! `cargo xtask cosim`.

use crate::test::environment;
use crate::workspace::{Workspace, cargo};
use crate::{firmware, native, process, python};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// Arguments of the program; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub program: Vec<String>,
}

/// Starts the program that captures page layouts; it needs nothing provisioned.
pub fn capture_pages(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    process::finish(program(workspace, "capture-pages").args(&arguments.program))
}

/// Provisions what the co-simulation needs and starts the tool `pinring` on it.
pub fn pinring(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    native::provision()?;
    let tools = python::provision(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    let mut command = program(workspace, "pinring-on-cosim");
    command.args(&arguments.program);
    process::finish(environment(&mut command, &tools, &firmware))
}

/// One of the co-simulation's programs.
pub fn program(workspace: &Workspace, name: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "pinring-sim", "--bin", name]);
    command
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--");
    command
}

/// Provisions what the co-simulation needs and starts it.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut command = program(workspace, "cosim");
    command.args(&arguments.program);
    if arguments
        .program
        .iter()
        .any(|argument| ["-h", "--help", "--list"].contains(&argument.as_str()))
    {
        return process::finish(&mut command);
    }
    if let Some(name) = scenario(&arguments.program) {
        check_scenario(workspace, Path::new(name))?;
    }
    native::provision()?;
    let tools = python::provision(workspace)?;
    let firmware = firmware::build(workspace, None)?;
    process::finish(environment(&mut command, &tools, &firmware))
}

/// What `--scenario` says, if it is among the program's arguments.
fn scenario(arguments: &[String]) -> Option<&str> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--scenario" {
            return arguments.next().map(String::as_str);
        }
        if let Some(name) = argument.strip_prefix("--scenario=") {
            return Some(name);
        }
    }
    None
}

/// Fails when a scenario is neither a file nor one that ships: now, and not after a build of minutes.
fn check_scenario(workspace: &Workspace, name: &Path) -> Result<()> {
    let shipped = workspace.root.join("sim/scenarios").join(name);
    if !name.exists() && !shipped.with_extension("toml").exists() {
        bail!(
            "no scenario {}: it is neither a file nor one of those that ship, which `cargo xtask cosim --list` shows",
            name.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_is_found_among_the_arguments() {
        let find = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            scenario(&words).map(str::to_owned)
        };
        assert_eq!(find("--quick --scenario small"), Some("small".into()));
        assert_eq!(find("--scenario=a.toml --quick"), Some("a.toml".into()));
        assert_eq!(find("--json out.json"), None);
        assert_eq!(find("--scenario"), None);
    }

    #[test]
    fn mistyped_scenario_is_refused_at_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = Workspace {
            target: root.join("target"),
            root,
        };
        let check = |name: &str| check_scenario(&workspace, Path::new(name));
        check("small").unwrap();
        check("small.toml").unwrap();
        check("Cargo.toml").unwrap();
        let error = check("smal").unwrap_err().to_string();
        assert!(
            error.contains("no scenario smal:") && error.contains("--list"),
            "{error}"
        );
    }
}
