//! When a soft reset may strike.

use rust_hdl::prelude::*;

/// Turns a reset that the driver asks for into a restart of the device, at a moment when the link holds nothing of it.
///
/// From `request` on no read and no write begins. The device restarts once nothing of it is half sent and its reads have
/// been answered. Reads without an answer for `timeout` cycles are given up: their tags go on under the next `epoch`, so
/// that a late answer is nobody's.
#[derive(LogicBlock, Default)]
pub struct SoftReset {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reset of the function: restarts at once, and no answer to an earlier read can come.
    pub reset: Signal<In, Bit>,
    /// The driver asks for a reset; set until `restart`.
    pub request: Signal<In, Bit>,
    /// No request may begin.
    pub hold: Signal<Out, Bit>,
    /// No beat waits on the link, and no TLP is half sent.
    pub settled: Signal<In, Bit>,
    /// Reads are out whose completions have not all begun.
    pub reads_out: Signal<In, Bit>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// Its last one.
    pub cpl_eop: Signal<In, Bit>,
    /// Cycles to wait for reads.
    pub timeout: Signal<In, Bits<32>>,
    /// Everything but the registers and the link's transmit side starts anew.
    pub restart: Signal<Out, Bit>,
    /// Counts the resets that gave reads up, modulo 4.
    pub epoch: Signal<Out, Bits<2>>,

    now: DFF<Bit>,
    gives_up: DFF<Bit>,
    given_up: DFF<Bits<2>>,
    age: DFF<Bits<32>>,
    half_here: DFF<Bit>,
    expected: Signal<Local, Bit>,
    expired: Signal<Local, Bit>,
}

impl Logic for SoftReset {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, now, gives_up, given_up, age, half_here);
        self.hold.next = self.request.val();
        self.restart.next = self.now.q.val();
        self.epoch.next = self.given_up.q.val();
        if self.cpl_valid.val() {
            self.half_here.d.next = !self.cpl_eop.val();
        }
        self.expected.next = self.reads_out.val() | self.half_here.q.val();
        self.expired.next = self.age.q.val() >= self.timeout.val();
        self.age.d.next = 0.into();
        self.now.d.next = false;
        self.gives_up.d.next = self.expected.val();
        if self.request.val() & !self.now.q.val() {
            self.age.d.next = self.age.q.val();
            if !self.expired.val() {
                self.age.d.next = self.age.q.val() + 1;
            }
            self.now.d.next = self.settled.val() & (!self.expected.val() | self.expired.val());
        }
        if self.now.q.val() & self.gives_up.q.val() {
            self.given_up.d.next = self.given_up.q.val() + 1;
        }
        if self.reset.val() {
            self.now.d.next = true;
            self.gives_up.d.next = false;
            self.given_up.d.next = 0.into();
            self.half_here.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SoftReset;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    const TIMEOUT: u64 = 100;

    fn dut() -> Result<Pair<SoftReset>> {
        let mut dut = Pair::new(
            SoftReset::default(),
            ports!(SoftReset {
                clock: clock;
                in reset, request, settled, reads_out, cpl_valid, cpl_eop, timeout;
                out hold, restart, epoch
            }),
        )?;
        reset(&mut dut)?;
        assert!(dut.is("restart")?, "the function's reset");
        set_all(&mut dut, &[("timeout", TIMEOUT), ("settled", 1)])?;
        dut.step()?;
        Ok(dut)
    }

    /// Resets at random moments of the traffic.
    #[test]
    fn restarts_between_tlps_and_without_reads() -> Result {
        let mut dut = dut()?;
        let mut random = seeded(1);
        let (mut given_up, mut in_peace) = (0, 0);
        for _ in 0..60 {
            // Completions come and go, with and without somebody who asks.
            let reads_until = [0, random.random_range(0..80), 1000][random.random_range(0..3)];
            let send_until: u64 = random.random_range(0..40);
            for _ in 0..random.random_range(1..10) {
                set_all(
                    &mut dut,
                    &[("cpl_valid", 1), ("cpl_eop", 1), ("reads_out", 1)],
                )?;
                assert!(!dut.is("restart")? && !dut.is("hold")?);
                dut.step()?;
            }
            dut.set("request", true)?;
            let mut half = false;
            for cycle in 0u64.. {
                assert!(cycle < TIMEOUT + 60, "no restart");
                let (reads, settled) = (cycle < reads_until, cycle >= send_until);
                let arrives = chance(&mut random, if reads || half { 30 } else { 0 });
                let last = chance(&mut random, 50);
                set_all(
                    &mut dut,
                    &[
                        ("reads_out", reads.into()),
                        ("settled", settled.into()),
                        ("cpl_valid", arrives.into()),
                        ("cpl_eop", last.into()),
                    ],
                )?;
                assert!(dut.is("hold")?);
                if dut.is("restart")? {
                    break;
                }
                let may = settled && (!(reads || half) || cycle >= TIMEOUT);
                let abandoned = reads || half;
                if arrives {
                    half = !last;
                }
                dut.step()?;
                assert_eq!(dut.is("restart")?, may, "cycle {cycle}");
                if may {
                    given_up += u64::from(abandoned);
                    in_peace += u64::from(!abandoned);
                }
            }
            dut.step()?;
            dut.set("request", false)?;
            assert!(!dut.is("restart")?, "one cycle");
            assert_eq!(dut.get("epoch")?, given_up % 4);
            // The rest of a completion.
            set_all(&mut dut, &[("cpl_valid", 1), ("cpl_eop", 1)])?;
            dut.step()?;
            set_all(&mut dut, &[("cpl_valid", 0), ("settled", 1)])?;
        }
        assert!(given_up > 8 && in_peace > 8, "{given_up} {in_peace}");
        dut.set("reset", true)?;
        dut.step()?;
        assert!(dut.is("restart")? && dut.get("epoch")? == 0);
        Ok(())
    }
}
