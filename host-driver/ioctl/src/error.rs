//! Why the driver refuses: NTSTATUS values of its own, so that an application learns the cause and not only that something failed.

/// An NTSTATUS.
pub type NtStatus = i32;

/// Severity error, customer code, and a facility of the driver's own (MS-ERREF, section 2.3).
const BASE: u32 = 0xe0a1_0000;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// Why the driver refused a request; its number travels as NTSTATUS.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[repr(u16)]
        pub enum Error {
            $($(#[$doc])* #[error($text)] $name = $code,)+
        }

        impl Error {
            /// Every error.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$name),+];
        }
    };
}

errors! {
    /// A structure has another size, reserved bits are set, or a field is out of range.
    Malformed = 1, "the request is malformed (size, reserved fields or a field out of range): build application and driver from the same version";
    /// The handle was opened for synchronous I/O.
    Synchronous = 2, "the handle was opened without FILE_FLAG_OVERLAPPED, which a pended registration would block: open it with the flag";
    /// The handle names no region of this file.
    NoRegion = 3, "the handle names no region of this file handle: it was unregistered, or belongs to another handle";
    /// The token is in use.
    TokenInUse = 4, "the token names another registration of this file handle: choose one that is not in use";
    /// The range leaves the region.
    OutOfBounds = 5, "offset and length leave the region: stay within what was registered";
    /// A transfer of no bytes, or a buffer of none.
    Empty = 6, "the length is zero";
    /// The region was not registered for this direction.
    WrongDirection = 7, "the region does not permit this direction: register it with the permission";
    /// Tier Bypass cannot be had.
    NoBypass = 8, "tier Bypass is not to be had: the host remaps or bounces for this device; allow a weaker tier";
    /// Tier MappedOnce cannot be had on this Windows.
    NoMappedOnce = 9, "tier MappedOnce needs Windows 11 or Server 2022 and version 3 of the DMA interface: allow PerTransfer";
    /// MappedOnce needs whole pages.
    NotWholePages = 10, "tier MappedOnce needs a buffer of whole pages: align it, or allow PerTransfer";
    /// MappedOnce without remapping needs contiguous pages.
    NotContiguous = 11, "tier MappedOnce without DMA remapping needs physically contiguous pages: allow PerTransfer";
    /// The host has no room for another lasting mapping.
    MappingsExhausted = 12, "the host has no room for another lasting mapping: unregister a buffer, or allow PerTransfer";
    /// The tier is not for this request.
    WrongTier = 13, "the tier is not for this request: REGISTER takes Bypass, MappedOnce and PerTransfer, ALLOCATE makes CommonBuffer";
    /// The cap of this handle.
    HandleCap = 14, "the buffer passes the cap on locked bytes of one handle (registry value MaxLockedMiBPerHandle)";
    /// The cap of the device.
    DeviceCap = 15, "the buffer passes the cap on locked bytes of the device (registry value MaxLockedMiB)";
    /// No region id is left.
    RegionsExhausted = 16, "all regions are in use: unregister one";
    /// No queue is left for this handle.
    QueuesExhausted = 17, "all queues of the device belong to other handles: close one";
    /// The ring has no room for the batch.
    RingFull = 18, "the batch does not fit behind what is in flight: wait for completions, or submit fewer";
    /// The transfer can never be mapped at once.
    TooLong = 19, "the transfer is longer than the host maps at once (see DeviceInfo::max_transfer_bytes): split it";
    /// A cancellation is under way, or the device has no place for another.
    RegionBusy = 20, "the region is being cancelled, or the device has no place for another cancellation now: try again a little later";
    /// The TDEST is not the device's.
    BadTdest = 21, "the TDEST is outside the range of the device's streams";
    /// The device does not run.
    NotRunning = 22, "the device does not run: it is starting, powered down, or stopped after a fault; see the event log";
    /// The device was removed.
    Gone = 23, "the device is gone: close the handle";
    /// The device broke the protocol, or never answered.
    DeviceFault = 24, "the device broke the protocol or did not answer, and was reset: what was in flight is reported as aborted";
    /// No memory.
    NoMemory = 25, "memory for rings or lists has run out: ask for less, or restart the system";
    /// The owner of the handle is another process.
    NotOwner = 26, "the request needs the process that opened the handle";
    /// An administrator has set TierLimit.
    ForbiddenByRegistry = 27, "the registry value TierLimit forbids the tier: allow a weaker tier, or have the value lowered";
    /// ALLOCATE of more than Windows makes a common buffer of.
    TooLarge = 28, "a common buffer has less than 4 GiB: allocate several, or register a buffer of your own";
}

impl Error {
    /// The number that travels.
    pub const fn status(self) -> NtStatus {
        (BASE | self as u32) as i32
    }

    /// The error of a number, if it is the driver's own.
    pub fn from_status(status: NtStatus) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.status() == status)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn errors_are_failures_of_the_driver_s_own() {
        for error in Error::ALL {
            let status = error.status() as u32;
            assert_eq!(status >> 30, 3, "severity error");
            assert_eq!(status >> 29 & 1, 1, "customer code");
            assert_eq!(Error::from_status(error.status()), Some(error));
            assert!(!error.to_string().is_empty());
        }
        assert_eq!(Error::from_status(0), None);
    }
}
