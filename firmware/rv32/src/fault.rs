//! Panics and traps: the host is told, then the firmware stands still until the watchdog restarts it, or has given up.

use crate::window::Window;
use core::panic::PanicInfo;
use pinring_firmware::peripherals::{CycleDelay, Led, flash};
use pinring_firmware::{Hardware, Mailbox};
use pinring_protocol::FirmwareState;
use pinring_protocol::mailbox::Command;

/// Flashes of LED 0.
const PANIC: u32 = 2;
const TRAP: u32 = 3;

/// A panic: the detail is the source line.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info
        .location()
        .map_or(("", 0), |location| (location.file(), location.line()));
    tell(line);
    defmt::error!("panicked at {=str}:{=u32}", file, line);
    stand_still(PANIC)
}

/// An exception of the processor: the detail is the program counter.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler() -> ! {
    let (counter, cause): (u32, u32);
    // SAFETY: reads two machine-mode registers that every RISC-V core with traps has.
    unsafe {
        core::arch::asm!("csrr {}, mepc", out(reg) counter, options(nomem, nostack));
        core::arch::asm!("csrr {}, mcause", out(reg) cause, options(nomem, nostack));
    }
    tell(counter);
    defmt::error!("trap {=u32} at {=u32:#x}", cause, counter);
    stand_still(TRAP)
}

/// Sends the state, however long the mailbox takes to have room.
fn tell(detail: u32) {
    let mut mailbox = Mailbox {
        registers: Window,
        log: |_| {},
    };
    let entry = Command::Heartbeat {
        state: FirmwareState::Panicked,
        detail,
    }
    .encode();
    while !mailbox.send(entry) {}
}

fn stand_still(flashes: u32) -> ! {
    let (mut led, mut delay) = (Led::new(Window, 0), CycleDelay::new(Window));
    loop {
        let Ok(()) = flash(&mut led, &mut delay, flashes);
    }
}
