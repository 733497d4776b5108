//! Bit-field drawings: rows of 32 bits, the highest on the left, as in the PCIe specification.

use crate::describe::Field;

/// Characters per bit, the border included.
const CELL: usize = 3;

/// A run of bits in one row.
struct Span {
    label: String,
    low: usize,
    high: usize,
}

/// Draws `bits` bits with their fields.
pub(super) fn draw(fields: &[Field], bits: usize) -> String {
    let width = bits.min(32);
    let mut out = format!("       {}\n", ruler(width));
    let mut row = 0;
    let rule = |spans: &[Span]| {
        let mut line = String::from("+");
        for span in spans {
            line += &"-".repeat((span.high - span.low + 1) * CELL - 1);
            line.push('+');
        }
        line
    };
    while row < bits.div_ceil(32) {
        let spans = spans(fields, row, width);
        // One wide field or gap over many rows is drawn once.
        let mut last = row;
        while spans.len() == 1
            && last + 1 < bits.div_ceil(32)
            && owner(fields, last + 1) == owner(fields, row)
        {
            last += 1;
        }
        let range = if last > row + 1 {
            "..".to_owned()
        } else {
            String::new()
        };
        let end = if last > row + 1 { last } else { row };
        out += &format!(
            "       {}\n {:#04x}{}|",
            rule(&spans),
            row * 4,
            if range.is_empty() { "  " } else { ".." }
        );
        for span in &spans {
            out += &centred(&span.label, (span.high - span.low + 1) * CELL - 1);
            out.push('|');
        }
        out.push('\n');
        if end > row {
            out += &format!(" {:#04x}  |{}|\n", end * 4, " ".repeat(width * CELL - 1));
        }
        row = end + 1;
        if row >= bits.div_ceil(32) {
            out += &format!("       {}\n", rule(&spans));
        }
    }
    out
}

/// The bits of a row that fields own, and the gaps between them, from the highest down.
fn spans(fields: &[Field], row: usize, width: usize) -> Vec<Span> {
    let (start, mut spans, mut next) = (row * 32, Vec::new(), 0);
    let gap = |low: usize, high: usize| Span {
        label: "reserved".to_owned(),
        low,
        high,
    };
    for field in fields {
        let (low, end) = (
            field.offset.max(start),
            (field.offset + field.width).min(start + width),
        );
        if low >= end {
            continue;
        }
        if low - start > next {
            spans.push(gap(next, low - start - 1));
        }
        let split =
            field.width > 32 && (field.offset < start || field.offset + field.width > start + 32);
        let label = if split && field.width <= 64 {
            format!(
                "{} [{}:{}]",
                field.name,
                end - field.offset - 1,
                low - field.offset
            )
        } else {
            field.name.to_owned()
        };
        spans.push(Span {
            label,
            low: low - start,
            high: end - start - 1,
        });
        next = end - start;
    }
    if next < width {
        spans.push(gap(next, width - 1));
    }
    spans.reverse();
    spans
}

/// The nested structure (wider than 64 bits) or the gap that fills a row; other rows are only like themselves.
fn owner(fields: &[Field], row: usize) -> (usize, &'static str) {
    let inside =
        |field: &&Field| field.offset < row * 32 + 32 && field.offset + field.width > row * 32;
    match fields.iter().find(inside) {
        None => (0, "reserved"),
        Some(field) if field.width > 64 => (0, field.name),
        Some(field) => (row + 1, field.name),
    }
}

fn ruler(width: usize) -> String {
    (0..width).rev().map(|bit| format!(" {bit:>2}")).collect()
}

/// The label in the middle of `width` characters, cut to fit.
fn centred(label: &str, width: usize) -> String {
    let label: String = label.chars().take(width).collect();
    format!("{label:^width$}")
}
