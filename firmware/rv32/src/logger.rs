//! defmt over LOG commands.

use crate::window::Window;
use core::cell::UnsafeCell;
use pinring_firmware::{Event, Hardware, LogPacker, Mailbox, Registers};
use pinring_protocol::mmio;

struct State {
    encoder: defmt::Encoder,
    packer: LogPacker,
}

struct Shared(UnsafeCell<State>);

// SAFETY: there is one hart and no interrupt is enabled, so nothing runs beside a caller. A log statement inside a log
// statement does not occur: formatters of this crate and its libraries do not log.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(State {
    encoder: defmt::Encoder::new(),
    packer: LogPacker::new(),
}));

/// Calls `call` with the state and a way to send.
fn with<T>(call: impl FnOnce(&mut State, &mut dyn FnMut([u32; 4]) -> bool) -> T) -> T {
    // SAFETY: see `Sync`: this is the only place that borrows the state, and it ends before it is called again.
    let state = unsafe { &mut *SHARED.0.get() };
    let mut mailbox = Mailbox {
        registers: Window,
        log: |_| {},
    };
    call(state, &mut |entry| mailbox.send(entry))
}

#[defmt::global_logger]
struct Logger;

// SAFETY: `acquire` and `release` come in pairs around `write`, as defmt calls them; with one hart and no interrupts
// there is nothing to exclude.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        with(|state, mut send| {
            state.packer.begin(&mut send);
            state
                .encoder
                .start_frame(|bytes| state.packer.push(bytes, &mut send));
        });
    }

    unsafe fn flush() {}

    unsafe fn release() {
        with(|state, mut send| {
            state
                .encoder
                .end_frame(|bytes| state.packer.push(bytes, &mut send));
            state.packer.end(&mut send);
        });
    }

    unsafe fn write(bytes: &[u8]) {
        with(|state, mut send| {
            state
                .encoder
                .write(bytes, |bytes| state.packer.push(bytes, &mut send))
        });
    }
}

// Core cycles, low half.
defmt::timestamp!("{=u32}", Window.read(mmio::CYCLES_LO));

/// A line per event.
pub fn log(event: Event) {
    match event {
        Event::Started { core_hz } => defmt::info!("serving, core clock {=u32} Hz", core_hz),
        Event::QueueCreated { queue } => defmt::info!("queue {=u32} created", queue),
        Event::QueueDestroyed { queue } => defmt::info!("queue {=u32} destroyed", queue),
        Event::RegionInvalidated { region } => defmt::info!("region {=u32} invalidated", region),
        Event::AdminRefused { target, status } => {
            defmt::warn!(
                "admin command for {=u32} refused with status {=u32}",
                target,
                status as u32
            )
        }
        Event::BadLayout { gateware, firmware } => defmt::error!(
            "the gateware's layout hash is {=u64:#018x} and the firmware's {=u64:#018x}: build both from the same version",
            gateware,
            firmware
        ),
        Event::BadMessage { word } => defmt::error!("message {=u32:#x} does not decode", word),
    }
}

/// Tells how many log frames the mailbox had no room for.
pub fn tell_dropped() {
    let dropped = with(|state, _| state.packer.take_dropped());
    if dropped != 0 {
        defmt::warn!("{=u32} log frames dropped", dropped);
    }
}
