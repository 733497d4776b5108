//! Running other programs.

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Says what is done.
pub fn say(message: &str) {
    eprintln!("xtask: {message}");
}

/// Runs a command with its output shown.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command that takes long and says little; its output is shown only when it fails.
pub fn run_long(message: &str, command: &mut Command) -> Result<()> {
    say(message);
    let spinner = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner().with_message("working")
    } else {
        ProgressBar::hidden()
    };
    spinner.enable_steady_tick(Duration::from_millis(120));
    let result = output(command);
    spinner.finish_and_clear();
    result.map(drop)
}

/// What a command prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !output.status.success() {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let message = format!(
            "{} failed ({})\n{}",
            line(command),
            output.status,
            String::from_utf8_lossy(&text)
        );
        bail!("{}", message.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// First line that a command prints, if it runs: how tools tell their version.
pub fn version(command: &mut Command) -> Option<String> {
    output(command).ok()?.lines().next().map(str::to_owned)
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .collect();
    words
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
