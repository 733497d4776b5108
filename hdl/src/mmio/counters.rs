//! The 64-bit counters of BAR0.

use crate::generated::constants::*;
use crate::widgets::Const;
use rust_hdl::prelude::*;

/// Time stamp and event counters, all 64 bits wide, counting from reset.
///
/// Reading a low half holds the high half for the next read, so that a pair of 32-bit reads sees one value; a read of
/// 2 DW is such a pair.
#[derive(LogicBlock, Default)]
pub struct Counters {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: all zero.
    pub reset: Signal<In, Bit>,
    /// `read_addr` is read in this cycle.
    pub read_valid: Signal<In, Bit>,
    /// Byte offset in BAR0.
    pub read_addr: Signal<In, Bits<24>>,
    /// The half of a counter at `read_addr`, in the same cycle; zero if there is none.
    pub read_data: Signal<Out, Bits<32>>,
    /// Payload bytes that went to host memory in this cycle.
    pub c2h_bytes_inc: Signal<In, Bits<13>>,
    /// Payload bytes that came from host memory in this cycle.
    pub h2c_bytes_inc: Signal<In, Bits<13>>,
    /// A C2H transfer completed.
    pub c2h_done: Signal<In, Bit>,
    /// An H2C transfer completed.
    pub h2c_done: Signal<In, Bit>,
    /// C2H waits for an SG block.
    pub c2h_list_wait: Signal<In, Bit>,
    /// H2C waits for an SG block.
    pub h2c_list_wait: Signal<In, Bit>,
    /// An idle data cycle of C2H.
    pub c2h_idle: Signal<In, Bit>,
    /// An idle data cycle of H2C.
    pub h2c_idle: Signal<In, Bit>,
    /// A completion entry was written.
    pub completion: Signal<In, Bit>,
    /// An interrupt was sent.
    pub interrupt_sent: Signal<In, Bit>,
    /// A transfer or command ended in an error.
    pub error: Signal<In, Bit>,
    /// Cycles since reset.
    pub timestamp: Signal<Out, Bits<64>>,
    cycles: DFF<Bits<64>>,
    c2h_bytes: DFF<Bits<64>>,
    h2c_bytes: DFF<Bits<64>>,
    c2h_transfers: DFF<Bits<64>>,
    h2c_transfers: DFF<Bits<64>>,
    c2h_list_waits: DFF<Bits<64>>,
    h2c_list_waits: DFF<Bits<64>>,
    c2h_idles: DFF<Bits<64>>,
    h2c_idles: DFF<Bits<64>>,
    completions: DFF<Bits<64>>,
    interrupts: DFF<Bits<64>>,
    errors: DFF<Bits<64>>,
    held: DFF<Bits<32>>,
    register: Signal<Local, Bits<24>>,
    hit: Signal<Local, Bit>,
    value: Signal<Local, Bits<64>>,
    at_timestamp: Const<24, REG_TIMESTAMP>,
    at_c2h_bytes: Const<24, REG_C2H_BYTES>,
    at_h2c_bytes: Const<24, REG_H2C_BYTES>,
    at_c2h_transfers: Const<24, REG_C2H_TRANSFERS>,
    at_h2c_transfers: Const<24, REG_H2C_TRANSFERS>,
    at_c2h_list_wait: Const<24, REG_C2H_LIST_WAIT>,
    at_h2c_list_wait: Const<24, REG_H2C_LIST_WAIT>,
    at_c2h_idle: Const<24, REG_C2H_IDLE>,
    at_h2c_idle: Const<24, REG_H2C_IDLE>,
    at_completions: Const<24, REG_COMPLETIONS>,
    at_interrupts: Const<24, REG_INTERRUPTS>,
    at_errors: Const<24, REG_ERRORS>,
}

impl Logic for Counters {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            cycles,
            c2h_bytes,
            h2c_bytes,
            c2h_transfers,
            h2c_transfers,
            c2h_list_waits,
            h2c_list_waits,
            c2h_idles,
            h2c_idles,
            completions,
            interrupts,
            errors,
            held
        );
        self.timestamp.next = self.cycles.q.val();
        self.cycles.d.next = self.cycles.q.val() + 1;
        self.c2h_bytes.d.next =
            self.c2h_bytes.q.val() + bit_cast::<64, 13>(self.c2h_bytes_inc.val());
        self.h2c_bytes.d.next =
            self.h2c_bytes.q.val() + bit_cast::<64, 13>(self.h2c_bytes_inc.val());
        if self.c2h_done.val() {
            self.c2h_transfers.d.next = self.c2h_transfers.q.val() + 1;
        }
        if self.h2c_done.val() {
            self.h2c_transfers.d.next = self.h2c_transfers.q.val() + 1;
        }
        if self.c2h_list_wait.val() {
            self.c2h_list_waits.d.next = self.c2h_list_waits.q.val() + 1;
        }
        if self.h2c_list_wait.val() {
            self.h2c_list_waits.d.next = self.h2c_list_waits.q.val() + 1;
        }
        if self.c2h_idle.val() {
            self.c2h_idles.d.next = self.c2h_idles.q.val() + 1;
        }
        if self.h2c_idle.val() {
            self.h2c_idles.d.next = self.h2c_idles.q.val() + 1;
        }
        if self.completion.val() {
            self.completions.d.next = self.completions.q.val() + 1;
        }
        if self.interrupt_sent.val() {
            self.interrupts.d.next = self.interrupts.q.val() + 1;
        }
        if self.error.val() {
            self.errors.d.next = self.errors.q.val() + 1;
        }
        // Which counter is read.
        self.register.next = self.read_addr.val() & 0xff_fff8;
        self.hit.next = true;
        self.value.next = 0.into();
        if self.register.val() == self.at_timestamp.val() {
            self.value.next = self.cycles.q.val();
        } else if self.register.val() == self.at_c2h_bytes.val() {
            self.value.next = self.c2h_bytes.q.val();
        } else if self.register.val() == self.at_h2c_bytes.val() {
            self.value.next = self.h2c_bytes.q.val();
        } else if self.register.val() == self.at_c2h_transfers.val() {
            self.value.next = self.c2h_transfers.q.val();
        } else if self.register.val() == self.at_h2c_transfers.val() {
            self.value.next = self.h2c_transfers.q.val();
        } else if self.register.val() == self.at_c2h_list_wait.val() {
            self.value.next = self.c2h_list_waits.q.val();
        } else if self.register.val() == self.at_h2c_list_wait.val() {
            self.value.next = self.h2c_list_waits.q.val();
        } else if self.register.val() == self.at_c2h_idle.val() {
            self.value.next = self.c2h_idles.q.val();
        } else if self.register.val() == self.at_h2c_idle.val() {
            self.value.next = self.h2c_idles.q.val();
        } else if self.register.val() == self.at_completions.val() {
            self.value.next = self.completions.q.val();
        } else if self.register.val() == self.at_interrupts.val() {
            self.value.next = self.interrupts.q.val();
        } else if self.register.val() == self.at_errors.val() {
            self.value.next = self.errors.q.val();
        } else {
            self.hit.next = false;
        }
        // Which half.
        self.read_data.next = bit_cast::<32, 64>(self.value.val());
        if self.hit.val() {
            if self.read_addr.val().get_bit(2) {
                self.read_data.next = self.held.q.val();
            } else if self.read_valid.val() {
                self.held.d.next = bit_cast::<32, 64>(self.value.val() >> 32);
            }
        }
        if self.reset.val() {
            self.cycles.d.next = 0.into();
            self.c2h_bytes.d.next = 0.into();
            self.h2c_bytes.d.next = 0.into();
            self.c2h_transfers.d.next = 0.into();
            self.h2c_transfers.d.next = 0.into();
            self.c2h_list_waits.d.next = 0.into();
            self.h2c_list_waits.d.next = 0.into();
            self.c2h_idles.d.next = 0.into();
            self.h2c_idles.d.next = 0.into();
            self.completions.d.next = 0.into();
            self.interrupts.d.next = 0.into();
            self.errors.d.next = 0.into();
            self.held.d.next = 0.into();
        }
    }
}
