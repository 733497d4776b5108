//! A completer that answers reads in any legal way, and in some illegal ones.

use crate::h2c::test_bench::content;
use pinring_protocol::Status;
use rand::{RngExt, rngs::StdRng};
use std::collections::{HashMap, VecDeque};

/// How a read is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As it should be.
    None,
    /// The last completion comes twice.
    Duplicate,
    /// Unsupported Request.
    Unsupported,
    /// Completer Abort.
    CompleterAbort,
    /// Configuration Request Retry Status, which is no answer to a memory read.
    Retry,
    /// One completion is poisoned.
    Poisoned,
    /// One completion's byte count is not what is missing.
    WrongCount,
    /// One completion's lower address is not where the next byte belongs.
    WrongAddress,
    /// One completion is longer than what is missing.
    TooLong,
    /// A completion ends inside a 64-byte block.
    SplitInside,
    /// A completion with data in name only.
    NoData,
    /// No answer until the transfer has ended.
    Silent,
}

impl Fault {
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Duplicate,
        Self::Unsupported,
        Self::CompleterAbort,
        Self::Retry,
        Self::Poisoned,
        Self::WrongCount,
        Self::WrongAddress,
        Self::TooLong,
        Self::SplitInside,
        Self::NoData,
        Self::Silent,
    ];

    /// Status of the slot.
    pub fn status(self) -> Status {
        match self {
            Self::None | Self::Duplicate => Status::Ok,
            Self::Unsupported => Status::ReadUnsupported,
            Self::CompleterAbort => Status::ReadAborted,
            Self::Poisoned => Status::ReadPoisoned,
            Self::Silent => Status::ReadTimeout,
            Self::Retry
            | Self::WrongCount
            | Self::WrongAddress
            | Self::TooLong
            | Self::SplitInside
            | Self::NoData => Status::ReadMalformed,
        }
    }
}

/// A read on its way.
#[derive(Clone, Debug)]
pub struct Read {
    pub tag: u64,
    pub addr: u64,
    pub left: u64,
    pub fault: Fault,
    pub transfer: usize,
}

/// A beat of a completion.
#[derive(Clone, Debug, Default)]
pub struct Beat {
    pub sop: bool,
    pub eop: bool,
    pub data: Vec<u8>,
    pub tag: u64,
    pub len: u64,
    pub byte_count: u64,
    pub lower: u64,
    pub status: u64,
    pub poisoned: bool,
    /// Follows the beat before without a gap.
    pub urgent: bool,
    /// The read of this transfer is over with this beat.
    pub ends: Option<usize>,
}

/// Reads in flight and completions on their way.
pub struct Completer {
    /// Bytes of a beat.
    pub lanes: u64,
    /// Read completion boundary; completions end only there, or at the end of their read.
    pub rcb: u64,
    /// Answer reads whole and in order.
    pub orderly: bool,
    pub reads: Vec<Read>,
    /// Tags that a completion is owed for although their slot has ended.
    pub late: Vec<u64>,
    pub beats: VecDeque<Beat>,
    /// Reads in flight by transfer.
    pub in_flight: HashMap<usize, usize>,
}

impl Completer {
    pub fn new(lanes: u64, rcb: u64) -> Self {
        Self {
            lanes,
            rcb,
            orderly: false,
            reads: Vec::new(),
            late: Vec::new(),
            beats: VecDeque::new(),
            in_flight: HashMap::new(),
        }
    }

    pub fn accept(&mut self, read: Read) {
        if read.fault != Fault::Silent {
            *self.in_flight.entry(read.transfer).or_default() += 1;
        }
        self.reads.push(read);
    }

    /// Nothing is owed any more.
    pub fn is_idle(&self) -> bool {
        self.reads.is_empty() && self.late.is_empty() && self.beats.is_empty()
    }

    /// Answers the silent reads of a transfer that has ended, too late.
    pub fn wake(&mut self, transfer: usize) {
        let late = &mut self.late;
        self.reads.retain(|read| {
            let woken = read.fault == Fault::Silent && read.transfer == transfer;
            if woken {
                late.push(read.tag);
            }
            !woken
        });
    }

    /// The next beat.
    pub fn next(&mut self, random: &mut StdRng) -> Option<Beat> {
        if self.beats.is_empty() {
            self.answer(random);
        }
        self.beats.pop_front()
    }

    fn answer(&mut self, random: &mut StdRng) {
        if !self.orderly && random.random_bool(0.05) {
            self.foreign(random);
            return;
        }
        if !self.late.is_empty() && random.random_bool(0.1) {
            self.answer_late(random);
            return;
        }
        let answerable: Vec<_> = (0..self.reads.len())
            .filter(|index| self.reads[*index].fault != Fault::Silent)
            .collect();
        if answerable.is_empty() {
            if !self.late.is_empty() {
                self.answer_late(random);
            }
            return;
        }
        let index = answerable[if self.orderly {
            0
        } else {
            random.random_range(0..answerable.len())
        }];
        let mut read = self.reads[index].clone();
        let mut take = read.left;
        let to_boundary = self.rcb - read.addr % self.rcb;
        if !self.orderly && to_boundary < take && random.random_bool(0.7) {
            let boundaries = (take - to_boundary - 1) / self.rcb;
            take = to_boundary + self.rcb * random.random_range(0..=boundaries);
        }
        let last = take == read.left;
        let strike = last || random.random_bool(0.5);
        let mut beats;
        let mut over = last;
        match read.fault {
            fault @ (Fault::Unsupported | Fault::CompleterAbort | Fault::Retry) if strike => {
                beats = self.without_data(&read, fault);
                over = true;
            }
            Fault::Poisoned if strike => {
                beats = self.with_data(&read, take, random);
                beats[0].poisoned = true;
                read.fault = Fault::None;
            }
            Fault::WrongCount if strike => {
                beats = self.with_data(&read, take, random);
                let wrong = [
                    beats[0].byte_count + 4,
                    beats[0].byte_count.saturating_sub(1).max(1),
                    4096,
                    1024,
                ];
                let wrong: Vec<_> = wrong
                    .into_iter()
                    .filter(|count| *count != beats[0].byte_count)
                    .collect();
                beats[0].byte_count = wrong[random.random_range(0..wrong.len())];
                self.late.push(read.tag);
                over = true;
            }
            Fault::WrongAddress if strike => {
                beats = self.with_data(&read, take, random);
                beats[0].lower ^= 1 << random.random_range(0..7);
                self.late.push(read.tag);
                over = true;
            }
            Fault::TooLong if last => {
                read.left = take + random.random_range(4u64..=64);
                beats = self.with_data(&read, read.left, random);
                beats[0].byte_count = take;
            }
            Fault::NoData if strike => {
                beats = self.without_data(&read, Fault::None);
                self.late.push(read.tag);
                over = true;
            }
            Fault::SplitInside if last => {
                let inside = (1..take)
                    .map(|bytes| take - bytes)
                    .find(|bytes| matches!((read.addr + bytes) % 64, 4 | 8 | 20 | 36 | 60));
                match inside {
                    Some(bytes) => {
                        beats = self.with_data(&read, bytes, random);
                        read.addr += bytes;
                        read.left -= bytes;
                        beats.extend(self.with_data(&read, take - bytes, random));
                    }
                    None => beats = self.without_data(&read, Fault::None),
                }
                self.late.push(read.tag);
            }
            Fault::Duplicate if last => {
                beats = self.with_data(&read, take, random);
                beats.extend(self.with_data(&read, take, random));
                beats.iter_mut().skip(1).for_each(|beat| beat.urgent = true);
            }
            _ => beats = self.with_data(&read, take, random),
        }
        if over {
            self.reads.remove(index);
            if let Some(beat) = beats.last_mut() {
                beat.ends = Some(read.transfer);
            }
        } else {
            read.addr += take;
            read.left -= take;
            self.reads[index] = read;
        }
        self.beats.extend(beats);
    }

    /// A completion for a tag whose slot has ended: maybe some that are not the last, then the last.
    fn answer_late(&mut self, random: &mut StdRng) {
        let index = random.random_range(0..self.late.len());
        let tag = self.late[index];
        let left = random.random_range(1u64..=512);
        let read = Read {
            tag,
            addr: random.random_range(0..8) * 64,
            left,
            fault: Fault::None,
            transfer: 0,
        };
        if left > 64 && random.random_bool(0.5) {
            let beats = self.with_data(&read, 64, random);
            self.beats.extend(beats);
            return;
        }
        self.late.remove(index);
        let beats = match random.random_bool(0.5) {
            true => self.with_data(&read, left, random),
            false => self.without_data(&read, Fault::Unsupported),
        };
        self.beats.extend(beats);
    }

    /// A completion for somebody else.
    fn foreign(&mut self, random: &mut StdRng) {
        let tag = random.random_range(0..8);
        let read = Read {
            tag,
            addr: 64,
            left: 64,
            fault: Fault::None,
            transfer: 0,
        };
        let beats = self.with_data(&read, 64, random);
        self.beats.extend(beats);
    }

    fn without_data(&self, read: &Read, fault: Fault) -> Vec<Beat> {
        let status = match fault {
            Fault::Unsupported => 1,
            Fault::Retry => 2,
            Fault::CompleterAbort => 4,
            _ => 0,
        };
        let (byte_count, lower) = (read.left, read.addr % 128);
        vec![Beat {
            sop: true,
            eop: true,
            data: vec![0xee; self.lanes as usize],
            tag: read.tag,
            byte_count,
            lower,
            status,
            ..Beat::default()
        }]
    }

    fn with_data(&self, read: &Read, take: u64, random: &mut StdRng) -> Vec<Beat> {
        let first = read.addr & !3;
        let len = (read.addr + take - first).div_ceil(4);
        let end = first + 4 * len;
        let mut beats = Vec::new();
        let mut base = first - first % self.lanes;
        while base < end {
            // Lanes without a wanted byte hold anything.
            let data = (base..base + self.lanes)
                .map(|addr| match addr {
                    _ if addr < read.addr || addr >= read.addr + take => random.random(),
                    _ => content(addr),
                })
                .collect();
            beats.push(Beat {
                sop: beats.is_empty(),
                eop: base + self.lanes >= end,
                data,
                tag: read.tag,
                len,
                byte_count: read.left,
                lower: read.addr % 128,
                ..Beat::default()
            });
            base += self.lanes;
        }
        beats
    }
}
