//! Scenario files: what one run of the co-simulation does, with every unit in the key's name.
//!
//! [`Scenario::load`] reads a TOML file. Every key may be left out; the defaults are the workload that started the
//! project ([`Scenario::default`], the same as `scenarios/default.toml`). Unknown keys, wrong types and impossible
//! values are errors that name file, line, key, value and what is allowed. `docs/scenarios.md` is generated from the
//! comments of these types.

mod check;
mod cost;
#[cfg(test)]
mod document;
mod error;
mod faults;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use cost::{Bound, Cost, Costs};
pub use error::{Problem, Problems, ScenarioError};
pub use faults::{Fault, FaultKind, FaultScope, FaultTarget};
pub use sections::{
    Buffers, Burst, Config, Device, Direction, Expectation, HardIp, Host, IommuMode, LayoutKind,
    Link, Notify, Payload, Stream, WriteCombining,
};

use error::Source;

/// One run: a device on a link in a host, a workload, and the strategies to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Name in reports. Left out or empty: the file's name without its ending.
    pub name: String,
    /// One or two sentences for the reader of the report.
    pub description: String,
    /// Seed of everything random: jitter, pre-emption, page layouts, payload. The same seed gives the same run.
    pub seed: u64,
    /// Strategies to run, one after another, in this order: `per-transfer` (map, transfer, unmap each time),
    /// `prepare-ahead` (the same lists, built while earlier transfers run), `registered` (list built once),
    /// `common-buffer` (one contiguous driver buffer and a copy).
    pub strategies: Vec<Strategy>,
    /// The device.
    pub device: Device,
    /// The PCIe link and the root complex behind it.
    pub link: Link,
    /// The host: CPUs, IOMMU, and what its operating system's calls cost.
    pub host: Host,
    /// The application's buffers.
    pub buffers: Buffers,
    /// The workload.
    pub burst: Burst,
    /// The bytes that travel.
    pub payload: Payload,
    /// The user logic's AXI4-Stream sides.
    pub stream: Stream,
    /// What goes wrong, one `[[faults]]` table each: see below.
    pub faults: Vec<Fault>,
    /// What a strategy must reach, by its name, as in `[expect.registered]`. A run that misses one fails.
    pub expect: BTreeMap<Strategy, Expectation>,
}

/// How the driver gets from a user's buffer to addresses that the device may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Map the pages and build the list for each transfer, before it starts.
    PerTransfer,
    /// The same, but for the next transfers while the present one runs.
    PrepareAhead,
    /// Map once at registration; a transfer is one queue entry.
    Registered,
    /// Transfer to or from one contiguous driver buffer, and copy.
    CommonBuffer,
}

impl Strategy {
    /// All strategies, in the order of reports.
    pub const ALL: [Self; 4] = [
        Self::PerTransfer,
        Self::PrepareAhead,
        Self::Registered,
        Self::CommonBuffer,
    ];

    /// Name in scenario files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerTransfer => "per-transfer",
            Self::PrepareAhead => "prepare-ahead",
            Self::Registered => "registered",
            Self::CommonBuffer => "common-buffer",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            seed: 1,
            strategies: Strategy::ALL.to_vec(),
            device: Device::default(),
            link: Link::default(),
            host: Host::default(),
            buffers: Buffers::default(),
            burst: Burst::default(),
            payload: Payload::default(),
            stream: Stream::default(),
            faults: Vec::new(),
            expect: BTreeMap::new(),
        }
    }
}

impl Scenario {
    /// The default workload on the narrow path: 128 bits at Gen3 x4, and 600 ns from a read to its completion.
    pub fn gen3_x4() -> Self {
        let mut scenario = Self::default();
        scenario.device.width_bits = 128;
        scenario.link.lanes = 4;
        scenario.link.one_way_latency_ns = 150;
        scenario.link.root_complex_ns = 300;
        scenario
    }

    /// Reads and checks a scenario file. File names inside it are relative to its folder; the result holds them joined.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if the file cannot be read; [`ScenarioError::Invalid`] with every problem found in it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let mut scenario = Self::parse(&path.display().to_string(), &text)?;
        if scenario.name.is_empty() {
            scenario.name = path
                .file_stem()
                .map(|s| s.to_string_lossy().into_owned())
                .unwrap_or_default();
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in scenario
            .buffers
            .layout_files
            .iter_mut()
            .chain(&mut scenario.payload.file)
        {
            *file = folder.join(&*file);
        }
        Ok(scenario)
    }

    /// Checks scenario text; `file` is the name that errors give it. File names inside it stay as they are.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with every problem found.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let source = Source::new(file, text);
        let scenario: Self = toml::from_str(text).map_err(|error| source.refused(&error))?;
        let mut check = check::Check::default();
        check.scenario(&scenario);
        source.judge(check.found)?;
        Ok(scenario)
    }
}
