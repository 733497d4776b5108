//! Handles that close themselves.

use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    CloseHandle, GENERIC_READ, GENERIC_WRITE, GetLastError, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::wide;
use crate::Status;

/// An open handle.
#[derive(Debug)]
pub(super) struct Handle(HANDLE);

// SAFETY: a handle may be used and closed on any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// A device, for overlapped I/O.
    pub fn device(name: &str) -> Result<Self, Status> {
        let name = wide(name);
        // SAFETY: the name ends with 0.
        let handle = unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                null(),
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED,
                null_mut(),
            )
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(last_error());
        }
        Ok(Self(handle))
    }

    /// An event that stays set until the next request resets it.
    pub fn event() -> Result<Self, Status> {
        // SAFETY: no attributes, no name.
        let handle = unsafe { CreateEventW(null(), 1, 0, null()) };
        if handle.is_null() {
            return Err(last_error());
        }
        Ok(Self(handle))
    }

    pub const fn raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened here, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

/// The thread's last Win32 error as the NTSTATUS that it stands for.
fn last_error() -> Status {
    // SAFETY: reads the thread's own value.
    Status::from_win32(unsafe { GetLastError() })
}
