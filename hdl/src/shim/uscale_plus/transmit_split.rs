//! What the device sends, on two ways.

use rust_hdl::prelude::*;

/// Sends requests (MWr, MRd) to the RQ interface and completions (CplD, Cpl) to the CC interface.
///
/// A TLP is on one way only, so beats need no arbitration. A completion waits until the writes before it have been `flushed`, of which the
/// device, which waits with it, does not send more meanwhile.
#[derive(LogicBlock, Default)]
pub struct TransmitSplit {
    /// A beat of the device's.
    pub tx_valid: Signal<In, Bit>,
    /// It is taken.
    pub tx_ready: Signal<Out, Bit>,
    /// 0 MWr, 1 MRd, 2 CplD, 3 Cpl.
    pub tx_kind: Signal<In, Bits<2>>,
    /// No write is where a completion could pass it.
    pub flushed: Signal<In, Bit>,
    /// It is of a request.
    pub request_valid: Signal<Out, Bit>,
    /// RQ takes it.
    pub request_ready: Signal<In, Bit>,
    /// It is of a completion.
    pub completion_valid: Signal<Out, Bit>,
    /// CC takes it.
    pub completion_ready: Signal<In, Bit>,
    /// The request is a read, the completion has no data.
    pub bare: Signal<Out, Bit>,
    completion: Signal<Local, Bit>,
}

impl Logic for TransmitSplit {
    #[hdl_gen]
    fn update(&mut self) {
        self.completion.next = self.tx_kind.val().get_bit(1);
        self.bare.next = self.tx_kind.val().get_bit(0);
        self.completion_valid.next =
            (self.tx_valid.val() & self.completion.val()) & self.flushed.val();
        self.request_valid.next = self.tx_valid.val() & !self.completion.val();
        self.tx_ready.next = self.request_ready.val();
        if self.completion.val() {
            self.tx_ready.next = self.completion_ready.val() & self.flushed.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;

    #[test]
    fn each_kind_goes_its_way() -> Result {
        let mut dut = Pair::new(
            TransmitSplit::default(),
            ports!(TransmitSplit {
                in tx_valid, tx_kind, flushed, request_ready, completion_ready;
                out tx_ready, request_valid, completion_valid, bare
            }),
        )?;
        for input in 0..64u64 {
            let [valid, request, completion, flushed] = [0, 1, 2, 3].map(|bit| input >> bit & 1);
            let kind = input >> 4;
            let inputs = [
                ("tx_valid", valid),
                ("flushed", flushed),
                ("request_ready", request),
                ("completion_ready", completion),
                ("tx_kind", kind),
            ];
            set_all(&mut dut, &inputs)?;
            let (to_request, to_completion, ready) = match kind {
                0 | 1 => (valid, 0, request),
                _ => (0, valid & flushed, completion & flushed),
            };
            assert_eq!(dut.get("request_valid")?, to_request);
            assert_eq!(dut.get("completion_valid")?, to_completion);
            assert_eq!(dut.get("tx_ready")?, ready);
            assert_eq!(dut.is("bare")?, kind == 1 || kind == 3);
        }
        Ok(())
    }
}
