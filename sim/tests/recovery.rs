//! The device's own parts fail in the middle of a burst of 24 transfers: every transfer ends once, with the right bytes or a status that says that it
//! has none, and the bursts behind it are as fast as if nothing had been.

mod common;

use common::options;
use pinring_core::{Completion, Permissions, RegionHandle, Tier, TierPolicy, Transfer};
use pinring_protocol::limits::{HEARTBEAT_US, HEARTBEATS_OF_HEALTH, WATCHDOG_RESTARTS};
use pinring_protocol::registers::{self, DeviceStatus, ErrorInfo};
use pinring_protocol::{Direction, Status};
use pinring_sim::run::{Bench, DOMAIN};
use pinring_sim::scenario::{self, LayoutKind, Scenario, Strategy};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

const TRANSFERS: u64 = 24;
/// 64 KiB in scattered pages.
const BUFFER: u64 = 16 * 4096;

/// A chain with 24 buffers and a queue for one direction.
struct Rig {
    bench: Bench,
    direction: Direction,
    /// Bursts so far.
    rounds: u64,
}

fn length(number: u64) -> u64 {
    40_001 + 64 * number
}

/// Where the payload of a transfer begins in the endless stream of payload bytes.
fn position(round: u64, number: u64) -> u64 {
    (round << 32) + (0..number).map(length).sum::<u64>()
}

impl Rig {
    fn new(direction: Direction) -> Self {
        let mut scenario = Scenario::gen3_x4();
        scenario.buffers.count = TRANSFERS as u32;
        scenario.buffers.bytes = BUFFER;
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.burst.transfers = TRANSFERS as u32;
        scenario.burst.length_bytes = BUFFER;
        scenario.burst.direction = match direction {
            Direction::C2h => scenario::Direction::C2h,
            Direction::H2c => scenario::Direction::H2c,
        };
        let bench = Bench::with_regions(&scenario, Strategy::Registered, &options(), 64);
        let mut bench = bench.expect("the device starts");
        bench.machine().streams.allow_cuts();
        Self {
            bench,
            direction,
            rounds: 0,
        }
    }

    fn transfer(&self, number: u64) -> Transfer {
        Transfer {
            region: self.bench.regions[number as usize].1,
            offset: 5 * number,
            length: length(number),
            tdest: 0,
            user: 0,
            cookie: number,
        }
    }

    /// Registers all buffers once more, so that each transfer needs the firmware. Gives the old regions.
    fn register_anew(&mut self) -> Vec<RegionHandle> {
        let policy = TierPolicy {
            first: Tier::Bypass,
            last: Tier::Bypass,
        };
        let device = &mut self.bench.device;
        let anew = self.bench.regions.iter_mut().map(|(buffer, region)| {
            let new = device.register(*buffer, Permissions::BOTH, DOMAIN, policy);
            std::mem::replace(region, new.expect("there is room for it"))
        });
        anew.collect()
    }

    /// Source and sink, or the buffers, get what the round's transfers are to carry; user logic begins anew.
    fn announce(&mut self) {
        for number in 0..TRANSFERS {
            let at = position(self.rounds, number);
            if self.direction == Direction::H2c {
                let payload = self.bench.payload.clone();
                let id = self.bench.regions[number as usize].0;
                let (memory, buffers) = self.bench.device.platform_mut().memory_and_buffers();
                let (layout, first) = buffers.get(id).expect("it is locked");
                payload
                    .write_to(memory, layout, first + 5 * number, length(number), at)
                    .expect("it is in memory");
            }
            let streams = &mut self.bench.machine().streams;
            match self.direction {
                Direction::H2c => streams.expect(at, length(number), 0),
                Direction::C2h => streams.send(at, length(number), 0),
            }
        }
    }

    fn submit(&mut self) {
        let queue = self.bench.queue(self.direction).expect("it is used").handle;
        let transfers: Vec<_> = (0..TRANSFERS).map(|i| self.transfer(i)).collect();
        self.bench.machine().entries.clear();
        self.bench
            .device
            .submit(queue, &transfers)
            .expect("there is room");
    }

    fn reap(&mut self, ns: u64) -> Vec<Completion> {
        let queue = self.bench.queue(self.direction).expect("it is used").handle;
        self.bench
            .reap(queue, TRANSFERS as usize, ns)
            .expect("the run goes on")
    }

    fn arrived(&mut self, number: u64, round: u64) -> bool {
        let payload = self.bench.payload.clone();
        let id = self.bench.regions[number as usize].0;
        let (memory, buffers) = self.bench.device.platform_mut().memory_and_buffers();
        let (layout, first) = buffers.get(id).expect("it is locked");
        payload
            .check(
                memory,
                layout,
                first + 5 * number,
                length(number),
                position(round, number),
            )
            .is_ok()
    }

    /// Every transfer of the round has ended well, once and in order, with the right bytes.
    fn is_whole(&mut self, ended: &[Completion], what: &str) {
        let ends: Vec<_> = ended.iter().map(|end| (end.cookie, end.status)).collect();
        let expected: Vec<_> = (0..TRANSFERS).map(|number| (number, Status::Ok)).collect();
        assert_eq!(ends, expected, "{what}");
        for number in 0..TRANSFERS {
            assert!(
                self.arrived(number, self.rounds),
                "{what}: transfer {number}"
            );
        }
        self.bench.pass(50_000).expect("a legal link");
        assert_eq!(self.bench.machine().streams.unfinished(), 0, "{what}");
        assert_eq!(self.bench.machine().link.outstanding_reads(), 0, "{what}");
        assert!(self.reap(0).is_empty(), "{what}: none is reported twice");
        self.rounds += 1;
    }

    /// A burst of regions that the device knows, undisturbed: its nanoseconds from the first action to the last entry.
    fn timed(&mut self) -> u64 {
        self.announce();
        let begin = self.bench.machine().now_ps();
        self.submit();
        let ended = self.reap(10_000_000);
        let last = self.bench.machine().entries.back().expect("entries").at_ps;
        self.is_whole(&ended, "undisturbed");
        (last - begin) / 1000
    }

    fn restarts(&mut self) -> u64 {
        self.bench
            .device
            .read_register(&registers::FIRMWARE_RESTARTS)
    }

    /// Has the firmware run for so many of its heartbeats: the device's time stands still while nobody wants anything of it.
    fn stay_awake(&mut self, heartbeats: u32) {
        for _ in 0..heartbeats * HEARTBEAT_US / 50 + 1 {
            self.bench.pass(50_000).expect("a legal link");
            self.restarts();
        }
    }

    /// Kills the firmware and waits until the watchdog has restarted it.
    fn kill(&mut self) {
        let before = self.restarts();
        self.bench.machine().set_core_halt(true);
        for _ in 0..100 {
            self.bench.pass(10_000).expect("a legal link");
            if self.restarts() > before {
                self.bench.machine().set_core_halt(false);
                return;
            }
        }
        panic!("the watchdog sleeps");
    }

    /// Waits for admin commands: all of them succeed, each once.
    fn redeem_all(&mut self, mut left: usize) {
        for _ in 0..2000 {
            while let Some(event) = self.bench.device.poll_admin().expect("the admin queue") {
                event.result.expect("it is carried out");
                left = left.checked_sub(1).expect("each is answered once");
            }
            if left == 0 {
                return;
            }
            self.bench.pass(5_000).expect("a legal link");
        }
        panic!("{left} commands are not answered");
    }
}

/// The firmware dies at `points` moments, each in a burst whose transfers all need it, with regions being taken away meanwhile.
fn firmware_dies(direction: Direction, seed: u64, points: u64) {
    let mut rig = Rig::new(direction);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    rig.timed();
    let undisturbed = rig.timed();
    for point in 0..points {
        let old = rig.register_anew();
        rig.announce();
        rig.submit();
        for region in &old {
            rig.bench.device.unregister(*region).expect("room");
        }
        // Most of what the firmware does, it does early; each answer takes it about two microseconds.
        let longest = [60_000, 60_000, undisturbed][point as usize % 3];
        let after = random.next_u64() % longest;
        rig.bench.pass(after).expect("a legal link");
        rig.kill();
        let ended = rig.reap(10_000_000);
        // Reads of admin entries are over when the commands are.
        rig.redeem_all(old.len());
        rig.is_whole(
            &ended,
            &format!("seed {seed}, point {point}: after {after} ns"),
        );
        assert_eq!(rig.restarts(), point + 1);
        rig.stay_awake(HEARTBEATS_OF_HEALTH + 1);
    }
    assert!(rig.bench.device.check_health().is_ok());
    let info = rig.bench.device.read_register(&registers::ERROR_INFO) as u32;
    let info = ErrorInfo::from_raw(info);
    assert_eq!(info.status(), Ok(Status::FirmwareRestarted));
    let count = rig.bench.device.read_register(&registers::ERROR_COUNT);
    assert_eq!(count, points);
    rig.timed();
    let took = rig.timed();
    assert!(
        took.abs_diff(undisturbed) * 200 <= undisturbed,
        "{took} ns, undisturbed {undisturbed} ns"
    );
}

#[test]
fn firmware_that_dies_in_a_c2h_burst_loses_nothing() {
    firmware_dies(Direction::C2h, 1, 50);
}

#[test]
fn firmware_that_dies_in_an_h2c_burst_loses_nothing() {
    firmware_dies(Direction::H2c, 2, 50);
}

/// Firmware that does not stay alive is given up; the driver is told, and its reset ends every transfer once.
#[test]
fn firmware_that_keeps_dying_is_given_up() {
    let mut rig = Rig::new(Direction::H2c);
    let undisturbed = rig.timed().min(rig.timed());
    rig.register_anew();
    rig.announce();
    rig.submit();
    rig.bench.pass(4_000).expect("a legal link");
    rig.bench.machine().set_core_halt(true);
    rig.bench.pass(9_000_000).expect("a legal link");
    assert_eq!(rig.restarts(), u64::from(WATCHDOG_RESTARTS));
    let status = |rig: &mut Rig| {
        let raw = rig.bench.device.read_register(&registers::STATUS) as u32;
        DeviceStatus::from_raw(raw)
    };
    assert!(!status(&mut rig).firmware_stalled());
    rig.bench.pass(5_000_000).expect("a legal link");
    assert!(status(&mut rig).firmware_stalled());
    assert!(rig.bench.device.check_health().is_err());
    assert_eq!(rig.restarts(), u64::from(WATCHDOG_RESTARTS), "no more");

    rig.bench.machine().set_core_halt(false);
    reset(&mut rig);
    assert_eq!(rig.restarts(), 0);
    rig.timed();
    let took = rig.timed();
    assert!(
        took.abs_diff(undisturbed) * 200 <= undisturbed,
        "{took} ns, undisturbed {undisturbed} ns"
    );
}

/// What the platform does to the device in the middle of a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reset {
    /// Function-level reset.
    Function,
    /// The link goes down and comes up, as in a hot reset.
    Link,
}

/// Behind the platform's reset the device knows nothing any more; the driver finds that out, and its reset ends every transfer once.
fn platform_resets(kind: Reset, direction: Direction) {
    let mut rig = Rig::new(direction);
    rig.timed();
    let undisturbed = rig.timed();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    for point in 0..12 {
        let what = format!("{kind:?}, {direction:?}, {point}");
        if point % 2 == 0 {
            rig.register_anew().into_iter().for_each(|region| {
                rig.bench.device.unregister(region).expect("room");
            });
            rig.redeem_all(TRANSFERS as usize);
        }
        rig.announce();
        rig.submit();
        let after = random.next_u64() % undisturbed;
        rig.bench.pass(after).expect("a legal link");
        match kind {
            Reset::Function => rig.bench.machine().function_reset(),
            Reset::Link => rig.bench.machine().link_down(),
        }
        .expect("a legal link");
        assert!(rig.bench.device.check_health().is_err(), "{what}");
        rig.bench.restore_vectors();
        reset(&mut rig);
        let ended = rig.timed();
        assert!(ended < 2 * undisturbed, "{what}: {ended} ns");
    }
    let took = rig.timed();
    assert!(
        took.abs_diff(undisturbed) * 200 <= undisturbed,
        "{took} ns, undisturbed {undisturbed} ns"
    );
}

#[test]
fn a_function_level_reset_in_a_burst_ends_every_transfer_once() {
    platform_resets(Reset::Function, Direction::C2h);
    platform_resets(Reset::Function, Direction::H2c);
}

#[test]
fn a_link_that_goes_down_in_a_burst_ends_every_transfer_once() {
    platform_resets(Reset::Link, Direction::C2h);
    platform_resets(Reset::Link, Direction::H2c);
}

/// The driver resets the device: what had not ended has ended as aborted, each once.
fn reset(rig: &mut Rig) {
    rig.bench.device.reset().expect("open");
    let deadline = rig.bench.machine().now_ps() / 1000 + 100_000_000;
    while !rig.bench.device.poll_start(deadline).expect("it starts") {
        rig.bench.pass(5_000).expect("a legal link");
    }
    let ended = rig.reap(0);
    let cookies: Vec<_> = ended.iter().map(|end| end.cookie).collect();
    assert_eq!(cookies, (0..TRANSFERS).collect::<Vec<_>>());
    let first = ended.iter().position(|end| end.status == Status::Aborted);
    let (well, aborted) = ended.split_at(first.unwrap_or(ended.len()));
    assert!(well.iter().all(|end| end.status == Status::Ok));
    assert!(aborted.iter().all(|end| end.status == Status::Aborted));
    let width = 128 / 8;
    let payload = rig.bench.payload.clone();
    rig.bench.machine().streams =
        pinring_sim::device::Streams::new(width, payload, 100, 100, rig.rounds);
    rig.bench.machine().streams.allow_cuts();
    assert_eq!(rig.bench.machine().link.outstanding_reads(), 0);
    rig.rounds += 1;
    rig.redeem_all(1);
}
