//! What a flow reached: area of each module, timing of each clock, slowest paths.

use super::board::Board;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Area of the synthesised modules: what yosys' `stat -json` says.
#[derive(Deserialize)]
pub struct Area {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    num_cells_by_type: BTreeMap<String, u64>,
}

/// Timing and area of the placed design: what nextpnr's `--report` says.
#[derive(Deserialize)]
pub struct Timing {
    fmax: BTreeMap<String, Clock>,
    critical_paths: Vec<CriticalPath>,
    utilization: BTreeMap<String, Used>,
}

/// Frequencies in MHz.
#[derive(Deserialize)]
struct Clock {
    achieved: f64,
    constraint: f64,
}

#[derive(Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    /// In ns.
    delay: f64,
    #[serde(rename = "type")]
    kind: String,
    to: Place,
}

#[derive(Deserialize)]
struct Place {
    cell: String,
}

#[derive(Deserialize)]
struct Used {
    used: u64,
    available: u64,
}

/// Area of a module, in what the ECP5 is made of.
#[derive(Debug, Default, PartialEq)]
struct Cells {
    /// Look-up tables, carry chains and distributed RAM, in LUT4 each.
    comb: u64,
    flip_flops: u64,
    block_rams: u64,
}

impl Cells {
    fn of(module: &Module) -> Self {
        let mut area = Self::default();
        for (cell, &count) in &module.num_cells_by_type {
            match cell.as_str() {
                "LUT4" => area.comb += count,
                "CCU2C" => area.comb += 2 * count,
                // Four of data, and a fifth and sixth that the write port occupies.
                "TRELLIS_DPR16X4" => area.comb += 6 * count,
                "TRELLIS_FF" => area.flip_flops += count,
                "DP16KD" | "PDPW16KD" => area.block_rams += count,
                _ => {}
            }
        }
        area
    }
}

impl Area {
    /// Takes the tool's words.
    pub fn parse(text: &str) -> Result<Self> {
        let area: Self = serde_json::from_str(text).context("yosys' statistics")?;
        ensure!(!area.modules.is_empty(), "yosys' statistics name no module");
        Ok(area)
    }

    /// A row for each module, the largest first.
    pub fn markdown(&self, name: &str) -> String {
        let mut text = format!(
            "# {name}: area after synthesis\n\n| module | COMB | FF | DP16KD |\n|---|---|---|---|\n"
        );
        let mut rows: Vec<_> = self
            .modules
            .iter()
            .map(|(name, module)| (short(name), Cells::of(module)))
            .filter(|(_, cells)| *cells != Cells::default())
            .collect();
        rows.sort_by_key(|(_, cells)| std::cmp::Reverse(cells.comb));
        let mut sum = Cells::default();
        for (name, cells) in &rows {
            sum.comb += cells.comb;
            sum.flip_flops += cells.flip_flops;
            sum.block_rams += cells.block_rams;
            row(&mut text, name, cells);
        }
        row(&mut text, "sum", &sum);
        text
    }
}

impl Timing {
    /// Takes the tool's words.
    pub fn parse(text: &str) -> Result<Self> {
        let timing: Self = serde_json::from_str(text).context("nextpnr's report")?;
        // Without a clock nothing would be missed.
        ensure!(!timing.fmax.is_empty(), "nextpnr's report names no clock");
        Ok(timing)
    }

    /// The clocks that are too slow, in words; empty when timing is met.
    pub fn missed(&self) -> String {
        let missed = self
            .fmax
            .iter()
            .filter(|(_, clock)| clock.achieved < clock.constraint);
        let text = missed.map(|(name, clock)| {
            format!(
                "{} reaches {:.2} of {:.2} MHz",
                short(name),
                clock.achieved,
                clock.constraint
            )
        });
        text.collect::<Vec<_>>().join(", ")
    }

    /// What is used of the part, what each clock reaches, and the slowest paths.
    pub fn markdown(&self, name: &str, board: &Board) -> String {
        let mut text = format!(
            "# {name}: {}, {}, speed {}, {} bits, seed {}\n\n| placed | used | of |\n|---|---|---|\n",
            board.device, board.package, board.speed, board.width, board.seed
        );
        for (cell, used) in self.utilization.iter().filter(|(_, used)| used.used > 0) {
            line(
                &mut text,
                format_args!("| {cell} | {} | {} |", used.used, used.available),
            );
        }
        text += "\n| clock | Fmax, MHz | asked for |\n|---|---|---|\n";
        for (name, clock) in &self.fmax {
            line(
                &mut text,
                format_args!(
                    "| {} | {:.1} | {:.1} |",
                    short(name),
                    clock.achieved,
                    clock.constraint
                ),
            );
        }
        for path in &self.critical_paths {
            path.describe(&mut text);
        }
        text
    }
}

impl CriticalPath {
    /// A line for each cell on it.
    fn describe(&self, text: &mut String) {
        let total: f64 = self.path.iter().map(|step| step.delay).sum();
        let levels = self.path.iter().filter(|step| step.kind == "logic").count();
        line(
            text,
            format_args!(
                "\nSlowest path from {} to {}: {total:.1} ns, {levels} levels of logic\n",
                short(&self.from),
                short(&self.to)
            ),
        );
        for step in &self.path {
            line(
                text,
                format_args!(
                    "- {:5.2} ns {:9} {}",
                    step.delay,
                    step.kind,
                    short(&step.to.cell)
                ),
            );
        }
    }
}

fn row(text: &mut String, name: &str, cells: &Cells) {
    line(
        text,
        format_args!(
            "| {name} | {} | {} | {} |",
            cells.comb, cells.flip_flops, cells.block_rams
        ),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

/// A name as the gateware has it: without what the tools put before it.
fn short(name: &str) -> &str {
    let name = name.trim_start_matches('\\');
    let name = name.strip_prefix("posedge ").unwrap_or(name);
    let name = name.strip_prefix("$glbnet$").unwrap_or(name);
    let name = name.strip_prefix("harness.device.").unwrap_or(name);
    name.strip_prefix("top$").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNTHESIS: &str = r#"{"modules": {
        "\\top$c2h": {"num_cells_by_type": {"LUT4": 100, "CCU2C": 10, "TRELLIS_DPR16X4": 5, "TRELLIS_FF": 7, "DP16KD": 2}},
        "\\top$h2c": {"num_cells_by_type": {"LUT4": 200, "PFUMX": 9}},
        "\\board": {"num_cells_by_type": {"EHXPLLL": 1}}}}"#;

    fn placement(achieved: f64) -> String {
        format!(
            r#"{{"fmax": {{"$glbnet$clock": {{"achieved": {achieved}, "constraint": 125.0}},
                           "$glbnet$core_clock": {{"achieved": 90.0, "constraint": 62.5}}}},
                 "critical_paths": [{{"from": "posedge $glbnet$clock", "to": "posedge $glbnet$clock", "path": [
                     {{"delay": 0.5, "type": "clk-to-q", "to": {{"cell": "harness.device.c2h.a"}}}},
                     {{"delay": 1.25, "type": "routing", "to": {{"cell": "harness.device.c2h.b"}}}},
                     {{"delay": 0.25, "type": "logic", "to": {{"cell": "harness.device.c2h.b"}}}}]}}],
                 "utilization": {{"TRELLIS_COMB": {{"used": 350, "available": 43848}},
                                  "DCUA": {{"used": 0, "available": 2}}}}}}"#
        )
    }

    #[test]
    fn reports_name_modules_cells_clocks_and_paths() {
        let board =
            Board::parse(include_str!("../../../hdl/boards/ecp5-versa/board.toml")).unwrap();
        let area = Area::parse(SYNTHESIS).unwrap().markdown("ecp5-versa");
        let timing = Timing::parse(&placement(125.0)).unwrap();
        let text = area.clone() + &timing.markdown("ecp5-versa", &board);
        for line in [
            "| h2c | 200 | 0 | 0 |",
            "| c2h | 150 | 7 | 2 |",
            "| sum | 350 | 7 | 2 |",
            "| TRELLIS_COMB | 350 | 43848 |",
            "| clock | 125.0 | 125.0 |",
            "Slowest path from clock to clock: 2.0 ns, 1 levels of logic",
            "-  1.25 ns routing   c2h.b",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in {text}"
            );
        }
        assert!(!text.contains("| board |") && !text.contains("DCUA"));
        assert!(area.find("| h2c |") < area.find("| c2h |"));
    }

    #[test]
    fn slow_clock_is_missed() {
        let missed = |achieved| Timing::parse(&placement(achieved)).unwrap().missed();
        assert_eq!(missed(125.0), "");
        assert_eq!(missed(124.96), "clock reaches 124.96 of 125.00 MHz");
        assert_eq!(missed(66.0), "clock reaches 66.00 of 125.00 MHz");
    }

    #[test]
    fn other_texts_are_refused() {
        let none = r#"{"fmax": {}, "critical_paths": [], "utilization": {}}"#;
        for (text, reason) in [(none, "names no clock"), ("{}", "nextpnr's report")] {
            let error = Timing::parse(text).err().unwrap().to_string();
            assert!(error.contains(reason), "{error}");
        }
        for (text, reason) in [
            (r#"{"modules": {}}"#, "no module"),
            ("{}", "yosys' statistics"),
        ] {
            let error = Area::parse(text).err().unwrap().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
