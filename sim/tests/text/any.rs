//! Scenario files of any text: they are refused with the place and what is allowed, or give back the same scenario when they are written.

use super::scenario::{Scenario, ScenarioError};

/// Reads the text; returns whether it is a scenario.
///
/// # Panics
/// The reader did what it must not.
pub fn read(text: &str) -> bool {
    let problems = match Scenario::parse("any.toml", text) {
        Ok(read) => {
            let written = toml::to_string(&read).expect("a scenario can be written");
            let again = Scenario::parse("written.toml", &written);
            assert_eq!(again.expect("what was written is a scenario"), read);
            return true;
        }
        Err(ScenarioError::Invalid(problems)) => problems.0,
        Err(error) => panic!("{error}"),
    };
    assert!(!problems.is_empty());
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    for problem in &problems {
        assert!(!problem.allowed.is_empty(), "{problem:?}");
        // Where there is no key there is no TOML, and a line then.
        let placed = !problem.key.is_empty() || problem.line.is_some();
        assert!(placed, "{problem:?}");
        let inside = problem.line.is_none_or(|line| (1..=lines).contains(&line));
        assert!(inside, "{problem:?} in {lines} lines");
    }
    false
}
