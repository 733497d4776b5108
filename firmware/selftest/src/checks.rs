//! The checks, and the report about them.

use crate::host::ended;
use crate::memory::{PAGES, Region};
use crate::{Bus, Failure, Host};
use core::fmt::Arguments;
use embedded_io::Write;
use pinring_firmware::Registers;
use pinring_protocol::limits::PAGE;
use pinring_protocol::registers;
use pinring_protocol::selftest::{
    REGISTERS, SINK_BYTES, SINK_PACKETS, SINK_SEED, SINK_WRONG, SOURCE_LENGTH, SOURCE_SEED,
    VIOLATIONS,
};
use pinring_protocol::{
    AdminOpcode, Direction, LAYOUT_HASH, Opcode, QueueContext, Status, SubmissionEntry,
};

/// Queues of the two directions; the regions' ids are one less.
const C2H: u32 = 1;
const H2C: u32 = 2;

/// Transfers, both ways: bytes, and offset in the region. Across lanes, DWs, pages and lists.
const TRANSFERS: [(u32, u32); 8] = [
    (1, 0),
    (3, 2),
    (64, 61),
    (129, 3500),
    (512, 4096),
    (4096, 1),
    (5003, 1001),
    (20_011, 123),
];

/// Transfers of a burst, each way, and bytes of each.
const BURST: u32 = 4;
const BURST_BYTES: u32 = 256;

const REGION_C2H: Region = Region {
    id: C2H - 1,
    first_byte_offset: 0x123,
    length: PAGES * PAGE as u32 - 0x400,
    generation: 1,
    is_written: true,
};
const REGION_H2C: Region = Region {
    id: H2C - 1,
    first_byte_offset: 0x7fd,
    length: PAGES * PAGE as u32 - 0x1000,
    generation: 1,
    is_written: false,
};

/// The report: a line for each check.
struct Report<'a, W> {
    out: &'a mut W,
    checks: u32,
    failed: u32,
}

impl<W: Write> Report<'_, W> {
    /// Notes a check's result; whether it is good.
    fn check(
        &mut self,
        name: Arguments<'_>,
        result: Result<(), Failure>,
    ) -> Result<bool, W::Error> {
        self.checks += 1;
        match result {
            Ok(()) => self.line(format_args!("{name}: ok"))?,
            Err(failure) => {
                self.failed += 1;
                self.line(format_args!("{name}: FAILED: {failure}"))?;
            }
        }
        Ok(result.is_ok())
    }

    fn line(&mut self, line: Arguments<'_>) -> Result<(), W::Error> {
        // A formatter that fails without its writer failing is a bug of this program's types, which have none.
        match writeln!(self.out, "{line}") {
            Err(embedded_io::WriteFmtError::Other(error)) => Err(error),
            Ok(()) | Err(embedded_io::WriteFmtError::FmtError) => Ok(()),
        }
    }
}

/// Runs all checks, reports, and returns whether all of them are good.
///
/// # Errors
/// The writer's.
pub fn run<B: Bus, R: Registers, W: Write>(
    bus: B,
    window: R,
    out: &mut W,
) -> Result<bool, W::Error> {
    let mut report = Report {
        out,
        checks: 0,
        failed: 0,
    };
    report.line(format_args!(
        "Pinring self-test, layout {LAYOUT_HASH:#018x}"
    ))?;
    let mut host = Host::new(bus, window);
    if start(&mut host, &mut report)? {
        both_ways(&mut host, &mut report)?;
        refusals(&mut host, &mut report)?;
        end(&mut host, &mut report)?;
    }
    let violations = match host.bus.load(REGISTERS + VIOLATIONS) {
        0 => Ok(()),
        bits => Err(Failure::Violations { bits }),
    };
    report.check(format_args!("requests of the device"), violations)?;
    let (checks, failed) = (report.checks, report.failed);
    if failed == 0 {
        report.line(format_args!("PASS: {checks} checks"))?;
    } else {
        report.line(format_args!("FAIL: {failed} of {checks} checks"))?;
    }
    report.out.flush()?;
    Ok(failed == 0)
}

/// Brings device, queues and regions up; whether there is anything to go on with.
fn start<B: Bus, R: Registers, W: Write>(
    host: &mut Host<B, R>,
    report: &mut Report<'_, W>,
) -> Result<bool, W::Error> {
    if !report.check(format_args!("device"), host.identify())? {
        return Ok(false);
    }
    let enabled = host.enable();
    if !report.check(format_args!("firmware"), enabled)? {
        return Ok(false);
    }
    let mut good = true;
    for (queue, direction) in [(C2H, Direction::C2h), (H2C, Direction::H2c)] {
        let created = host.create_queue(queue, direction);
        good &= report.check(format_args!("queue {queue}"), created)?;
    }
    Region::write_list(&mut host.bus);
    for region in [REGION_C2H, REGION_H2C] {
        region.register(&mut host.bus);
    }
    Ok(good)
}

/// Moves data both ways and looks at it.
fn both_ways<B: Bus, R: Registers, W: Write>(
    host: &mut Host<B, R>,
    report: &mut Report<'_, W>,
) -> Result<(), W::Error> {
    let mut moved = 0;
    for ((length, offset), seed) in TRANSFERS.into_iter().zip(1..) {
        moved += length;
        let result = card_to_host(host, REGION_C2H, offset, length, seed);
        report.check(format_args!("C2H {length} bytes at {offset}"), result)?;
        let result = host_to_card(host, REGION_H2C, offset, length, seed << 8);
        report.check(format_args!("H2C {length} bytes at {offset}"), result)?;
    }
    let result = burst(host);
    report.check(format_args!("burst of {BURST} each way"), result)?;
    moved += BURST * BURST_BYTES;
    for (name, register) in [("C2H", registers::C2H_BYTES), ("H2C", registers::H2C_BYTES)] {
        let result = match host.register(register.offset) {
            found if found == moved => Ok(()),
            found => Err(Failure::Counter {
                found,
                expected: moved,
            }),
        };
        report.check(format_args!("{name} bytes counted"), result)?;
    }
    Ok(())
}

/// What must not work, and what must work again afterwards.
fn refusals<B: Bus, R: Registers, W: Write>(
    host: &mut Host<B, R>,
    report: &mut Report<'_, W>,
) -> Result<(), W::Error> {
    let beyond = entry(&REGION_H2C, REGION_H2C.length - 63, 64);
    refuse(
        host,
        report,
        "byte beyond the region",
        beyond,
        Status::OutOfBounds,
    )?;
    let other_way = entry(&REGION_C2H, 0, 64).with_opcode(Opcode::H2c);
    refuse(
        host,
        report,
        "other direction",
        other_way,
        Status::NoPermission,
    )?;

    // Registered anew, and invalidated: the device goes by the new entry, and no longer takes the old generation.
    let anew = Region {
        generation: 2,
        ..REGION_H2C
    };
    anew.register(&mut host.bus);
    let result = host.command(AdminOpcode::InvalidateRegion, anew.id, QueueContext::new());
    report.check(format_args!("region {} invalidated", anew.id), result)?;
    let stale = entry(&REGION_H2C, 0, 64);
    refuse(
        host,
        report,
        "earlier generation",
        stale,
        Status::StaleGeneration,
    )?;
    let result = host_to_card(host, anew, 5, 1000, 99);
    report.check(format_args!("H2C of the new generation"), result)?;
    Ok(())
}

/// A transfer to the card that must end otherwise than well.
fn refuse<B: Bus, R: Registers, W: Write>(
    host: &mut Host<B, R>,
    report: &mut Report<'_, W>,
    name: &str,
    entry: SubmissionEntry,
    expected: Status,
) -> Result<bool, W::Error> {
    host.submit(H2C, entry);
    host.ring(H2C);
    let result = host.completion(H2C);
    let result = result.and_then(|entry| ended(&entry, expected));
    report.check(format_args!("{name} refused"), result)
}

/// Takes the queues away.
fn end<B: Bus, R: Registers, W: Write>(
    host: &mut Host<B, R>,
    report: &mut Report<'_, W>,
) -> Result<(), W::Error> {
    for queue in [C2H, H2C] {
        let result = host.command(AdminOpcode::DestroyQueue, queue, QueueContext::new());
        report.check(format_args!("queue {queue} destroyed"), result)?;
    }
    Ok(())
}

fn entry(region: &Region, offset: u32, length: u32) -> SubmissionEntry {
    let opcode = if region.is_written {
        Opcode::C2h
    } else {
        Opcode::H2c
    };
    SubmissionEntry::new()
        .with_opcode(opcode)
        .with_region(region.id)
        .with_generation(region.generation)
        .with_offset(offset.into())
        .with_length(length.into())
        .with_sg_hint(region.hint(offset))
}

/// Waits for a transfer of `length` bytes that must be good.
fn moved<B: Bus, R: Registers>(
    host: &mut Host<B, R>,
    queue: u32,
    length: u32,
    ends_packet: bool,
) -> Result<(), Failure> {
    let done = host.completion(queue)?;
    ended(&done, Status::Ok)?;
    if done.bytes_moved() != u64::from(length) {
        return Err(Failure::Moved {
            bytes: done.bytes_moved() as u32,
            expected: length,
        });
    }
    if done.eop() != ends_packet {
        return Err(Failure::EndOfPacket);
    }
    Ok(())
}

/// The source's packet of `length` bytes into host memory.
fn card_to_host<B: Bus, R: Registers>(
    host: &mut Host<B, R>,
    region: Region,
    offset: u32,
    length: u32,
    seed: u32,
) -> Result<(), Failure> {
    region.fill(&mut host.bus, offset, length, None);
    host.submit(C2H, entry(&region, offset, length));
    host.ring(C2H);
    host.bus.store(REGISTERS + SOURCE_SEED, seed);
    host.bus.store(REGISTERS + SOURCE_LENGTH, length);
    moved(host, C2H, length, true)?;
    region.compare(&host.bus, offset, length, seed, 0)?;
    host.interrupt(C2H)
}

/// A packet of `length` bytes in host memory to the sink.
fn host_to_card<B: Bus, R: Registers>(
    host: &mut Host<B, R>,
    region: Region,
    offset: u32,
    length: u32,
    seed: u32,
) -> Result<(), Failure> {
    region.fill(&mut host.bus, offset, length, Some(seed));
    host.bus.store(REGISTERS + SINK_SEED, seed);
    host.submit(H2C, entry(&region, offset, length));
    host.ring(H2C);
    moved(host, H2C, length, false)?;
    taken(host, length, 1)?;
    host.interrupt(H2C)
}

/// What the sink has counted since its seed was written.
fn taken<B: Bus, R: Registers>(
    host: &Host<B, R>,
    expected: u32,
    expected_packets: u32,
) -> Result<(), Failure> {
    let [bytes, packets, wrong] =
        [SINK_BYTES, SINK_PACKETS, SINK_WRONG].map(|offset| host.bus.load(REGISTERS + offset));
    if (bytes, packets, wrong) == (expected, expected_packets, 0) {
        return Ok(());
    }
    Err(Failure::Sink {
        bytes,
        packets,
        wrong: wrong & 0xffff,
        errors: wrong >> 16,
    })
}

/// Several transfers for one doorbell, both ways at the same time: one packet of the source's into several places, and several
/// packets to the sink.
fn burst<B: Bus, R: Registers>(host: &mut Host<B, R>) -> Result<(), Failure> {
    const SEED: u32 = 0x7777;
    // In the regions' first and last pages, far enough from each other.
    let to = |number| 37 + 1000 * number;
    let from = |number| 21_000 + 500 * number;
    host.bus.store(REGISTERS + SINK_SEED, SEED);
    for number in 0..BURST {
        REGION_C2H.fill(&mut host.bus, to(number), BURST_BYTES, None);
        REGION_H2C.fill(&mut host.bus, from(number), BURST_BYTES, Some(SEED));
        host.submit(C2H, entry(&REGION_C2H, to(number), BURST_BYTES));
        host.submit(H2C, entry(&REGION_H2C, from(number), BURST_BYTES));
    }
    host.bus.store(REGISTERS + SOURCE_SEED, SEED);
    host.bus
        .store(REGISTERS + SOURCE_LENGTH, BURST * BURST_BYTES);
    host.ring(C2H);
    host.ring(H2C);
    for number in 0..BURST {
        moved(host, C2H, BURST_BYTES, number + 1 == BURST)?;
        moved(host, H2C, BURST_BYTES, false)?;
    }
    for number in 0..BURST {
        REGION_C2H.compare(
            &host.bus,
            to(number),
            BURST_BYTES,
            SEED,
            number * BURST_BYTES,
        )?;
    }
    taken(host, BURST * BURST_BYTES, BURST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use pinring_protocol::selftest::BAR0;
    use pinring_protocol::{MAGIC, mmio};

    /// A bus on which nothing answers but what is listed.
    struct Wires<'a>(&'a [(u32, u32)]);

    impl Bus for Wires<'_> {
        fn load(&self, address: u32) -> u32 {
            let known = self.0.iter().find(|(at, _)| *at == address);
            known.map_or(u32::MAX, |(_, word)| *word)
        }
        fn store(&mut self, _address: u32, _word: u32) {}
    }

    /// A window whose time goes on with every look.
    #[derive(Default)]
    struct Window(Cell<u32>);

    impl Registers for Window {
        fn read(&self, offset: u32) -> u32 {
            match offset {
                mmio::CORE_HZ => 1000,
                mmio::CYCLES_LO => self.0.replace(self.0.get() + 1),
                _ => panic!("no read of {offset:#x}"),
            }
        }
        fn write(&mut self, _offset: u32, _value: u32) {}
    }

    fn report(words: &[(u32, u32)]) -> (bool, String) {
        let mut out = Vec::new();
        let good = run(Wires(words), Window::default(), &mut out).unwrap();
        (good, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_device_that_is_not_there_fails() {
        let (good, text) = report(&[(REGISTERS + VIOLATIONS, 0)]);
        assert!(!good);
        assert!(
            text.contains("device: FAILED: BAR0 begins with 0xffffffff"),
            "{text}"
        );
        assert!(text.ends_with("FAIL: 1 of 2 checks\n"), "{text}");
    }

    #[test]
    fn a_device_of_another_layout_or_without_firmware_fails() {
        let hash = registers::LAYOUT_HASH.offset;
        let mut words = vec![
            (BAR0 + registers::MAGIC.offset, MAGIC),
            (BAR0 + hash, 0x89ab_cdef),
            (BAR0 + hash + 4, 0x0123_4567),
        ];
        let (good, text) = report(&words);
        assert!(!good);
        assert!(text.contains("layout hash is 0x0123456789abcdef"), "{text}");
        words[1].1 = LAYOUT_HASH as u32;
        words[2].1 = (LAYOUT_HASH >> 32) as u32;
        words.push((BAR0 + registers::STATUS.offset, 8));
        words.push((BAR0 + registers::FIRMWARE_STATE.offset, 0x4d02));
        let (good, text) = report(&words);
        assert!(!good && text.contains("device: ok\n"), "{text}");
        assert!(
            text.contains(
                "firmware: FAILED: the device does not serve: STATUS 0x8, FIRMWARE_STATE 0x4d02"
            ),
            "{text}"
        );
        // Nothing that the bus knows: all bits of the violations.
        assert!(text.ends_with("FAIL: 2 of 3 checks\n"), "{text}");
    }

    #[test]
    fn transfers_stay_within_their_regions() {
        for region in [REGION_C2H, REGION_H2C] {
            assert!(region.first_byte_offset + region.length <= PAGES * PAGE as u32);
            for (length, offset) in TRANSFERS {
                assert!(offset + length <= region.length);
            }
        }
        const { assert!(21_000 + 500 * BURST <= REGION_H2C.length) };
    }
}
