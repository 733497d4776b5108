//! Faults that a run asks for: what goes wrong on the link or behind it, once, and to which request.
//!
//! The link knows addresses alone; who asks for a fault says which addresses a transfer's data, its entry or its list have.

use std::ops::Range;

use super::tlp::{Status, Tlp, TlpKind};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A read is answered with this status in place of data.
    Refused(Status),
    /// A read's first completion is poisoned (EP bit, PCIe Base Spec 5.0, 2.7.2).
    Poisoned,
    /// A read is never answered.
    Lost,
    /// A read is answered this much later; reads behind it are not held up.
    Late {
        /// In picoseconds.
        by_ps: u64,
    },
    /// A read's last completion comes twice.
    Duplicate,
    /// Behind a read's first completion comes another one like it, with a tag that no read has.
    Unexpected,
    /// A read's last completion holds 64 bytes more than its byte count says.
    Oversized,
    /// A read's completions come with another read's tag, or if there is no other read with a tag that none has.
    WrongTag,
    /// From the request on, credits that the root complex has to give back wait for this long.
    CreditStarvation {
        /// In picoseconds.
        for_ps: u64,
    },
    /// An interrupt message does not reach the host.
    LostInterrupt,
    /// An interrupt message comes twice.
    SpuriousInterrupt,
    /// A CPU's write to BAR0 leaves this much later, and so does all that the CPUs write behind it.
    DelayedWrite {
        /// In picoseconds.
        by_ps: u64,
    },
}

/// What sets a fault off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A read or a write of the device that touches one of these bus addresses.
    Touches(Vec<Range<u64>>),
    /// An interrupt message with this data.
    Message(u32),
    /// A CPU's write that begins at one of these offsets in BAR0.
    Bar(Range<u64>),
}

/// A fault that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub trigger: Trigger,
    /// Which of all that would set it off, counted from 1.
    pub nth: u32,
    /// Of [`FaultKind::WrongTag`]: bus addresses of the reads whose tag it may be; all, if there are none.
    pub among: Vec<Range<u64>>,
}

/// What happens on the link, as far as it may set a fault off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Occasion {
    /// A read of the device arrives: its first address and the one behind its last.
    Read(u64, u64),
    /// So does a write.
    Write(u64, u64),
    /// So does an interrupt message.
    Message(u32),
    /// A CPU writes to this offset.
    Bar(u64),
}

/// Faults that are to come, and how many have.
#[derive(Default)]
pub struct FaultPlan {
    pending: Vec<Fault>,
    injected: u64,
}

impl FaultPlan {
    /// Adds a fault.
    pub fn add(&mut self, fault: Fault) {
        self.pending.push(fault);
    }

    /// Faults that have happened.
    pub fn injected(&self) -> u64 {
        self.injected
    }

    /// Faults that still wait for their occasion.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The fault that an occasion sets off: the first in the list, if there are several. The others count it all the same.
    pub(super) fn strike(&mut self, occasion: Occasion) -> Option<Fault> {
        let mut struck = None;
        for (place, fault) in self.pending.iter_mut().enumerate() {
            if !fault.meets(occasion) {
                continue;
            }
            fault.nth = fault.nth.saturating_sub(1);
            if fault.nth == 0 && struck.is_none() {
                struck = Some(place);
            }
        }
        let fault = self.pending.remove(struck?);
        self.injected += 1;
        Some(fault)
    }
}

impl Fault {
    /// Whether an occasion counts: it is what the trigger names, and something that can go wrong in this way.
    fn meets(&self, occasion: Occasion) -> bool {
        let starves = matches!(self.kind, FaultKind::CreditStarvation { .. });
        match (&self.trigger, occasion) {
            (Trigger::Touches(ranges), Occasion::Read(first, end)) => {
                (starves || self.kind.is_of_reads()) && touches(ranges, first, end)
            }
            (Trigger::Touches(ranges), Occasion::Write(first, end)) => {
                starves && touches(ranges, first, end)
            }
            (Trigger::Message(wanted), Occasion::Message(data)) => {
                *wanted == data
                    && matches!(
                        self.kind,
                        FaultKind::LostInterrupt | FaultKind::SpuriousInterrupt
                    )
            }
            (Trigger::Bar(offsets), Occasion::Bar(offset)) => {
                offsets.contains(&offset) && matches!(self.kind, FaultKind::DelayedWrite { .. })
            }
            _ => false,
        }
    }
}

impl FaultKind {
    fn is_of_reads(self) -> bool {
        !matches!(
            self,
            Self::CreditStarvation { .. }
                | Self::LostInterrupt
                | Self::SpuriousInterrupt
                | Self::DelayedWrite { .. }
        )
    }
}

/// Whether one of these ranges holds a byte from `first` to before `end`.
pub(super) fn touches(ranges: &[Range<u64>], first: u64, end: u64) -> bool {
    ranges
        .iter()
        .any(|range| first < range.end && range.start < end)
}

/// How a completion stands to the reads that the checker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kinship {
    /// It is what its read waits for.
    #[default]
    Own,
    /// It answers no read: it comes a second time, or under a tag that is not its read's.
    Stray,
    /// It answers no read, and gets a tag that none has when the device is shown it: at any time before, a read might still take it.
    Unexpected,
    /// It is its read's last one, with too much data.
    TooLong,
}

/// Bytes that a completion brings too many: whole DWs.
const EXCESS_BYTES: usize = 64;

/// Does to a completion what its read's fault asks for. `first` and `last`: its place among those of its read.
pub(super) fn spoil(tlp: &mut Tlp, fault: FaultKind, first: bool, last: bool) {
    match fault {
        FaultKind::Poisoned if first => tlp.header.poisoned = true,
        FaultKind::WrongTag => tlp.kinship = Kinship::Stray,
        FaultKind::Oversized if last && tlp.header.kind == TlpKind::CompletionData => {
            let (lane, bytes) = (tlp.header.lane(), tlp.header.payload_bytes());
            let more = tlp
                .data
                .as_mut()
                .and_then(|data| data.get_mut(lane + bytes..lane + bytes + EXCESS_BYTES));
            if let Some(more) = more {
                more.fill(0xee);
                tlp.header.len_dw += (EXCESS_BYTES / 4) as u16;
                tlp.kinship = Kinship::TooLong;
            }
        }
        _ => {}
    }
}

/// The completion that comes behind this one, if its read's fault asks for one.
pub(super) fn stray(tlp: &Tlp, fault: FaultKind, first: bool, last: bool) -> Option<Tlp> {
    let kinship = match fault {
        FaultKind::Duplicate if last => Kinship::Stray,
        FaultKind::Unexpected if first => Kinship::Unexpected,
        _ => return None,
    };
    Some(Tlp {
        header: tlp.header,
        data: tlp.data.clone(),
        kinship,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_once_and_at_its_turn() {
        let mut plan = FaultPlan::default();
        let fault = |kind, trigger, nth| Fault {
            kind,
            trigger,
            nth,
            among: Vec::new(),
        };
        let memory = Trigger::Touches(vec![100..200, 300..301]);
        plan.add(fault(FaultKind::Lost, memory.clone(), 3));
        plan.add(fault(FaultKind::Poisoned, memory, 2));
        plan.add(fault(FaultKind::LostInterrupt, Trigger::Message(7), 1));
        plan.add(fault(
            FaultKind::DelayedWrite { by_ps: 1 },
            Trigger::Bar(16..24),
            1,
        ));
        let elsewhere = [
            Occasion::Read(0, 100),
            Occasion::Read(200, 300),
            // A write, which has no answer that could be lost.
            Occasion::Write(100, 200),
            Occasion::Message(6),
            Occasion::Bar(24),
        ];
        assert!(elsewhere.iter().all(|&at| plan.strike(at).is_none()));
        let struck = [
            Occasion::Read(199, 200),
            Occasion::Read(0, 1000),
            Occasion::Message(7),
            Occasion::Read(300, 301),
            Occasion::Bar(16),
        ]
        .map(|at| plan.strike(at).map(|fault| fault.kind));
        assert_eq!(
            struck,
            [
                None,
                Some(FaultKind::Poisoned),
                Some(FaultKind::LostInterrupt),
                Some(FaultKind::Lost),
                Some(FaultKind::DelayedWrite { by_ps: 1 }),
            ]
        );
        assert_eq!((plan.injected(), plan.pending()), (4, 0));
        assert_eq!(plan.strike(Occasion::Message(7)), None);
        let starved = FaultKind::CreditStarvation { for_ps: 1 };
        plan.add(fault(
            starved,
            Trigger::Touches(std::iter::once(0..8).collect()),
            2,
        ));
        assert_eq!(plan.strike(Occasion::Read(0, 4)), None);
        assert!(plan.strike(Occasion::Write(4, 8)).is_some());
    }
}
