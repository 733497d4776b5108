//! What stands in for the firmware on a gateware of another layout.

use crate::heartbeat::Heartbeat;
use crate::{Event, Hardware};
use pinring_protocol::mailbox::Command;
use pinring_protocol::{FirmwareState, LAYOUT_HASH};

/// Tells the host in every heartbeat that gateware and firmware were built with different layouts, and does nothing else: no message is taken, as it
/// would be misread.
///
/// The heartbeat goes where this firmware's layout has it. If that has moved too, the host sees a firmware that does not come up.
pub struct Refusal<H> {
    hardware: H,
    heartbeat: Heartbeat,
}

impl<H: Hardware> Refusal<H> {
    /// Refuses if the gateware's layout hash is not the one that this firmware was built with.
    pub(crate) fn check(mut hardware: H) -> Result<H, Self> {
        let gateware = hardware.layout_hash();
        if gateware == LAYOUT_HASH {
            return Ok(hardware);
        }
        let heartbeat = Heartbeat::new(hardware.core_hz(), hardware.cycles());
        let mut refusal = Self {
            hardware,
            heartbeat,
        };
        refusal.tell();
        refusal.hardware.log(Event::BadLayout {
            gateware,
            firmware: LAYOUT_HASH,
        });
        Err(refusal)
    }

    /// Sends a heartbeat if one is due.
    pub fn step(&mut self) {
        if self.heartbeat.is_due(self.hardware.cycles()) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let command = Command::Heartbeat {
            state: FirmwareState::BadLayout,
            detail: LAYOUT_HASH as u32,
        };
        // Without room the next heartbeat tells it.
        let _ = self.hardware.send(command.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Firmware};
    use pinring_protocol::limits::HEARTBEAT_US;
    use pinring_protocol::mailbox::Message;
    use pinring_protocol::registers::Limits0;
    use std::vec::Vec;

    const CORE_HZ: u32 = 8_000_000;
    const PERIOD: u32 = CORE_HZ / 1_000_000 * HEARTBEAT_US;

    /// A gateware with a layout hash, whose mailbox always has a message.
    struct Bench {
        hash: u64,
        room: bool,
        received: usize,
        sent: Vec<(u32, Command)>,
        events: Vec<Event>,
        cycles: u32,
    }

    impl Hardware for &mut Bench {
        fn peek(&mut self) -> Option<Entry> {
            let words = Message::Admin {
                exists: 0,
                ticket: 0,
            }
            .encode();
            Some(Entry { words, raw: 0 })
        }
        fn take(&mut self) {
            self.received += 1;
        }
        fn send(&mut self, entry: [u32; 4]) -> bool {
            if self.room {
                let command = Command::decode(entry).expect("valid");
                self.sent.push((self.cycles, command));
            }
            self.room
        }
        fn cycles(&mut self) -> u32 {
            self.cycles = self.cycles.wrapping_add(1);
            self.cycles
        }
        fn core_hz(&mut self) -> u32 {
            CORE_HZ
        }
        fn layout_hash(&mut self) -> u64 {
            self.hash
        }
        fn limits(&mut self) -> Limits0 {
            Limits0::new()
        }
        fn log(&mut self, event: Event) {
            self.events.push(event);
        }
    }

    fn bench(hash: u64) -> Bench {
        Bench {
            hash,
            room: true,
            received: 0,
            sent: Vec::new(),
            events: Vec::new(),
            // The counter wraps on the way.
            cycles: u32::MAX - 700,
        }
    }

    #[test]
    fn another_layout_is_told_in_every_heartbeat_and_nothing_else_is_done() {
        // Each half counts; a window without the registers reads as zeros.
        for hash in [LAYOUT_HASH ^ 1, LAYOUT_HASH ^ 1 << 63, 0, !LAYOUT_HASH] {
            let mut bench = bench(hash);
            let Err(mut refusal) = Firmware::new(&mut bench) else {
                panic!("{hash:#x} is another layout")
            };
            for _ in 0..5_000 {
                refusal.step();
            }
            refusal.hardware.room = false;
            for _ in 0..2_000 {
                refusal.step();
            }
            assert_eq!(bench.received, 0);
            let told = Command::Heartbeat {
                state: FirmwareState::BadLayout,
                detail: LAYOUT_HASH as u32,
            };
            assert!(
                bench.sent.iter().all(|(_, command)| *command == told),
                "{:?}",
                bench.sent
            );
            let times: Vec<u32> = bench.sent.iter().map(|(at, _)| *at).collect();
            assert_eq!(times.len() as u32, 1 + 5_000 / PERIOD);
            for pair in times.windows(2) {
                assert!(pair[1].wrapping_sub(pair[0]) <= 2 * PERIOD);
            }
            assert_eq!(
                bench.events,
                [Event::BadLayout {
                    gateware: hash,
                    firmware: LAYOUT_HASH
                }]
            );
        }
    }

    #[test]
    fn the_same_layout_is_served() {
        let mut bench = bench(LAYOUT_HASH);
        let Ok(mut firmware) = Firmware::new(&mut bench) else {
            panic!("the layout is the same")
        };
        firmware.step();
        assert_eq!(bench.received, 1);
        assert!(matches!(
            bench.sent[0].1,
            Command::Heartbeat {
                state: FirmwareState::Running,
                ..
            }
        ));
    }
}
