//! The engine's side of the host's bus: accesses to host memory, to BAR0 and to registers, one at a time.

use crate::widgets::Const;
use pinring_protocol::selftest::{
    BAR0, BAR0_HIGH, HOST_MEMORY, REGISTERS, SINK_BYTES, SINK_PACKETS, SINK_SEED, SINK_WRONG,
    SOURCE_LENGTH, SOURCE_PACKETS, SOURCE_SEED, VIOLATIONS,
};
use rust_hdl::prelude::*;

// Kernels take literals: bits 29:28 of the byte address choose.
const _: () = {
    assert!(HOST_MEMORY >> 28 == 0xc && BAR0 >> 28 == 0xd && REGISTERS >> 28 == 0xe);
};

/// Number of a register: its byte offset over 4.
const fn register(offset: u32) -> u64 {
    assert!(
        offset < 0x40 && offset.is_multiple_of(4),
        "16 registers of 32 bits"
    );
    (offset / 4) as u64
}

/// What a [`HostBus`] is doing.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum BusState {
    /// Waiting for an access.
    Idle,
    /// Waiting for host memory's port.
    Memory,
    /// Host memory's word is here.
    Word,
    /// Offering a request to the device.
    Request,
    /// Waiting for its completion.
    Completion,
    /// Giving the answer.
    Answer,
}

/// Carries out what the host's processor asks for, and answers each access with a word, writes too.
///
/// Host memory's ports belong to the device: an access waits for a cycle in which it uses them not. A read of BAR0 that is
/// not answered within `TIMEOUT` cycles, or not successfully, gives all ones, as a root complex does; its completion counts
/// no more when it comes.
#[derive(LogicBlock, Default)]
pub struct HostBus<const TIMEOUT: u64> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Forgets the access.
    pub reset: Signal<In, Bit>,
    /// An access: from bit 0 on data to write (32), word address (30), bytes to write (4), whether it writes (1).
    pub access: Signal<In, Bits<67>>,
    /// It is there.
    pub access_valid: Signal<In, Bit>,
    /// It is taken.
    pub access_ready: Signal<Out, Bit>,
    /// An answer, in this cycle.
    pub answer_valid: Signal<Out, Bit>,
    /// The word that was read.
    pub answer: Signal<Out, Bits<32>>,

    /// The device uses host memory's read port.
    pub read_busy: Signal<In, Bit>,
    /// The device uses host memory's write port.
    pub write_busy: Signal<In, Bit>,
    /// Host memory's word.
    pub memory_address: Signal<Out, Bits<13>>,
    /// Bytes to write; none while the port is in use.
    pub memory_bytes: Signal<Out, Bits<8>>,
    /// Data to write.
    pub memory_write: Signal<Out, Bits<64>>,
    /// The word, in the cycle after one in which the device does not read.
    pub memory_data: Signal<In, Bits<64>>,

    /// A request to the device, one beat.
    pub req_valid: Signal<Out, Bit>,
    /// It is taken.
    pub req_ready: Signal<In, Bit>,
    /// Address-aligned data.
    pub req_data: Signal<Out, Bits<64>>,
    /// Write, otherwise read.
    pub req_write: Signal<Out, Bit>,
    /// Byte offset in BAR0.
    pub req_addr: Signal<Out, Bits<24>>,
    /// DWs, 1 or 2.
    pub req_len: Signal<Out, Bits<11>>,
    /// Byte enables of the first DW.
    pub req_first_be: Signal<Out, Bits<4>>,
    /// Byte enables of the second DW.
    pub req_last_be: Signal<Out, Bits<4>>,
    /// Tag.
    pub req_tag: Signal<Out, Bits<10>>,
    /// A completion of the device's.
    pub cpl_valid: Signal<In, Bit>,
    /// Its tag.
    pub cpl_tag: Signal<In, Bits<10>>,
    /// It is successful.
    pub cpl_success: Signal<In, Bit>,
    /// Its data.
    pub cpl_data: Signal<In, Bits<32>>,

    /// The source may begin a packet.
    pub source_enable: Signal<Out, Bit>,
    /// Its packets' bytes.
    pub source_length: Signal<Out, Bits<32>>,
    /// Its packets' seed.
    pub source_seed: Signal<Out, Bits<32>>,
    /// Packets that it has sent.
    pub source_packets: Signal<In, Bits<32>>,
    /// Zeroes the sink's counts.
    pub sink_clear: Signal<Out, Bit>,
    /// The sink's seed.
    pub sink_seed: Signal<Out, Bits<32>>,
    /// Bytes that it has taken.
    pub sink_bytes: Signal<In, Bits<32>>,
    /// Packets that it has taken.
    pub sink_packets: Signal<In, Bits<32>>,
    /// Wrong bytes, and beats with TUSER above them.
    pub sink_wrong: Signal<In, Bits<32>>,
    /// What the root complex has noted.
    pub violations: Signal<In, Bits<4>>,

    state: DFF<BusState>,
    data: DFF<Bits<32>>,
    address: DFF<Bits<30>>,
    select: DFF<Bits<4>>,
    write: DFF<Bit>,
    word: DFF<Bits<32>>,
    tag: DFF<Bits<10>>,
    waited: DFF<Bits<32>>,
    length: DFF<Bits<32>>,
    seed: DFF<Bits<32>>,
    starts: DFF<Bit>,
    upper: DFF<Bits<32>>,
    paired: DFF<Bit>,
    expected: DFF<Bits<32>>,
    clear: DFF<Bit>,
    timeout: Const<32, TIMEOUT>,
    source_length_number: Const<4, { register(SOURCE_LENGTH) }>,
    source_seed_number: Const<4, { register(SOURCE_SEED) }>,
    source_packets_number: Const<4, { register(SOURCE_PACKETS) }>,
    sink_seed_number: Const<4, { register(SINK_SEED) }>,
    sink_bytes_number: Const<4, { register(SINK_BYTES) }>,
    sink_packets_number: Const<4, { register(SINK_PACKETS) }>,
    sink_wrong_number: Const<4, { register(SINK_WRONG) }>,
    bar0_high_number: Const<4, { register(BAR0_HIGH) }>,
    violations_number: Const<4, { register(VIOLATIONS) }>,
    number: Signal<Local, Bits<4>>,
    register_access: Signal<Local, Bit>,
    high: Signal<Local, Bit>,
    nothing: Signal<Local, Bits<32>>,
}

impl<const TIMEOUT: u64> Logic for HostBus<TIMEOUT> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, data, address, select, write, word, tag, waited, length, seed,
            starts, upper, paired, expected, clear
        );
        self.nothing.next = 0.into();
        self.high.next = self.address.q.val().get_bit(0);
        self.access_ready.next = false;
        self.answer_valid.next = false;
        self.answer.next = self.word.q.val();
        self.memory_address.next = self.address.q.val().get_bits::<13>(1);
        self.memory_bytes.next = 0.into();
        self.memory_write.next =
            bit_cast::<64, 32>(self.data.q.val()) | (bit_cast::<64, 32>(self.data.q.val()) << 32);
        self.req_valid.next = false;
        self.req_data.next =
            bit_cast::<64, 32>(self.data.q.val()) | (bit_cast::<64, 32>(self.data.q.val()) << 32);
        self.req_len.next = 1.into();
        self.req_last_be.next = 0.into();
        if self.paired.q.val() & self.write.q.val() {
            self.req_data.next = bit_cast::<64, 32>(self.data.q.val())
                | (bit_cast::<64, 32>(self.upper.q.val()) << 32);
            self.req_len.next = 2.into();
            self.req_last_be.next = 15.into();
        }
        self.req_write.next = self.write.q.val();
        self.req_addr.next = bit_cast::<24, 30>(self.address.q.val()) << 2;
        self.req_first_be.next = self.select.q.val();
        self.req_tag.next = self.tag.q.val();

        // Registers, in the cycle that takes the access.
        self.number.next = self.access.val().get_bits::<4>(32);
        self.register_access.next = false;
        self.starts.d.next = false;
        self.clear.d.next = false;

        match self.state.q.val() {
            BusState::Idle => {
                if self.access_valid.val() {
                    self.access_ready.next = true;
                    self.data.d.next = self.access.val().get_bits::<32>(0);
                    self.address.d.next = self.access.val().get_bits::<30>(32);
                    self.select.d.next = self.access.val().get_bits::<4>(62);
                    self.write.d.next = self.access.val().get_bit(66);
                    self.word.d.next = 0.into();
                    self.waited.d.next = 0.into();
                    // Byte address bits 29:28 are bits 27:26 of the word's.
                    self.state.d.next = BusState::Memory;
                    if self.access.val().get_bit(58) {
                        self.state.d.next = BusState::Request;
                    }
                    if self.access.val().get_bit(59) {
                        self.register_access.next = true;
                        self.state.d.next = BusState::Answer;
                    }
                }
            }
            BusState::Memory => {
                if self.write.q.val() {
                    if !self.write_busy.val() {
                        self.memory_bytes.next = bit_cast::<8, 4>(self.select.q.val());
                        if self.high.val() {
                            self.memory_bytes.next = bit_cast::<8, 4>(self.select.q.val()) << 4;
                        }
                        self.state.d.next = BusState::Answer;
                    }
                } else if !self.read_busy.val() {
                    self.state.d.next = BusState::Word;
                }
            }
            BusState::Word => {
                self.word.d.next = self.memory_data.val().get_bits::<32>(0);
                if self.high.val() {
                    self.word.d.next = self.memory_data.val().get_bits::<32>(32);
                }
                self.state.d.next = BusState::Answer;
            }
            BusState::Request => {
                self.req_valid.next = true;
                if self.req_ready.val() {
                    self.state.d.next = BusState::Completion;
                    if self.write.q.val() {
                        self.paired.d.next = false;
                        self.state.d.next = BusState::Answer;
                    }
                }
            }
            BusState::Completion => {
                self.waited.d.next = self.waited.q.val() + 1;
                if self.waited.q.val() == self.timeout.val() {
                    self.word.d.next = !self.nothing.val();
                    self.tag.d.next = self.tag.q.val() + 1;
                    self.state.d.next = BusState::Answer;
                } else if self.cpl_valid.val() & (self.cpl_tag.val() == self.tag.q.val()) {
                    self.word.d.next = !self.nothing.val();
                    if self.cpl_success.val() {
                        self.word.d.next = self.cpl_data.val();
                    }
                    self.tag.d.next = self.tag.q.val() + 1;
                    self.state.d.next = BusState::Answer;
                }
            }
            BusState::Answer => {
                self.answer_valid.next = true;
                self.state.d.next = BusState::Idle;
            }
        }

        if self.register_access.val() {
            if self.access.val().get_bit(66) {
                if self.number.val() == self.source_length_number.val() {
                    self.length.d.next = self.access.val().get_bits::<32>(0);
                    self.starts.d.next = true;
                } else if self.number.val() == self.source_seed_number.val() {
                    self.seed.d.next = self.access.val().get_bits::<32>(0);
                } else if self.number.val() == self.sink_seed_number.val() {
                    self.expected.d.next = self.access.val().get_bits::<32>(0);
                    self.clear.d.next = true;
                } else if self.number.val() == self.bar0_high_number.val() {
                    self.upper.d.next = self.access.val().get_bits::<32>(0);
                    self.paired.d.next = true;
                }
            } else if self.number.val() == self.source_length_number.val() {
                self.word.d.next = self.length.q.val();
            } else if self.number.val() == self.source_seed_number.val() {
                self.word.d.next = self.seed.q.val();
            } else if self.number.val() == self.source_packets_number.val() {
                self.word.d.next = self.source_packets.val();
            } else if self.number.val() == self.sink_seed_number.val() {
                self.word.d.next = self.expected.q.val();
            } else if self.number.val() == self.sink_bytes_number.val() {
                self.word.d.next = self.sink_bytes.val();
            } else if self.number.val() == self.sink_packets_number.val() {
                self.word.d.next = self.sink_packets.val();
            } else if self.number.val() == self.sink_wrong_number.val() {
                self.word.d.next = self.sink_wrong.val();
            } else if self.number.val() == self.violations_number.val() {
                self.word.d.next = bit_cast::<32, 4>(self.violations.val());
            }
        }
        self.source_enable.next = self.starts.q.val();
        self.source_length.next = self.length.q.val();
        self.source_seed.next = self.seed.q.val();
        self.sink_clear.next = self.clear.q.val();
        self.sink_seed.next = self.expected.q.val();

        if self.reset.val() {
            self.state.d.next = BusState::Idle;
            self.starts.d.next = false;
            self.clear.d.next = false;
            self.paired.d.next = false;
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

    const TIMEOUT: u64 = 20;

    /// The bus between host memory and a device that are as busy as they like.
    struct Rig {
        dut: Pair<HostBus<TIMEOUT>>,
        random: StdRng,
        memory: Vec<u64>,
        /// BAR0 accesses that the device took: offset, byte enables, and the word of a write.
        requests: Vec<(u64, u64, Option<u64>)>,
        /// Second DWs of those of two.
        seconds: Vec<u64>,
        /// How the device answers reads: cycles that it takes, success, data.
        answers: (u64, bool, u64),
        /// The completion on its way: cycles left, tag.
        completion: Option<(u64, u64)>,
        begun: u32,
        cleared: u32,
    }

    impl Rig {
        fn new(seed: u64) -> Result<Self> {
            let ports = ports!(HostBus<TIMEOUT> {
                clock: clock;
                in reset, access, access_valid, read_busy, write_busy, memory_data, req_ready, cpl_valid, cpl_tag, cpl_success,
                   cpl_data, source_packets, sink_bytes, sink_packets, sink_wrong, violations;
                out access_ready, answer_valid, answer, memory_address, memory_bytes, memory_write, req_valid, req_data,
                    req_write, req_addr, req_len, req_first_be, req_last_be, req_tag, source_enable, source_length, source_seed, sink_clear,
                    sink_seed
            });
            let mut dut = Pair::new(HostBus::default(), ports)?;
            reset(&mut dut)?;
            Ok(Self {
                dut,
                random: seeded(seed),
                memory: vec![0; 1 << 13],
                requests: Vec::new(),
                seconds: Vec::new(),
                answers: (3, true, 0),
                completion: None,
                begun: 0,
                cleared: 0,
            })
        }

        /// One cycle; the answer, if there was one.
        fn step(&mut self) -> Result<Option<u64>> {
            let (reads, writes) = (chance(&mut self.random, 50), chance(&mut self.random, 50));
            let ready = chance(&mut self.random, 40);
            let (_, success, data) = self.answers;
            let comes = self.completion.filter(|(left, _)| *left == 0);
            let tag = comes.map_or(self.random.random_range(0..1024), |(_, tag)| tag);
            set_all(
                &mut self.dut,
                &[
                    ("read_busy", reads.into()),
                    ("write_busy", writes.into()),
                    ("req_ready", ready.into()),
                    ("cpl_valid", comes.is_some().into()),
                    ("cpl_tag", tag),
                    ("cpl_success", success.into()),
                    ("cpl_data", data),
                ],
            )?;
            self.completion = match self.completion {
                Some((0, _)) => None,
                Some((left, tag)) => Some((left - 1, tag)),
                None => None,
            };
            let answer = self
                .dut
                .is("answer_valid")?
                .then_some(self.dut.get("answer")?);
            self.begun += u32::from(self.dut.is("source_enable")?);
            self.cleared += u32::from(self.dut.is("sink_clear")?);
            let address = self.dut.get("memory_address")? as usize;
            let bytes = self.dut.get("memory_bytes")?;
            assert!(bytes == 0 || !writes, "the port is the device's");
            let data = self.dut.get("memory_write")?.to_le_bytes();
            let mut word = self.memory[address].to_le_bytes();
            for lane in (0..8).filter(|lane| bytes >> lane & 1 == 1) {
                word[lane] = data[lane];
            }
            if self.dut.is("req_valid")? && ready {
                let (offset, write) = (self.dut.get("req_addr")?, self.dut.is("req_write")?);
                let data = self.dut.get("req_data")? >> (8 * (offset & 4)) & 0xffff_ffff;
                let be = self.dut.get("req_first_be")?;
                if self.dut.get("req_len")? == 2 {
                    assert_eq!(self.dut.get("req_last_be")?, 15);
                    self.seconds.push(self.dut.get("req_data")? >> 32);
                } else {
                    assert_eq!(
                        (self.dut.get("req_len")?, self.dut.get("req_last_be")?),
                        (1, 0)
                    );
                }
                self.requests.push((offset, be, write.then_some(data)));
                if !write {
                    self.completion = Some((self.answers.0, self.dut.get("req_tag")?));
                }
            }
            let read = if reads {
                self.random.random()
            } else {
                self.memory[address]
            };
            self.dut.step()?;
            self.memory[address] = u64::from_le_bytes(word);
            self.dut.set("memory_data", read)?;
            Ok(answer)
        }

        fn offer(&mut self, address: u32, data: u32, select: u64, write: bool) -> Result {
            let access = u128::from(data)
                | u128::from(address >> 2) << 32
                | u128::from(select) << 62
                | u128::from(write) << 66;
            let words: [u32; 3] = std::array::from_fn(|word| (access >> (32 * word)) as u32);
            self.dut.set_wide("access", &words)?;
            self.dut.set("access_valid", true)
        }

        fn access(&mut self, address: u32, write: Option<(u32, u64)>) -> Result<u64> {
            let (data, select) = write.unwrap_or((0, 0xf));
            self.offer(address, data, select, write.is_some())?;
            let mut taken = false;
            for _ in 0..400 {
                let ready = self.dut.is("access_ready")?;
                assert!(!(ready && taken), "an access is taken once");
                taken |= ready;
                let answer = self.step()?;
                if taken {
                    self.dut.set("access_valid", false)?;
                }
                if let Some(answer) = answer {
                    return Ok(answer);
                }
            }
            panic!("no answer for {address:#x}");
        }

        fn load(&mut self, address: u32) -> Result<u64> {
            self.access(address, None)
        }

        fn store(&mut self, address: u32, word: u32) -> Result {
            self.access(address, Some((word, 0xf))).map(drop)
        }
    }

    #[test]
    fn memory_is_shared_with_the_device() -> Result {
        let mut rig = Rig::new(1)?;
        let mut model = vec![0u8; 0x1_0000];
        for _ in 0..400 {
            let offset =
                rig.random.random_range(0..64u32) * 4 + rig.random.random_range(0..2) * 0xff00;
            let at = offset as usize;
            if chance(&mut rig.random, 60) {
                let (word, select): (u32, u64) =
                    (rig.random.random(), rig.random.random_range(0..16));
                rig.access(HOST_MEMORY + offset, Some((word, select)))?;
                for byte in (0..4).filter(|byte| select >> byte & 1 == 1) {
                    model[at + byte] = word.to_le_bytes()[byte];
                }
            } else {
                let expected = u32::from_le_bytes(model[at..at + 4].try_into().expect("a word"));
                assert_eq!(rig.load(HOST_MEMORY + offset)?, u64::from(expected));
            }
        }
        assert!(rig.requests.is_empty());
        Ok(())
    }

    #[test]
    fn bar0_is_reached_by_requests() -> Result {
        let mut rig = Rig::new(2)?;
        for round in 0..60u32 {
            let offset = rig.random.random_range(0..0x8000u32) * 4;
            let word: u32 = rig.random.random();
            rig.access(BAR0 + offset, Some((word, 0b0110)))?;
            assert_eq!(
                rig.requests.pop(),
                Some((offset.into(), 0b0110, Some(word.into())))
            );
            let (cycles, success) = (u64::from(round % 7), chance(&mut rig.random, 70));
            rig.answers = (cycles, success, word.into());
            let expected = if success { word } else { !0 };
            assert_eq!(rig.load(BAR0 + offset)?, u64::from(expected));
            assert_eq!(rig.requests.pop(), Some((offset.into(), 0xf, None)));
        }
        Ok(())
    }

    #[test]
    fn a_doorbell_is_one_write_of_two_dwords() -> Result {
        let mut rig = Rig::new(5)?;
        rig.store(REGISTERS + BAR0_HIGH, 0x89ab_cdef)?;
        assert!(rig.requests.is_empty());
        rig.load(BAR0 + 8)?;
        assert!(rig.seconds.is_empty(), "reads have one DW");
        for round in 0..2 {
            rig.store(BAR0 + 0x1_1000, 0x0123_4567)?;
            assert_eq!(rig.requests.pop(), Some((0x1_1000, 15, Some(0x0123_4567))));
            assert_eq!(rig.seconds, [0x89ab_cdef], "round {round}: once");
        }
        Ok(())
    }

    #[test]
    fn a_late_completion_is_nobody_s() -> Result {
        let mut rig = Rig::new(3)?;
        rig.answers = (TIMEOUT + 10, true, 0x1111);
        assert_eq!(rig.load(BAR0)?, 0xffff_ffff, "timed out");
        let (_, tag) = rig.completion.expect("it is still on its way");
        // It comes while the next read waits, whose own completion comes after it.
        rig.answers = (15, true, 0x2222);
        rig.completion = None;
        rig.offer(BAR0, 0, 0xf, false)?;
        let mut late = false;
        loop {
            if rig.dut.is("access_ready")? {
                rig.step()?;
                rig.dut.set("access_valid", false)?;
                continue;
            }
            if let Some((left, own)) = rig.completion.filter(|_| !late)
                && left == 10
            {
                assert_ne!(own, tag);
                late = true;
                rig.completion = Some((0, tag));
                assert_eq!(rig.step()?, None, "not this read's");
                rig.completion = Some((3, own));
            }
            if let Some(answer) = rig.step()? {
                assert_eq!((answer, late), (0x2222, true));
                return Ok(());
            }
        }
    }

    #[test]
    fn registers_reach_the_user_logic() -> Result {
        let mut rig = Rig::new(4)?;
        rig.store(REGISTERS + SOURCE_SEED, 77)?;
        assert_eq!((rig.begun, rig.cleared), (0, 0));
        rig.store(REGISTERS + SOURCE_LENGTH, 4099)?;
        assert_eq!((rig.begun, rig.cleared), (1, 0), "one packet");
        rig.store(REGISTERS + SINK_SEED, 99)?;
        assert_eq!((rig.begun, rig.cleared), (1, 1));
        for (port, value) in [
            ("source_seed", 77),
            ("source_length", 4099),
            ("sink_seed", 99),
        ] {
            assert_eq!(rig.dut.get(port)?, value);
        }
        let inputs = [
            ("source_packets", SOURCE_PACKETS, 5),
            ("sink_bytes", SINK_BYTES, 0xdead_beef),
            ("sink_packets", SINK_PACKETS, 7),
            ("sink_wrong", SINK_WRONG, 0x2_0003),
            ("violations", VIOLATIONS, 9),
        ];
        for (port, offset, value) in inputs {
            rig.dut.set(port, value)?;
            assert_eq!(rig.load(REGISTERS + offset)?, value, "{port}");
            rig.store(REGISTERS + offset, 0)?;
            assert_eq!(rig.load(REGISTERS + offset)?, value, "{port} is read-only");
        }
        for (offset, value) in [
            (SOURCE_SEED, 77),
            (SOURCE_LENGTH, 4099),
            (SINK_SEED, 99),
            (0x3c, 0),
        ] {
            assert_eq!(rig.load(REGISTERS + offset)?, value);
        }
        assert_eq!((rig.begun, rig.cleared), (1, 1));
        Ok(())
    }
}
