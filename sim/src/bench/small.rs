//! Short transfers: how many a second on one queue, and how several queues share.

use pinring_protocol::Direction as Way;

use super::conditions::{PORTS, Port, Setting, X16, direction_name};
use super::probe::{Context, Lane, Probe, ProbeError, Step};
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::scenario::Direction;

/// Bytes of a transfer.
const LENGTH: u64 = 4096;

/// Entries per doorbell.
const BATCH: usize = 16;

/// Entries in flight.
const DEPTH: usize = 48;

/// Places of a region that transfers take in turn: more than are in flight.
const PLACES: u64 = 64;

/// Entries in flight of each queue that shares a direction.
const QUEUE_DEPTH: usize = 16;

/// Queues that share a direction.
const QUEUES: usize = 8;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in PORTS {
        for direction in [Direction::C2h, Direction::H2c] {
            if quick && port != X16 {
                continue;
            }
            let label = format!("{} {direction:?}", port.name);
            jobs.push(Job::new("small", label, 3.0, move |context| {
                one_queue(context, port, direction)
            }));
        }
    }
    jobs
}

pub(super) fn queue_jobs(_quick: bool) -> Vec<Job> {
    [Direction::C2h, Direction::H2c]
        .into_iter()
        .map(|direction| {
            let label = format!("{QUEUES} queues {direction:?}");
            Job::new("queues", label, 3.0, move |context| {
                queues(context, direction)
            })
        })
        .collect()
}

fn way(direction: Direction) -> Way {
    match direction {
        Direction::H2c => Way::H2c,
        _ => Way::C2h,
    }
}

/// A machine whose regions have room for all places.
fn machine<'a>(
    context: &Context<'a>,
    port: Port,
    direction: Direction,
    regions: usize,
) -> Result<Probe<'a>, ProbeError> {
    let mut scenario = Setting::reference(port, direction).scenario();
    scenario.buffers.count = regions as u32;
    scenario.buffers.bytes = PLACES * LENGTH;
    // Also the entries of a ring.
    scenario.burst.transfers = 64;
    scenario.burst.length_bytes = LENGTH;
    Probe::new(context, &scenario, 0)
}

fn steps(region: usize, count: u64) -> Vec<Step> {
    (0..count)
        .map(|index| Step {
            region,
            offset: index % PLACES * LENGTH,
            length: LENGTH,
        })
        .collect()
}

fn conditions(port: Port, direction: Direction, transfers: u64) -> Conditions {
    Conditions::default()
        .with("link", port.name)
        .with("direction", direction_name(direction))
        .with("round_trip_ns", 1000)
        .with("transfer_bytes", LENGTH)
        .with("transfers", transfers)
}

fn one_queue(context: &Context<'_>, port: Port, direction: Direction) -> Result<Vec<Row>, Error> {
    let count = if context.quick { 256 } else { 1024 };
    let mut probe = machine(context, port, direction, 1)?;
    let lane = |probe: &Probe<'_>, count| {
        let lane = probe.lane(way(direction), steps(0, count));
        lane.map(|lane| Lane {
            batch: BATCH,
            depth: DEPTH,
            ..lane
        })
    };
    // Once around, so that what can stay on chip is there.
    let around: Vec<_> = lane(&probe, PLACES).into_iter().collect();
    probe.run(&around, 100)?;
    let lanes: Vec<_> = lane(&probe, count).into_iter().collect();
    let measured = probe.run(&lanes, 100)?;
    let rate = measured.transfers as f64 / measured.window_ns() * 1000.0;
    let setting = Setting::reference(port, direction);
    let limit = setting.limit();
    let ceiling = 1000.0 / (setting.ceiling_ns_per_byte() * LENGTH as f64);
    let conditions = conditions(port, direction, count)
        .with("entries_per_doorbell", BATCH)
        .with("in_flight", DEPTH)
        .with("limit_by", limit.by);
    Ok(Point::new("small", conditions)
        .figure("rate", rate, "M/s")
        .figure("limit", limit.efficiency * ceiling, "M/s")
        .figure(
            "firmware_messages",
            measured.per_transfer(measured.messages),
            "per transfer",
        )
        .figure(
            "mmio_writes",
            measured.per_transfer(measured.mmio_writes),
            "per transfer",
        )
        .figure("idle_cycles", measured.idle as f64, "cycles")
        .figure("list_wait_cycles", measured.list_wait as f64, "cycles")
        .rows())
}

fn queues(context: &Context<'_>, direction: Direction) -> Result<Vec<Row>, Error> {
    let each = if context.quick { 96 } else { 320 };
    let mut probe = machine(context, X16, direction, QUEUES)?;
    let way = way(direction);
    // The card's sink tells queues apart by TDEST. Its source offers one packet after the other, and would decide who is next:
    // all queues take from the same TDEST.
    if direction == Direction::H2c {
        probe.bench.machine().streams.tell_apart();
    }
    let mut lanes = Vec::new();
    for index in 0..QUEUES {
        let tdest = if direction == Direction::H2c {
            index as u16
        } else {
            0
        };
        let queue = match probe.bench.queue(way) {
            Some(queue) if index == 0 => queue.clone(),
            _ => probe.add_queue(way, 3 + index as u16, tdest, 64)?,
        };
        lanes.push(Lane {
            queue,
            tdest,
            batch: 4,
            depth: QUEUE_DEPTH,
            steps: steps(index, each),
        });
    }
    let measured = probe.run(&lanes, 100)?;
    // As long as every queue has entries waiting: until one has completed all but what may be in flight. The first ones belong to
    // the queue whose doorbell was first.
    let (mut counts, mut all) = ([0u64; QUEUES], [0u64; QUEUES]);
    for (index, &lane) in measured.ends.iter().enumerate() {
        all[lane] += 1;
        if all[lane] + QUEUE_DEPTH as u64 >= each {
            break;
        }
        counts[lane] += u64::from(index >= QUEUES * QUEUE_DEPTH);
    }
    let total: u64 = counts.iter().sum();
    let mean = total as f64 / QUEUES as f64;
    let off = |count: &u64| (*count as f64 / mean - 1.0).abs();
    let worst = counts.iter().map(off).fold(0.0, f64::max);
    let conditions = conditions(X16, direction, each * QUEUES as u64)
        .with("queues", QUEUES)
        .with("entries_per_doorbell", 4);
    Ok(Point::new("queues", conditions)
        .figure("worst_share_off", worst * 100.0, "%")
        .figure(
            "rate",
            measured.transfers as f64 / measured.window_ns() * 1000.0,
            "M/s",
        )
        .rows())
}
