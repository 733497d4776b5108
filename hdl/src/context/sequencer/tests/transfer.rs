//! A transfer at random, sound or with one defect, and how it must end.

use super::*;

/// A transfer: what host memory holds for it, and where it is.
#[derive(Clone)]
pub(super) struct Transfer {
    pub(super) queue: usize,
    pub(super) index: u16,
    pub(super) submission: SubmissionEntry,
    pub(super) words: [u32; 16],
    pub(super) region: RegionEntry,
    pub(super) region_words: [u32; 16],
    /// How the reads of the submission, the region entry and the first SG block end.
    pub(super) reads: [u64; 3],
    /// How the transfer must end, if nobody interferes.
    pub(super) expected: Status,
    /// Its region is one that stays.
    pub(super) lasting: bool,
    /// MISS was sent.
    pub(super) announced: bool,
    /// Its region entry was asked for.
    pub(super) asked: bool,
    /// Block that was read last.
    pub(super) last_read: Option<u32>,
    /// Blocks left behind.
    pub(super) left: u32,
    /// Reads in flight.
    pub(super) in_flight: u32,
    pub(super) dispatched: bool,
    pub(super) touching: bool,
    pub(super) rejected: bool,
    pub(super) aborted: bool,
    /// Its region was taken away before anybody could see whether it was bound to it.
    pub(super) maybe_aborted: bool,
    /// Its queue ended before its turn came: it closes without a completion record.
    pub(super) dropped: bool,
    /// Its queue ended while the engine had it: from QUIESCED on it must not complete.
    pub(super) muted: bool,
    pub(super) retired: bool,
    pub(super) recorded: bool,
    pub(super) defect: u32,
}

impl Transfer {
    /// Nothing is left of it but the words in the context RAM.
    pub(super) fn is_over(&self) -> bool {
        self.recorded || self.dropped || (self.muted && self.retired)
    }
    pub(super) fn block_elements(&self) -> u32 {
        if self.region.format() == Ok(SgFormat::Uniform) {
            64
        } else {
            32
        }
    }
    pub(super) fn first_block(&self) -> u32 {
        self.submission.sg_hint() / self.block_elements()
    }
    /// Last block that it can need.
    pub(super) fn end_block(&self) -> u32 {
        let shift = u32::from(self.region.page_shift());
        let position = self.submission.offset() + u64::from(self.region.first_byte_offset());
        let reach = (position & ((1 << shift) - 1)) + self.submission.length() - 1;
        let end = u64::from(self.submission.sg_hint()) + (reach >> shift);
        let end = end.min(u64::from(self.region.element_count()) - 1);
        end as u32 / self.block_elements()
    }
    /// It certainly has its region.
    pub(super) fn is_bound(&self) -> bool {
        self.announced || self.last_read.is_some() || self.dispatched
    }
    pub(super) fn moves(&self) -> bool {
        matches!(self.submission.opcode(), Ok(Opcode::C2h | Opcode::H2c))
    }

    /// An entry of a queue's region.
    pub(super) fn region(random: &mut StdRng, direction: Direction, queue: usize) -> RegionEntry {
        let uniform = random.random();
        RegionEntry::new()
            .with_sg_table(random.random::<u64>() >> 13 << 12)
            .with_length(random.random_range(1..1 << 40))
            .with_element_count(random.random_range(1..=200))
            .with_generation(random.random())
            .with_first_byte_offset(random.random_range(0..4096))
            .with_protection_domain(queue as u32 + 100)
            .with_allow_c2h(direction == Direction::C2h)
            .with_allow_h2c(direction == Direction::H2c)
            .with_format(if uniform {
                SgFormat::Uniform
            } else {
                SgFormat::PageGranular
            })
            .with_page_shift(if uniform {
                random.random_range(12..=30)
            } else {
                12
            })
    }

    /// A transfer of a region that stays, or of one of its own: valid, with one thing wrong for most values of `defect`.
    pub(super) fn random(
        random: &mut StdRng,
        direction: Direction,
        queue: usize,
        index: u16,
        defect: u32,
        lasting: Option<(u32, RegionEntry)>,
    ) -> Self {
        let (region_id, mut region) = lasting.unwrap_or_else(|| {
            let region = Self::region(random, direction, queue).with_one_shot(true);
            (random.random_range(0..OWN_REGIONS), region)
        });
        let (count, length) = (region.element_count(), region.length());
        let offset = random.random_range(0..length);
        let mut moved = random.random_range(1..=length - offset);
        if random.random() {
            // Some pages, so that the list is not needed to its end.
            moved = moved.min(random.random_range(1..=100u64 << region.page_shift()));
        }
        let (right, wrong) = match direction {
            Direction::C2h => (Opcode::C2h, Opcode::H2c),
            Direction::H2c => (Opcode::H2c, Opcode::C2h),
        };
        let mut submission = SubmissionEntry::new()
            .with_opcode(right)
            .with_index(index)
            .with_region(region_id)
            .with_cookie(random.random())
            .with_offset(offset)
            .with_length(moved)
            .with_generation(region.generation())
            .with_tdest(TDESTS[random.random_range(0..TDESTS.len())])
            .with_sg_hint(random.random_range(0..count))
            .with_user(random.random());
        let mut reads = [0; 3];
        let mut expected = Status::Ok;
        let mut spoil = |status| expected = status;
        match defect {
            0 => submission.set_opcode(Opcode::Nop),
            1 => submission.set_opcode(Opcode::Fence),
            2 => (submission.set_opcode(wrong), spoil(Status::BadOpcode)).1,
            3 => {
                (
                    submission.set_index(index ^ 0x8000),
                    spoil(Status::BadIndex),
                )
                    .1
            }
            4 => (submission.set_flags(1), spoil(Status::ReservedNotZero)).1,
            5 => (submission.set_attributes(1), spoil(Status::ReservedNotZero)).1,
            6 => (submission.set_length(0), spoil(Status::OutOfBounds)).1,
            7 => (submission.set_region(REGIONS), spoil(Status::BadRegion)).1,
            8 => (submission.set_tdest(TDESTS[0] - 1), spoil(Status::BadTdest)).1,
            9 => (submission.set_tdest(TDESTS[2] + 1), spoil(Status::BadTdest)).1,
            10 => {
                (
                    reads[0] = Status::ReadAborted.code(),
                    spoil(Status::ReadAborted),
                )
                    .1
            }
            11 => {
                (
                    reads[1] = Status::ReadPoisoned.code(),
                    spoil(Status::ReadPoisoned),
                )
                    .1
            }
            12 => {
                (
                    region.set_format(SgFormat::Invalid),
                    spoil(Status::BadRegionEntry),
                )
                    .1
            }
            13 => (region.set_element_count(0), spoil(Status::BadRegionEntry)).1,
            14 | 15 => {
                region.set_format(SgFormat::Uniform);
                region.set_page_shift(if defect == 14 { 11 } else { 31 });
                spoil(Status::BadRegionEntry);
            }
            16 => {
                (
                    region.set_generation(submission.generation().wrapping_add(1)),
                    spoil(Status::StaleGeneration),
                )
                    .1
            }
            17 => (region.set_protection_domain(99), spoil(Status::WrongDomain)).1,
            18 => {
                region.set_allow_c2h(direction == Direction::H2c);
                region.set_allow_h2c(direction == Direction::C2h);
                spoil(Status::NoPermission);
            }
            19 => {
                (
                    submission.set_offset(length + 1),
                    spoil(Status::OutOfBounds),
                )
                    .1
            }
            20 => {
                (
                    submission.set_length(length - offset + 1),
                    spoil(Status::OutOfBounds),
                )
                    .1
            }
            // Offset plus length is past 2^64, and small.
            21 => {
                submission.set_offset(u64::MAX - 15);
                submission.set_length(32);
                spoil(Status::OutOfBounds);
            }
            22 => {
                (
                    submission.set_length((u64::MAX - offset).wrapping_add(2)),
                    spoil(Status::OutOfBounds),
                )
                    .1
            }
            // No counter of the engine has more than 48 bits.
            23 => {
                region.set_length(u64::MAX >> 1);
                submission.set_length(1 << 48);
                spoil(Status::OutOfBounds);
            }
            24 => (submission.set_sg_hint(count), spoil(Status::BadHint)).1,
            // The transfer runs into it.
            28 => reads[2] = Status::ReadUnsupported.code(),
            _ => {}
        }
        let mut words = submission.to_words();
        match defect {
            25 => {
                (
                    words[12 + random.random_range(0..4)] = 1 << random.random_range(0..32),
                    spoil(Status::ReservedNotZero),
                )
                    .1
            }
            26 => (words[0] = words[0] & !0xff | 77, spoil(Status::BadOpcode)).1,
            _ => {}
        }
        let mut region_words = region.to_words();
        match defect {
            27 => region_words[7] = region_words[7] & !0xff00 | 0x700,
            // Reserved bits of the last three quarters.
            29 => region_words[7] |= 1 << random.random_range(2..8),
            30 => region_words[7] |= 1 << random.random_range(25..32),
            31 => region_words[8 + random.random_range(0..4)] |= 1 << random.random_range(0..32),
            32 => region_words[12 + random.random_range(0..4)] |= 1 << random.random_range(0..32),
            // The first byte is not in the first page.
            33 => region_words[5] |= 1 << random.random_range(28..32),
            // The SG table starts in mid-page.
            34 => region_words[0] |= 1 << random.random_range(0..12),
            // Page-granular pages of 8 KiB.
            35 => region_words[7] = region_words[7] & 0xff00_00ff | 13 << 16 | 1 << 8,
            _ => {}
        }
        if matches!(defect, 27 | 29..=35) {
            spoil(Status::BadRegionEntry);
        }
        Self {
            queue,
            index,
            submission,
            words,
            region,
            region_words,
            reads,
            expected,
            lasting: lasting.is_some(),
            announced: false,
            asked: false,
            last_read: None,
            left: 0,
            in_flight: 0,
            dispatched: false,
            touching: false,
            rejected: false,
            aborted: false,
            maybe_aborted: false,
            dropped: false,
            muted: false,
            retired: false,
            recorded: false,
            defect,
        }
    }
}
