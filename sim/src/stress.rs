//! Random transfers: a seed, many small scenarios, every byte checked.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::scenario::{
    Direction, IommuMode, LayoutKind, Notify, Scenario, Strategy, WriteCombining,
};

/// Shortest and longest transfer: lengths are drawn log-uniformly between them.
const LENGTHS: (f64, f64) = (1.0, 8.0 * 1024.0 * 1024.0);

/// Scenario number `index` of a stress run: everything in it follows from the seed and the number.
///
/// Transfers of 1 byte to 8 MiB (log-uniform, each its own) at any offsets, one or both directions, all strategies, MPS 128
/// to 512, MRRS 128 to 4096, RCB 64 or 128, completions of any legal size and reordered, idle streams, one to three CPUs, with
/// and without an IOMMU, map registers or inline slots.
pub fn scenario(seed: u64, index: u64, transfers: u32) -> Scenario {
    let mut rng = SplitMix64::seed_from_u64(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut below = |bound: u64| rng.next_u64() % bound;
    let mut scenario = Scenario {
        name: format!("stress {seed} {index}"),
        seed: below(1 << 32),
        ..Scenario::gen3_x4()
    };
    let lengths: Vec<u64> = (0..transfers)
        .map(|_| {
            let exponent = below(1 << 32) as f64 / (1u64 << 32) as f64;
            (LENGTHS.0.ln() + exponent * (LENGTHS.1 / LENGTHS.0).ln()).exp() as u64
        })
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(1);
    if below(2) == 0 {
        // A buffer each, with room behind the longest transfer, so that offsets can be anything.
        scenario.buffers.count = transfers;
        scenario.buffers.bytes = longest + below(1 << 20) + 1;
        scenario.burst.offsets_bytes = lengths
            .iter()
            .map(|length| below(scenario.buffers.bytes - length + 1))
            .collect();
    } else {
        // Few buffers, in which transfers are close neighbours.
        let count = 1 + below(4) as u32;
        let mut ends = vec![0; count as usize];
        let offset = |(index, length): (usize, &u64)| {
            let end: &mut u64 = &mut ends[index % count as usize];
            let start = *end + below(3) * below(100);
            *end = start + length;
            start
        };
        scenario.burst.offsets_bytes = lengths.iter().enumerate().map(offset).collect();
        scenario.buffers.count = count;
        scenario.buffers.bytes = ends.iter().copied().max().unwrap_or(1);
    }
    scenario.buffers.first_byte_offset_bytes = below(4096) as u32;
    scenario.buffers.layout = match below(4) {
        0 => LayoutKind::Contiguous,
        1 => LayoutKind::Huge,
        _ => LayoutKind::Shuffled,
    };
    scenario.burst.transfers = transfers;
    scenario.burst.length_bytes = longest;
    scenario.burst.lengths_bytes = lengths;
    scenario.burst.direction = match below(3) {
        0 => Direction::C2h,
        1 => Direction::H2c,
        _ => Direction::Both,
    };
    scenario.strategies = vec![Strategy::ALL[below(4) as usize]];
    scenario.host.cpus = 1 + below(3) as u32;
    scenario.host.iommu = match below(4) {
        0 => IommuMode::Remap,
        // What lasts cannot be had where data is bounced.
        1 if scenario.strategies != [Strategy::Registered] => IommuMode::Bounce,
        _ => IommuMode::Off,
    };
    let link = &mut scenario.link;
    link.mps_bytes = 128 << below(3);
    link.mrrs_bytes = 128 << below(6);
    link.rcb_bytes = 64 << below(2);
    link.completion_bytes = Some(link.rcb_bytes.max(link.mps_bytes >> below(3)));
    link.random_split = below(2) == 0;
    link.reorder = below(2) == 0;
    link.jitter_ns = below(300);
    scenario.stream.c2h_valid_percent = 30 + below(71) as u32;
    scenario.stream.h2c_ready_percent = 30 + below(71) as u32;
    scenario.host.write_combining = match below(4) {
        0 => WriteCombining::Off,
        1 => WriteCombining::Whole,
        _ => WriteCombining::Split,
    };
    match below(3) {
        0 => scenario.host.notify = Notify::Poll,
        1 => {
            scenario.host.moderation_count = 2 + below(16) as u32;
            scenario.host.moderation_us = 1 + below(50) as u32;
        }
        _ => {}
    }
    scenario
}
