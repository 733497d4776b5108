//! The same transfer with LitePCIe's DMA: the same link, host, page list and width.

mod host;
mod litepcie;

use pinring_protocol::Direction as Way;

use self::host::{Host, Plan};
use self::litepcie::LitePcie;
use super::conditions::{PORTS, Setting, direction_name};
use super::probe::{Context, Probe, Step};
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::host::Layout;
use crate::run::submit_instructions;
use crate::scenario::Direction;

const NAME: &str = "peers";

/// Bytes of the transfer: one of the buffers of the workload that started the project.
const BYTES: u64 = 70 << 20;

/// Bytes of the transfer that makes the measured one a repeat.
const BEFORE: u64 = 1 << 20;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in PORTS {
        for direction in [Direction::C2h, Direction::H2c] {
            let setting = Setting::reference(port, direction);
            let bytes = if quick { 4 << 20 } else { BYTES };
            let label = format!("{} {direction:?}", port.name);
            let weight = bytes as f64 / 1e6 * if port.width_bits == 64 { 4.0 } else { 1.0 };
            jobs.push(Job::new(NAME, label, weight, move |context| {
                measure(context, setting, bytes)
            }));
        }
    }
    jobs
}

fn measure(context: &Context<'_>, setting: Setting, bytes: u64) -> Result<Vec<Row>, Error> {
    let (pinring_ns, layout) = pinring(context, setting, bytes)?;
    let conditions = |who: &str| {
        Conditions::default()
            .with("link", setting.port.name)
            .with("width_bits", setting.port.width_bits)
            .with("direction", direction_name(setting.direction))
            .with("round_trip_ns", setting.round_trip_ns)
            .with("transfer_bytes", bytes)
            .with("who", who)
    };
    let costs = setting.scenario().host.costs;
    let submit_ns = costs.instructions_ns(submit_instructions(1)) + host::MMIO_PS as f64 / 1000.0;
    let ceiling_ns = bytes as f64 * setting.ceiling_ns_per_byte();
    let mut rows = Point::new(NAME, conditions("Pinring"))
        .figure("time", pinring_ns / 1000.0, "us")
        .figure("over_ceiling", pinring_ns / ceiling_ns, "of ceiling time")
        .figure("over_pinring", 1.0, "of Pinring's time")
        .figure("mmio_writes", 1.0, "per transfer")
        .figure("cpu_busy", submit_ns / 1000.0, "us")
        .figure("lost", 0.0, "bytes")
        .rows();
    for (who, plan) in [
        ("LitePCIe, descriptors by MMIO", Plan::Mmio),
        ("LitePCIe, resident table and copy", Plan::Ring),
    ] {
        let device = LitePcie::new(context, &setting)?;
        let done = Host::new(device, &setting, plan, &layout, bytes).run(context)?;
        rows.extend(
            Point::new(NAME, conditions(who))
                .figure("time", done.time_ns / 1000.0, "us")
                .figure("over_ceiling", done.time_ns / ceiling_ns, "of ceiling time")
                .figure(
                    "over_pinring",
                    done.time_ns / pinring_ns,
                    "of Pinring's time",
                )
                .figure("mmio_writes", done.mmio_writes as f64, "per transfer")
                .figure("cpu_busy", done.cpu_ns / 1000.0, "us")
                .figure("lost", done.lost as f64, "bytes")
                .rows(),
        );
    }
    Ok(rows)
}

/// Pinring's time from its doorbell to the last completion visible, in nanoseconds, and the pages of the buffer.
fn pinring(context: &Context<'_>, setting: Setting, bytes: u64) -> Result<(f64, Layout), Error> {
    let mut scenario = setting.scenario();
    scenario.buffers.count = 1;
    scenario.buffers.bytes = bytes;
    scenario.burst.transfers = 1;
    scenario.burst.length_bytes = bytes;
    let mut probe = Probe::new(context, &scenario, 0)?;
    let way = match setting.direction {
        Direction::H2c => Way::H2c,
        _ => Way::C2h,
    };
    let lane = |probe: &Probe<'_>, length| {
        let step = Step {
            region: 0,
            offset: 0,
            length,
        };
        probe.lane(way, vec![step]).into_iter().collect::<Vec<_>>()
    };
    let before = lane(&probe, BEFORE.min(bytes));
    probe.run(&before, 1000)?;
    let lanes = lane(&probe, bytes);
    let measured = probe.run(&lanes, 1000)?;
    let buffer = probe.bench.regions[0].0;
    let (_, buffers) = probe.bench.device.platform_mut().memory_and_buffers();
    let layout = buffers.get(buffer).map(|(layout, _)| layout.clone());
    let layout = layout.ok_or_else(|| Error::Peer("the buffer is not locked".into()))?;
    Ok((measured.window_ns(), layout))
}
