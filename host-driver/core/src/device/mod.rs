//! One device: opening, starting, resetting and closing; the shell's other calls are in the modules below.

mod commands;
mod memory;
mod transfers;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, Ordering};

use pinring_protocol::describe::Register;
use pinring_protocol::limits::{ADMIN_QUEUE, MAX_RING_LOG2, PAGE};
use pinring_protocol::registers::{self, AdminSize, Control, LogData};
use pinring_protocol::ring::RingSize;
use pinring_protocol::{Direction, RegionEntry, Status};

use crate::admin::{AdminQueue, Command, Purpose};
use crate::memory::reserve;
use crate::pool::TablePool;
use crate::queue::{Queue, QueueState};
use crate::region::{RegionTable, SlotState};
use crate::request::{Backing, Kind};
use crate::start::{Health, health};
use crate::{
    AdminError, AdminEvent, BufferId, Capabilities, Completion, CopyDirection, CopyError, CopySpan,
    DeviceFault, DmaError, DmaMemory, OpenError, Permissions, Platform, QueueConfig, QueueError,
    QueueHandle, QueueRequest, RegionHandle, RegionInfo, RegisterError, Request, Retired,
    StartError, StateError, SubmitError, Ticket, TierPolicy, Transfer, TransferError, sg,
};

/// What a device is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Regions and lists that may exist at a time; 64 bytes of host memory each.
    pub regions: u32,
    /// Entries of the admin rings: a power of two from 16 to 32768.
    pub admin_entries: u32,
    /// MSI-X vector of the admin queue.
    pub admin_vector: u16,
    /// Lists for single transfers whose memory is set aside.
    pub lists: u32,
    /// Largest transfer that a list is prepared for, in bytes.
    pub list_length: u64,
}

impl Default for Config {
    /// 1024 regions, 32 admin entries, vector 0, and 16 lists of up to 8 MiB.
    fn default() -> Self {
        Self {
            regions: 1024,
            admin_entries: 32,
            admin_vector: 0,
            lists: 16,
            list_length: 8 << 20,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// CONTROL.reset was written and has not read back as 0.
    Resetting,
    /// The reset is over; nothing was told to the device yet.
    Quiet,
    /// Enabled, not yet serving.
    Starting,
    Running,
    Closed,
}

/// A queue id and what lives there.
#[derive(Debug, Default)]
struct QueuePlace {
    generation: u16,
    queue: Option<Queue>,
}

/// One device. See [the crate](crate) for how it is used.
#[derive(Debug)]
pub struct Device<P: Platform> {
    platform: P,
    config: Config,
    capabilities: Capabilities,
    phase: Phase,
    admin: AdminQueue,
    regions: RegionTable,
    pool: TablePool,
    /// By queue id; the admin queue's place stays empty.
    queues: Vec<QueuePlace>,
    events: VecDeque<AdminEvent>,
    /// Queues to create again when a reset is over.
    recreate: Vec<Command>,
    /// Where `next_remains` goes on in the region table.
    remains_from: u32,
    /// How much of region table and admin rings `next_remains` has given.
    own_given: usize,
}

/// What is kept in the host's own memory, with room for all that may come.
struct HostLists {
    regions: RegionTable,
    queues: Vec<QueuePlace>,
    events: VecDeque<AdminEvent>,
    recreate: Vec<Command>,
}

impl HostLists {
    fn new(
        config: &Config,
        capabilities: &Capabilities,
        table: DmaMemory,
        tag: u16,
    ) -> Result<Self, DmaError> {
        let count = usize::from(capabilities.queues);
        let mut queues = reserve(count)?;
        queues.extend((0..count).map(|_| QueuePlace::default()));
        Ok(Self {
            regions: RegionTable::new(table, config.regions, tag)?,
            queues,
            // A command has one event, and a reset gives each queue one more.
            events: reserve(config.admin_entries as usize + count)?.into(),
            recreate: reserve(count)?,
        })
    }
}

/// Tags handles with the device that gave them.
static NEXT_TAG: AtomicU16 = AtomicU16::new(1);

impl<P: Platform> Device<P> {
    /// Checks that a device of this driver's protocol is there, allocates rings and tables, and resets the device;
    /// [`poll_start`](Self::poll_start) goes on.
    ///
    /// # Errors
    /// Another device or layout, an impossible configuration, or no memory; nothing is kept.
    pub fn open(mut platform: P, config: Config) -> Result<Self, OpenError> {
        let capabilities = Capabilities::read(&mut platform)?;
        let admin_size = ring_size(config.admin_entries).filter(|size| size.log2() >= 4);
        let admin_size = admin_size.ok_or(OpenError::Config(
            "the admin rings have a power of two from 16 to 32768 entries",
        ))?;
        if config.regions == 0 || config.regions > capabilities.max_regions {
            return Err(OpenError::Config(
                "regions must be 1 to the device's MAX_REGIONS",
            ));
        }
        if config.admin_vector >= capabilities.vectors {
            return Err(OpenError::Config(
                "the admin vector must be one of the device's",
            ));
        }
        let mut admin = AdminQueue::new(
            &mut platform,
            capabilities.doorbell(ADMIN_QUEUE),
            admin_size,
        )?;
        let table = platform
            .dma_alloc(config.regions as usize * RegionEntry::BYTES, PAGE)
            .and_then(|table| {
                let bytes = sg::worst_case_bytes(config.list_length);
                match TablePool::new(&mut platform, config.lists as usize, bytes) {
                    Ok(pool) => Ok((table, pool)),
                    Err(error) => {
                        platform.dma_free(table);
                        Err(error)
                    }
                }
            });
        let (table, pool) = match table {
            Ok(memory) => memory,
            Err(error) => {
                admin.rings.free(&mut platform);
                return Err(error.into());
            }
        };
        let tag = NEXT_TAG.fetch_add(1, Ordering::Relaxed);
        let lists = HostLists::new(&config, &capabilities, table, tag);
        let HostLists {
            regions,
            queues,
            events,
            recreate,
        } = match lists {
            Ok(lists) => lists,
            Err(error) => {
                let mut pool = pool;
                pool.release(&mut platform);
                platform.dma_free(table);
                admin.rings.free(&mut platform);
                return Err(error.into());
            }
        };
        admin.restart(&mut platform);
        let mut device = Self {
            platform,
            config,
            capabilities,
            phase: Phase::Closed,
            admin,
            regions,
            pool,
            queues,
            events,
            recreate,
            remains_from: 0,
            own_given: 0,
        };
        device.begin_reset();
        Ok(device)
    }

    /// Goes on with a start or reset; true once the device serves. Call it again, after a pause, while it returns false. Reads one to three registers.
    ///
    /// # Errors
    /// `deadline_ns`, on the platform's clock, has passed, or the device reports that it will not come up.
    pub fn poll_start(&mut self, deadline_ns: u64) -> Result<bool, StartError> {
        if !self.poll_reset(deadline_ns)? {
            return Ok(false);
        }
        if self.phase == Phase::Quiet {
            self.program();
            self.phase = Phase::Starting;
        }
        if self.phase == Phase::Starting {
            if health(&mut self.platform)? != Health::Serving {
                return self.not_yet(deadline_ns, "STATUS ready with the firmware running");
            }
            self.phase = Phase::Running;
            while let Some(command) = self.recreate.pop() {
                self.send_create(command);
            }
        }
        if self.phase == Phase::Closed {
            Err(StateError::Closed.into())
        } else {
            Ok(true)
        }
    }

    /// Goes on with a reset, to its end and no further: true once the device has let go of everything. It stays silent until
    /// [`poll_start`](Self::poll_start): for a host that goes to sleep.
    ///
    /// # Errors
    /// `deadline_ns`, on the platform's clock, has passed, or the device is gone.
    pub fn poll_reset(&mut self, deadline_ns: u64) -> Result<bool, StartError> {
        if self.phase == Phase::Resetting {
            let control = self.platform.mmio_read32(registers::CONTROL.offset);
            if control == u32::MAX {
                return Err(StartError::Gone);
            }
            if Control::from_raw(control).reset() {
                return self.not_yet(deadline_ns, "the end of the reset");
            }
            self.settle_all();
            self.phase = Phase::Quiet;
        }
        if self.phase == Phase::Closed {
            Err(StateError::Closed.into())
        } else {
            Ok(true)
        }
    }

    fn not_yet(&mut self, deadline_ns: u64, waiting_for: &'static str) -> Result<bool, StartError> {
        if self.platform.now_ns() < deadline_ns {
            return Ok(false);
        }
        let status = self.platform.mmio_read32(registers::STATUS.offset);
        Err(StartError::TimedOut {
            waiting_for,
            status,
        })
    }

    /// Whether a running device still serves, or will again by itself: for a timer, as a device that stopped sends no interrupt. Reads one register
    /// while it serves.
    ///
    /// # Errors
    /// Why it stopped.
    pub fn check_health(&mut self) -> Result<(), StartError> {
        self.running()?;
        match health(&mut self.platform)? {
            Health::Serving | Health::Restarting => Ok(()),
            Health::NotServing => Err(StateError::NotRunning.into()),
        }
    }

    /// Resets the device; [`poll_start`](Self::poll_start) goes on. When it is over, everything that was in flight is reaped once as aborted, admin
    /// commands in flight have ended, regions are as before, and the queues are being created again: each gets an admin event.
    ///
    /// # Errors
    /// The device is closed.
    pub fn reset(&mut self) -> Result<(), StateError> {
        if self.phase == Phase::Closed {
            return Err(StateError::Closed);
        }
        self.begin_reset();
        Ok(())
    }

    fn begin_reset(&mut self) {
        self.platform.mmio_write32(
            registers::CONTROL.offset,
            Control::new().with_reset(true).raw(),
        );
        self.phase = Phase::Resetting;
    }

    /// Takes Bus Master Enable away and then unmaps and frees everything: at the end, or when the device is gone. Completions are still reaped, as
    /// aborted. PASSIVE_LEVEL on Windows.
    ///
    /// # Errors
    /// The device may still write, so that nothing was freed; or it is closed already.
    pub fn close(&mut self) -> Result<(), StateError> {
        self.shut()?;
        for at in 0..self.events.len() {
            if let Some(retired) = self.events[at].retired.take() {
                self.settle(retired);
            }
        }
        while let Some(mut retired) = self.next_remains() {
            retired.release(&mut self.platform);
        }
        Ok(())
    }

    /// The short first part of [`close`](Self::close): takes Bus Master Enable away and settles what was in flight. Then release what
    /// [`next_remains`](Self::next_remains) gives, and what the events of [`poll_admin`](Self::poll_admin) hold.
    ///
    /// # Errors
    /// The device may still write; or it is closed already.
    pub fn shut(&mut self) -> Result<(), StateError> {
        if self.phase == Phase::Closed {
            return Err(StateError::Closed);
        }
        if !self.platform.disable_bus_master() {
            return Err(StateError::BusMasterStuck);
        }
        self.phase = Phase::Closed;
        self.settle_all();
        self.recreate.clear();
        for place in &mut self.queues {
            if let Some(queue) = &mut place.queue {
                queue.state = QueueState::Gone;
            }
        }
        Ok(())
    }

    /// After [`shut`](Self::shut), the next thing that is still mapped or allocated: release it. `None` at the end, and at any other time.
    pub fn next_remains(&mut self) -> Option<Retired> {
        if self.phase != Phase::Closed {
            return None;
        }
        let rings = |queue: &mut Queue| queue.rings.take();
        let mut queues = self
            .queues
            .iter_mut()
            .filter_map(|place| place.queue.as_mut());
        if let Some(rings) = queues.find_map(rings) {
            return Some(Retired {
                backing: Backing::default(),
                rings: Some(rings),
            });
        }
        if let Some(id) = self.regions.first_from(self.remains_from) {
            self.remains_from = id + 1;
            let mut backing = self.regions.remove(id);
            backing.pooled = false;
            return Some(Retired {
                backing,
                rings: None,
            });
        }
        if let Some(table) = self.pool.take_any() {
            return Some(Retired::of(table));
        }
        let [submission, completion] = self.admin.rings.memory();
        let own = [self.regions.memory(), submission, completion];
        let memory = own.get(self.own_given).copied()?;
        self.own_given += 1;
        Some(Retired::of(memory))
    }

    /// The device has forgotten everything: settles transfers and commands.
    fn settle_all(&mut self) {
        for place in &mut self.queues {
            if let Some(queue) = &mut place.queue {
                queue.park(&mut self.platform, &mut self.regions);
            }
        }
        while let Some(command) = self.admin.abandon() {
            match command.purpose {
                Purpose::CreateQueue(_) | Purpose::CancelQueue(_) => self.recreate.push(command),
                Purpose::ReadLog => self.end(
                    command.ticket,
                    Err(AdminError::Refused(Status::Aborted)),
                    None,
                ),
                _ => self.succeed(command),
            }
        }
        self.admin.restart(&mut self.platform);
        for id in 0..self.queues.len() as u16 {
            let Some(queue) = &mut self.queues[usize::from(id)].queue else {
                continue;
            };
            let Some(rings) = &mut queue.rings else {
                continue;
            };
            rings.restart(&mut self.platform);
            queue.state = QueueState::Creating;
            if !self
                .recreate
                .iter()
                .any(|command| queue_of(command.purpose) == Some(id))
            {
                let ticket = self.admin.ticket();
                self.recreate.push(Command {
                    ticket,
                    purpose: Purpose::CreateQueue(id),
                });
            }
        }
    }

    /// Tells the device where rings and tables are, and enables it.
    fn program(&mut self) {
        let (submission, completion) = self.admin.rings.addresses();
        let log2 = self.admin.rings.size().log2();
        let size = AdminSize::new()
            .with_sq_log2(log2)
            .with_cq_log2(log2)
            .with_vector(self.config.admin_vector);
        let platform = &mut self.platform;
        platform.mmio_write64(registers::ADMIN_SQ.offset, submission);
        platform.mmio_write64(registers::ADMIN_CQ.offset, completion);
        platform.mmio_write32(registers::ADMIN_SIZE.offset, size.raw());
        platform.mmio_write64(
            registers::REGION_TABLE.offset,
            self.regions.memory().bus_address,
        );
        platform.mmio_write32(registers::REGION_COUNT.offset, self.regions.count());
        platform.write_barrier();
        platform.mmio_write32(
            registers::CONTROL.offset,
            Control::new().with_enable(true).raw(),
        );
    }

    #[inline]
    fn running(&self) -> Result<(), StateError> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Closed => Err(StateError::Closed),
            _ => Err(StateError::NotRunning),
        }
    }

    /// What the device can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The platform, for the long work of [`Request::build`] and [`Retired::release`].
    pub fn platform_mut(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Reads a register, for reports and diagnosis; an MMIO read, about a microsecond.
    pub fn read_register(&mut self, register: &Register) -> u64 {
        match register.width {
            64 => self.platform.mmio_read64(register.offset),
            _ => self.platform.mmio_read32(register.offset).into(),
        }
    }

    /// Takes bytes of the firmware's defmt log; returns how many there were. One MMIO read each.
    pub fn take_log(&mut self, bytes: &mut [u8]) -> usize {
        for (count, byte) in bytes.iter_mut().enumerate() {
            let raw = self.platform.mmio_read32(registers::LOG_DATA.offset);
            let data = LogData::from_raw(raw);
            if raw == u32::MAX || !data.valid() {
                return count;
            }
            *byte = data.byte();
        }
        bytes.len()
    }
}

#[inline]
fn find(queues: &mut [QueuePlace], handle: QueueHandle) -> Result<&mut Queue, QueueError> {
    queues
        .get_mut(usize::from(handle.id))
        .and_then(|place| place.queue.as_mut())
        .filter(|queue| queue.handle == handle)
        .ok_or(QueueError::Stale(handle))
}

fn queue_of(purpose: Purpose) -> Option<u16> {
    match purpose {
        Purpose::CreateQueue(id) | Purpose::CancelQueue(id) => Some(id),
        _ => None,
    }
}

fn ring_size(entries: u32) -> Option<RingSize> {
    if !entries.is_power_of_two() || entries.ilog2() > MAX_RING_LOG2.into() {
        return None;
    }
    RingSize::new(entries.ilog2() as u8).ok()
}
