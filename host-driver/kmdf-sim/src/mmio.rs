//! Register accesses: what READ_REGISTER_ULONG and its kin, which are inline functions in Windows, do.

use crate::kernel::{mapped_read, mapped_write};

/// READ_REGISTER_ULONG.
///
/// # Safety
/// The pointer is from `MmMapIoSpaceEx`; the double checks it.
#[must_use]
pub unsafe fn read_u32(register: *const u32) -> u32 {
    mapped_read("READ_REGISTER_ULONG", register.addr() as u64, 4) as u32
}

/// READ_REGISTER_ULONG64.
///
/// # Safety
/// As [`read_u32`].
#[must_use]
pub unsafe fn read_u64(register: *const u64) -> u64 {
    mapped_read("READ_REGISTER_ULONG64", register.addr() as u64, 8)
}

/// WRITE_REGISTER_ULONG.
///
/// # Safety
/// As [`read_u32`].
pub unsafe fn write_u32(register: *mut u32, value: u32) {
    mapped_write(
        "WRITE_REGISTER_ULONG",
        register.addr() as u64,
        4,
        value.into(),
    );
}

/// WRITE_REGISTER_ULONG64.
///
/// # Safety
/// As [`read_u32`].
pub unsafe fn write_u64(register: *mut u64, value: u64) {
    mapped_write("WRITE_REGISTER_ULONG64", register.addr() as u64, 8, value);
}
