//! Requests: what they are, who owns them, completion.

mod buffers;
mod cancel;
mod moves;

pub use buffers::*;
pub use cancel::*;
pub use moves::*;

pub(crate) use buffers::direct_mdl;
pub(crate) use cancel::{Act, cancel, cancel_elsewhere, cancel_if_asked, carry_out};

use super::queue;
use crate::constants::*;
use crate::kernel::enter;
use crate::types::*;
use crate::user::io;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{self, DISPATCH, with};
use cancel::require_unmarked;

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
    /// The device is being removed: it may not be kept.
    pub(crate) purging: bool,
    /// The driver has asked for its file object.
    file_asked: bool,
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
        purging: false,
        file_asked: false,
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

/// The file object of a request.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn WdfRequestGetFileObject(Request: WDFREQUEST) -> WDFFILEOBJECT {
    let ddi = "WdfRequestGetFileObject";
    enter(ddi, DISPATCH);
    let first = live(ddi, Request, |request| {
        !core::mem::replace(&mut request.file_asked, true)
    });
    // One that another driver sends without a create before it has none, from its first moment on.
    if first && world::inject(ddi) {
        let irp = irp_of(ddi, Request);
        with(|w| {
            if let Some(irp) = w.io.irps.get_mut(&irp).filter(|irp| !irp.create) {
                irp.file_object = 0;
            }
        });
    }
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
