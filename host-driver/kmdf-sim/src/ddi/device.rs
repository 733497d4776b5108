//! Devices: what is set before they are created, creation, interfaces.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, DISPATCH, with};

/// Where the device is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In EvtDriverDeviceAdd.
    Added,
    /// In EvtDevicePrepareHardware.
    Preparing,
    /// Resources are assigned.
    Prepared,
    /// In EvtDeviceReleaseHardware or after it.
    Released,
}

/// A WDFDEVICE_INIT.
#[derive(Clone)]
pub(crate) struct Init {
    pub(crate) pnp: WDF_PNPPOWER_EVENT_CALLBACKS,
    pub(crate) file: Option<WDF_FILEOBJECT_CONFIG>,
    pub(crate) file_attributes: Option<WDF_OBJECT_ATTRIBUTES>,
    pub(crate) request_attributes: Option<WDF_OBJECT_ATTRIBUTES>,
    pub(crate) in_caller_context: PFN_WDF_IO_IN_CALLER_CONTEXT,
    pub(crate) sddl: Option<String>,
    pub(crate) characteristics: u32,
    pub(crate) exclusive: bool,
}

impl Default for Init {
    fn default() -> Self {
        Self {
            pnp: WDF_PNPPOWER_EVENT_CALLBACKS::default(),
            file: None,
            file_attributes: None,
            request_attributes: None,
            in_caller_context: None,
            sddl: None,
            // What WdfDeviceInit has from the start.
            characteristics: FILE_DEVICE_SECURE_OPEN,
            exclusive: false,
        }
    }
}

impl Payload for Init {
    const TYPE: &'static str = "WDFDEVICE_INIT";
    const DELETABLE: bool = false;
}

/// A WDFDEVICE.
pub(crate) struct Device {
    pub(crate) init: Init,
    pub(crate) phase: Phase,
    pub(crate) interfaces: Vec<GUID>,
    pub(crate) default_queue: u64,
    pub(crate) passive: bool,
    object: Box<DEVICE_OBJECT>,
}

impl Payload for Device {
    const TYPE: &'static str = "WDFDEVICE";
    const DELETABLE: bool = false;
}

/// The device's phase.
pub(crate) fn phase(ddi: &'static str, device: WDFDEVICE) -> Phase {
    object::get(ddi, device.cast(), |device: &mut Device| device.phase)
}

fn init<R>(ddi: &'static str, init: PWDFDEVICE_INIT, f: impl FnOnce(&mut Init) -> R) -> R {
    enter(ddi, 0);
    object::get(ddi, init.cast(), f)
}

/// Sets the callbacks for Plug and Play and power.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn WdfDeviceInitSetPnpPowerEventCallbacks(
    DeviceInit: PWDFDEVICE_INIT,
    PnpPowerEventCallbacks: PWDF_PNPPOWER_EVENT_CALLBACKS,
) {
    let ddi = "WdfDeviceInitSetPnpPowerEventCallbacks";
    // SAFETY: the caller's contract.
    let callbacks = unsafe { object::sized(ddi, PnpPowerEventCallbacks) };
    init(ddi, DeviceInit, |init| init.pnp = callbacks);
}

/// Sets the callbacks for file objects.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
pub unsafe fn WdfDeviceInitSetFileObjectConfig(
    DeviceInit: PWDFDEVICE_INIT,
    FileObjectConfig: PWDF_FILEOBJECT_CONFIG,
    FileObjectAttributes: PWDF_OBJECT_ATTRIBUTES,
) {
    let ddi = "WdfDeviceInitSetFileObjectConfig";
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, FileObjectConfig) };
    if !(1..=4).contains(&(config.FileObjectClass & 0xFF))
        || !(0..=2).contains(&config.AutoForwardCleanupClose)
    {
        let (class, forward) = (config.FileObjectClass, config.AutoForwardCleanupClose);
        world::fatal(
            Rule::StructureSize,
            ddi,
            format!("FileObjectClass {class:#x}, AutoForwardCleanupClose {forward}: set both"),
        );
    }
    let attributes = object::attributes(ddi, FileObjectAttributes);
    init(ddi, DeviceInit, |init| {
        init.file = Some(config);
        init.file_attributes = attributes;
    });
}

/// Sets the attributes of each request object.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn WdfDeviceInitSetRequestAttributes(
    DeviceInit: PWDFDEVICE_INIT,
    RequestAttributes: PWDF_OBJECT_ATTRIBUTES,
) {
    let ddi = "WdfDeviceInitSetRequestAttributes";
    let attributes = object::attributes(ddi, RequestAttributes);
    init(ddi, DeviceInit, |init| init.request_attributes = attributes);
}

/// Sets the security descriptor.
///
/// # Safety
/// The string is valid.
#[must_use]
pub unsafe fn WdfDeviceInitAssignSDDLString(
    DeviceInit: PWDFDEVICE_INIT,
    SDDLString: PCUNICODE_STRING,
) -> NTSTATUS {
    let ddi = "WdfDeviceInitAssignSDDLString";
    // SAFETY: the caller's contract.
    let sddl = unsafe { super::driver::text(SDDLString) };
    if sddl.as_deref().is_some_and(|sddl| !well_formed(sddl)) {
        world::violation(
            Rule::Security,
            ddi,
            format!("{sddl:?} is no D: list of (A;...) entries"),
        );
        return STATUS_INVALID_PARAMETER;
    }
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    init(ddi, DeviceInit, |init| init.sddl = sddl);
    STATUS_SUCCESS
}

/// `D:` with flags, then entries of six parts in parentheses.
fn well_formed(sddl: &str) -> bool {
    let Some(list) = sddl.trim_end_matches('\0').strip_prefix("D:") else {
        return false;
    };
    let Some(start) = list.find('(') else {
        return false;
    };
    let (flags, entries) = list.split_at(start);
    flags.chars().all(|flag| "PARI".contains(flag))
        && entries.ends_with(')')
        && entries[1..entries.len() - 1].split(")(").all(|entry| {
            let parts: Vec<_> = entry.split(';').collect();
            parts.len() == 6
                && matches!(parts[0], "A" | "D")
                && !parts[2].is_empty()
                && !parts[5].is_empty()
        })
}

/// Sets the device object's characteristics.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceInitSetCharacteristics(
    DeviceInit: PWDFDEVICE_INIT,
    DeviceCharacteristics: ULONG,
    OrInValues: BOOLEAN,
) {
    init("WdfDeviceInitSetCharacteristics", DeviceInit, |init| {
        init.characteristics = if OrInValues != 0 {
            init.characteristics | DeviceCharacteristics
        } else {
            DeviceCharacteristics
        };
    });
}

/// Sets how reads and writes have their buffers.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceInitSetIoType(DeviceInit: PWDFDEVICE_INIT, _IoType: WDF_DEVICE_IO_TYPE) {
    init("WdfDeviceInitSetIoType", DeviceInit, |_| ());
}

/// Allows one open handle only.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceInitSetExclusive(DeviceInit: PWDFDEVICE_INIT, IsExclusive: BOOLEAN) {
    init("WdfDeviceInitSetExclusive", DeviceInit, |init| {
        init.exclusive = IsExclusive != 0
    });
}

/// Says whether the driver owns the power policy.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceInitSetPowerPolicyOwnership(
    DeviceInit: PWDFDEVICE_INIT,
    _IsPowerPolicyOwner: BOOLEAN,
) {
    init("WdfDeviceInitSetPowerPolicyOwnership", DeviceInit, |_| ());
}

/// Sets the callback that sees requests in the caller's context.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceInitSetIoInCallerContextCallback(
    DeviceInit: PWDFDEVICE_INIT,
    EvtIoInCallerContext: PFN_WDF_IO_IN_CALLER_CONTEXT,
) {
    init(
        "WdfDeviceInitSetIoInCallerContextCallback",
        DeviceInit,
        |init| init.in_caller_context = EvtIoInCallerContext,
    );
}

/// Creates the device.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDeviceCreate(
    DeviceInit: *mut PWDFDEVICE_INIT,
    DeviceAttributes: PWDF_OBJECT_ATTRIBUTES,
    Device: *mut WDFDEVICE,
) -> NTSTATUS {
    let ddi = "WdfDeviceCreate";
    // SAFETY: the caller's contract.
    let handle = unsafe { *DeviceInit };
    let init = init(ddi, handle, |init| init.clone());
    // SAFETY: null or the driver's attributes.
    let passive = !DeviceAttributes.is_null() && unsafe { (*DeviceAttributes).ExecutionLevel } == 2;
    super::queue::refuse_synchronization(ddi, DeviceAttributes);
    if init.characteristics & FILE_DEVICE_SECURE_OPEN == 0 {
        world::violation(
            Rule::Security,
            ddi,
            "FILE_DEVICE_SECURE_OPEN is not set: names below the device would be open to all",
        );
    }
    if init.sddl.is_some() && init.characteristics & FILE_AUTOGENERATED_DEVICE_NAME == 0 {
        world::violation(
            Rule::Security,
            ddi,
            "a security descriptor for a device without a name: FILE_AUTOGENERATED_DEVICE_NAME is not set",
        );
        return STATUS_INVALID_SECURITY_DESCR;
    }
    let object = Box::new(DEVICE_OBJECT {
        Type: 3,
        ..DEVICE_OBJECT::default()
    });
    let device = self::Device {
        init,
        phase: Phase::Added,
        interfaces: Vec::new(),
        default_queue: 0,
        passive,
        object,
    };
    let created = object::create(
        ddi,
        DeviceAttributes,
        super::driver::current().cast(),
        device,
    );
    if let Ok(device) = created {
        with(|w| w.pnp.device = object::number(device));
        object::delete(ddi, handle.cast());
        // SAFETY: the caller's contract: the init is consumed.
        unsafe { *DeviceInit = core::ptr::null_mut() };
    }
    // SAFETY: the caller's contract.
    unsafe { super::hand_out(created, Device) }
}

/// Registers an interface by which applications find the device.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDeviceCreateDeviceInterface(
    Device: WDFDEVICE,
    InterfaceClassGUID: LPCGUID,
    _ReferenceString: PCUNICODE_STRING,
) -> NTSTATUS {
    let ddi = "WdfDeviceCreateDeviceInterface";
    enter(ddi, 0);
    object::check(ddi, Device.cast());
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: the caller's contract.
    let guid = unsafe { *InterfaceClassGUID };
    object::get(ddi, Device.cast(), |device: &mut self::Device| {
        device.interfaces.push(guid)
    });
    STATUS_SUCCESS
}

/// Says that the device does not work: it is removed, and perhaps started again.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDeviceSetFailed(Device: WDFDEVICE, FailedAction: WDF_DEVICE_FAILED_ACTION) {
    let ddi = "WdfDeviceSetFailed";
    enter(ddi, DISPATCH);
    if !(1..=2).contains(&FailedAction) {
        world::fatal(Rule::InvalidArgument, ddi, format!("action {FailedAction}"));
    }
    object::get(ddi, Device.cast(), |_: &mut self::Device| ());
    with(|w| w.pnp.failed = true);
}

/// The driver of a device.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDeviceGetDriver(Device: WDFDEVICE) -> WDFDRIVER {
    enter("WdfDeviceGetDriver", DISPATCH);
    object::check("WdfDeviceGetDriver", Device.cast());
    super::driver::current()
}

/// The device's default queue, or null.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDeviceGetDefaultQueue(Device: WDFDEVICE) -> WDFQUEUE {
    let ddi = "WdfDeviceGetDefaultQueue";
    enter(ddi, DISPATCH);
    object::handle(object::get(
        ddi,
        Device.cast(),
        |device: &mut self::Device| device.default_queue,
    ))
}

/// The device object of the kernel.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDeviceWdmGetDeviceObject(Device: WDFDEVICE) -> PDEVICE_OBJECT {
    let ddi = "WdfDeviceWdmGetDeviceObject";
    enter(ddi, DISPATCH);
    object::get(ddi, Device.cast(), |device: &mut self::Device| {
        device.object.as_mut() as *mut _
    })
}

/// Sends a request that was seen in the caller's context to the device's queue.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDeviceEnqueueRequest(Device: WDFDEVICE, Request: WDFREQUEST) -> NTSTATUS {
    let ddi = "WdfDeviceEnqueueRequest";
    enter(ddi, DISPATCH);
    super::request::require_owned(ddi, Request);
    let queue = object::get(ddi, Device.cast(), |device: &mut self::Device| {
        device.default_queue
    });
    if queue == 0 {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if world::inject(ddi) {
        return STATUS_WDF_BUSY;
    }
    super::queue::accept(queue, object::number(Request), false)
}

/// Asks the bus driver for an interface: that of the PCI configuration space.
///
/// # Safety
/// The pointers are valid for what they say.
#[must_use]
pub unsafe fn WdfFdoQueryForInterface(
    Fdo: WDFDEVICE,
    InterfaceType: LPCGUID,
    Interface: PINTERFACE,
    Size: USHORT,
    Version: USHORT,
    _InterfaceSpecificData: PVOID,
) -> NTSTATUS {
    let ddi = "WdfFdoQueryForInterface";
    enter(ddi, 0);
    object::check(ddi, Fdo.cast());
    if world::inject(ddi) {
        return STATUS_NOT_SUPPORTED;
    }
    // SAFETY: the caller's contract.
    let guid = unsafe { *InterfaceType };
    if guid != GUID_BUS_INTERFACE_STANDARD
        || Version != 1
        || usize::from(Size) < size_of::<BUS_INTERFACE_STANDARD>()
    {
        return STATUS_NOT_SUPPORTED;
    }
    let interface = BUS_INTERFACE_STANDARD {
        Size: size_of::<BUS_INTERFACE_STANDARD>() as u16,
        Version: 1,
        Context: core::ptr::without_provenance_mut(0x50C1),
        InterfaceReference: Some(crate::pnp::config_space::reference),
        InterfaceDereference: Some(crate::pnp::config_space::dereference),
        TranslateBusAddress: None,
        GetDmaAdapter: None,
        SetBusData: Some(crate::pnp::config_space::set_bus_data),
        GetBusData: Some(crate::pnp::config_space::get_bus_data),
    };
    with(|w| w.pnp.interface_references += 1);
    // SAFETY: the caller's contract: `Size` bytes, which are enough.
    unsafe { *Interface.cast() = interface };
    STATUS_SUCCESS
}
