//! A test double of KMDF for Linux, with a verifier.
//!
//! A driver that is written against `wdk_sys` is built against this crate under that name, and runs, unchanged, on a simulated machine
//! in one host thread. Threads, deferred procedure calls and interrupts interleave as the seed says; calls at a wrong IRQL, lost
//! requests, leaks and the like are reported with the rule and its documentation.
//!
//! What the driver sees is at the root ([`types`], [`constants`], [`ntddk`], [`call_unsafe_wdf_function_binding`]).
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

#[allow(missing_docs)]
pub mod constants;
pub mod ddi;
pub mod dma;
pub mod hardware;
mod kernel;
mod machine;
mod macros;
pub mod memory;
pub mod mmio;
pub mod ntddk;
mod pnp;
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub mod types;
pub mod user;
pub mod verifier;
mod world;

pub use constants::*;
pub use hardware::{Hardware, NoHardware};
pub use kernel::TraceEvent;
pub use machine::{Background, Machine, Stopped};
pub use macros::{NT_ERROR, NT_INFORMATION, NT_SUCCESS, NT_WARNING};
pub use types::*;
pub use verifier::{Report, Rule, Violation};
pub use world::{Config, Costs, FlatCosts};
