//! What may come of a case, and what must not.

use std::fmt;

use crate::report::{Faults, StrategyReport};
use crate::scenario::{Fault, FaultKind, Scenario};

/// For so long the device waits for a read's answer; jitter, latency and a full link come on top.
const TIMEOUT_NS: u64 = 50_000_000;
/// An answer that is late by less is always in time.
const SURELY_IN_TIME_NS: u64 = 45_000_000;

/// What a case has brought to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of the things that must not be.
    pub kind: Kind,
    /// Where, and how.
    pub detail: String,
}

/// Things that must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The run ended: an illegal TLP, an access outside what the driver handed out, a wrong byte on a stream, a driver that refused, a
    /// device that got stuck.
    Ended,
    /// Something panicked.
    Panicked,
    /// Bytes of a transfer that was reported whole are wrong, or bytes beside it.
    Bytes,
    /// Not every transfer was reported, or one twice.
    Reports,
    /// A transfer failed that should not have, or with another status.
    Status,
    /// A transfer was reported whole although a read of it had failed.
    Spared,
    /// Reads are out that nothing has happened to.
    Tags,
}

impl Finding {
    pub(super) fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Ended => "the run ended",
            Kind::Panicked => "panic",
            Kind::Bytes => "wrong bytes",
            Kind::Reports => "reports",
            Kind::Status => "status",
            Kind::Spared => "a fault without a consequence",
            Kind::Tags => "leaked tags",
        };
        write!(f, "{what}: {}", self.detail)
    }
}

/// How a transfer may end in which a fault was injected.
struct Ends {
    /// Whole.
    well: bool,
    /// With this status.
    status: Option<&'static str>,
    /// A read of the device may stay without an answer.
    read_out: bool,
}

/// What a fault may do to its transfer.
fn ends(fault: &Fault) -> Ends {
    let fails = |status| Ends {
        well: false,
        status: Some(status),
        read_out: false,
    };
    let harmless = Ends {
        well: true,
        status: None,
        read_out: false,
    };
    match fault.kind {
        FaultKind::CompletionUr => fails("ReadUnsupported"),
        FaultKind::CompletionCa => fails("ReadAborted"),
        FaultKind::Poisoned => fails("ReadPoisoned"),
        FaultKind::Oversized => fails("ReadMalformed"),
        FaultKind::Lost => Ends {
            read_out: true,
            ..fails("ReadTimeout")
        },
        FaultKind::Late => match fault.duration_ns.unwrap_or(0) {
            0..SURELY_IN_TIME_NS => harmless,
            SURELY_IN_TIME_NS..=TIMEOUT_NS => Ends {
                well: true,
                read_out: true,
                ..fails("ReadTimeout")
            },
            _ => Ends {
                read_out: true,
                ..fails("ReadTimeout")
            },
        },
        // The read whose tag it was may be the only one of the transfer, or get bytes that fit.
        FaultKind::WrongTag => Ends {
            well: true,
            read_out: true,
            ..fails("ReadTimeout")
        },
        FaultKind::Duplicate
        | FaultKind::Unexpected
        | FaultKind::CreditStarvation
        | FaultKind::LostInterrupt
        | FaultKind::SpuriousInterrupt
        | FaultKind::DelayedDoorbell => harmless,
    }
}

/// Judges a finished run.
pub(super) fn judge(scenario: &Scenario, found: &StrategyReport) -> Result<(), Finding> {
    let transfers = u64::from(scenario.burst.transfers) * u64::from(scenario.burst.bursts);
    if !found.complete || found.completions != transfers {
        return Err(Finding::new(
            Kind::Reports,
            format!("{} of {transfers} transfers", found.completions),
        ));
    }
    if found.mismatches > 0 {
        return Err(Finding::new(
            Kind::Bytes,
            format!("{} bytes", found.mismatches),
        ));
    }
    match &found.faults {
        None => Ok(()),
        Some(faults) => judge_faults(scenario, faults),
    }
}

fn judge_faults(scenario: &Scenario, found: &Faults) -> Result<(), Finding> {
    let all = scenario.faults.len() as u64;
    if found.injected + found.without_occasion != all {
        return Err(Finding::new(
            Kind::Reports,
            format!(
                "{} faults injected and {} not, of {all}",
                found.injected, found.without_occasion
            ),
        ));
    }
    let of = |burst, transfer| {
        let mut faults = scenario.faults.iter();
        faults
            .by_ref()
            .filter(move |fault| (fault.burst, fault.transfer) == (burst, transfer))
            .map(ends)
            .collect::<Vec<_>>()
    };
    for (place, end) in found.failed.iter().enumerate() {
        let name = format!("transfer {} of burst {}", end.transfer, end.burst);
        let earlier = &found.failed[..place];
        if earlier
            .iter()
            .any(|other| (other.burst, other.transfer) == (end.burst, end.transfer))
        {
            return Err(Finding::new(Kind::Reports, format!("{name}: failed twice")));
        }
        let possible = of(end.burst, end.transfer);
        if !possible
            .iter()
            .any(|ends| ends.status == Some(end.status.as_str()))
        {
            let asked: Vec<_> = possible.iter().filter_map(|ends| ends.status).collect();
            return Err(Finding::new(
                Kind::Status,
                format!(
                    "{name} ended with {}, and its faults make {asked:?}",
                    end.status
                ),
            ));
        }
    }
    // Which faults had no occasion is not told: only if all had one, each must have had its consequence.
    for fault in scenario
        .faults
        .iter()
        .filter(|_| found.without_occasion == 0)
    {
        let failed = found
            .failed
            .iter()
            .any(|end| (end.burst, end.transfer) == (fault.burst, fault.transfer));
        if !failed && !ends(fault).well {
            return Err(Finding::new(
                Kind::Spared,
                format!(
                    "transfer {} of burst {} was reported whole after {:?}",
                    fault.transfer, fault.burst, fault.kind
                ),
            ));
        }
    }
    let may_be_out = scenario.faults.iter().filter(|fault| ends(fault).read_out);
    let most = may_be_out.count() as u64;
    if found.reads_out > most {
        return Err(Finding::new(
            Kind::Tags,
            format!(
                "{} reads have no answer at the end, and faults account for {most}",
                found.reads_out
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FailedTransfer;

    fn failed(transfer: u32, status: &str) -> FailedTransfer {
        FailedTransfer {
            burst: 0,
            transfer,
            status: status.to_string(),
        }
    }

    fn scenario() -> Scenario {
        let mut scenario = Scenario::gen3_x4();
        scenario.burst.transfers = 4;
        scenario.faults = vec![
            Fault {
                transfer: 1,
                ..Fault::new(FaultKind::Poisoned)
            },
            Fault {
                transfer: 2,
                ..Fault::new(FaultKind::Lost)
            },
            Fault::new(FaultKind::Unexpected),
        ];
        scenario
    }

    fn good() -> StrategyReport {
        let faults = Faults {
            injected: 3,
            without_occasion: 0,
            failed: vec![failed(1, "ReadPoisoned"), failed(2, "ReadTimeout")],
            reads_out: 1,
        };
        StrategyReport {
            complete: true,
            completions: 4,
            faults: Some(faults),
            ..StrategyReport::new(crate::scenario::Strategy::Registered)
        }
    }

    #[test]
    fn whatever_should_not_be_is_found() {
        assert_eq!(judge(&scenario(), &good()), Ok(()));
        type Change = fn(&mut StrategyReport);
        fn faults(report: &mut StrategyReport) -> &mut Faults {
            report.faults.as_mut().unwrap()
        }
        let changes: [(Kind, Change); 9] = [
            (Kind::Reports, |report| report.completions = 3),
            (Kind::Reports, |report| report.completions = 5),
            (Kind::Reports, |report| report.complete = false),
            (Kind::Bytes, |report| report.mismatches = 1),
            (Kind::Reports, |report| {
                let again = failed(1, "ReadPoisoned");
                faults(report).failed.push(again);
            }),
            (Kind::Status, |report| {
                faults(report).failed[0].status = "ReadAborted".to_string();
            }),
            (Kind::Status, |report| {
                faults(report).failed.push(failed(0, "ReadTimeout"));
            }),
            (Kind::Spared, |report| drop(faults(report).failed.pop())),
            (Kind::Tags, |report| faults(report).reads_out = 2),
        ];
        for (kind, change) in changes {
            let mut report = good();
            change(&mut report);
            let found = judge(&scenario(), &report).map_err(|finding| finding.kind);
            assert_eq!(found, Err(kind), "{report:?}");
        }
        // A fault without an occasion explains why its transfer is whole.
        let mut report = good();
        faults(&mut report).failed.pop();
        (
            faults(&mut report).injected,
            faults(&mut report).without_occasion,
        ) = (2, 1);
        assert_eq!(judge(&scenario(), &report), Ok(()));
    }
}
