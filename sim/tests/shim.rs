//! The whole chain with the device behind its shim for AMD's UltraScale+ block, whose streams a model of the block feeds: every byte checked,
//! and how much of the link is used.
//!
//! `cargo xtask test -- -p pinring-sim --test shim -- --nocapture` prints the efficiencies.

mod common;

use common::options;
use pinring_sim::report::Report;
use pinring_sim::run;
use pinring_sim::scenario::{Direction, HardIp, LayoutKind, Scenario, Strategy};
use pinring_sim::stress;

/// A device of this width on its link, behind its shim.
fn behind_shim(mut scenario: Scenario, width_bits: u32) -> Scenario {
    scenario.device.hard_ip = HardIp::UscalePlus;
    scenario.device.width_bits = width_bits;
    scenario.link.generation = 3;
    scenario.link.lanes = if width_bits == 256 { 8 } else { 16 };
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

/// Efficiency of a burst of the default scenario, on shuffled pages.
fn efficiency(width_bits: u32, direction: Direction, rcb_bytes: u32) -> f64 {
    let mut scenario = behind_shim(Scenario::gen3_x4(), width_bits);
    scenario.strategies = vec![Strategy::Registered];
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.direction = direction;
    scenario.link.rcb_bytes = rcb_bytes;
    let report = run(&scenario);
    let registered = report.strategy(Strategy::Registered).expect("it was run");
    let efficiency = registered.efficiency.expect("the burst was measured");
    println!("{width_bits} bits, {direction:?}, RCB {rcb_bytes}: efficiency {efficiency:.3}");
    efficiency
}

#[test]
fn transfers_of_any_size_go_both_ways() {
    for width_bits in [256, 512] {
        for index in 0..4 {
            let mut scenario = behind_shim(stress::scenario(5, index, 10), width_bits);
            for length in &mut scenario.burst.lengths_bytes {
                *length = (*length).min(20_000);
            }
            run(&scenario);
        }
    }
}

/// Without straddle C2H reaches 98.5 % of Gen3 x16 at most and H2C 97.1 %. H2C has as many reads in flight as the block has completion headers for: 14 at a
/// read completion boundary of 64 bytes, 25 at 128.
#[test]
fn bursts_use_the_link() {
    for (direction, rcb_bytes, least) in [
        (Direction::C2h, 64, 0.97),
        (Direction::H2c, 64, 0.75),
        (Direction::H2c, 128, 0.95),
    ] {
        let reached = efficiency(512, direction, rcb_bytes);
        assert!(
            reached >= least,
            "{direction:?}, RCB {rcb_bytes}: {reached}"
        );
    }
}
