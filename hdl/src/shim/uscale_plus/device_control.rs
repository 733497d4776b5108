//! Extended Tag Field Enable, which the IP has no port for.

use crate::widgets::Const;
use rust_hdl::prelude::*;

/// Address of Device Control, in DWs: the PCI Express capability is at 0x70 of configuration space (PG213, "Configuration Space"), the
/// register at offset 8 of it (PCIe Base Spec 5.0, 7.5.3.4).
pub const DEVICE_CONTROL: u64 = (0x70 + 8) / 4;

/// Reads Device Control of function 0 over and over through the configuration management interface (PG213, "Configuration Management
/// Interface"), and keeps its bit 8.
///
/// `cfg_mgmt_read` stays until `cfg_mgmt_read_write_done`, and falls for 16 cycles before the next read. Function number, write
/// data, byte enables and debug access of the interface are to be tied to 0.
#[derive(LogicBlock, Default)]
pub struct DeviceControl {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// cfg_mgmt_addr.
    pub cfg_mgmt_addr: Signal<Out, Bits<10>>,
    /// cfg_mgmt_read.
    pub cfg_mgmt_read: Signal<Out, Bit>,
    /// cfg_mgmt_read_data.
    pub cfg_mgmt_read_data: Signal<In, Bits<32>>,
    /// cfg_mgmt_read_write_done.
    pub cfg_mgmt_read_write_done: Signal<In, Bit>,
    /// Extended Tag Field Enable.
    pub extended_tag: Signal<Out, Bit>,
    reads: DFF<Bit>,
    pause: DFF<Bits<4>>,
    enabled: DFF<Bit>,
    register: Const<10, DEVICE_CONTROL>,
}

impl Logic for DeviceControl {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, reads, pause, enabled);
        self.cfg_mgmt_addr.next = self.register.val();
        self.cfg_mgmt_read.next = self.reads.q.val();
        self.extended_tag.next = self.enabled.q.val();
        self.pause.d.next = self.pause.q.val() + 1;
        if self.reads.q.val() {
            self.pause.d.next = 0.into();
            if self.cfg_mgmt_read_write_done.val() {
                self.reads.d.next = false;
                self.enabled.d.next = self.cfg_mgmt_read_data.val().get_bit(8);
            }
        } else if self.pause.q.val() == 15 {
            self.reads.d.next = true;
        }
        if self.reset.val() {
            self.reads.d.next = false;
            self.pause.d.next = 0.into();
            self.enabled.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Result, reset, seeded};
    use pinring_verilator::equivalence::Pair;
    use pinring_verilator::ports;
    use rand::RngExt;

    #[test]
    fn the_bit_is_followed() -> Result {
        let mut dut = Pair::new(
            DeviceControl::default(),
            ports!(DeviceControl {
                clock: clock;
                in reset, cfg_mgmt_read_data, cfg_mgmt_read_write_done;
                out cfg_mgmt_addr, cfg_mgmt_read, extended_tag
            }),
        )?;
        reset(&mut dut)?;
        let mut random = seeded(5);
        let mut expected = false;
        for _ in 0..100 {
            let mut pause = 0;
            while !dut.is("cfg_mgmt_read")? {
                // What is on the bus between reads is nobody's.
                dut.set("cfg_mgmt_read_data", random.random::<u32>() as u64)?;
                assert_eq!(dut.is("extended_tag")?, expected);
                pause += 1;
                assert!(pause <= 16);
                dut.step()?;
            }
            assert!(pause > 1);
            for _ in 0..random.random_range(1..20) {
                dut.set("cfg_mgmt_read_data", random.random::<u32>() as u64)?;
                assert!(dut.is("cfg_mgmt_read")?);
                assert_eq!(dut.get("cfg_mgmt_addr")?, 0x78 / 4);
                assert_eq!(dut.is("extended_tag")?, expected);
                dut.step()?;
            }
            let data: u32 = random.random();
            dut.set("cfg_mgmt_read_data", u64::from(data))?;
            dut.set("cfg_mgmt_read_write_done", true)?;
            dut.step()?;
            dut.set("cfg_mgmt_read_write_done", false)?;
            expected = data & 0x100 != 0;
        }
        dut.set("reset", true)?;
        dut.step()?;
        assert!(!dut.is("extended_tag")? && !dut.is("cfg_mgmt_read")?);
        Ok(())
    }
}
