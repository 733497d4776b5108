//! The doctor's table.

use super::*;
use crate::Tier;

fn chances(facts: Facts) -> [Chance; 2] {
    let prediction = predict(&facts);
    [prediction.tiers[0].chance, prediction.tiers[1].chance]
}

#[test]
fn tiers_follow_from_facts() {
    use Chance::{Maybe, No, Yes};
    use InfPolicy::{Default as Shipped, Force, OptOut};
    let (on, off, unknown) = (Some(true), Some(false), None);
    // Build, Windows remaps, policy, external, contiguous: Bypass, MappedOnce.
    let table = [
        ((19_045, off, Shipped, off, off), [Maybe, No]),
        ((19_045, on, Shipped, off, off), [Maybe, No]),
        ((19_045, on, Shipped, on, off), [No, No]),
        ((19_045, on, Force, off, on), [No, No]),
        ((20_348, on, Force, off, off), [No, Yes]),
        ((22_631, off, Shipped, off, off), [Maybe, No]),
        ((22_631, off, Shipped, off, on), [Maybe, Yes]),
        ((22_631, off, Force, on, off), [Maybe, No]),
        ((22_631, on, Shipped, off, off), [Maybe, No]),
        ((22_631, on, Shipped, on, off), [No, Yes]),
        ((22_631, on, Force, off, off), [No, Yes]),
        ((22_631, on, OptOut, off, off), [Maybe, No]),
        ((22_631, on, OptOut, on, off), [No, No]),
        ((22_631, on, OptOut, on, on), [No, No]),
        ((22_631, unknown, OptOut, on, off), [Maybe, No]),
        ((26_100, unknown, Force, off, off), [Maybe, Maybe]),
        ((26_100, unknown, Shipped, off, off), [Maybe, No]),
        ((26_100, unknown, Shipped, on, off), [Maybe, Maybe]),
    ];
    for ((build, remapping, policy, external, contiguous), expected) in table {
        let facts = Facts {
            os_build: Some(build),
            remapping,
            vbs: Some(false),
            inf_policy: Some(policy),
            external,
            contiguous,
            whole_pages: None,
        };
        assert_eq!(chances(facts), expected, "{facts:?}");
    }
}

/// Which of the registry's values counts depends on the build.
#[test]
fn policy_is_read_where_windows_reads_it() {
    use InfPolicy::{Default as Shipped, Force, OptOut};
    let none = [None, None];
    let table = [
        (Some(22_631), Some(0), None, Some(OptOut)),
        (Some(22_631), Some(1), None, Some(Force)),
        (Some(22_631), Some(2), None, Some(Shipped)),
        (Some(22_631), Some(3), None, None),
        (Some(22_631), None, Some([Some(1), Some(0)]), None),
        (Some(22_631), Some(2), Some([Some(0), None]), Some(Shipped)),
        // The device's values come first, and without a device nobody knows what they are.
        (Some(26_100), Some(1), None, None),
        (
            Some(26_100),
            Some(1),
            Some([Some(0), Some(1)]),
            Some(OptOut),
        ),
        (Some(26_100), Some(2), Some([Some(1), Some(0)]), Some(Force)),
        (Some(26_100), Some(2), Some([Some(1), None]), Some(Force)),
        (
            Some(26_100),
            Some(1),
            Some([Some(1), Some(1)]),
            Some(Shipped),
        ),
        (Some(26_100), Some(1), Some([Some(2), None]), None),
        // A device without them leaves it to the driver's.
        (Some(26_100), Some(1), Some(none), Some(Force)),
        (Some(26_100), None, Some(none), None),
        (None, Some(1), Some([Some(1), Some(0)]), None),
    ];
    for (build, compatible, device, expected) in table {
        let registry = Registry { compatible, device };
        assert_eq!(registry.policy(build), expected, "{build:?} {registry:?}");
    }
}

#[test]
fn unknown_policies_say_where_they_would_be() {
    let policy = |os_build| {
        let facts = Facts {
            os_build,
            ..Facts::default()
        };
        facts.in_words()[3].1.clone()
    };
    assert!(policy(Some(26_100)).contains("the device's own registry key"));
    assert!(!policy(Some(22_631)).contains("key"));
}

#[test]
fn old_systems_get_nothing_and_are_told_so() {
    let prediction = predict(&Facts {
        os_build: Some(17_763),
        ..Facts::default()
    });
    assert!(!prediction.supported);
    assert_eq!(prediction.certain, None);
    assert!(prediction.summary.contains("update"));
}

#[test]
fn parts_of_pages_cannot_be_mapped_for_good() {
    let facts = Facts {
        os_build: Some(26_100),
        remapping: Some(true),
        inf_policy: Some(InfPolicy::Force),
        whole_pages: Some(false),
        ..Facts::default()
    };
    assert_eq!(chances(facts), [Chance::No, Chance::No]);
    assert_eq!(predict(&facts).certain, Some(Tier::PerTransfer));
}

/// Every combination of facts: something is always to be had on a supported system, whatever is not is explained, and knowing more
/// never turns a yes into a no.
#[test]
fn every_combination_makes_sense() {
    let switches = [None, Some(false), Some(true)];
    let policies = [
        None,
        Some(InfPolicy::Default),
        Some(InfPolicy::Force),
        Some(InfPolicy::OptOut),
    ];
    for os_build in [None, Some(19_045), Some(20_348), Some(26_100)] {
        for inf_policy in policies {
            for remapping in switches {
                for (vbs, external) in switches.iter().flat_map(|a| switches.map(|b| (*a, b))) {
                    for (contiguous, whole_pages) in
                        switches.iter().flat_map(|a| switches.map(|b| (*a, b)))
                    {
                        let facts = Facts {
                            os_build,
                            remapping,
                            vbs,
                            inf_policy,
                            external,
                            contiguous,
                            whole_pages,
                        };
                        let prediction = predict(&facts);
                        assert!(prediction.certain.is_some(), "{facts:?}");
                        assert!(prediction.possible <= prediction.certain, "{facts:?}");
                        for forecast in &prediction.tiers {
                            assert!(!forecast.why.is_empty(), "{facts:?}");
                            let advised = forecast.change.is_some();
                            assert!(forecast.chance != Chance::No || advised, "{facts:?}");
                        }
                        // Both lasting tiers cannot be certain at once on scattered pages.
                        let both = [Chance::Yes, Chance::Yes];
                        let scattered = contiguous != Some(true);
                        assert!(!scattered || chances(facts) != both, "{facts:?}");
                    }
                }
            }
        }
    }
}
