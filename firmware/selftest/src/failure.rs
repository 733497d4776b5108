//! Why a check failed.

use core::fmt;
use pinring_protocol::{LAYOUT_HASH, MAGIC, Status};

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// BAR0 does not begin with MAGIC.
    NotPinring {
        /// What it begins with.
        found: u32,
    },
    /// The device was built with another layout.
    Layout {
        /// Its layout hash.
        device: u64,
    },
    /// The device does not begin to serve.
    NotReady {
        /// Register STATUS.
        status: u32,
        /// Register FIRMWARE_STATE.
        firmware: u32,
    },
    /// A completion entry did not come in time.
    NoCompletion {
        /// The queue.
        queue: u32,
    },
    /// A completion entry is not the one that was due.
    OtherCompletion {
        /// The queue that it names.
        queue: u16,
        /// The slot that it names.
        slot: u16,
    },
    /// A transfer or command ended otherwise than it should.
    Ended {
        /// How, if the code is known.
        status: Option<Status>,
        /// How it should have.
        expected: Status,
    },
    /// A transfer moved another number of bytes.
    Moved {
        /// How many.
        bytes: u32,
        /// How many it should have been.
        expected: u32,
    },
    /// A flag for the end of the packet that should not be, or none where it should.
    EndOfPacket,
    /// A byte in host memory is wrong.
    Byte {
        /// Where, counted from the transfer's first byte.
        position: i32,
        /// What it is.
        found: u8,
        /// What it should be.
        expected: u8,
    },
    /// What the sink has counted is wrong.
    Sink {
        /// Bytes that it took.
        bytes: u32,
        /// Packets that it took.
        packets: u32,
        /// Bytes that differ.
        wrong: u32,
        /// Beats with TUSER.
        errors: u32,
    },
    /// The interrupt's message was not written.
    NoInterrupt {
        /// The vector.
        vector: u32,
    },
    /// A counter does not say what was moved.
    Counter {
        /// What it says.
        found: u32,
        /// What it should say.
        expected: u32,
    },
    /// The root complex has seen requests that no device may make.
    Violations {
        /// Bits of [`VIOLATIONS`](pinring_protocol::selftest::VIOLATIONS).
        bits: u32,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotPinring { found } => {
                write!(f, "BAR0 begins with {found:#010x} instead of {MAGIC:#010x}")
            }
            Self::Layout { device } => write!(
                f,
                "the device's layout hash is {device:#018x}, this program's {LAYOUT_HASH:#018x}: build both from the same version"
            ),
            Self::NotReady { status, firmware } => write!(
                f,
                "the device does not serve: STATUS {status:#x}, FIRMWARE_STATE {firmware:#x}"
            ),
            Self::NoCompletion { queue } => {
                write!(f, "no completion entry of queue {queue} in time")
            }
            Self::OtherCompletion { queue, slot } => {
                write!(f, "the completion entry is of queue {queue}, slot {slot}")
            }
            Self::Ended { status, expected } => match status {
                Some(status) => write!(f, "ended with {status:?} instead of {expected:?}"),
                None => write!(f, "ended with an unknown status instead of {expected:?}"),
            },
            Self::Moved { bytes, expected } => {
                write!(f, "{bytes} bytes moved instead of {expected}")
            }
            Self::EndOfPacket => write!(f, "the packet ends elsewhere"),
            Self::Byte {
                position,
                found,
                expected,
            } => write!(
                f,
                "byte {position} is {found:#04x} instead of {expected:#04x}"
            ),
            Self::Sink {
                bytes,
                packets,
                wrong,
                errors,
            } => write!(
                f,
                "the sink took {bytes} bytes in {packets} packets, {wrong} wrong, {errors} beats marked"
            ),
            Self::NoInterrupt { vector } => write!(f, "no message of vector {vector} in time"),
            Self::Counter { found, expected } => {
                write!(f, "the counter says {found} instead of {expected}")
            }
            Self::Violations { bits } => {
                write!(f, "the root complex saw illegal requests: {bits:#x}")
            }
        }
    }
}
