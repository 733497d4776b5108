//! Tags of reads that a soft reset gave up.

use crate::widgets::{Const, Param};
use rust_hdl::prelude::*;

/// Keeps `T` tags (numbers of `P` bits) from reuse while an answer to a read of the time before a soft reset may come.
///
/// A tag that is lost comes back with the last completion of its read, by the rule of all other units, or when no tag has been
/// lost for `patience` cycles. Completions under a lost tag are nobody's. So is the rest of one that a reset cut in two.
///
/// Without extended tags only the first 32 may be used (PCIe Base Spec 5.0, 2.2.6.2).
#[derive(LogicBlock, Default)]
pub struct LostTags<const T: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reset of the function: no answer to an earlier read can come.
    pub reset: Signal<In, Bit>,
    /// The device starts anew and gives reads up.
    pub gives_up: Signal<In, Bit>,
    /// Tags of reads that are out.
    pub reads_out: Signal<In, Bits<T>>,
    /// Extended tags are enabled.
    pub extended: Signal<In, Bit>,
    /// Cycles until the tags that were lost last count as free.
    pub patience: Signal<In, Bits<34>>,
    /// A beat of a completion.
    pub cpl_valid: Signal<In, Bit>,
    /// Its last one.
    pub cpl_eop: Signal<In, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// It is the last of its read.
    pub cpl_final: Signal<In, Bit>,
    /// The beat may be one that somebody waits for.
    pub ours: Signal<Out, Bit>,
    /// Tags that may be used.
    pub usable: Signal<Out, Bits<T>>,

    lost: DFF<Bits<T>>,
    age: DFF<Bits<34>>,
    half_here: DFF<Bit>,
    cut: DFF<Bit>,
    tags: Param<10, T>,
    narrow: Const<T, 0xffff_ffff>,

    one: Signal<Local, Bits<T>>,
    zero: Signal<Local, Bits<T>>,
    tag: Signal<Local, Bits<P>>,
    known: Signal<Local, Bit>,
    half: Signal<Local, Bit>,
    returned: Signal<Local, Bits<T>>,
    still: Signal<Local, Bits<T>>,
    free: Signal<Local, Bits<T>>,
    enabled: Signal<Local, Bits<T>>,
}

impl<const T: usize, const P: usize> Logic for LostTags<T, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, lost, age, half_here, cut);
        self.one.next = 1.into();
        self.zero.next = 0.into();
        self.known.next = self.cpl_tag.val() < self.tags.val();
        self.tag.next = 0.into();
        if self.known.val() {
            self.tag.next = bit_cast::<P, 10>(self.cpl_tag.val());
        }
        self.ours.next = (self.cpl_valid.val() & !self.cut.q.val())
            & (self.known.val() & !self.lost.q.val().get_bit(self.tag.val().index()));

        // The header is the same in all beats; the tag is free behind the last.
        self.returned.next = 0.into();
        if (self.cpl_valid.val() & self.cpl_eop.val()) & (self.known.val() & self.cpl_final.val()) {
            self.returned.next = self.one.val() << self.tag.val();
        }
        self.still.next = !self.returned.val();
        self.lost.d.next = self.lost.q.val() & self.still.val();
        self.age.d.next = self.age.q.val() + 1;
        if self.age.q.val() >= self.patience.val() {
            self.age.d.next = self.age.q.val();
            self.lost.d.next = 0.into();
        }
        self.half.next = self.half_here.q.val();
        if self.cpl_valid.val() {
            self.half.next = !self.cpl_eop.val();
        }
        self.half_here.d.next = self.half.val();
        self.cut.d.next = self.cut.q.val() & self.half.val();
        if self.gives_up.val() {
            self.lost.d.next = (self.lost.q.val() | self.reads_out.val()) & self.still.val();
            self.age.d.next = 0.into();
            self.cut.d.next = self.half.val();
        }

        self.enabled.next = !self.zero.val();
        if !self.extended.val() {
            self.enabled.next = self.narrow.val();
        }
        self.free.next = !self.lost.q.val();
        self.usable.next = self.free.val() & self.enabled.val();

        if self.reset.val() {
            self.lost.d.next = 0.into();
            self.half_here.d.next = false;
            self.cut.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LostTags;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    const PATIENCE: u64 = 400;

    /// Any completions and resets, against a list of what is lost.
    fn exercise<const T: usize, const P: usize>() -> Result {
        let mut dut = Pair::new(
            LostTags::<T, P>::default(),
            ports!(LostTags<T, P> {
                clock: clock;
                in reset, gives_up, reads_out, extended, patience, cpl_valid, cpl_eop, cpl_tag, cpl_final;
                out ours, usable
            }),
        )?;
        reset(&mut dut)?;
        dut.set("patience", PATIENCE)?;
        let mut random = seeded(T as u64);
        let (mut lost, mut quiet_for) = (vec![false; T], 0);
        // The completion at hand: its tag, whether it is its read's last, whether a reset cut it.
        let mut now: Option<(usize, bool, bool)> = None;
        let (mut passed, mut dropped, mut cuts, mut back, mut given_back) = (0, 0, 0, 0, 0);
        for cycle in 0..6000 {
            // The second half is quiet, so that patience ends.
            let gives_up = cycle < 3000 && chance(&mut random, 2);
            let out: Vec<bool> = (0..T).map(|_| chance(&mut random, 10)).collect();
            let words: Vec<u32> = out
                .chunks(32)
                .map(|tags| {
                    tags.iter()
                        .rev()
                        .fold(0, |word, tag| word << 1 | u32::from(*tag))
                })
                .collect();
            let extended = chance(&mut random, 70);
            let begins = now.is_none();
            let valid = chance(&mut random, 60);
            if valid && begins {
                // Also tags that no read has.
                let tag = random.random_range(0..T + 40);
                now = Some((tag, chance(&mut random, 40), false));
            }
            let eop = chance(&mut random, 50);
            let (tag, is_final, cut) = now.unwrap_or_default();
            dut.set_wide("reads_out", &words)?;
            set_all(
                &mut dut,
                &[
                    ("gives_up", gives_up.into()),
                    ("extended", extended.into()),
                    ("cpl_valid", valid.into()),
                    ("cpl_eop", eop.into()),
                    ("cpl_tag", tag as u64),
                    ("cpl_final", is_final.into()),
                ],
            )?;
            let usable = dut.get_wide("usable")?;
            for at in 0..T {
                let bit = usable[at / 32] >> (at % 32) & 1 == 1;
                assert_eq!(
                    bit,
                    !lost[at] && (extended || at < 32),
                    "cycle {cycle}, tag {at}"
                );
            }
            let ours = valid && !cut && tag < T && !lost[tag];
            assert_eq!(dut.is("ours")?, ours, "cycle {cycle}, tag {tag}");
            passed += u32::from(ours);
            dropped += u32::from(valid && tag < T && !ours);
            dut.step()?;

            if quiet_for >= PATIENCE {
                given_back += lost.iter().filter(|lost| **lost).count();
                lost.fill(false);
            }
            quiet_for += 1;
            if gives_up {
                quiet_for = 0;
                lost.iter_mut()
                    .zip(out)
                    .for_each(|(lost, out)| *lost |= out);
            }
            if valid && eop {
                if is_final && tag < T {
                    back += u32::from(lost[tag]);
                    lost[tag] = false;
                }
                now = None;
            } else if gives_up
                && let Some((.., cut)) = &mut now
                && (valid || !begins)
            {
                *cut = true;
                cuts += 1;
            }
        }
        assert!(
            passed > 100 && dropped > 100 && cuts > 5 && back > 20 && given_back > 5,
            "{passed} {dropped} {cuts} {back} {given_back}"
        );
        lost.fill(true);
        dut.set("reset", true)?;
        dut.step()?;
        dut.set("extended", true)?;
        let all = dut.get_wide("usable")?;
        assert_eq!(
            all.iter().map(|word| word.count_ones()).sum::<u32>(),
            T as u32
        );
        Ok(())
    }

    #[test]
    fn lost_tags_rest_until_their_last_completion_72() -> Result {
        exercise::<72, 7>()
    }

    #[test]
    fn lost_tags_rest_until_their_last_completion_256() -> Result {
        exercise::<256, 9>()
    }
}
