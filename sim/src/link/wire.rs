//! One direction of the link: bytes take time, then travel.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::RngCore;

/// Binary digits behind the point in times per byte, so that rounding is below 1e-8 of the rate.
const FRACTION_BITS: u32 = 24;

/// A direction of the link.
pub struct Wire {
    /// Picoseconds per byte, with [`FRACTION_BITS`] digits behind the point.
    time_per_byte: u64,
    /// When the last byte has left, and the fraction of a picosecond after it.
    free_ps: u64,
    free_fraction: u64,
    latency_ps: u64,
    jitter_ps: u64,
    /// Nothing arrives before what was sent earlier.
    last_arrival_ps: u64,
}

/// Times of a TLP on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// First byte leaves.
    pub start_ps: u64,
    /// Last byte has left.
    pub end_ps: u64,
    /// The other end uses the TLP.
    pub arrival_ps: u64,
}

impl Wire {
    /// A wire of `bytes_per_second` for TLPs.
    pub fn new(bytes_per_second: f64, latency_ps: u64, jitter_ps: u64) -> Self {
        let time_per_byte =
            (1e12 / bytes_per_second * f64::from(1u32 << FRACTION_BITS)).round() as u64;
        Self {
            time_per_byte,
            free_ps: 0,
            free_fraction: 0,
            latency_ps,
            jitter_ps,
            last_arrival_ps: 0,
        }
    }

    /// When the next TLP may begin.
    pub fn free_ps(&self) -> u64 {
        self.free_ps
    }

    /// Sends `bytes` bytes, from `from_ps` or from when the wire is free, whichever is later.
    pub fn send(&mut self, from_ps: u64, bytes: u32, rng: &mut SplitMix64) -> Sent {
        if from_ps > self.free_ps {
            self.free_ps = from_ps;
            self.free_fraction = 0;
        }
        let start_ps = self.free_ps;
        let time = self.free_fraction + u64::from(bytes) * self.time_per_byte;
        let end_ps = start_ps.saturating_add(time >> FRACTION_BITS);
        self.free_ps = end_ps;
        self.free_fraction = time & ((1 << FRACTION_BITS) - 1);
        let arrival_ps = end_ps
            .saturating_add(self.latency_ps)
            .saturating_add(jitter(self.jitter_ps, rng));
        self.last_arrival_ps = arrival_ps.max(self.last_arrival_ps);
        Sent {
            start_ps,
            end_ps,
            arrival_ps: self.last_arrival_ps,
        }
    }
}

/// A random time from 0 to `most_ps`.
pub fn jitter(most_ps: u64, rng: &mut SplitMix64) -> u64 {
    if most_ps == 0 {
        0
    } else {
        rng.next_u64() % most_ps.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn back_to_back_tlps_take_exactly_their_share_of_the_rate() {
        let mut rng = SplitMix64::seed_from_u64(1);
        let mut wire = Wire::new(14_212_345_678.9, 1000, 0);
        for _ in 0..1_000_000 {
            wire.send(0, 280, &mut rng);
        }
        let expected = 280e6 * 1e12 / 14_212_345_678.9;
        assert!(
            (wire.free_ps() as f64 / expected - 1.0).abs() < 1e-8,
            "{} ps, not {expected}",
            wire.free_ps()
        );
    }

    #[test]
    fn jitter_never_reorders() {
        let mut rng = SplitMix64::seed_from_u64(1);
        let mut wire = Wire::new(1e9, 1000, 500_000);
        let arrivals: Vec<u64> = (0..1000)
            .map(|_| wire.send(0, 20, &mut rng).arrival_ps)
            .collect();
        assert!(arrivals.is_sorted());
        assert!(
            arrivals.windows(2).any(|pair| pair[1] - pair[0] > 20_000),
            "jitter does something"
        );
        let idle = wire.send(1 << 40, 1, &mut rng);
        assert_eq!((idle.start_ps, idle.end_ps), (1 << 40, (1 << 40) + 1000));
    }
}
