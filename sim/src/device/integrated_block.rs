//! A model of AMD's UltraScale+ integrated block: its four streams on the device's side, TLP streams on the link's.
//!
//! It was written from PG213 and shares nothing with the shim. Each stream moves a beat a cycle at most, as the ports of the IP do, and
//! a packet begins a beat: there is no straddle. A packet passes when its last beat is in: that is the model's whole latency, as the link
//! has its own. Credits for non-posted requests are always there.

use std::collections::VecDeque;

use crate::link::{MAX_BEAT_BYTES, RxPorts, TxPorts};

/// Beats that may wait for the link before RQ and CC are held, or for the device before the host's requests are.
const WAITING_BEATS: usize = 16;

/// Non-posted requests that the device has granted at most ("pcie_cq_np_req").
const MOST_CREDITS: u32 = 32;

/// A beat of RC or CQ.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// tdata.
    pub dwords: Vec<u32>,
    /// tlast.
    pub last: bool,
    /// tuser.
    pub user: [u32; 6],
}

/// A beat of RQ or CC, as the device offers it.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// tdata.
    pub dwords: &'a [u32],
    /// tkeep.
    pub keep: u32,
    /// tlast.
    pub last: bool,
    /// tuser.
    pub user: &'a [u32],
}

/// The block.
pub struct IntegratedBlock {
    /// DWs of a beat.
    lanes: usize,
    /// Packets of RQ and CC that come in, with the first beat's sideband.
    request: Packet,
    completion: Packet,
    /// Beats for the link, and whether the link takes the first one in this cycle.
    tx: VecDeque<TxPorts>,
    idle: TxPorts,
    takes: bool,
    /// Completions and requests of the host that come in, and beats for the device.
    cpl: Vec<u32>,
    req: Vec<u32>,
    rc: VecDeque<Shown>,
    cq: VecDeque<Shown>,
    /// Non-posted requests that may go to the device.
    credits: u32,
    /// Sequence numbers that are to be told.
    numbers: VecDeque<u8>,
}

#[derive(Default)]
struct Packet {
    dwords: Vec<u32>,
    user: Vec<u32>,
}

impl Packet {
    /// Takes a beat; true with the last one.
    fn push(&mut self, beat: Offered<'_>) -> bool {
        if self.dwords.is_empty() {
            self.user = beat.user.to_vec();
        }
        self.dwords
            .extend(&beat.dwords[..beat.keep.trailing_ones() as usize]);
        beat.last
    }

    fn bits(&self, low: usize, count: u32) -> u32 {
        let word = |index: usize| u64::from(self.user.get(index).copied().unwrap_or(0));
        let pair = word(low / 32) | word(low / 32 + 1) << 32;
        (pair >> (low % 32)) as u32 & !(u32::MAX << count)
    }
}

impl IntegratedBlock {
    /// A block with beats of `width` bytes, in reset.
    pub fn new(width: usize) -> Self {
        Self {
            lanes: width / 4,
            request: Packet::default(),
            completion: Packet::default(),
            tx: VecDeque::new(),
            idle: TxPorts::default(),
            takes: false,
            cpl: Vec::new(),
            req: Vec::new(),
            rc: VecDeque::new(),
            cq: VecDeque::new(),
            credits: 0,
            numbers: VecDeque::new(),
        }
    }

    /// Whether a request beat of the host is taken in this cycle.
    pub fn request_ready(&self, rx: &RxPorts) -> bool {
        self.cq.len() < WAITING_BEATS && (rx.req.write || self.credits > 0)
    }

    /// What the link shows in this cycle.
    pub fn show(&mut self, rx: &RxPorts) {
        self.takes = rx.tx_ready;
        let lane = |address: u64| address as usize / 4 % self.lanes;
        if rx.cpl.valid {
            let cpl = &rx.cpl;
            let first = lane(cpl.lower_address.into()) * usize::from(cpl.sop && cpl.len_dw > 0);
            if cpl.sop {
                let error = match (cpl.status, cpl.poisoned) {
                    (0, false) => 0,
                    (0, true) => 1,
                    _ => 2,
                };
                let payload = u32::from(cpl.len_dw) * 4
                    - u32::from(cpl.lower_address & 3) * u32::from(cpl.len_dw > 0);
                let completed = cpl.status != 0 || u32::from(cpl.byte_count) <= payload;
                self.cpl = vec![
                    u32::from(cpl.lower_address)
                        | error << 12
                        | u32::from(cpl.byte_count) << 16
                        | u32::from(completed) << 30,
                    u32::from(cpl.len_dw)
                        | u32::from(cpl.status) << 11
                        | u32::from(cpl.poisoned) << 14,
                    u32::from(cpl.tag),
                ];
            }
            let whole = 3 + usize::from(cpl.len_dw);
            take(
                &mut self.cpl,
                whole,
                &dwords(&cpl.data, self.lanes)[first..],
            );
            if cpl.eop {
                let packet = std::mem::take(&mut self.cpl);
                self.rc.extend(beats(&packet, self.lanes, [0; 6]));
            }
        }
        if rx.req.valid && self.request_ready(rx) {
            let req = &rx.req;
            let first = lane(req.address.into()) * usize::from(req.sop && req.write);
            if req.sop {
                self.credits -= u32::from(!req.write);
                self.req = vec![
                    req.address,
                    0,
                    u32::from(req.len_dw) | u32::from(req.write) << 11 | u32::from(req.id) << 16,
                    u32::from(req.tag),
                ];
            }
            let whole = 4 + if req.write {
                usize::from(req.len_dw)
            } else {
                0
            };
            take(
                &mut self.req,
                whole,
                &dwords(&req.data, self.lanes)[first..],
            );
            if req.eop {
                let last = if self.lanes == 16 { 8 } else { 4 };
                let mut user = [0; 6];
                user[0] = u32::from(req.first_be) | u32::from(req.last_be) << last;
                let packet = std::mem::take(&mut self.req);
                self.cq.extend(beats(&packet, self.lanes, user));
            }
        }
    }

    /// What RC shows.
    pub fn rc(&self) -> Option<&Shown> {
        self.rc.front()
    }

    /// What CQ shows.
    pub fn cq(&self) -> Option<&Shown> {
        self.cq.front()
    }

    /// Whether RQ and CC take a beat.
    pub fn ready(&self) -> bool {
        self.tx.len() < WAITING_BEATS
    }

    /// Two sequence numbers at most.
    pub fn numbers(&mut self) -> [Option<u8>; 2] {
        [self.numbers.pop_front(), self.numbers.pop_front()]
    }

    /// What the link sees of the device.
    pub fn tx(&self) -> &TxPorts {
        self.tx.front().unwrap_or(&self.idle)
    }

    /// The clock edge: beats that the device takes of RC and CQ, and that it has handed in to RQ and CC; a credit for a non-posted request.
    pub fn edge(
        &mut self,
        [rc, cq]: [bool; 2],
        rq: Option<Offered<'_>>,
        cc: Option<Offered<'_>>,
        credit: bool,
    ) {
        if self.takes {
            self.tx.pop_front();
        }
        if rc {
            self.rc.pop_front();
        }
        if cq {
            self.cq.pop_front();
        }
        self.credits = (self.credits + u32::from(credit)).min(MOST_CREDITS);
        if rq.is_some_and(|beat| self.request.push(beat)) {
            self.request_in();
        }
        if cc.is_some_and(|beat| self.completion.push(beat)) {
            self.completion_in();
        }
    }

    fn request_in(&mut self) {
        let wide = self.lanes == 16;
        let number = match wide {
            true => self.request.bits(61, 6),
            false => self.request.bits(24, 4) | self.request.bits(60, 2) << 4,
        };
        let last_be = self.request.bits(if wide { 8 } else { 4 }, 4);
        let packet = std::mem::take(&mut self.request);
        let head = TxPorts {
            kind: u8::from(packet.dwords[2] >> 11 & 15 == 0),
            address: u64::from(packet.dwords[0] & !3) | u64::from(packet.dwords[1]) << 32,
            len_dw: packet.dwords[2] as u16 & 0x7ff,
            first_be: packet.bits(0, 4) as u8,
            last_be: last_be as u8,
            tag: packet.dwords[3] as u16 & 0xff,
            ..TxPorts::default()
        };
        self.send(head, &packet.dwords[4..]);
        // From here on nothing overtakes it.
        self.numbers.push_back(number as u8);
    }

    fn completion_in(&mut self) {
        let packet = std::mem::take(&mut self.completion).dwords;
        let len_dw = packet[1] as u16 & 0x7ff;
        let head = TxPorts {
            kind: if len_dw == 0 { 3 } else { 2 },
            address: u64::from(packet[0] & 0x7f),
            len_dw,
            tag: packet[2] as u16 & 0xff,
            id: (packet[1] >> 16) as u16,
            byte_count: (packet[0] >> 16) as u16 & 0x1fff,
            status: (packet[1] >> 11) as u8 & 7,
            ..TxPorts::default()
        };
        self.send(head, &packet[3..3 + usize::from(len_dw)]);
    }

    /// Queues a TLP's beats, its payload in the lanes of its address.
    fn send(&mut self, head: TxPorts, payload: &[u32]) {
        let bytes = self.lanes * 4;
        let lane = if payload.is_empty() {
            0
        } else {
            (head.address as usize % bytes) & !3
        };
        let count = (lane + payload.len() * 4).div_ceil(bytes).max(1);
        let mut data = vec![0; count * bytes];
        for (place, dword) in data[lane..].chunks_mut(4).zip(payload) {
            place.copy_from_slice(&dword.to_le_bytes());
        }
        for (index, piece) in data.chunks(bytes).enumerate() {
            let mut beat = TxPorts {
                valid: true,
                sop: index == 0,
                eop: index + 1 == count,
                ..head
            };
            beat.data[..bytes].copy_from_slice(piece);
            self.tx.push_back(beat);
        }
    }
}

/// Appends DWs of a beat until the packet is `whole`.
fn take(packet: &mut Vec<u32>, whole: usize, beat: &[u32]) {
    let missing = whole.saturating_sub(packet.len());
    packet.extend(beat.iter().take(missing));
}

fn dwords(data: &[u8; MAX_BEAT_BYTES], lanes: usize) -> Vec<u32> {
    let (words, _) = data.as_chunks::<4>();
    words[..lanes]
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect()
}

/// A packet in beats of its own; the sideband's byte enables belong to the first.
fn beats(packet: &[u32], lanes: usize, user: [u32; 6]) -> Vec<Shown> {
    let count = packet.len().div_ceil(lanes);
    let beat = |(index, piece): (usize, &[u32])| {
        let mut dwords = piece.to_vec();
        dwords.resize(lanes, 0);
        Shown {
            dwords,
            last: index + 1 == count,
            user,
        }
    };
    packet.chunks(lanes).enumerate().map(beat).collect()
}
