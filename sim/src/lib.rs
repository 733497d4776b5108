//! Co-simulation: the real driver core, the real firmware and the emitted gateware on a modelled host and link.
pub mod bench;
pub mod board;
pub mod cpu;
pub mod device;
pub mod fuzz;
pub mod host;
pub mod link;
pub mod machine;
pub mod platform;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stress;
pub mod watch;
