//! The driver object and the registry.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, with};

/// The WDFDRIVER.
pub(crate) struct Driver {
    pub(crate) config: WDF_DRIVER_CONFIG,
}

impl Payload for Driver {
    const TYPE: &'static str = "WDFDRIVER";
    const DELETABLE: bool = false;
}

/// A WDFKEY.
pub(crate) struct RegistryKey;

impl Payload for RegistryKey {
    const TYPE: &'static str = "WDFKEY";
}

/// The driver's handle, or null before it is created.
pub(crate) fn current() -> WDFDRIVER {
    object::handle(with(|w| w.pnp.driver))
}

/// Creates the driver object.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDriverCreate(
    DriverObject: PDRIVER_OBJECT,
    _RegistryPath: PCUNICODE_STRING,
    DriverAttributes: PWDF_OBJECT_ATTRIBUTES,
    DriverConfig: PWDF_DRIVER_CONFIG,
    Driver: *mut WDFDRIVER,
) -> NTSTATUS {
    let ddi = "WdfDriverCreate";
    enter(ddi, 0);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, DriverConfig) };
    if DriverObject.is_null() || with(|w| w.pnp.driver) != 0 {
        world::fatal(
            Rule::InvalidArgument,
            ddi,
            "once per driver, with DriverEntry's driver object",
        );
    }
    let created = object::create(
        ddi,
        DriverAttributes,
        core::ptr::null_mut(),
        self::Driver { config },
    );
    if let Ok(handle) = created {
        with(|w| w.pnp.driver = object::number(handle));
    }
    // SAFETY: the caller's contract.
    unsafe { super::hand_out(created, Driver) }
}

/// The driver object of the kernel.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDriverWdmGetDriverObject(Driver: WDFDRIVER) -> PDRIVER_OBJECT {
    let ddi = "WdfDriverWdmGetDriverObject";
    enter(ddi, 2);
    object::check(ddi, Driver.cast());
    with(|w| w.pnp.driver_object.as_mut() as *mut _)
}

/// Opens the driver's Parameters key.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDriverOpenParametersRegistryKey(
    Driver: WDFDRIVER,
    _DesiredAccess: ACCESS_MASK,
    KeyAttributes: PWDF_OBJECT_ATTRIBUTES,
    Key: *mut WDFKEY,
) -> NTSTATUS {
    let ddi = "WdfDriverOpenParametersRegistryKey";
    enter(ddi, 0);
    object::get(ddi, Driver.cast(), |_: &mut self::Driver| ());
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, KeyAttributes, Driver.cast(), RegistryKey),
            Key,
        )
    }
}

/// Opens the device's key; the double has one set of values for both.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDeviceOpenRegistryKey(
    Device: WDFDEVICE,
    _DeviceInstanceKeyType: ULONG,
    _DesiredAccess: ACCESS_MASK,
    KeyAttributes: PWDF_OBJECT_ATTRIBUTES,
    Key: *mut WDFKEY,
) -> NTSTATUS {
    let ddi = "WdfDeviceOpenRegistryKey";
    enter(ddi, 0);
    object::check(ddi, Device.cast());
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, KeyAttributes, Device.cast(), RegistryKey),
            Key,
        )
    }
}

/// The text of a counted string.
///
/// # Safety
/// The pointer is null or to a valid string.
pub(crate) unsafe fn text(string: PCUNICODE_STRING) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's contract: `Length` bytes at `Buffer`.
    unsafe {
        let string = *string;
        if string.Buffer.is_null() {
            return None;
        }
        Some(String::from_utf16_lossy(core::slice::from_raw_parts(
            string.Buffer,
            usize::from(string.Length / 2),
        )))
    }
}

/// Reads a REG_DWORD value.
///
/// # Safety
/// The pointers are valid.
#[must_use]
pub unsafe fn WdfRegistryQueryULong(
    Key: WDFKEY,
    ValueName: PCUNICODE_STRING,
    Value: PULONG,
) -> NTSTATUS {
    let ddi = "WdfRegistryQueryULong";
    enter(ddi, 0);
    object::get(ddi, Key.cast(), |_: &mut RegistryKey| ());
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: the caller's contract.
    let Some(name) = (unsafe { text(ValueName) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    let found = with(|w| {
        w.config
            .registry
            .iter()
            .find(|(present, _)| present.eq_ignore_ascii_case(&name))
            .map(|(_, value)| *value)
    });
    match found {
        Some(value) => {
            // SAFETY: the caller's contract.
            unsafe { *Value = value };
            STATUS_SUCCESS
        }
        None => STATUS_OBJECT_NAME_NOT_FOUND,
    }
}

/// Closes a key.
///
/// # Safety
/// None needed.
pub unsafe fn WdfRegistryClose(Key: WDFKEY) {
    let ddi = "WdfRegistryClose";
    enter(ddi, 0);
    object::get(ddi, Key.cast(), |_: &mut RegistryKey| ());
    object::delete_by_driver(ddi, Key.cast());
}
