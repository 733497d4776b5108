//! What an observer at the device writes down of a burst: when each transfer's data moved, what the firmware answered,
//! which blocks of lists were read, and for which transfer.

use std::collections::VecDeque;

use pinring_protocol::Direction;
use pinring_protocol::mailbox::{CommandKind, ContextId, MessageKind};

use crate::device::Observed;
use crate::report::{Lane, Span};

/// The observer. Times are picoseconds of virtual time; its spans are nanoseconds from `origin_ps`.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Spans so far.
    pub spans: Vec<Span>,
    /// Arrival of the first doorbell at the device.
    pub first_doorbell_ps: Option<u64>,
    /// First data TLP.
    pub first_data_ps: Option<u64>,
    /// Time that the spans count from.
    pub origin_ps: u64,
    on: bool,
    c2h: Way,
    h2c: Way,
    /// Transfer that each context serves, or served last.
    contexts: [Option<u32>; ContextId::COUNT],
    /// Messages that the firmware has not answered, with the transfer they speak of.
    messages: VecDeque<(u64, Option<u32>)>,
    /// End of the last stretch of the firmware's lane.
    answered_ps: u64,
    asked: VecDeque<(u64, u8)>,
}

/// Transfers of one direction.
#[derive(Debug, Clone, Default)]
struct Way {
    /// Those whose entries the device has not read.
    waiting: VecDeque<u32>,
    /// Those whose data has not moved, with the bytes that are left.
    moving: VecDeque<(u32, u64)>,
    /// First and last data of the one at hand.
    open: Option<(u64, u64)>,
}

impl Watch {
    /// An observer that counts from `origin_ps`.
    pub fn new(origin_ps: u64) -> Self {
        Self {
            origin_ps,
            on: true,
            ..Self::default()
        }
    }

    /// Whether it is to be shown anything.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Transfer `number` of `length` bytes will be submitted, behind those announced before.
    pub fn expect(&mut self, direction: Direction, number: u32, length: u64) {
        let way = self.way(direction);
        way.waiting.push_back(number);
        way.moving.push_back((number, length));
    }

    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::C2h => &mut self.c2h,
            Direction::H2c => &mut self.h2c,
        }
    }

    fn add(&mut self, lane: Lane, transfer: Option<u32>, from_ps: u64, to_ps: u64, label: &str) {
        let ns = |ps: u64| ps.saturating_sub(self.origin_ps) as f64 / 1000.0;
        self.spans.push(Span {
            lane,
            transfer,
            start_ns: ns(from_ps),
            end_ns: ns(to_ps),
            label: label.to_string(),
        });
    }

    /// A doorbell arrives.
    pub fn doorbell(&mut self, now_ps: u64) {
        self.first_doorbell_ps.get_or_insert(now_ps);
    }

    /// `bytes` of data pass in the cycle from `now_ps` to `end_ps`.
    pub fn data(&mut self, direction: Direction, now_ps: u64, end_ps: u64, mut bytes: u64) {
        self.first_data_ps.get_or_insert(now_ps);
        let lane = match direction {
            Direction::C2h => Lane::C2hData,
            Direction::H2c => Lane::H2cData,
        };
        while bytes > 0 {
            let way = self.way(direction);
            let Some((transfer, left)) = way.moving.front_mut() else {
                return;
            };
            let transfer = *transfer;
            let part = bytes.min(*left);
            *left -= part;
            bytes -= part;
            let ended = *left == 0;
            let open = way.open.get_or_insert((now_ps, end_ps));
            open.1 = end_ps;
            let (from, to) = *open;
            if ended {
                way.open = None;
                way.moving.pop_front();
                self.add(lane, Some(transfer), from, to, "data");
            }
        }
    }

    /// What the device shows in the cycle that begins at `now_ps`.
    pub fn observe(&mut self, now_ps: u64, seen: &Observed) {
        if let Some(ctx) = seen.entry_taken {
            let direction = if ctx & 0x10 == 0 {
                Direction::C2h
            } else {
                Direction::H2c
            };
            let transfer = self.way(direction).waiting.pop_front();
            self.contexts[usize::from(ctx) % ContextId::COUNT] = transfer;
        }
        if let Some([kind, ctx]) = seen.mail_in {
            let of_context = matches!(
                MessageKind::from_code(kind.into()),
                Some(
                    MessageKind::Miss
                        | MessageKind::Opened
                        | MessageKind::Consumed
                        | MessageKind::Closed
                )
            );
            let transfer = self.transfer(of_context, ctx);
            self.messages.push_back((now_ps, transfer));
        }
        if let Some([kind, ctx]) = seen.mail_out {
            let kind = CommandKind::from_code(kind.into());
            let of_context = matches!(
                kind,
                Some(CommandKind::Fill | CommandKind::Reject | CommandKind::Prefetch)
            );
            self.command(now_ps, self.transfer(of_context, ctx), kind);
        }
        if let Some(ctx) = seen.list_asked {
            self.asked.push_back((now_ps, ctx));
        }
        if let Some(ctx) = seen.list_here
            && let Some(place) = self.asked.iter().position(|(_, asked)| *asked == ctx)
            && let Some((since, _)) = self.asked.remove(place)
        {
            let transfer = self.transfer(true, ctx);
            self.add(Lane::SgFetch, transfer, since, now_ps, "SG block");
        }
    }

    fn transfer(&self, of_context: bool, ctx: u8) -> Option<u32> {
        let transfer = self.contexts[usize::from(ctx) % ContextId::COUNT];
        transfer.filter(|_| of_context)
    }

    /// The firmware takes messages in their order, and not every one has an answer: a command ends the work that began with
    /// the newest message of its transfer.
    fn command(&mut self, now_ps: u64, transfer: Option<u32>, kind: Option<CommandKind>) {
        let same = |(_, of): &(u64, Option<u32>)| *of == transfer;
        let place = self.messages.iter().rposition(same).unwrap_or(0);
        let Some(&(since, _)) = self.messages.get(place) else {
            return;
        };
        self.messages.drain(..=place);
        let from = since.max(self.answered_ps);
        self.answered_ps = now_ps;
        let label = kind.map_or("command".to_string(), |kind| format!("{kind:?}"));
        self.add(Lane::Firmware, transfer, from, now_ps, &label);
    }
}
