//! Requests of every kind, right and wrong, from handles of every kind, against a model of what the driver must accept.

mod common;

use std::cell::Cell;

use common::hostile::{HEAD, RECORD, Reached, run};
use pinring_ioctl::{Code, Error};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

/// Reasons that such sequences do not come to.
const ELSEWHERE: [Error; 9] = [
    // No memory, more handles, regions or mappings than a sequence makes, a device that has stopped: requests.rs.
    Error::NoMemory,
    Error::QueuesExhausted,
    Error::RegionsExhausted,
    Error::MappingsExhausted,
    Error::NotRunning,
    Error::Gone,
    // Settings that no sequence has: tiers.rs.
    Error::ForbiddenByRegistry,
    // Not this driver's to give, as every TDEST is open to every handle; other transports do.
    Error::BadTdest,
    // Nobody sees it: a fault that is found resets the device under the same lock, so that requests are told NotRunning.
    Error::DeviceFault,
];

/// Sequences that were wrong once, as the property test and the fuzz target (`fuzz/`) give them: head and steps in hexadecimal.
const KEPT: [&[&str]; 1] = [
    // A WAIT behind one that was cancelled was not looked at.
    &[
        "00000000",
        "00b46700000000000000000000000000",
        "2c1844003e930cac0000000000000000",
        "e0148700000000000000000000000000",
        "a07ca600000000000000000000000000",
        "a004c8000a0000000000000000000000",
        "ba280200000000000000000000000000",
        "1e000000000000000000000000000000",
    ],
];

#[test]
fn what_was_wrong_once_stays_right() {
    for sequence in KEPT {
        let digits: Vec<u8> = sequence.concat().into_bytes();
        let byte = |pair: &[u8]| {
            let text = core::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(text, 16).expect("hexadecimal")
        };
        run(&digits.chunks(2).map(byte).collect::<Vec<u8>>());
    }
}

#[test]
fn what_is_right_is_accepted_and_what_is_wrong_changes_nothing() {
    let sum = Cell::new(Reached::default());
    let sequences = (
        any::<[u8; HEAD]>(),
        prop::collection::vec(any::<[u8; RECORD]>(), 0..64),
    );
    let config = ProptestConfig {
        cases: 2000,
        max_shrink_iters: 3000,
        // What is found is printed, for KEPT.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // The same sequences at every run, or others: what a run must reach below does not hang on luck.
    let number: u64 = match std::env::var("PINRING_SEED") {
        Ok(text) => text.parse().expect("PINRING_SEED is a number"),
        Err(_) => 0,
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let ran = TestRunner::new_with_rng(config, rng).run(&sequences, |(head, steps)| {
        let mut bytes = head.to_vec();
        bytes.extend(steps.as_flattened());
        let mut reached = sum.get();
        reached.add(&run(&bytes));
        sum.set(reached);
        Ok(())
    });
    if let Err(TestError::Fail(why, (head, steps))) = ran {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines: Vec<String> = steps.iter().map(|step| hex(step)).collect();
        let head: String = hex(&head);
        panic!("{why}\n{head}\n{}", lines.join("\n"));
    }
    let reached = sum.get();
    println!("{reached:?}");
    for (place, code) in Code::ALL.iter().enumerate() {
        assert!(reached.accepted[place] > 100, "{} {reached:?}", code.name);
        assert!(reached.refused[place] > 10, "{} {reached:?}", code.name);
    }
    assert!(reached.unknown > 50 && reached.stopped > 200, "{reached:?}");
    assert!(reached.checked > 200, "{reached:?}");
    assert!(reached.sleeps > 200, "{reached:?}");
    assert!(
        reached.losses.iter().all(|&count| count > 50),
        "{reached:?}"
    );
    let never: Vec<_> = Error::ALL
        .into_iter()
        .filter(|error| reached.reasons >> (*error as u16) & 1 == 0 && !ELSEWHERE.contains(error))
        .collect();
    assert!(never.is_empty(), "never given: {never:?}");
}
