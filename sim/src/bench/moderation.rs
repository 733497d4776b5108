//! How the driver learns of completions: an interrupt for each, moderated, or by polling.

use super::burst::run_one;
use super::conditions::{Port, Setting, X4, X16, direction_name};
use super::probe::Context;
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::scenario::{Direction, Notify, Scenario, Strategy};

const NAME: &str = "moderation";

/// Transfers of a burst, and bytes of each.
const TRANSFERS: u32 = 64;
const LENGTH: u64 = 4096;

/// A name, and what it sets.
type Way = (&'static str, fn(&mut Scenario));

const WAYS: [Way; 3] = [
    ("each interrupts", |_| ()),
    ("count 8, time 20 us", |scenario| {
        scenario.host.moderation_count = 8;
        scenario.host.moderation_us = 20;
    }),
    ("polling", |scenario| scenario.host.notify = Notify::Poll),
];

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in [X4, X16] {
        for direction in [Direction::C2h, Direction::H2c] {
            if quick && direction != Direction::C2h {
                continue;
            }
            for way in WAYS {
                let label = format!("{} {direction:?} {}", port.name, way.0);
                jobs.push(Job::new(NAME, label, 0.3, move |context| {
                    measure(context, port, direction, way)
                }));
            }
        }
    }
    jobs
}

fn measure(
    context: &Context<'_>,
    port: Port,
    direction: Direction,
    (name, set): Way,
) -> Result<Vec<Row>, Error> {
    let mut scenario = Setting::reference(port, direction).scenario();
    scenario.buffers.count = TRANSFERS;
    scenario.buffers.bytes = LENGTH;
    scenario.burst.transfers = TRANSFERS;
    scenario.burst.length_bytes = LENGTH;
    set(&mut scenario);
    let report = run_one(context, &scenario, Strategy::Registered)?;
    let conditions = Conditions::default()
        .with("link", port.name)
        .with("direction", direction_name(direction))
        .with("round_trip_ns", 1000)
        .with("transfers", TRANSFERS)
        .with("transfer_bytes", LENGTH)
        .with("completions", name);
    let us = |ns: Option<f64>| ns.map(|ns| ns / 1000.0);
    Ok(Point::new(NAME, conditions)
        .maybe("interrupts", report.interrupts, "per transfer")
        .maybe("cpu_time", us(report.completion_ns), "us per transfer")
        .maybe("mmio_writes", report.mmio_writes, "per transfer")
        .maybe("first_learned", us(report.first_reaped_ns), "us")
        .maybe("last_learned", us(report.last_reaped_ns), "us")
        .maybe("last_visible", us(report.burst_ns), "us")
        .rows())
}
