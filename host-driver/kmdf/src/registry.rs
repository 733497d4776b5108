//! Settings from the registry: values of the driver's Parameters key.

use pinring_core::Moderation;
use wdk_sys::{
    KEY_READ, UNICODE_STRING, WDF_NO_OBJECT_ATTRIBUTES, WDFDRIVER, WDFKEY,
    call_unsafe_wdf_function_binding,
};

use crate::init::{unicode, wide};
use crate::status::check;

/// What an administrator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `TierLimit`: the strongest tier that is given (0 Bypass, 1 MappedOnce, 2 PerTransfer).
    pub(crate) tier_limit: u32,
    /// `PrepareDepth`: lists that are prepared ahead at a time, 1 to 16.
    pub(crate) prepare_depth: u32,
    /// `MaxLockedMiBPerHandle`, in MiB.
    pub(crate) handle_cap: u64,
    /// `MaxLockedMiB`, in MiB.
    pub(crate) device_cap: u64,
    /// `RingEntries`: transfers that one handle may have in flight in each direction; a power of two, 16 to 32768.
    pub(crate) ring_entries: u32,
    /// `ModerationCount`: completions of a data queue per interrupt.
    pub(crate) moderation_count: u32,
    /// `ModerationTimeUs`: how long a completion waits for them, in microseconds.
    pub(crate) moderation_us: u32,
}

impl Settings {
    /// What holds where the registry says nothing.
    pub(crate) const DEFAULT: Self = Self {
        tier_limit: 0,
        prepare_depth: 4,
        handle_cap: 8 << 30,
        device_cap: 16 << 30,
        ring_entries: 1024,
        moderation_count: 0,
        moderation_us: 0,
    };

    /// When a data queue's interrupt fires, on a device that can wait for up to `longest_us` microseconds. A count that is out of range
    /// or without a time is none.
    pub(crate) fn moderation(&self, longest_us: u32) -> Moderation {
        match (u16::try_from(self.moderation_count), self.moderation_us) {
            (Err(_), _) | (Ok(2..), 0) => Moderation::NONE,
            (Ok(count), time_us) => Moderation {
                count,
                time_us: time_us.min(longest_us),
            },
        }
    }

    /// Reads them; what is missing or makes no sense is as by default. PASSIVE_LEVEL.
    pub(crate) fn read(driver: WDFDRIVER) -> Self {
        let mut settings = Self::DEFAULT;
        let mut key: WDFKEY = core::ptr::null_mut();
        // SAFETY: the driver's handle is valid, and so is the place for the key.
        let opened = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfDriverOpenParametersRegistryKey,
                driver,
                KEY_READ,
                WDF_NO_OBJECT_ATTRIBUTES,
                &raw mut key
            )
        };
        if check(opened).is_err() {
            return settings;
        }
        let value = |name: &'static [u16]| query(key, unicode(name));
        if let Some(limit) = value(wide!("TierLimit")) {
            settings.tier_limit = limit.min(2);
        }
        if let Some(depth) = value(wide!("PrepareDepth")) {
            settings.prepare_depth = depth.clamp(1, MAX_DEPTH);
        }
        if let Some(mib) = value(wide!("MaxLockedMiBPerHandle")) {
            settings.handle_cap = u64::from(mib) << 20;
        }
        if let Some(mib) = value(wide!("MaxLockedMiB")) {
            settings.device_cap = u64::from(mib) << 20;
        }
        if let Some(entries) = value(wide!("RingEntries")) {
            settings.ring_entries = entries.clamp(16, 1 << 15).next_power_of_two();
        }
        if let Some(count) = value(wide!("ModerationCount")) {
            settings.moderation_count = count;
        }
        if let Some(time_us) = value(wide!("ModerationTimeUs")) {
            settings.moderation_us = time_us;
        }
        // SAFETY: opened above.
        unsafe { call_unsafe_wdf_function_binding!(WdfRegistryClose, key) };
        settings
    }
}

/// Largest `PrepareDepth`.
pub(crate) const MAX_DEPTH: u32 = 16;

fn query(key: WDFKEY, mut name: UNICODE_STRING) -> Option<u32> {
    let mut value = 0;
    // SAFETY: the key is open, and name and place are valid.
    let status = unsafe {
        call_unsafe_wdf_function_binding!(WdfRegistryQueryULong, key, &raw mut name, &raw mut value)
    };
    check(status).ok().map(|()| value)
}
