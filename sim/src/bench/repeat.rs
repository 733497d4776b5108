//! A lone transfer of a buffer that was used before, from 4 KiB to 2 GiB.

use pinring_protocol::Direction as Way;

use super::conditions::{Setting, X16};
use super::probe::{Context, Probe, Step};
use super::row::{Point, Row};
use super::{Error, Job};
use crate::scenario::Direction;

const NAME: &str = "repeat";

/// Lengths of the buffer and of its transfer.
const LENGTHS: [u64; 5] = [4 << 10, 64 << 10, 1 << 20, 70 << 20, 2 << 30];

/// The longest length of a quick run.
const QUICK: u64 = 1 << 20;

/// What the first transfer moves at most: a list that is longer does not stay on chip.
const FIRST: u64 = 8 << 20;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for length in LENGTHS {
        for direction in [Direction::C2h, Direction::H2c] {
            if quick && length > QUICK {
                continue;
            }
            let setting = Setting::reference(X16, direction);
            let label = format!("{length} bytes {direction:?}");
            // Eight times what an efficiency run moves takes eight times as long.
            let weight = 0.3 + length as f64 / X16.run_bytes() as f64;
            jobs.push(Job::new(NAME, label, weight, move |context| {
                measure(context, setting, length)
            }));
        }
    }
    jobs
}

fn measure(context: &Context<'_>, setting: Setting, length: u64) -> Result<Vec<Row>, Error> {
    let mut scenario = setting.scenario();
    scenario.buffers.count = 1;
    scenario.buffers.bytes = length;
    scenario.burst.transfers = 1;
    scenario.burst.length_bytes = length;
    let mut probe = Probe::new(context, &scenario, 0)?;
    let way = match setting.direction {
        Direction::H2c => Way::H2c,
        _ => Way::C2h,
    };
    let lanes = |probe: &Probe<'_>, length| {
        let step = Step {
            region: 0,
            offset: 0,
            length,
        };
        Vec::from_iter(probe.lane(way, vec![step]))
    };
    let first = lanes(&probe, length.min(FIRST));
    probe.run(&first, 500)?;
    let whole = lanes(&probe, length);
    let measured = probe.run(&whole, 500)?;
    let limit = setting.limit();
    let conditions = setting
        .conditions()
        .with("transfer_bytes", length)
        .with("limit_by", limit.by);
    Ok(Point::new(NAME, conditions)
        .figure("time", measured.window_ns() / 1000.0, "us")
        .figure("efficiency", measured.efficiency(&setting), "of ceiling")
        .figure("limit", limit.efficiency, "of ceiling")
        .figure("idle_cycles", measured.idle as f64, "cycles")
        .figure("list_wait_cycles", measured.list_wait as f64, "cycles")
        .rows())
}
