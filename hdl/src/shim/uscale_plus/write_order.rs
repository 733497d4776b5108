//! Which writes a completion must wait for.

use rust_hdl::prelude::*;

/// Numbers the writes that go to RQ, and tells when all of them are where no completion passes them.
///
/// PCIe's ordering rules let no completion pass a write (PCIe Base Spec 5.0, 2.4.1): a driver that reads a register flushes the writes before it. RQ and
/// CC meet in the IP, which returns the sequence number of a request once no completion can pass it any more, two of them a cycle at most (PG213,
/// "Transmit Transaction Ordering"). Of the 6 bits the highest says that it is a write's; the others count writes. A number that is none of
/// those on their way is not looked at: a lost one is made good by the next.
///
/// While Bus Master Enable is off the IP drops writes and tells nothing of them, so that none is waited for.
#[derive(LogicBlock, Default)]
pub struct WriteOrder {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Bus Master Enable.
    pub bus_master: Signal<In, Bit>,
    /// A write's first beat goes to RQ.
    pub begins: Signal<In, Bit>,
    /// Its sequence number.
    pub number: Signal<Out, Bits<6>>,
    /// One more has a number: 31 may be on their way.
    pub room: Signal<Out, Bit>,
    /// No write is on its way.
    pub flushed: Signal<Out, Bit>,
    /// pcie_rq_seq_num0.
    pub num0: Signal<In, Bits<6>>,
    /// pcie_rq_seq_num_vld0.
    pub vld0: Signal<In, Bit>,
    /// pcie_rq_seq_num1.
    pub num1: Signal<In, Bits<6>>,
    /// pcie_rq_seq_num_vld1.
    pub vld1: Signal<In, Bit>,
    // Number of the last write that went, and of the last one that came back.
    sent: DFF<Bits<5>>,
    seen: DFF<Bits<5>>,
    next: Signal<Local, Bits<5>>,
    under_way: Signal<Local, Bits<5>>,
    ahead0: Signal<Local, Bits<5>>,
    ahead1: Signal<Local, Bits<5>>,
    forward: Signal<Local, Bits<5>>,
}

impl Logic for WriteOrder {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sent, seen);
        self.next.next = self.sent.q.val() + 1;
        self.number.next = bit_cast::<6, 5>(self.next.val()) | 32;
        self.under_way.next = self.sent.q.val() - self.seen.q.val();
        self.room.next = self.under_way.val() != 31;
        self.flushed.next = self.under_way.val() == 0;
        if self.begins.val() {
            self.sent.d.next = self.next.val();
        }

        self.ahead0.next = bit_cast::<5, 6>(self.num0.val()) - self.seen.q.val();
        self.ahead1.next = bit_cast::<5, 6>(self.num1.val()) - self.seen.q.val();
        self.forward.next = 0.into();
        if (self.vld0.val() & self.num0.val().get_bit(5))
            & (self.ahead0.val() <= self.under_way.val())
        {
            self.forward.next = self.ahead0.val();
        }
        if ((self.vld1.val() & self.num1.val().get_bit(5))
            & (self.ahead1.val() <= self.under_way.val()))
            & (self.ahead1.val() > self.forward.val())
        {
            self.forward.next = self.ahead1.val();
        }
        self.seen.d.next = self.seen.q.val() + self.forward.val();
        if !self.bus_master.val() {
            self.seen.d.next = self.sent.q.val();
        }
        if self.reset.val() {
            self.sent.d.next = 0.into();
            self.seen.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, chance, reset, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;
    use std::collections::VecDeque;

    fn dut() -> Result<Pair<WriteOrder>> {
        let mut dut = Pair::new(
            WriteOrder::default(),
            ports!(WriteOrder {
                clock: clock;
                in reset, bus_master, begins, num0, vld0, num1, vld1;
                out number, room, flushed
            }),
        )?;
        dut.set("bus_master", true)?;
        reset(&mut dut)?;
        Ok(dut)
    }

    #[test]
    fn a_completion_may_go_when_every_write_has_come_back() -> Result {
        let mut dut = dut()?;
        let mut random = seeded(31);
        // Numbers in the IP, oldest first, with those of reads between them; writes that have not come back, or whose follower has not.
        let mut inside: VecDeque<u64> = VecDeque::new();
        let mut waits: VecDeque<u64> = VecDeque::new();
        // Writes, cycles in which 31 were on their way, in which none was, and with two numbers back; numbers that were lost.
        let mut counts = [0; 5];
        for cycle in 0..20_000 {
            let (coming, leaving) = [(90, 5), (50, 60), (10, 60)][cycle / 500 % 3];
            let room = waits.len() < 31;
            assert_eq!(dut.is("room")?, room, "cycle {cycle}");
            assert_eq!(dut.is("flushed")?, waits.is_empty(), "cycle {cycle}");
            counts[1] += u32::from(!room);
            counts[2] += u32::from(waits.is_empty());
            let begins = room && chance(&mut random, coming);
            let number = dut.get("number")?;
            dut.set("begins", begins)?;
            let mut back = [None; 2];
            for slot in &mut back {
                if chance(&mut random, leaving) {
                    *slot = inside.pop_front();
                }
            }
            if back == [None; 2] {
                // A number that is on no one's way: of a read, or of a write that is through.
                let stray = random.random_range(0..64);
                if stray < 32 || !waits.contains(&stray) {
                    back[random.random_range(0..2)] = Some(stray);
                }
            }
            counts[3] += u32::from(back[0].is_some() && back[1].is_some());
            for (slot, (num, vld)) in back.iter().zip([("num0", "vld0"), ("num1", "vld1")]) {
                dut.set(vld, slot.is_some())?;
                dut.set(num, slot.unwrap_or_else(|| random.random_range(0..64)))?;
            }
            dut.step()?;
            for number in back.into_iter().flatten() {
                if let Some(place) = waits.iter().position(|write| *write == number) {
                    waits.drain(..=place);
                }
            }
            if begins {
                counts[0] += 1;
                waits.push_back(number);
                // The last of a row comes back, as others wait for it.
                if chance(&mut random, 10) && room && cycle % 500 < 400 {
                    counts[4] += 1;
                } else {
                    inside.push_back(number);
                }
            }
            if chance(&mut random, 20) {
                inside.push_back(random.random_range(0..32));
            }
        }
        assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
        Ok(())
    }

    #[test]
    fn nothing_is_waited_for_while_bus_mastering_is_off() -> Result {
        let mut dut = dut()?;
        dut.set("begins", true)?;
        let mut numbers = Vec::new();
        for _ in 0..3 {
            numbers.push(dut.get("number")?);
            dut.step()?;
        }
        dut.set("begins", false)?;
        dut.step()?;
        assert!(!dut.is("flushed")?);
        dut.set("bus_master", false)?;
        dut.step()?;
        assert!(dut.is("flushed")?);
        // A number that comes late does not count as one to come.
        dut.set("bus_master", true)?;
        dut.set("vld1", true)?;
        dut.set("num1", numbers[0])?;
        dut.step()?;
        dut.set("vld1", false)?;
        dut.step()?;
        assert!(dut.is("flushed")?);
        Ok(())
    }
}
