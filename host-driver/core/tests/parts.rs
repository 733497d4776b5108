//! What a shell does in parts, with a lock around the short ones: nothing of them allocates or frees.

mod common;

use common::*;
use pinring_core::mock::Mock;
use pinring_core::{
    AdminError, Permissions, RegisterError, StateError, SubmitError, Tier, TierPolicy,
};
use pinring_protocol::{Direction, Status};

/// Memory in force: nothing of it comes or goes in `body`.
fn constant<R>(mock: &Mock, body: impl FnOnce() -> R) -> R {
    let counts = |mock: &Mock| {
        let counts = mock.host().counts;
        (counts.dma_memory, counts.mappings)
    };
    let before = counts(mock);
    let result = body();
    assert_eq!(counts(mock), before);
    result
}

#[test]
fn a_queue_is_made_in_parts() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let mut platform = mock.clone();
    let mut request = device.request_queue(queue_config(Direction::C2h)).unwrap();
    assert_eq!(
        device.install_queue(&mut request),
        Err(AdminError::NotBuilt)
    );
    request.build(&mut platform).unwrap();
    let id = device.next_queue_id().unwrap();
    let (queue, ticket) = constant(&mock, || device.install_queue(&mut request)).unwrap();
    assert_eq!((queue.id(), device.admin_waiting()), (id, 1));
    request.retire().release(&mut platform);
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    assert_eq!(device.room(queue), Ok(8));

    // One that is not installed gives its memory back.
    let before = mock.host().counts.dma_memory;
    let mut request = device.request_queue(queue_config(Direction::C2h)).unwrap();
    request.build(&mut platform).unwrap();
    device.reset().unwrap();
    let refused = constant(&mock, || device.install_queue(&mut request));
    assert_eq!(refused, Err(AdminError::State(StateError::NotRunning)));
    request.retire().release(&mut platform);
    assert_eq!(mock.host().counts.dma_memory, before);

    // And no memory is an error.
    wait(&mut device);
    mock.host_mut().allocations_left = 1;
    let mut request = device.request_queue(queue_config(Direction::C2h)).unwrap();
    assert!(request.build(&mut platform).is_err());
    request.retire().release(&mut platform);
    assert_eq!(mock.host().counts.dma_memory, before);
}

#[test]
fn an_install_that_fails_frees_nothing_by_itself() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let mut platform = mock.clone();
    let buffer = mock.lock_scattered(0, 40_000);
    let policy = TierPolicy::exactly(Tier::MappedOnce);
    let mut request = device
        .request_region(buffer, Permissions::BOTH, DOMAIN, policy)
        .unwrap();
    request.build(&mut platform).unwrap();
    device.reset().unwrap();
    let refused = constant(&mock, || device.try_install(&mut request));
    assert_eq!(refused, Err(RegisterError::State(StateError::NotRunning)));
    let mut retired = request.retire();
    retired.release(&mut platform);
    constant(&mock, || device.put_back(retired));
    assert_eq!(mock.host().counts.mappings, 0);
}

#[test]
fn closing_in_parts_leaves_nothing() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let mut platform = mock.clone();
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 40_000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    let parent = register(&mut device, buffer, Tier::PerTransfer);
    let list = device.prepare(parent, 0, 9000, Direction::C2h).unwrap();
    let batch = [transfer(region, 0, 100), transfer(list, 0, 9000)];
    device.submit(queue, &batch).unwrap();
    let leaving = device.unregister(region).unwrap();
    assert!(device.next_remains().is_none(), "it is not closed");

    constant(&mock, || device.shut()).unwrap();
    assert_eq!(device.shut(), Err(StateError::Closed));
    let mut ended = Vec::new();
    constant(&mock, || {
        device.reap(queue, |end| ended.push(end.status)).unwrap()
    });
    assert_eq!(ended, [Status::Aborted; 2]);
    let event = device.poll_admin().unwrap().unwrap();
    assert_eq!(event.ticket, leaving);
    let mut retired = event.retired.unwrap();
    retired.release(&mut platform);
    constant(&mock, || device.put_back(retired));
    while let Some(mut retired) = constant(&mock, || device.next_remains()) {
        retired.release(&mut platform);
    }
    let counts = mock.host().counts;
    assert_eq!((counts.dma_memory, counts.mappings), (0, 0));
    assert_eq!(mock.host().violations, Vec::<String>::new());
}

/// A host that goes to sleep: the device has let go, and is told nothing until the host wakes.
#[test]
fn a_reset_may_stop_before_the_device_starts_again() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 40_000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    device.submit(queue, &[transfer(region, 0, 100)]).unwrap();
    device.reset().unwrap();
    while !device.poll_reset(1).unwrap() {}
    let writes = mock.host().counts.mmio_writes;
    assert_eq!(device.poll_reset(1), Ok(true));
    assert_eq!(mock.host().counts.mmio_writes, writes);
    let mut ended = 0;
    device.reap(queue, |_| ended += 1).unwrap();
    assert_eq!(ended, 1);
    assert!(matches!(
        device.submit(queue, &[transfer(region, 0, 100)]),
        Err(SubmitError::State(StateError::NotRunning))
    ));
    wait(&mut device);
    mock.run();
    while device.poll_admin().unwrap().is_some() {}
    device.submit(queue, &[transfer(region, 0, 100)]).unwrap();
}

/// What is parked keeps its place, so that cancelling again and again needs no memory.
#[test]
fn parked_completions_count_against_the_ring() {
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(0, 40_000);
    let region = register(&mut device, buffer, Tier::MappedOnce);
    let batch = [transfer(region, 0, 100); 5];
    device.submit(queue, &batch).unwrap();
    let ticket = device.cancel_queue(queue).unwrap();
    assert!(redeem(&mock, &mut device, ticket).result.is_ok());
    assert_eq!(device.room(queue), Ok(3));
    assert!(matches!(
        device.submit(queue, &batch),
        Err(SubmitError::RingFull { asked: 5, free: 3 })
    ));
    let mut ended = 0;
    device.reap(queue, |_| ended += 1).unwrap();
    assert_eq!((ended, device.room(queue)), (5, Ok(8)));
}
