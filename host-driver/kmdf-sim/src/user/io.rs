//! Device I/O control: packets, from the system call to the completion.

use super::process::{self, Handle};
use super::{Event, Packet, Status, enter, wait};
use crate::constants::*;
use crate::ddi::request;
use crate::types::*;
use crate::world::{self, WaitKey, with};

/// An I/O request packet.
pub(crate) struct Irp {
    pub(crate) create: bool,
    pub(crate) code: u32,
    pub(crate) input_bytes: usize,
    pub(crate) output_bytes: usize,
    /// Input, then output, of METHOD_BUFFERED; input of the direct methods.
    pub(crate) system_buffer: Box<[u8]>,
    /// The direct methods' output buffer, locked.
    pub(crate) mdl: PMDL,
    pub(crate) file: u64,
    pub(crate) file_object: u64,
    process: u32,
    thread: world::thread::ThreadId,
    pub(crate) cancelled: bool,
    done: Option<(NTSTATUS, u64)>,
    output: Place,
    event: Option<u64>,
    /// Completion packets go to the handle's port.
    to_port: bool,
    /// A system call waits for it.
    waited: bool,
    pub(crate) request: u64,
}

enum Place {
    Nowhere,
    Owned(Vec<u8>),
    /// Address in the process.
    At(usize),
}

impl Irp {
    pub(crate) fn method(&self) -> u32 {
        self.code & 3
    }
}

/// Where an operation's output goes.
#[derive(Debug, Default)]
pub enum Output {
    /// There is none.
    #[default]
    None,
    /// Into this, given back with the completion.
    Owned(Vec<u8>),
}

/// An operation that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pending(pub(super) u64);

/// The end of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Its status.
    pub status: NTSTATUS,
    /// Bytes, as the driver said.
    pub information: u64,
    /// The buffer of [`Output::Owned`].
    pub output: Vec<u8>,
}

fn key(irp: u64) -> WaitKey {
    WaitKey(irp)
}

/// Starts an operation; it may be over at once. The event is set at its end.
///
/// # Errors
/// The I/O manager refuses it.
pub fn start(
    handle: Handle,
    code: u32,
    input: &[u8],
    output: Output,
    event: Option<Event>,
) -> Result<Pending, Status> {
    let place = match output {
        Output::None => Place::Nowhere,
        Output::Owned(buffer) => Place::Owned(buffer),
    };
    let bytes = if let Place::Owned(buffer) = &place {
        buffer.len()
    } else {
        0
    };
    issue(handle, code, input, place, bytes, event, false)
}

/// As [`start`], with the output at an address of the process.
///
/// # Errors
/// The I/O manager refuses it.
///
/// # Safety
/// The memory stays valid, and nobody else uses it, until the operation has ended.
pub unsafe fn start_at(
    handle: Handle,
    code: u32,
    input: &[u8],
    output: *mut u8,
    bytes: usize,
    event: Option<Event>,
) -> Result<Pending, Status> {
    issue(
        handle,
        code,
        input,
        Place::At(output.expose_provenance()),
        bytes,
        event,
        false,
    )
}

fn issue(
    handle: Handle,
    code: u32,
    input: &[u8],
    output: Place,
    output_bytes: usize,
    event: Option<Event>,
    waited: bool,
) -> Result<Pending, Status> {
    enter("NtDeviceIoControlFile");
    let (file, access) = process::lookup(handle)?;
    let wanted = code >> 14 & 3;
    if wanted & !access != 0 {
        return Err(Status(STATUS_ACCESS_DENIED));
    }
    let method = code & 3;
    let mut system_buffer = Vec::from(input);
    if method == METHOD_BUFFERED {
        // What the input does not fill is not zero in Windows either.
        system_buffer.resize(input.len().max(output_bytes), 0xA5);
    }
    let (process, thread) = with(|w| {
        (
            w.thread().map_or(0, |thread| thread.process),
            w.thread_id().unwrap_or(0),
        )
    });
    let mut output = output;
    let mut mdl: PMDL = core::ptr::null_mut();
    if matches!(method, METHOD_IN_DIRECT | METHOD_OUT_DIRECT) && output_bytes > 0 {
        let address = match &mut output {
            Place::Owned(buffer) => buffer.as_mut_ptr(),
            Place::At(address) => core::ptr::with_exposed_provenance_mut(*address),
            Place::Nowhere => core::ptr::null_mut(),
        };
        mdl = crate::memory::lock_user_buffer(
            process,
            address,
            output_bytes,
            method == METHOD_OUT_DIRECT,
        )
        .map_err(Status)?;
    }
    let irp = with(|w| {
        let number = w.unique();
        let file_entry = w.io.files.get_mut(&file);
        let (file_object, port) = file_entry.map_or((0, false), |entry| {
            entry.outstanding += 1;
            (entry.object, entry.port.is_some())
        });
        let irp = Irp {
            create: false,
            code,
            input_bytes: input.len(),
            output_bytes,
            system_buffer: system_buffer.into(),
            mdl,
            file,
            file_object,
            process,
            thread,
            cancelled: false,
            done: None,
            output,
            event: event.map(|event| event.0),
            to_port: port && !waited,
            waited,
            request: 0,
        };
        if let Some(event) = event {
            // The event is cleared when the operation starts.
            if let Some(state) = w.io.events.get_mut(&event.0) {
                *state = wait::cleared(state);
            }
        }
        w.io.irps.insert(number, irp);
        w.io.operations.started += 1;
        number
    });
    send(irp);
    Ok(Pending(irp))
}

/// Makes the packet of an open, which is not sent to a queue.
pub(super) fn create_packet(file: u64, file_object: u64) -> (u64, u64) {
    let irp = with(|w| {
        let number = w.unique();
        let (process, thread) = (
            w.thread().map_or(0, |thread| thread.process),
            w.thread_id().unwrap_or(0),
        );
        let irp = Irp {
            create: true,
            code: 0,
            input_bytes: 0,
            output_bytes: 0,
            system_buffer: Box::default(),
            mdl: core::ptr::null_mut(),
            file,
            file_object,
            process,
            thread,
            cancelled: false,
            done: None,
            output: Place::Nowhere,
            event: None,
            to_port: false,
            waited: true,
            request: 0,
        };
        w.io.irps.insert(number, irp);
        number
    });
    (irp, attach_request(irp))
}

fn attach_request(irp: u64) -> u64 {
    let request = request::create(irp);
    with(|w| {
        if let Some(irp) = w.io.irps.get_mut(&irp) {
            irp.request = request;
        }
    });
    request
}

/// Hands the packet to the framework. An open handle reaches the driver whatever has become of its device: the I/O manager asks for neither
/// power nor presence, and the device object stays until the last handle is closed.
fn send(irp: u64) {
    let request = attach_request(irp);
    let (callback, queue, device) = with(|w| {
        let device = w.pnp.device;
        let found = w.objects.peek::<crate::ddi::device::Device>(device);
        found.map_or((None, 0, device), |found| {
            (found.init.in_caller_context, found.default_queue, device)
        })
    });
    if let Some(callback) = callback {
        with(|w| {
            if let Some(request) = w.objects.peek::<request::Request>(request) {
                request.owner = request::Owner::Driver;
            }
        });
        // SAFETY: the driver's callback with the objects it was registered for.
        world::call_at("EvtIoInCallerContext", 0, || unsafe {
            callback(
                world::object::handle(device),
                world::object::handle(request),
            )
        });
    } else if queue == 0 {
        request::finish("framework", request, STATUS_INVALID_DEVICE_REQUEST, 0);
    } else if crate::ddi::queue::accept(queue, request, false) != STATUS_SUCCESS {
        request::finish("framework", request, STATUS_INVALID_DEVICE_STATE, 0);
    }
}

/// The driver, or the framework, has completed a packet.
pub(crate) fn complete(irp: u64, status: NTSTATUS, information: u64) {
    let Some((mdl, file, counted)) = with(|w| {
        let packet = w.io.irps.get_mut(&irp)?;
        packet.done = Some((status, information));
        packet.request = 0;
        if packet.method() == METHOD_BUFFERED && status as u32 >> 30 != 3 {
            let bytes = (information as usize)
                .min(packet.output_bytes)
                .min(packet.system_buffer.len());
            match &mut packet.output {
                Place::Owned(buffer) => {
                    buffer[..bytes].copy_from_slice(&packet.system_buffer[..bytes])
                }
                // SAFETY: the contract of `start_at` and `device_io_control`.
                Place::At(address) => unsafe {
                    let place: *mut u8 = core::ptr::with_exposed_provenance_mut(*address);
                    place.copy_from_nonoverlapping(packet.system_buffer.as_ptr(), bytes);
                },
                Place::Nowhere => {}
            }
        }
        Some((
            core::mem::replace(&mut packet.mdl, core::ptr::null_mut()),
            packet.file,
            !packet.create,
        ))
    }) else {
        return;
    };
    if !mdl.is_null() {
        crate::memory::unlock_user_buffer(mdl);
    }
    with(|w| {
        let (event, to_port) =
            w.io.irps
                .get(&irp)
                .map_or((None, false), |packet| (packet.event, packet.to_port));
        if let Some(event) = event {
            wait::signal(w, event);
        }
        let port =
            w.io.files
                .get(&file)
                .and_then(|file| file.port)
                .filter(|_| to_port);
        if let Some((port, key)) = port
            && let Some(completion) = take(w, irp)
        {
            wait::post(
                w,
                port,
                Packet {
                    key,
                    pending: Pending(irp),
                    completion,
                },
            );
        }
        w.wake(key(irp));
        if counted {
            w.io.operations.ended += 1;
            w.io.operations.last_ended_ps = w.now_ps();
            if let Some(file) = w.io.files.get_mut(&file) {
                file.outstanding = file.outstanding.saturating_sub(1);
            }
        }
    });
    process::close_if_done(file);
}

fn take(w: &mut world::World, irp: u64) -> Option<Completion> {
    let (status, information) = w.io.irps.get(&irp)?.done?;
    let packet = w.io.irps.remove(&irp)?;
    let output = if let Place::Owned(buffer) = packet.output {
        buffer
    } else {
        Vec::new()
    };
    Some(Completion {
        status,
        information,
        output,
    })
}

/// Waits for the packet's end, and takes it.
pub(super) fn finish_wait(irp: u64) -> Completion {
    loop {
        if let Some(completion) = with(|w| take(w, irp)) {
            return completion;
        }
        world::block(key(irp), None);
    }
}

/// The result of an operation, waiting at most `timeout_ps` (0: not at all; `None`: for ever). It can be had once, and not when the handle
/// has a completion port.
#[must_use]
pub fn result(pending: Pending, timeout_ps: Option<u64>) -> Option<Completion> {
    enter("GetOverlappedResult");
    let deadline = wait::deadline(timeout_ps);
    loop {
        if let Some(completion) = with(|w| take(w, pending.0)) {
            return Some(completion);
        }
        let known = with(|w| w.io.irps.contains_key(&pending.0));
        if !known || deadline.is_some_and(|deadline| with(|w| w.now_ps()) >= deadline) {
            return None;
        }
        super::block(key(pending.0), deadline);
    }
}

/// Does an operation and waits for its end; gives the number of bytes.
///
/// # Errors
/// Its status, if that is not success.
pub fn device_io_control(
    handle: Handle,
    code: u32,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Status> {
    let place = Place::At(output.as_mut_ptr().expose_provenance());
    let pending = issue(handle, code, input, place, output.len(), None, true)?;
    let completion = finish_wait(pending.0);
    process::leave_if_ending();
    if completion.status < 0 {
        Err(Status(completion.status))
    } else {
        Ok(completion.information as usize)
    }
}

/// Asks the driver to cancel one operation of the handle's file, or all; true if there was one.
pub fn cancel_io_ex(handle: Handle, pending: Option<Pending>) -> bool {
    enter("CancelIoEx");
    let Ok((file, _)) = process::lookup(handle) else {
        return false;
    };
    cancel_where(|number, irp| {
        irp.file == file && pending.is_none_or(|pending| pending.0 == number)
    })
}

/// Asks the driver to cancel the operations of the thread and the handle's file.
pub fn cancel_io(handle: Handle) -> bool {
    enter("CancelIo");
    let Ok((file, _)) = process::lookup(handle) else {
        return false;
    };
    let thread = with(|w| w.thread_id());
    cancel_where(|_, irp| irp.file == file && Some(irp.thread) == thread)
}

fn cancel_where(condition: impl Fn(u64, &Irp) -> bool) -> bool {
    let requests: Vec<u64> = with(|w| {
        w.io.irps
            .iter()
            .filter(|(number, irp)| irp.done.is_none() && condition(**number, irp))
            .map(|(_, irp)| irp.request)
            .collect()
    });
    for request in &requests {
        request::cancel(*request);
    }
    !requests.is_empty()
}

/// The end of a thread: cancels its operations but those of handles with a port, and waits for them.
pub(super) fn cancel_thread(thread: world::thread::ThreadId) -> bool {
    let belongs = move |irp: &Irp| irp.thread == thread && irp.done.is_none() && !irp.to_port;
    cancel_where(|_, irp| belongs(irp));
    let deadline = with(|w| w.now_ps() + w.config.power_timeout_ps);
    while let Some(irp) = with(|w| {
        w.io.irps
            .iter()
            .find(|(_, irp)| belongs(irp))
            .map(|(number, _)| *number)
    }) {
        if with(|w| w.now_ps()) >= deadline {
            return false;
        }
        world::block(key(irp), Some(deadline));
    }
    true
}

/// Operations of a process that still have its pages locked.
pub(super) fn locked_by(process: u32) -> usize {
    with(|w| {
        w.io.irps
            .values()
            .filter(|irp| irp.process == process && irp.done.is_none() && !irp.mdl.is_null())
            .count()
    })
}

/// Operations that were not completed, as (process, control code).
pub(crate) fn unfinished(w: &world::World) -> Vec<(u32, u32)> {
    w.io.irps
        .values()
        .filter(|irp| irp.done.is_none())
        .map(|irp| (irp.process, irp.code))
        .collect()
}

/// True while a system call waits for one of the file's operations.
pub(super) fn is_waited(w: &world::World, file: u64) -> bool {
    w.io.irps
        .values()
        .any(|irp| irp.file == file && irp.waited && irp.done.is_none())
}
