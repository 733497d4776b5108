//! Checks a stream of packets against the demo's pattern.

use super::words::{DifferingLanes, PatternWords};
use crate::widgets::{Const, CountOnes, Param};
use rust_hdl::prelude::*;

/// Takes every beat at once, compares its bytes with the [pattern](super::pattern) and counts.
///
/// Each packet is compared from position 0 of the pattern on, with the `seed` of the cycle that takes its first beat: whatever
/// a packet lacks or has too much, the one behind it is in line again. Lane l of beat k holds position k * `B` + l; lanes
/// without TKEEP are not looked at. A beat shows in the outputs four cycles after it was on offer. Packets of all TDESTs
/// are treated alike.
///
/// `W`: data width in bits (64 to 512), `B` = `W` / 8, `L1` = log2(`B`) + 1.
#[derive(LogicBlock, Default)]
pub struct CheckingSink<const W: usize, const B: usize, const L1: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state, the place in a packet too; no beat is taken meanwhile.
    pub reset: Signal<In, Bit>,
    /// Zeroes the outputs: what was taken up to this cycle and in it does not count. The place in a packet stays.
    pub clear: Signal<In, Bit>,
    /// Seed of the pattern.
    pub seed: Signal<In, Bits<32>>,
    /// A beat is on offer.
    pub s_tvalid: Signal<In, Bit>,
    /// It is taken.
    pub s_tready: Signal<Out, Bit>,
    /// Bytes, lane 0 first.
    pub s_tdata: Signal<In, Bits<W>>,
    /// Valid lanes.
    pub s_tkeep: Signal<In, Bits<B>>,
    /// Last beat of a packet.
    pub s_tlast: Signal<In, Bit>,
    /// The packet was cut short by an error.
    pub s_tuser: Signal<In, Bit>,
    /// Bytes taken, modulo 2^64.
    pub bytes: Signal<Out, Bits<64>>,
    /// Packets ended, modulo 2^32.
    pub packets: Signal<Out, Bits<32>>,
    /// Bytes that differ from the pattern; 65535: that many or more.
    pub mismatches: Signal<Out, Bits<16>>,
    /// Beats with TUSER; 65535: that many or more.
    pub errors: Signal<Out, Bits<16>>,
    /// A beat had a TKEEP that is not contiguous from lane 0, or partial without TLAST.
    pub malformed: Signal<Out, Bit>,
    /// Packet of the first byte that differs, counted as `packets` is; 0 without one.
    pub wrong_packet: Signal<Out, Bits<32>>,
    /// Position of that byte in its packet; 0 without one.
    pub wrong_position: Signal<Out, Bits<48>>,

    // Where the stream is.
    in_packet: DFF<Bit>,
    word: DFF<Bits<32>>,
    at: DFF<Bits<48>>,
    // The beat, with what it should be.
    a_valid: DFF<Bit>,
    a_data: DFF<Bits<W>>,
    a_pattern: DFF<Bits<W>>,
    a_keep: DFF<Bits<B>>,
    a_last: DFF<Bit>,
    a_user: DFF<Bit>,
    a_at: DFF<Bits<48>>,
    a_clear: DFF<Bit>,
    // Which lanes are wrong.
    b_valid: DFF<Bit>,
    b_wrong: DFF<Bits<B>>,
    b_bytes: DFF<Bits<L1>>,
    b_malformed: DFF<Bit>,
    b_last: DFF<Bit>,
    b_user: DFF<Bit>,
    b_at: DFF<Bits<48>>,
    b_clear: DFF<Bit>,
    // How many are, and where.
    c_valid: DFF<Bit>,
    c_wrong: DFF<Bits<L1>>,
    c_first: DFF<Bits<48>>,
    c_bytes: DFF<Bits<L1>>,
    c_malformed: DFF<Bit>,
    c_last: DFF<Bit>,
    c_user: DFF<Bit>,
    c_clear: DFF<Bit>,
    // The counts.
    byte_count: DFF<Bits<64>>,
    packet_count: DFF<Bits<32>>,
    mismatch_count: DFF<Bits<16>>,
    error_count: DFF<Bits<16>>,
    was_malformed: DFF<Bit>,
    first_packet: DFF<Bits<32>>,
    first_position: DFF<Bits<48>>,

    words: PatternWords<W>,
    differing: DifferingLanes<W, B>,
    kept: CountOnes<B, L1>,
    wrong: CountOnes<B, L1>,
    below: CountOnes<B, L1>,
    lanes: Param<48, B>,
    one: Const<B, 1>,
    start: Signal<Local, Bits<48>>,
    taken: Signal<Local, Bit>,
    beyond: Signal<Local, Bits<B>>,
    gaps: Signal<Local, Bits<B>>,
    partial: Signal<Local, Bit>,
    borrowed: Signal<Local, Bits<B>>,
    right: Signal<Local, Bits<B>>,
    sum: Signal<Local, Bits<17>>,
}

impl<const W: usize, const B: usize, const L1: usize> Logic for CheckingSink<W, B, L1> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            in_packet,
            word,
            at,
            a_valid,
            a_data,
            a_pattern,
            a_keep,
            a_last,
            a_user,
            a_at,
            a_clear,
            b_valid,
            b_wrong,
            b_bytes,
            b_malformed,
            b_last,
            b_user,
            b_at,
            b_clear,
            c_valid,
            c_wrong,
            c_first,
            c_bytes,
            c_malformed,
            c_last,
            c_user,
            c_clear,
            byte_count,
            packet_count,
            mismatch_count,
            error_count,
            was_malformed,
            first_packet,
            first_position
        );

        // What the beat at hand should be.
        self.s_tready.next = !self.reset.val();
        self.taken.next = self.s_tvalid.val() & !self.reset.val();
        self.words.first.next = self.seed.val();
        self.start.next = 0.into();
        if self.in_packet.q.val() {
            self.words.first.next = self.word.q.val();
            self.start.next = self.at.q.val();
        }
        if self.taken.val() {
            self.in_packet.d.next = !self.s_tlast.val();
            self.word.d.next = self.words.after.val();
            self.at.d.next = self.start.val() + self.lanes.val();
        }
        self.a_valid.d.next = self.taken.val();
        self.a_data.d.next = self.s_tdata.val();
        self.a_pattern.d.next = self.words.beat.val();
        self.a_keep.d.next = self.s_tkeep.val();
        self.a_last.d.next = self.s_tlast.val();
        self.a_user.d.next = self.s_tuser.val();
        self.a_at.d.next = self.start.val();
        self.a_clear.d.next = self.clear.val();

        // Contiguous from lane 0: one more than TKEEP shares no bit with it.
        self.differing.a.next = self.a_data.q.val();
        self.differing.b.next = self.a_pattern.q.val();
        self.kept.mask.next = self.a_keep.q.val();
        self.beyond.next = self.a_keep.q.val() + self.one.val();
        self.gaps.next = self.a_keep.q.val() & self.beyond.val();
        self.partial.next = !self.a_keep.q.val().all() & !self.a_last.q.val();
        self.b_valid.d.next = self.a_valid.q.val();
        self.b_wrong.d.next = self.differing.lanes.val() & self.a_keep.q.val();
        self.b_bytes.d.next = self.kept.count.val();
        self.b_malformed.d.next = self.gaps.val().any() | self.partial.val();
        self.b_last.d.next = self.a_last.q.val();
        self.b_user.d.next = self.a_user.q.val();
        self.b_at.d.next = self.a_at.q.val();
        self.b_clear.d.next = self.a_clear.q.val();

        // The lanes below the first wrong one are those that a decrement sets.
        self.wrong.mask.next = self.b_wrong.q.val();
        self.borrowed.next = self.b_wrong.q.val() - self.one.val();
        self.right.next = !self.b_wrong.q.val();
        self.below.mask.next = self.borrowed.val() & self.right.val();
        self.c_valid.d.next = self.b_valid.q.val();
        self.c_wrong.d.next = self.wrong.count.val();
        self.c_first.d.next = self.b_at.q.val() + bit_cast::<48, L1>(self.below.count.val());
        self.c_bytes.d.next = self.b_bytes.q.val();
        self.c_malformed.d.next = self.b_malformed.q.val();
        self.c_last.d.next = self.b_last.q.val();
        self.c_user.d.next = self.b_user.q.val();
        self.c_clear.d.next = self.b_clear.q.val();

        self.sum.next = bit_cast::<17, 16>(self.mismatch_count.q.val())
            + bit_cast::<17, L1>(self.c_wrong.q.val());
        if self.c_valid.q.val() {
            self.byte_count.d.next =
                self.byte_count.q.val() + bit_cast::<64, L1>(self.c_bytes.q.val());
            self.mismatch_count.d.next = bit_cast::<16, 17>(self.sum.val());
            if self.sum.val().get_bit(16) {
                self.mismatch_count.d.next = 0xffff.into();
            }
            if self.c_wrong.q.val().any() & !self.mismatch_count.q.val().any() {
                self.first_packet.d.next = self.packet_count.q.val();
                self.first_position.d.next = self.c_first.q.val();
            }
            if self.c_last.q.val() {
                self.packet_count.d.next = self.packet_count.q.val() + 1;
            }
            if self.c_user.q.val() & !self.error_count.q.val().all() {
                self.error_count.d.next = self.error_count.q.val() + 1;
            }
            if self.c_malformed.q.val() {
                self.was_malformed.d.next = true;
            }
        }
        if self.c_clear.q.val() | self.reset.val() {
            self.byte_count.d.next = 0.into();
            self.packet_count.d.next = 0.into();
            self.mismatch_count.d.next = 0.into();
            self.error_count.d.next = 0.into();
            self.was_malformed.d.next = false;
            self.first_packet.d.next = 0.into();
            self.first_position.d.next = 0.into();
        }
        self.bytes.next = self.byte_count.q.val();
        self.packets.next = self.packet_count.q.val();
        self.mismatches.next = self.mismatch_count.q.val();
        self.errors.next = self.error_count.q.val();
        self.malformed.next = self.was_malformed.q.val();
        self.wrong_packet.next = self.first_packet.q.val();
        self.wrong_position.next = self.first_position.q.val();

        if self.reset.val() {
            self.in_packet.d.next = false;
            self.a_valid.d.next = false;
            self.b_valid.d.next = false;
            self.c_valid.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern;
    use super::super::testing::words;
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};
    use std::collections::VecDeque;

    /// Cycles from the one that offers a beat to the one in which it shows in the outputs.
    const LATENCY: usize = 4;

    /// The outputs, as the stream has them.
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Counts {
        bytes: u64,
        packets: u64,
        mismatches: u64,
        errors: u64,
        malformed: bool,
        wrong_packet: u64,
        wrong_position: u64,
    }

    impl Counts {
        fn of<const W: usize, const B: usize, const L1: usize>(
            dut: &mut Pair<CheckingSink<W, B, L1>>,
        ) -> Result<Self> {
            Ok(Self {
                bytes: dut.get("bytes")?,
                packets: dut.get("packets")?,
                mismatches: dut.get("mismatches")?,
                errors: dut.get("errors")?,
                malformed: dut.is("malformed")?,
                wrong_packet: dut.get("wrong_packet")?,
                wrong_position: dut.get("wrong_position")?,
            })
        }

        /// Adds a beat whose first lane holds `position` of a packet with this seed.
        fn add(&mut self, beat: &Beat, position: u64, seed: u32) {
            for (lane, byte) in beat.data.iter().enumerate() {
                if beat.keep >> lane & 1 == 1 {
                    self.bytes += 1;
                    let position = position + lane as u64;
                    if *byte != pattern::byte(position, seed) {
                        if self.mismatches == 0 {
                            (self.wrong_packet, self.wrong_position) = (self.packets, position);
                        }
                        self.mismatches = (self.mismatches + 1).min(65535);
                    }
                }
            }
            let lanes = beat.data.len() as u32;
            let count = beat.keep.trailing_ones();
            self.malformed |= count != beat.keep.count_ones() || (count != lanes && !beat.last);
            self.packets += u64::from(beat.last);
            self.errors = (self.errors + u64::from(beat.user)).min(65535);
        }
    }

    #[derive(Clone, Debug)]
    struct Beat {
        data: Vec<u8>,
        keep: u64,
        last: bool,
        user: bool,
    }

    /// The beats of a packet of `length` bytes; lanes behind its end hold garbage.
    fn packet(random: &mut StdRng, lanes: usize, length: usize, seed: u32) -> VecDeque<Beat> {
        let count = length.div_ceil(lanes).max(1);
        let beats = (0..count).map(|index| {
            let mut data = vec![0; lanes];
            let at = index * lanes;
            pattern::fill(&mut data, at as u64, seed);
            let kept = (length - at).min(lanes);
            data[kept..].fill_with(|| random.random());
            Beat {
                data,
                keep: u64::MAX.checked_shr(64 - kept as u32).unwrap_or(0),
                last: index + 1 == count,
                user: false,
            }
        });
        beats.collect()
    }

    fn sink<const W: usize, const B: usize, const L1: usize>()
    -> Result<Pair<CheckingSink<W, B, L1>>> {
        Pair::new(
            CheckingSink::default(),
            ports!(CheckingSink<W, B, L1> {
                clock: clock;
                in reset, clear, seed, s_tvalid, s_tdata, s_tkeep, s_tlast, s_tuser;
                out s_tready, bytes, packets, mismatches, errors, malformed, wrong_packet, wrong_position
            }),
        )
    }

    fn offer<const W: usize, const B: usize, const L1: usize>(
        dut: &mut Pair<CheckingSink<W, B, L1>>,
        beat: &Beat,
        seed: u32,
    ) -> Result {
        dut.set_wide("s_tdata", &words(&beat.data))?;
        set_all(
            dut,
            &[
                ("s_tvalid", 1),
                ("s_tkeep", beat.keep),
                ("s_tlast", beat.last.into()),
                ("s_tuser", beat.user.into()),
                ("seed", seed.into()),
            ],
        )
    }

    /// Takes beats until those on their way show.
    fn drain<const W: usize, const B: usize, const L1: usize>(
        dut: &mut Pair<CheckingSink<W, B, L1>>,
    ) -> Result<Counts> {
        dut.set("s_tvalid", false)?;
        for _ in 1..LATENCY {
            dut.step()?;
        }
        Counts::of(dut)
    }

    /// Packets of all lengths, many of them damaged, with pauses, clears and resets at any moment.
    fn any_traffic<const W: usize, const B: usize, const L1: usize>(cycles: usize) -> Result {
        let mut dut = sink::<W, B, L1>()?;
        let mut random = seeded(W as u64);
        let mut counts = Counts::default();
        let mut shown = VecDeque::from([counts; LATENCY]);
        let mut beats: VecDeque<Beat> = VecDeque::new();
        let (mut position, mut seed) = (0, 0);
        let (mut flawless, mut damaged, mut cleared_inside, mut reset_inside) = (0, 0, 0, 0);
        reset(&mut dut)?;
        for cycle in 0..cycles {
            if beats.is_empty() {
                seed = random.random();
                position = 0;
                let length = match random.random_range(0..6) {
                    0 => 0,
                    1 | 2 => random.random_range(1..=2 * B),
                    3 => B * random.random_range(1..4),
                    _ => random.random_range(1..=10 * B),
                };
                beats = packet(&mut random, B, length, seed);
                let count = beats.len();
                // Every other turn is flawless.
                match random.random_range(0..7) * (cycle / 300 % 2) {
                    // A wrong bit.
                    1 | 2 => {
                        let beat = &mut beats[random.random_range(0..count)];
                        beat.data[random.random_range(0..B)] ^= 1 << random.random_range(0..8);
                    }
                    // A beat too few.
                    3 if count > 1 => drop(beats.remove(random.random_range(0..count - 1))),
                    // Cut short by an error.
                    4 => {
                        beats.truncate(random.random_range(1..=count));
                        let end = beats.back_mut().expect("a packet has a beat");
                        (end.last, end.user) = (true, true);
                    }
                    // Lanes that do not count where they should.
                    5 => beats[random.random_range(0..count)].keep &= random.random::<u64>(),
                    // TUSER in the middle.
                    6 => beats[0].user = true,
                    _ => {}
                }
            }
            let resets = chance(&mut random, 1) && cycle % 3 == 0;
            let clears = chance(&mut random, 2);
            let offers = chance(&mut random, [100, 50, 15][cycle / 100 % 3]);
            if offers {
                // The seed counts with the first beat only.
                let seed = if position == 0 { seed } else { random.random() };
                offer(&mut dut, &beats[0], seed)?;
            } else {
                dut.set("s_tvalid", false)?;
            }
            set_all(
                &mut dut,
                &[("reset", resets.into()), ("clear", clears.into())],
            )?;
            assert_eq!(dut.is("s_tready")?, !resets);
            let expected = shown.pop_front().expect("one for each cycle on the way");
            assert_eq!(Counts::of(&mut dut)?, expected, "cycle {cycle}");

            if offers && !resets {
                let beat = beats.pop_front().expect("a beat is at hand");
                counts.add(&beat, position, seed);
                position += B as u64;
            }
            cleared_inside += u32::from(clears && position > 0 && !beats.is_empty());
            if clears {
                counts = Counts::default();
            }
            shown.push_back(counts);
            if resets {
                reset_inside += u32::from(position > 0 && !beats.is_empty());
                beats.clear();
                counts = Counts::default();
                shown.iter_mut().for_each(|shown| *shown = counts);
            }
            flawless += u32::from(expected.mismatches == 0 && expected.packets > 5);
            damaged += u32::from(expected.mismatches > 1 && expected.wrong_packet > 0);
            dut.step()?;
        }
        let seen = [flawless, damaged, cleared_inside, reset_inside];
        assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
        Ok(())
    }

    #[test]
    fn any_traffic_64() -> Result {
        any_traffic::<64, 8, 4>(12_000)
    }

    #[test]
    fn any_traffic_128() -> Result {
        any_traffic::<128, 16, 5>(12_000)
    }

    #[test]
    fn any_traffic_512() -> Result {
        any_traffic::<512, 64, 7>(8_000)
    }

    /// Each single bit of a beat is looked at, and its byte is found.
    #[test]
    fn every_bit_is_compared() -> Result {
        let mut dut = sink::<128, 16, 5>()?;
        let mut random = seeded(3);
        reset(&mut dut)?;
        for bit in 0..256 {
            dut.set("clear", true)?;
            dut.step()?;
            dut.set("clear", false)?;
            let mut beats = packet(&mut random, 16, 32, 77);
            beats[bit / 128].data[bit / 8 % 16] ^= 1 << (bit % 8);
            for beat in packet(&mut random, 16, 5, 77).iter().chain(&beats) {
                offer(&mut dut, beat, 77)?;
                dut.step()?;
            }
            let expected = Counts {
                bytes: 37,
                packets: 2,
                mismatches: 1,
                wrong_packet: 1,
                wrong_position: bit as u64 / 8,
                ..Counts::default()
            };
            assert_eq!(drain(&mut dut)?, expected, "bit {bit}");
        }
        Ok(())
    }

    /// A packet that lacks bytes spoils itself, and not the one behind it.
    #[test]
    fn packets_align_anew() -> Result {
        let mut dut = sink::<64, 8, 4>()?;
        let mut random = seeded(4);
        reset(&mut dut)?;
        let whole = packet(&mut random, 8, 40, 1);
        let mut short = whole.clone();
        short.remove(2);
        for beat in whole.iter().chain(&short).chain(&whole) {
            offer(&mut dut, beat, 1)?;
            dut.step()?;
        }
        let expected = Counts {
            bytes: 112,
            packets: 3,
            // The words that are left differ from those of one beat before, all bytes of them.
            mismatches: 16,
            wrong_packet: 1,
            wrong_position: 16,
            ..Counts::default()
        };
        assert_eq!(drain(&mut dut)?, expected);
        Ok(())
    }

    #[test]
    fn counts_saturate() -> Result {
        let mut dut = sink::<64, 8, 4>()?;
        reset(&mut dut)?;
        let mut beat = Beat {
            data: vec![0; 8],
            keep: 0x7f,
            last: true,
            user: true,
        };
        // Nothing is right in a beat that is the inverse of the pattern.
        pattern::fill(&mut beat.data, 0, 5);
        beat.data.iter_mut().for_each(|byte| *byte = !*byte);
        offer(&mut dut, &beat, 5)?;
        for cycle in 0..65_600u64 {
            if cycle % 4096 == 0 || cycle > 65_500 || cycle.abs_diff(65_536 / 7) < 8 {
                let beats = cycle.saturating_sub(LATENCY as u64 - 1);
                let expected = Counts {
                    bytes: beats * 7,
                    packets: beats,
                    mismatches: (beats * 7).min(65_535),
                    errors: beats.min(65_535),
                    ..Counts::default()
                };
                assert_eq!(Counts::of(&mut dut)?, expected, "cycle {cycle}");
            }
            dut.step()?;
        }
        Ok(())
    }
}
