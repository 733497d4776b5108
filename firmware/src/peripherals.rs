//! The core's peripherals as embedded-hal traits, and what the firmware shows with them.

use crate::Registers;
use core::convert::Infallible;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use pinring_protocol::mmio;

/// Delay by the cycle timer.
pub struct CycleDelay<R> {
    registers: R,
    hz: u32,
}

impl<R: Registers> CycleDelay<R> {
    /// Delay over the window's registers.
    pub fn new(registers: R) -> Self {
        let hz = registers.read(mmio::CORE_HZ);
        Self { registers, hz }
    }
}

impl<R: Registers> DelayNs for CycleDelay<R> {
    /// Waits at least `ns` nanoseconds.
    fn delay_ns(&mut self, ns: u32) {
        let start = self.registers.read(mmio::CYCLES_LO);
        // Rounded up, and one more for the part of a cycle that has passed at the start. Fits: at most 4.3 s, and 32 bits of
        // cycles last that long up to 999 MHz.
        let cycles = (u64::from(ns) * u64::from(self.hz)).div_ceil(1_000_000_000) + 1;
        while u64::from(self.registers.read(mmio::CYCLES_LO).wrapping_sub(start)) < cycles {}
    }
}

/// One LED.
pub struct Led<R> {
    registers: R,
    mask: u32,
}

impl<R: Registers> Led<R> {
    /// LED `number`, 0 to 7.
    pub fn new(registers: R, number: u32) -> Self {
        Self {
            registers,
            mask: 1 << (number & 7),
        }
    }
}

impl<R> ErrorType for Led<R> {
    type Error = Infallible;
}

impl<R: Registers> OutputPin for Led<R> {
    fn set_low(&mut self) -> Result<(), Infallible> {
        let lit = self.registers.read(mmio::LEDS);
        self.registers.write(mmio::LEDS, lit & !self.mask);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let lit = self.registers.read(mmio::LEDS);
        self.registers.write(mmio::LEDS, lit | self.mask);
        Ok(())
    }
}

/// A LED that changes with every `period`-th heartbeat: blinking means serving.
pub struct HeartbeatLed<P> {
    pin: P,
    period: u32,
    beats: u32,
    lit: bool,
}

impl<P: OutputPin> HeartbeatLed<P> {
    /// A LED on `pin`, dark until the first change.
    pub fn new(pin: P, period: u32) -> Self {
        Self {
            pin,
            period: period.max(1),
            beats: 0,
            lit: false,
        }
    }

    /// One heartbeat.
    ///
    /// # Errors
    /// The pin's.
    pub fn beat(&mut self) -> Result<(), P::Error> {
        self.beats += 1;
        if self.beats < self.period {
            return Ok(());
        }
        self.beats = 0;
        self.lit = !self.lit;
        self.pin.set_state(PinState::from(self.lit))
    }
}

/// Shows a fault: `count` flashes of 200 ms, then a second of darkness.
///
/// # Errors
/// The pin's.
pub fn flash<P: OutputPin>(
    pin: &mut P,
    delay: &mut impl DelayNs,
    count: u32,
) -> Result<(), P::Error> {
    for _ in 0..count {
        pin.set_high()?;
        delay.delay_ms(200);
        pin.set_low()?;
        delay.delay_ms(200);
    }
    delay.delay_ms(1000);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::delay::{CheckedDelay, Transaction as Wait};
    use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Set};
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    /// A window whose cycle counter goes on by `step` per read.
    #[derive(Clone, Default)]
    struct Window {
        hz: u32,
        step: u32,
        cycles: Rc<Cell<u32>>,
        leds: Rc<RefCell<u32>>,
    }

    impl Registers for Window {
        fn read(&self, offset: u32) -> u32 {
            match offset {
                mmio::CORE_HZ => self.hz,
                mmio::CYCLES_LO => self
                    .cycles
                    .replace(self.cycles.get().wrapping_add(self.step)),
                mmio::LEDS => *self.leds.borrow(),
                _ => panic!("no read of {offset:#x}"),
            }
        }
        fn write(&mut self, offset: u32, value: u32) {
            assert_eq!(offset, mmio::LEDS);
            *self.leds.borrow_mut() = value;
        }
    }

    #[test]
    fn delays_last_at_least_as_long_as_asked() {
        for (hz, ns, cycles) in [
            (125_000_000, 8, 2),
            (125_000_000, 1_000, 126),
            (100_000_000, 15, 3),
            (125_000_000, 0, 1),
        ] {
            for start in [0, u32::MAX - 3] {
                let window = Window {
                    hz,
                    step: 1,
                    cycles: Rc::new(Cell::new(start)),
                    ..Window::default()
                };
                CycleDelay::new(window.clone()).delay_ns(ns);
                assert_eq!(
                    window.cycles.get().wrapping_sub(start),
                    cycles + 1,
                    "{ns} ns at {hz} Hz from {start}"
                );
            }
        }
    }

    #[test]
    fn a_led_leaves_the_others_alone() {
        let window = Window::default();
        *window.leds.borrow_mut() = 0b1000_0001;
        let mut led = Led::new(window.clone(), 2);
        led.set_high().expect("infallible");
        assert_eq!(*window.leds.borrow(), 0b1000_0101);
        led.set_low().expect("infallible");
        assert_eq!(*window.leds.borrow(), 0b1000_0001);
    }

    #[test]
    fn the_heartbeat_blinks() {
        let mut pin = Pin::new(&[
            Set::set(State::High),
            Set::set(State::Low),
            Set::set(State::High),
        ]);
        let mut led = HeartbeatLed::new(pin.clone(), 4);
        for _ in 0..15 {
            led.beat().expect("the mock does not fail");
        }
        pin.done();
    }

    #[test]
    fn a_fault_is_flashed() {
        let (on, off) = (Set::set(State::High), Set::set(State::Low));
        let mut pin = Pin::new(&[on.clone(), off.clone(), on, off]);
        let wait = Wait::delay_ms;
        let mut delay =
            CheckedDelay::new(&[wait(200), wait(200), wait(200), wait(200), wait(1000)]);
        flash(&mut pin, &mut delay, 2).expect("the mock does not fail");
        pin.done();
        delay.done();
    }
}
