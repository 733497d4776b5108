//! The C interface; `cargo xtask generate` writes its header, include/pinring_client.h.
//!
//! Handles are opaque pointers; results are codes, and [`pinring_error_message`] says what happened. Nothing here is for Rust programs.
#![allow(clippy::missing_safety_doc)] // Said once, at the head of the header (cbindgen.toml): pointers, threads, buffers.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::buffer::whole_pages;
use crate::{
    AlignedBuffer, Completion, Device, Direction, DriverTransport, Error, OutOfMemory, Permissions,
    Region, RegionHandle, RegionInfo, Storage, Tier, TierChoice, Transfer, Transport, Unowned,
};

/// All is well.
pub const PINRING_OK: i32 = 0;
/// An argument makes no sense: a null pointer, an unknown number, text that is not UTF-8.
pub const PINRING_INVALID_ARGUMENT: i32 = 1;
/// There is no device.
pub const PINRING_NO_DEVICE: i32 = 2;
/// This library has no way to a driver on this system.
pub const PINRING_NO_DRIVER: i32 = 3;
/// Driver or system refused; pinring_error_status() has the NTSTATUS.
pub const PINRING_REFUSED: i32 = 4;
/// Library and driver are of different versions.
pub const PINRING_VERSION: i32 = 5;
/// The device has not let go of the buffer.
pub const PINRING_BUSY: i32 = 6;
/// Anything else; see the message.
pub const PINRING_OTHER: i32 = 7;

/// Card to host.
pub const PINRING_C2H: u32 = 0;
/// Host to card.
pub const PINRING_H2C: u32 = 1;

/// The device may write the buffer.
pub const PINRING_PERMIT_C2H: u32 = 1;
/// The device may read the buffer.
pub const PINRING_PERMIT_H2C: u32 = 2;

/// Physical addresses are bus addresses for as long as the pages are locked.
pub const PINRING_TIER_BYPASS: u32 = 0;
/// One lasting mapping, made at registration.
pub const PINRING_TIER_MAPPED_ONCE: u32 = 1;
/// A mapping per transfer, prepared ahead by the driver.
pub const PINRING_TIER_PER_TRANSFER: u32 = 2;
/// Contiguous driver memory, reached by copying.
pub const PINRING_TIER_COMMON_BUFFER: u32 = 3;

/// Waits for as long as it takes.
pub const PINRING_FOREVER: u64 = u64::MAX;

/// An open device.
pub struct PinringDevice {
    device: Device<Any>,
}

type Any = Arc<dyn Transport + Send + Sync>;

/// A registered buffer, or driver memory.
pub struct PinringRegion {
    held: Held,
}

/// The header lets C use both from any thread.
const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<PinringDevice>();
    any_thread::<PinringRegion>();
};

enum Held {
    Registered(Region<Any, Unowned>),
    Common(crate::CommonBuffer<Any>),
}

/// What device and driver can do.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PinringDeviceInfo {
    /// Hash over the protocol's layout.
    pub layout_hash: u64,
    /// Longest transfer of tier PerTransfer in bytes.
    pub max_transfer_bytes: u64,
    /// Cap on locked bytes of one handle.
    pub max_locked_bytes_per_handle: u64,
    /// Clock of the device's timestamps in Hz.
    pub clock_hz: u32,
    /// Transfers that one handle may have in flight in each direction.
    pub ring_entries: u32,
    /// Regions that may exist at a time.
    pub max_regions: u32,
    /// The device serves: 1; otherwise 0.
    pub running: u32,
    /// Why tier Bypass cannot be had; 0 if it can.
    pub bypass_missing: u32,
    /// Why tier MappedOnce cannot be had; 0 if it can.
    pub mapped_once_missing: u32,
}

/// Counters; those with `handle` in their name are of this device handle, the others of the device since the driver was loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PinringStatistics {
    /// Regions registered or allocated now.
    pub regions: u64,
    /// Bytes locked now.
    pub locked_bytes: u64,
    /// Regions of this handle.
    pub handle_regions: u64,
    /// Bytes locked by this handle.
    pub handle_locked_bytes: u64,
    /// Transfers of this handle that have not been reported.
    pub handle_in_flight: u64,
    /// Batches submitted.
    pub batches: u64,
    /// Transfers submitted.
    pub transfers: u64,
    /// Transfers that ended well.
    pub completed: u64,
    /// Transfers that ended as aborted.
    pub aborted: u64,
    /// Transfers that ended otherwise.
    pub failed: u64,
    /// Bytes from card to host.
    pub c2h_bytes: u64,
    /// Bytes from host to card.
    pub h2c_bytes: u64,
    /// Doorbells written.
    pub doorbells: u64,
    /// Registers read.
    pub mmio_reads: u64,
    /// Interrupts taken.
    pub interrupts: u64,
    /// Deferred procedure calls run.
    pub dpcs: u64,
    /// Lists prepared for single transfers.
    pub lists: u64,
    /// Nanoseconds spent on them.
    pub list_ns: u64,
    /// Lists that had to wait for map registers.
    pub shortages: u64,
    /// Registrations made.
    pub registrations: u64,
    /// Nanoseconds spent on them.
    pub registration_ns: u64,
    /// Resets after faults.
    pub resets: u64,
}

/// What a registration or an allocation came to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PinringRegionInfo {
    /// Names the region in transfers, until it is gone.
    pub handle: u64,
    /// Bytes.
    pub length: u64,
    /// Nanoseconds that the driver took to map and list it.
    pub setup_ns: u64,
    /// The tier that it got (PINRING_TIER_...).
    pub tier: u32,
    /// Why it did not get a stronger one; 0 if it got the strongest that was asked for.
    pub reason: u32,
}

/// A transfer to submit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PinringTransfer {
    /// The region: PinringRegionInfo.handle, of the same device.
    pub region: u64,
    /// First byte in the region.
    pub offset: u64,
    /// Bytes, at least 1.
    pub length: u64,
    /// The application's, given back in the completion.
    pub cookie: u64,
    /// User metadata, given to the device and back in the completion.
    pub user: u32,
    /// TDEST of the user stream.
    pub tdest: u16,
    /// Zero.
    pub reserved: u16,
}

/// How a transfer ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PinringCompletion {
    /// As in PinringTransfer.
    pub cookie: u64,
    /// As in PinringTransfer.
    pub region: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Device clock cycles at the end; 0 if the driver ended it.
    pub timestamp: u64,
    /// Nanoseconds of set-up that the driver did for this transfer alone.
    pub setup_ns: u64,
    /// As in PinringTransfer.
    pub user: u32,
    /// Direction (PINRING_C2H, PINRING_H2C).
    pub direction: u32,
    /// Status of the protocol; 0 if all is well. pinring_transfer_status_text() explains it.
    pub status: u32,
    /// C2H: it ended with the packet's TLAST.
    pub end_of_packet: u32,
}

/// What went wrong last on a thread.
#[derive(Default)]
struct Last {
    message: CString,
    status: i32,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

/// A refusal of this interface's own, or the library's.
enum Refusal {
    Argument(&'static str),
    Memory(OutOfMemory),
    Library(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

/// Runs a call's body and keeps what went wrong.
fn call(body: impl FnOnce() -> Result<(), Refusal>) -> i32 {
    let (code, message, status) = match body() {
        Ok(()) => return PINRING_OK,
        Err(Refusal::Argument(what)) => (PINRING_INVALID_ARGUMENT, what.to_string(), 0),
        Err(Refusal::Memory(error)) => (PINRING_OTHER, error.to_string(), 0),
        Err(Refusal::Library(error)) => {
            let code = match &error {
                Error::NoDevice => PINRING_NO_DEVICE,
                Error::NoDriver => PINRING_NO_DRIVER,
                Error::Refused { .. }
                | Error::Open { .. }
                | Error::TransferTooLong { .. }
                | Error::UnknownRegion { .. } => PINRING_REFUSED,
                Error::Version { .. } => PINRING_VERSION,
                Error::NotLetGo => PINRING_BUSY,
                _ => PINRING_OTHER,
            };
            let status = error.status().map_or(0, |status| status.0);
            (code, error.to_string(), status)
        }
    };
    LAST.with_borrow_mut(|last| {
        *last = Last {
            message: text(&message),
            status,
        };
    });
    code
}

/// Text for C: up to the first 0, which no message of ours has.
fn text(message: &str) -> CString {
    let bytes: Vec<u8> = message.bytes().take_while(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// # Safety
/// Null, or valid for reading.
unsafe fn get<'a, T>(pointer: *const T, what: &'static str) -> Result<&'a T, Refusal> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or(Refusal::Argument(what))
}

/// # Safety
/// Null, or valid for writing.
unsafe fn put<T>(pointer: *mut T, value: T) -> Result<(), Refusal> {
    let target =
        NonNull::new(pointer).ok_or(Refusal::Argument("a result has no place: pass a pointer"))?;
    // SAFETY: the caller's promise.
    unsafe { target.write(value) };
    Ok(())
}

/// # Safety
/// `count` elements at `start` are valid, unless `count` is 0.
unsafe fn slice<'a, T>(start: *const T, count: usize) -> Result<&'a [T], Refusal> {
    match count {
        0 => Ok(&[]),
        _ if start.is_null() => Err(Refusal::Argument(
            "an array is null, but its length is not 0",
        )),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(start, count) }),
    }
}

const NO_DEVICE: &str = "the device is null: open one";
const NO_REGION: &str = "the region is null: register or allocate one";

/// What went wrong in the last call of this thread that failed; valid until the next one fails.
#[unsafe(no_mangle)]
pub extern "C" fn pinring_error_message() -> *const c_char {
    LAST.with_borrow(|last| last.message.as_ptr())
}

/// The NTSTATUS behind the last failure of this thread; 0 if it had none.
#[unsafe(no_mangle)]
pub extern "C" fn pinring_error_status() -> i32 {
    LAST.with_borrow(|last| last.status)
}

/// Explains PinringCompletion.status; valid until the next call of it on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn pinring_transfer_status_text(status: u32) -> *const c_char {
    thread_local! {
        static TEXT: RefCell<CString> = RefCell::default();
    }
    let words = match status {
        0 => "done".to_string(),
        _ => u16::try_from(status).map_or_else(
            |_| format!("status {status} is none of the protocol's"),
            |code| crate::TransferError { code }.to_string(),
        ),
    };
    TEXT.with_borrow_mut(|place| {
        *place = text(&words);
        place.as_ptr()
    })
}

/// Writes the name of the device of this index, from 0, with a 0 behind it, if it fits into `capacity` bytes, and its length without the
/// 0 to `length`. PINRING_NO_DEVICE from the number of devices on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_device_name(
    index: usize,
    name: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    call(|| {
        let names = Device::list()?;
        let found = text(names.get(index).ok_or(Error::NoDevice)?);
        let bytes = found.as_bytes_with_nul();
        // SAFETY: the caller's pointers are null or valid, and `name` has room for `capacity` bytes.
        unsafe {
            if !name.is_null() && bytes.len() <= capacity {
                name.cast::<u8>()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
            put(length, bytes.len() - 1)
        }
    })
}

/// Opens the device of this name (UTF-8), or the first if `name` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_open(name: *const c_char, device: *mut *mut PinringDevice) -> i32 {
    call(|| {
        let name = match name.is_null() {
            true => None,
            // SAFETY: the caller passes text that ends with 0.
            false => Some(unsafe { CStr::from_ptr(name) }),
        };
        let name = name.map(CStr::to_str).transpose();
        let name = name.map_err(|_| Refusal::Argument("the name is not UTF-8"))?;
        let transport: Any = Arc::new(DriverTransport::open(name)?);
        // SAFETY: the caller's pointer is null or valid.
        unsafe { open(transport, device) }
    })
}

/// Opens a driver double in memory, with a card that sends and checks the demo's pattern: for tests, on one thread at a time.
#[cfg(feature = "loopback")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_open_loopback(device: *mut *mut PinringDevice) -> i32 {
    // SAFETY: the caller's pointer is null or valid.
    call(|| unsafe { open(Arc::new(crate::loopback::Loopback::new()), device) })
}

/// # Safety
/// `device` is null or valid.
unsafe fn open(transport: Any, device: *mut *mut PinringDevice) -> Result<(), Refusal> {
    let opened = Box::new(PinringDevice {
        device: Device::new(transport)?,
    });
    if device.is_null() {
        return Err(Refusal::Argument("the device has no place: pass a pointer"));
    }
    // SAFETY: the caller's promise.
    unsafe { put(device, Box::into_raw(opened)) }
}

/// Closes a device; null is left alone. Its regions stay registered, and the driver's handle open, until they are unregistered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_close(device: *mut PinringDevice) {
    if !device.is_null() {
        // SAFETY: it came from `open`, and the caller uses it no more.
        drop(unsafe { Box::from_raw(device) });
    }
}

/// What device and driver can do now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_device_info(
    device: *const PinringDevice,
    info: *mut PinringDeviceInfo,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid.
    call(|| unsafe {
        let now = get(device, NO_DEVICE)?.device.query()?;
        put(
            info,
            PinringDeviceInfo {
                layout_hash: now.layout_hash,
                max_transfer_bytes: now.max_transfer_bytes,
                max_locked_bytes_per_handle: now.max_locked_bytes_per_handle,
                clock_hz: now.clock_hz,
                ring_entries: now.ring_entries,
                max_regions: now.max_regions,
                running: now.running,
                bypass_missing: now.bypass_missing,
                mapped_once_missing: now.mapped_once_missing,
            },
        )
    })
}

/// Counters of driver and handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_statistics(
    device: *const PinringDevice,
    statistics: *mut PinringStatistics,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid.
    call(|| unsafe {
        let now = get(device, NO_DEVICE)?.device.statistics()?;
        put(
            statistics,
            PinringStatistics {
                regions: now.regions,
                locked_bytes: now.locked_bytes,
                handle_regions: now.handle_regions,
                handle_locked_bytes: now.handle_locked_bytes,
                handle_in_flight: now.handle_in_flight,
                batches: now.batches,
                transfers: now.transfers,
                completed: now.completed,
                aborted: now.aborted,
                failed: now.failed,
                c2h_bytes: now.c2h_bytes,
                h2c_bytes: now.h2c_bytes,
                doorbells: now.doorbells,
                mmio_reads: now.mmio_reads,
                interrupts: now.interrupts,
                dpcs: now.dpcs,
                lists: now.lists,
                list_ns: now.list_ns,
                shortages: now.shortages,
                registrations: now.registrations,
                registration_ns: now.registration_ns,
                resets: now.resets,
            },
        )
    })
}

/// Allocates zeroed memory to register: whole pages, as tier MappedOnce needs them, at least `bytes`. pinring_buffer_free() frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_buffer_alloc(bytes: usize, buffer: *mut *mut u8) -> i32 {
    call(|| {
        if buffer.is_null() {
            return Err(Refusal::Argument("the buffer has no place: pass a pointer"));
        }
        let memory = AlignedBuffer::new(bytes).map_err(Refusal::Memory)?;
        // SAFETY: the caller's pointer is valid, as it is not null.
        unsafe { put(buffer, memory.into_raw().0.cast().as_ptr()) }
    })
}

/// Frees what pinring_buffer_alloc() gave for this number of bytes, once no region of it is registered any more; null is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_buffer_free(buffer: *mut u8, bytes: usize) {
    if let (Some(start), Some(whole)) = (NonNull::new(buffer), whole_pages(bytes)) {
        // SAFETY: the caller's promise: `pinring_buffer_alloc` gave it for as many bytes, and nothing uses it any more.
        drop(unsafe { AlignedBuffer::from_raw(NonNull::slice_from_raw_parts(start, whole), ()) });
    }
}

/// Registers `length` bytes at `buffer`: locks them and has their list written once. The tier is the strongest that is to be had
/// from `first_tier` to `last_tier` (PINRING_TIER_BYPASS to PINRING_TIER_PER_TRANSFER takes any).
/// The memory must stay allocated, and must not be remapped, until pinring_unregister() has returned PINRING_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_register(
    device: *const PinringDevice,
    buffer: *mut u8,
    length: usize,
    permissions: u32,
    first_tier: u32,
    last_tier: u32,
    region: *mut *mut PinringRegion,
) -> i32 {
    call(|| {
        let permissions = permitted(permissions)?;
        let tier = |number| {
            Tier::from_number(number)
                .ok_or(Refusal::Argument("a tier is not one of PINRING_TIER_..."))
        };
        let tiers = TierChoice::down_to(tier(last_tier)?).at_most(tier(first_tier)?);
        let start = NonNull::new(buffer).ok_or(Refusal::Argument("the buffer is null"))?;
        if region.is_null() {
            return Err(Refusal::Argument("the region has no place: pass a pointer"));
        }
        // SAFETY: the caller's pointers are null or valid, and it keeps the buffer until the region is unregistered.
        unsafe {
            let device = &get(device, NO_DEVICE)?.device;
            let held = Held::Registered(device.register_raw(start, length, permissions, tiers)?);
            put(region, Box::into_raw(Box::new(PinringRegion { held })))
        }
    })
}

/// Allocates a region of contiguous driver memory, reached by pinring_copy_in() and pinring_copy_out().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_allocate(
    device: *const PinringDevice,
    length: u64,
    permissions: u32,
    region: *mut *mut PinringRegion,
) -> i32 {
    call(|| {
        let permissions = permitted(permissions)?;
        if region.is_null() {
            return Err(Refusal::Argument("the region has no place: pass a pointer"));
        }
        // SAFETY: the caller's pointers are null or valid.
        unsafe {
            let device = &get(device, NO_DEVICE)?.device;
            let held = Held::Common(device.allocate(length, permissions)?);
            put(region, Box::into_raw(Box::new(PinringRegion { held })))
        }
    })
}

fn permitted(permissions: u32) -> Result<Permissions, Refusal> {
    Permissions::from_number(permissions).ok_or(Refusal::Argument(
        "permissions are PINRING_PERMIT_C2H, PINRING_PERMIT_H2C or both",
    ))
}

/// Unregisters or frees a region; what is in flight on it ends as aborted and is still reported. After PINRING_BUSY the region stays;
/// after anything else it is gone, and the pointer with it. Null is left alone.
///
/// A registered buffer: waits up to `timeout_ns` nanoseconds until the device has let go of it. PINRING_OK: it has, and the buffer is the
/// application's again. PINRING_BUSY: the time was up; the buffer must stay; call it again. Nothing else comes of it.
///
/// Driver memory: does not wait, as none of it is the application's; `timeout_ns` is not used. PINRING_OK: the driver frees it when the
/// device has let go of it, and until then counts it among the handle's locked bytes. Otherwise the driver refused
/// (pinring_error_message() says why), and frees it with the device's handle, when the device is closed and its regions are gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_unregister(region: *mut PinringRegion, timeout_ns: u64) -> i32 {
    call(|| {
        // SAFETY: null, or from `pinring_register` or `pinring_allocate` and not gone; no other call uses it.
        let Some(held) = (unsafe { region.as_mut() }) else {
            return Ok(());
        };
        if let Held::Registered(registered) = &mut held.held
            && !registered.let_go(timeout_ns)
        {
            return Err(Error::NotLetGo.into());
        }
        // SAFETY: as above, and the caller uses it no more.
        match unsafe { Box::from_raw(region) }.held {
            Held::Registered(let_go) => drop(let_go),
            Held::Common(common) => common.free()?,
        }
        Ok(())
    })
}

/// What a registration or an allocation came to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_region_info(
    region: *const PinringRegion,
    info: *mut PinringRegionInfo,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid.
    call(|| unsafe {
        let found: &RegionInfo = match &get(region, NO_REGION)?.held {
            Held::Registered(region) => region.info(),
            Held::Common(region) => region.info(),
        };
        put(
            info,
            PinringRegionInfo {
                handle: found.handle.0,
                length: found.length,
                setup_ns: found.setup_ns,
                tier: found.tier.number(),
                reason: found.reason.number(),
            },
        )
    })
}

fn common(region: &PinringRegion) -> Result<&crate::CommonBuffer<Any>, Refusal> {
    match &region.held {
        Held::Common(region) => Ok(region),
        Held::Registered(_) => Err(Refusal::Argument(
            "a registered buffer is not copied: use it where it is",
        )),
    }
}

/// Copies `length` bytes of driver memory, from `offset` on, to `target`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_copy_out(
    region: *const PinringRegion,
    offset: u64,
    target: *mut u8,
    length: usize,
) -> i32 {
    call(|| {
        if length > 0 && target.is_null() {
            return Err(Refusal::Argument("the target is null"));
        }
        if length == 0 {
            return Ok(());
        }
        // SAFETY: the caller's pointers are null or valid, and `target` has room for `length` bytes.
        unsafe {
            let target = std::slice::from_raw_parts_mut(target, length);
            Ok(common(get(region, NO_REGION)?)?.copy_out(offset, target)?)
        }
    })
}

/// Copies `length` bytes at `source` to driver memory, from `offset` on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_copy_in(
    region: *const PinringRegion,
    offset: u64,
    source: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid, and `source` has `length` bytes.
    call(|| unsafe {
        let source = slice(source, length)?;
        Ok(common(get(region, NO_REGION)?)?.copy_in(offset, source)?)
    })
}

/// Submits a batch of transfers of one direction: all of it is taken, or nothing. Each transfer is reported once by pinring_wait().
/// A region that this device did not give, or that is gone, is refused (PINRING_REFUSED).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_submit(
    device: *const PinringDevice,
    direction: u32,
    transfers: *const PinringTransfer,
    count: usize,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid, and `transfers` has `count` elements.
    call(|| unsafe {
        let direction = Direction::from_number(direction).ok_or(Refusal::Argument(
            "the direction is not PINRING_C2H or PINRING_H2C",
        ))?;
        let batch = slice(transfers, count)?;
        if batch.iter().any(|transfer| transfer.reserved != 0) {
            return Err(Refusal::Argument("PinringTransfer.reserved is not 0"));
        }
        let batch: Vec<_> = batch
            .iter()
            .map(|transfer| Transfer {
                region: RegionHandle(transfer.region),
                offset: transfer.offset,
                length: transfer.length,
                cookie: transfer.cookie,
                user: transfer.user,
                tdest: transfer.tdest,
            })
            .collect();
        Ok(get(device, NO_DEVICE)?.device.submit(direction, &batch)?)
    })
}

/// Waits until `least` transfers have been reported (fewer if fewer are in flight), up to `timeout_ns` nanoseconds, and writes up to
/// `capacity` completions and their number. The rest stays for the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_wait(
    device: *const PinringDevice,
    least: usize,
    timeout_ns: u64,
    completions: *mut PinringCompletion,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    call(|| {
        if count.is_null() || (capacity > 0 && completions.is_null()) {
            return Err(Refusal::Argument(
                "completions have no place: pass pointers",
            ));
        }
        // SAFETY: the caller's pointers are null or valid, and `completions` has room for `capacity`.
        unsafe {
            let device = &get(device, NO_DEVICE)?.device;
            let timeout = (timeout_ns != PINRING_FOREVER).then_some(timeout_ns);
            let found = device.wait_up_to(capacity, least, timeout)?;
            for (index, completion) in found.iter().enumerate() {
                completions.add(index).write(completion.into());
            }
            put(count, found.len())
        }
    })
}

impl From<&Completion> for PinringCompletion {
    fn from(ended: &Completion) -> Self {
        Self {
            cookie: ended.cookie,
            region: ended.region.0,
            bytes: ended.bytes,
            timestamp: ended.timestamp,
            setup_ns: ended.setup_ns,
            user: ended.user,
            direction: ended.direction.number(),
            status: ended.result.err().map_or(0, |error| error.code().into()),
            end_of_packet: ended.end_of_packet.into(),
        }
    }
}

/// Cancels what is in flight on a region, or on the whole device if `region` is null; it is reported as aborted, but for what was faster.
/// Until the cancellation of a region is over, which may be after that, the driver may refuse its transfers: submit them again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinring_cancel(
    device: *const PinringDevice,
    region: *const PinringRegion,
) -> i32 {
    // SAFETY: the caller's pointers are null or valid.
    call(|| unsafe {
        let device = &get(device, NO_DEVICE)?.device;
        let cancelled = match region.as_ref().map(|region| &region.held) {
            None => device.cancel(),
            Some(Held::Registered(region)) => region.cancel(),
            Some(Held::Common(region)) => region.cancel(),
        };
        Ok(cancelled?)
    })
}

#[cfg(all(test, feature = "loopback"))]
mod tests {
    use std::ptr::null_mut;

    use super::*;
    use crate::Status;
    use crate::loopback::{Config, Loopback};

    fn opened(config: Config) -> (*mut PinringDevice, Loopback) {
        let loopback = Loopback::with(config);
        let mut device = null_mut();
        // SAFETY: the place is valid.
        assert!(unsafe { open(Arc::new(loopback.clone()), &raw mut device) }.is_ok());
        (device, loopback)
    }

    fn registered(device: *mut PinringDevice, memory: &mut AlignedBuffer) -> *mut PinringRegion {
        let (start, length, mut region) = (memory.as_mut_ptr(), memory.len(), null_mut());
        let (first, last) = (PINRING_TIER_BYPASS, PINRING_TIER_PER_TRANSFER);
        // SAFETY: the tests keep the memory until the region is gone.
        let code =
            unsafe { pinring_register(device, start, length, 3, first, last, &raw mut region) };
        assert_eq!(code, PINRING_OK);
        region
    }

    fn allocated(device: *mut PinringDevice) -> *mut PinringRegion {
        let mut region = null_mut();
        // SAFETY: the pointers are valid.
        let code = unsafe { pinring_allocate(device, 4096, 3, &raw mut region) };
        assert_eq!(code, PINRING_OK);
        region
    }

    fn number(region: *mut PinringRegion) -> u64 {
        let mut info = PinringRegionInfo::default();
        // SAFETY: the pointers are valid.
        assert_eq!(unsafe { pinring_region_info(region, &raw mut info) }, 0);
        info.handle
    }

    fn submit(device: *mut PinringDevice, region: u64) -> i32 {
        let transfer = PinringTransfer {
            region,
            length: 64,
            ..PinringTransfer::default()
        };
        // SAFETY: the pointers are valid.
        unsafe { pinring_submit(device, PINRING_C2H, &raw const transfer, 1) }
    }

    fn message() -> String {
        // SAFETY: text that ends with 0, valid until the next failure.
        let message = unsafe { CStr::from_ptr(pinring_error_message()) };
        message.to_string_lossy().into_owned()
    }

    #[test]
    fn numbers_of_other_devices_and_of_regions_that_are_gone_are_refused() {
        let (device, _) = opened(Config::default());
        let (other, _) = opened(Config::default());
        let mut memory = AlignedBuffer::new(4096).unwrap();
        let foreign = number(allocated(other));
        let mine = registered(device, &mut memory);
        let gone = number(mine);
        let refused = |number: u64| {
            assert_eq!(submit(device, number), PINRING_REFUSED);
            let status = pinring_error_status();
            assert_eq!(status, pinring_ioctl::Error::NoRegion.status());
            assert!(message().contains(&format!("{number:#x}")), "{}", message());
        };
        refused(foreign);
        refused(0);
        assert_eq!(submit(device, gone), PINRING_OK);
        // SAFETY: each is used for the last time.
        unsafe {
            assert_eq!(pinring_unregister(mine, PINRING_FOREVER), PINRING_OK);
            refused(gone);
            pinring_close(device);
            pinring_close(other);
        }
    }

    #[test]
    fn a_buffer_is_the_application_s_again_when_the_device_has_let_go() {
        let (device, loopback) = opened(Config {
            teardown_ns: 5_000_000_000,
            ..Config::default()
        });
        let mut memory = AlignedBuffer::new(4096).unwrap();
        let region = registered(device, &mut memory);
        // SAFETY: the region stays until the last call.
        unsafe {
            for _ in 0..2 {
                assert_eq!(pinring_unregister(region, 1_000_000_000), PINRING_BUSY);
                assert_eq!(loopback.left(), (1, 1));
            }
            assert_eq!(pinring_unregister(region, PINRING_FOREVER), PINRING_OK);
            assert_eq!(loopback.left(), (0, 0));
            assert_eq!(pinring_unregister(null_mut(), 0), PINRING_OK);
            pinring_close(device);
        }
    }

    #[test]
    fn driver_memory_that_cannot_be_freed_is_told() {
        let (device, loopback) = opened(Config::default());
        let region = allocated(device);
        // SAFETY: each region is used for the last time.
        unsafe {
            assert_eq!(pinring_unregister(region, 0), PINRING_OK);
            loopback.sleep(1_000_000);
            assert_eq!(loopback.left(), (0, 0));
            let region = allocated(device);
            let refusal = Some((pinring_ioctl::UNREGISTER, Status::NO_SUCH_DEVICE));
            loopback.configure(|config| config.fail = refusal);
            assert_eq!(pinring_unregister(region, 0), PINRING_REFUSED);
            assert_eq!(pinring_error_status(), Status::NO_SUCH_DEVICE.0);
            assert!(message().contains("UNREGISTER"), "{}", message());
            pinring_close(device);
        }
    }
}
