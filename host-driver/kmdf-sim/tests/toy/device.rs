//! A device with one register: a write to offset 0 sends a message 5 us later; offset 8 counts the messages.

use kmdf_sim::Hardware;
use kmdf_sim::memory::DeviceBus;

#[derive(Default)]
pub struct Toy {
    due_ps: Option<u64>,
    sent: u32,
    message: Option<u32>,
    on: bool,
}

impl Hardware for Toy {
    fn bars(&self) -> Vec<u64> {
        vec![0x1000]
    }
    fn messages(&self) -> u32 {
        2
    }
    fn mmio_read(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        _: u32,
    ) -> (u64, u64) {
        assert!(self.on);
        (
            if offset == 8 { self.sent.into() } else { 0 },
            now_ps + 1_000_000,
        )
    }
    fn mmio_write(
        &mut self,
        _: &mut dyn DeviceBus,
        now_ps: u64,
        _: usize,
        offset: u64,
        _: u32,
        _: u64,
    ) -> u64 {
        assert!(self.on);
        if offset == 0 {
            self.due_ps = Some(now_ps + 5_000_000);
        }
        now_ps + 50_000
    }
    fn run(&mut self, _: &mut dyn DeviceBus, until_ps: u64) -> u64 {
        match self.due_ps {
            Some(due) if due <= until_ps => {
                self.due_ps = None;
                self.sent += 1;
                self.message = Some(0);
                due
            }
            _ => until_ps,
        }
    }
    fn next_event_ps(&self) -> Option<u64> {
        self.due_ps
    }
    fn take_message(&mut self) -> Option<u32> {
        self.message.take()
    }
    fn power(&mut self, _: &mut dyn DeviceBus, on: bool) {
        self.on = on;
        self.due_ps = None;
    }
    fn removed(&mut self) {
        self.due_ps = None;
    }
}
