//! The devices that are present, by their interface class.

use std::ptr::null;

use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_GET_DEVICE_INTERFACE_LIST_PRESENT, CM_Get_Device_Interface_List_SizeW,
    CM_Get_Device_Interface_ListW, CR_BUFFER_SMALL, CR_SUCCESS,
};
use windows_sys::core::GUID;

#[cfg(feature = "cli")]
pub(super) use keys::{first_hardware_key, hardware_key};

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

#[cfg(feature = "cli")]
mod keys {
    use std::ptr::null_mut;

    use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
        CM_GETIDLIST_FILTER_PRESENT, CM_GETIDLIST_FILTER_SERVICE, CM_Get_Device_ID_List_SizeW,
        CM_Get_Device_ID_ListW, CM_Get_Device_Interface_PropertyW, CM_LOCATE_DEVNODE_NORMAL,
        CM_Locate_DevNodeW, CM_Open_DevNode_Key, CM_REGISTRY_HARDWARE, CR_SUCCESS,
        RegDisposition_OpenExisting,
    };
    use windows_sys::Win32::Devices::Properties::{DEVPKEY_Device_InstanceId, DEVPROP_TYPE_STRING};
    use windows_sys::Win32::System::Registry::KEY_READ;

    use crate::windows::facts::Key;
    use crate::windows::wide;
    use crate::{Error, Status};

    /// Units of the longest instance id, with its end: MAX_DEVICE_ID_LEN of cfgmgr32.h.
    const ID_UNITS: usize = 200;

    /// The key `Device Parameters` of the device with this interface.
    pub(in crate::windows) fn hardware_key(name: &str) -> Result<Key, Error> {
        let interface = wide(name);
        let mut id = [0_u16; ID_UNITS];
        let (mut kind, mut bytes) = (0, size_of_val(&id) as u32);
        // SAFETY: the name ends with 0, and the answer has the room that is said.
        let got = unsafe {
            CM_Get_Device_Interface_PropertyW(
                interface.as_ptr(),
                &DEVPKEY_Device_InstanceId,
                &mut kind,
                id.as_mut_ptr().cast::<u8>(),
                &mut bytes,
                0,
            )
        };
        let is_text = got == CR_SUCCESS && kind == DEVPROP_TYPE_STRING;
        let key = is_text.then(|| open(&id)).flatten();
        key.ok_or_else(|| Error::Open {
            name: name.to_string(),
            status: Status::OBJECT_NAME_NOT_FOUND,
        })
    }

    /// That key of the first device that is present and has this service.
    pub(in crate::windows) fn first_hardware_key(service: &str) -> Option<Key> {
        let service = wide(service);
        let filter = CM_GETIDLIST_FILTER_SERVICE | CM_GETIDLIST_FILTER_PRESENT;
        let mut length = 0;
        // SAFETY: the name ends with 0, and the length is ours to write.
        let sized = unsafe { CM_Get_Device_ID_List_SizeW(&mut length, service.as_ptr(), filter) };
        if sized != CR_SUCCESS {
            return None; // There is no such service.
        }
        let mut ids = vec![0_u16; length as usize];
        // SAFETY: the name ends with 0, and the list has room for `length` units.
        let listed =
            unsafe { CM_Get_Device_ID_ListW(service.as_ptr(), ids.as_mut_ptr(), length, filter) };
        let found = listed == CR_SUCCESS && ids.first().is_some_and(|unit| *unit != 0);
        found.then(|| open(&ids)).flatten()
    }

    /// The hardware key of the device whose instance id begins here and ends with 0.
    fn open(id: &[u16]) -> Option<Key> {
        if !id.contains(&0) {
            return None;
        }
        let mut device = 0;
        // SAFETY: the id ends with 0.
        let found =
            unsafe { CM_Locate_DevNodeW(&mut device, id.as_ptr(), CM_LOCATE_DEVNODE_NORMAL) };
        if found != CR_SUCCESS {
            return None;
        }
        let mut key = null_mut();
        // SAFETY: the device was found, and the key is ours to close.
        let opened = unsafe {
            CM_Open_DevNode_Key(
                device,
                KEY_READ,
                0,
                RegDisposition_OpenExisting,
                &mut key,
                CM_REGISTRY_HARDWARE,
            )
        };
        (opened == CR_SUCCESS).then_some(Key(key))
    }
}
