//! What the tools must know of a board: `hdl/boards/<name>/board.toml`.

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::fs;

/// A board with an ECP5.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// nextpnr's name of the device.
    pub device: String,
    pub package: String,
    /// Speed grade.
    pub speed: u8,
    /// Configuration of the device, as for `cargo xtask verilog`.
    pub config: String,
    /// Bits of the device's bus.
    pub width: u32,
    pub oscillator_mhz: f64,
    /// Data clock.
    pub engine_mhz: f64,
    /// Soft core's clock.
    pub core_mhz: f64,
    /// Seed of the placement that is built unless another is asked for.
    pub seed: u32,
}

impl Board {
    /// Reads the description of the board in `hdl/boards/<name>`.
    ///
    /// # Errors
    /// A name that no folder has (the error lists those that there are), or a description that is wrong.
    pub fn find(workspace: &Workspace, name: &str) -> Result<Self> {
        let boards = workspace.root.join("hdl/boards");
        let names = names(&boards)?;
        if !names.iter().any(|known| known == name) {
            bail!(
                "no board {name}: folders of hdl/boards/ are {}",
                names.join(", ")
            );
        }
        let file = boards.join(name).join("board.toml");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| workspace.show(&file))
    }

    /// Takes the description apart.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let board: Self = toml::from_str(text)?;
        for (clock, mhz) in [
            ("oscillator_mhz", board.oscillator_mhz),
            ("engine_mhz", board.engine_mhz),
            ("core_mhz", board.core_mhz),
        ] {
            ensure!(
                mhz.is_finite() && mhz > 0.0,
                "{clock} is no frequency: {mhz}"
            );
        }
        Ok(board)
    }
}

fn names(boards: &std::path::Path) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(boards).with_context(|| format!("cannot read {}", boards.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().join("board.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_of_the_repository_are_described() {
        let workspace = Workspace::find().unwrap();
        let boards = names(&workspace.root.join("hdl/boards")).unwrap();
        assert!(boards.contains(&"ecp5-versa".to_owned()));
        for board in boards {
            Board::find(&workspace, &board).unwrap();
        }
        for name in ["versa", "../boards/ecp5-versa", ""] {
            let error = Board::find(&workspace, name).unwrap_err().to_string();
            assert!(error.contains("ecp5-versa"), "{error}");
        }
    }

    #[test]
    fn wrong_descriptions_are_refused() {
        let good = include_str!("../../../hdl/boards/ecp5-versa/board.toml");
        Board::parse(good).unwrap();
        for (part, instead, reason) in [
            ("seed = 1", "", "missing field `seed`"),
            ("seed", "sead", "unknown field `sead`"),
            ("62.5", "0.0", "core_mhz is no frequency: 0"),
            ("125.0", "inf", "engine_mhz is no frequency: inf"),
        ] {
            let error = Board::parse(&good.replacen(part, instead, 1)).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(reason), "{error}");
        }
    }
}
