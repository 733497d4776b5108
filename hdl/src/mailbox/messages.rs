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
    /// The entry is a quarter of an admin entry.
    pub admin_raw: Signal<In, Bit>,
    /// To the firmware.
    pub msg_valid: Signal<Out, Bit>,
    /// The mailbox has room.
    pub msg_ready: Signal<In, Bit>,
    /// The entry.
    pub msg_data: Signal<Out, Bits<128>>,
    /// It is a quarter of an admin entry.
    pub msg_raw: Signal<Out, Bit>,

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
        self.msg_valid.next =
            self.c2h_valid.val() | (self.h2c_valid.val() | self.admin_valid.val());
        self.msg_data.next = self.c2h_data.val();
        self.msg_raw.next = false;
        self.h2c_first.next = self.h2c_valid.val() & (self.turn.q.val() | !self.c2h_valid.val());
        if self.locked.q.val() {
            self.msg_valid.next = self.admin_valid.val();
        }
        if self.admin_valid.val() | self.locked.q.val() {
            self.msg_data.next = self.admin_data.val();
            self.msg_raw.next = self.admin_raw.val();
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

#[cfg(test)]
mod tests {
    use super::MessageArbiter;
    use crate::testing::{Result, chance, get128, reset, seeded, set128};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;

    const PARTIES: [&str; 3] = ["c2h", "h2c", "admin"];

    /// Each party numbers its entries, the admin unit sends them in fives with pauses in between.
    #[test]
    fn admin_entries_stay_together() -> Result {
        let mut dut = Pair::new(
            MessageArbiter::default(),
            ports!(MessageArbiter {
                clock: clock;
                in reset, c2h_valid, c2h_data, h2c_valid, h2c_data, admin_valid, admin_data, admin_more, admin_raw, msg_ready;
                out c2h_ready, h2c_ready, admin_ready, msg_valid, msg_data, msg_raw
            }),
        )?;
        reset(&mut dut)?;
        let mut random = seeded(1);
        let mut sent = [0u128; 3];
        let mut taken = [0u128; 3];
        let mut open = [false; 3];
        let mut got = Vec::new();
        for _ in 0..5000 {
            for (party, name) in PARTIES.into_iter().enumerate() {
                if !open[party] {
                    let start = party == 2 && taken[2].is_multiple_of(5);
                    open[party] = chance(&mut random, if start { 5 } else { 50 });
                    dut.set(&format!("{name}_valid"), open[party])?;
                    set128(
                        &mut dut,
                        &format!("{name}_data"),
                        (party as u128) << 96 | sent[party],
                    )?;
                    sent[party] += u128::from(open[party]);
                    if party == 2 {
                        dut.set("admin_more", taken[2] % 5 != 4)?;
                        dut.set("admin_raw", taken[2] % 5 != 0)?;
                    }
                }
            }
            dut.set("msg_ready", chance(&mut random, 60))?;
            let goes = dut.is("msg_valid")? && dut.is("msg_ready")?;
            if goes {
                let entry = get128(&mut dut, "msg_data")?;
                let quarter = entry >> 96 == 2 && !(entry & 0xffff).is_multiple_of(5);
                assert_eq!(dut.is("msg_raw")?, quarter);
                got.push(entry);
            }
            let mut takers = 0;
            for (party, name) in PARTIES.into_iter().enumerate() {
                if open[party] && dut.is(&format!("{name}_ready"))? {
                    assert_eq!(got.last(), Some(&((party as u128) << 96 | taken[party])));
                    taken[party] += 1;
                    takers += 1;
                    open[party] = false;
                }
            }
            assert_eq!(takers, i32::from(goes));
            dut.step()?;
        }
        assert!(
            taken.iter().all(|count| *count > 300),
            "nobody starves: {taken:?}"
        );
        let admin = |entry: &&u128| **entry >> 96 == 2;
        let complete = got.iter().filter(admin).count() / 5;
        let mut rest = &got[..];
        for _ in 0..complete {
            let start = rest
                .iter()
                .position(|entry| admin(&entry))
                .expect("an admin message");
            assert!(
                rest[start..start + 5].iter().all(|entry| admin(&entry)),
                "another message inside an admin message"
            );
            rest = &rest[start + 5..];
        }
        Ok(())
    }
}
