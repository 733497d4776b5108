//! Contiguous driver memory, reached by copying.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use pinring_ioctl as ioctl;
use zerocopy::IntoBytes;

use crate::device::{Shared, ask, refused};
use crate::{Device, Error, Permissions, RegionHandle, RegionInfo, Transfer, Transport};

/// Bytes of one copy request: their number has 32 bits on the way.
const COPY_BYTES: usize = 1 << 30;

impl<T: Transport> Device<T> {
    /// Allocates a region of contiguous driver memory: tier CommonBuffer.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn allocate(&self, bytes: u64, permissions: Permissions) -> Result<CommonBuffer<T>, Error> {
        let input = ioctl::Allocate {
            length: bytes,
            permissions: permissions.number(),
            ..ioctl::Allocate::default()
        };
        let wire = ask(&self.shared.transport, ioctl::ALLOCATE, input.as_bytes())?;
        let info = RegionInfo::from_wire(&wire, ioctl::ALLOCATE)?;
        self.shared.state().know(info.handle);
        Ok(CommonBuffer {
            info,
            shared: Arc::clone(&self.shared),
        })
    }
}

/// A region of contiguous driver memory. Dropping it [frees](Self::free) it.
#[must_use = "dropping it frees the memory"]
pub struct CommonBuffer<T: Transport> {
    shared: Arc<Shared<T>>,
    info: RegionInfo,
}

impl<T: Transport> CommonBuffer<T> {
    /// What the allocation came to.
    pub const fn info(&self) -> &RegionInfo {
        &self.info
    }

    /// Names the region in transfers.
    pub const fn handle(&self) -> RegionHandle {
        self.info.handle
    }

    /// A transfer of a range of its bytes.
    pub const fn transfer(&self, range: Range<u64>) -> Transfer {
        Transfer::new(self.info.handle, range)
    }

    /// Copies bytes of the region, from `offset` on, to `target`.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn copy_out(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        let mut offset = offset;
        for part in target.chunks_mut(COPY_BYTES) {
            // SAFETY: the driver writes `part`, which is borrowed alone until the request is over.
            unsafe { self.copy(ioctl::COPY_OUT, offset, part.as_mut_ptr(), part.len())? };
            offset = offset.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// Copies `source` to the region, from `offset` on.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn copy_in(&self, offset: u64, source: &[u8]) -> Result<(), Error> {
        let mut offset = offset;
        for part in source.chunks(COPY_BYTES) {
            // SAFETY: the driver only reads `part` (METHOD_IN_DIRECT), which is borrowed until the request is over.
            unsafe { self.copy(ioctl::COPY_IN, offset, part.as_ptr().cast_mut(), part.len())? };
            offset = offset.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// # Safety
    /// The bytes at `start` are the driver's, to use as the code's method says, until this returns.
    unsafe fn copy(
        &self,
        code: ioctl::Code,
        offset: u64,
        start: *mut u8,
        len: usize,
    ) -> Result<(), Error> {
        let transport = &self.shared.transport;
        let input = ioctl::CopyRange {
            handle: self.info.handle.0,
            offset,
        };
        // SAFETY: the caller's promise; the request is over before this returns.
        let started = unsafe { transport.start(code, input.as_bytes(), start, len) };
        let ended = started.and_then(|pending| {
            loop {
                if let Some(result) = transport.wait(&pending, None) {
                    return result;
                }
            }
        });
        ended.map(drop).map_err(|status| refused(code.name, status))
    }

    /// Cancels the region's transfers in flight, as [`Region::cancel`](crate::Region::cancel) does.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn cancel(&self) -> Result<(), Error> {
        self.shared.cancel(self.info.handle.0, ioctl::scope::REGION)
    }

    /// Has the driver free it. What is in flight on it ends as aborted and is still reported. The driver frees the memory, and
    /// takes it off the handle's caps, when the device has let go of it; it does not say when that is.
    ///
    /// # Errors
    /// The driver's reason. The memory goes with the handle then.
    pub fn free(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Only once, however often it is called.
    fn end(&mut self) -> Result<(), Error> {
        let handle = self.info.handle;
        if !self.shared.state().forget(handle) {
            return Ok(());
        }
        let input = ioctl::Handle { handle: handle.0 };
        self.shared.tell(ioctl::UNREGISTER, input.as_bytes())
    }
}

impl<T: Transport> Drop for CommonBuffer<T> {
    fn drop(&mut self) {
        // A refusal has nobody to go to.
        let _ = self.end();
    }
}

impl<T: Transport> fmt::Debug for CommonBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommonBuffer").field(&self.info).finish()
    }
}
