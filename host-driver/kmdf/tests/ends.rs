//! Every end of an application or of its device, at points spread over a burst: whatever was started ends exactly once, no page goes before
//! the device has let go of it, and the next application is served.
//!
//! One scenario, many events: an application registers buffers of all tiers and submits a burst; the event comes at a point of virtual time that is
//! drawn from the burst's whole duration, which an undisturbed burst of the same shape has just shown. `--nocapture` prints what was met.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use common::card::Card;
use common::*;
use kmdf_sim::dma::{DmaConfig, OsVersion, Translation};
use kmdf_sim::memory::UserBuffer;
use kmdf_sim::user::{self, Completion, Handle, Output, Pending, Port, Process};
use kmdf_sim::{Config, STATUS_CANCELLED};
use pinring_core::mock::cookie_byte;
use pinring_ioctl::{self as ioctl, direction, tier};
use zerocopy::{FromBytes, IntoBytes};

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

/// Points of each event, and of each fault of a device that does not acknowledge.
const POINTS: u64 = 500;
/// A bus that is stuck is freed so long after the event: behind the end of every reset, and before the end of a process stops waiting.
const FREED_PS: u64 = 8_000 * MS;
/// Bytes of a region, and of the slot that a transfer has to itself.
const REGION: u64 = 12 * SLOT;
const SLOT: u64 = 8 << 10;
/// What the device moves in a step, and how long it takes: slow enough for transfers to be in flight nearly always.
const STEP_BYTES: u64 = 512;
const STEP_PS: u64 = 2_000_000;
/// The protocol's status code of what was aborted.
const ABORTED: u16 = 1;
const MS: u64 = 1_000_000_000;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    ProcessExit,
    /// Of the thread that registered.
    ThreadExit,
    CancelIoEx,
    CloseHandle,
    /// The owner's, while another process has a duplicate of its handle.
    OwnerExit,
    SurpriseRemoval,
    PowerDownAndUp,
    /// The device does not acknowledge, see [`Fault`].
    UnacknowledgedExit,
    UnacknowledgedClose,
    UnacknowledgedUnregister,
    UnacknowledgedCancel,
    UnacknowledgedOwnerExit,
}

/// How a device does not acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Commands are not answered; transfers go on, and a reset ends.
    Silent,
    /// Nor does a reset.
    SilentForGood,
    /// Nothing happens until it is reset.
    Hung,
    /// Nor does the reset end.
    HungForGood,
    /// As [`SilentForGood`](Self::SilentForGood), and for a while it does not lose the bus either: it goes on to write.
    StuckBus,
}

impl Event {
    fn unacknowledged(self) -> bool {
        use Event::*;
        matches!(
            self,
            UnacknowledgedExit
                | UnacknowledgedClose
                | UnacknowledgedUnregister
                | UnacknowledgedCancel
                | UnacknowledgedOwnerExit
        )
    }

    /// Another process has a duplicate of the handle.
    fn shared(self) -> bool {
        matches!(self, Self::OwnerExit | Self::UnacknowledgedOwnerExit)
    }

    /// The application lives on with its handle, and sees every transfer's end.
    fn all_reported(self) -> bool {
        use Event::*;
        matches!(
            self,
            ThreadExit
                | CancelIoEx
                | PowerDownAndUp
                | UnacknowledgedUnregister
                | UnacknowledgedCancel
        )
    }

    /// Longest virtual time from the event to the end of the last operation, in ps.
    fn bound_ps(self, fault: Option<Fault>) -> u64 {
        match self {
            // Whoever waits for the bus looks every 10 ms.
            _ if fault == Some(Fault::StuckBus) => FREED_PS + 100 * MS,
            // An admin command's limit, the timer behind it, a reset's limit, and what is in between.
            event if event.unacknowledged() => 6_500 * MS,
            // What is in flight may drain for 50 ms.
            Self::PowerDownAndUp => 120 * MS,
            _ => 60 * MS,
        }
    }
}

/// Random numbers of a case.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}

/// One transfer of a burst.
#[derive(Clone, Copy, Debug)]
struct Piece {
    region: usize,
    way: u32,
    offset: u64,
    length: u64,
    cookie: u64,
}

/// A burst and its regions.
#[derive(Clone)]
struct Plan {
    tiers: Vec<u32>,
    pieces: Vec<Piece>,
    batches: Vec<Range<usize>>,
    /// Added to cookies, which name transfers over all bursts.
    base: u64,
}

fn host_of(seed: u64) -> (Config, Vec<u32>) {
    use Translation::*;
    let (translation, os, lasting) = [
        (Direct, OsVersion::Windows11, Some(tier::BYPASS)),
        (Remapping, OsVersion::Windows11, Some(tier::MAPPED_ONCE)),
        (Bounce, OsVersion::Windows10, None),
        (Bounce, OsVersion::Windows11_24H2, None),
    ][(seed % 4) as usize];
    let mut config = Config {
        dma: DmaConfig {
            os,
            // Lists wait for each other on some.
            map_registers: if seed % 4 == 3 { 14 } else { 32_769 },
            ..DmaConfig::with_translation(translation)
        },
        ..Config::seeded(seed)
    };
    config.registry.push(("RingEntries".into(), 32));
    // Memory for the longest lists is most of what a machine costs here.
    config.registry.push(("PrepareDepth".into(), 2));
    let tiers = lasting
        .into_iter()
        .chain([tier::PER_TRANSFER, tier::COMMON_BUFFER]);
    (config, tiers.collect())
}

impl Plan {
    fn new(dice: &mut Dice, tiers: &[u32]) -> Self {
        let regions = 2 + dice.below(3) as usize;
        let tiers: Vec<_> = (0..regions)
            .map(|at| match at {
                // One at least that an application has allocated.
                0 => tiers[dice.below(tiers.len() as u64 - 1) as usize],
                _ => tiers[dice.below(tiers.len() as u64) as usize],
            })
            .collect();
        let mut slots: Vec<_> = (0..regions)
            .flat_map(|region| (0..REGION / SLOT).map(move |slot| (region, slot * SLOT)))
            .collect();
        let count = 8 + dice.below(17) as usize;
        let mut pieces: Vec<Piece> = (0..count)
            .map(|_| {
                let (region, slot) = slots.swap_remove(dice.below(slots.len() as u64) as usize);
                let offset = dice.below(2000);
                Piece {
                    region,
                    way: dice.below(2) as u32,
                    offset: slot + offset,
                    length: 1 + dice.below(6000),
                    cookie: 0,
                }
            })
            .collect();
        let mut batches = Vec::new();
        let mut from = 0;
        while from < count {
            let to = (from + 1 + dice.below(8) as usize).min(count);
            let way = pieces[from].way;
            for piece in &mut pieces[from..to] {
                piece.way = way;
            }
            batches.push(from..to);
            from = to;
        }
        Self {
            tiers,
            pieces,
            batches,
            base: 0,
        }
    }

    /// The same burst under other names.
    fn named(&self, base: u64) -> Self {
        let mut plan = self.clone();
        plan.base = base;
        for (piece, number) in plan.pieces.iter_mut().zip(0..) {
            piece.cookie = base + number;
        }
        plan
    }

    fn piece(&self, cookie: u64) -> &Piece {
        &self.pieces[(cookie - self.base) as usize]
    }

    /// What a buffer holds before the burst.
    fn image(&self, region: usize) -> Vec<u8> {
        let mut image = vec![0x11; REGION as usize];
        for piece in &self.pieces {
            if piece.region == region && piece.way == direction::H2C {
                for at in 0..piece.length {
                    image[(piece.offset + at) as usize] = cookie_byte(piece.cookie ^ 0xffff, at);
                }
            }
        }
        image
    }
}

/// A region of the application.
#[derive(Clone)]
struct Held {
    info: ioctl::RegionInfo,
    memory: Option<Rc<UserBuffer>>,
    request: Option<Pending>,
}

/// What the application did and what came of it.
#[derive(Default)]
struct Books {
    regions: Vec<Held>,
    started: BTreeSet<Pending>,
    ended: BTreeMap<Pending, Vec<Completion>>,
    attempted: BTreeSet<u64>,
    accepted: BTreeSet<u64>,
    reported: BTreeMap<u64, Vec<ioctl::Completion>>,
    /// When the burst began, and when the application had done with it, in ps.
    begun_ps: u64,
    over_ps: u64,
    struck: bool,
}

type Shared = Rc<RefCell<Books>>;

impl Books {
    fn end(&mut self, pending: Pending, completion: Completion) {
        let bytes = completion.information as usize;
        if completion.status == 0 && bytes <= completion.output.len() {
            for entry in completion.output[..bytes].chunks(ioctl::Completion::BYTES) {
                let entry = ioctl::Completion::read_from_bytes(entry).expect("whole");
                self.reported.entry(entry.cookie).or_default().push(entry);
            }
        }
        self.ended.entry(pending).or_default().push(completion);
    }

    fn outstanding(&self) -> usize {
        self.accepted
            .difference(&self.reported.keys().copied().collect())
            .count()
    }
}

/// Waits for an operation.
fn finish(books: &Shared, port: Option<Port>, pending: Pending) {
    match port {
        None => {
            if let Some(completion) = user::result(pending, None) {
                books.borrow_mut().end(pending, completion);
            }
        }
        Some(port) => {
            while !books.borrow().ended.contains_key(&pending) {
                let Some(packet) = user::dequeue(port, None) else {
                    return;
                };
                books.borrow_mut().end(packet.pending, packet.completion);
            }
        }
    }
}

/// Registers or allocates the plan's regions.
fn prepare(books: &Shared, plan: &Plan, handle: Handle) {
    for (at, &wanted) in plan.tiers.iter().enumerate() {
        let image = plan.image(at);
        let held = if wanted == tier::COMMON_BUFFER {
            let asked = ioctl::Allocate {
                length: REGION,
                permissions: ioctl::permissions::BOTH,
                reserved: 0,
            };
            let info: ioctl::RegionInfo =
                ask(handle, ioctl::ALLOCATE, asked.as_bytes()).expect("allocated");
            Held {
                info,
                memory: None,
                request: None,
            }
        } else {
            let memory = Rc::new(buffer(REGION as usize));
            memory.write(0, &image);
            let (request, info) =
                register(handle, &memory, at as u64, (wanted, wanted)).expect("registered");
            books.borrow_mut().started.insert(request);
            Held {
                info,
                memory: Some(memory),
                request: Some(request),
            }
        };
        assert_eq!(held.info.tier, wanted);
        books.borrow_mut().regions.push(held);
    }
}

/// Submits the burst and waits for its transfers.
fn burst(books: &Shared, plan: &Plan, handle: Handle, port: Option<Port>) {
    books.borrow_mut().begun_ps = user::now_ps();
    for batch in &plan.batches {
        let pieces = &plan.pieces[batch.clone()];
        let transfers: Vec<_> = pieces
            .iter()
            .map(|piece| ioctl::Transfer {
                tdest: piece.cookie as u16,
                user: piece.cookie as u32,
                ..transfer(
                    books.borrow().regions[piece.region].info.handle,
                    piece.offset,
                    piece.length,
                    piece.cookie,
                )
            })
            .collect();
        let cookies = pieces.iter().map(|piece| piece.cookie);
        books.borrow_mut().attempted.extend(cookies.clone());
        match submit(handle, pieces[0].way, &transfers) {
            Ok(()) => books.borrow_mut().accepted.extend(cookies),
            Err(status) => assert!(books.borrow().struck, "{status:?}"),
        }
    }
    // Whoever waits in vain is told so again and again.
    for _ in 0..200 {
        let left = books.borrow().outstanding() as u64;
        if left == 0 {
            break;
        }
        let asked = ioctl::Wait {
            least: 1 + user::random(left) as u32,
            reserved: 0,
        };
        let place = vec![0; left as usize * ioctl::Completion::BYTES];
        let started = user::start(
            handle,
            ioctl::WAIT.value(),
            asked.as_bytes(),
            Output::Owned(place),
            None,
        );
        let Ok(pending) = started else {
            assert!(books.borrow().struck, "{started:?}");
            break;
        };
        books.borrow_mut().started.insert(pending);
        finish(books, port, pending);
        let status = books.borrow().ended[&pending][0].status;
        if status < 0 {
            assert!(books.borrow().struck, "{status:#x}");
            if status != STATUS_CANCELLED {
                break;
            }
        }
    }
    books.borrow_mut().over_ps = user::now_ps();
}

/// Begins to take every region back.
fn unregister_all(books: &Shared, handle: Handle) {
    let regions: Vec<_> = books
        .borrow()
        .regions
        .iter()
        .map(|held| held.info)
        .collect();
    for region in regions {
        // One that is gone by itself is not known any more.
        let named = ioctl::Handle {
            handle: region.handle,
        };
        let _ = tell(handle, ioctl::UNREGISTER, named.as_bytes());
    }
}

/// An application from open to close, undisturbed; gives the burst's duration in ps.
fn undisturbed(bench: &mut Bench, plan: &Plan) -> u64 {
    let books = Shared::default();
    let (app, shown) = (plan.clone(), books.clone());
    bench.app(move || {
        let handle = open();
        prepare(&shown, &app, handle);
        for at in 0..app.tiers.len() {
            copy(&shown, &app, at, handle, ioctl::COPY_IN);
        }
        burst(&shown, &app, handle, None);
        for at in 0..app.tiers.len() {
            copy(&shown, &app, at, handle, ioctl::COPY_OUT);
        }
        unregister_all(&shown, handle);
        let requests: Vec<_> = shown
            .borrow()
            .regions
            .iter()
            .map(|held| held.request)
            .collect();
        for request in requests.into_iter().flatten() {
            finish(&shown, None, request);
        }
        user::close(handle).expect("open");
    });
    check_operations(&books);
    check_data(bench, plan, &books, true);
    let books = books.borrow();
    for (cookie, ends) in &books.reported {
        assert_eq!(ends[0].status, 0, "{cookie}");
    }
    books.over_ps - books.begun_ps
}

/// Fills or checks a common buffer.
fn copy(books: &Shared, plan: &Plan, region: usize, handle: Handle, code: ioctl::Code) {
    let held = books.borrow().regions[region].clone();
    if held.memory.is_some() {
        return;
    }
    let memory = buffer(REGION as usize);
    let mut image = plan.image(region);
    memory.write(0, &image);
    let range = ioctl::CopyRange {
        handle: held.info.handle,
        offset: 0,
    };
    // SAFETY: the buffer stays until the copy has ended.
    let pending = unsafe {
        user::start_at(
            handle,
            code.value(),
            range.as_bytes(),
            memory.as_mut_ptr(),
            REGION as usize,
            None,
        )
    };
    let ended = user::result(pending.expect("a copy starts"), None).expect("it ends");
    assert_eq!(ended.status, 0);
    if code == ioctl::COPY_OUT {
        for piece in &plan.pieces {
            if piece.region == region && piece.way == direction::C2H {
                for at in 0..piece.length {
                    image[(piece.offset + at) as usize] = cookie_byte(piece.cookie, at);
                }
            }
        }
        assert!(memory.to_vec() == image);
    }
}

/// Every operation has ended, and once.
fn check_operations(books: &Shared) {
    let books = books.borrow();
    for pending in &books.started {
        let ends = books.ended.get(pending).map_or(0, Vec::len);
        assert_eq!(ends, 1, "{pending:?} has ended {ends} times");
    }
    for pending in books.ended.keys() {
        assert!(books.started.contains(pending), "{pending:?} is nobody's");
    }
}

/// What must hold of a burst's transfers, however they ended.
fn check_data(bench: &Bench, plan: &Plan, books: &Shared, all: bool) {
    let books = books.borrow();
    let bounced = bench.bounces;
    let device = bench.device.borrow();
    for (cookie, ends) in &books.reported {
        assert!(books.attempted.contains(cookie));
        assert_eq!(ends.len(), 1, "transfer {cookie} was reported twice");
        let (piece, end) = (plan.piece(*cookie), ends[0]);
        assert!(end.status <= ABORTED, "{end:?}");
        assert_eq!((end.direction, end.user), (piece.way, *cookie as u32));
        if end.status == 0 {
            assert_eq!(end.bytes, piece.length);
        }
    }
    if all {
        let reported: BTreeSet<_> = books.reported.keys().copied().collect();
        assert_eq!(reported, books.accepted, "each is reported");
    }
    let well = |cookie: &u64| {
        let ends = books.reported.get(cookie);
        ends.is_some_and(|ends| ends[0].status == 0)
    };
    let mut taken = BTreeMap::new();
    for (stream, bytes) in &device.packets_out {
        if taken.insert(*stream, bytes).is_some() {
            panic!("packet {stream} came twice");
        }
    }
    for (at, held) in books.regions.iter().enumerate() {
        let before = plan.image(at);
        // Bytes that a transfer that did not end well may have left.
        let mut open = vec![false; before.len()];
        let mut wanted = before.clone();
        for piece in plan.pieces.iter().filter(|piece| piece.region == at) {
            let range = piece.offset as usize..(piece.offset + piece.length) as usize;
            if piece.way == direction::H2C {
                if well(&piece.cookie) && held.memory.is_some() {
                    let packet = taken.get(&(piece.cookie as u16));
                    assert!(packet == Some(&&before[range].to_vec()), "{piece:?}");
                }
                continue;
            }
            open[range.clone()].fill(!well(&piece.cookie));
            for (byte, position) in wanted[range].iter_mut().zip(0..) {
                *byte = cookie_byte(piece.cookie, position);
            }
        }
        let Some(memory) = &held.memory else {
            continue;
        };
        let found = memory.to_vec();
        if found == wanted {
            continue;
        }
        for index in 0..found.len() {
            let good = match open[index] {
                false => found[index] == wanted[index],
                // Bounce pages hold anything where the device did not write.
                true => bounced || found[index] == wanted[index] || found[index] == before[index],
            };
            assert!(good, "byte {index} of region {at} is {:#x}", found[index]);
        }
    }
}

/// What the points of an event came to.
#[derive(Default)]
struct Tally {
    in_flight: u64,
    /// Points by the share of the burst that was over.
    quarters: [u64; 4],
    worst_ps: u64,
    worst_seed: u64,
    aborted: u64,
    completed: u64,
    unreported: u64,
    /// Durations of undisturbed bursts in ps, by their shape.
    durations: BTreeMap<u64, u64>,
}

/// One point of one event.
fn point(event: Event, fault: Option<Fault>, with_port: bool, seed: u64, tally: &mut Tally) {
    let mut dice = Dice(seed);
    let (config, tiers) = host_of(seed);
    let card = Card::new(STEP_BYTES, STEP_PS);
    let mut bench = Bench::with_card(config, card.clone());
    let at = seed % POINTS;
    // Four points of a host have one shape, so that its burst is timed once.
    let place = at % 4 + at / 16 * 4;
    let shape = Plan::new(
        &mut Dice((event as u64) << 40 ^ place << 8 ^ fault.map_or(0, |fault| 1 + fault as u64)),
        &tiers,
    );
    let duration = match tally.durations.get(&place) {
        Some(duration) => *duration,
        None => undisturbed(&mut bench, &shape.named(0x1000)),
    };
    tally.durations.insert(place, duration);

    let plan = shape.named(0x2000);
    let books = Shared::default();
    let process = bench.machine.process().expect("it goes on");
    let other = bench.machine.process().expect("it goes on");
    let (handle, port, duplicate) = run(&mut bench, process, move || {
        let handle = open();
        let port = with_port.then(user::create_port);
        if let Some(port) = port {
            user::associate(port, handle, 0).expect("open");
        }
        let duplicate = event
            .shared()
            .then(|| user::duplicate(handle, other).expect("open"));
        (handle, port, duplicate)
    });
    // The thread that registers stays until it is told to go.
    let leave = run(&mut bench, process, {
        let (books, plan) = (books.clone(), plan.clone());
        move || {
            let (ready, leave) = (
                user::create_event(true, false),
                user::create_event(true, false),
            );
            user::spawn(process, move || {
                prepare(&books, &plan, handle);
                user::set_event(ready);
                let _ = user::wait_event(leave, None);
            });
            assert!(user::wait_event(ready, None));
            leave
        }
    });
    run(&mut bench, process, {
        let (books, plan) = (books.clone(), plan.clone());
        move || user::spawn(process, move || burst(&books, &plan, handle, port))
    });
    // Points are spread evenly, each within its share of the burst.
    let at = (seed % POINTS * 1000 + dice.below(1000)) * duration / (POINTS * 1000);
    bench
        .machine
        .run(None, move || user::sleep_ps(at))
        .expect("it goes on");

    let (left, over) = {
        let mut books = books.borrow_mut();
        books.struck = true;
        (books.outstanding(), books.reported.len())
    };
    tally.in_flight += u64::from(left != 0);
    tally.quarters[(4 * over / plan.pieces.len()).min(3)] += 1;
    let struck_ps = bench.machine.now_ps();
    let early = Rc::new(Cell::new(false));
    if let Some(fault) = fault {
        use Fault::*;
        card.0.borrow_mut().hung = matches!(fault, Hung | HungForGood);
        let mut device = bench.device.borrow_mut();
        device.silent = matches!(fault, Silent | SilentForGood | StuckBus);
        device.reset_stuck = matches!(fault, SilentForGood | HungForGood | StuckBus);
    }
    if fault == Some(Fault::StuckBus) {
        let (bus_master, early) = (bench.bus_master.clone(), early.clone());
        bus_master.stuck.set(true);
        let registrations: Vec<_> = {
            let books = books.borrow();
            let held = books.regions.iter();
            held.filter_map(|held| held.request).collect()
        };
        run(&mut bench, other, move || {
            user::spawn(other, move || {
                user::sleep_ps(FREED_PS);
                let mut ends = registrations
                    .iter()
                    .map(|pending| user::result(*pending, Some(0)));
                early.set(ends.any(|end| end.is_some()));
                bus_master.stuck.set(false);
            });
        });
    }
    match event {
        Event::ProcessExit
        | Event::OwnerExit
        | Event::UnacknowledgedExit
        | Event::UnacknowledgedOwnerExit => {
            let _ = bench
                .machine
                .run(Some(process), || -> () { user::exit_process() });
        }
        Event::ThreadExit => run(&mut bench, process, move || user::set_event(leave)),
        Event::CancelIoEx | Event::UnacknowledgedCancel => {
            let requests: Vec<_> = {
                let books = books.borrow();
                books
                    .regions
                    .iter()
                    .filter_map(|held| held.request)
                    .collect()
            };
            let one = dice.below(2) == 0;
            let which = requests[dice.below(requests.len() as u64) as usize];
            run(&mut bench, process, move || {
                user::cancel_io_ex(handle, one.then_some(which));
            });
        }
        Event::CloseHandle | Event::UnacknowledgedClose => {
            run(&mut bench, process, move || {
                user::close(handle).expect("open")
            });
        }
        Event::SurpriseRemoval => bench.machine.surprise_remove().expect("it goes on"),
        Event::PowerDownAndUp => {
            // Some are too slow for what is in flight to end before the power goes.
            let slow = dice.below(3) == 0;
            card.0.borrow_mut().step_ps = if slow { 5 * MS } else { STEP_PS };
            bench.machine.sleep().expect("it goes on");
            card.0.borrow_mut().step_ps = STEP_PS;
            let pause = dice.below(10 * MS);
            bench
                .machine
                .run(None, move || user::sleep_ps(pause))
                .expect("it goes on");
            assert_eq!(bench.machine.wake(), Ok(0));
        }
        Event::UnacknowledgedUnregister => {
            let books = books.clone();
            run(&mut bench, process, move || unregister_all(&books, handle));
        }
    }
    settle(&mut bench);
    assert!(
        !early.get(),
        "memory goes before the device has lost the bus"
    );
    let quiet_ps = bench.machine.now_ps() - struck_ps;
    assert!(quiet_ps < 20_000 * MS, "something is looked at for ever");
    let last_ps = bench.machine.operations().last_ended_ps;
    if last_ps > struck_ps + tally.worst_ps {
        (tally.worst_ps, tally.worst_seed) = (last_ps - struck_ps, seed);
    }
    if event == Event::PowerDownAndUp {
        check_data(&bench, &plan, &books, true);
        // The same registrations serve on.
        let again = plan.named(0x3000);
        let (books, again) = (books.clone(), again.clone());
        run(&mut bench, process, move || {
            let more = Shared::default();
            more.borrow_mut().regions = books.borrow().regions.clone();
            burst(&more, &again, handle, port);
            assert_eq!(more.borrow().reported.len(), again.pieces.len());
            assert!(
                more.borrow()
                    .reported
                    .values()
                    .all(|ends| ends[0].status == 0)
            );
            let mut books = books.borrow_mut();
            // Its WAITs, and what came with them, are this application's too.
            let mut more = more.borrow_mut();
            books.started.append(&mut more.started);
            books.ended.append(&mut more.ended);
        });
    }
    match event {
        // The duplicate serves nobody any more.
        Event::OwnerExit | Event::UnacknowledgedOwnerExit => {
            let duplicate = duplicate.expect("made");
            let first = books.borrow().regions[0].info.handle;
            run(&mut bench, other, move || {
                assert_eq!(statistics(duplicate).handle_regions, 0);
                assert!(submit(duplicate, direction::C2H, &[transfer(first, 0, 1, 0)]).is_err());
                user::close(duplicate).expect("open");
            });
        }
        Event::ProcessExit
        | Event::CloseHandle
        | Event::UnacknowledgedExit
        | Event::UnacknowledgedClose => {}
        // Power-down leaves them registered: the last handle's end ends them.
        _ => run(&mut bench, process, move || {
            user::close(handle).expect("open")
        }),
    }
    settle(&mut bench);
    // What nobody has waited for is taken now.
    let rest = books.clone();
    bench
        .machine
        .run(None, move || {
            if let Some(port) = port {
                while let Some(packet) = user::dequeue(port, Some(0)) {
                    rest.borrow_mut().end(packet.pending, packet.completion);
                }
            }
            let started = rest.borrow().started.clone();
            for pending in started {
                if let Some(completion) = user::result(pending, Some(0)) {
                    rest.borrow_mut().end(pending, completion);
                }
            }
        })
        .expect("it goes on");
    let operations = bench.machine.operations();
    assert_eq!(operations.started, operations.ended);
    check_operations(&books);
    if event != Event::PowerDownAndUp {
        check_data(&bench, &plan, &books, event.all_reported());
    }
    for ends in books.borrow().reported.values() {
        match ends[0].status {
            0 => tally.completed += 1,
            _ => tally.aborted += 1,
        }
    }
    let books_now = books.borrow();
    tally.unreported += books_now.outstanding() as u64;
    drop(books_now);

    // The next.
    let failed = bench.machine.device_failed();
    card.0.borrow_mut().hung = false;
    if event == Event::SurpriseRemoval || failed {
        if failed {
            assert_eq!(bench.machine.remove(), Ok(0), "{}", bench.machine.report());
        }
        card.0.borrow_mut().replace();
        assert_eq!(
            bench.machine.add_device(),
            Ok(0),
            "{}",
            bench.machine.report()
        );
    } else {
        let mut device = bench.device.borrow_mut();
        (device.silent, device.reset_stuck) = (false, false);
        drop(device);
        settle(&mut bench);
    }
    undisturbed(&mut bench, &shape.named(0x4000));
    drop(books);
    assert_eq!(card.0.borrow().faults, 0, "the device met no memory");
    bench.end();
}

/// As a thread of a process.
fn run<R: 'static>(bench: &mut Bench, process: Process, body: impl FnOnce() -> R) -> R {
    match bench.machine.run(Some(process), body) {
        Ok(result) => result,
        Err(_) => panic!("{}", bench.machine.report()),
    }
}

fn settle(bench: &mut Bench) {
    assert!(bench.machine.settle().is_ok(), "{}", bench.machine.report());
}

/// Every point of an event, without and with a completion port; if the device has a fault besides, every other point has a port.
fn points(event: Event, fault: Option<Fault>) {
    let mut tally = Tally::default();
    let begun = std::time::Instant::now();
    let all = if fault.is_none() { 2 * POINTS } else { POINTS };
    for number in 0..all {
        let at = number % POINTS;
        // What a point is like does not follow from where it lies.
        let kind = event as u64 | fault.map_or(0, |fault| 1 + fault as u64) << 8;
        let seed = Dice(number ^ kind << 20).below(1 << 40) / POINTS * POINTS + at;
        let port = match fault {
            None => number >= POINTS,
            Some(_) => at / 4 % 2 == 1,
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            point(event, fault, port, seed, &mut tally);
        }));
        if let Err(panic) = outcome {
            eprintln!("{event:?}, {fault:?}, port {port}: point {at}, seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
    println!(
        "{event:?}{}: {all} points in {:.1} s, transfers in flight at {:.1} %, by share of the burst over {:?}; {} transfers completed, {} aborted, {} not asked for; last completion {:.3} ms after the event at worst (seed {})",
        fault.map_or_else(String::new, |fault| format!(", {fault:?}")),
        begun.elapsed().as_secs_f64(),
        tally.in_flight as f64 * 100.0 / all as f64,
        tally.quarters,
        tally.completed,
        tally.aborted,
        tally.unreported,
        tally.worst_ps as f64 / MS as f64,
        tally.worst_seed,
    );
    // A call that takes very long now and then makes some bursts shorter than the one that was timed.
    assert!(tally.in_flight * 10 >= all * 7, "points miss the burst");
    assert!(
        tally.quarters.iter().all(|&count| count * 20 >= all),
        "points are not spread"
    );
    assert!(tally.completed != 0);
    assert!(tally.worst_ps <= event.bound_ps(fault));
}

macro_rules! events {
    ($($name:ident: $event:ident,)+) => {
        $(#[test]
        fn $name() {
            points(Event::$event, None);
        })+
    };
}

macro_rules! unacknowledged {
    ($($name:ident: $event:ident,)+) => {
        $(mod $name {
            use super::{Event, Fault, points};

            #[test]
            fn silent() {
                points(Event::$event, Some(Fault::Silent));
            }
            #[test]
            fn silent_for_good() {
                points(Event::$event, Some(Fault::SilentForGood));
            }
            #[test]
            fn hung() {
                points(Event::$event, Some(Fault::Hung));
            }
            #[test]
            fn hung_for_good() {
                points(Event::$event, Some(Fault::HungForGood));
            }
            #[test]
            fn stuck_bus() {
                points(Event::$event, Some(Fault::StuckBus));
            }
        })+
    };
}

events! {
    process_exit: ProcessExit,
    thread_exit: ThreadExit,
    cancel_io_ex: CancelIoEx,
    close_handle: CloseHandle,
    owner_exit: OwnerExit,
    surprise_removal: SurpriseRemoval,
    power_down_and_up: PowerDownAndUp,
}

unacknowledged! {
    unacknowledged_exit: UnacknowledgedExit,
    unacknowledged_close: UnacknowledgedClose,
    unacknowledged_unregister: UnacknowledgedUnregister,
    unacknowledged_cancel: UnacknowledgedCancel,
    unacknowledged_owner_exit: UnacknowledgedOwnerExit,
}
