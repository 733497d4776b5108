//! The context table of one direction: from a submission entry to a running transfer and its completion record.

mod sequencer;
mod turns;

pub use sequencer::{ContextState, ContextTable};
