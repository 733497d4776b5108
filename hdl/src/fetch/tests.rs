//! The fetch unit against a host that splits, interleaves and delays its completions, and now and then answers wrongly.

use super::FetchUnit;
use crate::testing::{Result, chance, get128, reset, seeded, set_all, set128};
use pinring_protocol::Status;
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

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
}

/// What is wrong with a completion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Unsupported,
    Aborted,
    Poisoned,
    ByteCount,
    Address,
    TooLong,
    Empty,
}

const FAULTS: [(Fault, Status); 7] = [
    (Fault::Unsupported, Status::ReadUnsupported),
    (Fault::Aborted, Status::ReadAborted),
    (Fault::Poisoned, Status::ReadPoisoned),
    (Fault::ByteCount, Status::ReadMalformed),
    (Fault::Address, Status::ReadMalformed),
    (Fault::TooLong, Status::ReadMalformed),
    (Fault::Empty, Status::ReadMalformed),
];

/// A completion on its way.
struct Completion {
    tag: usize,
    fault: Option<(Fault, Status)>,
    /// Nobody waits for it any more.
    late: bool,
    beats: VecDeque<u128>,
    first: bool,
    /// Offset of the beat in the job.
    at: u64,
    /// Bytes it brings, and bytes of its read from its first byte on.
    bytes: u64,
    left: u64,
}

struct Bench {
    dut: Pair<FetchUnit>,
    random: StdRng,
    max_read: u64,
    jobs: [Option<Job>; 8],
    /// Reads to answer: tag, offset in the job, bytes.
    reads: Vec<(usize, u64, u64)>,
    /// The rest of reads whose job has failed.
    late: Vec<(usize, u64, u64)>,
    now: Option<Completion>,
    ends: Vec<Option<Fault>>,
    most: usize,
}

impl Bench {
    fn new(max_read: u64, seed: u64) -> Result<Self> {
        let mut dut = Pair::new(
            FetchUnit::default(),
            ports!(FetchUnit {
                clock: clock;
                in reset, max_read, req_valid, req_addr, req_bytes, req_target, req_kind, req_id, req_word, rd_ready, cpl_valid,
                    cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned;
                out req_ready, rd_valid, rd_addr, rd_bytes, rd_tag, fill_write, fill_target, fill_kind, fill_word, fill_data,
                    done_valid, done_target, done_kind, done_id, done_status
            }),
        )?;
        dut.set("max_read", max_read)?;
        reset(&mut dut)?;
        Ok(Self {
            dut,
            random: seeded(seed),
            max_read,
            jobs: Default::default(),
            reads: Vec::new(),
            late: Vec::new(),
            now: None,
            ends: Vec::new(),
            most: 0,
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
            ("req_id", random.random_range(0..32)),
            ("req_word", random.random_range(0..256)),
        ];
        set_all(&mut self.dut, &fields)
    }

    /// The next completion: of some read, cut at a 64-byte boundary.
    fn begin(&mut self, faults: u32) {
        let late = !self.late.is_empty();
        let list = if late {
            &mut self.late
        } else {
            &mut self.reads
        };
        if list.is_empty() {
            return;
        }
        let index = self.random.random_range(0..list.len());
        let (tag, at, left) = list[index];
        let blocks = left.div_ceil(64);
        let bytes = left.min(64 * self.random.random_range(1..=blocks));
        let mut fault = None;
        if !late && chance(&mut self.random, faults) {
            fault = Some(FAULTS[self.random.random_range(0..FAULTS.len())]);
        }
        let beats = match fault {
            Some((Fault::Unsupported | Fault::Aborted | Fault::Empty, _)) => 1,
            Some((Fault::TooLong, _)) => left.div_ceil(16) + 1,
            _ => bytes.div_ceil(16),
        };
        let beats = (0..beats).map(|_| self.random.random()).collect();
        let rest = (tag, at + bytes, left - bytes);
        if bytes == left {
            list.swap_remove(index);
        } else {
            list[index] = rest;
        }
        if fault.is_some() {
            // A completion with an error status is the last of its read; others are followed by the rest.
            self.reads.retain(|read| read.0 != tag);
            let last = matches!(fault, Some((Fault::Unsupported | Fault::Aborted, _)));
            if !last && rest.2 > 0 {
                self.late.push(rest);
            }
        }
        self.now = Some(Completion {
            tag,
            fault,
            late,
            beats,
            first: true,
            at,
            bytes,
            left,
        });
    }

    /// Puts the next beat of the completion on the wires.
    fn drive(&mut self, addr: u64) -> Result {
        let now = self.now.as_ref().expect("a completion");
        let fault = now.fault.map(|(fault, _)| fault);
        let mut dwords = now.bytes / 4;
        let (mut left, mut lower, mut status) = (now.left, (addr + now.at) % 128, 0);
        match fault {
            Some(Fault::Unsupported) => (status, dwords) = (1, 0),
            Some(Fault::Aborted) => (status, dwords) = (4, 0),
            Some(Fault::ByteCount) => left += 4,
            Some(Fault::Address) => lower ^= 64,
            Some(Fault::TooLong) => dwords = left / 4 + 1,
            Some(Fault::Empty) => dwords = 0,
            Some(Fault::Poisoned) | None => {}
        }
        let fields = [
            ("cpl_valid", 1),
            ("cpl_sop", now.first.into()),
            ("cpl_eop", (now.beats.len() == 1).into()),
            ("cpl_tag", 32 + now.tag as u64),
            ("cpl_len", dwords),
            ("cpl_byte_count", left),
            ("cpl_lower_addr", lower),
            ("cpl_status", status),
            ("cpl_poisoned", (fault == Some(Fault::Poisoned)).into()),
        ];
        set_all(&mut self.dut, &fields)?;
        set128(&mut self.dut, "cpl_data", now.beats[0])
    }

    fn step(&mut self, faults: u32) -> Result {
        let ready = chance(&mut self.random, 60);
        self.dut.set("rd_ready", ready)?;
        self.dut.set("cpl_valid", false)?;
        if self.now.is_none() && chance(&mut self.random, 60) {
            self.begin(faults);
        }
        let mut beat = false;
        // Gaps within a completion too.
        if let Some(tag) = self.now.as_ref().map(|now| now.tag)
            && chance(&mut self.random, 80)
        {
            let addr = self.jobs[tag].as_ref().map_or(0, |job| job.addr);
            self.drive(addr)?;
            beat = true;
        } else if chance(&mut self.random, 20) {
            // A completion of the data path.
            set_all(
                &mut self.dut,
                &[
                    ("cpl_valid", 1),
                    ("cpl_sop", 1),
                    ("cpl_eop", 1),
                    ("cpl_tag", 3),
                ],
            )?;
        }

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
            };
            // It takes the lowest free tag.
            let tag = self
                .jobs
                .iter()
                .position(Option::is_none)
                .expect("a free tag");
            self.jobs[tag] = Some(job);
            self.most = self.most.max(self.jobs.iter().flatten().count());
            self.check_beat(beat)?;
            self.check_read()?;
            self.dut.step()?;
            return self.dut.set("req_valid", false);
        }
        self.check_beat(beat)?;
        self.check_read()?;
        self.dut.step()
    }

    /// A read asks for the next part of its job.
    fn check_read(&mut self) -> Result {
        let dut = &mut self.dut;
        if !(dut.is("rd_valid")? && dut.is("rd_ready")?) {
            return Ok(());
        }
        let tag = dut.get("rd_tag")? as usize - 32;
        let job = self.jobs[tag].as_mut().expect("a read belongs to a job");
        let bytes = (job.bytes - job.asked).min(self.max_read);
        assert!(bytes > 0, "everything was asked for");
        assert_eq!(dut.get("rd_addr")?, job.addr + job.asked);
        assert_eq!(dut.get("rd_bytes")?, bytes);
        self.reads.push((tag, job.asked, bytes));
        job.asked += bytes;
        Ok(())
    }

    /// What a beat does: a word written, and at its end perhaps the end of the job.
    fn check_beat(&mut self, beat: bool) -> Result {
        let dut = &mut self.dut;
        let Some(now) = self.now.as_mut().filter(|_| beat) else {
            assert!(
                !dut.is("fill_write")? && !dut.is("done_valid")?,
                "nothing came"
            );
            return Ok(());
        };
        let data = now.beats.pop_front().expect("a beat");
        let last = now.beats.is_empty();
        let good = !now.late && now.fault.is_none();
        assert_eq!(
            dut.is("fill_write")?,
            good,
            "{:?}, late: {}",
            now.fault,
            now.late
        );
        let mut end = None;
        if !now.late {
            let job = self.jobs[now.tag].as_mut().expect("a job");
            if good {
                assert_eq!(dut.get("fill_word")?, (job.word + now.at / 16) % 256);
                assert_eq!(
                    (dut.get("fill_target")?, dut.get("fill_kind")?),
                    (job.target, job.kind)
                );
                assert_eq!(get128(dut, "fill_data")?, data);
            }
            if last {
                job.got += if good { now.bytes } else { 0 };
                if !good || job.got == job.bytes {
                    end = Some(now.fault);
                }
            }
        }
        assert_eq!(
            dut.is("done_valid")?,
            end.is_some(),
            "a job ends with its last beat"
        );
        if let Some(fault) = end {
            let job = self.jobs[now.tag].take().expect("a job");
            assert_eq!(
                dut.get("done_status")?,
                fault.map_or(0, |(_, status)| status.code()),
                "{fault:?}"
            );
            let what = [
                dut.get("done_target")?,
                dut.get("done_kind")?,
                dut.get("done_id")?,
            ];
            assert_eq!(what, [job.target, job.kind, job.id]);
            self.ends.push(fault.map(|(fault, _)| fault));
        }
        now.first = false;
        now.at += 16;
        if last {
            self.now = None;
        }
        Ok(())
    }

    fn run(&mut self, jobs: usize, faults: u32) -> Result {
        let mut offered = 0;
        for _ in 0..200 * jobs {
            // A tag whose read still brings something is not given out again by a bench that has nothing to offer.
            let stale = !self.late.is_empty()
                || self
                    .now
                    .as_ref()
                    .is_some_and(|now| now.late || now.fault.is_some());
            if offered < jobs
                && !stale
                && !self.dut.is("req_valid")?
                && chance(&mut self.random, 20)
            {
                self.offer()?;
                offered += 1;
            }
            let offering = self.dut.is("req_valid")?;
            self.step(if offering { 0 } else { faults })?;
            if self.ends.len() == jobs && self.late.is_empty() && self.now.is_none() {
                break;
            }
        }
        assert_eq!(self.ends.len(), jobs, "every job ends once");
        assert!(faults > 0 || self.most == 8, "eight jobs at once");
        Ok(())
    }
}

#[test]
fn jobs_come_in_parts() -> Result {
    for max_read in [128, 256, 512] {
        Bench::new(max_read, max_read)?.run(60, 0)?;
    }
    Ok(())
}

#[test]
fn a_wrong_answer_ends_its_job_only() -> Result {
    let mut bench = Bench::new(256, 7)?;
    bench.run(250, 40)?;
    for (fault, _) in FAULTS {
        assert!(bench.ends.contains(&Some(fault)), "no {fault:?}");
    }
    assert!(bench.ends.contains(&None));
    Ok(())
}
