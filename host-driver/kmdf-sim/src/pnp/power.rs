//! Entering and leaving D0.

use super::config_space;
use crate::constants::*;
use crate::ddi::device::Device;
use crate::ddi::interrupt::{Interrupt, flush_dpc};
use crate::ddi::queue;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, DIRQL, call_at, object, spin, with};

fn callbacks() -> (WDFDEVICE, WDF_PNPPOWER_EVENT_CALLBACKS) {
    with(|w| {
        let device = w.pnp.device;
        (
            object::handle(device),
            w.objects
                .peek::<Device>(device)
                .map(|device| device.init.pnp)
                .unwrap_or_default(),
        )
    })
}

/// Brings the device to D0: EvtDeviceD0Entry, interrupts, EvtDeviceD0EntryPostInterruptsEnabled, self-managed I/O, queues.
pub(crate) fn power_up(previous: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
    let (device, pnp) = callbacks();
    with(|w| {
        w.pnp.powered = true;
        w.with_hardware(|hardware, bus| hardware.power(bus, true));
    });
    config_space::set_command((PCI_ENABLE_MEMORY_SPACE | PCI_ENABLE_BUS_MASTER) as u16);
    if let Some(callback) = pnp.EvtDeviceD0Entry {
        // SAFETY: the driver's callback with the object it was registered for.
        let status = call_at("EvtDeviceD0Entry", 0, || unsafe {
            callback(device, previous)
        });
        if status < 0 {
            power_off();
            return status;
        }
    }
    for interrupt in with(|w| w.objects.of_type::<Interrupt>()) {
        enable(interrupt);
    }
    if let Some(callback) = pnp.EvtDeviceD0EntryPostInterruptsEnabled {
        // SAFETY: as above.
        let status = call_at("EvtDeviceD0EntryPostInterruptsEnabled", 0, || unsafe {
            callback(device, previous)
        });
        if status < 0 {
            leave_d0(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
            return status;
        }
    }
    // Once in the device's life, however often its resources change.
    let again = with(|w| core::mem::replace(&mut w.pnp.self_managed, true));
    let self_managed = if again {
        pnp.EvtDeviceSelfManagedIoRestart
    } else {
        pnp.EvtDeviceSelfManagedIoInit
    };
    if let Some(callback) = self_managed {
        // SAFETY: as above.
        let status = call_at("EvtDeviceSelfManagedIo", 0, || unsafe { callback(device) });
        if status < 0 {
            leave_d0(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
            return status;
        }
    }
    with(|w| w.pnp.queues_run = true);
    for queue in queue::of_kind(true) {
        queue::resume_owned(queue);
    }
    queue::dispatch_all();
    STATUS_SUCCESS
}

fn power_off() {
    config_space::set_command(0);
    with(|w| {
        w.pnp.powered = false;
        w.with_hardware(|hardware, bus| hardware.power(bus, false));
    });
}

fn at_dirql(name: &'static str, interrupt: u64, callback: PFN_WDF_INTERRUPT_ENABLE) {
    let Some((callback, device, lock)) = with(|w| {
        let data = w.objects.peek::<Interrupt>(interrupt)?;
        let lock = if data.config.SpinLock.is_null() {
            interrupt
        } else {
            object::number(data.config.SpinLock)
        };
        Some((callback?, data.device, lock))
    }) else {
        return;
    };
    let old = spin::acquire(name, lock, DIRQL);
    // SAFETY: the driver's callback with the objects it was registered for.
    call_at(name, DIRQL, || unsafe {
        callback(object::handle(interrupt), object::handle(device))
    });
    spin::release(name, lock, old);
}

fn enable(interrupt: u64) {
    let Some((message, callback)) = with(|w| {
        w.objects
            .peek::<Interrupt>(interrupt)
            .map(|data| (data.message, data.config.EvtInterruptEnable))
    }) else {
        return;
    };
    let Some(message) = message else {
        return;
    };
    with(|w| {
        w.interrupts.connected.insert(message, interrupt);
        w.with_hardware(|hardware, _| hardware.connect(message, true));
        w.collect_messages_now();
    });
    at_dirql("EvtInterruptEnable", interrupt, callback);
}

fn disable_interrupts() {
    for interrupt in with(|w| w.objects.of_type::<Interrupt>()) {
        let Some((message, callback)) = with(|w| {
            w.objects
                .peek::<Interrupt>(interrupt)
                .map(|data| (data.message, data.config.EvtInterruptDisable))
        }) else {
            continue;
        };
        at_dirql("EvtInterruptDisable", interrupt, callback);
        if let Some(message) = message {
            with(|w| {
                w.interrupts.connected.remove(&message);
                w.with_hardware(|hardware, _| hardware.connect(message, false));
            });
        }
        flush_dpc(interrupt);
    }
}

/// Takes the device out of D0: self-managed I/O, queues, EvtDeviceD0ExitPreInterruptsDisabled, interrupts, EvtDeviceD0Exit. Queues go on
/// accepting, and hold what they accept.
pub(crate) fn power_down(target: WDF_POWER_DEVICE_STATE) {
    let (device, pnp) = callbacks();
    if let Some(callback) = pnp.EvtDeviceSelfManagedIoSuspend {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtDeviceSelfManagedIoSuspend", 0, || unsafe {
            callback(device)
        });
    }
    with(|w| w.pnp.queues_run = false);
    let queues = queue::of_kind(true);
    for queue in &queues {
        queue::stop_owned(
            *queue,
            _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopActionSuspend,
        );
    }
    if !queue::wait_until_idle(&queues) {
        world::fatal(
            Rule::PowerBlocked,
            "power",
            "a request of a power-managed queue keeps the device from leaving D0",
        );
    }
    leave_d0(target);
}

fn leave_d0(target: WDF_POWER_DEVICE_STATE) {
    let (device, pnp) = callbacks();
    if let Some(callback) = pnp.EvtDeviceD0ExitPreInterruptsDisabled {
        // SAFETY: as above.
        call_at("EvtDeviceD0ExitPreInterruptsDisabled", 0, || unsafe {
            callback(device, target)
        });
    }
    disable_interrupts();
    if let Some(callback) = pnp.EvtDeviceD0Exit {
        // SAFETY: as above.
        call_at("EvtDeviceD0Exit", 0, || unsafe { callback(device, target) });
    }
    power_off();
}
