//! Several threads, one driver, random delays and thread switches: whatever the seed, no rule is broken and nothing is left behind.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::*;
use kmdf_sim::dma::{DmaConfig, OsVersion, Translation};
use kmdf_sim::user::{self, Handle, Process};
use kmdf_sim::{Background, Config, STATUS_CANCELLED};
use pinring_core::mock::cookie_byte;
use pinring_ioctl::{self as ioctl, direction, tier};
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);

/// What happens to the device while applications use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Nothing,
    Sleep,
    Removal,
    Rebalance,
    Silence,
}

fn config(seed: u64, tier: u8, registers: u32) -> Config {
    let translation = [
        Translation::Direct,
        Translation::Remapping,
        Translation::Bounce,
    ][usize::from(tier % 3)];
    Config {
        dma: DmaConfig {
            map_registers: registers,
            os: if tier >= 3 {
                OsVersion::Windows10
            } else {
                OsVersion::Windows11
            },
            ..DmaConfig::with_translation(translation)
        },
        ..Config::seeded(seed)
    }
}

/// An application: registers, moves data, takes back, closes; what it is refused it leaves.
fn application(handle: Handle, seed: u64, whole: bool) {
    let memory = buffer(1 << 18);
    let mut pending = Vec::new();
    for round in 0..4u64 {
        if let Ok((request, info)) = register(handle, &memory, seed << 8 | round, ANY) {
            pending.push(request);
            let batch: Vec<_> = (0..1 + user::random(6))
                .map(|at| transfer(info.handle, at << 14, 1 + user::random(1 << 14), at))
                .collect();
            let way = [direction::C2H, direction::H2C][user::random(2) as usize];
            if submit(handle, way, &batch).is_ok() {
                match user::random(4) {
                    0 => {}
                    1 => {
                        let asked = ioctl::Cancel {
                            handle: info.handle,
                            scope: ioctl::scope::REGION,
                            reserved: 0,
                        };
                        let _ = tell(handle, ioctl::CANCEL, asked.as_bytes());
                    }
                    _ => {
                        let ended = wait(handle, batch.len()).unwrap_or_default();
                        if whole && way == direction::C2H {
                            for (end, asked) in ended.iter().zip(&batch) {
                                if (end.status, end.cookie, end.handle)
                                    != (0, asked.cookie, info.handle)
                                {
                                    continue;
                                }
                                let mut byte = [0];
                                let last = asked.offset + asked.length - 1;
                                memory.read(last as usize, &mut byte);
                                assert_eq!(byte[0], cookie_byte(asked.cookie, asked.length - 1));
                            }
                        }
                    }
                }
            }
            if user::random(3) != 0 {
                let named = ioctl::Handle {
                    handle: info.handle,
                };
                let _ = tell(handle, ioctl::UNREGISTER, named.as_bytes());
            } else if user::random(2) == 0 {
                user::cancel_io_ex(handle, Some(request));
            }
        }
    }
    let _ = user::close(handle);
    for request in pending {
        let ended = user::result(request, None).expect("it ends");
        assert!(ended.status <= 0 || ended.status == STATUS_CANCELLED);
    }
}

/// `after_us`: when it happens.
fn run(config: Config, fate: Fate, after_us: u64) {
    let seed = config.seed;
    let mut bench = Bench::new(config);
    bench.device.borrow_mut().step_bytes = 2048;
    let left = Rc::new(Cell::new(3));
    let processes: Vec<Process> = (0..3)
        .map(|_| bench.machine.process().expect("a process"))
        .collect();
    let device = bench.device.clone();
    for (number, process) in (0..).zip(&processes) {
        let (process, left) = (*process, left.clone());
        let started = bench.machine.run(Some(process), move || {
            user::spawn(process, move || {
                if let Ok(handle) = user::open(3, true) {
                    application(handle, number, fate == Fate::Nothing);
                }
                left.set(left.get() - 1);
            });
        });
        started.unwrap_or_else(|_| panic!("{:#?}", bench.machine.report()));
    }
    bench
        .machine
        .run(None, move || user::sleep_ps(after_us * 1_000_000))
        .unwrap_or_else(|_| panic!("{:#?}", bench.machine.report()));
    match fate {
        Fate::Nothing => {}
        Fate::Sleep => bench.machine.start(Background::SleepAndWake),
        Fate::Removal => bench.machine.start(Background::SurpriseRemove),
        Fate::Rebalance => bench
            .machine
            .start(Background::Rebalance(Some(1 + seed as u32 % 4))),
        Fate::Silence => device.borrow_mut().silent = true,
    }
    if fate == Fate::Silence {
        bench
            .machine
            .run(None, || user::sleep_ps(1_300_000_000_000))
            .unwrap();
        device.borrow_mut().silent = false;
    }
    let settled = bench.machine.settle();
    assert!(settled.is_ok(), "{:#?}", bench.machine.report());
    assert_eq!(left.get(), 0, "{:#?}", bench.machine.report());
    let _ = bench.machine.remove();
    bench.machine.unload().expect("it goes on");
    bench.machine.report().assert_clean();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)))]
    #[test]
    fn applications_race_with_each_other_and_with_the_device(
        seed: u64,
        tier in 0u8..6,
        registers in prop_oneof![Just(80u32), Just(33_000)],
        fate in prop_oneof![
            3 => Just(Fate::Nothing),
            2 => Just(Fate::Sleep),
            2 => Just(Fate::Removal),
            2 => Just(Fate::Rebalance),
            1 => Just(Fate::Silence),
        ],
        after_us in 0u64..1500,
    ) {
        run(config(seed, tier, registers), fate, after_us);
    }
}
