//! What the firmware runs on: the mailbox, a cycle counter, a log.

use heapless::Deque;
use pinring_protocol::mailbox::Command;
use pinring_protocol::registers::Limits0;
use pinring_protocol::{Status, mmio};

/// What [`Firmware`](crate::Firmware) needs of the machine around it.
pub trait Hardware {
    /// The next mailbox entry, if there is one. It stays the next until it is taken.
    fn peek(&mut self) -> Option<Entry>;

    /// Takes the entry that was seen.
    fn take(&mut self);

    /// Sends a mailbox entry; false if there is no room, in which case nothing was sent.
    fn send(&mut self, entry: [u32; 4]) -> bool;

    /// Core cycles, free-running; only differences count.
    fn cycles(&mut self) -> u32;

    /// Core cycles per second.
    fn core_hz(&mut self) -> u32;

    /// Layout hash that the gateware was built with.
    fn layout_hash(&mut self) -> u64;

    /// Queues and vectors of the device.
    fn limits(&mut self) -> Limits0;

    /// Notes a change of state or an error. Costs up to a thousand cycles: never called per transfer.
    fn log(&mut self, event: Event);
}

/// A mailbox entry from the gateware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its words.
    pub words: [u32; 4],
    /// [`mmio::STATUS_RAW`] of the status that it came with. No `bool`: the core shifts bit by bit.
    pub raw: u32,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The firmware serves from now on.
    Started {
        /// Core cycles per second.
        core_hz: u32,
    },
    /// A queue was created and enabled.
    QueueCreated {
        /// Its id.
        queue: u32,
    },
    /// A queue was destroyed: the device no longer touches its rings.
    QueueDestroyed {
        /// Its id.
        queue: u32,
    },
    /// A region was invalidated: the device no longer touches its memory.
    RegionInvalidated {
        /// Its id.
        region: u32,
    },
    /// An admin command was refused.
    AdminRefused {
        /// The queue or region that it meant.
        target: u32,
        /// Why.
        status: Status,
    },
    /// Gateware and firmware were built with different layouts.
    BadLayout {
        /// The gateware's layout hash.
        gateware: u64,
        /// The firmware's.
        firmware: u64,
    },
    /// A message does not decode.
    BadMessage {
        /// Its first word.
        word: u32,
    },
}

/// Commands on their way out: sent at once while the mailbox has room, else kept in order.
#[derive(Default)]
pub struct Outbox {
    kept: Deque<[u32; 4], 16>,
}

impl Outbox {
    /// Sends or keeps a command.
    #[inline]
    pub fn send(&mut self, hardware: &mut impl Hardware, command: Command) {
        let entry = command.encode();
        if !self.kept.is_empty() || !hardware.send(entry) {
            // A message is taken only when nothing is kept, and causes at most 9 commands (CREATE_QUEUE: six words, ENABLE,
            // ADMIN_DONE; a heartbeat beside it).
            let kept = self.kept.push_back(entry);
            debug_assert!(kept.is_ok(), "a message causes at most 9 commands");
        }
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Sends what is kept, as far as there is room; true if nothing is left.
    #[inline]
    pub fn flush(&mut self, hardware: &mut impl Hardware) -> bool {
        while let Some(entry) = self.kept.front() {
            if !hardware.send(*entry) {
                return false;
            }
            self.kept.pop_front();
        }
        true
    }
}

/// Registers of the core's memory-mapped window, by their byte offsets in [`mmio`].
pub trait Registers {
    /// Reads a register.
    fn read(&self, offset: u32) -> u32;

    /// Writes a register.
    fn write(&mut self, offset: u32, value: u32);
}

/// The mailbox and the cycle timer in the memory-mapped window; `log` is what becomes of events.
pub struct Mailbox<R, L> {
    /// The window.
    pub registers: R,
    /// Notes an event.
    pub log: L,
}

impl<R: Registers, L: FnMut(Event)> Hardware for Mailbox<R, L> {
    #[inline]
    fn peek(&mut self) -> Option<Entry> {
        let status = self.registers.read(mmio::MAILBOX_STATUS);
        if status & mmio::STATUS_MESSAGE == 0 {
            return None;
        }
        let words = [
            mmio::RX_WORD0,
            mmio::RX_WORD1,
            mmio::RX_WORD2,
            mmio::RX_WORD3,
        ];
        Some(Entry {
            words: words.map(|offset| self.registers.read(offset)),
            raw: status & mmio::STATUS_RAW,
        })
    }

    #[inline]
    fn take(&mut self) {
        self.registers.write(mmio::RX_POP, 0);
    }

    #[inline]
    fn send(&mut self, entry: [u32; 4]) -> bool {
        if self.registers.read(mmio::MAILBOX_STATUS) & mmio::STATUS_ROOM == 0 {
            return false;
        }
        // The write of the last word sends all four.
        let words = [
            mmio::TX_WORD0,
            mmio::TX_WORD1,
            mmio::TX_WORD2,
            mmio::TX_WORD3,
        ];
        for (offset, word) in words.into_iter().zip(entry) {
            self.registers.write(offset, word);
        }
        true
    }

    #[inline]
    fn cycles(&mut self) -> u32 {
        self.registers.read(mmio::CYCLES_LO)
    }

    fn core_hz(&mut self) -> u32 {
        self.registers.read(mmio::CORE_HZ)
    }

    fn layout_hash(&mut self) -> u64 {
        let [low, high] = [mmio::LAYOUT_HASH_LO, mmio::LAYOUT_HASH_HI];
        u64::from(self.registers.read(low)) | u64::from(self.registers.read(high)) << 32
    }

    fn limits(&mut self) -> Limits0 {
        Limits0::from_raw(self.registers.read(mmio::LIMITS))
    }

    fn log(&mut self, event: Event) {
        (self.log)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;

    /// The window as the gateware has it, with room for `room` commands.
    #[derive(Default)]
    struct Window {
        messages: RefCell<VecDeque<Entry>>,
        words: [u32; 4],
        sent: Vec<[u32; 4]>,
        room: usize,
    }

    impl Registers for Window {
        fn read(&self, offset: u32) -> u32 {
            let messages = self.messages.borrow();
            let word = |index: usize| messages.front().map_or(0, |entry| entry.words[index]);
            match offset {
                mmio::MAILBOX_STATUS => {
                    let message = match messages.front() {
                        None => 0,
                        Some(Entry { raw, .. }) => mmio::STATUS_MESSAGE | raw,
                    };
                    message
                        | if self.sent.len() < self.room {
                            mmio::STATUS_ROOM
                        } else {
                            0
                        }
                }
                mmio::RX_WORD0 => word(0),
                mmio::RX_WORD1 => word(1),
                mmio::RX_WORD2 => word(2),
                mmio::RX_WORD3 => word(3),
                mmio::LAYOUT_HASH_LO => 0x89ab_cdef,
                mmio::LAYOUT_HASH_HI => 0x0123_4567,
                _ => panic!("no read of {offset:#x}"),
            }
        }

        fn write(&mut self, offset: u32, value: u32) {
            match offset {
                mmio::RX_POP => drop(self.messages.borrow_mut().pop_front()),
                mmio::TX_WORD0 => self.words[0] = value,
                mmio::TX_WORD1 => self.words[1] = value,
                mmio::TX_WORD2 => self.words[2] = value,
                mmio::TX_WORD3 => {
                    self.words[3] = value;
                    self.sent.push(self.words);
                }
                _ => panic!("no write of {offset:#x}"),
            }
        }
    }

    #[test]
    fn entries_pass_the_window_in_order() {
        let window = Window {
            room: 2,
            ..Window::default()
        };
        let entries = [([1, 2, 3, 4], mmio::STATUS_RAW), ([5, 6, 7, 8], 0)];
        let entries = entries.map(|(words, raw)| Entry { words, raw });
        window.messages.borrow_mut().extend(entries);
        let mut mailbox = Mailbox {
            registers: window,
            log: |_| {},
        };
        for entry in entries {
            assert_eq!(mailbox.peek(), Some(entry));
            assert_eq!(mailbox.peek(), Some(entry), "it stays until it is taken");
            mailbox.take();
        }
        assert_eq!(mailbox.peek(), None);
        assert!(mailbox.send([9, 10, 11, 12]) && mailbox.send([13, 14, 15, 16]));
        assert!(!mailbox.send([17, 18, 19, 20]), "no room");
        assert_eq!(mailbox.registers.sent, [[9, 10, 11, 12], [13, 14, 15, 16]]);
    }

    #[test]
    fn the_layout_hash_is_put_together_from_its_halves() {
        let mut mailbox = Mailbox {
            registers: Window::default(),
            log: |_| {},
        };
        assert_eq!(mailbox.layout_hash(), 0x0123_4567_89ab_cdef);
    }

    #[test]
    fn outbox_keeps_the_order_without_room() {
        let mut mailbox = Mailbox {
            registers: Window {
                room: 1,
                ..Window::default()
            },
            log: |_| {},
        };
        let mut outbox = Outbox::default();
        let commands = [1, 2, 3].map(|queue| Command::Enable { queue });
        for command in commands {
            outbox.send(&mut mailbox, command);
        }
        assert_eq!(mailbox.registers.sent, [commands[0].encode()]);
        assert!(!outbox.flush(&mut mailbox));
        mailbox.registers.room = 9;
        assert!(outbox.flush(&mut mailbox));
        assert_eq!(mailbox.registers.sent, commands.map(Command::encode));
    }
}
