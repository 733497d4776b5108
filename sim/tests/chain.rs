//! The whole chain: driver core, real firmware on the soft core, emitted gateware under Verilator.
//!
//! `cargo xtask test` builds the firmware, fetches the processor and says where both are.

mod common;

use common::options;
use pinring_sim::report::{Report, StrategyReport};
use pinring_sim::run::{self, RunError, SetupError};
use pinring_sim::scenario::{LayoutKind, Scenario, Strategy};
use pinring_sim::stress;

fn try_run(scenario: &Scenario) -> Result<Report, RunError> {
    let mut report = Report::new(scenario, run::ceiling_ns(scenario));
    run::run(scenario, &options(), &mut report, &mut Vec::new())?;
    Ok(report)
}

fn strategy(report: &Report, name: Strategy) -> &StrategyReport {
    report.strategy(name).expect("it was run")
}

/// The default burst at Gen3 x4 with a tenth of the data.
fn tenth() -> Scenario {
    let mut scenario = Scenario::gen3_x4();
    scenario.burst.length_bytes /= 10;
    scenario
}

#[test]
fn a_registered_transfer_is_one_doorbell_and_waits_for_no_list() {
    let report = try_run(&tenth()).expect("the burst runs");
    let old = strategy(&report, Strategy::PerTransfer);
    let new = strategy(&report, Strategy::Registered);
    for strategy in &report.strategies {
        assert_eq!(
            (strategy.mismatches, strategy.completions),
            (0, 8),
            "{}",
            strategy.name
        );
        assert_eq!(strategy.bytes, 8 * 440_000, "{}", strategy.name);
    }
    assert_eq!(new.mmio_reads, Some(0.0));
    assert!(new.mmio_writes <= Some(1.0), "{:?}", new.mmio_writes);
    assert_eq!(new.list_wait_cycles, 0);
    assert!(
        new.setup_ns < old.setup_ns.map(|ns| ns / 50.0),
        "{:?} {:?}",
        new.setup_ns,
        old.setup_ns
    );
    assert!(new.efficiency >= Some(0.95), "{:?}", new.efficiency);
    let ahead = strategy(&report, Strategy::PrepareAhead);
    assert!(ahead.hidden_setup >= Some(0.9), "{:?}", ahead.hidden_setup);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut scenario = stress::scenario(7, 3, 4);
    for length in &mut scenario.burst.lengths_bytes {
        *length = (*length).min(100_000);
    }
    let (first, second) = (
        try_run(&scenario).expect("runs"),
        try_run(&scenario).expect("runs again"),
    );
    assert_eq!(first.strategies, second.strategies);
    assert_eq!(first.sim.cycles, second.sim.cycles);
}

#[test]
fn random_transfers_arrive_byte_for_byte() {
    for index in 0..8 {
        let scenario = stress::scenario(1, index, 16);
        let report = try_run(&scenario).unwrap_or_else(|error| panic!("scenario {index}: {error}"));
        for strategy in &report.strategies {
            assert_eq!(
                (strategy.mismatches, strategy.completions),
                (0, 16),
                "scenario {index}"
            );
        }
    }
}

#[test]
fn both_directions_at_once_through_an_iommu() {
    let mut scenario = tenth();
    scenario.burst.direction = pinring_sim::scenario::Direction::Both;
    scenario.host.iommu = pinring_sim::scenario::IommuMode::Remap;
    scenario.strategies = vec![Strategy::Registered, Strategy::PerTransfer];
    let report = try_run(&scenario).expect("the burst runs");
    for strategy in &report.strategies {
        assert_eq!(
            (strategy.mismatches, strategy.completions),
            (0, 8),
            "{}",
            strategy.name
        );
    }
}

#[test]
fn what_cannot_be_run_says_why() {
    let mut many = tenth();
    many.buffers.count = 11;
    let error = try_run(&many).expect_err("ten layouts ship");
    assert!(
        matches!(
            error,
            RunError::Setup {
                cause: SetupError::Captured { wanted: 11, .. },
                ..
            }
        ),
        "{error}"
    );

    let mut bounced = tenth();
    bounced.host.iommu = pinring_sim::scenario::IommuMode::Bounce;
    bounced.buffers.layout = LayoutKind::Shuffled;
    bounced.strategies = vec![Strategy::Registered];
    let error = try_run(&bounced).expect_err("nothing lasting can be had where data is bounced");
    assert!(
        matches!(
            error,
            RunError::Setup {
                cause: SetupError::Register { .. },
                ..
            }
        ),
        "{error}"
    );
}

/// The device rests for longer than a stuck one is waited for, while a CPU copies.
#[test]
fn a_long_copy_is_not_a_stuck_device() {
    let mut scenario = tenth();
    scenario.strategies = vec![Strategy::CommonBuffer];
    scenario.burst.transfers = 2;
    scenario.burst.length_bytes = 65_536;
    let slow = &mut scenario.host.costs.copy_bytes_per_ns;
    (slow.low, slow.value) = (0.008, 0.008);
    let report = try_run(&scenario).expect("the burst runs");
    let copied = strategy(&report, Strategy::CommonBuffer);
    assert_eq!((copied.mismatches, copied.completions), (0, 2));
    assert!(copied.burst_ns > Some(16e6), "{:?}", copied.burst_ns);
}
