//! Entering and leaving D0.

use super::config_space;
use crate::constants::*;
use crate::ddi::device::Device;
use crate::ddi::interrupt::{Interrupt, flush_dpc};
use crate::ddi::queue::{self, Queue};
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

fn managed_queues() -> Vec<u64> {
    with(|w| {
        let all = w.objects.of_type::<Queue>();
        all.into_iter()
            .filter(|queue| {
                w.objects
                    .peek::<Queue>(*queue)
                    .is_some_and(|queue| queue.power_managed)
            })
            .collect()
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
            disable_interrupts();
            if let Some(callback) = pnp.EvtDeviceD0Exit {
                // SAFETY: as above.
                call_at("EvtDeviceD0Exit", 0, || unsafe {
                    callback(device, _WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final)
                });
            }
            power_off();
            return status;
        }
    }
    let first = previous == _WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final;
    let self_managed = if first {
        pnp.EvtDeviceSelfManagedIoInit
    } else {
        pnp.EvtDeviceSelfManagedIoRestart
    };
    if let Some(callback) = self_managed {
        // SAFETY: as above.
        let status = call_at("EvtDeviceSelfManagedIo", 0, || unsafe { callback(device) });
        if status < 0 {
            return status;
        }
    }
    with(|w| w.pnp.queues_run = true);
    for queue in managed_queues() {
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

/// Takes the device out of D0: self-managed I/O, queues, EvtDeviceD0ExitPreInterruptsDisabled, interrupts, EvtDeviceD0Exit.
pub(crate) fn power_down(target: WDF_POWER_DEVICE_STATE) {
    let (device, pnp) = callbacks();
    if let Some(callback) = pnp.EvtDeviceSelfManagedIoSuspend {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtDeviceSelfManagedIoSuspend", 0, || unsafe {
            callback(device)
        });
    }
    let last = target == _WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final;
    with(|w| w.pnp.queues_run = false);
    let queues = managed_queues();
    let action = if last {
        _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopActionPurge
    } else {
        _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopActionSuspend
    };
    for queue in &queues {
        if last {
            queue::purge(*queue);
        }
        queue::stop_owned(*queue, action);
    }
    if !queue::wait_until_idle(&queues) {
        world::fatal(
            Rule::PowerBlocked,
            "power",
            "a request of a power-managed queue keeps the device from leaving D0",
        );
    }
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
