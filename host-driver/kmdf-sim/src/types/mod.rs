//! The types of `wdk_sys`, written by hand from the WDK's headers.
//!
//! Names, field order and integer widths are those that bindgen makes of `ntddk.h` and `wdf.h` for x64 (KMDF 1.31): enumerations are
//! modules with a `Type`, function pointers are `Option`s, handles point to types that have no content. What each means is said in the
//! header of the same name at <https://learn.microsoft.com/windows-hardware/drivers/ddi/>.

#[macro_use]
mod shape;
mod base;
mod dma;
mod dma_operations;
mod mdl;
mod wdf_device;
mod wdf_interrupt;
mod wdf_io;
mod wdf_object;
mod wdf_work;
mod wdm;

pub use base::*;
pub use dma::*;
pub use dma_operations::*;
pub use mdl::*;
pub use wdf_device::*;
pub use wdf_interrupt::*;
pub use wdf_io::*;
pub use wdf_object::*;
pub use wdf_work::*;
pub use wdm::*;
