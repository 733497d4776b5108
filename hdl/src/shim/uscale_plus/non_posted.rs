//! Non-posted requests that are in the device.

use crate::widgets::SmallFifo;
use rust_hdl::prelude::*;

/// Lets 16 non-posted requests at most into the device, and keeps what their completions need and the device does not know.
///
/// The IP hands in a non-posted request only with a credit, and counts up by one for each cycle with `np_req` (PG213, "Completer Request
/// Interface", pcie_cq_np_req, and "Selective Flow Control for Non-Posted Requests"; its count is 0 after reset). So posted requests go
/// on while 16 reads are unanswered.
///
/// The device answers reads in the order in which they come, so the next completion is the oldest unanswered one's and has its traffic class and
/// attributes (PCIe Base Spec 5.0, 2.2.9). What the device does not do (I/O, atomics) waits here to be refused by [`CompleterCompletion`](super::CompleterCompletion).
#[derive(LogicBlock, Default)]
pub struct NonPosted {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// pcie_cq_np_req\[0\].
    pub np_req: Signal<Out, Bit>,
    /// There is room for one more: always, if the IP keeps to its credits.
    pub room: Signal<Out, Bit>,
    /// A read goes to the device.
    pub read: Signal<In, Bit>,
    /// What an error completion brings of it, or of the request to be refused.
    pub request: Signal<In, Bits<160>>,
    /// A request is to be refused.
    pub refuse: Signal<In, Bit>,
    /// The descriptor of its completion.
    pub refuse_head: Signal<In, Bits<96>>,
    /// The oldest unanswered read's `request`.
    pub read_request: Signal<Out, Bits<160>>,
    /// The device's completion goes to the IP.
    pub answered: Signal<In, Bit>,
    /// A refusal waits.
    pub refusal_valid: Signal<Out, Bit>,
    /// Its descriptor.
    pub refusal_head: Signal<Out, Bits<96>>,
    /// Its `request`.
    pub refusal_request: Signal<Out, Bits<160>>,
    /// It goes to the IP.
    pub refused: Signal<In, Bit>,
    reads: SmallFifo<Bits<160>, 4, 5>,
    refusals: SmallFifo<Bits<256>, 4, 5>,
    // Requests that the IP may hand in or has handed in, and that are not completed.
    granted: DFF<Bits<5>>,
    refusal: Signal<Local, Bits<256>>,
    grants: Signal<Local, Bit>,
    ends: Signal<Local, Bits<5>>,
    more: Signal<Local, Bits<5>>,
}

impl Logic for NonPosted {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, granted);
        clock!(self, clock, reads, refusals);
        self.reads.reset.next = self.reset.val();
        self.refusals.reset.next = self.reset.val();
        self.reads.write.next = self.read.val();
        self.reads.data_in.next = self.request.val();
        self.reads.read.next = self.answered.val() & !self.reads.empty.val();
        self.read_request.next = self.reads.data_out.val();
        self.refusals.write.next = self.refuse.val();
        self.refusals.data_in.next = bit_cast::<256, 96>(self.refuse_head.val())
            | (bit_cast::<256, 160>(self.request.val()) << 96);
        self.refusals.read.next = self.refused.val() & !self.refusals.empty.val();
        self.refusal_valid.next = !self.refusals.empty.val();
        self.refusal.next = self.refusals.data_out.val();
        self.refusal_head.next = self.refusal.val().get_bits::<96>(0);
        self.refusal_request.next = self.refusal.val().get_bits::<160>(96);
        self.room.next = !self.reads.full.val() & !self.refusals.full.val();

        self.grants.next = (self.granted.q.val() < 16) & !self.reset.val();
        self.np_req.next = self.grants.val();
        self.more.next = 0.into();
        if self.grants.val() {
            self.more.next = 1.into();
        }
        self.ends.next = bit_cast::<5, 1>(self.reads.read.val().into())
            + bit_cast::<5, 1>(self.refusals.read.val().into());
        self.granted.d.next = (self.granted.q.val() + self.more.val()) - self.ends.val();
        if self.reset.val() {
            self.granted.d.next = 0.into();
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

    #[test]
    fn sixteen_are_in_the_device_at_most() -> Result {
        let mut dut = Pair::new(
            NonPosted::default(),
            ports!(NonPosted {
                clock: clock;
                in reset, read, request, refuse, refuse_head, answered, refused;
                out np_req, room, read_request, refusal_valid, refusal_head, refusal_request
            }),
        )?;
        reset(&mut dut)?;
        let mut random = seeded(6);
        let (mut credits, mut most, mut passed) = (0u32, 0, 0);
        let mut reads: VecDeque<Vec<u32>> = VecDeque::new();
        let mut refusals: VecDeque<[Vec<u32>; 2]> = VecDeque::new();
        for cycle in 0..6000 {
            // Turns in which completions leave slowly, or not at all, or fast.
            let leaving = [5, 0, 90][cycle / 100 % 3];
            let comes = credits > 0 && chance(&mut random, 70);
            let refuse = comes && chance(&mut random, 30);
            let [head, request]: [Vec<u32>; 2] =
                [3, 5].map(|words| (0..words).map(|_| random.random()).collect());
            dut.set("read", comes && !refuse)?;
            dut.set("refuse", refuse)?;
            dut.set_wide("request", &request)?;
            dut.set_wide("refuse_head", &head)?;
            let answered = !reads.is_empty() && chance(&mut random, leaving);
            let refused = !refusals.is_empty() && chance(&mut random, leaving);
            dut.set("answered", answered)?;
            dut.set("refused", refused)?;
            let inside = reads.len() + refusals.len();
            assert_eq!(dut.is("room")?, reads.len() < 16 && refusals.len() < 16);
            assert!(inside + credits as usize <= 16, "cycle {cycle}");
            most = most.max(inside);
            assert_eq!(dut.is("refusal_valid")?, !refusals.is_empty());
            if let Some([head, request]) = refusals.front() {
                assert_eq!(dut.get_wide("refusal_head")?, head);
                assert_eq!(dut.get_wide("refusal_request")?, request);
            }
            if let Some(expected) = reads.front() {
                assert_eq!(dut.get_wide("read_request")?, expected);
            }
            if dut.is("np_req")? {
                credits += 1;
            }
            dut.step()?;
            if answered {
                reads.pop_front();
                passed += 1;
            }
            if refused {
                refusals.pop_front();
                passed += 1;
            }
            if comes {
                credits -= 1;
                match refuse {
                    true => refusals.push_back([head, request]),
                    false => reads.push_back(request),
                }
            }
        }
        assert!(most == 16 && passed > 500, "{most} {passed}");
        Ok(())
    }
}
