//! Who may fetch.

use crate::sizes::WORD_BITS;
use rust_hdl::prelude::*;

/// Brings the requests of the context tables and the queue scheduler to the fetch unit, in this order: lists of transfers
/// at hand before new submission entries. The tables ask rarely (once in tens of cycles), so nobody starves.
///
/// The offer may change while the fetch unit is not ready; it looks only in the cycle in which it takes one.
#[derive(LogicBlock, Default)]
pub struct FetchArbiter {
    /// C2H contexts ask.
    pub c2h_valid: Signal<In, Bit>,
    /// Taken.
    pub c2h_ready: Signal<Out, Bit>,
    /// Bus address.
    pub c2h_addr: Signal<In, Bits<64>>,
    /// Bytes.
    pub c2h_bytes: Signal<In, Bits<10>>,
    /// What.
    pub c2h_kind: Signal<In, Bits<2>>,
    /// Context or window.
    pub c2h_id: Signal<In, Bits<5>>,
    /// First word.
    pub c2h_word: Signal<In, Bits<WORD_BITS>>,
    /// H2C contexts ask.
    pub h2c_valid: Signal<In, Bit>,
    /// Taken.
    pub h2c_ready: Signal<Out, Bit>,
    /// Bus address.
    pub h2c_addr: Signal<In, Bits<64>>,
    /// Bytes.
    pub h2c_bytes: Signal<In, Bits<10>>,
    /// What.
    pub h2c_kind: Signal<In, Bits<2>>,
    /// Context or window.
    pub h2c_id: Signal<In, Bits<5>>,
    /// First word.
    pub h2c_word: Signal<In, Bits<WORD_BITS>>,
    /// The queue scheduler asks for a submission entry.
    pub entry_valid: Signal<In, Bit>,
    /// Taken.
    pub entry_ready: Signal<Out, Bit>,
    /// Bus address.
    pub entry_addr: Signal<In, Bits<64>>,
    /// Whose memory.
    pub entry_target: Signal<In, Bits<2>>,
    /// Context.
    pub entry_id: Signal<In, Bits<5>>,
    /// First word.
    pub entry_word: Signal<In, Bits<WORD_BITS>>,
    /// A job for the fetch unit.
    pub req_valid: Signal<Out, Bit>,
    /// Taken.
    pub req_ready: Signal<In, Bit>,
    /// Bus address.
    pub req_addr: Signal<Out, Bits<64>>,
    /// Bytes.
    pub req_bytes: Signal<Out, Bits<10>>,
    /// Whose memory.
    pub req_target: Signal<Out, Bits<2>>,
    /// What.
    pub req_kind: Signal<Out, Bits<2>>,
    /// Context or window.
    pub req_id: Signal<Out, Bits<5>>,
    /// First word.
    pub req_word: Signal<Out, Bits<WORD_BITS>>,
}

impl Logic for FetchArbiter {
    #[hdl_gen]
    fn update(&mut self) {
        self.req_valid.next =
            self.c2h_valid.val() | (self.h2c_valid.val() | self.entry_valid.val());
        self.c2h_ready.next = false;
        self.h2c_ready.next = false;
        self.entry_ready.next = false;
        if self.c2h_valid.val() {
            self.c2h_ready.next = self.req_ready.val();
            self.req_addr.next = self.c2h_addr.val();
            self.req_bytes.next = self.c2h_bytes.val();
            self.req_target.next = 0.into();
            self.req_kind.next = self.c2h_kind.val();
            self.req_id.next = self.c2h_id.val();
            self.req_word.next = self.c2h_word.val();
        } else if self.h2c_valid.val() {
            self.h2c_ready.next = self.req_ready.val();
            self.req_addr.next = self.h2c_addr.val();
            self.req_bytes.next = self.h2c_bytes.val();
            self.req_target.next = 1.into();
            self.req_kind.next = self.h2c_kind.val();
            self.req_id.next = self.h2c_id.val();
            self.req_word.next = self.h2c_word.val();
        } else {
            self.entry_ready.next = self.req_ready.val();
            self.req_addr.next = self.entry_addr.val();
            self.req_bytes.next = 64.into();
            self.req_target.next = self.entry_target.val();
            self.req_kind.next = 0.into();
            self.req_id.next = self.entry_id.val();
            self.req_word.next = self.entry_word.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FetchArbiter;
    use crate::sizes::WORD_BITS;
    use crate::testing::{Result, chance, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    /// Every combination of offers: the first one in the order C2H, H2C, entries goes through with its own fields.
    #[test]
    fn requests_in_order() -> Result {
        let mut dut = Pair::new(
            FetchArbiter::default(),
            ports!(FetchArbiter {
                in c2h_valid, c2h_addr, c2h_bytes, c2h_kind, c2h_id, c2h_word, h2c_valid, h2c_addr, h2c_bytes, h2c_kind, h2c_id,
                    h2c_word, entry_valid, entry_addr, entry_target, entry_id, entry_word, req_ready;
                out c2h_ready, h2c_ready, entry_ready, req_valid, req_addr, req_bytes, req_target, req_kind, req_id, req_word
            }),
        )?;
        let mut random = seeded(1);
        for round in 0..1000 {
            let offers = [round & 1 != 0, round & 2 != 0, round & 4 != 0];
            let parties = ["c2h", "h2c", "entry"];
            let mut requests = Vec::new();
            for (party, offered) in parties.iter().zip(offers) {
                let entry = *party == "entry";
                let addr: u64 = random.random();
                let [id, word, size, kind] =
                    [32, 1 << WORD_BITS, 1024, 4].map(|end| random.random_range(0..end));
                dut.set(&format!("{party}_valid"), offered)?;
                dut.set(&format!("{party}_addr"), addr)?;
                dut.set(&format!("{party}_id"), id)?;
                dut.set(&format!("{party}_word"), word)?;
                if entry {
                    dut.set("entry_target", kind)?;
                    requests.push([addr, 64, kind, 0, id, word]);
                } else {
                    dut.set(&format!("{party}_bytes"), size)?;
                    dut.set(&format!("{party}_kind"), kind)?;
                    requests.push([addr, size, (*party == "h2c").into(), kind, id, word]);
                }
            }
            let ready = chance(&mut random, 50);
            dut.set("req_ready", ready)?;
            let chosen = offers.iter().position(|offered| *offered);
            assert_eq!(dut.is("req_valid")?, chosen.is_some());
            for (index, party) in parties
                .iter()
                .enumerate()
                .filter(|(index, _)| offers[*index])
            {
                assert_eq!(
                    dut.is(&format!("{party}_ready"))?,
                    ready && chosen == Some(index)
                );
            }
            if let Some(chosen) = chosen {
                for (name, value) in ["addr", "bytes", "target", "kind", "id", "word"]
                    .iter()
                    .zip(requests[chosen])
                {
                    assert_eq!(
                        dut.get(&format!("req_{name}"))?,
                        value,
                        "{name} of {}",
                        parties[chosen]
                    );
                }
            }
        }
        Ok(())
    }
}
