//! Who may fetch.

use rust_hdl::prelude::*;

/// Brings the requests of the context tables and the queue scheduler to the fetch unit, in this order: lists of transfers
/// at hand before new submission entries. The tables ask rarely (once in tens of cycles), so nobody starves.
///
/// The offer may change while the fetch unit is not ready; it looks only in the cycle in which it takes one.
#[derive(LogicBlock, Default)]
pub struct FetchArbiter {
    /// C2H contexts ask.
    pub c2h_valid: Signal<In, Bit>,
    /// Taken.
    pub c2h_ready: Signal<Out, Bit>,
    /// Bus address.
    pub c2h_addr: Signal<In, Bits<64>>,
    /// Bytes.
    pub c2h_bytes: Signal<In, Bits<10>>,
    /// What.
    pub c2h_kind: Signal<In, Bits<2>>,
    /// Context or window.
    pub c2h_id: Signal<In, Bits<5>>,
    /// First word.
    pub c2h_word: Signal<In, Bits<8>>,
    /// H2C contexts ask.
    pub h2c_valid: Signal<In, Bit>,
    /// Taken.
    pub h2c_ready: Signal<Out, Bit>,
    /// Bus address.
    pub h2c_addr: Signal<In, Bits<64>>,
    /// Bytes.
    pub h2c_bytes: Signal<In, Bits<10>>,
    /// What.
    pub h2c_kind: Signal<In, Bits<2>>,
    /// Context or window.
    pub h2c_id: Signal<In, Bits<5>>,
    /// First word.
    pub h2c_word: Signal<In, Bits<8>>,
    /// The queue scheduler asks for a submission entry.
    pub entry_valid: Signal<In, Bit>,
    /// Taken.
    pub entry_ready: Signal<Out, Bit>,
    /// Bus address.
    pub entry_addr: Signal<In, Bits<64>>,
    /// Whose memory.
    pub entry_target: Signal<In, Bits<2>>,
    /// Context.
    pub entry_id: Signal<In, Bits<5>>,
    /// First word.
    pub entry_word: Signal<In, Bits<8>>,
    /// A job for the fetch unit.
    pub req_valid: Signal<Out, Bit>,
    /// Taken.
    pub req_ready: Signal<In, Bit>,
    /// Bus address.
    pub req_addr: Signal<Out, Bits<64>>,
    /// Bytes.
    pub req_bytes: Signal<Out, Bits<10>>,
    /// Whose memory.
    pub req_target: Signal<Out, Bits<2>>,
    /// What.
    pub req_kind: Signal<Out, Bits<2>>,
    /// Context or window.
    pub req_id: Signal<Out, Bits<5>>,
    /// First word.
    pub req_word: Signal<Out, Bits<8>>,
}

impl Logic for FetchArbiter {
    #[hdl_gen]
    fn update(&mut self) {
        self.req_valid.next = self.c2h_valid.val() | (self.h2c_valid.val() | self.entry_valid.val());
        self.c2h_ready.next = false;
        self.h2c_ready.next = false;
        self.entry_ready.next = false;
        if self.c2h_valid.val() {
            self.c2h_ready.next = self.req_ready.val();
            self.req_addr.next = self.c2h_addr.val();
            self.req_bytes.next = self.c2h_bytes.val();
            self.req_target.next = 0.into();
            self.req_kind.next = self.c2h_kind.val();
            self.req_id.next = self.c2h_id.val();
            self.req_word.next = self.c2h_word.val();
        } else if self.h2c_valid.val() {
            self.h2c_ready.next = self.req_ready.val();
            self.req_addr.next = self.h2c_addr.val();
            self.req_bytes.next = self.h2c_bytes.val();
            self.req_target.next = 1.into();
            self.req_kind.next = self.h2c_kind.val();
            self.req_id.next = self.h2c_id.val();
            self.req_word.next = self.h2c_word.val();
        } else {
            self.entry_ready.next = self.req_ready.val();
            self.req_addr.next = self.entry_addr.val();
            self.req_bytes.next = 64.into();
            self.req_target.next = self.entry_target.val();
            self.req_kind.next = 0.into();
            self.req_id.next = self.entry_id.val();
            self.req_word.next = self.entry_word.val();
        }
    }
}
