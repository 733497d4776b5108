//! I/O queues: creation, acceptance, delivery, purging.

mod functions;

pub use functions::*;

use std::collections::{BTreeSet, VecDeque};

use super::device::Device;
use super::request::{self, Owner, Request};
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::thread::ThreadId;
use crate::world::{self, DISPATCH, WaitKey, call_at, with};

/// A WDFQUEUE.
pub(crate) struct Queue {
    pub(crate) config: WDF_IO_QUEUE_CONFIG,
    pub(crate) device: u64,
    pub(crate) power_managed: bool,
    passive: bool,
    /// Requests that wait.
    pub(crate) waiting: VecDeque<u64>,
    /// Requests that the driver has from this queue.
    pub(crate) owned: BTreeSet<u64>,
    started: bool,
    accepting: bool,
    /// Threads that are delivering, so that a completion inside a callback does not recurse.
    delivering: Vec<ThreadId>,
}

impl Payload for Queue {
    const TYPE: &'static str = "WDFQUEUE";
    fn cleanup(handle: HANDLE) {
        purge(object::number(handle));
    }
}

/// Reports scopes that the double does not have.
pub(crate) fn refuse_synchronization(ddi: &'static str, attributes: PWDF_OBJECT_ATTRIBUTES) {
    // SAFETY: null or the driver's attributes.
    let scope = if attributes.is_null() {
        1
    } else {
        unsafe { (*attributes).SynchronizationScope }
    };
    if matches!(scope, 2 | 3) {
        world::violation(
            Rule::ObjectAttributes,
            ddi,
            "this double has no synchronization scopes Device and Queue: use locks",
        );
    }
}

/// Creates a queue.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfIoQueueCreate(
    Device: WDFDEVICE,
    Config: PWDF_IO_QUEUE_CONFIG,
    QueueAttributes: PWDF_OBJECT_ATTRIBUTES,
    Queue: *mut WDFQUEUE,
) -> NTSTATUS {
    let ddi = "WdfIoQueueCreate";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    refuse_synchronization(ddi, QueueAttributes);
    // SAFETY: null or the driver's attributes.
    let passive = !QueueAttributes.is_null() && unsafe { (*QueueAttributes).ExecutionLevel } == 2;
    let (default_queue, device_passive) =
        object::get(ddi, Device.cast(), |device: &mut self::Device| {
            (device.default_queue, device.passive)
        });
    // SAFETY: the structure is C data, the union has one member.
    let presented = unsafe { config.Settings.Parallel.NumberOfPresentedRequests };
    let parallel = config.DispatchType == _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel;
    if !(1..=3).contains(&config.DispatchType)
        || !(0..=2).contains(&config.PowerManaged)
        || (parallel && presented == 0)
    {
        let (dispatch, power) = (config.DispatchType, config.PowerManaged);
        world::violation(
            Rule::StructureSize,
            ddi,
            format!(
                "DispatchType {dispatch}, PowerManaged {power}, NumberOfPresentedRequests {presented}: set them"
            ),
        );
        return STATUS_INVALID_PARAMETER;
    }
    let manual = config.DispatchType == _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual;
    let callbacks = config.EvtIoDefault.is_some()
        || config.EvtIoRead.is_some()
        || config.EvtIoWrite.is_some()
        || config.EvtIoDeviceControl.is_some();
    if manual == callbacks && config.EvtIoInternalDeviceControl.is_none() {
        world::violation(
            Rule::InvalidArgument,
            ddi,
            "a manual queue has no EvtIo callbacks, others have one at least",
        );
        return STATUS_INVALID_PARAMETER;
    }
    if config.DefaultQueue != 0 && default_queue != 0 {
        return STATUS_UNSUCCESSFUL;
    }
    let queue = self::Queue {
        config,
        device: object::number(Device),
        // WdfUseDefault: yes for function drivers.
        power_managed: config.PowerManaged != _WDF_TRI_STATE::WdfFalse,
        passive: passive || device_passive,
        waiting: VecDeque::new(),
        owned: BTreeSet::new(),
        started: true,
        accepting: true,
        delivering: Vec::new(),
    };
    let created = object::create(ddi, QueueAttributes, Device.cast(), queue);
    if let Ok(handle) = created
        && config.DefaultQueue != 0
    {
        object::get(ddi, Device.cast(), |device: &mut self::Device| {
            device.default_queue = object::number(handle)
        });
    }
    // SAFETY: the caller's contract.
    unsafe { super::hand_out(created, Queue) }
}

/// Puts a request into a queue, and delivers what can be. The driver owns it before, or the framework.
pub(crate) fn accept(queue: u64, request: u64, at_head: bool) -> NTSTATUS {
    let accepted = with(|w| {
        let Some(target) = w.objects.peek::<Queue>(queue) else {
            return STATUS_INVALID_DEVICE_STATE;
        };
        if !target.accepting {
            return STATUS_WDF_BUSY;
        }
        if at_head {
            target.waiting.push_front(request);
        } else {
            target.waiting.push_back(request);
        }
        let from = w.objects.peek::<Request>(request).map_or(0, |request| {
            request.owner = Owner::Queue(queue);
            core::mem::replace(&mut request.queue, queue)
        });
        if let Some(from) = w.objects.peek::<Queue>(from) {
            from.owned.remove(&request);
        }
        w.wake(IDLE);
        STATUS_SUCCESS
    });
    if accepted != STATUS_SUCCESS {
        return accepted;
    }
    // It may have been cancelled while it was on its way.
    request::cancel_if_asked(request);
    dispatch(queue);
    STATUS_SUCCESS
}

/// Key for those who wait until queues have nothing with the driver.
const IDLE: WaitKey = WaitKey((1 << 62) + 1);

/// Delivers waiting requests to the driver, as many as the queue allows.
pub(crate) fn dispatch(queue: u64) {
    let me = with(|w| w.thread_id()).unwrap_or(0);
    let defer = with(|w| {
        let irql = w.cpu().irql;
        let target = w.objects.peek::<Queue>(queue)?;
        if target.delivering.contains(&me) {
            return None;
        }
        if target.passive && irql > 0 {
            return Some(true);
        }
        target.delivering.push(me);
        Some(false)
    });
    match defer {
        None => return,
        Some(true) => {
            with(|w| w.pnp.work.push_back(crate::pnp::Work::Dispatch(queue)));
            world::wake(super::work::WORK);
            return;
        }
        Some(false) => {}
    }
    while let Some((request, config)) = with(|w| {
        let in_d0 = w.pnp.queues_run;
        let target = w.objects.peek::<Queue>(queue)?;
        let limit = match target.config.DispatchType {
            _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchSequential => 1,
            // SAFETY: the structure is C data, the union has one member.
            _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel => unsafe {
                target.config.Settings.Parallel.NumberOfPresentedRequests as usize
            },
            _ => 0,
        };
        if !target.started || (target.power_managed && !in_d0) || target.owned.len() >= limit {
            return None;
        }
        let request = target.waiting.pop_front()?;
        target.owned.insert(request);
        let config = target.config;
        if let Some(request) = w.objects.peek::<Request>(request) {
            request.owner = Owner::Driver;
            request.delivered = true;
        }
        Some((request, config))
    }) {
        deliver(queue, request, &config);
    }
    with(|w| {
        if let Some(target) = w.objects.peek::<Queue>(queue) {
            target.delivering.retain(|thread| *thread != me);
        }
    });
}

fn deliver(queue: u64, request: u64, config: &WDF_IO_QUEUE_CONFIG) {
    let (queue, handle): (WDFQUEUE, WDFREQUEST) = (object::handle(queue), object::handle(request));
    let (code, input, output) = request::lengths(request);
    if let Some(callback) = config.EvtIoDeviceControl {
        // SAFETY: the driver's callback with the objects it was registered for.
        call_at("EvtIoDeviceControl", 0, || unsafe {
            callback(queue, handle, output, input, code)
        });
    } else if let Some(callback) = config.EvtIoDefault {
        // SAFETY: as above.
        call_at("EvtIoDefault", 0, || unsafe { callback(queue, handle) });
    } else {
        request::finish("framework", request, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    world::point("EvtIo", 1);
}

/// A worker thread delivers at PASSIVE_LEVEL.
pub(crate) fn dispatch_all() {
    for queue in with(|w| w.objects.of_type::<Queue>()) {
        dispatch(queue);
    }
}

/// The request has left the driver's hands.
pub(crate) fn released(queue: u64, request: u64) {
    with(|w| {
        if let Some(queue) = w.objects.peek::<Queue>(queue) {
            queue.owned.remove(&request);
        }
        w.wake(IDLE);
    });
    dispatch(queue);
}

/// Waits until no request of the queues is with the driver; false if that takes longer than the power time-out.
pub(crate) fn wait_until_idle(queues: &[u64]) -> bool {
    let deadline = with(|w| w.now_ps() + w.config.power_timeout_ps);
    loop {
        let busy = with(|w| {
            queues.iter().any(|queue| {
                let owned: Vec<u64> = w
                    .objects
                    .peek::<Queue>(*queue)
                    .map(|queue| queue.owned.iter().copied().collect())
                    .unwrap_or_default();
                owned.iter().any(|request| {
                    w.objects
                        .peek::<Request>(*request)
                        .is_some_and(|request| !request.suspended)
                })
            })
        });
        if !busy {
            return true;
        }
        if with(|w| w.now_ps()) >= deadline {
            return false;
        }
        world::block(IDLE, Some(deadline));
    }
}

/// Wakes those who wait until queues are idle.
pub(crate) fn recheck() {
    world::wake(IDLE);
}

/// The queues that are power-managed, or that are not.
pub(crate) fn of_kind(power_managed: bool) -> Vec<u64> {
    with(|w| {
        let mut all = w.objects.of_type::<Queue>();
        all.retain(|queue| {
            w.objects
                .peek::<Queue>(*queue)
                .is_some_and(|queue| queue.power_managed == power_managed)
        });
        all
    })
}

/// Calls EvtIoStop for each request that the driver has from the queue. Behind a purge it may keep none, acknowledged or not.
pub(crate) fn stop_owned(queue: u64, action: i32) {
    let Some((callback, owned)) = with(|w| {
        w.objects.peek::<Queue>(queue).map(|queue| {
            (
                queue.config.EvtIoStop,
                queue.owned.iter().copied().collect::<Vec<_>>(),
            )
        })
    }) else {
        return;
    };
    for request in owned {
        let flags = with(|w| {
            let owned = w
                .objects
                .peek::<Queue>(queue)
                .is_some_and(|queue| queue.owned.contains(&request));
            let request = w.objects.peek::<Request>(request).filter(|_| owned)?;
            request.purging = action == _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopActionPurge;
            request.suspended &= !request.purging;
            request.stopping = true;
            let cancelable = if request.cancel.is_some() {
                _WDF_REQUEST_STOP_ACTION_FLAGS::WdfRequestStopRequestCancelable
            } else {
                0
            };
            Some((action | cancelable) as u32)
        });
        if let (Some(flags), Some(callback)) = (flags, callback) {
            // SAFETY: the driver's callback with the objects it was registered for.
            call_at("EvtIoStop", 0, || unsafe {
                callback(object::handle(queue), object::handle(request), flags)
            });
        }
    }
}

/// Tells the driver that requests it kept over a stop go on.
pub(crate) fn resume_owned(queue: u64) {
    let Some((callback, owned)) = with(|w| {
        w.objects.peek::<Queue>(queue).map(|queue| {
            (
                queue.config.EvtIoResume,
                queue.owned.iter().copied().collect::<Vec<_>>(),
            )
        })
    }) else {
        return;
    };
    for request in owned {
        let suspended = with(|w| {
            let Some(request) = w.objects.peek::<Request>(request) else {
                return false;
            };
            request.stopping = false;
            core::mem::replace(&mut request.suspended, false)
        });
        if let Some(callback) = callback
            && suspended
        {
            // SAFETY: the driver's callback with the objects it was registered for.
            call_at("EvtIoResume", 0, || unsafe {
                callback(object::handle(queue), object::handle(request))
            });
        }
    }
}

/// Accepts no more, cancels what waits, and what the driver has made cancelable.
pub(crate) fn purge(queue: u64) {
    let Some((waiting, owned)) = with(|w| {
        let queue = w.objects.peek::<Queue>(queue)?;
        queue.accepting = false;
        Some((
            queue.waiting.iter().copied().collect::<Vec<_>>(),
            queue.owned.iter().copied().collect::<Vec<_>>(),
        ))
    }) else {
        return;
    };
    for request in waiting.into_iter().chain(owned) {
        request::cancel(request);
    }
}

/// Cancels requests of a file object that wait in queues of the framework.
pub(crate) fn flush_file(file: u64) {
    for queue in with(|w| w.objects.of_type::<Queue>()) {
        let waiting = with(|w| {
            w.objects
                .peek::<Queue>(queue)
                .map(|queue| queue.waiting.iter().copied().collect::<Vec<_>>())
        });
        for request in waiting.unwrap_or_default() {
            if request::file_of(request) == file {
                request::cancel(request);
            }
        }
    }
}

/// A worker thread tells the driver when the queue's requests are done.
pub(crate) fn run_notification(queue: u64, callback: PFN_WDF_IO_QUEUE_STATE, context: u64) {
    wait_until_idle(&[queue]);
    if let Some(callback) = callback {
        // SAFETY: the driver's callback with the context it gave for it.
        call_at("EvtIoQueueState", 0, || unsafe {
            callback(
                object::handle(queue),
                core::ptr::with_exposed_provenance_mut(context as usize),
            )
        });
    }
}
