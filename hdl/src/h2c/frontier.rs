//! How far, in ring order, everything asked for has arrived.

use crate::widgets::{Const, LutRam};
use pinring_protocol::Status;
use rust_hdl::prelude::*;

/// What the frontier keeps of a slot.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Mark {
    last: Bit,
    aborted: Bit,
    ctx: Bits<4>,
}

/// Follows the ring over slots that are complete, one a cycle, and watches the time of the one it waits for.
///
/// It never waits for the stream: when it passes the last slot of a transfer, no read of that transfer is in flight.
#[derive(LogicBlock, Default)]
pub struct Frontier {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Drops all state.
    pub reset: Signal<In, Bit>,
    /// A slot is allocated in this cycle.
    pub slot_valid: Signal<In, Bit>,
    /// Which slot.
    pub slot_index: Signal<In, Bits<5>>,
    /// It ends its transfer.
    pub slot_last: Signal<In, Bit>,
    /// Context.
    pub slot_ctx: Signal<In, Bits<4>>,
    /// Status of a terminal chunk.
    pub slot_status: Signal<In, Bits<16>>,
    /// Next slot to allocate, counted modulo 64.
    pub tail: Signal<In, Bits<6>>,
    /// Slots that wait for bytes.
    pub open: Signal<In, Bits<32>>,
    /// Cycles that the oldest read may take; 0: any number.
    pub timeout: Signal<In, Bits<32>>,
    /// First slot that is not complete, counted modulo 64.
    pub reached: Signal<Out, Bits<6>>,
    /// No read of transfer `landed_ctx` is in flight any more, and none will follow.
    pub landed_valid: Signal<Out, Bit>,
    /// Context of the transfer.
    pub landed_ctx: Signal<Out, Bits<4>>,
    /// Status of its terminal chunk was Aborted.
    pub landed_aborted: Signal<Out, Bit>,
    /// The time of slot `expire_slot` is over, if it is still open.
    pub expire: Signal<Out, Bit>,
    /// Which slot.
    pub expire_slot: Signal<Out, Bits<5>>,

    position: DFF<Bits<6>>,
    age: DFF<Bits<32>>,
    late: DFF<Bit>,
    late_slot: DFF<Bits<5>>,
    landed: DFF<Bit>,
    landed_mark: DFF<Mark>,
    marks: LutRam<Mark, 5>,
    aborted: Const<16, { Status::Aborted as u64 }>,

    slot: Signal<Local, Bits<5>>,
    waiting: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
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
            landed,
            landed_mark
        );
        self.marks.clock.next = self.clock.val();
        self.marks.write_enable.next = self.slot_valid.val();
        self.marks.write_address.next = self.slot_index.val();
        self.marks.write_data.next.last = self.slot_last.val();
        self.marks.write_data.next.aborted = self.slot_status.val() == self.aborted.val();
        self.marks.write_data.next.ctx = self.slot_ctx.val();

        self.slot.next = bit_cast::<5, 6>(self.position.q.val());
        self.marks.read_address.next = bit_cast::<5, 6>(self.position.q.val());
        self.waiting.next = (self.position.q.val() != self.tail.val())
            & self.open.val().get_bit(self.slot.val().index());
        self.step.next = (self.position.q.val() != self.tail.val())
            & !self.open.val().get_bit(self.slot.val().index());
        self.age.d.next = 0.into();
        if self.waiting.val() {
            self.age.d.next = self.age.q.val() + 1;
        }
        self.late.d.next = self.waiting.val()
            & (self.timeout.val().any() & (self.age.q.val() >= self.timeout.val()));
        self.late_slot.d.next = self.slot.val();
        if self.step.val() {
            self.position.d.next = self.position.q.val() + 1;
        }
        self.landed.d.next = self.step.val() & self.marks.read_data.val().last;
        self.landed_mark.d.next = self.marks.read_data.val();

        self.reached.next = self.position.q.val();
        self.landed_valid.next = self.landed.q.val();
        self.landed_ctx.next = self.landed_mark.q.val().ctx;
        self.landed_aborted.next = self.landed_mark.q.val().aborted;
        self.expire.next = self.late.q.val();
        self.expire_slot.next = self.late_slot.q.val();

        if self.reset.val() {
            self.position.d.next = 0.into();
            self.age.d.next = 0.into();
            self.late.d.next = false;
            self.landed.d.next = false;
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
                in reset, slot_valid, slot_index, slot_last, slot_ctx, slot_status, tail, open, timeout;
                out reached, landed_valid, landed_ctx, landed_aborted, expire, expire_slot
            }),
        )?;
        dut.set("timeout", TIMEOUT)?;
        let mut random = StdRng::seed_from_u64(4);
        let mut marks = [(false, 0, false); 32];
        let (mut tail, mut reached, mut open) = (0, 0, 0u64);
        let (mut waited, mut landed, mut late) = (0, None, None);
        let (mut landings, mut expiries) = (0, 0);
        for cycle in 0..8000 {
            // At times nothing closes, so that the time runs out.
            if cycle / 100 % 3 != 0 {
                open &= !(1 << random.random_range(0..32));
            }
            let allocate = tail - reached < 32 && random.random_bool(0.5);
            let (slot, mark) = (
                tail % 32,
                (random.random_bool(0.3), cycle % 16, random.random_bool(0.3)),
            );
            dut.set("slot_valid", allocate)?;
            dut.set("slot_index", slot)?;
            dut.set("slot_last", mark.0)?;
            dut.set("slot_ctx", mark.1)?;
            dut.set(
                "slot_status",
                if mark.2 {
                    Status::Aborted as u64
                } else {
                    cycle % 2 * 17
                },
            )?;
            dut.set("tail", tail % 64)?;
            dut.set("open", open)?;
            assert_eq!(dut.get("reached")?, reached % 64);
            assert_eq!(dut.is("landed_valid")?, landed.is_some(), "cycle {cycle}");
            if let Some((ctx, aborted)) = landed {
                assert_eq!(
                    (dut.get("landed_ctx")?, dut.is("landed_aborted")?),
                    (ctx, aborted)
                );
                landings += 1;
            }
            assert_eq!(dut.is("expire")?, late.is_some(), "cycle {cycle}");
            if let Some(slot) = late {
                assert_eq!(dut.get("expire_slot")?, slot);
                expiries += 1;
            }
            (landed, late) = (None, None);
            let at = reached % 32;
            if reached == tail {
                waited = 0;
            } else if open >> at & 1 == 1 {
                late = (waited >= TIMEOUT).then_some(at);
                waited += 1;
            } else {
                let (last, ctx, aborted) = marks[at as usize];
                landed = last.then_some((ctx, aborted));
                waited = 0;
                reached += 1;
            }
            if allocate {
                marks[slot as usize] = mark;
                open |= u64::from(random.random_bool(0.7)) << slot;
                tail += 1;
            }
            dut.step()?;
        }
        assert!(landings > 100 && expiries > 100, "{landings} {expiries}");
        Ok(())
    }
}
