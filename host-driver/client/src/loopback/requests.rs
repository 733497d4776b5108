//! The control codes, one by one.

use pinring_ioctl::{self as ioctl, Code, Error, permissions, scope, tier};
use zerocopy::IntoBytes;

use super::world::{Flight, Memory, Region, Request, World};
use crate::{PAGE_BYTES, Status};

/// A structure that is the whole input.
macro_rules! whole {
    ($kind:ident, $input:expr) => {
        ioctl::$kind::parse($input)
            .filter(|_| $input.len() == ioctl::$kind::BYTES)
            .ok_or(Error::Malformed)?
    };
}

impl World {
    /// # Safety
    /// As [`Transport::start`](crate::Transport::start).
    pub(super) unsafe fn request(
        &mut self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Request, Status> {
        let answer = |bytes: &[u8]| -> Result<Request, Status> {
            if len < bytes.len() {
                return Err(Error::Malformed.into());
            }
            // SAFETY: it fits, and the buffer is the driver's to write now.
            unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            Ok(Request::Over(Ok(bytes.len())))
        };
        let nothing = Request::Over(Ok(0));
        match code {
            ioctl::QUERY_DEVICE => answer(self.config.info.as_bytes()),
            ioctl::REGISTER => self.register(&whole!(Register, input), buffer, len),
            ioctl::QUERY_REGION => {
                let token = whole!(Token, input).token;
                let handle = self.named(token).ok_or(Error::NoRegion)?;
                let info = self.region_info(handle).ok_or(Error::NoRegion)?;
                answer(info.as_bytes())
            }
            ioctl::UNREGISTER => {
                let handle = whole!(Handle, input).handle;
                self.region(handle)?;
                self.leave(handle, Ok(0));
                Ok(nothing)
            }
            ioctl::ALLOCATE => {
                let handle = self.allocate(&whole!(Allocate, input))?;
                let info = self.region_info(handle).ok_or(Error::NoRegion)?;
                answer(info.as_bytes())
            }
            ioctl::COPY_OUT | ioctl::COPY_IN => {
                let range = whole!(CopyRange, input);
                let copy_ns = len as u64 * 1_000 / self.config.copy_bytes_per_us;
                let region = self.region(range.handle)?;
                let Memory::Own(bytes) = &mut region.memory else {
                    return Err(Error::WrongTier.into());
                };
                let end = usize::try_from(range.offset)
                    .ok()
                    .and_then(|start| Some(start..start.checked_add(len)?));
                let bytes = end
                    .and_then(|range| bytes.get_mut(range))
                    .ok_or(Error::OutOfBounds)?;
                // SAFETY: `len` bytes at `buffer` are the driver's for this copy, and not its own memory.
                unsafe {
                    if code == ioctl::COPY_OUT {
                        buffer.copy_from_nonoverlapping(bytes.as_ptr(), len);
                    } else {
                        bytes.as_mut_ptr().copy_from_nonoverlapping(buffer, len);
                    }
                }
                self.advance(copy_ns);
                Ok(Request::Over(Ok(len)))
            }
            ioctl::SUBMIT => {
                self.submit(input)?;
                Ok(nothing)
            }
            ioctl::WAIT => {
                let least = whole!(Wait, input).least as usize;
                let room = len / ioctl::Completion::BYTES;
                if least > room {
                    return Err(Error::Malformed.into());
                }
                Ok(Request::Wait {
                    least,
                    answer: buffer,
                    room,
                })
            }
            ioctl::CANCEL => {
                let cancel = whole!(Cancel, input);
                match (cancel.scope, cancel.handle) {
                    (scope::ALL, 0) => self.cancel_all(),
                    (scope::REGION, handle) => self.cancel_region(handle)?,
                    _ => return Err(Error::Malformed.into()),
                }
                Ok(nothing)
            }
            ioctl::STATISTICS => answer(self.statistics().as_bytes()),
            ioctl::READ_LOG => {
                let bytes = len.min(self.config.log.len());
                let taken: Vec<u8> = self.config.log.drain(..bytes).collect();
                answer(&taken)
            }
            _ => Err(Status::INVALID_DEVICE_REQUEST),
        }
    }

    fn named(&self, token: u64) -> Option<u64> {
        let named = self.regions.iter().find(|(_, region)| {
            region.serves(self.now_ns)
                && matches!(region.memory, Memory::Pinned { token: found, .. } if found == token)
        });
        named.map(|(handle, _)| *handle)
    }

    /// A region that serves. One that is being made or taken back has no handle.
    fn region(&mut self, handle: u64) -> Result<&mut Region, Error> {
        let now_ns = self.now_ns;
        let region = self.regions.get_mut(&handle);
        let serving = region.filter(|region| region.serves(now_ns));
        serving.ok_or(Error::NoRegion)
    }

    /// Aborts what is in flight on a region. One with a lasting mapping is the device's to cancel, in flight or not.
    fn cancel_region(&mut self, handle: u64) -> Result<(), Error> {
        let (now_ns, cancel_ns) = (self.now_ns, self.config.cancel_ns);
        let region = self.region(handle)?;
        if region.busy_until > now_ns {
            return Err(Error::RegionBusy);
        }
        if region.tier != tier::PER_TRANSFER {
            region.busy_until = now_ns + cancel_ns;
        }
        self.abort(Some(handle));
        Ok(())
    }

    /// Aborts everything. It is the queues that are cancelled: they take more, which waits, and no region is busy.
    fn cancel_all(&mut self) {
        let serve_at = self.now_ns + self.config.cancel_ns;
        for free_at in &mut self.link_free_at {
            *free_at = serve_at;
        }
        self.abort(None);
    }

    fn region_info(&self, handle: u64) -> Option<ioctl::RegionInfo> {
        let region = self.regions.get(&handle)?;
        let flights = self.flights.iter().flatten();
        let in_flight = flights.filter(|flight| flight.completion.handle == handle);
        Some(ioctl::RegionInfo {
            handle,
            length: region.length,
            tier: region.tier,
            reason: region.reason,
            elements: match region.tier {
                tier::PER_TRANSFER => 0,
                tier::COMMON_BUFFER => 1,
                _ => region.length.div_ceil(PAGE_BYTES as u64) as u32,
            },
            in_flight: in_flight.count() as u32,
            setup_ns: region.setup_ns,
            ..ioctl::RegionInfo::default()
        })
    }

    fn room(&self, bytes: u64, wanted: u32) -> Result<(), Error> {
        let info = &self.config.info;
        if bytes == 0 {
            return Err(Error::Empty);
        }
        if !(permissions::C2H..=permissions::BOTH).contains(&wanted) {
            return Err(Error::Malformed);
        }
        if info.running == 0 {
            return Err(Error::NotRunning);
        }
        if self.regions.len() >= info.max_regions as usize {
            return Err(Error::RegionsExhausted);
        }
        let locked = self.locked_bytes().saturating_add(bytes);
        if locked > info.max_locked_bytes_per_handle {
            return Err(Error::HandleCap);
        }
        if locked > info.max_locked_bytes {
            return Err(Error::DeviceCap);
        }
        Ok(())
    }

    fn register(
        &mut self,
        input: &ioctl::Register,
        start: *mut u8,
        len: usize,
    ) -> Result<Request, Status> {
        self.room(len as u64, input.permissions)?;
        let tokens = self.regions.values();
        let mut tokens = tokens.filter_map(|region| match region.memory {
            Memory::Pinned { token, .. } => Some(token),
            Memory::Own(_) => None,
        });
        if tokens.any(|token| token == input.token) {
            return Err(Error::TokenInUse.into());
        }
        if input.first_tier > input.last_tier || input.last_tier > tier::PER_TRANSFER {
            return Err(Error::WrongTier.into());
        }
        let mut reason = 0;
        let mut refused = Error::WrongTier;
        let found = (input.first_tier..=input.last_tier).find(|tier| {
            match self.missing(*tier, start.addr(), len) {
                Some((why, error)) => {
                    reason = why;
                    refused = error;
                    false
                }
                None => true,
            }
        });
        let tier = found.ok_or(refused)?;
        let pages = (len as u64).div_ceil(PAGE_BYTES as u64);
        let mut setup_ns = pages * self.config.lock_ns;
        if tier != tier::PER_TRANSFER {
            setup_ns += self.list_ns(0, len as u64);
        }
        let (request, handle) = (self.number(), self.number() << 32 | 7);
        self.advance(setup_ns);
        let made_at = self.now_ns + self.config.registration_ns;
        let failure = self.config.late_failure;
        let region = Region {
            memory: Memory::Pinned {
                start,
                request,
                token: input.token,
            },
            length: len as u64,
            permissions: input.permissions,
            tier,
            reason,
            setup_ns,
            made_at: failure.map_or(made_at, |_| u64::MAX),
            busy_until: 0,
            leaving: failure.map(|status| (made_at, Err(status))),
        };
        self.regions.insert(handle, region);
        self.counters.registrations += 1;
        self.counters.registration_ns += setup_ns;
        Ok(Request::Registration(request))
    }

    fn allocate(&mut self, input: &ioctl::Allocate) -> Result<u64, Error> {
        self.room(input.length, input.permissions)?;
        let handle = self.number() << 32 | 9;
        let region = Region {
            memory: Memory::Own(vec![0; input.length as usize]),
            length: input.length,
            permissions: input.permissions,
            tier: tier::COMMON_BUFFER,
            reason: 0,
            setup_ns: 10_000,
            made_at: self.now_ns,
            busy_until: 0,
            leaving: None,
        };
        self.regions.insert(handle, region);
        Ok(handle)
    }

    fn submit(&mut self, input: &[u8]) -> Result<(), Error> {
        let head = ioctl::Submit::parse(input).ok_or(Error::Malformed)?;
        let entries = input.get(ioctl::Submit::BYTES..).unwrap_or_default();
        let count = head.count as usize;
        if head.direction > ioctl::direction::H2C
            || !(1..=ioctl::MAX_BATCH).contains(&count)
            || entries.len() != count * ioctl::Transfer::BYTES
        {
            return Err(Error::Malformed);
        }
        let transfers: Option<Vec<_>> = entries
            .chunks_exact(ioctl::Transfer::BYTES)
            .map(ioctl::Transfer::parse)
            .collect();
        let transfers = transfers.ok_or(Error::Malformed)?;
        if self.config.info.running == 0 {
            return Err(Error::NotRunning);
        }
        if self.outstanding(head.direction) + count > self.config.info.ring_entries as usize {
            return Err(Error::RingFull);
        }
        for transfer in &transfers {
            self.check(head.direction, transfer)?;
        }
        for transfer in &transfers {
            self.take(head.direction, transfer);
        }
        self.counters.batches += 1;
        self.counters.transfers += count as u64;
        self.counters.doorbells += 1;
        Ok(())
    }

    fn check(&mut self, way: u32, transfer: &ioctl::Transfer) -> Result<(), Error> {
        let now_ns = self.now_ns;
        let (tdests, max_transfer_bytes) =
            (self.config.tdests, self.config.info.max_transfer_bytes);
        let region = self.region(transfer.handle)?;
        if transfer.length == 0 {
            return Err(Error::Empty);
        }
        let end = transfer.offset.checked_add(transfer.length);
        if end.is_none_or(|end| end > region.length) {
            return Err(Error::OutOfBounds);
        }
        if region.permissions & 1 << way == 0 {
            return Err(Error::WrongDirection);
        }
        if region.busy_until > now_ns {
            return Err(Error::RegionBusy);
        }
        if region.tier == tier::PER_TRANSFER && transfer.length > max_transfer_bytes {
            return Err(Error::TooLong);
        }
        if transfer.tdest >= tdests {
            return Err(Error::BadTdest);
        }
        Ok(())
    }

    fn take(&mut self, way: u32, transfer: &ioctl::Transfer) {
        let per_transfer = self
            .regions
            .get(&transfer.handle)
            .is_some_and(|region| region.tier == tier::PER_TRANSFER);
        let mut ready_at = self.now_ns;
        let mut setup_ns = 0;
        if per_transfer {
            setup_ns = self.list_ns(transfer.offset, transfer.length);
            self.lists_free_at = self.lists_free_at.max(self.now_ns) + setup_ns;
            ready_at = self.lists_free_at;
            self.counters.lists += 1;
            self.counters.list_ns += setup_ns;
        }
        let free_at = &mut self.link_free_at[way as usize];
        let data_at = (ready_at + self.config.latency_ns).max(*free_at);
        *free_at = data_at + transfer.length * 1_000 / self.config.link_bytes_per_us;
        let flight = Flight {
            completion: ioctl::Completion {
                cookie: transfer.cookie,
                handle: transfer.handle,
                user: transfer.user,
                direction: way,
                setup_ns,
                ..ioctl::Completion::default()
            },
            offset: transfer.offset,
            length: transfer.length,
            data_at,
            ends_at: *free_at,
            arrived: false,
            aborted: false,
        };
        self.flights[way as usize].push_back(flight);
    }
}
