//! The bus interface: the device's configuration space.

use crate::constants::*;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{DISPATCH, inject, point, require_irql, violation, with};

pub(crate) unsafe extern "C" fn reference(_context: PVOID) {
    with(|w| w.pnp.interface_references += 1);
}

pub(crate) unsafe extern "C" fn dereference(_context: PVOID) {
    let wrong = with(|w| {
        let wrong = w.pnp.interface_references == 0;
        w.pnp.interface_references = w.pnp.interface_references.saturating_sub(1);
        wrong
    });
    if wrong {
        violation(
            Rule::Reference,
            "InterfaceDereference",
            "more often than referenced",
        );
    }
}

fn enter(ddi: &'static str) {
    point(ddi, 1);
    require_irql(ddi, DISPATCH);
}

pub(crate) unsafe extern "C" fn get_bus_data(
    _context: PVOID,
    data_type: ULONG,
    buffer: PVOID,
    offset: ULONG,
    length: ULONG,
) -> ULONG {
    enter("GetBusData");
    if inject("GetBusData") {
        return 0;
    }
    if data_type != PCI_WHICHSPACE_CONFIG || offset.saturating_add(length) > 4096 {
        return 0;
    }
    let buffer: *mut u8 = buffer.cast();
    for index in 0..length {
        // SAFETY: the caller's contract: `length` bytes at `buffer`.
        unsafe { *buffer.add(index as usize) = read_byte(offset + index) };
    }
    length
}

fn read_byte(offset: u32) -> u8 {
    with(|w| {
        if w.pnp.gone {
            return 0xFF;
        }
        match offset {
            4 | 5 => w.pnp.command.to_le_bytes()[offset as usize - 4],
            _ => w
                .with_hardware(|hardware, _| hardware.config_read(offset, 1) as u8)
                .unwrap_or(0xFF),
        }
    })
}

pub(crate) unsafe extern "C" fn set_bus_data(
    _context: PVOID,
    data_type: ULONG,
    buffer: PVOID,
    offset: ULONG,
    length: ULONG,
) -> ULONG {
    enter("SetBusData");
    if inject("SetBusData") {
        return 0;
    }
    if data_type != PCI_WHICHSPACE_CONFIG || offset.saturating_add(length) > 4096 {
        return 0;
    }
    let buffer: *const u8 = buffer.cast();
    for index in 0..length {
        // SAFETY: the caller's contract: `length` bytes at `buffer`.
        let value = unsafe { *buffer.add(index as usize) };
        with(|w| {
            if w.pnp.gone {
                return;
            }
            let place = offset + index;
            if let Some(byte @ (0 | 1)) = place.checked_sub(4) {
                let mut command = w.pnp.command.to_le_bytes();
                command[byte as usize] = value;
                let asked = u16::from_le_bytes(command);
                let held = w.with_hardware(|hardware, _| hardware.command(asked));
                w.pnp.command = held.unwrap_or(asked);
            }
            w.with_hardware(|hardware, _| hardware.config_write(place, 1, value.into()));
        });
    }
    length
}

/// The bus driver sets the command register itself.
pub(crate) fn set_command(command: u16) {
    with(|w| {
        let held = w.with_hardware(|hardware, _| hardware.command(command));
        w.pnp.command = held.unwrap_or(command);
        w.with_hardware(|hardware, _| hardware.config_write(4, 2, command.into()));
    });
}
