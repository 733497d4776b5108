//! The tables of a scenario file. These comments are the user's documentation: `docs/scenarios.md`.

use std::path::PathBuf;

use pinring_hdl::device;
use serde::{Deserialize, Serialize};

use super::Costs;

/// The device: gateware and its soft core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// Width of the data path: 64, 128, 256 or 512 bits.
    pub width_bits: u32,
    /// How much of everything else it has: `full`, or `small`, which is for 64 bits.
    pub config: Config,
    /// Clock of the data path in MHz. The device of this version is made for 250.
    pub clock_mhz: u32,
    /// Clock of the soft core that runs the firmware in MHz. The device of this version is made for 125.
    pub core_clock_mhz: u32,
    /// Hard IP of the FPGA that is simulated before the device: `none` (the device's own TLP streams) or `uscale-plus` (the streams of AMD's
    /// UltraScale+ block, with the device behind its shim; 256 or 512 bits).
    pub hard_ip: HardIp,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            width_bits: 512,
            config: Config::Full,
            clock_mhz: 250,
            core_clock_mhz: 125,
            hard_ip: HardIp::None,
        }
    }
}

/// Configurations of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Config {
    /// All that the protocol allows.
    Full,
    /// Two data queues, four contexts and 16 resident regions per direction, 32 read slots.
    Small,
}

impl From<Config> for device::Config {
    fn from(config: Config) -> Self {
        match config {
            Config::Full => Self::Full,
            Config::Small => Self::Small,
        }
    }
}

/// The PCIe link and the root complex behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// PCIe generation, 1 to 5: 2.5, 5, 8, 16 or 32 GT/s a lane.
    pub generation: u32,
    /// Lanes: 1, 2, 4, 8, 12 or 16.
    pub lanes: u32,
    /// Max_Payload_Size: a power of two from 128 to 4096 bytes.
    pub mps_bytes: u32,
    /// Max_Read_Request_Size: a power of two from 128 to 4096 bytes.
    pub mrrs_bytes: u32,
    /// Read completion boundary: 64 or 128 bytes.
    pub rcb_bytes: u32,
    /// Payload at which the root complex splits read completions: a multiple of `rcb_bytes`, at most `mps_bytes`.
    /// Left out: `mps_bytes`.
    pub completion_bytes: Option<u32>,
    /// Time of one TLP's way over the link, in either direction, apart from its serialisation; at most 1,000,000 ns.
    pub one_way_latency_ns: u64,
    /// Time from a read request's arrival in the root complex to its completion's departure; at most 1,000,000 ns.
    pub root_complex_ns: u64,
    /// A read takes up to this much longer, by chance; at most 1,000,000 ns.
    pub jitter_ns: u64,
    /// Extended Tag Field Enable: 256 tags for the device's reads, otherwise 32.
    pub extended_tags: bool,
    /// Whether completions of different reads may overtake each other.
    pub reorder: bool,
    /// Whether completions also end at other multiples of `rcb_bytes`, by chance. Shorter TLPs: the ceiling is not reached.
    pub random_split: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            generation: 3,
            lanes: 16,
            mps_bytes: 256,
            mrrs_bytes: 512,
            rcb_bytes: 64,
            completion_bytes: None,
            one_way_latency_ns: 250,
            root_complex_ns: 500,
            jitter_ns: 0,
            extended_tags: true,
            reorder: false,
            random_split: false,
        }
    }
}

impl Link {
    /// Payload at which completions are split, in bytes: `completion_bytes`, or MPS.
    pub fn completion_payload_bytes(&self) -> u32 {
        self.completion_bytes.unwrap_or(self.mps_bytes)
    }
}

/// The host: CPUs, IOMMU, and what its operating system's calls cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// CPUs, 1 to 64. With one, the interrupt, the application and the worker that prepares lists take turns.
    pub cpus: u32,
    /// `off`: bus addresses are physical ones. `remap`: an IOMMU translates. `bounce`: map registers, data is copied.
    pub iommu: IommuMode,
    /// Mean time for which a thread keeps its CPU before another ready thread gets it; the points are drawn from the
    /// seed. 0: threads run to their end; at most 1,000,000,000 ns. With `--driver kmdf` threads are preempted only if `--preempt` says so.
    pub preempt_ns: u64,
    /// How the driver's lone submissions may reach the device. `off`: by doorbells, as where BAR0 is mapped uncached. `whole`: through
    /// the inline slots, each in one write-combined TLP of 64 bytes. `split`: in pieces of 8 bytes and more, in an order drawn from the
    /// seed. The Windows driver maps BAR0 uncached: `--driver kmdf` takes `off` alone.
    pub write_combining: WriteCombining,
    /// How the driver learns of completions. `interrupt`: the device's MSI-X message, moderated by the two keys below. `poll`: the
    /// application looks for them whenever it has nothing else to do, and no interrupt is sent. `--driver kmdf` takes `interrupt` alone.
    pub notify: Notify,
    /// With `notify = "interrupt"`, completions per interrupt, 0 to 65535; 0 and 1: each interrupts.
    pub moderation_count: u32,
    /// How long a completion waits for `moderation_count` of them, in microseconds: at least 1 with a count above 1, at most 4194.
    pub moderation_us: u32,
    /// With `notify = "poll"`, CPU time from one look for completions to the next, 10 to 1,000,000 ns.
    pub poll_ns: u64,
    /// Stated costs. Each is a number, or `{ value, low, high, source }`.
    pub costs: Costs,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            cpus: 2,
            iommu: IommuMode::Off,
            preempt_ns: 100_000,
            write_combining: WriteCombining::Off,
            notify: Notify::Interrupt,
            moderation_count: 0,
            moderation_us: 0,
            poll_ns: 500,
            costs: Costs::default(),
        }
    }
}

/// How the driver learns of completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// By the device's interrupts.
    Interrupt,
    /// By looking.
    Poll,
}

/// How doorbell pages are mapped, and what becomes of a write of 64 bytes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WriteCombining {
    /// Uncached: there is no such write.
    Off,
    /// Write-combined: one TLP.
    Whole,
    /// Write-combined, and each line leaves the processor in pieces.
    Split,
}

/// Hard IP between the device and the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HardIp {
    /// None: the device's own streams.
    None,
    /// AMD UltraScale+ integrated block.
    UscalePlus,
}

/// What stands between bus addresses and physical ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum IommuMode {
    /// Nothing: identity.
    Off,
    /// An IOMMU that translates.
    Remap,
    /// Map registers: data is copied through low memory.
    Bounce,
}

/// The application's buffers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Buffers {
    /// Number of buffers, 1 to 65536. Transfers use them in turn; two transfers of one burst must not overlap, so with more
    /// transfers than buffers give offsets, as `offsets_bytes = [0, 1_048_576]`.
    pub count: u32,
    /// Size of each, 1 to 4294963200 bytes (what one MDL can describe); 64 GiB over all buffers.
    pub bytes: u64,
    /// Where a buffer begins within its first page: 0 to 4095 bytes.
    pub first_byte_offset_bytes: u32,
    /// Physical pages: `captured` (real page maps, `sim/layouts`), `shuffled` (4 KiB pages in random order above 4 GiB),
    /// `contiguous`, `huge` (2 MiB pages), or `files` (see `layout_files`).
    pub layout: LayoutKind,
    /// Layout files, one per buffer, relative to this file; only with `layout = "files"`.
    pub layout_files: Vec<PathBuf>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            count: 10,
            bytes: 73_400_320,
            first_byte_offset_bytes: 0,
            layout: LayoutKind::Captured,
            layout_files: Vec::new(),
        }
    }
}

/// Where the physical pages of the buffers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LayoutKind {
    /// The layouts that ship with the simulation, taken from a real process.
    Captured,
    /// 4 KiB pages in random order above 4 GiB.
    Shuffled,
    /// One run of pages.
    Contiguous,
    /// 2 MiB pages in random order.
    Huge,
    /// The files named in `layout_files`.
    Files,
}

/// The workload: bursts of transfers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Burst {
    /// Transfers of a burst, all asked for at once, 1 to 4096.
    pub transfers: u32,
    /// Length of each transfer, 1 byte to the size of a buffer.
    pub length_bytes: u64,
    /// With this, transfers of different lengths: transfer i takes entry i modulo the list's length; empty: all take
    /// `length_bytes`.
    pub lengths_bytes: Vec<u64>,
    /// `c2h` (card to host), `h2c` (host to card), or `both` (in turn, beginning with c2h).
    pub direction: Direction,
    /// Where transfers begin within their buffers; transfer i takes entry i modulo the list's length.
    pub offsets_bytes: Vec<u64>,
    /// Bursts in the run, 1 to 100000. Without `deadline_hz` the next begins when the last has ended.
    pub bursts: u32,
    /// Frame rates that burst times are compared with, each above 0 and at most 100000 Hz.
    pub frame_rate_hz: Vec<f64>,
    /// With this, burst n begins at n frame periods of this rate and must end one period later; above 0 and at most 100000 Hz.
    pub deadline_hz: Option<f64>,
}

impl Default for Burst {
    fn default() -> Self {
        Self {
            transfers: 8,
            length_bytes: 4_400_000,
            lengths_bytes: Vec::new(),
            direction: Direction::C2h,
            offsets_bytes: vec![0],
            bursts: 1,
            frame_rate_hz: vec![120.0, 240.0],
            deadline_hz: None,
        }
    }
}

/// Entry `index` of a list that is repeated without end.
fn in_turn(list: &[u64], index: u32) -> Option<u64> {
    let place = (index as usize).checked_rem(list.len())?;
    list.get(place).copied()
}

impl Burst {
    /// Where transfer `index` of a burst begins within its buffer, in bytes.
    pub fn offset_bytes(&self, index: u32) -> u64 {
        in_turn(&self.offsets_bytes, index).unwrap_or(0)
    }

    /// Length of transfer `index` of a burst, in bytes.
    pub fn length_of(&self, index: u32) -> u64 {
        in_turn(&self.lengths_bytes, index).unwrap_or(self.length_bytes)
    }

    /// Length of the longest transfer, in bytes.
    pub fn longest_bytes(&self) -> u64 {
        let lengths = self.lengths_bytes.iter().copied();
        lengths.max().unwrap_or(self.length_bytes)
    }

    /// Bytes of the transfers of a burst that come before transfer `index`; of all with the number of transfers.
    pub fn bytes_before(&self, index: u32) -> u64 {
        (0..index).fold(0, |sum, i| sum.saturating_add(self.length_of(i)))
    }

    /// Whether transfer `index` of a burst goes from the card to the host.
    pub fn is_c2h(&self, index: u32) -> bool {
        match self.direction {
            Direction::C2h => true,
            Direction::H2c => false,
            Direction::Both => index.is_multiple_of(2),
        }
    }
}

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Card to host: memory writes.
    C2h,
    /// Host to card: memory reads.
    H2c,
    /// In turn, beginning with card to host.
    Both,
}

/// The bytes that travel; each is checked where it arrives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Payload {
    /// Seed of a random pattern. Left out: the scenario's seed. Not together with `file`.
    pub pattern_seed: Option<u64>,
    /// A file whose bytes are taken in turn, relative to this file. Not together with `pattern_seed`.
    pub file: Option<PathBuf>,
}

/// The user logic's AXI4-Stream sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// Share of clock cycles in which the source offers a beat, 1 to 100 %.
    pub c2h_valid_percent: u32,
    /// Share of clock cycles in which the sink takes a beat, 1 to 100 %.
    pub h2c_ready_percent: u32,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            c2h_valid_percent: 100,
            h2c_ready_percent: 100,
        }
    }
}

/// What one strategy must reach. What is left out is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// Set-up per transfer at most this long, in nanoseconds.
    pub max_setup_ns: Option<f64>,
    /// Set-up per transfer at most this part of that of `per-transfer`, 0 to 1.
    pub max_setup_share: Option<f64>,
    /// Burst at most this long, in nanoseconds.
    pub max_burst_ns: Option<f64>,
    /// Payload over (time x link ceiling) at least this, 0 to 1.
    pub min_efficiency: Option<f64>,
    /// Part of the set-up of all transfers but the first that passes behind running transfers, at least this, 0 to 1.
    pub min_hidden_setup: Option<f64>,
    /// The same, at most this: for scenarios that are to show what cannot be hidden.
    pub max_hidden_setup: Option<f64>,
    /// MMIO writes per transfer at most this many.
    pub max_mmio_writes: Option<f64>,
    /// MMIO reads per transfer at most this many.
    pub max_mmio_reads: Option<f64>,
    /// Interrupts per transfer at most this many.
    pub max_interrupts: Option<f64>,
    /// Device cycles in which data waited for a list, between queued transfers or within one, at most this many.
    pub max_list_wait_cycles: Option<u64>,
    /// Bursts that miss their deadline at most this many (with `deadline_hz`).
    pub max_missed_deadlines: Option<u64>,
}
