//! Instructions of the driver's hot path, from counts that are checked in.
//!
//! `cargo xtask count` runs the driver core under callgrind and writes `instructions.toml`: what a call takes with few and with many
//! transfers, whatever the buffer's size. A call costs a fixed part and a part per transfer: the line through both counts.

use std::sync::LazyLock;

use serde::Deserialize;

/// Instructions of one `Device::submit` of `transfers` transfers.
pub fn submit(transfers: u64) -> u64 {
    COUNTS.at(COUNTS.submit, transfers)
}

/// Instructions of one `Device::reap` that finds `transfers` completions.
pub fn reap(transfers: u64) -> u64 {
    COUNTS.at(COUNTS.reap, transfers)
}

static COUNTS: LazyLock<Counts> =
    LazyLock::new(|| toml::from_str(FILE).expect("a test parses the checked-in file"));

const FILE: &str = include_str!("instructions.toml");

#[derive(Deserialize)]
struct Counts {
    /// Transfers of a call, for the lists below: few, many.
    transfers: [u64; 2],
    submit: [u64; 2],
    reap: [u64; 2],
}

impl Counts {
    /// Where the line through two counts is at a number of transfers: exact at both counts, else rounded down.
    fn at(&self, [low, high]: [u64; 2], transfers: u64) -> u64 {
        let [few, many] = self.transfers;
        (low * many + (high - low) * transfers).saturating_sub(high * few) / (many - few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_in_file_parses_and_both_costs_grow_with_the_transfers() {
        let counts: Counts = toml::from_str(FILE).unwrap();
        assert!(counts.transfers[0] < counts.transfers[1]);
        for (cost, counted) in [
            (submit as fn(u64) -> u64, counts.submit),
            (reap, counts.reap),
        ] {
            assert_eq!(counts.transfers.map(cost), counted);
            assert!(cost(1) > 0);
            for transfers in 1..64 {
                assert!(cost(transfers) < cost(transfers + 1), "{transfers}");
            }
        }
    }

    #[test]
    fn cost_is_a_fixed_part_and_a_part_per_transfer() {
        let counts = Counts {
            transfers: [1, 8],
            submit: [361, 1614],
            reap: [0, 0],
        };
        for transfers in [0, 1, 5, 8, 24] {
            assert_eq!(counts.at(counts.submit, transfers), 182 + 179 * transfers);
        }
    }
}
