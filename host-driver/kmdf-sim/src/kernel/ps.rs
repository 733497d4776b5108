//! Ps and Ob: processes, system threads, references to them.

use super::enter;
use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::thread::{self, ThreadId};
use crate::world::{self, World, call_at, with};

type Notify = unsafe extern "C" fn(HANDLE, HANDLE, BOOLEAN);

/// Notify routines and what refers to threads.
#[derive(Default)]
pub(super) struct Processes {
    notify: Vec<Notify>,
    handles: Vec<(u64, ThreadId)>,
    /// Address and references of each thread object that was asked for.
    objects: Vec<(u64, ThreadId, u32)>,
    next_handle: u64,
}

const FIRST_OBJECT: u64 = 0x0000_7C00_0000_0000;
const FIRST_PROCESS: u64 = 0x0000_7C80_0000_0000;

impl Processes {
    pub(super) fn thread_of_object(&self, object: PVOID) -> Option<ThreadId> {
        let address = object.addr() as u64;
        self.objects
            .iter()
            .find(|(present, ..)| *present == address)
            .map(|(_, thread, _)| *thread)
    }
}

/// Registers or removes a routine that is called when processes begin and end.
///
/// # Safety
/// The routine stays valid until it is removed.
#[must_use]
pub unsafe fn PsSetCreateProcessNotifyRoutine(
    NotifyRoutine: PCREATE_PROCESS_NOTIFY_ROUTINE,
    Remove: BOOLEAN,
) -> NTSTATUS {
    let ddi = "PsSetCreateProcessNotifyRoutine";
    enter(ddi, 0);
    let Some(routine) = NotifyRoutine else {
        return STATUS_INVALID_PARAMETER;
    };
    if Remove != 0 {
        return with(|w| {
            let before = w.kernel.ps.notify.len();
            w.kernel
                .ps
                .notify
                .retain(|present| *present as usize != routine as usize);
            if w.kernel.ps.notify.len() == before {
                STATUS_PROCEDURE_NOT_FOUND
            } else {
                STATUS_SUCCESS
            }
        });
    }
    if world::inject(ddi) {
        return STATUS_INVALID_PARAMETER;
    }
    with(|w| w.kernel.ps.notify.push(routine));
    STATUS_SUCCESS
}

const STATUS_PROCEDURE_NOT_FOUND: NTSTATUS = 0xC000_007A_u32 as i32;

/// Calls the routines, in the context of the process' thread.
pub(crate) fn notify_process(process: u32, create: bool) {
    let mut index = 0;
    while let Some(routine) = with(|w| w.kernel.ps.notify.get(index).copied()) {
        let id = world::object::handle(u64::from(process));
        // SAFETY: the driver's routine, registered for this.
        call_at("PCREATE_PROCESS_NOTIFY_ROUTINE", 0, || unsafe {
            routine(world::object::handle(4), id, create.into())
        });
        index += 1;
    }
}

fn current_process() -> u32 {
    with(|w| w.thread().map_or(4, |thread| thread.process))
}

/// Number of the process whose thread runs.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn PsGetCurrentProcessId() -> HANDLE {
    enter("PsGetCurrentProcessId", DISPATCH_LEVEL as u8);
    world::object::handle(current_process().into())
}

/// Number of the thread that runs.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn PsGetCurrentThreadId() -> HANDLE {
    enter("PsGetCurrentThreadId", DISPATCH_LEVEL as u8);
    world::object::handle(with(|w| w.thread_id().unwrap_or(0) as u64 * 4 + 4))
}

/// The process whose thread runs.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn IoGetCurrentProcess() -> PEPROCESS {
    enter("IoGetCurrentProcess", DISPATCH_LEVEL as u8);
    process_object(current_process())
}

/// The pointer that stands for a process.
pub(crate) fn process_object(process: u32) -> PEPROCESS {
    world::object::handle(FIRST_PROCESS + u64::from(process) * 0x1000)
}

/// Number of a process.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn PsGetProcessId(Process: PEPROCESS) -> HANDLE {
    enter("PsGetProcessId", DISPATCH_LEVEL as u8);
    world::object::handle((Process.addr() as u64).saturating_sub(FIRST_PROCESS) / 0x1000)
}

/// Starts a system thread.
///
/// # Safety
/// The pointers are valid or, where allowed, null; the routine takes the context.
#[must_use]
pub unsafe fn PsCreateSystemThread(
    ThreadHandle: PHANDLE,
    _DesiredAccess: ULONG,
    _ObjectAttributes: POBJECT_ATTRIBUTES,
    _ProcessHandle: HANDLE,
    ClientId: PCLIENT_ID,
    StartRoutine: PKSTART_ROUTINE,
    StartContext: PVOID,
) -> NTSTATUS {
    let ddi = "PsCreateSystemThread";
    enter(ddi, 0);
    let Some(routine) = StartRoutine else {
        return STATUS_INVALID_PARAMETER;
    };
    if world::inject(ddi) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    let context = StartContext.expose_provenance();
    let id = thread::spawn("system thread", 4, true, move || {
        // SAFETY: the driver's routine with the context it gave for it.
        call_at("PKSTART_ROUTINE", 0, || unsafe {
            routine(core::ptr::with_exposed_provenance_mut(context))
        });
    });
    with(|w| w.pnp.driver_threads.push(id));
    let handle = with(|w| {
        w.kernel.ps.next_handle += 4;
        let handle = 0x8000_0000 + w.kernel.ps.next_handle;
        w.kernel.ps.handles.push((handle, id));
        handle
    });
    // SAFETY: the caller's contract.
    unsafe {
        *ThreadHandle = world::object::handle(handle);
        if !ClientId.is_null() {
            *ClientId = CLIENT_ID {
                UniqueProcess: world::object::handle(4),
                UniqueThread: world::object::handle(id as u64 * 4 + 4),
            };
        }
    }
    STATUS_SUCCESS
}

/// Ends the system thread that runs. Does not return.
///
/// # Safety
/// Called by a thread of [`PsCreateSystemThread`].
pub unsafe fn PsTerminateSystemThread(_ExitStatus: NTSTATUS) -> NTSTATUS {
    enter("PsTerminateSystemThread", 0);
    thread::terminate()
}

/// Gives the object of a thread's handle, referenced.
///
/// # Safety
/// The pointer for the object is valid.
#[must_use]
pub unsafe fn ObReferenceObjectByHandle(
    Handle: HANDLE,
    _DesiredAccess: ACCESS_MASK,
    _ObjectType: POBJECT_TYPE,
    _AccessMode: KPROCESSOR_MODE,
    Object: *mut PVOID,
    _HandleInformation: PVOID,
) -> NTSTATUS {
    let ddi = "ObReferenceObjectByHandle";
    enter(ddi, 0);
    if world::inject(ddi) {
        return STATUS_INVALID_HANDLE;
    }
    let object = with(|w| {
        let ps = &mut w.kernel.ps;
        let number = Handle.addr() as u64;
        let id = ps
            .handles
            .iter()
            .find(|(handle, _)| *handle == number)
            .map(|(_, id)| *id)?;
        let address = FIRST_OBJECT + id as u64 * 0x1000;
        match ps
            .objects
            .iter_mut()
            .find(|(present, ..)| *present == address)
        {
            Some((_, _, references)) => *references += 1,
            None => ps.objects.push((address, id, 1)),
        }
        Some(address)
    });
    let Some(address) = object else {
        return STATUS_INVALID_HANDLE;
    };
    // SAFETY: the caller's contract.
    unsafe { *Object = world::object::handle(address) };
    STATUS_SUCCESS
}

/// Gives a reference back; the number that are left.
///
/// # Safety
/// None needed.
pub unsafe fn ObfDereferenceObject(Object: PVOID) -> LONG_PTR {
    let ddi = "ObfDereferenceObject";
    enter(ddi, DISPATCH_LEVEL as u8);
    let address = Object.addr() as u64;
    let left = with(|w| {
        let objects = &mut w.kernel.ps.objects;
        let index = objects
            .iter()
            .position(|(present, ..)| *present == address)?;
        objects[index].2 -= 1;
        let left = objects[index].2;
        if left == 0 {
            objects.remove(index);
        }
        Some(left)
    });
    match left {
        Some(left) => left.into(),
        None => world::fatal(
            Rule::Reference,
            ddi,
            format!("{Object:?} is no object that was referenced"),
        ),
    }
}

/// Closes a thread's handle.
///
/// # Safety
/// None needed.
pub unsafe fn ZwClose(Handle: HANDLE) -> NTSTATUS {
    enter("ZwClose", 0);
    let number = Handle.addr() as u64;
    with(|w| {
        let before = w.kernel.ps.handles.len();
        w.kernel.ps.handles.retain(|(handle, _)| *handle != number);
        if w.kernel.ps.handles.len() == before {
            w.violation(
                Rule::StaleHandle,
                "ZwClose",
                format!("{Handle:?} is no open handle"),
            );
            return STATUS_INVALID_HANDLE;
        }
        STATUS_SUCCESS
    })
}

pub(super) fn report_leaks(w: &mut World) {
    let ps = &w.kernel.ps;
    let (notify, handles, objects) = (ps.notify.len(), ps.handles.len(), ps.objects.len());
    if notify > 0 {
        w.violation(
            Rule::Leak,
            "PsSetCreateProcessNotifyRoutine",
            format!("{notify} routines are still registered"),
        );
    }
    if handles > 0 {
        w.violation(
            Rule::Leak,
            "PsCreateSystemThread",
            format!("{handles} thread handles are still open"),
        );
    }
    if objects > 0 {
        w.violation(
            Rule::Leak,
            "ObReferenceObjectByHandle",
            format!("{objects} objects are still referenced"),
        );
    }
    let threads = w.pnp.driver_threads.clone();
    for id in threads {
        if w.threads[id].state != thread::State::Ended {
            w.violation(
                Rule::Leak,
                "PsCreateSystemThread",
                format!("thread {id} still runs"),
            );
        }
    }
}
