//! Control codes: each is parsed once, checked, and answered or handed on.

use pinring_core::{Capabilities, CopyDirection};
use pinring_ioctl::{self as ioctl, Code, Error, Method};
use pinring_protocol::{Direction, LAYOUT_HASH};
use wdk_sys::ntddk::PsGetCurrentProcessId;
use wdk_sys::{
    NTSTATUS, PMDL, PVOID, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS,
    WDFDEVICE, WDFQUEUE, WDFREQUEST, call_unsafe_wdf_function_binding,
};
use zerocopy::IntoBytes;

use crate::device::{Card, card_of};
use crate::dma::system_address;
use crate::file::{File, FileContext, context_of};
use crate::region::{self, Phase, REQUEST, Region};
use crate::state::{Power, State, Waiting};
use crate::status::{check, of_copy};
use crate::time::{ms, relative};
use crate::transfer::{give_lane_memory, submit};
use crate::wait;

/// Version of the driver, the crate's: major in bits 31:16, minor in bits 15:0.
const DRIVER_VERSION: u32 =
    number(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | number(env!("CARGO_PKG_VERSION_MINOR"));

const fn number(digits: &str) -> u32 {
    match u16::from_str_radix(digits, 10) {
        Ok(number) => number as u32,
        Err(_) => panic!("cargo gives decimal numbers"),
    }
}

/// Bytes of the log that are taken under the lock at a time, at a microsecond each.
const LOG_CHUNK: usize = 32;

/// A device with transfers in flight is asked for its health at least this often.
const HEALTH_NS: u64 = ms(100);

/// How a request went.
enum Answer {
    /// Completed, with this many bytes of output.
    Bytes(usize),
    /// It waits elsewhere.
    Pended,
}

/// EvtIoInCallerContext: notes who asks, and queues the request. PASSIVE_LEVEL, in the context of the application's thread.
pub(crate) unsafe extern "C" fn in_caller_context(device: WDFDEVICE, request: WDFREQUEST) {
    // SAFETY: the request is ours until it is queued, and has this context.
    let queued = unsafe {
        (*REQUEST.of(request.cast())).process = PsGetCurrentProcessId();
        call_unsafe_wdf_function_binding!(WdfDeviceEnqueueRequest, device, request)
    };
    if let Err(status) = check(queued) {
        // SAFETY: it was not queued, so that it is ours.
        unsafe { call_unsafe_wdf_function_binding!(WdfRequestComplete, request, status) };
    }
}

/// EvtIoDeviceControl of the default queue, and of the one in which requests wait while the device has no power. PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn control(
    queue: WDFQUEUE,
    request: WDFREQUEST,
    output_bytes: usize,
    input_bytes: usize,
    code: u32,
) {
    // SAFETY: the queue is valid.
    let card = card_of(unsafe { call_unsafe_wdf_function_binding!(WdfIoQueueGetDevice, queue) });
    let answer = match Code::from_value(code) {
        Some(code) => match dispatch(card, request, code, input_bytes, output_bytes) {
            Err(status) if status == Error::NotRunning.status() && queue != card.powered => {
                wait_for_power(card, request, code).map_err(|refused| refused.unwrap_or(status))
            }
            answer => answer,
        },
        None => Err(STATUS_INVALID_DEVICE_REQUEST),
    };
    let (status, information) = match answer {
        Ok(Answer::Bytes(count)) => (STATUS_SUCCESS, count),
        Ok(Answer::Pended) => return,
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
}

/// A request that finds the device without power, and has changed nothing, waits for it. Not one whose buffer is locked: the process that it
/// belongs to could not end. On an error it is the caller's to complete.
fn wait_for_power(
    card: &'static Card,
    request: WDFREQUEST,
    code: Code,
) -> Result<Answer, Option<NTSTATUS>> {
    let sleeps = card
        .state
        .with(|state| matches!(state.power, Power::Asleep | Power::Off));
    if !sleeps || code.method != Method::Buffered {
        return Err(None);
    }
    // SAFETY: the request is ours until it is forwarded.
    let forwarded = unsafe {
        call_unsafe_wdf_function_binding!(WdfRequestForwardToIoQueue, request, card.powered)
    };
    check(forwarded).map(|()| Answer::Pended).map_err(Some)
}

/// EvtIoStop of the queue with power management. Its requests are answered by the callback that gets them, within a bounded time, or have
/// gone on to a queue without power management: the framework waits for them.
pub(crate) unsafe extern "C" fn stop(_queue: WDFQUEUE, _request: WDFREQUEST, _flags: u32) {}

fn dispatch(
    card: &'static Card,
    request: WDFREQUEST,
    code: Code,
    input_bytes: usize,
    output_bytes: usize,
) -> Result<Answer, NTSTATUS> {
    let failed = |error: Error| error.status();
    let context = context_of(request).map_err(failed)?;
    let input = input(request, input_bytes)?;
    let none = Ok(Answer::Bytes(0));
    match code {
        ioctl::QUERY_DEVICE => {
            let info = device_info(card);
            reply(request, info.as_bytes())
        }
        ioctl::REGISTER => {
            region::register(card, context, request, input).map_err(failed)?;
            Ok(Answer::Pended)
        }
        ioctl::QUERY_REGION => {
            let token = exactly(input, ioctl::Token::BYTES)
                .and_then(ioctl::Token::parse)
                .ok_or(Error::Malformed)
                .map_err(failed)?;
            let info = card.state.with(|state| {
                let regions = &mut file(context).regions;
                let region = core::ptr::from_mut(regions.of_token(token.token)?);
                // SAFETY: what is in a slot is alive while the lock is held.
                Ok(unsafe { (*region).info(state) })
            });
            reply(request, info.map_err(failed)?.as_bytes())
        }
        ioctl::UNREGISTER => {
            let went = card
                .state
                .with(|_| region::unregister(file(context), input));
            card.wake();
            went.map_err(failed).and(none)
        }
        ioctl::ALLOCATE => {
            if output_bytes < ioctl::RegionInfo::BYTES {
                return Err(STATUS_BUFFER_TOO_SMALL);
            }
            // Before anything changes: an allocation whose answer does not arrive is nobody's to free.
            let place = output(request, ioctl::RegionInfo::BYTES)?;
            let info = region::allocate(card, context, input).map_err(failed)?;
            write(place, info.as_bytes())
        }
        ioctl::COPY_OUT => copy(card, context, request, input, CopyDirection::Out).map_err(failed),
        ioctl::COPY_IN => copy(card, context, request, input, CopyDirection::In).map_err(failed),
        ioctl::SUBMIT => submit_batch(card, context, input).map_err(failed).and(none),
        ioctl::WAIT => {
            let answered = wait::pend(card, context, request, input, output_bytes)?;
            Ok(answered.map_or(Answer::Pended, Answer::Bytes))
        }
        ioctl::CANCEL => {
            let went = card
                .state
                .with(|state| region::cancel(state, file(context), input));
            wait::serve_own(card, context.file);
            card.wake();
            went.map_err(failed).and(none)
        }
        ioctl::STATISTICS => {
            let statistics = statistics(card, context);
            reply(request, statistics.as_bytes())
        }
        ioctl::READ_LOG => read_log(card, request, output_bytes),
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// The file of a request in hand. Only under the lock.
fn file<'a>(context: &FileContext) -> &'a mut File {
    // SAFETY: a file with a request in hand is not freed, and callers hold the lock, which guards it.
    unsafe { &mut *context.file }
}

fn exactly(input: &[u8], bytes: usize) -> Option<&[u8]> {
    (input.len() == bytes).then_some(input)
}

/// The input structure, in the system buffer: the system has copied it, so that the application cannot change it any more.
fn input(request: WDFREQUEST, bytes: usize) -> Result<&'static [u8], NTSTATUS> {
    if bytes == 0 {
        return Ok(&[]);
    }
    let (mut buffer, mut length): (PVOID, usize) = (core::ptr::null_mut(), 0);
    // SAFETY: the request is ours, and the places are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfRequestRetrieveInputBuffer,
            request,
            1,
            &raw mut buffer,
            &raw mut length
        )
    })?;
    // SAFETY: the buffer has this length and lives until the request completes or goes on, behind which nobody here reads it; with
    // METHOD_BUFFERED the output is written to the same place, but only once the input was parsed.
    Ok(unsafe { core::slice::from_raw_parts(buffer.cast::<u8>(), length) })
}

/// Writes an answer into the request's output buffer.
fn reply(request: WDFREQUEST, bytes: &[u8]) -> Result<Answer, NTSTATUS> {
    let place = output(request, bytes.len())?;
    write(place, bytes)
}

/// The request's output buffer, of at least `bytes` bytes.
fn output(request: WDFREQUEST, bytes: usize) -> Result<*mut u8, NTSTATUS> {
    let (mut buffer, mut length): (PVOID, usize) = (core::ptr::null_mut(), 0);
    // SAFETY: the request is ours, and the places are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfRequestRetrieveOutputBuffer,
            request,
            bytes,
            &raw mut buffer,
            &raw mut length
        )
    })?;
    Ok(buffer.cast())
}

/// Writes an answer to `place`, which [`output`] gave for as many bytes.
fn write(place: *mut u8, bytes: &[u8]) -> Result<Answer, NTSTATUS> {
    // SAFETY: the buffer has at least that many bytes, as asked for.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(Answer::Bytes(bytes.len()))
}

fn device_info(card: &Card) -> ioctl::DeviceInfo {
    card.state.with(|state| {
        let mut info = ioctl::DeviceInfo {
            interface_version: ioctl::VERSION,
            driver_version: DRIVER_VERSION,
            layout_hash: LAYOUT_HASH,
            messages: state.messages.into(),
            ring_entries: card.settings.ring_entries,
            prepare_depth: state.full_depth,
            max_transfer_bytes: state.max_transfer,
            max_locked_bytes_per_handle: card.settings.handle_cap,
            max_locked_bytes: card.settings.device_cap,
            running: u32::from(state.power == Power::Running),
            resets: state.totals.resets as u32,
            ..ioctl::DeviceInfo::default()
        };
        if let Some(device) = &state.device {
            let &Capabilities {
                version,
                features,
                queues,
                data_width,
                clock_hz,
                ..
            } = device.capabilities();
            info.features = features.raw();
            info.device_version = version.raw();
            info.clock_hz = clock_hz;
            info.data_width_bits = data_width;
            info.queues = queues.into();
            info.max_regions = state.max_regions;
            let hardware = device.platform().hardware();
            info.bypass_missing = hardware.bypass_missing;
            info.mapped_once_missing = hardware.mapped_once_missing;
        }
        info
    })
}

fn submit_batch(card: &'static Card, context: &FileContext, input: &[u8]) -> Result<(), Error> {
    let head = ioctl::Submit::parse(input).ok_or(Error::Malformed)?;
    let transfers = input.get(ioctl::Submit::BYTES..).ok_or(Error::Malformed)?;
    let direction = match head.direction {
        ioctl::direction::C2H => Direction::C2h,
        ioctl::direction::H2C => Direction::H2c,
        _ => return Err(Error::Malformed),
    };
    let count = head.count as usize;
    if count == 0 || count > ioctl::MAX_BATCH || transfers.len() != count * ioctl::Transfer::BYTES {
        return Err(Error::Malformed);
    }
    // SAFETY: the request in hand keeps the file.
    unsafe { give_lane_memory(card, context.file, direction)? };
    let (work, timer) = card.state.with(|state| {
        let work = submit(state, file(context), direction, transfers)?;
        // A device that stops sends no interrupt.
        Ok((work, state.take_timer(HEALTH_NS)))
    })?;
    if work {
        card.wake();
    }
    if timer {
        card.start_timer(relative(HEALTH_NS));
    }
    Ok(())
}

/// COPY_OUT and COPY_IN: between a common buffer and the application's locked buffer, outside the lock. PASSIVE_LEVEL.
fn copy(
    card: &'static Card,
    context: &FileContext,
    request: WDFREQUEST,
    input: &[u8],
    direction: CopyDirection,
) -> Result<Answer, Error> {
    let asked = exactly(input, ioctl::CopyRange::BYTES)
        .and_then(ioctl::CopyRange::parse)
        .ok_or(Error::Malformed)?;
    let mut mdl: PMDL = core::ptr::null_mut();
    // SAFETY: the request is ours, and the place is valid. It is Irp->MdlAddress for both methods of direct I/O.
    let got = unsafe {
        call_unsafe_wdf_function_binding!(WdfRequestRetrieveOutputWdmMdl, request, &raw mut mdl)
    };
    if check(got).is_err() || mdl.is_null() {
        return Err(Error::Empty);
    }
    // SAFETY: the request's MDL, locked until the request completes.
    let (length, theirs) = unsafe { ((*mdl).ByteCount, system_address(mdl)) };
    let theirs = theirs.ok_or(Error::NoMemory)?;
    let (region, ours) = card
        .state
        .with(|state| begin_copy(state, context, &asked, length.into(), direction))?;
    // SAFETY: `ours` has this many bytes within a common buffer that stays while the copy is counted; `theirs` is the mapping of the locked
    // buffer. The two are different memory.
    unsafe {
        match direction {
            CopyDirection::Out => theirs.copy_from_nonoverlapping(ours, length as usize),
            CopyDirection::In => ours.copy_from_nonoverlapping(theirs, length as usize),
        }
    }
    card.state.with(|_| {
        // SAFETY: the count has kept it.
        unsafe { (*region).copies -= 1 }
    });
    // A teardown may have waited for it.
    card.wake();
    Ok(Answer::Bytes(match direction {
        CopyDirection::Out => length as usize,
        CopyDirection::In => 0,
    }))
}

fn begin_copy(
    state: &mut State,
    context: &FileContext,
    asked: &ioctl::CopyRange,
    length: u64,
    direction: CopyDirection,
) -> Result<(*mut Region, *mut u8), Error> {
    let device = state.serving()?;
    let region = file(context).regions.live(asked.handle)?;
    let (core, Phase::Live) = (region.core.ok_or(Error::NoRegion)?, region.phase) else {
        return Err(Error::NoRegion);
    };
    let span = device
        .copy_span(core, asked.offset, length, direction)
        .map_err(of_copy)?;
    let (base, bytes) = device.platform().hardware().common(span.memory);
    let end = span.offset.checked_add(length).ok_or(Error::OutOfBounds)?;
    if end > bytes as u64 {
        return Err(Error::OutOfBounds);
    }
    region.copies += 1;
    Ok((region, base.wrapping_add(span.offset as usize)))
}

fn statistics(card: &Card, context: &FileContext) -> ioctl::Statistics {
    use core::sync::atomic::Ordering::Relaxed;
    card.state.with(|state| {
        let file = file(context);
        let (mmio_reads, doorbells) = match &state.device {
            Some(device) => {
                let hardware = device.platform().hardware();
                (
                    hardware.mmio_reads.load(Relaxed),
                    hardware.doorbells.load(Relaxed),
                )
            }
            None => (0, 0),
        };
        let totals = &state.totals;
        ioctl::Statistics {
            regions: totals.regions,
            locked_bytes: totals.locked_bytes,
            handle_regions: file.regions.count(),
            handle_locked_bytes: file.locked_bytes,
            handle_in_flight: file.lanes.iter().map(|lane| lane.outstanding()).sum(),
            batches: totals.batches,
            transfers: totals.transfers,
            completed: totals.completed,
            aborted: totals.aborted,
            failed: totals.failed,
            c2h_bytes: totals.c2h_bytes,
            h2c_bytes: totals.h2c_bytes,
            doorbells,
            mmio_reads,
            interrupts: card.interrupts.load(Relaxed),
            dpcs: card.dpcs.load(Relaxed),
            lists: totals.lists,
            list_ns: totals.list_ns,
            shortages: totals.shortages,
            registrations: totals.registrations,
            registration_ns: totals.registration_ns,
            resets: totals.resets,
            reserved: [0; 2],
        }
    })
}

/// READ_LOG: what there is now; and asks the firmware for more.
fn read_log(
    card: &'static Card,
    request: WDFREQUEST,
    output_bytes: usize,
) -> Result<Answer, NTSTATUS> {
    if output_bytes == 0 {
        return Err(STATUS_BUFFER_TOO_SMALL);
    }
    let (mut buffer, mut length): (PVOID, usize) = (core::ptr::null_mut(), 0);
    // SAFETY: the request is ours, and the places are valid.
    check(unsafe {
        call_unsafe_wdf_function_binding!(
            WdfRequestRetrieveOutputBuffer,
            request,
            1,
            &raw mut buffer,
            &raw mut length
        )
    })?;
    // SAFETY: the buffer has this length, and nobody else has it until the request completes.
    let output = unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    let mut count = 0;
    for chunk in output.chunks_mut(LOG_CHUNK) {
        let taken = card.state.with(|state| {
            let device = state.serving()?;
            Ok(device.take_log(chunk))
        });
        let taken = match taken {
            Ok(taken) => taken,
            // What was taken is nobody else's any more: it is given.
            Err(_) if count != 0 => break,
            Err(error) => return Err(Error::status(error)),
        };
        count += taken;
        if taken < chunk.len() {
            break;
        }
    }
    let asked = card.state.with(|state| {
        if state.log.is_some() {
            return false;
        }
        let ticket = state
            .serving()
            .ok()
            .and_then(|device| device.flush_log().ok());
        state.log = ticket.map(Waiting::new);
        ticket.is_some()
    });
    if asked {
        card.wake();
    }
    Ok(Answer::Bytes(count))
}
