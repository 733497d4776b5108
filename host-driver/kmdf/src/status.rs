//! From the core's errors to what travels to the application.

use pinring_core::{
    AdminError, CopyError, MapError, NotAvailable, QueueError, RegisterError, StateError,
    SubmitError, Tier, TransferError,
};
use pinring_ioctl::Error;
use wdk_sys::NTSTATUS;

/// Whether a call went well (`NT_SUCCESS`).
pub(crate) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if status >= 0 { Ok(()) } else { Err(status) }
}

/// The device is in no state for the call.
pub(crate) fn of_state(error: StateError) -> Error {
    match error {
        StateError::NotRunning => Error::NotRunning,
        StateError::Closed => Error::Gone,
        StateError::BusMasterStuck => Error::DeviceFault,
    }
}

/// A transfer or region is wrong.
pub(crate) fn of_transfer(error: TransferError) -> Error {
    match error {
        TransferError::RegionBusy | TransferError::ListBusy => Error::RegionBusy,
        TransferError::ZeroLength => Error::Empty,
        TransferError::Overflow { .. } | TransferError::OutOfBounds { .. } => Error::OutOfBounds,
        TransferError::WrongDirection(_) => Error::WrongDirection,
        TransferError::BadTdest { .. } => Error::BadTdest,
        // The rest cannot come of what an application says: its handles are not the core's.
        _ => Error::NoRegion,
    }
}

/// A queue does not serve.
pub(crate) fn of_queue(error: QueueError) -> Error {
    match error {
        QueueError::Faulted(_) => Error::DeviceFault,
        _ => Error::NotRunning,
    }
}

/// A batch was not taken.
pub(crate) fn of_submit(error: SubmitError) -> Error {
    match error {
        SubmitError::State(error) => of_state(error),
        SubmitError::Queue(error) => of_queue(error),
        SubmitError::RingFull { .. } => Error::RingFull,
        SubmitError::Transfer { cause, .. } => of_transfer(cause),
    }
}

/// An admin command was not taken.
pub(crate) fn of_admin(error: AdminError) -> Error {
    match error {
        AdminError::State(error) => of_state(error),
        AdminError::Full { .. } | AdminError::ListsOutstanding(_) => Error::RegionBusy,
        AdminError::NoQueue(_) => Error::QueuesExhausted,
        AdminError::Queue(error) => of_queue(error),
        AdminError::Region(error) => of_transfer(error),
        AdminError::Memory(_) => Error::NoMemory,
        _ => Error::DeviceFault,
    }
}

/// A buffer was not registered.
pub(crate) fn of_register(error: RegisterError) -> Error {
    match error {
        RegisterError::State(error) => of_state(error),
        RegisterError::UnknownBuffer | RegisterError::NotBuilt | RegisterError::Table(_) => {
            Error::NoMemory
        }
        RegisterError::Empty => Error::Empty,
        RegisterError::Tier { tier, reason } => of_tier(tier, reason),
        RegisterError::NoRegion(_) => Error::RegionsExhausted,
        RegisterError::NoList(_) => Error::TooLong,
        RegisterError::Range(error) => of_transfer(error),
        RegisterError::Map(MapError::NoMapRegisters) => Error::MappingsExhausted,
        RegisterError::Map(_) => Error::OutOfBounds,
        RegisterError::Memory(_) => Error::NoMemory,
    }
}

fn of_tier(tier: Tier, reason: NotAvailable) -> Error {
    match (tier, reason) {
        (_, NotAvailable::Forbidden) => Error::ForbiddenByRegistry,
        (Tier::Bypass, _) => Error::NoBypass,
        (_, NotAvailable::NotContiguous) => Error::NotContiguous,
        (_, NotAvailable::NotWholePages) => Error::NotWholePages,
        (_, NotAvailable::Exhausted) => Error::MappingsExhausted,
        _ => Error::NoMappedOnce,
    }
}

/// A copy cannot be made.
pub(crate) fn of_copy(error: CopyError) -> Error {
    match error {
        CopyError::Range(error) => of_transfer(error),
        CopyError::NotCommonBuffer(_) => Error::WrongTier,
        CopyError::UnknownBuffer => Error::NoRegion,
    }
}
