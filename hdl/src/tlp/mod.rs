//! What the engine sends on the link: posted writes and completions in one order, reads beside them.

mod credits;
mod posted;
mod records;
mod transmit;

pub use credits::ReadCredits;
pub use posted::{PostedMux, PostedSource};
pub use records::RecordArbiter;
pub use transmit::TransmitMux;
