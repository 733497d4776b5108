//! The device's receive side: TLPs become beats on the completion and request streams.

use std::collections::VecDeque;

use super::pins::RxPorts;
use super::tlp::{MAX_BEAT_BYTES, Tlp, TlpHeader, TlpKind};

/// TLPs that have arrived at the device and wait for its pins.
pub struct Receiver {
    width: usize,
    arrived: u64,
    completions: Stream,
    requests: Stream,
}

/// One stream: TLPs with their number of arrival, and how far the first is shown.
#[derive(Default)]
struct Stream {
    queue: VecDeque<(u64, Tlp)>,
    /// Beats of the first TLP that have been taken.
    taken: usize,
}

/// The beat on show.
struct Beat<'a> {
    header: TlpHeader,
    sop: bool,
    eop: bool,
    data: Option<&'a [u8]>,
}

impl Receiver {
    /// An empty receiver of beats of `width` bytes.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            arrived: 0,
            completions: Stream::default(),
            requests: Stream::default(),
        }
    }

    /// A TLP has arrived.
    pub fn push(&mut self, tlp: Tlp) {
        self.arrived += 1;
        let stream = if tlp.header.kind.is_completion() {
            &mut self.completions
        } else {
            &mut self.requests
        };
        stream.queue.push_back((self.arrived, tlp));
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.completions.queue.is_empty() && self.requests.queue.is_empty()
    }

    /// The completion whose first beat [`show_completion`](Self::show_completion) shows next, if it shows it now.
    pub fn next_completion(&mut self) -> Option<&mut Tlp> {
        let (stream, requests) = (&mut self.completions, &self.requests);
        let next = stream.queue.front_mut().filter(|_| stream.taken == 0);
        let (_, tlp) = next.filter(|&&mut (number, _)| !requests.holds_write_before(number))?;
        Some(tlp)
    }

    /// Shows the next completion beat, which counts as taken, and returns the completion when it was the last.
    ///
    /// A completion waits until the device has taken all writes that arrived before it (PCIe Base Spec 2.4.1, table 2-39, D2a).
    pub fn show_completion(&mut self, ports: &mut RxPorts) -> Option<Tlp> {
        let port = &mut ports.cpl;
        port.valid = false;
        let &(number, _) = self.completions.queue.front()?;
        if self.completions.taken == 0 && self.requests.holds_write_before(number) {
            return None;
        }
        let beat = self.completions.beat(self.width)?;
        let Beat {
            header,
            sop,
            eop,
            data,
        } = beat;
        port.valid = true;
        (port.sop, port.eop) = (sop, eop);
        port.tag = header.tag;
        port.len_dw = header.len_dw;
        port.byte_count = header.byte_count;
        port.lower_address = header.address as u8 & 0x7f;
        port.status = header.status as u8;
        port.poisoned = header.poisoned;
        if let Some(data) = data {
            port.data[..data.len()].copy_from_slice(data);
        }
        self.completions.advance(eop)
    }

    /// Shows the first request's beat, and returns its header if it is shown for the first time.
    pub fn show_request(&mut self, ports: &mut RxPorts) -> Option<TlpHeader> {
        let port = &mut ports.req;
        let was_shown = port.valid;
        port.valid = false;
        let Beat {
            header,
            sop,
            eop,
            data,
        } = self.requests.beat(self.width)?;
        port.valid = true;
        (port.sop, port.eop) = (sop, eop);
        port.write = header.kind == TlpKind::MemoryWrite;
        port.address = header.address as u32;
        port.len_dw = header.len_dw;
        port.first_be = header.first_be;
        port.last_be = header.last_be;
        port.tag = header.tag;
        port.id = header.id;
        if let Some(data) = data {
            port.data[..data.len()].copy_from_slice(data);
        }
        (sop && !was_shown).then_some(header)
    }

    /// The device takes the request beat on show; returns the request when it was the last.
    pub fn take_request(&mut self, ports: &mut RxPorts) -> Option<Tlp> {
        if !ports.req.valid {
            return None;
        }
        ports.req.valid = false;
        self.requests.advance(ports.req.eop)
    }
}

impl Stream {
    fn holds_write_before(&self, number: u64) -> bool {
        let is_write = |tlp: &Tlp| tlp.header.kind == TlpKind::MemoryWrite;
        self.queue
            .iter()
            .take_while(|&&(other, _)| other < number)
            .any(|(_, tlp)| is_write(tlp))
    }

    fn beat(&self, width: usize) -> Option<Beat<'_>> {
        let (_, tlp) = self.queue.front()?;
        let first = tlp.header.lane() / width;
        let end = tlp.header.lane() + tlp.header.payload_bytes();
        let start = (first + self.taken) * width;
        let data = tlp
            .data
            .as_ref()
            .and_then(|data| data.get(start..start + width));
        Some(Beat {
            header: tlp.header,
            sop: self.taken == 0,
            eop: data.is_none() || start + width >= end,
            data,
        })
    }

    fn advance(&mut self, eop: bool) -> Option<Tlp> {
        self.taken += 1;
        if !eop {
            return None;
        }
        self.taken = 0;
        self.queue.pop_front().map(|(_, tlp)| tlp)
    }
}

const _: () = assert!(
    MAX_BEAT_BYTES == 64,
    "a lower address of 7 bits names the lane of beats up to 128 bytes"
);
