//! DMA enablers.

use crate::constants::*;
use crate::dma::{AdapterRequest, DEVICE, OPERATIONS, with_hal};
use crate::kernel::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::object::{self, Payload};
use crate::world::{fatal, violation};

/// What an enabler keeps.
#[derive(Clone, Copy)]
pub(super) struct Enabler {
    pub device: WDFDEVICE,
    /// For C2H and for H2C; the same twice unless the profile is duplex.
    pub adapters: [PDMA_ADAPTER; 2],
    pub version: u32,
    pub maximum_length: usize,
    pub fragment_length: usize,
    pub registers: usize,
    pub maximum_elements: usize,
    pub single_transfer: bool,
}

impl Enabler {
    pub fn adapter(&self, direction: WDF_DMA_DIRECTION) -> PDMA_ADAPTER {
        self.adapters[usize::from(direction == _WDF_DMA_DIRECTION::WdfDmaDirectionWriteToDevice)]
    }
}

impl Payload for Enabler {
    const TYPE: &'static str = "WDFDMAENABLER";

    fn cleanup(handle: HANDLE) {
        let enabler = object::get("WDFDMAENABLER", handle, |enabler: &mut Self| *enabler);
        let [read, write] = enabler.adapters;
        with_hal(|hal| {
            hal.remove_adapter(read, "PutDmaAdapter");
            if write != read {
                hal.remove_adapter(write, "PutDmaAdapter");
            }
        });
    }
}

/// Creates a DMA enabler.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaEnablerCreate(
    Device: WDFDEVICE,
    Config: PWDF_DMA_ENABLER_CONFIG,
    Attributes: PWDF_OBJECT_ATTRIBUTES,
    DmaEnablerHandle: *mut WDFDMAENABLER,
) -> NTSTATUS {
    use self::_WDF_DMA_PROFILE::*;
    let ddi = "WdfDmaEnablerCreate";
    enter(ddi, 0);
    // SAFETY: the caller's contract.
    let config = unsafe { object::sized(ddi, Config) };
    object::check(ddi, Device.cast());
    let (bits, duplex) = match config.Profile {
        WdfDmaProfileScatterGather => (32, false),
        WdfDmaProfileScatterGatherDuplex => (32, true),
        WdfDmaProfileScatterGather64 => (64, false),
        WdfDmaProfileScatterGather64Duplex => (64, true),
        WdfDmaProfilePacket..=WdfDmaProfileSystemDuplex => {
            let detail = "packet and system profiles: the double has scatter/gather profiles only";
            violation(Rule::NotModelled, ddi, detail);
            return STATUS_NOT_SUPPORTED;
        }
        _ => return STATUS_INVALID_PARAMETER,
    };
    if config.MaximumLength == 0 {
        return STATUS_INVALID_PARAMETER;
    }
    let mut version = 2;
    let mut address_bits = bits;
    if config.AddressWidthOverride != 0 {
        if config.AddressWidthOverride > bits {
            return STATUS_INVALID_PARAMETER;
        }
        version = 3;
        address_bits = config.AddressWidthOverride;
    }
    if config.WdmDmaVersionOverride != 0 {
        if config.WdmDmaVersionOverride < version {
            return STATUS_INVALID_PARAMETER;
        }
        version = config.WdmDmaVersionOverride;
    }
    let flag = _WDF_DMA_ENABLER_CONFIG_FLAGS::WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER as u32;
    let single_transfer = config.Flags & flag != 0;
    if single_transfer && version < 3 {
        let detail = "single transfers need WdmDmaVersionOverride = 3";
        violation(Rule::DmaVersion3, ddi, detail);
        return STATUS_INVALID_PARAMETER;
    }
    let request = AdapterRequest {
        version,
        address_bits: address_bits.min(with_hal(|hal| hal.config.reach_bits)),
        maximum_length: config.MaximumLength,
    };
    let (adapters, registers) = with_hal(|hal| {
        let read = hal.create_adapter(DEVICE, request, OPERATIONS);
        let write = match duplex {
            true => hal.create_adapter(DEVICE, request, OPERATIONS),
            false => read,
        };
        let registers = hal
            .adapter(read, ddi)
            .map_or(2, |adapter| adapter.registers);
        ([read, write], registers)
    });
    let enabler = Enabler {
        device: Device,
        adapters,
        version,
        maximum_length: config.MaximumLength,
        fragment_length: config
            .MaximumLength
            .min((registers - 1) * PAGE_SIZE as usize),
        registers,
        maximum_elements: WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS as usize,
        single_transfer,
    };
    match object::create(ddi, Attributes, Device.cast(), enabler) {
        Ok(handle) => {
            // SAFETY: an out parameter, by the caller's contract.
            unsafe { *DmaEnablerHandle = handle.cast() };
            STATUS_SUCCESS
        }
        Err(status) => {
            with_hal(|hal| {
                hal.remove_adapter(adapters[0], ddi);
                if duplex {
                    hal.remove_adapter(adapters[1], ddi);
                }
            });
            status
        }
    }
}

pub(super) fn enabler_of(ddi: &'static str, handle: WDFDMAENABLER) -> Enabler {
    object::get(ddi, handle.cast(), |enabler: &mut Enabler| *enabler)
}

/// Largest transfer that the driver has asked for, in bytes.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaEnablerGetMaximumLength(DmaEnabler: WDFDMAENABLER) -> usize {
    let ddi = "WdfDmaEnablerGetMaximumLength";
    enter(ddi, 2);
    enabler_of(ddi, DmaEnabler).maximum_length
}

/// Most elements that a list may have.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaEnablerGetMaximumScatterGatherElements(DmaEnabler: WDFDMAENABLER) -> usize {
    let ddi = "WdfDmaEnablerGetMaximumScatterGatherElements";
    enter(ddi, 2);
    enabler_of(ddi, DmaEnabler).maximum_elements
}

/// Sets how many elements a list may have.
///
/// # Safety
/// As documented for the function of this name.
pub unsafe fn WdfDmaEnablerSetMaximumScatterGatherElements(
    DmaEnabler: WDFDMAENABLER,
    MaximumElements: usize,
) {
    let ddi = "WdfDmaEnablerSetMaximumScatterGatherElements";
    enter(ddi, 0);
    if MaximumElements == 0 {
        fatal(Rule::InvalidArgument, ddi, "a list of 0 elements");
    }
    object::get(ddi, DmaEnabler.cast(), |enabler: &mut Enabler| {
        enabler.maximum_elements = MaximumElements;
    });
}

/// Largest length of one transfer, in bytes: what the map registers allow.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaEnablerGetFragmentLength(
    DmaEnabler: WDFDMAENABLER,
    DmaDirection: WDF_DMA_DIRECTION,
) -> usize {
    let ddi = "WdfDmaEnablerGetFragmentLength";
    enter(ddi, 2);
    let _ = DmaDirection;
    enabler_of(ddi, DmaEnabler).fragment_length
}

/// The adapter behind an enabler.
///
/// # Safety
/// As documented for the function of this name.
#[must_use]
pub unsafe fn WdfDmaEnablerWdmGetDmaAdapter(
    DmaEnabler: WDFDMAENABLER,
    DmaDirection: WDF_DMA_DIRECTION,
) -> PDMA_ADAPTER {
    let ddi = "WdfDmaEnablerWdmGetDmaAdapter";
    enter(ddi, 2);
    enabler_of(ddi, DmaEnabler).adapter(DmaDirection)
}
