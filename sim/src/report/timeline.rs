//! Who did what when: lanes of CPUs, firmware, list fetches and data, coloured by transfer.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::Report;
use super::format::{number, time, unit};
use crate::scenario::Strategy;

/// A row of a timeline. The order is the order from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lane {
    /// A CPU of the host, counted from 0.
    Cpu(u32),
    /// The soft core's firmware.
    Firmware,
    /// Reads of scatter/gather blocks.
    SgFetch,
    /// Data, card to host.
    C2hData,
    /// Data, host to card.
    H2cData,
}

impl Lane {
    fn title(self) -> String {
        match self {
            Self::Cpu(index) => format!("CPU {index}"),
            Self::Firmware => "firmware".to_string(),
            Self::SgFetch => "SG fetches".to_string(),
            Self::C2hData => "data to host".to_string(),
            Self::H2cData => "data to card".to_string(),
        }
    }

    fn is_data(self) -> bool {
        matches!(self, Self::C2hData | Self::H2cData)
    }
}

/// A stretch of time on one lane. Neighbours may be as short as one TLP: what a picture cannot show apart is drawn as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Where.
    pub lane: Lane,
    /// Transfer, counted from 0; pictures count from 1. `None`: work for none in particular.
    pub transfer: Option<u32>,
    /// Beginning, in nanoseconds from the first host action of the burst.
    pub start_ns: f64,
    /// End, in nanoseconds from the first host action of the burst.
    pub end_ns: f64,
    /// What it was, as "map", "isr", "fetch block 3".
    pub label: String,
}

/// The first burst of one strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Whose.
    pub strategy: Strategy,
    /// In any order.
    pub spans: Vec<Span>,
}

impl Timeline {
    /// End of the last span, in nanoseconds; 0 without spans.
    pub fn end_ns(&self) -> f64 {
        self.spans
            .iter()
            .map(|span| span.end_ns)
            .fold(0.0, f64::max)
    }

    /// First beginning and last end of the data of `transfer`.
    pub(super) fn data(&self, transfer: u32) -> Option<(f64, f64)> {
        let mut data = self
            .spans
            .iter()
            .filter(|s| s.lane.is_data() && s.transfer == Some(transfer));
        let first = data.next()?;
        Some(
            data.fold((first.start_ns, first.end_ns), |(start, end), span| {
                (start.min(span.start_ns), end.max(span.end_ns))
            }),
        )
    }

    /// From the first host action to a little past the first data.
    pub(super) fn beginning(&self) -> Option<(f64, f64)> {
        let (start, _) = self.data(0)?;
        Some((0.0, start * 1.25 + 2_000.0))
    }

    /// Around the end of the first transfer's data and the beginning of the second's.
    pub(super) fn hand_over(&self) -> Option<(f64, f64)> {
        let (_, end) = self.data(0)?;
        let (start, _) = self.data(1)?;
        let (from, to) = (end.min(start), end.max(start));
        let margin = 5_000.0 + (to - from) * 0.3;
        Some(((from - margin).max(0.0), to + margin))
    }
}

/// Fill and ink of transfers, in turn. Middle tones, to be read on white and on black.
const COLOURS: [(&str, &str); 8] = [
    ("#4e79a7", "#ffffff"),
    ("#f28e2b", "#1f2328"),
    ("#59a14f", "#ffffff"),
    ("#e15759", "#ffffff"),
    ("#b07aa1", "#1f2328"),
    ("#76b7b2", "#1f2328"),
    ("#edc948", "#1f2328"),
    ("#9c755f", "#ffffff"),
];
const NO_TRANSFER: (&str, &str) = ("#8b949e", "#1f2328");

fn colour(transfer: Option<u32>) -> (&'static str, &'static str) {
    transfer.map_or(NO_TRANSFER, |index| COLOURS[index as usize % COLOURS.len()])
}

// Layout in user units; a picture is 1080 wide.
pub(super) const WIDTH: f64 = 1080.0;
const LEFT: f64 = 104.0;
const RIGHT: f64 = 16.0;
const LANE: f64 = 24.0;
const PITCH: f64 = 28.0;
const HEAD: f64 = 62.0;
const AXIS: f64 = 30.0;
const LEGEND: f64 = 28.0;
/// Gaps narrower than this are not drawn.
const SEAM: f64 = 0.5;
/// Nothing is drawn narrower than this.
const THIN: f64 = 1.2;

/// A mapping of time to places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    from_ns: f64,
    to_ns: f64,
    left: f64,
    right: f64,
}

impl Axis {
    /// An axis from `left` to `right` for the times of `window`, which may be empty.
    pub(super) fn new(window: (f64, f64), left: f64, right: f64) -> Self {
        let (from_ns, to_ns) = window;
        // An empty window would divide by nothing.
        Self {
            from_ns,
            to_ns: to_ns.max(from_ns + 1.0),
            left,
            right,
        }
    }

    pub(super) fn x(&self, ns: f64) -> f64 {
        self.left + (ns - self.from_ns) / (self.to_ns - self.from_ns) * (self.right - self.left)
    }

    fn shows(&self, ns: f64) -> bool {
        (self.from_ns..=self.to_ns).contains(&ns)
    }

    /// Round times, about eight of them.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let rough = (self.to_ns - self.from_ns) / 8.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|&step| step >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.from_ns / step).ceil() as i64;
        let last = (self.to_ns / step).floor() as i64;
        (first..=last).map(|index| index as f64 * step).collect()
    }

    /// Grid lines from `top` to `bottom` with their times below, all in one unit.
    pub(super) fn draw(&self, top: f64, bottom: f64) -> Markup {
        let (scale, unit) = unit(self.to_ns);
        let ticks = self.ticks();
        // A narrow window far from 0 needs more digits than its times' size suggests.
        let step = ticks
            .get(1)
            .zip(ticks.first())
            .map_or(1.0, |(b, a)| (b - a) / scale);
        let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
        html! {
            @for at in ticks {
                line class="pr-grid" x1=(px(self.x(at))) x2=(px(self.x(at))) y1=(px(top)) y2=(px(bottom)) {}
                text class="pr-text pr-small pr-soft" x=(px(self.x(at))) y=(px(bottom + 16.0)) text-anchor="middle" {
                    (format!("{:.*} {unit}", decimals, at / scale))
                }
            }
        }
    }
}

pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// One timeline over `window`, as an SVG element for an HTML page.
pub(super) fn svg(timeline: &Timeline, report: &Report, window: (f64, f64), title: &str) -> Markup {
    let lanes = lanes(&[timeline], report);
    let height = HEAD + PITCH * lanes.len() as f64 + AXIS + LEGEND;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label=(title) {
            (picture(timeline, report, &lanes, window, title, 0.0))
            (legend(report, height - LEGEND))
        }
    }
}

/// Timelines below each other on one time axis, as a file of its own (for a README). Follows the reader's light or dark theme.
pub fn timelines_svg(report: &Report, timelines: &[&Timeline]) -> String {
    let lanes = lanes(timelines, report);
    let each = HEAD + PITCH * lanes.len() as f64 + AXIS;
    let height = each * timelines.len() as f64 + LEGEND;
    let window = (0.0, span_of(timelines.iter().copied()));
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {height:.0}"))
            width=(WIDTH) height=(format!("{height:.0}")) role="img" {
            title { (format!("Timelines of {}", report.scenario)) }
            style { (maud::PreEscaped(include_str!("picture.css"))) }
            rect class="pr-back" width=(WIDTH) height=(format!("{height:.0}")) {}
            @for (index, timeline) in timelines.iter().enumerate() {
                (picture(timeline, report, &lanes, window, &heading(timeline, report), each * index as f64))
            }
            (legend(report, height - LEGEND))
        }
    };
    markup.into_string() + "\n"
}

/// Time that all of `timelines` fit into, with a little air, in nanoseconds.
pub(super) fn span_of<'a>(timelines: impl Iterator<Item = &'a Timeline>) -> f64 {
    timelines.map(Timeline::end_ns).fold(0.0, f64::max) * 1.04
}

/// "registered · set-up 412 ns per transfer · last completion after 10.7 ms".
pub(super) fn heading(timeline: &Timeline, report: &Report) -> String {
    let mut words = vec![timeline.strategy.to_string()];
    if let Some(found) = report.strategy(timeline.strategy) {
        if !found.complete {
            words.push("(partial)".to_string());
        }
        if let Some(ns) = found.setup_ns {
            words.push(format!("· set-up {} per transfer", time(ns)));
        }
        if let Some(ns) = found.burst_ns {
            words.push(format!("· last completion after {}", time(ns)));
        }
    }
    words.join(" ")
}

/// Every lane that one of `timelines` uses, and all of the host's CPUs, so that pictures compare.
fn lanes(timelines: &[&Timeline], report: &Report) -> Vec<Lane> {
    let used = timelines
        .iter()
        .flat_map(|timeline| timeline.spans.iter().map(|span| span.lane));
    // A big host's idle CPUs are left out.
    let mut lanes: Vec<_> = used
        .chain((0..report.workload.cpus.min(4)).map(Lane::Cpu))
        .collect();
    lanes.sort();
    lanes.dedup();
    lanes
}

fn picture(
    timeline: &Timeline,
    report: &Report,
    lanes: &[Lane],
    window: (f64, f64),
    title: &str,
    top: f64,
) -> Markup {
    let axis = Axis::new(window, LEFT, WIDTH - RIGHT);
    let bottom = top + HEAD + PITCH * lanes.len() as f64;
    let done = report
        .strategy(timeline.strategy)
        .and_then(|found| found.transfer_done_ns.last().copied());
    html! {
        text class="pr-text pr-title pr-ink" x="4" y=(px(top + 17.0)) { (title) }
        @for (row, lane) in lanes.iter().enumerate() {
            @let y = top + HEAD + PITCH * row as f64;
            rect class="pr-lane" x=(px(LEFT)) y=(px(y)) width=(px(WIDTH - LEFT - RIGHT)) height=(px(LANE)) {}
            text class="pr-text pr-ink" x=(px(LEFT - 8.0)) y=(px(y + 16.0)) text-anchor="end" { (lane.title()) }
        }
        (axis.draw(top + HEAD - 2.0, bottom))
        @for (row, lane) in lanes.iter().enumerate() {
            @let y = top + HEAD + PITCH * row as f64;
            @for block in blocks(timeline, *lane, &axis) { (block.draw(y)) }
        }
        @for rate in &report.workload.frame_rate_hz {
            @if axis.shows(1e9 / rate) {
                @let x = px(axis.x(1e9 / rate));
                line class="pr-frame" x1=(x) x2=(x) y1=(px(top + HEAD - 20.0)) y2=(px(bottom)) {}
                text class="pr-text pr-small pr-frame-text" x=(x) y=(px(top + HEAD - 24.0)) text-anchor="middle" {
                    (format!("frame period at {rate} Hz"))
                }
            }
        }
        @if let Some(done) = done.filter(|&done| axis.shows(done)) {
            @let x = px(axis.x(done));
            line class="pr-mark" x1=(x) x2=(x) y1=(px(top + HEAD - 8.0)) y2=(px(bottom)) {}
            text class="pr-text pr-small pr-ink" x=(x) y=(px(top + HEAD - 8.0)) text-anchor="end" { "all done " (time(done)) "\u{a0}" }
        }
    }
}

fn legend(report: &Report, top: f64) -> Markup {
    let transfers = report.workload.transfers;
    let shown = transfers.min(COLOURS.len() as u32);
    html! {
        text class="pr-text pr-small pr-soft" x=(px(LEFT)) y=(px(top + 14.0)) { "transfer" }
        @for index in 0..shown {
            @let x = LEFT + 56.0 + 44.0 * f64::from(index);
            rect x=(px(x)) y=(px(top + 3.0)) width="14" height="14" rx="2" fill=(colour(Some(index)).0) {}
            text class="pr-text pr-small pr-ink" x=(px(x + 19.0)) y=(px(top + 14.0)) { (index + 1) }
        }
        @let after = LEFT + 56.0 + 44.0 * f64::from(shown);
        @if transfers > shown {
            text class="pr-text pr-small pr-soft" x=(px(after)) y=(px(top + 14.0)) {
                (format!("and so on to {transfers}, colours in turn"))
            }
        }
        rect x=(px(WIDTH - RIGHT - 130.0)) y=(px(top + 3.0)) width="14" height="14" rx="2" fill=(NO_TRANSFER.0) {}
        text class="pr-text pr-small pr-ink" x=(px(WIDTH - RIGHT - 111.0)) y=(px(top + 14.0)) { "no transfer of its own" }
    }
}

/// Spans of one lane and transfer that touch each other at the picture's resolution.
#[derive(Debug, PartialEq)]
struct Block {
    left: f64,
    right: f64,
    transfer: Option<u32>,
    start_ns: f64,
    end_ns: f64,
    label: String,
    spans: usize,
}

/// What is drawn on `lane`, from left to right.
fn blocks(timeline: &Timeline, lane: Lane, axis: &Axis) -> Vec<Block> {
    let mut spans: Vec<_> = timeline
        .spans
        .iter()
        .filter(|s| s.lane == lane && s.end_ns >= axis.from_ns && s.start_ns <= axis.to_ns)
        .collect();
    spans.sort_by(|a, b| a.start_ns.total_cmp(&b.start_ns));
    let mut blocks: Vec<Block> = Vec::new();
    for span in spans {
        let left = axis.x(span.start_ns).max(axis.left);
        let right = axis.x(span.end_ns).min(axis.right);
        match blocks.last_mut() {
            Some(last) if last.transfer == span.transfer && left - last.right < SEAM => {
                last.right = last.right.max(right);
                last.end_ns = last.end_ns.max(span.end_ns);
                last.spans += 1;
                if last.label != span.label {
                    last.label = format!("{}, …", last.label.trim_end_matches(", …"));
                }
            }
            _ => blocks.push(Block {
                left,
                right,
                transfer: span.transfer,
                start_ns: span.start_ns,
                end_ns: span.end_ns,
                label: span.label.clone(),
                spans: 1,
            }),
        }
    }
    blocks
}

impl Block {
    fn draw(&self, y: f64) -> Markup {
        let (fill, ink) = colour(self.transfer);
        let width = (self.right - self.left).max(THIN);
        let number_text = self.transfer.map(|index| (index + 1).to_string());
        // About 6.5 units a character of the small text.
        let fits = |text: &str| text.chars().count() as f64 * 6.5 + 4.0 <= width;
        let long = match &number_text {
            Some(number) => format!("{number} {}", self.label),
            None => self.label.clone(),
        };
        let text = [Some(long), number_text]
            .into_iter()
            .flatten()
            .find(|text| fits(text));
        html! {
            g {
                title { (self.words()) }
                rect x=(px(self.left)) y=(px(y + 1.0)) width=(px(width)) height=(px(LANE - 2.0)) fill=(fill)
                    rx=(if width > 6.0 { "2" } else { "0" }) {}
                @if let Some(text) = text {
                    text class="pr-text pr-small" x=(px(self.left + width / 2.0)) y=(px(y + 16.0)) text-anchor="middle" fill=(ink) {
                        (text)
                    }
                }
            }
        }
    }

    /// What a pointer that rests on it is told.
    fn words(&self) -> String {
        let transfer = self
            .transfer
            .map_or(String::new(), |index| format!("transfer {}: ", index + 1));
        let many = if self.spans > 1 {
            format!(" ({} stretches)", self.spans)
        } else {
            String::new()
        };
        format!(
            "{transfer}{}{many}, from {} µs to {} µs",
            self.label,
            number(self.start_ns / 1e3),
            number(self.end_ns / 1e3),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(transfer: u32, start_ns: f64, end_ns: f64) -> Span {
        Span {
            lane: Lane::C2hData,
            transfer: Some(transfer),
            start_ns,
            end_ns,
            label: "data".to_string(),
        }
    }

    fn timeline(spans: Vec<Span>) -> Timeline {
        Timeline {
            strategy: Strategy::Registered,
            spans,
        }
    }

    #[test]
    fn what_cannot_be_seen_apart_is_one_block() {
        let axis = Axis::new((0.0, 1000.0), 0.0, 100.0);
        let spans = vec![
            span(0, 10.0, 12.0),
            span(0, 0.0, 8.0),
            span(0, 100.0, 110.0),
            span(1, 110.0, 120.0),
        ];
        let blocks = blocks(&timeline(spans), Lane::C2hData, &axis);
        let places: Vec<_> = blocks
            .iter()
            .map(|b| (b.transfer, b.left, b.right, b.spans))
            .collect();
        assert_eq!(
            places,
            [
                (Some(0), 0.0, 1.2, 2),
                (Some(0), 10.0, 11.0, 1),
                (Some(1), 11.0, 12.0, 1)
            ]
        );
    }

    #[test]
    fn blocks_are_cut_at_the_window() {
        let axis = Axis::new((100.0, 200.0), 0.0, 100.0);
        let spans = vec![
            span(0, 0.0, 50.0),
            span(1, 50.0, 150.0),
            span(2, 190.0, 300.0),
            span(3, 250.0, 300.0),
        ];
        let blocks = blocks(&timeline(spans), Lane::C2hData, &axis);
        let places: Vec<_> = blocks
            .iter()
            .map(|b| (b.transfer, b.left, b.right))
            .collect();
        assert_eq!(places, [(Some(1), 0.0, 50.0), (Some(2), 90.0, 100.0)]);
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (window, expected) in [
            ((0.0, 12e6), vec![0.0, 2e6, 4e6, 6e6, 8e6, 10e6, 12e6]),
            (
                (1.31e6, 1.35e6),
                vec![
                    1.31e6, 1.315e6, 1.32e6, 1.325e6, 1.33e6, 1.335e6, 1.34e6, 1.345e6, 1.35e6,
                ],
            ),
        ] {
            assert_eq!(Axis::new(window, 0.0, 1.0).ticks(), expected);
        }
        assert!(Axis::new((5.0, 5.0), 0.0, 1.0).ticks().len() < 12);
    }

    #[test]
    fn zooms_show_the_beginning_and_the_hand_over() {
        let timeline = timeline(vec![
            span(1, 30_000.0, 50_000.0),
            span(0, 8_000.0, 20_000.0),
        ]);
        assert_eq!(timeline.beginning(), Some((0.0, 12_000.0)));
        assert_eq!(timeline.hand_over(), Some((12_000.0, 38_000.0)));
    }
}
