//! What a repeat transfer costs the host: instructions retired in `submit` and in `reap`, counted by callgrind.
//!
//! `cargo xtask count` puts the result into `sim/src/run/instructions.toml`, where the co-simulation has it from. By hand:
//!
//! ```text
//! cargo run --release -p pinring-core --example submit_cost              the table (needs valgrind)
//! cargo run --release -p pinring-core --example submit_cost -- json      the same as JSON, one object
//! submit_cost run LENGTH granular|uniform BATCH ROUNDS                   one case, to be run under callgrind
//! ```
//!
//! The platform is plain memory, so that a `dma_write` is a copy, an MMIO write a store, and what is counted is the core. What an
//! operating system adds (lock, IOCTL, MMIO latency) is not in these numbers.

use std::process::Command;

use pinring_core::{
    BufferId, BufferSpan, Config, CopySpan, Device, DmaError, DmaHandle, DmaMemory, MapError,
    Mapping, MappingId, Moderation, NotAvailable, Notify, PageRun, Permissions, Platform,
    QueueConfig, QueueHandle, Tier, TierPolicy, Transfer,
};
use pinring_protocol::registers::{
    self, DeviceStatus, Features, Limits0, Limits1, Version, aperture,
};
use pinring_protocol::ring::{RingIndex, RingSize};
use pinring_protocol::{
    ABI_MAJOR, AdminEntry, AdminOpcode, CompletionEntry, Direction, LAYOUT_HASH, MAGIC,
    QueueContext, Status, SubmissionEntry,
};

/// Submits a batch: what callgrind counts.
#[inline(never)]
pub fn measured_submit(device: &mut Device<Flat>, queue: QueueHandle, batch: &[Transfer]) -> bool {
    device.submit(queue, batch).is_ok()
}

/// Reaps what is there: what callgrind counts.
#[inline(never)]
pub fn measured_reap(device: &mut Device<Flat>, queue: QueueHandle) -> (usize, u64) {
    let mut bytes = 0;
    let count = device.reap(queue, |completion| {
        if completion.status == Status::Ok {
            bytes += completion.bytes;
        }
    });
    (count.unwrap_or(0), bytes)
}

/// Plain memory, one buffer, and a device that completes what it is told to.
pub struct Flat {
    memory: Vec<u8>,
    length: u64,
    /// Pages that are neighbours: 3 make a page-granular table, 1 a uniform one.
    neighbours: u64,
    enabled: bool,
    /// The admin and the data queue: ring addresses, tail, completed.
    queues: [(QueueContext, RingIndex, RingIndex); 2],
}

impl Flat {
    fn complete(&mut self, queue: usize) {
        let (context, tail, completed) = self.queues[queue];
        let Ok(size) = RingSize::new(context.sq_entries_log2()) else {
            return;
        };
        let mut index = completed;
        while index != tail {
            let slot = usize::from(size.slot(index));
            let submission = context.sq_address() as usize + slot * 64;
            let submission = &self.memory[submission..submission + 64];
            // All that was asked for; an admin command moves nothing.
            let (mut cookie, mut moved) = (0, 0);
            if queue != 0 {
                if let Ok(entry) = SubmissionEntry::decode(submission) {
                    (cookie, moved) = (entry.cookie(), entry.length());
                }
            } else if let Ok(entry) = AdminEntry::decode(submission) {
                cookie = entry.cookie();
                if entry.opcode() == Ok(AdminOpcode::CreateQueue) {
                    self.queues[1] = (entry.body(), RingIndex(0), RingIndex(0));
                }
            }
            let entry = CompletionEntry::new()
                .with_cookie(cookie)
                .with_slot(index.0)
                .with_queue(queue as u16)
                .with_bytes_moved(moved)
                .with_phase(size.phase(index));
            let at = context.cq_address() as usize + slot * CompletionEntry::BYTES;
            self.memory[at..at + CompletionEntry::BYTES].copy_from_slice(&entry.encode());
            index = index.plus(1);
        }
        self.queues[queue].2 = index;
    }
}

impl Platform for Flat {
    fn bar0_bytes(&self) -> u64 {
        aperture::BAR0_BYTES.into()
    }

    fn mmio_read32(&mut self, offset: u32) -> u32 {
        let is = |register: &pinring_protocol::describe::Register| register.offset == offset;
        if is(&registers::MAGIC) {
            MAGIC
        } else if is(&registers::VERSION) {
            Version::new().with_major(ABI_MAJOR).raw()
        } else if is(&registers::LIMITS0) {
            Limits0::new().with_queues(16).with_vectors(16).raw()
        } else if is(&registers::LIMITS1) {
            let sizes = Limits1::new()
                .with_data_width_log2(7)
                .with_doorbell_stride_log2(12);
            sizes.with_page_shift(12).with_contexts_log2(4).raw()
        } else if is(&registers::MAX_REGIONS) {
            65536
        } else if is(&registers::STATUS) && self.enabled {
            DeviceStatus::new()
                .with_ready(true)
                .with_firmware_running(true)
                .raw()
        } else {
            0
        }
    }

    fn mmio_read64(&mut self, offset: u32) -> u64 {
        if offset == registers::LAYOUT_HASH.offset {
            LAYOUT_HASH
        } else {
            Features::new().with_uniform_sg(true).raw()
        }
    }

    fn mmio_write32(&mut self, offset: u32, value: u32) {
        if offset == registers::CONTROL.offset {
            self.enabled = value & 1 != 0;
        } else if offset == registers::ADMIN_SIZE.offset {
            let size = registers::AdminSize::from_raw(value);
            self.queues[0].0.set_sq_entries_log2(size.sq_log2());
        }
    }

    fn mmio_write64(&mut self, offset: u32, value: u64) {
        match offset.checked_sub(aperture::DOORBELLS) {
            Some(doorbell) => {
                let queue = (doorbell / aperture::DOORBELL_STRIDE) as usize;
                self.queues[queue].1 = RingIndex(value as u16);
            }
            None if offset == registers::ADMIN_SQ.offset => self.queues[0].0.set_sq_address(value),
            None if offset == registers::ADMIN_CQ.offset => self.queues[0].0.set_cq_address(value),
            None => {}
        }
    }

    fn write_barrier(&mut self) {}

    fn read_barrier(&mut self) {}

    fn now_ns(&mut self) -> u64 {
        0
    }

    fn disable_bus_master(&mut self) -> bool {
        true
    }

    fn dma_alloc(&mut self, bytes: usize, align: usize) -> Result<DmaMemory, DmaError> {
        let start = self.memory.len().next_multiple_of(align);
        self.memory.resize(start + bytes, 0);
        Ok(DmaMemory {
            handle: DmaHandle(start as u64),
            bus_address: start as u64,
            bytes,
        })
    }

    fn dma_free(&mut self, _: DmaMemory) {}

    fn dma_write(&mut self, handle: DmaHandle, offset: usize, bytes: &[u8]) {
        let start = handle.0 as usize + offset;
        self.memory[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn dma_read(&mut self, handle: DmaHandle, offset: usize, bytes: &mut [u8]) {
        let start = handle.0 as usize + offset;
        bytes.copy_from_slice(&self.memory[start..start + bytes.len()]);
    }

    fn buffer_span(&mut self, _: BufferId) -> Option<BufferSpan> {
        Some(BufferSpan {
            first_byte_offset: 0,
            length: self.length,
        })
    }

    fn map_persistent(&mut self, _: BufferId, _: Tier) -> Result<Mapping, NotAvailable> {
        Ok(Mapping {
            id: MappingId(1),
            first_byte_offset: 0,
            length: self.length,
        })
    }

    fn unmap_persistent(&mut self, _: MappingId) {}

    fn max_transfer_mapping(&self) -> u64 {
        1 << 22
    }

    fn map_transfer(
        &mut self,
        _: BufferId,
        _: u64,
        _: u64,
        _: Direction,
    ) -> Result<Mapping, MapError> {
        Err(MapError::NoMapRegisters)
    }

    fn unmap_transfer(&mut self, _: MappingId) {}

    fn pages(&mut self, _: MappingId, cursor: &mut u64, runs: &mut [PageRun]) -> usize {
        let (all, mut count) = (self.length.div_ceil(4096), 0);
        for run in runs {
            if *cursor == all {
                break;
            }
            // A gap after every few neighbours.
            *run = PageRun {
                frame: (1 << 20) + 1 + *cursor + *cursor / self.neighbours,
                pages: 1,
            };
            *cursor += 1;
            count += 1;
        }
        count
    }

    fn copy(&mut self, _: CopySpan) -> bool {
        false
    }
}

fn run(
    length: u64,
    neighbours: u64,
    batch: usize,
    rounds: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let platform = Flat {
        memory: vec![0; 4096],
        length,
        neighbours,
        enabled: false,
        queues: [(QueueContext::new(), RingIndex(0), RingIndex(0)); 2],
    };
    let mut device = Device::open(
        platform,
        Config {
            regions: 64,
            lists: 0,
            ..Config::default()
        },
    )?;
    while !device.poll_start(1)? {}
    let (queue, _) = device.create_queue(QueueConfig {
        direction: Direction::C2h,
        domain: 1,
        entries: 64,
        vector: 1,
        tdest_first: 0,
        tdest_last: 0,
        notify: Notify::Interrupt(Moderation::NONE),
    })?;
    device.platform_mut().complete(0);
    device.poll_admin()?.ok_or("no queue")?.result?;
    let region = device.register(
        BufferId(1),
        Permissions::BOTH,
        1,
        TierPolicy::exactly(Tier::Bypass),
    )?;
    let mut transfers = vec![
        Transfer {
            region,
            offset: 0,
            length: 4096,
            tdest: 0,
            user: 0,
            cookie: 0
        };
        batch
    ];
    let mut seed = 1u64;
    for _ in 0..rounds {
        // From anywhere to the buffer's end.
        for transfer in &mut transfers {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            transfer.offset = (seed >> 20) % length;
            transfer.length = length - transfer.offset;
        }
        let bytes = transfers.iter().map(|transfer| transfer.length).sum();
        assert!(measured_submit(&mut device, queue, &transfers));
        device.platform_mut().complete(1);
        assert_eq!(measured_reap(&mut device, queue), (batch, bytes));
    }
    Ok(())
}

/// Instructions per call of a function, by callgrind.
fn count(
    function: &str,
    length: u64,
    format: &str,
    batch: usize,
) -> Result<u64, Box<dyn std::error::Error>> {
    const ROUNDS: u64 = 1000;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
        ])
        .arg(format!("--toggle-collect=*{function}*"))
        .arg(std::env::current_exe()?)
        .args([
            "run",
            &length.to_string(),
            format,
            &batch.to_string(),
            &ROUNDS.to_string(),
        ])
        .output()
        .map_err(|error| format!("cannot start valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed ({})\n{text}", output.status).into());
    }
    let line = text
        .lines()
        .find(|line| line.contains("Collected :"))
        .ok_or_else(|| text.to_string())?;
    let collected: u64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
    Ok(collected.div_ceil(ROUNDS))
}

fn table(json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut cases = Vec::new();
    for format in ["granular", "uniform"] {
        for length in [4 << 10, 64 << 10, 1 << 20, 70 << 20, 2u64 << 30] {
            for batch in [1, 8] {
                let submit = count("measured_submit", length, format, batch)?;
                let reap = count("measured_reap", length, format, batch)?;
                cases.push((format, length, batch, submit, reap));
            }
        }
    }
    if json {
        let objects = cases.iter().map(|(format, length, batch, submit, reap)| {
            format!(r#"{{"format":"{format}","length":{length},"batch":{batch},"submit":{submit},"reap":{reap}}}"#)
        });
        println!(
            r#"{{"schema":1,"unit":"instructions per call, counted","cases":[{}]}}"#,
            objects.collect::<Vec<_>>().join(",")
        );
    } else {
        println!(
            "{:9} {:>11} {:>6} {:>8} {:>6}   instructions per call, counted",
            "table", "bytes", "batch", "submit", "reap"
        );
        for (format, length, batch, submit, reap) in cases {
            println!("{format:9} {length:>11} {batch:>6} {submit:>8} {reap:>6}");
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table(false),
        ["json"] => table(true),
        ["run", length, format, batch, rounds] => {
            let neighbours = if format == "uniform" { 1 } else { 3 };
            run(length.parse()?, neighbours, batch.parse()?, rounds.parse()?)
        }
        _ => Err("usage: submit_cost [json | run LENGTH granular|uniform BATCH ROUNDS]".into()),
    }
}
