//! Registering buffers, preparing lists, copying.

use super::*;

/// Regions and lists.
impl<P: Platform> Device<P> {
    /// Registers a buffer: maps it, builds its table and shows it to the device. Long; PASSIVE_LEVEL on Windows.
    ///
    /// # Errors
    /// No tier that the policy allows can be had, or memory or ids have run out; nothing is kept.
    pub fn register(
        &mut self,
        buffer: BufferId,
        permissions: Permissions,
        domain: u32,
        policy: TierPolicy,
    ) -> Result<RegionHandle, RegisterError> {
        let mut request = self.request_region(buffer, permissions, domain, policy)?;
        let built = request.build(&mut self.platform);
        self.finish(request, built)
    }

    /// The short first part of [`register`](Self::register).
    ///
    /// # Errors
    /// No such buffer, an empty one, no permission, or no free id.
    pub fn request_region(
        &mut self,
        buffer: BufferId,
        permissions: Permissions,
        domain: u32,
        policy: TierPolicy,
    ) -> Result<Request, RegisterError> {
        self.running()?;
        let span = self
            .platform
            .buffer_span(buffer)
            .ok_or(RegisterError::UnknownBuffer)?;
        if span.length == 0 || !(permissions.c2h || permissions.h2c) {
            return Err(RegisterError::Empty);
        }
        if !self.regions.has_free() {
            return Err(RegisterError::NoRegion(self.regions.count()));
        }
        Ok(Request {
            buffer,
            first_byte: span.first_byte_offset,
            offset: 0,
            length: span.length,
            permissions,
            domain,
            uniform: self.capabilities.features.uniform_sg(),
            kind: Kind::Region(policy),
            backing: Backing::default(),
            built: None,
        })
    }

    /// Prepares a list for one transfer of a region, whatever its tier: maps that part of the buffer and builds a table for it. Long; DISPATCH_LEVEL on Windows.
    /// Submit it with offset 0 and the whole length, on a queue of this direction, and release it afterwards.
    ///
    /// # Errors
    /// The range is wrong, or map registers, lists or ids have run out ([`RegisterError::is_shortage`]).
    pub fn prepare(
        &mut self,
        region: RegionHandle,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<RegionHandle, RegisterError> {
        let mut request = self.request_list(region, offset, length, direction)?;
        let built = request.build(&mut self.platform);
        self.finish(request, built)
    }

    /// The short first part of [`prepare`](Self::prepare). The region stays registered until [`install`](Self::install) has taken the request back, and then
    /// until the list is released.
    ///
    /// # Errors
    /// The range is wrong, the handle names a list, or lists or ids have run out.
    pub fn request_list(
        &mut self,
        region: RegionHandle,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<Request, RegisterError> {
        self.running()?;
        let slot = self.regions.get(region)?;
        if slot.state != SlotState::Live {
            return Err(TransferError::RegionBusy.into());
        }
        if slot.is_list() {
            return Err(TransferError::ListOfList.into());
        }
        slot.check_range(offset, length)?;
        if !slot.permissions().allow(direction) {
            return Err(TransferError::WrongDirection(direction).into());
        }
        if !self.regions.has_free() {
            return Err(RegisterError::NoRegion(self.regions.count()));
        }
        let table = self
            .pool
            .take(sg::worst_case_bytes(length))
            .ok_or(RegisterError::NoList(length))?;
        let (buffer, first_byte, domain) = (slot.buffer, slot.first_byte, slot.domain());
        Ok(Request {
            buffer,
            first_byte,
            offset,
            length,
            permissions: Permissions::only(direction),
            domain,
            uniform: self.capabilities.features.uniform_sg(),
            kind: Kind::List {
                parent: region,
                of: self.regions.list_begun(region),
                direction,
            },
            backing: Backing {
                table: Some(table),
                pooled: true,
                per_transfer: true,
                ..Backing::default()
            },
            built: None,
        })
    }

    fn finish(
        &mut self,
        request: Request,
        built: Result<(), RegisterError>,
    ) -> Result<RegionHandle, RegisterError> {
        let installed = self.install(request);
        built.and(installed)
    }

    /// The short last part of [`register`](Self::register) and [`prepare`](Self::prepare): gives a built request an id. A request that was not built gives its memory
    /// back here, and so does one for which there is no id.
    ///
    /// # Errors
    /// Not built, no free id, or the list's region was cancelled since.
    pub fn install(&mut self, mut request: Request) -> Result<RegionHandle, RegisterError> {
        let installed = self.try_install(&mut request);
        if installed.is_err() {
            self.settle(request.retire());
        }
        installed
    }

    /// As [`install`](Self::install), but frees nothing: on an error, [`retire`](Request::retire) the request and settle what it gives. Once for each
    /// request.
    ///
    /// # Errors
    /// Not built, no free id, or the list's region was cancelled since.
    pub fn try_install(&mut self, request: &mut Request) -> Result<RegionHandle, RegisterError> {
        let installed = self.running().map_err(RegisterError::from);
        let installed = installed.and_then(|()| self.regions.insert(&mut self.platform, request));
        if installed.is_err()
            && let Kind::List { of, .. } = request.kind
        {
            self.regions.list_gone(of);
        }
        installed
    }

    /// Takes back a list that was completed or never submitted; the rest is for [`Retired::release`] and [`recycle`](Self::recycle).
    ///
    /// # Errors
    /// It is in flight, not a list, or stale.
    pub fn detach_list(&mut self, list: RegionHandle) -> Result<Retired, TransferError> {
        let backing = self.regions.release_list(&mut self.platform, list)?;
        Ok(Retired {
            backing,
            rings: None,
        })
    }

    /// Detaches, releases and recycles a list: after it the application may look at the data. DISPATCH_LEVEL on Windows.
    ///
    /// # Errors
    /// It is in flight, not a list, or stale.
    pub fn release_list(&mut self, list: RegionHandle) -> Result<(), TransferError> {
        let retired = self.detach_list(list)?;
        self.settle(retired);
        Ok(())
    }

    /// Takes back what [`Retired::release`] left, for the next list.
    pub fn recycle(&mut self, mut retired: Retired) {
        if retired.backing.pooled
            && let Some(table) = retired.backing.table.take()
        {
            match self.phase {
                Phase::Closed => self.platform.dma_free(table),
                _ => self.pool.put(table),
            }
        }
    }

    /// As [`recycle`](Self::recycle), but frees nothing: what comes after [`shut`](Self::shut) is given by [`next_remains`](Self::next_remains).
    pub fn put_back(&mut self, mut retired: Retired) {
        if retired.backing.pooled
            && let Some(table) = retired.backing.table.take()
        {
            self.pool.put(table);
        }
    }

    /// Releases and recycles in one.
    pub fn settle(&mut self, mut retired: Retired) {
        retired.release(&mut self.platform);
        self.recycle(retired);
    }

    /// What a registration came to.
    ///
    /// # Errors
    /// The handle is stale.
    pub fn region_info(&self, region: RegionHandle) -> Result<RegionInfo, TransferError> {
        self.regions.info(region)
    }

    /// The copy that a region of tier CommonBuffer needs before an H2C transfer or after a C2H transfer, for [`Platform::copy`]. Whoever makes it outside the
    /// device's lock does not settle the region's [`Retired`] before it is made.
    ///
    /// # Errors
    /// The range is wrong, or the region is of another tier.
    pub fn copy_span(
        &self,
        region: RegionHandle,
        offset: u64,
        length: u64,
        direction: CopyDirection,
    ) -> Result<CopySpan, CopyError> {
        let slot = self.regions.get(region)?;
        slot.check_range(offset, length)?;
        let memory = slot
            .common()
            .ok_or(CopyError::NotCommonBuffer(slot.tier))?
            .handle;
        Ok(CopySpan {
            buffer: slot.buffer,
            memory,
            offset,
            length,
            direction,
        })
    }

    /// Makes that copy.
    ///
    /// # Errors
    /// The range is wrong, the region is of another tier, or its buffer is gone.
    pub fn copy(
        &mut self,
        region: RegionHandle,
        offset: u64,
        length: u64,
        direction: CopyDirection,
    ) -> Result<(), CopyError> {
        let span = self.copy_span(region, offset, length, direction)?;
        if self.platform.copy(span) {
            Ok(())
        } else {
            Err(CopyError::UnknownBuffer)
        }
    }
}
