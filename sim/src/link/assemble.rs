//! Beats on the device's transmit stream become TLPs.

use super::pins::TxPorts;
use super::tlp::{Buffer, Pool, Tlp, TlpHeader};

/// The TLP that is being taken from the pins.
#[derive(Default)]
pub struct Assembler {
    begun: Option<(TlpHeader, Option<Buffer>)>,
    /// Place of the next beat in the buffer.
    at: usize,
}

impl Assembler {
    /// Whether a TLP is half taken.
    pub fn busy(&self) -> bool {
        self.begun.is_some()
    }

    /// Takes an accepted beat of `width` bytes; returns the TLP with its last one. The checker has seen the beat, so the
    /// TLP's length and its beats agree.
    pub fn push(&mut self, tx: &TxPorts, width: usize, pool: &mut Pool) -> Option<Tlp> {
        let (_, data) = self.begun.get_or_insert_with(|| {
            let header = tx.header();
            self.at = header.lane() / width * width;
            (header, header.kind.has_data().then(|| pool.take()))
        });
        if let Some(data) = data
            && let Some(place) = data.get_mut(self.at..self.at + width)
        {
            place.copy_from_slice(&tx.data[..width]);
        }
        self.at += width;
        if !tx.eop {
            return None;
        }
        self.begun
            .take()
            .map(|(header, data)| Tlp::new(header, data))
    }
}
