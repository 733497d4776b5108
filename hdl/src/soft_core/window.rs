//! The data bus: the core's memory, and the memory-mapped window of [`pinring_protocol::mmio`].

use crate::generated::constants::LAYOUT_HASH;
use crate::sizes::{Full, LimitsRegister0, Sizes};
use crate::widgets::{Const, Param, Size};
use pinring_protocol::mmio;
use rust_hdl::prelude::*;

/// Number of a register: its byte offset in the window over 4.
const fn register(offset: u32) -> u64 {
    assert!(
        offset < 0x100 && offset.is_multiple_of(4),
        "the window decodes 64 registers of 32 bits"
    );
    (offset / 4) as u64
}

const _: () = {
    assert!(
        mmio::BASE == 0x8000_0000,
        "address bit 31 alone selects the window"
    );
    assert!(
        mmio::STATUS_MESSAGE == 1 && mmio::STATUS_ROOM == 2 && mmio::STATUS_RAW == 4,
        "the status word is {{raw, room, message}}"
    );
};

/// Answers the data bus: classic Wishbone cycles of two clocks, acknowledges from a flip-flop.
///
/// Memory is reached below address 2^31, the window above. Registers are written as whole words. A command that is written
/// while the mailbox has no room is dropped: the firmware looks at the status first.
#[derive(LogicBlock, Default)]
pub struct Window<const N: usize, const HZ: usize, S: Sizes = Full> {
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
    /// A message waits.
    pub message_valid: Signal<In, Bit>,
    /// The message.
    pub message: Signal<In, Bits<128>>,
    /// It is a quarter of an admin entry.
    pub message_raw: Signal<In, Bit>,
    /// No access is taken.
    pub halt: Signal<In, Bit>,
    /// Takes the message.
    pub message_pop: Signal<Out, Bit>,
    /// The mailbox has room for a command.
    pub command_room: Signal<In, Bit>,
    /// Sends `command`.
    pub command_push: Signal<Out, Bit>,
    /// The command.
    pub command: Signal<Out, Bits<128>>,
    /// LEDs.
    pub leds: Signal<Out, Bits<8>>,
    acknowledged: DFF<Bit>,
    from_window: DFF<Bit>,
    window_data: DFF<Bits<32>>,
    cycles: DFF<Bits<64>>,
    held_cycles: DFF<Bits<32>>,
    tx0: DFF<Bits<32>>,
    tx1: DFF<Bits<32>>,
    tx2: DFF<Bits<32>>,
    led: DFF<Bits<8>>,
    number: Signal<Local, Bits<6>>,
    accept: Signal<Local, Bit>,
    in_window: Signal<Local, Bit>,
    mailbox_status: Const<6, { register(mmio::MAILBOX_STATUS) }>,
    rx_word0: Const<6, { register(mmio::RX_WORD0) }>,
    rx_word1: Const<6, { register(mmio::RX_WORD1) }>,
    rx_word2: Const<6, { register(mmio::RX_WORD2) }>,
    rx_word3: Const<6, { register(mmio::RX_WORD3) }>,
    rx_pop: Const<6, { register(mmio::RX_POP) }>,
    tx_word0: Const<6, { register(mmio::TX_WORD0) }>,
    tx_word1: Const<6, { register(mmio::TX_WORD1) }>,
    tx_word2: Const<6, { register(mmio::TX_WORD2) }>,
    tx_word3: Const<6, { register(mmio::TX_WORD3) }>,
    cycles_lo: Const<6, { register(mmio::CYCLES_LO) }>,
    cycles_hi: Const<6, { register(mmio::CYCLES_HI) }>,
    core_hz: Const<6, { register(mmio::CORE_HZ) }>,
    limits_number: Const<6, { register(mmio::LIMITS) }>,
    leds_number: Const<6, { register(mmio::LEDS) }>,
    layout_hash_lo: Const<6, { register(mmio::LAYOUT_HASH_LO) }>,
    layout_hash_hi: Const<6, { register(mmio::LAYOUT_HASH_HI) }>,
    hz: Param<32, HZ>,
    limits: Size<32, LimitsRegister0<S>>,
    hash_low: Const<32, { LAYOUT_HASH & 0xffff_ffff }>,
    hash_high: Const<32, { LAYOUT_HASH >> 32 }>,
}

impl<const N: usize, const HZ: usize, S: Sizes> Logic for Window<N, HZ, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            acknowledged,
            from_window,
            window_data,
            cycles,
            held_cycles,
            tx0,
            tx1,
            tx2,
            led
        );

        self.accept.next =
            (self.cycle.val() & self.strobe.val()) & !(self.acknowledged.q.val() | self.halt.val());
        self.in_window.next = self.address.val().get_bit(29);
        self.number.next = bit_cast::<6, 30>(self.address.val());
        self.acknowledged.d.next = self.accept.val();
        self.from_window.d.next = self.in_window.val();
        self.acknowledge.next = self.acknowledged.q.val();

        self.memory_address.next = bit_cast::<N, 30>(self.address.val());
        self.memory_write.next = 0.into();
        if (self.accept.val() & self.write.val()) & !self.in_window.val() {
            self.memory_write.next = self.select.val();
        }
        self.read_data.next = self.memory_data.val();
        if self.from_window.q.val() {
            self.read_data.next = self.window_data.q.val();
        }

        self.cycles.d.next = self.cycles.q.val() + 1;
        self.message_pop.next = false;
        self.command_push.next = false;
        self.command.next = ((bit_cast::<128, 32>(self.write_data.val()) << 96)
            | (bit_cast::<128, 32>(self.tx2.q.val()) << 64))
            | ((bit_cast::<128, 32>(self.tx1.q.val()) << 32)
                | bit_cast::<128, 32>(self.tx0.q.val()));
        self.leds.next = self.led.q.val();

        self.window_data.d.next = 0.into();
        if self.number.val() == self.mailbox_status.val() {
            self.window_data.d.next = bit_cast::<32, 1>(self.message_valid.val().into())
                | ((bit_cast::<32, 1>(self.command_room.val().into()) << 1)
                    | (bit_cast::<32, 1>(self.message_raw.val().into()) << 2));
        } else if self.number.val() == self.rx_word0.val() {
            self.window_data.d.next = self.message.val().get_bits::<32>(0);
        } else if self.number.val() == self.rx_word1.val() {
            self.window_data.d.next = self.message.val().get_bits::<32>(32);
        } else if self.number.val() == self.rx_word2.val() {
            self.window_data.d.next = self.message.val().get_bits::<32>(64);
        } else if self.number.val() == self.rx_word3.val() {
            self.window_data.d.next = self.message.val().get_bits::<32>(96);
        } else if self.number.val() == self.cycles_lo.val() {
            self.window_data.d.next = self.cycles.q.val().get_bits::<32>(0);
        } else if self.number.val() == self.cycles_hi.val() {
            self.window_data.d.next = self.held_cycles.q.val();
        } else if self.number.val() == self.core_hz.val() {
            self.window_data.d.next = self.hz.val();
        } else if self.number.val() == self.limits_number.val() {
            self.window_data.d.next = self.limits.val();
        } else if self.number.val() == self.leds_number.val() {
            self.window_data.d.next = bit_cast::<32, 8>(self.led.q.val());
        } else if self.number.val() == self.layout_hash_lo.val() {
            self.window_data.d.next = self.hash_low.val();
        } else if self.number.val() == self.layout_hash_hi.val() {
            self.window_data.d.next = self.hash_high.val();
        }

        if self.accept.val() & self.in_window.val() {
            if self.write.val() {
                if self.number.val() == self.rx_pop.val() {
                    self.message_pop.next = self.message_valid.val();
                } else if self.number.val() == self.tx_word0.val() {
                    self.tx0.d.next = self.write_data.val();
                } else if self.number.val() == self.tx_word1.val() {
                    self.tx1.d.next = self.write_data.val();
                } else if self.number.val() == self.tx_word2.val() {
                    self.tx2.d.next = self.write_data.val();
                } else if self.number.val() == self.tx_word3.val() {
                    self.command_push.next = self.command_room.val();
                } else if self.number.val() == self.leds_number.val() {
                    self.led.d.next = bit_cast::<8, 32>(self.write_data.val());
                }
            } else if self.number.val() == self.cycles_lo.val() {
                self.held_cycles.d.next = self.cycles.q.val().get_bits::<32>(32);
            }
        }

        if self.reset.val() {
            self.acknowledged.d.next = false;
            self.cycles.d.next = 0.into();
            self.led.d.next = 0.into();
        }
    }
}
