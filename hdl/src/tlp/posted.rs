//! The posted path: everything that must stay in order goes through here.

use crate::widgets::Param;
use rust_hdl::prelude::*;

/// Merges data writes, completion entries, MSI-X messages and register read completions, TLP by TLP.
///
/// A completion entry is offered after its data has passed, a message after its entry; what has been taken here goes to
/// the link in this order. A completion entry takes as many beats as its 32 bytes fill, one at least: its address is a
/// multiple of 32.
///
/// `W`: bus width in bits (64 to 512), `L` = log2(`W` / 8).
///
/// Without `may_write` no write is offered; one that was offered is withdrawn, and comes again later. So completions
/// never wait for a write that cannot go out.
///
/// Entries, messages and completions are turned to their lanes in front of a register, while the beat before them goes out, so that nothing but
/// the choice between that register and the data stands before the link.
#[derive(LogicBlock, Default)]
pub struct PostedMux<const W: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// Writes may go out. Stays set for the whole of a write whose first beat stands on the link.
    pub may_write: Signal<In, Bit>,

    /// A beat of a data write.
    pub data_valid: Signal<In, Bit>,
    /// It is taken.
    pub data_ready: Signal<Out, Bit>,
    /// First beat.
    pub data_sop: Signal<In, Bit>,
    /// Last beat.
    pub data_eop: Signal<In, Bit>,
    /// Address-aligned data.
    pub data_data: Signal<In, Bits<W>>,
    /// Byte address.
    pub data_addr: Signal<In, Bits<64>>,
    /// DWs.
    pub data_len: Signal<In, Bits<11>>,
    /// First byte enables.
    pub data_first_be: Signal<In, Bits<4>>,
    /// Last byte enables.
    pub data_last_be: Signal<In, Bits<4>>,

    /// A completion entry.
    pub entry_valid: Signal<In, Bit>,
    /// It is taken whole.
    pub entry_ready: Signal<Out, Bit>,
    /// Bus address.
    pub entry_addr: Signal<In, Bits<64>>,
    /// Bytes 0 to 15.
    pub entry_low: Signal<In, Bits<128>>,
    /// Bytes 16 to 31.
    pub entry_high: Signal<In, Bits<128>>,

    /// An MSI-X message.
    pub msg_valid: Signal<In, Bit>,
    /// It is taken.
    pub msg_ready: Signal<Out, Bit>,
    /// Bus address.
    pub msg_addr: Signal<In, Bits<64>>,
    /// Data.
    pub msg_data: Signal<In, Bits<32>>,

    /// A completion of a register read.
    pub cpl_valid: Signal<In, Bit>,
    /// It is taken.
    pub cpl_ready: Signal<Out, Bit>,
    /// Completion status.
    pub cpl_status: Signal<In, Bits<3>>,
    /// Tag of the request.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// Requester id.
    pub cpl_id: Signal<In, Bits<16>>,
    /// Byte count.
    pub cpl_byte_count: Signal<In, Bits<13>>,
    /// Lower address.
    pub cpl_lower_addr: Signal<In, Bits<7>>,
    /// DWs, 0 to 2.
    pub cpl_len: Signal<In, Bits<11>>,
    /// Data, first DW lowest.
    pub cpl_data: Signal<In, Bits<64>>,

    /// A beat.
    pub out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub out_ready: Signal<In, Bit>,
    /// First beat.
    pub out_sop: Signal<Out, Bit>,
    /// Last beat.
    pub out_eop: Signal<Out, Bit>,
    /// Data.
    pub out_data: Signal<Out, Bits<W>>,
    /// 0 MWr, 2 CplD, 3 Cpl.
    pub out_kind: Signal<Out, Bits<2>>,
    /// Byte address, or lower address.
    pub out_addr: Signal<Out, Bits<64>>,
    /// DWs.
    pub out_len: Signal<Out, Bits<11>>,
    /// First byte enables.
    pub out_first_be: Signal<Out, Bits<4>>,
    /// Last byte enables.
    pub out_last_be: Signal<Out, Bits<4>>,

    source: DFF<PostedSource>,
    // What goes out if it is not data: a beat, turned to its lanes, which of its TLP's beats it is, and the header.
    beat: DFF<Bits<W>>,
    index: DFF<Bits<2>>,
    last: DFF<Bits<2>>,
    kind: DFF<Bits<2>>,
    addr: DFF<Bits<64>>,
    len: DFF<Bits<11>>,
    first_be: DFF<Bits<4>>,
    last_be: DFF<Bits<4>>,
    width: Param<10, W>,
    is_data: Signal<Local, Bit>,
    is_entry: Signal<Local, Bit>,
    is_message: Signal<Local, Bit>,
    is_completion: Signal<Local, Bit>,
    between: Signal<Local, Bit>,
    gone: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    may_go: Signal<Local, Bit>,
    ended: Signal<Local, Bit>,
    pick: Signal<Local, PostedSource>,
    pick_index: Signal<Local, Bits<2>>,
    entry: Signal<Local, Bits<256>>,
    entry_last: Signal<Local, Bits<2>>,
    entry_piece: Signal<Local, Bits<9>>,
    entry_now: Signal<Local, Bits<256>>,
    entry_beat: Signal<Local, Bits<W>>,
    entry_lane: Signal<Local, Bits<L>>,
    entry_shift: Signal<Local, Bits<10>>,
    msg_lane: Signal<Local, Bits<L>>,
    msg_shift: Signal<Local, Bits<10>>,
    cpl_lane: Signal<Local, Bits<L>>,
    cpl_next_lane: Signal<Local, Bits<L>>,
    cpl_shift: Signal<Local, Bits<10>>,
    cpl_high: Signal<Local, Bits<32>>,
    cpl_wide: Signal<Local, Bit>,
}

/// Whose TLP is on its way.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PostedSource {
    /// A data write, or nobody's.
    Data,
    /// A completion entry.
    Entry,
    /// A message.
    Message,
    /// A completion.
    Completion,
}

impl<const W: usize, const L: usize> Logic for PostedMux<W, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, source, beat, index, last, kind, addr, len, first_be, last_be
        );
        self.data_ready.next = false;

        // The next beat of whoever is being served, or the first of who comes then: somebody else, as it still offers the one that is taken now.
        self.is_data.next = self.source.q.val() == PostedSource::Data;
        self.is_entry.next = self.source.q.val() == PostedSource::Entry;
        self.is_message.next = self.source.q.val() == PostedSource::Message;
        self.is_completion.next = self.source.q.val() == PostedSource::Completion;
        self.ended.next = self.index.q.val() == self.last.q.val();
        self.pick.next = self.source.q.val();
        self.pick_index.next = self.index.q.val() + 1;
        if self.is_data.val() | self.ended.val() {
            self.pick.next = PostedSource::Data;
            self.pick_index.next = 0.into();
            if self.cpl_valid.val() & !self.is_completion.val() {
                self.pick.next = PostedSource::Completion;
            } else if self.may_write.val() {
                if self.msg_valid.val() & !self.is_message.val() {
                    self.pick.next = PostedSource::Message;
                } else if self.entry_valid.val() & !self.is_entry.val() {
                    self.pick.next = PostedSource::Entry;
                }
            }
        }
        self.entry.next = bit_cast::<256, 128>(self.entry_low.val())
            | (bit_cast::<256, 128>(self.entry_high.val()) << 128);
        self.entry_last.next = 0.into();
        self.entry_piece.next = 0.into();
        if self.width.val().get_bit(6) {
            self.entry_last.next = 3.into();
            self.entry_piece.next = bit_cast::<9, 2>(self.pick_index.val()) << 6;
        }
        if self.width.val().get_bit(7) {
            self.entry_last.next = 1.into();
            self.entry_piece.next = bit_cast::<9, 2>(self.pick_index.val()) << 7;
        }
        self.entry_now.next = self.entry.val() >> self.entry_piece.val();
        self.entry_beat.next = bit_cast::<W, 256>(self.entry_now.val());
        self.entry_lane.next = bit_cast::<L, 64>((self.entry_addr.val() >> 5) << 5);
        self.entry_shift.next = bit_cast::<10, L>(self.entry_lane.val()) << 3;
        self.msg_lane.next = bit_cast::<L, 64>((self.msg_addr.val() >> 2) << 2);
        self.msg_shift.next = bit_cast::<10, L>(self.msg_lane.val()) << 3;
        self.cpl_lane.next = bit_cast::<L, 7>((self.cpl_lower_addr.val() >> 2) << 2);
        self.cpl_next_lane.next = self.cpl_lane.val() + 4;
        self.cpl_shift.next = bit_cast::<10, L>(self.cpl_lane.val()) << 3;
        self.cpl_high.next = self.cpl_data.val().get_bits::<32>(32);
        // Two DWs that begin in the last DW of a beat take a second beat.
        self.cpl_wide.next = (self.cpl_len.val() == 2) & !self.cpl_next_lane.val().any();

        // Data on offer goes on without a gap until somebody else has something; a TLP of it has no gaps.
        self.between.next = (!self.data_valid.val() | !self.may_write.val())
            | (self.data_eop.val() & self.out_ready.val());
        self.may_go.next = self.may_write.val() | self.is_completion.val();
        self.taken.next = self.out_ready.val() & self.may_go.val();
        if self.is_data.val() {
            self.out_valid.next = self.data_valid.val() & self.may_write.val();
            self.out_sop.next = self.data_sop.val();
            self.out_eop.next = self.data_eop.val();
            self.out_kind.next = 0.into();
            self.out_data.next = self.data_data.val();
            self.out_addr.next = self.data_addr.val();
            self.out_len.next = self.data_len.val();
            self.out_first_be.next = self.data_first_be.val();
            self.out_last_be.next = self.data_last_be.val();
            self.data_ready.next = self.out_ready.val() & self.may_write.val();
            if self.between.val() {
                self.source.d.next = self.pick.val();
            }
        } else {
            self.out_valid.next = self.may_go.val();
            self.out_sop.next = !self.index.q.val().any();
            self.out_eop.next = self.ended.val();
            self.out_kind.next = self.kind.q.val();
            self.out_data.next = self.beat.q.val();
            self.out_addr.next = self.addr.q.val();
            self.out_len.next = self.len.q.val();
            self.out_first_be.next = self.first_be.q.val();
            self.out_last_be.next = self.last_be.q.val();
            if !self.may_go.val() {
                self.source.d.next = PostedSource::Data;
            } else if self.taken.val() {
                self.source.d.next = self.pick.val();
            }
        }
        if self.is_data.val() | self.taken.val() {
            self.index.d.next = self.pick_index.val();
            match self.pick.val() {
                PostedSource::Data => {}
                PostedSource::Entry => {
                    self.last.d.next = self.entry_last.val();
                    self.kind.d.next = 0.into();
                    self.addr.d.next = self.entry_addr.val();
                    self.len.d.next = 8.into();
                    self.first_be.d.next = 15.into();
                    self.last_be.d.next = 15.into();
                    self.beat.d.next = self.entry_beat.val() << self.entry_shift.val();
                }
                PostedSource::Message => {
                    self.last.d.next = 0.into();
                    self.kind.d.next = 0.into();
                    self.addr.d.next = self.msg_addr.val();
                    self.len.d.next = 1.into();
                    self.first_be.d.next = 15.into();
                    self.last_be.d.next = 0.into();
                    self.beat.d.next =
                        bit_cast::<W, 32>(self.msg_data.val()) << self.msg_shift.val();
                }
                PostedSource::Completion => {
                    self.last.d.next = bit_cast::<2, 1>(self.cpl_wide.val().into());
                    self.kind.d.next = 2.into();
                    if !self.cpl_len.val().any() {
                        self.kind.d.next = 3.into();
                    }
                    self.addr.d.next = bit_cast::<64, 7>(self.cpl_lower_addr.val());
                    self.len.d.next = self.cpl_len.val();
                    self.first_be.d.next = 0.into();
                    self.last_be.d.next = 0.into();
                    self.beat.d.next =
                        bit_cast::<W, 64>(self.cpl_data.val()) << self.cpl_shift.val();
                    if self.pick_index.val().any() {
                        self.beat.d.next = bit_cast::<W, 32>(self.cpl_high.val());
                    }
                }
            }
        }
        self.gone.next = self.taken.val() & self.ended.val();
        self.entry_ready.next = self.is_entry.val() & self.gone.val();
        self.msg_ready.next = self.is_message.val() & self.gone.val();
        self.cpl_ready.next = self.is_completion.val() & self.gone.val();
        if self.reset.val() {
            self.source.d.next = PostedSource::Data;
        }
    }
}

#[cfg(test)]
mod tests;
