//! File objects.

use crate::kernel::enter;
use crate::types::*;
use crate::world::object::{self, Payload};

/// A WDFFILEOBJECT.
pub(crate) struct FileObject {
    /// FO_SYNCHRONOUS_IO and the like.
    pub(crate) flags: u32,
    pub(crate) device: u64,
    pub(crate) object: Box<FILE_OBJECT>,
}

impl Payload for FileObject {
    const TYPE: &'static str = "WDFFILEOBJECT";
    const DELETABLE: bool = false;
}

/// Flags of the file object, such as FO_SYNCHRONOUS_IO.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfFileObjectGetFlags(FileObject: WDFFILEOBJECT) -> ULONG {
    let ddi = "WdfFileObjectGetFlags";
    enter(ddi, 2);
    object::get(ddi, FileObject.cast(), |file: &mut self::FileObject| {
        file.flags
    })
}

/// The device of the file object.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfFileObjectGetDevice(FileObject: WDFFILEOBJECT) -> WDFDEVICE {
    let ddi = "WdfFileObjectGetDevice";
    enter(ddi, 2);
    object::handle(object::get(
        ddi,
        FileObject.cast(),
        |file: &mut self::FileObject| file.device,
    ))
}

/// The kernel's file object.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfFileObjectWdmGetFileObject(FileObject: WDFFILEOBJECT) -> PFILE_OBJECT {
    let ddi = "WdfFileObjectWdmGetFileObject";
    enter(ddi, 2);
    object::get(ddi, FileObject.cast(), |file: &mut self::FileObject| {
        file.object.as_mut() as *mut _
    })
}
