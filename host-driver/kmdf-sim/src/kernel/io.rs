//! Io: the error log, and debug output.

use std::collections::BTreeMap;

use super::enter;
use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, DISPATCH, World, with};

#[derive(Default)]
pub(super) struct Log {
    pending: BTreeMap<usize, Box<[u64]>>,
    pub(super) written: Vec<(i32, i32)>,
}

/// Allocates an entry of the error log; null if there is no memory.
///
/// # Safety
/// The object is the driver's or its device's.
#[must_use]
pub unsafe fn IoAllocateErrorLogEntry(IoObject: PVOID, EntrySize: UCHAR) -> PVOID {
    let ddi = "IoAllocateErrorLogEntry";
    enter(ddi, DISPATCH);
    if IoObject.is_null() {
        world::violation(Rule::InvalidArgument, ddi, "no device or driver object");
    }
    let bytes = usize::from(EntrySize);
    if bytes < size_of::<IO_ERROR_LOG_PACKET>() - 8 || u32::from(EntrySize) > ERROR_LOG_MAXIMUM_SIZE
    {
        return core::ptr::null_mut();
    }
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    let mut entry = vec![
        0_u64;
        bytes
            .div_ceil(8)
            .max(size_of::<IO_ERROR_LOG_PACKET>().div_ceil(8))
    ]
    .into_boxed_slice();
    let address = entry.as_mut_ptr();
    with(|w| w.kernel.io.pending.insert(address.addr(), entry));
    address.cast()
}

/// Writes an entry of the error log, which is gone afterwards.
///
/// # Safety
/// The entry is from [`IoAllocateErrorLogEntry`].
pub unsafe fn IoWriteErrorLogEntry(ElEntry: PVOID) {
    let ddi = "IoWriteErrorLogEntry";
    enter(ddi, DISPATCH);
    let Some(entry) = with(|w| w.kernel.io.pending.remove(&ElEntry.addr())) else {
        world::fatal(
            Rule::InvalidArgument,
            ddi,
            format!("{ElEntry:?} is no entry in hand"),
        );
    };
    // SAFETY: the entry has at least the packet's size, and every bit pattern is a packet.
    let packet = unsafe { *entry.as_ptr().cast::<IO_ERROR_LOG_PACKET>() };
    with(|w| {
        w.kernel
            .io
            .written
            .push((packet.ErrorCode, packet.FinalStatus))
    });
}

/// Prints to the debugger, here the host's error output. Arguments after the format are not had: format before.
///
/// # Safety
/// The string ends with a zero.
pub unsafe fn DbgPrint(Format: PCSTR) -> ULONG {
    enter("DbgPrint", 15);
    // SAFETY: the caller's contract.
    let text = unsafe { core::ffi::CStr::from_ptr(Format) };
    eprint!("{}", text.to_string_lossy());
    0
}

pub(super) fn report_leaks(w: &mut World) {
    let left = w.kernel.io.pending.len();
    if left > 0 {
        w.violation(
            Rule::Leak,
            "IoAllocateErrorLogEntry",
            format!("{left} entries were neither written nor freed"),
        );
    }
}
