//! Processes, handles, and how they end.

use std::collections::BTreeMap;

use super::{Port, Status, check, enter, io};
use crate::constants::*;
use crate::ddi::device::Device;
use crate::ddi::file::FileObject;
use crate::ddi::request::{Owner, Request};
use crate::verifier::Rule;
use crate::world::thread::{self, State as ThreadState};
use crate::world::{self, call_at, object, with};

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process(pub(crate) u32);

/// A handle of the process that called [`open`], or for which it was duplicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    process: u32,
    number: u32,
}

#[derive(Default)]
pub(super) struct Entry {
    ending: bool,
    next: u32,
    /// File and access of each handle.
    handles: BTreeMap<u32, (u64, u32)>,
}

/// An open file.
pub(crate) struct File {
    /// The WDFFILEOBJECT.
    pub(crate) object: u64,
    handles: u32,
    pub(super) outstanding: u32,
    pub(super) port: Option<(u64, u64)>,
    cleaned: bool,
    pub(crate) closed: bool,
}

impl File {
    /// Handles are closed and cleaned up, operations remain.
    pub(super) fn is_pended(&self) -> bool {
        self.cleaned && !self.closed && self.outstanding > 0
    }
}

/// Makes a process, with its notification; by a thread of the machine.
pub(crate) fn new_process() -> Process {
    let process = with(|w| {
        let number = 1000 + 4 * w.io.processes.len() as u32;
        w.io.processes.insert(number, Entry::default());
        number
    });
    crate::kernel::notify_process(process, true);
    Process(process)
}

/// The process of the thread that runs.
#[must_use]
pub fn current_process() -> Process {
    Process(with(|w| w.thread().map_or(0, |thread| thread.process)))
}

/// Starts a thread in a process.
pub fn spawn(process: Process, body: impl FnOnce() + 'static) {
    thread::spawn("user thread", process.0, false, move || {
        body();
        io::cancel_thread(with(|w| w.thread_id().unwrap_or(0)));
    });
}

/// Waits.
pub fn sleep_ps(time_ps: u64) {
    enter("Sleep");
    let deadline = with(|w| w.now_ps()).saturating_add(time_ps);
    crate::kernel::sleep_until(deadline);
    leave_if_ending();
}

/// The thread ends if its process does.
pub(super) fn leave_if_ending() {
    let ending = with(|w| {
        let process = w.thread().map_or(0, |thread| thread.process);
        let exiting = w
            .thread()
            .is_some_and(|thread| thread.frames.contains(&"process exit"));
        !exiting
            && w.io
                .processes
                .get(&process)
                .is_some_and(|process| process.ending)
    });
    if ending {
        exit_thread();
    }
}

/// Ends the thread, cancelling its I/O.
pub fn exit_thread() -> ! {
    let id = with(|w| w.thread_id().unwrap_or(0));
    io::cancel_thread(id);
    thread::terminate()
}

/// Opens the device: `access` of `FILE_READ_DATA` and `FILE_WRITE_DATA`.
///
/// # Errors
/// There is no device, or the driver refuses.
pub fn open(access: u32, overlapped: bool) -> Result<Handle, Status> {
    enter("NtCreateFile");
    let (device, found, gone) = with(|w| {
        // Nobody knows yet of a device that was pulled out a moment ago.
        let (device, gone) = (w.pnp.device, !w.pnp.interface_enabled);
        let found = w
            .objects
            .peek::<Device>(device)
            .map(|device| device.init.clone());
        (device, found, gone)
    });
    let Some(init) = found.filter(|_| !gone) else {
        return Err(Status(STATUS_NO_SUCH_DEVICE));
    };
    if init.exclusive && with(|w| w.io.open_files()) > 0 {
        return Err(Status(STATUS_ACCESS_DENIED));
    }
    let flags = if overlapped { 0 } else { FO_SYNCHRONOUS_IO };
    let payload = FileObject {
        flags,
        device,
        object: Box::default(),
    };
    let file_object = object::create_checked(
        "framework",
        init.file_attributes,
        object::handle(device),
        payload,
    );
    let file = with(|w| {
        let number = w.unique();
        let file = File {
            object: object::number(file_object),
            handles: 1,
            outstanding: 0,
            port: None,
            cleaned: false,
            closed: false,
        };
        w.io.files.insert(number, file);
        number
    });
    let callback = init.file.and_then(|config| config.EvtDeviceFileCreate);
    if let Some(callback) = callback {
        let (irp, request) = io::create_packet(file, object::number(file_object));
        with(|w| {
            if let Some(request) = w.objects.peek::<Request>(request) {
                request.owner = Owner::Driver;
            }
        });
        // SAFETY: the driver's callback with the objects it was registered for.
        call_at("EvtDeviceFileCreate", 0, || unsafe {
            callback(
                object::handle(device),
                object::handle(request),
                file_object.cast(),
            )
        });
        let status = io::finish_wait(irp).status;
        if let Err(status) = check(status) {
            object::delete("framework", file_object);
            with(|w| w.io.files.remove(&file));
            return Err(status);
        }
    }
    let access =
        (access & (FILE_READ_DATA | FILE_WRITE_DATA)) | access >> 31 & 1 | access >> 29 & 2;
    Ok(insert_handle(current_process(), file, access))
}

fn insert_handle(process: Process, file: u64, access: u32) -> Handle {
    with(|w| {
        let entry = w.io.processes.entry(process.0).or_default();
        entry.next += 4;
        entry.handles.insert(entry.next, (file, access));
        Handle {
            process: process.0,
            number: entry.next,
        }
    })
}

/// The file and access of a handle.
pub(super) fn lookup(handle: Handle) -> Result<(u64, u32), Status> {
    if current_process().0 != handle.process {
        return Err(Status(STATUS_INVALID_HANDLE));
    }
    with(|w| {
        w.io.processes
            .get(&handle.process)?
            .handles
            .get(&handle.number)
            .copied()
    })
    .ok_or(Status(STATUS_INVALID_HANDLE))
}

/// Completions of the handle's file go to a port from now on.
///
/// # Errors
/// The handle is not open.
pub fn associate(port: Port, handle: Handle, key: u64) -> Result<(), Status> {
    enter("CreateIoCompletionPort");
    let (file, _) = lookup(handle)?;
    with(|w| {
        if let Some(file) = w.io.files.get_mut(&file) {
            file.port = Some((port.0, key));
        }
    });
    Ok(())
}

/// Gives another process a handle to the same file.
///
/// # Errors
/// The handle is not open.
pub fn duplicate(handle: Handle, to: Process) -> Result<Handle, Status> {
    enter("DuplicateHandle");
    let (file, access) = lookup(handle)?;
    with(|w| {
        if let Some(file) = w.io.files.get_mut(&file) {
            file.handles += 1;
        }
    });
    Ok(insert_handle(to, file, access))
}

/// Closes a handle; the last one of a file runs the driver's cleanup, which cancels nothing that the driver owns.
///
/// # Errors
/// The handle is not open.
pub fn close(handle: Handle) -> Result<(), Status> {
    enter("NtClose");
    let (file, _) = lookup(handle)?;
    drop_handle(handle.process, handle.number, file);
    Ok(())
}

fn drop_handle(process: u32, number: u32, file: u64) {
    let last = with(|w| {
        w.io.processes.get_mut(&process)?.handles.remove(&number)?;
        let file = w.io.files.get_mut(&file)?;
        file.handles -= 1;
        (file.handles == 0).then_some(file.object)
    });
    if let Some(file_object) = last {
        cleanup(file, file_object);
        close_if_done(file);
    }
}

fn cleanup(file: u64, file_object: u64) {
    let callback = with(|w| {
        let device = w.pnp.device;
        w.objects
            .peek::<Device>(device)
            .and_then(|device| device.init.file)
            .and_then(|config| config.EvtFileCleanup)
    });
    // Which comes first, the queues' flush or the callback, is not documented.
    let flush_first = with(|w| !w.config.preempt || w.random(2) == 0);
    if flush_first {
        crate::ddi::queue::flush_file(file_object);
    }
    if let Some(callback) = callback {
        // SAFETY: the driver's callback with the object it was registered for.
        call_at("EvtFileCleanup", 0, || unsafe {
            callback(object::handle(file_object))
        });
    }
    if !flush_first {
        crate::ddi::queue::flush_file(file_object);
    }
    with(|w| {
        if let Some(file) = w.io.files.get_mut(&file) {
            file.cleaned = true;
        }
    });
}

/// Closes the file if its handles are closed and its operations ended; later, by a worker thread, if the IRQL is too high.
pub(crate) fn close_if_done(file: u64) {
    let ready = with(|w| {
        let irql = w.cpu().irql;
        let waited = io::is_waited(w, file);
        let entry = w.io.files.get_mut(&file)?;
        if !entry.cleaned || entry.closed || entry.outstanding > 0 || waited {
            return None;
        }
        if irql > 0 {
            w.pnp.work.push_back(crate::pnp::Work::CloseFile(file));
            return Some(None);
        }
        entry.closed = true;
        Some(Some(entry.object))
    });
    match ready {
        None => {}
        Some(None) => world::wake(crate::ddi::work::WORK),
        Some(Some(file_object)) => {
            let callback = with(|w| {
                let device = w.pnp.device;
                w.objects
                    .peek::<Device>(device)
                    .and_then(|device| device.init.file)
                    .and_then(|config| config.EvtFileClose)
            });
            if let Some(callback) = callback {
                // SAFETY: the driver's callback with the object it was registered for.
                call_at("EvtFileClose", 0, || unsafe {
                    callback(object::handle(file_object))
                });
            }
            object::delete("framework", object::handle(file_object));
            with(|w| w.io.files.remove(&file));
            crate::pnp::remove_if_unused();
        }
    }
}

/// Ends the process of the thread that runs: its threads' I/O is cancelled, process notify routines run, handles are closed; in an order
/// that follows from the seed, as Windows documents none.
pub fn exit_process() -> ! {
    enter("NtTerminateProcess");
    let process = current_process().0;
    with(|w| {
        if let Some(thread) = w.thread() {
            thread.frames.push("process exit");
        }
        if let Some(process) = w.io.processes.get_mut(&process) {
            process.ending = true;
        }
    });
    let threads: Vec<_> = with(|w| {
        let all = w.threads.iter().enumerate();
        all.filter(|(_, thread)| thread.process == process && thread.state != ThreadState::Ended)
            .map(|(id, _)| id)
            .collect()
    });
    let notify_at = with(|w| w.random(3));
    if notify_at == 0 {
        crate::kernel::notify_process(process, false);
    }
    for id in threads {
        // Threads that wait in a system call of their own go on, and end there.
        with(|w| w.interrupt_wait(id));
        if !io::cancel_thread(id) {
            world::violation(
                Rule::RequestPended,
                "process exit",
                format!("an operation of thread {id} is not completed: the process cannot end"),
            );
        }
    }
    if notify_at == 1 {
        crate::kernel::notify_process(process, false);
    }
    while let Some((number, file)) = with(|w| {
        let entry = w.io.processes.get(&process)?;
        entry
            .handles
            .iter()
            .next()
            .map(|(number, (file, _))| (*number, *file))
    }) {
        drop_handle(process, number, file);
    }
    if notify_at == 2 {
        crate::kernel::notify_process(process, false);
    }
    let locked = io::locked_by(process);
    if locked > 0 {
        world::fatal(
            Rule::LockedPagesLeft,
            "process exit",
            format!("{locked} operations still have pages of process {process} locked"),
        );
    }
    with(|w| {
        if let Some(thread) = w.thread() {
            thread.frames.clear();
        }
    });
    thread::terminate()
}
