//! The device's transmit queue: waits for the wire and for the root complex's credits.

use std::collections::VecDeque;

use super::config::LinkConfig;
use super::tlp::{Tlp, TlpHeader, TlpKind};

/// Flow control classes (PCIe Base Spec 2.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Posted,
    NonPosted,
    Completion,
}

/// Credits of one class; nothing means infinite.
#[derive(Debug, Clone, Copy)]
struct Balance {
    headers: Option<u32>,
    data: Option<u32>,
}

/// TLPs that wait for the wire.
pub struct TransmitQueue {
    waiting: VecDeque<(u64, Tlp)>,
    bytes: usize,
    max_tlps: usize,
    max_bytes: usize,
    balances: [Balance; 3],
    /// Last time that credits came back: nothing that waited for them can start earlier.
    credits_ps: u64,
}

impl TransmitQueue {
    /// An empty queue with all credits.
    pub fn new(config: &LinkConfig) -> Self {
        let finite = |credits: u32| (credits != 0).then_some(credits);
        let credits = &config.credits;
        let balance = |headers, data| Balance {
            headers: finite(headers),
            data: finite(data),
        };
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            max_tlps: config.transmit_queue_tlps,
            max_bytes: config.transmit_queue_bytes,
            balances: [
                balance(credits.posted_headers, credits.posted_data),
                balance(credits.nonposted_headers, 0),
                balance(credits.completion_headers, credits.completion_data),
            ],
            credits_ps: 0,
        }
    }

    /// Whether there is room for another beat.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < self.max_tlps && self.bytes < self.max_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts a TLP at the end.
    pub fn push(&mut self, at_ps: u64, tlp: Tlp) {
        self.bytes += tlp.header.wire_bytes() as usize;
        self.waiting.push_back((at_ps, tlp));
    }

    /// The TLP to send next, and from when on it may go.
    ///
    /// PCIe Base Spec 2.4.1, table 2-39: nothing passes a posted request; a posted request passes reads and completions that
    /// wait for credits, and a completion passes reads, so that no wait can become a deadlock.
    pub fn next(&self) -> Option<(usize, u64)> {
        let (mut read_waits, mut completion_waits) = (false, false);
        for (index, (at_ps, tlp)) in self.waiting.iter().enumerate() {
            let class = class(&tlp.header);
            let may_pass = match class {
                Class::Posted => true,
                Class::NonPosted => !read_waits && !completion_waits,
                Class::Completion => !completion_waits,
            };
            if may_pass && self.balances[class as usize].covers(&tlp.header) {
                return Some((index, (*at_ps).max(self.credits_ps)));
            }
            match class {
                Class::Posted => return None,
                Class::NonPosted => read_waits = true,
                Class::Completion => completion_waits = true,
            }
        }
        None
    }

    /// Takes a TLP that [`next`](Self::next) has named, with its credits.
    pub fn take(&mut self, index: usize) -> Option<Tlp> {
        let (_, tlp) = self.waiting.remove(index)?;
        self.bytes -= tlp.header.wire_bytes() as usize;
        self.balances[class(&tlp.header) as usize].change(&tlp.header, u32::saturating_sub);
        Some(tlp)
    }

    /// Credits of a TLP come back.
    pub fn give_back(&mut self, at_ps: u64, header: &TlpHeader) {
        self.balances[class(header) as usize].change(header, u32::saturating_add);
        self.credits_ps = at_ps;
    }
}

impl Balance {
    fn covers(&self, header: &TlpHeader) -> bool {
        self.headers.is_none_or(|left| left >= 1)
            && self.data.is_none_or(|left| left >= data_credits(header))
    }

    fn change(&mut self, header: &TlpHeader, change: fn(u32, u32) -> u32) {
        self.headers = self.headers.map(|left| change(left, 1));
        self.data = self.data.map(|left| change(left, data_credits(header)));
    }
}

fn class(header: &TlpHeader) -> Class {
    match header.kind {
        TlpKind::MemoryWrite => Class::Posted,
        TlpKind::MemoryRead => Class::NonPosted,
        TlpKind::CompletionData | TlpKind::Completion => Class::Completion,
    }
}

/// Units of 16 bytes (PCIe Base Spec 2.6.1).
fn data_credits(header: &TlpHeader) -> u32 {
    header.payload_bytes().div_ceil(16) as u32
}

#[cfg(test)]
mod tests {
    use super::super::config::Credits;
    use super::*;

    fn tlp(kind: TlpKind, len_dw: u16) -> Tlp {
        let header = TlpHeader {
            kind,
            len_dw,
            ..TlpHeader::default()
        };
        Tlp::new(header, None)
    }

    fn queue(credits: Credits) -> TransmitQueue {
        TransmitQueue::new(&LinkConfig {
            credits,
            transmit_queue_tlps: 8,
            ..LinkConfig::default()
        })
    }

    const PLENTY: Credits = Credits {
        posted_headers: 0,
        posted_data: 0,
        nonposted_headers: 0,
        completion_headers: 0,
        completion_data: 0,
    };

    #[test]
    fn order_is_kept_while_credits_last() {
        let mut queue = queue(PLENTY);
        for kind in [
            TlpKind::MemoryRead,
            TlpKind::MemoryWrite,
            TlpKind::Completion,
            TlpKind::MemoryRead,
        ] {
            queue.push(0, tlp(kind, 1));
        }
        for kind in [
            TlpKind::MemoryRead,
            TlpKind::MemoryWrite,
            TlpKind::Completion,
            TlpKind::MemoryRead,
        ] {
            assert_eq!(queue.next(), Some((0, 0)));
            assert_eq!(queue.take(0).unwrap().header.kind, kind);
        }
    }

    #[test]
    fn writes_and_completions_pass_reads_without_credits() {
        let mut queue = queue(Credits {
            nonposted_headers: 1,
            ..PLENTY
        });
        let kinds = [
            TlpKind::MemoryRead,
            TlpKind::MemoryRead,
            TlpKind::CompletionData,
            TlpKind::MemoryWrite,
        ];
        for kind in kinds {
            queue.push(0, tlp(kind, 1));
        }
        let read = queue.take(0).unwrap().header;
        assert_eq!(
            queue.next(),
            Some((1, 0)),
            "the completion passes the second read"
        );
        queue.take(1);
        assert_eq!(queue.next(), Some((1, 0)), "so does the write");
        queue.take(1);
        assert_eq!(queue.next(), None);
        queue.give_back(77, &read);
        assert_eq!(queue.next(), Some((0, 77)));
    }

    #[test]
    fn nothing_passes_a_write_without_credits() {
        let mut queue = queue(Credits {
            posted_headers: 8,
            posted_data: 16,
            ..PLENTY
        });
        queue.push(0, tlp(TlpKind::MemoryWrite, 61));
        queue.push(0, tlp(TlpKind::MemoryWrite, 1));
        queue.push(0, tlp(TlpKind::MemoryRead, 1));
        queue.push(0, tlp(TlpKind::Completion, 0));
        let write = queue.take(0).unwrap().header;
        assert_eq!(queue.next(), None, "61 DW take 16 credits of data");
        queue.give_back(5, &write);
        assert_eq!(queue.next(), Some((0, 5)));
    }

    #[test]
    fn completions_without_credits_hold_reads_but_not_writes() {
        let mut queue = queue(Credits {
            completion_headers: 1,
            ..PLENTY
        });
        for kind in [
            TlpKind::Completion,
            TlpKind::Completion,
            TlpKind::MemoryRead,
            TlpKind::MemoryWrite,
        ] {
            queue.push(0, tlp(kind, 1));
        }
        queue.take(0);
        assert_eq!(queue.next(), Some((2, 0)));
    }
}
