//! Admin commands: queues are created and destroyed, regions invalidated, one command at a time.

use heapless::Vec;
use pinring_protocol::limits::ADMIN_QUEUE;
use pinring_protocol::mailbox::{Command, Quiesce};
use pinring_protocol::registers::Limits0;
use pinring_protocol::{AdminEntry, AdminOpcode, DecodeError, Direction, Status};

use crate::Event;

/// Words of an admin entry.
const WORDS: usize = AdminEntry::BYTES / 4;

/// An admin command as it arrives.
struct Request {
    /// The queue that it names is enabled.
    exists: bool,
    ticket: u8,
    words: Vec<u32, WORDS>,
}

/// Identity of a command, for its completion.
#[derive(Clone, Copy)]
struct Ticket {
    number: u8,
    cookie: u64,
}

impl Ticket {
    fn done(self, status: Status) -> Command {
        Command::AdminDone {
            status,
            cookie_low: self.cookie as u32,
            cookie_high: (self.cookie >> 32) as u32,
            ticket: self.number,
        }
    }
}

/// A command that waits until both directions are quiet.
struct Abort {
    ticket: Ticket,
    what: Quiesce,
    id: u32,
    /// C2H and H2C.
    quiet: [bool; 2],
}

/// Carries out admin commands, one at a time: the gateware reads the next entry when the one before has its ADMIN_DONE.
///
/// It keeps nothing from one command to the next; which queues exist is the gateware's to know. A command that comes again, for firmware that
/// starts anew, is carried out from its beginning: each of its steps may be done twice. Answers echo the ticket of the last ADMIN, so that what an
/// earlier copy has caused is not taken for this one's.
pub struct Admin {
    /// Queues and vectors that the device has.
    limits: Limits0,
    /// The entry that is just arriving.
    arriving: Option<Request>,
    abort: Option<Abort>,
}

impl Admin {
    /// For a device with these queues and vectors.
    pub fn new(limits: Limits0) -> Self {
        Self {
            limits,
            arriving: None,
            abort: None,
        }
    }

    /// ADMIN: the next four raw entries are an admin entry, which takes the place of any other.
    pub fn announce(&mut self, exists: bool, ticket: u8) {
        self.abort = None;
        self.arriving = Some(Request {
            exists,
            ticket,
            words: Vec::new(),
        });
    }

    /// Takes a raw entry; with the fourth one the command is carried out, or begun. Those of a command whose ADMIN the firmware has taken
    /// before it started anew count for nothing.
    pub fn raw(
        &mut self,
        entry: [u32; 4],
        send: &mut dyn FnMut(Command),
        log: &mut dyn FnMut(Event),
    ) {
        let Some(mut request) = self.arriving.take() else {
            return;
        };
        // Has room: the request leaves as soon as it is full.
        let _ = request.words.extend_from_slice(&entry);
        if !request.words.is_full() {
            self.arriving = Some(request);
            return;
        }
        let entry = entry_of(&request);
        let ticket = Ticket {
            number: request.ticket,
            cookie: entry.cookie(),
        };
        if let Err(status) = self.start(ticket, request.exists, &entry, send, log) {
            log(Event::AdminRefused {
                target: entry.target(),
                status,
            });
            send(ticket.done(status));
        }
    }

    /// QUIESCED: one direction is through with an abort (what, its id, ticket). Those that no command waits for are ignored.
    pub fn quiesced(
        &mut self,
        direction: Direction,
        (what, id, ticket): (Quiesce, u32, u8),
        send: &mut dyn FnMut(Command),
        log: &mut dyn FnMut(Event),
    ) {
        let Some(abort) = self
            .abort
            .as_mut()
            .filter(|abort| (abort.what, abort.id, abort.ticket.number) == (what, id, ticket))
        else {
            return;
        };
        abort.quiet[direction as usize] = true;
        if abort.quiet == [true; 2] {
            send(abort.ticket.done(Status::Ok));
            log(match what {
                Quiesce::Region => Event::RegionInvalidated { region: id },
                Quiesce::Queue => Event::QueueDestroyed { queue: id },
            });
            self.abort = None;
        }
    }

    fn start(
        &mut self,
        ticket: Ticket,
        exists: bool,
        entry: &AdminEntry,
        send: &mut dyn FnMut(Command),
        log: &mut dyn FnMut(Event),
    ) -> Result<(), Status> {
        entry.check().map_err(refusal)?;
        let target = entry.target();
        let id = || match u8::try_from(target) {
            Ok(queue)
                if target != u32::from(ADMIN_QUEUE) && target < self.limits.queues().into() =>
            {
                Ok(queue)
            }
            _ => Err(Status::BadQueue),
        };
        match entry.opcode().map_err(refusal)? {
            AdminOpcode::CreateQueue => {
                let (queue, context) = (id()?, entry.body());
                if exists {
                    return Err(Status::QueueExists);
                }
                if context.sq_address() == 0
                    || context.cq_address() == 0
                    || context.vector() >= self.limits.vectors()
                {
                    return Err(Status::BadQueueContext);
                }
                for (word, halves) in (0..).zip(context.to_words().chunks_exact(2)) {
                    send(Command::Queue {
                        queue,
                        word,
                        low: halves[0],
                        high: halves[1],
                    });
                }
                send(Command::Enable { queue });
                send(ticket.done(Status::Ok));
                log(Event::QueueCreated { queue: target });
            }
            AdminOpcode::DestroyQueue => {
                let queue = id()?;
                if !exists {
                    return Err(Status::BadQueue);
                }
                send(Command::Disable { queue });
                send(Command::AbortQueue {
                    queue,
                    ticket: ticket.number,
                });
                self.abort = Some(Abort {
                    ticket,
                    what: Quiesce::Queue,
                    id: target,
                    quiet: [false; 2],
                });
            }
            AdminOpcode::InvalidateRegion => {
                send(Command::AbortRegion {
                    region: target,
                    ticket: ticket.number,
                });
                self.abort = Some(Abort {
                    ticket,
                    what: Quiesce::Region,
                    id: target,
                    quiet: [false; 2],
                });
            }
            // The log is sent as it arises, so there is nothing left to flush.
            AdminOpcode::ReadLog => send(ticket.done(Status::Ok)),
        }
        Ok(())
    }
}

/// The entry of a whole request.
fn entry_of(request: &Request) -> AdminEntry {
    let mut words = [0; WORDS];
    for (to, from) in words.iter_mut().zip(&request.words) {
        *to = *from;
    }
    AdminEntry::from_words(words)
}

/// The status that tells the driver what is wrong with an entry.
fn refusal(error: DecodeError) -> Status {
    match error {
        DecodeError::Reserved { .. } => Status::ReservedNotZero,
        DecodeError::UnknownCode {
            structure: "AdminEntry",
            ..
        } => Status::BadOpcode,
        DecodeError::OutOfRange {
            structure: "AdminEntry",
            ..
        } => Status::BadQueue,
        _ => Status::BadQueueContext,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_protocol::QueueContext;
    use pinring_protocol::limits::{QUEUES, VECTORS};

    struct Bench {
        admin: Admin,
        /// Queues that the gateware has enabled.
        queues: u32,
        ticket: u8,
        sent: std::vec::Vec<Command>,
        events: std::vec::Vec<Event>,
    }

    impl Default for Bench {
        fn default() -> Self {
            Self::with_limits(QUEUES as u16, VECTORS as u16)
        }
    }

    impl Bench {
        fn with_limits(queues: u16, vectors: u16) -> Self {
            let limits = Limits0::new().with_queues(queues).with_vectors(vectors);
            Self {
                admin: Admin::new(limits),
                queues: 0,
                ticket: 0,
                sent: std::vec::Vec::new(),
                events: std::vec::Vec::new(),
            }
        }

        fn submit(&mut self, ticket: u8, entry: &AdminEntry) -> std::vec::Vec<Command> {
            let exists = self.queues.checked_shr(entry.target()).unwrap_or(0) & 1 != 0;
            self.ticket = ticket;
            self.admin.announce(exists, ticket);
            self.raw(entry, 4);
            self.sent()
        }

        /// The first quarters of an entry.
        fn raw(&mut self, entry: &AdminEntry, quarters: usize) {
            for quarter in entry.to_words().chunks_exact(4).take(quarters) {
                let quarter = quarter.try_into().expect("four words");
                self.admin.raw(
                    quarter,
                    &mut |command| self.sent.push(command),
                    &mut |event| self.events.push(event),
                );
            }
        }

        fn quiesced(
            &mut self,
            direction: Direction,
            what: Quiesce,
            id: u32,
        ) -> std::vec::Vec<Command> {
            let send = &mut |command| self.sent.push(command);
            self.admin
                .quiesced(direction, (what, id, self.ticket), send, &mut |event| {
                    self.events.push(event)
                });
            self.sent()
        }

        /// What was sent, as far as the gateware has not carried it out before.
        fn sent(&mut self) -> std::vec::Vec<Command> {
            for command in &self.sent {
                match command {
                    Command::Enable { queue } => self.queues |= 1 << queue,
                    Command::Disable { queue } => self.queues &= !(1 << queue),
                    _ => {}
                }
            }
            core::mem::take(&mut self.sent)
        }
    }

    fn context() -> QueueContext {
        QueueContext::new()
            .with_sq_address(0x1_2345_6000)
            .with_cq_address(0x7000)
            .with_sq_entries_log2(8)
            .with_cq_entries_log2(9)
            .with_direction(Direction::H2c)
            .with_vector(3)
            .with_protection_domain(5)
            .with_tdest_first(1)
            .with_tdest_last(2)
            .with_moderation_count(8)
            .with_moderation_time(312)
    }

    fn create(queue: u32) -> AdminEntry {
        entry(AdminOpcode::CreateQueue, queue).with_body(context())
    }

    fn entry(opcode: AdminOpcode, target: u32) -> AdminEntry {
        AdminEntry::new()
            .with_opcode(opcode)
            .with_target(target)
            .with_cookie(0xaabb_ccdd_1122_3344)
    }

    fn done(ticket: u8, status: Status) -> Command {
        Command::AdminDone {
            status,
            cookie_low: 0x1122_3344,
            cookie_high: 0xaabb_ccdd,
            ticket,
        }
    }

    #[test]
    fn create_queue_writes_the_context_word_by_word() {
        let mut bench = Bench::default();
        let sent = bench.submit(4, &create(7));
        let bytes = context().encode();
        for (word, (command, expected)) in sent.iter().zip(bytes.chunks_exact(8)).enumerate() {
            let Command::Queue {
                queue: 7,
                word: at,
                low,
                high,
            } = *command
            else {
                panic!("{command:?}")
            };
            assert_eq!(usize::from(at), word);
            assert_eq!(
                u64::from(low) | u64::from(high) << 32,
                u64::from_le_bytes(expected.try_into().expect("8 bytes"))
            );
        }
        assert_eq!(
            sent[6..],
            [Command::Enable { queue: 7 }, done(4, Status::Ok)]
        );
        assert_eq!(bench.events, [Event::QueueCreated { queue: 7 }]);
    }

    #[test]
    fn bad_entries_are_refused_with_the_reason() {
        let mut bench = Bench::default();
        bench.submit(0, &create(7));
        let with = |body: QueueContext| create(6).with_body(body);
        let mut unknown = create(6).to_words();
        unknown[0] = unknown[0] & !0xff | 0x7f;
        let mut direction = create(6).to_words();
        direction[8] |= 0x00ff_0000;
        let cases = [
            (create(7), Status::QueueExists),
            (create(0), Status::BadQueue),
            (create(16), Status::BadQueue),
            (create(0x107), Status::BadQueue),
            (
                with(context().with_sq_entries_log2(0)),
                Status::BadQueueContext,
            ),
            (
                with(context().with_cq_entries_log2(16)),
                Status::BadQueueContext,
            ),
            (with(context().with_sq_address(0)), Status::BadQueueContext),
            (with(context().with_cq_address(0)), Status::BadQueueContext),
            (
                with(context().with_sq_address(0x1010)),
                Status::BadQueueContext,
            ),
            (with(context().with_vector(16)), Status::BadQueueContext),
            (with(context().with_tdest_first(3)), Status::BadQueueContext),
            (
                with(context().with_moderation_time(0)),
                Status::BadQueueContext,
            ),
            (AdminEntry::from_words(direction), Status::BadQueueContext),
            (AdminEntry::from_words(unknown), Status::BadOpcode),
            (entry(AdminOpcode::DestroyQueue, 6), Status::BadQueue),
            (entry(AdminOpcode::DestroyQueue, 0), Status::BadQueue),
            (
                entry(AdminOpcode::ReadLog, 0).with_body(context()),
                Status::ReservedNotZero,
            ),
        ];
        for (entry, status) in cases {
            assert_eq!(bench.submit(1, &entry), [done(1, status)], "{entry:?}");
        }
        assert_eq!(
            bench.submit(2, &entry(AdminOpcode::ReadLog, 0)),
            [done(2, Status::Ok)]
        );
    }

    #[test]
    fn what_a_smaller_device_lacks_is_refused() {
        let mut bench = Bench::with_limits(3, 4);
        let create = |queue, vector| create(queue).with_body(context().with_vector(vector));
        for (entry, status) in [
            (create(3, 0), Status::BadQueue),
            (create(15, 0), Status::BadQueue),
            (create(2, 4), Status::BadQueueContext),
            (create(2, 15), Status::BadQueueContext),
            (entry(AdminOpcode::DestroyQueue, 3), Status::BadQueue),
        ] {
            assert_eq!(bench.submit(1, &entry), [done(1, status)], "{entry:?}");
        }
        assert_eq!(bench.submit(2, &create(2, 3)).len(), 8, "both are the last");
    }

    #[test]
    fn aborts_wait_for_both_directions() {
        let mut bench = Bench::default();
        bench.submit(0, &create(7));
        let sent = bench.submit(1, &entry(AdminOpcode::DestroyQueue, 7));
        assert_eq!(
            sent,
            [
                Command::Disable { queue: 7 },
                Command::AbortQueue {
                    queue: 7,
                    ticket: 1
                }
            ]
        );
        assert!(bench.quiesced(Direction::C2h, Quiesce::Queue, 7).is_empty());
        assert!(
            bench.quiesced(Direction::C2h, Quiesce::Queue, 7).is_empty(),
            "the same direction again"
        );
        assert!(
            bench
                .quiesced(Direction::H2c, Quiesce::Region, 7)
                .is_empty(),
            "not what is awaited"
        );
        assert!(
            bench.quiesced(Direction::H2c, Quiesce::Queue, 6).is_empty(),
            "another queue"
        );
        let sent = bench.quiesced(Direction::H2c, Quiesce::Queue, 7);
        assert_eq!(sent, [done(1, Status::Ok)]);
        let sent = bench.submit(2, &entry(AdminOpcode::InvalidateRegion, 7));
        assert_eq!(
            sent,
            [Command::AbortRegion {
                region: 7,
                ticket: 2
            }]
        );
        bench.quiesced(Direction::H2c, Quiesce::Region, 7);
        assert_eq!(
            bench.quiesced(Direction::C2h, Quiesce::Region, 7),
            [done(2, Status::Ok)]
        );
        assert_eq!(bench.submit(3, &create(7)).len(), 8, "the id is free again");
    }

    #[test]
    fn a_command_that_comes_again_begins_again() {
        let mut bench = Bench::default();
        // What is left of a command whose beginning went with the firmware before.
        bench.raw(&create(5), 3);
        assert!(bench.sent().is_empty());
        // A copy that broke off, and one that was carried out before the next one came.
        bench.admin.announce(false, 0);
        bench.raw(&create(4), 2);
        let first = bench.submit(1, &create(7));
        bench.queues = 0;
        let second = bench.submit(2, &create(7));
        assert_eq!(first[..7], second[..7]);
        assert_eq!(
            (first[7], second[7]),
            (done(1, Status::Ok), done(2, Status::Ok))
        );

        // An abort's first copy does not answer its second.
        let destroy = entry(AdminOpcode::DestroyQueue, 7);
        bench.submit(3, &destroy);
        assert!(bench.quiesced(Direction::C2h, Quiesce::Queue, 7).is_empty());
        bench.queues = 1 << 7;
        assert_eq!(bench.submit(4, &destroy).len(), 2);
        bench.ticket = 3;
        assert!(bench.quiesced(Direction::H2c, Quiesce::Queue, 7).is_empty());
        bench.ticket = 4;
        assert!(bench.quiesced(Direction::H2c, Quiesce::Queue, 7).is_empty());
        let sent = bench.quiesced(Direction::C2h, Quiesce::Queue, 7);
        assert_eq!(sent, [done(4, Status::Ok)]);
    }
}
