//! Adding, starting, removing the device; unloading the driver.

use super::{config_space, list, make_list, power_down, power_up};
use crate::constants::*;
use crate::ddi::device::{Device, Init, Phase};
use crate::ddi::driver::Driver;
use crate::ddi::interrupt::Interrupt;
use crate::ddi::queue;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, WaitKey, call_at, object, with};

const FIRST_BAR: u64 = 0x0000_0040_0000_0000;

/// EvtDriverDeviceAdd, and the start of the device up to D0.
pub(crate) fn add_device() -> NTSTATUS {
    let driver = with(|w| w.pnp.driver);
    let callback = with(|w| {
        w.objects
            .peek::<Driver>(driver)
            .and_then(|driver| driver.config.EvtDriverDeviceAdd)
    });
    let Some(callback) = callback else {
        return STATUS_INVALID_DEVICE_STATE;
    };
    with(|w| w.pnp.failed = false);
    let init = object::create_checked("framework", None, core::ptr::null_mut(), Init::default());
    // SAFETY: the driver's callback with the objects it was registered for.
    let mut status = call_at("EvtDriverDeviceAdd", 0, || unsafe {
        callback(object::handle(driver), init.cast())
    });
    let device = with(|w| w.pnp.device);
    if device == 0 {
        object::delete("framework", init);
        if status >= 0 {
            world::violation(
                Rule::WrongPlace,
                "EvtDriverDeviceAdd",
                "success without a device",
            );
            status = STATUS_INVALID_DEVICE_STATE;
        }
        return status;
    }
    if status < 0 {
        delete_device();
        return status;
    }
    let (interfaces, sddl) = with(|w| {
        w.objects
            .peek::<Device>(device)
            .map_or((false, true), |device| {
                (!device.interfaces.is_empty(), device.init.sddl.is_some())
            })
    });
    if interfaces && !sddl {
        world::violation(
            Rule::Security,
            "WdfDeviceInitAssignSDDLString",
            "a device that applications can open has no security descriptor",
        );
    }
    let status = start();
    if status < 0 {
        tear_down();
        finish_removal();
        return status;
    }
    with(|w| w.pnp.interface_enabled = true);
    STATUS_SUCCESS
}

fn set_phase(phase: Phase) {
    with(|w| {
        let device = w.pnp.device;
        if let Some(device) = w.objects.peek::<Device>(device) {
            device.phase = phase;
        }
    });
}

fn pnp() -> (WDFDEVICE, WDF_PNPPOWER_EVENT_CALLBACKS) {
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

fn memory(start: u64, bytes: u64) -> CM_PARTIAL_RESOURCE_DESCRIPTOR {
    let mut descriptor = CM_PARTIAL_RESOURCE_DESCRIPTOR {
        Type: CmResourceTypeMemory as u8,
        ShareDisposition: 1,
        ..Default::default()
    };
    descriptor.u.Memory = _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_1 {
        Start: PHYSICAL_ADDRESS {
            QuadPart: start as i64,
        },
        Length: bytes as u32,
    };
    descriptor
}

fn message(number: u32, translated: bool) -> CM_PARTIAL_RESOURCE_DESCRIPTOR {
    let mut descriptor = CM_PARTIAL_RESOURCE_DESCRIPTOR {
        Type: CmResourceTypeInterrupt as u8,
        ShareDisposition: 1,
        Flags: (CM_RESOURCE_INTERRUPT_LATCHED | CM_RESOURCE_INTERRUPT_MESSAGE) as u16,
        ..Default::default()
    };
    let vector = with(|w| w.pnp.vector_of(number));
    descriptor.u.MessageInterrupt.__bindgen_anon_1 = if translated {
        _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1 {
            Translated: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_3 {
                Level: world::DIRQL.into(),
                Vector: vector,
                Affinity: 0b11,
            },
        }
    } else {
        _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1 {
            Raw: _CM_PARTIAL_RESOURCE_DESCRIPTOR__bindgen_ty_1__bindgen_ty_4__bindgen_ty_1__bindgen_ty_1 {
                Reserved: 0,
                MessageCount: 1,
                Vector: vector,
                Affinity: 0b11,
            },
        }
    };
    descriptor
}

fn assign_resources() {
    let (sizes, messages) = with(|w| {
        let granted = w.config.messages_granted;
        let sizes = w
            .hardware
            .as_ref()
            .map_or_else(Vec::new, |hardware| hardware.bars());
        let messages = w
            .hardware
            .as_ref()
            .map_or(0, |hardware| hardware.messages());
        (
            sizes,
            granted.map_or(messages, |granted| granted.min(messages)),
        )
    });
    // Elsewhere each time.
    let mut next = FIRST_BAR + (u64::from(with(|w| w.pnp.assignments)) << 32);
    let mut bars = Vec::new();
    for bytes in sizes {
        let align = bytes.next_power_of_two().max(4096);
        next = next.next_multiple_of(align);
        bars.push((next, bytes));
        next += align;
    }
    let lists = [false, true].map(|translated| {
        let memories = bars.iter().map(|(start, bytes)| memory(*start, *bytes));
        make_list(
            memories
                .chain((0..messages).map(|number| message(number, translated)))
                .collect(),
        )
    });
    with(|w| {
        w.pnp.first_message = bars.len();
        w.pnp.bars = bars;
        w.pnp.lists = Some((lists[0], lists[1]));
        w.pnp.translated = w
            .objects
            .peek::<crate::ddi::resource::ResourceList>(lists[1])
            .map_or(0, |list| list.descriptors.as_ptr().addr());
    });
    // Interrupts that were created before the resources were known take the messages in order.
    let mut number = 0;
    for interrupt in with(|w| w.objects.of_type::<Interrupt>()) {
        with(|w| {
            if let Some(data) = w.objects.peek::<Interrupt>(interrupt) {
                data.message = (!data.explicit && number < messages).then_some(number);
                number += 1;
            }
        });
    }
}

fn start() -> NTSTATUS {
    assign_resources();
    let (device, callbacks) = pnp();
    set_phase(Phase::Preparing);
    config_space::set_command(PCI_ENABLE_MEMORY_SPACE as u16);
    with(|w| {
        w.pnp.powered = true;
        w.with_hardware(|hardware, bus| hardware.power(bus, true));
    });
    if let Some(callback) = callbacks.EvtDevicePrepareHardware {
        // SAFETY: the driver's callback with the objects it was registered for.
        let status = call_at("EvtDevicePrepareHardware", 0, || unsafe {
            callback(device, list(true), list(false))
        });
        if status < 0 {
            release_hardware();
            return status;
        }
    }
    set_phase(Phase::Prepared);
    let status = power_up(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
    if status < 0 {
        release_hardware();
    }
    status
}

fn release_hardware() {
    let (device, callbacks) = pnp();
    set_phase(Phase::Released);
    if let Some(callback) = callbacks.EvtDeviceReleaseHardware {
        // SAFETY: the driver's callback with the objects it was registered for.
        call_at("EvtDeviceReleaseHardware", 0, || unsafe {
            callback(device, list(false))
        });
    }
    with(|w| {
        w.pnp.powered = false;
        crate::dma::resources_released(w);
        w.kernel.resources_released();
    });
    // Interrupts that were created in EvtDevicePrepareHardware go with the resources.
    for interrupt in with(|w| w.objects.of_type::<Interrupt>()) {
        if with(|w| {
            w.objects
                .peek::<Interrupt>(interrupt)
                .is_some_and(|interrupt| interrupt.explicit)
        }) {
            object::delete("framework", object::handle(interrupt));
        }
    }
    if let Some((raw, translated)) = with(|w| w.pnp.lists.take()) {
        object::delete("framework", object::handle(raw));
        object::delete("framework", object::handle(translated));
    }
}

/// Queues of one kind: waiting requests are cancelled, no more are accepted, and the driver must let go of the others.
fn purge_queues(power_managed: bool) {
    let queues = queue::of_kind(power_managed);
    for queue in &queues {
        queue::purge(*queue);
        queue::stop_owned(
            *queue,
            _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopActionPurge,
        );
    }
    if !queue::wait_until_idle(&queues) {
        world::fatal(
            Rule::RequestPended,
            "remove",
            "the driver keeps a request that it neither completes nor made cancelable",
        );
    }
}

fn self_managed(name: &'static str, which: fn(&WDF_PNPPOWER_EVENT_CALLBACKS) -> SelfManaged) {
    let (device, callbacks) = pnp();
    if with(|w| w.pnp.self_managed)
        && let Some(callback) = which(&callbacks)
    {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at(name, 0, || unsafe { callback(device) });
    }
}

type SelfManaged = Option<unsafe extern "C" fn(WDFDEVICE)>;

/// The part of every removal that does not wait for open handles: D0 exit, EvtDeviceReleaseHardware, interfaces, power-managed queues,
/// EvtDeviceSelfManagedIoFlush. Handles stay open, and what is sent through them still reaches the driver: EvtIoInCallerContext, and queues
/// without power management.
fn tear_down() {
    if with(|w| core::mem::replace(&mut w.pnp.torn_down, true)) {
        return;
    }
    let prepared = with(|w| {
        let device = w.pnp.device;
        let device = w.objects.peek::<Device>(device);
        device.is_some_and(|device| device.phase == Phase::Prepared)
    });
    if prepared {
        if with(|w| w.pnp.powered) {
            power_down(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
        }
        release_hardware();
    }
    with(|w| w.pnp.interface_enabled = false);
    purge_queues(true);
    self_managed("EvtDeviceSelfManagedIoFlush", |callbacks| {
        callbacks.EvtDeviceSelfManagedIoFlush
    });
}

/// The last part of a removal, when no handle is open: the other queues, EvtDeviceSelfManagedIoCleanup, the device object.
fn finish_removal() {
    purge_queues(false);
    self_managed("EvtDeviceSelfManagedIoCleanup", |callbacks| {
        callbacks.EvtDeviceSelfManagedIoCleanup
    });
    delete_device();
}

fn delete_device() {
    let device = with(|w| core::mem::take(&mut w.pnp.device));
    if device != 0 {
        object::delete("framework", object::handle(device));
    }
    with(|w| {
        w.pnp.removal_pending = false;
        w.pnp.gone = false;
        w.pnp.torn_down = false;
        w.pnp.surprised = false;
        w.pnp.self_managed = false;
    });
}

/// The rest of a removal, once the last handle is closed.
pub(crate) fn remove_if_unused() {
    let now = with(|w| {
        let due = w.pnp.removal_pending && w.io.open_files() == 0;
        if due && w.thread().is_some_and(|thread| !thread.frames.is_empty()) {
            // The Plug and Play manager removes from a thread of its own, never from within a driver.
            w.pnp.work.push_back(super::Work::Remove);
            w.wake(crate::ddi::work::WORK);
            return false;
        }
        w.pnp.removal_pending &= !due;
        due
    });
    if now {
        finish_removal();
    }
}

/// Orderly removal, which open handles prevent.
pub(crate) fn remove() -> NTSTATUS {
    let _manager = hold(Order::Manager);
    if with(|w| w.pnp.device) == 0 {
        return STATUS_NO_SUCH_DEVICE;
    }
    with(|w| {
        let pended = w.io.files_without_handles();
        if pended > 0 {
            w.violation(
                Rule::RequestPended,
                "remove",
                format!("requests of {pended} files are pended whose handles are closed"),
            );
        }
    });
    if with(|w| w.io.open_files()) > 0 {
        return STATUS_DEVICE_BUSY;
    }
    if with(|w| w.pnp.torn_down) {
        return STATUS_NO_SUCH_DEVICE;
    }
    let (device, callbacks) = pnp();
    if let Some(callback) = callbacks.EvtDeviceQueryRemove {
        // SAFETY: the driver's callback with the object it was registered for.
        let status = call_at("EvtDeviceQueryRemove", 0, || unsafe { callback(device) });
        if status < 0 {
            return status;
        }
    }
    // From here on the I/O manager opens no more; it may have meanwhile.
    let busy = with(|w| {
        let busy = w.io.open_files() > 0;
        w.pnp.interface_enabled &= busy;
        busy
    });
    if busy {
        return STATUS_DEVICE_BUSY;
    }
    {
        let _power = hold(Order::Power);
        tear_down();
    }
    with(|w| w.pnp.removal_pending = true);
    remove_if_unused();
    STATUS_SUCCESS
}

/// The device is pulled out.
pub(crate) fn surprise_remove() {
    if with(|w| w.pnp.device) == 0 {
        return;
    }
    with(|w| {
        w.pnp.gone = true;
        if let Some(hardware) = w.hardware.as_mut() {
            hardware.removed();
        }
    });
    // The bus driver takes a while to notice; until then everything goes on, with a device that does not answer.
    let delay = with(|w| {
        w.now_ps()
            + if w.config.preempt {
                w.random(100_000_000)
            } else {
                1_000_000
            }
    });
    crate::kernel::sleep_until(delay);
    let _manager = hold(Order::Manager);
    report_removal();
    {
        let _power = hold(Order::Power);
        tear_down();
    }
    wait_for_handles();
}

/// IRP_MN_SURPRISE_REMOVAL: no more opens, EvtDeviceSurpriseRemoval. It is not synchronised with the power callbacks.
fn report_removal() {
    let again = with(|w| {
        w.pnp.interface_enabled = false;
        w.pnp.device == 0 || core::mem::replace(&mut w.pnp.surprised, true)
    });
    let (device, callbacks) = pnp();
    if let Some(callback) = callbacks.EvtDeviceSurpriseRemoval
        && !again
    {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtDeviceSurpriseRemoval", 0, || unsafe {
            callback(device)
        });
    }
}

/// IRP_MN_REMOVE_DEVICE comes when the last handle is closed.
fn wait_for_handles() {
    with(|w| w.pnp.removal_pending = w.pnp.device != 0);
    remove_if_unused();
}

/// The device leaves D0, unless it is out of it.
pub(crate) fn sleep() {
    let _power = hold(Order::Power);
    if with(|w| w.pnp.device != 0 && w.pnp.powered && !w.pnp.torn_down) {
        power_down(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3);
    }
}

/// The device comes back to D0. If it fails to, it is removed as one that was pulled out: EvtDeviceReleaseHardware without EvtDeviceD0Exit,
/// then EvtDeviceSurpriseRemoval, and the rest when the last handle is closed.
pub(crate) fn wake() -> NTSTATUS {
    let status = {
        let _power = hold(Order::Power);
        if with(|w| w.pnp.device == 0 || w.pnp.torn_down) {
            return STATUS_NO_SUCH_DEVICE;
        }
        if with(|w| w.pnp.powered) {
            return STATUS_SUCCESS;
        }
        let status = power_up(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3);
        if status < 0 {
            fail();
        }
        status
    };
    if status < 0 {
        let _manager = hold(Order::Manager);
        report_removal();
        wait_for_handles();
    }
    status
}

/// The device failed: nothing of it is used any more.
fn fail() {
    with(|w| w.pnp.failed = true);
    tear_down();
}

/// The device is stopped, and started with other resources: its BARs and vectors are elsewhere, and it gets at most so many messages. Handles
/// stay open, and queues hold what comes. If it does not start again, it is removed.
pub(crate) fn rebalance(messages: Option<u32>) -> NTSTATUS {
    let _manager = hold(Order::Manager);
    if with(|w| w.pnp.device == 0 || w.pnp.torn_down) {
        return STATUS_NO_SUCH_DEVICE;
    }
    let (device, callbacks) = pnp();
    if let Some(callback) = callbacks.EvtDeviceQueryStop {
        // SAFETY: the driver's callback with the object it was registered for.
        let status = call_at("EvtDeviceQueryStop", 0, || unsafe { callback(device) });
        if status < 0 {
            return status;
        }
    }
    let status = {
        let _power = hold(Order::Power);
        if with(|w| w.pnp.torn_down) {
            return STATUS_NO_SUCH_DEVICE;
        }
        let status = restart(messages);
        if status < 0 {
            fail();
        }
        status
    };
    if status < 0 {
        report_removal();
        wait_for_handles();
    }
    status
}

fn restart(messages: Option<u32>) -> NTSTATUS {
    // A device is asked to stop in D0 only.
    if with(|w| !w.pnp.powered) {
        let status = power_up(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3);
        if status < 0 {
            return status;
        }
    }
    power_down(_WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
    release_hardware();
    with(|w| {
        w.config.messages_granted = messages;
        w.pnp.assignments += 1;
    });
    start()
}

/// Who must not come together.
#[derive(Clone, Copy)]
enum Order {
    /// What the Plug and Play manager asks for, one after the other.
    Manager,
    /// Callbacks that bring the device into and out of D0.
    Power,
}

/// Ends the exclusion.
struct Held(Order);

impl Drop for Held {
    fn drop(&mut self) {
        with(|w| {
            w.pnp.held[self.0 as usize] = false;
            w.wake(order_key(self.0));
        });
    }
}

fn order_key(order: Order) -> WaitKey {
    WaitKey((1 << 62) + 2 + order as u64)
}

fn hold(order: Order) -> Held {
    while with(|w| core::mem::replace(&mut w.pnp.held[order as usize], true)) {
        world::block(order_key(order), None);
    }
    Held(order)
}

/// EvtDriverUnload, and what must be gone then.
pub(crate) fn unload() {
    let driver = with(|w| w.pnp.driver);
    if let Some(callback) = with(|w| {
        w.objects
            .peek::<Driver>(driver)
            .and_then(|driver| driver.config.EvtDriverUnload)
    }) {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtDriverUnload", 0, || unsafe {
            callback(object::handle(driver))
        });
    }
    abandon_driver();
}

/// The driver object goes without EvtDriverUnload; nothing may be left.
pub(crate) fn abandon_driver() {
    let driver = with(|w| core::mem::take(&mut w.pnp.driver));
    if driver != 0 {
        object::delete("framework", object::handle(driver));
    }
    report_leaks();
}

/// Reports what is left when the driver is gone.
fn report_leaks() {
    with(|w| {
        crate::kernel::report_leaks(w);
        crate::dma::report_leaks(w);
        for (type_name, number, references) in w.objects.census() {
            w.violation(
                Rule::ObjectLeak,
                "unload",
                format!("{type_name} {number:#x} is left, with {references} references"),
            );
        }
        for (process, code) in crate::user::io::unfinished(w) {
            w.violation(
                Rule::RequestPended,
                "unload",
                format!("operation {code:#x} of process {process} was never completed"),
            );
        }
        if w.pnp.interface_references > 0 {
            w.violation(
                Rule::Leak,
                "WdfFdoQueryForInterface",
                "the bus interface was not dereferenced",
            );
        }
    });
}
