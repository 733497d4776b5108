//! One figure and what it was measured under.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// What a figure was measured under: names and values, in the order of the table's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions(pub Vec<(&'static str, String)>);

impl Conditions {
    /// With one condition more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    /// Value of a condition.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| *other == name)?;
        Some(&found.1)
    }
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match value.parse::<u64>() {
                Ok(number) => map.serialize_entry(name, &number)?,
                Err(_) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// A figure.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// What was measured, as `efficiency.idle_cycles`: the name of the measurement, and of the figure in it.
    pub metric: String,
    /// Under which conditions.
    pub conditions: Conditions,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
}

impl Row {
    /// Name of the measurement.
    pub fn measurement(&self) -> &str {
        self.metric.split('.').next().unwrap_or_default()
    }

    /// Name of the figure.
    pub fn figure(&self) -> &str {
        self.metric.split_once('.').map_or("", |(_, figure)| figure)
    }
}

/// The rows of one point: figures under the same conditions.
#[derive(Debug)]
pub struct Point {
    measurement: &'static str,
    conditions: Conditions,
    rows: Vec<Row>,
}

impl Point {
    /// No figures yet.
    pub fn new(measurement: &'static str, conditions: Conditions) -> Self {
        Self {
            measurement,
            conditions,
            rows: Vec::new(),
        }
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: f64, unit: &'static str) -> Self {
        self.rows.push(Row {
            metric: format!("{}.{name}", self.measurement),
            conditions: self.conditions.clone(),
            value,
            unit,
        });
        self
    }

    /// Adds a figure if there is one.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<f64>, unit: &'static str) -> Self {
        match value {
            Some(value) => self.figure(name, value, unit),
            None => self,
        }
    }

    /// All figures.
    pub fn rows(self) -> Vec<Row> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_among_the_conditions_are_numbers_in_json() {
        let conditions = Conditions::default()
            .with("link", "Gen3 x8")
            .with("bytes", 7);
        let rows = Point::new("a", conditions).figure("b", 0.5, "ns").rows();
        assert_eq!(
            serde_json::to_string(&rows).unwrap(),
            r#"[{"metric":"a.b","conditions":{"link":"Gen3 x8","bytes":7},"value":0.5,"unit":"ns"}]"#
        );
        assert_eq!((rows[0].measurement(), rows[0].figure()), ("a", "b"));
    }
}
