//! A host behind the IP, a device behind the shim: who asks is answered, who writes gets through.

use super::{CPL_DATA, CPL_HEADERS, Link};
use crate::shim::testing::{Beat, Sink, Source, noise, place};
use crate::shim::uscale_plus::testing::{Fields, Packet};
use crate::testing::{Result, chance, reset, seeded, set_all};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::{HashMap, VecDeque};

const RC_BITS: [usize; 2] = [75, 161];
const CQ_BITS: [usize; 2] = [88, 183];

#[test]
fn reads_are_answered_and_writes_go_on_256() -> Result {
    run::<256, 8, 3, 62, 75, 88, 33>(0)
}

#[test]
fn reads_are_answered_and_writes_go_on_512() -> Result {
    run::<512, 16, 4, 137, 161, 183, 81>(1)
}

/// Beats of a packet of the IP's with these ports.
fn packet(
    names: [&'static str; 3],
    lanes: usize,
    dwords: &[u32],
    tuser: &Fields,
    random: &mut StdRng,
) -> Vec<Beat> {
    let words = place(lanes, 0, dwords, random);
    let last = words.len() - 1;
    let beat = |(index, data): (usize, Vec<u32>)| Beat {
        first: index == 0,
        ports: vec![
            (names[0], vec![u32::from(index == last)]),
            (names[1], data),
            (names[2], tuser.dwords()),
        ],
    };
    words.into_iter().enumerate().map(beat).collect()
}

/// Beats of a TLP of the device's with data: header fields and payload.
fn tlp(
    lanes: usize,
    addr: u64,
    header: &[(&'static str, u64)],
    payload: &[u32],
    random: &mut StdRng,
) -> Vec<Beat> {
    let words = place(lanes, (addr / 4) as usize % lanes, payload, random);
    let last = words.len() - 1;
    let beat = |(index, data): (usize, Vec<u32>)| {
        let mut ports = vec![
            ("tx_sop", vec![u32::from(index == 0)]),
            ("tx_eop", vec![u32::from(index == last)]),
            ("tx_data", data),
            ("tx_addr", vec![addr as u32, (addr >> 32) as u32]),
            ("tx_len", vec![payload.len() as u32]),
        ];
        ports.extend(
            header
                .iter()
                .map(|(name, value)| (*name, vec![*value as u32])),
        );
        Beat {
            first: index == 0,
            ports,
        }
    };
    words.into_iter().enumerate().map(beat).collect()
}

fn run<
    const W: usize,
    const D: usize,
    const K: usize,
    const RQ: usize,
    const RC: usize,
    const CQ: usize,
    const CC: usize,
>(
    wide: usize,
) -> Result {
    let mut dut = Pair::new(
        Link::default(),
        ports!(Link<W, D, K, RQ, RC, CQ, CC> {
            clock: clock;
            in reset, s_axis_rq_tready, pcie_rq_seq_num0, pcie_rq_seq_num_vld0, pcie_rq_seq_num1, pcie_rq_seq_num_vld1,
                pcie_tfc_nph_av, m_axis_rc_tvalid, m_axis_rc_tdata, m_axis_rc_tlast, m_axis_rc_tuser, m_axis_cq_tvalid,
                m_axis_cq_tdata, m_axis_cq_tlast, m_axis_cq_tuser, s_axis_cc_tready, cfg_max_payload, cfg_max_read_req,
                cfg_rcb_status, cfg_function_status, cfg_interrupt_msix_enable, cfg_interrupt_msix_mask, cfg_mgmt_read_data,
                cfg_mgmt_read_write_done, tx_valid, tx_sop, tx_eop, tx_data, tx_kind, tx_addr, tx_len, tx_first_be,
                tx_last_be, tx_tag, tx_id, tx_byte_count, tx_status, req_ready;
            out s_axis_rq_tvalid, s_axis_rq_tdata, s_axis_rq_tkeep, s_axis_rq_tlast, s_axis_rq_tuser, m_axis_rc_tready,
                m_axis_cq_tready, pcie_cq_np_req, s_axis_cc_tvalid, s_axis_cc_tdata, s_axis_cc_tkeep, s_axis_cc_tlast,
                s_axis_cc_tuser, cfg_mgmt_addr, cfg_mgmt_read, discontinued, cfg_mps, cfg_mrrs, cfg_rcb, cfg_extended_tag,
                cfg_bus_master, cfg_msix_enable, cfg_msix_mask, cfg_cpl_headers, cfg_cpl_data, tx_ready, cpl_valid, cpl_sop,
                cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr, cpl_status, cpl_poisoned, req_valid,
                req_sop, req_eop, req_data, req_write, req_addr, req_len, req_first_be, req_last_be, req_tag, req_id
        }),
    )?;
    reset(&mut dut)?;
    configuration(&mut dut)?;
    reset(&mut dut)?;
    // Bus Master Enable.
    dut.set("cfg_function_status", 4)?;

    let mut random = seeded(W as u64);
    let mut cq = Source::new("m_axis_cq_tvalid", "m_axis_cq_tready", false);
    let mut rc = Source::new("m_axis_rc_tvalid", "m_axis_rc_tready", false);
    let mut tx = Source::new("tx_valid", "tx_ready", true);
    let mut req = Sink::new(
        "req_valid",
        "req_ready",
        &["req_write", "req_tag", "req_id", "req_addr", "req_eop"],
        None,
    );
    // The four bits of a tready are the same.
    let mut rq = Sink::new(
        "s_axis_rq_tvalid",
        "s_axis_rq_tready",
        &[
            "s_axis_rq_tlast",
            "s_axis_rq_tkeep",
            "s_axis_rq_tdata",
            "s_axis_rq_tuser",
        ],
        Some("s_axis_rq_tlast"),
    );
    let mut cc = Sink::new(
        "s_axis_cc_tvalid",
        "s_axis_cc_tready",
        &["s_axis_cc_tlast", "s_axis_cc_tkeep", "s_axis_cc_tdata"],
        Some("s_axis_cc_tlast"),
    );
    let (mut rq_packet, mut cc_packet) = (Packet::new(D), Packet::new(D));
    // Answers that the host waits for, by tag, with the number of writes before them; writes and reads that it must get, these too with the
    // number of writes before them; data that the device must get.
    let mut answers: HashMap<u32, (Vec<u32>, usize)> = HashMap::new();
    let mut writes: VecDeque<Vec<u32>> = VecDeque::new();
    let mut reads: VecDeque<(Vec<u32>, usize)> = VecDeque::new();
    // Writes of the device, those of them that RQ has got, and those that no completion passes any more; numbers in the IP.
    let (mut sent, mut arrived, mut ordered) = (0, 0, 0);
    let mut numbers: VecDeque<(usize, u64)> = VecDeque::new();
    let mut completions: VecDeque<(u64, Vec<u32>)> = VecDeque::new();
    let mut unanswered: VecDeque<(u32, u32, u64)> = VecDeque::new();
    let mut attributes: HashMap<u32, u64> = HashMap::new();
    let mut got: Vec<u32> = Vec::new();
    let (mut credits, mut tag, mut number) = (0, 0u32, 0);
    // Answers, refusals, requests, completions, writes to the device while 16 reads are in it, reads of the device, and writes that
    // passed one.
    let mut counts = [0; 7];
    for cycle in 0..6000 {
        for source in [&mut cq, &mut rc, &mut tx] {
            source.rate = [100, 50][cycle / 64 % 2];
        }
        for sink in [&mut req, &mut rq, &mut cc] {
            sink.rate = [100, 30, 80][cycle / 100 % 3];
        }
        // The host: reads and I/O reads with a credit, writes without.
        if cq.beats.len() < 3 {
            let kind = [0, 0, 1, 2][random.random_range(0..4)];
            let non_posted = kind != 1;
            if !non_posted || credits > 0 {
                let (addr, id): (u64, u64) = (
                    random.random_range(0..1 << 16) << 2,
                    random.random_range(0..1 << 16),
                );
                let (len, traffic) = (
                    if non_posted {
                        1
                    } else {
                        random.random_range(1..20)
                    },
                    random.random_range(0..64),
                );
                let mut dwords = Fields::new(128)
                    .with(63, 2, addr >> 2)
                    .with(74, 64, len)
                    .with(78, 75, kind)
                    .with(95, 80, id)
                    .with(103, 96, tag.into())
                    .with(126, 121, traffic)
                    .dwords();
                if kind == 1 {
                    dwords.extend(noise(len as usize, &mut random));
                } else {
                    credits -= 1;
                    attributes.insert(tag, traffic);
                }
                if kind == 2 {
                    let repeated = &dwords;
                    let refusal = Fields::new(96)
                        .with(28, 16, 4)
                        .with(45, 43, 1)
                        .with(63, 48, id)
                        .with(71, 64, tag.into())
                        .with(94, 89, traffic);
                    let mut refusal = refusal.dwords();
                    // first_be, and the descriptor.
                    refusal.push(15);
                    refusal.extend(repeated);
                    answers.insert(tag, (refusal, 0));
                }
                let tuser = Fields::new(CQ_BITS[wide]).with(3, 0, 15);
                let names = ["m_axis_cq_tlast", "m_axis_cq_tdata", "m_axis_cq_tuser"];
                cq.beats
                    .extend(packet(names, D, &dwords, &tuser, &mut random));
                if non_posted {
                    tag = (tag + 1) % 256;
                }
            }
        }
        // The host's completions.
        if rc.beats.len() < 3 {
            let (lower, len) = (
                random.random_range(0..32u64) << 2,
                random.random_range(1..30),
            );
            let tag = random.random_range(0..256);
            let mut dwords = Fields::new(96)
                .with(11, 0, lower)
                .with(28, 16, 4 * len)
                .with(42, 32, len)
                .with(71, 64, tag)
                .dwords();
            let payload = noise(len as usize, &mut random);
            dwords.extend(&payload);
            completions.push_back((tag, payload));
            let names = ["m_axis_rc_tlast", "m_axis_rc_tdata", "m_axis_rc_tuser"];
            let tuser = Fields::new(RC_BITS[wide]);
            rc.beats
                .extend(packet(names, D, &dwords, &tuser, &mut random));
        }
        // The device: writes, and answers in order; in every second thousand cycles it does not answer.
        if tx.beats.len() < 3 {
            let answering = cycle / 500 % 2 == 0;
            match unanswered
                .front()
                .copied()
                .filter(|_| answering && chance(&mut random, 70))
            {
                Some((tag, id, addr)) => {
                    unanswered.pop_front();
                    let payload = noise(1, &mut random);
                    let header = [
                        ("tx_kind", 2),
                        ("tx_tag", tag.into()),
                        ("tx_id", id.into()),
                        ("tx_byte_count", 4),
                        ("tx_status", 0),
                    ];
                    tx.beats
                        .extend(tlp(D, addr % 128, &header, &payload, &mut random));
                    let traffic = attributes[&tag];
                    let mut answer = Fields::new(96)
                        .with(6, 0, addr % 128)
                        .with(28, 16, 4)
                        .with(42, 32, 1)
                        .with(63, 48, id.into())
                        .with(71, 64, tag.into())
                        .with(94, 89, traffic)
                        .dwords();
                    answer.extend(payload);
                    answers.insert(tag, (answer, sent));
                }
                None if chance(&mut random, 25) && reads.len() < 100 => {
                    let addr = random.random::<u64>() & !3;
                    let [len, tag] = [1024, 256].map(|below| random.random_range(0..below));
                    let header = [("tx_kind", 1), ("tx_tag", tag), ("tx_len", len)];
                    tx.beats.extend(tlp(D, addr, &header, &[], &mut random));
                    let request = Fields::new(128)
                        .with(63, 2, addr >> 2)
                        .with(74, 64, len)
                        .with(103, 96, tag)
                        .dwords();
                    reads.push_back((request, sent));
                }
                None => {
                    let addr = random.random::<u64>() & !3;
                    let payload = noise(random.random_range(1..30), &mut random);
                    tx.beats
                        .extend(tlp(D, addr, &[("tx_kind", 0)], &payload, &mut random));
                    let mut request = Fields::new(128)
                        .with(63, 2, addr >> 2)
                        .with(74, 64, payload.len() as u64)
                        .with(78, 75, 1)
                        .dwords();
                    // The tag of a write says nothing.
                    request.extend(payload);
                    writes.push_back(request);
                    sent += 1;
                }
            }
        }
        for source in [&mut cq, &mut rc, &mut tx] {
            source.offer(&mut dut, &mut random)?;
        }
        for sink in [&mut req, &mut rq, &mut cc] {
            sink.accept(&mut dut, &mut random)?;
        }
        // The IP: credits for reads, and numbers of requests, in order.
        dut.set("pcie_tfc_nph_av", [15, 0, 2][cycle / 80 % 3])?;
        for (num, vld) in [
            ("pcie_rq_seq_num0", "pcie_rq_seq_num_vld0"),
            ("pcie_rq_seq_num1", "pcie_rq_seq_num_vld1"),
        ] {
            let back = numbers.pop_front_if(|(when, _)| *when <= cycle);
            dut.set(vld, back.is_some())?;
            dut.set(num, back.map_or(0, |(_, number)| number))?;
            ordered += usize::from(back.is_some_and(|(_, number)| number >= 32));
        }
        for source in [&mut cq, &mut rc, &mut tx] {
            source.taken(&mut dut)?;
        }
        if let Some(beat) = req.taken(&mut dut)? {
            if beat[0][0] == 0 {
                unanswered.push_back((beat[1][0], beat[2][0], beat[3][0].into()));
                assert!(unanswered.len() <= 16);
            } else if beat[4][0] == 1 && unanswered.len() >= 12 {
                counts[4] += 1;
            }
        }
        if let Some(beat) = rq.taken(&mut dut)? {
            if rq_packet.is_empty() {
                let bits = |low: usize, count: u32| {
                    u64::from(beat[3][low / 32] >> (low % 32) & !(u32::MAX << count))
                };
                // seq_num, which at 512 bits crosses from one word to the next.
                number = match W {
                    256 => bits(24, 4) | bits(60, 2) << 4,
                    _ => bits(61, 3) | bits(64, 3) << 3,
                };
            }
            if rq_packet.push(&beat) {
                let mut request = rq_packet.take();
                if request[2] >> 11 & 15 == 0 {
                    let (read, before) = reads.pop_front().expect("a read that was sent");
                    assert_eq!(request, read);
                    assert!(before <= arrived, "a read has passed a write");
                    counts[5] += 1;
                    numbers.push_back((cycle + 5, number));
                } else {
                    request[3] &= !0xff;
                    assert_eq!(Some(request), writes.pop_front());
                    counts[6] += u32::from(reads.front().is_some_and(|read| read.1 <= arrived));
                    arrived += 1;
                    counts[2] += 1;
                    numbers.push_back((cycle + random.random_range(1..24), number));
                }
            }
        }
        if let Some(beat) = cc.taken(&mut dut)? {
            if cc_packet.push(&beat) {
                let answer = cc_packet.take();
                counts[usize::from(answer.len() == 8)] += 1;
                let (expected, before) = answers.remove(&(answer[2] & 0xff)).expect("a read");
                assert_eq!(answer, expected);
                assert!(before <= ordered, "a completion could pass a write");
            }
        }
        if dut.is("cpl_valid")? {
            let lane = if dut.is("cpl_sop")? {
                dut.get("cpl_lower_addr")? as usize / 4 % D
            } else {
                0
            };
            let (tag, payload) = completions.front().expect("a completion that was sent");
            assert_eq!(dut.get("cpl_tag")?, *tag);
            let left = payload.len() - got.len();
            got.extend_from_slice(&dut.get_wide("cpl_data")?[lane..][..left.min(D - lane)]);
            if dut.is("cpl_eop")? {
                assert_eq!(&got, payload);
                got.clear();
                completions.pop_front();
                counts[3] += 1;
            }
        }
        assert!(!dut.is("discontinued")?);
        credits += dut.get("pcie_cq_np_req")?;
        dut.step()?;
    }
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");

    // A bit of the sideband stays until reset.
    reset(&mut dut)?;
    dut.set_wide("m_axis_rc_tdata", &[0])?;
    let bit = [42, 96][wide];
    dut.set_wide(
        "m_axis_rc_tuser",
        &Fields::new(RC).with(bit, bit, 1).dwords(),
    )?;
    set_all(&mut dut, &[("m_axis_rc_tvalid", 1), ("m_axis_rc_tlast", 1)])?;
    for _ in 0..4 {
        dut.step()?;
    }
    dut.set("m_axis_rc_tvalid", false)?;
    dut.step()?;
    assert!(dut.is("discontinued")?);
    reset(&mut dut)?;
    assert!(!dut.is("discontinued")?);
    Ok(())
}

/// Each configuration port of the IP reaches the device's, from the bits of function 0.
fn configuration<
    const W: usize,
    const D: usize,
    const K: usize,
    const RQ: usize,
    const RC: usize,
    const CQ: usize,
    const CC: usize,
>(
    dut: &mut Pair<Link<W, D, K, RQ, RC, CQ, CC>>,
) -> Result {
    assert_eq!(dut.get("cfg_cpl_headers")?, CPL_HEADERS);
    assert_eq!(dut.get("cfg_cpl_data")?, CPL_DATA);
    for (from, bits, low, to) in [
        ("cfg_max_payload", 2, 0, "cfg_mps"),
        ("cfg_max_read_req", 3, 0, "cfg_mrrs"),
        ("cfg_rcb_status", 4, 0, "cfg_rcb"),
        ("cfg_function_status", 16, 2, "cfg_bus_master"),
        ("cfg_interrupt_msix_enable", 4, 0, "cfg_msix_enable"),
        ("cfg_interrupt_msix_mask", 4, 0, "cfg_msix_mask"),
    ] {
        let width = match to {
            "cfg_mps" => 2,
            "cfg_mrrs" => 3,
            _ => 1,
        };
        for value in 0..1u64 << bits {
            dut.set(from, value)?;
            assert_eq!(
                dut.get(to)?,
                value >> low & ((1 << width) - 1),
                "{from} = {value:#x}"
            );
        }
        dut.set(from, 0)?;
    }
    set_all(
        dut,
        &[
            ("cfg_mgmt_read_data", 0x100),
            ("cfg_mgmt_read_write_done", 1),
        ],
    )?;
    for _ in 0..20 {
        dut.step()?;
    }
    assert!(dut.is("cfg_extended_tag")?);
    dut.set("cfg_mgmt_read_write_done", false)
}
