//! How far, in ring order, everything asked for has arrived.

use crate::widgets::LutRam;
use rust_hdl::prelude::*;

/// Follows the ring over slots that are complete, one a cycle, and watches the time of the one it waits for.
///
/// It never waits for the stream. A context that is to be aborted is quiet as soon as the last of the slots that were
/// allocated for its reads is passed: the requester takes no further read of it, whatever of it is still to come.
#[derive(LogicBlock, Default)]
pub struct Frontier {
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
    /// Next slot to allocate, counted modulo 64.
    pub tail: Signal<In, Bits<6>>,
    /// Slots that wait for bytes.
    pub open: Signal<In, Bits<32>>,
    /// Slots whose read has left for the link.
    pub sent: Signal<In, Bits<32>>,
    /// Cycles that the oldest read may take from its departure; 0: any number.
    pub timeout: Signal<In, Bits<32>>,
    /// Contexts that must stop reading.
    pub aborts: Signal<In, Bits<16>>,
    /// First slot that is not complete, counted modulo 64.
    pub reached: Signal<Out, Bits<6>>,
    /// Context `quiet_ctx` of `aborts` has no read in flight and gets none any more; told again every 16 cycles.
    pub quiet_valid: Signal<Out, Bit>,
    /// Which context.
    pub quiet_ctx: Signal<Out, Bits<4>>,
    /// The time of slot `expire_slot` is over, if it is still open.
    pub expire: Signal<Out, Bit>,
    /// Which slot.
    pub expire_slot: Signal<Out, Bits<5>>,

    position: DFF<Bits<6>>,
    age: DFF<Bits<32>>,
    late: DFF<Bit>,
    late_slot: DFF<Bits<5>>,
    // The slot passed in the cycle before.
    passed: DFF<Bit>,
    passed_position: DFF<Bits<6>>,
    passed_ctx: DFF<Bits<4>>,
    // Contexts with a read in flight, and the last slot that each has got for one.
    reading: DFF<Bits<16>>,
    latest: LutRam<Bits<6>, 4>,
    contexts: LutRam<Bits<4>, 5>,
    scan: DFF<Bits<4>>,

    slot: Signal<Local, Bits<5>>,
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

impl Logic for Frontier {
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
        self.contexts.write_address.next = bit_cast::<5, 6>(self.tail.val());
        self.contexts.write_data.next = self.slot_ctx.val();

        self.slot.next = bit_cast::<5, 6>(self.position.q.val());
        self.contexts.read_address.next = bit_cast::<5, 6>(self.position.q.val());
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
        const TIMEOUT: u64 = 40;
        let mut dut = Pair::new(
            Frontier::default(),
            ports!(Frontier {
                clock: clock;
                in reset, slot_valid, slot_len, slot_ctx, tail, open, sent, timeout, aborts;
                out reached, quiet_valid, quiet_ctx, expire, expire_slot
            }),
        )?;
        dut.set("timeout", TIMEOUT)?;
        let mut random = StdRng::seed_from_u64(4);
        // Context of each slot, if something is read for it.
        let mut reads = [None; 32];
        let (mut tail, mut reached, mut open, mut sent) = (0u64, 0u64, 0u64, 0u64);
        let (mut waited, mut late, mut reached_before) = (0, None, 0);
        let (mut quiets, mut expiries, mut unsent) = (0, 0, 0);
        let mut aborts = 0;
        for cycle in 0..8000u64 {
            // At times nothing closes, so that the time runs out.
            if cycle / 100 % 3 != 0 {
                open &= !(1 << random.random_range(0..32));
            }
            // At times nothing leaves, so that it does not.
            if cycle / 300 % 4 != 1 {
                sent |= 1 << random.random_range(0..32);
            }
            if cycle % 50 == 0 {
                aborts = random.random_range(0u64..1 << 16);
            }
            let allocate = tail - reached < 32 && random.random_bool(0.5);
            let slot = tail % 32;
            let ctx = random.random_range(0..16u64);
            let len = if random.random_bool(0.7) {
                1 + cycle % 512
            } else {
                0
            };
            dut.set("slot_valid", allocate)?;
            dut.set("slot_len", len)?;
            dut.set("slot_ctx", ctx)?;
            dut.set("tail", tail % 64)?;
            dut.set("open", open)?;
            dut.set("sent", sent)?;
            dut.set("aborts", aborts)?;
            assert_eq!(dut.get("reached")?, reached % 64);
            let asked = dut.get("quiet_ctx")?;
            assert_eq!(asked, cycle % 16);
            // What was passed in the cycle before still counts.
            let reading =
                (reached_before..tail).any(|slot| reads[slot as usize % 32] == Some(asked));
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
            let at = reached % 32;
            if reached == tail {
                waited = 0;
            } else if open >> at & 1 == 0 {
                waited = 0;
                reached += 1;
            } else if sent >> at & 1 == 1 {
                late = (waited >= TIMEOUT).then_some(at);
                waited += 1;
            } else {
                waited = 0;
                unsent += 1;
            }
            if allocate {
                reads[slot as usize] = (len != 0).then_some(ctx);
                sent &= !(1 << slot);
                if len != 0 {
                    open |= 1 << slot;
                }
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
