//! The demo device under Verilator, firmware and all, before a host of a few pages of memory.
//!
//! `cargo xtask test` builds the firmware, fetches the processor and says where both are.

use super::super::pattern;
use super::super::testing::{bytes, words};
use super::verilog;
use crate::testing::{check_with_processor, file};
use pinring_protocol::registers::{self, AdminSize, Control, aperture};
use pinring_protocol::{
    AdminEntry, AdminOpcode, CompletionEntry, Direction, Doorbell, MAGIC, Opcode, QueueContext,
    RegionEntry, SgElement, SgFormat, Status, SubmissionEntry,
};
use pinring_verilator::{Instance, Model, Port, Spec};
use std::collections::VecDeque;

/// Bus address of the host's memory.
const BASE: u64 = 0x12_3400_0000;
/// Its bytes.
const MEMORY: usize = 0x1_0000;
/// Submission and completion ring of queue q: pages 2q and 2q + 1.
const QUEUES: u64 = 3;
const REGION_TABLE: u64 = 0x6000;
const SG_TABLE: u64 = 0x7000;
/// The region's pages.
const REGION: u64 = 0x8000;
const RING_LOG2: u8 = 4;
const C2H: u64 = 1;
const H2C: u64 = 2;
/// Half a cycle of the engine's clock, in picoseconds.
const HALF_PERIOD: u64 = 2_000;

/// Ports of module `top`, as its Verilog declares them.
fn ports(verilog: &str) -> Vec<Port> {
    let top = verilog.split("module top(").nth(1).expect("module top");
    let body = top.split("endmodule").next().expect("its end");
    let declaration = |line: &str| {
        let line = line.trim().strip_suffix(';')?;
        let (direction, rest) = line.split_once(' ')?;
        let name = rest.split_whitespace().last()?;
        let high = rest
            .split_once('[')
            .and_then(|(_, rest)| rest.split(':').next());
        let width = high.map_or(1, |high| 1 + high.parse::<usize>().expect("a number"));
        match direction {
            "input" => Some(Port::input(name, width)),
            "output" => Some(Port::output(name, width)),
            _ => None,
        }
    };
    body.lines().filter_map(declaration).collect()
}

/// Verilog of the demo device with a bus of `width` bytes, after lint and yosys.
fn checked_verilog(width: usize) -> String {
    let processor = std::fs::read_to_string(file("PINRING_VEXRISCV")).expect("VexRiscv_Lite.v");
    let verilog = verilog(8 * width, &processor).expect("the demo device can be emitted");
    check_with_processor(&verilog, &processor);
    verilog
}

struct Host {
    /// Bytes of a beat.
    width: usize,
    device: Instance,
    model: Model,
    memory: Vec<u8>,
    cycle: u64,
    /// Writes to BAR0: byte offset and bytes, 4 or 8 of them.
    requests: VecDeque<(u64, Vec<u8>)>,
    /// Reads of the device: tag, bus address of the first byte, bytes, DWs.
    reads: VecDeque<(u64, u64, u64, u64)>,
    /// Beats of the first of them that were sent.
    sent: u64,
    /// The write that is being received.
    write: Vec<u8>,
    /// Bus addresses that answer with Unsupported Request.
    hole: std::ops::Range<u64>,
    /// Entries submitted to each queue.
    tails: [u16; QUEUES as usize],
    /// The answer to a read of BAR0.
    answer: Option<u64>,
}

impl Host {
    fn new(width: usize) -> Self {
        let verilog = checked_verilog(width);
        let spec = Spec {
            ports: ports(&verilog),
            verilog,
            top: "top".into(),
            plusargs: vec![format!(
                "+firmware={}",
                file("PINRING_FIRMWARE_HEX").display()
            )],
            ..Spec::default()
        };
        let model = Model::build(&spec).expect("the demo device builds");
        let mut host = Self {
            width,
            device: model.instance().expect("an instance"),
            model,
            memory: vec![0; MEMORY],
            cycle: 0,
            requests: VecDeque::new(),
            reads: VecDeque::new(),
            sent: 0,
            write: Vec::new(),
            hole: 0..0,
            tails: [0; QUEUES as usize],
            answer: None,
        };
        for (port, value) in [
            ("cfg_mps", 1),
            ("cfg_mrrs", 2),
            ("cfg_bus_master", 1),
            ("cfg_cpl_headers", 64),
            ("cfg_cpl_data", 1024),
            ("tx_ready", 1),
            ("reset", 1),
        ] {
            host.set(port, value);
        }
        host.run(32);
        host.set("reset", 0);
        host.until("the firmware is up", |host| host.get("busy") == 0);
        host.start();
        host
    }

    fn set(&mut self, port: &str, value: u64) {
        let port = self
            .model
            .port(port)
            .unwrap_or_else(|| panic!("no port {port}"));
        self.device.set(port, value);
    }

    fn get(&self, port: &str) -> u64 {
        let port = self
            .model
            .port(port)
            .unwrap_or_else(|| panic!("no port {port}"));
        self.device.get(port)
    }

    fn set_data(&mut self, port: &str, lane: usize, data: &[u8]) {
        let mut beat = vec![0; self.width];
        beat[lane..lane + data.len()].copy_from_slice(data);
        let port = self.model.port(port).expect("a port of a beat");
        self.device.wide_mut(port).copy_from_slice(&words(&beat));
    }

    /// Memory at a bus address.
    fn place(&mut self, address: u64, length: usize) -> &mut [u8] {
        let at = address.checked_sub(BASE).expect("an address of the host's") as usize;
        &mut self.memory[at..at + length]
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.place(BASE + offset, bytes.len())
            .copy_from_slice(bytes);
    }

    /// One cycle of the engine's clock, two of which are one of the core's.
    fn step(&mut self) {
        self.show_completion();
        self.show_request();
        self.device.eval().expect("it runs");
        self.receive();
        let request_taken = self.get("req_valid") == 1 && self.get("req_ready") == 1;
        if request_taken {
            self.requests.pop_front();
        }
        for clock in [1, 0] {
            let time = self.device.time();
            self.device.set_time(time + HALF_PERIOD);
            self.set("clock", clock);
            if clock == 1 {
                self.set("core_clock", self.cycle & 1);
            }
            self.device.eval().expect("it runs");
        }
        self.cycle += 1;
    }

    fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| self.step());
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..1_000_000 {
            self.step();
            if done(self) {
                return;
            }
        }
        panic!("in 4 ms it never came that {what}");
    }

    fn show_request(&mut self) {
        let Some((offset, data)) = self.requests.front().cloned() else {
            return self.set("req_valid", 0);
        };
        // An empty write stands for a read of one DW.
        let dws = (data.len() as u64 / 4).max(1);
        for (port, value) in [
            ("req_valid", 1),
            ("req_sop", 1),
            ("req_eop", 1),
            ("req_write", u64::from(!data.is_empty())),
            ("req_addr", offset),
            ("req_len", dws),
            ("req_first_be", 15),
            ("req_last_be", if dws == 1 { 0 } else { 15 }),
            ("req_tag", 0x155),
            ("req_id", 0xbeef),
        ] {
            self.set(port, value);
        }
        self.set_data("req_data", offset as usize % self.width, &data);
    }

    /// A beat of the completion of the oldest read.
    fn show_completion(&mut self) {
        let Some(&(tag, address, length, dws)) = self.reads.front() else {
            return self.set("cpl_valid", 0);
        };
        let refused = self.hole.contains(&address);
        let width = self.width as u64;
        let first = address / width * width;
        let last = first + width * (self.sent + 1) >= (address & !3) + 4 * dws;
        for (port, value) in [
            ("cpl_valid", 1),
            ("cpl_sop", u64::from(self.sent == 0)),
            ("cpl_eop", u64::from(last || refused)),
            ("cpl_tag", tag),
            ("cpl_len", if refused { 0 } else { dws }),
            ("cpl_byte_count", length),
            ("cpl_lower_addr", address & 0x7f),
            ("cpl_status", u64::from(refused)),
        ] {
            self.set(port, value);
        }
        let at = first + width * self.sent;
        let data = self.place(at, self.width).to_vec();
        self.set_data("cpl_data", 0, &data);
        self.sent += 1;
        if last || refused {
            self.sent = 0;
            self.reads.pop_front();
        }
    }

    /// Takes the device's beat.
    fn receive(&mut self) {
        if self.get("tx_valid") == 0 {
            return;
        }
        let [address, dws, first_be, last_be] =
            ["tx_addr", "tx_len", "tx_first_be", "tx_last_be"].map(|port| self.get(port));
        let port = self.model.port("tx_data").expect("a port");
        let beat = bytes(self.device.wide(port));
        match self.get("tx_kind") {
            0 => {
                if self.get("tx_sop") == 1 {
                    self.write.clear();
                }
                self.write.extend(beat);
                if self.get("tx_eop") == 1 {
                    let data = std::mem::take(&mut self.write);
                    let lane = address % self.width as u64;
                    for byte in 0..4 * dws {
                        let enables = match byte / 4 {
                            0 => first_be,
                            dw if dw == dws - 1 => last_be,
                            _ => 15,
                        };
                        if enables >> (byte % 4) & 1 == 1 {
                            self.place(address + byte, 1)[0] = data[(lane + byte) as usize];
                        }
                    }
                }
            }
            1 => {
                // From the first to the last byte that is enabled (PCIe Base Spec 5.0, table 2-38).
                let skipped = u64::from(first_be.trailing_zeros());
                let end_be = if dws == 1 { first_be } else { last_be };
                let spare = u64::from((end_be as u8).leading_zeros()) - 4;
                let length = 4 * dws - skipped - spare;
                self.reads
                    .push_back((self.get("tx_tag"), address + skipped, length, dws));
            }
            2 => {
                let header = ["tx_tag", "tx_id", "tx_byte_count", "tx_status"];
                assert_eq!(header.map(|port| self.get(port)), [0x155, 0xbeef, 4, 0]);
                let lane = address as usize % self.width;
                let data = beat[lane..lane + 4].try_into().expect("a DW");
                self.answer = Some(u32::from_le_bytes(data).into());
            }
            kind => panic!("TLP of kind {kind}"),
        }
    }

    fn write(&mut self, offset: u32, data: &[u8]) {
        self.requests.push_back((offset.into(), data.to_vec()));
    }

    /// Reads a register, creates the queues and registers the region.
    fn start(&mut self) {
        self.requests
            .push_back((registers::MAGIC.offset.into(), Vec::new()));
        self.until("MAGIC is read", |host| host.answer.is_some());
        assert_eq!(self.answer.take(), Some(MAGIC.into()));

        let element = SgElement::new()
            .with_valid(true)
            .with_page_frame((BASE + REGION) >> 12)
            .with_pages(8);
        let region = RegionEntry::new()
            .with_sg_table(BASE + SG_TABLE)
            .with_length(8 * 4096)
            .with_element_count(1)
            .with_generation(1)
            .with_allow_c2h(true)
            .with_allow_h2c(true)
            .with_format(SgFormat::PageGranular)
            .with_page_shift(12);
        self.put(SG_TABLE, &element.encode());
        self.put(REGION_TABLE, &region.encode());
        let size = AdminSize::new()
            .with_sq_log2(RING_LOG2)
            .with_cq_log2(RING_LOG2);
        self.write(registers::ADMIN_SQ.offset, &BASE.to_le_bytes());
        self.write(registers::ADMIN_CQ.offset, &(BASE + 0x1000).to_le_bytes());
        self.write(registers::ADMIN_SIZE.offset, &size.raw().to_le_bytes());
        self.write(
            registers::REGION_TABLE.offset,
            &(BASE + REGION_TABLE).to_le_bytes(),
        );
        self.write(registers::REGION_COUNT.offset, &1u32.to_le_bytes());
        let control = Control::new().with_enable(true);
        self.write(registers::CONTROL.offset, &control.raw().to_le_bytes());
        self.run(1000);
        for (queue, direction) in [(C2H, Direction::C2h), (H2C, Direction::H2c)] {
            let context = QueueContext::new()
                .with_sq_address(BASE + queue * 0x2000)
                .with_cq_address(BASE + queue * 0x2000 + 0x1000)
                .with_sq_entries_log2(RING_LOG2)
                .with_cq_entries_log2(RING_LOG2)
                .with_direction(direction)
                .with_tdest_last(7);
            let entry = AdminEntry::new()
                .with_opcode(AdminOpcode::CreateQueue)
                .with_index(self.tails[0])
                .with_target(queue as u32)
                .with_body(context);
            assert_eq!(self.submit(0, &entry.encode()).status(), Ok(Status::Ok));
        }
    }

    /// Submits an entry and waits for its completion.
    fn submit(&mut self, queue: u64, entry: &[u8; 64]) -> CompletionEntry {
        let index = self.tails[queue as usize];
        assert!(index < 1 << RING_LOG2, "the phase is that of the first lap");
        let ring = queue * 0x2000;
        self.put(ring + u64::from(index) * 64, entry);
        self.tails[queue as usize] += 1;
        let doorbell = Doorbell::new().with_sq_tail(index + 1).with_cq_head(index);
        let page = aperture::DOORBELLS + queue as u32 * aperture::DOORBELL_STRIDE;
        self.write(page + aperture::DOORBELL, &doorbell.encode());
        let at = (ring + 0x1000 + u64::from(index) * 32) as usize;
        let read = |host: &Self| {
            CompletionEntry::decode(&host.memory[at..at + 32]).expect("a completion entry")
        };
        self.until("a completion is written", |host| read(host).phase());
        let entry = read(self);
        assert_eq!((entry.slot(), u64::from(entry.queue())), (index, queue));
        entry
    }

    fn transfer(&mut self, queue: u64, offset: u64, length: u64) -> CompletionEntry {
        let opcode = if queue == C2H {
            Opcode::C2h
        } else {
            Opcode::H2c
        };
        let entry = SubmissionEntry::new()
            .with_opcode(opcode)
            .with_index(self.tails[queue as usize])
            .with_offset(offset)
            .with_length(length)
            .with_generation(1)
            .with_tdest(5);
        self.submit(queue, &entry.encode())
    }

    /// Counts of the sink: bytes, packets, mismatches, errors, first wrong packet and position.
    fn sink(&self) -> [u64; 6] {
        assert_eq!(self.get("sink_malformed"), 0);
        [
            "sink_bytes",
            "sink_packets",
            "sink_mismatches",
            "sink_errors",
            "sink_wrong_packet",
            "sink_wrong_position",
        ]
        .map(|port| self.get(port))
    }
}

/// What the source sends arrives in host memory, what the host prepares satisfies the sink, and damage is found.
fn every_byte(width: usize) {
    let mut host = Host::new(width);

    // A packet of 5003 bytes, taken by two transfers.
    for (port, value) in [
        ("source_length", 5003),
        ("source_seed", 0xc0ff_ee00),
        ("source_dest", 5),
        ("source_enable", 1),
    ] {
        host.set(port, value);
    }
    let first = host.transfer(C2H, 101, 3000);
    assert_eq!(
        (first.status(), first.bytes_moved()),
        (Ok(Status::Ok), 3000)
    );
    assert!(!first.eop());
    let second = host.transfer(C2H, 8195, 10_000);
    assert_eq!(
        (second.status(), second.bytes_moved()),
        (Ok(Status::Ok), 2003)
    );
    assert!(second.eop());
    let region = &host.memory[REGION as usize..];
    assert_eq!(pattern::mismatch(&region[101..3101], 0, 0xc0ff_ee00), None);
    assert_eq!(
        pattern::mismatch(&region[8195..10_198], 3000, 0xc0ff_ee00),
        None
    );
    let untouched = [&region[..101], &region[3101..8195], &region[10_198..]].concat();
    assert!(untouched.iter().all(|byte| *byte == 0));
    assert_eq!(host.get("source_packets"), 1);

    // A packet for the sink, whole, then with a wrong byte, then cut short by an unmapped page.
    let mut packet = vec![0; 6001];
    pattern::fill(&mut packet, 0, 77);
    host.put(REGION + 3, &packet);
    host.set("sink_seed", 77);
    let done = host.transfer(H2C, 3, 6001);
    assert_eq!((done.status(), done.bytes_moved()), (Ok(Status::Ok), 6001));
    assert_eq!(host.sink(), [6001, 1, 0, 0, 0, 0]);
    host.memory[REGION as usize + 3 + 4321] ^= 0x10;
    host.transfer(H2C, 3, 6001);
    assert_eq!(host.sink(), [12_002, 2, 1, 0, 1, 4321]);
    host.set("sink_clear", 1);
    host.step();
    host.set("sink_clear", 0);
    host.hole = BASE + REGION + 0x1000..BASE + REGION + 0x2000;
    let failed = host.transfer(H2C, 3, 6001);
    assert_eq!(failed.status(), Ok(Status::ReadUnsupported));
    host.run(10);
    let [bytes, packets, mismatches, errors, ..] = host.sink();
    assert_eq!((packets, mismatches, errors), (1, 0, 1));
    assert!(bytes < 4096);
}

#[test]
fn host_and_user_logic_agree_on_every_byte_64() {
    every_byte(8);
}

#[test]
fn host_and_user_logic_agree_on_every_byte() {
    every_byte(16);
}

#[test]
fn host_and_user_logic_agree_on_every_byte_256() {
    every_byte(32);
}

#[test]
fn host_and_user_logic_agree_on_every_byte_512() {
    every_byte(64);
}
