//! A test double of KMDF for Linux, with a verifier.
//!
//! A driver that is written against `wdk_sys` is built against this crate under that name, and runs, unchanged, on a simulated machine
//! in one host thread. Threads, deferred procedure calls and interrupts interleave as the seed says; calls at a wrong IRQL, lost
//! requests, leaks and the like are reported with the rule and its documentation.
//!
//! What the driver sees is at the root ([`types`], [`constants`], [`ntddk`], [`call_unsafe_wdf_function_binding`]); what a test sees is
//! [`Machine`], [`user`], [`Hardware`] and [`Report`].
//!
//! ```
//! extern crate kmdf_sim as wdk_sys; // in the driver's lib.rs
//! use kmdf_sim::{Config, Machine, NoHardware, user};
//! use wdk_sys::*;
//!
//! unsafe extern "C" fn device_add(_driver: WDFDRIVER, mut init: PWDFDEVICE_INIT) -> NTSTATUS {
//!     let mut device = core::ptr::null_mut();
//!     unsafe { call_unsafe_wdf_function_binding!(WdfDeviceCreate, &mut init, WDF_NO_OBJECT_ATTRIBUTES, &mut device) }
//! }
//!
//! fn driver_entry(driver: PDRIVER_OBJECT, path: PUNICODE_STRING) -> NTSTATUS {
//!     let mut config = WDF_DRIVER_CONFIG {
//!         Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
//!         EvtDriverDeviceAdd: Some(device_add),
//!         ..Default::default()
//!     };
//!     let none = core::ptr::null_mut();
//!     unsafe { call_unsafe_wdf_function_binding!(WdfDriverCreate, driver, path, WDF_NO_OBJECT_ATTRIBUTES, &mut config, none) }
//! }
//!
//! // Every seed is another interleaving; `Config::fail` makes one call fail.
//! let mut machine = Machine::new(Config::seeded(1), NoHardware);
//! assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
//! assert_eq!(machine.add_device(), Ok(STATUS_SUCCESS));
//! let process = machine.process()?;
//! let done = machine.run(Some(process), || {
//!     let handle = user::open(FILE_READ_DATA, false)?;
//!     let refused = user::device_io_control(handle, 0x22_2000, b"", &mut []);
//!     assert_eq!(refused, Err(user::Status(STATUS_INVALID_DEVICE_REQUEST)));
//!     user::close(handle)
//! })?;
//! assert_eq!(done, Ok(()));
//! assert_eq!(machine.remove(), Ok(STATUS_SUCCESS));
//! machine.unload()?;
//! machine.report().assert_clean();
//! # Ok::<(), kmdf_sim::Stopped>(())
//! ```
//!
//! # How it works
//!
//! Kernel and user threads are coroutines. Each CPU has a clock in ps, and the one furthest behind goes next; calls of the driver are
//! the points where time passes and where another CPU, an interrupt or a deferred procedure call may get in between ([`Costs`]). After a
//! violation that Windows would answer with a bug check the machine stands still: its report is all that is left.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

#[allow(missing_docs)]
pub mod constants;
pub mod ddi;
pub mod dma;
pub mod hardware;
mod kernel;
mod machine;
mod macros;
pub mod memory;
pub mod mmio;
pub mod ntddk;
mod pnp;
pub mod quarantine;
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub mod types;
pub mod user;
pub mod verifier;
mod world;

pub use constants::*;
pub use hardware::{Hardware, NoHardware};
pub use kernel::TraceEvent;
pub use machine::{Background, Machine, Stopped};
pub use macros::{NT_ERROR, NT_INFORMATION, NT_SUCCESS, NT_WARNING};
pub use quarantine::Quarantine;
pub use types::*;
pub use verifier::{Report, Rule, Violation};
pub use world::{Config, Costs, FlatCosts};
