//! The root complex: host memory between the device's link and the host's bus.

use super::{Completer, HostBus, HostMemory, TlpReceiver};
use crate::widgets::Synchroniser;
use rust_hdl::prelude::*;

/// Cycles for which a read of BAR0 may take: a millisecond at 125 MHz, and a hundred times what it does take.
pub const TIMEOUT: u64 = 125_000;

// The ports that go straight through to a part need naming but once.
macro_rules! root_complex {
    (
        $(#[$doc:meta])*
        receiver { $($receiver:ident: $receiver_type:ty),+ $(,)? }
        completer { $($completer:ident: $completer_type:ty),+ $(,)? }
        bus in { $($bus_in:ident: $bus_in_type:ty),+ $(,)? }
        bus out { $($bus_out:ident: $bus_out_type:ty),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(LogicBlock, Default)]
        pub struct RootComplex {
            /// Clock.
            pub clock: Signal<In, Clock>,
            /// Reset; host memory keeps what is in it.
            pub reset: Signal<In, Bit>,
            /// Faults to inject, from any clock: bit 0 spoils a write to host memory, bit 1 the data of a read.
            pub fault: Signal<In, Bits<2>>,
            /// A beat of the device's is taken.
            pub tx_ready: Signal<Out, Bit>,
            /// A beat of the sink's stream was malformed.
            pub stream_malformed: Signal<In, Bit>,
            $(
                /// As in [`TlpReceiver`].
                pub $receiver: Signal<In, $receiver_type>,
            )+
            $(
                /// As in [`Completer`].
                pub $completer: Signal<Out, $completer_type>,
            )+
            $(
                /// As in [`HostBus`].
                pub $bus_in: Signal<In, $bus_in_type>,
            )+
            $(
                /// As in [`HostBus`].
                pub $bus_out: Signal<Out, $bus_out_type>,
            )+
            receiver: TlpReceiver,
            completer: Completer,
            bus: HostBus<TIMEOUT>,
            memory: HostMemory<13>,
            spoil_write: Synchroniser<Bit>,
            spoil_read: Synchroniser<Bit>,
            writes: Signal<Local, Bit>,
        }

        impl Logic for RootComplex {
            #[hdl_gen]
            fn update(&mut self) {
                clock!(self, clock, receiver, completer, bus, memory, spoil_write, spoil_read);
                self.receiver.reset.next = self.reset.val();
                self.completer.reset.next = self.reset.val();
                self.bus.reset.next = self.reset.val();
                self.spoil_write.d.next = self.fault.val().get_bit(0);
                self.spoil_read.d.next = self.fault.val().get_bit(1);
                self.receiver.fault.next = self.spoil_write.q.val();
                self.completer.fault.next = self.spoil_read.q.val();
                $( self.receiver.$receiver.next = self.$receiver.val(); )+
                $( self.$completer.next = self.completer.$completer.val(); )+
                $( self.bus.$bus_in.next = self.$bus_in.val(); )+
                $( self.$bus_out.next = self.bus.$bus_out.val(); )+
                self.tx_ready.next = self.receiver.tx_ready.val();

                self.completer.read_valid.next = self.receiver.read_valid.val();
                self.completer.read.next = self.receiver.read.val();
                self.receiver.read_room.next = self.completer.read_room.val();
                self.bus.cpl_valid.next = self.receiver.cpl_valid.val();
                self.bus.cpl_tag.next = self.receiver.cpl_tag.val();
                self.bus.cpl_success.next = self.receiver.cpl_success.val();
                self.bus.cpl_data.next = self.receiver.cpl_data.val();
                self.bus.violations.next = bit_cast::<4, 3>(self.receiver.violations.val())
                    | (bit_cast::<4, 1>(self.stream_malformed.val().into()) << 3);

                // Host memory: the device first.
                self.writes.next = self.receiver.write_bytes.val().any();
                self.bus.write_busy.next = self.writes.val();
                self.bus.read_busy.next = self.completer.memory_read.val();
                self.memory.write_address.next = self.bus.memory_address.val();
                self.memory.write_data.next = self.bus.memory_write.val();
                self.memory.write_bytes.next = self.bus.memory_bytes.val();
                if self.writes.val() {
                    self.memory.write_address.next = self.receiver.write_address.val();
                    self.memory.write_data.next = self.receiver.write_data.val();
                    self.memory.write_bytes.next = self.receiver.write_bytes.val();
                }
                self.memory.read_address.next = self.bus.memory_address.val();
                if self.completer.memory_read.val() {
                    self.memory.read_address.next = self.completer.memory_address.val();
                }
                self.completer.memory_data.next = self.memory.read_data.val();
                self.bus.memory_data.next = self.memory.read_data.val();
            }
        }
    };
}

root_complex! {
    /// Stands where a PCIe link and a host would: answers the device's reads, takes its writes, and hands accesses of the
    /// host's processor to host memory, BAR0 and registers.
    receiver {
        tx_valid: Bit, tx_sop: Bit, tx_eop: Bit, tx_data: Bits<64>, tx_kind: Bits<2>, tx_addr: Bits<64>, tx_len: Bits<11>,
        tx_first_be: Bits<4>, tx_last_be: Bits<4>, tx_tag: Bits<10>, tx_status: Bits<3>,
    }
    completer {
        cpl_valid: Bit, cpl_sop: Bit, cpl_eop: Bit, cpl_data: Bits<64>, cpl_tag: Bits<10>, cpl_len: Bits<11>,
        cpl_byte_count: Bits<13>, cpl_lower_addr: Bits<7>, cpl_status: Bits<3>,
    }
    bus in {
        access: Bits<67>, access_valid: Bit, req_ready: Bit,
        source_packets: Bits<32>, sink_bytes: Bits<32>, sink_packets: Bits<32>, sink_wrong: Bits<32>,
    }
    bus out {
        access_ready: Bit, answer_valid: Bit, answer: Bits<32>,
        req_valid: Bit, req_data: Bits<64>, req_write: Bit, req_addr: Bits<24>, req_len: Bits<11>,
        req_first_be: Bits<4>, req_last_be: Bits<4>, req_tag: Bits<10>,
        source_enable: Bit, source_length: Bits<32>, source_seed: Bits<32>, sink_clear: Bit, sink_seed: Bits<32>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, chance, reset, seeded, set_all};
    use pinring_protocol::selftest::{BUS_ADDRESS, HOST_MEMORY, REGISTERS, VIOLATIONS};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::{RngExt, rngs::StdRng};

    /// The host's side and the device's, each doing one thing at a time.
    struct Rig {
        dut: Pair<RootComplex>,
        random: StdRng,
    }

    impl Rig {
        fn new() -> Result<Self> {
            let ports = ports!(RootComplex {
                clock: clock;
                in reset, fault, stream_malformed, tx_valid, tx_sop, tx_eop, tx_data, tx_kind, tx_addr, tx_len, tx_first_be,
                   tx_last_be, tx_tag, tx_status, access, access_valid, req_ready, source_packets, sink_bytes, sink_packets,
                   sink_wrong;
                out tx_ready, cpl_valid, cpl_sop, cpl_eop, cpl_data, cpl_tag, cpl_len, cpl_byte_count, cpl_lower_addr,
                    cpl_status, access_ready, answer_valid, answer, req_valid, req_data, req_write, req_addr, req_len, req_first_be, req_last_be, req_tag, source_enable, source_length, source_seed, sink_clear, sink_seed
            });
            let mut dut = Pair::new(RootComplex::default(), ports)?;
            reset(&mut dut)?;
            Ok(Self {
                dut,
                random: seeded(1),
            })
        }

        /// One access of the host's, while the device writes and reads at `busy` all the time.
        fn access(&mut self, address: u32, write: Option<u32>, busy: u64) -> Result<u32> {
            let access = u128::from(write.unwrap_or(0))
                | u128::from(address >> 2) << 32
                | 0xf << 62
                | u128::from(write.is_some()) << 66;
            let words: [u32; 3] = std::array::from_fn(|word| (access >> (32 * word)) as u32);
            self.dut.set_wide("access", &words)?;
            self.dut.set("access_valid", true)?;
            for _ in 0..200 {
                let kind = u64::from(chance(&mut self.random, 30));
                set_all(
                    &mut self.dut,
                    &[
                        ("tx_valid", chance(&mut self.random, 70).into()),
                        ("tx_sop", 1),
                        ("tx_eop", 1),
                        ("tx_kind", kind),
                        ("tx_addr", busy),
                        ("tx_len", 2),
                        ("tx_first_be", 15),
                        ("tx_last_be", 15),
                        ("tx_data", self.random.random()),
                    ],
                )?;
                let taken = self.dut.is("access_ready")?;
                let answer = self.dut.is("answer_valid")?;
                let word = self.dut.get("answer")? as u32;
                self.dut.step()?;
                if taken {
                    self.dut.set("access_valid", false)?;
                }
                if answer {
                    self.dut.set("tx_valid", false)?;
                    return Ok(word);
                }
            }
            panic!("no answer for {address:#x}");
        }

        /// A write of the device's, of 8 bytes.
        fn write(&mut self, address: u64, data: u64) -> Result {
            let fields = [
                ("tx_valid", 1),
                ("tx_sop", 1),
                ("tx_eop", 1),
                ("tx_first_be", 15),
                ("tx_last_be", 15),
                ("tx_kind", 0),
                ("tx_addr", address),
                ("tx_len", 2),
                ("tx_data", data),
            ];
            set_all(&mut self.dut, &fields)?;
            while !self.dut.is("tx_ready")? {
                self.dut.step()?;
            }
            self.dut.step()?;
            self.dut.set("tx_valid", false)
        }

        /// A read of the device's, of 8 bytes; reads from before may still be answered.
        fn read(&mut self, address: u64) -> Result<u64> {
            let fields = [
                ("tx_valid", 1),
                ("tx_sop", 1),
                ("tx_eop", 1),
                ("tx_first_be", 15),
                ("tx_last_be", 15),
                ("tx_kind", 1),
                ("tx_addr", address),
                ("tx_len", 2),
                ("tx_tag", 5),
            ];
            set_all(&mut self.dut, &fields)?;
            while !self.dut.is("tx_ready")? {
                self.dut.step()?;
            }
            self.dut.step()?;
            set_all(&mut self.dut, &[("tx_valid", 0), ("tx_tag", 0)])?;
            for _ in 0..200 {
                if self.dut.is("cpl_valid")? && self.dut.get("cpl_tag")? == 5 {
                    assert_eq!(
                        (self.dut.get("cpl_status")?, self.dut.get("cpl_byte_count")?),
                        (0, 8)
                    );
                    let data = self.dut.get("cpl_data")?;
                    self.dut.step()?;
                    return Ok(data);
                }
                self.dut.step()?;
            }
            panic!("no completion");
        }
    }

    #[test]
    fn host_and_device_see_the_same_memory() -> Result {
        let mut rig = Rig::new()?;
        let mut model = [0u32; 16];
        let busy = BUS_ADDRESS + 0x8000;
        for _ in 0..300 {
            let word = rig.random.random_range(0..16usize);
            let pair = word & !1;
            let address = HOST_MEMORY + 0x3ff8 + 4 * word as u32;
            let bus_address = BUS_ADDRESS + 0x3ff8 + 4 * pair as u64;
            match rig.random.random_range(0..4) {
                0 => {
                    model[word] = rig.random.random();
                    rig.access(address, Some(model[word]), busy)?;
                }
                1 => assert_eq!(rig.access(address, None, busy)?, model[word]),
                2 => {
                    let data: u64 = rig.random.random();
                    rig.write(bus_address, data)?;
                    (model[pair], model[pair + 1]) = (data as u32, (data >> 32) as u32);
                }
                _ => {
                    let expected = u64::from(model[pair]) | u64::from(model[pair + 1]) << 32;
                    assert_eq!(rig.read(bus_address)?, expected);
                }
            }
        }
        assert_eq!(rig.access(REGISTERS + VIOLATIONS, None, busy)?, 0);
        Ok(())
    }

    #[test]
    fn violations_of_all_kinds_are_shown_to_the_host() -> Result {
        let mut rig = Rig::new()?;
        rig.dut.set("stream_malformed", true)?;
        rig.write(0x1000, 0)?;
        assert_eq!(rig.access(REGISTERS + VIOLATIONS, None, BUS_ADDRESS)?, 9);
        rig.dut.set("stream_malformed", false)?;
        // One across a page.
        assert_eq!(
            rig.access(REGISTERS + VIOLATIONS, None, BUS_ADDRESS + 4092)?,
            1
        );
        assert_eq!(rig.access(REGISTERS + VIOLATIONS, None, BUS_ADDRESS)?, 5);
        Ok(())
    }
}
