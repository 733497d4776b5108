//! Running other programs.

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Says what is done.
pub fn say(message: &str) {
    eprintln!("xtask: {message}");
}

/// A program whose output was shown has failed: it has said why, and what is left is to end as it did.
#[derive(Debug, thiserror::Error)]
#[error("a program ended with exit code {0}")]
pub struct Failed(pub u8);

/// Runs a command with its output shown.
///
/// # Errors
/// [`Failed`] when it ends with an exit code other than 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failed(u8::try_from(code).unwrap_or(1)).into()),
        None => bail!("{} was ended from outside ({status})", name(command)),
    }
}

/// Runs a command as the last thing that this process does. It takes the process's place where the system has that, so that
/// signals reach it and its exit code is ours. Returns only when the command cannot be started, or has failed.
pub fn finish(command: &mut Command) -> Result<()> {
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(command);
        Err(error).with_context(|| format!("cannot start {}", name(command)))
    }
    #[cfg(not(unix))]
    run(command)
}

/// Runs a command that takes long and says little; its output is shown only when it fails.
pub fn run_long(message: &str, command: &mut Command) -> Result<()> {
    output_long(message, command).map(drop)
}

/// What a command prints that takes long.
pub fn output_long(message: &str, command: &mut Command) -> Result<String> {
    say(message);
    let spinner = spinner();
    let result = output(command);
    spinner.finish_and_clear();
    result
}

fn spinner() -> ProgressBar {
    let spinner = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner().with_message("working")
    } else {
        ProgressBar::hidden()
    };
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// Bytes of a log's end that are read to show where its program is, or why it failed.
const LOG_END: u64 = 4096;

/// Runs a command for minutes with its output in a file; the newest line of it is shown meanwhile.
///
/// # Errors
/// A file that cannot be written; a command that fails, with the end of its output.
pub fn run_logged(name: &str, command: &mut Command, log: &Path) -> Result<()> {
    say(name);
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot start {}", self::name(command)))?;
    let spinner = spinner();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(100));
        if let Some(line) = end_of(log)?.lines().rfind(|line| !line.trim().is_empty()) {
            let line: String = line.trim().chars().take(80).collect();
            spinner.set_message(format!("{} s  {line}", start.elapsed().as_secs()));
        }
    };
    spinner.finish_and_clear();
    if !status.success() {
        bail!(
            "{} failed ({status}):\n{}\nall that it said is in {}",
            self::name(command),
            end_of(log)?.trim_end(),
            log.display()
        );
    }
    say(&format!("{name}: {} s", start.elapsed().as_secs()));
    Ok(())
}

fn end_of(log: &Path) -> Result<String> {
    let mut file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
    let length = fs::metadata(log)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
    let mut end = Vec::new();
    file.take(LOG_END).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn exit_code_of_a_failed_program_is_kept() {
        let error = run(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
        assert_eq!(error.downcast_ref::<Failed>().unwrap().0, 7);
        let error = run(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap_err();
        assert!(error.downcast_ref::<Failed>().is_none());
        assert!(error.to_string().contains("sh was ended"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program");
    }

    /// This test's program starts itself again, and in the second copy [`finish`] starts a shell.
    #[test]
    fn last_program_takes_the_place_of_this_one() {
        const SECOND: &str = "PINRING_TEST_FINISH";
        if std::env::var_os(SECOND).is_some() {
            finish(Command::new("sh").args(["-c", "echo shell $$; exit 7"])).unwrap();
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "process::tests::last_program_takes_the_place_of_this_one",
            ])
            .env(SECOND, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let process = format!("shell {}", child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&process), "no `{process}` in: {text}");
        let error = finish(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program");
    }
}
