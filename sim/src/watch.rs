//! What an observer at the device writes down of a burst: when each transfer's data moved, what the firmware answered,
//! which blocks of lists were read, and for which transfer.

use std::collections::VecDeque;

use pinring_protocol::Direction;
use pinring_protocol::mailbox::{CommandKind, ContextId};

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
    /// First read of H2C data.
    pub first_request_ps: Option<u64>,
    /// Messages to the firmware.
    pub messages: u64,
    /// Time that the spans count from.
    pub origin_ps: u64,
    on: bool,
    c2h: Way,
    h2c: Way,
    /// Transfer that each context serves, or served last.
    contexts: [Option<u32>; ContextId::COUNT],
    /// The newest message to the firmware.
    message_ps: Option<u64>,
    /// The firmware's last command.
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

    /// A read of data leaves the device.
    pub fn request(&mut self, now_ps: u64) {
        self.first_request_ps.get_or_insert(now_ps);
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
        if seen.mail_in {
            self.messages += 1;
            self.message_ps = Some(now_ps);
        }
        if let Some([kind, ctx]) = seen.mail_out
            && let Some(kind) = CommandKind::from_code(kind.into())
        {
            use CommandKind::{Fill, Heartbeat, Log, Reject};
            match kind {
                // Nothing asks for these.
                Heartbeat | Log => {}
                Fill | Reject => self.command(now_ps, self.transfer(ctx), kind),
                _ => self.command(now_ps, None, kind),
            }
        }
        if let Some(ctx) = seen.list_asked {
            self.asked.push_back((now_ps, ctx));
        }
        if let Some(ctx) = seen.list_here
            && let Some(place) = self.asked.iter().position(|(_, asked)| *asked == ctx)
            && let Some((since, _)) = self.asked.remove(place)
        {
            let transfer = self.transfer(ctx);
            self.add(Lane::SgFetch, transfer, since, now_ps, "SG block");
        }
    }

    fn transfer(&self, ctx: u8) -> Option<u32> {
        self.contexts[usize::from(ctx) % ContextId::COUNT]
    }

    /// A command ends the work that began with the newest message, or with the command before it. A message may wait long for
    /// its answer (for a slot, say) while the firmware does nothing, so that the message that asked does not count.
    fn command(&mut self, now_ps: u64, transfer: Option<u32>, kind: CommandKind) {
        let Some(message) = self.message_ps else {
            return;
        };
        let from = message.max(self.answered_ps);
        self.answered_ps = now_ps;
        self.add(Lane::Firmware, transfer, from, now_ps, &format!("{kind:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(what: impl FnOnce(&mut Observed)) -> Observed {
        let mut seen = Observed::default();
        what(&mut seen);
        seen
    }

    fn spans(watch: &Watch) -> Vec<(Lane, Option<u32>, f64, f64)> {
        watch
            .spans
            .iter()
            .map(|span| (span.lane, span.transfer, span.start_ns, span.end_ns))
            .collect()
    }

    #[test]
    fn data_is_told_apart_by_length_and_direction() {
        let mut watch = Watch::new(1_000);
        watch.expect(Direction::C2h, 0, 100);
        watch.expect(Direction::H2c, 1, 50);
        watch.expect(Direction::C2h, 2, 30);
        watch.data(Direction::C2h, 2_000, 3_000, 64);
        watch.data(Direction::H2c, 3_000, 4_000, 50);
        // The rest of one transfer and all of the next, in one TLP's cycle.
        watch.data(Direction::C2h, 5_000, 6_000, 66);
        assert_eq!(
            spans(&watch),
            [
                (Lane::H2cData, Some(1), 2.0, 3.0),
                (Lane::C2hData, Some(0), 1.0, 5.0),
                (Lane::C2hData, Some(2), 4.0, 5.0),
            ]
        );
        assert_eq!(watch.first_data_ps, Some(2_000));
    }

    #[test]
    fn blocks_and_commands_belong_to_the_transfer_of_their_context() {
        let mut watch = Watch::new(0);
        watch.expect(Direction::C2h, 7, 1);
        watch.expect(Direction::H2c, 8, 1);
        watch.observe(0, &seen(|seen| seen.entry_taken = Some(0x13)));
        watch.observe(0, &seen(|seen| seen.entry_taken = Some(3)));
        watch.observe(1_000, &seen(|seen| seen.list_asked = Some(3)));
        watch.observe(2_000, &seen(|seen| seen.list_asked = Some(0x13)));
        watch.observe(3_000, &seen(|seen| seen.list_here = Some(0x13)));
        watch.observe(4_000, &seen(|seen| seen.list_here = Some(3)));
        watch.observe(5_000, &seen(|seen| seen.mail_in = true));
        let fill = |ctx| Some([CommandKind::Fill as u8, ctx]);
        watch.observe(6_000, &seen(|seen| seen.mail_out = fill(0xf3)));
        // One message, two commands.
        watch.observe(7_000, &seen(|seen| seen.mail_out = fill(3)));
        let heartbeat = Some([CommandKind::Heartbeat as u8, 0]);
        watch.observe(9_000, &seen(|seen| seen.mail_out = heartbeat));
        assert_eq!(watch.messages, 1);
        assert_eq!(
            spans(&watch),
            [
                (Lane::SgFetch, Some(8), 2.0, 3.0),
                (Lane::SgFetch, Some(7), 1.0, 4.0),
                (Lane::Firmware, Some(8), 5.0, 6.0),
                (Lane::Firmware, Some(7), 6.0, 7.0),
            ]
        );
    }
}
