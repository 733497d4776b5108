//! Between the engine and the firmware: messages one way, commands the other.

mod admin;
mod messages;
mod router;

pub use admin::{AdminState, AdminUnit};
pub use messages::MessageArbiter;
pub use router::{CommandRouter, RouterState};
