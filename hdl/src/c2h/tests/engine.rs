//! The whole engine: lists in SG RAM and a stream in, memory writes and reports out.

use super::{Cursor, Result, Stream, bytes, words};
use crate::c2h::C2hEngine;
use pinring_protocol::limits::SG_SLOTS;
use pinring_protocol::{SgElement, Status};
use pinring_verilator::equivalence::Pair;
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

const PAGE: u64 = 4096;
const MAX_WRITE: u64 = 256;

/// A transfer, its table and what must come of it.
struct Transfer {
    frames: Vec<u64>,
    position: u64,
    length: u64,
    status: u64,
    data: Vec<u8>,
    eop: bool,
}

impl Transfer {
    /// Bus address of byte `index`.
    fn address(&self, index: u64) -> u64 {
        let at = self.position + index;
        (self.frames[(at / PAGE) as usize] * PAGE) + at % PAGE
    }
}

/// Transfers until the stream has no more bytes for one.
fn transfers(random: &mut StdRng, stream: &Stream) -> Vec<Transfer> {
    let mut list = Vec::new();
    let mut cursor = Cursor::default();
    loop {
        let number = list.len() as u64;
        let length = match random.random_range(0..12) {
            0 => 0,
            1..6 => random.random_range(1..100),
            _ => random.random_range(1..3000),
        };
        let status = if random.random_bool(0.1) {
            Status::BadRegion as u64
        } else {
            0
        };
        let taken = if status == 0 {
            cursor.take(stream, length)
        } else {
            Some((Vec::new(), false))
        };
        let Some((data, eop)) = taken else {
            return list;
        };
        let frames = (0..2).map(|page| {
            (number + 1) * 0x1_0000_0000 + random.random_range(0..1 << 20) * 2 + page % 2
        });
        list.push(Transfer {
            frames: frames.collect(),
            position: random.random_range(0..PAGE),
            length: length as u64,
            status,
            data,
            eop,
        });
    }
}

type Dut<const W: usize, const B: usize, const L: usize, const L1: usize> =
    Pair<C2hEngine<W, B, L, L1>>;

fn dut<const W: usize, const B: usize, const L: usize, const L1: usize>() -> Result<Dut<W, B, L, L1>>
{
    Pair::new(
        C2hEngine::default(),
        ports!(C2hEngine<W, B, L, L1> {
            clock: clock;
            in reset, max_write, job_valid, job_ctx, job_position, job_length, job_element, job_last_element, job_uniform,
                job_shift, job_status, job_tdest, window_valid, window_slot, window_status, fill_write, fill_word, fill_data,
                consumed_ready, aborts, s_tvalid, s_tdata, s_tkeep, s_tlast, tlp_ready, retire_ready;
            out job_ready, ready, window, consumed_valid, consumed_block, consumed_ctx, s_tready, tlp_valid, tlp_sop, tlp_eop,
                tlp_data, tlp_addr, tlp_len, tlp_first_be, tlp_last_be, retire_valid, retire_ctx, retire_status, retire_bytes,
                retire_eop, sent_bytes, list_wait, running, holds
        }),
    )
}

#[test]
fn stream_reaches_memory_64() -> Result {
    stream_reaches_memory::<64, 8, 3, 4>()
}

#[test]
fn stream_reaches_memory_128() -> Result {
    stream_reaches_memory::<128, 16, 4, 5>()
}

#[test]
fn stream_reaches_memory_256() -> Result {
    stream_reaches_memory::<256, 32, 5, 6>()
}

#[test]
fn stream_reaches_memory_512() -> Result {
    stream_reaches_memory::<512, 64, 6, 7>()
}

fn stream_reaches_memory<const W: usize, const B: usize, const L: usize, const L1: usize>() -> Result
{
    let mut dut = dut::<W, B, L, L1>()?;
    let mut random = StdRng::seed_from_u64(1);
    let mut stream = Stream::new(B);
    for _ in 0..120 {
        let len: usize = random.random_range(1..500);
        let empty_end = random.random_bool(0.1);
        let len = if empty_end {
            len.next_multiple_of(B)
        } else {
            len
        };
        stream.push(&mut random, len, empty_end);
    }
    let transfers = transfers(&mut random, &stream);
    dut.set("max_write", MAX_WRITE)?;

    let (mut beat, mut beat_valid) = (0, false);
    let (mut begun, mut filled, mut retired) = (0, 0, 0);
    let mut fill = 0;
    let mut memory = BTreeMap::new();
    let mut write: Option<(u64, Vec<u8>)> = None;
    let (mut list_wait, mut short, mut counted) = (0, 0, 0);
    for cycle in 0.. {
        assert!(
            cycle < 30_000,
            "only {retired} of {} transfers end",
            transfers.len()
        );
        // The list of the next transfer comes before or after the transfer itself.
        let ctx = |number: usize| number as u64 % 16;
        let fills = filled < transfers.len() && filled <= begun && random.random_bool(0.3);
        dut.set("fill_write", fills)?;
        if fills {
            let element = SgElement::new()
                .with_valid(true)
                .with_page_frame(transfers[filled].frames[fill])
                .with_pages(1)
                .with_start_page(fill as u32);
            dut.set("fill_word", (filled % SG_SLOTS) as u64 * 32 + fill as u64)?;
            dut.set_wide("fill_data", &element.to_words())?;
        }
        let offers = begun < transfers.len()
            && begun - retired < 12
            && dut.is("ready")?
            && random.random_bool(0.5);
        dut.set("job_valid", offers)?;
        if offers {
            let transfer = &transfers[begun];
            dut.set("job_ctx", ctx(begun))?;
            dut.set("job_position", transfer.position)?;
            dut.set("job_length", transfer.length)?;
            dut.set("job_last_element", 1)?;
            dut.set("job_status", transfer.status)?;
        }
        let window = dut.get("window")?;
        let held = begun > 0 && filled >= begun && window == ctx(begun - 1) << 1;
        dut.set("window_valid", held)?;
        dut.set(
            "window_slot",
            if held {
                ((begun - 1) % SG_SLOTS) as u64
            } else {
                5
            },
        )?;
        list_wait += u32::from(dut.is("list_wait")?);

        beat_valid |= beat < stream.beats.len() && cycle / 200 % 5 != 2 && random.random_bool(0.9);
        dut.set("s_tvalid", beat_valid)?;
        if beat_valid {
            let (data, last) = &stream.beats[beat];
            dut.set_wide("s_tdata", &words(data))?;
            let keep = u64::MAX.checked_shr(64 - data.len() as u32);
            dut.set("s_tkeep", keep.unwrap_or(0))?;
            dut.set("s_tlast", *last)?;
        }
        let tlp_ready = cycle / 170 % 6 != 1 && random.random_bool(0.8);
        let retire_ready = random.random_bool(0.3);
        dut.set("tlp_ready", tlp_ready)?;
        dut.set("retire_ready", retire_ready)?;

        if tlp_ready && dut.is("tlp_valid")? {
            let addr = dut.get("tlp_addr")?;
            assert_eq!(dut.is("tlp_sop")?, write.is_none());
            let (_, mut data) = write.take().unwrap_or_default();
            data.extend(bytes(dut.get_wide("tlp_data")?));
            if dut.is("tlp_eop")? {
                let (len, first, last) = (
                    dut.get("tlp_len")?,
                    dut.get("tlp_first_be")?,
                    dut.get("tlp_last_be")?,
                );
                assert_eq!(addr / MAX_WRITE, (addr + 4 * len - 1) / MAX_WRITE);
                for at in 0..4 * len {
                    let enables = if at < 4 {
                        first
                    } else if at >= 4 * (len - 1) {
                        last
                    } else {
                        15
                    };
                    if enables >> (at % 4) & 1 == 1 {
                        memory.insert(addr + at, data[(addr % B as u64 + at) as usize]);
                    }
                }
            } else {
                write = Some((addr, data));
            }
        }
        counted += dut.get("sent_bytes")?;
        if retire_ready && dut.is("retire_valid")? {
            let transfer = &transfers[retired];
            let report = [
                dut.get("retire_ctx")?,
                dut.get("retire_status")?,
                dut.get("retire_bytes")?,
            ];
            let moved = transfer.data.len() as u64;
            assert_eq!(
                report,
                [ctx(retired), transfer.status, moved],
                "transfer {retired}"
            );
            assert_eq!(dut.is("retire_eop")?, transfer.eop, "transfer {retired}");
            for (index, byte) in (0..).zip(&transfer.data) {
                let found = memory.remove(&transfer.address(index));
                assert_eq!(
                    found,
                    Some(*byte),
                    "transfer {retired}, byte {index} of {moved}"
                );
            }
            short += u32::from(transfer.eop && moved < transfer.length);
            retired += 1;
        }
        if beat_valid && dut.is("s_tready")? {
            (beat, beat_valid) = (beat + 1, false);
        }
        assert!(!dut.is("consumed_valid")?);
        if fills {
            fill = (fill + 1) % 2;
            filled += usize::from(fill == 0);
        }
        if offers {
            assert!(dut.is("job_ready")?);
            begun += 1;
        }
        dut.step()?;
        if retired == transfers.len() {
            break;
        }
    }
    assert!(
        memory.is_empty(),
        "{} bytes beyond the transfers",
        memory.len()
    );
    assert_eq!(
        counted,
        transfers
            .iter()
            .map(|transfer| transfer.data.len() as u64)
            .sum::<u64>()
    );
    assert!(
        transfers.len() > 50 && short > 10 && list_wait > 10,
        "{} {short} {list_wait}",
        transfers.len()
    );
    Ok(())
}

/// A stream without an end that offers a beat in every cycle; its writes are all taken.
struct FastStream {
    dut: Dut<128, 16, 4, 5>,
    beats: u64,
    /// Windows whose block is here or has failed, with that read's status.
    windows: Vec<(u64, u64)>,
    /// Bytes sent.
    sent: Vec<u8>,
}

impl FastStream {
    /// Byte `index` of the stream.
    fn byte(index: u64) -> u8 {
        (index * 5 + index / 256 * 3) as u8
    }

    /// Starts a transfer that begins at a lane of page 31, in the last element of its first block.
    fn start(&mut self, ctx: u64, lane: u64, length: u64) -> Result {
        self.sent.clear();
        for (name, value) in [
            ("job_valid", 1),
            ("job_ctx", ctx),
            ("job_position", 31 * PAGE + lane),
            ("job_length", length),
            ("job_element", 31),
            ("job_last_element", 40),
        ] {
            self.dut.set(name, value)?;
        }
        assert!(self.dut.is("ready")? && self.dut.is("job_ready")?);
        self.step()?;
        self.dut.set("job_valid", false)
    }

    /// True if the stream goes on.
    fn step(&mut self) -> Result<bool> {
        let dut = &mut self.dut;
        let beat: Vec<u8> = (0..16).map(|at| Self::byte(self.beats * 16 + at)).collect();
        dut.set_wide("s_tdata", &words(&beat))?;
        let window = dut.get("window")?;
        let found = self.windows.iter().find(|(at, _)| *at == window);
        dut.set("window_valid", found.is_some())?;
        dut.set("window_status", found.map_or(0, |(_, status)| *status))?;
        if dut.is("tlp_valid")? {
            let (addr, data) = (dut.get("tlp_addr")? % 16, bytes(dut.get_wide("tlp_data")?));
            let from = match dut.is("tlp_sop")? {
                // Bytes before the transfer's first one are in the first write's DWs alone.
                true => (addr + u64::from(dut.get("tlp_first_be")?.trailing_zeros())) as usize,
                false => 0,
            };
            self.sent.extend(&data[from..]);
        }
        let taken = dut.is("s_tready")?;
        self.beats += u64::from(taken);
        dut.step()?;
        Ok(taken)
    }

    /// The next report: context, status and bytes.
    fn report(&mut self) -> Result<[u64; 3]> {
        for _ in 0..600 {
            if self.dut.is("retire_valid")? {
                assert!(!self.dut.is("retire_eop")?);
                let mut report = [0; 3];
                for (value, port) in
                    report
                        .iter_mut()
                        .zip(["retire_ctx", "retire_status", "retire_bytes"])
                {
                    *value = self.dut.get(port)?;
                }
                self.step()?;
                return Ok(report);
            }
            self.step()?;
        }
        panic!("the transfer does not end");
    }
}

/// The stream has filled the data FIFO while a block of the list was awaited; then the transfer fails. It ends, and the
/// next one takes the stream from where it stands.
#[test]
fn a_transfer_ends_with_a_full_fifo() -> Result {
    let mut dut = dut()?;
    let element = SgElement::new()
        .with_valid(true)
        .with_page_frame(0x12_3456)
        .with_pages(1)
        .with_start_page(31);
    dut.set("max_write", MAX_WRITE)?;
    dut.set("fill_write", true)?;
    dut.set("fill_word", 31)?;
    dut.set_wide("fill_data", &element.to_words())?;
    dut.step()?;
    dut.set("fill_write", false)?;
    for (name, value) in [
        ("s_tvalid", 1),
        ("s_tkeep", 0xffff),
        ("tlp_ready", 1),
        ("retire_ready", 1),
        ("consumed_ready", 1),
    ] {
        dut.set(name, value)?;
    }
    let mut stream = FastStream {
        dut,
        beats: 0,
        windows: Vec::new(),
        sent: Vec::new(),
    };
    let unsupported = Status::ReadUnsupported as u64;
    for (ctx, lane, status) in [
        (3, 0, Status::Aborted as u64),
        (4, 5, Status::Aborted as u64),
        (5, 0, unsupported),
        (6, 11, unsupported),
    ] {
        stream.windows = vec![(ctx << 1, 0)];
        let begin = stream.beats;
        stream.start(ctx, lane, 2 * PAGE)?;
        let mut still = 0;
        while still < 20 {
            still = if stream.step()? { 0 } else { still + 1 };
        }
        let beats = stream.beats - begin;
        assert!(
            beats > PAGE / 16 + 230 && stream.dut.is("list_wait")?,
            "{beats} beats fill nothing"
        );
        if status == unsupported {
            stream.windows.push((ctx << 1 | 1, status));
        } else {
            stream.dut.set("aborts", 1u64 << ctx)?;
        }
        assert_eq!(stream.report()?, [ctx, status, PAGE - lane]);
        assert_eq!(stream.sent.len() as u64, PAGE - lane);
        stream.dut.set("aborts", 0)?;

        let next = stream.beats * 16;
        stream.windows = vec![((ctx + 4) << 1, 0)];
        stream.start(ctx + 4, lane, 64)?;
        assert_eq!(stream.report()?, [ctx + 4, 0, 64]);
        let expected: Vec<u8> = (next..next + 64).map(FastStream::byte).collect();
        assert_eq!(stream.sent[..64], expected, "from lane {lane}");
    }
    Ok(())
}
