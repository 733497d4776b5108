//! The program itself: the checks once, then LEDs.
//!
//! LED 0: running; LED 1: all checks are good; LED 2 flashes: a check failed (once), or the program did (twice).

use core::panic::PanicInfo;
use embedded_hal::digital::OutputPin;
use embedded_io::Write;
use pinring_firmware::Registers;
use pinring_firmware::peripherals::{CycleDelay, Led, flash};
use pinring_protocol::mmio;
use pinring_selftest::{Bus, Uart, run};

/// Host memory, BAR0 and registers, as far as the processor sees them.
struct Wires;

/// A word beyond the processor's own memory and window.
const fn word(address: u32) -> *mut u32 {
    // Bits 31:30 choose the bus, whatever the address: nothing else lives there.
    core::ptr::without_provenance_mut((address & !3 | 0xc000_0000) as usize)
}

impl Bus for Wires {
    fn load(&self, address: u32) -> u32 {
        // SAFETY: an aligned address on the bus, which answers every read and holds nothing that this program owns.
        unsafe { word(address).read_volatile() }
    }

    fn store(&mut self, address: u32, value: u32) {
        // SAFETY: as for reads; the processor's own memory is out of reach.
        unsafe { word(address).write_volatile(value) }
    }
}

/// The window. It has no state of its own, so that everybody may have one.
#[derive(Clone, Copy)]
struct Window;

/// Address of a register. Offsets beyond the window would alias within it, and reach nothing else.
const fn address(offset: u32) -> *mut u32 {
    core::ptr::without_provenance_mut((mmio::BASE + (offset & 0xfc)) as usize)
}

impl Registers for Window {
    fn read(&self, offset: u32) -> u32 {
        // SAFETY: an aligned address in the window, where the gateware answers every read and nothing else lives.
        unsafe { address(offset).read_volatile() }
    }

    fn write(&mut self, offset: u32, value: u32) {
        // SAFETY: as for reads; no register changes memory.
        unsafe { address(offset).write_volatile(value) }
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    let [mut running, mut good] = [0, 1].map(|number| Led::new(Window, number));
    let Ok(()) = running.set_high();
    let Ok(passed) = run(Wires, Window, &mut Uart(Window));
    let Ok(()) = running.set_low();
    if !passed {
        failed(1);
    }
    let Ok(()) = good.set_high();
    loop {
        core::hint::spin_loop();
    }
}

fn failed(flashes: u32) -> ! {
    let (mut led, mut delay) = (Led::new(Window, 2), CycleDelay::new(Window));
    loop {
        let Ok(()) = flash(&mut led, &mut delay, flashes);
    }
}

/// A panic: where, and then FAIL, so that whoever reads the line is not left waiting.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let line = info.location().map_or(0, |location| location.line());
    let _ = writeln!(Uart(Window), "\nFAIL: panicked at line {line}");
    failed(2)
}

/// An exception of the processor.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler() -> ! {
    let _ = writeln!(Uart(Window), "\nFAIL: trap");
    failed(2)
}
