//! What the checker finds wrong.

/// A broken rule, with when and after which TLPs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("illegal on the PCIe link at {:.3} ns: {rule}\nlast TLPs, newest last:\n{trace}", *.at_ps as f64 / 1000.0)]
pub struct Violation {
    /// Virtual time in picoseconds.
    pub at_ps: u64,
    /// What is wrong.
    pub rule: Rule,
    /// The last TLPs, one a line, newest last.
    pub trace: String,
}

/// A rule of the link with the values that broke it. Sections are those of the PCIe Base Specification 5.0; rules of the streams are
/// those of docs/gateware.md.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// `tx_valid` fell before `tx_ready`.
    #[error("tx_valid fell before the beat was taken; it must stay until tx_ready")]
    ValidDropped,
    /// A beat changed while it waited.
    #[error("{port} changed while the beat waited for tx_ready")]
    ChangedWhileWaiting {
        /// Name of the port.
        port: &'static str,
    },
    /// A header changed inside a TLP.
    #[error("{port} changed inside a TLP; the header is constant from sop to eop")]
    HeaderChanged {
        /// Name of the port.
        port: &'static str,
    },
    /// A TLP without a start.
    #[error("a beat without tx_sop, but no TLP is under way")]
    NoStart,
    /// A start inside a TLP.
    #[error("tx_sop inside a TLP, {beats_left} beats before its end")]
    StartInside {
        /// Beats that were still to come.
        beats_left: u64,
    },
    /// Too few beats.
    #[error("tx_eop {beats_left} beats too early: {len_dw} DW from lane {lane} take {beats} beats")]
    EndsEarly {
        /// Beats that are missing.
        beats_left: u64,
        /// `tx_len`.
        len_dw: u16,
        /// First byte lane.
        lane: u64,
        /// Beats that the TLP takes.
        beats: u64,
    },
    /// Too many beats.
    #[error("no tx_eop on the last beat: {len_dw} DW from lane {lane} take {beats} beats")]
    EndsLate {
        /// `tx_len`.
        len_dw: u16,
        /// First byte lane.
        lane: u64,
        /// Beats that the TLP takes.
        beats: u64,
    },
    /// A field holds more bits than its port has.
    #[error("{port} = {value:#x} does not fit its width")]
    FieldWidth {
        /// Name of the port.
        port: &'static str,
        /// Its value.
        value: u64,
    },
    /// Section 2.2.2: 1 to 1024 DW.
    #[error("a length of {len_dw} DW; requests and completions with data have 1 to 1024 (2.2.2)")]
    Length {
        /// The length.
        len_dw: u16,
    },
    /// An address inside a DW.
    #[error("address {address:#x} is not a multiple of 4; byte enables say where in a DW to begin")]
    Misaligned {
        /// The address.
        address: u64,
    },
    /// Section 2.2.2.
    #[error("a payload of {bytes} bytes; the maximum payload size is {mps} (2.2.2)")]
    OverMps {
        /// Bytes of the payload.
        bytes: u64,
        /// Maximum payload size.
        mps: u64,
    },
    /// Section 2.2.7.
    #[error("a read of {bytes} bytes; the maximum read request size is {mrrs} (2.2.7)")]
    OverMrrs {
        /// Bytes asked for.
        bytes: u64,
        /// Maximum read request size.
        mrrs: u64,
    },
    /// Section 2.2.7.
    #[error("{bytes} bytes at {address:#x} cross a 4 KiB boundary (2.2.7)")]
    Crosses4K {
        /// First byte.
        address: u64,
        /// Bytes.
        bytes: u64,
    },
    /// Section 2.2.5.
    #[error("byte enables {first_be:04b} {last_be:04b} of {len_dw} DW: {why} (2.2.5)")]
    ByteEnables {
        /// First DW's.
        first_be: u8,
        /// Last DW's.
        last_be: u8,
        /// Length.
        len_dw: u16,
        /// What is wrong with them.
        why: &'static str,
    },
    /// A tag that is not enabled.
    #[error("tag {tag}; {tags} tags are enabled (2.2.6.2)")]
    TagRange {
        /// The tag.
        tag: u16,
        /// Number of tags.
        tags: usize,
    },
    /// Section 2.2.6.2.
    #[error(
        "tag {tag} is used again while {left} bytes of its read of {address:#x} are outstanding (2.2.6.2)"
    )]
    TagReused {
        /// The tag.
        tag: u16,
        /// Next address that the outstanding read waits for.
        address: u64,
        /// Bytes that it waits for.
        left: u64,
    },
    /// Section 7.5.1.1.3.
    #[error("a request for {address:#x} with Bus Master Enable off (7.5.1.1.3)")]
    BusMasterOff {
        /// Its address.
        address: u64,
    },
    /// Section 6.1.4.
    #[error(
        "an interrupt message of {len_dw} DW with byte enables {first_be:04b}; it is one whole DW (6.1.4)"
    )]
    BadInterrupt {
        /// Its length.
        len_dw: u16,
        /// Its byte enables.
        first_be: u8,
    },
    /// Section 2.3.2.
    #[error("a completion with tag {tag}, but no read with this tag is outstanding (2.3.2)")]
    UnexpectedCompletion {
        /// Its tag.
        tag: u16,
    },
    /// Section 2.2.9.
    #[error("a completion for requester {id:#06x}; the request came from {expected:#06x} (2.2.9)")]
    RequesterId {
        /// Requester id in the completion.
        id: u16,
        /// Requester id of the request.
        expected: u16,
    },
    /// Section 2.2.9.
    #[error("tag {tag}: {why} (2.2.9)")]
    CompletionShape {
        /// The tag.
        tag: u16,
        /// What is wrong.
        why: &'static str,
    },
    /// Section 2.3.1.1.
    #[error("tag {tag}: byte count {byte_count}, but {expected} bytes are outstanding (2.3.1.1)")]
    ByteCount {
        /// The tag.
        tag: u16,
        /// Byte count in the completion.
        byte_count: u16,
        /// Bytes that the read waits for.
        expected: u64,
    },
    /// Section 2.3.1.1.
    #[error(
        "tag {tag}: lower address {lower:#04x}, but the next byte is at {expected:#04x} (2.3.1.1)"
    )]
    LowerAddress {
        /// The tag.
        tag: u16,
        /// Lower address in the completion.
        lower: u64,
        /// Low seven bits of the next address.
        expected: u64,
    },
    /// Section 2.3.1.1.
    #[error("tag {tag}: {len_dw} DW of data, but {needed} complete the read (2.3.1.1)")]
    CompletionLength {
        /// The tag.
        tag: u16,
        /// Length of the completion.
        len_dw: u16,
        /// Length that completes the read.
        needed: u64,
    },
    /// Section 2.3.1.1.
    #[error(
        "tag {tag}: the completion ends at {end:#x}, which is no multiple of the {rcb}-byte completion boundary (2.3.1.1)"
    )]
    CompletionBoundary {
        /// The tag.
        tag: u16,
        /// Address past its last byte.
        end: u64,
        /// Read completion boundary.
        rcb: u64,
    },
    /// Section 2.6.1: endpoints advertise infinite completion credits and must have the room that they ask to be filled.
    #[error(
        "the outstanding reads may come back as {headers} completions with {data} x 16 bytes; the hard IP holds {header_space} and {data_space} (2.6.1)"
    )]
    CompletionSpace {
        /// Completions in the worst case.
        headers: u64,
        /// Completions that the hard IP holds.
        header_space: u64,
        /// Units of 16 bytes in the worst case.
        data: u64,
        /// Units of 16 bytes that the hard IP holds.
        data_space: u64,
    },
    /// Memory that nobody has given to the device.
    #[error("a {} of {bytes} bytes at {address:#x}, which nobody has given to the device for this", if *.is_write { "write" } else { "read" })]
    NotPermitted {
        /// Direction.
        is_write: bool,
        /// First DW.
        address: u64,
        /// Bytes, disabled ones included.
        bytes: u32,
    },
    /// Section 2.4.1.
    #[error("the write to {address:#x} arrived before the older write to {expected:#x} (2.4.1)")]
    WriteOutOfOrder {
        /// Address of the write.
        address: u64,
        /// Address of the oldest write under way; 0 if there is none.
        expected: u64,
    },
    /// Section 2.4.1.
    #[error("the read with tag {tag} arrived before {writes} older writes (2.4.1)")]
    ReadPassedWrite {
        /// Its tag.
        tag: u16,
        /// Number of the writes.
        writes: u64,
    },
}
