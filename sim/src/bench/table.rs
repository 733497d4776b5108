//! Figures side by side: one line per set of conditions, one column per condition that changes and per figure.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::{Measurement, Row};

/// Columns of a terminal.
const WIDTH: u16 = 160;

/// Figures of one measurement.
pub(super) struct Pivot<'a> {
    /// Conditions that are the same everywhere.
    pub constant: Vec<(&'a str, &'a str)>,
    /// Names of the others.
    pub columns: Vec<&'a str>,
    /// Names and units of the figures.
    pub figures: Vec<(&'a str, &'a str)>,
    /// Values of both.
    pub lines: Vec<(Vec<&'a str>, Vec<Option<f64>>)>,
}

impl<'a> Pivot<'a> {
    /// The rows of a measurement.
    pub fn new(rows: &'a [Row], measurement: &str) -> Self {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| row.measurement() == measurement)
            .collect();
        let mut names: Vec<&str> = Vec::new();
        let mut figures: Vec<(&str, &str)> = Vec::new();
        let mut groups: Vec<(&super::Conditions, Vec<&Row>)> = Vec::new();
        for &row in &rows {
            for (name, _) in &row.conditions.0 {
                if !names.contains(&name.as_ref()) {
                    names.push(name);
                }
            }
            if !figures.contains(&(row.figure(), &row.unit)) {
                figures.push((row.figure(), &row.unit));
            }
            match groups
                .iter_mut()
                .find(|(conditions, _)| **conditions == row.conditions)
            {
                Some((_, group)) => group.push(row),
                None => groups.push((&row.conditions, vec![row])),
            }
        }
        let value =
            |conditions: &'a super::Conditions, name: &str| conditions.get(name).unwrap_or("");
        let (mut constant, mut columns) = (Vec::new(), Vec::new());
        for name in names {
            let mut values = groups.iter().map(|(conditions, _)| value(conditions, name));
            let first = values.next().unwrap_or("");
            if values.all(|other| other == first) {
                constant.push((name, first));
            } else {
                columns.push(name);
            }
        }
        let lines = groups
            .iter()
            .map(|(conditions, group)| {
                let cells = columns.iter().map(|name| value(conditions, name)).collect();
                let found = |(figure, unit): &(&str, &str)| {
                    let row = group
                        .iter()
                        .find(|row| row.figure() == *figure && row.unit == *unit);
                    row.map(|row| row.value)
                };
                (cells, figures.iter().map(found).collect())
            })
            .collect();
        Self {
            constant,
            columns,
            figures,
            lines,
        }
    }

    /// The conditions that are the same everywhere, in words.
    pub fn constant_in_words(&self) -> String {
        let words: Vec<_> = self
            .constant
            .iter()
            .map(|(name, value)| format!("{} {value}", words(name)))
            .collect();
        words.join(", ")
    }

    /// Titles of all columns.
    pub fn titles(&self) -> impl Iterator<Item = String> + '_ {
        let conditions = self.columns.iter().map(|name| words(name));
        let figures = self
            .figures
            .iter()
            .map(|(name, unit)| match name.ends_with(*unit) {
                true => words(name),
                false => format!("{}, {unit}", words(name)),
            });
        conditions.chain(figures)
    }
}

/// A name as people write it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Three or four digits that count.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        return format!("{value:.0}");
    }
    let decimals = match value.abs() {
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// Heading and figures of a measurement; nothing if it has none.
pub fn table(measurement: &Measurement, rows: &[Row]) -> Option<String> {
    let pivot = Pivot::new(rows, measurement.name);
    if pivot.lines.is_empty() {
        return None;
    }
    let mut table = Table::new();
    let head = pivot
        .titles()
        .map(|title| Cell::new(title).set_alignment(CellAlignment::Center));
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(head);
    for (conditions, values) in &pivot.lines {
        let left = conditions.iter().map(Cell::new);
        let right = values.iter().map(|value| {
            let text = value.map_or_else(|| "-".to_string(), number);
            Cell::new(text).set_alignment(CellAlignment::Right)
        });
        table.add_row(left.chain(right));
    }
    let constant = match pivot.constant_in_words() {
        text if text.is_empty() => text,
        text => format!("{text}\n"),
    };
    Some(format!(
        "\n{} ({})\n{constant}{}\n",
        measurement.title,
        measurement.name,
        table.trim_fmt()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::row::Point;
    use super::*;
    use crate::bench::Conditions;

    #[test]
    fn what_never_changes_is_said_once() {
        let rows: Vec<Row> = [("1", 0.5), ("2", 0.25)]
            .into_iter()
            .flat_map(|(trip, value)| {
                let conditions = Conditions::default()
                    .with("link", "x8")
                    .with("trip_ns", trip);
                Point::new("m", conditions)
                    .figure("share", value, "of x")
                    .figure("idle_cycles", 3.0, "cycles")
                    .rows()
            })
            .collect();
        let pivot = Pivot::new(&rows, "m");
        assert_eq!(pivot.constant_in_words(), "link x8");
        let titles: Vec<_> = pivot.titles().collect();
        assert_eq!(titles, ["trip ns", "share, of x", "idle cycles"]);
        assert_eq!(pivot.lines[1], (vec!["2"], vec![Some(0.25), Some(3.0)]));
        assert!(Pivot::new(&rows, "n").lines.is_empty());
    }

    #[test]
    fn numbers_have_the_digits_that_count() {
        let texts = [0.98765, 12.345, 123.45, 12345.6, 3.0].map(number);
        assert_eq!(texts, ["0.988", "12.35", "123.5", "12346", "3"]);
    }
}
