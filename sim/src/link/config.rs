//! What the link is: generation, lanes, sizes, latencies, credits, and the ceiling that follows.

use super::tlp::{COMPLETION_OVERHEAD, REQUEST_64_OVERHEAD};

/// Direction of travel, as PCIe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Device to root complex: writes (C2H), read requests.
    Upstream,
    /// Root complex to device: read completions (H2C), MMIO requests.
    Downstream,
}

/// PCI Express generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// 2.5 GT/s, 8b/10b.
    Gen1,
    /// 5 GT/s, 8b/10b.
    Gen2,
    /// 8 GT/s, 128b/130b.
    Gen3,
    /// 16 GT/s, 128b/130b.
    Gen4,
    /// 32 GT/s, 128b/130b.
    Gen5,
}

impl Generation {
    /// Generation of this number, 1 to 5.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Gen1, Self::Gen2, Self::Gen3, Self::Gen4, Self::Gen5]
            .get(usize::from(number).checked_sub(1)?)
            .copied()
    }

    /// Payload bits per second and lane after line coding.
    fn bits_per_lane(self) -> f64 {
        match self {
            Self::Gen1 => 2.5e9 * 8.0 / 10.0,
            Self::Gen2 => 5e9 * 8.0 / 10.0,
            Self::Gen3 => 8e9 * 128.0 / 130.0,
            Self::Gen4 => 16e9 * 128.0 / 130.0,
            Self::Gen5 => 32e9 * 128.0 / 130.0,
        }
    }

    /// Internal delay in symbol times in the limits on ACK latency (PCIe Base Spec 5.0, 3.6.3.1).
    fn internal_delay(self) -> f64 {
        match self {
            Self::Gen1 => 19.0,
            Self::Gen2 => 70.0,
            Self::Gen3 | Self::Gen4 | Self::Gen5 => 115.0,
        }
    }
}

/// Order in which the root complex returns the completions of different reads. Those of one read never change places
/// (PCIe Base Spec 2.4.1: completions with one transaction id stay in order).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionOrder {
    /// In the order of the requests.
    InOrder,
    /// A read is chosen at random among the oldest `window` that are ready, and completed whole.
    Reordered {
        /// Number of reads among which to choose, at least 1.
        window: u16,
    },
    /// A read is chosen at random for every single completion, so that completions of several reads interleave.
    Interleaved {
        /// Number of reads among which to choose, at least 1.
        window: u16,
    },
}

/// Flow control credits that the root complex advertises (PCIe Base Spec 2.6.1). One header credit is one TLP, one data credit 16
/// bytes; 0 is infinite, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credits {
    /// Posted requests: TLPs.
    pub posted_headers: u32,
    /// Posted requests: units of 16 bytes.
    pub posted_data: u32,
    /// Non-posted requests (reads): TLPs.
    pub nonposted_headers: u32,
    /// Completions of MMIO reads: TLPs.
    pub completion_headers: u32,
    /// Completions of MMIO reads: units of 16 bytes.
    pub completion_data: u32,
}

/// Hard IP between the device and the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardIp {
    /// AMD UltraScale+ integrated block, with the device behind its shim.
    UscalePlus,
}

/// A link with the root complex at its end. Times are in picoseconds.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Generation, and with it the rate.
    pub generation: Generation,
    /// 1, 2, 4, 8, 12 or 16.
    pub lanes: u8,
    /// Maximum payload size in bytes: 128 to 4096, a power of two.
    pub mps: u16,
    /// Maximum read request size in bytes: 128 to 4096, a power of two.
    pub mrrs: u16,
    /// Read completion boundary of the root complex in bytes: 64 or 128.
    pub rcb: u16,
    /// Width of the device's TLP streams in bytes: 8, 16, 32 or 64.
    pub width_bytes: usize,
    /// From the last byte on the wire to the other end's use of it.
    pub one_way_ps: u64,
    /// Up to so much is added to each TLP's one-way time, at random; TLPs never overtake each other by it.
    pub one_way_jitter_ps: u64,
    /// From a read's arrival at the root complex to its first completion being ready to send.
    pub turnaround_ps: u64,
    /// Up to so much is added to each read's turn-around, at random.
    pub turnaround_jitter_ps: u64,
    /// Largest completion payload in bytes that the root complex makes: rcb to mps.
    pub max_completion_payload: u16,
    /// Whether reads are cut at random read completion boundaries, instead of as late as allowed.
    pub random_split: bool,
    /// Order of completions of different reads.
    pub completion_order: CompletionOrder,
    /// Credits of the root complex.
    pub credits: Credits,
    /// TLPs that wait in front of the wire before `tx_ready` falls.
    pub transmit_queue_tlps: usize,
    /// Bytes (headers and payloads) that wait in front of the wire before `tx_ready` falls: at least mps + 24.
    pub transmit_queue_bytes: usize,
    /// Requests to BAR0 that the device's hard IP holds, in flight included, before the root complex has to wait.
    pub device_request_tlps: usize,
    /// Requester id of the device: bus, device, function.
    pub device_id: u16,
    /// Requester id of the root complex in its MMIO requests.
    pub host_id: u16,
    /// Tags that the device may use: 1 to 1024 (more than 32 needs extended, more than 256 ten-bit tags enabled).
    pub device_tags: u16,
    /// Hard IP whose ports are simulated, if any; the streams are the device's own otherwise.
    pub hard_ip: Option<HardIp>,
    /// Completion space of the device's hard IP in TLPs; 0: not checked.
    pub completion_headers: u32,
    /// Completion space of the device's hard IP in units of 16 bytes; 0: not checked.
    pub completion_data: u32,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Default for LinkConfig {
    /// Gen3 x4 as on a desktop: MPS 256, MRRS 512, RCB 64, 600 ns round trip (550 to 850 ns are measured on Gen3: pcie-bench,
    /// SIGCOMM 2018), a 128-bit device.
    fn default() -> Self {
        Self {
            generation: Generation::Gen3,
            lanes: 4,
            mps: 256,
            mrrs: 512,
            rcb: 64,
            width_bytes: 16,
            one_way_ps: 150_000,
            one_way_jitter_ps: 0,
            turnaround_ps: 300_000,
            turnaround_jitter_ps: 0,
            max_completion_payload: 256,
            random_split: false,
            completion_order: CompletionOrder::InOrder,
            credits: Credits {
                posted_headers: 128,
                posted_data: 2048,
                nonposted_headers: 128,
                completion_headers: 0,
                completion_data: 0,
            },
            transmit_queue_tlps: 4,
            transmit_queue_bytes: 2048,
            device_request_tlps: 16,
            device_id: 0x0100,
            host_id: 0x0000,
            device_tags: 256,
            hard_ip: None,
            completion_headers: 0,
            completion_data: 0,
            seed: 1,
        }
    }
}

/// A value that no link can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: {allowed}")]
pub struct ConfigError {
    /// The field of [`LinkConfig`].
    pub key: &'static str,
    /// Its value.
    pub value: u64,
    /// What it may be.
    pub allowed: &'static str,
}

/// One year: sums of a few such times stay far below 2^64 ps.
const LONGEST_PS: u64 = 1 << 60;

impl LinkConfig {
    /// Says which value is impossible, if one is.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let size = |value: u16| value.is_power_of_two() && (128..=4096).contains(&value);
        let window = match self.completion_order {
            CompletionOrder::InOrder => 1,
            CompletionOrder::Reordered { window } | CompletionOrder::Interleaved { window } => {
                window
            }
        };
        let payload = self.max_completion_payload;
        let data = self.credits.posted_data;
        let checks: [(bool, &'static str, u64, &'static str); 15] = [
            (
                matches!(self.lanes, 1 | 2 | 4 | 8 | 12 | 16),
                "lanes",
                self.lanes.into(),
                "use 1, 2, 4, 8, 12 or 16",
            ),
            (
                size(self.mps),
                "mps",
                self.mps.into(),
                "use a power of two from 128 to 4096 bytes",
            ),
            (
                size(self.mrrs),
                "mrrs",
                self.mrrs.into(),
                "use a power of two from 128 to 4096 bytes",
            ),
            (
                matches!(self.rcb, 64 | 128),
                "rcb",
                self.rcb.into(),
                "use 64 or 128 bytes",
            ),
            (
                matches!(self.width_bytes, 8 | 16 | 32 | 64),
                "width_bytes",
                self.width_bytes as u64,
                "use 8, 16, 32 or 64 bytes",
            ),
            (
                self.one_way_ps <= LONGEST_PS,
                "one_way_ps",
                self.one_way_ps,
                "use at most 2^60 ps",
            ),
            (
                self.one_way_jitter_ps <= LONGEST_PS,
                "one_way_jitter_ps",
                self.one_way_jitter_ps,
                "use at most 2^60 ps",
            ),
            (
                self.turnaround_ps <= LONGEST_PS,
                "turnaround_ps",
                self.turnaround_ps,
                "use at most 2^60 ps",
            ),
            (
                self.turnaround_jitter_ps <= LONGEST_PS,
                "turnaround_jitter_ps",
                self.turnaround_jitter_ps,
                "use at most 2^60 ps",
            ),
            (
                (self.rcb..=self.mps).contains(&payload),
                "max_completion_payload",
                payload.into(),
                "use at least the read completion boundary and at most the maximum payload size",
            ),
            (
                window >= 1,
                "completion_order.window",
                window.into(),
                "use at least 1",
            ),
            (
                data == 0 || data >= u32::from(self.mps) / 16,
                "credits.posted_data",
                data.into(),
                "use 0 (infinite) or at least mps / 16, so that the largest write fits (PCIe Base Spec 2.6.1)",
            ),
            (
                self.transmit_queue_tlps >= 1
                    && self.transmit_queue_bytes >= usize::from(self.mps) + 24,
                "transmit_queue_bytes",
                self.transmit_queue_bytes as u64,
                "use at least mps + 24 bytes and 1 TLP, so that the largest write fits",
            ),
            (
                self.device_request_tlps >= 1,
                "device_request_tlps",
                self.device_request_tlps as u64,
                "use at least 1",
            ),
            (
                (1..=1024).contains(&self.device_tags),
                "device_tags",
                self.device_tags.into(),
                "use 1 to 1024",
            ),
        ];
        match checks.iter().find(|check| !check.0) {
            None => Ok(()),
            Some(&(_, key, value, allowed)) => Err(ConfigError {
                key,
                value,
                allowed,
            }),
        }
    }

    /// Bytes per second that are left for TLPs, after line coding and the data link layer's own traffic: 8 bytes per ACK and per
    /// flow control update, at the intervals that the specification's limits ask for, and a 4-byte SKP every 1538.
    ///
    /// The model is pcie-bench's (Neugebauer et al., SIGCOMM 2018).
    pub fn tlp_bytes_per_second(&self) -> f64 {
        let limit = self.ack_limit();
        let raw = self.generation.bits_per_lane() * f64::from(self.lanes) / 8.0;
        raw * (1.0 - 8.0 / limit - 8.0 / limit - 4.0 / 1538.0)
    }

    /// Payload bytes per second at the maximum payload size: memory writes with 64-bit addresses upstream, completions downstream.
    pub fn ceiling_bytes_per_second(&self, direction: Direction) -> f64 {
        let overhead = match direction {
            Direction::Upstream => REQUEST_64_OVERHEAD,
            Direction::Downstream => COMPLETION_OVERHEAD,
        };
        let payload = f64::from(self.mps);
        self.tlp_bytes_per_second() * payload / (payload + f64::from(overhead))
    }

    /// ACK latency limit and flow control update guide-line in symbol times (PCIe Base Spec 5.0, tables 3-7..3-9 and
    /// 2-46..2-48), by the formula that the tables are made with: (mps + 28) * factor / lanes + internal delay, rounded down.
    fn ack_limit(&self) -> f64 {
        let factor = match (self.lanes, self.mps) {
            (1..=4, 128 | 256) => 1.4,
            (8, 128 | 256) => 2.5,
            (1..=8, _) => 1.0,
            (_, 128 | 256) => 3.0,
            (_, _) => 2.0,
        };
        let symbols = (f64::from(self.mps) + 28.0) * factor / f64::from(self.lanes);
        symbols.floor() + self.generation.internal_delay()
    }

    /// Maximum payload size in the encoding of Device Control: 128 << n.
    pub fn mps_code(&self) -> u8 {
        size_code(self.mps)
    }

    /// Maximum read request size in the encoding of Device Control: 128 << n.
    pub fn mrrs_code(&self) -> u8 {
        size_code(self.mrrs)
    }
}

/// n in 128 << n.
fn size_code(bytes: u16) -> u8 {
    (bytes.max(128).ilog2() - 7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(generation: Generation, lanes: u8, mps: u16) -> LinkConfig {
        LinkConfig {
            generation,
            lanes,
            mps,
            ..LinkConfig::default()
        }
    }

    /// The published figures in GB/s, C2H and H2C at MPS 256.
    #[test]
    fn ceilings_are_the_published_ones() {
        let published = [
            (Generation::Gen3, 4, 3.32, 3.37),
            (Generation::Gen3, 8, 6.62, 6.71),
            (Generation::Gen3, 16, 12.99, 13.18),
            (Generation::Gen4, 16, 25.99, 26.37),
        ];
        for (generation, lanes, c2h, h2c) in published {
            let config = link(generation, lanes, 256);
            for (direction, expected) in [(Direction::Upstream, c2h), (Direction::Downstream, h2c)]
            {
                let found = config.ceiling_bytes_per_second(direction) / 1e9;
                assert!(
                    (found / expected - 1.0).abs() < 0.005,
                    "{generation:?} x{lanes} {direction:?}: {found} GB/s, published {expected}"
                );
            }
        }
    }

    /// The specification's tables, row by row.
    #[test]
    fn ack_limits_are_the_tabulated_ones() {
        let rows = [
            (Generation::Gen3, 4, [169.0, 214.0, 250.0]),
            (Generation::Gen3, 8, [163.0, 203.0, 182.0]),
            (Generation::Gen3, 16, [144.0, 168.0, 182.0]),
            (Generation::Gen2, 4, [124.0, 169.0, 205.0]),
            (Generation::Gen1, 4, [73.0, 118.0, 154.0]),
        ];
        for (generation, lanes, limits) in rows {
            for (mps, limit) in [128, 256, 512].into_iter().zip(limits) {
                assert_eq!(
                    link(generation, lanes, mps).ack_limit(),
                    limit,
                    "{generation:?} x{lanes}, MPS {mps}"
                );
            }
        }
    }

    #[test]
    fn impossible_values_are_named() {
        let good = LinkConfig::default();
        assert_eq!(good.validate(), Ok(()));
        type Change = (&'static str, fn(&mut LinkConfig));
        let bad: [Change; 9] = [
            ("lanes", |link| link.lanes = 3),
            ("mps", |link| link.mps = 384),
            ("mrrs", |link| link.mrrs = 64),
            ("rcb", |link| link.rcb = 256),
            ("width_bytes", |link| link.width_bytes = 128),
            ("max_completion_payload", |link| {
                link.max_completion_payload = 32
            }),
            ("completion_order.window", |link| {
                link.completion_order = CompletionOrder::Reordered { window: 0 }
            }),
            ("credits.posted_data", |link| link.credits.posted_data = 15),
            ("transmit_queue_bytes", |link| {
                link.transmit_queue_bytes = 256
            }),
        ];
        for (key, change) in bad {
            let mut config = good.clone();
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().key, key);
        }
    }

    #[test]
    fn sizes_are_encoded_as_in_device_control() {
        assert_eq!(
            [128, 256, 512, 1024, 2048, 4096].map(size_code),
            [0, 1, 2, 3, 4, 5]
        );
        assert_eq!(Generation::from_number(4), Some(Generation::Gen4));
        assert_eq!(Generation::from_number(0), None);
        assert_eq!(Generation::from_number(6), None);
    }
}
