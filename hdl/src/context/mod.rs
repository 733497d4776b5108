//! The context table of one direction: from a submission entry to a running transfer and its completion record.

mod checks;
mod choice;
mod directory;
mod extent;
mod sequencer;
mod turns;
mod windows;
mod words;

pub use directory::Directory;
pub use sequencer::{ContextState, ContextTable};
