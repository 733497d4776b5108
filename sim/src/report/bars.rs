//! Burst times side by side, against the link's ceiling and the frame periods.

use maud::{Markup, html};

use super::Report;
use super::format::time;
use super::timeline::{Axis, WIDTH, px};

const LEFT: f64 = 120.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 34.0;
const BAR: f64 = 26.0;
const PITCH: f64 = 40.0;

/// Bars of every strategy that has a burst time, as an SVG element for an HTML page.
pub(super) fn svg(report: &Report) -> Markup {
    let bars: Vec<_> = report
        .strategies
        .iter()
        .filter_map(|s| Some((s, s.burst_ns?)))
        .collect();
    let ceiling = report.link.ceiling_ns;
    let ends = bars
        .iter()
        .map(|(s, ns)| s.times.burst.high_ns.unwrap_or(*ns).max(*ns));
    let longest = ends.fold(ceiling, f64::max);
    // A frame period far beyond every bar would only squeeze them.
    let frames: Vec<_> = report
        .workload
        .frame_rate_hz
        .iter()
        .copied()
        .filter(|rate| 1e9 / rate <= longest * 1.6)
        .collect();
    let right = frames.iter().map(|rate| 1e9 / rate).fold(longest, f64::max);
    let axis = Axis::new((0.0, right * 1.02), LEFT, WIDTH - RIGHT);
    let bottom = TOP + PITCH * bars.len() as f64;
    let height = bottom + 52.0;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label="Time of a burst per strategy" {
            (axis.draw(TOP - 4.0, bottom))
            @for (row, (strategy, ns)) in bars.iter().enumerate() {
                @let y = TOP + PITCH * row as f64 + (PITCH - BAR) / 2.0;
                @let wire = axis.x(ceiling.min(*ns));
                text class="pr-text pr-ink" x=(px(LEFT - 8.0)) y=(px(y + 17.0)) text-anchor="end" { (strategy.name) }
                rect class="pr-wire" x=(px(LEFT)) y=(px(y)) width=(px(wire - LEFT)) height=(px(BAR)) {}
                rect class="pr-loss" x=(px(wire)) y=(px(y)) width=(px(axis.x(*ns) - wire)) height=(px(BAR)) {}
                @if let (Some(low), Some(high)) = (strategy.times.burst.low_ns, strategy.times.burst.high_ns) {
                    line class="pr-mark" x1=(px(axis.x(low))) x2=(px(axis.x(high))) y1=(px(y + 13.0)) y2=(px(y + 13.0)) {}
                    @for end in [low, high] {
                        line class="pr-mark" x1=(px(axis.x(end))) x2=(px(axis.x(end))) y1=(px(y + 8.0)) y2=(px(y + 18.0)) {}
                    }
                }
                text class="pr-text pr-ink" x=(px(WIDTH - RIGHT + 8.0)) y=(px(y + 17.0)) {
                    (time(*ns))
                    @if *ns > ceiling && ceiling > 0.0 { (format!(" (+{:.1} %)", (ns / ceiling - 1.0) * 100.0)) }
                    @if !strategy.complete { " partial" }
                }
            }
            @for rate in frames {
                @let x = px(axis.x(1e9 / rate));
                line class="pr-frame" x1=(x) x2=(x) y1=(px(TOP - 10.0)) y2=(px(bottom)) {}
                text class="pr-text pr-small pr-frame-text" x=(x) y=(px(TOP - 16.0)) text-anchor="middle" {
                    (format!("frame period at {rate} Hz"))
                }
            }
            rect class="pr-wire" x=(px(LEFT)) y=(px(height - 18.0)) width="14" height="14" {}
            text class="pr-text pr-small pr-ink" x=(px(LEFT + 20.0)) y=(px(height - 7.0)) {
                (format!("payload at the link's ceiling: {}", time(ceiling)))
            }
            rect class="pr-loss" x=(px(LEFT + 270.0)) y=(px(height - 18.0)) width="14" height="14" {}
            text class="pr-text pr-small pr-ink" x=(px(LEFT + 290.0)) y=(px(height - 7.0)) {
                "everything else: set-up, interrupts, waiting"
            }
            line class="pr-mark" x1=(px(LEFT + 560.0)) x2=(px(LEFT + 584.0)) y1=(px(height - 11.0)) y2=(px(height - 11.0)) {}
            text class="pr-text pr-small pr-ink" x=(px(LEFT + 590.0)) y=(px(height - 7.0)) {
                "range over the ranges of the stated costs"
            }
        }
    }
}
