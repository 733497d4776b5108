//! The binary that runs on the host's processor of the self-test image.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod target;

/// Nothing: this program is for the soft core.
#[cfg(not(target_os = "none"))]
fn main() {}
