//! How fast the simulation itself is.

use super::conditions::{PORTS, Setting, direction_name};
use super::efficiency::prepare;
use super::probe::Context;
use super::row::{Point, Row};
use super::{Error, Job};
use crate::scenario::Direction;

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for port in PORTS {
        for direction in [Direction::C2h, Direction::H2c] {
            let setting = Setting::reference(port, direction);
            let label = format!("{} {direction:?}", port.name);
            let bytes = port.run_bytes() / if quick { 4 } else { 1 };
            let job = Job::new("speed", label, 1.0, move |context| {
                measure(context, setting, bytes)
            });
            // What the other cores do costs memory bandwidth.
            jobs.push(job.alone());
        }
    }
    jobs
}

fn measure(context: &Context<'_>, setting: Setting, bytes: u64) -> Result<Vec<Row>, Error> {
    let (mut probe, lanes) = prepare(context, setting, bytes)?;
    let measured = probe.run(&lanes, 1000)?;
    let conditions = super::row::Conditions::default()
        .with("link", setting.port.name)
        .with("width_bits", setting.port.width_bits)
        .with("direction", direction_name(setting.direction))
        .with("bytes", bytes);
    let rate = measured.cycles as f64 / measured.cpu_seconds;
    Ok(Point::new("speed", conditions)
        .figure("rate", rate, "cycles per CPU second")
        .figure("cycles", measured.cycles as f64, "cycles")
        .rows())
}
