//! Efficiency, idle cycles and waits for lists, over links, directions, round trips and completions.

use super::conditions::{PORTS, Port, ROUND_TRIPS, Setting};
use super::probe::{Context, Lane, Measured, Probe, ProbeError, Step};
use super::row::Point;
use super::{Error, Job};
use crate::link::Direction as Wire;
use crate::scenario::Direction;

const NAME: &str = "efficiency";

/// Buffers of each direction; a run is one transfer of each.
const BUFFERS: usize = 3;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in PORTS {
        for direction in [Direction::C2h, Direction::H2c, Direction::Both] {
            for setting in settings(port, direction, quick) {
                let trip = setting.round_trip_ns as f64 / 1000.0;
                let weight = 1.0
                    + if direction == Direction::C2h {
                        0.0
                    } else {
                        trip
                    };
                let Setting {
                    round_trip_ns,
                    completion_bytes,
                    reorder,
                    ..
                } = setting;
                let order = if reorder { " reordered" } else { "" };
                let name = port.name;
                let label = format!(
                    "{name} {direction:?} {round_trip_ns} ns, completions of {completion_bytes} bytes{order}"
                );
                jobs.push(Job::new(NAME, label, weight, move |context| {
                    measure(context, setting)
                }));
            }
        }
    }
    jobs
}

/// Conditions of a direction. Completions are its data, or (C2H) the lists that say where its data goes.
fn settings(port: Port, direction: Direction, quick: bool) -> Vec<Setting> {
    let reference = Setting::reference(port, direction);
    if quick {
        return vec![reference];
    }
    let mut settings = Vec::new();
    for round_trip_ns in ROUND_TRIPS {
        for (completion_bytes, reorder) in [(256, false), (64, false), (256, true), (64, true)] {
            settings.push(Setting {
                round_trip_ns,
                completion_bytes,
                reorder,
                ..reference
            });
        }
    }
    settings
}

/// A machine with buffers for a run of these conditions, and the run: one transfer of every buffer.
pub(super) fn prepare<'a>(
    context: &Context<'a>,
    setting: Setting,
    bytes: u64,
) -> Result<(Probe<'a>, Vec<Lane>), ProbeError> {
    let both = setting.direction == Direction::Both;
    let mut scenario = setting.scenario();
    let length = bytes / BUFFERS as u64;
    scenario.buffers.count = if both { 2 } else { 1 } * BUFFERS as u32;
    scenario.buffers.bytes = length;
    scenario.burst.transfers = scenario.buffers.count;
    scenario.burst.length_bytes = length;
    let probe = Probe::new(context, &scenario, 0)?;
    let steps = |first: usize| {
        (first..first + BUFFERS)
            .map(|region| Step {
                region,
                offset: 0,
                length,
            })
            .collect()
    };
    let lanes = match setting.direction {
        Direction::C2h => vec![probe.lane(pinring_protocol::Direction::C2h, steps(0))],
        Direction::H2c => vec![probe.lane(pinring_protocol::Direction::H2c, steps(0))],
        Direction::Both => vec![
            probe.lane(pinring_protocol::Direction::C2h, steps(0)),
            probe.lane(pinring_protocol::Direction::H2c, steps(BUFFERS)),
        ],
    };
    let lanes = lanes.into_iter().flatten().collect();
    Ok((probe, lanes))
}

fn measure(context: &Context<'_>, setting: Setting) -> Result<Vec<super::row::Row>, Error> {
    let bytes = setting.port.run_bytes() / if context.quick { 2 } else { 1 };
    let (mut probe, lanes) = prepare(context, setting, bytes)?;
    let mut rows = Vec::new();
    for use_of in ["first", "repeat"] {
        let before = *probe.bench.machine().link.statistics();
        let measured = probe.run(&lanes, 1000)?;
        let after = *probe.bench.machine().link.statistics();
        let busy = |wire: Wire| {
            let ps = after.of(wire).busy_ps - before.of(wire).busy_ps;
            ps as f64 / 1000.0 / measured.window_ns()
        };
        let conditions = setting
            .conditions()
            .with("use", use_of)
            .with("bytes_per_direction", bytes);
        rows.extend(point(&setting, &measured, conditions, busy).rows());
    }
    Ok(rows)
}

fn point(
    setting: &Setting,
    measured: &Measured,
    conditions: super::row::Conditions,
    busy: impl Fn(Wire) -> f64,
) -> Point {
    let limit = setting.limit();
    let efficiency = measured.efficiency(setting);
    Point::new(NAME, conditions.with("limit_by", limit.by))
        .figure("efficiency", efficiency, "of ceiling")
        .figure("limit", limit.efficiency, "of ceiling")
        .figure("reached", efficiency / limit.efficiency, "of limit")
        .figure("wire_up_busy", busy(Wire::Upstream), "of time")
        .figure("wire_down_busy", busy(Wire::Downstream), "of time")
        .figure("idle_cycles", measured.idle as f64, "cycles")
        .figure("list_wait_cycles", measured.list_wait as f64, "cycles")
        .maybe("limit_of_credits", limit.credits, "of ceiling")
        .maybe("limit_of_tags", limit.tags, "of ceiling")
}
