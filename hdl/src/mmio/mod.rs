//! BAR0: registers, doorbells and the MSI-X table behind the link's request stream.
//!
//! [`Bar0`] is [`MmioTarget`], which turns request TLPs into single-DW accesses, the three units that those reach:
//! [`Csr`], [`DoorbellUnit`] and [`MsixTable`], and [`InlineSlots`], which also sees the longer writes. Each unit knows its own addresses, so all share one bus: a write that is not
//! for a unit leaves it alone, and a unit that is not asked answers zero.

mod bar0;
mod byte_write;
mod counters;
mod csr;
mod doorbell;
mod error_log;
mod inline;
mod layout;
mod log;
mod msix;
mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use bar0::Bar0;
pub use byte_write::ByteWrite;
pub use counters::Counters;
pub use csr::Csr;
pub use doorbell::DoorbellUnit;
pub use error_log::ErrorLog;
pub use inline::InlineSlots;
pub use log::FirmwareLog;
pub use msix::MsixTable;
pub use target::{MmioState, MmioTarget};
