//! A made-up run, close to what the default burst gives at Gen3 x4, for tests of the outputs.

use super::{Deadlines, Label, Lane, Origin, Report, SimReport, Span, StrategyReport, Timeline};
use crate::scenario::{Scenario, Strategy};

const TRANSFERS: u32 = 8;
/// Transfer of 4.4 MB at the ceiling of Gen3 x4.
const WIRE_NS: f64 = 1_324_000.0;
const INTERRUPT_NS: f64 = 1_000.0;

/// The report and its timelines.
pub(crate) fn sample() -> (Report, Vec<Timeline>) {
    let scenario = Scenario {
        name: "default".to_string(),
        ..Scenario::gen3_x4()
    };
    let mut report = Report::new(&scenario, WIRE_NS * f64::from(TRANSFERS));
    let timelines: Vec<_> = Strategy::ALL.map(timeline).into_iter().collect();
    for timeline in &timelines {
        report.add(results(timeline, report.link.ceiling_ns));
    }
    report.sim = SimReport::new(21_345_678, 52.5);
    (report, timelines)
}

fn setup_ns(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::PerTransfer | Strategy::PrepareAhead => 160_650.0,
        Strategy::Registered | Strategy::CommonBuffer => 412.0,
    }
}

fn results(timeline: &Timeline, ceiling_ns: f64) -> StrategyReport {
    let name = timeline.strategy;
    let setup = setup_ns(name);
    let burst_ns = timeline.end_ns();
    let mapped = matches!(name, Strategy::PerTransfer | Strategy::PrepareAhead);
    let range = |ns: f64, label| Origin {
        label,
        low_ns: Some(ns * 0.8),
        high_ns: Some(ns * 1.3),
    };
    let burst = Origin {
        label: Label::Both,
        low_ns: Some(burst_ns * 0.97),
        high_ns: Some(burst_ns * 1.05),
    };
    let mut result = StrategyReport::new(name);
    result.complete = true;
    result.setup_ns = Some(setup);
    result.first_byte_ns = Some(setup + 2_300.0);
    result.burst_ns = Some(burst_ns);
    result.efficiency = Some(ceiling_ns / burst_ns);
    result.mmio_writes = Some(if mapped { 1.0 } else { 0.125 });
    result.mmio_reads = Some(0.0);
    result.interrupts = Some(1.0);
    result.completion_ns = Some(3_120.0);
    result.bytes = 35_200_000;
    result.completions = 8;
    result.times.setup = range(setup, if mapped { Label::Modelled } else { Label::Both });
    result.times.first_byte = range(setup + 2_300.0, Label::Both);
    result.times.burst = burst;
    result.hidden_setup = match name {
        Strategy::PerTransfer => Some(0.0),
        Strategy::PrepareAhead => Some(0.994),
        _ => None,
    };
    if name == Strategy::Registered {
        result.instructions = Some(918.0);
        result.registration_ns = Some(1.7e8);
        result.deadlines = Some(Deadlines {
            met: 3,
            missed: 1,
            worst_ns: 10.7e6,
        });
    }
    let done = |i| timeline.data(i).map_or(0.0, |(_, end)| end + INTERRUPT_NS);
    result.transfer_done_ns = (1..TRANSFERS)
        .map(|i| done(i - 1))
        .chain([burst_ns])
        .collect();
    result
}

/// Work on one transfer's way, as a runner would record it.
fn timeline(strategy: Strategy) -> Timeline {
    let setup = setup_ns(strategy);
    let (mut cpu, mut link) = (0.0_f64, 0.0_f64);
    let mut spans = Vec::new();
    for transfer in 0..TRANSFERS {
        let mut add = |lane, start_ns: f64, end_ns: f64, label: &str| {
            let (transfer, label) = (Some(transfer), label.to_string());
            spans.push(Span {
                lane,
                transfer,
                start_ns,
                end_ns,
                label,
            });
        };
        if strategy == Strategy::PerTransfer {
            cpu = cpu.max(link);
        }
        let prepare = if strategy == Strategy::PrepareAhead && transfer > 0 {
            1
        } else {
            0
        };
        add(Lane::Cpu(prepare), cpu, cpu + setup, "map");
        cpu += setup;
        add(Lane::Firmware, cpu + 500.0, cpu + 2_000.0, "fill");
        let start = (cpu + 2_300.0).max(link + 20.0);
        for block in 0..34 {
            let at = start - 700.0 + WIRE_NS / 34.0 * f64::from(block);
            add(
                Lane::SgFetch,
                at,
                at + 650.0,
                &format!("fetch block {block}"),
            );
        }
        for stretch in 0..50 {
            let part = WIRE_NS * 1.01 / 50.0;
            let at = start + part * f64::from(stretch);
            add(Lane::C2hData, at, at + part, "data");
        }
        link = start + WIRE_NS * 1.01;
        add(Lane::Cpu(0), link + 1_000.0, link + 1_500.0, "isr");
        add(Lane::Cpu(0), link + 2_500.0, link + 4_000.0, "dpc");
        if strategy == Strategy::CommonBuffer {
            let copied = link + 5_000.0 + 366_667.0;
            add(Lane::Cpu(0), link + 5_000.0, copied, "copy");
        }
        if strategy == Strategy::PerTransfer {
            link += 6_000.0;
        }
    }
    spans.push(Span {
        lane: Lane::Cpu(0),
        transfer: None,
        start_ns: link + 7_000.0,
        end_ns: link + 12_000.0,
        label: "wake application".to_string(),
    });
    Timeline { strategy, spans }
}
