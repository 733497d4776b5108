//! The client's way to the driver: system calls of the modelled machine.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::ptr::NonNull;

use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::user;
use pinring_client::ioctl::{COPY_IN, COPY_OUT, Code};
use pinring_client::{Buffer, Pending, Status, Transport};

use crate::scenario::Costs;

/// GENERIC_READ | GENERIC_WRITE.
const ACCESS: u32 = 0xc000_0000;

/// How long a turn of a polling loop takes, in ps.
const TURN_PS: u64 = 20_000;

/// An open handle; its methods are called by threads of the machine.
pub(super) struct SystemCalls {
    handle: user::Handle,
    pending: RefCell<HashMap<u64, user::Pending>>,
    next: Cell<u64>,
    /// The next buffers; new ones when it is empty.
    buffers: RefCell<VecDeque<UserBuffer>>,
    costs: Costs,
}

impl SystemCalls {
    /// Opens the device; these are the first buffers that it gives out.
    pub(super) fn open(buffers: VecDeque<UserBuffer>, costs: Costs) -> Result<Self, Status> {
        let handle = user::open(ACCESS, true).map_err(|status| Status(status.0))?;
        Ok(Self {
            handle,
            pending: RefCell::default(),
            next: Cell::new(1),
            buffers: RefCell::new(buffers),
            costs,
        })
    }
}

impl Drop for SystemCalls {
    fn drop(&mut self) {
        // A handle that is closed already stays closed.
        let _ = user::close(self.handle);
    }
}

unsafe fn release(_: NonNull<u8>, _: usize, context: *const c_void) {
    // SAFETY: `allocate` made the context from a box, and it is given back once.
    drop(unsafe { Box::from_raw(context.cast_mut().cast::<UserBuffer>()) });
}

impl Transport for SystemCalls {
    unsafe fn start(
        &self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status> {
        if [COPY_IN, COPY_OUT].contains(&code) {
            // The double's own copy takes no time.
            user::sleep_ps((self.costs.copy_ns(len as u64) * 1000.0) as u64);
        }
        // SAFETY: the caller's promise is what the machine asks for.
        let started =
            unsafe { user::start_at(self.handle, code.value(), input, buffer, len, None) };
        let started = started.map_err(|status| Status(status.0))?;
        let id = self.next.replace(self.next.get() + 1);
        self.pending.borrow_mut().insert(id, started);
        Ok(Pending::new(id))
    }

    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        let Some(started) = self.pending.borrow().get(&pending.id()).copied() else {
            return Some(Err(Status::INVALID_HANDLE));
        };
        let timeout_ps = timeout_ns.map(|ns| ns.saturating_mul(1000));
        let ended = user::result(started, timeout_ps)?;
        self.pending.borrow_mut().remove(&pending.id());
        Some(if ended.status < 0 {
            Err(Status(ended.status))
        } else {
            Ok(ended.information as usize)
        })
    }

    fn cancel(&self, pending: &Pending) {
        let started = self.pending.borrow().get(&pending.id()).copied();
        if let Some(started) = started {
            user::cancel_io_ex(self.handle, Some(started));
        }
    }

    fn now_ns(&self) -> u64 {
        user::now_ps() / 1000
    }

    fn relax(&self) {
        user::sleep_ps(TURN_PS);
    }

    fn sleep(&self, ns: u64) {
        user::sleep_ps(ns.saturating_mul(1000));
    }

    fn allocate(&self, bytes: usize) -> Result<Buffer, Status> {
        let waiting = self.buffers.borrow_mut().pop_front();
        let memory = match waiting.filter(|memory| memory.len() >= bytes) {
            Some(memory) => memory,
            None => UserBuffer::new(bytes, &PageLayout::Shuffled).map_err(|_| Status::NO_MEMORY)?,
        };
        let (start, len) = (memory.as_mut_ptr(), memory.len());
        let start = NonNull::new(start).ok_or(Status::NO_MEMORY)?;
        let context = Box::into_raw(Box::new(memory)).cast();
        // SAFETY: zeroed pages of the machine, alone this buffer's until `release` gives them back; the machine has one host thread.
        Ok(unsafe { Buffer::from_raw(start, len, release, context) })
    }
}
