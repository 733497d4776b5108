//! Common buffers of the framework.

use super::enabler::enabler_of;
use crate::constants::*;
use crate::dma::with_hal;
use crate::kernel::enter;
use crate::types::*;
use crate::world::object::{self, Payload};
use crate::world::point;

/// What a common buffer keeps.
#[derive(Clone, Copy)]
struct CommonBuffer {
    adapter: PDMA_ADAPTER,
    length: usize,
    raw_length: u32,
    raw_address: *mut u8,
    raw_logical: u64,
    /// Bytes from the raw to the aligned address.
    skip: u64,
}

impl Payload for CommonBuffer {
    const TYPE: &'static str = "WDFCOMMONBUFFER";

    fn cleanup(handle: HANDLE) {
        let ddi = "WdfObjectDelete(WDFCOMMONBUFFER)";
        let buffer = object::get(ddi, handle, |buffer: &mut Self| *buffer);
        with_hal(|hal| {
            hal.free_common_buffer(
                buffer.adapter,
                buffer.raw_length,
                buffer.raw_logical,
                buffer.raw_address,
                ddi,
            );
        });
    }
}

fn create(
    ddi: &'static str,
    enabler: WDFDMAENABLER,
    length: usize,
    alignment_mask: u32,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    out: *mut WDFCOMMONBUFFER,
) -> NTSTATUS {
    enter(ddi, 0);
    point(ddi, length.div_ceil(PAGE_SIZE as usize) as u64);
    if length == 0 || !(u64::from(alignment_mask) + 1).is_power_of_two() {
        return STATUS_INVALID_PARAMETER;
    }
    let adapter = enabler_of(ddi, enabler).adapters[0];
    // Memory comes in pages, so only larger alignments need room.
    let extra = if alignment_mask >= PAGE_SIZE {
        alignment_mask as usize
    } else {
        0
    };
    let Ok(raw_length) = u32::try_from(length.saturating_add(extra)) else {
        return STATUS_INSUFFICIENT_RESOURCES;
    };
    let made = with_hal(|hal| hal.allocate_common_buffer(adapter, raw_length, u64::MAX, ddi));
    let Some((raw_address, raw_logical)) = made else {
        return STATUS_INSUFFICIENT_RESOURCES;
    };
    let mask = u64::from(alignment_mask);
    let buffer = CommonBuffer {
        adapter,
        length,
        raw_length,
        raw_address,
        raw_logical,
        skip: ((raw_logical + mask) & !mask) - raw_logical,
    };
    match object::create(ddi, attributes, enabler.cast(), buffer) {
        Ok(handle) => {
            // SAFETY: an out parameter, by the caller's contract.
            unsafe { *out = handle.cast() };
            STATUS_SUCCESS
        }
        Err(status) => {
            with_hal(|hal| {
                hal.free_common_buffer(adapter, raw_length, raw_logical, raw_address, ddi);
            });
            status
        }
    }
}

/// Allocates memory that CPU and device both reach, aligned for the device. It is not zeroed.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCommonBufferCreate(
    DmaEnabler: WDFDMAENABLER,
    Length: usize,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    CommonBuffer: *mut WDFCOMMONBUFFER,
) -> NTSTATUS {
    let ddi = "WdfCommonBufferCreate";
    create(ddi, DmaEnabler, Length, 0, Attributes, CommonBuffer)
}

/// Allocates memory that CPU and device both reach, with an alignment. It is not zeroed.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCommonBufferCreateWithConfig(
    DmaEnabler: WDFDMAENABLER,
    Length: usize,
    Config: PWDF_COMMON_BUFFER_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    CommonBuffer: *mut WDFCOMMONBUFFER,
) -> NTSTATUS {
    let ddi = "WdfCommonBufferCreateWithConfig";
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    let mask = config.AlignmentRequirement;
    create(ddi, DmaEnabler, Length, mask, Attributes, CommonBuffer)
}

fn buffer_of(ddi: &'static str, handle: WDFCOMMONBUFFER) -> CommonBuffer {
    enter(ddi, 2);
    object::get(ddi, handle.cast(), |buffer: &mut CommonBuffer| *buffer)
}

/// Kernel address of a common buffer.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCommonBufferGetAlignedVirtualAddress(CommonBuffer: WDFCOMMONBUFFER) -> PVOID {
    let buffer = buffer_of("WdfCommonBufferGetAlignedVirtualAddress", CommonBuffer);
    // SAFETY: the allocation has room for the alignment.
    unsafe { buffer.raw_address.add(buffer.skip as usize) }.cast()
}

/// Bus address of a common buffer.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCommonBufferGetAlignedLogicalAddress(
    CommonBuffer: WDFCOMMONBUFFER,
) -> PHYSICAL_ADDRESS {
    let buffer = buffer_of("WdfCommonBufferGetAlignedLogicalAddress", CommonBuffer);
    PHYSICAL_ADDRESS {
        QuadPart: (buffer.raw_logical + buffer.skip) as i64,
    }
}

/// Bytes of a common buffer.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfCommonBufferGetLength(CommonBuffer: WDFCOMMONBUFFER) -> usize {
    buffer_of("WdfCommonBufferGetLength", CommonBuffer).length
}
