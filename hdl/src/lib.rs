//! Pinring gateware in rust-hdl: see docs/gateware.md for how a transfer travels.

// Kernels are written one condition a level, as they come out in Verilog.
#![allow(
    clippy::collapsible_if,
    clippy::collapsible_else_if,
    clippy::if_same_then_else
)]

mod byte_enables;
pub mod c2h;
pub mod completion;
pub mod context;
pub mod demo;
pub mod device;
pub mod fetch;
pub mod fetch_arbiter;
pub mod generated;
pub mod h2c;
pub mod h2c_channel;
pub mod idle;
pub mod lost_tags;
pub mod mailbox;
pub mod mmio;
#[cfg(test)]
mod rig;
pub mod scheduler;
pub mod selftest;
pub mod shim;
pub mod sizes;
pub mod soft_core;
pub mod soft_reset;
#[cfg(test)]
mod testing;
pub mod tlp;
pub mod walker;
pub mod widgets;
