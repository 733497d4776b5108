//! Whatever can fail fails once: every call of the system that may, and every allocation of the driver's, at each of its turns in a full
//! life. The driver refuses or goes on, nothing is left behind, and what comes next is served.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use common::*;
use kmdf_sim::ddi::NAMES;
use kmdf_sim::dma::{DmaConfig, OsVersion, Translation};
use kmdf_sim::user::{self, Handle};
use kmdf_sim::{Config, Machine, STATUS_NO_SUCH_DEVICE};
use pinring_ioctl::{self as ioctl, direction, tier, tier_reason};
use zerocopy::IntoBytes;

const BYTES: usize = 1 << 16;

/// A host for each tier, and one with few map registers.
fn hosts() -> [DmaConfig; 4] {
    let with = |translation| DmaConfig::with_translation(translation);
    [
        with(Translation::Direct),
        with(Translation::Remapping),
        with(Translation::Bounce),
        DmaConfig {
            os: OsVersion::Windows10,
            map_registers: 20,
            ..with(Translation::Bounce)
        },
    ]
}

fn config(dma: DmaConfig) -> Config {
    let mut config = Config {
        dma,
        ..Config::default()
    };
    config.registry.push(("RingEntries".into(), 16));
    config
}

/// What an application tries; `false` if something was refused or went wrong.
fn try_region(handle: Handle, region: &ioctl::RegionInfo) -> bool {
    let mut well = true;
    for way in [direction::C2H, direction::H2C] {
        let some: Vec<_> = (0..3)
            .map(|at| transfer(region.handle, at * 20_000, 10_000, at))
            .collect();
        well &= submit(handle, way, &some).is_ok()
            && wait(handle, 3).is_ok_and(|ends| ends.iter().all(|end| end.status == 0));
    }
    well
}

/// An application, from open to close, with regions of every tier that there is; around `pause` they stay registered.
fn application(machine: &mut Machine, dma: &DmaConfig, pause: impl FnOnce(&mut Machine)) -> bool {
    let Ok(process) = machine.process() else {
        return false;
    };
    let lasting = match dma.translation() {
        Translation::Direct => Some(tier::BYPASS),
        Translation::Remapping => Some(tier::MAPPED_ONCE),
        Translation::Bounce => None,
    };
    let first = machine.run(Some(process), || {
        let handle = open_or_not()?;
        let described = ask::<ioctl::DeviceInfo>(handle, ioctl::QUERY_DEVICE, &[]);
        let mut well = described.is_ok();
        // A host that was not heard gives the next tier, until the device starts again.
        let missing = described.is_ok_and(|info| info.bypass_missing != tier_reason::NONE);
        let lasting = lasting.filter(|&lasting| lasting != tier::BYPASS || !missing);
        let (mut regions, mut held) = (Vec::new(), Vec::new());
        for (token, tier) in (0..).zip(lasting.into_iter().chain([tier::PER_TRANSFER])) {
            let memory = buffer(BYTES);
            match register(handle, &memory, token, (tier, tier)) {
                Ok((pending, info)) => {
                    regions.push((info, Some(pending)));
                    well &= try_region(handle, &info);
                }
                Err(_) => well = false,
            }
            held.push(memory);
        }
        let asked = ioctl::Allocate {
            length: BYTES as u64,
            permissions: ioctl::permissions::BOTH,
            reserved: 0,
        };
        let count = || ask::<ioctl::Statistics>(handle, ioctl::STATISTICS, &[]);
        let before = count().map(|statistics| statistics.handle_regions);
        match ask::<ioctl::RegionInfo>(handle, ioctl::ALLOCATE, asked.as_bytes()) {
            Ok(info) => {
                regions.push((info, None));
                well &= try_region(handle, &info);
                for code in [ioctl::COPY_IN, ioctl::COPY_OUT] {
                    let range = ioctl::CopyRange {
                        handle: info.handle,
                        offset: 100,
                    };
                    let mut place = [7; 5000];
                    let copied =
                        user::device_io_control(handle, code.value(), range.as_bytes(), &mut place);
                    well &= copied.is_ok();
                }
            }
            Err(_) => {
                // Nobody could free what a request has allocated that was refused.
                let after = count().map(|statistics| statistics.handle_regions);
                assert_eq!(after, before, "a refused ALLOCATE leaves something");
                well = false;
            }
        }
        well &= ask::<ioctl::Statistics>(handle, ioctl::STATISTICS, &[]).is_ok();
        let mut log = [0; 64];
        let read = user::device_io_control(handle, ioctl::READ_LOG.value(), &[], &mut log);
        well &= read.is_ok();
        let all = ioctl::Cancel {
            scope: ioctl::scope::ALL,
            ..ioctl::Cancel::default()
        };
        well &= tell(handle, ioctl::CANCEL, all.as_bytes()).is_ok();
        Some((handle, regions, held, well))
    });
    let Ok(Some((handle, mut regions, held, mut well))) = first else {
        return false;
    };
    pause(machine);
    let last = machine.run(Some(process), move || {
        for (info, _) in &regions {
            well &= try_region(handle, info);
        }
        // One goes by itself, the others with the handle. It is the last of the registrations: its request has others before it.
        let alone = regions.iter().rposition(|(_, pending)| pending.is_some());
        let alone = alone.map(|place| regions.remove(place));
        if let Some((info, pending)) = &alone {
            let named = ioctl::Handle {
                handle: info.handle,
            };
            let told = tell(handle, ioctl::UNREGISTER, named.as_bytes()).is_ok();
            well &= told;
            if let (true, Some(pending)) = (told, pending) {
                well &= user::result(*pending, None).is_some_and(|end| end.status == 0);
            }
        }
        well &= user::close(handle).is_ok();
        for (_, pending) in &regions {
            if let Some(pending) = pending {
                let _ = user::result(*pending, None);
            }
        }
        drop(held);
        well
    });
    last.unwrap_or(false)
}

fn open_or_not() -> Option<Handle> {
    user::open(3, true).ok()
}

/// A life of the driver in which something may fail, between `begin` and `end`, and a second application or start, which must be served.
fn life(dma: &DmaConfig, config: Config, begin: impl FnOnce(), end: impl FnOnce()) -> Machine {
    let mut machine = machine(config);
    begin();
    let mut loaded = load(&mut machine);
    let mut added = loaded && machine.add_device() == Ok(0);
    if added {
        application(&mut machine, dma, |machine| {
            let _ = machine.sleep();
            let _ = machine.wake();
        });
        let _ = machine.settle();
    }
    end();
    if !added || machine.device_failed() {
        // It did not start, or not again behind the sleep: the next start is a good one.
        if added {
            // One that did not come back from its sleep was removed.
            let removed = machine.remove();
            assert!(
                matches!(removed, Ok(0 | STATUS_NO_SUCH_DEVICE)),
                "{}",
                machine.report()
            );
        }
        loaded = loaded || load(&mut machine);
        added = machine.add_device() == Ok(0);
    }
    assert!(loaded && added, "{}", machine.report());
    let well = application(&mut machine, dma, |_| {});
    assert!(well, "the second is served\n{}", machine.report());
    let _ = machine.settle();
    assert_eq!(machine.remove(), Ok(0), "{}", machine.report());
    machine.unload().expect("it goes on");
    machine.report().assert_clean();
    let operations = machine.operations();
    assert_eq!(operations.started, operations.ended);
    machine
}

/// Functions of the list with a status or a pointer as result that do not fail as the driver calls them, and why: so says their documentation.
const CANNOT_FAIL: [(&str, &str); 16] = [
    (
        "EtwUnregister",
        "STATUS_INVALID_HANDLE is for a handle that EtwRegister did not give",
    ),
    ("FreeCommonBuffer", "it has no result"),
    (
        "KeDelayExecutionThread",
        "STATUS_ALERTED and STATUS_USER_APC are for alertable waits and UserMode",
    ),
    (
        "KeWaitForSingleObject",
        "as above; STATUS_TIMEOUT is for a wait with a limit",
    ),
    ("PsGetCurrentProcessId", "a number, in the type of a handle"),
    (
        "WdfCmResourceListGetDescriptor",
        "NULL is for an index that is not below WdfCmResourceListGetCount",
    ),
    (
        "WdfCommonBufferGetAlignedVirtualAddress",
        "what the object has; a wrong handle is a bug check",
    ),
    ("WdfDeviceWdmGetDeviceObject", "as above"),
    ("WdfDmaEnablerWdmGetDmaAdapter", "as above"),
    (
        "WdfDmaTransactionRelease",
        "STATUS_INVALID_DEVICE_STATE is for a second release",
    ),
    (
        "WdfFileObjectGetDevice",
        "what the object has; a wrong handle is a bug check",
    ),
    ("WdfInterruptGetDevice", "as above"),
    ("WdfIoQueueGetDevice", "as above"),
    (
        "WdfObjectGetTypedContextWorker",
        "NULL is for an object that was created without this context",
    ),
    (
        "WdfTimerGetParentObject",
        "what the object has; a wrong handle is a bug check",
    ),
    ("WdfWorkItemGetParentObject", "as above"),
];

/// Types of results that no failure is told by.
const NUMBERS: [&str; 6] = [
    "BOOLEAN",
    "LARGE_INTEGER",
    "LONG",
    "PHYSICAL_ADDRESS",
    "ULONG",
    "usize",
];

/// The functions of wdk_sys that the driver calls by name: wdk-names.txt has them, and a test of the list that they are all.
fn functions_of_the_driver() -> BTreeSet<String> {
    let list = include_str!("../wdk-names.txt");
    let mut functions = BTreeSet::new();
    let mut among_functions = false;
    for line in list.lines() {
        match line.strip_prefix("# ") {
            Some(title) => among_functions = title.starts_with("Functions of the "),
            None if among_functions && !line.is_empty() => {
                let name = line.trim_start_matches(['+', ' ']);
                functions.insert(name.trim_start_matches("ntddk::").to_owned());
            }
            None => {}
        }
    }
    functions
}

/// Functions of the double, with the type of the result, empty if there is none.
fn results() -> BTreeMap<String, String> {
    fn collect(folder: &Path, results: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, results);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for function in text.split("\npub unsafe fn ").skip(1) {
                let (signature, _) = function.split_once('{').expect("a body");
                let (name, _) = signature.split_once('(').expect("arguments");
                let result = signature
                    .rsplit_once(") -> ")
                    .map_or("", |(_, result)| result);
                results.insert(name.into(), result.trim().into());
            }
        }
    }
    let mut found = BTreeMap::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../kmdf-sim/src");
    collect(Path::new(source), &mut found);
    found
}

/// Whether it is a routine of a table: the adapter's or the bus interface's. They have no names of their own in wdk_sys.
fn is_routine(name: &str) -> bool {
    let tables = [
        include_str!("../../kmdf-sim/src/types/dma_operations.rs"),
        include_str!("../../kmdf-sim/src/types/wdm.rs"),
    ];
    let member = format!("{name}: P");
    !NAMES.contains(&name) && tables.iter().any(|table| table.contains(&member))
}

/// What can fail of all that the driver calls, and must be seen to: what returns a status or a pointer and each routine of a table, but for
/// the exceptions.
fn fallible(called: &BTreeSet<&str>) -> BTreeSet<String> {
    let results = results();
    let functions = functions_of_the_driver();
    assert!(functions.len() > 70, "the list is written in another way");
    let tells = |name: &String| {
        let result = results.get(name).map(String::as_str);
        let result = result.unwrap_or_else(|| panic!("the double has no {name}"));
        !result.is_empty() && !NUMBERS.contains(&result)
    };
    let mut fallible: BTreeSet<_> = functions.into_iter().filter(tells).collect();
    let routines = called.iter().filter(|name| is_routine(name));
    fallible.extend(routines.map(|name| (*name).to_owned()));
    for (name, _) in CANNOT_FAIL {
        assert!(
            fallible.remove(name),
            "{name}: an exception that nothing needs"
        );
    }
    fallible
}

#[test]
fn failures_of_the_system_are_survived() {
    let (mut called, mut failed) = (BTreeSet::new(), BTreeSet::new());
    let mut runs = 0;
    for dma in hosts() {
        let whole = life(&dma, config(dma), || {}, || {});
        let calls = whole.fallible();
        called.extend(whole.called());
        drop(whole);
        for (name, count) in calls {
            // What only the second application calls cannot fail it, too.
            let first = first_calls(&dma, name).min(count);
            for nth in 0..first {
                let mut config = config(dma);
                config.fail = Some((name.into(), nth));
                let run = || life(&dma, config, || {}, || {});
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
                if let Err(panic) = outcome {
                    eprintln!("{name} fails at its call {nth}, {dma:?}");
                    std::panic::resume_unwind(panic);
                }
                failed.insert(name.to_owned());
                runs += 1;
            }
        }
    }
    println!(
        "{} functions of the system failed, in {runs} runs",
        failed.len()
    );
    let wanted = fallible(&called);
    let differ: Vec<_> = failed.symmetric_difference(&wanted).collect();
    assert!(
        differ.is_empty(),
        "they should fail and did not, or failed and are not known to: {differ:?}"
    );
}

thread_local! {
    static FIRST: RefCell<BTreeMap<String, BTreeMap<&'static str, u64>>> = RefCell::default();
}

/// How often a function is called before the second application.
fn first_calls(dma: &DmaConfig, name: &str) -> u64 {
    let key = format!("{dma:?}");
    if !FIRST.with_borrow(|first| first.contains_key(&key)) {
        let mut machine = machine(config(*dma));
        assert!(load(&mut machine) && machine.add_device() == Ok(0));
        assert!(application(&mut machine, dma, |machine| {
            machine.sleep().unwrap();
            assert_eq!(machine.wake(), Ok(0));
        }));
        machine.settle().unwrap();
        let calls = machine.fallible().into_iter().collect();
        FIRST.with_borrow_mut(|first| first.insert(key.clone(), calls));
    }
    FIRST.with_borrow(|first| first[&key].get(name).copied().unwrap_or(0))
}

/// The allocator of this test: counts the driver's own allocations, and fails one.
struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

thread_local! {
    /// Allocations are looked at.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
    /// Number of the driver's allocations so far, and of the one that fails.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static FAILS: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Layouts that the driver allocates, or all; who allocates is known from the stack alone, which takes long to read.
    static LAYOUTS: RefCell<Option<BTreeSet<(usize, usize)>>> = const { RefCell::new(None) };
    /// Functions of the driver that allocate, as met.
    static SITES: RefCell<Vec<((usize, usize), String)>> = const { RefCell::new(Vec::new()) };
}

// SAFETY: the system's allocator, which may fail.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LOOKING.try_with(Cell::get).unwrap_or(false) {
            LOOKING.set(false);
            let fails = look(layout);
            LOOKING.set(true);
            if fails {
                return std::ptr::null_mut();
            }
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract. What the driver frees is kept a while: a late write is reported.
        unsafe { kmdf_sim::Quarantine.dealloc(pointer, layout) }
    }
}

/// Whether this allocation is the one that fails.
fn look(layout: Layout) -> bool {
    let shape = (layout.size(), layout.align());
    if LAYOUTS.with_borrow(|known| known.as_ref().is_some_and(|known| !known.contains(&shape))) {
        return false;
    }
    let Some(site) = driver_site() else {
        return false;
    };
    SITES.with_borrow_mut(|sites| sites.push((shape, site)));
    let count = COUNT.get();
    COUNT.set(count + 1);
    count == FAILS.get()
}

/// The function of the driver that allocates, if it is one: not the double, which it calls, nor the device.
fn driver_site() -> Option<String> {
    let stack = Backtrace::force_capture().to_string();
    for line in stack.lines() {
        let Some((number, name)) = line.trim_start().split_once(": ") else {
            continue;
        };
        if number.parse::<u32>().is_err() {
            continue;
        }
        let name = name.trim_start_matches('<');
        let is = |krate: &str| name.starts_with(krate);
        if is("kmdf_sim::") || is("pinring_core::mock::") || is("failures::common::") {
            return None;
        }
        if is("pinring_kmdf::entry::root") {
            // Of the double's one thread, not of the kernel.
            return None;
        }
        if is("pinring_kmdf::memory::") || is("pinring_core::memory::") {
            continue;
        }
        if is("pinring_kmdf::") || is("pinring_core::") {
            return Some(name.into());
        }
    }
    None
}

fn looking(fails: u64) -> impl FnOnce() {
    move || {
        COUNT.set(0);
        FAILS.set(fails);
        SITES.with_borrow_mut(Vec::clear);
        LOOKING.set(true);
    }
}

/// The child of the next test, which an allocation that may not fail would abort.
#[test]
#[ignore = "run by allocations_of_the_driver_may_fail"]
fn every_allocation_fails_once() {
    let stop = || LOOKING.set(false);
    let mut functions = BTreeSet::new();
    let mut runs = 0;
    for dma in hosts() {
        // Anything that is kept from machine to machine is there afterwards.
        life(&dma, config(dma), || {}, || {});
        LAYOUTS.with_borrow_mut(|known| *known = None);
        life(&dma, config(dma), looking(u64::MAX), stop);
        let sites = SITES.take();
        let layouts = sites.iter().map(|(shape, _)| *shape).collect();
        LAYOUTS.with_borrow_mut(|known| *known = Some(layouts));
        let count = sites.len() as u64;
        for fails in 0..count {
            let (shape, name) = &sites[fails as usize];
            functions.insert(name.clone());
            // Unlike the test's own, seen even if the process aborts.
            eprintln!("allocation {fails} of {count}: {shape:?} in {name}, {dma:?}");
            life(&dma, config(dma), looking(fails), stop);
            assert!(COUNT.get() > fails, "it was not met");
            runs += 1;
        }
    }
    println!(
        "allocations fail in {runs} runs, of {} functions: {functions:#?}",
        functions.len()
    );
}

#[test]
fn allocations_of_the_driver_may_fail() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "every_allocation_fails_once",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    println!("{out}");
    let from = err.len().saturating_sub(4000);
    assert!(child.status.success(), "{}\n{out}", &err[from..]);
}
