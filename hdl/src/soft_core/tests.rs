//! The buses around the processor, driven as the processor would.

use super::{CoreMemory, FetchPort, Window};
use pinring_protocol::limits::{QUEUES, VECTORS};
use pinring_protocol::registers::Limits0;
use pinring_protocol::{LAYOUT_HASH, mmio};
use pinring_verilator::equivalence::{Error, Pair};
use pinring_verilator::ports;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rust_hdl::prelude::*;
use std::collections::HashMap;

const HZ: usize = 100_000_000;

/// Everything in the core's clock but the processor.
#[derive(LogicBlock, Default)]
struct Buses {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    fetch_cycle: Signal<In, Bit>,
    fetch_address: Signal<In, Bits<30>>,
    fetch_type: Signal<In, Bits<3>>,
    fetch_acknowledge: Signal<Out, Bit>,
    fetch_data: Signal<Out, Bits<32>>,
    cycle: Signal<In, Bit>,
    write: Signal<In, Bit>,
    address: Signal<In, Bits<30>>,
    select: Signal<In, Bits<4>>,
    write_data: Signal<In, Bits<32>>,
    acknowledge: Signal<Out, Bit>,
    read_data: Signal<Out, Bits<32>>,
    message_valid: Signal<In, Bit>,
    message: Signal<In, Bits<128>>,
    message_raw: Signal<In, Bit>,
    halt: Signal<In, Bit>,
    message_pop: Signal<Out, Bit>,
    command_room: Signal<In, Bit>,
    command_push: Signal<Out, Bit>,
    command: Signal<Out, Bits<128>>,
    leds: Signal<Out, Bits<8>>,
    fetch: FetchPort<6>,
    window: Window<6, HZ>,
    memory: CoreMemory<6, 0>,
}

impl Logic for Buses {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, fetch, window, memory);
        self.fetch.reset.next = self.reset.val();
        self.fetch.cycle.next = self.fetch_cycle.val();
        self.fetch.strobe.next = self.fetch_cycle.val();
        self.fetch.address.next = self.fetch_address.val();
        self.fetch.cycle_type.next = self.fetch_type.val();
        self.fetch_acknowledge.next = self.fetch.acknowledge.val();
        self.fetch_data.next = self.memory.fetch_data.val();
        self.memory.fetch_address.next = self.fetch.memory_address.val();
        self.window.reset.next = self.reset.val();
        self.window.cycle.next = self.cycle.val();
        self.window.strobe.next = self.cycle.val();
        self.window.write.next = self.write.val();
        self.window.address.next = self.address.val();
        self.window.select.next = self.select.val();
        self.window.write_data.next = self.write_data.val();
        self.acknowledge.next = self.window.acknowledge.val();
        self.read_data.next = self.window.read_data.val();
        self.window.memory_data.next = self.memory.read_data.val();
        self.memory.address.next = self.window.memory_address.val();
        self.memory.write_bytes.next = self.window.memory_write.val();
        self.memory.write_data.next = self.write_data.val();
        self.window.message_valid.next = self.message_valid.val();
        self.window.message.next = self.message.val();
        self.window.message_raw.next = self.message_raw.val();
        self.window.halt.next = self.halt.val();
        self.message_pop.next = self.window.message_pop.val();
        self.window.command_room.next = self.command_room.val();
        self.command_push.next = self.window.command_push.val();
        self.command.next = self.window.command.val();
        self.leds.next = self.window.leds.val();
    }
}

/// The rig, and what went over its mailbox ports.
struct Rig {
    dut: Pair<Buses>,
    popped: u64,
    pushed: Vec<Vec<u32>>,
}

impl Rig {
    fn new() -> Result<Self, Error> {
        let ports = ports!(Buses {
            clock: clock;
            in reset, fetch_cycle, fetch_address, fetch_type, cycle, write, address, select, write_data, message_valid,
               message, message_raw, command_room, halt;
            out fetch_acknowledge, fetch_data, acknowledge, read_data, message_pop, command_push, command, leds
        });
        Ok(Self {
            dut: Pair::new(Buses::default(), ports)?,
            popped: 0,
            pushed: Vec::new(),
        })
    }

    fn step(&mut self) -> Result<(), Error> {
        self.popped += self.dut.get("message_pop")?;
        if self.dut.is("command_push")? {
            self.pushed.push(self.dut.get_wide("command")?.to_vec());
        }
        self.dut.step()
    }

    /// One access over the data bus at a byte address.
    fn access(&mut self, address: u32, write: Option<(u32, u64)>) -> Result<u32, Error> {
        let (data, select) = write.unwrap_or((0, 0xf));
        self.dut.set("cycle", true)?;
        self.dut.set("write", write.is_some())?;
        self.dut.set("address", u64::from(address >> 2))?;
        self.dut.set("select", select)?;
        self.dut.set("write_data", u64::from(data))?;
        for waited in 0.. {
            if self.dut.is("acknowledge")? {
                break;
            }
            assert!(waited < 2, "an access takes two clocks");
            self.step()?;
        }
        let read = self.dut.get("read_data")? as u32;
        self.step()?;
        self.dut.set("cycle", false)?;
        Ok(read)
    }

    fn load(&mut self, register: u32) -> Result<u32, Error> {
        self.access(mmio::BASE + register, None)
    }

    fn store(&mut self, register: u32, value: u32) -> Result<(), Error> {
        self.access(mmio::BASE + register, Some((value, 0xf)))
            .map(drop)
    }

    /// A burst of eight words over the instruction bus; the bus may pause before it.
    fn burst(&mut self, line: u32) -> Result<([u32; 8], u64), Error> {
        let (mut words, mut next, start) = ([0; 8], 0, self.dut.steps());
        self.dut.set("fetch_cycle", true)?;
        while next < 8 {
            self.dut.set("fetch_address", u64::from(line * 8 + next))?;
            self.dut
                .set("fetch_type", if next == 7 { 7u64 } else { 2 })?;
            if self.dut.is("fetch_acknowledge")? {
                words[next as usize] = self.dut.get("fetch_data")? as u32;
                next += 1;
            }
            self.step()?;
        }
        self.dut.set("fetch_cycle", false)?;
        Ok((words, self.dut.steps() - start))
    }
}

#[test]
fn memory_is_written_in_bytes_and_read_by_both_buses() -> Result<(), Error> {
    let mut rig = Rig::new()?;
    let mut random = StdRng::seed_from_u64(1);
    let mut model = HashMap::<u32, u32>::new();
    for _ in 0..400 {
        let word = random.random_range(0..64);
        let old = model.get(&word).copied().unwrap_or(0);
        if random.random_bool(0.6) {
            let (data, select) = (random.random::<u32>(), random.random_range(0..16));
            rig.access(word * 4, Some((data, select)))?;
            let mask = (0..4)
                .filter(|byte| select >> byte & 1 == 1)
                .fold(0, |mask, byte| mask | 0xff << (8 * byte));
            model.insert(word, old & !mask | data & mask);
        } else {
            assert_eq!(rig.access(word * 4, None)?, old, "word {word}");
        }
        if random.random_bool(0.2) {
            rig.step()?;
        }
    }
    for _ in 0..60 {
        let line = random.random_range(0..8);
        let (words, cycles) = rig.burst(line)?;
        let expected = std::array::from_fn(|index| {
            model.get(&(line * 8 + index as u32)).copied().unwrap_or(0)
        });
        assert_eq!((words, cycles), (expected, 9), "line {line}");
        if random.random_bool(0.5) {
            rig.step()?;
        }
    }
    Ok(())
}

#[test]
fn window_shows_messages_and_sends_commands() -> Result<(), Error> {
    let mut rig = Rig::new()?;
    assert_eq!(rig.load(mmio::MAILBOX_STATUS)?, 0);
    rig.store(mmio::RX_POP, 0)?;
    assert_eq!(rig.popped, 0, "nothing to pop");
    rig.dut.set("message_valid", true)?;
    rig.dut.set_wide(
        "message",
        &[0x1111_0001, 0x2222_0002, 0x3333_0003, 0x4444_0004],
    )?;
    assert_eq!(rig.load(mmio::MAILBOX_STATUS)?, mmio::STATUS_MESSAGE);
    let words = [
        mmio::RX_WORD0,
        mmio::RX_WORD1,
        mmio::RX_WORD2,
        mmio::RX_WORD3,
    ];
    for (register, word) in
        words
            .into_iter()
            .zip([0x1111_0001, 0x2222_0002, 0x3333_0003, 0x4444_0004])
    {
        assert_eq!(rig.load(register)?, word);
    }
    assert_eq!(rig.popped, 0, "reading leaves the message where it is");
    rig.store(mmio::RX_POP, 0)?;
    assert_eq!(rig.popped, 1, "a write to RX_POP takes it, once");

    let command = [0xdead_beef, 0x0123_4567, 0x89ab_cdef, 0xcafe_f00d];
    let words = [
        mmio::TX_WORD0,
        mmio::TX_WORD1,
        mmio::TX_WORD2,
        mmio::TX_WORD3,
    ];
    for (register, word) in words.into_iter().zip(command) {
        rig.store(register, word)?;
    }
    assert_eq!(rig.pushed.len(), 0, "no room, so dropped");
    rig.dut.set("command_room", true)?;
    assert_eq!(
        rig.load(mmio::MAILBOX_STATUS)?,
        mmio::STATUS_MESSAGE | mmio::STATUS_ROOM
    );
    rig.dut.set("message_raw", true)?;
    assert_eq!(
        rig.load(mmio::MAILBOX_STATUS)?,
        mmio::STATUS_MESSAGE | mmio::STATUS_ROOM | mmio::STATUS_RAW
    );
    for (register, word) in words.into_iter().zip(command) {
        rig.store(register, word)?;
    }
    assert_eq!(rig.pushed, [command], "sent by the write of word 3, once");
    // A halted core's access is made when it is let go, and not before.
    rig.dut.set("halt", true)?;
    rig.dut.set("cycle", true)?;
    rig.dut.set("write", true)?;
    let pop = u64::from((mmio::BASE + mmio::RX_POP) >> 2);
    rig.dut.set("address", pop)?;
    for _ in 0..10 {
        assert!(!rig.dut.is("acknowledge")?);
        rig.step()?;
    }
    assert_eq!(rig.popped, 1, "nothing is taken");
    rig.dut.set("halt", false)?;
    rig.store(mmio::RX_POP, 0)?;
    assert_eq!(rig.popped, 2);
    // The same bytes at the same offset in memory are not the window.
    rig.access(mmio::RX_POP, Some((0, 0xf)))?;
    rig.access(mmio::TX_WORD3, Some((0, 0xf)))?;
    assert_eq!((rig.popped, rig.pushed.len()), (2, 1));
    Ok(())
}

#[test]
fn window_counts_cycles_and_drives_leds() -> Result<(), Error> {
    let mut rig = Rig::new()?;
    assert_eq!(rig.load(mmio::CORE_HZ)?, HZ as u32);
    let limits = Limits0::from_raw(rig.load(mmio::LIMITS)?);
    assert_eq!(
        (limits.queues().into(), limits.vectors().into()),
        (QUEUES, VECTORS)
    );
    let before = (rig.load(mmio::CYCLES_LO)?, rig.dut.steps());
    for _ in 0..100 {
        rig.step()?;
    }
    let after = (rig.load(mmio::CYCLES_LO)?, rig.dut.steps());
    assert_eq!(
        u64::from(after.0 - before.0),
        after.1 - before.1,
        "one count per clock"
    );
    assert_eq!(rig.load(mmio::CYCLES_HI)?, 0);
    rig.store(mmio::LEDS, 0xa5)?;
    assert_eq!((rig.dut.get("leds")?, rig.load(mmio::LEDS)?), (0xa5, 0xa5));
    rig.dut.set("reset", true)?;
    rig.step()?;
    rig.dut.set("reset", false)?;
    assert_eq!(rig.dut.get("leds")?, 0);
    assert!(
        rig.load(mmio::CYCLES_LO)? < 8,
        "cycles count from the reset"
    );
    Ok(())
}

#[test]
fn window_shows_the_layout_hash() -> Result<(), Error> {
    let mut rig = Rig::new()?;
    let registers = [mmio::LAYOUT_HASH_LO, mmio::LAYOUT_HASH_HI];
    let hash = |rig: &mut Rig| -> Result<u64, Error> {
        let [low, high] = registers.map(|register| rig.load(register));
        Ok(u64::from(low?) | u64::from(high?) << 32)
    };
    assert_eq!(hash(&mut rig)?, LAYOUT_HASH);
    for register in registers {
        rig.store(register, !0)?;
    }
    assert_eq!(hash(&mut rig)?, LAYOUT_HASH, "writes change nothing");
    Ok(())
}
