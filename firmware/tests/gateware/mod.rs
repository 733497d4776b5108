//! A model of the gateware as the mailbox shows it, which checks every command against the rules of docs/gateware.md.

use pinring_firmware::{Event, Hardware};
use pinring_protocol::limits::{CONTEXTS, HEARTBEAT_MS, SG_SLOTS};
use pinring_protocol::mailbox::{Command, ContextId, Message, Quiesce};
use pinring_protocol::{AdminEntry, AdminOpcode, Direction, FirmwareState, LAYOUT_HASH, Status};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::VecDeque;

const CORE_HZ: u32 = 10_000_000;
const MAILBOX: usize = 16;
const DIRECTIONS: [Direction; 2] = [Direction::C2h, Direction::H2c];

/// A transfer of a queue: it starts in block `first` of a table that ends with block `last`, and needs `blocks` of it.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub region: u32,
    pub first: u32,
    pub blocks: u32,
    pub last: u32,
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

/// A block in a window: its slot, and when its read is back.
struct Held {
    block: u32,
    slot: u16,
    back_at: u64,
}

struct Context {
    id: ContextId,
    queue: usize,
    number: usize,
    filled: bool,
    opened: bool,
    opens_at: u64,
    requested: u32,
    current: u32,
    held: Vec<Held>,
    aborting: bool,
}

/// The gateware.
pub struct Gateware {
    scenario: Scenario,
    random: StdRng,
    now: u64,
    cycles: u32,
    heartbeat: u32,
    queues: Vec<Queue>,
    contexts: [Vec<Option<Context>>; 2],
    sequences: [[u64; CONTEXTS]; 2],
    /// Who holds each slot.
    slots: [[Option<ContextId>; SG_SLOTS]; 2],
    messages: VecDeque<[u32; 4]>,
    commands: VecDeque<Command>,
    /// Region under invalidation, and which directions are still busy.
    invalidating: Option<(u32, bool, Vec<Direction>)>,
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
            heartbeat: cycles,
            contexts: DIRECTIONS.map(|_| (0..CONTEXTS).map(|_| None).collect()),
            sequences: [[0; CONTEXTS]; 2],
            slots: [[None; SG_SLOTS]; 2],
            messages: VecDeque::new(),
            commands: VecDeque::new(),
            invalidating: None,
        }
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

    /// Slots that the gateware has given back, per direction.
    pub fn free_slots(&self) -> [usize; 2] {
        self.slots
            .map(|slots| slots.iter().filter(|slot| slot.is_none()).count())
    }

    /// One step of time.
    pub fn step(&mut self) {
        self.now += 1;
        self.cycles = self.cycles.wrapping_add(self.random.random_range(1..200));
        let silence = self.cycles.wrapping_sub(self.heartbeat);
        assert!(
            silence <= CORE_HZ / 1000 * HEARTBEAT_MS,
            "no heartbeat for {silence} cycles"
        );
        while self.random.random_bool(self.scenario.appetite)
            && let Some(command) = self.commands.pop_front()
        {
            self.take(command);
        }
        self.ring_and_bind();
        for direction in DIRECTIONS {
            for index in 0..CONTEXTS {
                self.advance(direction, index);
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
                    filled: false,
                    opened: false,
                    opens_at: 0,
                    requested: 0,
                    current: 0,
                    held: Vec::new(),
                    aborting: false,
                });
                queue.bound += 1;
                self.post(Message::Miss {
                    ctx: id,
                    generation: 1,
                    region,
                    sg_hint: 0,
                });
            }
        }
    }

    fn post(&mut self, message: Message) {
        self.messages.push_back(message.encode());
    }

    /// What one context does in one step: at most one message.
    fn advance(&mut self, direction: Direction, index: usize) {
        let (now, room) = (self.now, self.messages.len() < MAILBOX);
        let keen = self.random.random_bool(0.3);
        let Some(context) = &mut self.contexts[direction as usize][index] else {
            return;
        };
        let transfer = self.queues[context.queue].transfers[context.number].clone();
        let reads_back = context.held.iter().all(|held| held.back_at <= now);
        if !room {
            return;
        }
        if context.aborting {
            if reads_back && context.opens_at <= now && keen {
                self.close(direction, index);
            }
            return;
        }
        if context.filled && !context.opened && context.opens_at <= now {
            context.opened = true;
            context.held[0].block = transfer.first;
            (context.requested, context.current) = (transfer.first, transfer.first);
            let message = Message::Opened {
                ctx: context.id,
                last_block: transfer.last,
                first_block: transfer.first,
            };
            return self.post(message);
        }
        let turn = self.queues[context.queue].ended == context.number
            && self.scenario.idle != Some(context.queue);
        let held = context
            .held
            .iter()
            .position(|held| held.block == context.current && held.back_at <= now);
        if context.opened
            && turn
            && keen
            && let Some(held) = held
        {
            if context.current.wrapping_sub(transfer.first) + 1 == transfer.blocks {
                // The transfer has all it needs; a block that is still being read is waited for.
                context.aborting = true;
                return;
            }
            let held = context.held.swap_remove(held);
            context.current = context.current.wrapping_add(1);
            let message = Message::Consumed {
                ctx: context.id,
                block: held.block,
            };
            self.slots[direction as usize][usize::from(held.slot)] = None;
            self.post(message);
        }
    }

    fn close(&mut self, direction: Direction, index: usize) {
        // Completions of a queue are written in its order.
        let Some(context) = &self.contexts[direction as usize][index] else {
            return;
        };
        let queue = &mut self.queues[context.queue];
        if queue.ended != context.number {
            return;
        }
        queue.ended += 1;
        let id = context.id;
        for slot in &mut self.slots[direction as usize] {
            if *slot == Some(id) {
                *slot = None;
            }
        }
        self.contexts[direction as usize][index] = None;
        self.post(Message::Closed { ctx: id });
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
            let region = self.random.random_range(0..4);
            let entry = AdminEntry::new()
                .with_opcode(AdminOpcode::InvalidateRegion)
                .with_target(region);
            let entry = entry.with_cookie(self.now);
            self.post(Message::Admin {
                index: self.now as u16,
            });
            self.messages.extend(
                entry
                    .to_words()
                    .chunks_exact(4)
                    .map(|quarter| [quarter[0], quarter[1], quarter[2], quarter[3]]),
            );
            self.invalidating = Some((region, false, DIRECTIONS.to_vec()));
        }
        let Some((region, true, busy)) = self.invalidating.clone() else {
            return;
        };
        for direction in busy {
            let of_region = |context: &Context| {
                self.queues[context.queue].transfers[context.number].region == region
                    && !context.held.iter().all(|held| held.back_at <= self.now)
            };
            let reads = self.contexts[direction as usize]
                .iter()
                .flatten()
                .any(of_region);
            if !reads && self.messages.len() < MAILBOX {
                self.post(Message::Quiesced {
                    direction,
                    what: Quiesce::Region,
                    id: region,
                });
                if let Some((_, _, busy)) = &mut self.invalidating {
                    busy.retain(|other| *other != direction);
                }
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Fill { ctx, slot } => {
                let opens_at = self.latency();
                let back_at = opens_at + self.random.random_range(1..=self.scenario.latency);
                let Some(context) = self.answered(ctx) else {
                    return;
                };
                assert!(!context.filled, "{ctx:?} is filled once");
                context.filled = true;
                if !context.aborting {
                    context.opens_at = opens_at;
                    context.held.push(Held {
                        block: 0,
                        slot,
                        back_at,
                    });
                    self.occupy(ctx, slot);
                }
            }
            Command::Prefetch { ctx, slot, block } => {
                let back_at = self.latency();
                let queues: Vec<_> = self
                    .queues
                    .iter()
                    .map(|queue| queue.transfers.clone())
                    .collect();
                let Some(context) = self.answered(ctx) else {
                    return;
                };
                assert!(
                    context.opened,
                    "{ctx:?} is read ahead only once its region is known"
                );
                let last = queues[context.queue][context.number].last;
                assert_eq!(
                    block,
                    context.requested.wrapping_add(1),
                    "{ctx:?} is read in order, each block once"
                );
                assert!(
                    context.requested != last,
                    "{ctx:?} is not read past its table's last block {last}"
                );
                assert!(context.held.len() < 2, "{ctx:?} holds at most two blocks");
                assert!(
                    context.held.iter().all(|held| held.block & 1 != block & 1),
                    "the window is free"
                );
                context.requested = block;
                if !context.aborting {
                    context.held.push(Held {
                        block,
                        slot,
                        back_at,
                    });
                    self.occupy(ctx, slot);
                }
            }
            Command::AbortRegion { region } => {
                let (asked, sent, _) = self
                    .invalidating
                    .as_mut()
                    .expect("an invalidation was asked for");
                assert_eq!((*asked, *sent), (region, false), "once, and this region");
                *sent = true;
                for context in self.contexts.iter_mut().flatten().flatten() {
                    context.aborting |=
                        self.queues[context.queue].transfers[context.number].region == region;
                }
            }
            Command::AdminDone { status, .. } => {
                let (_, sent, busy) = self
                    .invalidating
                    .take()
                    .expect("an invalidation was asked for");
                assert_eq!(
                    (status, sent, busy.len()),
                    (Status::Ok, true, 0),
                    "after both directions are quiet"
                );
            }
            Command::Heartbeat { state, .. } => {
                assert_eq!(state, FirmwareState::Running);
                self.heartbeat = self.cycles;
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

    fn occupy(&mut self, ctx: ContextId, slot: u16) {
        let held_by = &mut self.slots[ctx.direction() as usize][usize::from(slot)];
        assert_eq!(*held_by, None, "slot {slot} is given to {ctx:?} twice");
        *held_by = Some(ctx);
    }
}

impl Hardware for Gateware {
    fn receive(&mut self) -> Option<[u32; 4]> {
        self.messages.pop_front()
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

    fn log(&mut self, event: Event) {
        let due = matches!(
            event,
            Event::Started { .. } | Event::RegionInvalidated { .. }
        );
        assert!(due, "{event:?} is not due");
    }
}
