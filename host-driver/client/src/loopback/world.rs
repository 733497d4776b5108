//! What driver, device and time are to the double.

use std::collections::{BTreeMap, HashMap, VecDeque};

use pinring_ioctl::{Code, Completion, Statistics, completion_flags, direction, tier};
use pinring_protocol::Status as Ended;

use super::Config;
use crate::{PAGE_BYTES, Status, pattern};

/// Memory of a region.
pub(super) enum Memory {
    /// The application's, pinned by the pended request of this number.
    Pinned {
        start: *mut u8,
        request: u64,
        token: u64,
    },
    /// The driver's own.
    Own(Vec<u8>),
}

// SAFETY: the pointer is to memory that is the driver's to use while the request is pended, from whichever thread it is called.
unsafe impl Send for Memory {}

pub(super) struct Region {
    pub memory: Memory,
    pub length: u64,
    pub permissions: u32,
    pub tier: u32,
    pub reason: u32,
    pub setup_ns: u64,
    /// When it can be seen: its registration is made.
    pub made_at: u64,
    /// Until when it takes no transfers, as it is being cancelled.
    pub busy_until: u64,
    /// When the device has let go, and with what status a pended registration ends, once the region is being taken back.
    pub leaving: Option<(u64, Result<usize, Status>)>,
}

impl Region {
    /// It is made, and not being taken back.
    pub fn serves(&self, now_ns: u64) -> bool {
        self.made_at <= now_ns && self.leaving.is_none()
    }

    fn bytes(&mut self, offset: u64, length: u64) -> &mut [u8] {
        let (offset, length) = (offset as usize, length as usize);
        match &mut self.memory {
            // SAFETY: the range was checked against the region's length at submission, and the memory is the driver's to write while
            // the request is pended, which it is while the region exists.
            Memory::Pinned { start, .. } => unsafe {
                std::slice::from_raw_parts_mut(start.add(offset), length)
            },
            Memory::Own(bytes) => &mut bytes[offset..offset + length],
        }
    }
}

/// A request that has been started and not been waited for.
pub(super) enum Request {
    Over(Result<usize, Status>),
    Registration(u64),
    Wait {
        least: usize,
        answer: *mut u8,
        room: usize,
    },
}

// SAFETY: as for `Memory`.
unsafe impl Send for Request {}

pub(super) struct Flight {
    pub completion: Completion,
    pub offset: u64,
    pub length: u64,
    /// When its data arrives, and when it ends.
    pub data_at: u64,
    pub ends_at: u64,
    pub arrived: bool,
    /// It ends in its turn, whatever the stream does.
    pub aborted: bool,
}

pub(super) struct World {
    pub config: Config,
    pub now_ns: u64,
    next: u64,
    pub requests: HashMap<u64, Request>,
    pub regions: BTreeMap<u64, Region>,
    pub flights: [VecDeque<Flight>; 2],
    pub done: VecDeque<Completion>,
    /// When the CPU that prepares lists is free, and each direction of the link.
    pub lists_free_at: u64,
    pub link_free_at: [u64; 2],
    source_position: u64,
    pub sink: (u64, u64),
    pub counters: Statistics,
}

impl World {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now_ns: 0,
            next: 1,
            requests: HashMap::new(),
            regions: BTreeMap::new(),
            flights: [VecDeque::new(), VecDeque::new()],
            done: VecDeque::new(),
            lists_free_at: 0,
            link_free_at: [0; 2],
            source_position: 0,
            sink: (0, 0),
            counters: Statistics::default(),
        }
    }

    /// A number that was never given before.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// # Safety
    /// As [`Transport::start`](crate::Transport::start).
    pub unsafe fn start(
        &mut self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<u64, Status> {
        self.advance(self.config.call_ns);
        if let Some((failing, status)) = self.config.fail
            && failing == code
        {
            self.config.fail = None;
            return Err(status);
        }
        // SAFETY: the caller's promise.
        let request = unsafe { self.request(code, input, buffer, len)? };
        let number = match request {
            Request::Registration(number) => number,
            _ => self.number(),
        };
        self.requests.insert(number, request);
        self.settle();
        Ok(number)
    }

    pub fn wait(&mut self, request: u64, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        let end = timeout_ns.map(|limit| self.now_ns.saturating_add(limit));
        loop {
            match self.requests.get(&request) {
                None => return Some(Err(Status::INVALID_HANDLE)),
                Some(Request::Over(result)) => {
                    let result = *result;
                    self.requests.remove(&request);
                    return Some(result);
                }
                Some(_) => {}
            }
            let next = self.next_event();
            match (next, end) {
                (Some(next), Some(end)) if next > end => self.advance_to(end),
                (Some(next), _) => {
                    self.advance_to(next);
                    continue;
                }
                (None, Some(end)) => self.advance_to(end),
                (None, None) => panic!("nothing would ever end this request"),
            }
            return None;
        }
    }

    pub fn cancel_request(&mut self, request: u64) {
        match self.requests.get_mut(&request) {
            Some(waiting @ Request::Wait { .. }) => {
                *waiting = Request::Over(Err(Status::CANCELLED));
            }
            Some(Request::Registration(_)) => {
                let held = self.regions.iter().find_map(|(handle, region)| {
                    let pinned = matches!(region.memory, Memory::Pinned { request: held, .. } if held == request);
                    pinned.then_some(*handle)
                });
                if let Some(handle) = held {
                    self.leave(handle, Err(Status::CANCELLED));
                }
            }
            Some(Request::Over(_)) | None => {}
        }
    }

    /// Begins to take a region back, unless that has begun.
    pub fn leave(&mut self, handle: u64, result: Result<usize, Status>) {
        let gone_at = self.now_ns + self.config.teardown_ns;
        let Some(region) = self.regions.get_mut(&handle) else {
            return;
        };
        if region.leaving.is_none() {
            region.leaving = Some((gone_at, result));
            self.abort(Some(handle));
        }
    }

    /// Ends transfers of a region, or all, as aborted; they are reported in their turn.
    pub fn abort(&mut self, handle: Option<u64>) {
        for flight in self.flights.iter_mut().flatten() {
            if handle.is_none_or(|handle| flight.completion.handle == handle) {
                flight.aborted = true;
                flight.completion.status = Ended::Aborted as u16;
                flight.completion.bytes = 0;
            }
        }
        self.happen();
    }

    pub fn advance(&mut self, ns: u64) {
        self.advance_to(self.now_ns.saturating_add(ns));
    }

    fn advance_to(&mut self, time: u64) {
        while let Some(next) = self.next_event().filter(|next| *next <= time) {
            self.now_ns = self.now_ns.max(next);
            self.happen();
        }
        self.now_ns = self.now_ns.max(time);
        self.happen();
    }

    fn next_event(&self) -> Option<u64> {
        let flights = self.flights.iter().filter_map(|flights| {
            let flight = flights.front()?;
            let at = match flight {
                Flight { aborted: true, .. } => self.now_ns,
                Flight { arrived: true, .. } => flight.ends_at,
                _ => flight.data_at,
            };
            (flight.aborted || !self.config.stalled).then_some(at)
        });
        let regions = self.regions.values().flat_map(|region| {
            let making = region.leaving.is_none() && region.made_at > self.now_ns;
            let made = making.then_some(region.made_at);
            made.into_iter().chain(region.leaving.map(|(at, _)| at))
        });
        flights.chain(regions).min()
    }

    /// What is due happens.
    fn happen(&mut self) {
        for way in [direction::C2H, direction::H2C] {
            self.fly(way);
        }
        let gone: Vec<u64> = self
            .regions
            .iter()
            .filter(|(_, region)| region.leaving.is_some_and(|(at, _)| at <= self.now_ns))
            .map(|(handle, _)| *handle)
            .collect();
        for handle in gone {
            // The driver's own memory just goes.
            if let Some(Region {
                memory: Memory::Pinned { request, .. },
                leaving: Some((_, result)),
                ..
            }) = self.regions.remove(&handle)
            {
                self.requests.insert(request, Request::Over(result));
            }
        }
        self.settle();
    }

    fn fly(&mut self, way: u32) {
        while let Some(mut flight) = self.flights[way as usize].pop_front() {
            let flying = !flight.aborted
                && (self.config.stalled
                    || !self.arrive(&mut flight)
                    || flight.ends_at > self.now_ns);
            if flying {
                self.flights[way as usize].push_front(flight);
                return;
            }
            if flight.aborted {
                self.counters.aborted += 1;
            } else {
                let cycles = u128::from(flight.ends_at) * u128::from(self.config.info.clock_hz);
                flight.completion.timestamp = (cycles / 1_000_000_000) as u64;
                self.counters.completed += 1;
                match way {
                    direction::C2H => self.counters.c2h_bytes += flight.completion.bytes,
                    _ => self.counters.h2c_bytes += flight.completion.bytes,
                }
            }
            self.done.push_back(flight.completion);
        }
    }

    /// Moves a transfer's data when its time has come; whether it has moved.
    fn arrive(&mut self, flight: &mut Flight) -> bool {
        if flight.arrived || flight.data_at > self.now_ns {
            return flight.arrived;
        }
        let Some(region) = self.regions.get_mut(&flight.completion.handle) else {
            return true; // A region goes after its transfers were aborted.
        };
        flight.arrived = true;
        if flight.completion.direction == direction::C2H {
            let left = self.config.packet_bytes - self.source_position;
            let bytes = flight.length.min(left);
            let memory = region.bytes(flight.offset, bytes);
            pattern::fill(memory, self.source_position, self.config.seed);
            self.source_position += bytes;
            if bytes == left {
                self.source_position = 0;
                flight.completion.flags |= completion_flags::END_OF_PACKET;
            }
            flight.completion.bytes = bytes;
        } else {
            let memory = region.bytes(flight.offset, flight.length);
            self.sink.0 += flight.length;
            self.sink.1 += u64::from(pattern::mismatch(memory, 0, self.config.seed).is_some());
            flight.completion.bytes = flight.length;
        }
        true
    }

    /// Ends the WAITs that have enough.
    pub fn settle(&mut self) {
        for request in self.requests.values_mut() {
            let Request::Wait {
                least,
                answer,
                room,
            } = *request
            else {
                continue;
            };
            if self.done.len() < least {
                continue;
            }
            let count = self.done.len().min(room);
            for (index, completion) in self.done.drain(..count).enumerate() {
                // SAFETY: `room` completions fit into the answer, which is the driver's until the request is over.
                unsafe {
                    answer
                        .cast::<Completion>()
                        .add(index)
                        .write_unaligned(completion);
                }
            }
            *request = Request::Over(Ok(count * Completion::BYTES));
        }
    }

    /// Transfers of one direction that have not been taken by a WAIT.
    pub fn outstanding(&self, way: u32) -> usize {
        let done = self.done.iter().filter(|done| done.direction == way);
        self.flights[way as usize].len() + done.count()
    }

    pub fn locked_bytes(&self) -> u64 {
        self.regions.values().map(|region| region.length).sum()
    }

    pub fn statistics(&self) -> Statistics {
        let (regions, bytes) = (self.regions.len() as u64, self.locked_bytes());
        Statistics {
            regions,
            handle_regions: regions,
            locked_bytes: bytes,
            handle_locked_bytes: bytes,
            handle_in_flight: (self.outstanding(0) + self.outstanding(1)) as u64,
            ..self.counters
        }
    }

    /// Nanoseconds to prepare a list of a tier-PerTransfer transfer.
    pub fn list_ns(&self, offset: u64, length: u64) -> u64 {
        let page = PAGE_BYTES as u64;
        let pages = (offset % page + length).div_ceil(page);
        self.config.list_ns.0 + pages * self.config.list_ns.1
    }

    /// A tier that the host cannot give, and why.
    pub fn missing(
        &self,
        tier_: u32,
        start: usize,
        len: usize,
    ) -> Option<(u32, pinring_ioctl::Error)> {
        use pinring_ioctl::{Error, tier_reason};
        let info = &self.config.info;
        match tier_ {
            tier::BYPASS if info.bypass_missing != 0 => {
                Some((info.bypass_missing, Error::NoBypass))
            }
            tier::MAPPED_ONCE if info.mapped_once_missing != 0 => {
                Some((info.mapped_once_missing, Error::NoMappedOnce))
            }
            tier::MAPPED_ONCE
                if !start.is_multiple_of(PAGE_BYTES) || !len.is_multiple_of(PAGE_BYTES) =>
            {
                Some((tier_reason::NOT_WHOLE_PAGES, Error::NotWholePages))
            }
            tier::MAPPED_ONCE
                if !self.config.contiguous
                    && info.bypass_missing != tier_reason::TRANSLATED
                    && len > PAGE_BYTES =>
            {
                Some((tier_reason::NOT_CONTIGUOUS, Error::NotContiguous))
            }
            _ => None,
        }
    }
}
