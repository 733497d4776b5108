//! The routines behind `DMA_ADAPTER::DmaOperations`.
//!
//! Those that a driver of a bus master with scatter/gather needs are modelled; the others report that they are not.

use super::config::Translation;
use super::domain::Rights;
use super::lists::{ListRefusal, ListRequest, list_bytes};
use super::state::{Waiter, with_hal};
use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::cpu::Dpc;
use crate::world::{self, call_at, point, require_irql};

const DISPATCH: u8 = DISPATCH_LEVEL as u8;

/// The whole table; an adapter gets as much of it as its version has.
pub(crate) const OPERATIONS: _DMA_OPERATIONS = _DMA_OPERATIONS {
    Size: size_of::<_DMA_OPERATIONS>() as u32,
    PutDmaAdapter: Some(put_dma_adapter),
    AllocateCommonBuffer: Some(allocate_common_buffer),
    FreeCommonBuffer: Some(free_common_buffer),
    AllocateAdapterChannel: Some(not_modelled::allocate_adapter_channel),
    FlushAdapterBuffers: Some(not_modelled::flush_adapter_buffers),
    FreeAdapterChannel: Some(not_modelled::free_adapter_channel),
    FreeMapRegisters: Some(not_modelled::free_map_registers),
    MapTransfer: Some(not_modelled::map_transfer),
    GetDmaAlignment: Some(get_dma_alignment),
    ReadDmaCounter: Some(not_modelled::read_dma_counter),
    GetScatterGatherList: Some(get_scatter_gather_list),
    PutScatterGatherList: Some(put_scatter_gather_list),
    CalculateScatterGatherList: Some(calculate_scatter_gather_list),
    BuildScatterGatherList: Some(build_scatter_gather_list),
    BuildMdlFromScatterGatherList: Some(not_modelled::build_mdl_from_scatter_gather_list),
    GetDmaAdapterInfo: Some(get_dma_adapter_info),
    GetDmaTransferInfo: Some(get_dma_transfer_info),
    InitializeDmaTransferContext: Some(initialize_dma_transfer_context),
    AllocateCommonBufferEx: Some(allocate_common_buffer_ex),
    AllocateAdapterChannelEx: Some(not_modelled::allocate_adapter_channel_ex),
    ConfigureAdapterChannel: Some(not_modelled::configure_adapter_channel),
    CancelAdapterChannel: Some(cancel_adapter_channel),
    MapTransferEx: Some(not_modelled::map_transfer_ex),
    GetScatterGatherListEx: Some(get_scatter_gather_list_ex),
    BuildScatterGatherListEx: Some(build_scatter_gather_list_ex),
    FlushAdapterBuffersEx: Some(not_modelled::flush_adapter_buffers_ex),
    FreeAdapterObject: Some(free_adapter_object),
    CancelMappedTransfer: Some(not_modelled::cancel_mapped_transfer),
    AllocateDomainCommonBuffer: Some(not_modelled::allocate_domain_common_buffer),
    FlushDmaBuffer: Some(flush_dma_buffer),
    JoinDmaDomain: Some(not_modelled::join_dma_domain),
    LeaveDmaDomain: Some(not_modelled::leave_dma_domain),
    GetDmaDomain: Some(not_modelled::get_dma_domain),
    AllocateCommonBufferWithBounds: Some(not_modelled::allocate_common_buffer_with_bounds),
    AllocateCommonBufferVector: Some(not_modelled::allocate_common_buffer_vector),
    GetCommonBufferFromVectorByIndex: Some(not_modelled::get_common_buffer_from_vector_by_index),
    FreeCommonBufferFromVector: Some(not_modelled::free_common_buffer_from_vector),
    FreeCommonBufferVector: Some(not_modelled::free_common_buffer_vector),
    CreateCommonBufferFromMdl: Some(create_common_buffer_from_mdl),
};

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(u64::from(PAGE_SIZE)).max(1)
}

fn quad(address: PHYSICAL_ADDRESS) -> u64 {
    // SAFETY: every member of the union is the same 64 bits.
    (unsafe { address.QuadPart }) as u64
}

fn status(refusal: ListRefusal) -> NTSTATUS {
    match refusal {
        ListRefusal::Short | ListRefusal::Impossible => STATUS_INSUFFICIENT_RESOURCES,
        ListRefusal::Invalid => STATUS_INVALID_PARAMETER,
        ListRefusal::BufferTooSmall => STATUS_BUFFER_TOO_SMALL,
    }
}

/// Adapters that a driver gets from its enabler are the framework's to put back.
unsafe extern "C" fn put_dma_adapter(adapter: PDMA_ADAPTER) {
    point("PutDmaAdapter", 1);
    require_irql("PutDmaAdapter", 0);
    let detail = format!("{adapter:?} is the framework's: delete the enabler instead");
    world::violation(Rule::DmaAdapter, "PutDmaAdapter", detail);
}

/// Allocates at PASSIVE_LEVEL; null if there is no memory.
fn allocate(
    ddi: &'static str,
    adapter: PDMA_ADAPTER,
    length: u32,
    highest: u64,
    logical: PPHYSICAL_ADDRESS,
) -> PVOID {
    point(ddi, pages(length.into()));
    require_irql(ddi, 0);
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    let made = with_hal(|hal| hal.allocate_common_buffer(adapter, length, highest, ddi));
    let Some((address, bus)) = made else {
        return core::ptr::null_mut();
    };
    // SAFETY: an out parameter of the driver, by the routine's contract.
    unsafe { (*logical).QuadPart = bus as i64 };
    address.cast()
}

unsafe extern "C" fn allocate_common_buffer(
    adapter: PDMA_ADAPTER,
    length: u32,
    logical: PPHYSICAL_ADDRESS,
    _cached: u8,
) -> PVOID {
    allocate("AllocateCommonBuffer", adapter, length, u64::MAX, logical)
}

unsafe extern "C" fn allocate_common_buffer_ex(
    adapter: PDMA_ADAPTER,
    maximum: PPHYSICAL_ADDRESS,
    length: u32,
    logical: PPHYSICAL_ADDRESS,
    _cached: u8,
    _node: u32,
) -> PVOID {
    let highest = match maximum.is_null() {
        true => u64::MAX,
        // SAFETY: an in parameter of the driver, by the routine's contract.
        false => quad(unsafe { *maximum }),
    };
    allocate("AllocateCommonBufferEx", adapter, length, highest, logical)
}

unsafe extern "C" fn free_common_buffer(
    adapter: PDMA_ADAPTER,
    length: u32,
    logical: PHYSICAL_ADDRESS,
    address: PVOID,
    _cached: u8,
) {
    let ddi = "FreeCommonBuffer";
    point(ddi, pages(length.into()));
    require_irql(ddi, 0);
    with_hal(|hal| {
        hal.free_common_buffer(adapter, length, quad(logical), address.cast(), ddi);
    });
}

/// Bytes: 1 is no requirement.
unsafe extern "C" fn get_dma_alignment(_adapter: PDMA_ADAPTER) -> u32 {
    point("GetDmaAlignment", 1);
    1
}

/// Maps a list, or queues the request, and calls the driver's routine at DISPATCH_LEVEL.
fn list(
    ddi: &'static str,
    request: ListRequest,
    flags: u32,
    waiter: Waiter,
    out: *mut PSCATTER_GATHER_LIST,
) -> NTSTATUS {
    point(ddi, pages(request.length));
    require_irql(ddi, DISPATCH);
    let synchronous = flags & DMA_SYNCHRONOUS_CALLBACK != 0;
    let has_routine = matches!(
        waiter,
        Waiter::Driver {
            routine: Some(_),
            ..
        }
    );
    if !has_routine && (!synchronous || out.is_null()) {
        return STATUS_INVALID_PARAMETER;
    }
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    match map_or_wait(ddi, request, synchronous, waiter) {
        Ok(Some(list)) => {
            if !out.is_null() {
                // SAFETY: an out parameter of the driver, by the routine's contract.
                unsafe { *out = list };
            }
            if has_routine {
                serve_one(waiter, list);
            }
            STATUS_SUCCESS
        }
        Ok(None) => STATUS_SUCCESS,
        Err(refusal) => status(refusal),
    }
}

/// Maps a list now, or (unless the caller wants it now or never) queues the request: `None` then.
pub(crate) fn map_or_wait(
    ddi: &'static str,
    request: ListRequest,
    now: bool,
    waiter: Waiter,
) -> Result<Option<PSCATTER_GATHER_LIST>, ListRefusal> {
    with_hal(|hal| {
        let made = match hal.is_waited_for(request.adapter) {
            true => Err(ListRefusal::Short),
            false => hal.map_list(&request, ddi),
        };
        match made {
            Ok(list) => Ok(Some(list)),
            Err(ListRefusal::Short) if !now => {
                hal.wait(request, waiter);
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    })
}

/// Puts a list back and serves who waits for its map registers.
pub(crate) fn put(
    ddi: &'static str,
    adapter: PDMA_ADAPTER,
    list: PSCATTER_GATHER_LIST,
    write_to_device: bool,
) {
    with_hal(|hal| hal.put_list(adapter, list, write_to_device, ddi));
    // The routine of who waits runs here and now, or on any CPU a little later: Windows promises neither.
    let elsewhere = world::with(|world| {
        let waits = world.memory.hal.is_waited_for(adapter);
        if !waits || !world.config.preempt || world.random(2) == 0 {
            return false;
        }
        let count = world.cpus.len() as u64;
        let cpu = world.random(count) as usize;
        world.cpus[cpu].dpcs.push_back(Dpc::MapRegisters);
        world.reconsider();
        true
    });
    if !elsewhere {
        serve_waiting(ddi);
    }
}

/// Serves who waits for map registers, the first first.
pub(crate) fn serve_waiting(ddi: &'static str) {
    while let Some((list, waiter)) = with_hal(|hal| hal.serve(ddi)) {
        serve_one(waiter, list);
    }
}

/// Hands a list to who waited for it.
fn serve_one(waiter: Waiter, list: PSCATTER_GATHER_LIST) {
    match waiter {
        Waiter::Driver {
            routine: Some(routine),
            context,
            device_object,
            ..
        } => {
            // SAFETY: the driver's routine with what it was registered with; the list is in force.
            call_at("AdapterListControl", DISPATCH, || unsafe {
                routine(device_object, core::ptr::null_mut(), list, context);
            });
        }
        Waiter::Driver { .. } => {}
        Waiter::Transaction(transaction) => crate::ddi::transaction_list(transaction, list),
    }
}

/// First byte of a request that goes by address, counted from the MDL's first.
fn offset_of(mdl: PMDL, address: PVOID) -> u64 {
    // SAFETY: the driver's MDL, by the routine's contract.
    let start = unsafe { (*mdl).StartVa.addr() + (*mdl).ByteOffset as usize };
    (address.addr() as u64).wrapping_sub(start as u64)
}

unsafe extern "C" fn get_scatter_gather_list(
    adapter: PDMA_ADAPTER,
    device_object: PDEVICE_OBJECT,
    mdl: PMDL,
    address: PVOID,
    length: u32,
    routine: PDRIVER_LIST_CONTROL,
    context: PVOID,
    write_to_device: u8,
) -> NTSTATUS {
    require_exactly_dispatch("GetScatterGatherList");
    let request = ListRequest {
        adapter,
        mdl,
        offset: offset_of(mdl, address),
        length: length.into(),
        write_to_device: write_to_device != 0,
        buffer: None,
    };
    let waiter = Waiter::Driver {
        routine,
        context,
        device_object,
        transfer_context: core::ptr::null_mut(),
    };
    let none = core::ptr::null_mut();
    list("GetScatterGatherList", request, 0, waiter, none)
}

unsafe extern "C" fn build_scatter_gather_list(
    adapter: PDMA_ADAPTER,
    device_object: PDEVICE_OBJECT,
    mdl: PMDL,
    address: PVOID,
    length: u32,
    routine: PDRIVER_LIST_CONTROL,
    context: PVOID,
    write_to_device: u8,
    buffer: PVOID,
    buffer_length: u32,
) -> NTSTATUS {
    require_exactly_dispatch("BuildScatterGatherList");
    let request = ListRequest {
        adapter,
        mdl,
        offset: offset_of(mdl, address),
        length: length.into(),
        write_to_device: write_to_device != 0,
        buffer: Some((buffer.cast(), buffer_length as usize)),
    };
    let waiter = Waiter::Driver {
        routine,
        context,
        device_object,
        transfer_context: core::ptr::null_mut(),
    };
    let none = core::ptr::null_mut();
    list("BuildScatterGatherList", request, 0, waiter, none)
}

unsafe extern "C" fn get_scatter_gather_list_ex(
    adapter: PDMA_ADAPTER,
    device_object: PDEVICE_OBJECT,
    transfer_context: PVOID,
    mdl: PMDL,
    offset: u64,
    length: u32,
    flags: u32,
    routine: PDRIVER_LIST_CONTROL,
    context: PVOID,
    write_to_device: u8,
    _completion: PDMA_COMPLETION_ROUTINE,
    _completion_context: PVOID,
    out: *mut PSCATTER_GATHER_LIST,
) -> NTSTATUS {
    let request = ListRequest {
        adapter,
        mdl,
        offset,
        length: length.into(),
        write_to_device: write_to_device != 0,
        buffer: None,
    };
    let waiter = Waiter::Driver {
        routine,
        context,
        device_object,
        transfer_context,
    };
    list("GetScatterGatherListEx", request, flags, waiter, out)
}

unsafe extern "C" fn build_scatter_gather_list_ex(
    adapter: PDMA_ADAPTER,
    device_object: PDEVICE_OBJECT,
    transfer_context: PVOID,
    mdl: PMDL,
    offset: u64,
    length: u32,
    flags: u32,
    routine: PDRIVER_LIST_CONTROL,
    context: PVOID,
    write_to_device: u8,
    buffer: PVOID,
    buffer_length: u32,
    _completion: PDMA_COMPLETION_ROUTINE,
    _completion_context: PVOID,
    out: PVOID,
) -> NTSTATUS {
    let request = ListRequest {
        adapter,
        mdl,
        offset,
        length: length.into(),
        write_to_device: write_to_device != 0,
        buffer: Some((buffer.cast(), buffer_length as usize)),
    };
    let waiter = Waiter::Driver {
        routine,
        context,
        device_object,
        transfer_context,
    };
    list(
        "BuildScatterGatherListEx",
        request,
        flags,
        waiter,
        out.cast(),
    )
}

unsafe extern "C" fn put_scatter_gather_list(
    adapter: PDMA_ADAPTER,
    list: PSCATTER_GATHER_LIST,
    write_to_device: u8,
) {
    let ddi = "PutScatterGatherList";
    point(ddi, 1);
    require_exactly_dispatch(ddi);
    put(ddi, adapter, list, write_to_device != 0);
}

/// The documentation gives DISPATCH_LEVEL, not a highest level.
fn require_exactly_dispatch(ddi: &'static str) {
    let irql = world::with(|world| world.cpu().irql);
    if irql != DISPATCH {
        world::violation(
            Rule::Irql,
            ddi,
            format!("IRQL is {irql}, DISPATCH_LEVEL is required"),
        );
    }
}

unsafe extern "C" fn calculate_scatter_gather_list(
    _adapter: PDMA_ADAPTER,
    mdl: PMDL,
    address: PVOID,
    length: u32,
    list_size: *mut u32,
    registers: *mut u32,
) -> NTSTATUS {
    let ddi = "CalculateScatterGatherList";
    point(ddi, 1);
    require_irql(ddi, DISPATCH);
    let first = match mdl.is_null() {
        true => 0,
        false => address.addr() as u64 % u64::from(PAGE_SIZE),
    };
    let count = pages(first + u64::from(length));
    // SAFETY: out parameters of the driver, the second optional, by the routine's contract.
    unsafe {
        *list_size = list_bytes(count as usize) as u32;
        if !registers.is_null() {
            *registers = count as u32;
        }
    }
    STATUS_SUCCESS
}

unsafe extern "C" fn get_dma_adapter_info(
    adapter: PDMA_ADAPTER,
    info: PDMA_ADAPTER_INFO,
) -> NTSTATUS {
    let ddi = "GetDmaAdapterInfo";
    point(ddi, 1);
    require_irql(ddi, DISPATCH);
    if world::inject(ddi) {
        return STATUS_NOT_SUPPORTED;
    }
    // SAFETY: the driver's structure, by the routine's contract.
    if unsafe { (*info).__bindgen_anon_1.Version } != DMA_ADAPTER_INFO_VERSION1 {
        return STATUS_INVALID_PARAMETER;
    }
    let found = with_hal(|hal| {
        let bypass = hal.tell_bypass(adapter, ddi);
        let adapter = hal.adapter(adapter, ddi)?;
        Some(DMA_ADAPTER_INFO_V1 {
            ReadDmaCounterAvailable: 0,
            ScatterGatherLimit: adapter.registers as u32,
            DmaAddressWidth: adapter.request.address_bits,
            Flags: ADAPTER_INFO_SYNCHRONOUS_CALLBACK
                | if bypass { ADAPTER_INFO_API_BYPASS } else { 0 },
            MinimumTransferUnit: 1,
        })
    });
    let Some(found) = found else {
        return STATUS_INVALID_PARAMETER;
    };
    let place = with_hal(|hal| if hal.config.info_at_byte_8 { 8 } else { 4 });
    // SAFETY: as above; it has room for both.
    unsafe {
        info.byte_add(place)
            .cast::<DMA_ADAPTER_INFO_V1>()
            .write(found)
    };
    STATUS_SUCCESS
}

unsafe extern "C" fn get_dma_transfer_info(
    adapter: PDMA_ADAPTER,
    mdl: PMDL,
    offset: u64,
    length: u32,
    write_only: u8,
    info: PDMA_TRANSFER_INFO,
) -> NTSTATUS {
    let ddi = "GetDmaTransferInfo";
    point(ddi, pages(length.into()));
    require_irql(ddi, DISPATCH);
    let request = ListRequest {
        adapter,
        mdl,
        offset,
        length: length.into(),
        write_to_device: write_only != 0,
        buffer: None,
    };
    let needs = match with_hal(|hal| hal.needs(&request, ddi)) {
        Ok(needs) => needs,
        Err(refusal) => return status(refusal),
    };
    // SAFETY: the driver's structure, by the routine's contract.
    unsafe {
        match (*info).Version {
            DMA_TRANSFER_INFO_VERSION1 => {
                (*info).__bindgen_anon_1.V1 = DMA_TRANSFER_INFO_V1 {
                    MapRegisterCount: needs.registers as u32,
                    ScatterGatherElementCount: needs.elements as u32,
                    ScatterGatherListSize: needs.list_bytes as u32,
                };
            }
            DMA_TRANSFER_INFO_VERSION2 => {
                (*info).__bindgen_anon_1.V2 = DMA_TRANSFER_INFO_V2 {
                    MapRegisterCount: needs.registers as u32,
                    ScatterGatherElementCount: needs.elements as u32,
                    ScatterGatherListSize: needs.list_bytes as u32,
                    LogicalPageCount: needs.elements as u32,
                };
            }
            _ => return STATUS_INVALID_PARAMETER,
        }
    }
    STATUS_SUCCESS
}

unsafe extern "C" fn initialize_dma_transfer_context(
    _adapter: PDMA_ADAPTER,
    context: PVOID,
) -> NTSTATUS {
    let ddi = "InitializeDmaTransferContext";
    point(ddi, 1);
    require_irql(ddi, DISPATCH);
    // SAFETY: the driver's memory for a transfer context, by the routine's contract.
    unsafe {
        context
            .cast::<u8>()
            .write_bytes(0, DMA_TRANSFER_CONTEXT_SIZE_V1 as usize);
    }
    STATUS_SUCCESS
}

unsafe extern "C" fn cancel_adapter_channel(
    _adapter: PDMA_ADAPTER,
    _device_object: PDEVICE_OBJECT,
    context: PVOID,
) -> u8 {
    let ddi = "CancelAdapterChannel";
    point(ddi, 1);
    require_irql(ddi, DISPATCH);
    let cancelled = with_hal(|hal| {
        hal.cancel_waits(|waiter| {
            matches!(waiter, Waiter::Driver { transfer_context, .. } if *transfer_context == context)
        })
    });
    u8::from(cancelled)
}

/// After a synchronous request without a routine; what it frees is not the list.
unsafe extern "C" fn free_adapter_object(_adapter: PDMA_ADAPTER, _action: IO_ALLOCATION_ACTION) {
    point("FreeAdapterObject", 1);
    require_irql("FreeAdapterObject", DISPATCH);
}

/// Nothing on x64, where DMA is coherent.
unsafe extern "C" fn flush_dma_buffer(_adapter: PDMA_ADAPTER, _mdl: PMDL, _read: u8) -> NTSTATUS {
    point("FlushDmaBuffer", 1);
    STATUS_SUCCESS
}

unsafe extern "C" fn create_common_buffer_from_mdl(
    adapter: PDMA_ADAPTER,
    mdl: PMDL,
    configs: PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION,
    count: u32,
    logical: PPHYSICAL_ADDRESS,
) -> NTSTATUS {
    let ddi = "CreateCommonBufferFromMdl";
    // SAFETY: the driver's MDL, by the routine's contract.
    let bytes = u64::from(unsafe { (*mdl).ByteCount });
    point(ddi, pages(bytes));
    if !require_irql(ddi, 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let mut part = (0, bytes);
    let mut rights = Rights::BOTH;
    let mut seen = [false; 3];
    for index in 0..count as usize {
        // SAFETY: the driver's array, by the routine's contract.
        let config = unsafe { *configs.add(index) };
        let Some(seen) = usize::try_from(config.ConfigType)
            .ok()
            .and_then(|kind| seen.get_mut(kind))
        else {
            return STATUS_INVALID_PARAMETER;
        };
        if core::mem::replace(seen, true) {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the member that the type names; all are integers.
        unsafe {
            match config.ConfigType {
                _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE::CommonBufferConfigTypeSubSection => {
                    let section = config.__bindgen_anon_1.SubSection;
                    part = (section.Offset, section.Length.into());
                }
                _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_TYPE::CommonBufferConfigTypeHardwareAccessPermissions => {
                    let access = config.__bindgen_anon_1.HardwareAccessType;
                    rights = Rights {
                        read: access != _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE::CommonBufferHardwareAccessWriteOnly,
                        write: access != _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION_ACCESS_TYPE::CommonBufferHardwareAccessReadOnly,
                    };
                }
                // Limits of the address: the whole of what the device reaches is given out.
                _ => {}
            }
        }
    }
    let bounced = with_hal(|hal| {
        let device = hal.adapter(adapter, ddi).map(|adapter| adapter.device);
        device.is_some_and(|device| hal.domain(device).translation() == Translation::Bounce)
    });
    if bounced {
        return STATUS_NOT_SUPPORTED;
    }
    match with_hal(|hal| hal.common_buffer_from_mdl(adapter, mdl, part, rights, ddi)) {
        Ok(bus) => {
            // SAFETY: an out parameter of the driver, by the routine's contract.
            unsafe { (*logical).QuadPart = bus as i64 };
            STATUS_SUCCESS
        }
        Err(refusal) => status(refusal),
    }
}

/// Routines that the double has not: each reports it and fails.
mod not_modelled {
    use super::*;

    fn report(ddi: &'static str) {
        point(ddi, 1);
        world::violation(
            Rule::NotModelled,
            ddi,
            "the double has no body for this routine",
        );
    }

    macro_rules! not_modelled {
        ($($name:ident = $routine:literal ($($argument:ty),*) $(-> $result:ty = $value:expr)?;)*) => { $(
            pub(super) unsafe extern "C" fn $name($(_: $argument),*) $(-> $result)? {
                report($routine);
                $($value)?
            }
        )* };
    }

    not_modelled! {
        allocate_adapter_channel = "AllocateAdapterChannel"(PDMA_ADAPTER, PDEVICE_OBJECT, u32, PDRIVER_CONTROL, PVOID)
            -> NTSTATUS = STATUS_NOT_SUPPORTED;
        flush_adapter_buffers = "FlushAdapterBuffers"(PDMA_ADAPTER, PMDL, PVOID, PVOID, u32, u8) -> u8 = 0;
        free_adapter_channel = "FreeAdapterChannel"(PDMA_ADAPTER);
        free_map_registers = "FreeMapRegisters"(PDMA_ADAPTER, PVOID, u32);
        map_transfer = "MapTransfer"(PDMA_ADAPTER, PMDL, PVOID, PVOID, *mut u32, u8)
            -> PHYSICAL_ADDRESS = PHYSICAL_ADDRESS { QuadPart: 0 };
        read_dma_counter = "ReadDmaCounter"(PDMA_ADAPTER) -> u32 = 0;
        build_mdl_from_scatter_gather_list
            = "BuildMdlFromScatterGatherList"(PDMA_ADAPTER, PSCATTER_GATHER_LIST, PMDL, *mut PMDL) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        allocate_adapter_channel_ex = "AllocateAdapterChannelEx"(
            PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, u32, u32, PDRIVER_CONTROL, PVOID, *mut PVOID
        ) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        configure_adapter_channel = "ConfigureAdapterChannel"(PDMA_ADAPTER, u32, PVOID) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        map_transfer_ex = "MapTransferEx"(
            PDMA_ADAPTER, PMDL, PVOID, u64, u32, *mut u32, u8, PSCATTER_GATHER_LIST, u32, PDMA_COMPLETION_ROUTINE, PVOID
        ) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        flush_adapter_buffers_ex = "FlushAdapterBuffersEx"(PDMA_ADAPTER, PMDL, PVOID, u64, u32, u8)
            -> NTSTATUS = STATUS_NOT_SUPPORTED;
        cancel_mapped_transfer = "CancelMappedTransfer"(PDMA_ADAPTER, PVOID) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        allocate_domain_common_buffer = "AllocateDomainCommonBuffer"(
            PDMA_ADAPTER, HANDLE, PPHYSICAL_ADDRESS, u32, u32, *mut MEMORY_CACHING_TYPE, u32, PPHYSICAL_ADDRESS, *mut PVOID
        ) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        join_dma_domain = "JoinDmaDomain"(PDMA_ADAPTER, HANDLE) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        leave_dma_domain = "LeaveDmaDomain"(PDMA_ADAPTER) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        get_dma_domain = "GetDmaDomain"(PDMA_ADAPTER) -> HANDLE = core::ptr::null_mut();
        allocate_common_buffer_with_bounds = "AllocateCommonBufferWithBounds"(
            PDMA_ADAPTER, PPHYSICAL_ADDRESS, PPHYSICAL_ADDRESS, u32, u32, *mut MEMORY_CACHING_TYPE, u32, PPHYSICAL_ADDRESS
        ) -> PVOID = core::ptr::null_mut();
        allocate_common_buffer_vector = "AllocateCommonBufferVector"(
            PDMA_ADAPTER, PHYSICAL_ADDRESS, PHYSICAL_ADDRESS, MEMORY_CACHING_TYPE, u32, u32, u32, u64, *mut PDMA_COMMON_BUFFER_VECTOR
        ) -> NTSTATUS = STATUS_NOT_SUPPORTED;
        get_common_buffer_from_vector_by_index = "GetCommonBufferFromVectorByIndex"(
            PDMA_ADAPTER, PDMA_COMMON_BUFFER_VECTOR, u32, *mut PVOID, PPHYSICAL_ADDRESS
        );
        free_common_buffer_from_vector = "FreeCommonBufferFromVector"(PDMA_ADAPTER, PDMA_COMMON_BUFFER_VECTOR, u32);
        free_common_buffer_vector = "FreeCommonBufferVector"(PDMA_ADAPTER, PDMA_COMMON_BUFFER_VECTOR);
    }
}
