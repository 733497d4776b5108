//! Control codes: CTL_CODE of device type, function, method and access (Windows Driver Kit, `devioctl.h`).

/// How the buffers of a control code travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Method {
    /// METHOD_BUFFERED: copied once through a system buffer.
    Buffered = 0,
    /// METHOD_IN_DIRECT: the input structure is copied; the output buffer is locked, for the driver to read.
    InDirect = 1,
    /// METHOD_OUT_DIRECT: the input structure is copied; the output buffer is locked, for driver and device to write.
    OutDirect = 2,
}

/// What the handle must have been opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Access {
    /// FILE_READ_ACCESS.
    Read = 1,
    /// FILE_READ_ACCESS | FILE_WRITE_ACCESS.
    ReadWrite = 3,
}

/// A control code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    function: u32,
    /// How its buffers travel.
    pub method: Method,
    /// What the handle must have been opened for.
    pub access: Access,
    /// Name, for messages.
    pub name: &'static str,
}

/// FILE_DEVICE_UNKNOWN.
const DEVICE_TYPE: u32 = 0x22;

impl Code {
    /// The number that DeviceIoControl takes.
    pub const fn value(self) -> u32 {
        DEVICE_TYPE << 16 | (self.access as u32) << 14 | self.function << 2 | self.method as u32
    }

    /// The code of a number.
    pub fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.value() == value)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $function:literal, $method:ident, $access:ident;)+) => {
        $($(#[$doc])* pub const $name: Code = Code {
            // Functions from 0x800 on are for everybody (Microsoft reserves the rest).
            function: 0x800 + $function,
            method: Method::$method,
            access: Access::$access,
            name: stringify!($name),
        };)+
        impl Code {
            /// Every code.
            pub const ALL: [Self; [$($function),+].len()] = [$($name),+];
        }
    };
}

codes! {
    /// What the device and the driver can do.
    QUERY_DEVICE = 0, Buffered, Read;
    /// Registers a buffer; stays pended for as long as it is registered.
    REGISTER = 1, OutDirect, ReadWrite;
    /// What a registration came to.
    QUERY_REGION = 2, Buffered, Read;
    /// Begins to take a region back.
    UNREGISTER = 3, Buffered, ReadWrite;
    /// Allocates a region of contiguous driver memory.
    ALLOCATE = 4, Buffered, ReadWrite;
    /// Copies out of such a region.
    COPY_OUT = 5, OutDirect, ReadWrite;
    /// Copies into such a region.
    COPY_IN = 6, InDirect, ReadWrite;
    /// Submits a batch of transfers.
    SUBMIT = 7, Buffered, ReadWrite;
    /// Waits for completions.
    WAIT = 8, Buffered, ReadWrite;
    /// Cancels transfers.
    CANCEL = 9, Buffered, ReadWrite;
    /// Counters of driver and handle.
    STATISTICS = 10, Buffered, Read;
    /// Takes bytes of the firmware's log.
    READ_LOG = 11, Buffered, ReadWrite;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_ctl_code() {
        // CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_ACCESS), worked out by hand from devioctl.h.
        assert_eq!(QUERY_DEVICE.value(), 0x0022_6000);
        assert_eq!(REGISTER.value(), 0x0022_e006);
        assert_eq!(COPY_IN.value(), 0x0022_e019);
    }

    #[test]
    fn every_code_is_found_by_its_number_and_no_other_is() {
        for code in Code::ALL {
            assert_eq!(Code::from_value(code.value()), Some(code));
            assert_eq!(Code::from_value(code.value() ^ 1 << 14), None);
        }
    }
}
