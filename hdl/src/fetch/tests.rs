//! The fetch unit against a host that splits, interleaves and delays its completions, and now and then answers wrongly.

use super::FetchUnit;
use crate::sizes::WORD_BITS;
use crate::testing::{Result, chance, get128, reset, seeded, set_all, set128};
use pinring_protocol::Status;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

/// Cycles a read may take, where the test sets a time-out, and how much later the unit may notice.
const TIMEOUT: u64 = 400;
const SLACK: u64 = 100;

/// A job under a tag.
#[derive(Clone, Debug)]
struct Job {
    addr: u64,
    bytes: u64,
    target: u64,
    kind: u64,
    id: u64,
    word: u64,
    /// Bytes asked for so far.
    asked: u64,
    /// Bytes that came.
    got: u64,
    /// Some of them are poisoned.
    poisoned: bool,
}

/// What is wrong with a completion, or that it does not come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Unsupported,
    Aborted,
    Poisoned,
    ByteCount,
    Address,
    TooLong,
    Empty,
    Silent,
}

/// Those of completions. The first three can hit a read that nobody waits for as well.
const FAULTS: [Fault; 7] = [
    Fault::Unsupported,
    Fault::Aborted,
    Fault::Poisoned,
    Fault::ByteCount,
    Fault::Address,
    Fault::TooLong,
    Fault::Empty,
];

impl Fault {
    fn status(self) -> Status {
        match self {
            Self::Unsupported => Status::ReadUnsupported,
            Self::Aborted => Status::ReadAborted,
            Self::Poisoned => Status::ReadPoisoned,
            Self::ByteCount | Self::Address | Self::TooLong | Self::Empty => Status::ReadMalformed,
            Self::Silent => Status::ReadTimeout,
        }
    }

    /// The completion is the last of its read: nothing comes behind an error status, nor behind more than was asked for.
    fn is_last(self) -> bool {
        matches!(self, Self::Unsupported | Self::Aborted | Self::TooLong)
    }
}

/// How often something goes wrong, in percent.
#[derive(Clone, Copy)]
struct Trouble {
    faults: u32,
    losses: u32,
    strays: u32,
}

const NONE: Trouble = Trouble {
    faults: 0,
    losses: 0,
    strays: 0,
};

/// What a read still brings.
#[derive(Clone, Copy)]
struct Read {
    tag: usize,
    /// Address of its job.
    addr: u64,
    /// Offset in the job.
    at: u64,
    left: u64,
    /// Cycle from which on it is answered.
    from: u64,
}

/// A completion on its way.
struct Completion {
    read: Read,
    fault: Option<Fault>,
    /// Nobody waits for it.
    late: bool,
    /// It is its read's last.
    last: bool,
    beats: VecDeque<u128>,
    first: bool,
    bytes: u64,
    /// Offset of the beat in the job.
    at: u64,
}

struct Bench {
    dut: Pair<FetchUnit>,
    random: StdRng,
    /// Words that are not the fetch unit's: what they are, and how many went out.
    hints: StdRng,
    hinted: usize,
    max_read: u64,
    timeout: u64,
    cycle: u64,
    jobs: [Option<Job>; 8],
    /// When the read of a tag went out whose last completion has not come.
    due: [Option<u64>; 8],
    reads: Vec<Read>,
    now: Option<Completion>,
    ends: Vec<Option<Fault>>,
    most: usize,
    next_tag: usize,
    strays: usize,
}

impl Bench {
    fn new(max_read: u64, timeout: u64, seed: u64) -> Result<Self> {
        let mut dut = Pair::new(
            FetchUnit::default(),
            ports!(FetchUnit {
                clock: clock;
                in reset, max_read, timeout, req_valid, req_addr, req_bytes, req_target, req_kind, req_id, req_word, rd_ready,
                    cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status,
                    cpl_poisoned, usable, hint_valid, hint_last, hint_target, hint_id, hint_word, hint_data;
                out hint_ready, req_ready, rd_valid, rd_addr, rd_bytes, rd_tag, fill_write, fill_target, fill_kind, fill_word, fill_data,
                    done_valid, done_target, done_kind, done_id, done_status, outstanding
            }),
        )?;
        dut.set("max_read", max_read)?;
        dut.set("timeout", timeout)?;
        dut.set("usable", 0xff)?;
        reset(&mut dut)?;
        Ok(Self {
            dut,
            random: seeded(seed),
            hints: seeded(seed + 1000),
            hinted: 0,
            max_read,
            timeout,
            cycle: 0,
            jobs: Default::default(),
            due: [None; 8],
            reads: Vec::new(),
            now: None,
            ends: Vec::new(),
            most: 0,
            next_tag: 0,
            strays: 0,
        })
    }

    /// Offers a job.
    fn offer(&mut self) -> Result {
        let random = &mut self.random;
        let bytes = match random.random_range(0..4) {
            0 => 64,
            1 => 512,
            2 => 8,
            _ => random.random_range(1..=64) * 8,
        };
        // No two jobs share one: the end of a job is known by it.
        let mut id = random.random_range(0..32);
        while self.jobs.iter().flatten().any(|job| job.id == id) {
            id = random.random_range(0..32);
        }
        let fields = [
            ("req_valid", 1),
            // No read crosses a 4 KiB boundary.
            (
                "req_addr",
                ((random.random::<u64>() >> 12) << 12) | (random.random_range(0..8) * 512),
            ),
            ("req_bytes", bytes),
            ("req_target", random.random_range(0..3)),
            ("req_kind", random.random_range(0..3)),
            ("req_id", id),
            ("req_word", random.random_range(0..1 << WORD_BITS)),
        ];
        set_all(&mut self.dut, &fields)
    }

    /// The next completion: of some read, cut at a 64-byte boundary; or of none.
    fn begin(&mut self, trouble: Trouble) {
        let random = &mut self.random;
        if chance(random, trouble.strays) {
            let tag = random.random_range(0..8);
            if self.due[tag].is_none() {
                let bytes = random.random_range(1..=4) * 16;
                let read = Read {
                    tag,
                    addr: self.jobs[tag].as_ref().map_or(0, |job| job.addr),
                    at: 0,
                    left: bytes,
                    from: 0,
                };
                self.now = Some(Completion {
                    read,
                    fault: None,
                    late: true,
                    last: false,
                    beats: (0..bytes / 16).map(|_| random.random()).collect(),
                    first: true,
                    bytes,
                    at: 0,
                });
                self.strays += 1;
                return;
            }
        }
        let answered: Vec<_> = (0..self.reads.len())
            .filter(|index| self.reads[*index].from <= self.cycle)
            .collect();
        if answered.is_empty() {
            return;
        }
        let index = answered[random.random_range(0..answered.len())];
        let read = self.reads[index];
        if chance(random, trouble.losses) {
            self.reads[index].from = self.cycle + random.random_range(1..3 * TIMEOUT);
            return;
        }
        let late = self.jobs[read.tag].is_none();
        let blocks = read.left.div_ceil(64);
        let bytes = read.left.min(64 * random.random_range(1..=blocks));
        let mut fault = None;
        if chance(random, trouble.faults) {
            let among = if late { 3 } else { FAULTS.len() };
            fault = Some(FAULTS[random.random_range(0..among)]);
        }
        let beats = match fault {
            Some(Fault::Unsupported | Fault::Aborted | Fault::Empty) => 1,
            Some(Fault::TooLong) => read.left.div_ceil(16) + 1,
            _ => bytes.div_ceil(16),
        };
        let beats = (0..beats).map(|_| random.random()).collect();
        let mut last = false;
        match fault {
            _ if fault.is_some_and(Fault::is_last) => last = true,
            None | Some(Fault::Poisoned) => {
                last = bytes == read.left;
                self.reads[index].at += bytes;
                self.reads[index].left -= bytes;
            }
            // A completion that does not fit belongs elsewhere: its own are still due.
            _ => {}
        }
        if last {
            self.reads.swap_remove(index);
        }
        self.now = Some(Completion {
            read,
            fault,
            late,
            last,
            beats,
            first: true,
            bytes,
            at: read.at,
        });
    }

    /// Puts the next beat of the completion on the wires.
    fn drive(&mut self) -> Result {
        let now = self.now.as_ref().expect("a completion");
        let mut dwords = now.bytes / 4;
        let Read { addr, at, left, .. } = now.read;
        let (mut left, mut lower, mut status) = (left, (addr + at) % 128, 0);
        match now.fault {
            Some(Fault::Unsupported) => (status, dwords) = (1, 0),
            Some(Fault::Aborted) => (status, dwords) = (4, 0),
            Some(Fault::ByteCount) => left += 4,
            Some(Fault::Address) => lower ^= 64,
            Some(Fault::TooLong) => dwords = left / 4 + 1,
            Some(Fault::Empty) => dwords = 0,
            Some(Fault::Poisoned | Fault::Silent) | None => {}
        }
        let fields = [
            ("cpl_valid", 1),
            ("cpl_sop", now.first.into()),
            ("cpl_eop", (now.beats.len() == 1).into()),
            ("cpl_tag", now.read.tag as u64),
            ("cpl_len", dwords),
            ("cpl_byte_count", left),
            ("cpl_lower_addr", lower),
            ("cpl_status", status),
            ("cpl_poisoned", (now.fault == Some(Fault::Poisoned)).into()),
        ];
        set_all(&mut self.dut, &fields)?;
        set128(&mut self.dut, "cpl_data", now.beats[0])
    }

    fn step(&mut self, trouble: Trouble) -> Result {
        let ready = chance(&mut self.random, 60);
        self.dut.set("rd_ready", ready)?;
        self.dut.set("cpl_valid", false)?;
        if self.now.is_none() && chance(&mut self.random, 60) {
            self.begin(trouble);
        }
        let mut beat = false;
        // Gaps within a completion too.
        if let Some(now) = &self.now
            && (now.first || chance(&mut self.random, 80))
        {
            self.drive()?;
            beat = true;
        } else if chance(&mut self.random, 20) {
            // A completion of the data path.
            set_all(
                &mut self.dut,
                &[
                    ("cpl_valid", 1),
                    ("cpl_sop", 1),
                    ("cpl_eop", 1),
                    ("cpl_tag", 11),
                ],
            )?;
        }

        let mut taken = false;
        if self.dut.is("req_valid")? && self.dut.is("req_ready")? {
            let dut = &mut self.dut;
            let job = Job {
                addr: dut.get("req_addr")?,
                bytes: dut.get("req_bytes")?,
                target: dut.get("req_target")?,
                kind: dut.get("req_kind")?,
                id: dut.get("req_id")?,
                word: dut.get("req_word")?,
                asked: 0,
                got: 0,
                poisoned: false,
            };
            // It takes the next tag in turn without a job and without a completion due.
            let tag = (0..8)
                .map(|step| (self.next_tag + step) % 8)
                .find(|tag| self.jobs[*tag].is_none() && self.due[*tag].is_none())
                .expect("a free tag");
            self.next_tag = tag + 1;
            self.jobs[tag] = Some(job);
            self.most = self.most.max(self.jobs.iter().flatten().count());
            taken = true;
        }
        self.check_beat(beat)?;
        self.check_read()?;
        self.check_time();
        self.cycle += 1;
        self.dut.step()?;
        if taken {
            self.dut.set("req_valid", false)?;
        }
        Ok(())
    }

    /// No job waits for a read for ever.
    fn check_time(&self) {
        if self.timeout == 0 || self.now.is_some() {
            return;
        }
        for (job, due) in self.jobs.iter().zip(self.due) {
            if let (Some(_), Some(issued)) = (job, due) {
                assert!(
                    self.cycle - issued <= self.timeout + SLACK,
                    "no end after the time"
                );
            }
        }
    }

    /// A read asks for the next part of its job.
    fn check_read(&mut self) -> Result {
        let dut = &mut self.dut;
        if !(dut.is("rd_valid")? && dut.is("rd_ready")?) {
            return Ok(());
        }
        let tag = dut.get("rd_tag")? as usize;
        let job = self.jobs[tag].as_mut().expect("a read belongs to a job");
        let bytes = (job.bytes - job.asked).min(self.max_read);
        assert!(bytes > 0, "everything was asked for");
        assert_eq!(self.due[tag], None, "completions of tag {tag} are due");
        assert_eq!(dut.get("rd_addr")?, job.addr + job.asked);
        assert_eq!(dut.get("rd_bytes")?, bytes);
        self.reads.push(Read {
            tag,
            addr: job.addr,
            at: job.asked,
            left: bytes,
            from: 0,
        });
        self.due[tag] = Some(self.cycle);
        job.asked += bytes;
        Ok(())
    }

    /// A job ends without a completion: its time is over.
    fn check_silence(&mut self) -> Result {
        let dut = &mut self.dut;
        if dut.is("hint_valid")? && dut.is("hint_ready")? {
            // Somebody else's word goes out as it is, and nothing else happens.
            for (out, hint) in [
                ("fill_target", "hint_target"),
                ("fill_word", "hint_word"),
                ("done_target", "hint_target"),
                ("done_id", "hint_id"),
                ("done_valid", "hint_last"),
            ] {
                assert_eq!(dut.get(out)?, dut.get(hint)?, "{out}");
            }
            assert_eq!(get128(dut, "fill_data")?, get128(dut, "hint_data")?);
            let rest = [
                dut.get("fill_kind")?,
                dut.get("done_kind")?,
                dut.get("done_status")?,
            ];
            assert_eq!(rest, [0; 3]);
            assert!(dut.is("fill_write")?);
            self.hinted += 1;
            return Ok(());
        }
        assert!(!dut.is("fill_write")?, "nothing came");
        if !dut.is("done_valid")? {
            return Ok(());
        }
        let id = dut.get("done_id")?;
        let tag = (0..8)
            .find(|tag| self.jobs[*tag].as_ref().is_some_and(|job| job.id == id))
            .expect("a job");
        let issued = self.due[tag].expect("its read is out");
        assert!(
            self.timeout > 0 && self.cycle - issued >= self.timeout,
            "its time is not over"
        );
        self.end(tag, Some(Fault::Silent))
    }

    /// A job ends: the first error stands.
    fn end(&mut self, tag: usize, fault: Option<Fault>) -> Result {
        let dut = &mut self.dut;
        let job = self.jobs[tag].take().expect("a job");
        let fault = if job.poisoned {
            Some(Fault::Poisoned)
        } else {
            fault
        };
        assert_eq!(
            dut.get("done_status")?,
            fault.map_or(0, |fault| fault.status().code()),
            "{fault:?}"
        );
        let what = [
            dut.get("done_target")?,
            dut.get("done_kind")?,
            dut.get("done_id")?,
        ];
        assert_eq!(what, [job.target, job.kind, job.id]);
        self.ends.push(fault);
        Ok(())
    }

    /// What a beat does: a word written, and at its end perhaps the end of the job.
    fn check_beat(&mut self, beat: bool) -> Result {
        let dut = &mut self.dut;
        let [target, id, word, last] =
            [2, 32, 1 << WORD_BITS, 2].map(|end| self.hints.random_range(0..end));
        set_all(
            dut,
            &[
                ("hint_valid", chance(&mut self.hints, 40).into()),
                ("hint_target", target),
                ("hint_id", id),
                ("hint_word", word),
                ("hint_last", last),
            ],
        )?;
        set128(dut, "hint_data", self.hints.random())?;
        let Some(now) = self.now.as_mut().filter(|_| beat) else {
            return self.check_silence();
        };
        assert!(!dut.is("hint_ready")?, "the port is in use");
        let data = now.beats.pop_front().expect("a beat");
        let eop = now.beats.is_empty();
        let good = !now.late && now.fault.is_none();
        assert_eq!(
            dut.is("fill_write")?,
            good,
            "{:?}, late: {}",
            now.fault,
            now.late
        );
        let tag = now.read.tag;
        let (fault, last) = (now.fault, now.last);
        let mut ends = false;
        if !now.late {
            let job = self.jobs[tag].as_mut().expect("a job");
            if good {
                assert_eq!(
                    dut.get("fill_word")?,
                    (job.word + now.at / 16) % (1 << WORD_BITS)
                );
                assert_eq!(
                    (dut.get("fill_target")?, dut.get("fill_kind")?),
                    (job.target, job.kind)
                );
                assert_eq!(get128(dut, "fill_data")?, data);
            }
            if eop {
                if matches!(fault, None | Some(Fault::Poisoned)) {
                    job.poisoned |= fault.is_some();
                    job.got += now.bytes;
                    // Poisoned data are counted; no further part is read.
                    ends = last && (job.poisoned || job.got == job.bytes);
                } else {
                    ends = true;
                }
            }
        }
        now.first = false;
        now.at += 16;
        assert_eq!(
            dut.is("done_valid")?,
            ends,
            "a job ends with its last beat: {fault:?}"
        );
        if eop {
            self.now = None;
            if last {
                self.due[tag] = None;
            }
        }
        if ends {
            self.end(tag, fault)?;
        }
        Ok(())
    }

    fn run(&mut self, jobs: usize, trouble: Trouble) -> Result {
        let mut offered = 0;
        (self.most, self.ends) = (0, Vec::new());
        for _ in 0..500 * jobs {
            if offered < jobs && !self.dut.is("req_valid")? && chance(&mut self.random, 20) {
                self.offer()?;
                offered += 1;
            }
            self.step(trouble)?;
            if self.ends.len() == jobs && self.reads.is_empty() && self.now.is_none() {
                break;
            }
        }
        assert_eq!(self.ends.len(), jobs, "every job ends once");
        assert!(self.reads.is_empty() && self.now.is_none());
        assert_eq!(self.due, [None; 8]);
        Ok(())
    }
}

#[test]
fn jobs_come_in_parts() -> Result {
    for max_read in [128, 256, 512] {
        let mut bench = Bench::new(max_read, 0, max_read)?;
        bench.run(60, NONE)?;
        assert_eq!(bench.most, 8, "eight jobs at once");
        assert!(bench.hinted > 50, "{} words of others", bench.hinted);
    }
    Ok(())
}

/// Wrong answers, answers that come late or to nobody: each ends its own job only, and no tag is used while
/// something of it is due, or lost.
#[test]
fn a_wrong_answer_ends_its_job_only() -> Result {
    let mut bench = Bench::new(256, TIMEOUT, 7)?;
    let trouble = Trouble {
        faults: 30,
        losses: 8,
        strays: 10,
    };
    bench.run(250, trouble)?;
    for fault in FAULTS.into_iter().chain([Fault::Silent]) {
        assert!(bench.ends.contains(&Some(fault)), "no {fault:?}");
    }
    assert!(bench.ends.contains(&None));
    assert!(bench.strays > 20, "{} strays", bench.strays);
    bench.run(60, NONE)?;
    assert_eq!(bench.most, 8, "all tags are free again");
    Ok(())
}

impl Bench {
    /// The tag is not free.
    fn rests(&mut self, tag: u64) -> Result {
        set_all(&mut self.dut, &[("usable", 1 << tag), ("req_valid", 1)])?;
        assert!(!self.dut.is("req_ready")?, "tag {tag} may not be used");
        set_all(&mut self.dut, &[("usable", 0xff), ("req_valid", 0)])
    }

    /// A job is taken and its first read goes out, under tag `tag`, which is free.
    fn ask(&mut self, addr: u64, bytes: u64, tag: u64) -> Result {
        let dut = &mut self.dut;
        set_all(
            dut,
            &[
                ("usable", 1 << tag),
                ("rd_ready", 1),
                ("req_valid", 1),
                ("req_addr", addr),
                ("req_bytes", bytes),
            ],
        )?;
        assert!(dut.is("req_ready")?, "a tag is free");
        dut.step()?;
        set_all(dut, &[("usable", 0xff), ("req_valid", 0)])?;
        assert!(dut.is("rd_valid")?);
        assert_eq!(dut.get("rd_tag")?, tag);
        dut.step()?;
        assert!(!dut.is("rd_valid")?);
        Ok(())
    }

    /// `beats` beats from number `from` on of a completion with `bytes` of the `left` bytes at `addr`; whether anything was
    /// written, and the status if a job ended.
    fn answer(
        &mut self,
        tag: u64,
        [addr, bytes, left]: [u64; 3],
        poisoned: bool,
        beats: std::ops::Range<u64>,
    ) -> Result<(bool, Option<u64>)> {
        let dut = &mut self.dut;
        let mut outcome = (false, None);
        for beat in beats {
            set_all(
                dut,
                &[
                    ("cpl_valid", 1),
                    ("cpl_sop", (beat == 0).into()),
                    ("cpl_eop", (beat + 1 == bytes.div_ceil(16)).into()),
                    ("cpl_tag", tag),
                    ("cpl_len", bytes / 4),
                    ("cpl_byte_count", left),
                    ("cpl_lower_addr", addr % 128),
                    ("cpl_poisoned", poisoned.into()),
                ],
            )?;
            outcome.0 |= dut.is("fill_write")?;
            if dut.is("done_valid")? {
                outcome.1 = Some(dut.get("done_status")?);
            }
            dut.step()?;
        }
        dut.set("cpl_valid", false)?;
        Ok(outcome)
    }
}

/// A completion that comes twice is not the answer to the next read of its size: that has another tag.
#[test]
fn tags_take_turns() -> Result {
    let mut bench = Bench::new(512, 0, 1)?;
    let mut tag = 7;
    for job in 0..30 {
        let addr = 0x1000 * job;
        set_all(
            &mut bench.dut,
            &[
                ("rd_ready", 1),
                ("req_valid", 1),
                ("req_addr", addr),
                ("req_bytes", 64),
            ],
        )?;
        assert!(bench.dut.is("req_ready")?);
        bench.dut.step()?;
        bench.dut.set("req_valid", false)?;
        let next = bench.dut.get("rd_tag")?;
        assert_eq!(next, (tag + 1) % 8, "job {job}");
        bench.dut.step()?;
        if job > 0 {
            let twice = bench.answer(tag, [0x1000 * (job - 1), 64, 64], false, 0..4)?;
            assert_eq!(twice, (false, None));
        }
        tag = next;
        let once = bench.answer(tag, [addr, 64, 64], false, 0..4)?;
        assert_eq!(once, (true, Some(0)));
    }
    Ok(())
}

/// The rest of a block whose first completion is poisoned would fit a read of its size at its address.
#[test]
fn a_rest_is_no_answer_to_the_next_read() -> Result {
    let mut bench = Bench::new(512, 0, 1)?;
    bench.ask(0x1000, 512, 0)?;
    assert_eq!(
        bench.answer(0, [0x1000, 448, 512], true, 0..28)?,
        (false, None)
    );
    bench.rests(0)?;
    bench.ask(0x2040, 64, 1)?;
    let (_, end) = bench.answer(0, [0x11c0, 64, 64], false, 0..4)?;
    assert_eq!(end, Some(Status::ReadPoisoned.code()));
    bench.ask(0x3000, 64, 0)?;
    assert_eq!(
        bench.answer(1, [0x2040, 64, 64], false, 0..4)?,
        (true, Some(0))
    );
    // The same behind a completion that does not fit: that ends the job at once, but its tag rests.
    assert_eq!(
        bench.answer(0, [0x3040, 64, 64], false, 0..4)?,
        (false, Some(Status::ReadMalformed.code()))
    );
    bench.rests(0)?;
    bench.ask(0x4000, 64, 1)?;
    assert_eq!(
        bench.answer(0, [0x3000, 64, 64], false, 0..4)?,
        (false, None)
    );
    bench.ask(0x5000, 64, 0)
}

/// A read without an answer ends its job, and its tag rests until the answer comes. The time runs from when the read is
/// taken, for each part anew, and only if there is one.
#[test]
fn a_read_without_an_answer_ends() -> Result {
    let mut bench = Bench::new(128, TIMEOUT, 1)?;
    bench.ask(0x1000, 256, 0)?;
    bench.dut.set("rd_ready", false)?;
    for _ in 0..TIMEOUT - 20 {
        assert!(!bench.dut.is("done_valid")?);
        bench.dut.step()?;
    }
    let first = bench.answer(0, [0x1000, 128, 128], false, 0..8)?;
    assert_eq!(first, (true, None));
    // The second part waits for the link, however long that takes.
    for _ in 0..2 * TIMEOUT {
        assert!(bench.dut.is("rd_valid")? && !bench.dut.is("done_valid")?);
        bench.dut.step()?;
    }
    bench.dut.set("rd_ready", true)?;
    bench.dut.step()?;
    let mut waited = 0;
    while !bench.dut.is("done_valid")? {
        waited += 1;
        assert!(waited < TIMEOUT + SLACK, "no end after the time");
        bench.dut.step()?;
    }
    assert!(waited >= TIMEOUT, "{waited}");
    assert_eq!(bench.dut.get("done_status")?, Status::ReadTimeout.code());
    bench.dut.step()?;
    bench.rests(0)?;
    bench.ask(0x2000, 64, 1)?;
    let late = bench.answer(0, [0x1080, 128, 128], false, 0..8)?;
    assert_eq!(late, (false, None));
    bench.ask(0x3000, 64, 0)?;
    // Without a time-out both reads wait.
    bench.dut.set("timeout", 0)?;
    for _ in 0..2 * TIMEOUT {
        assert!(!bench.dut.is("done_valid")?);
        bench.dut.step()?;
    }
    assert_eq!(
        bench.answer(1, [0x2000, 64, 64], false, 0..4)?,
        (true, Some(0))
    );
    Ok(())
}

/// After a reset in the middle of a completion the rest of it does nothing.
#[test]
fn reset_ends_a_completion() -> Result {
    let mut bench = Bench::new(128, 0, 1)?;
    bench.ask(0x1000, 512, 0)?;
    let first = bench.answer(0, [0x1000, 128, 128], false, 0..3)?;
    assert_eq!(first, (true, None));
    reset(&mut bench.dut)?;
    let rest = bench.answer(0, [0x1000, 128, 128], false, 3..8)?;
    assert_eq!(rest, (false, None));
    for _ in 0..4 {
        assert!(!bench.dut.is("rd_valid")?, "a read of nobody");
        bench.dut.step()?;
    }
    bench.ask(0x2000, 64, 0)
}
