//! Doorbell pages.

use super::layout::bit;
use crate::generated::structures::DoorbellDecode;
use crate::sizes::{Full, Queues, Sizes};
use crate::widgets::{Const, Size};
use pinring_protocol::registers::aperture::{DOORBELL, DOORBELL_STRIDE, DOORBELLS};
use pinring_protocol::{Doorbell, limits};
use rust_hdl::prelude::*;

// The queue id has four bits here, and the low DW of a doorbell is whole without the high one.
const _: () = assert!(limits::QUEUES == 16 && bit(Doorbell::FIELDS, "arm") >= 32);

/// Turns writes to doorbell pages into doorbells.
///
/// A doorbell is one write of 2 DW, or one of 1 DW that leaves `arm` zero. Other writes to the pages, partial ones
/// among them, do nothing.
#[derive(LogicBlock, Default)]
pub struct DoorbellUnit<S: Sizes = Full> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A DW is written.
    pub write_valid: Signal<In, Bit>,
    /// Byte offset in BAR0, a multiple of 4.
    pub write_addr: Signal<In, Bits<24>>,
    /// The DW.
    pub write_data: Signal<In, Bits<32>>,
    /// Its byte enables.
    pub write_be: Signal<In, Bits<4>>,
    /// Last DW of its TLP.
    pub write_last: Signal<In, Bit>,
    /// A doorbell rings, for one cycle.
    pub db_valid: Signal<Out, Bit>,
    /// Its queue.
    pub db_queue: Signal<Out, Bits<4>>,
    /// Index behind the last submission entry written.
    pub db_tail: Signal<Out, Bits<16>>,
    /// Index behind the last completion entry reaped.
    pub db_head: Signal<Out, Bits<16>>,
    /// Arm the queue's interrupt.
    pub db_arm: Signal<Out, Bit>,
    decode: DoorbellDecode,
    ring: DFF<Bit>,
    queue: DFF<Bits<4>>,
    word: DFF<Bits<64>>,
    half: DFF<Bit>,
    offset: Signal<Local, Bits<24>>,
    page: Signal<Local, Bits<24>>,
    in_page: Signal<Local, Bits<24>>,
    to_queue: Signal<Local, Bits<4>>,
    hit: Signal<Local, Bit>,
    base: Const<24, { DOORBELLS as u64 }>,
    stride_log2: Const<5, { DOORBELL_STRIDE.ilog2() as u64 }>,
    stride_mask: Const<24, { DOORBELL_STRIDE as u64 - 1 }>,
    queues: Size<24, Queues<S>>,
    low: Const<24, { DOORBELL as u64 }>,
    high: Const<24, { DOORBELL as u64 + 4 }>,
}

impl<S: Sizes> Logic for DoorbellUnit<S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, ring, queue, word, half);
        // Below the pages the difference wraps, and lies beyond the last page as well.
        self.offset.next = self.write_addr.val() - self.base.val();
        self.page.next = self.offset.val() >> self.stride_log2.val();
        self.in_page.next = self.offset.val() & self.stride_mask.val();
        self.to_queue.next = bit_cast::<4, 24>(self.page.val());
        self.hit.next = self.write_valid.val()
            & (self.write_be.val() == 15)
            & (self.page.val() < self.queues.val());
        self.ring.d.next = false;
        if self.write_valid.val() {
            self.half.d.next = false;
        }
        if self.hit.val() & (self.in_page.val() == self.low.val()) {
            self.queue.d.next = self.to_queue.val();
            self.word.d.next = bit_cast::<64, 32>(self.write_data.val());
            self.half.d.next = !self.write_last.val();
            self.ring.d.next = self.write_last.val();
        }
        // The DWs of one TLP arrive back to back, so this one belongs to the low half before it.
        if self.hit.val() & self.half.q.val() & (self.in_page.val() == self.high.val()) {
            self.word.d.next =
                (bit_cast::<64, 32>(self.write_data.val()) << 32) | self.word.q.val();
            self.ring.d.next = true;
        }
        self.decode.raw.next = self.word.q.val();
        self.db_valid.next = self.ring.q.val();
        self.db_queue.next = self.queue.q.val();
        self.db_tail.next = self.decode.sq_tail.val();
        self.db_head.next = self.decode.cq_head.val();
        self.db_arm.next = self.decode.arm.val();
        if self.reset.val() {
            self.ring.d.next = false;
            self.half.d.next = false;
        }
    }
}
