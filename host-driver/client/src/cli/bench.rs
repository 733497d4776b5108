//! `pinring bench`: what each strategy costs, on this machine, measured.

use std::io::Write as _;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::format::{bytes, or_dash, paragraph, table, three, time};
use super::{Run, chart};
use crate::{
    Buffer, Burst, BurstTimes, CommonBuffer, Device, Direction, Error, Permissions, Region,
    Strategy, Tier, Transfer, Transport, pattern,
};

/// What the first bytes of a buffer are set to, so that the device's are seen to arrive.
const POISON: [u8; 8] = [0xa5, 0x5a, 0xc3, 0x3c, 0x96, 0x69, 0xf0, 0x0f];

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Bytes of each transfer; the default is 360 µs of PCIe Gen3 x16
    #[arg(long, default_value_t = 4_400_000)]
    bytes: u64,
    /// Transfers of a burst, each to a buffer of its own
    #[arg(long, default_value_t = 8)]
    transfers: u32,
    /// Bursts of each strategy
    #[arg(long, default_value_t = 20)]
    bursts: u32,
    /// Frames per second, to say what share of a frame's period a burst takes
    #[arg(long, default_value_t = 120.0)]
    fps: f64,
    /// Which way data goes
    #[arg(long, value_enum, default_value_t = Way::C2h)]
    direction: Way,
    /// Strategies, in this order
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Strategy::ALL)]
    strategies: Vec<Strategy>,
    /// TDEST of the stream
    #[arg(long, default_value_t = 0)]
    tdest: u16,
    /// Seed of the pattern that H2C buffers are filled with
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Seconds that a burst may take
    #[arg(long, default_value_t = 10)]
    timeout: u64,
    /// Writes a bar chart: an SVG picture, or a page if the name ends in .html
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Card to host
    C2h,
    /// Host to card
    H2c,
}

/// Nanoseconds over the bursts.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub median: u64,
    pub min: u64,
    pub max: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        Some(Self {
            median: *values.get(values.len() / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

#[derive(Serialize)]
pub(super) struct Report {
    pub bytes: u64,
    pub transfers: u32,
    pub bursts: u32,
    pub fps: f64,
    pub direction: Direction,
    pub strategies: Vec<Measured>,
}

#[derive(Serialize)]
pub(super) struct Measured {
    pub name: Strategy,
    /// Why it could not be run; then the rest is empty.
    pub error: Option<String>,
    pub tier: Option<Tier>,
    /// Registration or allocation of all buffers, once.
    pub registration_ns: Option<u64>,
    /// Set-up that the driver does for each transfer.
    pub setup_ns: Option<Spread>,
    /// The call that submits the burst, or all of them together.
    pub submit_ns: Option<Spread>,
    /// From the burst's begin to the first byte in the application's memory.
    pub first_byte_ns: Option<Spread>,
    /// From the burst's begin to the last byte in the application's memory, reported.
    pub last_ns: Option<Spread>,
    /// Copies of a burst.
    pub copy_ns: Option<Spread>,
    /// Bytes of a burst.
    pub burst_bytes: Option<u64>,
    /// Of the median burst.
    pub gigabytes_per_second: Option<f64>,
    /// Part of a frame's period that the median burst takes; above 1 it misses the frame.
    pub frame_share: Option<f64>,
}

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    ensure!(
        arguments.bytes > 0 && arguments.bytes <= crate::MAX_REGION_BYTES as u64,
        "--bytes {}: give 1 to {}",
        arguments.bytes,
        crate::MAX_REGION_BYTES
    );
    ensure!(
        (1..=4096).contains(&arguments.transfers),
        "--transfers {}: give 1 to 4096",
        arguments.transfers
    );
    ensure!(arguments.bursts > 0, "--bursts 0: give at least 1");
    ensure!(
        arguments.fps.is_finite() && arguments.fps > 0.0,
        "--fps {}: give more than 0",
        arguments.fps
    );
    let device = run.open()?;
    let bar = progress(run, arguments);
    let measured = arguments.strategies.iter().map(|strategy| {
        bar.set_message(strategy.name());
        let measured = measure(&device, *strategy, arguments, &bar);
        measured.unwrap_or_else(|error| Measured::failed(*strategy, &error))
    });
    let report = Report {
        bytes: arguments.bytes,
        transfers: arguments.transfers,
        bursts: arguments.bursts,
        fps: arguments.fps,
        direction: arguments.direction(),
        strategies: measured.collect(),
    };
    bar.finish_and_clear();
    run.print(&report, text)?;
    if let Some(path) = &arguments.chart {
        let picture = match path.extension().is_some_and(|end| end == "html") {
            true => chart::page(&report),
            false => chart::svg(&report),
        };
        let write = || std::fs::File::create(path)?.write_all(picture.as_bytes());
        write().with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report
        .strategies
        .iter()
        .any(|measured| measured.error.is_none()))
}

fn progress(run: &Run<'_, '_>, arguments: &Arguments) -> ProgressBar {
    if !run.host.interactive || run.common.json {
        return ProgressBar::hidden();
    }
    let bursts = u64::from(arguments.bursts) * arguments.strategies.len() as u64;
    let style = ProgressStyle::with_template("{msg:14} {bar:40} {pos}/{len} bursts, {eta} left");
    ProgressBar::new(bursts).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Arguments {
    fn direction(&self) -> Direction {
        match self.direction {
            Way::C2h => Direction::C2h,
            Way::H2c => Direction::H2c,
        }
    }
}

type Opened = Device<Rc<dyn Transport>>;

/// The buffers of one strategy.
enum Buffers {
    Registered(Vec<Region<Rc<dyn Transport>, Buffer>>),
    /// Driver memory, and where its bytes are copied.
    Common(Vec<CommonBuffer<Rc<dyn Transport>>>, Vec<Buffer>),
}

impl Buffers {
    fn make(
        device: &Opened,
        strategy: Strategy,
        arguments: &Arguments,
    ) -> Result<(Self, u64), Error> {
        let permissions = Permissions::from(arguments.direction());
        let direction = arguments.direction();
        let clock = device.transport();
        let mut memory = Vec::new();
        for _ in 0..arguments.transfers {
            let mut buffer = device.buffer(arguments.bytes as usize)?;
            // Every page is written once, so that registration is not charged with making it.
            match direction {
                Direction::C2h => buffer.fill(0),
                Direction::H2c => pattern::fill(&mut buffer, 0, arguments.seed),
            }
            memory.push(buffer);
        }
        let before = clock.now_ns();
        let made = match strategy.tiers() {
            Some(tiers) => {
                let regions = memory
                    .into_iter()
                    .map(|buffer| Ok(device.register(buffer, permissions, tiers)?));
                Self::Registered(regions.collect::<Result<_, Error>>()?)
            }
            None => {
                let regions = memory
                    .iter()
                    .map(|_| device.allocate(arguments.bytes, permissions));
                Self::Common(regions.collect::<Result<_, Error>>()?, memory)
            }
        };
        Ok((made, clock.now_ns().saturating_sub(before)))
    }

    fn transfers(&self, arguments: &Arguments) -> Vec<Transfer> {
        let range = || 0..arguments.bytes;
        let transfers: Vec<_> = match self {
            Self::Registered(regions) => regions
                .iter()
                .map(|region| region.transfer(range()))
                .collect(),
            Self::Common(regions, _) => regions
                .iter()
                .map(|region| region.transfer(range()))
                .collect(),
        };
        let numbered = transfers.into_iter().zip(0..);
        numbered
            .map(|(transfer, index)| transfer.cookie(index).tdest(arguments.tdest))
            .collect()
    }

    fn tier(&self) -> Option<Tier> {
        match self {
            // The weakest of them is what the burst waits for.
            Self::Registered(regions) => regions.iter().map(|region| region.info().tier).max(),
            Self::Common(..) => Some(Tier::CommonBuffer),
        }
    }
}

fn measure(
    device: &Opened,
    strategy: Strategy,
    arguments: &Arguments,
    bar: &ProgressBar,
) -> Result<Measured, Error> {
    // Before memory is made and locked for nothing.
    let limit = device.info().max_transfer_bytes;
    let per_transfer = strategy
        .tiers()
        .is_some_and(|tiers| tiers.first == Tier::PerTransfer);
    if per_transfer && limit > 0 && arguments.bytes > limit {
        return Err(Error::TransferTooLong { limit });
    }
    let (mut buffers, registration_ns) = Buffers::make(device, strategy, arguments)?;
    let transfers = buffers.transfers(arguments);
    let mut bursts = Vec::new();
    for _ in 0..arguments.bursts {
        bursts.push(burst(
            device,
            strategy,
            arguments,
            &mut buffers,
            &transfers,
        )?);
        bar.inc(1);
    }
    let each = |what: fn(&BurstTimes) -> u64| Spread::of(bursts.iter().map(what).collect());
    let last = each(BurstTimes::last_ns);
    let setup = bursts
        .iter()
        .flat_map(|burst| burst.completions.iter().map(|ended| ended.setup_ns));
    let first: Option<Vec<_>> = bursts.iter().map(|burst| burst.first_byte_ns).collect();
    let burst_bytes = bursts.iter().map(BurstTimes::bytes).min();
    let median_ns = last.map(|last| last.median.max(1) as f64);
    Ok(Measured {
        name: strategy,
        error: None,
        tier: buffers.tier(),
        registration_ns: Some(registration_ns),
        setup_ns: Spread::of(setup.collect()),
        submit_ns: each(|burst| burst.submit_ns),
        first_byte_ns: first.and_then(Spread::of),
        last_ns: last,
        copy_ns: each(|burst| burst.copy_ns).filter(|_| strategy == Strategy::CommonBuffer),
        burst_bytes,
        gigabytes_per_second: median_ns
            .zip(burst_bytes)
            .map(|(ns, bytes)| bytes as f64 / ns),
        frame_share: median_ns.map(|ns| ns / 1e9 * arguments.fps),
    })
}

fn burst(
    device: &Opened,
    strategy: Strategy,
    arguments: &Arguments,
    buffers: &mut Buffers,
    transfers: &[Transfer],
) -> Result<BurstTimes, Error> {
    let direction = arguments.direction();
    let burst = Burst::new(strategy, direction, transfers)
        .timeout_ns(arguments.timeout.saturating_mul(1_000_000_000));
    match buffers {
        Buffers::Registered(regions) => {
            let Some(first) = regions.first().filter(|_| direction == Direction::C2h) else {
                return burst.run(device);
            };
            if let Some(head) = first.view_mut()?.get_mut(..POISON.len()) {
                head.copy_from_slice(&POISON);
            }
            let mut arrived = || first.peek(0).is_ok_and(|now| now != POISON);
            burst.arrived(&mut arrived).run(device)
        }
        Buffers::Common(regions, memory) => {
            let mut copy = |index: usize| {
                let pair = regions.get(index).zip(memory.get_mut(index));
                let (region, memory) = pair.ok_or(Error::Burst("a transfer has no buffer"))?;
                let length = arguments.bytes as usize;
                match direction {
                    Direction::C2h => region.copy_out(0, &mut memory[..length]),
                    Direction::H2c => region.copy_in(0, &memory[..length]),
                }
            };
            burst.copy(&mut copy).run(device)
        }
    }
}

impl Measured {
    fn failed(name: Strategy, error: &Error) -> Self {
        Self {
            name,
            error: Some(error.to_string()),
            tier: None,
            registration_ns: None,
            setup_ns: None,
            submit_ns: None,
            first_byte_ns: None,
            last_ns: None,
            copy_ns: None,
            burst_bytes: None,
            gigabytes_per_second: None,
            frame_share: None,
        }
    }
}

const HEADER: [&str; 10] = [
    "strategy",
    "tier",
    "made\nonce",
    "set-up per\ntransfer",
    "submit",
    "first byte",
    "last byte",
    "copies",
    "GB/s",
    "part of\na frame",
];

fn text(report: &Report) -> String {
    let spread = |spread: Option<Spread>| {
        or_dash(spread, |times| {
            let (low, high) = (time(times.min), time(times.max));
            match low == high {
                true => time(times.median),
                false => format!("{}\n{low} to\n{high}", time(times.median)),
            }
        })
    };
    let rows: Vec<_> = report
        .strategies
        .iter()
        .filter(|measured| measured.error.is_none())
        .map(|measured| {
            vec![
                measured.name.to_string(),
                or_dash(measured.tier, |tier| tier.to_string()),
                or_dash(measured.registration_ns, time),
                spread(measured.setup_ns),
                spread(measured.submit_ns),
                spread(measured.first_byte_ns),
                spread(measured.last_ns),
                spread(measured.copy_ns),
                or_dash(measured.gigabytes_per_second, three),
                or_dash(measured.frame_share, |share| {
                    format!("{:.1} %", share * 100.0)
                }),
            ]
        })
        .collect();
    let mut out = format!(
        "{} bursts of {} transfers of {}, {}; a frame at {} Hz lasts {}\n",
        report.bursts,
        report.transfers,
        bytes(report.bytes),
        report.direction,
        report.fps,
        time((1e9 / report.fps) as u64),
    );
    if !rows.is_empty() {
        out += &table(&HEADER, &rows);
        out += LEGEND;
    }
    for measured in &report.strategies {
        if let Some(error) = &measured.error {
            out += &paragraph(&format!("{}: {error}", measured.name));
        }
    }
    out
}

const LEGEND: &str = "\
Median of the bursts, and least to most. Made once: all registrations, or allocations. Times run from the burst's first
action; submit: inside the calls; first byte: the first buffer's first bytes changed (common-buffer: were copied); none
from host to card, which the host cannot see; last byte: the last transfer was reported (and copied). Part of a frame: of
its period.
";
