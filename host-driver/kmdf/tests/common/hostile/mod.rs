//! Hostile sequences of requests, and a model of what the driver must accept.
//!
//! A sequence is bytes: a head of four, then a record of [`RECORD`] bytes per step. Property test and fuzz target share it, so that
//! what one finds the other can keep. Eight handles of two processes ([`ACTORS`]) send requests of every code, right and wrong ones;
//! after each step,
//!
//! - what the model wants accepted was accepted, and what was refused gives a reason that applies;
//! - what every handle is told of its regions, and of the counters that the model knows, is what the model has: nothing that was
//!   refused has changed anything;
//! - completions come in order, once, to their own handle, and data that nothing else touched meanwhile is right.
//!
//! At the end every transfer has been reported, memory that nothing was allowed to write is as before, and the double's verifier has
//! found nothing, neither leaks.

use std::collections::VecDeque;

use kmdf_sim::dma::{DmaConfig, OsVersion, Translation};
use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::user::{self, Handle, Output, Pending, Process};
use kmdf_sim::{
    Config, FILE_READ_DATA, FILE_WRITE_DATA, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_NO_SUCH_DEVICE,
};
use pinring_core::mock::{MockDevice, cookie_byte};
use pinring_ioctl::{self as ioctl, Code, Error, direction, permissions, scope, tier};
use zerocopy::{FromBytes, IntoBytes};

use super::Bench;
use look::compare_region;
use model::{Choices, Content, File, Flight, Place, Reasons, Region, Wait, overlaps};

mod build;
mod effects;
mod judge;
mod look;
mod model;

/// Bytes of a step.
pub const RECORD: usize = 16;
/// Steps of a sequence at most: more say no more, and cost time.
pub const STEPS: usize = 96;

/// Bytes of the head.
pub const HEAD: usize = 4;
/// Memory of each process that requests name.
const ARENA: usize = 1 << 16;
/// The registry's caps in bytes.
const HANDLE_CAP: u64 = 1 << 20;
const DEVICE_CAP: u64 = 1 << 20;
/// Transfers that a handle may have outstanding per direction.
const RING: usize = 32;
/// What a buffer for output holds before.
const UNTOUCHED: u8 = 0xee;
/// The protocol's status of what was aborted.
const ABORTED: u16 = 1;

/// A handle that requests are sent on.
struct Actor {
    /// The process that uses it: 0 or 1.
    process: usize,
    /// The file that it is of.
    file: usize,
}

/// Files: who opens them, access, overlapped.
const FILES: [(usize, u32, bool); 6] = [
    (0, FILE_READ_DATA | FILE_WRITE_DATA, true),
    (1, FILE_READ_DATA | FILE_WRITE_DATA, true),
    (1, FILE_READ_DATA | FILE_WRITE_DATA, false),
    (1, FILE_READ_DATA, true),
    (1, FILE_WRITE_DATA, true),
    (1, 0, true),
];

/// Handles; the second of a file is a duplicate in the other process.
const ACTORS: [Actor; 8] = [
    actor(0, 0),
    actor(1, 1),
    actor(0, 1),
    actor(1, 2),
    actor(1, 3),
    actor(1, 4),
    actor(1, 5),
    actor(0, 2),
];

const fn actor(process: usize, file: usize) -> Actor {
    Actor { process, file }
}

/// What sequences came to, so that a test can see that they reach what they are for: by place in [`Code::ALL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// Requests that were accepted.
    pub accepted: [u64; Code::ALL.len()],
    /// Requests that the driver refused.
    pub refused: [u64; Code::ALL.len()],
    /// Requests with codes that are none.
    pub unknown: u64,
    /// Requests that never reached the driver.
    pub stopped: u64,
    /// Transfers that ended well, and with their data seen to be right.
    pub transfers: u64,
    /// See above.
    pub checked: u64,
    /// Times that the device slept and woke.
    pub sleeps: u64,
    /// Times that the device was pulled out, and that it was given up behind a reset that did not end; another came in its place.
    pub losses: [u64; 2],
    /// Reasons that were given, as bits by number.
    pub reasons: u64,
}

impl Reached {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.accepted.iter_mut().zip(other.accepted) {
            *sum += more;
        }
        for (sum, more) in self.refused.iter_mut().zip(other.refused) {
            *sum += more;
        }
        self.unknown += other.unknown;
        self.stopped += other.stopped;
        self.transfers += other.transfers;
        self.checked += other.checked;
        self.sleeps += other.sleeps;
        self.losses = core::array::from_fn(|at| self.losses[at] + other.losses[at]);
        self.reasons |= other.reasons;
    }
}

struct Host {
    bench: Bench,
    processes: [Process; 2],
    translation: Translation,
    arenas: [UserBuffer; 2],
    /// Memory that no request names.
    others: [UserBuffer; 2],
    handles: [Handle; ACTORS.len()],
    files: [File; FILES.len()],
    /// The arenas', then those of allocations.
    contents: Vec<Content>,
    /// Handles that were good once.
    stale: Vec<u64>,
    device_info: ioctl::DeviceInfo,
    batches: u64,
    transfers: u64,
    registrations: u64,
    /// H2C transfers that may have reached the device without being reported as well done.
    unreported: usize,
    h2c_accepted: usize,
    next_cookie: u64,
    /// The device is gone, and the next is not there yet.
    lost: bool,
    reached: Reached,
}

/// Runs a sequence.
///
/// # Panics
/// The driver did what the model does not have, or broke a rule.
pub fn run(sequence: &[u8]) -> Reached {
    let head: [u8; HEAD] = core::array::from_fn(|at| sequence.get(at).copied().unwrap_or(0));
    let mut host = Host::new(head);
    let steps = sequence.get(HEAD..).unwrap_or(&[]);
    for record in steps.chunks(RECORD).take(STEPS) {
        host.step(&mut Choices(record));
        host.check();
    }
    host.end()
}

impl Host {
    fn new([kind, seed, more, speed]: [u8; HEAD]) -> Self {
        let translation = [
            Translation::Direct,
            Translation::Remapping,
            Translation::Bounce,
        ][usize::from(kind % 3)];
        let seed = u64::from(seed) | u64::from(more) << 8;
        let config = Config {
            dma: DmaConfig {
                map_registers: if kind & 16 == 0 { 5 } else { 33_000 },
                os: match translation {
                    Translation::Bounce => OsVersion::Windows10,
                    _ => OsVersion::Windows11,
                },
                ..DmaConfig::with_translation(translation)
            },
            registry: vec![
                ("MaxLockedMiBPerHandle".into(), (HANDLE_CAP >> 20) as u32),
                ("MaxLockedMiB".into(), (DEVICE_CAP >> 20) as u32),
                ("RingEntries".into(), RING as u32),
            ],
            preempt: kind & 32 != 0,
            seed,
            stack_bytes: 256 << 10,
            ..Config::default()
        };
        let mut bench = Bench::new(config);
        bench.device.borrow_mut().step_bytes = 64 << (speed % 8);
        let processes = [(); 2].map(|()| bench.machine.process().expect("a process"));
        let memory = |bytes: usize, salt: u8| {
            let buffer = UserBuffer::new(bytes, &PageLayout::Shuffled).expect("memory");
            let pattern: Vec<u8> = (0..bytes)
                .map(|at| (at as u8).wrapping_mul(7) ^ salt)
                .collect();
            buffer.write(0, &pattern);
            buffer
        };
        let arenas = [memory(ARENA, 0x11), memory(ARENA, 0x22)];
        let others = [memory(8192, 0x33), memory(8192, 0x44)];
        let contents = arenas
            .iter()
            .map(|arena| Content {
                bytes: arena.to_vec(),
                unknown: vec![false; ARENA],
            })
            .collect();
        let handles = open_all(&mut bench, &processes);
        let device_info = bench
            .machine
            .run(Some(processes[0]), || {
                crate::common::ask(handles[0], ioctl::QUERY_DEVICE, &[]).expect("the device")
            })
            .expect("it goes on");
        Self {
            bench,
            processes,
            translation,
            arenas,
            others,
            handles,
            files: Default::default(),
            contents,
            stale: Vec::new(),
            device_info,
            batches: 0,
            transfers: 0,
            registrations: 0,
            unreported: 0,
            h2c_accepted: 0,
            next_cookie: 0,
            lost: false,
            reached: Reached::default(),
        }
    }

    /// Runs something as a process.
    fn within<R: 'static>(&mut self, process: usize, body: impl FnOnce() -> R) -> R {
        let process = self.processes[process];
        match self.bench.machine.run(Some(process), body) {
            Ok(result) => result,
            Err(_) => panic!("{}", self.bench.machine.report()),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let kind = choices.byte();
        match kind % 32 {
            // Half of what happens is in order, so that there is something to disturb.
            0..12 => {
                let who = choices.byte() % ACTORS.len();
                // The first handle is asked most.
                let who = if who > 3 { 0 } else { who };
                self.request(who, choices, true);
            }
            12..26 => {
                let who = choices.byte() % ACTORS.len();
                self.request(who, choices, false);
            }
            26 => self.cancel_io(choices),
            27 => match choices.byte() % 8 {
                0 => self.lose(true),
                1 => self.lose(false),
                _ => self.sleep(choices),
            },
            28 => {
                // The firmware is busy, so that commands stay under way; less than a second in all, behind which it is reset.
                let silent = choices.byte() & 1 == 0;
                self.bench.device.borrow_mut().silent = silent;
            }
            29 => {
                let time = 1_000 << (choices.byte() % 24);
                self.within(0, || user::sleep_ps(time));
            }
            30 => self.settle(),
            _ => {
                let file = 1 + choices.byte() % (FILES.len() - 1);
                self.reopen(file);
            }
        }
    }

    /// The device sleeps and wakes: registrations stay, and what was in flight is reported as aborted if it did not end before.
    fn sleep(&mut self, choices: &mut Choices<'_>) {
        for flight in self
            .files
            .iter_mut()
            .flat_map(|file| &mut file.lanes)
            .flatten()
        {
            flight.may_abort = true;
        }
        self.bench.machine.sleep().expect("it goes on");
        let time = 1_000 << (choices.byte() % 24);
        self.within(0, || user::sleep_ps(time));
        assert_eq!(self.bench.machine.wake(), Ok(0));
        self.reached.sleeps += 1;
    }

    /// The device is pulled out, or given up behind a reset that does not end; everything ends, and another device begins anew.
    fn lose(&mut self, pulled: bool) {
        self.lost = true;
        for file in &mut self.files {
            for region in &mut file.regions {
                region.leaving.get_or_insert(Error::Gone.status());
            }
            for wait in &mut file.waits {
                wait.cancelled = true;
            }
            for flight in file.lanes.iter_mut().flatten() {
                flight.may_abort = true;
            }
        }
        if pulled {
            self.bench.machine.surprise_remove().expect("it goes on");
        } else {
            self.bench.device.borrow_mut().reset_stuck = true;
            self.bench.machine.sleep().expect("it goes on");
        }
        self.settle();
        for (who, actor) in ACTORS.iter().enumerate() {
            let handle = self.handles[who];
            self.within(actor.process, || user::close(handle))
                .expect("it was open");
        }
        self.settle();
        if !pulled {
            self.bench.device.borrow_mut().reset_stuck = false;
            let woken = self.bench.machine.wake();
            assert!(woken.is_ok_and(|status| status < 0), "{woken:?}");
            // One that does not come back from its sleep has been removed.
            let removed = self.bench.machine.remove();
            assert!(
                matches!(removed, Ok(0 | STATUS_NO_SUCH_DEVICE)),
                "{removed:?}"
            );
        }
        let mut device = MockDevice::new();
        device.step_bytes = self.bench.device.borrow().step_bytes;
        device.by_cookie = true;
        *self.bench.device.borrow_mut() = device;
        let added = self.bench.machine.add_device();
        assert_eq!(added, Ok(0), "{}", self.bench.machine.report());
        for file in &mut self.files {
            let old = core::mem::take(file);
            assert!(old.regions.is_empty() && old.waits.is_empty());
        }
        (self.batches, self.transfers, self.registrations) = (0, 0, 0);
        self.unreported = 0;
        self.handles = open_all(&mut self.bench, &self.processes);
        self.lost = false;
        self.reached.losses[usize::from(!pulled)] += 1;
    }

    /// Time passes until nothing happens by itself any more.
    fn settle(&mut self) {
        self.bench.device.borrow_mut().silent = false;
        let settled = self.bench.machine.settle();
        assert!(settled.is_ok(), "{}", self.bench.machine.report());
        self.poll();
        for file in &mut self.files {
            for region in &mut file.regions {
                assert!(
                    region.leaving.is_none() || region.pending.is_none(),
                    "region {:#x} never ends",
                    region.info.handle
                );
                region.cancelling = false;
            }
            // Those of allocations: nobody says so.
            file.regions.retain(|region| region.leaving.is_none());
            if let Some(first) = file.waits.front() {
                let outstanding: usize = file.lanes.iter().map(VecDeque::len).sum();
                assert!(
                    !first.cancelled && first.least > outstanding,
                    "a WAIT for {} of {outstanding} never ends",
                    first.least
                );
            }
        }
    }

    /// Cancels what was started, as CancelIoEx does: something, or everything, of a handle; or with another's handle.
    fn cancel_io(&mut self, choices: &mut Choices<'_>) {
        let (who, which, how) = (
            choices.byte() % ACTORS.len(),
            choices.byte(),
            choices.byte(),
        );
        let Actor { process, file: own } = ACTORS[who];
        let of = if how % 4 == 0 {
            which / 16 % FILES.len()
        } else {
            own
        };
        let file = &self.files[of];
        let started: Vec<Pending> = file
            .regions
            .iter()
            .filter_map(|region| region.pending)
            .chain(file.waits.iter().map(|wait| wait.pending))
            .collect();
        let one = (!started.is_empty()).then(|| started[which % started.len()]);
        // Everything now and then, or the sequence has nothing left.
        let one = if how % 16 == 5 { None } else { one };
        let nothing = started.is_empty() || (of != own && one.is_some());
        let (everything, handle) = (one.is_none(), self.handles[who]);
        if everything && how % 16 != 5 {
            return;
        }
        let found = self.within(process, || user::cancel_io_ex(handle, one));
        assert!(
            !(nothing && found && !everything),
            "somebody else's was cancelled"
        );
        if of != own && !everything {
            return;
        }
        let file = &mut self.files[own];
        let meant = |pending: Pending| one.is_none_or(|one| one == pending);
        for wait in &mut file.waits {
            wait.cancelled |= meant(wait.pending);
        }
        let leaving: Vec<u64> = file
            .regions
            .iter()
            .filter(|region| region.leaving.is_none() && region.pending.is_some_and(meant))
            .map(|region| region.info.handle)
            .collect();
        for handle in leaving {
            self.leave(own, handle, STATUS_CANCELLED);
        }
    }

    /// Closes a file's handles, and opens others like them.
    fn reopen(&mut self, at: usize) {
        self.close(at);
        let handles = &mut self.handles;
        open_file(&mut self.bench, &self.processes, at, handles);
    }

    fn close(&mut self, at: usize) {
        for (who, actor) in ACTORS.iter().enumerate() {
            if actor.file == at {
                let handle = self.handles[who];
                self.within(actor.process, || user::close(handle))
                    .expect("it was open");
            }
        }
        let file = &mut self.files[at];
        for wait in &mut file.waits {
            wait.cancelled = true;
        }
        for region in &mut file.regions {
            region.leaving.get_or_insert(STATUS_CANCELLED);
        }
        self.stale
            .extend(file.regions.iter().map(|region| region.info.handle));
        // WAITs may have taken some; the others are of nobody now.
        for flight in file.lanes.iter_mut().flatten() {
            flight.may_abort = true;
        }
        self.settle();
        let file = &mut self.files[at];
        assert!(
            file.regions.is_empty() && file.waits.is_empty(),
            "something is left of file {at}"
        );
        self.unreported += file.lanes[1].len();
        for lane in &mut file.lanes {
            lane.clear();
        }
    }

    /// Lets everything end, takes everything back, and looks for what is left.
    fn end(mut self) -> Reached {
        for (at, (.., overlapped)) in FILES.into_iter().enumerate() {
            let who = ACTORS
                .iter()
                .position(|actor| actor.file == at)
                .expect("one");
            let (process, handle) = (ACTORS[who].process, self.handles[who]);
            // WAITs that ask for too much.
            self.within(process, || user::cancel_io_ex(handle, None));
            let file = &mut self.files[at];
            for wait in &mut file.waits {
                wait.cancelled = true;
            }
            let pended: Vec<u64> = file
                .regions
                .iter()
                .filter(|region| region.leaving.is_none() && region.pending.is_some())
                .map(|region| region.info.handle)
                .collect();
            for region in pended {
                self.leave(at, region, STATUS_CANCELLED);
            }
            self.settle();
            let left = self.files[at].outstanding();
            if left != 0 && overlapped {
                let input = ioctl::Wait {
                    least: left as u32,
                    reserved: 0,
                };
                let room = Place::Own((left + 1) * ioctl::Completion::BYTES);
                self.send(who, ioctl::WAIT.value(), input.as_bytes(), room);
                assert_eq!(self.files[at].outstanding(), 0, "file {at}");
            }
            self.close(at);
        }
        for process in 0..2 {
            self.compare_arena(process, 0, ARENA, "at the end");
        }
        for (buffer, salt) in self.others.iter().zip([0x33, 0x44]) {
            for (at, byte) in buffer.to_vec().into_iter().enumerate() {
                assert_eq!(
                    byte,
                    (at as u8).wrapping_mul(7) ^ salt,
                    "memory of nobody's"
                );
            }
        }
        assert!(self.bench.device.borrow().packets_out.len() <= self.unreported);
        let Self {
            bench,
            arenas,
            others,
            reached,
            ..
        } = self;
        drop((arenas, others));
        bench.end();
        reached
    }
}

fn open_all(bench: &mut Bench, processes: &[Process; 2]) -> [Handle; ACTORS.len()] {
    let first = bench
        .machine
        .run(Some(processes[0]), || user::open(FILES[0].1, FILES[0].2))
        .expect("it goes on")
        .expect("the device opens");
    let mut handles = [first; ACTORS.len()];
    for at in 1..FILES.len() {
        open_file(bench, processes, at, &mut handles);
    }
    handles
}

fn open_file(
    bench: &mut Bench,
    processes: &[Process; 2],
    at: usize,
    handles: &mut [Handle; ACTORS.len()],
) {
    let (owner, access, overlapped) = FILES[at];
    let mut opened: Option<Handle> = None;
    for (who, actor) in ACTORS.iter().enumerate() {
        if actor.file != at {
            continue;
        }
        let to = processes[actor.process];
        let from = opened;
        let handle = bench
            .machine
            .run(Some(processes[owner]), || match from {
                None => user::open(access, overlapped),
                Some(first) => user::duplicate(first, to),
            })
            .expect("it goes on")
            .expect("the device opens");
        opened.get_or_insert(handle);
        handles[who] = handle;
    }
}
