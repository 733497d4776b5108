//! DMA transactions.

use super::enabler::enabler_of;
use super::state::{State, Transaction};
use crate::constants::*;
use crate::ddi::request::direct_mdl;
use crate::dma::{ListRefusal, ListRequest, Waiter, cancel_waits_of, map_or_wait, put, with_hal};
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{call_at, fatal, inject, point, violation};

const DISPATCH: u8 = DISPATCH_LEVEL as u8;

impl Payload for Transaction {
    const TYPE: &'static str = "WDFDMATRANSACTION";

    fn cleanup(handle: HANDLE) {
        let ddi = "WdfObjectDelete(WDFDMATRANSACTION)";
        let transaction = object::get(ddi, handle, |transaction: &mut Self| *transaction);
        if transaction.state == State::Transfer {
            let detail = format!("{handle:?} is deleted while its transfer is under way");
            violation(Rule::DmaTransactionDeleted, ddi, detail);
        }
        cancel_waits_of(handle);
        put_current_list(ddi, handle.cast());
    }
}

fn with<R>(
    ddi: &'static str,
    handle: WDFDMATRANSACTION,
    f: impl FnOnce(&mut Transaction) -> R,
) -> R {
    object::get(ddi, handle.cast(), f)
}

fn wrong_state(ddi: &'static str, handle: WDFDMATRANSACTION, state: State) -> ! {
    let detail = format!("{handle:?} is in state {state:?}");
    fatal(Rule::DmaTransactionState, ddi, detail);
}

/// Creates a DMA transaction.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionCreate(
    DmaEnabler: WDFDMAENABLER,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    DmaTransaction: *mut WDFDMATRANSACTION,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionCreate";
    enter(ddi, DISPATCH);
    let enabler = enabler_of(ddi, DmaEnabler);
    // SAFETY: null, or the driver's attributes by its contract.
    if !Attributes.is_null() && !unsafe { (*Attributes).ParentObject }.is_null() {
        return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED;
    }
    let transaction = Transaction::new(enabler);
    match object::create(ddi, Attributes, DmaEnabler.cast(), transaction) {
        Ok(handle) => {
            // SAFETY: an out parameter, by the caller's contract.
            unsafe { *DmaTransaction = handle.cast() };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// Checks and keeps what is to be transferred.
fn initialize(
    ddi: &'static str,
    handle: WDFDMATRANSACTION,
    program: PFN_WDF_PROGRAM_DMA,
    direction: WDF_DMA_DIRECTION,
    mdl: PMDL,
    offset: u64,
    length: usize,
) -> NTSTATUS {
    if program.is_none() || mdl.is_null() {
        fatal(
            Rule::InvalidArgument,
            ddi,
            "EvtProgramDma or the MDL is null",
        );
    }
    if length == 0 || !(0..=1).contains(&direction) {
        return STATUS_INVALID_PARAMETER;
    }
    if inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: the driver's MDL, by its contract.
    if offset >= u64::from(unsafe { (*mdl).ByteCount }) {
        return STATUS_INVALID_PARAMETER;
    }
    let before = with(ddi, handle, |transaction| *transaction);
    if !matches!(before.state, State::Created | State::Released) {
        wrong_state(ddi, handle, before.state);
    }
    let enabler = before.enabler;
    let transaction = Transaction {
        state: State::Initialized,
        direction,
        mdl,
        offset,
        length,
        remaining: length,
        transferred: 0,
        fragment: 0,
        fragment_offset: offset,
        maximum_fragment: match before.single_transfer {
            true => enabler.maximum_length,
            false => enabler.fragment_length,
        },
        program,
        list: core::ptr::null_mut(),
        request: core::ptr::null_mut(),
        ..before
    };
    let status = check_resources(ddi, &transaction);
    with(ddi, handle, |kept| {
        *kept = match NT_SUCCESS(status) {
            true => transaction,
            false => transaction.released(),
        }
    });
    status
}

fn NT_SUCCESS(status: NTSTATUS) -> bool {
    crate::NT_SUCCESS(status)
}

fn list_request(transaction: &Transaction, offset: u64, length: usize) -> ListRequest {
    ListRequest {
        adapter: transaction.enabler.adapter(transaction.direction),
        mdl: transaction.mdl,
        offset,
        length: length as u64,
        write_to_device: transaction.writes_to_device(),
        buffer: None,
    }
}

fn check_resources(ddi: &'static str, transaction: &Transaction) -> NTSTATUS {
    let enabler = &transaction.enabler;
    if transaction.single_transfer {
        if transaction.length > transaction.maximum_fragment {
            return STATUS_WDF_TOO_MANY_TRANSFERS;
        }
        let request = list_request(transaction, transaction.offset, transaction.length);
        return match with_hal(|hal| hal.needs(&request, ddi)) {
            Err(_) => STATUS_INVALID_PARAMETER,
            Ok(needs) if needs.registers > enabler.registers => STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS,
            Ok(needs) if needs.elements > enabler.maximum_elements => STATUS_WDF_TOO_FRAGMENTED,
            Ok(_) => STATUS_SUCCESS,
        };
    }
    let mut done = 0;
    while done < transaction.length {
        let part = transaction.maximum_fragment.min(transaction.length - done);
        let request = list_request(transaction, transaction.offset + done as u64, part);
        match with_hal(|hal| hal.needs(&request, ddi)) {
            Err(_) => return STATUS_BUFFER_TOO_SMALL,
            Ok(needs) if needs.elements > enabler.maximum_elements => {
                return STATUS_WDF_TOO_FRAGMENTED;
            }
            Ok(_) => {}
        }
        done += part;
    }
    STATUS_SUCCESS
}

/// Prepares a transaction for part of an MDL chain, from an offset on.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionInitializeUsingOffset(
    DmaTransaction: WDFDMATRANSACTION,
    EvtProgramDmaFunction: PFN_WDF_PROGRAM_DMA,
    DmaDirection: WDF_DMA_DIRECTION,
    Mdl: PMDL,
    Offset: usize,
    Length: usize,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionInitializeUsingOffset";
    enter(ddi, DISPATCH);
    initialize(
        ddi,
        DmaTransaction,
        EvtProgramDmaFunction,
        DmaDirection,
        Mdl,
        Offset as u64,
        Length,
    )
}

/// Prepares a transaction for part of an MDL chain, from an address on.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionInitialize(
    DmaTransaction: WDFDMATRANSACTION,
    EvtProgramDmaFunction: PFN_WDF_PROGRAM_DMA,
    DmaDirection: WDF_DMA_DIRECTION,
    Mdl: PMDL,
    VirtualAddress: PVOID,
    Length: usize,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionInitialize";
    enter(ddi, DISPATCH);
    let offset = match Mdl.is_null() {
        true => 0,
        // SAFETY: the driver's MDL, by its contract.
        false => unsafe {
            let start = (*Mdl).StartVa.addr() + (*Mdl).ByteOffset as usize;
            VirtualAddress.addr().wrapping_sub(start) as u64
        },
    };
    initialize(
        ddi,
        DmaTransaction,
        EvtProgramDmaFunction,
        DmaDirection,
        Mdl,
        offset,
        Length,
    )
}

/// Prepares a transaction for a direct request's whole buffer.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionInitializeUsingRequest(
    DmaTransaction: WDFDMATRANSACTION,
    Request: WDFREQUEST,
    EvtProgramDmaFunction: PFN_WDF_PROGRAM_DMA,
    DmaDirection: WDF_DMA_DIRECTION,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionInitializeUsingRequest";
    enter(ddi, DISPATCH);
    let mdl = match direct_mdl(ddi, Request) {
        Ok(mdl) if mdl.is_null() => {
            violation(Rule::NotModelled, ddi, "a request without a locked buffer");
            return STATUS_NOT_SUPPORTED;
        }
        Ok(mdl) => mdl,
        Err(_) => return STATUS_INVALID_DEVICE_REQUEST,
    };
    // SAFETY: the request's MDL lives until its completion.
    let (length, flags) = unsafe { ((*mdl).ByteCount as usize, (*mdl).MdlFlags as u32) };
    // METHOD_IN_DIRECT locks for reading and is for H2C, METHOD_OUT_DIRECT for writing and is for C2H.
    let out_direct = flags & MDL_WRITE_OPERATION != 0;
    if out_direct != (DmaDirection == _WDF_DMA_DIRECTION::WdfDmaDirectionReadFromDevice) {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    let program = EvtProgramDmaFunction;
    let status = initialize(ddi, DmaTransaction, program, DmaDirection, mdl, 0, length);
    if NT_SUCCESS(status) {
        with(ddi, DmaTransaction, |transaction| {
            transaction.request = Request;
        });
    }
    status
}

/// Starts the transfer: builds the list and calls EvtProgramDma with it at DISPATCH_LEVEL, before this call returns or later.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionExecute(
    DmaTransaction: WDFDMATRANSACTION,
    Context: WDFCONTEXT,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionExecute";
    enter(ddi, DISPATCH);
    let state = with(ddi, DmaTransaction, |transaction| transaction.state);
    if state != State::Initialized {
        wrong_state(ddi, DmaTransaction, state);
    }
    with(ddi, DmaTransaction, |transaction| {
        transaction.state = State::Transfer;
        transaction.context = Context;
    });
    let status = match inject(ddi) {
        true => STATUS_INSUFFICIENT_RESOURCES,
        false => stage(ddi, DmaTransaction),
    };
    if !NT_SUCCESS(status) {
        with(ddi, DmaTransaction, |transaction| {
            transaction.state = State::TransferFailed;
            transaction.context = core::ptr::null_mut();
        });
    }
    // If it went well, the driver may have completed and deleted the transaction by now.
    status
}

/// Maps the next fragment and hands it to the driver.
fn stage(ddi: &'static str, handle: WDFDMATRANSACTION) -> NTSTATUS {
    let (request, immediate) = with(ddi, handle, |transaction| {
        transaction.fragment_offset += transaction.fragment as u64;
        transaction.fragment = transaction.remaining.min(transaction.maximum_fragment);
        transaction.remaining -= transaction.fragment;
        let request = list_request(
            transaction,
            transaction.fragment_offset,
            transaction.fragment,
        );
        (request, transaction.immediate)
    });
    point(ddi, request.length.div_ceil(u64::from(PAGE_SIZE)));
    let too_many = with(ddi, handle, |transaction| {
        transaction.enabler.maximum_elements
    });
    let needs = with_hal(|hal| hal.needs(&request, ddi));
    let made =
        match needs {
            Ok(needs) if needs.elements > too_many => Err(STATUS_WDF_TOO_FRAGMENTED),
            Err(_) => Err(STATUS_INVALID_PARAMETER),
            Ok(_) => map_or_wait(ddi, request, immediate, Waiter::Transaction(handle)).map_err(
                |refusal| match refusal {
                    ListRefusal::Short | ListRefusal::Impossible => STATUS_INSUFFICIENT_RESOURCES,
                    ListRefusal::BufferTooSmall | ListRefusal::Invalid => STATUS_INVALID_PARAMETER,
                },
            ),
        };
    match made {
        Ok(Some(list)) => {
            transaction_list(handle, list);
            STATUS_SUCCESS
        }
        Ok(None) => STATUS_SUCCESS,
        Err(status) => {
            with(ddi, handle, |transaction| {
                transaction.remaining += transaction.fragment;
            });
            status
        }
    }
}

/// Calls the driver's EvtProgramDma with a fragment's list.
pub(crate) fn transaction_list(handle: WDFDMATRANSACTION, list: PSCATTER_GATHER_LIST) {
    let transaction = with("EvtProgramDma", handle, |transaction| {
        transaction.list = list;
        *transaction
    });
    let Some(program) = transaction.program else {
        return;
    };
    // SAFETY: the driver's callback with what it was registered with; the list is in force. What it returns is ignored, as the framework
    // does.
    call_at("EvtProgramDma", DISPATCH, || unsafe {
        program(
            handle,
            transaction.enabler.device,
            transaction.context,
            transaction.direction,
            list,
        )
    });
}

/// Puts the current fragment's list back.
fn put_current_list(ddi: &'static str, handle: WDFDMATRANSACTION) {
    let (list, adapter, write) = with(ddi, handle, |transaction| {
        let list = core::mem::replace(&mut transaction.list, core::ptr::null_mut());
        let adapter = transaction.enabler.adapter(transaction.direction);
        (list, adapter, transaction.writes_to_device())
    });
    if !list.is_null() {
        put(ddi, adapter, list, write);
    }
}

/// How much of a fragment is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completion {
    /// All.
    Full,
    /// As many bytes; the rest is to be transferred.
    Partial(usize),
    /// As many bytes, and that is the end.
    Final(usize),
}

/// A fragment is done: flushes it, and starts the next if there is one. True if the transaction is at its end.
fn completed(
    ddi: &'static str,
    handle: WDFDMATRANSACTION,
    completion: Completion,
    status: *mut NTSTATUS,
) -> BOOLEAN {
    enter(ddi, DISPATCH);
    let before = with(ddi, handle, |transaction| *transaction);
    if before.state != State::Transfer {
        wrong_state(ddi, handle, before.state);
    }
    point(ddi, before.fragment.div_ceil(PAGE_SIZE as usize) as u64);
    let result = match completion {
        Completion::Partial(bytes) | Completion::Final(bytes) if bytes > before.fragment => {
            let detail = format!("{bytes} bytes of a fragment of {}", before.fragment);
            violation(Rule::DmaLength, ddi, detail);
            STATUS_INVALID_PARAMETER
        }
        _ => advance(ddi, handle, completion),
    };
    let ended = result != STATUS_MORE_PROCESSING_REQUIRED;
    if ended {
        put_current_list(ddi, handle);
        with(ddi, handle, |transaction| {
            transaction.state = match NT_SUCCESS(result) {
                true => State::TransferCompleted,
                false => State::TransferFailed,
            };
            transaction.fragment = 0;
        });
    }
    // SAFETY: an out parameter, by the caller's contract.
    unsafe { *status = result };
    BOOLEAN::from(ended)
}

fn advance(ddi: &'static str, handle: WDFDMATRANSACTION, completion: Completion) -> NTSTATUS {
    with(ddi, handle, |transaction| match completion {
        Completion::Full => transaction.transferred += transaction.fragment,
        Completion::Partial(bytes) | Completion::Final(bytes) => {
            transaction.transferred += bytes;
            transaction.remaining += transaction.fragment - bytes;
            transaction.fragment = bytes;
        }
    });
    put_current_list(ddi, handle);
    let (remaining, single) = with(ddi, handle, |transaction| {
        (transaction.remaining, transaction.single_transfer)
    });
    if single && remaining > 0 {
        // So it is in the framework's source, before DmaCompletedFinal is looked at.
        return STATUS_WDF_TOO_MANY_TRANSFERS;
    }
    if remaining == 0 || matches!(completion, Completion::Final(_)) {
        return STATUS_SUCCESS;
    }
    let status = stage(ddi, handle);
    match NT_SUCCESS(status) {
        true => STATUS_MORE_PROCESSING_REQUIRED,
        false => status,
    }
}

/// The device has done all of the current fragment.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionDmaCompleted(
    DmaTransaction: WDFDMATRANSACTION,
    Status: *mut NTSTATUS,
) -> BOOLEAN {
    let ddi = "WdfDmaTransactionDmaCompleted";
    completed(ddi, DmaTransaction, Completion::Full, Status)
}

/// The device has done part of the current fragment.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionDmaCompletedWithLength(
    DmaTransaction: WDFDMATRANSACTION,
    TransferredLength: usize,
    Status: *mut NTSTATUS,
) -> BOOLEAN {
    let ddi = "WdfDmaTransactionDmaCompletedWithLength";
    let completion = Completion::Partial(TransferredLength);
    completed(ddi, DmaTransaction, completion, Status)
}

/// The device has done part of the current fragment, and the transaction is at its end.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionDmaCompletedFinal(
    DmaTransaction: WDFDMATRANSACTION,
    FinalTransferredLength: usize,
    Status: *mut NTSTATUS,
) -> BOOLEAN {
    let ddi = "WdfDmaTransactionDmaCompletedFinal";
    let completion = Completion::Final(FinalTransferredLength);
    completed(ddi, DmaTransaction, completion, Status)
}

/// Ends a transaction so that it can be used again.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionRelease(DmaTransaction: WDFDMATRANSACTION) -> NTSTATUS {
    let ddi = "WdfDmaTransactionRelease";
    enter(ddi, DISPATCH);
    let state = with(ddi, DmaTransaction, |transaction| transaction.state);
    if state == State::Released {
        return STATUS_SUCCESS;
    }
    if state == State::Transfer {
        let detail = format!("{DmaTransaction:?} is released while its transfer is under way");
        violation(Rule::DmaTransactionReleased, ddi, detail);
        cancel_waits_of(DmaTransaction.cast());
    }
    put_current_list(ddi, DmaTransaction);
    with(ddi, DmaTransaction, |transaction| {
        *transaction = transaction.released();
    });
    STATUS_SUCCESS
}

/// Takes back a transaction that waits for map registers; true if it did wait.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionCancel(DmaTransaction: WDFDMATRANSACTION) -> BOOLEAN {
    let ddi = "WdfDmaTransactionCancel";
    enter(ddi, DISPATCH);
    let state = with(ddi, DmaTransaction, |transaction| transaction.state);
    if matches!(state, State::Created | State::Released) {
        wrong_state(ddi, DmaTransaction, state);
    }
    let cancelled = cancel_waits_of(DmaTransaction.cast());
    if cancelled {
        with(ddi, DmaTransaction, |transaction| {
            transaction.state = State::TransferFailed;
        });
    }
    BOOLEAN::from(cancelled)
}

/// Execute shall start at once or fail.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionSetImmediateExecution(
    DmaTransaction: WDFDMATRANSACTION,
    UseImmediateExecution: BOOLEAN,
) {
    let ddi = "WdfDmaTransactionSetImmediateExecution";
    enter(ddi, DISPATCH);
    let (state, version) = with(ddi, DmaTransaction, |transaction| {
        (transaction.state, transaction.enabler.version)
    });
    if version < 3 {
        let detail = "the enabler was created without WdmDmaVersionOverride = 3";
        return violation(Rule::DmaVersion3, ddi, detail);
    }
    if state != State::Initialized {
        let detail = format!(
            "{DmaTransaction:?} is in state {state:?}: call it after Initialize and before Execute"
        );
        violation(Rule::DmaImmediateExecution, ddi, detail);
    }
    with(ddi, DmaTransaction, |transaction| {
        transaction.immediate = UseImmediateExecution != 0;
    });
}

/// The transaction shall be one transfer, or fail.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionSetSingleTransferRequirement(
    DmaTransaction: WDFDMATRANSACTION,
    RequireSingleTransfer: BOOLEAN,
) {
    let ddi = "WdfDmaTransactionSetSingleTransferRequirement";
    enter(ddi, DISPATCH);
    let (state, version) = with(ddi, DmaTransaction, |transaction| {
        (transaction.state, transaction.enabler.version)
    });
    if version < 3 {
        let detail = "the enabler was created without WdmDmaVersionOverride = 3";
        return violation(Rule::DmaVersion3, ddi, detail);
    }
    if !matches!(state, State::Created | State::Released) {
        let detail = format!("{DmaTransaction:?} is in state {state:?}: call it before Initialize");
        return violation(Rule::DmaSingleTransfer, ddi, detail);
    }
    with(ddi, DmaTransaction, |transaction| {
        transaction.single_transfer = RequireSingleTransfer != 0;
    });
}

/// Limits the fragments of a transaction.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionSetMaximumLength(
    DmaTransaction: WDFDMATRANSACTION,
    MaximumLength: usize,
) {
    let ddi = "WdfDmaTransactionSetMaximumLength";
    enter(ddi, DISPATCH);
    with(ddi, DmaTransaction, |transaction| {
        let limit = transaction.maximum_fragment.min(MaximumLength);
        transaction.maximum_fragment = limit.max(1);
    });
}

/// Bytes that completed fragments have transferred.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionGetBytesTransferred(DmaTransaction: WDFDMATRANSACTION) -> usize {
    let ddi = "WdfDmaTransactionGetBytesTransferred";
    enter(ddi, DISPATCH);
    with(ddi, DmaTransaction, |transaction| transaction.transferred)
}

/// Bytes of the current fragment.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionGetCurrentDmaTransferLength(
    DmaTransaction: WDFDMATRANSACTION,
) -> usize {
    let ddi = "WdfDmaTransactionGetCurrentDmaTransferLength";
    enter(ddi, DISPATCH);
    with(ddi, DmaTransaction, |transaction| transaction.fragment)
}

/// The device of a transaction.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionGetDevice(DmaTransaction: WDFDMATRANSACTION) -> WDFDEVICE {
    let ddi = "WdfDmaTransactionGetDevice";
    enter(ddi, DISPATCH);
    with(ddi, DmaTransaction, |transaction| {
        transaction.enabler.device
    })
}

/// The request that a transaction was initialised with, or null.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionGetRequest(DmaTransaction: WDFDMATRANSACTION) -> WDFREQUEST {
    let ddi = "WdfDmaTransactionGetRequest";
    enter(ddi, DISPATCH);
    with(ddi, DmaTransaction, |transaction| transaction.request)
}

/// What the transaction would need.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaTransactionGetTransferInfo(
    DmaTransaction: WDFDMATRANSACTION,
    MapRegisterCount: *mut ULONG,
    ScatterGatherElementCount: *mut ULONG,
) {
    let ddi = "WdfDmaTransactionGetTransferInfo";
    enter(ddi, DISPATCH);
    let transaction = with(ddi, DmaTransaction, |transaction| *transaction);
    if transaction.state != State::Initialized {
        wrong_state(ddi, DmaTransaction, transaction.state);
    }
    let request = list_request(&transaction, transaction.offset, transaction.length);
    let needs = with_hal(|hal| hal.needs(&request, ddi));
    let (registers, elements) = needs.map_or((0, 0), |needs| {
        (needs.registers as u32, needs.elements as u32)
    });
    // SAFETY: optional out parameters, by the caller's contract.
    unsafe {
        if !MapRegisterCount.is_null() {
            *MapRegisterCount = registers;
        }
        if !ScatterGatherElementCount.is_null() {
            *ScatterGatherElementCount = elements;
        }
    }
}

/// Not for scatter/gather profiles, which are all the double has.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaTransactionAllocateResources(
    DmaTransaction: WDFDMATRANSACTION,
    DmaDirection: WDF_DMA_DIRECTION,
    RequiredMapRegisters: ULONG,
    EvtReserveDmaFunction: PFN_WDF_RESERVE_DMA,
    EvtReserveDmaContext: PVOID,
) -> NTSTATUS {
    let ddi = "WdfDmaTransactionAllocateResources";
    enter(ddi, DISPATCH);
    let _ = (
        DmaDirection,
        RequiredMapRegisters,
        EvtReserveDmaFunction,
        EvtReserveDmaContext,
    );
    let detail = format!("{DmaTransaction:?} has a scatter/gather profile");
    violation(Rule::DmaProfile, ddi, detail);
    STATUS_INVALID_DEVICE_REQUEST
}
