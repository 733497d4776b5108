//! Software behind the gateware's resident regions: decides which of them stay on chip.
//!
//! The gateware moves data, finds resident regions by itself and reads lists ahead. For a region that is not on chip it sends a
//! MISS; the firmware answers with a FILL that names the way to keep it in. It carries out admin commands as well.
//! docs/gateware.md, section "Mailbox", has the rules that both sides keep.
//!
//! The watchdog may restart the firmware between any two accesses. So a message is taken only when everything that it causes has left, and whatever
//! is done for it may be done again; an admin command, which takes several messages, comes again from its beginning.
//!
//! - [`Firmware`]: one [`step`](Firmware::step) handles at most one message
//! - [`Refusal`]: takes its place on a gateware of another layout
//! - [`victim`]: which way of a set a missed region gets
//! - [`Admin`]: queues are created and destroyed, regions invalidated
//! - [`Mailbox`]: the memory-mapped window as [`Hardware`]
//! - [`peripherals`]: cycle timer and LEDs as embedded-hal traits
//! - [`LogPacker`]: log bytes into LOG commands
//!
//! Everything runs on the host as well, over any [`Hardware`]; the RISC-V binary around it is in `rv32/`.
//!
//! ```
//! use pinring_firmware::{Entry, Event, Firmware, Hardware};
//! use pinring_protocol::mailbox::{Command, ContextId, Message};
//! use pinring_protocol::registers::Limits0;
//! use std::collections::VecDeque;
//!
//! #[derive(Default)]
//! struct Bench(VecDeque<[u32; 4]>, Vec<Command>);
//!
//! impl Hardware for Bench {
//!     fn peek(&mut self) -> Option<Entry> {
//!         self.0.front().map(|words| Entry { words: *words, raw: 0 })
//!     }
//!     fn take(&mut self) {
//!         self.0.pop_front();
//!     }
//!     fn send(&mut self, entry: [u32; 4]) -> bool {
//!         self.1.push(Command::decode(entry).expect("the firmware sends valid commands"));
//!         true
//!     }
//!     fn cycles(&mut self) -> u32 {
//!         0
//!     }
//!     fn core_hz(&mut self) -> u32 {
//!         125_000_000
//!     }
//!     fn layout_hash(&mut self) -> u64 {
//!         pinring_protocol::LAYOUT_HASH
//!     }
//!     fn limits(&mut self) -> Limits0 {
//!         Limits0::new().with_queues(16).with_vectors(16)
//!     }
//!     fn log(&mut self, _event: Event) {}
//! }
//!
//! let ctx = ContextId::from_code(3).expect("context 3 of C2H");
//! let mut bench = Bench::default();
//! bench.0.push_back(Message::Miss { ctx, generation: 1, region: 7, sg_hint: 0, valid: 0, used: 0, pinned: 0 }.encode());
//! let mut firmware = Firmware::new(bench).ok().expect("gateware and firmware are of the same layout");
//! firmware.step();
//! assert!(matches!(firmware.hardware().1.last(), Some(Command::Fill { ctx: answered, .. }) if *answered == ctx));
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod admin;
mod firmware;
mod hardware;
mod heartbeat;
mod log;
pub mod peripherals;
mod refusal;
mod victim;

pub use admin::Admin;
pub use firmware::Firmware;
pub use hardware::{Entry, Event, Hardware, Mailbox, Outbox, Registers};
pub use log::LogPacker;
pub use refusal::Refusal;
pub use victim::{Ways, victim};
