//! The scenario `calibration` gives the figures that the project's first user measured for today's way.

mod common;

use std::sync::atomic::AtomicBool;

use common::options;
use pinring_sim::bench::{Context, calibration};

/// `value` is within 2 % of what the user says.
fn near(what: &str, value: f64, said: f64) {
    let off = value / said - 1.0;
    assert!(off.abs() <= 0.02, "{what}: {value}, and not {said}");
}

#[test]
fn todays_way_costs_what_the_user_measured() {
    let cancel = AtomicBool::new(false);
    let context = Context {
        tools: &options().tools,
        cancel: &cancel,
        quick: false,
        peers: None,
    };
    let found = calibration(&context).expect("the scenario runs");
    near("set-up, us", found.setup_us, 160.0);
    near("transfer, us", found.transfer_us, 360.0);
    near("set-up over transfer", found.overhead, 0.44);
    near("the eighth is late by, ms", found.eighth_late_ms, 1.28);
}
