//! The four units together, through request TLPs and with back-pressure on completions and messages.

use super::super::Bar0;
use super::super::testing::{Result, chance, offset, reset, seeded};
use pinring_protocol::registers::aperture::{
    DOORBELL_STRIDE, DOORBELLS, INLINE_SLOT, MSIX_PBA, MSIX_TABLE,
};
use pinring_protocol::registers::{Control, Features, LogData};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::rngs::StdRng;

type Dut = Pair<Bar0<128, 16, 4>>;

fn dut() -> Result<Dut> {
    let mut dut = Pair::new(
        Bar0::default(),
        ports!(Bar0<128, 16, 4> {
            clock: clock;
            in reset, restart, read_tags, req_valid, req_sop, req_eop, req_data, req_write, req_addr, req_len, req_first_be, req_last_be,
                req_tag, req_id, cpl_ready, fw_state_valid, fw_state, fw_detail, fw_restarts, log_valid, log_data, log_count,
                error_valid, error_status, error_queue, error_direction, error_address, c2h_bytes_inc, h2c_bytes_inc,
                c2h_done, h2c_done, c2h_list_wait, h2c_list_wait, c2h_idle, h2c_idle, completion,
                cfg_msix_enable, cfg_msix_mask, irq_valid, irq_vector, msg_ready, hint_ready, hint_take, take_target, take_id,
                take_word, fill_ready;
            out req_ready, cpl_valid, cpl_status, cpl_tag, cpl_id, cpl_byte_count, cpl_lower_addr, cpl_len, cpl_data,
                enable, soft_reset, admin_sq, admin_cq, admin_sq_log2, admin_cq_log2, admin_vector, region_table,
                region_count, timestamp, db_valid, db_queue, db_tail, db_head, db_arm, irq_ready, msg_valid, msg_addr,
                msg_data, hint_valid, hint_queue, hint_index, hint_whole, fill_valid, fill_last, fill_target, fill_id, fill_word,
                fill_data
        }),
    )?;
    reset(&mut dut)?;
    Ok(dut)
}

/// Offers a request of whole DWs until it is taken, in as many beats as it needs.
fn request(dut: &mut Dut, write: bool, addr: u64, len: usize, payload: &[u32]) -> Result {
    let first = addr as usize / 4 % 4;
    let mut words = vec![0; first];
    words.extend(payload);
    words.resize(words.len().div_ceil(4).max(1) * 4, 0);
    let beats = words.len() / 4;
    dut.set("req_write", write)?;
    dut.set("req_addr", addr)?;
    dut.set("req_len", len as u64)?;
    dut.set("req_first_be", 15)?;
    dut.set("req_last_be", if len > 1 { 15 } else { 0 })?;
    for (index, beat) in words.chunks(4).enumerate() {
        dut.set("req_valid", true)?;
        dut.set("req_sop", index == 0)?;
        dut.set("req_eop", index + 1 == beats)?;
        dut.set_wide("req_data", beat)?;
        while !dut.is("req_ready")? {
            dut.step()?;
        }
        dut.step()?;
    }
    dut.set("req_valid", false)
}

fn write(dut: &mut Dut, addr: u64, payload: &[u32]) -> Result {
    request(dut, true, addr, payload.len(), payload)
}

/// Reads up to 2 DW; the completion is taken after some waiting.
fn read(dut: &mut Dut, random: &mut StdRng, addr: u64, len: usize) -> Result<(u64, u64)> {
    let tag = addr >> 2 & 0x3ff;
    dut.set("req_tag", tag)?;
    dut.set("req_id", 0x1234)?;
    request(dut, false, addr, len, &[])?;
    for _ in 0..200 {
        let ready = chance(random, 40);
        dut.set("cpl_ready", ready)?;
        if ready && dut.is("cpl_valid")? {
            let answer = (dut.get("cpl_status")?, dut.get("cpl_data")?);
            assert_eq!((dut.get("cpl_tag")?, dut.get("cpl_id")?), (tag, 0x1234));
            assert_eq!(dut.get("cpl_byte_count")?, 4 * len as u64);
            assert_eq!(dut.get("cpl_lower_addr")?, addr & 0x7f);
            dut.step()?;
            dut.set("cpl_ready", false)?;
            return Ok(answer);
        }
        dut.step()?;
    }
    panic!("no completion from {addr:#x}");
}

#[test]
fn registers_doorbells_and_vectors() -> Result {
    let mut dut = dut()?;
    let random = &mut seeded(1);
    let hash = pinring_protocol::LAYOUT_HASH;
    assert_eq!(read(&mut dut, random, offset("LAYOUT_HASH"), 2)?, (0, hash));
    assert_eq!(
        read(&mut dut, random, offset("LAYOUT_HASH") + 4, 1)?,
        (0, hash >> 32)
    );
    // A read across two registers, and across a beat's end.
    let features = Features::new()
        .with_uniform_sg(true)
        .with_inline_doorbell(true)
        .raw();
    let across = (features << 32) | (hash >> 32);
    assert_eq!(
        read(&mut dut, random, offset("LAYOUT_HASH") + 4, 2)?,
        (0, across)
    );
    assert_eq!(
        read(&mut dut, random, offset("CLOCK_HZ"), 1)?,
        (0, 250_000_000)
    );
    // No register; too long.
    assert_eq!(read(&mut dut, random, 0x3000, 2)?, (0, 0));
    assert_eq!(read(&mut dut, random, offset("MAGIC"), 3)?, (1, 0));

    write(&mut dut, offset("ADMIN_SQ"), &[0x8765_4000, 0x12])?;
    // Longer than 2 DW: dropped, and what follows is not.
    write(&mut dut, offset("ADMIN_SQ"), &[1, 2, 3, 4, 5, 6, 7])?;
    write(&mut dut, offset("REGION_COUNT"), &[77])?;
    assert_eq!(
        read(&mut dut, random, offset("ADMIN_SQ"), 2)?,
        (0, 0x12_8765_4000)
    );
    assert_eq!(dut.get("admin_sq")?, 0x12_8765_4000);
    assert_eq!(dut.get("region_count")?, 77);
    write(
        &mut dut,
        offset("CONTROL"),
        &[Control::new().with_enable(true).raw()],
    )?;
    dut.step()?;
    assert!(dut.is("enable")?);

    // A doorbell, its page read, and the next access.
    let page = u64::from(DOORBELLS + 5 * DOORBELL_STRIDE);
    write(&mut dut, page, &[0x0003_1234, 1])?;
    let mut rung = Vec::new();
    for _ in 0..6 {
        if dut.is("db_valid")? {
            rung.push((
                dut.get("db_queue")?,
                dut.get("db_tail")?,
                dut.get("db_head")?,
                dut.get("db_arm")?,
            ));
        }
        dut.step()?;
    }
    assert_eq!(rung, [(5, 0x1234, 3, 1)]);
    assert_eq!(read(&mut dut, random, page, 2)?, (0, 0));

    // A vector from the host's set-up to its message.
    let table = u64::from(MSIX_TABLE) + 16 * 6;
    dut.set("cfg_msix_enable", true)?;
    write(&mut dut, table, &[0xfee0_1000, 0])?;
    write(&mut dut, table + 8, &[0x4321, 1])?;
    assert_eq!(read(&mut dut, random, table + 8, 2)?, (0, 0x1_0000_4321));
    dut.set("irq_vector", 6)?;
    dut.set("irq_valid", true)?;
    dut.step()?;
    dut.set("irq_valid", false)?;
    assert_eq!(read(&mut dut, random, u64::from(MSIX_PBA), 2)?, (0, 1 << 6));
    write(&mut dut, table + 12, &[0])?;
    let mut waited = 0;
    while !dut.is("msg_valid")? {
        waited += 1;
        assert!(waited < 32, "no message");
        dut.step()?;
    }
    for _ in 0..5 {
        assert_eq!(
            (dut.get("msg_addr")?, dut.get("msg_data")?),
            (0xfee0_1000, 0x4321)
        );
        dut.step()?;
    }
    dut.set("msg_ready", true)?;
    dut.step()?;
    assert!(!dut.is("msg_valid")?);
    assert_eq!(read(&mut dut, random, offset("INTERRUPTS"), 2)?, (0, 1));
    assert_eq!(read(&mut dut, random, u64::from(MSIX_PBA), 1)?, (0, 0));
    // The last DW of the table and the DW behind it: a read across the end of an aperture.
    assert_eq!(
        read(&mut dut, random, u64::from(MSIX_TABLE) + 16 * 16 - 4, 2)?,
        (0, 1)
    );

    // A read that pops, once per read.
    dut.set_wide("log_data", &[0x6261, 0, 0])?;
    dut.set("log_count", 2)?;
    dut.set("log_valid", true)?;
    dut.step()?;
    dut.set("log_valid", false)?;
    for _ in 0..6 {
        dut.step()?;
    }
    for expected in [Some(b'a'), Some(b'b'), None] {
        let (_, raw) = read(&mut dut, random, offset("LOG_DATA"), 1)?;
        let entry = LogData::from_raw(raw as u32);
        assert_eq!(entry.valid().then_some(entry.byte()), expected);
    }

    let (_, before) = read(&mut dut, random, offset("TIMESTAMP"), 2)?;
    let (_, after) = read(&mut dut, random, offset("TIMESTAMP"), 2)?;
    assert!(before < after && after < dut.get("timestamp")?);
    Ok(())
}

/// Requests behind a slot's write wait for the scheduler, and a restart forgets it.
#[test]
fn slots_keep_their_place_among_doorbells() -> Result {
    let mut dut = dut()?;
    let page = u64::from(DOORBELLS + 3 * DOORBELL_STRIDE);
    let entry: Vec<u32> = (0..16).map(|dw| dw << 16 | 7).collect();
    for restarted in [false, true] {
        write(&mut dut, page + u64::from(INLINE_SLOT), &entry)?;
        assert!(dut.is("hint_valid")? && dut.is("hint_whole")?);
        assert_eq!((dut.get("hint_queue")?, dut.get("hint_index")?), (3, 0));
        dut.set("req_sop", true)?;
        dut.set("req_valid", true)?;
        for _ in 0..5 {
            assert!(!dut.is("req_ready")?);
            dut.step()?;
        }
        dut.set("req_valid", false)?;
        if restarted {
            dut.set("restart", true)?;
            dut.step()?;
            dut.set("restart", false)?;
            assert!(!dut.is("hint_valid")?);
            break;
        }
        for (input, value) in [("take_target", 1), ("take_id", 9), ("take_word", 72)] {
            dut.set(input, value)?;
        }
        dut.set("hint_ready", true)?;
        dut.set("hint_take", true)?;
        dut.step()?;
        dut.set("hint_ready", false)?;
        dut.set("hint_take", false)?;
        assert!(!dut.is("hint_valid")?);
        dut.set("fill_ready", true)?;
        for (word, data) in entry.chunks(4).enumerate() {
            assert_eq!(
                [
                    dut.get("fill_target")?,
                    dut.get("fill_id")?,
                    dut.get("fill_word")?
                ],
                [1, 9, 72 + word as u64]
            );
            assert_eq!(dut.get_wide("fill_data")?, data);
            dut.step()?;
        }
        assert!(!dut.is("fill_valid")?);
        write(&mut dut, page, &[1, 0])?;
    }
    Ok(())
}
