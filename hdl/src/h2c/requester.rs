//! From chunks to read requests.

use crate::byte_enables::ByteEnables;
use crate::widgets::{Const, Param};
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// Gives each chunk the next of `N` slots in ring order and asks for its bytes with a read whose tag is the slot; `I` =
/// log2(`N`), `P` = `I` + 1.
///
/// Without extended tags the ring has 32 slots. It changes its length only while it is empty.
///
/// Only a transfer's first data chunk may begin, and only its last may end, elsewhere than at a multiple of the bus width.
///
/// A chunk that is not taken yet may be exchanged for another. The last free slot is kept for terminal chunks (of
/// length 0). A slot whose tag may not be used is passed over as an empty slot that ends no transfer.
///
/// A context of `aborts` gets no read: of its data chunks the last becomes a terminal one, and the others vanish without
/// a slot, so what is queued of it can wait here for any time. Its read that has not been taken yet is withdrawn.
/// The same goes, with another status, for a transfer that finds no tag to use: none of those that the ring, short or long, ever comes to.
#[derive(LogicBlock, Default)]
pub struct ReadRequester<const N: usize, const I: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A chunk is offered.
    pub chunk_valid: Signal<In, Bit>,
    /// The chunk is taken.
    pub chunk_ready: Signal<Out, Bit>,
    /// Bus address of the first byte.
    pub chunk_addr: Signal<In, Bits<64>>,
    /// Bytes, 1..=512 within a naturally aligned block of 512; 0 on a terminal chunk.
    pub chunk_len: Signal<In, Bits<10>>,
    /// Last chunk of its transfer. A terminal chunk is always the last.
    pub chunk_last: Signal<In, Bit>,
    /// Context.
    pub chunk_ctx: Signal<In, Bits<4>>,
    /// Why a terminal chunk ends its transfer; 0 on all others.
    pub chunk_status: Signal<In, Bits<16>>,
    /// TDEST of the transfer.
    pub chunk_tdest: Signal<In, Bits<16>>,
    /// Contexts that must stop reading.
    pub aborts: Signal<In, Bits<16>>,
    /// A read is offered; one that is not taken may be withdrawn.
    pub rd_valid: Signal<Out, Bit>,
    /// The read is taken.
    pub rd_ready: Signal<In, Bit>,
    /// Byte address, multiple of 4.
    pub rd_addr: Signal<Out, Bits<64>>,
    /// DWs, 1..=128.
    pub rd_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub rd_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub rd_last_be: Signal<Out, Bits<4>>,
    /// Tag: the slot.
    pub rd_tag: Signal<Out, Bits<10>>,
    /// The read of slot `withdrawn_slot` will not be made.
    pub withdrawn: Signal<Out, Bit>,
    /// Which slot.
    pub withdrawn_slot: Signal<Out, Bits<I>>,
    /// A slot is allocated in this cycle.
    pub slot_valid: Signal<Out, Bit>,
    /// Which slot.
    pub slot_index: Signal<Out, Bits<I>>,
    /// Place of its first byte in the slot: the low address bits.
    pub slot_position: Signal<Out, Bits<9>>,
    /// Its bytes; 0: complete at once.
    pub slot_len: Signal<Out, Bits<10>>,
    /// It ends its transfer.
    pub slot_last: Signal<Out, Bit>,
    /// Context.
    pub slot_ctx: Signal<Out, Bits<4>>,
    /// Status of a terminal chunk.
    pub slot_status: Signal<Out, Bits<16>>,
    /// TDEST.
    pub slot_tdest: Signal<Out, Bits<16>>,
    /// Oldest slot in use, counted modulo 2 `N`.
    pub head: Signal<In, Bits<P>>,
    /// Next slot to allocate, counted modulo 2 `N`.
    pub tail: Signal<Out, Bits<P>>,
    /// Extended tags are enabled.
    pub extended: Signal<In, Bit>,
    /// Bits of a count that are the slot's number: the ring has 32 or `N` slots.
    pub mask: Signal<Out, Bits<I>>,
    /// Tags that may be used, by slot.
    pub usable: Signal<In, Bits<N>>,
    /// A slot is free for a read, and its tag too.
    pub slot_free: Signal<Out, Bit>,

    next_slot: DFF<Bits<P>>,
    busy: DFF<Bit>,
    addr: DFF<Bits<62>>,
    len: DFF<Bits<11>>,
    first_be: DFF<Bits<4>>,
    last_be: DFF<Bits<4>>,
    tag: DFF<Bits<I>>,
    rd_ctx: DFF<Bits<4>>,
    // The transfer at hand has lost a chunk for want of a tag.
    tagless: DFF<Bit>,
    short: DFF<Bit>,
    slots: Param<P, N>,
    enables: ByteEnables,
    aborted: Const<16, { Status::Aborted as u64 }>,
    timed_out: Const<16, { Status::ReadTimeout as u64 }>,
    of_short_ring: Const<N, 0xffff_ffff>,

    size: Signal<Local, Bits<P>>,
    zero: Signal<Local, Bits<I>>,
    ring: Signal<Local, Bits<I>>,
    used: Signal<Local, Bits<P>>,
    left: Signal<Local, Bits<P>>,
    slot: Signal<Local, Bits<I>>,
    data: Signal<Local, Bit>,
    aborting: Signal<Local, Bit>,
    reachable: Signal<Local, Bits<N>>,
    unreadable: Signal<Local, Bit>,
    dropped: Signal<Local, Bit>,
    terminal: Signal<Local, Bit>,
    pass_over: Signal<Local, Bit>,
    rd_free: Signal<Local, Bit>,
    can_read: Signal<Local, Bit>,
    can_end: Signal<Local, Bit>,
    can_take: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    skip: Signal<Local, Bit>,
    allocates: Signal<Local, Bit>,
    withdraw: Signal<Local, Bit>,
}

impl<const N: usize, const I: usize, const P: usize> Logic for ReadRequester<N, I, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, next_slot, busy, addr, len, first_be, last_be, tag, rd_ctx, tagless, short
        );
        self.used.next = self.next_slot.q.val() - self.head.val();
        self.size.next = self.slots.val();
        self.zero.next = 0.into();
        self.ring.next = !self.zero.val();
        if self.short.q.val() {
            self.size.next = 32.into();
            self.ring.next = 31.into();
        }
        self.left.next = self.size.val() - self.used.val();
        self.slot.next = bit_cast::<I, P>(self.next_slot.q.val()) & self.ring.val();
        self.mask.next = self.ring.val();
        self.data.next = self.chunk_len.val().any();
        self.aborting.next = self.aborts.val().get_bit(self.chunk_ctx.val().index());
        self.reachable.next = self.usable.val();
        if self.short.q.val() {
            self.reachable.next = self.usable.val() & self.of_short_ring.val();
        }
        self.unreadable.next =
            self.aborting.val() | (self.tagless.q.val() | !self.reachable.val().any());
        self.dropped.next = (self.data.val() & self.unreadable.val()) & !self.chunk_last.val();
        self.terminal.next = !self.data.val() | (self.unreadable.val() & self.chunk_last.val());
        self.pass_over.next = !self.usable.val().get_bit(self.slot.val().index());
        self.rd_free.next = !self.busy.q.val() | self.rd_ready.val();
        self.can_read.next = self.left.val() > 1;
        self.can_end.next = self.left.val().any();
        self.can_take.next = (self.can_read.val() & self.rd_free.val()) & !self.pass_over.val();
        if self.terminal.val() {
            self.can_take.next = self.can_end.val();
        }
        if self.dropped.val() {
            self.can_take.next = true;
        }
        self.take.next = self.chunk_valid.val() & self.can_take.val();
        self.skip.next = (self.chunk_valid.val() & !(self.terminal.val() | self.dropped.val()))
            & (self.can_read.val() & self.pass_over.val());
        self.chunk_ready.next = self.can_take.val();

        self.allocates.next = (self.take.val() & !self.dropped.val()) | self.skip.val();
        self.slot_valid.next = self.allocates.val();
        self.slot_index.next = self.slot.val();
        self.slot_position.next = self.chunk_addr.val().get_bits::<9>(0);
        self.slot_len.next = self.chunk_len.val();
        self.slot_last.next = self.chunk_last.val();
        self.slot_ctx.next = self.chunk_ctx.val();
        self.slot_status.next = self.chunk_status.val();
        self.slot_tdest.next = self.chunk_tdest.val();
        if self.terminal.val() & self.data.val() {
            self.slot_len.next = 0.into();
            self.slot_status.next = self.timed_out.val();
            if self.aborting.val() {
                self.slot_status.next = self.aborted.val();
            }
        }
        if self.skip.val() {
            self.slot_len.next = 0.into();
            self.slot_last.next = false;
            self.slot_status.next = 0.into();
        }
        if self.allocates.val() {
            self.next_slot.d.next = self.next_slot.q.val() + 1;
        }
        if !self.used.val().any() & !self.allocates.val() {
            self.short.d.next = !self.extended.val();
        }
        if self.take.val() {
            self.tagless.d.next = self.dropped.val();
        }
        self.tail.next = self.next_slot.q.val();
        self.slot_free.next = self.can_read.val() & !self.pass_over.val();

        self.enables.offset.next = self.chunk_addr.val().get_bits::<2>(0);
        self.enables.bytes.next = self.chunk_len.val();
        if self.rd_ready.val() {
            self.busy.d.next = false;
        }
        self.withdraw.next = (self.busy.q.val() & !self.rd_ready.val())
            & self.aborts.val().get_bit(self.rd_ctx.q.val().index());
        self.withdrawn.next = self.withdraw.val();
        self.withdrawn_slot.next = self.tag.q.val();
        if self.withdraw.val() {
            self.busy.d.next = false;
        }
        if self.take.val() & !(self.terminal.val() | self.dropped.val()) {
            self.busy.d.next = true;
            self.addr.d.next = self.chunk_addr.val().get_bits::<62>(2);
            self.len.d.next = self.enables.dwords.val();
            self.first_be.d.next = self.enables.first.val();
            self.last_be.d.next = self.enables.last.val();
            self.tag.d.next = self.slot.val();
            self.rd_ctx.d.next = self.chunk_ctx.val();
        }
        self.rd_valid.next = self.busy.q.val();
        self.rd_addr.next = bit_cast::<64, 62>(self.addr.q.val()) << 2;
        self.rd_len.next = self.len.q.val();
        self.rd_first_be.next = self.first_be.q.val();
        self.rd_last_be.next = self.last_be.q.val();
        self.rd_tag.next = bit_cast::<10, I>(self.tag.q.val());

        if self.reset.val() {
            self.next_slot.d.next = 0.into();
            self.busy.d.next = false;
            self.tagless.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    #[test]
    fn slots_reads_and_byte_enables() -> Result<(), Error> {
        exercise::<32, 5, 6>(true)?;
        exercise::<64, 6, 7>(true)?;
        exercise::<256, 8, 9>(true)?;
        exercise::<256, 8, 9>(false)
    }

    /// The ring follows the configuration when it is empty, and not before.
    #[test]
    fn the_ring_changes_its_length_while_it_is_empty() -> Result<(), Error> {
        let mut dut = dut::<64, 6, 7>()?;
        set_slots(&mut dut, &[1; 64])?;
        dut.set("extended", true)?;
        dut.set("reset", true)?;
        dut.step()?;
        dut.set("reset", false)?;
        dut.set("chunk_valid", true)?;
        dut.set("chunk_last", true)?;
        for slot in 0..40 {
            assert_eq!(dut.get("slot_index")?, slot);
            dut.set("extended", slot < 8)?;
            dut.step()?;
        }
        dut.set("chunk_valid", false)?;
        assert_eq!(dut.get("mask")?, 63);
        dut.set("head", 40)?;
        dut.step()?;
        assert_eq!(dut.get("mask")?, 31);
        assert_eq!(dut.get("slot_index")?, 40 % 32);
        // A slot that is taken in the first cycle after keeps the length.
        dut.set("extended", true)?;
        dut.set("chunk_valid", true)?;
        dut.step()?;
        assert_eq!(dut.get("mask")?, 31);
        dut.set("chunk_valid", false)?;
        dut.set("head", 41)?;
        dut.step()?;
        assert_eq!(dut.get("mask")?, 63);
        assert_eq!(dut.get("slot_index")?, 41);
        Ok(())
    }

    /// Tags that the short ring never comes to are none to wait for, even if they may be used: that would pass over slots for ever.
    #[test]
    fn a_short_ring_without_tags_ends_the_transfer() -> Result<(), Error> {
        let mut dut = dut::<64, 6, 7>()?;
        let mut beyond = [0; 64];
        beyond[32..].fill(1);
        set_slots(&mut dut, &beyond)?;
        dut.set("reset", true)?;
        dut.step()?;
        dut.set("reset", false)?;
        dut.step()?;
        assert_eq!(dut.get("mask")?, 31);
        // The configuration changes when the ring is in use.
        dut.set("chunk_valid", true)?;
        dut.set("chunk_last", true)?;
        dut.step()?;
        dut.set("extended", true)?;
        dut.set("chunk_len", 64)?;
        assert!(dut.is("chunk_ready")? && dut.is("slot_last")?);
        assert_eq!(dut.get("slot_len")?, 0);
        assert_eq!(dut.get("slot_status")?, Status::ReadTimeout.code());
        dut.step()?;
        dut.set("chunk_valid", false)?;
        dut.set("head", 2)?;
        dut.step()?;
        // The long ring has tags.
        assert_eq!(dut.get("mask")?, 63);
        dut.set("chunk_valid", true)?;
        for slot in 2..33 {
            assert_eq!(dut.get("slot_index")?, slot);
            assert_eq!(dut.is("chunk_ready")?, slot >= 32, "slot {slot}");
            dut.step()?;
        }
        assert!(dut.is("rd_valid")?);
        assert_eq!(dut.get("rd_tag")?, 32);
        Ok(())
    }

    fn set_slots<const N: usize, const I: usize, const P: usize>(
        dut: &mut Pair<ReadRequester<N, I, P>>,
        usable: &[u32],
    ) -> Result<(), Error> {
        let words: Vec<u32> = usable
            .chunks(32)
            .map(|bits| bits.iter().rev().fold(0, |word, bit| word << 1 | (bit & 1)))
            .collect();
        dut.set_wide("usable", &words)
    }

    fn dut<const N: usize, const I: usize, const P: usize>()
    -> Result<Pair<ReadRequester<N, I, P>>, Error> {
        Pair::new(
            ReadRequester::default(),
            ports!(ReadRequester<N, I, P> {
                clock: clock;
                in reset, chunk_valid, chunk_addr, chunk_len, chunk_last, chunk_ctx, chunk_status, chunk_tdest, rd_ready, head,
                    usable, extended, aborts;
                out withdrawn, withdrawn_slot, chunk_ready, rd_valid, rd_addr, rd_len, rd_first_be, rd_last_be, rd_tag, slot_valid, slot_index,
                    slot_position, slot_len, slot_last, slot_ctx, slot_status, slot_tdest, tail, slot_free, mask
            }),
        )
    }

    fn exercise<const N: usize, const I: usize, const P: usize>(
        extended: bool,
    ) -> Result<(), Error> {
        let mut dut = dut::<N, I, P>()?;
        dut.set("extended", extended)?;
        dut.set("reset", true)?;
        dut.step()?;
        dut.set("reset", false)?;
        let size = if extended { N as u64 } else { 32 };
        let modulo = 2 * N as u64;
        // Phases are long enough to fill any ring.
        let phase = 1000 * N as u64 / 32;
        let mut random = StdRng::seed_from_u64(3);
        let (mut head, mut tail) = (0, 0);
        let (mut aborts, mut tagless) = (0u64, false);
        let (mut dropped_chunks, mut cut, mut withdrawals) = (0, [0; 2], 0);
        let mut reads = VecDeque::new();
        let (mut passed_over, mut taken_up, mut last_slot) = (0, 0, 0);
        for cycle in 0..6 * phase {
            let terminal = random.random_bool(0.1);
            let position = random.random_range(0u64..512);
            let len = if terminal {
                0
            } else {
                random.random_range(1..=512 - position)
            };
            let addr = random.random::<u64>() & !511 | position;
            let last = terminal || random.random_bool(0.2);
            let offered = random.random_bool(0.9);
            // The drain lags behind for long, so that the ring fills up.
            if head != tail && cycle / (phase / 5) % 2 == 1 && random.random_bool(0.7) {
                head += 1;
            }
            // Some slots are barred, at times all or all but one; those above a narrow ring have no tag.
            let barred = |slot: u64| match cycle / phase {
                _ if slot >= size => true,
                1 | 3 | 5 => [0, 5, 10, 31].contains(&(slot % 32)),
                4 if cycle % 50 < 5 => true,
                4 => slot % 32 != 11,
                _ => false,
            };
            let usable: Vec<u32> = (0..N as u64).map(|slot| u32::from(!barred(slot))).collect();
            if cycle % 2 == 0 {
                aborts = if cycle / (phase / 2) % 2 == 1 {
                    random.random_range(0..1 << 16)
                } else {
                    0
                };
            }
            dut.set("aborts", aborts)?;
            let ready = random.random_bool(0.8);
            dut.set("head", head % modulo)?;
            set_slots(&mut dut, &usable)?;
            dut.set("rd_ready", ready)?;
            dut.set("chunk_valid", offered)?;
            dut.set("chunk_addr", addr)?;
            dut.set("chunk_len", len)?;
            dut.set("chunk_last", last)?;
            dut.set("chunk_ctx", cycle % 16)?;
            dut.set("chunk_status", if terminal { cycle % 5 } else { 0 })?;
            dut.set("chunk_tdest", cycle)?;

            let slot = tail % size;
            let aborting = aborts >> (cycle % 16) & 1 == 1;
            let unreadable = aborting || tagless || usable.iter().all(|bit| *bit == 0);
            let dropped = !terminal && unreadable && !last;
            let cut_off = !terminal && unreadable && last;
            let pass_over = barred(slot);
            let read_free = reads.is_empty() || ready;
            let room = tail - head < size - 1;
            assert_eq!(dut.is("slot_free")?, room && !pass_over, "cycle {cycle}");
            taken_up += u64::from(!room);
            let mut withdrawn = None;
            if let Some((addr, len, tag, ctx)) = reads.front().copied() {
                assert!(dut.is("rd_valid")?);
                let (first, end): (u64, u64) = (addr & !3, addr + len);
                let dwords = (end - first).div_ceil(4);
                let enables = |dword: u64| {
                    (0..4u64).fold(0, |be, byte| {
                        be | u64::from((addr..end).contains(&(first + 4 * dword + byte))) << byte
                    })
                };
                assert_eq!(
                    (dut.get("rd_addr")?, dut.get("rd_len")?, dut.get("rd_tag")?),
                    (first, dwords, tag)
                );
                assert_eq!(dut.get("rd_first_be")?, enables(0));
                assert_eq!(
                    dut.get("rd_last_be")?,
                    if dwords == 1 { 0 } else { enables(dwords - 1) }
                );
                if !ready && aborts >> ctx & 1 == 1 {
                    withdrawn = Some(tag);
                }
                if ready || withdrawn.is_some() {
                    reads.pop_front();
                }
            } else {
                assert!(!dut.is("rd_valid")?);
            }
            assert_eq!(dut.is("withdrawn")?, withdrawn.is_some(), "cycle {cycle}");
            if let Some(tag) = withdrawn {
                assert_eq!(dut.get("withdrawn_slot")?, tag);
                withdrawals += 1;
            }
            let taken = offered
                && if dropped {
                    true
                } else if terminal || cut_off {
                    tail - head < size
                } else {
                    room && read_free && !pass_over
                };
            let skipped = offered && !(terminal || cut_off || dropped) && room && pass_over;
            let slotted = taken && !dropped || skipped;
            assert_eq!(offered && dut.is("chunk_ready")?, taken, "cycle {cycle}");
            assert_eq!(dut.is("slot_valid")?, slotted, "cycle {cycle}");
            assert_eq!(dut.get("tail")?, tail % modulo);
            if slotted {
                assert_eq!(dut.get("slot_index")?, slot);
                let expected = match (skipped, cut_off) {
                    (true, _) => (0, false),
                    (_, true) => (0, true),
                    _ => (len, last),
                };
                assert_eq!((dut.get("slot_len")?, dut.is("slot_last")?), expected);
                tail += 1;
                last_slot += u64::from(tail - head == size);
                passed_over += u64::from(skipped);
            }
            if taken {
                tagless = dropped;
                dropped_chunks += u64::from(dropped);
            }
            if taken && !dropped {
                assert_eq!(
                    (dut.get("slot_position")?, dut.get("slot_ctx")?),
                    (position, cycle % 16)
                );
                let status = match (terminal, cut_off, aborting) {
                    (true, ..) => cycle % 5,
                    (_, true, true) => Status::Aborted as u64,
                    (_, true, false) => Status::ReadTimeout as u64,
                    _ => 0,
                };
                assert_eq!(dut.get("slot_status")?, status, "cycle {cycle}");
                cut[usize::from(aborting)] += u64::from(cut_off);
                assert_eq!(dut.get("slot_tdest")?, cycle);
                if !terminal && !cut_off {
                    reads.push_back((addr, len, slot, cycle % 16));
                }
            }
            dut.step()?;
        }
        assert!(
            passed_over > 10 && taken_up > 10 && last_slot > 3,
            "{passed_over} {taken_up} {last_slot}"
        );
        assert!(
            dropped_chunks > 10 && cut[0] > 3 && cut[1] > 3 && withdrawals > 3,
            "{dropped_chunks} {cut:?} {withdrawals}"
        );
        Ok(())
    }
}
