//! Numbers and tables for people.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table};

/// Widest output in columns of a terminal.
const WIDTH: u16 = 120;

/// With thousands separated: 1,234,567.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time in the unit that suits it: 850 ns, 160.7 µs, 10.7 ms.
pub(super) fn time(ns: u64) -> String {
    let ns_ = ns as f64;
    match ns_ {
        t if t < 999.5 => format!("{ns} ns"),
        t if t < 999_500.0 => format!("{} µs", three(t / 1e3)),
        t if t < 999_500_000.0 => format!("{} ms", three(t / 1e6)),
        t => format!("{} s", three(t / 1e9)),
    }
}

/// Bytes in the unit that suits them, decimal as rates of links are: 4.4 MB.
pub(super) fn bytes(value: u64) -> String {
    match value as f64 {
        b if b < 999.5 => format!("{value} B"),
        b if b < 999_500.0 => format!("{} kB", three(b / 1e3)),
        b if b < 999_500_000.0 => format!("{} MB", three(b / 1e6)),
        b => format!("{} GB", three(b / 1e9)),
    }
}

/// Three significant digits of a number from 1 to 1000, or more before the point.
pub(super) fn three(value: f64) -> String {
    let decimals = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// `value` in words, or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "–".to_string(), show)
}

/// A table: first column to the left, the rest to the right. Ends in a newline.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    aligned(header, rows, CellAlignment::Right)
}

/// A table of words: everything to the left.
pub(super) fn words(header: &[&str], rows: &[Vec<String>]) -> String {
    aligned(header, rows, CellAlignment::Left)
}

fn aligned(header: &[&str], rows: &[Vec<String>], side: CellAlignment) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    if !header.is_empty() {
        table.set_header(
            header
                .iter()
                .map(|title| Cell::new(title).set_alignment(CellAlignment::Center)),
        );
    }
    for row in rows {
        table.add_row(row.iter().enumerate().map(|(column, text)| {
            let side = if column == 0 {
                CellAlignment::Left
            } else {
                side
            };
            Cell::new(text).set_alignment(side)
        }));
    }
    // Names stay whole; numbers and sentences wrap.
    for column in 0..2 {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt() + "\n"
}

/// Sentences on lines of at most the table's width, ending in a newline.
pub(super) fn paragraph(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > usize::from(WIDTH) {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += width;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_three_digits() {
        assert_eq!(time(0), "0 ns");
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(160_700), "161 µs");
        assert_eq!(time(10_650_000), "10.7 ms");
        assert_eq!(time(1_500_000_000), "1.50 s");
        assert_eq!(bytes(4_400_000), "4.40 MB");
        assert_eq!(bytes(70), "70 B");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
