//! Queue scheduler, fetch unit, firmware, engine and completion unit around the table, which check what it does.

use super::*;

/// A read that the fetch unit works on.
pub(super) struct Read {
    pub(super) ctx: usize,
    pub(super) kind: u64,
    pub(super) id: u64,
    /// Words for the context RAM, with their addresses.
    pub(super) words: VecDeque<(u64, u128)>,
    pub(super) status: u64,
    /// SG slot and bus address of a block.
    pub(super) block: Option<(u64, u64)>,
}

/// What is being aborted, its id, and the contexts (with their sequence numbers) that it concerns.
pub(super) type Abort = (Quiesce, u32, Vec<(usize, u8)>);

/// What the engine does with a transfer.
pub(super) struct Run {
    pub(super) ctx: usize,
    pub(super) block: u32,
    /// Blocks it will still leave behind.
    pub(super) leaves: u32,
    pub(super) status: Option<u64>,
    /// All of its reads have come back (H2C).
    pub(super) landed: bool,
    /// Its end is on offer, and stays so until it is noted.
    pub(super) offered: bool,
}

/// How fast everybody around the table is, in percent of the cycles.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) reads: u32,
    /// Reads of this kind do not come back at all.
    pub(super) held_kind: Option<u64>,
    /// The fetch unit's readiness.
    pub(super) fetch: u32,
    pub(super) walker: u32,
    /// Ends of transfers that are not aborted; H2C: of all, as their packets wait for the user's stream.
    pub(super) sink: u32,
    pub(super) messages: u32,
}

pub(super) const BRISK: Pace = Pace {
    reads: 40,
    held_kind: None,
    fetch: 50,
    walker: 30,
    sink: 30,
    messages: 60,
};

pub(super) const FASTEST: Pace = Pace {
    reads: 100,
    held_kind: None,
    fetch: 100,
    walker: 100,
    sink: 100,
    messages: 100,
};

/// Whether a queue takes submissions.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Switch {
    On,
    Off,
    /// It is being created again: the next word of its context.
    Restarting(u64),
}

pub(super) struct Bench<const D: usize, S: Sizes = Full> {
    pub(super) dut: Pair<ContextTable<D, S>>,
    pub(super) random: StdRng,
    pub(super) direction: Direction,
    pub(super) contexts: Vec<Option<Transfer>>,
    pub(super) sequences: [u8; 16],
    pub(super) allocated: [u16; QUEUES],
    /// Contexts of each queue that are taken.
    pub(super) taken: [u16; QUEUES],
    pub(super) dispatched: [u16; QUEUES],
    pub(super) recorded: [u16; QUEUES],
    pub(super) reads: Vec<Read>,
    pub(super) commands: VecDeque<Command>,
    pub(super) switches: [Switch; QUEUES],
    /// Starts go to this queue.
    pub(super) only_queue: Option<usize>,
    pub(super) pace: Pace,
    /// MISSes that are refused, in percent.
    pub(super) refusals: u32,
    /// What the walker is at.
    pub(super) run: Option<Run>,
    /// What the walker is through with, oldest first.
    pub(super) draining: VecDeque<Run>,
    /// The abort that waits for QUIESCED, and the contexts it concerns.
    pub(super) abort: Option<Abort>,
    /// Ticket of the abort that was sent last.
    ticket: u8,
    pub(super) ends: Vec<Status>,
    /// Queues of the jobs, in order.
    pub(super) order: Vec<usize>,
    /// Defects that have shown.
    pub(super) shown: Vec<u32>,
    pub(super) quiesced: usize,
    pub(super) stale: usize,
    pub(super) consumed: usize,
    /// Entries of the regions that stay, by id, with their queues.
    pub(super) regions: BTreeMap<u32, (usize, RegionEntry)>,
    /// Starts of lasting transfers are of this region.
    pub(super) only_region: Option<u32>,
    /// What the SG RAM holds: bus address of the block, and how its read ended.
    pub(super) slots: BTreeMap<u64, (u64, u64)>,
    /// Transfers that have run without a MISS, and those that needed no read either.
    pub(super) hits: [usize; 2],
    /// MISSes so far.
    pub(super) misses: usize,
    /// Ways that the last one showed as pinned.
    pub(super) pinned: u8,
    /// Looks that found a MISS just ending, and were taken again.
    pub(super) looked_again: usize,
    /// Region entries read so far.
    pub(super) entries: usize,
    /// FILLs that name a way, in percent.
    pub(super) kept: u32,
    /// The firmware keeps its answers to itself.
    pub(super) silent: bool,
}

pub(super) fn join(words: &[u32]) -> u128 {
    words
        .iter()
        .rev()
        .fold(0, |value, word| value << 32 | u128::from(*word))
}

pub(super) fn queue_context(queue: usize) -> QueueContext {
    QueueContext::new()
        .with_protection_domain(queue as u32 + 100)
        .with_tdest_first(TDESTS[0])
        .with_tdest_last(TDESTS[2])
}

impl<const D: usize, S: Sizes> Bench<D, S> {
    /// Queues that there are for the bench.
    pub(super) const QUEUES: usize = if QUEUES < S::QUEUES {
        QUEUES
    } else {
        S::QUEUES
    };

    pub(super) fn new(seed: u64) -> Result<Self> {
        let mut dut = Pair::new(
            ContextTable::<D, S>::default(),
            ports!(ContextTable<D, S> {
                clock: clock;
                in reset, region_table, region_count, cfg_write, cfg_queue, cfg_word, cfg_data, alloc, alloc_queue, alloc_index,
                    fill_write, fill_address, fill_data, done_valid, done_kind, done_id, done_status, fetch_ready, cmd_valid,
                    cmd_data, msg_ready, engine_ready, match_stream, stream_valid, stream_tdest, job_ready, window,
                    consumed_valid, consumed_block, consumed_ctx, quiet_valid, quiet_ctx, retire_valid, retire_ctx,
                    retire_status, retire_bytes, retire_eop, rec_ready;
                out back, back_queue, free_valid, free_ctx, fetch_valid, fetch_addr, fetch_bytes, fetch_kind, fetch_id, fetch_word, cmd_ready,
                    msg_valid, msg_data, job_valid, job_ctx, job_position, job_length, job_element, job_last_element,
                    job_uniform, job_shift, job_status, job_tdest, window_valid, window_slot, window_status, consumed_ready,
                    aborts, retire_ready, rec_valid, rec_queue, rec_index, rec_cookie, rec_user, rec_status, rec_bytes, rec_eop,
                    rec_offset, busy, list_wait, in_turn
            }),
        )?;
        reset(&mut dut)?;
        let match_stream = u64::from(D == 0);
        set_all(
            &mut dut,
            &[
                ("region_table", REGION_TABLE),
                ("region_count", REGIONS.into()),
                ("match_stream", match_stream),
            ],
        )?;
        for queue in 0..QUEUES {
            configure(&mut dut, queue as u64, &queue_context(queue))?;
        }
        let mut bench = Self {
            dut,
            random: seeded(seed),
            direction: if D == 0 {
                Direction::C2h
            } else {
                Direction::H2c
            },
            contexts: vec![None; 16],
            sequences: [0; 16],
            allocated: [0; QUEUES],
            taken: [0; QUEUES],
            dispatched: [0; QUEUES],
            recorded: [0; QUEUES],
            reads: Vec::new(),
            commands: VecDeque::new(),
            switches: [Switch::On; QUEUES],
            only_queue: None,
            pace: BRISK,
            refusals: 5,
            run: None,
            draining: VecDeque::new(),
            abort: None,
            ticket: 0,
            ends: Vec::new(),
            order: Vec::new(),
            shown: Vec::new(),
            quiesced: 0,
            stale: 0,
            consumed: 0,
            regions: BTreeMap::new(),
            only_region: None,
            slots: BTreeMap::new(),
            hits: [0; 2],
            misses: 0,
            pinned: 0,
            looked_again: 0,
            entries: 0,
            kept: 80,
            silent: false,
        };
        // Three of each queue: two in a set that has four ways for eight of them, one in a set with room for all.
        for number in 0..3 * QUEUES as u32 {
            let (queue, id) = (number as usize / 3, 16 * number + 8 + number % 3 % 2);
            let region = Transfer::region(&mut bench.random, bench.direction, queue);
            bench.regions.insert(id, (queue, region));
        }
        Ok(bench)
    }

    pub(super) fn handle(&self, ctx: usize) -> ContextId {
        let code = (D << 4 | ctx) as u64 | u64::from(self.sequences[ctx]) << 5;
        ContextId::from_code(code).expect("eight bits")
    }

    pub(super) fn live(&mut self, ctx: usize) -> &mut Transfer {
        self.contexts[ctx].as_mut().expect("a transfer")
    }

    /// One cycle: all inputs, then all outputs, then the edge. `defect` starts a transfer, if a context is free.
    pub(super) fn step(&mut self, defect: Option<u32>) -> Result<bool> {
        // Outputs of registers, before any input changes.
        let abort = self.dut.get("aborts")?;
        let job_offered = self.dut.is("job_valid")?;
        let free = self
            .dut
            .is("free_valid")?
            .then_some(self.dut.get("free_ctx")? as usize);
        // The scheduler.
        let mut started = None;
        self.dut.set("alloc", false)?;
        let queue = self
            .only_queue
            .unwrap_or_else(|| self.random.random_range(0..Self::QUEUES));
        if let Some(defect) = defect
            && let Some(ctx) = free
            && self.switches[queue] == Switch::On
        {
            assert!(
                self.contexts[ctx]
                    .as_ref()
                    .is_none_or(|old| old.is_over() && old.in_flight == 0),
                "context {ctx} is not free"
            );
            if self.contexts[ctx].is_some() {
                self.sequences[ctx] = (self.sequences[ctx] + 1) % 8;
            }
            let index = self.allocated[queue];
            let lasting = self.lasting(queue).filter(|_| defect == LASTING);
            self.allocated[queue] += 1;
            self.taken[queue] += 1;
            set_all(
                &mut self.dut,
                &[
                    ("alloc", 1),
                    ("alloc_queue", queue as u64),
                    ("alloc_index", index.into()),
                ],
            )?;
            started = Some((
                ctx,
                Transfer::random(
                    &mut self.random,
                    self.direction,
                    queue,
                    index,
                    defect,
                    lasting,
                ),
            ));
        }
        // The fetch unit.
        let mut came = None;
        set_all(&mut self.dut, &[("fill_write", 0), ("done_valid", 0)])?;
        let held = self.pace.held_kind;
        let coming: Vec<usize> = (0..self.reads.len())
            .filter(|read| Some(self.reads[*read].kind) != held)
            .collect();
        if !coming.is_empty() && chance(&mut self.random, self.pace.reads) {
            let index = coming[self.random.random_range(0..coming.len())];
            let read = &mut self.reads[index];
            if let Some((address, word)) = read.words.pop_front() {
                set_all(
                    &mut self.dut,
                    &[("fill_write", 1), ("fill_address", address)],
                )?;
                set128(&mut self.dut, "fill_data", word)?;
            }
            if read.words.is_empty() {
                let done = [
                    ("done_valid", 1),
                    ("done_kind", read.kind),
                    ("done_id", read.id),
                    ("done_status", read.status),
                ];
                set_all(&mut self.dut, &done)?;
                came = Some(self.reads.swap_remove(index));
            }
        }
        // Firmware.
        let answer =
            |command: &Command| matches!(command, Command::Fill { .. } | Command::Reject { .. });
        if self.silent
            && let Some(at) = self.commands.iter().position(|command| !answer(command))
        {
            // An abort does not wait behind them.
            self.commands.swap(0, at);
        }
        let said = self
            .commands
            .front()
            .is_some_and(|command| !(self.silent && answer(command)));
        self.dut.set("cmd_valid", said)?;
        if let Some(command) = self.commands.front() {
            set128(&mut self.dut, "cmd_data", join(&command.encode()))?;
        }
        // Engine.
        if !job_offered && chance(&mut self.random, 4) {
            let tdest = TDESTS[self.random.random_range(0..TDESTS.len())];
            let offered = chance(&mut self.random, 80);
            set_all(
                &mut self.dut,
                &[
                    ("stream_valid", offered.into()),
                    ("stream_tdest", tdest.into()),
                ],
            )?;
        }
        let mut quiet = None;
        let mut consumed = false;
        if let Some(run) = &mut self.run {
            let transfer = self.contexts[run.ctx].as_ref().expect("a transfer");
            let aborted = abort >> run.ctx & 1 == 1;
            set_all(
                &mut self.dut,
                &[
                    ("window", (run.ctx as u64) << 1 | u64::from(run.block & 1)),
                    ("consumed_ctx", run.ctx as u64),
                    ("consumed_block", run.block.into()),
                ],
            )?;
            let percent = if aborted { 30 } else { self.pace.walker };
            if run.status.is_none() && chance(&mut self.random, percent) {
                if aborted {
                    run.status = Some(Status::Aborted.code());
                } else if self.dut.is("window_valid")? {
                    let (addr, status) = self.slots[&self.dut.get("window_slot")?];
                    assert_eq!(
                        addr,
                        transfer.region.sg_table() + u64::from(run.block) * 512,
                        "context {} looks at another block",
                        run.ctx
                    );
                    assert_eq!(self.dut.get("window_status")?, status);
                    if status != 0 || run.leaves == 0 {
                        run.status = Some(status);
                    } else {
                        consumed = true;
                    }
                }
            }
        }
        // Behind the walker: an abort may still catch what has not landed. It lands before it ends, in order.
        for run in self.draining.iter_mut().filter(|run| !run.landed) {
            if abort >> run.ctx & 1 == 1 && !run.offered && chance(&mut self.random, 5) {
                run.status = Some(Status::Aborted.code());
            }
        }
        if D == 1
            && chance(&mut self.random, 20)
            && let Some(run) = self.draining.iter_mut().find(|run| !run.landed)
        {
            (quiet, run.landed) = (Some(run.ctx), true);
        }
        let mut retired = false;
        let (sink, random) = (self.pace.sink, &mut self.random);
        if let Some(run) = self.draining.front_mut()
            && Some(run.ctx) != quiet
        {
            let percent = if D == 0 && abort >> run.ctx & 1 == 1 {
                30
            } else {
                sink
            };
            run.offered |= (D == 0 || run.landed) && chance(random, percent);
            retired = run.offered;
            let transfer = self.contexts[run.ctx].as_ref().expect("a transfer");
            let fields = [
                ("retire_ctx", run.ctx as u64),
                ("retire_status", run.status.expect("a status")),
                ("retire_bytes", transfer.submission.cookie() >> 16),
                ("retire_eop", transfer.submission.cookie() & 1),
            ];
            set_all(&mut self.dut, &fields)?;
        }
        set_all(
            &mut self.dut,
            &[
                ("consumed_valid", consumed.into()),
                ("retire_valid", retired.into()),
            ],
        )?;
        set_all(
            &mut self.dut,
            &[
                ("quiet_valid", quiet.is_some().into()),
                ("quiet_ctx", quiet.unwrap_or(0) as u64),
            ],
        )?;
        let walker_free = self.run.is_none();
        self.dut.set("engine_ready", walker_free)?;
        self.configure()?;
        for (input, percent) in [
            ("fetch_ready", self.pace.fetch),
            ("msg_ready", self.pace.messages),
            ("job_ready", if walker_free { 60 } else { 0 }),
            ("rec_ready", 50),
        ] {
            self.dut.set(input, chance(&mut self.random, percent))?;
        }

        self.check_fetch()?;
        self.check_command()?;
        self.check_message()?;
        if self.dut.is("back")? {
            let queue = self.dut.get("back_queue")? as usize;
            assert!(self.taken[queue] > 0, "queue {queue} holds no context");
            self.taken[queue] -= 1;
        }
        self.check_record()?;
        if consumed && self.dut.is("consumed_ready")? {
            let run = self.run.as_mut().expect("a run");
            (run.block, run.leaves) = (run.block + 1, run.leaves - 1);
            let ctx = run.ctx;
            self.live(ctx).left += 1;
            self.consumed += 1;
        }
        if let Some(ctx) = quiet {
            self.live(ctx).touching = false;
        }
        if retired && self.dut.is("retire_ready")? {
            let run = self.draining.pop_front().expect("a run");
            let transfer = self.live(run.ctx);
            (transfer.touching, transfer.retired) = (false, true);
            transfer.expected = Status::from_code(run.status.expect("a status")).expect("a status");
        }
        if self.run.as_ref().is_some_and(|run| run.status.is_some()) {
            self.draining.extend(self.run.take());
        }
        self.check_job()?;
        if let Some(read) = came {
            if let Some((slot, addr)) = read.block {
                self.slots.insert(slot, (addr, read.status));
            }
            self.live(read.ctx).in_flight -= 1;
        }
        if let Some((ctx, transfer)) = started {
            let words = transfer
                .words
                .chunks(4)
                .zip(8 * ctx as u64..)
                .map(|(word, address)| (address, join(word)));
            self.reads.push(Read {
                ctx,
                kind: 0,
                id: ctx as u64,
                words: words.collect(),
                status: transfer.reads[0],
                block: None,
            });
            self.contexts[ctx] = Some(Transfer {
                in_flight: 1,
                ..transfer
            });
        }
        let inside = self.dut.native();
        let looks = inside.state.q.val() == ContextState::CheckSubmission;
        self.looked_again += usize::from(looks && !inside.submission_here.clear.val().any());
        self.dut.step()?;
        Ok(defect.is_some() && self.dut.is("alloc")?)
    }

    /// A queue that has ended is created again, word by word; and contexts of queues that are not at work are written.
    pub(super) fn configure(&mut self) -> Result {
        let restarting = (0..QUEUES).find_map(|queue| match self.switches[queue] {
            Switch::Restarting(word) => Some((queue, word)),
            _ => None,
        });
        let written = chance(&mut self.random, 8);
        self.dut.set("cfg_write", written)?;
        if !written {
            return Ok(());
        }
        let (queue, word) = restarting.unwrap_or((9, self.random.random_range(0..6)));
        let words = queue_context(queue % QUEUES).to_words();
        let at = 2 * word as usize;
        set_all(
            &mut self.dut,
            &[
                ("cfg_queue", queue as u64),
                ("cfg_word", word),
                (
                    "cfg_data",
                    u64::from(words[at + 1]) << 32 | u64::from(words[at]),
                ),
            ],
        )?;
        if restarting.is_some() {
            self.switches[queue] = if word < 5 {
                Switch::Restarting(word + 1)
            } else {
                (self.allocated[queue], self.dispatched[queue]) = (0, 0);
                self.recorded[queue] = 0;
                Switch::On
            };
        }
        Ok(())
    }

    /// A region of the queue that stays, if it is not being taken away.
    fn lasting(&mut self, queue: usize) -> Option<(u32, RegionEntry)> {
        let ids: Vec<u32> = self.regions.keys().copied().collect();
        let own = |id: &&u32| self.regions[*id].0 == queue;
        let own: Vec<u32> = ids.iter().filter(own).copied().collect();
        let any = own[self.random.random_range(0..own.len())];
        let id = self.only_region.unwrap_or(any);
        let region = self.regions[&id].1;
        (region.format() != Ok(SgFormat::Invalid)).then_some((id, region))
    }

    /// Sends an abort, as the firmware does: a queue is switched off before, a region's entry is invalid.
    pub(super) fn abort(&mut self, mut command: Command) {
        if let Command::AbortRegion { ticket, .. } | Command::AbortQueue { ticket, .. } =
            &mut command
        {
            *ticket = self.random.random();
        }
        if let Command::AbortRegion { region, .. } = command
            && let Some((_, entry)) = self.regions.get_mut(&region)
        {
            entry.set_format(SgFormat::Invalid);
        }
        if let Command::AbortQueue { queue, .. } = command {
            self.switches[usize::from(queue)] = Switch::Off;
        }
        self.commands.push_back(command);
    }

    pub(super) fn check_fetch(&mut self) -> Result {
        if !(self.dut.is("fetch_valid")? && self.dut.is("fetch_ready")?) {
            return Ok(());
        }
        let (kind, id) = (self.dut.get("fetch_kind")?, self.dut.get("fetch_id")?);
        let (addr, bytes) = (self.dut.get("fetch_addr")?, self.dut.get("fetch_bytes")?);
        let word = self.dut.get("fetch_word")?;
        let ctx = if kind == 1 { id } else { id >> 1 } as usize;
        let transfer = self.contexts[ctx].as_mut().expect("a transfer");
        assert!(
            !transfer.aborted && !transfer.rejected,
            "a read for an aborted transfer"
        );
        transfer.in_flight += 1;
        let now = transfer
            .lasting
            .then(|| self.regions[&transfer.submission.region()].1);
        let mut read = Read {
            ctx,
            kind,
            id,
            words: VecDeque::new(),
            status: 0,
            block: None,
        };
        if kind == 1 {
            assert!(transfer.announced && !transfer.asked, "once, with its MISS");
            transfer.asked = true;
            self.entries += 1;
            assert_eq!(
                (addr, bytes),
                (
                    REGION_TABLE + 64 * u64::from(transfer.submission.region()),
                    64
                )
            );
            assert_eq!(word, 8 * ctx as u64 + 4);
            if let Some(entry) = now {
                transfer.region_words = entry.to_words();
                if entry.format() == Ok(SgFormat::Invalid) {
                    transfer.expected = Status::BadRegionEntry;
                } else if entry.generation() != transfer.submission.generation() {
                    transfer.expected = Status::StaleGeneration;
                }
            }
            let words = transfer
                .region_words
                .chunks(4)
                .zip(word..)
                .map(|(word, address)| (address, join(word)));
            read.words = words.collect();
            read.status = transfer.reads[1];
        } else {
            assert_eq!(transfer.expected, Status::Ok, "the region is opened");
            if let (Some(entry), None, false) = (now, transfer.last_read, transfer.dispatched) {
                transfer.region = entry;
            }
            let first = transfer.first_block();
            let own = (2 * ctx as u64) | (id & 1);
            let block = match transfer.last_read {
                Some(block) => block + 1,
                // The first may be on chip.
                None if id & 1 != u64::from(first & 1) => first + 1,
                None => first,
            };
            assert!(
                block == first || word / 32 == own,
                "not read ahead into its own slot"
            );
            assert!(word / 32 == own || word / 32 >= 2 * S::CONTEXTS as u64 && transfer.lasting);
            assert_eq!(id & 1, u64::from(block & 1));
            assert!(block <= transfer.end_block(), "it cannot need that block");
            assert!(block <= first + transfer.left + 1, "the window is taken");
            let element = if transfer.block_elements() == 64 {
                8
            } else {
                16
            };
            let left =
                u64::from(transfer.region.element_count()) * element - u64::from(block) * 512;
            assert_eq!(addr, transfer.region.sg_table() + u64::from(block) * 512);
            assert_eq!((bytes, word % 32), (left.min(512), 0));
            read.status = if block == first && !transfer.lasting {
                transfer.reads[2]
            } else if chance(&mut self.random, 3) {
                Status::ReadUnsupported.code()
            } else {
                0
            };
            read.block = Some((word / 32, addr));
            // Its old block is gone.
            self.slots.insert(word / 32, (1, 0));
            transfer.last_read = Some(block);
        }
        self.reads.push(read);
        Ok(())
    }

    pub(super) fn check_command(&mut self) -> Result {
        if !(self.dut.is("cmd_valid")? && self.dut.is("cmd_ready")?) {
            return Ok(());
        }
        let command = self.commands.pop_front().expect("a command");
        let (what, id, ticket) = match command {
            Command::Reject { ctx, status } => {
                if ctx == self.handle(ctx.index()) {
                    let transfer = self.live(ctx.index());
                    if !transfer.aborted {
                        (transfer.rejected, transfer.expected) = (true, status);
                    }
                }
                return Ok(());
            }
            Command::AbortRegion { region, ticket } => (Quiesce::Region, region, ticket),
            Command::AbortQueue { queue, ticket } => (Quiesce::Queue, queue.into(), ticket),
            _ => return Ok(()),
        };
        self.ticket = ticket;
        let mut concerned = Vec::new();
        for ctx in 0..16 {
            let Some(transfer) = &mut self.contexts[ctx] else {
                continue;
            };
            let mut hit = match what {
                Quiesce::Region => transfer.submission.region() == id && transfer.moves(),
                Quiesce::Queue => transfer.queue as u32 == id,
            };
            if what == Quiesce::Region && hit && !transfer.is_bound() {
                transfer.maybe_aborted |= transfer.lasting;
                hit = false;
            }
            if hit && !transfer.is_over() {
                concerned.push((ctx, self.sequences[ctx]));
                transfer.aborted = true;
                transfer.dropped |= what == Quiesce::Queue && !transfer.dispatched;
            }
        }
        self.abort = Some((what, id, concerned));
        Ok(())
    }

    pub(super) fn check_message(&mut self) -> Result {
        if !(self.dut.is("msg_valid")? && self.dut.is("msg_ready")?) {
            return Ok(());
        }
        let raw = get128(&mut self.dut, "msg_data")?;
        let message = Message::decode(std::array::from_fn(|word| (raw >> (32 * word)) as u32))
            .expect("a message");
        let way = if chance(&mut self.random, self.kept) {
            self.random.random_range(0..limits::RESIDENT_WAYS as u16)
        } else {
            NOT_KEPT
        };
        let now = |ctx: ContextId, bench: &Self| {
            assert_eq!(ctx, bench.handle(ctx.index()), "{message:?}")
        };
        match message {
            Message::Miss {
                ctx,
                generation,
                region,
                sg_hint,
                pinned,
                ..
            } => {
                now(ctx, self);
                self.misses += 1;
                self.pinned = pinned;
                let transfer = self.live(ctx.index());
                let submission = transfer.submission;
                assert!(transfer.reads[0] == 0 && !transfer.announced && transfer.moves());
                assert_eq!(
                    (generation, region, sg_hint),
                    (
                        submission.generation(),
                        submission.region(),
                        submission.sg_hint()
                    )
                );
                transfer.announced = true;
                let early = [
                    Status::BadOpcode,
                    Status::BadIndex,
                    Status::BadRegion,
                    Status::BadTdest,
                    Status::ReservedNotZero,
                ];
                assert!(
                    !early.contains(&transfer.expected),
                    "MISS in spite of {:?}",
                    transfer.expected
                );
                if chance(&mut self.random, 20) {
                    // An answer to the transfer before it.
                    let old = ContextId::from_code(ctx.code() ^ 0x20).expect("eight bits");
                    let stale = [
                        Command::Fill { ctx: old, way },
                        Command::Reject {
                            ctx: old,
                            status: Status::Rejected,
                        },
                    ];
                    self.commands
                        .push_back(stale[self.random.random_range(0..2)]);
                    self.stale += 1;
                }
                self.commands
                    .push_back(if chance(&mut self.random, self.refusals) {
                        Command::Reject {
                            ctx,
                            status: Status::Rejected,
                        }
                    } else {
                        Command::Fill { ctx, way }
                    });
            }
            Message::Quiesced {
                direction,
                what,
                id,
                ticket,
            } => {
                assert_eq!((direction, ticket), (self.direction, self.ticket));
                let (aborted, number, concerned) = self.abort.take().expect("an abort");
                assert_eq!((what, id), (aborted, number));
                for (ctx, sequence) in concerned {
                    let Some(transfer) = self.contexts[ctx]
                        .as_mut()
                        .filter(|_| self.sequences[ctx] == sequence)
                    else {
                        continue;
                    };
                    assert!(
                        transfer.in_flight == 0 && !transfer.touching,
                        "context {ctx} still touches memory after {message:?}"
                    );
                    transfer.muted |=
                        what == Quiesce::Queue && transfer.dispatched && !transfer.recorded;
                }
                if what == Quiesce::Region
                    && let Some((_, entry)) = self.regions.get_mut(&id)
                {
                    // The id and its pages are used again, with another table.
                    entry.set_sg_table(self.random.random::<u64>() >> 13 << 12);
                    entry.set_format(if entry.page_shift() == 12 {
                        SgFormat::PageGranular
                    } else {
                        SgFormat::Uniform
                    });
                    if chance(&mut self.random, 30) {
                        entry.set_generation(entry.generation().wrapping_add(1));
                    }
                }
                if what == Quiesce::Queue {
                    self.switches[id as usize] = Switch::Restarting(0);
                }
                self.quiesced += 1;
            }
            Message::Admin { .. } => panic!("no admin unit here"),
        }
        Ok(())
    }

    pub(super) fn check_job(&mut self) -> Result {
        let dut = &mut self.dut;
        if !(dut.is("job_valid")? && dut.is("job_ready")?) {
            return Ok(());
        }
        let ctx = dut.get("job_ctx")? as usize;
        let transfer = self.contexts[ctx].as_mut().expect("a transfer");
        assert!(!transfer.dispatched && !transfer.dropped, "context {ctx}");
        assert_eq!(
            transfer.index, self.dispatched[transfer.queue],
            "queue {} out of order",
            transfer.queue
        );
        self.dispatched[transfer.queue] += 1;
        self.order.push(transfer.queue);
        let status = dut.get("job_status")?;
        (transfer.dispatched, transfer.touching) = (true, status == 0 && transfer.moves());
        if transfer.lasting && transfer.last_read.is_none() && status == 0 {
            transfer.region = self.regions[&transfer.submission.region()].1;
        }
        if transfer.moves() && status == 0 {
            self.hits[0] += usize::from(!transfer.announced);
            self.hits[1] += usize::from(!transfer.announced && transfer.last_read.is_none());
        }
        transfer.aborted |= transfer.maybe_aborted && status == Status::Aborted.code();
        let expected = if transfer.aborted && status == Status::Aborted.code() {
            Status::Aborted
        } else {
            assert!(
                !transfer.aborted || transfer.expected != Status::Ok || !transfer.moves(),
                "an aborted transfer runs"
            );
            transfer.expected
        };
        assert_eq!(
            status,
            expected.code(),
            "queue {} index {}",
            transfer.queue,
            transfer.index
        );
        let (submission, region) = (&transfer.submission, &transfer.region);
        let mut run = Run {
            ctx,
            block: 0,
            leaves: 0,
            status: Some(status),
            landed: false,
            offered: false,
        };
        if status != 0 || !transfer.moves() {
            assert_eq!(dut.get("job_length")?, 0);
        } else {
            if D == 0 {
                assert!(
                    dut.is("stream_valid")?
                        && dut.get("stream_tdest")? == u64::from(submission.tdest()),
                    "no such TDEST"
                );
            }
            let job = [
                dut.get("job_position")?,
                dut.get("job_length")?,
                dut.get("job_element")?,
                dut.get("job_last_element")?,
                dut.get("job_uniform")?,
                dut.get("job_tdest")?,
            ];
            let uniform = region.format() == Ok(SgFormat::Uniform);
            let expected = [
                submission.offset() + u64::from(region.first_byte_offset()),
                submission.length(),
                submission.sg_hint().into(),
                u64::from(region.element_count()) - 1,
                uniform.into(),
                submission.tdest().into(),
            ];
            assert_eq!(job, expected);
            if uniform {
                assert_eq!(dut.get("job_shift")?, u64::from(region.page_shift()));
            }
            let (first, last) = (transfer.first_block(), transfer.end_block());
            run = Run {
                ctx,
                block: first,
                leaves: self
                    .random
                    .random_range((last - first).div_ceil(2)..=last - first),
                status: None,
                ..run
            };
        }
        self.run = Some(run);
        Ok(())
    }

    pub(super) fn check_record(&mut self) -> Result {
        let dut = &mut self.dut;
        if !(dut.is("rec_valid")? && dut.is("rec_ready")?) {
            return Ok(());
        }
        let (queue, index) = (dut.get("rec_queue")? as usize, dut.get("rec_index")? as u16);
        assert_eq!(index, self.recorded[queue], "queue {queue} out of order");
        self.recorded[queue] += 1;
        let mut contexts = self.contexts.iter().enumerate();
        let found = contexts.find(|(_, one)| {
            one.as_ref().is_some_and(|one| {
                one.queue == queue
                    && one.index == index
                    && one.retired
                    && !one.recorded
                    && !one.muted
            })
        });
        let ctx = found.expect("a transfer").0;
        let record = [
            dut.get("rec_cookie")?,
            dut.get("rec_user")?,
            dut.get("rec_status")?,
            dut.get("rec_bytes")?,
            dut.get("rec_eop")?,
            dut.get("rec_offset")?,
        ];
        let transfer = self.contexts[ctx].as_mut().expect("a transfer");
        let submission = &transfer.submission;
        let cookie = submission.cookie();
        let status = transfer.expected.code();
        assert_eq!(
            record,
            [
                cookie,
                submission.user().into(),
                status,
                cookie >> 16,
                cookie & 1,
                submission.offset()
            ]
        );
        transfer.recorded = true;
        if !transfer.aborted && !transfer.rejected {
            self.shown.push(transfer.defect);
        }
        self.ends.push(transfer.expected);
        Ok(())
    }

    /// Steps until `holds`.
    pub(super) fn until(
        &mut self,
        cycles: usize,
        what: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> Result {
        for _ in 0..cycles {
            if holds(self) {
                return Ok(());
            }
            self.step(None)?;
        }
        panic!("not within {cycles} cycles: {what}")
    }

    /// Starts a transfer without a defect in `queue`; returns its context.
    pub(super) fn start(&mut self, queue: usize) -> Result<usize> {
        self.only_queue = Some(queue);
        let ctx = self.dut.get("free_ctx")? as usize;
        let kind = if self.only_region.is_some() {
            LASTING
        } else {
            99
        };
        assert!(self.step(Some(kind))?, "a context is free");
        self.only_queue = None;
        Ok(ctx)
    }

    /// The transfer that a context serves or served last.
    pub(super) fn transfer(&self, ctx: usize) -> &Transfer {
        self.contexts[ctx].as_ref().expect("a transfer")
    }

    /// Runs until nothing is left, or `cycles` are over.
    pub(super) fn drain(&mut self, cycles: usize) -> Result {
        self.pace = BRISK;
        let mut left = true;
        for _ in 0..cycles {
            left = self.dut.is("busy")?
                || self.abort.is_some()
                || !self.commands.is_empty()
                || self.switches != [Switch::On; QUEUES];
            if !left {
                break;
            }
            self.step(None)?;
        }
        assert!(!left, "transfers hang");
        assert_eq!(
            self.recorded, self.allocated,
            "every submission gives one record"
        );
        assert_eq!(self.taken, [0; QUEUES], "contexts given back");
        Ok(())
    }
}
