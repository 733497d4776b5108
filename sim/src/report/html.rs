//! The report as one page that needs nothing from outside.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::format::{count, micros, number, or_dash, percent};
use super::timeline::{self, Timeline};
use super::{Origin, Report, StrategyReport, bars};

/// The page: answer, table, bars, a timeline per strategy, and the stated costs. Everything from outside is escaped.
pub fn html(report: &Report, timelines: &[Timeline]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Pinring co-simulation: " (report.scenario) }
                style { (PreEscaped(include_str!("page.css"))) (PreEscaped(include_str!("picture.css"))) }
            }
            body { main {
                (head(report))
                h2 { "Strategies" }
                (strategies(report))
                h2 { "How long a burst takes" }
                figure { (bars::svg(report)) }
                h2 { "Who does what when" }
                (timelines_section(report, timelines))
                h2 { "What the modelled times are made of" }
                (costs(report))
                (simulation(report))
                @if !report.firmware_log.is_empty() {
                    details {
                        summary { "Firmware log, with the core's cycle counter" }
                        pre { @for line in &report.firmware_log { (line) "\n" } }
                    }
                }
            } }
        }
    };
    page.into_string() + "\n"
}

fn head(report: &Report) -> Markup {
    let link = &report.link;
    let work = &report.workload;
    html! {
        h1 { "Pinring co-simulation: " (report.scenario) }
        @if report.partial {
            p class="partial" {
                "Partial: this run was stopped before its end. What is marked as partial, or missing, was not measured to the end."
            }
        }
        @if !report.description.is_empty() { p { (report.description) } }
        p class="soft" {
            (report.workload_in_words()) " · " (count(work.buffers.into())) " buffers of " (count(work.buffer_bytes)) " bytes · "
            (report.width) " bits at " (report.clock_mhz) " MHz · PCIe Gen" (link.generation) " x" (link.lanes)
            ", MPS " (link.mps_bytes) ", MRRS " (link.mrrs_bytes) " · " (work.cpus) " CPU" @if work.cpus != 1 { "s" }
            " · seed " (report.seed)
        }
        p class="summary" { (report.summary()) }
        (verdict(report))
    }
}

fn verdict(report: &Report) -> Markup {
    let bytes = report
        .strategies
        .iter()
        .map(|s| s.bytes)
        .fold(0, u64::saturating_add);
    let wrong = report
        .strategies
        .iter()
        .map(|s| s.mismatches)
        .fold(0, u64::saturating_add);
    html! {
        @if wrong > 0 {
            p class="bad" { (count(wrong)) " of " (count(bytes)) " bytes arrived wrong." }
        } @else if bytes > 0 {
            p class="good" { "All " (count(bytes)) " bytes were compared with what was sent: 0 mismatches." }
        }
    }
}

fn strategies(report: &Report) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr {
                th { "strategy" }
                th { "set-up per transfer [µs]" }
                th { "first byte [µs]" }
                th { "last completion [µs]" }
                @for rate in &report.workload.frame_rate_hz { th { "part of a " (rate) " Hz frame period [%]" } }
                th { "efficiency [% of link ceiling]" }
                th { "set-up hidden [%]" }
                th { "MMIO writes / reads per transfer" }
                th { "waiting for lists [cycles]" }
                th { "idle data cycles" }
                th { "mismatches [bytes]" }
            } }
            tbody { @for strategy in &report.strategies { (row(strategy, report)) } }
        } }
        p class="soft" {
            "Under each time: its range over the ranges of the stated costs, and whether it was modelled (computed from stated costs) or \
             counted (device cycles, instructions). First byte: from the first doorbell's arrival at the device to the first data TLP. \
             Frame periods, efficiency and set-up hidden follow from these times, so they are modelled + counted; the other columns are \
             counted. Set-up hidden: the part of the set-up of all transfers but the first that passes behind running transfers."
        }
        @for strategy in &report.strategies { (notes(strategy)) }
    }
}

fn row(s: &StrategyReport, report: &Report) -> Markup {
    html! {
        tr {
            td { b { (s.name) } @if !s.complete { small { "partial" } } }
            td { (time(s.setup_ns, &s.times.setup)) }
            td { (time(s.first_byte_ns, &s.times.first_byte)) }
            td { (time(s.burst_ns, &s.times.burst)) }
            @for rate in &report.workload.frame_rate_hz {
                @let share = s.frames.iter().find(|frame| frame.rate_hz == *rate).map(|frame| frame.share);
                td {
                    span class=[share.map(|share| if share > 1.0 { "bad" } else { "good" })] { (or_dash(share, percent)) }
                    @if share.is_some_and(|share| share > 1.0) { small { "does not fit" } }
                }
            }
            td { (or_dash(s.efficiency, percent)) }
            td { (or_dash(s.hidden_setup, percent)) }
            td { (or_dash(s.mmio_writes, number)) " / " (or_dash(s.mmio_reads, number)) }
            td { (count(s.list_wait_cycles)) }
            td { (count(s.idle_data_cycles)) }
            td { span class=(if s.mismatches > 0 { "bad" } else { "good" }) { (count(s.mismatches)) } }
        }
    }
}

fn time(ns: Option<f64>, origin: &Origin) -> Markup {
    html! {
        (or_dash(ns, micros))
        @if ns.is_some() {
            @if let (Some(low), Some(high)) = (origin.low_ns, origin.high_ns) { small { (micros(low)) "–" (micros(high)) } }
            small class="label" { (origin.label) }
        }
    }
}

fn notes(s: &StrategyReport) -> Markup {
    html! {
        @if let Some(deadlines) = &s.deadlines {
            p {
                b { (s.name) } ": deadlines met "
                span class=(if deadlines.missed > 0 { "bad" } else { "good" }) {
                    (count(deadlines.met)) " of " (count(deadlines.met.saturating_add(deadlines.missed)))
                }
                ", longest frame " (micros(deadlines.worst_ns)) " µs."
            }
        }
        @if let Some(faults) = &s.faults {
            p { b { (s.name) } ": " (faults) "." }
        }
        @if let Some(ns) = s.first_data_ns {
            p { b { (s.name) } ": first data " (micros(ns)) " µs after the call (modelled + counted)." }
        }
        @if let Some(ns) = s.not_hidden_ns {
            p { b { (s.name) } ": " (micros(ns)) " µs of the set-up of each transfer after the first are not hidden (modelled + counted)." }
        }
        @if let Some(instructions) = s.instructions {
            p { b { (s.name) } ": " (number(instructions)) " driver instructions per transfer (counted)." }
        }
        @if let Some(ns) = s.registration_ns {
            p { b { (s.name) } ": " (s.registration()) " takes " (micros(ns)) " µs, once (modelled)." }
        }
    }
}

fn timelines_section(report: &Report, timelines: &[Timeline]) -> Markup {
    let all = (0.0, timeline::span_of(timelines.iter()));
    html! {
        p class="soft" {
            "The first burst of each strategy, all on the same time axis. A colour is a transfer: follow it from the CPU that prepares \
             it, over the firmware and the fetches of its list, to its data. The burst is fast where the data lane has no gaps. \
             Rest the pointer on a block for its times."
        }
        @if timelines.is_empty() { p { "No timeline was recorded." } }
        @for line in timelines {
            figure { (timeline::svg(line, report, all, &timeline::heading(line, report))) }
            @if let Some(window) = line.beginning() {
                details {
                    summary { "Closer: from the first host action to the first data" }
                    figure { (timeline::svg(line, report, window, &format!("{}: the beginning", line.strategy))) }
                }
            }
            @if let Some(window) = line.hand_over() {
                details {
                    summary { "Closer: from the first transfer to the second" }
                    figure { (timeline::svg(line, report, window, &format!("{}: from transfer 1 to 2", line.strategy))) }
                }
            }
        }
    }
}

fn costs(report: &Report) -> Markup {
    html! {
        p class="soft" { "These numbers are stated by the scenario, not measured by the simulation. Change them there if yours differ." }
        div class="scroll" { table {
            thead { tr { th { "cost" } th { "value" } th { "range" } th { "source" } } }
            tbody { @for cost in &report.costs {
                tr {
                    td { code { (cost.key) } }
                    td { (number(cost.value)) }
                    td { (number(cost.low)) "–" (number(cost.high)) }
                    td class="words" { (cost.source) }
                }
            } }
        } }
    }
}

fn simulation(report: &Report) -> Markup {
    let sim = &report.sim;
    html! {
        @if sim.cycles > 0 {
            p class="soft" {
                "Simulated " (count(sim.cycles)) " device cycles in " (number(sim.cpu_seconds)) " CPU seconds, "
                (number(sim.cycles_per_cpu_second)) " a second."
            }
        }
    }
}
