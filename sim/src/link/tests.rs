//! The link as a whole, driven by small device models.

use std::collections::VecDeque;

use super::*;
use crate::host::{Host, Mapping, Payload, PhysicalMemory};

const BASE: u64 = 0x12_0000_0000;
const PATTERN: Payload = Payload::Pattern { seed: 77 };

/// A device with an ideal engine: sends a list of TLPs without a gap, keeps what it receives.
struct Bench {
    link: Link,
    host: Host,
    period_ps: u64,
    now_ps: u64,
    tx: TxPorts,
    /// Beats to send.
    beats: VecDeque<TxPorts>,
    req_ready: bool,
    /// Beats received in each cycle with one: (time, ports).
    received: Vec<(u64, RxPorts)>,
    /// Requests taken: (time, header fields and first data).
    requests: Vec<(u64, ReqPort)>,
}

impl Bench {
    fn new(config: LinkConfig, period_ps: u64) -> Self {
        let host = Host::new(PhysicalMemory::new(46), Mapping::Identity);
        let mut link = Link::new(config).unwrap();
        link.set_bus_master(true);
        Self {
            link,
            host,
            period_ps,
            now_ps: 0,
            tx: TxPorts::default(),
            beats: VecDeque::new(),
            req_ready: true,
            received: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Queues a TLP; the pattern at its address is its payload.
    fn send(&mut self, header: TlpHeader) {
        let width = self.link.config().width_bytes;
        let lane = header.lane() % width;
        let count = (lane + header.payload_bytes()).div_ceil(width).max(1);
        let first = header.address & !(width as u64 - 1);
        for beat in 0..count {
            let mut tx = TxPorts {
                valid: true,
                sop: beat == 0,
                eop: beat + 1 == count,
                ..TxPorts::default()
            };
            tx.set_header(&header);
            if header.kind == TlpKind::MemoryWrite {
                PATTERN.fill(first + (beat * width) as u64, &mut tx.data[..width]);
            }
            self.beats.push_back(tx);
        }
    }

    fn write(&mut self, address: u64, bytes: u16) {
        let (len_dw, last_be) = (bytes / 4, if bytes == 4 { 0 } else { 0xf });
        self.send(TlpHeader {
            address,
            len_dw,
            first_be: 0xf,
            last_be,
            ..TlpHeader::default()
        });
    }

    fn read(&mut self, tag: u16, address: u64, bytes: u16) {
        let (len_dw, last_be) = (bytes / 4, if bytes == 4 { 0 } else { 0xf });
        let kind = TlpKind::MemoryRead;
        self.send(TlpHeader {
            kind,
            tag,
            address,
            len_dw,
            first_be: 0xf,
            last_be,
            ..TlpHeader::default()
        });
    }

    fn cycle(&mut self) {
        assert!(self.now_ps < 20_000_000_000, "nothing ends after 20 ms");
        let ports = *self.link.begin_cycle(self.now_ps, &mut self.host).unwrap();
        if !self.tx.valid {
            self.tx = self.beats.pop_front().unwrap_or_default();
        }
        let tx = self.tx;
        self.link
            .end_cycle(self.now_ps, &tx, self.req_ready)
            .unwrap();
        if tx.valid && ports.tx_ready {
            self.tx = TxPorts::default();
        }
        if ports.cpl.valid {
            self.received.push((self.now_ps, ports));
        }
        if ports.req.valid && self.req_ready {
            self.requests.push((self.now_ps, ports.req));
        }
        self.now_ps += self.period_ps;
    }

    fn run_until_idle(&mut self) {
        while !(self.beats.is_empty() && !self.tx.valid && self.link.is_idle()) {
            self.cycle();
        }
    }
}

fn all_links() -> Vec<LinkConfig> {
    let mut links = Vec::new();
    for (generation, lanes) in [
        (Generation::Gen1, 1),
        (Generation::Gen2, 8),
        (Generation::Gen3, 4),
        (Generation::Gen3, 16),
        (Generation::Gen4, 16),
    ] {
        for mps in [128, 256, 512] {
            let max_completion_payload = mps;
            links.push(LinkConfig {
                generation,
                lanes,
                mps,
                max_completion_payload,
                width_bytes: 64,
                ..LinkConfig::default()
            });
        }
    }
    links
}

/// A device that always has a write to send gets the whole ceiling, and every byte arrives.
#[test]
fn a_perfect_writer_reaches_the_ceiling() {
    for config in all_links() {
        let mps = config.mps;
        let ceiling = config.ceiling_bytes_per_second(Direction::Upstream);
        let mut bench = Bench::new(config, 2000);
        for index in 0..2000u64 {
            bench.write(BASE + index * u64::from(mps), mps);
        }
        bench.run_until_idle();
        let statistics = *bench.link.statistics();
        let reached = statistics.upstream.payload_bytes_per_second() / ceiling;
        assert!(
            (0.999..1.00001).contains(&reached),
            "{reached} of the ceiling, {:?}",
            bench.link.config()
        );
        assert_eq!(statistics.upstream.payload_bytes, 2000 * u64::from(mps));
        assert!(statistics.tx_stalled > 0, "the wire was the limit");
        let mut data = vec![0; 2000 * usize::from(mps)];
        bench.host.memory.read(BASE, &mut data).unwrap();
        assert_eq!(PATTERN.compare(BASE, &data), Ok(()));
    }
}

/// A device with enough tags gets the whole ceiling of completions, and every byte arrives in its lane.
#[test]
fn a_perfect_reader_reaches_the_ceiling() {
    const TAGS: u64 = 64;
    const READS: u64 = 2000;
    for config in all_links() {
        let ceiling = config.ceiling_bytes_per_second(Direction::Downstream);
        let (mps, width) = (u64::from(config.mps), config.width_bytes as u64);
        let mut bench = Bench::new(config, 2000);
        let mut data = vec![0; (READS * 512) as usize];
        PATTERN.fill(BASE, &mut data);
        bench.host.memory.write(BASE, &data).unwrap();
        let (mut issued, mut done) = (0, 0);
        let mut seen = 0;
        let mut address = [0u64; TAGS as usize];
        while done < READS {
            while issued < READS && issued < done + TAGS {
                let at = BASE + issued * 512;
                // Completions come in the order of the reads, so tags become free in turn.
                address[(issued % TAGS) as usize] = at;
                bench.read((issued % TAGS) as u16, at, 512);
                issued += 1;
            }
            bench.cycle();
            for (_, ports) in bench.received.drain(..) {
                let place = &mut address[usize::from(ports.cpl.tag)];
                assert_eq!(
                    PATTERN.compare(*place, &ports.cpl.data[..width as usize]),
                    Ok(())
                );
                *place += width;
                seen += width;
                done += u64::from(ports.cpl.eop && u64::from(ports.cpl.byte_count) <= mps);
            }
        }
        assert_eq!(seen, READS * 512);
        let statistics = bench.link.statistics();
        let reached = statistics.downstream.payload_bytes_per_second() / ceiling;
        assert!(
            (0.999..1.00001).contains(&reached),
            "{reached} of the ceiling, {:?}",
            bench.link.config()
        );
    }
}

/// At every width and DW offset, a byte travels in lane address mod B, out and back.
#[test]
fn bytes_keep_their_lanes() {
    for width in [8, 16, 32, 64] {
        let mut bench = Bench::new(
            LinkConfig {
                width_bytes: width,
                ..LinkConfig::default()
            },
            4000,
        );
        for offset in (0..64).step_by(4) {
            bench.write(BASE + offset * 257, 100);
        }
        bench.run_until_idle();
        for offset in (0..64).step_by(4) {
            let mut data = [0; 100];
            bench
                .host
                .memory
                .read(BASE + offset * 257, &mut data)
                .unwrap();
            assert_eq!(
                PATTERN.compare(BASE + offset * 257, &data),
                Ok(()),
                "written, width {width}"
            );
            bench.read((offset / 4) as u16, BASE + offset * 257, 100);
        }
        bench.run_until_idle();
        let mut place = [0; 16];
        for (_, ports) in &bench.received {
            let cpl = &ports.cpl;
            let next = &mut place[usize::from(cpl.tag)];
            if cpl.sop {
                let end = BASE + u64::from(cpl.tag) * 4 * 257 + 100;
                *next = end - u64::from(cpl.byte_count);
                assert_eq!(*next & 0x7f, u64::from(cpl.lower_address));
            }
            let lane = (*next % width as u64) as usize;
            let end = BASE + u64::from(cpl.tag) * 4 * 257 + 100;
            let bytes = (width - lane).min((end - *next) as usize);
            assert_eq!(
                PATTERN.compare(*next, &cpl.data[lane..lane + bytes]),
                Ok(()),
                "read, width {width}"
            );
            *next += bytes as u64;
        }
        let ends: Vec<u64> = (0..16).map(|tag| BASE + tag * 4 * 257 + 100).collect();
        assert_eq!(place[..], ends[..]);
    }
}

/// Read requests take 24 bytes each of the transmit direction.
#[test]
fn reads_take_their_share_of_the_transmit_direction() {
    let config = LinkConfig {
        one_way_ps: 0,
        turnaround_ps: 0,
        ..LinkConfig::default()
    };
    let byte_ps = 1e12 / config.tlp_bytes_per_second();
    let mut bench = Bench::new(config, 2000);
    for tag in 0..200 {
        bench.read(tag, BASE, 4);
    }
    bench.run_until_idle();
    let busy = bench.link.statistics().upstream.busy_ps as f64;
    assert!(
        (busy / (200.0 * 24.0 * byte_ps) - 1.0).abs() < 1e-4,
        "{busy} ps"
    );
}

/// Time from a lone read to its data: serialisation, there, turn-around, back.
#[test]
fn the_round_trip_takes_its_time() {
    let config = LinkConfig::default();
    let byte_ps = 1e12 / config.tlp_bytes_per_second();
    let mut bench = Bench::new(config, 100);
    bench.read(0, BASE, 64);
    bench.run_until_idle();
    let expected = 150_000.0 + 300_000.0 + 150_000.0 + byte_ps * f64::from(24 + 84);
    let first = bench.received[0].0 as f64;
    assert!(
        (expected..expected + 200.0).contains(&first),
        "{first} ps, not {expected}"
    );
}

/// A read behind a write returns the write's data; an interrupt behind a write finds it in memory.
#[test]
fn reads_and_interrupts_stay_behind_writes() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    bench.write(BASE, 256);
    bench.read(0, BASE, 64);
    bench.write(0xfee0_2000, 4);
    while bench.link.statistics().interrupts == 0 {
        bench.cycle();
    }
    let mut data = [0; 256];
    bench.host.memory.read(BASE, &mut data).unwrap();
    assert_eq!(PATTERN.compare(BASE, &data), Ok(()));
    let mut message = [0; 4];
    PATTERN.fill(0xfee0_2000, &mut message);
    let Some(HostEvent::Interrupt {
        at_ps,
        address,
        data,
    }) = bench.link.pop_event()
    else {
        panic!("no interrupt")
    };
    assert_eq!((address, data), (0xfee0_2000, u32::from_le_bytes(message)));
    assert!(at_ps >= 150_000 && at_ps <= bench.now_ps);
    bench.run_until_idle();
    assert_eq!(
        PATTERN.compare(BASE, &bench.received[0].1.cpl.data[..16]),
        Ok(())
    );
    assert_eq!(
        bench.host.memory.resident_pages(),
        1,
        "the interrupt message is no memory write"
    );
}

/// Byte enables, down to a single byte and holes, write exactly the bytes that they enable.
#[test]
fn byte_enables_select_bytes() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    bench.host.memory.write(BASE, &[0xee; 64]).unwrap();
    let cases = [
        (0, 1, 0b0101, 0),
        (8, 2, 0b0110, 0b1001),
        (16, 3, 0b1000, 0b0001),
        (32, 1, 0, 0),
        (36, 4, 0xf, 0xf),
    ];
    for (offset, len_dw, first_be, last_be) in cases {
        let address = BASE + offset;
        bench.send(TlpHeader {
            address,
            len_dw,
            first_be,
            last_be,
            ..TlpHeader::default()
        });
    }
    bench.run_until_idle();
    let enabled = [0, 2, 9, 10, 12, 15]
        .into_iter()
        .chain(19..25)
        .chain(36..52);
    let mut expected = [0xee; 64];
    let mut pattern = [0; 64];
    PATTERN.fill(BASE, &mut pattern);
    enabled.for_each(|byte: usize| expected[byte] = pattern[byte]);
    let mut found = [0; 64];
    bench.host.memory.read(BASE, &mut found).unwrap();
    assert_eq!(found, expected);
}

/// MMIO requests reach the pins in order, aligned to their lanes; a waiting device holds them.
#[test]
fn mmio_requests_arrive_in_order() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    let line: Vec<u8> = (0..64).collect();
    bench.link.mmio_write(10_000, 0x40, &line).unwrap();
    bench
        .link
        .mmio_write(10_000, 0x1007, &[0xaa, 0xbb])
        .unwrap();
    let handle = bench.link.mmio_read(20_000, 0x2004, 8).unwrap();
    bench.req_ready = false;
    while !bench.link.device_busy() {
        bench.cycle();
    }
    for _ in 0..100 {
        bench.cycle();
    }
    assert!(bench.requests.is_empty());
    bench.req_ready = true;
    while bench.requests.len() < 6 {
        bench.cycle();
    }
    let requests: Vec<ReqPort> = bench.requests.iter().map(|&(_, request)| request).collect();
    for (beat, request) in requests[..4].iter().enumerate() {
        assert_eq!(
            (request.write, request.address, request.len_dw),
            (true, 0x40, 16)
        );
        assert_eq!((request.sop, request.eop), (beat == 0, beat == 3));
        assert_eq!(request.data[..16], line[beat * 16..beat * 16 + 16]);
    }
    assert_eq!(
        (requests[4].address, requests[4].len_dw),
        (0x1004, 2),
        "cut inside the line of DW 0x1004 and 0x1008"
    );
    assert_eq!(
        (requests[4].first_be, requests[4].last_be),
        (0b1000, 0b0001)
    );
    assert_eq!((requests[4].data[7], requests[4].data[8]), (0xaa, 0xbb));
    assert_eq!(
        (requests[5].write, requests[5].address, requests[5].len_dw),
        (false, 0x2004, 2)
    );

    // The device answers behind a write of its own.
    bench.write(BASE, 256);
    let mut answer = TlpHeader {
        kind: TlpKind::CompletionData,
        address: 4,
        len_dw: 2,
        ..TlpHeader::default()
    };
    (answer.tag, answer.byte_count) = (requests[5].tag, 8);
    bench.send(answer);
    let last = bench.beats.len() - 1;
    bench.beats[last].data[4..12].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    bench.run_until_idle();
    let Some(HostEvent::MmioRead {
        handle: found,
        result,
        ..
    }) = bench.link.pop_event()
    else {
        panic!("no answer")
    };
    assert_eq!((found, result), (handle, Ok(vec![1, 2, 3, 4, 5, 6, 7, 8])));
    assert_eq!(
        bench.host.memory.resident_pages(),
        1,
        "the write arrived first"
    );
}

/// A refused MMIO read, and MMIO accesses that cannot be.
#[test]
fn mmio_errors() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    let handle = bench.link.mmio_read(0, 0x10, 4).unwrap();
    while bench.requests.is_empty() {
        bench.cycle();
    }
    let (tag, status) = (bench.requests[0].1.tag, Status::UnsupportedRequest);
    bench.send(TlpHeader {
        kind: TlpKind::Completion,
        address: 0x10,
        tag,
        byte_count: 4,
        status,
        ..TlpHeader::default()
    });
    bench.run_until_idle();
    let Some(HostEvent::MmioRead {
        handle: found,
        result,
        ..
    }) = bench.link.pop_event()
    else {
        panic!("no answer")
    };
    assert_eq!((found, result), (handle, Err(Status::UnsupportedRequest)));

    let link = &mut bench.link;
    assert!(matches!(
        link.mmio_write(0, 0, &[]),
        Err(MmioError::OutOfRange { .. })
    ));
    assert!(matches!(
        link.mmio_write(0, (1 << 24) - 1, &[0; 2]),
        Err(MmioError::OutOfRange { .. })
    ));
    assert!(matches!(
        link.mmio_read(0, u64::MAX, 4),
        Err(MmioError::OutOfRange { .. })
    ));
    assert!(matches!(
        link.mmio_read(0, 0xffc, 8),
        Err(MmioError::Crosses4K { .. })
    ));
    for _ in 0..256 {
        link.mmio_read(0, 0, 4).unwrap();
    }
    assert_eq!(link.mmio_read(0, 0, 4), Err(MmioError::NoTags));
}

/// A completion does not pass an MMIO write that arrived before it, however long the device makes it wait.
#[test]
fn completions_wait_for_older_mmio_writes() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    bench.req_ready = false;
    bench.link.mmio_write(0, 0x10, &[1, 2, 3, 4]).unwrap();
    bench.read(0, BASE, 64);
    for _ in 0..1000 {
        bench.cycle();
    }
    assert!(bench.received.is_empty());
    bench.req_ready = true;
    bench.run_until_idle();
    assert_eq!(bench.received.len(), 4);
    assert!(bench.received[0].0 > bench.requests[0].0);
}

/// Few posted credits: the rate falls to one credit loop, and nothing is lost.
#[test]
fn credits_limit_the_rate() {
    let credits = Credits {
        posted_headers: 2,
        ..LinkConfig::default().credits
    };
    let mut bench = Bench::new(
        LinkConfig {
            credits,
            ..LinkConfig::default()
        },
        4000,
    );
    for index in 0..200 {
        bench.write(BASE + index * 256, 256);
    }
    bench.run_until_idle();
    // Two TLPs in each loop of two one-way times and the second TLP's serialisation behind the first's.
    let tlp_ps = 280e12 / bench.link.config().tlp_bytes_per_second();
    let expected = 512e12 / (300_000.0 + tlp_ps);
    let rate = bench.link.statistics().upstream.payload_bytes_per_second();
    assert!(
        (rate / expected - 1.0).abs() < 0.02,
        "{rate} B/s, not {expected}"
    );
    let mut data = vec![0; 200 * 256];
    bench.host.memory.read(BASE, &mut data).unwrap();
    assert_eq!(PATTERN.compare(BASE, &data), Ok(()));
}

/// Addresses that the host does not have: reads end with a status, writes with a fault that the host sees.
#[test]
fn faults_are_reported() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    bench.write(1 << 46, 4);
    bench.read(0, 1 << 46, 4);
    bench.run_until_idle();
    assert!(matches!(
        bench.link.pop_event(),
        Some(HostEvent::WriteFault { .. })
    ));
    assert!(matches!(
        bench.link.pop_event(),
        Some(HostEvent::ReadFault { .. })
    ));
    let cpl = bench.received[0].1.cpl;
    assert_eq!(
        (cpl.status, cpl.sop, cpl.eop, cpl.len_dw),
        (Status::UnsupportedRequest as u8, true, true, 0)
    );
}

/// The checker sits on the link: an ungranted write ends the run when it arrives.
#[test]
fn grants_are_checked_on_arrival() {
    let mut bench = Bench::new(LinkConfig::default(), 4000);
    bench.host.check_grants = true;
    bench.host.grants.grant(BASE, 255, false, true);
    let tx = {
        bench.write(BASE, 256);
        std::mem::take(&mut bench.beats)
    };
    for tx in tx {
        bench
            .link
            .begin_cycle(bench.now_ps, &mut bench.host)
            .unwrap();
        bench.link.end_cycle(bench.now_ps, &tx, true).unwrap();
        bench.now_ps += 4000;
    }
    let violation = bench.link.advance(1 << 40, &mut bench.host).unwrap_err();
    assert_eq!(
        violation.rule,
        checker::Rule::NotPermitted {
            is_write: true,
            address: BASE,
            bytes: 256
        }
    );
    assert_eq!(bench.host.memory.resident_pages(), 0);
}

/// The same seed gives the same run; another seed another.
#[test]
fn runs_repeat_exactly() {
    let run = |seed| {
        let config = LinkConfig {
            seed,
            one_way_jitter_ps: 40_000,
            turnaround_jitter_ps: 400_000,
            random_split: true,
            completion_order: CompletionOrder::Interleaved { window: 8 },
            ..LinkConfig::default()
        };
        let mut bench = Bench::new(config, 4000);
        bench.link.record(true);
        for tag in 0..100u16 {
            bench.read(tag, BASE + u64::from(tag) * 512, 512);
            bench.write(BASE + u64::from(tag) * 256, 256);
        }
        bench.run_until_idle();
        let order: Vec<u16> = bench
            .received
            .iter()
            .map(|(_, ports)| ports.cpl.tag)
            .collect();
        assert!(
            !order.is_sorted(),
            "completions of different reads change places"
        );
        bench.link.take_records()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// Idle stretches can be skipped: the result is that of every cycle one by one.
#[test]
fn skipping_idle_changes_nothing() {
    let run = |skip: bool| {
        let mut bench = Bench::new(LinkConfig::default(), 4000);
        bench.read(0, BASE, 512);
        let mut cycles = 0u64;
        while bench.received.len() < 32 {
            if skip && bench.beats.is_empty() && !bench.tx.valid && !bench.link.device_busy() {
                let next = bench.link.next_event_ps().unwrap().div_ceil(4000) * 4000;
                bench.now_ps = bench.now_ps.max(next);
            }
            bench.cycle();
            cycles += 1;
        }
        let times: Vec<u64> = bench.received.iter().map(|&(at, _)| at).collect();
        (times, cycles)
    };
    let (every, skipped) = (run(false), run(true));
    assert_eq!(every.0, skipped.0);
    assert!(
        skipped.1 < every.1 / 2,
        "{} of {} cycles",
        skipped.1,
        every.1
    );
}
