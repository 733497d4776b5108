//! What the double declares of WDM, against windows-sys, which is generated from Microsoft's metadata.
//!
//! Compared are sizes and alignments of structures and offsets of their fields, values of constants, and for each function and each
//! routine of the DMA table the number of arguments and the size and alignment of each and of the result. Names of types and constness
//! are not: windows-sys has other ones than wdk-sys. What a driver uses of Microsoft's names is compared, all of it: see the last test.
//!
//! Left out, because windows-sys has them otherwise or not at all:
//! - `CM_PARTIAL_RESOURCE_DESCRIPTOR`: 20 bytes, packed to 4; windows-sys does not pack it
//! - `DMA_ADAPTER_INFO`: the WDK's headers have had three shapes of it; windows-sys has that of the time of 22H2
//! - `KeBugCheckEx`, which does not return in the double, and `DbgPrint`, which is variadic
//! - arguments of the bus interface's routines: windows-sys has none
//! - everything of KMDF: windows-sys has none of it

use std::collections::BTreeSet;

use kmdf_sim as ours;
use windows_sys::Wdk::Foundation as foundation;
use windows_sys::Wdk::System::SystemServices as services;
use windows_sys::Win32::Foundation as win32;
use windows_sys::Win32::System::Diagnostics::Etw as etw;
use windows_sys::Win32::System::{Kernel as kernel, Registry as registry};
use windows_sys::core as basic;

/// What a check has compared.
type Names = Vec<&'static str>;

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
    functions();
}

fn functions() -> Names {
    macro_rules! functions {
        ($($name:ident($($argument:tt),*);)*) => {{ $(
            assert_eq!(
                shape_of(|| ours::ntddk::$name as unsafe fn($($argument),*) -> _),
                shape_of(|| services::$name as unsafe extern "system" fn($($argument),*) -> _),
                stringify!($name)
            );
        )* vec![$(stringify!($name)),*] }};
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
        KeInitializeSpinLock(_);
        EtwRegister(_, _, _, _);
        EtwUnregister(_);
        EtwWrite(_, _, _, _, _);
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
    structures();
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

fn structures() -> Names {
    macro_rules! structures {
        ($($ours:ident = $module:ident::$theirs:ident { $($field:ident),* })*) => {{ $(
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
        )* vec![$(stringify!($theirs)),*] }};
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
        _IO_ERROR_LOG_PACKET = services::IO_ERROR_LOG_PACKET {
            MajorFunctionCode, RetryCount, DumpDataSize, NumberOfStrings, StringOffset, EventCategory, ErrorCode, UniqueErrorValue,
            FinalStatus, SequenceNumber, IoControlCode, DeviceOffset, DumpData
        }
        _EVENT_DESCRIPTOR = etw::EVENT_DESCRIPTOR { Id, Version, Channel, Level, Opcode, Task, Keyword }
        _EVENT_DATA_DESCRIPTOR = etw::EVENT_DATA_DESCRIPTOR { Ptr, Size }
        _UNICODE_STRING = win32::UNICODE_STRING { Length, MaximumLength, Buffer }
        GUID = basic::GUID {}
        _KEVENT = foundation::KEVENT { Header }
        _OBJECT_ATTRIBUTES = foundation::OBJECT_ATTRIBUTES { Length, RootDirectory, ObjectName, Attributes }
    }
}

/// Types that have no fields.
#[test]
fn scalars_have_windows_size() {
    scalars();
}

fn scalars() -> Names {
    macro_rules! scalars {
        ($($ours:ident = $module:ident::$theirs:ident)*) => {{ $(
            assert_eq!(
                (size_of::<ours::$ours>(), align_of::<ours::$ours>()),
                (size_of::<$module::$theirs>(), align_of::<$module::$theirs>()),
                stringify!($ours)
            );
        )* vec![$(stringify!($theirs)),*] }};
    }
    scalars! {
        NTSTATUS = win32::NTSTATUS
        HANDLE = win32::HANDLE
        EVENT_TYPE = kernel::EVENT_TYPE
        KWAIT_REASON = services::KWAIT_REASON
        MODE = services::MODE
        MEMORY_CACHING_TYPE = services::MEMORY_CACHING_TYPE
        MM_PAGE_PRIORITY = services::MM_PAGE_PRIORITY
        PCREATE_COMMON_BUFFER_FROM_MDL = services::PCREATE_COMMON_BUFFER_FROM_MDL
    }
}

#[test]
fn constants_have_windows_values() {
    constants();
}

fn constants() -> Names {
    macro_rules! constants {
        ($($module:ident { $($name:ident)* })*) => {{
            $($(assert_eq!(
                (i64::from(ours::$name), size_of_val(&ours::$name)),
                (i64::from($module::$name), size_of_val(&$module::$name)),
                stringify!($name)
            );)*)*
            vec![$($(stringify!($name),)*)*]
        }};
    }
    macro_rules! enumerators {
        ($($tag:ident = $module:ident::{ $($name:ident),* })*) => {{
            $($(assert_eq!(ours::$tag::$name, $module::$name, stringify!($name));)*)*
            vec![$($(stringify!($name),)*)*]
        }};
    }
    let constants: Names = constants! {
        services {
            ADAPTER_INFO_API_BYPASS ADAPTER_INFO_SYNCHRONOUS_CALLBACK CM_RESOURCE_INTERRUPT_MESSAGE CmResourceTypeInterrupt
            CmResourceTypeMemory DMA_ADAPTER_INFO_VERSION1 DMA_SYNCHRONOUS_CALLBACK DMA_TRANSFER_CONTEXT_SIZE_V1
            DMA_TRANSFER_INFO_VERSION2 FILE_AUTOGENERATED_DEVICE_NAME FILE_DEVICE_SECURE_OPEN FO_SYNCHRONOUS_IO
            MDL_ALLOCATED_FIXED_SIZE MDL_LOCKED_PAGE_TABLES
            MdlMappingNoExecute MdlMappingNoWrite PAGE_NOCACHE PAGE_READWRITE PCI_ENABLE_BUS_MASTER PCI_WHICHSPACE_CONFIG
        }
        registry { KEY_READ }
        win32 {
            STATUS_BUFFER_TOO_SMALL STATUS_CANCELLED STATUS_DEVICE_BUSY STATUS_DEVICE_CONFIGURATION_ERROR
            STATUS_DEVICE_HARDWARE_ERROR STATUS_INSUFFICIENT_RESOURCES STATUS_INVALID_DEVICE_REQUEST STATUS_INVALID_PARAMETER
            STATUS_NOT_FOUND STATUS_SUCCESS STATUS_TOO_MANY_OPENED_FILES
        }
    };
    let enumerators: Names = enumerators! {
        _MEMORY_CACHING_TYPE = services::{ MmCached }
        _MM_PAGE_PRIORITY = services::{ NormalPagePriority }
        _LOCK_OPERATION = services::{ IoWriteAccess }
        _IO_ALLOCATION_ACTION = services::{ DeallocateObject }
        _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE = services::{ CommonBufferConfigTypeHardwareAccessPermissions }
        _EVENT_TYPE = kernel::{ NotificationEvent }
        _KWAIT_REASON = services::{ Executive }
        _MODE = services::{ KernelMode }
    };
    [constants, enumerators].concat()
}

/// The names that a driver uses, those marked that windows-sys declares: a list that a tool makes from its source.
const LIST: &str = "../kmdf/wdk-names.txt";

/// Names of the list that cannot be compared, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    (
        "DRIVER_OBJECT",
        "the driver hands its address on; the double's has a few members only",
    ),
    (
        "DMA_OPERATIONS",
        "in another test of this file, routine by routine",
    ),
];

/// The name of what a name stands for: C's tags have an underscore before the name, its pointers a P.
fn base<'a>(name: &'a str, known: &BTreeSet<&str>) -> Option<&'a str> {
    let last = name.rsplit("::").next()?;
    let last = last.strip_prefix('_').unwrap_or(last);
    let others = ["P", "PC"].into_iter();
    let pointees = others.filter_map(|prefix| last.strip_prefix(prefix));
    let mut names = std::iter::once(last).chain(pointees);
    names.find(|name| known.contains(name))
}

#[test]
fn whatever_the_driver_uses_is_compared() {
    let path = format!("{}/{LIST}", env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(path).unwrap();
    let mut compared: BTreeSet<_> = [functions(), structures(), scalars(), constants()]
        .concat()
        .into_iter()
        .collect();
    // Its size and its elements' place, in the test of structures.
    compared.insert("SCATTER_GATHER_LIST");
    let excepted: BTreeSet<_> = EXCEPTIONS.iter().map(|(name, _)| *name).collect();
    let both: Vec<_> = excepted.intersection(&compared).collect();
    assert!(both.is_empty(), "compared, and excepted: {both:?}");
    let marked: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("+ "))
        .collect();
    assert!(marked.len() > 60, "the list is written in another way");
    let missing: Vec<_> = marked
        .iter()
        .filter(|name| base(name, &compared).is_none() && base(name, &excepted).is_none())
        .collect();
    assert!(missing.is_empty(), "nothing compares {missing:#?}");
    // An exception that nothing needs any more goes.
    for (name, _) in EXCEPTIONS {
        let used = marked
            .iter()
            .any(|marked| base(marked, &excepted) == Some(name));
        assert!(used, "{name} is excepted and not used");
    }
}
