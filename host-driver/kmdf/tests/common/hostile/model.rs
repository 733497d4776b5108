//! What the model keeps: memory, regions, transfers, WAITs; and reasons to refuse.

use super::*;

/// The bytes of a step; zeroes behind their end.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    pub(super) fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first.into()
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.byte() % all.len()]
    }
}

/// Memory whose bytes the model knows, but for some.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) unknown: Vec<bool>,
}

impl Content {
    pub(super) fn forget(&mut self, start: usize, length: usize) {
        self.unknown[start..start + length].fill(true);
    }

    pub(super) fn set(&mut self, start: usize, bytes: &[u8]) {
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.unknown[start..start + bytes.len()].fill(false);
    }

    pub(super) fn known(&self, start: usize, length: usize) -> Option<&[u8]> {
        let range = start..start + length;
        (!self.unknown[range.clone()].contains(&true)).then(|| &self.bytes[range])
    }

    pub(super) fn compare(&self, start: usize, found: &[u8], what: &str) {
        for (at, byte) in (start..).zip(found) {
            assert!(
                self.unknown[at] || self.bytes[at] == *byte,
                "{what}: byte {at} is {byte:#x}, not {:#x}",
                self.bytes[at]
            );
        }
    }
}

pub(super) struct Region {
    pub(super) info: ioctl::RegionInfo,
    pub(super) token: Option<u64>,
    pub(super) permissions: u32,
    /// Where its bytes are: which content, and from where on.
    pub(super) content: usize,
    pub(super) start: usize,
    /// Its REGISTER; none of an allocation.
    pub(super) pending: Option<Pending>,
    /// It was cancelled, and the device may not have said so yet.
    pub(super) cancelling: bool,
    /// It is on its way out, and its request will end so.
    pub(super) leaving: Option<i32>,
}

pub(super) struct Flight {
    pub(super) cookie: u64,
    pub(super) handle: u64,
    pub(super) length: usize,
    pub(super) user: u32,
    pub(super) tdest: u16,
    pub(super) content: usize,
    pub(super) start: usize,
    /// Something else may have touched the same bytes meanwhile.
    pub(super) shared: bool,
    pub(super) may_abort: bool,
    /// What an H2C transfer sends, if that is known.
    pub(super) sends: Option<Vec<u8>>,
}

pub(super) struct Wait {
    pub(super) pending: Pending,
    pub(super) least: usize,
    pub(super) capacity: usize,
    pub(super) cancelled: bool,
}

#[derive(Default)]
pub(super) struct File {
    pub(super) regions: Vec<Region>,
    /// Transfers that were accepted and not reported, by direction.
    pub(super) lanes: [VecDeque<Flight>; 2],
    pub(super) waits: VecDeque<Wait>,
}

impl File {
    pub(super) fn live(&self, handle: u64) -> Option<&Region> {
        self.regions
            .iter()
            .find(|region| region.info.handle == handle && region.leaving.is_none())
    }

    pub(super) fn live_mut(&mut self, handle: u64) -> &mut Region {
        self.regions
            .iter_mut()
            .find(|region| region.info.handle == handle && region.leaving.is_none())
            .expect("judged to be live")
    }

    pub(super) fn outstanding(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Completions that WAITs may have taken since they were looked at.
    pub(super) fn taken(&self) -> usize {
        self.waits.iter().map(|wait| wait.capacity).sum()
    }

    /// Bytes locked at least and at most: what is leaving may be gone.
    pub(super) fn locked(&self) -> (u64, u64) {
        let of = |which: &dyn Fn(&Region) -> bool| {
            self.regions
                .iter()
                .filter(|region| which(region))
                .map(|region| region.info.length)
                .sum()
        };
        (of(&|region| region.leaving.is_none()), of(&|_| true))
    }
}

/// Where a request's output goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// To memory of its own, of this length.
    Own(usize),
    /// To the process's arena: offset and length, which may leave it.
    Arena(usize, usize),
}

impl Place {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Own(length) | Self::Arena(_, length) => length,
        }
    }
}

/// Reasons to refuse a request.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    /// It must be refused; any of these may be given.
    pub(super) must: Vec<i32>,
    /// It may be refused for one of these, as things are under way.
    pub(super) may: Vec<i32>,
}

impl Reasons {
    pub(super) fn must(&mut self, when: bool, error: Error) {
        if when {
            self.must.push(error.status());
        }
    }

    pub(super) fn may(&mut self, when: bool, error: Error) {
        if when {
            self.may.push(error.status());
        }
    }
}

pub(super) fn overlaps(flight: &Flight, content: usize, start: usize, length: usize) -> bool {
    flight.content == content
        && flight.start < start + length
        && start < flight.start + flight.length
}
