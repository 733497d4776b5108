//! The whole chain with the Windows driver's own code: client library, driver on the double of KMDF, real firmware, emitted gateware.

mod common;

use common::options;
use pinring_sim::report::Report;
use pinring_sim::run::{self, Driver, Options};
use pinring_sim::scenario::{
    Direction, IommuMode, LayoutKind, Notify, Scenario, Strategy, WriteCombining,
};

fn run(scenario: &Scenario, driver: Driver) -> Result<Report, run::RunError> {
    let options = Options {
        driver,
        ..options()
    };
    run_with(scenario, &options)
}

fn run_with(scenario: &Scenario, options: &Options<'_>) -> Result<Report, run::RunError> {
    let mut report = Report::new(scenario, run::ceiling_ns(scenario));
    run::run(scenario, options, &mut report, &mut Vec::new())?;
    Ok(report)
}

/// Two bursts of eight transfers of odd length, from odd places of eight buffers.
fn short() -> Scenario {
    let mut scenario = Scenario::gen3_x4();
    scenario.buffers.count = 8;
    scenario.buffers.bytes = 1 << 20;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.buffers.first_byte_offset_bytes = 100;
    scenario.burst.length_bytes = 100_001;
    scenario.burst.offsets_bytes = vec![4095, 200_000, 400_003];
    scenario.burst.bursts = 2;
    scenario
}

/// Runs end with an error if the verifier has anything to say.
fn check(report: &Report, strategies: usize, transfers: u64) {
    assert_eq!(report.strategies.len(), strategies);
    for strategy in &report.strategies {
        let found = (strategy.mismatches, strategy.completions, strategy.bytes);
        assert_eq!(
            found,
            (0, transfers, transfers * 100_001),
            "{}",
            strategy.name
        );
    }
}

#[test]
fn the_driver_s_own_code_does_what_the_core_does() {
    let report = run(&short(), Driver::Kmdf).unwrap_or_else(|error| panic!("{error}"));
    check(&report, 4, 16);
    let old = report.strategy(Strategy::PerTransfer).expect("it was run");
    let new = report.strategy(Strategy::Registered).expect("it was run");
    assert_eq!(new.mmio_reads, Some(0.0));
    assert!(new.mmio_writes <= Some(1.0), "{:?}", new.mmio_writes);
    assert_eq!(new.list_wait_cycles, 0);
    assert!(
        new.setup_ns < old.setup_ns.map(|ns| ns / 20.0),
        "{:?} {:?}",
        new.setup_ns,
        old.setup_ns
    );
    let ahead = report.strategy(Strategy::PrepareAhead);
    let hidden = ahead.and_then(|ahead| ahead.hidden_setup);
    assert!(hidden >= Some(0.5), "{hidden:?}");
    let core = run(&short(), Driver::Core).unwrap_or_else(|error| panic!("{error}"));
    for strategy in &core.strategies {
        let other = report.strategy(strategy.name).expect("it was run");
        assert_eq!(strategy.bytes, other.bytes, "{}", strategy.name);
        assert_eq!(strategy.mmio_reads, other.mmio_reads, "{}", strategy.name);
    }
}

#[test]
fn host_to_card_through_every_kind_of_adapter() {
    for iommu in [IommuMode::Off, IommuMode::Remap, IommuMode::Bounce] {
        let mut scenario = short();
        scenario.host.iommu = iommu;
        scenario.burst.direction = Direction::H2c;
        scenario.strategies = match iommu {
            // Nothing lasts where every page is copied.
            IommuMode::Bounce => vec![Strategy::PerTransfer, Strategy::PrepareAhead],
            _ => vec![Strategy::PrepareAhead, Strategy::Registered],
        };
        // A lasting mapping is one of whole pages.
        scenario.buffers.first_byte_offset_bytes = 0;
        let report =
            run(&scenario, Driver::Kmdf).unwrap_or_else(|error| panic!("{iommu:?}: {error}"));
        check(&report, 2, 16);
    }
}

#[test]
fn data_of_a_bouncing_host_is_flushed_before_it_is_looked_at() {
    let mut scenario = short();
    scenario.host.iommu = IommuMode::Bounce;
    scenario.strategies = vec![Strategy::PrepareAhead];
    let report = run(&scenario, Driver::Kmdf).unwrap_or_else(|error| panic!("{error}"));
    check(&report, 1, 16);
}

#[test]
fn preemption_anywhere_harms_nothing() {
    let options = Options {
        driver: Driver::Kmdf,
        preempt: true,
        ..options()
    };
    let run = |seed| {
        let mut scenario = short();
        scenario.seed = seed;
        let report = run_with(&scenario, &options);
        report.unwrap_or_else(|error| panic!("seed {seed}: {error}"))
    };
    let reports = [1, 2, 3].map(run);
    for report in &reports {
        check(report, 4, 16);
    }
    let time = |report: &Report| {
        let registered = report.strategy(Strategy::Registered).expect("it was run");
        registered.setup_ns
    };
    assert_ne!(
        time(&reports[0]),
        time(&reports[1]),
        "no seed made a difference"
    );
}

/// The scenario's moderation reaches the driver's registry, its queues and the gateware.
#[test]
fn the_driver_s_interrupts_are_moderated() {
    let mut scenario = short();
    scenario.strategies = vec![Strategy::Registered];
    let interrupts = |scenario: &Scenario| {
        let report = run(scenario, Driver::Kmdf).unwrap_or_else(|error| panic!("{error}"));
        check(&report, 1, 16);
        let found = report.strategy(Strategy::Registered).expect("it was run");
        found.interrupts.expect("they are counted") * 16.0
    };
    let each = interrupts(&scenario);
    // Two bursts of eight transfers, each of 30 us: an interrupt for eight, but for what else the driver waits for.
    scenario.host.moderation_count = 8;
    scenario.host.moderation_us = 4000;
    let few = interrupts(&scenario);
    assert!(few < each && few <= 4.0, "{few} instead of {each}");
}

#[test]
fn what_the_client_cannot_do_is_said() {
    let mut scenario = short();
    scenario.burst.direction = Direction::Both;
    let error = run(&scenario, Driver::Kmdf).expect_err("bursts have one direction");
    assert!(error.to_string().contains("one direction"), "{error}");
    let mut scenario = short();
    scenario.host.write_combining = WriteCombining::Whole;
    let error = run(&scenario, Driver::Kmdf).expect_err("the driver has no inline slots");
    assert!(error.to_string().contains("write_combining"), "{error}");
    let mut scenario = short();
    scenario.host.notify = Notify::Poll;
    let error = run(&scenario, Driver::Kmdf).expect_err("the driver does not poll");
    assert!(error.to_string().contains("host.notify"), "{error}");
}
