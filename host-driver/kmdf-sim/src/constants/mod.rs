//! The constants of `wdk_sys` that drivers for PCIe devices use, under the same names and types (wdm.h, ntddk.h, wdf.h).

mod status;

pub use status::*;

use crate::types::{ACCESS_MASK, GUID, POOL_FLAGS, PVOID, PWDF_OBJECT_ATTRIBUTES, UCHAR, ULONG};

pub const TRUE: u32 = 1;
pub const FALSE: u32 = 0;
pub const PAGE_SIZE: u32 = 4096;
pub const PAGE_SHIFT: u32 = 12;

pub const PASSIVE_LEVEL: u32 = 0;
pub const LOW_LEVEL: u32 = 0;
pub const APC_LEVEL: u32 = 1;
pub const DISPATCH_LEVEL: u32 = 2;
pub const HIGH_LEVEL: u32 = 15;

pub const IO_NO_INCREMENT: u32 = 0;
pub const MAXIMUM_WAIT_OBJECTS: u32 = 64;

pub const POOL_FLAG_UNINITIALIZED: POOL_FLAGS = 0x2;
pub const POOL_FLAG_CACHE_ALIGNED: POOL_FLAGS = 0x8;
pub const POOL_FLAG_NON_PAGED: POOL_FLAGS = 0x40;
pub const POOL_FLAG_NON_PAGED_EXECUTE: POOL_FLAGS = 0x80;
pub const POOL_FLAG_PAGED: POOL_FLAGS = 0x100;

pub const PAGE_NOACCESS: u32 = 0x1;
pub const PAGE_READONLY: u32 = 0x2;
pub const PAGE_READWRITE: u32 = 0x4;
pub const PAGE_NOCACHE: u32 = 0x200;
pub const PAGE_WRITECOMBINE: u32 = 0x400;

pub const METHOD_BUFFERED: u32 = 0;
pub const METHOD_IN_DIRECT: u32 = 1;
pub const METHOD_OUT_DIRECT: u32 = 2;
pub const METHOD_NEITHER: u32 = 3;
pub const FILE_ANY_ACCESS: u32 = 0;
pub const FILE_SPECIAL_ACCESS: u32 = 0;
pub const FILE_READ_ACCESS: u32 = 1;
pub const FILE_WRITE_ACCESS: u32 = 2;
pub const FILE_READ_DATA: u32 = 1;
pub const FILE_WRITE_DATA: u32 = 2;
pub const FILE_DEVICE_UNKNOWN: u32 = 0x22;
pub const FILE_DEVICE_SECURE_OPEN: u32 = 0x100;
pub const FILE_SYNCHRONOUS_IO_ALERT: u32 = 0x10;
pub const FILE_SYNCHRONOUS_IO_NONALERT: u32 = 0x20;
pub const FO_SYNCHRONOUS_IO: u32 = 0x2;
pub const GENERIC_READ: u32 = 0x8000_0000;
pub const GENERIC_WRITE: u32 = 0x4000_0000;
pub const KEY_READ: ACCESS_MASK = 0x0002_0019;
pub const STANDARD_RIGHTS_ALL: ACCESS_MASK = 0x001F_0000;
pub const THREAD_ALL_ACCESS: ACCESS_MASK = 0x001F_FFFF;
pub const SYNCHRONIZE: ACCESS_MASK = 0x0010_0000;
pub const OBJ_KERNEL_HANDLE: u32 = 0x200;
pub const PLUGPLAY_REGKEY_DEVICE: u32 = 1;
pub const PLUGPLAY_REGKEY_DRIVER: u32 = 2;

pub const CmResourceTypeNull: u32 = 0;
pub const CmResourceTypePort: u32 = 1;
pub const CmResourceTypeInterrupt: u32 = 2;
pub const CmResourceTypeMemory: u32 = 3;
pub const CmResourceTypeMemoryLarge: u32 = 7;
pub const CM_RESOURCE_INTERRUPT_LATCHED: u32 = 1;
pub const CM_RESOURCE_INTERRUPT_MESSAGE: u32 = 2;
pub const CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN: u32 = 0xFFFF_FFFE;
pub const CM_RESOURCE_MEMORY_READ_WRITE: u32 = 0;

pub const PCI_WHICHSPACE_CONFIG: u32 = 0;
pub const PCI_ENABLE_IO_SPACE: u32 = 0x1;
pub const PCI_ENABLE_MEMORY_SPACE: u32 = 0x2;
pub const PCI_ENABLE_BUS_MASTER: u32 = 0x4;

pub const FILE_BYTE_ALIGNMENT: ULONG = 0;
pub const FILE_LONG_ALIGNMENT: ULONG = 0x3;
pub const FILE_QUAD_ALIGNMENT: ULONG = 0x7;
pub const FILE_64_BYTE_ALIGNMENT: ULONG = 0x3F;

pub const EVENT_CONTROL_CODE_DISABLE_PROVIDER: u32 = 0;
pub const EVENT_CONTROL_CODE_ENABLE_PROVIDER: u32 = 1;
pub const ERROR_LOG_MAXIMUM_SIZE: u32 = 240;
pub const IRP_MJ_CREATE: UCHAR = 0;
pub const IRP_MJ_DEVICE_CONTROL: UCHAR = 0x0e;

pub const WDF_NO_OBJECT_ATTRIBUTES: PWDF_OBJECT_ATTRIBUTES = core::ptr::null_mut();
pub const WDF_NO_EVENT_CALLBACK: PVOID = core::ptr::null_mut();
pub const WDF_NO_HANDLE: PVOID = core::ptr::null_mut();
pub const WDF_NO_CONTEXT: PVOID = core::ptr::null_mut();
pub const WDF_NO_SEND_OPTIONS: PVOID = core::ptr::null_mut();

/// The bus interface's identifier (wdmguid.h).
pub const GUID_BUS_INTERFACE_STANDARD: GUID = GUID {
    Data1: 0x496B_8280,
    Data2: 0x6F25,
    Data3: 0x11D0,
    Data4: [0xBE, 0xAF, 0x08, 0x00, 0x2B, 0xE2, 0x09, 0x2F],
};
