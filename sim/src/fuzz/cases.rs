//! From a seed and a number to a scenario.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::scenario::{
    Direction, Fault, FaultKind, FaultScope, FaultTarget, IommuMode, LayoutKind, Notify, Scenario,
    Strategy, WriteCombining,
};

/// Longest transfer: cases are many rather than long, and 512 KiB in scattered pages have a list of three blocks.
const LONGEST: u64 = 512 * 1024;

/// Most faults of a case: with fewer than the device has fetch tags, those that are lost leave some.
const FAULTS: u64 = 6;

/// How often a fault is drawn until one is possible.
const DRAWS: u32 = 12;

/// Share of the cases in which reads may time out: the device waits 12.5 million cycles, as long as some fifty other cases take.
const TIMEOUTS_PERCENT: u64 = 5;

/// Whether the device waits for the answer until its time is over.
fn times_out(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Lost | FaultKind::WrongTag => true,
        FaultKind::Late => fault.duration_ns.is_some_and(|ns| ns >= LATE_NS),
        _ => false,
    }
}

/// Late by so much is too late: the device waits 50 ms.
const LATE_NS: u64 = 50_000_000;

/// Case number `index` of a seed: everything in it follows from these two. One of `widths` is taken; none are 128 bits.
///
/// Registered regions, a buffer each; 1 to 12 transfers in one or both directions, of 1 byte to 512 KiB (log-uniform) at any offset, in
/// one to three bursts; any legal MPS, MRRS, RCB, tags, split and order of completions; latency and jitter; idle streams;
/// and up to six faults, each of which its scenario permits.
pub fn case(seed: u64, index: u64, widths: &[u32]) -> Scenario {
    let mut random = Random(SplitMix64::seed_from_u64(
        seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    ));
    let mut scenario = Scenario {
        name: format!("fuzz {seed} {index}"),
        seed: random.below(1 << 32),
        strategies: vec![Strategy::Registered],
        ..Scenario::gen3_x4()
    };
    scenario.device.width_bits = random.of(widths).unwrap_or(128);
    workload(&mut scenario, &mut random);
    host(&mut scenario, &mut random);
    link(&mut scenario, &mut random);
    let patient = random.chance(TIMEOUTS_PERCENT);
    for _ in 0..random.below(FAULTS + 1) {
        // Not every draw is possible in every scenario.
        let drawn = (0..DRAWS).find_map(|_| {
            fault(&scenario, &mut random).filter(|fault| patient || !times_out(fault))
        });
        scenario.faults.extend(drawn);
    }
    scenario
}

struct Random(SplitMix64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> Option<T> {
        let place = self.below(values.len() as u64) as usize;
        values.get(place).copied()
    }

    /// 1 to `most`, each power of two as likely as the next.
    fn magnitude(&mut self, most: u64) -> u64 {
        let exponent = self.below(1 << 32) as f64 / (1u64 << 32) as f64;
        ((most as f64).ln() * exponent).exp() as u64
    }
}

fn workload(scenario: &mut Scenario, random: &mut Random) {
    let transfers = random.between(1, 12);
    let lengths: Vec<u64> = (0..transfers).map(|_| random.magnitude(LONGEST)).collect();
    let longest = lengths.iter().copied().max().unwrap_or(1);
    let buffers = &mut scenario.buffers;
    // A buffer each: a fault of one transfer's list or region entry is no other's.
    buffers.count = transfers as u32;
    buffers.bytes = longest + random.below(8192) + 1;
    buffers.first_byte_offset_bytes = random.below(4096) as u32;
    buffers.layout = random
        .of(&[
            LayoutKind::Shuffled,
            LayoutKind::Shuffled,
            LayoutKind::Contiguous,
            LayoutKind::Huge,
        ])
        .unwrap_or(LayoutKind::Shuffled);
    let burst = &mut scenario.burst;
    burst.transfers = transfers as u32;
    burst.bursts = random.between(1, 3) as u32;
    burst.length_bytes = longest;
    burst.offsets_bytes = lengths
        .iter()
        .map(|length| random.below(buffers.bytes - length + 1))
        .collect();
    burst.lengths_bytes = lengths;
    burst.direction = random
        .of(&[Direction::H2c, Direction::Both, Direction::C2h])
        .unwrap_or(Direction::H2c);
    scenario.stream.c2h_valid_percent = random.between(30, 100) as u32;
    scenario.stream.h2c_ready_percent = random.between(30, 100) as u32;
}

fn host(scenario: &mut Scenario, random: &mut Random) {
    let host = &mut scenario.host;
    host.cpus = random.between(1, 3) as u32;
    if random.chance(25) {
        host.iommu = IommuMode::Remap;
    }
    host.write_combining = random
        .of(&[
            WriteCombining::Off,
            WriteCombining::Whole,
            WriteCombining::Split,
            WriteCombining::Split,
        ])
        .unwrap_or(WriteCombining::Off);
    match random.below(3) {
        0 => host.notify = Notify::Poll,
        1 => {
            host.moderation_count = random.between(2, 17) as u32;
            host.moderation_us = random.between(1, 50) as u32;
        }
        _ => {}
    }
}

fn link(scenario: &mut Scenario, random: &mut Random) {
    let link = &mut scenario.link;
    link.generation = random.between(1, 4) as u32;
    link.lanes = random.of(&[1, 4, 4, 8]).unwrap_or(4);
    link.mps_bytes = 128 << random.below(3);
    link.mrrs_bytes = 128 << random.below(6);
    link.rcb_bytes = 64 << random.below(2);
    let pieces = link.mps_bytes >> random.below(3);
    link.completion_bytes = Some(link.rcb_bytes.max(pieces));
    link.one_way_latency_ns = random.magnitude(4000);
    link.root_complex_ns = random.magnitude(4000);
    link.jitter_ns = match random.chance(50) {
        true => random.below(2000),
        false => 0,
    };
    link.extended_tags = random.chance(70);
    link.reorder = random.chance(50);
    link.random_split = random.chance(50);
}

/// A fault that the scenario permits, if one was drawn that has an occasion in it.
fn fault(scenario: &Scenario, random: &mut Random) -> Option<Fault> {
    let burst = &scenario.burst;
    let mut fault = Fault {
        burst: random.below(burst.bursts.into()) as u32,
        transfer: random.below(burst.transfers.into()) as u32,
        ..Fault::new(random.of(&[
            FaultKind::CompletionUr,
            FaultKind::CompletionCa,
            FaultKind::Poisoned,
            FaultKind::Lost,
            FaultKind::Late,
            FaultKind::Late,
            FaultKind::Duplicate,
            FaultKind::Unexpected,
            FaultKind::Oversized,
            FaultKind::WrongTag,
            FaultKind::CreditStarvation,
            FaultKind::LostInterrupt,
            FaultKind::SpuriousInterrupt,
            FaultKind::DelayedDoorbell,
        ])?)
    };
    let length = burst.length_of(fault.transfer);
    let c2h = burst.is_c2h(fault.transfer);
    let scope = fault.kind.scope();
    match scope {
        FaultScope::Interrupt if scenario.host.notify != Notify::Interrupt => return None,
        FaultScope::Interrupt | FaultScope::Doorbell => {}
        FaultScope::Read | FaultScope::Request => {
            let target = target(fault.kind, random)?;
            let data = target == FaultTarget::Data;
            if c2h && (scope == FaultScope::Read && data || fault.kind.fails()) {
                return None;
            }
            fault.target = Some(target);
            if matches!(target, FaultTarget::Data | FaultTarget::SgBlock) && random.chance(50) {
                fault.at_byte = Some(random.below(length));
            } else if data && random.chance(50) {
                fault.nth = random.between(1, 8) as u32;
            }
        }
    }
    fault.duration_ns = fault.kind.lasts().then(|| match fault.kind {
        FaultKind::Late if random.chance(20) => LATE_NS + random.magnitude(5_000_000),
        _ => random.magnitude(200_000),
    });
    Some(fault)
}

/// What a fault of a request may be of, so that the device can tell it from what is right.
fn target(kind: FaultKind, random: &mut Random) -> Option<FaultTarget> {
    match kind {
        // Under a fetch tag, which is soon used again, both may fit another read: docs/reliability.md, "What the device cannot tell".
        FaultKind::Duplicate | FaultKind::WrongTag => Some(FaultTarget::Data),
        _ => random.of(&[
            FaultTarget::Data,
            FaultTarget::Data,
            FaultTarget::Data,
            FaultTarget::SubmissionEntry,
            FaultTarget::RegionEntry,
            FaultTarget::SgBlock,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a file says that is written after a failure is the case that failed; and every kind of fault is drawn.
    #[test]
    fn every_case_is_a_scenario_that_a_file_can_hold() {
        let mut kinds = BTreeSet::new();
        for index in 0..2000 {
            let case = case(7, index, &[64, 128, 256, 512]);
            let text = toml::to_string(&case).unwrap();
            let read = Scenario::parse("case.toml", &text).unwrap_or_else(|error| {
                panic!("case {index}: {error}\n{text}");
            });
            assert_eq!(read, case);
            kinds.extend(case.faults.iter().map(|fault| {
                let what = (fault.kind, fault.target, case.burst.is_c2h(fault.transfer));
                format!("{what:?}")
            }));
        }
        assert!(kinds.len() > 40, "{kinds:#?}");
        assert_eq!(case(7, 3, &[128]), case(7, 3, &[128]));
        assert_ne!(case(7, 3, &[128]), case(8, 3, &[128]));
    }
}
