//! The root complex's completer: answers reads of host memory, cut at the read completion boundary.

use crate::widgets::{Const, SmallFifo};
use pinring_protocol::limits;
use rust_hdl::prelude::*;

/// What a [`Completer`] is doing.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum CompleterState {
    /// Waiting for a read.
    Idle,
    /// Making a completion's header.
    Header,
    /// Reading its data.
    Data,
    /// Answering a read outside of host memory.
    Refuse,
}

/// Takes up to 8 reads and answers them in order, at 64 bits.
///
/// A completion ends at the next multiple of 64 bytes, so that a read brings as many completions as a root complex with that read
/// completion boundary may send (PCIe Base Spec 5.0, 2.3.1.1). Reads outside of host memory end in UR. While `fault` is
/// set, one bit is sent wrong, once from reset to reset: in the second beat of the first completion of a data read (its tag is
/// not one of the fetch unit's).
#[derive(LogicBlock, Default)]
pub struct Completer {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Forgets all reads, and lets a fault be injected anew.
    pub reset: Signal<In, Bit>,
    /// Injects a fault.
    pub fault: Signal<In, Bit>,
    /// A read, in this cycle.
    pub read_valid: Signal<In, Bit>,
    /// What [`TlpReceiver`](super::TlpReceiver) makes of it.
    pub read: Signal<In, Bits<46>>,
    /// There is room for one more.
    pub read_room: Signal<Out, Bit>,
    /// Host memory is read in this cycle.
    pub memory_read: Signal<Out, Bit>,
    /// Its word.
    pub memory_address: Signal<Out, Bits<13>>,
    /// The word, in the next cycle.
    pub memory_data: Signal<In, Bits<64>>,
    /// A beat of a completion.
    pub cpl_valid: Signal<Out, Bit>,
    /// First beat.
    pub cpl_sop: Signal<Out, Bit>,
    /// Last beat.
    pub cpl_eop: Signal<Out, Bit>,
    /// Address-aligned data.
    pub cpl_data: Signal<Out, Bits<64>>,
    /// Tag.
    pub cpl_tag: Signal<Out, Bits<10>>,
    /// DWs.
    pub cpl_len: Signal<Out, Bits<11>>,
    /// Bytes still to come.
    pub cpl_byte_count: Signal<Out, Bits<13>>,
    /// Lower address.
    pub cpl_lower_addr: Signal<Out, Bits<7>>,
    /// Completion status.
    pub cpl_status: Signal<Out, Bits<3>>,
    reads: SmallFifo<Bits<46>, 3, 4>,
    state: DFF<CompleterState>,
    // What is left of the read.
    address: DFF<Bits<16>>,
    left: DFF<Bits<11>>,
    bytes: DFF<Bits<13>>,
    lead: DFF<Bits<2>>,
    tag: DFF<Bits<10>>,
    // What is left of the completion.
    chunk: DFF<Bits<5>>,
    first: DFF<Bit>,
    // The beat whose word comes out of memory.
    out_valid: DFF<Bit>,
    out_sop: DFF<Bit>,
    out_eop: DFF<Bit>,
    out_len: DFF<Bits<11>>,
    out_bytes: DFF<Bits<13>>,
    out_lower: DFF<Bits<7>>,
    out_status: DFF<Bits<3>>,
    injected: DFF<Bit>,
    fetch_tags: Const<10, { limits::FETCH_TAGS as u64 }>,
    oldest: Signal<Local, Bits<46>>,
    length: Signal<Local, Bits<11>>,
    first_be: Signal<Local, Bits<4>>,
    end_be: Signal<Local, Bits<4>>,
    skipped: Signal<Local, Bits<2>>,
    trail: Signal<Local, Bits<2>>,
    span: Signal<Local, Bits<13>>,
    room: Signal<Local, Bits<5>>,
    size: Signal<Local, Bits<5>>,
    size_bytes: Signal<Local, Bits<13>>,
    step: Signal<Local, Bits<5>>,
    ends: Signal<Local, Bit>,
    spoil: Signal<Local, Bit>,
}

impl Logic for Completer {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, address, left, bytes, lead, tag, chunk, first, out_valid, out_sop,
            out_eop, out_len, out_bytes, out_lower, out_status, injected
        );
        clock!(self, clock, reads);
        self.reads.reset.next = self.reset.val();
        self.reads.data_in.next = self.read.val();
        self.reads.write.next = self.read_valid.val();
        self.reads.read.next = false;
        self.read_room.next = !self.reads.full.val();

        // The read that is oldest: bytes in all, and bytes in front of the first (PCIe Base Spec 5.0, 2.3.1.1).
        self.oldest.next = self.reads.data_out.val();
        self.length.next = self.oldest.val().get_bits::<11>(16);
        self.first_be.next = self.oldest.val().get_bits::<4>(27);
        self.end_be.next = self.oldest.val().get_bits::<4>(31);
        if self.length.val() == 1 {
            self.end_be.next = self.first_be.val();
        }
        self.skipped.next = 0.into();
        if !self.first_be.val().get_bit(0) {
            self.skipped.next = 3.into();
            if self.first_be.val().get_bit(2) {
                self.skipped.next = 2.into();
            }
            if self.first_be.val().get_bit(1) {
                self.skipped.next = 1.into();
            }
            if !self.first_be.val().any() {
                self.skipped.next = 0.into();
            }
        }
        self.trail.next = 3.into();
        if self.end_be.val().get_bit(1) {
            self.trail.next = 2.into();
        }
        if self.end_be.val().get_bit(2) {
            self.trail.next = 1.into();
        }
        if self.end_be.val().get_bit(3) {
            self.trail.next = 0.into();
        }
        self.span.next = ((bit_cast::<13, 11>(self.length.val()) << 2)
            - bit_cast::<13, 2>(self.skipped.val()))
            - bit_cast::<13, 2>(self.trail.val());

        // The next completion: up to the boundary.
        self.room.next = bits::<5>(16) - bit_cast::<5, 4>(self.address.q.val().get_bits::<4>(2));
        self.size.next = self.room.val();
        if self.left.q.val() < bit_cast::<11, 5>(self.room.val()) {
            self.size.next = bit_cast::<5, 11>(self.left.q.val());
        }
        self.size_bytes.next =
            (bit_cast::<13, 5>(self.size.val()) << 2) - bit_cast::<13, 2>(self.lead.q.val());

        // Its next beat.
        self.step.next = 2.into();
        if self.address.q.val().get_bit(2) | (self.chunk.q.val() == 1) {
            self.step.next = 1.into();
        }
        self.ends.next = self.chunk.q.val() == self.step.val();
        self.memory_read.next = false;
        self.memory_address.next = self.address.q.val().get_bits::<13>(3);
        self.out_valid.d.next = false;
        self.out_sop.d.next = self.first.q.val();
        self.out_eop.d.next = self.ends.val();

        match self.state.q.val() {
            CompleterState::Idle => {
                if !self.reads.empty.val() {
                    self.reads.read.next = true;
                    self.address.d.next = self.oldest.val().get_bits::<16>(0);
                    self.left.d.next = self.length.val();
                    self.bytes.d.next = self.span.val();
                    self.lead.d.next = self.skipped.val();
                    self.tag.d.next = self.oldest.val().get_bits::<10>(35);
                    self.state.d.next = CompleterState::Refuse;
                    if self.oldest.val().get_bit(45) {
                        self.state.d.next = CompleterState::Header;
                    }
                }
            }
            CompleterState::Header => {
                self.out_len.d.next = bit_cast::<11, 5>(self.size.val());
                self.out_bytes.d.next = self.bytes.q.val();
                self.out_lower.d.next =
                    self.address.q.val().get_bits::<7>(0) | bit_cast::<7, 2>(self.lead.q.val());
                self.out_status.d.next = 0.into();
                self.chunk.d.next = self.size.val();
                self.first.d.next = true;
                self.left.d.next = self.left.q.val() - bit_cast::<11, 5>(self.size.val());
                self.bytes.d.next = self.bytes.q.val() - self.size_bytes.val();
                self.lead.d.next = 0.into();
                self.state.d.next = CompleterState::Data;
            }
            CompleterState::Data => {
                self.memory_read.next = true;
                self.out_valid.d.next = true;
                self.first.d.next = false;
                self.chunk.d.next = self.chunk.q.val() - self.step.val();
                self.address.d.next =
                    self.address.q.val() + (bit_cast::<16, 5>(self.step.val()) << 2);
                if self.ends.val() {
                    self.state.d.next = CompleterState::Idle;
                    if self.left.q.val().any() {
                        self.state.d.next = CompleterState::Header;
                    }
                }
            }
            CompleterState::Refuse => {
                self.out_len.d.next = 0.into();
                self.out_bytes.d.next = self.bytes.q.val();
                self.out_lower.d.next =
                    self.address.q.val().get_bits::<7>(0) | bit_cast::<7, 2>(self.lead.q.val());
                self.out_status.d.next = 1.into();
                self.out_valid.d.next = true;
                self.out_sop.d.next = true;
                self.out_eop.d.next = true;
                self.state.d.next = CompleterState::Idle;
            }
        }

        self.spoil.next = ((self.fault.val() & !self.injected.q.val())
            & (self.out_valid.q.val() & !self.out_sop.q.val()))
            & (self.tag.q.val() >= self.fetch_tags.val());
        self.cpl_data.next = self.memory_data.val();
        if self.spoil.val() {
            self.cpl_data.next = self.memory_data.val() ^ 1;
            self.injected.d.next = true;
        }
        self.cpl_valid.next = self.out_valid.q.val();
        self.cpl_sop.next = self.out_sop.q.val();
        self.cpl_eop.next = self.out_eop.q.val();
        self.cpl_tag.next = self.tag.q.val();
        self.cpl_len.next = self.out_len.q.val();
        self.cpl_byte_count.next = self.out_bytes.q.val();
        self.cpl_lower_addr.next = self.out_lower.q.val();
        self.cpl_status.next = self.out_status.q.val();

        if self.reset.val() {
            self.state.d.next = CompleterState::Idle;
            self.out_valid.d.next = false;
            self.injected.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};
    use std::collections::VecDeque;

    /// Bytes from `address` on, within a page.
    #[derive(Clone, Copy, Debug)]
    struct Read {
        address: u64,
        length: u64,
        tag: u64,
        inside: bool,
    }

    impl Read {
        fn any(random: &mut StdRng) -> Self {
            let length = [random.random_range(1..10), random.random_range(1..=509)]
                [random.random_range(0..2)];
            Self {
                address: random.random_range(0..16) * 4096 + random.random_range(0..=4096 - length),
                length,
                tag: random.random_range(0..72),
                inside: chance(random, 90),
            }
        }

        fn encode(self) -> u64 {
            let dws = (self.address % 4 + self.length).div_ceil(4);
            let first = 0xf << (self.address % 4) & 0xf;
            let last = 0xf >> ((4 - (self.address + self.length) % 4) % 4);
            let (first, last) = if dws == 1 {
                (first & last, 0)
            } else {
                (first, last)
            };
            self.address & 0xfffc
                | dws << 16
                | first << 27
                | last << 31
                | self.tag << 35
                | u64::from(self.inside) << 45
        }
    }

    fn completer() -> Result<Pair<Completer>> {
        let ports = ports!(Completer {
            clock: clock;
            in reset, fault, read_valid, read, memory_data;
            out read_room, memory_read, memory_address, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len,
                cpl_byte_count, cpl_lower_addr, cpl_status
        });
        let mut dut = Pair::new(Completer::default(), ports)?;
        reset(&mut dut)?;
        Ok(dut)
    }

    fn byte(address: u64) -> u8 {
        (address.wrapping_mul(0x9e37_79b9) >> 13) as u8
    }

    fn word(address: u64) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|lane| byte(address * 8 + lane as u64)))
    }

    /// Runs reads through it, and checks each completion against the oldest read that is not answered; returns the bits that were wrong.
    fn run(dut: &mut Pair<Completer>, random: &mut StdRng, reads: &[Read]) -> Result<u32> {
        let mut waiting: VecDeque<Read> = reads.iter().copied().collect();
        let mut sent: VecDeque<Read> = VecDeque::new();
        let mut memory = 0;
        // The completion that is coming in: DWs still to come.
        let (mut dws, mut header, mut wrong, mut was_full) = (0, [0; 5], 0, false);
        while !waiting.is_empty() || !sent.is_empty() {
            assert!(dut.steps() < 200_000, "all reads are answered");
            let next = waiting.front().copied();
            let offers = dut.is("read_room")? && next.is_some() && chance(random, 60);
            was_full |= !dut.is("read_room")?;
            set_all(
                dut,
                &[
                    ("read_valid", offers.into()),
                    ("read", next.map_or(0, Read::encode)),
                    ("memory_data", memory),
                ],
            )?;
            if dut.is("cpl_valid")? {
                let fields = [
                    "cpl_tag",
                    "cpl_len",
                    "cpl_byte_count",
                    "cpl_lower_addr",
                    "cpl_status",
                ];
                let mut now = [0; 5];
                for (value, field) in now.iter_mut().zip(fields) {
                    *value = dut.get(field)?;
                }
                let read = sent.front_mut().expect("nobody asked for this");
                if dut.is("cpl_sop")? {
                    assert_eq!(dws, 0, "{read:?}");
                    header = now;
                    dws = now[1];
                    let status = u64::from(!read.inside);
                    assert_eq!(
                        (now[0], now[2], now[3], now[4]),
                        (read.tag, read.length, read.address % 128, status),
                        "{read:?}"
                    );
                }
                assert_eq!(now, header, "the header holds");
                if !read.inside {
                    assert!(dut.is("cpl_eop")? && dws == 0);
                    sent.pop_front();
                } else {
                    let data = dut.get("cpl_data")?;
                    let lane = if dut.is("cpl_sop")? {
                        read.address & 4
                    } else {
                        0
                    };
                    let count = dws.min((8 - lane) / 4);
                    dws -= count;
                    assert_eq!(dut.is("cpl_eop")?, dws == 0, "{read:?}");
                    let base = read.address & !7;
                    let end = (base + lane + 4 * count).min(read.address + read.length);
                    for at in read.address..end {
                        wrong += ((data >> (8 * (at - base))) as u8 ^ byte(at)).count_ones();
                    }
                    read.length -= end - read.address;
                    read.address = end;
                    if dws == 0 && read.length > 0 {
                        assert_eq!(end % 64, 0, "it ends at a boundary");
                    }
                    if read.length == 0 {
                        assert_eq!(dws, 0);
                        sent.pop_front();
                    }
                }
            }
            let address = dut.get("memory_address")?;
            memory = if dut.is("memory_read")? {
                word(address)
            } else {
                random.random()
            };
            if offers {
                sent.extend(waiting.pop_front());
            }
            dut.step()?;
        }
        assert!(was_full || reads.len() < 20, "reads had to wait");
        Ok(wrong)
    }

    #[test]
    fn reads_are_answered_in_pieces_that_end_at_the_boundary() -> Result {
        let mut dut = completer()?;
        let mut random = seeded(1);
        let reads: Vec<_> = (0..300).map(|_| Read::any(&mut random)).collect();
        assert_eq!(run(&mut dut, &mut random, &reads)?, 0);
        Ok(())
    }

    #[test]
    fn a_read_of_no_bytes_brings_one_dword() -> Result {
        let mut dut = completer()?;
        set_all(
            &mut dut,
            &[
                ("read_valid", 1),
                ("read", 0x40 | 1 << 16 | 3 << 35 | 1 << 45),
            ],
        )?;
        dut.step()?;
        dut.set("read_valid", false)?;
        while !dut.is("cpl_valid")? {
            assert!(dut.steps() < 20);
            dut.step()?;
        }
        let found = (
            dut.get("cpl_len")?,
            dut.get("cpl_byte_count")?,
            dut.get("cpl_lower_addr")?,
        );
        assert_eq!(found, (1, 1, 0x40));
        assert!(dut.is("cpl_sop")? && dut.is("cpl_eop")?);
        Ok(())
    }

    #[test]
    fn a_fault_spoils_one_bit_of_one_data_read() -> Result {
        let mut dut = completer()?;
        let mut random = seeded(2);
        dut.set("fault", true)?;
        let read = |tag| Read {
            address: 0x1004,
            length: 200,
            tag,
            inside: true,
        };
        for _ in 0..3 {
            assert_eq!(run(&mut dut, &mut random, &[read(7), read(0)])?, 0);
            assert_eq!(run(&mut dut, &mut random, &[read(8), read(9)])?, 1);
            assert_eq!(run(&mut dut, &mut random, &[read(8)])?, 0);
            reset(&mut dut)?;
        }
        Ok(())
    }
}
