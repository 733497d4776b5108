//! The kernel's own functions, by component: `ke`, `mm`, `ex`, `ps`, `io`, `etw`.

mod stubs;

pub use stubs::*;
