//! The context table of one direction: from a submission entry to a running transfer and its completion record.

mod checks;
mod directory;
mod extent;
mod sequencer;
mod turns;
mod windows;

pub use directory::Directory;
pub use sequencer::{ContextState, ContextTable};
