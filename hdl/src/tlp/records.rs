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
        self.rec_valid.next =
            self.c2h_valid.val() | (self.h2c_valid.val() | self.admin_valid.val());
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

#[cfg(test)]
mod tests {
    use super::RecordArbiter;
    use crate::testing::{Result, chance, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;

    /// Three parties with records at random: each is taken when it is chosen, admin first, and nobody waits for ever.
    #[test]
    fn records_take_turns() -> Result {
        let mut dut = Pair::new(
            RecordArbiter::default(),
            ports!(RecordArbiter {
                clock: clock;
                in c2h_valid, h2c_valid, admin_valid, rec_ready;
                out c2h_ready, h2c_ready, admin_ready, rec_valid, from_h2c, from_admin
            }),
        )?;
        let mut random = seeded(1);
        let mut taken = [0; 3];
        let mut waits = [0; 3];
        for _ in 0..4000 {
            for (party, valid) in ["c2h_valid", "h2c_valid", "admin_valid"]
                .into_iter()
                .enumerate()
            {
                // An offer stays until it is taken.
                if waits[party] == 0 {
                    let offered = chance(&mut random, if party == 2 { 5 } else { 60 });
                    dut.set(valid, offered)?;
                }
            }
            let ready = chance(&mut random, 60);
            dut.set("rec_ready", ready)?;
            let offers = [
                dut.is("c2h_valid")?,
                dut.is("h2c_valid")?,
                dut.is("admin_valid")?,
            ];
            let readies = [
                dut.is("c2h_ready")?,
                dut.is("h2c_ready")?,
                dut.is("admin_ready")?,
            ];
            assert_eq!(dut.is("rec_valid")?, offers.contains(&true));
            let chosen = match (dut.is("from_h2c")?, dut.is("from_admin")?) {
                (false, false) => 0,
                (true, false) => 1,
                (false, true) => 2,
                both => panic!("two parties at once: {both:?}"),
            };
            assert_eq!(dut.is("from_admin")?, offers[2], "admin records go first");
            for party in 0..3 {
                assert_eq!(
                    readies[party] && offers[party],
                    ready && offers[party] && party == chosen
                );
                waits[party] = if offers[party] && !readies[party] {
                    waits[party] + 1
                } else {
                    0
                };
                assert!(waits[party] < 40, "party {party} starves");
            }
            if offers.contains(&true) && ready {
                assert!(offers[chosen], "a record that nobody offers");
                taken[chosen] += 1;
            }
            dut.step()?;
        }
        assert!(
            taken[0] > 500 && taken[1] > 500 && taken[2] > 50,
            "{taken:?}"
        );
        Ok(())
    }
}
