//! AMD UltraScale+ integrated block for PCI Express (`pcie4_uscale_plus`, PG213): its four AXI4-Streams, without straddle, DW-aligned.
//!
//! ```text
//!            +--> HeldReads -> RequesterRequest -> s_axis_rq; WriteOrder <- pcie_rq_seq_num
//!   tx --> TransmitSplit <- - - - - - - - - - - - - - - - - - - +
//!            +--> CompleterCompletion -> s_axis_cc <--+ their requests; refusals
//!   cpl <------- RequesterCompletion <-- m_axis_rc    |
//!   req <------- CompleterRequest <----- m_axis_cq -> NonPosted -> pcie_cq_np_req
//!   cfg <------- DeviceControl <-------- cfg_mgmt
//! ```
//!
//! Data widths are 256 and 512 bits; `U` is the width of a stream's `tuser`, which follows from that. Descriptors and `tuser` layouts are named
//! after PG213's tables. Settings of the IP: docs/shims.md.

mod cc;
mod cq;
mod device;
mod device_control;
mod held_reads;
mod link;
mod non_posted;
mod rc;
mod rq;
#[cfg(test)]
mod testing;
mod transmit_split;
mod write_order;

pub use cc::CompleterCompletion;
pub use cq::CompleterRequest;
pub use device::{UscalePlusDevice, WIDTHS, verilog};
pub use device_control::DeviceControl;
pub use held_reads::HeldReads;
pub use link::{CPL_DATA, CPL_HEADERS, Link};
pub use non_posted::NonPosted;
pub use rc::RequesterCompletion;
pub use rq::RequesterRequest;
pub use transmit_split::TransmitSplit;
pub use write_order::WriteOrder;
