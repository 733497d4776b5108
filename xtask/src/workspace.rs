//! Where the workspace and its build output are.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that every task works in.
pub struct Workspace {
    /// The repository's root.
    pub root: PathBuf,
    /// cargo's target folder, wherever configuration or `CARGO_TARGET_DIR` puts it.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        let mut command = cargo();
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "metadata",
            "--no-deps",
            "--format-version=1",
        ]);
        let metadata: serde_json::Value =
            serde_json::from_str(&crate::process::output(&mut command)?)?;
        let folder = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata names no {key}"))
        };
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
        })
    }

    /// Where provisioned tools live.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A path as the user would write it: relative to the root where it lies below it.
    pub fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// The cargo that runs this task.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The rustc of the toolchain in use.
pub fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
