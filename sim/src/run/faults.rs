//! From a scenario's faults to what the link is to do wrong: where a transfer's data, entry and list lie on the bus.

use std::ops::Range;

use pinring_core::Transfer;
use pinring_protocol::limits::SG_BLOCK_BYTES;
use pinring_protocol::registers::{self, aperture};
use pinring_protocol::{
    DecodeError, Direction, RegionEntry, SgElement, SgFormat, SgUniformElement, SubmissionEntry,
};

use super::setup::Bench;
use crate::host::{BusFault, HostBus, PAGE_BYTES};
use crate::link::{self, Status, Trigger};
use crate::scenario::{Fault, FaultKind, FaultScope, FaultTarget};

/// Why a fault could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The driver's tables could not be read.
    #[error("reading the driver's tables: {0}")]
    Unreadable(#[from] BusFault),
    /// They hold nothing that the device could use.
    #[error("the driver's tables: {0}")]
    Table(#[from] DecodeError),
    /// The transfer leaves the list.
    #[error("byte {0} of the transfer is not in its region's list")]
    NotListed(u64),
    /// No queue.
    #[error("there is no queue of the transfer's direction")]
    NoQueue,
    /// A kind that needs a duration has none.
    #[error("{0:?} needs duration_ns")]
    NoDuration(FaultKind),
}

/// A stretch of a region: from this byte position on, so many bytes from this bus address on, told by this element.
struct Stretch {
    position: u64,
    bytes: u64,
    address: u64,
    element: u64,
}

impl Bench {
    /// Has something go wrong with a transfer that is about to be submitted, as entry `index` of its queue's life.
    ///
    /// # Errors
    /// The transfer's region is not one that the device could use.
    pub fn inject(
        &mut self,
        fault: &Fault,
        direction: Direction,
        transfer: &Transfer,
        index: u64,
    ) -> Result<(), FaultError> {
        let queue = self.queue(direction).ok_or(FaultError::NoQueue)?.clone();
        let trigger = match (fault.kind.scope(), fault.target()) {
            (FaultScope::Interrupt, _) => Trigger::Message(queue.vector),
            (FaultScope::Doorbell, _) => {
                let page = u64::from(aperture::DOORBELLS)
                    + u64::from(queue.handle.id()) * u64::from(aperture::DOORBELL_STRIDE);
                let doorbell = page + u64::from(aperture::DOORBELL);
                Trigger::Bar(doorbell..doorbell + 8)
            }
            (_, FaultTarget::SubmissionEntry) => {
                let slot = index % u64::from(self.window);
                let ring = queue.rings.first().ok_or(FaultError::NoQueue)?.start;
                let entry = ring + slot * SubmissionEntry::BYTES as u64;
                Trigger::Touches(structure(entry, SubmissionEntry::BYTES))
            }
            (_, FaultTarget::RegionEntry) => {
                let entry = self.region_entry(transfer);
                Trigger::Touches(structure(entry, RegionEntry::BYTES))
            }
            (_, FaultTarget::Data) => Trigger::Touches(self.places(fault, transfer, data_place)?),
            (_, FaultTarget::SgBlock) => {
                Trigger::Touches(self.places(fault, transfer, |stretch, _| {
                    let block = SG_BLOCK_BYTES as u64;
                    let first = stretch.element / block * block;
                    first..first + block
                })?)
            }
        };
        // Another transfer's read would fail a transfer that nothing is said of.
        let among = match (fault.kind, fault.target(), &trigger) {
            (FaultKind::WrongTag, FaultTarget::Data, _) => {
                let whole = Fault {
                    at_byte: None,
                    ..fault.clone()
                };
                self.places(&whole, transfer, data_place)?
            }
            (FaultKind::WrongTag, _, Trigger::Touches(ranges)) => ranges.clone(),
            _ => Vec::new(),
        };
        let (kind, nth) = (link_kind(fault)?, fault.nth);
        self.machine().link.inject(link::Fault {
            kind,
            trigger,
            nth,
            among,
        });
        Ok(())
    }

    /// Bus address of the region table's entry for a transfer.
    fn region_entry(&mut self, transfer: &Transfer) -> u64 {
        let table = self.device.read_register(&registers::REGION_TABLE);
        table + u64::from(transfer.region.id()) * RegionEntry::BYTES as u64
    }

    /// Where the bytes of a transfer lie that a fault is about, or what tells it.
    fn places(
        &mut self,
        fault: &Fault,
        transfer: &Transfer,
        place: impl Fn(&Stretch, Range<u64>) -> Range<u64>,
    ) -> Result<Vec<Range<u64>>, FaultError> {
        let address = self.region_entry(transfer);
        let host = &mut self.machine().host;
        let mut bytes = [0; RegionEntry::BYTES];
        host.read(address, &mut bytes)?;
        let entry = RegionEntry::decode(&bytes)?;
        entry.check()?;
        let (offset, length) = match fault.at_byte {
            Some(byte) => (transfer.offset + byte, 1),
            None => (transfer.offset, transfer.length),
        };
        let mut next = u64::from(entry.first_byte_offset()) + offset;
        let end = next + length;
        let mut found = Vec::new();
        for index in 0..u64::from(entry.element_count()) {
            let stretch = stretch(host, &entry, index)?;
            let until = end.min(stretch.position + stretch.bytes);
            if stretch.position <= next && next < until {
                found.push(place(&stretch, next..until));
                next = until;
            }
        }
        match next < end {
            true => Err(FaultError::NotListed(next)),
            false => Ok(found),
        }
    }
}

/// The addresses of a structure, in the one stretch that it takes.
/// Where these bytes of a stretch lie.
fn data_place(stretch: &Stretch, bytes: Range<u64>) -> Range<u64> {
    let first = stretch.address + (bytes.start - stretch.position);
    first..first + (bytes.end - bytes.start)
}

fn structure(first: u64, bytes: usize) -> Vec<Range<u64>> {
    std::iter::once(first..first + bytes as u64).collect()
}

/// Element `index` of a region's list.
fn stretch(
    host: &mut impl HostBus,
    entry: &RegionEntry,
    index: u64,
) -> Result<Stretch, FaultError> {
    if entry.format()? == SgFormat::Uniform {
        let element = entry.sg_table() + index * SgUniformElement::BYTES as u64;
        let mut bytes = [0; SgUniformElement::BYTES];
        host.read(element, &mut bytes)?;
        let decoded = SgUniformElement::decode(&bytes)?;
        decoded.check()?;
        return Ok(Stretch {
            position: index << entry.page_shift(),
            bytes: 1 << entry.page_shift(),
            address: decoded.page_frame() * PAGE_BYTES,
            element,
        });
    }
    let element = entry.sg_table() + index * SgElement::BYTES as u64;
    let mut bytes = [0; SgElement::BYTES];
    host.read(element, &mut bytes)?;
    let decoded = SgElement::decode(&bytes)?;
    decoded.check()?;
    Ok(Stretch {
        position: u64::from(decoded.start_page()) * PAGE_BYTES,
        bytes: u64::from(decoded.pages()) * PAGE_BYTES,
        address: decoded.page_frame() * PAGE_BYTES,
        element,
    })
}

/// The same kind for the link.
fn link_kind(fault: &Fault) -> Result<link::FaultKind, FaultError> {
    let ps = || match fault.duration_ns {
        Some(ns) => Ok(ns.saturating_mul(1000)),
        None => Err(FaultError::NoDuration(fault.kind)),
    };
    Ok(match fault.kind {
        FaultKind::CompletionUr => link::FaultKind::Refused(Status::UnsupportedRequest),
        FaultKind::CompletionCa => link::FaultKind::Refused(Status::CompleterAbort),
        FaultKind::Poisoned => link::FaultKind::Poisoned,
        FaultKind::Lost => link::FaultKind::Lost,
        FaultKind::Late => link::FaultKind::Late { by_ps: ps()? },
        FaultKind::Duplicate => link::FaultKind::Duplicate,
        FaultKind::Unexpected => link::FaultKind::Unexpected,
        FaultKind::Oversized => link::FaultKind::Oversized,
        FaultKind::WrongTag => link::FaultKind::WrongTag,
        FaultKind::CreditStarvation => link::FaultKind::CreditStarvation { for_ps: ps()? },
        FaultKind::LostInterrupt => link::FaultKind::LostInterrupt,
        FaultKind::SpuriousInterrupt => link::FaultKind::SpuriousInterrupt,
        FaultKind::DelayedDoorbell => link::FaultKind::DelayedWrite { by_ps: ps()? },
    })
}
