//! The TLP checker: an independent judge of what the device (and the model) puts on the link.
//!
//! It sees the transmit pins in every cycle ([`Checker::transmit`]), each TLP for the device when its last beat is on the
//! pins ([`Checker::downstream`]), and each TLP of the device when it takes effect ([`Checker::arrival`]). It keeps its own
//! accounts of beats, tags, bytes and order. The first broken [`Rule`] is returned as a [`Violation`] with the last
//! TLPs; the run ends there.

mod reads;
mod rules;
mod stream;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

pub use rules::{Rule, Violation};

use super::config::{Direction, LinkConfig};
use super::faults::Kinship;
use super::pins::TxPorts;
use super::tlp::{Tlp, TlpHeader, TlpKind};
use reads::{Reads, Space};
use stream::Stream;
use trace::Trace;

/// Read completion boundary of all completers but the root complex (PCIe Base Spec 2.3.1.1).
const ENDPOINT_RCB: u64 = 128;

/// Whether a write to this address is an interrupt message (Intel SDM vol. 3, 11.11.1).
pub fn is_interrupt(address: u64) -> bool {
    (0xfee0_0000..0xfef0_0000).contains(&address)
}

/// The checker of one link.
pub struct Checker {
    mps: u64,
    mrrs: u64,
    host_id: u16,
    bus_master: bool,
    stream: Stream,
    /// The device's reads of host memory.
    device_reads: Reads,
    /// The host's reads of BAR0.
    host_reads: Reads,
    completion_headers: u64,
    completion_data: u64,
    /// Writes that have been offered and have not arrived: address and length.
    posted: VecDeque<(u64, u16)>,
    posted_arrived: u64,
    trace: Trace,
}

impl Checker {
    /// A checker for this link, bus mastering off.
    pub fn new(config: &LinkConfig) -> Self {
        let limit = |value: u32| if value == 0 { u64::MAX } else { value.into() };
        Self {
            mps: config.mps.into(),
            mrrs: config.mrrs.into(),
            host_id: config.host_id,
            bus_master: false,
            stream: Stream::new(config.width_bytes),
            device_reads: Reads::new(config.device_tags, config.rcb.into()),
            host_reads: Reads::new(1024, ENDPOINT_RCB),
            completion_headers: limit(config.completion_headers),
            completion_data: limit(config.completion_data),
            posted: VecDeque::new(),
            posted_arrived: 0,
            trace: Trace::default(),
        }
    }

    /// Bus mastering is switched. A TLP that the device has on offer already may finish.
    pub fn set_bus_master(&mut self, on: bool) {
        self.bus_master = on;
    }

    /// One cycle of the transmit stream; `ready` is what the link showed in it.
    pub fn transmit(
        &mut self,
        now_ps: u64,
        tx: &TxPorts,
        ready: bool,
    ) -> Result<(), Box<Violation>> {
        match self.stream.cycle(tx, ready) {
            Ok(None) => Ok(()),
            Ok(Some(header)) => {
                self.trace
                    .add(now_ps, "offered", Direction::Upstream, &header);
                let result = self.offered(&header);
                result.map_err(|rule| self.violation(now_ps, rule))
            }
            Err(rule) => {
                self.trace
                    .add(now_ps, "on the pins", Direction::Upstream, &tx.header());
                Err(self.violation(now_ps, rule))
            }
        }
    }

    /// A TLP reaches the device's pins: completions with their last beat, requests with their first.
    pub fn downstream(&mut self, now_ps: u64, header: &TlpHeader) -> Result<(), Box<Violation>> {
        self.trace
            .add(now_ps, "delivered", Direction::Downstream, header);
        let result = match header.kind {
            TlpKind::MemoryRead => self
                .request_shape(header, self.mps)
                .and_then(|()| self.host_reads.begin(header, self.posted_arrived)),
            TlpKind::MemoryWrite => self.request_shape(header, self.mps),
            TlpKind::CompletionData | TlpKind::Completion => {
                self.device_reads.complete(header, self.mps)
            }
        };
        result.map_err(|rule| self.violation(now_ps, rule))
    }

    /// A completion reaches the device's pins. One that a fault has spoilt breaks no rule.
    pub fn completion(&mut self, now_ps: u64, tlp: &Tlp) -> Result<(), Box<Violation>> {
        if tlp.kinship == Kinship::Own {
            return self.downstream(now_ps, &tlp.header);
        }
        self.trace
            .add(now_ps, "injected", Direction::Downstream, &tlp.header);
        if tlp.kinship == Kinship::TooLong {
            self.device_reads.end(tlp.header.tag);
        }
        Ok(())
    }

    /// The next tag behind this one, in turn, with a read outstanding of one of these bus addresses, or of any if there are none.
    pub fn other_read(&self, tag: u16, among: &[Range<u64>]) -> Option<u16> {
        self.device_reads.other(tag, among)
    }

    /// The next tag behind this one, in turn, without a read.
    pub fn spare_tag(&self, tag: u16) -> Option<u16> {
        self.device_reads.spare(tag)
    }

    /// A TLP of the device takes effect at the root complex; `permitted`: someone has given it the memory that it names.
    pub fn arrival(
        &mut self,
        now_ps: u64,
        header: &TlpHeader,
        permitted: bool,
    ) -> Result<(), Box<Violation>> {
        self.trace
            .add(now_ps, "arrived", Direction::Upstream, header);
        let result = self.arrived(header, permitted);
        result.map_err(|rule| self.violation(now_ps, rule))
    }

    /// Number of the device's reads that are not completed.
    pub fn outstanding_reads(&self) -> usize {
        self.device_reads.outstanding()
    }

    fn violation(&self, at_ps: u64, rule: Rule) -> Box<Violation> {
        Box::new(Violation {
            at_ps,
            rule,
            trace: self.trace.to_string(),
        })
    }

    /// Rules for a TLP that the device offers for the first time.
    fn offered(&mut self, header: &TlpHeader) -> Result<(), Rule> {
        match header.kind {
            TlpKind::MemoryWrite => {
                self.may_master(header)?;
                self.request_shape(header, self.mps)?;
                if is_interrupt(header.address) && (header.len_dw, header.first_be) != (1, 0xf) {
                    return Err(Rule::BadInterrupt {
                        len_dw: header.len_dw,
                        first_be: header.first_be,
                    });
                }
                self.posted.push_back((header.address, header.len_dw));
                Ok(())
            }
            TlpKind::MemoryRead => {
                self.may_master(header)?;
                self.request_shape(header, self.mrrs)?;
                self.device_reads
                    .begin(header, self.posted_arrived + self.posted.len() as u64)?;
                self.completion_space()
            }
            TlpKind::CompletionData | TlpKind::Completion => {
                if header.id != self.host_id {
                    return Err(Rule::RequesterId {
                        id: header.id,
                        expected: self.host_id,
                    });
                }
                self.host_reads.complete(header, self.mps)
            }
        }
    }

    fn arrived(&mut self, header: &TlpHeader, permitted: bool) -> Result<(), Rule> {
        match header.kind {
            TlpKind::MemoryWrite => {
                self.posted_arrived += 1;
                let oldest = self.posted.pop_front();
                if oldest != Some((header.address, header.len_dw)) {
                    let expected = oldest.map_or(0, |(address, _)| address);
                    return Err(Rule::WriteOutOfOrder {
                        address: header.address,
                        expected,
                    });
                }
            }
            TlpKind::MemoryRead => {
                if let Some(needed) = self.device_reads.posted_before(header.tag)
                    && self.posted_arrived < needed
                {
                    return Err(Rule::ReadPassedWrite {
                        tag: header.tag,
                        writes: needed - self.posted_arrived,
                    });
                }
            }
            TlpKind::CompletionData | TlpKind::Completion => return Ok(()),
        }
        if !permitted {
            let is_write = header.kind == TlpKind::MemoryWrite;
            return Err(Rule::NotPermitted {
                is_write,
                address: header.address,
                bytes: u32::from(header.len_dw) * 4,
            });
        }
        Ok(())
    }

    fn may_master(&self, header: &TlpHeader) -> Result<(), Rule> {
        match self.bus_master {
            true => Ok(()),
            false => Err(Rule::BusMasterOff {
                address: header.address,
            }),
        }
    }

    /// Rules for the shape of a memory request: address, length, byte enables.
    fn request_shape(&self, header: &TlpHeader, most: u64) -> Result<(), Rule> {
        let &TlpHeader {
            address,
            len_dw,
            first_be,
            last_be,
            ..
        } = header;
        if !(1..=1024).contains(&len_dw) {
            return Err(Rule::Length { len_dw });
        }
        if address % 4 != 0 {
            return Err(Rule::Misaligned { address });
        }
        let bytes = u64::from(len_dw) * 4;
        if bytes > most {
            return Err(match header.kind {
                TlpKind::MemoryRead => Rule::OverMrrs { bytes, mrrs: most },
                _ => Rule::OverMps { bytes, mps: most },
            });
        }
        if address % 4096 + bytes > 4096 {
            return Err(Rule::Crosses4K { address, bytes });
        }
        match byte_enable_fault(address, len_dw, first_be, last_be) {
            None => Ok(()),
            Some(why) => Err(Rule::ByteEnables {
                first_be,
                last_be,
                len_dw,
                why,
            }),
        }
    }

    /// A read may only be issued when the hard IP can take all of its completions, cut as badly as allowed.
    fn completion_space(&self) -> Result<(), Rule> {
        let Space { headers, data } = self.device_reads.worst_case();
        if headers > self.completion_headers || data > self.completion_data {
            let (header_space, data_space) = (self.completion_headers, self.completion_data);
            return Err(Rule::CompletionSpace {
                headers,
                header_space,
                data,
                data_space,
            });
        }
        Ok(())
    }
}

/// PCIe Base Spec 2.2.5. Holes are allowed in requests of one DW, and of two DW that are aligned to 8 bytes.
fn byte_enable_fault(address: u64, len_dw: u16, first_be: u8, last_be: u8) -> Option<&'static str> {
    if first_be > 0xf || last_be > 0xf {
        return Some("byte enables have 4 bits");
    }
    if len_dw == 1 {
        return (last_be != 0).then_some("a request of 1 DW has no last byte enables");
    }
    if first_be == 0 || last_be == 0 {
        return Some("a request of more than 1 DW enables bytes in its first and last DW");
    }
    if len_dw == 2 && address.is_multiple_of(8) {
        return None;
    }
    if !matches!(first_be, 0b1111 | 0b1110 | 0b1100 | 0b1000) {
        return Some("the enabled bytes of the first DW must reach its end");
    }
    (!matches!(last_be, 0b1111 | 0b0111 | 0b0011 | 0b0001))
        .then_some("the enabled bytes of the last DW must begin at its start")
}
