//! Pinring gateware in rust-hdl: see docs/gateware.md for how a transfer travels.

pub mod widgets;
