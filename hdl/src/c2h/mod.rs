//! Card to host: the user stream becomes posted memory writes.

mod cutter;
mod engine;
mod keep;
mod realigner;
#[cfg(test)]
mod tests;

pub use cutter::{Cutter, CutterState};
pub use engine::C2hEngine;
pub use keep::KeepCount;
pub use realigner::Realigner;
