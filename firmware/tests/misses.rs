//! The firmware against a model of the gateware: random doorbells, latencies, back-pressure, aborts, invalidations.

mod gateware;

use gateware::{Gateware, Scenario, Transfer};
use pinring_firmware::{Entry, Event, Firmware, Hardware};
use pinring_protocol::limits::{CONTEXTS, QUEUES, VECTORS};
use pinring_protocol::mailbox::{Command, ContextId, Message};
use pinring_protocol::registers::Limits0;
use pinring_protocol::{Direction, FirmwareState, LAYOUT_HASH, mmio};
use proptest::prelude::*;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};

fn start<H: Hardware>(hardware: H) -> Firmware<H> {
    Firmware::new(hardware)
        .ok()
        .expect("gateware and firmware are of the same layout")
}

fn transfer() -> impl Strategy<Value = Transfer> {
    // Regions of three sets, and some that are used more often than others.
    let region = prop_oneof![
        0..3u32,
        (0..3u32, 0..6u32).prop_map(|(set, tag)| 16 * tag + set)
    ];
    (region, 0..60u64).prop_map(|(region, steps)| Transfer { region, steps })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let queues = prop::collection::vec(prop::collection::vec(transfer(), 0..40), 1..8);
    let aborts = prop_oneof![Just((0.0, 0.0)), Just((0.05, 0.02))];
    (any::<u64>(), queues, 1..60u64, 0.15..1.0, aborts).prop_map(
        |(seed, queues, latency, appetite, (aborts, invalidations))| Scenario {
            seed,
            queues,
            idle: None,
            latency,
            appetite: f64::min(appetite, 0.95),
            aborts,
            invalidations,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 500, ..ProptestConfig::default() })]

    /// The model checks every command; here: everything comes to its end, and nothing stays pinned.
    #[test]
    fn every_transfer_ends(scenario in scenario()) {
        let transfers: usize = scenario.queues.iter().map(Vec::len).sum();
        let mut firmware = start(Gateware::new(scenario.clone()));
        let limit = 20_000 + 2_000 * transfers;
        for step in 0.. {
            firmware.hardware_mut().step();
            firmware.step();
            if firmware.hardware().idle() {
                break;
            }
            prop_assert!(step < limit, "no progress: (ended, bound, all) is {:?}", firmware.hardware().progress());
        }
        prop_assert!(firmware.hardware().none_pinned());
    }

    /// A queue that waits for its user stream may hold all contexts but one, and no other queue of its direction waits for it.
    #[test]
    fn an_idle_queue_holds_up_no_other(
        scenario in scenario(),
        waiting in prop::collection::vec(transfer(), 1..CONTEXTS),
        served in prop::collection::vec(transfer(), 1..10),
    ) {
        // Queues take turns in direction: 0 and 2 share one.
        let queues = vec![waiting, Vec::new(), served];
        let scenario = Scenario { queues, idle: Some(0), aborts: 0.0, invalidations: 0.0, ..scenario };
        let mut firmware = start(Gateware::new(scenario));
        for step in 0.. {
            firmware.hardware_mut().step();
            firmware.step();
            if firmware.hardware().idle() {
                break;
            }
            prop_assert!(step < 40_000, "no progress: (ended, bound, all) is {:?}", firmware.hardware().progress());
        }
    }

    /// Killed between any two accesses and started anew, over and over: nothing is lost, nothing is done twice that may not be.
    #[test]
    fn firmware_that_dies_anywhere_loses_nothing(scenario in scenario(), lives in prop::collection::vec(1..400u64, 1..60)) {
        let transfers: usize = scenario.queues.iter().map(Vec::len).sum();
        let limit = 20_000 + 2_000 * transfers + 4_000 * lives.len();
        let gateware = RefCell::new(Gateware::new(Scenario { aborts: 0.0, invalidations: 0.02, ..scenario }));
        let mut lives = lives.into_iter();
        let mut step = 0;
        while !gateware.borrow().idle() {
            let life = lives.next();
            let mortal = Mortal { gateware: &gateware, left: life.unwrap_or(u64::MAX) };
            let death = panic::catch_unwind(AssertUnwindSafe(|| {
                let mut firmware = start(mortal);
                while !gateware.borrow().idle() && step < limit {
                    gateware.borrow_mut().step();
                    firmware.step();
                    step += 1;
                }
            }));
            if let Err(cause) = death {
                if !cause.is::<Death>() {
                    panic::resume_unwind(cause);
                }
                gateware.borrow_mut().restart();
            }
            prop_assert!(step < limit, "no progress: (ended, bound, all) is {:?}", gateware.borrow().progress());
        }
        prop_assert!(gateware.borrow().none_pinned());
    }

    /// Whatever the mailbox brings, the firmware stays alive and sends valid commands.
    #[test]
    fn hostile_messages_are_survived(entries in prop::collection::vec(hostile(), 0..300)) {
        let mut bench = Bench { messages: entries.into(), ..Bench::default() };
        let mut firmware = start(&mut bench);
        for _ in 0..2_000 {
            firmware.step();
        }
        prop_assert!(bench.messages.is_empty(), "every message is taken");
        for entry in bench.commands {
            prop_assert!(Command::decode(entry).is_ok(), "{entry:x?}");
        }
    }
}

/// Noise, or a valid message about any context.
fn hostile() -> impl Strategy<Value = [u32; 4]> {
    let ctx = || (0..=0xffu64).prop_map(|code| ContextId::from_code(code).expect("8 bits"));
    prop_oneof![
        1 => any::<[u32; 4]>(),
        1 => any::<u8>().prop_map(|ticket| Message::Admin { exists: 0, ticket }.encode()),
        8 => (ctx(), any::<[u8; 3]>()).prop_map(|(ctx, [valid, used, pinned])| {
            Message::Miss { ctx, generation: 0, region: 0, sg_hint: 0, valid, used, pinned }.encode()
        }),
    ]
}

/// The core under firmware that dies when its accesses are used up.
struct Mortal<'a> {
    gateware: &'a RefCell<Gateware>,
    left: u64,
}

struct Death;

impl Mortal<'_> {
    fn access(&mut self) -> RefMut<'_, Gateware> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => panic::resume_unwind(Box::new(Death)),
        }
        self.gateware.borrow_mut()
    }
}

impl Hardware for Mortal<'_> {
    fn peek(&mut self) -> Option<Entry> {
        self.access().peek()
    }
    fn take(&mut self) {
        self.access().take();
    }
    fn send(&mut self, entry: [u32; 4]) -> bool {
        self.access().send(entry)
    }
    fn cycles(&mut self) -> u32 {
        self.access().cycles()
    }
    fn core_hz(&mut self) -> u32 {
        self.gateware.borrow_mut().core_hz()
    }
    fn layout_hash(&mut self) -> u64 {
        self.gateware.borrow_mut().layout_hash()
    }
    fn limits(&mut self) -> Limits0 {
        self.gateware.borrow_mut().limits()
    }
    fn log(&mut self, event: Event) {
        self.gateware.borrow_mut().log(event);
    }
}

/// A mailbox without a gateware behind it.
#[derive(Default)]
struct Bench {
    messages: VecDeque<[u32; 4]>,
    commands: Vec<[u32; 4]>,
    events: Vec<Event>,
    cycles: u32,
}

impl Hardware for &mut Bench {
    fn peek(&mut self) -> Option<Entry> {
        let words = *self.messages.front()?;
        // Noise is raw as well.
        let raw = match words[0] % 3 {
            0 => mmio::STATUS_RAW,
            _ => 0,
        };
        Some(Entry { words, raw })
    }
    fn take(&mut self) {
        self.messages.pop_front();
    }
    fn send(&mut self, entry: [u32; 4]) -> bool {
        self.commands.push(entry);
        true
    }
    fn cycles(&mut self) -> u32 {
        self.cycles += 1;
        self.cycles
    }
    fn core_hz(&mut self) -> u32 {
        1_000_000
    }
    fn layout_hash(&mut self) -> u64 {
        LAYOUT_HASH
    }
    fn limits(&mut self) -> Limits0 {
        Limits0::new()
            .with_queues(QUEUES as u16)
            .with_vectors(VECTORS as u16)
    }
    fn log(&mut self, event: Event) {
        self.events.push(event);
    }
}

#[test]
fn a_bad_message_is_told_at_once_and_from_then_on() {
    let mut bench = Bench::default();
    let ctx = ContextId::new(Direction::C2h, 1).expect("index below 16");
    let miss = Message::Miss {
        ctx,
        generation: 0,
        region: 0,
        sg_hint: 0,
        valid: 0,
        used: 0,
        pinned: 0,
    }
    .encode();
    bench.messages.extend([[0x77, 1, 2, 3], miss]);
    let mut firmware = start(&mut bench);
    for _ in 0..1_000 {
        firmware.step();
    }
    let commands: Vec<_> = bench
        .commands
        .iter()
        .map(|entry| Command::decode(*entry).expect("valid"))
        .collect();
    let bad = Command::Heartbeat {
        state: FirmwareState::BadMessage,
        detail: 0x77,
    };
    assert_eq!(
        commands[0],
        Command::Heartbeat {
            state: FirmwareState::Running,
            detail: 0
        }
    );
    assert_eq!(commands[1], bad);
    assert!(
        matches!(commands[2], Command::Fill { .. }),
        "transfers go on"
    );
    assert!(
        commands.len() > 3 && commands[3..].iter().all(|command| *command == bad),
        "heartbeats tell it"
    );
    assert!(bench.events.contains(&Event::BadMessage { word: 0x77 }));
}

/// Forty regions in turn, of which 32 are used again and again: those stay.
#[test]
fn what_is_used_stays() {
    let regions = (0..60u32).flat_map(|round| {
        let often = (0..32).map(|region| (region % 16) + 16 * (region / 16));
        let once = (0..8).map(move |number| 1_000 + 16 * (8 * round + number) + number);
        often.chain(once)
    });
    let transfers = regions
        .map(|region| Transfer { region, steps: 0 })
        .collect();
    let scenario = Scenario {
        seed: 1,
        queues: vec![transfers],
        idle: None,
        latency: 2,
        appetite: 0.9,
        aborts: 0.0,
        invalidations: 0.0,
    };
    let mut firmware = start(Gateware::new(scenario));
    while !firmware.hardware().idle() {
        firmware.hardware_mut().step();
        firmware.step();
    }
    let (hits, misses) = firmware.hardware().hits_and_misses();
    // 480 transfers are of regions that come once, and each of the 32 is missed at first.
    assert!(misses < 480 + 32 + 120, "{hits} hits, {misses} misses");
}
