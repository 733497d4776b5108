//! What a figure was measured under, and the limit that the link model sets for it.

use pinring_hdl::sizes::read_slots;
use pinring_protocol::limits::READ_SLOT_BYTES;

use super::row::Conditions;
use crate::link::{Direction as Wire, LinkConfig};
use crate::run;
use crate::scenario::{Direction, LayoutKind, Scenario, Strategy};

/// A link, and the width of the data path that is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Name in tables.
    pub name: &'static str,
    /// PCIe generation.
    pub generation: u32,
    /// Lanes.
    pub lanes: u32,
    /// Bits of the data path.
    pub width_bits: u32,
}

/// Gen3 x16, 512 bits.
pub const X16: Port = Port {
    name: "Gen3 x16",
    generation: 3,
    lanes: 16,
    width_bits: 512,
};

/// Gen3 x8, 256 bits.
pub const X8: Port = Port {
    name: "Gen3 x8",
    generation: 3,
    lanes: 8,
    width_bits: 256,
};

/// Gen2 x4, 64 bits.
pub const X4: Port = Port {
    name: "Gen2 x4",
    generation: 2,
    lanes: 4,
    width_bits: 64,
};

/// The links that are measured.
pub const PORTS: [Port; 3] = [X16, X8, X4];

impl Port {
    /// Payload of an efficiency run, per direction: about two milliseconds of the link.
    pub fn run_bytes(self) -> u64 {
        match self.width_bits {
            512 => 24 << 20,
            256 => 12 << 20,
            _ => 3 << 20,
        }
    }
}

/// Round trips that are measured, in nanoseconds.
pub const ROUND_TRIPS: [u64; 4] = [250, 500, 1000, 2000];

/// One point of the measured space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The link.
    pub port: Port,
    /// From a read's departure to its first completion's arrival, without serialisation, in nanoseconds.
    pub round_trip_ns: u64,
    /// Payload at which the root complex splits completions.
    pub completion_bytes: u32,
    /// Whether completions of different reads overtake each other.
    pub reorder: bool,
    /// Which way data goes.
    pub direction: Direction,
}

impl Setting {
    /// The reference: 1 us, completions of 256 bytes in order.
    pub const fn reference(port: Port, direction: Direction) -> Self {
        Self {
            port,
            round_trip_ns: 1000,
            completion_bytes: 256,
            reorder: false,
            direction,
        }
    }

    /// A scenario of these conditions: MPS 256, MRRS 512, RCB 64, shuffled 4 KiB pages above 4 GiB.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = Scenario {
            name: "bench".to_string(),
            strategies: vec![Strategy::Registered],
            ..Scenario::default()
        };
        scenario.device.width_bits = self.port.width_bits;
        scenario.link.generation = self.port.generation;
        scenario.link.lanes = self.port.lanes;
        // A quarter of the round trip each way, half of it in the root complex, as in the default scenario.
        scenario.link.one_way_latency_ns = self.round_trip_ns / 4;
        scenario.link.root_complex_ns = self.round_trip_ns - 2 * (self.round_trip_ns / 4);
        scenario.link.completion_bytes = Some(self.completion_bytes);
        scenario.link.reorder = self.reorder;
        scenario.buffers.layout = LayoutKind::Shuffled;
        scenario.burst.direction = self.direction;
        scenario.burst.offsets_bytes = vec![0];
        scenario
    }

    /// H2C read slots of the device.
    fn read_slots(&self) -> usize {
        read_slots(self.port.width_bits as usize)
    }

    /// The link, as the model takes it.
    pub fn link(&self) -> LinkConfig {
        run::link_config(&self.scenario())
    }

    /// As conditions of a row.
    pub fn conditions(&self) -> Conditions {
        Conditions::default()
            .with("link", self.port.name)
            .with("width_bits", self.port.width_bits)
            .with("direction", direction_name(self.direction))
            .with("round_trip_ns", self.round_trip_ns)
            .with("completion_bytes", self.completion_bytes)
            .with(
                "order",
                if self.reorder {
                    "reordered"
                } else {
                    "in order"
                },
            )
    }

    /// Nanoseconds that a payload byte of this direction takes at the ceiling; both: a byte each way.
    pub fn ceiling_ns_per_byte(&self) -> f64 {
        let link = self.link();
        let up = 1e9 / link.ceiling_bytes_per_second(Wire::Upstream);
        let down = 1e9 / link.ceiling_bytes_per_second(Wire::Downstream);
        match self.direction {
            Direction::C2h => up,
            Direction::H2c => down,
            Direction::Both => up.max(down),
        }
    }

    /// The highest efficiency that the link model allows, and by what.
    ///
    /// Times per payload byte, of which the longest counts:
    ///
    /// - wire up: (1 + 24 / MPS) / rate for C2H; with H2C at the same time 24 / MRRS / rate more;
    /// - wire down: (1 + 20 / completion) / rate for H2C;
    /// - tags: (round trip + one read's completions on the wire) / bytes in flight, with as many reads of min(MRRS, slot) as the device has slots;
    /// - completion space, credits for reads and credits for writes: the same with their bytes in flight, where credits are out for
    ///   one way and come back in another.
    pub fn limit(&self) -> Limit {
        let link = self.link();
        let rate = link.tlp_bytes_per_second() / 1e9;
        let (c2h, h2c) = (
            self.direction != Direction::H2c,
            self.direction != Direction::C2h,
        );
        let (mps, mrrs) = (f64::from(link.mps), f64::from(link.mrrs));
        let request = mrrs.min(READ_SLOT_BYTES as f64);
        let completion = f64::from(self.completion_bytes);
        let mut up = 0.0;
        let mut times = Vec::new();
        if c2h {
            up += 1.0 + 24.0 / mps;
            let credits = &link.credits;
            let in_flight = least([(credits.posted_headers, mps), (credits.posted_data, 16.0)]);
            let loop_ns = 2.0 * link.one_way_ps as f64 / 1000.0 + (mps + 24.0) / rate;
            times.push((loop_ns / in_flight, "write credits"));
        }
        if h2c {
            up += 24.0 / request;
            let down = (1.0 + 20.0 / completion) / rate;
            times.push((down, "wire"));
            let trip = self.round_trip_ns as f64 + (24.0 / rate) + request * down;
            times.push((trip / (self.read_slots() as f64 * request), "tags"));
            let headers_each = request / f64::from(link.rcb);
            let space = least([
                (link.completion_headers, request / headers_each),
                (link.completion_data, 16.0),
            ]);
            times.push((trip / space, "completion space"));
            let reads = least([(link.credits.nonposted_headers, request)]);
            let loop_ns = 2.0 * link.one_way_ps as f64 / 1000.0 + 24.0 / rate;
            times.push((loop_ns / reads, "read credits"));
        }
        times.insert(0, (up / rate, "wire"));
        let slower = |slowest: (f64, _), next: (f64, _)| match next.0 > slowest.0 {
            true => next,
            false => slowest,
        };
        let ceiling = self.ceiling_ns_per_byte();
        // Of those alone; infinite credits, and reads where there are none, set no limit.
        let alone = |names: [&str; 2]| {
            let those = times.iter().filter(|(_, name)| names.contains(name));
            let (time, _) = those.copied().reduce(slower)?;
            (time > 0.0).then_some(ceiling / time)
        };
        let (tags, credits) = (
            alone(["tags", "completion space"]),
            alone(["write credits", "read credits"]),
        );
        let slowest = times.iter().copied().reduce(slower);
        let (time, by) = slowest.unwrap_or((f64::INFINITY, "nothing"));
        Limit {
            efficiency: (ceiling / time).min(1.0),
            by,
            tags,
            credits,
        }
    }
}

/// Fewest bytes of several credits (units, bytes of a unit), where 0 units are infinite.
fn least<const N: usize>(credits: [(u32, f64); N]) -> f64 {
    credits
        .into_iter()
        .filter(|(units, _)| *units > 0)
        .map(|(units, bytes)| f64::from(units) * bytes)
        .fold(f64::INFINITY, f64::min)
}

/// The highest efficiency that conditions allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Payload over time x ceiling; the ceiling's completions are of MPS bytes.
    pub efficiency: f64,
    /// What sets it.
    pub by: &'static str,
    /// What tags and completion space alone allow, if data is read; above 1 they are not what is short.
    pub tags: Option<f64>,
    /// The same for credits, if they are finite.
    pub credits: Option<f64>,
}

/// Name in tables.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::C2h => "C2H",
        Direction::H2c => "H2C",
        Direction::Both => "both",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_alone_limits_to_the_ceiling() {
        for port in PORTS {
            let limit = Setting::reference(port, Direction::C2h).limit();
            assert!((limit.efficiency - 1.0).abs() < 1e-9, "{limit:?}");
            assert_eq!(limit.by, "wire");
            assert_eq!(limit.tags, None, "nothing is read");
            assert!(limit.credits.unwrap() > 1.0, "{limit:?}");
        }
        let short = Setting {
            round_trip_ns: 250,
            ..Setting::reference(X16, Direction::H2c)
        };
        assert!((short.limit().efficiency - 1.0).abs() < 1e-9);
    }

    #[test]
    fn short_completions_cost_their_headers() {
        let limit = Setting {
            completion_bytes: 64,
            round_trip_ns: 250,
            ..Setting::reference(X8, Direction::H2c)
        }
        .limit();
        let expected = (276.0 / 256.0) / (84.0 / 64.0);
        assert!((limit.efficiency - expected).abs() < 1e-9, "{limit:?}");
    }

    #[test]
    fn reads_in_flight_limit_a_long_round_trip() {
        let limit = Setting {
            round_trip_ns: 4000,
            ..Setting::reference(X16, Direction::H2c)
        }
        .limit();
        // Bytes of the read slots in flight over the round trip and a read's own time, against 13.18 GB/s.
        let in_flight = (read_slots(512) * READ_SLOT_BYTES).min(32768) as f64;
        let expected = in_flight / (4000.0 + 512.0 / 13.18 + 24.0 / 14.2) / 13.18;
        assert!(
            (limit.efficiency / expected - 1.0).abs() < 0.01,
            "{limit:?}"
        );
        assert_ne!(limit.by, "wire");
        // What alone is shortest, is the limit.
        let alone = limit.tags.unwrap().min(limit.credits.unwrap());
        assert!((limit.efficiency - alone).abs() < 1e-9, "{limit:?}");
    }

    #[test]
    fn both_directions_pay_for_the_reads() {
        let limit = Setting {
            round_trip_ns: 250,
            ..Setting::reference(X16, Direction::Both)
        }
        .limit();
        let expected = (1.0 + 24.0 / 256.0) / (1.0 + 24.0 / 256.0 + 24.0 / 512.0);
        assert!((limit.efficiency - expected).abs() < 1e-9, "{limit:?}");
    }
}
