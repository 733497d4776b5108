//! Many registered regions, and a random one of them for every transfer.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use pinring_core::{Permissions, Tier, TierPolicy};
use pinring_protocol::Direction as Way;
use pinring_protocol::limits::MAX_REGIONS;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::conditions::{Setting, X16, direction_name};
use super::probe::{Context, Lane, Probe, ProbeError, Step};
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::run::DOMAIN;
use crate::scenario::Direction;

/// Bytes of a region, and of a transfer.
const LENGTH: u64 = 1 << 20;

/// Buffers behind the regions: each region has an entry and a table of its own, but many share their pages, so that 64 GiB of
/// regions fit into this machine.
const BUFFERS: usize = 48;

/// Transfers in flight: fewer than there are buffers, so that none meets another in memory.
const DEPTH: usize = 8;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let counts: &[u32] = if quick {
        &[64, 1024]
    } else {
        &[64, 1024, MAX_REGIONS]
    };
    let mut jobs = Vec::new();
    for &count in counts {
        let weight = 5.0 + f64::from(count) / 1000.0;
        let label = format!("{count} regions");
        jobs.push(Job::new("regions", label, weight, move |context| {
            measure(context, count)
        }));
    }
    jobs
}

fn measure(context: &Context<'_>, count: u32) -> Result<Vec<Row>, Error> {
    // Registering takes longest: both directions on one machine, one after the other.
    let mut scenario = Setting::reference(X16, Direction::Both).scenario();
    scenario.buffers.count = BUFFERS as u32;
    scenario.buffers.bytes = LENGTH;
    scenario.burst.transfers = 16;
    scenario.burst.length_bytes = LENGTH;
    let mut probe = Probe::new(context, &scenario, count)?;
    for index in BUFFERS..count as usize {
        if context.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let buffer = probe.bench.regions[index % BUFFERS].0;
        let policy = TierPolicy {
            first: Tier::Bypass,
            last: Tier::MappedOnce,
        };
        let region = probe
            .bench
            .device
            .register(buffer, Permissions::BOTH, DOMAIN, policy)
            .map_err(|cause| ProbeError::Register { index, cause })?;
        probe.bench.regions.push((buffer, region));
    }
    let mut rows = Vec::new();
    for direction in [Direction::C2h, Direction::H2c] {
        rows.extend(transfers(context, &mut probe, count, direction)?);
    }
    Ok(rows)
}

/// Transfers of one direction.
fn transfers(
    context: &Context<'_>,
    probe: &mut Probe<'_>,
    count: u32,
    direction: Direction,
) -> Result<Vec<Row>, Error> {
    let transfers = if context.quick { 12 } else { 48 };
    let setting = Setting::reference(X16, direction);
    let mut rng = SplitMix64::seed_from_u64(7);
    let mut recent: VecDeque<usize> = VecDeque::new();
    let mut steps = Vec::new();
    while steps.len() < transfers {
        let region = (rng.next_u64() % u64::from(count)) as usize;
        if recent.contains(&(region % BUFFERS)) {
            continue;
        }
        recent.push_back(region % BUFFERS);
        if recent.len() > 2 * DEPTH {
            recent.pop_front();
        }
        steps.push(Step {
            region,
            offset: 0,
            length: LENGTH,
        });
    }
    let way = match direction {
        Direction::H2c => Way::H2c,
        _ => Way::C2h,
    };
    let lane = probe.lane(way, steps).map(|lane| Lane {
        batch: 1,
        depth: DEPTH,
        ..lane
    });
    let lanes: Vec<_> = lane.into_iter().collect();
    let measured = probe.run(&lanes, 250)?;
    let limit = setting.limit();
    let conditions = Conditions::default()
        .with("link", X16.name)
        .with("direction", direction_name(direction))
        .with("round_trip_ns", setting.round_trip_ns)
        .with("regions", count)
        .with("transfer_bytes", LENGTH)
        .with("transfers", transfers)
        .with("limit_by", limit.by);
    Ok(Point::new("regions", conditions)
        .figure("efficiency", measured.efficiency(&setting), "of ceiling")
        .figure("limit", limit.efficiency, "of ceiling")
        .figure("idle_cycles", measured.idle as f64, "cycles")
        .figure("list_wait_cycles", measured.list_wait as f64, "cycles")
        .figure(
            "firmware_messages",
            measured.per_transfer(measured.messages),
            "per transfer",
        )
        .rows())
}
