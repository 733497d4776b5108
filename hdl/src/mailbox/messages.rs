//! One message stream out of three.

use rust_hdl::prelude::*;

/// Merges the messages of both directions and the admin unit; the entries of an admin message stay together.
#[derive(LogicBlock, Default)]
pub struct MessageArbiter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// C2H message.
    pub c2h_valid: Signal<In, Bit>,
    /// It is taken.
    pub c2h_ready: Signal<Out, Bit>,
    /// The entry.
    pub c2h_data: Signal<In, Bits<128>>,
    /// H2C message.
    pub h2c_valid: Signal<In, Bit>,
    /// It is taken.
    pub h2c_ready: Signal<Out, Bit>,
    /// The entry.
    pub h2c_data: Signal<In, Bits<128>>,
    /// Admin message.
    pub admin_valid: Signal<In, Bit>,
    /// It is taken.
    pub admin_ready: Signal<Out, Bit>,
    /// The entry.
    pub admin_data: Signal<In, Bits<128>>,
    /// More of it follows.
    pub admin_more: Signal<In, Bit>,
    /// To the firmware.
    pub msg_valid: Signal<Out, Bit>,
    /// The mailbox has room.
    pub msg_ready: Signal<In, Bit>,
    /// The entry.
    pub msg_data: Signal<Out, Bits<128>>,

    turn: DFF<Bit>,
    locked: DFF<Bit>,
    h2c_first: Signal<Local, Bit>,
}

impl Logic for MessageArbiter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, turn, locked);
        self.c2h_ready.next = false;
        self.h2c_ready.next = false;
        self.admin_ready.next = false;
        self.msg_valid.next = self.c2h_valid.val() | (self.h2c_valid.val() | self.admin_valid.val());
        self.msg_data.next = self.c2h_data.val();
        self.h2c_first.next = self.h2c_valid.val() & (self.turn.q.val() | !self.c2h_valid.val());
        if self.locked.q.val() {
            self.msg_valid.next = self.admin_valid.val();
        }
        if self.admin_valid.val() | self.locked.q.val() {
            self.msg_data.next = self.admin_data.val();
            self.admin_ready.next = self.msg_ready.val();
            if self.admin_valid.val() & self.msg_ready.val() {
                self.locked.d.next = self.admin_more.val();
            }
        } else if self.h2c_first.val() {
            self.msg_data.next = self.h2c_data.val();
            self.h2c_ready.next = self.msg_ready.val();
        } else {
            self.c2h_ready.next = self.msg_ready.val();
        }
        if self.msg_ready.val() {
            self.turn.d.next = !self.turn.q.val();
        }
        if self.reset.val() {
            self.locked.d.next = false;
        }
    }
}
