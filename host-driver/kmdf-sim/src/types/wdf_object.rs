//! Framework objects and the driver object (wdftypes.h, wdfobject.h, wdfdriver.h, wdfregistry.h).

use super::*;

pub type WDFOBJECT = HANDLE;
pub type PWDFOBJECT = *mut WDFOBJECT;
handles! {
    WDFDRIVER = WDFDRIVER__, WDFDEVICE = WDFDEVICE__, WDFQUEUE = WDFQUEUE__, WDFREQUEST = WDFREQUEST__,
    WDFFILEOBJECT = WDFFILEOBJECT__, WDFINTERRUPT = WDFINTERRUPT__, WDFWORKITEM = WDFWORKITEM__, WDFTIMER = WDFTIMER__,
    WDFDPC = WDFDPC__, WDFSPINLOCK = WDFSPINLOCK__, WDFWAITLOCK = WDFWAITLOCK__, WDFKEY = WDFKEY__, WDFCMRESLIST = WDFCMRESLIST__,
    WDFDMAENABLER = WDFDMAENABLER__, WDFDMATRANSACTION = WDFDMATRANSACTION__, WDFCOMMONBUFFER = WDFCOMMONBUFFER__,
    WDFMEMORY = WDFMEMORY__, WDFCOLLECTION = WDFCOLLECTION__, WDFSTRING = WDFSTRING__,
}
handles! { PWDFDEVICE_INIT = WDFDEVICE_INIT }

c_enum! { _WDF_TRI_STATE as WDF_TRI_STATE { WdfFalse = 0, WdfTrue = 1, WdfUseDefault = 2 } }
c_enum! { _WDF_EXECUTION_LEVEL as WDF_EXECUTION_LEVEL {
    WdfExecutionLevelInvalid = 0, WdfExecutionLevelInheritFromParent = 1, WdfExecutionLevelPassive = 2, WdfExecutionLevelDispatch = 3,
} }
c_enum! { _WDF_SYNCHRONIZATION_SCOPE as WDF_SYNCHRONIZATION_SCOPE {
    WdfSynchronizationScopeInvalid = 0, WdfSynchronizationScopeInheritFromParent = 1, WdfSynchronizationScopeDevice = 2,
    WdfSynchronizationScopeQueue = 3, WdfSynchronizationScopeNone = 4,
} }

pub type EVT_WDF_OBJECT_CONTEXT_CLEANUP = Option<unsafe extern "C" fn(Object: WDFOBJECT)>;
pub type PFN_WDF_OBJECT_CONTEXT_CLEANUP = EVT_WDF_OBJECT_CONTEXT_CLEANUP;
pub type EVT_WDF_OBJECT_CONTEXT_DESTROY = Option<unsafe extern "C" fn(Object: WDFOBJECT)>;
pub type PFN_WDF_OBJECT_CONTEXT_DESTROY = EVT_WDF_OBJECT_CONTEXT_DESTROY;
pub type PFN_GET_UNIQUE_CONTEXT_TYPE =
    Option<unsafe extern "C" fn() -> PCWDF_OBJECT_CONTEXT_TYPE_INFO>;

c_struct! { _WDF_OBJECT_CONTEXT_TYPE_INFO as WDF_OBJECT_CONTEXT_TYPE_INFO, PWDF_OBJECT_CONTEXT_TYPE_INFO {
    Size: ULONG, ContextName: LPCSTR, ContextSize: usize, UniqueType: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
    EvtDriverGetUniqueContextType: PFN_GET_UNIQUE_CONTEXT_TYPE,
} }
pub type PCWDF_OBJECT_CONTEXT_TYPE_INFO = *const WDF_OBJECT_CONTEXT_TYPE_INFO;

c_struct! { _WDF_OBJECT_ATTRIBUTES as WDF_OBJECT_ATTRIBUTES, PWDF_OBJECT_ATTRIBUTES {
    Size: ULONG, EvtCleanupCallback: PFN_WDF_OBJECT_CONTEXT_CLEANUP, EvtDestroyCallback: PFN_WDF_OBJECT_CONTEXT_DESTROY,
    ExecutionLevel: WDF_EXECUTION_LEVEL, SynchronizationScope: WDF_SYNCHRONIZATION_SCOPE, ParentObject: WDFOBJECT,
    ContextSizeOverride: usize, ContextTypeInfo: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
} }

pub type EVT_WDF_DRIVER_DEVICE_ADD =
    Option<unsafe extern "C" fn(Driver: WDFDRIVER, DeviceInit: PWDFDEVICE_INIT) -> NTSTATUS>;
pub type PFN_WDF_DRIVER_DEVICE_ADD = EVT_WDF_DRIVER_DEVICE_ADD;
pub type EVT_WDF_DRIVER_UNLOAD = Option<unsafe extern "C" fn(Driver: WDFDRIVER)>;
pub type PFN_WDF_DRIVER_UNLOAD = EVT_WDF_DRIVER_UNLOAD;
c_struct! { _WDF_DRIVER_CONFIG as WDF_DRIVER_CONFIG, PWDF_DRIVER_CONFIG {
    Size: ULONG, EvtDriverDeviceAdd: PFN_WDF_DRIVER_DEVICE_ADD, EvtDriverUnload: PFN_WDF_DRIVER_UNLOAD, DriverInitFlags: ULONG,
    DriverPoolTag: ULONG,
} }
