//! Host memory that is asked for and may be refused: in a kernel, an allocation that cannot fail stops the machine.

use alloc::vec::Vec;

use crate::DmaError;

/// An empty vector with room for `count` elements.
pub(crate) fn reserve<T>(count: usize) -> Result<Vec<T>, DmaError> {
    let mut elements = Vec::new();
    elements
        .try_reserve_exact(count)
        .map_err(|_| DmaError {
            bytes: count.saturating_mul(size_of::<T>()),
        })
        .map(|()| elements)
}
