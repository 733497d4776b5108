//! Requests: ownership, buffers, cancellation, completion.

use super::queue::{self, Queue};
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::user::io;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, DISPATCH, call_at, with};

/// Who has a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The framework, on the way to a queue.
    Framework,
    /// A queue.
    Queue(u64),
    /// The driver.
    Driver,
    /// Nobody: it was completed.
    Completed,
}

/// A WDFREQUEST.
pub(crate) struct Request {
    /// The I/O manager's packet.
    pub(crate) irp: u64,
    pub(crate) owner: Owner,
    /// The queue it came from last.
    pub(crate) queue: u64,
    /// The driver has had it before.
    pub(crate) delivered: bool,
    /// EvtRequestCancel, while marked cancelable.
    pub(crate) cancel: PFN_WDF_REQUEST_CANCEL,
    /// EvtRequestCancel has been called.
    pub(crate) cancel_called: bool,
    pub(crate) information: u64,
    /// EvtIoStop was called and not yet answered.
    pub(crate) stopping: bool,
    /// The driver keeps it while the device is off.
    pub(crate) suspended: bool,
}

impl Payload for Request {
    const TYPE: &'static str = "WDFREQUEST";
    const DELETABLE: bool = false;
}

/// Makes the request of a packet, with the context that the driver asked for.
pub(crate) fn create(irp: u64) -> u64 {
    let (attributes, device) = with(|w| {
        let device = w.pnp.device;
        (
            w.objects
                .peek::<super::device::Device>(device)
                .and_then(|device| device.init.request_attributes),
            device,
        )
    });
    let request = Request {
        irp,
        owner: Owner::Framework,
        queue: 0,
        delivered: false,
        cancel: None,
        cancel_called: false,
        information: 0,
        stopping: false,
        suspended: false,
    };
    object::number(object::create_checked(
        "framework",
        attributes,
        object::handle(device),
        request,
    ))
}

/// Access to a request that must not have been completed.
fn live<R>(ddi: &'static str, request: WDFREQUEST, f: impl FnOnce(&mut Request) -> R) -> R {
    let number = object::number(request);
    let gone = with(|w| {
        let completed = w
            .objects
            .peek::<Request>(number)
            .is_some_and(|request| request.owner == Owner::Completed);
        completed
            || (w.io.completed.contains(&number) && w.objects.peek::<Request>(number).is_none())
    });
    if gone {
        let completing = ddi.starts_with("WdfRequestComplete");
        let rule = if completing {
            Rule::DoubleCompletion
        } else {
            Rule::RequestCompleted
        };
        world::fatal(rule, ddi, format!("{request:?} was completed before"));
    }
    object::get(ddi, request.cast(), f)
}

/// Stops the machine unless the driver owns the request.
pub(crate) fn require_owned(ddi: &'static str, request: WDFREQUEST) {
    let owner = live(ddi, request, |request| request.owner);
    if owner != Owner::Driver {
        world::fatal(
            Rule::RequestNotOwned,
            ddi,
            format!("{request:?} belongs to {owner:?}"),
        );
    }
}

/// The packet of a request that the driver owns.
pub(crate) fn irp_of(ddi: &'static str, request: WDFREQUEST) -> u64 {
    require_owned(ddi, request);
    live(ddi, request, |request| request.irp)
}

fn peek_irp(request: u64) -> u64 {
    with(|w| {
        w.objects
            .peek::<Request>(request)
            .map_or(0, |request| request.irp)
    })
}

/// The file object of a request, 0 if it has none.
pub(crate) fn file_of(request: u64) -> u64 {
    let irp = peek_irp(request);
    with(|w| w.io.irps.get(&irp).map_or(0, |irp| irp.file_object))
}

/// Control code, input length, output length.
pub(crate) fn lengths(request: u64) -> (u32, usize, usize) {
    let irp = peek_irp(request);
    with(|w| {
        w.io.irps.get(&irp).map_or((0, 0, 0), |irp| {
            (irp.code, irp.input_bytes, irp.output_bytes)
        })
    })
}

/// What WdfRequestGetParameters gives.
pub(crate) fn parameters(request: u64) -> WDF_REQUEST_PARAMETERS {
    let irp = peek_irp(request);
    let mut parameters = WDF_REQUEST_PARAMETERS {
        Size: size_of::<WDF_REQUEST_PARAMETERS>() as u16,
        ..Default::default()
    };
    with(|w| {
        let Some(irp) = w.io.irps.get(&irp) else {
            return;
        };
        if irp.create {
            parameters.Type = _WDF_REQUEST_TYPE::WdfRequestTypeCreate;
            return;
        }
        parameters.Type = _WDF_REQUEST_TYPE::WdfRequestTypeDeviceControl;
        parameters.Parameters.DeviceIoControl =
            _WDF_REQUEST_PARAMETERS__bindgen_ty_1__bindgen_ty_4 {
                OutputBufferLength: irp.output_bytes,
                InputBufferLength: irp.input_bytes,
                IoControlCode: irp.code,
                Type3InputBuffer: core::ptr::null_mut(),
            };
    });
    parameters
}

/// Gives the request's input.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfRequestRetrieveInputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredLength: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    let ddi = "WdfRequestRetrieveInputBuffer";
    // SAFETY: the caller's contract.
    unsafe { retrieve(ddi, Request, MinimumRequiredLength, Buffer, Length, false) }
}

/// Gives where the request's output goes.
///
/// # Safety
/// The pointers are valid or, where allowed, null.
#[must_use]
pub unsafe fn WdfRequestRetrieveOutputBuffer(
    Request: WDFREQUEST,
    MinimumRequiredSize: usize,
    Buffer: *mut PVOID,
    Length: *mut usize,
) -> NTSTATUS {
    let ddi = "WdfRequestRetrieveOutputBuffer";
    // SAFETY: the caller's contract.
    unsafe { retrieve(ddi, Request, MinimumRequiredSize, Buffer, Length, true) }
}

unsafe fn retrieve(
    ddi: &'static str,
    request: WDFREQUEST,
    minimum: usize,
    buffer: *mut PVOID,
    length: *mut usize,
    output: bool,
) -> NTSTATUS {
    enter(ddi, DISPATCH);
    let irp = irp_of(ddi, request);
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let found = with(|w| {
        let irp =
            w.io.irps
                .get_mut(&irp)
                .ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        if irp.create || irp.method() == METHOD_NEITHER {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let bytes = if output {
            irp.output_bytes
        } else {
            irp.input_bytes
        };
        if bytes == 0 || bytes < minimum {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        let direct = output && irp.method() != METHOD_BUFFERED;
        Ok((
            if direct {
                Err(irp.mdl)
            } else {
                Ok(irp.system_buffer.as_mut_ptr())
            },
            bytes,
        ))
    });
    match found {
        Err(status) => status,
        Ok((place, bytes)) => {
            let address: PVOID = match place {
                Ok(system) => system.cast(),
                Err(mdl) => crate::memory::system_address(mdl),
            };
            if address.is_null() {
                return STATUS_INSUFFICIENT_RESOURCES;
            }
            // SAFETY: the caller's contract.
            unsafe {
                *buffer = address;
                if !length.is_null() {
                    *length = bytes;
                }
            }
            STATUS_SUCCESS
        }
    }
}

#[allow(dead_code)]
/// The MDL of the request's direct buffer: null for methods without one, with the status to return then.
pub(crate) fn direct_mdl(ddi: &'static str, request: WDFREQUEST) -> Result<PMDL, NTSTATUS> {
    let irp = irp_of(ddi, request);
    with(|w| match w.io.irps.get(&irp) {
        Some(irp) if irp.create || irp.method() == METHOD_NEITHER => {
            Err(STATUS_INVALID_DEVICE_REQUEST)
        }
        Some(irp) if irp.output_bytes == 0 => Err(STATUS_BUFFER_TOO_SMALL),
        Some(irp) => Ok(irp.mdl),
        None => Err(STATUS_INVALID_DEVICE_REQUEST),
    })
}

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

fn require_unmarked(ddi: &'static str, request: WDFREQUEST) {
    if live(ddi, request, |request| request.cancel.is_some()) {
        world::fatal(
            Rule::CompletedWhileCancelable,
            ddi,
            format!("{request:?} is marked cancelable: unmark it first"),
        );
    }
}

/// The file object of a request.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestGetFileObject(Request: WDFREQUEST) -> WDFFILEOBJECT {
    let ddi = "WdfRequestGetFileObject";
    enter(ddi, DISPATCH);
    live(ddi, Request, |_| ());
    object::handle(file_of(object::number(Request)))
}

/// The queue that the request came from, or null.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestGetIoQueue(Request: WDFREQUEST) -> WDFQUEUE {
    let ddi = "WdfRequestGetIoQueue";
    enter(ddi, DISPATCH);
    object::handle(live(ddi, Request, |request| request.queue))
}

/// Tells what the request asks for.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn WdfRequestGetParameters(Request: WDFREQUEST, Parameters: PWDF_REQUEST_PARAMETERS) {
    let ddi = "WdfRequestGetParameters";
    enter(ddi, DISPATCH);
    live(ddi, Request, |_| ());
    // SAFETY: the caller's contract.
    unsafe {
        if usize::from((*Parameters).Size) != size_of::<WDF_REQUEST_PARAMETERS>() {
            world::violation(
                Rule::StructureSize,
                ddi,
                format!("Size is {}", (*Parameters).Size),
            );
        }
        *Parameters = parameters(object::number(Request));
    }
}

/// Whether the request came from an application.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestGetRequestorMode(Request: WDFREQUEST) -> KPROCESSOR_MODE {
    let ddi = "WdfRequestGetRequestorMode";
    enter(ddi, DISPATCH);
    live(ddi, Request, |_| ());
    _MODE::UserMode as i8
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
        live(ddi, Request, |request| request.suspended = true);
        queue::recheck();
    }
}

/// Completes a request.
///
/// # Safety
/// The driver does not use the request's buffers afterwards.
pub unsafe fn WdfRequestComplete(Request: WDFREQUEST, Status: NTSTATUS) {
    let information = with(|w| {
        w.objects
            .peek::<self::Request>(object::number(Request))
            .map_or(0, |request| request.information)
    });
    complete("WdfRequestComplete", Request, Status, information);
}

/// Completes a request, with the number of bytes.
///
/// # Safety
/// The driver does not use the request's buffers afterwards.
pub unsafe fn WdfRequestCompleteWithInformation(
    Request: WDFREQUEST,
    Status: NTSTATUS,
    Information: ULONG_PTR,
) {
    complete(
        "WdfRequestCompleteWithInformation",
        Request,
        Status,
        Information,
    );
}

fn complete(ddi: &'static str, request: WDFREQUEST, status: NTSTATUS, mut information: u64) {
    enter(ddi, DISPATCH);
    require_owned(ddi, request);
    require_unmarked(ddi, request);
    if status == STATUS_PENDING {
        world::fatal(Rule::InvalidArgument, ddi, "STATUS_PENDING is no result");
    }
    let (_, input, output) = lengths(object::number(request));
    let most = output.max(if output == 0 { 0 } else { input.min(output) }) as u64;
    let irp = peek_irp(object::number(request));
    let create = with(|w| w.io.irps.get(&irp).is_some_and(|irp| irp.create));
    if !create && information > most {
        world::violation(
            Rule::InformationTooLarge,
            ddi,
            format!("{information} bytes, the buffer has {most}"),
        );
        information = most;
    }
    finish(ddi, object::number(request), status, information);
}

/// Ends a request, whoever has it.
pub(crate) fn finish(ddi: &'static str, request: u64, status: NTSTATUS, information: u64) {
    let found = with(|w| {
        let request_data = w.objects.peek::<Request>(request)?;
        request_data.owner = Owner::Completed;
        let found = (request_data.irp, request_data.queue);
        w.io.completed.insert(request);
        if w.io.completed.len() > 10_000 {
            w.io.completed.pop_first();
        }
        Some(found)
    });
    let Some((irp, queue)) = found else {
        return;
    };
    io::complete(irp, status, information);
    object::delete(ddi, object::handle(request));
    queue::released(queue, request);
}

/// Sets the number of bytes for the completion.
///
/// # Safety
/// None needed.
pub unsafe fn WdfRequestSetInformation(Request: WDFREQUEST, Information: ULONG_PTR) {
    let ddi = "WdfRequestSetInformation";
    enter(ddi, DISPATCH);
    live(ddi, Request, |request| request.information = Information);
}

/// The number of bytes set so far.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestGetInformation(Request: WDFREQUEST) -> ULONG_PTR {
    let ddi = "WdfRequestGetInformation";
    enter(ddi, DISPATCH);
    live(ddi, Request, |request| request.information)
}

/// Cancels a request, wherever it is.
pub(crate) fn cancel(request: u64) {
    let irp = peek_irp(request);
    with(|w| {
        if let Some(irp) = w.io.irps.get_mut(&irp) {
            irp.cancelled = true;
        }
    });
    cancel_if_asked(request);
}

/// Does what a cancelled request's place asks for.
pub(crate) fn cancel_if_asked(request: u64) {
    enum Act {
        Nothing,
        Finish,
        Queue(PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE, u64),
        Driver(unsafe extern "C" fn(WDFREQUEST)),
    }
    let irp = peek_irp(request);
    if with(|w| w.io.irps.get(&irp).is_none_or(|irp| !irp.cancelled)) {
        return;
    }
    let act = with(|w| {
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
                let owner = if callback.is_some() {
                    Owner::Driver
                } else {
                    Owner::Framework
                };
                if callback.is_some() {
                    queue_data.owned.insert(request);
                }
                if let Some(data) = w.objects.peek::<Request>(request) {
                    data.owner = owner;
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
    });
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
            call_at("EvtIoCanceledOnQueue", irql, || unsafe {
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
