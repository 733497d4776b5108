//! The binary that runs on the soft core: the firmware, the memory-mapped window, a logger, and what happens on faults.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod fault;
#[cfg(target_os = "none")]
mod logger;
#[cfg(target_os = "none")]
mod window;

#[cfg(target_os = "none")]
use pinring_firmware::{
    Firmware, Hardware, Mailbox,
    peripherals::{HeartbeatLed, Led},
};

/// The LED changes every quarter of a second.
#[cfg(target_os = "none")]
const BEATS_PER_CHANGE: u32 = 250_000 / pinring_protocol::limits::HEARTBEAT_US;

#[cfg(target_os = "none")]
#[riscv_rt::entry]
fn main() -> ! {
    match Firmware::new(Mailbox {
        registers: window::Window,
        log: logger::log,
    }) {
        Ok(firmware) => serve(firmware),
        Err(mut refusal) => loop {
            refusal.step();
        },
    }
}

/// On its own, so that nothing of the start lies between the parts of the loop: the instruction cache has 2 KiB.
#[cfg(target_os = "none")]
#[inline(never)]
fn serve(mut firmware: Firmware<impl Hardware>) -> ! {
    let mut led = HeartbeatLed::new(Led::new(window::Window, 0), BEATS_PER_CHANGE);
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
