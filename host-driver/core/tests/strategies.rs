//! The four strategies: the order of their actions, and their data over a device.

mod common;

use common::*;
use pinring_core::mock::{Mock, stream_byte};
use pinring_core::strategy::{Action, Kind, Strategy, Unexpected};
use pinring_core::{
    Burst, BurstError, Device, MapError, QueueConfig, QueueHandle, RegisterError, Tier, Transfer,
};
use pinring_protocol::Direction;
use proptest::prelude::{Strategy as _, *};

/// What a strategy asks for now, in short; what it retires is reported at once.
fn actions(strategy: &mut Strategy) -> String {
    let mut all = Vec::new();
    while let Some(action) = strategy.next_action() {
        all.push(match action {
            Action::Prepare(i) => format!("prepare {i}"),
            Action::Submit(range) => format!("submit {}..{}", range.start, range.end),
            Action::CopyIn(i) => format!("in {i}"),
            Action::CopyOut(i) => format!("out {i}"),
            Action::Retire(i) => {
                strategy.retired(i).unwrap();
                format!("retire {i}")
            }
            Action::Done => "done".into(),
        });
    }
    all.join(", ")
}

#[test]
fn per_transfer_sets_the_next_up_when_the_running_one_has_completed() {
    let mut burst = Strategy::new(Kind::PerTransfer, Direction::C2h, 3, 8);
    assert_eq!(actions(&mut burst), "prepare 0");
    for i in 0..2 {
        burst.prepared(i).unwrap();
        assert_eq!(actions(&mut burst), format!("submit {i}..{}", i + 1));
        burst.completed(i).unwrap();
        assert_eq!(
            actions(&mut burst),
            format!("retire {i}, prepare {}", i + 1)
        );
    }
    burst.prepared(2).unwrap();
    assert_eq!(actions(&mut burst), "submit 2..3");
    burst.completed(2).unwrap();
    assert_eq!(actions(&mut burst), "retire 2, done");
    assert_eq!(actions(&mut burst), "");
}

#[test]
fn prepare_ahead_works_while_the_device_does() {
    let mut burst = Strategy::new(Kind::PrepareAhead { depth: 3 }, Direction::H2c, 5, 8);
    assert_eq!(actions(&mut burst), "prepare 0");
    burst.prepared(0).unwrap();
    assert_eq!(actions(&mut burst), "submit 0..1, prepare 1");
    burst.prepared(1).unwrap();
    assert_eq!(actions(&mut burst), "submit 1..2, prepare 2");
    burst.prepared(2).unwrap();
    assert_eq!(actions(&mut burst), "submit 2..3");
    burst.completed(0).unwrap();
    assert_eq!(actions(&mut burst), "retire 0, prepare 3");
    burst.completed(1).unwrap();
    assert_eq!(actions(&mut burst), "retire 1");
    burst.prepared(3).unwrap();
    assert_eq!(actions(&mut burst), "submit 3..4, prepare 4");
    burst.prepared(4).unwrap();
    assert_eq!(actions(&mut burst), "submit 4..5");
    (2..5).for_each(|i| burst.completed(i).unwrap());
    assert_eq!(actions(&mut burst), "retire 2, retire 3, retire 4, done");
}

#[test]
fn a_shortage_lessens_the_depth_and_is_an_end_only_if_nothing_is_held() {
    let mut burst = Strategy::new(Kind::PrepareAhead { depth: 4 }, Direction::C2h, 6, 8);
    for i in 0..2 {
        actions(&mut burst);
        burst.prepared(i).unwrap();
    }
    assert_eq!(actions(&mut burst), "submit 1..2, prepare 2");
    assert_eq!(burst.deferred(2), Ok(true));
    assert_eq!(actions(&mut burst), "");
    burst.completed(0).unwrap();
    assert_eq!(actions(&mut burst), "retire 0, prepare 2");
    burst.prepared(2).unwrap();
    // Two at a time from now on.
    assert_eq!(actions(&mut burst), "submit 2..3");
    assert_eq!(burst.kind(), Kind::PrepareAhead { depth: 2 });

    // A list that is being given back, but is not yet, is still one to wait for.
    let mut late = Strategy::new(Kind::PrepareAhead { depth: 2 }, Direction::C2h, 2, 8);
    actions(&mut late);
    late.prepared(0).unwrap();
    assert_eq!(actions(&mut late), "submit 0..1, prepare 1");
    late.completed(0).unwrap();
    assert_eq!(late.next_action(), Some(Action::Retire(0)));
    assert_eq!(late.deferred(1), Ok(true));
    assert_eq!(late.next_action(), None);
    late.retired(0).unwrap();
    assert_eq!(late.next_action(), Some(Action::Prepare(1)));

    let mut alone = Strategy::new(Kind::PerTransfer, Direction::C2h, 2, 8);
    actions(&mut alone);
    assert_eq!(alone.deferred(0), Ok(false));
}

#[test]
fn registered_is_one_submission_as_far_as_the_ring_goes() {
    let mut burst = Strategy::new(Kind::Registered, Direction::C2h, 8, 8);
    assert_eq!(actions(&mut burst), "submit 0..8");
    burst.completed(0).unwrap();
    assert_eq!(actions(&mut burst), "retire 0");
    (1..8).for_each(|i| burst.completed(i).unwrap());
    assert!(actions(&mut burst).ends_with("retire 7, done"));

    let mut small = Strategy::new(Kind::Registered, Direction::C2h, 5, 2);
    assert_eq!(actions(&mut small), "submit 0..2");
    small.completed(0).unwrap();
    assert_eq!(actions(&mut small), "submit 2..3, retire 0");
}

#[test]
fn common_buffer_copies_after_c2h_and_before_h2c() {
    let mut out = Strategy::new(Kind::CommonBuffer, Direction::C2h, 2, 8);
    assert_eq!(actions(&mut out), "submit 0..2");
    out.completed(0).unwrap();
    out.completed(1).unwrap();
    assert_eq!(actions(&mut out), "out 0");
    out.copied(0).unwrap();
    assert_eq!(actions(&mut out), "retire 0, out 1");
    out.copied(1).unwrap();
    assert_eq!(actions(&mut out), "retire 1, done");

    let mut into = Strategy::new(Kind::CommonBuffer, Direction::H2c, 2, 8);
    assert_eq!(actions(&mut into), "in 0");
    into.copied(0).unwrap();
    assert_eq!(actions(&mut into), "submit 0..1, in 1");
    into.completed(0).unwrap();
    into.copied(1).unwrap();
    assert_eq!(actions(&mut into), "submit 1..2, retire 0");
    into.completed(1).unwrap();
    assert_eq!(actions(&mut into), "retire 1, done");
}

#[test]
fn reports_out_of_turn_are_refused() {
    let mut burst = Strategy::new(Kind::Registered, Direction::C2h, 2, 8);
    assert_eq!(
        burst.completed(0),
        Err(Unexpected {
            report: "completed",
            index: 0,
            expected: None
        })
    );
    actions(&mut burst);
    assert_eq!(
        burst.completed(1),
        Err(Unexpected {
            report: "completed",
            index: 1,
            expected: Some(0)
        })
    );
    assert!(burst.prepared(0).is_err() && burst.copied(0).is_err());
}

#[test]
fn an_aborted_burst_ends_with_what_was_begun() {
    let mut burst = Strategy::new(Kind::PrepareAhead { depth: 2 }, Direction::C2h, 9, 8);
    actions(&mut burst);
    burst.prepared(0).unwrap();
    assert_eq!(actions(&mut burst), "submit 0..1, prepare 1");
    assert_eq!(burst.abort(), 2);
    assert_eq!(burst.deferred(1), Ok(true));
    burst.completed(0).unwrap();
    assert_eq!(actions(&mut burst), "retire 0, done");
    let mut registered = Strategy::new(Kind::Registered, Direction::C2h, 9, 4);
    actions(&mut registered);
    registered.abort();
    (0..4).for_each(|i| registered.completed(i).unwrap());
    assert_eq!(
        actions(&mut registered),
        "retire 0, retire 1, retire 2, retire 3, done"
    );
    let mut unbegun = Strategy::new(Kind::PerTransfer, Direction::C2h, 9, 4);
    unbegun.abort();
    assert_eq!(actions(&mut unbegun), "done");
}

struct Host {
    mock: Mock,
    device: Device<Mock>,
    queue: QueueHandle,
    entries: u32,
}

fn host(direction: Direction, entries: u32) -> Host {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue_of(
        &mock,
        &mut device,
        QueueConfig {
            entries,
            ..queue_config(direction)
        },
    );
    Host {
        mock,
        device,
        queue,
        entries,
    }
}

/// Runs a burst to its end; `choose` says at each turn whether the device works before the host carries its next action out.
fn run(
    host: &mut Host,
    burst: &mut Burst,
    mut choose: impl FnMut() -> bool,
) -> Result<Vec<Action>, BurstError> {
    let mut pending = std::collections::VecDeque::new();
    let mut carried = Vec::new();
    for _ in 0..10_000 {
        pending.extend(std::iter::from_fn(|| burst.next_action()));
        let device_first = choose();
        if !device_first && let Some(action) = pending.pop_front() {
            burst.carry_out(&mut host.device, &action)?;
            carried.push(action.clone());
            if action == Action::Done {
                return Ok(carried);
            }
            continue;
        }
        host.mock.run_at_most(1);
        for completion in reap(&mut host.device, host.queue) {
            burst.complete(&completion)?;
        }
    }
    panic!("the burst does not end: {carried:?}");
}

fn kinds() -> impl proptest::strategy::Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::PerTransfer),
        (1u32..6).prop_map(|depth| Kind::PrepareAhead { depth }),
        Just(Kind::Registered),
        Just(Kind::CommonBuffer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Whatever the strategy, the host (bouncing, short of map registers) and who is faster: every byte arrives.
    #[test]
    fn every_strategy_moves_every_byte(
        kind in kinds(),
        c2h in any::<bool>(),
        log2 in 1u32..4,
        bounce in any::<bool>(),
        registers in 8usize..40,
        lengths in prop::collection::vec((0u64..5000, 1u64..20_000), 1..12),
        choices in prop::collection::vec(any::<bool>(), 64),
    ) {
        let direction = if c2h { Direction::C2h } else { Direction::H2c };
        let mut host = host(direction, 1 << log2);
        (host.mock.host_mut().bounce, host.mock.host_mut().map_registers) = (bounce, registers);
        let size: u64 = lengths.iter().map(|(gap, length)| gap + length).sum();
        let buffer = host.mock.lock_scattered(77, size);
        let data: Vec<u8> = (0..size).map(|at| (at * 7 % 253) as u8).collect();
        host.mock.fill(buffer, 0, &data);
        let tier = match kind {
            Kind::Registered => Tier::MappedOnce,
            Kind::CommonBuffer => Tier::CommonBuffer,
            _ => Tier::PerTransfer,
        };
        let region = register(&mut host.device, buffer, tier);
        let mut at = 0;
        let transfers: Vec<Transfer> = lengths.iter().map(|(gap, length)| {
            at += gap + length;
            transfer(region, at - length, *length)
        }).collect();
        let mut burst = Burst::new(kind, direction, host.queue, host.entries, transfers.clone());
        let mut choice = choices.into_iter().cycle();
        // A device that is never slower than the host would never end.
        let mut turns = 0;
        let carried = run(&mut host, &mut burst, || { turns += 1; turns % 3 == 0 || choice.next() == Some(true) && turns % 5 != 0 });
        prop_assert!(carried.is_ok(), "{:?}", carried.err());
        let carried = carried.unwrap_or_default();
        prop_assert_eq!(carried.iter().filter(|action| matches!(action, Action::Retire(_))).count(), transfers.len());
        let mut expected = data.clone();
        match direction {
            Direction::C2h => {
                let stream = transfers.iter().flat_map(|t| t.offset..t.offset + t.length);
                stream.zip(0..).for_each(|(at, position)| expected[at as usize] = stream_byte(position));
            }
            Direction::H2c => {
                let packets: Vec<_> = transfers.iter()
                    .map(|t| (t.tdest, data[t.offset as usize..(t.offset + t.length) as usize].to_vec()))
                    .collect();
                prop_assert!(host.mock.host().device.packets_out == packets, "the data differs");
            }
        }
        prop_assert!(host.mock.bytes(buffer, 0, size) == expected, "the data differs");
        prop_assert_eq!(host.mock.host().counts.mappings, usize::from(tier == Tier::MappedOnce));
        if kind == Kind::Registered && transfers.len() as u32 <= host.entries {
            prop_assert_eq!(carried.iter().filter(|action| matches!(action, Action::Submit(_))).count(), 1);
        }
        close(&host.mock, host.device);
    }
}

#[test]
fn a_burst_that_fails_can_be_cleaned_up() {
    let mut host = host(Direction::C2h, 8);
    (
        host.mock.host_mut().bounce,
        host.mock.host_mut().map_registers,
    ) = (true, 4);
    let buffer = host.mock.lock_scattered(0, 100_000);
    let region = register(&mut host.device, buffer, Tier::PerTransfer);
    let transfers = vec![
        transfer(region, 0, 4096),
        transfer(region, 4096, 50_000),
        transfer(region, 0, 4096),
    ];
    let kind = Kind::PrepareAhead { depth: 4 };
    let mut burst = Burst::new(kind, Direction::C2h, host.queue, 8, transfers);
    // The second can never be mapped; the first ends all the same.
    let failed = run(&mut host, &mut burst, || false).unwrap_err();
    let cause = RegisterError::Map(MapError::NoMapRegisters);
    assert_eq!(failed, BurstError::Prepare { index: 1, cause });
    assert_eq!(run(&mut host, &mut burst, || false), Ok(vec![Action::Done]));
    burst.clean_up(&mut host.device).unwrap();
    assert_eq!(host.mock.host().map_registers, 4);
    close(&host.mock, host.device);
}
