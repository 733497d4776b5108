//! The allocator that keeps what was freed: a late write is found, with the callback that freed.

use std::alloc::{Layout, alloc, dealloc};

use kmdf_sim::{Config, Machine, NoHardware, Quarantine, Rule};

#[global_allocator]
static ALLOCATOR: Quarantine = Quarantine;

const LAYOUT: Layout = Layout::new::<[u64; 8]>();

#[test]
fn an_allocation_that_is_written_after_it_was_freed_is_found() {
    let mut machine = Machine::new(Config::default(), NoHardware);
    let done = machine.run(None, || unsafe {
        let block = alloc(LAYOUT);
        dealloc(block, LAYOUT);
        std::hint::black_box(block).add(24).write_volatile(1);
    });
    assert_eq!(done, Ok(()));
    let report = machine.report();
    assert_eq!(report.violations.len(), 1, "{report}");
    assert!(report.has(Rule::WriteAfterFree), "{report}");
    assert!(report.violations[0].detail.contains("64 bytes"), "{report}");
    assert!(
        report.violations[0].detail.contains("offset 24"),
        "{report}"
    );
}

/// What is kept is bounded, and what is given back is looked at then.
#[test]
fn many_allocations_later_it_is_found_too() {
    let mut machine = Machine::new(Config::default(), NoHardware);
    let done = machine.run(None, || {
        let block = unsafe {
            let block = alloc(LAYOUT);
            dealloc(block, LAYOUT);
            std::hint::black_box(block)
        };
        // SAFETY: it is kept, and nobody else has it.
        unsafe { block.write_volatile(1) };
        for _ in 0..10_000 {
            drop(std::hint::black_box(vec![0_u8; 4000]));
        }
    });
    assert_eq!(done, Ok(()));
    assert!(machine.report().has(Rule::WriteAfterFree));
}

#[test]
fn good_manners_are_not_reported() {
    let mut machine = Machine::new(Config::seeded(1), NoHardware);
    let done = machine.run(None, || {
        let mut all = Vec::new();
        for size in 0..3000_usize {
            all.push(vec![size as u8; size]);
            if size % 3 == 0 {
                all.swap_remove(size / 7 % all.len());
            }
        }
        all.iter().map(Vec::len).sum::<usize>()
    });
    assert!(done.is_ok_and(|sum| sum > 0));
    machine.report().assert_clean();
}
