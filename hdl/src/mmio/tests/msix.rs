//! Vectors that are masked, unmasked, rewritten and requested at random, against a model of table and pending bits.

use super::super::MsixTable;
use super::super::testing::{Result, chance, read, reset, seeded, write};
use crate::sizes::{Full, Sizes, Small};
use pinring_protocol::limits::VECTORS;
use pinring_protocol::registers::aperture::{MSIX_PBA, MSIX_TABLE};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::RngExt;

const TABLE: u64 = MSIX_TABLE as u64;
const PBA: u64 = MSIX_PBA as u64;

fn dut<S: Sizes>() -> Result<Pair<MsixTable<S>>> {
    let mut dut = Pair::new(
        MsixTable::default(),
        ports!(MsixTable<S> {
            clock: clock;
            in reset, cfg_msix_enable, cfg_msix_mask, write_valid, write_addr, write_data, write_be, read_valid,
                read_addr, irq_valid, irq_vector, msg_ready;
            out read_ack, read_data, irq_ready, msg_valid, msg_addr, msg_data
        }),
    )?;
    reset(&mut dut)?;
    Ok(dut)
}

/// Byte offset in BAR0 of a DW of an entry: 0 and 1 address, 2 data, 3 vector control (PCIe 5.0, 7.7.2).
fn entry(vector: usize, dword: u64) -> u64 {
    TABLE + 16 * vector as u64 + 4 * dword
}

#[test]
fn reset_masks_and_unmasking_sends_once() -> Result {
    let mut dut = dut::<Full>()?;
    for vector in 0..VECTORS {
        assert_eq!(
            read(&mut dut, entry(vector, 3))?,
            1,
            "vector {vector} is not masked after reset"
        );
    }
    dut.set("cfg_msix_enable", true)?;
    dut.set("msg_ready", true)?;
    write(&mut dut, entry(9, 0), 0xfee0_0003, 15)?;
    write(&mut dut, entry(9, 1), 0x0000_0001, 15)?;
    write(&mut dut, entry(9, 2), 0x0000_4049, 15)?;
    dut.set("irq_vector", 9)?;
    dut.set("irq_valid", true)?;
    for _ in 0..3 {
        assert!(dut.is("irq_ready")?);
        dut.step()?;
    }
    dut.set("irq_valid", false)?;
    for _ in 0..40 {
        assert!(!dut.is("msg_valid")?, "a masked vector was sent");
        dut.step()?;
    }
    assert_eq!(read(&mut dut, PBA)?, 1 << 9);
    assert_eq!(read(&mut dut, PBA + 4)?, 0);
    // The pending bits are not for writing, and the address past the table is not an entry.
    write(&mut dut, PBA, 0, 15)?;
    write(&mut dut, entry(VECTORS + 9, 3), 0, 15)?;
    assert_eq!(read(&mut dut, PBA)?, 1 << 9);
    assert_eq!(read(&mut dut, entry(VECTORS, 0))?, 0);
    write(&mut dut, entry(9, 3), 0, 15)?;
    let mut sent = 0;
    for _ in 0..40 {
        if dut.is("msg_valid")? {
            sent += 1;
            assert_eq!(dut.get("msg_addr")?, 0x1_fee0_0000);
            assert_eq!(dut.get("msg_data")?, 0x4049);
        }
        dut.step()?;
    }
    assert_eq!(
        sent, 1,
        "three requests of a pending vector are one message"
    );
    assert_eq!(read(&mut dut, PBA)?, 0);
    Ok(())
}

#[test]
fn random_traffic() -> Result {
    let mut dut = dut::<Full>()?;
    let mut random = seeded(1);
    // Entries as the host sees them. The low byte of the data names the vector, so that messages can be told apart.
    let mut table = [[0u32; 4]; VECTORS];
    for (vector, dwords) in table.iter_mut().enumerate() {
        *dwords = [
            random.random(),
            random.random(),
            random.random::<u32>() & !0xff | vector as u32,
            1,
        ];
        for (dword, value) in dwords.iter().enumerate() {
            write(&mut dut, entry(vector, dword as u64), *value, 15)?;
        }
    }
    let mut pending = [false; VECTORS];
    let (mut enable, mut mask) = (false, false);
    let mut requested = None;
    let mut eligible = [false; VECTORS];
    let mut shown = None;
    let mut due = None;
    let mut sent = 0;
    const CYCLES: usize = 6000;
    for cycle in 0..CYCLES + 100 {
        // The last cycles are calm: everything pending must come out.
        let calm = cycle >= CYCLES;
        // A message that appears was taken from the table in the cycle before.
        let message = if dut.is("msg_valid")? {
            Some((dut.get("msg_addr")?, dut.get("msg_data")? as u32))
        } else {
            None
        };
        if let (Some((addr, data)), None) = (message, shown) {
            let vector = (data & 0xff) as usize;
            assert!(
                eligible[vector],
                "vector {vector} was neither pending nor free to go in cycle {cycle}"
            );
            let [low, high, expected, _] = table[vector];
            assert_eq!(
                (addr, data),
                (u64::from(high) << 32 | u64::from(low & !3), expected)
            );
            pending[vector] = requested == Some(vector);
            sent += 1;
        } else if shown.is_some() {
            assert_eq!(message, shown, "the message changed before it was taken");
        }
        if !enable {
            pending = [false; VECTORS];
        }
        if let Some((addr, expected)) = due.take() {
            assert!(dut.is("read_ack")?);
            assert_eq!(
                dut.get("read_data")? as u32,
                expected,
                "{addr:#x} in cycle {cycle}"
            );
        } else {
            assert!(!dut.is("read_ack")?);
        }
        // This cycle's inputs.
        enable = calm || chance(&mut random, if enable { 99 } else { 5 });
        mask = !calm && chance(&mut random, if mask { 90 } else { 2 });
        dut.set("cfg_msix_enable", enable)?;
        dut.set("cfg_msix_mask", mask)?;
        let vector = random.random_range(0..VECTORS);
        requested = (!calm && chance(&mut random, 30)).then_some(vector);
        dut.set("irq_valid", requested.is_some())?;
        dut.set("irq_vector", vector as u64)?;
        let ready = calm || chance(&mut random, 30);
        dut.set("msg_ready", ready)?;
        let unmasked = table.map(|entry| entry[3] & 1 == 0);
        eligible =
            std::array::from_fn(|vector| pending[vector] && unmasked[vector] && enable && !mask);
        shown = message.filter(|_| !ready);
        dut.set("write_valid", false)?;
        dut.set("read_valid", false)?;
        let (vector, dword) = (random.random_range(0..VECTORS), random.random_range(0..4));
        let unmask = calm && cycle < CYCLES + VECTORS;
        if unmask || (!calm && chance(&mut random, 20)) {
            let (vector, dword) = if unmask {
                (cycle - CYCLES, 3)
            } else {
                (vector, dword)
            };
            let be = if unmask {
                15
            } else {
                random.random_range(0..16u32)
            };
            let data = match dword {
                2 => random.random::<u32>() & !0xff | vector as u32,
                3 => u32::from(!unmask && chance(&mut random, 50)) | random.random::<u32>() & !1,
                _ => random.random(),
            };
            dut.set("write_valid", true)?;
            dut.set("write_addr", entry(vector, dword as u64))?;
            dut.set("write_data", u64::from(data))?;
            dut.set("write_be", u64::from(be))?;
            let bytes = (0..4)
                .filter(|byte| be >> byte & 1 == 1)
                .fold(0, |bytes, byte| bytes | 0xff << (8 * byte));
            table[vector][dword] = table[vector][dword] & !bytes | data & bytes;
            // Vector control has one bit; the others read as zero.
            table[vector][3] &= 1;
            // The RAM's port was taken: nothing is sent from this cycle.
            eligible = [false; VECTORS];
        } else if chance(&mut random, 20) {
            let pba = chance(&mut random, 40);
            let addr = if pba {
                PBA
            } else {
                entry(vector, dword as u64)
            };
            let expected = if pba {
                (0..VECTORS).fold(0, |bits, vector| {
                    bits | u32::from(pending[vector]) << vector
                })
            } else {
                table[vector][dword]
            };
            dut.set("read_valid", true)?;
            dut.set("read_addr", addr)?;
            due = Some((addr, expected));
            eligible = [false; VECTORS];
        }
        if let Some(vector) = requested {
            pending[vector] = true;
        }
        dut.step()?;
    }
    assert!(sent > 200, "only {sent} messages");
    assert_eq!(pending, [false; VECTORS], "a request was lost");
    Ok(())
}

/// All that the limits allow is written, unmasked and requested: what the device does not have stays silent and reads as zero.
#[test]
fn vectors_that_a_small_device_lacks_are_not_there() -> Result {
    let mut dut = dut::<Small>()?;
    dut.set("cfg_msix_enable", true)?;
    dut.set("msg_ready", true)?;
    for vector in 0..VECTORS {
        write(&mut dut, entry(vector, 2), vector as u32 + 1, 15)?;
        write(&mut dut, entry(vector, 3), 0, 15)?;
    }
    for vector in 0..VECTORS {
        let here = vector < Small::VECTORS;
        let data = if here { vector as u32 + 1 } else { 0 };
        assert_eq!(read(&mut dut, entry(vector, 2))?, data);
        dut.set("irq_vector", vector as u64)?;
        dut.set("irq_valid", true)?;
        dut.step()?;
        dut.set("irq_valid", false)?;
        let mut sent = Vec::new();
        for _ in 0..40 {
            if dut.is("msg_valid")? {
                sent.push(dut.get("msg_data")? as u32);
            }
            dut.step()?;
        }
        assert_eq!(sent, if here { vec![data] } else { vec![] });
        assert_eq!(read(&mut dut, PBA)?, 0);
    }
    Ok(())
}
