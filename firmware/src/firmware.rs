//! The main loop's body: one message, one heartbeat.

use crate::heartbeat::Heartbeat;
use crate::{Admin, Entry, Event, Hardware, Outbox, Refusal, Ways, victim};
use heapless::Deque;
use pinring_protocol::FirmwareState;
use pinring_protocol::mailbox::{Command, Message, MessageKind, message};

/// The firmware: answers to MISSes, admin commands, heartbeat.
pub struct Firmware<H> {
    hardware: H,
    outbox: Outbox,
    /// The next message is handled already: what it caused has not all left.
    in_hand: bool,
    /// Counts MISSes, so that the regions of a set give way in turn.
    turn: u8,
    admin: Admin,
    /// A message that did not decode, until reset.
    bad_message: Option<u32>,
    heartbeat: Heartbeat,
}

impl<H: Hardware> Firmware<H> {
    /// Starts: tells the host that the firmware runs.
    ///
    /// # Errors
    /// The gateware was built with another layout: what is left to do is in the [`Refusal`].
    pub fn new(hardware: H) -> Result<Self, Refusal<H>> {
        let mut hardware = Refusal::check(hardware)?;
        let (core_hz, limits) = (hardware.core_hz(), hardware.limits());
        let heartbeat = Heartbeat::new(core_hz, hardware.cycles());
        let mut firmware = Self {
            hardware,
            outbox: Outbox::default(),
            in_hand: false,
            turn: 0,
            admin: Admin::new(limits),
            bad_message: None,
            heartbeat,
        };
        firmware.tell();
        firmware.hardware.log(Event::Started { core_hz });
        Ok(firmware)
    }

    /// Handles the next message, if there is one and everything that the one before caused has left. True if a heartbeat was
    /// sent.
    #[inline]
    pub fn step(&mut self) -> bool {
        if !self.outbox.flush(&mut self.hardware) {
            return false;
        }
        if self.in_hand {
            self.in_hand = false;
            self.hardware.take();
        } else if let Some(entry) = self.hardware.peek() {
            self.handle(entry);
            // Not before: a restart in between must find the message again.
            if self.outbox.is_empty() {
                self.hardware.take();
            } else {
                self.in_hand = true;
            }
        }
        let due = self.heartbeat.is_due(self.hardware.cycles());
        if due {
            self.tell();
        }
        due
    }

    /// What the firmware runs on.
    pub fn hardware(&self) -> &H {
        &self.hardware
    }

    /// The same, to be changed.
    pub fn hardware_mut(&mut self) -> &mut H {
        &mut self.hardware
    }

    #[inline]
    fn handle(&mut self, entry: Entry) {
        if entry.raw != 0 {
            return self.handle_raw(entry.words);
        }
        // The one message that must be fast, decoded by itself: the core shifts bit by bit.
        let miss = message::Miss::from_words(entry.words);
        match (miss.kind(), miss.ctx()) {
            (Ok(MessageKind::Miss), Ok(ctx)) if miss.check().is_ok() => {
                let ways = Ways {
                    valid: miss.valid(),
                    used: miss.used(),
                    pinned: miss.pinned(),
                };
                let way = victim(ways, self.turn);
                self.turn = self.turn.wrapping_add(1);
                self.outbox
                    .send(&mut self.hardware, Command::Fill { ctx, way });
            }
            _ => self.handle_rare(entry.words),
        }
    }

    #[cold]
    #[inline(never)]
    fn handle_raw(&mut self, words: [u32; 4]) {
        self.admin(|admin, send, log| admin.raw(words, send, log));
    }

    #[cold]
    #[inline(never)]
    fn handle_rare(&mut self, words: [u32; 4]) {
        match Message::decode(words) {
            Ok(Message::Admin { exists, ticket }) => self.admin.announce(exists != 0, ticket),
            Ok(Message::Quiesced {
                direction,
                what,
                id,
                ticket,
            }) => self
                .admin(|admin, send, log| admin.quiesced(direction, (what, id, ticket), send, log)),
            // A MISS that decodes has been answered.
            Ok(Message::Miss { .. }) | Err(_) => self.bad_message(words[0]),
        }
    }

    /// Calls into the admin commands. Sending and logging both need the hardware, so events wait until the commands are out.
    #[cold]
    fn admin(
        &mut self,
        call: impl FnOnce(&mut Admin, &mut dyn FnMut(Command), &mut dyn FnMut(Event)),
    ) {
        let Self {
            hardware,
            outbox,
            admin,
            ..
        } = self;
        let mut events = Deque::<Event, 4>::new();
        call(
            admin,
            &mut |command| outbox.send(hardware, command),
            &mut |event| {
                // Has room: a call logs one event at most.
                let _ = events.push_back(event);
            },
        );
        events.into_iter().for_each(|event| hardware.log(event));
    }

    /// The host is told at once and from then on; transfers go on as far as they can.
    #[cold]
    fn bad_message(&mut self, word: u32) {
        self.bad_message.get_or_insert(word);
        self.tell();
        self.hardware.log(Event::BadMessage { word });
    }

    /// Sends a heartbeat.
    fn tell(&mut self) {
        let (state, detail) = match self.bad_message {
            None => (FirmwareState::Running, 0),
            Some(word) => (FirmwareState::BadMessage, word),
        };
        self.outbox
            .send(&mut self.hardware, Command::Heartbeat { state, detail });
    }
}
