//! The framework's DMA functions (wdfdmaenabler.h, wdfcommonbuffer.h, wdfdmatransaction.h).
//!
//! They do what the framework's source does, state for state
//! (<https://github.com/microsoft/Windows-Driver-Frameworks>, `src/framework/kmdf/src/dma`).

mod common_buffer;
mod enabler;
mod state;
mod transaction;

pub use common_buffer::*;
pub use enabler::*;
pub use transaction::*;

pub(crate) use transaction::transaction_list;
