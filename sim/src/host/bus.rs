//! What the root complex asks of the host, and the faults it can get back.

/// The host as seen from the PCIe link, addressed by bus address.
pub trait HostBus {
    /// Reads `data.len()` bytes at bus address `address`. An error becomes a completion with status Unsupported Request.
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault>;

    /// Writes `data` at bus address `address`. An error is invisible to the device, as on a real link: a posted write has
    /// no completion. The link reports it as an event.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault>;

    /// Whether someone has handed `len` bytes at `address` to the device. The TLP checker asks this for every memory
    /// request when it arrives; the default allows all.
    fn permits(&self, address: u64, len: u64, is_write: bool) -> bool {
        let _ = (address, len, is_write);
        true
    }
}

/// Why the host refused an access by the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BusFault {
    /// The address lies outside the memory of this host.
    #[error(
        "no memory at bus address {address:#x}: the host has addresses up to {limit:#x}; check the page list"
    )]
    Unclaimed {
        /// First byte of the access.
        address: u64,
        /// First address past the end of memory.
        limit: u64,
    },
    /// The IOMMU has no mapping for the page.
    #[error("IOMMU fault: {} of unmapped bus address {address:#x}; was the region unmapped too early?", verb(*.is_write))]
    NotMapped {
        /// First byte of the access that has no translation.
        address: u64,
        /// Whether the device wrote.
        is_write: bool,
    },
    /// The IOMMU maps the page, but not for this direction.
    #[error("IOMMU fault: {} of bus address {address:#x} is not allowed by its mapping; check the transfer's direction", verb(*.is_write))]
    Denied {
        /// First byte of the access that its mapping forbids.
        address: u64,
        /// Whether the device wrote.
        is_write: bool,
    },
    /// The device cannot address so far; the platform should have bounced the page.
    #[error(
        "bus address {address:#x} is above {highest:#x}, the highest that this platform lets the device reach; map the page first"
    )]
    AboveReach {
        /// First byte of the access.
        address: u64,
        /// Highest address that the device reaches.
        highest: u64,
    },
}

fn verb(is_write: bool) -> &'static str {
    if is_write { "write" } else { "read" }
}
