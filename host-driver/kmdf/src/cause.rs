//! Why a device was reset or given up, as operators are told: a number, and up to two numbers that explain it.

use pinring_core::{OpenError, StartError};

/// A cause. The numbers are documented in `docs/windows.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Cause {
    /// An admin command was not acknowledged in time.
    AdminTimeout = 1,
    /// The device broke the protocol.
    Protocol = 2,
    /// It reports that it stopped.
    Health = 3,
    /// A reset or start did not end in time: STATUS.
    ResetTimeout = 4,
    /// It refused a command that must not be refused.
    Refused = 5,
    /// Every register reads as ones.
    Gone = 6,
    /// The firmware stopped by itself: its state, and what it says about it.
    Firmware = 7,
    /// Built from another protocol: the device's layout hash, the driver's, or the low 24 bits of the firmware's.
    Layout = 8,
    /// Another major version of the interface: the device's, the driver's.
    Version = 9,
    /// No Pinring device: what MAGIC reads, and what it ought to.
    NotPinring = 10,
    /// A register or BAR0's size makes no sense: its value, and the least that is needed if that is known.
    Limits = 11,
    /// No memory for rings and tables: bytes.
    Memory = 12,
}

/// A cause and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    cause: Cause,
    details: [u64; 2],
}

impl Why {
    /// The numbers of event 6.
    pub(crate) fn numbers(self) -> [u64; 3] {
        [self.cause as u64, self.details[0], self.details[1]]
    }
}

impl From<Cause> for Why {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            details: [0; 2],
        }
    }
}

impl From<StartError> for Why {
    fn from(error: StartError) -> Self {
        let (cause, details) = match error {
            StartError::TimedOut { status, .. } => (Cause::ResetTimeout, [status.into(), 0]),
            StartError::Gone => (Cause::Gone, [0; 2]),
            StartError::Firmware { state, detail } => (
                Cause::Firmware,
                [state.map_or(u64::MAX, |state| state as u64), detail.into()],
            ),
            StartError::FirmwareLayout { device, firmware } => {
                (Cause::Layout, [device, firmware.into()])
            }
            StartError::Fatal { info } => (Cause::Health, [info.into(), 0]),
            StartError::State(_) | StartError::FirmwareStalled => (Cause::Health, [0; 2]),
        };
        Self { cause, details }
    }
}

impl From<OpenError> for Why {
    fn from(error: OpenError) -> Self {
        let (cause, details) = match error {
            OpenError::Gone => (Cause::Gone, [0; 2]),
            OpenError::NotPinring { found, expected } => {
                (Cause::NotPinring, [found.into(), expected.into()])
            }
            OpenError::AbiVersion { device, driver } => {
                (Cause::Version, [device.into(), driver.into()])
            }
            OpenError::LayoutHash { device, driver } => (Cause::Layout, [device, driver]),
            OpenError::BarTooSmall { found, needed } => (Cause::Limits, [found, needed]),
            OpenError::Limits { value, .. } => (Cause::Limits, [value, 0]),
            OpenError::Config(_) => (Cause::Limits, [0; 2]),
            OpenError::Memory(error) => (Cause::Memory, [error.bytes as u64, 0]),
        };
        Self { cause, details }
    }
}
