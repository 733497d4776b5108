//! The printed table.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::format::{count, micros, number, or_dash, percent};
use super::{Origin, Report, StrategyReport};

/// Widest output in columns of a terminal.
const WIDTH: u16 = 120;

/// The report as text, at most 120 columns wide, ending in a newline.
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(HEADER.map(|title| Cell::new(title).set_alignment(CellAlignment::Center)));
    for strategy in &report.strategies {
        let cells = row(strategy);
        table.add_row(cells.into_iter().enumerate().map(|(column, text)| {
            let side = if column == 0 {
                CellAlignment::Left
            } else {
                CellAlignment::Right
            };
            Cell::new(text).set_alignment(side)
        }));
    }
    let mut out = format!(
        "{}{} · W = {} at {} MHz · Gen{} x{}, MPS {}, MRRS {}\n{}; ceiling of a burst {} µs\n",
        if report.partial {
            "PARTIAL RUN · "
        } else {
            ""
        },
        report.scenario,
        report.width,
        report.clock_mhz,
        report.link.generation,
        report.link.lanes,
        report.link.mps_bytes,
        report.link.mrrs_bytes,
        report.workload_in_words(),
        micros(report.link.ceiling_ns),
    );
    out += &table.trim_fmt();
    out += LEGEND;
    for strategy in &report.strategies {
        out += &notes(strategy);
    }
    out += &report.summary().replace(". ", ".\n");
    if report.sim.cycles > 0 {
        out += &format!(
            "\nsimulated {} device cycles in {} CPU seconds: {} a second",
            count(report.sim.cycles),
            number(report.sim.cpu_seconds),
            number(report.sim.cycles_per_cpu_second),
        );
    }
    out + "\n"
}

const LEGEND: &str = "
Under each time: its range over the ranges of the stated costs, unless left out with --quick. modelled: computed from
stated costs; counted: device cycles and instructions. MMIO accesses, bytes and mismatches are counted; frame periods
and efficiency follow from the times. First byte: from the first doorbell's arrival at the device to the first data
TLP. Efficiency: payload over what the link could carry from the first doorbell to the last completion.
";

const HEADER: [&str; 9] = [
    "strategy",
    "set-up per\ntransfer\n[µs]",
    "first\nbyte\n[µs]",
    "last\ncompletion\n[µs]",
    "part of a\nframe\nperiod [%]",
    "effi-\nciency\n[%]",
    "MMIO wr\n/ rd per\ntransfer",
    "bytes\nmoved",
    "mis-\nmatches\n[bytes]",
];

fn row(s: &StrategyReport) -> [String; 9] {
    let state = if s.complete { "" } else { "\n(partial)" };
    let frames: Vec<_> = s
        .frames
        .iter()
        .map(|frame| format!("{} Hz {}", frame.rate_hz, percent(frame.share)))
        .collect();
    [
        format!("{}{state}", s.name),
        time(s.setup_ns, &s.times.setup),
        time(s.first_byte_ns, &s.times.first_byte),
        time(s.burst_ns, &s.times.burst),
        if frames.is_empty() {
            "–".to_string()
        } else {
            frames.join("\n")
        },
        or_dash(s.efficiency, percent),
        format!(
            "{} / {}",
            or_dash(s.mmio_writes, number),
            or_dash(s.mmio_reads, number)
        ),
        count(s.bytes),
        count(s.mismatches),
    ]
}

fn time(ns: Option<f64>, origin: &Origin) -> String {
    let Some(ns) = ns else {
        return "–".to_string();
    };
    let mut lines = vec![micros(ns)];
    if let (Some(low), Some(high)) = (origin.low_ns, origin.high_ns) {
        lines.push(format!("{}–{}", micros(low), micros(high)));
    }
    lines.push(origin.label.to_string().replace(" + ", "\n+ "));
    lines.join("\n")
}

/// What does not fit into a column.
fn notes(s: &StrategyReport) -> String {
    let mut notes = Vec::new();
    if let Some(hidden) = s.hidden_setup {
        let rest = or_dash(s.not_hidden_ns, micros);
        notes.push(format!(
            "{} % of the set-up after the first transfer is hidden, {rest} µs per transfer is not",
            percent(hidden)
        ));
    }
    if let Some(ns) = s.first_data_ns {
        notes.push(format!("first data {} µs after the call", micros(ns)));
    }
    notes.push(format!(
        "data waited {} cycles for lists; {} idle data cycles",
        count(s.list_wait_cycles),
        count(s.idle_data_cycles)
    ));
    if let Some(instructions) = s.instructions {
        notes.push(format!(
            "{} driver instructions per transfer (counted)",
            number(instructions)
        ));
    }
    if let Some(interrupts) = s.interrupts {
        notes.push(format!(
            "{} interrupts per transfer (counted)",
            number(interrupts)
        ));
    }
    if let Some(ns) = s.completion_ns {
        notes.push(format!(
            "{} µs of CPU time per transfer to learn of its completion (modelled)",
            micros(ns)
        ));
    }
    if let Some(ns) = s.registration_ns {
        let what = s.registration();
        notes.push(format!("{what} once {} µs (modelled)", micros(ns)));
    }
    if let Some(deadlines) = &s.deadlines {
        notes.push(format!(
            "deadlines met {}, missed {}, longest frame {} µs",
            count(deadlines.met),
            count(deadlines.missed),
            micros(deadlines.worst_ns)
        ));
    }
    notes.extend(s.faults.as_ref().map(ToString::to_string));
    notes
        .iter()
        .map(|note| format!("{:13}  {note}\n", s.name))
        .collect()
}
