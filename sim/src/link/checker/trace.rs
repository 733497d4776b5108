//! The last TLPs, for the reader of a violation.

use std::collections::VecDeque;
use std::fmt;

use crate::link::config::Direction;
use crate::link::tlp::TlpHeader;

/// TLPs kept.
const KEPT: usize = 24;

/// A ring of the last TLPs.
#[derive(Default)]
pub struct Trace {
    entries: VecDeque<(u64, &'static str, Direction, TlpHeader)>,
}

impl Trace {
    /// Adds what happened to a TLP.
    pub fn add(
        &mut self,
        at_ps: u64,
        what: &'static str,
        direction: Direction,
        header: &TlpHeader,
    ) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back((at_ps, what, direction, *header));
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at_ps, what, direction, header) in &self.entries {
            let arrow = match direction {
                Direction::Upstream => "device -> host",
                Direction::Downstream => "host -> device",
            };
            writeln!(
                f,
                "{:>14.3} ns  {arrow}  {what:<11}  {header}",
                *at_ps as f64 / 1000.0
            )?;
        }
        Ok(())
    }
}
