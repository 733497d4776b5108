//! A driver double in memory, and a card that moves the demo's pattern: for tests of applications.
//!
//! It honours the contract of the control codes ([`pinring_ioctl`]): pended registrations, all-or-nothing batches, one completion for
//! each transfer, errors, cancellation. Its time is virtual: each call costs a little, a wait jumps to what happens next, and nothing happens
//! between calls. Times of mapping and transfer follow from [`Config`]. It is a double for one thread at a time.

mod requests;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinring_ioctl::{Code, DeviceInfo, Statistics};

use crate::{Pending, Status, Transport};
use world::World;

/// What the double is like.
#[derive(Clone, Debug)]
pub struct Config {
    /// What QUERY_DEVICE gives: tiers, caps, ring and limits are obeyed.
    pub info: DeviceInfo,
    /// Pages of registered buffers are taken for contiguous.
    pub contiguous: bool,
    /// Nanoseconds of one call.
    pub call_ns: u64,
    /// Nanoseconds to prepare a list: for each, and for each of its pages.
    pub list_ns: (u64, u64),
    /// Nanoseconds to lock a page at registration.
    pub lock_ns: u64,
    /// Nanoseconds from submission to the first byte.
    pub latency_ns: u64,
    /// Bytes per microsecond on the link, each way, and of copies.
    pub link_bytes_per_us: u64,
    /// Bytes per microsecond of COPY_IN and COPY_OUT.
    pub copy_bytes_per_us: u64,
    /// Bytes of the source's packets.
    pub packet_bytes: u64,
    /// Seed of source and sink.
    pub seed: u32,
    /// TDESTs of the device: 0 to this, exclusively.
    pub tdests: u16,
    /// The streams stand still: no transfer ends on its own.
    pub stalled: bool,
    /// Nanoseconds that the device takes to let go of a region: until then it is no application's, but exists.
    pub teardown_ns: u64,
    /// Nanoseconds of a cancellation, the aborted transfers reported or not: of a region with a lasting mapping, which takes no transfers
    /// meanwhile, or of everything, when what is submitted meanwhile waits.
    pub cancel_ns: u64,
    /// Nanoseconds until a registration that has been started is made.
    pub registration_ns: u64,
    /// Registrations begin well and fail with this when `registration_ns` have passed.
    pub late_failure: Option<Status>,
    /// Fails the next request of this code, in this way.
    pub fail: Option<(Code, Status)>,
    /// Bytes of the firmware's log.
    pub log: Vec<u8>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            info: DeviceInfo {
                interface_version: pinring_ioctl::VERSION,
                driver_version: 1,
                layout_hash: 0x1122_3344_5566_7788,
                features: 0x7,
                device_version: 1,
                clock_hz: 250_000_000,
                data_width_bits: 128,
                queues: 16,
                messages: 4,
                max_regions: 64,
                ring_entries: 256,
                prepare_depth: 4,
                max_transfer_bytes: 128 << 20, // As the driver has it.
                max_locked_bytes_per_handle: 2 << 30,
                max_locked_bytes: 4 << 30,
                running: 1,
                ..DeviceInfo::default()
            },
            contiguous: false,
            call_ns: 1_000,
            list_ns: (8_000, 142),
            lock_ns: 150,
            latency_ns: 2_000,
            link_bytes_per_us: 13_000,
            copy_bytes_per_us: 12_000,
            packet_bytes: u64::MAX,
            seed: 0,
            tdests: 16,
            stalled: false,
            teardown_ns: 5_000,
            cancel_ns: 20_000,
            registration_ns: 0,
            late_failure: None,
            fail: None,
            log: Vec::new(),
        }
    }
}

/// A handle of the double. Clones are the same handle, so that a test may look behind the scenes.
#[derive(Clone)]
pub struct Loopback {
    world: Arc<Mutex<World>>,
}

impl Loopback {
    /// One with every tier.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// One that is like this.
    pub fn with(config: Config) -> Self {
        Self {
            world: Arc::new(Mutex::new(World::new(config))),
        }
    }

    /// Changes what it is like from now on.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.world().config);
    }

    /// Regions that exist, and requests that are pended: none should be left in the end.
    pub fn left(&self) -> (usize, usize) {
        let world = self.world();
        (world.regions.len(), world.requests.len())
    }

    /// Bytes that the sink has taken, and how many packets were wrong.
    pub fn sink(&self) -> (u64, u64) {
        self.world().sink
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        self.world().statistics()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Loopback {
    unsafe fn start(
        &self,
        code: Code,
        input: &[u8],
        buffer: *mut u8,
        len: usize,
    ) -> Result<Pending, Status> {
        // SAFETY: the caller's promise is the one that the world wants.
        unsafe { self.world().start(code, input, buffer, len) }.map(Pending::new)
    }

    fn wait(&self, pending: &Pending, timeout_ns: Option<u64>) -> Option<Result<usize, Status>> {
        self.world().wait(pending.id(), timeout_ns)
    }

    fn cancel(&self, pending: &Pending) {
        self.world().cancel_request(pending.id());
    }

    fn now_ns(&self) -> u64 {
        self.world().now_ns
    }

    fn relax(&self) {
        self.world().advance(100);
    }

    fn sleep(&self, ns: u64) {
        self.world().advance(ns);
    }
}
