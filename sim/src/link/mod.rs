//! The PCIe link and the root complex behind it, in virtual time.
//!
//! The device's side is the TLP streams of `docs/gateware.md`, one call each way per device clock cycle:
//!
//! 1. [`Link::begin_cycle`] moves everything on the link up to this cycle and says what the device's input pins show:
//!    read completions, requests to BAR0, `tx_ready`.
//! 2. The device model evaluates its outputs.
//! 3. [`Link::end_cycle`] takes what the device's output pins show just before the clock edge.
//!
//! The host's side is [`Link::mmio_write`], [`Link::mmio_read`] and [`Link::pop_event`]. Memory is reached through
//! [`HostBus`](crate::host::HostBus) at the moment a TLP arrives.
//!
//! The way of a TLP from the device: pins -> assembler -> transmit queue (credits, ordering) -> wire (bytes at
//! the ceiling's rate) -> one-way latency -> root complex -> memory, interrupt or MMIO completion. Reads wait the turn-around
//! time and come back split into completions: wire -> latency -> pins.
//!
//! The [`checker`] watches the pins and the arrivals with its own accounting and ends the run at the first illegal TLP.
//!
//! What is to go wrong is told by [`Link::inject`].
//!
//! Not modelled: corrupted TLPs and their replay, relaxed and ID-based ordering, virtual channels, power states.

mod assemble;
pub mod checker;
mod config;
mod deliver;
mod engine;
mod faults;
mod pins;
mod root_complex;
mod statistics;
mod tlp;
mod transmit;
mod wire;

#[cfg(test)]
mod tests;

pub use config::{
    CompletionOrder, ConfigError, Credits, Direction, Generation, HardIp, LinkConfig,
};
pub use engine::{HostEvent, Link, MmioError, MmioHandle};
pub use faults::{Fault, FaultKind, FaultPlan, Trigger};
pub use pins::{CplPort, ReqPort, RxPorts, TxPorts};
pub use statistics::{DirectionStatistics, Statistics, TlpRecord};
pub use tlp::{MAX_BEAT_BYTES, Status, TlpHeader, TlpKind};
