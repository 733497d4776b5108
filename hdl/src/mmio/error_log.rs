//! The registers that tell how many transfers failed, and how the first one did.

use super::layout::bit;
use crate::widgets::Const;
use pinring_protocol::registers::ERROR_INFO;
use rust_hdl::prelude::*;

/// Counts errors and keeps the first one, the one that explains those behind it, until it is cleared.
#[derive(LogicBlock, Default)]
pub struct ErrorLog {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: no error.
    pub reset: Signal<In, Bit>,
    /// Forget count and error. An error in the same cycle counts as the first of the new ones.
    pub clear: Signal<In, Bit>,
    /// An error happens in this cycle.
    pub error_valid: Signal<In, Bit>,
    /// Its status code.
    pub error_status: Signal<In, Bits<16>>,
    /// Queue id.
    pub error_queue: Signal<In, Bits<4>>,
    /// Direction: 0 C2H, 1 H2C.
    pub error_direction: Signal<In, Bit>,
    /// Bus address, or zero.
    pub error_address: Signal<In, Bits<64>>,
    /// Errors since reset or `clear`.
    pub count: Signal<Out, Bits<32>>,
    /// First of them, as register ERROR_INFO; zero if there is none.
    pub info: Signal<Out, Bits<32>>,
    /// Its bus address.
    pub address: Signal<Out, Bits<64>>,
    errors: DFF<Bits<32>>,
    first: DFF<Bits<32>>,
    first_address: DFF<Bits<64>>,
    held: DFF<Bit>,
    encoded: Signal<Local, Bits<32>>,
    direction: Signal<Local, Bits<32>>,
    status_bit: Const<5, { bit(ERROR_INFO.fields, "status") }>,
    queue_bit: Const<5, { bit(ERROR_INFO.fields, "queue") }>,
    direction_bit: Const<5, { bit(ERROR_INFO.fields, "direction") }>,
    one: Const<32, 1>,
}

impl Logic for ErrorLog {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, errors, first, first_address, held);
        self.direction.next = 0.into();
        if self.error_direction.val() {
            self.direction.next = self.one.val() << self.direction_bit.val();
        }
        self.encoded.next = (bit_cast::<32, 16>(self.error_status.val()) << self.status_bit.val())
            | (bit_cast::<32, 4>(self.error_queue.val()) << self.queue_bit.val())
            | self.direction.val();
        self.count.next = self.errors.q.val();
        self.info.next = self.first.q.val();
        self.address.next = self.first_address.q.val();
        if self.error_valid.val() {
            self.errors.d.next = self.errors.q.val() + 1;
        }
        if self.clear.val() {
            self.errors.d.next = 0.into();
            self.first.d.next = 0.into();
            self.first_address.d.next = 0.into();
            self.held.d.next = false;
            if self.error_valid.val() {
                self.errors.d.next = 1.into();
            }
        }
        if self.error_valid.val() & (self.clear.val() | !self.held.q.val()) {
            self.first.d.next = self.encoded.val();
            self.first_address.d.next = self.error_address.val();
            self.held.d.next = true;
        }
        if self.reset.val() {
            self.errors.d.next = 0.into();
            self.first.d.next = 0.into();
            self.first_address.d.next = 0.into();
            self.held.d.next = false;
        }
    }
}
