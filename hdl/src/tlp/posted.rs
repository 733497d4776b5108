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
    // The entry's second half, or the completion's second beat; of a half of the entry, its second beat.
    second: DFF<Bit>,
    odd: DFF<Bit>,
    width: Param<10, W>,
    // Beats are of a quarter of an entry, of a half at most.
    quarters: Signal<Local, Bit>,
    halves: Signal<Local, Bit>,
    half_ends: Signal<Local, Bit>,
    entry_ends: Signal<Local, Bit>,
    entry: Signal<Local, Bits<256>>,
    entry_half: Signal<Local, Bits<256>>,
    entry_now: Signal<Local, Bits<256>>,
    entry_beat: Signal<Local, Bits<W>>,
    entry_lane: Signal<Local, Bits<L>>,
    entry_shift: Signal<Local, Bits<10>>,
    lane: Signal<Local, Bits<L>>,
    msg_shift: Signal<Local, Bits<10>>,
    cpl_lane: Signal<Local, Bits<L>>,
    cpl_next_lane: Signal<Local, Bits<L>>,
    cpl_shift: Signal<Local, Bits<10>>,
    cpl_words: Signal<Local, Bits<W>>,
    cpl_high: Signal<Local, Bits<32>>,
    wide: Signal<Local, Bit>,
}

/// Whose TLP is on its way.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PostedSource {
    /// Nobody's.
    None,
    /// A data write.
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
        dff_setup!(self, clock, source, second, odd);
        self.data_ready.next = false;
        self.entry_ready.next = false;
        self.msg_ready.next = false;
        self.cpl_ready.next = false;
        self.out_valid.next = false;
        self.out_sop.next = true;
        self.out_eop.next = true;
        self.out_kind.next = 0.into();
        self.out_data.next = self.data_data.val();
        self.out_addr.next = self.data_addr.val();
        self.out_len.next = self.data_len.val();
        self.out_first_be.next = self.data_first_be.val();
        self.out_last_be.next = self.data_last_be.val();

        self.lane.next = bit_cast::<L, 64>(self.msg_addr.val());
        self.msg_shift.next = bit_cast::<10, L>(self.lane.val()) << 3;
        self.cpl_lane.next = bit_cast::<L, 7>((self.cpl_lower_addr.val() >> 2) << 2);
        self.cpl_next_lane.next = self.cpl_lane.val() + 4;
        self.cpl_shift.next = bit_cast::<10, L>(self.cpl_lane.val()) << 3;
        self.cpl_words.next = bit_cast::<W, 64>(self.cpl_data.val()) << self.cpl_shift.val();
        self.cpl_high.next = self.cpl_data.val().get_bits::<32>(32);
        // Two DWs that begin in the last DW of a beat take a second beat.
        self.wide.next = (self.cpl_len.val() == 2) & !self.cpl_next_lane.val().any();
        self.quarters.next = self.width.val().get_bit(6);
        self.halves.next = self.width.val().get_bit(6) | self.width.val().get_bit(7);
        self.half_ends.next = self.odd.q.val() | !self.quarters.val();
        self.entry_ends.next = (self.second.q.val() | !self.halves.val()) & self.half_ends.val();
        self.entry.next = bit_cast::<256, 128>(self.entry_low.val())
            | (bit_cast::<256, 128>(self.entry_high.val()) << 128);
        self.entry_half.next = self.entry.val();
        if self.second.q.val() {
            self.entry_half.next = self.entry.val() >> 128;
        }
        self.entry_now.next = self.entry_half.val();
        if self.odd.q.val() {
            self.entry_now.next = self.entry_half.val() >> 64;
        }
        self.entry_beat.next = bit_cast::<W, 256>(self.entry_now.val());
        self.entry_lane.next = bit_cast::<L, 64>((self.entry_addr.val() >> 5) << 5);
        self.entry_shift.next = bit_cast::<10, L>(self.entry_lane.val()) << 3;

        match self.source.q.val() {
            PostedSource::None => {
                self.second.d.next = false;
                self.odd.d.next = false;
                if self.cpl_valid.val() {
                    self.source.d.next = PostedSource::Completion;
                } else if self.may_write.val() {
                    if self.msg_valid.val() {
                        self.source.d.next = PostedSource::Message;
                    } else if self.entry_valid.val() {
                        self.source.d.next = PostedSource::Entry;
                    } else if self.data_valid.val() {
                        self.source.d.next = PostedSource::Data;
                    }
                }
            }
            PostedSource::Data => {
                self.out_valid.next = self.data_valid.val() & self.may_write.val();
                self.out_sop.next = self.data_sop.val();
                self.out_eop.next = self.data_eop.val();
                self.data_ready.next = self.out_ready.val() & self.may_write.val();
                // Data goes on without a gap until somebody else has something.
                if (self.data_valid.val() & self.data_eop.val()) & self.out_ready.val() {
                    if self.cpl_valid.val() | (self.msg_valid.val() | self.entry_valid.val()) {
                        self.source.d.next = PostedSource::None;
                    }
                }
                if !self.data_valid.val() | !self.may_write.val() {
                    self.source.d.next = PostedSource::None;
                }
            }
            PostedSource::Entry => {
                self.out_valid.next = self.may_write.val();
                self.out_addr.next = self.entry_addr.val();
                self.out_len.next = 8.into();
                self.out_first_be.next = 15.into();
                self.out_last_be.next = 15.into();
                self.out_sop.next = !self.second.q.val() & !self.odd.q.val();
                self.out_eop.next = self.entry_ends.val();
                self.out_data.next = self.entry_beat.val() << self.entry_shift.val();
                if self.may_write.val() {
                    if self.out_ready.val() {
                        self.odd.d.next = !self.half_ends.val();
                        if self.half_ends.val() {
                            self.second.d.next = true;
                        }
                        if self.entry_ends.val() {
                            self.entry_ready.next = true;
                            self.source.d.next = PostedSource::None;
                        }
                    }
                } else {
                    self.source.d.next = PostedSource::None;
                }
            }
            PostedSource::Message => {
                self.out_valid.next = self.may_write.val();
                self.out_addr.next = self.msg_addr.val();
                self.out_len.next = 1.into();
                self.out_first_be.next = 15.into();
                self.out_last_be.next = 0.into();
                self.out_data.next = bit_cast::<W, 32>(self.msg_data.val()) << self.msg_shift.val();
                self.msg_ready.next = self.out_ready.val() & self.may_write.val();
                if self.out_ready.val() | !self.may_write.val() {
                    self.source.d.next = PostedSource::None;
                }
            }
            PostedSource::Completion => {
                self.out_valid.next = true;
                self.out_kind.next = 2.into();
                if !self.cpl_len.val().any() {
                    self.out_kind.next = 3.into();
                }
                self.out_addr.next = bit_cast::<64, 7>(self.cpl_lower_addr.val());
                self.out_len.next = self.cpl_len.val();
                self.out_first_be.next = 0.into();
                self.out_last_be.next = 0.into();
                self.out_sop.next = !self.second.q.val();
                self.out_eop.next = self.second.q.val() | !self.wide.val();
                self.out_data.next = self.cpl_words.val();
                if self.second.q.val() {
                    self.out_data.next = bit_cast::<W, 32>(self.cpl_high.val());
                }
                if self.out_ready.val() {
                    self.second.d.next = true;
                    if self.second.q.val() | !self.wide.val() {
                        self.cpl_ready.next = true;
                        self.source.d.next = PostedSource::None;
                    }
                }
            }
        }
        if self.reset.val() {
            self.source.d.next = PostedSource::None;
        }
    }
}

#[cfg(test)]
mod tests;
