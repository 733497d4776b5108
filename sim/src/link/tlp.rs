//! Transaction layer packets as the model carries them: a header beside address-aligned data.

use std::fmt;
use std::ops::Range;

use super::faults::Kinship;

/// Widest beat of the TLP streams in bytes (512 bits).
pub const MAX_BEAT_BYTES: usize = 64;

/// Largest payload, plus the lanes before its first DW.
const BUFFER_BYTES: usize = 4096 + MAX_BEAT_BYTES;

/// Framing with sequence number (4), and LCRC (4) of a TLP.
const LINK_BYTES: u32 = 8;

/// Bytes around the payload of a request with a 64-bit address: framing and LCRC 8, header of 4 DW.
pub const REQUEST_64_OVERHEAD: u32 = LINK_BYTES + 16;
/// Bytes around the payload of a request with a 32-bit address (below 4 GiB: PCIe Base Spec 2.2.4.1).
pub const REQUEST_32_OVERHEAD: u32 = LINK_BYTES + 12;
/// Bytes around the payload of a completion: framing and LCRC 8, header of 3 DW.
pub const COMPLETION_OVERHEAD: u32 = LINK_BYTES + 12;

/// Kinds of TLP on the streams, with `tx_kind`'s encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlpKind {
    /// Memory write.
    #[default]
    MemoryWrite = 0,
    /// Memory read.
    MemoryRead = 1,
    /// Completion with data.
    CompletionData = 2,
    /// Completion without data.
    Completion = 3,
}

impl TlpKind {
    /// Kind of this `tx_kind`, of which two bits count.
    pub fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::MemoryWrite,
            1 => Self::MemoryRead,
            2 => Self::CompletionData,
            _ => Self::Completion,
        }
    }

    /// Whether the TLP carries data.
    pub fn has_data(self) -> bool {
        matches!(self, Self::MemoryWrite | Self::CompletionData)
    }

    /// Whether it is a completion.
    pub fn is_completion(self) -> bool {
        matches!(self, Self::CompletionData | Self::Completion)
    }
}

/// Completion status (PCIe Base Spec 2.2.9, table 2-34). Any other code is treated as Unsupported Request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Successful completion.
    #[default]
    Success = 0,
    /// Unsupported Request.
    UnsupportedRequest = 1,
    /// Completer Abort.
    CompleterAbort = 4,
}

impl Status {
    /// Status of this code.
    pub fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Success,
            4 => Self::CompleterAbort,
            _ => Self::UnsupportedRequest,
        }
    }
}

/// Header of a TLP: the fields that the streams carry beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlpHeader {
    /// Kind.
    pub kind: TlpKind,
    /// Byte address, a multiple of 4; of completions the lower address (7 bits, not always a multiple of 4). Of requests to the
    /// device the offset in BAR0.
    pub address: u64,
    /// Length in DW: 1 to 1024; of a completion without data, 0.
    pub len_dw: u16,
    /// Byte enables of the first DW.
    pub first_be: u8,
    /// Byte enables of the last DW.
    pub last_be: u8,
    /// Tag: 10 bits.
    pub tag: u16,
    /// Requester id.
    pub id: u16,
    /// Completions: bytes that are left of the request, these included.
    pub byte_count: u16,
    /// Completions: status.
    pub status: Status,
    /// Completions: the data is poisoned.
    pub poisoned: bool,
}

impl TlpHeader {
    /// Payload bytes, disabled ones included.
    pub fn payload_bytes(&self) -> usize {
        if self.kind.has_data() {
            usize::from(self.len_dw) * 4
        } else {
            0
        }
    }

    /// Bytes on the wire: framing, header, payload, LCRC.
    pub fn wire_bytes(&self) -> u32 {
        let overhead = match self.kind {
            TlpKind::MemoryWrite | TlpKind::MemoryRead if self.address >> 32 != 0 => {
                REQUEST_64_OVERHEAD
            }
            TlpKind::MemoryWrite | TlpKind::MemoryRead => REQUEST_32_OVERHEAD,
            TlpKind::CompletionData | TlpKind::Completion => COMPLETION_OVERHEAD,
        };
        overhead + self.payload_bytes() as u32
    }

    /// Bytes of a request from the first enabled one to the last, counted from `address`. A request of one DW without any
    /// enabled byte has none, but counts as one byte at the address (PCIe Base Spec 2.3.1.1, table 2-38).
    pub fn enabled_range(&self) -> Range<u64> {
        let skip = u64::from(self.first_be.trailing_zeros().min(3));
        let last_be = if self.len_dw == 1 {
            self.first_be
        } else {
            self.last_be
        };
        if self.len_dw == 1 && self.first_be == 0 {
            return 0..0;
        }
        let missing = u64::from((last_be << 4).leading_zeros().min(3));
        skip..(u64::from(self.len_dw) * 4).saturating_sub(missing)
    }

    /// Lanes of the first DW within 64-byte beats.
    pub fn lane(&self) -> usize {
        (self.address % MAX_BEAT_BYTES as u64) as usize & !3
    }
}

impl fmt::Display for TlpHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self {
            address,
            len_dw,
            first_be,
            last_be,
            tag,
            id,
            byte_count,
            ..
        } = self;
        match self.kind {
            TlpKind::MemoryWrite => write!(
                f,
                "MWr  {address:#x} {len_dw} DW, BE {first_be:04b} {last_be:04b}"
            ),
            TlpKind::MemoryRead => write!(
                f,
                "MRd  {address:#x} {len_dw} DW, BE {first_be:04b} {last_be:04b}, tag {tag}"
            ),
            TlpKind::CompletionData | TlpKind::Completion => {
                let name = if self.kind.has_data() { "CplD" } else { "Cpl " };
                write!(
                    f,
                    "{name} tag {tag} of {id:04x}, {len_dw} DW, {byte_count} bytes left, "
                )?;
                let poisoned = if self.poisoned { ", poisoned" } else { "" };
                write!(
                    f,
                    "lower address {address:#04x}, {:?}{poisoned}",
                    self.status
                )
            }
        }
    }
}

/// Data of a TLP, placed so that lane n of a 64-byte aligned beat is byte n of a multiple of 64: every narrower stream finds
/// its beats in it without a shift.
pub type Buffer = Box<[u8; BUFFER_BYTES]>;

/// A TLP on its way.
pub struct Tlp {
    /// Its header.
    pub header: TlpHeader,
    /// Its data, if the kind has any.
    pub data: Option<Buffer>,
    /// Of a completion for the device: whether it is as it should be.
    pub kinship: Kinship,
}

impl Tlp {
    /// A TLP as it should be.
    pub fn new(header: TlpHeader, data: Option<Buffer>) -> Self {
        Self {
            header,
            data,
            kinship: Kinship::Own,
        }
    }

    /// The payload, disabled bytes included; empty if there is none.
    pub fn payload(&self) -> &[u8] {
        let start = self.header.lane();
        match &self.data {
            Some(data) => data
                .get(start..start + self.header.payload_bytes())
                .unwrap_or_default(),
            None => &[],
        }
    }
}

/// Data buffers to use again, so that the running link allocates nothing.
#[derive(Default)]
pub struct Pool {
    free: Vec<Buffer>,
}

impl Pool {
    /// A buffer with arbitrary contents.
    pub fn take(&mut self) -> Buffer {
        self.free
            .pop()
            .unwrap_or_else(|| Box::new([0; BUFFER_BYTES]))
    }

    /// Gives a TLP's buffer back.
    pub fn give(&mut self, tlp: Tlp) {
        self.free.extend(tlp.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PCIe Base Spec 2.3.1.1, tables 2-37 and 2-38, for byte counts and lower addresses.
    #[test]
    fn enabled_bytes_follow_the_tables() {
        let range = |len_dw, first_be, last_be| {
            TlpHeader {
                len_dw,
                first_be,
                last_be,
                ..TlpHeader::default()
            }
            .enabled_range()
        };
        assert_eq!(range(1, 0b1111, 0), 0..4);
        assert_eq!(range(1, 0b0110, 0), 1..3);
        assert_eq!(range(1, 0b1001, 0), 0..4);
        assert_eq!(range(1, 0b1000, 0), 3..4);
        assert_eq!(range(1, 0, 0), 0..0);
        assert_eq!(range(2, 0b1000, 0b0001), 3..5);
        assert_eq!(range(4, 0b1110, 0b0111), 1..15);
    }

    #[test]
    fn wire_bytes_depend_on_the_address_width() {
        let write = TlpHeader {
            len_dw: 64,
            address: 1 << 32,
            ..TlpHeader::default()
        };
        assert_eq!(write.wire_bytes(), 280);
        assert_eq!(
            TlpHeader {
                address: 0xfee0_0000,
                len_dw: 1,
                ..write
            }
            .wire_bytes(),
            24
        );
        assert_eq!(
            TlpHeader {
                kind: TlpKind::MemoryRead,
                ..write
            }
            .wire_bytes(),
            24
        );
        assert_eq!(
            TlpHeader {
                kind: TlpKind::CompletionData,
                address: 0x40,
                ..write
            }
            .wire_bytes(),
            276
        );
    }
}
