//! A burst of transfers, run one of four ways and timed.

use std::fmt;

use crate::{Completion, Device, Direction, Error, Tier, TierChoice, Transfer, Transport};

/// How long to poll for the first byte, in nanoseconds, before it counts as not seen.
const FIRST_BYTE_LIMIT_NS: u64 = 1_000_000_000;

/// How a burst gets from buffers to addresses that the device may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, clap::ValueEnum))]
#[cfg_attr(feature = "cli", serde(rename_all = "kebab-case"))]
pub enum Strategy {
    /// A list per transfer, one transfer at a time: what a driver without registration does.
    PerTransfer,
    /// The same lists, made by the driver while earlier transfers run.
    PrepareAhead,
    /// The list was made at registration; the whole burst is submitted at once.
    Registered,
    /// Contiguous driver memory and a copy.
    CommonBuffer,
}

impl Strategy {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [
        Self::PerTransfer,
        Self::PrepareAhead,
        Self::Registered,
        Self::CommonBuffer,
    ];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerTransfer => "per-transfer",
            Self::PrepareAhead => "prepare-ahead",
            Self::Registered => "registered",
            Self::CommonBuffer => "common-buffer",
        }
    }

    /// The tiers to register its buffers with; `None`: it copies to and from a [`CommonBuffer`](crate::CommonBuffer).
    pub const fn tiers(self) -> Option<TierChoice> {
        match self {
            Self::PerTransfer | Self::PrepareAhead => Some(TierChoice::exactly(Tier::PerTransfer)),
            Self::Registered => Some(TierChoice::down_to(Tier::MappedOnce)),
            Self::CommonBuffer => None,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When things happened, in nanoseconds from the burst's first action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BurstTimes {
    /// Spent in submissions.
    pub submit_ns: u64,
    /// Submissions.
    pub submissions: usize,
    /// Spent in copies.
    pub copy_ns: u64,
    /// When the first byte was seen in the application's memory; `None` if it was not looked for, or not seen.
    pub first_byte_ns: Option<u64>,
    /// When each transfer's data was the application's: completed, and copied out.
    pub ends_ns: Vec<u64>,
    /// How each transfer ended.
    pub completions: Vec<Completion>,
}

impl BurstTimes {
    /// When the last transfer's data was the application's.
    pub fn last_ns(&self) -> u64 {
        self.ends_ns.last().copied().unwrap_or_default()
    }

    /// Bytes moved.
    pub fn bytes(&self) -> u64 {
        self.completions.iter().map(|ended| ended.bytes).sum()
    }
}

/// A burst of transfers of one direction.
pub struct Burst<'a> {
    strategy: Strategy,
    direction: Direction,
    transfers: &'a [Transfer],
    timeout_ns: u64,
    copy: Option<&'a mut Copy<'a>>,
    arrived: Option<&'a mut (dyn FnMut() -> bool + 'a)>,
}

type Copy<'a> = dyn FnMut(usize) -> Result<(), Error> + 'a;

impl<'a> Burst<'a> {
    /// These transfers, in this order, of regions that were registered with the strategy's [`tiers`](Strategy::tiers).
    pub fn new(strategy: Strategy, direction: Direction, transfers: &'a [Transfer]) -> Self {
        Self {
            strategy,
            direction,
            transfers,
            timeout_ns: 10_000_000_000,
            copy: None,
            arrived: None,
        }
    }

    /// With this limit for the whole burst in place of 10 s.
    pub fn timeout_ns(self, timeout_ns: u64) -> Self {
        Self { timeout_ns, ..self }
    }

    /// With this copy of a transfer's data, by its number: [`Strategy::CommonBuffer`] calls it once for each, before an H2C
    /// transfer and after a C2H transfer.
    pub fn copy(self, copy: &'a mut Copy<'a>) -> Self {
        Self {
            copy: Some(copy),
            ..self
        }
    }

    /// With this question, asked over and over after the first submission: has the first byte arrived?
    pub fn arrived(self, arrived: &'a mut (dyn FnMut() -> bool + 'a)) -> Self {
        Self {
            arrived: Some(arrived),
            ..self
        }
    }

    /// Runs it. Nothing else may be in flight on the device. When it returns, nothing is, well or not.
    ///
    /// # Errors
    /// A transfer that did not end well, the driver's reason, or the time-out; the rest was cancelled.
    pub fn run<T: Transport>(mut self, device: &Device<T>) -> Result<BurstTimes, Error> {
        if device.in_flight() > 0 {
            return Err(Error::Burst("other transfers are in flight: wait for them"));
        }
        if self.strategy == Strategy::CommonBuffer && self.copy.is_none() {
            return Err(Error::Burst("strategy common-buffer needs a copy"));
        }
        let mut times = BurstTimes::default();
        let ran = self.steps(device, &mut times);
        if ran.is_err() {
            // Best effort: what cannot be cancelled is reported later, and a region's end waits for it.
            let _ = device.cancel();
            let _ = device.wait(device.in_flight(), Some(1_000_000_000));
        }
        ran.map(|()| times)
    }

    fn steps<T: Transport>(
        &mut self,
        device: &Device<T>,
        times: &mut BurstTimes,
    ) -> Result<(), Error> {
        let clock = device.transport();
        let start = clock.now_ns();
        let since = || clock.now_ns().saturating_sub(start);
        let window = match self.strategy {
            Strategy::PerTransfer => 1,
            _ => (device.info().ring_entries as usize).clamp(1, pinring_ioctl::MAX_BATCH),
        };
        let (copies_in, copies_out) = match (self.strategy, self.direction) {
            (Strategy::CommonBuffer, Direction::H2c) => (true, false),
            (Strategy::CommonBuffer, Direction::C2h) => (false, true),
            _ => (false, false),
        };
        let mut submitted = 0;
        while times.ends_ns.len() < self.transfers.len() {
            let room = window - (submitted - times.ends_ns.len());
            let mut batch = room.min(self.transfers.len() - submitted);
            if copies_in && batch > 0 {
                times.copy_ns += self.copy_one(submitted, clock)?;
                batch = 1;
            }
            if batch > 0 {
                let before = since();
                device.submit(
                    self.direction,
                    &self.transfers[submitted..submitted + batch],
                )?;
                times.submit_ns += since() - before;
                times.submissions += 1;
                submitted += batch;
                if copies_in && submitted < self.transfers.len() && room > 1 {
                    continue;
                }
            }
            if let Some(arrived) = self.arrived.take() {
                times.first_byte_ns = first_byte(clock, arrived).then(&since);
            }
            let first = times.completions.len();
            let left = self.timeout_ns.saturating_sub(since());
            device.wait_into(&mut times.completions, 1, Some(left))?;
            if times.completions.len() == first {
                return Err(Error::BurstTimeout {
                    left: self.transfers.len() - first,
                    seconds: self.timeout_ns / 1_000_000_000,
                });
            }
            for index in first..times.completions.len() {
                if let Err(error) = times.completions[index].result {
                    return Err(Error::Transfer { index, error });
                }
                if copies_out {
                    times.copy_ns += self.copy_one(index, clock)?;
                    times.first_byte_ns.get_or_insert_with(&since);
                }
                times.ends_ns.push(since());
            }
        }
        Ok(())
    }

    /// Nanoseconds that it took.
    fn copy_one(&mut self, index: usize, clock: &impl Transport) -> Result<u64, Error> {
        let before = clock.now_ns();
        if let Some(copy) = &mut self.copy {
            copy(index)?;
        }
        Ok(clock.now_ns().saturating_sub(before))
    }
}

/// Polls; whether the first byte was seen.
fn first_byte(clock: &impl Transport, arrived: &mut dyn FnMut() -> bool) -> bool {
    let end = clock.now_ns().saturating_add(FIRST_BYTE_LIMIT_NS);
    loop {
        if arrived() {
            return true;
        }
        if clock.now_ns() >= end {
            return false;
        }
        clock.relax();
    }
}
