//! Who is behind BAR0, and whether it has come up.

use pinring_protocol::registers::{
    self, DeviceStatus, Features, FirmwareReport, Limits0, Limits1, Version, aperture,
};
use pinring_protocol::{ABI_MAJOR, FirmwareState, LAYOUT_HASH, MAGIC, limits};

use crate::{OpenError, Platform, StartError};

/// What the device says that it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Version of the interface and build of the gateware.
    pub version: Version,
    /// What it can do beyond the base.
    pub features: Features,
    /// Queues, the admin queue included.
    pub queues: u16,
    /// MSI-X vectors.
    pub vectors: u16,
    /// Width of the data path in bits.
    pub data_width: u32,
    /// Bytes from one queue's doorbell page to the next.
    pub doorbell_stride: u32,
    /// Contexts per direction.
    pub contexts: u32,
    /// Device clock in Hz: the unit of timestamps.
    pub clock_hz: u32,
    /// H2C reads that may be in flight.
    pub read_tags: u32,
    /// Largest region count.
    pub max_regions: u32,
}

impl Capabilities {
    /// Reads and checks identity, layout hash and limits.
    pub(crate) fn read<P: Platform>(platform: &mut P) -> Result<Self, OpenError> {
        let small = |needed: u32| OpenError::BarTooSmall {
            found: platform.bar0_bytes(),
            needed: needed.into(),
        };
        if platform.bar0_bytes() < aperture::DOORBELLS.into() {
            return Err(small(aperture::BAR0_BYTES));
        }
        let magic = platform.mmio_read32(registers::MAGIC.offset);
        if magic == u32::MAX {
            return Err(OpenError::Gone);
        }
        if magic != MAGIC {
            return Err(OpenError::NotPinring {
                found: magic,
                expected: MAGIC,
            });
        }
        let version = Version::from_raw(platform.mmio_read32(registers::VERSION.offset));
        if version.major() != ABI_MAJOR {
            return Err(OpenError::AbiVersion {
                device: version.major(),
                driver: ABI_MAJOR,
            });
        }
        let hash = platform.mmio_read64(registers::LAYOUT_HASH.offset);
        if hash != LAYOUT_HASH {
            return Err(OpenError::LayoutHash {
                device: hash,
                driver: LAYOUT_HASH,
            });
        }
        let features = Features::from_raw(platform.mmio_read64(registers::FEATURES.offset));
        let counts = Limits0::from_raw(platform.mmio_read32(registers::LIMITS0.offset));
        let sizes = Limits1::from_raw(platform.mmio_read32(registers::LIMITS1.offset));
        let max_regions = platform.mmio_read32(registers::MAX_REGIONS.offset);
        let (queues, vectors, stride) = (
            counts.queues(),
            counts.vectors(),
            sizes.doorbell_stride_log2(),
        );
        let rules = [
            (
                "LIMITS0",
                u64::from(counts.raw()),
                (2..=limits::QUEUES).contains(&queues.into()),
                "there are 2 to 16 queues",
            ),
            (
                "LIMITS0",
                counts.raw().into(),
                (1..=limits::VECTORS).contains(&vectors.into()),
                "there are 1 to 16 vectors",
            ),
            (
                "LIMITS1",
                sizes.raw().into(),
                (6..=9).contains(&sizes.data_width_log2()),
                "the data path has 64 to 512 bits",
            ),
            (
                "LIMITS1",
                sizes.raw().into(),
                (12..=20).contains(&stride),
                "doorbells lie 4 KiB to 1 MiB apart",
            ),
            (
                "LIMITS1",
                sizes.raw().into(),
                sizes.contexts_log2() <= 8,
                "there are at most 256 contexts",
            ),
            (
                "LIMITS1",
                sizes.raw().into(),
                sizes.page_shift() == limits::PAGE_SHIFT,
                "the smallest page has 4 KiB",
            ),
            (
                "MAX_REGIONS",
                max_regions.into(),
                (1..=limits::MAX_REGIONS).contains(&max_regions),
                "there are 1 to 65536 regions",
            ),
        ];
        if let Some((register, value, _, rule)) = rules.into_iter().find(|(_, _, holds, _)| !holds)
        {
            return Err(OpenError::Limits {
                register,
                value,
                rule,
            });
        }
        let needed = aperture::DOORBELLS + (u32::from(queues) << stride);
        if platform.bar0_bytes() < needed.into() {
            return Err(OpenError::BarTooSmall {
                found: platform.bar0_bytes(),
                needed: needed.into(),
            });
        }
        Ok(Self {
            version,
            features,
            queues,
            vectors,
            data_width: 1 << sizes.data_width_log2(),
            doorbell_stride: 1 << stride,
            contexts: 1 << sizes.contexts_log2(),
            clock_hz: platform.mmio_read32(registers::CLOCK_HZ.offset),
            read_tags: platform.mmio_read32(registers::READ_TAGS.offset),
            max_regions,
        })
    }

    /// Byte offset of a queue's inline slot in BAR0, if the device looks at it.
    pub(crate) fn inline_slot(&self, queue: u16) -> Option<u32> {
        let page = aperture::DOORBELLS + u32::from(queue) * self.doorbell_stride;
        self.features
            .inline_doorbell()
            .then_some(page + aperture::INLINE_SLOT)
    }

    /// Byte offset of a queue's doorbell in BAR0.
    pub(crate) fn doorbell(&self, queue: u16) -> u32 {
        aperture::DOORBELLS + u32::from(queue) * self.doorbell_stride + aperture::DOORBELL
    }
}

/// What STATUS says of a device that has not stopped for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Serving,
    /// Not yet serving, or not enabled.
    NotServing,
    /// Its firmware has stopped, and is about to be restarted: no transfer is lost.
    Restarting,
}

/// What STATUS says, or why the device will not serve until it is reset.
pub(crate) fn health<P: Platform>(platform: &mut P) -> Result<Health, StartError> {
    let raw = platform.mmio_read32(registers::STATUS.offset);
    if raw == u32::MAX {
        return Err(StartError::Gone);
    }
    let status = DeviceStatus::from_raw(raw);
    if status.firmware_panicked() || !status.firmware_running() {
        let report =
            FirmwareReport::from_raw(platform.mmio_read32(registers::FIRMWARE_STATE.offset));
        let (state, detail) = (report.state().ok(), report.detail());
        if state == Some(FirmwareState::BadLayout) {
            return Err(StartError::FirmwareLayout {
                device: platform.mmio_read64(registers::LAYOUT_HASH.offset),
                firmware: detail,
            });
        }
        if status.firmware_panicked() {
            // Silence for so long says that the watchdog has given up.
            return match status.firmware_stalled() {
                true => Err(StartError::Firmware { state, detail }),
                false => Ok(Health::Restarting),
            };
        }
    }
    if status.fatal() {
        return Err(StartError::Fatal {
            info: platform.mmio_read32(registers::ERROR_INFO.offset),
        });
    }
    if status.firmware_stalled() {
        return Err(StartError::FirmwareStalled);
    }
    Ok(match status.ready() && status.firmware_running() {
        true => Health::Serving,
        false => Health::NotServing,
    })
}
