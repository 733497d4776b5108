//! The device's TLP ports in one clock cycle (docs/gateware.md, "TLP streams").

use super::tlp::{MAX_BEAT_BYTES, Status, TlpHeader, TlpKind};

/// What the device shows on its transmit stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxPorts {
    /// `tx_valid`.
    pub valid: bool,
    /// `tx_sop`.
    pub sop: bool,
    /// `tx_eop`.
    pub eop: bool,
    /// `tx_kind`: 0 MWr, 1 MRd, 2 CplD, 3 Cpl.
    pub kind: u8,
    /// `tx_addr`: byte address, a multiple of 4; for completions the lower address.
    pub address: u64,
    /// `tx_len` in DW, 11 bits.
    pub len_dw: u16,
    /// `tx_first_be`.
    pub first_be: u8,
    /// `tx_last_be`.
    pub last_be: u8,
    /// `tx_tag`, 10 bits.
    pub tag: u16,
    /// `tx_id`: requester id of the request that a completion answers.
    pub id: u16,
    /// `tx_byte_count` of completions, 13 bits.
    pub byte_count: u16,
    /// `tx_status` of completions.
    pub status: u8,
    /// `tx_data`; the first W/8 bytes count.
    pub data: [u8; MAX_BEAT_BYTES],
}

impl Default for TxPorts {
    /// An idle stream.
    fn default() -> Self {
        Self {
            valid: false,
            sop: false,
            eop: false,
            kind: 0,
            address: 0,
            len_dw: 0,
            first_be: 0,
            last_be: 0,
            tag: 0,
            id: 0,
            byte_count: 0,
            status: 0,
            data: [0; MAX_BEAT_BYTES],
        }
    }
}

impl TxPorts {
    /// The header beside the data.
    pub fn header(&self) -> TlpHeader {
        TlpHeader {
            kind: TlpKind::from_bits(self.kind),
            address: self.address,
            len_dw: self.len_dw,
            first_be: self.first_be,
            last_be: self.last_be,
            tag: self.tag,
            id: self.id,
            byte_count: self.byte_count,
            status: Status::from_bits(self.status),
            poisoned: false,
        }
    }

    /// Puts a header on the ports, as a device model in a test does.
    pub fn set_header(&mut self, header: &TlpHeader) {
        self.kind = header.kind as u8;
        self.address = header.address;
        self.len_dw = header.len_dw;
        self.first_be = header.first_be;
        self.last_be = header.last_be;
        self.tag = header.tag;
        self.id = header.id;
        self.byte_count = header.byte_count;
        self.status = header.status as u8;
    }
}

/// Read completion stream into the device; there is no ready.
#[derive(Debug, Clone, Copy)]
pub struct CplPort {
    /// `cpl_valid`.
    pub valid: bool,
    /// `cpl_sop`.
    pub sop: bool,
    /// `cpl_eop`.
    pub eop: bool,
    /// `cpl_tag`.
    pub tag: u16,
    /// `cpl_len` in DW.
    pub len_dw: u16,
    /// `cpl_byte_count`: remaining bytes, as in the TLP.
    pub byte_count: u16,
    /// `cpl_lower_addr`, 7 bits.
    pub lower_address: u8,
    /// `cpl_status`.
    pub status: u8,
    /// `cpl_poisoned`.
    pub poisoned: bool,
    /// `cpl_data`; the first W/8 bytes count. Lanes outside the payload hold arbitrary bytes.
    pub data: [u8; MAX_BEAT_BYTES],
}

/// Request stream into the device (BAR0); held until `req_ready`.
#[derive(Debug, Clone, Copy)]
pub struct ReqPort {
    /// `req_valid`.
    pub valid: bool,
    /// `req_sop`.
    pub sop: bool,
    /// `req_eop`.
    pub eop: bool,
    /// `req_write`.
    pub write: bool,
    /// `req_addr`: byte offset in BAR0, a multiple of 4.
    pub address: u32,
    /// `req_len` in DW.
    pub len_dw: u16,
    /// `req_first_be`.
    pub first_be: u8,
    /// `req_last_be`.
    pub last_be: u8,
    /// `req_tag`.
    pub tag: u16,
    /// `req_id`.
    pub id: u16,
    /// `req_data`; the first W/8 bytes count. Lanes outside the payload hold arbitrary bytes.
    pub data: [u8; MAX_BEAT_BYTES],
}

/// All that the link shows to the device in a cycle. Fields beside a false `valid` keep what they showed last.
#[derive(Debug, Clone, Copy)]
pub struct RxPorts {
    /// Read completions.
    pub cpl: CplPort,
    /// Requests to BAR0.
    pub req: ReqPort,
    /// `tx_ready`.
    pub tx_ready: bool,
}

impl Default for RxPorts {
    /// Idle streams.
    fn default() -> Self {
        Self {
            cpl: CplPort {
                valid: false,
                sop: false,
                eop: false,
                tag: 0,
                len_dw: 0,
                byte_count: 0,
                lower_address: 0,
                status: 0,
                poisoned: false,
                data: [0; MAX_BEAT_BYTES],
            },
            req: ReqPort {
                valid: false,
                sop: false,
                eop: false,
                write: false,
                address: 0,
                len_dw: 0,
                first_be: 0,
                last_be: 0,
                tag: 0,
                id: 0,
                data: [0; MAX_BEAT_BYTES],
            },
            tx_ready: false,
        }
    }
}
