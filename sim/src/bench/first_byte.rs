//! From the arrival of a lone submission at the device to the first data TLP.

use pinring_protocol::Direction as Way;

use super::conditions::{PORTS, ROUND_TRIPS, Setting, direction_name};
use super::probe::{Context, Lane, Probe, ProbeError, Step};
use super::row::{Point, Row};
use super::{Error, Job};
use crate::scenario::{Direction, WriteCombining};

const NAME: &str = "first-byte";

/// Bytes of the transfer.
const LENGTH: u64 = 64 << 10;

/// TDEST of the queue, and entries of its ring.
const TDEST: u16 = 1;
const ENTRIES: u32 = 16;

/// How an entry reaches the device: it reads the entry after a doorbell, or gets a copy with the inline slot's write.
const SUBMISSIONS: [(&str, WriteCombining); 2] = [
    (BY_DOORBELL, WriteCombining::Off),
    (INLINE, WriteCombining::Whole),
];
pub(super) const BY_DOORBELL: &str = "by doorbell";
pub(super) const INLINE: &str = "inline slot";

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in PORTS {
        for round_trip_ns in ROUND_TRIPS {
            for direction in [Direction::C2h, Direction::H2c] {
                let setting = Setting {
                    round_trip_ns,
                    ..Setting::reference(port, direction)
                };
                if quick && round_trip_ns != 1000 {
                    continue;
                }
                for submission in SUBMISSIONS {
                    let name = port.name;
                    let label = format!("{name} {direction:?} {round_trip_ns} ns {}", submission.0);
                    jobs.push(Job::new(NAME, label, 0.3, move |context| {
                        measure(context, setting, submission)
                    }));
                }
            }
        }
    }
    jobs
}

fn measure(
    context: &Context<'_>,
    setting: Setting,
    (submission, write_combining): (&str, WriteCombining),
) -> Result<Vec<Row>, Error> {
    let mut scenario = setting.scenario();
    scenario.host.write_combining = write_combining;
    scenario.buffers.count = 1;
    scenario.buffers.bytes = LENGTH;
    scenario.burst.transfers = 1;
    scenario.burst.length_bytes = LENGTH;
    let mut probe = Probe::new(context, &scenario, 0)?;
    let way = match setting.direction {
        Direction::H2c => Way::H2c,
        _ => Way::C2h,
    };
    let step = Step {
        region: 0,
        offset: 0,
        length: LENGTH,
    };
    // Polled, as a slot's write arms no interrupt.
    let lanes = [Lane {
        queue: probe.add_queue(way, 3, TDEST, ENTRIES)?,
        tdest: TDEST,
        batch: 1,
        depth: 1,
        steps: vec![step],
    }];
    let period_ps = 1_000_000 / u64::from(scenario.device.clock_mhz);
    let mut rows = Vec::new();
    for state in ["cold", "second use", "resident"] {
        // What the firmware does behind an admin command or a transfer is over before the next.
        probe.bench.pass(50_000).map_err(ProbeError::from)?;
        let measured = probe.run(&lanes, 500)?;
        // The second use shows whether one use is enough to stay.
        let cycles = |ps: Option<u64>| {
            let (end, begin) = (ps?, measured.doorbell_ps?);
            Some((end.saturating_sub(begin) / period_ps) as f64)
        };
        let conditions = super::row::Conditions::default()
            .with("link", setting.port.name)
            .with("direction", direction_name(setting.direction))
            .with("round_trip_ns", setting.round_trip_ns)
            .with("entry", submission)
            .with("state", state)
            .with("transfer_bytes", LENGTH);
        let first = match setting.direction {
            Direction::H2c => measured.first_request_ps,
            _ => measured.first_data_ps,
        };
        rows.extend(
            Point::new(NAME, conditions)
                .maybe("first_tlp", cycles(first), "cycles")
                .maybe("first_data", cycles(measured.first_data_ps), "cycles")
                .figure(
                    "firmware_messages",
                    measured.messages as f64,
                    "per transfer",
                )
                .rows(),
        );
    }
    Ok(rows)
}
