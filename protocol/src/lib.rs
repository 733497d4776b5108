//! Every byte that two sides of Pinring share, defined once.
//!
//! Driver, firmware, gateware and simulation meet in these structures. Each field is declared a single time, with
//! [`wire!`](declare), [`registers!`](declare), [`codes!`](declare) or [`constants!`](declare); from that declaration come
//! the Rust types here, the descriptors in [`catalogue`] and, by `cargo xtask generate`, the C header, the wire-format document and
//! the gateware's decode and encode blocks.
//!
//! Everything is little-endian. A type such as [`SubmissionEntry`] is a layout: any bytes can be viewed as one, and `decode`
//! says whether they are valid (known codes, reserved bits zero, values in range).
//!
//! ```
//! use pinring_protocol::{DecodeError, Opcode, SubmissionEntry};
//!
//! let entry = SubmissionEntry::new().with_opcode(Opcode::C2h).with_region(7).with_length(4096);
//! let bytes = entry.encode();
//! assert_eq!(SubmissionEntry::decode(&bytes)?.region(), 7);
//! # Ok::<(), DecodeError>(())
//! ```
#![cfg_attr(not(any(test, feature = "generate", loom)), no_std)]
#![forbid(unsafe_code)]

pub mod catalogue;
mod codes;
pub mod declare;
pub mod describe;
mod doorbell;
mod entries;
mod error;
#[cfg(feature = "generate")]
pub mod generate;
pub mod limits;
pub mod mailbox;
pub mod mmio;
pub mod pattern;
pub mod region;
pub mod registers;
pub mod ring;
pub mod selftest;

pub use catalogue::LAYOUT_HASH;
pub use codes::{AdminOpcode, Direction, FirmwareState, Opcode, SgFormat, Status};
pub use doorbell::{Doorbell, MsixEntry};
pub use entries::{AdminEntry, CompletionEntry, QueueContext, SubmissionEntry};
pub use error::DecodeError;
pub use region::{RegionEntry, SgElement, SgUniformElement};

/// "PRNG" in little-endian ASCII: what register MAGIC reads.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PRNG");

/// Major version of the binary interface: part of [`LAYOUT_HASH`]; both sides must agree on it.
pub const ABI_MAJOR: u8 = 1;

/// Minor version of the binary interface: counts additions behind feature bits.
pub const ABI_MINOR: u8 = 0;
