//! What operators see: events of the provider {e0f6a1c2-3a52-4e0b-9d5c-7a2f0c6b41d8} (ETW), and the system's event log.
//!
//! An event has up to four 64-bit numbers; there are no texts to format, and nothing is traced for a transfer.
//!
//! | event | numbers | event log |
//! |---|---|---|
//! | 1 settings | tier limit, prepare depth, cap of a handle, cap of the device | no |
//! | 2 started | MSI-X messages, why not Bypass, why not MappedOnce, longest list in bytes | yes |
//! | 3 tier | tier of a registration, reason that it is not stronger, bytes, nanoseconds; logged once for each handle, tier and reason | yes |
//! | 4 shortage | lists in force when map registers ran out | no |
//! | 5 reset | cause (`cause::Cause`), resets so far | yes |
//! | 6 failed | cause, two numbers that explain it | yes |
//! | 7 stuck | Bus Master Enable does not read back as 0: memory stays mapped | yes |
//! | 8 stopped | regions torn down | no |

use core::sync::atomic::Ordering;

use wdk_sys::ntddk::{
    EtwRegister, EtwUnregister, EtwWrite, IoAllocateErrorLogEntry, IoWriteErrorLogEntry,
};
use wdk_sys::{
    EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, IO_ERROR_LOG_PACKET, WDFDEVICE,
    call_unsafe_wdf_function_binding,
};

use crate::entry::root;

/// The provider.
static PROVIDER: GUID = GUID {
    Data1: 0xe0f6_a1c2,
    Data2: 0x3a52,
    Data3: 0x4e0b,
    Data4: [0x9d, 0x5c, 0x7a, 0x2f, 0x0c, 0x6b, 0x41, 0xd8],
};

/// Number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Event {
    Settings = 1,
    Started = 2,
    Tier = 3,
    Shortage = 4,
    Reset = 5,
    Failed = 6,
    Stuck = 7,
    Stopped = 8,
}

/// Registers the provider. PASSIVE_LEVEL.
pub(crate) fn begin() {
    let mut handle = 0;
    // SAFETY: the identifier and the place for the handle are valid, and there is no callback.
    let status = unsafe {
        EtwRegister(
            &raw const PROVIDER,
            None,
            core::ptr::null_mut(),
            &raw mut handle,
        )
    };
    // Without the provider events are lost, and nothing else.
    root()
        .trace
        .store(if status >= 0 { handle } else { 0 }, Ordering::Release);
}

/// Takes the provider away. PASSIVE_LEVEL.
pub(crate) fn end() {
    let handle = root().trace.swap(0, Ordering::AcqRel);
    if handle != 0 {
        // SAFETY: registered in `begin`, and nobody writes events at unload.
        let _ = unsafe { EtwUnregister(handle) };
    }
}

/// Writes an event. IRQL <= DISPATCH_LEVEL.
pub(crate) fn event(event: Event, numbers: &[u64]) {
    let handle = root().trace.load(Ordering::Acquire);
    if handle == 0 {
        return;
    }
    let descriptor = EVENT_DESCRIPTOR {
        Id: event as u16,
        Level: if matches!(event, Event::Failed | Event::Stuck) {
            2
        } else {
            4
        },
        ..EVENT_DESCRIPTOR::default()
    };
    let mut data = [EVENT_DATA_DESCRIPTOR::default(); 4];
    let count = numbers.len().min(data.len());
    for (item, number) in data.iter_mut().zip(numbers) {
        item.Ptr = core::ptr::from_ref(number).addr() as u64;
        item.Size = size_of::<u64>() as u32;
    }
    // SAFETY: the handle is registered; descriptor and data live through the call. An event that is lost is lost.
    let _ = unsafe {
        EtwWrite(
            handle,
            &raw const descriptor,
            core::ptr::null(),
            count as u32,
            data.as_mut_ptr(),
        )
    };
}

/// Writes an event, and an entry of the system's event log. IRQL <= DISPATCH_LEVEL.
pub(crate) fn operator(device: WDFDEVICE, which: Event, numbers: &[u64]) {
    event(which, numbers);
    let dump = numbers.len().min(4) * size_of::<u64>();
    let bytes = size_of::<IO_ERROR_LOG_PACKET>() + dump;
    // SAFETY: the device's handle is valid.
    let object = unsafe { call_unsafe_wdf_function_binding!(WdfDeviceWdmGetDeviceObject, device) };
    // SAFETY: the device object is valid.
    let entry = unsafe { IoAllocateErrorLogEntry(object.cast(), bytes as u8) };
    if entry.is_null() {
        return;
    }
    let packet = IO_ERROR_LOG_PACKET {
        DumpDataSize: dump as u16,
        // Severity informational or error, customer code, the driver's facility.
        ErrorCode: match which {
            Event::Started | Event::Tier => 0x60a1_0000_u32,
            _ => 0xe0a1_0000_u32,
        } as i32
            | 0x1000
            | which as i32,
        UniqueErrorValue: which as u32,
        ..IO_ERROR_LOG_PACKET::default()
    };
    // SAFETY: the entry has room for the packet and, behind its head, for the numbers; it is not touched after it is written.
    unsafe {
        entry.cast::<IO_ERROR_LOG_PACKET>().write(packet);
        let at = entry
            .cast::<u8>()
            .add(core::mem::offset_of!(IO_ERROR_LOG_PACKET, DumpData));
        for (index, number) in numbers.iter().take(4).enumerate() {
            at.cast::<u64>().add(index).write_unaligned(*number);
        }
        IoWriteErrorLogEntry(entry);
    }
}
