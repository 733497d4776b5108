//! When a soft reset may strike.

use rust_hdl::prelude::*;

/// Turns a reset that the driver asks for into a restart of the device, at a moment when the link holds nothing of it.
///
/// From `request` on no read and no write begins. The device restarts once nothing of it is half sent and its reads have
/// been answered. Reads without an answer for `timeout` cycles are given up: a late answer is nobody's, which
/// [`LostTags`](crate::lost_tags::LostTags) sees to.
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
    /// Reads are out whose last completions have not begun or not been recognised.
    pub reads_out: Signal<In, Bit>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// Its last one.
    pub cpl_eop: Signal<In, Bit>,
    /// Cycles to wait for reads.
    pub timeout: Signal<In, Bits<32>>,
    /// Everything but the registers and the link's transmit side starts anew.
    pub restart: Signal<Out, Bit>,
    /// The restart of this cycle gives up reads, or a completion that is half here.
    pub gives_up: Signal<Out, Bit>,

    now: DFF<Bit>,
    in_vain: DFF<Bit>,
    age: DFF<Bits<32>>,
    half_here: DFF<Bit>,
    expected: Signal<Local, Bit>,
    expired: Signal<Local, Bit>,
}

impl Logic for SoftReset {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, now, in_vain, age, half_here);
        self.hold.next = self.request.val();
        self.restart.next = self.now.q.val();
        self.gives_up.next = self.now.q.val() & self.in_vain.q.val();
        if self.cpl_valid.val() {
            self.half_here.d.next = !self.cpl_eop.val();
        }
        self.expected.next = self.reads_out.val() | self.half_here.q.val();
        self.expired.next = self.age.q.val() >= self.timeout.val();
        self.age.d.next = 0.into();
        self.now.d.next = false;
        self.in_vain.d.next = self.expected.val();
        if self.request.val() & !self.now.q.val() {
            self.age.d.next = self.age.q.val();
            if !self.expired.val() {
                self.age.d.next = self.age.q.val() + 1;
            }
            self.now.d.next = self.settled.val() & (!self.expected.val() | self.expired.val());
        }
        if self.reset.val() {
            self.now.d.next = true;
            self.in_vain.d.next = false;
            self.half_here.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SoftReset;
    use crate::rig::{self, Rig, with_rig};
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
                out hold, restart, gives_up
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
            let given_up_before = given_up;
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
                    assert_eq!(dut.is("gives_up")?, given_up > given_up_before);
                    break;
                }
                assert!(!dut.is("gives_up")?);
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
            // The rest of a completion.
            set_all(&mut dut, &[("cpl_valid", 1), ("cpl_eop", 1)])?;
            dut.step()?;
            set_all(&mut dut, &[("cpl_valid", 0), ("settled", 1)])?;
        }
        assert!(given_up > 8 && in_peace > 8, "{given_up} {in_peace}");
        dut.set("reset", true)?;
        dut.step()?;
        assert!(dut.is("restart")? && !dut.is("gives_up")?);
        Ok(())
    }

    /// Has a data read (of 64 bytes) or a fetch go out; returns its tag.
    fn read(rig: &mut Pair<Rig>, fetch: bool) -> Result<u64> {
        set_all(rig, &[("timeout", 500), ("job_length", 64)])?;
        let (offer, taken) = if fetch {
            ("fetch_valid", "fetch_ready")
        } else {
            ("h2c_job", "h2c_job_ready")
        };
        rig.set(offer, true)?;
        while !rig.is(taken)? {
            rig.step()?;
        }
        rig.step()?;
        rig.set(offer, false)?;
        while !rig.is("tx_valid")? {
            rig.step()?;
        }
        assert_eq!((rig.get("tx_kind")?, rig.get("tx_len")?), (1, 16));
        let tag = rig.get("tx_tag")?;
        rig.step()?;
        Ok(tag)
    }

    /// A completion of `beats` beats that tells `byte_count`.
    fn complete(rig: &mut Pair<Rig>, tag: u64, beats: u64, byte_count: u64) -> Result {
        for beat in 0..beats {
            let header = [
                ("cpl_valid", 1),
                ("cpl_sop", u64::from(beat == 0)),
                ("cpl_eop", u64::from(beat + 1 == beats)),
                ("cpl_tag", tag),
                ("cpl_len", 4 * beats),
                ("cpl_byte_count", byte_count),
            ];
            set_all(rig, &header)?;
            rig.step()?;
        }
        rig.set("cpl_valid", false)
    }

    /// Cycles until the restart.
    fn restart(rig: &mut Pair<Rig>, limit: usize) -> Result<usize> {
        for cycle in 0..limit {
            if rig.is("restart")? {
                rig.step()?;
                rig.set("soft_reset", false)?;
                rig.step()?;
                return Ok(cycle);
            }
            rig.step()?;
        }
        panic!("no restart within {limit} cycles")
    }

    /// Tags that may not be used.
    fn lost(rig: &mut Pair<Rig>) -> Result<Vec<u64>> {
        let usable = rig.get_wide("usable")?;
        let is_lost = |tag: &u64| usable[*tag as usize / 32] >> (tag % 32) & 1 == 0;
        Ok((0..rig::TAGS as u64).filter(is_lost).collect())
    }

    /// A completion that looks like a read's last one, but does not fit, leaves the read's own still to come: that would
    /// fit the next read with the tag, so it must not be forgotten without the tag being lost.
    #[test]
    fn a_misfit_is_no_answer() {
        with_rig(|rig| {
            for fetch in [false, true] {
                // The read's own completion never comes. The misfit comes before the request, or in its cycle.
                let mut tags = Vec::new();
                for asked in [false, true] {
                    let tag = read(rig, fetch)?;
                    assert!(!tags.contains(&tag), "tag {tag} is lost");
                    tags.push(tag);
                    rig.set("soft_reset", asked)?;
                    complete(rig, tag, 1, 16)?;
                    rig.set("soft_reset", true)?;
                    assert!(restart(rig, 1000)? >= 490, "the read was forgotten");
                    assert_eq!(lost(rig)?, tags);
                }
                // It comes: the reset is one in peace.
                let tag = read(rig, fetch)?;
                assert!(!tags.contains(&tag), "tag {tag} is lost");
                rig.set("soft_reset", true)?;
                complete(rig, tag, 1, 16)?;
                for _ in 0..100 {
                    assert!(!rig.is("restart")?);
                    rig.step()?;
                }
                complete(rig, tag, 4, 64)?;
                assert!(restart(rig, 1000)? < 10);
                assert_eq!(lost(rig)?, tags);

                // A read of the new time is not answered by late completions of the old one, which free their tags.
                let tag = read(rig, fetch)?;
                for late in tags {
                    complete(rig, late, 4, 64)?;
                    assert!(!rig.is("m_tvalid")?);
                }
                assert_eq!(lost(rig)?, [0; 0]);
                for _ in 0..50 {
                    assert!(!rig.is("h2c_done")? && !rig.is("m_tvalid")?);
                    rig.step()?;
                }
                complete(rig, tag, 4, 64)?;
                if !fetch {
                    let mut cycles = 0;
                    while !rig.is("h2c_done")? {
                        rig.step()?;
                        cycles += 1;
                        assert!(cycles < 100, "the read was answered");
                    }
                }
                for _ in 0..10 {
                    rig.step()?;
                }
            }
            Ok(())
        });
    }

    /// With every fetch lost none goes out, until an answer comes or patience ends.
    #[test]
    fn lost_fetches_come_back_in_time() {
        with_rig(|rig| {
            for _ in 0..8 {
                read(rig, true)?;
            }
            rig.set("soft_reset", true)?;
            assert!(restart(rig, 1000)? >= 400);
            assert_eq!(lost(rig)?, [0, 1, 2, 3, 4, 5, 6, 7]);
            rig.set("fetch_valid", true)?;
            for _ in 0..rig::PATIENCE - 100 {
                assert!(!rig.is("fetch_ready")?);
                rig.step()?;
            }
            complete(rig, 5, 4, 64)?;
            assert!(rig.is("fetch_ready")?, "tag 5 is free");
            rig.step()?;
            assert!(!rig.is("fetch_ready")?);
            for _ in 0..200 {
                rig.step()?;
            }
            assert_eq!(lost(rig)?, [0; 0]);
            Ok(())
        });
    }

    /// A fetch that the transmit side has taken and that has not left has no answer to wait for.
    #[test]
    fn a_fetch_that_has_not_left_is_dropped() {
        with_rig(|rig| {
            set_all(rig, &[("s_tvalid", 1), ("job_length", 256), ("c2h_job", 1)])?;
            rig.step()?;
            rig.set("c2h_job", false)?;
            while !rig.is("tx_valid")? {
                rig.step()?;
            }
            rig.step()?;
            // In the middle of a write.
            set_all(rig, &[("tx_ready", 0), ("fetch_valid", 1)])?;
            assert!(rig.is("fetch_ready")?);
            rig.step()?;
            rig.set("fetch_valid", false)?;
            for _ in 0..5 {
                rig.step()?;
            }
            set_all(rig, &[("soft_reset", 1), ("tx_ready", 1)])?;
            assert!(restart(rig, 1000)? < 40);
            assert_eq!(lost(rig)?, [0; 0]);
            Ok(())
        });
    }
}
