//! Errors that point at the line.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::check::Finding;

/// Why a scenario could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read scenario {}: {source}; give the path of a TOML file, such as sim/scenarios/default.toml", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file was read, and is wrong.
    #[error("{0}")]
    Invalid(Problems),
}

/// One thing that is wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named by the caller.
    pub file: String,
    /// Line, from 1. `None` when the value is a default and nothing in the file is nearer.
    pub line: Option<usize>,
    /// Dotted key, as `link.mps_bytes`. Empty if the text is no TOML at that place.
    pub key: String,
    /// The value as written. Empty for a key that is unknown.
    pub value: String,
    /// What is wrong and what is allowed.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if !self.value.is_empty() {
                write!(f, " = {}", self.value)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.allowed)
    }
}

/// All that is wrong with a scenario file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        f.write_str("every key is described in docs/scenarios.md")
    }
}

/// A file's name and text, in which keys are looked up.
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    /// An error of the TOML reader: no TOML, an unknown key, a wrong type.
    pub(super) fn refused(&self, error: &toml::de::Error) -> ScenarioError {
        let span = error.span();
        let key = match (&span, DeTable::parse(self.text)) {
            (Some(span), Ok(table)) => deepest_key(table.get_ref(), span),
            _ => String::new(),
        };
        let is_key = error.message().starts_with("unknown field");
        let value = match &span {
            Some(span) if !key.is_empty() && !is_key => self.text.get(span.clone()).unwrap_or(""),
            _ => "",
        };
        ScenarioError::Invalid(Problems(vec![Problem {
            file: self.file.to_string(),
            line: span.map(|span| self.line(span.start)),
            key,
            value: first_line(value),
            allowed: error.message().trim().replace('\n', "; "),
        }]))
    }

    /// Turns findings into an error, each with the line of its key or of the nearest table around it.
    pub(super) fn judge(&self, found: Vec<Finding>) -> Result<(), ScenarioError> {
        if found.is_empty() {
            return Ok(());
        }
        let table = DeTable::parse(self.text).ok();
        let problems = found.into_iter().map(|finding| Problem {
            file: self.file.to_string(),
            line: table
                .as_ref()
                .and_then(|table| position(table.get_ref(), &finding.key))
                .map(|at| self.line(at)),
            key: finding.key,
            value: finding.value,
            allowed: finding.allowed,
        });
        Err(ScenarioError::Invalid(Problems(problems.collect())))
    }

    fn line(&self, at: usize) -> usize {
        1 + self
            .text
            .bytes()
            .take(at)
            .filter(|&byte| byte == b'\n')
            .count()
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").to_string()
}

/// Dotted path of the innermost key whose name or value covers `span`.
fn deepest_key(table: &DeTable<'_>, span: &Range<usize>) -> String {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (key, value) in table {
        let name = key.get_ref().to_string();
        // A [table] header does not span its keys, so look inside first, whatever it says.
        let inner = match value.get_ref() {
            DeValue::Table(inner) => deepest_key(inner, span),
            _ => String::new(),
        };
        if !inner.is_empty() {
            return format!("{name}.{inner}");
        }
        if let DeValue::Array(tables) = value.get_ref() {
            let inner = tables.iter().enumerate().find_map(|(index, table)| {
                let inner = deepest_key(table.get_ref().as_table()?, span);
                (!inner.is_empty()).then(|| format!("{name}[{index}].{inner}"))
            });
            if let Some(inner) = inner {
                return inner;
            }
        }
        if covers(key.span()) || covers(value.span()) {
            return name;
        }
    }
    String::new()
}

/// Byte position of the dotted `path`, or of the innermost table on the way that is there. `name[2]` is the third of an array of tables.
fn position(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, index) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, index)) => (name, index.parse().ok()),
        None => (name, None),
    };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    match (value.get_ref(), index) {
        (DeValue::Table(inner), _) => position(inner, rest),
        (DeValue::Array(tables), Some::<usize>(index)) => tables.get(index).and_then(|table| {
            position(table.get_ref().as_table()?, rest).or(Some(table.span().start))
        }),
        _ => None,
    }
    .or(Some(key.span().start))
}
