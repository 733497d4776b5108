//! Every version of Windows, adapter and INF: the driver gives the tier that the guide's table names, says why, and moves the right bytes.
//!
//! The table is docs/windows.md's, which is also compared with the doctor's predictions: document, doctor and driver cannot drift.

mod common;

use std::collections::HashSet;
use std::fs;

use common::*;
use kmdf_sim::Config;
use kmdf_sim::dma::{DmaConfig, InfPolicy, Iommu, OsVersion, Translation};
use kmdf_sim::memory::{PageLayout, UserBuffer};
use kmdf_sim::user::{self, Handle, Pending, Status};
use pinring_core::mock::cookie_byte;
use pinring_ioctl::{self as ioctl, Error, direction, permissions, tier, tier_reason};
use zerocopy::IntoBytes;

/// What the driver frees is kept a while: a late write is reported.
#[global_allocator]
static ALLOCATOR: kmdf_sim::Quarantine = kmdf_sim::Quarantine;

const ANY: (u32, u32) = (tier::BYPASS, tier::PER_TRANSFER);
const PAGE: usize = 4096;

/// A cell of the table.
struct Cell {
    name: String,
    dma: DmaConfig,
    tier: u32,
}

impl Cell {
    fn remaps(&self) -> bool {
        self.dma.translation() == Translation::Remapping
    }

    /// Nothing lasting is to be had, whatever the pages are.
    fn bounces(&self) -> bool {
        self.dma.translation() == Translation::Bounce
    }

    /// Why `tier` is not a stronger one, for scattered buffers of whole pages.
    fn reason(&self) -> u32 {
        match self.tier {
            tier::BYPASS => tier_reason::NONE,
            tier::MAPPED_ONCE => tier_reason::TRANSLATED,
            _ if self.dma.os == OsVersion::Windows10 => tier_reason::UNSUPPORTED,
            _ if self.bounces() => tier_reason::TRANSLATED,
            _ => tier_reason::NOT_CONTIGUOUS,
        }
    }
}

fn text(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

/// What the shipped INF says.
fn shipped() -> InfPolicy {
    let inf = text("pinring_kmdf.inx");
    let value = |name: &str| -> u32 {
        let line = inf
            .lines()
            .find(|line| !line.trim_start().starts_with(';') && line.contains(&format!("{name},")))
            .unwrap_or_else(|| panic!("the INF has no {name}"));
        let value = line.split(';').next().unwrap().rsplit(',').next().unwrap();
        value.trim().parse().unwrap()
    };
    InfPolicy {
        dma_remapping_compatible: Some(value("DmaRemappingCompatible")),
        remapping_supported: Some(value("RemappingSupported")),
        remapping_flags: value("RemappingFlags"),
    }
}

/// Versions of Windows by the guide's names.
const VERSIONS: [(&str, OsVersion); 4] = [
    ("10 22H2", OsVersion::Windows10),
    ("Server 2022", OsVersion::Server2022),
    ("11 23H2", OsVersion::Windows11),
    ("11 24H2", OsVersion::Windows11_24H2),
];

/// One of the guide's adapters. How it translates is not said here: it follows from system, platform and INF.
fn adapter(name: &str, host: DmaConfig) -> DmaConfig {
    match name {
        "internal" => host,
        "external" => DmaConfig {
            external: true,
            iommu: match host.iommu {
                Iommu::Off => Iommu::Off,
                _ => Iommu::KernelDmaProtection,
            },
            ..host
        },
        "verified" => DmaConfig {
            driver_verifier: true,
            ..host
        },
        "few map registers" => DmaConfig {
            map_registers: 20,
            registers_for_every_page: true,
            ..host
        },
        "32-bit reach" => DmaConfig {
            reach_bits: 32,
            ..host
        },
        other => panic!("{other}: what adapter is that?"),
    }
}

/// The guide's table, cell by cell.
fn table() -> Vec<Cell> {
    let guide = text("../../docs/windows.md");
    let (_, rest) = guide.split_once("<!-- tiers: begin -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- tiers: end -->").unwrap();
    let shipped = shipped();
    let infs = [
        shipped,
        InfPolicy {
            remapping_supported: Some(1),
            remapping_flags: 0,
            ..shipped
        },
        InfPolicy::compatible(1),
        InfPolicy {
            dma_remapping_compatible: Some(0),
            remapping_supported: Some(0),
            ..shipped
        },
    ];
    let mut systems: Vec<(OsVersion, Iommu)> = Vec::new();
    let mut cells = Vec::new();
    for row in table.lines().skip(2) {
        let columns: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [version, adapters, tiers @ ..] = columns.as_slice() else {
            panic!("{row}");
        };
        match version.split(" (").next().unwrap() {
            "" => {}
            "any, IOMMU off" => systems = VERSIONS.map(|(_, os)| (os, Iommu::Off)).to_vec(),
            name => {
                let found = VERSIONS.iter().find(|(version, _)| *version == name);
                let (_, os) = found.unwrap_or_else(|| panic!("{name}: of what Windows is that?"));
                systems = vec![(*os, Iommu::On)];
            }
        }
        assert_eq!(tiers.len(), infs.len(), "{row}");
        for name in adapters.split(", ") {
            for (inf, wanted) in infs.iter().zip(tiers) {
                let tier = match *wanted {
                    "Bypass" => tier::BYPASS,
                    "MappedOnce" => tier::MAPPED_ONCE,
                    "PerTransfer" => tier::PER_TRANSFER,
                    other => panic!("{other} is no tier"),
                };
                cells.extend(systems.iter().map(|&(os, iommu)| Cell {
                    name: format!("{os:?}, IOMMU {iommu:?}, {name}, {inf:?}"),
                    dma: adapter(
                        name,
                        DmaConfig {
                            os,
                            inf: *inf,
                            iommu,
                            ..DmaConfig::default()
                        },
                    ),
                    tier,
                }));
            }
        }
    }
    cells
}

/// Registers a part of a buffer for both directions.
fn register_part(
    handle: Handle,
    buffer: &UserBuffer,
    (from, bytes): (usize, usize),
    tiers: (u32, u32),
) -> Result<(Pending, ioctl::RegionInfo), Status> {
    let input = ioctl::Register {
        token: 1,
        permissions: permissions::BOTH,
        first_tier: tiers.0,
        last_tier: tiers.1,
        reserved: 0,
    };
    // SAFETY: the part is within the buffer, which the caller keeps until the registration has ended.
    let pending = unsafe {
        user::start_at(
            handle,
            ioctl::REGISTER.value(),
            input.as_bytes(),
            buffer.as_mut_ptr().add(from),
            bytes,
            None,
        )
    }?;
    if let Some(completion) = user::result(pending, Some(0)) {
        return Err(Status(completion.status));
    }
    let token = ioctl::Token { token: 1 };
    Ok((pending, ask(handle, ioctl::QUERY_REGION, token.as_bytes())?))
}

/// Moves data in both directions, at and around the edges of pages: what is meant is right, and nothing else is touched.
fn move_data(
    handle: Handle,
    memory: &UserBuffer,
    (from, bytes): (usize, usize),
    region: u64,
    packet: &mut dyn FnMut() -> Vec<u8>,
    cookie: &mut u64,
) {
    let mut parts = vec![
        (0, 1),
        (1, 1),
        (PAGE - 1, 1),
        (PAGE - 1, 2),
        (PAGE, PAGE),
        (PAGE - 1, PAGE + 2),
        (PAGE + 1, PAGE - 1),
        (PAGE + 1, PAGE - 2),
        (3, 3 * PAGE),
        (777, 9999),
        (bytes - 1, 1),
        (bytes - PAGE - 1, PAGE + 1),
    ];
    // The same around the pages' own edges, if the registration begins elsewhere.
    let shift = (PAGE - from % PAGE) % PAGE;
    parts.extend([(shift, PAGE), (shift + PAGE - 1, 2)]);
    for (offset, length) in parts {
        *cookie += 1;
        let one = [transfer(region, offset as u64, length as u64, *cookie)];
        // Unlike what the host, the device and freed or fresh memory are filled with.
        memory.fill(0x22);
        submit(handle, direction::C2H, &one).unwrap();
        let end = wait(handle, 1).unwrap()[0];
        assert_eq!(
            (end.status, end.bytes),
            (0, length as u64),
            "{offset} {length}"
        );
        let mut wanted = vec![0x22; memory.len()];
        for (byte, at) in wanted[from + offset..][..length].iter_mut().zip(0..) {
            *byte = cookie_byte(*cookie, at);
        }
        assert!(memory.to_vec() == wanted, "C2H {offset} {length}");

        let data: Vec<_> = (0..length as u64)
            .map(|at| !cookie_byte(*cookie, at))
            .collect();
        memory.write(from + offset, &data);
        let before = memory.to_vec();
        submit(handle, direction::H2C, &one).unwrap();
        let end = wait(handle, 1).unwrap()[0];
        assert_eq!(
            (end.status, end.bytes),
            (0, length as u64),
            "{offset} {length}"
        );
        assert!(packet() == data, "H2C {offset} {length}");
        assert!(
            memory.to_vec() == before,
            "H2C {offset} {length} changed memory"
        );
    }
}

/// Everything about one cell.
fn run(cell: &Cell) {
    let mut bench = Bench::new(Config {
        dma: cell.dma,
        ..Config::default()
    });
    let device = bench.device.clone();
    let (wanted, reason) = (cell.tier, cell.reason());
    let (remaps, bounces) = (cell.remaps(), cell.bounces());
    let dma = cell.dma;
    bench.app(move || {
        let handle = open();
        let mut packet = || device.borrow_mut().packets_out.pop().expect("a packet").1;
        let mut cookie = 0;
        let once = dma.os != OsVersion::Windows10;
        let described: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
        let missing = match wanted {
            tier::BYPASS => tier_reason::NONE,
            _ => tier_reason::TRANSLATED,
        };
        assert_eq!(described.bypass_missing, missing);
        let missing = match once {
            true => tier_reason::NONE,
            false => tier_reason::UNSUPPORTED,
        };
        assert_eq!(described.mapped_once_missing, missing);

        let bytes = 16 * PAGE;
        let scattered = buffer(bytes);
        let contiguous = UserBuffer::new(bytes, &PageLayout::Contiguous).unwrap();
        let whole = (0, bytes);
        let odd = (123, bytes - 1000);
        // Which buffer and part, tiers: what is to come of it.
        type Outcome = Result<(u32, u32), Error>;
        let mut try_one = |memory: &UserBuffer, part, tiers, outcome: Outcome| {
            let got = register_part(handle, memory, part, tiers);
            match (got, outcome) {
                (Ok((pending, info)), Ok(outcome)) => {
                    assert_eq!((info.tier, info.reason), outcome);
                    assert_eq!(info.length, part.1 as u64);
                    move_data(handle, memory, part, info.handle, &mut packet, &mut cookie);
                    unregister(handle, pending, info.handle);
                }
                (Err(status), Err(error)) => assert_eq!(status, Status(error.status())),
                (got, outcome) => panic!("{tiers:?}: {got:?}, not {outcome:?}"),
            }
        };
        let exactly = |tier| (tier, tier);
        let bypass = match wanted {
            tier::BYPASS => Ok((tier::BYPASS, tier_reason::NONE)),
            _ => Err(Error::NoBypass),
        };
        let per_transfer = Ok((tier::PER_TRANSFER, tier_reason::NONE));
        let mapped_once = match (once && !bounces, remaps) {
            (false, _) => Err(Error::NoMappedOnce),
            (true, true) => Ok((tier::MAPPED_ONCE, tier_reason::NONE)),
            (true, false) => Err(Error::NotContiguous),
        };
        try_one(&scattered, whole, ANY, Ok((wanted, reason)));
        try_one(&scattered, whole, exactly(tier::BYPASS), bypass);
        try_one(&scattered, whole, exactly(tier::MAPPED_ONCE), mapped_once);
        try_one(&scattered, whole, exactly(tier::PER_TRANSFER), per_transfer);
        // Parts of pages never have one mapping.
        let some = match (wanted, once) {
            (tier::BYPASS, _) => (tier::BYPASS, tier_reason::NONE),
            (_, true) => (tier::PER_TRANSFER, tier_reason::NOT_WHOLE_PAGES),
            (_, false) => (tier::PER_TRANSFER, tier_reason::UNSUPPORTED),
        };
        try_one(&scattered, odd, ANY, Ok(some));
        try_one(&scattered, odd, exactly(tier::BYPASS), bypass);
        let parts = match once {
            true => Error::NotWholePages,
            false => Error::NoMappedOnce,
        };
        try_one(&scattered, odd, exactly(tier::MAPPED_ONCE), Err(parts));
        try_one(&scattered, odd, exactly(tier::PER_TRANSFER), per_transfer);
        // Contiguous pages need no remapping, if the device reaches them as they are.
        let lasting = match (once && !bounces, remaps || dma.reach_bits == 64) {
            (false, _) => Err(Error::NoMappedOnce),
            (true, true) => Ok((tier::MAPPED_ONCE, tier_reason::NONE)),
            // They lie above 4 GiB; Windows says no more than of scattered ones.
            (true, false) => Err(Error::NotContiguous),
        };
        try_one(&contiguous, whole, exactly(tier::MAPPED_ONCE), lasting);
        user::close(handle).unwrap();
    });
    bench.end();
}

#[test]
fn tiers_are_those_of_the_guide() {
    let cells = table();
    // Each of four systems, with the IOMMU on and off, five adapters and four INFs is there once.
    let names: HashSet<_> = cells.iter().map(|cell| &cell.name).collect();
    assert_eq!(names.len(), cells.len());
    assert_eq!(cells.len(), 4 * 2 * 5 * 4);
    for cell in &cells {
        let outcome = std::panic::catch_unwind(|| run(cell));
        if let Err(panic) = outcome {
            eprintln!("in the cell {}", cell.name);
            std::panic::resume_unwind(panic);
        }
    }
}

/// A packet that ends early: its bytes are right, and nothing outside the transfer is touched. What lies behind them within the transfer
/// stays too, but where pages are bounced: those are copied back whole.
#[test]
fn what_a_short_packet_leaves() {
    for (translation, bounced) in [
        (Translation::Direct, false),
        (Translation::Remapping, false),
        (Translation::Bounce, true),
    ] {
        for tiers in [ANY, (tier::PER_TRANSFER, tier::PER_TRANSFER)] {
            let mut bench = Bench::new(host(translation));
            bench.device.borrow_mut().packets.push_back(100);
            bench.app(move || {
                let handle = open();
                let memory = buffer(4 * PAGE);
                memory.fill(0x22);
                let (pending, info) = register(handle, &memory, 1, tiers).unwrap();
                let one = [transfer(info.handle, 5000, 3000, 9)];
                submit(handle, direction::C2H, &one).unwrap();
                let end = wait(handle, 1).unwrap()[0];
                assert_eq!((end.status, end.bytes), (0, 100));
                assert_eq!(end.flags, ioctl::completion_flags::END_OF_PACKET);
                let found = memory.to_vec();
                for (at, byte) in found.iter().enumerate() {
                    match at {
                        5000..5100 => assert_eq!(*byte, cookie_byte(9, at as u64 - 5000)),
                        5100..8000 if bounced => {}
                        _ => assert_eq!(*byte, 0x22, "{at}"),
                    }
                }
                unregister(handle, pending, info.handle);
                user::close(handle).unwrap();
            });
            bench.end();
        }
    }
}

/// What an administrator has ruled out is refused, and named as the reason where a weaker tier is allowed.
#[test]
fn the_registry_limits_tiers() {
    const BYPASS: (u32, u32) = (tier::BYPASS, tier::BYPASS);
    const ONCE: (u32, u32) = (tier::MAPPED_ONCE, tier::MAPPED_ONCE);
    // 7 counts as 2.
    for limit in [0, 1, 2, 7] {
        for translation in [Translation::Direct, Translation::Remapping] {
            let mut config = host(translation);
            config.registry.push(("TierLimit".into(), limit));
            let direct = translation == Translation::Direct;
            let mut bench = Bench::new(config);
            bench.app(move || {
                let handle = open();
                let info: ioctl::DeviceInfo = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
                let reason = |forbidden, there| match (forbidden, there) {
                    (true, _) => tier_reason::REGISTRY,
                    (false, true) => tier_reason::NONE,
                    (false, false) => tier_reason::TRANSLATED,
                };
                let missing = (info.bypass_missing, info.mapped_once_missing);
                assert_eq!(
                    missing,
                    (reason(limit > 0, direct), reason(limit > 1, true))
                );
                // Contiguous pages have every tier.
                let memory = UserBuffer::new(16 * PAGE, &PageLayout::Contiguous).unwrap();
                let (one, forbidden) = ((0, memory.len()), error(Error::ForbiddenByRegistry));
                let try_one = |tiers, outcome| match register_part(handle, &memory, one, tiers) {
                    Ok((pending, info)) => {
                        assert_eq!(Ok((info.tier, info.reason)), outcome);
                        unregister(handle, pending, info.handle);
                    }
                    Err(status) => assert_eq!(Err(status), outcome),
                };
                let bypass = match (limit, direct) {
                    (0, true) => Ok((tier::BYPASS, tier_reason::NONE)),
                    (0, false) => Err(error(Error::NoBypass)),
                    _ => Err(forbidden),
                };
                let once = match limit {
                    0 | 1 => Ok((tier::MAPPED_ONCE, tier_reason::NONE)),
                    _ => Err(forbidden),
                };
                let any = match (limit, direct) {
                    (0, true) => (tier::BYPASS, tier_reason::NONE),
                    (0, false) => (tier::MAPPED_ONCE, tier_reason::TRANSLATED),
                    (1, _) => (tier::MAPPED_ONCE, tier_reason::REGISTRY),
                    _ => (tier::PER_TRANSFER, tier_reason::REGISTRY),
                };
                try_one(BYPASS, bypass);
                try_one(ONCE, once);
                try_one(ANY, Ok(any));
                // What is there is what the strongest that is asked for is not.
                let weaker = (tier::MAPPED_ONCE, tier::PER_TRANSFER);
                let reason = match limit {
                    0 | 1 => tier_reason::NONE,
                    _ => tier_reason::REGISTRY,
                };
                let tier = any.0.max(tier::MAPPED_ONCE);
                try_one(weaker, Ok((tier, reason)));
                user::close(handle).unwrap();
            });
            bench.end();
        }
    }
}

/// Values that make no sense become the nearest that do.
#[test]
fn the_registry_s_numbers_are_clamped() {
    for ((depth, entries), wanted) in [
        ((0, 0), (1, 16)),
        ((3, 100), (3, 128)),
        ((17, 1 << 15), (16, 1 << 15)),
        ((u32::MAX, u32::MAX), (16, 1 << 15)),
    ] {
        let mut config = Config::default();
        config.registry.push(("PrepareDepth".into(), depth));
        config.registry.push(("RingEntries".into(), entries));
        let mut bench = Bench::new(config);
        let info: ioctl::DeviceInfo = bench.app(|| {
            let handle = open();
            let info = ask(handle, ioctl::QUERY_DEVICE, &[]).unwrap();
            user::close(handle).unwrap();
            info
        });
        assert_eq!((info.prepare_depth, info.ring_entries), wanted);
        bench.end();
    }
}

/// Interrupts of a batch of 30 small transfers that the application waits for, with these values of the registry.
fn interrupts_of_a_batch(values: &[(&str, u32)]) -> u64 {
    let mut config = Config::default();
    for &(name, value) in values {
        config.registry.push((name.into(), value));
    }
    let mut bench = Bench::new(config);
    let interrupts = bench.app(|| {
        let handle = open();
        let memory = buffer(1 << 20);
        let tiers = (tier::BYPASS, tier::PER_TRANSFER);
        let (pending, info) = register(handle, &memory, 7, tiers).unwrap();
        // The first creates the queue.
        submit(handle, direction::C2H, &[transfer(info.handle, 0, 64, 0)]).unwrap();
        assert_eq!(wait(handle, 1).unwrap().len(), 1);
        let before = statistics(handle).interrupts;
        let batch: Vec<_> = (1..=30)
            .map(|index| transfer(info.handle, index * 4096, 64, index))
            .collect();
        submit(handle, direction::C2H, &batch).unwrap();
        let completions = wait(handle, batch.len()).unwrap();
        let cookies: Vec<_> = completions.iter().map(|done| done.cookie).collect();
        assert_eq!(cookies, (1..=30).collect::<Vec<_>>());
        let after = statistics(handle).interrupts;
        unregister(handle, pending, info.handle);
        user::close(handle).unwrap();
        after - before
    });
    bench.end();
    interrupts
}

/// Moderation comes from the registry; values that make no sense are as none.
#[test]
fn the_registry_moderates_interrupts() {
    let each = interrupts_of_a_batch(&[]);
    // Three times eight, and the time for the last six.
    let moderated = [("ModerationCount", 8), ("ModerationTimeUs", 20)];
    let few = interrupts_of_a_batch(&moderated);
    assert!((1..=4).contains(&few) && few < each, "{few}, {each}");
    // Longer than any device can: as long as this one can.
    let longest = [("ModerationCount", 8), ("ModerationTimeUs", u32::MAX)];
    assert_eq!(interrupts_of_a_batch(&longest), few);
    for senseless in [
        [("ModerationCount", 8), ("ModerationTimeUs", 0)],
        [("ModerationCount", 1 << 16), ("ModerationTimeUs", 20)],
    ] {
        assert_eq!(interrupts_of_a_batch(&senseless), each, "{senseless:?}");
    }
}

/// The event log has what regions came to: each tier and reason once for each handle, so that it does not fill up.
#[test]
fn the_event_log_has_tiers_once() {
    let mut bench = Bench::new(Config::default());
    bench.app(|| {
        for _ in 0..2 {
            let handle = open();
            let memory = buffer(2 * PAGE);
            for token in 0..6 {
                let exactly = (tier::PER_TRANSFER, tier::PER_TRANSFER);
                let tiers = [ANY, exactly][usize::from(token % 2 == 1)];
                register(handle, &memory, token, tiers).unwrap();
            }
            // Another reason for the same tier.
            let once = (tier::MAPPED_ONCE, tier::PER_TRANSFER);
            register(handle, &memory, 6, once).unwrap();
            for _ in 0..2 {
                let asked = ioctl::Allocate {
                    length: 64,
                    permissions: permissions::BOTH,
                    reserved: 0,
                };
                let _: ioctl::RegionInfo = ask(handle, ioctl::ALLOCATE, asked.as_bytes()).unwrap();
            }
            user::close(handle).unwrap();
        }
    });
    bench.machine.settle().unwrap();
    // Severity informational, customer code, the driver's facility, event 3.
    let entries = bench.machine.error_log();
    let tiers = entries
        .iter()
        .filter(|(code, _)| *code == 0x60a1_1003)
        .count();
    assert_eq!(tiers, 2 * 4, "{entries:x?}");
    let traced = bench.machine.trace();
    assert_eq!(traced.iter().filter(|event| event.id == 3).count(), 2 * 9);
    bench.end();
}
