//! What the project promises to reach, and whether it does.

use super::Row;
use super::first_byte::{BY_DOORBELL, INLINE};
use super::table::number;

/// One promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What is promised.
    pub promise: String,
    /// The worst figure; none if it was not measured.
    pub worst: Option<f64>,
    /// Whether all figures keep it.
    pub kept: bool,
}

impl Verdict {
    /// `kept`, `not kept` or `not measured`.
    pub fn word(&self) -> &'static str {
        match (self.worst, self.kept) {
            (None, _) => "not measured",
            (Some(_), true) => "kept",
            (Some(_), false) => "not kept",
        }
    }

    /// The worst figure as text.
    pub fn figure(&self) -> String {
        self.worst.map_or_else(|| "-".to_string(), number)
    }
}

/// Which side of a bound is good.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Within this part of a value.
    Near(f64, f64),
}

impl Bound {
    /// How far a figure is from being good; 0 or less is good.
    fn excess(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(bound) => bound - value,
            Self::AtMost(bound) => value - bound,
            Self::Near(centre, part) => (value / centre - 1.0).abs() - part,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {}", number(bound)),
            Self::AtMost(bound) => format!("at most {}", number(bound)),
            Self::Near(centre, part) => format!("{} within {} %", number(centre), part * 100.0),
        }
    }
}

/// Every promise, in the order of the measurements.
pub fn verdicts(rows: &[Row]) -> Vec<Verdict> {
    use Bound::{AtLeast, AtMost, Near};
    let reference = [
        ("round_trip_ns", "1000"),
        ("completion_bytes", "256"),
        ("order", "in order"),
    ];
    let mut all = Vec::new();
    let mut add = |what: &str, metric: &str, conditions: &[(&str, &str)], bound: Bound| {
        let values = select(rows, metric, conditions).map(|row| row.value);
        all.push(judge(&format!("{what}: {}", bound.words()), values, bound));
    };
    for link in ["Gen3 x16", "Gen3 x8"] {
        for direction in ["C2H", "H2C", "both"] {
            let mut conditions = reference.to_vec();
            conditions.extend([("link", link), ("direction", direction)]);
            let (figure, bound) = match direction {
                "both" => ("efficiency.reached", AtLeast(0.95)),
                _ => ("efficiency.efficiency", AtLeast(0.98)),
            };
            let what = match direction {
                "both" => format!("share of the limit, {link}, both directions, 1 us"),
                _ => format!("efficiency, {link}, {direction}, 1 us"),
            };
            add(&what, figure, &conditions, bound);
        }
    }
    let x16 = [("link", "Gen3 x16")];
    add(
        "4 KiB transfers on one queue, Gen3 x16, M/s",
        "small.rate",
        &x16,
        AtLeast(2.8),
    );
    add(
        "firmware's messages per 4 KiB transfer",
        "small.firmware_messages",
        &x16,
        AtMost(0.0),
    );
    add(
        "worst share of eight queues, % off",
        "queues.worst_share_off",
        &[],
        AtMost(5.0),
    );
    add(
        "burst over its ceiling time",
        "burst.over_ceiling",
        &[],
        AtMost(1.01),
    );
    add(
        "cycles in which a burst's data waits for lists",
        "burst.list_wait_cycles",
        &[],
        AtMost(0.0),
    );
    add(
        "MMIO writes of a repeat transfer",
        "host-cost.mmio_writes",
        &[],
        Near(1.0, 0.0),
    );
    add(
        "MMIO reads of a repeat transfer",
        "host-cost.mmio_reads",
        &[],
        AtMost(0.0),
    );
    add(
        "calls of the memory manager of a repeat transfer",
        "host-cost.os_calls",
        &[],
        AtMost(0.0),
    );
    add(
        "instructions of submit, one entry",
        "host-cost.submit",
        &[("entries_per_doorbell", "1")],
        AtMost(250.0),
    );
    add(
        "efficiency with 65536 regions",
        "regions.efficiency",
        &[("regions", "65536")],
        AtLeast(0.9),
    );
    add(
        "calibration: set-up, us",
        "calibration.setup",
        &[],
        Near(160.0, 0.02),
    );
    add(
        "calibration: transfer, us",
        "calibration.transfer",
        &[],
        Near(360.0, 0.02),
    );
    add(
        "calibration: set-up over transfer, %",
        "calibration.overhead",
        &[],
        Near(44.0, 0.02),
    );
    add(
        "calibration: eighth transfer late by, ms",
        "calibration.eighth_late",
        &[],
        Near(1.28, 0.02),
    );
    add(
        "cycles per CPU second at 512 bits",
        "speed.rate",
        &x16,
        AtLeast(150_000.0),
    );
    let on_x16: &[(&str, &str)] = &x16;
    for (state, links, entry, trips, most) in [
        ("resident", on_x16, INLINE, 0, 60.0),
        ("resident", on_x16, BY_DOORBELL, 1, 60.0),
        ("cold", &[], INLINE, 2, 800.0),
        ("cold", &[], BY_DOORBELL, 3, 800.0),
    ] {
        let conditions = [&[("state", state), ("entry", entry)], links].concat();
        all.push(first_tlp(rows, &conditions, trips, most));
    }
    all.push(constant(rows));
    all
}

fn select<'a>(
    rows: &'a [Row],
    metric: &str,
    conditions: &[(&str, &str)],
) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| {
        let holds = |(name, value): &(&str, &str)| row.conditions.get(name) == Some(*value);
        row.metric == metric && conditions.iter().all(holds)
    })
}

fn judge(promise: &str, values: impl Iterator<Item = f64>, bound: Bound) -> Verdict {
    let worst = values.reduce(|worst, next| {
        if bound.excess(next) > bound.excess(worst) {
            next
        } else {
            worst
        }
    });
    Verdict {
        promise: promise.to_string(),
        worst,
        kept: worst.is_some_and(|worst| bound.excess(worst) <= 1e-9),
    }
}

/// The first TLP waits for round trips, of entry, region and list, where these are not on chip: what is above them counts, in
/// cycles of 4 ns.
fn first_tlp(rows: &[Row], conditions: &[(&str, &str)], trips: u32, most: f64) -> Verdict {
    let values = select(rows, "first-byte.first_tlp", conditions).filter_map(|row| {
        let trip: f64 = row.conditions.get("round_trip_ns")?.parse().ok()?;
        Some(row.value - f64::from(trips) * trip / 4.0)
    });
    let under: Vec<_> = conditions.iter().map(|(_, value)| *value).collect();
    let bound = Bound::AtMost(most);
    let beyond = match trips {
        0 => String::new(),
        1 => " beyond a round trip".into(),
        _ => format!(" beyond {trips} round trips"),
    };
    let promise = format!(
        "first TLP, {}, cycles{beyond}: {}",
        under.join(", "),
        bound.words()
    );
    judge(&promise, values, bound)
}

/// Instructions of `submit` over the lengths of one table format: their spread.
fn constant(rows: &[Row]) -> Verdict {
    let spreads = ["granular", "uniform"].into_iter().filter_map(|table| {
        let conditions = [("entries_per_doorbell", "1"), ("table", table)];
        let counts = || select(rows, "host-cost.submit", &conditions).map(|row| row.value);
        let (low, high) = (counts().reduce(f64::min)?, counts().reduce(f64::max)?);
        Some((high / low - 1.0) * 100.0)
    });
    judge(
        "spread of submit's instructions from 4 KiB to 2 GiB, %: at most 5",
        spreads,
        Bound::AtMost(5.0),
    )
}

#[cfg(test)]
mod tests {
    use super::super::row::{Conditions, Point};
    use super::*;

    fn find<'a>(all: &'a [Verdict], start: &str) -> &'a Verdict {
        all.iter()
            .find(|verdict| verdict.promise.starts_with(start))
            .expect("a promise of that name")
    }

    #[test]
    fn the_worst_figure_counts() {
        let rows: Vec<Row> = [0.95, 0.85, 0.99]
            .into_iter()
            .flat_map(|value| {
                let conditions = Conditions::default().with("regions", 65536);
                Point::new("regions", conditions)
                    .figure("efficiency", value, "x")
                    .rows()
            })
            .collect();
        let all = verdicts(&rows);
        let verdict = find(&all, "efficiency with 65536");
        assert_eq!((verdict.worst, verdict.word()), (Some(0.85), "not kept"));
        assert_eq!(find(&all, "burst over").word(), "not measured");
    }

    #[test]
    fn spread_and_round_trips_are_taken_out() {
        let mut rows = Vec::new();
        for (length, count) in [(4096, 200.0), (1 << 31, 208.0)] {
            let conditions = Conditions::default()
                .with("transfer_bytes", length)
                .with("entries_per_doorbell", 1)
                .with("table", "uniform");
            rows.extend(
                Point::new("host-cost", conditions)
                    .figure("submit", count, "i")
                    .rows(),
            );
        }
        let conditions = Conditions::default()
            .with("round_trip_ns", 2000)
            .with("entry", BY_DOORBELL)
            .with("state", "cold");
        rows.extend(
            Point::new("first-byte", conditions)
                .figure("first_tlp", 2301.0, "c")
                .rows(),
        );
        let all = verdicts(&rows);
        let spread = find(&all, "spread");
        assert!(spread.kept && (spread.worst.unwrap() - 4.0).abs() < 1e-9);
        let cold = find(&all, "first TLP, cold, by doorbell");
        assert_eq!((cold.worst, cold.kept), (Some(801.0), false));
        assert_eq!(find(&all, "first TLP, cold, inline").worst, None);
        assert!(find(&all, "instructions of submit").kept);
    }
}
