//! `[[faults]]`: what goes wrong, and in which transfer.

use serde::{Deserialize, Serialize};

/// One thing that goes wrong, once. A transfer that ends in an error is reported, and the run goes on; so it does if the fault never
/// finds its occasion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong. Of a read of the device: `completion-ur`, `completion-ca` (refused), `poisoned` (its first completion), `lost`
    /// (no answer), `late` (by `duration_ns`; the device waits 50 ms), `duplicate` (its last completion comes twice), `unexpected`
    /// (behind its first completion another one with a tag that no read has), `oversized` (64 bytes too many), `wrong-tag` (its
    /// completions bear that of another read of the transfer, or one that no read has). Of any request: `credit-starvation` (from then on the root complex returns no credits for
    /// `duration_ns`). Of the transfer's queue: `lost-interrupt`, `spurious-interrupt` (one comes twice), `delayed-doorbell` (by `duration_ns`).
    pub kind: FaultKind,
    /// Which requests count: `data`, `submission-entry`, `region-entry` or `sg-block`. Left out: `data`. Not for interrupts and doorbells.
    #[serde(default)]
    pub target: Option<FaultTarget>,
    /// The burst, counted from 0.
    #[serde(default)]
    pub burst: u32,
    /// The transfer of that burst, counted from 0; of interrupts and doorbells, one of their queue.
    #[serde(default)]
    pub transfer: u32,
    /// With target `data` or `sg-block`, only requests for this byte of the transfer count, or for the block that says where it lies.
    #[serde(default)]
    pub at_byte: Option<u64>,
    /// Which of the requests, interrupts or doorbells that count since the burst began, counted from 1.
    #[serde(default = "first")]
    pub nth: u32,
    /// How long, from 1 to 1,000,000,000 ns: for the kinds that name it, and no other.
    #[serde(default)]
    pub duration_ns: Option<u64>,
}

fn first() -> u32 {
    1
}

impl Fault {
    /// A fault of the first data request of a run's first transfer.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            target: None,
            burst: 0,
            transfer: 0,
            at_byte: None,
            nth: first(),
            duration_ns: None,
        }
    }

    /// Which requests count.
    pub fn target(&self) -> FaultTarget {
        self.target.unwrap_or(FaultTarget::Data)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A read is answered with Unsupported Request.
    CompletionUr,
    /// A read is answered with Completer Abort.
    CompletionCa,
    /// A read's first completion is poisoned.
    Poisoned,
    /// A read is not answered.
    Lost,
    /// A read is answered late.
    Late,
    /// A read's last completion comes twice.
    Duplicate,
    /// A completion comes under a tag that no read has.
    Unexpected,
    /// A read's last completion holds too much.
    Oversized,
    /// A read's completions come under the tag of another read of its transfer.
    WrongTag,
    /// No credits come back for a while.
    CreditStarvation,
    /// An interrupt does not arrive.
    LostInterrupt,
    /// An interrupt arrives twice.
    SpuriousInterrupt,
    /// A doorbell write leaves late.
    DelayedDoorbell,
}

/// What a fault is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultScope {
    /// A read of the device.
    Read,
    /// A request of the device.
    Request,
    /// A queue's interrupts.
    Interrupt,
    /// A queue's doorbell.
    Doorbell,
}

impl FaultKind {
    /// What it is of.
    pub fn scope(self) -> FaultScope {
        match self {
            Self::CreditStarvation => FaultScope::Request,
            Self::LostInterrupt | Self::SpuriousInterrupt => FaultScope::Interrupt,
            Self::DelayedDoorbell => FaultScope::Doorbell,
            _ => FaultScope::Read,
        }
    }

    /// Whether it lasts for some time.
    pub fn lasts(self) -> bool {
        matches!(
            self,
            Self::Late | Self::CreditStarvation | Self::DelayedDoorbell
        )
    }

    /// Whether a transfer may fail by it.
    pub fn fails(self) -> bool {
        self.scope() == FaultScope::Read && !matches!(self, Self::Duplicate | Self::Unexpected)
    }
}

/// Which requests of a transfer a fault may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FaultTarget {
    /// The bytes that travel.
    Data,
    /// Its entry in the submission ring.
    SubmissionEntry,
    /// Its region's entry in the region table.
    RegionEntry,
    /// The blocks of its region's list.
    SgBlock,
}
