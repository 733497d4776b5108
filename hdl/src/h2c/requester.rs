//! From chunks to read requests.

use crate::byte_enables::ByteEnables;
use rust_hdl::prelude::*;

/// Gives each chunk the next slot of the ring and asks for its bytes with a read whose tag is the slot.
///
/// A chunk that is not taken yet may be exchanged for another. The last free slot is kept for terminal chunks (of
/// length 0), so a transfer that has begun can always be ended, even while the stream stands still. A slot whose tag
/// is quarantined is passed over as an empty slot that ends no transfer.
#[derive(LogicBlock, Default)]
pub struct ReadRequester {
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
    /// A read is offered.
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
    /// A slot is allocated in this cycle.
    pub slot_valid: Signal<Out, Bit>,
    /// Which slot.
    pub slot_index: Signal<Out, Bits<5>>,
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
    /// Oldest slot in use, counted modulo 64.
    pub head: Signal<In, Bits<6>>,
    /// Next slot to allocate, counted modulo 64.
    pub tail: Signal<Out, Bits<6>>,
    /// Tags that must not be used, by slot.
    pub quarantined: Signal<In, Bits<32>>,
    /// In the cycle before, a running transfer could have asked for more and was offered no chunk.
    pub idle_strobe: Signal<Out, Bit>,

    next_slot: DFF<Bits<6>>,
    in_transfer: DFF<Bit>,
    idle: DFF<Bit>,
    busy: DFF<Bit>,
    addr: DFF<Bits<62>>,
    len: DFF<Bits<11>>,
    first_be: DFF<Bits<4>>,
    last_be: DFF<Bits<4>>,
    tag: DFF<Bits<5>>,
    enables: ByteEnables,

    used: Signal<Local, Bits<6>>,
    slot: Signal<Local, Bits<5>>,
    terminal: Signal<Local, Bit>,
    pass_over: Signal<Local, Bit>,
    rd_free: Signal<Local, Bit>,
    can_read: Signal<Local, Bit>,
    can_end: Signal<Local, Bit>,
    can_take: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    skip: Signal<Local, Bit>,
}

impl Logic for ReadRequester {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, next_slot, in_transfer, idle, busy, addr, len, first_be, last_be, tag
        );
        self.used.next = self.next_slot.q.val() - self.head.val();
        self.slot.next = bit_cast::<5, 6>(self.next_slot.q.val());
        self.terminal.next = !self.chunk_len.val().any();
        self.pass_over.next = self.quarantined.val().get_bit(self.slot.val().index());
        self.rd_free.next = !self.busy.q.val() | self.rd_ready.val();
        self.can_read.next = self.used.val() < 31;
        self.can_end.next = self.used.val() < 32;
        self.can_take.next = (self.can_read.val() & self.rd_free.val()) & !self.pass_over.val();
        if self.terminal.val() {
            self.can_take.next = self.can_end.val();
        }
        self.take.next = self.chunk_valid.val() & self.can_take.val();
        self.skip.next =
            (self.chunk_valid.val() & !self.terminal.val()) & (self.can_read.val() & self.pass_over.val());
        self.chunk_ready.next = self.can_take.val();

        self.slot_valid.next = self.take.val() | self.skip.val();
        self.slot_index.next = self.slot.val();
        self.slot_position.next = self.chunk_addr.val().get_bits::<9>(0);
        self.slot_len.next = self.chunk_len.val();
        self.slot_last.next = self.chunk_last.val();
        self.slot_ctx.next = self.chunk_ctx.val();
        self.slot_status.next = self.chunk_status.val();
        self.slot_tdest.next = self.chunk_tdest.val();
        if self.skip.val() {
            self.slot_len.next = 0.into();
            self.slot_last.next = false;
            self.slot_status.next = 0.into();
        }
        if self.slot_valid.val() {
            self.next_slot.d.next = self.next_slot.q.val() + 1;
        }
        if self.take.val() {
            self.in_transfer.d.next = !self.chunk_last.val();
        }
        self.tail.next = self.next_slot.q.val();
        self.idle.d.next = (self.in_transfer.q.val() & !self.chunk_valid.val())
            & (self.rd_ready.val() & (self.can_read.val() & !self.pass_over.val()));
        self.idle_strobe.next = self.idle.q.val();

        self.enables.offset.next = self.chunk_addr.val().get_bits::<2>(0);
        self.enables.bytes.next = self.chunk_len.val();
        if self.rd_ready.val() {
            self.busy.d.next = false;
        }
        if self.take.val() & !self.terminal.val() {
            self.busy.d.next = true;
            self.addr.d.next = self.chunk_addr.val().get_bits::<62>(2);
            self.len.d.next = self.enables.dwords.val();
            self.first_be.d.next = self.enables.first.val();
            self.last_be.d.next = self.enables.last.val();
            self.tag.d.next = self.slot.val();
        }
        self.rd_valid.next = self.busy.q.val();
        self.rd_addr.next = bit_cast::<64, 62>(self.addr.q.val()) << 2;
        self.rd_len.next = self.len.q.val();
        self.rd_first_be.next = self.first_be.q.val();
        self.rd_last_be.next = self.last_be.q.val();
        self.rd_tag.next = bit_cast::<10, 5>(self.tag.q.val());

        if self.reset.val() {
            self.next_slot.d.next = 0.into();
            self.in_transfer.d.next = false;
            self.idle.d.next = false;
            self.busy.d.next = false;
        }
    }
}
