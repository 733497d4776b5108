//! Cancellation: the mark, and what a cancelled request's place asks for.

use super::super::queue::Queue;
use super::{Owner, Request, finish, irp_of, live, peek_irp, require_owned};
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object;
use crate::world::{self, DISPATCH, call_at, with};

pub(super) fn require_unmarked(ddi: &'static str, request: WDFREQUEST) {
    if live(ddi, request, |request| request.cancel.is_some()) {
        world::fatal(
            Rule::CompletedWhileCancelable,
            ddi,
            format!("{request:?} is marked cancelable: unmark it first"),
        );
    }
}

/// Makes a request cancelable; EvtRequestCancel is called at once if it was cancelled.
///
/// # Safety
/// None needed.
pub unsafe fn WdfRequestMarkCancelable(
    Request: WDFREQUEST,
    EvtRequestCancel: PFN_WDF_REQUEST_CANCEL,
) {
    let ddi = "WdfRequestMarkCancelable";
    enter(ddi, DISPATCH);
    mark(ddi, Request, EvtRequestCancel);
    cancel_if_asked(object::number(Request));
}

/// Makes a request cancelable, unless it was cancelled.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestMarkCancelableEx(
    Request: WDFREQUEST,
    EvtRequestCancel: PFN_WDF_REQUEST_CANCEL,
) -> NTSTATUS {
    let ddi = "WdfRequestMarkCancelableEx";
    enter(ddi, DISPATCH);
    let irp = irp_of(ddi, Request);
    if with(|w| w.io.irps.get(&irp).is_none_or(|irp| irp.cancelled)) {
        return STATUS_CANCELLED;
    }
    if world::inject(ddi) {
        return STATUS_CANCELLED;
    }
    mark(ddi, Request, EvtRequestCancel);
    STATUS_SUCCESS
}

fn mark(ddi: &'static str, request: WDFREQUEST, callback: PFN_WDF_REQUEST_CANCEL) {
    require_owned(ddi, request);
    if callback.is_none() {
        world::fatal(Rule::InvalidArgument, ddi, "EvtRequestCancel is required");
    }
    let again = live(ddi, request, |request| {
        request
            .cancel
            .replace(callback?)
            .or_else(|| request.cancel.filter(|_| request.cancel_called))
    });
    if again.is_some() {
        world::fatal(
            Rule::MarkCancelable,
            ddi,
            format!("{request:?} is marked already"),
        );
    }
}

/// Takes the cancelable mark away, unless EvtRequestCancel was called or is about to be.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestUnmarkCancelable(Request: WDFREQUEST) -> NTSTATUS {
    let ddi = "WdfRequestUnmarkCancelable";
    enter(ddi, DISPATCH);
    let (was_marked, called) = live(ddi, Request, |request| {
        (request.cancel.take().is_some(), request.cancel_called)
    });
    if called {
        return STATUS_CANCELLED;
    }
    if !was_marked {
        world::violation(
            Rule::MarkCancelable,
            ddi,
            format!("{Request:?} is not marked cancelable"),
        );
        return STATUS_INVALID_PARAMETER;
    }
    STATUS_SUCCESS
}

/// Whether the request was cancelled.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestIsCanceled(Request: WDFREQUEST) -> BOOLEAN {
    let ddi = "WdfRequestIsCanceled";
    enter(ddi, DISPATCH);
    let irp = irp_of(ddi, Request);
    if live(ddi, Request, |request| request.cancel.is_some()) {
        world::violation(
            Rule::MarkCancelable,
            ddi,
            "the request is marked cancelable: EvtRequestCancel tells",
        );
    }
    with(|w| w.io.irps.get(&irp).is_some_and(|irp| irp.cancelled)).into()
}

/// Cancels a request, wherever it is.
pub(crate) fn cancel(request: u64) {
    ask(request);
    cancel_if_asked(request);
}

fn ask(request: u64) {
    let irp = peek_irp(request);
    with(|w| {
        if let Some(irp) = w.io.irps.get_mut(&irp) {
            irp.cancelled = true;
        }
    });
}

/// Cancels a request that waits in a queue, on another processor: it has left the queue at once, and what follows from that comes later.
pub(crate) fn cancel_elsewhere(request: u64) {
    ask(request);
    let act = begin(request);
    with(|w| w.pnp.work.push_back(crate::pnp::Work::Cancel(request, act)));
    world::wake(crate::ddi::work::WORK);
}

/// Does what a cancelled request's place asks for.
pub(crate) fn cancel_if_asked(request: u64) {
    let irp = peek_irp(request);
    if with(|w| w.io.irps.get(&irp).is_some_and(|irp| irp.cancelled)) {
        carry_out(request, begin(request));
    }
}

/// What is left to do of a cancellation.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Nothing,
    Finish,
    Queue(PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE, u64),
    Driver(unsafe extern "C" fn(WDFREQUEST)),
}

/// Takes a cancelled request from its place.
fn begin(request: u64) -> Act {
    with(|w| {
        let Some(data) = w.objects.peek::<Request>(request) else {
            return Act::Nothing;
        };
        match data.owner {
            Owner::Queue(queue) => {
                let delivered = data.delivered;
                let Some(queue_data) = w.objects.peek::<Queue>(queue) else {
                    return Act::Nothing;
                };
                queue_data.waiting.retain(|waiting| *waiting != request);
                let callback = queue_data.config.EvtIoCanceledOnQueue.filter(|_| delivered);
                if callback.is_some() {
                    queue_data.owned.insert(request);
                }
                // Until EvtIoCanceledOnQueue is called, if there is one, it is nobody's but the framework's.
                if let Some(data) = w.objects.peek::<Request>(request) {
                    data.owner = Owner::Framework;
                }
                if callback.is_some() {
                    Act::Queue(callback, queue)
                } else {
                    Act::Finish
                }
            }
            Owner::Driver => match data.cancel.take() {
                Some(callback) => {
                    data.cancel_called = true;
                    Act::Driver(callback)
                }
                None => Act::Nothing,
            },
            Owner::Framework | Owner::Completed => Act::Nothing,
        }
    })
}

/// Does what [`begin`] has left.
pub(crate) fn carry_out(request: u64, act: Act) {
    // At most DISPATCH_LEVEL, and which it is is left open.
    let irql = with(|w| {
        if w.config.preempt && w.random(2) == 0 {
            DISPATCH
        } else {
            0
        }
    });
    match act {
        Act::Nothing => {}
        Act::Finish => finish("framework", request, STATUS_CANCELLED, 0),
        // SAFETY: the driver's callbacks with the objects they were registered for.
        Act::Queue(Some(callback), queue) => {
            world::point("EvtIoCanceledOnQueue", 1);
            call_at("EvtIoCanceledOnQueue", irql, || unsafe {
                with(|w| {
                    if let Some(data) = w.objects.peek::<Request>(request) {
                        data.owner = Owner::Driver;
                    }
                });
                callback(object::handle(queue), object::handle(request))
            });
        }
        Act::Queue(None, _) => {}
        // SAFETY: as above. The request may be completed while the callback is on its way: the framework keeps it alive.
        Act::Driver(callback) => {
            object::reference("framework", object::handle(request));
            world::point("EvtRequestCancel", 1);
            call_at("EvtRequestCancel", irql, || unsafe {
                callback(object::handle(request))
            });
            object::dereference("framework", object::handle(request));
        }
    }
}
