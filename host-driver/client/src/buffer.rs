//! Memory that an application registers.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::system;

/// Bytes of a page, on every system that the driver supports.
pub const PAGE_BYTES: usize = 4096;

/// No memory of that size is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {bytes} bytes of memory are to be had: ask for at least 1, and for less")]
pub struct OutOfMemory {
    /// What was asked for.
    pub bytes: usize,
}

/// Page-aligned memory of whole pages from the system (VirtualAlloc, mmap), zeroed; freed when it is dropped.
#[derive(Debug)]
pub struct AlignedBuffer {
    memory: NonNull<[u8]>,
}

// SAFETY: it owns its memory alone, and shared use only reads.
unsafe impl Send for AlignedBuffer {}
// SAFETY: as above.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// At least `bytes`, rounded up to whole pages.
    ///
    /// # Errors
    /// The system has no such memory, or `bytes` is 0.
    pub fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        let whole = whole_pages(bytes).ok_or(OutOfMemory { bytes })?;
        let start = system::map(whole).ok_or(OutOfMemory { bytes })?;
        Ok(Self {
            memory: NonNull::slice_from_raw_parts(start, whole),
        })
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and nothing borrows it any more.
        unsafe { system::unmap(self.memory.cast(), self.memory.len()) };
    }
}

/// Bytes rounded up to pages; `None` for 0 and for what no address space holds.
pub(crate) fn whole_pages(bytes: usize) -> Option<usize> {
    let whole = bytes.checked_next_multiple_of(PAGE_BYTES)?;
    (whole > 0 && whole <= isize::MAX as usize).then_some(whole)
}

/// Gives memory back: start, length in bytes, and the context that [`Buffer::from_raw`] was given.
pub type Release = unsafe fn(start: NonNull<u8>, len: usize, context: *const c_void);

/// Page-aligned memory of whole pages that a [`Transport`](crate::Transport) gave: a simulated machine gives some of its own.
#[derive(Debug)]
pub struct Buffer {
    memory: NonNull<[u8]>,
    release: Release,
    context: *const c_void,
}

impl Buffer {
    /// Of the system's memory; see [`AlignedBuffer::new`].
    ///
    /// # Errors
    /// The system has no such memory, or `bytes` is 0.
    pub fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        unsafe fn release(start: NonNull<u8>, len: usize, _: *const c_void) {
            // SAFETY: it was an AlignedBuffer of this memory.
            drop(AlignedBuffer {
                memory: NonNull::slice_from_raw_parts(start, len),
            });
        }
        let memory = ManuallyDrop::new(AlignedBuffer::new(bytes)?).memory;
        Ok(Self {
            memory,
            release,
            context: std::ptr::null(),
        })
    }

    /// Of a transport's own memory; `release` is called once, with start, length and context, when it is dropped.
    ///
    /// # Safety
    /// The memory is initialised, begins on a page, has `len` bytes (whole pages) and belongs to the buffer alone until
    /// `release`; `release` may be called with the context once, on the thread that the buffer was made on.
    pub const unsafe fn from_raw(
        start: NonNull<u8>,
        len: usize,
        release: Release,
        context: *const c_void,
    ) -> Self {
        Self {
            memory: NonNull::slice_from_raw_parts(start, len),
            release,
            context,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: once, with what `from_raw` was given.
        unsafe { (self.release)(self.memory.cast(), self.memory.len(), self.context) };
    }
}

macro_rules! as_bytes {
    ($($name:ident),+) => {$(
        impl Deref for $name {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                // SAFETY: the memory is initialised and owned, and the borrow is that of `self`.
                unsafe { self.memory.as_ref() }
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut [u8] {
                // SAFETY: the memory is initialised and owned, and the borrow is that of `self`, alone.
                unsafe { self.memory.as_mut() }
            }
        }
    )+};
}

as_bytes!(AlignedBuffer, Buffer);

/// What owns memory that may be registered.
///
/// While a buffer is registered the device writes it behind the compiler's back. So the owner is taken apart: what remains of it holds
/// no reference and no box to the memory, and nothing in the program can free or borrow it. It is put together again when the device
/// has let go.
///
/// # Safety
/// `into_raw` gives initialised memory that stays where it is, unfreed and unborrowed, until `from_raw`; also if the remainder
/// is moved, or forgotten.
pub unsafe trait Storage: Sized {
    /// What remains beside start and length.
    type Rest;

    /// Takes the owner apart.
    fn into_raw(self) -> (NonNull<[u8]>, Self::Rest);

    /// Puts it together again.
    ///
    /// # Safety
    /// Memory and remainder are those that `into_raw` gave, and nothing else uses the memory any more.
    unsafe fn from_raw(memory: NonNull<[u8]>, rest: Self::Rest) -> Self;
}

// SAFETY: the memory is the system's, and freed by `drop` alone.
unsafe impl Storage for AlignedBuffer {
    type Rest = ();

    fn into_raw(self) -> (NonNull<[u8]>, ()) {
        (ManuallyDrop::new(self).memory, ())
    }

    unsafe fn from_raw(memory: NonNull<[u8]>, (): ()) -> Self {
        Self { memory }
    }
}

// SAFETY: the memory is the transport's, and freed by `drop` alone.
unsafe impl Storage for Buffer {
    type Rest = (Release, *const c_void);

    fn into_raw(self) -> (NonNull<[u8]>, Self::Rest) {
        let whole = ManuallyDrop::new(self);
        (whole.memory, (whole.release, whole.context))
    }

    unsafe fn from_raw(memory: NonNull<[u8]>, (release, context): Self::Rest) -> Self {
        Self {
            memory,
            release,
            context,
        }
    }
}

// SAFETY: heap memory does not move with its owner, and a box that was taken apart frees nothing.
unsafe impl Storage for Box<[u8]> {
    type Rest = ();

    fn into_raw(self) -> (NonNull<[u8]>, ()) {
        let memory = NonNull::from(Box::leak(self));
        (memory, ())
    }

    unsafe fn from_raw(memory: NonNull<[u8]>, (): ()) -> Self {
        // SAFETY: the caller promises that it came from `into_raw`.
        unsafe { Self::from_raw(memory.as_ptr()) }
    }
}

// SAFETY: as for the box; the rest is the capacity.
unsafe impl Storage for Vec<u8> {
    type Rest = usize;

    fn into_raw(self) -> (NonNull<[u8]>, usize) {
        let capacity = self.capacity();
        (NonNull::from(self.leak()), capacity)
    }

    unsafe fn from_raw(memory: NonNull<[u8]>, capacity: usize) -> Self {
        let (start, len) = (memory.cast::<u8>(), memory.len());
        // SAFETY: the caller promises that these are the parts of a vector.
        unsafe { Self::from_raw_parts(start.as_ptr(), len, capacity) }
    }
}

/// What a [`Region`](crate::Region)'s memory goes back to: its [`Storage`], or nothing that the library knows ([`Unowned`]).
pub trait Owner {
    /// What remains of the owner while the memory is registered.
    type Rest;
    /// What [`Region::unregister`](crate::Region::unregister) gives.
    type Back;

    /// Gives the memory back.
    ///
    /// # Safety
    /// As [`Storage::from_raw`].
    unsafe fn give_back(memory: NonNull<[u8]>, rest: Self::Rest) -> Self::Back;
}

impl<S: Storage> Owner for S {
    type Rest = <S as Storage>::Rest;
    type Back = S;

    unsafe fn give_back(memory: NonNull<[u8]>, rest: Self::Rest) -> S {
        // SAFETY: the caller's promise.
        unsafe { S::from_raw(memory, rest) }
    }
}

/// Marks a region of memory that the application answers for; see [`Device::register_raw`](crate::Device::register_raw).
///
/// What the application promised for that memory ends with the region. So unregistering gives nothing that [`Device::register`] would
/// take: whoever registers the memory again promises again.
///
/// ```compile_fail,E0277
/// use pinring_client::{Device, Permissions, Region, TierChoice, Transport, Unowned};
///
/// fn again<T: Transport>(device: &Device<T>, region: Region<T, Unowned>) {
///     let _ = device.register(region.unregister(), Permissions::Both, TierChoice::best());
/// }
/// ```
///
/// [`Device::register`]: crate::Device::register
#[derive(Clone, Copy, Debug)]
pub enum Unowned {}

impl Owner for Unowned {
    type Rest = ();
    type Back = ();

    unsafe fn give_back(_: NonNull<[u8]>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<S: Storage + Deref<Target = [u8]>>(buffer: S) -> S {
        let start = buffer.as_ptr();
        let (memory, rest) = buffer.into_raw();
        // SAFETY: the parts are those of `into_raw`, unused since.
        let buffer = unsafe { S::from_raw(memory, rest) };
        assert_eq!(buffer.as_ptr(), start);
        buffer
    }

    #[test]
    fn buffers_are_whole_zeroed_pages() {
        let mut buffer = AlignedBuffer::new(5000).unwrap();
        assert_eq!(buffer.len(), 2 * PAGE_BYTES);
        assert_eq!(buffer.as_ptr() as usize % PAGE_BYTES, 0);
        assert!(buffer.iter().all(|byte| *byte == 0));
        buffer[8191] = 1;
        assert_eq!(round_trip(buffer)[8191], 1);
    }

    #[test]
    fn owners_survive_being_taken_apart() {
        let mut vector = Vec::with_capacity(100);
        vector.extend([1, 2, 3]);
        assert_eq!(round_trip(vector), [1, 2, 3]);
        assert_eq!(*round_trip(vec![9; 7].into_boxed_slice()), [9; 7]);
        assert_eq!(round_trip(Buffer::new(1).unwrap()).len(), PAGE_BYTES);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(AlignedBuffer::new(0).unwrap_err(), OutOfMemory { bytes: 0 });
        assert!(AlignedBuffer::new(usize::MAX).is_err());
        assert!(Buffer::new(isize::MAX as usize).is_err());
    }
}
