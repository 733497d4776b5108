//! WAIT: pended until there are enough completions.

use pinring_ioctl::{self as ioctl, Error};
use wdk_sys::{
    NTSTATUS, PVOID, STATUS_CANCELLED, STATUS_SUCCESS, WDFFILEOBJECT, WDFQUEUE, WDFREQUEST,
    call_unsafe_wdf_function_binding,
};
use zerocopy::IntoBytes;

use crate::device::{Card, card_of};
use crate::file::{File, FileContext, context_of};
use crate::region::REQUEST;
use crate::state::{Power, State};
use crate::status::check;

/// WAITs that are looked at in one go at DISPATCH_LEVEL.
const ROUNDS: usize = 64;

/// WAIT: forwards the request to the queue in which it waits, or answers one that takes what there is (`Some` bytes of output). On an error
/// or an answer it is the caller's to complete.
pub(crate) fn pend(
    card: &'static Card,
    context: &FileContext,
    request: WDFREQUEST,
    input: &[u8],
    output_bytes: usize,
) -> Result<Option<usize>, NTSTATUS> {
    let asked = check_wait(context, input, output_bytes).map_err(Error::status)?;
    if asked.least == 0 {
        // Not behind others, which may wait for long.
        return answer_now(card, context.file, request);
    }
    // Behind the forwarding the request may end at any time, and with it the file; the pin keeps it.
    let file = context.file;
    card.state.with(|_| {
        // SAFETY: the request in hand keeps the file until here, and the lock is held.
        unsafe { (*file).pins += 1 }
    });
    // SAFETY: the request is ours until it is forwarded.
    let forwarded = unsafe {
        (*REQUEST.of(request.cast())).least = asked.least;
        call_unsafe_wdf_function_binding!(WdfRequestForwardToIoQueue, request, card.waits)
    };
    let closing = card.state.with(|_| {
        // SAFETY: the pin has kept it, and the lock is held.
        let file = unsafe { &mut *file };
        file.pins -= 1;
        file.wanted = true;
        file.closing
    });
    if closing {
        card.wake();
    }
    check(forwarded)?;
    serve_own(card, file);
    Ok(None)
}

fn check_wait(
    context: &FileContext,
    input: &[u8],
    output_bytes: usize,
) -> Result<ioctl::Wait, Error> {
    if input.len() != ioctl::Wait::BYTES {
        return Err(Error::Malformed);
    }
    let asked = ioctl::Wait::parse(input).ok_or(Error::Malformed)?;
    if output_bytes < ioctl::Completion::BYTES
        || asked.least as usize > output_bytes / ioctl::Completion::BYTES
    {
        return Err(Error::Malformed);
    }
    if context.synchronous != 0 {
        return Err(Error::Synchronous);
    }
    Ok(asked)
}

/// Gives what there is.
fn answer_now(
    card: &'static Card,
    file: *mut File,
    request: WDFREQUEST,
) -> Result<Option<usize>, NTSTATUS> {
    let taken = take_into(card, file, request, 0)?;
    Ok(Some(taken.unwrap_or(0) * ioctl::Completion::BYTES))
}

/// Completes every WAIT that may end. PASSIVE_LEVEL, outside the lock.
pub(crate) fn serve(card: &'static Card) {
    serve_rounds(card, |_| true, usize::MAX);
}

/// As [`serve`], but no more than a few of them: the work item goes on. IRQL <= DISPATCH_LEVEL, outside the lock.
pub(crate) fn serve_some(card: &'static Card) {
    serve_rounds(card, |_| true, ROUNDS);
}

/// As [`serve_some`], for one file, which may be gone. For an application's thread: it may not run for long while it serves, and nobody
/// else's WAITs are to wait for that.
pub(crate) fn serve_own(card: &'static Card, own: *mut File) {
    serve_rounds(card, |file| file == own, ROUNDS);
}

fn serve_rounds(card: &'static Card, which: impl Fn(*mut File) -> bool, mut rounds: usize) {
    while let Some((file, object)) = card.state.with(|state| next(state, &which)) {
        let more = loop {
            if rounds == 0 {
                break true;
            }
            rounds -= 1;
            let mut request: WDFREQUEST = core::ptr::null_mut();
            // SAFETY: the queue is valid, and the reference keeps the file object.
            let got = unsafe {
                call_unsafe_wdf_function_binding!(
                    WdfIoQueueRetrieveRequestByFileObject,
                    card.waits,
                    object,
                    &raw mut request
                )
            };
            if check(got).is_err() || !answer(card, file, request) {
                break false;
            }
        };
        let closing = card.state.with(|_| {
            // SAFETY: `serving` keeps it, and the lock is held.
            let file = unsafe { &mut *file };
            file.serving = false;
            file.wanted |= more;
            file.closing
        });
        // SAFETY: the reference that `next` took.
        unsafe {
            call_unsafe_wdf_function_binding!(
                WdfObjectDereferenceActual,
                object.cast(),
                core::ptr::null_mut(),
                0,
                core::ptr::null()
            );
        }
        if closing || more {
            // The work item may have waited for that, or goes on.
            card.wake();
        }
        if more {
            return;
        }
    }
}

/// A file whose WAITs are to be looked at, and that no other processor serves; with a reference to its object.
///
/// EvtFileClose does not wait for `serving`: it may come from within the completion of the file's last WAIT, on the thread that serves.
fn next(
    state: &mut State,
    which: impl Fn(*mut File) -> bool,
) -> Option<(*mut File, WDFFILEOBJECT)> {
    let file = state.files().filter(|&file| which(file)).find(|&file| {
        // SAFETY: files on the list are alive.
        let file = unsafe { &*file };
        file.wanted && !file.serving && !file.closed
    })?;
    // SAFETY: as above.
    let open = unsafe { &mut *file };
    open.serving = true;
    open.wanted = false;
    // Until a WAIT says otherwise.
    open.least = u64::MAX;
    // SAFETY: EvtFileClose has not come, so that the object is valid.
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfObjectReferenceActual,
            open.wdf.cast(),
            core::ptr::null_mut(),
            0,
            core::ptr::null()
        );
    }
    Some((file, open.wdf))
}

/// Completes a WAIT, or puts it back; true if it was completed.
fn answer(card: &'static Card, file: *mut File, request: WDFREQUEST) -> bool {
    // SAFETY: the request is ours, and has this context.
    let least = unsafe { (*REQUEST.of(request.cast())).least };
    let (status, information): (NTSTATUS, usize) = match take_into(card, file, request, least) {
        Ok(Some(count)) => (STATUS_SUCCESS, count * ioctl::Completion::BYTES),
        Ok(None) => {
            // SAFETY: it came out of a manual queue, and goes back to its head. If it was cancelled meanwhile, `cancelled` gets it.
            let requeued = unsafe { call_unsafe_wdf_function_binding!(WdfRequestRequeue, request) };
            match check(requeued) {
                Ok(()) => return false,
                Err(status) => (status, 0),
            }
        }
        Err(status) => (status, 0),
    };
    // SAFETY: the request is ours.
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfRequestCompleteWithInformation,
            request,
            status,
            information as u64
        );
    }
    true
}

/// Takes completions into a WAIT's output. The file is kept by the request in hand or by `serving`.
fn take_into(
    card: &'static Card,
    file: *mut File,
    request: WDFREQUEST,
    least: u32,
) -> Result<Option<usize>, NTSTATUS> {
    let (mut buffer, mut bytes): (PVOID, usize) = (core::ptr::null_mut(), 0);
    // SAFETY: the request is ours, and the places are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfRequestRetrieveOutputBuffer,
            request,
            ioctl::Completion::BYTES,
            &raw mut buffer,
            &raw mut bytes
        )
    })?;
    // SAFETY: the request's system buffer, of this length, in nonpaged pool, until the request completes; nobody else has it.
    let output = unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), bytes) };
    card.state.with(|state| {
        // SAFETY: the file is kept, and the lock is held.
        take(state, unsafe { &mut *file }, least.into(), output)
    })
}

/// What a WAIT gets: completions, "not yet" or an end.
fn take(
    state: &State,
    file: &mut File,
    least: u64,
    output: &mut [u8],
) -> Result<Option<usize>, NTSTATUS> {
    let available = file.available();
    if file.closing && available < least {
        return Err(STATUS_CANCELLED);
    }
    if available < least {
        let coming: u64 = file.lanes.iter().map(|lane| lane.unfinished()).sum();
        let over = matches!(state.power, Power::Closed) && coming == 0;
        if !over {
            file.least = least;
            return Ok(None);
        }
        if available == 0 {
            return Err(Error::Gone.status());
        }
    }
    let mut count = 0;
    for place in output.chunks_exact_mut(ioctl::Completion::BYTES) {
        let Some(lane) = file.lanes.iter_mut().find(|lane| lane.available() != 0) else {
            break;
        };
        place.copy_from_slice(lane.take().as_bytes());
        count += 1;
    }
    Ok(Some(count))
}

/// EvtIoCanceledOnQueue of the WAITs. IRQL <= DISPATCH_LEVEL.
pub(crate) unsafe extern "C" fn cancelled(queue: WDFQUEUE, request: WDFREQUEST) {
    // SAFETY: the queue is valid.
    let card = card_of(unsafe { call_unsafe_wdf_function_binding!(WdfIoQueueGetDevice, queue) });
    if let Ok(context) = context_of(request) {
        card.state.with(|_| {
            // SAFETY: the request in hand keeps the file, and the lock is held. It may have been the oldest: the one behind it may ask for
            // less.
            unsafe { (*context.file).wanted = true }
        });
        // It is not in the queue any more; still in hand, it keeps file and device.
        serve_own(card, context.file);
    }
    // SAFETY: the request is ours again.
    unsafe {
        call_unsafe_wdf_function_binding!(WdfRequestComplete, request, STATUS_CANCELLED);
    }
}
