//! A test double of KMDF for Linux, with a verifier.
//!
//! A driver that is written against `wdk_sys` is built against this crate under that name, and runs, unchanged, on a simulated machine
//! in one host thread. Threads, deferred procedure calls and interrupts interleave as the seed says; calls at a wrong IRQL, lost
//! requests, leaks and the like are reported with the rule and its documentation.
//!
//! What the driver sees is at the root ([`types`], [`constants`], [`ntddk`], [`call_unsafe_wdf_function_binding`]).
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

#[allow(missing_docs, clippy::missing_safety_doc)]
pub mod constants;
pub mod ddi;
pub mod dma;
mod kernel;
mod macros;
pub mod memory;
pub mod ntddk;
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub mod types;

pub mod verifier;
#[allow(dead_code)]
mod world;

pub use constants::*;
pub use macros::{NT_ERROR, NT_INFORMATION, NT_SUCCESS, NT_WARNING};
pub use types::*;
