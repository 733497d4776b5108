//! A mock host with a running device.
#![allow(dead_code, reason = "each test file uses its part")]

use pinring_core::mock::Mock;
use pinring_core::{
    AdminEvent, BufferId, Completion, Config, Device, Notify, Permissions, QueueConfig,
    QueueHandle, RegionHandle, Ticket, Tier, TierPolicy, Transfer,
};
use pinring_protocol::Direction;

pub const DOMAIN: u32 = 7;

pub fn config() -> Config {
    Config {
        regions: 64,
        lists: 4,
        list_length: 1 << 20,
        ..Config::default()
    }
}

/// Opens and starts a device on a mock.
pub fn start(mock: &Mock) -> Device<Mock> {
    let mut device = Device::open(mock.clone(), config()).unwrap();
    wait(&mut device);
    device
}

/// Polls until the device serves.
pub fn wait(device: &mut Device<Mock>) {
    for _ in 0..10 {
        if device.poll_start(1).unwrap() {
            return;
        }
    }
    panic!("the device does not start");
}

pub fn queue_config(direction: Direction) -> QueueConfig {
    QueueConfig {
        direction,
        domain: DOMAIN,
        entries: 8,
        vector: 3,
        tdest_first: 10,
        tdest_last: 20,
        notify: Notify::Poll,
    }
}

/// Creates a queue and waits for it.
pub fn queue_of(mock: &Mock, device: &mut Device<Mock>, config: QueueConfig) -> QueueHandle {
    let (queue, ticket) = device.create_queue(config).unwrap();
    assert!(redeem(mock, device, ticket).result.is_ok());
    queue
}

pub fn queue(mock: &Mock, device: &mut Device<Mock>, direction: Direction) -> QueueHandle {
    queue_of(mock, device, queue_config(direction))
}

/// Runs the device until a ticket is redeemed; other events are dropped.
pub fn redeem(mock: &Mock, device: &mut Device<Mock>, ticket: Ticket) -> AdminEvent {
    for _ in 0..4 {
        mock.run();
        while let Some(event) = device.poll_admin().unwrap() {
            if event.ticket == ticket {
                return event;
            }
        }
    }
    panic!("{ticket:?} is not redeemed");
}

pub fn register(device: &mut Device<Mock>, buffer: BufferId, tier: Tier) -> RegionHandle {
    device
        .register(buffer, Permissions::BOTH, DOMAIN, TierPolicy::exactly(tier))
        .unwrap()
}

pub fn transfer(region: RegionHandle, offset: u64, length: u64) -> Transfer {
    Transfer {
        region,
        offset,
        length,
        tdest: 12,
        user: 99,
        cookie: 0xc00c_1e00 + offset,
    }
}

pub fn reap(device: &mut Device<Mock>, queue: QueueHandle) -> Vec<Completion> {
    let mut all = Vec::new();
    device
        .reap(queue, |completion| all.push(completion))
        .unwrap();
    all
}

/// Closes the device: nothing may be left, and nothing may have been touched that was not mapped.
pub fn close(mock: &Mock, mut device: Device<Mock>) {
    device.close().unwrap();
    let host = mock.host();
    assert_eq!(host.violations, Vec::<String>::new());
    assert_eq!((host.counts.dma_memory, host.counts.mappings), (0, 0));
}
