//! The devices that are present, by their interface class.

use std::ptr::null;

use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_GET_DEVICE_INTERFACE_LIST_PRESENT, CM_Get_Device_Interface_List_SizeW,
    CM_Get_Device_Interface_ListW, CR_BUFFER_SMALL, CR_SUCCESS,
};
use windows_sys::core::GUID;

use crate::{Error, Status};

const CLASS: GUID = GUID {
    data1: pinring_ioctl::INTERFACE.data1,
    data2: pinring_ioctl::INTERFACE.data2,
    data3: pinring_ioctl::INTERFACE.data3,
    data4: pinring_ioctl::INTERFACE.data4,
};

/// How often to ask again when devices come while we ask.
const ATTEMPTS: u32 = 5;

/// Names of the devices.
pub(super) fn list() -> Result<Vec<String>, Error> {
    let refused = || Error::Refused {
        action: "listing devices",
        status: Status::UNSUCCESSFUL,
    };
    for _ in 0..ATTEMPTS {
        let mut length = 0;
        // SAFETY: the length is ours to write.
        let sized = unsafe {
            CM_Get_Device_Interface_List_SizeW(
                &mut length,
                &CLASS,
                null(),
                CM_GET_DEVICE_INTERFACE_LIST_PRESENT,
            )
        };
        if sized != CR_SUCCESS {
            return Err(refused());
        }
        let mut names = vec![0_u16; length as usize];
        // SAFETY: the list has room for `length` units.
        let listed = unsafe {
            CM_Get_Device_Interface_ListW(
                &CLASS,
                null(),
                names.as_mut_ptr(),
                length,
                CM_GET_DEVICE_INTERFACE_LIST_PRESENT,
            )
        };
        match listed {
            CR_SUCCESS => return Ok(split(&names)),
            CR_BUFFER_SMALL => {}
            _ => return Err(refused()),
        }
    }
    Err(refused())
}

/// Names that end with 0 each, and the list with one more.
fn split(names: &[u16]) -> Vec<String> {
    names
        .split(|unit| *unit == 0)
        .filter(|name| !name.is_empty())
        .map(String::from_utf16_lossy)
        .collect()
}
