//! Resets and bus mastering in the midst of traffic: driver core, real firmware, emitted gateware, and the link's checker
//! over every TLP.

mod common;

use common::options;
use pinring_core::{Completion, Transfer};
use pinring_protocol::Status;
use pinring_protocol::registers::{self, Control};
use pinring_sim::device::Streams;
use pinring_sim::run;
use pinring_sim::scenario::{self, LayoutKind, Scenario, Strategy};

const BYTES: u64 = 1 << 20;

/// The whole chain with a C2H and an H2C queue, and one buffer for each.
struct Bench {
    chain: run::Bench,
    /// Where the payload begins in the endless stream of payload bytes.
    position: u64,
    length: u64,
    done: Vec<Completion>,
    width_bytes: usize,
}

impl Bench {
    /// A device of this width; 128 bits are for a link of 4 lanes.
    fn new(width_bits: u32) -> Self {
        let mut scenario = Scenario::gen3_x4();
        scenario.device.width_bits = width_bits;
        scenario.link.lanes = width_bits / 32;
        // The narrow device has 32 tags: the ring begins anew with its short length, too.
        scenario.link.extended_tags = width_bits != 64;
        scenario.buffers.count = 2;
        scenario.buffers.bytes = BYTES;
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.burst.transfers = 2;
        scenario.burst.length_bytes = BYTES;
        scenario.burst.direction = scenario::Direction::Both;
        let chain = run::Bench::new(&scenario, Strategy::Registered, &options());
        Self {
            chain: chain.expect("the device starts"),
            position: 0,
            length: 0,
            done: Vec::new(),
            width_bytes: width_bits as usize / 8,
        }
    }

    fn pass(&mut self, ns: u64) {
        self.chain.pass(ns).expect("a legal link");
    }

    fn now_ns(&mut self) -> u64 {
        self.chain.machine().now_ps() / 1000
    }

    /// Goes on with a start or reset.
    fn start(&mut self) {
        let deadline = self.now_ns() + 20_000_000;
        while !self
            .chain
            .device
            .poll_start(deadline)
            .expect("the device starts")
        {
            self.pass(5_000);
        }
    }

    /// Waits for queues being created.
    fn created(&mut self, mut left: usize) {
        for _ in 0..2000 {
            while let Some(event) = self.chain.device.poll_admin().expect("the admin queue") {
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
        self.position += 1 << 24;
        self.length = length;
        let (position, payload) = (self.position, self.chain.payload.clone());
        let source = self.chain.regions[1].0;
        let platform = self.chain.device.platform_mut();
        let machine = &mut platform.machine;
        machine.streams = Streams::new(self.width_bytes, payload.clone(), 100, 100, 1);
        machine.streams.send(position, length, 0);
        machine.streams.expect(position, length, 0);
        let (memory, buffers) = platform.memory_and_buffers();
        let (layout, first) = buffers.get(source).expect("it is locked");
        payload
            .write_to(memory, layout, first, length, position)
            .expect("memory");
        for (queue, (_, region)) in self.chain.queues.iter().zip(&self.chain.regions) {
            let transfer = Transfer {
                region: *region,
                offset: 0,
                length,
                tdest: 0,
                user: 0,
                cookie: 0,
            };
            self.chain
                .device
                .submit(queue.handle, &[transfer])
                .expect("room");
        }
    }

    fn reap(&mut self) {
        for queue in &self.chain.queues {
            let done = &mut self.done;
            self.chain
                .device
                .reap(queue.handle, |completion| done.push(completion))
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
                let (payload, target) = (self.chain.payload.clone(), self.chain.regions[0].0);
                let (memory, buffers) = self.chain.device.platform_mut().memory_and_buffers();
                let (layout, first) = buffers.get(target).expect("it is locked");
                payload
                    .check(memory, layout, first, self.length, self.position)
                    .expect("the bytes of the stream");
                assert_eq!(self.chain.machine().streams.unfinished(), 0);
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
fn reset_under_traffic_64() {
    reset_under_traffic(64);
}

#[test]
fn reset_under_traffic_128() {
    reset_under_traffic(128);
}

#[test]
fn reset_under_traffic_512() {
    reset_under_traffic(512);
}

fn reset_under_traffic(width_bits: u32) {
    let mut bench = Bench::new(width_bits);
    for after in [1_000, 2_500, 3_100, 4_444, 10_003, 20_001, 20_002, 20_013] {
        bench.submit(BYTES);
        bench.pass(after);
        let begin = bench.now_ns();
        bench.chain.device.reset().expect("open");
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
    let mut bench = Bench::new(128);
    for after in [1_000, 2_500, 3_101, 3_107, 10_001] {
        bench.submit(BYTES / 4);
        bench.pass(after);
        bench
            .chain
            .device
            .platform_mut()
            .machine
            .set_bus_master(false);
        bench.pass(50);
        for _ in 0..3 {
            let control = bench.chain.device.read_register(&registers::CONTROL);
            assert_eq!(control, u64::from(Control::new().with_enable(true).raw()));
            bench.pass(1_000);
        }
        bench
            .chain
            .device
            .platform_mut()
            .machine
            .set_bus_master(true);
        bench.finish();
    }
}
