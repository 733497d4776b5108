// Generated from the declarations in protocol/src: do not edit.
// Made by: cargo xtask generate

//! What the gateware knows of the wire format.

#[rustfmt::skip]
pub mod commands;
#[rustfmt::skip]
pub mod constants;
#[rustfmt::skip]
pub mod messages;
#[rustfmt::skip]
pub mod structures;
