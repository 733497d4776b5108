//! The table of docs/windows.md against what the doctor predicts: `UPDATE_EXPECT=1 cargo test -p pinring-client --test windows_guide`.
#![cfg(feature = "cli")]

use pinring_client::Tier;
use pinring_client::cli::doctor::{Facts, InfPolicy, predict};
use pinring_client::loopback::Config;
use std::fs;
use std::path::Path;

const BUILDS: [(&str, u32); 4] = [
    ("10 22H2", 19_045),
    ("Server 2022", 20_348),
    ("11 23H2", 22_631),
    ("11 24H2", 26_100),
];

/// What is changed in the shipped INF.
#[derive(Clone, Copy)]
enum Inf {
    Shipped,
    /// `RemappingSupported` = 1, `RemappingFlags` = 0.
    Supported,
    /// `DmaRemappingCompatible` = 1, without `RemappingSupported`.
    Compatible,
    /// `DmaRemappingCompatible` = 0, `RemappingSupported` = 0.
    OptedOut,
}

impl Inf {
    const ALL: [Self; 4] = [
        Self::Shipped,
        Self::Supported,
        Self::Compatible,
        Self::OptedOut,
    ];

    /// What it asks of a build of Windows.
    fn policy(self, build: u32) -> InfPolicy {
        match self {
            Self::Shipped => InfPolicy::Default,
            // Read from this build on.
            Self::Supported if build < 26_100 => InfPolicy::Default,
            Self::Supported | Self::Compatible => InfPolicy::Force,
            Self::OptedOut => InfPolicy::OptOut,
        }
    }
}

/// The strongest tier that there may be for buffers of scattered whole pages.
fn tier(build: u32, inf: Inf, external: bool, iommu: bool) -> Tier {
    let prediction = predict(&Facts {
        os_build: Some(build),
        remapping: Some(iommu),
        vbs: Some(false),
        inf_policy: Some(inf.policy(build)),
        external: Some(external),
        contiguous: Some(false),
        whole_pages: Some(true),
    });
    prediction.possible.expect("the build is supported")
}

/// What is left of Bypass where the HAL does not give it: nothing that the doctor knows tells such a machine, the driver finds it.
fn without_bypass(tier: Tier) -> Tier {
    match tier {
        Tier::Bypass => Tier::PerTransfer,
        other => other,
    }
}

fn table() -> String {
    let mut table = String::from(
        "| Windows | adapter | INF as shipped | RemappingFlags = 0 | DmaRemappingCompatible = 1 | opted out |\n|---|---|---|---|---|---|\n",
    );
    let row = |tier: &dyn Fn(Inf) -> Tier| Inf::ALL.map(|inf| tier(inf).to_string()).join(" | ");
    for (name, build) in BUILDS {
        let internal = row(&|inf| tier(build, inf, false, true));
        let external = row(&|inf| tier(build, inf, true, true));
        let rest = row(&|inf| without_bypass(tier(build, inf, false, true)));
        table += &format!(
            "| {name} ({build}) | internal | {internal} |\n| | external, verified | {external} |\n| | few map registers, 32-bit reach | {rest} |\n"
        );
    }
    let off = |build, external| row(&|inf| tier(build, inf, external, false));
    let any = off(BUILDS[0].1, false);
    for (name, build) in BUILDS {
        for external in [false, true] {
            assert_eq!(off(build, external), any, "{name}, external: {external}");
        }
    }
    let rest = row(&|inf| without_bypass(tier(BUILDS[0].1, inf, false, false)));
    table
        + &format!(
            "| any, IOMMU off | internal, external | {any} |\n| | verified, few map registers, 32-bit reach | {rest} |\n"
        )
}

#[test]
fn guide_has_the_doctor_s_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/windows.md");
    let guide = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let (before, rest) = guide.split_once("<!-- tiers: begin -->\n").unwrap();
    let (now, after) = rest.split_once("<!-- tiers: end -->").unwrap();
    let table = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() && now != table {
        let new = format!("{before}<!-- tiers: begin -->\n{table}<!-- tiers: end -->{after}");
        fs::write(path, new).unwrap();
        return;
    }
    assert_eq!(
        now, table,
        "UPDATE_EXPECT=1 cargo test -p pinring-client --test windows_guide"
    );
}

/// Applications that are tested with the double meet the driver's own limit on transfers of tier PerTransfer, and can read of it.
#[test]
fn longest_transfer_is_the_driver_s_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let driver = read("host-driver/kmdf/src/dma.rs");
    let longest = driver
        .lines()
        .find_map(|line| line.strip_prefix("const LONGEST: u64 = "));
    let mib = longest.and_then(|value| value.strip_suffix(" << 20;"));
    let mib = mib.expect("dma.rs is written as this test reads it");
    let bytes = mib.parse::<u64>().unwrap() << 20;
    assert_eq!(Config::default().info.max_transfer_bytes, bytes);
    for guide in [
        "README.md",
        "docs/windows.md",
        "docs/faq.md",
        "docs/adopt.md",
    ] {
        assert!(read(guide).contains(&format!("{mib} MiB")), "{guide}");
    }
}
