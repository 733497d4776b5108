//! Registrations and lists on their way: the long part, which needs the platform but not the device.

use alloc::vec::Vec;

use pinring_protocol::Direction;
use pinring_protocol::limits::PAGE;
use pinring_protocol::ring::RingSize;

use crate::hint::HintIndex;
use crate::memory::reserve;
use crate::queue::{Queue, RingPair};
use crate::region::Registration;
use crate::{
    BufferId, DmaError, DmaMemory, MapError, Mapping, NotAvailable, Permissions, Platform,
    QueueConfig, RegionHandle, RegisterError, TableInfo, Tier, TierPolicy, sg,
};

/// A registration or a list that is being made.
///
/// [`Device::request_region`](crate::Device::request_region) or [`Device::request_list`](crate::Device::request_list) gives it,
/// [`build`](Self::build) does the long work without the device (so without its lock), and [`Device::install`](crate::Device::install)
/// takes it back, built or not. Until then the region of a list cannot be unregistered, as part of its buffer may be mapped.
#[derive(Debug)]
#[must_use = "install gives its memory back even if it was not built"]
pub struct Request {
    pub(crate) buffer: BufferId,
    /// Where the buffer starts in its first page.
    pub(crate) first_byte: u16,
    /// The part of the buffer; the whole of it for a region.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) permissions: Permissions,
    pub(crate) domain: u32,
    /// The device reads uniform tables.
    pub(crate) uniform: bool,
    pub(crate) kind: Kind,
    pub(crate) backing: Backing,
    pub(crate) built: Option<Built>,
}

/// What is being made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A region, of a tier that this allows.
    Region(TierPolicy),
    /// A list for one transfer of a region.
    List {
        /// The region, as the caller named it.
        parent: RegionHandle,
        /// Its registration, which counts the list.
        of: Registration,
        /// The transfer's direction.
        direction: Direction,
    },
}

/// How it came out.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) tier: Tier,
    pub(crate) first_byte_offset: u16,
    /// `None` for a region of tier PerTransfer, which has no table.
    pub(crate) table: Option<TableInfo>,
    pub(crate) index: HintIndex,
}

/// What a region or list holds of the platform.
#[derive(Debug, Default)]
pub(crate) struct Backing {
    pub(crate) mappings: Vec<Mapping>,
    /// The mappings are a transfer's and not lasting.
    pub(crate) per_transfer: bool,
    pub(crate) table: Option<DmaMemory>,
    /// The table came from the pool.
    pub(crate) pooled: bool,
    pub(crate) common: Option<DmaMemory>,
}

impl Backing {
    /// Makes room for mappings.
    fn reserve(&mut self, count: usize) -> Result<(), DmaError> {
        self.mappings = reserve(count)?;
        Ok(())
    }

    /// Unmaps and frees everything but a table of the pool.
    pub(crate) fn release<P: Platform>(&mut self, platform: &mut P) {
        for mapping in self.mappings.drain(..) {
            match self.per_transfer {
                true => platform.unmap_transfer(mapping.id),
                false => platform.unmap_persistent(mapping.id),
            }
        }
        if let Some(common) = self.common.take() {
            platform.dma_free(common);
        }
        if !self.pooled
            && let Some(table) = self.table.take()
        {
            platform.dma_free(table);
        }
    }
}

/// What an unregistered region, a released list or a destroyed queue held; the device has let go of it.
///
/// [`release`](Self::release) unmaps it without the device (so without its lock); [`Device::recycle`](crate::Device::recycle) takes the rest
/// back.
#[derive(Debug)]
#[must_use = "release it and give it to recycle, or its memory stays mapped"]
pub struct Retired {
    pub(crate) backing: Backing,
    pub(crate) rings: Option<RingPair>,
}

impl Retired {
    /// Takes mappings back and frees memory. After it the application may look at the data.
    pub fn release<P: Platform>(&mut self, platform: &mut P) {
        self.backing.release(platform);
        if let Some(rings) = self.rings.take() {
            rings.free(platform);
        }
    }
}

impl Retired {
    /// Memory of its own.
    pub(crate) fn of(memory: DmaMemory) -> Self {
        Self {
            backing: Backing {
                common: Some(memory),
                ..Backing::default()
            },
            rings: None,
        }
    }
}

/// A queue that is being made: [`Device::request_queue`](crate::Device::request_queue) gives it, [`build`](Self::build) allocates its
/// rings without the device (so without its lock), and [`Device::install_queue`](crate::Device::install_queue) takes them.
#[derive(Debug)]
#[must_use = "retire it if it was not installed, or its memory is lost"]
pub struct QueueRequest {
    pub(crate) config: QueueConfig,
    pub(crate) size: RingSize,
    pub(crate) queue: Option<Queue>,
}

impl QueueRequest {
    /// Allocates the rings. PASSIVE_LEVEL on Windows.
    ///
    /// # Errors
    /// There is no memory; nothing is kept.
    pub fn build<P: Platform>(&mut self, platform: &mut P) -> Result<(), DmaError> {
        if self.queue.is_none() {
            self.queue = Some(Queue::new(platform, self.size, self.config)?);
        }
        Ok(())
    }

    /// What a request holds that was not installed; nothing after it was.
    pub fn retire(self) -> Retired {
        Retired {
            backing: Backing::default(),
            rings: self.queue.and_then(|queue| queue.rings),
        }
    }
}

impl Request {
    /// What a request holds that was not installed; nothing after it was.
    pub fn retire(self) -> Retired {
        Retired {
            backing: self.backing,
            rings: None,
        }
    }

    /// Maps the buffer, builds the table and writes it to host memory. Long: once or twice per page.
    ///
    /// # Errors
    /// What is missing; everything taken so far has been given back, except what `install` takes.
    pub fn build<P: Platform>(&mut self, platform: &mut P) -> Result<(), RegisterError> {
        self.built = None;
        let built = match self.kind {
            Kind::Region(policy) => self.build_region(platform, policy),
            Kind::List { direction, .. } => self.build_list(platform, direction),
        };
        match built {
            Ok(built) => {
                self.built = Some(built);
                Ok(())
            }
            Err(error) => {
                self.backing.release(platform);
                Err(error)
            }
        }
    }

    fn build_region<P: Platform>(
        &mut self,
        platform: &mut P,
        policy: TierPolicy,
    ) -> Result<Built, RegisterError> {
        let mut missing = RegisterError::Empty;
        self.backing.reserve(1)?;
        for tier in policy.tiers() {
            match tier {
                Tier::Bypass | Tier::MappedOnce => match platform.map_persistent(self.buffer, tier)
                {
                    Ok(mapping) => {
                        self.backing.mappings.push(mapping);
                        if mapping.length != self.length {
                            return Err(RegisterError::Map(MapError::OutOfBounds {
                                offset: 0,
                                length: self.length,
                            }));
                        }
                        return self.build_table(platform, tier);
                    }
                    Err(NotAvailable::UnknownBuffer) => return Err(RegisterError::UnknownBuffer),
                    Err(reason) => missing = RegisterError::Tier { tier, reason },
                },
                Tier::PerTransfer => {
                    return Ok(Built {
                        tier,
                        first_byte_offset: 0,
                        table: None,
                        index: HintIndex::First,
                    });
                }
                Tier::CommonBuffer => return self.build_common(platform),
            }
        }
        Err(missing)
    }

    /// Makes the table of whatever is in `backing.mappings`.
    fn build_table<P: Platform>(
        &mut self,
        platform: &mut P,
        tier: Tier,
    ) -> Result<Built, RegisterError> {
        let info = sg::survey(platform, &self.backing.mappings, self.uniform)?;
        let table = match self.backing.table {
            Some(table) => table,
            None => *self
                .backing
                .table
                .insert(platform.dma_alloc(info.bytes(), PAGE)?),
        };
        // A list is submitted from its first byte.
        let indexed = matches!(self.kind, Kind::Region(_));
        let index = sg::write(platform, &self.backing.mappings, &info, &table, indexed)?;
        let first_byte_offset = self
            .backing
            .mappings
            .first()
            .map_or(0, |mapping| mapping.first_byte_offset);
        Ok(Built {
            tier,
            first_byte_offset,
            table: Some(info),
            index,
        })
    }

    /// A region of contiguous memory: one element.
    fn build_common<P: Platform>(&mut self, platform: &mut P) -> Result<Built, RegisterError> {
        let bytes = usize::try_from(self.length).unwrap_or(usize::MAX);
        let common = *self.backing.common.insert(platform.dma_alloc(bytes, PAGE)?);
        let table = *self.backing.table.insert(platform.dma_alloc(PAGE, PAGE)?);
        let info = sg::write_single(platform, &common, self.length, &table)?;
        Ok(Built {
            tier: Tier::CommonBuffer,
            first_byte_offset: 0,
            table: Some(info),
            index: HintIndex::First,
        })
    }

    /// A transfer's mapping, in pieces of what the platform can map at once; one table over all of them.
    fn build_list<P: Platform>(
        &mut self,
        platform: &mut P,
        direction: Direction,
    ) -> Result<Built, RegisterError> {
        self.backing.per_transfer = true;
        // Whole pages, so that each piece but the last ends where a page ends and the next one begins with a page.
        let most = platform.max_transfer_mapping().max(PAGE as u64);
        let pieces = (self.length / (most - PAGE as u64 + 1).max(1)).saturating_add(2);
        self.backing
            .reserve(usize::try_from(pieces).unwrap_or(usize::MAX))?;
        let mut done = 0;
        while done < self.length {
            let offset = self.offset + done;
            let in_page = (u64::from(self.first_byte) + offset) % PAGE as u64;
            let piece = (self.length - done).min(most - in_page);
            let mapping = platform.map_transfer(self.buffer, offset, piece, direction)?;
            self.backing.mappings.push(mapping);
            if mapping.length != piece {
                return Err(RegisterError::Map(MapError::OutOfBounds {
                    offset,
                    length: piece,
                }));
            }
            done += piece;
        }
        self.build_table(platform, Tier::PerTransfer)
    }
}
