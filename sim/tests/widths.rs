//! The whole chain at every width of the data path, each on a link that it is made for: every byte checked, and how much
//! of the link is used.
//!
//! `cargo xtask test -- -p pinring-sim --test widths -- --nocapture` prints the efficiencies.

mod common;

use common::options;
use pinring_sim::report::Report;
use pinring_sim::run;
use pinring_sim::scenario::{Config, Direction, LayoutKind, Scenario, Strategy};
use pinring_sim::stress;

/// A device of this width on its link: generation and lanes.
fn on_link(mut scenario: Scenario, width_bits: u32, [generation, lanes]: [u32; 2]) -> Scenario {
    scenario.device.width_bits = width_bits;
    (scenario.link.generation, scenario.link.lanes) = (generation, lanes);
    scenario
}

fn run(scenario: &Scenario) -> Report {
    let mut report = Report::new(scenario, run::ceiling_ns(scenario));
    run::run(scenario, &options(), &mut report, &mut Vec::new())
        .unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    for strategy in &report.strategies {
        assert_eq!(
            (strategy.mismatches, strategy.completions),
            (0, scenario.burst.transfers.into()),
            "{}",
            scenario.name
        );
    }
    report
}

/// A tenth of the default burst on shuffled pages in each direction, then short transfers at any offset and length, on
/// links with other sizes, orders and splits.
fn check(width_bits: u32, link: [u32; 2], config: Config, least: f64) {
    for direction in [Direction::C2h, Direction::H2c] {
        let mut scenario = on_link(Scenario::gen3_x4(), width_bits, link);
        scenario.device.config = config;
        scenario.strategies = vec![Strategy::Registered];
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.buffers.bytes = 1 << 20;
        scenario.burst.length_bytes /= 10;
        scenario.burst.direction = direction;
        let report = run(&scenario);
        let registered = report.strategy(Strategy::Registered).expect("it was run");
        let efficiency = registered.efficiency.expect("the burst was measured");
        println!("{width_bits} bits, {direction:?}: efficiency {efficiency:.3}");
        assert!(
            efficiency >= least,
            "{width_bits} bits, {direction:?}: {efficiency}"
        );
        assert_eq!(registered.list_wait_cycles, 0);
    }
    for index in 0..6 {
        let mut scenario = on_link(stress::scenario(3, index, 10), width_bits, link);
        scenario.device.config = config;
        for length in &mut scenario.burst.lengths_bytes {
            *length = (*length).min(20_000);
        }
        run(&scenario);
    }
}

/// Without extended tags every byte arrives with tags below 32, which the link's checker sees to.
#[test]
fn bytes_arrive_without_extended_tags() {
    for (width_bits, link) in [(128, [3, 4]), (512, [3, 16])] {
        let mut scenario = on_link(Scenario::gen3_x4(), width_bits, link);
        scenario.link.extended_tags = false;
        scenario.link.reorder = true;
        scenario.strategies = vec![Strategy::Registered];
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.buffers.bytes = 1 << 20;
        scenario.burst.length_bytes /= 10;
        scenario.burst.direction = Direction::Both;
        run(&scenario);
    }
}

#[test]
fn bytes_arrive_64_bits_wide() {
    check(64, [2, 4], Config::Full, 0.95);
}

/// Four contexts, two data queues, 16 resident regions, 32 read slots.
#[test]
fn bytes_arrive_from_a_small_device() {
    check(64, [2, 4], Config::Small, 0.95);
}

#[test]
fn bytes_arrive_128_bits_wide() {
    check(128, [3, 4], Config::Full, 0.95);
}

#[test]
fn bytes_arrive_256_bits_wide() {
    check(256, [3, 8], Config::Full, 0.95);
}

#[test]
fn bytes_arrive_512_bits_wide() {
    check(512, [3, 16], Config::Full, 0.95);
}
