//! Registered buffers.
//!
//! # Why this is sound
//!
//! The device writes a registered buffer at times that the compiler does not know. Three things keep that from Rust's sight:
//!
//! - The buffer's owner is taken apart at registration ([`Storage`]); a [`Region`] holds a raw pointer. Nothing can free, move or
//!   borrow the memory. `forget(region)` leaks it, and with it a share of the [`Device`], so that the handle stays open too.
//! - It becomes a buffer again only when the pended REGISTER request is over, which is the driver's word that the device has let go. A
//!   drop that does not live to see that leaks the memory.
//! - References into it ([`View`], [`ViewMut`]) exist only while no transfer that disturbs them is in flight, and while they exist,
//!   such transfers are refused. In flight is what was submitted and whose completion was not yet taken. Nothing is in flight uncounted:
//!   a handle is known from before the program can have it, and transfers of one that is not known are refused.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinring_ioctl as ioctl;
use zerocopy::IntoBytes;

use crate::device::{Shared, ask, refused};
use crate::transport::control;
use crate::{
    Device, Direction, Error, Owner, Pending, Permissions, Reason, RegionHandle, RegisterError,
    Status, Storage, Tier, TierChoice, Transfer, Transport, Unowned,
};

/// Bytes of one registration at most: what one MDL describes.
pub const MAX_REGION_BYTES: usize = (1 << 32) - 4096;

/// How long a drop waits for the device to let go, before it leaks the buffer.
const DROP_LIMIT_NS: u64 = 10_000_000_000;
/// How long to wait for a registration that is being made, before asking again.
const RETRY_NS: u64 = 100_000;

/// Tokens of registrations are the process's: two devices over one transport never ask for each other's.
static TOKENS: AtomicU64 = AtomicU64::new(1);

/// What a registration or an allocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// Names the region in transfers.
    pub handle: RegionHandle,
    /// Bytes.
    pub length: u64,
    /// The tier that it got.
    pub tier: Tier,
    /// Why it did not get a stronger one.
    pub reason: Reason,
    /// Elements of its list; 0 in tier PerTransfer.
    pub elements: u32,
    /// Transfers in flight, as the driver counts them.
    pub in_flight: u32,
    /// Nanoseconds that the driver took to map and list the buffer.
    pub setup_ns: u64,
}

impl RegionInfo {
    pub(crate) fn from_wire(wire: &ioctl::RegionInfo, code: ioctl::Code) -> Result<Self, Error> {
        let bad = || crate::device::bad(code, ioctl::RegionInfo::BYTES);
        Ok(Self {
            handle: RegionHandle(wire.handle),
            length: wire.length,
            tier: Tier::from_number(wire.tier).ok_or_else(bad)?,
            reason: Reason::from_number(wire.reason).ok_or_else(bad)?,
            elements: wire.elements,
            in_flight: wire.in_flight,
            setup_ns: wire.setup_ns,
        })
    }
}

/// Who uses a region's memory.
#[derive(Debug, Default)]
pub(crate) struct Use {
    c2h: u32,
    h2c: u32,
    views: u32,
    changed: bool,
}

impl Use {
    pub(crate) fn permits(&self, direction: Direction) -> Result<(), Error> {
        match direction {
            Direction::C2h => self.unviewed(),
            Direction::H2c => self.unchanged(),
        }
    }

    fn unchanged(&self) -> Result<(), Error> {
        match self.changed {
            true => Err(Error::Viewed { changing: true }),
            false => Ok(()),
        }
    }

    fn unviewed(&self) -> Result<(), Error> {
        self.unchanged()?;
        match self.views {
            0 => Ok(()),
            _ => Err(Error::Viewed { changing: false }),
        }
    }

    pub(crate) fn begin(&mut self, direction: Direction) {
        *self.count(direction) += 1;
    }

    pub(crate) fn end(&mut self, direction: Direction) {
        let count = self.count(direction);
        *count = count.saturating_sub(1);
    }

    fn count(&mut self, direction: Direction) -> &mut u32 {
        match direction {
            Direction::C2h => &mut self.c2h,
            Direction::H2c => &mut self.h2c,
        }
    }
}

impl<T: Transport> Device<T> {
    /// Registers a buffer: locks its pages and has its list written once. It comes back from [`Region::unregister`].
    ///
    /// # Errors
    /// The driver's reason, and the buffer.
    pub fn register<B: Storage>(
        &self,
        buffer: B,
        permissions: Permissions,
        tiers: TierChoice,
    ) -> Result<Region<T, B>, RegisterError<B>> {
        let (memory, rest) = buffer.into_raw();
        // SAFETY: the memory was taken from its owner, and goes back when the request is over.
        match unsafe { self.pin(memory, permissions, tiers) } {
            Ok(pinned) => Ok(self.region(memory, rest, pinned)),
            Err(error) => Err(RegisterError {
                // SAFETY: the parts of above; the registration is over, or has not begun.
                buffer: unsafe { B::from_raw(memory, rest) },
                error,
            }),
        }
    }

    /// Registers memory that somebody else owns, such as a frame buffer of another library.
    ///
    /// # Errors
    /// The driver's reason.
    ///
    /// # Safety
    /// The `len` bytes at `start` are initialised, writable memory. Until [`Region::unregister`] has returned, or the region's drop
    /// *and* that of the device with all its clones have, it is not freed, not unmapped, and not remapped. No reference to it exists
    /// while a transfer that disturbs it is in flight; and whoever has the region may [view](Region::view), change and
    /// [peek](Region::peek) at it on any thread, so that no other reference conflicts with that.
    pub unsafe fn register_raw(
        &self,
        start: NonNull<u8>,
        len: usize,
        permissions: Permissions,
        tiers: TierChoice,
    ) -> Result<Region<T, Unowned>, Error> {
        let memory = NonNull::slice_from_raw_parts(start, len);
        // SAFETY: the caller's promise.
        let pinned = unsafe { self.pin(memory, permissions, tiers)? };
        Ok(self.region(memory, (), pinned))
    }

    fn region<O: Owner>(
        &self,
        memory: NonNull<[u8]>,
        rest: O::Rest,
        (pending, info): (Pending, RegionInfo),
    ) -> Region<T, O> {
        Region {
            shared: Arc::clone(&self.shared),
            memory,
            rest: Some(rest),
            pending: Some(pending),
            info,
        }
    }

    /// The pended request and what it came to. After an error the driver has let go of the memory.
    ///
    /// # Safety
    /// The memory is initialised, and the device's to read and write until the request is over.
    unsafe fn pin(
        &self,
        memory: NonNull<[u8]>,
        permissions: Permissions,
        tiers: TierChoice,
    ) -> Result<(Pending, RegionInfo), Error> {
        if memory.len() > MAX_REGION_BYTES {
            return Err(Error::BufferTooLong {
                bytes: memory.len(),
            });
        }
        let transport = &self.shared.transport;
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        let input = ioctl::Register {
            token,
            permissions: permissions.number(),
            first_tier: tiers.first.number(),
            last_tier: tiers.last.number(),
            ..ioctl::Register::default()
        };
        let failed = |status| refused(ioctl::REGISTER.name, status);
        let start = memory.as_ptr().cast();
        // SAFETY: the caller's promise.
        let started =
            unsafe { transport.start(ioctl::REGISTER, input.as_bytes(), start, memory.len()) };
        let pending = started.map_err(failed)?;
        let question = ioctl::Token { token };
        loop {
            let asked: Result<ioctl::RegionInfo, _> =
                ask(transport, ioctl::QUERY_REGION, question.as_bytes());
            let error =
                match asked.and_then(|wire| RegionInfo::from_wire(&wire, ioctl::QUERY_REGION)) {
                    Ok(info) => {
                        self.shared.state().know(info.handle);
                        return Ok((pending, info));
                    }
                    Err(error) => error,
                };
            // Still being made, or refused: the request itself knows.
            let making = error.driver() == Some(ioctl::Error::NoRegion);
            match transport.wait(&pending, Some(if making { RETRY_NS } else { 0 })) {
                Some(Err(status)) => return Err(failed(status)),
                Some(Ok(_)) => return Err(failed(Status::CANCELLED)),
                None if making => {}
                None => {
                    transport.cancel(&pending);
                    while transport.wait(&pending, None).is_none() {}
                    return Err(error);
                }
            }
        }
    }
}

/// A registered buffer; `O` is what owned it before, and will again.
///
/// Dropping it unregisters: what is in flight on it ends as aborted and is still reported, and the drop waits until the device has let go
/// of the memory. If that takes longer than 10 s, the memory is leaked rather than freed under the device.
#[must_use = "dropping the region unregisters the buffer"]
pub struct Region<T: Transport, O: Owner> {
    shared: Arc<Shared<T>>,
    memory: NonNull<[u8]>,
    rest: Option<O::Rest>,
    /// `None` when the device has let go.
    pending: Option<Pending>,
    info: RegionInfo,
}

// SAFETY: it is its buffer and a share of the device; the pointer is to memory that it alone owns.
unsafe impl<T: Transport + Send + Sync, O: Owner + Send> Send for Region<T, O> {}
// SAFETY: shared use reads the memory, or checks by the device's lock that nobody else does.
unsafe impl<T: Transport + Send + Sync, O: Owner + Send + Sync> Sync for Region<T, O> {}

impl<T: Transport, O: Owner> Region<T, O> {
    /// What the registration came to.
    pub const fn info(&self) -> &RegionInfo {
        &self.info
    }

    /// Names the region in transfers.
    pub const fn handle(&self) -> RegionHandle {
        self.info.handle
    }

    /// Bytes.
    pub const fn len(&self) -> usize {
        self.memory.len()
    }

    /// No registered buffer is.
    pub const fn is_empty(&self) -> bool {
        self.memory.len() == 0
    }

    /// A transfer of a range of its bytes.
    pub const fn transfer(&self, range: Range<u64>) -> Transfer {
        Transfer::new(self.info.handle, range)
    }

    /// Its first byte, valid until the region is gone. Whoever reads or writes there knows what is in flight.
    pub const fn as_ptr(&self) -> *mut u8 {
        self.memory.as_ptr().cast()
    }

    /// The bytes, to read; C2H transfers of the region are refused meanwhile.
    ///
    /// # Errors
    /// [`Error::InFlight`] while completions of C2H transfers have not been taken; [`Error::Viewed`] while it is being changed.
    pub fn view(&self) -> Result<View<'_, T, O>, Error> {
        self.borrow(|use_| {
            use_.unchanged()?;
            if use_.c2h > 0 {
                return Err(Error::InFlight {
                    transfers: use_.c2h,
                });
            }
            use_.views += 1;
            Ok(())
        })?;
        Ok(View { region: self })
    }

    /// The bytes, to change; all transfers of the region are refused meanwhile.
    ///
    /// # Errors
    /// [`Error::InFlight`] while completions of transfers have not been taken; [`Error::Viewed`] while another view exists.
    pub fn view_mut(&self) -> Result<ViewMut<'_, T, O>, Error> {
        self.borrow(|use_| {
            use_.unviewed()?;
            if use_.c2h + use_.h2c > 0 {
                return Err(Error::InFlight {
                    transfers: use_.c2h + use_.h2c,
                });
            }
            use_.changed = true;
            Ok(())
        })?;
        Ok(ViewMut { region: self })
    }

    fn borrow<A>(&self, take: impl FnOnce(&mut Use) -> Result<A, Error>) -> Result<A, Error> {
        take(self.shared.state().region(self.info.handle)?)
    }

    fn release(&self, give: impl FnOnce(&mut Use)) {
        if let Ok(use_) = self.shared.state().region(self.info.handle) {
            give(use_);
        }
    }

    /// Eight bytes at `offset`, read from memory now even if the device is writing them: to see when data arrives.
    ///
    /// # Errors
    /// They leave the region; [`Error::Viewed`] while it is being changed.
    pub fn peek(&self, offset: usize) -> Result<[u8; 8], Error> {
        let fits = offset.checked_add(8).is_some_and(|end| end <= self.len());
        if !fits {
            return Err(Error::OutOfBounds {
                offset: offset as u64,
                length: 8,
                region: self.len() as u64,
            });
        }
        // Under the lock, so that nobody begins to change them meanwhile.
        self.borrow(|use_| {
            use_.unchanged()?;
            let mut bytes = [0; 8];
            for (index, byte) in bytes.iter_mut().enumerate() {
                // SAFETY: inside the memory, to which no `&mut` exists. Volatile: the device is another party.
                *byte = unsafe { self.as_ptr().add(offset + index).read_volatile() };
            }
            Ok(bytes)
        })
    }

    /// Cancels the region's transfers in flight; they are reported as aborted, but for what was faster. It stays registered.
    ///
    /// Until the cancellation is over, which may be after they are reported, new transfers of a region with a lasting mapping are
    /// refused as [`RegionBusy`](ioctl::Error::RegionBusy): submit them again.
    ///
    /// # Errors
    /// The driver's reason; [`RegionBusy`](ioctl::Error::RegionBusy) if another cancellation of the region is not over.
    pub fn cancel(&self) -> Result<(), Error> {
        self.shared.cancel(self.info.handle.0, ioctl::scope::REGION)
    }

    /// Unregisters and gives the buffer back once the device has let go of it, however long that takes. What is in flight ends as
    /// aborted, and is still reported by [`Device::wait`].
    pub fn unregister(self) -> O::Back {
        let mut region = self;
        loop {
            match region.unregister_within(u64::MAX) {
                Ok(buffer) => return buffer,
                Err(again) => region = again,
            }
        }
    }

    /// As [`unregister`](Self::unregister), within `timeout_ns` nanoseconds.
    ///
    /// # Errors
    /// The region, if the device has not let go by then. Call it again, or drop it.
    pub fn unregister_within(mut self, timeout_ns: u64) -> Result<O::Back, Self> {
        if !self.let_go(timeout_ns) {
            return Err(self);
        }
        match self.rest.take() {
            // SAFETY: the parts of `register`; the request is over, so that the device has let go.
            Some(rest) => Ok(unsafe { O::give_back(self.memory, rest) }),
            None => Err(self), // Taken only here and in drop.
        }
    }

    /// Whether the device has let go of the memory.
    pub(crate) fn let_go(&mut self, timeout_ns: u64) -> bool {
        let Some(pending) = &self.pending else {
            return true;
        };
        let transport = &self.shared.transport;
        let input = ioctl::Handle {
            handle: self.info.handle.0,
        };
        if control(transport, ioctl::UNREGISTER, input.as_bytes(), &mut []).is_err() {
            // The driver takes it back already, as it was told to before; or it did not listen: the request itself is another way.
            transport.cancel(pending);
        }
        let over = transport.wait(pending, Some(timeout_ns)).is_some();
        if over {
            self.pending = None;
            self.shared.state().forget(self.info.handle);
        }
        over
    }
}

impl<T: Transport, O: Owner> Drop for Region<T, O> {
    fn drop(&mut self) {
        if self.rest.is_none() {
            return;
        }
        if !self.let_go(DROP_LIMIT_NS) {
            // The device may still write there: leaked, with the remainder and a share of the handle.
            std::mem::forget((self.rest.take(), Arc::clone(&self.shared)));
            return;
        }
        if let Some(rest) = self.rest.take() {
            // SAFETY: the parts of `register`; the device has let go.
            drop(unsafe { O::give_back(self.memory, rest) });
        }
    }
}

impl<T: Transport, O: Owner> fmt::Debug for Region<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Region").field(&self.info).finish()
    }
}

/// A region's bytes, to read.
pub struct View<'a, T: Transport, O: Owner> {
    region: &'a Region<T, O>,
}

/// A region's bytes, to change.
pub struct ViewMut<'a, T: Transport, O: Owner> {
    region: &'a Region<T, O>,
}

macro_rules! views {
    ($($name:ident, $give:expr;)+) => {$(
        impl<T: Transport, O: Owner> Deref for $name<'_, T, O> {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                // SAFETY: initialised memory of the region, which no transfer disturbs while the view exists.
                unsafe { self.region.memory.as_ref() }
            }
        }

        impl<T: Transport, O: Owner> Drop for $name<'_, T, O> {
            fn drop(&mut self) {
                self.region.release($give);
            }
        }

        impl<T: Transport, O: Owner> fmt::Debug for $name<'_, T, O> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(self.region).finish()
            }
        }
    )+};
}

views! {
    View, |use_| use_.views -= 1;
    ViewMut, |use_| use_.changed = false;
}

impl<T: Transport, O: Owner> DerefMut for ViewMut<'_, T, O> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let mut memory = self.region.memory;
        // SAFETY: initialised memory of the region; this is the only view, and no transfer is in flight while it exists.
        unsafe { memory.as_mut() }
    }
}
