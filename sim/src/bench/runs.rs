//! The runs that figures come from, as rows among the figures: a document can be made of several, and of an earlier one.

use super::row::{Conditions, Point, Row};
use super::{ALL, Measurement};

/// A row of this name ends the figures of every run; those of a run that failed have none.
const NAME: &str = "run";

/// The row of a run in which nothing failed.
pub fn ended(minutes: f64, processor: &str, quick: bool) -> Vec<Row> {
    let conditions = Conditions::default()
        .with("processor", processor)
        .with("jobs", if quick { QUICK } else { "all" });
    Point::new(NAME, conditions)
        .figure("time", minutes, "min")
        .rows()
}

const QUICK: &str = "quick";

/// The figures that a run has written as JSON, without those of the measurements that are made anew.
///
/// # Errors
/// They are no figures, not of a whole run, or of a measurement that there is not.
pub fn earlier(text: &str, anew: &[&Measurement]) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !rows.iter().any(|row| row.measurement() == NAME) {
        return Err("the run that wrote it did not reach its end".into());
    }
    let is_known = |row: &&Row| {
        let name = row.measurement();
        name == NAME || ALL.iter().any(|one| one.name == name)
    };
    if let Some(row) = rows.iter().find(|row| !is_known(row)) {
        return Err(format!("there is no measurement {:?}", row.measurement()));
    }
    rows.retain(|row| anew.iter().all(|one| one.name != row.measurement()));
    Ok(rows)
}

/// What the document says of its runs.
pub(super) fn in_words(rows: &[Row]) -> String {
    let runs: Vec<&Row> = rows
        .iter()
        .filter(|row| row.measurement() == NAME)
        .collect();
    let subject = match runs.len() {
        1 => "The run below".to_string(),
        count => format!("The {count} runs below"),
    };
    let is_quick = runs
        .iter()
        .any(|row| row.conditions.get("jobs") == Some(QUICK));
    let quick = if is_quick { " (`--quick`)" } else { "" };
    let mut processors: Vec<&str> = Vec::new();
    for processor in runs
        .iter()
        .filter_map(|row| row.conditions.get("processor"))
    {
        if !processors.contains(&processor) {
            processors.push(processor);
        }
    }
    let minutes: f64 = runs.iter().map(|row| row.value).sum();
    format!(
        "{subject}{quick} took {:.0} minutes on: {}. Only the section on the simulation's speed depends on that machine.",
        minutes.ceil(),
        processors.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Vec<Row> {
        let of = |name| {
            Point::new(name, Conditions::default())
                .figure("rate", 1.0, "x")
                .rows()
        };
        [of("speed"), of("small")].concat()
    }

    #[test]
    fn figures_of_an_earlier_run_stand_where_nothing_is_measured_anew() {
        let rows = [figures(), ended(3.2, "a processor", false)].concat();
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(earlier(&text, &[]).unwrap(), rows);
        let speed = ALL.iter().find(|one| one.name == "speed").unwrap();
        assert_eq!(earlier(&text, &[speed]).unwrap(), rows[1..]);
    }

    #[test]
    fn figures_of_a_run_that_failed_are_refused() {
        let text = serde_json::to_string(&figures()).unwrap();
        assert!(earlier(&text, &[]).unwrap_err().contains("its end"));
        assert!(earlier("[{}]", &[]).unwrap_err().contains("missing field"));
        let other = Point::new("taste", Conditions::default()).figure("f", 1.0, "x");
        let rows = [other.rows(), ended(1.0, "a processor", false)].concat();
        let text = serde_json::to_string(&rows).unwrap();
        assert!(earlier(&text, &[]).unwrap_err().contains("taste"));
    }

    #[test]
    fn runs_are_added_up() {
        let one = ended(3.2, "a processor", false);
        assert!(in_words(&one).starts_with("The run below took 4 minutes on: a processor."));
        let two = [one, ended(1.0, "another", true)].concat();
        assert!(
            in_words(&two).starts_with(
                "The 2 runs below (`--quick`) took 5 minutes on: a processor; another."
            )
        );
    }
}
