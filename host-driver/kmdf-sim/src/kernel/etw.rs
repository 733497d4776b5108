//! Event tracing: providers and what they wrote.

use super::enter;
use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, World, call_at, with};

/// An event that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// The provider.
    pub provider: GUID,
    /// Identifier in the event descriptor.
    pub id: u16,
    /// Level in the event descriptor.
    pub level: u8,
    /// The data, one after another.
    pub data: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Providers {
    registered: Vec<(u64, GUID)>,
    next: u64,
    pub(super) written: Vec<TraceEvent>,
}

/// Registers a provider; the enable callback is called at once, as if a session listened.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn EtwRegister(
    ProviderId: LPCGUID,
    EnableCallback: PETWENABLECALLBACK,
    CallbackContext: PVOID,
    RegHandle: PREGHANDLE,
) -> NTSTATUS {
    let ddi = "EtwRegister";
    enter(ddi, 0);
    if world::inject(ddi) {
        return STATUS_NO_MEMORY;
    }
    // SAFETY: the caller's contract.
    let provider = unsafe { *ProviderId };
    let handle = with(|w| {
        w.kernel.etw.next += 0x10;
        let handle = w.kernel.etw.next;
        w.kernel.etw.registered.push((handle, provider));
        handle
    });
    // SAFETY: the caller's contract.
    unsafe { *RegHandle = handle };
    if let Some(callback) = EnableCallback {
        // SAFETY: the driver's callback with the context it gave for it.
        call_at("ETWENABLECALLBACK", 0, || unsafe {
            callback(
                &provider,
                EVENT_CONTROL_CODE_ENABLE_PROVIDER,
                5,
                u64::MAX,
                0,
                core::ptr::null_mut(),
                CallbackContext,
            );
        });
    }
    STATUS_SUCCESS
}

/// Ends a registration.
///
/// # Safety
/// None needed.
pub unsafe fn EtwUnregister(RegHandle: REGHANDLE) -> NTSTATUS {
    enter("EtwUnregister", 0);
    with(|w| {
        let before = w.kernel.etw.registered.len();
        w.kernel
            .etw
            .registered
            .retain(|(handle, _)| *handle != RegHandle);
        if w.kernel.etw.registered.len() == before {
            w.violation(
                Rule::StaleHandle,
                "EtwUnregister",
                format!("{RegHandle:#x} is not registered"),
            );
            return STATUS_INVALID_HANDLE;
        }
        STATUS_SUCCESS
    })
}

/// Writes an event.
///
/// # Safety
/// The pointers are valid for what they say.
pub unsafe fn EtwWrite(
    RegHandle: REGHANDLE,
    EventDescriptor: PCEVENT_DESCRIPTOR,
    _ActivityId: LPCGUID,
    UserDataCount: ULONG,
    UserData: PEVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    unsafe {
        write(
            "EtwWrite",
            RegHandle,
            EventDescriptor,
            UserDataCount,
            UserData,
        )
    }
}

/// Writes an event that follows from another.
///
/// # Safety
/// The pointers are valid for what they say.
pub unsafe fn EtwWriteTransfer(
    RegHandle: REGHANDLE,
    EventDescriptor: PCEVENT_DESCRIPTOR,
    _ActivityId: LPCGUID,
    _RelatedActivityId: LPCGUID,
    UserDataCount: ULONG,
    UserData: PEVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    unsafe {
        write(
            "EtwWriteTransfer",
            RegHandle,
            EventDescriptor,
            UserDataCount,
            UserData,
        )
    }
}

unsafe fn write(
    ddi: &'static str,
    handle: u64,
    event: PCEVENT_DESCRIPTOR,
    count: u32,
    data: PEVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    enter(ddi, 15);
    if world::inject(ddi) {
        // Documented for an event that cannot be logged.
        return STATUS_INVALID_HANDLE;
    }
    let mut bytes = Vec::new();
    if count > 128 {
        return STATUS_INVALID_PARAMETER;
    }
    for index in 0..count as usize {
        // SAFETY: the caller's contract: `count` descriptors, each of memory that can be read.
        unsafe {
            let item = *data.add(index);
            let start: *const u8 = core::ptr::with_exposed_provenance(item.Ptr as usize);
            if item.Size > 0 {
                bytes.extend_from_slice(core::slice::from_raw_parts(start, item.Size as usize));
            }
        }
    }
    // SAFETY: the caller's contract.
    let event = unsafe { *event };
    with(|w| {
        let Some((_, provider)) = w
            .kernel
            .etw
            .registered
            .iter()
            .find(|(registered, _)| *registered == handle)
            .copied()
        else {
            w.violation(
                Rule::StaleHandle,
                ddi,
                format!("{handle:#x} is not registered"),
            );
            return STATUS_INVALID_HANDLE;
        };
        w.kernel.etw.written.push(TraceEvent {
            provider,
            id: event.Id,
            level: event.Level,
            data: bytes,
        });
        STATUS_SUCCESS
    })
}

pub(super) fn report_leaks(w: &mut World) {
    let left = w.kernel.etw.registered.len();
    if left > 0 {
        w.violation(
            Rule::Leak,
            "EtwRegister",
            format!("{left} providers are still registered"),
        );
    }
}
