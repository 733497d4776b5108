//! `pinring watch`.

use anyhow::{Result, ensure};
use pinring_ioctl::Statistics;
use serde::Serialize;

use super::Run;
use super::format::{bytes, count, three};
use crate::Transport;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Seconds between two lines
    #[arg(long, default_value_t = 1.0)]
    interval: f64,
    /// Lines to print; without it, for ever
    #[arg(long)]
    count: Option<u64>,
}

/// Per second, but for what is a state.
#[derive(Serialize)]
struct Rates {
    seconds: f64,
    regions: u64,
    locked_bytes: u64,
    transfers: f64,
    failed: f64,
    aborted: f64,
    c2h_bytes: f64,
    h2c_bytes: f64,
    doorbells: f64,
    interrupts: f64,
    lists: f64,
    /// Mean nanoseconds of a list; none if none was made.
    list_ns: Option<u64>,
    shortages: f64,
    resets: u64,
}

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    ensure!(
        arguments.interval.is_finite() && (0.001..=86_400.0).contains(&arguments.interval),
        "--interval {}: give 0.001 to 86400 seconds",
        arguments.interval
    );
    let device = run.open()?;
    let interval_ns = (arguments.interval * 1e9) as u64;
    let (mut then, mut before) = (device.transport().now_ns(), device.statistics()?);
    if !run.common.json {
        writeln!(
            run.host.out,
            "{:>7} {:>9} {:>10} {:>8} {:>11} {:>11} {:>10} {:>10} {:>8} {:>8}",
            "regions",
            "locked",
            "transfers",
            "ended",
            "C2H",
            "H2C",
            "doorbells",
            "interrupts",
            "lists",
            "each"
        )?;
        writeln!(
            run.host.out,
            "{:>7} {:>9} {:>10} {:>8} {:>11} {:>11} {:>10} {:>10} {:>8} {:>8}",
            "", "", "/s", "badly/s", "GB/s", "GB/s", "/s", "/s", "/s", "µs"
        )?;
    }
    for _ in 0..arguments.count.unwrap_or(u64::MAX) {
        device.transport().sleep(interval_ns);
        let (now, after) = (device.transport().now_ns(), device.statistics()?);
        let rates = rates(&before, &after, now.saturating_sub(then));
        run.print_one(&rates, line)?;
        (then, before) = (now, after);
    }
    Ok(true)
}

fn rates(before: &Statistics, after: &Statistics, ns: u64) -> Rates {
    let seconds = ns.max(1) as f64 / 1e9;
    let since = |counter: fn(&Statistics) -> u64| counter(after).saturating_sub(counter(before));
    let rate = |counter: fn(&Statistics) -> u64| since(counter) as f64 / seconds;
    Rates {
        seconds,
        regions: after.regions,
        locked_bytes: after.locked_bytes,
        transfers: rate(|s| s.transfers),
        failed: rate(|s| s.failed),
        aborted: rate(|s| s.aborted),
        c2h_bytes: rate(|s| s.c2h_bytes),
        h2c_bytes: rate(|s| s.h2c_bytes),
        doorbells: rate(|s| s.doorbells),
        interrupts: rate(|s| s.interrupts),
        lists: rate(|s| s.lists),
        list_ns: since(|s| s.list_ns).checked_div(since(|s| s.lists)),
        shortages: rate(|s| s.shortages),
        resets: since(|s| s.resets),
    }
}

fn line(rates: &Rates) -> String {
    let whole = |rate: f64| count(rate.round() as u64);
    let mut line = format!(
        "{:>7} {:>9} {:>10} {:>8} {:>11} {:>11} {:>10} {:>10} {:>8} {:>8}",
        count(rates.regions),
        bytes(rates.locked_bytes),
        whole(rates.transfers),
        whole(rates.failed + rates.aborted),
        three(rates.c2h_bytes / 1e9),
        three(rates.h2c_bytes / 1e9),
        whole(rates.doorbells),
        whole(rates.interrupts),
        whole(rates.lists),
        rates
            .list_ns
            .map_or("–".to_string(), |ns| three(ns as f64 / 1e3)),
    );
    if rates.resets > 0 {
        line += "  the device was RESET: see the event log";
    }
    if rates.shortages > 0.0 {
        line += "  lists waited for map registers";
    }
    line + "\n"
}
