//! Reads submission entries, region entries and SG blocks from host memory.

mod words;

pub use words::{CompletionWords, GatherWords, SplitWords};

use crate::sizes::WORD_BITS;
use crate::widgets::{Const, Flags, LutRam, PickFirst, PickNext};
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// Address, bytes, target, kind, id, first word.
const JOB_BITS: usize = 83 + WORD_BITS;

/// Up to eight reads of at most 512 bytes each, under tags 0 to 7.
///
/// A job larger than `max_read` bytes is read in parts, one after the other under the same tag. Its data comes out as
/// 128-bit words for `fill_target`'s memory, counted up from `req_word`; then `done` says how it ended. Addresses and
/// lengths are multiples of 8 bytes, addresses of jobs over 8 bytes multiples of 16.
///
/// UR and CA end a job at once, and so do a completion that does not fit (malformed) and the time-out. Poisoned data are
/// counted, and the job ends when all of its read came. A tag is free again only when its job has ended and the last
/// completion of its read has come: one with an error status, or one that brings all that its byte count says is
/// missing (PCIe Base Spec 5.0, 2.2.9 and 2.3.2). Until then nothing under it is written. A completion that does not fit
/// may be another read's, so it is not taken for the last one: such an answer costs its tag until a last completion follows
/// or reset. Only one that begins where the next byte belongs, tells the right byte count and holds too much is the read's own last one.
///
/// Submission entries that come with their doorbell leave by the same port, in cycles that no completion uses.
#[derive(LogicBlock, Default)]
pub struct FetchUnit {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Bytes of one read at most: 128, 256 or 512.
    pub max_read: Signal<In, Bits<10>>,
    /// Cycles that a read may take from `rd_ready` to its last completion; 0: any number.
    pub timeout: Signal<In, Bits<32>>,
    /// A job is offered.
    pub req_valid: Signal<In, Bit>,
    /// The job is taken.
    pub req_ready: Signal<Out, Bit>,
    /// Bus address.
    pub req_addr: Signal<In, Bits<64>>,
    /// Bytes, 8 to 512.
    pub req_bytes: Signal<In, Bits<10>>,
    /// Whose memory: 0 C2H contexts, 1 H2C contexts, 2 admin.
    pub req_target: Signal<In, Bits<2>>,
    /// 0 submission entry, 1 region entry, 2 SG block.
    pub req_kind: Signal<In, Bits<2>>,
    /// Context or window, handed back with `done`.
    pub req_id: Signal<In, Bits<5>>,
    /// First word in the memory.
    pub req_word: Signal<In, Bits<WORD_BITS>>,
    /// A read request.
    pub rd_valid: Signal<Out, Bit>,
    /// The request is taken.
    pub rd_ready: Signal<In, Bit>,
    /// Bus address.
    pub rd_addr: Signal<Out, Bits<64>>,
    /// Bytes.
    pub rd_bytes: Signal<Out, Bits<10>>,
    /// Tag, 0 to 7.
    pub rd_tag: Signal<Out, Bits<10>>,
    /// A beat of a read completion.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Data.
    pub cpl_data: Signal<In, Bits<128>>,
    /// Tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs in this completion.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come, this completion included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Completion status (PCIe Base Spec 5.0, table 2-34).
    pub cpl_status: Signal<In, Bits<3>>,
    /// Poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// A word of a submission entry that came by itself.
    pub hint_valid: Signal<In, Bit>,
    /// It goes out as a word for a memory.
    pub hint_ready: Signal<Out, Bit>,
    /// The entry's last.
    pub hint_last: Signal<In, Bit>,
    /// Whose memory.
    pub hint_target: Signal<In, Bits<2>>,
    /// Context.
    pub hint_id: Signal<In, Bits<5>>,
    /// Where.
    pub hint_word: Signal<In, Bits<WORD_BITS>>,
    /// The word.
    pub hint_data: Signal<In, Bits<128>>,
    /// A word for a memory.
    pub fill_write: Signal<Out, Bit>,
    /// Whose.
    pub fill_target: Signal<Out, Bits<2>>,
    /// What it is part of.
    pub fill_kind: Signal<Out, Bits<2>>,
    /// Where.
    pub fill_word: Signal<Out, Bits<WORD_BITS>>,
    /// The word.
    pub fill_data: Signal<Out, Bits<128>>,
    /// Tags that may be used for new jobs.
    pub usable: Signal<In, Bits<8>>,
    /// Tags whose reads have been taken and whose last completion has not been seen.
    pub outstanding: Signal<Out, Bits<8>>,
    /// A job has ended.
    pub done_valid: Signal<Out, Bit>,
    /// Whose.
    pub done_target: Signal<Out, Bits<2>>,
    /// What.
    pub done_kind: Signal<Out, Bits<2>>,
    /// Context or window.
    pub done_id: Signal<Out, Bits<5>>,
    /// 0 or why it failed.
    pub done_status: Signal<Out, Bits<8>>,

    // Tags with a job; those whose next read waits to go out; those with completions due; those whose job has had poison.
    busy: Flags,
    waiting: Flags,
    due: Flags,
    spoilt: Flags,
    pick_free: PickNext,
    pick_waiting: PickFirst,
    // Tags take turns: a completion that comes twice finds no new read under its tag, unless seven jobs have begun since.
    next_tag: DFF<Bits<4>>,
    // Per tag: what was asked for, and how much of it has come.
    jobs: LutRam<Bits<JOB_BITS>, 3>,
    jobs_back: LutRam<Bits<JOB_BITS>, 3>,
    received: LutRam<Bits<10>, 3>,
    received_back: LutRam<Bits<10>, 3>,
    word: DFF<Bits<WORD_BITS>>,
    accepted: DFF<Bit>,
    continuing: DFF<Bit>,
    continues: Signal<Local, Bit>,
    // The completion on its way is its job's last, and how the job ends.
    ending: DFF<Bit>,
    ended: DFF<Bits<8>>,
    // It is its read's last.
    paying: DFF<Bit>,
    in_tlp: DFF<Bit>,
    // When each read went out, and for whom; one tag a cycle is compared with the time.
    now: DFF<Bits<32>>,
    issued: LutRam<Bits<32>, 3>,
    owners: LutRam<Bits<9>, 3>,
    scan: DFF<Bits<3>>,
    late: DFF<Bit>,
    late_slot: DFF<Bits<3>>,

    free: Signal<Local, Bits<16>>,
    one: Signal<Local, Bits<16>>,
    job: Signal<Local, Bits<JOB_BITS>>,
    back: Signal<Local, Bits<JOB_BITS>>,
    job_out: Signal<Local, Bits<JOB_BITS>>,
    take: Signal<Local, Bit>,
    left: Signal<Local, Bits<10>>,
    issue_bytes: Signal<Local, Bits<10>>,
    mine: Signal<Local, Bit>,
    slot: Signal<Local, Bits<3>>,
    slot_bit: Signal<Local, Bits<16>>,
    so_far: Signal<Local, Bits<10>>,
    job_bytes: Signal<Local, Bits<10>>,
    part_mask: Signal<Local, Bits<10>>,
    part_end: Signal<Local, Bits<10>>,
    expected: Signal<Local, Bits<10>>,
    expected13: Signal<Local, Bits<13>>,
    brought: Signal<Local, Bits<13>>,
    reached: Signal<Local, Bits<10>>,
    address: Signal<Local, Bits<7>>,
    reach: Signal<Local, Bits<13>>,
    own: Signal<Local, Bit>,
    fits: Signal<Local, Bit>,
    is_due: Signal<Local, Bit>,
    expecting: Signal<Local, Bit>,
    fault: Signal<Local, Bits<8>>,
    pays: Signal<Local, Bit>,
    age: Signal<Local, Bits<32>>,
    watched: Signal<Local, Bits<16>>,
    scan_bit: Signal<Local, Bits<16>>,
    late_bit: Signal<Local, Bits<16>>,
    still_late: Signal<Local, Bit>,
    expires: Signal<Local, Bit>,
    issue: Signal<Local, Bit>,
    issue_bit: Signal<Local, Bits<16>>,
    ends: Signal<Local, Bit>,
    outcome: Signal<Local, Bits<8>>,
    write_now: Signal<Local, Bit>,
    word_now: Signal<Local, Bits<WORD_BITS>>,
    again: Signal<Local, Bits<16>>,
    taken_bit: Signal<Local, Bits<16>>,
    unsupported: Const<8, { Status::ReadUnsupported as u64 }>,
    aborted: Const<8, { Status::ReadAborted as u64 }>,
    poisoned: Const<8, { Status::ReadPoisoned as u64 }>,
    malformed: Const<8, { Status::ReadMalformed as u64 }>,
    timed_out: Const<8, { Status::ReadTimeout as u64 }>,
}

impl Logic for FetchUnit {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, word, accepted, ending, ended, continuing, paying, in_tlp, now, scan,
            late, late_slot, next_tag
        );
        clock!(
            self,
            clock,
            busy,
            waiting,
            due,
            spoilt,
            issued,
            owners,
            jobs,
            jobs_back,
            received,
            received_back
        );
        self.busy.reset.next = self.reset.val();
        self.waiting.reset.next = self.reset.val();
        self.due.reset.next = self.reset.val();
        self.spoilt.reset.next = self.reset.val();
        self.one.next = 1.into();

        // A completion of ours: check it against what is missing of the part.
        self.mine.next = self.cpl_valid.val() & (self.cpl_tag.val().get_bits::<7>(3) == 0);
        self.slot.next = self.cpl_tag.val().get_bits::<3>(0);
        self.slot_bit.next = self.one.val() << self.slot.val();
        self.jobs_back.read_address.next = self.cpl_tag.val().get_bits::<3>(0);
        self.back.next = self.jobs_back.read_data.val();
        self.received_back.read_address.next = self.cpl_tag.val().get_bits::<3>(0);
        self.so_far.next = self.received_back.read_data.val();
        self.job_bytes.next = self.back.val().get_bits::<10>(64);
        self.part_mask.next = self.max_read.val() - 1;
        self.part_end.next = (self.so_far.val() | self.part_mask.val()) + 1;
        if self.part_end.val() > self.job_bytes.val() {
            self.part_end.next = self.job_bytes.val();
        }
        self.expected.next = self.part_end.val() - self.so_far.val();
        self.expected13.next = bit_cast::<13, 10>(self.expected.val());
        self.brought.next = bit_cast::<13, 11>(self.cpl_len.val()) << 2;
        self.reached.next = self.so_far.val() + bit_cast::<10, 13>(self.brought.val());
        self.address.next = self.back.val().get_bits::<7>(0) + bit_cast::<7, 10>(self.so_far.val());
        self.own.next = (self.cpl_byte_count.val() == self.expected13.val())
            & (self.cpl_lower_addr.val() == self.address.val());
        self.fits.next = self.own.val()
            & ((self.brought.val() <= self.expected13.val()) & self.brought.val().any());
        self.fault.next = 0.into();
        if self.cpl_status.val() == 1 {
            self.fault.next = self.unsupported.val();
        } else if self.cpl_status.val() != 0 {
            self.fault.next = self.aborted.val();
        } else if !self.fits.val() {
            self.fault.next = self.malformed.val();
        } else if self.cpl_poisoned.val() {
            self.fault.next = self.poisoned.val();
        }
        self.reach.next = self.cpl_byte_count.val()
            + bit_cast::<13, 2>(self.cpl_lower_addr.val().get_bits::<2>(0));
        self.is_due.next = (self.due.q.val() & self.slot_bit.val()).any();
        self.expecting.next = (self.busy.q.val() & self.slot_bit.val()).any() & self.is_due.val();

        self.received.write_enable.next = false;
        self.received.write_address.next = self.slot.val();
        self.received.write_data.next = self.reached.val();
        self.again.next = 0.into();
        self.busy.clear.next = 0.into();
        self.due.clear.next = 0.into();
        self.spoilt.set.next = 0.into();
        self.done_valid.next = false;
        self.done_target.next = self.back.val().get_bits::<2>(74);
        self.done_kind.next = self.back.val().get_bits::<2>(76);
        self.done_id.next = self.back.val().get_bits::<5>(78);
        self.ends.next = self.ending.q.val();
        self.outcome.next = self.ended.q.val();
        self.write_now.next = false;
        self.word_now.next = self.word.q.val();
        self.continues.next = self.continuing.q.val();
        self.pays.next = self.paying.q.val();
        if self.mine.val() {
            self.write_now.next = self.accepted.q.val();
            if self.cpl_sop.val() {
                self.word_now.next = self.back.val().get_bits::<WORD_BITS>(83)
                    + bit_cast::<WORD_BITS, 10>(self.so_far.val() >> 4);
                // Only a job that waits for data takes any; what is due of a read whose job has ended passes by.
                self.accepted.d.next = false;
                self.write_now.next = false;
                self.ends.next = false;
                self.continues.next = false;
                self.pays.next = self.is_due.val()
                    & (self.cpl_status.val().any() | (self.reach.val() <= self.brought.val()));
                // The first error stands.
                self.outcome.next = self.fault.val();
                if (self.spoilt.q.val() & self.slot_bit.val()).any() {
                    self.outcome.next = self.poisoned.val();
                }
                if self.expecting.val() {
                    self.accepted.d.next = !self.fault.val().any();
                    self.write_now.next = !self.fault.val().any();
                    if self.cpl_status.val().any() {
                        self.ends.next = true;
                    } else if !self.fits.val() {
                        self.ends.next = true;
                        self.pays.next = self.own.val() & (self.reach.val() <= self.brought.val());
                    } else {
                        self.received.write_enable.next = true;
                        if self.cpl_poisoned.val() {
                            self.spoilt.set.next = self.slot_bit.val();
                        }
                        if self.reached.val() == self.part_end.val() {
                            if self.outcome.val().any()
                                | (self.part_end.val() == self.job_bytes.val())
                            {
                                self.ends.next = true;
                            } else {
                                self.continues.next = true;
                            }
                        }
                    }
                }
            }
            self.word.d.next = self.word_now.val() + 1;
            // The job ends with the last beat: whoever waits for it reads the memory at once.
            if self.ends.val() & self.cpl_eop.val() {
                self.done_valid.next = true;
                self.busy.clear.next = self.slot_bit.val();
            }
            // So does a read: only then may its tag be free, or the next part begin.
            if self.pays.val() & self.cpl_eop.val() {
                self.due.clear.next = self.slot_bit.val();
            }
            if self.continues.val() & self.cpl_eop.val() {
                self.again.next = self.slot_bit.val();
            }
            self.continuing.d.next = self.continues.val() & !self.cpl_eop.val();
            self.ending.d.next = self.ends.val() & !self.cpl_eop.val();
            self.paying.d.next = self.pays.val() & !self.cpl_eop.val();
            self.in_tlp.d.next = !self.cpl_eop.val();
            self.ended.d.next = self.outcome.val();
        }
        self.done_status.next = self.outcome.val();

        // One tag a cycle: has its read been out for too long? If so, its job ends in the next gap between completions.
        self.now.d.next = self.now.q.val() + 1;
        self.scan.d.next = self.scan.q.val() + 1;
        self.issued.read_address.next = self.scan.q.val();
        self.age.next = self.now.q.val() - self.issued.read_data.val();
        self.watched.next = self.busy.q.val() & self.due.q.val();
        self.scan_bit.next = self.one.val() << self.scan.q.val();
        self.late_bit.next = self.one.val() << self.late_slot.q.val();
        self.still_late.next = self.late.q.val() & (self.watched.val() & self.late_bit.val()).any();
        self.expires.next = self.still_late.val() & (!self.mine.val() & !self.in_tlp.q.val());
        self.owners.read_address.next = self.late_slot.q.val();
        if !self.still_late.val() | self.expires.val() {
            self.late.d.next = (self.watched.val() & self.scan_bit.val()).any()
                & (self.timeout.val().any() & (self.age.val() >= self.timeout.val()));
            self.late_slot.d.next = self.scan.q.val();
        }
        if self.expires.val() {
            self.done_valid.next = true;
            self.busy.clear.next = self.late_bit.val();
            self.done_target.next = self.owners.read_data.val().get_bits::<2>(0);
            self.done_kind.next = self.owners.read_data.val().get_bits::<2>(2);
            self.done_id.next = self.owners.read_data.val().get_bits::<5>(4);
            self.done_status.next = self.timed_out.val();
            if (self.spoilt.q.val() & self.late_bit.val()).any() {
                self.done_status.next = self.poisoned.val();
            }
        }
        self.spoilt.clear.next = self.busy.clear.val();
        self.fill_write.next = self.write_now.val();
        self.fill_target.next = self.back.val().get_bits::<2>(74);
        self.fill_kind.next = self.back.val().get_bits::<2>(76);
        self.fill_word.next = self.word_now.val();
        self.fill_data.next = self.cpl_data.val();
        // A cycle without a completion of ours, in which no read is given up, has room for another's word.
        self.hint_ready.next = !self.mine.val() & !self.expires.val();
        if self.hint_valid.val() & (!self.mine.val() & !self.expires.val()) {
            self.fill_write.next = true;
            self.fill_target.next = self.hint_target.val();
            self.fill_kind.next = 0.into();
            self.fill_word.next = self.hint_word.val();
            self.fill_data.next = self.hint_data.val();
            self.done_valid.next = self.hint_last.val();
            self.done_target.next = self.hint_target.val();
            self.done_kind.next = 0.into();
            self.done_id.next = self.hint_id.val();
            self.done_status.next = 0.into();
        }

        // A new job takes a free tag, in a cycle without a completion of ours (the RAMs have one write port).
        self.free.next = (self.busy.q.val() | self.due.q.val()) ^ 0xff;
        self.outstanding.next = bit_cast::<8, 16>(self.due.q.val());
        self.pick_free.among.next = self.free.val() & bit_cast::<16, 8>(self.usable.val());
        self.pick_free.start.next = self.next_tag.q.val();
        self.take.next = (self.req_valid.val() & self.pick_free.found.val()) & !self.mine.val();
        if self.take.val() {
            self.next_tag.d.next = self.pick_free.index.val() + 1;
        }
        self.req_ready.next = self.take.val();
        self.taken_bit.next = self.one.val() << self.pick_free.index.val();
        self.job.next = bit_cast::<JOB_BITS, 64>(self.req_addr.val())
            | (bit_cast::<JOB_BITS, 10>(self.req_bytes.val()) << 64)
            | (bit_cast::<JOB_BITS, 2>(self.req_target.val()) << 74)
            | (bit_cast::<JOB_BITS, 2>(self.req_kind.val()) << 76)
            | (bit_cast::<JOB_BITS, 5>(self.req_id.val()) << 78)
            | (bit_cast::<JOB_BITS, WORD_BITS>(self.req_word.val()) << 83);
        self.jobs.write_enable.next = self.take.val();
        self.jobs.write_address.next = bit_cast::<3, 4>(self.pick_free.index.val());
        self.jobs.write_data.next = self.job.val();
        self.jobs_back.write_enable.next = self.take.val();
        self.jobs_back.write_address.next = bit_cast::<3, 4>(self.pick_free.index.val());
        self.jobs_back.write_data.next = self.job.val();
        self.owners.write_enable.next = self.take.val();
        self.owners.write_address.next = bit_cast::<3, 4>(self.pick_free.index.val());
        self.owners.write_data.next = self.job.val().get_bits::<9>(74);
        self.busy.set.next = 0.into();
        self.waiting.set.next = self.again.val();
        if self.take.val() {
            self.busy.set.next = self.taken_bit.val();
            self.waiting.set.next = self.taken_bit.val();
            self.received.write_enable.next = true;
            self.received.write_address.next = bit_cast::<3, 4>(self.pick_free.index.val());
            self.received.write_data.next = 0.into();
        }
        self.received_back.write_enable.next = self.received.write_enable.val();
        self.received_back.write_address.next = self.received.write_address.val();
        self.received_back.write_data.next = self.received.write_data.val();

        // Issue the next part of a waiting job.
        self.pick_waiting.among.next = self.waiting.q.val();
        self.jobs.read_address.next = bit_cast::<3, 4>(self.pick_waiting.index.val());
        self.received.read_address.next = bit_cast::<3, 4>(self.pick_waiting.index.val());
        self.rd_valid.next = self.pick_waiting.found.val();
        self.job_out.next = self.jobs.read_data.val();
        self.left.next = self.job_out.val().get_bits::<10>(64) - self.received.read_data.val();
        self.issue_bytes.next = self.left.val();
        if self.left.val() > self.max_read.val() {
            self.issue_bytes.next = self.max_read.val();
        }
        self.rd_addr.next = self.job_out.val().get_bits::<64>(0)
            + bit_cast::<64, 10>(self.received.read_data.val());
        self.rd_bytes.next = self.issue_bytes.val();
        self.rd_tag.next = bit_cast::<10, 4>(self.pick_waiting.index.val());
        self.issue.next = self.rd_valid.val() & self.rd_ready.val();
        self.issue_bit.next = 0.into();
        if self.issue.val() {
            self.issue_bit.next = self.one.val() << self.pick_waiting.index.val();
        }
        self.waiting.clear.next = self.issue_bit.val();
        self.due.set.next = self.issue_bit.val();
        self.issued.write_enable.next = self.issue.val();
        self.issued.write_address.next = bit_cast::<3, 4>(self.pick_waiting.index.val());
        self.issued.write_data.next = self.now.q.val();
        if self.reset.val() {
            self.accepted.d.next = false;
            self.ending.d.next = false;
            self.continuing.d.next = false;
            self.paying.d.next = false;
            self.in_tlp.d.next = false;
            self.late.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
