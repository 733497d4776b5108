//! The soft core's memory-mapped window: byte offsets from [`BASE`].

use crate::declare::constants;

constants! { "mmio";
    /// Start of the window in the core's address space.
    BASE: u32 = 0x8000_0000,
    /// Bit 0: a message is available; bit 1: there is room for a command; bit 2: the message is a raw entry.
    MAILBOX_STATUS: u32 = 0x00,
    /// Word 0 of the message at the head.
    RX_WORD0: u32 = 0x10,
    /// Word 1 of the message at the head.
    RX_WORD1: u32 = 0x14,
    /// Word 2 of the message at the head.
    RX_WORD2: u32 = 0x18,
    /// Word 3 of the message at the head.
    RX_WORD3: u32 = 0x1c,
    /// A write takes the message off the head.
    RX_POP: u32 = 0x20,
    /// Word 0 of the next command.
    TX_WORD0: u32 = 0x30,
    /// Word 1 of the next command.
    TX_WORD1: u32 = 0x34,
    /// Word 2 of the next command.
    TX_WORD2: u32 = 0x38,
    /// Word 3 of the next command; the write sends it.
    TX_WORD3: u32 = 0x3c,
    /// Core cycles since reset, low half; reading it holds the high half.
    CYCLES_LO: u32 = 0x40,
    /// Core cycles since reset, high half.
    CYCLES_HI: u32 = 0x44,
    /// Core clock in Hz.
    CORE_HZ: u32 = 0x48,
    /// Queues and vectors of the device, as BAR0's register LIMITS0 has them.
    LIMITS: u32 = 0x4c,
    /// LEDs, one per bit.
    LEDS: u32 = 0x50,
    /// Layout hash of the gateware, low half, at this offset in every version: firmware with another hash does not serve.
    LAYOUT_HASH_LO: u32 = 0x58,
    /// Layout hash of the gateware, high half, at this offset in every version.
    LAYOUT_HASH_HI: u32 = 0x5c,
    /// [`MAILBOX_STATUS`]: a message is available.
    STATUS_MESSAGE: u32 = 1,
    /// [`MAILBOX_STATUS`]: there is room for a command.
    STATUS_ROOM: u32 = 2,
    /// [`MAILBOX_STATUS`]: the message at the head is a quarter of an admin entry.
    STATUS_RAW: u32 = 4,
}
