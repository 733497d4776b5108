//! The register file, register by register, and its counters under random events.

use super::super::Csr;
use super::super::testing::{Result, chance, offset, pulse, read, reset, seeded, write};
use crate::sizes::{Full, Sizes, Small};
use pinring_protocol::limits::{CONTEXTS, MAX_REGIONS, PAGE_SHIFT, QUEUES, VECTORS};
use pinring_protocol::registers::{
    AdminSize, Control, DeviceStatus, ErrorInfo, Features, FirmwareReport, Limits0, Limits1,
    LogData, REGISTERS, Version, aperture,
};
use pinring_protocol::{Direction, FirmwareState, Status};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::RngExt;
use std::collections::VecDeque;

/// So slow that the firmware's 10 ms are 500 cycles.
const CLOCK_HZ: u64 = 50_000;

type Dut<S = Full> = Pair<Csr<4, CLOCK_HZ, S>>;

fn dut() -> Result<Dut> {
    sized()
}

fn sized<S: Sizes>() -> Result<Dut<S>> {
    let mut dut = Pair::new(
        Csr::default(),
        ports!(Csr<4, CLOCK_HZ, S> {
            clock: clock;
            in reset, restart, read_tags, write_valid, write_addr, write_data, write_be, read_valid, read_addr, fw_state_valid, fw_state,
                fw_detail, fw_restarts, log_valid, log_data, log_count, error_valid, error_status, error_queue, error_direction,
                error_address, c2h_bytes_inc, h2c_bytes_inc, c2h_done, h2c_done, c2h_list_wait, h2c_list_wait, c2h_idle,
                h2c_idle, completion, interrupt_sent;
            out read_ack, read_data, enable, soft_reset, admin_sq, admin_cq, admin_sq_log2, admin_cq_log2, admin_vector,
                region_table, region_count, timestamp
        }),
    )?;
    reset(&mut dut)?;
    Ok(dut)
}

fn read32(dut: &mut Dut, name: &str) -> Result<u32> {
    read(dut, offset(name))
}

fn read64(dut: &mut Dut, name: &str) -> Result<u64> {
    let low = read(dut, offset(name))?;
    Ok(u64::from(read(dut, offset(name) + 4)?) << 32 | u64::from(low))
}

fn status(dut: &mut Dut) -> Result<DeviceStatus> {
    Ok(DeviceStatus::from_raw(read32(dut, "STATUS")?))
}

fn heartbeat(dut: &mut Dut, state: FirmwareState, detail: u64) -> Result {
    dut.set("fw_state", state.code())?;
    dut.set("fw_detail", detail)?;
    pulse(dut, "fw_state_valid")
}

#[test]
fn a_small_device_tells_its_limits() -> Result {
    let mut dut = sized::<Small>()?;
    let limits = Limits0::from_raw(read(&mut dut, offset("LIMITS0"))?);
    assert_eq!((limits.queues(), limits.vectors()), (3, 3));
    let limits = Limits1::from_raw(read(&mut dut, offset("LIMITS1"))?);
    assert_eq!((limits.contexts_log2(), limits.data_width_log2()), (2, 7));
    Ok(())
}

#[test]
fn identity_and_limits() -> Result {
    let mut dut = dut()?;
    assert_eq!(read32(&mut dut, "MAGIC")?, pinring_protocol::MAGIC);
    let version = Version::from_raw(read32(&mut dut, "VERSION")?);
    assert_eq!(version.major(), pinring_protocol::ABI_MAJOR);
    assert_eq!(version.minor(), pinring_protocol::ABI_MINOR);
    assert_eq!(version.patch().to_string(), env!("CARGO_PKG_VERSION_PATCH"));
    assert_eq!(
        read64(&mut dut, "LAYOUT_HASH")?,
        pinring_protocol::LAYOUT_HASH
    );
    assert_eq!(
        read64(&mut dut, "FEATURES")?,
        Features::new()
            .with_uniform_sg(true)
            .with_inline_doorbell(true)
            .raw()
    );
    let limits = Limits0::from_raw(read32(&mut dut, "LIMITS0")?);
    assert_eq!(
        (limits.queues(), limits.vectors()),
        (QUEUES as u16, VECTORS as u16)
    );
    let limits = Limits1::from_raw(read32(&mut dut, "LIMITS1")?);
    assert_eq!(1 << limits.data_width_log2(), 128);
    assert_eq!(
        1 << limits.doorbell_stride_log2(),
        aperture::DOORBELL_STRIDE
    );
    assert_eq!(limits.page_shift(), PAGE_SHIFT);
    assert_eq!(1 << limits.contexts_log2(), CONTEXTS);
    assert_eq!(u64::from(read32(&mut dut, "CLOCK_HZ")?), CLOCK_HZ);
    dut.set("read_tags", 77)?;
    assert_eq!(read32(&mut dut, "READ_TAGS")?, 77);
    dut.set("fw_restarts", 0x8000_0003u64)?;
    assert_eq!(read32(&mut dut, "FIRMWARE_RESTARTS")?, 0x8000_0003);
    assert_eq!(read32(&mut dut, "MAX_REGIONS")?, MAX_REGIONS);
    // What is no register reads as zero, and nothing answers to a write there.
    let known = |addr: u64| {
        REGISTERS.iter().any(|register| {
            (addr - addr % 4).wrapping_sub(register.offset.into()) < register.width as u64 / 8
        })
    };
    for addr in (0..0x200)
        .step_by(4)
        .filter(|addr| !known(*addr))
        .chain([0x1000, 0x4000, 0x1_0000, 0xff_fffc])
    {
        write(&mut dut, addr, u32::MAX, 15)?;
        assert_eq!(read(&mut dut, addr)?, 0, "{addr:#x}");
    }
    Ok(())
}

#[test]
fn written_registers_and_reset() -> Result {
    let mut dut = dut()?;
    let mut random = seeded(1);
    let wide = [
        ("ADMIN_SQ", "admin_sq"),
        ("ADMIN_CQ", "admin_cq"),
        ("REGION_TABLE", "region_table"),
    ];
    let mut addresses = vec![offset("ADMIN_SIZE"), offset("REGION_COUNT")];
    addresses.extend(
        wide.iter()
            .flat_map(|(name, _)| [offset(name), offset(name) + 4]),
    );
    let mut model = vec![0u32; addresses.len()];
    for _ in 0..150 {
        let index = random.random_range(0..addresses.len());
        let (data, be) = (random.random::<u32>(), random.random_range(0..16u32));
        write(&mut dut, addresses[index], data, be.into())?;
        for byte in (0..4).filter(|byte| be >> byte & 1 == 1) {
            model[index] = model[index] & !(0xff << (8 * byte)) | data & 0xff << (8 * byte);
        }
        assert_eq!(read(&mut dut, addresses[index])?, model[index]);
        let size = AdminSize::from_raw(model[0]);
        assert_eq!(dut.get("admin_sq_log2")?, u64::from(size.sq_log2() & 15));
        assert_eq!(dut.get("admin_cq_log2")?, u64::from(size.cq_log2() & 15));
        assert_eq!(dut.get("admin_vector")?, u64::from(size.vector() & 15));
        assert_eq!(dut.get("region_count")?, u64::from(model[1]));
        for (pair, (_, output)) in model[2..].chunks(2).zip(wide) {
            assert_eq!(
                dut.get(output)?,
                u64::from(pair[1]) << 32 | u64::from(pair[0])
            );
        }
    }
    // Registers that are only read stay as they are.
    write(&mut dut, offset("MAGIC"), 0, 15)?;
    assert_eq!(read32(&mut dut, "MAGIC")?, pinring_protocol::MAGIC);

    assert!(!dut.is("enable")?);
    let enable = Control::new().with_enable(true).raw();
    write(&mut dut, offset("CONTROL"), enable, 14)?;
    assert!(!dut.is("enable")?, "the byte was not enabled");
    write(&mut dut, offset("CONTROL"), enable, 15)?;
    assert!(dut.is("enable")? && !dut.is("soft_reset")?);
    assert_eq!(read32(&mut dut, "CONTROL")?, enable);
    dut.set("write_addr", offset("CONTROL"))?;
    dut.set(
        "write_data",
        u64::from(Control::new().with_enable(true).with_reset(true).raw()),
    )?;
    pulse(&mut dut, "write_valid")?;
    // It lasts until the device restarts, however often it is written; nothing is forgotten before.
    let asked = Control::new().with_enable(true).with_reset(true).raw();
    for round in 0..40 {
        assert!(dut.is("soft_reset")?, "round {round}");
        assert_eq!(read32(&mut dut, "CONTROL")?, asked);
        if round % 16 == 5 {
            write(
                &mut dut,
                offset("CONTROL"),
                [asked, enable][round / 16 % 2],
                15,
            )?;
        }
    }
    assert_eq!(read(&mut dut, addresses[1])?, model[1]);
    pulse(&mut dut, "restart")?;
    assert!(!dut.is("soft_reset")?);
    assert_eq!(dut.get("timestamp")?, 0);
    assert_eq!(
        read32(&mut dut, "CONTROL")?,
        enable,
        "reset is done, and enable as written"
    );
    for addr in addresses {
        assert_eq!(read(&mut dut, addr)?, 0, "{addr:#x} after reset");
    }
    write(&mut dut, offset("CONTROL"), 0, 15)?;
    assert!(!dut.is("enable")?);
    Ok(())
}

#[test]
fn firmware_state_and_heartbeat() -> Result {
    let mut dut = dut()?;
    assert_eq!(status(&mut dut)?, DeviceStatus::new());
    heartbeat(&mut dut, FirmwareState::Running, 0x5612_3456)?;
    let report = FirmwareReport::from_raw(read32(&mut dut, "FIRMWARE_STATE")?);
    assert_eq!(
        report,
        FirmwareReport::new()
            .with_state(FirmwareState::Running)
            .with_detail(0x12_3456)
    );
    assert_eq!(
        status(&mut dut)?,
        DeviceStatus::new().with_firmware_running(true)
    );
    write(
        &mut dut,
        offset("CONTROL"),
        Control::new().with_enable(true).raw(),
        15,
    )?;
    let running = DeviceStatus::new()
        .with_firmware_running(true)
        .with_ready(true);
    // A heartbeat just in time keeps the firmware alive; one cycle more is too late.
    for (silence, alive) in [(500, true), (500, true), (501, false)] {
        heartbeat(&mut dut, FirmwareState::Running, 0)?;
        for _ in 0..silence - 1 {
            dut.step()?;
        }
        assert_eq!(
            status(&mut dut)?,
            running.with_firmware_stalled(!alive),
            "after {silence} cycles"
        );
    }
    heartbeat(&mut dut, FirmwareState::Running, 0)?;
    assert_eq!(status(&mut dut)?, running, "it came back");
    let reset = Control::new().with_enable(true).with_reset(true).raw();
    write(&mut dut, offset("CONTROL"), reset, 15)?;
    assert_eq!(
        status(&mut dut)?,
        running.with_ready(false),
        "on its way to a reset"
    );
    pulse(&mut dut, "restart")?;
    assert_eq!(status(&mut dut)?, DeviceStatus::new());
    heartbeat(&mut dut, FirmwareState::Panicked, 0)?;
    assert_eq!(
        status(&mut dut)?,
        DeviceStatus::new()
            .with_firmware_panicked(true)
            .with_fatal(true)
    );
    heartbeat(&mut dut, FirmwareState::BadMessage, 0)?;
    assert_eq!(status(&mut dut)?, DeviceStatus::new().with_fatal(true));
    heartbeat(&mut dut, FirmwareState::Booting, 0)?;
    assert_eq!(status(&mut dut)?, DeviceStatus::new());
    Ok(())
}

#[test]
fn firmware_log() -> Result {
    let mut dut = dut()?;
    let mut random = seeded(2);
    let mut model = VecDeque::new();
    let read_next = |dut: &mut Dut, model: &mut VecDeque<u8>| -> Result<bool> {
        let entry = LogData::from_raw(read32(dut, "LOG_DATA")?);
        let expected = model.pop_front();
        assert_eq!(
            (entry.valid(), entry.byte()),
            (expected.is_some(), expected.unwrap_or(0))
        );
        Ok(entry.valid())
    };
    let mut append = |dut: &mut Dut, count: usize| -> Result<Vec<u8>> {
        let words: [u32; 3] = random.random();
        dut.set_wide("log_data", &words)?;
        dut.set("log_count", count as u64)?;
        pulse(dut, "log_valid")?;
        Ok(words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .take(count)
            .collect())
    };
    assert!(!read_next(&mut dut, &mut model)?);
    // Words of all sizes, back to back up to the depth of the word FIFO, then read dry.
    for round in 0..12 {
        for count in 1..=12 {
            if count % 6 == round % 6 {
                for _ in 0..40 {
                    dut.step()?;
                }
            }
            model.extend(append(&mut dut, (count + round) % 12 + 1)?);
        }
        for _ in 0..100 {
            dut.step()?;
        }
        while read_next(&mut dut, &mut model)? {}
    }
    assert!(!status(&mut dut)?.log_dropped());
    // Fill to the brim; one byte more is lost, and said so.
    for _ in 0..1024 / 8 {
        model.extend(append(&mut dut, 8)?);
        for _ in 0..8 {
            dut.step()?;
        }
    }
    assert!(!status(&mut dut)?.log_dropped());
    append(&mut dut, 1)?;
    for _ in 0..4 {
        dut.step()?;
    }
    assert!(status(&mut dut)?.log_dropped());
    while read_next(&mut dut, &mut model)? {}
    write(
        &mut dut,
        offset("CONTROL"),
        Control::new().with_reset(true).raw(),
        15,
    )?;
    pulse(&mut dut, "restart")?;
    assert!(!status(&mut dut)?.log_dropped());
    // Words faster than bytes can follow: the word FIFO overflows, whole words are lost.
    for _ in 0..10 {
        model.extend(append(&mut dut, 12)?);
    }
    for _ in 0..130 {
        dut.step()?;
    }
    assert!(status(&mut dut)?.log_dropped());
    model.truncate(8 * 12);
    while read_next(&mut dut, &mut model)? {}
    Ok(())
}

#[test]
fn first_error_is_kept() -> Result {
    let mut dut = dut()?;
    let error =
        |dut: &mut Dut, status: Status, queue: u64, direction: Direction, address: u64| -> Result {
            dut.set("error_status", status.code())?;
            dut.set("error_queue", queue)?;
            dut.set("error_direction", direction.code())?;
            dut.set("error_address", address)?;
            dut.set("error_valid", true)
        };
    let check = |dut: &mut Dut, count: u32, info: ErrorInfo, address: u64| -> Result {
        assert_eq!(read32(dut, "ERROR_COUNT")?, count);
        assert_eq!(ErrorInfo::from_raw(read32(dut, "ERROR_INFO")?), info);
        assert_eq!(read64(dut, "ERROR_ADDRESS")?, address);
        Ok(())
    };
    let info = |status: Status, queue: u16, direction: Direction| {
        ErrorInfo::new()
            .with_status(status)
            .with_queue(queue)
            .with_direction(direction)
    };
    check(&mut dut, 0, ErrorInfo::new(), 0)?;
    error(
        &mut dut,
        Status::ReadTimeout,
        11,
        Direction::H2c,
        0x1234_5678_9abc_def0,
    )?;
    dut.step()?;
    error(&mut dut, Status::BadHint, 3, Direction::C2h, 0xffff)?;
    dut.step()?;
    dut.step()?;
    dut.set("error_valid", false)?;
    check(
        &mut dut,
        3,
        info(Status::ReadTimeout, 11, Direction::H2c),
        0x1234_5678_9abc_def0,
    )?;
    write(&mut dut, offset("ERROR_COUNT"), 0, 15)?;
    check(&mut dut, 0, ErrorInfo::new(), 0)?;
    error(&mut dut, Status::BadHint, 3, Direction::C2h, 0xffff)?;
    dut.step()?;
    dut.set("error_valid", false)?;
    check(
        &mut dut,
        1,
        info(Status::BadHint, 3, Direction::C2h),
        0xffff,
    )?;
    // An error in the very cycle of the clearing write is not lost.
    error(&mut dut, Status::Aborted, 5, Direction::H2c, 0x42)?;
    dut.set("write_addr", offset("ERROR_COUNT"))?;
    pulse(&mut dut, "write_valid")?;
    dut.set("error_valid", false)?;
    check(&mut dut, 1, info(Status::Aborted, 5, Direction::H2c), 0x42)?;
    assert_eq!(read64(&mut dut, "ERRORS")?, 5);
    Ok(())
}

#[test]
fn counters_count() -> Result {
    let mut dut = dut()?;
    let mut random = seeded(3);
    let strobes = [
        ("c2h_done", "C2H_TRANSFERS"),
        ("h2c_done", "H2C_TRANSFERS"),
        ("c2h_list_wait", "C2H_LIST_WAIT"),
        ("h2c_list_wait", "H2C_LIST_WAIT"),
        ("c2h_idle", "C2H_IDLE"),
        ("h2c_idle", "H2C_IDLE"),
        ("completion", "COMPLETIONS"),
        ("interrupt_sent", "INTERRUPTS"),
        ("error_valid", "ERRORS"),
    ];
    let mut counts = [0u64; 9];
    let mut bytes = [0u64; 2];
    for _ in 0..500 {
        // Different rates, so that no counter can pass for another.
        for (index, (input, _)) in strobes.iter().enumerate() {
            let strobe = chance(&mut random, 8 + 10 * index as u32);
            counts[index] += u64::from(strobe);
            dut.set(input, strobe)?;
        }
        for (index, input) in ["c2h_bytes_inc", "h2c_bytes_inc"].iter().enumerate() {
            let increment = random.random_range(0..8192);
            bytes[index] += increment;
            dut.set(input, increment)?;
        }
        dut.step()?;
    }
    for (input, _) in strobes {
        dut.set(input, false)?;
    }
    dut.set("c2h_bytes_inc", 0)?;
    dut.set("h2c_bytes_inc", 0)?;
    for (index, (_, name)) in strobes.iter().enumerate() {
        assert_eq!(read64(&mut dut, name)?, counts[index], "{name}");
    }
    assert_eq!(read64(&mut dut, "C2H_BYTES")?, bytes[0]);
    assert_eq!(read64(&mut dut, "H2C_BYTES")?, bytes[1]);
    let now = dut.get("timestamp")?;
    assert_eq!(read64(&mut dut, "TIMESTAMP")?, now);
    assert_eq!(dut.get("timestamp")?, now + 4, "a cycle each");
    Ok(())
}
