//! The bring-up self-test: where the processor that plays the host finds host memory, BAR0 and the user logic.
//!
//! Its own window is that of the soft core ([`crate::mmio`]) as far as cycle timer, clock frequency and LEDs go.

/// Register of the window at [`crate::mmio::BASE`]: a write sends its low byte over the UART; a read says [`UART_BUSY`].
pub const UART: u32 = 0x60;
/// [`UART`]: a byte is on its way, and what is written is dropped.
pub const UART_BUSY: u32 = 1;
/// Bits a second of the UART: 8 data bits, no parity, one stop bit.
pub const UART_BAUD: u32 = 921_600;

/// Host memory in the processor's address space; words of 32 bits.
pub const HOST_MEMORY: u32 = 0xc000_0000;
/// Bytes of host memory.
pub const HOST_MEMORY_BYTES: u32 = 0x1_0000;
/// Bus address of host memory: what the device sees it at.
pub const BUS_ADDRESS: u64 = 0x12_3400_0000;
/// BAR0 in the processor's address space; words of 32 bits. A read that the device refuses or does not answer gives all ones.
pub const BAR0: u32 = 0xd000_0000;
/// Registers of the user logic and of the root complex in the processor's address space; their offsets follow.
pub const REGISTERS: u32 = 0xe000_0000;

/// Bytes of the source's next packets; a write lets one packet begin.
pub const SOURCE_LENGTH: u32 = 0x00;
/// Seed of the source's packets.
pub const SOURCE_SEED: u32 = 0x04;
/// Packets that the source has sent.
pub const SOURCE_PACKETS: u32 = 0x08;
/// Seed of the packets that the sink expects; a write zeroes its counts.
pub const SINK_SEED: u32 = 0x10;
/// Bytes that the sink has taken, modulo 2^32.
pub const SINK_BYTES: u32 = 0x14;
/// Packets that the sink has taken.
pub const SINK_PACKETS: u32 = 0x18;
/// Bytes that differed from the pattern, in bits 15:0; beats with TUSER, in bits 31:16.
pub const SINK_WRONG: u32 = 0x1c;
/// A write makes the next write to [`BAR0`] one of two DWs, with this one as the second: a doorbell.
pub const BAR0_HIGH: u32 = 0x24;
/// What the root complex has seen that no device may do, since reset: the bits that follow.
pub const VIOLATIONS: u32 = 0x20;

/// [`VIOLATIONS`]: a write outside of host memory.
pub const STRAY_WRITE: u32 = 1;
/// [`VIOLATIONS`]: a read outside of host memory; it was answered with UR.
pub const STRAY_READ: u32 = 2;
/// [`VIOLATIONS`]: a request across a 4 KiB boundary, longer than Max_Payload_Size or Max_Read_Request_Size, or with other beats than
/// its length says.
pub const MALFORMED: u32 = 4;
/// [`VIOLATIONS`]: a beat of the sink's stream had a TKEEP that AXI4-Stream of this kind does not have.
pub const MALFORMED_STREAM: u32 = 8;
