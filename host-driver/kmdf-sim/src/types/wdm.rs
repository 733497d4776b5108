//! Kernel objects, resources, interfaces and tracing (wdm.h, evntprov.h).

use super::*;

handles! {
    PEPROCESS = _KPROCESS, PETHREAD = _KTHREAD, POBJECT_TYPE = _OBJECT_TYPE, PIO_SECURITY_CONTEXT = _IO_SECURITY_CONTEXT,
}
pub type PKTHREAD = PETHREAD;

c_struct! { _DEVICE_OBJECT as DEVICE_OBJECT, PDEVICE_OBJECT {
    Type: SHORT, Size: USHORT, ReferenceCount: LONG, DriverObject: *mut _DRIVER_OBJECT, AlignmentRequirement: ULONG,
} }
c_struct! { _DRIVER_OBJECT as DRIVER_OBJECT, PDRIVER_OBJECT {
    Type: SHORT, Size: SHORT, DeviceObject: PDEVICE_OBJECT, Flags: ULONG,
    DriverUnload: Option<unsafe extern "C" fn(*mut _DRIVER_OBJECT)>,
} }
c_struct! { _FILE_OBJECT as FILE_OBJECT, PFILE_OBJECT { Type: SHORT, Size: SHORT, DeviceObject: PDEVICE_OBJECT } }

c_struct! { _DISPATCHER_HEADER as DISPATCHER_HEADER, PDISPATCHER_HEADER {
    Type: UCHAR, Signalling: UCHAR, Size: UCHAR, Reserved1: UCHAR, SignalState: LONG, WaitListHead: LIST_ENTRY,
} }
c_struct! { _KEVENT as KEVENT, PKEVENT { Header: DISPATCHER_HEADER } }
pub type PRKEVENT = PKEVENT;
c_struct! { _KSPIN_LOCK_QUEUE as KSPIN_LOCK_QUEUE, PKSPIN_LOCK_QUEUE { Next: *mut _KSPIN_LOCK_QUEUE, Lock: PKSPIN_LOCK } }
c_struct! { _KLOCK_QUEUE_HANDLE as KLOCK_QUEUE_HANDLE, PKLOCK_QUEUE_HANDLE { LockQueue: KSPIN_LOCK_QUEUE, OldIrql: KIRQL } }
c_struct! { _PROCESSOR_NUMBER as PROCESSOR_NUMBER, PPROCESSOR_NUMBER { Group: USHORT, Number: UCHAR, Reserved: UCHAR } }
c_struct! { _CLIENT_ID as CLIENT_ID, PCLIENT_ID { UniqueProcess: HANDLE, UniqueThread: HANDLE } }
c_struct! { _OBJECT_ATTRIBUTES as OBJECT_ATTRIBUTES, POBJECT_ATTRIBUTES {
    Length: ULONG, RootDirectory: HANDLE, ObjectName: PUNICODE_STRING, Attributes: ULONG, SecurityDescriptor: PVOID,
    SecurityQualityOfService: PVOID,
} }
#[repr(C)]
#[derive(Clone, Copy)]
pub union _IO_STATUS_BLOCK__bindgen_ty_1 {
    pub Status: NTSTATUS,
    pub Pointer: PVOID,
}
zeroed_default!(_IO_STATUS_BLOCK__bindgen_ty_1);
c_struct! { _IO_STATUS_BLOCK as IO_STATUS_BLOCK, PIO_STATUS_BLOCK {
    __bindgen_anon_1: _IO_STATUS_BLOCK__bindgen_ty_1, Information: ULONG_PTR,
} }

c_enum! { _EVENT_TYPE as EVENT_TYPE { NotificationEvent = 0, SynchronizationEvent = 1 } }
c_enum! { _KWAIT_REASON as KWAIT_REASON {
    Executive = 0, FreePage = 1, PageIn = 2, PoolAllocation = 3, DelayExecution = 4, Suspended = 5, UserRequest = 6,
} }
c_enum! { _MODE as MODE { KernelMode = 0, UserMode = 1, MaximumMode = 2 } }
c_enum! { _MEMORY_CACHING_TYPE as MEMORY_CACHING_TYPE {
    MmNonCached = 0, MmCached = 1, MmWriteCombined = 2, MmHardwareCoherentCached = 3, MmNonCachedUnordered = 4, MmUSWCCached = 5,
    MmMaximumCacheType = 6, MmNotMapped = -1,
} }
c_enum! { _KINTERRUPT_MODE as KINTERRUPT_MODE { LevelSensitive = 0, Latched = 1 } }
c_enum! { _INTERFACE_TYPE as INTERFACE_TYPE { InterfaceTypeUndefined = -1, Internal = 0, Isa = 1, PCIBus = 5 } }
c_enum! { _BUS_DATA_TYPE as BUS_DATA_TYPE { ConfigurationSpaceUndefined = -1, Cmos = 0, PCIConfiguration = 4 } }

pub type PCREATE_PROCESS_NOTIFY_ROUTINE =
    Option<unsafe extern "C" fn(ParentId: HANDLE, ProcessId: HANDLE, Create: BOOLEAN)>;
pub type PKSTART_ROUTINE = Option<unsafe extern "C" fn(StartContext: PVOID)>;
pub type DRIVER_INITIALIZE = Option<
    unsafe extern "C" fn(
        DriverObject: *mut _DRIVER_OBJECT,
        RegistryPath: PUNICODE_STRING,
    ) -> NTSTATUS,
>;

// Resources. The structures are packed to 4 bytes: a descriptor has 20.
pub type CM_RESOURCE_TYPE = i32;
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR {
    pub Type: UCHAR,
    pub ShareDisposition: UCHAR,
    pub Flags: USHORT,
    pub u: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub union _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1 {
    pub Generic: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1,
    pub Port: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1,
    pub Interrupt: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_3,
    pub MessageInterrupt: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4,
    pub Memory: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1,
    pub DevicePrivate: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_7,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1 {
    pub Start: PHYSICAL_ADDRESS,
    pub Length: ULONG,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_3 {
    pub Level: ULONG,
    pub Vector: ULONG,
    pub Affinity: KAFFINITY,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4 {
    pub __bindgen_anon_1: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub union _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1 {
    pub Raw:
        _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1__bindgen_ty_1,
    pub Translated: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_3,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1__bindgen_ty_1 {
    pub Reserved: USHORT,
    pub MessageCount: USHORT,
    pub Vector: ULONG,
    pub Affinity: KAFFINITY,
}
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_7 {
    pub Data: [ULONG; 3],
}
zeroed_default!(_CM_PARTIAL_RESOURCE_DESCRIPTOR);
pub type CM_PARTIAL_RESOURCE_DESCRIPTOR = _CM_PARTIAL_RESOURCE_DESCRIPTOR;
pub type PCM_PARTIAL_RESOURCE_DESCRIPTOR = *mut CM_PARTIAL_RESOURCE_DESCRIPTOR;
const _: () = assert!(core::mem::size_of::<CM_PARTIAL_RESOURCE_DESCRIPTOR>() == 20);

// Bus interface.
pub type PINTERFACE_REFERENCE = Option<unsafe extern "C" fn(Context: PVOID)>;
pub type PINTERFACE_DEREFERENCE = Option<unsafe extern "C" fn(Context: PVOID)>;
pub type PTRANSLATE_BUS_ADDRESS = Option<
    unsafe extern "C" fn(
        Context: PVOID,
        BusAddress: PHYSICAL_ADDRESS,
        Length: ULONG,
        AddressSpace: PULONG,
        TranslatedAddress: PPHYSICAL_ADDRESS,
    ) -> BOOLEAN,
>;
pub type PGET_DMA_ADAPTER = Option<
    unsafe extern "C" fn(
        Context: PVOID,
        DeviceDescriptor: PVOID,
        NumberOfMapRegisters: PULONG,
    ) -> PVOID,
>;
pub type PGET_SET_DEVICE_DATA = Option<
    unsafe extern "C" fn(
        Context: PVOID,
        DataType: ULONG,
        Buffer: PVOID,
        Offset: ULONG,
        Length: ULONG,
    ) -> ULONG,
>;
c_struct! { _INTERFACE as INTERFACE, PINTERFACE {
    Size: USHORT, Version: USHORT, Context: PVOID, InterfaceReference: PINTERFACE_REFERENCE,
    InterfaceDereference: PINTERFACE_DEREFERENCE,
} }
c_struct! { _BUS_INTERFACE_STANDARD as BUS_INTERFACE_STANDARD, PBUS_INTERFACE_STANDARD {
    Size: USHORT, Version: USHORT, Context: PVOID, InterfaceReference: PINTERFACE_REFERENCE,
    InterfaceDereference: PINTERFACE_DEREFERENCE, TranslateBusAddress: PTRANSLATE_BUS_ADDRESS, GetDmaAdapter: PGET_DMA_ADAPTER,
    SetBusData: PGET_SET_DEVICE_DATA, GetBusData: PGET_SET_DEVICE_DATA,
} }

// Event tracing.
c_struct! { _EVENT_DESCRIPTOR as EVENT_DESCRIPTOR, PEVENT_DESCRIPTOR {
    Id: USHORT, Version: UCHAR, Channel: UCHAR, Level: UCHAR, Opcode: UCHAR, Task: USHORT, Keyword: ULONGLONG,
} }
pub type PCEVENT_DESCRIPTOR = *const EVENT_DESCRIPTOR;
#[repr(C)]
#[derive(Clone, Copy)]
pub union _EVENT_DATA_DESCRIPTOR__bindgen_ty_1 {
    pub Reserved: ULONG,
    pub __bindgen_anon_1: _EVENT_DATA_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _EVENT_DATA_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1 {
    pub Type: UCHAR,
    pub Reserved1: UCHAR,
    pub Reserved2: USHORT,
}
zeroed_default!(_EVENT_DATA_DESCRIPTOR__bindgen_ty_1);
c_struct! { _EVENT_DATA_DESCRIPTOR as EVENT_DATA_DESCRIPTOR, PEVENT_DATA_DESCRIPTOR {
    Ptr: ULONGLONG, Size: ULONG, __bindgen_anon_1: _EVENT_DATA_DESCRIPTOR__bindgen_ty_1,
} }
c_struct! { _EVENT_FILTER_DESCRIPTOR as EVENT_FILTER_DESCRIPTOR, PEVENT_FILTER_DESCRIPTOR { Ptr: ULONGLONG, Size: ULONG, Type: ULONG } }
pub type PETWENABLECALLBACK = Option<
    unsafe extern "C" fn(
        SourceId: LPCGUID,
        ControlCode: ULONG,
        Level: UCHAR,
        MatchAnyKeyword: ULONGLONG,
        MatchAllKeyword: ULONGLONG,
        FilterData: PEVENT_FILTER_DESCRIPTOR,
        CallbackContext: PVOID,
    ),
>;

// Error log.
c_struct! { _IO_ERROR_LOG_PACKET as IO_ERROR_LOG_PACKET, PIO_ERROR_LOG_PACKET {
    MajorFunctionCode: UCHAR, RetryCount: UCHAR, DumpDataSize: USHORT, NumberOfStrings: USHORT, StringOffset: USHORT,
    EventCategory: USHORT, ErrorCode: NTSTATUS, UniqueErrorValue: ULONG, FinalStatus: NTSTATUS, SequenceNumber: ULONG,
    IoControlCode: ULONG, DeviceOffset: LARGE_INTEGER, DumpData: [ULONG; 1],
} }
