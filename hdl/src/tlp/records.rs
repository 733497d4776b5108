//! One stream of completion records out of three.

use rust_hdl::prelude::*;

/// Round robin over the records of both directions; admin records go first.
#[derive(LogicBlock, Default)]
pub struct RecordArbiter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// C2H record.
    pub c2h_valid: Signal<In, Bit>,
    /// It is taken.
    pub c2h_ready: Signal<Out, Bit>,
    /// H2C record.
    pub h2c_valid: Signal<In, Bit>,
    /// It is taken.
    pub h2c_ready: Signal<Out, Bit>,
    /// Admin record.
    pub admin_valid: Signal<In, Bit>,
    /// It is taken.
    pub admin_ready: Signal<Out, Bit>,
    /// A record.
    pub rec_valid: Signal<Out, Bit>,
    /// It is taken.
    pub rec_ready: Signal<In, Bit>,
    /// It is the H2C one.
    pub from_h2c: Signal<Out, Bit>,
    /// It is the admin one.
    pub from_admin: Signal<Out, Bit>,

    turn: DFF<Bit>,
    h2c_first: Signal<Local, Bit>,
}

impl Logic for RecordArbiter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, turn);
        self.c2h_ready.next = false;
        self.h2c_ready.next = false;
        self.admin_ready.next = false;
        self.from_h2c.next = false;
        self.from_admin.next = false;
        self.rec_valid.next = self.c2h_valid.val() | (self.h2c_valid.val() | self.admin_valid.val());
        self.h2c_first.next = self.h2c_valid.val() & (self.turn.q.val() | !self.c2h_valid.val());
        if self.admin_valid.val() {
            self.from_admin.next = true;
            self.admin_ready.next = self.rec_ready.val();
        } else if self.h2c_first.val() {
            self.from_h2c.next = true;
            self.h2c_ready.next = self.rec_ready.val();
        } else {
            self.c2h_ready.next = self.rec_ready.val();
        }
        if self.rec_ready.val() {
            self.turn.d.next = !self.turn.q.val();
        }
    }
}
