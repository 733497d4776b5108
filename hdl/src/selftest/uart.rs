//! A UART's transmitter.

use crate::widgets::Param;
use rust_hdl::prelude::*;

/// Sends bytes with one start bit and one stop bit, no parity; `CYCLES` cycles a bit (2 to 65535).
#[derive(LogicBlock, Default)]
pub struct UartTransmitter<const CYCLES: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops the byte that is on its way.
    pub reset: Signal<In, Bit>,
    /// Byte to send.
    pub data: Signal<In, Bits<8>>,
    /// Send it; ignored while `busy`.
    pub write: Signal<In, Bit>,
    /// A byte is on its way.
    pub busy: Signal<Out, Bit>,
    /// The line, high when idle.
    pub tx: Signal<Out, Bit>,
    // The bits still to send, inverted, as flip-flops start at 0 and the line at 1. A mark above them says where they end.
    frame: DFF<Bits<11>>,
    low: DFF<Bit>,
    countdown: DFF<Bits<16>>,
    cycles: Param<16, CYCLES>,
    full: Signal<Local, Bits<11>>,
    active: Signal<Local, Bit>,
}

impl<const CYCLES: usize> Logic for UartTransmitter<CYCLES> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, frame, low, countdown);
        self.active.next = self.frame.q.val().any();
        // Mark, stop bit (0, inverted), data, start bit (1, inverted).
        self.full.next = ((bit_cast::<11, 8>(self.data.val()) << 1) ^ 0x1fe) | 0x401;
        self.tx.next = !self.low.q.val();
        self.busy.next = self.active.val();
        if self.active.val() {
            if self.countdown.q.val() == 0 {
                self.countdown.d.next = self.cycles.val() - 1;
                self.frame.d.next = self.frame.q.val() >> 1;
                self.low.d.next = self.frame.q.val().get_bit(0);
                // The mark alone: the stop bit has been sent.
                if self.frame.q.val() == 1 {
                    self.low.d.next = false;
                    self.countdown.d.next = 0.into();
                }
            } else {
                self.countdown.d.next = self.countdown.q.val() - 1;
            }
        } else if self.write.val() {
            self.frame.d.next = self.full.val();
        }
        if self.reset.val() {
            self.frame.d.next = 0.into();
            self.low.d.next = false;
            self.countdown.d.next = 0.into();
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

    const CYCLES: usize = 5;

    fn uart() -> Result<Pair<UartTransmitter<CYCLES>>> {
        let ports = ports!(UartTransmitter<CYCLES> {
            clock: clock;
            in reset, data, write;
            out busy, tx
        });
        let mut dut = Pair::new(UartTransmitter::default(), ports)?;
        reset(&mut dut)?;
        Ok(dut)
    }

    #[test]
    fn frames_have_start_data_and_stop_of_equal_length() -> Result {
        let mut dut = uart()?;
        let mut random = seeded(1);
        for round in 0..200 {
            let byte: u8 = random.random();
            assert!(!dut.is("busy")? && dut.is("tx")?);
            set_all(&mut dut, &[("data", byte.into()), ("write", 1)])?;
            dut.step()?;
            // What is written meanwhile is dropped.
            dut.set("data", u64::from(!byte))?;
            dut.set("write", chance(&mut random, 50))?;
            assert!(
                dut.is("busy")? && dut.is("tx")?,
                "one cycle to the start bit"
            );
            dut.step()?;
            let bits = (0..8).map(|bit| byte >> bit & 1 == 1);
            for (number, bit) in [false].into_iter().chain(bits).chain([true]).enumerate() {
                for cycle in 0..CYCLES {
                    assert_eq!(
                        dut.is("tx")?,
                        bit,
                        "byte {byte:#x}, bit {number}, cycle {cycle}"
                    );
                    assert!(dut.is("busy")?);
                    if number == 9 && cycle == CYCLES - 1 {
                        dut.set("write", false)?;
                    }
                    dut.step()?;
                }
            }
            for _ in 0..round % 3 {
                dut.step()?;
            }
        }
        Ok(())
    }

    #[test]
    fn reset_ends_a_byte() -> Result {
        let mut dut = uart()?;
        set_all(&mut dut, &[("data", 0), ("write", 1)])?;
        dut.step()?;
        dut.set("write", false)?;
        for _ in 0..13 {
            dut.step()?;
        }
        assert!(!dut.is("tx")? && dut.is("busy")?);
        reset(&mut dut)?;
        for _ in 0..20 {
            assert!(dut.is("tx")? && !dut.is("busy")?);
            dut.step()?;
        }
        Ok(())
    }
}
