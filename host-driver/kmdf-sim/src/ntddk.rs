//! Functions of `ntddk.h` and `wdm.h`, as `wdk_sys::ntddk` has them.

pub use crate::kernel::{
    DbgPrint, EtwRegister, EtwUnregister, EtwWrite, EtwWriteTransfer, ExAllocatePool2, ExFreePool,
    ExFreePoolWithTag, IoAllocateErrorLogEntry, IoAllocateMdl, IoFreeMdl, IoGetCurrentProcess,
    IoWriteErrorLogEntry, KeAcquireInStackQueuedSpinLock, KeBugCheckEx, KeClearEvent,
    KeDelayExecutionThread, KeGetCurrentIrql, KeGetCurrentProcessorNumberEx, KeInitializeEvent,
    KeInitializeSpinLock, KeQueryPerformanceCounter, KeReleaseInStackQueuedSpinLock, KeResetEvent,
    KeSetEvent, KeStallExecutionProcessor, KeWaitForSingleObject, MmBuildMdlForNonPagedPool,
    MmMapIoSpaceEx, MmMapLockedPagesSpecifyCache, MmProbeAndLockPages, MmUnlockPages,
    MmUnmapIoSpace, MmUnmapLockedPages, ObReferenceObjectByHandle, ObfDereferenceObject,
    PsCreateSystemThread, PsGetCurrentProcessId, PsGetCurrentThreadId, PsGetProcessId,
    PsSetCreateProcessNotifyRoutine, PsTerminateSystemThread, ZwClose,
};
