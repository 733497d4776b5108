//! A small driver and its device, for the double's own tests.
#![allow(dead_code, non_snake_case)]

extern crate kmdf_sim as wdk_sys;

mod bugs;
mod device;

#[allow(unused_imports)]
pub use bugs::Bug;
pub use device::Toy;

use core::cell::{Cell, RefCell};
use core::ptr::null_mut;

use kmdf_sim::ntddk::*;
use wdk_sys::*;

pub const fn code(function: u32, method: u32) -> u32 {
    (FILE_DEVICE_UNKNOWN << 16)
        | ((FILE_READ_ACCESS | FILE_WRITE_ACCESS) << 14)
        | ((0x800 + function) << 2)
        | method
}
/// Gives the input back.
pub const ECHO: u32 = code(0, METHOD_BUFFERED);
/// Waits in the manual queue.
pub const PEND: u32 = code(1, METHOD_BUFFERED);
/// Completes the oldest of those.
pub const RELEASE: u32 = code(2, METHOD_BUFFERED);
/// Is kept by the driver, cancelable.
pub const KEEP: u32 = code(3, METHOD_BUFFERED);
/// Completes what is kept.
pub const FINISH: u32 = code(4, METHOD_BUFFERED);
/// Starts the device; completed by its interrupt.
pub const GO: u32 = code(5, METHOD_BUFFERED);
/// Runs a work item and a timer, and completes from the latter.
pub const LATER: u32 = code(6, METHOD_BUFFERED);
/// Breaks the rule whose number is the input.
pub const BREAK: u32 = code(7, METHOD_BUFFERED);
/// Finds the oldest of those that wait, takes it out of its queue and completes it; with an input, without looking whether it got it.
pub const TAKE: u32 = code(8, METHOD_BUFFERED);
/// As PEND, with pages that stay locked.
pub const PEND_DIRECT: u32 = code(8, METHOD_OUT_DIRECT);

thread_local! {
    /// The device's security descriptor, if it has one.
    pub static SDDL: Cell<Option<&'static str>> = const { Cell::new(Some(USERS)) };
}
/// The system, administrators and users.
pub const USERS: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGW;;;BU)";

thread_local! {
    /// Callbacks of Plug and Play and power, in their order.
    pub static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    /// What EvtDevicePrepareHardware and EvtDeviceD0Entry return.
    pub static PREPARE: Cell<NTSTATUS> = const { Cell::new(STATUS_SUCCESS) };
    pub static D0_ENTRY: Cell<NTSTATUS> = const { Cell::new(STATUS_SUCCESS) };
    /// EvtDeviceD0Exit waits for ever.
    pub static HANGS: Cell<bool> = const { Cell::new(false) };
}

fn called(name: &'static str) {
    CALLS.with_borrow_mut(|calls| calls.push(name));
}

pub const TAG: u32 = 0x796F_7454;

#[repr(C)]
pub struct Context {
    pub lock: WDFSPINLOCK,
    pub other_lock: WDFSPINLOCK,
    pub waiting: WDFQUEUE,
    pub interrupt: WDFINTERRUPT,
    pub registers: *mut u32,
    pub register_bytes: u64,
    pub kept: WDFREQUEST,
    pub going: WDFREQUEST,
    pub later: WDFREQUEST,
    pub work: WDFWORKITEM,
    pub timer: WDFTIMER,
    pub bug_in_isr: bool,
    pub gone: bool,
    pub event: KEVENT,
    pub bus: BUS_INTERFACE_STANDARD,
}

pub struct Info(pub WDF_OBJECT_CONTEXT_TYPE_INFO);
// SAFETY: read only.
unsafe impl Sync for Info {}

pub static DEVICE_INFO: Info = info::<Context>(c"Context");
pub static OTHER_INFO: Info = info::<u64>(c"Other");
pub static REQUEST_INFO: Info = info::<u64>(c"Request");

const fn info<T>(name: &'static core::ffi::CStr) -> Info {
    Info(WDF_OBJECT_CONTEXT_TYPE_INFO {
        Size: size_of::<WDF_OBJECT_CONTEXT_TYPE_INFO>() as u32,
        ContextName: name.as_ptr(),
        ContextSize: size_of::<T>(),
        UniqueType: core::ptr::null(),
        EvtDriverGetUniqueContextType: None,
    })
}

pub fn attributes(info: Option<&'static Info>, parent: HANDLE) -> WDF_OBJECT_ATTRIBUTES {
    WDF_OBJECT_ATTRIBUTES {
        Size: size_of::<WDF_OBJECT_ATTRIBUTES>() as u32,
        ExecutionLevel: _WDF_EXECUTION_LEVEL::WdfExecutionLevelInheritFromParent,
        SynchronizationScope: _WDF_SYNCHRONIZATION_SCOPE::WdfSynchronizationScopeInheritFromParent,
        ParentObject: parent,
        ContextTypeInfo: info.map_or(core::ptr::null(), |info| &info.0),
        ..Default::default()
    }
}

pub unsafe fn context(device: WDFDEVICE) -> *mut Context {
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfObjectGetTypedContextWorker,
            device.cast(),
            &DEVICE_INFO.0
        )
        .cast()
    }
}

macro_rules! wdf { ($($all:tt)*) => { call_unsafe_wdf_function_binding!($($all)*) }; }
pub(crate) use wdf;

macro_rules! ok {
    ($status:expr) => {
        let status = $status;
        if !NT_SUCCESS(status) {
            return status;
        }
    };
}

/// DriverEntry.
pub fn driver_entry(driver: PDRIVER_OBJECT, path: PUNICODE_STRING) -> NTSTATUS {
    let mut config = WDF_DRIVER_CONFIG {
        Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
        EvtDriverDeviceAdd: Some(device_add),
        ..Default::default()
    };
    unsafe {
        wdf!(
            WdfDriverCreate,
            driver,
            path,
            WDF_NO_OBJECT_ATTRIBUTES,
            &mut config,
            null_mut()
        )
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn counted(text: &mut [u16]) -> UNICODE_STRING {
    UNICODE_STRING {
        Length: 2 * text.len() as u16,
        MaximumLength: 2 * text.len() as u16,
        Buffer: text.as_mut_ptr(),
    }
}

unsafe extern "C" fn device_add(_driver: WDFDRIVER, mut init: PWDFDEVICE_INIT) -> NTSTATUS {
    unsafe {
        let mut pnp = WDF_PNPPOWER_EVENT_CALLBACKS {
            Size: size_of::<WDF_PNPPOWER_EVENT_CALLBACKS>() as u32,
            EvtDevicePrepareHardware: Some(prepare),
            EvtDeviceReleaseHardware: Some(release),
            EvtDeviceD0Entry: Some(d0_entry),
            EvtDeviceD0Exit: Some(d0_exit),
            EvtDeviceSurpriseRemoval: Some(surprise),
            ..Default::default()
        };
        wdf!(WdfDeviceInitSetPnpPowerEventCallbacks, init, &mut pnp);
        let mut file = WDF_FILEOBJECT_CONFIG {
            Size: size_of::<WDF_FILEOBJECT_CONFIG>() as u32,
            EvtDeviceFileCreate: Some(create),
            EvtFileCleanup: Some(cleanup),
            AutoForwardCleanupClose: _WDF_TRI_STATE::WdfUseDefault,
            FileObjectClass: _WDF_FILEOBJECT_CLASS::WdfFileObjectWdfCannotUseFsContexts,
            ..Default::default()
        };
        wdf!(
            WdfDeviceInitSetFileObjectConfig,
            init,
            &mut file,
            WDF_NO_OBJECT_ATTRIBUTES
        );
        wdf!(
            WdfDeviceInitSetRequestAttributes,
            init,
            &mut attributes(Some(&REQUEST_INFO), null_mut())
        );
        wdf!(
            WdfDeviceInitSetCharacteristics,
            init,
            FILE_AUTOGENERATED_DEVICE_NAME,
            1
        );
        if let Some(sddl) = SDDL.get() {
            ok!(wdf!(
                WdfDeviceInitAssignSDDLString,
                init,
                &counted(&mut wide(sddl))
            ));
        }
        let mut device = null_mut();
        ok!(wdf!(
            WdfDeviceCreate,
            &mut init,
            &mut attributes(Some(&DEVICE_INFO), null_mut()),
            &mut device
        ));
        let context = context(device);

        let mut config = WDF_IO_QUEUE_CONFIG {
            Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
            DispatchType: _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel,
            PowerManaged: _WDF_TRI_STATE::WdfUseDefault,
            DefaultQueue: 1,
            EvtIoDeviceControl: Some(control),
            EvtIoStop: Some(io_stop),
            ..Default::default()
        };
        config.Settings.Parallel.NumberOfPresentedRequests = u32::MAX;
        ok!(wdf!(
            WdfIoQueueCreate,
            device,
            &mut config,
            WDF_NO_OBJECT_ATTRIBUTES,
            null_mut()
        ));
        let mut config = WDF_IO_QUEUE_CONFIG {
            Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
            DispatchType: _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual,
            PowerManaged: _WDF_TRI_STATE::WdfFalse,
            EvtIoCanceledOnQueue: Some(canceled_on_queue),
            ..Default::default()
        };
        ok!(wdf!(
            WdfIoQueueCreate,
            device,
            &mut config,
            WDF_NO_OBJECT_ATTRIBUTES,
            &mut (*context).waiting
        ));
        let mut below = attributes(None, device.cast());
        ok!(wdf!(WdfSpinLockCreate, &mut below, &mut (*context).lock));
        ok!(wdf!(
            WdfSpinLockCreate,
            &mut below,
            &mut (*context).other_lock
        ));
        let mut config = WDF_WORKITEM_CONFIG {
            Size: size_of::<WDF_WORKITEM_CONFIG>() as u32,
            EvtWorkItemFunc: Some(work),
            ..Default::default()
        };
        ok!(wdf!(
            WdfWorkItemCreate,
            &mut config,
            &mut below,
            &mut (*context).work
        ));
        let mut config = WDF_TIMER_CONFIG {
            Size: size_of::<WDF_TIMER_CONFIG>() as u32,
            EvtTimerFunc: Some(timer),
            ..Default::default()
        };
        ok!(wdf!(
            WdfTimerCreate,
            &mut config,
            &mut below,
            &mut (*context).timer
        ));
        KeInitializeEvent(&mut (*context).event, _EVENT_TYPE::NotificationEvent, 0);
        let guid = GUID {
            Data1: 1,
            ..Default::default()
        };
        wdf!(
            WdfDeviceCreateDeviceInterface,
            device,
            &guid,
            core::ptr::null()
        )
    }
}

unsafe extern "C" fn prepare(
    device: WDFDEVICE,
    raw: WDFCMRESLIST,
    translated: WDFCMRESLIST,
) -> NTSTATUS {
    called("PrepareHardware");
    unsafe {
        let context = context(device);
        for index in 0..wdf!(WdfCmResourceListGetCount, translated) {
            let descriptor = wdf!(WdfCmResourceListGetDescriptor, translated, index);
            if u32::from((*descriptor).Type) == CmResourceTypeMemory {
                let memory = (*descriptor).u.Memory;
                (*context).registers = MmMapIoSpaceEx(
                    memory.Start,
                    memory.Length.into(),
                    PAGE_READWRITE | PAGE_NOCACHE,
                )
                .cast();
                (*context).register_bytes = memory.Length.into();
                if (*context).registers.is_null() {
                    return STATUS_INSUFFICIENT_RESOURCES;
                }
            } else if u32::from((*descriptor).Type) == CmResourceTypeInterrupt
                && (*context).interrupt.is_null()
            {
                let mut config = WDF_INTERRUPT_CONFIG {
                    Size: size_of::<WDF_INTERRUPT_CONFIG>() as u32,
                    ShareVector: _WDF_TRI_STATE::WdfUseDefault,
                    ReportInactiveOnPowerDown: _WDF_TRI_STATE::WdfUseDefault,
                    EvtInterruptIsr: Some(isr),
                    EvtInterruptDpc: Some(dpc),
                    InterruptRaw: wdf!(WdfCmResourceListGetDescriptor, raw, index),
                    InterruptTranslated: descriptor,
                    ..Default::default()
                };
                ok!(wdf!(
                    WdfInterruptCreate,
                    device,
                    &mut config,
                    WDF_NO_OBJECT_ATTRIBUTES,
                    &mut (*context).interrupt
                ));
            }
        }
        let bus: *mut BUS_INTERFACE_STANDARD = &mut (*context).bus;
        ok!(wdf!(
            WdfFdoQueryForInterface,
            device,
            &GUID_BUS_INTERFACE_STANDARD,
            bus.cast(),
            size_of::<BUS_INTERFACE_STANDARD>() as u16,
            1,
            null_mut()
        ));
        let mut command = 0_u16;
        if let Some(get) = (*bus).GetBusData {
            get(
                (*bus).Context,
                PCI_WHICHSPACE_CONFIG,
                (&raw mut command).cast(),
                4,
                2,
            );
        }
        if u32::from(command) & PCI_ENABLE_MEMORY_SPACE == 0 {
            STATUS_DEVICE_CONFIGURATION_ERROR
        } else {
            PREPARE.get()
        }
    }
}

unsafe extern "C" fn release(device: WDFDEVICE, _translated: WDFCMRESLIST) -> NTSTATUS {
    called("ReleaseHardware");
    unsafe {
        let context = context(device);
        if !(*context).registers.is_null() {
            MmUnmapIoSpace((*context).registers.cast(), (*context).register_bytes);
            (*context).registers = null_mut();
        }
        (*context).interrupt = null_mut();
        if let Some(dereference) = (*context).bus.InterfaceDereference.take() {
            dereference((*context).bus.Context);
        }
        STATUS_SUCCESS
    }
}

unsafe extern "C" fn d0_entry(_device: WDFDEVICE, _state: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
    called("D0Entry");
    D0_ENTRY.get()
}

unsafe extern "C" fn d0_exit(device: WDFDEVICE, _state: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
    called("D0Exit");
    if HANGS.get() {
        unsafe {
            KeWaitForSingleObject(
                (&raw mut (*context(device)).event).cast(),
                _KWAIT_REASON::Executive,
                0,
                0,
                null_mut(),
            );
        }
    }
    STATUS_SUCCESS
}

unsafe extern "C" fn surprise(device: WDFDEVICE) {
    called("SurpriseRemoval");
    // The device will never interrupt again.
    unsafe {
        let context = context(device);
        wdf!(WdfSpinLockAcquire, (*context).lock);
        (*context).gone = true;
        wdf!(WdfSpinLockRelease, (*context).lock);
        finish(device, |context| &mut context.going, STATUS_DEVICE_REMOVED);
    }
}

unsafe extern "C" fn create(_device: WDFDEVICE, request: WDFREQUEST, _file: WDFFILEOBJECT) {
    unsafe { wdf!(WdfRequestComplete, request, STATUS_SUCCESS) };
}

unsafe extern "C" fn cleanup(file: WDFFILEOBJECT) {
    unsafe {
        let context = context(wdf!(WdfFileObjectGetDevice, file));
        let mut request = null_mut();
        while NT_SUCCESS(wdf!(
            WdfIoQueueRetrieveRequestByFileObject,
            (*context).waiting,
            file,
            &mut request
        )) {
            wdf!(WdfRequestComplete, request, STATUS_CANCELLED);
        }
        // Another file's request may be kept.
        wdf!(WdfSpinLockAcquire, (*context).lock);
        let kept = (*context).kept;
        let mine = !kept.is_null()
            && wdf!(WdfRequestGetFileObject, kept) == file
            && wdf!(WdfRequestUnmarkCancelable, kept) == STATUS_SUCCESS;
        if mine {
            (*context).kept = null_mut();
        }
        wdf!(WdfSpinLockRelease, (*context).lock);
        if mine {
            wdf!(WdfRequestComplete, kept, STATUS_CANCELLED);
        }
    }
}

unsafe extern "C" fn canceled_on_queue(_queue: WDFQUEUE, request: WDFREQUEST) {
    unsafe { wdf!(WdfRequestComplete, request, STATUS_CANCELLED) };
}

unsafe extern "C" fn io_stop(queue: WDFQUEUE, request: WDFREQUEST, _flags: ULONG) {
    // What is kept stays with the driver while the device is off; everything else ends by itself soon. Whoever completes it takes it out
    // under the lock first, so it cannot be completed meanwhile.
    unsafe {
        let context = context(wdf!(WdfIoQueueGetDevice, queue));
        wdf!(WdfSpinLockAcquire, (*context).lock);
        if (*context).kept == request {
            wdf!(WdfRequestStopAcknowledge, request, 0);
        }
        wdf!(WdfSpinLockRelease, (*context).lock);
    }
}

unsafe extern "C" fn cancel(request: WDFREQUEST) {
    unsafe {
        let queue = wdf!(WdfRequestGetIoQueue, request);
        let context = context(wdf!(WdfIoQueueGetDevice, queue));
        wdf!(WdfSpinLockAcquire, (*context).lock);
        if (*context).kept == request {
            (*context).kept = null_mut();
        }
        wdf!(WdfSpinLockRelease, (*context).lock);
        wdf!(WdfRequestComplete, request, STATUS_CANCELLED);
    }
}

/// Takes a request out of the context and completes it.
unsafe fn finish(
    device: WDFDEVICE,
    which: impl Fn(&mut Context) -> &mut WDFREQUEST,
    status: NTSTATUS,
) {
    unsafe {
        let context = context(device);
        wdf!(WdfSpinLockAcquire, (*context).lock);
        let request = core::mem::replace(which(&mut *context), null_mut());
        wdf!(WdfSpinLockRelease, (*context).lock);
        if !request.is_null() {
            wdf!(WdfRequestComplete, request, status);
        }
    }
}

unsafe extern "C" fn control(
    queue: WDFQUEUE,
    request: WDFREQUEST,
    output: usize,
    input: usize,
    code: ULONG,
) {
    unsafe {
        let device = wdf!(WdfIoQueueGetDevice, queue);
        let context = context(device);
        match code {
            ECHO => {
                let (mut from, mut length) = (null_mut(), 0);
                let status = wdf!(
                    WdfRequestRetrieveInputBuffer,
                    request,
                    1,
                    &mut from,
                    &mut length
                );
                let bytes = if NT_SUCCESS(status) {
                    length.min(output)
                } else {
                    0
                };
                wdf!(
                    WdfRequestCompleteWithInformation,
                    request,
                    status,
                    bytes as u64
                );
            }
            PEND | PEND_DIRECT => {
                let status = wdf!(WdfRequestForwardToIoQueue, request, (*context).waiting);
                if !NT_SUCCESS(status) {
                    wdf!(WdfRequestComplete, request, status);
                }
            }
            RELEASE => {
                let mut waiting = null_mut();
                let status = wdf!(
                    WdfIoQueueRetrieveNextRequest,
                    (*context).waiting,
                    &mut waiting
                );
                if NT_SUCCESS(status) {
                    wdf!(WdfRequestComplete, waiting, STATUS_SUCCESS);
                }
                wdf!(WdfRequestComplete, request, status);
            }
            TAKE => {
                let (mut found, mut taken) = (null_mut(), null_mut());
                let status = wdf!(
                    WdfIoQueueFindRequest,
                    (*context).waiting,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    &mut found
                );
                if NT_SUCCESS(status) {
                    let queue = (*context).waiting;
                    let got = wdf!(WdfIoQueueRetrieveFoundRequest, queue, found, &mut taken);
                    if NT_SUCCESS(got) || input != 0 {
                        wdf!(WdfRequestComplete, found, STATUS_SUCCESS);
                    }
                    let none = core::ptr::null();
                    wdf!(
                        WdfObjectDereferenceActual,
                        found.cast(),
                        null_mut(),
                        0,
                        none
                    );
                }
                wdf!(WdfRequestComplete, request, STATUS_SUCCESS);
            }
            KEEP => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                let mut status = STATUS_DEVICE_BUSY;
                if (*context).kept.is_null() {
                    status = wdf!(WdfRequestMarkCancelableEx, request, Some(cancel));
                    if NT_SUCCESS(status) {
                        (*context).kept = request;
                    }
                }
                wdf!(WdfSpinLockRelease, (*context).lock);
                if !NT_SUCCESS(status) {
                    wdf!(WdfRequestComplete, request, status);
                }
            }
            FINISH => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                let kept = core::mem::replace(&mut (*context).kept, null_mut());
                let mine =
                    !kept.is_null() && wdf!(WdfRequestUnmarkCancelable, kept) != STATUS_CANCELLED;
                wdf!(WdfSpinLockRelease, (*context).lock);
                if mine {
                    wdf!(WdfRequestComplete, kept, STATUS_SUCCESS);
                }
                wdf!(WdfRequestComplete, request, STATUS_SUCCESS);
            }
            GO => {
                wdf!(WdfSpinLockAcquire, (*context).lock);
                let busy = (*context).gone || !(*context).going.is_null();
                if !busy {
                    (*context).going = request;
                    // With the lock held: once a surprise removal has completed the request, nothing keeps the registers mapped.
                    mmio::write_u32((*context).registers, 1);
                }
                wdf!(WdfSpinLockRelease, (*context).lock);
                if busy {
                    wdf!(WdfRequestComplete, request, STATUS_DEVICE_BUSY);
                }
            }
            LATER => {
                (*context).later = request;
                wdf!(WdfWorkItemEnqueue, (*context).work);
            }
            BREAK => bugs::break_a_rule(device, queue, request),
            _ => wdf!(WdfRequestComplete, request, STATUS_INVALID_DEVICE_REQUEST),
        }
    }
}

unsafe extern "C" fn isr(interrupt: WDFINTERRUPT, _message: ULONG) -> BOOLEAN {
    unsafe {
        let context = context(wdf!(WdfInterruptGetDevice, interrupt));
        assert_eq!(u32::from(KeGetCurrentIrql()), 8);
        if (*context).bug_in_isr {
            KeSetEvent(&mut (*context).event, 0, 0);
        }
        if !(*context).registers.is_null() {
            let _count = mmio::read_u32((*context).registers.add(2));
        }
        wdf!(WdfInterruptQueueDpcForIsr, interrupt);
        1
    }
}

unsafe extern "C" fn dpc(_interrupt: WDFINTERRUPT, object: WDFOBJECT) {
    unsafe {
        assert_eq!(u32::from(KeGetCurrentIrql()), DISPATCH_LEVEL);
        finish(object.cast(), |context| &mut context.going, STATUS_SUCCESS);
    }
}

unsafe extern "C" fn work(item: WDFWORKITEM) {
    unsafe {
        assert_eq!(u32::from(KeGetCurrentIrql()), PASSIVE_LEVEL);
        let device: WDFDEVICE = wdf!(WdfWorkItemGetParentObject, item).cast();
        wdf!(WdfTimerStart, (*context(device)).timer, -10_000);
    }
}

unsafe extern "C" fn timer(timer: WDFTIMER) {
    unsafe {
        let device: WDFDEVICE = wdf!(WdfTimerGetParentObject, timer).cast();
        finish(device, |context| &mut context.later, STATUS_SUCCESS);
    }
}
