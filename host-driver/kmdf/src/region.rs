//! Registered buffers: REGISTER, ALLOCATE, UNREGISTER, and the one teardown that every end of a region goes through.
//!
//! The pended REGISTER request *is* the registration: it holds the locked pages. A region ends in this order, whatever began it
//! (UNREGISTER, cancellation, cleanup of the file, exit of the process, removal of the device):
//!
//! 1. [`begin_leave`]: no new transfer; what the device does not have ends.
//! 2. [`advance`]: the lists that the device has are taken from it, then the region; each is acknowledged.
//! 3. The work item releases the mapping.
//! 4. The request completes, and with it the pages are unlocked.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use pinring_core::{AdminError, BufferId, Permissions, RegionHandle, Request, Tier, TierPolicy};
use pinring_ioctl::{self as ioctl, Error, permissions, tier, tier_reason};
use pinring_protocol::Direction;
use wdk_sys::{
    HANDLE, NTSTATUS, PMDL, STATUS_CANCELLED, STATUS_SUCCESS, WDFQUEUE, WDFREQUEST,
    call_unsafe_wdf_function_binding,
};

use crate::context::ContextType;
use crate::device::{Card, card_of};
use crate::dma::Buffer;
use crate::file::{File, FileContext};
use crate::memory::boxed;
use crate::state::{Power, State, Waiting};
use crate::status::{check, of_admin, of_register};
use crate::time::now_ns;
use crate::trace::{self, Event};
use crate::transfer::{Lane, Stage, take_queues};

/// Context of every WDFREQUEST.
pub(crate) struct RequestContext {
    /// The process that made it.
    pub(crate) process: HANDLE,
    /// REGISTER that is pended: its region.
    pub(crate) region: *mut Region,
    /// WAIT that is pended: completions that it asks for.
    pub(crate) least: u32,
}

// SAFETY: pointers and plain data, for which zeroes are values.
pub(crate) static REQUEST: ContextType<RequestContext> =
    unsafe { ContextType::new(c"PinringRequest", &REQUEST) };

/// How far a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Being mapped, outside the lock.
    Building,
    /// Serves.
    Live,
    /// Being torn down.
    Leaving,
    /// The device has let go, and nothing is mapped.
    Released,
}

/// One registration or allocation. Guarded by the device's lock.
pub(crate) struct Region {
    pub(crate) buffer: Buffer,
    /// The REGISTER request, with a reference; null for an allocation.
    pub(crate) request: WDFREQUEST,
    token: Option<u64>,
    handle: u64,
    pub(crate) core: Option<RegionHandle>,
    permissions: Permissions,
    tier: u32,
    reason: u32,
    elements: u32,
    setup_ns: u64,
    pub(crate) phase: Phase,
    /// Its REGISTER has not got to its end: only that frees it.
    registering: bool,
    /// The request was cancelled, so that it is no longer in its queue.
    owned: bool,
    /// The work item did not find the request in its queue: the cancellation completes it.
    left: bool,
    /// Copies under way.
    pub(crate) copies: u32,
    /// What the request completes with.
    status: NTSTATUS,
    /// Commands in flight: the teardown's, and a cancellation's.
    pub(crate) leaving: Option<Waiting>,
    pub(crate) cancelling: Option<Waiting>,
}

impl Region {
    /// Transfers need a list each.
    pub(crate) fn needs_lists(&self) -> bool {
        self.tier == tier::PER_TRANSFER
    }

    /// What the application says of a transfer or copy.
    pub(crate) fn check(
        &self,
        offset: u64,
        length: u64,
        direction: Direction,
    ) -> Result<(), Error> {
        if length == 0 {
            return Err(Error::Empty);
        }
        let end = offset.checked_add(length).ok_or(Error::OutOfBounds)?;
        if end > self.buffer.length {
            return Err(Error::OutOfBounds);
        }
        let allowed = match direction {
            Direction::C2h => self.permissions.c2h,
            Direction::H2c => self.permissions.h2c,
        };
        if !allowed {
            return Err(Error::WrongDirection);
        }
        if self.cancelling.is_some() {
            return Err(Error::RegionBusy);
        }
        Ok(())
    }

    /// For QUERY_REGION and ALLOCATE.
    pub(crate) fn info(&self, state: &State) -> ioctl::RegionInfo {
        let core = state.device.as_ref().zip(self.core);
        let known = core.and_then(|(device, region)| device.region_info(region).ok());
        ioctl::RegionInfo {
            handle: self.handle,
            length: self.buffer.length,
            tier: self.tier,
            reason: self.reason,
            elements: self.elements,
            in_flight: known.map_or(0, |info| info.in_flight),
            setup_ns: self.setup_ns,
            reserved: 0,
        }
    }
}

/// A place for a region, and the generation of handles that name what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    generation: u32,
    region: *mut Region,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            generation: 1,
            region: core::ptr::null_mut(),
        }
    }
}

/// The regions of one file.
pub(crate) struct Regions {
    slots: Vec<Slot>,
    /// Regions that exist.
    count: usize,
    /// Behind the last place that is taken: nobody looks further.
    end: usize,
}

impl Regions {
    pub(crate) fn new(slots: Vec<Slot>) -> Self {
        Self {
            slots,
            count: 0,
            end: 0,
        }
    }

    /// The places in which a region may be: none for a file that has none.
    pub(crate) fn places(&self) -> core::ops::Range<usize> {
        0..self.end
    }

    /// What exists. Under the lock.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Region> {
        let taken = self.slots.iter().take(self.end);
        // SAFETY: what is in a slot is alive, and the lock is held.
        taken.filter_map(|slot| unsafe { slot.region.as_ref() })
    }

    fn has(&self, region: *const Region) -> bool {
        let mut taken = self.slots.iter().take(self.end);
        taken.any(|slot| core::ptr::eq(slot.region, region))
    }

    /// The region that a handle names, whatever a stranger may say.
    fn named(&mut self, handle: u64) -> Result<&mut Region, Error> {
        let place = (handle as u32).checked_sub(1).ok_or(Error::NoRegion)?;
        let slot = self.slots.get(place as usize).ok_or(Error::NoRegion)?;
        if slot.region.is_null() || u64::from(slot.generation) != handle >> 32 {
            return Err(Error::NoRegion);
        }
        // SAFETY: what is in a slot is alive, and the lock is held.
        Ok(unsafe { &mut *slot.region })
    }

    /// The region that a handle names, if it serves.
    pub(crate) fn live(&mut self, handle: u64) -> Result<&mut Region, Error> {
        let region = self.named(handle)?;
        match region.phase {
            Phase::Live => Ok(region),
            _ => Err(Error::NoRegion),
        }
    }

    /// The region of a token, if it serves.
    pub(crate) fn of_token(&mut self, token: u64) -> Result<&mut Region, Error> {
        for at in self.places() {
            if self
                .at(at)
                .is_some_and(|region| region.token == Some(token) && region.phase == Phase::Live)
            {
                return self.at(at).ok_or(Error::NoRegion);
            }
        }
        Err(Error::NoRegion)
    }

    /// Regions that exist.
    pub(crate) fn count(&self) -> u64 {
        self.count as u64
    }

    /// None of them is being torn down or cancelled.
    pub(crate) fn are_live(&self) -> bool {
        self.all()
            .all(|region| region.phase != Phase::Leaving && region.cancelling.is_none())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The region in a place; for walking.
    pub(crate) fn at(&mut self, place: usize) -> Option<&mut Region> {
        let region = self.slots.get(place)?.region;
        // SAFETY: what is in a slot is alive, and the lock is held.
        (!region.is_null()).then(|| unsafe { &mut *region })
    }

    fn insert(&mut self, region: *mut Region) -> Result<(), Error> {
        let free = self.slots.iter().position(|slot| slot.region.is_null());
        let place = free.ok_or(Error::RegionsExhausted)?;
        let slot = &mut self.slots[place];
        slot.region = region;
        self.count += 1;
        self.end = self.end.max(place + 1);
        // SAFETY: the caller's, and alive.
        unsafe { (*region).handle = u64::from(slot.generation) << 32 | (place as u64 + 1) };
        Ok(())
    }

    /// Takes a region out; its handle is stale for good.
    fn remove(&mut self, region: *mut Region) {
        for slot in self.slots.iter_mut().take(self.end) {
            if slot.region == region {
                slot.region = core::ptr::null_mut();
                slot.generation = slot.generation.wrapping_add(1).max(1);
                self.count -= 1;
            }
        }
        while self.end != 0 && self.slots[self.end - 1].region.is_null() {
            self.end -= 1;
        }
    }
}

/// What REGISTER or ALLOCATE asks for.
struct Asked {
    token: Option<u64>,
    buffer: Buffer,
    permissions: Permissions,
    policy: TierPolicy,
    request: WDFREQUEST,
}

fn permissions_of(bits: u32) -> Result<Permissions, Error> {
    if bits == 0 || bits & !permissions::BOTH != 0 {
        return Err(Error::Malformed);
    }
    Ok(Permissions {
        c2h: bits & permissions::C2H != 0,
        h2c: bits & permissions::H2C != 0,
    })
}

/// REGISTER: maps the buffer and pends the request. PASSIVE_LEVEL. On an error the request is the caller's to complete.
pub(crate) fn register(
    card: &'static Card,
    context: &FileContext,
    request: WDFREQUEST,
    input: &[u8],
) -> Result<(), Error> {
    if input.len() != ioctl::Register::BYTES {
        return Err(Error::Malformed);
    }
    let asked = ioctl::Register::parse(input).ok_or(Error::Malformed)?;
    let lasting = [Tier::Bypass, Tier::MappedOnce, Tier::PerTransfer];
    let tier_of = |number: u32| match number {
        tier::COMMON_BUFFER => Err(Error::WrongTier),
        _ => lasting
            .get(number as usize)
            .copied()
            .ok_or(Error::Malformed),
    };
    let policy = TierPolicy {
        first: tier_of(asked.first_tier)?,
        last: tier_of(asked.last_tier)?,
    };
    if policy.first > policy.last {
        return Err(Error::Malformed);
    }
    if context.synchronous != 0 {
        return Err(Error::Synchronous);
    }
    // SAFETY: the request is ours.
    let own = unsafe { REQUEST.of(request.cast()) };
    // SAFETY: the request's context, which nobody else touches now.
    if unsafe { (*own).process } != context.process {
        return Err(Error::NotOwner);
    }
    let mut mdl: PMDL = core::ptr::null_mut();
    // SAFETY: the request is ours, and the place is valid.
    let got = unsafe {
        call_unsafe_wdf_function_binding!(WdfRequestRetrieveOutputWdmMdl, request, &raw mut mdl)
    };
    if check(got).is_err() || mdl.is_null() {
        return Err(Error::Empty);
    }
    // SAFETY: the request's MDL, locked until the request completes.
    let (next, length, first_byte) = unsafe { ((*mdl).Next, (*mdl).ByteCount, (*mdl).ByteOffset) };
    if !next.is_null() {
        return Err(Error::Malformed);
    }
    if length == 0 {
        return Err(Error::Empty);
    }
    let asked = Asked {
        token: Some(asked.token),
        buffer: Buffer {
            mdl,
            length: length.into(),
            first_byte: first_byte as u16,
            refused: AtomicU32::new(tier_reason::NONE),
        },
        permissions: permissions_of(asked.permissions)?,
        policy,
        request,
    };
    let permissions = asked.permissions;
    let region = build(card, context.file, asked)?;
    // SAFETY: the request is still in hand, and keeps the file.
    unsafe { take_queues(card, context.file, permissions) };
    // Everything is in place for a cancellation, which may come as soon as the request is in the queue. The reference keeps its
    // address from being given to another request while the work item looks for it.
    // SAFETY: the request is ours; its context is written before it is forwarded.
    let forwarded = unsafe {
        (*own).region = region;
        call_unsafe_wdf_function_binding!(
            WdfObjectReferenceActual,
            request.cast(),
            core::ptr::null_mut(),
            0,
            core::ptr::null()
        );
        call_unsafe_wdf_function_binding!(WdfRequestForwardToIoQueue, request, card.registrations)
    };
    let leaving = card.state.with(|state| {
        // SAFETY: only the end of `registering` lets others free it.
        let (region, file) = unsafe { (&mut *region, &mut *context.file) };
        region.registering = false;
        if check(forwarded).is_err() {
            region.owned = true;
        }
        if check(forwarded).is_err() || file.closing || state.serving().is_err() {
            begin_leave(&mut file.lanes, region, STATUS_CANCELLED);
        }
        region.phase != Phase::Live || region.owned
    });
    if leaving {
        card.wake();
    }
    Ok(())
}

/// ALLOCATE. PASSIVE_LEVEL.
pub(crate) fn allocate(
    card: &'static Card,
    context: &FileContext,
    input: &[u8],
) -> Result<ioctl::RegionInfo, Error> {
    if input.len() != ioctl::Allocate::BYTES {
        return Err(Error::Malformed);
    }
    let asked = ioctl::Allocate::parse(input).ok_or(Error::Malformed)?;
    if asked.length == 0 {
        return Err(Error::Empty);
    }
    if u32::try_from(asked.length).is_err() {
        // WDF_COMMON_BUFFER lengths are those of a ULONG.
        return Err(Error::TooLarge);
    }
    let permissions = permissions_of(asked.permissions)?;
    let region = build(
        card,
        context.file,
        Asked {
            token: None,
            buffer: Buffer {
                mdl: core::ptr::null_mut(),
                length: asked.length,
                first_byte: 0,
                refused: AtomicU32::new(tier_reason::NONE),
            },
            permissions,
            policy: TierPolicy::exactly(Tier::CommonBuffer),
            request: core::ptr::null_mut(),
        },
    )?;
    // SAFETY: the request in hand keeps the file.
    unsafe { take_queues(card, context.file, permissions) };
    let (info, leaving) = card.state.with(|state| {
        // SAFETY: only the end of `registering` lets others free it.
        let (region, file) = unsafe { (&mut *region, &mut *context.file) };
        region.registering = false;
        if file.closing {
            begin_leave(&mut file.lanes, region, STATUS_CANCELLED);
        }
        (region.info(state), region.phase != Phase::Live)
    });
    if leaving {
        // Its teardown has waited for the end of `registering`.
        card.wake();
    }
    Ok(info)
}

/// Makes a region: checks and caps under the lock, mapping and table outside it, and the region's entry under it. On success the region
/// is live, and `registering` is set.
fn build(card: &'static Card, file: *mut File, asked: Asked) -> Result<*mut Region, Error> {
    let Asked {
        token,
        buffer,
        permissions,
        policy,
        request,
    } = asked;
    let bytes = buffer.length;
    let region = Box::into_raw(boxed(Region {
        buffer,
        request,
        token,
        handle: 0,
        core: None,
        permissions,
        tier: 0,
        reason: tier_reason::NONE,
        elements: 0,
        setup_ns: 0,
        phase: Phase::Building,
        registering: true,
        owned: false,
        left: false,
        copies: 0,
        status: STATUS_SUCCESS,
        leaving: None,
        cancelling: None,
    })?);
    // SAFETY: the region stays where it is until its core region is retired.
    let id = unsafe { (*region).buffer.id() };
    let (handle_cap, device_cap) = (card.settings.handle_cap, card.settings.device_cap);
    let started = card.state.with(|state| {
        // SAFETY: the file has a request in progress, so that it is not closed; the lock is held.
        let file = unsafe { &mut *file };
        begin(state, file, region, id, policy, (handle_cap, device_cap))
            .map(|request| (request, state.platform()))
    });
    let begun = now_ns();
    let installed = started.and_then(|(mut core, platform)| {
        let mut platform = platform.ok_or(Error::NotRunning)?;
        let built = core.build(&mut platform);
        let setup_ns = now_ns().saturating_sub(begun);
        let went = card.state.with(|state| {
            let device = state.device.as_mut().ok_or(Error::NotRunning)?;
            let handle = device.try_install(&mut core);
            let handle = built.and(handle).map_err(of_register)?;
            // SAFETY: ours, while it is building; the file has a request in progress, and the lock is held.
            let (region, file) = unsafe { (&mut *region, &mut *file) };
            install(state, file, region, handle, setup_ns, policy);
            Ok(())
        });
        if let Err(error) = went {
            // A build that failed is never installed, and holds what it took.
            let mut retired = core.retire();
            retired.release(&mut platform);
            card.state.with(|state| state.put_back(retired));
            return Err(error);
        }
        Ok(())
    });
    match installed {
        Ok(()) => Ok(region),
        Err(error) => {
            card.state.with(|state| {
                // SAFETY: as above.
                let file = unsafe { &mut *file };
                uncharge(state, file, region, bytes);
            });
            card.wake();
            // SAFETY: it is in no table any more, and nobody else knew it.
            drop(unsafe { Box::from_raw(region) });
            Err(error)
        }
    }
}

/// Checks, charges and begins a registration.
fn begin(
    state: &mut State,
    file: &mut File,
    region: *mut Region,
    id: BufferId,
    policy: TierPolicy,
    (handle_cap, device_cap): (u64, u64),
) -> Result<Request, Error> {
    // SAFETY: the caller's.
    let (token, permissions, bytes) = unsafe {
        (
            (*region).token,
            (*region).permissions,
            (*region).buffer.length,
        )
    };
    let (domain, locked) = (file.domain, state.totals.locked_bytes);
    let device = state.serving()?;
    if file.closing {
        return Err(Error::Gone);
    }
    if token.is_some() && file.regions.all().any(|other| other.token == token) {
        return Err(Error::TokenInUse);
    }
    let within = |had: u64, cap: u64| had.checked_add(bytes).is_some_and(|sum| sum <= cap);
    if !within(file.locked_bytes, handle_cap) {
        return Err(Error::HandleCap);
    }
    if !within(locked, device_cap) {
        return Err(Error::DeviceCap);
    }
    let request = device
        .request_region(id, permissions, domain, policy)
        .map_err(of_register)?;
    file.regions.insert(region)?;
    file.locked_bytes += bytes;
    state.totals.locked_bytes += bytes;
    state.totals.regions += 1;
    Ok(request)
}

/// Takes a region out of the tables, if it is in one.
fn uncharge(state: &mut State, file: &mut File, region: *mut Region, bytes: u64) {
    if file.regions.has(region) {
        file.regions.remove(region);
        file.locked_bytes = file.locked_bytes.saturating_sub(bytes);
        state.totals.locked_bytes = state.totals.locked_bytes.saturating_sub(bytes);
        state.totals.regions = state.totals.regions.saturating_sub(1);
    }
}

fn install(
    state: &mut State,
    file: &mut File,
    region: &mut Region,
    handle: RegionHandle,
    setup_ns: u64,
    policy: TierPolicy,
) {
    let info = state
        .device
        .as_ref()
        .and_then(|device| device.region_info(handle).ok());
    region.core = Some(handle);
    region.setup_ns = setup_ns;
    if let Some(info) = info {
        region.tier = info.tier as u32;
        region.elements = info.table.map_or(0, |table| table.elements);
        region.reason = state.why_not(policy.first, info.tier, &region.buffer);
    }
    region.phase = Phase::Live;
    state.totals.registrations += 1;
    state.totals.registration_ns += setup_ns;
    let numbers = [
        region.tier.into(),
        region.reason.into(),
        region.buffer.length,
        setup_ns,
    ];
    match file.logs_first(region.tier, region.reason) {
        true => trace::operator(state.wdf, Event::Tier, &numbers),
        false => trace::event(Event::Tier, &numbers),
    }
}

impl State {
    /// Why a region got `tier` and not `first`: what stood in the way of the strongest that was asked for.
    fn why_not(&self, first: Tier, tier: Tier, buffer: &Buffer) -> u32 {
        if tier == first {
            return tier_reason::NONE;
        }
        let Some(platform) = self.platform() else {
            return tier_reason::NONE;
        };
        let hardware = platform.hardware();
        let once = match hardware.mapped_once_missing {
            tier_reason::NONE => buffer.refused.load(Ordering::Relaxed),
            missing => missing,
        };
        match (first, tier) {
            (Tier::Bypass, Tier::MappedOnce) => hardware.bypass_missing,
            _ => once,
        }
    }
}

/// UNREGISTER, under the lock.
pub(crate) fn unregister(file: &mut File, input: &[u8]) -> Result<(), Error> {
    if input.len() != ioctl::Handle::BYTES {
        return Err(Error::Malformed);
    }
    let asked = ioctl::Handle::parse(input).ok_or(Error::Malformed)?;
    let (lanes, regions) = file.parts();
    let region = regions.live(asked.handle)?;
    begin_leave(lanes, region, STATUS_SUCCESS);
    file.look_at_waits();
    Ok(())
}

/// Begins a region's teardown; again and again without harm. Under the lock; the work item goes on.
pub(crate) fn begin_leave(lanes: &mut [Lane; 2], region: &mut Region, status: NTSTATUS) {
    // One that is being built is looked at when it is installed.
    if region.phase != Phase::Live {
        return;
    }
    region.phase = Phase::Leaving;
    region.status = status;
    let handle = region.handle;
    for lane in lanes {
        lane.abort(|record| record.handle == handle);
        lane.settle();
    }
}

/// CANCEL of a region or of everything, under the lock. What the device does not have ends at once.
pub(crate) fn cancel(state: &mut State, file: &mut File, input: &[u8]) -> Result<(), Error> {
    use crate::transfer::LaneQueue;
    if input.len() != ioctl::Cancel::BYTES {
        return Err(Error::Malformed);
    }
    let asked = ioctl::Cancel::parse(input).ok_or(Error::Malformed)?;
    let (lanes, regions) = file.parts();
    match asked.scope {
        ioctl::scope::REGION => {
            let region = regions.live(asked.handle)?;
            if region.cancelling.is_some() {
                return Err(Error::RegionBusy);
            }
            if !region.needs_lists()
                && let (Ok(device), Some(core)) = (state.serving(), region.core)
            {
                let (next, ticket) = device.cancel_region(core).map_err(of_admin)?;
                region.core = Some(next);
                region.cancelling = Some(Waiting::new(ticket));
            }
            for lane in lanes {
                lane.abort(|record| record.handle == asked.handle);
                lane.settle();
            }
        }
        ioctl::scope::ALL => {
            if asked.handle != 0 {
                return Err(Error::Malformed);
            }
            // Without places for the commands of both directions it is refused, and changes nothing.
            let ready = |lane: &&Lane| matches!(lane.queue, LaneQueue::Ready(_, None));
            let commands = lanes.iter().filter(ready).count();
            if state
                .serving()
                .is_ok_and(|device| device.admin_room() < commands)
            {
                return Err(Error::RegionBusy);
            }
            // What the device does not have ends in both directions, whatever else goes wrong.
            for lane in &mut *lanes {
                lane.abort(|record| record.stage != Stage::Flying);
                lane.settle();
            }
            let mut first = None;
            for lane in lanes {
                let (Ok(device), LaneQueue::Ready(queue, None)) = (state.serving(), lane.queue)
                else {
                    continue;
                };
                match device.cancel_queue(queue) {
                    Ok(ticket) => {
                        lane.queue = LaneQueue::Ready(queue, Some(Waiting::new(ticket)));
                    }
                    // It waits for another command, behind which nothing of it is in flight.
                    Err(AdminError::Queue(_)) => {}
                    Err(error) => {
                        state.not_taken(error);
                        first.get_or_insert(error);
                    }
                }
            }
            file.look_at_waits();
            return first.map_or(Ok(()), |error| Err(of_admin(error)));
        }
        _ => return Err(Error::Malformed),
    }
    file.look_at_waits();
    Ok(())
}

/// What the work item does for a region.
pub(crate) enum Next {
    /// Nothing now.
    Wait,
    /// Something was sent: look again.
    Again,
    /// The region is over: [`finish`] it outside the lock. It is in no table any more, and counted in `finishing`.
    Finish(*mut Region),
}

/// Goes on with a region's teardown, under the lock.
pub(crate) fn advance(state: &mut State, file: &mut File, place: usize) -> Next {
    let closed = matches!(state.power, Power::Closed);
    let (lanes, regions) = file.parts();
    let Some(region) = regions.at(place) else {
        return Next::Wait;
    };
    if closed && matches!(region.phase, Phase::Live | Phase::Leaving) {
        if region.phase == Phase::Live {
            region.status = Error::Gone.status();
        }
        region.phase = Phase::Released;
    }
    match region.phase {
        Phase::Leaving if region.leaving.is_none() && region.copies == 0 => {
            let handle = region.handle;
            if lanes.iter_mut().any(|lane| lane.has_list_of(handle)) {
                return Next::Wait;
            }
            let (Ok(device), Some(core)) = (state.serving(), region.core) else {
                return Next::Wait;
            };
            match device.unregister(core) {
                Ok(ticket) => {
                    region.leaving = Some(Waiting::new(ticket));
                    Next::Again
                }
                Err(error) => {
                    state.not_taken(error);
                    Next::Wait
                }
            }
        }
        Phase::Released if !region.registering && region.copies == 0 => {
            let (region, bytes) = (core::ptr::from_mut(region), region.buffer.length);
            uncharge(state, file, region, bytes);
            file.finishing += 1;
            Next::Finish(region)
        }
        _ => Next::Wait,
    }
}

/// Completes a region's request and frees the region. IRQL <= DISPATCH_LEVEL, outside the lock.
///
/// # Safety
/// The region is released and in no table; nobody but the cancellation of its request has it.
pub(crate) unsafe fn finish(card: &'static Card, region: *mut Region) {
    // SAFETY: the caller says so.
    let (request, owned) = card
        .state
        .with(|_| unsafe { ((*region).request, (*region).owned) });
    if request.is_null() {
        // SAFETY: an allocation has no request, so that nobody else has it.
        drop(unsafe { Box::from_raw(region) });
        return;
    }
    let mine = owned
        || take_back(card.registrations, request)
        || card.state.with(|_| {
            // SAFETY: it lives until one of the two has completed the request.
            let region = unsafe { &mut *region };
            // If the cancellation has not come yet, it is on its way, as the request is not in the queue.
            region.left = !region.owned;
            region.owned
        });
    if mine {
        // SAFETY: the request is ours, and nobody else is left.
        unsafe { complete(region) };
    }
}

/// # Safety
/// The region's request is the caller's, and the region too.
unsafe fn complete(region: *mut Region) {
    // SAFETY: the caller says so.
    let region = unsafe { Box::from_raw(region) };
    let (request, status) = (region.request, region.status);
    drop(region);
    // SAFETY: the request is ours; the reference was taken in `register`.
    unsafe {
        call_unsafe_wdf_function_binding!(WdfRequestComplete, request, status);
        call_unsafe_wdf_function_binding!(
            WdfObjectDereferenceActual,
            request.cast(),
            core::ptr::null_mut(),
            0,
            core::ptr::null()
        );
    }
}

/// Takes a request out of a manual queue; false if it is not there, as its cancellation has begun. The caller holds a reference, so
/// that the address is of this request and no other.
fn take_back(queue: WDFQUEUE, request: WDFREQUEST) -> bool {
    let null: *mut core::ffi::c_void = core::ptr::null_mut();
    let dereference = |request: WDFREQUEST| {
        // SAFETY: WdfIoQueueFindRequest gave this reference.
        unsafe {
            call_unsafe_wdf_function_binding!(
                WdfObjectDereferenceActual,
                request.cast(),
                core::ptr::null_mut(),
                0,
                core::ptr::null()
            )
        }
    };
    let mut previous: WDFREQUEST = null.cast();
    loop {
        let mut found: WDFREQUEST = null.cast();
        // SAFETY: the queue is the device's; `previous` is null or has a reference.
        let status = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfIoQueueFindRequest,
                queue,
                previous,
                null.cast(),
                null.cast(),
                &raw mut found
            )
        };
        let gone = status == wdk_sys::STATUS_NOT_FOUND;
        if !previous.is_null() {
            dereference(previous);
        }
        if gone && !previous.is_null() {
            // The one before has left the queue: begin anew.
            previous = null.cast();
            continue;
        }
        if check(status).is_err() {
            return false;
        }
        if found == request {
            let mut out: WDFREQUEST = null.cast();
            // SAFETY: found just now, and referenced.
            let taken = unsafe {
                call_unsafe_wdf_function_binding!(
                    WdfIoQueueRetrieveFoundRequest,
                    queue,
                    found,
                    &raw mut out
                )
            };
            dereference(found);
            return check(taken).is_ok();
        }
        previous = found;
    }
}

/// EvtIoCanceledOnQueue of the registrations: the application, or the end of its thread, cancels. The request is the driver's again, and
/// completes at the end of the teardown. IRQL <= DISPATCH_LEVEL.
pub(crate) unsafe extern "C" fn cancelled(queue: WDFQUEUE, request: WDFREQUEST) {
    // SAFETY: the queue is valid.
    let card = card_of(unsafe { call_unsafe_wdf_function_binding!(WdfIoQueueGetDevice, queue) });
    // SAFETY: the request is ours again; its region was set before it came into the queue, and lives until it is completed.
    let region = unsafe { (*REQUEST.of(request.cast())).region };
    let left = card.state.with(|state| {
        // SAFETY: as above, and the lock is held.
        let region = unsafe { &mut *region };
        region.owned = true;
        for file in state.files() {
            // SAFETY: files on the list are alive.
            let file = unsafe { &mut *file };
            if file.regions.has(region) {
                begin_leave(&mut file.lanes, region, STATUS_CANCELLED);
                file.look_at_waits();
            }
        }
        region.left
    });
    if left {
        // SAFETY: the work item has left it to us.
        unsafe { complete(region) };
    } else {
        card.wake();
    }
}
