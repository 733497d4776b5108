//! The device: its making, its resources, its power, its removal.

use alloc::boxed::Box;
use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use pinring_core::{Config, Device, StartError};
use pinring_protocol::registers;
use wdk_sys::ntddk::{MmMapIoSpaceEx, MmUnmapIoSpace};
use wdk_sys::{
    _WDF_EXECUTION_LEVEL, _WDF_IO_QUEUE_DISPATCH_TYPE, _WDF_TRI_STATE, CmResourceTypeMemory,
    FILE_DEVICE_SECURE_OPEN, GUID, NTSTATUS, PAGE_NOCACHE, PAGE_READWRITE, PHYSICAL_ADDRESS,
    PWDFDEVICE_INIT, STATUS_DEVICE_BUSY, STATUS_DEVICE_CONFIGURATION_ERROR,
    STATUS_DEVICE_HARDWARE_ERROR, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    WDF_IO_QUEUE_CONFIG, WDF_OBJECT_ATTRIBUTES, WDF_PNPPOWER_EVENT_CALLBACKS,
    WDF_POWER_DEVICE_STATE, WDFCMRESLIST, WDFDEVICE, WDFDRIVER, WDFOBJECT, WDFQUEUE, WDFTIMER,
    WDFWORKITEM, call_unsafe_wdf_function_binding,
};

use crate::cause::{Cause, Why};
use crate::context::ContextType;
use crate::dma::Hardware;
use crate::entry::root;
use crate::file::{self, FILE};
use crate::init::{self, size, unicode, wide};
use crate::lock::Lock;
use crate::memory::boxed;
use crate::mmio::Bar;
use crate::platform::KmdfPlatform;
use crate::region::{self, REQUEST};
use crate::registry::Settings;
use crate::state::{ADMIN_LIMIT_NS, Power, SILENT_RESETS, START_LIMIT_NS, State};
use crate::status::check;
use crate::time::{ms, now_ns, pause, wait_until};
use crate::trace::{self, Event};
use crate::transfer::turn;
use crate::{interrupt, ioctl, wait, work};

/// Who may open the device: the system and administrators everything, interactive users read and write. Transfers reach nothing but the
/// buffers of the process that registered them, so that this is a matter of who may use the card; an INF may narrow it.
const SDDL: &[u16] = wide!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGW;;;IU)");
/// Regions that the device is opened with, unless it has fewer.
const REGIONS: u32 = 1024;
/// Entries of the admin rings.
const ADMIN_ENTRIES: u32 = 64;
/// What is in flight at D0Exit may end by itself for this long.
const DRAIN_LIMIT_NS: u64 = ms(50);
/// A teardown is waited for this long: until the device has acknowledged, or was reset as often as it is, or was given up.
pub(crate) const TEARDOWN_LIMIT_NS: u64 =
    (SILENT_RESETS as u64 + 1) * (ADMIN_LIMIT_NS + START_LIMIT_NS);

/// Context of a WDFDEVICE.
struct CardContext {
    card: *mut Card,
}

// SAFETY: a pointer, for which zeroes are a value.
static CARD: ContextType<CardContext> = unsafe { ContextType::new(c"PinringCard", &CARD) };

/// One card.
pub(crate) struct Card {
    /// Next on the driver's list, which has its own lock.
    pub(crate) next: *mut Self,
    /// Its number; the list goes from the greatest to the least.
    pub(crate) serial: u64,
    pub(crate) wdf: WDFDEVICE,
    pub(crate) settings: Settings,
    pub(crate) state: Lock<State>,
    /// REGISTER requests that stand for a registration, and WAITs. Neither is power-managed.
    pub(crate) registrations: WDFQUEUE,
    pub(crate) waits: WDFQUEUE,
    work: WDFWORKITEM,
    timer: WDFTIMER,
    /// Null outside EvtDevicePrepareHardware to EvtDeviceReleaseHardware.
    hardware: AtomicPtr<Hardware>,
    pub(crate) interrupts: AtomicU64,
    pub(crate) dpcs: AtomicU64,
}

impl Card {
    /// Has the work item look. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn wake(&self) {
        // SAFETY: the work item lives as long as the device.
        unsafe { call_unsafe_wdf_function_binding!(WdfWorkItemEnqueue, self.work) };
    }

    /// Has the work item look in a while. IRQL <= DISPATCH_LEVEL.
    pub(crate) fn start_timer(&self, due: i64) {
        // SAFETY: the timer lives as long as the device.
        let _ = unsafe { call_unsafe_wdf_function_binding!(WdfTimerStart, self.timer, due) };
    }
}

/// The card of a device that [`add`] made.
pub(crate) fn card_of(device: WDFDEVICE) -> &'static Card {
    // SAFETY: every device of this driver has this context and, once `add` has returned, a card, which lives as long as the device. What
    // the framework calls back, it calls with a device that lives; the name 'static stands for that.
    unsafe { &*(*CARD.of(device.cast())).card }
}

/// EvtDriverDeviceAdd. PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn add(driver: WDFDRIVER, init: PWDFDEVICE_INIT) -> NTSTATUS {
    match make(driver, init) {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    }
}

fn make(driver: WDFDRIVER, mut init: PWDFDEVICE_INIT) -> Result<(), NTSTATUS> {
    let settings = Settings::read(driver);
    trace::event(
        Event::Settings,
        &[
            settings.tier_limit.into(),
            settings.prepare_depth.into(),
            settings.handle_cap,
            settings.device_cap,
        ],
    );
    let mut power = WDF_PNPPOWER_EVENT_CALLBACKS {
        Size: size::<WDF_PNPPOWER_EVENT_CALLBACKS>(),
        EvtDevicePrepareHardware: Some(prepare_hardware),
        EvtDeviceReleaseHardware: Some(release_hardware),
        EvtDeviceD0Entry: Some(d0_entry),
        EvtDeviceD0EntryPostInterruptsEnabled: Some(d0_entry_interrupts),
        EvtDeviceD0Exit: Some(d0_exit),
        EvtDeviceSurpriseRemoval: Some(surprise_removal),
        ..WDF_PNPPOWER_EVENT_CALLBACKS::default()
    };
    let mut files = init::files();
    files.EvtDeviceFileCreate = Some(file::create);
    files.EvtFileCleanup = Some(file::cleanup);
    files.EvtFileClose = Some(file::close);
    let mut file_attributes = FILE.attributes(None);
    let mut request_attributes = REQUEST.attributes(None);
    let mut sddl = unicode(SDDL);
    let mut attributes = CARD.attributes(Some(destroy));
    attributes.EvtCleanupCallback = Some(unlink);
    let mut device: WDFDEVICE = core::ptr::null_mut();
    // SAFETY: the framework's `init` is ours until WdfDeviceCreate takes it; everything else is valid, and is copied.
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfDeviceInitSetPnpPowerEventCallbacks,
            init,
            &raw mut power
        );
        call_unsafe_wdf_function_binding!(
            WdfDeviceInitSetFileObjectConfig,
            init,
            &raw mut files,
            &raw mut file_attributes
        );
        call_unsafe_wdf_function_binding!(
            WdfDeviceInitSetRequestAttributes,
            init,
            &raw mut request_attributes
        );
        call_unsafe_wdf_function_binding!(
            WdfDeviceInitSetIoInCallerContextCallback,
            init,
            Some(ioctl::in_caller_context)
        );
        call_unsafe_wdf_function_binding!(
            WdfDeviceInitSetCharacteristics,
            init,
            FILE_DEVICE_SECURE_OPEN,
            1
        );
        check(call_unsafe_wdf_function_binding!(
            WdfDeviceInitAssignSDDLString,
            init,
            &raw mut sddl
        ))?;
        check(call_unsafe_wdf_function_binding!(
            WdfDeviceCreate,
            &raw mut init,
            &raw mut attributes,
            &raw mut device
        ))?;
    }
    let mut card = boxed(Card {
        next: core::ptr::null_mut(),
        serial: 0,
        wdf: device,
        settings,
        state: Lock::new(State::new()),
        registrations: core::ptr::null_mut(),
        waits: core::ptr::null_mut(),
        work: core::ptr::null_mut(),
        timer: core::ptr::null_mut(),
        hardware: AtomicPtr::new(core::ptr::null_mut()),
        interrupts: AtomicU64::new(0),
        dpcs: AtomicU64::new(0),
    })
    .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    card.state.initialize();
    card.state.with(|state| state.wdf = device);
    parts(&mut card)?;
    let card = Box::into_raw(card);
    // SAFETY: the context is the device's, whose destruction frees the card. On the driver's list it is from here on.
    unsafe {
        (*CARD.of(device.cast())).card = card;
        root().cards.with(|cards| {
            (*card).next = cards.first;
            (*card).serial = cards.next_serial;
            cards.next_serial += 1;
            cards.first = card;
        });
    }
    let interface = pinring_ioctl::INTERFACE;
    let class = GUID {
        Data1: interface.data1,
        Data2: interface.data2,
        Data3: interface.data3,
        Data4: interface.data4,
    };
    // SAFETY: device and identifier are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfDeviceCreateDeviceInterface,
            device,
            &raw const class,
            core::ptr::null()
        )
    })
}

/// Queues, work item and timer: children of the device, which go with it.
fn parts(card: &mut Card) -> Result<(), NTSTATUS> {
    let device = card.wdf;
    let make = |mut config: WDF_IO_QUEUE_CONFIG, mut attributes: WDF_OBJECT_ATTRIBUTES| {
        let mut queue: WDFQUEUE = core::ptr::null_mut();
        // SAFETY: everything is valid, and is copied.
        check(unsafe {
            call_unsafe_wdf_function_binding!(
                WdfIoQueueCreate,
                device,
                &raw mut config,
                &raw mut attributes,
                &raw mut queue
            )
        })?;
        Ok::<WDFQUEUE, NTSTATUS>(queue)
    };
    let mut requests = init::queue(
        _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel,
        _WDF_TRI_STATE::WdfUseDefault,
    );
    requests.DefaultQueue = 1;
    requests.EvtIoDeviceControl = Some(ioctl::control);
    requests.EvtIoStop = Some(ioctl::stop);
    let mut passive = init::attributes();
    // REGISTER maps memory.
    passive.ExecutionLevel = _WDF_EXECUTION_LEVEL::WdfExecutionLevelPassive;
    make(requests, passive)?;
    let manual = || {
        init::queue(
            _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual,
            _WDF_TRI_STATE::WdfFalse,
        )
    };
    let mut registrations = manual();
    registrations.EvtIoCanceledOnQueue = Some(region::cancelled);
    card.registrations = make(registrations, init::attributes())?;
    let mut waits = manual();
    waits.EvtIoCanceledOnQueue = Some(wait::cancelled);
    card.waits = make(waits, init::attributes())?;

    let mut child = init::attributes();
    child.ParentObject = device.cast();
    let mut item = init::work_item();
    item.EvtWorkItemFunc = Some(work::item);
    let mut timer = init::timer();
    timer.EvtTimerFunc = Some(work::timer);
    // SAFETY: everything is valid, and is copied.
    unsafe {
        check(call_unsafe_wdf_function_binding!(
            WdfWorkItemCreate,
            &raw mut item,
            &raw mut child,
            &raw mut card.work
        ))?;
        check(call_unsafe_wdf_function_binding!(
            WdfTimerCreate,
            &raw mut timer,
            &raw mut child,
            &raw mut card.timer
        ))
    }
}

/// EvtCleanupCallback of the device: nobody may find the card any more. The framework's reference is the last to go, so that whoever found it
/// before could still reference it. PASSIVE_LEVEL.
unsafe extern "C" fn unlink(device: WDFOBJECT) {
    // SAFETY: the device is valid; one that `add` could not finish has no card.
    let card = unsafe { (*CARD.of(device)).card };
    if card.is_null() {
        return;
    }
    root().cards.with(|cards| {
        let mut place = &raw mut cards.first;
        // SAFETY: every card on the list is alive, and the list's lock is held.
        unsafe {
            while !(*place).is_null() {
                if *place == card {
                    *place = (*card).next;
                    break;
                }
                place = &raw mut (**place).next;
            }
        }
    });
}

/// EvtDestroyCallback of the device: nobody can call anything any more. IRQL <= DISPATCH_LEVEL.
unsafe extern "C" fn destroy(device: WDFOBJECT) {
    // SAFETY: the context lives until this returns; a device that `add` could not finish has no card.
    let card = unsafe { (*CARD.of(device)).card };
    if card.is_null() {
        return;
    }
    // SAFETY: made by `Box::into_raw` in `make`; `unlink` has taken it off the list, and the last reference is gone.
    let mut card = unsafe { Box::from_raw(card) };
    let state = card.state.get_mut();
    while !state.files.is_null() {
        let file = state.files;
        // SAFETY: file objects are gone before their device, so that the work item was the last who knew it.
        unsafe {
            state.files = (*file).next;
            file::free(file);
        }
    }
}

/// EvtDevicePrepareHardware. PASSIVE_LEVEL.
unsafe extern "C" fn prepare_hardware(
    device: WDFDEVICE,
    raw: WDFCMRESLIST,
    translated: WDFCMRESLIST,
) -> NTSTATUS {
    match prepare(card_of(device), raw, translated) {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    }
}

fn prepare(
    card: &'static Card,
    raw: WDFCMRESLIST,
    translated: WDFCMRESLIST,
) -> Result<(), NTSTATUS> {
    if !card.hardware.load(Ordering::Acquire).is_null() {
        // Memory of the time before is still mapped, as Bus Master Enable is stuck.
        return Err(STATUS_DEVICE_BUSY);
    }
    let bar = map_bar(translated)?;
    let hardware = match Hardware::new(card.wdf, bar, &card.settings) {
        Ok(hardware) => hardware,
        Err(status) => {
            unmap_bar(bar);
            return Err(status);
        }
    };
    // From here on EvtDeviceReleaseHardware, which follows even if this fails, takes it away.
    let max_transfer = hardware.max_transfer();
    card.hardware
        .store(Box::into_raw(hardware), Ordering::Release);
    let messages = interrupt::connect(card, raw, translated)?;
    card.state.with(|state| {
        state.messages = messages;
        state.max_transfer = max_transfer;
        state.full_depth = card.settings.prepare_depth;
        state.depth = state.full_depth;
    });
    Ok(())
}

/// Maps the first memory resource: BAR0.
fn map_bar(translated: WDFCMRESLIST) -> Result<Bar, NTSTATUS> {
    // SAFETY: the list is valid in EvtDevicePrepareHardware.
    let count = unsafe { call_unsafe_wdf_function_binding!(WdfCmResourceListGetCount, translated) };
    for index in 0..count {
        // SAFETY: as above; descriptors are packed, hence copies and no references.
        let found = unsafe {
            let descriptor = call_unsafe_wdf_function_binding!(
                WdfCmResourceListGetDescriptor,
                translated,
                index
            );
            if descriptor.is_null() || u32::from((*descriptor).Type) != CmResourceTypeMemory {
                continue;
            }
            (*descriptor).u.Memory
        };
        let (start, length): (PHYSICAL_ADDRESS, u32) = (found.Start, found.Length);
        // SAFETY: the range is the device's own.
        let base = unsafe { MmMapIoSpaceEx(start, length.into(), PAGE_READWRITE | PAGE_NOCACHE) };
        if base.is_null() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        return Ok(Bar::new(base, length.into()));
    }
    Err(STATUS_DEVICE_CONFIGURATION_ERROR)
}

fn unmap_bar(bar: Bar) {
    let base: *mut c_void = bar.base();
    // SAFETY: mapped by `map_bar`, and nobody uses it any more.
    unsafe { MmUnmapIoSpace(base, bar.bytes()) };
}

/// EvtDeviceD0Entry: the device starts, or starts again. PASSIVE_LEVEL; interrupts are not yet connected.
unsafe extern "C" fn d0_entry(device: WDFDEVICE, _previous: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
    let card = card_of(device);
    match start(card) {
        Ok(()) => STATUS_SUCCESS,
        Err(Refused(why)) => {
            if let Some(why) = why {
                trace::operator(card.wdf, Event::Failed, &why.numbers());
            }
            STATUS_DEVICE_HARDWARE_ERROR
        }
    }
}

/// The device does not start; `None` if operators have been told why.
struct Refused(Option<Why>);

impl<W: Into<Why>> From<W> for Refused {
    fn from(why: W) -> Self {
        Self(Some(why.into()))
    }
}

fn start(card: &'static Card) -> Result<(), Refused> {
    // SAFETY: set in EvtDevicePrepareHardware, and it stays until EvtDeviceReleaseHardware.
    let Some(hardware) = (unsafe { card.hardware.load(Ordering::Acquire).as_ref() }) else {
        return Err(Cause::Gone.into());
    };
    let deadline = now_ns() + START_LIMIT_NS;
    // The bus is the device's only if it is to start; the bus driver may have given it back to one that was given up. Under the lock, so
    // that nobody gives it up between the two.
    let slept = card.state.with(|state| {
        match (state.power, &mut state.device) {
            (_, None) => {
                hardware.enable_bus_master();
                return Ok(false);
            }
            (Power::Asleep, Some(device)) => {
                hardware.enable_bus_master();
                if device.reset().is_ok() {
                    return Ok(true);
                }
            }
            _ => {}
        }
        // If it is stuck, whoever takes the memory back finds that too.
        let _ = hardware.disable_bus_master();
        Err(Refused(None))
    })?;
    match slept {
        false => open(card, hardware, deadline)?,
        true => {
            let mut went = Ok(false);
            while went == Ok(false) {
                pause();
                went = card.state.with(|state| match &mut state.device {
                    Some(device) => device.poll_start(deadline),
                    None => Err(StartError::Gone),
                });
            }
            if let Err(error) = went {
                card.state.with(|state| state.give_up(error));
                card.wake();
                return Err(Refused(None));
            }
            // Unless it was pulled out meanwhile.
            let running = card.state.with(|state| {
                let running = state.power == Power::Asleep;
                if running {
                    state.run();
                }
                running
            });
            if !running {
                return Err(Cause::Gone.into());
            }
        }
    }
    let (messages, longest) = card
        .state
        .with(|state| (state.messages, state.max_transfer));
    trace::operator(
        card.wdf,
        Event::Started,
        &[
            messages.into(),
            hardware.bypass_missing.into(),
            hardware.mapped_once_missing.into(),
            longest,
        ],
    );
    card.wake();
    Ok(())
}

/// Opens the device for the first time since EvtDevicePrepareHardware.
fn open(card: &'static Card, hardware: &'static Hardware, deadline: u64) -> Result<(), Refused> {
    // SAFETY: the hardware goes in EvtDeviceReleaseHardware, behind the core's device and every copy.
    let platform = unsafe { KmdfPlatform::new(hardware) };
    let max_regions = hardware.bar.read32(registers::MAX_REGIONS.offset);
    let config = Config {
        regions: REGIONS.min(max_regions),
        admin_entries: ADMIN_ENTRIES,
        admin_vector: 0,
        lists: card.settings.prepare_depth,
        list_length: hardware.max_transfer(),
    };
    let opened = Device::open(platform, config);
    let mut device = opened.inspect_err(|_| {
        // It was told of no memory.
        let _ = hardware.disable_bus_master();
    })?;
    loop {
        match device.poll_start(deadline) {
            Ok(true) => break,
            Ok(false) => pause(),
            Err(error) => {
                // Its memory goes back only if it can reach nothing any more: EvtDeviceReleaseHardware waits for that.
                if device.close().is_err() {
                    trace::operator(card.wdf, Event::Stuck, &[]);
                    card.state.with(|state| {
                        state.device = Some(device);
                        state.power = Power::Closing;
                        state.said_stuck = true;
                    });
                    card.wake();
                }
                return Err(error.into());
            }
        }
    }
    let capabilities = *device.capabilities();
    card.state.with(|state| {
        state.messages = state.messages.min(capabilities.vectors).max(1);
        state.queues = capabilities.queues - 1;
        state.queues_taken = 0;
        state.max_regions = config.regions;
        state.device = Some(device);
        state.power = Power::Running;
        state.said_stuck = false;
        state.silent_resets = 0;
        // Files that are still open begin anew.
        for file in state.files() {
            // SAFETY: files on the list are alive, and the lock is held.
            for lane in unsafe { &mut (*file).lanes } {
                lane.restart();
            }
        }
    });
    Ok(())
}

/// EvtDeviceD0EntryPostInterruptsEnabled: what the device said before the interrupts were connected is looked for. PASSIVE_LEVEL.
unsafe extern "C" fn d0_entry_interrupts(
    device: WDFDEVICE,
    _previous: WDF_POWER_DEVICE_STATE,
) -> NTSTATUS {
    card_of(device).wake();
    STATUS_SUCCESS
}

/// EvtDeviceD0Exit: no DMA is outstanding behind it. Regions stay registered. PASSIVE_LEVEL; the default queue has stopped, and interrupts
/// are disconnected.
unsafe extern "C" fn d0_exit(device: WDFDEVICE, _target: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
    let card = card_of(device);
    let sleeps = card.state.with(|state| {
        let sleeps = matches!(state.power, Power::Running | Power::Resetting { .. });
        if sleeps {
            state.power = Power::Asleep;
        }
        sleeps
    });
    if !sleeps {
        return STATUS_SUCCESS;
    }
    // What is in flight may end by itself; nothing else is submitted.
    wait_until(DRAIN_LIMIT_NS, || card.state.with(drained));
    wait::serve(card);
    let deadline = now_ns() + START_LIMIT_NS;
    let mut went = card.state.with(|state| match &mut state.device {
        Some(device) => device.reset().map(|()| false).map_err(StartError::from),
        None => Ok(true),
    });
    while went == Ok(false) {
        pause();
        went = card.state.with(|state| match &mut state.device {
            Some(device) => device.poll_reset(deadline),
            None => Ok(true),
        });
    }
    card.state.with(|state| {
        match went {
            Ok(_) => {}
            Err(StartError::Gone) => state.close(),
            // A device that does not reset may still write: its memory stays until Bus Master Enable is 0.
            Err(error) => state.give_up(error),
        }
        drained(state)
    });
    wait::serve(card);
    card.wake();
    STATUS_SUCCESS
}

/// Reaps without submitting; true if nothing is in flight.
fn drained(state: &mut State) -> bool {
    let mut idle = true;
    for file in state.files() {
        // SAFETY: files on the list are alive, and the lock is held.
        let file = unsafe { &mut *file };
        turn(state, file, None);
        idle &= file.lanes.iter().all(|lane| lane.flying() == 0);
    }
    idle
}

/// EvtDeviceSurpriseRemoval: nobody waits for acknowledgements of a device that is not there. PASSIVE_LEVEL.
unsafe extern "C" fn surprise_removal(device: WDFDEVICE) {
    let card = card_of(device);
    // SAFETY: set in EvtDevicePrepareHardware, and it stays until EvtDeviceReleaseHardware.
    if let Some(hardware) = unsafe { card.hardware.load(Ordering::Acquire).as_ref() } {
        hardware.removed.store(true, Ordering::Release);
    }
    card.state.with(State::close);
    card.wake();
}

/// EvtDeviceReleaseHardware: everything is torn down, unmapped and completed. PASSIVE_LEVEL.
///
/// The framework frees the device's memory behind this, whatever it returns. Thus it does not return while the device may still write: it
/// clears Bus Master Enable and reads it back again and again, without a limit. A removal that hangs behind a device that is broken in this
/// way is better than memory that the device overwrites; pulling it out, or the end of the machine, ends it.
unsafe extern "C" fn release_hardware(device: WDFDEVICE, _translated: WDFCMRESLIST) -> NTSTATUS {
    let card = card_of(device);
    let hardware = card.hardware.load(Ordering::Acquire);
    if hardware.is_null() {
        return STATUS_SUCCESS;
    }
    card.state.with(State::close);
    // The work item tries again whenever it is woken.
    // Nor is it in the middle of anything that needs the hardware.
    let over = |state: &mut State| {
        matches!(state.power, Power::Closed | Power::Off)
            && !state.working
            && state.is_settled(|_| true)
    };
    while !card.state.with(over) {
        card.wake();
        pause();
    }
    wait::serve(card);
    let device = card.state.with(|state| {
        state.power = Power::Off;
        state.device.take()
    });
    drop(device);
    card.hardware
        .store(core::ptr::null_mut(), Ordering::Release);
    // SAFETY: made by `Box::into_raw` in `prepare`; the core's device is gone, and nobody else uses it while the default queue is stopped.
    let hardware = unsafe { Box::from_raw(hardware) };
    let bar = hardware.bar;
    (*hardware).end();
    unmap_bar(bar);
    STATUS_SUCCESS
}
