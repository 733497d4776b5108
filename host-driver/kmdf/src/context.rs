//! Contexts of framework objects: the macros of `wdfobject.h` in Rust.

use core::ffi::CStr;
use core::marker::PhantomData;

use wdk_sys::{
    PFN_WDF_OBJECT_CONTEXT_DESTROY, WDF_OBJECT_ATTRIBUTES, WDF_OBJECT_CONTEXT_TYPE_INFO, WDFOBJECT,
    call_unsafe_wdf_function_binding,
};

use crate::init;

/// The type of a context: what `WDF_DECLARE_CONTEXT_TYPE` makes. It lives in a `static` and points to itself.
#[repr(transparent)]
pub(crate) struct ContextType<T> {
    info: WDF_OBJECT_CONTEXT_TYPE_INFO,
    of: PhantomData<fn() -> T>,
}

// SAFETY: nothing is ever written to it.
unsafe impl<T> Sync for ContextType<T> {}

impl<T> ContextType<T> {
    /// The type with this name; `unique` is the static itself.
    ///
    /// # Safety
    /// All zeroes is a value of `T`: so the framework makes it. `T` is no more aligned than pool memory, 16 bytes.
    pub(crate) const unsafe fn new(name: &'static CStr, unique: &'static Self) -> Self {
        assert!(align_of::<T>() <= 16);
        Self {
            info: WDF_OBJECT_CONTEXT_TYPE_INFO {
                Size: size_of::<WDF_OBJECT_CONTEXT_TYPE_INFO>() as u32,
                ContextName: name.as_ptr().cast(),
                ContextSize: size_of::<T>(),
                UniqueType: &raw const unique.info,
                EvtDriverGetUniqueContextType: None,
            },
            of: PhantomData,
        }
    }

    /// Attributes of an object with this context.
    pub(crate) fn attributes(
        &'static self,
        destroy: PFN_WDF_OBJECT_CONTEXT_DESTROY,
    ) -> WDF_OBJECT_ATTRIBUTES {
        let mut attributes = init::attributes();
        attributes.EvtDestroyCallback = destroy;
        attributes.ContextTypeInfo = &raw const self.info;
        attributes
    }

    /// The context of an object. Any IRQL.
    ///
    /// # Safety
    /// The object is valid and was created with [`attributes`](Self::attributes) of this very type. The context lives as long as it.
    pub(crate) unsafe fn of(&'static self, object: WDFOBJECT) -> *mut T {
        // SAFETY: the caller says so.
        let context = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfObjectGetTypedContextWorker,
                object,
                &raw const self.info
            )
        };
        context.cast()
    }
}
