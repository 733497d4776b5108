//! `pinring selftest`.

use std::fmt;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::Run;
use super::format::{bytes, words};
use crate::{
    Buffer, Device, Direction, Error, Permissions, Region, TierChoice, Transport, pattern,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Bytes of each transfer, a multiple of 4
    #[arg(long, default_value_t = 1 << 20)]
    bytes: u64,
    /// Seed of the demo's pattern, as source and sink have it
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// TDEST of the source's stream
    #[arg(long, default_value_t = 0)]
    tdest: u16,
    /// Seconds that a transfer may take
    #[arg(long, default_value_t = 5)]
    timeout: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Pass,
    Fail,
    /// Not tried, as something before it failed.
    Skip,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        })
    }
}

#[derive(Serialize)]
struct Step {
    step: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Default, Serialize)]
struct Report {
    passed: bool,
    steps: Vec<Step>,
}

impl Report {
    /// Takes a step, unless one that it needs has failed.
    fn step<R>(
        &mut self,
        step: &'static str,
        needed: bool,
        take: impl FnOnce() -> Result<(R, String)>,
    ) -> Option<R> {
        let (verdict, detail, result) = match needed.then(take) {
            None => (
                Verdict::Skip,
                "a step that it needs failed".to_string(),
                None,
            ),
            Some(Ok((result, detail))) => (Verdict::Pass, detail, Some(result)),
            Some(Err(error)) => (Verdict::Fail, format!("{error:#}"), None),
        };
        self.steps.push(Step {
            step,
            verdict,
            detail,
        });
        result
    }
}

/// What a buffer holds before a transfer to it.
const POISON: u8 = 0xa5;

type Opened = Device<Rc<dyn Transport>>;
type Registered = Region<Rc<dyn Transport>, Buffer>;

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    ensure!(
        arguments.bytes >= 8 && arguments.bytes.is_multiple_of(4),
        "--bytes {}: give a multiple of 4, at least 8",
        arguments.bytes
    );
    let mut report = Report::default();
    let device = report.step("open the device", true, || {
        let device = run.open()?;
        let info = device.query()?;
        ensure!(
            info.running != 0,
            "the device does not run: see the event log"
        );
        let clock = info.clock_hz / 1_000_000;
        let detail = format!("{} bits at {clock} MHz", info.data_width_bits);
        Ok((device, detail))
    });
    let opened = || device.as_ref().context("no device");
    let region = report.step("register a buffer", device.is_some(), || {
        let buffer = opened()?.buffer(arguments.bytes as usize)?;
        let region = opened()?.register(buffer, Permissions::Both, TierChoice::best());
        let region = region.map_err(Error::from)?;
        let info = region.info();
        let tier = info.tier;
        let detail = format!("{}, tier {tier}: {}", bytes(info.length), info.reason);
        Ok((region, detail))
    });
    let ready = region.is_some();
    let registered = || region.as_ref().context("no region");
    let c2h = report.step("card to host", ready, || {
        Ok(((), card_to_host(opened()?, registered()?, arguments)?))
    });
    report.step("host to card", ready, || {
        Ok(((), host_to_card(opened()?, registered()?, arguments)?))
    });
    report.step("counters", c2h.is_some(), || {
        let statistics = opened()?.statistics()?;
        ensure!(
            statistics.c2h_bytes > 0,
            "the driver counts no bytes from card to host"
        );
        let detail = format!("{} transfers ended well", statistics.completed);
        Ok(((), detail))
    });
    report.step("unregister", ready, || {
        let limit = arguments.timeout.saturating_mul(1_000_000_000);
        if let Some(region) = region {
            let let_go = region.unregister_within(limit);
            ensure!(
                let_go.is_ok(),
                "the device did not let go of the buffer within {} s: see the event log",
                arguments.timeout
            );
        }
        Ok(((), "the buffer is the application's again".to_string()))
    });
    report.passed = report
        .steps
        .iter()
        .all(|step| step.verdict == Verdict::Pass);
    run.print(&report, text)?;
    Ok(report.passed)
}

fn transfer(
    device: &Opened,
    region: &Registered,
    direction: Direction,
    arguments: &Arguments,
) -> Result<(u64, bool)> {
    let transfer = region.transfer(0..arguments.bytes).tdest(arguments.tdest);
    device.submit(direction, &[transfer])?;
    let limit = arguments.timeout.saturating_mul(1_000_000_000);
    let ended = device.wait(1, Some(limit))?;
    let Some(ended) = ended.first() else {
        region.cancel()?;
        device.wait(1, Some(limit))?;
        let advice = match direction {
            Direction::C2h => "does the source send packets with this TDEST (`--tdest`)?",
            Direction::H2c => "does the sink take its stream?",
        };
        anyhow::bail!("no end after {} s: {advice}", arguments.timeout);
    };
    ended.result?;
    Ok((ended.bytes, ended.end_of_packet))
}

/// Two transfers: the second must go on where the first ended, which a wrong seed or lost bytes would show.
fn card_to_host(device: &Opened, region: &Registered, arguments: &Arguments) -> Result<String> {
    let first = receive(device, region, arguments)?;
    let second = receive(device, region, arguments)?;
    let expected = if first.end {
        0
    } else {
        (first.start + first.bytes) % PERIOD
    };
    ensure!(
        second.start == expected,
        "the second transfer begins at position {} of a packet, not {expected}: give the source's seed (`--seed`); \
         with the right one, bytes were lost between the transfers",
        second.start
    );
    let packet = match first.end || second.end {
        true => ", with the end of a packet",
        false => "",
    };
    Ok(format!(
        "{} from position {} of a packet{packet}, every byte right",
        bytes(first.bytes + second.bytes),
        first.start
    ))
}

/// Bytes after which the pattern repeats.
const PERIOD: u64 = 1 << 34;

struct Received {
    /// Position in the packet.
    start: u64,
    bytes: u64,
    /// It ended with the packet.
    end: bool,
}

fn receive(device: &Opened, region: &Registered, arguments: &Arguments) -> Result<Received> {
    // So that bytes that were not written are seen.
    region.view_mut()?.fill(POISON);
    let (moved, end) = transfer(device, region, Direction::C2h, arguments)?;
    ensure!(
        (4..=arguments.bytes).contains(&moved),
        "{moved} bytes came: let the source send longer packets"
    );
    let view = region.view()?;
    let (found, behind) = view
        .split_at_checked(moved as usize)
        .context("more bytes came than the buffer has")?;
    let start = pattern::position(found, arguments.seed).unwrap_or_default();
    if let Some(at) = pattern::mismatch(found, start, arguments.seed) {
        anyhow::bail!(
            "byte {at} is {:#04x}, not {:#04x}: data was damaged on its way, or does not come from the demo's source",
            found[at],
            pattern::byte(start + at as u64, arguments.seed)
        );
    }
    ensure!(
        behind.iter().all(|byte| *byte == POISON),
        "bytes behind the {moved} that were reported have changed"
    );
    Ok(Received {
        start,
        bytes: moved,
        end,
    })
}

fn host_to_card(device: &Opened, region: &Registered, arguments: &Arguments) -> Result<String> {
    pattern::fill(&mut region.view_mut()?, 0, arguments.seed);
    let (moved, _) = transfer(device, region, Direction::H2c, arguments)?;
    ensure!(
        moved == arguments.bytes,
        "{moved} of {} bytes were moved",
        arguments.bytes
    );
    Ok(format!(
        "{} sent; the sink's own counts say whether they arrived as sent",
        bytes(moved)
    ))
}

fn text(report: &Report) -> String {
    let rows: Vec<_> = report
        .steps
        .iter()
        .map(|step| {
            vec![
                step.step.to_string(),
                step.verdict.to_string(),
                step.detail.clone(),
            ]
        })
        .collect();
    let verdict = match report.passed {
        true => "The device works.",
        false => "The device does NOT work: see the step that failed.",
    };
    words(&["step", "verdict", "what was seen"], &rows) + verdict + "\n"
}
