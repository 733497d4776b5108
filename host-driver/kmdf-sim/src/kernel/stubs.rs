//! Kernel functions whose bodies are to come.
#![allow(unused_variables)]
use crate::types::*;

/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeGetCurrentIrql() -> KIRQL {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeInitializeSpinLock(SpinLock: PKSPIN_LOCK) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeAcquireInStackQueuedSpinLock(
    SpinLock: PKSPIN_LOCK,
    LockHandle: PKLOCK_QUEUE_HANDLE,
) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeReleaseInStackQueuedSpinLock(LockHandle: PKLOCK_QUEUE_HANDLE) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeInitializeEvent(Event: PRKEVENT, Type: EVENT_TYPE, State: BOOLEAN) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeSetEvent(Event: PRKEVENT, Increment: KPRIORITY, Wait: BOOLEAN) -> LONG {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeClearEvent(Event: PRKEVENT) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeResetEvent(Event: PRKEVENT) -> LONG {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeWaitForSingleObject(
    Object: PVOID,
    WaitReason: KWAIT_REASON,
    WaitMode: KPROCESSOR_MODE,
    Alertable: BOOLEAN,
    Timeout: PLARGE_INTEGER,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeQueryPerformanceCounter(PerformanceFrequency: PLARGE_INTEGER) -> LARGE_INTEGER {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeDelayExecutionThread(
    WaitMode: KPROCESSOR_MODE,
    Alertable: BOOLEAN,
    Interval: PLARGE_INTEGER,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn KeGetCurrentProcessorNumberEx(ProcNumber: PPROCESSOR_NUMBER) -> ULONG {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeStallExecutionProcessor(MicroSeconds: ULONG) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn KeBugCheckEx(
    BugCheckCode: ULONG,
    BugCheckParameter1: ULONG_PTR,
    BugCheckParameter2: ULONG_PTR,
    BugCheckParameter3: ULONG_PTR,
    BugCheckParameter4: ULONG_PTR,
) -> ! {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn MmMapIoSpaceEx(
    PhysicalAddress: PHYSICAL_ADDRESS,
    NumberOfBytes: SIZE_T,
    Protect: ULONG,
) -> PVOID {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn MmUnmapIoSpace(BaseAddress: PVOID, NumberOfBytes: SIZE_T) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn ExAllocatePool2(Flags: POOL_FLAGS, NumberOfBytes: SIZE_T, Tag: ULONG) -> PVOID {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn ExFreePoolWithTag(P: PVOID, Tag: ULONG) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn ExFreePool(P: PVOID) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsSetCreateProcessNotifyRoutine(
    NotifyRoutine: PCREATE_PROCESS_NOTIFY_ROUTINE,
    Remove: BOOLEAN,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsGetCurrentProcessId() -> HANDLE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsGetCurrentThreadId() -> HANDLE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsGetProcessId(Process: PEPROCESS) -> HANDLE {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn IoGetCurrentProcess() -> PEPROCESS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsCreateSystemThread(
    ThreadHandle: PHANDLE,
    DesiredAccess: ULONG,
    ObjectAttributes: POBJECT_ATTRIBUTES,
    ProcessHandle: HANDLE,
    ClientId: PCLIENT_ID,
    StartRoutine: PKSTART_ROUTINE,
    StartContext: PVOID,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn PsTerminateSystemThread(ExitStatus: NTSTATUS) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn ObReferenceObjectByHandle(
    Handle: HANDLE,
    DesiredAccess: ACCESS_MASK,
    ObjectType: POBJECT_TYPE,
    AccessMode: KPROCESSOR_MODE,
    Object: *mut PVOID,
    HandleInformation: PVOID,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn ObfDereferenceObject(Object: PVOID) -> LONG_PTR {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn ZwClose(Handle: HANDLE) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn EtwRegister(
    ProviderId: LPCGUID,
    EnableCallback: PETWENABLECALLBACK,
    CallbackContext: PVOID,
    RegHandle: PREGHANDLE,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn EtwUnregister(RegHandle: REGHANDLE) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn EtwWrite(
    RegHandle: REGHANDLE,
    EventDescriptor: PCEVENT_DESCRIPTOR,
    ActivityId: LPCGUID,
    UserDataCount: ULONG,
    UserData: PEVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn EtwWriteTransfer(
    RegHandle: REGHANDLE,
    EventDescriptor: PCEVENT_DESCRIPTOR,
    ActivityId: LPCGUID,
    RelatedActivityId: LPCGUID,
    UserDataCount: ULONG,
    UserData: PEVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn IoAllocateErrorLogEntry(IoObject: PVOID, EntrySize: UCHAR) -> PVOID {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn IoWriteErrorLogEntry(ElEntry: PVOID) {
    todo!()
}
/// To come.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn DbgPrint(Format: PCSTR) -> ULONG {
    todo!()
}
