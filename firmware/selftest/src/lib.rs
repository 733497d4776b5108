//! The bring-up self-test: plays the host to a Pinring device on the same chip, and reports.
//!
//! It does what a driver does, from reading MAGIC to destroying the queues, with the rings, regions and lists in block RAM; moves data
//! both ways between the demo's source and sink and host memory, and looks at every byte. The last line of its report begins with
//! PASS or FAIL. [`pinring_protocol::selftest`] says where everything is; the gateware is `hdl/src/selftest`.
//!
//! - [`run`]: the checks, in order
//! - [`Host`]: rings, doorbells and completions
//! - [`Region`]: data in host memory whose pages lie in any order
//! - [`Uart`]: the report's way out, as an embedded-io writer
//!
//! The binary around it is for the soft core; everything here runs on the host too.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod checks;
mod failure;
mod host;
mod memory;
mod uart;

pub use checks::run;
pub use failure::Failure;
pub use host::Host;
pub use memory::Region;
pub use uart::Uart;

/// What lies outside of the processor's own memory and window: host memory, BAR0, registers of the user logic.
pub trait Bus {
    /// Reads the word at an address of [`pinring_protocol::selftest`].
    fn load(&self, address: u32) -> u32;

    /// Writes it.
    fn store(&mut self, address: u32, word: u32);
}
