//! MSI-X: the service routine queues its deferred procedure call, and that reaps.

use core::sync::atomic::Ordering;

use wdk_sys::{
    CM_RESOURCE_INTERRUPT_MESSAGE, CmResourceTypeInterrupt, NTSTATUS,
    STATUS_DEVICE_CONFIGURATION_ERROR, WDFCMRESLIST, WDFINTERRUPT, WDFOBJECT,
    call_unsafe_wdf_function_binding,
};

use crate::context::ContextType;
use crate::device::{Card, card_of};
use crate::init;
use crate::status::check;
use crate::transfer::turn;
use crate::wait;

/// Messages that the device has at most.
const MOST: u32 = pinring_protocol::limits::VECTORS as u32;

/// Context of a WDFINTERRUPT.
struct InterruptContext {
    message: u16,
}

// SAFETY: plain data, for which zeroes are values.
static INTERRUPT: ContextType<InterruptContext> =
    unsafe { ContextType::new(c"PinringInterrupt", &INTERRUPT) };

/// Connects every message that the system gave, in order; returns how many. PASSIVE_LEVEL, in EvtDevicePrepareHardware: the framework
/// takes them away behind EvtDeviceReleaseHardware.
///
/// # Errors
/// There is none, or the framework refuses.
pub(crate) fn connect(
    card: &Card,
    raw: WDFCMRESLIST,
    translated: WDFCMRESLIST,
) -> Result<u16, NTSTATUS> {
    let mut messages = 0u16;
    // SAFETY: the lists are valid in EvtDevicePrepareHardware.
    let count = unsafe { call_unsafe_wdf_function_binding!(WdfCmResourceListGetCount, translated) };
    for index in 0..count {
        // SAFETY: as above; both lists have the same length.
        let (raw, translated) = unsafe {
            (
                call_unsafe_wdf_function_binding!(WdfCmResourceListGetDescriptor, raw, index),
                call_unsafe_wdf_function_binding!(
                    WdfCmResourceListGetDescriptor,
                    translated,
                    index
                ),
            )
        };
        if raw.is_null() || translated.is_null() {
            continue;
        }
        // SAFETY: descriptors live as long as their lists; they are packed, hence no references.
        let (kind, flags) = unsafe { ((*translated).Type, (*translated).Flags) };
        if u32::from(kind) != CmResourceTypeInterrupt
            || u32::from(flags) & CM_RESOURCE_INTERRUPT_MESSAGE == 0
            || u32::from(messages) == MOST
        {
            continue;
        }
        let mut config = init::interrupt();
        config.EvtInterruptIsr = Some(service);
        config.EvtInterruptDpc = Some(deferred);
        config.InterruptRaw = raw;
        config.InterruptTranslated = translated;
        let mut attributes = INTERRUPT.attributes(None);
        let mut interrupt: WDFINTERRUPT = core::ptr::null_mut();
        // SAFETY: device, settings, attributes and place are valid.
        check(unsafe {
            call_unsafe_wdf_function_binding!(
                WdfInterruptCreate,
                card.wdf,
                &raw mut config,
                &raw mut attributes,
                &raw mut interrupt
            )
        })?;
        // SAFETY: made with this context just now, and not yet connected.
        unsafe { (*INTERRUPT.of(interrupt.cast())).message = messages };
        messages += 1;
    }
    if messages == 0 {
        // The device has no line interrupt.
        return Err(STATUS_DEVICE_CONFIGURATION_ERROR);
    }
    Ok(messages)
}

/// EvtInterruptIsr. DIRQL: takes no lock and touches nothing but the counter and its DPC.
unsafe extern "C" fn service(interrupt: WDFINTERRUPT, _message: u32) -> u8 {
    // SAFETY: the interrupt is valid while it is connected.
    unsafe {
        let device = call_unsafe_wdf_function_binding!(WdfInterruptGetDevice, interrupt);
        card_of(device).interrupts.fetch_add(1, Ordering::Relaxed);
        // If it is queued already, it will see what this message is about.
        let _ = call_unsafe_wdf_function_binding!(WdfInterruptQueueDpcForIsr, interrupt);
    }
    // A message is the device's own.
    1
}

/// EvtInterruptDpc. DISPATCH_LEVEL: reaps the queues of the message and arms them again, completes WAITs, and has the work item look at the
/// rest.
unsafe extern "C" fn deferred(interrupt: WDFINTERRUPT, device: WDFOBJECT) {
    let card = card_of(device.cast());
    card.dpcs.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the interrupt has this context.
    let message = unsafe { (*INTERRUPT.of(interrupt.cast())).message };
    let work = card.state.with(|state| {
        let mut work = message == 0
            && state
                .device
                .as_ref()
                .is_some_and(|device| device.admin_waiting() != 0);
        for file in state.files() {
            // SAFETY: files on the list are alive, and the lock is held.
            let file = unsafe { &mut *file };
            turn(state, file, Some(message));
            work |= file.closing || file.lanes.iter().any(|lane| lane.special != 0);
        }
        work | !matches!(state.power, crate::state::Power::Running)
    });
    wait::serve_some(card);
    if work {
        card.wake();
    }
}
