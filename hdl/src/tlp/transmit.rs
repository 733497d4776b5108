//! The link's transmit side: the posted path and the reads take turns.

use super::ReadCredits;
use crate::byte_enables::ByteEnables;
use crate::widgets::Param;
use rust_hdl::prelude::*;

/// Merges the posted path with the reads of the fetch unit and the H2C engine, TLP by TLP.
///
/// Reads of the fetch unit go before data reads: lists must not wait for data. A read goes out only with completion
/// space reserved, and nothing goes out without bus mastering except completions and a TLP whose first beat stands on
/// the link: that cannot be taken back (a beat stays until it is taken, and a TLP goes on to its end).
///
/// Reads have `T` tags, whose numbers take `P` bits.
#[derive(LogicBlock, Default)]
pub struct TransmitMux<const W: usize, const T: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Bus mastering is allowed: requests may begin.
    pub bus_master: Signal<In, Bit>,
    /// Forgets all reads: the one that waits here, and the completion space of those that are out. Not while a read
    /// stands on the link.
    pub forget: Signal<In, Bit>,
    /// Writes may go out, for [`PostedMux`](super::PostedMux).
    pub may_write: Signal<Out, Bit>,
    /// No beat waits on the link, and no TLP is half sent.
    pub settled: Signal<Out, Bit>,
    /// Tags for which their owners expect completions. A malformed one may look like a read's last and give its space
    /// back; the owner knows better.
    pub expected: Signal<In, Bits<T>>,
    /// Tags of reads that have gone out and whose last completions have not begun, or are still expected by their owners.
    pub reads_out: Signal<Out, Bits<T>>,
    /// There is completion space for the read on offer, or for one like the last that was.
    pub room: Signal<Out, Bit>,
    /// Read completion boundary: 0 for 64, 1 for 128 bytes.
    pub rcb: Signal<In, Bit>,
    /// Completion headers the receiver holds.
    pub cpl_headers: Signal<In, Bits<12>>,
    /// Completion data it holds, in units of 16 bytes.
    pub cpl_data: Signal<In, Bits<16>>,
    /// A completion begins.
    pub cpl_sop: Signal<In, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// Its DWs.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Bytes still to come, it included.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Its lower address.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// Its status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// By its header it is the last of its read.
    pub cpl_final: Signal<Out, Bit>,

    /// A beat of the posted path.
    pub posted_valid: Signal<In, Bit>,
    /// It is taken.
    pub posted_ready: Signal<Out, Bit>,
    /// First beat.
    pub posted_sop: Signal<In, Bit>,
    /// Last beat.
    pub posted_eop: Signal<In, Bit>,
    /// Data.
    pub posted_data: Signal<In, Bits<W>>,
    /// 0 MWr, 2 CplD, 3 Cpl.
    pub posted_kind: Signal<In, Bits<2>>,
    /// Byte address, or lower address.
    pub posted_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub posted_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub posted_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub posted_last_be: Signal<In, Bits<4>>,

    /// A read of the fetch unit.
    pub fetch_valid: Signal<In, Bit>,
    /// It is taken.
    pub fetch_ready: Signal<Out, Bit>,
    /// Bus address.
    pub fetch_addr: Signal<In, Bits<64>>,
    /// Bytes.
    pub fetch_bytes: Signal<In, Bits<10>>,
    /// Tag.
    pub fetch_tag: Signal<In, Bits<10>>,
    /// A data read.
    pub read_valid: Signal<In, Bit>,
    /// It is taken.
    pub read_ready: Signal<Out, Bit>,
    /// Byte address, multiple of 4.
    pub read_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub read_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub read_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub read_last_be: Signal<In, Bits<4>>,
    /// Tag.
    pub read_tag: Signal<In, Bits<10>>,

    /// A beat for the link.
    pub tx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tx_ready: Signal<In, Bit>,
    /// First beat.
    pub tx_sop: Signal<Out, Bit>,
    /// Last beat.
    pub tx_eop: Signal<Out, Bit>,
    /// Data.
    pub tx_data: Signal<Out, Bits<W>>,
    /// 0 MWr, 1 MRd, 2 CplD, 3 Cpl.
    pub tx_kind: Signal<Out, Bits<2>>,
    /// Byte address, or lower address.
    pub tx_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub tx_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub tx_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub tx_last_be: Signal<Out, Bits<4>>,
    /// Tag of a read.
    pub tx_tag: Signal<Out, Bits<10>>,

    credits: ReadCredits<T, P>,
    tags: Param<10, T>,
    enables: ByteEnables,
    // A read waits here, with its space reserved.
    r_valid: DFF<Bit>,
    r_addr: DFF<Bits<64>>,
    r_len: DFF<Bits<11>>,
    r_first: DFF<Bits<4>>,
    r_last: DFF<Bits<4>>,
    r_tag: DFF<Bits<10>>,
    midway: DFF<Bit>,
    chosen: DFF<Bit>,
    chosen_read: DFF<Bit>,
    after_read: DFF<Bit>,

    waiting: Signal<Local, Bits<T>>,
    others: Signal<Local, Bits<T>>,
    one: Signal<Local, Bits<T>>,
    known: Signal<Local, Bit>,
    is_final: Signal<Local, Bit>,
    brought: Signal<Local, Bits<13>>,
    reach: Signal<Local, Bits<13>>,
    load: Signal<Local, Bit>,
    want_len: Signal<Local, Bits<11>>,
    posted_go: Signal<Local, Bit>,
    pick_read: Signal<Local, Bit>,
    valid: Signal<Local, Bit>,
    eop: Signal<Local, Bit>,
}

impl<const W: usize, const T: usize, const P: usize> Logic for TransmitMux<W, T, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            r_valid,
            r_addr,
            r_len,
            r_first,
            r_last,
            r_tag,
            midway,
            chosen,
            chosen_read,
            after_read
        );
        self.credits.clock.next = self.clock.val();
        self.credits.reset.next = self.reset.val() | self.forget.val();
        self.credits.rcb.next = self.rcb.val();
        self.credits.headers.next = self.cpl_headers.val();
        self.credits.data.next = self.cpl_data.val();

        // The last completion of a read brings all that is still to come, or an error.
        self.brought.next = bit_cast::<13, 11>(self.cpl_len.val()) << 2;
        self.reach.next = self.cpl_byte_count.val()
            + bit_cast::<13, 2>(self.cpl_lower_addr.val().get_bits::<2>(0));
        self.is_final.next = self.cpl_status.val().any() | (self.reach.val() <= self.brought.val());
        self.cpl_final.next = self.is_final.val();
        self.known.next = self.cpl_tag.val() < self.tags.val();
        self.credits.cpl_sop.next = self.cpl_sop.val() & self.known.val();
        self.credits.cpl_tag.next = 0.into();
        if self.known.val() {
            self.credits.cpl_tag.next = bit_cast::<P, 10>(self.cpl_tag.val());
        }
        self.credits.cpl_final.next = self.is_final.val();

        // The next read: fetches first, into a register once its space is there.
        self.enables.offset.next = 0.into();
        self.enables.bytes.next = self.fetch_bytes.val();
        self.want_len.next = self.read_len.val();
        if self.fetch_valid.val() {
            self.want_len.next = self.enables.dwords.val();
        }
        self.credits.want_len.next = self.want_len.val();
        self.load.next = (self.fetch_valid.val() | self.read_valid.val())
            & ((!self.r_valid.q.val() & self.credits.room.val()) & self.bus_master.val());
        self.credits.issue.next = self.load.val();
        self.room.next = self.credits.room.val();
        self.credits.issue_tag.next = bit_cast::<P, 10>(self.read_tag.val());
        self.fetch_ready.next = false;
        self.read_ready.next = false;
        if self.load.val() {
            self.r_valid.d.next = true;
            if self.fetch_valid.val() {
                self.fetch_ready.next = true;
                self.r_addr.d.next = self.fetch_addr.val();
                self.r_len.d.next = self.enables.dwords.val();
                self.r_first.d.next = self.enables.first.val();
                self.r_last.d.next = self.enables.last.val();
                self.r_tag.d.next = self.fetch_tag.val();
            } else {
                self.read_ready.next = true;
                self.r_addr.d.next = self.read_addr.val();
                self.r_len.d.next = self.read_len.val();
                self.r_first.d.next = self.read_first_be.val();
                self.r_last.d.next = self.read_last_be.val();
                self.r_tag.d.next = self.read_tag.val();
            }
        }
        if self.fetch_valid.val() {
            self.credits.issue_tag.next = bit_cast::<P, 10>(self.fetch_tag.val());
        }

        // Reads whose tag is in use and that do not wait here.
        self.one.next = 1.into();
        self.waiting.next = 0.into();
        if self.r_valid.q.val() {
            self.waiting.next = self.one.val() << bit_cast::<P, 10>(self.r_tag.q.val());
        }
        self.others.next = !self.waiting.val();
        self.reads_out.next = (self.credits.tags.val() | self.expected.val()) & self.others.val();
        self.settled.next = !self.midway.q.val() & !self.chosen.q.val();

        // Whose TLP: decided at its first beat and kept until its last.
        self.may_write.next = self.bus_master.val()
            | (self.midway.q.val() | (self.chosen.q.val() & !self.chosen_read.q.val()));
        self.posted_go.next =
            self.posted_valid.val() & (self.may_write.val() | self.posted_kind.val().get_bit(1));
        self.pick_read.next = (self.r_valid.q.val() & self.bus_master.val())
            & (!self.after_read.q.val() | !self.posted_go.val());
        if self.chosen.q.val() {
            self.pick_read.next = self.chosen_read.q.val();
        }
        if self.midway.q.val() {
            self.pick_read.next = false;
        }
        self.valid.next = self.posted_go.val();
        self.eop.next = self.posted_eop.val();
        self.tx_sop.next = self.posted_sop.val();
        self.tx_data.next = self.posted_data.val();
        self.tx_kind.next = self.posted_kind.val();
        self.tx_addr.next = self.posted_addr.val();
        self.tx_len.next = self.posted_len.val();
        self.tx_first_be.next = self.posted_first_be.val();
        self.tx_last_be.next = self.posted_last_be.val();
        self.tx_tag.next = 0.into();
        self.posted_ready.next =
            (self.tx_ready.val() & self.posted_go.val()) & !self.pick_read.val();
        if self.midway.q.val() {
            self.valid.next = self.posted_valid.val();
            self.posted_ready.next = self.tx_ready.val();
        }
        if self.pick_read.val() {
            self.valid.next = true;
            self.eop.next = true;
            self.tx_sop.next = true;
            self.tx_data.next = 0.into();
            self.tx_kind.next = 1.into();
            self.tx_tag.next = self.r_tag.q.val();
            self.tx_addr.next = self.r_addr.q.val();
            self.tx_len.next = self.r_len.q.val();
            self.tx_first_be.next = self.r_first.q.val();
            self.tx_last_be.next = self.r_last.q.val();
        }
        self.tx_valid.next = self.valid.val();
        self.tx_eop.next = self.eop.val();
        self.chosen.d.next = self.valid.val() & !self.tx_ready.val();
        self.chosen_read.d.next = self.pick_read.val();
        if self.valid.val() & self.tx_ready.val() {
            self.after_read.d.next = self.pick_read.val();
            self.midway.d.next = !self.eop.val();
            if self.pick_read.val() {
                self.r_valid.d.next = false;
            }
        }
        if self.forget.val() {
            self.r_valid.d.next = false;
        }
        if self.reset.val() {
            self.r_valid.d.next = false;
            self.midway.d.next = false;
            self.chosen.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests;
