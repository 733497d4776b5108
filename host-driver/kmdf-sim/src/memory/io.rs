//! What the I/O manager does with user buffers: locking them for a request, and letting go of them.

use super::LockAccess;
use crate::constants::{STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES};
use crate::dma::with_hal;
use crate::types::{NTSTATUS, PMDL, PVOID};

/// Probes and locks a buffer of a process, as the I/O manager does for direct methods: for writing if the device or driver is to write
/// it.
pub(crate) fn lock_user_buffer(
    process: u32,
    address: *mut u8,
    bytes: usize,
    write: bool,
) -> Result<PMDL, NTSTATUS> {
    let access = match write {
        true => LockAccess::Write,
        false => LockAccess::Read,
    };
    let address = address.expose_provenance();
    with_hal(|hal| {
        let mdl = hal.mdls.create(address, bytes as u64);
        if mdl.is_null() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        if hal.mdls.lock(&mut hal.memory, mdl, access).is_err() {
            // Freeing what was just made cannot fail.
            let _ = hal.mdls.free(&mut hal.memory, mdl);
            return Err(STATUS_ACCESS_VIOLATION);
        }
        // SAFETY: the MDL was just made.
        unsafe { (*mdl).Process = crate::kernel::process_object(process) };
        Ok(mdl)
    })
}

/// Unlocks what [`lock_user_buffer`] locked and frees the MDL; at the request's completion.
pub(crate) fn unlock_user_buffer(mdl: PMDL) {
    with_hal(|hal| {
        hal.unlock_mdl(mdl, "WdfRequestComplete");
        // It exists, or unlocking has said so.
        let _ = hal.mdls.free(&mut hal.memory, mdl);
    });
}

/// Kernel address of a locked buffer, which is mapped if it is not yet; null if it cannot be (MmGetSystemAddressForMdlSafe).
pub(crate) fn system_address(mdl: PMDL) -> PVOID {
    with_hal(|hal| {
        if let Some(address) = hal.mdls.system_address(mdl) {
            return address.cast();
        }
        let mapped = hal.mdls.map(mdl);
        mapped.map_or(core::ptr::null_mut(), |address| address.cast())
    })
}
