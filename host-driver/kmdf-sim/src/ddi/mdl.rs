//! The buffers of requests as memory descriptor lists, and locked user buffers.

use super::request::direct_mdl;
use crate::constants::*;
use crate::kernel::enter;
use crate::memory::{lock_user_buffer, system_address, unlock_user_buffer};
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, violation};

const DISPATCH: u8 = DISPATCH_LEVEL as u8;

fn retrieve(ddi: &'static str, request: WDFREQUEST, out: *mut PMDL) -> NTSTATUS {
    enter(ddi, DISPATCH);
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    match direct_mdl(ddi, request) {
        Ok(mdl) if mdl.is_null() => {
            let detail = "an MDL of a buffered request's system buffer";
            violation(Rule::NotModelled, ddi, detail);
            STATUS_NOT_SUPPORTED
        }
        Ok(mdl) => {
            // SAFETY: an out parameter, by the caller's contract.
            unsafe { *out = mdl };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// The MDL of a request's output buffer (of a direct request's second buffer), locked until the request is completed.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestRetrieveOutputWdmMdl(Request: WDFREQUEST, Mdl: *mut PMDL) -> NTSTATUS {
    retrieve("WdfRequestRetrieveOutputWdmMdl", Request, Mdl)
}

/// For write requests; a device control request has its input in a system buffer, of which the double has no MDL.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestRetrieveInputWdmMdl(Request: WDFREQUEST, Mdl: *mut PMDL) -> NTSTATUS {
    let ddi = "WdfRequestRetrieveInputWdmMdl";
    enter(ddi, DISPATCH);
    // The request is checked all the same.
    let checked = direct_mdl(ddi, Request);
    let _ = (checked, Mdl);
    let detail = "the input of a device control request is in a system buffer";
    violation(Rule::NotModelled, ddi, detail);
    STATUS_NOT_SUPPORTED
}

/// A user buffer that the driver has locked.
#[derive(Clone, Copy)]
struct LockedBuffer {
    mdl: PMDL,
    address: PVOID,
    bytes: usize,
}

impl Payload for LockedBuffer {
    const TYPE: &'static str = "WDFMEMORY";

    fn cleanup(handle: HANDLE) {
        let ddi = "WdfRequestComplete";
        let buffer = object::get(ddi, handle, |buffer: &mut Self| *buffer);
        unlock_user_buffer(buffer.mdl);
    }
}

fn probe_and_lock(
    ddi: &'static str,
    request: WDFREQUEST,
    address: PVOID,
    bytes: usize,
    write: bool,
    out: *mut WDFMEMORY,
) -> NTSTATUS {
    enter(ddi, PASSIVE_LEVEL as u8);
    if address.is_null() || bytes == 0 {
        return STATUS_INVALID_USER_BUFFER;
    }
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let process = world::with(|world| world.thread().map_or(0, |thread| thread.process));
    let mdl = match lock_user_buffer(process, address.cast(), bytes, write) {
        Ok(mdl) => mdl,
        Err(status) => return status,
    };
    let buffer = LockedBuffer {
        mdl,
        address: system_address(mdl),
        bytes,
    };
    match object::create(ddi, core::ptr::null_mut(), request.cast(), buffer) {
        Ok(handle) => {
            // SAFETY: an out parameter, by the caller's contract.
            unsafe { *out = handle.cast() };
            STATUS_SUCCESS
        }
        Err(status) => {
            unlock_user_buffer(mdl);
            status
        }
    }
}

/// Locks a user's buffer for writing until the request is completed. To be called in the user's context (EvtIoInCallerContext).
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestProbeAndLockUserBufferForWrite(
    Request: WDFREQUEST,
    Buffer: PVOID,
    Length: usize,
    MemoryObject: *mut WDFMEMORY,
) -> NTSTATUS {
    let ddi = "WdfRequestProbeAndLockUserBufferForWrite";
    probe_and_lock(ddi, Request, Buffer, Length, true, MemoryObject)
}

/// Locks a user's buffer for reading until the request is completed. To be called in the user's context (EvtIoInCallerContext).
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfRequestProbeAndLockUserBufferForRead(
    Request: WDFREQUEST,
    Buffer: PVOID,
    Length: usize,
    MemoryObject: *mut WDFMEMORY,
) -> NTSTATUS {
    let ddi = "WdfRequestProbeAndLockUserBufferForRead";
    probe_and_lock(ddi, Request, Buffer, Length, false, MemoryObject)
}

/// Kernel address of a locked buffer, and its bytes.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfMemoryGetBuffer(Memory: WDFMEMORY, BufferSize: *mut usize) -> PVOID {
    let ddi = "WdfMemoryGetBuffer";
    enter(ddi, DISPATCH);
    let buffer = object::get(ddi, Memory.cast(), |buffer: &mut LockedBuffer| *buffer);
    if !BufferSize.is_null() {
        // SAFETY: an optional out parameter, by the caller's contract.
        unsafe { *BufferSize = buffer.bytes };
    }
    buffer.address
}
