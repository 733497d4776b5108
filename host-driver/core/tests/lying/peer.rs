//! The driver core against a device that lies: bytes are decoded into a sequence of calls, of honest work by the device, and of whatever it
//! writes into completion rings and shows in registers.
//!
//! Judged against a model of what was submitted: each completion is that of the oldest transfer in flight, as it was submitted, of no more
//! bytes than it has; each transfer is reported once, at the latest when the device is closed; the core touches no memory but its own, and
//! leaves nothing mapped.

use std::collections::{BTreeSet, VecDeque};

use pinring_core::mock::{Mock, MockBus};
use pinring_core::{
    AdminEvent, Completion, Config, Device, Notify, Permissions, QueueConfig, QueueError,
    QueueHandle, RegionHandle, Ticket, Tier, TierPolicy, Transfer,
};
use pinring_protocol::{CompletionEntry, Direction, Status, registers};

/// Entries of a queue's rings.
const ENTRIES: u32 = 8;
/// Bytes of a region.
const REGION: u64 = 3 * 4096 + 100;
const DOMAIN: u32 = 7;

/// Bytes of a sequence, taken from the front; behind the end they are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next())
    }
}

struct Lane {
    queue: QueueHandle,
    direction: Direction,
    in_flight: VecDeque<Transfer>,
}

struct World {
    mock: Mock,
    device: Device<Mock>,
    lanes: Vec<Lane>,
    regions: Vec<RegionHandle>,
    /// Tickets that wait.
    tickets: BTreeSet<u64>,
    redeemed: BTreeSet<u64>,
    cookie: u64,
}

/// Runs a sequence; returns how many transfers were reported.
///
/// # Panics
/// The core did what it must not.
pub fn run(sequence: &[u8]) -> u64 {
    let mut bytes = Bytes(sequence);
    let mut world = World::new();
    let mut reported = 0;
    while !bytes.0.is_empty() {
        reported += world.step(&mut bytes);
    }
    reported + world.end()
}

impl World {
    fn new() -> Self {
        let mock = Mock::new();
        let config = Config {
            regions: 16,
            lists: 2,
            list_length: 1 << 16,
            ..Config::default()
        };
        let device = Device::open(mock.clone(), config).expect("an honest device opens");
        let mut world = Self {
            mock,
            device,
            lanes: Vec::new(),
            regions: Vec::new(),
            tickets: BTreeSet::new(),
            redeemed: BTreeSet::new(),
            cookie: 0xc00c_1e00,
        };
        world.wait();
        for direction in [Direction::C2h, Direction::H2c] {
            let queue = world.create(direction);
            world.lanes.push(Lane {
                queue,
                direction,
                in_flight: VecDeque::new(),
            });
            let buffer = world.mock.lock_scattered(40, REGION);
            let policy = TierPolicy::exactly(Tier::Bypass);
            let region = world
                .device
                .register(buffer, Permissions::BOTH, DOMAIN, policy)
                .expect("the tier can be had");
            world.regions.push(region);
        }
        world.mock.run();
        world.poll();
        world
    }

    fn create(&mut self, direction: Direction) -> QueueHandle {
        let config = QueueConfig {
            direction,
            domain: DOMAIN,
            entries: ENTRIES,
            vector: 1,
            tdest_first: 0,
            tdest_last: 0,
            notify: Notify::Poll,
        };
        let created = self.device.create_queue(config);
        let (queue, ticket) = created.expect("there is room");
        self.tickets.insert(ticket.0);
        queue
    }

    /// One step; returns how many transfers it reported.
    fn step(&mut self, bytes: &mut Bytes) -> u64 {
        let (what, which) = (bytes.next(), bytes.next());
        let place = usize::from(which) % self.lanes.len();
        match what % 12 {
            0 | 1 => self.submit(place, bytes),
            2 => drop(self.mock.run_at_most(usize::from(which % 4) + 1)),
            3 | 4 => self.forge(self.lanes[place].queue.id(), place, bytes),
            // The admin queue's ring.
            5 => self.forge(0, place, bytes),
            6 | 7 => return self.reap(place),
            8 => self.poll(),
            9 => self.lie(bytes),
            10 => self.command(which, bytes),
            _ => {
                let _ = self.device.arm(self.lanes[place].queue);
                let _ = self.device.check_health();
                let mut log = [0; 16];
                assert!(self.device.take_log(&mut log) <= log.len());
            }
        }
        0
    }

    fn submit(&mut self, place: usize, bytes: &mut Bytes) {
        let count = usize::from(bytes.next() % 4) + 1;
        let transfers: Vec<_> = (0..count)
            .map(|_| {
                let [region, offset, low, high] = bytes.number();
                self.cookie += 1;
                let offset = u64::from(offset) * 8;
                let length = u64::from(u16::from_le_bytes([low, high])) % (REGION - offset) + 1;
                Transfer {
                    region: self.regions[usize::from(region) % self.regions.len()],
                    offset,
                    length,
                    tdest: 0,
                    user: self.cookie as u32,
                    cookie: self.cookie,
                }
            })
            .collect();
        let lane = &mut self.lanes[place];
        // A region that is being cancelled, a full ring, a stopped queue: all or nothing.
        if self.device.submit(lane.queue, &transfers).is_ok() {
            lane.in_flight.extend(transfers);
        }
    }

    /// The device writes a completion entry of its own making: one that would be right but for some bytes, or anything.
    fn forge(&mut self, id: u16, place: usize, bytes: &mut Bytes) {
        let ring = self.mock.host().device.completion_ring(id);
        if ring == 0 {
            return;
        }
        let [how, slot, at, with] = bytes.number();
        let mut entry = match how % 4 {
            0 => bytes.number::<{ CompletionEntry::BYTES }>(),
            _ => self.plausible(id, place, slot).encode(),
        };
        if how % 4 > 1 {
            entry[usize::from(at) % entry.len()] ^= with;
        }
        let slot = u64::from(slot) % u64::from(ENTRIES);
        self.mock
            .host_mut()
            .bus_write(ring + slot * CompletionEntry::BYTES as u64, &entry);
    }

    fn plausible(&self, id: u16, place: usize, slot: u8) -> CompletionEntry {
        let entry = CompletionEntry::new()
            .with_queue(id)
            .with_slot(slot.into())
            .with_phase((u32::from(slot) / ENTRIES).is_multiple_of(2));
        match self.lanes[place].in_flight.front() {
            Some(oldest) if id != 0 => entry
                .with_cookie(oldest.cookie)
                .with_user(oldest.user)
                .with_bytes_moved(oldest.length),
            _ => entry.with_cookie(self.tickets.first().copied().unwrap_or(0)),
        }
    }

    /// Registers read as the device likes.
    fn lie(&mut self, bytes: &mut Bytes) {
        let told = [
            &registers::STATUS,
            &registers::FIRMWARE_STATE,
            &registers::ERROR_INFO,
            &registers::CONTROL,
            &registers::LAYOUT_HASH,
            &registers::LOG_DATA,
        ];
        let which = bytes.next();
        let value = u64::from_le_bytes(bytes.number());
        let mut host = self.mock.host_mut();
        match told.get(usize::from(which) % (told.len() + 1)) {
            Some(register) => host.device.set(register, value),
            None => host.device.gone = value & 1 != 0,
        }
    }

    fn command(&mut self, which: u8, bytes: &mut Bytes) {
        let place = usize::from(bytes.next()) % self.lanes.len();
        let queue = self.lanes[place].queue;
        let ticket = match which % 6 {
            0 => self.device.cancel_queue(queue).ok(),
            1 => {
                let place = place % self.regions.len();
                let cancelled = self.device.cancel_region(self.regions[place]).ok();
                cancelled.map(|(region, ticket)| {
                    self.regions[place] = region;
                    ticket
                })
            }
            2 => self.device.flush_log().ok(),
            3 => self.device.drain(queue).ok().and(None),
            4 => self.device.resume(queue).ok().and(None),
            _ => {
                // What was sent and not answered is settled by the reset, or taken up again.
                if self.device.reset().is_ok() {
                    for _ in 0..6 {
                        let _ = self.device.poll_start(1);
                    }
                }
                None
            }
        };
        if let Some(Ticket(number)) = ticket {
            assert!(self.tickets.insert(number), "ticket {number} given twice");
        }
    }

    fn poll(&mut self) {
        while let Ok(Some(event)) = self.device.poll_admin() {
            self.redeem(event);
        }
    }

    fn redeem(&mut self, event: AdminEvent) {
        // A reset gives tickets that nobody has asked for.
        self.tickets.remove(&event.ticket.0);
        let first = self.redeemed.insert(event.ticket.0);
        assert!(first, "{:?} was redeemed twice", event.ticket);
        if let Some(retired) = event.retired {
            self.device.settle(retired);
        }
    }

    fn reap(&mut self, place: usize) -> u64 {
        let lane = &mut self.lanes[place];
        let mut reported = Vec::new();
        let _ = self.device.reap(lane.queue, |end| reported.push(end));
        let count = reported.len() as u64;
        for end in reported {
            lane.ended(end);
        }
        let left = self.device.in_flight(lane.queue);
        assert_eq!(left, Ok(lane.in_flight.len()));
        count
    }

    fn is_gone(&mut self, place: usize) -> bool {
        let queue = self.lanes[place].queue;
        self.device.room(queue) == Err(QueueError::Stale(queue))
    }

    /// Polls until the device serves.
    fn wait(&mut self) {
        let serves = (0..20).any(|_| self.device.poll_start(1) == Ok(true));
        assert!(serves, "an honest device starts");
    }

    /// The device is honest from here on: a reset brings everything back, and closing leaves nothing behind.
    fn end(mut self) -> u64 {
        {
            let mut host = self.mock.host_mut();
            host.device.gone = false;
            for register in [
                &registers::STATUS,
                &registers::FIRMWARE_STATE,
                &registers::ERROR_INFO,
                &registers::CONTROL,
                &registers::LOG_DATA,
            ] {
                host.device.set(register, 0);
            }
            let hash = pinring_protocol::LAYOUT_HASH;
            host.device.set(&registers::LAYOUT_HASH, hash);
        }
        self.device.reset().expect("it is not closed");
        self.wait();
        for _ in 0..4 {
            self.mock.run();
            self.poll();
        }
        let mut reported = 0;
        for place in 0..self.lanes.len() {
            reported += self.reap(place);
            assert_eq!(self.lanes[place].in_flight.len(), 0, "lost");
        }
        // What was stopped by a lie serves again.
        for place in 0..self.lanes.len() {
            let transfer = Transfer {
                region: self.regions[0],
                offset: 0,
                length: 100,
                tdest: 0,
                user: 1,
                cookie: 1,
            };
            // A device that refused to create the queue again has none: that is no lie that could be seen.
            if self.is_gone(place) {
                self.lanes[place].queue = self.create(self.lanes[place].direction);
                self.mock.run();
                self.poll();
            }
            let lane = &mut self.lanes[place];
            let _ = self.device.resume(lane.queue);
            self.device
                .submit(lane.queue, &[transfer])
                .expect("the queue serves after a reset");
            lane.in_flight.push_back(transfer);
            self.mock.run();
            assert_eq!(self.reap(place), 1, "the queue serves after a reset");
        }
        self.device
            .close()
            .expect("bus mastering can be taken away");
        let host = self.mock.host();
        assert_eq!((host.counts.dma_memory, host.counts.mappings), (0, 0));
        let touched = |what: &&String| what.starts_with("the core") || what.contains("twice");
        let of_core: Vec<_> = host.violations.iter().filter(touched).collect();
        assert!(of_core.is_empty(), "{of_core:?}");
        reported
    }
}

impl Lane {
    /// A completion was reported.
    fn ended(&mut self, end: Completion) {
        let oldest = self.in_flight.pop_front();
        let oldest = oldest.unwrap_or_else(|| panic!("{end:?}, and nothing is in flight"));
        assert_eq!(
            (end.queue, end.cookie, end.user, end.region),
            (self.queue, oldest.cookie, oldest.user, oldest.region)
        );
        assert!(end.bytes <= oldest.length, "{end:?} of {oldest:?}");
        let short = self.direction == Direction::C2h && end.end_of_packet;
        assert!(
            end.status != Status::Ok || end.bytes == oldest.length || short,
            "{end:?} of {oldest:?}"
        );
    }
}
