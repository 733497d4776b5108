//! DMA: the adapter and scatter/gather structures of wdm.h, and the KMDF DMA headers.
//!
//! Sources: wdm.h, wdfdmaenabler.h, wdfdmatransaction.h and wdfcommonbuffer.h (KMDF 1.31). The table of adapter routines is in
//! `dma_operations.rs`.

use core::ffi::c_void;
use core::marker::PhantomData;

use super::*;

// wdm.h

handles! { PIRP = _IRP, PDMA_COMMON_BUFFER_VECTOR = _DMA_COMMON_BUFFER_VECTOR }

/// A DMA adapter, as its driver sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct _DMA_ADAPTER {
    /// Version of the structure.
    pub Version: u16,
    /// Bytes of the structure, including what the HAL keeps behind it.
    pub Size: u16,
    /// The adapter's routines.
    pub DmaOperations: PDMA_OPERATIONS,
}
/// A DMA adapter.
pub type DMA_ADAPTER = _DMA_ADAPTER;
/// Pointer to a DMA adapter.
pub type PDMA_ADAPTER = *mut _DMA_ADAPTER;

/// One run of consecutive bus addresses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _SCATTER_GATHER_ELEMENT {
    /// Bus address of the first byte.
    pub Address: PHYSICAL_ADDRESS,
    /// Bytes.
    pub Length: u32,
    /// Not for drivers.
    pub Reserved: u64,
}
/// One run of consecutive bus addresses.
pub type SCATTER_GATHER_ELEMENT = _SCATTER_GATHER_ELEMENT;
/// Pointer to a run.
pub type PSCATTER_GATHER_ELEMENT = *mut _SCATTER_GATHER_ELEMENT;

/// An array of unknown length at the end of a structure, as bindgen makes it.
#[repr(C)]
pub struct __IncompleteArrayField<T>(PhantomData<T>, [T; 0]);

impl<T> __IncompleteArrayField<T> {
    /// An array of no known length.
    pub const fn new() -> Self {
        Self(PhantomData, [])
    }

    /// Address of the first element.
    pub fn as_ptr(&self) -> *const T {
        core::ptr::from_ref(self).cast()
    }

    /// Address of the first element.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        core::ptr::from_mut(self).cast()
    }

    /// The first `len` elements.
    ///
    /// # Safety
    /// There are that many, and `self` was reached from a pointer to all of them.
    pub unsafe fn as_slice(&self, len: usize) -> &[T] {
        // SAFETY: the caller says so.
        unsafe { core::slice::from_raw_parts(self.as_ptr(), len) }
    }

    /// The first `len` elements.
    ///
    /// # Safety
    /// There are that many, and `self` was reached from a pointer to all of them.
    pub unsafe fn as_mut_slice(&mut self, len: usize) -> &mut [T] {
        // SAFETY: the caller says so.
        unsafe { core::slice::from_raw_parts_mut(self.as_mut_ptr(), len) }
    }
}

impl<T> Default for __IncompleteArrayField<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a mapped buffer is on the bus.
#[repr(C)]
pub struct _SCATTER_GATHER_LIST {
    /// Number of elements.
    pub NumberOfElements: u32,
    /// Not for drivers.
    pub Reserved: u64,
    /// The elements.
    pub Elements: __IncompleteArrayField<SCATTER_GATHER_ELEMENT>,
}
/// Where a mapped buffer is on the bus.
pub type SCATTER_GATHER_LIST = _SCATTER_GATHER_LIST;
/// Pointer to a scatter/gather list.
pub type PSCATTER_GATHER_LIST = *mut _SCATTER_GATHER_LIST;

/// What the HAL says of an adapter, version 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _DMA_ADAPTER_INFO_V1 {
    /// Whether `ReadDmaCounter` works.
    pub ReadDmaCounterAvailable: u32,
    /// Largest number of elements of a list.
    pub ScatterGatherLimit: u32,
    /// Address bits of the device.
    pub DmaAddressWidth: u32,
    /// `ADAPTER_INFO_` flags.
    pub Flags: u32,
    /// Smallest transfer in bytes.
    pub MinimumTransferUnit: u32,
}
/// What the HAL says of an adapter, version 1.
pub type DMA_ADAPTER_INFO_V1 = _DMA_ADAPTER_INFO_V1;

/// What the HAL says of an adapter for a crash dump.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_ADAPTER_INFO_CRASHDUMP {
    /// `DEVICE_DESCRIPTION`.
    pub DeviceDescription: [u64; 8],
    /// Bytes of the identifier.
    pub DeviceIdSize: usize,
    /// The identifier.
    pub DeviceId: *mut c_void,
}

/// What the HAL says of an adapter, as the headers of 10.0.26100 have it. In those of the time of 22H2 it is a structure, with version 1 at
/// byte 8 behind the version; before that at byte 4, as here.
#[repr(C)]
#[derive(Clone, Copy)]
pub union _DMA_ADAPTER_INFO {
    /// Version 1.
    pub __bindgen_anon_1: _DMA_ADAPTER_INFO__bindgen_ty_1,
    /// Later ones.
    pub __bindgen_anon_2: _DMA_ADAPTER_INFO__bindgen_ty_2,
}
/// Version 1 of [`_DMA_ADAPTER_INFO`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_ADAPTER_INFO__bindgen_ty_1 {
    /// [`DMA_ADAPTER_INFO_VERSION1`].
    pub Version: u32,
    /// The answer.
    pub V1: DMA_ADAPTER_INFO_V1,
}
/// Later versions of [`_DMA_ADAPTER_INFO`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_ADAPTER_INFO__bindgen_ty_2 {
    /// The version, in its low half.
    pub Reserved: u64,
    /// The answer.
    pub __bindgen_anon_1: _DMA_ADAPTER_INFO__bindgen_ty_2__bindgen_ty_1,
}
/// Answers of later versions of [`_DMA_ADAPTER_INFO`].
#[repr(C)]
#[derive(Clone, Copy)]
pub union _DMA_ADAPTER_INFO__bindgen_ty_2__bindgen_ty_1 {
    /// For a crash dump.
    pub Crashdump: _DMA_ADAPTER_INFO_CRASHDUMP,
}
/// What the HAL says of an adapter.
pub type DMA_ADAPTER_INFO = _DMA_ADAPTER_INFO;
/// Pointer to what the HAL says of an adapter.
pub type PDMA_ADAPTER_INFO = *mut _DMA_ADAPTER_INFO;

const _: () = assert!(size_of::<_DMA_ADAPTER_INFO>() == 88 && align_of::<_DMA_ADAPTER_INFO>() == 8);

/// Version of [`DMA_ADAPTER_INFO`].
pub const DMA_ADAPTER_INFO_VERSION1: u32 = 1;
/// The adapter's routines call back before they return.
pub const ADAPTER_INFO_SYNCHRONOUS_CALLBACK: u32 = 0x1;
/// The HAL neither remaps nor bounces for this device: physical addresses are bus addresses.
pub const ADAPTER_INFO_API_BYPASS: u32 = 0x2;

/// What a transfer would need, version 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _DMA_TRANSFER_INFO_V1 {
    /// Map registers.
    pub MapRegisterCount: u32,
    /// Elements of the list.
    pub ScatterGatherElementCount: u32,
    /// Bytes of the list.
    pub ScatterGatherListSize: u32,
}
/// What a transfer would need, version 1.
pub type DMA_TRANSFER_INFO_V1 = _DMA_TRANSFER_INFO_V1;

/// What a transfer would need, version 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _DMA_TRANSFER_INFO_V2 {
    /// Map registers.
    pub MapRegisterCount: u32,
    /// Elements of the list.
    pub ScatterGatherElementCount: u32,
    /// Bytes of the list.
    pub ScatterGatherListSize: u32,
    /// Pages of bus addresses.
    pub LogicalPageCount: u32,
}
/// What a transfer would need, version 2.
pub type DMA_TRANSFER_INFO_V2 = _DMA_TRANSFER_INFO_V2;

/// What a transfer would need.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_TRANSFER_INFO {
    /// 1 or 2, set by the caller.
    pub Version: u32,
    /// The answer.
    pub __bindgen_anon_1: _DMA_TRANSFER_INFO__bindgen_ty_1,
}
/// The versions of [`_DMA_TRANSFER_INFO`].
#[repr(C)]
#[derive(Clone, Copy)]
pub union _DMA_TRANSFER_INFO__bindgen_ty_1 {
    /// Version 1.
    pub V1: DMA_TRANSFER_INFO_V1,
    /// Version 2.
    pub V2: DMA_TRANSFER_INFO_V2,
}
/// What a transfer would need.
pub type DMA_TRANSFER_INFO = _DMA_TRANSFER_INFO;
/// Pointer to what a transfer would need.
pub type PDMA_TRANSFER_INFO = *mut _DMA_TRANSFER_INFO;

/// Version 1 of [`DMA_TRANSFER_INFO`].
pub const DMA_TRANSFER_INFO_VERSION1: u32 = 1;
/// Version 2 of [`DMA_TRANSFER_INFO`].
pub const DMA_TRANSFER_INFO_VERSION2: u32 = 2;
/// Bytes of a transfer context.
pub const DMA_TRANSFER_CONTEXT_SIZE_V1: u32 = 128;
/// Call back before returning, or fail.
pub const DMA_SYNCHRONOUS_CALLBACK: u32 = 1;

c_enum! { _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE as DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE {
        CommonBufferConfigTypeLogicalAddressLimits = 0,
        CommonBufferConfigTypeSubSection = 1,
        CommonBufferConfigTypeHardwareAccessPermissions = 2,
        CommonBufferConfigTypeMax = 3,
} }
c_enum! { _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE as DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE {
        CommonBufferHardwareAccessReadOnly = 0,
        CommonBufferHardwareAccessWriteOnly = 1,
        CommonBufferHardwareAccessReadWrite = 2,
        CommonBufferHardwareAccessMax = 3,
} }

/// A further setting of a common buffer made from an MDL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION {
    /// Which member of the union is meant.
    pub ConfigType: DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE,
    /// The setting.
    pub __bindgen_anon_1: _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1,
}
/// The settings of [`_DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION`].
#[repr(C)]
#[derive(Clone, Copy)]
pub union _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1 {
    /// Bounds of the bus address.
    pub LogicalAddressLimits: _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_1,
    /// Part of the MDL.
    pub SubSection: _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_2,
    /// What the device may do.
    pub HardwareAccessType: DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE,
    /// Room for more.
    pub Reserved: [u64; 4],
}
/// Bounds of the bus address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_1 {
    /// Lowest.
    pub MinimumAddress: PHYSICAL_ADDRESS,
    /// Highest.
    pub MaximumAddress: PHYSICAL_ADDRESS,
}
/// Part of the MDL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION__bindgen_ty_1__bindgen_ty_2 {
    /// First byte.
    pub Offset: u64,
    /// Bytes.
    pub Length: u32,
}
/// A further setting of a common buffer made from an MDL.
pub type DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION = _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION;
/// Pointer to settings.
pub type PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION = *mut _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION;

c_enum! { _IO_ALLOCATION_ACTION as IO_ALLOCATION_ACTION {
        KeepObject = 1,
        DeallocateObject = 2,
        DeallocateObjectKeepRegisters = 3,
} }
c_enum! { _DMA_COMPLETION_STATUS as DMA_COMPLETION_STATUS {
        DmaComplete = 0,
        DmaAborted = 1,
        DmaError = 2,
        DmaCancelled = 3,
} }
/// Routine called with map registers.
pub type PDRIVER_CONTROL = Option<
    unsafe extern "C" fn(PDEVICE_OBJECT, PIRP, *mut c_void, *mut c_void) -> IO_ALLOCATION_ACTION,
>;
/// Routine called with a scatter/gather list.
pub type PDRIVER_LIST_CONTROL =
    Option<unsafe extern "C" fn(PDEVICE_OBJECT, PIRP, PSCATTER_GATHER_LIST, *mut c_void)>;
/// Routine called at the end of a transfer of system DMA.
pub type PDMA_COMPLETION_ROUTINE =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PDEVICE_OBJECT, *mut c_void, DMA_COMPLETION_STATUS)>;

// wdfdmaenabler.h

c_enum! { _WDF_DMA_PROFILE as WDF_DMA_PROFILE {
        WdfDmaProfileInvalid = 0,
        WdfDmaProfilePacket = 1,
        WdfDmaProfileScatterGather = 2,
        WdfDmaProfilePacket64 = 3,
        WdfDmaProfileScatterGather64 = 4,
        WdfDmaProfileScatterGatherDuplex = 5,
        WdfDmaProfileScatterGather64Duplex = 6,
        WdfDmaProfileSystem = 7,
        WdfDmaProfileSystemDuplex = 8,
} }
c_enum! { _WDF_DMA_DIRECTION as WDF_DMA_DIRECTION {
        WdfDmaDirectionReadFromDevice = 0,
        WdfDmaDirectionWriteToDevice = 1,
} }
c_enum! { _WDF_DMA_ENABLER_CONFIG_FLAGS as WDF_DMA_ENABLER_CONFIG_FLAGS {
        WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION = 1,
        WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER = 2,
} }
/// No limit to the elements of a list.
pub const WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS: u32 = u32::MAX;

/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_FILL = Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;
/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_FLUSH = Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;
/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_DISABLE = Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;
/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_ENABLE = Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;
/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START =
    Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;
/// A power callback of a DMA enabler.
pub type PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP =
    Option<unsafe extern "C" fn(WDFDMAENABLER) -> NTSTATUS>;

/// Settings of a DMA enabler.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _WDF_DMA_ENABLER_CONFIG {
    /// Bytes of the structure.
    pub Size: u32,
    /// Profile.
    pub Profile: WDF_DMA_PROFILE,
    /// Largest transfer in bytes.
    pub MaximumLength: usize,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerFill: PFN_WDF_DMA_ENABLER_FILL,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerFlush: PFN_WDF_DMA_ENABLER_FLUSH,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerDisable: PFN_WDF_DMA_ENABLER_DISABLE,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerEnable: PFN_WDF_DMA_ENABLER_ENABLE,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerSelfManagedIoStart: PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START,
    /// Power callback, not called by the double.
    pub EvtDmaEnablerSelfManagedIoStop: PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP,
    /// Address bits, or 0 for the profile's.
    pub AddressWidthOverride: u32,
    /// Version of the WDM interface, or 0 for the default (2 on x64).
    pub WdmDmaVersionOverride: u32,
    /// `WDF_DMA_ENABLER_CONFIG_` flags.
    pub Flags: u32,
}
/// Settings of a DMA enabler.
pub type WDF_DMA_ENABLER_CONFIG = _WDF_DMA_ENABLER_CONFIG;
/// Pointer to settings of a DMA enabler.
pub type PWDF_DMA_ENABLER_CONFIG = *mut _WDF_DMA_ENABLER_CONFIG;

// wdfdmatransaction.h

/// The driver's routine that starts the device on a list. Called at DISPATCH_LEVEL.
pub type PFN_WDF_PROGRAM_DMA = Option<
    unsafe extern "C" fn(
        WDFDMATRANSACTION,
        WDFDEVICE,
        *mut c_void,
        WDF_DMA_DIRECTION,
        PSCATTER_GATHER_LIST,
    ) -> u8,
>;
/// The driver's routine that is called with reserved map registers; not for scatter/gather profiles.
pub type PFN_WDF_RESERVE_DMA = Option<unsafe extern "C" fn(WDFDMATRANSACTION, *mut c_void)>;

// wdfcommonbuffer.h

/// Settings of a common buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct _WDF_COMMON_BUFFER_CONFIG {
    /// Bytes of the structure.
    pub Size: u32,
    /// Alignment as a mask: bytes - 1.
    pub AlignmentRequirement: u32,
}
/// Settings of a common buffer.
pub type WDF_COMMON_BUFFER_CONFIG = _WDF_COMMON_BUFFER_CONFIG;
/// Pointer to settings of a common buffer.
pub type PWDF_COMMON_BUFFER_CONFIG = *mut _WDF_COMMON_BUFFER_CONFIG;
