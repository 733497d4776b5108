//! Moving requests between queues, and answering EvtIoStop.

use super::super::queue::{self, Queue};
use super::cancel::require_unmarked;
use super::{live, require_owned};
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object;
use crate::world::{self, DISPATCH, with};

/// Moves a request to another queue.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestForwardToIoQueue(
    Request: WDFREQUEST,
    DestinationQueue: WDFQUEUE,
) -> NTSTATUS {
    let ddi = "WdfRequestForwardToIoQueue";
    enter(ddi, DISPATCH);
    require_owned(ddi, Request);
    require_unmarked(ddi, Request);
    object::get(ddi, DestinationQueue.cast(), |_: &mut Queue| ());
    let from = live(ddi, Request, |request| request.queue);
    if from == object::number(DestinationQueue) {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if world::inject(ddi) {
        return STATUS_WDF_BUSY;
    }
    let status = queue::accept(
        object::number(DestinationQueue),
        object::number(Request),
        false,
    );
    if status == STATUS_SUCCESS {
        queue::dispatch(from);
    }
    status
}

/// Puts a request back at the head of its queue, which is manual.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestRequeue(Request: WDFREQUEST) -> NTSTATUS {
    let ddi = "WdfRequestRequeue";
    enter(ddi, DISPATCH);
    require_owned(ddi, Request);
    require_unmarked(ddi, Request);
    let queue = live(ddi, Request, |request| request.queue);
    let manual = with(|w| {
        w.objects.peek::<Queue>(queue).is_some_and(|queue| {
            queue.config.DispatchType == _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual
        })
    });
    if !manual {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if world::inject(ddi) {
        return STATUS_WDF_BUSY;
    }
    queue::accept(queue, object::number(Request), true)
}

/// Answers EvtIoStop.
///
/// # Safety
/// None needed.
pub unsafe fn WdfRequestStopAcknowledge(Request: WDFREQUEST, Requeue: BOOLEAN) {
    let ddi = "WdfRequestStopAcknowledge";
    enter(ddi, DISPATCH);
    require_owned(ddi, Request);
    let stopping = live(ddi, Request, |request| {
        core::mem::replace(&mut request.stopping, false)
    });
    if !stopping {
        world::fatal(Rule::WrongPlace, ddi, "only in answer to EvtIoStop");
    }
    if Requeue != 0 {
        require_unmarked(ddi, Request);
        let queue = live(ddi, Request, |request| request.queue);
        let _ = queue::accept(queue, object::number(Request), true);
    } else {
        live(ddi, Request, |request| request.suspended = !request.purging);
        queue::recheck();
    }
}
