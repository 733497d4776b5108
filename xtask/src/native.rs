//! The C and C++ compilers that Verilator's models and the C header's tests need.

use crate::debian;
use crate::process::version;
use anyhow::Result;
use std::process::Command;

/// Program, environment variable that names another one, Debian package.
pub const COMPILERS: &[(&str, &str, &str)] = &[("g++", "CXX", "g++"), ("gcc", "CC", "gcc")];

/// Version of a compiler of [`COMPILERS`].
pub fn compiler_version(program: &str, variable: &str) -> Option<String> {
    let program = std::env::var(variable).unwrap_or_else(|_| program.into());
    version(Command::new(program).arg("--version"))
}

/// Installs the compilers that are missing.
pub fn provision() -> Result<()> {
    let missing = COMPILERS
        .iter()
        .filter(|(program, variable, _)| compiler_version(program, variable).is_none());
    let packages: Vec<_> = missing.map(|(_, _, package)| *package).collect();
    if packages.is_empty() {
        Ok(())
    } else {
        debian::install("a C or C++ compiler is missing", &packages)
    }
}
