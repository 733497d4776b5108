//! What can go wrong, and what to do about it.

use crate::{OutOfMemory, Status};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The driver, or the system on the way to it, refused.
    #[error("{action}: {status}")]
    Refused {
        /// The control code's name.
        action: &'static str,
        /// Why.
        status: Status,
    },
    /// The device could not be opened.
    #[error("cannot open {name}: {status}")]
    Open {
        /// The device's name.
        name: String,
        /// Why.
        status: Status,
    },
    /// There is no device.
    #[error(
        "no Pinring device is present: see whether the card is in Device Manager and the driver started, or run `pinring doctor`"
    )]
    NoDevice,
    /// This build has no way to a driver.
    #[error(
        "this build has no way to a driver: the driver is one for Windows; `pinring doctor` works anywhere"
    )]
    NoDriver,
    /// Driver and library speak different versions of the interface.
    #[error(
        "the driver speaks version {driver} of the interface, this library version {library}: install both from the same release"
    )]
    Version {
        /// The driver's.
        driver: u32,
        /// The library's.
        library: u32,
    },
    /// An answer makes no sense.
    #[error(
        "{action}: the driver's answer of {bytes} bytes makes no sense: install driver and library from the same release"
    )]
    BadAnswer {
        /// The control code's name.
        action: &'static str,
        /// Its bytes.
        bytes: usize,
    },
    /// More transfers than one batch holds.
    #[error("a batch of {count} transfers: submit at most {max} at a time", max = pinring_ioctl::MAX_BATCH)]
    BatchTooLong {
        /// Transfers.
        count: usize,
    },
    /// More bytes than one registration holds.
    #[error("a buffer of {bytes} bytes: register at most {max} at a time, as several regions", max = crate::MAX_REGION_BYTES)]
    BufferTooLong {
        /// Bytes.
        bytes: usize,
    },
    /// A transfer is longer than the host maps at once: tier PerTransfer.
    #[error(
        "a transfer is longer than the {limit} bytes that tier PerTransfer moves at a time on this machine (max_transfer_bytes): split it"
    )]
    TransferTooLong {
        /// Bytes of the longest: [`DeviceInfo::max_transfer_bytes`](pinring_ioctl::DeviceInfo::max_transfer_bytes).
        limit: u64,
    },
    /// The device may still write or read what is to be looked at or changed.
    #[error("{transfers} transfers of the region are in flight: wait for their completions first")]
    InFlight {
        /// Transfers whose completions have not been taken.
        transfers: u32,
    },
    /// The program looks at the region, or changes it.
    #[error("the program is {} the region, through a view: drop the view first", if *changing { "changing" } else { "reading" })]
    Viewed {
        /// Through a [`ViewMut`](crate::ViewMut), and not only [`View`](crate::View)s.
        changing: bool,
    },
    /// A transfer names a region that this device did not register or allocate, or that is gone.
    #[error(
        "region handle {handle:#x} is none of this open device's: it was unregistered, or another one gave it"
    )]
    UnknownRegion {
        /// The handle.
        handle: u64,
    },
    /// The range leaves the region.
    #[error("{length} bytes at {offset} leave a region of {region} bytes")]
    OutOfBounds {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Bytes of the region.
        region: u64,
    },
    /// The device still holds the buffer.
    #[error("the device has not let go of the buffer yet: keep it, and unregister again")]
    NotLetGo,
    /// No memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A burst ended early.
    #[error("transfer {index} of the burst: {error}")]
    Transfer {
        /// Its number.
        index: usize,
        /// How it ended.
        error: crate::TransferError,
    },
    /// A burst did not end in time.
    #[error(
        "{left} of the burst's transfers did not end in {seconds} s: they were cancelled; does user logic serve the stream? See `pinring log`"
    )]
    BurstTimeout {
        /// Transfers that had not ended.
        left: usize,
        /// The limit in seconds.
        seconds: u64,
    },
    /// A burst's parts do not fit together.
    #[error("the burst cannot be run: {0}")]
    Burst(&'static str),
}

impl Error {
    /// The raw status, where a driver or system gave one.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } | Self::Open { status, .. } => Some(*status),
            Self::TransferTooLong { .. } => Some(pinring_ioctl::Error::TooLong.into()),
            Self::UnknownRegion { .. } => Some(pinring_ioctl::Error::NoRegion.into()),
            _ => None,
        }
    }

    /// The driver's own reason, if it is one.
    pub fn driver(&self) -> Option<pinring_ioctl::Error> {
        self.status()?.driver()
    }
}

/// A buffer that could not be registered: it comes back.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct RegisterError<B> {
    /// The buffer.
    pub buffer: B,
    /// Why.
    pub error: Error,
}

impl<B> std::fmt::Debug for RegisterError<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterError")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<B> From<RegisterError<B>> for Error {
    fn from(refused: RegisterError<B>) -> Self {
        refused.error
    }
}
