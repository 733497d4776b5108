//! Physical memory as CPU and device see it.

/// A device's access that the machine refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device may not access bus address {address:#x}")]
pub struct BusFault {
    /// First byte that is out of reach.
    pub address: u64,
}

/// What a device can do on the bus by itself.
pub trait DeviceBus {
    /// Reads memory at a bus address.
    ///
    /// # Errors
    /// Nothing the device may reach is there, or bus mastering is off.
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault>;

    /// Writes memory at a bus address.
    ///
    /// # Errors
    /// Nothing the device may reach is there, or bus mastering is off.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault>;
}
