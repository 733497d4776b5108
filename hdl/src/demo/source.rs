//! A stream of packets with the demo's pattern.

use super::words::PatternWords;
use crate::widgets::{Const, Param};
use rust_hdl::prelude::*;

/// Sends packets of `length` bytes of the [pattern](super::pattern), one beat a cycle.
///
/// While `enable` is set, a packet begins as soon as the one before it is through, without a gap. It takes `length`, `seed` and
/// `dest` at its begin: in an idle source two cycles before its first beat shows, otherwise in the cycle before the last beat of
/// the packet before it shows. A packet once begun goes on to its end. AXI4-Stream master: TVALID never falls and the
/// payload never changes before TREADY, but for a reset.
///
/// `W`: data width in bits (64 to 512), `B` = `W` / 8, `L` = log2(`B`).
#[derive(LogicBlock, Default)]
pub struct PatternSource<const W: usize, const B: usize, const L: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Ends everything at once, and zeroes the count.
    pub reset: Signal<In, Bit>,
    /// Packets may begin.
    pub enable: Signal<In, Bit>,
    /// Bytes of a packet; with 0 none begins.
    pub length: Signal<In, Bits<48>>,
    /// Seed of its pattern.
    pub seed: Signal<In, Bits<32>>,
    /// Its TDEST.
    pub dest: Signal<In, Bits<16>>,
    /// A beat is on offer.
    pub m_tvalid: Signal<Out, Bit>,
    /// It is taken.
    pub m_tready: Signal<In, Bit>,
    /// Bytes, lane 0 first.
    pub m_tdata: Signal<Out, Bits<W>>,
    /// Valid lanes, contiguous from lane 0; all of them but in a last beat.
    pub m_tkeep: Signal<Out, Bits<B>>,
    /// Last beat of a packet.
    pub m_tlast: Signal<Out, Bit>,
    /// TDEST.
    pub m_tdest: Signal<Out, Bits<16>>,
    /// Packets whose last beat was taken, since reset, modulo 2^32.
    pub packets: Signal<Out, Bits<32>>,

    // The packet that is being cut into beats.
    active: DFF<Bit>,
    left: DFF<Bits<48>>,
    word: DFF<Bits<32>>,
    tdest: DFF<Bits<16>>,
    // The beat on offer.
    out_valid: DFF<Bit>,
    out_data: DFF<Bits<W>>,
    out_keep: DFF<Bits<B>>,
    out_last: DFF<Bit>,
    out_dest: DFF<Bits<16>>,
    sent: DFF<Bits<32>>,

    words: PatternWords<W>,
    lanes: Param<48, B>,
    zero: Const<L, 0>,
    room: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    none: Signal<Local, Bits<B>>,
    all: Signal<Local, Bits<B>>,
    used: Signal<Local, Bits<L>>,
    unused: Signal<Local, Bits<L>>,
}

impl<const W: usize, const B: usize, const L: usize> Logic for PatternSource<W, B, L> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, active, left, word, tdest, out_valid, out_data, out_keep, out_last,
            out_dest, sent
        );
        self.words.first.next = self.word.q.val();
        self.room.next = !self.out_valid.q.val() | self.m_tready.val();
        self.ends.next = self.left.q.val() <= self.lanes.val();
        self.none.next = 0.into();
        self.all.next = !self.none.val();
        // A last beat of all lanes leaves none unused.
        self.used.next = bit_cast::<L, 48>(self.left.q.val());
        self.unused.next = self.zero.val() - self.used.val();

        if self.room.val() {
            self.out_valid.d.next = self.active.q.val();
            self.out_data.d.next = self.words.beat.val();
            self.out_keep.d.next = self.all.val();
            self.out_last.d.next = self.ends.val();
            self.out_dest.d.next = self.tdest.q.val();
            self.word.d.next = self.words.after.val();
            self.left.d.next = self.left.q.val() - self.lanes.val();
            if self.ends.val() {
                self.out_keep.d.next = self.all.val() >> self.unused.val();
                self.active.d.next = false;
            }
        }

        self.begins.next = (self.enable.val() & self.length.val().any())
            & (!self.active.q.val() | (self.room.val() & self.ends.val()));
        if self.begins.val() {
            self.active.d.next = true;
            self.left.d.next = self.length.val();
            self.word.d.next = self.seed.val();
            self.tdest.d.next = self.dest.val();
        }

        if (self.out_valid.q.val() & self.out_last.q.val()) & self.m_tready.val() {
            self.sent.d.next = self.sent.q.val() + 1;
        }
        self.m_tvalid.next = self.out_valid.q.val();
        self.m_tdata.next = self.out_data.q.val();
        self.m_tkeep.next = self.out_keep.q.val();
        self.m_tlast.next = self.out_last.q.val();
        self.m_tdest.next = self.out_dest.q.val();
        self.packets.next = self.sent.q.val();

        if self.reset.val() {
            self.active.d.next = false;
            self.out_valid.d.next = false;
            self.sent.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern;
    use super::super::testing::bytes;
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};

    /// A packet as the inputs were when it began.
    #[derive(Clone, Copy, Debug)]
    struct Packet {
        length: u64,
        seed: u32,
        dest: u16,
    }

    /// How often the interesting moments were seen.
    #[derive(Debug, Default)]
    struct Seen {
        single_beat: u32,
        full_last_beat: u32,
        odd_last_beat: u32,
        without_gap: u32,
        after_idle: u32,
        stalled: u32,
        stalled_last_beat: u32,
        disabled_inside: u32,
        empty: u32,
        reset_inside: u32,
    }

    fn source<const W: usize, const B: usize, const L: usize>()
    -> Result<Pair<PatternSource<W, B, L>>> {
        Pair::new(
            PatternSource::default(),
            ports!(PatternSource<W, B, L> {
                clock: clock;
                in reset, enable, length, seed, dest, m_tready;
                out m_tvalid, m_tdata, m_tkeep, m_tlast, m_tdest, packets
            }),
        )
    }

    fn any_length(random: &mut StdRng, lanes: u64) -> u64 {
        match random.random_range(0..10) {
            0 => 0,
            1..4 => random.random_range(1..=2 * lanes),
            4..6 => lanes * random.random_range(1..5),
            6..9 => random.random_range(1..=10 * lanes),
            _ => 1,
        }
    }

    /// Compares the beat on offer with bytes `sent` and on of a packet.
    fn check<const W: usize, const B: usize, const L: usize>(
        dut: &mut Pair<PatternSource<W, B, L>>,
        packet: Packet,
        sent: u64,
    ) -> Result<u64> {
        let count = (packet.length - sent).min(B as u64);
        let data = bytes(dut.get_wide("m_tdata")?);
        assert_eq!(data.len(), B);
        let data = &data[..count as usize];
        let wrong = pattern::mismatch(data, sent, packet.seed);
        assert_eq!(wrong, None, "{packet:?} at {sent}");
        let keep = u64::MAX >> (64 - count);
        assert_eq!(dut.get("m_tkeep")?, keep, "{packet:?} at {sent}");
        let last = sent + count == packet.length;
        assert_eq!(dut.is("m_tlast")?, last, "{packet:?} at {sent}");
        assert_eq!(dut.get("m_tdest")?, u64::from(packet.dest));
        Ok(count)
    }

    /// Inputs change in every cycle; which of them a packet takes, and when its beats show, follows from the outputs alone.
    fn any_traffic<const W: usize, const B: usize, const L: usize>(cycles: u64) -> Result {
        let mut dut = source::<W, B, L>()?;
        let mut random = seeded(W as u64);
        let mut seen = Seen::default();
        let (mut packets, mut sent, mut stalled) = (0, 0, false);
        // The packet on the wire, with the cycle in which its first beat shows, and the one behind it.
        let mut current: Option<(Packet, u64)> = None;
        let mut next: Option<(Packet, u64)> = None;
        // What the inputs were in the cycle before.
        let mut before: Option<Packet> = None;
        reset(&mut dut)?;
        for cycle in 0..cycles {
            // Turns of full speed, of a slow receiver, of a source that is enabled for moments only, and of all at random.
            let (readiness, willingness) =
                [(100, 100), (20, 100), (100, 10), (60, 60)][cycle as usize / 200 % 4];
            let ready = chance(&mut random, readiness);
            let resets = cycle % 5 == 0 && chance(&mut random, 3);
            let offered = Packet {
                length: any_length(&mut random, B as u64),
                seed: random.random(),
                dest: random.random(),
            };
            let enable = chance(&mut random, willingness);
            set_all(
                &mut dut,
                &[
                    ("reset", resets.into()),
                    ("enable", enable.into()),
                    ("length", offered.length),
                    ("seed", offered.seed.into()),
                    ("dest", offered.dest.into()),
                    ("m_tready", ready.into()),
                ],
            )?;
            let valid = dut.is("m_tvalid")?;
            let shows = current.is_some_and(|(_, from)| from <= cycle);
            assert_eq!(valid, shows, "cycle {cycle}: {current:?}");
            assert_eq!(dut.get("packets")?, packets);

            let mut ended = false;
            if let Some((packet, from)) = current.filter(|_| valid) {
                let count = check(&mut dut, packet, sent)?;
                let last = sent + count == packet.length;
                let fresh = !stalled;
                // The source is through with a packet once its last beat shows: the cycle before is when the next begins.
                if last && fresh {
                    next = before.map(|packet| (packet, cycle + 1));
                    seen.without_gap += u32::from(next.is_some());
                    seen.single_beat += u32::from(sent == 0);
                    seen.full_last_beat += u32::from(count == B as u64);
                    seen.odd_last_beat += u32::from(count % 4 != 0);
                }
                // Later than that, it begins out of idleness.
                if last && next.is_none() && enable && offered.length > 0 {
                    next = Some((offered, cycle + 2));
                    seen.after_idle += 1;
                }
                seen.stalled += u32::from(!ready);
                seen.stalled_last_beat += u32::from(!ready && last);
                seen.disabled_inside += u32::from(!enable && !last && from < cycle);
                stalled = !ready;
                if ready {
                    sent += count;
                    packets += u64::from(last);
                    ended = last;
                }
            } else if current.is_none() && enable {
                seen.empty += u32::from(offered.length == 0);
                seen.after_idle += u32::from(offered.length > 0);
                current = (offered.length > 0).then_some((offered, cycle + 2));
            }
            if ended {
                current = next.take();
                sent = 0;
            }
            before = (enable && offered.length > 0).then_some(offered);
            if resets {
                seen.reset_inside += u32::from(sent > 0);
                (current, next, before) = (None, None, None);
                (sent, stalled, packets) = (0, false, 0);
            }
            dut.step()?;
        }
        let counts = format!("{seen:?}");
        let Seen {
            single_beat,
            full_last_beat,
            odd_last_beat,
            without_gap,
            after_idle,
            stalled,
            stalled_last_beat,
            disabled_inside,
            empty,
            reset_inside,
        } = seen;
        let all = [
            single_beat,
            full_last_beat,
            odd_last_beat,
            without_gap,
            after_idle,
            stalled,
            stalled_last_beat,
            disabled_inside,
            empty,
            reset_inside,
        ];
        assert!(all.iter().all(|count| *count > 5), "{counts}");
        Ok(())
    }

    #[test]
    fn any_traffic_64() -> Result {
        any_traffic::<64, 8, 3>(12_000)
    }

    #[test]
    fn any_traffic_128() -> Result {
        any_traffic::<128, 16, 4>(12_000)
    }

    #[test]
    fn any_traffic_512() -> Result {
        any_traffic::<512, 64, 6>(8_000)
    }

    /// A packet of every length up to 70 bytes, back to back at full speed: a beat in every cycle.
    #[test]
    fn every_short_length_without_gaps() -> Result {
        let mut dut = source::<128, 16, 4>()?;
        reset(&mut dut)?;
        let packet = |length| Packet {
            length,
            seed: 0xffff_0000 + length as u32,
            dest: 3,
        };
        // A packet takes the inputs of the cycle before the last beat of its predecessor shows; those of other cycles are decoys.
        let mut inputs = vec![packet(1)];
        for length in 1..=70u64 {
            let decoys = length.div_ceil(16) as usize - 1;
            inputs.extend(std::iter::repeat_n(packet(1000), decoys));
            inputs.push(packet(length + 1));
        }
        set_all(&mut dut, &[("enable", 1), ("m_tready", 1), ("dest", 3)])?;
        let (mut length, mut sent) = (1, 0);
        for (cycle, input) in inputs.iter().enumerate() {
            set_all(
                &mut dut,
                &[("length", input.length), ("seed", input.seed.into())],
            )?;
            assert_eq!(dut.is("m_tvalid")?, cycle >= 2);
            if cycle >= 2 {
                sent += check(&mut dut, packet(length), sent)?;
            }
            if sent == length {
                (length, sent) = (length + 1, 0);
            }
            dut.step()?;
        }
        assert_eq!((length, sent), (70, 64));
        Ok(())
    }

    /// More bytes than 32 bits can count: the packet is not over where the low half of the length is used up.
    #[test]
    fn lengths_have_48_bits() -> Result {
        let mut dut = source::<64, 8, 3>()?;
        for length in [1 << 32, (1 << 32) + 21, (1 << 47) + 8, (1 << 48) - 1] {
            reset(&mut dut)?;
            let packet = Packet {
                length,
                seed: 9,
                dest: 1,
            };
            set_all(
                &mut dut,
                &[
                    ("enable", 1),
                    ("m_tready", 1),
                    ("length", length),
                    ("seed", 9),
                    ("dest", 1),
                ],
            )?;
            dut.step()?;
            dut.step()?;
            for beat in 0..40 {
                assert!(dut.is("m_tvalid")?);
                check(&mut dut, packet, beat * 8)?;
                dut.step()?;
            }
        }
        Ok(())
    }
}
