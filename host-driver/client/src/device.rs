//! The device: what it can do, transfers, completions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinring_ioctl::{self as ioctl, Code, DeviceInfo, Statistics};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::region::Use;
use crate::transport::control;
use crate::{
    Buffer, Completion, Direction, Error, Pending, RegionHandle, Status, Transfer, Transport,
};

/// Completions that are taken with one request at most.
const TAKE: usize = 256;

/// An open device.
///
/// Clones are the same handle of the driver; it is closed when the last clone and the last region of it are gone. Every method
/// takes `&self`. Completions of all transfers of the handle come from one place: a program that waits in several threads gives
/// each a device of its own, by opening it once more.
pub struct Device<T> {
    pub(crate) shared: Arc<Shared<T>>,
}

pub(crate) struct Shared<T> {
    pub(crate) transport: T,
    info: DeviceInfo,
    // Held for the bookkeeping alone, never while the transport is called: that may switch to another coroutine.
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Regions that transfers may name.
    regions: HashMap<RegionHandle, Use>,
    in_flight: usize,
    spare: Vec<u8>,
}

impl<T> Clone for Device<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Device<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> Device<T> {
    /// The device behind a transport.
    ///
    /// # Errors
    /// The driver does not answer, or speaks another version of the interface.
    pub fn new(transport: T) -> Result<Self, Error> {
        let info: DeviceInfo = ask(&transport, ioctl::QUERY_DEVICE, &[])?;
        if info.interface_version != ioctl::VERSION {
            return Err(Error::Version {
                driver: info.interface_version,
                library: ioctl::VERSION,
            });
        }
        Ok(Self {
            shared: Arc::new(Shared {
                transport,
                info,
                state: Mutex::default(),
            }),
        })
    }

    /// What device and driver could do when the device was opened; see [`query`](Self::query) for now.
    pub fn info(&self) -> &DeviceInfo {
        &self.shared.info
    }

    /// What device and driver can do now.
    ///
    /// # Errors
    /// The driver does not answer.
    pub fn query(&self) -> Result<DeviceInfo, Error> {
        ask(&self.shared.transport, ioctl::QUERY_DEVICE, &[])
    }

    /// The way to the driver.
    pub fn transport(&self) -> &T {
        &self.shared.transport
    }

    /// Page-aligned memory to register: at least `bytes`, in whole pages.
    ///
    /// # Errors
    /// There is none.
    pub fn buffer(&self, bytes: usize) -> Result<Buffer, Error> {
        let buffer = self.shared.transport.allocate(bytes);
        buffer.map_err(|status| refused("allocate", status))
    }

    /// Submits a batch: all of it is taken, or nothing. Each transfer is reported once, by [`wait`](Self::wait) or
    /// [`poll`](Self::poll), in submission order of its direction.
    ///
    /// # Errors
    /// A region is not this device's, or it is [viewed](crate::Region::view); the batch is longer than
    /// [`MAX_BATCH`](ioctl::MAX_BATCH); or the driver's reason.
    pub fn submit(&self, direction: Direction, transfers: &[Transfer]) -> Result<(), Error> {
        if transfers.is_empty() {
            return Ok(());
        }
        if transfers.len() > ioctl::MAX_BATCH {
            return Err(Error::BatchTooLong {
                count: transfers.len(),
            });
        }
        let mut input = self.shared.reserve(direction, transfers)?;
        let head = ioctl::Submit {
            direction: direction.number(),
            count: transfers.len() as u32,
        };
        input.extend_from_slice(head.as_bytes());
        for transfer in transfers {
            input.extend_from_slice(ioctl::Transfer::from(transfer).as_bytes());
        }
        let taken = control(&self.shared.transport, ioctl::SUBMIT, &input, &mut []);
        let mut state = self.shared.state();
        state.give_back(input);
        taken.map(drop).map_err(|status| {
            for transfer in transfers {
                state.ended(transfer.region, direction);
            }
            match status.driver() {
                Some(ioctl::Error::TooLong) => Error::TransferTooLong {
                    limit: self.shared.info.max_transfer_bytes,
                },
                _ => refused(ioctl::SUBMIT.name, status),
            }
        })
    }

    /// Transfers that were submitted and have not been reported.
    pub fn in_flight(&self) -> usize {
        self.shared.state().in_flight
    }

    /// Waits until `least` transfers have been reported (fewer if fewer are in flight), and gives all that are there. After `timeout_ns`
    /// nanoseconds it gives those that there are; `None` waits for as long as it takes.
    ///
    /// # Errors
    /// The driver's reason. Nothing is lost: the next call gives what this one did not.
    pub fn wait(&self, least: usize, timeout_ns: Option<u64>) -> Result<Vec<Completion>, Error> {
        self.wait_up_to(usize::MAX, least, timeout_ns)
    }

    /// As [`wait`](Self::wait), but gives at most `most`; the rest stays for the next call.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_up_to(
        &self,
        most: usize,
        least: usize,
        timeout_ns: Option<u64>,
    ) -> Result<Vec<Completion>, Error> {
        let mut found = Vec::new();
        match self.take(&mut found, most, least, timeout_ns) {
            // What came before an error is not lost; the error comes again.
            Err(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// What has been reported by now.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn poll(&self) -> Result<Vec<Completion>, Error> {
        self.wait(0, Some(0))
    }

    /// As [`wait`](Self::wait), appending to `found`, so that a loop allocates nothing. Gives how many came, `least` of which came
    /// from this call.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); what `found` has got by then stands.
    pub fn wait_into(
        &self,
        found: &mut Vec<Completion>,
        least: usize,
        timeout_ns: Option<u64>,
    ) -> Result<usize, Error> {
        self.take(found, usize::MAX, least, timeout_ns)
    }

    fn take(
        &self,
        found: &mut Vec<Completion>,
        most: usize,
        least: usize,
        timeout_ns: Option<u64>,
    ) -> Result<usize, Error> {
        let transport = &self.shared.transport;
        let before = found.len();
        let end = timeout_ns.map(|limit| transport.now_ns().saturating_add(limit));
        let mut time_is_up = false;
        loop {
            let (in_flight, answer) = {
                let mut state = self.shared.state();
                (state.in_flight, std::mem::take(&mut state.spare))
            };
            let got = found.len() - before;
            if in_flight == 0 || got >= most {
                self.shared.state().give_back(answer);
                return Ok(got);
            }
            let room = in_flight.min(TAKE).min(most - got);
            let wanted = match time_is_up {
                true => 0,
                false => least.saturating_sub(got).min(room),
            };
            // Without a number to wait for, the request ends at once.
            let left = end.filter(|_| wanted > 0);
            let left = left.map(|end| end.saturating_sub(transport.now_ns()));
            let mut request = Held::new(transport, answer, room * ioctl::Completion::BYTES);
            let (late, result) = request.run(wanted, left);
            let answer = request.take();
            let here = found.len();
            let outcome = match result {
                Ok(bytes) => self.shared.reap(&answer, bytes, found),
                Err(Status::CANCELLED) if late => Ok(()),
                Err(status) => Err(refused(ioctl::WAIT.name, status)),
            };
            self.shared.state().give_back(answer);
            outcome?;
            let (new, got) = (found.len() - here, found.len() - before);
            if late && !time_is_up {
                // Fewer than were waited for may be there.
                time_is_up = true;
                continue;
            }
            if new < wanted {
                return Err(bad(ioctl::WAIT, new * ioctl::Completion::BYTES));
            }
            // A full answer may have left some behind.
            if new < room && (wanted == 0 || got >= least) {
                return Ok(got);
            }
        }
    }

    /// Cancels everything of this handle that is in flight; it is reported as aborted, but for what was faster. What is submitted
    /// from now on is taken, and begins when the cancellation is over.
    ///
    /// # Errors
    /// The driver's reason; [`RegionBusy`](ioctl::Error::RegionBusy) while the device has no place for another command.
    pub fn cancel(&self) -> Result<(), Error> {
        self.shared.cancel(0, ioctl::scope::ALL)
    }

    /// Counters of driver and handle.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        ask(&self.shared.transport, ioctl::STATISTICS, &[])
    }

    /// Takes bytes of the firmware's log, a stream of defmt frames; gives how many there were.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn read_log(&self, bytes: &mut [u8]) -> Result<usize, Error> {
        let room = bytes.len();
        let read = control(&self.shared.transport, ioctl::READ_LOG, &[], bytes)
            .map_err(|status| refused(ioctl::READ_LOG.name, status))?;
        if read > room {
            return Err(bad(ioctl::READ_LOG, read));
        }
        Ok(read)
    }
}

impl<T> Shared<T> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts transfers as in flight, before the driver knows of them: a view that comes later is refused. Gives an empty buffer.
    fn reserve(&self, direction: Direction, transfers: &[Transfer]) -> Result<Vec<u8>, Error> {
        let mut state = self.state();
        for transfer in transfers {
            state.region(transfer.region)?.permits(direction)?;
        }
        for transfer in transfers {
            state.region(transfer.region)?.begin(direction);
        }
        state.in_flight += transfers.len();
        let mut spare = std::mem::take(&mut state.spare);
        spare.clear();
        Ok(spare)
    }

    /// Appends the completions of an answer.
    fn reap(&self, answer: &[u8], bytes: usize, found: &mut Vec<Completion>) -> Result<(), Error> {
        let whole = bytes.is_multiple_of(ioctl::Completion::BYTES);
        let entries = answer.get(..bytes).filter(|_| whole);
        let entries = entries.ok_or_else(|| bad(ioctl::WAIT, bytes))?;
        let mut state = self.state();
        for entry in entries.chunks_exact(ioctl::Completion::BYTES) {
            let completion =
                ioctl::Completion::parse(entry).and_then(|wire| Completion::from_wire(&wire));
            let completion = completion.ok_or_else(|| bad(ioctl::WAIT, bytes))?;
            state.ended(completion.region, completion.direction);
            found.push(completion);
        }
        Ok(())
    }
}

impl<T: Transport> Shared<T> {
    pub(crate) fn cancel(&self, handle: u64, scope: u32) -> Result<(), Error> {
        let cancel = ioctl::Cancel {
            handle,
            scope,
            ..ioctl::Cancel::default()
        };
        self.tell(ioctl::CANCEL, cancel.as_bytes())
    }

    /// A request without an answer.
    pub(crate) fn tell(&self, code: Code, input: &[u8]) -> Result<(), Error> {
        let told = control(&self.transport, code, input, &mut []);
        told.map(drop).map_err(|status| refused(code.name, status))
    }
}

impl State {
    /// From now on, transfers may name the region.
    pub(crate) fn know(&mut self, region: RegionHandle) {
        self.regions.insert(region, Use::default());
    }

    /// From now on, none may; whether they might.
    pub(crate) fn forget(&mut self, region: RegionHandle) -> bool {
        self.regions.remove(&region).is_some()
    }

    pub(crate) fn region(&mut self, region: RegionHandle) -> Result<&mut Use, Error> {
        let known = self.regions.get_mut(&region);
        known.ok_or(Error::UnknownRegion { handle: region.0 })
    }

    fn ended(&mut self, region: RegionHandle, direction: Direction) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // It may be gone: its transfers are reported all the same.
        if let Ok(use_) = self.region(region) {
            use_.end(direction);
        }
    }

    fn give_back(&mut self, spare: Vec<u8>) {
        if spare.capacity() > self.spare.capacity() {
            self.spare = spare;
        }
    }
}

/// A WAIT whose answer the driver may write: it owns the answer until the request is over, whatever happens in between.
struct Held<'a, T: Transport> {
    transport: &'a T,
    answer: Vec<u8>,
    pending: Option<Pending>,
}

impl<'a, T: Transport> Held<'a, T> {
    fn new(transport: &'a T, mut answer: Vec<u8>, bytes: usize) -> Self {
        answer.resize(bytes, 0);
        Self {
            transport,
            answer,
            pending: None,
        }
    }

    /// Whether the time was up, and what the request came to.
    fn run(&mut self, least: usize, timeout_ns: Option<u64>) -> (bool, Result<usize, Status>) {
        let wait = ioctl::Wait {
            least: least as u32,
            ..ioctl::Wait::default()
        };
        let (start, len) = (self.answer.as_mut_ptr(), self.answer.len());
        // SAFETY: the answer lives, unused, until the request is over: `take` and `drop` see to that.
        let started = unsafe {
            self.transport
                .start(ioctl::WAIT, wait.as_bytes(), start, len)
        };
        let pending = match started {
            Ok(pending) => self.pending.insert(pending),
            Err(status) => return (false, Err(status)),
        };
        if let Some(result) = self.transport.wait(pending, timeout_ns) {
            self.pending = None;
            return (false, result);
        }
        self.transport.cancel(pending);
        (true, self.finish())
    }

    fn finish(&mut self) -> Result<usize, Status> {
        let Some(pending) = self.pending.take() else {
            return Ok(0);
        };
        loop {
            if let Some(result) = self.transport.wait(&pending, None) {
                return result;
            }
        }
    }

    fn take(mut self) -> Vec<u8> {
        debug_assert_eq!(self.pending, None);
        std::mem::take(&mut self.answer)
    }
}

impl<T: Transport> Drop for Held<'_, T> {
    fn drop(&mut self) {
        // Only when the transport panicked in between.
        if let Some(pending) = &self.pending {
            self.transport.cancel(pending);
            let _ = self.finish();
        }
    }
}

/// A request with an answer of one structure.
pub(crate) fn ask<A: FromBytes + IntoBytes + Immutable>(
    transport: &impl Transport,
    code: Code,
    input: &[u8],
) -> Result<A, Error> {
    let mut answer = A::new_zeroed();
    let bytes = control(transport, code, input, answer.as_mut_bytes())
        .map_err(|status| refused(code.name, status))?;
    if bytes != size_of::<A>() {
        return Err(bad(code, bytes));
    }
    Ok(answer)
}

pub(crate) fn refused(action: &'static str, status: Status) -> Error {
    Error::Refused { action, status }
}

pub(crate) fn bad(code: Code, bytes: usize) -> Error {
    Error::BadAnswer {
        action: code.name,
        bytes,
    }
}
