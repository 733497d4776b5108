//! From request TLPs to single-DW register accesses.

use crate::widgets::SmallFifo;
use rust_hdl::prelude::*;

/// What a [`MmioTarget`] is doing.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum MmioState {
    /// Waiting for a request.
    Idle,
    /// The second DW of a write is in the next beat.
    SecondBeat,
    /// Writing the first DW.
    WriteLow,
    /// Writing the second DW.
    WriteHigh,
    /// Skipping the rest of a write that is longer than 2 DW.
    Drop,
    /// Asking for the first DW.
    ReadLow,
    /// Waiting for the first DW.
    WaitLow,
    /// Asking for the second DW.
    ReadHigh,
    /// Waiting for the second DW.
    WaitHigh,
    /// Putting the completion into its FIFO.
    Complete,
}

/// Takes BAR0 requests one at a time and turns them into accesses of one DW.
///
/// Writes of 1 or 2 DW go out in order, low DW first; longer ones are taken and go nowhere from here: [`super::InlineSlots`]
/// looks at their beats. Reads of 1 or 2 DW end in a completion with data, others in one with status UR
/// (PCIe 5.0, 2.3.1: a device may restrict the sizes it supports). A 1-DW read without byte enables is a flush (2.2.5):
/// it reads no register.
///
/// Up to 16 completions wait in a FIFO, so that accepting writes does not depend on sending completions (PCIe 5.0,
/// 2.4.1): true as long as no more reads than that are unanswered, which whoever hands requests in must see to.
#[derive(LogicBlock, Default)]
pub struct MmioTarget<const W: usize, const B: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A beat of a request is on offer.
    pub req_valid: Signal<In, Bit>,
    /// The beat is taken.
    pub req_ready: Signal<Out, Bit>,
    /// Take no further request.
    pub hold: Signal<In, Bit>,
    /// First beat.
    pub req_sop: Signal<In, Bit>,
    /// Last beat.
    pub req_eop: Signal<In, Bit>,
    /// Payload, address-aligned.
    pub req_data: Signal<In, Bits<W>>,
    /// Write, otherwise read.
    pub req_write: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub req_addr: Signal<In, Bits<24>>,
    /// Length in DW.
    pub req_len: Signal<In, Bits<11>>,
    /// Byte enables of the first DW.
    pub req_first_be: Signal<In, Bits<4>>,
    /// Byte enables of the last DW, zero for requests of 1 DW.
    pub req_last_be: Signal<In, Bits<4>>,
    /// Tag of a read.
    pub req_tag: Signal<In, Bits<10>>,
    /// Requester id.
    pub req_id: Signal<In, Bits<16>>,
    /// Write one DW in this cycle.
    pub write_valid: Signal<Out, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub write_addr: Signal<Out, Bits<24>>,
    /// The DW.
    pub write_data: Signal<Out, Bits<32>>,
    /// Its byte enables.
    pub write_be: Signal<Out, Bits<4>>,
    /// Last DW of its TLP.
    pub write_last: Signal<Out, Bit>,
    /// Read one DW: set for one cycle, answered by one `read_ack` in a later cycle.
    pub read_valid: Signal<Out, Bit>,
    /// Byte offset in BAR0, a multiple of 4; holds until the answer.
    pub read_addr: Signal<Out, Bits<24>>,
    /// The answer to `read_valid`.
    pub read_ack: Signal<In, Bit>,
    /// The DW, valid with `read_ack`.
    pub read_data: Signal<In, Bits<32>>,
    /// A completion is on offer.
    pub cpl_valid: Signal<Out, Bit>,
    /// The completion is taken.
    pub cpl_ready: Signal<In, Bit>,
    /// Completion status: 0 successful, 1 unsupported request (PCIe 5.0, section 2.2.9).
    pub cpl_status: Signal<Out, Bits<3>>,
    /// Tag of the request.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// Requester id of the request.
    pub cpl_id: Signal<Out, Bits<16>>,
    /// Bytes that satisfy the request (PCIe 5.0, section 2.3.1.1), 1 to 4096.
    pub cpl_byte_count: Signal<Out, Bits<13>>,
    /// Low bits of the address of the first enabled byte (PCIe 5.0, section 2.3.1.1).
    pub cpl_lower_addr: Signal<Out, Bits<7>>,
    /// DW of data, 0 to 2.
    pub cpl_len: Signal<Out, Bits<11>>,
    /// Data, the first DW in the low bits.
    pub cpl_data: Signal<Out, Bits<64>>,
    state: DFF<MmioState>,
    addr: DFF<Bits<24>>,
    two: DFF<Bit>,
    first_be: DFF<Bits<4>>,
    last_be: DFF<Bits<4>>,
    tag: DFF<Bits<10>>,
    id: DFF<Bits<16>>,
    low: DFF<Bits<32>>,
    high: DFF<Bits<32>>,
    unsupported: DFF<Bit>,
    byte_count: DFF<Bits<13>>,
    lower_addr: DFF<Bits<7>>,
    completions: SmallFifo<Bits<112>, 4, 5>,
    oldest: Signal<Local, Bits<112>>,
    lane: Signal<Local, Bits<L>>,
    second_lane: Signal<Local, Bits<L>>,
    shift: Signal<Local, Bits<10>>,
    shifted: Signal<Local, Bits<W>>,
    one_dw: Signal<Local, Bit>,
    two_dw: Signal<Local, Bit>,
    flush: Signal<Local, Bit>,
    end_be: Signal<Local, Bits<4>>,
    skipped_first: Signal<Local, Bits<13>>,
    skipped_last: Signal<Local, Bits<13>>,
    second_addr: Signal<Local, Bits<24>>,
}

impl<const W: usize, const B: usize, const L: usize> Logic for MmioTarget<W, B, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            addr,
            two,
            first_be,
            last_be,
            tag,
            id,
            low,
            high,
            unsupported,
            byte_count,
            lower_addr
        );
        // The header's numbers.
        self.one_dw.next = self.req_len.val() == 1;
        self.two_dw.next = self.req_len.val() == 2;
        self.flush.next = (self.req_len.val() == 1) & (self.req_first_be.val() == 0);
        // Whole DWs: a 16:1 multiplexer for each bit at 512 bits.
        self.lane.next = bit_cast::<L, 24>((self.req_addr.val() >> 2) << 2);
        self.second_lane.next = self.lane.val() + 4;
        self.shift.next = bit_cast::<10, L>(self.lane.val()) << 3;
        self.shifted.next = self.req_data.val() >> self.shift.val();
        // Bytes that are not asked for, before the first enabled one and behind the last one.
        self.end_be.next = self.req_last_be.val();
        if self.one_dw.val() {
            self.end_be.next = self.req_first_be.val();
        }
        self.skipped_first.next = 0.into();
        if self.req_first_be.val().get_bit(0) {
            self.skipped_first.next = 0.into();
        } else if self.req_first_be.val().get_bit(1) {
            self.skipped_first.next = 1.into();
        } else if self.req_first_be.val().get_bit(2) {
            self.skipped_first.next = 2.into();
        } else if self.req_first_be.val().get_bit(3) {
            self.skipped_first.next = 3.into();
        }
        self.skipped_last.next = 0.into();
        if self.end_be.val().get_bit(3) {
            self.skipped_last.next = 0.into();
        } else if self.end_be.val().get_bit(2) {
            self.skipped_last.next = 1.into();
        } else if self.end_be.val().get_bit(1) {
            self.skipped_last.next = 2.into();
        } else if self.end_be.val().get_bit(0) {
            self.skipped_last.next = 3.into();
        }
        // Outputs.
        self.second_addr.next = self.addr.q.val() + 4;
        self.req_ready.next = false;
        self.write_valid.next = false;
        self.write_addr.next = self.addr.q.val();
        self.write_data.next = self.low.q.val();
        self.write_be.next = self.first_be.q.val();
        self.write_last.next = !self.two.q.val();
        self.read_valid.next = false;
        self.read_addr.next = self.addr.q.val();
        self.completions.clock.next = self.clock.val();
        self.completions.reset.next = self.reset.val();
        self.completions.write.next = false;
        self.completions.data_in.next = (((bit_cast::<112, 32>(self.high.q.val()) << 32)
            | bit_cast::<112, 32>(self.low.q.val()))
            | ((bit_cast::<112, 16>(self.id.q.val()) << 64)
                | (bit_cast::<112, 10>(self.tag.q.val()) << 80)))
            | (((bit_cast::<112, 13>(self.byte_count.q.val()) << 90)
                | (bit_cast::<112, 7>(self.lower_addr.q.val()) << 103))
                | ((bit_cast::<112, 1>(self.unsupported.q.val().into()) << 110)
                    | (bit_cast::<112, 1>(self.two.q.val().into()) << 111)));
        self.oldest.next = self.completions.data_out.val();
        self.cpl_valid.next = !self.completions.empty.val();
        self.completions.read.next = !self.completions.empty.val() & self.cpl_ready.val();
        self.cpl_data.next = self.oldest.val().get_bits::<64>(0);
        self.cpl_id.next = self.oldest.val().get_bits::<16>(64);
        self.cpl_tag.next = self.oldest.val().get_bits::<10>(80);
        self.cpl_byte_count.next = self.oldest.val().get_bits::<13>(90);
        self.cpl_lower_addr.next = self.oldest.val().get_bits::<7>(103);
        self.cpl_status.next = 0.into();
        self.cpl_len.next = 1.into();
        if self.oldest.val().get_bit(111) {
            self.cpl_len.next = 2.into();
        }
        if self.oldest.val().get_bit(110) {
            self.cpl_status.next = 1.into();
            self.cpl_len.next = 0.into();
        }
        match self.state.q.val() {
            MmioState::Idle => {
                self.req_ready.next = !self.hold.val();
                self.addr.d.next = self.req_addr.val();
                self.two.d.next = self.two_dw.val();
                self.first_be.d.next = self.req_first_be.val();
                self.last_be.d.next = self.req_last_be.val();
                self.tag.d.next = self.req_tag.val();
                self.id.d.next = self.req_id.val();
                self.low.d.next = 0.into();
                self.high.d.next = 0.into();
                self.unsupported.d.next = !(self.one_dw.val() | self.two_dw.val());
                self.lower_addr.d.next = bit_cast::<7, 24>(self.req_addr.val())
                    | bit_cast::<7, 13>(self.skipped_first.val());
                self.byte_count.d.next = ((bit_cast::<13, 11>(self.req_len.val()) << 2)
                    - self.skipped_first.val())
                    - self.skipped_last.val();
                if self.flush.val() {
                    self.byte_count.d.next = 1.into();
                }
                if (self.req_valid.val() & self.req_sop.val()) & !self.hold.val() {
                    if self.req_write.val() {
                        self.low.d.next = bit_cast::<32, W>(self.shifted.val());
                        self.high.d.next = bit_cast::<32, W>(self.shifted.val() >> 32);
                        if self.one_dw.val() {
                            self.state.d.next = MmioState::WriteLow;
                        } else if self.two_dw.val() {
                            self.state.d.next = MmioState::WriteLow;
                            if self.second_lane.val() == 0 {
                                self.state.d.next = MmioState::SecondBeat;
                            }
                        } else if !self.req_eop.val() {
                            self.state.d.next = MmioState::Drop;
                        }
                    } else if self.flush.val() {
                        self.state.d.next = MmioState::Complete;
                    } else if self.one_dw.val() | self.two_dw.val() {
                        self.state.d.next = MmioState::ReadLow;
                    } else {
                        self.state.d.next = MmioState::Complete;
                    }
                }
            }
            MmioState::SecondBeat => {
                self.req_ready.next = true;
                if self.req_valid.val() {
                    self.high.d.next = bit_cast::<32, W>(self.req_data.val());
                    self.state.d.next = MmioState::WriteLow;
                }
            }
            MmioState::WriteLow => {
                self.write_valid.next = true;
                self.state.d.next = MmioState::Idle;
                if self.two.q.val() {
                    self.state.d.next = MmioState::WriteHigh;
                }
            }
            MmioState::WriteHigh => {
                self.write_valid.next = true;
                self.write_addr.next = self.second_addr.val();
                self.write_data.next = self.high.q.val();
                self.write_be.next = self.last_be.q.val();
                self.write_last.next = true;
                self.state.d.next = MmioState::Idle;
            }
            MmioState::Drop => {
                self.req_ready.next = true;
                if self.req_valid.val() & self.req_eop.val() {
                    self.state.d.next = MmioState::Idle;
                }
            }
            MmioState::ReadLow => {
                self.read_valid.next = true;
                self.state.d.next = MmioState::WaitLow;
            }
            MmioState::WaitLow => {
                if self.read_ack.val() {
                    self.low.d.next = self.read_data.val();
                    self.state.d.next = MmioState::Complete;
                    if self.two.q.val() {
                        self.addr.d.next = self.second_addr.val();
                        self.state.d.next = MmioState::ReadHigh;
                    }
                }
            }
            MmioState::ReadHigh => {
                self.read_valid.next = true;
                self.state.d.next = MmioState::WaitHigh;
            }
            MmioState::WaitHigh => {
                if self.read_ack.val() {
                    self.high.d.next = self.read_data.val();
                    self.state.d.next = MmioState::Complete;
                }
            }
            MmioState::Complete => {
                if !self.completions.full.val() {
                    self.completions.write.next = true;
                    self.state.d.next = MmioState::Idle;
                }
            }
            _ => {
                self.state.d.next = MmioState::Idle;
            }
        }
        if self.reset.val() {
            self.state.d.next = MmioState::Idle;
        }
    }
}
