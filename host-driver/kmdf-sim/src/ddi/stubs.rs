//! Framework functions whose bodies are to come.
#![allow(unused_variables)]
use crate::types::*;

/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDriverCreate(
    DriverObject: PDRIVER_OBJECT,
    RegistryPath: PCUNICODE_STRING,
    DriverAttributes: PWDF_OBJECT_ATTRIBUTES,
    DriverConfig: PWDF_DRIVER_CONFIG,
    Driver: *mut WDFDRIVER,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDriverOpenParametersRegistryKey(
    Driver: WDFDRIVER,
    DesiredAccess: ACCESS_MASK,
    KeyAttributes: PWDF_OBJECT_ATTRIBUTES,
    Key: *mut WDFKEY,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDriverWdmGetDriverObject(Driver: WDFDRIVER) -> PDRIVER_OBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRegistryQueryULong(
    Key: WDFKEY,
    ValueName: PCUNICODE_STRING,
    Value: PULONG,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRegistryClose(Key: WDFKEY) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetPnpPowerEventCallbacks(
    DeviceInit: PWDFDEVICE_INIT,
    PnpPowerEventCallbacks: PWDF_PNPPOWER_EVENT_CALLBACKS,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetFileObjectConfig(
    DeviceInit: PWDFDEVICE_INIT,
    FileObjectConfig: PWDF_FILEOBJECT_CONFIG,
    FileObjectAttributes: PWDF_OBJECT_ATTRIBUTES,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetRequestAttributes(
    DeviceInit: PWDFDEVICE_INIT,
    RequestAttributes: PWDF_OBJECT_ATTRIBUTES,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceInitAssignSDDLString(
    DeviceInit: PWDFDEVICE_INIT,
    SDDLString: PCUNICODE_STRING,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetCharacteristics(
    DeviceInit: PWDFDEVICE_INIT,
    DeviceCharacteristics: ULONG,
    OrInValues: BOOLEAN,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetIoType(DeviceInit: PWDFDEVICE_INIT, IoType: WDF_DEVICE_IO_TYPE) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetExclusive(DeviceInit: PWDFDEVICE_INIT, IsExclusive: BOOLEAN) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetPowerPolicyOwnership(
    DeviceInit: PWDFDEVICE_INIT,
    IsPowerPolicyOwner: BOOLEAN,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceInitSetIoInCallerContextCallback(
    DeviceInit: PWDFDEVICE_INIT,
    EvtIoInCallerContext: PFN_WDF_IO_IN_CALLER_CONTEXT,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceEnqueueRequest(Device: WDFDEVICE, Request: WDFREQUEST) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceCreate(
    DeviceInit: *mut PWDFDEVICE_INIT,
    DeviceAttributes: PWDF_OBJECT_ATTRIBUTES,
    Device: *mut WDFDEVICE,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceCreateDeviceInterface(
    Device: WDFDEVICE,
    InterfaceClassGUID: LPCGUID,
    ReferenceString: PCUNICODE_STRING,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceSetFailed(Device: WDFDEVICE, FailedAction: WDF_DEVICE_FAILED_ACTION) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDeviceSetAlignmentRequirement(Device: WDFDEVICE, AlignmentRequirement: ULONG) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceGetDriver(Device: WDFDEVICE) -> WDFDRIVER {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceGetDefaultQueue(Device: WDFDEVICE) -> WDFQUEUE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceWdmGetDeviceObject(Device: WDFDEVICE) -> PDEVICE_OBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDeviceOpenRegistryKey(
    Device: WDFDEVICE,
    DeviceInstanceKeyType: ULONG,
    DesiredAccess: ACCESS_MASK,
    KeyAttributes: PWDF_OBJECT_ATTRIBUTES,
    Key: *mut WDFKEY,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfFdoQueryForInterface(
    Fdo: WDFDEVICE,
    InterfaceType: LPCGUID,
    Interface: PINTERFACE,
    Size: USHORT,
    Version: USHORT,
    InterfaceSpecificData: PVOID,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCmResourceListGetCount(List: WDFCMRESLIST) -> ULONG {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCmResourceListGetDescriptor(
    List: WDFCMRESLIST,
    Index: ULONG,
) -> PCM_PARTIAL_RESOURCE_DESCRIPTOR {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueCreate(
    Device: WDFDEVICE,
    Config: PWDF_IO_QUEUE_CONFIG,
    QueueAttributes: PWDF_OBJECT_ATTRIBUTES,
    Queue: *mut WDFQUEUE,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueGetDevice(Queue: WDFQUEUE) -> WDFDEVICE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveNextRequest(
    Queue: WDFQUEUE,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveRequestByFileObject(
    Queue: WDFQUEUE,
    FileObject: WDFFILEOBJECT,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueFindRequest(
    Queue: WDFQUEUE,
    FoundRequest: WDFREQUEST,
    FileObject: WDFFILEOBJECT,
    Parameters: PWDF_REQUEST_PARAMETERS,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveFoundRequest(
    Queue: WDFQUEUE,
    FoundRequest: WDFREQUEST,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfIoQueueStart(Queue: WDFQUEUE) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfIoQueueStop(
    Queue: WDFQUEUE,
    StopComplete: PFN_WDF_IO_QUEUE_STATE,
    Context: WDFCONTEXT,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfIoQueueStopSynchronously(Queue: WDFQUEUE) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfIoQueuePurge(
    Queue: WDFQUEUE,
    PurgeComplete: PFN_WDF_IO_QUEUE_STATE,
    Context: WDFCONTEXT,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfIoQueuePurgeSynchronously(Queue: WDFQUEUE) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestRetrieveInputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredLength: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestRetrieveOutputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredSize: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestForwardToIoQueue(
    Request: WDFREQUEST,
    DestinationQueue: WDFQUEUE,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestRequeue(Request: WDFREQUEST) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestGetFileObject(Request: WDFREQUEST) -> WDFFILEOBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestGetIoQueue(Request: WDFREQUEST) -> WDFQUEUE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestGetParameters(Request: WDFREQUEST, Parameters: PWDF_REQUEST_PARAMETERS) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestGetRequestorMode(Request: WDFREQUEST) -> KPROCESSOR_MODE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestMarkCancelable(
    Request: WDFREQUEST,
    EvtRequestCancel: PFN_WDF_REQUEST_CANCEL,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestMarkCancelableEx(
    Request: WDFREQUEST,
    EvtRequestCancel: PFN_WDF_REQUEST_CANCEL,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestUnmarkCancelable(Request: WDFREQUEST) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestIsCanceled(Request: WDFREQUEST) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestStopAcknowledge(Request: WDFREQUEST, Requeue: BOOLEAN) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestComplete(Request: WDFREQUEST, Status: NTSTATUS) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestCompleteWithInformation(
    Request: WDFREQUEST,
    Status: NTSTATUS,
    Information: ULONG_PTR,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfRequestSetInformation(Request: WDFREQUEST, Information: ULONG_PTR) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestGetInformation(Request: WDFREQUEST) -> ULONG_PTR {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfFileObjectGetFlags(FileObject: WDFFILEOBJECT) -> ULONG {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfFileObjectGetDevice(FileObject: WDFFILEOBJECT) -> WDFDEVICE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfObjectGetTypedContextWorker(
    Handle: WDFOBJECT,
    TypeInfo: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
) -> PVOID {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfObjectDelete(Object: WDFOBJECT) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfObjectReferenceActual(Handle: WDFOBJECT, Tag: PVOID, Line: LONG, File: PCSTR) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfObjectDereferenceActual(Handle: WDFOBJECT, Tag: PVOID, Line: LONG, File: PCSTR) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfObjectAllocateContext(
    Handle: WDFOBJECT,
    ContextAttributes: PWDF_OBJECT_ATTRIBUTES,
    Context: *mut PVOID,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfObjectContextGetObject(ContextPointer: PVOID) -> WDFOBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfObjectCreate(
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Object: *mut WDFOBJECT,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfInterruptCreate(
    Device: WDFDEVICE,
    Configuration: PWDF_INTERRUPT_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Interrupt: *mut WDFINTERRUPT,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfInterruptQueueDpcForIsr(Interrupt: WDFINTERRUPT) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfInterruptQueueWorkItemForIsr(Interrupt: WDFINTERRUPT) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfInterruptGetDevice(Interrupt: WDFINTERRUPT) -> WDFDEVICE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfInterruptAcquireLock(Interrupt: WDFINTERRUPT) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfInterruptReleaseLock(Interrupt: WDFINTERRUPT) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfInterruptGetInfo(Interrupt: WDFINTERRUPT, Info: PWDF_INTERRUPT_INFO) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfInterruptSynchronize(
    Interrupt: WDFINTERRUPT,
    Callback: PFN_WDF_INTERRUPT_SYNCHRONIZE,
    Context: WDFCONTEXT,
) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfWorkItemCreate(
    Config: PWDF_WORKITEM_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    WorkItem: *mut WDFWORKITEM,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfWorkItemEnqueue(WorkItem: WDFWORKITEM) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfWorkItemFlush(WorkItem: WDFWORKITEM) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfWorkItemGetParentObject(WorkItem: WDFWORKITEM) -> WDFOBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfTimerCreate(
    Config: PWDF_TIMER_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Timer: *mut WDFTIMER,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfTimerStart(Timer: WDFTIMER, DueTime: LONGLONG) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfTimerStop(Timer: WDFTIMER, Wait: BOOLEAN) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfTimerGetParentObject(Timer: WDFTIMER) -> WDFOBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDpcCreate(
    Config: PWDF_DPC_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Dpc: *mut WDFDPC,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDpcEnqueue(Dpc: WDFDPC) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDpcCancel(Dpc: WDFDPC, Wait: BOOLEAN) -> BOOLEAN {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDpcGetParentObject(Dpc: WDFDPC) -> WDFOBJECT {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfSpinLockCreate(
    SpinLockAttributes: PWDF_OBJECT_ATTRIBUTES,
    SpinLock: *mut WDFSPINLOCK,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfSpinLockAcquire(SpinLock: WDFSPINLOCK) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfSpinLockRelease(SpinLock: WDFSPINLOCK) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfWaitLockCreate(
    LockAttributes: PWDF_OBJECT_ATTRIBUTES,
    Lock: *mut WDFWAITLOCK,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfWaitLockAcquire(Lock: WDFWAITLOCK, Timeout: PLONGLONG) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfWaitLockRelease(Lock: WDFWAITLOCK) {
    todo!()
}
