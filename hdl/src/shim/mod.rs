//! Shims between the device's TLP streams and the hard IP of FPGA families: see docs/shims.md.

mod merge;
mod read_span;
mod reframe;
mod rotate;
#[cfg(test)]
mod testing;
pub mod uscale_plus;

pub use merge::MergeDwords;
pub use read_span::ReadSpan;
pub use reframe::Reframe;
pub use rotate::RotateDwords;
