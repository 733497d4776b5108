//! Allocations that may fail: in the kernel one that may not stops the machine.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;

use pinring_ioctl::Error;

/// `Box::new` that may fail. IRQL <= DISPATCH_LEVEL.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, Error> {
    const { assert!(size_of::<T>() != 0 && align_of::<T>() <= 16) };
    // SAFETY: the layout has a size that is not zero.
    let memory = unsafe { alloc::alloc::alloc(Layout::new::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(Error::NoMemory);
    }
    // SAFETY: fresh memory of T's layout from the global allocator, initialised before the box sees it.
    unsafe {
        memory.write(value);
        Ok(Box::from_raw(memory))
    }
}

/// `count` elements made by `make`, or no memory. IRQL <= DISPATCH_LEVEL.
pub(crate) fn filled<T>(count: usize, make: impl FnMut() -> T) -> Result<Vec<T>, Error> {
    let mut elements = Vec::new();
    elements
        .try_reserve_exact(count)
        .map_err(|_| Error::NoMemory)?;
    elements.resize_with(count, make);
    Ok(elements)
}
