//! From completions to bytes in their slots.

use crate::widgets::{Const, LutRam, Param};
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// What a slot waits for.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Wanted {
    /// Place behind its last byte, 1..=512.
    end: Bits<10>,
    /// Bytes.
    len: Bits<10>,
}

/// Checks read completions and writes their beats to the one of `N` slots that their tag names; `I` = log2(`N`).
///
/// A completion belongs to the slot if its byte count is what is still missing, it holds no more than that, and its
/// lower address is where the next byte belongs (PCIe Base Spec 5.0, 2.3.1.1: all but the first begin at a read
/// completion boundary). UR and CA end the slot; poisoned data are counted, and the slot ends when all of it came. A slot that ended
/// while bytes may still come (malformed, timed out) leaves its tag quarantined, until the tag's last completion comes.
///
/// A malformed completion is the read's own, and its last, if it begins where the next byte belongs, tells the right byte
/// count and only holds too much: nothing is to come behind it. With any other byte count or address it may be a
/// stranger's under a wrong tag, even where it looks like a last one: the read's own completions may still come, and
/// would pass for the answer to the tag's next read. Its tag stays quarantined, at worst until reset.
///
/// Tags count from slot 0's; those from `N` on are ignored. A completion whose slot waits for nothing, or whose read has not left, writes nothing.
#[derive(LogicBlock, Default)]
pub struct CompletionSink<const W: usize, const B: usize, const N: usize, const I: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// First beat; the header counts in this beat.
    pub cpl_sop: Signal<In, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<In, Bits<W>>,
    /// Tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// DWs; 0: no data.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still missing, these included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Low address bits of the first byte.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// PCIe completion status: 0 SC, 1 UR, 2 CRS, 4 CA.
    pub cpl_status: Signal<In, Bits<3>>,
    /// The data is poisoned.
    pub cpl_poisoned: Signal<In, Bit>,
    /// A slot is allocated in this cycle.
    pub slot_valid: Signal<In, Bit>,
    /// Which slot.
    pub slot_index: Signal<In, Bits<I>>,
    /// Place of its first byte.
    pub slot_position: Signal<In, Bits<9>>,
    /// Its bytes; 0: complete at once.
    pub slot_len: Signal<In, Bits<10>>,
    /// A read leaves for the link in this cycle.
    pub sent_valid: Signal<In, Bit>,
    /// Its tag; from `N` on: not a slot's.
    pub sent_tag: Signal<In, Bits<10>>,
    /// The read of slot `withdrawn_slot` will not be made: the slot ends without bytes.
    pub withdrawn: Signal<In, Bit>,
    /// Which slot.
    pub withdrawn_slot: Signal<In, Bits<I>>,
    /// End slot `expire_slot` with a time-out if it is still open.
    pub expire: Signal<In, Bit>,
    /// Which slot.
    pub expire_slot: Signal<In, Bits<I>>,
    /// Write a word to the slots' RAM.
    pub write_enable: Signal<Out, Bit>,
    /// Its slot.
    pub write_slot: Signal<Out, Bits<I>>,
    /// Its byte position.
    pub write_position: Signal<Out, Bits<9>>,
    /// The word.
    pub write_data: Signal<Out, Bits<W>>,
    /// Slots that wait for bytes.
    pub open: Signal<Out, Bits<N>>,
    /// Slots whose read has left.
    pub sent: Signal<Out, Bits<N>>,
    /// Tags that bytes may still come for although their slot has ended.
    pub quarantined: Signal<Out, Bits<N>>,
    /// Slot to tell the outcome of.
    pub look_slot: Signal<In, Bits<I>>,
    /// Status code of slot `look_slot`, 0 without an error.
    pub look_status: Signal<Out, Bits<16>>,

    waits: DFF<Bits<N>>,
    fresh: DFF<Bits<N>>,
    failed: DFF<Bits<N>>,
    owed: DFF<Bits<N>>,
    departed: DFF<Bits<N>>,
    unmade: DFF<Bits<N>>,
    // The beat at hand, with what its header alone tells.
    a_valid: DFF<Bit>,
    a_sop: DFF<Bit>,
    a_eop: DFF<Bit>,
    a_data: DFF<Bits<W>>,
    a_slot: DFF<Bits<I>>,
    a_count: DFF<Bits<13>>,
    a_left: DFF<Bits<10>>,
    a_final: DFF<Bit>,
    a_wrong: DFF<Bit>,
    a_lower: DFF<Bits<7>>,
    a_status: DFF<Bits<3>>,
    a_poisoned: DFF<Bit>,
    // The completion at hand, from its first beat on.
    in_tlp: DFF<Bit>,
    t_slot: DFF<Bits<I>>,
    t_position: DFF<Bits<9>>,
    t_live: DFF<Bit>,
    t_good: DFF<Bit>,
    t_ends: DFF<Bit>,
    t_owes: DFF<Bit>,
    // The write on its way to the RAM.
    w_enable: DFF<Bit>,
    w_slot: DFF<Bits<I>>,
    w_position: DFF<Bits<9>>,
    w_data: DFF<Bits<W>>,
    wanted: LutRam<Wanted, I>,
    missing: LutRam<Bits<10>, I>,
    codes: LutRam<Bits<16>, I>,
    one: Const<N, 1>,
    slots: Param<10, N>,
    lanes: Param<9, B>,
    unsupported: Const<16, { Status::ReadUnsupported as u64 }>,
    aborted: Const<16, { Status::ReadAborted as u64 }>,
    poisoned: Const<16, { Status::ReadPoisoned as u64 }>,
    timed_out: Const<16, { Status::ReadTimeout as u64 }>,
    malformed: Const<16, { Status::ReadMalformed as u64 }>,
    withdrawn_status: Const<16, { Status::Aborted as u64 }>,

    asked: Signal<Local, Bits<14>>,
    held: Signal<Local, Bits<14>>,
    rounded: Signal<Local, Bits<14>>,
    left: Signal<Local, Bits<14>>,
    first: Signal<Local, Bit>,
    slot: Signal<Local, Bits<I>>,
    expected: Signal<Local, Bits<10>>,
    start: Signal<Local, Bits<10>>,
    own: Signal<Local, Bit>,
    fits: Signal<Local, Bit>,
    success: Signal<Local, Bit>,
    code: Signal<Local, Bits<16>>,
    live: Signal<Local, Bit>,
    good: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    owes: Signal<Local, Bit>,
    position: Signal<Local, Bits<9>>,
    slot_bit: Signal<Local, Bits<N>>,
    new_bit: Signal<Local, Bits<N>>,
    timed_out_bit: Signal<Local, Bits<N>>,
    opens: Signal<Local, Bits<N>>,
    closes: Signal<Local, Bits<N>>,
    begins: Signal<Local, Bits<N>>,
    fails: Signal<Local, Bits<N>>,
    now_owed: Signal<Local, Bits<N>>,
    now_paid: Signal<Local, Bits<N>>,
    expires: Signal<Local, Bit>,
    leaves: Signal<Local, Bits<N>>,
    drops: Signal<Local, Bits<N>>,
    ended: Signal<Local, Bits<N>>,
    others: Signal<Local, Bits<N>>,
}

impl<const W: usize, const B: usize, const N: usize, const I: usize> Logic
    for CompletionSink<W, B, N, I>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, waits, fresh, failed, owed, departed, unmade, a_valid, a_sop, a_eop,
            a_data, a_slot, a_count, a_left, a_final, a_wrong, a_lower, a_status, a_poisoned,
            in_tlp, t_slot, t_position, t_live, t_good, t_ends, t_owes, w_enable, w_slot,
            w_position, w_data
        );
        self.wanted.clock.next = self.clock.val();
        self.missing.clock.next = self.clock.val();
        self.codes.clock.next = self.clock.val();

        // Stage 1: what the header alone tells. Bytes asked for, counted from the DW boundary, against bytes that are here.
        self.asked.next = bit_cast::<14, 13>(self.cpl_byte_count.val())
            + bit_cast::<14, 2>(self.cpl_lower_addr.val().get_bits::<2>(0));
        self.held.next = bit_cast::<14, 11>(self.cpl_len.val()) << 2;
        self.rounded.next = self.asked.val() + 3;
        self.left.next = self.asked.val() - self.held.val();
        self.a_valid.d.next = self.cpl_valid.val() & (self.cpl_tag.val() < self.slots.val());
        self.a_sop.d.next = self.cpl_sop.val();
        self.a_eop.d.next = self.cpl_eop.val();
        self.a_data.d.next = self.cpl_data.val();
        self.a_slot.d.next = bit_cast::<I, 10>(self.cpl_tag.val());
        self.a_count.d.next = self.cpl_byte_count.val();
        self.a_left.d.next = bit_cast::<10, 14>(self.left.val());
        self.a_final.d.next = self.asked.val() <= self.held.val();
        self.a_wrong.d.next = (self.held.val() > self.rounded.val()) | !self.cpl_len.val().any();
        self.a_lower.d.next = self.cpl_lower_addr.val();
        self.a_status.d.next = self.cpl_status.val();
        self.a_poisoned.d.next = self.cpl_poisoned.val();

        // Stage 2: against what the slot waits for.
        self.first.next = self.a_valid.q.val() & self.a_sop.q.val();
        self.slot.next = self.t_slot.q.val();
        if self.first.val() {
            self.slot.next = self.a_slot.q.val();
        }
        self.wanted.read_address.next = self.a_slot.q.val();
        self.missing.read_address.next = self.a_slot.q.val();
        self.expected.next = self.missing.read_data.val();
        if self.fresh.q.val().get_bit(self.a_slot.q.val().index()) {
            self.expected.next = self.wanted.read_data.val().len;
        }
        self.start.next =
            self.wanted.read_data.val().end - bit_cast::<10, 13>(self.a_count.q.val());
        self.own.next = (self.a_count.q.val() == bit_cast::<13, 10>(self.expected.val()))
            & (self.a_lower.q.val() == self.start.val().get_bits::<7>(0));
        if !self.fresh.q.val().get_bit(self.a_slot.q.val().index())
            & self.a_lower.q.val().get_bits::<6>(0).any()
        {
            self.own.next = false;
        }
        self.fits.next = self.own.val() & !self.a_wrong.q.val();
        self.success.next = self.a_status.q.val() == 0;
        self.code.next = 0.into();
        if self.success.val() {
            if self.a_poisoned.q.val() {
                self.code.next = self.poisoned.val();
            }
            if !self.fits.val() {
                self.code.next = self.malformed.val();
            }
        } else {
            // A reserved status counts as UR; CRS is no answer to a memory read (PCIe Base Spec 5.0, 2.3.2).
            self.code.next = self.unsupported.val();
            if self.a_status.q.val() == 4 {
                self.code.next = self.aborted.val();
            }
            if self.a_status.q.val() == 2 {
                self.code.next = self.malformed.val();
            }
        }

        self.live.next = self.t_live.q.val();
        self.good.next = self.t_good.q.val();
        self.ends.next = self.t_ends.q.val();
        self.owes.next = self.t_owes.q.val();
        self.position.next = self.t_position.q.val();
        self.slot_bit.next = self.one.val() << self.slot.val();
        self.new_bit.next = self.one.val() << self.slot_index.val();
        self.timed_out_bit.next = self.one.val() << self.expire_slot.val();
        self.opens.next = 0.into();
        self.closes.next = 0.into();
        self.begins.next = 0.into();
        self.fails.next = 0.into();
        self.now_owed.next = 0.into();
        self.now_paid.next = 0.into();
        self.missing.write_address.next = self.slot.val();
        self.missing.write_data.next = self.a_left.q.val();
        self.missing.write_enable.next = false;
        self.codes.write_address.next = self.slot.val();
        self.codes.write_data.next = self.code.val();
        self.codes.write_enable.next = false;

        if self.first.val() {
            self.live.next = self.waits.q.val().get_bit(self.slot.val().index())
                & self.departed.q.val().get_bit(self.slot.val().index());
            self.good.next = self.success.val() & (self.fits.val() & !self.a_poisoned.q.val());
            self.ends.next = !self.success.val() | (!self.fits.val() | self.a_final.q.val());
            self.owes.next =
                (self.success.val() & !self.fits.val()) & !(self.own.val() & self.a_final.q.val());
            self.position.next = bit_cast::<9, 10>(self.start.val());
            if self.live.val() {
                self.missing.write_enable.next = true;
                self.begins.next = self.slot_bit.val();
                // The first error stands.
                if self.code.val().any() & !self.failed.q.val().get_bit(self.slot.val().index()) {
                    self.codes.write_enable.next = true;
                    self.fails.next = self.slot_bit.val();
                }
            } else {
                if !self.success.val() | self.a_final.q.val() {
                    self.now_paid.next = self.slot_bit.val();
                }
            }
        }
        self.w_enable.d.next = false;
        self.w_slot.d.next = self.slot.val();
        self.w_position.d.next = self.position.val();
        self.w_data.d.next = self.a_data.q.val();
        if self.a_valid.q.val() {
            self.w_enable.d.next = self.live.val() & self.good.val();
            self.t_slot.d.next = self.slot.val();
            self.t_position.d.next = self.position.val() + self.lanes.val();
            self.t_live.d.next = self.live.val() & !self.a_eop.q.val();
            self.t_good.d.next = self.good.val();
            self.t_ends.d.next = self.ends.val();
            self.t_owes.d.next = self.owes.val();
            self.in_tlp.d.next = !self.a_eop.q.val();
            if self.a_eop.q.val() & (self.live.val() & self.ends.val()) {
                self.closes.next = self.slot_bit.val();
                if self.owes.val() {
                    self.now_owed.next = self.slot_bit.val();
                }
            }
        }

        // A time-out strikes between completions.
        self.expires.next = (self.expire.val() & (!self.a_valid.q.val() & !self.in_tlp.q.val()))
            & self.waits.q.val().get_bit(self.expire_slot.val().index());
        if self.expires.val() {
            self.closes.next = self.timed_out_bit.val();
            self.now_owed.next = self.timed_out_bit.val();
            if !self.failed.q.val().get_bit(self.expire_slot.val().index()) {
                self.codes.write_address.next = self.expire_slot.val();
                self.codes.write_data.next = self.timed_out.val();
                self.codes.write_enable.next = true;
                self.fails.next = self.timed_out_bit.val();
            }
        }

        // What has left and what never will; a new read of the slot begins anew.
        self.leaves.next = 0.into();
        if self.sent_valid.val() & (self.sent_tag.val() < self.slots.val()) {
            self.leaves.next = self.one.val() << self.sent_tag.val().get_bits::<I>(0);
        }
        self.drops.next = 0.into();
        if self.withdrawn.val() {
            self.drops.next = self.one.val() << self.withdrawn_slot.val();
        }
        self.others.next = !self.new_bit.val();
        self.departed.d.next = self.departed.q.val() | self.leaves.val();
        self.unmade.d.next = self.unmade.q.val() | self.drops.val();
        if self.slot_valid.val() {
            self.departed.d.next = (self.departed.q.val() & self.others.val()) | self.leaves.val();
            self.unmade.d.next = (self.unmade.q.val() & self.others.val()) | self.drops.val();
        }

        self.wanted.write_address.next = self.slot_index.val();
        self.wanted.write_data.next.end =
            bit_cast::<10, 9>(self.slot_position.val()) + self.slot_len.val();
        self.wanted.write_data.next.len = self.slot_len.val();
        self.wanted.write_enable.next = self.slot_valid.val();
        self.fresh.d.next = self.fresh.q.val() & !self.begins.val();
        self.failed.d.next = self.failed.q.val() | self.fails.val();
        if self.slot_valid.val() {
            if self.slot_len.val().any() {
                self.opens.next = self.new_bit.val();
            }
            self.fresh.d.next = (self.fresh.q.val() & !self.begins.val()) | self.new_bit.val();
            self.failed.d.next = (self.failed.q.val() | self.fails.val()) & !self.new_bit.val();
        }
        self.ended.next = self.closes.val() | self.drops.val();
        self.waits.d.next = (self.waits.q.val() & !self.ended.val()) | self.opens.val();
        self.owed.d.next = (self.owed.q.val() & !self.now_paid.val()) | self.now_owed.val();

        self.write_enable.next = self.w_enable.q.val();
        self.write_slot.next = self.w_slot.q.val();
        self.write_position.next = self.w_position.q.val();
        self.write_data.next = self.w_data.q.val();
        self.open.next = self.waits.q.val();
        self.quarantined.next = self.owed.q.val();
        self.sent.next = self.departed.q.val();
        self.codes.read_address.next = self.look_slot.val();
        self.look_status.next = 0.into();
        if self.failed.q.val().get_bit(self.look_slot.val().index()) {
            self.look_status.next = self.codes.read_data.val();
        }
        if self.unmade.q.val().get_bit(self.look_slot.val().index()) {
            self.look_status.next = self.withdrawn_status.val();
        }

        if self.reset.val() {
            self.waits.d.next = 0.into();
            self.failed.d.next = 0.into();
            self.owed.d.next = 0.into();
            self.a_valid.d.next = false;
            self.in_tlp.d.next = false;
            self.t_live.d.next = false;
            self.w_enable.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2c::test_bench::words;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;

    // The largest: slots' vectors are as wide as they get.
    const SLOTS: usize = 256;
    type Dut = Pair<CompletionSink<128, 16, SLOTS, 8>>;

    fn dut() -> Result<Dut, Error> {
        Pair::new(
            CompletionSink::default(),
            ports!(CompletionSink<128, 16, SLOTS, 8> {
                clock: clock;
                in reset, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status,
                    cpl_poisoned, slot_valid, slot_index, slot_position, slot_len, sent_valid, sent_tag, withdrawn,
                    withdrawn_slot, expire, expire_slot, look_slot;
                out write_enable, write_slot, write_position, write_data, open, sent, quarantined, look_status
            }),
        )
    }

    /// A slot whose read has left.
    fn allocate(dut: &mut Dut, slot: u64, position: u64, len: u64) -> Result<(), Error> {
        allocate_unsent(dut, slot, position, len)?;
        dut.set("sent_valid", true)?;
        dut.set("sent_tag", slot)?;
        dut.step()?;
        dut.set("sent_valid", false)
    }

    fn allocate_unsent(dut: &mut Dut, slot: u64, position: u64, len: u64) -> Result<(), Error> {
        dut.set("slot_valid", true)?;
        dut.set("slot_index", slot)?;
        dut.set("slot_position", position)?;
        dut.set("slot_len", len)?;
        dut.step()?;
        dut.set("slot_valid", false)
    }

    /// Header of a completion; its beats hold their number.
    #[derive(Clone, Copy)]
    struct Completion {
        tag: u64,
        lower: u64,
        len: u64,
        byte_count: u64,
        status: u64,
        poisoned: bool,
    }

    const GOOD: Completion = Completion {
        tag: 5,
        lower: 0x34,
        len: 3,
        byte_count: 140,
        status: 0,
        poisoned: false,
    };

    /// Sends `completion` and gives the byte positions that were written.
    fn send(dut: &mut Dut, completion: Completion) -> Result<Vec<u64>, Error> {
        let beats = if completion.status == 0 {
            (completion.lower % 16 + 4 * completion.len)
                .div_ceil(16)
                .max(1)
        } else {
            1
        };
        let mut written = Vec::new();
        for cycle in 0..beats + 4 {
            dut.set("cpl_valid", cycle < beats)?;
            dut.set("cpl_sop", cycle == 0)?;
            dut.set("cpl_eop", cycle + 1 == beats)?;
            dut.set_wide("cpl_data", &words(&[cycle as u8; 16]))?;
            dut.set("cpl_tag", completion.tag)?;
            dut.set("cpl_len", completion.len)?;
            dut.set("cpl_byte_count", completion.byte_count)?;
            dut.set("cpl_lower_addr", completion.lower)?;
            dut.set("cpl_status", completion.status)?;
            dut.set("cpl_poisoned", completion.poisoned)?;
            if dut.is("write_enable")? {
                assert_eq!(dut.get("write_slot")?, completion.tag);
                assert_eq!(dut.get_wide("write_data")?[0] & 0xff, written.len() as u32);
                written.push(dut.get("write_position")? & !15);
            }
            dut.step()?;
        }
        Ok(written)
    }

    fn bit(dut: &mut Dut, port: &str, slot: u64) -> Result<bool, Error> {
        Ok(dut.get_wide(port)?[slot as usize / 32] >> (slot % 32) & 1 == 1)
    }

    fn state(dut: &mut Dut, slot: u64) -> Result<(bool, bool, u64), Error> {
        dut.set("look_slot", slot)?;
        Ok((
            bit(dut, "open", slot)?,
            bit(dut, "quarantined", slot)?,
            dut.get("look_status")?,
        ))
    }

    #[test]
    fn pieces_in_order_fill_a_slot() -> Result<(), Error> {
        let mut dut = dut()?;
        allocate(&mut dut, 5, 0x134, 140)?;
        allocate(&mut dut, 6, 0, 0)?;
        assert!(bit(&mut dut, "open", 5)? && !bit(&mut dut, "open", 6)?);
        assert_eq!(send(&mut dut, GOOD)?, vec![0x130]);
        assert_eq!(state(&mut dut, 5)?, (true, false, 0));
        let second = Completion {
            lower: 0x40,
            len: 16,
            byte_count: 128,
            ..GOOD
        };
        assert_eq!(send(&mut dut, second)?, vec![0x140, 0x150, 0x160, 0x170]);
        let third = Completion {
            lower: 0,
            byte_count: 64,
            ..second
        };
        assert_eq!(send(&mut dut, third)?, vec![0x180, 0x190, 0x1a0, 0x1b0]);
        assert_eq!(state(&mut dut, 5)?, (false, false, 0));
        // Once more is once too often.
        assert_eq!(send(&mut dut, third)?, Vec::<u64>::new());
        // Tags of others are not looked at.
        assert_eq!(
            send(
                &mut dut,
                Completion {
                    tag: 256 + 5,
                    ..GOOD
                }
            )?,
            Vec::<u64>::new()
        );
        Ok(())
    }

    #[test]
    fn each_fault_has_its_status() -> Result<(), Error> {
        let mut dut = dut()?;
        let malformed = Status::ReadMalformed as u64;
        for (completion, status) in [
            (
                Completion { status: 1, ..GOOD },
                Status::ReadUnsupported as u64,
            ),
            (
                Completion { status: 5, ..GOOD },
                Status::ReadUnsupported as u64,
            ),
            (Completion { status: 4, ..GOOD }, Status::ReadAborted as u64),
            (Completion { status: 2, ..GOOD }, malformed),
            (
                Completion {
                    byte_count: 139,
                    ..GOOD
                },
                malformed,
            ),
            (
                Completion {
                    byte_count: 4096,
                    ..GOOD
                },
                malformed,
            ),
            (
                Completion {
                    lower: 0x35,
                    ..GOOD
                },
                malformed,
            ),
            (
                Completion {
                    lower: 0x74,
                    ..GOOD
                },
                malformed,
            ),
            (Completion { len: 36, ..GOOD }, malformed),
            (Completion { len: 0, ..GOOD }, malformed),
        ] {
            allocate(&mut dut, 5, 0x134, 140)?;
            assert_eq!(send(&mut dut, completion)?, Vec::<u64>::new());
            // Too many bytes where the last ones belong: nothing is to come behind them. All else may be a stranger's.
            let too_long = completion.len == 36;
            let owed = status == malformed && completion.status == 0 && !too_long;
            assert_eq!(state(&mut dut, 5)?, (false, owed, status));
            // What was still on its way never writes; the last of it frees the tag.
            assert_eq!(
                send(
                    &mut dut,
                    Completion {
                        byte_count: 40,
                        ..GOOD
                    }
                )?,
                Vec::<u64>::new()
            );
            assert_eq!(state(&mut dut, 5)?, (false, owed, status));
            assert_eq!(
                send(
                    &mut dut,
                    Completion {
                        byte_count: 12,
                        ..GOOD
                    }
                )?,
                Vec::<u64>::new()
            );
            assert_eq!(state(&mut dut, 5)?, (false, false, status));
        }
        // Up to 3 bytes behind the last are padding of its DW.
        allocate(&mut dut, 5, 0x134, 137)?;
        assert_eq!(
            send(
                &mut dut,
                Completion {
                    len: 35,
                    byte_count: 137,
                    ..GOOD
                }
            )?
            .len(),
            9
        );
        assert_eq!(state(&mut dut, 5)?, (false, false, 0));
        Ok(())
    }

    #[test]
    fn a_later_piece_begins_at_a_boundary() -> Result<(), Error> {
        let mut dut = dut()?;
        allocate(&mut dut, 5, 0x134, 140)?;
        assert_eq!(send(&mut dut, Completion { len: 1, ..GOOD })?, vec![0x130]);
        let inside = Completion {
            lower: 0x38,
            len: 34,
            byte_count: 136,
            ..GOOD
        };
        assert_eq!(send(&mut dut, inside)?, Vec::<u64>::new());
        assert_eq!(
            state(&mut dut, 5)?,
            (false, true, Status::ReadMalformed as u64)
        );
        Ok(())
    }

    #[test]
    fn poison_is_counted_until_all_has_come() -> Result<(), Error> {
        let mut dut = dut()?;
        allocate(&mut dut, 5, 0x134, 140)?;
        assert_eq!(
            send(
                &mut dut,
                Completion {
                    poisoned: true,
                    ..GOOD
                }
            )?,
            Vec::<u64>::new()
        );
        assert_eq!(
            state(&mut dut, 5)?,
            (true, false, Status::ReadPoisoned as u64)
        );
        send(
            &mut dut,
            Completion {
                lower: 0x40,
                len: 32,
                byte_count: 128,
                ..GOOD
            },
        )?;
        assert_eq!(
            state(&mut dut, 5)?,
            (false, false, Status::ReadPoisoned as u64)
        );
        Ok(())
    }

    #[test]
    fn an_expired_slot_leaves_its_tag_quarantined() -> Result<(), Error> {
        let mut dut = dut()?;
        allocate(&mut dut, 5, 0x134, 140)?;
        dut.set("expire_slot", 5)?;
        dut.set("expire", true)?;
        dut.step()?;
        dut.set("expire", false)?;
        assert_eq!(
            state(&mut dut, 5)?,
            (false, true, Status::ReadTimeout as u64)
        );
        assert_eq!(
            send(&mut dut, Completion { len: 35, ..GOOD })?,
            Vec::<u64>::new()
        );
        assert_eq!(
            state(&mut dut, 5)?,
            (false, false, Status::ReadTimeout as u64)
        );
        // A slot that is not open does not expire.
        dut.set("expire", true)?;
        dut.step()?;
        assert!(!state(&mut dut, 5)?.1);
        Ok(())
    }

    #[test]
    fn a_read_that_has_not_left_has_no_answer() -> Result<(), Error> {
        let mut dut = dut()?;
        allocate(&mut dut, 5, 0x134, 140)?;
        let whole = Completion { len: 35, ..GOOD };
        assert_eq!(send(&mut dut, whole)?.len(), 9);
        // The slot's next read is not sent yet: the completion of the one before does not come twice.
        allocate_unsent(&mut dut, 5, 0x134, 140)?;
        assert!(dut.get_wide("sent")?.iter().all(|word| *word == 0));
        assert_eq!(send(&mut dut, whole)?, Vec::<u64>::new());
        assert_eq!(state(&mut dut, 5)?, (true, false, 0));
        // Reads of others leave meanwhile.
        dut.set("sent_valid", true)?;
        dut.set("sent_tag", 256 + 5)?;
        dut.step()?;
        dut.set("sent_valid", false)?;
        assert!(dut.get_wide("sent")?.iter().all(|word| *word == 0));
        // It is withdrawn: the slot ends, and its tag is free at once.
        dut.set("withdrawn", true)?;
        dut.set("withdrawn_slot", 5)?;
        dut.step()?;
        dut.set("withdrawn", false)?;
        assert_eq!(state(&mut dut, 5)?, (false, false, Status::Aborted as u64));
        allocate(&mut dut, 5, 0x134, 140)?;
        assert_eq!(
            (state(&mut dut, 5)?, bit(&mut dut, "sent", 5)?),
            ((true, false, 0), true)
        );
        assert_eq!(send(&mut dut, whole)?.len(), 9);
        assert_eq!(state(&mut dut, 5)?, (false, false, 0));
        Ok(())
    }
}
