//! Interrupt objects.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::cpu::Dpc;
use crate::world::object::{self, Payload};
use crate::world::{self, DIRQL, DISPATCH, call_at, spin, with};

/// A WDFINTERRUPT.
pub(crate) struct Interrupt {
    pub(crate) config: WDF_INTERRUPT_CONFIG,
    pub(crate) device: u64,
    /// The device's message, once resources are known.
    pub(crate) message: Option<u32>,
    /// Created with the resource's descriptors, in EvtDevicePrepareHardware.
    pub(crate) explicit: bool,
    old_irql: u8,
    /// Processors that are in EvtInterruptDpc: it may be queued again while that runs.
    dpcs_running: u32,
}

impl Payload for Interrupt {
    const TYPE: &'static str = "WDFINTERRUPT";
    const DELETABLE: bool = false;
    fn cleanup(handle: HANDLE) {
        let number = object::number(handle);
        with(|w| {
            w.interrupts
                .connected
                .retain(|_, interrupt| *interrupt != number);
            w.cancel_dpc(Dpc::Interrupt(number));
            w.spin.forget(number);
        });
    }
}

/// Creates an interrupt object.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfInterruptCreate(
    Device: WDFDEVICE,
    Configuration: PWDF_INTERRUPT_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Interrupt: *mut WDFINTERRUPT,
) -> NTSTATUS {
    let ddi = "WdfInterruptCreate";
    enter(ddi, 0);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Configuration) };
    let phase = super::device::phase(ddi, Device);
    object::attributes(ddi, Attributes);
    if config.EvtInterruptIsr.is_none() {
        world::fatal(Rule::InvalidArgument, ddi, "EvtInterruptIsr is required");
    }
    if config.EvtInterruptDpc.is_some() && config.EvtInterruptWorkItem.is_some() {
        return STATUS_INVALID_PARAMETER;
    }
    let explicit = !config.InterruptRaw.is_null() || !config.InterruptTranslated.is_null();
    let allowed = if explicit {
        phase == super::device::Phase::Preparing
    } else {
        phase == super::device::Phase::Added
    };
    if !allowed || config.InterruptRaw.is_null() != config.InterruptTranslated.is_null() {
        world::violation(
            Rule::WrongPlace,
            ddi,
            "with both descriptors in EvtDevicePrepareHardware, without any in EvtDriverDeviceAdd: nowhere else",
        );
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if config.PassiveHandling != 0 || config.AutomaticSerialization != 0 {
        world::violation(
            Rule::InvalidArgument,
            ddi,
            "PassiveHandling and AutomaticSerialization are not had by this double",
        );
    }
    if config.ShareVector != 2 && config.ShareVector != 0 || config.ReportInactiveOnPowerDown > 2 {
        world::violation(
            Rule::StructureSize,
            ddi,
            "ShareVector: WdfUseDefault (2) or WdfFalse for a message",
        );
    }
    let message = if explicit {
        let message = with(|w| w.pnp.message_of(config.InterruptTranslated.addr()));
        if message.is_none() {
            world::violation(
                Rule::InvalidArgument,
                ddi,
                "InterruptTranslated is no message of the resources",
            );
            return STATUS_INVALID_PARAMETER;
        }
        message
    } else {
        None
    };
    let device = object::number(Device);
    let payload = self::Interrupt {
        config,
        device,
        message,
        explicit,
        old_irql: 0,
        dpcs_running: 0,
    };
    let created = object::create(ddi, Attributes, Device.cast(), payload);
    // SAFETY: the caller's contract.
    unsafe { super::hand_out(created, Interrupt) }
}

/// The spin lock: the one given, or the interrupt's own.
fn lock_of(ddi: &'static str, interrupt: HANDLE) -> u64 {
    object::get(ddi, interrupt, |interrupt_data: &mut Interrupt| {
        let given = interrupt_data.config.SpinLock;
        if given.is_null() {
            object::number(interrupt)
        } else {
            object::number(given)
        }
    })
}

/// A message has come: calls EvtInterruptIsr at DIRQL under the interrupt's lock.
pub(crate) fn service(number: u64, message: u32) {
    let handle: HANDLE = object::handle(number);
    let Some(routine) = with(|w| {
        w.objects
            .peek::<Interrupt>(number)
            .and_then(|interrupt| interrupt.config.EvtInterruptIsr)
    }) else {
        return;
    };
    let lock = lock_of("EvtInterruptIsr", handle);
    let old = with(|w| core::mem::replace(&mut w.cpu().irql, DIRQL));
    spin::acquire("EvtInterruptIsr", lock, DIRQL);
    // SAFETY: the driver's callback with the object it was registered for.
    call_at("EvtInterruptIsr", DIRQL, || unsafe {
        routine(handle.cast(), message)
    });
    world::point("EvtInterruptIsr", 1);
    // Not below DISPATCH yet: `deliver` goes on with DPCs itself.
    spin::release("EvtInterruptIsr", lock, DIRQL);
    with(|w| w.cpu().irql = old);
}

/// Calls EvtInterruptDpc.
pub(crate) fn deferred(number: u64) {
    let handle: HANDLE = object::handle(number);
    let found = with(|w| {
        let interrupt = w.objects.peek::<Interrupt>(number)?;
        interrupt.dpcs_running += 1;
        Some((interrupt.config.EvtInterruptDpc?, interrupt.device))
    });
    if let Some((routine, device)) = found {
        // SAFETY: the driver's callback with the objects it was registered for.
        call_at("EvtInterruptDpc", DISPATCH, || unsafe {
            routine(handle.cast(), object::handle(device))
        });
    }
    with(|w| {
        if let Some(interrupt) = w.objects.peek::<Interrupt>(number) {
            interrupt.dpcs_running -= 1;
        }
    });
    world::wake(world::WaitKey(number));
}

/// Waits until no deferred call of the interrupt is queued or runs.
pub(crate) fn flush_dpc(number: u64) {
    loop {
        let busy = with(|w| {
            w.cpus
                .iter()
                .any(|cpu| cpu.dpcs.contains(&Dpc::Interrupt(number)))
                || w.objects
                    .peek::<Interrupt>(number)
                    .is_some_and(|interrupt| interrupt.dpcs_running != 0)
        });
        if !busy {
            return;
        }
        let deadline = with(|w| w.now_ps()) + 1_000_000;
        world::block(world::WaitKey(number), Some(deadline));
    }
}

/// A worker thread calls EvtInterruptWorkItem.
pub(crate) fn run_work_item(number: u64) {
    let found = with(|w| {
        let interrupt = w.objects.peek::<Interrupt>(number)?;
        Some((interrupt.config.EvtInterruptWorkItem?, interrupt.device))
    });
    if let Some((routine, device)) = found {
        // SAFETY: the driver's callback with the objects it was registered for.
        call_at("EvtInterruptWorkItem", 0, || unsafe {
            routine(object::handle(number), object::handle(device))
        });
    }
}

/// Queues EvtInterruptDpc; false if it is queued.
///
/// # Safety
/// None needed.
pub unsafe fn WdfInterruptQueueDpcForIsr(Interrupt: WDFINTERRUPT) -> BOOLEAN {
    let ddi = "WdfInterruptQueueDpcForIsr";
    world::point(ddi, 1);
    let has = object::get(ddi, Interrupt.cast(), |interrupt: &mut self::Interrupt| {
        interrupt.config.EvtInterruptDpc.is_some()
    });
    if !has {
        world::violation(
            Rule::InvalidArgument,
            ddi,
            "the interrupt has no EvtInterruptDpc",
        );
        return 0;
    }
    let queued = with(|w| w.queue_dpc(Dpc::Interrupt(object::number(Interrupt))));
    world::interrupt::deliver();
    queued.into()
}

/// Queues EvtInterruptWorkItem; false if it is queued.
///
/// # Safety
/// None needed.
pub unsafe fn WdfInterruptQueueWorkItemForIsr(Interrupt: WDFINTERRUPT) -> BOOLEAN {
    let ddi = "WdfInterruptQueueWorkItemForIsr";
    world::point(ddi, 1);
    object::check(ddi, Interrupt.cast());
    let number = object::number(Interrupt);
    let queued =
        with(|w| {
            if w.pnp.work.iter().any(
                |work| matches!(work, crate::pnp::Work::Interrupt(queued) if *queued == number),
            ) {
                return false;
            }
            w.pnp.work.push_back(crate::pnp::Work::Interrupt(number));
            true
        });
    world::wake(super::work::WORK);
    queued.into()
}

/// The device of an interrupt.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfInterruptGetDevice(Interrupt: WDFINTERRUPT) -> WDFDEVICE {
    let ddi = "WdfInterruptGetDevice";
    world::point(ddi, 1);
    object::handle(object::get(
        ddi,
        Interrupt.cast(),
        |interrupt: &mut self::Interrupt| interrupt.device,
    ))
}

/// Takes the interrupt's lock; IRQL becomes the interrupt's.
///
/// # Safety
/// None needed.
pub unsafe fn WdfInterruptAcquireLock(Interrupt: WDFINTERRUPT) {
    let ddi = "WdfInterruptAcquireLock";
    enter(ddi, DIRQL);
    let lock = lock_of(ddi, Interrupt.cast());
    let old = spin::acquire(ddi, lock, DIRQL);
    object::get(ddi, Interrupt.cast(), |interrupt: &mut self::Interrupt| {
        interrupt.old_irql = old
    });
    world::point(ddi, 0);
}

/// Releases the interrupt's lock; IRQL is as before.
///
/// # Safety
/// None needed.
pub unsafe fn WdfInterruptReleaseLock(Interrupt: WDFINTERRUPT) {
    let ddi = "WdfInterruptReleaseLock";
    enter(ddi, DIRQL);
    let old = object::get(ddi, Interrupt.cast(), |interrupt: &mut self::Interrupt| {
        interrupt.old_irql
    });
    spin::release(ddi, lock_of(ddi, Interrupt.cast()), old);
}

/// Tells about the interrupt's vector.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn WdfInterruptGetInfo(Interrupt: WDFINTERRUPT, Info: PWDF_INTERRUPT_INFO) {
    let ddi = "WdfInterruptGetInfo";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    let mut info = unsafe { object::sized(ddi, Info) };
    let message = object::get(ddi, Interrupt.cast(), |interrupt: &mut self::Interrupt| {
        interrupt.message
    });
    if let Some(message) = message {
        info.MessageNumber = message;
        info.Vector = with(|w| w.pnp.vector_of(message));
        info.Irql = DIRQL;
        info.Mode = _KINTERRUPT_MODE::Latched;
        info.MessageSignaled = 1;
        info.TargetProcessorSet = with(|w| (1 << w.cpus.len()) - 1);
    }
    // SAFETY: the caller's contract.
    unsafe { *Info = info };
}

/// Calls a function under the interrupt's lock.
///
/// # Safety
/// The function takes the context.
pub unsafe fn WdfInterruptSynchronize(
    Interrupt: WDFINTERRUPT,
    Callback: PFN_WDF_INTERRUPT_SYNCHRONIZE,
    Context: WDFCONTEXT,
) -> BOOLEAN {
    let ddi = "WdfInterruptSynchronize";
    enter(ddi, DIRQL);
    let lock = lock_of(ddi, Interrupt.cast());
    let old = spin::acquire(ddi, lock, DIRQL);
    let result = match Callback {
        // SAFETY: the caller's contract.
        Some(callback) => call_at("EvtInterruptSynchronize", DIRQL, || unsafe {
            callback(Interrupt, Context)
        }),
        None => 0,
    };
    spin::release(ddi, lock, old);
    result
}
