//! Work items, timers and DPC objects.

use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::cpu::Dpc;
use crate::world::object::{self, Payload};
use crate::world::thread::{ThreadId, TimerEvent};
use crate::world::{self, DISPATCH, WaitKey, World, call_at, with};

/// A WDFWORKITEM.
pub(crate) struct WorkItem {
    function: PFN_WDF_WORKITEM,
    queued: bool,
    /// Threads that are in its callback: it may be queued again while that runs.
    running: Vec<ThreadId>,
}

impl Payload for WorkItem {
    const TYPE: &'static str = "WDFWORKITEM";
    fn cleanup(handle: HANDLE) {
        // Deleting waits for a callback that is queued or runs, unless the callback itself deletes.
        flush("WdfObjectDelete", handle);
    }
}

/// Name of the key that idle system worker threads wait for.
pub(crate) const WORK: WaitKey = WaitKey(1 << 62);

/// Creates a work item.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfWorkItemCreate(
    Config: PWDF_WORKITEM_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    WorkItem: *mut WDFWORKITEM,
) -> NTSTATUS {
    let ddi = "WdfWorkItemCreate";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    super::require_parent(ddi, Attributes);
    let item = self::WorkItem {
        function: config.EvtWorkItemFunc,
        queued: false,
        running: Vec::new(),
    };
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, Attributes, core::ptr::null_mut(), item),
            WorkItem,
        )
    }
}

/// Queues a work item; nothing happens if it is queued.
///
/// # Safety
/// None needed.
pub unsafe fn WdfWorkItemEnqueue(WorkItem: WDFWORKITEM) {
    let ddi = "WdfWorkItemEnqueue";
    enter(ddi, DISPATCH);
    let queued = object::get(ddi, WorkItem.cast(), |item: &mut self::WorkItem| {
        core::mem::replace(&mut item.queued, true)
    });
    if !queued {
        let number = object::number(WorkItem);
        with(|w| w.pnp.work.push_back(crate::pnp::Work::Item(number)));
        world::wake(WORK);
    }
}

/// A worker thread runs a queued item.
pub(crate) fn run_item(number: u64) {
    let handle: HANDLE = object::handle(number);
    let me = with(|w| w.thread_id()).unwrap_or_default();
    let function = with(|w| {
        let item = w.objects.peek::<WorkItem>(number)?;
        item.queued = false;
        item.running.push(me);
        item.function
    });
    if let Some(function) = function {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtWorkItemFunc", 0, || unsafe { function(handle.cast()) });
    }
    with(|w| {
        if let Some(item) = w.objects.peek::<WorkItem>(number) {
            item.running.retain(|thread| *thread != me);
        }
    });
    world::wake(WaitKey(number));
}

fn flush(ddi: &'static str, handle: HANDLE) {
    loop {
        let (busy, inside) = with(|w| {
            let me = w.thread_id().unwrap_or_default();
            let item = w.objects.peek::<WorkItem>(object::number(handle));
            item.map_or((false, false), |item| {
                (
                    item.queued || !item.running.is_empty(),
                    item.running.contains(&me),
                )
            })
        });
        // Its own callback may delete it.
        if !busy || (inside && ddi == "WdfObjectDelete") {
            return;
        }
        if inside {
            world::fatal(Rule::Deadlock, ddi, "a work item that waits for itself");
        }
        world::block(WaitKey(object::number(handle)), None);
    }
}

/// Waits until the work item's callback has run.
///
/// # Safety
/// None needed.
pub unsafe fn WdfWorkItemFlush(WorkItem: WDFWORKITEM) {
    let ddi = "WdfWorkItemFlush";
    enter(ddi, 0);
    object::check(ddi, WorkItem.cast());
    flush(ddi, WorkItem.cast());
}

/// The object that the work item belongs to.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfWorkItemGetParentObject(WorkItem: WDFWORKITEM) -> WDFOBJECT {
    enter("WdfWorkItemGetParentObject", DISPATCH);
    // Whoever deletes the item waits for the callback, whose handle is good until then.
    let runs = with(|w| {
        let item = w.objects.peek::<self::WorkItem>(object::number(WorkItem));
        item.is_some_and(|item| !item.running.is_empty())
    });
    if !runs {
        object::check("WdfWorkItemGetParentObject", WorkItem.cast());
    }
    object::parent(WorkItem.cast())
}

/// A WDFTIMER.
pub(crate) struct Timer {
    function: PFN_WDF_TIMER,
    period_ms: u32,
    passive: bool,
    /// Counts starts and stops; an expiry of an earlier start does not count.
    number: u64,
    armed: bool,
    /// Processors or threads that are in its callback.
    running: u32,
}

impl Payload for Timer {
    const TYPE: &'static str = "WDFTIMER";
    fn cleanup(handle: HANDLE) {
        let number = object::number(handle);
        with(|w| {
            if let Some(timer) = w.objects.peek::<Timer>(number) {
                timer.number += 1;
                timer.armed = false;
            }
            w.cancel_expiry(number);
        });
        // At PASSIVE_LEVEL, deleting waits for a callback on another thread: it has the handle.
        let waits = |w: &mut World| {
            let own = w
                .thread()
                .is_some_and(|thread| thread.frames.contains(&"EvtTimerFunc"));
            let timer = w.objects.peek::<Timer>(number);
            !own && timer.is_some_and(|timer| timer.running != 0)
        };
        while with(|w| w.cpu().irql == 0 && waits(w)) {
            world::block(WaitKey(number), None);
        }
    }
}

impl World {
    /// Takes back a callback of the timer that is due and has not begun; false if there is none.
    fn cancel_expiry(&mut self, number: u64) -> bool {
        let before = self.pnp.work.len();
        self.pnp
            .work
            .retain(|work| !matches!(work, crate::pnp::Work::Timer(due) if *due == number));
        self.cancel_dpc(Dpc::Timer(number)) || before != self.pnp.work.len()
    }
}

/// Creates a timer.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfTimerCreate(
    Config: PWDF_TIMER_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Timer: *mut WDFTIMER,
) -> NTSTATUS {
    let ddi = "WdfTimerCreate";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    super::require_parent(ddi, Attributes);
    // SAFETY: `require_parent` has stopped the machine if it is null.
    let passive =
        unsafe { (*Attributes).ExecutionLevel } == _WDF_EXECUTION_LEVEL::WdfExecutionLevelPassive;
    if passive && config.Period > 0 {
        return STATUS_INVALID_PARAMETER;
    }
    let timer = self::Timer {
        function: config.EvtTimerFunc,
        period_ms: config.Period,
        passive,
        number: 0,
        armed: false,
        running: 0,
    };
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, Attributes, core::ptr::null_mut(), timer),
            Timer,
        )
    }
}

/// Starts a timer, again if it runs; true if it ran. Negative times are relative, in 100 ns.
///
/// # Safety
/// None needed.
pub unsafe fn WdfTimerStart(Timer: WDFTIMER, DueTime: LONGLONG) -> BOOLEAN {
    let ddi = "WdfTimerStart";
    enter(ddi, DISPATCH);
    let (was, start) = object::get(ddi, Timer.cast(), |timer: &mut self::Timer| {
        timer.number += 1;
        (core::mem::replace(&mut timer.armed, true), timer.number)
    });
    let handle = object::number(Timer);
    with(|w| {
        let queued = w.cancel_expiry(handle);
        let due = if DueTime <= 0 {
            w.now_ps()
                .saturating_add(DueTime.unsigned_abs().saturating_mul(100_000))
        } else {
            (DueTime as u64).saturating_mul(100_000)
        };
        w.at(due, TimerEvent::Timer(handle, start));
        (was && !queued).into()
    })
}

/// Stops a timer; true if it was set. With `Wait`, its callback has ended afterwards.
///
/// # Safety
/// None needed.
pub unsafe fn WdfTimerStop(Timer: WDFTIMER, Wait: BOOLEAN) -> BOOLEAN {
    let ddi = "WdfTimerStop";
    enter(ddi, if Wait != 0 { 0 } else { DISPATCH });
    let was = object::get(ddi, Timer.cast(), |timer: &mut self::Timer| {
        timer.number += 1;
        core::mem::replace(&mut timer.armed, false)
    });
    let number = object::number(Timer);
    let queued = with(|w| w.cancel_expiry(number));
    while Wait != 0
        && with(|w| {
            w.objects
                .peek::<self::Timer>(number)
                .is_some_and(|timer| timer.running != 0)
        })
    {
        world::block(WaitKey(number), None);
    }
    (was || queued).into()
}

/// A timer's time has come; on the host's stack.
pub(crate) fn timer_due(w: &mut World, handle: u64, number: u64, time_ps: u64) {
    let Some(timer) = w.objects.peek::<Timer>(handle) else {
        return;
    };
    if timer.number != number {
        return;
    }
    let (passive, period_ms) = (timer.passive, timer.period_ms);
    timer.armed = period_ms > 0;
    if period_ms > 0 {
        w.at(
            time_ps + u64::from(period_ms) * 1_000_000_000,
            TimerEvent::Timer(handle, number),
        );
    }
    if passive {
        w.pnp.work.push_back(crate::pnp::Work::Timer(handle));
        w.wake(WORK);
        return;
    }
    let cpu = w.random(w.cpus.len() as u64) as usize;
    if w.cpus
        .iter()
        .all(|cpu| !cpu.dpcs.contains(&Dpc::Timer(handle)))
    {
        w.cpus[cpu].dpcs.push_back(Dpc::Timer(handle));
        if w.cpus[cpu].current.is_none() {
            w.cpus[cpu].clock_ps = w.cpus[cpu].clock_ps.max(time_ps);
        }
    }
}

/// Calls EvtTimerFunc.
pub(crate) fn expired(number: u64) {
    let function = with(|w| {
        let timer = w.objects.peek::<Timer>(number)?;
        timer.running += 1;
        timer.function
    });
    if let Some(function) = function {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtTimerFunc", 0, || unsafe {
            function(object::handle(number))
        });
    }
    with(|w| {
        if let Some(timer) = w.objects.peek::<Timer>(number) {
            timer.running -= 1;
        }
    });
    world::wake(WaitKey(number));
}

/// The object that the timer belongs to.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfTimerGetParentObject(Timer: WDFTIMER) -> WDFOBJECT {
    enter("WdfTimerGetParentObject", DISPATCH);
    object::check("WdfTimerGetParentObject", Timer.cast());
    object::parent(Timer.cast())
}

/// A WDFDPC.
pub(crate) struct DpcObject {
    function: PFN_WDF_DPC,
    /// Processors that are in its callback: it may be queued again while that runs.
    running: u32,
}

impl Payload for DpcObject {
    const TYPE: &'static str = "WDFDPC";
    fn cleanup(handle: HANDLE) {
        with(|w| w.cancel_dpc(Dpc::Object(object::number(handle))));
    }
}

/// Creates a DPC object.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfDpcCreate(
    Config: PWDF_DPC_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    Dpc: *mut WDFDPC,
) -> NTSTATUS {
    let ddi = "WdfDpcCreate";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    super::require_parent(ddi, Attributes);
    let dpc = DpcObject {
        function: config.EvtDpcFunc,
        running: 0,
    };
    // SAFETY: the caller's contract.
    unsafe {
        super::hand_out(
            object::create(ddi, Attributes, core::ptr::null_mut(), dpc),
            Dpc,
        )
    }
}

/// Queues a DPC; false if it was queued.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDpcEnqueue(Dpc: WDFDPC) -> BOOLEAN {
    let ddi = "WdfDpcEnqueue";
    world::point(ddi, 1);
    object::get(ddi, Dpc.cast(), |_: &mut DpcObject| ());
    let queued = with(|w| w.queue_dpc(self::Dpc::Object(object::number(Dpc))));
    world::interrupt::deliver();
    queued.into()
}

/// Takes a queued DPC back; true if it was queued. With `Wait`, its callback has ended afterwards.
///
/// # Safety
/// None needed.
pub unsafe fn WdfDpcCancel(Dpc: WDFDPC, Wait: BOOLEAN) -> BOOLEAN {
    let ddi = "WdfDpcCancel";
    enter(ddi, if Wait != 0 { 0 } else { DISPATCH });
    object::get(ddi, Dpc.cast(), |_: &mut DpcObject| ());
    let number = object::number(Dpc);
    let was = with(|w| w.cancel_dpc(self::Dpc::Object(number)));
    while Wait != 0
        && with(|w| {
            w.objects
                .peek::<DpcObject>(number)
                .is_some_and(|dpc| dpc.running != 0)
        })
    {
        world::block(WaitKey(number), None);
    }
    was.into()
}

/// Calls EvtDpcFunc.
pub(crate) fn deferred(number: u64) {
    let function = with(|w| {
        let dpc = w.objects.peek::<DpcObject>(number)?;
        dpc.running += 1;
        dpc.function
    });
    if let Some(function) = function {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtDpcFunc", DISPATCH, || unsafe {
            function(object::handle(number))
        });
    }
    with(|w| {
        if let Some(dpc) = w.objects.peek::<DpcObject>(number) {
            dpc.running -= 1;
        }
    });
    world::wake(WaitKey(number));
}

/// The object that the DPC belongs to.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfDpcGetParentObject(Dpc: WDFDPC) -> WDFOBJECT {
    enter("WdfDpcGetParentObject", DISPATCH);
    object::check("WdfDpcGetParentObject", Dpc.cast());
    object::parent(Dpc.cast())
}
