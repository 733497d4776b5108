//! The device, given by the user of the double.

use crate::memory::DeviceBus;

/// A PCIe function with memory BARs and MSI-X messages. Times are in ps and never go back.
pub trait Hardware {
    /// Size of each memory BAR, in bytes.
    fn bars(&self) -> Vec<u64>;

    /// MSI-X messages of the device.
    fn messages(&self) -> u32;

    /// Reads `bytes` (1, 2, 4) of the device's own configuration space. The command register and the BARs are the double's.
    fn config_read(&mut self, offset: u32, bytes: u32) -> u32 {
        let _ = (offset, bytes);
        0
    }

    /// Writes `bytes` of configuration space; the command register's writes are shown here too.
    fn config_write(&mut self, offset: u32, bytes: u32, value: u32) {
        let _ = (offset, bytes, value);
    }

    /// What the command register holds once `asked` was written to it: a bit may be stuck.
    fn command(&mut self, asked: u16) -> u16 {
        asked
    }

    /// Reads `bytes` (1 to 8) of a BAR at `now_ps`; gives the value and when the CPU has it.
    fn mmio_read(
        &mut self,
        bus: &mut dyn DeviceBus,
        now_ps: u64,
        bar: usize,
        offset: u64,
        bytes: u32,
    ) -> (u64, u64);

    /// Writes `bytes` of a BAR at `now_ps`; gives when the CPU goes on.
    fn mmio_write(
        &mut self,
        bus: &mut dyn DeviceBus,
        now_ps: u64,
        bar: usize,
        offset: u64,
        bytes: u32,
        value: u64,
    ) -> u64;

    /// Runs until `until_ps`, or until a message was sent; gives the time reached.
    fn run(&mut self, bus: &mut dyn DeviceBus, until_ps: u64) -> u64;

    /// When the device will next do something by itself, if nothing else happens.
    fn next_event_ps(&self) -> Option<u64>;

    /// Takes a message that was sent and not yet taken.
    fn take_message(&mut self) -> Option<u32>;

    /// The operating system has programmed and unmasked a message, or masked it.
    fn connect(&mut self, message: u32, enabled: bool) {
        let _ = (message, enabled);
    }

    /// Power comes or goes; the device forgets its state without it.
    fn power(&mut self, bus: &mut dyn DeviceBus, on: bool) {
        let _ = (bus, on);
    }

    /// The device was pulled out: nothing of it is heard any more.
    fn removed(&mut self) {}
}

/// A device with one BAR of 4 KiB that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHardware;

impl Hardware for NoHardware {
    fn bars(&self) -> Vec<u64> {
        vec![4096]
    }
    fn messages(&self) -> u32 {
        1
    }
    fn mmio_read(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        _: u64,
        _: u32,
    ) -> (u64, u64) {
        (0, now_ps)
    }
    fn mmio_write(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        _: u64,
        _: u32,
        _: u64,
    ) -> u64 {
        now_ps
    }
    fn run(&mut self, _: &mut dyn DeviceBus, until_ps: u64) -> u64 {
        until_ps
    }
    fn next_event_ps(&self) -> Option<u64> {
        None
    }
    fn take_message(&mut self) -> Option<u32> {
        None
    }
}
