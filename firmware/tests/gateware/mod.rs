//! A model of the gateware as the mailbox shows it, which checks every command against the rules of docs/gateware.md.

use pinring_firmware::{Entry, Event, Hardware};
use pinring_protocol::limits::{
    CONTEXTS, QUEUES, RESIDENT_SETS, RESIDENT_WAYS, VECTORS, WATCHDOG_US,
};
use pinring_protocol::mailbox::{Command, ContextId, Message, NOT_KEPT, Quiesce};
use pinring_protocol::registers::Limits0;
use pinring_protocol::{
    AdminEntry, AdminOpcode, Direction, FirmwareState, LAYOUT_HASH, Status, mmio,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::VecDeque;

const CORE_HZ: u32 = 10_000_000;
const MAILBOX: usize = 16;
const DIRECTIONS: [Direction; 2] = [Direction::C2h, Direction::H2c];

/// A transfer of a queue, which takes some time when it runs.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub region: u32,
    pub steps: u64,
}

/// What happens in one run.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    /// Transfers of each queue; queues take turns in direction.
    pub queues: Vec<Vec<Transfer>>,
    /// A queue whose user stream never moves.
    pub idle: Option<usize>,
    /// Longest latency of a read, in steps.
    pub latency: u64,
    /// Chance per step that the gateware takes a command.
    pub appetite: f64,
    /// Chance per step that a transfer is aborted.
    pub aborts: f64,
    /// Chance per step that a region is invalidated.
    pub invalidations: f64,
}

struct Queue {
    direction: Direction,
    transfers: Vec<Transfer>,
    /// Transfers that the doorbell has told of, that have a context, that have ended.
    rung: usize,
    bound: usize,
    ended: usize,
}

struct Context {
    id: ContextId,
    queue: usize,
    number: usize,
    /// It waits for another one's MISS, and is bound to no region.
    waits: bool,
    /// When its region entry is here, if it has missed.
    entry_at: Option<u64>,
    /// The firmware's answer to its MISS.
    way: Option<u16>,
    /// When its list is here, once it is asked for.
    ready_at: Option<u64>,
    /// Place whose block it looks at.
    pins: Option<usize>,
    ends_at: Option<u64>,
    aborting: bool,
}

impl Context {
    /// A read of its region entry or its list is in flight.
    fn reads(&self, now: u64) -> bool {
        [self.entry_at, self.ready_at]
            .iter()
            .flatten()
            .any(|at| *at > now)
    }
}

/// A way of a set.
#[derive(Clone, Copy, Default)]
struct Place {
    region: Option<u32>,
    /// Its block is here.
    block: bool,
    used: bool,
    lookers: u32,
}

/// The gateware.
pub struct Gateware {
    scenario: Scenario,
    random: StdRng,
    now: u64,
    cycles: u32,
    /// Cycles without a heartbeat and without a command that waits.
    silence: u32,
    restarts: u32,
    queues: Vec<Queue>,
    contexts: [Vec<Option<Context>>; 2],
    sequences: [[u64; CONTEXTS]; 2],
    places: [[Place; RESIDENT_SETS * RESIDENT_WAYS]; 2],
    /// Context whose MISS is under way, by set.
    missing: [[Option<usize>; RESIDENT_SETS]; 2],
    /// Transfers without a MISS, and those with one.
    hits: usize,
    misses: usize,
    messages: VecDeque<Entry>,
    commands: VecDeque<Command>,
    invalidating: Option<Invalidation>,
    ticket: u8,
    /// Aborts that a direction has not finished, by region and ticket.
    aborts: [VecDeque<(u32, u8)>; 2],
}

/// An admin command.
struct Invalidation {
    entry: AdminEntry,
    /// Its abort has been sent, and these directions have gone quiet for it.
    sent: bool,
    quiet: Vec<Direction>,
}

impl Gateware {
    pub fn new(scenario: Scenario) -> Self {
        let queues = scenario
            .queues
            .iter()
            .enumerate()
            .map(|(number, transfers)| Queue {
                direction: DIRECTIONS[number % 2],
                transfers: transfers.clone(),
                rung: 0,
                bound: 0,
                ended: 0,
            });
        // The counter wraps early in the run.
        let cycles = u32::MAX - 50_000;
        Self {
            random: StdRng::seed_from_u64(scenario.seed),
            queues: queues.collect(),
            scenario,
            now: 0,
            cycles,
            silence: 0,
            restarts: 0,
            contexts: DIRECTIONS.map(|_| (0..CONTEXTS).map(|_| None).collect()),
            sequences: [[0; CONTEXTS]; 2],
            places: [[Place::default(); RESIDENT_SETS * RESIDENT_WAYS]; 2],
            missing: [[None; RESIDENT_SETS]; 2],
            hits: 0,
            misses: 0,
            messages: VecDeque::new(),
            commands: VecDeque::new(),
            invalidating: None,
            ticket: 0,
            aborts: DIRECTIONS.map(|_| VecDeque::new()),
        }
    }

    /// The firmware starts anew: what it has not taken is still there, and an admin command comes again.
    pub fn restart(&mut self) {
        self.restarts += 1;
        self.silence = 0;
        self.post_admin();
    }

    /// Whether every transfer of every queue that moves has ended, and nothing is under way.
    pub fn idle(&self) -> bool {
        self.queues.iter().enumerate().all(|(number, queue)| {
            queue.ended == queue.transfers.len() || self.scenario.idle == Some(number)
        }) && self.messages.is_empty()
            && self.commands.is_empty()
            && self.invalidating.is_none()
    }

    /// How far the run has come, for failure messages.
    pub fn progress(&self) -> Vec<(usize, usize, usize)> {
        self.queues
            .iter()
            .map(|queue| (queue.ended, queue.bound, queue.transfers.len()))
            .collect()
    }

    /// Transfers that found their region on chip, and those that did not.
    pub fn hits_and_misses(&self) -> (usize, usize) {
        (self.hits, self.misses)
    }

    /// No transfer looks at a resident block.
    pub fn none_pinned(&self) -> bool {
        self.places.iter().flatten().all(|place| place.lookers == 0)
    }

    /// One step of time.
    pub fn step(&mut self) {
        self.now += 1;
        let cycles = self.random.random_range(1..200);
        self.cycles = self.cycles.wrapping_add(cycles);
        if self.commands.is_empty() {
            self.silence += cycles;
        }
        assert!(
            self.silence < CORE_HZ / 1_000_000 * WATCHDOG_US,
            "no heartbeat for {} cycles",
            self.silence
        );
        while self.random.random_bool(self.scenario.appetite)
            && let Some(command) = self.commands.pop_front()
        {
            self.carry_out(command);
        }
        self.ring_and_bind();
        for direction in DIRECTIONS {
            for index in 0..CONTEXTS {
                self.open(direction, index);
                self.advance(direction, index);
            }
            for set in 0..RESIDENT_SETS {
                self.wake(direction, set);
            }
        }
        self.abort_and_invalidate();
    }

    fn latency(&mut self) -> u64 {
        self.now + self.random.random_range(1..=self.scenario.latency)
    }

    fn ring_and_bind(&mut self) {
        for number in 0..self.queues.len() {
            let queue = &mut self.queues[number];
            if queue.rung < queue.transfers.len() && self.random.random_bool(0.2) {
                queue.rung += self
                    .random
                    .random_range(1..=queue.transfers.len() - queue.rung);
            }
            let (direction, region) = (
                queue.direction,
                queue.transfers.get(queue.bound).map(|next| next.region),
            );
            let free = self.contexts[direction as usize]
                .iter()
                .position(Option::is_none);
            if queue.bound < queue.rung
                && let (Some(region), Some(index)) = (region, free)
                && self.messages.len() < MAILBOX
            {
                let sequence = &mut self.sequences[direction as usize][index];
                *sequence = (*sequence + 1) % 8;
                let plain = ContextId::new(direction, index as u8).expect("index below 16");
                let id = ContextId::from_code(plain.code() | *sequence << 5).expect("8 bits");
                self.contexts[direction as usize][index] = Some(Context {
                    id,
                    queue: number,
                    number: queue.bound,
                    waits: false,
                    entry_at: None,
                    way: None,
                    ready_at: None,
                    pins: None,
                    ends_at: None,
                    aborting: false,
                });
                queue.bound += 1;
                self.look_up(direction, index, region);
            }
        }
    }

    /// The places of a region's set.
    fn set(region: u32) -> std::ops::Range<usize> {
        let first = region as usize % RESIDENT_SETS * RESIDENT_WAYS;
        first..first + RESIDENT_WAYS
    }

    /// Hit, MISS, or another one's MISS to wait for.
    fn look_up(&mut self, direction: Direction, index: usize, region: u32) {
        let now = self.now;
        let at = self.latency();
        let missing = &mut self.missing[direction as usize][region as usize % RESIDENT_SETS];
        let places = &mut self.places[direction as usize];
        let set = Self::set(region);
        let Some(context) = &mut self.contexts[direction as usize][index] else {
            return;
        };
        let found = set
            .clone()
            .find(|place| places[*place].region == Some(region));
        context.waits = missing.is_some() && !found.is_some_and(|place| places[place].block);
        if context.waits {
            return;
        }
        if let Some(place) = found {
            places[place].used = true;
            places[place].lookers += 1;
            context.pins = Some(place);
            context.ready_at = Some(if places[place].block { now } else { at });
            self.hits += 1;
            return;
        }
        (*missing, context.entry_at) = (Some(index), Some(at));
        let bits = |test: &dyn Fn(&Place) -> bool| {
            (0..)
                .zip(&places[set.clone()])
                .fold(0, |all, (way, place)| all | u8::from(test(place)) << way)
        };
        let message = Message::Miss {
            ctx: context.id,
            generation: 1,
            region,
            sg_hint: 0,
            valid: bits(&|place| place.region.is_some()),
            used: bits(&|place| place.used),
            pinned: bits(&|place| place.lookers > 0),
        };
        self.misses += 1;
        self.post(message);
    }

    fn post(&mut self, message: Message) {
        let words = message.encode();
        self.messages.push_back(Entry { words, raw: 0 });
    }

    /// The admin command that is not completed, if there is one.
    fn post_admin(&mut self) {
        let Some(invalidation) = &mut self.invalidating else {
            return;
        };
        (invalidation.sent, invalidation.quiet) = (false, Vec::new());
        let words = invalidation.entry.to_words();
        self.ticket = self.ticket.wrapping_add(1);
        self.post(Message::Admin {
            exists: 0,
            ticket: self.ticket,
        });
        let quarters = words.chunks_exact(4).map(|quarter| Entry {
            words: [quarter[0], quarter[1], quarter[2], quarter[3]],
            raw: mmio::STATUS_RAW,
        });
        self.messages.extend(quarters);
    }

    /// Opens a region whose entry and answer are here; notes a block that comes.
    fn open(&mut self, direction: Direction, index: usize) {
        let (now, list_at) = (self.now, self.latency());
        let places = &mut self.places[direction as usize];
        let Some(context) = &mut self.contexts[direction as usize][index] else {
            return;
        };
        if context.aborting {
            return;
        }
        if context.ready_at.is_some_and(|at| at <= now)
            && let Some(place) = context.pins
        {
            // Taken away meanwhile, it waits for no block.
            places[place].block |= places[place].region.is_some();
        }
        let entry = context.entry_at.is_some_and(|at| at <= now);
        let (true, None, Some(way)) = (entry, context.ready_at, context.way) else {
            return;
        };
        context.ready_at = Some(list_at);
        let region = self.queues[context.queue].transfers[context.number].region;
        let set = Self::set(region);
        let place = set.start + usize::from(way);
        if way == NOT_KEPT || places[place].lookers > 0 {
            // What does not stay is waited for no longer.
            self.missing[direction as usize][region as usize % RESIDENT_SETS] = None;
            return;
        }
        places[set].iter_mut().for_each(|place| place.used = false);
        places[place] = Place {
            region: Some(region),
            lookers: 1,
            ..Place::default()
        };
        context.pins = Some(place);
    }

    /// Ends the MISS of a set when its first block is here or will not come; those that wait are looked at again.
    fn wake(&mut self, direction: Direction, set: usize) {
        let now = self.now;
        let region_of = |context: &Context, queues: &[Queue]| {
            queues[context.queue].transfers[context.number].region
        };
        if let Some(leader) = self.missing[direction as usize][set] {
            let leader = self.contexts[direction as usize][leader].as_ref();
            let goes_on = |leader: &Context| {
                leader.entry_at.is_some()
                    && region_of(leader, &self.queues) as usize % RESIDENT_SETS == set
                    && !leader.aborting
                    && leader.ready_at.is_none_or(|at| at > now)
            };
            if leader.is_some_and(goes_on) {
                return;
            }
            self.missing[direction as usize][set] = None;
        }
        for index in 0..CONTEXTS {
            let Some(context) = &self.contexts[direction as usize][index] else {
                continue;
            };
            let region = region_of(context, &self.queues);
            if context.waits
                && !context.aborting
                && region as usize % RESIDENT_SETS == set
                && self.messages.len() < MAILBOX
            {
                self.look_up(direction, index, region);
            }
        }
    }

    /// What one context does in one step.
    fn advance(&mut self, direction: Direction, index: usize) {
        let now = self.now;
        let keen = self.random.random_bool(0.3);
        let Some(context) = &mut self.contexts[direction as usize][index] else {
            return;
        };
        let queue = &mut self.queues[context.queue];
        // Completions of a queue are written in its order.
        if queue.ended != context.number || !keen {
            return;
        }
        let ready = context.ready_at.is_some_and(|at| at <= now);
        if !context.aborting {
            if !ready || self.scenario.idle == Some(context.queue) {
                return;
            }
            let ends_at = now + queue.transfers[context.number].steps;
            if *context.ends_at.get_or_insert(ends_at) > now {
                return;
            }
        } else if context.reads(now) {
            return;
        }
        queue.ended += 1;
        if let Some(place) = context.pins {
            self.places[direction as usize][place].lookers -= 1;
        }
        self.contexts[direction as usize][index] = None;
    }

    fn abort_and_invalidate(&mut self) {
        if self.random.random_bool(self.scenario.aborts) {
            let (direction, index) = (
                self.random.random_range(0..2usize),
                self.random.random_range(0..CONTEXTS),
            );
            if let Some(context) = &mut self.contexts[direction][index] {
                context.aborting = true;
            }
        }
        if self.invalidating.is_none()
            && self.messages.len() + 5 <= MAILBOX
            && self.random.random_bool(self.scenario.invalidations)
        {
            let region = self.random.random_range(0..40);
            let entry = AdminEntry::new()
                .with_opcode(AdminOpcode::InvalidateRegion)
                .with_target(region);
            self.invalidating = Some(Invalidation {
                entry: entry.with_cookie(self.now),
                sent: false,
                quiet: Vec::new(),
            });
            self.post_admin();
        }
        for direction in DIRECTIONS {
            let Some(&(region, ticket)) = self.aborts[direction as usize].front() else {
                continue;
            };
            let of_region = |context: &Context| {
                self.queues[context.queue].transfers[context.number].region == region
                    && context.reads(self.now)
            };
            let reads = self.contexts[direction as usize]
                .iter()
                .flatten()
                .any(of_region);
            if !reads && self.messages.len() < MAILBOX {
                self.aborts[direction as usize].pop_front();
                self.post(Message::Quiesced {
                    direction,
                    what: Quiesce::Region,
                    id: region,
                    ticket,
                });
                if ticket == self.ticket
                    && let Some(invalidation) = &mut self.invalidating
                {
                    invalidation.quiet.push(direction);
                }
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Fill { ctx, way } => {
                assert!(way == NOT_KEPT || usize::from(way) < RESIDENT_WAYS);
                // A message that firmware before a restart had answered, but not taken, is answered again, be it eight transfers later.
                let again = self.restarts > 0;
                if let Some(context) = self.answered(ctx) {
                    assert!(again || context.entry_at.is_some(), "{ctx:?} has missed");
                    assert!(again || context.way.is_none(), "{ctx:?} is filled once");
                    context.way.get_or_insert(way);
                }
            }
            Command::AbortRegion { region, ticket } => {
                let invalidation = self.invalidating.as_mut();
                let invalidation = invalidation.expect("an invalidation was asked for");
                assert_eq!(invalidation.entry.target(), region, "this region");
                if ticket == self.ticket {
                    assert!(!invalidation.sent, "once");
                    invalidation.sent = true;
                }
                for aborts in &mut self.aborts {
                    aborts.push_back((region, ticket));
                }
                for place in self.places.iter_mut().flatten() {
                    if place.region == Some(region) {
                        (place.region, place.used, place.block) = (None, false, false);
                    }
                }
                for context in self.contexts.iter_mut().flatten().flatten() {
                    context.aborting |= !context.waits
                        && self.queues[context.queue].transfers[context.number].region == region;
                }
            }
            Command::AdminDone {
                status,
                ticket,
                cookie_low,
                cookie_high,
            } => {
                // What answers an earlier copy is dropped.
                if ticket != self.ticket {
                    return;
                }
                let invalidation = self.invalidating.take();
                let invalidation = invalidation.expect("an invalidation was asked for");
                assert_eq!(
                    (status, invalidation.sent, invalidation.quiet.len()),
                    (Status::Ok, true, 2),
                    "after both directions are quiet"
                );
                let cookie = u64::from(cookie_high) << 32 | u64::from(cookie_low);
                assert_eq!(cookie, invalidation.entry.cookie());
            }
            Command::Heartbeat { state, .. } => {
                assert_eq!(state, FirmwareState::Running);
                self.silence = 0;
            }
            other => panic!("{other:?} is not due"),
        }
    }

    /// The context, unless the answer is to an earlier transfer of it.
    fn answered(&mut self, ctx: ContextId) -> Option<&mut Context> {
        self.contexts[ctx.direction() as usize][ctx.index()]
            .as_mut()
            .filter(|context| context.id == ctx)
    }
}

impl Hardware for Gateware {
    fn peek(&mut self) -> Option<Entry> {
        self.messages.front().copied()
    }

    fn take(&mut self) {
        assert!(self.messages.pop_front().is_some(), "it was seen");
    }

    fn send(&mut self, entry: [u32; 4]) -> bool {
        let room = self.commands.len() < MAILBOX;
        if room {
            self.commands
                .push_back(Command::decode(entry).expect("the firmware sends valid commands"));
        }
        room
    }

    fn cycles(&mut self) -> u32 {
        self.cycles
    }

    fn core_hz(&mut self) -> u32 {
        CORE_HZ
    }

    fn layout_hash(&mut self) -> u64 {
        LAYOUT_HASH
    }

    fn limits(&mut self) -> Limits0 {
        Limits0::new()
            .with_queues(QUEUES as u16)
            .with_vectors(VECTORS as u16)
    }

    fn log(&mut self, event: Event) {
        let due = matches!(
            event,
            Event::Started { .. } | Event::RegionInvalidated { .. }
        );
        assert!(due, "{event:?} is not due");
    }
}
