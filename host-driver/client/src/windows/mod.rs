//! The driver on Windows: its device interface, overlapped requests, raw NTSTATUS values.
//!
//! Requests go through `NtDeviceIoControlFile`, which DeviceIoControl wraps: DeviceIoControl turns a status that is refused at once into a
//! Win32 error, and all statuses of the driver's own into the same one (ERROR_MR_MID_NOT_FOUND).

#[cfg(feature = "cli")]
pub(crate) mod facts;
mod handle;
mod interfaces;

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::null;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pinring_ioctl::Code;
use windows_sys::Wdk::System::IO::NtDeviceIoControlFile;
use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::IO::{CancelIoEx, IO_STATUS_BLOCK, OVERLAPPED};
use windows_sys::Win32::System::Threading::WaitForSingleObject;

use crate::{Error, Pending, Status, Transport};
use handle::Handle;

/// Longest wait of one call in milliseconds; INFINITE is one more.
const LONGEST_MS: u32 = u32::MAX - 1;

/// A handle of the driver.
#[derive(Debug)]
pub struct DriverTransport {
    device: Handle,
    start: Instant,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    last: u64,
    pended: HashMap<u64, Arc<Slot>>,
    /// Events to use again.
    spare: Vec<Arc<Slot>>,
}

/// What the system writes when a request is over. It stays where it is until then.
#[derive(Debug)]
struct Slot {
    event: Handle,
    block: UnsafeCell<Block>,
}

/// CancelIoEx names a request by the address of its OVERLAPPED, whose first two fields are the status block.
#[repr(transparent)]
#[derive(Default)]
struct Block(OVERLAPPED);

const _: () = assert!(size_of::<IO_STATUS_BLOCK>() == std::mem::offset_of!(OVERLAPPED, Anonymous));

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Block")
    }
}

// SAFETY: the block is written by the system before the event is set, and read after that; the handle may be used anywhere.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Result<Arc<Self>, Status> {
        Ok(Arc::new(Self {
            event: Handle::event()?,
            block: UnsafeCell::default(),
        }))
    }

    /// The result, once the event has been seen set.
    fn result(&self) -> Result<usize, Status> {
        // SAFETY: the request is over, so that the system writes no more. Volatile: it wrote behind the compiler's back.
        let block = unsafe { self.block.get().cast::<IO_STATUS_BLOCK>().read_volatile() };
        // SAFETY: every bit pattern is a status.
        let status = unsafe { block.Anonymous.Status };
        if status < 0 {
            Err(Status(status))
        } else {
            Ok(block.Information)
        }
    }
}

impl DriverTransport {
    /// Opens the device of this name; `None` opens the first.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(name: Option<&str>) -> Result<Self, Error> {
        let name = match name {
            Some(name) => name.to_string(),
            None => Self::list()?.into_iter().next().ok_or(Error::NoDevice)?,
        };
        let device = Handle::device(&name).map_err(|status| Error::Open { name, status })?;
        Ok(Self {
            device,
            start: Instant::now(),
            requests: Mutex::default(),
        })
    }

    /// Names of the devices that are present.
    ///
    /// # Errors
    /// The system does not say.
    pub fn list() -> Result<Vec<String>, Error> {
        interfaces::list()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, pending: &Pending) -> Option<Arc<Slot>> {
        self.requests().pended.get(&pending.id()).cloned()
    }
}

impl Transport for DriverTransport {
    unsafe fn start(
        &self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status> {
        let (Ok(input_len), Ok(len)) = (u32::try_from(input.len()), u32::try_from(len)) else {
            return Err(Status::INVALID_PARAMETER);
        };
        let spare = self.requests().spare.pop();
        let slot = spare.map_or_else(Slot::new, Ok)?;
        let start = |bytes: *const u8, len: u32| match len {
            0 => null(),
            _ => bytes.cast::<c_void>(),
        };
        // SAFETY: the handles are open; the input is copied before the call returns, as is so for every method but NEITHER; the caller
        // promises the buffer until the request is over; the block is in a slot that is kept until then, or for ever.
        let status = unsafe {
            NtDeviceIoControlFile(
                self.device.raw(),
                slot.event.raw(),
                None,
                null(),
                slot.block.get().cast(),
                code.value(),
                start(input.as_ptr(), input_len),
                input_len,
                start(buffer, len).cast_mut(),
                len,
            )
        };
        let mut requests = self.requests();
        if status < 0 {
            // Refused at once: the block is not written, and the event not set.
            requests.spare.push(slot);
            return Err(Status(status));
        }
        requests.last += 1;
        let id = requests.last;
        requests.pended.insert(id, slot);
        Ok(Pending::new(id))
    }

    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        let Some(slot) = self.slot(pending) else {
            return Some(Err(Status::INVALID_HANDLE));
        };
        let end = timeout_ns.map(|ns| Instant::now().checked_add(Duration::from_nanos(ns)));
        loop {
            let left = end
                .flatten()
                .map(|end| end.saturating_duration_since(Instant::now()));
            let left_ms = left.map_or(LONGEST_MS, |left| {
                let up = left.as_nanos().div_ceil(1_000_000);
                u32::try_from(up).unwrap_or(LONGEST_MS).min(LONGEST_MS)
            });
            // SAFETY: the event is open.
            if unsafe { WaitForSingleObject(slot.event.raw(), left_ms) } == WAIT_OBJECT_0 {
                break;
            }
            if left.is_some_and(|left| left <= Duration::from_millis(left_ms.into())) {
                return None;
            }
        }
        let result = slot.result();
        let mut requests = self.requests();
        if requests.pended.remove(&pending.id()).is_none() {
            return Some(Err(Status::INVALID_HANDLE)); // Another thread was given it.
        }
        if Arc::strong_count(&slot) == 1 {
            requests.spare.push(slot);
        }
        Some(result)
    }

    fn cancel(&self, pending: &Pending) {
        if let Some(slot) = self.slot(pending) {
            // SAFETY: the handle is open. It fails if the request is over, which is as well.
            unsafe { CancelIoEx(self.device.raw(), slot.block.get().cast::<OVERLAPPED>()) };
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn relax(&self) {
        std::hint::spin_loop();
    }

    fn sleep(&self, ns: u64) {
        std::thread::sleep(Duration::from_nanos(ns));
    }
}

impl Drop for DriverTransport {
    fn drop(&mut self) {
        // The system still writes to these when the closing handle's cleanup ends their requests.
        for (_, slot) in self.requests().pended.drain() {
            std::mem::forget(slot);
        }
    }
}

/// `text` as Windows takes it.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
