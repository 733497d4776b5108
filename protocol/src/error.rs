//! Why bytes are not a valid structure.

/// Bytes that came over a boundary and are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The slice has another length than the structure.
    #[error("{structure} takes {expected} bytes and {found} were given: pass exactly one entry")]
    Length {
        /// Structure that was asked for.
        structure: &'static str,
        /// Its size in bytes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A bit that must be zero is set.
    #[error(
        "{structure}: reserved bits {bits:#x} of the 64-bit word at byte {offset:#x} are set: write them as zero, or \
         check that both sides speak the same ABI version"
    )]
    Reserved {
        /// Structure that was decoded.
        structure: &'static str,
        /// Byte offset of the 64-bit word.
        offset: usize,
        /// The reserved bits that were set, in that word.
        bits: u64,
    },
    /// A code field holds a value without a meaning.
    #[error(
        "{structure}: {field} holds the unknown code {value:#x}: see its table in docs/wire-format.md"
    )]
    UnknownCode {
        /// Structure that was decoded.
        structure: &'static str,
        /// Field that holds the code.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A field is outside the range that the structure allows.
    #[error("{structure}: {field} is {value:#x}, but {rule}")]
    OutOfRange {
        /// Structure that was decoded.
        structure: &'static str,
        /// Field that is out of range.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
}
