//! From a case that fails to a smaller one that fails too.

use crate::scenario::{
    Host, IommuMode, LayoutKind, Link, Notify, Scenario, Stream, WriteCombining,
};

/// Makes a failing case simpler as long as it fails: `fails` runs a case and says whether. At most `tries` cases are run.
pub fn shrink(
    scenario: &Scenario,
    tries: usize,
    mut fails: impl FnMut(&Scenario) -> bool,
) -> Scenario {
    let mut smallest = scenario.clone();
    let mut left = tries;
    'again: loop {
        for simpler in simpler(&smallest) {
            if left == 0 {
                return smallest;
            }
            left -= 1;
            if fails(&simpler) {
                smallest = simpler;
                continue 'again;
            }
        }
        return smallest;
    }
}

/// Cases that are simpler by one step each, those that leave most out first. Each differs from the case at hand.
fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Scenario)| {
        let mut simpler = scenario.clone();
        change(&mut simpler);
        if simpler != *scenario {
            found.push(simpler);
        }
    };
    let last = scenario.faults.iter().map(|fault| fault.burst).max();
    add(&|case| case.burst.bursts = last.map_or(1, |last| last + 1));
    if scenario.faults.len() > 1 {
        let half = scenario.faults.len() / 2;
        add(&|case| case.faults.truncate(half));
        add(&|case| drop(case.faults.drain(..half)));
    }
    let transfers = scenario.burst.transfers;
    for count in [transfers / 2, transfers.saturating_sub(1)] {
        if count > 0 {
            add(&|case| keep_transfers(case, count));
        }
    }
    for place in 0..scenario.faults.len() {
        add(&|case| {
            case.faults.remove(place);
        });
    }
    add(&|case| case.stream = Stream::default());
    add(&|case| {
        case.host = Host {
            notify: case.host.notify,
            moderation_count: case.host.moderation_count,
            moderation_us: case.host.moderation_us,
            ..Host::default()
        }
    });
    add(&|case| case.host.write_combining = WriteCombining::Off);
    add(&|case| case.host.iommu = IommuMode::Off);
    add(&|case| (case.host.moderation_count, case.host.moderation_us) = (0, 0));
    // Faults of interrupts need some.
    add(&|case| case.host.notify = Notify::Interrupt);
    add(&|case| {
        case.link = Link {
            lanes: case.link.lanes,
            generation: case.link.generation,
            ..Link::default()
        }
    });
    add(&|case| case.link.reorder = false);
    add(&|case| case.link.random_split = false);
    add(&|case| case.link.jitter_ns = 0);
    add(&|case| case.link.extended_tags = true);
    add(&|case| (case.link.lanes, case.link.generation) = (4, 3));
    add(&|case| {
        let default = Link::default();
        case.link.one_way_latency_ns = default.one_way_latency_ns;
        case.link.root_complex_ns = default.root_complex_ns;
    });
    add(&|case| case.buffers.layout = LayoutKind::Contiguous);
    add(&|case| case.buffers.first_byte_offset_bytes = 0);
    add(&|case| case.burst.offsets_bytes = vec![0]);
    for place in 0..scenario.burst.lengths_bytes.len() {
        add(&|case| halve(case, place));
    }
    for place in 0..scenario.faults.len() {
        add(&|case| case.faults[place].nth = 1);
        add(&|case| {
            let lasts = &mut case.faults[place].duration_ns;
            *lasts = lasts.map(|ns| (ns / 2).max(1));
        });
    }
    found
}

/// Leaves out all transfers but the first, with their faults.
fn keep_transfers(case: &mut Scenario, count: u32) {
    case.burst.transfers = count;
    case.burst.lengths_bytes.truncate(count as usize);
    case.burst.offsets_bytes.truncate(count as usize);
    case.faults.retain(|fault| fault.transfer < count);
}

/// Halves a transfer's length. Its faults stay within it.
fn halve(case: &mut Scenario, place: usize) {
    let Some(length) = case.burst.lengths_bytes.get_mut(place) else {
        return;
    };
    *length = (*length / 2).max(1);
    let length = *length;
    for fault in &mut case.faults {
        if fault.transfer as usize == place {
            fault.at_byte = fault.at_byte.map(|byte| byte.min(length - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::case;
    use crate::scenario::FaultKind;

    /// Whatever is cut from a case, what is left is a scenario, and in the end nothing is left that the failure does not need.
    #[test]
    fn what_is_left_is_what_it_takes_to_fail() {
        let needs = |case: &Scenario| {
            let text = toml::to_string(case).unwrap();
            let read = Scenario::parse("simpler.toml", &text);
            assert!(read.is_ok(), "{}\n{text}", read.unwrap_err());
            let mut poisoned = case.faults.iter();
            poisoned.any(|fault| fault.kind == FaultKind::Poisoned && fault.transfer == 3)
                && case.link.reorder
        };
        let mut shrunk = 0;
        for index in 0..20_000 {
            let big = case(1, index, &[128]);
            if !needs(&big) || big.faults.len() < 3 {
                continue;
            }
            let small = shrink(&big, 1000, needs);
            assert_eq!(small.faults.len(), 1, "{small:?}");
            assert_eq!(small.burst.transfers, 4);
            assert_eq!(small.burst.lengths_bytes, [1; 4]);
            assert_eq!(small.stream, Stream::default());
            assert!(!small.link.random_split && small.link.jitter_ns == 0);
            // No more cases are run than asked for.
            let mut runs = 0;
            shrink(&big, 5, |case| {
                runs += 1;
                needs(case)
            });
            assert_eq!(runs, 5);
            shrunk += 1;
            if shrunk == 5 {
                return;
            }
        }
        panic!("{shrunk} cases to make smaller");
    }
}
