//! Transfers, and how they end.

use std::fmt;
use std::ops::Range;

use pinring_ioctl as ioctl;
use pinring_protocol::Status as Code;

use crate::Direction;

/// Names a region in transfers; it says nothing after the region is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionHandle(pub u64);

/// A transfer to submit: a range of a region, to or from one stream of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The region.
    pub region: RegionHandle,
    /// First byte in the region.
    pub offset: u64,
    /// Bytes, at least 1.
    pub length: u64,
    /// The application's, given back in the completion.
    pub cookie: u64,
    /// User metadata, given to the device and back in the completion.
    pub user: u32,
    /// TDEST of the user stream.
    pub tdest: u16,
}

impl Transfer {
    /// A transfer of a range of bytes of a region, with cookie, user metadata and TDEST 0.
    pub const fn new(region: RegionHandle, range: Range<u64>) -> Self {
        Self {
            region,
            offset: range.start,
            length: range.end.saturating_sub(range.start),
            cookie: 0,
            user: 0,
            tdest: 0,
        }
    }

    /// With this cookie.
    pub const fn cookie(self, cookie: u64) -> Self {
        Self { cookie, ..self }
    }

    /// With this user metadata.
    pub const fn user(self, user: u32) -> Self {
        Self { user, ..self }
    }

    /// For the stream of this TDEST.
    pub const fn tdest(self, tdest: u16) -> Self {
        Self { tdest, ..self }
    }
}

impl From<&Transfer> for ioctl::Transfer {
    fn from(transfer: &Transfer) -> Self {
        Self {
            handle: transfer.region.0,
            offset: transfer.offset,
            length: transfer.length,
            cookie: transfer.cookie,
            user: transfer.user,
            tdest: transfer.tdest,
            ..Self::default()
        }
    }
}

/// How a transfer ended: exactly one for each that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// As in [`Transfer::cookie`].
    pub cookie: u64,
    /// As in [`Transfer::region`].
    pub region: RegionHandle,
    /// Direction.
    pub direction: Direction,
    /// Bytes moved. C2H: fewer than asked for when a packet ended, see [`end_of_packet`](Self::end_of_packet).
    pub bytes: u64,
    /// How it ended.
    pub result: Result<(), TransferError>,
    /// C2H: it ended with the packet's TLAST.
    pub end_of_packet: bool,
    /// Device clock cycles at the end, see [`DeviceInfo::clock_hz`](pinring_ioctl::DeviceInfo::clock_hz); 0 if the driver ended it.
    pub timestamp: u64,
    /// Nanoseconds that the driver spent on mapping and listing for this transfer alone; 0 with a lasting mapping.
    pub setup_ns: u64,
    /// As in [`Transfer::user`].
    pub user: u32,
}

impl Completion {
    /// `None` if the fields make no sense.
    pub(crate) fn from_wire(wire: &ioctl::Completion) -> Option<Self> {
        let result = match Code::from_code(wire.status.into()) {
            Some(Code::Ok) => Ok(()),
            _ => Err(TransferError { code: wire.status }),
        };
        Some(Self {
            cookie: wire.cookie,
            region: RegionHandle(wire.handle),
            direction: Direction::from_number(wire.direction)?,
            bytes: wire.bytes,
            result,
            end_of_packet: wire.flags & ioctl::completion_flags::END_OF_PACKET != 0,
            timestamp: wire.timestamp,
            setup_ns: wire.setup_ns,
            user: wire.user,
        })
    }
}

/// Why a transfer did not end well: the protocol's status code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransferError {
    pub(crate) code: u16,
}

impl TransferError {
    /// The protocol's status; `None` if this library does not know the code.
    pub fn status(self) -> Option<Code> {
        Code::from_code(self.code.into())
    }

    /// Its number.
    pub const fn code(self) -> u16 {
        self.code
    }

    /// It was cancelled, its region unregistered, or the device reset.
    pub fn is_aborted(self) -> bool {
        self.status() == Some(Code::Aborted)
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let described = Code::CODES
            .codes
            .iter()
            .find(|described| described.value == u64::from(self.code));
        match described {
            Some(described) => {
                let text = described.doc.trim().trim_end_matches('.');
                write!(f, "{text} (status {}, {})", self.code, described.name)
            }
            None => write!(
                f,
                "status {}, which this library does not know: install driver and library from the same release",
                self.code
            ),
        }
    }
}

impl fmt::Debug for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferError({}: {self})", self.code)
    }
}

impl std::error::Error for TransferError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_explained() {
        let aborted = TransferError {
            code: Code::Aborted as u16,
        };
        assert!(aborted.is_aborted());
        assert!(aborted.to_string().contains("submit again"), "{aborted}");
        assert!(!aborted.to_string().contains('\n'), "{aborted}");
        let unknown = TransferError { code: 999 };
        assert_eq!(unknown.status(), None);
        assert!(unknown.to_string().contains("999"));
    }
}
