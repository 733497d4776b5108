//! DriverEntry, unloading, and the exit of processes.

use core::sync::atomic::AtomicU64;

use wdk_sys::ntddk::PsSetCreateProcessNotifyRoutine;
use wdk_sys::{
    HANDLE, NTSTATUS, PCUNICODE_STRING, PDRIVER_OBJECT, STATUS_SUCCESS, WDF_DRIVER_CONFIG,
    WDF_NO_OBJECT_ATTRIBUTES, WDFDRIVER, call_unsafe_wdf_function_binding,
};

use crate::device::{self, Card, TEARDOWN_LIMIT_NS};
use crate::file::File;
use crate::init::size;
use crate::lock::Lock;
use crate::status::check;
use crate::time::wait_until;
use crate::trace;

/// What the driver has once.
pub(crate) struct Root {
    /// Handle of the ETW provider, or 0.
    pub(crate) trace: AtomicU64,
    /// Every card.
    pub(crate) cards: Lock<Cards>,
}

/// A list of the cards, the newest first.
pub(crate) struct Cards {
    pub(crate) first: *mut Card,
    pub(crate) next_serial: u64,
}

impl Root {
    const fn new() -> Self {
        Self {
            trace: AtomicU64::new(0),
            cards: Lock::new(Cards {
                first: core::ptr::null_mut(),
                next_serial: 0,
            }),
        }
    }
}

/// What the driver has once.
#[cfg(windows)]
pub(crate) fn root() -> &'static Root {
    static ROOT: Root = Root::new();
    &ROOT
}

/// What the driver has once on a simulated machine, of which each host thread has one.
#[cfg(not(windows))]
pub(crate) fn root() -> &'static Root {
    extern crate std;
    std::thread_local! {
        static ROOT: &'static Root = alloc::boxed::Box::leak(alloc::boxed::Box::new(Root::new()));
    }
    ROOT.with(|root| *root)
}

/// DriverEntry. PASSIVE_LEVEL.
///
/// # Safety
/// Called by the system, once, with the driver's object and registry path.
#[cfg_attr(windows, unsafe(export_name = "DriverEntry"))]
pub unsafe extern "system" fn driver_entry(
    driver: PDRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    root().cards.initialize();
    let mut config = WDF_DRIVER_CONFIG {
        Size: size::<WDF_DRIVER_CONFIG>(),
        EvtDriverDeviceAdd: Some(device::add),
        EvtDriverUnload: Some(unload),
        DriverPoolTag: u32::from_ne_bytes(*b"PinR"),
        ..WDF_DRIVER_CONFIG::default()
    };
    // SAFETY: the caller's arguments are valid; the framework's handle is not kept.
    let created = unsafe {
        call_unsafe_wdf_function_binding!(
            WdfDriverCreate,
            driver,
            registry_path,
            WDF_NO_OBJECT_ATTRIBUTES,
            &raw mut config,
            core::ptr::null_mut::<WDFDRIVER>()
        )
    };
    if let Err(status) = check(created) {
        return status;
    }
    trace::begin();
    // SAFETY: the routine stays until `unload` takes it away.
    let noticed = unsafe { PsSetCreateProcessNotifyRoutine(Some(process_notice), 0) };
    if let Err(status) = check(noticed) {
        trace::end();
        return status;
    }
    STATUS_SUCCESS
}

/// EvtDriverUnload. PASSIVE_LEVEL.
unsafe extern "C" fn unload(_driver: WDFDRIVER) {
    // SAFETY: registered in `driver_entry`; a routine that runs is waited for.
    let _ = unsafe { PsSetCreateProcessNotifyRoutine(Some(process_notice), 1) };
    trace::end();
}

/// A process begins or ends. PASSIVE_LEVEL, in the context of its last thread, before its address space goes.
///
/// With a completion port and a duplicated handle neither cancellation nor cleanup comes for what a process registered; its pages must be
/// unlocked all the same before it is gone (bug check 0x76).
unsafe extern "C" fn process_notice(_parent: HANDLE, process: HANDLE, create: u8) {
    if create != 0 {
        return;
    }
    // One card after the other, each referenced while it is worked on. Cards that come or go meanwhile make none be left out.
    let mut before = u64::MAX;
    while let Some(card) = newest_before(before) {
        before = card.serial;
        end_process(card, process);
        // SAFETY: referenced by `newest_before`.
        unsafe {
            call_unsafe_wdf_function_binding!(
                WdfObjectDereferenceActual,
                card.wdf.cast(),
                core::ptr::null_mut(),
                0,
                core::ptr::null()
            );
        }
    }
}

/// The newest card that is older than the one of this number, with a reference.
fn newest_before(serial: u64) -> Option<&'static Card> {
    root().cards.with(|cards| {
        // SAFETY: cards on the list are alive, and the list's lock is held.
        let mut card = unsafe { cards.first.as_ref() }?;
        while card.serial >= serial {
            // SAFETY: as above.
            card = unsafe { card.next.as_ref() }?;
        }
        // SAFETY: a card leaves the list before the framework gives its own reference up. The reference keeps the device, and the device
        // its card.
        unsafe {
            call_unsafe_wdf_function_binding!(
                WdfObjectReferenceActual,
                card.wdf.cast(),
                core::ptr::null_mut(),
                0,
                core::ptr::null()
            );
        }
        Some(card)
    })
}

/// Tears down what a process has with a card, and waits for it. Files without regions close too: a REGISTER may be on its way.
fn end_process(card: &'static Card, process: HANDLE) {
    let mut any = false;
    card.state.with(|state| {
        for file in state.files() {
            // SAFETY: files on the list are alive, and the lock is held.
            let file = unsafe { &mut *file };
            // One that is closed is the work item's, which ends it by itself.
            if file.process == process && !file.closed {
                file.begin_close();
                any = true;
            }
        }
    });
    if !any {
        return;
    }
    // Bounded. Behind a device that neither acknowledges nor resets nor gives the bus up the pages stay locked, and the system stops (bug
    // check 0x76): better than a device that writes what is somebody else's by then.
    let _ = wait_until(TEARDOWN_LIMIT_NS, || {
        card.state.with(|state| {
            // The card has its work item while one of its files is open, and under the lock none closes.
            // SAFETY: as above.
            let open = |file: *mut File| unsafe { (*file).process == process && !(*file).closed };
            if state.files().any(open) {
                card.wake();
            }
            state.is_settled(|file| file.process == process)
        })
    });
}
