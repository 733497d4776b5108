//! Mm: the device's registers in the kernel's address space.

use std::collections::BTreeMap;

use super::enter;
use crate::types::*;
use crate::verifier::Rule;
use crate::world::{self, DISPATCH, World, with};

#[derive(Clone, Copy)]
struct Mapping {
    bytes: u64,
    bar: usize,
    /// Where in the BAR the mapping begins.
    offset: u64,
    /// The BAR is the driver's no more.
    released: bool,
}

/// Mappings of BARs, by address.
#[derive(Default)]
pub(super) struct Mappings {
    present: BTreeMap<u64, Mapping>,
    next: u64,
}

impl Mappings {
    pub(super) fn resources_released(&mut self) {
        for mapping in self.present.values_mut() {
            mapping.released = true;
        }
    }
}

const FIRST_ADDRESS: u64 = 0x0000_7B00_0000_0000;

/// Maps physical addresses of a BAR.
///
/// # Safety
/// None needed.
#[must_use]
pub unsafe fn MmMapIoSpaceEx(
    PhysicalAddress: PHYSICAL_ADDRESS,
    NumberOfBytes: SIZE_T,
    Protect: ULONG,
) -> PVOID {
    let ddi = "MmMapIoSpaceEx";
    enter(ddi, DISPATCH);
    // SAFETY: every bit pattern is an integer.
    let address = unsafe { PhysicalAddress.QuadPart } as u64;
    if Protect & 0xFF != crate::constants::PAGE_READWRITE
        && Protect & 0xFF != crate::constants::PAGE_READONLY
    {
        world::violation(
            Rule::InvalidArgument,
            ddi,
            format!("protection {Protect:#x}: PAGE_READWRITE or PAGE_READONLY is required"),
        );
    }
    let bar = with(|w| {
        let bars = w.pnp.bars.iter();
        bars.enumerate()
            .find(|(_, (start, bytes))| {
                address >= *start && address.saturating_add(NumberOfBytes) <= start + bytes
            })
            .map(|(bar, (start, _))| (bar, address - start))
    });
    let Some((bar, offset)) = bar else {
        world::violation(
            Rule::Mapping,
            ddi,
            format!("{NumberOfBytes} bytes at {address:#x} are not within a BAR of the device"),
        );
        return core::ptr::null_mut();
    };
    if world::inject(ddi) {
        return core::ptr::null_mut();
    }
    with(|w| {
        let mappings = &mut w.kernel.mm;
        let start = FIRST_ADDRESS + mappings.next + (address & 0xFFF);
        // A page without a mapping between any two.
        mappings.next += (NumberOfBytes + 0xFFF + 0x1000) & !0xFFF;
        mappings.present.insert(
            start,
            Mapping {
                bytes: NumberOfBytes,
                bar,
                offset,
                released: false,
            },
        );
        world::object::handle::<core::ffi::c_void>(start)
    })
}

/// Takes a mapping back.
///
/// # Safety
/// None needed.
pub unsafe fn MmUnmapIoSpace(BaseAddress: PVOID, NumberOfBytes: SIZE_T) {
    let ddi = "MmUnmapIoSpace";
    enter(ddi, DISPATCH);
    match with(|w| w.kernel.mm.present.remove(&(BaseAddress.addr() as u64))) {
        None => world::violation(Rule::Mapping, ddi, format!("{BaseAddress:?} is no mapping")),
        Some(mapping) if mapping.bytes != NumberOfBytes => {
            world::violation(
                Rule::Mapping,
                ddi,
                format!(
                    "{} bytes are mapped, {NumberOfBytes} unmapped",
                    mapping.bytes
                ),
            );
        }
        Some(_) => {}
    }
}

fn locate(ddi: &'static str, address: u64, bytes: u32) -> Option<(usize, u64)> {
    let found = with(|w| {
        let (start, mapping) = w.kernel.mm.present.range(..=address).next_back()?;
        (address.saturating_add(u64::from(bytes)) <= start + mapping.bytes)
            .then_some((*mapping, mapping.offset + (address - start)))
    });
    let Some((mapping, offset)) = found else {
        world::fatal(
            Rule::Mmio,
            ddi,
            format!("{bytes} bytes at {address:#x} are not mapped"),
        );
    };
    let bar = mapping.bar;
    if mapping.released {
        world::violation(
            Rule::Mmio,
            ddi,
            format!(
                "offset {offset:#x} of BAR {bar} through a mapping from before EvtDeviceReleaseHardware"
            ),
        );
        return None;
    }
    if !address.is_multiple_of(u64::from(bytes)) {
        world::violation(
            Rule::Mmio,
            ddi,
            format!("offset {offset:#x} is not a multiple of {bytes}"),
        );
    }
    if with(|w| w.pnp.gone) {
        return None;
    }
    if !with(|w| w.pnp.powered) {
        world::violation(
            Rule::Mmio,
            ddi,
            format!("offset {offset:#x} of BAR {bar} while the device is not in D0"),
        );
        return None;
    }
    Some((bar, offset))
}

/// The device catches up with the CPU, so that both are at the same time.
fn catch_up(w: &mut World) {
    let now = w.now_ps();
    // A run ends early at each message.
    for _ in 0..1000 {
        if w.hardware_ps >= now {
            break;
        }
        let reached = w
            .with_hardware(|hardware, bus| hardware.run(bus, now))
            .unwrap_or(now);
        w.hardware_ps = w.hardware_ps.max(reached);
        let time = w.hardware_ps;
        w.collect_messages(time);
        if reached < now
            && w.hardware
                .as_ref()
                .is_none_or(|hardware| hardware.next_event_ps().is_none())
        {
            w.hardware_ps = now;
        }
    }
}

/// Reads a register through a mapping; ones if the device does not answer.
pub(crate) fn mapped_read(ddi: &'static str, address: u64, bytes: u32) -> u64 {
    world::point(ddi, 1);
    let ones = u64::MAX >> (64 - 8 * bytes);
    let Some((bar, offset)) = locate(ddi, address, bytes) else {
        return ones;
    };
    let value = with(|w| {
        catch_up(w);
        let now = w.now_ps();
        let (value, done) =
            w.with_hardware(|hardware, bus| hardware.mmio_read(bus, now, bar, offset, bytes))?;
        w.cpu().clock_ps = now.max(done);
        w.collect_messages(now.max(done));
        w.reconsider();
        Some(value & ones)
    });
    world::interrupt::deliver();
    value.unwrap_or(ones)
}

/// Writes a register through a mapping.
pub(crate) fn mapped_write(ddi: &'static str, address: u64, bytes: u32, value: u64) {
    world::point(ddi, 1);
    let Some((bar, offset)) = locate(ddi, address, bytes) else {
        return;
    };
    with(|w| {
        catch_up(w);
        let now = w.now_ps();
        let done = w
            .with_hardware(|hardware, bus| hardware.mmio_write(bus, now, bar, offset, bytes, value))
            .unwrap_or(now);
        w.cpu().clock_ps = now.max(done);
        w.collect_messages(now.max(done));
        w.reconsider();
    });
    world::interrupt::deliver();
}

pub(super) fn report_leaks(w: &mut World) {
    let left: Vec<_> = w
        .kernel
        .mm
        .present
        .iter()
        .map(|(start, mapping)| (*start, mapping.bytes))
        .collect();
    for (start, bytes) in left {
        w.violation(
            Rule::Leak,
            "MmMapIoSpaceEx",
            format!("{bytes} bytes at {start:#x} are still mapped"),
        );
    }
}
