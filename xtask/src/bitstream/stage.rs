//! Stages of a flow, each of which is skipped while its inputs are those of its last success.

use crate::process::{run_logged, say};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A program's run in a folder: files in, files out, all named relative to it.
pub struct Stage<'a> {
    /// What it does, for the user and for the names of log and stamp.
    pub name: &'a str,
    /// Where it works.
    pub folder: &'a Path,
    /// What decides over its result beside the files: versions of tools, options.
    pub settings: &'a str,
    /// Files that it reads.
    pub inputs: &'a [&'a str],
    /// Files that it writes.
    pub outputs: &'a [&'a str],
}

impl Stage<'_> {
    /// Runs the command in the folder, unless the outputs are there and made from these inputs; whether it ran. The log is
    /// `<name>.log`.
    ///
    /// # Errors
    /// An input that is not there; a command that fails, with the end of what it said; an output that it did not write.
    pub fn run(&self, command: &mut Command) -> Result<bool> {
        let stamp = self.folder.join(format!("{}.stamp", self.name));
        let key = self.key(command)?;
        let is_there = |name: &&str| self.folder.join(name).is_file();
        if fs::read_to_string(&stamp).is_ok_and(|old| old == key)
            && self.outputs.iter().all(is_there)
        {
            say(&format!("{}: unchanged", self.name));
            return Ok(false);
        }
        // What is left of an earlier run must not pass for this one's result.
        for name in self
            .outputs
            .iter()
            .copied()
            .map(|name| self.folder.join(name))
        {
            remove(&name)?;
        }
        remove(&stamp)?;
        let log = self.folder.join(format!("{}.log", self.name));
        run_logged(self.name, command.current_dir(self.folder), &log)?;
        for output in self.outputs {
            ensure!(
                is_there(output),
                "{} wrote no {output}; its log is {}",
                self.name,
                log.display()
            );
        }
        fs::write(&stamp, key).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(true)
    }

    /// All that the result depends on: a line for each, files by their digest.
    fn key(&self, command: &Command) -> Result<String> {
        let mut key = format!("{}\n", self.settings);
        // The program itself is one of the settings: its path differs between clones, its version is pinned.
        for argument in command.get_args() {
            writeln!(key, "argument {}", argument.to_string_lossy())?;
        }
        for name in self.inputs {
            let path = self.folder.join(name);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            write!(key, "{name} ")?;
            for byte in Sha256::digest(&bytes) {
                write!(key, "{byte:02x}")?;
            }
            key.push('\n');
        }
        Ok(key)
    }
}

/// Removes a file if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(folder: &Path, settings: &str, script: &str) -> Result<bool> {
        let stage = Stage {
            name: "copy",
            folder,
            settings,
            inputs: &["in"],
            outputs: &["out"],
        };
        stage.run(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn stage_runs_when_something_changed() {
        const COPY: &str = "echo ran >> times; cp in out";
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let times = || {
            fs::read_to_string(folder.join("times"))
                .unwrap()
                .lines()
                .count()
        };
        let error = run(folder, "v1", COPY).unwrap_err();
        assert!(error.to_string().contains("cannot read"), "{error}");
        fs::write(folder.join("in"), "a").unwrap();
        assert!(run(folder, "v1", COPY).unwrap());
        assert!(!run(folder, "v1", COPY).unwrap());
        assert_eq!(times(), 1);
        // An input's contents, the tool's version, the arguments, a lost output.
        fs::write(folder.join("in"), "b").unwrap();
        assert!(run(folder, "v1", COPY).unwrap());
        assert_eq!(fs::read_to_string(folder.join("out")).unwrap(), "b");
        assert!(run(folder, "v2", COPY).unwrap());
        assert!(run(folder, "v2", &format!("{COPY} ")).unwrap());
        fs::remove_file(folder.join("out")).unwrap();
        assert!(run(folder, "v2", &format!("{COPY} ")).unwrap());
        assert_eq!(times(), 5);
    }

    #[test]
    fn failure_leaves_no_result() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("in"), "a").unwrap();
        run(folder, "v1", "cp in out").unwrap();
        let error = run(folder, "v1", "cp in out; echo no room for it >&2; exit 3").unwrap_err();
        assert!(error.to_string().contains("no room for it"), "{error}");
        // The same inputs again: what failed is not taken for done.
        assert!(run(folder, "v1", "cp in out").unwrap());
        let error = run(folder, "v1", "true").unwrap_err().to_string();
        assert!(error.contains("wrote no out"), "{error}");
        assert!(!folder.join("out").exists());
    }
}
