//! The device's DMA: its enabler and adapter, which tiers the host offers, and the mappings themselves.

use alloc::boxed::Box;
use core::ffi::c_void;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use pinring_core::{
    BufferId, BufferSpan, DmaError, DmaHandle, DmaMemory, MapError, Mapping, MappingId,
    NotAvailable, PageRun, Tier,
};
use pinring_ioctl::tier_reason;
use pinring_protocol::Direction;
use wdk_sys::ntddk::{
    KeInitializeEvent, KeSetEvent, KeWaitForSingleObject, MmMapLockedPagesSpecifyCache,
};
use wdk_sys::{
    _EVENT_TYPE, _KWAIT_REASON, _MEMORY_CACHING_TYPE, _MM_PAGE_PRIORITY, _MODE, _WDF_DMA_DIRECTION,
    _WDF_DMA_PROFILE, BUS_INTERFACE_STANDARD, DMA_OPERATIONS, GUID, KEVENT,
    MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, MdlMappingNoExecute, NTSTATUS,
    PCI_ENABLE_BUS_MASTER, PCI_WHICHSPACE_CONFIG, PDMA_ADAPTER, PDMA_OPERATIONS, PFN_NUMBER,
    PHYSICAL_ADDRESS, PMDL, PSCATTER_GATHER_LIST, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER, WDF_COMMON_BUFFER_CONFIG, WDF_DMA_DIRECTION, WDF_DMA_ENABLER_CONFIG,
    WDF_NO_OBJECT_ATTRIBUTES, WDFCOMMONBUFFER, WDFDEVICE, WDFDMAENABLER, WDFDMATRANSACTION,
    call_unsafe_wdf_function_binding,
};

use crate::context::ContextType;
use crate::init::size;
use crate::lock::Lock;
use crate::memory::boxed;
use crate::mmio::Bar;
use crate::registry::Settings;
use crate::status::check;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Most that is mapped with one framework transaction: the framework builds its list at DISPATCH_LEVEL.
const MOST_AT_ONCE: u64 = 4 << 20;
/// Longest transfer of tier PerTransfer: a list takes 16 bytes a page, half a MiB, and `PrepareDepth` of them are set aside at the start.
const LONGEST: u64 = 128 << 20;
/// `ADAPTER_INFO_API_BYPASS` of wdm.h.
const API_BYPASS: u32 = 0x2;
/// `DMA_ADAPTER_INFO_VERSION1` of wdm.h.
const INFO_VERSION: u32 = 1;

/// Room for `DMA_ADAPTER_INFO` in each of the shapes that wdm.h has given it: the version, and at byte 4 or 8 `DMA_ADAPTER_INFO_V1`.
#[repr(C, align(8))]
struct AdapterInfo([u32; 22]);

impl AdapterInfo {
    /// Nothing that the HAL writes in the word behind the version, which is 0 or 1.
    const UNTOUCHED: u32 = u32::MAX;

    fn new() -> Self {
        let mut words = [0; 22];
        words[0] = INFO_VERSION;
        words[1] = Self::UNTOUCHED;
        Self(words)
    }

    /// `DMA_ADAPTER_INFO_V1::Flags` of an answer.
    fn flags(&self) -> u32 {
        let first = if self.0[1] == Self::UNTOUCHED { 2 } else { 1 };
        self.0[first + offset_of!(wdk_sys::DMA_ADAPTER_INFO_V1, Flags) / 4]
    }
}

/// A locked buffer of an application, or the length of one that the driver allocates.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// The locked pages; null for what the driver allocates.
    pub(crate) mdl: PMDL,
    pub(crate) length: u64,
    pub(crate) first_byte: u16,
    /// [`tier_reason`] with which its last lasting mapping was refused.
    pub(crate) refused: AtomicU32,
}

impl Buffer {
    /// Its name towards the core. The buffer stays where it is for as long as the name is used.
    pub(crate) fn id(&self) -> BufferId {
        BufferId(core::ptr::from_ref(self).addr() as u64)
    }

    /// The buffer of a name.
    ///
    /// # Safety
    /// `id` came from [`id`](Self::id) of a buffer that still is where it was.
    unsafe fn named<'a>(id: BufferId) -> &'a Self {
        // SAFETY: the caller says so.
        unsafe { &*core::ptr::with_exposed_provenance(id.0 as usize) }
    }
}

/// A common buffer: what a [`DmaHandle`] is the address of.
struct Common {
    object: WDFCOMMONBUFFER,
    address: *mut u8,
    bytes: usize,
}

/// A lasting mapping: what a [`MappingId`] without [`TRANSFER`] is the address of.
struct Lasting {
    mdl: PMDL,
    /// Bus address of the range, for tier MappedOnce.
    range: Option<(PHYSICAL_ADDRESS, *mut c_void)>,
    pages: u64,
    length: u32,
}

/// Bit of a [`MappingId`]: the rest is the address of a [`Transaction`].
const TRANSFER: u64 = 1;

/// Context of a WDFDMATRANSACTION: the mapping of a part of a transfer.
struct Transaction {
    object: WDFDMATRANSACTION,
    /// Next of those that are free.
    next: *mut Self,
    /// Given by EvtProgramDma.
    list: PSCATTER_GATHER_LIST,
    /// EvtProgramDma has run.
    programmed: KEVENT,
    length: u64,
}

// SAFETY: pointers and plain data, for which zeroes are values.
static TRANSACTION: ContextType<Transaction> =
    unsafe { ContextType::new(c"PinringTransaction", &TRANSACTION) };

/// The hardware's side of a device between EvtDevicePrepareHardware and EvtDeviceReleaseHardware.
pub(crate) struct Hardware {
    pub(crate) bar: Bar,
    enabler: WDFDMAENABLER,
    adapter: PDMA_ADAPTER,
    bus: BUS_INTERFACE_STANDARD,
    /// Bytes of one framework transaction, whole pages.
    fragment: u64,
    /// Bytes that the host's map registers hold at once, whole pages.
    held: u64,
    /// Surprise removal was announced.
    pub(crate) removed: AtomicBool,
    /// [`tier_reason`]s.
    pub(crate) bypass_missing: u32,
    pub(crate) mapped_once_missing: u32,
    /// Transactions that are not in use.
    free: Lock<*mut Transaction>,
    pub(crate) mmio_reads: AtomicU64,
    pub(crate) doorbells: AtomicU64,
}

impl Hardware {
    /// Makes the device's DMA enabler and asks what the host can do. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// The framework refuses.
    pub(crate) fn new(
        device: WDFDEVICE,
        bar: Bar,
        settings: &Settings,
    ) -> Result<Box<Self>, NTSTATUS> {
        let mut bus = BUS_INTERFACE_STANDARD::default();
        // SAFETY: the device's handle, the identifier and the place for the interface are valid.
        check(unsafe {
            call_unsafe_wdf_function_binding!(
                WdfFdoQueryForInterface,
                device,
                &raw const BUS_INTERFACE,
                (&raw mut bus).cast(),
                size::<BUS_INTERFACE_STANDARD>() as u16,
                1,
                core::ptr::null_mut(),
            )
        })?;
        let mut hardware = match boxed(Self {
            bar,
            enabler: core::ptr::null_mut(),
            adapter: core::ptr::null_mut(),
            bus,
            fragment: PAGE,
            held: PAGE,
            removed: AtomicBool::new(false),
            bypass_missing: tier_reason::TRANSLATED,
            mapped_once_missing: tier_reason::UNSUPPORTED,
            free: Lock::new(core::ptr::null_mut()),
            mmio_reads: AtomicU64::new(0),
            doorbells: AtomicU64::new(0),
        }) {
            Ok(hardware) => hardware,
            Err(_) => {
                release_bus(&bus);
                return Err(STATUS_INSUFFICIENT_RESOURCES);
            }
        };
        hardware.free.initialize();
        if let Err(status) = hardware.enable(device) {
            (*hardware).end();
            return Err(status);
        }
        hardware.ask(settings);
        Ok(hardware)
    }

    fn enable(&mut self, device: WDFDEVICE) -> Result<(), NTSTATUS> {
        // The framework keeps a list of an enabler's longest transfer with each transaction, of which a long transfer has many. So what the
        // map registers hold is asked of an enabler that does nothing else; without an answer it is what one transaction may have.
        if let Ok(enabler) = create_enabler(device, LONGEST) {
            let (held, other) = fragments(enabler);
            self.held = held.min(other) as u64 / PAGE * PAGE;
            // SAFETY: nothing was made with it.
            unsafe { call_unsafe_wdf_function_binding!(WdfObjectDelete, enabler.cast()) };
        }
        self.enabler = create_enabler(device, MOST_AT_ONCE)?;
        let (fragment, other) = fragments(self.enabler);
        self.fragment = (fragment.min(other) as u64 / PAGE * PAGE).max(PAGE);
        self.held = self.held.max(self.fragment);
        // SAFETY: the enabler was made above.
        unsafe {
            self.adapter = call_unsafe_wdf_function_binding!(
                WdfDmaEnablerWdmGetDmaAdapter,
                self.enabler,
                _WDF_DMA_DIRECTION::WdfDmaDirectionReadFromDevice
            );
        }
        Ok(())
    }

    /// Which lasting tiers there are.
    fn ask(&mut self, settings: &Settings) {
        let operations = self.operations();
        let mut info = AdapterInfo::new();
        // SAFETY: the adapter's table is valid and, for version 3, has this routine.
        if let Some(get) = unsafe { (*operations).GetDmaAdapterInfo } {
            // SAFETY: the adapter is the enabler's, and the place has room for every shape of the structure.
            let got = unsafe { get(self.adapter, (&raw mut info).cast()) };
            if got >= 0 && info.flags() & API_BYPASS != 0 {
                self.bypass_missing = tier_reason::NONE;
            }
        }
        if self.create_from_mdl().is_some() {
            self.mapped_once_missing = tier_reason::NONE;
        }
        if settings.tier_limit >= 1 {
            self.bypass_missing = tier_reason::REGISTRY;
        }
        if settings.tier_limit >= 2 {
            self.mapped_once_missing = tier_reason::REGISTRY;
        }
    }

    fn operations(&self) -> PDMA_OPERATIONS {
        // SAFETY: the adapter is the enabler's, which lives as long as this value.
        unsafe { (*self.adapter).DmaOperations }
    }

    /// CreateCommonBufferFromMdl, if this Windows has it: its table may be shorter than ours.
    fn create_from_mdl(&self) -> wdk_sys::PCREATE_COMMON_BUFFER_FROM_MDL {
        let operations = self.operations();
        const AT: usize = offset_of!(DMA_OPERATIONS, CreateCommonBufferFromMdl);
        // SAFETY: every table has its size, and what lies within that size may be read.
        unsafe {
            if (*operations).Size as usize > AT {
                (&raw const (*operations).CreateCommonBufferFromMdl).read()
            } else {
                None
            }
        }
    }

    /// Deletes what `new` made. Nothing that it gave is in use any more. PASSIVE_LEVEL.
    pub(crate) fn end(mut self) {
        let mut next = core::mem::replace(self.free.get_mut(), core::ptr::null_mut());
        while !next.is_null() {
            // SAFETY: a free transaction's context, which lives until the transaction is deleted.
            let (object, following) = unsafe { ((*next).object, (*next).next) };
            // SAFETY: nobody uses it.
            unsafe { call_unsafe_wdf_function_binding!(WdfObjectDelete, object.cast()) };
            next = following;
        }
        if !self.enabler.is_null() {
            // SAFETY: every common buffer of it is deleted.
            unsafe { call_unsafe_wdf_function_binding!(WdfObjectDelete, self.enabler.cast()) };
        }
        release_bus(&self.bus);
    }

    /// Largest part of a transfer that is mapped at once, whole pages.
    pub(crate) fn max_mapping(&self) -> u64 {
        self.fragment.min(MOST_AT_ONCE)
    }

    /// Longest transfer of tier PerTransfer: its parts are mapped at the same time, so what the map registers hold wherever it begins in
    /// its first page.
    pub(crate) fn max_transfer(&self) -> u64 {
        match self.held >= LONGEST {
            true => LONGEST,
            false => (self.held - PAGE).max(PAGE),
        }
    }

    /// Reads two bytes of the function's configuration space; `None` if that fails.
    fn config_space(&self, offset: u32) -> Option<u16> {
        let mut value = 0u16;
        let get = self.bus.GetBusData?;
        // SAFETY: the interface is referenced until `end`, and the place has two bytes.
        let read = unsafe {
            get(
                self.bus.Context,
                PCI_WHICHSPACE_CONFIG,
                (&raw mut value).cast(),
                offset,
                2,
            )
        };
        (read == 2).then_some(value)
    }

    /// The command register; `None` if it cannot be read, or the function is gone.
    fn command(&self) -> Option<u16> {
        self.config_space(COMMAND)
            .filter(|&command| command != u16::MAX)
    }

    fn set_command(&self, mut command: u16) {
        if let Some(set) = self.bus.SetBusData {
            // SAFETY: as in `command`. Whether it was written is seen by reading it back.
            let _ = unsafe {
                set(
                    self.bus.Context,
                    PCI_WHICHSPACE_CONFIG,
                    (&raw mut command).cast(),
                    COMMAND,
                    2,
                )
            };
        }
    }

    /// The function is not there any more: no function has a vendor ID of all ones (PCIe 5.0, section 7.5.1.1.1). A read
    /// that fails does not say so, and BAR0 answers in D0 alone.
    fn is_gone(&self) -> bool {
        self.removed.load(Ordering::Acquire) || self.config_space(VENDOR_ID) == Some(u16::MAX)
    }

    /// Clears Bus Master Enable; true if it reads back as 0 or the function is gone. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn disable_bus_master(&self) -> bool {
        let Some(command) = self.command() else {
            return self.is_gone();
        };
        self.set_command(command & !(PCI_ENABLE_BUS_MASTER as u16));
        match self.command() {
            Some(command) => u32::from(command) & PCI_ENABLE_BUS_MASTER == 0,
            None => self.is_gone(),
        }
    }

    /// Sets Bus Master Enable, which a teardown before may have cleared. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn enable_bus_master(&self) {
        if let Some(command) = self.command() {
            self.set_command(command | PCI_ENABLE_BUS_MASTER as u16);
        }
    }

    /// WdfCommonBufferCreateWithConfig. PASSIVE_LEVEL.
    pub(crate) fn allocate(&self, bytes: usize, align: usize) -> Result<DmaMemory, DmaError> {
        let error = DmaError { bytes };
        let mut config = WDF_COMMON_BUFFER_CONFIG {
            Size: size::<WDF_COMMON_BUFFER_CONFIG>(),
            AlignmentRequirement: (align - 1) as u32,
        };
        let mut record = boxed(Common {
            object: core::ptr::null_mut(),
            address: core::ptr::null_mut(),
            bytes,
        })
        .map_err(|_| error)?;
        // SAFETY: enabler, settings and place are valid.
        let created = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfCommonBufferCreateWithConfig,
                self.enabler,
                bytes,
                &raw mut config,
                WDF_NO_OBJECT_ATTRIBUTES,
                &raw mut record.object,
            )
        };
        check(created).map_err(|_| error)?;
        // SAFETY: the buffer was made above; it has this many bytes at this address.
        let bus = unsafe {
            record.address = call_unsafe_wdf_function_binding!(
                WdfCommonBufferGetAlignedVirtualAddress,
                record.object
            )
            .cast();
            record.address.write_bytes(0, bytes);
            call_unsafe_wdf_function_binding!(
                WdfCommonBufferGetAlignedLogicalAddress,
                record.object
            )
        };
        Ok(DmaMemory {
            handle: DmaHandle(Box::into_raw(record).expose_provenance() as u64),
            // SAFETY: every member of the union is plain integers.
            bus_address: unsafe { bus.QuadPart } as u64,
            bytes,
        })
    }

    /// Deletes a common buffer. PASSIVE_LEVEL.
    pub(crate) fn free(&self, memory: DmaMemory) {
        let record = core::ptr::with_exposed_provenance_mut::<Common>(memory.handle.0 as usize);
        // SAFETY: the core gives back what `allocate` gave, once.
        let record = unsafe { Box::from_raw(record) };
        // SAFETY: nobody uses the buffer any more.
        unsafe { call_unsafe_wdf_function_binding!(WdfObjectDelete, record.object.cast()) };
    }

    /// Kernel address and size of a common buffer. Any IRQL.
    #[inline]
    pub(crate) fn common(&self, handle: DmaHandle) -> (*mut u8, usize) {
        let record = core::ptr::with_exposed_provenance::<Common>(handle.0 as usize);
        // SAFETY: handles that the core holds are of common buffers that were not freed.
        unsafe { ((*record).address, (*record).bytes) }
    }

    /// Extent of a buffer. Any IRQL.
    pub(crate) fn span(&self, buffer: BufferId) -> BufferSpan {
        // SAFETY: the shell gives the core ids of buffers that stay until their region is retired.
        let buffer = unsafe { Buffer::named(buffer) };
        BufferSpan {
            first_byte_offset: buffer.first_byte,
            length: buffer.length,
        }
    }

    /// A lasting mapping. PASSIVE_LEVEL.
    pub(crate) fn map_lasting(&self, id: BufferId, tier: Tier) -> Result<Mapping, NotAvailable> {
        // SAFETY: as in `span`.
        let buffer = unsafe { Buffer::named(id) };
        let mapped = self.map_for_good(buffer, tier);
        if let Err(reason) = mapped {
            let reason = match reason {
                NotAvailable::Translated => tier_reason::TRANSLATED,
                NotAvailable::NotContiguous => tier_reason::NOT_CONTIGUOUS,
                NotAvailable::NotWholePages => tier_reason::NOT_WHOLE_PAGES,
                NotAvailable::Exhausted => tier_reason::EXHAUSTED,
                NotAvailable::Forbidden => tier_reason::REGISTRY,
                _ => tier_reason::UNSUPPORTED,
            };
            buffer.refused.store(reason, Ordering::Relaxed);
        }
        mapped
    }

    fn map_for_good(&self, buffer: &Buffer, tier: Tier) -> Result<Mapping, NotAvailable> {
        let length = u32::try_from(buffer.length).map_err(|_| NotAvailable::Exhausted)?;
        if buffer.mdl.is_null() {
            return Err(NotAvailable::UnknownBuffer);
        }
        let missing = match tier {
            Tier::Bypass => self.bypass_missing,
            _ => self.mapped_once_missing,
        };
        match missing {
            tier_reason::NONE => {}
            tier_reason::TRANSLATED => return Err(NotAvailable::Translated),
            tier_reason::REGISTRY => return Err(NotAvailable::Forbidden),
            _ => return Err(NotAvailable::Unsupported),
        }
        let mut record = boxed(Lasting {
            mdl: buffer.mdl,
            range: None,
            pages: (u64::from(buffer.first_byte) + buffer.length).div_ceil(PAGE),
            length,
        })
        .map_err(|_| NotAvailable::Exhausted)?;
        if tier != Tier::Bypass {
            if buffer.first_byte != 0 || !buffer.length.is_multiple_of(PAGE) {
                return Err(NotAvailable::NotWholePages);
            }
            record.range = Some(self.common_from(buffer.mdl)?);
        }
        Ok(Mapping {
            id: MappingId(Box::into_raw(record).expose_provenance() as u64),
            first_byte_offset: buffer.first_byte,
            length: buffer.length,
        })
    }

    fn common_from(&self, mdl: PMDL) -> Result<(PHYSICAL_ADDRESS, *mut c_void), NotAvailable> {
        let create = self.create_from_mdl().ok_or(NotAvailable::Unsupported)?;
        // SAFETY: the MDL is locked until its request completes.
        let address = unsafe { system_address(mdl) }.ok_or(NotAvailable::Exhausted)?;
        let mut bus = PHYSICAL_ADDRESS::default();
        // SAFETY: adapter and MDL are valid; the MDL is locked, mapped, page-aligned and not chained.
        let created = unsafe { create(self.adapter, mdl, core::ptr::null_mut(), 0, &raw mut bus) };
        match created {
            0.. => Ok((bus, address.cast())),
            STATUS_INSUFFICIENT_RESOURCES => Err(NotAvailable::Exhausted),
            STATUS_INVALID_PARAMETER => Err(NotAvailable::NotContiguous),
            // It has the routine, but not for this device.
            _ => Err(NotAvailable::Translated),
        }
    }

    /// Takes a lasting mapping back. PASSIVE_LEVEL.
    pub(crate) fn unmap_lasting(&self, id: MappingId) {
        let record = core::ptr::with_exposed_provenance_mut::<Lasting>(id.0 as usize);
        // SAFETY: the core gives back what `map_lasting` gave, once.
        let record = unsafe { Box::from_raw(record) };
        if let Some((bus, address)) = record.range {
            // SAFETY: every table has this routine.
            if let Some(free) = unsafe { (*self.operations()).FreeCommonBuffer } {
                // SAFETY: made by `common_from` with this adapter, and the device has let go of it.
                unsafe { free(self.adapter, record.length, bus, address, 1) }
            }
        }
    }

    /// A transfer's mapping. PASSIVE_LEVEL, as it waits for EvtProgramDma, which may run after Execute has returned.
    pub(crate) fn map_transfer(
        &self,
        id: BufferId,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Mapping, MapError> {
        // SAFETY: as in `span`.
        let buffer = unsafe { Buffer::named(id) };
        if buffer.mdl.is_null() {
            return Err(MapError::UnknownBuffer);
        }
        let end = offset.checked_add(length);
        if length == 0 || end.is_none_or(|end| end > buffer.length) {
            return Err(MapError::OutOfBounds { offset, length });
        }
        let transaction = self.transaction().map_err(map_error)?;
        // SAFETY: it is ours alone until it is put back.
        let mapped = unsafe { self.execute(transaction, buffer, offset, length, direction) };
        if let Err(status) = mapped {
            self.put(transaction);
            return Err(map_error(status));
        }
        // SAFETY: EvtProgramDma has run, and its list lives until the transaction is completed.
        let first = unsafe {
            (&raw const (*(*transaction).list).Elements)
                .cast::<wdk_sys::SCATTER_GATHER_ELEMENT>()
                .read()
        };
        // SAFETY: every member of the union is plain integers.
        let first_byte = unsafe { first.Address.QuadPart } as u64 % PAGE;
        Ok(Mapping {
            id: MappingId(transaction.expose_provenance() as u64 | TRANSFER),
            first_byte_offset: first_byte as u16,
            length,
        })
    }

    /// # Safety
    /// The transaction is the caller's alone.
    unsafe fn execute(
        &self,
        transaction: *mut Transaction,
        buffer: &Buffer,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<(), NTSTATUS> {
        let direction = match direction {
            Direction::C2h => _WDF_DMA_DIRECTION::WdfDmaDirectionReadFromDevice,
            Direction::H2c => _WDF_DMA_DIRECTION::WdfDmaDirectionWriteToDevice,
        };
        // SAFETY: the transaction's object and its context live until it is deleted in `end`; the MDL is locked. The requirement
        // comes before Initialize, immediate execution behind it. The reference holds the object while EvtProgramDma may run.
        unsafe {
            let object = (*transaction).object;
            (*transaction).length = length;
            call_unsafe_wdf_function_binding!(
                WdfDmaTransactionSetSingleTransferRequirement,
                object,
                1
            );
            check(call_unsafe_wdf_function_binding!(
                WdfDmaTransactionInitializeUsingOffset,
                object,
                Some(program),
                direction,
                buffer.mdl,
                offset as usize,
                length as usize,
            ))?;
            call_unsafe_wdf_function_binding!(WdfDmaTransactionSetImmediateExecution, object, 1);
            let event = &raw mut (*transaction).programmed;
            KeInitializeEvent(event, _EVENT_TYPE::NotificationEvent, 0);
            call_unsafe_wdf_function_binding!(
                WdfObjectReferenceActual,
                object.cast(),
                core::ptr::null_mut(),
                0,
                core::ptr::null()
            );
            let executed = call_unsafe_wdf_function_binding!(
                WdfDmaTransactionExecute,
                object,
                transaction.cast()
            );
            if let Err(status) = check(executed) {
                call_unsafe_wdf_function_binding!(WdfDmaTransactionRelease, object);
                dereference(object);
                return Err(status);
            }
            let _ = KeWaitForSingleObject(
                event.cast(),
                _KWAIT_REASON::Executive,
                _MODE::KernelMode as i8,
                0,
                core::ptr::null_mut(),
            );
            Ok(())
        }
    }

    /// Ends a transfer's mapping: flushes it and puts its list. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn unmap_transfer(&self, id: MappingId) {
        let transaction =
            core::ptr::with_exposed_provenance_mut::<Transaction>((id.0 & !TRANSFER) as usize);
        let mut status = 0;
        // SAFETY: the core gives back what `map_transfer` gave, once; the device has let go of it.
        unsafe {
            let (object, length) = ((*transaction).object, (*transaction).length);
            // The whole length: what the device did not write is flushed too. Final, so that nothing else is staged.
            let _ = call_unsafe_wdf_function_binding!(
                WdfDmaTransactionDmaCompletedFinal,
                object,
                length as usize,
                &raw mut status
            );
            call_unsafe_wdf_function_binding!(WdfDmaTransactionRelease, object);
            dereference(object);
        }
        self.put(transaction);
    }

    /// A transaction that is free, or a new one.
    fn transaction(&self) -> Result<*mut Transaction, NTSTATUS> {
        let free = self.free.with(|free| {
            let first = *free;
            if !first.is_null() {
                // SAFETY: the contexts on the list are of transactions that were not deleted.
                *free = unsafe { (*first).next };
            }
            first
        });
        if !free.is_null() {
            return Ok(free);
        }
        let mut attributes = TRANSACTION.attributes(None);
        let mut object: WDFDMATRANSACTION = core::ptr::null_mut();
        // SAFETY: enabler, attributes and place are valid.
        let created = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfDmaTransactionCreate,
                self.enabler,
                &raw mut attributes,
                &raw mut object
            )
        };
        check(created)?;
        // SAFETY: made with this context type just now.
        unsafe {
            let transaction = TRANSACTION.of(object.cast());
            (*transaction).object = object;
            Ok(transaction)
        }
    }

    fn put(&self, transaction: *mut Transaction) {
        self.free.with(|free| {
            // SAFETY: it is the caller's, who gives it up.
            unsafe { (*transaction).next = *free };
            *free = transaction;
        });
    }

    /// The next pages of a mapping. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn pages(&self, id: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        if id.0 & TRANSFER != 0 {
            let transaction =
                core::ptr::with_exposed_provenance::<Transaction>((id.0 & !TRANSFER) as usize);
            // SAFETY: the mapping is in force, and so is its list.
            return unsafe { list_pages((*transaction).list, cursor, runs) };
        }
        let record = core::ptr::with_exposed_provenance::<Lasting>(id.0 as usize);
        // SAFETY: the mapping is in force.
        let record = unsafe { &*record };
        let mut count = 0;
        match record.range {
            Some((bus, _)) => {
                if *cursor == 0
                    && let Some(run) = runs.first_mut()
                {
                    *run = PageRun {
                        // SAFETY: every member of the union is plain integers.
                        frame: unsafe { bus.QuadPart } as u64 / PAGE,
                        pages: record.pages as u32,
                    };
                    *cursor = 1;
                    count = 1;
                }
            }
            None => {
                // The page frame numbers follow the structure (MmGetMdlPfnArray).
                // SAFETY: an MDL has as many as its buffer has pages, and the cursor stays below.
                let frames = unsafe { record.mdl.add(1) }.cast::<PFN_NUMBER>();
                while *cursor < record.pages && count < runs.len() {
                    // SAFETY: as above.
                    let frame = unsafe { frames.add(*cursor as usize).read() } as u64;
                    runs[count] = PageRun { frame, pages: 1 };
                    *cursor += 1;
                    count += 1;
                }
            }
        }
        count
    }
}

/// An enabler for transactions of up to `longest` bytes. PASSIVE_LEVEL.
fn create_enabler(device: WDFDEVICE, longest: u64) -> Result<WDFDMAENABLER, NTSTATUS> {
    let mut config = WDF_DMA_ENABLER_CONFIG {
        Size: size::<WDF_DMA_ENABLER_CONFIG>(),
        Profile: _WDF_DMA_PROFILE::WdfDmaProfileScatterGather64Duplex,
        MaximumLength: longest as usize,
        // Needed by immediate execution, single transfers and GetDmaAdapterInfo; x64 has version 2 by default.
        WdmDmaVersionOverride: 3,
        ..WDF_DMA_ENABLER_CONFIG::default()
    };
    let mut enabler: WDFDMAENABLER = core::ptr::null_mut();
    // SAFETY: handle, settings and place are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfDmaEnablerCreate,
            device,
            &raw mut config,
            WDF_NO_OBJECT_ATTRIBUTES,
            &raw mut enabler,
        )
    })?;
    Ok(enabler)
}

/// Bytes that an enabler maps with one transaction: from the device, and to it.
fn fragments(enabler: WDFDMAENABLER) -> (usize, usize) {
    let of = |direction| {
        // SAFETY: the enabler is valid.
        unsafe {
            call_unsafe_wdf_function_binding!(WdfDmaEnablerGetFragmentLength, enabler, direction)
        }
    };
    (
        of(_WDF_DMA_DIRECTION::WdfDmaDirectionReadFromDevice),
        of(_WDF_DMA_DIRECTION::WdfDmaDirectionWriteToDevice),
    )
}

/// `GUID_BUS_INTERFACE_STANDARD` of wdmguid.h, which wdk-sys does not read.
static BUS_INTERFACE: GUID = GUID {
    Data1: 0x496b_8280,
    Data2: 0x6f25,
    Data3: 0x11d0,
    Data4: [0xbe, 0xaf, 0x08, 0x00, 0x2b, 0xe2, 0x09, 0x2f],
};

/// Offset of the vendor ID (PCIe 5.0, section 7.5.1.1.1).
const VENDOR_ID: u32 = 0;
/// Offset of the command register (PCIe 5.0, section 7.5.1.1.3).
const COMMAND: u32 = 4;

fn release_bus(bus: &BUS_INTERFACE_STANDARD) {
    if let Some(dereference) = bus.InterfaceDereference {
        // SAFETY: the query referenced it, and nobody uses it behind this.
        unsafe { dereference(bus.Context) }
    }
}

/// Why a transfer was not mapped: what comes back when others are released is a shortage, anything else stays as it is.
fn map_error(status: NTSTATUS) -> MapError {
    match status {
        STATUS_INSUFFICIENT_RESOURCES => MapError::NoMapRegisters,
        _ => MapError::Refused,
    }
}

/// # Safety
/// The caller holds a reference, which this takes.
unsafe fn dereference(object: WDFDMATRANSACTION) {
    // SAFETY: the caller says so.
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfObjectDereferenceActual,
            object.cast(),
            core::ptr::null_mut(),
            0,
            core::ptr::null()
        );
    }
}

/// EvtProgramDma: the mapping is made. DISPATCH_LEVEL; before Execute returns, later, or on another processor.
unsafe extern "C" fn program(
    _transaction: WDFDMATRANSACTION,
    _device: WDFDEVICE,
    context: *mut c_void,
    _direction: WDF_DMA_DIRECTION,
    list: PSCATTER_GATHER_LIST,
) -> u8 {
    let transaction = context.cast::<Transaction>();
    // SAFETY: the context is the transaction's own, which `execute` has referenced; it reads the list only after the event.
    unsafe {
        (*transaction).list = list;
        let _ = KeSetEvent(&raw mut (*transaction).programmed, 0, 0);
    }
    1
}

/// # Safety
/// The list is in force.
unsafe fn list_pages(list: PSCATTER_GATHER_LIST, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
    // SAFETY: the caller says so; the elements follow their count.
    let (elements, total) = unsafe {
        (
            (&raw const (*list).Elements).cast::<wdk_sys::SCATTER_GATHER_ELEMENT>(),
            u64::from((*list).NumberOfElements),
        )
    };
    let mut count = 0;
    while *cursor < total && count < runs.len() {
        // SAFETY: below the number of elements.
        let element = unsafe { elements.add(*cursor as usize).read() };
        // SAFETY: every member of the union is plain integers.
        let address = unsafe { element.Address.QuadPart } as u64;
        let bytes = address % PAGE + u64::from(element.Length);
        runs[count] = PageRun {
            frame: address / PAGE,
            pages: bytes.div_ceil(PAGE) as u32,
        };
        *cursor += 1;
        count += 1;
    }
    count
}

/// `MmGetSystemAddressForMdlSafe` of wdm.h: where the kernel sees a locked buffer. IRQL <= DISPATCH_LEVEL.
///
/// # Safety
/// The MDL's pages are locked.
pub(crate) unsafe fn system_address(mdl: PMDL) -> Option<*mut u8> {
    let mapped = (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) as u16;
    // SAFETY: the caller says so. The mapping is undone when the pages are unlocked.
    let address = unsafe {
        if (*mdl).MdlFlags as u16 & mapped != 0 {
            (*mdl).MappedSystemVa
        } else {
            MmMapLockedPagesSpecifyCache(
                mdl,
                _MODE::KernelMode as i8,
                _MEMORY_CACHING_TYPE::MmCached,
                core::ptr::null_mut(),
                0,
                _MM_PAGE_PRIORITY::NormalPagePriority as u32 | MdlMappingNoExecute,
            )
        }
    };
    (!address.is_null()).then_some(address.cast())
}

/// Number of MMIO writes that count as doorbells: those of 64 bits behind the registers.
pub(crate) fn is_doorbell(offset: u32) -> bool {
    offset >= pinring_protocol::registers::aperture::DOORBELLS
}

impl Hardware {
    pub(crate) fn count_read(&self) {
        self.mmio_reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_doorbell(&self, offset: u32) {
        if is_doorbell(offset) {
            self.doorbells.fetch_add(1, Ordering::Relaxed);
        }
    }
}
