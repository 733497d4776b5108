//! One reset for two clocks.

use crate::widgets::Synchroniser;
use rust_hdl::prelude::*;

/// Carries the engine's reset to the core's clock, and holds both sides until both have been in reset together.
///
/// Four-phase handshake: `lowered` asks, the core's side answers with `down`. A reset of any length, at any ratio of the clocks,
/// resets the core; one that comes while an earlier one is still being released waits, with the engine's side held.
/// Both sides start in reset at power-up.
#[derive(LogicBlock, Default)]
pub struct ResetCrossing {
    /// Engine's clock.
    pub clock: Signal<In, Clock>,
    /// Engine's reset.
    pub reset: Signal<In, Bit>,
    /// Reset of what belongs to the mailbox in the engine's clock.
    pub engine_reset: Signal<Out, Bit>,
    /// Core's clock.
    pub core_clock: Signal<In, Clock>,
    /// Reset of everything in the core's clock.
    pub core_reset: Signal<Out, Bit>,
    // Flip-flops start at 0, hence the core runs on 1.
    released: DFF<Bit>,
    pending: DFF<Bit>,
    core_released: Synchroniser<Bit>,
    // The core's side tells of its reset four cycles late, when all of its counters have been 0 for long enough to be seen so.
    core_up: DFF<Bits<4>>,
    core_up_seen: Synchroniser<Bit>,
    up: DFF<Bit>,
    shifted: Signal<Local, Bits<4>>,
}

impl Logic for ResetCrossing {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, released, pending);
        dff_setup!(self, core_clock, core_up, up);
        clock!(self, core_clock, core_released);
        clock!(self, clock, core_up_seen);

        self.core_released.d.next = self.released.q.val();
        self.core_reset.next = !self.core_released.q.val();
        self.shifted.next = self.core_up.q.val() << 1;
        self.core_up.d.next = self.shifted.val();
        if self.core_released.q.val() {
            self.core_up.d.next = self.shifted.val() | 1;
        }
        self.up.d.next = self.core_up.q.val().any();
        self.core_up_seen.d.next = self.up.q.val();

        self.engine_reset.next = self.reset.val() | self.pending.q.val() | !self.released.q.val();
        if self.reset.val() {
            self.pending.d.next = true;
        }
        if self.released.q.val() {
            if (self.reset.val() | self.pending.q.val()) & self.core_up_seen.q.val() {
                self.released.d.next = false;
            }
        } else if !self.core_up_seen.q.val() & !self.reset.val() {
            self.released.d.next = true;
            self.pending.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;

    /// Steps the clocks for `time` units; returns for how many of its cycles the core was in reset, and whether it ran last.
    fn run(
        dut: &mut Pair<ResetCrossing>,
        now: &mut u64,
        periods: (u64, u64),
        time: u64,
    ) -> Result<(u64, bool), Error> {
        let mut resets = 0;
        for _ in 0..time {
            let clocks: &[&str] =
                match (now.is_multiple_of(periods.0), now.is_multiple_of(periods.1)) {
                    (true, true) => &["clock", "core_clock"],
                    (true, false) => &["clock"],
                    (false, true) => &["core_clock"],
                    (false, false) => &[],
                };
            if now.is_multiple_of(periods.1) && dut.is("core_reset")? {
                resets += 1;
            }
            dut.step_clocks(clocks)?;
            *now += 1;
        }
        Ok((resets, !dut.is("core_reset")? && !dut.is("engine_reset")?))
    }

    #[test]
    fn even_one_cycle_resets_both_sides_together() -> Result<(), Error> {
        for periods in [(1, 1), (1, 9), (9, 1), (3, 4), (4, 3)] {
            let ports = ports!(ResetCrossing { clock: clock, core_clock; in reset; out engine_reset, core_reset });
            let mut dut = Pair::new(ResetCrossing::default(), ports)?;
            let (mut now, slow) = (0, periods.0.max(periods.1));
            assert!(
                dut.is("core_reset")? && dut.is("engine_reset")?,
                "in reset at power-up"
            );
            let (resets, runs) = run(&mut dut, &mut now, periods, 30 * slow)?;
            assert!(resets >= 2 && runs, "released by itself: {periods:?}");
            for gap in [0, 1, 5, 12, 60] {
                // Up to the engine's next edge, so that the pulse is seen by exactly one.
                while !now.is_multiple_of(periods.0) {
                    run(&mut dut, &mut now, periods, 1)?;
                }
                dut.set("reset", true)?;
                assert!(dut.is("engine_reset")?, "the engine's side is held at once");
                run(&mut dut, &mut now, periods, 1)?;
                dut.set("reset", false)?;
                let (mut resets, mut together, mut runs) = (0, false, false);
                while !runs {
                    let (more, now_runs) = run(&mut dut, &mut now, periods, 1)?;
                    (resets, runs) = (resets + more, now_runs);
                    together |= dut.is("core_reset")? && dut.is("engine_reset")?;
                    assert!(now < 10_000, "it is released: {periods:?}");
                }
                assert!(
                    resets >= 4 && together,
                    "core in reset for {resets} cycles: {periods:?}"
                );
                run(&mut dut, &mut now, periods, gap * slow)?;
            }
        }
        Ok(())
    }
}
