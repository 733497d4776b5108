//! From facts to tiers: a pure function.

use std::fmt;

use serde::Serialize;

use super::{Facts, InfPolicy};
use crate::Tier;

/// Windows 10 2004: what the driver's framework (KMDF 1.31) needs.
const OLDEST_BUILD: u32 = 19_041;
/// Windows Server 2022; Windows 11 began at 22000. CreateCommonBufferFromMdl came with them.
const LASTING_MAPPINGS_BUILD: u32 = 20_348;

/// Whether a tier is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chance {
    /// It is.
    Yes,
    /// The facts do not decide it; the driver finds out.
    Maybe,
    /// It is not.
    No,
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "yes",
            Self::Maybe => "maybe",
            Self::No => "no",
        })
    }
}

/// One tier's chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The tier.
    pub tier: Tier,
    /// Whether it is to be had.
    pub chance: Chance,
    /// Why.
    pub why: String,
    /// What would change it.
    pub change: Option<String>,
}

/// What a machine will give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// From what it follows.
    pub facts: Facts,
    /// The driver runs there.
    pub supported: bool,
    /// The strongest tier that is certain.
    pub certain: Option<Tier>,
    /// The strongest tier that may be had.
    pub possible: Option<Tier>,
    /// Every tier, strongest first.
    pub tiers: Vec<Forecast>,
    /// In a sentence or two.
    pub summary: String,
}

/// Whether DMA of the card itself is remapped.
fn remapped(facts: &Facts) -> (Chance, &'static str) {
    let external = facts.external.unwrap_or(false);
    let asks = match facts.inf_policy.unwrap_or(InfPolicy::Default) {
        InfPolicy::Force => true,
        InfPolicy::Default => external,
        InfPolicy::OptOut => false,
    };
    match (asks, facts.remapping) {
        (false, Some(false)) | (true, Some(false)) => {
            (Chance::No, "Windows does not remap DMA on this machine")
        }
        (false, _) if external => (Chance::No, "the driver does not ask for remapping"),
        (false, _) => (
            Chance::No,
            "the driver asks for remapping of external cards alone",
        ),
        (true, Some(true)) if external => (
            Chance::Yes,
            "Windows remaps DMA of external cards whose driver supports it",
        ),
        (true, Some(true)) => (
            Chance::Yes,
            "the driver was installed to ask for remapping always",
        ),
        (true, None) => (
            Chance::Maybe,
            "it is not known whether Windows remaps DMA here",
        ),
    }
}

/// Kernel DMA Protection is on, the card is external, and its driver opts out.
fn shut_out(facts: &Facts) -> bool {
    let opted_out = facts.inf_policy == Some(InfPolicy::OptOut);
    opted_out && facts.external == Some(true) && facts.remapping == Some(true)
}

const SHUT_OUT: &str = "Windows bounces DMA of an external card whose driver opts out of remapping, or does not start the card";

/// What a machine with these facts will give.
pub fn predict(facts: &Facts) -> Prediction {
    let supported = facts.os_build.is_none_or(|build| build >= OLDEST_BUILD);
    let tiers = if supported {
        vec![
            bypass(facts),
            mapped_once(facts),
            forecast(
                Tier::PerTransfer,
                Chance::Yes,
                "every machine has it: the driver prepares the lists of coming transfers while others run",
                None,
            ),
            forecast(
                Tier::CommonBuffer,
                Chance::Yes,
                "every machine has it, for as much contiguous memory as is left; it costs a copy",
                None,
            ),
        ]
    } else {
        let why = "the driver needs Windows 10 2004 (build 19041) or Server 2022 (KMDF 1.31)";
        let change = "update Windows";
        let refused = |tier: &Tier| forecast(*tier, Chance::No, why, Some(change));
        Tier::ALL.iter().map(refused).collect()
    };
    let strongest = |wanted: &[Chance]| {
        let mut found = tiers.iter();
        let found = found.find(|forecast| wanted.contains(&forecast.chance));
        found.map(|forecast| forecast.tier)
    };
    let certain = strongest(&[Chance::Yes]);
    let possible = strongest(&[Chance::Yes, Chance::Maybe]);
    let summary = summary(certain, possible);
    Prediction {
        facts: *facts,
        supported,
        certain,
        possible,
        tiers,
        summary,
    }
}

fn summary(certain: Option<Tier>, possible: Option<Tier>) -> String {
    let (Some(certain), Some(possible)) = (certain, possible) else {
        return "The driver does not run on this Windows: update it.".to_string();
    };
    let cost = |tier| match tier {
        Tier::Bypass | Tier::MappedOnce => {
            "registered buffers keep their lists, and a transfer costs one call"
        }
        _ => "each transfer costs the driver a list, which it prepares ahead",
    };
    if certain == possible {
        return format!("Expect tier {certain}: {}.", cost(certain));
    }
    format!(
        "Expect tier {certain} ({}), or {possible} if the driver finds it ({}); `pinring info` says which it is.",
        cost(certain),
        cost(possible)
    )
}

fn forecast(tier: Tier, chance: Chance, why: &str, change: Option<&str>) -> Forecast {
    Forecast {
        tier,
        chance,
        why: why.to_string(),
        change: change.map(ToString::to_string),
    }
}

/// Nothing remaps or bounces DMA of this card.
fn bypass(facts: &Facts) -> Forecast {
    if shut_out(facts) {
        let change = "put the card into a slot of the machine";
        return forecast(Tier::Bypass, Chance::No, SHUT_OUT, Some(change));
    }
    let (remapped, why) = remapped(facts);
    let (chance, why, change) = match remapped {
        Chance::Yes => {
            let change = match facts.external {
                Some(true) => "put the card into a slot of the machine; or use MappedOnce",
                _ => "install the driver as shipped; or use MappedOnce",
            };
            (Chance::No, why.to_string(), Some(change))
        }
        Chance::Maybe => (
            Chance::Maybe,
            why.to_string(),
            Some("look for Kernel DMA Protection in msinfo32, and give --remapping"),
        ),
        Chance::No => match facts.vbs {
            Some(false) => (
                Chance::Maybe,
                format!(
                    "{why}, so that addresses should be the card's own; only the driver sees whether Windows says so of this card"
                ),
                None,
            ),
            _ => (
                Chance::Maybe,
                format!(
                    "{why}; but with virtualization-based security the hypervisor holds the IOMMU, and only the driver sees what Windows says of this card"
                ),
                None,
            ),
        },
    };
    forecast(Tier::Bypass, chance, &why, change)
}

/// CreateCommonBufferFromMdl.
fn mapped_once(facts: &Facts) -> Forecast {
    let tier = Tier::MappedOnce;
    if facts.whole_pages == Some(false) {
        return forecast(
            tier,
            Chance::No,
            "a lasting mapping needs buffers that start and end on a page",
            Some("allocate with VirtualAlloc, or the library's AlignedBuffer"),
        );
    }
    match facts.os_build {
        Some(build) if build < LASTING_MAPPINGS_BUILD => {
            return forecast(
                tier,
                Chance::No,
                "Windows 10 has no lasting mappings of an application's buffers (CreateCommonBufferFromMdl)",
                Some("update to Windows 11 or Server 2022"),
            );
        }
        _ => {}
    }
    if shut_out(facts) {
        return forecast(
            tier,
            Chance::No,
            SHUT_OUT,
            Some("install the driver as shipped"),
        );
    }
    let known = match facts.os_build {
        Some(_) => Chance::Yes,
        None => Chance::Maybe,
    };
    let needs = "this Windows has lasting mappings";
    match (remapped(facts).0, facts.contiguous.unwrap_or(false)) {
        (_, true) => forecast(
            tier,
            known,
            &match known {
                Chance::Yes => format!("{needs}, and the buffers are contiguous"),
                _ => "the buffers are contiguous, if Windows is 11 or Server 2022".to_string(),
            },
            None,
        ),
        (Chance::Yes, false) => forecast(
            tier,
            known,
            &match known {
                Chance::Yes => format!("{needs}, and the IOMMU makes one range of scattered pages"),
                _ => {
                    "the IOMMU makes one range of scattered pages, if Windows is 11 or Server 2022"
                        .to_string()
                }
            },
            None,
        ),
        (Chance::Maybe, false) => forecast(
            tier,
            Chance::Maybe,
            "scattered pages need the IOMMU to make one range of them, and it is not known whether Windows remaps DMA here",
            Some("look for Kernel DMA Protection in msinfo32, and give --remapping"),
        ),
        (Chance::No, false) => forecast(
            tier,
            Chance::No,
            "without remapping it needs physically contiguous pages, which large buffers do not have",
            Some(match facts.remapping {
                Some(true) => {
                    "install the driver hardened (it asks for remapping always); costs tier Bypass"
                }
                _ => {
                    "switch the IOMMU on in the firmware's set-up and install the driver hardened; costs tier Bypass"
                }
            }),
        ),
    }
}
