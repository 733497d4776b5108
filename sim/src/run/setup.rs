//! From a scenario to a running device with registered buffers.

use std::ops::Range;

use pinring_core::{
    AdminError, BufferId, Config, Device, DeviceFault, Moderation, Notify, OpenError, Permissions,
    Platform, QueueConfig, QueueHandle, RegionHandle, RegisterError, StartError, Tier, TierPolicy,
};
use pinring_hdl::shim::uscale_plus;
use pinring_protocol::Direction;
use pinring_protocol::limits::VECTORS;
use pinring_protocol::registers::aperture;

use super::Options;
use super::bench::{pass, redeem};
use crate::board::{Board, MachineError};
use crate::device::{Gateware, GatewareError, Streams};
use crate::host::{
    AllocError, Host, Iommu, Layout, LayoutError, MapRegisters, Mapping, PAGE_BYTES, PageAllocator,
    Payload, PayloadError, PhysicalMemory,
};
use crate::link::{CompletionOrder, ConfigError, Generation, Link, LinkConfig};
use crate::machine::Machine;
use crate::platform::SimPlatform;
use crate::scenario::{self, HardIp, IommuMode, LayoutKind, Scenario, Strategy};

/// Protection domain of the application.
pub const DOMAIN: u32 = 1;

/// Physical address bits of the host.
const ADDRESS_BITS: u32 = 46;

/// Where interrupt messages go on x86.
const INTERRUPT_ADDRESS: u64 = 0xfee0_0000;

/// How long a device may take to start and a command to complete, in nanoseconds of virtual time.
pub(super) const PATIENCE_NS: u64 = 50_000_000;

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The link cannot be.
    #[error("the link: {0}")]
    Link(#[from] ConfigError),
    /// The model of the device could not be built.
    #[error(transparent)]
    Gateware(#[from] GatewareError),
    /// A layout is wrong.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Layouts overlap or do not fit.
    #[error(transparent)]
    Pages(#[from] AllocError),
    /// The payload file.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// There are only ten captured layouts of 70 MB.
    #[error(
        "layout = \"captured\" has {available} buffers of up to {bytes} bytes; buffer {wanted} of {asked} bytes does not fit: use \"shuffled\" or files of your own"
    )]
    Captured {
        /// Layouts that ship.
        available: usize,
        /// Bytes of the smallest.
        bytes: u64,
        /// The buffer that does not fit, counted from 1.
        wanted: u32,
        /// Its size.
        asked: u64,
    },
    /// Fewer layout files than buffers, or one too small.
    #[error(
        "buffer {0} has no layout file of its size: give one per buffer in buffers.layout_files"
    )]
    Files(u32),
    /// The driver refused the device.
    #[error("opening the device: {0}")]
    Open(#[from] OpenError),
    /// The device did not start.
    #[error("starting the device: {0}")]
    Start(#[from] StartError),
    /// An admin command failed.
    #[error("creating a queue: {0}")]
    Admin(#[from] AdminError),
    /// An admin completion made no sense.
    #[error("the admin queue: {0}")]
    Fault(#[from] DeviceFault),
    /// A buffer could not be registered.
    #[error("registering buffer {index}: {cause}")]
    Register {
        /// The buffer, counted from 0.
        index: u32,
        /// Why.
        cause: RegisterError,
    },
    /// The machine stopped.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// An admin command was not answered.
    #[error("an admin command was not completed within {} ms", PATIENCE_NS / 1_000_000)]
    NoAnswer,
}

/// A queue, and where its rings are on the bus.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The driver's handle.
    pub handle: QueueHandle,
    /// Which way it moves data.
    pub direction: Direction,
    /// MSI-X vector.
    pub vector: u32,
    /// Submission ring, completion ring.
    pub rings: Vec<Range<u64>>,
}

/// A device that serves, with its queues and the application's buffers: what a run, or a test of one's own, drives.
pub struct Bench {
    /// The driver, on the simulated host.
    pub device: Device<SimPlatform>,
    /// One for each direction that the scenario uses.
    pub queues: Vec<Queue>,
    /// Entries of each ring.
    pub window: u32,
    /// The application's buffers, locked and registered.
    pub regions: Vec<(BufferId, RegionHandle)>,
    /// The bytes that travel.
    pub payload: Payload,
}

/// The scenario's link, as the model takes it.
pub fn link_config(scenario: &Scenario) -> LinkConfig {
    let link = &scenario.link;
    let base = LinkConfig::default();
    // Completion space of the device's hard IP. The gateware reserves 9 headers and 33 units for a read of 512 bytes (RCB 64): of 512 headers, 56 reads.
    let (hard_ip, completion_headers, completion_data) = match scenario.device.hard_ip {
        HardIp::None => (None, 512, 2048),
        HardIp::UscalePlus => (
            Some(crate::link::HardIp::UscalePlus),
            uscale_plus::CPL_HEADERS as u32,
            uscale_plus::CPL_DATA as u32,
        ),
    };
    LinkConfig {
        generation: Generation::from_number(link.generation as u8).unwrap_or(base.generation),
        lanes: link.lanes as u8,
        mps: link.mps_bytes as u16,
        mrrs: link.mrrs_bytes as u16,
        transmit_queue_bytes: base.transmit_queue_bytes.max(link.mps_bytes as usize + 24),
        rcb: link.rcb_bytes as u16,
        width_bytes: scenario.device.width_bits as usize / 8,
        one_way_ps: link.one_way_latency_ns * 1000,
        turnaround_ps: link.root_complex_ns * 1000,
        turnaround_jitter_ps: link.jitter_ns * 1000,
        max_completion_payload: link.completion_payload_bytes() as u16,
        completion_order: if link.reorder {
            CompletionOrder::Interleaved { window: 16 }
        } else {
            CompletionOrder::InOrder
        },
        random_split: link.random_split,
        device_tags: if link.extended_tags { 256 } else { 32 },
        hard_ip,
        completion_headers,
        completion_data,
        seed: scenario.seed,
        ..base
    }
}

/// The scenario's card in its slot, and the bytes that travel through it.
pub(crate) fn board(
    scenario: &Scenario,
    strategy: Strategy,
    options: &Options,
) -> Result<(Board, Payload), SetupError> {
    let payload = match (&scenario.payload.file, scenario.payload.pattern_seed) {
        (Some(file), _) => Payload::from_file(file)?,
        (None, seed) => Payload::Pattern {
            seed: seed.unwrap_or(scenario.seed),
        },
    };
    let board = board_of(scenario, strategy, options, &payload)?;
    Ok((board, payload))
}

/// The scenario's card, whose user logic sends and expects this payload.
pub(crate) fn board_of(
    scenario: &Scenario,
    strategy: Strategy,
    options: &Options,
    payload: &Payload,
) -> Result<Board, SetupError> {
    let config = link_config(scenario);
    // Each strategy runs on a machine of its own, and has a trace of its own.
    let trace = options
        .trace
        .as_ref()
        .map(|path| match scenario.strategies.as_slice() {
            [_] => path.clone(),
            _ => path.with_extension(format!("{strategy}.vcd")),
        });
    let gateware = Gateware::new(
        &options.tools,
        scenario.device.config.into(),
        &config,
        scenario.device.clock_mhz,
        scenario.device.core_clock_mhz,
        trace.as_deref(),
    )?;
    let streams = Streams::new(
        config.width_bytes,
        payload.clone(),
        scenario.stream.c2h_valid_percent,
        scenario.stream.h2c_ready_percent,
        scenario.seed,
    );
    let period_ps = 1_000_000 / u64::from(scenario.device.clock_mhz.max(1));
    Ok(Board::new(gateware, Link::new(config)?, streams, period_ps))
}

pub(super) fn prepare(
    scenario: &Scenario,
    strategy: Strategy,
    options: &Options,
    regions: u32,
    log: &mut Vec<String>,
) -> Result<Bench, SetupError> {
    let (board, payload) = board(scenario, strategy, options)?;
    let mut pages = PageAllocator::new(1 << ADDRESS_BITS);
    let layouts = layouts(scenario)?;
    for layout in &layouts {
        pages.claim(layout)?;
    }
    let mapping = match scenario.host.iommu {
        IommuMode::Off => Mapping::Identity,
        IommuMode::Remap => Mapping::Remapping(Iommu::new(1 << 30)),
        IommuMode::Bounce => {
            let registers = 1 << 16;
            let pool = pages.common_buffer(u64::from(registers) * PAGE_BYTES, 0..1 << 32)?;
            Mapping::Bounce(MapRegisters::new(pool.physical, registers, (1 << 32) - 1))
        }
    };
    let mut host = Host::new(PhysicalMemory::new(ADDRESS_BITS), mapping);
    host.check_grants = true;
    let machine = Machine::new(board, host, pages);
    let transfers = scenario.burst.transfers;
    let mut platform = SimPlatform::new(machine);
    platform.set_write_combining(scenario.host.write_combining, scenario.seed);
    let mut device = Device::open(
        platform,
        Config {
            regions: (scenario.buffers.count + 4 * transfers + 64 + regions)
                .next_power_of_two()
                .min(65_536),
            lists: transfers.clamp(8, 64),
            list_length: scenario.burst.longest_bytes() + PAGE_BYTES,
            ..Config::default()
        },
    )?;
    let ready = bring_up(&mut device, scenario, strategy, layouts);
    if ready.is_err() {
        log.extend(super::log::take(&mut device, options.tools.elf.as_deref()));
    }
    let (queues, regions, window) = ready?;
    Ok(Bench {
        device,
        queues,
        window,
        regions,
        payload,
    })
}

/// Queues, the application's regions, and the entries of each ring.
type Ready = (Vec<Queue>, Vec<(BufferId, RegionHandle)>, u32);

/// Starts the device, creates its queues and registers the buffers.
fn bring_up(
    device: &mut Device<SimPlatform>,
    scenario: &Scenario,
    strategy: Strategy,
    layouts: Vec<Layout>,
) -> Result<Ready, SetupError> {
    let transfers = scenario.burst.transfers;
    program_vectors(device);
    while !device.poll_start(PATIENCE_NS)? {
        pass(device, 20_000_000)?;
    }
    let window = transfers.next_power_of_two().clamp(16, 4096);
    let mut queues = Vec::new();
    for (direction, vector) in [(Direction::C2h, 1), (Direction::H2c, 2)] {
        let c2h = direction == Direction::C2h;
        if !(0..transfers.min(2)).any(|i| scenario.burst.is_c2h(i) == c2h) {
            continue;
        }
        let before = device.platform_mut().allocated().len();
        let (handle, ticket) = device.create_queue(QueueConfig {
            direction,
            domain: DOMAIN,
            entries: window,
            vector,
            tdest_first: 0,
            tdest_last: 0,
            notify: notify(scenario),
        })?;
        redeem(device, ticket)?;
        let rings = device.platform_mut().allocated()[before..].to_vec();
        queues.push(Queue {
            handle,
            direction,
            vector: u32::from(vector),
            rings,
        });
    }
    let platform = device.platform_mut();
    platform.machine.link.own = platform.allocated().to_vec();
    let policy = match strategy {
        Strategy::Registered => TierPolicy {
            first: Tier::Bypass,
            last: Tier::MappedOnce,
        },
        Strategy::PerTransfer | Strategy::PrepareAhead => TierPolicy::exactly(Tier::PerTransfer),
        Strategy::CommonBuffer => TierPolicy::exactly(Tier::CommonBuffer),
    };
    // Buffers that no transfer uses are registered all the same, but for the driver's own memory.
    let used = match strategy {
        Strategy::CommonBuffer => scenario
            .buffers
            .count
            .min(transfers.saturating_mul(scenario.burst.bursts)),
        _ => scenario.buffers.count,
    };
    let first = scenario.buffers.first_byte_offset_bytes as u16;
    let mut regions = Vec::new();
    for (index, layout) in (0..).zip(layouts).take(used as usize) {
        let buffer = device
            .platform_mut()
            .lock(layout, first, scenario.buffers.bytes);
        let region = device
            .register(buffer, Permissions::BOTH, DOMAIN, policy)
            .map_err(|cause| SetupError::Register { index, cause })?;
        regions.push((buffer, region));
    }
    // Buffers are registered at start-up. By the first burst the firmware has long done what followed the queues' creation.
    for _ in 0..PATIENCE_NS / 20_000 {
        if device.platform_mut().machine.is_quiet() {
            break;
        }
        pass(device, 20_000_000)?;
    }
    Ok((queues, regions, window))
}

/// How the driver learns of completions.
fn notify(scenario: &Scenario) -> Notify {
    match scenario.host.notify {
        scenario::Notify::Poll => Notify::Poll,
        scenario::Notify::Interrupt => Notify::Interrupt(Moderation {
            count: scenario.host.moderation_count as u16,
            time_us: scenario.host.moderation_us,
        }),
    }
}

/// What the operating system does for MSI-X: each vector's address and data, unmasked (PCIe Base Spec 5.0, 7.7.2).
pub(super) fn program_vectors(device: &mut Device<SimPlatform>) {
    let table = aperture::MSIX_TABLE;
    for vector in 0..VECTORS as u32 {
        let entry = table + 16 * vector;
        let platform = device.platform_mut();
        platform.mmio_write64(entry, INTERRUPT_ADDRESS);
        platform.mmio_write32(entry + 8, vector);
        platform.mmio_write32(entry + 12, 0);
    }
}

/// One layout per buffer.
pub(crate) fn layouts(scenario: &Scenario) -> Result<Vec<Layout>, SetupError> {
    const CAPTURED: [&str; 10] = [
        include_str!("../../layouts/buffer-0.layout"),
        include_str!("../../layouts/buffer-1.layout"),
        include_str!("../../layouts/buffer-2.layout"),
        include_str!("../../layouts/buffer-3.layout"),
        include_str!("../../layouts/buffer-4.layout"),
        include_str!("../../layouts/buffer-5.layout"),
        include_str!("../../layouts/buffer-6.layout"),
        include_str!("../../layouts/buffer-7.layout"),
        include_str!("../../layouts/buffer-8.layout"),
        include_str!("../../layouts/buffer-9.layout"),
    ];
    /// Buffers of one kind follow each other from here, above 4 GiB.
    const BASE_PFN: u64 = 1 << 21;
    let buffers = &scenario.buffers;
    let wanted = u64::from(buffers.first_byte_offset_bytes) + buffers.bytes;
    let pages = wanted.div_ceil(PAGE_BYTES);
    (0..buffers.count)
        .map(|index| {
            let seed = scenario.seed.wrapping_add(u64::from(index));
            let base = BASE_PFN + u64::from(index) * pages.next_multiple_of(512);
            let name = format!("buffer {index}");
            Ok(match buffers.layout {
                LayoutKind::Captured => {
                    let layout = match CAPTURED.get(index as usize) {
                        Some(text) => Some(Layout::parse(&format!("captured {name}"), text)?),
                        None => None,
                    };
                    layout.filter(|layout| layout.bytes() >= wanted).ok_or(
                        SetupError::Captured {
                            available: CAPTURED.len(),
                            bytes: 73_400_320,
                            wanted: index + 1,
                            asked: wanted,
                        },
                    )?
                }
                LayoutKind::Shuffled => Layout::shuffled(base, pages, seed)?.named(&name),
                LayoutKind::Contiguous => Layout::contiguous(base, pages)?.named(&name),
                LayoutKind::Huge => Layout::huge(base, pages.div_ceil(512), seed)?.named(&name),
                LayoutKind::Files => {
                    let file = buffers
                        .layout_files
                        .get(index as usize)
                        .ok_or(SetupError::Files(index))?;
                    let layout = Layout::load(file)?;
                    if layout.bytes() < wanted {
                        return Err(SetupError::Files(index));
                    }
                    layout
                }
            })
        })
        .collect()
}
