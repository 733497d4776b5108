//! Lists of hardware resources.

use crate::kernel::enter;
use crate::types::*;
use crate::world::object::{self, Payload};

/// A WDFCMRESLIST.
pub(crate) struct ResourceList {
    pub(crate) descriptors: Box<[CM_PARTIAL_RESOURCE_DESCRIPTOR]>,
}

impl Payload for ResourceList {
    const TYPE: &'static str = "WDFCMRESLIST";
    const DELETABLE: bool = false;
}

/// Resources in the list.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfCmResourceListGetCount(List: WDFCMRESLIST) -> ULONG {
    let ddi = "WdfCmResourceListGetCount";
    enter(ddi, 2);
    object::get(ddi, List.cast(), |list: &mut ResourceList| {
        list.descriptors.len() as u32
    })
}

/// A resource of the list, or null.
///
/// # Safety
/// The pointer is used only while the list exists.
#[must_use]
pub unsafe fn WdfCmResourceListGetDescriptor(
    List: WDFCMRESLIST,
    Index: ULONG,
) -> PCM_PARTIAL_RESOURCE_DESCRIPTOR {
    let ddi = "WdfCmResourceListGetDescriptor";
    enter(ddi, 2);
    object::get(ddi, List.cast(), |list: &mut ResourceList| {
        if Index as usize >= list.descriptors.len() {
            return core::ptr::null_mut();
        }
        // From the whole list: the addresses of its members identify the messages.
        list.descriptors.as_mut_ptr().wrapping_add(Index as usize)
    })
}
