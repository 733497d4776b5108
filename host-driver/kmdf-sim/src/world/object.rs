//! Framework objects: handles, parents, references, contexts, deletion.

use core::any::Any;

use crate::types::{HANDLE, NTSTATUS, PWDF_OBJECT_ATTRIBUTES};

/// What a kind of object keeps, and what happens when it goes.
pub(crate) trait Payload: Any {
    /// Name of the handle's type.
    const TYPE: &'static str;

    /// Runs when the object is deleted, after the driver's EvtCleanupCallback, outside `world::with`.
    fn cleanup(_handle: HANDLE) {}
}

/// Checks the attributes and creates an object; `default_parent` counts if the attributes name none.
pub(crate) fn create<T: Payload>(
    _ddi: &'static str,
    _attributes: PWDF_OBJECT_ATTRIBUTES,
    _default_parent: HANDLE,
    _payload: T,
) -> Result<HANDLE, NTSTATUS> {
    todo!()
}

/// Gives access to what the object keeps; `None`, and a violation, if there is no such live object. As in `world::with`.
pub(crate) fn data<T: Payload, R>(
    _ddi: &'static str,
    _handle: HANDLE,
    _f: impl FnOnce(&mut T) -> R,
) -> Option<R> {
    todo!()
}

/// The object's parent, or null.
pub(crate) fn parent(_handle: HANDLE) -> HANDLE {
    todo!()
}

/// Deletes an object and its children.
pub(crate) fn delete(_ddi: &'static str, _handle: HANDLE) {
    todo!()
}
