//! Functions on queues: taking requests out, stopping, purging.

use super::super::request::{self, Owner, Request};
use super::{Queue, dispatch, purge, wait_until_idle};
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object;
use crate::world::{self, DISPATCH, with};

/// The device of a queue.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfIoQueueGetDevice(Queue: WDFQUEUE) -> WDFDEVICE {
    let ddi = "WdfIoQueueGetDevice";
    enter(ddi, DISPATCH);
    object::handle(object::get(
        ddi,
        Queue.cast(),
        |queue: &mut super::Queue| queue.device,
    ))
}

/// Makes a search fail in the way that is documented of one in a queue that runs: the application has cancelled the request just before,
/// and EvtIoCanceledOnQueue has not come yet. The status follows from that.
fn inject_cancellation(ddi: &'static str, request: impl FnOnce() -> Option<u64>) {
    if world::inject(ddi)
        && let Some(request) = request()
    {
        request::cancel_elsewhere(request);
    }
}

/// The first waiting request that satisfies the condition.
fn first(
    ddi: &'static str,
    queue: WDFQUEUE,
    mut condition: impl FnMut(u64) -> bool,
) -> Option<u64> {
    object::get(ddi, queue.cast(), |queue: &mut Queue| queue.waiting.clone())
        .into_iter()
        .find(|request| condition(*request))
}

/// Takes a waiting request that satisfies the condition.
fn retrieve(
    ddi: &'static str,
    queue: WDFQUEUE,
    condition: impl Fn(u64) -> bool,
) -> Result<HANDLE, NTSTATUS> {
    let (waiting, started, power_managed) = object::get(ddi, queue.cast(), |queue: &mut Queue| {
        (
            queue.waiting.iter().copied().collect::<Vec<_>>(),
            queue.started,
            queue.power_managed,
        )
    });
    if !started || (power_managed && !with(|w| w.pnp.queues_run)) {
        return Err(STATUS_WDF_PAUSED);
    }
    let Some(request) = waiting.into_iter().find(|request| condition(*request)) else {
        return Err(STATUS_NO_MORE_ENTRIES);
    };
    let number = object::number(queue);
    with(|w| {
        if let Some(queue) = w.objects.peek::<Queue>(number) {
            queue.waiting.retain(|waiting| *waiting != request);
            queue.owned.insert(request);
        }
        if let Some(request) = w.objects.peek::<Request>(request) {
            request.owner = Owner::Driver;
            request.delivered = true;
        }
    });
    Ok(object::handle(request))
}

/// Takes the next request of a queue.
///
/// # Safety
/// The pointer is valid.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveNextRequest(
    Queue: WDFQUEUE,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    let ddi = "WdfIoQueueRetrieveNextRequest";
    enter(ddi, DISPATCH);
    // SAFETY: the caller's contract.
    unsafe { crate::ddi::hand_out(retrieve(ddi, Queue, |_| true), OutRequest) }
}

/// Takes the next request of a file object.
///
/// # Safety
/// The pointer is valid.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveRequestByFileObject(
    Queue: WDFQUEUE,
    FileObject: WDFFILEOBJECT,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    let ddi = "WdfIoQueueRetrieveRequestByFileObject";
    enter(ddi, DISPATCH);
    object::check(ddi, FileObject.cast());
    let file = object::number(FileObject);
    let of_file = |request| request::file_of(request) == file;
    inject_cancellation(ddi, || first(ddi, Queue, of_file));
    // SAFETY: the caller's contract.
    unsafe { crate::ddi::hand_out(retrieve(ddi, Queue, of_file), OutRequest) }
}

/// Finds a request without taking it; it is referenced.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfIoQueueFindRequest(
    Queue: WDFQUEUE,
    FoundRequest: WDFREQUEST,
    FileObject: WDFFILEOBJECT,
    Parameters: PWDF_REQUEST_PARAMETERS,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    let ddi = "WdfIoQueueFindRequest";
    enter(ddi, DISPATCH);
    let file = object::number(FileObject);
    let matches = |request: u64| file == 0 || request::file_of(request) == file;
    inject_cancellation(ddi, || match object::number(FoundRequest) {
        0 => first(ddi, Queue, matches),
        found => first(ddi, Queue, |request| request == found),
    });
    let waiting = object::get(ddi, Queue.cast(), |queue: &mut super::Queue| {
        queue.waiting.iter().copied().collect::<Vec<_>>()
    });
    let after = match object::number(FoundRequest) {
        0 => 0,
        found => match waiting.iter().position(|request| *request == found) {
            Some(index) => index + 1,
            None => return STATUS_NOT_FOUND,
        },
    };
    let mut rest = waiting[after..].iter().copied();
    let Some(request) = rest.find(|request| matches(*request)) else {
        return STATUS_NO_MORE_ENTRIES;
    };
    object::reference(ddi, object::handle(request));
    // SAFETY: the caller's contract.
    unsafe {
        if !Parameters.is_null() {
            *Parameters = request::parameters(request);
        }
        *OutRequest = object::handle(request);
    }
    STATUS_SUCCESS
}

/// Takes a request that was found.
///
/// # Safety
/// The pointer is valid.
#[must_use]
pub unsafe fn WdfIoQueueRetrieveFoundRequest(
    Queue: WDFQUEUE,
    FoundRequest: WDFREQUEST,
    OutRequest: *mut WDFREQUEST,
) -> NTSTATUS {
    let ddi = "WdfIoQueueRetrieveFoundRequest";
    enter(ddi, DISPATCH);
    object::check(ddi, FoundRequest.cast());
    let number = object::number(FoundRequest);
    inject_cancellation(ddi, || first(ddi, Queue, |request| request == number));
    let found = retrieve(ddi, Queue, |request| request == number).map_err(|status| {
        if status == STATUS_NO_MORE_ENTRIES {
            STATUS_NOT_FOUND
        } else {
            status
        }
    });
    // SAFETY: the caller's contract.
    unsafe { crate::ddi::hand_out(found, OutRequest) }
}

/// Delivers and accepts requests again.
///
/// # Safety
/// None needed.
pub unsafe fn WdfIoQueueStart(Queue: WDFQUEUE) {
    let ddi = "WdfIoQueueStart";
    enter(ddi, DISPATCH);
    object::get(ddi, Queue.cast(), |queue: &mut super::Queue| {
        queue.started = true;
        queue.accepting = true;
    });
    dispatch(object::number(Queue));
}

fn notify(queue: WDFQUEUE, callback: PFN_WDF_IO_QUEUE_STATE, context: PVOID) {
    if callback.is_some() {
        with(|w| {
            w.pnp.work.push_back(crate::pnp::Work::QueueState(
                object::number(queue),
                callback,
                context.addr() as u64,
            ))
        });
        world::wake(crate::ddi::work::WORK);
    }
}

/// Stops delivering; new requests wait.
///
/// # Safety
/// The callback takes the context.
pub unsafe fn WdfIoQueueStop(
    Queue: WDFQUEUE,
    StopComplete: PFN_WDF_IO_QUEUE_STATE,
    Context: WDFCONTEXT,
) {
    let ddi = "WdfIoQueueStop";
    enter(ddi, DISPATCH);
    object::get(ddi, Queue.cast(), |queue: &mut super::Queue| {
        queue.started = false
    });
    Context.expose_provenance();
    notify(Queue, StopComplete, Context);
}

/// Stops delivering, and waits until the driver has no request of the queue.
///
/// # Safety
/// None needed.
pub unsafe fn WdfIoQueueStopSynchronously(Queue: WDFQUEUE) {
    let ddi = "WdfIoQueueStopSynchronously";
    enter(ddi, 0);
    object::get(ddi, Queue.cast(), |queue: &mut super::Queue| {
        queue.started = false
    });
    synchronously(ddi, Queue);
}

fn synchronously(ddi: &'static str, queue: WDFQUEUE) {
    if !wait_until_idle(&[object::number(queue)]) {
        world::fatal(
            Rule::Deadlock,
            ddi,
            "the driver keeps a request of the queue for which it waits",
        );
    }
}

/// Cancels what waits and refuses new requests.
///
/// # Safety
/// The callback takes the context.
pub unsafe fn WdfIoQueuePurge(
    Queue: WDFQUEUE,
    PurgeComplete: PFN_WDF_IO_QUEUE_STATE,
    Context: WDFCONTEXT,
) {
    let ddi = "WdfIoQueuePurge";
    enter(ddi, DISPATCH);
    object::check(ddi, Queue.cast());
    purge(object::number(Queue));
    Context.expose_provenance();
    notify(Queue, PurgeComplete, Context);
}

/// Cancels what waits, refuses new requests, and waits until the driver has no request of the queue.
///
/// # Safety
/// None needed.
pub unsafe fn WdfIoQueuePurgeSynchronously(Queue: WDFQUEUE) {
    let ddi = "WdfIoQueuePurgeSynchronously";
    enter(ddi, 0);
    object::check(ddi, Queue.cast());
    purge(object::number(Queue));
    synchronously(ddi, Queue);
}
