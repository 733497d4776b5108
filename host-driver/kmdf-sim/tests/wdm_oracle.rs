//! What the double declares of WDM, against windows-sys, which is generated from Microsoft's metadata.
//!
//! Compared are sizes and alignments of structures and offsets of their fields, values of constants, and for each function and each
//! routine of the DMA table the number of arguments and the size and alignment of each and of the result. Names of types and constness
//! are not: windows-sys has other ones than wdk-sys.
//!
//! Left out, because windows-sys has them otherwise or not at all:
//! - `CM_PARTIAL_RESOURCE_DESCRIPTOR`: 20 bytes, packed to 4; windows-sys does not pack it
//! - `DMA_ADAPTER_INFO`: windows-sys has the member of crash dumps, which moves V1 to byte 8; drivers find it at byte 4
//! - `KeBugCheckEx`, which does not return in the double, and `DbgPrint`, which is variadic
//! - everything of KMDF: windows-sys has none of it

use kmdf_sim as ours;
use windows_sys::Wdk::Foundation as foundation;
use windows_sys::Wdk::System::SystemServices as services;

/// (size, alignment) of a function's result and of each argument.
trait Shape {
    fn shape() -> Vec<(usize, usize)>;
}

macro_rules! shapes {
    ($($argument:ident)*) => {
        shapes!(@one [unsafe fn($($argument),*) -> R] $($argument)*);
        shapes!(@one [unsafe extern "C" fn($($argument),*) -> R] $($argument)*);
        shapes!(@one [unsafe extern "system" fn($($argument),*) -> R] $($argument)*);
    };
    (@one [$type:ty] $($argument:ident)*) => {
        impl<R, $($argument),*> Shape for $type {
            fn shape() -> Vec<(usize, usize)> {
                vec![(size_of::<R>(), align_of::<R>()), $((size_of::<$argument>(), align_of::<$argument>())),*]
            }
        }
    };
}

shapes!();
shapes!(A);
shapes!(A B);
shapes!(A B C);
shapes!(A B C D);
shapes!(A B C D E);
shapes!(A B C D E F);
shapes!(A B C D E F G);
shapes!(A B C D E F G H);
shapes!(A B C D E F G H I);
shapes!(A B C D E F G H I J);
shapes!(A B C D E F G H I J K);
shapes!(A B C D E F G H I J K L);
shapes!(A B C D E F G H I J K L M);
shapes!(A B C D E F G H I J K L M N);
shapes!(A B C D E F G H I J K L M N O);

/// Shape of the function that a closure would give. It is never called: windows-sys' functions do not exist here.
fn shape_of<S: Shape>(_: impl Fn() -> S) -> Vec<(usize, usize)> {
    S::shape()
}

/// Shape of a table's entry.
fn shape_of_entry<T, S: Shape>(_: impl Fn(&T) -> Option<S>) -> Vec<(usize, usize)> {
    S::shape()
}

#[test]
fn functions_have_windows_signatures() {
    macro_rules! functions {
        ($($name:ident($($argument:tt),*);)*) => { $(
            assert_eq!(
                shape_of(|| ours::ntddk::$name as unsafe fn($($argument),*) -> _),
                shape_of(|| services::$name as unsafe extern "system" fn($($argument),*) -> _),
                stringify!($name)
            );
        )* };
    }
    functions! {
        IoAllocateMdl(_, _, _, _, _);
        IoFreeMdl(_);
        MmBuildMdlForNonPagedPool(_);
        MmMapLockedPagesSpecifyCache(_, _, _, _, _, _);
        MmUnmapLockedPages(_, _);
        MmProbeAndLockPages(_, _, _);
        MmUnlockPages(_);
        MmMapIoSpaceEx(_, _, _);
        MmUnmapIoSpace(_, _);
        ExAllocatePool2(_, _, _);
        ExFreePool(_);
        ExFreePoolWithTag(_, _);
        KeAcquireInStackQueuedSpinLock(_, _);
        KeReleaseInStackQueuedSpinLock(_);
        KeGetCurrentIrql();
        KeQueryPerformanceCounter(_);
        KeStallExecutionProcessor(_);
        KeDelayExecutionThread(_, _, _);
        KeInitializeEvent(_, _, _);
        KeSetEvent(_, _, _);
        KeClearEvent(_);
        KeResetEvent(_);
        KeWaitForSingleObject(_, _, _, _, _);
        KeGetCurrentProcessorNumberEx(_);
        IoGetCurrentProcess();
        IoAllocateErrorLogEntry(_, _);
        IoWriteErrorLogEntry(_);
        PsGetCurrentProcessId();
        PsGetCurrentThreadId();
        PsGetProcessId(_);
        PsSetCreateProcessNotifyRoutine(_, _);
    }
}

#[test]
fn the_dma_table_is_windows_own() {
    macro_rules! entries {
        ($($name:ident)*) => { $(
            assert_eq!(
                core::mem::offset_of!(ours::_DMA_OPERATIONS, $name),
                core::mem::offset_of!(services::DMA_OPERATIONS, $name),
                stringify!($name)
            );
            assert_eq!(
                shape_of_entry(|table: &ours::_DMA_OPERATIONS| table.$name),
                shape_of_entry(|table: &services::DMA_OPERATIONS| table.$name),
                stringify!($name)
            );
        )* };
    }
    entries! {
        PutDmaAdapter AllocateCommonBuffer FreeCommonBuffer AllocateAdapterChannel FlushAdapterBuffers FreeAdapterChannel
        FreeMapRegisters MapTransfer GetDmaAlignment ReadDmaCounter GetScatterGatherList PutScatterGatherList
        CalculateScatterGatherList BuildScatterGatherList BuildMdlFromScatterGatherList GetDmaAdapterInfo GetDmaTransferInfo
        InitializeDmaTransferContext AllocateCommonBufferEx AllocateAdapterChannelEx ConfigureAdapterChannel CancelAdapterChannel
        GetScatterGatherListEx BuildScatterGatherListEx FlushAdapterBuffersEx FreeAdapterObject CancelMappedTransfer
        AllocateDomainCommonBuffer FlushDmaBuffer JoinDmaDomain LeaveDmaDomain GetDmaDomain AllocateCommonBufferWithBounds
        AllocateCommonBufferVector GetCommonBufferFromVectorByIndex FreeCommonBufferFromVector FreeCommonBufferVector
        CreateCommonBufferFromMdl MapTransferEx
    }
    assert_eq!(
        core::mem::offset_of!(ours::_DMA_OPERATIONS, CreateCommonBufferFromMdl),
        312
    );
    assert_eq!(
        size_of::<ours::_DMA_OPERATIONS>(),
        size_of::<services::DMA_OPERATIONS>()
    );
}

#[test]
fn structures_have_windows_layout() {
    macro_rules! structures {
        ($($ours:ident = $module:ident::$theirs:ident { $($field:ident),* })*) => { $(
            assert_eq!(
                (size_of::<ours::$ours>(), align_of::<ours::$ours>()),
                (size_of::<$module::$theirs>(), align_of::<$module::$theirs>()),
                stringify!($ours)
            );
            $(assert_eq!(
                core::mem::offset_of!(ours::$ours, $field),
                core::mem::offset_of!($module::$theirs, $field),
                concat!(stringify!($ours), "::", stringify!($field))
            );)*
        )* };
    }
    structures! {
        _MDL = foundation::MDL { Next, Size, MdlFlags, Process, MappedSystemVa, StartVa, ByteCount, ByteOffset }
        _DMA_ADAPTER = services::DMA_ADAPTER { Version, Size, DmaOperations }
        _SCATTER_GATHER_ELEMENT = services::SCATTER_GATHER_ELEMENT { Address, Length, Reserved }
        _DMA_ADAPTER_INFO_V1 = services::DMA_ADAPTER_INFO_V1 {
            ReadDmaCounterAvailable, ScatterGatherLimit, DmaAddressWidth, Flags, MinimumTransferUnit
        }
        _DMA_TRANSFER_INFO_V1 = services::DMA_TRANSFER_INFO_V1 { MapRegisterCount, ScatterGatherElementCount, ScatterGatherListSize }
        _DMA_TRANSFER_INFO_V2 = services::DMA_TRANSFER_INFO_V2 {
            MapRegisterCount, ScatterGatherElementCount, ScatterGatherListSize, LogicalPageCount
        }
        _DMA_TRANSFER_INFO = services::DMA_TRANSFER_INFO { Version }
        _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION = services::DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION { ConfigType }
        _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_1
            = services::DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_0_0 { MinimumAddress, MaximumAddress }
        _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_2
            = services::DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_0_1 { Offset, Length }
        _KLOCK_QUEUE_HANDLE = services::KLOCK_QUEUE_HANDLE { LockQueue, OldIrql }
        _KSPIN_LOCK_QUEUE = services::KSPIN_LOCK_QUEUE { Next, Lock }
        _BUS_INTERFACE_STANDARD = services::BUS_INTERFACE_STANDARD {
            Size, Version, Context, InterfaceReference, InterfaceDereference, TranslateBusAddress, GetDmaAdapter, SetBusData, GetBusData
        }
        _INTERFACE = services::INTERFACE { Size, Version, Context, InterfaceReference, InterfaceDereference }
        _IO_ERROR_LOG_PACKET = services::IO_ERROR_LOG_PACKET { ErrorCode, DumpData }
        _KEVENT = foundation::KEVENT { Header }
        _OBJECT_ATTRIBUTES = foundation::OBJECT_ATTRIBUTES { Length, RootDirectory, ObjectName, Attributes }
    }
    // windows-sys gives the list one element; the header gives it none that counts.
    assert_eq!(
        size_of::<ours::_SCATTER_GATHER_LIST>() + size_of::<ours::_SCATTER_GATHER_ELEMENT>(),
        size_of::<services::SCATTER_GATHER_LIST>()
    );
    assert_eq!(
        core::mem::offset_of!(ours::_SCATTER_GATHER_LIST, Elements),
        core::mem::offset_of!(services::SCATTER_GATHER_LIST, Elements)
    );
}

#[test]
fn constants_have_windows_values() {
    assert_eq!(
        ours::ADAPTER_INFO_API_BYPASS,
        services::ADAPTER_INFO_API_BYPASS
    );
    assert_eq!(
        ours::ADAPTER_INFO_SYNCHRONOUS_CALLBACK,
        services::ADAPTER_INFO_SYNCHRONOUS_CALLBACK
    );
    assert_eq!(
        ours::DMA_ADAPTER_INFO_VERSION1,
        services::DMA_ADAPTER_INFO_VERSION1
    );
    assert_eq!(
        ours::DMA_TRANSFER_INFO_VERSION2,
        services::DMA_TRANSFER_INFO_VERSION2
    );
    assert_eq!(
        ours::DMA_TRANSFER_CONTEXT_SIZE_V1,
        services::DMA_TRANSFER_CONTEXT_SIZE_V1
    );
    assert_eq!(
        ours::DMA_SYNCHRONOUS_CALLBACK,
        services::DMA_SYNCHRONOUS_CALLBACK
    );
    assert_eq!(
        ours::MDL_ALLOCATED_FIXED_SIZE,
        services::MDL_ALLOCATED_FIXED_SIZE
    );
    assert_eq!(
        ours::MDL_LOCKED_PAGE_TABLES,
        services::MDL_LOCKED_PAGE_TABLES
    );
    assert_eq!(ours::MdlMappingNoExecute, services::MdlMappingNoExecute);
    assert_eq!(ours::MdlMappingNoWrite, services::MdlMappingNoWrite);
    assert_eq!(ours::_MEMORY_CACHING_TYPE::MmCached, services::MmCached);
    assert_eq!(
        ours::_MM_PAGE_PRIORITY::NormalPagePriority,
        services::NormalPagePriority
    );
    assert_eq!(
        ours::_LOCK_OPERATION::IoWriteAccess,
        services::IoWriteAccess
    );
    assert_eq!(
        ours::_IO_ALLOCATION_ACTION::DeallocateObject,
        services::DeallocateObject
    );
    assert_eq!(
        ours::_DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE::CommonBufferConfigTypeHardwareAccessPermissions,
        services::CommonBufferConfigTypeHardwareAccessPermissions
    );
}
