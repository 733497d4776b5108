//! `pinring selftest`.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use pinring_ioctl::Error as Refusal;
use serde::Serialize;

use super::Run;
use super::format::{bytes, count, paragraph, words};
use crate::{
    Buffer, CommonBuffer, Completion, Device, Direction, Error, Permissions, Reason, Region, Tier,
    TierChoice, Transfer, Transport, pattern,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Bytes of each transfer, a multiple of 4; tier PerTransfer takes at most what `pinring info` says
    #[arg(long, default_value_t = 1 << 20)]
    bytes: u64,
    /// Seed of the demo's pattern, as source and sink have it
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// TDEST of the source's stream
    #[arg(long, default_value_t = 0)]
    tdest: u16,
    /// Seconds that a transfer may take
    #[arg(long, default_value_t = 5)]
    timeout: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Pass,
    Fail,
    /// Not tried: something before it failed, or this machine does not have it.
    Skip,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        })
    }
}

#[derive(Serialize)]
struct Step {
    /// `None`: of the device as a whole.
    tier: Option<Tier>,
    step: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Default, Serialize)]
struct Report {
    passed: bool,
    steps: Vec<Step>,
    #[serde(skip)]
    tier: Option<Tier>,
}

impl Report {
    /// Takes a step, unless one that it needs has failed.
    fn step<R>(
        &mut self,
        step: &'static str,
        needed: bool,
        take: impl FnOnce() -> Result<(R, String)>,
    ) -> Option<R> {
        match needed.then(take) {
            None => self.end(
                step,
                Verdict::Skip,
                "a step that it needs failed".to_string(),
            ),
            Some(Ok((result, detail))) => {
                self.end(step, Verdict::Pass, detail);
                return Some(result);
            }
            Some(Err(error)) => self.end(step, Verdict::Fail, format!("{error:#}")),
        }
        None
    }

    fn end(&mut self, step: &'static str, verdict: Verdict, detail: String) {
        self.steps.push(Step {
            tier: self.tier,
            step,
            verdict,
            detail,
        });
    }
}

/// What a buffer holds before a transfer to it.
const POISON: u8 = 0xa5;
/// Bytes after which the pattern repeats.
const PERIOD: u64 = 1 << 34;
/// Transfers that are waited for, or cancelled, together.
const PARTS: u64 = 4;
/// A limit that is over before transfers are.
const SOON_NS: u64 = 1_000;
/// After which a region that is busy is asked again.
const RETRY_NS: u64 = 10_000;

type Opened = Device<Rc<dyn Transport>>;

pub(super) fn run(run: &mut Run<'_, '_>, arguments: &Arguments) -> Result<bool> {
    ensure!(
        arguments.bytes >= 16 && arguments.bytes.is_multiple_of(4),
        "--bytes {}: give a multiple of 4, at least 16",
        arguments.bytes
    );
    let mut report = Report::default();
    let opened = report.step("open the device", true, || {
        let device = run.open()?;
        let info = device.query()?;
        ensure!(
            info.running != 0,
            "the device does not run: see the event log"
        );
        let before = device.statistics()?;
        let clock = info.clock_hz / 1_000_000;
        let detail = format!("{} bits at {clock} MHz", info.data_width_bits);
        Ok(((device, before), detail))
    });
    if let Some((device, before)) = opened {
        let test = Test {
            device,
            arguments,
            moved: Cell::default(),
        };
        let mut moved_well = true;
        for tier in Tier::ALL {
            moved_well &= test.tier(&mut report, *tier);
        }
        report.tier = None;
        report.step("counters", moved_well, || {
            let after = test.device.statistics()?;
            let counted = [
                after.c2h_bytes.saturating_sub(before.c2h_bytes),
                after.h2c_bytes.saturating_sub(before.h2c_bytes),
            ];
            Ok(((), test.compare(counted)?))
        });
    }
    report.passed = report
        .steps
        .iter()
        .all(|step| step.verdict != Verdict::Fail);
    run.print(&report, text)?;
    Ok(report.passed)
}

struct Test<'a> {
    device: Opened,
    arguments: &'a Arguments,
    /// Bytes of the transfers that ended well, C2H and H2C.
    moved: Cell<[u64; 2]>,
}

/// Memory of one tier.
enum Memory {
    Registered(Region<Rc<dyn Transport>, Buffer>),
    /// The driver's, reached by copies.
    Common(CommonBuffer<Rc<dyn Transport>>),
}

impl Memory {
    fn transfer(&self, range: Range<u64>) -> Transfer {
        match self {
            Self::Registered(region) => region.transfer(range),
            Self::Common(region) => region.transfer(range),
        }
    }

    /// Writes its first bytes.
    fn write(&self, from: &[u8]) -> Result<()> {
        match self {
            Self::Registered(region) => {
                let mut view = region.view_mut()?;
                let to = view.get_mut(..from.len()).context("a shorter buffer")?;
                to.copy_from_slice(from);
            }
            Self::Common(region) => region.copy_in(0, from)?,
        }
        Ok(())
    }

    /// Its first bytes.
    fn read(&self, len: usize) -> Result<Vec<u8>> {
        match self {
            Self::Registered(region) => {
                let view = region.view()?;
                Ok(view.get(..len).context("a shorter buffer")?.to_vec())
            }
            Self::Common(region) => {
                let mut to = vec![0; len];
                region.copy_out(0, &mut to)?;
                Ok(to)
            }
        }
    }

    fn cancel(&self) -> Result<(), Error> {
        match self {
            Self::Registered(region) => region.cancel(),
            Self::Common(region) => region.cancel(),
        }
    }
}

/// A part of a packet that came.
struct Received {
    /// Position in the packet.
    start: u64,
    bytes: u64,
    /// It ended with the packet.
    end: bool,
}

impl Test<'_> {
    fn limit_ns(&self) -> u64 {
        self.arguments.timeout.saturating_mul(1_000_000_000)
    }

    /// Bytes of a transfer.
    fn bytes(&self, tier: Tier) -> u64 {
        let most = match tier {
            Tier::PerTransfer => self.device.info().max_transfer_bytes / 16 * 16,
            _ => u64::MAX,
        };
        self.arguments.bytes.min(most)
    }

    /// All steps of a tier; whether data went both ways, or the tier is not to be had.
    fn tier(&self, report: &mut Report, tier: Tier) -> bool {
        report.tier = Some(tier);
        if let Some(reason) = self.missing(tier) {
            report.end("register", Verdict::Skip, reason);
            return true;
        }
        let made = match self.make(tier) {
            Err(error) if is_about_pages(&error) => {
                report.end("register", Verdict::Skip, error.to_string());
                return true;
            }
            made => made,
        };
        let first = match tier {
            Tier::CommonBuffer => "allocate",
            _ => "register",
        };
        let memory = report.step(first, true, || Ok(made?));
        let ready = memory.is_some();
        let memory_ = || memory.as_ref().context("no memory");
        let bytes_ = self.bytes(tier);
        if tier == Tier::CommonBuffer {
            report.step("copy in and out", ready, || {
                Ok(((), copies(memory_()?, bytes_)?))
            });
        }
        let c2h = report.step("card to host", ready, || {
            Ok(((), self.card_to_host(memory_()?, bytes_)?))
        });
        let h2c = report.step("host to card", ready, || {
            Ok(((), self.host_to_card(memory_()?, bytes_)?))
        });
        report.step("wait with a limit", c2h.is_some(), || {
            Ok(((), self.wait(memory_()?, bytes_)?))
        });
        report.step("cancel", c2h.is_some(), || {
            Ok(((), self.cancel(memory_()?, bytes_)?))
        });
        let last = match tier {
            Tier::CommonBuffer => "free",
            _ => "unregister",
        };
        report.step(last, ready, || {
            let detail = match memory {
                Some(Memory::Registered(region)) => {
                    let let_go = region.unregister_within(self.limit_ns());
                    ensure!(
                        let_go.is_ok(),
                        "the device did not let go of the buffer within {} s: see the event log",
                        self.arguments.timeout
                    );
                    "the buffer is the application's again"
                }
                _ => {
                    drop(memory);
                    "the memory is the driver's again"
                }
            };
            Ok(((), detail.to_string()))
        });
        c2h.is_some() && h2c.is_some()
    }

    /// Why the driver does not offer a tier.
    fn missing(&self, tier: Tier) -> Option<String> {
        let info = self.device.info();
        let number = match tier {
            Tier::Bypass => info.bypass_missing,
            Tier::MappedOnce => info.mapped_once_missing,
            _ => 0,
        };
        (number != 0).then(|| Reason::describe(number))
    }

    fn make(&self, tier: Tier) -> Result<(Memory, String), Error> {
        let (memory, info) = if tier == Tier::CommonBuffer {
            let region = self.device.allocate(self.bytes(tier), Permissions::Both)?;
            let info = *region.info();
            (Memory::Common(region), info)
        } else {
            let buffer = self.device.buffer(self.bytes(tier) as usize)?;
            let choice = TierChoice::exactly(tier);
            let region = self.device.register(buffer, Permissions::Both, choice)?;
            let info = *region.info();
            (Memory::Registered(region), info)
        };
        Ok((memory, bytes(info.length)))
    }

    /// Submits transfers with the cookies 0, 1, ... Nothing may be in flight, so that completions are theirs.
    fn submit(&self, direction: Direction, transfers: &[Transfer]) -> Result<()> {
        ensure!(
            self.device.in_flight() == 0,
            "transfers of an earlier step have not ended"
        );
        let numbered: Vec<_> = transfers
            .iter()
            .zip(0..)
            .map(|(transfer, cookie)| transfer.cookie(cookie).tdest(self.arguments.tdest))
            .collect();
        // A region is busy for a while after a cancellation, its transfers reported or not.
        let clock = self.device.transport();
        let end = clock.now_ns().saturating_add(self.limit_ns());
        loop {
            match self.device.submit(direction, &numbered) {
                Err(error)
                    if error.driver() == Some(Refusal::RegionBusy) && clock.now_ns() < end =>
                {
                    clock.sleep(RETRY_NS);
                }
                result => return Ok(result?),
            }
        }
    }

    /// Takes the completions that are missing, and looks whether each transfer was reported once, in its turn.
    fn finish(
        &self,
        mut ended: Vec<Completion>,
        all: usize,
        memory: &Memory,
    ) -> Result<Vec<Completion>> {
        let left = all.saturating_sub(ended.len());
        ended.extend(self.device.wait(left, Some(self.limit_ns()))?);
        if ended.len() < all {
            memory.cancel()?;
            self.device.wait(all, Some(self.limit_ns()))?;
            let direction = ended.first().map(|ended| ended.direction);
            bail!(
                "{} of {all} ended within {} s{}",
                ended.len(),
                self.arguments.timeout,
                direction.map_or(String::new(), |direction| format!(" ({direction})"))
            );
        }
        let cookies: Vec<_> = ended.iter().map(|ended| ended.cookie).collect();
        let wanted: Vec<_> = (0..all as u64).collect();
        ensure!(
            cookies == wanted,
            "transfers {wanted:?} were reported as {cookies:?}"
        );
        for ended in ended.iter().filter(|ended| ended.result.is_ok()) {
            let mut moved = self.moved.get();
            moved[ended.direction.number() as usize] += ended.bytes;
            self.moved.set(moved);
        }
        Ok(ended)
    }

    /// One transfer: bytes moved, and whether it ended with a packet.
    fn transfer(&self, memory: &Memory, direction: Direction, bytes: u64) -> Result<(u64, bool)> {
        self.submit(direction, &[memory.transfer(0..bytes)])?;
        let ended = self.device.wait(1, Some(self.limit_ns()))?;
        if ended.is_empty() {
            memory.cancel()?;
            self.device.wait(1, Some(self.limit_ns()))?;
            let advice = match direction {
                Direction::C2h => "does the source send packets with this TDEST (`--tdest`)?",
                Direction::H2c => "does the sink take its stream?",
            };
            bail!("no end after {} s: {advice}", self.arguments.timeout);
        }
        let ended = self.finish(ended, 1, memory)?;
        let ended = ended.first().context("no completion")?;
        ended.result?;
        Ok((ended.bytes, ended.end_of_packet))
    }

    /// Two transfers: the second must go on where the first ended, which a wrong seed or lost bytes would show.
    fn card_to_host(&self, memory: &Memory, most: u64) -> Result<String> {
        let first = self.receive(memory, most)?;
        let second = self.receive(memory, most)?;
        self.follows(&first, &second)?;
        let packet = match first.end || second.end {
            true => ", with the end of a packet",
            false => "",
        };
        Ok(format!(
            "{} from position {} of a packet{packet}, every byte right",
            bytes(first.bytes + second.bytes),
            first.start
        ))
    }

    fn follows(&self, first: &Received, second: &Received) -> Result<()> {
        let expected = if first.end {
            0
        } else {
            (first.start + first.bytes) % PERIOD
        };
        ensure!(
            second.start == expected,
            "a transfer begins at position {} of a packet, not {expected}: give the source's seed (`--seed`); \
             with the right one, bytes were lost between two transfers",
            second.start
        );
        Ok(())
    }

    fn receive(&self, memory: &Memory, most: u64) -> Result<Received> {
        // So that bytes that were not written are seen.
        memory.write(&vec![POISON; most as usize])?;
        let (moved, end) = self.transfer(memory, Direction::C2h, most)?;
        self.look(&memory.read(most as usize)?, moved, end)
    }

    /// Checks the bytes that one transfer brought.
    fn look(&self, found: &[u8], moved: u64, end: bool) -> Result<Received> {
        let seed = self.arguments.seed;
        ensure!(
            (4..=found.len() as u64).contains(&moved),
            "{moved} bytes came: let the source send longer packets"
        );
        let (found, behind) = found.split_at(moved as usize);
        let start = pattern::position(found, seed).unwrap_or_default();
        if let Some(at) = pattern::mismatch(found, start, seed) {
            bail!(
                "byte {at} is {:#04x}, not {:#04x}: data was damaged on its way, or does not come from the demo's source",
                found[at],
                pattern::byte(start + at as u64, seed)
            );
        }
        ensure!(
            behind.iter().all(|byte| *byte == POISON),
            "bytes behind the {moved} that were reported have changed"
        );
        Ok(Received {
            start,
            bytes: moved,
            end,
        })
    }

    fn host_to_card(&self, memory: &Memory, most: u64) -> Result<String> {
        let mut data = vec![0; most as usize];
        pattern::fill(&mut data, 0, self.arguments.seed);
        memory.write(&data)?;
        let (moved, _) = self.transfer(memory, Direction::H2c, most)?;
        ensure!(moved == most, "{moved} of {most} bytes were moved");
        ensure!(
            memory.read(data.len())? == data,
            "the buffer that was sent has changed"
        );
        Ok(format!(
            "{} taken; whether they are right, only the card's sink can say",
            bytes(moved)
        ))
    }

    /// Submits C2H transfers to parts of the buffer.
    fn submit_parts(&self, memory: &Memory, bytes: u64) -> Result<Vec<Range<u64>>> {
        let part = bytes / PARTS / 4 * 4;
        let parts: Vec<_> = (0..PARTS).map(|at| at * part..(at + 1) * part).collect();
        memory.write(&vec![POISON; bytes as usize])?;
        let transfers = parts.iter().map(|part| memory.transfer(part.clone()));
        self.submit(Direction::C2h, &transfers.collect::<Vec<_>>())?;
        Ok(parts)
    }

    /// A wait whose time is up gives what there is, and the next one the rest: nothing is lost, nothing comes twice.
    fn wait(&self, memory: &Memory, bytes: u64) -> Result<String> {
        let parts = self.submit_parts(memory, bytes)?;
        let early = self.device.wait(parts.len(), Some(SOON_NS))?;
        let in_time = early.len();
        let ended = self.finish(early, parts.len(), memory)?;
        let found = memory.read(bytes as usize)?;
        let mut before: Option<Received> = None;
        for (part, ended) in parts.iter().zip(&ended) {
            ended.result?;
            let part = &found[part.start as usize..part.end as usize];
            let now = self.look(part, ended.bytes, ended.end_of_packet)?;
            if let Some(before) = &before {
                self.follows(before, &now)?;
            }
            before = Some(now);
        }
        Ok(format!(
            "{in_time} of {} transfers came within 1 µs, the others when they were waited for; every byte right",
            parts.len()
        ))
    }

    /// What is cancelled is reported, and the next transfer is as good as any.
    fn cancel(&self, memory: &Memory, bytes: u64) -> Result<String> {
        let parts = self.submit_parts(memory, bytes)?;
        memory.cancel()?;
        let ended = self.finish(Vec::new(), parts.len(), memory)?;
        let mut aborted = 0;
        for ended in &ended {
            match ended.result {
                Err(error) if error.is_aborted() => aborted += 1,
                result => result?,
            }
        }
        self.receive(memory, bytes)
            .context("the transfer after the cancelled ones")?;
        Ok(format!(
            "of {} transfers {aborted} were aborted and {} were faster; the next one's bytes are right",
            parts.len(),
            parts.len() - aborted
        ))
    }

    /// What the driver counted, next to what was moved.
    fn compare(&self, counted: [u64; 2]) -> Result<String> {
        let moved = self.moved.get();
        for (direction, (counted, moved)) in Direction::ALL.iter().zip(counted.iter().zip(moved)) {
            ensure!(
                *counted >= moved,
                "{direction}: the driver counts {} bytes, and {} were moved",
                count(*counted),
                count(moved)
            );
        }
        let more = match counted == moved {
            true => "",
            false => {
                "; those that are more were other programs', or of transfers that were cancelled"
            }
        };
        Ok(format!(
            "the driver counts {} C2H bytes for {} that were moved, {} H2C for {}{more}",
            count(counted[0]),
            count(moved[0]),
            count(counted[1]),
            count(moved[1]),
        ))
    }
}

/// Whether a registration failed because of what this machine's buffers are like: no fault of the device.
fn is_about_pages(error: &Error) -> bool {
    matches!(
        error.driver(),
        Some(Refusal::NotContiguous | Refusal::NotWholePages)
    )
}

/// What was copied in comes out again.
fn copies(memory: &Memory, most: u64) -> Result<String> {
    let mut data = vec![0; most as usize];
    // Another seed than the transfers' data could have.
    pattern::fill(&mut data, 4, !0);
    memory.write(&data)?;
    let found = memory.read(data.len())?;
    if let Some(at) = found
        .iter()
        .zip(&data)
        .position(|(found, data)| found != data)
    {
        bail!(
            "byte {at} is {:#04x} after it was copied in as {:#04x}",
            found[at],
            data[at]
        );
    }
    Ok(format!("{}, every byte right", bytes(most)))
}

fn text(report: &Report) -> String {
    let rows: Vec<_> = report
        .steps
        .iter()
        .map(|step| {
            vec![
                step.tier.map_or(String::new(), |tier| tier.to_string()),
                step.step.to_string(),
                step.verdict.to_string(),
                step.detail.clone(),
            ]
        })
        .collect();
    let verdict = match report.passed {
        true => {
            "Every step passed. Data from the card was checked byte for byte; data to it was taken, and only the card can check it: see the \
             sink's count of wrong bytes."
        }
        false => "The device does NOT work: see the step that failed.",
    };
    words(&["tier", "step", "verdict", "what was seen"], &rows) + &paragraph(verdict)
}
