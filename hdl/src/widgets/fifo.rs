//! First-word-fall-through FIFOs with a synchronous clear.

use super::ram::{LutRam, Ram};
use rust_hdl::prelude::*;

/// FIFO of 2^`N` words in look-up tables; a word is on `data_out` in the cycle after its write.
///
/// `NP1` must be `N + 1`. Writing when full (unless a read makes room) and reading when empty are the user's errors and must not happen.
#[derive(LogicBlock, Default)]
pub struct SmallFifo<D: Synth, const N: usize, const NP1: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Empties the FIFO; wins over `write`.
    pub reset: Signal<In, Bit>,
    /// Word to append.
    pub data_in: Signal<In, D>,
    /// Append `data_in`.
    pub write: Signal<In, Bit>,
    /// No room.
    pub full: Signal<Out, Bit>,
    /// Oldest word, valid while not `empty`.
    pub data_out: Signal<Out, D>,
    /// Drop the oldest word.
    pub read: Signal<In, Bit>,
    /// Nothing to read.
    pub empty: Signal<Out, Bit>,
    /// Words held, 0..=2^N.
    pub count: Signal<Out, Bits<NP1>>,
    ram: LutRam<D, N>,
    head: DFF<Bits<NP1>>,
    tail: DFF<Bits<NP1>>,
    head_slot: Signal<Local, Bits<N>>,
    tail_slot: Signal<Local, Bits<N>>,
}

impl<D: Synth, const N: usize, const NP1: usize> Logic for SmallFifo<D, N, NP1> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, head, tail);
        self.ram.clock.next = self.clock.val();
        self.count.next = self.tail.q.val() - self.head.q.val();
        self.empty.next = self.tail.q.val() == self.head.q.val();
        self.head_slot.next = bit_cast::<N, NP1>(self.head.q.val());
        self.tail_slot.next = bit_cast::<N, NP1>(self.tail.q.val());
        self.full.next = (self.head_slot.val() == self.tail_slot.val())
            & (self.head.q.val() != self.tail.q.val());
        self.ram.read_address.next = self.head_slot.val();
        self.data_out.next = self.ram.read_data.val();
        self.ram.write_address.next = self.tail_slot.val();
        self.ram.write_data.next = self.data_in.val();
        self.ram.write_enable.next = self.write.val();
        if self.write.val() {
            self.tail.d.next = self.tail.q.val() + 1;
        }
        if self.read.val() {
            self.head.d.next = self.head.q.val() + 1;
        }
        if self.reset.val() {
            self.head.d.next = 0.into();
            self.tail.d.next = 0.into();
        }
    }
}

/// FIFO of 2^`N` words in block RAM; a word is on `data_out` two cycles after its write.
///
/// `NP1` must be `N + 1`. Writing when full (unless a read makes room) and reading when empty are the user's errors and must not happen.
#[derive(LogicBlock, Default)]
pub struct BlockFifo<D: Synth, const N: usize, const NP1: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Empties the FIFO; wins over `write`.
    pub reset: Signal<In, Bit>,
    /// Word to append.
    pub data_in: Signal<In, D>,
    /// Append `data_in`.
    pub write: Signal<In, Bit>,
    /// No room.
    pub full: Signal<Out, Bit>,
    /// Oldest word, valid while not `empty`.
    pub data_out: Signal<Out, D>,
    /// Drop the oldest word.
    pub read: Signal<In, Bit>,
    /// Nothing to read.
    pub empty: Signal<Out, Bit>,
    /// Words that can be read, 0..=2^N; a word counts once it has passed the RAM.
    pub count: Signal<Out, Bits<NP1>>,
    ram: Ram<D, N>,
    head: DFF<Bits<NP1>>,
    tail: DFF<Bits<NP1>>,
    visible: DFF<Bits<NP1>>,
    next_head: Signal<Local, Bits<NP1>>,
    head_slot: Signal<Local, Bits<N>>,
    tail_slot: Signal<Local, Bits<N>>,
}

impl<D: Synth, const N: usize, const NP1: usize> Logic for BlockFifo<D, N, NP1> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, head, tail, visible);
        self.ram.clock.next = self.clock.val();
        self.head_slot.next = bit_cast::<N, NP1>(self.head.q.val());
        self.tail_slot.next = bit_cast::<N, NP1>(self.tail.q.val());
        self.full.next = (self.head_slot.val() == self.tail_slot.val())
            & (self.head.q.val() != self.tail.q.val());
        self.count.next = self.visible.q.val() - self.head.q.val();
        self.empty.next = self.visible.q.val() == self.head.q.val();
        self.next_head.next = self.head.q.val();
        if self.read.val() {
            self.next_head.next = self.head.q.val() + 1;
        }
        // The RAM looks one step ahead; a word becomes visible one cycle after it is in the RAM, so the look-ahead
        // never returns a stale word for one that counts as present.
        self.ram.read_address.next = bit_cast::<N, NP1>(self.next_head.val());
        self.data_out.next = self.ram.read_data.val();
        self.ram.write_address.next = self.tail_slot.val();
        self.ram.write_data.next = self.data_in.val();
        self.ram.write_enable.next = self.write.val();
        self.head.d.next = self.next_head.val();
        self.visible.d.next = self.tail.q.val();
        if self.write.val() {
            self.tail.d.next = self.tail.q.val() + 1;
        }
        if self.reset.val() {
            self.head.d.next = 0.into();
            self.tail.d.next = 0.into();
            self.visible.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinring_verilator::equivalence::{Error, Pair};
    use pinring_verilator::ports;
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    /// Fills, drains and clears a FIFO of 8 words whose words become visible `latency` cycles after the write.
    fn exercise<U: Block>(mut dut: Pair<U>, latency: u64) -> Result<(), Error> {
        let mut random = StdRng::seed_from_u64(latency);
        // Words and the cycle from which they count.
        let mut words: VecDeque<(u64, u64)> = VecDeque::new();
        let (mut full, mut empty, mut exchanged, mut passed) = (0, 0, 0, 0);
        for cycle in 0..3000 {
            // Turns of mostly writing, mostly reading, and both at full speed.
            let (writing, reading) =
                [(0.9, 0.3), (0.3, 0.9), (1.0, 1.0), (0.5, 0.5)][cycle as usize / 50 % 4];
            let visible = words.iter().filter(|(_, from)| *from <= cycle).count();
            let reset = random.random_bool(0.005);
            let read = visible > 0 && random.random_bool(reading);
            let write = (words.len() < 8 || read) && random.random_bool(writing);
            let word = random.random_range(0..1 << 16);
            dut.set("reset", reset)?;
            dut.set("read", read)?;
            dut.set("write", write)?;
            dut.set("data_in", word)?;
            assert_eq!(dut.get("count")?, visible as u64, "cycle {cycle}");
            assert_eq!(dut.is("empty")?, visible == 0, "cycle {cycle}");
            assert_eq!(dut.is("full")?, words.len() == 8, "cycle {cycle}");
            if visible > 0 {
                assert_eq!(dut.get("data_out")?, words[0].0, "cycle {cycle}");
            }
            full += u32::from(words.len() == 8);
            empty += u32::from(words.is_empty());
            exchanged += u32::from(words.len() == 8 && read && write);
            passed += u32::from(words.len() == 1 && read && write);
            dut.step()?;
            if read {
                words.pop_front();
            }
            if write {
                words.push_back((word, cycle + latency));
            }
            if reset {
                words.clear();
            }
        }
        let seen = [full, empty, exchanged, passed];
        assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
        Ok(())
    }

    #[test]
    fn small_fifo_keeps_order() -> Result<(), Error> {
        let ports = ports!(SmallFifo<Bits<16>, 3, 4> {
            clock: clock;
            in reset, data_in, write, read;
            out full, data_out, empty, count
        });
        exercise(Pair::new(SmallFifo::default(), ports)?, 1)
    }

    #[test]
    fn block_fifo_keeps_order() -> Result<(), Error> {
        let ports = ports!(BlockFifo<Bits<16>, 3, 4> {
            clock: clock;
            in reset, data_in, write, read;
            out full, data_out, empty, count
        });
        exercise(Pair::new(BlockFifo::default(), ports)?, 2)
    }
}
