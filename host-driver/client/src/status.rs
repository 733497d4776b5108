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
    INSUFFICIENT_RESOURCES = 0xc000_009a, "the system has no memory to lock the buffer: register less, or close other programs";
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
    /// STATUS_NOT_SUPPORTED.
    NOT_SUPPORTED = 0xc000_00bb, "this system cannot do that";
}

impl Status {
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
        match self.system() {
            Some(text) => write!(f, "{text} (NTSTATUS {:#010x})", self.0),
            None => write!(
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
}
