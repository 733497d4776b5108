//! A value behind an in-stack queued spin lock.

use core::cell::UnsafeCell;

use wdk_sys::ntddk::{
    KeAcquireInStackQueuedSpinLock, KeInitializeSpinLock, KeReleaseInStackQueuedSpinLock,
};
use wdk_sys::{KLOCK_QUEUE_HANDLE, KSPIN_LOCK};

/// A value that one processor at a time reaches, at DISPATCH_LEVEL.
pub(crate) struct Lock<T> {
    spin: UnsafeCell<KSPIN_LOCK>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through `with` alone, which excludes every other processor. What is in it goes from one processor to
// another, which its owner answers for: here raw pointers to memory that the same lock guards.
unsafe impl<T> Sync for Lock<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Lock<T> {}

impl<T> Lock<T> {
    /// An open lock. An all-zero spin lock is what KeInitializeSpinLock makes.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            spin: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Makes the lock known to the kernel, where it stays; before anyone takes it. Any IRQL.
    pub(crate) fn initialize(&self) {
        // SAFETY: the lock stays where it is from now on, and nobody holds it.
        unsafe { KeInitializeSpinLock(self.spin.get()) }
    }

    /// Runs `body` with the value, at DISPATCH_LEVEL. IRQL <= DISPATCH_LEVEL; not within itself.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let mut handle = KLOCK_QUEUE_HANDLE::default();
        // SAFETY: the lock is initialised, and the handle stays on this stack until the release.
        unsafe { KeAcquireInStackQueuedSpinLock(self.spin.get(), &raw mut handle) };
        // SAFETY: the lock is held, so that there is no other reference.
        let result = body(unsafe { &mut *self.value.get() });
        // SAFETY: acquired above with this handle.
        unsafe { KeReleaseInStackQueuedSpinLock(&raw mut handle) };
        result
    }

    /// The value, while nobody else can have the lock: at the very end.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
