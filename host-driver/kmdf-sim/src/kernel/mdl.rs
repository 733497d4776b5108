//! Mm and Io: memory descriptor lists.

use super::enter;
use crate::constants::DISPATCH_LEVEL;
use crate::dma::with_hal;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, violation};

const DISPATCH: u8 = DISPATCH_LEVEL as u8;

/// Reports what was wrong with an MDL.
fn checked<T>(ddi: &'static str, result: Result<T, crate::memory::MdlError>) -> Option<T> {
    result
        .map_err(|error| violation(Rule::Mdl, ddi, error.to_string()))
        .ok()
}

/// An MDL for a buffer, without its pages; null if the buffer is larger than 4 GiB - 4 KiB.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn IoAllocateMdl(
    VirtualAddress: PVOID,
    Length: ULONG,
    SecondaryBuffer: BOOLEAN,
    ChargeQuota: BOOLEAN,
    Irp: PIRP,
) -> PMDL {
    let ddi = "IoAllocateMdl";
    enter(ddi, DISPATCH);
    let _ = (SecondaryBuffer, ChargeQuota);
    if !Irp.is_null() {
        let detail = "an IRP: the double has none";
        violation(Rule::NotModelled, ddi, detail);
    }
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    with_hal(|hal| hal.mdls.create(VirtualAddress.addr(), Length.into()))
}

/// Frees an MDL that [`IoAllocateMdl`] gave.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn IoFreeMdl(Mdl: PMDL) {
    let ddi = "IoFreeMdl";
    enter(ddi, DISPATCH);
    let freed = with_hal(|hal| hal.mdls.free(&mut hal.memory, Mdl));
    if checked(ddi, freed) == Some(true) {
        violation(Rule::Mdl, ddi, "the MDL's pages are still locked");
    }
}

/// Fills in the pages of a buffer in nonpaged pool or of a common buffer.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn MmBuildMdlForNonPagedPool(MemoryDescriptorList: PMDL) {
    let ddi = "MmBuildMdlForNonPagedPool";
    enter(ddi, DISPATCH);
    // SAFETY: the driver's MDL, by its contract.
    let (address, bytes) = unsafe {
        let mdl = &*MemoryDescriptorList;
        (
            mdl.StartVa.addr() + mdl.ByteOffset as usize,
            mdl.ByteCount as usize,
        )
    };
    let is_pool = world::with(|world| world.kernel.is_nonpaged_pool(address, bytes));
    let built = with_hal(|hal| {
        hal.mdls
            .build_for_pool(&mut hal.memory, MemoryDescriptorList, is_pool)
    });
    checked(ddi, built);
}

/// Maps locked pages into system space; null if it cannot be done.
///
/// A mapping into a process is refused and reported: it raises an exception when it fails, and the double has one address space.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn MmMapLockedPagesSpecifyCache(
    MemoryDescriptorList: PMDL,
    AccessMode: KPROCESSOR_MODE,
    CacheType: MEMORY_CACHING_TYPE,
    RequestedAddress: PVOID,
    BugCheckOnFailure: ULONG,
    Priority: ULONG,
) -> PVOID {
    let ddi = "MmMapLockedPagesSpecifyCache";
    let user = i32::from(AccessMode) == _MODE::UserMode;
    enter(ddi, if user { 1 } else { DISPATCH });
    if user {
        let detail = "UserMode raises an exception when it fails, and mappings into a process are not modelled";
        violation(Rule::RaisesException, ddi, detail);
        return core::ptr::null_mut();
    }
    if BugCheckOnFailure != 0 {
        violation(Rule::Mdl, ddi, "BugCheckOnFailure must be FALSE");
    }
    let _ = (CacheType, RequestedAddress, Priority);
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    let mapped = with_hal(|hal| hal.mdls.map(MemoryDescriptorList));
    checked(ddi, mapped).map_or(core::ptr::null_mut(), |address| address.cast())
}

/// Takes a system mapping back.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn MmUnmapLockedPages(BaseAddress: PVOID, MemoryDescriptorList: PMDL) {
    let ddi = "MmUnmapLockedPages";
    enter(ddi, DISPATCH);
    let at = with_hal(|hal| hal.mdls.system_address(MemoryDescriptorList));
    if at.is_some_and(|at| !core::ptr::addr_eq(at, BaseAddress)) {
        let detail = format!("{BaseAddress:?} is not where the MDL is mapped");
        violation(Rule::Mdl, ddi, detail);
    }
    let unmapped = with_hal(|hal| hal.mdls.unmap(MemoryDescriptorList));
    checked(ddi, unmapped);
}

/// Not for drivers in Rust: it raises an exception when the buffer is not there. Reported, and the pages stay unlocked.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn MmProbeAndLockPages(
    MemoryDescriptorList: PMDL,
    AccessMode: KPROCESSOR_MODE,
    Operation: LOCK_OPERATION,
) {
    let ddi = "MmProbeAndLockPages";
    enter(ddi, DISPATCH);
    let _ = (MemoryDescriptorList, AccessMode, Operation);
    let detail = "use a METHOD_OUT_DIRECT request, or WdfRequestProbeAndLockUserBufferForWrite";
    violation(Rule::RaisesException, ddi, detail);
}

/// Unlocks pages that the driver has locked itself.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn MmUnlockPages(MemoryDescriptorList: PMDL) {
    let ddi = "MmUnlockPages";
    enter(ddi, DISPATCH);
    with_hal(|hal| hal.unlock_mdl(MemoryDescriptorList, ddi));
}
