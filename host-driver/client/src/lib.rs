//! What applications link to use a Pinring device.
mod buffer;
mod status;
mod system;
mod transport;

pub use buffer::{AlignedBuffer, Buffer, OutOfMemory, PAGE_BYTES, Release, Storage, Unowned};
pub use status::Status;
pub use transport::{Pending, Transport};
