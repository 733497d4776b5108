//! Objects in general: contexts, references, deletion.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::world::DISPATCH;
use crate::world::object::{self, Payload};

/// An object of WdfObjectCreate.
pub(crate) struct General;

impl Payload for General {
    const TYPE: &'static str = "WDFOBJECT";
}

/// The context of an object, by type.
///
/// # Safety
/// The type info is a static.
#[must_use]
pub unsafe fn WdfObjectGetTypedContextWorker(
    Handle: WDFOBJECT,
    TypeInfo: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
) -> PVOID {
    object::context("WdfObjectGetTypedContextWorker", Handle, TypeInfo)
}

/// Deletes an object and its children.
///
/// # Safety
/// Nothing uses the object's context afterwards.
pub unsafe fn WdfObjectDelete(Object: WDFOBJECT) {
    enter("WdfObjectDelete", DISPATCH);
    object::delete_by_driver("WdfObjectDelete", Object);
}

/// Takes a reference.
///
/// # Safety
/// None needed.
pub unsafe fn WdfObjectReferenceActual(Handle: WDFOBJECT, _Tag: PVOID, _Line: LONG, _File: PCSTR) {
    enter("WdfObjectReferenceActual", DISPATCH);
    object::reference("WdfObjectReferenceActual", Handle);
}

/// Gives a reference back.
///
/// # Safety
/// None needed.
pub unsafe fn WdfObjectDereferenceActual(
    Handle: WDFOBJECT,
    _Tag: PVOID,
    _Line: LONG,
    _File: PCSTR,
) {
    enter("WdfObjectDereferenceActual", DISPATCH);
    object::dereference("WdfObjectDereferenceActual", Handle);
}

/// Adds a context of another type to an object.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfObjectAllocateContext(
    Handle: WDFOBJECT,
    ContextAttributes: PWDF_OBJECT_ATTRIBUTES,
    Context: *mut PVOID,
) -> NTSTATUS {
    let ddi = "WdfObjectAllocateContext";
    enter(ddi, DISPATCH);
    match object::add_context(ddi, Handle, ContextAttributes) {
        Ok(context) => {
            if !Context.is_null() {
                // SAFETY: the caller's contract.
                unsafe { *Context = context };
            }
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// The object that a context belongs to.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfObjectContextGetObject(ContextPointer: PVOID) -> WDFOBJECT {
    object::owner_of_context("WdfObjectContextGetObject", ContextPointer)
}

/// Creates an object of no special type.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfObjectCreate(
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Object: *mut WDFOBJECT,
) -> NTSTATUS {
    let ddi = "WdfObjectCreate";
    enter(ddi, DISPATCH);
    let driver = super::driver::current();
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, Attributes, driver.cast(), General),
            Object,
        )
    }
}
