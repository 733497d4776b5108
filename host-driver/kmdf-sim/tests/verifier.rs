//! Each rule is reported when a driver breaks it, and nothing is when it does not: what is about memory and DMA in `dma_rules`, on the
//! bench, and the rest here, on the toy driver.

mod bench;
mod dma_rules;
mod toy;

use std::cell::RefCell;
use std::collections::BTreeSet;

use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::user::{self, Output};
use kmdf_sim::*;
use toy::*;

const BOTH: u32 = FILE_READ_DATA | FILE_WRITE_DATA;

thread_local! {
    static PROVOKED: RefCell<BTreeSet<Rule>> = const { RefCell::new(BTreeSet::new()) };
}

/// A test has seen the rule reported that it broke on purpose.
fn note(rule: Rule) {
    PROVOKED.with_borrow_mut(|provoked| provoked.insert(rule));
}

fn expect(report: &Report, rule: Rule) {
    assert!(report.has(rule), "{rule:?}: {report}");
    note(rule);
}

/// A rule without a driver that breaks it says nothing: nobody has seen that it is reported.
#[test]
fn every_rule_is_provoked_by_a_test() {
    for test in [
        each_bug_is_reported_under_its_rule,
        a_request_kept_over_removal_is_reported,
        a_request_that_keeps_the_device_in_d0_is_reported,
        a_program_that_waits_for_ever_is_reported,
        pages_that_a_process_leaves_locked_are_bug_check_76,
        a_device_without_a_sound_security_descriptor_is_reported,
        dma_rules::transactions_have_states,
        dma_rules::settings_come_in_their_order_and_with_version_3,
        dma_rules::a_request_is_completed_after_its_transfer,
        dma_rules::the_device_reaches_only_what_is_mapped,
        dma_rules::what_an_adapter_gave_goes_back_to_it_once,
        dma_rules::lists_go_back_as_they_came,
        dma_rules::mdls_are_used_as_their_state_allows,
    ] {
        test();
    }
    let provoked = PROVOKED.take();
    let rules: BTreeSet<Rule> = Rule::ALL.iter().copied().collect();
    let missing: Vec<_> = rules.difference(&provoked).collect();
    assert!(missing.is_empty(), "no test breaks {missing:?}");
}

fn machine(config: Config) -> (Machine, user::Process) {
    let mut machine = Machine::new(config, Toy::default());
    assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
    assert_eq!(machine.add_device(), Ok(STATUS_SUCCESS));
    let process = machine.process().unwrap();
    (machine, process)
}

#[test]
fn each_bug_is_reported_under_its_rule() {
    for (number, bug) in Bug::ALL.iter().enumerate() {
        let (mut machine, process) = machine(Config::default());
        let _ = machine.run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            let pending = user::start(handle, BREAK, &[number as u8], Output::None, None).unwrap();
            let _ = user::result(pending, Some(100_000_000));
            user::cancel_io_ex(handle, None);
            let _ = user::close(handle);
        });
        if !machine.report().stopped && machine.remove() == Ok(STATUS_SUCCESS) {
            let _ = machine.unload();
        }
        let report = machine.report();
        expect(&report, bug.rule());
        assert!(report.violations.len() <= 4, "{bug:?}: {report}");
    }
}

/// From its cancellation to EvtIoCanceledOnQueue a request belongs to the framework, as Windows leaves open how long that takes.
#[test]
fn a_request_taken_while_it_is_cancelled_is_reported() {
    for (careless, input) in [(false, &b""[..]), (true, b"1")] {
        let reported = (0..300).filter(|&seed| {
            let (mut machine, process) = machine(Config::seeded(seed));
            let _ = machine.run(Some(process), || {
                let handle = user::open(BOTH, true).unwrap();
                let pending = user::start(handle, PEND, b"", Output::None, None).unwrap();
                user::spawn(process, move || {
                    user::sleep_ps(user::random(2_000_000));
                    let _ = user::start(handle, TAKE, input, Output::None, None);
                });
                user::sleep_ps(user::random(2_000_000));
                user::cancel_io_ex(handle, Some(pending));
                let _ = user::result(pending, None);
            });
            let report = machine.report();
            let found = report.violations.iter().any(|violation| {
                violation.rule == Rule::RequestNotOwned && violation.ddi == "WdfRequestComplete"
            });
            assert!(careless || report.is_clean(), "{report}");
            found
        });
        assert_eq!(reported.count() > 0, careless);
    }
}

#[test]
fn a_request_kept_over_removal_is_reported() {
    let (mut machine, process) = machine(Config {
        power_timeout_ps: 1_000_000_000,
        ..Config::default()
    });
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            // Marked cancelable, this one is cancelled; the other is not, and nothing completes it.
            user::start(handle, KEEP, b"", Output::None, None).unwrap();
            let _ = user::start(handle, LATER, b"", Output::None, None).unwrap();
            let _ = user::start(handle, LATER, b"", Output::None, None).unwrap();
            user::sleep_ps(100_000_000_000);
        })
        .unwrap();
    assert_eq!(machine.surprise_remove(), Err(Stopped));
    expect(&machine.report(), Rule::PowerBlocked);
}

#[test]
fn a_request_that_keeps_the_device_in_d0_is_reported() {
    let (mut machine, process) = machine(Config {
        power_timeout_ps: 1_000_000_000,
        ..Config::default()
    });
    machine
        .run(Some(process), || {
            let handle = user::open(BOTH, true).unwrap();
            // The driver forgets the first when the second comes.
            for _ in 0..2 {
                user::start(handle, LATER, b"", Output::None, None).unwrap();
            }
        })
        .unwrap();
    machine.settle().unwrap();
    assert_eq!(machine.sleep(), Err(Stopped));
    expect(&machine.report(), Rule::PowerBlocked);
}

#[test]
fn a_program_that_waits_for_ever_is_reported() {
    let (mut machine, process) = machine(Config::default());
    let outcome = machine.run(Some(process), || {
        let event = user::create_event(false, false);
        user::wait_event(event, None)
    });
    assert_eq!(outcome, Err(Stopped));
    expect(&machine.report(), Rule::Deadlock);
}

#[test]
fn pages_that_a_process_leaves_locked_are_bug_check_76() {
    for seed in 0..10 {
        let (mut machine, process) = machine(Config::seeded(seed));
        let other = machine.process().unwrap();
        machine
            .run(None, || {
                user::spawn(process, move || {
                    let buffer = UserBuffer::new(4096, &PageLayout::Shuffled).unwrap();
                    let handle = user::open(BOTH, true).unwrap();
                    let port = user::create_port();
                    user::associate(port, handle, 1).unwrap();
                    // Neither the thread's end nor a cleanup will come to the request.
                    user::duplicate(handle, other).unwrap();
                    // SAFETY: the buffer is never dropped.
                    unsafe {
                        user::start_at(handle, PEND_DIRECT, b"", buffer.as_mut_ptr(), 4096, None)
                    }
                    .unwrap();
                    user::sleep_ps(100_000_000);
                    core::mem::forget(buffer);
                    user::exit_process();
                });
            })
            .unwrap();
        assert_eq!(machine.settle(), Err(Stopped));
        expect(&machine.report(), Rule::LockedPagesLeft);
    }
}

#[test]
fn a_device_without_a_sound_security_descriptor_is_reported() {
    for sddl in [None, Some("D:P(A;;GA;;;SY")] {
        SDDL.set(sddl);
        let mut machine = Machine::new(Config::default(), Toy::default());
        assert_eq!(machine.load(driver_entry), Ok(STATUS_SUCCESS));
        let _ = machine.add_device();
        SDDL.set(Some(USERS));
        let report = machine.report();
        expect(&report, Rule::Security);
        let ddi = "WdfDeviceInitAssignSDDLString";
        assert!(report.violations.iter().all(|found| found.ddi == ddi));
    }
}

#[test]
fn every_rule_names_its_page() {
    for rule in Rule::ALL {
        assert!(
            rule.url()
                .starts_with("https://learn.microsoft.com/windows-hardware/drivers/"),
            "{rule:?}"
        );
    }
}
