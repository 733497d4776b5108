//! Each rule is reported when the toy driver breaks it, and nothing is when it does not.

mod toy;

use kmdf_sim::user::{self, Output};
use kmdf_sim::*;
use toy::*;

const BOTH: u32 = FILE_READ_DATA | FILE_WRITE_DATA;

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
        if !machine.report().stopped {
            let _ = machine.remove();
            let _ = machine.unload();
        }
        let report = machine.report();
        assert!(report.has(bug.rule()), "{bug:?}: {report}");
        assert!(report.violations.len() <= 4, "{bug:?}: {report}");
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
    let report = machine.report();
    assert!(
        report.has(Rule::RequestPended) || report.has(Rule::PowerBlocked),
        "{report}"
    );
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
    assert!(machine.report().has(Rule::PowerBlocked));
}

#[test]
fn a_program_that_waits_for_ever_is_reported() {
    let (mut machine, process) = machine(Config::default());
    let outcome = machine.run(Some(process), || {
        let event = user::create_event(false, false);
        user::wait_event(event, None)
    });
    assert_eq!(outcome, Err(Stopped));
    assert!(machine.report().has(Rule::Deadlock));
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
