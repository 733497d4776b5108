//! The user logic: a source and a sink that know what every byte must be.

use std::collections::VecDeque;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::gateware::Beat;
use crate::host::{Mismatch, Payload};
use crate::link::MAX_BEAT_BYTES;

/// A packet on one of the streams.
#[derive(Debug, Clone, Copy)]
struct Packet {
    /// Position of its first byte in the payload.
    position: u64,
    /// Bytes.
    bytes: u64,
    /// Bytes sent or received so far.
    done: u64,
    /// TDEST.
    dest: u16,
    /// What may become of it.
    doubt: Option<Doubt>,
}

/// What may become of a packet with whose transfer something is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It may end early, with TLAST and TUSER, or not come at all.
    End,
    /// The same, and its bytes may be wrong.
    Bytes,
}

/// What the sink found wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamFault {
    /// A byte differs.
    #[error("H2C stream: {0}")]
    Byte(Box<Mismatch>),
    /// A beat came that no transfer accounts for.
    #[error("H2C stream: a beat came although every packet has been received; TDEST {0}")]
    Extra(u16),
    /// TLAST, TKEEP or TDEST are not those of the packet.
    #[error("H2C stream: {what} after {done} of {bytes} bytes of the packet for TDEST {dest}")]
    Shape {
        /// What is wrong.
        what: &'static str,
        /// Bytes received.
        done: u64,
        /// Bytes of the packet.
        bytes: u64,
        /// TDEST.
        dest: u16,
    },
}

/// Both streams.
pub struct Streams {
    /// Bytes of a beat.
    width: u64,
    payload: Payload,
    c2h: VecDeque<Packet>,
    h2c: VecDeque<Packet>,
    beat: Option<Beat>,
    ready: bool,
    c2h_percent: u32,
    h2c_percent: u32,
    rng: SplitMix64,
    received: u64,
    cuts: u64,
    cuts_allowed: bool,
    open: bool,
    apart: bool,
}

/// Bytes of a packet that no run comes to the end of.
const ENDLESS: u64 = 1 << 50;

impl Streams {
    /// Idle streams of beats of `width` bytes. The source offers a beat in `c2h_percent` of the cycles in which it could, the sink takes one in
    /// `h2c_percent`.
    pub fn new(
        width: usize,
        payload: Payload,
        c2h_percent: u32,
        h2c_percent: u32,
        seed: u64,
    ) -> Self {
        Self {
            width: width as u64,
            payload,
            c2h: VecDeque::new(),
            h2c: VecDeque::new(),
            beat: None,
            ready: false,
            c2h_percent,
            h2c_percent,
            rng: SplitMix64::seed_from_u64(seed),
            received: 0,
            cuts: 0,
            cuts_allowed: false,
            open: false,
            apart: false,
        }
    }

    /// User logic for transfers that nobody announces: the source's packet never ends, and the sink takes what comes.
    pub fn open_ended(&mut self) {
        self.open = true;
        self.send(0, ENDLESS, 0);
    }

    /// From now on only packets of one TDEST come in the order in which they were announced.
    pub fn tell_apart(&mut self) {
        self.apart = true;
    }

    /// Changes how often source and sink move: 0 stalls one for good.
    pub fn set_rates(&mut self, c2h_percent: u32, h2c_percent: u32) {
        (self.c2h_percent, self.h2c_percent) = (c2h_percent, h2c_percent);
    }

    /// From now on a packet of the sink may end early, with TLAST and TUSER.
    pub fn allow_cuts(&mut self) {
        self.cuts_allowed = true;
    }

    /// Drops the packets that the sink was to expect, but for the first `kept`.
    pub fn forget_h2c(&mut self, kept: usize) {
        self.h2c.truncate(kept);
    }

    /// Packets that ended early.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Queues a packet of the source.
    pub fn send(&mut self, position: u64, bytes: u64, dest: u16) {
        self.c2h.push_back(Packet {
            position,
            bytes,
            done: 0,
            dest,
            doubt: None,
        });
    }

    /// Announces a packet to the sink; packets come in this order.
    pub fn expect(&mut self, position: u64, bytes: u64, dest: u16) {
        self.h2c.push_back(Packet {
            position,
            bytes,
            done: 0,
            dest,
            doubt: None,
        });
    }

    /// Announces a packet that may end early, or not come at all: something is to go wrong with its transfer.
    pub fn expect_doubtful(&mut self, position: u64, bytes: u64, dest: u16, doubt: Doubt) {
        self.expect(position, bytes, dest);
        if let Some(packet) = self.h2c.back_mut() {
            packet.doubt = Some(doubt);
        }
    }

    /// Bytes that the sink has received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that are not through yet, both streams together.
    pub fn unfinished(&self) -> usize {
        let due = |packet: &&Packet| packet.doubt.is_none() || packet.done > 0;
        self.c2h.len()
            + self.h2c.iter().filter(due).count()
            + usize::from(self.beat.is_some_and(|beat| beat.last))
    }

    /// What the source offers in this cycle. A beat once offered stays until it is taken.
    pub fn offer(&mut self) -> Option<&Beat> {
        if self.beat.is_none() && chance(&mut self.rng, self.c2h_percent) {
            self.beat = self.c2h.front_mut().map(|packet| {
                let bytes = (packet.bytes - packet.done).min(self.width);
                let mut beat = Beat {
                    data: [0; MAX_BEAT_BYTES],
                    keep: keep(bytes),
                    last: packet.done + bytes == packet.bytes,
                    dest: packet.dest,
                    user: false,
                };
                self.payload.fill(
                    packet.position + packet.done,
                    &mut beat.data[..bytes as usize],
                );
                packet.done += bytes;
                beat
            });
            if self.beat.is_some_and(|beat| beat.last) {
                self.c2h.pop_front();
            }
        }
        self.beat.as_ref()
    }

    /// The offered beat was taken.
    pub fn taken(&mut self) {
        self.beat = None;
    }

    /// Whether the sink takes a beat in this cycle.
    pub fn ready(&mut self) -> bool {
        self.ready = chance(&mut self.rng, self.h2c_percent);
        self.ready
    }

    /// The sink takes a beat.
    ///
    /// # Errors
    /// It is not what the packet says.
    pub fn receive(&mut self, beat: &Beat) -> Result<(), StreamFault> {
        self.skip_missing(beat);
        let place = if self.apart {
            self.h2c.iter().position(|packet| packet.dest == beat.dest)
        } else {
            Some(0)
        };
        let Some(packet) = place.and_then(|place| self.h2c.get_mut(place)) else {
            if self.open {
                self.received += u64::from(beat.keep.count_ones());
                return Ok(());
            }
            return Err(StreamFault::Extra(beat.dest));
        };
        if beat.user && beat.last && (self.cuts_allowed || packet.doubt.is_some()) {
            self.cuts += 1;
            self.end_packet(beat.dest);
            return Ok(());
        }
        let bytes = (packet.bytes - packet.done).min(self.width);
        let last = packet.done + bytes == packet.bytes;
        let wrong = if beat.user {
            Some("TUSER reports an error")
        } else if beat.keep != keep(bytes) {
            Some("TKEEP is not that of the rest")
        } else if beat.last != last {
            Some("TLAST is wrong")
        } else if beat.dest != packet.dest {
            Some("TDEST is wrong")
        } else {
            None
        };
        if let Some(what) = wrong {
            let Packet {
                done, bytes, dest, ..
            } = *packet;
            return Err(StreamFault::Shape {
                what,
                done,
                bytes,
                dest,
            });
        }
        let data = &beat.data[..bytes as usize];
        let compared = self.payload.compare(packet.position + packet.done, data);
        if packet.doubt != Some(Doubt::Bytes) {
            compared.map_err(StreamFault::Byte)?;
        }
        packet.done += bytes;
        self.received += bytes;
        if last {
            self.end_packet(beat.dest);
        }
        Ok(())
    }

    /// Drops the packets at which the sink is that do not come at all, as this beat shows. One whose bytes may be wrong is missing when the
    /// beat begins another one.
    fn skip_missing(&mut self, beat: &Beat) {
        let doubtful = |packet: &&Packet| packet.doubt.is_some() && packet.done == 0;
        let missing = self.h2c.iter().take_while(doubtful).count();
        let begun = self
            .h2c
            .iter()
            .take(missing + 1)
            .position(|packet| packet.done > 0 || self.begins(packet, beat));
        let altered = || {
            let mut doubts = self.h2c.iter().take(missing);
            doubts.position(|packet| packet.doubt == Some(Doubt::Bytes))
        };
        let skipped = begun.or_else(altered).unwrap_or(missing);
        self.h2c.drain(..skipped);
    }

    /// Whether a beat may be a packet's first, or ends it before anything of it has come.
    fn begins(&self, packet: &Packet, beat: &Beat) -> bool {
        let bytes = packet.bytes.min(self.width);
        let data = &beat.data[..bytes as usize];
        let same = self.payload.compare(packet.position, data).is_ok();
        beat.user || beat.keep == keep(bytes) && beat.dest == packet.dest && same
    }

    /// The packet that the sink is at is over.
    fn end_packet(&mut self, dest: u16) {
        let place = self
            .h2c
            .iter()
            .position(|packet| !self.apart || packet.dest == dest);
        place.map(|place| self.h2c.remove(place));
    }
}

/// TKEEP of this many bytes, 64 at most.
fn keep(bytes: u64) -> u64 {
    u64::MAX.checked_shr(64 - bytes as u32).unwrap_or(0)
}

fn chance(rng: &mut SplitMix64, percent: u32) -> bool {
    percent >= 100 || rng.next_u64() % 100 < u64::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beat of 16 bytes of the payload from `position` on, for this TDEST.
    fn beat(payload: &Payload, position: u64, last: bool, dest: u16) -> Beat {
        let mut data = [0; MAX_BEAT_BYTES];
        payload.fill(position, &mut data[..16]);
        Beat {
            data,
            keep: keep(16),
            last,
            dest,
            user: false,
        }
    }

    #[test]
    fn a_doubtful_packet_may_end_early_or_be_missing() {
        let payload = Payload::Pattern { seed: 3 };
        let sink_of = |doubt| {
            let mut streams = Streams::new(16, payload.clone(), 100, 100, 1);
            streams.expect_doubtful(0, 32, 0, doubt);
            streams.expect(32, 16, 0);
            streams
        };
        let sink = || sink_of(Doubt::End);
        let next = beat(&payload, 32, true, 0);
        let cut = Beat {
            keep: 0,
            last: true,
            user: true,
            ..next
        };
        let mut missing = sink();
        missing.receive(&next).unwrap();
        assert_eq!((missing.received(), missing.cuts()), (16, 0));
        for begun in [false, true] {
            let mut ended = sink();
            if begun {
                ended.receive(&beat(&payload, 0, false, 0)).unwrap();
                assert_eq!(ended.unfinished(), 2);
            }
            ended.receive(&cut).unwrap();
            ended.receive(&next).unwrap();
            assert_eq!((ended.cuts(), ended.unfinished()), (1, 0));
        }
        // A packet that has begun must go on, and one without doubt may neither be missing nor end early.
        let mut torn = sink();
        torn.receive(&beat(&payload, 0, false, 0)).unwrap();
        assert!(torn.receive(&next).is_err());
        let mut sure = sink();
        sure.receive(&beat(&payload, 0, false, 0)).unwrap();
        sure.receive(&beat(&payload, 16, true, 0)).unwrap();
        assert!(sure.receive(&cut).is_err());
        // Bytes may be wrong where it is said, and the packet may be missing all the same.
        let wrong = beat(&payload, 1000, false, 0);
        assert!(sink().receive(&wrong).is_err());
        for begins in [wrong, beat(&payload, 0, false, 0)] {
            let mut altered = sink_of(Doubt::Bytes);
            altered.receive(&begins).unwrap();
            altered.receive(&beat(&payload, 2000, true, 0)).unwrap();
            altered.receive(&next).unwrap();
            assert_eq!(altered.unfinished(), 0);
        }
        let mut missing = sink_of(Doubt::Bytes);
        missing.receive(&next).unwrap();
        assert_eq!((missing.received(), missing.unfinished()), (16, 0));
    }

    #[test]
    fn packets_of_different_tdests_come_in_any_order_only_where_they_are_told_apart() {
        let payload = Payload::Pattern { seed: 3 };
        let sink = || {
            let mut streams = Streams::new(16, payload.clone(), 100, 100, 1);
            streams.expect(0, 32, 0);
            streams.expect(32, 16, 1);
            streams
        };
        let later = beat(&payload, 32, true, 1);
        assert!(matches!(
            sink().receive(&later),
            Err(StreamFault::Shape { .. })
        ));
        let mut streams = sink();
        streams.tell_apart();
        streams.receive(&beat(&payload, 0, false, 0)).unwrap();
        streams.receive(&later).unwrap();
        streams.receive(&beat(&payload, 16, true, 0)).unwrap();
        assert_eq!((streams.received(), streams.unfinished()), (48, 0));
        assert!(matches!(
            streams.receive(&later),
            Err(StreamFault::Extra(1))
        ));
    }
}
