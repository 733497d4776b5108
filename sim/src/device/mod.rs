//! The device: the emitted gateware, with the real firmware on its soft core, under Verilator.
//!
//! [`Gateware`] is the pins; [`Streams`] is the user logic on its AXI4-Stream sides.

mod gateware;
mod integrated_block;
mod streams;

pub use gateware::{Beat, Gateware, GatewareError, Observed, Tools};
pub use streams::{Doubt, StreamFault, Streams};
