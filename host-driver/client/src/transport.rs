//! The way to the driver, at the level of DeviceIoControl.
//!
//! [`Device`](crate::Device) works over any [`Transport`]: the real driver, the [loopback](crate::loopback) of the tests, a
//! simulated machine. The trait asks for no threads, no `Send` and no `Sync`: a transport of one thread, whose methods switch
//! coroutines while they wait, will do.

use std::rc::Rc;
use std::sync::Arc;

use pinring_ioctl::Code;

use crate::{Buffer, Status};

/// An overlapped request that has been started; it is over when [`Transport::wait`] has given its result.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "the driver holds the request's buffer until it is waited for"]
pub struct Pending(u64);

impl Pending {
    /// A request of this number; numbers are the transport's own.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// Its number.
    pub const fn id(&self) -> u64 {
        self.0
    }
}

/// A handle of the driver, opened for overlapped I/O. Dropping it closes it: the driver then takes back what it still holds.
///
/// Every method may be called while a request is pended, and from within another call's wait (another coroutine or thread):
/// an implementation holds no lock or borrow while it waits.
pub trait Transport {
    /// Starts a request. `input` is copied before this returns. `buffer` is the second buffer of the code's
    /// [`Method`](pinring_ioctl::Method): answer, or memory that is locked for direct I/O.
    ///
    /// # Errors
    /// The request was refused at once: it is over, and the driver has let go of the buffer.
    ///
    /// # Safety
    /// The `len` bytes at `buffer` are memory that the driver may use as the code's method says (read alone for IN_DIRECT, else
    /// write) until [`wait`](Self::wait) has given the result, also if the `Pending` is dropped or forgotten. For REGISTER
    /// the device writes there for as long. Where a [`Device`](crate::Device) uses the same handle, SUBMIT is its alone: it counts
    /// what is in flight, and lends out memory by that.
    unsafe fn start(
        &self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status>;

    /// Waits until a request is over and gives its result once: the bytes that it brought, or why it failed. `None` after
    /// `timeout_ns` nanoseconds (0 looks once; `None` waits for as long as it takes): the request goes on.
    ///
    /// A result that has been given spends the request: later calls give [`Status::INVALID_HANDLE`].
    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>>;

    /// Asks the driver to end a request early. It still ends through [`wait`](Self::wait), as [`Status::CANCELLED`] or, if it
    /// was faster, well. A request that is over already is left alone.
    fn cancel(&self, pending: &Pending);

    /// Nanoseconds of a clock that never goes back, from any start.
    fn now_ns(&self) -> u64;

    /// Called in every turn of a polling loop: a hint to a real CPU; a simulated machine lets time pass.
    fn relax(&self);

    /// Memory of whole pages that begins on a page, zeroed.
    ///
    /// # Errors
    /// There is none, or `bytes` is 0.
    fn allocate(&self, bytes: usize) -> Result<Buffer, Status> {
        Buffer::new(bytes).map_err(|_| Status::NO_MEMORY)
    }

    /// Lets `ns` nanoseconds pass.
    fn sleep(&self, ns: u64) {
        let end = self.now_ns().saturating_add(ns);
        while self.now_ns() < end {
            self.relax();
        }
    }
}

/// Makes a request and waits for it: `output` is the answer. Gives the bytes that came.
///
/// Not a method of [`Transport`]: a program could send a SUBMIT past the device's count of what is in flight.
pub(crate) fn control(
    transport: &impl Transport,
    code: Code,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Status> {
    // SAFETY: `output` is borrowed until this returns, and this returns when the request is over. A SUBMIT comes from the device.
    let pending = unsafe { transport.start(code, input, output.as_mut_ptr(), output.len())? };
    loop {
        if let Some(result) = transport.wait(&pending, None) {
            return result;
        }
    }
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<T: Transport + ?Sized> Transport for $pointer {
            unsafe fn start(
                &self,
                code: Code,
                input: &[u8],
                buffer: *mut u8,
                len: usize,
            ) -> Result<Pending, Status> {
                // SAFETY: the caller's promise is the same.
                unsafe { (**self).start(code, input, buffer, len) }
            }

            fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
                (**self).wait(pending, timeout_ns)
            }

            fn cancel(&self, pending: &Pending) {
                (**self).cancel(pending);
            }

            fn now_ns(&self) -> u64 {
                (**self).now_ns()
            }

            fn relax(&self) {
                (**self).relax();
            }

            fn allocate(&self, bytes: usize) -> Result<Buffer, Status> {
                (**self).allocate(bytes)
            }

            fn sleep(&self, ns: u64) {
                (**self).sleep(ns);
            }
        }
    )+};
}

forward!(&T, Box<T>, Rc<T>, Arc<T>);
