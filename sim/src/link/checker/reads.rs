//! Outstanding reads of one requester, by tag.

use std::ops::Range;

use super::Rule;
use crate::link::faults::touches;
use crate::link::tlp::{Status, TlpHeader, TlpKind};

/// Reads that wait for completions.
pub struct Reads {
    by_tag: Vec<Option<Read>>,
    outstanding: usize,
    /// Read completion boundary of the completer.
    rcb: u64,
    worst_case: Space,
}

#[derive(Clone, Copy)]
struct Read {
    /// Next byte, and the end: addresses.
    next: u64,
    end: u64,
    /// Writes that the requester had issued before it.
    posted_before: u64,
}

/// Room that completions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Completions.
    pub headers: u64,
    /// Units of 16 bytes, counted per completion.
    pub data: u64,
}

impl Reads {
    /// No reads; tags from 0 to `tags` - 1; the completer's boundary is `rcb`.
    pub fn new(tags: u16, rcb: u64) -> Self {
        Self {
            by_tag: vec![None; tags.into()],
            outstanding: 0,
            rcb,
            worst_case: Space::default(),
        }
    }

    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The most room in which all outstanding reads can come back: cut at every boundary.
    pub fn worst_case(&self) -> Space {
        self.worst_case
    }

    /// Writes that must arrive before the read with this tag.
    pub fn posted_before(&self, tag: u16) -> Option<u64> {
        self.by_tag
            .get(usize::from(tag))
            .copied()
            .flatten()
            .map(|read| read.posted_before)
    }

    /// A read is issued. Its shape has been checked.
    pub fn begin(&mut self, header: &TlpHeader, posted_before: u64) -> Result<(), Rule> {
        let (tag, tags) = (header.tag, self.by_tag.len());
        match self.by_tag.get(usize::from(tag)) {
            None => return Err(Rule::TagRange { tag, tags }),
            Some(Some(read)) => {
                return Err(Rule::TagReused {
                    tag,
                    address: read.next,
                    left: read.end - read.next,
                });
            }
            Some(None) => {}
        }
        // First and last enabled byte (2.3.1.1, tables 2-37 and 2-38); a read of no bytes returns one.
        let last_be = if header.len_dw == 1 {
            header.first_be
        } else {
            header.last_be
        };
        let last_dw = header.address + (u64::from(header.len_dw) - 1) * 4;
        let (next, end) = match header.first_be {
            0 => (header.address, header.address + 1),
            first => {
                let last = u64::from(last_be.checked_ilog2().unwrap_or(0));
                (
                    header.address + u64::from(first.trailing_zeros()),
                    last_dw + last + 1,
                )
            }
        };
        self.set(
            tag,
            Some(Read {
                next,
                end,
                posted_before,
            }),
        );
        Ok(())
    }

    /// A completion comes back.
    pub fn complete(&mut self, header: &TlpHeader, mps: u64) -> Result<(), Rule> {
        let tag = header.tag;
        let Some(read) = self.by_tag.get(usize::from(tag)).copied().flatten() else {
            return Err(Rule::UnexpectedCompletion { tag });
        };
        let shape = |why| Err(Rule::CompletionShape { tag, why });
        match (header.kind, header.status) {
            (TlpKind::Completion, Status::Success) => {
                return shape("a successful completion of a read carries data");
            }
            (TlpKind::Completion, _) => {
                self.set(tag, None);
                return Ok(());
            }
            (_, Status::Success) => {}
            _ => return shape("a completion with an error status carries no data"),
        }
        let len_dw = header.len_dw;
        if !(1..=1024).contains(&len_dw) {
            return Err(Rule::Length { len_dw });
        }
        let bytes = u64::from(len_dw) * 4;
        if bytes > mps {
            return Err(Rule::OverMps { bytes, mps });
        }
        let left = read.end - read.next;
        if u64::from(header.byte_count) != left {
            return Err(Rule::ByteCount {
                tag,
                byte_count: header.byte_count,
                expected: left,
            });
        }
        if header.address != read.next & 0x7f {
            return Err(Rule::LowerAddress {
                tag,
                lower: header.address,
                expected: read.next & 0x7f,
            });
        }
        let first = read.next & !3;
        let needed = (read.end - first).div_ceil(4);
        if u64::from(len_dw) > needed {
            return Err(Rule::CompletionLength {
                tag,
                len_dw,
                needed,
            });
        }
        if u64::from(len_dw) == needed {
            self.set(tag, None);
            return Ok(());
        }
        let next = first + bytes;
        if !next.is_multiple_of(self.rcb) {
            return Err(Rule::CompletionBoundary {
                tag,
                end: next,
                rcb: self.rcb,
            });
        }
        self.set(tag, Some(Read { next, ..read }));
        Ok(())
    }

    /// The read of a tag is over, whatever it has got.
    pub fn end(&mut self, tag: u16) {
        self.set(tag, None);
    }

    /// The next tag behind this one, in turn, whose read is outstanding and of one of these addresses, or of any if there are none.
    pub fn other(&self, tag: u16, among: &[Range<u64>]) -> Option<u16> {
        self.next_tag(tag, |read| {
            read.is_some_and(|read| among.is_empty() || touches(among, read.next, read.end))
        })
    }

    /// The next tag behind this one, in turn, that has no read.
    pub fn spare(&self, tag: u16) -> Option<u16> {
        self.next_tag(tag, |read| read.is_none())
    }

    fn next_tag(&self, tag: u16, fits: impl Fn(Option<Read>) -> bool) -> Option<u16> {
        let count = self.by_tag.len();
        (1..count)
            .map(|step| (usize::from(tag) + step) % count)
            .find(|&other| fits(self.by_tag[other]))
            .map(|other| other as u16)
    }

    /// Replaces the read of a tag and keeps the sums.
    fn set(&mut self, tag: u16, read: Option<Read>) {
        let rcb = self.rcb;
        let Some(slot) = self.by_tag.get_mut(usize::from(tag)) else {
            return;
        };
        if let Some(old) = slot.take() {
            let space = old.worst_case(rcb);
            self.outstanding -= 1;
            self.worst_case.headers -= space.headers;
            self.worst_case.data -= space.data;
        }
        if let Some(new) = read {
            let space = new.worst_case(rcb);
            self.outstanding += 1;
            self.worst_case.headers += space.headers;
            self.worst_case.data += space.data;
        }
        *slot = read;
    }
}

impl Read {
    /// Room of what is left, when each completion ends at the next boundary.
    fn worst_case(&self, rcb: u64) -> Space {
        let (first, end) = (self.next & !3, self.end.next_multiple_of(4));
        let (first_block, last_block) = (first / rcb, (end - 1) / rcb);
        if first_block == last_block {
            return Space {
                headers: 1,
                data: (end - first).div_ceil(16),
            };
        }
        let head = (rcb - first % rcb).div_ceil(16);
        let tail = (end - last_block * rcb).div_ceil(16);
        let blocks = last_block - first_block + 1;
        Space {
            headers: blocks,
            data: head + tail + (blocks - 2) * (rcb / 16),
        }
    }
}
