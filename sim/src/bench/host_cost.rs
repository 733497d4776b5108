//! What a repeat transfer costs the host: MMIO from the co-simulation, instructions from callgrind.

use std::path::Path;

use pinring_core::Transfer;
use pinring_protocol::Direction as Way;
use serde::Deserialize;

use super::conditions::{Setting, X16};
use super::probe::{Context, Probe, ProbeError, Step};
use super::row::{Conditions, Point, Row};
use super::{Error, Job};
use crate::scenario::Direction;

const NAME: &str = "host-cost";

/// Lengths whose data is moved.
const MOVED: [u64; 3] = [4 << 10, 64 << 10, 1 << 20];

/// Lengths that are only submitted: the host has done all it does by then, but for reaping.
const SUBMITTED: [u64; 2] = [70 << 20, 2 << 30];

pub(super) fn jobs(quick: bool) -> Vec<Job> {
    let moved = MOVED.iter().map(|&length| (length, true));
    let submitted = SUBMITTED.iter().map(|&length| (length, false));
    moved
        .chain(submitted)
        .filter(|(length, _)| !quick || *length <= 70 << 20)
        .map(|(length, is_moved)| {
            let label = format!("{length} bytes");
            Job::new(NAME, label, 1.0, move |context| {
                mmio(context, length, is_moved)
            })
        })
        .collect()
}

fn mmio(context: &Context<'_>, length: u64, is_moved: bool) -> Result<Vec<Row>, Error> {
    let mut scenario = Setting::reference(X16, Direction::C2h).scenario();
    scenario.buffers.count = 1;
    scenario.buffers.bytes = length;
    scenario.burst.transfers = 1;
    scenario.burst.length_bytes = length;
    let mut probe = Probe::new(context, &scenario, 0)?;
    // A count that counts nothing would be 0 below, too.
    if probe.bench.device.platform().os_calls() == 0 {
        let cause = "registering a buffer called no memory manager";
        return Err(ProbeError::Wrong(cause.into()).into());
    }
    let (writes, reads, os_calls) = if is_moved {
        let step = Step {
            region: 0,
            offset: 0,
            length,
        };
        let lanes: Vec<_> = probe.lane(Way::C2h, vec![step]).into_iter().collect();
        probe.run(&lanes, 500)?;
        let before = probe.bench.device.platform().os_calls();
        let repeat = probe.run(&lanes, 500)?;
        let os_calls = probe.bench.device.platform().os_calls() - before;
        (repeat.mmio_writes, repeat.mmio_reads, os_calls)
    } else {
        let transfer = Transfer {
            region: probe.bench.regions[0].1,
            offset: 0,
            length,
            tdest: 0,
            user: 0,
            cookie: 0,
        };
        let os_calls = probe.bench.device.platform().os_calls();
        let machine = probe.bench.machine();
        let before = (machine.mmio_writes, machine.mmio_reads);
        if let Some(queue) = probe.bench.queue(Way::C2h).map(|queue| queue.handle) {
            let submitted = probe.bench.device.submit(queue, &[transfer]);
            submitted.map_err(ProbeError::from)?;
        }
        let os_calls = probe.bench.device.platform().os_calls() - os_calls;
        let machine = probe.bench.machine();
        (
            machine.mmio_writes - before.0,
            machine.mmio_reads - before.1,
            os_calls,
        )
    };
    let conditions = Conditions::default()
        .with("transfer_bytes", length)
        .with("entries_per_doorbell", 1)
        .with("table", "any")
        .with("how", if is_moved { "moved" } else { "submitted" });
    Ok(Point::new(NAME, conditions)
        .figure("mmio_writes", writes as f64, "per transfer")
        .figure("mmio_reads", reads as f64, "per transfer")
        .figure("os_calls", os_calls as f64, "per transfer")
        .rows())
}

/// What the example `submit_cost` of `pinring-core` prints.
#[derive(Deserialize)]
struct Counted {
    cases: Vec<Case>,
}

/// One of its rows.
#[derive(Deserialize)]
struct Case {
    format: String,
    length: u64,
    batch: u64,
    submit: u64,
    reap: u64,
}

/// Instructions per call, from what `submit_cost json` has printed into a file.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn instructions(file: &Path) -> Result<Vec<Row>, Error> {
    let unreadable = |cause: String| Error::Counts {
        file: file.to_path_buf(),
        cause,
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    parse(&text).map_err(|error| unreadable(error.to_string()))
}

fn parse(text: &str) -> Result<Vec<Row>, serde_json::Error> {
    let counted: Counted = serde_json::from_str(text)?;
    let rows = counted.cases.into_iter().flat_map(|case| {
        let conditions = Conditions::default()
            .with("transfer_bytes", case.length)
            .with("entries_per_doorbell", case.batch)
            .with("table", case.format)
            .with("how", "callgrind");
        Point::new(NAME, conditions)
            .figure("submit", case.submit as f64, "instructions per call")
            .figure("reap", case.reap as f64, "instructions per call")
            .rows()
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_rows() {
        let rows = parse(
            r#"{"schema":1,"unit":"x","cases":[{"format":"uniform","length":4096,"batch":1,"submit":361,"reap":329}]}"#,
        )
        .unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| (&row.metric[..], row.value))
            .collect();
        assert_eq!(
            found,
            [("host-cost.submit", 361.0), ("host-cost.reap", 329.0)]
        );
        assert_eq!(rows[0].conditions.get("table"), Some("uniform"));
        assert!(parse("==1== valgrind").is_err());
    }
}
