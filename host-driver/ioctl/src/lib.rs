//! Control codes and structures that driver and applications share.
//!
//! An application opens the device's interface ([`INTERFACE`]) with `FILE_FLAG_OVERLAPPED` and speaks to the driver in control
//! codes ([`Code`]). Each has a method (how buffers travel) and access bits (what the handle must have been opened for). Structures
//! are little-endian, have no padding, and their reserved fields are zero; the driver refuses an input of another size, or with
//! anything else in a reserved field, with [`Error::Malformed`] and changes nothing. A code without an input structure takes no notice of
//! input; an output shorter than its structure is STATUS_BUFFER_TOO_SMALL.
//!
//! | code | input | output | ends |
//! |---|---|---|---|
//! | [`QUERY_DEVICE`] | | [`DeviceInfo`] | at once |
//! | [`REGISTER`] | [`Register`] | the buffer itself, locked for direct I/O | when the region is gone: the pended request *is* the registration |
//! | [`QUERY_REGION`] | [`Token`] | [`RegionInfo`] | at once |
//! | [`UNREGISTER`] | [`Handle`] | | at once; the REGISTER request completes when the device has let go |
//! | [`ALLOCATE`] | [`Allocate`] | [`RegionInfo`] | at once: a region of contiguous driver memory; UNREGISTER frees it |
//! | [`COPY_OUT`] | [`CopyRange`] | the application's buffer | after the copy out of a region of ALLOCATE |
//! | [`COPY_IN`] | [`CopyRange`] | the application's buffer, read | after the copy into such a region |
//! | [`SUBMIT`] | [`Submit`], then its [`Transfer`]s | | at once; all of the batch is taken, or nothing |
//! | [`WAIT`] | [`Wait`] | [`Completion`]s | when there are enough, in submission order of each direction |
//! | [`CANCEL`] | [`Cancel`] | | at once; what was in flight, of one region or of all, completes as aborted |
//! | [`STATISTICS`] | | [`Statistics`] | at once |
//! | [`READ_LOG`] | | bytes of the firmware's defmt log | at once, with what there is |
#![no_std]
#![forbid(unsafe_code)]

mod code;
mod error;
mod structs;

pub use code::{
    ALLOCATE, Access, CANCEL, COPY_IN, COPY_OUT, Code, Method, QUERY_DEVICE, QUERY_REGION,
    READ_LOG, REGISTER, STATISTICS, SUBMIT, UNREGISTER, WAIT,
};
pub use error::{Error, NtStatus};
pub use structs::{
    Allocate, Cancel, Completion, CopyRange, DeviceInfo, Handle, RegionInfo, Register, Statistics,
    Submit, Token, Transfer, Wait, completion_flags, direction, permissions, scope, tier,
    tier_reason,
};

/// Version of this interface; [`DeviceInfo::interface_version`] must be the same.
pub const VERSION: u32 = 1;

/// Device interface class of a Pinring device: {5d0c3b6e-7a41-4b0f-9f0e-2f6c1c8a9d17}.
pub const INTERFACE: Guid = Guid {
    data1: 0x5d0c_3b6e,
    data2: 0x7a41,
    data3: 0x4b0f,
    data4: [0x9f, 0x0e, 0x2f, 0x6c, 0x1c, 0x8a, 0x9d, 0x17],
};

/// Name of the driver's service, as its INF adds it.
pub const SERVICE: &str = "pinring_kmdf";

/// A GUID as Windows lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guid {
    /// First group.
    pub data1: u32,
    /// Second group.
    pub data2: u16,
    /// Third group.
    pub data3: u16,
    /// The rest.
    pub data4: [u8; 8],
}

/// Transfers of one [`SUBMIT`] at most.
pub const MAX_BATCH: usize = 1024;
