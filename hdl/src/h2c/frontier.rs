//! How far, in ring order, everything asked for has arrived.

use crate::widgets::LutRam;
use rust_hdl::prelude::*;

/// Follows the ring of `N` slots over those that are complete, one a cycle, and watches the time of the one it waits for; `I` =
/// log2(`N`), `P` = `I` + 1.
///
/// It never waits for the stream. A context that is to be aborted is quiet as soon as the last of the slots that were
/// allocated for its reads is passed: the requester takes no further read of it, whatever of it is still to come.
#[derive(LogicBlock, Default)]
pub struct Frontier<const N: usize, const I: usize, const P: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A slot is allocated in this cycle: number `tail`.
    pub slot_valid: Signal<In, Bit>,
    /// Its bytes; 0: nothing is read.
    pub slot_len: Signal<In, Bits<10>>,
    /// Context.
    pub slot_ctx: Signal<In, Bits<4>>,
    /// Next slot to allocate, counted modulo 2 `N`.
    pub tail: Signal<In, Bits<P>>,
    /// Bits of a count that are the slot's number.
    pub mask: Signal<In, Bits<I>>,
    /// Slots that wait for bytes.
    pub open: Signal<In, Bits<N>>,
    /// Slots whose read has left for the link.
    pub sent: Signal<In, Bits<N>>,
    /// Cycles that the oldest read may take from its departure; 0: any number.
    pub timeout: Signal<In, Bits<32>>,
    /// Contexts that must stop reading.
    pub aborts: Signal<In, Bits<16>>,
    /// First slot that is not complete, counted modulo 2 `N`.
    pub reached: Signal<Out, Bits<P>>,
    /// Context `quiet_ctx` of `aborts` has no read in flight and gets none any more; told again every 16 cycles.
    pub quiet_valid: Signal<Out, Bit>,
    /// Which context.
    pub quiet_ctx: Signal<Out, Bits<4>>,
    /// The time of slot `expire_slot` is over, if it is still open.
    pub expire: Signal<Out, Bit>,
    /// Which slot.
    pub expire_slot: Signal<Out, Bits<I>>,

    position: DFF<Bits<P>>,
    age: DFF<Bits<32>>,
    late: DFF<Bit>,
    late_slot: DFF<Bits<I>>,
    // The slot passed in the cycle before.
    passed: DFF<Bit>,
    passed_position: DFF<Bits<P>>,
    passed_ctx: DFF<Bits<4>>,
    // Contexts with a read in flight, and the last slot that each has got for one.
    reading: DFF<Bits<16>>,
    latest: LutRam<Bits<P>, 4>,
    contexts: LutRam<Bits<4>, I>,
    scan: DFF<Bits<4>>,

    slot: Signal<Local, Bits<I>>,
    waiting: Signal<Local, Bit>,
    ageing: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
    one: Signal<Local, Bits<16>>,
    begins: Signal<Local, Bits<16>>,
    ends: Signal<Local, Bits<16>>,
    still: Signal<Local, Bits<16>>,
    unread: Signal<Local, Bits<16>>,
    quiet: Signal<Local, Bits<16>>,
}

impl<const N: usize, const I: usize, const P: usize> Logic for Frontier<N, I, P> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            position,
            age,
            late,
            late_slot,
            passed,
            passed_position,
            passed_ctx,
            reading,
            scan
        );
        clock!(self, clock, latest, contexts);
        self.one.next = 1.into();
        self.contexts.write_enable.next = self.slot_valid.val();
        self.slot.next = bit_cast::<I, P>(self.position.q.val()) & self.mask.val();
        self.contexts.write_address.next = bit_cast::<I, P>(self.tail.val()) & self.mask.val();
        self.contexts.write_data.next = self.slot_ctx.val();

        self.contexts.read_address.next = bit_cast::<I, P>(self.position.q.val()) & self.mask.val();
        self.waiting.next = (self.position.q.val() != self.tail.val())
            & self.open.val().get_bit(self.slot.val().index());
        self.step.next = (self.position.q.val() != self.tail.val())
            & !self.open.val().get_bit(self.slot.val().index());
        // A read's time begins when it leaves (PCIe Base Spec 5.0, 2.8): until then no completion is due.
        self.ageing.next = self.waiting.val() & self.sent.val().get_bit(self.slot.val().index());
        self.age.d.next = 0.into();
        if self.ageing.val() {
            self.age.d.next = self.age.q.val() + 1;
        }
        self.late.d.next = self.ageing.val()
            & (self.timeout.val().any() & (self.age.q.val() >= self.timeout.val()));
        self.late_slot.d.next = self.slot.val();
        if self.step.val() {
            self.position.d.next = self.position.q.val() + 1;
        }

        // Slots complete in ring order here, so a context's last read is passed behind all its others.
        self.passed.d.next = self.step.val();
        self.passed_position.d.next = self.position.q.val();
        self.passed_ctx.d.next = self.contexts.read_data.val();
        self.reads.next = self.slot_valid.val() & self.slot_len.val().any();
        self.latest.write_enable.next = self.reads.val();
        self.latest.write_address.next = self.slot_ctx.val();
        self.latest.write_data.next = self.tail.val();
        self.latest.read_address.next = self.passed_ctx.q.val();
        self.begins.next = 0.into();
        if self.reads.val() {
            self.begins.next = self.one.val() << self.slot_ctx.val();
        }
        self.ends.next = 0.into();
        if self.passed.q.val() & (self.latest.read_data.val() == self.passed_position.q.val()) {
            self.ends.next = self.one.val() << self.passed_ctx.q.val();
        }
        self.still.next = !self.ends.val();
        self.reading.d.next = (self.reading.q.val() & self.still.val()) | self.begins.val();

        self.scan.d.next = self.scan.q.val() + 1;
        self.unread.next = !self.reading.q.val();
        self.quiet.next = self.aborts.val() & self.unread.val();
        self.quiet_valid.next = self.quiet.val().get_bit(self.scan.q.val().index());
        self.quiet_ctx.next = self.scan.q.val();

        self.reached.next = self.position.q.val();
        self.expire.next = self.late.q.val();
        self.expire_slot.next = self.late_slot.q.val();

        if self.reset.val() {
            self.position.d.next = 0.into();
            self.age.d.next = 0.into();
            self.late.d.next = false;
            self.passed.d.next = false;
            self.reading.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    #[test]
    fn follows_the_ring_and_watches_the_time() -> Result<(), Error> {
        exercise::<32, 5, 6>(false)?;
        exercise::<64, 6, 7>(false)?;
        exercise::<256, 8, 9>(false)?;
        exercise::<256, 8, 9>(true)
    }

    fn exercise<const N: usize, const I: usize, const P: usize>(narrow: bool) -> Result<(), Error> {
        const TIMEOUT: u64 = 40;
        let size = if narrow { 32 } else { N as u64 };
        let modulo = 2 * N as u64;
        let mut dut = Pair::new(
            Frontier::default(),
            ports!(Frontier<N, I, P> {
                clock: clock;
                in reset, slot_valid, slot_len, slot_ctx, tail, mask, open, sent, timeout, aborts;
                out reached, quiet_valid, quiet_ctx, expire, expire_slot
            }),
        )?;
        dut.set("timeout", TIMEOUT)?;
        dut.set("mask", size - 1)?;
        let mask = |slots: &[bool]| -> Vec<u32> {
            let word = |bits: &[bool]| {
                bits.iter()
                    .rev()
                    .fold(0, |word, bit| word << 1 | u32::from(*bit))
            };
            slots.chunks(32).map(word).collect()
        };
        let mut random = StdRng::seed_from_u64(4);
        // Context of each slot, if something is read for it.
        let mut reads = vec![None; N];
        let (mut open, mut sent) = (vec![false; N], vec![false; N]);
        let (mut tail, mut reached) = (0u64, 0u64);
        let (mut waited, mut late, mut reached_before) = (0, None, 0);
        let (mut quiets, mut expiries, mut unsent) = (0, 0, 0);
        let mut aborts = 0;
        for cycle in 0..8000u64 {
            // At times nothing closes, so that the time runs out.
            if cycle / 100 % 3 != 0 {
                // The oldest too, so that a large ring moves.
                for slot in [random.random_range(0..size), reached % size] {
                    open[slot as usize] = false;
                }
            }
            // At times nothing leaves, so that it does not.
            if cycle / 300 % 4 != 1 {
                for slot in [random.random_range(0..size), reached % size] {
                    sent[slot as usize] = true;
                }
            }
            if cycle % 50 == 0 {
                aborts = random.random_range(0u64..1 << 16);
            }
            let allocate = tail - reached < size && random.random_bool(0.5);
            let slot = (tail % size) as usize;
            let ctx = random.random_range(0..16u64);
            let len = if random.random_bool(0.7) {
                1 + cycle % 512
            } else {
                0
            };
            dut.set("slot_valid", allocate)?;
            dut.set("slot_len", len)?;
            dut.set("slot_ctx", ctx)?;
            dut.set("tail", tail % modulo)?;
            dut.set_wide("open", &mask(&open))?;
            dut.set_wide("sent", &mask(&sent))?;
            dut.set("aborts", aborts)?;
            assert_eq!(dut.get("reached")?, reached % modulo);
            let asked = dut.get("quiet_ctx")?;
            assert_eq!(asked, cycle % 16);
            // What was passed in the cycle before still counts.
            let reading =
                (reached_before..tail).any(|at| reads[(at % size) as usize] == Some(asked));
            let quiet = aborts >> asked & 1 == 1 && !reading;
            assert_eq!(dut.is("quiet_valid")?, quiet, "cycle {cycle}");
            quiets += u64::from(quiet && reached != tail);
            assert_eq!(dut.is("expire")?, late.is_some(), "cycle {cycle}");
            if let Some(slot) = late {
                assert_eq!(dut.get("expire_slot")?, slot);
                expiries += 1;
            }
            late = None;
            reached_before = reached;
            let at = (reached % size) as usize;
            if reached == tail {
                waited = 0;
            } else if !open[at] {
                waited = 0;
                reached += 1;
            } else if sent[at] {
                late = (waited >= TIMEOUT).then_some(at as u64);
                waited += 1;
            } else {
                waited = 0;
                unsent += 1;
            }
            if allocate {
                reads[slot] = (len != 0).then_some(ctx);
                sent[slot] = false;
                open[slot] |= len != 0;
                tail += 1;
            }
            dut.step()?;
        }
        assert!(
            quiets > 100 && expiries > 100 && unsent > 300,
            "{quiets} {expiries} {unsent}"
        );
        Ok(())
    }
}
