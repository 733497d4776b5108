//! The buffers of a request.

use super::irp_of;
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::world::{self, DISPATCH, with};

/// Gives the request's input.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfRequestRetrieveInputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredLength: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    let ddi = "WdfRequestRetrieveInputBuffer";
    // SAFETY: the caller's contract.
    unsafe { retrieve(ddi, Request, MinimumRequiredLength, Buffer, Length, false) }
}

/// Gives where the request's output goes.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfRequestRetrieveOutputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredSize: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    let ddi = "WdfRequestRetrieveOutputBuffer";
    // SAFETY: the caller's contract.
    unsafe { retrieve(ddi, Request, MinimumRequiredSize, Buffer, Length, true) }
}

unsafe fn retrieve(
    ddi: &'static str,
    request: WDFREQUEST,
    minimum: usize,
    buffer: *mut PVOID,
    length: *mut usize,
    output: bool,
) -> NTSTATUS {
    enter(ddi, DISPATCH);
    let irp = irp_of(ddi, request);
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let found = with(|w| {
        let irp =
            w.io.irps
                .get_mut(&irp)
                .ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        if irp.create || irp.method() == METHOD_NEITHER {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let bytes = if output {
            irp.output_bytes
        } else {
            irp.input_bytes
        };
        if bytes == 0 || bytes < minimum {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        let direct = output && irp.method() != METHOD_BUFFERED;
        Ok((
            if direct {
                Err(irp.mdl)
            } else {
                Ok(irp.system_buffer.as_mut_ptr())
            },
            bytes,
        ))
    });
    match found {
        Err(status) => status,
        Ok((place, bytes)) => {
            let address: PVOID = match place {
                Ok(system) => system.cast(),
                Err(mdl) => crate::memory::system_address(mdl),
            };
            if address.is_null() {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
            // SAFETY: the caller's contract.
            unsafe {
                *buffer = address;
                if !length.is_null() {
                    *length = bytes;
                }
            }
            STATUS_SUCCESS
        }
    }
}

/// The MDL of the request's direct buffer: null for methods without one, with the status to return then.
pub(crate) fn direct_mdl(ddi: &'static str, request: WDFREQUEST) -> Result<PMDL, NTSTATUS> {
    let irp = irp_of(ddi, request);
    with(|w| match w.io.irps.get(&irp) {
        Some(irp) if irp.create || irp.method() == METHOD_NEITHER => {
            Err(STATUS_INVALID_DEVICE_REQUEST)
        }
        Some(irp) if irp.output_bytes == 0 => Err(STATUS_BUFFER_TOO_SMALL),
        Some(irp) => Ok(irp.mdl),
        None => Err(STATUS_INVALID_DEVICE_REQUEST),
    })
}
