//! Submission entries that no driver of ours would write, in a ring that an application could have been given: each ends
//! with its own status, and the transfers around it arrive byte for byte.

mod common;

use common::options;
use pinring_core::{Permissions, SubmitError, Tier, TierPolicy, Transfer};
use pinring_protocol::{Direction, Opcode, Status, SubmissionEntry};
use pinring_sim::run::{Bench, DOMAIN};
use pinring_sim::scenario::{LayoutKind, Scenario, Strategy};

const BUFFER: u64 = 1 << 18;

fn bench() -> Bench {
    let mut scenario = Scenario::gen3_x4();
    scenario.buffers.count = 4;
    scenario.buffers.bytes = BUFFER;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = 4;
    scenario.burst.length_bytes = BUFFER;
    Bench::new(&scenario, Strategy::Registered, &options()).expect("the device starts")
}

/// Changes entry `index` of the submission ring, which the device has not read yet.
fn rewrite(bench: &mut Bench, index: u64, change: impl FnOnce(&mut [u8; 64])) {
    let queue = bench.queue(Direction::C2h).expect("it is used").clone();
    let slot = index % u64::from(bench.window);
    let address = queue.rings[0].start + slot * 64;
    let memory = &mut bench.machine().host.memory;
    let mut entry = [0; 64];
    memory
        .read(address, &mut entry)
        .expect("the ring is in memory");
    assert_eq!(
        entry[..4],
        [Opcode::C2h as u8, 0, index as u8, (index >> 8) as u8],
        "the first of a queue's two rings is the submission ring"
    );
    change(&mut entry);
    memory
        .write(address, &entry)
        .expect("the ring is in memory");
}

/// Writes a field of an entry by its place in the layout.
fn put(entry: &mut [u8; 64], field: &str, value: u64) {
    let field = SubmissionEntry::STRUCTURE
        .fields
        .iter()
        .find(|candidate| candidate.name == field)
        .unwrap_or_else(|| panic!("there is no field {field}"));
    let bytes = value.to_le_bytes();
    let (at, size) = (field.offset / 8, field.width / 8);
    entry[at..at + size].copy_from_slice(&bytes[..size]);
}

#[test]
fn each_bad_entry_fails_alone() {
    let mut bench = bench();
    let queue = bench.queue(Direction::C2h).expect("it is used").handle;
    let policy = TierPolicy {
        first: Tier::Bypass,
        last: Tier::Bypass,
    };
    let (buffer, own) = bench.regions[3];
    let mut register = |permissions, domain| {
        bench
            .device
            .register(buffer, permissions, domain, policy)
            .expect("a buffer may have several regions")
    };
    let foreign = register(Permissions::BOTH, DOMAIN + 1);
    let source_only = register(Permissions::only(Direction::H2c), DOMAIN);
    let region = |handle: pinring_core::RegionHandle| {
        move |entry: &mut [u8; 64]| {
            put(entry, "region", handle.id().into());
            put(entry, "generation", handle.generation().into());
        }
    };
    let field =
        |name: &'static str, value: u64| move |entry: &mut [u8; 64]| put(entry, name, value);
    type Change = Box<dyn FnOnce(&mut [u8; 64])>;
    let cases: Vec<(&str, Change, Status)> = vec![
        ("no byte", Box::new(field("length", 0)), Status::OutOfBounds),
        (
            "one byte too many",
            Box::new(field("length", BUFFER + 1)),
            Status::OutOfBounds,
        ),
        (
            "a length of 2^64 - 1",
            Box::new(field("length", u64::MAX)),
            Status::OutOfBounds,
        ),
        (
            "an end past 2^64",
            Box::new(field("offset", u64::MAX - 3)),
            Status::OutOfBounds,
        ),
        (
            "the other direction",
            Box::new(field("opcode", Opcode::H2c as u64)),
            Status::BadOpcode,
        ),
        (
            "an unknown opcode",
            Box::new(field("opcode", 0x7f)),
            Status::BadOpcode,
        ),
        (
            "another entry's index",
            Box::new(field("index", 0x7fff)),
            Status::BadIndex,
        ),
        (
            "a region that is none",
            Box::new(field("region", 0xffff_ffff)),
            Status::BadRegion,
        ),
        (
            "a stale generation",
            Box::new(field("generation", u64::from(own.generation()) + 1)),
            Status::StaleGeneration,
        ),
        (
            "another application's region",
            Box::new(region(foreign)),
            Status::WrongDomain,
        ),
        (
            "a region for reading only",
            Box::new(region(source_only)),
            Status::NoPermission,
        ),
        (
            "a TDEST that is not the queue's",
            Box::new(field("tdest", 9)),
            Status::BadTdest,
        ),
        (
            "a list hint past the list",
            Box::new(field("sg_hint", 1 << 20)),
            Status::BadHint,
        ),
        (
            "reserved bits",
            Box::new(|entry| entry[63] = 1),
            Status::ReservedNotZero,
        ),
    ];
    let mut position = 0;
    for (round, (what, change, expected)) in (0u64..).zip(cases) {
        let lengths = [10_007, 64, 4_097];
        let transfers: Vec<Transfer> = (0..3)
            .map(|place| Transfer {
                region: bench.regions[place].1,
                offset: 5 * round,
                length: lengths[place],
                tdest: 0,
                user: 0,
                cookie: round * 3 + place as u64,
            })
            .collect();
        // The bad one takes nothing from the stream.
        for place in [0, 2] {
            bench.machine().streams.send(position, lengths[place], 0);
            position += lengths[place];
        }
        bench
            .device
            .submit(queue, &transfers)
            .expect("there is room");
        rewrite(&mut bench, round * 3 + 1, change);
        let ended = bench.reap(queue, 3, 500_000).expect("the run goes on");
        let found: Vec<_> = ended
            .iter()
            .map(|completion| {
                (
                    completion.cookie - round * 3,
                    completion.status,
                    completion.bytes,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (0, Status::Ok, lengths[0]),
                (1, expected, 0),
                (2, Status::Ok, lengths[2])
            ],
            "{what}"
        );
        let payload = bench.payload.clone();
        for (place, at) in [
            (0, position - lengths[2] - lengths[0]),
            (2, position - lengths[2]),
        ] {
            let id = bench.regions[place].0;
            let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
            let (layout, first) = buffers.get(id).expect("it is locked");
            let same = payload.check(memory, layout, first + 5 * round, lengths[place], at);
            assert_eq!(same, Ok(()), "{what}");
        }
    }
}

#[test]
fn a_batch_that_overfills_the_ring_leaves_what_is_queued() {
    let mut bench = bench();
    let queue = bench.queue(Direction::C2h).expect("it is used").handle;
    let transfer = |cookie| Transfer {
        region: bench.regions[0].1,
        offset: cookie * 100,
        length: 100,
        tdest: 0,
        user: 0,
        cookie,
    };
    let window = u64::from(bench.window);
    let most: Vec<_> = (0..window - 1).map(transfer).collect();
    let more = [transfer(window - 1), transfer(window)];
    for cookie in 0..window - 1 {
        bench.machine().streams.send(cookie * 100, 100, 0);
    }
    bench.device.submit(queue, &most).expect("there is room");
    let error = bench
        .device
        .submit(queue, &more)
        .expect_err("there is none");
    assert!(
        matches!(error, SubmitError::RingFull { asked: 2, .. }),
        "{error}"
    );
    let ended = bench
        .reap(queue, most.len(), 2_000_000)
        .expect("the run goes on");
    assert_eq!(ended.len(), most.len());
    for completion in &ended {
        assert_eq!((completion.status, completion.bytes), (Status::Ok, 100));
    }
    let payload = bench.payload.clone();
    let id = bench.regions[0].0;
    let (memory, buffers) = bench.device.platform_mut().memory_and_buffers();
    let (layout, first) = buffers.get(id).expect("it is locked");
    let bytes = (window - 1) * 100;
    assert_eq!(payload.check(memory, layout, first, bytes, 0), Ok(()));
}
