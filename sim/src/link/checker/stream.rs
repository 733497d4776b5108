//! The handshake and the beats of the transmit stream.

use super::Rule;
use crate::link::pins::TxPorts;
use crate::link::tlp::TlpHeader;

/// What is known of the stream.
pub struct Stream {
    width: usize,
    /// A beat that was offered and not taken.
    waiting: Option<TxPorts>,
    /// First beat of the TLP under way, and what its beats must be.
    packet: Option<Packet>,
}

struct Packet {
    first: TxPorts,
    beats: u64,
    left: u64,
    lane: u64,
}

impl Stream {
    pub fn new(width: usize) -> Self {
        Self {
            width,
            waiting: None,
            packet: None,
        }
    }

    /// One cycle. Returns the header of a TLP that is offered for the first time.
    pub fn cycle(&mut self, tx: &TxPorts, ready: bool) -> Result<Option<TlpHeader>, Rule> {
        let mut offered = None;
        match self.waiting.take() {
            Some(_) if !tx.valid => return Err(Rule::ValidDropped),
            Some(waiting) => self.unchanged(&waiting, tx)?,
            None if !tx.valid => return Ok(None),
            None => offered = self.next_beat(tx)?,
        }
        if !ready {
            self.waiting = Some(*tx);
        } else if let Some(packet) = &mut self.packet {
            packet.left -= 1;
            if packet.left == 0 {
                self.packet = None;
            }
        }
        Ok(offered)
    }

    fn unchanged(&self, waiting: &TxPorts, tx: &TxPorts) -> Result<(), Rule> {
        let changed = header_change(waiting, tx)
            .or((waiting.sop != tx.sop).then_some("tx_sop"))
            .or((waiting.eop != tx.eop).then_some("tx_eop"))
            .or((waiting.data[..self.width] != tx.data[..self.width]).then_some("tx_data"));
        match changed {
            None => Ok(()),
            Some(port) => Err(Rule::ChangedWhileWaiting { port }),
        }
    }

    /// A beat that was not on offer in the last cycle.
    fn next_beat(&mut self, tx: &TxPorts) -> Result<Option<TlpHeader>, Rule> {
        let offered = match &self.packet {
            Some(packet) if tx.sop => {
                return Err(Rule::StartInside {
                    beats_left: packet.left,
                });
            }
            Some(packet) => match header_change(&packet.first, tx) {
                Some(port) => return Err(Rule::HeaderChanged { port }),
                None => None,
            },
            None if !tx.sop => return Err(Rule::NoStart),
            None => {
                fits(tx)?;
                let header = tx.header();
                let width = self.width as u64;
                let lane = (tx.address & !3) % width;
                let beats = match tx.kind {
                    0 | 2 => (lane + u64::from(tx.len_dw) * 4).div_ceil(width).max(1),
                    _ => 1,
                };
                self.packet = Some(Packet {
                    first: *tx,
                    beats,
                    left: beats,
                    lane,
                });
                Some(header)
            }
        };
        if let Some(&Packet {
            beats, left, lane, ..
        }) = self.packet.as_ref()
        {
            let len_dw = tx.len_dw;
            if tx.eop && left > 1 {
                return Err(Rule::EndsEarly {
                    beats_left: left - 1,
                    len_dw,
                    lane,
                    beats,
                });
            }
            if !tx.eop && left == 1 {
                return Err(Rule::EndsLate {
                    len_dw,
                    lane,
                    beats,
                });
            }
        }
        Ok(offered)
    }
}

/// The header port that differs, if one does.
fn header_change(one: &TxPorts, other: &TxPorts) -> Option<&'static str> {
    [
        (one.kind != other.kind, "tx_kind"),
        (one.address != other.address, "tx_addr"),
        (one.len_dw != other.len_dw, "tx_len"),
        (one.first_be != other.first_be, "tx_first_be"),
        (one.last_be != other.last_be, "tx_last_be"),
        (one.tag != other.tag, "tx_tag"),
        (one.id != other.id, "tx_id"),
        (one.byte_count != other.byte_count, "tx_byte_count"),
        (one.status != other.status, "tx_status"),
    ]
    .into_iter()
    .find_map(|(changed, port)| changed.then_some(port))
}

/// The ports' widths.
fn fits(tx: &TxPorts) -> Result<(), Rule> {
    let ports: [(&'static str, u16, u16); 7] = [
        ("tx_kind", tx.kind.into(), 0x3),
        ("tx_len", tx.len_dw, 0x7ff),
        ("tx_first_be", tx.first_be.into(), 0xf),
        ("tx_last_be", tx.last_be.into(), 0xf),
        ("tx_tag", tx.tag, 0x3ff),
        ("tx_byte_count", tx.byte_count, 0x1fff),
        ("tx_status", tx.status.into(), 0x7),
    ];
    match ports.into_iter().find(|&(_, value, most)| value > most) {
        None => Ok(()),
        Some((port, value, _)) => Err(Rule::FieldWidth {
            port,
            value: value.into(),
        }),
    }
}
