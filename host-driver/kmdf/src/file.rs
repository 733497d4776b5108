//! Open files: what belongs to one WDFFILEOBJECT, and nobody else sees.

use alloc::boxed::Box;
use alloc::vec::Vec;

use pinring_ioctl::Error;
use pinring_protocol::Direction;
use wdk_sys::ntddk::PsGetCurrentProcessId;
use wdk_sys::{
    FO_SYNCHRONOUS_IO, HANDLE, NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS,
    STATUS_TOO_MANY_OPENED_FILES, WDFDEVICE, WDFFILEOBJECT, WDFREQUEST,
    call_unsafe_wdf_function_binding,
};

use crate::context::ContextType;
use crate::device::{Card, card_of};
use crate::memory::{boxed, filled};
use crate::region::{self, Regions, Slot};
use crate::state::State;
use crate::transfer::{Lane, LaneQueue};
use crate::wait;

/// Regions that one file may have.
const REGIONS: usize = 1024;
/// Files of one device that exist at a time, those included that are being torn down: each takes nonpaged memory, and time under the lock.
const FILES: usize = 64;

/// Context of a WDFFILEOBJECT; constant once the file is open.
pub(crate) struct FileContext {
    /// Everything else, under the device's lock; null if the file was refused.
    pub(crate) file: *mut File,
    /// The process that opened it.
    pub(crate) process: HANDLE,
    /// Opened without FILE_FLAG_OVERLAPPED: 1.
    pub(crate) synchronous: u8,
}

// SAFETY: pointers and plain data, for which zeroes are values.
pub(crate) static FILE: ContextType<FileContext> =
    unsafe { ContextType::new(c"PinringFile", &FILE) };

/// One open file. Guarded by the device's lock.
pub(crate) struct File {
    pub(crate) next: *mut File,
    pub(crate) wdf: WDFFILEOBJECT,
    pub(crate) process: HANDLE,
    /// Protection domain of its regions and queues.
    pub(crate) domain: u32,
    pub(crate) lanes: [Lane; 2],
    pub(crate) regions: Regions,
    pub(crate) locked_bytes: u64,
    /// EvtFileCleanup has come, or its process has gone.
    pub(crate) closing: bool,
    /// EvtFileClose has come: nobody but the work item knows it.
    pub(crate) closed: bool,
    /// A processor serves its WAITs.
    pub(crate) serving: bool,
    /// Regions that are in no slot any more, and whose requests are about to complete.
    pub(crate) finishing: u32,
    /// Requests that are about to leave the driver's hands and look at the file once more.
    pub(crate) pins: u32,
    /// Its WAITs are to be looked at (again).
    pub(crate) wanted: bool,
    /// Completions that the oldest WAIT asks for.
    pub(crate) least: u64,
    /// Tiers and reasons that the event log has of it: a bit for each pair.
    pub(crate) logged: u32,
}

impl File {
    /// The lanes, by direction, and the regions.
    pub(crate) fn parts(&mut self) -> (&mut [Lane; 2], &mut Regions) {
        (&mut self.lanes, &mut self.regions)
    }

    /// Completions for WAIT.
    pub(crate) fn available(&self) -> u64 {
        self.lanes.iter().map(Lane::available).sum()
    }

    /// Has the WAITs looked at if the oldest may end.
    pub(crate) fn look_at_waits(&mut self) {
        if self.available() >= self.least {
            self.wanted = true;
        }
    }

    /// Whether the event log is to have this tier of a region and its reason: once for each file, so that it does not fill up.
    pub(crate) fn logs_first(&mut self, tier: u32, reason: u32) -> bool {
        let bit = 1 << (tier % 4 * 8 + reason % 8);
        let new = self.logged & bit == 0;
        self.logged |= bit;
        new
    }

    /// Begins to take everything back; again and again without harm.
    pub(crate) fn begin_close(&mut self) {
        self.closing = true;
        self.wanted = true;
        for lane in &mut self.lanes {
            lane.abort(|_| true);
            lane.settle();
        }
        for at in self.regions.places() {
            if let Some(region) = self.regions.at(at) {
                region::begin_leave(&mut self.lanes, region, STATUS_CANCELLED);
            }
        }
    }

    /// Nothing of it is left with the device.
    pub(crate) fn is_empty(&self) -> bool {
        self.regions.is_empty()
            && self.finishing == 0
            && self
                .lanes
                .iter()
                .all(|lane| matches!(lane.queue, LaneQueue::None) && lane.lists == 0)
            && !self.serving
            && self.pins == 0
    }
}

/// The file of a request, whose context lives as long as the request.
pub(crate) fn context_of(request: WDFREQUEST) -> Result<&'static FileContext, Error> {
    // SAFETY: the request is the caller's.
    let file = unsafe { call_unsafe_wdf_function_binding!(WdfRequestGetFileObject, request) };
    if file.is_null() {
        return Err(Error::NoRegion);
    }
    // SAFETY: file objects of this device have this context, and it is constant now; it outlives the request.
    let context = unsafe { &*FILE.of(file.cast()) };
    if context.file.is_null() {
        return Err(Error::NoRegion);
    }
    Ok(context)
}

/// EvtDeviceFileCreate. PASSIVE_LEVEL, in the context of whoever opens.
pub(crate) unsafe extern "C" fn create(
    device: WDFDEVICE,
    request: WDFREQUEST,
    object: WDFFILEOBJECT,
) {
    let card = card_of(device);
    let status = match open(card, object) {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    };
    // SAFETY: the request is ours to complete.
    unsafe { call_unsafe_wdf_function_binding!(WdfRequestComplete, request, status) };
}

fn open(card: &'static Card, object: WDFFILEOBJECT) -> Result<(), NTSTATUS> {
    if object.is_null() {
        return Err(Error::Malformed.status());
    }
    let full = |state: &mut State| state.files().count() >= FILES;
    if card.state.with(full) {
        return Err(STATUS_TOO_MANY_OPENED_FILES);
    }
    // SAFETY: no argument.
    let process = unsafe { PsGetCurrentProcessId() };
    let slots: Vec<Slot> = filled(REGIONS, Slot::default).map_err(Error::status)?;
    let file = boxed(File {
        next: core::ptr::null_mut(),
        wdf: object,
        process,
        domain: 0,
        lanes: [Lane::new(Direction::C2h), Lane::new(Direction::H2c)],
        regions: Regions::new(slots),
        locked_bytes: 0,
        closing: false,
        closed: false,
        serving: false,
        finishing: 0,
        pins: 0,
        wanted: false,
        least: u64::MAX,
        logged: 0,
    });
    let file = Box::into_raw(file.map_err(Error::status)?);
    let entered = card.state.with(|state| {
        // Others may have been faster.
        if full(state) {
            return false;
        }
        // SAFETY: nobody else knows it yet.
        unsafe {
            (*file).domain = state.next_domain;
            (*file).next = state.files;
        }
        state.next_domain = state.next_domain.wrapping_add(1).max(1);
        state.files = file;
        true
    });
    if !entered {
        // SAFETY: as above.
        unsafe { free(file) };
        return Err(STATUS_TOO_MANY_OPENED_FILES);
    }
    // SAFETY: the object is valid, and nobody else sees its context before this request completes.
    unsafe {
        let flags = call_unsafe_wdf_function_binding!(WdfFileObjectGetFlags, object);
        FILE.of(object.cast()).write(FileContext {
            file,
            process,
            synchronous: u8::from(flags & FO_SYNCHRONOUS_IO != 0),
        });
    }
    Ok(())
}

/// EvtFileCleanup: the last handle was closed. Requests that the driver holds are not cancelled by that: they end here. PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn cleanup(object: WDFFILEOBJECT) {
    let Some((card, file)) = of_object(object) else {
        return;
    };
    card.state.with(|_| {
        // SAFETY: the file is on the list until it is closed, and the lock is held.
        unsafe { (*file).begin_close() }
    });
    wait::serve_own(card, file);
    card.wake();
}

/// EvtFileClose: no request of the file is left. PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn close(object: WDFFILEOBJECT) {
    let Some((card, file)) = of_object(object) else {
        return;
    };
    // It waits for nobody: the request that was the last may have been completed by a thread that is at work on the file.
    card.state.with(|_| {
        // SAFETY: as in `cleanup`.
        let file = unsafe { &mut *file };
        file.begin_close();
        file.closed = true;
    });
    card.wake();
}

fn of_object(object: WDFFILEOBJECT) -> Option<(&'static Card, *mut File)> {
    // SAFETY: the object is valid during its callbacks and has this context.
    unsafe {
        let file = (*FILE.of(object.cast())).file;
        let device = call_unsafe_wdf_function_binding!(WdfFileObjectGetDevice, object);
        (!file.is_null()).then(|| (card_of(device), file))
    }
}

/// Takes a file off the list that nobody knows any more.
pub(crate) fn unlink(state: &mut State, file: *mut File) {
    let mut place = &raw mut state.files;
    // SAFETY: every file on the list is alive, and the lock is held.
    unsafe {
        while !(*place).is_null() {
            if *place == file {
                *place = (*file).next;
                return;
            }
            place = &raw mut (**place).next;
        }
    }
}

/// Frees a file that is on no list. IRQL <= DISPATCH_LEVEL, outside the lock.
///
/// # Safety
/// Nobody else has it.
pub(crate) unsafe fn free(file: *mut File) {
    // SAFETY: it came from `Box::into_raw` in `open`.
    drop(unsafe { Box::from_raw(file) });
}
