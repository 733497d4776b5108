//! What the double reports, as Driver Verifier would.

mod rules;

pub use rules::Rule;

/// Where the machine was when a rule was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// CPU number.
    pub cpu: usize,
    /// Number and name of the thread that the CPU was on.
    pub thread: String,
    /// The CPU's IRQL.
    pub irql: u8,
    /// The CPU's clock, in ps.
    pub time_ps: u64,
    /// The driver's callback, innermost last.
    pub callbacks: Vec<&'static str>,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The function that was called, or the callback that returned.
    pub ddi: &'static str,
    /// What was wrong, with numbers.
    pub detail: String,
    /// Where.
    pub place: Place,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{:?} in {}: {} [CPU {}, {}, IRQL {}, {} ps, in {:?}; {}]",
            self.rule,
            self.ddi,
            self.detail,
            self.place.cpu,
            self.place.thread,
            self.place.irql,
            self.place.time_ps,
            self.place.callbacks,
            self.rule.url()
        )
    }
}

/// All that was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order found.
    pub violations: Vec<Violation>,
    /// The machine stopped at the last violation, as Windows would at a bug check.
    pub stopped: bool,
}

impl Report {
    /// True if nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// True if this rule was broken.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.violations
            .iter()
            .any(|violation| violation.rule == rule)
    }

    /// Panics with every violation, for tests.
    ///
    /// # Panics
    /// If a rule was broken.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

impl core::fmt::Display for Report {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        Ok(())
    }
}
