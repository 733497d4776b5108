//! States of a DMA transaction, as the framework has them.

use super::enabler::Enabler;
use crate::types::*;

/// Where a transaction is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Initialized,
    Transfer,
    TransferCompleted,
    TransferFailed,
    Released,
}

/// What a transaction keeps. Lengths and offsets are in bytes.
#[derive(Clone, Copy)]
pub(super) struct Transaction {
    pub enabler: Enabler,
    pub state: State,
    pub direction: WDF_DMA_DIRECTION,
    pub mdl: PMDL,
    /// First byte, counted from the MDL's first.
    pub offset: u64,
    pub length: usize,
    pub remaining: usize,
    pub transferred: usize,
    pub fragment: usize,
    /// First byte of the current fragment, counted from the MDL's first.
    pub fragment_offset: u64,
    pub maximum_fragment: usize,
    pub single_transfer: bool,
    pub immediate: bool,
    pub program: PFN_WDF_PROGRAM_DMA,
    pub context: PVOID,
    pub list: PSCATTER_GATHER_LIST,
    pub request: WDFREQUEST,
}

impl Transaction {
    pub fn new(enabler: Enabler) -> Self {
        Self {
            enabler,
            state: State::Created,
            direction: _WDF_DMA_DIRECTION::WdfDmaDirectionReadFromDevice,
            mdl: core::ptr::null_mut(),
            offset: 0,
            length: 0,
            remaining: 0,
            transferred: 0,
            fragment: 0,
            fragment_offset: 0,
            maximum_fragment: 0,
            single_transfer: enabler.single_transfer,
            immediate: false,
            program: None,
            context: core::ptr::null_mut(),
            list: core::ptr::null_mut(),
            request: core::ptr::null_mut(),
        }
    }

    /// Everything but the enabler is forgotten.
    pub fn released(&self) -> Self {
        Self {
            state: State::Released,
            ..Self::new(self.enabler)
        }
    }

    pub fn writes_to_device(&self) -> bool {
        self.direction == _WDF_DMA_DIRECTION::WdfDmaDirectionWriteToDevice
    }
}
