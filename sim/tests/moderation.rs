//! How the driver learns of completions: each interrupts, moderated, or by polling, with the real firmware and the emitted gateware.

mod common;

use common::options;
use pinring_sim::report::{Report, StrategyReport};
use pinring_sim::run;
use pinring_sim::scenario::{Direction, LayoutKind, Notify, Scenario, Strategy};

/// Bytes of a transfer: 1.25 us of the link.
const LENGTH: u64 = 4096;

/// Bursts of a run. What moderates the first must moderate the next.
const BURSTS: u32 = 2;

fn scenario(transfers: u32, direction: Direction) -> Scenario {
    let mut scenario = Scenario::gen3_x4();
    scenario.strategies = vec![Strategy::Registered];
    scenario.buffers.count = transfers;
    scenario.buffers.bytes = LENGTH;
    scenario.buffers.layout = LayoutKind::Shuffled;
    scenario.burst.transfers = transfers;
    scenario.burst.length_bytes = LENGTH;
    scenario.burst.bursts = BURSTS;
    scenario.burst.direction = direction;
    scenario
}

/// A run that reaps every transfer, or else ends with an error; and its interrupts.
fn interrupts(scenario: &Scenario) -> (StrategyReport, f64) {
    let mut report = Report::new(scenario, run::ceiling_ns(scenario));
    run::run(scenario, &options(), &mut report, &mut Vec::new())
        .unwrap_or_else(|error| panic!("{error}"));
    let found = report.strategy(Strategy::Registered).expect("it was run");
    let transfers = u64::from(scenario.burst.transfers * BURSTS);
    assert_eq!((found.completions, found.mismatches), (transfers, 0));
    let interrupts = found.interrupts.expect("they are counted") * transfers as f64;
    (found.clone(), interrupts.round())
}

/// An interrupt for eight of a burst's completions, or for what is left at its end.
#[test]
fn a_count_saves_interrupts() {
    for direction in [Direction::C2h, Direction::H2c] {
        let mut scenario = scenario(64, direction);
        let (_, each) = interrupts(&scenario);
        scenario.host.moderation_count = 8;
        scenario.host.moderation_us = 20;
        let (_, few) = interrupts(&scenario);
        let most = f64::from(BURSTS * (64 / 8 + 1));
        assert!((2.0..=most).contains(&few), "{direction:?}: {few}");
        assert!(each > most, "{direction:?}: {each} without moderation");
    }
}

/// Fewer completions than the count: only the time tells of them, and not before.
#[test]
fn the_last_of_a_burst_are_told_of_in_time() {
    let mut scenario = scenario(5, Direction::C2h);
    let (at_once, _) = interrupts(&scenario);
    scenario.host.moderation_count = 8;
    scenario.host.moderation_us = 40;
    let (report, found) = interrupts(&scenario);
    assert_eq!(found, f64::from(BURSTS), "one for each burst");
    let learned = |report: &StrategyReport| report.first_reaped_ns.expect("it was learned");
    let later = learned(&report) - learned(&at_once);
    // The scan's 16 cycles, and what differs before an interrupt is served.
    assert!((39_500.0..=40_200.0).contains(&later), "{later} ns");
}

#[test]
fn polling_needs_no_interrupts() {
    for direction in [Direction::C2h, Direction::Both] {
        let mut scenario = scenario(64, direction);
        scenario.host.notify = Notify::Poll;
        let (report, found) = interrupts(&scenario);
        assert_eq!(found, 0.0, "{direction:?}");
        // It costs the CPU all of the burst's time, within a look or two.
        let spent = report.completion_ns.expect("it is modelled") * 64.0;
        let lasted = report.last_reaped_ns.expect("it was learned");
        assert!(
            spent > 0.8 * lasted - 5000.0,
            "{direction:?}: {spent} ns of {lasted} ns"
        );
    }
}
