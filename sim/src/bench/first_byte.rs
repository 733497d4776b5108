//! From the doorbell's arrival at the device to the first data TLP.

use pinring_protocol::Direction as Way;

use super::conditions::{PORTS, ROUND_TRIPS, Setting, direction_name};
use super::probe::{Context, Probe, ProbeError, Step};
use super::row::{Point, Row};
use super::{Error, Job};
use crate::scenario::Direction;

const NAME: &str = "first-byte";

/// Bytes of the transfer.
const LENGTH: u64 = 64 << 10;

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
                let label = format!("{} {direction:?} {round_trip_ns} ns", port.name);
                jobs.push(Job::new(NAME, label, 0.3, move |context| {
                    measure(context, setting)
                }));
            }
        }
    }
    jobs
}

fn measure(context: &Context<'_>, setting: Setting) -> Result<Vec<Row>, Error> {
    let mut scenario = setting.scenario();
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
    let lanes: Vec<_> = probe.lane(way, vec![step]).into_iter().collect();
    let period_ps = 1_000_000 / u64::from(scenario.device.clock_mhz);
    let mut rows = Vec::new();
    for state in ["cold", "second use", "resident"] {
        let measured = probe.run(&lanes, 500)?;
        // What the firmware does behind a transfer is over before the next.
        probe.bench.pass(50_000).map_err(ProbeError::from)?;
        // The second use shows whether one use is enough to stay.
        let cycles = |ps: Option<u64>| {
            let (end, begin) = (ps?, measured.doorbell_ps?);
            Some((end.saturating_sub(begin) / period_ps) as f64)
        };
        let conditions = super::row::Conditions::default()
            .with("link", setting.port.name)
            .with("direction", direction_name(setting.direction))
            .with("round_trip_ns", setting.round_trip_ns)
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
