//! What a device can do on the bus by itself.

/// Why an access of the device came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusFaultReason {
    /// Nothing is mapped for the device there.
    #[error("nothing is mapped for the device there")]
    NotMapped,
    /// What is mapped there allows only the other direction.
    #[error("what is mapped there does not allow it")]
    Denied,
    /// Bus mastering is off.
    #[error("Bus Master Enable is 0")]
    BusMasterOff,
    /// The device is gone.
    #[error("the device was removed")]
    Removed,
    /// The device has too few address bits.
    #[error("the device has too few address bits")]
    AboveReach,
}

/// A device's access that the machine refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device {} of bus address {address:#x}: {reason}", if *.is_write { "write" } else { "read" })]
pub struct BusFault {
    /// First byte that is out of reach.
    pub address: u64,
    /// The device wanted to write.
    pub is_write: bool,
    /// Why.
    pub reason: BusFaultReason,
}

/// What a device can do on the bus by itself.
pub trait DeviceBus {
    /// Reads memory at a bus address.
    ///
    /// # Errors
    /// Nothing the device may reach is there, or bus mastering is off.
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), BusFault>;

    /// Writes memory at a bus address. Nothing is written if a part is out of reach.
    ///
    /// # Errors
    /// Nothing the device may reach is there, or bus mastering is off.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusFault>;
}
