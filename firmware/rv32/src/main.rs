//! The binary that runs on the soft core: the prefetcher, the memory-mapped window, a logger, and what happens on faults.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod fault;
#[cfg(target_os = "none")]
mod logger;
#[cfg(target_os = "none")]
mod window;

/// Heartbeats are 5 ms apart; the LED changes every quarter of a second.
#[cfg(target_os = "none")]
const BEATS_PER_CHANGE: u32 = 50;

#[cfg(target_os = "none")]
#[riscv_rt::entry]
fn main() -> ! {
    use pinring_firmware::peripherals::{HeartbeatLed, Led};
    use pinring_firmware::{Firmware, Mailbox};

    let mut led = HeartbeatLed::new(Led::new(window::Window, 0), BEATS_PER_CHANGE);
    let mut firmware = Firmware::new(Mailbox {
        registers: window::Window,
        log: logger::log,
    });
    loop {
        if firmware.step() {
            let Ok(()) = led.beat();
            logger::tell_dropped();
        }
    }
}

/// Nothing: this program is for the soft core.
#[cfg(not(target_os = "none"))]
fn main() {}
