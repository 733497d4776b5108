//! Crossing from one clock to another: two flip-flops for a word that changes one bit at a time, and a FIFO on top.

use super::ram::LutRam;
use rust_hdl::prelude::*;

/// Two flip-flops in a row: `q` follows `d`, which belongs to another clock, two to three cycles later.
///
/// Only one bit of `d` may change at a time (a flag, or a Gray code), and `d` must come from a flip-flop.
#[derive(LogicBlock)]
pub struct Synchroniser<D: Synth> {
    /// Clock of `q`.
    pub clock: Signal<In, Clock>,
    /// A flip-flop of another clock.
    pub d: Signal<In, D>,
    /// The same value in this clock.
    pub q: Signal<Out, D>,
    _first: D,
}

impl<D: Synth> Default for Synchroniser<D> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            d: Default::default(),
            q: Default::default(),
            _first: D::default(),
        }
    }
}

impl<D: Synth> Logic for Synchroniser<D> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self._first;
            self._first = self.d.val();
        }
    }
    fn connect(&mut self) {
        self.q.connect();
    }
    fn hdl(&self) -> Verilog {
        // The attribute keeps both flip-flops, and keeps them close together.
        Verilog::Custom(format!(
            "(* ASYNC_REG = \"TRUE\" *) reg [{d}:0] first;
initial begin
   first = 0;
   q = 0;
end
always @(posedge clock) begin
   first <= d;
   q <= first;
end
",
            d = D::BITS - 1
        ))
    }
}

/// FIFO of 2^`N` words between two unrelated clocks, first word falling through.
///
/// `NP1` must be `N + 1`, and `N` at most 7. A word is on `data_out` three to four cycles of `read_clock` after its write.
/// Writing when full and reading when empty are the user's errors and must not happen.
///
/// Both sides must be reset together: each reset held until the other side's has been seen and the synchronisers have
/// settled, as [`ResetCrossing`](crate::soft_core::ResetCrossing) does.
#[derive(LogicBlock, Default)]
pub struct AsyncFifo<D: Synth, const N: usize, const NP1: usize> {
    /// Clock of `data_in`, `write`, `full` and `write_reset`.
    pub write_clock: Signal<In, Clock>,
    /// Empties the FIFO, together with `read_reset`.
    pub write_reset: Signal<In, Bit>,
    /// Word to append.
    pub data_in: Signal<In, D>,
    /// Append `data_in`.
    pub write: Signal<In, Bit>,
    /// No room, as far as this side knows.
    pub full: Signal<Out, Bit>,
    /// Clock of `data_out`, `read`, `empty` and `read_reset`.
    pub read_clock: Signal<In, Clock>,
    /// Empties the FIFO, together with `write_reset`.
    pub read_reset: Signal<In, Bit>,
    /// Oldest word, valid while not `empty`.
    pub data_out: Signal<Out, D>,
    /// Drop the oldest word.
    pub read: Signal<In, Bit>,
    /// Nothing to read, as far as this side knows.
    pub empty: Signal<Out, Bit>,
    ram: LutRam<D, N>,
    // Each side counts in binary and shows the other side its count in Gray code, from flip-flops of its own.
    tail: DFF<Bits<NP1>>,
    tail_gray: DFF<Bits<NP1>>,
    head: DFF<Bits<NP1>>,
    head_gray: DFF<Bits<NP1>>,
    tail_seen: Synchroniser<Bits<NP1>>,
    head_seen: Synchroniser<Bits<NP1>>,
    next_tail: Signal<Local, Bits<NP1>>,
    next_head: Signal<Local, Bits<NP1>>,
    // The head that the write side sees, from Gray code to binary by prefix exclusive-or.
    pairs: Signal<Local, Bits<NP1>>,
    fours: Signal<Local, Bits<NP1>>,
    known_head: Signal<Local, Bits<NP1>>,
    known_slot: Signal<Local, Bits<N>>,
    tail_slot: Signal<Local, Bits<N>>,
}

impl<D: Synth, const N: usize, const NP1: usize> Logic for AsyncFifo<D, N, NP1> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, write_clock, tail, tail_gray);
        dff_setup!(self, read_clock, head, head_gray);
        clock!(self, write_clock, ram, head_seen);
        clock!(self, read_clock, tail_seen);

        // Write side. The RAM's word is written before the Gray count that announces it leaves.
        self.tail_slot.next = bit_cast::<N, NP1>(self.tail.q.val());
        self.ram.write_address.next = self.tail_slot.val();
        self.ram.write_data.next = self.data_in.val();
        self.ram.write_enable.next = self.write.val();
        self.next_tail.next = self.tail.q.val();
        if self.write.val() {
            self.next_tail.next = self.tail.q.val() + 1;
        }
        self.tail.d.next = self.next_tail.val();
        self.tail_gray.d.next = self.next_tail.val() ^ (self.next_tail.val() >> 1);
        if self.write_reset.val() {
            self.tail.d.next = 0.into();
            self.tail_gray.d.next = 0.into();
        }
        self.head_seen.d.next = self.head_gray.q.val();
        self.pairs.next = self.head_seen.q.val() ^ (self.head_seen.q.val() >> 1);
        self.fours.next = self.pairs.val() ^ (self.pairs.val() >> 2);
        self.known_head.next = self.fours.val() ^ (self.fours.val() >> 4);
        self.known_slot.next = bit_cast::<N, NP1>(self.known_head.val());
        self.full.next = (self.known_slot.val() == self.tail_slot.val())
            & (self.known_head.val() != self.tail.q.val());

        // Read side.
        self.ram.read_address.next = bit_cast::<N, NP1>(self.head.q.val());
        self.data_out.next = self.ram.read_data.val();
        self.next_head.next = self.head.q.val();
        if self.read.val() {
            self.next_head.next = self.head.q.val() + 1;
        }
        self.head.d.next = self.next_head.val();
        self.head_gray.d.next = self.next_head.val() ^ (self.next_head.val() >> 1);
        if self.read_reset.val() {
            self.head.d.next = 0.into();
            self.head_gray.d.next = 0.into();
        }
        self.tail_seen.d.next = self.tail_gray.q.val();
        self.empty.next = self.tail_seen.q.val() == self.head_gray.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair, Ports};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    type Fifo = AsyncFifo<Bits<40>, 3, 4>;

    fn fifo_ports() -> Ports<Fifo> {
        ports!(Fifo {
            clock: write_clock, read_clock;
            in write_reset, data_in, write, read_reset, read;
            out full, data_out, empty
        })
    }

    /// Words through the FIFO with clocks of `write_period` and `read_period` (any unit), checked against a queue.
    fn cross(
        write_period: u64,
        read_period: u64,
        words: u64,
        patience: f64,
        seed: u64,
    ) -> Result<(), Error> {
        let mut dut = Pair::new(Fifo::default(), fifo_ports())?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut expected = VecDeque::new();
        let (mut sent, mut received, mut was_full) = (0, 0, false);
        let (mut write_at, mut read_at) = (0, read_period / 3);
        while received < words {
            let now = write_at.min(read_at);
            let (writes, reads) = (write_at == now, read_at == now);
            // Inputs of a side change only just before its own edge, as they would coming from flip-flops.
            if writes {
                let full = dut.is("full")?;
                was_full |= full;
                assert!(
                    expected.len() <= 8 && (full || expected.len() < 8),
                    "room is reported only when there is room"
                );
                let write = !full && sent < words && random.random_bool(0.8);
                dut.set("write", write)?;
                dut.set("data_in", sent * 0x3_0001 + 5)?;
            }
            let read = reads && !dut.is("empty")? && random.random_bool(patience);
            if reads {
                dut.set("read", read)?;
                if read {
                    assert_eq!(
                        Some(dut.get("data_out")?),
                        expected.pop_front(),
                        "word {received}"
                    );
                    received += 1;
                }
            }
            if writes && dut.is("write")? {
                expected.push_back(sent * 0x3_0001 + 5);
                sent += 1;
            }
            let clocks: &[&str] = match (writes, reads) {
                (true, true) => &["write_clock", "read_clock"],
                (true, false) => &["write_clock"],
                _ => &["read_clock"],
            };
            dut.step_clocks(clocks)?;
            write_at += if writes { write_period } else { 0 };
            read_at += if reads { read_period } else { 0 };
        }
        let slow_reader = read_period as f64 / patience > 2.0 * write_period as f64;
        assert!(
            expected.is_empty() && (was_full || !slow_reader),
            "a slow reader fills the FIFO"
        );
        Ok(())
    }

    #[test]
    fn every_word_crosses_once_and_in_order() -> Result<(), Error> {
        for (write_period, read_period) in
            [(1, 1), (4, 10), (10, 4), (7, 8), (8, 7), (1, 23), (23, 1)]
        {
            cross(
                write_period,
                read_period,
                200,
                0.8,
                write_period * 100 + read_period,
            )?;
            cross(
                write_period,
                read_period,
                100,
                0.1,
                write_period * 101 + read_period,
            )?;
        }
        Ok(())
    }

    #[test]
    fn reset_of_both_sides_empties_it() -> Result<(), Error> {
        let mut dut = Pair::new(Fifo::default(), fifo_ports())?;
        let both = ["write_clock", "read_clock"];
        dut.set("write", true)?;
        for word in 0..5 {
            dut.set("data_in", word)?;
            dut.step_clocks(&both)?;
        }
        dut.set("write", false)?;
        for _ in 0..4 {
            dut.step_clocks(&both)?;
        }
        assert!(!dut.is("empty")?);
        dut.set("write_reset", true)?;
        dut.set("read_reset", true)?;
        for _ in 0..4 {
            dut.step_clocks(&both)?;
        }
        dut.set("write_reset", false)?;
        dut.set("read_reset", false)?;
        for _ in 0..4 {
            assert!(dut.is("empty")? && !dut.is("full")?);
            dut.step_clocks(&both)?;
        }
        dut.set("data_in", 77)?;
        dut.set("write", true)?;
        dut.step_clocks(&both)?;
        dut.set("write", false)?;
        for _ in 0..4 {
            dut.step_clocks(&both)?;
        }
        assert!(!dut.is("empty")?);
        assert_eq!(dut.get("data_out")?, 77);
        Ok(())
    }
}
