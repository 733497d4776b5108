//! Functions of `ntddk.h` and `wdm.h`, as `wdk_sys::ntddk` has them.

pub use crate::kernel::*;
