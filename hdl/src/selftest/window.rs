//! The data bus of the processor that plays the host: its memory, its own registers, and the bus to the engine's clock.

use crate::widgets::{Const, Param};
use pinring_protocol::{mmio, selftest};
use rust_hdl::prelude::*;

// Kernels take literals: bits 31:30 of the byte address choose.
const _: () = {
    assert!(mmio::BASE >> 30 == 2 && selftest::HOST_MEMORY >> 30 == 3);
    assert!(selftest::UART_BUSY == 1);
};

/// Number of a register: its byte offset in the window over 4.
const fn register(offset: u32) -> u64 {
    assert!(
        offset < 0x100 && offset.is_multiple_of(4),
        "64 registers of 32 bits"
    );
    (offset / 4) as u64
}

/// Answers the data bus: classic Wishbone cycles, acknowledges from a flip-flop.
///
/// Below 2^31 lies the processor's memory, from there on its registers; both take two clocks. From 0xc000_0000 on an access goes
/// through the FIFO to [`HostBus`](super::HostBus) and ends with its answer.
#[derive(LogicBlock, Default)]
pub struct HostWindow<const N: usize, const HZ: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Reset.
    pub reset: Signal<In, Bit>,
    /// A cycle is on.
    pub cycle: Signal<In, Bit>,
    /// An access is wanted.
    pub strobe: Signal<In, Bit>,
    /// The access writes.
    pub write: Signal<In, Bit>,
    /// Word address.
    pub address: Signal<In, Bits<30>>,
    /// Bytes that are written.
    pub select: Signal<In, Bits<4>>,
    /// Word to write.
    pub write_data: Signal<In, Bits<32>>,
    /// The access is done.
    pub acknowledge: Signal<Out, Bit>,
    /// Word that was read.
    pub read_data: Signal<Out, Bits<32>>,
    /// Memory's word address.
    pub memory_address: Signal<Out, Bits<N>>,
    /// Memory's word, one cycle later.
    pub memory_data: Signal<In, Bits<32>>,
    /// Bytes that memory writes in this cycle, from `write_data`.
    pub memory_write: Signal<Out, Bits<4>>,
    /// The UART sends a byte.
    pub uart_busy: Signal<In, Bit>,
    /// Sends the low byte of `write_data`.
    pub uart_write: Signal<Out, Bit>,
    /// LEDs.
    pub leds: Signal<Out, Bits<8>>,
    /// An access for the bus, as [`HostBus`](super::HostBus) takes it.
    pub access: Signal<Out, Bits<67>>,
    /// Sends it.
    pub access_push: Signal<Out, Bit>,
    /// There is room for it.
    pub access_room: Signal<In, Bit>,
    /// An answer waits.
    pub answer_valid: Signal<In, Bit>,
    /// The answer.
    pub answer: Signal<In, Bits<32>>,
    /// Takes it.
    pub answer_pop: Signal<Out, Bit>,
    acknowledged: DFF<Bit>,
    // The access has gone to the bus.
    asked: DFF<Bit>,
    from_memory: DFF<Bit>,
    data: DFF<Bits<32>>,
    cycles: DFF<Bits<32>>,
    led: DFF<Bits<8>>,
    cycles_number: Const<6, { register(mmio::CYCLES_LO) }>,
    hz_number: Const<6, { register(mmio::CORE_HZ) }>,
    leds_number: Const<6, { register(mmio::LEDS) }>,
    uart_number: Const<6, { register(selftest::UART) }>,
    hz: Param<32, HZ>,
    wanted: Signal<Local, Bit>,
    in_memory: Signal<Local, Bit>,
    on_bus: Signal<Local, Bit>,
    number: Signal<Local, Bits<6>>,
}

impl<const N: usize, const HZ: usize> Logic for HostWindow<N, HZ> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            acknowledged,
            asked,
            from_memory,
            data,
            cycles,
            led
        );
        self.wanted.next = (self.cycle.val() & self.strobe.val()) & !self.acknowledged.q.val();
        self.in_memory.next = !self.address.val().get_bit(29);
        self.on_bus.next = self.address.val().get_bit(29) & self.address.val().get_bit(28);
        self.number.next = bit_cast::<6, 30>(self.address.val());
        self.acknowledge.next = self.acknowledged.q.val();
        self.acknowledged.d.next = self.wanted.val() & !self.on_bus.val();
        self.cycles.d.next = self.cycles.q.val() + 1;

        self.memory_address.next = bit_cast::<N, 30>(self.address.val());
        self.memory_write.next = 0.into();
        if (self.wanted.val() & self.write.val()) & self.in_memory.val() {
            self.memory_write.next = self.select.val();
        }
        self.from_memory.d.next = self.in_memory.val();
        self.read_data.next = self.data.q.val();
        if self.from_memory.q.val() {
            self.read_data.next = self.memory_data.val();
        }

        self.data.d.next = 0.into();
        if self.number.val() == self.cycles_number.val() {
            self.data.d.next = self.cycles.q.val();
        } else if self.number.val() == self.hz_number.val() {
            self.data.d.next = self.hz.val();
        } else if self.number.val() == self.leds_number.val() {
            self.data.d.next = bit_cast::<32, 8>(self.led.q.val());
        } else if self.number.val() == self.uart_number.val() {
            self.data.d.next = bit_cast::<32, 1>(self.uart_busy.val().into());
        }
        self.uart_write.next = false;
        if (self.wanted.val() & self.write.val()) & (!self.in_memory.val() & !self.on_bus.val()) {
            if self.number.val() == self.uart_number.val() {
                self.uart_write.next = true;
            } else if self.number.val() == self.leds_number.val() {
                self.led.d.next = bit_cast::<8, 32>(self.write_data.val());
            }
        }
        self.leds.next = self.led.q.val();

        self.access.next = (bit_cast::<67, 32>(self.write_data.val())
            | (bit_cast::<67, 30>(self.address.val()) << 32))
            | ((bit_cast::<67, 4>(self.select.val()) << 62)
                | (bit_cast::<67, 1>(self.write.val().into()) << 66));
        self.access_push.next = false;
        self.answer_pop.next = false;
        if self.wanted.val() & self.on_bus.val() {
            if self.asked.q.val() {
                self.data.d.next = self.answer.val();
                if self.answer_valid.val() {
                    self.answer_pop.next = true;
                    self.asked.d.next = false;
                    self.acknowledged.d.next = true;
                }
            } else if self.access_room.val() {
                self.access_push.next = true;
                self.asked.d.next = true;
            }
        }

        if self.reset.val() {
            self.acknowledged.d.next = false;
            self.asked.d.next = false;
            self.cycles.d.next = 0.into();
            self.led.d.next = 0.into();
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

    type Window = HostWindow<6, 62_500_000>;

    struct Rig {
        dut: Pair<Window>,
        random: StdRng,
        memory: [u32; 64],
        /// Accesses that went to the bus, and the answer that the next one gets.
        accesses: Vec<Vec<u32>>,
        answer: u32,
        waiting: bool,
        sent: Vec<u8>,
    }

    impl Rig {
        fn new() -> Result<Self> {
            let ports = ports!(Window {
                clock: clock;
                in reset, cycle, strobe, write, address, select, write_data, memory_data, uart_busy, access_room, answer_valid,
                   answer;
                out acknowledge, read_data, memory_address, memory_write, uart_write, leds, access, access_push, answer_pop
            });
            let mut dut = Pair::new(Window::default(), ports)?;
            reset(&mut dut)?;
            Ok(Self {
                dut,
                random: seeded(1),
                memory: [0; 64],
                accesses: Vec::new(),
                answer: 0,
                waiting: false,
                sent: Vec::new(),
            })
        }

        fn step(&mut self) -> Result {
            let answers = self.waiting && chance(&mut self.random, 30);
            set_all(
                &mut self.dut,
                &[
                    ("access_room", chance(&mut self.random, 50).into()),
                    ("answer_valid", answers.into()),
                    ("answer", self.answer.into()),
                ],
            )?;
            if self.dut.is("access_push")? {
                assert!(!self.waiting, "one at a time");
                self.waiting = true;
                self.accesses.push(self.dut.get_wide("access")?.to_vec());
            }
            if self.dut.is("answer_pop")? {
                assert!(answers);
                self.waiting = false;
            }
            if self.dut.is("uart_write")? {
                self.sent.push(self.dut.get("write_data")? as u8);
            }
            let at = self.dut.get("memory_address")? as usize;
            let (bytes, data) = (self.dut.get("memory_write")?, self.dut.get("write_data")?);
            let old = self.memory[at];
            self.dut.step()?;
            self.dut.set("memory_data", u64::from(old))?;
            let mut word = old.to_le_bytes();
            for byte in (0..4).filter(|byte| bytes >> byte & 1 == 1) {
                word[byte] = data.to_le_bytes()[byte];
            }
            self.memory[at] = u32::from_le_bytes(word);
            Ok(())
        }

        fn access(&mut self, address: u32, write: Option<(u32, u64)>) -> Result<u32> {
            let (data, select) = write.unwrap_or((0, 0xf));
            set_all(
                &mut self.dut,
                &[
                    ("cycle", 1),
                    ("strobe", 1),
                    ("write", write.is_some().into()),
                    ("address", (address >> 2).into()),
                    ("select", select),
                    ("write_data", data.into()),
                ],
            )?;
            for _ in 0..100 {
                if self.dut.is("acknowledge")? {
                    let read = self.dut.get("read_data")? as u32;
                    self.step()?;
                    set_all(&mut self.dut, &[("cycle", 0), ("strobe", 0)])?;
                    return Ok(read);
                }
                self.step()?;
            }
            panic!("no acknowledge for {address:#x}");
        }
    }

    #[test]
    fn accesses_go_where_their_address_says() -> Result {
        let mut rig = Rig::new()?;
        let mut model = [0u32; 64];
        for _ in 0..300 {
            let word = rig.random.random_range(0..64usize);
            let (data, select): (u32, u64) = (rig.random.random(), rig.random.random_range(0..16));
            match rig.random.random_range(0..4) {
                0 => {
                    rig.access(word as u32 * 4, Some((data, select)))?;
                    let mut bytes = model[word].to_le_bytes();
                    for byte in (0..4).filter(|byte| select >> byte & 1 == 1) {
                        bytes[byte] = data.to_le_bytes()[byte];
                    }
                    model[word] = u32::from_le_bytes(bytes);
                }
                1 => assert_eq!(rig.access(word as u32 * 4, None)?, model[word]),
                kind => {
                    let write = (kind == 2).then_some((data, select));
                    let address = selftest::HOST_MEMORY
                        + rig.random.random_range(0..0x1000_0000u32) * 4 % 0x4000_0000;
                    let address = address | 0xc000_0000;
                    rig.answer = rig.random.random();
                    assert_eq!(rig.access(address, write)?, rig.answer);
                    let access = rig.accesses.pop().expect("an access");
                    assert!(rig.accesses.is_empty(), "asked once");
                    let (data, select) = write.unwrap_or((0, 0xf));
                    let expected = u128::from(data)
                        | u128::from(address >> 2) << 32
                        | u128::from(select) << 62
                        | u128::from(kind == 2) << 66;
                    let words: [u32; 3] =
                        std::array::from_fn(|word| (expected >> (32 * word)) as u32);
                    assert_eq!(access, words);
                }
            }
        }
        assert_eq!(rig.memory, model);
        assert!(rig.sent.is_empty() && rig.dut.get("leds")? == 0);
        Ok(())
    }

    #[test]
    fn registers_of_the_host() -> Result {
        let mut rig = Rig::new()?;
        let at = |offset| mmio::BASE + offset;
        assert_eq!(rig.access(at(mmio::CORE_HZ), None)?, 62_500_000);
        let before = (rig.access(at(mmio::CYCLES_LO), None)?, rig.dut.steps());
        for _ in 0..50 {
            rig.step()?;
        }
        let after = (rig.access(at(mmio::CYCLES_LO), None)?, rig.dut.steps());
        assert_eq!(u64::from(after.0 - before.0), after.1 - before.1);
        rig.access(at(mmio::LEDS), Some((0x1a5, 0xf)))?;
        assert_eq!(
            (rig.dut.get("leds")?, rig.access(at(mmio::LEDS), None)?),
            (0xa5, 0xa5)
        );
        assert_eq!(rig.access(at(selftest::UART), None)?, 0);
        rig.access(at(selftest::UART), Some((u32::from(b'P'), 0xf)))?;
        assert_eq!(rig.sent, b"P", "once");
        rig.dut.set("uart_busy", true)?;
        assert_eq!(rig.access(at(selftest::UART), None)?, selftest::UART_BUSY);
        assert!(rig.accesses.is_empty() && rig.memory == [0; 64]);
        reset(&mut rig.dut)?;
        assert_eq!(rig.dut.get("leds")?, 0);
        Ok(())
    }
}
