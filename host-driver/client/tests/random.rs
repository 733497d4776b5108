//! Random orders of calls: every transfer is reported exactly once and in order, and nothing is left behind.

use std::collections::VecDeque;

use pinring_client::loopback::{Config, Loopback};
use pinring_client::{
    AlignedBuffer, CommonBuffer, Completion, Device, Direction, Permissions, Region, Tier,
    TierChoice, Transfer, Transport, ioctl,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Register {
        pages: usize,
        tier: Tier,
    },
    Allocate,
    /// Region, direction, transfers.
    Submit(usize, bool, u64),
    Wait {
        least: usize,
        timeout_ns: u64,
    },
    Poll,
    Cancel(usize),
    CancelAll,
    Drop(usize),
    Stall(bool),
    View(usize),
    /// The next request of a code fails.
    Fail(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..20_usize, 0..3_usize).prop_map(|(pages, tier)| Step::Register { pages, tier: Tier::ALL[tier] }),
        1 => Just(Step::Allocate),
        8 => (any::<usize>(), any::<bool>(), 1..12_u64).prop_map(|(region, way, count)| Step::Submit(region, way, count)),
        4 => (0..6_usize, 0..100_000_u64).prop_map(|(least, timeout_ns)| Step::Wait { least, timeout_ns }),
        2 => Just(Step::Poll),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => Just(Step::CancelAll),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => any::<bool>().prop_map(Step::Stall),
        1 => any::<usize>().prop_map(Step::View),
        1 => any::<usize>().prop_map(Step::Fail),
    ]
}

enum Memory {
    Registered(Region<Loopback, AlignedBuffer>),
    Common(CommonBuffer<Loopback>),
}

impl Memory {
    fn transfer(&self, range: std::ops::Range<u64>) -> Transfer {
        match self {
            Self::Registered(region) => region.transfer(range),
            Self::Common(region) => region.transfer(range),
        }
    }
}

/// What was submitted and not reported.
#[derive(Default)]
struct Model {
    next: u64,
    expected: [VecDeque<u64>; 2],
}

impl Model {
    fn reported(&mut self, completions: &[Completion]) {
        for completion in completions {
            let expected = self.expected[completion.direction as usize].pop_front();
            assert_eq!(Some(completion.cookie), expected, "once, and in order");
        }
    }

    fn left(&self) -> usize {
        self.expected.iter().map(VecDeque::len).sum()
    }
}

fn run(steps: Vec<Step>) {
    let mut config = Config::default();
    config.info.ring_entries = 32;
    let loopback = Loopback::with(config);
    let device = Device::new(loopback.clone()).unwrap();
    let mut regions = Vec::<Memory>::new();
    let mut model = Model::default();
    let mut refused_ends = false;
    for step in steps {
        let pick = |index: usize, len: usize| index.checked_rem(len);
        match step {
            Step::Register { pages, tier } => {
                let buffer = AlignedBuffer::new(pages * 4096).unwrap();
                let tiers = TierChoice::exactly(tier);
                if let Ok(region) = device.register(buffer, Permissions::Both, tiers) {
                    regions.push(Memory::Registered(region));
                }
            }
            Step::Allocate => {
                if let Ok(region) = device.allocate(8192, Permissions::Both) {
                    regions.push(Memory::Common(region));
                }
            }
            Step::Submit(index, way, count) => {
                let Some(index) = pick(index, regions.len()) else {
                    continue;
                };
                let cookies = model.next..model.next + count;
                let transfers: Vec<_> = cookies
                    .clone()
                    .map(|cookie| regions[index].transfer(0..4096).cookie(cookie))
                    .collect();
                let direction = [Direction::C2h, Direction::H2c][usize::from(way)];
                if device.submit(direction, &transfers).is_ok() {
                    model.expected[direction as usize].extend(cookies);
                    model.next += count;
                }
            }
            Step::Wait { least, timeout_ns } => {
                if let Ok(ended) = device.wait(least, Some(timeout_ns)) {
                    model.reported(&ended);
                }
            }
            Step::Poll => {
                if let Ok(ended) = device.poll() {
                    model.reported(&ended);
                }
            }
            Step::Cancel(index) => match pick(index, regions.len()).map(|index| &regions[index]) {
                Some(Memory::Registered(region)) => drop(region.cancel()),
                Some(Memory::Common(region)) => drop(region.cancel()),
                None => {}
            },
            Step::CancelAll => drop(device.cancel()),
            Step::Drop(index) => {
                if let Some(index) = pick(index, regions.len()) {
                    drop(regions.swap_remove(index));
                }
            }
            Step::Stall(stalled) => loopback.configure(|config| config.stalled = stalled),
            Step::View(index) => {
                if let Some(Memory::Registered(region)) =
                    pick(index, regions.len()).map(|index| &regions[index])
                    && let Ok(mut view) = region.view_mut()
                {
                    view.fill(1);
                }
            }
            Step::Fail(index) => loopback.configure(|config| {
                let code = ioctl::Code::ALL[index % ioctl::Code::ALL.len()];
                refused_ends |= code == ioctl::UNREGISTER;
                config.fail = Some((code, ioctl::Error::NotRunning.into()));
            }),
        }
        assert_eq!(device.in_flight(), model.left());
    }
    loopback.configure(|config| {
        config.stalled = false;
        config.fail = None;
    });
    drop(regions);
    let ended = device.wait(model.left(), Some(10_000_000_000)).unwrap();
    model.reported(&ended);
    assert_eq!(model.left(), 0, "every transfer is reported");
    assert_eq!(device.in_flight(), 0);
    let statistics = loopback.statistics();
    assert_eq!(
        statistics.transfers,
        statistics.completed + statistics.aborted
    );
    // Driver memory goes when the device has let go of it.
    loopback.sleep(1_000_000);
    let (regions, pended) = loopback.left();
    assert_eq!(pended, 0, "every registration and wait is over");
    // What the driver refused to free goes with the handle.
    assert!(regions == 0 || refused_ends, "no region is left");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_transfer_is_reported_exactly_once(steps in prop::collection::vec(step(), 1..60)) {
        run(steps);
    }
}
