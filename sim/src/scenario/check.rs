//! Which values are possible, and which go together.

use std::collections::BTreeSet;

use pinring_core::Moderation;

use super::{
    Buffers, Burst, Config, Costs, Device, Expectation, Fault, FaultScope, FaultTarget, HardIp,
    Host, LayoutKind, Link, Notify, Payload, Scenario, Strategy, Stream,
};

/// What one MDL can describe: 4 GiB less a page (Windows, MmProbeAndLockPages).
const MAX_BUFFER_BYTES: u64 = (1 << 32) - 4096;
/// More would only fill the simulating machine's memory with page lists.
const MAX_TOTAL_BYTES: u64 = 64 << 30;
/// Longer waits are no PCIe link, and would overflow nothing but patience.
const MAX_LATENCY_NS: u64 = 1_000_000;
/// One hour: keeps sums of costs far from the end of 64-bit picoseconds.
const MAX_COST_NS: f64 = 3.6e12;
const MAX_RATE_HZ: f64 = 100_000.0;

/// An impossible value.
#[derive(Debug)]
pub(super) struct Finding {
    pub key: String,
    pub value: String,
    pub allowed: String,
}

/// Collects every impossible value of a scenario.
#[derive(Debug, Default)]
pub(super) struct Check {
    pub found: Vec<Finding>,
}

impl Check {
    fn require(&mut self, possible: bool, key: &str, value: impl ToString, allowed: impl ToString) {
        if !possible {
            let (value, allowed) = (value.to_string(), allowed.to_string());
            self.found.push(Finding {
                key: key.to_string(),
                value,
                allowed,
            });
        }
    }

    fn range(&mut self, key: &str, value: u64, low: u64, high: u64) {
        let possible = (low..=high).contains(&value);
        self.require(
            possible,
            key,
            value,
            format!("must be from {low} to {high}"),
        );
    }

    fn one_of(&mut self, key: &str, value: u32, allowed: &[u32]) {
        let list: Vec<_> = allowed.iter().map(u32::to_string).collect();
        self.require(
            allowed.contains(&value),
            key,
            value,
            format!("must be one of {}", list.join(", ")),
        );
    }

    pub(super) fn scenario(&mut self, s: &Scenario) {
        self.strategies(&s.strategies);
        self.device(&s.device);
        self.link(&s.link);
        self.host(&s.host);
        self.buffers(&s.buffers);
        self.burst(&s.burst, s.buffers.bytes);
        if s.buffers.count > 0 {
            self.overlaps(&s.burst, s.buffers.count);
        }
        self.payload(&s.payload);
        self.stream(&s.stream);
        for (index, fault) in s.faults.iter().enumerate() {
            self.fault(&format!("faults[{index}]"), fault, s);
        }
        self.require(
            s.faults.is_empty() || s.strategies == [Strategy::Registered],
            "strategies",
            format!("{:?}", s.strategies.iter().map(|s| s.name()).collect::<Vec<_>>()),
            "must be [\"registered\"] with faults: where a transfer's list lies is known before the burst only then",
        );
        for (strategy, expectation) in &s.expect {
            self.expectation(*strategy, expectation, s);
        }
    }

    fn strategies(&mut self, list: &[Strategy]) {
        let names: Vec<_> = list.iter().map(|s| s.name()).collect();
        let distinct = list.iter().collect::<BTreeSet<_>>().len() == list.len();
        self.require(
            !list.is_empty() && distinct,
            "strategies",
            format!("{names:?}"),
            "must name at least one strategy, and each once",
        );
    }

    fn device(&mut self, device: &Device) {
        let config = pinring_hdl::device::Config::from(device.config);
        let widths = match device.hard_ip {
            HardIp::None => config.widths(),
            HardIp::UscalePlus => &pinring_hdl::shim::uscale_plus::WIDTHS[..],
        };
        let widths: Vec<_> = widths.iter().map(|bits| *bits as u32).collect();
        self.one_of("device.width_bits", device.width_bits, &widths);
        self.require(
            device.hard_ip == HardIp::None || device.config == Config::Full,
            "device.config",
            format!("{:?}", device.config),
            "must be full behind the shim of a hard IP",
        );
        // The device tells driver and firmware its clocks, and was made for these.
        let engine = pinring_hdl::device::CLOCK_HZ / 1_000_000;
        let core = pinring_hdl::device::CORE_HZ / 1_000_000;
        self.one_of("device.clock_mhz", device.clock_mhz, &[engine as u32]);
        self.one_of(
            "device.core_clock_mhz",
            device.core_clock_mhz,
            &[core as u32],
        );
    }

    fn link(&mut self, link: &Link) {
        self.range("link.generation", link.generation.into(), 1, 5);
        self.one_of("link.lanes", link.lanes, &[1, 2, 4, 8, 12, 16]);
        // PCIe Base Spec 5.0, 7.5.3.4: Max_Payload_Size and Max_Read_Request_Size; 7.5.3.7: RCB.
        const SIZES: [u32; 6] = [128, 256, 512, 1024, 2048, 4096];
        self.one_of("link.mps_bytes", link.mps_bytes, &SIZES);
        self.one_of("link.mrrs_bytes", link.mrrs_bytes, &SIZES);
        self.one_of("link.rcb_bytes", link.rcb_bytes, &[64, 128]);
        if let Some(bytes) = link.completion_bytes {
            let possible = bytes > 0
                && bytes <= link.mps_bytes
                && bytes.checked_rem(link.rcb_bytes) == Some(0);
            self.require(
                possible,
                "link.completion_bytes",
                bytes,
                format!(
                    "must be a multiple of rcb_bytes ({}), and at most mps_bytes ({})",
                    link.rcb_bytes, link.mps_bytes
                ),
            );
        }
        self.range(
            "link.one_way_latency_ns",
            link.one_way_latency_ns,
            0,
            MAX_LATENCY_NS,
        );
        self.range(
            "link.root_complex_ns",
            link.root_complex_ns,
            0,
            MAX_LATENCY_NS,
        );
        self.range("link.jitter_ns", link.jitter_ns, 0, MAX_LATENCY_NS);
    }

    fn host(&mut self, host: &Host) {
        self.range("host.cpus", host.cpus.into(), 1, 64);
        self.range("host.preempt_ns", host.preempt_ns, 0, 1_000_000_000);
        self.range("host.poll_ns", host.poll_ns, 10, 1_000_000);
        let count = host.moderation_count;
        self.range("host.moderation_count", count.into(), 0, u16::MAX.into());
        let longest = Moderation::longest_us(pinring_hdl::device::CLOCK_HZ as u32);
        self.range(
            "host.moderation_us",
            host.moderation_us.into(),
            0,
            longest.into(),
        );
        self.require(
            count <= 1 || host.moderation_us > 0,
            "host.moderation_us",
            host.moderation_us,
            "must be at least 1 with a moderation_count above 1: nothing else tells of a burst's last completions",
        );
        self.require(
            count == 0 || host.notify == Notify::Interrupt,
            "host.moderation_count",
            count,
            "is for notify = \"interrupt\"; leave it out with \"poll\"",
        );
        self.costs(&host.costs);
    }

    fn costs(&mut self, costs: &Costs) {
        for (name, cost) in costs.entries() {
            let key = |part: &str| format!("host.costs.{name}.{part}");
            // A rate of 0 would never end.
            let least = if name.ends_with("_per_ns") {
                f64::MIN_POSITIVE
            } else {
                0.0
            };
            let mut sound = true;
            for (part, value) in [
                ("value", cost.value),
                ("low", cost.low),
                ("high", cost.high),
            ] {
                if part != "value" && value.to_bits() == cost.value.to_bits() {
                    continue; // Left out, or the same: said once.
                }
                let possible = (least..=MAX_COST_NS).contains(&value);
                sound &= possible;
                let allowed = if least > 0.0 {
                    "must be above 0"
                } else {
                    "must be 0 or more"
                };
                self.require(
                    possible,
                    &key(part),
                    value,
                    format!("{allowed}, and at most {MAX_COST_NS:.0}"),
                );
            }
            if sound {
                let ordered = cost.low <= cost.value && cost.value <= cost.high;
                let range = format!(
                    "{} with low {} and high {}",
                    cost.value, cost.low, cost.high
                );
                self.require(
                    ordered,
                    &key("value"),
                    range,
                    "must lie between low and high",
                );
            }
        }
    }

    fn buffers(&mut self, buffers: &Buffers) {
        self.range("buffers.count", buffers.count.into(), 1, 65_536);
        self.range("buffers.bytes", buffers.bytes, 1, MAX_BUFFER_BYTES);
        if buffers.bytes <= MAX_BUFFER_BYTES && buffers.count <= 65_536 {
            let total = u64::from(buffers.count) * buffers.bytes;
            self.require(
                total <= MAX_TOTAL_BYTES,
                "buffers.count",
                buffers.count,
                format!("count x bytes is {total}, and must be at most {MAX_TOTAL_BYTES}"),
            );
        }
        self.range(
            "buffers.first_byte_offset_bytes",
            buffers.first_byte_offset_bytes.into(),
            0,
            4095,
        );
        let (files, wanted) = (buffers.layout_files.len(), buffers.count as usize);
        if buffers.layout == LayoutKind::Files {
            self.require(
                files >= wanted,
                "buffers.layout_files",
                format!("{files} files"),
                format!("must name a file for each of the {wanted} buffers"),
            );
        } else {
            self.require(
                files == 0,
                "buffers.layout_files",
                format!("{files} files"),
                "is read only with layout = \"files\"; add that, or leave the files out",
            );
        }
    }

    fn burst(&mut self, burst: &Burst, buffer_bytes: u64) {
        self.range("burst.transfers", burst.transfers.into(), 1, 4096);
        self.require(
            (1..=buffer_bytes).contains(&burst.length_bytes),
            "burst.length_bytes",
            burst.length_bytes,
            format!("must be from 1 to the size of a buffer ({buffer_bytes})"),
        );
        self.require(
            !burst.offsets_bytes.is_empty(),
            "burst.offsets_bytes",
            "[]",
            "must hold at least one offset",
        );
        for length in &burst.lengths_bytes {
            self.require(
                (1..=buffer_bytes).contains(length),
                "burst.lengths_bytes",
                length,
                format!("must be from 1 to the size of a buffer ({buffer_bytes})"),
            );
        }
        // Which offset meets which length repeats with the product of the two lists.
        let pairs = burst.offsets_bytes.len() * burst.lengths_bytes.len().max(1);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..burst.transfers.min(pairs.try_into().unwrap_or(u32::MAX)) {
            let (offset, length) = (burst.offset_bytes(index), burst.length_of(index));
            let Some(last) = buffer_bytes.checked_sub(length) else {
                continue;
            };
            if offset > last && seen.insert((offset, last)) {
                let allowed = format!("a transfer must end inside its buffer: at most {last}");
                self.require(false, "burst.offsets_bytes", offset, allowed);
            }
        }
        self.range("burst.bursts", burst.bursts.into(), 1, 100_000);
        for rate in &burst.frame_rate_hz {
            self.rate("burst.frame_rate_hz", *rate);
        }
        if let Some(rate) = burst.deadline_hz {
            self.rate("burst.deadline_hz", rate);
        }
    }

    /// Two transfers of one burst must not meet in a buffer: which one's bytes it holds in the end would be chance.
    fn overlaps(&mut self, burst: &Burst, buffers: u32) {
        let mut used: Vec<(u32, u64, u64, u32)> = (0..burst.transfers.min(4096))
            .map(|i| {
                let start = burst.offset_bytes(i);
                (
                    i % buffers,
                    start,
                    start.saturating_add(burst.length_of(i)),
                    i,
                )
            })
            .collect();
        used.sort_unstable();
        let meeting = used.windows(2).find_map(|pair| match pair {
            [(buffer, _, end, first), (same, start, _, second)]
                if buffer == same && start < end =>
            {
                Some((buffer, first.min(second), first.max(second)))
            }
            _ => None,
        });
        if let Some((buffer, first, second)) = meeting {
            self.require(
                false,
                "burst.transfers",
                burst.transfers,
                format!(
                    "transfers {first} and {second} would meet in buffer {buffer}: give more buffers, or another list of offsets_bytes"
                ),
            );
        }
    }

    fn rate(&mut self, key: &str, hz: f64) {
        let possible = hz > 0.0 && hz <= MAX_RATE_HZ;
        self.require(
            possible,
            key,
            hz,
            format!("must be above 0 and at most {MAX_RATE_HZ:.0}"),
        );
    }

    fn payload(&mut self, payload: &Payload) {
        if let (Some(seed), Some(_)) = (payload.pattern_seed, &payload.file) {
            self.require(
                false,
                "payload.pattern_seed",
                seed,
                "cannot be used with file; leave one of them out",
            );
        }
    }

    fn stream(&mut self, stream: &Stream) {
        self.range(
            "stream.c2h_valid_percent",
            stream.c2h_valid_percent.into(),
            1,
            100,
        );
        self.range(
            "stream.h2c_ready_percent",
            stream.h2c_ready_percent.into(),
            1,
            100,
        );
    }

    fn fault(&mut self, table: &str, fault: &Fault, s: &Scenario) {
        const LONGEST_NS: u64 = 1_000_000_000;
        let key = |name: &str| format!("{table}.{name}");
        let kind = format!("{:?}", fault.kind);
        let scope = fault.kind.scope();
        let last = s.burst.bursts.saturating_sub(1);
        self.range(&key("burst"), fault.burst.into(), 0, last.into());
        let last = s.burst.transfers.saturating_sub(1);
        self.range(&key("transfer"), fault.transfer.into(), 0, last.into());
        self.range(&key("nth"), fault.nth.into(), 1, u32::MAX.into());
        match fault.duration_ns {
            Some(ns) if fault.kind.lasts() => self.range(&key("duration_ns"), ns, 1, LONGEST_NS),
            Some(ns) => self.require(
                false,
                &key("duration_ns"),
                ns,
                "is for late, credit-starvation and delayed-doorbell; leave it out",
            ),
            None => self.require(
                !fault.kind.lasts(),
                &key("duration_ns"),
                "left out",
                format!("must say how long this kind lasts, from 1 to {LONGEST_NS}"),
            ),
        }
        let of_queue = matches!(scope, FaultScope::Interrupt | FaultScope::Doorbell);
        if let Some(target) = fault.target.filter(|_| of_queue) {
            self.require(
                false,
                &key("target"),
                format!("{target:?}"),
                "is for faults of requests; leave it out with interrupts and doorbells",
            );
        }
        if let Some(byte) = fault.at_byte {
            let of_bytes = matches!(fault.target(), FaultTarget::Data | FaultTarget::SgBlock);
            self.require(
                of_bytes && !of_queue,
                &key("at_byte"),
                byte,
                "is for the targets data and sg-block; leave it out",
            );
            let length = s.burst.length_of(fault.transfer);
            self.range(&key("at_byte"), byte, 0, length.saturating_sub(1));
        }
        let c2h = s.burst.is_c2h(fault.transfer);
        self.require(
            !(c2h && scope == FaultScope::Read && fault.target() == FaultTarget::Data),
            &key("target"),
            "Data",
            format!("the data of a c2h transfer is not read, so that {kind} has no occasion; name another target or an h2c transfer"),
        );
        self.require(
            !(c2h && fault.kind.fails() && fault.target() != FaultTarget::Data),
            &key("kind"),
            &kind,
            "fails the transfer, and only h2c transfers have packets of their own that may be missing; name one of those",
        );
        self.require(
            scope != FaultScope::Interrupt || s.host.notify == Notify::Interrupt,
            &key("kind"),
            &kind,
            "needs host.notify = \"interrupt\"",
        );
    }

    fn expectation(&mut self, strategy: Strategy, expect: &Expectation, s: &Scenario) {
        let key = |part: &str| format!("expect.{strategy}.{part}");
        self.require(
            s.strategies.contains(&strategy),
            &format!("expect.{strategy}"),
            strategy,
            "is not among strategies; add it there, or leave the expectation out",
        );
        for (part, value, most) in [
            ("max_setup_ns", expect.max_setup_ns, f64::MAX),
            ("max_setup_share", expect.max_setup_share, 1.0),
            ("max_burst_ns", expect.max_burst_ns, f64::MAX),
            ("min_efficiency", expect.min_efficiency, 1.0),
            ("min_hidden_setup", expect.min_hidden_setup, 1.0),
            ("max_hidden_setup", expect.max_hidden_setup, 1.0),
            ("max_mmio_writes", expect.max_mmio_writes, f64::MAX),
            ("max_mmio_reads", expect.max_mmio_reads, f64::MAX),
            ("max_interrupts", expect.max_interrupts, f64::MAX),
        ] {
            if let Some(value) = value {
                let allowed = if most == 1.0 {
                    "must be from 0 to 1"
                } else {
                    "must be a number, 0 or more"
                };
                self.require((0.0..=most).contains(&value), &key(part), value, allowed);
            }
        }
        if expect.max_setup_share.is_some() {
            self.require(
                s.strategies.contains(&Strategy::PerTransfer),
                &key("max_setup_share"),
                "given",
                "compares with per-transfer, which is not among strategies; add it there",
            );
        }
        if expect.max_missed_deadlines.is_some() {
            let given = s.burst.deadline_hz.is_some();
            self.require(
                given,
                &key("max_missed_deadlines"),
                "given",
                "needs burst.deadline_hz",
            );
        }
    }
}
