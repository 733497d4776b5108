//! The descriptor prefetcher: decides which SG blocks of which transfer are on chip, and when.
//!
//! The gateware moves data and knows which on-chip slots hold valid blocks; the firmware owns the slots' allocation. It answers every
//! MISS with a FILL, reads one block ahead with PREFETCH, and carries out admin commands.
//! docs/gateware.md, section "Mailbox", has the rules that both sides keep.
//!
//! - [`Firmware`]: one [`step`](Firmware::step) handles at most one message
//! - [`Refusal`]: takes its place on a gateware of another layout
//! - [`Prefetcher`]: slots and contexts of one direction
//! - [`Admin`]: queues are created and destroyed, regions invalidated
//! - [`Mailbox`]: the memory-mapped window as [`Hardware`]
//! - [`peripherals`]: cycle timer and LEDs as embedded-hal traits
//! - [`LogPacker`]: log bytes into LOG commands
//!
//! Everything runs on the host as well, over any [`Hardware`]; the RISC-V binary around it is in `rv32/`.
//!
//! ```
//! use pinring_firmware::{Event, Firmware, Hardware};
//! use pinring_protocol::mailbox::{Command, ContextId, Message};
//! use std::collections::VecDeque;
//!
//! #[derive(Default)]
//! struct Bench(VecDeque<[u32; 4]>, Vec<Command>);
//!
//! impl Hardware for Bench {
//!     fn receive(&mut self) -> Option<[u32; 4]> {
//!         self.0.pop_front()
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
//!     fn log(&mut self, _event: Event) {}
//! }
//!
//! let ctx = ContextId::from_code(3).expect("context 3 of C2H");
//! let mut bench = Bench::default();
//! bench.0.push_back(Message::Miss { ctx, generation: 1, region: 7, sg_hint: 0 }.encode());
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
mod prefetch;
mod refusal;

pub use admin::Admin;
pub use firmware::Firmware;
pub use hardware::{Event, Hardware, Mailbox, Outbox, Registers};
pub use log::LogPacker;
pub use prefetch::{Prefetcher, Unexpected};
pub use refusal::Refusal;
