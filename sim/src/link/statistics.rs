//! What went over the link.

use super::config::Direction;
use super::tlp::{TlpHeader, TlpKind};
use super::wire::Sent;

/// Totals of one direction. Times are picoseconds of virtual time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirectionStatistics {
    /// TLPs by kind: MWr, MRd, CplD, Cpl (the order of `tx_kind`).
    pub tlps: [u64; 4],
    /// Payload bytes of MWr and CplD, disabled bytes included.
    pub payload_bytes: u64,
    /// Bytes on the wire: payloads, headers, framing, LCRC.
    pub wire_bytes: u64,
    /// Time in which the wire carried TLPs.
    pub busy_ps: u64,
    /// Start on the wire of the first TLP with data.
    pub first_data_ps: Option<u64>,
    /// End on the wire of the last TLP with data.
    pub last_data_ps: Option<u64>,
}

/// Totals of the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Device to root complex.
    pub upstream: DirectionStatistics,
    /// Root complex to device.
    pub downstream: DirectionStatistics,
    /// Interrupt messages that reached the host.
    pub interrupts: u64,
    /// Device cycles in which a transmit beat was taken.
    pub tx_beats: u64,
    /// Device cycles in which a transmit beat was offered, but the link was not ready.
    pub tx_stalled: u64,
    /// Device cycles in which the link was ready, but nothing was offered.
    pub tx_idle: u64,
    /// Device cycles with a completion beat.
    pub completion_beats: u64,
}

/// One TLP's way, for timelines. Times are picoseconds of virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlpRecord {
    /// Direction of travel.
    pub direction: Direction,
    /// Its header.
    pub header: TlpHeader,
    /// When it was complete and waited for the wire.
    pub ready_ps: u64,
    /// First byte on the wire.
    pub start_ps: u64,
    /// Last byte has left the wire.
    pub end_ps: u64,
    /// It takes effect at the other end.
    pub arrival_ps: u64,
}

impl DirectionStatistics {
    /// Counts a TLP.
    pub(super) fn add(&mut self, header: &TlpHeader, sent: &Sent) {
        self.tlps[header.kind as usize] += 1;
        self.payload_bytes += header.payload_bytes() as u64;
        self.wire_bytes += u64::from(header.wire_bytes());
        self.busy_ps += sent.end_ps - sent.start_ps;
        if header.kind.has_data() {
            self.first_data_ps.get_or_insert(sent.start_ps);
            self.last_data_ps = Some(sent.end_ps);
        }
    }

    /// TLPs of one kind.
    pub fn count(&self, kind: TlpKind) -> u64 {
        self.tlps[kind as usize]
    }

    /// Payload bytes per second between the first and the last TLP with data; 0 without any.
    pub fn payload_bytes_per_second(&self) -> f64 {
        match (self.first_data_ps, self.last_data_ps) {
            (Some(first), Some(last)) if last > first => {
                self.payload_bytes as f64 * 1e12 / (last - first) as f64
            }
            _ => 0.0,
        }
    }
}

impl Statistics {
    /// Totals of a direction.
    pub fn of(&self, direction: Direction) -> &DirectionStatistics {
        match direction {
            Direction::Upstream => &self.upstream,
            Direction::Downstream => &self.downstream,
        }
    }

    pub(super) fn of_mut(&mut self, direction: Direction) -> &mut DirectionStatistics {
        match direction {
            Direction::Upstream => &mut self.upstream,
            Direction::Downstream => &mut self.downstream,
        }
    }
}
