//! Submitting and reaping allocate nothing.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::*;
use pinring_core::Tier;
use pinring_core::mock::Mock;
use pinring_protocol::{Direction, Status};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn submit_and_reap_allocate_nothing() {
    assert_eq!(
        count(|| drop(std::hint::black_box(Box::new([0u8; 9])))),
        1,
        "the count does not count"
    );
    let mock = Mock::new();
    let mut device = start(&mock);
    let queue = queue(&mock, &mut device, Direction::C2h);
    let buffer = mock.lock_scattered(100, 300_000);
    let region = register(&mut device, buffer, Tier::Bypass);
    let batch: [_; 8] = core::array::from_fn(|i| transfer(region, i as u64 * 30_000, 30_000));
    for _ in 0..100 {
        let mut ended = 0;
        assert_eq!(count(|| device.submit(queue, &batch).unwrap()), 0);
        mock.run();
        let each = |completion: pinring_core::Completion| {
            ended += usize::from(completion.status == Status::Ok)
        };
        assert_eq!(count(|| assert_eq!(device.reap(queue, each), Ok(8))), 0);
        assert_eq!(ended, 8);
    }
    close(&mock, device);
}
