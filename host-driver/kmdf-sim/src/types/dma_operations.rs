//! The DMA operations table of wdm.h: what a driver finds behind `DMA_ADAPTER::DmaOperations`.
//!
//! The arguments and their order are those of `wdm.h`; see the page of each routine under
//! <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/ns-wdm-_dma_operations>.

use core::ffi::c_void;

use super::*;

/// Type of [`_DMA_OPERATIONS::PutDmaAdapter`].
pub type PPUT_DMA_ADAPTER = Option<unsafe extern "C" fn(PDMA_ADAPTER)>;
/// Type of [`_DMA_OPERATIONS::AllocateCommonBuffer`].
pub type PALLOCATE_COMMON_BUFFER =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, u32, PPHYSICAL_ADDRESS, u8) -> *mut c_void>;
/// Type of [`_DMA_OPERATIONS::FreeCommonBuffer`].
pub type PFREE_COMMON_BUFFER =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, u32, PHYSICAL_ADDRESS, *mut c_void, u8)>;
/// Type of [`_DMA_OPERATIONS::AllocateAdapterChannel`].
pub type PALLOCATE_ADAPTER_CHANNEL = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        u32,
        PDRIVER_CONTROL,
        *mut c_void,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::FlushAdapterBuffers`].
pub type PFLUSH_ADAPTER_BUFFERS =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PMDL, *mut c_void, *mut c_void, u32, u8) -> u8>;
/// Type of [`_DMA_OPERATIONS::FreeAdapterChannel`].
pub type PFREE_ADAPTER_CHANNEL = Option<unsafe extern "C" fn(PDMA_ADAPTER)>;
/// Type of [`_DMA_OPERATIONS::FreeMapRegisters`].
pub type PFREE_MAP_REGISTERS = Option<unsafe extern "C" fn(PDMA_ADAPTER, *mut c_void, u32)>;
/// Type of [`_DMA_OPERATIONS::MapTransfer`].
pub type PMAP_TRANSFER = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PMDL,
        *mut c_void,
        *mut c_void,
        *mut u32,
        u8,
    ) -> PHYSICAL_ADDRESS,
>;
/// Type of [`_DMA_OPERATIONS::GetDmaAlignment`].
pub type PGET_DMA_ALIGNMENT = Option<unsafe extern "C" fn(PDMA_ADAPTER) -> u32>;
/// Type of [`_DMA_OPERATIONS::ReadDmaCounter`].
pub type PREAD_DMA_COUNTER = Option<unsafe extern "C" fn(PDMA_ADAPTER) -> u32>;
/// Type of [`_DMA_OPERATIONS::GetScatterGatherList`].
pub type PGET_SCATTER_GATHER_LIST = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        PMDL,
        *mut c_void,
        u32,
        PDRIVER_LIST_CONTROL,
        *mut c_void,
        u8,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::PutScatterGatherList`].
pub type PPUT_SCATTER_GATHER_LIST =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PSCATTER_GATHER_LIST, u8)>;
/// Type of [`_DMA_OPERATIONS::CalculateScatterGatherList`].
pub type PCALCULATE_SCATTER_GATHER_LIST_SIZE = Option<
    unsafe extern "C" fn(PDMA_ADAPTER, PMDL, *mut c_void, u32, *mut u32, *mut u32) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::BuildScatterGatherList`].
pub type PBUILD_SCATTER_GATHER_LIST = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        PMDL,
        *mut c_void,
        u32,
        PDRIVER_LIST_CONTROL,
        *mut c_void,
        u8,
        *mut c_void,
        u32,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::BuildMdlFromScatterGatherList`].
pub type PBUILD_MDL_FROM_SCATTER_GATHER_LIST =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PSCATTER_GATHER_LIST, PMDL, *mut PMDL) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::GetDmaAdapterInfo`].
pub type PGET_DMA_ADAPTER_INFO =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PDMA_ADAPTER_INFO) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::GetDmaTransferInfo`].
pub type PGET_DMA_TRANSFER_INFO =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PMDL, u64, u32, u8, PDMA_TRANSFER_INFO) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::InitializeDmaTransferContext`].
pub type PINITIALIZE_DMA_TRANSFER_CONTEXT =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, *mut c_void) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::AllocateCommonBufferEx`].
pub type PALLOCATE_COMMON_BUFFER_EX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PPHYSICAL_ADDRESS,
        u32,
        PPHYSICAL_ADDRESS,
        u8,
        u32,
    ) -> *mut c_void,
>;
/// Type of [`_DMA_OPERATIONS::AllocateAdapterChannelEx`].
pub type PALLOCATE_ADAPTER_CHANNEL_EX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        *mut c_void,
        u32,
        u32,
        PDRIVER_CONTROL,
        *mut c_void,
        *mut *mut c_void,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::ConfigureAdapterChannel`].
pub type PCONFIGURE_ADAPTER_CHANNEL =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, u32, *mut c_void) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::CancelAdapterChannel`].
pub type PCANCEL_ADAPTER_CHANNEL =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PDEVICE_OBJECT, *mut c_void) -> u8>;
/// Type of [`_DMA_OPERATIONS::MapTransferEx`].
pub type PMAP_TRANSFER_EX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PMDL,
        *mut c_void,
        u64,
        u32,
        *mut u32,
        u8,
        PSCATTER_GATHER_LIST,
        u32,
        PDMA_COMPLETION_ROUTINE,
        *mut c_void,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::GetScatterGatherListEx`].
pub type PGET_SCATTER_GATHER_LIST_EX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        *mut c_void,
        PMDL,
        u64,
        u32,
        u32,
        PDRIVER_LIST_CONTROL,
        *mut c_void,
        u8,
        PDMA_COMPLETION_ROUTINE,
        *mut c_void,
        *mut PSCATTER_GATHER_LIST,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::BuildScatterGatherListEx`].
pub type PBUILD_SCATTER_GATHER_LIST_EX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDEVICE_OBJECT,
        *mut c_void,
        PMDL,
        u64,
        u32,
        u32,
        PDRIVER_LIST_CONTROL,
        *mut c_void,
        u8,
        *mut c_void,
        u32,
        PDMA_COMPLETION_ROUTINE,
        *mut c_void,
        *mut c_void,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::FlushAdapterBuffersEx`].
pub type PFLUSH_ADAPTER_BUFFERS_EX =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PMDL, *mut c_void, u64, u32, u8) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::FreeAdapterObject`].
pub type PFREE_ADAPTER_OBJECT = Option<unsafe extern "C" fn(PDMA_ADAPTER, IO_ALLOCATION_ACTION)>;
/// Type of [`_DMA_OPERATIONS::CancelMappedTransfer`].
pub type PCANCEL_MAPPED_TRANSFER =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, *mut c_void) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::AllocateDomainCommonBuffer`].
pub type PALLOCATE_DOMAIN_COMMON_BUFFER = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        HANDLE,
        PPHYSICAL_ADDRESS,
        u32,
        u32,
        *mut MEMORY_CACHING_TYPE,
        u32,
        PPHYSICAL_ADDRESS,
        *mut *mut c_void,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::FlushDmaBuffer`].
pub type PFLUSH_DMA_BUFFER = Option<unsafe extern "C" fn(PDMA_ADAPTER, PMDL, u8) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::JoinDmaDomain`].
pub type PJOIN_DMA_DOMAIN = Option<unsafe extern "C" fn(PDMA_ADAPTER, HANDLE) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::LeaveDmaDomain`].
pub type PLEAVE_DMA_DOMAIN = Option<unsafe extern "C" fn(PDMA_ADAPTER) -> NTSTATUS>;
/// Type of [`_DMA_OPERATIONS::GetDmaDomain`].
pub type PGET_DMA_DOMAIN = Option<unsafe extern "C" fn(PDMA_ADAPTER) -> HANDLE>;
/// Type of [`_DMA_OPERATIONS::AllocateCommonBufferWithBounds`].
pub type PALLOCATE_COMMON_BUFFER_WITH_BOUNDS = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PPHYSICAL_ADDRESS,
        PPHYSICAL_ADDRESS,
        u32,
        u32,
        *mut MEMORY_CACHING_TYPE,
        u32,
        PPHYSICAL_ADDRESS,
    ) -> *mut c_void,
>;
/// Type of [`_DMA_OPERATIONS::AllocateCommonBufferVector`].
pub type PALLOCATE_COMMON_BUFFER_VECTOR = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PHYSICAL_ADDRESS,
        PHYSICAL_ADDRESS,
        MEMORY_CACHING_TYPE,
        u32,
        u32,
        u32,
        u64,
        *mut PDMA_COMMON_BUFFER_VECTOR,
    ) -> NTSTATUS,
>;
/// Type of [`_DMA_OPERATIONS::GetCommonBufferFromVectorByIndex`].
pub type PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PDMA_COMMON_BUFFER_VECTOR,
        u32,
        *mut *mut c_void,
        PPHYSICAL_ADDRESS,
    ),
>;
/// Type of [`_DMA_OPERATIONS::FreeCommonBufferFromVector`].
pub type PFREE_COMMON_BUFFER_FROM_VECTOR =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PDMA_COMMON_BUFFER_VECTOR, u32)>;
/// Type of [`_DMA_OPERATIONS::FreeCommonBufferVector`].
pub type PFREE_COMMON_BUFFER_VECTOR =
    Option<unsafe extern "C" fn(PDMA_ADAPTER, PDMA_COMMON_BUFFER_VECTOR)>;
/// Type of [`_DMA_OPERATIONS::CreateCommonBufferFromMdl`].
pub type PCREATE_COMMON_BUFFER_FROM_MDL = Option<
    unsafe extern "C" fn(
        PDMA_ADAPTER,
        PMDL,
        PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION,
        u32,
        PPHYSICAL_ADDRESS,
    ) -> NTSTATUS,
>;

/// Routines of a DMA adapter. Offsets are fixed; how much of the table there is says `Size`, which depends on the version asked for and on the system.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct _DMA_OPERATIONS {
    /// Bytes of the table.
    pub Size: u32,
    /// `PutDmaAdapter` of wdm.h.
    pub PutDmaAdapter: PPUT_DMA_ADAPTER,
    /// `AllocateCommonBuffer` of wdm.h.
    pub AllocateCommonBuffer: PALLOCATE_COMMON_BUFFER,
    /// `FreeCommonBuffer` of wdm.h.
    pub FreeCommonBuffer: PFREE_COMMON_BUFFER,
    /// `AllocateAdapterChannel` of wdm.h.
    pub AllocateAdapterChannel: PALLOCATE_ADAPTER_CHANNEL,
    /// `FlushAdapterBuffers` of wdm.h.
    pub FlushAdapterBuffers: PFLUSH_ADAPTER_BUFFERS,
    /// `FreeAdapterChannel` of wdm.h.
    pub FreeAdapterChannel: PFREE_ADAPTER_CHANNEL,
    /// `FreeMapRegisters` of wdm.h.
    pub FreeMapRegisters: PFREE_MAP_REGISTERS,
    /// `MapTransfer` of wdm.h.
    pub MapTransfer: PMAP_TRANSFER,
    /// `GetDmaAlignment` of wdm.h.
    pub GetDmaAlignment: PGET_DMA_ALIGNMENT,
    /// `ReadDmaCounter` of wdm.h.
    pub ReadDmaCounter: PREAD_DMA_COUNTER,
    /// `GetScatterGatherList` of wdm.h.
    pub GetScatterGatherList: PGET_SCATTER_GATHER_LIST,
    /// `PutScatterGatherList` of wdm.h.
    pub PutScatterGatherList: PPUT_SCATTER_GATHER_LIST,
    /// `CalculateScatterGatherList` of wdm.h.
    pub CalculateScatterGatherList: PCALCULATE_SCATTER_GATHER_LIST_SIZE,
    /// `BuildScatterGatherList` of wdm.h.
    pub BuildScatterGatherList: PBUILD_SCATTER_GATHER_LIST,
    /// `BuildMdlFromScatterGatherList` of wdm.h.
    pub BuildMdlFromScatterGatherList: PBUILD_MDL_FROM_SCATTER_GATHER_LIST,
    /// `GetDmaAdapterInfo` of wdm.h.
    pub GetDmaAdapterInfo: PGET_DMA_ADAPTER_INFO,
    /// `GetDmaTransferInfo` of wdm.h.
    pub GetDmaTransferInfo: PGET_DMA_TRANSFER_INFO,
    /// `InitializeDmaTransferContext` of wdm.h.
    pub InitializeDmaTransferContext: PINITIALIZE_DMA_TRANSFER_CONTEXT,
    /// `AllocateCommonBufferEx` of wdm.h.
    pub AllocateCommonBufferEx: PALLOCATE_COMMON_BUFFER_EX,
    /// `AllocateAdapterChannelEx` of wdm.h.
    pub AllocateAdapterChannelEx: PALLOCATE_ADAPTER_CHANNEL_EX,
    /// `ConfigureAdapterChannel` of wdm.h.
    pub ConfigureAdapterChannel: PCONFIGURE_ADAPTER_CHANNEL,
    /// `CancelAdapterChannel` of wdm.h.
    pub CancelAdapterChannel: PCANCEL_ADAPTER_CHANNEL,
    /// `MapTransferEx` of wdm.h.
    pub MapTransferEx: PMAP_TRANSFER_EX,
    /// `GetScatterGatherListEx` of wdm.h.
    pub GetScatterGatherListEx: PGET_SCATTER_GATHER_LIST_EX,
    /// `BuildScatterGatherListEx` of wdm.h.
    pub BuildScatterGatherListEx: PBUILD_SCATTER_GATHER_LIST_EX,
    /// `FlushAdapterBuffersEx` of wdm.h.
    pub FlushAdapterBuffersEx: PFLUSH_ADAPTER_BUFFERS_EX,
    /// `FreeAdapterObject` of wdm.h.
    pub FreeAdapterObject: PFREE_ADAPTER_OBJECT,
    /// `CancelMappedTransfer` of wdm.h.
    pub CancelMappedTransfer: PCANCEL_MAPPED_TRANSFER,
    /// `AllocateDomainCommonBuffer` of wdm.h.
    pub AllocateDomainCommonBuffer: PALLOCATE_DOMAIN_COMMON_BUFFER,
    /// `FlushDmaBuffer` of wdm.h.
    pub FlushDmaBuffer: PFLUSH_DMA_BUFFER,
    /// `JoinDmaDomain` of wdm.h.
    pub JoinDmaDomain: PJOIN_DMA_DOMAIN,
    /// `LeaveDmaDomain` of wdm.h.
    pub LeaveDmaDomain: PLEAVE_DMA_DOMAIN,
    /// `GetDmaDomain` of wdm.h.
    pub GetDmaDomain: PGET_DMA_DOMAIN,
    /// `AllocateCommonBufferWithBounds` of wdm.h.
    pub AllocateCommonBufferWithBounds: PALLOCATE_COMMON_BUFFER_WITH_BOUNDS,
    /// `AllocateCommonBufferVector` of wdm.h.
    pub AllocateCommonBufferVector: PALLOCATE_COMMON_BUFFER_VECTOR,
    /// `GetCommonBufferFromVectorByIndex` of wdm.h.
    pub GetCommonBufferFromVectorByIndex: PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX,
    /// `FreeCommonBufferFromVector` of wdm.h.
    pub FreeCommonBufferFromVector: PFREE_COMMON_BUFFER_FROM_VECTOR,
    /// `FreeCommonBufferVector` of wdm.h.
    pub FreeCommonBufferVector: PFREE_COMMON_BUFFER_VECTOR,
    /// `CreateCommonBufferFromMdl` of wdm.h.
    pub CreateCommonBufferFromMdl: PCREATE_COMMON_BUFFER_FROM_MDL,
}
/// Routines of a DMA adapter.
pub type DMA_OPERATIONS = _DMA_OPERATIONS;
/// Pointer to the routines of a DMA adapter.
pub type PDMA_OPERATIONS = *mut _DMA_OPERATIONS;
