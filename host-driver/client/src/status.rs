//! NTSTATUS values, decoded: what they mean and what to do about them.

use std::fmt;

use pinring_ioctl::NtStatus;

/// How a control code failed: the raw NTSTATUS. [`Display`](fmt::Display) explains it and says what to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub NtStatus);

macro_rules! system {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)+) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($value as u32 as NtStatus);)+

            /// What a status of the system's own means, if it is one that this interface brings.
            fn system(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)+
                    _ => None,
                }
            }
        }
    };
}

// Values: MS-ERREF, section 2.3.1.
system! {
    /// STATUS_UNSUCCESSFUL.
    UNSUCCESSFUL = 0xc000_0001, "the system refused without a reason: see the event log";
    /// STATUS_INVALID_HANDLE.
    INVALID_HANDLE = 0xc000_0008, "the device handle, or the request that was waited for, is closed: open the device again";
    /// STATUS_INVALID_PARAMETER.
    INVALID_PARAMETER = 0xc000_000d, "the system refused a parameter: build application and driver from the same version";
    /// STATUS_NO_SUCH_DEVICE.
    NO_SUCH_DEVICE = 0xc000_000e, "there is no such device: list the devices again";
    /// STATUS_INVALID_DEVICE_REQUEST.
    INVALID_DEVICE_REQUEST = 0xc000_0010, "the driver does not know this request: install the driver of this version";
    /// STATUS_ACCESS_DENIED.
    ACCESS_DENIED = 0xc000_0022, "access denied: run as a user whom the device's security descriptor admits, or as administrator";
    /// STATUS_BUFFER_TOO_SMALL.
    BUFFER_TOO_SMALL = 0xc000_0023, "the answer does not fit: build application and driver from the same version";
    /// STATUS_SHARING_VIOLATION.
    SHARING_VIOLATION = 0xc000_0043, "another program has the device for itself: close that program";
    /// STATUS_INSUFFICIENT_RESOURCES.
    INSUFFICIENT_RESOURCES = 0xc000_009a, "the system has nothing left to lock, map or open with: register less, or close other programs";
    /// STATUS_DEVICE_NOT_READY.
    DEVICE_NOT_READY = 0xc000_00a3, "the device is starting or powered down: try again, and see the event log";
    /// STATUS_CANCELLED.
    CANCELLED = 0xc000_0120, "the request was cancelled: the handle or the thread that made it has ended, or somebody cancelled it";
    /// STATUS_DEVICE_DOES_NOT_EXIST.
    DEVICE_DOES_NOT_EXIST = 0xc000_00c0, "the device was removed: list the devices again";
    /// STATUS_DELETE_PENDING.
    DELETE_PENDING = 0xc000_0056, "the device is being removed: list the devices again later";
    /// STATUS_DEVICE_REMOVED.
    DEVICE_REMOVED = 0xc000_02b6, "the device was removed: list the devices again";
    /// STATUS_IO_TIMEOUT.
    IO_TIMEOUT = 0xc000_00b5, "the request took too long: see the event log";
    /// STATUS_ACCESS_VIOLATION.
    ACCESS_VIOLATION = 0xc000_0005, "the buffer is not memory that this process may write: pass the whole buffer, allocated writable";
    /// STATUS_WORKING_SET_QUOTA.
    WORKING_SET_QUOTA = 0xc000_00a1, "the process may not lock that much: raise its working set (SetProcessWorkingSetSize), or register less";
    /// STATUS_COMMITMENT_LIMIT.
    COMMITMENT_LIMIT = 0xc000_012d, "the system has run out of commitment: enlarge the page file, or allocate less";
    /// STATUS_NO_MEMORY.
    NO_MEMORY = 0xc000_0017, "the system has no memory left: allocate less, or close other programs";
    /// STATUS_OBJECT_NAME_NOT_FOUND.
    OBJECT_NAME_NOT_FOUND = 0xc000_0034, "there is no device of this name: `pinring info` lists those that there are";
    /// STATUS_OBJECT_PATH_NOT_FOUND.
    OBJECT_PATH_NOT_FOUND = 0xc000_003a, "there is no device of this name: `pinring info` lists those that there are";
    /// STATUS_OBJECT_NAME_INVALID.
    OBJECT_NAME_INVALID = 0xc000_0033, "that is no name of a device: `pinring info` lists those that there are";
    /// STATUS_TOO_MANY_OPENED_FILES.
    TOO_MANY_OPENED_FILES = 0xc000_011f, "the device has as many handles open as it takes: close one, in this program or another, or share one between threads";
    /// STATUS_NOT_SUPPORTED.
    NOT_SUPPORTED = 0xc000_00bb, "this system cannot do that";
}

/// Facility 7 of an NTSTATUS: a Win32 error in disguise (NTSTATUS_FROM_WIN32, MS-ERREF, section 2.3).
const FROM_WIN32: u32 = 0xc007_0000;

impl Status {
    /// The status that a Win32 error stands for. Some errors stand for several, of which this is the one that opening a device brings.
    pub const fn from_win32(error: u32) -> Self {
        // Numbers: winerror.h.
        match error {
            1 => Self::INVALID_DEVICE_REQUEST,    // ERROR_INVALID_FUNCTION
            2 => Self::OBJECT_NAME_NOT_FOUND,     // ERROR_FILE_NOT_FOUND
            3 => Self::OBJECT_PATH_NOT_FOUND,     // ERROR_PATH_NOT_FOUND
            4 => Self::TOO_MANY_OPENED_FILES,     // ERROR_TOO_MANY_OPEN_FILES
            5 => Self::ACCESS_DENIED,             // ERROR_ACCESS_DENIED
            6 => Self::INVALID_HANDLE,            // ERROR_INVALID_HANDLE
            8 | 14 => Self::NO_MEMORY,            // ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY
            21 => Self::DEVICE_NOT_READY,         // ERROR_NOT_READY
            31 => Self::UNSUCCESSFUL,             // ERROR_GEN_FAILURE
            32 => Self::SHARING_VIOLATION,        // ERROR_SHARING_VIOLATION
            50 => Self::NOT_SUPPORTED,            // ERROR_NOT_SUPPORTED
            55 => Self::DEVICE_DOES_NOT_EXIST,    // ERROR_DEV_NOT_EXIST
            87 => Self::INVALID_PARAMETER,        // ERROR_INVALID_PARAMETER
            121 => Self::IO_TIMEOUT,              // ERROR_SEM_TIMEOUT
            123 => Self::OBJECT_NAME_INVALID,     // ERROR_INVALID_NAME
            303 => Self::DELETE_PENDING,          // ERROR_DELETE_PENDING
            433 => Self::NO_SUCH_DEVICE,          // ERROR_NO_SUCH_DEVICE
            995 => Self::CANCELLED,               // ERROR_OPERATION_ABORTED
            1450 => Self::INSUFFICIENT_RESOURCES, // ERROR_NO_SYSTEM_RESOURCES
            1453 => Self::WORKING_SET_QUOTA,      // ERROR_WORKING_SET_QUOTA
            1455 => Self::COMMITMENT_LIMIT,       // ERROR_COMMITMENT_LIMIT
            1617 => Self::DEVICE_REMOVED,         // ERROR_DEVICE_REMOVED
            _ => Self((FROM_WIN32 | error & 0xffff) as NtStatus),
        }
    }

    /// The Win32 error that it is, if it stands for nothing better.
    fn win32(self) -> Option<u32> {
        let number = self.0 as u32;
        (number & 0xffff_0000 == FROM_WIN32).then_some(number & 0xffff)
    }

    /// The driver's own reason, if it is one.
    pub fn driver(self) -> Option<pinring_ioctl::Error> {
        pinring_ioctl::Error::from_status(self.0)
    }
}

impl From<pinring_ioctl::Error> for Status {
    fn from(error: pinring_ioctl::Error) -> Self {
        Self(error.status())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.driver() {
            return fmt::Display::fmt(&error, f);
        }
        match (self.system(), self.win32()) {
            (Some(text), _) => write!(f, "{text} (NTSTATUS {:#010x})", self.0),
            (None, Some(error)) => write!(
                f,
                "the system refused with Windows error {error}: `net helpmsg {error}` says what it means"
            ),
            (None, None) => write!(
                f,
                "the system refused with NTSTATUS {:#010x}: look it up in MS-ERREF, section 2.3.1",
                self.0
            ),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({:#010x}: {self})", self.0)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_to_do() {
        for error in pinring_ioctl::Error::ALL {
            assert_eq!(Status::from(error).to_string(), error.to_string());
        }
        assert!(Status::CANCELLED.to_string().contains("0xc0000120"));
        let unknown = Status(0xc000_1234_u32 as i32).to_string();
        assert!(unknown.contains("0xc0001234"), "{unknown}");
    }

    #[test]
    fn win32_errors_get_their_status_s_advice() {
        let text = |error| Status::from_win32(error).to_string();
        // What the driver says to one handle too many.
        assert!(text(4).contains("close one"), "{}", text(4));
        assert!(text(1450).contains("register less"), "{}", text(1450));
        assert_eq!(Status::from_win32(5), Status::ACCESS_DENIED);
        let unknown = text(1167);
        assert!(unknown.contains("Windows error 1167"), "{unknown}");
        assert!(!unknown.contains("NTSTATUS"), "{unknown}");
        // Whatever the number, it does not pass for an error of the driver's own.
        for error in 0..0x1_0000 {
            assert_eq!(Status::from_win32(error).driver(), None, "{error}");
        }
    }
}
