//! What applications link to use a Pinring device.
//!
//! Register a buffer once; from then on a transfer is one call, whatever its size.
//!
//! ```
//! use pinring_client::{AlignedBuffer, Device, Direction, Permissions, TierChoice};
//! use pinring_client::loopback::Loopback;
//!
//! # fn main() -> Result<(), pinring_client::Error> {
//! // In place of `Device::open`: a driver double in memory, with a card that sends the demo's pattern.
//! let device = Device::new(Loopback::new())?;
//! let frame = AlignedBuffer::new(1 << 20)?;
//! let region = device.register(frame, Permissions::C2h, TierChoice::best())?;
//! println!("tier {}: {}", region.info().tier, region.info().reason);
//!
//! device.submit(Direction::C2h, &[region.transfer(0..4096).cookie(7)])?;
//! for completion in device.wait(1, Some(1_000_000_000))? {
//!     assert_eq!((completion.cookie, completion.result), (7, Ok(())));
//! }
//! assert_eq!(region.view()?[..4], [0, 0, 0, 0]);
//! let frame = region.unregister(); // The device has let go.
//! # drop(frame);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(feature = "loopback"),
    doc = "(The example needs the feature `loopback`.)"
)]

mod buffer;
mod burst;
#[cfg(feature = "capi")]
pub mod capi;
#[cfg(feature = "cli")]
pub mod cli;
mod common;
mod device;
mod error;
#[cfg(feature = "loopback")]
pub mod loopback;
mod open;
pub mod pattern;
mod region;
mod status;
mod system;
mod tier;
mod transfer;
mod transport;
#[cfg(windows)]
mod windows;

pub use buffer::{
    AlignedBuffer, Buffer, OutOfMemory, Owner, PAGE_BYTES, Release, Storage, Unowned,
};
pub use burst::{Burst, BurstTimes, Strategy};
pub use common::CommonBuffer;
pub use device::Device;
pub use error::{Error, RegisterError};
pub use open::DriverTransport;
pub use pinring_ioctl as ioctl;
pub use region::{MAX_REGION_BYTES, Region, RegionInfo, View, ViewMut};
pub use status::Status;
pub use tier::{Direction, Permissions, Reason, Tier, TierChoice};
pub use transfer::{Completion, RegionHandle, Transfer, TransferError};
pub use transport::{Pending, Transport};
