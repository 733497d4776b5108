//! The framework's functions, one per name; drivers reach them by `call_unsafe_wdf_function_binding!`.

pub(crate) mod device;
mod dma;
pub(crate) mod driver;
pub(crate) mod file;
pub(crate) mod interrupt;
mod lock;
mod mdl;
pub(crate) mod names;
pub(crate) mod object;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod resource;
pub(crate) mod work;

pub use device::*;
pub use dma::*;
pub use driver::*;
pub use file::*;
pub use interrupt::*;
pub use lock::*;
pub use mdl::*;
pub use names::NAMES;
pub use object::*;
pub use queue::*;
pub use request::*;
pub use resource::*;
pub use work::*;

use crate::constants::STATUS_SUCCESS;
use crate::types::{HANDLE, NTSTATUS, PWDF_OBJECT_ATTRIBUTES};
use crate::verifier::Rule;

/// Gives a new object's handle to the driver.
///
/// # Safety
/// `place` is null or may be written.
pub(crate) unsafe fn hand_out<T>(
    created: Result<HANDLE, NTSTATUS>,
    place: *mut *mut T,
) -> NTSTATUS {
    match created {
        Ok(handle) => {
            if !place.is_null() {
                // SAFETY: the caller's contract.
                unsafe { *place = handle.cast() };
            }
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// Stops the machine unless the attributes name a parent.
pub(crate) fn require_parent(ddi: &'static str, attributes: PWDF_OBJECT_ATTRIBUTES) {
    // SAFETY: null or the driver's attributes.
    if attributes.is_null() || unsafe { (*attributes).ParentObject }.is_null() {
        crate::world::fatal(
            Rule::ObjectAttributes,
            ddi,
            "attributes with a ParentObject are required",
        );
    }
}
