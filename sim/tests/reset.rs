//! Resets and bus mastering in the midst of traffic: driver core, real firmware, emitted gateware, and the link's checker
//! over every TLP.
//!
//! `cargo xtask test` builds the firmware, fetches the processor and says where both are.

use std::path::PathBuf;

use pinring_core::{
    Completion, Config, Device, Notify, Permissions, QueueConfig, QueueHandle, RegionHandle, Tier,
    TierPolicy, Transfer,
};
use pinring_protocol::registers::{self, Control};
use pinring_protocol::{Direction, Status};
use pinring_sim::device::{Gateware, Streams, Tools};
use pinring_sim::host::{
    Host, Layout, Mapping, PAGE_BYTES, PageAllocator, Payload, PhysicalMemory,
};
use pinring_sim::link::Link;
use pinring_sim::machine::Machine;
use pinring_sim::platform::SimPlatform;
use pinring_sim::run::link_config;
use pinring_sim::scenario::Scenario;

const DOMAIN: u32 = 1;
const BYTES: u64 = 1 << 20;

fn file(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} is not set: run these tests with `cargo xtask test`"))
}

struct Bench {
    device: Device<SimPlatform>,
    /// C2H, then H2C.
    queues: Vec<QueueHandle>,
    regions: Vec<RegionHandle>,
    layouts: [Layout; 2],
    /// Where the payload begins in the endless stream of payload bytes.
    position: u64,
    length: u64,
    done: Vec<Completion>,
}

const PAYLOAD: Payload = Payload::Pattern { seed: 1 };

fn streams() -> Streams {
    Streams::new(PAYLOAD, 100, 100, 1)
}

impl Bench {
    fn new() -> Self {
        let tools = Tools {
            processor: file("PINRING_VEXRISCV"),
            firmware: file("PINRING_FIRMWARE_HEX"),
        };
        let scenario = Scenario::default();
        let config = link_config(&scenario);
        let gateware = Gateware::new(&tools, &config, 250, 125, None).expect("a device");
        let mut pages = PageAllocator::new(1 << 46);
        let layouts = [1 << 22, 1 << 23]
            .map(|frame| Layout::shuffled(frame, BYTES / PAGE_BYTES, frame).expect("a layout"));
        for layout in &layouts {
            pages.claim(layout).expect("free pages");
        }
        let mut host = Host::new(PhysicalMemory::new(46), Mapping::Identity);
        host.check_grants = true;
        let machine = Machine::new(
            gateware,
            Link::new(config).expect("a link"),
            host,
            pages,
            streams(),
            4000,
        );
        let device = Device::open(SimPlatform::new(machine), Config::default()).expect("opens");
        let mut bench = Self {
            device,
            queues: Vec::new(),
            regions: Vec::new(),
            layouts: layouts.clone(),
            position: 0,
            length: 0,
            done: Vec::new(),
        };
        bench.start();
        for direction in [Direction::C2h, Direction::H2c] {
            let (queue, _) = bench
                .device
                .create_queue(QueueConfig {
                    direction,
                    domain: DOMAIN,
                    entries: 16,
                    vector: 1,
                    tdest_first: 0,
                    tdest_last: 0,
                    notify: Notify::Poll,
                })
                .expect("a queue");
            bench.queues.push(queue);
        }
        bench.created(2);
        for layout in layouts {
            let buffer = bench.device.platform_mut().lock(layout, 0, BYTES);
            let policy = TierPolicy {
                first: Tier::Bypass,
                last: Tier::MappedOnce,
            };
            let region = bench
                .device
                .register(buffer, Permissions::BOTH, DOMAIN, policy)
                .expect("a region");
            bench.regions.push(region);
        }
        bench
    }

    fn pass(&mut self, ns: u64) {
        let platform = self.device.platform_mut();
        assert!(platform.failed.is_none(), "{:?}", platform.failed);
        let until = platform.machine.now_ps() + ns * 1000;
        while platform.machine.now_ps() < until {
            platform.machine.run(until).expect("a legal link");
            while platform.machine.pop_event().is_some() {}
        }
    }

    fn now_ns(&mut self) -> u64 {
        self.device.platform_mut().machine.now_ps() / 1000
    }

    /// Goes on with a start or reset.
    fn start(&mut self) {
        let deadline = self.now_ns() + 20_000_000;
        while !self.device.poll_start(deadline).expect("the device starts") {
            self.pass(5_000);
        }
    }

    /// Waits for queues being created.
    fn created(&mut self, mut left: usize) {
        for _ in 0..2000 {
            while let Some(event) = self.device.poll_admin().expect("the admin queue") {
                event.result.expect("a queue is created");
                left -= 1;
            }
            if left == 0 {
                return;
            }
            self.pass(5_000);
        }
        panic!("{left} queues are not created");
    }

    /// Both directions at once, with user logic that begins anew.
    fn submit(&mut self, length: u64) {
        let machine = &mut self.device.platform_mut().machine;
        self.position += 1 << 24;
        self.length = length;
        machine.streams = streams();
        machine.streams.send(self.position, length, 0);
        machine.streams.expect(self.position, length, 0);
        PAYLOAD
            .write_to(
                &mut machine.host.memory,
                &self.layouts[1],
                0,
                length,
                self.position,
            )
            .expect("memory");
        for (&queue, &region) in self.queues.iter().zip(&self.regions) {
            let transfer = Transfer {
                region,
                offset: 0,
                length,
                tdest: 0,
                user: 0,
                cookie: 0,
            };
            self.device.submit(queue, &[transfer]).expect("room");
        }
    }

    fn reap(&mut self) {
        for &queue in &self.queues {
            let done = &mut self.done;
            self.device
                .reap(queue, |completion| done.push(completion))
                .expect("completions");
        }
    }

    /// Both transfers succeed.
    fn finish(&mut self) {
        for _ in 0..1000 {
            self.reap();
            if self.done.len() == 2 {
                let ends = self.done.drain(..).map(|end| end.status);
                assert!(ends.eq([Status::Ok; 2]));
                let machine = &self.device.platform_mut().machine;
                PAYLOAD
                    .check(
                        &machine.host.memory,
                        &self.layouts[0],
                        0,
                        self.length,
                        self.position,
                    )
                    .expect("the bytes of the stream");
                assert_eq!(machine.streams.unfinished(), 0);
                return;
            }
            self.pass(5_000);
        }
        panic!("only {:?}", self.done);
    }
}

/// A reset at any moment leaves no TLP half sent and no read that a later one could be mistaken for, and the device
/// serves again.
#[test]
fn reset_under_traffic() {
    let mut bench = Bench::new();
    for after in [1_000, 2_500, 3_100, 4_444, 10_003, 20_001, 20_002, 20_013] {
        bench.submit(BYTES);
        bench.pass(after);
        let begin = bench.now_ns();
        bench.device.reset().expect("open");
        bench.start();
        bench.reap();
        let ends = bench.done.drain(..).map(|end| end.status);
        assert!(ends.eq([Status::Aborted; 2]), "after {after} ns");
        bench.created(2);
        let took = bench.now_ns() - begin;
        assert!(took < 10_000_000, "{took} ns");
        bench.submit(30_000);
        bench.finish();
    }
}

/// Registers answer while bus mastering is off, whatever was on its way, and the transfers go on when it is back.
#[test]
fn registers_answer_without_bus_mastering() {
    let mut bench = Bench::new();
    for after in [1_000, 2_500, 3_101, 3_107, 10_001] {
        bench.submit(BYTES / 4);
        bench.pass(after);
        bench.device.platform_mut().machine.set_bus_master(false);
        bench.pass(50);
        for _ in 0..3 {
            let control = bench.device.read_register(&registers::CONTROL);
            assert_eq!(control, u64::from(Control::new().with_enable(true).raw()));
            bench.pass(1_000);
        }
        bench.device.platform_mut().machine.set_bus_master(true);
        bench.finish();
    }
}
