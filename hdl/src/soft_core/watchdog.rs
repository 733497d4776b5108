//! Restarts the soft core when its firmware falls silent.

use crate::widgets::Const;
use pinring_protocol::limits;
use rust_hdl::prelude::*;

/// The firmware's watchdog.
///
/// Without a heartbeat for `PATIENCE` cycles it asks for a restart of the core alone. After [`limits::WATCHDOG_RESTARTS`] in a row it
/// gives up; the row ends with [`limits::HEARTBEATS_OF_HEALTH`] heartbeats, so that firmware that always fails on the same message is found
/// out, and one that fails now and then is not. While a command waits for the engine, silence is not the firmware's fault and does not count.
#[derive(LogicBlock, Default)]
pub struct Watchdog<const PATIENCE: u64> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The whole device starts anew.
    pub reset: Signal<In, Bit>,
    /// A heartbeat of firmware that serves.
    pub beat: Signal<In, Bit>,
    /// A command of the firmware waits to be carried out.
    pub waits: Signal<In, Bit>,
    /// The core is being restarted.
    pub restarting: Signal<In, Bit>,
    /// Restart the core.
    pub restart: Signal<Out, Bit>,
    /// Restarts since reset.
    pub restarts: Signal<Out, Bits<32>>,
    /// A restart is to be noted in the error log.
    pub note: Signal<Out, Bit>,
    /// It is noted.
    pub noted: Signal<In, Bit>,
    silence: DFF<Bits<32>>,
    row: DFF<Bits<4>>,
    beats: DFF<Bits<4>>,
    count: DFF<Bits<32>>,
    to_note: DFF<Bit>,
    late: Signal<Local, Bit>,
    given_up: Signal<Local, Bit>,
    healthy: Signal<Local, Bit>,
    patience: Const<32, PATIENCE>,
    most: Const<4, { limits::WATCHDOG_RESTARTS as u64 }>,
    health: Const<4, { limits::HEARTBEATS_OF_HEALTH as u64 - 1 }>,
}

impl<const PATIENCE: u64> Logic for Watchdog<PATIENCE> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, silence, row, beats, count, to_note);
        self.late.next = self.silence.q.val() >= self.patience.val();
        self.given_up.next = self.row.q.val() == self.most.val();
        self.healthy.next = self.beats.q.val() == self.health.val();
        self.restart.next = false;
        self.restarts.next = self.count.q.val();
        self.note.next = self.to_note.q.val();
        if self.noted.val() {
            self.to_note.d.next = false;
        }
        if !(self.late.val() | self.waits.val()) {
            self.silence.d.next = self.silence.q.val() + 1;
        }
        if self.restarting.val() {
            self.silence.d.next = 0.into();
            self.beats.d.next = 0.into();
        } else if self.beat.val() {
            self.silence.d.next = 0.into();
            if self.healthy.val() {
                self.row.d.next = 0.into();
            } else {
                self.beats.d.next = self.beats.q.val() + 1;
            }
        } else if self.late.val() & !self.given_up.val() {
            self.restart.next = true;
            self.silence.d.next = 0.into();
            self.beats.d.next = 0.into();
            self.row.d.next = self.row.q.val() + 1;
            self.count.d.next = self.count.q.val() + 1;
            self.to_note.d.next = true;
        }
        if self.reset.val() {
            self.silence.d.next = 0.into();
            self.row.d.next = 0.into();
            self.beats.d.next = 0.into();
            self.count.d.next = 0.into();
            self.to_note.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    const PATIENCE: u64 = 500;

    fn dut() -> Result<Pair<Watchdog<PATIENCE>>> {
        let mut dut = Pair::new(
            Watchdog::default(),
            ports!(Watchdog<PATIENCE> {
                clock: clock;
                in reset, beat, waits, restarting, noted;
                out restart, restarts, note
            }),
        )?;
        reset(&mut dut)?;
        Ok(dut)
    }

    /// Cycles until the next restart, if it comes within twice the patience.
    fn silence(dut: &mut Pair<Watchdog<PATIENCE>>) -> Result<Option<u64>> {
        for cycle in 0..2 * PATIENCE {
            let restarts = dut.is("restart")?;
            dut.step()?;
            if restarts {
                assert!(!dut.is("restart")?, "one cycle");
                return Ok(Some(cycle));
            }
        }
        Ok(None)
    }

    fn beat(dut: &mut Pair<Watchdog<PATIENCE>>) -> Result {
        dut.set("beat", true)?;
        dut.step()?;
        dut.set("beat", false)
    }

    #[test]
    fn silence_restarts_the_core_and_a_row_of_restarts_ends() -> Result {
        let mut dut = dut()?;
        let mut count = 0;
        for health in [
            0,
            1,
            limits::HEARTBEATS_OF_HEALTH - 1,
            limits::HEARTBEATS_OF_HEALTH,
        ] {
            for row in 0..limits::WATCHDOG_RESTARTS {
                assert_eq!(silence(&mut dut)?, Some(PATIENCE), "restart {row}");
                count += 1;
                assert_eq!(dut.get("restarts")?, count);
                assert!(dut.is("note")?);
                set_all(&mut dut, &[("restarting", 1), ("noted", 1)])?;
                dut.step()?;
                set_all(&mut dut, &[("restarting", 0), ("noted", 0)])?;
                assert!(!dut.is("note")?, "it is noted once");
                let beats = if row + 1 < limits::WATCHDOG_RESTARTS {
                    0
                } else {
                    health
                };
                for _ in 0..beats {
                    beat(&mut dut)?;
                }
            }
            if health < limits::HEARTBEATS_OF_HEALTH {
                assert_eq!(silence(&mut dut)?, None, "it has given up");
                dut.set("reset", true)?;
                dut.step()?;
                dut.set("reset", false)?;
                assert_eq!(dut.get("restarts")?, 0);
                count = 0;
            }
        }
        assert_eq!(silence(&mut dut)?, Some(PATIENCE), "a new row");
        Ok(())
    }

    /// Against a model: beats, waiting commands and restarts at any moment.
    #[test]
    fn only_the_firmwares_own_silence_counts() -> Result {
        let mut dut = dut()?;
        let mut random = seeded(1);
        let (mut silent, mut restarts, mut waited) = (0, 0u64, 0);
        for _ in 0..40 {
            let keen = random.random_range(0..3u32);
            for _ in 0..random.random_range(1..1500) {
                let (beats, waits) = (chance(&mut random, keen), chance(&mut random, 20));
                let restarting = chance(&mut random, keen / 2);
                set_all(
                    &mut dut,
                    &[
                        ("beat", beats.into()),
                        ("waits", waits.into()),
                        ("restarting", restarting.into()),
                    ],
                )?;
                let due = silent == PATIENCE && !beats && !restarting;
                let given_up = due && !dut.is("restart")?;
                assert_eq!(dut.is("restart")?, due && !given_up);
                dut.step()?;
                restarts += u64::from(due && !given_up);
                silent = match beats || restarting || (due && !given_up) {
                    true => 0,
                    false => (silent + u64::from(!waits)).min(PATIENCE),
                };
                waited += u64::from(waits);
                assert_eq!(dut.get("restarts")?, restarts);
            }
            // Healthy again.
            set_all(&mut dut, &[("waits", 0), ("restarting", 0)])?;
            for _ in 0..limits::HEARTBEATS_OF_HEALTH {
                beat(&mut dut)?;
            }
            silent = 0;
        }
        assert!(restarts > 5 && waited > 100, "{restarts} {waited}");
        Ok(())
    }
}
