//! The bench: what the running chain (driver core, firmware, gateware, link) reaches, under stated conditions.
//!
//! Every figure comes out of a run; beside it stands the limit that follows from the link model. A [`Measurement`] has a name
//! and jobs; a [`Job`] gives [`Row`]s. `cargo xtask bench` runs them, prints tables, JSON and `docs/benchmarks.md`.

mod burst;
mod conditions;
mod docs;
mod efficiency;
mod first_byte;
mod host_cost;
mod moderation;
mod peers;
mod plots;
mod probe;
mod regions;
mod repeat;
mod row;
mod runs;
mod small;
mod speed;
mod table;
mod targets;
mod work;

use std::path::PathBuf;

pub use burst::{Calibration, calibration};
pub use conditions::{Limit, PORTS, Port, Setting, X4, X8, X16};
pub use docs::document;
pub use host_cost::instructions;
pub use plots::plots;
pub use probe::{Context, Lane, Measured, Probe, ProbeError, Step};
pub use row::{Conditions, Row};
pub use runs::{earlier, ended};
pub use table::table;
pub use targets::{Verdict, verdicts};
pub use work::{Progress, work};

use crate::run::RunError;
use crate::scenario::ScenarioError;

/// Why a job gives no figures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain did not do what it was asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The same, with modelled CPUs.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Bytes arrived wrong.
    #[error("{0} payload bytes arrived wrong")]
    Wrong(u64),
    /// The other project's DMA, or what is around it.
    #[error("LitePCIe: {0}")]
    Peer(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The file of counted instructions.
    #[error("cannot use the counts in {}: {cause}; `cargo xtask bench` makes them anew", file.display())]
    Counts {
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
}

type Work = dyn Fn(&Context<'_>) -> Result<Vec<Row>, Error> + Send + Sync;

/// One run of a machine of its own.
pub struct Job {
    /// Name of the measurement.
    pub measurement: &'static str,
    /// What it is about, for progress and errors.
    pub label: String,
    /// About how long it takes, relative to others.
    weight: f64,
    /// Not beside other jobs.
    alone: bool,
    work: Box<Work>,
}

impl Job {
    fn new(
        measurement: &'static str,
        label: String,
        weight: f64,
        work: impl Fn(&Context<'_>) -> Result<Vec<Row>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            measurement,
            label,
            weight,
            alone: false,
            work: Box::new(work),
        }
    }

    fn alone(mut self) -> Self {
        self.alone = true;
        self
    }
}

/// Something that can be measured.
pub struct Measurement {
    /// Name: `--only NAME`.
    pub name: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What the figures mean.
    pub about: &'static str,
    /// Its runs, all of them or (quick) the fewest that say something.
    pub jobs: fn(quick: bool) -> Vec<Job>,
}

/// Everything that is measured, in the order of the document.
pub const ALL: &[Measurement] = &[
    Measurement {
        name: "efficiency",
        title: "Efficiency of a link",
        about: "Payload over time x ceiling, from the first doorbell to the last completion visible: three transfers behind one doorbell, shuffled 4 KiB \
                pages above 4 GiB, MPS 256, MRRS 512, RCB 64, 250 MHz; reads of rings and lists included. Both directions: the same bytes each way, and the \
                longer of the two ceiling times. `first` is a buffer's first transfer, `repeat` its second. An idle cycle is one in which link, credits and stream \
                could have gone on and the engine offered nothing; waiting for a list is counted apart (both are the gateware's own counters, both \
                directions added). H2C shows about one for each read: a slot that comes free is asked for one cycle later, which \
                costs nothing while other reads are out. `limit` is the highest efficiency that the link model allows, by the slowest of: wire up, \
                (1 + 24 / MPS) / rate for C2H, 24 / MRRS / rate more with H2C at the same time; wire down, (1 + 20 / completion) / rate; tags, \
                (round trip + a read's own time on the wire) / (read slots x min(MRRS, slot)); completion space and credits in the same way with their bytes in flight. What tags and completion space alone, or credits alone, allow \
                stands beside it, and may be above the ceiling. \
                It knows no reordering: a read that comes late keeps its slot.",
        jobs: efficiency::jobs,
    },
    Measurement {
        name: "first-byte",
        title: "First byte",
        about: "Device cycles from the arrival of a lone submission at the device to the first TLP (C2H: first data write, H2C: first data read) and to the first data. \
                By doorbell the device reads the entry first, which is one round trip; the inline slot (a write-combined BAR0 page) brings it along. \
                Cold: nothing of the region was ever used. Resident: its third transfer, the same bytes again.",
        jobs: first_byte::jobs,
    },
    Measurement {
        name: "small",
        title: "Small transfers on one queue",
        about: "Transfers of 4 KiB a second, places of one region in turn, after one time around. The limit is that of long transfers, in transfers.",
        jobs: small::jobs,
    },
    Measurement {
        name: "queues",
        title: "Queues that share a direction",
        about: "Transfers of 4 KiB on eight queues which all have entries waiting: how far the worst queue's share is from an eighth, relative to it, once the \
                first 128 transfers are over.",
        jobs: small::queue_jobs,
    },
    Measurement {
        name: "burst",
        title: "Bursts",
        about: "From the application's call (modelled CPUs, stated costs) to the last completion visible, strategy `registered`, over the payload's time at the ceiling; \
                the limit is that of long transfers, over the same time.",
        jobs: burst::jobs,
    },
    Measurement {
        name: "repeat",
        title: "A repeat transfer of any size",
        about: "One transfer with a doorbell of its own, of a whole buffer which an earlier transfer (of up to 8 MiB) has used, from its doorbell to its completion \
                visible. The limit is that of long transfers: a short one also waits for doorbell, round trip and completion.",
        jobs: repeat::jobs,
    },
    Measurement {
        name: "host-cost",
        title: "What a repeat transfer costs the host",
        about: "MMIO writes and reads of a repeat transfer, and calls of the operating system's memory manager (allocate, map, unmap, copy), from the co-simulation; 70 MiB and 2 GiB are submitted and not moved, as the host's part is over with \
                the doorbell. Instructions of one call of `submit` and of `reap` of the driver core, counted by callgrind.",
        jobs: host_cost::jobs,
    },
    Measurement {
        name: "moderation",
        title: "Interrupts, moderated and not, and polling",
        about: "A burst of 64 transfers of 4 KiB behind one call, strategy `registered`: interrupts and CPU time (service routine, DPC, polling; stated costs) per transfer, \
                and when the driver has learned of the first and of the last completion, from the application's call. Moderated: an interrupt with eight completions, \
                or 20 us after the first of fewer. Polling: the application looks every 500 ns, which is its CPU's whole time.",
        jobs: moderation::jobs,
    },
    Measurement {
        name: "regions",
        title: "Registered regions",
        about: "Transfers of 1 MiB, each in a region drawn at random from all that are registered; eight in flight, a doorbell each. Every region has its entry and its \
                table; their pages are those of 48 buffers.",
        jobs: regions::jobs,
    },
    Measurement {
        name: "calibration",
        title: "Calibration",
        about: "The scenario `calibration`: today's way with the costs that the project's first user measured at Gen3 x16. He reports 160 us of set-up, 360 us of \
                transfer, 44 % on top, and 1.28 ms for the eighth.",
        jobs: burst::calibration_jobs,
    },
    Measurement {
        name: "speed",
        title: "Speed of the simulation",
        about: "Device cycles per CPU second of the whole chain; idle time that is skipped counts neither as cycles nor as time.",
        jobs: speed::jobs,
    },
    Measurement {
        name: PEERS,
        title: "The same transfer with LitePCIe's DMA",
        about: "A repeat transfer from the first MMIO write of the host (host to card through a ring: from the first copy) to the last byte in its place, the same link, \
                width and list of shuffled 4 KiB pages; every byte checked. LitePCIe 2024.12 (PyPI), 8 reads in flight and tables of 256 descriptors as in its own systems, \
                in two ways. By MMIO: three register writes for every page, one every 50 ns, as long as the table has room, whose level the host knows for nothing. \
                Resident table: 256 buffers of 8 KiB that the table goes round over, and a copy between them and the application's buffer at 12 bytes a \
                nanosecond; host to card the first 32 are copied before the start. Card to host nothing stops it: where the copy is slower than the link, it overwrites what was \
                not copied yet, which is `lost`. In LitePCIe's favour its header insertion is left out (its TLPs have no beats for headers) \
                and the end is seen at once, without an interrupt. CPU: modelled time of register writes and \
                copies; Pinring's of the counted instructions of `submit` and one register write.",
        jobs: peers::jobs,
    },
];

/// The measurement that runs only when it is asked for.
pub const PEERS: &str = "peers";
