//! One figure and what it was measured under.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What a figure was measured under: names and values, in the order of the table's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions(pub Vec<(Cow<'static, str>, String)>);

impl Conditions {
    /// With one condition more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// Value of a condition.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name)?;
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

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads conditions in their order, numbers as the text that they were.
struct InOrder;

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Text(String),
}

impl<'de> Visitor<'de> for InOrder {
    type Value = Conditions;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("names with numbers or texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
        let mut conditions = Conditions::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Text(text) => text,
            };
            conditions.0.push((name.into(), value));
        }
        Ok(conditions)
    }
}

/// A figure.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// What was measured, as `efficiency.idle_cycles`: the name of the measurement, and of the figure in it.
    pub metric: String,
    /// Under which conditions.
    pub conditions: Conditions,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: Cow<'static, str>,
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
            unit: unit.into(),
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
    fn numbers_among_the_conditions_are_numbers_in_json_and_rows_come_back_as_they_were() {
        let conditions = Conditions::default()
            .with("link", "Gen3 x8")
            .with("bytes", 7);
        let rows = Point::new("a", conditions).figure("b", 0.5, "ns").rows();
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(
            text,
            r#"[{"metric":"a.b","conditions":{"link":"Gen3 x8","bytes":7},"value":0.5,"unit":"ns"}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Row>>(&text).unwrap(), rows);
        let wrong = text.replace("7", "null");
        assert!(serde_json::from_str::<Vec<Row>>(&wrong).is_err());
        assert_eq!((rows[0].measurement(), rows[0].figure()), ("a", "b"));
    }
}
