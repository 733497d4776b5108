//! Runs one driver of those that `tests/defects.rs` has built through one scenario, and prints what the double finds.
//!
//! `runner <driver> <scenario> [<rule> <function>]`: a line per finding (rule, function, the rest), and at the end a line `end`. With a rule
//! and a function it stops at the first case in which that is found.
//!
//! Nothing is asserted here: drivers with a defect answer wrongly, and what counts is that the double says so.

#[path = "../common/mod.rs"]
mod common;

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use common::card::Card;
use common::{ask, buffer, host, load, register, submit, tell, transfer};
use kmdf_sim::dma::{OsVersion, Translation};
use kmdf_sim::user::{self, Handle, Pending, Process};
use kmdf_sim::{Background, Config, Machine, Report};
use pinring_ioctl::{self as ioctl, direction, tier};
use zerocopy::IntoBytes;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);
/// Seeds of every scenario; 0 is without preemption.
const SEEDS: u64 = 4;
/// Longer than every time-out of the driver together, in ps.
const LONG: u64 = 16_000_000_000_000;
/// A while, in ps.
const MOMENT: u64 = 30_000_000;

type Scenario = fn(&mut Machine, &Card);

const SCENARIOS: &[(&str, Scenario)] = &[
    ("load", |_, _| {}),
    ("transfers", transfers),
    ("unregister", unregister_in_flight),
    ("cancel", cancel),
    ("close", close),
    ("exit", exit),
    ("removal", removal),
    ("sleep", sleep),
    ("asleep", asleep),
    ("hung", hung),
    // With few map registers.
    ("few", transfers),
    // One call of the system fails: `failures` says which.
    ("failure", transfers),
];

/// A host for each tier that REGISTER gives: Bypass, MappedOnce, and PerTransfer with remapping and with bounce pages.
fn hosts() -> [(Translation, OsVersion); 4] {
    [
        (Translation::Direct, OsVersion::Windows11),
        (Translation::Remapping, OsVersion::Windows11),
        (Translation::Remapping, OsVersion::Windows10),
        (Translation::Bounce, OsVersion::Windows10),
    ]
}

fn config((translation, os): (Translation, OsVersion), seed: u64) -> Config {
    let mut config = host(translation);
    config.dma.os = os;
    config.seed = seed;
    config.preempt = seed != 0;
    // Longer than any scenario takes; a timer that never stops does not hold it up.
    config.limit_ps = 8 * LONG;
    config
}

/// A machine's life with the driver.
fn play(config: Config, scenario: Scenario) -> (Report, Vec<(&'static str, u64)>) {
    // 4 KiB in a microsecond.
    let card = Card::new(4096, 1_000_000);
    let mut machine = Machine::new(config, card.clone());
    if load(&mut machine) {
        if machine.add_device() == Ok(0) {
            scenario(&mut machine, &card);
            let _ = machine.settle();
            let _ = machine.remove();
            let _ = machine.settle();
        }
        let _ = machine.unload();
    }
    (machine.report(), machine.fallible())
}

/// Every configuration of a scenario, and in `failure` every first call of a function that can fail.
fn cases(name: &str, scenario: Scenario, mut case: impl FnMut(Config) -> bool) {
    for host in hosts() {
        if name == "failure" {
            let (_, functions) = play(config(host, 0), scenario);
            for (function, count) in functions {
                for nth in 0..count.min(2) {
                    let mut config = config(host, 0);
                    config.fail = Some((function.into(), nth));
                    if case(config) {
                        return;
                    }
                }
            }
        } else {
            for seed in 0..SEEDS {
                let mut config = config(host, seed);
                if name == "few" {
                    config.dma.map_registers = 100;
                }
                if case(config) {
                    return;
                }
            }
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [driver, name, wanted @ ..] = &arguments[..] else {
        return ExitCode::FAILURE;
    };
    let Some((_, scenario)) = SCENARIOS.iter().find(|(known, _)| known == name) else {
        eprintln!("no scenario {name}");
        return ExitCode::FAILURE;
    };
    if !pinring_kmdf::select(driver) {
        eprintln!("no driver {driver}");
        return ExitCode::FAILURE;
    }
    cases(name, *scenario, |config| {
        let case = format!(
            "{:?}, {:?}, seed {}, fails {:?}",
            config.dma.translation, config.dma.os, config.seed, config.fail
        );
        let (report, _) = play(config, *scenario);
        let mut found = false;
        for violation in &report.violations {
            let rule = format!("{:?}", violation.rule);
            found |= wanted == [rule.as_str(), violation.ddi];
            println!("{rule}\t{}\t{violation} ({case})", violation.ddi);
        }
        found
    });
    println!("end");
    ExitCode::SUCCESS
}

/// Runs a thread of a new process.
fn app(machine: &mut Machine, body: impl FnOnce(Process)) {
    if let Ok(process) = machine.process() {
        let _ = machine.run(Some(process), || body(process));
    }
}

fn batch(region: u64) -> [ioctl::Transfer; 4] {
    [0, 1, 2, 3].map(|at| transfer(region, at << 18, 1 << 18, at))
}

fn take_back(handle: Handle, region: u64) {
    let named = ioctl::Handle { handle: region };
    let _ = tell(handle, ioctl::UNREGISTER, named.as_bytes());
}

fn ask_wait(handle: Handle, least: u32, room: usize) -> Option<Pending> {
    let asked = ioctl::Wait { least, reserved: 0 };
    let output = user::Output::Owned(vec![0; room * ioctl::Completion::BYTES]);
    user::start(handle, ioctl::WAIT.value(), asked.as_bytes(), output, None).ok()
}

/// Waits for completions, but not for ever.
fn wait_long(handle: Handle, count: u32) {
    if let Some(pending) = ask_wait(handle, count, count as usize + 3) {
        let _ = user::result(pending, Some(LONG));
    }
}

/// Everything that a session does, one after the other, in each tier; the last request is still pended when the handle is closed.
fn transfers(machine: &mut Machine, _: &Card) {
    app(machine, |_| {
        let Ok(handle) = user::open(3, true) else {
            return;
        };
        let _ = ask::<ioctl::DeviceInfo>(handle, ioctl::QUERY_DEVICE, &[]);
        let memory = buffer(1 << 20);
        let mut ends = Vec::new();
        for (token, strongest) in [tier::BYPASS, tier::MAPPED_ONCE, tier::PER_TRANSFER]
            .into_iter()
            .enumerate()
        {
            let tiers = (strongest, tier::PER_TRANSFER);
            let Ok((pending, info)) = register(handle, &memory, token as u64, tiers) else {
                continue;
            };
            for way in [direction::C2H, direction::H2C] {
                if submit(handle, way, &batch(info.handle)).is_ok() {
                    wait_long(handle, 4);
                }
            }
            // Longer than what few map registers hold.
            let long = [transfer(info.handle, 0, 1 << 19, 5)];
            if submit(handle, direction::C2H, &long).is_ok() {
                wait_long(handle, 1);
            }
            take_back(handle, info.handle);
            ends.push(pending);
        }
        let asked = ioctl::Allocate {
            length: 100_000,
            permissions: ioctl::permissions::BOTH,
            reserved: 0,
        };
        if let Ok(info) = ask::<ioctl::RegionInfo>(handle, ioctl::ALLOCATE, asked.as_bytes()) {
            if submit(
                handle,
                direction::C2H,
                &[transfer(info.handle, 10, 50_000, 3)],
            )
            .is_ok()
            {
                wait_long(handle, 1);
            }
            let range = ioctl::CopyRange {
                handle: info.handle,
                offset: 10,
            };
            for code in [ioctl::COPY_OUT, ioctl::COPY_IN] {
                let memory = memory.as_mut_ptr();
                // SAFETY: the buffer stays until the copy has ended.
                let copied = unsafe {
                    user::start_at(handle, code.value(), range.as_bytes(), memory, 50_000, None)
                };
                if let Ok(pending) = copied {
                    let _ = user::result(pending, Some(LONG));
                }
            }
            take_back(handle, info.handle);
        }
        let _ = user::device_io_control(handle, ioctl::READ_LOG.value(), &[], &mut [0; 64]);
        let _ = ask::<ioctl::Statistics>(handle, ioctl::STATISTICS, &[]);
        // What is refused.
        let _ = submit(handle, direction::C2H, &[transfer(0, 0, 1, 0)]);
        let _ = user::device_io_control(handle, 0x0022_7ffc, &[], &mut []);
        let pending = ask_wait(handle, 1, 1);
        let _ = user::close(handle);
        for pending in ends.into_iter().chain(pending) {
            let _ = user::result(pending, Some(LONG));
        }
    });
}

/// A handle with a registration and transfers in flight.
fn in_flight(memory: &kmdf_sim::memory::UserBuffer) -> Option<(Handle, Pending, u64)> {
    let handle = user::open(3, true).ok()?;
    let (pending, info) = register(handle, memory, 1, ANY).ok()?;
    // The queues are there, so that the next batch is the device's at once.
    let first = submit(handle, direction::C2H, &[transfer(info.handle, 0, 64, 9)]);
    if first.is_ok() {
        wait_long(handle, 1);
    }
    let _ = submit(handle, direction::C2H, &batch(info.handle));
    user::sleep_ps(MOMENT);
    Some((handle, pending, info.handle))
}

fn unregister_in_flight(machine: &mut Machine, _: &Card) {
    app(machine, |_| {
        let memory = buffer(1 << 20);
        if let Some((handle, pending, region)) = in_flight(&memory) {
            take_back(handle, region);
            let _ = user::result(pending, Some(LONG));
            drop(memory);
            user::sleep_ps(1_000_000_000);
            wait_long(handle, 4);
            let _ = user::close(handle);
        }
    });
}

/// Cancels transfers, a WAIT and registrations, some of which end by themselves at the same time.
fn cancel(machine: &mut Machine, _: &Card) {
    app(machine, |process| {
        let memory = buffer(1 << 20);
        if let Some((handle, pending, region)) = in_flight(&memory) {
            let asked = ioctl::Cancel {
                handle: region,
                scope: ioctl::scope::REGION,
                reserved: 0,
            };
            let _ = tell(handle, ioctl::CANCEL, asked.as_bytes());
            wait_long(handle, 4);
            if let Some(waits) = ask_wait(handle, 1, 1) {
                user::sleep_ps(MOMENT);
                user::cancel_io_ex(handle, Some(waits));
                let _ = user::result(waits, Some(LONG));
            }
            user::cancel_io_ex(handle, Some(pending));
            let _ = user::result(pending, Some(LONG));
            // Cancellations at about the time at which the device's acknowledgement brings the end.
            let mut usual = MOMENT;
            for round in 0..200 {
                let Ok((pending, info)) = register(handle, &memory, 2 + round, ANY) else {
                    continue;
                };
                user::sleep_ps(MOMENT);
                let begun = user::now_ps();
                user::spawn(process, move || take_back(handle, info.handle));
                if round != 0 {
                    user::sleep_ps(usual / 2 + user::random(usual / 2));
                    user::cancel_io_ex(handle, Some(pending));
                }
                let _ = user::result(pending, Some(LONG));
                if round == 0 {
                    usual = user::now_ps() - begun;
                }
            }
            let _ = user::close(handle);
        }
    });
}

/// The last handle is closed while a registration, transfers and WAITs are open.
fn close(machine: &mut Machine, _: &Card) {
    app(machine, |_| {
        let memory = buffer(1 << 20);
        if let Some((handle, pending, _)) = in_flight(&memory) {
            let waits = [ask_wait(handle, 6, 6), ask_wait(handle, 1, 1)];
            let _ = user::close(handle);
            for pending in waits.into_iter().flatten().chain([pending]) {
                let _ = user::result(pending, Some(LONG));
            }
        }
    });
}

/// A process ends; another one has a duplicate of its handle, and a completion port keeps its threads' ends from cancelling anything.
fn exit(machine: &mut Machine, _: &Card) {
    let Ok(other) = machine.process() else {
        return;
    };
    let elsewhere = Rc::new(Cell::new(None));
    let place = elsewhere.clone();
    app(machine, |process| {
        user::spawn(process, move || {
            let Ok(handle) = user::open(3, true) else {
                return;
            };
            let port = user::create_port();
            let _ = user::associate(port, handle, 0);
            place.set(user::duplicate(handle, other).ok());
            let memory = buffer(1 << 20);
            if let Ok((_, info)) = register(handle, &memory, 1, ANY) {
                let _ = submit(handle, direction::C2H, &batch(info.handle));
            }
            core::mem::forget(memory);
            user::exit_process();
        });
        user::sleep_ps(LONG);
    });
    let _ = machine.run(Some(other), || elsewhere.get().map(user::close));
}

fn removal(machine: &mut Machine, _: &Card) {
    app(machine, |process| {
        user::spawn(process, || {
            let memory = buffer(1 << 20);
            if let Some((handle, pending, _)) = in_flight(&memory) {
                let waits = ask_wait(handle, 6, 6);
                for pending in waits.into_iter().chain([pending]) {
                    let _ = user::result(pending, Some(LONG));
                }
                let _ = user::close(handle);
            }
        });
        user::sleep_ps(4 * MOMENT);
    });
    machine.start(Background::SurpriseRemove);
}

/// Sleep and wake, with a registration, transfers and a WAIT.
fn sleep(machine: &mut Machine, _: &Card) {
    app(machine, |process| {
        user::spawn(process, || {
            let memory = buffer(1 << 20);
            if let Some((handle, pending, region)) = in_flight(&memory) {
                let waits = ask_wait(handle, 8, 8);
                user::sleep_ps(100_000_000_000);
                let _ = submit(handle, direction::C2H, &batch(region));
                if let Some(pending) = waits {
                    let _ = user::result(pending, Some(LONG));
                }
                take_back(handle, region);
                let _ = user::result(pending, Some(LONG));
                let _ = user::close(handle);
            }
        });
        user::sleep_ps(4 * MOMENT);
    });
    if machine.sleep().is_ok() {
        let _ = machine.wake();
    }
}

/// The last handle is closed while the device sleeps.
fn asleep(machine: &mut Machine, _: &Card) {
    app(machine, |process| {
        user::spawn(process, || {
            let memory = buffer(1 << 20);
            if let Some((handle, pending, _)) = in_flight(&memory) {
                user::sleep_ps(100_000_000_000);
                let _ = user::close(handle);
                let _ = user::result(pending, Some(LONG));
            }
        });
        user::sleep_ps(4 * MOMENT);
    });
    if machine.sleep().is_ok() {
        let _ = machine.settle();
        // No rule is broken by a device that is well and does not come back; the system removes it, and its user has lost it.
        if let Ok(status) = machine.wake()
            && status < 0
        {
            println!("NotBack\twake\tNotBack in wake: EvtDeviceD0Entry gives {status:#x}");
        }
    }
}

/// A device that answers no admin command and does not reset, yet goes on with its transfers, slowly.
fn hung(machine: &mut Machine, card: &Card) {
    let card = card.clone();
    app(machine, |_| {
        let memory = buffer(1 << 20);
        if let Some((handle, pending, region)) = in_flight(&memory) {
            wait_long(handle, 4);
            // One that the device works on for longer than the driver is patient.
            card.0.borrow_mut().step_ps = LONG / 200;
            let _ = submit(handle, direction::C2H, &[transfer(region, 0, 1 << 20, 5)]);
            user::sleep_ps(LONG / 50);
            {
                let mut card = card.0.borrow_mut();
                card.deaf = true;
                let mut device = card.device.borrow_mut();
                device.silent = true;
                device.reset_stuck = true;
            }
            take_back(handle, region);
            let _ = user::result(pending, Some(LONG));
            drop(memory);
            let _ = user::close(handle);
            user::sleep_ps(1_000_000_000_000);
        }
    });
}
