//! `docs/benchmarks.md`.

use std::fmt::Write;

use super::table::{Pivot, number};
use super::{ALL, Row, runs, verdicts};

/// The document: promises, then each measurement with its command, its plot (if it is among those named) and its table.
pub fn document(rows: &[Row], plots: &[&str]) -> String {
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "\n{}\n", runs::in_words(rows));
    text += "## Promises\n\n| promise | worst figure | |\n|---|---|---|\n";
    for verdict in verdicts(rows) {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            verdict.promise,
            verdict.figure(),
            verdict.word()
        );
    }
    for measurement in ALL {
        let pivot = Pivot::new(rows, measurement.name);
        if pivot.lines.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n## {}\n\n{}\n\n`cargo xtask bench --only {}`\n",
            measurement.title, measurement.about, measurement.name
        );
        if plots.contains(&measurement.name) {
            let _ = writeln!(
                text,
                "![{}](images/bench-{}.svg)\n",
                measurement.title, measurement.name
            );
        }
        let constant = pivot.constant_in_words();
        if !constant.is_empty() {
            let _ = writeln!(text, "Everywhere: {constant}.\n");
        }
        let is_long = pivot.lines.len() > LONG;
        if is_long {
            let _ = writeln!(
                text,
                "<details><summary>{} lines</summary>\n",
                pivot.lines.len()
            );
        }
        let titles: Vec<_> = pivot.titles().collect();
        let _ = writeln!(text, "| {} |", titles.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(titles.len()));
        for (conditions, values) in &pivot.lines {
            let left = conditions.iter().map(ToString::to_string);
            let right = values
                .iter()
                .map(|value| value.map_or_else(String::new, number));
            let cells: Vec<_> = left.chain(right).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if is_long {
            text += "\n</details>\n";
        }
    }
    text
}

/// Lines of a table that is folded.
const LONG: usize = 30;

const HEAD: &str = "\
# Benchmarks

<!-- Generated: do not edit. Made by: cargo xtask bench --write-docs -->

Purpose: what the running chain reaches, each figure with its conditions, its limit and the command that repeats it.

Every figure comes out of a co-simulation of driver core, firmware and gateware at 250 MHz (core: 125 MHz) on a modelled link and host, in
which every payload byte is checked; instructions are counted by callgrind. `cargo xtask bench` runs all of it, `--quick` a part,
`--json OUT` writes rows of `metric, conditions, value, unit`, which `--from OUT` takes up again. Ceilings: `sim/src/link/config.rs`.
";

#[cfg(test)]
mod tests {
    use super::super::row::{Conditions, Point};
    use super::*;

    #[test]
    fn every_section_has_its_command_and_what_was_not_measured_has_none() {
        let conditions = Conditions::default().with("width_bits", 512);
        let rows = Point::new("speed", conditions)
            .figure("rate", 151_234.0, "cycles per CPU second")
            .rows();
        let rows = [rows, runs::ended(3.2, "a processor", true)].concat();
        let text = document(&rows, &["speed"]);
        for part in [
            "(`--quick`) took 4 minutes on: a processor",
            "`cargo xtask bench --only speed`",
            "images/bench-speed.svg",
            "Everywhere: width bits 512.",
            "| 151234 |",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("--only burst"));
    }
}
