//! Card from host: reads, their completions, and the user stream made of them.
//!
//! ```text
//! chunks -> ReadRequester -> reads                    completions -> CompletionSink -> SlotRam
//!                |                                                        |               |
//!                +-- one slot of the ring each ------> Frontier <-- open -+               v
//!                                                         +--> DrainSequencer --> DrainAligner -> stream
//! ```
//!
//! A chunk takes the next slot in ring order; its tag is the slot's. Completions come in any order and open slots
//! become complete in any order; the frontier follows in ring order, and the drain behind it.

mod aligner;
mod engine;
mod frontier;
mod requester;
mod sequencer;
mod sink;
mod slot_ram;

#[cfg(test)]
pub(crate) mod test_bench;

pub use aligner::DrainAligner;
pub use engine::H2cEngine;
pub use frontier::Frontier;
pub use requester::ReadRequester;
pub use sequencer::DrainSequencer;
pub use sink::CompletionSink;
pub use slot_ram::SlotRam;
