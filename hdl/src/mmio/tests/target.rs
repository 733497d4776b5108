//! Random requests against a model of the specification, with back-pressure everywhere.

use super::super::MmioTarget;
use super::super::testing::{Result, chance, reset, seeded};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, rngs::StdRng};
use std::collections::VecDeque;

/// A request TLP.
#[derive(Clone, Debug)]
struct Request {
    write: bool,
    addr: u64,
    first_be: u64,
    last_be: u64,
    tag: u64,
    id: u64,
    payload: Vec<u32>,
}

/// What the target does on its register side.
#[derive(Clone, Debug, PartialEq)]
enum Access {
    Write {
        addr: u64,
        data: u32,
        be: u64,
        last: bool,
    },
    Read {
        addr: u64,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Completion {
    status: u64,
    tag: u64,
    id: u64,
    byte_count: u64,
    lower_addr: u64,
    len: u64,
    data: u64,
}

/// What a register reads as in these tests.
fn register(addr: u64) -> u32 {
    (addr as u32).wrapping_mul(0x9e37_79b9) ^ 0x5a5a_0000
}

impl Request {
    fn random(random: &mut StdRng) -> Self {
        let len = match random.random_range(0..10) {
            0..4 => 1,
            4..8 => 2,
            8 => random.random_range(3..40),
            _ => 1024,
        };
        let write = chance(random, 50);
        // First and last byte enables of 2 DW and more are contiguous towards the middle or not, but never zero.
        let first_be = if len == 1 {
            random.random_range(0..16)
        } else {
            random.random_range(1..16)
        };
        let last_be = if len == 1 {
            0
        } else {
            random.random_range(1..16)
        };
        Self {
            write,
            addr: random.random_range(0..1 << 22) * 4,
            first_be,
            last_be,
            tag: random.random_range(0..1 << 10),
            id: random.random_range(0..1 << 16),
            payload: (0..len).map(|_| random.random()).collect(),
        }
    }

    fn accesses(&self) -> Vec<Access> {
        let next = (self.addr + 4) & 0xff_ffff;
        match (self.write, &*self.payload) {
            (true, &[data]) => vec![Access::Write {
                addr: self.addr,
                data,
                be: self.first_be,
                last: true,
            }],
            (true, &[low, high]) => vec![
                Access::Write {
                    addr: self.addr,
                    data: low,
                    be: self.first_be,
                    last: false,
                },
                Access::Write {
                    addr: next,
                    data: high,
                    be: self.last_be,
                    last: true,
                },
            ],
            (false, [_]) if self.first_be != 0 => vec![Access::Read { addr: self.addr }],
            (false, [_, _]) => vec![
                Access::Read { addr: self.addr },
                Access::Read { addr: next },
            ],
            _ => vec![],
        }
    }

    /// PCIe 5.0, 2.3.1.1, byte by byte: the enabled bytes span from the first to the last one.
    fn completion(&self) -> Option<Completion> {
        if self.write {
            return None;
        }
        let len = self.payload.len() as u64;
        let enabled = |byte: u64| {
            let be = if byte / 4 == 0 {
                self.first_be
            } else if byte / 4 == len - 1 {
                self.last_be
            } else {
                15
            };
            be >> (byte % 4) & 1 == 1
        };
        let first = (0..len * 4).find(|byte| enabled(*byte));
        let last = (0..len * 4).rev().find(|byte| enabled(*byte));
        let (byte_count, skipped) = match (first, last) {
            (Some(first), Some(last)) => (last - first + 1, first),
            _ => (1, 0),
        };
        let supported = len <= 2;
        let mut data = 0;
        for (index, access) in self.accesses().iter().enumerate() {
            if let Access::Read { addr } = access {
                data |= u64::from(register(*addr)) << (32 * index);
            }
        }
        Some(Completion {
            status: u64::from(!supported),
            tag: self.tag,
            id: self.id,
            byte_count,
            lower_addr: (self.addr + skipped) & 0x7f,
            len: if supported { len } else { 0 },
            data,
        })
    }

    /// Beats of a bus of `bytes` bytes, address-aligned, with rubbish in the other lanes.
    fn beats(&self, bytes: usize, random: &mut StdRng) -> Vec<Vec<u32>> {
        let lanes = bytes / 4;
        let first = self.addr as usize / 4 % lanes;
        let count = if self.write {
            (first + self.payload.len()).div_ceil(lanes)
        } else {
            1
        };
        let mut words: Vec<u32> = (0..count * lanes).map(|_| random.random()).collect();
        if self.write {
            words[first..first + self.payload.len()].copy_from_slice(&self.payload);
        }
        words.chunks(lanes).map(<[u32]>::to_vec).collect()
    }
}

fn dut<const W: usize, const B: usize, const L: usize>() -> Result<Pair<MmioTarget<W, B, L>>> {
    Pair::new(
        MmioTarget::<W, B, L>::default(),
        ports!(MmioTarget<W, B, L> {
            clock: clock;
            in reset, hold, req_valid, req_sop, req_eop, req_data, req_write, req_addr, req_len, req_first_be, req_last_be,
                req_tag, req_id, read_ack, read_data, cpl_ready;
            out req_ready, write_valid, write_addr, write_data, write_be, write_last, read_valid, read_addr,
                cpl_valid, cpl_status, cpl_tag, cpl_id, cpl_byte_count, cpl_lower_addr, cpl_len, cpl_data
        }),
    )
}

fn sweep<const W: usize, const B: usize, const L: usize>(seed: u64) -> Result {
    let mut dut = dut::<W, B, L>()?;
    let mut random = seeded(seed);
    reset(&mut dut)?;
    let requests: Vec<_> = (0..200).map(|_| Request::random(&mut random)).collect();
    let mut expected_accesses: VecDeque<_> = requests.iter().flat_map(Request::accesses).collect();
    let mut expected_completions: VecDeque<_> =
        requests.iter().filter_map(Request::completion).collect();
    let mut beats = VecDeque::new();
    for request in &requests {
        let words = request.beats(B, &mut random);
        let count = words.len();
        for (index, words) in words.into_iter().enumerate() {
            beats.push_back((request.clone(), index == 0, index + 1 == count, words));
        }
    }
    // The three handshakes hurry and dawdle independently, and differently over the run.
    let mut pace = [100; 3];
    let mut offered = false;
    let mut answer = None;
    let mut shown: Option<Completion> = None;
    let mut cycles = 0;
    while !beats.is_empty() || !expected_accesses.is_empty() || !expected_completions.is_empty() {
        cycles += 1;
        assert!(cycles < 100_000, "stuck with {} beats to go", beats.len());
        if cycles % 64 == 0 {
            pace = std::array::from_fn(|_| [5, 50, 100][random.random_range(0..3)]);
        }
        if !offered
            && chance(&mut random, pace[0])
            && let Some((request, sop, eop, words)) = beats.front()
        {
            dut.set("req_sop", *sop)?;
            dut.set("req_eop", *eop)?;
            dut.set_wide("req_data", words)?;
            dut.set("req_write", request.write)?;
            dut.set("req_addr", request.addr)?;
            dut.set("req_len", request.payload.len() as u64)?;
            dut.set("req_first_be", request.first_be)?;
            dut.set("req_last_be", request.last_be)?;
            dut.set("req_tag", request.tag)?;
            dut.set("req_id", request.id)?;
            offered = true;
        }
        dut.set("req_valid", offered)?;
        let acknowledge = answer.is_some() && chance(&mut random, pace[1]);
        dut.set("read_ack", acknowledge)?;
        dut.set(
            "read_data",
            u64::from(answer.map_or_else(|| random.random(), register)),
        )?;
        if acknowledge {
            answer = None;
        }
        let ready = chance(&mut random, pace[2]);
        dut.set("cpl_ready", ready)?;
        // Held back between two requests only.
        let hold = chance(&mut random, 10);
        dut.set("hold", hold)?;
        if hold && offered && beats.front().is_some_and(|(_, sop, _, _)| *sop) {
            assert!(!dut.is("req_ready")?);
        }
        // What happens at the coming edge.
        if dut.is("write_valid")? {
            let access = Access::Write {
                addr: dut.get("write_addr")?,
                data: dut.get("write_data")? as u32,
                be: dut.get("write_be")?,
                last: dut.is("write_last")?,
            };
            assert_eq!(Some(access), expected_accesses.pop_front());
        }
        if dut.is("read_valid")? {
            let addr = dut.get("read_addr")?;
            assert_eq!(Some(Access::Read { addr }), expected_accesses.pop_front());
            assert_eq!(answer, None, "a second read before the first one's answer");
            answer = Some(addr);
        }
        if dut.is("cpl_valid")? {
            let completion = Completion {
                status: dut.get("cpl_status")?,
                tag: dut.get("cpl_tag")?,
                id: dut.get("cpl_id")?,
                byte_count: dut.get("cpl_byte_count")?,
                lower_addr: dut.get("cpl_lower_addr")?,
                len: dut.get("cpl_len")?,
                data: dut.get("cpl_data")?,
            };
            if let Some(before) = &shown {
                assert_eq!(
                    before, &completion,
                    "the completion changed before it was taken"
                );
            } else {
                assert_eq!(Some(&completion), expected_completions.front());
            }
            shown = Some(completion);
            if ready {
                expected_completions.pop_front();
                shown = None;
            }
        } else {
            assert_eq!(shown, None, "the completion was withdrawn");
        }
        if offered && dut.is("req_ready")? {
            beats.pop_front();
            offered = false;
        }
        dut.step()?;
    }
    Ok(())
}

#[test]
fn requests_64() -> Result {
    sweep::<64, 8, 3>(1)
}

#[test]
fn requests_128() -> Result {
    sweep::<128, 16, 4>(2)
}

#[test]
fn requests_512() -> Result {
    sweep::<512, 64, 6>(3)
}

/// While nobody takes completions, writes behind 16 reads are accepted.
#[test]
fn writes_do_not_wait_for_completions() -> Result {
    let mut dut = dut::<128, 16, 4>()?;
    reset(&mut dut)?;
    let mut register = None;
    let (mut written, mut refused) = (0, 0);
    let mut completions = Vec::new();
    dut.set("req_sop", true)?;
    dut.set("req_eop", true)?;
    dut.set("req_len", 1)?;
    dut.set("req_first_be", 15)?;
    let mut next = 0u64;
    for cycle in 0..600 {
        // A read, a write, and so on; 40 of each.
        dut.set("req_valid", next < 80)?;
        dut.set("req_write", next % 2 == 1)?;
        dut.set("req_addr", next * 4)?;
        dut.set("req_tag", next)?;
        dut.set("read_ack", register.is_some())?;
        dut.set("read_data", register.take().unwrap_or(0u64))?;
        dut.set("cpl_ready", cycle > 300)?;
        if dut.is("read_valid")? {
            register = Some(dut.get("read_addr")? + 7);
        }
        if dut.is("write_valid")? {
            assert_eq!(dut.get("write_addr")?, (2 * written + 1) * 4);
            written += 1;
        }
        if dut.is("cpl_valid")? && cycle > 300 {
            completions.push((dut.get("cpl_tag")?, dut.get("cpl_data")?));
        }
        let ready = dut.is("req_ready")?;
        refused = if ready { 0 } else { refused + 1 };
        next += u64::from(next < 80 && ready);
        dut.step()?;
        if cycle == 299 {
            // The seventeenth read has been taken and finds no room.
            assert!(refused > 100);
            assert_eq!((next, written), (33, 16));
        }
    }
    assert_eq!(written, 40);
    let expected: Vec<_> = (0..40).map(|read| (2 * read, 8 * read + 7)).collect();
    assert_eq!(completions, expected);
    Ok(())
}
